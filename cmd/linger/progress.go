package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"linger/compare"
	"linger/report/text"
	"linger/run"
	"linger/trace"
)

// drawAfter is how long a run without figures lasts before something is drawn of it.
const drawAfter = 200 * time.Millisecond

// figuresEvery is how often figures are made of what was measured, at most: the processor is
// for the trials.
const figuresEvery = 500 * time.Millisecond

// progress is what stands on standard error while an experiment runs. In a pipe
// there is nothing but a line at the start: a log is no place for what moves.
type progress struct {
	screen
	said bool
	unit string // what is counted
	// lines makes what is drawn; nil is a bar alone.
	lines func(run.Progress, text.Options, int) []string
}

func newProgress(std streams, layout func() text.Options) *progress {
	return &progress{screen: newScreen(std, layout), unit: "trial"}
}

// measuring has the table of the final screen stand there while a plan is measured, with
// the figures of a prediction, if any, until there are others.
func (p *progress) measuring(foreseen *trace.Experiment) {
	var predicted []compare.Row
	if foreseen != nil {
		predicted = compare.Compare(*foreseen).Rows
	}
	var shown compare.Findings
	ended, next := -1, time.Duration(0) // shown is of so many trials, and may change from then on
	p.lines = func(r run.Progress, o text.Options, rows int) []string {
		if n := r.Done + r.BaselineDone; n != ended && r.Elapsed >= next {
			ended, next, shown = n, r.Elapsed+figuresEvery, compare.Compare(*r.SoFar())
		}
		u := text.Underway{Measured: shown, Predicted: predicted, Baseline: r.Baseline, Run: p.run(r)}
		for _, s := range r.Strategies {
			u.Standing = append(u.Standing, text.Standing(s))
		}
		return u.Lines(o, rows)
	}
}

// run is how far the run has come, as text has it.
func (p *progress) run(r run.Progress) text.Run {
	return text.Run{Unit: p.unit, Done: r.Done, Failed: r.Failed, Total: r.Total, Elapsed: r.Elapsed, Remaining: r.Remaining}
}

// tell draws how far the run has come.
func (p *progress) tell(r run.Progress) {
	switch {
	case p.moves && p.lines != nil:
		p.draw(p.lines(r, p.layout(), p.rows()))
	case p.moves && r.Elapsed >= drawAfter:
		p.draw([]string{text.Progress(p.unit, r.Done, r.Failed, r.Total, r.Elapsed, r.Remaining, p.layout())})
	case !p.moves && !p.said:
		p.said = true
		trials := "1 " + p.unit
		if r.Total != 1 {
			trials = fmt.Sprintf("%d %ss", r.Total, p.unit)
		}
		about := ""
		if r.Remaining > 0 { // otherwise nothing is known of it yet
			about = fmt.Sprintf(", about %v", max(time.Second, r.Remaining.Round(time.Second)))
		}
		fmt.Fprintf(p.to, "linger: %s%s\n", trials, about)
	}
}

// A screen is some lines on a terminal that are drawn again and again in place.
type screen struct {
	to     *os.File
	moves  bool // it is a terminal that can
	layout func() text.Options
	drawn  []string
}

func newScreen(std streams, layout func() text.Options) screen {
	return screen{to: std.err, moves: term.IsTerminal(int(std.err.Fd())) && std.env("TERM") != "dumb", layout: layout}
}

// rows is how many lines the terminal has, 0 where that is not known.
func (s *screen) rows() int {
	_, rows, err := term.GetSize(int(s.to.Fd()))
	if err != nil {
		return 0
	}
	return rows
}

// draw writes lines over those that stand there.
func (s *screen) draw(lines []string) {
	if len(lines) == 0 || strings.Join(lines, "\n") == strings.Join(s.drawn, "\n") {
		return
	}
	fmt.Fprint(s.to, s.home()+strings.Join(lines, "\x1b[K\n")+"\x1b[K\x1b[J")
	s.drawn = lines
}

// clear takes the lines away before results are printed.
func (s *screen) clear() {
	if s.moves && len(s.drawn) > 0 {
		fmt.Fprint(s.to, s.home()+"\x1b[J")
		s.drawn = nil
	}
}

// home moves to where the first of the drawn lines begins. A line that is wider than the
// terminal has become takes several of its rows.
func (s *screen) home() string {
	up := 0
	for i, line := range s.drawn {
		if i > 0 {
			up++
		}
		if columns, _, err := term.GetSize(int(s.to.Fd())); err == nil && columns > 0 {
			up += max(0, text.Width(line)-1) / columns
		}
	}
	if up == 0 {
		return "\r"
	}
	return fmt.Sprintf("\r\x1b[%dA", up)
}
