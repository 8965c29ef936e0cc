package origin

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"linger/policy"
)

func TestHeadEnd(t *testing.T) {
	for head, want := range map[string]int{
		"":                         -1,
		"GET / HTTP/1.0\r\n":       -1,
		"GET / HTTP/1.0\r\n\r":     -1,
		"GET / HTTP/1.0\r\n\r\n":   18,
		"GET / HTTP/1.0\n\n":       16,
		"GET / HTTP/1.0\n\r\n":     17,
		"GET / HTTP/1.0\r\n\nGET":  17,
		"GET / HTTP/1.0\r\r\n\n":   18,
		"GET / HTTP/1.0\r\n\r\r\n": -1,
	} {
		if got := headEnd([]byte(head), 0); got != want {
			t.Errorf("headEnd(%q) = %d, want %d", head, got, want)
		}
		// Found in steps as in one.
		for cut := range head {
			if headEnd([]byte(head[:cut]), 0) < 0 {
				if got := headEnd([]byte(head), cut); got != want {
					t.Errorf("headEnd(%q, %d) = %d, want %d", head, cut, got, want)
				}
			}
		}
	}
}

var seeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /bytes/3000000 HTTP/1.1\r\nHost: a\r\n\r\nGET /delay/59s HTTP/1.0\n\n",
	"HEAD /bytes/9 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nOPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
	"POST http://a:80/status/304?x HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
	"PUT /status/418 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;q=\"1\"\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\r\n\r\n\r\r\n",
}

// FuzzParse: what this parser takes, that of net/http takes too, and reads the
// same out of it.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n := headEnd(in, 0)
		if n < 0 {
			return
		}
		head := in[:n]
		var r request
		if r.parse(head, minTarget) != nil {
			return
		}
		// Two rules of net/http that are not the standard's: it wants a target that
		// net/url can read, and no "*" or authority where it makes no sense.
		if r.target[0] != '/' || bytes.ContainsAny(r.target, "%") {
			return
		}
		h, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", head, err)
		}
		length := r.length
		if r.chunked {
			length = -1
		}
		if h.Method != string(r.method) || h.RequestURI != string(r.target) || h.ContentLength != length || h.ProtoAtLeast(1, 1) != (r.version == "1.1") {
			t.Fatalf("%q: net/http reads %s %s %s, %d bytes; we %s %s %s, %d", head, h.Method, h.RequestURI, h.Proto, h.ContentLength, r.method, r.target, r.version, length)
		}
		if closes := !policy.Persists(r.version, r.connection); h.Close != closes && !(r.version == "1.0") {
			t.Fatalf("%q: net/http closes %v, we %v", head, h.Close, closes)
		}
	})
}

// FuzzServe: whatever a client sends, in whatever pieces, the server sends
// nothing but responses, lets go of the connection, and ends.
func FuzzServe(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint16(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		synctest.Test(t, func(t *testing.T) {
			s := must(New(Config{
				Policy:    policy.ServerPolicy{IdleTimeout: 5 * time.Second, RequestTimeout: 3 * time.Second, MaxRequests: 20},
				MaxHeader: 1000, MaxRequestBody: 5000, Log: func(e Entry) { _ = e.String() },
			}))
			p := newPipes()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			served := make(chan error, 1)
			go func() { served <- s.Serve(ctx, p) }()
			c := p.dial()
			at := min(int(cut), len(in))
			go func() {
				for _, piece := range [][]byte{in[:at], in[at:]} {
					if _, err := c.Write(piece); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			checkResponses(t, c, in)
			c.Close()
			if err := s.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
			if n := s.Counters(); n.Open != 0 || n.Accepted != 1 {
				t.Errorf("%+v", n)
			}
			time.Sleep(time.Minute) // the client's writer notices, too
		})
	})
}

// checkResponses reads responses until the connection ends, or one is long.
func checkResponses(t *testing.T, c net.Conn, in []byte) {
	r := bufio.NewReader(io.LimitReader(c, 2<<20))
	if bytes.Contains(in, []byte("HEAD")) || bytes.Contains(in, []byte("100-")) || bytes.Contains(in, preface) {
		// What has a body is for the requests to say, and HTTP/2 is read elsewhere.
		io.Copy(io.Discard, r)
		return
	}
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			return
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return // longer than we care to read
		}
	}
}
