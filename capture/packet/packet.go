// Package packet makes records of connections and exchanges from captured packets. One
// way leads through it: a frame's link layer and tunnels are taken off, its IP packet
// joins a flow, the flow's bytes in order are read as what they are (HTTP/1, DNS, TLS's
// hello, a tunnel's inside), and each record is handed on when it has ended.
//
// Bodies are skipped by arithmetic: no byte of them is read. Memory is bounded by what is
// open at once (Options.MaxTracked). What was not in the capture is counted in the
// Summary, and never guessed into a record.
package packet

import (
	"io"
	"net/netip"
	"time"

	"linger"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/trace"
)

// A Sink takes the records, each when it has ended: an exchange with its last byte, a
// connection when no packet of it can follow. A record is valid until the call returns.
// What was open at the end comes last. A connection that is Within another one comes
// before it, an exchange before its connection. trace.StreamWriter is one.
type Sink interface {
	WriteConnection(*trace.Connection) error
	WriteExchange(*trace.Exchange) error
}

// A Watcher is a Sink that hears of connections of TCP as they come and go, before there are
// records: at each SYN, FIN and RST, and at the first byte of each. A connection of which it
// hears gets a record.
type Watcher interface {
	Turn(connection int64, at linger.Instant, client, server netip.Addr)
}

// Options say how captures are read. The zero value is right for most.
type Options struct {
	// MaxTracked is how many flows are open at once at most; 0 is DefaultTracked. A full
	// table makes room as flow.Config has it, and Summary.Evicted counts that. A quarter of
	// them are kept for late packets when they are over.
	MaxTracked int
	// Each, if not nil, is called with each frame that belongs to a connection and is no
	// copy, and that connection's ID, before any record that it ends. What is in a tunnel
	// belongs to the connection that carries it. Read again, the same files give the same
	// IDs.
	Each func(f *pcap.Frame, connection int64)
	// Keys, if not nil, are the secrets by which what is encrypted is read. They may become
	// more while packets are added.
	Keys *secrets.Log
}

// DefaultTracked flows take some 250 MB of a Reader where each has a request that waits; what
// its sink keeps is beside that.
const DefaultTracked = 120_000

// A Summary is what the capture held, and what it did not. Counts are of all files.
type Summary struct {
	Files []pcap.File
	Began time.Time // the wall clock at Instant 0, the first frame
	// First and Last are the instants of the earliest and the latest frame; unknown
	// without one.
	First, Last linger.Opt[linger.Instant]

	Frames int64 // in all files
	Bytes  int64 // of all frames as they were on the link

	// Cut counts the frames of which not all was captured, and CutAt is the shortest of
	// them in bytes captured (tcpdump -s); 0 is none.
	Cut   int64
	CutAt int
	// Dropped counts the packets that the interfaces say they could not capture; unknown
	// where no file says it.
	Dropped linger.Opt[int64]
	// Duplicates counts the frames that hold a packet which had been captured before, on
	// another interface or on its way through the same host. They are in no record.
	Duplicates int64
	// NotIP counts the frames without IP (ARP, LLDP, ...), Malformed those whose headers
	// contradict each other or were not captured whole, Tunnelled the packets that were
	// inside others, Fragments the fragments of IP packets, and Incomplete the packets
	// of which not all fragments were captured.
	NotIP, Malformed, Tunnelled, Fragments, Incomplete int64
	// UnknownLinks counts the frames of each link type that is not read.
	UnknownLinks map[pcap.LinkType]int64
	// Jumps counts the times that a clock went back by more than a second, or ahead by more
	// than five years. From there on instants go on from the latest one. FirstJump is the
	// frame of the first.
	Jumps     int64
	FirstJump trace.Frames

	// Connections counts the records, by Protocol: of TCP, of DNS over UDP, of QUIC.
	// Exchanges likewise counts requests.
	Connections, Exchanges map[linger.Protocol]int64
	// OtherUDP counts the flows of UDP that have no record, neither DNS nor QUIC, and
	// OtherIP what is neither TCP nor UDP, between two hosts.
	OtherUDP, OtherIP int64
	// BeganBefore counts the connections without a SYN, StillOpen those that were open at
	// the end, OneDirection those of TCP of which only one side's packets were captured.
	BeganBefore, StillOpen, OneDirection int64
	// Unanswered counts the SYNs, retransmissions apart, that nothing came back for.
	Unanswered int64
	// Stray counts flows of a few packets without a SYN and without data: what came too
	// late for a connection that had ended. They have no record.
	Stray int64
	// Evicted counts the connections that were let go of for want of room: their records
	// end early.
	Evicted int64
	// Missing counts the bytes that sequence numbers show to have passed and that were
	// not captured, in Gaps places; what was cut off packets apart. Resynced counts the
	// times that HTTP was lost by that and found again.
	Missing, Gaps, Resynced int64
	// Unread counts the exchanges whose method, path or status refers to what was said before
	// the capture, or in what is missing of it (HPACK, QPACK): there they are empty.
	Unread int64
	// Joined counts the payloads of UDP that may hold several datagrams of QUIC, as the host
	// that captured them has joined them, and that could not be taken apart: each counts as one.
	Joined int64
	// Again counts the connections whose SYN was captured in several places.
	Again int64
	// CutQUIC counts the packets of QUIC that were not captured whole where there are keys:
	// none of these can be decrypted.
	CutQUIC int64
	// Keys counts the connections of TLS by how much of them the keys decrypted, where there
	// were keys.
	Keys map[trace.Keys]int64
}

// Read reads files to their end and hands on their records. The error is the sink's;
// problems of files are in Summary.Files.
func Read(files *pcap.Files, o Options, to Sink) (Summary, error) {
	r := New(o, to)
	for {
		f, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return r.Finish(), err
		}
		if err := r.Add(f); err != nil {
			return r.Finish(), err
		}
	}
	s := r.Finish()
	s.Read(files)
	return s, r.err
}

// Read adds what is known of the files when they have been read.
func (s *Summary) Read(files *pcap.Files) {
	s.Files, s.Began, s.Dropped = files.Info(), files.Began(), linger.Opt[int64]{}
	for _, file := range s.Files {
		for _, i := range file.Interfaces {
			if n, ok := i.Dropped.Get(); ok {
				s.Dropped = linger.Known(s.Dropped.Or(0) + n)
			}
		}
	}
}
