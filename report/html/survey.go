package html

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"linger"
	"linger/assert"
	"linger/profile"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
)

// A surveyView is what the template of a survey is given.
type surveyView struct {
	frame
	first

	Software   draw.Table
	Servers    draw.Table
	Violations *draw.Table
	Missing    *draw.Table
	Asserted   *draw.Table
	Details    []serverView
	// Untold is how many servers have no part of their own, as there are so many.
	Untold  int
	Machine [][2]string
}

// A serverView is a server with its limits and what it breaks.
type serverView struct {
	ID, Name string
	Facts    []string
	Limits   []string
	Findings []findingView
}

// mostDetails is of how many servers the limits of each protocol stand in a page, which has some
// 2 kB for each of them, and 0.5 kB for each other.
const mostDetails = 1000

// Survey writes what became of a list of servers as one page that needs nothing else: by
// software, a row a server, and the limits of each. What targets say behind their paths, and of
// users, is left out unless o.Queries wants it.
func Survey(w io.Writer, list []profile.Probed, o Options) error {
	hide := redact
	if o.Queries {
		hide = func(s string) string { return s }
	}
	shown := slices.Clone(list)
	for i := range shown {
		shown[i].Target, shown[i].Failed = hide(shown[i].Target), hide(shown[i].Failed)
	}
	title := report.SurveyTitle(shown)
	v := surveyView{
		frame: newFrame(title, surveyed(list), hide(o.Command)), first: first{Lead: title, Sub: surveyed(list), Tiles: surveyTiles(list)},
		Software: draw.TableOf(report.Softwares(shown)),
	}
	v.Policy = pagePolicy(false)
	v.Software.Filters(report.NotSaid)
	servers := report.AllServers(shown)
	v.Servers = draw.TableOf(servers)
	v.Servers.Sortable(servers)
	for i, one := range shown {
		v.Servers.Rows[i].ID = fmt.Sprintf("row-%d", i)
		if one.Profile == nil {
			continue
		}
		if len(v.Details) == mostDetails {
			v.Untold++
			continue
		}
		part := serverOf(i, one, hide)
		v.Servers.Rows[i].Cells[0].Link = "#" + part.ID
		v.Details = append(v.Details, part)
		if len(v.Machine) == 0 {
			v.Machine = machineOf(one.Profile.Machine, one.Profile.Linger)
		}
	}
	v.Violations, v.Missing, v.Asserted = violations(shown), missing(shown), brokenOn(shown, hide)
	v.to(true, "servers", "Servers")
	v.to(v.Violations != nil, "violations", "Standards violations")
	v.to(len(v.Details) > 0, "details", "Details")
	v.to(v.Missing != nil, "missing", "Not probed")
	return pageHTML().ExecuteTemplate(w, "survey.html", v)
}

// surveyed says what was done, and when the first server was probed.
func surveyed(list []profile.Probed) string {
	s := "Measured from outside, a list of " + linger.Plural(len(list), "server")
	for _, one := range list {
		if p := one.Profile; p != nil && !p.Started.IsZero() {
			return s + " · " + p.Started.UTC().Format("2 Jan 2006")
		}
	}
	return s
}

// surveyTiles are how many servers there are of what is worth knowing of all.
func surveyTiles(list []profile.Probed) []tile {
	probed, violating, short, announced, wrong := 0, 0, 0, 0, 0
	for _, one := range list {
		p := one.Profile
		if p == nil {
			continue
		}
		probed++
		if p.Outcomes()[profile.Fail] > 0 {
			violating++
		}
		q := p.Main()
		if q == nil {
			continue
		}
		if q.AfterResponse.State == profile.Measured && q.AfterResponse.IdleMS().Or(0) < 10_000 {
			short++
		}
		if d, ok := q.Announced.Timeout.Get(); ok {
			announced++
			if keeps, told := q.AfterResponse.Keeps(d); told && !keeps {
				wrong++
			}
		}
	}
	of := func(n int) string { return fmt.Sprintf("%d of %d", n, probed) }
	return []tile{
		{of(violating), "servers violate a standard"}, {of(short), "close connections that were idle for less than 10 s"},
		{of(announced), "announce an idle timeout"}, {fmt.Sprintf("%d of %d", wrong, announced), "of these close before it has passed"},
	}
}

// serverOf is the part of one server.
func serverOf(i int, one profile.Probed, hide func(string) string) serverView {
	p := one.Profile
	part := serverView{ID: fmt.Sprintf("server-%d", i), Name: table.Clean(one.Target)}
	known := *p
	known.Target = one.Target
	part.Facts = []string{table.Clean(report.ProbeTitle(&known))}
	for _, q := range p.Protocols {
		var said []string
		for _, r := range report.LimitRows(q) {
			text := r.Name + " " + r.Observed
			if r.Ending != "" {
				text += " (" + r.Ending + ")"
			}
			if r.Announced != "" {
				text += ", announced " + r.Announced
			}
			if r.Differs {
				text += " !"
			}
			said = append(said, text)
		}
		if len(said) > 0 {
			part.Limits = append(part.Limits, table.Clean(hide(q.Name.Title()+": "+strings.Join(said, "; "))))
		}
	}
	for _, r := range p.Cases {
		if r.Outcome != profile.Fail && r.Outcome != profile.Warn {
			continue
		}
		part.Findings = append(part.Findings, findingView{
			Word: string(r.Outcome), Class: string(r.Outcome), Name: r.ID, Standard: report.Standard(r.Case),
			Texts: []string{report.Sentence(table.Short(hide(r.Text), 300))},
		})
	}
	return part
}

// violations are the cases that servers fail, with the first of those that do.
func violations(list []profile.Probed) *draw.Table {
	const named = 5
	t := table.Table{Caption: "Cases that servers fail", Columns: []table.Column{{Head: "case", Align: table.Left}, {Head: "standard", Align: table.Left}, {Head: "servers"}, {Head: "which", Align: table.Left}}}
	for _, v := range profile.Violations(list) {
		var names []string
		for _, i := range v.Servers[:min(named, len(v.Servers))] {
			names = append(names, table.Short(report.ShortTarget(list[i].Target), 40))
		}
		if more := len(v.Servers) - named; more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		t.Add(table.Word(v.ID), table.Word(report.Standard(v.Case)), table.Int(len(v.Servers)), table.Word(strings.Join(names, ", ")))
	}
	return drawn(t)
}

// missing are the lines that could not be probed.
func missing(list []profile.Probed) *draw.Table {
	t := table.Table{Caption: "Not probed", Columns: []table.Column{{Head: "line"}, {Head: "server", Align: table.Left}, {Head: "why", Align: table.Left}}}
	for _, one := range list {
		if one.Failed != "" {
			t.Add(table.Int(one.Line), table.Word(table.Short(one.Target, 80)), table.Word(table.Short(one.Failed, 300)))
		}
	}
	return drawn(t)
}

// brokenOn are the assertions that do not hold, or are not known, with their servers.
func brokenOn(list []profile.Probed, hide func(string) string) *draw.Table {
	t := table.Table{Caption: "Assertions that failed", Columns: []table.Column{{Head: "server", Align: table.Left}, {Head: "assertion", Align: table.Left}, {Head: "why", Align: table.Left}}}
	for _, one := range list {
		if one.Profile == nil {
			continue
		}
		for _, a := range one.Profile.Asserted {
			if a.Truth != assert.Holds {
				t.Add(table.Word(table.Short(report.ShortTarget(one.Target), 80)), table.Word(a.Text), table.Word(hide(report.BrokenBy(a))))
			}
		}
	}
	return drawn(t)
}

// drawn is a table that has rows.
func drawn(t table.Table) *draw.Table {
	if len(t.Rows) == 0 {
		return nil
	}
	v := draw.TableOf(t)
	return &v
}
