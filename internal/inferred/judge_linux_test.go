package inferred

import (
	"cmp"
	"context"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/internal/testall"
	"linger/lab"
	"linger/rig/host"
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
	if status, inside := asked(); inside {
		os.Exit(status)
	}
	testall.AtOnce(4) // labs wait for most of their time
	os.Exit(m.Run())
}

// A reading is what a capture has without keys.
type reading struct {
	connections []trace.Connection
	exchanges   map[int64][]trace.Exchange
}

func (r *reading) WriteConnection(c *trace.Connection) error {
	r.connections = append(r.connections, *c)
	return nil
}

func (r *reading) WriteExchange(e *trace.Exchange) error {
	r.exchanges[e.Connection] = append(r.exchanges[e.Connection], *e)
	return nil
}

// readCapture reads a capture, with the keys, if there are any.
func readCapture(t *testing.T, name string, keys []byte) *reading {
	t.Helper()
	var o packet.Options
	if len(keys) > 0 {
		o.Keys = &secrets.Log{}
		o.Keys.Add(append(keys[:len(keys):len(keys)], 10))
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files, err := pcap.Open([]pcap.Input{{Name: name, From: f}})
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{exchanges: map[int64][]trace.Exchange{}}
	if _, err := packet.Read(files, o, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// keysIn are the keys in a capture.
func keysIn(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files, err := pcap.Open([]pcap.Input{{Name: name, From: f}})
	for err == nil {
		_, err = files.Next()
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	return files.Secrets
}

// judge holds what was inferred against how many requests each connection carried, by its
// client's port.
func judge(t *testing.T, r run, seen *reading, requests map[string]int) run {
	t.Helper()
	r.sent, r.first, r.done = -1, -1, -1
	for _, c := range seen.connections {
		want := requests[c.Client[strings.LastIndexByte(c.Client, ':')+1:]]
		if c.TLS.IsZero() && c.QUIC.IsZero() && !c.Protocol.OverQUIC() {
			continue
		}
		turns, inferred := c.Turns.Get()
		if !inferred {
			continue
		}
		if want == 0 && turns == 0 {
			continue // as a connection that was opened in advance
		}
		off := int(turns) - want
		r.connections++
		r.exchanges += want
		r.inferred += int(turns)
		r.off += abs(off)
		if off == 0 {
			r.exact++
		} else if testing.Verbose() {
			t.Logf("%s %s %s %s %s: %s has %d, not %d", r.kind, r.client, r.server, r.over, r.where, c.Client, turns, want)
		}
		if abs(off) > abs(r.worst) {
			r.worst = off
		}
	}
	return r
}

// times adds how far instants are off, where the same capture was decrypted.
func (r *run) times(seen *reading, decrypted *reading) {
	var sent, first, done []float64
	by := map[string][]trace.Exchange{}
	for _, c := range decrypted.connections {
		if tls, _ := c.TLS.Get(); tls.Keys == trace.AllKeys {
			by[c.Client] = decrypted.exchanges[c.ID]
		}
	}
	for _, c := range seen.connections {
		inferred, truth := seen.exchanges[c.ID], by[c.Client]
		if len(inferred) == 0 || len(inferred) != len(truth) {
			continue
		}
		order := func(a, b trace.Exchange) int { return cmp.Compare(a.Queued, b.Queued) }
		slices.SortStableFunc(inferred, order)
		slices.SortStableFunc(truth, order)
		for i := range truth {
			add := func(to *[]float64, a, b linger.Opt[linger.Instant]) {
				x, ok := a.Get()
				y, ok2 := b.Get()
				if ok && ok2 {
					*to = append(*to, math.Abs(x.Sub(y).Seconds()*1000))
				}
			}
			add(&sent, inferred[i].Sent, truth[i].Sent)
			add(&first, inferred[i].FirstByte, truth[i].FirstByte)
			add(&done, inferred[i].Done, truth[i].Done)
		}
	}
	high := func(of []float64) float64 {
		if len(of) == 0 {
			return -1
		}
		slices.Sort(of)
		return of[(len(of)*95+99)/100-1]
	}
	r.sent, r.first, r.done = high(sent), high(first), high(done)
}

// TestInference takes captures and holds what is inferred from them against the truth, and that
// against what is recorded.
func TestInference(t *testing.T) {
	testall.Long(t, "two minutes")
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			testall.Lacks(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
	dir := t.TempDir()
	if kept := os.Getenv("LINGER_INFERRED"); kept != "" {
		dir = kept
	}
	var runs []run
	took := make(chan []run)
	count := 0
	t.Run("", func(t *testing.T) {
		for i, c := range own {
			count++
			t.Run(c.workload[:min(len(c.workload), 10)]+" "+c.strategy, func(t *testing.T) {
				t.Parallel()
				var out []run
				defer func() { go func() { took <- out }() }()
				capture, truth := performOwn(t, context.WithoutCancel(t.Context()), i, dir)
				requests := map[string]int{}
				for at, exchanges := range truth {
					requests[at[strings.LastIndexByte(at, ':')+1:]] = len(exchanges)
				}
				r := run{kind: c.kind, client: "linger", server: "linger", over: c.strategy, where: "middle", loss: c.loss}
				seen := readCapture(t, capture, nil)
				r = judge(t, r, seen, requests)
				r.times(seen, readCapture(t, capture, keysIn(t, capture)))
				out = []run{r}
			})
		}
		for i, p := range programs {
			count++
			t.Run(p.kind+" "+p.client+" "+p.server, func(t *testing.T) {
				t.Parallel()
				var out []run
				defer func() { go func() { took <- out }() }()
				captures, requests, keys := performProgram(t, t.Context(), i, dir)
				for where, capture := range captures {
					r := run{kind: p.kind, client: p.client, server: p.server, over: p.over, where: where, loss: p.loss}
					seen := readCapture(t, capture, nil)
					r = judge(t, r, seen, requests)
					r.times(seen, readCapture(t, capture, keys))
					out = append(out, r)
				}
			})
		}
	})
	for range count {
		runs = append(runs, <-took...)
	}
	hold(t, runs)
}

// hold fails where runs are worse than what is recorded says, by more than chance: programs
// and losses are not the same twice.
func hold(t *testing.T, runs []run) {
	runs = slices.DeleteFunc(runs, func(r run) bool { return r.connections == 0 })
	if *update {
		writeRuns(t, runs)
	}
	was := readRuns(t)
	for _, k := range kinds {
		of := func(all []run) run {
			return sum(slices.DeleteFunc(slices.Clone(all), func(r run) bool { return r.kind != k.name }))
		}
		now, before := of(runs), of(was)
		t.Logf("%-36s %4d connections, %5d requests, %5d inferred, %4d exact, worst %+d", k.title, now.connections, now.exchanges, now.inferred, now.exact, now.worst)
		if now.connections == 0 || before.connections == 0 {
			continue
		}
		share := func(s run) float64 { return float64(s.off) / float64(s.exchanges) }
		if share(before) > 0.5 {
			continue // they are under way together, and how many look like one is another number each time
		}
		// Of few requests five in a hundred are not one.
		if worse := (share(now) - share(before)) * float64(now.exchanges); worse > max(5, 0.05*float64(now.exchanges)) {
			t.Errorf("%s: off by %.1f %% of requests, recorded are %.1f %%", k.title, 100*share(now), 100*share(before))
		}
	}
}
