package results

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"linger/compare"
)

// go test ./report/text ./report/formats -update rewrites testdata/*.golden.
var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// Golden holds what was written against the file of that name.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s differs from what is written; look at it with -update and git diff. Written is:\n%s", file, got)
	}
}

// Findings reads what the tests of compare have found; from is the way to the module's
// root.
func Findings(t testing.TB, from, name string) compare.Findings {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from, "compare", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var f compare.Findings
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}
