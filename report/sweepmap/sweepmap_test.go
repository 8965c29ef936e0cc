package sweepmap

import (
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/compare"
	"linger/compare/sweep"
	"linger/compare/times"
)

// Each strategy has a letter of its own, whatever the list.
func TestLettersDiffer(t *testing.T) {
	for list, want := range map[string]string{
		"close,close:6,keep,keep:6,pipeline,h2,h3":   "cCkKp23",
		"close,close:6,keep,keep:2,keep:6,pipeline":  "cCkKEp",
		"h2,h2:2,h2+resume,h3,h3+0rtt,close,close:2": "",
		linger.DefaultStrategies("dns"):              "",
	} {
		seen := map[rune]bool{}
		got := ""
		all := Letters(strings.Split(list, ","))
		for s := range strings.SplitSeq(list, ",") {
			if seen[all[s]] {
				t.Errorf("%s: %c stands for two", list, all[s])
			}
			seen[all[s]] = true
			got += string(all[s])
		}
		if want != "" && got != want {
			t.Errorf("%s: %s, want %s", list, got, want)
		}
	}
}

// swept is one network: what is fastest there, and what keep-alive saves of pairs.
func swept(best string, clear bool, keeping sweep.Keeping, pairs ...times.Saving) sweep.Cell {
	c := sweep.Cell{Best: best, Clear: clear, Keeping: keeping, KeepAlive: pairs}
	if best != "" {
		c.Kept, c.Closed = best, "close"
		c.Rows = []sweep.Row{{Strategy: best, Time: linger.Known(times.Time{Median: 648.25})}, {Strategy: "close", Time: linger.Known(times.Time{Median: 7340})}}
	}
	return c
}

func pair(with string, share float64) times.Saving {
	return times.Saving{With: with, Share: times.Amount{Value: share}}
}

func TestEvenly(t *testing.T) {
	for _, x := range []struct {
		n, most int
		want    []int
	}{{3, 5, []int{0, 1, 2}}, {10, 4, []int{0, 3, 6, 9}}, {5, 1, []int{0}}, {0, 3, []int{}}} {
		if got := Evenly(x.n, x.most); !slices.Equal(got, x.want) {
			t.Errorf("%d of %d: %v; want %v", x.most, x.n, got, x.want)
		}
	}
}

// A map keeps what is drawn, and nothing else of the grid.
func TestMapKeepsWhatIsDrawn(t *testing.T) {
	rtts, rates := make([]float64, 100), make([]float64, 50)
	s := sweep.Sweep{Strategies: []string{"close", "h2"}, Axes: sweep.Axes{Loss: []float64{0, 0.01}, Down: rates, RTT: rtts}}
	m := New(s, true)
	if len(m.Places) != pageBounds.columns || len(m.Lines) != pageBounds.lines || m.Lines[len(m.Lines)-1] != 49 {
		t.Fatalf("%v, %v", m.Places, m.Lines)
	}
	for i := range 2 * 100 * 50 {
		m.Add(i, swept("h2", true, sweep.KeepingSaves))
	}
	if len(m.cells) != 2*pageBounds.columns*pageBounds.lines {
		t.Errorf("%d cells", len(m.cells))
	}
	if _, ok := m.At(1, 49, 99); !ok {
		t.Error("the last is not there")
	}
	if _, ok := m.At(0, 1, 1); ok {
		t.Error("what is not drawn is there")
	}
	if got := Thinned(s, len(m.Lines), len(m.Places), 1); got != "Drawn are 18 of 50 rates and 26 of 100 RTTs, at 1 of 2 loss rates; all are in the CSV and the JSON." {
		t.Errorf("%q", got)
	}
	if got := Thinned(s, 50, 100, 2); got != "" {
		t.Errorf("%q", got)
	}
}

// A symbol says how sure it is, and each mark that is there is to be explained.
func TestMarks(t *testing.T) {
	m := New(sweep.Sweep{Strategies: []string{"close", "h2", "h3"}, Axes: sweep.Axes{Loss: []float64{0}, Down: []float64{1}, RTT: []float64{1, 2, 3, 4}}}, false)
	for i, x := range []struct {
		cell             sweep.Cell
		symbol, sureness string
	}{
		{swept("h3", true, sweep.KeepingSaves), "3", " "},
		{swept("h2", false, sweep.KeepingSaves), "2", "~"},
		{swept("h2", true, sweep.KeepingSame), "2", "="},
		{swept("", false, sweep.KeepingUnknown), "?", " "},
	} {
		m.Add(i, x.cell)
		if symbol, sureness := m.Symbol(x.cell, true), Sureness(x.cell); symbol != x.symbol || sureness != x.sureness {
			t.Errorf("%+v: %q, %q; want %q, %q", x.cell, symbol, sureness, x.symbol, x.sureness)
		}
	}
	for _, mark := range []string{"~", "=", "?"} {
		if !m.Marked(mark) {
			t.Errorf("no %s", mark)
		}
	}
	if got := strings.Join(m.Key(), ", "); got != "2 h2, 3 h3" {
		t.Errorf("the key is %q", got)
	}
	if got := m.Symbol(sweep.Cell{}, false); got != " " {
		t.Errorf("where nothing is it is %q", got)
	}
}

// Up to two pairs of strategies have a column each of what keep-alive saves; of more, one column
// has the range.
func TestNamedNetworks(t *testing.T) {
	s := sweep.Sweep{Strategies: []string{"close", "keep", "close:6", "keep:6", "h3"}, Axes: sweep.Axes{Loss: []float64{0}, Down: []float64{1}, RTT: []float64{1, 2}, Named: []string{"lte", "cable"}}}
	table := func(cells ...sweep.Cell) string {
		m := New(s, false)
		for i, c := range cells {
			m.Add(i, c)
		}
		var out []string
		drawn := m.Networks()
		var heads []string
		for _, c := range drawn.Columns {
			heads = append(heads, c.Head)
		}
		out = append(out, strings.Join(heads, " | "))
		for _, r := range drawn.Rows {
			var row []string
			for _, c := range r.Cells {
				row = append(row, c.Text)
			}
			out = append(out, strings.Join(row, " | "))
		}
		return strings.Join(out, "\n")
	}
	covered := swept("h3", true, sweep.KeepingSaves, pair("keep", 0.53), pair("keep:6", 0.41))
	covered.Covered = true
	if got, want := table(covered, swept("h3", false, sweep.KeepingSaves, pair("keep", -0.02))), `network | fastest | keep saves | keep:6 saves | fastest with keep-alive | fastest without
lte* | h3 648 ms | 53 % | 41 % | h3 648 ms | close 7.34 s
cable | h3 648 ms ~ | −2 % | - | h3 648 ms | close 7.34 s`; got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
	many := swept("h3", true, sweep.KeepingSaves, pair("keep", 0.66), pair("keep:6", 0.49), pair("h3", 0.5))
	if got, want := table(many), `network | fastest | keep-alive saves | fastest with keep-alive | fastest without
lte | h3 648 ms | 49 to 66 % | h3 648 ms | close 7.34 s
cable | - | - | - | -`; got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
}

func TestTitleAndOrigin(t *testing.T) {
	s := sweep.Sweep{Workload: compare.Workload{Name: "gallery", Scheme: linger.SchemeHTTPS, Exchanges: 41, Bytes: 616_000}, Axes: sweep.Axes{Loss: []float64{0}}, Seed: 1, Trials: 5}
	names := s
	names.Workload = compare.Workload{Name: "dns", Scheme: linger.SchemeDNS, Exchanges: 20}
	names.Axes = sweep.Axes{Loss: []float64{0, 0.01}, Named: []string{"lte", "3g"}}
	v := sweep.Survey{Paths: 288, Done: 288}
	for want, got := range map[string]string{
		"gallery: 41 requests, 616 kB, TLS 1.3, predicted over 288 networks":                                                                               Title(s, v),
		"dns: 20 queries, predicted over 2 networks × 2 losses":                                                                                            Title(names, v),
		"Predicted by the simulator, not measured; accuracy: docs/accuracy.md; seed 1, linger v1.":                                                         Origin(s, v, "v1"),
		"Predicted by the simulator, not measured; 3 of 288 networks outside the range checked (docs/accuracy.md); medians of 5 trials with loss; seed 1.": Origin(names, sweep.Survey{Paths: 288, Done: 288, Beyond: 3}, ""),
		"No loss": LossName(0), "0.5 % loss": LossName(0.005), "12 Mbit/s": RateName(12_000),
	} {
		if got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
