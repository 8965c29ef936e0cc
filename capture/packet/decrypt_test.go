package packet_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/finding"
	"linger/flow"
	"linger/internal/testcert"
	"linger/trace"
)

// A taped end of a connection has what it writes filmed, in order.
type taped struct {
	net.Conn
	mu   *sync.Mutex
	talk *talk
	from int
	mss  int
}

func (t *taped) Write(b []byte) (int, error) {
	t.mu.Lock()
	n := 0
	for rest := string(b); len(rest) > 0; {
		size := min(t.mss, len(rest))
		t.talk.send(t.from, flow.ACK|flow.PSH, rest[:size])
		if rest = rest[size:]; n%2 == 1 || len(rest) == 0 {
			t.talk.send(1-t.from, flow.ACK, "")
		}
		n++
	}
	t.mu.Unlock()
	return t.Conn.Write(b)
}

var secureCert = testcert.SelfSigned(x509.Certificate{DNSNames: []string{"h.example"}})

// secure films a connection of HTTP/1 over TLS with so many requests for bodies of so many bytes,
// and returns its key log.
func secure(t testing.TB, on *talk, config *tls.Config, requests, body, mss int) []byte {
	var mu sync.Mutex
	var keys bytes.Buffer
	on.open()
	a, b := net.Pipe()
	server := config.Clone()
	server.Certificates, server.DynamicRecordSizingDisabled = []tls.Certificate{secureCert}, true
	client := config.Clone()
	client.ServerName, client.InsecureSkipVerify, client.KeyLogWriter = "h.example", true, &keys
	const ask = "GET /secret/path HTTP/1.1\r\nHost: h.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n"
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", body) + strings.Repeat("plaintext!", body/10)
	done := make(chan error, 1)
	go func() {
		s := tls.Server(&taped{b, &mu, on, srv, mss}, server)
		buf := make([]byte, len(ask))
		for range requests {
			if _, err := io.ReadFull(s, buf); err != nil {
				done <- err
				return
			}
			if _, err := io.WriteString(s, answer); err != nil {
				done <- err
				return
			}
		}
		io.Copy(io.Discard, s)
		done <- s.Close()
	}()
	c := tls.Client(&taped{a, &mu, on, cli, mss}, client)
	buf := make([]byte, len(answer))
	for range requests {
		if _, err := io.WriteString(c, ask); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseWrite()
	io.Copy(io.Discard, c)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	on.close(cli)
	return keys.Bytes()
}

func keyLog(b []byte) *secrets.Log {
	l := &secrets.Log{}
	l.Add(b)
	return l
}

func BenchmarkDecrypt(b *testing.B) {
	for _, l := range []struct {
		name           string
		requests, body int
		suite          uint16
		version        uint16
	}{
		{"AES-128-GCM, bodies of 1 MB", 40, 1_000_000, 0, tls.VersionTLS13},
		{"AES-128-GCM, bodies of 10 kB", 4000, 10_000, 0, tls.VersionTLS13},
		{"TLS 1.2, AES-256-GCM, bodies of 1 MB", 40, 1_000_000, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.VersionTLS12},
		{"TLS 1.2, ChaCha20-Poly1305, bodies of 1 MB", 40, 1_000_000, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.VersionTLS12},
		{"TLS 1.2, AES-128-CBC, bodies of 1 MB", 40, 1_000_000, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.VersionTLS12},
	} {
		config := &tls.Config{MinVersion: l.version, MaxVersion: l.version}
		if l.suite != 0 {
			config.CipherSuites = []uint16{l.suite}
		}
		f := newFilm()
		keys := secure(b, f.talk("192.0.2.7:40000", "198.51.100.1:443"), config, l.requests, l.body, 1448)
		file := f.pcap(raw, whole)
		for _, with := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/keys=%v", l.name, with), func(b *testing.B) {
				runtime.GC()
				b.SetBytes(int64(len(file)))
				b.ReportAllocs()
				for b.Loop() {
					files, err := pcap.Open([]pcap.Input{{Name: "file", From: bytes.NewReader(file)}})
					if err != nil {
						b.Fatal(err)
					}
					o := packet.Options{}
					if with {
						o.Keys = keyLog(keys)
					}
					var got nothing
					if _, err := packet.Read(files, o, &got); err != nil || got.connections != 1 || got.exchanges != l.requests {
						b.Fatalf("%v, %+v", err, got)
					}
				}
				b.ReportMetric(float64(len(file))/(b.Elapsed().Seconds()/float64(b.N))/1e9, "GB/s")
			})
		}
	}
}

// BenchmarkDecryptPeers is all of linger inspect beside tshark, with the same keys, as
// BenchmarkPeers.
func BenchmarkDecryptPeers(b *testing.B) {
	folder := b.TempDir()
	program := filepath.Join(folder, "linger")
	build(b, program)
	for _, l := range []struct {
		name           string
		requests, body int
	}{{"bodies of 1 MB", 400, 1_000_000}, {"bodies of 10 kB", 40_000, 10_000}} {
		if testing.Short() {
			l.requests /= 16
		}
		b.Run(l.name, func(b *testing.B) {
			write := func(name string, requests int) (file, string) {
				f := newFilm()
				keys := secure(b, f.talk("192.0.2.7:40000", "198.51.100.1:443"), &tls.Config{}, requests, l.body, 1448)
				out := f.pcap(raw, whole)
				one := file{name: filepath.Join(folder, name), size: len(out), packets: len(f.frames), exchanges: requests}
				if err := os.WriteFile(one.name, out, 0o600); err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(one.name+".keys", keys, 0o600); err != nil {
					b.Fatal(err)
				}
				return one, one.name + ".keys"
			}
			long, longKeys := write("long.pcap", l.requests)
			short, shortKeys := write("short.pcap", max(l.requests/16, 1))
			b.Run("linger", func(b *testing.B) {
				long.runs(b, "of "+finding.Plural(float64(long.exchanges), "request"), program, "inspect", "--keylog", longKeys)
			})
			b.Run("tshark", func(b *testing.B) {
				short.runs(b, "/secret/path", "tshark", "-n", "-o", "tls.keylog_file:"+shortKeys, "-Y", "http", "-T", "fields", "-e", "tcp.stream", "-e", "http.request.uri", "-e", "http.response.code", "-r")
			})
		})
	}
}

// TestWhatTLSCarries holds what is read with the keys against what was said, and without them
// against what is known then.
func TestWhatTLSCarries(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		f := newFilm()
		keys := secure(t, f.talk("192.0.2.7:40000", "198.51.100.1:443"), &tls.Config{MaxVersion: version, NextProtos: []string{"http/1.1"}}, 3, 50_000, 1448)
		read := func(o packet.Options) records {
			files, err := pcap.Open([]pcap.Input{{Name: "file", From: bytes.NewReader(f.pcap(raw, whole))}})
			if err != nil {
				t.Fatal(err)
			}
			var got records
			if _, err := packet.Read(files, o, &got); err != nil {
				t.Fatal(err)
			}
			return got
		}
		got := read(packet.Options{Keys: keyLog(keys)})
		if len(got.exchanges) != 3 || len(got.connections) != 1 {
			t.Fatalf("%d exchanges, %d connections", len(got.exchanges), len(got.connections))
		}
		for i, x := range got.exchanges {
			if x.URL != "https://h.example/secret/path" || x.Status != 200 || x.ResponseBody != 50_000 || x.Known != trace.Decrypted || x.Number != i+1 || x.Failed != "" {
				t.Errorf("%+v", x)
			}
		}
		c := got.connections[0]
		hello := c.TLS.Or(trace.TLS{})
		if c.Protocol != "http/1.1" || c.Known.Protocol != trace.Decrypted || c.Requests != 3 || c.Known.Requests != "" || c.Origin != "h.example" || c.Software != "nginx" ||
			hello.Keys != trace.AllKeys || hello.ALPN != "http/1.1" || c.Secured.IsZero() || c.Secured != c.Connected || c.LastByte.Or(0) > c.Closed.Or(0) {
			t.Errorf("%+v", c)
		}
		without := read(packet.Options{})
		c = without.connections[0]
		if hello := c.TLS.Or(trace.TLS{}); hello.Keys != "" || c.Known.Requests != trace.Inferred || c.Software != "" || c.Secured.IsZero() {
			t.Errorf("%+v", c)
		}
	}
}

// records is a Sink that keeps all.
type records struct {
	connections []trace.Connection
	exchanges   []trace.Exchange
}

func (r *records) WriteConnection(c *trace.Connection) error {
	r.connections = append(r.connections, *c)
	return nil
}

func (r *records) WriteExchange(x *trace.Exchange) error {
	r.exchanges = append(r.exchanges, *x)
	return nil
}
