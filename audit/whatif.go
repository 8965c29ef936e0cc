package audit

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"linger"
	"linger/audit/limit"
	"linger/audit/predict"
	"linger/policy"
	"linger/trace"
)

// A WhatIf is what a pool for each client would have done with the requests of an origin, as
// policy.Pool decides: at most so many connections open at once, each kept for so long. It is
// predicted, as predict.Traffic says.
type WhatIf struct {
	Connections int     `json:"connections"` // of the pool, at most
	Idle        float64 `json:"idle_s"`      // for how long they are kept
	Requests    int     `json:"requests"`
	// Opened is how many connections there would have been, Instead how many carried those
	// requests.
	Opened  int    `json:"opened"`
	Instead int    `json:"instead_of"`
	Known   string `json:"known"` // "predicted"
}

// Reuse is the share of requests that would not have been the first on their connection.
func (w WhatIf) Reuse() float64 { return 1 - float64(w.Opened)/float64(max(1, w.Requests)) }

// How many requests are replayed for what nobody asked for by a flag: changes that may be the
// best, and the grid of a page. A replay of one takes half a microsecond.
const (
	mostTried = 10_000
	mostDrawn = 20_000
)

// leastSaved is which share of connections or of waiting a change has to save that is told, and
// which share of the connections the replay may be off.
const leastSaved = 0.1

// whatIf replays the requests of each pool with each setting that was asked for, and with the
// changes that may save most.
func (a *Auditor) whatIf(byPool map[*pool][]*conn) {
	w := &a.tally.whatIf
	pools := a.costliest(byPool)
	unknown := map[groupKey]bool{}
	room := mostTried
	if a.config.Grid {
		room = mostDrawn
	}
	for _, p := range pools {
		k := a.originOf(p.label, p.key.server)
		g := in(a.tally.origins, k)
		n := 0
		for _, c := range byPool[p] {
			n += c.requests
		}
		fits := n <= room
		if fits {
			room -= n // one that is too large takes no room from those behind it
		} else {
			w.lacks.leftOut += n
			w.leaveOut(k)
		}
		if !fits && len(a.config.Settings) == 0 && !a.config.WhatIf {
			continue
		}
		t, l := a.trafficOf(p, byPool[p])
		w.lacks.add(l)
		for i, s := range a.config.Settings {
			w.settings.add(i, k, t.With(s))
			if s.OnePool() && s.Idle == 0 && t.Idle == 0 {
				w.lacks.unlimited[i] += l.unkept
			}
			if s.H2 || s.Connections > l.open {
				w.lacks.saturated[i] += l.chained
			}
		}
		if a.config.WhatIf && a.tally.settled == 0 && g.avoidable() > 0 {
			a.withPool(g, byPool[p], &t, l, unknown, k)
		}
		if !fits {
			continue
		}
		if a.config.Grid {
			for i, s := range predict.Grid() {
				w.grid.add(i, k, t.With(s))
			}
		}
		if a.tally.settled > 0 || l.notKept > 0 {
			w.leaveOut(k)
			continue
		}
		a.tryChanges(k, g, byPool[p], &t)
	}
}

// costliest are the pools in order of what their origins have cost.
func (a *Auditor) costliest(byPool map[*pool][]*conn) []*pool {
	cost := map[groupKey]time.Duration{}
	for k, g := range a.tally.origins {
		for cause, m := range g.causes {
			if cause.Of().Avoidable {
				cost[k] += m.waiting + time.Duration(m.connections)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(byPool), func(x, y *pool) int {
		i, j := a.originOf(x.label, x.key.server), a.originOf(y.label, y.key.server)
		return cmp.Or(cmp.Compare(cost[j], cost[i]), cmp.Compare(i.name, j.name), cmp.Compare(i.server, j.server),
			cmp.Compare(x.key.client.name, y.key.client.name), cmp.Compare(x.key.name, y.key.name), cmp.Compare(byPool[x][0].id, byPool[y][0].id))
	})
}

// withPool takes in what the pool that remedies advise would have done.
func (a *Auditor) withPool(g *group, conns []*conn, t *predict.Traffic, l lacks, unknown map[groupKey]bool, k groupKey) {
	if l.notKept > 0 || l.unanswered > len(t.Wants)/10 || unknown[k] {
		unknown[k], g.whatIf = true, WhatIf{}
		return
	}
	w := &g.whatIf
	w.Connections, w.Idle = a.advised(g)
	w.Known = predict.Known
	w.Requests += len(t.Wants)
	w.Opened += t.With(predict.Setting{Connections: w.Connections, Idle: w.Idle}).Opened
	for _, c := range conns {
		if c.requests > 0 {
			w.Instead++
		}
	}
}

// advised is the pool that remedies for an origin set up, unless the user named another.
func (a *Auditor) advised(g *group) (connections int, idle float64) {
	if a.config.PoolSize > 0 || a.config.PoolIdle > 0 {
		return cmp.Or(a.config.PoolSize, keptFor(g.peak)), cmp.Or(a.config.PoolIdle, keptLong).Seconds()
	}
	return keptFor(g.peak), longEnough(g).Seconds()
}

// longEnough is for how long connections of an origin have to be kept.
func longEnough(g *group) time.Duration {
	longest := time.Duration(0)
	for cause, m := range g.causes {
		if gap, ok := m.usualGap(); ok && cause.Of().Avoidable {
			longest = max(longest, gap)
		}
	}
	if longest == 0 {
		return keptLong
	}
	return withMargin(longest)
}

// keptLong is for how long a pool keeps connections of which no gap is known.
const keptLong = 60 * time.Second

// changes are settings that might be worth it for an origin: each limit that is claimed raised, a
// pool of the size needed, HTTP/2 where it is offered, the other order.
func (a *Auditor) changes(k groupKey, g *group, conns []*conn) (out []predict.Setting) {
	n := func(causes ...Cause) (n int) {
		for _, c := range causes {
			if m := g.causes[c]; m != nil {
				n += m.connections
			}
		}
		return n
	}
	long := longEnough(g).Seconds()
	server := a.hosts[1][k.server]
	if ended := n(ServerIdle, Race, StaleReuse); ended > 0 || n(ServerSaysClose, ServerClosesAtOnce) > 0 {
		out = append(out, predict.Setting{ServerIdle: long})
	}
	if n(ServerIdle, Race, StaleReuse, ClientIdle) > 0 && g.peak > 1 {
		out = append(out, predict.Setting{Order: predict.LRU}, predict.Setting{Order: predict.MRU})
	}
	if most, _, ok := server.counts.SoleRequests(); ok && n(RequestLimit) > 0 {
		out = append(out, predict.Setting{MaxRequests: max(usualRequests, 10*most)})
	}
	if n(ClientSaysClose, ClientClosesAtOnce, ClientPoolFull, IdleUnused, ClientIdle) > 0 {
		out = append(out, predict.Setting{Connections: keptFor(g.peak), Idle: long})
	}
	if n(ClientIdle) > 0 {
		out = append(out, predict.Setting{Idle: long})
	}
	if g.connections > 1 && slices.ContainsFunc(conns, func(c *conn) bool { return c.mayShare }) && !slices.ContainsFunc(conns, func(c *conn) bool { return c.multiplexed }) {
		out = append(out, predict.Setting{H2: true, Idle: long})
	}
	return out
}

// usualRequests is what nginx and Apache let a connection carry, and more than most: "keepalive_requests
// 1000" (nginx, since 1.19.10).
const usualRequests = 1000

// tryChanges replays the traffic of a pool with what might be worth it.
func (a *Auditor) tryChanges(k groupKey, g *group, conns []*conn, t *predict.Traffic) {
	if g.avoidable() == 0 && g.causes[Concurrency] == nil {
		return
	}
	w := &a.tally.whatIf
	if w.changes == nil {
		w.changes = map[groupKey]map[predict.Setting]predict.Outcome{}
	}
	if _, ok := w.changes[k]; !ok {
		w.changes[k] = map[predict.Setting]predict.Outcome{}
		for _, s := range a.changes(k, g, conns) {
			w.changes[k][s] = predict.Outcome{}
		}
	}
	for s, o := range w.changes[k] {
		w.changes[k][s] = o.Plus(t.With(s))
	}
}

// leaveOut has no change be the best for an origin of which a part cannot be replayed.
func (t *trials) leaveOut(k groupKey) {
	if t.changes == nil {
		t.changes = map[groupKey]map[predict.Setting]predict.Outcome{}
	}
	t.changes[k] = nil
}

// trials is what replays came to so far.
type trials struct {
	settings, grid outcomes
	changes        map[groupKey]map[predict.Setting]predict.Outcome
	lacks          lacks
}

// outcomes are those of settings, by their place in a list, of each origin.
type outcomes map[int]map[groupKey]predict.Outcome

func (o *outcomes) add(i int, k groupKey, x predict.Outcome) {
	if *o == nil {
		*o = outcomes{}
	}
	if (*o)[i] == nil {
		(*o)[i] = map[groupKey]predict.Outcome{}
	}
	(*o)[i][k] = (*o)[i][k].Plus(x)
}

// predictions are those of settings. Origins are in the order of their names.
func (o outcomes) predictions(settings []predict.Setting, l lacks, detailed bool) (out []predict.Prediction) {
	for i, s := range settings {
		p := predict.Prediction{Setting: s, Text: s.String(), All: predict.Outcome{Known: predict.Known}}
		for _, k := range slices.SortedFunc(maps.Keys(o[i]), func(x, y groupKey) int { return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.server, y.server)) }) {
			p.All = p.All.Plus(o[i][k])
			if detailed {
				p.Origins = append(p.Origins, predict.Of{Name: k.name, Address: k.server, Outcome: o[i][k]})
			}
		}
		p.Caveats = l.caveats(i, p.All)
		out = append(out, p)
	}
	return out
}

// predicted puts what replays came to into a result.
func (a *Auditor) predicted(r *Result) {
	w := &a.tally.whatIf
	w.lacks.notKept += int(a.tally.settled)
	asked := w.lacks
	asked.leftOut = 0 // what is asked for is replayed whole
	r.WhatIf = w.settings.predictions(a.config.Settings, asked, true)
	if a.config.Grid {
		w.lacks.saturated, w.lacks.unlimited = nil, nil
		r.Grid = w.grid.predictions(predict.Grid(), w.lacks, false)
	}
	r.Best = w.best()
}

// best is the one change of one origin that saves most waiting, or most connections where no
// waiting is known, if it saves enough.
func (w *trials) best() (best linger.Opt[predict.Prediction]) {
	most := 0.0
	for _, k := range slices.SortedFunc(maps.Keys(w.changes), func(x, y groupKey) int { return cmp.Or(cmp.Compare(x.server, y.server), cmp.Compare(x.name, y.name)) }) {
		for _, s := range slices.SortedFunc(maps.Keys(w.changes[k]), func(x, y predict.Setting) int {
			return cmp.Or(cmp.Compare(len(x.String()), len(y.String())), cmp.Compare(x.String(), y.String())) // of equals the simpler one
		}) {
			o := w.changes[k][s]
			score, known := o.Saved()
			whole := o.Instead.Waiting.Or(0)
			if known && score < 0 {
				continue
			}
			if !known || whole == 0 {
				score, whole = float64(o.Instead.Opened-o.Opened)/1e6, float64(o.Instead.Opened)/1e6 // in the rank of waiting that is next to none
			}
			if off := float64(o.High - o.Opened); off > max(1, leastSaved*float64(o.Instead.Opened)) || o.Instead.Opened-o.Opened < 2 || score < leastSaved*whole || score <= most {
				continue
			}
			most = score
			best = linger.Known(predict.Prediction{Setting: s, Text: s.String(), All: o, Origins: []predict.Of{{Name: k.name, Address: k.server, Outcome: o}}})
		}
	}
	return best
}

// lacks are what replays do not have of what was.
type lacks struct {
	began, unanswered, inferred, notKept, leftOut int
	open                                          int // most connections of a pool
	chained                                       int // requests sent as soon as a connection was free
	unkept                                        int // connections that the client did not keep
	saturated, unlimited                          map[int]int
}

func (l *lacks) add(m lacks) {
	if l.saturated == nil {
		l.saturated, l.unlimited = map[int]int{}, map[int]int{}
	}
	l.began, l.unanswered, l.inferred, l.notKept = l.began+m.began, l.unanswered+m.unanswered, l.inferred+m.inferred, l.notKept+m.notKept
}

// caveats are what may make an outcome wrong.
func (l lacks) caveats(i int, o predict.Outcome) (out []predict.Caveat) {
	add := func(code predict.CaveatCode, n int) {
		if n > 0 {
			out = append(out, predict.Caveat{Code: code, N: n})
		}
	}
	add(predict.BeganBefore, l.began)
	add(predict.Unanswered, l.unanswered)
	add(predict.Inferred, l.inferred)
	add(predict.NotKept, l.notKept)
	add(predict.LeftOut, l.leftOut)
	add(predict.Unlimited, l.unlimited[i])
	if n := l.saturated[i]; n > o.Requests/10 {
		add(predict.Saturated, n)
	}
	if off := o.High - o.Opened; float64(off) > max(1, leastSaved*float64(o.Instead.Opened)) {
		add(predict.Adrift, off)
	}
	return out
}

// trafficOf is what a client asked of an origin, as a replay has it. Instants are those of the
// client: half a round trip lies between it and where packets were recorded.
func (a *Auditor) trafficOf(p *pool, conns []*conn) (t predict.Traffic, l lacks) {
	server, client := p.key.server, p.key.client
	if idle, ok := client.idle.Usual(); ok {
		t.Idle = limit.Seconds(idle)
	}
	if idle, ok := server.idle.Usual(); ok {
		t.ServerIdle = limit.Seconds(idle)
	}
	if most, _, ok := server.counts.SoleRequests(); ok {
		t.Requests = most
	}
	if low, high, _, ok := server.counts.Age(); ok {
		t.Age = (low + high) / 2
	}
	used := conns[:0:0]
	atOnce, multiplexed := 0, 0
	for _, c := range conns {
		switch {
		case c.folded != nil || c.opaque && c.sealed.tls.Or(trace.TLS{}).Keys != trace.AllKeys:
			l.notKept++
			continue
		case c.requests == 0:
			continue
		}
		used = append(used, c)
		if r := c.end.reason; r == ServerSaysClose || r == ServerClosesAtOnce {
			atOnce++
		}
		if c.multiplexed {
			multiplexed++
			t.Streams = max(t.Streams, c.streams)
		}
	}
	t.Multiplexed = 2*multiplexed > len(used)
	parts := partsOf(used)
	var early map[place]linger.Instant
	early, t.Bound = racesOf(conns)
	for _, c := range used {
		part := parts[c]
		for int(part) >= len(t.Before) {
			t.Before = append(t.Before, 0)
		}
		n := len(t.Wants)
		l.unanswered += wantsOf(c, part, early, &t)
		if len(t.Wants) == n {
			continue
		}
		last := &t.Wants[len(t.Wants)-1]
		last.End, last.Kept = c.endFor(&t, 2*atOnce >= len(used), last.Done)
		if last.End == predict.ClientAtOnce || last.End == predict.ClientFull {
			l.unkept++
		}
		if c.beganBefore {
			l.began++
			t.Before[part]++
		} else {
			t.Observed.Opened++
		}
		if c.inferred {
			l.inferred++
		}
	}
	l.open = mostOpen(used)
	a.setups(&t, used)
	t.Order, l.chained = orderOf(used)
	t.Wants = predict.InOrder(t.Wants)
	return t, l
}

// wantsOf takes in the requests of a connection by when they were wanted. The first one was
// wanted when that was opened, unless it had been opened ahead. Requests that were not answered
// in full are left out, and counted.
func wantsOf(c *conn, part int32, early map[place]linger.Instant, t *predict.Traffic) (lacking int) {
	half := c.distance() / 2
	for i, s := range c.spans {
		if s.sent == never || s.done == never || s.done < s.sent || s.flags&somewhen != 0 {
			lacking++
			continue
		}
		w := predict.Want{At: s.sent.Add(-half), Done: s.done.Add(half), Part: part}
		w.Takes = w.Done.Sub(w.At)
		if i == 0 && !c.beganBefore {
			if w.Ahead = c.price.hidden; !w.Ahead {
				w.At = min(w.At, c.opened.Add(-half))
			}
		}
		if at, ok := early[place{c, i}]; ok {
			w.At = min(w.At, at)
		}
		t.Wants = append(t.Wants, w)
	}
	return lacking
}

// A place is that of a request on its connection.
type place struct {
	c *conn
	i int
}

// racesOf finds the requests for which a connection was opened, and that another one carried,
// which was free before, with when that was. bound says that there are none, and that requests
// waited for their own connections although others became free.
func racesOf(conns []*conn) (early map[place]linger.Instant, bound bool) {
	type freed struct {
		at   linger.Instant
		next place // what came then at once; none has no connection
		by   *conn
	}
	var all []freed
	for _, c := range conns {
		if c.multiplexed || c.folded != nil {
			continue
		}
		for i, s := range c.spans {
			if s.done == never {
				continue
			}
			f := freed{at: s.done, by: c}
			if i+1 < len(c.spans) {
				if gap, ok := s.gap(c.spans[i+1].sent); ok && gap <= c.distance()+atOnceAgain {
					f.next = place{c, i + 1}
				}
			}
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(x, y freed) int { return cmp.Compare(x.at, y.at) })
	early = map[place]linger.Instant{}
	waited := 0
	for _, c := range conns {
		if c.beganBefore || c.multiplexed || c.ready == never {
			continue
		}
		d := c.distance()
		i, _ := slices.BinarySearchFunc(all, c.opened.Add(-d), func(f freed, t linger.Instant) int { return cmp.Compare(f.at, t) })
		for ; i < len(all) && all[i].at < c.ready.Add(-d); i++ {
			_, taken := early[all[i].next]
			switch {
			case all[i].next.c == nil && c.requests > 0 && !c.price.hidden:
				waited++
			case all[i].next.c != nil && !taken && (c.requests == 0 || c.price.hidden):
				early[all[i].next] = c.opened.Add(-d / 2)
				i = len(all)
			}
		}
	}
	return early, waited > len(early)
}

// atOnceAgain is within what time a connection that is free takes a request that waits.
const atOnceAgain = 2 * time.Millisecond

// endFor is how a connection ended as a replay has it, and how long after its last response. What
// a limit explains that is claimed needs no more.
func (c *conn) endFor(t *predict.Traffic, off bool, done linger.Instant) (end predict.End, kept time.Duration) {
	e := &c.end
	if e.at == never {
		return predict.None, 0
	}
	kept = max(0, e.at.Sub(done))
	unless := func(claimed bool, end predict.End) predict.End {
		if claimed {
			return predict.None
		}
		return end
	}
	idle := func(of time.Duration, end predict.End) (predict.End, time.Duration) {
		if of > 0 && limit.Early(e.idle.Seconds(), of.Seconds()) {
			return predict.Otherwise, kept // a process has ended
		}
		return unless(of > 0, end), kept
	}
	switch e.reason {
	case ClientSaysClose, ClientClosesAtOnce:
		return predict.ClientAtOnce, 0
	case ClientPoolFull:
		return predict.ClientFull, 0
	case ClientIdle:
		return idle(t.Idle, predict.ClientIdle)
	case ServerSaysClose, ServerClosesAtOnce:
		if off {
			return predict.ServerAtOnce, 0
		}
		return predict.Otherwise, 0
	case ServerIdle:
		return idle(t.ServerIdle, predict.ServerIdle)
	case Race, StaleReuse:
		return unless(t.ServerIdle > 0, predict.ServerIdle), kept
	case RequestLimit:
		return unless(t.Requests > 0, predict.ServerCount), 0
	case MaxAge:
		return unless(t.Age > 0, predict.ServerAge), kept
	}
	return predict.Otherwise, kept
}

// partsOf tells the pools of one client apart, as of several processes: a connection that was
// opened while one of its pool idled is of another, and so is one of HTTP/2 beside another.
func partsOf(conns []*conn) map[*conn]int32 {
	parts, live := map[*conn]int32{}, [][]*conn{nil}
	for _, c := range conns {
		part, known := parts[c.decision.before]
		if apart := c.multiplexed || c.decision.cause == IdleUnused; apart || !known {
			part = 0
			for ; apart && int(part) < len(live); part++ {
				live[part] = slices.DeleteFunc(live[part], func(o *conn) bool { return o.end.at != never && o.end.at <= c.opened })
				if !slices.ContainsFunc(live[part], func(o *conn) bool { return c.multiplexed || o.idleAt(c.opened) }) {
					break
				}
			}
		}
		if int(part) == len(live) {
			live = append(live, nil)
		}
		parts[c] = part
		if live[part] = append(live[part], c); len(live[part]) > enough {
			live[part] = live[part][1:] // the oldest; it makes hardly a difference
		}
	}
	return parts
}

// idleAt reports whether a connection had been used, and had nothing under way.
func (c *conn) idleAt(t linger.Instant) bool {
	idle := false
	for _, s := range slices.Backward(c.spans) {
		if s.begins() > t {
			continue
		}
		if idle = s.done != never && s.done <= t; !c.multiplexed || !idle {
			break
		}
	}
	return idle
}

// setups takes in how long handshakes took, and which of them resumed sessions.
func (a *Auditor) setups(t *predict.Traffic, conns []*conn) {
	type sum struct {
		all, tcp time.Duration
		n        int
	}
	var kinds [2]sum
	first, later, resumed, old := true, 0, 0, false
	waiting := time.Duration(0)
	for _, c := range conns {
		if c.beganBefore {
			continue
		}
		x, secure := c.sealed.tls.Get()
		kind := 0
		if secure {
			t.Secure = true
			old = old || x.Version == "1.2"
			if x.Resumed {
				kind = 1
				t.Observed.Resumed++
			} else {
				t.Observed.Full++
			}
			if first {
				t.FirstResumed = x.Resumed
			} else {
				later++
				resumed += kind
			}
			first = false
		}
		if !c.price.measured {
			continue
		}
		k := &kinds[kind]
		k.all, k.tcp, k.n = k.all+c.price.waiting, k.tcp+c.price.waiting-c.price.tls, k.n+1
		if !c.price.hidden {
			waiting += c.price.waiting
		}
	}
	if later > 0 {
		t.Share = float64(resumed) / float64(later)
	}
	full, again := kinds[0], kinds[1]
	if t.Measured = full.n+again.n > 0; !t.Measured {
		return
	}
	t.Observed.Waiting = linger.Known(ms(waiting))
	mean := func(k sum) time.Duration { return k.all / time.Duration(max(1, k.n)) }
	t.Full, t.Resumed = mean(full), mean(again)
	switch {
	case full.n == 0:
		t.Full = t.Resumed
	case again.n == 0:
		t.Resumed = t.Full
		if old {
			// "an abbreviated handshake" takes one round trip less (RFC 5246, 7.3).
			t.Resumed -= min(t.Resumed, full.tcp/time.Duration(full.n))
		}
	}
}

// A turn is when a connection is taken by a request, or free again.
type turn struct {
	at   linger.Instant
	c    *conn
	free bool
}

// turnsOf are those of connections, one after the other.
func turnsOf(conns []*conn) (out []turn) {
	for _, c := range conns {
		if c.multiplexed {
			continue
		}
		half := c.distance() / 2
		for _, s := range c.spans {
			if s.begins() != never && s.done != never && s.done >= s.begins() {
				out = append(out, turn{s.begins().Add(-half), c, false}, turn{s.done.Add(half), c, true})
			}
		}
		if c.end.at != never {
			out = append(out, turn{c.end.at, c, false})
		}
	}
	slices.SortStableFunc(out, func(x, y turn) int { return cmp.Compare(x.at, y.at) })
	return out
}

// mostChoices is how many requests are looked at for the order in which connections are taken.
const mostChoices = 10_000

// orderOf is which of several idle connections took requests: the most recently used one, unless
// it was mostly the least recently used. chained counts requests that were sent as soon as the
// only connection was free that was.
func orderOf(conns []*conn) (order policy.Order, chained int) {
	var idle []turn // the latest last
	recent, least := 0, 0
	for _, x := range turnsOf(conns) {
		i := slices.IndexFunc(idle, func(y turn) bool { return y.c == x.c })
		switch {
		case x.free:
			idle = append(idle, x)
			if len(idle) > enough {
				idle = idle[1:]
			}
			continue
		case i < 0:
			continue
		case x.at == x.c.end.at:
		case len(idle) == 1:
			if x.at.Sub(idle[0].at) <= atOnceAgain {
				chained++
			}
		case i == len(idle)-1:
			recent++
		case i == 0:
			least++
		}
		idle = slices.Delete(idle, i, i+1)
		if recent+least > mostChoices {
			break
		}
	}
	if least > recent {
		order = policy.LeastRecent
	}
	return order, chained
}

// mostOpen is how many connections were open at once.
func mostOpen(conns []*conn) (most int) {
	var o overlap
	for _, c := range conns {
		o.events = append(o.events, overlapEvent{c.opened, 1})
		if c.end.at != never {
			o.events = append(o.events, overlapEvent{max(c.opened, c.end.at), -1})
		}
	}
	return o.most()
}
