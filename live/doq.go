package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/quic-go/quic-go"

	"linger"
	"linger/dns"
)

// Error codes of DNS over QUIC (RFC 9250, 4.3).
const (
	doqNoError       = 0x0
	doqInternalError = 0x1
	doqProtocolError = 0x2
	doqCancelled     = 0x3
	doqExcessiveLoad = 0x4
	doqUnspecified   = 0x5
)

var doqErrors = map[uint64]string{
	doqNoError: "DOQ_NO_ERROR", doqInternalError: "DOQ_INTERNAL_ERROR", doqProtocolError: "DOQ_PROTOCOL_ERROR",
	doqCancelled: "DOQ_REQUEST_CANCELLED", doqExcessiveLoad: "DOQ_EXCESSIVE_LOAD", doqUnspecified: "DOQ_UNSPECIFIED_ERROR",
}

func doqError(code uint64) string {
	if name, ok := doqErrors[code]; ok {
		return name
	}
	return fmt.Sprintf("error 0x%x", code)
}

// alpnDoQ is what DNS over QUIC is called in the handshake (RFC 9250, 4.1).
const alpnDoQ = "doq"

// doq is DNS over QUIC (RFC 9250).
type doq struct{ *overQUIC }

func newDoQ(ctx context.Context, r *run, to Config) (protocol, error) {
	base, err := newOverQUIC(ctx, r, to, alpnDoQ)
	return doq{base}, err
}

func (p doq) speak(c *conn) {
	s := &doqSession{quicSession: newQUICSession(c)}
	p.carry(&s.quicSession, s)
}

// A doqSession is DNS over QUIC on one connection, each query on a stream of its own
// (RFC 9250, 4.2).
type doqSession struct{ quicSession }

func (s *doqSession) renew() {}

// send opens a stream and writes the query on it, the length in front. The end of the
// stream says that no further data will be sent (RFC 9250, 4.2).
func (s *doqSession) send(q request) {
	stream, err := s.quic.OpenStreamSync(s.quic.Context())
	if errors.Is(err, quic.Err0RTTRejected) && s.isReady() {
		stream, err = s.quic.OpenStreamSync(s.quic.Context())
	}
	if err != nil {
		return // the connection has ended, and says so
	}
	message := q.query.message
	out := append(binary.BigEndian.AppendUint16(make([]byte, 0, lengthPrefix+len(message)), uint16(len(message))), message...)
	at := s.run.now()
	s.tell(event{kind: sent, exchange: q.index, at: at, head: lengthPrefix})
	s.tell(event{kind: uploaded, exchange: q.index, at: at, body: int64(len(message))})
	_, err = stream.Write(out)
	_ = stream.Close()
	s.exchanges.Go(func() { s.receive(stream, q, err) })
}

// isReady waits until it is known whether the server took the early data. It returns
// false where the connection has ended before.
func (s *doqSession) isReady() bool {
	select {
	case <-s.settled:
		return true
	case <-s.quic.Context().Done():
		return false
	}
}

// receive reads the answer to a query that was written with that error.
func (s *doqSession) receive(stream *quic.Stream, q request, err error) {
	room := messages.Get().(*[linger.MaxMessage]byte)
	defer messages.Put(room)
	in := &stamped{Reader: stream, now: s.run.now}
	var prefix [lengthPrefix]byte
	message := room[:0]
	if err == nil {
		_, err = io.ReadFull(in, prefix[:])
	}
	if err == nil {
		message = room[:binary.BigEndian.Uint16(prefix[:])]
		_, err = io.ReadFull(in, message)
		err = unexpected(err)
	}
	if errors.Is(err, quic.Err0RTTRejected) {
		// It was not processed (RFC 9001, 4.6.2), and is no longer the connection's.
		if s.isReady() {
			s.tell(event{kind: rejected, exchange: q.index, at: s.run.now(), ending: ending{reason: "server did not take early data"}})
		}
		return
	}
	defer func() {
		s.mu.Lock()
		s.finished++
		s.mu.Unlock()
	}()
	e := event{kind: done, exchange: q.index, at: in.at, head: lengthPrefix, body: int64(len(message)), persists: true}
	if err != nil {
		s.failed(e, err)
		return
	}
	// An answer may overtake the end of the handshake, without which the connection
	// would stand in the trace as none.
	s.isReady()
	m, err := q.query.read(message)
	switch {
	case len(message) >= dns.HeaderSize && m.ID != 0:
		s.broken(fmt.Sprintf("an answer with the ID %d, not 0", m.ID))
		return
	case m.HasKeepalive:
		s.broken("an answer with edns-tcp-keepalive")
		return
	case err != nil:
		e.reason = err.Error()
	default:
		e.rcode, e.reason = q.query.verdict(m)
	}
	s.tell(e)
	// The stream is over, and forgotten, once its end has been read.
	if n, _ := io.Copy(io.Discard, stream); n > 0 {
		s.broken("more than one answer to a query")
	}
}

// failed tells that a query had no answer.
func (s *doqSession) failed(e event, err error) {
	failure, ok := errors.AsType[*quic.StreamError](err)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		s.broken("a stream that ended before its answer")
		return
	case !ok: // the connection's end, which is told once for all that are on it
		<-s.quic.Context().Done()
		return
	}
	e.reason = "server ended the stream with " + doqError(uint64(failure.ErrorCode))
	e.kind, e.body, e.at = reset, 0, s.run.now()
	s.tell(e)
}

// broken gives the connection up for what the server did. RFC 9250, 4.3.3, counts an
// ID other than 0, a stream that ends too early, another number of answers than
// expected and edns-tcp-keepalive among the errors that are fatal to all of it.
func (s *doqSession) broken(what string) {
	_ = s.quic.CloseWithError(doqProtocolError, what)
}

// ending puts the end of the connection into words.
func (s *doqSession) ending(err error) ending {
	const speaks = "DNS over QUIC"
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return closedWith(e, doqNoError, doqError(uint64(e.ErrorCode)), speaks)
	}
	return quicEnding(err, speaks, alpnDoQ)
}
