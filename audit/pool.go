package audit

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit/limit"
	"linger/trace"
)

// A poolKey is what connections may be shared by: client, destination and name, and what sets
// them apart: the transport, and for browsers credentials.
type poolKey struct {
	client, server *host
	name           string
	udp            bool
	bare           bool // requests have no credentials, where that matters
}

// A pool is the connections that may be shared, as far as decisions still need them.
type pool struct {
	key poolKey
	// label is the name of its first connection.
	label string
	// live are those that are not known to have ended before the last decision, ended
	// those that have, and whose place none has taken, in the order in which they ended.
	live, ended []*conn
	next        linger.Instant // none of live has ended before
	began       bool           // a connection with an exchange has been seen to begin, or was there

	// full are the ends of connections that the client closed at once, by how many others
	// stayed idle then; atOnce are those ends.
	atOnce []*conn
	full   map[int]int

	peak int // most exchanges under way at once
}

// mostEnded bounds the ended connections of a pool whose place may still be taken. The
// youngest are taken first.
const mostEnded = 64

// enough connections of a pool are looked at where one of them was idle and turned out to be
// alive: which of more it was makes no difference to the cause.
const enough = 256

// A state is what a connection of a pool is at an instant.
type state uint8

const (
	gone state = iota
	idle
	busy
	unclear
)

// at is the connection's state at an instant, as the client saw it when a SYN passed
// then. between says that something lay within the client's round trip of it.
func (c *conn) at(s linger.Instant) (is state, between bool) { return c.chosenBy(s, s.Add(decides)) }

// chosenBy is at, where what is asked on the connection until an instant had chosen it
// before the SYN.
func (c *conn) chosenBy(s, until linger.Instant) (is state, between bool) {
	seen := s.Add(-c.distance()) // what the server sent by then had come to the client
	switch {
	case c.end.at != never && c.end.at <= s:
		return gone, c.end.at > seen && c.end.reason != ClientIdle
	case c.class == Streaming:
		return busy, false
	}
	ready := c.ready
	if c.beganBefore {
		ready = c.opened
	}
	if ready == never || ready > seen {
		return busy, false // it is being opened
	}
	if c.opaque {
		if c.last != never && c.last <= seen {
			return idle, false
		}
		return unclear, false
	}
	if c.multiplexed {
		is, between, _ = c.takes(s, seen, until)
		if is == idle && c.ending(s) {
			return gone, false
		}
		return is, between
	}
	began := false
	for i := len(c.spans) - 1; i >= 0; i-- {
		b := c.spans[i]
		switch {
		case b.begins() > until:
			continue
		case b.begins() > s:
			return busy, false // it was chosen already
		case b.more > 0 && b.done > s, b.flags&somewhen != 0 && (b.done == never || b.done > s):
			return unclear, false // it had something to do now and then
		case b.done == never, b.done > s:
			return busy, false
		case b.done > seen.Add(-sees):
			return busy, b.done <= s
		}
		began = true
		break
	}
	if c.beganBefore && !began {
		return unclear, false // what had been asked before it was seen is not known
	}
	if c.ending(s) {
		return gone, false
	}
	if c.endsBy && (len(c.spans) == 0 || c.spans[len(c.spans)-1].begins() <= s) {
		return unclear, false // it may have been closed already
	}
	return idle, false
}

// ending reports whether an idle connection was of no use to a client at an instant: it looks at
// its limit when it needs a connection, and one that resets has not read what it was sent.
func (c *conn) ending(s linger.Instant) bool {
	e := &c.end
	return e.reason == ClientIdle && e.at <= s.Add(decides) ||
		e.reason == ClientClosesAtOnce && e.at != never && (e.at <= s.Add(decides) || c.closedWith == trace.RST)
}

// unlimited is how many requests a server takes at once of which that is not known: "it is
// recommended that this value be no smaller than 100" (RFC 9113, 6.5.2).
const unlimited = 100

// takes is what a multiplexed connection is at an instant: idle as long as it takes one request
// more, busy where as many are under way as the server allows at once. shared says that some were.
func (c *conn) takes(s, seen, until linger.Instant) (is state, between, shared bool) {
	surely, most := 0, 0
	for i := len(c.spans) - 1; i >= 0; i-- {
		b := c.spans[i]
		if b.begins() > until {
			continue
		}
		if c.dangling == 0 && b.begins().Add(c.longest) <= seen.Add(-sees) {
			break
		}
		switch {
		case (b.more > 0 || b.flags&somewhen != 0) && b.done > seen.Add(-sees):
			most += 1 + int(b.more) // now and then
		case b.begins() > s, b.done == never, b.done > s:
			surely++
		case b.done > seen.Add(-sees):
			most++ // the client may have known or not
			between = true
		}
	}
	most += surely
	allowed := c.streams
	if allowed == 0 {
		allowed = unlimited
	}
	switch {
	case most < allowed:
		return idle, false, most > 0
	case c.streams == 0 || !between && surely < allowed:
		return unclear, false, true
	}
	return busy, between, true
}

// aliveAfter reports whether the connection was seen to be usable after an instant: it carried
// an exchange, answered a probe, or was closed in order.
func (c *conn) aliveAfter(s linger.Instant) bool {
	for i := len(c.spans) - 1; i >= 0; i-- {
		b := c.spans[i]
		if b.begins() > s && b.first != never || c.multiplexed && b.done > s && b.flags&dropped == 0 {
			return true
		}
		if b.begins() <= s && (!c.multiplexed || b.begins().Add(c.longest) <= s) {
			break
		}
	}
	if c.alive != never && c.alive > s {
		return true
	}
	if c.opaque && c.mayShare {
		return false // it may have taken leave before, which nobody can read
	}
	if c.closed != never && c.closed > s && c.closedWith == trace.ConnectionClose {
		return c.closedBy == trace.AtServer
	}
	return c.closed != never && c.closed > s && c.closedWith == trace.FIN && c.unansweredSince == never && (c.closedBy == trace.AtServer || c.released != never)
}

// ends is when at may first say of the connection that it is gone.
func (c *conn) ends() linger.Instant {
	switch {
	case c.end.at == never:
		return linger.Never
	case c.closedWith == trace.RST:
		return math.MinInt64 // it may have been of no use before
	}
	return c.end.at
}

// advance moves what has ended by an instant out of the live connections.
func (p *pool) advance(s linger.Instant) {
	if s.Add(decides) < p.next {
		return // as nearly always where many are open
	}
	kept := p.live[:0]
	p.next = linger.Never
	var over []*conn
	for _, c := range p.live {
		if is, _ := c.at(s); is != gone {
			kept = append(kept, c)
			p.next = min(p.next, c.ends())
			continue
		}
		over = append(over, c)
	}
	before := slices.Clone(over)
	clear(p.live[len(kept):])
	p.live = kept
	slices.SortFunc(over, func(a, b *conn) int { return cmp.Compare(a.end.at, b.end.at) })
	for _, c := range over {
		if c.end.reason == ClientClosesAtOnce {
			c.end.others = p.idleOthers(c, before)
			p.atOnce = append(p.atOnce, c)
			if p.full == nil {
				p.full = map[int]int{}
			}
			p.full[c.end.others]++
		}
		if c.class == Requests && c.carried() {
			p.ended = append(p.ended, c)
		}
	}
	slices.SortStableFunc(p.ended, func(a, b *conn) int { return cmp.Compare(a.end.at, b.end.at) })
	if extra := len(p.ended) - mostEnded; extra > 0 {
		p.ended = slices.Delete(p.ended, 0, extra)
	}
}

// idleOthers counts the connections that were kept idle when one was closed: idle then or as
// good as, and not closed at once themselves.
func (p *pool) idleOthers(c *conn, over []*conn) int {
	n, t := 0, c.end.at
	for _, list := range [][]*conn{p.live, over} {
		for _, o := range list {
			if o == c || o.opened >= t || o.class != Requests || !o.carried() || o.end.at != never && o.end.at <= t.Add(decides) {
				continue
			}
			if o.end.reason == ClientClosesAtOnce && o.end.at.Sub(t) <= clientReacts {
				continue
			}
			if o.restsAt(t) {
				n++
			}
		}
	}
	return n
}

// restsAt reports whether the connection had nothing to do at an instant, give or take what
// a program needs to decide.
func (c *conn) restsAt(t linger.Instant) bool {
	for i := len(c.spans) - 1; i >= 0; i-- {
		s := c.spans[i]
		if b := s.begins(); b > t.Add(-decides) && b <= t.Add(decides) {
			continue // it had been idle until then, or was not yet
		} else if b > t {
			continue
		}
		return s.done != never && s.done <= t.Add(decides)
	}
	return false
}

// decide finds why a connection was opened, whose pool has those opened before it.
func (a *Auditor) decide(c *conn) {
	p, s, d := c.pool, c.opened, &c.decision
	p.advance(s)
	defer func() {
		p.live = append(p.live, c)
		p.next = min(p.next, c.ends())
		if half := c.oneWay || d.before != nil && d.before.oneWay; half && d.cause.Of().Avoidable {
			// What the other side said may have been another reason.
			d.cause, d.lost, d.certainty = Undecided, append([]Cause{d.cause}, d.lost...), ""
		}
		if d.before != nil && d.before.closedUnread(d.cause) {
			d.cause, d.lost, d.certainty = Undecided, []Cause{d.cause, ClientSaysClose, ServerSaysClose}, ""
		}
	}()
	switch {
	case c.beganBefore:
		d.cause, p.began = "", true
		return
	case !c.carried() && c.class == Requests:
		d.cause, d.certainty = NoExchange, Certain
		if c.stillOpen {
			d.certainty = Likely // it may have carried one later
		}
		if c.oneWay || c.missing > 0 {
			d.cause = Undecided
		}
		return
	}
	defer func() { p.began = true }()
	var best *conn
	kept, doubtful := 0, false
	until := s.Add(decides)
	if len(c.spans) > 0 && c.spans[0].done != never {
		// What is asked after the new connection's first response was not decided before it.
		until = min(until, max(s, c.spans[0].done))
	}
	for i, o := range p.live {
		if i >= enough && best != nil && best.aliveAfter(s) {
			break
		}
		if o.class == Check || !o.carried() && o.end.at != never {
			continue
		}
		is, between := o.chosenBy(s, until)
		d.between = d.between || between
		switch is {
		case idle:
			if best == nil || o.aliveAfter(s) && !best.aliveAfter(s) || o.aliveAfter(s) == best.aliveAfter(s) && o.idleSince(s) > best.idleSince(s) {
				best = o
			}
		case busy:
			kept++
		case unclear:
			doubtful = true
		}
	}
	if best != nil && c.price.hidden && !p.idleAt(c.spans[0].begins()) {
		// It was opened ahead, and needed as its first request came.
		d.cause, d.certainty, d.lost = Concurrency, Likely, []Cause{IdleUnused}
		return
	}
	if best != nil {
		d.before, d.gap = best, max(0, s.Sub(best.idleSince(s)))
		if best.multiplexed && !best.opaque {
			_, _, d.shared = best.takes(s, s.Add(-best.distance()), until)
		}
		a.unused(d, s)
		return
	}
	if n := len(p.ended); n > 0 {
		before := p.ended[n-1]
		p.ended = p.ended[:n-1]
		d.before, d.gap = before, s.Sub(before.idleSince(before.end.at))
		d.cause, d.lost, d.certainty = before.end.reason, before.end.lost, Certain
		if doubtful {
			d.lost, d.cause, d.certainty = append([]Cause{before.end.reason}, d.lost...), Undecided, ""
		} else if d.cause == Undecided {
			d.certainty = ""
		} else if before.opaque || before.inferred || before.missing > 0 && before.end.at != never {
			d.certainty = Likely
		}
		return
	}
	switch {
	case doubtful:
		d.cause, d.lost = Undecided, []Cause{IdleUnused, Concurrency}
	case kept > 0:
		d.cause, d.certainty = Concurrency, Certain
	case p.began:
		// Those before were all replaced, or are gone beyond what is kept.
		d.cause = Undecided
	default:
		a.firstOf(c)
	}
}

// unused decides of a connection that one before it was idle, and was not used.
func (a *Auditor) unused(d *decision, s linger.Instant) {
	d.cause, d.certainty = IdleUnused, Likely
	switch {
	case d.before.aliveAfter(s):
		d.certainty = Proven
	case d.before.endless:
		d.cause, d.certainty, d.lost = Undecided, "", []Cause{IdleUnused}
	case a.mayBeGone(d.before, s):
		d.cause, d.lost = Undecided, []Cause{IdleUnused, SilentDrop}
	}
}

// idleAt reports whether a connection of the pool is idle at an instant, of those that it
// has so far.
func (p *pool) idleAt(t linger.Instant) bool {
	return slices.ContainsFunc(p.live, func(o *conn) bool {
		is, _ := o.at(t)
		return is == idle && o.class != Check && (o.carried() || o.end.at == never)
	})
}

// closedUnread reports whether the server closed behind a response of which a head was not
// captured whole: it may have been asked to, or have announced it, there.
func (c *conn) closedUnread(why Cause) bool {
	if why != ServerClosesAtOnce && (why != RequestLimit || c.requests > 1) || len(c.spans) == 0 {
		return false
	}
	return c.spans[len(c.spans)-1].flags&headless != 0
}

// mayBeGone reports whether an idle connection may have been forgotten on the way, which
// only a recording at the client would show: nothing of it was seen afterwards, and it had
// been idle for longer than any that was used again.
func (a *Auditor) mayBeGone(o *conn, s linger.Instant) bool {
	if a.config.At == trace.AtClient || o.distance() < reacts && o.far.Or(0) >= o.distance() {
		return false
	}
	gap := s.Sub(o.idleSince(s))
	return o.closed == never && gap >= limit.Idles && gap.Seconds() > o.server.usedAfter()
}

// firstOf tells apart why a pool's first connection was opened.
func (a *Auditor) firstOf(c *conn) {
	d, s := &c.decision, c.opened
	d.cause, d.certainty = First, Certain
	if s.Sub(a.began) <= a.longestGap(c) || a.forgotten.has(c.client.hash()) {
		d.certainty = Likely
	}
	doubtful := false
	for _, p := range a.byClient[c.client] {
		if p == c.pool || !p.began {
			continue
		}
		same := p.key.name == c.pool.key.name && c.name != "" && c.pool.key.name != ""
		if same && p.key.server != c.server && samePort(p.key.server.name, c.server.name) {
			d.cause, d.certainty = OtherAddress, Certain
			return
		}
		if p.key.server != c.server {
			continue
		}
		p.advance(s)
		for _, o := range p.live {
			is, _ := o.at(s)
			// A multiplexed one need not be idle to take a request more; the new one is as the
			// server wants it for that name, which may be without HTTP/2.
			if o.mayShare && c.mayShare && o.udp == c.udp && !same && (is == idle || is == unclear) && c.name != "" {
				switch o.covers(c) {
				case yes:
					d.cause, d.certainty, d.before, d.lost = NotCoalesced, Likely, o, nil
					if o.provesFor(c, s) {
						d.certainty = Proven
					}
					return
				case barred:
					d.lost = []Cause{NotCoalesced}
				case maybe:
					doubtful = true
				}
			}
			doubtful = doubtful || o.endsBy && is == unclear && o.carried()
			if is == idle {
				d.cause, d.certainty = Identity, Certain
				if p.key.bare != c.pool.key.bare {
					d.certainty, d.lost = Likely, []Cause{IdleUnused}
				}
			}
		}
	}
	if doubtful {
		d.cause, d.certainty, d.lost = Undecided, "", []Cause{NotCoalesced, Identity}
	}
}

// An answer is to the question whether a connection may carry requests for another name.
type answer uint8

const (
	no     answer = iota // its certificate does not cover the name
	yes                  // it does
	barred               // it does, and there is something in the way
	maybe                // its certificate is not known
)

// covers tells whether a connection to the same address may carry the requests of another one
// (RFC 9113, 9.1.1): if its certificate is good for the name, the server has not refused that, and
// not just one of both has requests with credentials, which browsers keep apart (Fetch, 2.5).
func (o *conn) covers(c *conn) answer {
	names := o.goodFor()
	switch {
	case o.refused(c.name):
		return barred
	case o.served(c.name):
	case len(names) == 0:
		return maybe
	case !covers(names, c.name):
		return no
	}
	known := o.requests > 0 && c.requests > 0 && !o.inferred && !c.inferred
	if known && o.credentials != c.credentials {
		return barred
	}
	return yes
}

// provesFor reports whether nothing that matters is left to doubt: both sides spoke HTTP/2 or 3,
// all requests could be read, none had credentials, and the connection was alive afterwards.
func (o *conn) provesFor(c *conn, s linger.Instant) bool {
	read := func(c *conn) bool { return c.requests > 0 && !c.inferred && !c.credentials }
	return read(o) && read(c) && o.aliveAfter(s)
}

// longestGap is how long connections of the client or the server were seen to idle and to
// be used again; 75 s where none was.
func (a *Auditor) longestGap(c *conn) time.Duration {
	if l := max(c.client.usedAfter(), c.server.usedAfter()); l > 0 {
		return limit.Seconds(l)
	}
	return 75 * time.Second
}

func samePort(a, b string) bool {
	return a[strings.LastIndexByte(a, ':')+1:] == b[strings.LastIndexByte(b, ':')+1:]
}

// covers reports whether a certificate with those names is good for one (RFC 9525, 6.3).
func covers(names []string, name string) bool {
	for _, n := range names {
		n = strings.ToLower(n)
		if n == name {
			return true
		}
		if rest, ok := strings.CutPrefix(n, "*."); ok {
			if _, behind, ok := strings.Cut(name, "."); ok && behind == rest {
				return true
			}
		}
	}
	return false
}

// resolveFull tells a pool that is full from a client that keeps nothing: nearly always as
// many others stay idle.
func (p *pool) resolveFull() {
	most, of, n := 0, 0, 0
	for others, times := range p.full {
		if others > 0 && (times > of || times == of && others > most) {
			most, of = others, times
		}
		n += times
	}
	if most == 0 || 2*of < n {
		return
	}
	for _, c := range p.atOnce {
		if c.end.others > 0 && c.end.reason == ClientClosesAtOnce {
			c.end.reason = ClientPoolFull
			c.end.lost = append(c.end.lost, ClientClosesAtOnce)
		}
	}
}
