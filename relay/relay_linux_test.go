package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
)

// patience bounds what a test waits for; nothing is measured against it.
const patience = 30 * time.Second

// between starts a relay to a server that treats each connection so, and returns the
// address to dial.
func between(t *testing.T, c Config, treat func(*net.TCPConn)) (*Relay, string) {
	t.Helper()
	server := listen(t)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	running.Go(func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(patience))
			running.Go(func() { treat(conn.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() { server.Close() })
	c.Addresses = append(c.Addresses, server.Addr().String())
	r, near := New(c), listen(t)
	r.Serve(near)
	t.Cleanup(r.Close)
	return r, near.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// readAll returns what comes until the end, and how that was.
func readAll(c net.Conn) (string, string) {
	b, err := io.ReadAll(c)
	return string(b), endOf(err)
}

// request reads one.
func request(c net.Conn) { io.ReadFull(c, make([]byte, len("request"))) }

func endOf(err error) string {
	switch {
	case err == nil:
		return "FIN"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "RST"
	}
	return err.Error()
}

func TestServerEnds(t *testing.T) {
	for _, test := range []struct {
		what  string
		treat func(*net.TCPConn)
		said  string
		end   string
	}{
		{"a FIN behind a response", func(c *net.TCPConn) { request(c); io.WriteString(c, "response"); c.Close() }, "response", "FIN"},
		{"a reset behind a response", func(c *net.TCPConn) {
			request(c)
			io.WriteString(c, "response")
			time.Sleep(20 * time.Millisecond) // it is on its way
			resetter{c}.Close()
		}, "response", "RST"},
		{"a reset without one", func(c *net.TCPConn) { request(c); resetter{c}.Close() }, "", "RST"},
	} {
		r, address := between(t, Config{}, test.treat)
		c := dial(t, address)
		io.WriteString(c, "request")
		said, end := readAll(c)
		if said != test.said || end != test.end {
			t.Errorf("%s: the client reads %q and %s", test.what, said, end)
		}
		if s := r.Seen(); s.Connections != 1 || s.Failed != 0 || len(s.Connect) != 1 || s.Connect[0] <= 0 {
			t.Errorf("%s: %+v", test.what, s)
		}
	}
}

func TestClientEnds(t *testing.T) {
	for _, test := range []struct {
		what string
		end  func(*net.TCPConn)
		want string
	}{
		{"a FIN", func(c *net.TCPConn) { c.Close() }, "FIN"},
		{"a reset", func(c *net.TCPConn) { time.Sleep(20 * time.Millisecond); resetter{c}.Close() }, "RST"},
	} {
		ended := make(chan string, 1)
		_, address := between(t, Config{}, func(c *net.TCPConn) {
			said, end := readAll(c)
			c.Close()
			ended <- said + " " + end
		})
		c := dial(t, address)
		io.WriteString(c, "request")
		test.end(c)
		if got := <-ended; got != "request "+test.want {
			t.Errorf("%s of the client is %q at the server", test.what, got)
		}
	}
}

// TestHalfClosed has the client end its side, and the server answer after that.
func TestHalfClosed(t *testing.T) {
	_, address := between(t, Config{}, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c)
		io.WriteString(c, strings.ToUpper(string(b)))
		c.Close()
	})
	c := dial(t, address)
	io.WriteString(c, "request")
	c.CloseWrite()
	if said, end := readAll(c); said != "REQUEST" || end != "FIN" {
		t.Errorf("%q, %s", said, end)
	}
}

// TestStaleReuse sends a request on a connection that the server has closed: the server's
// reset of it must reach the client, although the server's side had ended before.
func TestStaleReuse(t *testing.T) {
	_, address := between(t, Config{}, func(c *net.TCPConn) { c.Close() })
	c := dial(t, address)
	if said, end := readAll(c); said != "" || end != "FIN" {
		t.Fatalf("%q, %s", said, end)
	}
	if _, err := io.WriteString(c, "request"); err != nil {
		t.Fatal(err)
	}
	if !isReset(c) {
		t.Error("the client is not told that nobody reads its request")
	}
}

func TestRefused(t *testing.T) {
	gone := listen(t)
	gone.Close()
	r, near := New(Config{Addresses: []string{gone.Addr().String()}}), listen(t)
	r.Serve(near)
	defer r.Close()
	// The reset may come before the client has looked whether it is connected.
	c, err := net.Dial("tcp", near.Addr().String())
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		_, err = io.ReadAll(c)
	}
	if endOf(err) != "RST" {
		t.Error(endOf(err))
	}
	if s := r.Seen(); s.Connections != 0 || s.Failed != 1 || !strings.Contains(s.Reason, "refused") {
		t.Errorf("%+v", s)
	}
}

// TestNextAddress tries an address where nobody listens first, once.
func TestNextAddress(t *testing.T) {
	gone := listen(t)
	gone.Close()
	r, address := between(t, Config{Addresses: []string{gone.Addr().String()}}, func(c *net.TCPConn) { c.Close() })
	for range 2 {
		if _, end := readAll(dial(t, address)); end != "FIN" {
			t.Error(end)
		}
	}
	if s := r.Seen(); s.Connections != 2 || s.Failed != 0 || s.Server == gone.Addr().String() {
		t.Errorf("%+v", s)
	}
}

// TestBackpressure has one side send to another that does not read: little may be taken of it. What is
// sent arrives whole once the other reads.
func TestBackpressure(t *testing.T) {
	const size = 16 << 20
	sent, sum := make(chan int, 1), bytes.Repeat([]byte("0123456789abcdef"), size/16)
	_, address := between(t, Config{Down: 2 * linger.Mbps, Up: 2 * linger.Mbps, MTU: linger.MTU}, func(c *net.TCPConn) {
		c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, _ := c.Write(sum)
		sent <- n
		c.SetWriteDeadline(time.Now().Add(patience))
		c.Write(sum[n:])
		c.Close()
	})
	c := dial(t, address)
	c.SetReadBuffer(64 << 10)
	n := <-sent
	t.Logf("%d KB were taken of %d", n>>10, size>>10)
	if n > size/2 {
		t.Errorf("%d bytes were taken that nobody reads", n)
	}
	if said, end := readAll(c); said != string(sum) || end != "FIN" {
		t.Errorf("%d bytes of %d arrived, %s", len(said), size, end)
	}
}

// TestManyAtOnce opens connections side by side; each is one at the server.
func TestManyAtOnce(t *testing.T) {
	const many = 200
	var mu sync.Mutex
	served := 0
	r, address := between(t, Config{}, func(c *net.TCPConn) {
		mu.Lock()
		served++
		mu.Unlock()
		io.Copy(c, c)
		c.Close()
	})
	var running sync.WaitGroup
	for range many {
		c := dial(t, address)
		running.Go(func() {
			io.WriteString(c, "ping")
			c.CloseWrite()
			if said, end := readAll(c); said != "ping" || end != "FIN" {
				t.Errorf("%q, %s", said, end)
			}
		})
	}
	running.Wait()
	mu.Lock()
	defer mu.Unlock()
	if n := r.Seen().Connections; n != many || served != many {
		t.Errorf("%d connections, %d at the relay, %d at the server", many, n, served)
	}
}

// TestClose ends what is under way.
func TestClose(t *testing.T) {
	r, address := between(t, Config{}, func(c *net.TCPConn) { readAll(c); c.Close() })
	c := dial(t, address)
	io.WriteString(c, "request")
	for r.Seen().Connections == 0 {
		time.Sleep(time.Millisecond)
	}
	r.Close()
	if _, end := readAll(c); end != "RST" {
		t.Error(end)
	}
}

func TestDatagrams(t *testing.T) {
	server := testall.AnswerDatagrams(t, "127.0.0.1:0", bytes.ToUpper)
	near, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := New(Config{Addresses: []string{server}})
	r.ServePackets(near)
	defer r.Close()
	for _, name := range []string{"one", "two"} {
		c, err := net.Dial("udp", near.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		for range 2 {
			io.WriteString(c, name)
			buf := make([]byte, 100)
			if n, err := c.Read(buf); err != nil || string(buf[:n]) != strings.ToUpper(name) {
				t.Errorf("%q, %v", buf[:n], err)
			}
		}
	}
	if n := r.Seen().Datagrams; n != 2 {
		t.Errorf("%d clients", n)
	}
}
