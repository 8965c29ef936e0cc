package console

import (
	"time"

	"linger"
	"linger/report/text"
)

// drawAfter is how long what is counted lasts before a bar is drawn of it.
const drawAfter = 200 * time.Millisecond

// A Bar shows how many of something countable are done. In a pipe it says once how many there
// are.
type Bar struct {
	Screen
	Name string // what of several it is about; empty is that there is one
	note func(string, ...any)
	said bool
}

// NewBar returns a bar above the result that goes to out.
func NewBar(out *Outputs) *Bar {
	return &Bar{Screen: NewScreen(out.Std, func() text.Options { return out.Layout(out.Std.Err) }), note: out.Std.Note}
}

// Tell draws how far it has come. lines makes more than a bar of it; nil is a bar alone.
func (b *Bar) Tell(r text.Run, lines func(o text.Options, rows int) []string) {
	switch {
	case b.moves && lines != nil:
		b.Draw(lines)
	case b.moves && r.Elapsed >= drawAfter:
		b.draw([]string{text.Progress(r.Unit, r.Done, r.Failed, r.Total, r.Elapsed, r.Remaining, b.layout())})
	case !b.moves && !b.said:
		b.said = true
		of, about := "", ""
		if b.Name != "" {
			of = b.Name + ": "
		}
		if r.Remaining > 0 { // otherwise nothing is known of it yet
			about = ", about " + max(time.Second, r.Remaining.Round(time.Second)).String()
		}
		b.note("%s%s%s", of, linger.Plural(r.Total, r.Unit), about)
	}
}
