package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var inBackquotes = regexp.MustCompile("`([^`]+)`")

// documented reads the table of rooms in docs/design.md: what each may import, "*" for
// anything.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(text), "\n## Rooms\n")
	if !ok {
		t.Fatal("docs/design.md has no part called Rooms")
	}
	part, _, _ = strings.Cut(part, "\n## ")
	table := map[string][]string{}
	for line := range strings.Lines(part) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		name := strings.TrimSuffix(inBackquotes.FindStringSubmatch(cells[1])[1], "/")
		imports, said := []string{}, strings.TrimSpace(cells[3])
		switch said {
		case "": // rooms within rooms; it has no package of its own
			continue
		case "anything":
			imports = []string{"*"}
		case "nothing":
		default:
			for _, m := range inBackquotes.FindAllStringSubmatch(said, -1) {
				imports = append(imports, m[1])
			}
		}
		if _, twice := table[name]; twice {
			t.Errorf("docs/design.md has the room %s twice", name)
		}
		slices.Sort(imports)
		table[name] = imports
	}
	return table
}

// TestTheDocumentSaysTheSame holds the table of rooms in docs/design.md against the lock.
func TestTheDocumentSaysTheSame(t *testing.T) {
	table := documented(t)
	for _, r := range rooms {
		said, ok := table[r.name]
		if !ok {
			t.Errorf("docs/design.md does not have the room %s", r.name)
			continue
		}
		delete(table, r.name)
		if may := slices.Sorted(slices.Values(r.imports)); !slices.Equal(said, may) {
			t.Errorf("%s may import %v by docs/design.md, and %v by the lock", r.name, said, may)
		}
	}
	for name := range table {
		t.Errorf("docs/design.md has a room %s that the lock does not know", name)
	}
}
