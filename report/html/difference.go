package html

import (
	"fmt"
	"io"

	"linger"
	"linger/compare"
	"linger/compare/difference"
	"linger/compare/times"
	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/words"
)

// A changeView is what the template of a difference is given.
type changeView struct {
	frame
	first

	Times   *draw.Chart // nil where neither has one
	Facts   []string
	Changes draw.Table
	Origin  string
}

// Difference writes what has changed from one result to another as one page that needs
// nothing else: the times before and after, and each figure that is not what it was. Users and
// queries in the workload's name are left out unless o.Queries wants them.
func Difference(w io.Writer, d difference.Change, o Options) error {
	hide := func(s string) string { return s }
	if !o.Queries {
		hide = redact
	}
	d.Workload.Name = hide(d.Workload.Name)
	said := hideAll(words.Change(d), hide)
	sub := table.Clean(report.Title(compare.Findings{Workload: d.Workload, Network: d.Network})) + " · before and after"
	v := changeView{
		first:   first{Lead: "Nothing to compare.", Sub: sub, Caveats: hideAll(words.Caveats(decisive(d.Caveats)), hide)},
		Changes: draw.TableOf(report.Changes(d)), Origin: fmt.Sprintf("Two saved results held against each other, %s tested together.", linger.Plural(d.Tests, "figure")),
	}
	if o.Version != "" {
		v.Origin += " linger " + table.Clean(o.Version) + "."
	}
	if len(said) > 0 {
		v.Lead, v.Facts = said[0], said[1:]
	}
	v.frame = newFrame(v.Lead, sub, hide(o.Command))
	v.Policy = pagePolicy(false)
	v.Caveat = firstOf(v.Caveats)
	if c, ok := changeChart(d); ok {
		v.Times = &c
	}
	v.to(true, "figures", "All changes")
	v.to(len(v.Facts) > 0, "findings", "Findings")
	return pageHTML().ExecuteTemplate(w, "difference.html", v)
}

// changeChart draws the time of each strategy before, above, and after, below; false is that
// none has one.
func changeChart(d difference.Change) (draw.Chart, bool) {
	c := draw.Chart{ID: "change", Label: "The time of each strategy before and after, median and interval; shorter is better."}
	var s draw.Scale
	for _, r := range d.Rows {
		for _, o := range []linger.Opt[times.Time]{r.Before, r.After} {
			t, _ := o.Get()
			s.End = max(s.End, ofMS(max(t.Median, t.High.Or(0))))
		}
	}
	if s.End == 0 {
		return c, false
	}
	data := table.Table{Caption: "Time before and after", Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "", Align: table.Left}, {Head: "time, ms", Unit: "ms"}, {Head: "from"}, {Head: "to"},
	}}
	f := compare.Findings{Workload: d.Workload}
	group := ""
	changes := report.Changes(d)
	for i, r := range d.Rows {
		like := compare.Row{Strategy: r.Strategy, Persistent: r.Persistent}
		cells := changes.Rows[i].Cells
		out := draw.Row{Name: cells[0].Text, Value: cells[1].Text + " → " + cells[2].Text, Aside: cells[3].Text, Strip: draw.Strip{H: 30}}
		if of := family(like); of != group {
			group, out.Group = of, of
		}
		for k, one := range []struct {
			name, class string
			time        linger.Opt[times.Time]
			y           draw.PX
		}{{"before", tone(f, like) + " open", r.Before, 3}, {"after", tone(f, like), r.After, 15}} {
			t, ok := one.time.Get()
			if !ok {
				continue
			}
			id := fmt.Sprintf("change-%d-%d", i, k)
			out.Strip.Marks = append(out.Strip.Marks, s.Span(one.class, id, 0, ofMS(t.Median), one.y, 11))
			out.Strip.Marks = append(out.Strip.Marks, whisker(s, t, one.y+5.5)...)
			ms := func(o linger.Opt[float64]) table.Cell { return table.Known(o, finding.Tenth) }
			data.Add(table.Word(r.Strategy), table.Word(one.name), ms(linger.Known(t.Median)), ms(t.Low), ms(t.High)).ID = id
		}
		c.Rows = append(c.Rows, out)
	}
	c.Axis = s.Below()
	c.Data = []draw.Table{draw.TableOf(data)}
	c.Notes = []string{"The upper bar is before, the lower one after. ~ may be noise."}
	return c, true
}
