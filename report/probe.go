package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/profile"
	"linger/report/table"
)

// Probe writes what a server was seen to do with connections: its figures, observed
// beside announced; then where it breaks a standard. verbose lists what it keeps too.
func Probe(w io.Writer, p *profile.Profile, verbose bool, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		for _, line := range wrap(probeTitle(p), o.width(), "", "") {
			b.WriteString(o.paint(line, bold) + "\n")
		}
		o.probeLimits(b, p)
		o.probeSurvivals(b, p)
		o.probeRest(b, p)
		o.probeCases(b, p, verbose)
		o.asserted(b, p.Asserted)
		if len(p.Caveats) > 0 {
			b.WriteString("\nDoubts\n")
		}
		for _, d := range p.Caveats {
			b.WriteString(strings.Join(wrap(d.Text, o.width(), "  ! ", "    "), "\n") + "\n")
		}
		b.WriteString("\n")
		for _, line := range wrap(probeOrigin(p, o), o.width(), "", "") {
			b.WriteString(o.paint(line, faint) + "\n")
		}
	})
}

// asserted lists what became of assertions.
func (o Options) asserted(b *bufio.Writer, results []assert.Result) {
	if len(results) > 0 {
		b.WriteString("\nAssertions\n")
	}
	for _, a := range results {
		o.finding(b, truthWord[a.Truth], a.Text, brokenBy(a))
	}
}

// Asserted writes what became of assertions, where nothing else of the text does.
func Asserted(w io.Writer, results []assert.Result, o Options) error {
	return buffered(w, func(b *bufio.Writer) { o.asserted(b, results) })
}

// brokenBy says why an assertion does not hold; "" is that it does.
func brokenBy(a assert.Result) string {
	if a.Truth == assert.Holds {
		return ""
	}
	return string(a.Truth) + ": " + a.Why
}

// probeTitle says what was probed.
func probeTitle(p *profile.Profile) string {
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
		s += "; round trip " + tiedRTT(p.RTT.Median)
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

var protocolNames = map[string]string{"http/1.1": "HTTP/1.1", "h2": "HTTP/2", "h3": "HTTP/3", "tls": "TLS", "dns": "DNS", "tcp": "DNS over TCP", "dot": "DNS over TLS"}

// protocolName is how a protocol is called, where ALPN calls it otherwise.
func protocolName(id string) string { return cmp.Or(protocolNames[id], id) }

// A limitRow is one figure of a protocol.
type limitRow struct {
	id                          string // of the figure, as JSON has it
	name                        string
	observed, ending, announced string
	unknown                     bool // nothing was observed
	differs                     bool // announced is not what was observed
	why                         string
	limit                       profile.Timeout // where it is one of time
	said                        linger.Opt[profile.Duration]
}

// limitRows are the figures of a protocol of which anything is to be said.
func limitRows(p *profile.Protocol) []limitRow {
	var rows []limitRow
	said := p.Announced
	for _, one := range []struct {
		id, name string
		limit    profile.Timeout
	}{
		{"idle_after_response", "idle after a response", p.AfterResponse},
		{"idle_after_connect", "idle after connecting", p.AfterConnect},
		{"idle_after_tls", "idle after TLS", p.AfterTLS},
		{"idle_after_settings", "idle after SETTINGS", p.AfterSettings},
		{"max_age", "age, never idle", p.Age},
	} {
		if one.limit.State == "" {
			continue
		}
		r := limitRow{id: one.id, name: one.name, observed: one.limit.String(), ending: string(one.limit.Ending), unknown: one.limit.State == profile.Unknown, why: one.limit.Why, limit: one.limit}
		if one.id == "idle_after_response" {
			if d, ok := said.Timeout.Get(); ok {
				keeps, told := one.limit.Keeps(d)
				r.announced, r.differs, r.said = d.String(), told && !keeps, said.Timeout
			}
		}
		rows = append(rows, r)
	}
	if c := p.Requests; c.State != "" {
		r := limitRow{id: "requests_per_connection", name: "requests", observed: c.String(), unknown: c.State == profile.Unknown, why: c.Why}
		if n, ok := said.Max.Get(); ok {
			r.announced = fmt.Sprint(n)
			r.differs = c.State == profile.Measured && c.N != n || c.State == profile.AtLeast && c.N > n
		}
		rows = append(rows, r)
	}
	if l := p.Pipelining; l != nil && l.State != "" {
		rows = append(rows, limitRow{id: "pipelining", name: "pipelining", observed: l.String(), unknown: l.State == profile.Unknown, why: l.Why})
	}
	return rows
}

// limitsTable is the table of the figures of each protocol; differs says that one is
// announced otherwise than observed, which is flagged.
func limitsTable(p *profile.Profile) (t table.Table, differs bool) {
	t = table.Table{Caption: "Of each protocol, observed and announced", Columns: []table.Column{
		{Head: "figure", Obvious: true, Align: table.Left}, {Head: "observed", Align: table.Left}, {Head: endedBy, Align: table.Left, Spare: 1}, {Head: "announced", Align: table.Left},
	}}
	for _, q := range p.Protocols {
		for i, r := range limitRows(q) {
			observed, announced := table.Word(r.observed), table.Word(r.announced)
			if r.unknown {
				observed.Style = table.Faint
			}
			if r.differs {
				announced.Flagged, announced.Style = true, table.Doubtful
			}
			differs = differs || r.differs
			row := t.Add(table.Word(r.name), observed, table.Word(r.ending), announced)
			if i == 0 {
				row.Group = protocolName(q.Name)
			}
		}
	}
	return t, differs
}

const endedBy = "ended by"

// probeLimits writes the figures of each protocol, and why some are missing.
func (o Options) probeLimits(b *bufio.Writer, p *profile.Profile) {
	limits, differs := limitsTable(p)
	if len(limits.Rows) > 0 {
		limits = limits.Without(1, table.Nothing)
		all := columns(limits)
		cols := squeeze(slices.Clone(all), o.width())
		o.lines(b, cols, limits.Rows)
		if differs {
			b.WriteString(o.paint("! is not what was observed.", faint) + "\n")
		}
		if len(cols) < len(all) { // there was no room for it beside the others
			b.WriteString("\nEnded by\n")
			for _, q := range p.Protocols {
				for _, r := range limitRows(q) {
					if r.ending != "" {
						b.WriteString(strings.Join(wrap(protocolName(q.Name)+", "+r.name+": "+r.ending, o.width(), "  ", "    "), "\n") + "\n")
					}
				}
			}
		}
	}
	unseen := missing(p)
	if len(unseen) > 0 {
		b.WriteString("\nNot measured\n")
	}
	for _, m := range unseen {
		b.WriteString(strings.Join(wrap(m, o.width(), "  ", "    "), "\n") + "\n")
	}
}

// probeSurvivals says in a line each what a connection survives, and what it does not.
func (o Options) probeSurvivals(b *bufio.Writer, p *profile.Profile) {
	var kept, closed, unknown []string
	for _, s := range p.Survives {
		switch {
		case s.State == profile.Unknown:
			unknown = append(unknown, s.What)
		case s.Kept:
			kept = append(kept, s.What)
		case s.Said != "":
			closed = append(closed, fmt.Sprintf("%s (said %s)", s.What, s.Said))
		default:
			closed = append(closed, s.What)
		}
	}
	if len(p.Survives) > 0 {
		b.WriteString("\nA connection of HTTP/1.1\n")
	}
	for _, one := range []struct {
		name string
		what []string
	}{{"is kept after", kept}, {"is closed after", closed}, {"not measured", unknown}} {
		if len(one.what) > 0 {
			b.WriteString(strings.Join(wrap(strings.Join(one.what, ", "), o.width(), left("  "+one.name, 20), left("", 20)), "\n") + "\n")
		}
	}
}

// rest are the figures that are the server's and not one protocol's.
func rest(p *profile.Profile) [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, table.Clean(value)})
		}
	}
	if p.Parallel.State == profile.Measured || p.Parallel.State == profile.AtLeast {
		add("connections at once", p.Parallel.String())
	}
	if t := p.TLS; t != nil {
		add("TLS", strings.Join(t.Versions, ", "))
		add("ALPN", strings.Join(t.ALPN, ", "))
		tickets := ""
		if t.Tickets.State != "" {
			tickets = t.Tickets.String()
			if d, ok := t.Lifetime.Get(); ok && t.Tickets.N > 0 {
				tickets += ", of use for " + whole(time.Duration(d).Seconds()) + " s"
			}
			said := opinion([]string{tickets}, t.Resumes, "they work", "they do not work")
			tickets = strings.Join(opinion(said, t.Early, "with early data", "no early data"), "; ")
		}
		add("session tickets", tickets)
		add("certificate", t.Invalid)
	}
	if a := p.AltSvc; a != nil {
		value := cmp.Or(a.Value, "none")
		if works, ok := a.Works.Get(); ok {
			value += map[bool]string{true: "; is there", false: "; is not there"}[works]
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
		add(protocolName(q.Name)+" announces", strings.Join(said, ", "))
		if g := q.Ping; g != nil {
			said = said[:0]
			said = opinion(said, g.Answered, "answered", "not answered")
			said = opinion(said, g.Keeps, "keeps an idle connection", "does not keep an idle connection")
			add("PING", strings.Join(said, "; "))
		}
		if g := q.QUIC; g != nil {
			said = said[:0]
			said = opinion(said, g.Retry, "the address is validated first (Retry)", "no Retry")
			said = opinion(said, g.Token, "a token for the next time", "no token")
			said = opinion(said, g.Early, "early data is allowed", "no early data")
			said = opinion(said, g.Taken, "and taken", "and not taken")
			add("QUIC", strings.Join(said, "; "))
		}
	}
	if d := p.DNS; d != nil {
		said := opinion(nil, d.Reordered, "a slow one does not hold up the next", "a slow one holds up the next")
		said = opinion(said, d.HalfClosed, "who closes his side behind a query has its answer", "who closes his side behind a query has no answer")
		add("answers", strings.Join(said, "; "))
		if d.AfterKeepalive.State != "" {
			add("idle, keepalive asked", d.AfterKeepalive.String())
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

func (o Options) probeRest(b *bufio.Writer, p *profile.Profile) {
	facts := rest(p)
	if len(facts) == 0 {
		return
	}
	b.WriteString("\n")
	room := 0
	for _, f := range facts {
		room = max(room, width(f[0]))
	}
	for _, f := range facts {
		first := o.paint(f[0], faint) + strings.Repeat(" ", room+gap-width(f[0]))
		lines := wrap(f[1], o.width(), left("", room+gap), left("", room+gap))
		b.WriteString(first + strings.TrimLeft(lines[0], " ") + "\n")
		for _, line := range lines[1:] {
			b.WriteString(line + "\n")
		}
	}
}

// A word stands before a finding, in a colour that says the same.
type tag struct {
	text  string
	style style
}

var (
	outcomeWord = map[profile.Outcome]tag{
		profile.Fail: {"FAIL", red}, profile.Warn: {"WARN", yellow}, profile.Pass: {"pass", green}, profile.NotMeasured: {"-", faint},
	}
	truthWord = map[assert.Truth]tag{assert.Holds: {"pass", green}, assert.Broken: {"FAIL", red}, assert.NotKnown: {"FAIL", red}}
)

// tagRoom is for the longest tag, and what stands around it.
const tagRoom = 6

// finding writes a tag, a line beside it, and texts below that.
func (o Options) finding(b *bufio.Writer, t tag, line string, texts ...string) {
	indent := left("", tagRoom+2)
	for i, l := range wrap(line, o.width(), indent, indent) {
		if i == 0 {
			l = "  " + o.paint(t.text, t.style) + strings.Repeat(" ", tagRoom-width(t.text)) + l[len(indent):]
		}
		b.WriteString(l + "\n")
	}
	for _, text := range texts {
		if text != "" {
			b.WriteString(strings.Join(wrap(text, o.width(), indent, indent), "\n") + "\n")
		}
	}
}

// sentence begins with a capital and ends with a point.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?…") {
		s += "."
	}
	first, rest, _ := strings.Cut(s, " ")
	if strings.ToLower(first) == first && !strings.ContainsAny(first, "_-=") {
		r := []rune(s)
		return strings.ToUpper(string(r[:1])) + string(r[1:])
	}
	return first + " " + rest
}

// probeCases lists the cases that fail or warn, and counts the others.
func (o Options) probeCases(b *bufio.Writer, p *profile.Profile, verbose bool) {
	if len(p.Cases) == 0 {
		return
	}
	titles := []struct {
		outcome profile.Outcome
		title   string
		shown   bool
	}{
		{profile.Fail, "Breaks the standard", true}, {profile.Warn, "Warnings", true},
		{profile.NotMeasured, "Cases not measured", verbose}, {profile.Pass, "Keeps the standard", verbose},
	}
	for _, t := range titles {
		first := true
		for _, r := range p.Cases {
			if r.Outcome != t.outcome || !t.shown {
				continue
			}
			if first {
				b.WriteString("\n" + t.title + "\n")
				first = false
			}
			line := standard(r.Case) + ": " + r.ID
			var texts []string
			switch r.Outcome {
			case profile.Fail, profile.Warn:
				texts = []string{"Asked is that it " + r.Title + ".", sentence(r.Text)}
				if r.Misbehaviour != "" {
					texts = append(texts, "linger serve --misbehave "+r.Misbehaviour+" does the same.")
				}
			case profile.Pass:
				texts = []string{sentence(r.Title)}
			default:
				texts = []string{sentence(r.Text)}
			}
			o.finding(b, outcomeWord[r.Outcome], line, texts...)
		}
	}
	b.WriteString("\n" + strings.Join(wrap(tally(p, verbose), o.width(), "", ""), "\n") + "\n")
}

// standard names the sentence that a case is of, and how binding it is.
func standard(c profile.Case) string { return fmt.Sprintf("%s (%s)", c.Standard, c.Level) }

// tally counts the cases.
func tally(p *profile.Profile, all bool) string {
	n := p.Outcomes()
	s := fmt.Sprintf("%s: %d failed, %s, %d passed, %d not measured", linger.Plural(len(p.Cases), "case"), n[profile.Fail], linger.Plural(n[profile.Warn], "warning"), n[profile.Pass], n[profile.NotMeasured])
	if !all && n[profile.Pass]+n[profile.NotMeasured] > 0 {
		s += "; --verbose lists them all"
	}
	return s + "."
}

// probeOrigin says how the figures came about, and what that took.
func probeOrigin(p *profile.Profile, o Options) string {
	step := time.Millisecond
	if time.Duration(p.Took) > time.Second {
		step = 100 * time.Millisecond
	}
	s := fmt.Sprintf("Measured in %s, with %s (%d at once, of at most %d) and %s (of at most %d)",
		profile.Duration(time.Duration(p.Took).Round(step)), linger.Plural(p.Spent.Connections, "connection"), p.Spent.Peak, p.Bounds.Connections, linger.Plural(p.Spent.Requests, "request"), p.Bounds.Requests)
	if p.Interrupted {
		s += "; interrupted"
	}
	if v := cmp.Or(p.Linger, o.Version); v != "" {
		s += "; linger " + v
	}
	return s + "."
}

// Cases writes the list of cases.
func Cases(w io.Writer, cases []profile.Case, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		protocol := ""
		room := 0
		for _, c := range cases {
			room = max(room, width(c.ID))
		}
		for _, c := range cases {
			if c.Protocol != protocol {
				if protocol != "" {
					b.WriteString("\n")
				}
				protocol = c.Protocol
				b.WriteString(o.paint(protocolName(protocol), bold) + "\n")
			}
			first, indent := left("  "+c.ID, room+gap+2)+left(string(c.Level), 6+gap), left("", room+gap+2+6+gap)
			b.WriteString(strings.Join(wrap(c.Standard, o.width(), first, indent), "\n") + "\n")
			for _, line := range wrap(c.Title, o.width(), left("", room+gap+2), left("", room+gap+2)) {
				b.WriteString(o.paint(line, faint) + "\n")
			}
		}
	})
}

// ProbeProgress returns one line, without its end, that says how far a probe is, what
// is being waited for, and for how much longer at most; remaining below 0 is not known.
func ProbeProgress(done, total int, waiting string, elapsed, remaining time.Duration, o Options) string {
	columns := o.Width - 1
	if o.Width <= 0 {
		columns = 80 - 1
	}
	count := fmt.Sprintf(" %d/%d, %s", done, total, seconds(elapsed))
	rest := ""
	if remaining >= 0 {
		rest = ", at most " + seconds(remaining) + " more"
	}
	if waiting != "" {
		waiting = "; " + waiting
	}
	tail := ""
	for _, tail = range []string{count + rest + waiting, count + rest, count} {
		if width(tail)+12 < columns {
			break
		}
	}
	if width(tail) >= columns {
		return ""
	}
	const widest = 20
	n := min(widest, columns-width(tail))
	full := ""
	if total > 0 && done > 0 {
		full = bar(min(1, float64(done)/float64(total)), n)
	}
	return o.paint(full, green) + o.paint(strings.Repeat("░", n-width(full)), faint) + table.Clean(tail)
}
