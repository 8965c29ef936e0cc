package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"linger/report/text"
	"linger/run"
)

// progress is the bar on standard error while an experiment runs. In a pipe
// there is none but a line at the start: a log is no place for a moving bar.
type progress struct {
	to    *os.File
	moves bool
	said  bool
	unit  string // what is counted
	style text.Options
}

func newProgress(std streams, o text.Options) *progress {
	return &progress{to: std.err, unit: "trial", moves: term.IsTerminal(int(std.err.Fd())) && std.env("TERM") != "dumb", style: o}
}

// tell draws how far the run has come.
func (p *progress) tell(r run.Progress) {
	switch {
	case p.moves:
		fmt.Fprintf(p.to, "\r\x1b[K%s", text.Progress(p.unit, r.Done, r.Failed, r.Total, r.Elapsed, r.Remaining, p.style))
	case !p.said:
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

// clear takes the bar away before results are printed.
func (p *progress) clear() {
	if p.moves {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
