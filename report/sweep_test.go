package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare"
)

// sweptOver predicts nothing: close:6 takes three round trips an object, h2 three in
// all, and each as long as the bytes take. What fails is where the round-trip time
// is 13 ms.
func sweptOver(t testing.TB, g linger.Grid, forPage bool) (*Map, compare.Survey, []compare.Cell) {
	t.Helper()
	strategies, err := linger.ParseStrategies("close,close:6,keep:6,pipeline,h2")
	if err != nil {
		t.Fatal(err)
	}
	s := compare.SweepOf(linger.Gallery(1), strategies, g, 1, 5)
	m, y := NewMap(s, forPage), compare.NewSurveyor(s, g.Paths())
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

func grid(t testing.TB, rtts, downs string, steps int, losses ...float64) linger.Grid {
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

func drawSweep(t testing.TB, m *Map, v compare.Survey, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Sweep(&b, m, v, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// printed compares a text with a golden file.
func printed(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs from what is printed; look at it with go test ./report -update and git diff. Printed is:\n%s", file, text)
	}
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// The map fits into the width, says without colour what it says with it, and is what
// the golden file shows.
func TestSweepText(t *testing.T) {
	m, v, _ := sweptOver(t, grid(t, "1ms..13ms,90ms..600ms", "100kbit..1gbit", 8, 0, 0.01), false)
	o := Options{Version: "v1.2.3", Command: "linger sweep", Limits: []Limit{{"Nothing.", "of it"}, {"DNS", ""}}}
	plainText := drawSweep(t, m, v, o)
	printed(t, "sweep", plainText)
	o.Color = true
	coloured := drawSweep(t, m, v, o)
	if coloured == plainText || escape.ReplaceAllString(coloured, "") != plainText {
		t.Error("colour says what the text does not")
	}
	for _, width := range []int{60, 80} {
		big, v, _ := sweptOver(t, grid(t, "1ms..600ms", "100kbit..1gbit", 60, 0), false)
		text := drawSweep(t, big, v, Options{Width: width})
		for line := range strings.SplitSeq(text, "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("%d columns of %d: %s", n, width, line)
			}
		}
		if !strings.Contains(text, "Drawn are 30 of 60 rates and 33 of 60") {
			t.Errorf("what is left out is not said:\n%s", text)
		}
	}
	named := linger.Grid{Loss: []float64{0}, Named: linger.Networks(), Queue: linger.DefaultQueue}
	list, nv, _ := sweptOver(t, named, false)
	printed(t, "sweep-named", drawSweep(t, list, nv, Options{}))
}

// Each strategy has a letter of its own, whatever the list.
func TestSymbolsDiffer(t *testing.T) {
	for list, want := range map[string]string{
		"close,close:6,keep,keep:6,pipeline,h2,h3":   "cCkKp23",
		"close,close:6,keep,keep:2,keep:6,pipeline":  "cCkKEp",
		"h2,h2:2,h2+resume,h3,h3+0rtt,close,close:2": "",
		linger.DefaultStrategies("dns"):              "",
	} {
		seen := map[rune]bool{}
		got := ""
		all := symbols(strings.Split(list, ","))
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

// JSON and CSV hold every cell, and what is not known is not there.
func TestSweepFiles(t *testing.T) {
	g := grid(t, "5ms,13ms,70ms", "1mbit,10mbit", 2, 0, 0.01)
	m, v, cells := sweptOver(t, g, false)
	var j, c bytes.Buffer
	out, err := NewSweepJSON(&j, m.sweep, Options{Version: "v1", Limits: []Limit{{"DNS", "none"}}})
	if err != nil {
		t.Fatal(err)
	}
	lines := NewSweepCSV(&c)
	for _, cell := range cells {
		if err := out.Add(cell); err != nil {
			t.Fatal(err)
		}
		if err := lines.Add(cell); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(v); err != nil {
		t.Fatal(err)
	}
	if err := lines.Close(); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Linger      string
		Provenance  string
		Accuracy    string
		NotModelled []Limit `json:"not_modelled"`
		Cells       []compare.Cell
		Findings    compare.Survey
	}
	if err := json.Unmarshal(j.Bytes(), &read); err != nil {
		t.Fatalf("%v\n%s", err, j.String())
	}
	if read.Linger != "v1" || read.Provenance != "predicted" || read.Accuracy == "" || len(read.NotModelled) != 1 || fmt.Sprint(read.Cells) != fmt.Sprint(cells) || read.Findings.Text != v.Text {
		t.Errorf("%+v", read)
	}
	rows, err := csv.NewReader(&c).ReadAll()
	if err != nil || len(rows) != 1+12*5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		failed := row[1] == "13"
		if (row[9] == "") != failed || (row[22] != "") != failed || row[21] != "predicted" {
			t.Errorf("%q", row)
		}
	}
	var empty bytes.Buffer
	if out, err = NewSweepJSON(&empty, m.sweep, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(v); err != nil || !json.Valid(empty.Bytes()) {
		t.Errorf("%v\n%s", err, empty.String())
	}
}

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
		g := grid(t, "5ms..600ms", "1mbit..1gbit", steps, 0, 0.01)
		m, v, _ := sweptOver(t, g, true)
		var b bytes.Buffer
		if err := SweepHTML(&b, m, v, w, strategies, g, Options{Model: model, Limits: []Limit{{"DNS", "none"}}}); err != nil {
			t.Fatal(err)
		}
		html := b.String()
		sizes[steps] = len(html) - len(predictorText)
		if strings.Contains(html, "token=") {
			t.Error("a query string is in the page")
		}
		fields, rows := strings.Count(html, `<rect class="cell `), strings.Count(html, `<tr id="map-`)
		if fields != rows || fields != len(m.cells) || strings.Count(html, `class="map lane"`) != 2 {
			t.Errorf("%d fields, %d rows, %d cells", fields, rows, len(m.cells))
		}
		for _, want := range []string{"wasm-unsafe-eval", "<b>DNS.</b> none", "docs/accuracy.md", `"/a?3xxxx`} {
			if !strings.Contains(html, want) {
				t.Errorf("no %q in the page", want)
			}
		}
	}
	if sizes[60] > 1_000_000 {
		t.Errorf("a page of %d bytes", sizes[60])
	}
	// Without a model there is no simulator, and WebAssembly is not permitted.
	g := grid(t, "5ms", "1mbit", 3, 0)
	m, v, _ := sweptOver(t, g, true)
	var b bytes.Buffer
	if err := SweepHTML(&b, m, v, w, strategies, g, Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "wasm") || b.Len() > 100_000 {
		t.Errorf("%d bytes without a simulator", b.Len())
	}
}
