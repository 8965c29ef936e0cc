package conformance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// between is the part of docs/probe.md behind a mark, up to the end of its table.
func between(t *testing.T, mark string) string {
	t.Helper()
	b, err := os.ReadFile("../docs/probe.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "<!-- "+mark+" -->\n")
	if !ok {
		t.Fatalf("docs/probe.md has no %s", mark)
	}
	text, _, _ = strings.Cut(text, "<!-- end -->")
	return strings.TrimSpace(text)
}

// The document lists each name of an assertion as the parser has it.
func TestDocumentListsEachName(t *testing.T) {
	want := "| name | is | of |\n|---|---|---|\n"
	for _, n := range Names() {
		want += fmt.Sprintf("| `%s` | %s | %s |\n", n.Name, n.Kind, n.Help)
	}
	if got := between(t, "names"); got != strings.TrimSpace(want) {
		t.Errorf("docs/probe.md has\n%s\nand there is\n%s", got, want)
	}
	if n := slices.IndexFunc(Names(), func(n Name) bool { return n.Name == "h1" }); n != 8 {
		t.Errorf("docs/probe.md speaks of the first eight names, and there are %d of each protocol", n)
	}
}
