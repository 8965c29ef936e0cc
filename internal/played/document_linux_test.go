package played

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"linger/audit"
)

var update = flag.Bool("update", false, "write the table of docs/inspect.md anew")

const (
	document   = "../../docs/inspect.md"
	tableBegin = "<!-- played -->\n"
	tableEnd   = "<!-- end of played -->\n"
)

// unplayed says of the causes that no scenario has why it has none.
var unplayed = map[string]string{
	"unknown":       "the absence of a cause",
	"ended-between": "it takes two captures ([joined](joined.md))",
}

// The table of docs/inspect.md is what is held here.
//
//	go test ./internal/played -run TestDocument -update
func TestDocument(t *testing.T) {
	type count struct{ scenarios, connections, largest int }
	played := map[string]count{}
	for _, s := range scenarios {
		if s.joined {
			continue
		}
		here := map[string]int{}
		for _, opened := range s.opened {
			for _, c := range opened {
				for code := range strings.SplitSeq(strings.TrimSuffix(c, "+"), "|") {
					here[code]++
				}
			}
		}
		for code, n := range here {
			p := played[code]
			played[code] = count{p.scenarios + 1, p.connections + n, max(p.largest, n)}
		}
	}
	var b strings.Builder
	b.WriteString("\n| cause | scenarios | connections | of one at most | at the client | in the middle | at the server |\n|---|---|---|---|---|---|---|\n")
	for _, c := range audit.Causes() {
		code := string(c.Code)
		if why := unplayed[code]; why != "" {
			fmt.Fprintf(&b, "| `%s` | none: %s | | | | | |\n", code, why)
			continue
		}
		p := played[code]
		if p.scenarios < 2 {
			t.Errorf("%s is played %d times, and each cause is to be played twice", code, p.scenarios)
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d |", code, p.scenarios, p.connections, p.largest)
		for _, where := range places {
			if e, ok := elsewhere[code][where]; ok {
				fmt.Fprintf(&b, " `%s`: %s |", e.answer, e.why)
			} else {
				b.WriteString(" yes |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")

	old, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(old), tableBegin)
	table, tail, closed := strings.Cut(rest, tableEnd)
	switch {
	case !ok || !closed:
		t.Fatalf("%s has no %q and %q", document, tableBegin, tableEnd)
	case table == b.String():
	case *update:
		if err := os.WriteFile(document, []byte(head+tableBegin+b.String()+tableEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s is stale; go test ./internal/played -run TestDocument -update writes it anew", document)
	}
}
