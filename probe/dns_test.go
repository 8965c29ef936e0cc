package probe_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/conformance"
	"linger/dns"
	"linger/internal/testall"
	"linger/origin"
	"linger/origin/listen"
	"linger/policy"
	"linger/probe"
	"linger/profile"
	"linger/wire"
)

// dnsProgram is a program of others' that answers names, on the loopback interface.
type dnsProgram struct{ dir, address, port string }

func newDNSProgram(t *testing.T) dnsProgram {
	t.Helper()
	address := testall.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	return dnsProgram{t.TempDir(), address, port}
}

func (s dnsProgram) write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(s.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// start runs the program until the test ends, and waits until a query is answered.
func (s dnsProgram) start(t *testing.T, name string, args ...string) {
	t.Helper()
	path := testall.Located(name)
	if path == "" {
		testall.Lacks(t, "%s is not installed; .ci/run says how", name)
	}
	testall.Start(t, func() bool { return answersOverTCP(s.address) }, nil, path, args...)
}

func answersOverTCP(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	query, err := dns.Ask(linger.Query{Name: "www.example", Type: "A"}, dns.Options{})
	if err != nil {
		return false
	}
	c.Write(wire.AppendMessage(nil, query))
	var length [2]byte
	_, err = io.ReadFull(c, length[:])
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	if err == nil {
		_, err = io.ReadFull(c, b)
	}
	m, _ := dns.Read(b)
	return err == nil && m.Rcode == 0
}

func probedDNS(t testing.TB, target string, change func(*probe.Config)) *profile.Profile {
	t.Helper()
	config := probe.Config{Target: target, MaxWait: 20 * time.Second}
	if change != nil {
		change(&config)
	}
	p, err := probe.Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if p.Spent.Peak > 4 || p.Spent.Requests > 60 {
		t.Errorf("%d connections at once, %d queries", p.Spent.Peak, p.Spent.Requests)
	}
	for _, r := range p.Cases {
		t.Logf("%s: %s: %s", r.ID, r.Outcome, r.Text)
	}
	return p
}

// breaks holds which cases are broken; all others but the unknown ones have passed.
func breaks(t testing.TB, p *profile.Profile, unknown []string, broken ...string) {
	t.Helper()
	if all, err := conformance.Select([]string{"dns"}, nil); err != nil || len(p.Cases) != len(all) {
		t.Errorf("%d cases, want %d: %v", len(p.Cases), len(all), err)
	}
	for _, r := range p.Cases {
		want := profile.Pass
		switch {
		case slices.Contains(broken, r.ID):
			want = r.Level.Broken()
		case slices.Contains(unknown, r.ID):
			want = profile.NotMeasured
		}
		if r.Outcome != want {
			t.Errorf("%s: %s, want %s: %s", r.ID, r.Outcome, want, r.Text)
		}
	}
}

// isLimit holds a limit within 0.1 s or 2 % of what was set, or up to late more for a
// server that looks now and then only.
func isLimit(t testing.TB, what string, got profile.Timeout, want, early, late time.Duration) {
	t.Helper()
	slack := max(100*time.Millisecond, want/50)
	median := time.Duration(got.Median)
	t.Logf("%s: %v to %v, set to %v, by %s", what, time.Duration(got.Low), time.Duration(got.High), want, got.Ending)
	if got.State != profile.Measured || median < want-early-slack || median > want+late+slack {
		t.Errorf("%s: %s %v, set to %v", what, got.State, median, want)
	}
	if got.Ending != profile.FIN && got.Ending != profile.CloseNotify {
		t.Errorf("%s: ended by %s", what, got.Ending)
	}
}

func TestDNSOfOurOwn(t *testing.T) {
	t.Parallel()
	ca, certificate := ownAuthority(t)
	w := linger.Workload{Name: "names", Scheme: linger.SchemeDNS, Exchanges: []linger.Exchange{
		{Query: linger.Query{Name: "www.example", Type: "A"}, Parent: linger.NoParent},
		{Query: linger.Query{Name: "long.example", Type: "TXT"}, ResponseBody: 3000, Parent: linger.NoParent},
	}}
	config := origin.Config{Workload: w, Policy: policy.ServerPolicy{IdleTimeout: 2 * time.Second, Announce: true}}
	config.Certificates = append(config.Certificates, certificate)
	s, err := origin.New(config)
	if err != nil {
		t.Fatal(err)
	}
	open := func() net.Listener {
		ln, err := listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	tcp, tls := open(), open()
	udp, err := listen.UDP(t.Context(), tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 3)
	go func() { served <- s.ServeDNSStream(context.Background(), tcp) }()
	go func() { served <- s.ServeDoT(context.Background(), tls) }()
	go func() { served <- s.ServeDNS(context.Background(), udp) }()
	defer func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		for range cap(served) {
			<-served
		}
	}()
	inTime(t, "tcp", func(t *testall.Attempt) {
		p := probedDNS(t, "dns://"+tcp.Addr().String()+"/long.example?type=TXT", nil)
		breaks(t, p, []string{"dns-reorders"})
		stream := p.ProtocolNamed("tcp")
		isLimit(t, "after connect", stream.AfterConnect, 2*time.Second, 0, 0)
		isLimit(t, "after an answer", stream.AfterResponse, 2*time.Second, 0, 0)
		isLimit(t, "with the option", p.DNS.AfterKeepalive, 2*time.Second, 0, 0)
		if said := stream.Announced.Timeout.Or(0); said != profile.Duration(2*time.Second) {
			t.Errorf("announced %v", time.Duration(said))
		}
		if p.Baseline.Rcode != "NOERROR" || !p.DNS.HalfClosed.Or(false) {
			t.Errorf("%+v %+v", p.Baseline, p.DNS)
		}
	})
	inTime(t, "dot", func(t *testall.Attempt) {
		p := probedDNS(t, "dot://"+tls.Addr().String()+"/www.example", func(c *probe.Config) { c.Roots = ca.Pool() })
		breaks(t, p, []string{"dns-reorders", "dns-truncates", "dns-keepalive-udp"})
		isLimit(t, "after TLS", p.ProtocolNamed("dot").AfterTLS, 2*time.Second, 0, 0)
		isLimit(t, "after an answer", p.ProtocolNamed("dot").AfterResponse, 2*time.Second, 0, 0)
	})
}

// late is from how late on a machine may have spoiled what is measured.
const late = 50 * time.Millisecond

// inTime is a test of what a machine that is late spoils.
func inTime(t *testing.T, name string, attempt func(*testall.Attempt)) {
	t.Run(name, func(t *testing.T) {
		testall.InTime(t, late, attempt)
	})
}

// long is a record that is longer than 512 bytes.
var long = strings.Repeat(`"`+strings.Repeat("x", 200)+`" `, 4)

func unboundConfig(s dnsProgram, more string) string {
	return fmt.Sprintf(`server:
	interface: 127.0.0.1@%[2]s
	do-daemonize: no
	use-syslog: no
	username: ""
	chroot: ""
	directory: %[1]s
	pidfile: %[1]s/pid
	module-config: "iterator"
	do-not-query-localhost: no
	local-zone: "example." transparent
	local-data: "www.example. 300 IN A 192.0.2.1"
	local-data: 'long.example. 300 IN TXT %[3]s'
%[4]s
`, s.dir, s.port, long, more)
}

// TestDNSOfUnbound: with the option switched on, all its connections have that limit,
// whether they have asked or not, and tcp-idle-timeout is of no account.
func TestDNSOfUnbound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, set string
		limit     time.Duration
		unknown   []string
	}{
		{"tcp-idle-timeout", "tcp-idle-timeout: 3000", 3 * time.Second, []string{"dns-keepalive-true"}},
		{"edns-tcp-keepalive", "tcp-idle-timeout: 3000\n\tedns-tcp-keepalive: yes\n\tedns-tcp-keepalive-timeout: 5000", 5 * time.Second, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newDNSProgram(t)
			// Nothing is looked for elsewhere: what is not here is not there.
			s.start(t, "unbound", "-d", "-c", s.write(t, "unbound.conf", unboundConfig(s, "\t"+test.set+"\n\tlocal-zone: \"www.example.\" static\n\tlocal-zone: \"long.example.\" static\n\tlocal-zone: \".\" static")))
			testall.InTime(t, late, func(t *testall.Attempt) {
				p := probedDNS(t, "dns://"+s.address+"/long.example?type=TXT", nil)
				breaks(t, p, append(slices.Clone(test.unknown), "dns-reorders"))
				isLimit(t, "after connect", p.ProtocolNamed("tcp").AfterConnect, test.limit, 0, 0)
				isLimit(t, "after an answer", p.ProtocolNamed("tcp").AfterResponse, test.limit, 0, 0)
				isLimit(t, "with the option", p.DNS.AfterKeepalive, test.limit, 0, 0)
			})
		})
	}
}

// TestDNSReordered has unbound ask a server that takes its time, and answer what it
// knows meanwhile. The same server, asked over TCP itself, answers in order.
func TestDNSReordered(t *testing.T) {
	t.Parallel()
	const slow = 150 * time.Millisecond
	answer := func(b []byte) []byte {
		m, err := dns.Read(b)
		if err != nil {
			return nil
		}
		if strings.HasPrefix(m.Query.Name, "linger-") {
			time.Sleep(slow)
		}
		return m.Reply(dns.Answer{Rcode: 3, None: true}).Message
	}
	_, port, _ := net.SplitHostPort(testall.AnswerDatagrams(t, "127.0.0.1:0", answer))
	s := newDNSProgram(t)
	s.start(t, "unbound", "-d", "-c", s.write(t, "unbound.conf", unboundConfig(s, fmt.Sprintf("\tqname-minimisation: no\nforward-zone:\n\tname: \".\"\n\tforward-addr: 127.0.0.1@%s", port))))
	only, err := conformance.Select([]string{"dns-reorders"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	inTime(t, "unbound", func(t *testall.Attempt) {
		p := probedDNS(t, "dns://"+s.address+"/www.example", func(c *probe.Config) { c.Cases = only })
		if !p.DNS.Reordered.Or(false) || p.Cases[0].Outcome != profile.Pass {
			t.Errorf("%+v", p.Cases[0])
		}
	})

	serial := testall.Accept(t, func(c net.Conn) {
		for {
			b := readFramed(c)
			if b == nil {
				return
			}
			c.Write(wire.AppendMessage(nil, answer(b)))
		}
	})
	inTime(t, "a serial server", func(t *testall.Attempt) {
		p := probedDNS(t, "dns://"+serial+"/www.example", func(c *probe.Config) { c.Cases = only })
		if p.DNS.Reordered.Or(true) || p.Cases[0].Outcome != profile.Warn {
			t.Errorf("%+v", p.Cases[0])
		}
	})
}

// TestDNSOfKnot: it looks every two seconds, and closes what is over then.
func TestDNSOfKnot(t *testing.T) {
	t.Parallel()
	testall.Long(t, "a quarter of a minute of real time")
	s := newDNSProgram(t)
	s.write(t, "example.zone", "$TTL 300\n@ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.1\nlong TXT "+long+"\n")
	s.start(t, "knotd", "-c", s.write(t, "knot.conf", fmt.Sprintf(`server:
  listen: 127.0.0.1@%[2]s
  rundir: %[1]s
  pidfile: %[1]s/pid
  tcp-idle-timeout: 3
control:
  listen: %[1]s/control
database:
  storage: %[1]s
template:
  - id: default
    storage: %[1]s
zone:
  - domain: example
    file: example.zone
`, s.dir, s.port)))
	testall.InTime(t, late, func(t *testall.Attempt) {
		p := probedDNS(t, "dns://"+s.address+"/long.example?type=TXT", nil)
		breaks(t, p, []string{"dns-reorders", "dns-keepalive-true"})
		isLimit(t, "after an answer", p.ProtocolNamed("tcp").AfterResponse, 3*time.Second, time.Second, 2*time.Second)
	})
}

// TestDNSOfDnsdist: it looks every second, and its limit is of whole seconds.
func TestDNSOfDnsdist(t *testing.T) {
	t.Parallel()
	testall.Long(t, "a quarter of a minute of real time")
	s := newDNSProgram(t)
	s.start(t, "dnsdist", "--supervised", "--disable-syslog", "-C", s.write(t, "dnsdist.conf", fmt.Sprintf(`setLocal(%q)
setSecurityPollSuffix("")
setTCPRecvTimeout(3)
addAction(AllRule(), SpoofAction("192.0.2.1"))
`, s.address)))
	testall.InTime(t, late, func(t *testall.Attempt) {
		p := probedDNS(t, "dns://"+s.address+"/www.example", nil)
		breaks(t, p, []string{"dns-reorders", "dns-keepalive-true", "dns-truncates"})
		isLimit(t, "after an answer", p.ProtocolNamed("tcp").AfterResponse, 3*time.Second, 0, time.Second)
	})
}

// readFramed reads one query, or nil at the end.
func readFramed(c net.Conn) []byte {
	b, err := wire.ReadMessage(c, nil)
	if err != nil {
		return nil
	}
	return b
}

// TestBadServersOfDNS: each breaks one case, and the probe names that one.
func TestBadServersOfDNS(t *testing.T) {
	t.Parallel()
	good := func(b []byte) []byte {
		m, err := dns.Read(b)
		if err != nil || !m.IsQuery() {
			return nil
		}
		return m.Reply(dns.Answer{Keepalive: linger.Known(2 * time.Second)}).Message
	}
	// looping answers query after query, and ends after an idle limit.
	looping := func(c net.Conn, limit time.Duration, most int, answer func([]byte) []byte) {
		for range most {
			c.SetReadDeadline(time.Now().Add(limit))
			b := readFramed(c)
			if b == nil {
				return
			}
			c.Write(wire.AppendMessage(nil, answer(b)))
		}
	}
	alone := []string{"dns-reorders", "dns-truncates", "dns-keepalive-udp"}
	for _, test := range []struct {
		name    string
		serve   func(net.Conn)
		broken  []string
		unknown []string
	}{
		{"a good one", func(c net.Conn) { looping(c, 2*time.Second, 100, good) }, nil, alone},
		{"ends early of what it said", func(c net.Conn) { looping(c, 1200*time.Millisecond, 100, good) }, []string{"dns-keepalive-true"}, alone},
		{"ends at once", func(c net.Conn) {
			looping(c, 300*time.Millisecond, 100, func(b []byte) []byte {
				m, _ := dns.Read(b)
				return m.Reply(dns.Answer{}).Message
			})
		}, []string{"dns-idle-long-enough"}, append([]string{"dns-keepalive-true"}, alone...)},
		{"one query a segment", func(c net.Conn) {
			in := make([]byte, 4096)
			whole := []byte{}
			for {
				c.SetReadDeadline(time.Now().Add(2 * time.Second))
				n, err := c.Read(in)
				if err != nil {
					return
				}
				whole = append(whole, in[:n]...)
				if len(whole) < 2 || len(whole) < 2+int(binary.BigEndian.Uint16(whole)) {
					continue
				}
				c.Write(wire.AppendMessage(nil, good(whole[2:2+int(binary.BigEndian.Uint16(whole))])))
				whole = whole[:0] // what came along is lost
			}
		}, []string{"dns-pipelining"}, alone},
		{"whole queries only", func(c net.Conn) {
			in := make([]byte, 4096)
			for {
				c.SetReadDeadline(time.Now().Add(2 * time.Second))
				n, err := c.Read(in)
				if err != nil || n < 14 {
					return
				}
				for b := in[:n]; len(b) > 2; b = b[2+int(binary.BigEndian.Uint16(b)):] {
					if int(binary.BigEndian.Uint16(b)) > len(b)-2 {
						return
					}
					c.Write(wire.AppendMessage(nil, good(b[2:2+int(binary.BigEndian.Uint16(b))])))
				}
			}
		}, []string{"dns-split"}, alone},
		{"resets", func(c net.Conn) {
			looping(c, 2*time.Second, 100, good)
			c.(*net.TCPConn).SetLinger(0)
		}, []string{"dns-idle-orderly"}, alone},
		{"has EDNS unasked", func(c net.Conn) {
			looping(c, 2*time.Second, 100, func(b []byte) []byte {
				out := good(b)
				if m, _ := dns.Read(b); !m.EDNS {
					out = append(out, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0)
					out[11]++ // one more additional record
				}
				return out
			})
		}, []string{"dns-edns-asked"}, alone},
		{"says TC over TCP", func(c net.Conn) {
			looping(c, 2*time.Second, 100, func(b []byte) []byte {
				out := good(b)
				out[2] |= 2
				return out
			})
		}, []string{"dns-truncates"}, []string{"dns-reorders", "dns-keepalive-udp"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := testall.Accept(t, test.serve)
			testall.InTime(t, late, func(t *testall.Attempt) {
				p := probedDNS(t, "dns://"+address+"/www.example", func(c *probe.Config) { c.Answer = time.Second })
				breaks(t, p, test.unknown, test.broken...)
			})
		})
	}
}

// TestBadDatagrams: what is over TCP as it should be, and over UDP is not.
func TestBadDatagrams(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		over   func(m dns.Message, good []byte) []byte
		broken []string
	}{
		{"good ones", func(_ dns.Message, good []byte) []byte { return good }, nil},
		{"the option over UDP", func(m dns.Message, good []byte) []byte {
			return m.Reply(dns.Answer{Size: 700, Keepalive: linger.Known(2 * time.Second), Datagram: true}).Message
		}, []string{"dns-keepalive-udp"}},
		{"refuses the option over UDP", func(m dns.Message, good []byte) []byte {
			if m.HasKeepalive {
				good[3] = good[3]&0xf0 | 1 // FORMERR
			}
			return good
		}, []string{"dns-keepalive-udp"}},
		{"silent to the option over UDP", func(m dns.Message, good []byte) []byte {
			if m.HasKeepalive {
				return nil
			}
			return good
		}, []string{"dns-keepalive-udp"}},
		{"longer than 512 bytes", func(m dns.Message, good []byte) []byte {
			return m.Reply(dns.Answer{Size: 700}).Message
		}, []string{"dns-truncates"}},
		{"cut without a word", func(_ dns.Message, good []byte) []byte {
			good[2] &^= 2
			return good
		}, []string{"dns-truncates"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := testall.Accept(t, func(c net.Conn) {
				for {
					c.SetReadDeadline(time.Now().Add(2 * time.Second))
					b := readFramed(c)
					m, err := dns.Read(b)
					if b == nil || err != nil {
						return
					}
					c.Write(wire.AppendMessage(nil, m.Reply(dns.Answer{Size: 700}).Message))
				}
			})
			testall.AnswerDatagrams(t, at, func(b []byte) []byte {
				m, err := dns.Read(b)
				if err != nil {
					return nil
				}
				return test.over(m, m.Reply(dns.Answer{Size: 700, Datagram: true}).Message)
			})
			only, err := conformance.Select([]string{"dns-keepalive-udp", "dns-truncates", "dns-edns-asked"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			p := probedDNS(t, "dns://"+at+"/long.example?type=TXT", func(c *probe.Config) { c.Cases, c.Answer = only, time.Second })
			for _, r := range p.Cases {
				want := profile.Pass
				if slices.Contains(test.broken, r.ID) {
					want = profile.Fail
				}
				if r.Outcome != want {
					t.Errorf("%s: %s, want %s: %s", r.ID, r.Outcome, want, r.Text)
				}
			}
		})
	}
}

// TestOneQueryAConnection: the old way, which a server may still have.
func TestOneQueryAConnection(t *testing.T) {
	t.Parallel()
	at := testall.Accept(t, func(c net.Conn) {
		b := readFramed(c)
		if m, err := dns.Read(b); err == nil {
			c.Write(wire.AppendMessage(nil, m.Reply(dns.Answer{}).Message))
		}
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
	p := probedDNS(t, "dns://"+at+"/www.example", func(c *probe.Config) { c.Answer = time.Second })
	count := p.ProtocolNamed("tcp").Requests
	if r, _ := p.ResultOf("dns-many-queries"); r.Outcome != profile.Warn || count.State != profile.Measured || count.N != 1 {
		t.Errorf("%+v %+v", r, count)
	}
}
