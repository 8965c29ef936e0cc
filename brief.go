package linger

import (
	"strings"
	"unicode"
)

// Brief makes foreign text fit for one line of a reason: 80 bytes at most, and
// a dot for what cannot be printed.
func Brief(s string) string {
	const most = 80
	out := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '.'
		}
		return c
	}, s[:min(len(s), most)])
	if len(s) > most {
		out += "..."
	}
	return out
}
