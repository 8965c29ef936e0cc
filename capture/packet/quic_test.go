package packet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/capture/packet"
	"linger/capture/secrets"
	"linger/internal/testcert"
	"linger/internal/tshark"
	"linger/trace"
)

// A tapped socket films what is sent from it.
type tapped struct {
	net.PacketConn
	mu   *sync.Mutex
	film *film
	at   time.Time
	from string // as which it is filmed
	as   func(net.Addr) string
}

func (t *tapped) WriteTo(b []byte, to net.Addr) (int, error) {
	t.mu.Lock()
	t.film.now = time.Since(t.at)
	t.film.step = 0
	t.film.udp(t.from, t.as(to), string(b))
	t.mu.Unlock()
	return t.PacketConn.WriteTo(b, to)
}

// A quicFilm is a server of HTTP/3 and its clients, on loopback, filmed under other addresses.
type quicFilm struct {
	mu    sync.Mutex
	film  *film
	at    time.Time
	names map[string]string
	sink  bytes.Buffer
	tls   *tls.Config
	to    net.Addr
}

func (q *quicFilm) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sink.Write(b)
}

func (q *quicFilm) listen(t *testing.T, as string) *tapped {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	q.mu.Lock()
	q.names[c.LocalAddr().String()] = as
	q.mu.Unlock()
	return &tapped{PacketConn: c, mu: &q.mu, film: q.film, at: q.at, from: as, as: func(a net.Addr) string { return q.names[a.String()] }}
}

// serveQUIC begins a film with a server on port 443.
func serveQUIC(t *testing.T, reset *quic.StatelessResetKey) (q *quicFilm, stop func()) {
	t.Helper()
	q = &quicFilm{film: newFilm(), at: time.Now(), names: map[string]string{}}
	cert := testcert.SelfSigned(x509.Certificate{DNSNames: []string{"www.example"}})
	q.tls = &tls.Config{RootCAs: testcert.Roots(cert), ServerName: "www.example", NextProtos: []string{"h3"}, KeyLogWriter: q}
	c := q.listen(t, "192.0.2.1:443")
	q.to = c.LocalAddr()
	tr := &quic.Transport{Conn: c, StatelessResetKey: reset}
	l, err := tr.ListenEarly(http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{cert}}), &quic.Config{MaxIdleTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(make([]byte, 5000))
	})}
	go s.ServeListener(l)
	return q, func() { s.Close(); tr.Close() }
}

func (q *quicFilm) get(t *testing.T, c *http3.ClientConn, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", "https://www.example"+path, nil)
	res, err := c.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || len(b) != 5000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
}

// read reads the film.
func (q *quicFilm) read(t *testing.T, keyed bool) (got tshark.Records, s packet.Summary) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	var o packet.Options
	if keyed {
		o.Keys = &secrets.Log{}
		o.Keys.Add(q.sink.Bytes())
	}
	s = readWith(t, o, &got, q.film.pcap(raw, whole))
	return got, s
}

// TestMigration goes on from another port, and closes there: it is one connection.
func TestMigration(t *testing.T) {
	q, stop := serveQUIC(t, nil)
	defer stop()
	first := &quic.Transport{Conn: q.listen(t, "192.0.2.9:5000")}
	second := &quic.Transport{Conn: q.listen(t, "192.0.2.9:6000")}
	defer first.Close()
	defer second.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := first.Dial(ctx, q.to, q.tls, nil)
	if err != nil {
		t.Fatal(err)
	}
	var h http3.Transport
	client := h.NewClientConn(c)
	q.get(t, client, "/a")
	path, err := c.AddPath(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	if err := path.Switch(); err != nil {
		t.Fatal(err)
	}
	q.get(t, client, "/b")
	c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	time.Sleep(100 * time.Millisecond)

	got, s := q.read(t, true)
	if len(got.Connections) != 1 || len(got.Exchanges) != 2 {
		t.Fatalf("%d connections, %d exchanges; %+v", len(got.Connections), len(got.Exchanges), got.Connections)
	}
	k := got.Connections[0]
	if v := k.QUIC.Or(trace.QUIC{}); v.Version != "1" || v.Migrations != 1 {
		t.Errorf("QUIC: %+v", v)
	}
	if k.Client != "192.0.2.9:5000" || k.Server != "192.0.2.1:443" || k.Protocol != linger.H3 || k.Requests != 2 || k.BeganBefore || k.StillOpen ||
		k.ClosedBy != trace.AtClient || k.ClosedWith != trace.ConnectionClose || k.Reason != "H3_NO_ERROR" || k.IdleLimit != linger.Known(20*time.Second) {
		t.Errorf("%+v", k)
	}
	if n := k.Up.Or(trace.Flow{}).Packets + k.Down.Or(trace.Flow{}).Packets; n != s.Frames {
		t.Errorf("%d packets, want all %d", n, s.Frames)
	}
	for i, x := range got.Exchanges {
		if x.Status != 200 || x.URL != "https://www.example/"+string(rune('a'+i)) || x.ResponseBody != 5000 || x.Known != trace.Decrypted {
			t.Errorf("%+v", x)
		}
	}
	blind, _ := q.read(t, false)
	if len(blind.Exchanges) != 0 || len(blind.Connections) == 0 || blind.Connections[0].Protocol != linger.QUIC || blind.Connections[0].Origin != "www.example" {
		t.Errorf("without keys: %+v", blind)
	}
}

// TestSeveralOnOneSocket has two connections at once between the same addresses and ports, and
// one after them.
func TestSeveralOnOneSocket(t *testing.T) {
	q, stop := serveQUIC(t, nil)
	defer stop()
	tr := &quic.Transport{Conn: q.listen(t, "192.0.2.9:5000")}
	defer tr.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var open []*quic.Conn
	var clients []*http3.ClientConn
	var h http3.Transport
	for range 3 {
		c, err := tr.Dial(ctx, q.to, q.tls, nil)
		if err != nil {
			t.Fatal(err)
		}
		open, clients = append(open, c), append(clients, h.NewClientConn(c))
		q.get(t, clients[len(clients)-1], "/x")
		for i := range clients {
			q.get(t, clients[i], "/y")
		}
	}
	for _, c := range open {
		c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
	time.Sleep(100 * time.Millisecond)
	got, s := q.read(t, true)
	if len(got.Connections) != 3 || len(got.Exchanges) != 9 {
		t.Fatalf("%d connections, %d exchanges", len(got.Connections), len(got.Exchanges))
	}
	n := int64(0)
	for i, k := range got.Connections {
		if k.Requests != 4-i || k.ClosedBy != trace.AtClient || k.TLS.Or(trace.TLS{}).Keys != trace.AllKeys {
			t.Errorf("%+v", k)
		}
		n += k.Up.Or(trace.Flow{}).Packets + k.Down.Or(trace.Flow{}).Packets
	}
	if n != s.Frames {
		t.Errorf("%d packets, want all %d", n, s.Frames)
	}
}

// TestQUICOfOthers reads captures of other programs, without keys, and holds them against what
// tshark says of them.
func TestQUICOfOthers(t *testing.T) {
	type seen struct {
		Version, Name, Cipher string
		Offered               int
		Resumed, Secured      bool
		Up, Down              int64
	}
	const cipher = "TLS_AES_128_GCM_SHA256"
	for file, want := range map[string][]seen{
		"zeek_quic_curl-8.1.2-dev-http3-www-google-de.pcap": {{"1", "www.google.de", cipher, 4, false, true, 21, 27}},
		"zeek_quic_interop_quic-go_quic-go_zerortt.pcap": {
			{"1", "server4:443", cipher, 1, false, true, 7, 4}, {"1", "server4:443", cipher, 1, true, true, 45, 44},
		},
		"zeek_quic_quicdoq.pcap":          {{"1", "", cipher, 1, false, true, 4, 5}},
		"zeek_quic_quicv2-http3-443.pcap": {{"2", "", cipher, 1, false, true, 8, 6}},
	} {
		t.Run(file, func(t *testing.T) {
			files := captures(t)
			at := slices.IndexFunc(files, func(f string) bool { return filepath.Base(f) == file })
			if at < 0 {
				t.Skip("the capture is not there")
			}
			b, err := os.ReadFile(files[at])
			if err != nil {
				t.Fatal(err)
			}
			got, _ := read(t, b)
			var have []seen
			for _, k := range got.Connections {
				s := k.TLS.Or(trace.TLS{})
				have = append(have, seen{
					k.QUIC.Or(trace.QUIC{}).Version, s.ServerName, s.Cipher, len(s.Offered), s.Resumed, !k.Secured.IsZero(),
					k.Up.Or(trace.Flow{}).Packets, k.Down.Or(trace.Flow{}).Packets,
				})
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestIdleExpiry lets a connection idle for longer than the server said that it may.
func TestIdleExpiry(t *testing.T) {
	q, stop := serveQUIC(t, nil)
	tr := &quic.Transport{Conn: q.listen(t, "192.0.2.9:5000")}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := tr.Dial(ctx, q.to, q.tls, nil)
	if err != nil {
		t.Fatal(err)
	}
	var h http3.Transport
	q.get(t, h.NewClientConn(c), "/a")
	time.Sleep(100 * time.Millisecond)
	q.mu.Lock()
	frames := len(q.film.frames)
	q.mu.Unlock()
	tr.Close()
	stop()
	for _, wait := range []time.Duration{15 * time.Second, 25 * time.Second} {
		q.mu.Lock()
		q.film.frames = q.film.frames[:frames]
		q.film.now = q.film.frames[frames-1].at + wait
		q.film.udp("192.0.2.3:53", "192.0.2.4:4000", "no query")
		q.mu.Unlock()
		got, _ := q.read(t, true)
		k := got.Connections[len(got.Connections)-1]
		for _, one := range got.Connections {
			if one.Protocol == linger.H3 {
				k = one
			}
		}
		over := wait > 20*time.Second
		if k.StillOpen == over || (k.ClosedWith == trace.IdleTimeout) != over || k.ClosedBy != trace.Nobody {
			t.Errorf("after %v: %+v", wait, k)
		}
	}
}

// TestAlike has two Initial packets whose headers begin alike, as those of one hello: the second
// is no copy of the first, and one that is is left out.
func TestAlike(t *testing.T) {
	f := newFilm()
	f.step = 0
	head := "\xc7\x00\x00\x00\x01\x0b\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x04\x01\x02\x03\x04\x00\x44\xe7"
	first, second := head+strings.Repeat("a", 1255), head+strings.Repeat("b", 1255)
	for _, b := range []string{first, second, second} {
		f.id = 0 // Linux numbers no datagrams that may not be fragmented
		f.udp("192.0.2.9:5000", "192.0.2.1:443", b)
	}
	_, s := read(t, f.pcap(raw, whole))
	if s.Duplicates != 1 {
		t.Errorf("%d copies, want 1", s.Duplicates)
	}
}
