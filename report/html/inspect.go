package html

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"linger/audit"
	"linger/audit/predict"
	"linger/audit/timeline"
	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/html/recorded"
	"linger/report/table"
	"linger/report/words"
)

// An auditView is what the template of an audit is given.
type auditView struct {
	frame
	first

	Also     []string
	Findings []causeView
	// Notes are findings beyond those that are shown whole; Left is how many there are beyond.
	Notes    []string
	Left     int
	Asserted *draw.Table
	OverTime *draw.Chart
	// Packed is what the script draws; empty is nothing. Drawn says how much of it is single.
	Packed       template.HTML
	Inspect      template.JS
	Drawn        string
	WhatIf       *gridView
	Requests     *draw.Chart
	Survival     *draw.Chart
	Causes       *draw.Table
	Groups       []draw.Table
	TLS          *draw.Table
	Encrypted    []string
	Limits, Hops *draw.Table
	Facets       [][2]string
}

// A causeView is a finding with what ends it and where it is to be seen.
type causeView struct {
	Text     string
	Filter   string // of the connections that it is of, for the script
	Remedies []remedyView
	Hint     string
	Evidence []string
	Pool     string
}

const (
	mostFindings = 12    // that are shown whole
	mostNotes    = 40    // that are said in a line
	mostGroups   = 60    // rows of origins, and of clients
	mostFrames   = 40    // of a finding's evidence
	mostPacked   = 1.4e6 // bytes of what is drawn, so that a page stays below 2 MB
)

var (
	inspectScript = asset("page/inspect.js")
	inspectStyle  = asset("page/inspect.css")
)

// Audit writes what captures hold as one page that needs nothing else: the findings with what ends
// them first, then connections over time. A nil t leaves these out.
func Audit(w io.Writer, r *audit.Result, t *timeline.Timeline, o Options) error {
	lines := hideAll(words.Audit(r), redact)
	sub := table.Clean(redact(words.AuditTitle(r)))
	v := auditView{first: first{Lead: firstOf(lines), Sub: sub, Broken: unmet(r.Asserted, redact)}, Asserted: asserted(r.Asserted, redact)}
	v.frame, v.Also = newFrame(v.Lead, sub, redact(o.Command)), lines[min(1, len(lines)):]
	v.Style = template.CSS(pageStyle + inspectStyle)
	v.Policy, v.Inspect = auditPolicy(), template.JS(inspectScript)
	v.Tiles = auditTiles(r)
	for _, c := range decisive(r.Caveats[:min(len(r.Caveats), mostCaveats)]) {
		v.Caveats = append(v.Caveats, table.Short(redact(words.AuditCaveat(c)), 600))
	}
	v.Caveat = firstOf(v.Caveats)
	v.findings(r)
	v.draw(r, t)
	v.WhatIf = newGrid(r)
	v.tables(r)
	v.Facets = auditFacets(r, t, o.Version)
	v.to(len(v.Findings) > 0, "findings", "Findings")
	v.to(v.WhatIf != nil, "what-if", "What if")
	v.to(v.OverTime != nil, "connections", "Over time")
	v.to(v.Requests != nil, "requests", "Requests")
	v.to(v.Survival != nil, "survival", "Idle limits")
	v.to(v.Causes != nil, "tables", "All figures")
	return pageHTML().ExecuteTemplate(w, "inspect.html", v)
}

// auditPolicy is the policy of this page, which has a style and a script more.
func auditPolicy() string {
	return "default-src 'none'; style-src " + hash(pageStyle+inspectStyle) + "; script-src " + hash(pageScript) + " " + hash(inspectScript) + "; base-uri 'none'; form-action 'none'"
}

// auditTiles are the figures that a reader takes along.
func auditTiles(r *audit.Result) (out []tile) {
	if v, ok := r.Reuse.Get(); ok {
		out = append(out, tile{finding.SharpShare(v), "of the requests reused a connection"})
	}
	if r.Opened > 0 {
		out = append(out, tile{fmt.Sprintf("%s of %s", finding.Count0(float64(r.Avoidable)), finding.Count0(float64(r.Opened))), "opened connections could have been avoided, at most"})
	}
	if v, ok := r.AvoidableWaiting.Get(); ok && r.Avoidable > 0 {
		out = append(out, tile{finding.Waited(v), "of waiting for them, summed over requests"})
	}
	if v, ok := r.HandshakeShare.Get(); ok {
		out = append(out, tile{finding.Share(v), "of the time that clients waited was handshakes"})
	}
	return out
}

// findings adds what was found, with what ends it.
func (v *auditView) findings(r *audit.Result) {
	remedies, pooled := 0, map[finding.Subject]bool{}
	for i, f := range r.Findings {
		text := table.Clean(redact(words.AuditFinding(f)))
		if i >= mostFindings {
			if len(v.Notes) == mostNotes {
				v.Left = len(r.Findings) - i
				break
			}
			v.Notes = append(v.Notes, table.Short(text, 600))
			continue
		}
		c := causeView{Text: text}
		if f.Cause != "" {
			c.Filter = f.Cause
		}
		for _, m := range f.Remedies {
			told := strings.TrimSuffix(words.AuditRemedy(m), ": "+m.Write)
			c.Remedies = append(c.Remedies, remedyView{fmt.Sprintf("remedy-%d", remedies), table.Clean(told), table.Clean(m.Write), table.Clean(m.Source)})
			remedies++
		}
		if len(f.Remedies) == 0 {
			c.Hint = table.Clean(words.AuditHint(f))
		}
		for _, e := range f.Evidence {
			switch e.Kind {
			case "filter":
				c.Evidence = append(c.Evidence, "Wireshark: "+table.Clean(e.Text))
			case "frames":
				c.Evidence = append(c.Evidence, "Frames: "+numbered(e.Frames))
			}
		}
		if f.Subject.Kind == "origin" && !pooled[f.Subject] {
			pooled[f.Subject] = true
			for _, g := range r.Origins {
				if g.Address == f.Subject.Of && cmp.Or(g.Name, g.Address) == f.Subject.Name {
					c.Pool = table.Clean(words.AuditPool(g))
				}
			}
		}
		v.Findings = append(v.Findings, c)
	}
}

func numbered(frames []int) string {
	var out []string
	for i, n := range frames {
		if i == mostFrames {
			return strings.Join(out, ", ") + fmt.Sprintf(" and %d more", len(frames)-i)
		}
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, ", ")
}

// draw adds the drawings.
func (v *auditView) draw(r *audit.Result, t *timeline.Timeline) {
	if c, ok := recorded.OverTime(t); ok {
		v.OverTime = &c
		packed := recorded.Pack(t)
		for len(packed) > mostPacked && len(t.Singles) > 1 {
			t = t.Thinner()
			packed = recorded.Pack(t)
		}
		v.Packed = template.HTML(packed)
		v.Drawn = words.AuditDrawn(len(t.Singles), t.Connections, t.Each)
	}
	if c, ok := recorded.Requests(t); ok {
		v.Requests = &c
	}
	if c, ok := recorded.Survival(r); ok {
		v.Survival = &c
	}
}

// A gridView is the predictions of a grid: its axes as controls name them, where these begin, and
// a row for each setting, in the order of predict.Grid.
type gridView struct {
	Idle, Connections, Orders []string
	Start                     [4]int // of each axis; the last is 1 with HTTP/2
	Began                     string
	Figures                   []string
	Table                     draw.Table
}

// newGrid is nil where nothing was replayed.
func newGrid(r *audit.Result) *gridView {
	if len(r.Grid) == 0 || r.Grid[0].All.Requests == 0 {
		return nil
	}
	t := table.Table{Caption: "Every setting, predicted", Columns: []table.Column{{Head: "setting", Align: table.Left}, {Head: "connections"}, {Head: "instead of"}, {Head: "reuse"}, {Head: "waiting for handshakes"}, {Head: "instead of"}, {Head: "waiting for a connection"}}}
	v := &gridView{Began: words.AuditGridBegins(false), Figures: []string{"connections", "reuse", "waiting for handshakes", "waiting for a connection"}}
	v.Idle, v.Connections, v.Orders = words.AuditGridAxes()
	best, _ := r.Best.Get()
	change := best.Setting
	if !change.IsZero() && !change.H2 {
		change.Order = cmp.Or(change.Order, predict.MRU) // which is the first of the axis
	}
	for i, p := range r.Grid {
		opened := table.Word(fmt.Sprint(p.All.Opened))
		if p.All.Low < p.All.High {
			opened = table.Word(fmt.Sprintf("%d (%d to %d)", p.All.Opened, p.All.Low, p.All.High))
		}
		t.Add(table.Word(p.Text), opened, table.Int(p.All.Instead.Opened), table.Number(p.All.Reuse(), finding.SharpShare), table.Known(p.All.Waiting, finding.Waited),
			table.Known(p.All.Instead.Waiting, finding.Waited), table.Known(p.All.Queueing, finding.Waited)).ID = fmt.Sprintf("what-if-row-%d", i)
		if p.Setting == change {
			v.Start, v.Began = placeOf(i, len(v.Connections), len(v.Orders)), words.AuditGridBegins(true)
		}
	}
	v.Table = draw.TableOf(t)
	return v
}

// placeOf is where a setting of predict.Grid stands on each of its axes.
func placeOf(i, connections, orders int) [4]int {
	block := connections*orders + 1
	if rest := i % block; rest < block-1 {
		return [4]int{i / block, rest / orders, rest % orders, 0}
	}
	return [4]int{i / block, 0, 0, 1}
}

// tables adds what the drawings and findings do not say.
func (v *auditView) tables(r *audit.Result) {
	some := func(caption string, t table.Table) *draw.Table {
		if len(t.Rows) == 0 {
			return nil
		}
		if len(t.Rows) > mostGroups {
			t.More = fmt.Sprintf("and %d more, which are in the JSON", len(t.Rows)-mostGroups)
			t.Rows = slices.Clone(t.Rows[:mostGroups])
		}
		t.Caption = caption
		d := draw.TableOf(t)
		return &d
	}
	v.Causes = some("Why connections were opened", report.AuditCauses(r, words.CauseLabel))
	for _, g := range []*draw.Table{some("By origin", report.AuditOrigins(r, 0, words.CauseLabel)), some("By client", report.AuditClients(r, 0, words.CauseLabel))} {
		if g != nil {
			v.Groups = append(v.Groups, *g)
		}
	}
	v.Limits, v.Hops = some("Limits", report.AuditLimits(r)), some("Proxies", report.AuditHops(r))
	v.TLS, v.Encrypted = some("TLS handshakes", report.AuditTLS(r)), hideAll(words.AuditTLS(r), redact)
}

// auditFacets say what was read.
func auditFacets(r *audit.Result, t *timeline.Timeline, version string) (out [][2]string) {
	add := func(name, text string) {
		if text != "" {
			out = append(out, [2]string{name, table.Short(redact(text), 300)})
		}
	}
	add("Files", strings.Join(r.Files[:min(len(r.Files), 10)], ", "))
	add("Began", r.Began)
	add("Recorded", finding.Lasting(r.Recorded))
	if x, ok := r.Recording.Get(); ok {
		add("Packets", finding.Count0(float64(x.Frames)))
		add("On the link", finding.Bytes(float64(x.Bytes)))
	}
	add("Connections", finding.Count0(float64(r.Connections)))
	add("Requests", finding.Count0(float64(r.Exchanges)))
	if t != nil {
		add("Drawn singly", finding.Count0(float64(len(t.Singles))))
	}
	add("linger", cmp.Or(r.Linger, version))
	return out
}
