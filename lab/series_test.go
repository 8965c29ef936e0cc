package lab

import (
	"testing"
	"time"

	"linger/trace"
)

// A series has samples as far apart as it says, whatever the counts' own rhythm, however late they
// are and however long it goes on.
func TestSeriesKeepsItsDistance(t *testing.T) {
	for _, tt := range []struct {
		name        string
		count, keep time.Duration
		counts      int
		every       time.Duration
		least, most int
	}{
		{"each count", 100 * time.Millisecond, 100 * time.Millisecond, 600, 100 * time.Millisecond, 595, 600},
		{"each fifth", 20 * time.Millisecond, 100 * time.Millisecond, 3000, 100 * time.Millisecond, 595, 601},
		{"too many", 100 * time.Millisecond, 100 * time.Millisecond, 36_000, 1600 * time.Millisecond, 2230, 2251},
		{"none", 20 * time.Millisecond, 0, 100, 0, 0, 0},
	} {
		var s series
		s.Every = tt.keep
		began := time.Unix(0, 0)
		for i := range tt.counts {
			// A count is up to 3 ms late.
			at := began.Add(time.Duration(i)*tt.count + time.Duration(i*i%4)*time.Millisecond)
			s.add(at, []trace.Held{{Sockets: i}})
		}
		got := s.copy()
		if got.Every != tt.every || len(got.Samples) < tt.least || len(got.Samples) > tt.most {
			t.Errorf("%s: %d samples every %v, want %d to %d every %v", tt.name, len(got.Samples), got.Every, tt.least, tt.most, tt.every)
		}
		for i := 1; i < len(got.Samples); i++ {
			if apart := got.Samples[i].At.Sub(got.Samples[i-1].At); apart < got.Every*3/4 || apart > got.Every*5/4+tt.count {
				t.Errorf("%s: samples %d and the one before are %v apart", tt.name, i, apart)
				break
			}
		}
	}
}
