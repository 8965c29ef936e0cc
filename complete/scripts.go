package complete

import (
	"embed"
	"slices"
)

// Scripts have each shell ask linger complete what may stand at the cursor. The answer's first
// line says how, each further one a word, and behind a tab what it is.
//
//go:embed scripts
var scripts embed.FS

// Shells are those that there is a script for.
var Shells = []string{"bash", "zsh", "fish"}

// Script returns the completion script of a shell; its first line says what a shell does with
// it. Of others it is empty.
func Script(shell string) string {
	if !slices.Contains(Shells, shell) {
		return ""
	}
	b, _ := scripts.ReadFile("scripts/linger." + shell) // it is in the program
	return string(b)
}
