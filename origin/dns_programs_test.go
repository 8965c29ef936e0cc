package origin

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/dns"
	"linger/internal/testall"
	"linger/origin/accesslog"
	"linger/origin/listen"
	"linger/policy"
	"linger/trace"
)

// published is a workload of names with answers of several types and sizes.
func published() linger.Workload {
	q := func(name, kind string, size int64) linger.Exchange {
		return linger.Exchange{Query: linger.Query{Name: name, Type: kind}, ResponseBody: size, Parent: linger.NoParent}
	}
	return linger.Workload{Name: "published", Scheme: linger.SchemeDNS, Exchanges: []linger.Exchange{
		q("www.board.example", "A", 0), q("www.board.example", "AAAA", 0), q("www.board.example", "HTTPS", 0),
		q("board.example", "MX", 0), q("board.example", "NS", 0), q("board.example", "TXT", 0), q("_a._tcp.board.example", "SRV", 0),
		q("large.board.example", "A", 2000), q("large.board.example", "TXT", 5000), q("large.board.example", "HTTPS", 3000),
		q("large.board.example", "AAAA", 60_000), q("middle.board.example", "A", 1000),
	}}
}

// where splits an address into the arguments that dig and kdig take.
func where(address string) []string {
	host, port, _ := net.SplitHostPort(address)
	return []string{"@" + host, "-p", port}
}

// TestDig asks as dig and kdig do, over every transport that Debian's have, and reads
// what they make of the answers.
func TestDig(t *testing.T) {
	pem := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(pem, certifier().PEM(), 0o666); err != nil {
		t.Fatal(err)
	}
	_, at, _ := serveNames(t, Config{Workload: published(), Policy: policy.ServerPolicy{IdleTimeout: 7 * time.Second, Announce: true}})
	for _, way := range []struct {
		program, address, over string
		options                []string
		encrypted, stream      bool
	}{
		{"dig", at.udp, "UDP", []string{"+notcp"}, false, false},
		{"dig", at.tcp, "TCP", []string{"+tcp"}, false, true},
		{"dig", at.tls, "TLS", []string{"+tls", "+tls-ca=" + pem, "+tls-hostname=localhost"}, true, true},
		{"dig", at.https, "HTTPS", []string{"+https", "+tls-ca=" + pem, "+tls-hostname=localhost"}, true, true},
		{"dig", at.https, "HTTPS-GET", []string{"+https-get"}, true, true},
		{"dig", at.http, "HTTP", []string{"+http-plain"}, true, true},
		{"kdig", at.udp, "UDP", nil, false, false},
		{"kdig", at.tcp, "TCP", []string{"+tcp"}, false, true},
		{"kdig", at.tls, "TCP", []string{"+tls-ca=" + pem, "+tls-hostname=localhost"}, true, true},
		{"kdig", at.https, "TCP", []string{"+https", "+tls-ca=" + pem, "+tls-hostname=localhost"}, true, true},
		{"kdig", at.https, "TCP", []string{"+https-get"}, true, true},
		{"kdig", at.quic, "UDP", []string{"+tls-ca=" + pem, "+tls-hostname=localhost", "+quic"}, true, true},
	} {
		t.Run(way.program+" "+strings.Join(way.options, " "), func(t *testing.T) {
			ask := func(args ...string) string {
				return program(t, way.program, append(append(where(way.address), way.options...), args...)...)
			}
			for i, test := range []struct{ name, kind, want string }{
				{"www.board.example", "A", `www\.board\.example\.\s+300\s+IN\s+A\s+198\.18\.0\.1\n`},
				{"www.board.example", "AAAA", `IN\s+AAAA\s+2001:db8::1\n`},
				{"www.board.example", "HTTPS", `IN\s+(HTTPS\s+1 \. alpn="?h2,h3|TYPE65\s+\\# )`},
				{"board.example", "MX", `IN\s+MX\s+1 host\.example\.\n`},
				{"board.example", "NS", `IN\s+NS\s+host\.example\.\n`},
				{"board.example", "TXT", `IN\s+TXT\s+"linger"\n`},
				{"_a._tcp.board.example", "SRV", `IN\s+SRV\s+1 0 443 host\.example\.\n`},
				{"board.example", "A", `status: NOERROR(.|\n)*IN\s+SOA\s`},
				{"none.board.example", "A", `status: NXDOMAIN(.|\n)*IN\s+SOA\s`},
				{"www.elsewhere.test", "A", `status: REFUSED`},
			} {
				if i%testall.Of(1, 5) > 0 { // each is a process
					continue
				}
				out := strings.ReplaceAll(ask("+edns=0", test.name, test.kind), ";; WARNING: recursion requested but not available\n", "")
				if !regexp.MustCompile(test.want).MatchString(out) || strings.Contains(strings.ToLower(out), "warning") {
					t.Errorf("%s %s: no %q in\n%s", test.name, test.kind, test.want, out)
				}
				if test.name != "www.elsewhere.test" && !regexp.MustCompile(`[Ff]lags: qr aa rd;`).MatchString(out) {
					t.Errorf("%s %s: not authoritative:\n%s", test.name, test.kind, out)
				}
			}
			padded := ask("+edns=0", "+padding=128", "www.board.example", "A")
			size := regexp.MustCompile(`MSG SIZE  rcvd: 468\n|Received 468 B`)
			if got := size.MatchString(padded); got != way.encrypted {
				t.Errorf("padded to 468 bytes: %v\n%s", got, padded)
			}
			if !strings.Contains(padded, "("+way.over+")") && way.program == "dig" {
				t.Errorf("not over %s:\n%s", way.over, padded)
			}
			if way.program == "dig" && (way.over == "TCP" || way.over == "TLS") {
				if out := ask("+keepalive", "www.board.example", "A"); !strings.Contains(out, "; TCP KEEPALIVE: 7.0 secs") {
					t.Errorf("no idle limit:\n%s", out)
				}
			}
			if way.stream {
				out := ask("+edns=0", "large.board.example", "AAAA")
				// kdig pads what it encrypts, and 60372 is a multiple of 468.
				if !regexp.MustCompile(`MSG SIZE  rcvd: 60000\n|Received 60(000|372) B`).MatchString(out) || !regexp.MustCompile(`2001:db8::8[0-9a-f]{2}\n`).MatchString(out) {
					t.Errorf("no answer of 60000 bytes:\n%.2000s", out)
				}
			}
		})
	}
}

// TestDigAsksAgainOverTCP: what does not fit is truncated, and asked for again.
func TestDigAsksAgainOverTCP(t *testing.T) {
	var log recorder
	config := Config{Workload: published(), Log: log.log}
	config.Certificates = nil
	s := must(New(config))
	ln := must(listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{}))
	pc := must(listen.UDP(t.Context(), ln.Addr().String()))
	served := make(chan error, 2)
	go func() { served <- s.ServeDNS(t.Context(), pc) }()
	go func() { served <- s.ServeDNSStream(t.Context(), ln) }()
	for _, test := range []struct {
		program, name, kind string
		options             []string
		size                int
		again               bool
	}{
		{"dig", "large.board.example", "A", nil, 2000, true},
		{"dig", "large.board.example", "TXT", nil, 5000, true},
		{"dig", "large.board.example", "HTTPS", nil, 3000, true},
		{"dig", "middle.board.example", "A", nil, 1000, false},
		{"dig", "middle.board.example", "A", []string{"+noedns"}, 1000, true},
		{"dig", "middle.board.example", "A", []string{"+bufsize=999"}, 1000, true},
		{"kdig", "large.board.example", "A", nil, 2000, true},
		{"kdig", "middle.board.example", "A", []string{"+edns=0"}, 1000, false},
		{"kdig", "middle.board.example", "A", nil, 1000, true},
	} {
		before := len(log.of(accesslog.Answered))
		args := append(append(where(ln.Addr().String()), test.options...), test.name, test.kind)
		out := program(t, test.program, args...)
		if !regexp.MustCompile(fmt.Sprintf(`MSG SIZE  rcvd: %d\n|Received %[1]d B`, test.size)).MatchString(out) {
			t.Errorf("%s %v: not %d bytes:\n%.2000s", test.program, args, test.size, out)
		}
		want := "udp"
		if test.again {
			want = "udp tcp"
		}
		// The client may have ended before its answer is in the log.
		settleCount(t, func() bool { return len(log.of(accesslog.Answered)) >= before+len(strings.Fields(want)) })
		var versions []string
		// Each transport logs when its answer has left, which may be after the client has
		// asked the other: the order of asking is that of the beginnings.
		asked := log.of(accesslog.Answered)[before:]
		slices.SortFunc(asked, func(a, b accesslog.Entry) int {
			return a.Time.Add(-a.Duration).Compare(b.Time.Add(-b.Duration))
		})
		for _, e := range asked {
			versions = append(versions, e.Version)
		}
		if got := strings.Join(versions, " "); got != want {
			t.Errorf("%s %v: asked over %s, want %s", test.program, args, got, want)
		}
	}
	// The last client has gone, which the server may not have noticed yet.
	settleCount(t, func() bool { return s.Counters().Open == 0 })
	settle(t, s)
	for range cap(served) {
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	for _, e := range log.of(accesslog.Closed) {
		if e.By != trace.AtClient {
			t.Errorf("log: %v", e)
		}
	}
}

// TestDnsperf asks as fast as it can, and counts.
func TestDnsperf(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "names")
	var b strings.Builder
	w := linger.Names()
	for _, e := range w.Exchanges {
		fmt.Fprintln(&b, e.Query)
	}
	if err := os.WriteFile(list, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	const clients, rounds = 4, 200
	for _, test := range []struct {
		mode  string
		delay time.Duration
	}{{"udp", 0}, {"tcp", 0}, {"dot", 0}, {"udp", 5 * time.Millisecond}, {"tcp", 5 * time.Millisecond}, {"dot", 5 * time.Millisecond}} {
		t.Run(fmt.Sprint(test.mode, " ", test.delay), func(t *testing.T) {
			for i := range w.Exchanges {
				w.Exchanges[i].Delay = 0
				if i%2 == 0 {
					w.Exchanges[i].Delay = test.delay
				}
			}
			s, at, shutdown := serveNames(t, Config{Workload: w})
			host, port, _ := net.SplitHostPort(map[string]string{"udp": at.udp, "tcp": at.tcp, "dot": at.tls}[test.mode])
			out := program(t, "dnsperf", "-m", test.mode, "-s", host, "-p", port, "-d", list, "-n", fmt.Sprint(rounds), "-c", fmt.Sprint(clients), "-t", "20")
			sent, done := figure(t, out, `Queries sent:\s+(\d+)`), figure(t, out, `Queries completed:\s+(\d+)`)
			lost := figure(t, out, `Queries lost:\s+(\d+)`)
			if want := int64(rounds * len(w.Exchanges)); sent != want || done != want || lost != 0 || !strings.Contains(out, fmt.Sprintf("NOERROR %d (100.00%%)", want)) || strings.Contains(out, "rror:") {
				t.Errorf("%s", out)
			}
			shutdown()
			c := s.Counters()
			connections, datagrams := int64(clients), int64(0)
			if test.mode == "udp" {
				connections, datagrams = 0, sent
			}
			if c.Requests != sent || c.Datagrams != datagrams || c.Accepted != connections || c.Open != 0 {
				t.Errorf("dnsperf has sent %d queries, and here: %+v", sent, c)
			}
		})
	}
}

// TestH2loadAsksForNames: many queries at once over HTTP/2. (dnsperf 2.10 speaks it,
// too, and did not end with several at once.)
func TestH2loadAsksForNames(t *testing.T) {
	const requests, clients = 4000, 4
	s, at, shutdown := serveNames(t, Config{Workload: names()})
	query := base64.RawURLEncoding.EncodeToString(ask("fast", dns.Options{Pad: true}))
	out := program(t, "h2load", "-n", fmt.Sprint(requests), "-c", fmt.Sprint(clients), "-m", "32", "https://"+at.https+"/dns-query?dns="+query)
	if done := figure(t, out, `(\d+) succeeded`); done != requests || figure(t, out, `(\d+) 2xx`) != requests {
		t.Errorf("%s", out)
	}
	if got := figure(t, out, `\((\d+)\) data`); got != requests*468 {
		t.Errorf("%d bytes of answers, want %d", got, requests*468)
	}
	shutdown()
	if c := s.Counters(); c.Requests != requests || c.Accepted != clients {
		t.Errorf("%+v", c)
	}
}
