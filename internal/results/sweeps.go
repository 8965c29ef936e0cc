package results

import (
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/report"
)

// Swept predicts nothing: close:6 takes three round trips an object, h2 three in
// all, and each as long as the bytes take. What fails is where the round-trip time
// is 13 ms.
func Swept(t testing.TB, g linger.Grid, forPage bool) (*report.Map, compare.Survey, []compare.Cell) {
	t.Helper()
	strategies, err := linger.ParseStrategies("close,close:6,keep:6,pipeline,h2")
	if err != nil {
		t.Fatal(err)
	}
	s := compare.SweepOf(linger.Gallery(1), strategies, g, 1, 5)
	m, y := report.NewMap(s, forPage), compare.NewSurveyor(s, g.Paths())
	var cells []compare.Cell
	for i := range g.Paths() {
		n := g.Path(i)
		bytes := n.Down.Time(600_000).Seconds() * 1000
		var seen [][]compare.Outcome
		for k := range strategies {
			trips := []float64{120, 21, 9, 4, 3}[k]
			o := compare.Outcome{Time: bytes + trips*n.RTT.Seconds()*1000, Whole: true, Packets: linger.Known(100.0)}
			if n.RTT == 13*time.Millisecond {
				o = compare.Outcome{Reason: "not over after 5 events"}
			}
			trials := []compare.Outcome{o}
			for j := 1; j < s.Trials && n.Loss > 0; j++ {
				trials = append(trials, o)
				trials[j].Time += float64(j) / 1000
			}
			seen = append(seen, trials)
		}
		c := compare.CellOf(n, strategies, seen)
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
