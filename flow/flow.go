// Package flow turns IP packets into connections, whoever captured or carried them: a
// parser of headers and a table of flows, neither with I/O or a clock.
//
// [Packet.Parse] reads the headers of one packet. [Table.Add] finds the flow that the
// packet belongs to, or begins one, and counts it there; who needs to know the flow
// before the packet is counted, or counts it in parts, calls [Table.Find] and
// [Table.Count] instead. Packets are handed in in the order in which they were seen.
//
// A table either keeps every flow until the end, up to a bound, beyond which it counts
// what it leaves out; or it hands each flow over as it ends (Config.Ended), and its
// memory is bounded by what is open. Callers keep what else they know of a flow in a slice,
// by its ID, and take it out of there when the flow is handed over.
package flow

import (
	"net/netip"
	"time"

	"linger"
)

// An ID is a flow's place in its table, from 0 without gaps. A table that hands flows over
// as they end gives their places to others.
type ID uint32

// A Flow is one connection of TCP; of other protocols, all packets between one address and
// port and another. It is the table's, and to be read only.
type Flow struct {
	// What every packet touches stands in the first 128 bytes, two lines of the cache.

	Key  Key
	Last linger.Instant // of the last packet
	ID   ID
	// Speaker is the end that sent the first packet seen.
	Speaker End

	list    uint8 // of the table
	started uint8 // bit e: next of end e is known
	stage   stage

	previous, following uint32 // in the list, as ID + 1; 0 is none

	sent [2]sent // by End

	First linger.Instant // of the first packet
	filed linger.Instant // when it was put into its list

	// Number counts the flows of TCP that have ports, those of UDP, and all others, each
	// from 0 in order of their first packets: tshark's tcp.stream and udp.stream, where none
	// was Silent or Evicted.
	Number uint64

	// SYN, SYNACK and ACK are when the three packets of TCP's handshake were seen, each for
	// the first time. Unknown is what was not captured; ACK is the one that acknowledges
	// the SYN-ACK and nothing beyond it.
	SYN, SYNACK, ACK linger.Opt[linger.Instant]
	// Closing is the first FIN or RST.
	Closing linger.Opt[Closing]
	// Opener is the end that opened the connection, known from a SYN.
	Opener linger.Opt[End]

	rare [2]rare // by End

	_ [3]uint64 // makes it 320 bytes, so that the first two lines are two
}

// sent is what one end sent, as far as every packet changes it.
type sent struct {
	packets, header, payload int64
	// next is the sequence number after the highest that was seen (SND.NXT of RFC 9293,
	// 3.3.1), once one was.
	next uint32
	isn  uint32 // of the first SYN, if there was one
}

// rare is the rest of it.
type rare struct {
	retransmitted, retransmittedBytes int64
	syn, fin, rst, initial            uint32
}

// A stage is how far a flow has come.
type stage uint8

const (
	oneEnd   stage = iota // only one end is known to take part
	bothEnds              // both do
	ended                 // TCP, after both FINs or an RST
)

// A Direction is what one end sent. Bytes are of whole IP packets, which is Header plus
// Payload.
type Direction struct {
	Packets int64
	Header  int64 // of IP and transport
	Payload int64 // what the transport carries, retransmissions included

	SYN, FIN, RST int64
	// Initial counts the datagrams that begin with an Initial packet of QUIC.
	Initial int64
	// Retransmitted counts the packets with payload, SYN or FIN whose sequence numbers had
	// all been seen before; RetransmittedBytes is their payload.
	Retransmitted      int64
	RetransmittedBytes int64
}

// Sent returns what one end has sent.
func (f *Flow) Sent(e End) Direction {
	s, r := &f.sent[e], &f.rare[e]
	return Direction{
		Packets: s.packets, Header: s.header, Payload: s.payload,
		SYN: int64(r.syn), FIN: int64(r.fin), RST: int64(r.rst), Initial: int64(r.initial),
		Retransmitted: r.retransmitted, RetransmittedBytes: r.retransmittedBytes,
	}
}

// Address returns one end's address and port; the port is 0 where there are none.
func (f *Flow) Address(e End) netip.AddrPort { return f.Key.Address(e) }

// Closing says how a connection began to end.
type Closing struct {
	At    linger.Instant
	By    End
	Reset bool // by RST, not by FIN
}

// Over reports whether a connection of TCP has come to its end: both sides have sent FIN,
// or one RST.
func (f *Flow) Over() bool { return f.stage == ended }

// IsQUIC reports whether the beginning of a QUIC connection was seen.
func (f *Flow) IsQUIC() bool { return f.rare[Low].initial|f.rare[High].initial > 0 }

// RTT returns the round-trip times between the place of capture and either end, by TCP's
// handshake: from SYN to SYN-ACK to the side that was asked, from SYN-ACK to ACK to the
// opener. The second one includes how long the opener delays its acknowledgement, which is
// not at all unless it sends data with it. A time is unknown if its packets were not
// captured, or one of them was sent twice, which leaves open to which the other answered
// (Karn's algorithm; RFC 6298, 3).
func (f *Flow) RTT() (asked, opener linger.Opt[time.Duration]) {
	by, ok := f.Opener.Get()
	if !ok || f.rare[by.Other()].syn > 1 {
		return asked, opener
	}
	between := func(from, to linger.Opt[linger.Instant]) (d linger.Opt[time.Duration]) {
		a, ok := from.Get()
		b, ok2 := to.Get()
		if ok && ok2 && b >= a {
			d = linger.Known(b.Sub(a))
		}
		return d
	}
	if f.rare[by].syn == 1 {
		asked = between(f.SYN, f.SYNACK)
	}
	return asked, between(f.SYNACK, f.ACK)
}

// Continues reports whether p, of TCP, carries bytes that follow closely on those that its
// end is known to have sent: none that was counted carried them.
func (f *Flow) Continues(p *Packet) bool {
	const closely = 1 << 20
	further := p.Seq + uint32(p.Payload) - f.sent[p.From&1].next
	return p.Payload > 0 && f.started>>(p.From&1)&1 != 0 && further-1 < closely
}

// opens reports whether p asks for a connection.
func (p *Packet) opens() bool { return p.Flags&(SYN|ACK) == SYN }

// begins reports whether p, a SYN without ACK, asks for another connection than this one
// on its addresses and ports. The same sequence number is the same SYN retransmitted
// (RFC 9293, 3.4.1). One whose first SYN comes when its data has been captured, or the
// other side's SYN, belongs to them: captures do not always have packets in order, and
// both sides may open at once (RFC 9293, 3.5).
func (f *Flow) begins(p *Packet) bool {
	s := &f.sent[p.From]
	switch {
	case f.rare[p.From].syn > 0:
		return s.isn != p.Seq
	case s.packets == 0:
		return f.rare[p.From.Other()].syn == 0 || f.stage != oneEnd
	}
	return f.started>>p.From&1 == 0 || s.next-uint32(s.payload) != p.Seq+1
}

// stale reports whether p, a FIN or RST, can only be about an earlier connection on the same
// addresses and ports. Of the side that was asked, before its SYN was seen, it is one that
// does not acknowledge the opener's: "If the ACK was acceptable, then ... abort. Otherwise
// (no ACK), drop the segment". The opener answers what is not meant for it with "a reset ...
// <SEQ=SEG.ACK><CTL=RST>", which has a number of that connection (RFC 9293, 3.10.7.3).
func (f *Flow) stale(p *Packet, flags uint8) bool {
	by, ok := f.Opener.Get()
	if !ok || f.stage != oneEnd || f.rare[by.Other()].syn > 0 {
		return false
	}
	if by == p.From {
		return flags&(RST|ACK) == RST && p.Seq != f.sent[by].isn && !f.beyondSYN(by, p.Seq)
	}
	return flags&ACK == 0 || !f.beyondSYN(by, p.Ack)
}

// beyondSYN reports whether n can be the number of what an end has sent after its SYN, which
// was seen. Not all of it may have been captured.
func (f *Flow) beyondSYN(e End, n uint32) bool {
	const missed = 1 << 20
	s := &f.sent[e]
	return n-s.isn-1 < s.next-s.isn+missed
}
