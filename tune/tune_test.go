package tune

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/finding"
	"linger/policy"
)

const sec = linger.Instant(time.Second)

// exactly is a config of a log that tells all.
var exactly = Config{Resolution: time.Millisecond, Durations: true}

// arrivals are requests of a client as pairs of start and length in seconds.
func arrivals(client uint64, pairs ...float64) []Arrival {
	var all []Arrival
	for i := 0; i+1 < len(pairs); i += 2 {
		start := 1e6*sec + linger.Instant(pairs[i]*float64(sec))
		all = append(all, Arrival{Client: client, Start: start, End: start + linger.Instant(pairs[i+1]*float64(sec))})
	}
	return all
}

func analyzed(c Config, all []Arrival) *Analyzer {
	a := New(c)
	slices.SortStableFunc(all, func(x, y Arrival) int { return cmp.Compare(x.Start, y.Start) })
	for _, r := range all {
		a.Add(r)
	}
	a.finish()
	return a
}

// What a timeout reuses and holds can be counted by hand.
func TestKnownAnswers(t *testing.T) {
	// One client: requests at 0, 10, 40 and 100 s, each 1 s long: gaps of 9, 29 and 59 s.
	a := analyzed(exactly, arrivals(1, 0, 1, 10, 1, 40, 1, 100, 1))
	for _, c := range []struct {
		timeout time.Duration
		reused  int64
		idle    float64 // s, with what is idle when the log ends
	}{
		{5 * time.Second, 0, 5 + 5 + 5},
		{10 * time.Second, 1, 9 + 10 + 10},
		{30 * time.Second, 2, 9 + 29 + 30},
		{60 * time.Second, 3, 9 + 29 + 59},
	} {
		if n := a.most.reused(c.timeout); n != c.reused {
			t.Errorf("%v: %d reused, want %d", c.timeout, n, c.reused)
		}
		if idle := a.most.idleTime(c.timeout, a.last, 1) / 1e9; idle != c.idle {
			t.Errorf("%v: idle for %v s, want %v", c.timeout, idle, c.idle)
		}
	}
	// Two that overlap need a connection each; the third takes the one that was used last.
	a = analyzed(exactly, arrivals(1, 0, 10, 1, 2, 20, 1))
	if a.most.crowded != 1 || a.most.fresh != 1 || a.most.gaps[10].n != 1 {
		t.Errorf("%d crowded, %d fresh, gaps %v", a.most.crowded, a.most.fresh, a.most.gaps[:20])
	}
	// Multiplexed, they share one.
	shared := arrivals(1, 0, 10, 1, 2, 20, 1)
	for i := range shared {
		shared[i].Multiplexed = true
	}
	a = analyzed(exactly, shared)
	if a.most.fresh != 1 || a.most.gaps[0].n != 1 || a.most.gaps[10].n != 1 || a.most.busySum != 11*int64(sec) {
		t.Errorf("multiplexed: %d fresh, gaps %v, busy %d", a.most.fresh, a.most.gaps[:20], a.most.busySum)
	}
}

// TestHeld holds sockets over time against a count of each second.
func TestHeld(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 2))
	all := random(luck, 40, 2000, 3000)
	a := analyzed(exactly, all)
	for i, timeout := range Timeouts {
		if timeout > 10*time.Minute {
			break
		}
		got := a.most.heldBy(i, a.last, 1)
		open := map[int64]int64{}
		for _, o := range opened(all, timeout, a.last) {
			for s := o[0] / int64(time.Second); s <= o[1]/int64(time.Second); s++ {
				open[s]++
			}
		}
		peak := int64(0)
		for _, n := range open {
			peak = max(peak, n)
		}
		// A socket that one step ends and another opens counts once there, and twice here.
		if math.Abs(float64(got.Peak-peak)) > math.Max(2, 0.05*float64(peak)) {
			t.Errorf("%v: peak %d, counted %d", timeout, got.Peak, peak)
		}
		mean := (float64(a.most.busySum) + a.most.idleTime(timeout, a.last, 1)) / float64(a.last-a.first)
		sum := 0.0
		for _, o := range opened(all, timeout, a.last) {
			sum += float64(min(o[1], int64(a.last)) - o[0])
		}
		if want := sum / float64(a.last-a.first); math.Abs(mean-want) > 1e-6*want {
			t.Errorf("%v: %v sockets on average, counted %v", timeout, mean, want)
		}
	}
}

// random are requests of some clients within so many seconds.
func random(luck *rand.Rand, clients, requests int, within float64) []Arrival {
	var all []Arrival
	for range requests {
		all = append(all, arrivals(luck.Uint64N(uint64(clients))+1, within*luck.Float64(), luck.ExpFloat64()*2)...)
	}
	slices.SortStableFunc(all, func(x, y Arrival) int { return cmp.Compare(x.Start, y.Start) })
	return all
}

// opened is when each connection is opened and closed, as a plain simulation has it.
func opened(all []Arrival, timeout time.Duration, end linger.Instant) [][2]int64 {
	type conn struct{ from, idle linger.Instant }
	clients := map[uint64][]conn{}
	var out [][2]int64
	for _, r := range all {
		var left []conn
		best := -1
		for _, c := range clients[r.Client] {
			if c.idle+linger.Instant(timeout) <= r.Start {
				out = append(out, [2]int64{int64(c.from), int64(c.idle) + int64(timeout)})
				continue
			}
			left = append(left, c)
			if n := len(left) - 1; c.idle <= r.Start && (best < 0 || c.idle > left[best].idle) {
				best = n
			}
		}
		if best < 0 {
			left = append(left, conn{from: r.Start})
			best = len(left) - 1
		}
		left[best].idle = r.End
		clients[r.Client] = left
	}
	for _, list := range clients {
		for _, c := range list {
			out = append(out, [2]int64{int64(c.from), min(int64(end), int64(c.idle)+int64(timeout))})
		}
	}
	return out
}

// TestAsThePool holds what one pass says of all timeouts against the pool that every other
// verb uses, run for each.
func TestAsThePool(t *testing.T) {
	luck := rand.New(rand.NewPCG(3, 4))
	all := random(luck, 5, 3000, 5000)
	a := analyzed(exactly, all)
	for _, timeout := range []time.Duration{time.Second, 3 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute} {
		dialled := pooled(all, timeout, 0)
		// The histogram has whole seconds; a gap of exactly the timeout is a matter of taste.
		if got := a.most.requests - a.most.reused(timeout); got != int64(dialled) {
			t.Errorf("%v: %d connections, by the pool %d", timeout, got, dialled)
		}
	}
	for _, l := range a.replays.all {
		if dialled := pooled(all, time.Duration(l.idle), int(l.limit)); l.opened != int64(dialled) {
			t.Errorf("%v, %d requests: %d connections, by the pool %d", time.Duration(l.idle), l.limit, l.opened, dialled)
		}
	}
}

// pooled is how many connections policy.Pool dials for requests that take as long as they took.
func pooled(all []Arrival, idle time.Duration, limit int) int {
	s := linger.Strategy{Name: "keep", Version: "1.1", Persistent: true, Connections: 1000, InFlight: 1, IdleTimeout: idle, MaxRequests: limit}
	p := policy.NewPool(policy.PoolPolicy{Strategy: s})
	type answer struct {
		at   linger.Instant
		conn policy.Conn
		of   int
	}
	var due []answer
	dialled := 0
	poll := func(now linger.Instant) {
		for c, ok := p.Poll(now); ok; c, ok = p.Poll(now) {
			switch c.Kind {
			case policy.Dial:
				dialled++
				p.HandleConnected(now, c.Conn)
			case policy.Send:
				p.HandleSent(now, c.Conn, c.Request)
				i, _ := slices.BinarySearchFunc(due, all[c.Request].End, func(a answer, at linger.Instant) int { return cmp.Compare(a.at, at) })
				due = slices.Insert(due, i, answer{all[c.Request].End, c.Conn, c.Request})
			}
		}
	}
	until := func(now linger.Instant) {
		for {
			wake := p.NextTimeout()
			if len(due) > 0 && due[0].at <= now && due[0].at <= wake {
				d := due[0]
				due = due[1:]
				p.HandleResponse(d.at, d.conn, d.of, true)
				poll(d.at)
				continue
			}
			if wake > now {
				return
			}
			p.HandleTimeout(wake)
			poll(wake)
		}
	}
	for i, r := range all {
		until(r.Start)
		p.HandleRequest(i, policy.Request{Key: policy.Key(r.Client), Safe: true, Idempotent: true})
		poll(r.Start)
	}
	return dialled
}

// What the clock does not tell lies between the two views.
func TestTruthBetween(t *testing.T) {
	luck := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		all := random(luck, 20, 4000, 20000)
		truth := analyzed(exactly, slices.Clone(all))
		coarse := slices.Clone(all)
		for i := range coarse {
			coarse[i].Start = coarse[i].Start / sec * sec
			coarse[i].End = coarse[i].Start
		}
		a := analyzed(Config{Resolution: time.Second}, coarse)
		for _, timeout := range Timeouts {
			share := func(v *view) float64 { return float64(v.reused(timeout)) / float64(v.requests) }
			if low, high, is := share(a.least), share(a.most), share(truth.most); is < low-0.02 || is > high+0.02 {
				t.Errorf("%v: %.4f is not within %.4f and %.4f", timeout, is, low, high)
			}
		}
	}
}

// Every program that people have before an application has a line to write.
func TestLinesOfEachSoftware(t *testing.T) {
	for name, want := range map[string]string{
		"nginx": "keepalive_timeout 75s;", "apache": "KeepAliveTimeout 75", "haproxy": "timeout http-keep-alive 75000ms", "envoy": "idle_timeout: 75s",
		"caddy": "idle 75s", "traefik": "idleTimeout: 75s", "node": "server.keepAliveTimeout = 75000; server.headersTimeout = 76000;", "go": "IdleTimeout: 75000 * time.Millisecond",
		"tomcat": `keepAliveTimeout="75000"`, "jetty": "jetty.http.idleTimeout=75000", "gunicorn": "keepalive = 75", "uvicorn": "--timeout-keep-alive 75", "aws-alb": "idle_timeout.timeout_seconds=75",
	} {
		got := remedies(AdviceRaise, name, 75*time.Second)
		if !slices.ContainsFunc(got, func(r finding.Remedy) bool { return r.Write == want }) {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
	}
}

// A long log has longer steps, and the same sockets.
func TestHeldOfALongLog(t *testing.T) {
	var all []Arrival
	for i := range 3000 { // every 100 s, each answered after 2 s
		all = append(all, arrivals(uint64(i%3+1), 100*float64(i), 2)...)
	}
	a := analyzed(exactly, all)
	if a.most.held.shift != 3 {
		t.Errorf("a step of %d s", 1<<a.most.held.shift)
	}
	for i, timeout := range Timeouts {
		got := a.most.heldBy(i, a.last, 1)
		switch {
		case timeout >= 5*time.Minute && got.Peak != 3, timeout <= time.Minute && got.Peak != 1:
			t.Errorf("%v: %+v", timeout, got)
		}
	}
}

// TestShapesOf1995 has people read pages: what J. C. Mogul found in the logs of two servers
// ("The Case for Persistent-Connection HTTP", 1995) is there again. Reuse rises with the
// timeout and saturates, TIME_WAIT falls by an order of magnitude, and a fixed timeout does
// about as well as one that follows each client.
func TestShapesOf1995(t *testing.T) {
	luck := rand.New(rand.NewPCG(19, 95))
	var all []Arrival
	for client := range uint64(2000) {
		at := luck.Float64() * 80000
		for range 1 + luck.IntN(8) { // pages, each with its images one after the other
			for range 1 + luck.IntN(12) {
				took := 0.05 + luck.ExpFloat64()*0.2
				all = append(all, arrivals(client+1, at, took)...)
				at += took + luck.ExpFloat64()*0.1
			}
			at += math.Exp(luck.NormFloat64() + 2.5) // 12 s in the median
		}
	}
	a := analyzed(exactly, all)
	r := a.End(Asked{})
	of := func(timeout time.Duration) Point { return a.at(timeout, Asked{}) }
	for i := 1; i < len(r.Points); i++ {
		if r.Points[i].Reuse.Low < r.Points[i-1].Reuse.Low || r.Points[i].Mean.Low < r.Points[i-1].Mean.Low {
			t.Errorf("%v s reuses or holds less than %v s", r.Points[i].Timeout, r.Points[i-1].Timeout)
		}
	}
	short, long, hour := of(time.Second), of(2*time.Minute), of(time.Hour)
	t.Logf("reuse %.3f, %.3f, %.3f; TIME_WAIT %.1f, %.1f; adaptive %+v", short.Reuse.Low, long.Reuse.Low, hour.Reuse.Low, of(0).TimeWait, long.TimeWait, *r.Adaptive)
	if hour.Reuse.Low-long.Reuse.Low > 0.02 || long.Reuse.Low-short.Reuse.Low < 0.05 {
		t.Errorf("reuse does not rise and saturate: %v, %v, %v", short.Reuse, long.Reuse, hour.Reuse)
	}
	if none := of(0); none.TimeWait < 10*long.TimeWait {
		t.Errorf("TIME_WAIT falls from %v to %v", none.TimeWait, long.TimeWait)
	}
	// And so in the words of 1995: the table of protocol control blocks shrinks, too.
	points := r.Measures.Points
	if none, two := points[0], points[14]; two.Timeout != 120 || none.TimeWait < 10*two.TimeWait || none.PCBTable < 3*two.PCBTable || none.Packets < 10*two.Packets {
		t.Errorf("of the measures of 1995, without timeout %+v, at 2 min %+v", none, two)
	}
	if d := r.Adaptive; math.Abs(d.Reuse-d.Fixed) > 0.03 {
		t.Errorf("a timeout for each client reuses %v, a fixed one %v", d.Reuse, d.Fixed)
	}
}
