package live

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/ask"
	"linger/content"
	"linger/policy"
	"linger/trace"
)

// A h3Server is a server of the QUIC stack's own, on loopback.
type h3Server struct {
	http3.Server
	socket    *net.UDPConn
	transport *quic.Transport
	listener  *quic.EarlyListener
	accepted  atomic.Int64 // connections
	roots     *x509.CertPool
}

// startH3 starts a server; tune may change it before. handler nil serves w.
func startH3(t testing.TB, w linger.Workload, handler http.HandlerFunc, tune func(*h3Server)) *h3Server {
	t.Helper()
	a := newAuthority(t)
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if handler == nil {
		handler = serving(w)
	}
	s := &h3Server{socket: socket, transport: &quic.Transport{Conn: socket}, roots: a.roots()}
	s.Handler = handler
	s.TLSConfig = http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{a.issue(nil)}})
	s.QUICConfig = &quic.Config{Allow0RTT: true}
	s.ConnContext = func(ctx context.Context, q *quic.Conn) context.Context {
		s.accepted.Add(1)
		return context.WithValue(ctx, connectionKey{}, q)
	}
	if tune != nil {
		tune(s)
	}
	s.serve(t)
	t.Cleanup(func() {
		s.Close()
		s.transport.Close()
		socket.Close()
	})
	return s
}

type connectionKey struct{}

// connectionOf is the server's connection that a request came on.
func connectionOf(in *http.Request) *quic.Conn {
	return in.Context().Value(connectionKey{}).(*quic.Conn)
}

func (s *h3Server) serve(t testing.TB) {
	t.Helper()
	l, err := s.transport.ListenEarly(s.TLSConfig, s.QUICConfig)
	if err != nil {
		t.Fatal(err)
	}
	s.listener = l
	go s.ServeListener(l)
}

func (s *h3Server) config() Config {
	return Config{Address: s.socket.LocalAddr().String(), Roots: s.roots, Verify: true}
}

// serving answers as a workload wants it.
func serving(w linger.Workload) http.HandlerFunc {
	byName := make(map[string]int)
	for i, e := range w.Exchanges {
		byName[e.Method+" "+e.Path] = i
	}
	return func(out http.ResponseWriter, in *http.Request) {
		i, ok := byName[in.Method+" "+in.RequestURI]
		if !ok {
			http.Error(out, "not of this workload", http.StatusNotFound)
			return
		}
		e := w.Exchanges[i]
		if n, err := io.Copy(io.Discard, in.Body); n != e.RequestBody || err != nil {
			http.Error(out, fmt.Sprint(n, err), http.StatusBadRequest)
			return
		}
		out.Header().Set("Content-Type", e.ContentType)
		out.WriteHeader(e.Status)
		io.Copy(out, content.Body(w, i))
	}
}

// slowly makes a server wait before it begins a handshake, so that early data is on
// its way by then. The stack's client reads the server's parameters, for the stream
// of early data that it opens, without holding off the handshake that replaces them.
func slowly(s *h3Server) {
	s.QUICConfig.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) {
		time.Sleep(20 * time.Millisecond)
		return &quic.Config{Allow0RTT: true}, nil
	}
}

// objects is a workload of n small objects that nothing names.
func objects(n int) linger.Workload {
	w := linger.Workload{Name: "objects", Scheme: "https"}
	for i := range n {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "GET", Path: fmt.Sprintf("/%d", i), Status: 200,
			ContentType: "application/octet-stream", ResponseBody: 1000, Parent: linger.NoParent})
	}
	return w
}

// wantDelivered checks that each exchange is there, its stamps in order.
func wantDelivered(t testing.TB, tr *trace.Trace) {
	t.Helper()
	for _, x := range tr.Exchanges {
		if x.Failed != "" {
			t.Errorf("%s: %s", x.URL, x.Failed)
			continue
		}
		sent, first, done := x.Sent.Or(-1), x.FirstByte.Or(-1), x.Done.Or(-1)
		if sent < x.Queued || first < sent || done < first {
			t.Errorf("%s: queued %d, sent %d, first byte %d, done %d", x.URL, x.Queued, sent, first, done)
		}
		if x.RequestHead <= 0 || x.ResponseHead <= 0 {
			t.Errorf("%s: heads of %d and %d bytes", x.URL, x.RequestHead, x.ResponseHead)
		}
	}
}

func TestGalleryOverHTTP3(t *testing.T) {
	w := over(t, linger.Gallery(1), "https")
	for _, test := range []struct {
		strategy    string
		connections int
	}{{"h3", 1}, {"h3:2", 2}} {
		t.Run(test.strategy, func(t *testing.T) {
			s := startH3(t, w, nil, nil)
			tr := fetch(t, w, test.strategy, s.config())
			wantDelivered(t, tr)
			if len(tr.Exchanges) != 41 || len(tr.Connections) != test.connections || s.accepted.Load() != int64(test.connections) {
				t.Errorf("%d exchanges, %d connections, the server saw %d", len(tr.Exchanges), len(tr.Connections), s.accepted.Load())
			}
			var bytes int64
			for _, x := range tr.Exchanges {
				bytes += x.ResponseBody
			}
			if bytes != w.Bytes() {
				t.Errorf("%d bytes of %d", bytes, w.Bytes())
			}
			for _, k := range tr.Connections {
				h, ok := k.TLS.Get()
				q, known := k.QUIC.Get()
				if !ok || !known {
					t.Fatalf("TLS and QUIC are unknown: %+v", k)
				}
				if h.Version != "1.3" || h.ALPN != "h3" || h.Resumed || !h.EarlyData.IsZero() || h.Certificates < 300 ||
					h.Up < 200 || h.Down < h.Certificates || h.Up > 4000 || h.Down > 4000 {
					t.Errorf("TLS %+v", h)
				}
				if q.Version != "1" || q.Retry || q.RTT <= 0 {
					t.Errorf("QUIC %+v", q)
				}
				if k.Protocol != "h3" || !k.Established.IsZero() || k.Connected.Or(0) != k.Secured.Or(1) || k.Closed.IsZero() ||
					k.ClosedBy != trace.AtClient || k.Server != s.socket.LocalAddr().String() || !strings.HasPrefix(k.Client, "127.0.0.1:") {
					t.Errorf("connection %+v", k)
				}
			}
		})
	}
}

func TestHTTP3KindsOfExchanges(t *testing.T) {
	w := linger.Workload{Name: "kinds", Scheme: "https", Exchanges: []linger.Exchange{
		{Method: "GET", Path: "//two/slashes?q=1", Status: 200, ContentType: "text/plain", ResponseBody: 10, Parent: linger.NoParent},
		{Method: "HEAD", Path: "/head", Status: 200, Parent: linger.NoParent},
		{Method: "GET", Path: "/same", Status: 304, Parent: linger.NoParent},
		{Method: "GET", Path: "/none", Status: 204, Parent: linger.NoParent},
		{Method: "POST", Path: "/empty", Status: 200, ResponseBody: 5, Parent: linger.NoParent},
		{Method: "POST", Path: "/big", Status: 201, RequestBody: 3 << 20, ResponseBody: 1 << 20, Parent: linger.NoParent},
		{Method: "DELETE", Path: "/padded", Status: 200, RequestHead: 2000, ResponseBody: 1, Parent: linger.NoParent},
	}}
	s := startH3(t, w, nil, nil)
	tr := fetch(t, w, "h3", s.config())
	wantDelivered(t, tr)
	for i, e := range w.Exchanges {
		x := tr.Exchanges[i]
		if x.RequestBody != e.RequestBody || x.ResponseBody != e.ResponseBody || x.Status != e.Status {
			t.Errorf("%s: %d bytes up, %d down, status %d", x.URL, x.RequestBody, x.ResponseBody, x.Status)
		}
	}
	// Six bits for a dot, in the code of the fields (RFC 7541, B).
	if head := tr.Exchanges[6].RequestHead; head < 1200 || head > 2000 {
		t.Errorf("a head of 2000 bytes is %d bytes on the wire", head)
	}
}

func TestHTTP3Resumes(t *testing.T) {
	w := objects(4)
	s := startH3(t, w, nil, nil)
	strategy, _ := linger.ParseStrategy("h3+resume")
	strategy.MaxRequests = 2
	c := s.config()
	c.Limits = policy.DefaultLimits
	c.Limits.Linger = time.Millisecond
	strategy.InFlight = 1
	tr, err := Run(t.Context(), linger.Scenario{Workload: w, Strategy: strategy}, c)
	if err != nil {
		t.Fatal(err)
	}
	wantDelivered(t, tr)
	if len(tr.Connections) != 2 {
		t.Fatalf("%d connections", len(tr.Connections))
	}
	first, _ := tr.Connections[0].TLS.Get()
	second, _ := tr.Connections[1].TLS.Get()
	if first.Resumed || !second.Resumed || second.Certificates != 0 || second.Down >= first.Down || !second.EarlyData.IsZero() {
		t.Errorf("first %+v, second %+v", first, second)
	}
}

func TestHTTP3EarlyData(t *testing.T) {
	w := objects(3)
	w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "POST", Path: "/post", Status: 200, RequestBody: 100, ResponseBody: 10, Parent: linger.NoParent})
	var taken, unsafe atomic.Int64
	handle := serving(w)
	s := startH3(t, w, func(out http.ResponseWriter, in *http.Request) {
		if connectionOf(in).ConnectionState().Used0RTT {
			taken.Add(1)
		}
		if !in.TLS.HandshakeComplete && in.Method == "POST" {
			unsafe.Add(1)
		}
		handle(out, in)
	}, slowly)
	tr := fetch(t, w, "h3+0rtt", s.config())
	wantDelivered(t, tr)
	if len(tr.Connections) != 1 || s.accepted.Load() != 2 || tr.Retries != 0 {
		t.Fatalf("%d connections, the server saw %d; %d retries", len(tr.Connections), s.accepted.Load(), tr.Retries)
	}
	k := tr.Connections[0]
	h, _ := k.TLS.Get()
	if !h.EarlyData.Or(false) || !h.Resumed || k.Connected.Or(0) >= k.Secured.Or(0) {
		t.Errorf("%+v %+v", k, h)
	}
	if taken.Load() != 4 || unsafe.Load() != 0 {
		t.Errorf("%d on a connection with early data, %d of them early and not safe", taken.Load(), unsafe.Load())
	}
	for _, x := range tr.Exchanges[:3] {
		if x.Sent.Or(linger.Never) >= k.Secured.Or(0) {
			t.Errorf("%s was sent after the handshake", x.URL)
		}
	}
	if post := tr.Exchanges[3]; post.Sent.Or(0) < k.Secured.Or(linger.Never) {
		t.Errorf("%s was sent before the handshake", post.URL)
	}
}

func TestHTTP3EarlyDataRejected(t *testing.T) {
	w := objects(3)
	var refuse atomic.Bool
	s := startH3(t, w, nil, func(s *h3Server) {
		s.QUICConfig.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) {
			time.Sleep(20 * time.Millisecond)
			return &quic.Config{Allow0RTT: !refuse.Swap(true)}, nil
		}
	})
	tr := fetch(t, w, "h3+0rtt", s.config())
	wantDelivered(t, tr)
	h, _ := tr.Connections[0].TLS.Get()
	taken, known := h.EarlyData.Get()
	if len(tr.Connections) != 1 || !known || taken || !h.Resumed {
		t.Errorf("%d connections, %+v", len(tr.Connections), h)
	}
	again := 0
	for _, x := range tr.Exchanges {
		again += x.Attempts - 1
	}
	if again != tr.Retries {
		t.Errorf("%d were sent again, with %d retries", again, tr.Retries)
	}
}

func TestHTTP3TicketOfAnotherServer(t *testing.T) {
	w := objects(3)
	s := startH3(t, w, nil, func(s *h3Server) {
		slowly(s)
		// Each connection meets other ticket keys.
		plain := s.TLSConfig
		s.TLSConfig = plain.Clone()
		s.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := plain.Clone()
			var key [32]byte
			rand.Read(key[:])
			c.SetSessionTicketKeys([][32]byte{key})
			return c, nil
		}
	})
	tr := fetch(t, w, "h3+0rtt", s.config())
	wantDelivered(t, tr)
	h, _ := tr.Connections[0].TLS.Get()
	taken, known := h.EarlyData.Get()
	if len(tr.Connections) != 1 || !known || taken || h.Resumed || h.Certificates == 0 {
		t.Errorf("%d connections, %+v", len(tr.Connections), h)
	}
}

func TestHTTP3GoAway(t *testing.T) {
	w := objects(40)
	var once sync.Once
	handle := serving(w)
	s := startH3(t, w, nil, func(s *h3Server) {
		s.Handler = http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
			if in.URL.Path == "/10" {
				once.Do(func() { go s.replace(t) })
			}
			handle(out, in)
		})
	})
	strategy, _ := linger.ParseStrategy("h3")
	strategy.InFlight = 2
	w.Exchanges[11].Think = 100 * time.Millisecond
	for i := range w.Exchanges[12:] {
		w.Exchanges[12+i].Parent, w.Exchanges[12+i].At = 11, 1000
	}
	tr, err := Run(t.Context(), linger.Scenario{Workload: w, Strategy: strategy}, s.config())
	if err != nil {
		t.Fatal(err)
	}
	wantDelivered(t, tr)
	if len(tr.Connections) != 2 || !strings.Contains(tr.Connections[0].Reason, "goodbye") {
		t.Errorf("%d connections, the first ended with %q", len(tr.Connections), tr.Connections[0].Reason)
	}
}

// replace shuts the server down in good order, and has another take its place.
func (s *h3Server) replace(t testing.TB) {
	s.listener.Close()
	l, err := s.transport.ListenEarly(s.TLSConfig, s.QUICConfig)
	if err != nil {
		t.Error(err)
		return
	}
	next := &http3.Server{Handler: s.Handler}
	t.Cleanup(func() { next.Close() })
	go next.ServeListener(l)
	s.Shutdown(context.Background())
}

// TestHTTP3TurnedAway has exchanges end on a connection whose server has said
// GOAWAY: those that it does not process are no failures.
func TestHTTP3TurnedAway(t *testing.T) {
	unusable := errors.New("http3: conn unusable: connection in graceful shutdown")
	turnedAway := &http3.Error{Remote: true, ErrorCode: http3.ErrCodeRequestRejected}
	for _, test := range []struct {
		name   string
		stream quic.StreamID
		err    error
	}{
		{"no stream", -1, unusable},
		{"rejected", 8, turnedAway},
	} {
		r := &run{events: make(chan event, 1)}
		s := &h3Session{quicSession: newQUICSession(&conn{run: r}), goneAway: true}
		x := &h3Exchange{request: request{Request: ask.Request{Index: 7}}, stream: test.stream}
		s.failed(x, test.err, event{})
		if e := <-r.events; e.kind != goaway || !slices.Equal(e.refused, []int{7}) || e.reason != saidGoAway {
			t.Errorf("%s: %+v", test.name, e)
		}
	}
}

// TestHTTP3StackDone has our own stack close a connection after GOAWAY while a request is
// about to have a stream: the server broke nothing.
func TestHTTP3StackDone(t *testing.T) {
	own := &quic.ApplicationError{ErrorCode: quic.ApplicationErrorCode(http3.ErrCodeNoError)}
	for _, said := range []bool{true, false} {
		s := &h3Session{quicSession: newQUICSession(&conn{run: &run{}}), goneAway: said}
		over := s.ending(own)
		if isOver := over.cause == policy.ClosedByPeer && over.reason == saidGoAway; isOver != said {
			t.Errorf("GOAWAY %v: %+v", said, over)
		}
	}
}
