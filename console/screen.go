package console

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"linger/legible"
	"linger/report/terminal"
	"linger/report/text"
)

// A Screen is some lines on standard error, if that is a terminal, that are drawn again and again
// in place. In a pipe nothing is drawn: a log is no place for what moves.
type Screen struct {
	to     *os.File
	moves  bool // it is a terminal that can
	layout func() text.Options
	drawn  []string
}

// NewScreen returns a screen of text that is laid out as layout says by then.
func NewScreen(std Streams, layout func() text.Options) Screen {
	return Screen{to: std.Err.File, moves: !std.Quiet && IsTerminal(std.Err.File) && std.moving(), layout: layout}
}

// Moves reports whether anything is drawn.
func (s *Screen) Moves() bool { return s.moves }

// rows is how many lines the terminal has, 0 where that is not known.
func (s *Screen) rows() int {
	_, rows, err := term.GetSize(int(s.to.Fd()))
	if err != nil {
		return 0
	}
	return rows
}

// Draw writes lines over those that stand there. They are made for a layout and for so many
// rows; 0 is that these are not known.
func (s *Screen) Draw(make func(o text.Options, rows int) []string) {
	if s.moves {
		s.draw(make(s.layout(), s.rows()))
	}
}

func (s *Screen) draw(lines []string) {
	if len(lines) == 0 || strings.Join(lines, "\n") == strings.Join(s.drawn, "\n") {
		return
	}
	clean := make([]string, len(lines))
	for i, line := range lines {
		clean[i] = legible.Painted.Text(line)
	}
	fmt.Fprint(s.to, s.home()+strings.Join(clean, "\x1b[K\n")+"\x1b[K\x1b[J")
	s.drawn = lines
}

// Clear takes the lines away before results are printed.
func (s *Screen) Clear() {
	if s.moves && len(s.drawn) > 0 {
		fmt.Fprint(s.to, s.home()+"\x1b[J")
		s.drawn = nil
	}
}

// home moves to where the first of the drawn lines begins. A line that is wider than the
// terminal has become takes several of its rows.
func (s *Screen) home() string {
	up := 0
	for i, line := range s.drawn {
		if i > 0 {
			up++
		}
		if columns, _, err := term.GetSize(int(s.to.Fd())); err == nil && columns > 0 {
			up += max(0, terminal.Width(line)-1) / columns
		}
	}
	if up == 0 {
		return "\r"
	}
	return fmt.Sprintf("\r\x1b[%dA", up)
}
