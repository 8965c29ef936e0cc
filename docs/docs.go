// Package docs holds those documents that the program itself shows parts of, so that
// there is one place where they are written.
package docs

import (
	_ "embed"
	"regexp"
	"strings"
)

//go:embed simulator.md
var simulator string

// A Limit is a point of the list of what predictions leave out: its words in bold, and
// the rest.
type Limit struct{ What, Text string }

// emphasis is what marks code and links, whose words stay.
var emphasis = regexp.MustCompile("`|\\[([^]]*)\\]\\([^)]*\\)")

// NotModelled returns what docs/simulator.md says is not modelled.
func NotModelled() []Limit {
	_, text, _ := strings.Cut(simulator, "\n## What is not modelled\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var out []Limit
	for item := range strings.SplitSeq(text, "\n- **") {
		what, rest, ok := strings.Cut(strings.Join(strings.Fields(item), " "), "**")
		if !ok {
			continue // what stands before the list
		}
		plain := func(s string) string { return emphasis.ReplaceAllString(s, "$1") }
		rest = strings.TrimLeft(rest, ":, ")
		out = append(out, Limit{strings.TrimRight(plain(what), "."), plain(rest)})
	}
	return out
}
