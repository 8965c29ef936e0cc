package text

import (
	"fmt"
	"strings"
	"testing"

	"linger/compare/crowd"
	"linger/internal/results"
	"linger/report/terminal"
)

// A crowd's first screen at each width, and all that there is of it.
func TestCrowds(t *testing.T) {
	var b strings.Builder
	for _, of := range []struct {
		name   string
		result *crowd.Result
	}{{"one server", results.Crowd()}, {"servers", results.CrowdOfServers()}} {
		for _, o := range []terminal.Screen{{Width: 40}, {Width: 80}, {Width: 120}, {Width: 160}, {Width: 80, Wide: true}} {
			from := b.Len()
			fmt.Fprintf(&b, "== %s, %d columns%s\n", of.name, o.Width, map[bool]string{true: ", --wide"}[o.Wide])
			if err := Crowd(&b, of.result, Options{Screen: o, Version: "test", Command: "linger compare --clients 50"}); err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(b.String()[from:], "\n") - 1; !o.IsWide() && o.Width >= 80 && lines > terminal.Lines {
				t.Errorf("%s: %d lines in %d columns", of.name, lines, o.Width)
			}
			for _, line := range strings.Split(b.String()[from:], "\n") {
				if terminal.Width(line) > o.Width {
					t.Errorf("%s: %d columns are too many: %s", of.name, terminal.Width(line), line)
				}
			}
		}
	}
	results.Golden(t, "crowd", b.String())
}

// Where a terminal has nothing but ASCII, all of a crowd's letters have others that stand for them.
func TestCrowdsInASCII(t *testing.T) {
	var b strings.Builder
	o := terminal.Screen{Width: 80, Wide: true}
	o.ASCII = true
	if err := Crowd(&b, results.CrowdOfServers(), Options{Screen: o}); err != nil {
		t.Fatal(err)
	}
	if text := strings.ReplaceAll(b.String(), "/?token", ""); strings.Contains(text, "?") {
		t.Errorf("it is\n%s", text)
	}
}
