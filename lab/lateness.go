package lab

import (
	"math/bits"
	"time"

	"linger"
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

// An alarm says how long to sleep so as to be awake at a due time. It learns how
// late this machine's timers wake a thread, by how long it had slept: the longer
// an idle CPU sleeps, the longer it takes to get up, on a virtual machine well
// beyond 0.1 ms. A sleep ends that much too early, and what remains is spent
// polling, as far as there is credit for it.
//
// plan comes before each sleep, woke after each that a timer ended.
type alarm struct {
	margins [alarmClasses]time.Duration // by powers of four of 16 µs of sleep
	credit  time.Duration               // that may be spent polling
	polling bool
	last    linger.Instant // of plan
}

const (
	alarmClasses = 8
	alarmFirst   = 50 * time.Microsecond // before anything is learnt
	alarmMost    = 250 * time.Microsecond
	alarmStep    = time.Microsecond
	// alarmShare of the time, one part in so many, may be spent polling: on a busy
	// link, where something is always about to be due, the hosts need the CPU more.
	alarmShare     = 10
	alarmMaxCredit = 5 * time.Millisecond
)

func newAlarm() alarm {
	a := alarm{credit: alarmMaxCredit}
	for i := range a.margins {
		a.margins[i] = alarmFirst
	}
	return a
}

func alarmClass(sleep time.Duration) int {
	return min(bits.Len64(uint64(sleep)>>14)/2, alarmClasses-1)
}

// plan returns how long to sleep now for what is due in wait; 0 is to poll.
func (a *alarm) plan(now linger.Instant, wait time.Duration) time.Duration {
	passed := now.Sub(a.last)
	a.last = now
	if a.polling {
		a.credit -= passed
	} else {
		a.credit = min(a.credit+passed/alarmShare, alarmMaxCredit)
	}
	a.polling = false
	if wait <= 0 {
		return 0
	}
	margin := min(a.margins[alarmClass(wait)], wait)
	if a.credit < margin {
		return wait
	}
	a.polling = margin == wait
	return wait - margin
}

// woke learns from a sleep that ended so late. Nine steps up for one later than
// the margin, one down for one that was not: that settles where one in ten is.
func (a *alarm) woke(sleep, late time.Duration) {
	m := &a.margins[alarmClass(sleep)]
	if late > *m {
		*m = min(*m+9*alarmStep, alarmMost)
	} else {
		*m = max(*m-alarmStep, 0)
	}
}
