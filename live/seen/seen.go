// Package seen learns from the events of a QUIC stack what the stack's interface does not say:
// how many bytes a handshake takes, how many streams a server allows, which packets are lost,
// what frames HTTP/3 consists of. An [Observer] is given to the stack as the tracer of one
// connection; it may pass the events on to a qlog file.
package seen

import (
	"bufio"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	h3qlog "github.com/quic-go/quic-go/http3/qlog"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	"linger/dial"
	"linger/wire"
)

// HTTP is told what concerns the requests of a connection. The stack's goroutines call it.
type HTTP interface {
	// Created hears that the stack has put a request on a stream, its fields taking size
	// bytes. They are about to be written.
	Created(id quic.StreamID, fields []h3qlog.HeaderField, size int64)
	// Parsed hears of a frame of a response: the size of its fields, if it is a field
	// section, and that of the whole frame, negative where the stack does not say.
	Parsed(id quic.StreamID, fields, frame int64)
	// Calm hears of a frame or a stream of the server, and whether that carries something of
	// a response.
	Calm(carries bool)
	// StreamEnded hears that the server has ended a stream, and of the stream's size. The
	// frame that says so may come again.
	StreamEnded(id quic.StreamID, size int64)
	// GoAway hears that the server processes no request from stream first on.
	GoAway(first quic.StreamID)
}

// Facts are what has been seen of a connection so far.
type Facts struct {
	Up, Down int64 // bytes of the TLS handshake, each once, however often it was sent
	Retry    bool  // the server has validated the address by a Retry packet
	Early    bool  // early data can be sent: the parameters for it are there
	Lost     int64 // packets, without those that probe the path's MTU
}

// An Observer observes one connection. Its fields are set before the connection is opened, and
// nil is nobody.
type Observer struct {
	HTTP  HTTP
	Limit func(total int64)   // is told how many streams there may be from the beginning on
	Idle  func(time.Duration) // is told after how long without a packet the server lets go
	// Secret says of which fields of requests no qlog has the value: it is handed on.
	Secret func(name string) bool

	file *qlogwriter.FileSeq // nil where no qlog is wanted
	done chan struct{}       // the qlog is complete; nil where there is none

	mu    sync.Mutex
	up    cryptoBytes
	down  cryptoBytes
	facts Facts // but for the bytes
}

// Facts returns what has been seen.
func (o *Observer) Facts() Facts {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.facts
	f.Up, f.Down = o.up.sum(), o.down.sum()
	return f
}

// Trace begins the events of a connection. They are written to qlog, unless it is
// nil.
func (o *Observer) Trace(w io.WriteCloser) qlogwriter.Trace {
	if w != nil {
		o.done = make(chan struct{})
		o.file = qlogwriter.NewConnectionFileSeq(&qlogFile{bufio.NewWriter(w), w, o.done}, true, quic.ConnectionID{})
		go o.file.Run()
	}
	return o
}

// Wait returns when the qlog is complete, which it is soon after the connection
// has ended.
func (o *Observer) Wait() {
	if o.done == nil {
		return
	}
	select {
	case <-o.done:
	case <-time.After(dial.MaxDrain):
	}
}

// AddProducer implements qlogwriter.Trace.
func (o *Observer) AddProducer() qlogwriter.Recorder {
	r := &recorder{Observer: o}
	if o.file != nil {
		r.file = o.file.AddProducer()
	}
	return r
}

// A recorder is what one layer of the stack hands its events to.
type recorder struct {
	*Observer
	file qlogwriter.Recorder
}

func (r *recorder) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

func (r *recorder) RecordEvent(e qlogwriter.Event) {
	if r.file != nil {
		r.file.RecordEvent(r.discreet(e))
	}
	r.transport(e)
	if r.HTTP != nil {
		r.http(e)
	}
}

// discreet is an event without the values of the fields that are secret.
func (r *recorder) discreet(e qlogwriter.Event) qlogwriter.Event {
	created, ok := e.(h3qlog.FrameCreated)
	if !ok || r.Secret == nil {
		return e
	}
	head, ok := created.Frame.Frame.(h3qlog.HeadersFrame)
	if !ok {
		return e
	}
	fields := slices.Clone(head.HeaderFields)
	for i, f := range fields {
		if r.Secret(f.Name) {
			fields[i].Value = "withheld"
		}
	}
	created.Frame.Frame = h3qlog.HeadersFrame{HeaderFields: fields}
	return created
}

// transport counts what the connection itself does.
func (o *Observer) transport(e qlogwriter.Event) {
	switch e := e.(type) {
	case qlog.PacketSent:
		if e.Header.PacketType != qlog.PacketType1RTT {
			o.mu.Lock()
			o.up.add(e.Header.PacketType, e.Frames)
			o.mu.Unlock()
		}
	case qlog.PacketReceived:
		if e.Header.PacketType != qlog.PacketType1RTT {
			o.mu.Lock()
			o.down.add(e.Header.PacketType, e.Frames)
			o.facts.Retry = o.facts.Retry || e.Header.PacketType == qlog.PacketTypeRetry
			o.mu.Unlock()
		}
		for _, f := range e.Frames {
			switch f := f.Frame.(type) {
			case *qlog.MaxStreamsFrame:
				if f.Type == bidirectional {
					o.allow(int64(f.MaxStreamNum))
				}
			case *qlog.StreamFrame:
				if f.Fin && o.HTTP != nil {
					o.HTTP.StreamEnded(f.StreamID, f.Offset+f.Length)
				}
			}
		}
	case qlog.ParametersRestored:
		o.mu.Lock()
		o.facts.Early = true
		o.mu.Unlock()
		o.allow(e.InitialMaxStreamsBidi)
	case qlog.ParametersSet:
		if e.Initiator == qlog.InitiatorRemote {
			o.allow(e.InitialMaxStreamsBidi)
			// RFC 9000, 10.1: of two limits the shorter one counts. What is shorter than
			// LeastIdle the stack tells as that, and so it is not known.
			if o.Idle != nil && e.MaxIdleTimeout > wire.LeastIdle && e.MaxIdleTimeout < wire.QUICIdle {
				o.Idle(e.MaxIdleTimeout)
			}
		}
	case qlog.PacketLost:
		// RFC 9000, 14.4: "Loss of a QUIC packet that is carried in a PMTU probe is
		// therefore not a reliable indication of congestion".
		if !e.IsMTUProbePacket {
			o.mu.Lock()
			o.facts.Lost++
			o.mu.Unlock()
		}
	}
}

// allow tells how many streams of requests the server allows from the beginning on.
func (o *Observer) allow(total int64) {
	if o.Limit != nil {
		o.Limit(total)
	}
}

// bidirectional is what a MAX_STREAMS frame of the stack has for the type of the
// streams that requests go on. The stack does not export the name.
const bidirectional = 1

// http tells HTTP what concerns its requests.
func (o *Observer) http(e qlogwriter.Event) {
	switch e := e.(type) {
	case h3qlog.FrameCreated:
		if f, ok := e.Frame.Frame.(h3qlog.HeadersFrame); ok {
			o.HTTP.Created(e.StreamID, f.HeaderFields, int64(e.Raw.PayloadLength))
		}
	case h3qlog.StreamTypeSet:
		o.HTTP.Calm(false)
	case h3qlog.FrameParsed:
		fields, content := int64(0), int64(0)
		switch e.Frame.Frame.(type) {
		case h3qlog.HeadersFrame:
			// Of one that was not read to its end the stack has no length but the announced one.
			if e.Raw.Length >= 0 {
				fields = int64(e.Raw.PayloadLength)
			}
		case h3qlog.DataFrame:
			content = int64(e.Raw.PayloadLength)
		}
		o.HTTP.Parsed(e.StreamID, fields, int64(e.Raw.Length))
		o.HTTP.Calm(fields > 0 || content > 0)
		if f, ok := e.Frame.Frame.(h3qlog.GoAwayFrame); ok {
			o.HTTP.GoAway(f.StreamID)
		}
	}
}

// cryptoBytes counts the bytes of CRYPTO frames at the Initial and the Handshake
// level, each once, however often it is sent. Session tickets come after those.
type cryptoBytes struct{ initial, handshake int64 }

func (c *cryptoBytes) add(packet qlog.PacketType, frames []qlog.Frame) {
	for _, f := range frames {
		if f, ok := f.Frame.(*qlog.CryptoFrame); ok {
			switch packet {
			case qlog.PacketTypeInitial:
				c.initial = max(c.initial, f.Offset+f.Length)
			case qlog.PacketTypeHandshake:
				c.handshake = max(c.handshake, f.Offset+f.Length)
			}
		}
	}
}

func (c *cryptoBytes) sum() int64 { return c.initial + c.handshake }

// A qlogFile is the writer of one qlog. A write that fails is the affair of who
// gave the writer: the stack would complain on standard error.
type qlogFile struct {
	buf  *bufio.Writer
	file io.Closer
	done chan<- struct{}
}

func (q *qlogFile) Write(p []byte) (int, error) {
	_, _ = q.buf.Write(p)
	return len(p), nil
}

func (q *qlogFile) Close() error {
	defer close(q.done)
	_ = q.buf.Flush()
	return q.file.Close()
}
