package ladder

import (
	"cmp"
	"slices"

	"linger"
	"linger/trace"
)

// quic reports whether a connection is one of QUIC.
func quic(k trace.Connection) bool {
	return !k.QUIC.IsZero() || k.Protocol.OverQUIC()
}

// noted adds what the client noted of a connection that nobody saw the packets of.
func (b *builder) noted(index int, c *Connection) {
	k, _ := c.Known.Get()
	add := func(by trace.Peer, first, last linger.Instant, parts ...Part) *Message {
		m := Message{Connection: index, By: by, Parts: parts}
		if by == trace.AtClient {
			m.Sent, m.SentLast = linger.Known(first), linger.Known(last)
		} else {
			m.Arrived, m.ArrivedLast = linger.Known(first), linger.Known(last)
		}
		b.l.Messages = append(b.l.Messages, m)
		return &b.l.Messages[len(b.l.Messages)-1]
	}
	secured, ok := k.Secured.Get()
	switch established, tcp := k.Established.Get(); {
	case quic(k):
		add(trace.AtClient, k.Dialled, k.Dialled, Part{Kind: Hello})
		if ok {
			add(trace.AtServer, secured, secured, Part{Kind: Answer})
		}
	case tcp:
		add(trace.AtClient, k.Dialled, k.Dialled).SYN = 1
		add(trace.AtServer, established, established).SYN = 1
		if ok || !k.TLS.IsZero() || k.Connected.IsZero() {
			add(trace.AtClient, established, established, Part{Kind: Hello})
		}
		if ok {
			add(trace.AtServer, secured, secured, Part{Kind: Answer})
		}
	case k.Protocol == linger.DNSOverUDP:
	case ok || !k.Connected.IsZero():
		if at := k.Secured.Or(k.Connected.Or(0)); at > k.Dialled {
			add(trace.AtClient, k.Dialled, k.Dialled, Part{Kind: SetUp})
			add(trace.AtServer, at, at, Part{Kind: SetUp})
		}
	default:
		add(trace.AtClient, k.Dialled, k.Dialled).SYN = 1
	}
	on := slices.SortedStableFunc(slices.Values(b.exchanges[k.ID]), func(x, y int) int {
		return cmp.Compare(b.t.Exchanges[x].Sent.Or(0), b.t.Exchanges[y].Sent.Or(0))
	})
	for _, i := range on {
		e := &b.t.Exchanges[i]
		sent := e.Sent.Or(0)
		add(trace.AtClient, sent, sent, Part{Kind: Request, Exchange: i}).Bytes = e.RequestHead + e.RequestBody
		if first, ok := e.FirstByte.Get(); ok {
			last := max(first, e.Done.Or(k.Closed.Or(b.t.Ended)))
			add(trace.AtServer, first, last, Part{Kind: Response, Exchange: i, Begins: true, Ends: !e.Done.IsZero()}).Bytes = e.ResponseHead + e.ResponseBody
		}
	}
	if at, ok := k.Closed.Get(); ok && k.ClosedBy != trace.Nobody && k.Protocol != linger.DNSOverUDP {
		add(k.ClosedBy, at, at, Part{Kind: Close})
	}
}
