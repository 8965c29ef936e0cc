package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/quic-go/quic-go"

	"linger/policy"
	"linger/trace"
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

// doq is DNS over QUIC (RFC 9250).
type doq struct{ *overQUIC }

func newDoQ(ctx context.Context, r *run) (protocol, error) {
	base, err := newOverQUIC(ctx, r, "doq")
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
// stream says "that no further data will be sent" (RFC 9250, 4.2).
func (s *doqSession) send(q request) {
	stream, err := s.quic.OpenStreamSync(s.quic.Context())
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
	early := !s.isSettled()
	s.exchanges.Go(func() { s.receive(stream, q, err, early) })
}

func (s *doqSession) isSettled() bool {
	select {
	case <-s.settled:
		return true
	default:
		return false
	}
}

// receive reads the answer to a query that was written with that error, before the
// handshake was done or after it.
func (s *doqSession) receive(stream *quic.Stream, q request, err error, early bool) {
	defer func() {
		s.mu.Lock()
		s.finished++
		s.mu.Unlock()
	}()
	if early {
		// A stream whose early data was rejected must not be touched: another one has
		// its number then.
		select {
		case <-s.settled:
		case <-s.quic.Context().Done():
			return
		}
		if s.isRejected() {
			s.tell(event{kind: rejected, exchange: q.index, at: s.run.now(), ending: ending{reason: "server did not take early data"}})
			return
		}
	}
	in := &stamped{Reader: stream, now: s.run.now}
	var prefix [lengthPrefix]byte
	var message []byte
	if err == nil {
		_, err = io.ReadFull(in, prefix[:])
	}
	if err == nil {
		message = make([]byte, binary.BigEndian.Uint16(prefix[:]))
		_, err = io.ReadFull(in, message)
		err = unexpected(err)
	}
	e := event{kind: done, exchange: q.index, at: in.at, head: lengthPrefix, body: int64(len(message)), persists: true}
	if err != nil {
		if s.quic.Context().Err() != nil {
			return // told once for all that are on it
		}
		e.kind, e.body, e.at = reset, 0, s.run.now()
		if failure, ok := errors.AsType[*quic.StreamError](err); ok && failure.Remote {
			e.reason = "server ended the stream with " + doqError(uint64(failure.ErrorCode))
		} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			e.reason = "server ended the stream before its answer"
		} else {
			e.reason = brief(cause(err))
		}
		s.tell(e)
		return
	}
	m, err := q.query.read(message)
	switch {
	case err != nil:
		e.reason = err.Error()
	case !m.Keepalive.IsZero():
		// RFC 9250, 5.5.2, forbids the option here, and has it treated as an error of
		// the whole connection.
		_ = s.quic.CloseWithError(doqProtocolError, "edns-tcp-keepalive")
		return
	default:
		e.rcode, e.reason = q.query.verdict(m)
	}
	s.tell(e)
}

// ending puts the end of the connection into words.
func (s *doqSession) ending(err error) ending { return doqEnding(err) }

func doqEnding(err error) ending {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return ending{policy.Reset, trace.AtServer, "nothing listens on that UDP port (ICMP port unreachable); the server may have no DNS over QUIC"}
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		code := doqError(uint64(e.ErrorCode))
		if e.ErrorMessage != "" {
			code += ": " + brief(e.ErrorMessage)
		}
		switch {
		case !e.Remote:
			return ending{policy.Malformed, trace.AtClient, "server broke DNS over QUIC: " + code}
		case e.ErrorCode == doqNoError:
			return ending{policy.ClosedByPeer, trace.AtServer, "server closed the connection"}
		}
		return ending{policy.Reset, trace.AtServer, "server closed the connection with " + code}
	}
	return quicEnding(err)
}
