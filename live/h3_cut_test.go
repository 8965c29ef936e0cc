package live

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"linger"
	"linger/content"
)

// A response whose stream ends within a frame is cut, however cleanly the stream ends
// (RFC 9114, 7.1).
func TestHTTP3ResponseEndsWithinAFrame(t *testing.T) {
	frame := func(kind, announced uint64, payload string) string {
		return string(quicvarint.Append(quicvarint.Append(nil, kind), announced)) + payload
	}
	const data, headers, grease = 0, 1, 0x21
	filling := func(n int64) string {
		w := linger.Workload{Exchanges: []linger.Exchange{{Method: "GET", Path: "/", Status: 200, ResponseBody: n, Parent: linger.NoParent}}}
		b, err := io.ReadAll(content.Body(w, 0))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	five := filling(5)
	ok := frame(headers, 3, "\x00\x00\xd9") // :status: 200, of QPACK's static table
	for _, test := range []struct {
		name, response string
		size           int64 // of the content, as the workload has it
		reason         string
	}{
		{"whole", ok + frame(data, 5, five), 5, ""},
		{"whole, of two frames and one that is unknown", ok + frame(data, 2, five[:2]) + frame(grease, 3, "xxx") + frame(data, 3, five[2:]), 5, ""},
		{"without content", ok, 0, ""},
		{"with a trailer", ok + frame(data, 5, five) + frame(headers, 2, "\x00\x00"), 5, ""},
		{"cut in the content", ok + frame(data, 1_000_000, strings.Repeat("x", 50)), 1000000, "within a frame, after 50 bytes of the body"},
		{"cut before the content", ok + frame(data, 100, ""), 1000000, "within a frame, after 0 bytes of the body"},
		{"cut in the head of a frame", ok + frame(data, 2, "hi") + "\x40", 1000000, "within a frame, after 2 bytes of the body"},
		{"cut between type and length", ok + frame(data, 2, "hi") + "\x00", 1000000, "within a frame, after 2 bytes of the body"},
		{"cut in an unknown frame", ok + frame(data, 2, "hi") + frame(grease, 9, "x"), 1000000, "within a frame, after 2 bytes of the body"},
		{"cut in the fields", frame(headers, 3, "\x00"), 1000000, "server ended the response"},
		{"cut in the trailer", ok + frame(data, 2, "hi") + frame(headers, 3, "\x00"), 1000000, "server ended the response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := linger.Workload{Name: "cut", Scheme: "https", Exchanges: []linger.Exchange{{Method: "GET", Path: "/", Status: 200, ResponseBody: test.size, Parent: linger.NoParent}}}
			tr := fetch(t, w, "h3", rawH3(t, test.response))
			if got := tr.Exchanges[0].Failed; test.reason == "" && got != "" || !strings.Contains(got, test.reason) {
				t.Errorf("failed: %q; want %q", got, test.reason)
			}
		})
	}
}

// A server that sends without end what carries nothing of a response is given up.
func TestHTTP3Floods(t *testing.T) {
	const ok = "\x01\x03\x00\x00\xd9" // HEADERS with :status: 200
	for _, test := range []struct{ name, response, reason string }{
		{"unknown frames", ok + strings.Repeat("\x21\x01x", 3*maxIdle), "H3_EXCESSIVE_LOAD: server sent 10000 frames that carry no response"},
		{"empty DATA", ok + strings.Repeat("\x00\x00", 3*maxIdle), "H3_EXCESSIVE_LOAD: server sent 10000 frames that carry no response"},
		{"interim responses", strings.Repeat("\x01\x03\x00\x00\xd8", 100), "too many 1xx"},
		{"fields that are too long", "\x01\x80\x10\x00\x00" + strings.Repeat("x", 1<<20), "HEADERS frame too large"},
		{"fields that unpack to too much", "\x01\x80\x03\x00\x03\x00\x00\xd9" + strings.Repeat("\xdd", 3<<16), "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := linger.Workload{Name: "flood", Scheme: "https", Exchanges: []linger.Exchange{{Method: "GET", Path: "/", Status: 200, ResponseBody: 5, Parent: linger.NoParent}}}
			if got := fetch(t, w, "h3", rawH3(t, test.response)).Exchanges[0].Failed; !strings.Contains(got, test.reason) {
				t.Errorf("failed: %q; want %q", got, test.reason)
			}
		})
	}
}

// rawH3 answers each request of HTTP/3 by those bytes, and ends the stream.
func rawH3(t testing.TB, response string) Config {
	t.Helper()
	return answersH3(t, func() []byte { return []byte(response) })
}

// answersH3 answers each request of HTTP/3 by what answer gives, and ends the stream.
func answersH3(t testing.TB, answer func() []byte) Config {
	t.Helper()
	a := newAuthority(t)
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	secure := http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{a.issue(nil)}})
	listener, err := quic.Listen(socket, secure, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		socket.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			control, err := c.OpenUniStream()
			if err != nil {
				continue
			}
			control.Write([]byte{0, 4, 0}) // a control stream with empty SETTINGS
			go func() {
				for {
					s, err := c.AcceptStream(ctx)
					if err != nil {
						return
					}
					s.Read(make([]byte, 4096))
					s.Write(answer())
					s.Close()
				}
			}()
		}
	}()
	return Config{Address: socket.LocalAddr().String(), Roots: a.roots(), Verify: true}
}
