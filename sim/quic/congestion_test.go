package quic

import (
	"testing"
	"time"
)

// in is a number of datagrams of the first size, in bytes.
func in(packets int64) int64 { return packets * initialSize }

func newReno(window, threshold int64) *reno {
	r := &reno{}
	r.init()
	r.window, r.threshold = window, threshold
	return r
}

// RFC 9002, 7.3.1 and 7.3.3: in slow start as much as is acknowledged, afterwards one datagram
// a window; and 7.8: not where the window is not used.
func TestTheWindowGrows(t *testing.T) {
	for _, x := range []struct {
		name              string
		window, threshold int64
		inFlight          int64
		acked             int64 // packets
		want              int64
	}{
		{"slow start", in(32), unlimited, in(32), 10, in(42)},
		{"slow start, half of it used and more", in(32), unlimited, in(17), 1, in(33)},
		{"slow start, half of it used", in(32), unlimited, in(16), 10, in(32)},
		{"afterwards", in(20), in(20), in(20), 20, in(21)},
		{"not one packet before", in(20), in(20), in(20), 19, in(20)},
		{"three packets short of it count as used", in(20), in(20), in(17), 20, in(21)},
		{"four do not", in(20), in(20), in(16), 20, in(20)},
	} {
		r := newReno(x.window, x.threshold)
		for n := range x.acked {
			r.largestSent = n
			r.acked(n, x.inFlight)
		}
		if r.window != x.want {
			t.Errorf("%s: %d bytes, want %d", x.name, r.window, x.want)
		}
	}
}

// RFC 9002, 7.3.2: once for all packets that were sent before the first loss; quic-go goes back
// to 0.7 of the window where the RFC has a half.
func TestTheWindowAfterLosses(t *testing.T) {
	r := newReno(in(100), unlimited)
	r.largestSent = 50
	r.lose(10)
	if r.window != in(70) || r.threshold != in(70) || r.slowStart() {
		t.Fatalf("the window is %d, ssthresh %d, want %d", r.window, r.threshold, in(70))
	}
	r.lose(50)
	if r.window != in(70) {
		t.Errorf("a packet of the same round trip made it %d", r.window)
	}
	if r.acked(50, in(100)); r.window != in(70) || !r.recovering() {
		t.Errorf("in recovery it is %d", r.window)
	}
	if r.acked(51, in(100)); r.recovering() {
		t.Error("an acknowledgement of what was sent since does not end recovery")
	}
	r.largestSent = 60
	r.lose(51)
	if r.window < in(49)-1 || r.window > in(49) {
		t.Errorf("a later loss made it %d, want %d", r.window, in(49))
	}
	r = newReno(in(2), unlimited)
	r.largestSent = 1
	if r.lose(0); r.window != in(leastWindow) {
		t.Errorf("a window of two became one of %d bytes", r.window)
	}
}

// A loss that was none gives back what it took, once all of its round trip were none.
func TestSpuriousLossesAreTakenBack(t *testing.T) {
	r := newReno(in(100), unlimited)
	r.largestSent = 50
	r.lose(10)
	r.lose(11)
	if r.spurious(10); r.window != in(70) {
		t.Errorf("one of two was none, and the window is %d", r.window)
	}
	if r.spurious(11); r.window != in(100) || !r.slowStart() {
		t.Errorf("both were none, and the window is %d", r.window)
	}
	if r.spurious(12); r.window != in(100) {
		t.Errorf("nothing is left to take back, and the window is %d", r.window)
	}
}

// RFC 9002, 7.7: the rate is N * congestion_window / smoothed_rtt, N being 2 in slow start and
// 1.25 afterwards; a burst has ten datagrams, as the initial window of the RFC.
func TestPacing(t *testing.T) {
	const srtt = 100 * time.Millisecond
	r := newReno(in(32), unlimited)
	if got := r.rate(srtt); got != 819_200 { // 2 * 40,960 / 0.1 s
		t.Errorf("in slow start %d bytes a second", got)
	}
	n := int64(0)
	for r.mayPace(0, srtt) {
		r.sent(0, n, initialSize, true, srtt)
		n++
	}
	if n != burstPackets {
		t.Errorf("a burst of %d", n)
	}
	// The next one 1280 / 819,200 s later.
	if at := r.paceAt(srtt); at != second*15625/10_000_000 {
		t.Errorf("the next one after %v", time.Duration(at))
	}
	if at := r.paceAt(srtt); r.mayPace(at-1, srtt) || !r.mayPace(at, srtt) {
		t.Error("it may not go then, or before")
	}
	r.threshold = r.window
	if got := r.rate(srtt); got != 512_000 { // 1.25 * 40,960 / 0.1 s
		t.Errorf("afterwards %d bytes a second", got)
	}
	r = newReno(in(10_000), unlimited)
	if got := r.burst(r.rate(srtt)); got != 512_000 { // 2 * 12.8 MB / 0.1 s, for 2 ms
		t.Errorf("a burst at a high rate has %d bytes", got)
	}
}

// HyStart (RFC 9406, 4.2): slow start ends where the least of eight samples of a round is an
// eighth longer than the least of all, within 4 and 16 ms.
func TestSlowStartEndsWhereTheDelayGrows(t *testing.T) {
	for _, x := range []struct {
		name          string
		window        int64
		least, sample time.Duration
		samples       int
		want          bool
	}{
		{"an eighth longer is not enough", in(32), 40 * ms, 45 * ms, 8, false},
		{"more is", in(32), 40 * ms, 46 * ms, 8, true},
		{"seven samples are not", in(32), 40 * ms, 46 * ms, 7, false},
		{"at least 4 ms", in(32), 8 * ms, 12 * ms, 8, false},
		{"more than those", in(32), 8 * ms, 13 * ms, 8, true},
		{"at most 16 ms", in(32), 400 * ms, 417 * ms, 8, true},
		{"a small window goes on", in(15), 40 * ms, 46 * ms, 8, false},
	} {
		r := newReno(x.window, unlimited)
		r.largestSent = 100
		for range x.samples {
			r.maybeExit(x.sample, x.least)
		}
		if r.slowStart() == x.want {
			t.Errorf("%s: slow start ended %v", x.name, x.want != true)
		}
	}
}

// A datagram that grows takes a window of two with it.
func TestTheSizeOfADatagram(t *testing.T) {
	r := newReno(in(leastWindow), in(leastWindow))
	if r.setSize(largestSize); r.window != leastWindow*largestSize {
		t.Errorf("the least window is %d", r.window)
	}
	r = newReno(in(32), unlimited)
	if r.setSize(largestSize); r.window != in(32) {
		t.Errorf("another one is %d", r.window)
	}
}
