package terminal

import (
	"bufio"
	"strings"
	"testing"

	"linger"
	"linger/report/table"
)

// Points stand one below the other, and so do those of uncertainties.
func TestNumbersAreAlignedByTheirPoints(t *testing.T) {
	sure := linger.Known(0.004)
	for name, test := range map[string]struct {
		cells []table.Cell
		want  []string
	}{
		"with uncertainties": {
			[]table.Cell{table.Measured(10.6, sure, 1), table.Measured(12, sure, 0), table.Measured(0.844, sure, 3), table.Unknown()},
			[]string{"10.6   ± 0.1  ", "12     ± 1    ", "0.844 ± 0.004", "-"},
		},
		"where one has none": {
			[]table.Cell{table.Measured(10.6, sure, 1), table.Measured(12, linger.Opt[float64]{}, 1)},
			[]string{"10.6 ± 0.1", "12.0      "},
		},
		"where none has one": {
			[]table.Cell{table.Measured(10.6, linger.Opt[float64]{}, 1), table.Measured(120, linger.Opt[float64]{}, -1)},
			[]string{"10.6", "120  "},
		},
	} {
		for i, got := range aligned(test.cells) {
			if got != test.want[i] {
				t.Errorf("%s: %q; want %q", name, got, test.want[i])
			}
		}
	}
}

// What is best and what is flagged is marked before grouped rows; columns that can be
// spared go where there is no room; a head that is obvious is left out.
func TestTablesFitTheWidth(t *testing.T) {
	all := table.Table{Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "conns"},
		{Head: "requests", Spare: 1}, {Head: "sent again", Spare: 2}, {Head: "about", Align: table.Left, Obvious: true},
	}}
	row := all.Add(table.Word("close"), table.Int(41), table.Int(41), table.Int(0), table.Word("it closes").Styled(table.Faint))
	row.Group = "non-persistent"
	row.Cells[0].Flagged = true
	all.Add(table.Word("keep"), table.Int(1), table.Int(41), table.Unknown(), table.Word("it keeps")).Best = true
	for width, want := range map[int]string{
		80: `
                              sent
  strategy  conns  requests  again
non-persistent
! close        41        41      0  it closes
▸ keep          1        41      -  it keeps
`, 44: `
  strategy  conns  requests
non-persistent
! close        41        41  it closes
▸ keep          1        41  it keeps
Not shown: sent again (--wide)
`,
	} {
		var b strings.Builder
		w := bufio.NewWriter(&b)
		w.WriteString("\n")
		Screen{Width: width}.Table(w, all)
		w.Flush()
		if b.String() != want {
			t.Errorf("in %d columns it is\n%s", width, &b)
		}
	}
	var b strings.Builder
	w := bufio.NewWriter(&b)
	Screen{Color: true}.Table(w, all)
	w.Flush()
	for _, want := range []string{"\x1b[1;32m▸ keep\x1b[0m", "\x1b[2mit closes\x1b[0m", "\x1b[2mnon-persistent\x1b[0m"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%q", want, b.String())
		}
	}
}

// What stands above several columns has the room of all of them, and makes more where that is not
// enough.
func TestHeadsStandAboveSeveralColumns(t *testing.T) {
	in := table.Table{Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Over: "page time, s", Head: "median"}, {Head: "p95"}, {Over: "waits at the server, s", Head: "p95"}, {Over: "held", Head: "mean"}, {Head: "peak"},
	}}
	in.Add(table.Word("close"), table.Word("0.41"), table.Word("0.5"), table.Word("0.01"), table.Word("10000.5"), table.Int(50))
	var b strings.Builder
	w := bufio.NewWriter(&b)
	Screen{}.Table(w, in)
	w.Flush()
	if want := `          page time, s  waits at the server, s     held
strategy   median  p95                     p95     mean  peak
close        0.41  0.5                    0.01  10000.5    50
`; b.String() != want {
		t.Errorf("it is\n%s\nwant\n%s", &b, want)
	}
}

func TestWidthLeavesColourOut(t *testing.T) {
	o := Screen{Color: true}
	if got := Width("a" + o.Paint("é█", Green) + "b" + o.Paint("c", Faint)); got != 5 {
		t.Errorf("%d columns; want 5", got)
	}
}

// A number keeps its unit, a word that is too long for a line is cut, and nothing foreign moves
// the cursor.
func TestParagraphsAreWrapped(t *testing.T) {
	for text, want := range map[string]string{
		"it takes 70 ms (median) here":        "- it takes\n  70 ms\n  (median)\n  here",
		"a b":                                 "- a b",
		"incomprehensibilities all":           "- incompreh…\n  all",
		"waits \x1b[2J for 5 %. Then it ends": "- waits ?[2J\n  for 5 %.\n  Then it\n  ends",
		"":                                    "- ",
	} {
		if got := strings.Join(Wrap(text, 12, "- ", "  "), "\n"); got != want {
			t.Errorf("%q is\n%s\nwant\n%s", text, got, want)
		}
	}
}

// The fullest version that fits on a screen is written, or the last where none does.
func TestTheFullestThatFitsIsWritten(t *testing.T) {
	for _, x := range []struct {
		lines []int
		want  int
	}{{[]int{40, 23, 10}, 23}, {[]int{22}, 22}, {[]int{40, 30}, 30}} {
		var b strings.Builder
		err := Screen{}.Fitting(&b, len(x.lines), func(w *bufio.Writer, version int) { w.WriteString(strings.Repeat("\n", x.lines[version])) })
		if got := strings.Count(b.String(), "\n"); got != x.want || err != nil {
			t.Errorf("of %v there are %d, %v; want %d", x.lines, got, err, x.want)
		}
	}
}

// A bar is as long as its share to an eighth of a column, and never nothing.
func TestBars(t *testing.T) {
	for share, want := range map[float64]string{1: "████", 0.5: "██", 0.53125: "██▏", 0.46875: "█▉", 0: "▏"} {
		if got := Bar(share, 4); got != want {
			t.Errorf("%v: %q; want %q", share, got, want)
		}
	}
	in := table.Table{Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "time, s"}, {Head: "packets", Spare: 1}}}
	in.Add(table.Word("close"), table.Number(8, func(float64) string { return "8.00" }), table.Int(960))
	in.Add(table.Word("keep"), table.Number(2, func(float64) string { return "2.00" }), table.Int(680)).Best = true
	in.Columns = append(in.Columns, table.Column{Head: "bytes on the wire", Spare: 2})
	for i := range in.Rows {
		in.Rows[i].Cells = append(in.Rows[i].Cells, table.Int(600))
	}
	for width, want := range map[int]struct {
		text   string
		hidden bool
	}{
		60: {`
strategy  time, s                 packets  bytes on the wire
close        8.00  █████████████      960                600
keep         2.00  ███▎               680                600
`, false},
		40: {`
strategy  time, s                packets
close        8.00  ████████████      960
keep         2.00  ███               680
`, true},
	} {
		var b strings.Builder
		w := bufio.NewWriter(&b)
		w.WriteString("\n")
		hidden := Screen{Width: width}.Bars(w, in)
		w.Flush()
		if b.String() != want.text || hidden != want.hidden {
			t.Errorf("in %d columns, hidden %t:\n%s", width, hidden, &b)
		}
	}
}

// Columns that cannot be spared stand below each other where all are wanted.
func TestWideTablesAreFolded(t *testing.T) {
	in := table.Table{Columns: []table.Column{{Head: "strategy", Align: table.Left}}, More: "and 3 more"}
	row := []table.Cell{table.Word("keep")}
	for _, name := range []string{"one", "two", "three", "four"} {
		in.Columns = append(in.Columns, table.Column{Head: name, Spare: 1})
		row = append(row, table.Word("0123456789"))
	}
	in.Add(row...)
	var b strings.Builder
	w := bufio.NewWriter(&b)
	Screen{Width: 40, Wide: true}.Table(w, in)
	w.Flush()
	if want := `strategy         one         two
keep      0123456789  0123456789

strategy       three        four
keep      0123456789  0123456789
and 3 more
`; b.String() != want {
		t.Errorf("it is\n%s\nwant\n%s", &b, want)
	}
	b.Reset()
	w.Reset(&b)
	Screen{Width: 40}.Table(w, in)
	w.Flush()
	if !strings.HasSuffix(b.String(), "and 3 more. Not shown: three, four (--wide)\n") && !strings.Contains(b.String(), "Not shown: ") {
		t.Errorf("it is\n%s", &b)
	}
}

func TestASCII(t *testing.T) {
	var b strings.Builder
	err := Screen{ASCII: true}.Buffered(&b, func(w *bufio.Writer) { w.WriteString("▸ keep ███▌ 1.2× − ±3 λ “é” …") })
	if want := `> keep ###= 1.2x - +-3 L "?" ~`; b.String() != want || err != nil {
		t.Errorf("%q, %v; want %q", &b, err, want)
	}
}
