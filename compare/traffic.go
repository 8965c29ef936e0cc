package compare

import "linger/trace"

// Traffic is what crossed a link, all connections together.
type Traffic struct {
	Connections   int // TCP and UDP
	Handshakes    int // that the server answered
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
		t.Connections++
		if answered(&f) {
			t.Handshakes++
		}
		t.Packets = t.Packets.plus(f.Up.Packets, f.Down.Packets)
		t.WireBytes = t.WireBytes.plus(f.Up.Bytes(), f.Down.Bytes())
		t.Retransmitted = t.Retransmitted.plus(f.Up.Retransmitted, f.Down.Retransmitted)
	}
	return t
}

func (w Ways) plus(up, down int64) Ways { return Ways{w.Up + float64(up), w.Down + float64(down)} }

// answered reports whether the server answered the client's SYN with its own:
// the second step of the three-way handshake (RFC 9293, 3.5).
func answered(f *trace.Flows) bool { return f.Up.SYN > 0 && f.Down.SYN > 0 }
