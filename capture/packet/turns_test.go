package packet

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"linger"
	"linger/capture/secrets"
	"linger/flow"
	"linger/internal/testcert"
	"linger/trace"
)

// A said is what one side wrote at once.
type said struct {
	from flow.End
	b    []byte
}

// A speaker keeps what is written to it, in the order of both sides.
type speaker struct {
	net.Conn
	from flow.End
	mu   *sync.Mutex
	all  *[]said
}

func (s speaker) Write(b []byte) (int, error) {
	s.mu.Lock()
	*s.all = append(*s.all, said{s.from, bytes.Clone(b)})
	s.mu.Unlock()
	return s.Conn.Write(b)
}

// conversed returns what both sides of n exchanges of HTTP/1.1 over TLS wrote, and the keys.
func conversed(t testing.TB, version uint16, offered []string, n int) (all []said, keys []byte) {
	t.Helper()
	cert := testcert.SelfSigned(x509.Certificate{DNSNames: []string{"h.example"}})
	a, b := net.Pipe()
	var mu sync.Mutex
	var log bytes.Buffer
	client := tls.Client(speaker{a, flow.Low, &mu, &all}, &tls.Config{ServerName: "h.example", InsecureSkipVerify: true, NextProtos: offered, KeyLogWriter: &log})
	server := tls.Server(speaker{b, flow.High, &mu, &all}, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MaxVersion: version})
	done := make(chan error, 1)
	go func() {
		in := bufio.NewReader(server)
		for range n {
			q, err := http.ReadRequest(in)
			if err == nil {
				_, err = io.Copy(io.Discard, q.Body)
			}
			if err == nil {
				_, err = fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n%3000d", 1)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	in := bufio.NewReader(client)
	for i := range n {
		fmt.Fprintf(client, "POST /%d HTTP/1.1\r\nHost: h.example\r\nContent-Length: %d\r\n\r\n", i, i*20000)
		client.Write(make([]byte, i*20000))
		r, err := http.ReadResponse(in, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
	return all, log.Bytes()
}

// Requests are inferred without keys, and with them only counted beside those that are read.
func TestInferredRequests(t *testing.T) {
	const n = 4
	for _, c := range []struct {
		name     string
		version  uint16
		offered  []string
		requests int // without keys
		protocol linger.Protocol
	}{
		{"TLS 1.3", tls.VersionTLS13, []string{"http/1.1"}, n, linger.HTTP11},
		{"TLS 1.3, nothing offered", tls.VersionTLS13, nil, n, linger.TLS},
		{"TLS 1.3, HTTP/2 offered", tls.VersionTLS13, []string{"h2", "http/1.1"}, 0, ""},
		{"TLS 1.2, where it is seen what was chosen", tls.VersionTLS12, []string{"h2", "http/1.1"}, n, linger.HTTP11},
	} {
		all, keys := conversed(t, c.version, c.offered, n)
		for _, with := range []bool{false, true} {
			var to list
			r := New(Options{}, &to)
			if r.keys = nil; with {
				r.keys = &secrets.Log{}
				r.keys.Add(keys)
			}
			k := &conn{id: 7, app: &sniffer{}, started: true, told: true, client: flow.Low}
			var skip [2]int64
			for i, s := range all {
				n := min(skip[s.from], int64(len(s.b)))
				if skip[s.from] -= n; skip[s.from] > 0 {
					continue
				}
				skip[s.from] = k.app.data(r, k, s.from, s.b[n:], mark{At: linger.Instant(i), Frame: int64(i + 1)})
			}
			k.app.close(r, k, "over")
			var record trace.Connection
			k.app.tell(&record)
			want, known := c.requests, trace.Inferred
			if with {
				want, known = n, trace.Decrypted
			}
			if record.Turns.Or(-1) != n || record.Requests != want || len(to.exchanges) != want {
				t.Errorf("%s, keys %v: %v turns, %d requests, %d exchanges", c.name, with, record.Turns, record.Requests, len(to.exchanges))
			}
			for i, x := range to.exchanges {
				if x.Known != known || x.Connection != 7 || x.Number != i+1 || x.Sent.IsZero() || x.Done.Or(0) <= x.Sent.Or(0) || x.RequestBody < int64(i)*20000 || x.ResponseBody < 3000 || x.Failed != "" {
					t.Errorf("%s, keys %v: %+v", c.name, with, x)
				}
			}
			if !with && want > 0 && r.sum.Exchanges[c.protocol] != int64(n) {
				t.Errorf("%s: %v", c.name, r.sum.Exchanges)
			}
		}
	}
}
