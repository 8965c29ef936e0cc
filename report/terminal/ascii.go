package terminal

import "strings"

// letters are what stands for what is not ASCII. Of what is drawn, each is told from the
// others as before.
var letters = func() *strings.Replacer {
	pairs := []string{
		"─", "-", "┬", "+", "│", "|", "·", ".", "▒", "/", "░", ":", "█", "#", "▓", "%", "▸", ">", "▶", ">", "◀", "<", "┊", ":",
		"×", "x", "−", "-", "–", "-", "—", "-", "→", ">", "… and", "... and", "…", "~", "µ", "u", "±", "+-", "≥", ">=", "≤", "<=", "∞", "inf", "λ", "L",
		"“", `"`, "”", `"`, "‘", "'", "’", "'",
	}
	for i, bar := range eighths[:len(eighths)-1] { // the last is whole
		pairs = append(pairs, string(bar), string(" -=#"[(i+1)/2]))
	}
	for i, level := range Levels[:len(Levels)-1] {
		pairs = append(pairs, string(level), string(rune('1'+i)))
	}
	return strings.NewReplacer(pairs...)
}()

// InASCII writes a text with the letters of ASCII alone, for terminals that have no
// others. Each letter becomes one, so that columns stay where they are, but for those
// that one letter would not say.
func InASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, letters.Replace(text))
}
