package html

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"linger"
	"linger/assert"
	"linger/profile"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/words"
)

// A probeView is what the template of a probe is given.
type probeView struct {
	frame
	first

	Missing  []string
	Limits   *draw.Chart
	Figures  *draw.Table
	Legend   string
	Facets   [][2]string
	Machine  [][2]string
	Findings []findingView
	Asserted *draw.Table
	Cases    *draw.Table
	Tally    string
	Origin   string
}

// A findingView is a case that fails, or is warned of.
type findingView struct {
	Word, Class, Name, Standard string
	Texts                       []string
}

// Probe writes a profile as one page that needs nothing else, with the idle
// limits drawn. What the target says behind its path, and of a user, is left out unless
// o.Queries wants it.
func Probe(w io.Writer, p *profile.Profile, o Options) error {
	hide := redact
	if o.Queries {
		hide = func(s string) string { return s }
	}
	shown := *p
	shown.Target = hide(p.Target)
	v := probeView{
		Facets: report.ServerFacts(p), Tally: report.Tally(p), Machine: machineOf(p.Machine, cmp.Or(p.Linger, o.Version)),
		Origin: report.ProbeOrigin(p, o.Version), Missing: hideAll(report.Missing(p), func(s string) string { return s }),
	}
	v.Sub = report.ProbeTitle(&shown)
	if !p.Started.IsZero() {
		v.Sub += " · " + p.Started.UTC().Format("2 Jan 2006")
	}
	v.Sub = table.Clean(v.Sub)
	v.Lead, v.Broken = report.ProbeLead(p), unmet(p.Asserted, hide)
	if len(v.Broken) > 0 { // what fails is what the reader came for
		v.Lead, v.Also, v.Broken = "Assertion fails: "+v.Broken[0], v.Lead, v.Broken[1:]
	}
	v.frame = newFrame(v.Lead+" – "+report.ShortTarget(shown.Target), v.Sub, hide(o.Command))
	v.Policy = pagePolicy(false)
	for _, d := range p.Caveats {
		v.Caveats = append(v.Caveats, table.Clean(hide(words.Caveat(d))))
	}
	v.Caveat = firstOf(v.Caveats)
	if c, ok := limitsChart(p); ok {
		v.Limits = &c
	}
	if t, differs := report.IdleLimits(p); len(t.Rows) > 0 {
		drawn := draw.TableOf(t)
		v.Figures = &drawn
		if differs {
			v.Legend = "! is not what was observed."
		}
	}
	cases := table.Table{Caption: "Every case", Columns: []table.Column{{Head: "case", Align: table.Left}, {Head: "standard", Align: table.Left}, {Head: "outcome", Align: table.Left}, {Head: "what was seen", Align: table.Left}}}
	for _, outcome := range []profile.Outcome{profile.Fail, profile.Warn, profile.Pass, profile.NotMeasured} {
		for _, r := range p.Cases {
			if r.Outcome != outcome {
				continue
			}
			text := table.Clean(hide(r.Text))
			cases.Add(table.Word(r.ID), table.Word(report.Standard(r.Case)), table.Word(string(r.Outcome)), table.Word(text))
			if outcome != profile.Fail && outcome != profile.Warn {
				continue
			}
			f := findingView{Word: string(outcome), Class: string(outcome), Name: r.ID, Standard: report.Standard(r.Case) + ": a server " + r.Title + ".", Texts: []string{report.Sentence(text)}}
			if r.Misbehaviour != "" {
				f.Texts = append(f.Texts, "To reproduce: linger serve --misbehave "+r.Misbehaviour)
			}
			v.Findings = append(v.Findings, f)
		}
	}
	if len(p.Cases) > 0 {
		drawn := draw.TableOf(cases)
		v.Cases = &drawn
	}
	v.Asserted = asserted(p.Asserted, hide)
	v.Tiles = probeTiles(p)
	v.to(v.Figures != nil, "figures", "All figures")
	v.to(len(v.Findings) > 0, "findings", "Standards violations")
	v.to(v.Cases != nil, "cases", "Cases")
	return pageHTML().ExecuteTemplate(w, "probe.html", v)
}

// asserted is the table of what became of assertions, nil where there were none.
func asserted(results []assert.Result, hide func(string) string) *draw.Table {
	if len(results) == 0 {
		return nil
	}
	t := table.Table{Caption: "Assertions", Columns: []table.Column{{Head: "assertion", Align: table.Left}, {Head: "outcome", Align: table.Left}, {Head: "why", Align: table.Left}}}
	for _, a := range results {
		t.Add(table.Word(a.Text), table.Word(string(a.Truth)), table.Word(hide(a.Why)))
	}
	drawn := draw.TableOf(t)
	return &drawn
}

// probeTiles are the limits of a server that its clients live with, and how it stands to the
// standards.
func probeTiles(p *profile.Profile) (out []tile) {
	for _, q := range p.Protocols {
		if t := q.AfterResponse; t.State == profile.Measured || t.State == profile.AtLeast {
			out = append(out, tile{t.String(), "idle limit, " + q.Name.Title()})
		}
	}
	out = out[:min(len(out), mostTiles-1)]
	if len(p.Cases) > 0 {
		count := map[profile.Outcome]int{}
		for _, c := range p.Cases {
			count[c.Outcome]++
		}
		what := "standards violations"
		if count[profile.Fail] == 1 {
			what = "standards violation"
		}
		out = append(out, tile{fmt.Sprint(count[profile.Fail]), what + " in " + linger.Plural(count[profile.Fail]+count[profile.Warn]+count[profile.Pass], "case")})
	}
	return out
}

// limitsChart draws the limits of time of each protocol, with what is announced.
func limitsChart(p *profile.Profile) (draw.Chart, bool) {
	c := draw.Chart{ID: "idle", Label: "Idle limits by protocol: observed, with what is not sure, and announced."}
	type drawnRow struct {
		report.LimitRow
		protocol string
	}
	var s draw.Scale
	var rows []drawnRow
	for _, q := range p.Protocols {
		for _, r := range report.LimitRows(q) {
			known := r.Limit.State == profile.Measured || r.Limit.State == profile.AtLeast
			if !known && r.Said.IsZero() {
				continue
			}
			rows = append(rows, drawnRow{r, q.Name.Title()})
			s.End = max(s.End, linger.Instant(r.Limit.High+r.Limit.Uncertainty), linger.Instant(r.Limit.Low), linger.Instant(r.Said.Or(0)))
		}
	}
	if len(rows) == 0 || s.End <= 0 {
		return c, false
	}
	s.End += s.End / 20
	data := table.Table{Caption: "Idle limits", Columns: []table.Column{
		{Head: "protocol", Align: table.Left}, {Head: "limit", Align: table.Left}, {Head: "state", Align: table.Left}, {Head: "observed, s", Unit: "s"}, {Head: "from, s", Unit: "s"}, {Head: "to, s", Unit: "s"}, {Head: "announced, s", Unit: "s"}, {Head: report.EndedBy, Align: table.Left},
	}}
	const middle = 12
	place := func(d profile.Duration) draw.PC { return s.At(linger.Instant(d)) }
	inS := func(d profile.Duration) table.Cell {
		return table.Number(time.Duration(d).Seconds(), func(s float64) string { return fmt.Sprintf("%.3f", s) })
	}
	for i, r := range rows {
		id := fmt.Sprintf("idle-%d", i)
		out := draw.Row{Name: r.Name, Value: string(profile.Unknown), Strip: draw.Strip{H: 24}}
		if i == 0 || rows[i-1].protocol != r.protocol {
			out.Group = r.protocol
		}
		observed, from, to, announced := table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown()
		switch t := r.Limit; t.State {
		case profile.Measured:
			low, high, _ := t.Interval()
			out.Strip.Marks = append(out.Strip.Marks, draw.Rect("on", id, 0, place(t.Median), 6, 12), draw.Rule("whisker halo", place(low), middle, place(high), middle), draw.Rule("whisker", place(low), middle, place(high), middle))
			observed, from, to = inS(t.Median), inS(low), inS(high)
			out.Value = t.String()
		case profile.AtLeast:
			out.Strip.Marks = append(out.Strip.Marks, draw.Rect("on open", id, 0, place(t.Low), 6, 12), draw.At(place(t.Low), draw.Mark{Shape: "path", Class: "onward", Row: id, Path: "M0 6L7 12L0 18Z"}))
			from = inS(t.Low)
			out.Value = t.String()
		}
		if d, ok := r.Said.Get(); ok {
			out.Strip.Marks = append(out.Strip.Marks, draw.Mark{Shape: "circle", Class: "said", Row: id, X: place(d), Y: middle, W: draw.PX(5)})
			announced = inS(d)
			out.Aside = "announced " + d.String()
			if r.Differs {
				out.Aside += " !"
				out.Class = "differs"
			}
		}
		c.Rows = append(c.Rows, out)
		data.Add(table.Word(r.protocol), table.Word(r.Name), table.Word(string(cmp.Or(r.Limit.State, profile.Unknown))), observed, from, to, announced, table.Given(r.Ending)).ID = id
	}
	c.Axis = s.Below()
	if slices.ContainsFunc(rows, func(r drawnRow) bool { return r.Differs }) {
		c.Notes = append(c.Notes, "! is not what was observed.")
	}
	c.Data = []draw.Table{draw.TableOf(data)}
	return c, true
}
