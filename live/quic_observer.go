package live

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
)

// An observer learns from the events of a QUIC stack what its interface does not
// say, and passes them on to a qlog where one is wanted. The stack calls it from
// several goroutines.
type observer struct {
	session *h3Session          // that is told what concerns HTTP; nil is nobody
	limit   func(total int64)   // is told how many streams there may be; nil is nobody
	idle    func(time.Duration) // is told after how long without a packet the server lets go; nil is nobody

	file *qlogwriter.FileSeq // nil where no qlog is wanted
	done chan struct{}       // the qlog is complete; nil where there is none

	mu    sync.Mutex
	up    cryptoBytes
	down  cryptoBytes
	retry bool  // the server has validated the address by a Retry packet
	early bool  // early data can be sent: the parameters for it are there
	lost  int64 // packets, without those that probe the path's MTU
}

// trace begins the events of a connection. They are written to qlog, unless it is
// nil.
func (o *observer) trace(w io.WriteCloser) qlogwriter.Trace {
	if w != nil {
		o.done = make(chan struct{})
		o.file = qlogwriter.NewConnectionFileSeq(&qlogFile{bufio.NewWriter(w), w, o.done}, true, quic.ConnectionID{})
		go o.file.Run()
	}
	return o
}

// wait returns when the qlog is complete, which it is soon after the connection
// has ended.
func (o *observer) wait() {
	if o.done == nil {
		return
	}
	select {
	case <-o.done:
	case <-time.After(maxDrain):
	}
}

// AddProducer implements qlogwriter.Trace.
func (o *observer) AddProducer() qlogwriter.Recorder {
	r := &recorder{observer: o}
	if o.file != nil {
		r.file = o.file.AddProducer()
	}
	return r
}

// A recorder is what one layer of the stack hands its events to.
type recorder struct {
	*observer
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
	if r.session != nil {
		r.http(e)
	}
}

// discreet is an event without the values of the fields that the Message has: a qlog is
// handed on, and they may be secret.
func (r *recorder) discreet(e qlogwriter.Event) qlogwriter.Event {
	created, ok := e.(h3qlog.FrameCreated)
	if !ok || r.session == nil || len(r.session.base.to.Message.Fields) == 0 {
		return e
	}
	head, ok := created.Frame.Frame.(h3qlog.HeadersFrame)
	if !ok {
		return e
	}
	fields := slices.Clone(head.HeaderFields)
	for i, f := range fields {
		if _, own := r.session.base.to.Message.field(f.Name); own {
			fields[i].Value = "withheld"
		}
	}
	created.Frame.Frame = h3qlog.HeadersFrame{HeaderFields: fields}
	return created
}

// transport counts what the connection itself does.
func (o *observer) transport(e qlogwriter.Event) {
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
			o.retry = o.retry || e.Header.PacketType == qlog.PacketTypeRetry
			o.mu.Unlock()
		}
		for _, f := range e.Frames {
			switch f := f.Frame.(type) {
			case *qlog.MaxStreamsFrame:
				if f.Type == bidirectional {
					o.allow(int64(f.MaxStreamNum))
				}
			case *qlog.StreamFrame:
				if f.Fin && o.session != nil {
					o.session.streamEnded(f.StreamID, f.Offset+f.Length)
				}
			}
		}
	case qlog.ParametersRestored:
		o.mu.Lock()
		o.early = true
		o.mu.Unlock()
		o.allow(e.InitialMaxStreamsBidi)
	case qlog.ParametersSet:
		if e.Initiator == qlog.InitiatorRemote {
			o.allow(e.InitialMaxStreamsBidi)
			// RFC 9000, 10.1: of two limits the shorter one counts. What is shorter than
			// leastIdle the stack tells as that, and so it is not known.
			if o.idle != nil && e.MaxIdleTimeout > leastIdle && e.MaxIdleTimeout < quicIdle {
				o.idle(e.MaxIdleTimeout)
			}
		}
	case qlog.PacketLost:
		// RFC 9000, 14.4: "Loss of a QUIC packet that is carried in a PMTU probe is
		// therefore not a reliable indication of congestion".
		if !e.IsMTUProbePacket {
			o.mu.Lock()
			o.lost++
			o.mu.Unlock()
		}
	}
}

// allow tells how many streams of requests the server allows from the beginning on.
func (o *observer) allow(total int64) {
	if o.limit != nil {
		o.limit(total)
	}
}

// leastIdle is the shortest idle limit of a server that the stack takes for its word
// (quic-go's MinRemoteIdleTimeout).
const leastIdle = 5 * time.Second

// bidirectional is what a MAX_STREAMS frame of the stack has for the type of the
// streams that requests go on. The stack does not export the name.
const bidirectional = 1

// http tells the session what concerns its requests.
func (o *observer) http(e qlogwriter.Event) {
	switch e := e.(type) {
	case h3qlog.FrameCreated:
		if f, ok := e.Frame.Frame.(h3qlog.HeadersFrame); ok {
			o.session.created(e.StreamID, f.HeaderFields, int64(e.Raw.PayloadLength))
		}
	case h3qlog.FrameParsed:
		fields := int64(0)
		if _, ok := e.Frame.Frame.(h3qlog.HeadersFrame); ok {
			fields = int64(e.Raw.PayloadLength)
		}
		o.session.parsed(e.StreamID, fields, int64(e.Raw.Length))
		if f, ok := e.Frame.Frame.(h3qlog.GoAwayFrame); ok {
			o.session.goAway(f.StreamID)
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
