package assertion

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/assert"
	"linger/compare/crowd"
	"linger/internal/crowds"
	"linger/internal/textbook"
	"linger/policy"
	"linger/trace"
)

// Conditions on what many clients come to, of whom most wait where connections are kept.
func TestConditionsOnCrowds(t *testing.T) {
	strategies := textbook.Strategies("close,keep")
	p := crowds.Plan{
		Crowd:    linger.Crowd{Clients: 50, Visits: 10, Think: linger.Think{Least: 5 * time.Second}},
		Capacity: policy.Capacity{Workers: 20}, Page: []time.Duration{400 * time.Millisecond}, Memory: 10_000,
	}
	e := &crowd.Experiment{Crowd: p.Crowd, Capacity: p.Capacity, Trials: 1, Strategies: strategies}
	for _, s := range strategies {
		p.Strategy = s
		e.Runs = append(e.Runs, []*trace.Crowd{crowds.Record(p)})
	}
	r := crowd.Compare(e)
	for text, want := range map[string]assert.Truth{
		`page["keep"]==400ms`: assert.Holds, `page_p95["keep"]<=10s`: assert.Broken, `page_p95["close"]<=1.2s`: assert.Holds, `page_worst["keep"]>=49s`: assert.Holds,
		`page_p95["keep"]<=60s`: assert.NotKnown, `client_p95["keep"]<=1s`: assert.NotKnown, `client_p95["close"]<1s`: assert.Holds,
		`pages["keep"]==230 && loaded["keep"]==200 && unfinished["keep"]==30 && failed["keep"]==0`: assert.Holds,
		`unserved["keep"]==30 && unserved["close"]==0 && waited["keep"]==30`:                       assert.Holds,
		`wait_worst["keep"]>=49s && wait["close"]==0s && wait_p95["close"]<=800ms`:                 assert.Holds,
		`connections["close"]==500 && connections_per_page["close"]==1 && refused["close"]==0`:     assert.Holds,
		`held["keep"]==50 && held_p99["keep"]==50 && held_peak["keep"]==50`:                        assert.Holds,
		`workers["keep"]==20 && workers_peak["keep"]==20 && queue_peak["keep"]==30`:                assert.Holds,
		`memory["keep"]==500kB && memory_peak["keep"]==500kB`:                                      assert.Holds,
		`best=="close" && advice=="close" && caveats>=1`:                                           assert.Holds,
		`break_even>1.7s && break_even<1.8s`:                                                       assert.Holds,
		`cpu_server["keep"]<1s`:                                                                    assert.NotKnown, `idle_timeout<1s`: assert.NotKnown, `added_even["keep"]<1s`: assert.NotKnown,
		`jain["keep"]<=0.41 && rate["close"]>5`: assert.Holds,
	} {
		a, err := assert.Parse(text, CrowdVocabulary(strategies...))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := a.Of(CrowdFigures(r)); got.Truth != want {
			t.Errorf("%s: %s, %s; want %s", text, got.Truth, got.Why, want)
		}
	}
	each, all := CrowdNames()
	seen := map[string]bool{}
	for _, n := range append(each, all...) {
		if seen[n.Name] || strings.ToLower(n.Name) != n.Name || n.Help == "" {
			t.Errorf("%+v", n)
		}
		seen[n.Name] = true
		if v := CrowdFigures(&crowd.Result{Rows: []crowd.Row{{Strategy: "keep"}}})(n.Name, map[bool]string{true: "keep"}[n.Each]); n.Each && v.Why == "" {
			t.Errorf("%s of nothing is %+v", n.Name, v)
		}
	}
}
