package report

import (
	"math"
	"strings"
	"testing"

	"linger"
	"linger/compare"
	"linger/compare/times"
	"linger/trace"
)

func TestTitleTellsOfUnusualQueues(t *testing.T) {
	k := linger.Known[float64]
	for want, q := range map[string]compare.Room{
		"lte: 70 ms RTT, 12 Mbit/s, no loss":                                   {Up: k(100), Down: k(100)},
		"lte: 70 ms RTT, 12 Mbit/s, no loss, queues of 20 ms":                  {Up: k(20), Down: k(20)},
		"lte: 70 ms RTT, 12 Mbit/s, no loss, queues of 2 s":                    {Up: k(2000), Down: k(1999.999)},
		"lte: 70 ms RTT, 12 Mbit/s, no loss, queues of 7.84 s down, 100 ms up": {Down: k(7836.735)},
	} {
		f := compare.Findings{Network: compare.Network{Name: "lte", RTT: k(70), Down: k(12_000), Up: k(12_000), Queue: q}}
		if got := Title(f); !strings.HasSuffix(got, want) {
			t.Errorf("%q; want it to end in %q", got, want)
		}
	}
}

func TestProvenanceSaysWhatRan(t *testing.T) {
	for _, test := range []struct {
		ran  []int
		want string
	}{
		{[]int{5, 5}, "5 trials each"}, {[]int{3, 3}, "3 of 5 trials each"}, {[]int{0, 2}, "0 to 2 of 5 trials each"}, {nil, "5 trials each"},
	} {
		f := compare.Findings{Trials: 5}
		for _, n := range test.ran {
			f.Rows = append(f.Rows, compare.Row{Trials: n})
		}
		if got := ran(f); got != test.want {
			t.Errorf("%v: %q; want %q", test.ran, got, test.want)
		}
	}
}

// What is shown of the steps adds up to what lies between the two ends, as they are shown.
func TestStepsAddUpAsShown(t *testing.T) {
	for _, x := range []struct {
		saves []float64
		want  string
	}{
		{[]float64{5810, 1130, 2520, 210, 240}, "−5.8 s −1.1 s −2.5 s −0.2 s −0.3 s"},
		{[]float64{40, 40, 40, 9000}, "−0.1 s −9.0 s"},
		{[]float64{9000, -640, 20}, "−9.0 s +0.6 s"},
	} {
		f := compare.Findings{Provenance: trace.Predicted, Rows: []compare.Row{{Strategy: "close", Time: linger.Known(times.Time{Median: 10_560})}}}
		sum := 0.0
		for _, ms := range x.saves {
			sum += ms
			f.Verdict.Steps = append(f.Verdict.Steps, compare.Step{From: "close", To: "keep", Saves: ms})
		}
		var got []string
		shown := 0.0
		for _, s := range Steps(f) {
			got = append(got, s.Shown)
			shown -= s.Change
		}
		if s := strings.Join(got, " "); s != x.want || math.Abs(shown-math.Round(sum/100)*100) > 1e-6 {
			t.Errorf("%v: %s, in all %v; want %s", x.saves, s, shown, x.want)
		}
	}
}
