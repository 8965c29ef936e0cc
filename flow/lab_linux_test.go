package flow_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/lab"
)

// partVar makes this test's own program play a part on a host of a lab.
const partVar = "LINGER_FLOW_PART"

const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	switch os.Getenv(partVar) {
	case "serve":
		os.Exit(said(serve()))
	case "ask":
		os.Exit(said(ask(os.Args[1])))
	}
	os.Exit(m.Run())
}

func said(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve answers each byte of a connection with 20,000, closes first where the byte is 'f',
// and resets where it is 'r'.
func serve() error {
	l, err := net.Listen("tcp4", ":80")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			b := make([]byte, 1)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				c.Write(make([]byte, 20_000))
				switch b[0] {
				case 'f':
					return
				case 'r':
					c.(*net.TCPConn).SetLinger(0)
					return
				}
			}
		}()
	}
}

// ask opens connections from four ports at once, ten after each other from each, every third
// of which the server closes, every third it resets, and the others the client closes.
func ask(address string) error {
	var asking sync.WaitGroup
	failed := make(chan error, 4)
	for i := range 4 {
		asking.Go(func() {
			for n := range 10 {
				if err := askOnce(address, 20_000+i, "frc"[n%3]); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	asking.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func askOnce(address string, port int, last byte) error {
	d := net.Dialer{
		LocalAddr: &net.TCPAddr{Port: port}, Timeout: patience,
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			return errors.Join(raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) }), err)
		},
	}
	c, err := d.Dial("tcp4", net.JoinHostPort(address, "80"))
	for end := time.Now().Add(patience); errors.Is(err, syscall.EADDRNOTAVAIL) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // until the last FIN is acknowledged
		c, err = d.Dial("tcp4", net.JoinHostPort(address, "80"))
	}
	if err != nil {
		return err
	}
	defer c.Close()
	// The client's TIME_WAIT would keep the port, so who closes there resets.
	if last == 'c' {
		defer c.(*net.TCPConn).SetLinger(0)
	}
	for _, b := range []byte{'a', 'a', last} {
		if _, err := c.Write([]byte{b}); err != nil {
			return err
		}
		// The reset may take away what was sent before it.
		if _, err := io.ReadFull(c, make([]byte, 20_000)); err != nil && b != 'r' {
			return err
		}
	}
	if last == 'f' {
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			return fmt.Errorf("after the last byte: %w", err)
		}
	}
	return nil
}

// TestTsharkCountsTheSameOfTheLab reads the capture of a bad path on which connections follow
// each other on the same ports.
func TestTsharkCountsTheSameOfTheLab(t *testing.T) {
	testall.Needs(t, "tshark")
	file, err := os.Create(filepath.Join(t.TempDir(), "lab.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l, err := lab.Open(t.Context(), lab.Config{
		Network: linger.Network{RTT: 10 * time.Millisecond, Down: 20 * linger.Mbps, Up: 20 * linger.Mbps, Queue: linger.DefaultQueue, Loss: 0.03},
		Seed:    1,
		Hosts:   []lab.HostConfig{{Name: "client"}, {Name: "origin", Side: lab.Server}},
		Capture: file,
	})
	if errors.Is(err, lab.ErrUnsupported) {
		testall.Lacks(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			l.Close()
		}
	}()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	part := func(host, name string, out *os.File, args ...string) *lab.Process {
		p, err := l.Start(lab.Command{Host: host, Path: "/proc/self/exe", Args: args, Env: append(os.Environ(), partVar+"="+name), Stdout: out, Stderr: os.Stderr})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	part("origin", "serve", w)
	w.Close()
	if _, err := r.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if e, err := part("client", "ask", nil, l.Addr("origin").String()).Wait(); err != nil || e.Status() != 0 {
		t.Fatalf("the client: %v, %v", e, err)
	}
	closed = true
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := agree(t, file.Name(), nil)
	var sum counts
	for _, c := range got {
		sum.syn += c.syn
		sum.rst += c.rst
		sum.retransmitted += c.retransmitted
	}
	t.Logf("%d connections, %+v", len(got), sum)
	if len(got) != 40 || sum.rst < 20 || sum.retransmitted == 0 {
		t.Errorf("%d connections, %+v; want 40, most of them reset", len(got), sum)
	}
}
