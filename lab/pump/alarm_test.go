package pump

import (
	"math/rand/v2"
	"testing"
	"time"

	"linger"
)

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
