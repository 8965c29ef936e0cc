package table

import (
	"fmt"
	"strings"
	"testing"

	"linger"
	"linger/finding"
)

func TestCellsSayWhatIsKnown(t *testing.T) {
	known := linger.Known[float64]
	none := linger.Opt[float64]{}
	for name, test := range map[string]struct {
		cell        Cell
		text        string
		uncertainty string
		nothing     bool
	}{
		"a word":                              {Word("h2"), "h2", "", false},
		"nothing":                             {Cell{}, "", "", true},
		"unknown":                             {Unknown(), "-", "", true},
		"a number":                            {Number(2.5, finding.Count), "2.5", "", false},
		"a count":                             {Int(41), "41", "", false},
		"a number that is not known":          {Known(none, finding.Count), "-", "", true},
		"zero":                                {Known(known(0), finding.Count), "0", "", false},
		"a pair":                              {Pair(known(3), known(4), finding.Count), "3/4", "", false},
		"a pair of which one is known":        {Pair(none, known(4), finding.Count), "-/4", "", false},
		"a pair of which none is known":       {Pair(none, none, finding.Count), "-", "", true},
		"a doubt is rounded up":               {Measured(6.9412, known(0.0101), 2), "6.94", "0.02", false},
		"a doubt that is exact stays":         {Measured(6.9, known(0.3), 1), "6.9", "0.3", false},
		"tens are rounded to":                 {Measured(1234, known(31), -1), "1230", "40", false},
		"a number whose doubt is not known":   {Measured(0.5, none, 1), "0.5", "", false},
		"a word that would move the cursor":   {Word("a\x1b[2Jb"), "a?[2Jb", "", false},
		"a word that would turn what follows": {Word("a\u202eb"), "a?b", "", false},
	} {
		if c := test.cell; c.Text != test.text || c.UncertaintyText() != test.uncertainty || c.IsNothing() != test.nothing {
			t.Errorf("%s: %q ± %q, nothing: %v", name, c.Text, c.UncertaintyText(), c.IsNothing())
		}
	}
}

func TestColumnsOfWhichNothingIsKnownGo(t *testing.T) {
	all := Table{Columns: []Column{{Head: "a"}, {Head: "b"}, {Head: "c"}, {Head: "d"}}}
	all.Add(Word("x"), Unknown(), Int(0), Cell{})
	all.Add(Word("y"), Unknown(), Int(1), Unknown()).ID = "second"
	heads := func(t Table) string {
		var out []string
		for _, c := range t.Columns {
			out = append(out, c.Head)
		}
		return strings.Join(out, "")
	}
	for _, test := range []struct {
		got  Table
		want string
	}{
		{all.Without(0, Nothing), "ac"}, {all.Without(2, Nothing), "abc"}, {all.Without(0, Nought), "ac"}, {all.Only(3, 0), "da"},
	} {
		if got := heads(test.got); got != test.want {
			t.Errorf("left are the columns %q; want %q", got, test.want)
		}
		for i, r := range test.got.Rows {
			if len(r.Cells) != len(test.got.Columns) || r.ID != all.Rows[i].ID {
				t.Errorf("%s: row %d is %+v", test.want, i, r)
			}
		}
	}
	if heads(all) != "abcd" || len(all.Rows[0].Cells) != 4 {
		t.Errorf("the table itself was changed: %+v", all)
	}
	if !Nought([]Cell{Int(0), Unknown(), {}}) || Nought([]Cell{Int(0), Word("0/5")}) || Nought([]Cell{Int(2)}) {
		t.Error("nought is 0 in all that is known")
	}
}

func TestHuesAreStyles(t *testing.T) {
	for _, n := range []int{-1, 0, 7, 100} {
		if got, ok := Hue(n).Hue(); !ok || got != max(0, n) {
			t.Errorf("hue %d is %d, %v", n, got, ok)
		}
	}
	for _, s := range []Style{Plain, Strong, Faint, Good, Caution, Bad} {
		if n, ok := s.Hue(); ok {
			t.Errorf("style %d is hue %d", s, n)
		}
	}
}

func ExampleTable() {
	t := Table{Columns: []Column{{Head: "strategy", Align: Left}, {Head: "time, s", Unit: "s", Align: Point}}}
	t.Add(Word("close"), Measured(6.94, linger.Known(0.02), 2))
	t.Add(Word("keep"), Unknown())
	for _, r := range t.Rows {
		fmt.Println(r.Cells[0].Text, r.Cells[1].Text, r.Cells[1].UncertaintyText())
	}
	// Output:
	// close 6.94 0.02
	// keep -
}
