package quic

import (
	"time"

	"linger"
)

// A finder searches the largest datagram that the path carries, by halving (RFC 8899;
// mtu_discoverer.go).
type finder struct {
	last     linger.Instant // probe; -1 is not begun
	inFlight int64          // size of the probe; 0 is none
	min      int64
	lost     [3]int64 // sizes that were lost; 0 is none, the first at the beginning the maximum
	wasLost  bool
}

const (
	mtuEnough = 20 + 1 // the search ends that near
	mtuPeriod = 5      // round trips between probes
)

func (f *finder) init(from, to int64) {
	*f = finder{last: -1, min: from, lost: [3]int64{to}}
}

func (f *finder) max() int64 {
	for i, v := range f.lost {
		if v == 0 {
			return f.lost[i-1]
		}
	}
	return f.lost[len(f.lost)-1]
}

func (f *finder) start(now linger.Instant) { f.last = now }

// due reports whether a probe is to be sent.
func (f *finder) due(now linger.Instant, srtt time.Duration) bool {
	return f.last >= 0 && f.inFlight == 0 && f.max()-f.min > mtuEnough && now >= f.last.Add(mtuPeriod*srtt)
}

// probe returns the size of the next one.
func (f *finder) probe(now linger.Instant) int64 {
	to := f.max()
	if f.wasLost {
		to = f.lost[0]
	}
	f.last, f.inFlight = now, (f.min+to)/2
	return f.inFlight
}

func (f *finder) acked() {
	size := f.inFlight
	f.inFlight, f.min, f.wasLost = 0, size, false
	j := 0
	for i, v := range f.lost {
		if v == 0 || size < v {
			j = i
			break
		}
	}
	if j > 0 {
		k := copy(f.lost[:], f.lost[j:])
		clear(f.lost[k:])
	}
}

func (f *finder) lose() {
	size := f.inFlight
	f.inFlight, f.wasLost = 0, true
	for i, v := range f.lost {
		if v == 0 || size < v {
			copy(f.lost[i+1:], f.lost[i:])
			f.lost[i] = size
			break
		}
	}
}
