package origin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"linger"
	"linger/dns"
	"linger/origin/accesslog"
	"linger/origin/listen"
	"linger/policy"
	"linger/trace"
	"linger/wire"
)

// names is a workload of names: the first answered at once, the second after a
// second, the third with 2000 bytes.
func names() linger.Workload {
	q := func(name string, size int64, delay time.Duration) linger.Exchange {
		return linger.Exchange{Query: linger.Query{Name: name, Type: "A"}, ResponseBody: size, Delay: delay, Parent: linger.NoParent}
	}
	return linger.Workload{Name: "names", Scheme: linger.SchemeDNS, Exchanges: []linger.Exchange{
		q("fast.board.example", 0, 0), q("slow.board.example", 0, time.Second), q("large.board.example", 2000, 0),
	}}
}

// ask returns a query for a name of names.
func ask(name string, o dns.Options) []byte {
	return must(dns.Ask(linger.Query{Name: name + ".board.example", Type: "A"}, o))
}

// framed puts a message behind its length.
func framed(messages ...[]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = binary.BigEndian.AppendUint16(b, uint16(len(m)))
		b = append(b, m...)
	}
	return b
}

// readFramed reads one message.
func readFramed(r io.Reader) ([]byte, dns.Message, error) {
	b, err := wire.ReadMessage(r, nil)
	if err != nil {
		return nil, dns.Message{}, err
	}
	m, err := dns.Read(b)
	return b, m, err
}

// namesInMemory is inMemory for DNS over a stream.
func namesInMemory(t *testing.T, config Config, body func(t *testing.T, s *Server, p *pipes)) {
	config.Workload = names()
	servedInMemory(t, config, (*Server).ServeDNSStream, body)
}

// addresses are those of one server on all transports.
type addresses struct{ udp, tcp, tls, quic, http, https, h3 string }

// serveNames starts a server of names on the loopback; the returned function shuts it
// down, once.
func serveNames(t testing.TB, config Config) (s *Server, at addresses, shutdown func()) {
	config.Certificates = append(config.Certificates, must(certifier().Certificate("localhost", "127.0.0.1")))
	s = must(New(config))
	served := make(chan error, 7)
	streams := func(serve func(context.Context, net.Listener) error) string {
		ln := must(listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{}))
		go func() { served <- serve(context.Background(), ln) }()
		return ln.Addr().String()
	}
	packets := func(serve func(context.Context, net.PacketConn) error) string {
		pc := must(listen.UDP(t.Context(), "127.0.0.1:0"))
		go func() { served <- serve(context.Background(), pc) }()
		return pc.LocalAddr().String()
	}
	at = addresses{
		udp: packets(s.ServeDNS), tcp: streams(s.ServeDNSStream), tls: streams(s.ServeDoT), quic: packets(s.ServeDoQ),
		http: streams(s.Serve), https: streams(s.ServeTLS), h3: packets(s.ServeQUIC),
	}
	entered := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.listeners) == cap(served)
	}
	for !entered() { // a shutdown before would be an error
		time.Sleep(time.Millisecond)
	}
	shutdown = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		for range cap(served) {
			if err := <-served; err != nil {
				t.Errorf("serving: %v", err)
			}
		}
	})
	t.Cleanup(shutdown)
	return s, at, shutdown
}

// dialDoQ opens a connection of DNS over QUIC.
func dialDoQ(t testing.TB, address string, cache tls.ClientSessionCache) *quic.Conn {
	t.Helper()
	config := &tls.Config{RootCAs: certifier().Pool(), NextProtos: []string{"doq"}, ClientSessionCache: cache}
	return must(quic.DialAddrEarly(t.Context(), address, config, &quic.Config{}))
}

// over asks on one stream of QUIC and returns what comes.
func over(qc *quic.Conn, sent []byte) ([]byte, dns.Message, error) {
	str, err := qc.OpenStreamSync(context.Background())
	if err != nil {
		return nil, dns.Message{}, err
	}
	if _, err := str.Write(sent); err != nil {
		return nil, dns.Message{}, err
	}
	str.Close()
	str.SetReadDeadline(time.Now().Add(10 * time.Second))
	all, err := io.ReadAll(str)
	if err != nil {
		return nil, dns.Message{}, err
	}
	return readFramed(bytes.NewReader(all))
}

// TestDNS asks for every name of the built-in workload on every transport.
func TestDNS(t *testing.T) {
	w := linger.Names()
	for i := range w.Exchanges {
		w.Exchanges[i].ResponseBody = int64(100 + 50*i)
	}
	var log recorder
	s, at, shutdown := serveNames(t, Config{Workload: w, Log: log.log})

	udp := must(net.Dial("udp", at.udp))
	defer udp.Close()
	datagram := func(b []byte) ([]byte, dns.Message, error) {
		must(udp.Write(b))
		udp.SetReadDeadline(time.Now().Add(10 * time.Second))
		in := make([]byte, 65536)
		in = in[:must(udp.Read(in))]
		m, err := dns.Read(in)
		return in, m, err
	}
	tcp := must(net.Dial("tcp", at.tcp))
	defer tcp.Close()
	secure := must(tls.Dial("tcp", at.tls, &tls.Config{RootCAs: certifier().Pool(), NextProtos: []string{"dot"}}))
	defer secure.Close()
	if got := secure.ConnectionState().NegotiatedProtocol; got != "dot" {
		t.Errorf("protocol %q", got)
	}
	stream := func(c net.Conn) func([]byte) ([]byte, dns.Message, error) {
		return func(b []byte) ([]byte, dns.Message, error) {
			must(c.Write(framed(b)))
			return readFramed(c)
		}
	}
	qc := dialDoQ(t, at.quic, nil)
	transports := []struct {
		name, over string
		ask        func([]byte) ([]byte, dns.Message, error)
	}{
		{"UDP", linger.OverUDP, datagram},
		{"TCP", linger.OverTCP, stream(tcp)},
		{"TLS", linger.OverTLS, stream(secure)},
		{"QUIC", linger.OverQUIC, func(b []byte) ([]byte, dns.Message, error) { return over(qc, framed(b)) }},
	}
	for i, way := range ways {
		tr, closeAll := way.client(nil)
		defer closeAll()
		address := []string{at.http, at.https, at.http, at.https, at.h3}[i]
		transports = append(transports, struct {
			name, over string
			ask        func([]byte) ([]byte, dns.Message, error)
		}{way.name + " GET", linger.OverHTTPS, func(b []byte) ([]byte, dns.Message, error) {
			resp, body, err := fetch(tr, "GET", way.url(address, "/dns-query?dns="+base64.RawURLEncoding.EncodeToString(b)), nil)
			return dohAnswer(t, resp, body, err)
		}}, struct {
			name, over string
			ask        func([]byte) ([]byte, dns.Message, error)
		}{way.name + " POST", linger.OverHTTPS, func(b []byte) ([]byte, dns.Message, error) {
			resp, body, err := post(tr, way.url(address, "/dns-query"), "application/dns-message", b)
			return dohAnswer(t, resp, body, err)
		}})
	}
	for _, transport := range transports {
		for i, e := range w.Exchanges {
			o := dns.OptionsOver(transport.over)
			if transport.over != linger.OverHTTPS && transport.over != linger.OverQUIC {
				o.ID = uint16(1000 + i)
			}
			b, m, err := transport.ask(must(dns.Ask(e.Query, o)))
			if err != nil {
				t.Fatalf("%s: %v: %v", transport.name, e.Query, err)
			}
			want := int(e.ResponseBody)
			if o.Pad {
				want = (want + 4 + 467) / 468 * 468
			}
			if err := m.Replies(e.Query, o.ID); err != nil || m.Rcode != 0 || m.Answers == 0 || m.Padded != o.Pad || len(b) != want {
				t.Errorf("%s: %v: %v, %d bytes, want %d: %v", transport.name, e.Query, m, len(b), want, err)
			}
		}
	}
	udp.Close()
	tcp.Close()
	secure.Close()
	qc.CloseWithError(0, "")
	shutdown()
	n := int64(len(w.Exchanges))
	if c := s.Counters(); c.Requests != int64(len(transports))*n || c.Datagrams != n || c.Accepted != 3+int64(len(ways)) || c.Open != 0 {
		t.Errorf("%+v", c)
	}
	count := map[string]int64{}
	for _, e := range log.of(accesslog.Answered) {
		count[e.Version]++
		if e.Failed != "" || e.Kept == (e.Version == "udp") {
			t.Errorf("log: %v", e)
		}
	}
	for _, version := range []string{"udp", "tcp", "tls", "quic"} {
		if count[version] != n {
			t.Errorf("%d entries of %s", count[version], version)
		}
	}
	if got := log.of(accesslog.Answered)[1]; got.Method != "A" || got.Target != "static.board.example" || got.Request != 1 || got.Body != 150 {
		t.Errorf("log: %v", got)
	}
}

// post sends a message by POST.
func post(tr http.RoundTripper, url, kind string, b []byte) (*http.Response, []byte, error) {
	req := must(http.NewRequest("POST", url, bytes.NewReader(b)))
	req.Header.Set("Content-Type", kind)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func dohAnswer(t *testing.T, resp *http.Response, body []byte, err error) ([]byte, dns.Message, error) {
	if err != nil {
		return nil, dns.Message{}, err
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/dns-message" || resp.Header.Get("Cache-Control") != "max-age=300" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	m, err := dns.Read(body)
	return body, m, err
}

func TestDoHRefusesWhatIsWrong(t *testing.T) {
	_, at, _ := serveNames(t, Config{Workload: names()})
	good := ask("fast", dns.Options{})
	encoded := base64.RawURLEncoding.EncodeToString(good)
	nothing := must(dns.Ask(linger.Query{Name: "none.board.example", Type: "A"}, dns.Options{}))
	foreign := must(dns.Ask(linger.Query{Name: "www.elsewhere.test", Type: "A"}, dns.Options{}))
	for i, way := range ways {
		tr, closeAll := way.client(nil)
		address := []string{at.http, at.https, at.http, at.https, at.h3}[i]
		for _, test := range []struct {
			method, path, kind string
			body               []byte
			status             int
			fresh              string
		}{
			{"GET", "/dns-query?dns=" + encoded, "", nil, 200, "max-age=300"},
			{"GET", "/dns-query?other=1&dns=" + encoded, "", nil, 200, "max-age=300"},
			{"HEAD", "/dns-query?dns=" + encoded, "", nil, 200, "max-age=300"},
			{"GET", "/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(nothing), "", nil, 200, "max-age=60"},
			{"GET", "/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(foreign), "", nil, 200, "max-age=0"},
			{"GET", "/dns-query", "", nil, 400, ""},
			{"GET", "/dns-query?dns=", "", nil, 400, ""},
			{"GET", "/dns-query?dns=%zz", "", nil, 400, ""},
			{"GET", "/dns-query?dns=!!!!", "", nil, 400, ""},
			{"GET", "/dns-query?dns=" + encoded + "&dns=" + encoded, "", nil, 400, ""},
			{"GET", "/dns-query?dns=AAAA", "", nil, 400, ""},
			{"POST", "/dns-query", "application/dns-message", good, 200, "max-age=300"},
			{"POST", "/dns-query", "Application/DNS-Message; v=1", good, 200, "max-age=300"},
			{"POST", "/dns-query", "application/dns-message", nil, 400, ""},
			{"POST", "/dns-query", "application/dns-message", []byte("garbage"), 400, ""},
			{"POST", "/dns-query", "application/dns-message", good[:20], 200, "max-age=0"}, // FORMERR is an answer
			{"POST", "/dns-query", "application/dns-message", make([]byte, linger.MaxMessage+1), 413, ""},
			{"POST", "/dns-query", "application/json", good, 415, ""},
			{"POST", "/dns-query", "", good, 415, ""},
			{"PUT", "/dns-query", "application/dns-message", good, 405, ""},
			{"GET", "/elsewhere", "", nil, 404, ""},
			{"GET", "/", "", nil, 200, ""},
		} {
			req := must(http.NewRequest(test.method, way.url(address, test.path), bytes.NewReader(test.body)))
			if test.kind != "" {
				req.Header.Set("Content-Type", test.kind)
			}
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Errorf("%s: %s %s: %v", way.name, test.method, test.path, err)
				continue
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != test.status || resp.Header.Get("Cache-Control") != test.fresh {
				t.Errorf("%s: %s %s %s: %s %v", way.name, test.method, test.path, test.kind, resp.Status, resp.Header)
			}
			if test.status == 405 && resp.Header.Get("Allow") != "GET, HEAD, POST" {
				t.Errorf("%s: Allow %q", way.name, resp.Header.Get("Allow"))
			}
		}
		// A content that is too long and does not say so before.
		req := must(http.NewRequest("POST", way.url(address, "/dns-query"), io.MultiReader(bytes.NewReader(make([]byte, 100_000)))))
		req.Header.Set("Content-Type", "application/dns-message")
		if resp, err := tr.RoundTrip(req); err != nil {
			t.Errorf("%s: %v", way.name, err)
		} else {
			if resp.StatusCode != 413 {
				t.Errorf("%s: %s", way.name, resp.Status)
			}
			resp.Body.Close()
		}
		closeAll()
	}
}

// TestAnswersComeWhenTheyAreDue: a slow answer holds up no other on its connection.
func TestAnswersComeWhenTheyAreDue(t *testing.T) {
	var log recorder
	namesInMemory(t, Config{Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
		c := p.dial()
		began := time.Now()
		go c.Write(framed(ask("slow", dns.Options{ID: 1}), ask("fast", dns.Options{ID: 2}), ask("slow", dns.Options{ID: 3}), ask("large", dns.Options{ID: 4})))
		for _, want := range []struct {
			id    uint16
			after time.Duration
		}{{2, 0}, {4, 0}, {1, time.Second}, {3, time.Second}} {
			_, m, err := readFramed(c)
			if err != nil || m.ID != want.id || time.Since(began) != want.after {
				t.Errorf("ID %d after %v, want %d after %v: %v", m.ID, time.Since(began), want.id, want.after, err)
			}
		}
		c.Close()
		synctest.Wait()
		if e := log.of(accesslog.Closed)[0]; e.By != trace.AtClient || e.Reason != "client closed" || e.Request != 4 {
			t.Errorf("log: %v", e)
		}
		if e := log.of(accesslog.Answered)[3]; e.Request != 3 || e.Duration != time.Second || !e.Kept {
			t.Errorf("log: %v", e)
		}
	})
}

// TestAnswersLeaveInOneWrite: the length and the message, and what is answered
// together.
func TestAnswersLeaveInOneWrite(t *testing.T) {
	namesInMemory(t, Config{}, func(t *testing.T, s *Server, p *pipes) {
		c := p.dial()
		go c.Write(framed(ask("fast", dns.Options{ID: 1}), ask("large", dns.Options{ID: 2})))
		b := make([]byte, 65536)
		n := must(c.Read(b)) // a pipe reads what one write has
		r := bytes.NewReader(b[:n])
		for id := range uint16(2) {
			if _, m, err := readFramed(r); err != nil || m.ID != id+1 {
				t.Errorf("ID %d: %v", m.ID, err)
			}
		}
		c.Close()
	})
}

func TestNamesPolicy(t *testing.T) {
	for _, test := range []struct {
		what   string
		policy policy.ServerPolicy
		asks   []string // one after another, "" is a wait of 4 s
		reason string
		ended  time.Duration   // after the connection began
		limits []time.Duration // as announced; -1 is not at all
	}{
		{"no limit", policy.ServerPolicy{Announce: true}, []string{"fast", "fast"}, "", 0, []time.Duration{-1, -1}},
		{"idle", policy.ServerPolicy{IdleTimeout: 5 * time.Second}, []string{"fast", "", "fast"}, "idle timeout", 9 * time.Second, []time.Duration{-1, -1}},
		{"idle, announced", policy.ServerPolicy{IdleTimeout: 5 * time.Second, Announce: true}, []string{"slow", "fast"}, "idle timeout", 6 * time.Second, []time.Duration{5 * time.Second, 5 * time.Second}},
		{"never asked", policy.ServerPolicy{IdleTimeout: 5 * time.Second}, nil, "idle timeout", 5 * time.Second, nil},
		{"two queries", policy.ServerPolicy{MaxRequests: 2, IdleTimeout: time.Minute, Announce: true}, []string{"fast", "slow"}, "requests per connection used up", time.Second, []time.Duration{time.Minute, 0}},
		{"a query each", policy.ServerPolicy{MaxRequests: 1}, []string{"fast"}, "requests per connection used up", 0, []time.Duration{-1}},
		{"old and idle", policy.ServerPolicy{MaxAge: 6 * time.Second}, []string{"fast", "", "fast"}, "maximum age reached", 6 * time.Second, []time.Duration{-1, -1}},
		{"old", policy.ServerPolicy{MaxAge: 3 * time.Second, IdleTimeout: time.Minute}, []string{"", "fast"}, "maximum age reached", 3 * time.Second, nil},
	} {
		var log recorder
		namesInMemory(t, Config{Policy: test.policy, Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
			c := p.dial()
			began := time.Now()
			answered := 0
			for i, name := range test.asks {
				if name == "" {
					time.Sleep(4 * time.Second)
					continue
				}
				if _, err := c.Write(framed(ask(name, dns.Options{ID: uint16(i), Keepalive: true}))); err != nil {
					break
				}
				_, m, err := readFramed(c)
				if err != nil || m.ID != uint16(i) {
					t.Fatalf("%s: %v", test.what, err)
				}
				got, known := m.Keepalive.Get()
				if want := test.limits[answered]; known != (want >= 0) || known && got != want {
					t.Errorf("%s: query %d announces %v, %v", test.what, answered, got, known)
				}
				answered++
			}
			if answered != len(test.limits) {
				t.Errorf("%s: %d queries answered", test.what, answered)
			}
			if test.reason == "" {
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(log.of(accesslog.Closed)) > 0 {
					t.Errorf("%s: %v", test.what, log.of(accesslog.Closed))
				}
				c.Close()
				return
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: %v", test.what, err)
			}
			synctest.Wait()
			if e := log.of(accesslog.Closed); len(e) != 1 || e[0].By != trace.AtServer || e[0].Reason != test.reason || e[0].Request != answered || e[0].Duration != test.ended && time.Since(began) != test.ended {
				t.Errorf("%s: %v", test.what, e)
			}
		})
	}
}

func TestNamesBadClients(t *testing.T) {
	query := ask("fast", dns.Options{ID: 5})
	response := slices.Clone(query)
	response[2] |= 0x80
	two := slices.Clone(query)
	two[5] = 2
	long := bytes.Repeat([]byte{0xff}, linger.MaxMessage)
	copy(long, query[:12])
	update := slices.Clone(query)
	update[2] = 5 << 3
	for _, test := range []struct {
		what   string
		send   []byte
		close  bool          // the client's, behind it
		rcodes []int         // of what is answered
		by     trace.Peer    // who ends it
		reason string        // why
		after  time.Duration // how long after
	}{
		{"nothing", nil, true, nil, trace.AtClient, "client closed", 0},
		{"half a length", []byte{0}, false, nil, trace.AtServer, "request timeout", 30 * time.Second},
		{"half a length, cut", []byte{0}, true, nil, trace.AtClient, "client closed in mid-request", 0},
		{"half a query", framed(query)[:20], false, nil, trace.AtServer, "request timeout", 30 * time.Second},
		{"half a query, cut", framed(query)[:20], true, nil, trace.AtClient, "client closed in mid-request", 0},
		{"a query and a half", framed(query, query)[:len(query)+10], false, []int{0}, trace.AtServer, "request timeout", 30 * time.Second},
		{"a length that lies", append([]byte{0xff, 0xff}, query...), false, nil, trace.AtServer, "request timeout", 30 * time.Second},
		{"a length that is too short", append([]byte{0, 20}, query...), false, []int{1}, trace.AtServer, "request timeout", 30 * time.Second},
		{"a length of nothing", []byte{0, 0}, false, nil, trace.AtServer, "client sent what is no query", 0},
		{"a header cut", framed(query[:11]), false, nil, trace.AtServer, "client sent what is no query", 0},
		{"a response", framed(response), false, nil, trace.AtServer, "client sent what is no query", 0},
		{"a query and a response", framed(query, response), false, nil, trace.AtServer, "client sent what is no query", 0},
		{"two questions", framed(two), true, []int{1}, trace.AtClient, "client closed", 0},
		{"64 KB", framed(long), true, []int{1}, trace.AtClient, "client closed", 0},
		{"an update", framed(update), true, []int{4}, trace.AtClient, "client closed", 0},
		{"a request of HTTP", []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), false, nil, trace.AtServer, "request timeout", 30 * time.Second},
	} {
		var log recorder
		namesInMemory(t, Config{Stall: 30 * time.Second, Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
			c := p.dial()
			began := time.Now()
			var rcodes []int
			read := make(chan bool)
			go func() {
				defer close(read)
				for {
					_, m, err := readFramed(c)
					if err != nil {
						return
					}
					rcodes = append(rcodes, m.Rcode)
				}
			}()
			c.Write(test.send)
			synctest.Wait()
			if test.close {
				c.Close()
			}
			<-read
			synctest.Wait()
			if strings.HasPrefix(test.what, "a query and a response") {
				rcodes = nil // the first may or may not have been answered
			}
			if !slices.Equal(rcodes, test.rcodes) || time.Since(began) != test.after {
				t.Errorf("%s: answered %v after %v", test.what, rcodes, time.Since(began))
			}
			if e := log.of(accesslog.Closed); len(e) != 1 || e[0].By != test.by || e[0].Reason != test.reason {
				t.Errorf("%s: %v", test.what, e)
			}
			if n := s.Counters().Open; n != 0 {
				t.Errorf("%s: %d connections are open", test.what, n)
			}
			c.Close()
		})
	}
}

// TestNamesSlowReader: a client that asks and does not read is given up, and holds no
// more queries than are allowed meanwhile.
func TestNamesSlowReader(t *testing.T) {
	var log recorder
	namesInMemory(t, Config{Stall: 30 * time.Second, MaxStreams: 4, Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
		c := p.dial()
		began := time.Now()
		sent := 0
		for {
			if _, err := c.Write(framed(ask("large", dns.Options{}))); err != nil {
				break
			}
			if time.Since(began) == 0 { // what comes while the server gives up is dropped
				sent++
			}
		}
		synctest.Wait()
		if e := log.of(accesslog.Closed); time.Since(began) != 30*time.Second || len(e) != 1 || e[0].By != trace.AtServer || !strings.HasPrefix(e[0].Reason, "client stalled") {
			t.Errorf("after %v: %v", time.Since(began), e)
		}
		if n := s.Counters().Requests; n > 4 || sent > 100 {
			t.Errorf("%d queries taken, %d sent", n, sent)
		}
		if n := len(log.of(accesslog.Answered)); int64(n) != s.Counters().Requests {
			t.Errorf("%d entries of %d queries", n, s.Counters().Requests)
		}
	})
}

func TestNamesShutdown(t *testing.T) {
	var log recorder
	namesInMemory(t, Config{Log: log.log, Policy: policy.ServerPolicy{Announce: true}}, func(t *testing.T, s *Server, p *pipes) {
		idle, busy := p.dial(), p.dial()
		must(busy.Write(framed(ask("slow", dns.Options{ID: 1, Keepalive: true}))))
		synctest.Wait()
		began := time.Now()
		done := make(chan error)
		go func() { done <- s.Shutdown(t.Context()) }()
		if _, err := idle.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != 0 {
			t.Errorf("idle connection: %v after %v", err, time.Since(began))
		}
		_, m, err := readFramed(busy)
		if limit, known := m.Keepalive.Get(); err != nil || time.Since(began) != time.Second || !known || limit != 0 {
			t.Errorf("%v after %v, announced %v %v", err, time.Since(began), limit, known)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for _, e := range log.of(accesslog.Closed) {
		if e.By != trace.AtServer || e.Reason != "server shuts down" {
			t.Errorf("log: %v", e)
		}
	}
}

// TestDatagrams: what comes by UDP and is no query has no answer, and a slow one holds
// up no other.
func TestDatagrams(t *testing.T) {
	var log recorder
	s, at, shutdown := serveNames(t, Config{Workload: names(), Log: log.log})
	c := must(net.Dial("udp", at.udp))
	defer c.Close()
	response := ask("fast", dns.Options{ID: 9})
	response[2] |= 0x80
	two := ask("fast", dns.Options{ID: 2})
	two[5] = 2
	for _, b := range [][]byte{
		{}, {1, 2, 3}, response, bytes.Repeat([]byte{0xff}, 1000),
		ask("slow", dns.Options{ID: 1}), two, ask("fast", dns.Options{ID: 3}), ask("large", dns.Options{ID: 4}),
	} {
		must(c.Write(b))
	}
	b := make([]byte, 65536)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for _, want := range []struct {
		id        uint16
		rcode     int
		truncated bool
	}{{2, 1, false}, {3, 0, false}, {4, 0, true}, {1, 0, false}} {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		m, err := dns.Read(b[:n])
		if err != nil || m.ID != want.id || m.Rcode != want.rcode || m.Truncated != want.truncated {
			t.Errorf("%+v, want %+v: %v", m, want, err)
		}
		if want.id == 4 {
			// The slow one is still under way, and answered before the server has ended.
			go shutdown()
		}
	}
	shutdown()
	if c := s.Counters(); c.Requests != 4 || c.Datagrams != 4 || c.Accepted != 0 {
		t.Errorf("%+v", c)
	}
	for _, e := range log.of(accesslog.Answered) {
		if e.Conn != 0 || e.Failed != "" || e.Remote != c.LocalAddr().String() {
			t.Errorf("log: %v", e)
		}
	}
}

func TestDoQErrors(t *testing.T) {
	var log recorder
	_, at, shutdown := serveNames(t, Config{Workload: names(), Log: log.log})
	query := ask("fast", dns.Options{})
	for _, test := range []struct {
		what string
		sent []byte
		code quic.ApplicationErrorCode
	}{
		{"an ID", framed(ask("fast", dns.Options{ID: 1})), wire.DoQProtocolError},
		{"two queries on a stream", framed(query, query), wire.DoQProtocolError},
		{"a stream that ends early", framed(query)[:10], wire.DoQProtocolError},
		{"half a length", []byte{0}, wire.DoQProtocolError},
		{"nothing", nil, wire.DoQProtocolError},
		{"edns-tcp-keepalive", framed(ask("fast", dns.Options{Keepalive: true})), wire.DoQProtocolError},
		{"what is no query", framed([]byte("garbage")), wire.DoQProtocolError},
	} {
		qc := dialDoQ(t, at.quic, nil)
		_, _, err := over(qc, test.sent)
		if e, ok := errors.AsType[*quic.ApplicationError](err); !ok || e.ErrorCode != test.code || !e.Remote {
			t.Errorf("%s: %v", test.what, err)
		}
		qc.CloseWithError(0, "")
	}
	// What the name of the zone's names cannot answer is an answer.
	qc := dialDoQ(t, at.quic, nil)
	if _, m, err := over(qc, framed(must(dns.Ask(linger.Query{Name: "a.test", Type: "A"}, dns.Options{})))); err != nil || m.Rcode != 5 {
		t.Errorf("%v, %v", m, err)
	}
	qc.CloseWithError(0, "")
	shutdown()
	for _, e := range log.of(accesslog.Closed) { // in whatever order they have ended
		if want := trace.AtServer; e.Conn <= 7 && (e.By != want || !strings.HasPrefix(e.Reason, "DOQ_PROTOCOL_ERROR: ")) {
			t.Errorf("log: %v", e)
		}
	}
}

func TestDoQPolicy(t *testing.T) {
	for _, test := range []struct {
		what   string
		policy policy.ServerPolicy
		asks   int
		reason string
	}{
		{"idle", policy.ServerPolicy{IdleTimeout: 300 * time.Millisecond}, 2, "idle timeout"},
		{"two queries", policy.ServerPolicy{MaxRequests: 2}, 2, "requests per connection used up"},
		{"old", policy.ServerPolicy{MaxAge: 300 * time.Millisecond}, 1, "maximum age reached"},
	} {
		var log recorder
		_, at, shutdown := serveNames(t, Config{Workload: names(), Policy: test.policy, Log: log.log})
		qc := dialDoQ(t, at.quic, nil)
		for range test.asks {
			if _, m, err := over(qc, framed(ask("fast", dns.Options{}))); err != nil || m.Answers != 1 {
				t.Errorf("%s: %v, %v", test.what, m, err)
			}
		}
		select {
		case <-qc.Context().Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the connection is not closed", test.what)
		}
		if e, ok := errors.AsType[*quic.ApplicationError](context.Cause(qc.Context())); !ok || e.ErrorCode != wire.DoQNoError || !e.Remote {
			t.Errorf("%s: %v", test.what, context.Cause(qc.Context()))
		}
		shutdown()
		if e := log.of(accesslog.Closed); len(e) != 1 || e[0].By != trace.AtServer || e[0].Reason != test.reason || e[0].Request != test.asks {
			t.Errorf("%s: %v", test.what, e)
		}
	}
}

// TestDoQEarlyData: a client that comes again asks in its first flight.
func TestDoQEarlyData(t *testing.T) {
	_, at, _ := serveNames(t, Config{Workload: names()})
	cache := &savedSessions{ClientSessionCache: tls.NewLRUClientSessionCache(1), saved: make(chan bool, 10)}
	qc := dialDoQ(t, at.quic, cache)
	if _, _, err := over(qc, framed(ask("fast", dns.Options{}))); err != nil {
		t.Fatal(err)
	}
	<-cache.saved
	qc.CloseWithError(0, "")
	qc = dialDoQ(t, at.quic, cache)
	if _, m, err := over(qc, framed(ask("fast", dns.Options{}))); err != nil || m.Answers != 1 {
		t.Fatalf("%v, %v", m, err)
	}
	if !qc.ConnectionState().Used0RTT {
		t.Error("without 0-RTT")
	}
	qc.CloseWithError(0, "")
}

// savedSessions tells when a ticket has come.
type savedSessions struct {
	tls.ClientSessionCache
	saved chan bool
}

func (s *savedSessions) Put(key string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put(key, state)
	if state != nil {
		s.saved <- true
	}
}

// TestNamesLeaveNothing: many clients on every transport, some of which vanish.
func TestNamesLeaveNothing(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	var log recorder
	s, at, shutdown := serveNames(t, Config{Workload: names(), Log: log.log})
	var clients sync.WaitGroup
	for i := range 60 {
		clients.Go(func() {
			leave := i%3 == 0 // without reading
			switch i % 4 {
			case 0:
				c := must(net.Dial("udp", at.udp))
				defer c.Close()
				must(c.Write(ask("slow", dns.Options{})))
				if !leave {
					must(c.Read(make([]byte, 600)))
				}
			case 1, 2:
				c := must(net.Dial("tcp", at.tcp))
				if i%4 == 2 {
					c.Close()
					c = must(tls.Dial("tcp", at.tls, &tls.Config{RootCAs: certifier().Pool()}))
				}
				defer c.Close()
				must(c.Write(framed(ask("slow", dns.Options{}), ask("large", dns.Options{}))))
				for !leave {
					if _, m, err := readFramed(c); err != nil {
						t.Error(err)
					} else if m.Answers == 1 {
						return
					}
				}
			case 3:
				qc := dialDoQ(t, at.quic, nil)
				defer qc.CloseWithError(0, "")
				if leave {
					str := must(qc.OpenStream())
					must(str.Write(framed(ask("slow", dns.Options{}))))
					return
				}
				if _, _, err := over(qc, framed(ask("slow", dns.Options{}))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	shutdown()
	settleCount(t, func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
	})
	if got := runtime.NumGoroutine(); got > goroutines {
		b := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before\n%s", got, goroutines, b[:runtime.Stack(b, true)])
	}
	if got := descriptors(t); got > files {
		t.Errorf("%d descriptors, %d before", got, files)
	}
	if c := s.Counters(); c.Open != 0 || int(c.Requests) != len(log.of(accesslog.Answered)) || int(c.Accepted) != len(log.of(accesslog.Closed)) {
		t.Errorf("%+v, %d and %d entries", c, len(log.of(accesslog.Answered)), len(log.of(accesslog.Closed)))
	}
}

func TestNamesNeedNames(t *testing.T) {
	s := must(New(Config{Workload: linger.Gallery(1)}))
	ln := newPipes()
	pc := must(listen.UDP(t.Context(), "127.0.0.1:0"))
	for _, err := range []error{s.ServeDNS(t.Context(), pc), s.ServeDNSStream(t.Context(), ln), s.ServeDoT(t.Context(), ln), s.ServeDoQ(t.Context(), pc)} {
		if err != errNoNames {
			t.Errorf("%v", err)
		}
	}
	w := names()
	w.Exchanges[0].Query.Type = "NOSUCH"
	if _, err := New(Config{Workload: w}); err == nil || !strings.Contains(err.Error(), `there is no type of record "NOSUCH"`) {
		t.Error(err)
	}
}

// FuzzNames sends anything over a stream: no panic, and the connection ends.
func FuzzNames(f *testing.F) {
	f.Add(framed(ask("fast", dns.Options{ID: 1, Keepalive: true}), ask("large", dns.Options{Pad: true})))
	f.Add(framed(ask("none", dns.Options{}), []byte("garbage")))
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 1})
	s := must(New(Config{Workload: names(), Stall: 5 * time.Second}))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := net.Pipe()
		ended := make(chan bool)
		go func() { s.serveDNS(server, 1); close(ended) }()
		go func() { client.Write(b); client.Close() }()
		io.Copy(io.Discard, client)
		<-ended
	})
}

// TestDatagramsAreAnsweredFromWhereTheyWent: on a socket that listens on every
// address, too.
func TestDatagramsAreAnsweredFromWhereTheyWent(t *testing.T) {
	for _, test := range []struct{ listen, ask string }{
		{"0.0.0.0:0", "127.0.0.1"}, {"0.0.0.0:0", "127.0.0.2"}, {":0", "127.0.0.2"}, {":0", "127.0.0.1"}, {":0", "::1"}, {"127.0.0.3:0", "127.0.0.3"},
	} {
		t.Run(test.ask+" at "+test.listen, func(t *testing.T) {
			var log recorder
			s := must(New(Config{Workload: names(), Log: log.log}))
			pc, err := listen.UDP(t.Context(), test.listen)
			if err != nil {
				t.Skip(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.ServeDNS(t.Context(), pc) }()
			defer func() {
				settle(t, s)
				if err := <-served; err != nil {
					t.Error(err)
				}
			}()
			_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
			c, err := net.Dial("udp", net.JoinHostPort(test.ask, port))
			if err != nil {
				t.Skip(err)
			}
			defer c.Close()
			must(c.Write(ask("fast", dns.Options{ID: 7})))
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			b := make([]byte, 600)
			n, err := c.Read(b)
			if err != nil && test.ask == "127.0.0.2" && runtime.GOOS != "linux" {
				t.Skip("this host has no such address")
			}
			if m, e := dns.Read(b[:n]); err != nil || e != nil || m.ID != 7 {
				t.Errorf("%v, %v", err, e)
			}
			settle(t, s)
			if e := log.of(accesslog.Answered); len(e) != 1 || e[0].Failed != "" || e[0].Remote != c.LocalAddr().String() {
				t.Errorf("log: %v", e)
			}
		})
	}
}
