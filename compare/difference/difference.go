// Package difference says what changed from one result to another: [Of] holds two documents of
// linger compare against each other, row by row, with one test for all figures together. [Gaps]
// says how far predictions are from measurements of the same strategies.
package difference

import (
	"math"
	"slices"
	"strconv"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// Format names the document of a Change, and the version of its form.
const Format = "linger difference 3"

// Change is what differs between two findings: the JSON of linger compare BEFORE AFTER.
type Change struct {
	Workload compare.Workload `json:"workload"` // of the later one
	Network  compare.Network  `json:"network"`
	// Provenance is that of both, empty where they differ.
	Provenance trace.Provenance `json:"provenance,omitempty"`

	// Tests is how many figures of all rows were tested together for a change.
	Tests    int               `json:"tests"`
	Rows     []RowChange       `json:"rows"` // as in the later one, and then those that are gone
	Findings []finding.Finding `json:"findings"`
	Caveats  []finding.Caveat  `json:"caveats"`
}

// RowChange is what became of one strategy.
type RowChange struct {
	Strategy   string `json:"strategy"`
	Persistent bool   `json:"persistent"`
	// Gone and New say that only the earlier or only the later one has the row.
	Gone bool `json:"gone,omitempty"`
	New  bool `json:"new,omitempty"`
	// Before and After are the times, each as it was found.
	Before linger.Opt[times.Time] `json:"before_ms,omitzero"`
	After  linger.Opt[times.Time] `json:"after_ms,omitzero"`
	// Time is how much longer it takes now, in ms; less than nothing is shorter. Share
	// is the same as a share of the time before.
	Time  linger.Opt[float64] `json:"time_ms,omitzero"`
	Share linger.Opt[float64] `json:"share,omitzero"`
	// AtLeastBefore and AtLeastAfter are Row.AtLeast: of times that are not known since
	// trials failed.
	AtLeastBefore linger.Opt[float64] `json:"before_at_least_ms,omitzero"`
	AtLeastAfter  linger.Opt[float64] `json:"after_at_least_ms,omitzero"`
	// Differs says whether that is a change: whether P, how likely any of the figures that
	// are tested together (Change.Tests) is as far apart if nothing has changed, is less
	// than stats.Alpha. Both are unknown where the trials are too few to show any change,
	// and P where nothing is left to chance.
	Differs linger.Opt[bool]    `json:"differs,omitzero"`
	P       linger.Opt[float64] `json:"p,omitzero"`
	// Late says that the times are further apart than noise allows for, but the link's
	// lateness in one of the two could explain all of it, so that nothing differs for sure.
	Late bool `json:"late,omitempty"`
	// Figures are the others that are not what they were, by their names in the JSON.
	Figures []FigureChange `json:"figures"`
}

// FigureChange is a figure that is not what it was. What is unknown is absent. Differs and
// P are as in RowChange; P is unknown of a count that was the same in every trial before,
// and another in every trial after, which differs.
type FigureChange struct {
	Name    string              `json:"figure"`
	Before  linger.Opt[float64] `json:"before,omitzero"`
	After   linger.Opt[float64] `json:"after,omitzero"`
	Differs linger.Opt[bool]    `json:"differs,omitzero"`
	P       linger.Opt[float64] `json:"p,omitzero"`
}

// figures are those that a difference looks at, besides the time.
var figures = []struct {
	name string
	of   func(compare.Row) linger.Opt[float64]
}{
	{"failed", func(r compare.Row) linger.Opt[float64] { return linger.Known(float64(r.Failed)) }},
	{"connections", func(r compare.Row) linger.Opt[float64] { return r.Connections }},
	{"handshakes", func(r compare.Row) linger.Opt[float64] { return r.Handshakes }},
	{"resumed", func(r compare.Row) linger.Opt[float64] { return r.Resumed }},
	{"setup_round_trips", func(r compare.Row) linger.Opt[float64] { return r.SetupRoundTrips }},
	{"round_trips", func(r compare.Row) linger.Opt[float64] { return r.RoundTrips }},
	{"requests_per_connection", func(r compare.Row) linger.Opt[float64] { return r.RequestsPerConnection }},
	{"requests_unanswered", func(r compare.Row) linger.Opt[float64] { return r.RequestsUnanswered }},
	{"packets", func(r compare.Row) linger.Opt[float64] { return facts.Both(r.Packets) }},
	{"wire_bytes", func(r compare.Row) linger.Opt[float64] { return facts.Both(r.WireBytes) }},
	{"retransmitted", func(r compare.Row) linger.Opt[float64] { return r.Retransmitted }},
	{"retries", func(r compare.Row) linger.Opt[float64] { return r.Retries }},
	{"sockets.client_peak", func(r compare.Row) linger.Opt[float64] { return r.Sockets.ClientPeak }},
	{"sockets.server_peak", func(r compare.Row) linger.Opt[float64] { return r.Sockets.ServerPeak }},
	{"sockets.time_wait", func(r compare.Row) linger.Opt[float64] { return r.Sockets.TimeWait }},
	{"resident_memory_bytes.server_peak", func(r compare.Row) linger.Opt[float64] { return r.Resident.ServerPeak }},
	{"cpu_ms.client", func(r compare.Row) linger.Opt[float64] { return r.CPU.Client }},
	{"cpu_ms.server", func(r compare.Row) linger.Opt[float64] { return r.CPU.Server }},
}

// Of returns what has changed from one result to another.
func Of(before, after compare.Findings) Change {
	d := Change{Workload: after.Workload, Network: after.Network, Findings: []finding.Finding{}, Caveats: []finding.Caveat{}}
	old := map[string]compare.Row{}
	for _, r := range before.Rows {
		old[r.Strategy] = r
	}
	if before.Provenance == after.Provenance {
		d.Provenance = after.Provenance
	}
	var tests family
	for _, r := range after.Rows {
		was, ok := old[r.Strategy]
		delete(old, r.Strategy)
		if !ok {
			d.Rows = append(d.Rows, RowChange{Strategy: r.Strategy, Persistent: r.Persistent, New: true, After: r.Time, Figures: []FigureChange{}})
			continue
		}
		d.Rows = append(d.Rows, changeOf(was, r))
		if d.Provenance != trace.Predicted || !predictedExactly(was) || !predictedExactly(r) {
			tests.add(len(d.Rows)-1, was, r)
		} else {
			d.Rows[len(d.Rows)-1].certain()
		}
	}
	d.Tests = tests.decide(d.Rows)
	for i := range d.Rows {
		if r := &d.Rows[i]; r.Differs.Or(false) && explained(*r, before, after) {
			r.late()
		}
	}
	for _, r := range before.Rows {
		if _, gone := old[r.Strategy]; gone {
			d.Rows = append(d.Rows, RowChange{Strategy: r.Strategy, Persistent: r.Persistent, Gone: true, Before: r.Time, Figures: []FigureChange{}})
		}
	}
	d.unlike(before, after)
	d.few(tests, before.Trials, after.Trials)
	d.find(before.Provenance, after.Provenance)
	return d
}

func changeOf(was, is compare.Row) RowChange {
	c := RowChange{
		Strategy: is.Strategy, Persistent: is.Persistent, Before: was.Time, After: is.Time, Figures: []FigureChange{},
		AtLeastBefore: was.AtLeast, AtLeastAfter: is.AtLeast,
	}
	for _, f := range figures {
		if a, b := f.of(was), f.of(is); a != b {
			c.Figures = append(c.Figures, FigureChange{Name: f.name, Before: a, After: b})
		}
	}
	a, ok := was.Time.Get()
	b, ok2 := is.Time.Get()
	if !ok || !ok2 {
		return c
	}
	c.Time = linger.Known(stats.Round(b.Median-a.Median, 1e-3))
	if a.Median > 0 {
		c.Share = linger.Known(stats.Round((b.Median-a.Median)/a.Median, 1e-4))
	}
	return c
}

// predictedExactly reports whether a predicted row is the same in each trial.
func predictedExactly(r compare.Row) bool {
	t, ok := r.Time.Get()
	return ok && r.Failed == 0 && t.Low == t.High
}

// certain decides a row in which nothing is left to chance.
func (c *RowChange) certain() {
	c.Differs = linger.Known(c.Time.Or(0) != 0)
	for i := range c.Figures {
		c.Figures[i].Differs = linger.Known(true)
	}
}

// A family is the tests of a difference, which stand together.
type family struct {
	groups map[[2]int]*group // by trials before and after
	// loose are the tests of rows without samples, one a row: of results that were written
	// before there were any.
	loose []loose
}

// A group is the tests of figures with as many trials.
type group struct {
	before, after [][]float64
	of            []tested
}

// tested is where a figure stands: its row, and its name, empty for the time.
type tested struct {
	row    int
	figure string
}

// loose is the test of a row that has no samples: how likely the intervals of two equal
// times are as far apart.
type loose struct {
	row   int
	p     float64
	known bool // the intervals allow for a test
}

// add adds the tests of a row.
func (f *family) add(row int, was, is compare.Row) {
	if was.Samples.IsZero() || is.Samples.IsZero() {
		p, ok := intervalsApart(was, is)
		f.loose = append(f.loose, loose{row, p, ok})
		return
	}
	size := [2]int{len(was.Samples.Time), len(is.Samples.Time)}
	if f.groups == nil {
		f.groups = map[[2]int]*group{}
	}
	if f.groups[size] == nil {
		f.groups[size] = &group{}
	}
	g := f.groups[size]
	put := func(figure string, before, after []float64) {
		g.before, g.after, g.of = append(g.before, before), append(g.after, after), append(g.of, tested{row, figure})
	}
	times := func(r compare.Row) (out, failed []float64) {
		for _, v := range r.Samples.Time {
			out = append(out, v.Or(math.Inf(1)))
			lost := 0.0
			if v.IsZero() {
				lost = 1
			}
			failed = append(failed, lost)
		}
		return out, failed
	}
	before, lostBefore := times(was)
	after, lostAfter := times(is)
	put("", before, after)
	if was.Failed+is.Failed > 0 {
		put("failed", lostBefore, lostAfter)
	}
	for _, one := range []struct {
		name string
		of   func(compare.Samples) []linger.Opt[float64]
	}{
		{"connections", func(s compare.Samples) []linger.Opt[float64] { return s.Connections }},
		{"handshakes", func(s compare.Samples) []linger.Opt[float64] { return s.Handshakes }},
		{"packets", func(s compare.Samples) []linger.Opt[float64] { return s.Packets }},
		{"wire_bytes", func(s compare.Samples) []linger.Opt[float64] { return s.WireBytes }},
	} {
		before, ok := whole(one.of(was.Samples))
		after, ok2 := whole(one.of(is.Samples))
		if ok && ok2 {
			put(one.name, before, after)
		}
	}
}

// whole returns the values where all are known.
func whole(list []linger.Opt[float64]) (out []float64, ok bool) {
	for _, v := range list {
		x, ok := v.Get()
		if !ok {
			return nil, false
		}
		out = append(out, x)
	}
	return out, len(out) > 0
}

// intervalsApart returns how likely the intervals of two equal times are as far apart: 1
// where they meet. One of at most five trials reaches from the least to the greatest, so
// that all of one side are less than all of the other; of the intervals of more one at
// least has missed the median. It is false where a time has none.
func intervalsApart(was, is compare.Row) (p float64, ok bool) {
	a, _ := was.Time.Get()
	b, _ := is.Time.Get()
	aLow, ok := a.Low.Get()
	aHigh, ok2 := a.High.Get()
	bLow, ok3 := b.Low.Get()
	bHigh, ok4 := b.High.Get()
	n, m := was.Trials-was.Failed, is.Trials-is.Failed
	const fromEndToEnd = 5
	switch {
	case !ok || !ok2 || !ok3 || !ok4 || n < 2 || m < 2 || was.Failed+is.Failed > 0:
		return 1, false
	case aHigh >= bLow && bHigh >= aLow:
		return 1, true
	case n <= fromEndToEnd && m <= fromEndToEnd:
		return stats.LeastP(n, m), true
	}
	return min(1, 2-a.Confidence.Or(0)-b.Confidence.Or(0)), true
}

// parts is among how many the chance of a false change is shared out: the groups, and the
// rows without samples.
func (f *family) parts() float64 { return float64(len(f.groups) + len(f.loose)) }

// explained reports whether the link's lateness, as a caveat of either result has it, could
// explain all that a row's times differ by: as in caveats, with as many round trips as the
// time has room for where they are not known.
func explained(c RowChange, results ...compare.Findings) bool {
	for _, f := range results {
		rtt := f.Network.RTT.Or(0)
		for _, caveat := range f.Caveats {
			if caveat.Code != compare.Late || caveat.Cause != compare.CauseLate || rtt <= 0 {
				continue
			}
			for _, p99 := range caveat.Figures.All("lateness_p99") {
				for _, r := range f.Rows {
					if r.Strategy != c.Strategy || p99.Of != c.Strategy {
						continue
					}
					trips := r.RoundTrips.Or(r.Time.Or(times.Time{}).Median / rtt)
					if p99.Value.Or(0)*2*max(1, trips) >= math.Abs(c.Time.Or(math.Inf(1))) {
						return true
					}
				}
			}
		}
	}
	return false
}

// late takes back what a busy machine may have done.
func (c *RowChange) late() {
	c.Late, c.Differs = true, linger.Known(false)
	for i := range c.Figures {
		if f := &c.Figures[i]; !slices.Contains(structural, f.Name) && f.Name != "failed" && !f.Differs.IsZero() {
			f.Differs = linger.Known(false)
		}
	}
}

// structural are the counts that the client and the server decide, and not how long
// anything takes.
var structural = []string{"connections", "handshakes"}

// decide tests all, writes what came of it into the rows, and returns how many tests there
// were.
func (f *family) decide(rows []RowChange) int {
	tests := 0
	told := func(p float64, possible bool) (o linger.Opt[bool], adjusted linger.Opt[float64]) {
		if !possible {
			return o, adjusted
		}
		p = min(1, p*f.parts())
		return linger.Known(p < stats.Alpha), linger.Known(stats.Round(p, 1e-6))
	}
	for _, l := range f.loose {
		tests++
		rows[l.row].Differs, rows[l.row].P = told(l.p, l.known)
	}
	for size, g := range f.groups {
		tests += len(g.of)
		possible := stats.LeastP(size[0], size[1])*f.parts() < stats.Alpha
		var p []float64
		if possible {
			p = stats.Together(g.before, g.after)
		} else {
			p = make([]float64, len(g.of))
		}
		for i, at := range g.of {
			differs, likely := told(p[i], possible)
			r := &rows[at.row]
			if at.figure == "" {
				r.Differs, r.P = differs, likely
				continue
			}
			k := slices.IndexFunc(r.Figures, func(c FigureChange) bool { return c.Name == at.figure })
			if k < 0 {
				continue
			}
			if slices.Contains(structural, at.figure) && steadily(g.before[i]) && steadily(g.after[i]) && g.before[i][0] != g.after[i][0] {
				differs, likely = linger.Known(true), linger.Opt[float64]{}
			}
			r.Figures[k].Differs, r.Figures[k].P = differs, likely
		}
	}
	return tests
}

// leastSteady is of how many trials on each side a count that never varies is taken for one
// that does not: of counts that do, three and three show a change that is none in 1 of 32
// pairs at most, which is less than stats.Alpha.
const leastSteady = 3

// steadily reports whether enough trials show one value only.
func steadily(values []float64) bool {
	return len(values) >= leastSteady && slices.Min(values) == slices.Max(values)
}

// few says that the trials are too few to show any change, and how many would do.
func (d *Change) few(f family, before, after int) {
	most := 0 // trials
	for size := range f.groups {
		if stats.LeastP(size[0], size[1])*f.parts() >= stats.Alpha {
			most = max(most, size[0], size[1])
		}
	}
	if most == 0 {
		return
	}
	d.Caveats = append(d.Caveats, finding.Caveat{Code: compare.Trials, Cause: CauseFewOfBoth, Figures: finding.Figures{
		finding.Counted("trials", before).Whose(Before), finding.Counted("trials", after).Whose(After), finding.Counted("enough", times.Enough(f.parts()))}})
}

// unlike says where the two were not made in the same way.
func (d *Change) unlike(before, after compare.Findings) {
	differ := func(code, cause string, differs bool, of func(compare.Findings) finding.Figures) {
		if !differs {
			return
		}
		c := finding.Caveat{Code: code, Cause: cause}
		for i, figures := range []finding.Figures{of(before), of(after)} {
			for _, f := range figures {
				c.Figures = append(c.Figures, f.Whose([]string{Before, After}[i]))
			}
		}
		d.Caveats = append(d.Caveats, c)
	}
	differ(OtherEngine, "", before.Provenance != after.Provenance || before.Provenance != "" && before.Engine != after.Engine, func(f compare.Findings) finding.Figures {
		return finding.Figures{finding.Word("provenance", string(f.Provenance)), finding.Word("engine", f.Engine)}
	})
	w, v := before.Workload, after.Workload
	differ(OtherScenario, CauseWorkload, w.Name != v.Name, func(f compare.Findings) finding.Figures {
		return finding.Figures{finding.Word("workload", f.Workload.Name)}
	})
	differ(OtherScenario, CauseContent, w != v && w.Name == v.Name, func(f compare.Findings) finding.Figures {
		return finding.Figures{
			finding.Word("workload", f.Workload.Name), finding.Counted("exchanges", f.Workload.Exchanges),
			finding.Number("bytes", float64(f.Workload.Bytes), "bytes"), finding.Word("scheme", f.Workload.Scheme),
		}
	})
	differ(OtherScenario, CauseNetwork, before.Network != after.Network, func(f compare.Findings) finding.Figures { return f.Network.Figures() })
	differ(OtherScenario, CauseSeed, before.Seed != after.Seed, func(f compare.Findings) finding.Figures {
		return finding.Figures{finding.Word("seed", strconv.FormatUint(f.Seed, 10))} // as a number it may lose digits
	})
	differ(OtherTrials, CauseOther, before.Trials != after.Trials, func(f compare.Findings) finding.Figures {
		return finding.Figures{finding.Counted("trials", f.Trials)}
	})
}

// Whose a figure of a difference is.
const (
	Before = "before"
	After  = "after"
)

// find tells which times have changed.
func (d *Change) find(before, after trace.Provenance) {
	about := func(code string, r RowChange, figures ...finding.Figure) {
		d.Findings = append(d.Findings, finding.Finding{Code: code, Severity: finding.Note, Subject: finding.Subject{Kind: "strategy", Name: r.Strategy}, Figures: figures})
	}
	rest := map[string][]RowChange{}
	for _, r := range d.Rows {
		a, b := timeOf(r.Before, r.AtLeastBefore, before).Whose(Before), timeOf(r.After, r.AtLeastAfter, after).Whose(After)
		ok, ok2 := !r.Before.IsZero(), !r.After.IsZero()
		differs, told := r.Differs.Get()
		code := ""
		switch {
		case r.New:
			code = RowNew
		case r.Gone:
			code = RowGone
		case told && differs && (ok || ok2):
			about(TimeChanged, r, a, b)
			continue
		case r.Late:
			code = TimeLate
		case !ok || !ok2:
			code = TimeMissing
		case !told:
			code = TimeUntold
		default:
			code = TimeSteady
		}
		rest[code] = append(rest[code], r)
	}
	for _, code := range []string{TimeLate, TimeSteady, TimeUntold, TimeMissing, RowGone, RowNew} {
		for _, r := range rest[code] {
			about(code, r)
		}
	}
	for _, r := range d.Rows {
		for _, f := range r.Figures {
			if f.Name == "failed" && !r.New && !r.Gone {
				lost := finding.Figure{Name: "failed", Value: f.Before}.Whose(Before)
				about(FailedChanged, r, lost, finding.Figure{Name: "failed", Value: f.After}.Whose(After), finding.Figure{Name: "p", Value: f.P})
				if !f.Differs.Or(false) {
					d.Findings[len(d.Findings)-1].Severity = finding.Unknown
				}
			}
		}
	}
}

// timeOf is a time as findings have it, or what it is at least.
func timeOf(t linger.Opt[times.Time], least linger.Opt[float64], p trace.Provenance) finding.Figure {
	if t, ok := t.Get(); ok {
		return t.Figure(p)
	}
	f := finding.Figure{Name: "time", Unit: "ms"}
	if !least.IsZero() {
		f.Interval = linger.Known(finding.Interval{Low: least})
	}
	return f
}
