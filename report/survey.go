package report

import (
	"fmt"
	"strings"

	"linger"
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

// Servers has a row for each of the first so many servers.
func Servers(s []profile.Probed, most int) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "server", Align: table.Left}, {Head: "protocols", Align: table.Left, Spare: 3}, {Head: "idle timeout"}, {Head: EndedBy, Align: table.Left, Spare: 2},
		{Head: "max requests", Spare: 1}, {Head: "fails"}, {Head: "warns", Spare: 4},
	}}
	if more := len(s) - most; more > 0 {
		t.More = "and " + linger.Plural(more, "server") + " more (--wide)"
	}
	for _, one := range s[:min(most, len(s))] {
		name := table.Word(table.Short(ShortTarget(one.Target), 28))
		if one.Profile == nil {
			t.Add(name, table.Word("not probed"), table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown())
			continue
		}
		idle, ending, requests := table.Unknown(), table.Unknown(), table.Unknown()
		if q := MainProtocol(one.Profile); q != nil {
			idle, requests = briefly(q.AfterResponse), table.Unknown()
			if e := q.AfterResponse.Ending; e != "" {
				ending = table.Word(table.Short(string(e), 17))
			}
			switch n := q.Requests.N; {
			case q.Requests.State == profile.AtLeast:
				requests = table.Word(fmt.Sprintf("≥ %d", n))
			case n > 0:
				requests = table.Int(n)
			}
		}
		speaks := table.Unknown()
		if protocols := SpokenBy(one.Profile); protocols != "" {
			speaks = table.Word(strings.ReplaceAll(protocols, "http/1.1", "h1"))
		}
		n := one.Profile.Outcomes()
		fails := table.Int(n[profile.Fail])
		if n[profile.Fail] > 0 {
			fails.Style = table.Bad
		}
		t.Add(name, speaks, idle, ending, requests, fails, table.Int(n[profile.Warn]))
	}
	return t
}

func MainProtocol(p *profile.Profile) *profile.Protocol {
	for _, q := range p.Protocols {
		if q.Name == "http/1.1" {
			return q
		}
	}
	if len(p.Protocols) > 0 {
		return p.Protocols[0]
	}
	return nil
}

// SpokenBy names the protocols that the server speaks, as ALPN does.
func SpokenBy(p *profile.Profile) string {
	var names []string
	for _, q := range p.Protocols {
		if q.Offered {
			names = append(names, q.Name)
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
