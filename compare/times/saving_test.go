package times

import (
	"strings"
	"testing"

	"linger"
	"linger/internal/textbook"
)

// What keep-alive saves is of pairs that differ in nothing else.
func TestOnlyKept(t *testing.T) {
	for _, x := range []struct {
		list string
		want string // pairs
	}{
		{"close,close:6,keep,keep:6,pipeline,h2,h3", "close/keep close:6/keep:6"},
		{"close,keep:6,h2", ""},
		{"close:2,keep:2,keep:6", "close:2/keep:2"},
		{"close+resume,keep,keep+resume", "close+resume/keep+resume"},
		{"close+1.0,keep+1.0,keep", "close+1.0/keep+1.0"},
		// A connection for each query has all of them at once.
		{"tcp,tcp+keep,tcp+pipeline", "tcp/tcp+pipeline"},
		{"tcp:1,tcp+keep", "tcp:1/tcp+keep"},
		{"udp,doh,doh+keep,doq,doq+keep", "doh/doh+keep doq/doq+keep"},
	} {
		strategies := textbook.Strategies(x.list)
		var got []string
		for _, c := range strategies {
			for _, k := range strategies {
				if OnlyKept(c, k) {
					got = append(got, c.Name+"/"+k.Name)
				}
			}
		}
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%s: %q; want %q", x.list, s, x.want)
		}
	}
}

// When both medians lie within their intervals, so do the difference and the share.
func TestSaving(t *testing.T) {
	closed, kept := measured("close", around(200)), measured("keep", around(100))
	Together([]*Timed{closed, kept})
	s := SavingOf(closed, kept)
	if s.Without != "close" || s.With != "keep" || s.Parallel != linger.Known(1) || s.Outcome() != Saves || s.P.IsZero() {
		t.Errorf("%+v", s)
	}
	if want := (Amount{Value: 100, Low: linger.Known(96.0), High: linger.Known(104.0), Confidence: linger.Known(0.878906)}); s.Time != want {
		t.Errorf("%+v, want %+v", s.Time, want)
	}
	if want := (Amount{Value: 0.5, Low: linger.Known(0.4848), High: linger.Known(0.5149), Confidence: linger.Known(0.878906)}); s.Share != want {
		t.Errorf("%+v, want %+v", s.Share, want)
	}
	if back := SavingOf(kept, closed); back.Outcome() != Costs || back.Share.Value != -1 {
		t.Errorf("%+v", back)
	}
	if s := SavingOf(measured("close", around(100)), measured("keep", around(100))); s.Outcome() != Unchanged {
		t.Errorf("%+v", s)
	}
	// One trial each shows nothing and has no interval.
	if s := SavingOf(measured("close", []float64{200}), measured("keep", []float64{100})); s.Outcome() != Untested || !s.Time.Low.IsZero() || s.Share.Value != 0.5 {
		t.Errorf("%+v", s)
	}
	// Trials that failed leave the interval open.
	if s := SavingOf(measured("close", around(200)[:4], 5), measured("keep", around(100))); !s.Time.Low.IsZero() {
		t.Errorf("%+v", s)
	}
	// Nothing of a prediction is left to chance.
	if s := SavingOf(predicted("close", 0, 200), predicted("keep", 0, 150)); !s.P.IsZero() || !s.Significant || s.Time != (Amount{Value: 50}) {
		t.Errorf("%+v", s)
	}
	// What differs in how much is under way together names no number.
	if s := SavingOf(measured("close:6", around(200)), measured("keep", around(100))); !s.Parallel.IsZero() {
		t.Errorf("%+v", s)
	}
}
