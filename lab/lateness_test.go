package lab

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
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
	var a alarm
	rng := rand.New(rand.NewPCG(1, 2))
	late := func() time.Duration { return 50*time.Microsecond + time.Duration(rng.IntN(20_000)) }
	for range 1000 {
		a.woke(10*time.Millisecond, late())
	}
	if m := a.early(10 * time.Millisecond); m < 60*time.Microsecond || m > 80*time.Microsecond {
		t.Errorf("after lateness of 50 to 70 µs, it wakes %v early", m)
	}
	if m := a.early(50 * time.Microsecond); m != 0 {
		t.Errorf("of a short sleep it would spend %v awake", m)
	}
	for range 1000 {
		a.woke(10*time.Millisecond, time.Second)
	}
	if m := a.early(10 * time.Millisecond); m != alarmMost {
		t.Errorf("it would wake %v early, beyond %v", m, alarmMost)
	}
	for _, d := range []time.Duration{-1, 0, 1, 1<<63 - 1} {
		a.early(d) // any sleep has a class
	}
}
