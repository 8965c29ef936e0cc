package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
)

// TestGate: a line is what a server of a capacity does with connections, step by step. "+1" takes
// connection 1, "1!" has a request on it, "1." has none any more, "-1" ends it, "?2" asks who gives
// way for two that wait. What is answered stands after "=".
func TestGate(t *testing.T) {
	for _, test := range []struct {
		name     string
		capacity Capacity
		steps    string
	}{
		{"no limit", Capacity{}, "+1=in +2=in +3=in ?3=0"},
		{"workers", Capacity{Workers: 2}, "+1=in +2=in +3=wait 1! 1. ?1=0 +3=wait -1 +3=in"},
		{"wait", Capacity{MaxConnections: 2}, "+1=in +2=in +3=wait 1! 1. ?1=0 -2 +3=in"},
		{"refuse", Capacity{MaxConnections: 1, WhenFull: FullRefuse}, "+1=in +2=refused +3=refused -2 +2=refused -1 +2=in"},
		{"the longest idle one gives way", Capacity{MaxConnections: 3, WhenFull: FullCloseIdle},
			"+1=in +2=in +3=in 2! 1! 3! 2. 1. ?1=2 ?1=0 +4=wait -2 +4=in ?1=1"},
		{"none gives way without need", Capacity{MaxConnections: 2, WhenFull: FullCloseIdle}, "+1=in 1! 1. ?1=0 +2=in ?0=0 ?1=1"},
		{"as many as wait", Capacity{MaxConnections: 3, WhenFull: FullCloseIdle},
			"+1=in +2=in +3=in 1! 2! 3! 1. 2. 3. ?2=1 ?2=2 ?2=0 -1 ?2=0 +4=in ?2=3"},
		{"one with a request does not", Capacity{MaxConnections: 1, WhenFull: FullCloseIdle}, "+1=in 1! ?1=0 1. 1! ?1=0 1. ?1=1"},
		{"nor one before its first", Capacity{MaxConnections: 1, WhenFull: FullCloseIdle}, "+1=in 1. ?1=0"},
		{"a request on one that gives way", Capacity{MaxConnections: 1, WhenFull: FullCloseIdle}, "+1=in 1! 1. ?1=1 1! 1. ?1=0 -1 +2=in"},
		{"both limits, workers first", Capacity{Workers: 1, MaxConnections: 2, WhenFull: FullRefuse}, "+1=in +2=wait -1 +2=in"},
		{"both limits, connections first", Capacity{Workers: 2, MaxConnections: 1, WhenFull: FullRefuse}, "+1=in +2=refused"},
		{"one that is not there", Capacity{MaxConnections: 1}, "1! 1. -1 +2=in"},
	} {
		g := NewGate(test.capacity)
		for i, step := range strings.Fields(test.steps) {
			do, want, _ := strings.Cut(step, "=")
			var id int64
			fmt.Sscanf(strings.Trim(do, "+-?!."), "%d", &id)
			got := ""
			switch do[0] {
			case '+':
				switch {
				case !g.Room():
					got = "wait"
				case g.HandleAccept(id):
					got = "refused"
				default:
					got = "in"
				}
			case '-':
				g.HandleClosed(id)
			case '?':
				way, _ := g.Poll(int(id))
				got = fmt.Sprint(way)
			default:
				if strings.HasSuffix(do, "!") {
					g.HandleBusy(id)
				} else {
					g.HandleIdle(id)
				}
			}
			if got != want {
				t.Errorf("%s, step %d, %s: %s", test.name, i+1, step, got)
			}
		}
	}
}

// TestGateAgainstNaive: a random walk, beside a model that looks at all connections each time.
func TestGateAgainstNaive(t *testing.T) {
	type held struct {
		id            int64
		busy, leaving bool
		rested        int // the step; 0 is never
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := Capacity{
			Workers: r.IntN(12), MaxConnections: 1 + r.IntN(12),
			WhenFull: []Full{"", FullWait, FullRefuse, FullCloseIdle, FullCloseIdle}[r.IntN(5)],
		}
		g := NewGate(c)
		var all []*held
		for step := 1; step < 2000; step++ {
			busy := 0
			for _, h := range all {
				if h.busy {
					busy++
				}
			}
			full := len(all) >= c.MaxConnections
			room := (c.Workers == 0 || len(all) < c.Workers) && (!full || c.WhenFull == FullRefuse)
			if g.Taken() != len(all) || g.Busy() != busy || g.Room() != room {
				t.Fatalf("seed %d, step %d, %+v: %d taken, %d busy, room %v; want %d, %d, %v", seed, step, c, g.Taken(), g.Busy(), g.Room(), len(all), busy, room)
			}
			if what := r.IntN(5); what == 0 {
				if room && !g.HandleAccept(int64(step)) {
					all = append(all, &held{id: int64(step)})
				} else if room && !full {
					t.Fatalf("seed %d, step %d: refused with %d open", seed, step, len(all))
				}
			} else if what == 1 {
				waiting := r.IntN(4)
				var oldest *held
				leaving := 0
				for _, h := range all {
					if h.leaving {
						leaving++
					} else if !h.busy && h.rested > 0 && (oldest == nil || h.rested < oldest.rested) {
						oldest = h
					}
				}
				id, ok := g.Poll(waiting)
				if want := c.WhenFull == FullCloseIdle && full && leaving < waiting && oldest != nil; ok != want || ok && id != oldest.id {
					t.Fatalf("seed %d, step %d: %d gives way, %v; want %v, %+v", seed, step, id, ok, want, oldest)
				}
				if ok {
					oldest.leaving = true
				}
			} else if len(all) > 0 {
				i := r.IntN(len(all))
				switch h := all[i]; what {
				case 2:
					h.busy = true
					g.HandleBusy(h.id)
				case 3:
					if h.busy {
						h.busy, h.rested = false, step
					}
					g.HandleIdle(h.id)
				default:
					all = slices.Delete(all, i, i+1)
					g.HandleClosed(h.id)
				}
			}
		}
	}
}

// TestCores: when requests that come at these milliseconds are begun, and how many wait then.
func TestCores(t *testing.T) {
	for _, test := range []struct {
		name     string
		capacity Capacity
		come     string
		want     string // begin-end/queued
	}{
		{"no service", Capacity{}, "0 0 7", "0-0/0 0-0/0 7-7/0"},
		{"one core if nothing is said", Capacity{Service: 5 * time.Millisecond}, "0 0 1 20", "0-5/0 5-10/1 10-15/2 20-25/0"},
		{"two cores", Capacity{Service: 5 * time.Millisecond, Cores: 2}, "0 1 2 3 4 30", "0-5/0 1-6/0 5-10/1 6-11/2 10-15/3 30-35/0"},
		{"queues empty in time", Capacity{Service: 10 * time.Millisecond, Cores: 2}, "0 0 0 0 10 15 20", "0-10/0 0-10/0 10-20/1 10-20/2 20-30/1 20-30/2 30-40/1"},
	} {
		c := NewCores(test.capacity)
		var got []string
		for ms := range strings.FieldsSeq(test.come) {
			var n int64
			fmt.Sscan(ms, &n)
			now := linger.Instant(n * int64(time.Millisecond))
			begin, end := c.Serve(now)
			got = append(got, fmt.Sprintf("%d-%d/%d", time.Duration(begin).Milliseconds(), time.Duration(end).Milliseconds(), c.Queued(now)))
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s: %s, want %s", test.name, s, test.want)
		}
	}
}

// TestCoresAgainstNaive: each request takes the core that is free first, whichever that is.
func TestCoresAgainstNaive(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		capacity := Capacity{Service: time.Duration(1 + r.IntN(10)), Cores: 1 + r.IntN(5)}
		c := NewCores(capacity)
		free := make([]linger.Instant, capacity.Cores)
		var begins []linger.Instant
		now := linger.Instant(0)
		for range 1000 {
			now += linger.Instant(r.IntN(5))
			first := 0
			for i := range free {
				if free[i] < free[first] {
					first = i
				}
			}
			begin := max(now, free[first])
			free[first] = begin.Add(capacity.Service)
			begins = append(begins, begin)
			queued := 0
			for _, b := range begins {
				if b > now {
					queued++
				}
			}
			if b, e := c.Serve(now); b != begin || e != free[first] || c.Queued(now) != queued {
				t.Fatalf("seed %d, at %d: %d to %d with %d queued; want %d to %d with %d", seed, now, b, e, c.Queued(now), begin, free[first], queued)
			}
		}
	}
}

// TestCapacity: limits that no server can have are told apart from those that it can.
func TestCapacity(t *testing.T) {
	for _, test := range []struct {
		c    Capacity
		want string // empty where it is one
	}{
		{Capacity{}, ""},
		{Capacity{Workers: 10, MaxConnections: 20, WhenFull: FullCloseIdle, Backlog: 128, Service: time.Millisecond, Cores: 2}, ""},
		{Capacity{Service: time.Millisecond}, ""},
		{Capacity{WhenFull: FullWait}, ""},
		{Capacity{WhenFull: "perhaps", MaxConnections: 1}, `"perhaps"`},
		{Capacity{WhenFull: FullRefuse}, "--max-connections"},
		{Capacity{Workers: -1}, "below nothing"},
		{Capacity{Cores: 2}, "--service"},
		{Capacity{Backlog: 1 << 16}, "65535"},
	} {
		if err := test.c.Validate(); test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.c, err, test.want)
		}
	}
}
