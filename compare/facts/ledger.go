package facts

import (
	"iter"
	"slices"

	"linger"
	"linger/trace"
)

// Flows ranges over the TCP connections and flows of UDP that crossed the link; false
// where nobody counted, or there were more than the ledger holds.
func Flows(t *trace.Trace) (iter.Seq[*trace.Flows], bool) {
	l, ok := t.Ledger.Get()
	if !ok || l.Overflow > 0 {
		return func(func(*trace.Flows) bool) {}, false
	}
	return func(yield func(*trace.Flows) bool) {
		for i := range l.Connections {
			if f := &l.Connections[i]; carried(f) && !yield(f) {
				return
			}
		}
	}, true
}

// carried reports whether it is a connection of TCP or a flow of UDP.
func carried(f *trace.Flows) bool {
	return f.Protocol == linger.TransportTCP || f.Protocol == linger.TransportUDP
}

// Sum adds a figure up over all connections, in each direction.
func Sum(t *trace.Trace, figure func(trace.Flow) int64) (up, down float64, ok bool) {
	flows, ok := Flows(t)
	for f := range flows {
		up += float64(figure(f.Up))
		down += float64(figure(f.Down))
	}
	return up, down, ok
}

// Overhead is 1 less the share of the wire's bytes that are content delivered.
func Overhead(t *trace.Trace) (float64, bool) {
	up, down, ok := Sum(t, trace.Flow.Bytes)
	if !ok || up+down == 0 {
		return 0, false
	}
	content := 0.0
	for _, e := range t.Exchanges {
		if e.Failed == "" {
			content += float64(e.RequestBody + e.ResponseBody)
		}
	}
	return 1 - content/(up+down), true
}

func Packets(f trace.Flow) int64 { return f.Packets }

// PerQuery is a figure of the link, both ways, for each query that was answered.
func PerQuery(figure func(trace.Flow) int64) func(*trace.Trace) (float64, bool) {
	return func(t *trace.Trace) (float64, bool) {
		n := 0
		for _, e := range t.Exchanges {
			if e.Failed == "" && !e.Done.IsZero() {
				n++
			}
		}
		up, down, ok := Sum(t, figure)
		return (up + down) / float64(n), ok && n > 0
	}
}

// HasQUIC reports whether a trial used QUIC at all.
func HasQUIC(t *trace.Trace) bool { return slices.ContainsFunc(t.Connections, OverQUIC) }

// OverQUIC reports whether a connection's transport was QUIC.
func OverQUIC(k trace.Connection) bool {
	return !k.QUIC.IsZero() || k.Protocol.OverQUIC()
}

// Traffic is what crossed a link, all connections together.
type Traffic struct {
	Connections   int // of TCP and QUIC
	Handshakes    int // that the server answered
	Datagrams     int // flows of UDP that are not QUIC
	Packets       Directions
	WireBytes     Directions
	Retransmitted Directions // packets
}

// TrafficOf adds up a ledger.
func TrafficOf(l trace.Ledger) Traffic {
	var t Traffic
	for _, f := range l.Connections {
		if !carried(&f) {
			continue
		}
		if f.Protocol == linger.TransportUDP && !f.IsQUIC() {
			t.Datagrams++
		} else {
			t.Connections++
			if Answered(&f) {
				t.Handshakes++
			}
		}
		t.Packets = t.Packets.plus(f.Up.Packets, f.Down.Packets)
		t.WireBytes = t.WireBytes.plus(f.Up.Bytes(), f.Down.Bytes())
		t.Retransmitted = t.Retransmitted.plus(f.Up.Retransmitted, f.Down.Retransmitted)
	}
	return t
}

func (w Directions) plus(up, down int64) Directions {
	return Directions{w.Up + float64(up), w.Down + float64(down)}
}

// Answered reports whether the server answered the client's SYN with its own, or
// with QUIC its Initial.
func Answered(f *trace.Flows) bool {
	return f.Up.SYN > 0 && f.Down.SYN > 0 || f.IsQUIC() && f.Down.Initial > 0
}

// Directions is a figure for each direction: towards the origin and back.
type Directions struct {
	Up   float64 `json:"up"`
	Down float64 `json:"down"`
}

// Sum returns both directions together.
func (w Directions) Sum() float64 { return w.Up + w.Down }

// Both is a figure of both directions together, where it is known.
func Both(d linger.Opt[Directions]) (o linger.Opt[float64]) {
	if v, ok := d.Get(); ok {
		o = linger.Known(v.Sum())
	}
	return o
}

// DroppedAtRandom reports whether the link dropped a packet at random.
func DroppedAtRandom(t *trace.Trace) bool {
	up, down, _ := Sum(t, func(f trace.Flow) int64 { return f.DroppedLoss })
	return up+down > 0
}
