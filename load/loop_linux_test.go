package load

import (
	"testing"

	"linger/load/plan"
	"linger/tally"
)

func TestCountsAreTheServersOwn(t *testing.T) {
	for _, test := range []struct {
		strategy    string
		closing     tally.Closing
		life        plan.Life
		connections int64
	}{
		{"keep", "", plan.Life{}, 8},
		{"keep+1.0", "", plan.Life{}, 8},
		{"pipeline", "", plan.Life{}, 8},
		{"close", tally.CloseFIN, plan.Life{}, 500},
		{"close+1.0", tally.CloseFIN, plan.Life{}, 500},
		{"close", tally.CloseRST, plan.Life{}, 500},
		{"close", tally.CloseAgain, plan.Life{}, 500},
		{"close", tally.CloseAgainRST, plan.Life{}, 500},
		{"keep", tally.CloseFIN, plan.Life{Requests: plan.Range{Least: 10, Most: 10}}, 0},
		{"pipeline", tally.CloseFIN, plan.Life{Requests: plan.Range{Least: 7, Most: 7}}, 0},
		{"keep", tally.CloseAgain, plan.Life{Requests: plan.Range{Least: 5, Most: 15}}, 0},
	} {
		t.Run(test.strategy+" "+string(test.closing), func(t *testing.T) {
			s := serve(t, hello)
			c := s.config(t, test.strategy)
			c.Closing, c.Life = test.closing, test.life
			r := run(t, c)
			if r.Requests.Answered != 500 || s.requests.Load() != 500 || r.Requests.Statuses[200] != 500 {
				t.Errorf("%+v; the server saw %d", r.Requests, s.requests.Load())
			}
			if got := r.Connections.Established; got != s.opened.Load() || test.connections > 0 && got != test.connections {
				t.Errorf("%d connections, the server saw %d, want %d", got, s.opened.Load(), test.connections)
			}
		})
	}
}
