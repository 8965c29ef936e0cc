package overtime

import (
	"slices"
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/internal/results"
	"linger/report/html/draw"
	"linger/trace"
)

// Every mark that stands for something leads to a row of the data, and no two rows have one name;
// strips of a chart have one height for one value.
func TestMarksHaveTheirRows(t *testing.T) {
	for _, r := range []*crowd.Result{results.Crowd(), results.CrowdOfServers(), many()} {
		for _, p := range Panels(r, r.Experiment.Runs) {
			rows := map[string]bool{}
			for _, row := range p.Chart.Data[0].Rows {
				if rows[row.ID] {
					t.Errorf("%s: two rows are %s", p.ID, row.ID)
				}
				rows[row.ID] = true
			}
			pointed := map[string]bool{}
			for _, row := range p.Chart.Rows {
				for _, m := range row.Strip.Marks {
					if m.Row != "" && !rows[m.Row] {
						t.Errorf("%s: there is no row %s", p.ID, m.Row)
					}
					pointed[m.Row] = true
				}
			}
			if len(pointed) < 5 || p.Chart.Label == "" || len(p.Chart.Axis.Marks) == 0 {
				t.Errorf("%s: %d things can be pointed at, label %q", p.ID, len(pointed), p.Chart.Label)
			}
		}
	}
}

// many is a crowd of more pages than are drawn one by one, of which the last has failed.
func many() *crowd.Result {
	r := results.Crowd()
	run := r.Experiment.Runs[0][0]
	for i := range 20 * mostDots {
		at := linger.Instant(i) * linger.Instant(time.Millisecond)
		run.Visits = append(run.Visits, trace.Visit{Client: i, Wanted: at, Done: linger.Known(at.Add(time.Duration(100+i%100) * time.Millisecond))})
	}
	run.Visits = append(run.Visits, trace.Visit{Wanted: run.Ended})
	return r
}

// Many pages are bins, and what was lost is longer than any.
func TestManyPagesAreBins(t *testing.T) {
	r := many()
	p := Panels(r, r.Experiment.Runs)[0]
	if p.ID != "pages" || len(p.Chart.Data[0].Rows) > len(r.Rows)*bins || p.Chart.Data[0].Heads[3].Text != "pages" {
		t.Fatalf("%s: %d rows, %+v", p.ID, len(p.Chart.Data[0].Rows), p.Chart.Data[0].Heads)
	}
	lost := 0
	for _, row := range p.Chart.Data[0].Rows {
		if row.Cells[4].Text != "0" {
			lost++
			if row.Cells[4].Text != "1" || !row.Cells[7].Nothing {
				t.Errorf("%+v", row.Cells)
			}
		}
	}
	if lost != 1 {
		t.Errorf("pages are lost in %d bins", lost)
	}
}

// A curve goes in steps, and is broken where nobody saw what was held.
func TestCurve(t *testing.T) {
	series := []trace.CrowdSample{{At: 0}, {At: 10}, {At: 20}, {At: 30}}
	for i, n := range []int{1, 0, 2, 2} {
		if i != 1 {
			series[i].Server.Waiting = linger.Known(n)
		}
	}
	of := func(s trace.CrowdSample) linger.Opt[int] { return s.Server.Waiting }
	f := draw.Field{Top: 0, Base: 10, Most: 2}
	for closed, want := range map[bool]string{
		false: "M0.0 5H250.0M500.0 0H750.0H750.0V0H750.0", true: "M0.0 10L0.0 5H250.0L250.0 10ZM500.0 10L500.0 0H750.0H750.0V0H750.0L750.0 10Z",
	} {
		if got := curve("x", closed, draw.Scale{End: 40}, f, series, of).Path; got != want {
			t.Errorf("closed %t: %s; want %s", closed, got, want)
		}
	}
}

// Times of pages stand on a scale of their logarithms, with a few lines whatever they span.
func TestDecades(t *testing.T) {
	for _, d := range []decades{{100, 400}, {5, 30_000}, {0.2, 0.9}} {
		ticks := 0
		for _, m := range d.ticks() {
			if m.Shape == "text" {
				ticks++
			}
		}
		if ticks < 1 || ticks > 7 || d.at(d.least) != pagesBase || d.at(d.most) != pagesTop || d.at(d.most*9) != pagesTop {
			t.Errorf("%+v: %d ticks, from %v to %v", d, ticks, d.at(d.least), d.at(d.most))
		}
	}
}

// Workers are drawn where there are so many, or somebody waits for the server.
func TestWorkersAreDrawnWhereTheyMatter(t *testing.T) {
	drawn := func(r *crowd.Result) bool {
		return slices.ContainsFunc(Panels(r, r.Experiment.Runs), func(p Panel) bool { return p.ID == "workers" })
	}
	r := results.Crowd()
	if !drawn(r) {
		t.Error("20 workers are not drawn")
	}
	if r.Experiment.Capacity.Workers = 0; !drawn(r) {
		t.Error("a queue is not drawn")
	}
	for i := range r.Rows {
		r.Rows[i].Queue.Peak = linger.Known(0.0)
	}
	if drawn(r) {
		t.Error("there is no limit and no queue, and workers are drawn")
	}
}
