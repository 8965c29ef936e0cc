package packet

import (
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

// A walker finds the records of one side by their headers, and has what is in them passed over.
type walker struct {
	head  [wire.RecordHeaderSize]byte
	have  int
	began mark
	size  int64 // of what is in the record under way
	left  int64 // of it, to come
	// passed is how many bytes the last call asked to be passed over; before the next one
	// they are taken off left.
	passed int64
	in     bool
	lost   bool
}

// data takes in bytes, and returns how many of those that follow are of no use.
func (w *walker) data(b []byte, m mark, each func(kind byte, size int64, began, ended mark)) int64 {
	for !w.lost {
		if w.in {
			n := min(int64(len(b)), w.left)
			if w.left -= n; w.left > 0 {
				return w.left
			}
			b, w.in, w.have = b[n:], false, 0
			each(w.head[0], w.size, w.began, m)
		}
		if len(b) == 0 {
			return 0
		}
		if w.have == 0 {
			w.began = m
		}
		n := copy(w.head[w.have:], b)
		if b, w.have = b[n:], w.have+n; w.have < len(w.head) {
			return 0
		}
		if looksTLS(append(w.head[:], 0)) != isTLS {
			w.lost = true
			break
		}
		w.size = int64(wire.RecordSize(w.head[:]))
		w.left, w.in = w.size, true
	}
	return talk.Forever
}
