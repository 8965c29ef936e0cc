package compare

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"linger"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// noisy is a result of strategies whose trials have noise of 3 % and now and then an
// outlier of 30 %, that in part all strategies of a trial share, and times as long as the
// factor says. Packets follow the time; connections vary in one strategy.
func noisy(r *rand.Rand, trials int, factors ...float64) Findings {
	f := Findings{Provenance: trace.Measured, Engine: "lab", Trials: trials}
	names := []string{"close", "close:6", "keep", "keep:6", "pipeline", "h2", "h3"}
	shared := make([]float64, trials)
	for i := range shared {
		shared[i] = 0.02 * r.NormFloat64()
	}
	for k, factor := range factors {
		row := Row{Strategy: names[k], Persistent: k > 1, Trials: trials}
		var times []float64
		for i := range trials {
			noise := shared[i] + 0.03*r.NormFloat64()
			if r.IntN(10) == 0 {
				noise += 0.3
			}
			ms := round(1000*factor*math.Exp(noise), 1e-3)
			times = append(times, ms)
			connections := 6.0
			if k == 3 {
				connections += float64(r.IntN(3) / 2)
			}
			s := &row.Samples
			s.Time = append(s.Time, linger.Known(ms))
			s.Connections, s.Handshakes = append(s.Connections, linger.Known(connections)), append(s.Handshakes, linger.Known(connections))
			s.Packets = append(s.Packets, linger.Known(math.Round(700+100*noise)))
			s.WireBytes = append(s.WireBytes, linger.Known(math.Round(600_000+50_000*noise)))
		}
		e, _ := stats.New(times...).Interval()
		row.Time = linger.Known(known(e))
		middle := func(list []linger.Opt[float64]) linger.Opt[float64] {
			values, _ := whole(list)
			m, _ := stats.New(values...).Median()
			return linger.Known(m)
		}
		row.Connections, row.Handshakes = middle(row.Samples.Connections), middle(row.Samples.Handshakes)
		row.Packets = linger.Known(Ways{Up: middle(row.Samples.Packets).Or(0)})
		row.WireBytes = linger.Known(Ways{Up: middle(row.Samples.WireBytes).Or(0)})
		f.Rows = append(f.Rows, row)
	}
	return f
}

// told reports whether anything of a difference is called a change.
func toldOf(d Change) bool {
	return slices.ContainsFunc(d.Rows, func(r RowChange) bool {
		return r.Differs.Or(false) || slices.ContainsFunc(r.Figures, func(f FigureChange) bool { return f.Differs.Or(false) })
	})
}

// A result that is compared with a repetition of itself has changed in no more than 5 of
// 100 cases, in any of its strategies and figures; and a change of a fifth is found.
func TestNoiseIsNoChange(t *testing.T) {
	const rounds = 1500
	same := []float64{7, 1.6, 3.4, 1, .7, .8, .7}
	for _, trials := range []int{1, 3, 5, 10} {
		r := rand.New(rand.NewPCG(1, uint64(trials)))
		n := rounds
		if trials == 10 {
			n = 60 // each deals 20 000 times
		}
		changed := 0
		for range n {
			changed += btoi(toldOf(Difference(noisy(r, trials, same...), noisy(r, trials, same...))))
		}
		rate := float64(changed) / float64(n)
		t.Logf("%2d trials: %.1f %% of %d repetitions are called a change", trials, 100*rate, n)
		// Three deviations of what is counted.
		if limit := stats.Alpha + 3*math.Sqrt(stats.Alpha*(1-stats.Alpha)/float64(n)); rate > limit {
			t.Errorf("%d trials: %.1f %% false changes; at most 5 %% are promised", trials, 100*rate)
		}
		slower := slices.Clone(same)
		slower[2] *= 1.2
		found := 0
		for range 40 {
			d := Difference(noisy(r, trials, same...), noisy(r, trials, slower...))
			found += btoi(d.Rows[2].Differs.Or(false))
			if trials < 4 && d.Rows[2].Differs.Or(false) {
				t.Fatalf("%d trials show a change; they cannot", trials)
			}
		}
		t.Logf("%2d trials: a change of 20 %% in one of 7 strategies is found in %d of 40", trials, found)
		if trials == 10 && found < 30 {
			t.Errorf("10 trials find a change of 20 %% in %d of 40", found)
		}
	}
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
				var cases []*tried
				for i, row := range noisy(r, trials, []float64{1, 1, 1, 1, 1, 1, 1}[:7]...).Rows {
					if k == 2 && i != 0 && i != 2 {
						continue
					}
					times, _ := whole(row.Samples.Time)
					c := &tried{strategy: list[i], row: row, times: stats.New(times...), provenance: trace.Measured, family: max(1, float64(k)/2)}
					c.time, c.timed = c.times.Interval()
					c.row.Protocol = c.strategy.Speaks()
					cases = append(cases, c)
				}
				v := judge(trace.Experiment{}, cases, fastest(cases))
				found, first := false, false
				for i, f := range v.Findings {
					claim := f.Severity == finding.Note && (slices.Contains(claims, f.Code) ||
						f.Code == KeepAlive && f.Cause != CauseSame)
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

// What failed counts, whatever wrote the result.
func TestADifferenceCountsFailedTrials(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	before, after := noisy(r, 5, 1, 1), noisy(r, 5, 1, 1)
	row := &after.Rows[1]
	row.Failed, row.Time, row.AtLeast = 5, linger.Opt[Time]{}, linger.Known(3000.0)
	row.Samples = Samples{Time: make([]linger.Opt[float64], 5)}
	d := Difference(before, after)
	if c := d.Rows[1]; !c.Differs.Or(false) || c.AtLeastAfter != linger.Known(3000.0) {
		t.Errorf("%+v", c)
	}
	var codes []string
	for _, f := range d.Findings {
		codes = append(codes, f.Code)
	}
	if !slices.Equal(codes, []string{TimeChanged, TimeSteady, FailedChanged}) {
		t.Errorf("%v", codes)
	}
	// One of five may fail by chance.
	after = noisy(r, 5, 1, 1)
	row = &after.Rows[1]
	row.Failed, row.Samples.Time[4] = 1, linger.Opt[float64]{}
	if d := Difference(before, after); d.Rows[1].Differs.Or(true) {
		t.Errorf("%+v", d.Rows[1])
	}
}

// Three and three trials can show no change of a time, but that a count has changed which
// is the same in each of them.
func TestWhatFewTrialsCanShow(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	before, after := noisy(r, 3, 1, 1), noisy(r, 3, 2, 1)
	after.Rows[0].Connections = linger.Known(41.0)
	for i := range after.Rows[0].Samples.Connections {
		after.Rows[0].Samples.Connections[i] = linger.Known(41.0)
	}
	d := Difference(before, after)
	if !d.Rows[0].Differs.IsZero() || d.Findings[0].Code != TimeUntold {
		t.Errorf("%+v, %v", d.Rows[0], d.Findings)
	}
	k := slices.IndexFunc(d.Rows[0].Figures, func(f FigureChange) bool { return f.Name == "connections" })
	if k < 0 || !d.Rows[0].Figures[k].Differs.Or(false) {
		t.Errorf("%+v", d.Rows[0].Figures)
	}
	if len(d.Caveats) != 1 || d.Caveats[0].Cause != CauseFewOfBoth || d.Caveats[0].Figures.Value("enough").Or(0) != 5 {
		t.Errorf("%+v", d.Caveats)
	}
}

// A change that a busy machine could explain is none.
func TestABusyMachineIsNoChange(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	before, after := noisy(r, 10, 1, 1), noisy(r, 10, 1, 2)
	before.Network.RTT, after.Network.RTT = linger.Known(28.0), linger.Known(28.0)
	if d := Difference(before, after); !d.Rows[1].Differs.Or(false) || d.Findings[0].Code != TimeChanged {
		t.Fatalf("%+v", d.Findings)
	}
	after.Caveats = []finding.Caveat{{Code: Late, Cause: CauseLate, Figures: finding.Figures{
		finding.Number("lateness_p99", 30, "ms").Whose("close:6"), finding.Number("lateness_p99", 30, "ms").Whose("close")}}}
	if d := Difference(before, after); d.Rows[1].Differs.Or(true) || !d.Rows[1].Late || d.Findings[0].Code != TimeLate {
		t.Errorf("%+v", d.Rows[1])
	}
	after.Caveats[0].Figures = after.Caveats[0].Figures[1:]
	if d := Difference(before, after); !d.Rows[1].Differs.Or(false) {
		t.Errorf("%+v", d.Rows[1])
	}
}
