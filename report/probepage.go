package report

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/profile"
)

// A probeView is what the template of a probe is given.
type probeView struct {
	Style  template.CSS
	Script template.JS
	Policy string

	Title, Kicker, Lead string
	Doubts, Missing     []string
	Limits              *chart
	Figures             *table
	Legend              string
	Facets              [][2]string
	Findings            []findingView
	Asserted            *table
	Cases               *table
	Tally               string
	Origin, Command     string
}

// A findingView is a case that fails, or is warned of.
type findingView struct {
	Word, Class, Name, Standard string
	Texts                       []string
}

// ProbeHTML writes what Probe does as one page that needs nothing else, with the idle
// limits drawn. What the target says behind its path, and of a user, is left out unless
// o.Queries wants it.
func ProbeHTML(w io.Writer, p *profile.Profile, o Options) error {
	hide := redact
	if o.Queries {
		hide = func(s string) string { return s }
	}
	shown := *p
	shown.Target = hide(p.Target)
	v := probeView{
		Style: template.CSS(pageStyle), Script: template.JS(pageScript), Policy: pagePolicy(false),
		Title: clean(probeTitle(&shown)), Kicker: clean(shortTarget(shown.Target)), Lead: probeLead(p), Facets: rest(p), Tally: tally(p, true),
		Origin: probeOrigin(p, o), Command: clean(hide(o.Command)), Missing: missing(p),
	}
	for i := range v.Missing {
		v.Missing[i] = clean(v.Missing[i])
	}
	for _, d := range p.Caveats {
		v.Doubts = append(v.Doubts, clean(hide(strings.TrimSuffix(d.Text, "."))))
	}
	if c, ok := limitsChart(p); ok {
		v.Limits = &c
	}
	if t, differs := limitsTable(p); len(t.Rows) > 0 {
		v.Figures = &t
		if differs {
			v.Legend = "! is not what was observed."
		}
	}
	cases := []column{{head: [2]string{"case"}, left: true}, {head: [2]string{"standard"}, left: true}, {head: [2]string{"outcome"}, left: true}, {head: [2]string{"what was seen"}, left: true}}
	for _, outcome := range []profile.Outcome{profile.Fail, profile.Warn, profile.Pass, profile.NotMeasured} {
		for _, r := range p.Cases {
			if r.Outcome != outcome {
				continue
			}
			text := clean(hide(r.Text))
			for i, cell := range []string{r.ID, standard(r.Case), string(r.Outcome), text} {
				cases[i].cells = append(cases[i].cells, cell)
			}
			if outcome != profile.Fail && outcome != profile.Warn {
				continue
			}
			f := findingView{Word: string(outcome), Class: string(outcome), Name: r.ID, Standard: standard(r.Case) + ": a server " + r.Title + ".", Texts: []string{sentence(text)}}
			if r.Misbehaviour != "" {
				f.Texts = append(f.Texts, "linger serve --misbehave "+r.Misbehaviour+" does the same.")
			}
			v.Findings = append(v.Findings, f)
		}
	}
	if len(p.Cases) > 0 {
		t := tableOf("Every case", cases, upTo(len(p.Cases)), nil)
		v.Cases = &t
	}
	if len(p.Asserted) > 0 {
		cols := []column{{head: [2]string{"assertion"}, left: true}, {head: [2]string{"came of it"}, left: true}, {head: [2]string{"why"}, left: true}}
		for _, a := range p.Asserted {
			for i, cell := range []string{clean(a.Text), string(a.Truth), clean(hide(a.Why))} {
				cols[i].cells = append(cols[i].cells, cell)
			}
		}
		t := tableOf("Assertions", cols, upTo(len(p.Asserted)), nil)
		v.Asserted = &t
	}
	return pageHTML.ExecuteTemplate(w, "probe.html", v)
}

// probeLead is what the probe comes to in a sentence or two.
func probeLead(p *profile.Profile) string {
	var s string
	if q := mainProtocol(p); q != nil {
		switch t := q.AfterResponse; t.State {
		case profile.Measured:
			s = fmt.Sprintf("After %s without a request the server ends a connection of %s, by %s. ", t, protocolName(q.Name), t.Ending)
		case profile.AtLeast:
			s = fmt.Sprintf("A connection of %s is kept without a request for %s. ", protocolName(q.Name), t)
		default:
			s = fmt.Sprintf("For how long a connection of %s is kept was not measured. ", protocolName(q.Name))
		}
	}
	n := p.Outcomes()
	switch fails, warns := n[profile.Fail], n[profile.Warn]; {
	case len(p.Cases) == 0:
	case fails+warns == 0:
		s += "Nothing that was measured breaks a standard."
	case fails == 0:
		s += fmt.Sprintf("No case fails, with %s.", linger.Plural(warns, "warning"))
	default:
		s += fmt.Sprintf("%s failed, with %s.", linger.Plural(fails, "case"), linger.Plural(warns, "warning"))
	}
	return clean(strings.TrimSpace(s))
}

// missing says what is not known of the protocols, and why.
func missing(p *profile.Profile) []string {
	var out []string
	for _, q := range p.Protocols {
		rows := limitRows(q)
		if len(rows) == 0 && q.Why != "" {
			out = append(out, protocolName(q.Name)+": "+q.Why)
		}
		for _, r := range rows {
			if r.why != "" && r.observed == string(profile.Unknown) {
				out = append(out, protocolName(q.Name)+", "+r.name+": "+r.why)
			}
		}
	}
	if p.Parallel.State == profile.Unknown && p.Parallel.Why != "" {
		out = append(out, "connections at once: "+p.Parallel.Why)
	}
	return out
}

// limitsTable is the table of the card, all of its columns.
func limitsTable(p *profile.Profile) (t table, differs bool) {
	cols := []column{{head: [2]string{"figure"}, left: true}, {head: [2]string{"observed"}, left: true}, {head: [2]string{"ended by"}, left: true}, {head: [2]string{"announced"}, left: true}}
	var groups []string
	for _, q := range p.Protocols {
		for i, r := range limitRows(q) {
			announced := r.announced
			if r.differs {
				announced += " !"
				differs = true
			}
			for k, cell := range []string{r.name, r.observed, r.ending, announced} {
				cols[k].cells = append(cols[k].cells, cell)
			}
			group := ""
			if i == 0 {
				group = protocolName(q.Name)
			}
			groups = append(groups, group)
		}
	}
	t = tableOf("Of each protocol, observed and announced", cols, upTo(len(groups)), func(row int, r *tableRow) { r.Group = groups[row] })
	return t, differs
}

// limitsChart draws the limits of time of each protocol, with what is announced.
func limitsChart(p *profile.Profile) (chart, bool) {
	c := chart{ID: "idle", W: drawn, Label: "Idle limits by protocol: observed, with what is not sure, and announced."}
	const names, tail, step = 180, 220, 30
	s := scale{from: names, to: drawn - tail}
	type drawnRow struct {
		limitRow
		protocol string
	}
	var rows []drawnRow
	for _, q := range p.Protocols {
		for _, r := range limitRows(q) {
			known := r.limit.State == profile.Measured || r.limit.State == profile.AtLeast
			if !known && r.said.IsZero() {
				continue
			}
			rows = append(rows, drawnRow{r, protocolName(q.Name)})
			s.end = max(s.end, linger.Instant(r.limit.High+r.limit.Uncertainty), linger.Instant(r.limit.Low), linger.Instant(r.said.Or(0)))
		}
	}
	if len(rows) == 0 || s.end <= 0 {
		return c, false
	}
	s.end += s.end / 20
	cols := []column{{head: [2]string{"protocol"}, left: true}, {head: [2]string{"limit"}, left: true}, {head: [2]string{"state"}, left: true}, {head: [2]string{"observed, s"}}, {head: [2]string{"from, s"}}, {head: [2]string{"to, s"}}, {head: [2]string{"announced, s"}}, {head: [2]string{"ended by"}, left: true}}
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
		c.Marks = append(c.Marks, label("name", "", 12, mid+4, r.name))
		at := func(d profile.Duration) px { return s.at(linger.Instant(d)) }
		inS := func(d profile.Duration) string { return fmt.Sprintf("%.3f", time.Duration(d).Seconds()) }
		cells := []string{r.protocol, r.name, string(cmp.Or(r.limit.State, profile.Unknown)), unknown, unknown, unknown, unknown, cmp.Or(r.ending, unknown)}
		text := ""
		switch t := r.limit; t.State {
		case profile.Measured:
			low, high := min(t.Low, t.Median-t.Uncertainty), max(t.High, t.Median+t.Uncertainty)
			body = append(body, rule("reach", s.from, mid, at(t.Median), mid), rect("interval", id, at(low), mid-5, max(3, at(high)-at(low)), 10), rect("median", id, at(t.Median)-1.25, mid-9, 2.5, 18))
			cells[3], cells[4], cells[5] = inS(t.Median), inS(low), inS(high)
			text = t.String()
		case profile.AtLeast:
			x := at(t.Low)
			body = append(body, rule("reach", s.from, mid, x, mid), mark{Shape: "path", Class: "arrow", Row: id, Path: fmt.Sprintf("M%v %vL%v %vL%v %v", x-6, mid-6, x, mid, x-6, mid+6)})
			cells[4] = inS(t.Low)
			text = t.String()
		default:
			text = string(profile.Unknown)
		}
		if d, ok := r.said.Get(); ok {
			body = append(body, mark{Shape: "circle", Class: "dot best", Row: id, X: at(d), Y: mid, W: 5})
			cells[6] = inS(d)
			text += "; says " + d.String()
			if r.differs {
				text += " !"
			}
		}
		body = append(body, label("value", "", s.to+14, mid+4, text))
		for k, cell := range cells {
			cols[k].cells = append(cols[k].cells, cell)
		}
		cols[0].ids = append(cols[0].ids, id)
		y += step
	}
	c.Marks = append(append(c.Marks, s.axis("", 20, y+4)...), body...)
	c.H = y + 24
	if slices.ContainsFunc(rows, func(r drawnRow) bool { return r.differs }) {
		c.Notes = append(c.Notes, "! is not what was observed.")
	}
	c.Data = []table{tableOf("Idle limits", cols, upTo(len(rows)), nil)}
	return c, true
}
