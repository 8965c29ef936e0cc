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

	"linger/origin/accesslog"
	"linger/policy"
)

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

// FuzzServe: whatever a client sends, in whatever pieces, the server sends
// nothing but responses, lets go of the connection, and ends.
func FuzzServe(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint16(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		at := min(int(cut), len(in))
		sendAnything(t, Config{}, [][]byte{in[:at], in[at:]}, func(c net.Conn) { checkResponses(t, c, in) })
	})
}

// sendAnything has a client send those pieces to a server of small limits, and read what comes:
// the server lets go of the connection, and ends.
func sendAnything(t *testing.T, config Config, pieces [][]byte, read func(net.Conn)) {
	config.Policy = policy.ServerPolicy{IdleTimeout: 5 * time.Second, RequestTimeout: 3 * time.Second, MaxRequests: 20}
	config.MaxHeader, config.MaxRequestBody = 1000, 5000
	config.Log = func(e accesslog.Entry) { _ = e.String() }
	synctest.Test(t, func(t *testing.T) {
		s := must(New(config))
		p := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, p) }()
		c := p.dial()
		go func() {
			for _, piece := range pieces {
				if _, err := c.Write(piece); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		read(c)
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
