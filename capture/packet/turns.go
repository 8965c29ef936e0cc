package packet

import (
	"strings"
	"time"

	"linger"
	"linger/capture/quic"
	"linger/capture/talk"
	"linger/capture/tls"
	"linger/capture/turns"
	"linger/flow"
	"linger/trace"
	"linger/wire"
)

// inferring infers exchanges on a connection whose bytes are encrypted. What was decrypted is
// inferred too, and only counted, so that it can be held against what was read.
type inferring struct {
	turns turns.Reader
	r     *Reader
	c     *conn
	// readable, if not nil, reports whether what passes is decrypted by now.
	readable func() bool
	protocol linger.Protocol // of exchanges
	emitted  int64
	ids      [2]int // how long the connection IDs are by which a side addresses the other
	leaving  leaving
}

// begin begins with a connection. It may be called again.
func (i *inferring) begin(r *Reader, c *conn) {
	if i.r == nil {
		i.r, i.c, i.protocol = r, c, linger.TLS
		i.turns.Each, i.turns.Near = i.turn, c.near
	}
}

// nearly is the round trip between the place of capture and the client, as far as it may be
// relied on: the handshake's may have been slower than others. 0 is not known.
func nearly(f *flow.Flow, client flow.End) time.Duration {
	answered, ok := f.SYNACK.Get()
	done, ok2 := f.ACK.Get()
	if !ok || !ok2 || f.Sent(client).SYN > 1 || f.Sent(client.Other()).SYN > 1 {
		return 0
	}
	return done.Sub(answered) / 2
}

// hello takes in what the hellos say in the clear.
func (i *inferring) hello(t trace.TLS) {
	i.turns.Hello(t)
	i.leaving.hello(t)
	if i.turns.Exchanges() && len(t.Offered) > 0 {
		i.protocol = linger.HTTP11
	}
}

// record takes in a record of TLS.
func (i *inferring) record(rec tls.Record) {
	i.leaving.record(rec)
	i.turns.Add(turns.Piece{From: rec.From, Size: rec.Size, Kind: rec.Kind, Began: rec.Began, Ended: rec.Ended})
}

// datagram takes in a datagram of QUIC, of which b was captured: its packets that the handshake
// is not in (RFC 9000, 12.2 and 17).
func (i *inferring) datagram(from talk.Side, b []byte, size int, m mark) {
	i.turns.QUIC()
	for len(b) > 0 && size > 0 {
		if b[0]&0x80 == 0 {
			i.packet(from, size, m)
			return
		}
		h, ok := quic.ParseHeader(b)
		if !ok {
			return
		}
		switch n := h.Size(); h.Kind {
		case quic.Initial, quic.Handshake, quic.ZeroRTT:
			if i.ids[from.Other()] == 0 { // by which its sender wants to be addressed
				i.ids[from.Other()] = len(h.From)
			}
			if h.Kind == quic.ZeroRTT {
				i.packet(from, min(n, size), m)
			}
			b, size = b[min(n, len(b)):], size-n
		default:
			return
		}
	}
}

// packet takes in a packet of QUIC that carries what is said, without its header and tag.
func (i *inferring) packet(from talk.Side, size int, m mark) {
	const header, tag = 1 + 2, 16 // of packet numbers most have two bytes, or one
	size -= header + i.ids[from] + tag
	i.turns.Add(turns.Piece{From: from, Size: int64(max(size, 0)), Began: m, Ended: m})
}

// turn hands on an exchange, where a turn is taken for one and it is not known otherwise.
func (i *inferring) turn(t turns.Turn) {
	if !i.turns.Exchanges() || i.readable != nil && i.readable() {
		return
	}
	i.emitted++
	x := trace.Exchange{
		ID: i.r.shared.Next(), Connection: i.c.id, Number: t.Number, Attempts: 1, Known: trace.Inferred,
		Queued: t.Sent.At, Sent: linger.Known(t.Sent.At), RequestBody: t.Up, ResponseBody: t.Down,
		Frames: trace.Frames{First: t.Sent.Frame, Last: t.Sent.Frame, FirstFile: t.Sent.File, LastFile: t.Sent.File},
	}
	if t.Answered {
		x.FirstByte, x.Done = linger.Known(t.FirstByte.At), linger.Known(t.Done.At)
		x.Frames.Last, x.Frames.LastFile = t.Done.Frame, t.Done.File
		x.AnswerFrames = trace.Frames{First: t.FirstByte.Frame, Last: t.Done.Frame, FirstFile: t.FirstByte.File, LastFile: t.Done.File}
	} else {
		x.Failed = talk.NoResponse
	}
	i.r.shared.Emit(i.protocol, &x)
}

// close ends the last turn.
func (i *inferring) close(why string) { i.turns.Close() }

// tell puts what was inferred into the record of the connection.
func (i *inferring) tell(t *trace.Connection) {
	if i.r == nil {
		return
	}
	t.Turns = linger.Known(i.turns.Turns)
	if i.readable == nil || !i.readable() {
		i.leaving.tell(t)
		if active, ok := i.turns.Active.Get(); ok && !i.turns.Exchanges() && active.At < t.LastByte.Or(0) {
			t.LastByte = linger.Known(active.At) // PING and its like are no use of a connection
		}
	}
	if i.emitted > 0 && t.Requests == 0 {
		t.Requests, t.Known.Requests = int(i.emitted), trace.Inferred
	}
}

// A leaving looks for the server's GOAWAY where HTTP/2 may be spoken (RFC 9113, 6.8): a last record
// that has the size of one without debug data, which the client neither asked for by a record of
// that size, as by PING, nor answered by one. Servers say it when a connection has idled for too
// long, and some go on to hold the connection for seconds.
type leaving struct {
	size   int64 // of a record with a GOAWAY; 0 where none is looked for
	before mark  // the last record before it
	at     mark
	last   mark
	from   talk.Side
	of     int64 // the size of the last
}

// sizeOfGOAWAY is a frame's head, a stream and a code.
const sizeOfGOAWAY = 9 + 8

func (l *leaving) hello(t trace.TLS) {
	l.size = 0
	speaks := t.ALPN == linger.H2.ALPN()
	for _, o := range t.Offered {
		speaks = speaks || t.Version == "1.3" && t.ALPN == "" && o == linger.H2.ALPN()
	}
	switch {
	case !speaks:
	case t.Version == "1.3":
		l.size = sizeOfGOAWAY + 1 + 16 // what it is, and a tag (RFC 8446, 5.2)
	case strings.Contains(t.Cipher, "CHACHA20"):
		l.size = sizeOfGOAWAY + 16 // RFC 7905
	case strings.Contains(t.Cipher, "GCM"):
		l.size = sizeOfGOAWAY + 8 + 16 // with a nonce (RFC 5288)
	}
}

func (l *leaving) record(rec tls.Record) {
	if l.size == 0 || rec.Kind != wire.RecordData || rec.Size == sizeOfAlert {
		return
	}
	if rec.From == talk.Server && rec.Size == l.size && (l.from != talk.Client || l.of != l.size) {
		l.before, l.at = l.last, rec.Ended
	} else {
		l.at = mark{}
	}
	l.last, l.from, l.of = rec.Ended, rec.From, rec.Size
}

// sizeOfAlert is that of a record with an alert in TLS 1.3.
const sizeOfAlert = 2 + 1 + 16

func (l *leaving) tell(t *trace.Connection) {
	if l.at.Frame == 0 || l.before.Frame == 0 || !t.Announced.IsZero() {
		return
	}
	t.Announced, t.AnnouncedBy, t.AnnouncedWith, t.Known.Announced = linger.Known(l.at.At), trace.AtServer, trace.GOAWAY, trace.Inferred
	t.LastByte = linger.Known(l.before.At)
}
