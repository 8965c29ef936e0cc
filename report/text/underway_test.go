package text

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/times"
	"linger/report/terminal"
)

// underway is the gallery when two of its strategies have figures.
func underway(t *testing.T) Underway {
	f := findings(t, "gallery")
	u := Underway{
		Measured: f, Baseline: 3,
		Run: Run{Unit: "trial", Done: 3, Failed: 1, Total: 35, Elapsed: 4 * time.Second, Remaining: 11 * time.Second},
	}
	u.Measured.Rows = nil
	for i, r := range f.Rows {
		s := Standing{Left: 5}
		switch i {
		case 0:
			s = Standing{Running: 2, Left: 3}
		case 1:
			s = Standing{Ended: 1, Running: 1, Left: 3}
		case 2:
			s = Standing{Ended: 2, Left: 2, Spared: 1}
		}
		u.Standing = append(u.Standing, s)
		u.Predicted = append(u.Predicted, r)
		if s.Ended == 0 {
			r = compare.Row{Strategy: r.Strategy, Persistent: r.Persistent}
		} else {
			r.Trials, r.Time = s.Ended, linger.Known(times.Time{Median: 1234})
		}
		u.Measured.Rows = append(u.Measured.Rows, r)
	}
	return u
}

func TestUnderway(t *testing.T) {
	u := underway(t)
	text := strings.Join(u.Lines(Options{}, 24), "\n")
	for _, want := range []string{
		"gallery: ", "predicted", "1 of 5", "2 of 4",
		"Under way: " + u.Measured.Rows[0].Strategy + " (2), " + u.Measured.Rows[1].Strategy + ".",
		"3 short trials without delay", "Settled early: " + u.Measured.Rows[2].Strategy,
		"3 of 35 trials, 4 s, 11 s to go, 1 failed",
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
	if strings.Contains(text, "CI") || strings.Contains(text, terminal.BestMark) {
		t.Errorf("an interval or a winner before the end:\n%s", text)
	}
	for i, row := range u.findings().Rows {
		if row.Strategy != u.Measured.Rows[i].Strategy || row.Time.IsZero() {
			t.Errorf("row %d is %+v", i, row)
		}
	}
	if u.Predicted = nil; strings.Contains(strings.Join(u.Lines(Options{}, 24), "\n"), "predicted") {
		t.Error("a prediction without one")
	}
}

// Whatever the terminal, no line is wider than it, and there are no more lines than it has.
func TestUnderwayFits(t *testing.T) {
	u := underway(t)
	for _, o := range []terminal.Screen{{Width: 20}, {Width: 39}, {Width: 40}, {Width: 60}, {Width: 80, Color: true}, {Width: 160}, {Width: 80, ASCII: true}} {
		for rows := range 30 {
			lines := u.Lines(Options{Screen: o}, rows)
			if rows > 0 && len(lines) > rows {
				t.Errorf("%d columns: %d lines of %d", o.Width, len(lines), rows)
			}
			for _, line := range lines {
				if n := terminal.Width(line); n > o.Width {
					t.Errorf("%d columns: %d in %q", o.Width, n, line)
				}
				if o.ASCII && strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
					t.Errorf("not ASCII: %q", line)
				}
			}
		}
	}
}

func TestTitledFits(t *testing.T) {
	if got := Titled("A title", "what runs", "bar", Options{Screen: terminal.Screen{Width: 80}}, 24); len(got) != 3 {
		t.Errorf("%q", got)
	}
	for _, few := range [][]string{Titled("A title", "what runs", "bar", Options{Screen: terminal.Screen{Width: 80}}, 2), Titled("A title", "incomprehensibilities", "bar", Options{Screen: terminal.Screen{Width: 20}}, 24)} {
		if len(few) != 1 || few[0] != "bar" {
			t.Errorf("%q", few)
		}
	}
}

// Of many clients the title says who does what, and which strategy is under way.
func TestCrowding(t *testing.T) {
	c := Crowding{
		Title: "gallery: 41 requests · 50 clients at once", Names: []string{"close:6", "keep"}, Standing: []Standing{{Ended: 1}, {Running: 1, Left: 1}},
		Run: Run{Unit: "run", Done: 1, Total: 3, Elapsed: 12 * time.Second, Remaining: 20 * time.Second},
	}
	want := "gallery: 41 requests · 50 clients at once\nUnder way: keep. Still to come: 1 trial.\n██████████░░░░░░░░░░░░░░░░░░░░ 1 of 3 runs, 12 s, 20 s to go"
	if got := strings.Join(c.Lines(Options{}, 0), "\n"); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
}
