package report

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/table"
	"linger/trace"
)

//go:embed page
var pageFiles embed.FS

// pageStyle and pageScript are the only ones of the page; its policy knows them by their
// hashes, and permits nothing else, nor any request.
var (
	pageStyle  = asset("page/style.css")
	pageScript = asset("page/script.js")
	pageHTML   = template.Must(template.ParseFS(pageFiles, "page/*.html"))
)

func asset(name string) string {
	b, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // it was there when the program was built
	}
	return string(b)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// A tableView is a table as HTML shows it.
type tableView struct {
	Caption string
	Heads   []headView
	Rows    []rowView
	More    string
}

type headView struct {
	Text string
	Left bool
}

type rowView struct {
	ID, Class string
	Group     string
	Cells     []cellView
}

// A cellView is a figure, and its doubt where it has one. The pads are digits that
// take room and are not seen, so that points stand one below the other.
type cellView struct {
	Text, Pad       string
	Doubt, DoubtPad string
	Left            bool
	// Nothing says that the cell is empty, or unknown and the text a dash.
	Nothing bool
}

// tableOf draws a table.
func tableOf(t table.Table) tableView {
	v := tableView{Caption: t.Caption, More: t.More}
	for _, c := range t.Columns {
		v.Heads = append(v.Heads, headView{c.Head, c.Align == table.Left})
	}
	pads := make([]padding, len(t.Columns))
	for i, c := range t.Columns {
		if c.Align == table.Point {
			pads[i] = paddingOf(t.Cells(i))
		}
	}
	for _, r := range t.Rows {
		row := rowView{ID: r.ID, Group: r.Group}
		if r.Best {
			row.Class = "best"
		}
		for i, c := range r.Cells {
			cell := cellView{Text: c.Text, Left: t.Columns[i].Align == table.Left, Doubt: c.DoubtText(), Nothing: c.IsNothing()}
			switch {
			case c.Flagged && i == 0:
				cell.Text = "! " + cell.Text
			case c.Flagged:
				cell.Text += " !"
			}
			if !c.Value.IsZero() {
				cell.Pad, cell.DoubtPad = pads[i].of(c)
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// padding is the room of the numbers of a column that is aligned by their points:
// digits behind the point, and those of a doubt.
type padding struct{ decimals, doubt int }

func paddingOf(cells []table.Cell) (p padding) {
	for _, c := range cells {
		p.decimals = max(p.decimals, c.Decimals)
		if d := c.DoubtText(); d != "" {
			p.doubt = max(p.doubt, utf8.RuneCountInString(" ± "+d))
		}
	}
	return p
}

// of returns what a number lacks of that room, and what its doubt does.
func (p padding) of(c table.Cell) (value, doubt string) {
	lacks, point := p.decimals-c.Decimals, c.Decimals > 0
	if !point && p.decimals > 0 {
		lacks++ // the point itself
	}
	if c.Doubt.IsZero() {
		return filler(lacks+p.doubt, point), "" // digits are as wide as a doubt, nearly
	}
	return filler(lacks, point), filler(lacks, point)
}

// filler takes n columns behind a number that has a point already, or gets one.
func filler(n int, point bool) string {
	if n > 0 && !point {
		return "." + strings.Repeat("0", n-1)
	}
	return strings.Repeat("0", n)
}

// view is what the templates are given.
type view struct {
	Style  template.CSS
	Script template.JS
	Policy string

	Title, Kicker string
	Lead          string
	Facts         []string
	Doubts        []compare.Doubt
	Notes         []string
	Figures       []tableView
	Legend        string
	// Gaps is how far predictions are off that were made beside; nil is none.
	Gaps *tableView
	// Several says that there is more than one trial to draw.
	Several bool
	Time    chart
	Lanes   []lanesView
	Ladders []ladderSide
	Traffic *chart
	Held    *chart
	Facets  [][2]string // provenance: what, and how much
	Origin  string
	Command string
	// Comparable says that time scales can be switched between.
	Comparable bool
	// Explorer lets the reader predict other paths, Explore is its script; Limits is
	// what predictions leave out. Each is empty where nothing was predicted.
	Explorer *explorer
	Explore  template.JS
	Limits   []Limit
}

// pagePolicy is the Content-Security-Policy of a page: its own style and script, no
// request, and where it has a simulator, WebAssembly.
func pagePolicy(explores bool) string {
	policy := "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript)
	if explores {
		policy += " " + hash(exploreScript) + " 'wasm-unsafe-eval'"
	}
	return policy + "; base-uri 'none'; form-action 'none'"
}

type lanesView struct {
	Strategy, About string
	Best            bool
	Chart           chart
}

// A ladderSide is the ladders of one kind of strategies, of which one is seen.
type ladderSide struct {
	Kind    string
	ID      string
	Ladders []ladderView
}

type ladderView struct {
	Strategy string
	First    bool
	Chart    chart
}

// HTML writes the report as one page that needs nothing else: the findings, which
// are those of the input, and drawings of its traces. Query strings, and whatever a
// URL says of a user, are left out unless o.Queries wants them.
func HTML(w io.Writer, f compare.Findings, in trace.Experiment, o Options) error {
	if !o.Queries {
		f, in, o.Command = redactFindings(f), redactInput(in), redact(o.Command)
	}
	typical := compare.Typical(in)
	v := view{
		Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Title: table.Clean(title(f)), Kicker: table.Clean(f.Workload.Name),
		Doubts: f.Doubts, Legend: legend(f, "in colour:"), Origin: origin(f, o), Command: table.Clean(o.Command),
		Several: len(f.Rows) > 0 && (len(f.Rows) > 1 || f.Trials > 1), Time: timeChart(f, compare.TrialsOf(in)), Facets: facets(f),
	}
	for i, text := range strings.Split(f.Verdict.Text, "\n") {
		fact, isFact := strings.CutPrefix(text, "- ")
		switch {
		case isFact:
			v.Facts = append(v.Facts, fact)
		case i == 0:
			v.Lead = text
		case text != "":
			v.Notes = append(v.Notes, text)
		}
	}
	for _, t := range Figures(f) {
		v.Figures = append(v.Figures, tableOf(t))
	}
	if f.Provenance == trace.Predicted {
		v.Limits = o.Limits
		if x, ok := explore(in.Workload, in.Strategies, in.Network, in.Seed, o); ok {
			v.Explorer, v.Explore = x, template.JS(exploreScript)
		}
	}
	if o.Predicted != nil {
		t := tableOf(gapTable(f, *o.Predicted))
		v.Gaps, v.Limits = &t, o.Limits
	}
	v.Policy = pagePolicy(v.Explorer != nil)
	if c, ok := trafficChart(f); ok {
		v.Traffic = &c
	}
	v.lanes(f, typical)
	v.ladders(f, in, typical)
	return pageHTML.ExecuteTemplate(w, "page.html", v)
}

// lanes adds the drawings by connection.
func (v *view) lanes(f compare.Findings, typical []*trace.Trace) {
	all, drawn := linger.Instant(0), 0
	for _, t := range typical {
		if t != nil && len(t.Connections) > 0 {
			all, drawn = max(all, t.Ended), drawn+1
		}
	}
	v.Comparable = drawn > 1
	for _, row := range order(f.Rows) {
		t, r := nth(typical, row), f.Rows[row]
		if t == nil || len(t.Connections) == 0 {
			continue
		}
		about := fmt.Sprintf("%s over %s%s in %s", linger.Plural(len(t.Exchanges), "exchange"), linger.Plural(len(t.Connections), noun(t)), spoken(t), instant(t.Ended))
		if r.Trials > 1 {
			about += fmt.Sprintf("; trial %d, the one nearest to the median", t.Trial+1)
		}
		v.Lanes = append(v.Lanes, lanesView{
			Strategy: table.Clean(r.Strategy), About: about, Best: f.Verdict.Best != "" && r.Strategy == f.Verdict.Best,
			Chart: lanesChart(fmt.Sprintf("lanes-%d", row), t, all),
		})
	}
	if drawn > 0 {
		c := heldChart(f, typical)
		v.Held = &c
	}
}

// noun is what the connections of a trial are called, which may connect nothing.
func noun(t *trace.Trace) string {
	if !slices.ContainsFunc(t.Connections, func(k trace.Connection) bool { return k.Protocol != datagram }) {
		return "socket"
	}
	return "connection"
}

// ladders adds those of each strategy, all at one scale: the strategies that close
// on one side, those that keep on the other.
func (v *view) ladders(f compare.Findings, in trace.Experiment, typical []*trace.Trace) {
	rtt := linger.Opt[time.Duration]{}
	if !f.Network.RTT.IsZero() && in.Network.RTT > 0 {
		rtt = linger.Known(in.Network.RTT)
	}
	read := map[int]ladder{}
	perSecond := 1e9
	for row, t := range typical {
		if t == nil {
			continue
		}
		l, ok := ladderOf(t, rtt)
		lasts := l.end.Sub(l.begin)
		if !ok || lasts <= 0 || len(l.steps) == 0 {
			continue
		}
		read[row] = l
		perSecond = min(perSecond, ladderRoom/lasts.Seconds())
		if l.trip > 0 {
			perSecond = min(perSecond, tripHeight/l.trip.Seconds())
		}
	}
	for _, row := range order(f.Rows) {
		l, ok := read[row]
		if !ok {
			continue
		}
		kind := kindOf(f.Rows[row])
		if n := len(v.Ladders); n == 0 || v.Ladders[n-1].Kind != kind {
			v.Ladders = append(v.Ladders, ladderSide{Kind: kind, ID: fmt.Sprintf("side-%d", n)})
		}
		side := &v.Ladders[len(v.Ladders)-1]
		name := table.Clean(f.Rows[row].Strategy)
		side.Ladders = append(side.Ladders, ladderView{name, len(side.Ladders) == 0, ladderChart(fmt.Sprintf("ladder-%d", row), name, l, perSecond)})
	}
}

// facets say what was fetched and over what, one by one.
func facets(f compare.Findings) [][2]string {
	rate := func(o linger.Opt[float64]) string { return linger.Rate(o.Or(0) * float64(linger.Kbps)).String() }
	out := [][2]string{
		{"Workload", fmt.Sprintf("%s: %s, %s of content", table.Clean(f.Workload.Name), linger.Plural(f.Workload.Exchanges, "exchange"), finding.Bytes(float64(f.Workload.Bytes)))},
		{"Security", cmp.Or(security(f), "none: cleartext")},
	}
	if f.Workload.Scheme != "http" && f.Workload.Scheme != "https" {
		out = out[:1] // it is the strategy's
	}
	n := f.Network
	if name := table.Clean(n.Name); name != "" {
		out = append(out, [2]string{"Network", name})
	}
	if v, ok := n.RTT.Get(); ok {
		out = append(out, [2]string{"Round-trip time", finding.Lasting(v)}, [2]string{"Rate", rate(n.Down) + " down, " + rate(n.Up) + " up"},
			[2]string{"Loss", finding.Trimmed(100*n.Loss.Or(0), 2) + " % of packets, each way"})
		down, ok := n.Queue.Down.Get()
		up, ok2 := n.Queue.Up.Get()
		if ok && ok2 {
			out = append(out, [2]string{"Queues", emptying(down) + " down, " + emptying(up) + " up"})
		}
	}
	return out
}

var (
	// query finds what follows the path in something like a URL; person what stands
	// before its host (RFC 3986, 3.4 and 3.2.1). They rather take too much.
	query  = regexp.MustCompile(`((?:([A-Za-z][A-Za-z0-9+.-]*)://|/)[^\s?#]*)([?#])(\S*)`)
	person = regexp.MustCompile(`(://)[^\s/?#]*@`)
)

// redact leaves out of a text what URLs in it carry in their queries and fragments
// and of users. What dns URLs ask for is no secret of theirs.
func redact(s string) string {
	if !strings.ContainsAny(s, "?#@") {
		return s
	}
	s = person.ReplaceAllString(s, "$1")
	return query.ReplaceAllStringFunc(s, func(url string) string {
		part := query.FindStringSubmatch(url)
		if strings.EqualFold(part[2], "dns") {
			return url
		}
		// What closes the URL in the text stays: a quote, a colon behind it.
		rest := part[4]
		return part[1] + part[3] + "…" + rest[len(strings.TrimRight(rest, `'":,;)`)):]
	})
}

// redactURL does the same to what is a URL and nothing else, blanks and all.
func redactURL(s string) string {
	if strings.HasPrefix(s, "dns:") {
		return s
	}
	s = person.ReplaceAllString(s, "$1")
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[:i+1] + "…"
	}
	return s
}

func redactFindings(f compare.Findings) compare.Findings {
	f.Workload.Name, f.Verdict.Text = redact(f.Workload.Name), redact(f.Verdict.Text)
	f.Doubts = slices.Clone(f.Doubts)
	for i := range f.Doubts {
		f.Doubts[i].Text = redact(f.Doubts[i].Text)
	}
	return f
}

// redactInput returns the traces without what is redacted; the input stays whole.
func redactInput(in trace.Experiment) trace.Experiment {
	in.Traces = slices.Clone(in.Traces)
	for i, list := range in.Traces {
		in.Traces[i] = slices.Clone(list)
		for k, t := range list {
			c := *t
			c.Workload = redact(t.Workload)
			c.Connections, c.Exchanges = slices.Clone(t.Connections), slices.Clone(t.Exchanges)
			for j := range c.Connections {
				c.Connections[j].Reason = redact(c.Connections[j].Reason)
			}
			for j := range c.Exchanges {
				e := &c.Exchanges[j]
				e.URL, e.Redirect, e.Page, e.Failed = redactURL(e.URL), redactURL(e.Redirect), redactURL(e.Page), redact(e.Failed)
			}
			in.Traces[i][k] = &c
		}
	}
	return in
}
