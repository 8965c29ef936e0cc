package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"linger/assert"
	"linger/audit"
	"linger/compare/assertion"
	"linger/compare/capacity"
	"linger/conformance"
	"linger/flags"
	"linger/keepalive"
	"linger/tune"
)

var updateDocs = flag.Bool("update", false, "write docs/assert.md")

// TestAssertDoc holds the tables of docs/assert.md against the names that there are:
//
//	go test ./cmd/linger -run TestAssertDoc -update    writes them anew
func TestAssertDoc(t *testing.T) {
	const doc = "../../docs/assert.md"
	b, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	each, all := assertion.Names()
	rows, crowd := assertion.CrowdNames()
	hops, chain := keepalive.Names()
	settings, log := tune.Names()
	for _, part := range []struct {
		mark  string
		names []assert.Name
	}{
		{"probe", conformance.Names()}, {"chain, all", chain}, {"chain, each", hops}, {"compare, each", each}, {"compare, all", all}, {"crowd, each", rows}, {"crowd, all", crowd}, {"lab", assertion.TrafficVocabulary().Names}, {"inspect", audit.Names()}, {"tune, each", settings}, {"tune, all", log}, {"bench", capacity.Names()},
	} {
		before, rest, ok := strings.Cut(text, "<!-- "+part.mark+" -->\n")
		_, after, ok2 := strings.Cut(rest, "<!-- end -->")
		if !ok || !ok2 {
			t.Fatalf("%s has no %q", doc, part.mark)
		}
		table := "\n| name | is | of |\n|---|---|---|\n"
		for _, n := range part.names {
			table += fmt.Sprintf("| `%s` | %s | %s |\n", n.Name, n.Kind, n.Help)
		}
		text = before + "<!-- " + part.mark + " -->\n" + table + "\n<!-- end -->" + after
	}
	if *updateDocs {
		if err := os.WriteFile(doc, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if text != string(b) {
		t.Errorf("%s does not have the names that there are; run: go test ./cmd/linger -run TestAssertDoc -update", doc)
	}
	if n := slices.IndexFunc(conformance.Names(), func(n assert.Name) bool { return n.Name == "h1" }); n != 8 {
		t.Errorf("%s speaks of the first eight names, and there are %d of each protocol", doc, n)
	}
}

func TestAssertionsThatDoNotHoldAreTold(t *testing.T) {
	for _, c := range []struct {
		results []assert.Result
		want    string
	}{
		{nil, ""},
		{[]assert.Result{{Text: "a", Truth: assert.Holds}}, ""},
		{[]assert.Result{{Text: "a", Truth: assert.Holds}, {Text: "b<1 s", Truth: assert.NotKnown, Why: "b is not known: nobody looked"}}, "--assert 'b<1 s': not known: b is not known: nobody looked"},
		{[]assert.Result{{Text: "a", Truth: assert.Broken}, {Text: "b", Truth: assert.NotKnown}}, "2 assertions do not hold"},
	} {
		got := ""
		if err := flags.Broken(c.results); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.results, got, c.want)
		}
	}
}
