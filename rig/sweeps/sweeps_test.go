package sweeps

import (
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/crowdsweep"
	"linger/policy"
)

// planOf is a sweep for a server of some workers; clients load one object a page.
func planOf(t *testing.T, clients, think, idle string, workers int) crowdsweep.Plan {
	t.Helper()
	p := crowdsweep.Plan{Crowd: linger.Crowd{Visits: 10}, Capacity: policy.Capacity{Workers: workers}, BreakEven: 80 * time.Second, Seed: 1, Trials: 1}
	var err error
	for _, parse := range []func(){
		func() { p.Workload, err = linger.ParseWorkload("objects:1x10000", 1) },
		func() { p.Network, err = linger.ParseNetwork("lte") },
		func() { p.Strategies, err = linger.ParseStrategies("close,keep") },
		func() { p.Grid.Clients, err = linger.ParseClients(clients, 5) },
		func() { p.Grid.Think, err = linger.ParseThinks(think) },
		func() { p.Grid.Idle, err = linger.ParseIdles(idle, 5) },
	} {
		if parse(); err != nil {
			t.Fatal(err)
		}
	}
	p.Workload.Scheme = linger.SchemeHTTP
	if err := Validate(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func cells(t *testing.T, p crowdsweep.Plan) (out []crowdsweep.Cell) {
	for i := range p.Grid.Cells() {
		out = append(out, Cell(t.Context(), "", p, i)...)
	}
	return out
}

// The border of keeping lies where a server's workers are all held by Little's law: where
// clients × (S + E[min(T, think)]) / (S + E[think]) reaches them. It is within one cell of the map.
func TestTheBorderIsLittles(t *testing.T) {
	const workers = 20
	p := planOf(t, "10,14,20,28,40,56,80,112", "5s", "1s,2s,15s,0", workers)
	all := cells(t, p)
	page := time.Duration(all[0].Rows[all[0].Kept].Median.Or(0) * float64(time.Millisecond))
	for _, idle := range p.Grid.Idle {
		byFormula, onMap := -1, -1
		for i, n := range p.Grid.Clients {
			if crowdsweep.Held(float64(n), 1, page, idle, p.Grid.Think[0]) <= workers {
				byFormula = i
			}
			k := slices.IndexFunc(all[i].Rows, func(r crowdsweep.Row) bool {
				return r.Persistent && r.Idle == float64(idle/time.Millisecond)
			})
			if all[i].Rows[k].KeptOut.Or(1) <= crowdsweep.MayWait && onMap == i-1 {
				onMap = i
			}
		}
		t.Logf("idle timeout %v: by formula %d clients, on the map %d", idle, p.Grid.Clients[byFormula], p.Grid.Clients[max(0, onMap)])
		if onMap < byFormula-1 || onMap > byFormula+1 {
			t.Errorf("idle timeout %v: the border is after cell %d by formula, and after %d on the map", idle, byFormula, onMap)
		}
	}
	// With as many clients as workers, keeping serves best; with twice as many it has to let go.
	if v := all[2].Serving(); v.What != crowdsweep.OnlyKeep || v.Timeouts != crowdsweep.TimeoutAtLeast {
		t.Errorf("20 clients: %+v", v)
	}
	if v := all[4].Serving(); v.Timeouts == crowdsweep.TimeoutAny || v.Timeouts == crowdsweep.TimeoutAtLeast {
		t.Errorf("40 clients: %+v", v)
	}
}

// What would take too long, or cannot be predicted, is refused in one line.
func TestSweepsOfCrowdsAreBounded(t *testing.T) {
	p := planOf(t, "10", "1s", "0", 0)
	for want, change := range map[string]func(p *crowdsweep.Plan){
		"give fewer clients": func(p *crowdsweep.Plan) { p.Grid.Clients = []int{100_000}; p.Crowd.Visits = 10_000 },
		"0 trials":           func(p *crowdsweep.Plan) { p.Trials = 0 },
		"without an end":     func(p *crowdsweep.Plan) { p.Crowd.Visits = 0 },
		"looks no names up":  func(p *crowdsweep.Plan) { p.Workload = linger.Names() },
		"wants an earlier":   func(p *crowdsweep.Plan) { p.Strategies[0].EarlyData = true },
	} {
		q := p
		q.Strategies = slices.Clone(p.Strategies)
		change(&q)
		if err := Validate(q); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
