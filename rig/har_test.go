package rig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/capture/har"
	"linger/infer"
	"linger/internal/testall"
	"linger/live"
	"linger/origin"
	"linger/trace"
)

// scattered is a page on one origin with objects on others, at several distances.
func scattered(t *testing.T, scheme string) linger.Workload {
	t.Helper()
	w, err := linger.ParseList("scattered", strings.NewReader(`
//www.example/        30000
//www.example/a.css    4000 //www.example/ at=500 delay=3ms
//cdn.example/1.png    9000 //www.example/ at=20000 rtt=40ms
//cdn.example/2.png    9000 //www.example/
//far.example:8080/x   7000 //www.example/a.css rtt=100ms type=text/plain
POST://far.example:8080/log 0 //cdn.example/1.png status=204 body=300
`))
	if err != nil {
		t.Fatal(err)
	}
	return over(t, scheme, w)
}

// TestOriginsInTheLab has a host for each origin: connections, requests and bytes
// add up, and a handshake takes as much longer as the origin is farther.
func TestOriginsInTheLab(t *testing.T) {
	needLab(t)
	t.Parallel()
	const rtt = 20 * time.Millisecond
	for _, row := range []struct {
		scheme, strategies string
	}{{"http", "close,keep,keep:6,pipeline,h2"}, {"https", "close:6,keep:6+resume,h2,h3,h3+0rtt"}} {
		w := scattered(t, row.scheme)
		f, x := measure(t, w, row.strategies, network(rtt), 1, 0)
		if f.Workload.Origins != 3 {
			t.Errorf("%d origins; want 3", f.Workload.Origins)
		}
		for i, s := range x.Strategies {
			one := x.Traces[i][0]
			checkBodies(t, one, w)
			requests := 0
			for _, c := range one.Connections {
				requests += c.Requests
				at := slices.IndexFunc(w.Origins, func(o linger.Origin) bool { return o.Name == c.Origin })
				if at < 0 {
					t.Fatalf("%s: a connection to %q", s.Name, c.Origin)
				}
				connected, ok := c.Connected.Get()
				least := rtt + w.Origins[at].ExtraRTT.Or(0)
				if took := connected.Sub(c.Dialled); ok && !s.EarlyData && took < least {
					t.Errorf("%s: %s was connected after %v; a round trip is %v", s.Name, c.Origin, took, least)
				}
			}
			for _, e := range one.Exchanges {
				if e.Connection < 0 || !strings.Contains(e.URL, "://"+one.Connections[e.Connection].Origin+"/") {
					t.Errorf("%s: %s went to %+v", s.Name, e.URL, one.Connections[e.Connection].Origin)
				}
			}
			if requests != len(w.Exchanges) {
				t.Errorf("%s: %d requests; want %d", s.Name, requests, len(w.Exchanges))
			}
			ledger, _ := one.Ledger.Get()
			servers := map[string]bool{}
			for _, c := range ledger.Connections {
				host, _, _ := net.SplitHostPort(c.Server)
				servers[host] = true
			}
			if len(servers) != 3 {
				t.Errorf("%s: packets to %d hosts; want 3", s.Name, len(servers))
			}
			if s.EarlyData {
				continue // what an earlier visit spent is not told apart
			}
			if server, ok := one.Server.Get(); !ok || server.CPU <= 0 {
				t.Errorf("%s: the servers' side is %+v", s.Name, server)
			}
		}
	}
}

// TestManyOriginsInTheLab fetches from more origins than a lab has hosts.
func TestManyOriginsInTheLab(t *testing.T) {
	needLab(t)
	t.Parallel()
	w := linger.Workload{Name: "many", Scheme: "http"}
	for i := range linger.MaxOrigins {
		w.Origins = append(w.Origins, linger.Origin{Name: fmt.Sprintf("h%d.example", i), ExtraRTT: linger.Known(time.Duration(i*7919%linger.MaxOrigins) * time.Millisecond)})
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "GET", Origin: i, Path: "/", Status: 200, ResponseBody: 1000, Parent: linger.NoParent})
	}
	_, x := measure(t, w, "h2", network(5*time.Millisecond), 1, 0)
	checkBodies(t, x.Traces[0][0], w)
	if n := len(x.Traces[0][0].Connections); n != len(w.Origins) {
		t.Errorf("%d connections to %d origins", n, len(w.Origins))
	}
}

// TestHARThereAndBack writes loads as HARs, has the schema of others look at them,
// and reads the workload back.
func TestHARThereAndBack(t *testing.T) {
	needLab(t)
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for _, row := range []struct{ scheme, strategy string }{
		{"http", "close:6"}, {"http", "keep"}, {"https", "keep:6"}, {"https", "h2"}, {"https", "h3"}, {"https", "h3+0rtt"},
	} {
		w := scattered(t, row.scheme)
		name := filepath.Join(dir, strings.ReplaceAll(row.scheme+"-"+row.strategy, ":", "-")+".har")
		engine := Lab{Keep: func(linger.Scenario, int) Artifacts { return Artifacts{HAR: name} }, Lost: func(err error) {
			if err != nil {
				t.Error(err)
			}
		}}
		one, err := engine.Run(t.Context(), linger.Scenario{Workload: w, Strategy: strategies(t, row.strategy)[0], Network: network(10 * time.Millisecond), Seed: 1}, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
		back, notes := readWorkload(t, name)
		if len(notes) > 0 {
			t.Fatalf("%s: %q", name, notes)
		}
		back.Description = w.Description // a list has none
		if a, b := asJSON(t, back), asJSON(t, w); a != b {
			t.Errorf("%s comes back as\n%s\nand was\n%s", row.strategy, a, b)
		}
		again := readTrace(t, name)
		for i, x := range again.Exchanges {
			was := one.Exchanges[slices.IndexFunc(one.Exchanges, func(e trace.Exchange) bool { return e.URL == x.URL })]
			near := func(a, b linger.Opt[linger.Instant]) bool {
				return a.IsZero() == b.IsZero() && a.Or(0).Sub(b.Or(0)).Abs() <= 5*time.Microsecond
			}
			if !near(x.Sent, was.Sent) || !near(x.FirstByte, was.FirstByte) || !near(x.Done, was.Done) || x.ResponseBody != was.ResponseBody {
				t.Errorf("%s: exchange %d comes back as\n%+v; was\n%+v", row.strategy, i, x, was)
			}
		}
		used := slices.DeleteFunc(slices.Clone(one.Connections), func(c trace.Connection) bool { return c.Requests == 0 })
		if len(again.Connections) != len(used) {
			t.Errorf("%s: %d connections come back of %d", row.strategy, len(again.Connections), len(used))
		}
	}
	validate(t, files)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readTrace(t *testing.T, name string) *trace.Trace {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := har.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// validate holds HARs against the published schema, by npm's har-validator.
func validate(t *testing.T, files []string) {
	t.Helper()
	const program = `
const {har} = require("har-validator"), fs = require("fs");
Promise.all(process.argv.slice(1).map(f => har(JSON.parse(fs.readFileSync(f, "utf8"))).catch(e => {
  console.error(f, JSON.stringify(e.errors || String(e))); process.exitCode = 1;
})));`
	if err := exec.Command("node", "-e", `require("har-validator")`).Run(); err != nil {
		testall.Lacks(t, "no har-validator here (npm install har-validator@5, and NODE_PATH): %v", err)
	}
	if out, err := exec.Command("node", append([]string{"-e", program, "--"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("not by the schema: %v\n%s", err, out)
	}
}

// TestMutatedPages fetches what 200 broken recordings of real pages turn out to be,
// each over sockets of this machine: they are delivered to the byte, or refused with
// the entry and the reason.
func TestMutatedPages(t *testing.T) {
	files, _ := filepath.Glob("../../shared/data/har/*.har")
	if len(files) == 0 {
		t.Skip("no HAR files beside the checkout")
	}
	rng := rand.New(rand.NewPCG(5, 6))
	all := strategies(t, "keep:6,h2,close:6,pipeline")
	ran, refused := 0, 0
	for i := range 200 {
		b, err := os.ReadFile(files[i%len(files)])
		if err != nil {
			t.Fatal(err)
		}
		b = testall.MutateJSON(rng, 3, b)
		observed, err := har.Read(bytes.NewReader(b))
		var w linger.Workload
		if err == nil {
			w, _, err = infer.Workload(observed)
		}
		if err != nil {
			refused++
			if !strings.HasPrefix(err.Error(), "entry ") && !strings.Contains(err.Error(), "the HAR") && !strings.Contains(err.Error(), "this is no HAR") {
				t.Errorf("mutation %d is refused without a place or a reason: %v", i, err)
			}
			continue
		}
		if w.Bytes() > 64<<20 {
			t.Logf("mutation %d asks for %d bytes: not fetched here", i, w.Bytes())
			continue
		}
		ran++
		fetchHere(t, i, w, all[i%len(all)])
	}
	t.Logf("%d fetched, %d refused", ran, refused)
	if ran < 50 || refused < 10 {
		t.Errorf("%d fetched and %d refused: that tests one side only", ran, refused)
	}
}

// fetchHere fetches w over loopback, without its servers' delays.
func fetchHere(t *testing.T, number int, w linger.Workload, s linger.Strategy) {
	t.Helper()
	w, err := w.WithScheme("http")
	if err != nil {
		t.Fatal(err)
	}
	w.Exchanges = slices.Clone(w.Exchanges)
	for i := range w.Exchanges {
		w.Exchanges[i].Delay = 0
	}
	config := live.Config{Verify: true}
	for i := range w.OriginCount() {
		server, err := origin.New(origin.Config{Workload: w, Origin: i})
		if err != nil {
			t.Errorf("mutation %d: %v", number, err)
			return
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(t.Context(), ln)
		defer server.Shutdown(t.Context())
		config.Places = append(config.Places, live.Place{Address: ln.Addr().String(), Host: "origin"})
		if len(w.Origins) > 0 && w.Origins[i].Name != "" {
			config.Places[i].Host = w.Origins[i].Name
		}
	}
	one, err := live.Run(t.Context(), linger.Scenario{Workload: w, Strategy: s}, config)
	if err != nil {
		t.Errorf("mutation %d: %v", number, err)
		return
	}
	for _, e := range one.Exchanges {
		if e.Failed != "" {
			t.Errorf("mutation %d over %s: %s: %s", number, s.Name, e.URL, e.Failed)
		}
	}
}
