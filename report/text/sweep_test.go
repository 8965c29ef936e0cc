package text

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"linger"
	"linger/compare"
	"linger/internal/results"
	"linger/report"
)

func drawSweep(t testing.TB, m *report.Map, v compare.Survey, o Options) string {
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
		text := drawSweep(t, big, v, Options{Width: width})
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
