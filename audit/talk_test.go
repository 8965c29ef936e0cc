package audit

import (
	"testing"

	"linger/trace"
)

// Long polls are streams; what is merely slow, or large, or asked for now and then is not.
func TestLongPolls(t *testing.T) {
	body := func(n int64) func(*trace.Exchange) {
		return func(x *trace.Exchange) { x.ResponseBody = n }
	}
	const wait = 30
	poll := func(s *script, gap float64, size int64) *one {
		c := s.open(1)
		for at, n := 1.01, 0; n < 5; n++ {
			c.ask(at, wait).asks(body(size))
			at += wait + gap
		}
		return c
	}
	for _, test := range []struct {
		name string
		play func(s *script)
		want int // streams
	}{
		{"on one connection", func(s *script) { poll(s, .05, 100) }, 1},
		{"some are answered early", func(s *script) {
			c := s.open(1)
			at := 1.01
			for _, takes := range []float64{wait, 2, wait, 0.1, wait, wait} {
				c.ask(at, takes)
				at += takes + .02
			}
		}, 1},
		{"on a connection each", func(s *script) {
			for n := range 4 {
				at := 1 + float64(n)*(wait+.1)
				s.open(at).ask(at+.01, wait).asked("close").server(at + .02 + wait)
			}
		}, 4},
		{"slow, and repeated now and then", func(s *script) { poll(s, 60, 100) }, 0},
		{"slow, and large", func(s *script) { poll(s, .05, 1_000_000) }, 0},
		{"one slow response", func(s *script) { s.open(1).ask(1.01, wait).ask(1.02+wait, .02).ask(1.05+wait, .02) }, 0},
		{"two", func(s *script) { s.open(1).ask(1.01, wait).ask(1.02+wait, wait) }, 0},
		{"beside other requests", func(s *script) {
			poll(s, .05, 100).ask(200, .02).asks(func(x *trace.Exchange) { x.URL = "http://shop.example/b" })
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{at: "middle"}
			test.play(s)
			r, rows := s.run(t)
			if r.Streams.Connections != test.want || r.Connections != len(rows)-test.want {
				t.Errorf("%d are streams, want %d; others %d", r.Streams.Connections, test.want, r.Connections)
			}
			if test.want > 0 && (r.Avoidable > 0 || r.Exchanges > 0) {
				t.Errorf("%d avoidable, %d requests", r.Avoidable, r.Exchanges)
			}
		})
	}
}
