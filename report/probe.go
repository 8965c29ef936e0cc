package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/profile"
	"linger/report/table"
)

// BrokenBy says why an assertion does not hold; "" is that it does.
func BrokenBy(a assert.Result) string {
	if a.Truth == assert.Holds {
		return ""
	}
	return string(a.Truth) + ": " + a.Why
}

// ProbeTitle says what was probed.
func ProbeTitle(p *profile.Profile) string {
	s := p.Target
	if p.Address != "" {
		s += " at " + p.Address
	}
	if p.Software != "" {
		s += ", " + p.Software
	}
	if p.Baseline.Status > 0 {
		s += fmt.Sprintf("; answers %d", p.Baseline.Status)
		if p.Baseline.Bytes > 0 {
			s += ", " + finding.Bytes(float64(p.Baseline.Bytes))
		}
	}
	if p.RTT.N > 0 {
		s += "; RTT " + tiedRTT(p.RTT.Median)
	}
	return s
}

// tiedRTT is a round-trip time with two digits.
func tiedRTT(d profile.Duration) string {
	ms := time.Duration(d).Seconds() * 1000
	switch {
	case ms >= 10:
		return whole(ms) + " ms"
	case ms >= 1:
		return finding.Trimmed(ms, 2) + " ms"
	}
	return fmt.Sprintf("%.2g ms", ms)
}

// A LimitRow is one figure of a protocol.
type LimitRow struct {
	Name                        string
	After                       string // of an idle limit: "response", "connect", "tls", "settings"
	Observed, Ending, Announced string
	Unknown                     bool // nothing was observed
	Differs                     bool // announced is not what was observed
	Why                         string
	Limit                       profile.Timeout // where it is one of time
	Requests                    profile.State   // where it is one of requests
	Said                        linger.Opt[profile.Duration]
}

// LimitRows are the figures of a protocol of which anything is to be said.
func LimitRows(p *profile.Protocol) []LimitRow {
	var rows []LimitRow
	said := p.Announced
	for _, one := range []struct {
		name, after string
		limit       profile.Timeout
	}{
		{"idle after response", "response", p.AfterResponse},
		{"idle after connect", "connect", p.AfterConnect},
		{"idle after TLS", "tls", p.AfterTLS},
		{"idle after SETTINGS", "settings", p.AfterSettings},
		{"age, never idle", "", p.Age},
	} {
		if one.limit.State == "" {
			continue
		}
		r := LimitRow{Name: one.name, After: one.after, Observed: one.limit.String(), Ending: one.limit.Ending.Told(one.limit.Closing), Unknown: one.limit.State == profile.Unknown, Why: one.limit.Why, Limit: one.limit}
		if one.after == "response" {
			if d, ok := said.Timeout.Get(); ok {
				keeps, told := one.limit.Keeps(d)
				r.Announced, r.Differs, r.Said = d.String(), told && !keeps, said.Timeout
			}
		}
		rows = append(rows, r)
	}
	if c := p.Requests; c.State != "" {
		r := LimitRow{Name: "requests", Requests: c.State, Observed: c.String(), Ending: c.Ending.Told(c.Closing), Unknown: c.State == profile.Unknown, Why: c.Why}
		if n, ok := said.Max.Get(); ok {
			r.Announced, r.Differs = fmt.Sprint(n), said.Contradicts(c)
			if said.MaxFalls {
				r.Announced += " left after the first"
			}
		}
		rows = append(rows, r)
	}
	if l := p.Pipelining; l != nil && l.State != "" {
		rows = append(rows, LimitRow{Name: "pipelining", Observed: l.String(), Unknown: l.State == profile.Unknown, Why: l.Why})
	}
	return rows
}

// IdleLimits is the table of the figures of each protocol; differs says that one is
// announced otherwise than observed, which is flagged.
func IdleLimits(p *profile.Profile) (t table.Table, differs bool) {
	t = table.Table{Caption: "Limits by protocol, observed and announced", Columns: []table.Column{
		{Head: "figure", Obvious: true, Align: table.Left}, {Head: "observed", Align: table.Left}, {Head: EndedBy, Align: table.Left, Spare: 2}, {Head: "announced", Align: table.Left, Spare: 1},
	}}
	for _, q := range p.Protocols {
		for i, r := range LimitRows(q) {
			observed, announced := table.Word(r.Observed), table.Word(r.Announced)
			if r.Unknown {
				observed.Style = table.Faint
			}
			if r.Differs {
				announced.Flagged, announced.Style = true, table.Caution
			}
			differs = differs || r.Differs
			open := ""
			if r.Limit.State == profile.AtLeast || r.Requests == profile.AtLeast {
				open = "still open"
			}
			if r.Requests == profile.Measured {
				open = "closed after that"
			}
			row := t.Add(table.Word(r.Name), observed, table.Word(cmp.Or(r.Ending, open)), announced)
			if i == 0 {
				row.Group = q.Name.Title()
			}
		}
	}
	return t, differs
}

const EndedBy = "ended by"

// oneMore says what becomes of a connection more than a count of those that are served at
// once, behind that; nothing where it is not known.
func oneMore(c profile.Count) string {
	which := ordinal(c.N + 1)
	switch c.Next {
	case profile.Waits:
		return ", the " + which + " waits"
	case profile.Refused:
		return ", the " + which + " is refused"
	case profile.ClosesAnother:
		return "; for the " + which + " an idle one is closed"
	case profile.AnswersOtherwise:
		return "; the " + which + " is answered otherwise"
	}
	return ""
}

func ordinal(n int) string {
	if words := []string{"", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"}; n < len(words) {
		return words[n]
	}
	switch {
	case n%10 == 1 && n%100 != 11:
		return fmt.Sprint(n, "st")
	case n%10 == 2 && n%100 != 12:
		return fmt.Sprint(n, "nd")
	case n%10 == 3 && n%100 != 13:
		return fmt.Sprint(n, "rd")
	}
	return fmt.Sprint(n, "th")
}

// ServerFacts are the figures that are the server's and not one protocol's.
func ServerFacts(p *profile.Profile) [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, table.Clean(value)})
		}
	}
	for _, one := range []struct {
		name  string
		count profile.Count
	}{{"concurrent connections", p.Parallel}, {"of them unused", p.Unused}} {
		if c := one.count; c.State == profile.Measured || c.State == profile.AtLeast {
			add(one.name, c.String()+oneMore(c))
		}
	}
	if t := p.TLS; t != nil {
		add("TLS", strings.Join(t.Versions, ", "))
		add("ALPN", strings.Join(t.ALPN, ", "))
		tickets := ""
		if t.Tickets.State != "" {
			tickets = t.Tickets.String()
			if d, ok := t.Lifetime.Get(); ok && t.Tickets.N > 0 {
				tickets += ", lifetime " + whole(time.Duration(d).Seconds()) + " s"
			}
			said := opinion([]string{tickets}, t.Resumes, "resumption works", "resumption does not work")
			tickets = strings.Join(opinion(said, t.Early, "with early data", "no early data"), "; ")
		}
		add("session tickets", tickets)
		add("certificate", t.Invalid)
	}
	if a := p.AltSvc; a != nil {
		value := cmp.Or(a.Value, "none")
		if works, ok := a.Works.Get(); ok {
			value += map[bool]string{true: "; reachable", false: "; not reachable"}[works]
		}
		if a.Why != "" {
			value += ": " + a.Why
		}
		add("Alt-Svc", value)
	}
	for _, q := range p.Protocols {
		a := q.Announced
		var said []string
		if a.Connection != "" {
			said = append(said, "Connection: "+a.Connection)
		}
		if a.KeepAlive != "" {
			said = append(said, "Keep-Alive: "+a.KeepAlive)
		}
		for _, name := range sortedKeys(a.Settings) {
			said = append(said, fmt.Sprintf("%s %d", name, a.Settings[name]))
		}
		add(q.Name.Title()+" announces", strings.Join(said, ", "))
		if g := q.Ping; g != nil {
			said = said[:0]
			said = opinion(said, g.Answered, "answered", "not answered")
			said = opinion(said, g.Keeps, "keeps an idle connection", "does not keep an idle connection")
			add("PING", strings.Join(said, "; "))
		}
		if g := q.QUIC; g != nil {
			said = said[:0]
			said = opinion(said, g.Retry, "validates the address first (Retry)", "no Retry")
			said = opinion(said, g.Token, "issues a token", "no token")
			said = opinion(said, g.Early, "allows early data", "no early data")
			said = opinion(said, g.Taken, "and accepts it", "and rejects it")
			add("QUIC", strings.Join(said, "; "))
		}
	}
	if d := p.DNS; d != nil {
		said := opinion(nil, d.Reordered, "a slow query does not hold up the next", "a slow query holds up the next")
		said = opinion(said, d.HalfClosed, "a half-closed connection is answered", "a half-closed connection is not answered")
		add("answers", strings.Join(said, "; "))
		if d.AfterKeepalive.State != "" {
			add("idle, edns-tcp-keepalive", d.AfterKeepalive.String())
		}
	}
	return out
}

// opinion adds what is known to be so, or not to be so.
func opinion(to []string, is linger.Opt[bool], yes, no string) []string {
	v, ok := is.Get()
	switch {
	case !ok:
		return to
	case v:
		return append(to, yes)
	}
	return append(to, no)
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Sentence begins with a capital and ends with a point.
func Sentence(s string) string {
	if s == "" {
		return ""
	}
	if last, _ := utf8.DecodeLastRuneInString(s); !strings.ContainsRune(".!?…", last) {
		s += "."
	}
	first, rest, _ := strings.Cut(s, " ")
	if strings.ToLower(first) == first && !strings.ContainsAny(first, "_-=") {
		r := []rune(s)
		return strings.ToUpper(string(r[:1])) + string(r[1:])
	}
	return first + " " + rest
}

// Standard names the sentence that a case is of, and how binding it is.
func Standard(c profile.Case) string { return fmt.Sprintf("%s (%s)", c.Standard, c.Level) }

// Tally counts the cases.
func Tally(p *profile.Profile) string {
	n := p.Outcomes()
	return fmt.Sprintf("%s: %d failed, %s, %d passed, %d not measured.", linger.Plural(len(p.Cases), "case"), n[profile.Fail], linger.Plural(n[profile.Warn], "warning"), n[profile.Pass], n[profile.NotMeasured])
}

// ProbeOrigin says how the figures came about, and what that took.
func ProbeOrigin(p *profile.Profile, version string) string {
	step := time.Millisecond
	if time.Duration(p.Took) > time.Second {
		step = 100 * time.Millisecond
	}
	s := fmt.Sprintf("Measured in %s with %s (%d at once) and %s",
		profile.Duration(time.Duration(p.Took).Round(step)), linger.Plural(p.Spent.Connections, "connection"), p.Spent.Peak, linger.Plural(p.Spent.Requests, "request"))
	if p.Interrupted {
		s += "; interrupted"
	}
	if v := cmp.Or(p.Linger, version); v != "" {
		s += "; linger " + v
	}
	return s + "."
}

// ProbeLead is what the probe comes to in a sentence or two.
func ProbeLead(p *profile.Profile) string {
	var s string
	if q := p.Main(); q != nil {
		name := q.Name.Title()
		switch t := q.AfterResponse; t.State {
		case profile.Measured:
			s = fmt.Sprintf("The server closes an idle %s connection %s after a response (%s)", name, t, t.Ending.Told(t.Closing))
		case profile.AtLeast:
			s = fmt.Sprintf("An idle %s connection stays open for %s after a response", name, t)
		default:
			s = fmt.Sprintf("The idle timeout of %s was not measured", name)
		}
		if d, ok := q.Announced.Timeout.Get(); ok {
			if keeps, told := q.AfterResponse.Keeps(d); told && !keeps {
				s += "; it announces " + d.String()
			}
		}
		s += ". "
	}
	if n := p.Outcomes(); len(p.Cases) > 0 {
		found := "no standards violation"
		if fails := n[profile.Fail]; fails > 0 {
			found = linger.Plural(fails, "standards violation")
		}
		s += fmt.Sprintf("%s: %s, %s, %d passed, %d not measured.", linger.Plural(len(p.Cases), "case"), found, linger.Plural(n[profile.Warn], "warning"), n[profile.Pass], n[profile.NotMeasured])
	}
	return table.Clean(strings.TrimSpace(assertedLead(p.Asserted) + s))
}

// assertedLead says how many assertions hold, or nothing where there are none.
func assertedLead(results []assert.Result) string {
	broken := 0
	for _, a := range results {
		if a.Truth != assert.Holds {
			broken++
		}
	}
	switch n := len(results); {
	case n == 0:
		return ""
	case broken == 1 && n == 1:
		return "The assertion failed. "
	case broken > 0:
		return fmt.Sprintf("%d of %s failed. ", broken, linger.Plural(n, "assertion"))
	case n == 1:
		return "The assertion holds. "
	}
	return fmt.Sprintf("All %d assertions hold. ", len(results))
}

// Missing says what is not known of the protocols, and why.
func Missing(p *profile.Profile) []string {
	var out []string
	for _, q := range p.Protocols {
		rows := LimitRows(q)
		if len(rows) == 0 && q.Why != "" {
			out = append(out, q.Name.Title()+": "+q.Why)
		}
		for _, r := range rows {
			if r.Why != "" && r.Unknown {
				out = append(out, q.Name.Title()+", "+r.Name+": "+r.Why)
			}
		}
	}
	if p.Parallel.State == profile.Unknown && p.Parallel.Why != "" {
		out = append(out, "concurrent connections: "+p.Parallel.Why)
	}
	return out
}
