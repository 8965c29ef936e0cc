package packet

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/internal/testcert"
	"linger/trace"
	"linger/wire"
)

// A tapped socket keeps what passes it, as IP packets.
type tapped struct {
	net.PacketConn
	mu     sync.Mutex
	began  time.Time
	frames []pcap.Frame
}

func (s *tapped) WriteTo(b []byte, to net.Addr) (int, error) {
	s.keep(s.LocalAddr(), to, b)
	return s.PacketConn.WriteTo(b, to)
}

func (s *tapped) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.PacketConn.ReadFrom(b)
	if err == nil {
		s.keep(from, s.LocalAddr(), b[:n])
	}
	return n, from, err
}

func (s *tapped) keep(from, to net.Addr, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, t := netip.MustParseAddrPort(from.String()), netip.MustParseAddrPort(to.String())
	ip := make([]byte, 28, 28+len(b))
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(b)))
	binary.BigEndian.PutUint16(ip[4:], uint16(len(s.frames)))
	copy(ip[12:], f.Addr().AsSlice())
	copy(ip[16:], t.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[20:], f.Port())
	binary.BigEndian.PutUint16(ip[22:], t.Port())
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(b)))
	ip = append(ip, b...)
	const raw = 101
	s.frames = append(s.frames, pcap.Frame{At: linger.Instant(time.Since(s.began)), Number: int64(len(s.frames) + 1), Link: raw, Data: ip, Wire: len(ip)})
}

// A stage is a server of QUIC on loopback and a client's socket whose packets are kept.
type stage struct {
	*tapped
	keys   bytes.Buffer
	server net.PacketConn
	client *tls.Config
	secure *tls.Config
}

func newStage(t *testing.T, alpn string) *stage {
	t.Helper()
	t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // the socket is wrapped
	authority := testcert.SelfSigned(x509.Certificate{DNSNames: []string{"a.example"}})
	s := &stage{}
	listen := func() net.PacketConn {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	s.server = listen()
	s.tapped = &tapped{PacketConn: listen(), began: time.Now()}
	s.secure = &tls.Config{Certificates: []tls.Certificate{authority}, NextProtos: []string{alpn}}
	s.client = &tls.Config{InsecureSkipVerify: true, ServerName: "a.example", NextProtos: []string{alpn}, KeyLogWriter: &s.keys}
	return s
}

// read reads what was kept.
func (s *stage) read(t *testing.T) (to list, sum Summary) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	log := &secrets.Log{}
	log.Add(s.keys.Bytes())
	r := New(Options{Keys: log}, &to)
	for i := range s.frames {
		if err := r.Add(&s.frames[i]); err != nil {
			t.Fatal(err)
		}
	}
	return to, r.Finish()
}

func TestHTTP3OfAnotherStack(t *testing.T) {
	s := newStage(t, http3.NextProtoH3)
	handler := http.NewServeMux()
	handler.HandleFunc("/size/", func(out http.ResponseWriter, in *http.Request) {
		var n int
		fmt.Sscan(strings.TrimPrefix(in.URL.Path, "/size/"), &n)
		got, _ := io.Copy(io.Discard, in.Body)
		out.Header().Set("Server", "made")
		out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		out.Header().Set("X-Got", fmt.Sprint(got))
		if n == 304 {
			out.WriteHeader(n)
			return
		}
		out.Write(make([]byte, n))
	})
	handler.HandleFunc("/hint", func(out http.ResponseWriter, in *http.Request) {
		out.Header().Set("Link", "</a>")
		out.WriteHeader(http.StatusEarlyHints)
		out.Header().Set("Trailer", "X-Sum")
		io.WriteString(out, "hinted")
		out.Header().Set("X-Sum", "1")
	})
	handler.HandleFunc("/abort", func(out http.ResponseWriter, in *http.Request) {
		out.Write(make([]byte, 1000))
		out.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	server := &http3.Server{Handler: handler, TLSConfig: s.secure}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(s.server) }()
	defer func() { server.Close(); <-done }()

	stack := &quic.Transport{Conn: s.tapped}
	defer stack.Close()
	c, err := stack.Dial(t.Context(), s.server.LocalAddr(), s.client, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := (&http3.Transport{DisableCompression: true}).NewClientConn(c)
	type want struct {
		method, path string
		status       int
		up, down     int64
		failed       string
	}
	var wants []want
	fetch := func(method, path string, up int) {
		q, _ := http.NewRequest(method, "https://a.example"+path, io.LimitReader(zeros{}, int64(up)))
		if up == 0 {
			q.Body = nil
		}
		q.ContentLength = int64(up)
		q.Header.Set("User-Agent", "client 1")
		res, err := client.RoundTrip(q)
		w := want{method: method, path: path, up: int64(up)}
		if err == nil {
			w.status = res.StatusCode
			w.down, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if (err != nil) != (path == "/abort") {
			t.Fatalf("%s: %v", path, err)
		}
		wants = append(wants, w)
	}
	for _, n := range []int{0, 1, 1000, 300_000, 304} {
		fetch("GET", fmt.Sprintf("/size/%d", n), 0)
	}
	fetch("HEAD", "/size/5", 0)
	fetch("POST", "/size/7", 200_000)
	fetch("GET", "/hint", 0)
	fetch("GET", "/abort", 0)
	fetch("GET", "/none", 0)
	for i := range 100 {
		fetch("GET", fmt.Sprintf("/size/%d", 10*i), 0)
	}
	c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	<-c.Context().Done()
	got, sum := s.read(t)
	if len(got.connections) != 1 || sum.Unread != 0 {
		t.Fatalf("%d connections, %d unread", len(got.connections), sum.Unread)
	}
	k := got.connections[0]
	if k.Protocol != linger.H3 || k.Requests != len(wants) || k.Agent != "client 1" || k.Software != "made" || k.Origin != "a.example" || k.Known.Protocol != trace.Decrypted {
		t.Errorf("%+v", k)
	}
	slices.SortFunc(got.exchanges, func(a, b trace.Exchange) int { return a.Number - b.Number })
	if len(got.exchanges) != len(wants) {
		t.Fatalf("%d exchanges, want %d", len(got.exchanges), len(wants))
	}
	for i, w := range wants {
		x := got.exchanges[i]
		if w.path == "/abort" { // what its client has seen of it is for the stack to know
			w.status, w.down, w.failed = x.Status, x.ResponseBody, "server ended the exchange with H3_INTERNAL_ERROR"
		}
		if x.Number != i+1 || x.Method != w.method || x.URL != "https://a.example"+w.path || x.Status != w.status || x.RequestBody != w.up || x.ResponseBody != w.down ||
			x.Failed != w.failed || x.Known != trace.Decrypted || x.Stream != linger.Known(int64(4*i)) {
			t.Errorf("%+v, want %+v", x, w)
		}
		if w.failed != "" {
			continue
		}
		if sent, first, last := x.Sent.Or(-1), x.FirstByte.Or(-1), x.Done.Or(linger.Never); sent < 0 || first < sent || last < first {
			t.Errorf("%s: sent %d, first byte %d, done %d", w.path, sent, first, last)
		}
	}
}

// zeros is content without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestDNSOverQUICOfAnotherStack(t *testing.T) {
	s := newStage(t, linger.DNSOverQUIC.ALPN())
	listener, err := quic.Listen(s.server, s.secure, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := listener.Accept(t.Context())
		if err != nil {
			return
		}
		for {
			stream, err := c.AcceptStream(t.Context())
			if err != nil {
				return
			}
			if message, err := wire.ReadMessage(stream, nil); err == nil {
				stream.Write(wire.AppendMessage(nil, refused(message)))
				stream.Close()
			}
		}
	}()
	stack := &quic.Transport{Conn: s.tapped}
	c, err := stack.Dial(t.Context(), s.server.LocalAddr(), s.client, nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	for i := range n {
		stream, err := c.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(wire.AppendMessage(nil, query(t, fmt.Sprintf("name%d.example", i))))
		stream.Close()
		if _, err := io.ReadAll(stream); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseWithError(wire.DoQNoError, "")
	<-done
	stack.Close()
	got, _ := s.read(t)
	if len(got.connections) != 1 || len(got.exchanges) != n || got.connections[0].Protocol != linger.DNSOverQUIC || got.connections[0].Requests != n {
		t.Fatalf("%d exchanges, %+v", len(got.exchanges), got.connections)
	}
	for i, x := range got.exchanges {
		if !strings.HasSuffix(x.URL, fmt.Sprintf("/name%d.example?type=A", i)) || x.Rcode != "REFUSED" || x.Failed != "" || x.RequestBody != 128 {
			t.Errorf("%+v", x)
		}
	}
}
