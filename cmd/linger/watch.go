package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"linger/probe"
	"linger/report/text"
)

// A watcher is the line on standard error while servers are probed: waits are long, and
// it moves each second. In a pipe there is none.
type watcher struct {
	to      *os.File
	style   text.Options
	longest time.Duration // that the probe takes at most; 0 is not known
	news    chan probe.Progress
	stop    chan struct{}
	gone    sync.WaitGroup
}

// watch begins to draw, which end ends.
func watch(std streams, style text.Options, longest time.Duration) *watcher {
	w := &watcher{to: std.err, style: style, longest: longest, news: make(chan probe.Progress), stop: make(chan struct{})}
	moves := term.IsTerminal(int(std.err.Fd())) && std.env("TERM") != "dumb"
	w.gone.Go(func() { w.run(moves) })
	return w
}

// run owns what is drawn.
func (w *watcher) run(moves bool) {
	began := time.Now()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var now probe.Progress
	for {
		select {
		case now = <-w.news:
		case <-second.C:
		case <-w.stop:
			if moves {
				fmt.Fprint(w.to, "\r\x1b[K")
			}
			return
		}
		if !moves {
			continue
		}
		elapsed := time.Since(began)
		waiting := now.Waiting
		if waiting == "" {
			waiting = "waiting for connections to be ended"
		}
		fmt.Fprintf(w.to, "\r\x1b[K%s", text.ProbeProgress(now.Done, now.Total, waiting, elapsed, w.longest-elapsed, w.style))
	}
}

// tell hands over how far the probe is.
func (w *watcher) tell(p probe.Progress) {
	select {
	case w.news <- p:
	case <-w.stop:
	}
}

// end takes the line away before results are printed.
func (w *watcher) end() {
	close(w.stop)
	w.gone.Wait()
}
