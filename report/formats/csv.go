package formats

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"linger"
	"linger/finding"
	"linger/legible"
)

// Lines writes figures as CSV (RFC 4180), a line for each subject below a line of
// their names. Every line has the same figures; what is not known is empty.
type Lines struct {
	w    *csv.Writer
	line []string
}

// NewLines writes the line of names, which are those of some figures.
func NewLines(w io.Writer, of finding.Figures) *Lines {
	l := &Lines{csv.NewWriter(w), make([]string, len(of))}
	for i, f := range of {
		l.line[i] = f.Name
	}
	l.w.Write(l.line) // an error stays, and Close returns it
	return l
}

// Add writes the next line.
func (l *Lines) Add(figures finding.Figures) error {
	for i, f := range figures {
		l.line[i] = legible.Cell(f.Text)
		if v, ok := f.Value.Get(); ok {
			l.line[i] = finding.Exact(v)
		}
	}
	return l.w.Write(l.line)
}

// Close writes what is left.
func (l *Lines) Close() error {
	l.w.Flush()
	return l.w.Error()
}

// CSV writes lines of figures, named as those of none.
func CSV(w io.Writer, none finding.Figures, lines ...finding.Figures) error {
	l := NewLines(w, none)
	for _, figures := range lines {
		l.Add(figures) // an error stays
	}
	return l.Close()
}

// A row is figures being gathered. Names are those of the JSON, joined by a dot, with
// the unit in them.
type row finding.Figures

func (r *row) word(name, text string)   { *r = append(*r, finding.Word(name, text)) }
func (r *row) yes(name string, is bool) { r.word(name, strconv.FormatBool(is)) }
func (r *row) count(name string, n int) { r.number(name, linger.Known(float64(n)), "") }

func (r *row) number(name string, v linger.Opt[float64], unit string) {
	*r = append(*r, finding.Figure{Name: name, Value: v, Unit: unit})
}

// ms adds a length of time in ms.
func (r *row) ms(name string, d linger.Opt[time.Duration]) {
	v := linger.Opt[float64]{}
	if d, ok := d.Get(); ok {
		v = linger.Known(float64(d) / 1e6)
	}
	r.number(name, v, "ms")
}
