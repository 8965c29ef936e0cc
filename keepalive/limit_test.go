package keepalive

import (
	"testing"
	"time"

	"linger"
	"linger/profile"
)

// A limit is a number with how far off it may be; a lower bound has no number, one that there is
// not is a word, and of what is not known there is nothing.
func TestLimitsAsFigures(t *testing.T) {
	d := profile.Duration(5 * time.Second)
	for name, x := range map[string]struct {
		limit     Limit
		value     linger.Opt[float64]
		low, high linger.Opt[float64]
		text      string
	}{
		"measured":    {Limit{Source: FromProbe, Value: d, Uncertainty: profile.Duration(2 * time.Millisecond)}, linger.Known(5000.0), linger.Known(4998.0), linger.Known(5002.0), ""},
		"told":        {Limit{Source: FromUser, Value: d}, linger.Known(5000.0), linger.Opt[float64]{}, linger.Opt[float64]{}, ""},
		"waited for":  {Limit{Source: FromWait, Value: d}, linger.Opt[float64]{}, linger.Known(5000.0), linger.Opt[float64]{}, ""},
		"none":        {Limit{Source: FromDefault, Endless: true}, linger.Opt[float64]{}, linger.Opt[float64]{}, linger.Opt[float64]{}, "endless"},
		"not known":   {Limit{Source: FromNowhere, Note: "refused"}, linger.Opt[float64]{}, linger.Opt[float64]{}, linger.Opt[float64]{}, ""},
		"not told of": {},
	} {
		f := x.limit.figure("pool")
		i, _ := f.Interval.Get()
		if f.Name != "pool" || f.Value != x.value || i.Low != x.low || i.High != x.high || f.Text != x.text {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
