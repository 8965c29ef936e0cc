package load

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger/ask"
	"linger/dial"
	"linger/tally"
)

// openH2 returns what opens connections of HTTP/2: net/http's own, over sockets of ours.
func (s *setup) openH2(o *origin, connect func(context.Context) (*socket, error)) openFunc {
	return func(ctx context.Context) (session, error) {
		var k *socket
		t := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
		dialOurs := func(ctx context.Context, _, _ string) (net.Conn, error) {
			var err error
			if k, err = connect(ctx); err != nil {
				return nil, err
			}
			if k.tls != nil {
				return k.tls, nil // it is looked at for its ALPN
			}
			return k, nil
		}
		t.Protocols.SetHTTP2(o.tls != nil)
		t.Protocols.SetUnencryptedHTTP2(o.tls == nil)
		t.DialContext, t.DialTLSContext = dialOurs, dialOurs
		c, err := t.NewClientConn(ctx, o.scheme, o.address)
		if err != nil {
			if k != nil {
				k.finish(false)
			}
			return nil, err
		}
		return &streams{patience: s.Answer, trip: c.RoundTrip, of: k,
			alive: func() bool { return c.Err() == nil },
			end: func(reset bool) tally.Close {
				gone := c.Err() != nil && k.end.Load() == nil
				out := k.finish(reset)
				_ = c.Close()
				if gone && out.By == tally.ByClient {
					out = tally.Close{By: tally.ByServer, With: withGoAway}
				}
				return out
			}}, nil
	}
}

// openH3 returns what opens connections of HTTP/3.
func (s *setup) openH3(o *origin) openFunc {
	transport := &http3.Transport{DisableCompression: true}
	if o.tls.ClientSessionCache != nil {
		o.tls.ClientSessionCache = dial.OwnSessions{ClientSessionCache: o.tls.ClientSessionCache}
	}
	var turn atomic.Uint32
	return func(ctx context.Context) (session, error) {
		var local netip.Addr
		if n := len(s.Locals); n > 0 {
			local = s.Locals[int(turn.Add(1))%n]
		}
		c := &quic.Config{HandshakeIdleTimeout: s.Connect, MaxIdleTimeout: max(2*s.Answer, time.Minute)}
		q, err := dial.QUIC(ctx, local, o.addresses, o.tls, c, s.Strategy.EarlyData)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, quicFailure(err)
		}
		h := transport.NewClientConn(q.Conn)
		return &streams{patience: s.Answer, trip: h.RoundTrip, of: quicState{q}, earlyGets: s.Strategy.EarlyData,
			alive:   func() bool { return q.Context().Err() == nil && h.Context().Err() == nil },
			settled: q.HandshakeComplete(),
			end: func(bool) tally.Close {
				by := tally.Close{By: tally.ByClient, With: withGoAway}
				if q.Context().Err() != nil {
					by = quicClose(context.Cause(q.Context()))
				}
				q.End(quic.ApplicationErrorCode(http3.ErrCodeNoError))
				return by
			}}, nil
	}
}

// quicState is what a connection of QUIC says of its handshake.
type quicState struct{ q *dial.QUICConn }

func (s quicState) handshake() (resumed, ok bool) {
	return s.done() && s.q.ConnectionState().TLS.DidResume, true
}

func (s quicState) early() bool { return s.done() && s.q.ConnectionState().Used0RTT }

// done reports whether the handshake is over: until then, its state is the stack's own.
func (s quicState) done() bool {
	select {
	case <-s.q.HandshakeComplete():
		return true
	default:
		return false
	}
}

// quicFailure is why a connection of QUIC could not be opened.
func quicFailure(err error) error {
	var idle *quic.IdleTimeoutError
	var slow *quic.HandshakeTimeoutError
	if errors.As(err, &idle) || errors.As(err, &slow) {
		return failure{tally.TimedOut, err}
	}
	if kind := kindOf(err); kind != tally.OtherError {
		return failure{kind, err}
	}
	return failure{tally.Handshake, err}
}

// quicClose is who ended a connection of QUIC, by its error.
func quicClose(err error) tally.Close {
	var app *quic.ApplicationError
	var transport *quic.TransportError
	var idle *quic.IdleTimeoutError
	switch {
	case errors.As(err, &app) && app.Remote || errors.As(err, &transport) && transport.Remote:
		return tally.Close{By: tally.ByServer, With: withGoAway}
	case errors.As(err, &idle):
		return tally.Close{By: tally.ByClient, With: withSilence, Why: tally.WhyFailed}
	}
	return tally.Close{By: tally.ByClient, With: withGoAway, Why: tally.WhyFailed}
}

// streams is a connection of HTTP/2 or HTTP/3.
type streams struct {
	patience time.Duration
	trip     func(*http.Request) (*http.Response, error)
	of       interface {
		handshake() (resumed, ok bool)
		early() bool
	}
	earlyGets bool
	settled   <-chan struct{} // the handshake is over; nil where it was from the beginning on
	alive     func() bool
	end       func(reset bool) tally.Close
}

func (s *streams) handshake() (resumed, ok bool) { return s.of.handshake() }
func (s *streams) early() bool                   { return s.earlyGets && s.of.early() }
func (s *streams) lives() bool                   { return s.alive() }
func (s *streams) close(reset bool) tally.Close  { return s.end(reset) }

func (s *streams) do(ctx context.Context, t *target, _ bool, at marks) (a outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	r := t.streamed.WithContext(ctx)
	if s.earlyGets && r.Method == http.MethodGet {
		r.Method = http3.MethodGet0RTT
	}
	if n := len(t.Message.Content); n > 0 {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(t.Message.Content)), int64(n)
		a.up = int64(n)
	}
	at.sent()
	resp, err := s.trip(r)
	if err != nil {
		return a, s.fault(ctx, err)
	}
	defer resp.Body.Close()
	at.first()
	a.begun, a.status = true, resp.StatusCode
	if a.down, err = io.Copy(io.Discard, resp.Body); err != nil {
		return a, s.fault(ctx, err)
	}
	if s.settled != nil {
		select {
		case <-s.settled:
		case <-ctx.Done():
		}
	}
	return a, nil
}

// fault gives an error of a request its kind.
func (s *streams) fault(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failure{tally.TimedOut, err}
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if kind := kindOf(err); kind != tally.OtherError {
		return failure{kind, err}
	}
	if s.alive() {
		return failure{tally.StreamReset, err}
	}
	return failure{tally.ClosedEarly, err}
}

// streamed is a target's request as net/http has it.
func (s *setup) streamed(t *target) *http.Request {
	host := s.authority(t)
	r := &http.Request{Method: t.method, Host: host, Header: http.Header{}, Proto: "HTTP/2.0", ProtoMajor: 2}
	r.URL = &url.URL{Scheme: t.Scheme, Host: host, Opaque: ""}
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(t.Path, "?")
	if path, err := url.PathUnescape(r.URL.Path); err == nil {
		r.URL.Path, r.URL.RawPath = path, r.URL.Path
	}
	for _, f := range ask.Fields(t.request(false), t.Scheme, host, t.Message) {
		if !strings.HasPrefix(f.Name, ":") && f.Name != "content-length" {
			r.Header.Add(f.Name, f.Value)
		}
	}
	return r
}
