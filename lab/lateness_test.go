package lab

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"linger"
)

func TestLatenessBucketsAreNarrowAndInOrder(t *testing.T) {
	previous := -1
	for d := time.Duration(0); d < time.Hour; d += 1 + d/1000 {
		i := lateBucket(d)
		if i < previous {
			t.Fatalf("%v is in bucket %d, after %d", d, i, previous)
		}
		previous = i
		if top := lateTop(i); top < d || top > d+d/32+1 {
			t.Fatalf("%v is in the bucket up to %v", d, top)
		}
	}
	if i := lateBucket(1<<63 - 1); i >= len((&lateness{}).buckets) {
		t.Fatalf("the longest duration is in bucket %d", i)
	}
}

func TestLatenessQuantiles(t *testing.T) {
	if s := (&lateness{}).summary(); s.Packets != 0 || s.Median != 0 || s.Max != 0 {
		t.Errorf("nothing recorded: %+v", s)
	}
	var l lateness
	var all []time.Duration
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		d := time.Duration(rng.ExpFloat64() * 50_000)
		all = append(all, d, d, d)
		l.record(d, 3)
	}
	l.record(-time.Second, 1) // before its time is in time
	all = append(all, 0)
	slices.Sort(all)
	s := l.summary()
	for _, q := range []struct {
		got  time.Duration
		want time.Duration
	}{{s.Median, all[len(all)/2]}, {s.P99, all[len(all)*99/100]}} {
		if q.got < q.want || q.got > q.want+q.want/32+1 {
			t.Errorf("quantile %v, want %v", q.got, q.want)
		}
	}
	if s.Packets != int64(len(all)) || s.Max != all[len(all)-1] {
		t.Errorf("%+v; want %d packets, at most %v", s, len(all), all[len(all)-1])
	}
}

func TestAlarmLearnsHowLateTimersAre(t *testing.T) {
	a := newAlarm()
	rng := rand.New(rand.NewPCG(1, 2))
	const wait = 10 * time.Millisecond
	for range 1000 {
		a.woke(wait, 50*time.Microsecond+time.Duration(rng.IntN(20_000)))
	}
	if early := wait - a.plan(0, wait); early < 60*time.Microsecond || early > 80*time.Microsecond {
		t.Errorf("after lateness of 50 to 70 µs, it wakes %v early", early)
	}
	if d := a.plan(0, 20*time.Microsecond); d != 0 {
		t.Errorf("what is due within the margin is slept for %v", d)
	}
	for range 1000 {
		a.woke(wait, time.Second)
	}
	if early := wait - a.plan(0, wait); early != alarmMost {
		t.Errorf("it would wake %v early, beyond %v", early, alarmMost)
	}
	for _, d := range []time.Duration{-1, 0, 1, 1<<63 - 1} {
		if p := a.plan(0, d); p < 0 || p > max(d, 0) {
			t.Errorf("to wait %v it sleeps %v", d, p)
		}
	}
}

// On a link that is busy all the time the share of polling is bounded.
func TestAlarmSpendsItsCredit(t *testing.T) {
	a := newAlarm()
	var now linger.Instant
	var polled time.Duration
	const second = linger.Instant(time.Second)
	for now < second {
		const gap = 20 * time.Microsecond
		if a.plan(now, gap) == 0 {
			polled += gap
		}
		now = now.Add(gap)
	}
	if most := time.Second/alarmShare + 2*alarmMaxCredit; polled > most || polled < most/2 {
		t.Errorf("polled for %v of a second, want nearly %v", polled, most)
	}
}
