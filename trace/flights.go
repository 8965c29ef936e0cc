package trace

import "linger"

// A Flight is packets with content that one side of a connection sent one after the
// other, before anything could have come back for the first of them. So the next flight
// of that side comes at least a round trip later, or after a silence (IsStall). Content
// is data, SYN, FIN and RST; packets of TCP that only acknowledge are in no flight, and
// of QUIC each datagram is one with content, since what is in it is encrypted. A SYN is
// a flight of its own.
//
// The four instants are since the connection's first packet (Flows.First).
type Flight struct {
	Connection int  `json:"connection"` // index in Ledger.Connections
	By         Peer `json:"by"`
	// Sent and SentLast are when the first and the last packet left their sender, Arrived
	// and ArrivedLast when the first and the last of those that the path carried came to
	// their receiver. Where it carried none, they are 0.
	Sent        linger.Micros `json:"sent_us"`
	SentLast    linger.Micros `json:"sent_last_us,omitzero"`
	Arrived     linger.Micros `json:"arrived_us,omitzero"`
	ArrivedLast linger.Micros `json:"arrived_last_us,omitzero"`
	Packets     int64         `json:"packets"`
	Payload     int64         `json:"payload_bytes,omitzero"`
	SYN         int64         `json:"syn,omitzero"`
	FIN         int64         `json:"fin,omitzero"`
	RST         int64         `json:"rst,omitzero"`
	// Again counts packets of TCP that were retransmitted, Lost those that the path did not
	// carry.
	Again int64 `json:"retransmitted,omitzero"`
	Lost  int64 `json:"lost,omitzero"`
}

// MostFlights bounds those of one trial: some 1.5 MB.
const MostFlights = 1 << 14

// A Piece is one packet for Flights.
type Piece struct {
	// At is when it left its sender, Arrives when it will come to its receiver, where Carried.
	At, Arrives   linger.Instant
	Carried       bool
	Payload       int
	SYN, FIN, RST bool
	Again         bool // retransmitted
	// Stalled says that the connection had been silent for so long that it waited for a timer.
	Stalled bool
}

// Flights puts packets together into flights: Add for each packet, in the order in which
// they were sent. It is a machine without I/O; the zero value is ready. Memory is
// bounded by MostFlights and by how many connections there are.
type Flights struct {
	list  []Flight
	begun []linger.Instant // of each connection, its first packet
	last  [][2]sending     // of each connection, by who sends
	left  int64
}

// sending is the latest flight of one side.
type sending struct {
	flight int // index + 1; 0 is none
	// arrived is when its first packet that was carried came to the receiver, answered when
	// the first packet that the receiver sent after that came back.
	arrived, answered linger.Instant
}

// Add takes in a packet that the client or the server sent on a connection; connections
// are numbered from 0.
func (f *Flights) Add(connection int, by Peer, p Piece) {
	for len(f.last) <= connection {
		f.last, f.begun = append(f.last, [2]sending{}), append(f.begun, p.At)
	}
	side := 0
	if by == AtServer {
		side = 1
	}
	if other := &f.last[connection][1-side]; p.Carried && p.At >= other.arrived && other.answered == linger.Never {
		other.answered = p.Arrives
	}
	if p.Payload == 0 && !p.SYN && !p.FIN && !p.RST {
		return
	}
	own := &f.last[connection][side]
	if own.flight == 0 || p.At >= own.answered || p.Stalled || p.SYN || f.list[own.flight-1].SYN > 0 {
		if len(f.list) == MostFlights {
			f.left++
			*own = sending{}
			return
		}
		f.list = append(f.list, Flight{Connection: connection, By: by, Sent: f.since(connection, p.At)})
		*own = sending{len(f.list), linger.Never, linger.Never}
	}
	l := &f.list[own.flight-1]
	l.SentLast = f.since(connection, p.At)
	l.Packets++
	l.Payload += int64(p.Payload)
	for _, n := range []struct {
		count *int64
		is    bool
	}{{&l.SYN, p.SYN}, {&l.FIN, p.FIN}, {&l.RST, p.RST}, {&l.Again, p.Again}, {&l.Lost, !p.Carried}} {
		if n.is {
			*n.count++
		}
	}
	if !p.Carried {
		return
	}
	if own.arrived == linger.Never {
		own.arrived, l.Arrived = p.Arrives, f.since(connection, p.Arrives)
	}
	l.ArrivedLast = f.since(connection, p.Arrives)
}

func (f *Flights) since(connection int, at linger.Instant) linger.Micros {
	return linger.Micros(at.Sub(f.begun[connection]))
}

// List returns the flights, in the order in which they began, and how many packets with
// content are in none for want of room. It is the caller's, until the next Add.
func (f *Flights) List() ([]Flight, int64) { return f.list, f.left }
