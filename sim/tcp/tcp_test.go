package tcp

import (
	"slices"
	"testing"
	"time"

	"linger"
)

// A path carries segments between two ends, each way in its order, a delay later.
type path struct {
	ends   [2]*Conn
	delay  time.Duration
	now    linger.Instant
	flight [2][]timed
	lose   func(from int, s Segment) bool
	seen   func(from int, at linger.Instant, s Segment)
	reads  bool
}

type timed struct {
	at linger.Instant
	s  Segment
}

func newPath(delay time.Duration) *path {
	return &path{ends: [2]*Conn{New(Options{}), New(Options{})}, delay: delay, reads: true}
}

func (p *path) collect() {
	for side, c := range p.ends {
		for s, ok := c.Poll(); ok; s, ok = c.Poll() {
			if p.seen != nil {
				p.seen(side, p.now, s)
			}
			if p.lose == nil || !p.lose(side, s) {
				p.flight[side] = append(p.flight[side], timed{p.now.Add(p.delay), s})
			}
		}
	}
}

// run goes on until nothing happens any more, or until a time.
func (p *path) run(until linger.Instant) {
	for p.collect(); ; p.collect() {
		next, from := linger.Never, -1
		for side := range p.flight {
			if len(p.flight[side]) > 0 && p.flight[side][0].at < next {
				next, from = p.flight[side][0].at, side
			}
		}
		timer := -1
		for side, c := range p.ends {
			if t := c.NextTimeout(); t < next {
				next, from, timer = t, -1, side
			}
		}
		if next == linger.Never || next > until {
			return
		}
		p.now = next
		if from < 0 {
			p.ends[timer].HandleTimeout(p.now)
			continue
		}
		s := p.flight[from][0].s
		p.flight[from] = p.flight[from][1:]
		to := p.ends[1-from]
		to.HandleSegment(p.now, &s)
		if p.reads {
			to.Read(p.now, to.Readable())
		}
	}
}

const second = linger.Instant(time.Second)

func TestSYNsAreRepeatedAsLinuxDoes(t *testing.T) {
	p := newPath(10 * time.Millisecond)
	p.lose = func(int, Segment) bool { return true }
	var at []linger.Instant
	p.seen = func(_ int, now linger.Instant, s Segment) { at = append(at, now/second) }
	p.ends[0].Open(0)
	p.run(linger.Never - 1)
	if want := []linger.Instant{0, 1, 2, 3, 4, 5, 7}; !slices.Equal(at, want) {
		t.Errorf("SYNs after %v s, want %v", at, want)
	}
	if !p.ends[0].Failed() {
		t.Error("a connection that nobody answers is not given up")
	}
}

// As in captures of the lab: the first window is ten segments, each of the first 16 is
// acknowledged by itself, and slow start doubles what is out.
func TestSlowStartAndQuickAcknowledgements(t *testing.T) {
	p := newPath(50 * time.Millisecond)
	p.ends[0].Open(0)
	p.run(second / 10) // the client is connected
	p.ends[0].Write(p.now, 80)
	p.run(second * 3 / 20)
	rounds := map[linger.Instant]int{}
	acks := 0
	p.seen = func(from int, now linger.Instant, s Segment) {
		if from == 1 && s.Len > 0 {
			rounds[now]++
		}
		if from == 0 && s.Len == 0 && s.Flags&FIN == 0 {
			acks++
		}
	}
	p.ends[1].Write(p.now, 70*MSS)
	p.ends[1].Close(p.now)
	p.run(second * 5)
	var sizes []int
	for at := range rounds {
		sizes = append(sizes, rounds[at])
	}
	total := 0
	for _, n := range sizes {
		total += n
	}
	if total != 70 || rounds[second*3/20] != InitialWindow {
		t.Errorf("%d segments, %d of them at first", total, rounds[second*3/20])
	}
	if acks < 16+(70-16)/2 || acks > 70 {
		t.Errorf("%d acknowledgements of 70 segments", acks)
	}
}

// A loss in the middle costs one round trip, a loss of the last segment a probe; the
// data arrives once.
func TestLossesAreRepaired(t *testing.T) {
	for _, x := range []struct {
		name  string
		index int // of the data segment that is lost, once
		most  time.Duration
	}{{"in the middle", 3, 250 * time.Millisecond}, {"the last", 9, 600 * time.Millisecond}, {"the first", 0, 300 * time.Millisecond}} {
		p := newPath(50 * time.Millisecond)
		p.ends[0].Open(0)
		p.run(second / 10)
		p.ends[0].Write(p.now, 80)
		p.run(second * 3 / 20)
		began, n, again := p.now, 0, 0
		p.lose = func(from int, s Segment) bool {
			if from != 1 || s.Len == 0 {
				return false
			}
			if s.Again {
				again++
			}
			n++
			return n == x.index+1
		}
		p.ends[1].Write(p.now, 10*MSS)
		var done linger.Instant
		p.seen = func(from int, now linger.Instant, s Segment) {
			if from == 0 && s.Ack == 1+10*MSS && done == 0 {
				done = now
			}
		}
		p.run(second * 10)
		if done == 0 || done.Sub(began) > x.most || again != 1 {
			t.Errorf("%s: all there after %v, %d sent again", x.name, done.Sub(began), again)
		}
	}
}

// The last segment but one is lost, and the last one arrives together with what stood before
// it: the acknowledgement advances and has a SACK. What is lost is sent again when RACK's
// reordering window is over, a quarter of a round trip later, and not by the RTO.
func TestAnAcknowledgementThatAdvancesLeavesRACKItsTimer(t *testing.T) {
	p := newPath(50 * time.Millisecond)
	p.ends[0].Open(0)
	p.run(second / 10)
	p.ends[0].Write(p.now, 80)
	p.run(second * 3 / 20)
	n := 0
	p.lose = func(from int, s Segment) bool {
		if from == 1 && s.Len > 0 {
			n++
		}
		// With the acknowledgement of what stood before it lost, the next one tells of both.
		return from == 1 && s.Len > 0 && n == 8 || from == 0 && s.NBlocks == 0 && s.Ack > 1+5*MSS && s.Ack <= 1+7*MSS
	}
	var repaired, heard linger.Instant
	p.seen = func(from int, now linger.Instant, s Segment) {
		if from == 1 && s.Again && repaired == 0 {
			repaired = now
		}
		if from == 0 && s.NBlocks > 0 && heard == 0 {
			heard = now
		}
	}
	p.ends[1].Write(p.now, 9*MSS)
	p.run(second * 10)
	if after := repaired.Sub(heard); heard == 0 || repaired == 0 || after > 100*time.Millisecond {
		t.Errorf("sent again %v after the SACK was sent; want 50 ms, and a reordering window of 25 ms", after)
	}
}

func TestIdleConnectionsStartAnew(t *testing.T) {
	p := newPath(20 * time.Millisecond)
	p.ends[0].Open(0)
	p.run(second / 10)
	p.ends[0].Write(p.now, 80)
	p.run(second / 5)
	p.ends[1].Write(p.now, 200*MSS)
	p.run(2 * second)
	grown := p.ends[1].Window()
	p.now = 60 * second
	p.ends[1].Write(p.now, MSS)
	if idle := p.ends[1].Window(); grown <= InitialWindow || idle != InitialWindow {
		t.Errorf("the window is %d after a transfer and %d after a minute", grown, idle)
	}
}

func TestCubeRoots(t *testing.T) {
	for x, want := range map[uint64]int64{0: 0, 1: 1, 7: 1, 8: 2, 26: 2, 27: 3, 1 << 60: 1 << 20, 1<<60 - 1: 1<<20 - 1, 1_000_000: 100} {
		if got := cubeRoot(x); got != want {
			t.Errorf("the cube root of %d is %d, not %d", x, got, want)
		}
	}
}

// RFC 9438, 4.2: after a loss at W_max, the window is back there K = cubic_root(W_max * (1
// - beta) / C) later, in between it stays near.
func TestCubicReturnsToWhereItLost(t *testing.T) {
	c := New(Options{})
	c.cwnd, c.ssthresh = 500, 1000
	c.ssthresh = c.afterLoss()
	c.cwnd = c.ssthresh
	k := 7200 * time.Millisecond // the cube root of (500 - 350) / 0.4
	at := linger.Instant(time.Second)
	for now := at; now < at.Add(k); now = now.Add(4 * time.Millisecond) {
		// As many acknowledgements as a window has in 100 ms.
		if every := c.cubicUpdate(now, c.cwnd/25); every > 0 {
			c.cwndCount += c.cwnd / 25
			for c.cwndCount >= every {
				c.cwndCount -= every
				c.cwnd++
			}
		}
		if c.cwnd > 510 {
			t.Fatalf("the window is %d after %v", c.cwnd, now.Sub(at))
		}
	}
	if c.cwnd < 495 {
		t.Errorf("the window is %d after %v, and was 500 when it lost", c.cwnd, k)
	}
}

// A SYN-ACK that is lost is sent again by the server's timer and for the client's second
// SYN, at about the same time; the server then begins with one segment, as captures of the
// lab show.
func TestALostSYNACKCostsTheInitialWindow(t *testing.T) {
	for _, lose := range []bool{false, true} {
		p := newPath(10 * time.Millisecond)
		answers := 0
		p.lose = func(from int, s Segment) bool {
			if from == 1 && s.Flags&SYN != 0 {
				answers++
				return lose && answers == 1
			}
			return false
		}
		p.ends[0].Open(0)
		p.run(2 * second)
		p.ends[0].Write(p.now, 80)
		p.run(p.now + second/50)
		sent := 0
		p.seen = func(from int, _ linger.Instant, s Segment) {
			if from == 1 && s.Len > 0 {
				sent++
			}
		}
		p.ends[1].Write(p.now, 5*MSS)
		p.run(p.now + second/200)
		want, again := 5, 1
		if lose {
			want, again = 1, 3
		}
		if sent != want || answers != again {
			t.Errorf("lost %v: %d SYN-ACKs, then %d segments, want %d and %d", lose, answers, sent, again, want)
		}
	}
}

// Timers of more than 63 jiffies go off on multiples of eight of them, of more than 504 on
// multiples of 64, and never early.
func TestTimersAreAsCoarseAsTheWheel(t *testing.T) {
	for _, x := range []struct{ d, most time.Duration }{
		{200 * time.Millisecond, tick}, {248 * time.Millisecond, tick}, {252 * time.Millisecond, 8 * tick}, {time.Second, 8 * tick}, {2 * time.Second, 8 * tick}, {2200 * time.Millisecond, 64 * tick}, {16 * time.Second, 64 * tick},
	} {
		for now := linger.Instant(0); now < second; now += 1_234_567 {
			late := onTick(now, x.d).Sub(now) - x.d
			if late < 0 || late > x.most+tick {
				t.Errorf("%v at %v goes off %v late", x.d, time.Duration(now), late)
				break
			}
		}
	}
}
