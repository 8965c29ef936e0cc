package report

import (
	"fmt"
	"strings"

	"linger"
	"linger/finding"
	"linger/profile"
	"linger/report/table"
)

// SurveyTitle counts the servers of a list, and what became of them.
func SurveyTitle(s []profile.Probed) string {
	violating, missing := 0, 0
	for _, one := range s {
		switch {
		case one.Profile == nil:
			missing++
		case one.Profile.Outcomes()[profile.Fail] > 0:
			violating++
		}
	}
	text := linger.Plural(len(s)-missing, "server") + " probed"
	if missing > 0 {
		text += fmt.Sprintf(", %d not", missing)
	}
	switch violating {
	case 0:
		return text + ". None was seen to violate a standard."
	case 1:
		return text + ". 1 violates a standard."
	}
	return text + fmt.Sprintf(". %d violate a standard.", violating)
}

// Servers has a row for each of the first so many servers; of what they call themselves the name
// of the product.
func Servers(s []profile.Probed, most int) table.Table {
	t := serverRows(s[:min(most, len(s))], func(p *profile.Profile) table.Cell {
		name, _ := profile.Product(p.Software)
		return table.Given(table.Short(name, 16))
	}, 28)
	if more := len(s) - most; more > 0 {
		t.More = "and " + linger.Plural(more, "server") + " more (--wide)"
	}
	return t
}

// AllServers has a row for each server, with all that it calls itself, and numbers by which rows
// can be sorted.
func AllServers(s []profile.Probed) table.Table {
	t := serverRows(s, func(p *profile.Profile) table.Cell { return table.Given(table.Short(p.Software, 80)) }, 80)
	t.Caption = "Servers"
	return t
}

// serverRows is such a table, with so many letters of a name.
func serverRows(s []profile.Probed, software func(*profile.Profile) table.Cell, letters int) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "server", Align: table.Left}, {Head: "software", Align: table.Left, Spare: 1, Short: 10}, {Head: "protocols", Align: table.Left, Spare: 4},
		{Head: "idle timeout"}, {Head: "announced", Spare: 6}, {Head: EndedBy, Align: table.Left, Spare: 3}, {Head: "max requests", Spare: 2}, {Head: "fails"}, {Head: "warns", Spare: 5},
	}}
	for _, one := range s {
		name := table.Word(table.Short(ShortTarget(one.Target), letters))
		if one.Profile == nil {
			row := t.Add(name, table.Word("not probed"))
			for len(row.Cells) < len(t.Columns) {
				row.Cells = append(row.Cells, table.Unknown())
			}
			continue
		}
		idle, announced, ending, requests := table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown()
		if q := one.Profile.Main(); q != nil {
			idle = briefly(q.AfterResponse)
			idle.Value = q.AfterResponse.IdleMS()
			if d, ok := q.Announced.Timeout.Get(); ok {
				keeps, told := q.AfterResponse.Keeps(d)
				announced = table.Number(float64(d)/1e6, finding.Lasting)
				announced.Flagged = told && !keeps
			}
			if e := q.AfterResponse.Ending; e != "" {
				ending = table.Word(table.Short(string(e), 17))
			}
			switch n, ok := q.Requests.Most().Get(); {
			case ok && q.Requests.State == profile.AtLeast:
				requests = table.Number(n, func(n float64) string { return "≥ " + whole(n) })
			case ok:
				requests = table.Number(n, whole)
			}
		}
		speaks := table.Unknown()
		if protocols := SpokenBy(one.Profile); protocols != "" {
			speaks = table.Word(strings.ReplaceAll(protocols, string(linger.HTTP11), linger.HTTP11.Short()))
		}
		n := one.Profile.Outcomes()
		fails := table.Int(n[profile.Fail])
		if n[profile.Fail] > 0 {
			fails.Style = table.Bad
		}
		t.Add(name, software(one.Profile), speaks, idle, announced, ending, requests, fails, table.Int(n[profile.Warn]))
	}
	return t
}

// NotSaid stands where a server does not say what it is.
const NotSaid = "not said"

// Softwares has a row for each software of a survey, with what its servers' limits come to.
func Softwares(s []profile.Probed) table.Table {
	t := table.Table{Caption: "Servers by software", Columns: []table.Column{
		{Head: "software", Align: table.Left}, {Head: "servers"}, {Head: "versions"}, {Head: "idle timeout"}, {Head: "median"}, {Head: "max requests"}, {Head: "median"}, {Head: "violate a standard"},
	}}
	for _, one := range profile.BySoftware(s) {
		name := table.Word(table.Short(one.Name, 40))
		if one.Name == "" {
			name = table.Word(NotSaid)
		}
		t.Add(name, table.Int(one.Servers), table.Known(linger.Known(float64(one.Versions)), whole),
			ranged(one.Idle, finding.Lasting), median(one.Idle, finding.Lasting), ranged(one.Requests, whole), median(one.Requests, whole), table.Int(one.Violating))
	}
	return t
}

// ranged is the least and the greatest of a limit, where bounds are "at least".
func ranged(r profile.Range, write func(float64) string) table.Cell {
	if r.N == 0 {
		return table.Unknown()
	}
	low, high := write(r.Low), write(r.High)
	text := low + " to " + high
	if low == high {
		text = low
	}
	switch r.Bounds {
	case 0:
	case r.N:
		text = "≥ " + text
	default:
		text += fmt.Sprintf(" (%d at least)", r.Bounds)
	}
	c := table.Word(text)
	c.Value = linger.Known(r.Low)
	return c
}

// median is the median of a limit, with bounds what it is at least.
func median(r profile.Range, write func(float64) string) table.Cell {
	if r.N == 0 {
		return table.Unknown()
	}
	return table.Number(r.Median, func(v float64) string {
		if r.Bounds > 0 {
			return "≥ " + write(v)
		}
		return write(v)
	})
}

// SpokenBy names the protocols that the server speaks, as ALPN does.
func SpokenBy(p *profile.Profile) string {
	var names []string
	for _, q := range p.Protocols {
		if q.Offered {
			names = append(names, string(q.Name))
		}
	}
	return strings.Join(names, " ")
}

// ShortTarget is what tells servers of a list apart: scheme and path only where they are
// not the usual ones.
func ShortTarget(target string) string {
	s := strings.TrimPrefix(target, "https://")
	return strings.TrimSuffix(s, "/")
}

// briefly tells a limit in a few columns.
func briefly(t profile.Timeout) table.Cell {
	if s := t.Brief(); s != "" {
		return table.Word(s)
	}
	return table.Unknown()
}
