package quic

import (
	"testing"
	"time"

	"linger"
)

const ms = time.Millisecond

// RFC 9002, 5.3 and 6.2.1: smoothed_rtt and rttvar, and a PTO of smoothed_rtt + max(4*rttvar,
// kGranularity) + max_ack_delay, the last for application data only.
func TestRoundTripTimeAndProbeTimeout(t *testing.T) {
	type sample struct{ rtt, delay time.Duration }
	for _, x := range []struct {
		name           string
		samples        []sample
		srtt, variance time.Duration
		pto            time.Duration // without max_ack_delay
	}{
		// 6.2.2 recommends kInitialRtt of 333 ms and thus a PTO of 1 s; quic-go has 100 ms.
		{"quic-go: before the first sample", nil, 100 * ms, 0, 200 * ms},
		{"the first", []sample{{100 * ms, 0}}, 100 * ms, 50 * ms, 300 * ms},
		{"its delay is not taken off", []sample{{100 * ms, 25 * ms}}, 100 * ms, 50 * ms, 300 * ms},
		// adjusted_rtt = 140 - 20 = 120; rttvar = 3/4 50 + 1/4 20; smoothed_rtt = 7/8 100 + 1/8 120.
		{"a delay is taken off", []sample{{100 * ms, 0}, {140 * ms, 20 * ms}}, 102500 * time.Microsecond, 42500 * time.Microsecond, 272500 * time.Microsecond},
		// 105 - 25 would be below min_rtt: rttvar = 3/4 50 + 1/4 5, smoothed_rtt = 7/8 100 + 1/8 105.
		{"not below min_rtt", []sample{{100 * ms, 0}, {105 * ms, 25 * ms}}, 100625 * time.Microsecond, 38750 * time.Microsecond, 255625 * time.Microsecond},
		{"a shorter one", []sample{{100 * ms, 0}, {60 * ms, 0}}, 95 * ms, 47500 * time.Microsecond, 285 * ms},
	} {
		t.Run(x.name, func(t *testing.T) {
			var r recovery
			r.init(Options{Client: true})
			r.peerAckDelay = toldAckDelay
			for _, s := range x.samples {
				r.sample(s.rtt, s.delay)
			}
			if r.srtt != x.srtt || r.deviation != x.variance {
				t.Errorf("smoothed_rtt %v and rttvar %v, want %v and %v", r.srtt, r.deviation, x.srtt, x.variance)
			}
			if got := r.pto(false); got != x.pto {
				t.Errorf("the PTO is %v, want %v", got, x.pto)
			}
			if got := r.pto(true); len(x.samples) > 0 && got != x.pto+toldAckDelay {
				t.Errorf("of application data it is %v, want %v", got, x.pto+toldAckDelay)
			}
		})
	}
}

// RFC 9002, 6.2.1: "the PTO period MUST be set to twice its current value" each time, and
// kGranularity is the least that the variance counts; quic-go stops at a minute.
func TestTheProbeTimeoutBacksOff(t *testing.T) {
	var r recovery
	r.init(Options{Client: true})
	r.sample(100*ms, 0)
	for n, want := range map[int]time.Duration{0: 300 * ms, 1: 600 * ms, 3: 2400 * ms, 7: 38400 * ms, 8: time.Minute, 62: time.Minute} {
		r.ptoCount = n
		if got := r.scaledPTO(false); got != want {
			t.Errorf("after %d probe timeouts it is %v, want %v", n, got, want)
		}
	}
	r.deviation = 0
	if got := r.pto(false); got != 101*ms {
		t.Errorf("without a variance it is %v, want 100 ms and 1", got)
	}
}

// RFC 9002, 6.1.2: kTimeThreshold * max(smoothed_rtt, latest_rtt), and at least kGranularity.
func TestTheTimeThreshold(t *testing.T) {
	for _, x := range []struct {
		srtt, latest time.Duration
		space        int
		eighths      int64
		want         time.Duration
	}{
		{80 * ms, 80 * ms, appSpace, 1, 90 * ms},
		{80 * ms, 160 * ms, appSpace, 1, 180 * ms},
		{80 * ms, 80 * ms, appSpace, 4, 120 * ms}, // once losses turned out to be reordering
		{80 * ms, 80 * ms, initialSpace, 4, 90 * ms},
		{0, 0, appSpace, 1, granularity},
	} {
		c := &Conn{}
		c.srtt, c.latest, c.eighths = x.srtt, x.latest, x.eighths
		if got := c.lossDelay(x.space); got != x.want {
			t.Errorf("smoothed_rtt %v, latest_rtt %v: %v, want %v", x.srtt, x.latest, got, x.want)
		}
	}
}

// RFC 9002, 6.1: a packet is lost where one three numbers later was acknowledged, or where it
// was sent long enough before one that was. What two ends exchange tells which.
func TestWhichPacketsAreLost(t *testing.T) {
	for _, x := range []struct {
		name string
		lost int // of ten datagrams that leave together
	}{{"the first, by the packet threshold", 1}, {"the last but one, by the time threshold", 9}, {"the last, by a probe", 10}} {
		p := newPath(50*time.Millisecond, func(o *Options) { o.Small = true })
		p.run(second)
		n := 0
		p.lose = func(from, _ int, d *Datagram) bool {
			if from == 1 && d.Size > 300 {
				n++
				return n == x.lost
			}
			return false
		}
		p.write(1, 0, 12_000)
		p.run(3 * second)
		if got := p.ends[1].lostPackets; n < 10 || p.read[0][0] != 12_000 || got > 1 {
			t.Errorf("%s of %d: %d bytes arrived, %d packets declared lost", x.name, n, p.read[0][0], got)
		}
	}
}

// RFC 9000, 8.1: three times what has come, until the address is validated.
func TestTheAmplificationLimit(t *testing.T) {
	for _, x := range []struct {
		sent, received int64
		validated      bool
		want           bool
	}{{3599, 1200, false, false}, {3600, 1200, false, true}, {4000, 1200, true, false}, {0, 0, false, true}} {
		var r recovery
		r.init(Options{})
		r.sentBytes, r.received, r.validated = x.sent, x.received, x.validated
		if got := r.limited(); got != x.want {
			t.Errorf("%d bytes sent for %d, validated %v: limited %v", x.sent, x.received, x.validated, got)
		}
	}
}

// Packet numbers that are left out (RFC 9000, 21.4) do not count towards the packet
// threshold.
func TestNumbersThatAreLeftOutDoNotCount(t *testing.T) {
	c := &Conn{}
	c.recovery.init(Options{Client: true})
	c.skips = []int64{5}
	c.spaces[handshakeSpace].numbers = []int64{2, 3}
	for _, x := range []struct {
		space       int
		after, upTo int64
		want        int64
	}{{appSpace, 7, 10, 3}, {appSpace, 4, 7, 2}, {appSpace, 1, 7, 3}, {handshakeSpace, 1, 7, 2}, {handshakeSpace, 2, 7, 1}} {
		if got := c.between(x.space, x.after, x.upTo); got != x.want {
			t.Errorf("space %d: %d packets after %d up to %d, want %d", x.space, got, x.after, x.upTo, x.want)
		}
	}
}

// RFC 8899: the search halves what is left, and ends where that is little. A size that was
// lost may have been lost by chance: once a smaller one has arrived, larger ones are tried.
func TestTheSearchForTheMTU(t *testing.T) {
	var f finder
	f.init(1280, 1452)
	f.start(0)
	if f.due(linger.Instant(499*ms), 100*ms) || !f.due(linger.Instant(500*ms), 100*ms) {
		t.Error("a probe is not due five round trips after the start")
	}
	for i, x := range []struct {
		size  int64
		acked bool
	}{{1366, true}, {1409, false}, {1387, true}, {1419, true}, {1435, true}} {
		if f.max()-f.min <= mtuEnough {
			t.Fatalf("the search ended before probe %d", i+1)
		}
		got := f.probe(linger.Instant(i) * second)
		if got != x.size {
			t.Fatalf("probe %d has %d bytes, want %d", i+1, got, x.size)
		}
		if x.acked {
			f.acked()
		} else {
			f.lose()
		}
	}
	if f.due(1000*second, 100*ms) {
		t.Errorf("between %d and %d the search goes on", f.min, f.max())
	}
}
