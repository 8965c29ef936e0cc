package results

import (
	"testing"
	"time"

	"linger"
	"linger/compare/sweep"
	"linger/report/sweepmap"
)

// Swept predicts nothing: close:6 takes three round trips an object, h2 three in
// all, and each as long as the bytes take. What fails is where the round-trip time
// is 13 ms.
func Swept(t testing.TB, g linger.Grid, forPage bool) (*sweepmap.Map, sweep.Survey, []sweep.Cell) {
	t.Helper()
	strategies, err := linger.ParseStrategies("close,close:6,keep:6,pipeline,h2")
	if err != nil {
		t.Fatal(err)
	}
	s := sweep.Of(linger.Gallery(1), strategies, g, 1, 5)
	m, y := sweepmap.New(s, forPage), sweep.NewSurveyor(s, g.Paths())
	var cells []sweep.Cell
	for i := range g.Paths() {
		n := g.Path(i)
		bytes := n.Down.Time(600_000).Seconds() * 1000
		var seen [][]sweep.Outcome
		for k := range strategies {
			trips := []float64{120, 21, 9, 4, 3}[k]
			o := sweep.Outcome{Time: bytes + trips*n.RTT.Seconds()*1000, Whole: true, Packets: linger.Known(100.0)}
			if n.RTT == 13*time.Millisecond {
				o = sweep.Outcome{Reason: "not over after 5 events"}
			}
			trials := []sweep.Outcome{o}
			for j := 1; j < s.Trials && n.Loss > 0; j++ {
				trials = append(trials, o)
				trials[j].Time += float64(j) / 1000
			}
			seen = append(seen, trials)
		}
		c := sweep.CellOf(n, strategies, seen)
		m.Add(i, c)
		y.Add(c)
		cells = append(cells, c)
	}
	return m, y.Survey(), cells
}

// Grid is one of round-trip times and rates, with so many steps of each range.
func Grid(t testing.TB, rtts, downs string, steps int, losses ...float64) linger.Grid {
	t.Helper()
	g := linger.Grid{Loss: losses, Queue: linger.DefaultQueue}
	var err error
	if g.RTT, err = linger.ParseRTTs(rtts, steps); err != nil {
		t.Fatal(err)
	}
	if g.Down, err = linger.ParseRates(downs, steps); err != nil {
		t.Fatal(err)
	}
	return g
}
