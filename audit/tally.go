package audit

import (
	"cmp"
	"slices"
	"time"

	"linger"
	"linger/audit/handshake"
	"linger/audit/inference"
	"linger/audit/limit"
	"linger/audit/predict"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// A Row is one connection with the reason why it was opened.
type Row struct {
	ID             int64
	Stream         linger.Opt[int64] // tcp.stream or udp.stream
	UDP            bool
	Client, Server string
	Name           string
	Protocol       linger.Protocol
	Class          Class
	BeganBefore    bool
	StillOpen      bool
	Opened         linger.Instant
	Lasted         linger.Opt[time.Duration]
	Requests       int
	Cause          Cause // empty where its beginning was not seen
	Certainty      Certainty
	Lost           []Cause // reasons that fit, too
	// Before is the connection whose place it took, or which was idle; -1 is none.
	Before       int64
	BeforeStream linger.Opt[int64]
	// Gap is for how long that one had been idle: when it ended, or when this one was
	// opened.
	Gap        linger.Opt[time.Duration]
	ClosedBy   trace.Peer
	ClosedWith trace.Signal
	End        Cause // why it ended; empty where it did not
	Waiting    linger.Opt[time.Duration]
	Hidden     bool
	// TLS is the version, ALPN what was chosen by it (where not known, empty), Keys how much
	// could be decrypted.
	TLS         string
	ALPN        string
	Resumed     linger.Opt[bool]
	Keys        trace.Keys
	Turns       linger.Opt[int64]
	Frames      trace.Frames
	ClosedFrame int64
}

// An amount is what connections of a kind come to.
type amount struct {
	connections, sure int
	waiting           time.Duration
	measured, hidden  int
	trips             float64
	packets, bytes    int64
	timeWait          [2]int // at client, at server
	evidence          []evidence
	gaps              limit.Values
	between           int
	resets            int          // of the client, behind a whole response
	shared            int          // the one before had requests under way
	credentials       int          // carried some, and could have been coalesced all the same
	codes             []agentCount // by which those before were ended in error
	agents            []agentCount
	slow              saving
	carried           carried // by those before that the server ended with a response
}

// carried is how many requests the connections had that a server ended with a response: where
// each had several, it does keep connections.
type carried struct{ connections, least, most int }

// add counts the one before, unless its requests are encrypted or began before the recording.
func (r *carried) add(c *conn) {
	if c.beganBefore || c.opaque || c.end.number == 0 {
		return
	}
	if r.connections == 0 || c.end.number < r.least {
		r.least = c.end.number
	}
	r.connections, r.most = r.connections+1, max(r.most, c.end.number)
}

// several reports whether each of so many connections is known to have had more than one.
func (r carried) several(connections int) bool { return r.connections == connections && r.least > 1 }

// An agentCount is how many connections a program opened, by what it calls itself.
type agentCount struct {
	name string
	n    int
}

// mostAgents bounds the programs that are told apart.
const mostAgents = 4

// saw counts a name in a list: a program that opened a connection, a code.
func saw(list []agentCount, name string) []agentCount {
	if name == "" {
		return list
	}
	for i := range list {
		if list[i].name == name {
			list[i].n++
			return list
		}
	}
	if len(list) < mostAgents {
		list = append(list, agentCount{name, 1})
	}
	return list
}

// mostly is the name that was counted most often.
func mostly(list []agentCount) string {
	var most agentCount
	for _, a := range list {
		if a.n > most.n {
			most = a
		}
	}
	return most.name
}

type evidence struct {
	stream, before linger.Opt[int64]
	udp            bool
	frames         trace.Frames
	closed         int64 // frame in which the one before ended
}

// Shown is how many connections a finding names at most, as evidence: the first.
const Shown = 8

func (m *amount) add(c *conn) {
	m.connections++
	m.agents = saw(m.agents, c.agent)
	if c.decision.shared {
		m.shared++
	}
	if c.decision.cause == NotCoalesced && c.credentials {
		m.credentials++
	}
	if b := c.decision.before; b != nil && c.decision.cause == Failure {
		m.codes = saw(m.codes, b.end.code)
	}
	if c.decision.certainty == Certain || c.decision.certainty == Proven {
		m.sure++
	}
	if b := c.decision.before; b != nil && c.decision.cause == ClientClosesAtOnce && b.closedWith == trace.RST {
		m.resets++
	}
	if p := c.price; p.hidden {
		m.hidden++
	} else if p.measured {
		m.waiting += p.waiting
		m.measured++
		m.trips += p.trips
	}
	m.slow.add(c)
	m.packets += c.price.packets
	m.bytes += c.price.bytes
	switch c.price.timeWait {
	case trace.AtClient:
		m.timeWait[0]++
	case trace.AtServer:
		m.timeWait[1]++
	}
	if c.decision.between {
		m.between++
	}
	if b := c.decision.before; b != nil {
		m.gaps.Add(c.opened.Sub(b.idleSince(c.opened)).Seconds())
		if c.decision.cause == ServerSaysClose || c.decision.cause == ServerClosesAtOnce {
			m.carried.add(b)
		}
	}
	if len(m.evidence) < Shown {
		e := evidence{stream: c.stream, udp: c.udp, frames: c.frames}
		if b := c.decision.before; b != nil {
			e.before, e.closed = b.stream, b.closedFrame
		}
		m.evidence = append(m.evidence, e)
	}
}

// usualGap is how long the connections before had been idle, but for one of twenty.
func (m *amount) usualGap() (time.Duration, bool) {
	if len(m.gaps.Kept) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(m.gaps.Kept))
	return limit.Seconds(sorted[len(sorted)*19/20]), true
}

// A group is what is counted of an origin or a client.
type group struct {
	connections, exchanges, first int
	began, open                   int
	waiting, exchanging           time.Duration
	causes                        map[Cause]*amount
	peak                          int
	software, agent               string
	opaque                        int
	whatIf                        WhatIf
	handshakes                    handshake.Sum
	resumption                    map[handshake.Outcome]*resumption
}

type groupKey struct{ name, server string }

// tally is what there is so far of all.
type tally struct {
	all      group
	origins  map[groupKey]*group
	clients  map[groupKey]*group
	requests stats.Histogram
	buckets  [4]int // connections with 1, 2 to 9, 10 to 99, 100 requests and more
	checks   map[checkKey]bool

	checkConnections, checkExchanges   int
	streamConnections, streamExchanges int
	datagramFlows, datagramExchanges   int
	unplaced, filtered, settled        int64
	forgotten, loose                   int // pools that were let go of; connections that were summed up where it mattered
	missing                            int64
	gappy, oneWay, opaque, beganBefore int
	stillOpen, young, noTrip           int
	near, far                          limit.Values
	places                             [places]int64
	coalesced                          Coalesced
	secure                             handshake.Sum
	inference                          inference.Sums
	whatIf                             trials
	protocols                          map[linger.Protocol]int
}

// mostGroups bounds the tables; what is beyond is summed up in one group without a name.
const mostGroups = 20_000

func (t *tally) init() {
	t.origins, t.clients = map[groupKey]*group{}, map[groupKey]*group{}
	t.checks, t.protocols = map[checkKey]bool{}, map[linger.Protocol]int{}
	t.all.causes = map[Cause]*amount{}
}

func in(groups map[groupKey]*group, k groupKey) *group {
	g := groups[k]
	if g == nil {
		if len(groups) >= mostGroups {
			k = groupKey{}
			if g = groups[k]; g != nil {
				return g
			}
		}
		g = &group{causes: map[Cause]*amount{}}
		groups[k] = g
	}
	return g
}

// count takes a connection whose cause is decided into the tables.
func (a *Auditor) count(c *conn) {
	t, d := &a.tally, &c.decision
	if d.before != nil && d.cause != IdleUnused && d.cause != Undecided && d.cause != NotCoalesced {
		d.cause, d.lost = d.before.end.reason, d.before.end.lost // as it was resolved since
	}
	if d.cause == "" && !c.beganBefore && c.class == Requests {
		d.cause = Undecided
	}
	if a.config.Each != nil {
		a.config.Each(c.row())
	}
	t.protocols[cmp.Or(c.protocol, "other")]++
	a.countSecure(c)
	switch c.class {
	case Check:
		t.checkConnections++
		t.checkExchanges += c.requests
		return
	case Streaming:
		t.streamConnections++
		t.streamExchanges += c.requests
		return
	case Datagrams:
		t.datagramFlows++
		t.datagramExchanges += c.requests
		return
	}
	if c.folded != nil && c.folded.loose {
		t.loose++
	}
	if !c.oneWay {
		t.missing += c.missing
	}
	for _, one := range []struct {
		is bool
		n  *int
	}{
		{c.missing > 0 && !c.oneWay, &t.gappy}, {c.oneWay, &t.oneWay}, {c.opaque, &t.opaque}, {c.beganBefore, &t.beganBefore},
		{c.stillOpen, &t.stillOpen}, {d.cause == First && d.certainty == Likely, &t.young}, {c.near.IsZero() && a.config.At != trace.AtClient && !c.beganBefore && !c.udp && !c.inner && c.carried(), &t.noTrip},
	} {
		if one.is {
			*one.n++
		}
	}
	if near, ok := c.near.Get(); ok {
		t.near.Add(near.Seconds())
	}
	if far, ok := c.far.Get(); ok {
		t.far.Add(far.Seconds())
	}
	origin := in(t.origins, a.originOf(c.name, c.server))
	client := in(t.clients, groupKey{c.client.name, ""})
	for _, g := range []*group{&t.all, origin, client} {
		g.add(c)
	}
	origin.software = cmp.Or(origin.software, c.software)
	client.agent = cmp.Or(client.agent, c.agent)
	if c.beganBefore || c.requests == 0 {
		return
	}
	t.requests.Add(int64(c.requests), 1)
	switch {
	case c.requests == 1:
		t.buckets[0]++
	case c.requests < 10:
		t.buckets[1]++
	case c.requests < 100:
		t.buckets[2]++
	default:
		t.buckets[3]++
	}
}

func (g *group) add(c *conn) {
	g.connections++
	if c.opaque {
		g.opaque++
	}
	if c.stillOpen {
		g.open++
	}
	for _, s := range c.spans {
		if lasted := s.lasted(); lasted > 0 {
			g.exchanging += lasted + c.distance() // the client's way to here and back
		}
	}
	if c.folded != nil {
		g.exchanging += c.folded.exchanged + time.Duration(c.folded.whole)*c.distance()
	}
	if c.beganBefore {
		g.began++
		return
	}
	if c.requests > 0 {
		g.exchanges += c.requests
		g.first++
	}
	if !c.price.hidden {
		g.waiting += c.price.waiting
	}
	m := g.causes[c.decision.cause]
	if m == nil {
		m = &amount{}
		g.causes[c.decision.cause] = m
	}
	m.add(c)
}

func (c *conn) row() Row {
	d := c.decision
	r := Row{
		ID: c.id, Stream: c.stream, UDP: c.udp, Client: c.client.name, Server: c.server.name, Name: c.name, Protocol: c.protocol, Class: c.class,
		BeganBefore: c.beganBefore, StillOpen: c.stillOpen, Opened: c.opened, Requests: c.requests, Cause: d.cause, Certainty: d.certainty, Lost: d.lost,
		Before: -1, ClosedBy: c.closedBy, ClosedWith: c.closedWith, End: c.end.reason, Hidden: c.price.hidden, Frames: c.frames, ClosedFrame: c.closedFrame,
	}
	if t, ok := c.sealed.tls.Get(); ok && t.Version != "" {
		r.TLS, r.ALPN, r.Keys = t.Version, t.ALPN, t.Keys
		if !c.beganBefore {
			r.Resumed = linger.Known(t.Resumed)
		}
	}
	r.Turns = c.sealed.turns
	if c.class != Requests {
		r.Cause, r.Certainty, r.Lost = "", "", nil
	}
	if c.closed != never {
		r.Lasted = linger.Known(c.closed.Sub(c.opened))
	}
	if c.price.measured {
		r.Waiting = linger.Known(c.price.waiting)
	}
	if b := d.before; b != nil && c.class == Requests {
		r.Before, r.BeforeStream, r.Gap = b.id, b.stream, linger.Known(d.gap)
	}
	return r
}

// An overlap counts what is under way at once.
type overlap struct{ events []overlapEvent }

type overlapEvent struct {
	at linger.Instant
	by int
}

// add takes in exchanges, but for those that were folded.
func (o *overlap) add(spans []span) {
	for _, s := range spans {
		if s.more == 0 && s.flags&somewhen == 0 && s.begins() != never && s.done != never && s.done >= s.begins() {
			o.events = append(o.events, overlapEvent{s.begins(), 1}, overlapEvent{s.done, -1})
		}
	}
}

// most is how many were under way at once.
func (o *overlap) most() int {
	slices.SortFunc(o.events, func(x, y overlapEvent) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.by, y.by)) })
	n, most := 0, 0
	for _, e := range o.events {
		n += e.by
		most = max(most, n)
	}
	return most
}

// inPools are the connections for requests, by pool.
func inPools(now []*conn) map[*pool][]*conn {
	byPool := map[*pool][]*conn{}
	for _, c := range now {
		if c.pool != nil && c.class == Requests {
			byPool[c.pool] = append(byPool[c.pool], c)
		}
	}
	return byPool
}

// peaks finds how many exchanges were under way at once in each pool.
func (a *Auditor) peaks(byPool map[*pool][]*conn) {
	for p, conns := range byPool {
		var seen overlap
		for _, c := range conns {
			seen.add(c.spans)
			if c.folded != nil {
				p.peak = max(p.peak, c.folded.peak)
			}
		}
		p.peak = max(p.peak, seen.most())
		for _, g := range []*group{in(a.tally.origins, a.originOf(p.label, p.key.server)), in(a.tally.clients, groupKey{p.key.client.name, ""}), &a.tally.all} {
			g.peak = max(g.peak, p.peak)
		}
	}
}

// priceOf is an amount as findings have it.
func (m *amount) priceOf(atMost bool) finding.Price {
	p := finding.Price{
		Connections: linger.Known(float64(m.connections)), Packets: linger.Known(float64(m.packets)), Bytes: linger.Known(float64(m.bytes)),
		TimeWait: linger.Known(float64(m.timeWait[0] + m.timeWait[1])), AtMost: atMost, Known: string(trace.Observed),
	}
	if m.measured > 0 {
		p.Waiting, p.RoundTrips = linger.Known(float64(m.waiting)/1e6), linger.Known(m.trips)
	}
	return p
}

// slowStart is what the connection's first response would have taken less on the one before,
// where that and the round trip are known.
func (c *conn) slowStart() (low, high time.Duration, ok bool) {
	b, trip := c.decision.before, c.trip()
	if b == nil || c.near.IsZero() || c.far.IsZero() || trip == 0 {
		return 0, 0, false
	}
	return predict.SlowStart(c.firstSize, predict.Earlier{First: b.firstSize, Carried: b.carriedDown, Idled: c.opened.Sub(b.idleSince(c.opened))}, trip)
}

// A saving is a sum of predictions.
type saving struct {
	low, high time.Duration
	n         int
}

func (s *saving) add(c *conn) {
	if low, high, ok := c.slowStart(); ok {
		s.low, s.high, s.n = s.low+low, s.high+high, s.n+1
	}
}

// figure is the saving with what it is based on in its name.
func (s *saving) figure() finding.Figure {
	return finding.Figure{Name: "slow_start_predicted", Unit: "ms",
		Interval: linger.Known(finding.Interval{Low: linger.Known(ms(s.low)), High: linger.Known(ms(s.high)), N: s.n})}
}

// A Found is a request that was looked for.
type Found struct {
	trace.Exchange
	On linger.Opt[Row] // the connection that it was on, if that was looked at
}
