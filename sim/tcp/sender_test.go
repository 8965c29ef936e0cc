package tcp

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// RFC 6298, 2.2 and 2.3, in milliseconds: SRTT and RTTVAR of the standard, and an RTO of SRTT
// + 4 RTTVAR. Where Linux goes its own way the case says so.
func TestRetransmissionTimeout(t *testing.T) {
	for _, x := range []struct {
		name      string
		samples   []time.Duration
		srtt, rto time.Duration
	}{
		{"before the first sample it is a second (2.1)", nil, 0, time.Second},
		{"the first sample R gives R + 4 R/2 (2.2)", []time.Duration{100 * ms}, 100 * ms, 300 * ms},
		{"Linux: RTTVAR counts at least 200 ms", []time.Duration{10 * ms}, 10 * ms, 210 * ms},
		// RTTVAR = 3/4 50 + 1/4 80 = 57.5, SRTT = 7/8 100 + 1/8 180 = 110 (2.3).
		{"a longer one", []time.Duration{100 * ms, 180 * ms}, 110 * ms, 340 * ms},
		// RTTVAR would be 3/4 200 + 1/4 300 = 225; Linux adds an eighth of what a shorter
		// sample would add, 200 + (300 - 200) / 8 / 4 = 203.125.
		{"Linux: a shorter one weighs less", []time.Duration{400 * ms, 100 * ms}, 362500 * time.Microsecond, 1175 * ms},
		{"it is at most two minutes", []time.Duration{100 * time.Second}, 100 * time.Second, 120 * time.Second},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := New(Options{})
			for _, s := range x.samples {
				c.sampleRTT(s)
			}
			if c.srtt != x.srtt || c.rto != x.rto {
				t.Errorf("SRTT %v and RTO %v, want %v and %v", c.srtt, c.rto, x.srtt, x.rto)
			}
		})
	}
}

// RFC 6298, 2.3 lets RTTVAR fall by a quarter a sample; Linux lets it fall once a round trip
// and never below 200 ms.
func TestTheVarianceFallsOncePerRoundTrip(t *testing.T) {
	c := New(Options{})
	c.nxt = 10
	c.sampleRTT(400 * ms) // RTTVAR counts 800
	for range 20 {
		c.sampleRTT(400 * ms)
	}
	if c.rto != 1200*ms {
		t.Errorf("within a round trip the RTO fell to %v", c.rto)
	}
	// The round trip that begins now is the first without a deviation: 800 falls by a quarter
	// of what it is above 200.
	c.una = 11
	c.sampleRTT(400 * ms)
	c.sampleRTT(400 * ms)
	if c.rto != 1050*ms {
		t.Errorf("after a round trip the RTO is %v, want 400 ms and 650", c.rto)
	}
	for range 200 {
		c.una, c.nxt = c.nxt+1, c.nxt+2
		c.sampleRTT(400 * ms)
	}
	if c.rto < 600*ms || c.rto > 601*ms {
		t.Errorf("it falls to %v, want SRTT and 200 ms", c.rto)
	}
}

// RFC 5681, 3.1: in slow start a segment for each that is acknowledged, afterwards one for
// each window of them.
func TestTheWindowGrows(t *testing.T) {
	for _, x := range []struct {
		name           string
		cwnd, ssthresh int
		acked          []int
		unused         bool
		want           int
	}{
		{name: "slow start", cwnd: 10, ssthresh: unlimited, acked: []int{2, 2, 1}, want: 15},
		{name: "up to ssthresh, the rest counts for what follows", cwnd: 10, ssthresh: 11, acked: []int{3}, want: 11},
		{name: "from there a window's acknowledgements for one", cwnd: 10, ssthresh: 10, acked: []int{2, 2, 2, 2, 2}, want: 11},
		{name: "and not one before", cwnd: 10, ssthresh: 10, acked: []int{2, 2, 2, 2, 1}, want: 10},
		{name: "many at once", cwnd: 10, ssthresh: 10, acked: []int{20}, want: 12},
		{name: "a window that is not used stays", cwnd: 10, ssthresh: 10, acked: []int{10}, unused: true, want: 10},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := New(Options{Congestion: Reno})
			c.cwnd, c.ssthresh, c.limited = x.cwnd, x.ssthresh, !x.unused
			for _, n := range x.acked {
				c.grow(0, n)
			}
			if c.cwnd != x.want {
				t.Errorf("the window is %d, want %d", c.cwnd, x.want)
			}
		})
	}
}

func TestTheWindowAfterALoss(t *testing.T) {
	for _, x := range []struct {
		name          string
		congestion    Congestion
		cwnd, lastMax int
		want, wantMax int
	}{
		{"Reno: half of it (RFC 5681, 3.1)", Reno, 10, 0, 5, 0},
		{"Reno: at least two", Reno, 3, 0, 2, 0},
		{"CUBIC: 0.7 of it (RFC 9438, 4.6)", CUBIC, 500, 0, 350, 500},
		{"CUBIC: at least two", CUBIC, 2, 0, 2, 2},
		// Lower than the last time: W_max = 500 (1 + 0.7) / 2 (RFC 9438, 4.7).
		{"CUBIC: fast convergence", CUBIC, 500, 600, 350, 425},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := New(Options{Congestion: x.congestion})
			c.cwnd, c.cubic.lastMax = x.cwnd, x.lastMax
			if got := c.afterLoss(); got != x.want || c.cubic.lastMax != x.wantMax {
				t.Errorf("ssthresh %d and W_max %d, want %d and %d", got, c.cubic.lastMax, x.want, x.wantMax)
			}
		})
	}
}

// RFC 6937, 3.1, with ssthresh 10 and 20 segments out when recovery began: above ssthresh
// sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out; below it at most as many as
// were delivered, one more where the acknowledgement advanced and nothing was lost.
func TestProportionalRateReduction(t *testing.T) {
	for _, x := range []struct {
		name                       string
		pipe, prrDelivered, prrOut int
		delivered, lost            int
		advanced                   bool
		want                       int // sndcnt
		recoverFS                  int
	}{
		{name: "the first acknowledgement sends one", pipe: 19, delivered: 1, want: 1},
		{name: "then every second", pipe: 18, prrDelivered: 1, prrOut: 1, delivered: 1, want: 0},
		{name: "four delivered, one out", pipe: 15, prrDelivered: 3, prrOut: 1, delivered: 1, want: 1},
		{name: "below ssthresh, what the rate still owes", pipe: 6, prrDelivered: 10, prrOut: 8, delivered: 2, want: 4},
		{name: "below ssthresh, up to it", pipe: 8, prrDelivered: 11, prrOut: 9, delivered: 1, want: 2},
		{name: "one more where nothing else was lost", pipe: 5, prrDelivered: 1, prrOut: 1, delivered: 1, advanced: true, want: 2},
		{name: "and not where something was", pipe: 5, prrDelivered: 1, prrOut: 1, delivered: 1, lost: 1, advanced: true, want: 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := New(Options{})
			c.ssthresh, c.priorCwnd = 10, 20
			c.prrDelivered, c.prrOut = x.prrDelivered, x.prrOut
			for range x.pipe {
				c.sent.push(sentSegment{})
			}
			c.reduce(x.delivered, x.lost, x.advanced)
			if got := c.cwnd - x.pipe; got != x.want {
				t.Errorf("%d may be sent, want %d", got, x.want)
			}
		})
	}
	c := New(Options{})
	c.priorCwnd, c.ssthresh, c.cwnd = 20, 10, 17
	if c.reduce(0, 1, false); c.cwnd != 17 {
		t.Errorf("nothing was delivered, and the window is %d", c.cwnd)
	}
}

// tcp_tso_autosize: what twice the rate sends in a millisecond, 1.2 times it after slow start,
// and 64 KB more where the path is short.
func TestBursts(t *testing.T) {
	for _, x := range []struct {
		name           string
		srtt, least    time.Duration
		cwnd, ssthresh int
		want           int
	}{
		{"before the first sample", 0, 0, 10, unlimited, 2},
		// 2 * 10 * 1448 / 0.1 s = 289,600 B/s: 282 bytes a 1024th of a second.
		{"a slow path", 100 * ms, 100 * ms, 10, unlimited, 2},
		// 2 * 600 * 1448 / 0.1 s = 17.4 MB/s: 16,968 bytes, 11 segments of 1448.
		{"in slow start", 100 * ms, 100 * ms, 600, unlimited, 11},
		// 1.2 * 600 * 1448 / 0.1 s = 10.4 MB/s: 10,181 bytes, 7 segments.
		{"afterwards", 100 * ms, 100 * ms, 600, 600, 7},
		{"at most 44 segments", ms, ms, 100, unlimited, 44},
		// 282 bytes as above, and 65536 >> 2 for a least round trip of 1.024 ms: 16,666 bytes.
		{"a short path", 100 * ms, 1024 * time.Microsecond, 10, unlimited, 11},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := New(Options{})
			c.srtt, c.minRTT, c.cwnd, c.ssthresh = x.srtt, x.least, x.cwnd, x.ssthresh
			if got := c.burst(); got != x.want {
				t.Errorf("%d segments, want %d", got, x.want)
			}
		})
	}
}

// RFC 8985, 7.2: a probe two round trips after the last segment, where that is alone a delayed
// acknowledgement later, and never after the RTO.
func TestWhenALossIsProbedFor(t *testing.T) {
	for _, x := range []struct {
		name string
		out  int
		srtt time.Duration
		rto  time.Duration
		want time.Duration
	}{
		{"several are out", 3, 100 * ms, 500 * ms, 202 * ms},
		{"one is out", 1, 20 * ms, 500 * ms, 240 * ms},
		{"not after the RTO", 1, 100 * ms, 300 * ms, 300 * ms},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := New(Options{})
			c.state, c.srtt, c.rto = Established, x.srtt, x.rto
			for range x.out {
				c.sent.push(sentSegment{at: second})
			}
			if !c.armProbe(second, false) || c.timer != timerProbe {
				t.Fatal("no probe is to be sent")
			}
			if want := onTick(second, x.want); c.timerAt != want {
				t.Errorf("it is sent after %v, want %v", c.timerAt.Sub(second), want.Sub(second))
			}
		})
	}
	c := New(Options{})
	c.state, c.ca = Established, caRecovery
	c.sent.push(sentSegment{})
	if c.armProbe(0, false) {
		t.Error("a probe in recovery")
	}
}

// RFC 8985, 6.2, step 4: none before reordering was seen while losses are repaired, else a
// quarter of the least round trip, longer with each DSACK, at most SRTT.
func TestReorderingWindow(t *testing.T) {
	for _, x := range []struct {
		name       string
		reordering bool
		ca         caState
		sacked     int
		steps      int
		want       time.Duration
	}{
		{"at first", false, caOpen, 1, 1, 10 * ms},
		{"three are SACKed", false, caOpen, 3, 1, 0},
		{"in recovery", false, caRecovery, 1, 1, 0},
		{"in recovery, reordering seen", true, caRecovery, 5, 1, 10 * ms},
		{"two DSACKs later", true, caOpen, 1, 3, 30 * ms},
		{"at most SRTT", true, caOpen, 1, 9, 60 * ms},
	} {
		c := New(Options{})
		c.minRTT, c.srtt = 40*ms, 60*ms
		c.reordering, c.ca, c.sackedOut, c.reoSteps = x.reordering, x.ca, x.sacked, x.steps
		if got := c.reorderWindow(); got != x.want {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
}

// RFC 5681, 4.1: for each RTO without sending the window halves, not below the initial one.
func TestTheWindowAfterAnIdlePeriod(t *testing.T) {
	for _, x := range []struct {
		idle time.Duration
		want int
	}{{200 * ms, 80}, {300 * ms, 80}, {400 * ms, 40}, {700 * ms, 20}, {time.Second, 10}, {time.Minute, InitialWindow}} {
		c := New(Options{})
		c.state, c.cwnd, c.rto, c.ssthresh = Established, 80, 300*ms, 100
		c.lastSent = second
		c.restartAfterIdle(second.Add(x.idle))
		if c.cwnd != x.want {
			t.Errorf("after %v the window is %d, want %d", x.idle, c.cwnd, x.want)
		}
		if x.want < 80 && c.ssthresh != 100 {
			t.Errorf("after %v ssthresh is %d; what was known of the path stays", x.idle, c.ssthresh)
		}
	}
}
