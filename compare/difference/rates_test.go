package difference

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// noisy is a result of strategies whose trials have noise of 3 % and now and then an
// outlier of 30 %, that in part all strategies of a trial share, and times as long as the
// factor says. Packets follow the time; connections vary in one strategy.
func noisy(r *rand.Rand, trials int, factors ...float64) compare.Findings {
	f := compare.Findings{Provenance: trace.Measured, Engine: "lab", Trials: trials}
	names := []string{"close", "close:6", "keep", "keep:6", "pipeline", "h2", "h3"}
	shared := make([]float64, trials)
	for i := range shared {
		shared[i] = 0.02 * r.NormFloat64()
	}
	for k, factor := range factors {
		row := compare.Row{Strategy: names[k], Persistent: k > 1, Trials: trials}
		var took []float64
		for i := range trials {
			noise := shared[i] + 0.03*r.NormFloat64()
			if r.IntN(10) == 0 {
				noise += 0.3
			}
			ms := stats.Round(1000*factor*math.Exp(noise), 1e-3)
			took = append(took, ms)
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
		e, _ := stats.New(took...).Interval()
		row.Time = linger.Known(times.TimeOf(e))
		middle := func(list []linger.Opt[float64]) linger.Opt[float64] {
			values, _ := whole(list)
			m, _ := stats.New(values...).Median()
			return linger.Known(m)
		}
		row.Connections, row.Handshakes = middle(row.Samples.Connections), middle(row.Samples.Handshakes)
		row.Packets = linger.Known(facts.Directions{Up: middle(row.Samples.Packets).Or(0)})
		row.WireBytes = linger.Known(facts.Directions{Up: middle(row.Samples.WireBytes).Or(0)})
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
			if toldOf(Of(noisy(r, trials, same...), noisy(r, trials, same...))) {
				changed++
			}
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
			d := Of(noisy(r, trials, same...), noisy(r, trials, slower...))
			if d.Rows[2].Differs.Or(false) {
				found++
			}
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

// What failed counts, whatever wrote the result.
func TestADifferenceCountsFailedTrials(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	before, after := noisy(r, 5, 1, 1), noisy(r, 5, 1, 1)
	row := &after.Rows[1]
	row.Failed, row.Time, row.AtLeast = 5, linger.Opt[times.Time]{}, linger.Known(3000.0)
	row.Samples = compare.Samples{Time: make([]linger.Opt[float64], 5)}
	d := Of(before, after)
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
	if d := Of(before, after); d.Rows[1].Differs.Or(true) {
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
	d := Of(before, after)
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
	if d := Of(before, after); !d.Rows[1].Differs.Or(false) || d.Findings[0].Code != TimeChanged {
		t.Fatalf("%+v", d.Findings)
	}
	after.Caveats = []finding.Caveat{{Code: compare.Late, Cause: compare.CauseLate, Figures: finding.Figures{
		finding.Number("lateness_p99", 30, "ms").Whose("close:6"), finding.Number("lateness_p99", 30, "ms").Whose("close")}}}
	if d := Of(before, after); d.Rows[1].Differs.Or(true) || !d.Rows[1].Late || d.Findings[0].Code != TimeLate {
		t.Errorf("%+v", d.Rows[1])
	}
	after.Caveats[0].Figures = after.Caveats[0].Figures[1:]
	if d := Of(before, after); !d.Rows[1].Differs.Or(false) {
		t.Errorf("%+v", d.Rows[1])
	}
}
