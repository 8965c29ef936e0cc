package lab

import (
	"math/bits"
	"time"

	"linger/trace"
)

// A lateness is a histogram of durations in buckets that widen with them: 32 to
// each power of two, so that a quantile is at most 1/32 too high.
type lateness struct {
	buckets [(64 - lateBits) << lateBits]int64
	packets int64
	max     time.Duration
}

const lateBits = 5

// record counts n packets that left d after their due time; before it is 0.
func (l *lateness) record(d time.Duration, n int) {
	d = max(d, 0)
	l.buckets[lateBucket(d)] += int64(n)
	l.packets += int64(n)
	l.max = max(l.max, d)
}

// lateBucket returns the bucket of d: durations below 64 ns have one each, then
// the exponent counts the powers of two and the five bits after the first one
// count within.
func lateBucket(d time.Duration) int {
	v := uint64(d)
	shift := max(bits.Len64(v)-lateBits-1, 0)
	return shift<<lateBits + int(v>>shift)
}

// lateTop returns the longest duration of a bucket.
func lateTop(bucket int) time.Duration {
	shift := max(bucket>>lateBits-1, 0)
	v := bucket - shift<<lateBits
	return time.Duration((v+1)<<shift - 1)
}

// quantile returns a duration that a share q of the packets did not exceed.
func (l *lateness) quantile(q float64) time.Duration {
	rank := int64(q * float64(l.packets))
	for i, n := range l.buckets {
		if rank -= n; rank < 0 {
			return min(lateTop(i), l.max)
		}
	}
	return l.max
}

func (l *lateness) summary() trace.Lateness {
	return trace.Lateness{Packets: l.packets, Median: l.quantile(0.5), P99: l.quantile(0.99), Max: l.max}
}

// An alarm learns how late this machine's timers wake a thread, by how long it
// had slept: the longer an idle CPU sleeps, the longer it takes to get up.
type alarm struct {
	margins [alarmClasses]time.Duration // by powers of four of 16 µs of sleep
}

const (
	alarmClasses = 8
	// alarmMost bounds what is spent awake for a packet, whatever was learnt.
	alarmMost = 250 * time.Microsecond
	alarmStep = time.Microsecond
)

func alarmClass(sleep time.Duration) int {
	return min(bits.Len64(uint64(sleep)>>14)/2, alarmClasses-1)
}

// early returns by how much a sleep should end before its time; 0 if the sleep
// is too short for that to be worth its CPU time.
func (a *alarm) early(sleep time.Duration) time.Duration {
	if sleep <= 0 {
		return 0
	}
	if m := a.margins[alarmClass(sleep)]; m < sleep/2 {
		return m
	}
	return 0
}

// woke learns from a sleep that ended so late. Nine steps up for one too late,
// one step down for one in time: that settles where one in ten is too late.
func (a *alarm) woke(sleep, late time.Duration) {
	m := &a.margins[alarmClass(sleep)]
	if late > *m {
		*m = min(*m+9*alarmStep, alarmMost)
	} else {
		*m = max(*m-alarmStep, 0)
	}
}
