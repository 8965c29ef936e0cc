package ladder

import (
	"slices"

	"linger"
	"linger/trace"
)

// A chain is the messages that had to follow one upon another until the end: each was sent
// because of the one before it. Nobody notes why a message is sent, so it is told by the
// order: what an end does follows what came to it last. On one connection that is the last
// message from the other side; where that came before the message before, it was an
// acknowledgement that let the next flight go. A connection is opened, and a request is
// sent on an idle one, when the client comes to know of the object, or when a request
// before it is done whose place it takes.

// at once: an object that is asked for within this time of being wanted waited for nothing.
const atOnce = 10 * skew

// chain numbers the round trips of the chain that leads to the last byte of the last response.
func (b *builder) chain() {
	last := -1
	for i := range b.l.Messages {
		m := &b.l.Messages[i]
		for _, p := range m.Parts {
			if p.Kind == Response && p.Ends && (last < 0 || m.Until() > b.l.Messages[last].Until()) {
				last = i
			}
		}
	}
	var links []int // from the last to the first
	passed := make([]bool, len(b.l.Messages))
	for i := last; i >= 0 && !passed[i]; i = b.before(i) {
		links, passed[i] = append(links, i), true
	}
	trip := 0
	var previous *Message
	for _, i := range slices.Backward(links) {
		m := &b.l.Messages[i]
		// A message that answers is in the trip of what it answers; one that the same side
		// sends after its own, upon an acknowledgement, is in the next.
		if previous == nil || m.By == trace.AtClient || previous.By == m.By {
			trip++
		}
		m.Trip, previous = trip, m
	}
}

// before is the message that message i follows, or -1.
func (b *builder) before(i int) int {
	m := &b.l.Messages[i]
	own := b.l.Connections[m.Connection].Messages
	sent, ok := m.Sent.Get()
	if !ok { // what the client noted alone
		sent = m.At()
	}
	// On its own connection: the last message of the other side that had come, and the
	// message of its own side before it.
	came, mine := -1, -1
	var cameAt, mineAt linger.Instant
	for _, k := range own {
		o := &b.l.Messages[k]
		if k == i {
			continue
		}
		if o.By != m.By {
			if at, ok := b.reached(o, sent); ok && (came < 0 || at >= cameAt) {
				came, cameAt = k, at
			}
		} else if at := o.Sent.Or(o.At()); at < sent || at == sent && k < i {
			if mine < 0 || at >= mineAt {
				mine, mineAt = k, at
			}
		}
	}
	if wanted, waited := b.wanted(m, sent); m.By == trace.AtClient && (mine < 0 || !waited) {
		// A browser may take its time before it opens a connection for what it wants.
		for _, w := range []bool{waited, false} {
			if k := b.elsewhere(wanted, sent, w); k >= 0 {
				return k
			}
		}
	}
	// A response that begins was not waiting for an acknowledgement, but for its request.
	begins := len(m.Parts) > 0 && !slices.ContainsFunc(m.Parts, func(p Part) bool { return p.Kind != Response || !p.Begins })
	switch {
	case mine >= 0 && came >= 0 && !begins && b.replied(mine, came):
		return mine
	case came >= 0:
		return came
	}
	return mine
}

// reached is when a message had come that did by an instant: the last of it, else the first.
func (b *builder) reached(m *Message, by linger.Instant) (linger.Instant, bool) {
	for _, o := range []linger.Opt[linger.Instant]{m.ArrivedLast, m.Arrived} {
		if at, ok := o.Get(); ok && at <= by {
			return at, true
		}
	}
	if m.Arrived.IsZero() && m.Lost == 0 { // nobody saw it come
		at := m.SentLast.Or(m.Sent.Or(0))
		return at, at < by // what goes out as an answer comes in is noted as at once
	}
	return 0, false
}

// replied reports whether message mine was sent after message came had come, so that what
// follows both follows mine.
func (b *builder) replied(mine, came int) bool {
	_, ok := b.reached(&b.l.Messages[came], b.l.Messages[mine].Sent.Or(b.l.Messages[mine].At()))
	return ok
}

// elsewhere is the message, on whichever connection, because of which a message of the client
// was sent, or -1: if that had waited, what made its turn come, which is the end of another
// response, else what made it wanted.
func (b *builder) elsewhere(wanted, sent linger.Instant, waited bool) int {
	best, at := -1, -linger.Never
	for k := range b.l.Messages {
		o := &b.l.Messages[k]
		if o.By != trace.AtServer {
			continue
		}
		for _, p := range o.Parts {
			if p.Kind != Response || waited && !p.Ends {
				continue
			}
			// What the client notes and what passed may be a little apart.
			var came linger.Instant
			var ok bool
			if waited { // for the last byte of it; a FIN may be behind that
				came = b.t.Exchanges[p.Exchange].Done.Or(linger.Never)
				ok = came <= sent+skew
			} else {
				came, ok = b.reached(o, min(wanted+skew, sent))
			}
			if ok && came >= at {
				best, at = k, came
			}
		}
	}
	return best
}

// wanted is when the client wanted what a message of its own asks for, or what its connection
// was opened for, and whether that then had to wait until the message was sent. What asks for
// nothing waited.
func (b *builder) wanted(m *Message, sent linger.Instant) (at linger.Instant, waited bool) {
	c := &b.l.Connections[m.Connection]
	at, began := linger.Never, sent
	opens := b.l.Messages[c.Messages[0]].At() >= sent
	if opens { // it leaves a little after it was asked for
		began = min(sent, c.Known.Or(trace.Connection{Dialled: sent}).Dialled)
	}
	for _, k := range c.Messages {
		o := &b.l.Messages[k]
		if !opens && o.At() != sent {
			continue
		}
		for _, p := range o.Parts {
			if p.Kind == Request {
				at = min(at, b.t.Exchanges[p.Exchange].Queued)
			}
		}
		if at != linger.Never {
			break
		}
	}
	if at == linger.Never {
		return sent, true
	}
	return min(at, sent), began-at > atOnce
}
