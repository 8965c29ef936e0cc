package html

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"linger"
	"linger/internal/results"
	"linger/report"
	"linger/report/crowdmap"
)

// The page has a map for each loss with a row of data for each field, and what it
// shows of a large grid is bounded.
func TestSweepPage(t *testing.T) {
	strategies, err := linger.ParseStrategies("close,h2")
	if err != nil {
		t.Fatal(err)
	}
	model := &Model{Config: json.RawMessage(`{"Host":"origin"}`), Workload: "https://example.org/?token=1", Trials: 5}
	w := linger.Gallery(1)
	w.Exchanges[3].Path = "/a?token=</script>"
	sizes := map[int]int{}
	for _, steps := range []int{3, 60} {
		g := results.Grid(t, "5ms..600ms", "1mbit..1gbit", steps, 0, 0.01)
		m, v, _ := results.Swept(t, g, true)
		var b bytes.Buffer
		if err := Sweep(&b, m, v, w, strategies, g, Options{Model: model, Limits: []report.Limit{{What: "DNS", Text: "none"}}}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		sizes[steps] = len(text) - len(predictorText())
		if strings.Contains(text, "token=") {
			t.Error("a query string is in the page")
		}
		fields, rows := strings.Count(text, `<rect class="cell `), strings.Count(text, `<tr id="map-`)
		if fields != rows || fields != len(m.Losses)*len(m.Lines)*len(m.Places) || strings.Count(text, `class="map lane"`) != 2 {
			t.Errorf("%d fields, %d rows, %d cells", fields, rows, len(m.Places))
		}
		for _, want := range []string{"wasm-unsafe-eval", "<b>DNS.</b> none", "docs/accuracy.md", `"/a?3xxxx`} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in the page", want)
			}
		}
	}
	if sizes[60] > 1_000_000 {
		t.Errorf("a page of %d bytes", sizes[60])
	}
	// Without a model there is no simulator, and WebAssembly is not permitted.
	g := results.Grid(t, "5ms", "1mbit", 3, 0)
	m, v, _ := results.Swept(t, g, true)
	var b bytes.Buffer
	if err := Sweep(&b, m, v, w, strategies, g, Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "wasm") || b.Len() > 100_000 {
		t.Errorf("%d bytes without a simulator", b.Len())
	}
}

// The page of a sweep of crowds has a cell and a row of data for each crowd that is drawn, and every
// choice in a table.
func TestCrowdMapPage(t *testing.T) {
	p := results.CrowdPlan(t, "10,20,50,200", "1s,~5s,4s-6s", "1s,5s,0", 20)
	m := crowdmap.New(p, results.CrowdCells(p, 11))
	var b bytes.Buffer
	if err := CrowdMap(&b, m, Options{Version: "v1", Command: "linger sweep --clients 10", Limits: []report.Limit{{What: "DNS", Text: "none"}}}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if fields, rows := strings.Count(text, `<rect class="cell `), strings.Count(text, `<tr id="map-`); fields != 11 || rows != 11 {
		t.Errorf("%d fields, %d rows", fields, rows)
	}
	if rows := strings.Count(text, `id="choice-`); rows != 11*len(p.Choices()) {
		t.Errorf("%d choices", rows)
	}
	for _, want := range []string{"<span>Best with 1 s between pages: ", "between pages", "<b>DNS.</b> none", "11 of 12 predicted", "linger sweep --clients 10", `class="cell sc"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
}
