package packet

import (
	"encoding/binary"
	"time"

	"linger"
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
	if i.turns.Exchanges() && len(t.Offered) > 0 {
		i.protocol = linger.HTTP11
	}
}

// record takes in a record of TLS.
func (i *inferring) record(rec tls.Record) {
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
		early, own, n := longHeader(b)
		if n <= 0 {
			return
		}
		if i.ids[from.Other()] == 0 {
			i.ids[from.Other()] = own
		}
		if early {
			i.packet(from, min(n, size), m)
		}
		b, size = b[min(n, len(b)):], size-n
	}
}

// packet takes in a packet of QUIC that carries what is said, without its header and tag.
func (i *inferring) packet(from talk.Side, size int, m mark) {
	const header, tag = 1 + 2, 16 // of packet numbers most have two bytes, or one
	size -= header + i.ids[from] + tag
	i.turns.Add(turns.Piece{From: from, Size: int64(max(size, 0)), Began: m, Ended: m})
}

// longHeader reads how long the packet is that b begins with, whether it is one of 0-RTT, and
// how long the connection ID is by which its sender wants to be addressed. n is 0 where nothing
// follows that can be found.
func longHeader(b []byte) (early bool, own, n int) {
	if len(b) < 7 {
		return false, 0, 0
	}
	version, kind := binary.BigEndian.Uint32(b[1:]), b[0]>>4&3
	if version == versionQUIC2 {
		kind = (kind + 3) & 3 // RFC 9369, 3.2
	}
	at := 6 + int(b[5])
	if version == 0 || kind == 3 || len(b) <= at {
		return false, 0, 0 // a negotiation, or a Retry
	}
	own = int(b[at])
	if at += 1 + own; kind == 0 && at < len(b) {
		token, size, err := wire.ParseVarint(b[at:])
		if err != nil || token > uint64(len(b)) {
			return false, own, 0
		}
		at += size + int(token)
	}
	if at >= len(b) {
		return false, own, 0
	}
	rest, size, err := wire.ParseVarint(b[at:])
	if err != nil || rest > 1<<16 {
		return false, own, 0
	}
	return kind == 1, own, at + size + int(rest)
}

// versionQUIC2 is QUIC's version 2 (RFC 9369, 3.1).
const versionQUIC2 = 0x6b3343cf

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
	if i.emitted > 0 && t.Requests == 0 {
		t.Requests, t.Known.Requests = int(i.emitted), trace.Inferred
	}
}
