package limits

import (
	"testing"
	"time"

	"linger/profile"
)

// TestSweepsShowByEndsThatComeTogether has servers end connections in a model: each
// looks every so often, and ends what has been idle for three seconds by then. What
// another connection would see has to be in the interval, wherever in a sweep it begins.
func TestSweepsShowByEndsThatComeTogether(t *testing.T) {
	t.Parallel()
	const ms, limit = time.Millisecond, 3 * time.Second
	for _, test := range []struct {
		name string
		step time.Duration // 0 is a clock of each connection's own
		n    int
		most time.Duration // that is claimed at most
	}{
		{"a clock for each", 0, 4, 0},
		{"twice a second", 500 * ms, 4, time.Second},
		{"once a second", time.Second, 4, time.Second},
		{"once a second, two watched", time.Second, 2, 3 * time.Second},
		{"every two seconds", 2 * time.Second, 4, 3150 * ms},
		{"every two seconds, two watched", 2 * time.Second, 2, 3 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			for phase := time.Duration(0); phase < max(test.step, ms); phase += 50 * ms {
				epoch := time.Unix(1000, 0)
				end := func(began time.Time) time.Time {
					due := began.Add(limit)
					if test.step == 0 {
						return due
					}
					later := due.Sub(epoch.Add(phase)) % test.step
					return due.Add((test.step - later) % test.step)
				}
				var seen []Sighting
				var idle []time.Duration
				for i := range test.n {
					began := epoch.Add(time.Hour + Begins(i, test.n))
					at := end(began).Add(time.Duration(i) * ms) // on the way
					seen = append(seen, Sighting{End: endOf(profile.FIN, at), Idle: at.Sub(began)})
					idle = append(idle, at.Sub(began))
				}
				step := Sweep(seen, ms, true)
				if step > test.most+time.Duration(test.n)*ms {
					t.Fatalf("phase %v: sweeps are said to be %v apart", phase, step)
				}
				found := profile.Timeout{State: profile.Measured, Spread: profile.SpreadOf(idle), Uncertainty: profile.Duration(5 * ms)}
				Widen(&found, step)
				low, high, _ := found.Interval()
				for began := epoch.Add(2 * time.Hour); began.Before(epoch.Add(2*time.Hour + test.step)); began = began.Add(70 * ms) {
					if d := profile.Duration(end(began).Sub(began)); d < low || d > high {
						t.Fatalf("phase %v: of %v, %v to %v is said, and another is kept for %v", phase, idle, time.Duration(low), time.Duration(high), time.Duration(d))
					}
				}
			}
		})
	}
}

func endOf(how profile.Ending, at time.Time) End { return End{How: how, At: at} }
