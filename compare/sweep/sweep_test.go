package sweep

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
)

func strategiesOf(t testing.TB, list string) []linger.Strategy {
	t.Helper()
	s, err := linger.ParseStrategies(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trialsOf is what trials of one strategy came to; less than nothing is one that failed.
func trialsOf(times ...float64) []Outcome {
	var out []Outcome
	for _, ms := range times {
		o := Outcome{Time: ms, Whole: ms >= 0, Connections: linger.Known(1.0)}
		if ms < 0 {
			o = Outcome{Reason: "not over after 5 events, 3 s of virtual time", Cause: "not over after 5 events"}
		}
		out = append(out, o)
	}
	return out
}

var onePath = linger.Network{RTT: 70 * time.Millisecond, Down: linger.Mbps, Up: linger.Mbps, Queue: linger.DefaultQueue}

func TestCellSaysWhatTakesLeastAndWhatKeepingDoes(t *testing.T) {
	s := strategiesOf(t, "close,close:6,keep,h2")
	for _, x := range []struct {
		name               string
		outcomes           [][]Outcome
		best, kept, closed string
		clear              bool
		keeping            Keeping
		saves              string
	}{
		{"one is clearly ahead", [][]Outcome{trialsOf(1000), trialsOf(500), trialsOf(400), trialsOf(100)}, "h2", "h2", "close:6", true, KeepingSaves, "0.8"},
		{"the next is as good", [][]Outcome{trialsOf(1000), trialsOf(500), trialsOf(102), trialsOf(100)}, "h2", "h2", "close:6", false, KeepingSaves, "0.8"},
		{"no difference", [][]Outcome{trialsOf(1000), trialsOf(104), trialsOf(300), trialsOf(100)}, "h2", "h2", "close:6", false, KeepingSame, "0.0385"},
		{"keeping costs", [][]Outcome{trialsOf(50), trialsOf(104), trialsOf(300), trialsOf(100)}, "close", "h2", "close", true, KeepingCosts, "-1"},
		{"what failed is not compared", [][]Outcome{trialsOf(1000), trialsOf(500), trialsOf(400), trialsOf(-1)}, "keep", "keep", "close:6", false, KeepingSaves, "0.2"},
		{"only kept ones delivered", [][]Outcome{trialsOf(-1), trialsOf(-1), trialsOf(400), trialsOf(100)}, "h2", "h2", "", false, KeepingUnknown, ""},
		{"none delivered", [][]Outcome{trialsOf(-1), trialsOf(-1), trialsOf(-1), trialsOf(-1)}, "", "", "", false, KeepingUnknown, ""},
		{"noise", [][]Outcome{trialsOf(900, 1000), trialsOf(500, 700), trialsOf(550, 650), trialsOf(100, 300)}, "h2", "h2", "close:6", false, KeepingNoise, "0.6667"},
		{"trials that tell", [][]Outcome{trialsOf(9, 9.1, 9.2, 9.3, 9.4), trialsOf(5, 5.1, 5.2, 5.3, 5.4), trialsOf(7, 7, 7, 7, 7.1), trialsOf(1, 1.1, 1.2, 1.3, 1.4)}, "h2", "h2", "close:6", true, KeepingSaves, "0.7692"},
		{"one trial of three failed", [][]Outcome{trialsOf(9, 9, 9), trialsOf(5, 5, 5), trialsOf(7, 7, 7), trialsOf(1, 1, -1)}, "h2", "h2", "close:6", false, KeepingNoise, "0.8"},
	} {
		c := CellOf(onePath, s, x.outcomes)
		saves := ""
		if v, ok := c.Saves.Get(); ok {
			saves = fmt.Sprint(v)
		}
		if c.Best != x.best || c.Kept != x.kept || c.Closed != x.closed || c.Clear != x.clear || c.Keeping != x.keeping || saves != x.saves {
			t.Errorf("%s: best %q, kept %q, closed %q, clear %v, keeping %q, saves %q", x.name, c.Best, c.Kept, c.Closed, c.Clear, c.Keeping, saves)
		}
	}
	lossy := onePath
	lossy.Loss = 0.01
	if c := CellOf(lossy, s, [][]Outcome{trialsOf(1000), trialsOf(500), trialsOf(400), trialsOf(100)}); c.Clear || c.Keeping != KeepingNoise {
		t.Errorf("one trial where packets are lost: clear %v, keeping %q", c.Clear, c.Keeping)
	}
	c := CellOf(onePath, s, [][]Outcome{trialsOf(3, 1, 2), trialsOf(5, -1, 5), trialsOf(-1, -1, -1), {{Time: 3}, {Time: 4}, {Time: 5}}})
	if m, _ := c.Rows[0].Time.Get(); m.Median != 2 || c.Rows[0].Failed != 0 || c.Rows[0].Reason != "" {
		t.Errorf("%+v", c.Rows[0])
	}
	if m, _ := c.Rows[1].Time.Get(); m.Median != 5 || c.Rows[1].Failed != 1 || !strings.HasPrefix(c.Rows[1].Reason, "not over") {
		t.Errorf("%+v", c.Rows[1])
	}
	if !c.Rows[2].Time.IsZero() || c.Rows[3].Reason != "" || c.Rows[3].Failed != 3 || !c.Rows[3].Time.IsZero() {
		t.Errorf("%+v, %+v", c.Rows[2], c.Rows[3])
	}
}

// survey sweeps a grid over which a function says how long close:6 and h2 take.
func survey(t testing.TB, g linger.Grid, took func(linger.Network) (closed, kept []Outcome)) Survey {
	t.Helper()
	s := strategiesOf(t, "close:6,h2")
	y := NewSurveyor(Of(linger.Gallery(1), s, g, 1, 5), g.Paths())
	for i := range g.Paths() {
		closed, kept := took(g.Path(i))
		y.Add(CellOf(g.Path(i), s, [][]Outcome{closed, kept}))
	}
	return y.Survey()
}

func ladder(n int) (out []time.Duration) {
	for i := range n {
		out = append(out, time.Duration(i+1)*10*time.Millisecond)
	}
	return out
}

// From a round-trip time that depends on the rate, keeping saves; before, it makes no
// difference.
func TestSurveyFindsTheBorder(t *testing.T) {
	g := linger.Grid{Loss: []float64{0}, Down: []linger.Rate{linger.Mbps, 10 * linger.Mbps, linger.Gbps}, RTT: ladder(10), Queue: linger.DefaultQueue}
	v := survey(t, g, func(n linger.Network) (closed, kept []Outcome) {
		limit := map[linger.Rate]time.Duration{linger.Mbps: time.Second, 10 * linger.Mbps: 40 * time.Millisecond, linger.Gbps: 0}[n.Down]
		if n.RTT <= limit {
			return trialsOf(100), trialsOf(99)
		}
		return trialsOf(200), trialsOf(100)
	})
	if v.Same != 14 || v.Saves != 16 || len(v.Borders) != 3 {
		t.Fatalf("%+v", v)
	}
	if b := v.Borders[0]; !b.All || b.Same.Or(0) != 100 {
		t.Errorf("at 1 Mbit/s: %+v", b)
	}
	if b := v.Borders[1]; b.All || b.Same.Or(0) != 40 || b.Down != 10_000 {
		t.Errorf("at 10 Mbit/s: %+v", b)
	}
	if b := v.Borders[2]; b.All || !b.Same.IsZero() {
		t.Errorf("at 1 Gbit/s: %+v", b)
	}
	if found, want := surveyed(v), "fastest-on keeping-saves-on near-fastest-on most-saved same-on border uncovered"; found != want {
		t.Errorf("found %s; want %s", found, want)
	}
}

// surveyed lists the codes of what was found.
func surveyed(v Survey) string {
	var out []string
	for _, f := range v.Findings {
		out = append(out, f.Code)
	}
	return strings.Join(out, " ")
}

// Half is half, not what rounds to it, and where luck is not ruled out nothing is saved.
func TestSurveyCountsHalvesExactly(t *testing.T) {
	g := linger.Grid{Loss: []float64{0, 0.01}, Down: []linger.Rate{linger.Mbps}, RTT: ladder(3), Queue: linger.DefaultQueue}
	v := survey(t, g, func(n linger.Network) (closed, kept []Outcome) {
		return trialsOf(1000), trialsOf(map[time.Duration]float64{10 * time.Millisecond: 500, 20 * time.Millisecond: 504, 30 * time.Millisecond: 600}[n.RTT])
	})
	if f := v.Findings[1]; f.Code != KeepingSavesOn || f.Figures.Value("halves_on").Or(0) != 1 || v.Saves != 3 || v.Noise != 3 {
		t.Errorf("%+v, %+v", v, f)
	}
}

func TestSurveyTellsWhatIsNotKnown(t *testing.T) {
	g := linger.Grid{Loss: []float64{0}, Down: []linger.Rate{linger.Mbps}, RTT: ladder(4), Queue: linger.DefaultQueue}
	v := survey(t, g, func(n linger.Network) (closed, kept []Outcome) {
		if n.RTT > 20*time.Millisecond {
			return trialsOf(-1), trialsOf(100)
		}
		return trialsOf(100), trialsOf(300)
	})
	if v.Unknown != 2 || v.Costs != 2 || len(v.Reasons) != 1 || v.Reasons[0] != (Reason{Strategy: "close:6", Cause: "not over after 5 events", Paths: 2}) {
		t.Errorf("%+v", v)
	}
	if found, want := surveyed(v), "fastest-on keeping-saves-on near-fastest-on none-same keeping-costs-on unknown-on uncovered"; found != want {
		t.Errorf("found %s; want %s", found, want)
	}
	none := survey(t, g, func(linger.Network) (closed, kept []Outcome) { return trialsOf(-1), trialsOf(-1) })
	if found, want := surveyed(none), "none-delivered unknown-on unknown-on uncovered"; none.Known() != 0 || found != want {
		t.Errorf("%d known, found %s; want %s", none.Known(), found, want)
	}
}

// What counts as covered is what the document on accuracy covers, and what lies outside
// is said.
func TestSurveySaysWhereNobodyHasMeasured(t *testing.T) {
	b, err := os.ReadFile("../../docs/accuracy.md")
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(strings.Fields(string(b)), " "); !strings.Contains(said, "a round-trip time (5, 20, 70, 170, 300 ms), a rate each way (1.6, 5, 12, 100 Mbit/s)") || !strings.Contains(said, "loss 1 %, all") {
		t.Error("docs/accuracy.md covers other paths now: correct what compare/sweep.go says of it")
	}
	g := linger.Grid{Loss: []float64{0, 0.02}, Down: []linger.Rate{linger.Mbps, 100 * linger.Mbps}, RTT: []time.Duration{5 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond}, Queue: linger.DefaultQueue}
	v := survey(t, g, func(linger.Network) (closed, kept []Outcome) { return trialsOf(2), trialsOf(1) })
	if found := surveyed(v); v.Beyond != 10 || !strings.HasSuffix(found, " uncovered") {
		t.Errorf("%d: %s", v.Beyond, found)
	}
}

// What is kept of a sweep does not grow with it, but for a line on each rate.
func TestSurveyorKeepsNoCells(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	s := strategiesOf(t, "close:6,h2")
	g := linger.Grid{Loss: []float64{0}, Down: []linger.Rate{linger.Mbps}, RTT: ladder(1000), Queue: linger.DefaultQueue}
	y := NewSurveyor(Of(linger.Gallery(1), s, g, 1, 5), 1)
	before := heap()
	paths := testall.Of(300_000, 30_000)
	for i := range paths {
		y.Add(CellOf(g.Path(i%1000), s, [][]Outcome{trialsOf(100 + float64(i%7)), trialsOf(float64(i % 300))}))
	}
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("%d bytes more after %d paths", grown, paths)
	}
	if v := y.Survey(); v.Done != paths {
		t.Errorf("%d", v.Done)
	}
}
