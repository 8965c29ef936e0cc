package audit

import (
	"math"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit/limit"
	"linger/trace"
)

// An end is how a connection came to its end, and why.
type end struct {
	// at is from when on it could not be used; never where it did not end.
	at     linger.Instant
	reason Cause
	lost   []Cause // reasons that fit, too
	idle   time.Duration
	age    time.Duration
	// exact says that the server ended it by itself after idle, and not when a request
	// came: it had ended before that could have.
	exact  bool
	number int    // requests that it had carried
	code   string // the error by which it was ended
	// others is how many other connections of the pool were idle then, and stayed so.
	others  int
	restart bool
}

// Reaction times of programs. A process that has read its response takes a while to
// exit, and a server to look at what it has sent.
const (
	clientReacts = 100 * time.Millisecond
	serverReacts = 20 * time.Millisecond
	// reacts is how long a program takes to see a packet.
	reacts = time.Millisecond
	// decides is how long a program takes between choosing a connection and sending.
	decides = 5 * time.Millisecond
	// sees is how long it takes from a response's end to the next request.
	sees = 200 * time.Microsecond
)

// trip is the whole round trip of a connection, where it was seen.
func (c *conn) trip() time.Duration { return c.near.Or(0) + c.far.Or(0) }

// distance is the round trip between the place of capture and the client.
func (c *conn) distance() time.Duration {
	if d, ok := c.client.near.Get(); ok {
		return d
	}
	return c.near.Or(0)
}

// remoteness is the round trip between the place of capture and the server, of this
// connection or else the shortest of all to it.
func (c *conn) remoteness() time.Duration {
	if d, ok := c.far.Get(); ok {
		return d
	}
	return c.server.far.Or(0)
}

// conclude finds how and why a connection ended, limits apart.
func (c *conn) conclude() {
	e := &c.end
	*e = end{at: never, number: c.requests}
	if c.class == Streaming {
		if c.closed != never {
			e.at = c.closed
		}
		return
	}
	for _, s := range c.spans {
		if s.flags&(clientSaid|serverSaid) == 0 || s.flags&stream != 0 || c.multiplexed {
			continue
		}
		if s.done != never {
			e.at = s.done
		} else {
			e.at = c.closed
		}
		c.settle(s)
		return
	}
	if b, ok := c.sealed.between.Get(); ok {
		c.cutOff(b)
		return
	}
	switch {
	case c.unansweredSince != never && c.dropped():
		e.at = c.unansweredSince
		e.reason = SilentDrop
		e.idle = c.unansweredSince.Sub(c.idleSince(c.unansweredSince))
		e.age = c.ageAt(e.at)
		return
	case c.leaves():
		return
	case c.closedWith == trace.IdleTimeout:
		c.expire()
		return
	case c.closed == never:
		return
	}
	e.at = c.closed
	since := c.idleSince(c.closed)
	e.idle, e.age = max(0, c.closed.Sub(since)), c.ageAt(c.closed)
	if c.endsSomewhen() {
		return
	}
	open, i := c.outstanding()
	if e.code = c.broke(); e.code != "" {
		e.reason = Failure
		return
	}
	if c.closedBy == trace.AtClient {
		switch {
		case open:
			e.reason = ClientAborts
		case e.idle <= max(c.trip(), c.distance()+clientReacts):
			e.reason = ClientClosesAtOnce
			if c.closedWith == trace.RST && !c.opaque {
				// Who closes with data left unread sends an RST (RFC 1122, 4.2.2.13).
				e.lost = []Cause{ClientAborts}
			}
		default:
			e.reason = ClientIdle
		}
		return
	}
	switch {
	case open:
		c.interrupted(i)
	case e.idle <= max(c.trip(), serverReacts):
		e.reason = ServerClosesAtOnce
	default:
		e.reason = ServerIdle
	}
}

// cutOff is the end of a connection that a device between both ends made, as records of both tell.
func (c *conn) cutOff(b trace.Between) {
	e := &c.end
	e.at = b.At
	e.idle, e.age = max(0, b.At.Sub(c.idleSince(b.At))), c.ageAt(b.At)
	e.reason = EndedBetween
	if b.Act == trace.ActForgot && e.idle >= limit.Idles {
		e.reason = SilentDrop
	}
}

// endsSomewhen finds the end of a connection of which nobody says when it was closed, or when its
// last response had ended: only by whom it was closed is known then, and not whether it had idled.
// It reports whether it is such a one.
func (c *conn) endsSomewhen() bool {
	n := len(c.spans)
	if n == 0 || !c.endsBy && c.spans[n-1].flags&somewhen == 0 {
		return false
	}
	c.end.reason, c.end.lost = Undecided, []Cause{ServerIdle, ServerClosesAtOnce, ServerSaysClose, RequestLimit, MaxAge, Race, StaleReuse, Failure}
	if c.closedBy == trace.AtClient {
		c.end.lost = []Cause{ClientIdle, ClientClosesAtOnce, ClientSaysClose, ClientAborts}
	}
	c.end.idle = 0
	return true
}

// leaves finds the end of a connection on which one side said that it takes no new requests
// (GOAWAY), before either closed it. It reports whether there is one.
func (c *conn) leaves() bool {
	at, by := c.announced, c.announcedBy
	g, seen := c.sealed.goAway.Get()
	if seen {
		at, by = g.At, g.By
	}
	if at == never || !c.mayShare || c.closed != never && c.closed < at {
		return false
	}
	e := &c.end
	e.at, e.age = at, c.ageAt(at)
	working, aborted, crossing, first := c.underWay(at, by)
	e.number = c.requests - crossing
	e.idle = max(0, at.Sub(c.idleSince(first)))
	switch {
	case seen && !inOrder(g.Code):
		e.reason, e.code = Failure, g.Code
	case by == trace.AtClient && aborted:
		e.reason = ClientAborts
	case by == trace.AtClient && working:
		e.reason = ClientSaysClose
	case by == trace.AtClient && e.idle <= max(c.trip(), c.distance()+clientReacts):
		e.reason = ClientClosesAtOnce
	case by == trace.AtClient:
		e.reason = ClientIdle
	case working || aborted || e.idle <= max(c.trip(), serverReacts):
		e.reason = ServerSaysClose
	case crossing > 0:
		e.reason, e.lost, e.exact = Race, []Cause{ServerIdle}, true
		if c.lateAfter(at) {
			e.reason = StaleReuse
		}
	default:
		e.reason = ServerIdle
	}
	return true
}

// underWay reports whether requests were under way as a side took leave, whether some of them were
// given up, and how many had left when that had not come to the client, or the server would not
// take them any more: nothing ever answers those. first is when the first of them left, or at.
func (c *conn) underWay(at linger.Instant, by trace.Peer) (working, aborted bool, crossing int, first linger.Instant) {
	late := at
	first = at
	if by == trace.AtServer {
		late = at.Add(-c.remoteness() - reacts) // what passes here by then comes to the server in time
	}
	for i := len(c.spans) - 1; i >= 0; i-- {
		s := c.spans[i]
		given := s.done == never || s.flags&dropped != 0
		switch {
		case s.begins() > late && s.first == never && given:
			crossing, first = crossing+1+int(s.more), min(first, s.begins())
		case s.begins() >= at:
		case c.dangling == 0 && s.begins().Add(c.longest) <= at:
			return working, aborted, crossing, first
		case s.done == never || s.flags&dropped != 0 && s.done >= at:
			aborted = true
		case s.done > at:
			working = true
		}
	}
	return working, aborted, crossing, first
}

// lateAfter reports whether the last request left the client when it must have known that the
// server had taken leave.
func (c *conn) lateAfter(at linger.Instant) bool {
	s := c.spans[len(c.spans)-1]
	return s.begins().Sub(at) > c.distance()+reacts
}

// codeOf is the name of an error with which the reason of an end begins: "FLOW_CONTROL_ERROR".
func codeOf(reason string) string {
	first, _, _ := strings.Cut(reason, " ")
	first = strings.Trim(first, ":,;()")
	if !strings.Contains(first, "_") || strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return strings.Clone(first)
}

// inOrder reports whether the code of a GOAWAY or a CONNECTION_CLOSE is of an end in order
// (RFC 9113, 7; RFC 9114, 8.1; RFC 9000, 20.1).
func inOrder(code string) bool {
	return code == "" || strings.Contains(code, "NO_ERROR") || strings.Contains(code, "IDLE")
}

// broke returns the name of the error by which one side ended the connection; empty is none.
func (c *conn) broke() string {
	t := c.sealed.tls.Or(trace.TLS{})
	switch t.Alert {
	case "", "close_notify", "user_canceled", "no_renegotiation", "unrecognized_name": // no errors, or warnings
	default:
		return t.Alert
	}
	if c.closedWith == trace.ConnectionClose && !inOrder(c.sealed.reason) {
		return c.sealed.reason
	}
	return ""
}

// expire is the end of a connection of QUIC that nobody sent anything on for so long that both
// sides let go of it: "the idle timeout is the minimum of the values advertised by both endpoints"
// (RFC 9000, 10.1). IdleLimit is the server's where that is the shorter one.
func (c *conn) expire() {
	e := &c.end
	limited, servers := c.sealed.idleLimit.Get()
	if e.at = c.closed; e.at == never {
		if !servers || c.last == never {
			return
		}
		e.at = c.last.Add(limited)
	}
	e.age = c.ageAt(e.at)
	e.idle = max(0, e.at.Sub(c.idleSince(e.at)))
	e.reason = ClientIdle
	if servers {
		e.reason = ServerIdle
	}
	if open, i := c.outstanding(); open {
		e.reason = Failure
		if s := c.spans[max(0, i)]; i > 0 && s.first == never && s.sent != never {
			since := c.idleSince(s.sent)
			if s.sent.Sub(since) >= limit.Idles {
				e.reason, e.at, e.idle = SilentDrop, s.sent, s.sent.Sub(since)
			}
		}
	}
}

// settle is the end of a connection whose exchange said that it would be.
func (c *conn) settle(s span) {
	e := &c.end
	if s.done == never && c.closed != never {
		// The body went on until the close.
		e.age = c.ageAt(c.closed)
	} else if s.done != never {
		e.age = c.ageAt(s.done)
		if s.first != never && s.flags&clientSaid == 0 {
			e.age = c.ageAt(s.first) // it had been decided by then
		}
	}
	e.idle = 0
	if s.flags&clientSaid != 0 {
		e.reason = ClientSaysClose
		if s.flags&serverSaid != 0 {
			e.lost = append(e.lost, ServerSaysClose)
		}
		return
	}
	e.reason = ServerSaysClose
}

// dropped reports whether the data that was never answered followed upon idling.
func (c *conn) dropped() bool {
	for i := len(c.spans) - 1; i >= 0; i-- {
		s := c.spans[i]
		if s.done != never {
			return c.unansweredSince.Sub(s.done) >= limit.Idles
		}
		if s.sent == never || c.unansweredSince < s.sent {
			continue
		}
		if s.first != never {
			return false // it was answered in part
		}
	}
	if c.opaque {
		return false
	}
	return c.ready != never && c.unansweredSince.Sub(c.ready) >= limit.Idles
}

// outstanding reports whether an exchange had been begun and had not ended when the
// connection was closed, and which.
func (c *conn) outstanding() (bool, int) {
	for i := len(c.spans) - 1; i >= 0; i-- {
		s := c.spans[i]
		switch {
		case s.done == never, s.done > c.closed && s.first != never && s.done.Sub(c.closed) > 0:
			return true, i
		}
	}
	return c.opaque && c.closedWith == trace.RST && c.outUp > 0, -1
}

// interrupted is the end of a connection that the server closed when something was
// outstanding.
func (c *conn) interrupted(i int) {
	e := &c.end
	e.reason = Failure
	if i < 0 || c.spans[i].first != never || i == 0 {
		return // a response that was cut short, or the first one
	}
	s, previous := c.spans[i], c.spans[i-1].done
	if c.multiplexed {
		if previous = c.idleSince(s.begins()); c.dangling > 1 {
			return // more was outstanding than one request that crossed
		}
	}
	if s.sent == never || previous == never {
		return
	}
	idle := s.sent.Sub(previous)
	if idle <= serverReacts {
		return
	}
	// The server sent its FIN at closed - far/2, and the request came to it at sent +
	// far/2: had it come before, it would have been read. The FIN came to the client at
	// closed + near/2, and the request left it at sent - near/2.
	far, near, late := c.remoteness(), c.distance(), reacts
	if idle >= limit.Idles {
		late = serverReacts // it had it, and its limit was over before it looked
	}
	switch {
	case c.closed.Sub(s.sent) > far+late:
		return
	case s.sent.Sub(c.closed) <= near+reacts:
		e.reason, e.lost = Race, []Cause{ServerIdle}
	default:
		e.reason, e.lost = StaleReuse, []Cause{ServerIdle}
	}
	e.idle = max(0, c.closed.Sub(previous))
	// Round trips are not all as long, and a busy server is slow to answer a SYN: the shortest
	// one tells whether the request had come to it.
	least := min(far, c.server.far.Or(far))
	e.exact = c.closed.Sub(s.sent) < least-least/8-reacts
	// It could not be used from when the server ended it.
	e.at = min(c.closed, s.sent)
}

// A closing is a connection that a server ended.
type closing struct {
	at   linger.Instant
	conn *conn
}

// mostRestarts bounds the restarts of a server that are remembered.
const mostRestarts = 64

// togetherness is within what time a restart ends connections.
const togetherness = time.Second

// restarts marks the connections that a restart of the server ended: "at least three of
// one server, of different idle times and ages".
func (h *host) restarts() {
	slices.SortStableFunc(h.closings, func(a, b closing) int { return int(max(-1, min(1, a.at-b.at))) })
	for i := 0; i < len(h.closings); {
		j := i + 1
		for j < len(h.closings) && h.closings[j].at.Sub(h.closings[i].at) <= togetherness {
			j++
		}
		// What was opened after the first had ended was opened to the server that came then.
		first := h.closings[i].at
		group := slices.DeleteFunc(slices.Clone(h.closings[i:j]), func(c closing) bool { return c.conn.opened > first })
		if len(group) >= 3 && various(group) {
			for _, c := range group {
				c.conn.end.restart = true
			}
			if n := len(h.restarted); n == 0 || first.Sub(h.restarted[n-1]) > togetherness {
				h.restarted = append(h.restarted[max(0, n-mostRestarts):], first)
			}
			i = j
			continue
		}
		i++
	}
}

// various reports whether neither idle times nor ages are mostly the same, nor an idle limit
// and a limit of requests explain most of it together.
func various(group []closing) bool {
	var idle, age, idled []float64
	numbers, same := map[int]int{}, 0
	for _, c := range group {
		e := &c.conn.end
		idle, age = append(idle, e.idle.Seconds()), append(age, e.age.Seconds())
		if e.reason == ServerIdle {
			idled = append(idled, e.idle.Seconds())
			continue
		}
		numbers[e.number]++
		same = max(same, numbers[e.number])
	}
	return 2*alike(idle) <= len(group) && 2*alike(age) <= len(group)+1 && 2*(alike(idled)+same) <= len(group)+1
}

// alike is how many of the values are the same but for the uncertainty of each, at most.
func alike(values []float64) int {
	slices.Sort(values)
	most, from := 0, 0
	for i := range values {
		for values[i]-values[from] > max(0.1, 0.02*values[i]) {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// explain gives the reason of an end in which a limit or a restart takes part.
func (c *conn) explain() {
	e := &c.end
	if e.at == never || c.class != Requests {
		return
	}
	by := func(reason Cause) {
		e.lost = append(e.lost, e.reason)
		e.reason = reason
	}
	switch e.reason {
	case ServerSaysClose, ServerClosesAtOnce, ServerIdle:
	case ClientSaysClose:
		return
	default:
		return
	}
	switch counts := c.server.counts; {
	case e.restart:
		by(Restart)
	case e.reason != ServerIdle && !c.beganBefore && counts.IsRequests(e.number):
		by(RequestLimit)
	case !c.beganBefore && counts.IsAge(e.age, e.reason == ServerIdle):
		by(MaxAge)
	}
}

// learn counts what a connection tells of the limits of both its sides. It is called when
// restarts have been found, and again when more is known.
func (c *conn) learn(ended linger.Instant) {
	if c.class != Requests || c.opaque && c.beganBefore {
		return
	}
	if !c.carried() && !c.stillOpen {
		if c.end.at != never {
			c.server.counts.Oldest = max(c.server.counts.Oldest, c.end.at.Sub(c.opened))
		}
		return // how long the first request may take is another limit
	}
	server, client := c.server.limits(), c.client.limits()
	spans, over := c.spans, never
	for i, s := range spans[:max(0, len(spans)-1)] {
		next := spans[i+1].sent
		if over = max(over, s.done); c.multiplexed && s.done != never {
			s.done = over // others began before and were under way for longer
		}
		gap, ok := s.gap(next)
		if !ok {
			continue
		}
		if c.closed != never && c.closed > s.done && c.closed < next {
			continue // it had ended before it was used again
		}
		server.Survive(gap)
		client.Survive(c.atClient(gap))
		server.Used, client.Used = max(server.Used, gap.Seconds()), max(client.Used, c.atClient(gap).Seconds())
		c.server.counts.SurvivedAge = max(c.server.counts.SurvivedAge, c.keptAt(s))
	}
	c.learnFolded()
	if !c.beganBefore && len(spans) > 1 {
		c.server.counts.Exceeded = max(c.server.counts.Exceeded, c.end.number-1)
	}
	if c.maxSaid > 0 {
		c.server.counts.Said = c.maxSaid
	}
	e := &c.end
	last := c.idleSince(linger.Instant(math.MaxInt64))
	if e.reason != ServerSaysClose && e.reason != ServerClosesAtOnce && e.reason != ClientSaysClose && len(spans) > 0 {
		// Its last response did not end it.
		c.server.counts.SurvivedAge = max(c.server.counts.SurvivedAge, c.keptAt(spans[len(spans)-1]))
	}
	if e.at != never {
		c.server.counts.Oldest = max(c.server.counts.Oldest, e.at.Sub(c.opened))
	}
	switch {
	case e.restart:
		return
	case e.at == never:
		if c.stillOpen && ended > last {
			server.Survive(ended.Sub(last))
			client.Survive(c.atClient(ended.Sub(last)))
			c.server.counts.Oldest = max(c.server.counts.Oldest, ended.Sub(c.opened))
			if !c.beganBefore {
				c.server.counts.Exceeded = max(c.server.counts.Exceeded, c.requests)
			}
		}
		return
	}
	if !c.carried() {
		return // how long the first request may take is another limit
	}
	switch e.reason {
	case ServerIdle:
		server.End(e.at, e.idle)
		client.Survive(c.atClient(e.idle))
		c.timed()
	case Race, StaleReuse:
		client.Survive(c.atClient(e.idle)) // it would have used it
		if e.exact {
			server.End(c.closed, e.idle)
		}
	case ClientIdle:
		client.End(e.at, c.atClient(e.idle))
		server.Survive(e.idle)
		if !c.beganBefore {
			c.server.counts.Exceeded = max(c.server.counts.Exceeded, c.requests)
		}
	case ClientClosesAtOnce, ClientPoolFull:
		server.Survive(e.idle)
		if !c.beganBefore {
			c.server.counts.Exceeded = max(c.server.counts.Exceeded, c.requests)
		}
	case ServerSaysClose, ServerClosesAtOnce:
		if !c.beganBefore && e.number > 0 {
			c.server.counts.End(e.number, e.age)
		}
		c.timed()
	}
}

// learnFolded counts the gaps between exchanges that were folded: each that is kept stands for
// as many as were not.
func (c *conn) learnFolded() {
	f := c.folded
	if f == nil || f.gaps.N == 0 {
		return
	}
	server, client := c.server.limits(), c.client.limits()
	for i := range f.gaps.N {
		g := f.longest
		if i > 0 && len(f.gaps.Kept) > 0 {
			g = f.gaps.Kept[i*len(f.gaps.Kept)/f.gaps.N]
		}
		server.Survive(limit.Seconds(g))
		client.Survive(c.atClient(limit.Seconds(g)))
	}
	server.Used, client.Used = max(server.Used, f.longest), max(client.Used, c.atClient(limit.Seconds(f.longest)).Seconds())
	if c.established != never && f.kept != never {
		c.server.counts.SurvivedAge = max(c.server.counts.SurvivedAge, f.kept.Sub(c.established))
	}
}

// atClient is how long the client has been idle when a response passed and, so much later,
// what the client sent: both had the way between here and the client to go.
func (c *conn) atClient(gap time.Duration) time.Duration { return max(0, gap-c.distance()) }

// timed counts the age at which the server ended the connection.
func (c *conn) timed() {
	if !c.beganBefore {
		c.server.counts.Timed.Add(c.end.age.Seconds())
		c.server.counts.Trip = max(c.server.counts.Trip, c.trip())
		c.server.counts.TimedIdle.Add(c.end.idle.Seconds())
	}
}
