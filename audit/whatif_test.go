package audit

import (
	"testing"
	"time"

	"linger/audit/predict"
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

// setting parses one.
func setting(t *testing.T, text string) predict.Setting {
	t.Helper()
	s, err := predict.ParseSetting(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a setting comes to hangs on who ended connections, as it was observed.
func TestSettings(t *testing.T) {
	// apart are requests with that many seconds in between, each on a connection that the server
	// ends after it has idled for a second.
	apart := func(s *script) {
		for i := range 8 {
			at := 1 + 3*float64(i)
			s.open(at).ask(at+.01, .1).server(at + .11 + 1)
		}
	}
	// two is a client of two processes, each with a pool that it keeps.
	two := func(s *script) {
		x, y := s.open(1).ask(1.01, .1), s.open(2).ask(2.01, .1)
		for i := range 5 {
			x.ask(3+2*float64(i), .1)
			y.ask(4+2*float64(i), .1)
		}
	}
	fifo := func(s *script) {
		// Two at once, which then take turns.
		x, y := s.open(1).ask(1.01, .1), s.open(1).ask(1.01, .12)
		for i := range 5 {
			x.ask(2+float64(i), .1)
			y.ask(2.5+float64(i), .1)
		}
		x.client(9.1)
		y.client(9.6)
	}
	// blind is a pool that does not look whether the server has closed, after a second. Its process
	// ends soon after a request, three times, which is no limit of the pool's.
	blind := func(s *script) {
		for i := range 6 {
			at := 1 + 3*float64(i)
			s.open(at).ask(at+.01, .1).ask(at+2.98, .01).asks(unanswered).server(at + .11 + 1)
		}
		for i := range 3 {
			at := 19 + float64(i)
			s.open(at).ask(at+.01, .1).client(at + .11 + .16)
		}
	}
	for _, test := range []struct {
		name, setting   string
		play            func(s *script)
		opened, instead int
	}{
		{"the server's limit stays", "idle=60s", apart, 8, 8},
		{"or is raised", "server-idle=60s", apart, 1, 8},
		{"to what is still too short", "server-idle=2s", apart, 8, 8},
		{"raised for a pool that does not look", "server-idle=60s", blind, 3, 9},
		{"processes keep their pools", "idle=60s", two, 2, 2},
		{"or share one", "connections=6", two, 1, 2},
		{"or share one of HTTP/2", "h2", two, 1, 2},
		{"two at once that were two", "connections=6", fifo, 2, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{at: "middle"}
			test.play(s)
			r, _ := s.run(t, func(c *Config) { c.Settings = []predict.Setting{setting(t, test.setting)} })
			w := r.WhatIf[0]
			if w.All.Opened != test.opened || w.All.Instead.Opened != test.instead || w.All.Instead.Replayed != test.instead || w.Text == "" || len(w.Origins) != 1 || w.Origins[0].Name != "shop.example" {
				t.Errorf("%+v, want %d instead of %d", w, test.opened, test.instead)
			}
		})
	}
	s := &script{at: "client"}
	fifo(s)
	var conns []*conn
	a := New(Config{})
	for _, c := range s.list {
		for i := range c.xs {
			a.WriteExchange(&c.xs[i])
		}
		a.WriteConnection(&c.r)
	}
	conns = append(conns, a.fresh...)
	if order, _ := orderOf(conns); order != 1 {
		t.Errorf("turns are taken in order %d", order)
	}
}

// The change that saves most is told where one is worth it.
func TestBest(t *testing.T) {
	s := &script{at: "client", trip: 40 * time.Millisecond}
	for i := range 30 {
		at := float64(1 + 3*i)
		s.open(at).ask(at+.05, .1).server(at + 1.15)
	}
	r, _ := s.run(t)
	best, ok := r.Best.Get()
	if !ok || best.Setting.ServerIdle == 0 || best.All.Opened != 1 || best.All.Instead.Opened != 30 || best.All.Waiting.Or(0) != 40 || best.All.Instead.Waiting.Or(0) != 1200 {
		t.Errorf("%+v", best)
	}
	s = &script{at: "client"}
	c := s.open(1)
	for i := range 30 {
		c.ask(1.02+float64(i), .1)
	}
	if r, _ := s.run(t); !r.Best.IsZero() {
		t.Errorf("nothing is avoidable: %+v", r.Best)
	}
}

// The grid is there where it is asked for, in its order.
func TestGridOfResult(t *testing.T) {
	s := &script{at: "client"}
	for i := range 5 {
		at := float64(1 + 3*i)
		s.open(at).ask(at+.02, .1).asked("close").server(at + .13)
	}
	r, _ := s.run(t, func(c *Config) { c.Grid = true })
	for i, g := range predict.Grid() {
		if len(r.Grid) != len(predict.Grid()) || r.Grid[i].Setting != g || r.Grid[i].All.Requests != 5 {
			t.Fatalf("%d: %+v", i, r.Grid)
		}
	}
}
