package difference

import (
	"testing"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
)

func TestGapsAreSharesOfWhatWasMeasured(t *testing.T) {
	row := func(name string, ms, packets float64) compare.Row {
		return compare.Row{Strategy: name, Time: linger.Known(times.Time{Median: ms}), Packets: linger.Known(facts.Directions{Up: packets / 4, Down: packets * 3 / 4}), Connections: linger.Known(6.0)}
	}
	measured := compare.Findings{Rows: []compare.Row{row("close", 1000, 400), row("keep", 500, 200), {Strategy: "h3"}}}
	predicted := compare.Findings{Rows: []compare.Row{row("keep", 490, 210), row("close", 1000, 400)}}
	got := Gaps(measured, predicted)
	if len(got) != 2 || got[0].Strategy != "close" || got[1].Strategy != "keep" {
		t.Fatalf("%+v", got)
	}
	if d := got[1].Time.Or(9); d != -0.02 {
		t.Errorf("time is off by %v", d)
	}
	if d := got[1].Packets.Or(9); d != 0.05 {
		t.Errorf("packets are off by %v", d)
	}
	if d := got[0].Connections.Or(9); d != 0 {
		t.Errorf("connections are off by %v", d)
	}
	if !got[0].Handshakes.IsZero() {
		t.Error("what was not measured has a gap")
	}
}
