// Package underway shows an experiment on standard error while it runs: how far it is, and the
// table of the final screen with the figures that there are so far, or that are foreseen.
package underway

import (
	"time"

	"linger/compare"
	"linger/console"
	"linger/report/text"
	"linger/run"
	"linger/trace"
)

// figuresEvery is how often figures are made of what was measured, at most: the processor is
// for the trials.
const figuresEvery = 500 * time.Millisecond

// A Progress is what stands there. It is the screen of a comparison.
type Progress struct {
	*console.Bar
	std  console.Streams
	Unit string // what is counted
	// Lines makes what is drawn; nil is a bar alone.
	Lines func(run.Progress, text.Options, int) []string
}

// New returns the progress of trials.
func New(out *console.Outputs) *Progress {
	return &Progress{Bar: console.NewBar(out), std: out.Std, Unit: "trial"}
}

// Measuring has the table of the final screen stand there while a plan is measured, with
// the figures of a prediction, if any, until there are others.
func (p *Progress) Measuring(foreseen *trace.Experiment) {
	var predicted []compare.Row
	if foreseen != nil {
		predicted = compare.Compare(*foreseen).Rows
	}
	var shown compare.Findings
	ended, next := -1, time.Duration(0) // shown is of so many trials, and may change from then on
	p.Lines = func(r run.Progress, o text.Options, rows int) []string {
		if n := r.Done + r.BaselineDone; n != ended && r.Elapsed >= next {
			ended, next, shown = n, r.Elapsed+figuresEvery, compare.Compare(*r.SoFar())
		}
		u := text.Underway{Name: p.Name, Measured: shown, Predicted: predicted, Baseline: r.Baseline, Run: p.Run(r)}
		for _, s := range r.Strategies {
			u.Standing = append(u.Standing, text.Standing(s))
		}
		return u.Lines(o, rows)
	}
}

// Crowd has a title stand there while many clients run, and which of what is compared is under way.
func (p *Progress) Crowd(title string, names []string) {
	p.Lines = func(r run.Progress, o text.Options, rows int) []string {
		c := text.Crowding{Title: title, Names: names, Run: p.Run(r)}
		for _, s := range r.Strategies {
			c.Standing = append(c.Standing, text.Standing(s))
		}
		return c.Lines(o, rows)
	}
}

// Predicting has nothing stand there but a bar.
func (p *Progress) Predicting() { p.Lines = nil }

// Note and Fail say something that stays.
func (p *Progress) Note(format string, args ...any) { p.std.Note(format, args...) }
func (p *Progress) Fail(err error)                  { p.std.Fail(err) }

// Run is how far the run has come, as text has it.
func (p *Progress) Run(r run.Progress) text.Run {
	return text.Run{Unit: p.Unit, Done: r.Done, Failed: r.Failed, Total: r.Total, Elapsed: r.Elapsed, Remaining: r.Remaining}
}

// Tell draws how far the run has come.
func (p *Progress) Tell(r run.Progress) {
	var lines func(o text.Options, rows int) []string
	if p.Lines != nil {
		lines = func(o text.Options, rows int) []string { return p.Lines(r, o, rows) }
	}
	p.Bar.Tell(p.Run(r), lines)
}
