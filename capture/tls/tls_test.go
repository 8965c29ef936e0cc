package tls

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/internal/testcert"
	"linger/trace"
	"linger/wire"
)

// A piece is what one side wrote at once.
type piece struct {
	from talk.Side
	b    []byte
}

// A tape keeps what passes between two sides, in order.
type tape struct {
	mu     sync.Mutex
	pieces []piece
}

// tapped is one end of a connection whose writes are kept.
type tapped struct {
	net.Conn
	tape *tape
	from talk.Side
}

func (t *tapped) Write(b []byte) (int, error) {
	t.tape.mu.Lock()
	t.tape.pieces = append(t.tape.pieces, piece{t.from, bytes.Clone(b)})
	t.tape.mu.Unlock()
	return t.Conn.Write(b)
}

// heard is a Handler that keeps what it is told.
type heard struct {
	plain   [2][]byte
	gaps    [2]int64
	closed  []talk.Side
	records []Record
}

func (h *heard) Record(r Record) { h.records = append(h.records, r) }
func (h *heard) Plain(from talk.Side, b []byte, _ talk.Mark) {
	h.plain[from] = append(h.plain[from], b...)
}
func (h *heard) Gap(from talk.Side, n int64, _ talk.Mark) { h.gaps[from] += n }
func (h *heard) Closed(from talk.Side, _ talk.Mark)       { h.closed = append(h.closed, from) }

// read has a Conn read a tape in pieces of at most so many bytes, and skips what it says that it
// has no use for. Each piece is a packet, at its number.
func (t *tape) read(keys *secrets.Log, size int) (*Conn, *heard) {
	h := &heard{}
	c := &Conn{Shared: &Shared{}, Keys: keys, To: h}
	t.feed(c, size, nil)
	c.Done()
	return c, h
}

// feed hands a tape over, but for what drop says is not captured.
func (t *tape) feed(c *Conn, size int, drop func(from talk.Side, at, n int) bool) {
	var skip [2]int64
	var at [2]int
	frame := int64(0)
	for _, p := range t.pieces {
		for b := p.b; len(b) > 0; {
			n := min(size, len(b))
			frame++
			m := talk.Mark{At: linger.Instant(frame), Frame: frame}
			one := b[:n]
			b = b[n:]
			missing := drop != nil && drop(p.from, at[p.from], n)
			at[p.from] += n
			switch s := &skip[p.from]; {
			case int64(n) < *s:
				*s -= int64(n)
			case missing:
				rest := int64(n) - *s
				if *s > 0 {
					*s = c.Data(p.from, nil, m)
				}
				passed := min(rest, *s)
				*s -= passed
				if rest -= passed; rest > 0 {
					c.Gap(p.from, rest, m)
				}
			default:
				one = one[*s:]
				*s = c.Data(p.from, one, m)
			}
		}
	}
}

var (
	template    = x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"h.example", "*.other.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}
	certificate = testcert.SelfSigned(template)
)

// byRSA is a certificate with a key of RSA, which half of the cipher suites want.
var byRSA = sync.OnceValue(func() tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

const question, answer = "GET / HTTP/1.1\r\nHost: h.example\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

// pair returns the ends of a connection: neither waits until the other reads.
func pair(t testing.TB) (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// converse has two sides of crypto/tls talk: a question, an answer of some 100 kB, and that again.
func converse(t testing.TB, client, server *tls.Config) (*tape, *secrets.Log, [2][]byte) {
	var tp tape
	a, b := pair(t)
	var log bytes.Buffer
	client, server = client.Clone(), server.Clone()
	client.ServerName, client.InsecureSkipVerify, client.KeyLogWriter = "h.example", true, &log
	if server.Certificates == nil {
		server.Certificates = []tls.Certificate{certificate}
	}
	down := []byte(answer + strings.Repeat("0123456789", 10_000))
	done := make(chan error, 1)
	go func() {
		s := tls.Server(&tapped{b, &tp, talk.Server}, server)
		for range 2 {
			if _, err := io.ReadFull(s, make([]byte, len(question))); err != nil {
				done <- err
				return
			}
			if _, err := s.Write(down); err != nil {
				done <- err
				return
			}
		}
		_, err := io.ReadAll(s)
		s.Close()
		done <- err
	}()
	c := tls.Client(&tapped{a, &tp, talk.Client}, client)
	for range 2 {
		if _, err := io.WriteString(c, question); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, len(down))); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseWrite()
	go io.ReadAll(c)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
	keys := &secrets.Log{}
	keys.Add(log.Bytes())
	return &tp, keys, [2][]byte{[]byte(question + question), append(slices.Clone(down), down...)}
}

func TestEverySuite(t *testing.T) {
	all := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, suite := range all {
		for _, version := range suite.SupportedVersions {
			if _, known := suites[suite.ID]; !known {
				t.Errorf("%s is not opened", suite.Name)
			}
			t.Run(fmt.Sprintf("%s in %s", suite.Name, versionName(int(version))), func(t *testing.T) {
				config := &tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite.ID}, NextProtos: []string{"http/1.1"}}
				if !strings.Contains(suite.Name, "ECDSA") {
					config.Certificates = []tls.Certificate{byRSA()}
				}
				tape, keys, want := converse(t, config, config)
				for _, size := range []int{1, 7, 1448, 1 << 20} {
					c, h := tape.read(keys, size)
					for side := range want {
						if !bytes.Equal(h.plain[side], want[side]) {
							t.Fatalf("in pieces of %d: the %s said %d bytes, of %d", size, talk.Side(side).Peer(), len(h.plain[side]), len(want[side]))
						}
					}
					hello := c.Hello().Or(trace.TLS{})
					if hello.Keys != trace.AllKeys || hello.ALPN != "http/1.1" || hello.Certificates < 100 || len(hello.Names) != 3 || hello.ServerName != "h.example" || !slices.Equal(hello.Notified, []trace.Peer{trace.AtClient, trace.AtServer}) || hello.Resumed || hello.Alert != "" {
						t.Errorf("in pieces of %d: %+v", size, hello)
					}
					if h.gaps != [2]int64{} || !slices.Equal(h.closed, []talk.Side{talk.Client, talk.Server}) || c.Secured().IsZero() || c.LastByte().IsZero() {
						t.Errorf("in pieces of %d: gaps %v, closed %v, secured %v", size, h.gaps, h.closed, c.Secured())
					}
					if up, down := tape.handshake(version, h.records); hello.Up != up || hello.Down != down {
						t.Errorf("in pieces of %d: handshakes of %d and %d bytes, and they have %d and %d", size, hello.Up, hello.Down, up, down)
					}
				}
			})
		}
	}
}

// handshake counts the bytes of records up to each side's Finished, tickets of TLS 1.3 apart.
func (t *tape) handshake(version uint16, records []Record) (up, down int64) {
	var sums [2]int64
	var done [2]bool
	for _, r := range records {
		if done[r.From] || r.Inner == wire.RecordData {
			continue
		}
		sums[r.From] += wire.RecordHeaderSize + r.Size
		done[r.From] = r.Message == Finished
	}
	return sums[0], sums[1]
}

func TestWithoutKeysContentsAreSkipped(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{MaxVersion: version, NextProtos: []string{"http/1.1"}}
		tape, _, _ := converse(t, config, config)
		other := &secrets.Log{}
		other.Add([]byte("CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n"))
		for _, keys := range []*secrets.Log{nil, other} {
			c, h := tape.read(keys, 1448)
			hello := c.Hello().Or(trace.TLS{})
			want := trace.NoKeys
			if keys == nil {
				want = ""
			}
			if len(h.plain[0])+len(h.plain[1]) > 0 || hello.Keys != want || c.Secured().IsZero() || !slices.Equal(hello.Notified, []trace.Peer{trace.AtClient, trace.AtServer}) {
				t.Errorf("%+v, secured %v", hello, c.Secured())
			}
			if version == tls.VersionTLS12 && (hello.Up == 0 || hello.Down < hello.Certificates || hello.Tickets.IsZero()) {
				t.Errorf("%+v", hello)
			}
			if version == tls.VersionTLS13 && (hello.Up != 0 || hello.ALPN != "" || !hello.Tickets.IsZero()) {
				t.Errorf("%+v", hello)
			}
			decrypted, sizes := 0, int64(0)
			for _, r := range h.records {
				if r.Opened && r.Kind == wire.RecordData {
					decrypted++
				}
				sizes += r.Size + wire.RecordHeaderSize
			}
			whole := int64(0)
			for _, p := range tape.pieces {
				whole += int64(len(p.b))
			}
			if decrypted > 0 || sizes != whole {
				t.Errorf("%d records opened, and %d bytes in records of %d", decrypted, sizes, whole)
			}
		}
	}
}

func TestWrongKeys(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{MaxVersion: version}
		tape, _, _ := converse(t, config, config)
		c, _ := tape.read(nil, 1<<20)
		random := fmt.Sprintf("%x", c.Handshake().Client)
		wrong := &secrets.Log{}
		size := suites[c.Handshake().Suite].digest().Size()
		for _, label := range []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} {
			wrong.Add([]byte(label + " " + random + " " + strings.Repeat("5a", size) + "\n"))
		}
		wrong.Add([]byte("CLIENT_RANDOM " + random + " " + strings.Repeat("5a", 48) + "\n"))
		c, h := tape.read(wrong, 1448)
		if got := c.Hello().Or(trace.TLS{}).Keys; got != trace.WrongKeys || len(h.plain[0])+len(h.plain[1]) > 0 || c.Opens() {
			t.Errorf("%q", got)
		}
	}
}
