package html

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/report"
)

// px is a length in a drawing that stays as it is, in CSS pixels.
type px float64

// String writes it to a tenth: finer than a screen shows.
func (p px) String() string {
	s := strconv.FormatFloat(float64(p), 'f', 1, 64)
	return strings.TrimPrefix(strings.TrimSuffix(s, ".0"), "-0")
}

// pc is a place or a length along a strip, in percent of its width: the browser draws it
// anew for each width, without a script.
type pc float64

// String writes it to a hundredth.
func (p pc) String() string {
	s := strconv.FormatFloat(float64(p), 'f', 2, 64)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + "%"
}

// percent is a share of a strip.
func percent(share float64) pc { return pc(share * 100) }

// A mark is one thing in a drawing. X and W are px or pc.
type mark struct {
	Shape  string // "rect", "line", "path", "circle", "text", "slanted", "group", "scaled", "at" or "link"
	Class  string
	X, W   fmt.Stringer // of a line W is where the other end is, of a circle the radius
	Y, H   px
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
	Inner  []mark
}

// A chart is rows, each with a strip, on one axis; and the data in them.
type chart struct {
	ID    string
	Class string // how it is laid out: "", "figured", "told", "lanes", "map"
	Label string // what it shows, for who cannot see it
	Rows  []chartRow
	Axis  strip // below the rows; nothing where it has no marks
	// Drawing is in place of the rows where something has two dimensions.
	Drawing *drawing
	Data    []tableView
	// Notes stand below it.
	Notes []string
}

// A chartRow is a name, a value in words, a strip that shows it, and some figures.
type chartRow struct {
	Group, Class       string // Group is a heading before the row
	Name, Value, Aside string
	Strip              strip
	Figures            []chartFigure
}

// A chartFigure is a number beside a strip; its name stands above the column, or where there
// is no room for columns behind the number.
type chartFigure struct{ Name, Text string }

// Heads name the figures beside the rows, where there are columns of them.
func (c chart) Heads() (names []string) {
	for _, figure := range firstOf(c.Rows).Figures {
		names = append(names, figure.Name)
	}
	return names
}

// A strip is a drawing as wide as there is room.
type strip struct {
	H     px
	Marks []mark
}

// A drawing has a width of its own; it is scaled to what room there is.
type drawing struct {
	W, H  px
	Marks []mark
}

// least is the least width of a mark: what has no length is seen all the same.
const least = pc(0.12)

func rect(class, row string, x, w pc, y, h px) mark {
	return mark{Shape: "rect", Class: class, Row: row, X: x, Y: y, W: max(least, w), H: h}
}

func rule(class string, x1 pc, y1 px, x2 pc, y2 px) mark {
	return mark{Shape: "line", Class: class, X: x1, Y: y1, W: x2, H: y2}
}

func label(class, anchor string, x fmt.Stringer, y px, text string) mark {
	return mark{Shape: "text", Class: class, Anchor: anchor, X: x, Y: y, Text: text}
}

// at places what has a size of its own, in px, at a place of a strip.
func at(x pc, inner ...mark) mark { return mark{Shape: "at", X: x, Inner: inner} }

// scale places instants on a strip. It begins at 0.
type scale struct{ end linger.Instant }

// at is the place of an instant.
func (s scale) at(t linger.Instant) pc {
	if s.end <= 0 {
		return 0
	}
	return percent(float64(min(max(t, 0), s.end)) / float64(s.end))
}

// span is a mark from one instant to another.
func (s scale) span(class, row string, from, to linger.Instant, y, h px) mark {
	return rect(class, row, s.at(from), s.at(to)-s.at(from), y, h)
}

// ticks are the instants that an axis names, some seven: steps of 1, 2 or 5.
func (s scale) ticks() []linger.Instant {
	const room = 7
	step := linger.Instant(1)
	for i := 0; s.end/step > room; i++ {
		step = []linger.Instant{1, 2, 5}[(i+1)%3] * linger.Instant(math.Pow10((i+1)/3))
	}
	var out []linger.Instant
	for at := linger.Instant(0); at <= s.end; at += step {
		out = append(out, at)
	}
	return out
}

// axis draws the ticks from a height down to another, with their names below. Every second
// name is left out where the page is narrow.
func (s scale) axis(class string, top, bottom px) []mark {
	var out []mark
	for i, t := range s.ticks() {
		name, anchor := report.Instant(t), "middle"
		switch x := s.at(t); {
		case i == 0:
			name, anchor = "0", ""
		case x > 96:
			anchor = "end"
		}
		tick := "tick"
		if i%2 == 1 {
			tick = "tick odd"
		}
		out = append(out, rule("grid", s.at(t), top, s.at(t), bottom), label(tick, anchor, s.at(t), bottom+14, name))
	}
	if class == "" {
		return out
	}
	return []mark{{Shape: "group", Class: class, Inner: out}}
}

// below is the axis as a strip of its own.
func (s scale) below() strip { return strip{H: 20, Marks: s.axis("", 0, 5)} }

// ofMS is a time in ms as an instant.
func ofMS(ms float64) linger.Instant { return linger.Instant(ms * float64(time.Millisecond)) }

// nth returns the i-th, or nothing.
func nth[T any](list []T, i int) (none T) {
	if i < 0 || i >= len(list) {
		return none
	}
	return list[i]
}
