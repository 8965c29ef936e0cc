package whatif

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"linger/audit/predict"
	"linger/internal/testall"
	"linger/lab"
)

var update = flag.Bool("update", false, "write the table of docs/inspect.md anew")

// A twin is a world as it is observed, a setting, and what it comes to in the world that has it.
type twin struct {
	name    string
	as      world
	setting string
	with    func(*world)
}

// pages are bursts of up to six requests, with pauses of half a second, of nearly two, or of four.
func pages(seed uint64) plan {
	return plan{Seed: seed, Bursts: 20, Width: 6, Pauses: []time.Duration{400 * ms, 400 * ms, 400 * ms, 1700 * ms, 4 * s}, Takes: 250 * ms, Between: 20 * ms}
}

// chain is one request after the other.
func chain(seed uint64) plan {
	return plan{Seed: seed, Bursts: 30, Width: 1, Pauses: []time.Duration{300 * ms, 300 * ms, 1700 * ms, 2500 * ms}, Takes: 30 * ms}
}

func idle(d time.Duration) func(*world)       { return func(w *world) { w.Idle = d } }
func serverIdle(d time.Duration) func(*world) { return func(w *world) { w.ServerIdle = d } }

const s = time.Second

var twins = []twin{
	{"longer", world{Client: goClient, Server: goServer, Idle: s, Plan: pages(1)}, "idle=3s", idle(3 * s)},
	{"shorter", world{Client: goClient, Server: goServer, Idle: 3 * s, Plan: pages(2)}, "idle=1s", idle(s)},
	{"for long", world{Client: goClient, Server: goServer, Idle: s, Plan: pages(3)}, "idle=1m", idle(time.Minute)},
	{"a little longer, slow", world{Client: goClient, Server: goServer, Idle: s, Plan: chain(4)}, "idle=1500ms", idle(1500 * ms)},
	{"longer, LIFO", world{Client: nodeClient, Server: goServer, Idle: s, Plan: pages(5)}, "idle=3s", idle(3 * s)},
	{"longer, FIFO", world{Client: nodeClient, Server: goServer, Idle: s, FIFO: true, Plan: pages(6)}, "idle=3s", idle(3 * s)},
	{"shorter, FIFO", world{Client: nodeClient, Server: goServer, Idle: 2 * s, FIFO: true, Plan: pages(7)}, "idle=1s", idle(s)},
	{"slow, FIFO", world{Client: nodeClient, Server: goServer, Idle: s, FIFO: true, Plan: chain(8)}, "idle=2s", idle(2 * s)},
	{"LIFO to FIFO", world{Client: nodeClient, Server: goServer, Idle: s, Plan: pages(9)}, "order=lru", func(w *world) { w.FIFO = true }},
	{"FIFO to LIFO", world{Client: nodeClient, Server: goServer, Idle: s, FIFO: true, Plan: pages(10)}, "order=mru", func(w *world) { w.FIFO = false }},
	{"LIFO to FIFO, the server's limit", world{Client: nodeClient, Server: nginxServer, ServerIdle: s, Plan: pages(11)}, "order=lru", func(w *world) { w.FIFO = true }},
	{"the server's limit raised", world{Client: goClient, Server: goServer, ServerIdle: s, Plan: pages(12)}, "server-idle=3s", serverIdle(3 * s)},
	{"the server's limit lowered", world{Client: goClient, Server: goServer, ServerIdle: 3 * s, Plan: pages(13)}, "server-idle=1s", serverIdle(s)},
	{"nginx's limit raised, FIFO", world{Client: nodeClient, Server: nginxServer, ServerIdle: s, FIFO: true, Plan: pages(14)}, "server-idle=4s", serverIdle(4 * s)},
	{"the client's raised, and the server closes", world{Client: goClient, Server: nginxServer, Idle: time.Minute, ServerIdle: s, Plan: chain(15)}, "idle=5m", idle(5 * time.Minute)},
	{"more requests on a connection", world{Client: nodeClient, Server: nginxServer, Requests: 5, Plan: pages(16)}, "max-requests=20", func(w *world) { w.Requests = 20 }},
	{"fewer, FIFO", world{Client: nodeClient, Server: nginxServer, Requests: 20, FIFO: true, Plan: pages(17)}, "max-requests=4", func(w *world) { w.Requests = 4 }},
	{"a pool that is large enough", world{Client: goClient, Server: goServer, Kept: 1, Idle: 3 * s, Plan: pages(18)}, "connections=8", func(w *world) { w.Kept, w.Most = 8, 8 }},
	{"a pool at all", world{Client: goClient, Server: goServer, Close: true, Plan: pages(19)}, "connections=8,idle=2s", func(w *world) { w.Close, w.Most, w.Idle = false, 8, 2*s }},
	{"a pool at all, FIFO", world{Client: nodeClient, Server: goServer, Close: true, Plan: pages(20)}, "connections=8,idle=2s,order=lru", func(w *world) { w.Close, w.Most, w.Idle, w.FIFO = false, 8, 2*s, true }},
	{"fewer connections", world{Client: goClient, Server: goServer, Idle: s, Plan: pages(21)}, "connections=2", func(w *world) { w.Most = 2 }},
	{"TLS, longer", world{Client: goClient, Server: goServer, TLS: true, Idle: s, Plan: pages(22)}, "idle=2s", idle(2 * s)},
	{"TLS, FIFO", world{Client: nodeClient, Server: nginxServer, TLS: true, Idle: s, FIFO: true, Plan: pages(23)}, "idle=3s", idle(3 * s)},
	{"TLS to HTTP/2", world{Client: goClient, Server: goServer, TLS: true, Idle: 600 * ms, Plan: chain(24)}, "h2", func(w *world) { w.H2 = true }},
	{"HTTP/2, longer", world{Client: goClient, Server: goServer, TLS: true, H2: true, Idle: 600 * ms, Plan: chain(25)}, "idle=1s", idle(s)},
	{"sessions resumed", world{Client: goClient, Server: goServer, TLS: true, Idle: s, Plan: chain(26)}, "resume", func(w *world) { w.Tickets = true }},
}

// A result is what a twin came to.
type result struct {
	before, after count
	predicted     predict.Outcome
	err           error
	late          time.Duration // how late the machine woke up, at most
}

// mostMissed is how many of the pairs may be off: what is waited in handshakes of a few milliseconds
// takes as long as the machine has other things to do.
const mostMissed = 2

// tooLate is how late a machine may be before what was played on it proves nothing.
const tooLate = 20 * ms

// run plays both worlds.
func (x twin) run(t *testing.T, dir string) (r result) {
	setting, err := predict.ParseSetting(x.setting)
	if err != nil {
		return result{err: err}
	}
	if r.before, r.err = run(t.Context(), x.as, filepath.Join(dir, "as"), setting); r.err != nil {
		return r
	}
	r.predicted = r.before.predicted[0].All
	changed := x.as
	x.with(&changed)
	r.after, r.err = run(t.Context(), changed, filepath.Join(dir, "with"))
	return r
}

// off is how far a prediction is from what was then measured, of connections and, in shares, of
// waiting.
func (r result) off() (connections int, share, waiting float64) {
	connections = r.predicted.Opened - r.after.connections
	share = float64(connections) / float64(max(1, r.after.connections))
	waiting = r.predicted.Waiting.Or(math.NaN())/max(1, r.after.waiting) - 1
	return connections, share, waiting
}

// good reports whether a prediction is as near as is promised: connections within 3 % or one,
// waiting within 10 %, or one connection's.
func (r result) good() bool {
	n, share, waiting := r.off()
	few := math.Abs(waiting)*r.after.waiting <= 1.1*r.after.waiting/float64(max(1, r.after.connections))
	return (math.Abs(share) <= .03 || n >= -1 && n <= 1) && (math.Abs(waiting) <= .1 || few)
}

// atOnce is how many twins are played side by side. They wait for most of their time.
const atOnce = 13

// Predictions hold in the world that has the setting.
//
//	LINGER_TEST_ALL=1 go test ./internal/whatif -run TestTwins -update
func TestTwins(t *testing.T) {
	testall.Long(t, "five minutes")
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			testall.Lacks(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
	only, dir := os.Getenv("LINGER_WHATIF_ONLY"), t.TempDir()
	if kept := os.Getenv("LINGER_WHATIF"); kept != "" {
		dir = kept
	}
	results := make([]result, len(twins))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, x := range twins {
		if !strings.Contains(x.name, only) {
			continue
		}
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for try := range 3 { // a busy machine spoils what is timed
				machine := testall.Watch()
				results[i] = x.run(t, filepath.Join(dir, fmt.Sprintf("%d-%d", i, try)))
				if results[i].late = machine(); results[i].err != nil || results[i].good() || results[i].late < tooLate {
					break
				}
			}
		})
	}
	all.Wait()
	good, missed := 0, 0
	for i, x := range twins {
		r := results[i]
		if !strings.Contains(x.name, only) {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			switch {
			case errors.Is(r.err, errLacks):
				testall.Lacks(t, "%v", r.err)
			case r.err != nil:
				t.Fatal(r.err)
			}
			n, share, waiting := r.off()
			t.Logf("%v late", r.late)
			t.Logf("%s: %d requests, %d connections (replayed %d), %.0f ms; predicted %d, %.0f ms (queued %.0f); measured %d, %.0f ms: off by %d (%.1f %%), %.1f %%",
				x.setting, r.before.requests, r.before.connections, r.predicted.Instead.Replayed, r.before.waiting, r.predicted.Opened, r.predicted.Waiting.Or(-1), r.predicted.Queueing.Or(-1),
				r.after.connections, r.after.waiting, n, 100*share, 100*waiting)
			if !r.good() {
				if missed++; missed > mostMissed {
					t.Error("more pairs than that cannot be a busy machine")
				}
				t.Logf("MISSED: predicted %d connections and %.0f ms of waiting, measured %d and %.0f", r.predicted.Opened, r.predicted.Waiting.Or(-1), r.after.connections, r.after.waiting)
				return
			}
			good++
		})
	}
	t.Logf("%d of %d are good", good, len(twins))
	if *update && only == "" {
		document(t, table(results))
	}
}

const (
	documented = "../../docs/inspect.md"
	tableBegin = "<!-- twins -->\n"
	tableEnd   = "<!-- end of twins -->\n"
)

// row begins the row of a twin.
func (x twin) row() string {
	pool := map[bool]string{true: "FIFO", false: "LIFO"}[x.as.FIFO]
	if x.as.H2 {
		pool = "HTTP/2"
	}
	over := map[bool]string{true: " over TLS", false: ""}[x.as.TLS]
	return fmt.Sprintf("| %s (%s) to %s%s: %s | `%s` |", x.as.Client, pool, x.as.Server, over, x.name, x.setting)
}

// table is that of the document.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("\n| client to server | setting | connections before | predicted | measured | waiting before, ms | predicted | measured |\n|---|---|---|---|---|---|---|---|\n")
	for i, x := range twins {
		r := results[i]
		fmt.Fprintf(&b, "%s %d | %d | %d | %.0f | %.0f | %.0f |\n", x.row(), r.before.connections, r.predicted.Opened, r.after.connections, r.before.waiting, r.predicted.Waiting.Or(-1), r.after.waiting)
	}
	return b.String() + "\n"
}

// document writes the table into the document.
func document(t *testing.T, table string) {
	t.Helper()
	old, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(old), tableBegin)
	_, tail, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("%s has no %q and %q", documented, tableBegin, tableEnd)
	}
	if err := os.WriteFile(documented, []byte(head+tableBegin+table+tableEnd+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The table of docs/inspect.md has each twin.
func TestTwinsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range twins {
		if !strings.Contains(string(text), x.row()) {
			t.Errorf("%s lacks %q; LINGER_TEST_ALL=1 go test ./internal/whatif -run TestTwins -update writes the table anew", documented, x.row())
		}
	}
}
