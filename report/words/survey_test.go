package words

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/difference"
	"linger/compare/sweep"
	"linger/internal/textbook"
)

// outcomes are what trials of one strategy came to; less than nothing is one that failed.
func outcomes(times ...float64) []sweep.Outcome {
	var out []sweep.Outcome
	for _, ms := range times {
		o := sweep.Outcome{Time: ms, Whole: ms >= 0, Connections: linger.Known(1.0)}
		if ms < 0 {
			o = sweep.Outcome{Reason: "not over after 5 events, 3 s of virtual time", Cause: "not over after 5 events"}
		}
		out = append(out, o)
	}
	return out
}

// survey sweeps a grid over which a function says how long close:6 and h2 take.
func survey(g linger.Grid, took func(linger.Network) (closed, kept []sweep.Outcome)) sweep.Survey {
	s := textbook.Strategies("close:6,h2")
	y := sweep.NewSurveyor(sweep.Of(linger.Gallery(1), s, g, 1, 5), g.Paths())
	for i := range g.Paths() {
		closed, kept := took(g.Path(i))
		y.Add(sweep.CellOf(g.Path(i), s, [][]sweep.Outcome{closed, kept}))
	}
	return y.Survey()
}

func ladder(n int) (out []time.Duration) {
	for i := range n {
		out = append(out, time.Duration(i+1)*10*time.Millisecond)
	}
	return out
}

func TestSurvey(t *testing.T) {
	rates := []linger.Rate{linger.Mbps, 10 * linger.Mbps, linger.Gbps}
	for _, test := range []struct {
		name string
		grid linger.Grid
		took func(linger.Network) (closed, kept []sweep.Outcome)
		want []string
	}{
		{"a border that depends on the rate", linger.Grid{Loss: []float64{0}, Down: rates, RTT: ladder(10)}, func(n linger.Network) (closed, kept []sweep.Outcome) {
			limit := map[linger.Rate]time.Duration{linger.Mbps: time.Second, 10 * linger.Mbps: 40 * time.Millisecond, linger.Gbps: 0}[n.Down]
			if n.RTT <= limit {
				return outcomes(100), outcomes(99)
			}
			return outcomes(200), outcomes(100)
		}, []string{
			"h2 is clearly fastest on 16 of 30 networks; 14 are too close to call. The best with keep-alive beats the best without on 16; median saving 50 %.",
			"Without loss it begins to make a difference beyond 40 ms at 10 Mbit/s; it makes none at any RTT at 1 Mbit/s.",
			"Keep-alive makes no difference (at most 5 % between", "on 14 of 30",
			"The largest saving is 50 % at 50 ms, 10 Mbit/s: h2 takes 100 ms, close:6 takes 200 ms.",
		}},
		{"halves, and luck", linger.Grid{Loss: []float64{0, 0.01}, Down: rates[:1], RTT: ladder(3)}, func(n linger.Network) (closed, kept []sweep.Outcome) {
			return outcomes(1000), outcomes(map[time.Duration]float64{10 * time.Millisecond: 500, 20 * time.Millisecond: 504, 30 * time.Millisecond: 600}[n.RTT])
		}, []string{"beats the best without on 3;", "On 3 networks 5 trials cannot tell what keep-alive saves or costs from noise."}},
		{"what is not known", linger.Grid{Loss: []float64{0}, Down: rates[:1], RTT: ladder(4)}, func(n linger.Network) (closed, kept []sweep.Outcome) {
			if n.RTT > 20*time.Millisecond {
				return outcomes(-1), outcomes(100)
			}
			return outcomes(100), outcomes(300)
		}, []string{"Not known on 2 networks: close:6: not over after 5 events.", "On 2 networks keep-alive costs time"}},
		{"nothing delivered", linger.Grid{Loss: []float64{0}, Down: rates[:1], RTT: ladder(4)}, func(linger.Network) (closed, kept []sweep.Outcome) {
			return outcomes(-1), outcomes(-1)
		}, []string{"No strategy delivered everything on any of 4 networks."}},
		{"where nobody has measured", linger.Grid{Loss: []float64{0, 0.02}, Down: []linger.Rate{linger.Mbps, 100 * linger.Mbps}, RTT: []time.Duration{5 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond}},
			func(linger.Network) (closed, kept []sweep.Outcome) { return outcomes(2), outcomes(1) },
			[]string{"10 of 12 networks lie outside the range in which predictions were checked against measurements (RTT 5 to 300 ms, 1600 kbit/s to 100 Mbit/s, up to 1 % loss)"}},
	} {
		test.grid.Queue = linger.DefaultQueue
		says(t, test.name, Survey(survey(test.grid, test.took)).String(), test.want, nil)
	}
}

// The sentences stand in the JSON beside the data, which is read back.
func TestDocumentsHoldBoth(t *testing.T) {
	f := compare.Compare(textbook.Examples["doubtful"]())
	var told ToldFindings
	var again compare.Findings
	read(t, OfFindings(f), &told, &again)
	if told.Verdict.Text != Verdict(f.Verdict).String() || len(told.Caveats) != len(f.Caveats) || told.Caveats[0].Text != Caveat(f.Caveats[0]) || told.Caveats[0].Code != f.Caveats[0].Code {
		t.Errorf("%+v", told)
	}
	for i := range f.Rows {
		f.Rows[i].Reuse = linger.Opt[float64]{} // which is for assertions, and not written
	}
	if !reflect.DeepEqual(again, f) {
		t.Errorf("read %+v; want %+v", again, f)
	}

	d := difference.Of(compare.Compare(textbook.Examples["gallery"]()), f)
	var toldChange ToldChange
	var change difference.Change
	read(t, OfChange(d), &toldChange, &change)
	if toldChange.Text != strings.Join(Change(d), "\n") || toldChange.Caveats[0].Text != Caveat(d.Caveats[0]) || !reflect.DeepEqual(change, d) {
		t.Errorf("%+v, %+v", toldChange, change)
	}

	v := survey(linger.Grid{Loss: []float64{0}, Down: []linger.Rate{linger.Mbps}, RTT: ladder(4), Queue: linger.DefaultQueue}, func(linger.Network) (closed, kept []sweep.Outcome) {
		return outcomes(-1), []sweep.Outcome{{Time: 5}, {Time: 6, Whole: true}}
	})
	var toldSurvey ToldSurvey
	var again2 sweep.Survey
	read(t, OfSurvey(v), &toldSurvey, &again2)
	if toldSurvey.Text != Survey(v).String() || !reflect.DeepEqual(again2, v) {
		t.Errorf("%+v, %+v", toldSurvey, again2)
	}
	if r := toldSurvey.Reasons; len(r) != 2 || r[0].Text != "close:6: not over after 5 events" || r[1].Text != "h2: 1 of 2 trials did not deliver everything" {
		t.Errorf("%+v", r)
	}
}

// read writes a document as JSON, and reads it as each of what it may be.
func read(t *testing.T, document any, into ...any) {
	t.Helper()
	b, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range into {
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatal(err)
		}
	}
}

// A cell says why a strategy is not compared, and stays as it was.
func TestCellsSayWhatDoesNotFit(t *testing.T) {
	n := textbook.Network("lte")
	c := sweep.CellOf(n, textbook.Strategies("close,h2,keep"), [][]sweep.Outcome{outcomes(1, -1), {{Time: 5}, {Time: 6, Whole: true}}, outcomes(1, 2)})
	told := OfCell(c)
	for i, want := range []string{"not over after 5 events, 3 s of virtual time", "1 of 2 trials did not deliver everything", ""} {
		if told.Rows[i].Reason != want {
			t.Errorf("%s: %q; want %q", told.Rows[i].Strategy, told.Rows[i].Reason, want)
		}
	}
	if c.Rows[1].Reason != "" {
		t.Errorf("the cell was changed: %+v", c.Rows[1])
	}
}

func TestChange(t *testing.T) {
	f := compare.Compare(textbook.Experiment("close,keep,keep:6", 5))
	later := compare.Compare(textbook.Scaled(textbook.Experiment("close,keep,h2", 5), 1, .5))
	want := []string{"keep is 1.72 s (50 %) faster than before: 1.72 s, not 3.44 s.",
		"close has not changed beyond noise.", "keep:6 is no longer there.", "h2 is new."}
	if got := Change(difference.Of(f, later)); !reflect.DeepEqual(got, want) {
		t.Errorf("says %q; want %q", got, want)
	}
	want = []string{"close, keep and keep:6 have not changed beyond noise."}
	if got := Change(difference.Of(f, f)); !reflect.DeepEqual(got, want) {
		t.Errorf("says %q; want %q", got, want)
	}
}
