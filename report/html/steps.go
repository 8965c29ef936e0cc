package html

import (
	"fmt"

	"linger/compare"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// stepsChart draws where the time goes: from the slowest strategy to the fastest, each step
// a bar that ends where the next one begins. False is that there are no steps.
func stepsChart(f compare.Findings) (chart, bool) {
	c := chart{ID: "steps", Class: "told", Label: "From the slowest strategy to the fastest: what each change saves of the time."}
	steps := report.Steps(f)
	slowest, ok := rowOf(f, firstOf(steps).From)
	if !ok {
		return c, false
	}
	begin := slowest.Time.Or(compare.Time{}).Median
	most, left := begin, begin
	for _, s := range steps {
		left += s.Change
		most = max(most, left)
	}
	scale := scale{ofMS(most)}
	data := table.Table{Caption: "Where the time is saved", Columns: []table.Column{{Head: "step", Align: table.Left}, {Head: "from", Align: table.Left}, {Head: "to", Align: table.Left}, {Head: "ms", Unit: "ms"}, {Head: "leaves, ms", Unit: "ms"}}}
	total := func(name string, ms float64, class string) {
		r, _ := rowOf(f, name)
		c.Rows = append(c.Rows, chartRow{Name: table.Short(name, 20), Value: clockOf(f, r), Class: class, Strip: strip{H: 22, Marks: []mark{scale.span(tone(f, r), "", 0, ofMS(ms), 5, 12)}}})
	}
	total(slowest.Strategy, begin, "sum")
	left = begin
	for i, s := range steps {
		id, after := fmt.Sprintf("step-%d", i), left+s.Change
		from, to := min(left, after), max(left, after)
		class := "step"
		switch {
		case s.Change > 0:
			class = "step costs"
		case s.Cause == compare.StepHandshakes:
			class = "tcp"
		}
		c.Rows = append(c.Rows, chartRow{
			Name: words.StepName(s.Step), Value: s.Shown, Aside: words.StepWhy(s.Step),
			Strip: strip{H: 22, Marks: []mark{rule("base", scale.at(ofMS(left)), 0, scale.at(ofMS(left)), 22), scale.span(class, id, ofMS(from), ofMS(to), 5, 12)}},
		})
		data.Add(table.Word(words.StepName(s.Step)), table.Word(s.From), table.Word(s.To), table.Number(s.Change, report.Tenth), table.Number(after, report.Tenth)).ID = id
		left = after
	}
	last := steps[len(steps)-1].To
	total(last, left, "sum")
	c.Axis = scale.below()
	c.Data = []tableView{tableOf(data)}
	return c, true
}

// firstOf is the first of a list, or nothing.
func firstOf[T any](list []T) (none T) { return nth(list, 0) }
