package words

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"linger/compare"
	"linger/internal/textbook"
	"linger/trace"
)

// go test ./report/words -update rewrites testdata/said.golden.
var update = flag.Bool("update", false, "rewrite testdata/said.golden")

// All that is said of each of the textbook's experiments, to the letter.
func TestSaid(t *testing.T) {
	var b strings.Builder
	for _, kind := range []struct {
		name string
		all  map[string]func() trace.Experiment
	}{{"examples", textbook.Examples}, {"verdicts", textbook.Verdicts}, {"caveats", textbook.Caveats}, {"queries", textbook.Queries}, {"others", textbook.Others}} {
		for _, name := range slices.Sorted(maps.Keys(kind.all)) {
			f := compare.Compare(kind.all[name]())
			fmt.Fprintf(&b, "== %s: %s\n%s\n", kind.name, name, Verdict(f.Verdict))
			for _, c := range f.Caveats {
				fmt.Fprintf(&b, "! %s: %s\n", c.Code, Caveat(c))
			}
		}
	}
	const file = "testdata/said.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i, line := range got {
		if i >= len(lines) || line != lines[i] {
			t.Fatalf("line %d of %s: now\n%s\nif that is meant, run: go test ./report/words -update", i+1, file, line)
		}
	}
	if len(lines) > len(got) {
		t.Errorf("%s has lines that nothing is behind", file)
	}
}
