package text

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"linger"
	"linger/compare/sweep"
	"linger/internal/results"
	"linger/report"
	"linger/report/crowdmap"
	"linger/report/sweepmap"
	"linger/report/terminal"
)

func drawSweep(t testing.TB, m *sweepmap.Map, v sweep.Survey, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Sweep(&b, m, v, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// The map fits into the width, says without colour what it says with it, and is what
// the golden file shows.
func TestSweepText(t *testing.T) {
	m, v, _ := results.Swept(t, results.Grid(t, "1ms..13ms,90ms..600ms", "100kbit..1gbit", 8, 0, 0.01), false)
	o := Options{Version: "v1.2.3", Command: "linger sweep", Limits: []report.Limit{{What: "Nothing.", Text: "of it"}, {What: "DNS"}}}
	plainText := drawSweep(t, m, v, o)
	results.Golden(t, "sweep", plainText)
	o.Color = true
	coloured := drawSweep(t, m, v, o)
	if coloured == plainText || escape.ReplaceAllString(coloured, "") != plainText {
		t.Error("colour says what the text does not")
	}
	for _, width := range []int{40, 60, 80, 120, 160} {
		big, v, _ := results.Swept(t, results.Grid(t, "1ms..600ms", "100kbit..1gbit", 60, 0), false)
		text := drawSweep(t, big, v, Options{Screen: terminal.Screen{Width: width}})
		for line := range strings.SplitSeq(text, "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("%d columns of %d: %s", n, width, line)
			}
		}
		if !strings.Contains(text, " of 60 rates and ") {
			t.Errorf("what is left out is not said:\n%s", text)
		}
	}
	named := linger.Grid{Loss: []float64{0}, Named: linger.Networks(), Queue: linger.DefaultQueue}
	list, nv, _ := results.Swept(t, named, false)
	results.Golden(t, "sweep-named", drawSweep(t, list, nv, Options{}))
}

// A sweep of crowds fits into the width and on a screen, says without colour what it says with it,
// and is what the golden files show.
func TestCrowdMapText(t *testing.T) {
	draw := func(m *crowdmap.Map, o Options) string {
		var b bytes.Buffer
		if err := CrowdMap(&b, m, o); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	p := results.CrowdPlan(t, "10,20,50,200", "1s,5s,30s", "1s,5s,15s,75s,0", 20)
	m := crowdmap.New(p, results.CrowdCells(p, p.Grid.Cells()))
	o := Options{Version: "v1.2.3", Command: "linger sweep --clients 10,20,50,200", Limits: []report.Limit{{What: "Nothing.", Text: "of it"}}}
	plainText := draw(m, o)
	results.Golden(t, "crowdmap", plainText)
	o.Color = true
	if coloured := draw(m, o); coloured == plainText || escape.ReplaceAllString(coloured, "") != plainText {
		t.Error("colour says what the text does not")
	}
	o.Color, o.Wide = false, true
	results.Golden(t, "crowdmap-wide", draw(m, o))
	o.ASCII = true
	for _, r := range draw(m, o) {
		if r > '~' {
			t.Errorf("%q is not ASCII", r)
		}
	}
	p = results.CrowdPlan(t, "10..1000", "1s,2s,3s,4s,5s,6s,7s,8s,9s,10s,~20s,4s-6s", "1s,5s,0", 20)
	p.Grid.Clients, _ = linger.ParseClients("10..1000", 30)
	big := crowdmap.New(p, results.CrowdCells(p, p.Grid.Cells()-7))
	for _, width := range []int{40, 60, 80, 120} {
		text := draw(big, Options{Screen: terminal.Screen{Width: width}})
		for line := range strings.SplitSeq(text, "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("%d columns of %d: %s", n, width, line)
			}
		}
		if n := strings.Count(text, "\n"); n > terminal.Lines && width >= 80 {
			t.Errorf("%d lines in %d columns:\n%s", n, width, text)
		}
		if !strings.Contains(text, "Interrupted") || !strings.Contains(text, "Shown are") {
			t.Errorf("what is left out is not said:\n%s", text)
		}
	}
	results.Golden(t, "crowdmap-none", draw(crowdmap.New(p, nil), Options{}))
}
