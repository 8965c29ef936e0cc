package draw

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/report/table"
)

func TestLengthsAreWritten(t *testing.T) {
	for want, p := range map[string]PX{"12": 12, "12.3": 12.34, "0": -0.01, "-0.5": -0.5, "-3.5": -3.5} {
		if got := p.String(); got != want {
			t.Errorf("%v px: %q; want %q", float64(p), got, want)
		}
	}
	for want, p := range map[string]PC{"12%": 12, "12.3%": 12.3, "0.13%": 0.125001, "100%": Percent(1)} {
		if got := p.String(); got != want {
			t.Errorf("%v: %q; want %q", float64(p), got, want)
		}
	}
}

// An instant lies between the ends of a strip, whenever it was; nothing is too short to be seen.
func TestScale(t *testing.T) {
	s := Scale{End: linger.Instant(2 * time.Second)}
	for at, want := range map[time.Duration]PC{0: 0, time.Second: 50, 2 * time.Second: 100, 3 * time.Second: 100, -time.Second: 0} {
		if got := s.At(linger.Instant(at)); got != want {
			t.Errorf("%v is at %v; want %v", at, got, want)
		}
	}
	if got := (Scale{}).At(5); got != 0 {
		t.Errorf("of no time it is at %v", got)
	}
	if m := s.Span("on", "r", 0, 0, 1, 2); m.W != least || m.Shape != "rect" || m.Row != "r" {
		t.Errorf("%+v", m)
	}
}

// An axis names up to eight instants, in steps of 1, 2 or 5.
func TestTicks(t *testing.T) {
	for end, want := range map[time.Duration]struct {
		n    int
		step time.Duration
	}{
		700 * time.Millisecond: {8, 100 * time.Millisecond}, 800 * time.Millisecond: {5, 200 * time.Millisecond},
		1500 * time.Millisecond: {8, 200 * time.Millisecond}, 3 * time.Second: {7, 500 * time.Millisecond}, 7 * time.Nanosecond: {8, 1},
	} {
		ticks := Scale{End: linger.Instant(end)}.Ticks()
		if len(ticks) != want.n || ticks[1] != linger.Instant(want.step) {
			t.Errorf("%v: %v; want %d steps of %v", end, ticks, want.n, want.step)
		}
	}
}

// Of an axis the first name begins at its line, one at the end ends there, and every second one
// may be left out.
func TestAxis(t *testing.T) {
	marks := Scale{End: linger.Instant(700 * time.Millisecond)}.Axis("", 0, 5)
	var names, anchors, odd []string
	for _, m := range marks {
		if m.Shape == "text" {
			names, anchors = append(names, m.Text), append(anchors, m.Anchor)
			if m.Class == "tick odd" {
				odd = append(odd, m.Text)
			}
		}
	}
	if got := strings.Join(names, " "); got != "0 100 ms 200 ms 300 ms 400 ms 500 ms 600 ms 700 ms" {
		t.Errorf("%s", got)
	}
	if anchors[0] != "" || anchors[3] != "middle" || anchors[7] != "end" || len(odd) != 4 {
		t.Errorf("%q, %q", anchors, odd)
	}
	if group := (Scale{End: 7}).Axis("own", 0, 5); len(group) != 1 || group[0].Class != "own" || len(group[0].Inner) == 0 {
		t.Errorf("%+v", group)
	}
}

// A chart that stands in a page among others of its kind has IDs of its own, and so do its marks
// and rows of data; what has none gets none.
func TestWithin(t *testing.T) {
	c := Chart{ID: "race", Rows: []Row{{Figures: []Figure{{Name: "conns", Text: "1"}}, Strip: Strip{Marks: []Mark{Rect("on", "race-1", 0, 5, 0, 5), Rule("grid", 0, 0, 0, 5)}}}},
		Axis: Strip{Marks: []Mark{{Shape: "group", Inner: []Mark{{Row: "x"}}}}}, Drawing: &Drawing{Marks: []Mark{{Row: "y"}}}, Data: []Table{{Rows: []TableRow{{ID: "race-1"}, {}}}}}
	c.Within("lte-")
	got := []string{c.ID, c.Rows[0].Strip.Marks[0].Row, c.Rows[0].Strip.Marks[1].Row, c.Axis.Marks[0].Inner[0].Row, c.Drawing.Marks[0].Row, c.Data[0].Rows[0].ID, c.Data[0].Rows[1].ID}
	if want := "lte-race lte-race-1  lte-x lte-y lte-race-1 "; strings.Join(got, " ") != want {
		t.Errorf("%q; want %q", strings.Join(got, " "), want)
	}
	if heads := c.Heads(); len(heads) != 1 || heads[0] != "conns" {
		t.Errorf("%q", heads)
	}
	if heads := (Chart{}).Heads(); heads != nil {
		t.Errorf("%q", heads)
	}
}

// Points stand one below the other: what a number lacks of digits is room.
func TestTablesAreAligned(t *testing.T) {
	in := table.Table{Caption: "Times", Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "ms", Over: "lte", Align: table.Point}, {Head: "conns"}}}
	in.Add(table.Word("close"), table.Measured(10.6, linger.Known(0.1), 1), table.Int(41)).Best = true
	flagged := in.Add(table.Word("keep"), table.Measured(0.844, linger.Known(0.004), 3), table.Unknown())
	flagged.Cells[0].Flagged, flagged.Group = true, "with keep-alive"
	v := TableOf(in)
	if len(v.Overs) != 2 || v.Overs[0].Span != 1 || v.Overs[1] != (Over{"lte", 2}) {
		t.Errorf("%+v", v.Overs)
	}
	close, keep := v.Rows[0], v.Rows[1]
	if close.Class != "best" || close.Cells[1].Text != "10.6" || close.Cells[1].Pad != "00" || close.Cells[1].Uncertainty != "0.1" {
		t.Errorf("%+v", close)
	}
	if keep.Group != "with keep-alive" || keep.Cells[0].Text != "! keep" || keep.Cells[1].Pad != "" || !keep.Cells[2].Nothing {
		t.Errorf("%+v", keep)
	}
	v.Sortable(in)
	v.Filters("keep")
	if v.ID != "list" || v.Rows[0].Cells[1].Sort != "10.6" || v.Rows[0].Cells[0].Sort != "" || !v.Rows[0].Cells[0].Filter {
		t.Errorf("%+v", v.Rows[0].Cells)
	}
}
