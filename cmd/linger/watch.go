package main

import (
	"sync"
	"time"

	"linger/probe"
	"linger/report/text"
)

// A watcher is what stands on standard error while servers are probed: waits are long, and
// it moves each second. In a pipe there is nothing.
type watcher struct {
	screen
	title   string
	unit    string        // what is counted
	longest time.Duration // that the probe takes at most
	news    chan probe.Progress
	stop    chan struct{}
	gone    sync.WaitGroup
}

// watch begins to draw, which end ends.
func watch(out *outputs, title, unit string, longest time.Duration) *watcher {
	w := &watcher{
		screen: newScreen(out.std, func() text.Options { return out.layout(out.std.err) }),
		title:  title, unit: unit, longest: longest, news: make(chan probe.Progress), stop: make(chan struct{}),
	}
	w.gone.Go(w.run)
	return w
}

// run owns what is drawn.
func (w *watcher) run() {
	began := time.Now()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	defer w.clear()
	var now probe.Progress
	for {
		select {
		case now = <-w.news:
		case <-second.C:
		case <-w.stop:
			return
		}
		if !w.moves {
			continue
		}
		elapsed := time.Since(began)
		p := text.Probing{
			Title: w.title, Unit: w.unit, Done: now.Done, Total: now.Total, Waiting: now.Waiting,
			Connections: now.Connections, Requests: now.Requests, Elapsed: elapsed, AtMost: w.longest - elapsed,
		}
		w.draw(p.Lines(w.layout(), w.rows()))
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
