package main

import (
	"fmt"
	"os"
	"time"

	"linger/report"
	"linger/run"
)

// progress is the bar on standard error while an experiment runs. In a pipe
// there is none but a line at the start: a log is no place for a moving bar.
type progress struct {
	to    *os.File
	moves bool
	said  bool
	style report.Options
}

func newProgress(std streams, o report.Options) *progress {
	return &progress{to: std.err, moves: isTerminal(std.err) && std.env("TERM") != "dumb", style: o}
}

// tell draws how far the run has come.
func (p *progress) tell(r run.Progress) {
	switch {
	case p.moves:
		fmt.Fprintf(p.to, "\r\x1b[K%s", report.Progress(r.Done, r.Failed, r.Total, r.Elapsed, r.Remaining, p.style))
	case !p.said:
		p.said = true
		fmt.Fprintf(p.to, "linger: %d trials, about %v\n", r.Total, r.Remaining.Round(time.Second))
	}
}

// clear takes the bar away before results are printed.
func (p *progress) clear() {
	if p.moves {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// isTerminal reports whether f is a character device that is not the null device:
// enough to decide about colour without asking the terminal anything.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
