// Package draw holds what the templates of pages are given to draw: charts of rows, each with a
// strip of marks on one axis (Chart, Scale), drawings of two dimensions (Drawing), and tables
// (TableOf). What has no size of its own is in percent of the room (PC), all else in pixels (PX).
// The room knows tables and instants, and nothing of what is in them.
package draw

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"linger"
	"linger/finding"
)

// PX is a length in a drawing that stays as it is, in CSS pixels.
type PX float64

// String writes it to a tenth: finer than a screen shows.
func (p PX) String() string {
	s := strings.TrimSuffix(strconv.FormatFloat(float64(p), 'f', 1, 64), ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

// PC is a place or a length along a strip, in percent of its width: the browser draws it
// anew for each width, without a script.
type PC float64

// String writes it to a hundredth.
func (p PC) String() string {
	s := strconv.FormatFloat(float64(p), 'f', 2, 64)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + "%"
}

// Percent is a share of a strip.
func Percent(share float64) PC { return PC(share * 100) }

// A Mark is one thing in a drawing. X and W are PX or PC.
type Mark struct {
	Shape  string // "rect", "line", "path", "circle", "text", "slanted", "group", "scaled", "stretched", "at" or "link"
	Class  string
	X, W   fmt.Stringer // of a line W is where the other end is, of a circle the radius
	Y, H   PX
	Path   string
	Text   string
	Anchor string // of a text: "", "middle" or "end"
	// Row is the ID of the row of data that the mark stands for.
	Row string
	// Scale is what share of the strip a "scaled" group takes on the time scale that all
	// strategies have in common.
	Scale string
	// Target is where a "link" leads, within the page.
	Target template.URL
	Inner  []Mark
}

// A Chart is rows, each with a strip, on one axis; and the data in them.
type Chart struct {
	ID    string
	Class string // how it is laid out: "", "figured", "told", "lanes", "map"
	Label string // what it shows, for who cannot see it
	Rows  []Row
	Axis  Strip // below the rows; nothing where it has no marks
	// Drawing is in place of the rows where something has two dimensions.
	Drawing *Drawing
	Data    []Table
	// Notes stand below it.
	Notes []string
}

// A Row is a name, a value in words, a strip that shows it, and some figures.
type Row struct {
	Group, Class       string // Group is a heading before the row
	Name, Value, Aside string
	Strip              Strip
	Figures            []Figure
}

// A Figure is a number beside a strip; its name stands above the column, or where there
// is no room for columns behind the number.
type Figure struct{ Name, Text string }

// Heads name the figures beside the rows, where there are columns of them.
func (c Chart) Heads() (names []string) {
	if len(c.Rows) == 0 {
		return nil
	}
	for _, figure := range c.Rows[0].Figures {
		names = append(names, figure.Name)
	}
	return names
}

// A Strip is a drawing as wide as there is room.
type Strip struct {
	H     PX
	Marks []Mark
}

// A Drawing has a width of its own; it is scaled to what room there is.
type Drawing struct {
	W, H  PX
	Marks []Mark
}

// least is the least width of a mark: what has no length is seen all the same.
const least = PC(0.12)

// Rect is a rectangle on a strip, of the least width at least.
func Rect(class, row string, x, w PC, y, h PX) Mark {
	return Mark{Shape: "rect", Class: class, Row: row, X: x, Y: y, W: max(least, w), H: h}
}

// Rule is a line on a strip.
func Rule(class string, x1 PC, y1 PX, x2 PC, y2 PX) Mark {
	return Mark{Shape: "line", Class: class, X: x1, Y: y1, W: x2, H: y2}
}

// Label is a text. The anchor is "", "middle" or "end".
func Label(class, anchor string, x fmt.Stringer, y PX, text string) Mark {
	return Mark{Shape: "text", Class: class, Anchor: anchor, X: x, Y: y, Text: text}
}

// At places what has a size of its own, in px, at a place of a strip.
func At(x PC, inner ...Mark) Mark { return Mark{Shape: "at", X: x, Inner: inner} }

// Scale places instants on a strip. It begins at 0.
type Scale struct{ End linger.Instant }

// At is the place of an instant.
func (s Scale) At(t linger.Instant) PC {
	if s.End <= 0 {
		return 0
	}
	return Percent(float64(min(max(t, 0), s.End)) / float64(s.End))
}

// Span is a mark from one instant to another.
func (s Scale) Span(class, row string, from, to linger.Instant, y, h PX) Mark {
	return Rect(class, row, s.At(from), s.At(to)-s.At(from), y, h)
}

// Ticks are the instants that an axis names, some seven: steps of 1, 2 or 5.
func (s Scale) Ticks() []linger.Instant {
	const room = 7
	step := linger.Instant(1)
	for i := 0; s.End/step > room; i++ {
		step = []linger.Instant{1, 2, 5}[(i+1)%3] * linger.Instant(math.Pow10((i+1)/3))
	}
	var out []linger.Instant
	for at := linger.Instant(0); at <= s.End; at += step {
		out = append(out, at)
	}
	return out
}

// Axis draws the ticks from a height down to another, with their names below. Every second
// name is left out where the page is narrow.
func (s Scale) Axis(class string, top, bottom PX) []Mark {
	var out []Mark
	for i, t := range s.Ticks() {
		name, anchor := finding.Instant(t), "middle"
		switch x := s.At(t); {
		case i == 0:
			name, anchor = "0", ""
		case x > 96:
			anchor = "end"
		}
		tick := "tick"
		if i%2 == 1 {
			tick = "tick odd"
		}
		out = append(out, Rule("grid", s.At(t), top, s.At(t), bottom), Label(tick, anchor, s.At(t), bottom+14, name))
	}
	if class == "" {
		return out
	}
	return []Mark{{Shape: "group", Class: class, Inner: out}}
}

// Below is the axis as a strip of its own.
func (s Scale) Below() Strip { return Strip{H: 20, Marks: s.Axis("", 0, 5)} }

// Within puts what begins IDs before those of a chart, of its marks and of its rows of data.
func (c *Chart) Within(at string) {
	c.ID = at + c.ID
	var mend func([]Mark)
	mend = func(marks []Mark) {
		for i := range marks {
			if marks[i].Row != "" {
				marks[i].Row = at + marks[i].Row
			}
			mend(marks[i].Inner)
		}
	}
	for i := range c.Rows {
		mend(c.Rows[i].Strip.Marks)
	}
	mend(c.Axis.Marks)
	if c.Drawing != nil {
		mend(c.Drawing.Marks)
	}
	for _, t := range c.Data {
		for i := range t.Rows {
			if t.Rows[i].ID != "" {
				t.Rows[i].ID = at + t.Rows[i].ID
			}
		}
	}
}
