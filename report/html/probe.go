package html

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"linger"
	"linger/assert"
	"linger/profile"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// A probeView is what the template of a probe is given.
type probeView struct {
	Style  template.CSS
	Script template.JS
	Policy string

	Title, Kicker, Lead string
	Doubts, Missing     []string
	Limits              *chart
	Figures             *tableView
	Legend              string
	Facets              [][2]string
	Findings            []findingView
	Asserted            *tableView
	Cases               *tableView
	Tally               string
	Origin, Command     string
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
		Style: template.CSS(pageStyle), Script: template.JS(pageScript), Policy: pagePolicy(false),
		Title: table.Clean(report.ProbeTitle(&shown)), Kicker: table.Clean(report.ShortTarget(shown.Target)), Lead: report.ProbeLead(p), Facets: report.ServerFacts(p), Tally: report.Tally(p),
		Origin: report.ProbeOrigin(p, o.Version), Command: table.Clean(hide(o.Command)), Missing: report.Missing(p),
	}
	for i := range v.Missing {
		v.Missing[i] = table.Clean(v.Missing[i])
	}
	for _, d := range p.Caveats {
		v.Doubts = append(v.Doubts, table.Clean(hide(words.Caveat(d))))
	}
	if c, ok := limitsChart(p); ok {
		v.Limits = &c
	}
	if t, differs := report.IdleLimits(p); len(t.Rows) > 0 {
		drawn := tableOf(t)
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
		drawn := tableOf(cases)
		v.Cases = &drawn
	}
	v.Asserted = asserted(p.Asserted, hide)
	return pageHTML().ExecuteTemplate(w, "probe.html", v)
}

// asserted is the table of what became of assertions, nil where there were none.
func asserted(results []assert.Result, hide func(string) string) *tableView {
	if len(results) == 0 {
		return nil
	}
	t := table.Table{Caption: "Assertions", Columns: []table.Column{{Head: "assertion", Align: table.Left}, {Head: "came of it", Align: table.Left}, {Head: "why", Align: table.Left}}}
	for _, a := range results {
		t.Add(table.Word(a.Text), table.Word(string(a.Truth)), table.Word(hide(a.Why)))
	}
	drawn := tableOf(t)
	return &drawn
}

// limitsChart draws the limits of time of each protocol, with what is announced.
func limitsChart(p *profile.Profile) (chart, bool) {
	c := chart{ID: "idle", W: drawn, Label: "Idle limits by protocol: observed, with what is not sure, and announced."}
	const names, tail, step = 180, 220, 30
	s := scale{from: names, to: drawn - tail}
	type drawnRow struct {
		report.LimitRow
		protocol string
	}
	var rows []drawnRow
	for _, q := range p.Protocols {
		for _, r := range report.LimitRows(q) {
			known := r.Limit.State == profile.Measured || r.Limit.State == profile.AtLeast
			if !known && r.Said.IsZero() {
				continue
			}
			rows = append(rows, drawnRow{r, report.ProtocolName(q.Name)})
			s.end = max(s.end, linger.Instant(r.Limit.High+r.Limit.Uncertainty), linger.Instant(r.Limit.Low), linger.Instant(r.Said.Or(0)))
		}
	}
	if len(rows) == 0 || s.end <= 0 {
		return c, false
	}
	s.end += s.end / 20
	data := table.Table{Caption: "Idle limits", Columns: []table.Column{
		{Head: "protocol", Align: table.Left}, {Head: "limit", Align: table.Left}, {Head: "state", Align: table.Left}, {Head: "observed, s", Unit: "s"}, {Head: "from, s", Unit: "s"}, {Head: "to, s", Unit: "s"}, {Head: "announced, s", Unit: "s"}, {Head: report.EndedBy, Align: table.Left},
	}}
	var body []mark
	y := px(0)
	for i, r := range rows {
		if i == 0 || rows[i-1].protocol != r.protocol {
			if i > 0 {
				y += 8
			}
			c.Marks = append(c.Marks, label("kind", "", 0, y+12, r.protocol))
			y += 20
		}
		id, mid := fmt.Sprintf("idle-%d", i), y+step/2
		c.Marks = append(c.Marks, label("name", "", 12, mid+4, r.Name))
		at := func(d profile.Duration) px { return s.at(linger.Instant(d)) }
		inS := func(d profile.Duration) table.Cell {
			return table.Number(time.Duration(d).Seconds(), func(s float64) string { return fmt.Sprintf("%.3f", s) })
		}
		observed, from, to, announced := table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown()
		text := ""
		switch t := r.Limit; t.State {
		case profile.Measured:
			low, high, _ := t.Interval()
			body = append(body, rule("reach", s.from, mid, at(t.Median), mid), rect("interval", id, at(low), mid-5, max(3, at(high)-at(low)), 10), rect("median", id, at(t.Median)-1.25, mid-9, 2.5, 18))
			observed, from, to = inS(t.Median), inS(low), inS(high)
			text = t.String()
		case profile.AtLeast:
			x := at(t.Low)
			body = append(body, rule("reach", s.from, mid, x, mid), mark{Shape: "path", Class: "arrow", Row: id, Path: fmt.Sprintf("M%v %vL%v %vL%v %v", x-6, mid-6, x, mid, x-6, mid+6)})
			from = inS(t.Low)
			text = t.String()
		default:
			text = string(profile.Unknown)
		}
		if d, ok := r.Said.Get(); ok {
			body = append(body, mark{Shape: "circle", Class: "dot best", Row: id, X: at(d), Y: mid, W: 5})
			announced = inS(d)
			text += "; says " + d.String()
			if r.Differs {
				text += " !"
			}
		}
		body = append(body, label("value", "", s.to+14, mid+4, text))
		data.Add(table.Word(r.protocol), table.Word(r.Name), table.Word(string(cmp.Or(r.Limit.State, profile.Unknown))), observed, from, to, announced, table.Given(r.Ending)).ID = id
		y += step
	}
	c.Marks = append(append(c.Marks, s.axis("", 20, y+4)...), body...)
	c.H = y + 24
	if slices.ContainsFunc(rows, func(r drawnRow) bool { return r.Differs }) {
		c.Notes = append(c.Notes, "! is not what was observed.")
	}
	c.Data = []tableView{tableOf(data)}
	return c, true
}
