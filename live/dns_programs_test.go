package live

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"linger"
	"linger/internal/testall"
	"linger/trace"
)

// A resolver is a program of others' that answers the names of a workload.
type resolver struct {
	site
	addresses map[string]string // by what carries DNS; HTTP/3 is not there
	// counted returns how many queries the program has counted, in all and by what
	// carried them, where it knows.
	counted func(t *testing.T) map[string]int
}

const allQueries = "all"

// agrees runs strategies against the resolver: each name is answered, and it counts
// as many queries as we do.
func (p resolver) agrees(t *testing.T, a *authority, strategies string) {
	t.Helper()
	w := linger.Names()
	for name := range strings.SplitSeq(strategies, ",") {
		s := strategy(t, name)
		before := p.counted(t)
		tr := lookUp(t, w, name, Config{Address: p.addresses[s.DNS], Roots: a.roots(), Verify: true})
		if f := failures(tr); len(f) > 0 {
			t.Errorf("%s: failed %v", name, f)
			continue
		}
		attempts := map[string]int{}
		for _, x := range tr.Exchanges {
			attempts[allQueries] += x.Attempts
			attempts[s.DNS] += x.Attempts
			if x.Rcode != "NOERROR" {
				t.Errorf("%s: %s of %s", name, x.Rcode, x.URL)
			}
		}
		after := p.counted(t)
		for what, n := range after {
			if got := n - before[what]; got != attempts[what] {
				t.Errorf("%s: %d queries (%s), the program counts %d", name, attempts[what], what, got)
			}
		}
		if n := len(tr.Connections); s.Persistent && n != 1 || !s.Persistent && n != len(w.Exchanges) {
			t.Errorf("%s: %d connections", name, n)
		}
		if resumed := countResumed(tr); s.Resume && s.Connections == 1 && resumed != len(tr.Connections)-1 || !s.Resume && resumed > 0 {
			t.Errorf("%s: %d of %d connections resumed", name, resumed, len(tr.Connections))
		}
		limits := map[string]bool{}
		for _, c := range tr.Connections {
			if limit, ok := c.IdleLimit.Get(); ok {
				limits[limit.String()] = true
			}
		}
		t.Logf("%s: %d connections, idle limits %v", name, len(tr.Connections), limits)
	}
}

func countResumed(tr *trace.Trace) (n int) {
	for _, c := range tr.Connections {
		if h, _ := c.TLS.Get(); h.Resumed {
			n++
		}
	}
	return n
}

// outputOf runs a program that asks another one for its statistics.
func outputOf(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
	return string(out)
}

// valuesOf reads lines of "name=value" or "name = value", those that it can.
func valuesOf(out string) map[string]int {
	values := map[string]int{}
	for line := range strings.Lines(out) {
		var n int
		name, value, _ := strings.Cut(line, "=")
		if _, err := fmt.Sscan(value, &n); err == nil {
			values[strings.TrimSpace(name)] = n
		}
	}
	return values
}

// portNumber is the port of an address.
func portNumber(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func TestUnbound(t *testing.T) {
	unbound, control := tool(t, "unbound"), tool(t, "unbound-control")
	a := newAuthority(t)
	p := resolver{site: newPlace(t, a.issue(nil))}
	secure, web := testall.FreeAddress(t), testall.FreeAddress(t)
	p.addresses = map[string]string{linger.OverUDP: p.address, linger.OverTCP: p.address, linger.OverTLS: secure, linger.OverHTTPS: web}
	config := filepath.Join(p.dir, "unbound.conf")
	var data strings.Builder
	for _, e := range linger.Names().Exchanges {
		fmt.Fprintf(&data, "\tlocal-data: %q\n", e.Query.Name+". 300 IN A 192.0.2.1")
	}
	p.write(t, config, fmt.Sprintf(`server:
	interface: 127.0.0.1@%[2]s
	interface: 127.0.0.1@%[3]s
	interface: 127.0.0.1@%[4]s
	tls-port: %[3]s
	https-port: %[4]s
	tls-service-pem: %[1]s/cert.pem
	tls-service-key: %[1]s/key.pem
	do-daemonize: no
	use-syslog: no
	username: ""
	chroot: ""
	directory: %[1]s
	pidfile: %[1]s/pid
	incoming-num-tcp: 200
	edns-tcp-keepalive: yes
	extended-statistics: yes
	statistics-cumulative: yes
	module-config: "iterator"
	local-zone: "example." static
%[5]sremote-control:
	control-enable: yes
	control-use-cert: no
	control-interface: %[1]s/control
`, p.dir, portNumber(p.address), portNumber(secure), portNumber(web), data.String()))
	p.start(t, unbound, "-d", "-c", config)
	p.counted = func(t *testing.T) map[string]int {
		v := valuesOf(outputOf(t, control, "-c", config, "stats_noreset"))
		// Of unbound's own counts each contains the next: TCP's has TLS's and HTTPS's.
		return map[string]int{allQueries: v["total.num.queries"],
			linger.OverUDP: v["total.num.queries"] - v["num.query.tcp"], linger.OverTLS: v["num.query.tls"] - v["num.query.https"], linger.OverHTTPS: v["num.query.https"]}
	}
	p.agrees(t, a, "udp,tcp,tcp+keep,tcp+pipeline,dot,dot+keep,dot+pipeline,dot:1+resume,doh,doh+keep,doh+get,doh+keep+get,doh:1+resume")
}

func TestKnot(t *testing.T) {
	knotd, knotc := tool(t, "knotd"), tool(t, "knotc")
	a := newAuthority(t)
	p := resolver{site: newPlace(t, a.issue(nil))}
	p.addresses = map[string]string{linger.OverUDP: p.address, linger.OverTCP: p.address}
	zone := "$TTL 300\n@ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n"
	for _, e := range linger.Names().Exchanges {
		zone += e.Query.Name + ". A 192.0.2.1\n"
	}
	p.write(t, filepath.Join(p.dir, "example.zone"), zone)
	config := filepath.Join(p.dir, "knot.conf")
	p.write(t, config, fmt.Sprintf(`server:
  listen: 127.0.0.1@%[2]s
  rundir: %[1]s
  pidfile: %[1]s/pid
control:
  listen: %[1]s/control
database:
  storage: %[1]s
mod-stats:
  - id: all
    request-protocol: on
    server-operation: on
template:
  - id: default
    storage: %[1]s
    global-module: mod-stats/all
zone:
  - domain: example
    file: example.zone
`, p.dir, portNumber(p.address)))
	p.start(t, knotd, "-c", config)
	stats := func(t *testing.T) map[string]int {
		return valuesOf(outputOf(t, knotc, "-s", filepath.Join(p.dir, "control"), "-f", "stats"))
	}
	await(t, func() bool { // the zone is loaded after the socket is there
		out, err := exec.Command(knotc, "-s", filepath.Join(p.dir, "control"), "zone-status", "example").CombinedOutput()
		return err == nil && strings.Contains(string(out), "serial: 1")
	})
	p.counted = func(t *testing.T) map[string]int {
		v := stats(t)
		udp, tcp := v["mod-stats.request-protocol[udp4]"], v["mod-stats.request-protocol[tcp4]"]
		return map[string]int{allQueries: udp + tcp, linger.OverUDP: udp, linger.OverTCP: tcp}
	}
	p.agrees(t, a, "udp,tcp,tcp+keep,tcp+pipeline")
}

func TestDnsdist(t *testing.T) {
	dnsdist := tool(t, "dnsdist")
	a := newAuthority(t)
	p := resolver{site: newPlace(t, a.issue(nil))}
	secure, web, stats := testall.FreeAddress(t), testall.FreeAddress(t), testall.FreeAddress(t)
	p.addresses = map[string]string{linger.OverUDP: p.address, linger.OverTCP: p.address, linger.OverTLS: secure, linger.OverHTTPS: web}
	config := filepath.Join(p.dir, "dnsdist.conf")
	// Nobody but this test reads the statistics; dnsdist wants a key for them.
	const key = "for-this-test"
	p.write(t, config, fmt.Sprintf(`setLocal(%[2]q)
addTLSLocal(%[3]q, "%[1]s/cert.pem", "%[1]s/key.pem")
addDOHLocal(%[4]q, "%[1]s/cert.pem", "%[1]s/key.pem", "/dns-query")
setSecurityPollSuffix("")
addAction(AllRule(), SpoofAction("192.0.2.1"))
webserver(%[5]q)
setWebserverConfig({password=%[6]q, apiKey=%[6]q})
`, p.dir, p.address, secure, web, stats, key))
	p.start(t, dnsdist, "--supervised", "--disable-syslog", "-C", config)
	p.counted = func(t *testing.T) map[string]int {
		q, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+stats+"/jsonstat?command=stats", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("X-API-Key", key)
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var seen struct {
			Queries int
		}
		if err := json.NewDecoder(res.Body).Decode(&seen); err != nil {
			t.Fatal(err)
		}
		return map[string]int{allQueries: seen.Queries}
	}
	p.agrees(t, a, "udp,tcp,tcp+keep,tcp+pipeline,dot,dot+keep,dot+pipeline,dot:1+resume,doh,doh+keep,doh+get,doh+keep+get,doh:1+resume")
}
