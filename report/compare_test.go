package report

import (
	"strings"
	"testing"

	"linger"
	"linger/compare"
)

func TestTitleTellsOfUnusualQueues(t *testing.T) {
	k := linger.Known[float64]
	for want, q := range map[string]compare.Room{
		"(70 ms, 12 Mbit/s each way)":                                   {Up: k(100), Down: k(100)},
		"(70 ms, 12 Mbit/s each way, queues of 20 ms)":                  {Up: k(20), Down: k(20)},
		"(70 ms, 12 Mbit/s each way, queues of 2 s)":                    {Up: k(2000), Down: k(1999.999)},
		"(70 ms, 12 Mbit/s each way, queues of 7.84 s down, 100 ms up)": {Down: k(7836.735)},
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
		{[]int{5, 5}, "5 trials"}, {[]int{3, 3}, "3 of 5 trials"}, {[]int{0, 2}, "0 to 2 of 5 trials"}, {nil, "5 trials"},
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
