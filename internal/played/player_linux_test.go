package played

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/dns"
	"linger/origin"
	"linger/origin/misbehave"
	"linger/policy"
)

// A player is what a script has on its host. What fails panics, and ends the part.
type player struct{}

// patience bounds whatever a script waits for; no truth hangs on it.
const patience = 20 * time.Second

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func (p *player) wait(d time.Duration) { time.Sleep(d) }

// A wire is one connection, at either end.
type wire struct {
	tcp  *net.TCPConn
	in   *bufio.Reader
	last bool // the response said that it was the last one
}

func newWire(c net.Conn) *wire { return &wire{tcp: c.(*net.TCPConn), in: bufio.NewReader(c)} }

// dial opens a connection to a host's port 80.
func (p *player) dial(host string) *wire { return p.dialPort(host, 80) }

func (p *player) dialPort(host string, port int) *wire {
	c, err := net.DialTimeout("tcp4", net.JoinHostPort(host, strconv.Itoa(port)), patience)
	check(err)
	check(c.SetDeadline(time.Now().Add(patience)))
	return newWire(c)
}

// send sends a request of HTTP/1.1, with further lines of its head.
func (w *wire) send(path string, lines ...string) { check(w.trySend(path, lines...)) }

func (w *wire) trySend(path string, lines ...string) error {
	host := "server"
	for i, l := range lines {
		if h, ok := strings.CutPrefix(l, "Host: "); ok {
			host, lines = h, append(lines[:i:i], lines[i+1:]...)
			break
		}
	}
	_, err := fmt.Fprintf(w.tcp, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host, joined(lines))
	return err
}

func joined(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	return b.String()
}

// receive reads a response to its end.
func (w *wire) receive() { check(w.tryReceive()) }

func (w *wire) tryReceive() error {
	r, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return err
	}
	w.last = r.Close
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// get is send and receive.
func (w *wire) get(path string, lines ...string) {
	w.send(path, lines...)
	w.receive()
}

// fails is a request that must not be answered, because the connection is gone.
func (w *wire) fails(path string) {
	if err := w.trySend(path); err != nil {
		return
	}
	if w.tryReceive() == nil {
		panic("a request was answered that should not have been")
	}
}

func (w *wire) close() { w.tcp.Close() }

// closed reports whether the server's close has come, or its announcement.
func (w *wire) closed() bool {
	if w.last {
		return true
	}
	check(w.tcp.SetReadDeadline(time.Now().Add(ms)))
	_, err := w.in.Peek(1)
	check(w.tcp.SetReadDeadline(time.Now().Add(patience)))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// query asks for a name over TCP, and reads the answer (RFC 1035, 4.2.2).
func (w *wire) query() {
	q, err := dns.Ask(linger.Query{Name: "www.board.example", Type: "A"}, dns.OptionsOver(linger.OverTCP))
	check(err)
	_, err = w.tcp.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...))
	check(err)
	var size [2]byte
	_, err = io.ReadFull(w.in, size[:])
	check(err)
	_, err = io.CopyN(io.Discard, w.in, int64(binary.BigEndian.Uint16(size[:])))
	check(err)
}

// reset closes by RST.
func (w *wire) reset() {
	check(w.tcp.SetLinger(0))
	w.tcp.Close()
}

// control runs f with the connection's descriptor.
func (w *wire) control(f func(fd int) error) {
	raw, err := w.tcp.SyscallConn()
	check(err)
	check(raw.Control(func(fd uintptr) { err = f(int(fd)) }))
	check(err)
}

// vanish forgets the connection without a word, as a host does that has been switched off
// and on again: the kernel answers what comes for it from then on with RST (TCP_REPAIR,
// tcp(7) of CRIU).
func (w *wire) vanish() {
	w.control(func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
	w.tcp.Close()
}

// serve gives each connection to port 80 to handle, with its number from 0.
func (p *player) serve(handle func(n int, w *wire)) { serveOn(80, handle) }

func serveOn(port int, handle func(n int, w *wire)) {
	l, err := net.Listen("tcp4", ":"+strconv.Itoa(port))
	check(err)
	for n := 0; ; n++ {
		c, err := l.Accept()
		check(err)
		go func() {
			defer c.Close()
			handle(n, newWire(c))
		}()
	}
}

// next reads the next request; none comes if the client has closed, or by then.
func (w *wire) next(within time.Duration) (path string, ok bool) {
	check(w.tcp.SetReadDeadline(time.Now().Add(within)))
	r, err := http.ReadRequest(w.in)
	if err != nil {
		return "", false
	}
	io.Copy(io.Discard, r.Body)
	return r.URL.Path, true
}

// answer responds to /bytes/N with as many, to /delay/D then, and to all else with
// hello; with further lines of its head.
func (w *wire) answer(path string, lines ...string) bool {
	n := 100
	if s, ok := strings.CutPrefix(path, "/bytes/"); ok {
		n, _ = strconv.Atoi(s)
	}
	if s, ok := strings.CutPrefix(path, "/delay/"); ok {
		d, _ := time.ParseDuration(s)
		time.Sleep(d)
	}
	b := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n", n, joined(lines))
	_, err := w.tcp.Write(append(b, make([]byte, n)...))
	return err == nil
}

// always answers whatever comes, for as long as somebody asks.
func always(p *player) {
	p.serve(func(_ int, w *wire) { w.keep(time.Hour) })
}

// keep answers until the connection has been idle for so long, and reports whether
// that was the end.
func (w *wire) keep(idle time.Duration) bool {
	for {
		path, ok := w.next(idle)
		if !ok {
			return true
		}
		if !w.answer(path) {
			return false
		}
	}
}

// answerUntil answers until a path is asked for, which it leaves to the caller. It reports
// whether that came.
func (w *wire) answerUntil(path string) bool {
	for {
		asked, ok := w.next(patience)
		if !ok || asked == path {
			return ok
		}
		w.answer(asked)
	}
}

// anOrigin is the product's own server, with a policy, and by its name a breach of it.
func anOrigin(limits policy.ServerPolicy, wrong string) func(*player) {
	return func(*player) {
		config := origin.Config{Policy: limits}
		if wrong != "" {
			var err error
			config.Misbehave, err = misbehave.Parse(wrong)
			check(err)
		}
		s, err := origin.New(config)
		check(err)
		l, err := net.Listen("tcp4", ":80")
		check(err)
		check(s.Serve(context.Background(), l))
	}
}

// dnsServer answers over TCP, and closes what has been idle for so long; 0 is never.
func dnsServer(idle time.Duration) func(*player) {
	return func(*player) {
		s, err := origin.New(origin.Config{Workload: linger.Names(), Policy: policy.ServerPolicy{IdleTimeout: idle, Announce: idle > 0}})
		check(err)
		l, err := net.Listen("tcp4", ":53")
		check(err)
		check(s.ServeDNSStream(context.Background(), l))
	}
}

// each fetches a path on one connection after the other, so many requests on each, and
// does something else in between.
func each(connections, requests int, between func(p *player, w *wire)) func(*player) {
	return func(p *player) {
		for range connections {
			w := p.dial("server")
			for range requests {
				w.get("/bytes/500")
			}
			between(p, w)
		}
	}
}

// gone waits until the server has closed, and closes then.
func gone(p *player, w *wire) {
	if _, err := w.in.ReadByte(); err == nil {
		panic("something came that nobody had asked for")
	}
	w.close()
	p.wait(50 * time.Millisecond)
}

// goGet fetches with Go's own client, and may close the body without having read it.
func goGet(c *http.Client, path string, readBody bool) error {
	r, err := c.Get("http://server" + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if !readBody {
		return nil
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// burst fetches n at once with Go's own client.
func burst(c *http.Client, n int, path string) {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for range n {
		wg.Go(func() { errs <- goGet(c, path, true) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		check(err)
	}
}

// play runs a part and says what went wrong.
func play(part func(*player)) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintln(os.Stderr, r)
			status = 1
		}
	}()
	part(&player{})
	return 0
}
