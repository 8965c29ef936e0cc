package pump

import (
	"math/bits"
	"time"

	"linger"
)

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
