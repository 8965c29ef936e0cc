package rig

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/internal/testall"
	"linger/live"
	"linger/run"
)

// Every engine has a trial that is not done in time counted in the same way: it has
// failed, it ranks last, its time is at least what it was given, and the run has lost it.
func TestEveryEngineCountsWhatIsNotDoneInTime(t *testing.T) {
	t.Parallel()
	// close takes some 2.9 s on this path, keep 1.5 s.
	w := linger.Workload{Name: "slow", Scheme: "http"}
	for i := range 14 {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "GET", Path: fmt.Sprintf("/%d", i), Status: 200, ResponseBody: 100, Parent: i - 1})
	}
	far := network(100 * time.Millisecond)
	for _, engine := range []struct {
		name    string
		engine  run.Engine
		network linger.Network
		virtual bool
		needs   func(*testing.T)
	}{
		{"lab", Lab{}, far, false, needLab},
		{"sim", Sim{}, far, true, func(*testing.T) {}},
		{"live", newLive(func(linger.Strategy) live.Config { return live.Config{Address: dawdling(t)} }, 0), linger.Network{Name: "here"}, false, func(*testing.T) {}},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			engine.needs(t)
			x, err := run.Run(t.Context(), engine.engine, run.Plan{
				Workload: w, Strategies: strategies(t, "close,keep"), Network: engine.network, Seed: 1,
				Trials: 1, Workers: 2, Timeout: 2200 * time.Millisecond, Virtual: engine.virtual,
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := compare.Compare(*x)
			slow, fast := f.Rows[0], f.Rows[1]
			if slow.Trials != 1 || slow.Failed != 1 || !slow.Time.IsZero() || fast.Failed != 0 || fast.Time.IsZero() {
				t.Fatalf("close: %d of %d failed, time %v; keep: %d of %d failed", slow.Failed, slow.Trials, slow.Time, fast.Failed, fast.Trials)
			}
			// A lab needs its time to begin, which is not the load's.
			if least := slow.AtLeast.Or(0); least <= 500 || least > 4000 {
				t.Errorf("close takes at least %v ms", slow.AtLeast)
			}
			if f.Verdict.Best != "" || f.Verdict.Findings[0].Code != compare.Unopposed {
				t.Errorf("%+v", f.Verdict)
			}
			said := false
			for _, c := range f.Caveats {
				for _, why := range c.Figures.All("reason") {
					said = said || c.Code == compare.Failed && c.Subject.Name == "close" && why.Text == "not done after 2.2s"
				}
			}
			if !said {
				t.Errorf("no caveat says why: %+v", f.Caveats)
			}
			if err := Shortfall(x, nil); err == nil || err.Error() != "close: 1 of 1 trial failed (not done after 2.2s)" {
				t.Errorf("shortfall: %v", err)
			}
		})
	}
}

// dawdling serves a connection's first request 220 ms late and the others 50 ms, on
// loopback, and returns its address.
func dawdling(t *testing.T) string {
	t.Helper()
	return testall.Accept(t, func(c net.Conn) {
		wait := 220 * time.Millisecond
		for in := bufio.NewReader(c); ; wait = 50 * time.Millisecond {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			time.Sleep(wait)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%s", strings.Repeat("x", 100))
			if r.Close {
				return
			}
		}
	})
}
