package compare

import "linger/trace"

// Traffic is what crossed a link, all connections together.
type Traffic struct {
	Connections   int // of TCP and QUIC
	Handshakes    int // that the server answered
	Datagrams     int // flows of UDP that are not QUIC
	Packets       Ways
	WireBytes     Ways
	Retransmitted Ways // packets
}

// Sum adds up a ledger.
func Sum(l trace.Ledger) Traffic {
	var t Traffic
	for _, f := range l.Connections {
		if f.Protocol != "tcp" && f.Protocol != "udp" {
			continue
		}
		if f.Protocol == "udp" && !f.IsQUIC() {
			t.Datagrams++
		} else {
			t.Connections++
			t.Handshakes += btoi(answered(&f))
		}
		t.Packets = t.Packets.plus(f.Up.Packets, f.Down.Packets)
		t.WireBytes = t.WireBytes.plus(f.Up.Bytes(), f.Down.Bytes())
		t.Retransmitted = t.Retransmitted.plus(f.Up.Retransmitted, f.Down.Retransmitted)
	}
	return t
}

func (w Ways) plus(up, down int64) Ways { return Ways{w.Up + float64(up), w.Down + float64(down)} }

// answered reports whether the server answered the client's SYN with its own, or
// with QUIC its Initial.
func answered(f *trace.Flows) bool {
	return f.Up.SYN > 0 && f.Down.SYN > 0 || f.IsQUIC() && f.Down.Initial > 0
}
