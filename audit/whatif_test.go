package audit

import (
	"testing"
	"time"
)

// What a pool would have done with traffic of which that is known: every request came on a
// connection of its own.
func TestWhatIf(t *testing.T) {
	alone := func(at ...float64) func(s *script) {
		return func(s *script) {
			for _, t := range at {
				s.open(t).ask(t+.01, .1).asked("close").server(t + .12)
			}
		}
	}
	for _, test := range []struct {
		name string
		play func(s *script)
		size int
		idle time.Duration
		want int
	}{
		{"one after the other", alone(1, 2, 3, 4), 1, 5 * time.Second, 1},
		{"kept for too short a time", alone(1, 2, 3, 4), 1, 500 * time.Millisecond, 4},
		{"one gap is too long", alone(1, 2, 3, 10, 11), 1, 5 * time.Second, 2},
		{"three at once", alone(1, 1, 1, 3, 3, 3), 3, 5 * time.Second, 3},
		{"three at once wait for one", alone(1, 1, 1, 3, 3, 3), 1, 5 * time.Second, 1},
		{"three at once, twice", alone(1, 1, 1, 30, 30, 30), 3, 5 * time.Second, 6},
		{"the last of three idles for too long", alone(1, 1, 1, 4, 8, 12), 3, 5 * time.Second, 3},
		{"two clients have a pool each", func(s *script) {
			alone(1, 2)(s)
			s.client = "192.0.2.8"
			alone(1.5, 2.5)(s)
		}, 1, 5 * time.Second, 2},
		{"a request follows its response, which waits", func(s *script) {
			// Two at once, and 4.9 s after the later one a third: with one connection the second
			// comes later, and so does the third, which still finds it.
			alone(1, 1, 6.01)(s)
		}, 1, 5 * time.Second, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{at: "client"}
			test.play(s)
			r, rows := s.run(t, func(c *Config) { c.PoolSize, c.PoolIdle = test.size, test.idle })
			w, ok := r.Origins[0].WithPool.Get()
			if want := (WhatIf{test.size, test.idle.Seconds(), len(rows), test.want, len(rows), "predicted"}); !ok || w != want {
				t.Errorf("%+v, want %+v", w, want)
			}
		})
	}
}

// The pool that remedies advise keeps what was avoidable, up to limits of the server that stay.
func TestWhatIfOfRemedies(t *testing.T) {
	s := &script{at: "client"}
	for i := range 30 {
		at := float64(1 + 2*i)
		s.open(at).ask(at+.01, .1).asked("close").server(at + .12)
	}
	r, _ := s.run(t)
	if w := r.Origins[0].WithPool.Or(WhatIf{}); w.Opened != 1 || w.Connections != 8 || w.Idle != 5 {
		t.Errorf("%+v", w)
	}
	// The server ends each connection after ten requests, whoever keeps it.
	s = &script{at: "client"}
	for i := range 12 {
		c := s.open(float64(1 + 20*i))
		for n := range 10 {
			c.ask(1.01+float64(20*i)+float64(n)*float64(1+i)/10, .05)
		}
		c.answered("close").server(1.07 + float64(20*i) + 9*float64(1+i)/10)
	}
	r, _ = s.run(t)
	if w := r.Origins[0].WithPool.Or(WhatIf{}); w.Opened != 12 || w.Requests != 120 {
		t.Errorf("%+v", w)
	}
}
