package text

import (
	"bufio"
	"strings"
	"testing"

	"linger"
	"linger/report/table"
)

// Points stand one below the other, and so do those of doubts.
func TestNumbersAreAlignedByTheirPoints(t *testing.T) {
	sure := linger.Known(0.004)
	for name, test := range map[string]struct {
		cells []table.Cell
		want  []string
	}{
		"with doubts": {
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
		Options{Width: width}.table(w, all)
		w.Flush()
		if b.String() != want {
			t.Errorf("in %d columns it is\n%s", width, &b)
		}
	}
	var b strings.Builder
	w := bufio.NewWriter(&b)
	Options{Color: true}.table(w, all)
	w.Flush()
	for _, want := range []string{"\x1b[1;32m▸ keep\x1b[0m", "\x1b[2mit closes\x1b[0m", "\x1b[2mnon-persistent\x1b[0m"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%q", want, b.String())
		}
	}
}
