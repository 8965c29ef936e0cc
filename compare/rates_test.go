package compare

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"linger"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// noisyTimes are those of strategies that all take as long, with noise of 3 % and now and then
// an outlier of 30 %, that in part all strategies of a trial share.
func noisyTimes(r *rand.Rand, trials, strategies int) [][]float64 {
	shared := make([]float64, trials)
	for i := range shared {
		shared[i] = 0.02 * r.NormFloat64()
	}
	out := make([][]float64, strategies)
	for k := range out {
		for i := range trials {
			noise := shared[i] + 0.03*r.NormFloat64()
			if r.IntN(10) == 0 {
				noise += 0.3
			}
			out[k] = append(out[k], stats.Round(1000*math.Exp(noise), 1e-3))
		}
	}
	return out
}

// A verdict on strategies that all take as long names no difference in more than 5 of 100
// cases.
func TestNoiseHasNoWinner(t *testing.T) {
	claims := []string{
		Fastest, KeptCosts, KeptSaves, ManyCosts, ManySaves, Serialized, OptionSaves, OptionCosts, VersionFaster, VersionSlower,
	}
	list, err := linger.ParseStrategies("close,close:6,keep,keep:6,pipeline,h2,h3")
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 3000
	for _, trials := range []int{3, 5, 10} {
		for _, k := range []int{2, 7} {
			r := rand.New(rand.NewPCG(2, uint64(trials)))
			led, any := 0, 0
			for range rounds {
				var cases []*measured
				for i, took := range noisyTimes(r, trials, len(list)) {
					if k == 2 && i != 0 && i != 2 {
						continue
					}
					c := &measured{Timed: times.TimedOf(list[i], stats.New(took...), trace.Measured, 0)}
					c.row = Row{Strategy: list[i].Name, Persistent: list[i].Persistent, Trials: trials, Time: c.Time(), Protocol: list[i].Speaks()}
					cases = append(cases, c)
				}
				times.Together(timesOf(cases))
				v := judge(trace.Setup{}, cases, false)
				found, first := false, false
				for i, f := range v.Findings {
					claim := f.Severity == finding.Note && (slices.Contains(claims, f.Code) ||
						f.Code == KeepAlive && f.Cause != times.Unchanged)
					found, first = found || claim, first || claim && i < 2
				}
				led, any = led+btoi(first), any+btoi(found)
			}
			rate := float64(led) / rounds
			t.Logf("%2d trials of %d strategies: %.1f %% of the headlines, %.1f %% of the verdicts name a difference that is none", trials, k, 100*rate, 100*float64(any)/rounds)
			if limit := stats.Alpha + 3*math.Sqrt(stats.Alpha*(1-stats.Alpha)/rounds); rate > limit || float64(any)/rounds > limit {
				t.Errorf("%d trials of %d strategies: %d headlines and %d verdicts of %d are wrong", trials, k, led, any, rounds)
			}
		}
	}
}
