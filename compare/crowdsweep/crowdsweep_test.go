package crowdsweep_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"linger/compare/crowdsweep"
	"linger/internal/results"
)

// codes are those of findings, with the think times that they are about.
func codes(v crowdsweep.Survey) string {
	var out []string
	for _, f := range v.Findings {
		code := f.Code
		if f.Subject.Name != "" {
			code += "(" + f.Subject.Name + ")"
		}
		out = append(out, code)
	}
	return strings.Join(out, " ")
}

// With W workers, keeping serves best as long as not more connections than W would be held, by
// Little's law; above, closing does, or a timeout that lets go in time.
func TestWhatServesBest(t *testing.T) {
	p := results.CrowdPlan(t, "10,20,40,100", "5s", "1s,15s,0", 20)
	cells := results.CrowdCells(p, 4)
	want := []crowdsweep.Serving{
		{What: crowdsweep.OnlyKeep, Keep: "keep", Timeouts: crowdsweep.TimeoutAtLeast, Least: 15000},
		{What: crowdsweep.OnlyKeep, Keep: "keep", Timeouts: crowdsweep.TimeoutAtLeast, Least: 15000},
		{What: crowdsweep.Either, Keep: "keep", Close: "close", Timeouts: crowdsweep.TimeoutAtMost, Least: 1000, Most: 1000},
		{What: crowdsweep.OnlyClose, Close: "close"},
	}
	for i, c := range cells {
		if got := c.Serving(); got != want[i] {
			t.Errorf("%d clients: %+v; want %+v", c.Clients, got, want[i])
		}
	}
	v := p.SurveyOf(cells)
	if v.Keep != 2 || v.Either != 1 || v.Close != 1 || v.None != 0 {
		t.Errorf("%+v", v)
	}
	if got, want := codes(v), "serves-best(5s) one-timeout worst-choice held-by(5s) tune-agrees"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	f := v.Findings[0].Figures
	if f.All("from").Value("from").Or(0) != 10 || len(f.All("from")) != 3 || f.All("to")[0].Value.Or(0) != 20 || f.All("to")[2].Value.Or(0) != 100 {
		t.Errorf("%+v", f)
	}
	// 20 workers, a page of 300 ms, no limit: all held from 20 clients on; with 1 s, from 82 on.
	for _, f := range v.Findings {
		if f.Code == crowdsweep.HeldBy {
			n := f.Figures.All("clients")
			if got := []float64{n[0].Value.Or(0), n[1].Value.Or(0), n[2].Value.Or(0)}; math.Abs(got[0]-20*5.3/1.3) > 0.1 || got[1] != 20 || got[2] != 20 {
				t.Errorf("%v", got)
			}
		}
	}
}

// Where there is room, the rule of tune, which weighs connections against each other, chooses
// what serves pages best: the shortest timeout with which connections are used again. With a limit
// that it is told, it lets go as well.
func TestTuneAgreesWhereThereIsRoom(t *testing.T) {
	p := results.CrowdPlan(t, "10", "5s", "1s,15s,60s,0", 0)
	c := results.CrowdCells(p, 1)[0]
	if c.Tuned != c.Kept || c.Rows[c.Kept].Idle != 15000 {
		t.Errorf("tune %+v; kept %+v", c.Rows[c.Tuned], c.Rows[c.Kept])
	}
	p = results.CrowdPlan(t, "40", "5s", "1s,15s,60s,0", 20)
	if c = results.CrowdCells(p, 1)[0]; c.Tuned != c.Kept || c.Rows[c.Kept].Idle != 1000 {
		t.Errorf("with 20 workers: tune %+v; kept %+v", c.Rows[c.Tuned], c.Rows[c.Kept])
	}
}

// What is the same for all think times is said once; what was stopped is said.
func TestSurveySaysOnce(t *testing.T) {
	p := results.CrowdPlan(t, "10,20", "1s,5s", "15s,0", 0)
	if got, want := codes(p.SurveyOf(results.CrowdCells(p, 4))), "serves-best one-timeout tune-agrees"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if got, want := codes(p.SurveyOf(results.CrowdCells(p, 1))), "serves-best(1s) one-timeout tune-agrees stopped-at"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if got := codes(p.SurveyOf(nil)); got != "no-crowd" {
		t.Error(got)
	}
	p.Budget = 5
	if got, want := codes(p.SurveyOf(results.CrowdCells(p, 4))), "serves-best(1s) serves-best(5s) one-timeout held-by(1s) held-by(5s) beyond-budget"; !strings.Contains(got, crowdsweep.BeyondBudget) {
		t.Errorf("%s; want %s", got, want)
	}
}

// A cell's crowd comes over one think time, as if it had been there before.
func TestCrowdsOfCells(t *testing.T) {
	p := results.CrowdPlan(t, "10,50", "1s,5s", "0", 0)
	if c := p.CrowdOf(3); c.Clients != 50 || c.Arrivals != 10 || c.Think.Least != 5*time.Second || c.Visits != 4 {
		t.Errorf("%+v", c)
	}
	p.Crowd.Arrivals = 3
	if c := p.CrowdOf(1); c.Clients != 10 || c.Arrivals != 3 {
		t.Errorf("%+v", c)
	}
	if n := p.Pages(); n != (10+10+50+50)*4*2 {
		t.Errorf("%v pages", n)
	}
	p.Crowd.Visits, p.Crowd.Duration = 0, 10*time.Second
	if n := p.Pages(); n != (60*11+60*3)*2 {
		t.Errorf("%v pages", n)
	}
}
