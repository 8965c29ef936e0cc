package compare

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"linger/compare/times"
	"linger/internal/textbook"
	"linger/stats"
	"linger/trace"
)

// The way from the slowest strategy to the fastest leads over those that were tried.
func TestStepsLeadOverWhatWasTried(t *testing.T) {
	for _, x := range []struct {
		list, times string // ms
		want        string
	}{
		{"close,close:6,keep,keep:6,pipeline,h2,h3", "9000 2000 3000 1000 800 790 600", "close>keep:keep_alive keep>keep:6:queueing keep:6>h2:multiplexing h2>h3:quic"},
		{"close,keep:6,h3", "9000 1000 600", "close>keep:6:several keep:6>h3:several"},
		{"close,close:6,keep:6,h3", "9000 2000 1000 600", "close>close:6:queueing close:6>keep:6:keep_alive keep:6>h3:several"},
		{"close,h3", "9000 600", "close>h3:several"},
		{"close,keep,pipeline", "9000 3000 700", "close>keep:keep_alive keep>pipeline:queueing"},
		{"close,close:6,keep", "9000 2000 3000", "close>close:6:queueing"},
		{"close:6,keep", "2000 3000", "keep>close:6:several"},
		{"close:6,keep,keep:6", "2000 3000 2500", "keep>keep:6:queueing keep:6>close:6:keep_alive"},
		{"keep,keep:6,h2", "3000 1000 1200", "keep>keep:6:queueing"},
		{"keep:6,h2,h3", "1000 1500 1600", "h3>keep:6:protocol"},
		{"h2,h3", "1500 1000", "h2>h3:quic"},
		{"close,close+resume,keep", "900 700 800", "close>close+resume:setup"},
		{"h3,h3+0rtt", "900 700", "h3>h3+0rtt:setup"},
		{"tcp,tcp+keep,tcp+pipeline,udp", "150 900 140 70", "tcp+keep>tcp+pipeline:queueing tcp+pipeline>udp:protocol"},
		{"doh,doh+keep,doq+keep", "300 220 150", "doh>doh+keep:keep_alive doh+keep>doq+keep:protocol"},
		{"udp,doh", "70 300", "doh>udp:protocol"},
		{"keep", "70", ""},
		{"keep,h2", "70 70", ""},
	} {
		strategies := textbook.Strategies(x.list)
		var cases []*measured
		for i, ms := range strings.Fields(x.times) {
			took := stats.New(number(t, ms))
			cases = append(cases, &measured{Timed: times.TimedOf(strategies[i], took, trace.Predicted, 0), row: Row{Strategy: strategies[i].Name}})
		}
		best := fastest(cases)
		var got []string
		sum := 0.0
		for _, s := range steps(cases, best, false) {
			got = append(got, s.From+">"+s.To+":"+s.Cause)
			sum += s.Saves
		}
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%s: %q; want %q", x.list, s, x.want)
		}
		slowest := slices.MaxFunc(cases, func(a, b *measured) int { return int(a.Median.Value - b.Median.Value) })
		if math.Abs(sum-(slowest.Median.Value-best.Median.Value)) > 1e-6 {
			t.Errorf("%s: the steps come to %v", x.list, sum)
		}
	}
}

// What keeping saves is parted where one thing happens after the other; a response of one
// segment has no slow start.
func TestStepsPartWhatKeepingSaves(t *testing.T) {
	for name, want := range map[string]string{
		"a pair that is not the best": "handshakes slow_start hosts queueing", "the parts add up": "handshakes slow_start hosts queueing",
		"no slow start in a segment": "handshakes other queueing",
		"parallel pairs":             "queueing keep_alive",
	} {
		var got []string
		for _, s := range Compare(textbook.Verdicts[name]()).Verdict.Steps {
			got = append(got, s.Cause)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s; want %s", name, s, want)
		}
	}
}

// Whatever is compared, the steps come to what lies between the slowest and the fastest.
func TestStepsAddUp(t *testing.T) {
	for name, input := range textbook.Examples {
		f := Compare(input())
		least, most := math.Inf(1), 0.0
		for _, r := range f.Rows {
			if t, ok := r.Time.Get(); ok {
				least, most = min(least, t.Median), max(most, t.Median)
			}
		}
		sum := 0.0
		for _, s := range f.Verdict.Steps {
			sum += s.Saves
		}
		if len(f.Verdict.Steps) > 0 && math.Abs(sum-(most-least)) > 1e-6 {
			t.Errorf("%s: the steps come to %v, not %v", name, sum, most-least)
		}
	}
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
