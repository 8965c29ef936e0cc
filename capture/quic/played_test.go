package quic_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"linger"
	"linger/capture/quic"
	"linger/capture/secrets"
	"linger/capture/talk"
	ctls "linger/capture/tls"
	"linger/internal/testcert"
)

const patience = 20 * time.Second

// A datagram is one that was sent.
type datagram struct {
	from, to string
	b        []byte
	at       linger.Instant
}

// A wire carries datagrams between sockets in memory, and keeps them in the order in which they
// were sent.
type wire struct {
	mu    sync.Mutex
	ends  map[string]*end
	log   []datagram
	began time.Time
	// lose says which datagrams do not arrive, by their number and their sender.
	lose func(n int, from string) bool
}

func newWire() *wire { return &wire{ends: map[string]*end{}, began: time.Now()} }

// An end is a socket.
type end struct {
	wire   *wire
	addr   net.UDPAddr
	in     chan datagram
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex
	deadline chan struct{}
	timer    *time.Timer
}

func (w *wire) listen(host byte, port int) *end {
	e := &end{wire: w, addr: net.UDPAddr{IP: net.IPv4(192, 0, 2, host).To4(), Port: port}, in: make(chan datagram, 10_000), closed: make(chan struct{}), deadline: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[e.addr.String()] = e
	return e
}

func (e *end) WriteTo(b []byte, to net.Addr) (int, error) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	d := datagram{e.addr.String(), to.String(), bytes.Clone(b), linger.Instant(time.Since(w.began))}
	w.log = append(w.log, d)
	if w.lose != nil && w.lose(len(w.log)-1, d.from) {
		return len(b), nil
	}
	if o := w.ends[d.to]; o != nil {
		select {
		case o.in <- d:
		default:
		}
	}
	return len(b), nil
}

func (e *end) ReadFrom(b []byte) (int, net.Addr, error) {
	e.mu.Lock()
	deadline := e.deadline
	e.mu.Unlock()
	select {
	case d := <-e.in:
		a, err := net.ResolveUDPAddr("udp", d.from)
		return copy(b, d.b), a, err
	case <-deadline:
		return 0, nil, timeout{}
	case <-e.closed:
		return 0, nil, net.ErrClosed
	}
}

type timeout struct{}

func (timeout) Error() string   { return "timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func (e *end) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
	}
	e.deadline = make(chan struct{})
	if !t.IsZero() {
		d := e.deadline
		e.timer = time.AfterFunc(time.Until(t), func() { close(d) })
	}
	return nil
}

func (e *end) SetWriteDeadline(time.Time) error { return nil }
func (e *end) SetDeadline(t time.Time) error    { return e.SetReadDeadline(t) }
func (e *end) SetReadBuffer(int) error          { return nil }
func (e *end) SetWriteBuffer(int) error         { return nil }
func (e *end) LocalAddr() net.Addr              { return &e.addr }
func (e *end) Close() error                     { e.once.Do(func() { close(e.closed) }); return nil }

// A keyLog is what both sides write their secrets into.
type keyLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (k *keyLog) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.Write(b)
}

func (k *keyLog) log() *secrets.Log {
	l := &secrets.Log{}
	k.mu.Lock()
	defer k.mu.Unlock()
	l.Add(k.b.Bytes())
	return l
}

// A world is a server, and what a client needs to reach it.
type world struct {
	*wire
	server    *end
	transport *quicgo.Transport
	tls       *tls.Config // the client's
	keys      keyLog
}

// serve answers each stream with what came on it, size times over.
func serve(t testing.TB, c *quicgo.Config, change func(*quicgo.Transport, *tls.Config)) *world {
	t.Helper()
	w := &world{wire: newWire()}
	w.server = w.listen(1, 443)
	cert := testcert.SelfSigned(x509.Certificate{DNSNames: []string{"www.example"}})
	st := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"echo"}, MinVersion: tls.VersionTLS13}
	w.tls = &tls.Config{RootCAs: testcert.Roots(cert), ServerName: "www.example", NextProtos: []string{"echo"}, KeyLogWriter: &w.keys, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	w.transport = &quicgo.Transport{Conn: w.server, ConnectionIDLength: 6}
	if change != nil {
		change(w.transport, st)
	}
	l, err := w.transport.ListenEarly(st, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.server.Close(); w.transport.Close() })
	go func() {
		for {
			q, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				for {
					s, err := q.AcceptStream(context.Background())
					if err != nil {
						return
					}
					go func() {
						b, err := io.ReadAll(s)
						if err != nil {
							return
						}
						for range 2 {
							s.Write(b)
						}
						s.Close()
					}()
				}
			}()
		}
	}()
	return w
}

// dial opens a connection from a port.
func (w *world) dial(t testing.TB, port int, idLength int, c *quicgo.Config, early bool) (*quicgo.Conn, *quicgo.Transport) {
	t.Helper()
	tr := &quicgo.Transport{Conn: w.listen(2, port), ConnectionIDLength: idLength}
	t.Cleanup(func() { tr.Conn.Close(); tr.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	dial := tr.Dial
	if early {
		dial = tr.DialEarly
	}
	q, err := dial(ctx, &w.server.addr, w.tls, c)
	if err != nil {
		t.Fatal(err)
	}
	return q, tr
}

// ask sends n bytes on a stream of its own, and waits for the answer.
func ask(t testing.TB, q *quicgo.Conn, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := q.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(content(n)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(s)
	if err != nil || !bytes.Equal(b, append(content(n), content(n)...)) {
		t.Fatalf("the answer has %d bytes (%v), want %d", len(b), err, 2*n)
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

// settle waits until nothing more is sent.
func (w *world) settle() []datagram {
	for n := -1; ; {
		time.Sleep(60 * time.Millisecond)
		w.mu.Lock()
		now := len(w.log)
		log := append([]datagram(nil), w.log...)
		w.mu.Unlock()
		if now == n {
			return log
		}
		n = now
	}
}

// A heard is what a connection handed on.
type heard struct {
	t       testing.TB
	streams [2]map[int64][]byte
	fins    [2]map[int64]bool
	gaps    int64
	resets  []string
	closes  []quic.Close
	packets [2]int64
	bytes   [2]int64
	opened  [2]int64
	windows int
	ids     [2]int
}

func newHeard(t testing.TB) *heard {
	h := &heard{t: t}
	for s := range h.streams {
		h.streams[s], h.fins[s] = map[int64][]byte{}, map[int64]bool{}
	}
	return h
}

func (h *heard) Stream(id int64, from talk.Side, b []byte, fin bool, m talk.Mark) {
	if h.fins[from][id] {
		h.t.Errorf("stream %d of side %d goes on after its end", id, from)
	}
	h.streams[from][id] = append(h.streams[from][id], b...)
	h.fins[from][id] = fin
}
func (h *heard) Gap(id int64, from talk.Side, n int64, m talk.Mark) {
	h.gaps += n
	if n < 1<<20 {
		h.streams[from][id] = append(h.streams[from][id], make([]byte, n)...)
	}
}
func (h *heard) Reset(id int64, from talk.Side, stop bool, code uint64, m talk.Mark) {
	h.resets = append(h.resets, fmt.Sprint(id, from, stop, code))
}
func (h *heard) Window(int64, talk.Side, bool, talk.Mark) { h.windows++ }
func (h *heard) Packet(from talk.Side, size int64, opened bool, m talk.Mark) {
	h.packets[from]++
	h.bytes[from] += size
	if opened {
		h.opened[from]++
	}
}
func (h *heard) Closed(c quic.Close, m talk.Mark) { h.closes = append(h.closes, c) }

// read hands datagrams to a connection, and checks that it owns them.
func read(t testing.TB, log []datagram, keys *secrets.Log) (*quic.Conn, *heard) {
	return readAll(t, log, keys, keys != nil)
}

// readRotated does so where IDs are changed in packets that cannot be opened.
func readRotated(t testing.TB, log []datagram, keys *secrets.Log) (*quic.Conn, *heard) {
	return readAll(t, log, keys, false)
}

func readAll(t testing.TB, log []datagram, keys *secrets.Log, owned bool) (*quic.Conn, *heard) {
	h := newHeard(t)
	c := &quic.Conn{Keys: keys, To: h, Scratch: &quic.Scratch{}, Shared: &ctls.Shared{}}
	c.NewID = func(of talk.Side, id []byte) { h.ids[of]++ }
	for i, d := range log {
		from := talk.Client
		if d.from == "192.0.2.1:443" {
			from = talk.Server
		}
		head, ok := quic.ParseHeader(d.b)
		if !ok {
			t.Errorf("datagram %d has no header", i)
		}
		if i > 0 && owned && !c.Owns(from, &head) {
			t.Errorf("datagram %d from %s is not owned: kind %d, to %x", i, d.from, head.Kind, head.To[:min(8, len(head.To))])
		}
		size := 0
		before := h.bytes[from]
		c.Datagram(from, d.b, len(d.b), talk.Mark{At: d.at, Frame: int64(i + 1)})
		if size = int(h.bytes[from] - before); size != len(d.b) {
			t.Errorf("datagram %d: packets of %d bytes, want %d", i, size, len(d.b))
		}
	}
	c.Close(talk.Mark{At: 1 << 40, Frame: int64(len(log))})
	return c, h
}

// echoes checks that the streams hold what was said.
func (h *heard) echoes(t testing.TB, sizes map[int64]int) {
	t.Helper()
	for id, n := range sizes {
		if got := h.streams[talk.Client][id]; !bytes.Equal(got, content(n)) || !h.fins[talk.Client][id] {
			t.Errorf("stream %d, up: %d bytes, end %v; want %d", id, len(got), h.fins[talk.Client][id], n)
		}
		if got := h.streams[talk.Server][id]; !bytes.Equal(got, append(content(n), content(n)...)) || !h.fins[talk.Server][id] {
			t.Errorf("stream %d, down: %d bytes, end %v; want %d", id, len(got), h.fins[talk.Server][id], 2*n)
		}
	}
	if h.gaps != 0 {
		t.Errorf("%d bytes are missing", h.gaps)
	}
}
