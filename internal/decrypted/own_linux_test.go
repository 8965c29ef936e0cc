package decrypted

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/internal/tshark"
	"linger/lab"
	"linger/rig"
	"linger/rig/host"
	"linger/run"
	"linger/trace"
)

func TestMain(m *testing.M) {
	// This binary is also the first process of a lab, and its hosts.
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if status, inside := host.Inside(os.Args, os.Environ()); inside {
		os.Exit(status)
	}
	// On loopback, datagrams that a server hands to the kernel as one (UDP_SEGMENT) are captured
	// as one, and nobody can tell where in it the packets of QUIC end.
	os.Setenv("QUIC_GO_DISABLE_GSO", "true")
	os.Exit(m.Run())
}

// needLab skips a test where no lab can be made.
func needLab(t *testing.T) {
	t.Helper()
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			testall.Lacks(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
}

// loads are what the lab's own client and origin do, and are captured at.
var loads = []struct {
	workload, scheme, strategies string
	loss                         float64
}{
	{"gallery", "https", "close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2,h2,h2:2,h3,h3:2", 0},
	{"gallery", "https", "close+resume,close:6+resume,close+1.0,keep+1.0,keep+resume,keep+tfo,h2+resume,h2+tfo,h3+resume,h3+0rtt", 0},
	{"gallery", "http", "close,keep,keep:6,pipeline,h2,h2:2,keep+tfo", 0},
	{"api", "https", "keep,keep:6,pipeline,h2,h3,h3+0rtt", 0},
	{"gallery", "https", "keep:6,pipeline,h2,h3", 0.01},
	{"dns", "", "udp,tcp,tcp+keep,tcp+pipeline,tcp+keep+tfo,dot,dot+resume,dot+keep,dot+pipeline,doh,doh+get,doh+keep,doh+resume", 0},
	{"dns", "", "doh3,doh3+get,doh3+0rtt,doh3+keep,doq,doq+resume,doq+0rtt,doq+keep,doq+keep+0rtt", 0},
}

// A kept is one capture of the lab's with its truth.
type kept struct {
	name, file string
	truth      *trace.Trace
}

// capture has the lab run the strategies of one load once each, and keeps the packets.
func capture(t *testing.T, dir string, i int) (all []kept) {
	t.Helper()
	load := loads[i]
	w, err := linger.ParseWorkload(load.workload, 1)
	if err != nil {
		t.Fatal(err)
	}
	if load.scheme != "" {
		w.Scheme = load.scheme
	}
	strategies, err := linger.ParseStrategies(load.strategies)
	if err != nil {
		t.Fatal(err)
	}
	file := func(s linger.Strategy) string {
		return filepath.Join(dir, fmt.Sprintf("%d.%s.pcapng", i, strings.ReplaceAll(s.Name, ":", "-")))
	}
	engine := rig.Lab{Version: "dev", Lost: func(err error) { t.Error(err) },
		Keep: func(s linger.Scenario, _ int) rig.Artifacts { return rig.Artifacts{Packets: file(s.Strategy)} }}
	n := linger.Network{Name: "test", RTT: 10 * time.Millisecond, Down: 100 * linger.Mbps, Up: 100 * linger.Mbps, Loss: load.loss, Queue: linger.DefaultQueue}
	x, err := run.Run(t.Context(), engine, run.Plan{Workload: w, Strategies: strategies, Network: n, Seed: 1, Trials: 1, Workers: 2, Timeout: time.Minute}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, s := range x.Strategies {
		for _, reason := range x.Failures[k] {
			t.Errorf("%s of %s: the trial failed: %s", s.Name, load.workload, reason)
		}
		for _, one := range x.Traces[k] {
			name := strings.Join(slices.DeleteFunc([]string{load.workload, load.scheme, s.Name}, func(s string) bool { return s == "" }), " ")
			if load.loss > 0 {
				name += fmt.Sprintf(" loss %v", load.loss)
			}
			all = append(all, kept{name, file(s), one})
		}
	}
	return all
}

// TestOwnCaptures reads what the lab captured of every strategy and transport: exchanges,
// connections, statuses and sizes are those of the trace, and tshark counts the same.
func TestOwnCaptures(t *testing.T) {
	needLab(t)
	dir := testDir(t)
	for i := range loads {
		t.Run(strings.Join([]string{loads[i].workload, loads[i].scheme, loads[i].strategies}, " "), func(t *testing.T) {
			for _, k := range capture(t, dir, i) {
				got, _, err := read(k.file)
				if err != nil {
					t.Errorf("%s: %v", k.name, err)
					continue
				}
				againstTrace(t, k, got)
				againstTshark(t, k.name, k.file, got)
			}
		})
	}
}

// testDir is where captures go: LINGER_TEST_CAPTURES keeps them.
func testDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LINGER_TEST_CAPTURES")
	if dir == "" {
		return t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// againstTshark holds the records of a capture against tshark's, where that is installed.
func againstTshark(t *testing.T, name, file string, got tshark.Records, more ...string) {
	t.Helper()
	testall.Needs(t, "tshark")
	want, err := theirs(context.Background(), file, more...)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	hold(t, name, ours(got), want)
	a, na := total(ours(got))
	b, nb := total(want)
	t.Logf("%-28s connections %d %d, requests %d %d, responses %d %d, resumed %d %d", name, na, nb, a.requests, b.requests, a.responses, b.responses, a.resumed, b.resumed)
}

// A fetched is what a trace and a capture both say of an exchange.
type fetched struct {
	url               string
	status            int
	rcode             string
	request, response int64
}

// againstTrace holds exchanges and connections against the lab's own: each exchange once, on
// connections of the same number, with the same status and the same sizes.
func againstTrace(t *testing.T, k kept, got tshark.Records) {
	t.Helper()
	// Go's TLS logs no secret of early data: the request in it is not read, its response is.
	early := strings.Contains(k.name, "0rtt")
	of := func(list []trace.Exchange) map[fetched]int {
		out := map[fetched]int{}
		for _, x := range list {
			if x.Known == trace.Inferred {
				continue
			}
			url := x.URL
			if i := strings.Index(url, "?type="); strings.HasPrefix(url, "dns://") && i > 0 {
				url = url[strings.LastIndexByte(url[:i], '/')+1:] // whom it was asked of is told in other ways
			}
			if early {
				url, x.RequestBody = "", 0
			}
			out[fetched{url, x.Status, x.Rcode, x.RequestBody, x.ResponseBody}]++
		}
		return out
	}
	want, seen := of(k.truth.Exchanges), of(got.Exchanges)
	var lines []string
	for x, n := range want {
		if seen[x] != n {
			lines = append(lines, fmt.Sprintf("%d of %+v, the trace has %d", seen[x], x, n))
		}
	}
	for x, n := range seen {
		if want[x] == 0 {
			lines = append(lines, fmt.Sprintf("%d of %+v, the trace has none", n, x))
		}
	}
	slices.Sort(lines)
	if len(lines) > 0 {
		t.Errorf("%s: %d exchanges read, %d in the trace; %d differ, the first:\n\t%s", k.name, len(got.Exchanges), len(k.truth.Exchanges), len(lines),
			strings.Join(lines[:min(4, len(lines))], "\n\t"))
	}
	opened := len(k.truth.Connections)
	if strings.Contains(k.name, "tfo") || strings.Contains(k.name, "0rtt") {
		opened++ // an earlier visit, whose cookie or ticket it has, is not in the trace
	}
	if opened != len(got.Connections) {
		t.Errorf("%s: %d connections read, %d in the trace", k.name, len(got.Connections), opened)
	}
}
