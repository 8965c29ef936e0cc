// Package tls says how many bytes TLS 1.3 (RFC 8446) adds to a connection over TCP,
// as Go's crypto/tls speaks it with this program's certificates: the flights of the
// handshake, and the records that what is written is cut into. Nothing is encrypted.
package tls

import "linger/wire"

const (
	// RecordOverhead is what a protected record has beside its content: header,
	// content type, and the tag of AES-128-GCM (RFC 8446, 5.2).
	RecordOverhead = wire.RecordHeaderSize + 1 + 16
	// AlertBytes are those of close_notify, two bytes in a record.
	AlertBytes = 2 + RecordOverhead
	// Certificates is the size in DER of the origin's chain for two names: in the middle,
	// since three signatures of it vary by a byte or two each.
	Certificates = 2699

	// boostAfter is when records are no longer made to fit packets, mssEstimate what
	// packets are taken to hold (crypto/tls, conn.go).
	boostAfter  = 128 << 10
	mssEstimate = 1208
)

// Sizes that were read in captures of the lab (crypto/tls of Go 1.26): the hello has
// a key share of X25519MLKEM768 and one of X25519, the answer has certificate,
// signature and Finished in records of their own.
const (
	helloBytes = 1499 // without the name of host and protocol
	// offerBytes are added where sessions are kept, pskBytes where one is continued.
	offerBytes = 10
	pskBytes   = 162
	// fullBytes are the server's flight without the protocol's name, resumedBytes the
	// same without certificates, ticketBytes the ticket behind both.
	fullBytes    = 4158
	resumedBytes = 1318
	ticketBytes  = 146
	// finishedBytes are the client's second flight: a ChangeCipherSpec for middleboxes
	// (RFC 8446, D.4), and Finished.
	finishedBytes = 64
)

// A Handshake is one of them, in bytes on the wire.
type Handshake struct {
	Hello    int // client
	Answer   int // server, its ticket included
	Finished int // client
	Ticket   int // of Answer
}

// NewHandshake returns the handshake with a host for a protocol (ALPN), whose chain has
// so many bytes of names more than Certificates. keeps says that the client keeps
// sessions, resumed that it continues one.
func NewHandshake(host, protocol string, names int, keeps, resumed bool) Handshake {
	h := Handshake{Hello: helloBytes + len(host) + len(protocol), Answer: fullBytes + len(protocol) + names, Finished: finishedBytes}
	if keeps {
		h.Hello += offerBytes
		h.Ticket = ticketBytes
	}
	if resumed {
		h.Hello += pskBytes - offerBytes
		h.Answer = resumedBytes + len(protocol)
	}
	h.Answer += h.Ticket
	return h
}

// A Cutter cuts what one side writes into records (crypto/tls, maxPayloadSizeForWrite):
// the first have the size of a packet, each is longer than the one before, and after
// 128 KiB all are as long as may be.
type Cutter struct {
	sent    int64
	records int
}

// Handshaken notes bytes of the handshake, which count.
func (c *Cutter) Handshaken(n int) { c.sent += int64(n) }

// Next returns how many of n bytes the next record holds. On the wire it has
// RecordOverhead more.
func (c *Cutter) Next(n int) int {
	most := wire.MaxPlaintext
	if c.sent < boostAfter {
		c.records++
		most = min(wire.MaxPlaintext, (mssEstimate-RecordOverhead)*c.records)
	}
	n = min(n, most)
	c.sent += int64(n + RecordOverhead)
	return n
}

// Sizes of the messages in CRYPTO frames of QUIC (RFC 9001, 4), read in captures of the
// lab: quic-go's transport parameters are in hello and flight. The server's signature
// varies by two bytes.
const (
	quicHello       = 1501 // without the name of host and protocol
	quicOffer       = 15   // where sessions are kept
	quicPSK         = 206  // where one is continued
	quicEarly       = 4    // where early data is sent with it
	quicServerHello = 1178
	quicSelectedPSK = 6
	quicFlight      = 2955    // without the name of the protocol
	quicShortFlight = 161 - 4 // without certificates
	quicFinished    = 36
	quicTicket      = 181
	// QUICToken is the size of an address validation token (RFC 9000, 8.1.3).
	QUICToken = 105
)

// Messages are a handshake's, in bytes.
type Messages struct{ Hello, ServerHello, Flight, Finished, Ticket int64 }

// QUIC returns the messages of a handshake with a host for a protocol (ALPN), whose chain
// has so many bytes of names more than Certificates. keeps says that the client keeps
// sessions, resumed that it continues one, early that it sends early data.
func QUIC(host, protocol string, names int, keeps, resumed, early bool) Messages {
	m := Messages{Hello: int64(quicHello + len(host) + len(protocol)), ServerHello: quicServerHello, Flight: quicFlight + int64(names+len(protocol)), Finished: quicFinished, Ticket: quicTicket}
	if keeps {
		m.Hello += quicOffer
	}
	if resumed {
		m.Hello += quicPSK - quicOffer
		m.ServerHello += quicSelectedPSK
		m.Flight = quicShortFlight + int64(len(protocol))
	}
	if early {
		m.Hello += quicEarly
		m.Flight += quicEarly
	}
	return m
}
