package tune

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
)

// limited is a plain simulation of a server that has room for so many connections.
func limited(all []Arrival, timeout time.Duration, room int, way bool) (reused, refused, closed int64) {
	type conn struct {
		client uint64
		idle   linger.Instant
		once   bool
	}
	var open []conn
	for _, r := range all {
		open = slices.DeleteFunc(open, func(c conn) bool {
			return c.once && c.idle <= r.Start || !c.once && c.idle+linger.Instant(timeout) <= r.Start
		})
		best, oldest := -1, -1
		for i, c := range open {
			if !r.Once && !c.once && c.client == r.Client && c.idle <= r.Start && (best < 0 || c.idle > open[best].idle) {
				best = i
			}
			if !c.once && c.idle <= r.Start && (oldest < 0 || c.idle < open[oldest].idle) {
				oldest = i
			}
		}
		if best >= 0 {
			reused++
			open[best].idle = r.End
			continue
		}
		if len(open) >= room {
			if !way || oldest < 0 {
				refused++
				continue
			}
			closed++
			open = slices.Delete(open, oldest, oldest+1)
		}
		open = append(open, conn{r.Client, r.End, r.Once})
	}
	return reused, refused, closed
}

// TestRoom holds the runs with a limit on connections against a plain simulation of each
// timeout.
func TestRoom(t *testing.T) {
	luck := rand.New(rand.NewPCG(11, 12))
	for _, room := range []int64{1, 5, 20, 1000} {
		all := random(luck, 60, 3000, 4000)
		for i := range all {
			all[i].Once = luck.IntN(10) == 0
		}
		c := exactly
		c.Budget, c.Timeout = room, 2500*time.Millisecond
		a := analyzed(c, all)
		for i, timeout := range a.timeouts {
			got := a.bounded.of(i)
			reused, refused, closed := limited(all, timeout, int(room), false)
			if want := float64(reused) / float64(len(all)); math.Abs(got.Reuse-want) > 1e-9 || got.Refused != refused || closed != 0 {
				t.Errorf("room for %d, %v: %+v, counted %v reused, %d refused", room, timeout, got, want, refused)
			}
			// Where idle ones make way, requests that are refused are the same for every timeout.
			reused, refused, closed = limited(all, timeout, int(room), true)
			if want := float64(reused) / float64(len(all)); math.Abs(got.WayReuse-want) > 1e-9 || got.WayRefused != refused || got.Closed != closed {
				t.Errorf("room for %d, %v, closing: %+v, counted %v reused, %d refused, %d closed", room, timeout, got, want, refused, closed)
			}
			if room == 1000 && got.Reuse != float64(a.most.reused(timeout))/float64(a.most.requests) {
				t.Errorf("%v: with room for all, %v are reused, and without a limit %v", timeout, got.Reuse, float64(a.most.reused(timeout))/float64(a.most.requests))
			}
		}
	}
}

// A timeout that is no whole number of seconds is as exact as others.
func TestFineTimeouts(t *testing.T) {
	c := exactly
	c.Timeout, c.ClientIdle = 1500*time.Millisecond, 250*time.Millisecond
	// Gaps of 0.2, 0.4, 1.2, 1.4 and 1.7 s.
	a := analyzed(c, arrivals(1, 0, 1, 1.2, 1, 2.6, 1, 4.8, 1, 7.2, 1, 9.9, 1))
	q := Asked{Today: linger.Known(c.Timeout)}
	if p := a.at(c.Timeout, q); math.Abs(p.Reuse.Low-4./6) > 1e-9 || p.Mean.Low < (6+0.2+0.4+1.2+1.4+1.5)/10.9-1e-6 {
		t.Errorf("1.5 s: %+v", p)
	}
	q.ClientIdle = c.ClientIdle
	if p := a.at(c.Timeout, q); math.Abs(p.Reuse.Low-1./6) > 1e-9 || p.ClosedBy != "client" {
		t.Errorf("1.5 s, clients of 250 ms: %+v", p)
	}
	// Today's timeout has sockets of its own over time.
	all := random(rand.New(rand.NewPCG(3, 3)), 200, 5000, 5000)
	c.Timeout, c.ClientIdle = 100*time.Second, 0
	a = analyzed(c, all)
	i := a.index(c.Timeout)
	if a.timeouts[i] != c.Timeout {
		t.Fatalf("%v", a.timeouts)
	}
	open := map[int64]int64{}
	for _, o := range opened(all, c.Timeout, a.last) {
		for s := o[0] / int64(time.Second); s <= o[1]/int64(time.Second); s++ {
			open[s]++
		}
	}
	peak := int64(0)
	for _, n := range open {
		peak = max(peak, n)
	}
	if p := a.at(c.Timeout, Asked{}); math.Abs(float64(p.Peak-peak)) > math.Max(2, 0.02*float64(peak)) {
		t.Errorf("100 s: peak %d, counted %d", p.Peak, peak)
	}
}

// Of handshakes that the log has as resumed, as many are predicted, at their own price.
func TestResumedHandshakes(t *testing.T) {
	all := arrivals(1, 0, 1, 100, 1, 200, 1, 300, 1)
	for i := range all {
		all[i].Secure, all[i].Resumed, all[i].Full, all[i].Older = true, i > 0, i == 0, i == 0
	}
	a := analyzed(exactly, all)
	q := Asked{HandshakeCPU: 400 * time.Microsecond, ResumedCPU: 200 * time.Microsecond, RTT: 100 * time.Millisecond}
	r := a.End(q)
	if r.Handshakes == nil || r.Handshakes.Full != 1 || r.Handshakes.Resumed != 3 {
		t.Fatalf("%+v", r.Handshakes)
	}
	p := r.Points[0] // four connections, all of TLS
	full, resumed, cpu, waiting := p.Full.Or(Bounds{}), p.Resumed.Or(Bounds{}), p.CPU.Or(Bounds{}), p.Waiting.Or(Bounds{})
	if full.Low != 1 || resumed.Low != 3 || math.Abs(cpu.Low-4*250e-6) > 1e-9 || math.Abs(waiting.Low-4*0.1*(1+1.25)) > 1e-9 {
		t.Errorf("full %v, resumed %v, CPU %v, waiting %v", full, resumed, cpu, waiting)
	}
	if even := q.BreakEven(0.75); math.Abs(even.Seconds()-250e-6*MemoryPerCore/DefaultSocketMemory) > 1e-6 {
		t.Errorf("%v", even)
	}
}

// The measures of 1995 can be counted by hand.
func TestMeasures(t *testing.T) {
	// An indexer asks every second for 1000 s; ten people ask twice, 30 s apart.
	var all []Arrival
	for i := range 1000 {
		all = append(all, arrivals(1<<40, float64(i), 0.1)...)
	}
	for i := range 10 {
		all = append(all, arrivals(uint64(i+2)<<40, float64(100+i), 0.1, float64(130+i), 0.1)...)
	}
	c := exactly
	c.Budget = 5
	a := analyzed(c, all)
	m := a.End(Asked{Budget: 5}).Measures
	if m.Indexer == nil || m.Indexer.Requests != 1000 || m.Followed != 11 {
		t.Fatalf("indexer %+v, %d followed", m.Indexer, m.Followed)
	}
	none := m.Points[0]
	// In the busiest minute there are 60 requests of the indexer, and 20 of people.
	if none.Timeout != 0 || none.TimeWait != 80 || none.Packets != 7 {
		t.Errorf("none kept: %+v", none)
	}
	of := func(timeout float64) Measured {
		i := slices.IndexFunc(m.Points, func(p Measured) bool { return p.Timeout == timeout })
		return m.Points[i]
	}
	minute := of(60)
	if minute.WithoutIndexer != linger.Known(0.5) || minute.Success != linger.Known(0.5) || minute.SuccessNever != linger.Known(0.) || minute.PCBTable != 11 {
		t.Errorf("60 s: %+v", minute)
	}
	ten := of(10)
	if ten.WithoutIndexer != linger.Known(0.) || ten.Success != linger.Known(0.) || ten.SuccessNever != linger.Known(10./11) {
		t.Errorf("10 s: %+v", ten)
	}
	// Each of ten connections of people is open for 10 s, and the table has it for 60 s more: all
	// twenty at once, besides the indexer's.
	if ten.PCBTable != 21 || ten.TimeWait < 15 || ten.TimeWait > 20 {
		t.Errorf("10 s: %d entries, %d in TIME_WAIT", ten.PCBTable, ten.TimeWait)
	}
	// With room for five, four people fit beside the indexer.
	_, refused, _ := limited(sorted(all), time.Minute, 5, false)
	if got := minute.RefusalRate.Or(0); math.Abs(got-float64(refused)/1020) > 1e-9 || refused == 0 {
		t.Errorf("%v are refused, %d counted", got, refused)
	}
	if minute.ForcedCloseRate.Or(0) == 0 {
		t.Errorf("no connection is closed by force: %+v", minute)
	}
}

func sorted(all []Arrival) []Arrival {
	slices.SortStableFunc(all, func(x, y Arrival) int { return cmp.Compare(x.Start, y.Start) })
	return all
}

// The clients of which each is followed are bounded, and those that ask most among them.
func TestTalliesAreBounded(t *testing.T) {
	a := New(exactly)
	at := 1e6 * sec
	for i := range uint64(60_000) {
		at += sec / 100
		a.Add(Arrival{Client: (i + 1) * 0x9e3779b97f4a7c15, Start: at, End: at})
		if i > 30_000 && i%4 == 0 {
			a.Add(Arrival{Client: 0x1234567890abcdef, Start: at, End: at})
		}
	}
	r := a.End(Asked{})
	if a.tallies.sampled > mostTallies || a.tallies.indexers > mostIndexers || a.tallies.sampled < mostTallies/4 {
		t.Errorf("%d in the sample, %d indexers", a.tallies.sampled, a.tallies.indexers)
	}
	if r.Measures.Indexer == nil || r.Measures.Indexer.Requests < 7000 {
		t.Errorf("indexer %+v", r.Measures.Indexer)
	}
}

// TestMemory holds what a client takes, at a million of them, and the error that is stated where
// a part of them stands for all.
func TestMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const clients = 1 << 20
	for _, c := range testall.Of([]Config{{Resolution: time.Second}, exactly}, []Config{{Resolution: time.Second}}) {
		c.MaxClients = clients
		before := heap()
		a := New(c)
		at := 1e6 * sec
		for i := range uint64(2 * clients) {
			at += sec / 10000
			a.Add(Arrival{Client: (i%clients + 1) * 0x9e3779b97f4a7c15, Start: at, End: at})
		}
		each := float64(heap()-before) / clients
		t.Logf("durations %v: %.0f bytes a client", c.Durations, each)
		if each > 256 {
			t.Errorf("a client takes %.0f bytes", each)
		}
		runtime.KeepAlive(a)
	}
}

// The reuse of a part of the clients is as near to that of all as is said.
func TestSamplingError(t *testing.T) {
	misses := 0
	for seed := range uint64(20) {
		luck := rand.New(rand.NewPCG(seed, 1))
		var all []Arrival
		for client := range uint64(3000) {
			id, at := luck.Uint64(), 0.0
			for range 1 + luck.IntN(20) {
				at += luck.ExpFloat64() * float64(1+client%50)
				all = append(all, arrivals(id, at, 0.01)...)
			}
		}
		sorted(all)
		c := exactly
		c.MaxClients = 500
		whole, part := analyzed(exactly, all), analyzed(c, all)
		r := part.End(Asked{})
		share, ok := r.Sampled.Get()
		if !ok {
			t.Fatal("all are followed")
		}
		p := part.at(15*time.Second, Asked{})
		off := math.Abs(p.Reuse.Low - whole.at(15*time.Second, Asked{}).Reuse.Low)
		if e := part.samplingError(share, &p); off > e {
			misses++
			t.Logf("seed %d: off by %.4f, said %.4f", seed, off, e)
		} else if e > 0.2 {
			t.Errorf("seed %d: an error of %.3f says nothing", seed, e)
		}
	}
	if misses > 4 {
		t.Errorf("%d of 20 are outside", misses)
	}
}
