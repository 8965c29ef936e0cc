package terminal

import (
	"linger/report/table"
)

// A Style is an SGR code (ECMA-48, 8.3.117) around a piece of text.
type Style string

// Styles that text is written in.
const (
	Plain Style = ""
	Bold  Style = "1"
	Faint Style = "2"
	Green Style = "1;32"

	// Red and Yellow are of what did not go well; the word beside it says so too.
	Red    Style = "1;31"
	Yellow Style = "1;33"
)

// Paint puts s in a style where colour is wanted.
func (o Screen) Paint(s string, st Style) string {
	if !o.Color || st == Plain || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}

// styles are how text sets off what a cell says.
var styles = map[table.Style]Style{
	table.Plain: Plain, table.Strong: Bold, table.Faint: Faint, table.Good: Green, table.Caution: Yellow, table.Bad: Red,
}

// hues tell things apart for who sees colours; what stands there does for all.
var hues = []Style{"31", "91", "33", "32", "36", "34", "35", "92", "96", "94", "95", "93"}

// HueOf is the style of the n-th of several things.
func HueOf(n int) Style { return hues[n%len(hues)] }

// StyleOf is the style of a cell.
func StyleOf(s table.Style) Style {
	if n, ok := s.Hue(); ok {
		return HueOf(n)
	}
	return styles[s]
}
