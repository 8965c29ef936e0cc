package link

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"linger"
)

const ms = linger.Instant(time.Millisecond)

// arrivals receives all that has arrived by now.
func arrivals(l *Link[int], now linger.Instant) (ids []int, at []linger.Instant) {
	for {
		v, t, ok := l.Receive(now)
		if !ok {
			return ids, at
		}
		ids, at = append(ids, v), append(at, t)
	}
}

func TestPacketArrivesAfterTransmissionAndDelay(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		size   int
		want   linger.Instant
	}{
		{"1500 bytes at 12 Mbit/s and 35 ms", Config{Delay: 35 * time.Millisecond, Rate: 12 * linger.Mbps}, 1500, 36 * ms},
		{"a rounded-up nanosecond", Config{Rate: 3 * linger.Gbps}, 1, 3}, // 2.67 ns
		{"no rate: the delay alone", Config{Delay: 10 * time.Millisecond}, 65535, 10 * ms},
		{"neither", Config{}, 1500, 0},
	} {
		l := New[int](c.config, nil)
		if f := l.Send(0, c.size, 7); f != Carried {
			t.Errorf("%s: outcome %d", c.name, f)
		}
		if got := l.Next(); got != c.want {
			t.Errorf("%s: next %d, want %d", c.name, got, c.want)
		}
		if ids, _ := arrivals(l, c.want-1); len(ids) != 0 {
			t.Errorf("%s: arrived before its time", c.name)
		}
		if ids, at := arrivals(l, c.want); len(ids) != 1 || ids[0] != 7 || at[0] != c.want {
			t.Errorf("%s: got %v at %v", c.name, ids, at)
		}
		if l.Next() != linger.Never {
			t.Errorf("%s: an empty link wants to be woken at %d", c.name, l.Next())
		}
	}
}

// A back-to-back burst leaves at exact multiples of the transmission time, each
// rounded up by itself: nothing adds up, at any rate.
func TestBurstDoesNotDrift(t *testing.T) {
	for _, rate := range []linger.Rate{1 * linger.Kbps, 49 * linger.Kbps, 7 * linger.Mbps, 999_999_937, linger.Gbps, 100 * linger.Gbps} {
		l := New[int](Config{Rate: rate, Queue: math.MaxInt}, nil)
		const packets, size = 20_000, 1499
		for i := range packets {
			l.Send(0, size, i)
		}
		for i := range packets {
			bits := big.NewInt(int64(i+1) * size * 8)
			exact := bits.Mul(bits, big.NewInt(int64(time.Second)))
			exact.Add(exact, big.NewInt(int64(rate)-1)).Div(exact, big.NewInt(int64(rate)))
			v, at, ok := l.Receive(linger.Never - 1)
			if !ok || v != i || int64(at) != exact.Int64() {
				t.Fatalf("%v: packet %d is number %d at %d, want %v", rate, v, i, at, exact)
			}
		}
	}
}

func TestLateCallsDoNotDelayPackets(t *testing.T) {
	l := New[int](Config{Rate: 8 * linger.Kbps, Queue: 10_000, Delay: 5 * time.Millisecond}, nil)
	l.Send(0, 1, 0)
	l.Send(0, 1, 1)
	if _, at := arrivals(l, 99*ms); len(at) != 2 || at[0] != 6*ms || at[1] != 7*ms {
		t.Errorf("arrived at %v, want 6 and 7 ms", at)
	}
	l.Send(50*ms, 1, 2) // the clock of this caller went back: taken to be when it last was
	l.Send(200*ms, 1, 3)
	if _, at := arrivals(l, 300*ms); len(at) != 2 || at[0] != 56*ms || at[1] != 206*ms {
		t.Errorf("arrived at %v, want 56 and 206 ms", at)
	}
}

func TestQueueHoldsItsBytesAndNotOneMore(t *testing.T) {
	c := Config{Rate: 8 * linger.Mbps, Queue: 3000} // a byte takes a microsecond
	l := New[int](c, nil)
	send := func(now linger.Instant, size int, want Outcome) {
		t.Helper()
		if got := l.Send(now, size, 0); got != want {
			t.Errorf("at %d, %d bytes: outcome %d, want %d", now, size, got, want)
		}
	}
	us := linger.Instant(time.Microsecond)
	send(0, 60_000, Carried) // greater than the queue, but the bottleneck is free
	send(0, 1500, Carried)
	send(0, 1500, Carried)
	send(0, 1, Dropped)
	send(60_000*us-1, 1, Dropped)
	if got := l.Waiting(60_000*us - 1); got != 3000 {
		t.Errorf("%d bytes wait, want 3000", got)
	}
	send(60_000*us, 1501, Dropped) // the first one waits no more, the second does
	send(60_000*us, 1500, Carried)
	send(60_000*us, 1, Dropped)
	if l.Peak() != 3000 || l.Flying() != 4 {
		t.Errorf("peak %d, flying %d; want 3000 and 4", l.Peak(), l.Flying())
	}
	if got := l.Waiting(linger.Never - 1); got != 0 {
		t.Errorf("%d bytes still wait at the end", got)
	}
}

func TestLossTakesRoomAndTime(t *testing.T) {
	l := New[int](Config{Rate: 8 * linger.Mbps, Queue: 1500, Loss: 1}, rand.NewPCG(1, 1))
	for range 2 {
		if l.Send(0, 1500, 0) != Lost {
			t.Error("a loss of 1 let a packet through")
		}
	}
	if l.Send(0, 1500, 0) != Dropped {
		t.Error("lost packets took no room")
	}
	if l.Next() != linger.Never {
		t.Error("a lost packet is due")
	}
}

func TestLossRate(t *testing.T) {
	const n = 1_000_000
	for _, p := range []float64{0, 0.0001, 0.01, 0.3} {
		l := New[int](Config{Loss: p}, rand.NewPCG(42, 0))
		lost := 0
		for range n {
			if l.Send(0, 100, 0) == Lost {
				lost++
			}
			l.Receive(0)
		}
		// Five standard deviations of a binomial; the seed is fixed.
		if bound := 5 * math.Sqrt(n*p*(1-p)); math.Abs(float64(lost)-n*p) > bound {
			t.Errorf("loss %v: %d of %d lost, beyond %.0f ± %.0f", p, lost, n, n*p, bound)
		}
	}
}

// The n-th packet meets the same loss whatever the queue does.
func TestSameSeedSameLoss(t *testing.T) {
	outcomes := func(rate linger.Rate) (lost []bool, dropped int) {
		l := New[int](Config{Rate: rate, Queue: 5000, Loss: 0.2}, rand.NewPCG(3, 4))
		for i := range 1000 {
			f := l.Send(linger.Instant(i)*ms, 1000, i)
			lost = append(lost, f == Lost)
			if f == Dropped {
				lost[i] = true // unknown
				dropped++
			}
		}
		return lost, dropped
	}
	fast, none := outcomes(0)
	slow, some := outcomes(6 * linger.Mbps)
	if none != 0 || some == 0 {
		t.Fatalf("dropped %d and %d, want none and some", none, some)
	}
	for i := range fast {
		if fast[i] && !slow[i] {
			t.Fatalf("packet %d is lost on one link and not on the other", i)
		}
	}
}

func TestUpAndDownMakeOneRoundTrip(t *testing.T) {
	n := linger.Network{RTT: 5*time.Millisecond + 1, Up: linger.Mbps, Down: 2 * linger.Mbps, Queue: time.Second, Loss: 0.1}
	up, down := Up(n), Down(n)
	if up.Delay+down.Delay != n.RTT {
		t.Errorf("delays %v and %v do not make %v", up.Delay, down.Delay, n.RTT)
	}
	if up.Rate != n.Up || down.Rate != n.Down || up.Queue != 125_000 || down.Queue != 250_000 || up.Loss != 0.1 || down.Loss != 0.1 {
		t.Errorf("up %+v, down %+v", up, down)
	}
}

// FuzzLink drives a link with any sends and compares it with a model that keeps
// exact rational times: order, instants, room and conservation.
func FuzzLink(f *testing.F) {
	f.Add(uint32(8_000_000), uint16(3000), uint16(5), uint8(0), []byte{0, 255, 0, 255, 9, 1, 200, 200})
	f.Add(uint32(0), uint16(0), uint16(100), uint8(60), []byte{1, 2, 3, 4})
	f.Add(uint32(999_983), uint16(1), uint16(0), uint8(255), []byte{0, 0, 0, 1, 255, 0})
	f.Fuzz(func(t *testing.T, rate uint32, queue, delay uint16, loss uint8, sends []byte) {
		if rate > 0 {
			rate = max(rate, uint32(linger.Kbps)) // less would overflow the instants of the model
		}
		c := Config{Rate: linger.Rate(rate), Queue: int(queue), Delay: time.Duration(delay) * time.Microsecond, Loss: float64(loss) / 256}
		l := New[int](c, rand.NewPCG(1, 2))
		type sent struct {
			id int
			at linger.Instant
		}
		var (
			want                  []sent
			free                  = new(big.Rat)
			begins                []linger.Instant // of those that have to wait
			sizes                 []int
			now                   linger.Instant
			carried, gone, landed int
		)
		sends = sends[:min(len(sends), 1000)]
		check := func() {
			ids, at := arrivals(l, now)
			for i := range ids {
				if landed == len(want) || want[landed] != (sent{ids[i], at[i]}) {
					t.Fatalf("arrival %d is %d at %d; want %v", landed, ids[i], at[i], want[landed:])
				}
				landed++
			}
			if landed < len(want) && want[landed].at <= now {
				t.Fatalf("packet %v has not arrived at %d", want[landed], now)
			}
			if l.Flying() != carried-landed {
				t.Fatalf("flying %d, want %d", l.Flying(), carried-landed)
			}
		}
		for i := 0; i+1 < len(sends); i += 2 {
			now += linger.Instant(sends[i]) * 10_000
			check()
			size := 1 + int(sends[i+1])*6
			t0 := new(big.Rat).SetInt64(int64(now))
			room := 0
			for len(begins) > 0 && begins[0] <= now {
				begins, sizes = begins[1:], sizes[1:]
			}
			for _, s := range sizes {
				room += s
			}
			if got := l.Waiting(now); got != room {
				t.Fatalf("at %d wait %d bytes, want %d", now, got, room)
			}
			busy := rate > 0 && ceil(free) > now
			outcome := l.Send(now, size, i)
			if drop := busy && room+size > int(queue); drop != (outcome == Dropped) {
				t.Fatalf("at %d with %d of %d bytes waiting, outcome of %d bytes is %d", now, room, queue, size, outcome)
			}
			if outcome == Dropped {
				gone++
				continue
			}
			left := t0
			if rate > 0 {
				if busy {
					begins, sizes = append(begins, ceil(free)), append(sizes, size)
				} else {
					free.Set(t0)
				}
				free.Add(free, big.NewRat(int64(size)*8*int64(time.Second), int64(rate)))
				left = free
			}
			if outcome == Lost {
				gone++
				continue
			}
			carried++
			want = append(want, sent{i, ceil(left).Add(c.Delay)})
		}
		now = linger.Never - 1
		check()
		if landed+gone != len(sends)/2 || l.Flying() != 0 || l.Next() != linger.Never {
			t.Fatalf("%d landed, %d gone, %d flying of %d", landed, gone, l.Flying(), len(sends)/2)
		}
	})
}

// ceil rounds a time in nanoseconds up.
func ceil(r *big.Rat) linger.Instant {
	n := new(big.Int).Add(r.Num(), r.Denom())
	n.Sub(n, big.NewInt(1))
	return linger.Instant(n.Div(n, r.Denom()).Int64())
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	l := New[int](Config{Rate: linger.Gbps, Queue: 100_000, Delay: time.Millisecond, Loss: 0.1}, rand.NewPCG(1, 1))
	var now linger.Instant
	burst := func() {
		for range 100 {
			now += 10_000
			for l.Next() <= now {
				l.Receive(now)
			}
			l.Send(now, 1500, 0)
		}
	}
	for range 100 {
		burst()
	}
	if n := testing.AllocsPerRun(100, burst); n != 0 {
		t.Errorf("%v allocations in 100 packets", n)
	}
}

func BenchmarkLink(b *testing.B) {
	for _, c := range []struct {
		name   string
		config Config
	}{
		{"shaped", Config{Rate: linger.Gbps, Queue: 1 << 20, Delay: 10 * time.Millisecond, Loss: 0.01}},
		{"delay", Config{Delay: 10 * time.Millisecond}},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := New[uint64](c.config, rand.NewPCG(1, 1))
			var now linger.Instant
			b.ReportAllocs()
			for b.Loop() {
				now += 12_000
				for l.Next() <= now {
					l.Receive(now)
				}
				l.Send(now, 1500, 0)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pkts/s")
		})
	}
}
