// Package ladder tells one trial message by message: what client and server sent each
// other on each connection, when it left and when it came, what was in it, and which round
// trips followed one from another until the end. It returns data, no words and no layout.
package ladder

import (
	"cmp"
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// A Ladder is the messages of one trial.
type Ladder struct {
	// Connections stand in the order in which they were opened.
	Connections []Connection
	// Messages stand in the order of the client's side: those of the client as they were
	// sent, those of the server as they came.
	Messages []Message
	// Packets says that the messages are flights of packets that were counted on the path.
	// Else there is what the client noted alone: its own instants, no flags and no packets.
	Packets bool
	// Paired says that which packets belong to which of the client's connections is known
	// by the order alone in which they were opened.
	Paired bool
	// Trips is how many round trips followed one from another, from the first message to
	// the last byte of the last response (Message.Trip). Of what the client noted alone
	// they are at least so many.
	Trips int
	// Ended is when the last response was in, as the client saw it.
	Ended linger.Instant
	// Sum is of all messages, Acks the packets that only acknowledge, which are in none, and
	// Unflown those with content that are in none for want of room; all where Packets.
	Sum     Counts
	Acks    int64
	Unflown int64
}

// Counts are of packets with those flags, of both sides, and of requests and final responses.
type Counts struct{ SYN, FIN, RST, Requests, Responses int64 }

// A Connection is one of the trial's, or a flow that the client does not know of.
type Connection struct {
	Number int // from 1
	// Known is what the client noted of it, Flow what was counted on the path.
	Known linger.Opt[trace.Connection]
	Flow  linger.Opt[trace.Flows]
	// Messages are the indices of its own, in their order.
	Messages []int
	Requests int
	// First is who sent the first FIN, and so waits in TIME_WAIT; Both where each had sent
	// its own before the other's came. Neither is of a connection that was reset.
	First trace.Peer
	Both  bool
	// Trips is how many round trips it had on the chain (Message.Trip), from the first.
	Trips, FirstTrip int
}

// A Message is a flight of packets, or what the client noted of one.
type Message struct {
	Connection int // index
	By         trace.Peer
	// Sent and SentLast are when its first and last packet left, Arrived and ArrivedLast
	// when the first and the last came; unknown where nobody saw it, or it was lost.
	Sent, SentLast, Arrived, ArrivedLast linger.Opt[linger.Instant]
	Packets, Bytes                       int64
	SYN, FIN, RST, Again, Lost           int64
	// Parts are what is in it, in order, as far as that is known.
	Parts []Part
	// Trip is the round trip, from 1, in which it stands on the chain: of the messages that
	// had to follow one upon another until the end. 0 is beside it.
	Trip int
}

// At is when the message was at the client.
func (m *Message) At() linger.Instant {
	if m.By == trace.AtClient {
		return m.Sent.Or(0)
	}
	return m.Arrived.Or(m.Sent.Or(0))
}

// Until is when the last of it was.
func (m *Message) Until() linger.Instant {
	if m.By == trace.AtClient {
		return max(m.At(), m.SentLast.Or(0))
	}
	return max(m.At(), m.ArrivedLast.Or(0))
}

// A Kind is of a part of a message.
type Kind uint8

const (
	Hello     Kind = iota // the client's first flight of TLS or of QUIC
	Answer                // the server's
	Handshake             // more of it
	Finished              // the client's end of TLS's handshake
	SetUp                 // a handshake of which no more is known
	Request
	Response // its beginning, its end, or what is in between
	Close    // of QUIC; or of TCP, where nobody saw how
)

// A Part is something in a message.
type Part struct {
	Kind Kind
	// Exchange is the index in the trace's, of a Request or a Response.
	Exchange int
	// Begins and Ends are of a Response.
	Begins, Ends bool
	// Unanswered says that nothing came of a Request, which was retried.
	Unanswered bool
}

// Of tells a trial. It is false where nothing was sent.
func Of(t *trace.Trace) (*Ladder, bool) {
	b := builder{t: t, l: &Ladder{Ended: t.Ended}, exchanges: map[int64][]int{}}
	for i, e := range t.Exchanges {
		if !e.Sent.IsZero() {
			b.exchanges[e.Connection] = append(b.exchanges[e.Connection], i)
			b.l.Ended = max(b.l.Ended, e.Done.Or(0))
		}
	}
	b.connections()
	for i := range b.l.Connections {
		c := &b.l.Connections[i]
		if c.Flow.IsZero() {
			b.noted(i, c)
		} else {
			b.flown(i, c)
		}
	}
	b.order()
	for i := range b.l.Connections {
		b.closing(&b.l.Connections[i])
	}
	b.chain()
	b.count()
	return b.l, len(b.l.Messages) > 0
}

// A builder puts a ladder together.
type builder struct {
	t         *trace.Trace
	l         *Ladder
	exchanges map[int64][]int // that were sent, by connection
	flights   [][]trace.Flight
}

// connections matches what the client noted with what was counted on the path.
func (b *builder) connections() {
	known := slices.SortedStableFunc(slices.Values(b.t.Connections), func(x, y trace.Connection) int { return cmp.Compare(x.Dialled, y.Dialled) })
	ledger, _ := b.t.Ledger.Get()
	b.l.Packets, b.l.Unflown = len(ledger.Flights) > 0, ledger.Unflown
	if !b.l.Packets {
		for _, k := range known {
			b.l.Connections = append(b.l.Connections, Connection{Known: linger.Known(k)})
		}
		b.number()
		return
	}
	b.flights = make([][]trace.Flight, len(ledger.Connections))
	for _, f := range ledger.Flights {
		b.flights[f.Connection] = append(b.flights[f.Connection], f)
	}
	order := make([]int, 0, len(ledger.Connections)) // of those that carried something
	for i := range ledger.Connections {
		if len(b.flights[i]) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return ledger.Connections[x].First.Compare(ledger.Connections[y].First)
	})
	of := b.pairs(known, ledger, order)
	flights := make([][]trace.Flight, 0, len(order))
	for _, i := range order {
		b.l.Connections = append(b.l.Connections, Connection{Known: of[i], Flow: linger.Known(ledger.Connections[i])})
		flights = append(flights, b.flights[i])
	}
	b.flights = flights
	b.number()
}

func (b *builder) number() {
	for i := range b.l.Connections {
		b.l.Connections[i].Number = i + 1
	}
}

// pairs finds whose flow is whose: by the client's port; where the client did not note that,
// as a browser's log does not, by the order, if there are as many of the one as of the other.
func (b *builder) pairs(known []trace.Connection, ledger trace.Ledger, order []int) map[int]linger.Opt[trace.Connection] {
	out := map[int]linger.Opt[trace.Connection]{}
	unnamed := len(known) == len(order) && !slices.ContainsFunc(known, func(k trace.Connection) bool { return k.Client != "" })
	b.l.Paired = unnamed
	taken := make([]bool, len(known))
	for n, i := range order {
		at := n
		if !unnamed {
			// A port may come into use again: the first one first.
			at = slices.IndexFunc(known, func(k trace.Connection) bool { return k.Client == ledger.Connections[i].Client && k.Client != "" })
			for at >= 0 && taken[at] {
				next := slices.IndexFunc(known[at+1:], func(k trace.Connection) bool { return k.Client == ledger.Connections[i].Client })
				if next < 0 {
					at = -1
					break
				}
				at += 1 + next
			}
		}
		if at >= 0 {
			taken[at] = true
			out[i] = linger.Known(known[at])
		}
	}
	return out
}

// flown adds the flights of a connection, and says what is in them.
func (b *builder) flown(index int, c *Connection) {
	flow, _ := c.Flow.Get()
	base := linger.Instant(flow.First.Sub(b.t.Began))
	instant := func(m linger.Micros) linger.Opt[linger.Instant] { return linger.Known(base.Add(time.Duration(m))) }
	var list []Message
	for _, f := range b.flights[index] {
		m := Message{
			Connection: index, By: f.By, Sent: instant(f.Sent), SentLast: instant(max(f.Sent, f.SentLast)), Packets: f.Packets, Bytes: f.Payload,
			SYN: f.SYN, FIN: f.FIN, RST: f.RST, Again: f.Again, Lost: f.Lost,
		}
		if f.Lost < f.Packets {
			m.Arrived, m.ArrivedLast = instant(f.Arrived), instant(max(f.Arrived, f.ArrivedLast))
		}
		list = append(list, m)
	}
	slices.SortStableFunc(list, func(x, y Message) int { return cmp.Compare(x.Sent.Or(0), y.Sent.Or(0)) })
	if k, ok := c.Known.Get(); ok {
		b.name(list, k, flow)
	}
	b.l.Messages = append(b.l.Messages, list...)
}

// skew is how far the client's instants and the path's may be apart that are the same.
const skew = linger.Instant(100 * time.Microsecond)

// name says what is in the messages of a connection, from what the client noted of it.
func (b *builder) name(list []Message, k trace.Connection, flow trace.Flows) {
	add := func(i int, p Part) { list[i].Parts = append(list[i].Parts, p) }
	// content is the first or last message of a side that holds data and satisfies a condition.
	content := func(by trace.Peer, from int, is func(*Message) bool) int {
		for i := from; i < len(list); i++ {
			if m := &list[i]; m.By == by && m.Bytes > 0 && is(m) {
				return i
			}
		}
		return -1
	}
	any := func(*Message) bool { return true }
	if !k.TLS.IsZero() || !k.Secured.IsZero() || flow.IsQUIC() {
		hello, answer := content(trace.AtClient, 0, any), content(trace.AtServer, 0, any)
		if hello >= 0 {
			add(hello, Part{Kind: Hello})
		}
		if answer >= 0 {
			add(answer, Part{Kind: Answer})
			came := list[answer].Arrived.Or(linger.Never)
			if i := content(trace.AtClient, answer, func(m *Message) bool { return m.Sent.Or(0) >= came }); i >= 0 && i != hello && !k.Secured.IsZero() {
				add(i, Part{Kind: Finished})
			}
			for i := answer + 1; i < len(list); i++ {
				if m := &list[i]; m.By == trace.AtServer && m.Bytes > 0 && m.Arrived.Or(linger.Never) <= k.Secured.Or(0)+skew {
					add(i, Part{Kind: Handshake})
				}
			}
		}
	}
	b.nameExchanges(list, k, content)
	if at, ok := k.Closed.Get(); ok && flow.IsQUIC() && k.ClosedBy == trace.AtClient {
		if i := content(trace.AtClient, 0, func(m *Message) bool { return m.SentLast.Or(0) >= at-skew }); i >= 0 {
			add(i, Part{Kind: Close})
		}
	}
}

// nameExchanges says in which messages of a connection its requests and responses are. The
// client notes a request before its packets leave, and a response after they have come.
func (b *builder) nameExchanges(list []Message, k trace.Connection, content func(trace.Peer, int, func(*Message) bool) int) {
	request := func(sent linger.Instant) int {
		i := content(trace.AtClient, 0, func(m *Message) bool { return m.SentLast.Or(0) >= sent-skew })
		for n := len(list) - 1; i < 0 && n >= 0; n-- {
			if list[n].By == trace.AtClient && list[n].Bytes > 0 {
				i = n
			}
		}
		return i
	}
	for i, e := range b.t.Exchanges {
		for _, a := range e.Earlier {
			if sent, ok := a.Sent.Get(); ok && a.Connection == k.ID {
				if at := request(sent); at >= 0 {
					list[at].Parts = append(list[at].Parts, Part{Kind: Request, Exchange: i, Unanswered: true})
				}
			}
		}
	}
	on := slices.SortedStableFunc(slices.Values(b.exchanges[k.ID]), func(x, y int) int {
		return cmp.Compare(b.t.Exchanges[x].Sent.Or(0), b.t.Exchanges[y].Sent.Or(0))
	})
	for _, i := range on {
		e := &b.t.Exchanges[i]
		asked := request(e.Sent.Or(0))
		if asked < 0 {
			continue
		}
		list[asked].Parts = append(list[asked].Parts, Part{Kind: Request, Exchange: i})
		first, ok := e.FirstByte.Get()
		if !ok {
			continue
		}
		from, to := b.response(list, asked, first, e.Done.Or(linger.Never))
		for at := from; at >= 0 && at <= to; at++ {
			if m := &list[at]; m.By == trace.AtServer && m.Bytes > 0 {
				m.Parts = append(m.Parts, Part{Kind: Response, Exchange: i, Begins: at == from, Ends: at == to && !e.Done.IsZero()})
			}
		}
	}
}

// response finds the first and the last message of a response to the request in a message,
// whose first and last byte the client read at those instants.
func (b *builder) response(list []Message, asked int, first, done linger.Instant) (from, to int) {
	from, to = -1, -1
	came := list[asked].Arrived.Or(0)
	for i := range list {
		m := &list[i]
		if m.By != trace.AtServer || m.Bytes == 0 || m.SentLast.Or(0) < came {
			continue
		}
		at := m.Arrived.Or(linger.Never)
		if from < 0 || at <= first+skew {
			from, to = i, i
		} else if at <= done+skew {
			to = i
		}
	}
	return from, to
}

// order puts the messages of all connections into the order of the client's side.
func (b *builder) order() {
	slices.SortStableFunc(b.l.Messages, func(x, y Message) int {
		return cmp.Or(cmp.Compare(x.At(), y.At()), cmp.Compare(x.Connection, y.Connection))
	})
	for i := range b.l.Messages {
		c := &b.l.Connections[b.l.Messages[i].Connection]
		c.Messages = append(c.Messages, i)
		for _, p := range b.l.Messages[i].Parts {
			if p.Kind == Request {
				c.Requests++
			}
		}
	}
}

// closing says who sent the first FIN.
func (b *builder) closing(c *Connection) {
	var up, down *Message
	for _, i := range c.Messages {
		m := &b.l.Messages[i]
		switch {
		case m.RST > 0 && up == nil && down == nil:
			return
		case m.FIN > 0 && m.By == trace.AtClient && up == nil:
			up = m
		case m.FIN > 0 && m.By == trace.AtServer && down == nil:
			down = m
		}
	}
	switch {
	case up == nil && down == nil:
	case down == nil || up != nil && up.SentLast.Or(0) < down.SentLast.Or(0):
		c.First = trace.AtClient
		c.Both = down != nil && down.SentLast.Or(0) < up.ArrivedLast.Or(linger.Never)
	default:
		c.First = trace.AtServer
		c.Both = up != nil && up.SentLast.Or(0) < down.ArrivedLast.Or(linger.Never)
	}
}

// count sums up.
func (b *builder) count() {
	l := b.l
	for i := range l.Messages {
		m := &l.Messages[i]
		l.Sum.SYN += m.SYN
		l.Sum.FIN += m.FIN
		l.Sum.RST += m.RST
		l.Acks -= m.Packets
		for _, p := range m.Parts {
			switch {
			case p.Kind == Request:
				l.Sum.Requests++
			case p.Kind == Response && p.Ends:
				l.Sum.Responses++
			}
		}
		if m.Trip > 0 {
			c := &l.Connections[m.Connection]
			if c.FirstTrip == 0 {
				c.FirstTrip = m.Trip
			}
			c.Trips = max(c.Trips, m.Trip-c.FirstTrip+1)
			l.Trips = max(l.Trips, m.Trip)
		}
	}
	if !l.Packets {
		l.Acks = 0
		return
	}
	for i := range l.Connections {
		f := l.Connections[i].Flow.Or(trace.Flows{})
		l.Acks += f.Up.Packets + f.Down.Packets
	}
	l.Acks = max(0, l.Acks-l.Unflown)
}
