package console

import (
	"sync"
	"time"

	"linger/report/text"
)

// A Pulse shows, each second and at each news, how long something has waited and how far it has
// come, which a T says. In a pipe there is nothing.
type Pulse[T any] struct {
	screen Screen
	lines  func(now T, elapsed time.Duration, o text.Options, rows int) []string
	news   chan T
	stop   chan struct{}
	gone   sync.WaitGroup
}

// Watch begins to draw what lines makes, above the result that goes to out; End ends it.
func Watch[T any](out *Outputs, lines func(now T, elapsed time.Duration, o text.Options, rows int) []string) *Pulse[T] {
	p := &Pulse[T]{
		screen: NewScreen(out.Std, func() text.Options { return out.Layout(out.Std.Err) }),
		lines:  lines, news: make(chan T), stop: make(chan struct{}),
	}
	p.gone.Go(p.run)
	return p
}

// run owns what is drawn.
func (p *Pulse[T]) run() {
	began := time.Now()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	defer p.screen.Clear()
	var now T
	for {
		select {
		case now = <-p.news:
		case <-second.C:
		case <-p.stop:
			return
		}
		p.screen.Draw(func(o text.Options, rows int) []string { return p.lines(now, time.Since(began), o, rows) })
	}
}

// Tell hands over how far it has come.
func (p *Pulse[T]) Tell(now T) {
	select {
	case p.news <- now:
	case <-p.stop:
	}
}

// End takes the lines away before results are printed.
func (p *Pulse[T]) End() {
	close(p.stop)
	p.gone.Wait()
}
