package played

import (
	"flag"
	"fmt"
	"os"
	"slices"
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
	"not-coalesced": "a matter of HTTP/2 and 3, under TLS",
	"unknown":       "the absence of a cause",
}

// The table of docs/inspect.md is what is held here.
//
//	go test ./internal/played -run TestDocument -update
func TestDocument(t *testing.T) {
	played := map[string]int{}
	for _, s := range scenarios {
		var here []string
		for _, opened := range s.opened {
			for _, c := range opened {
				here = append(here, strings.Split(strings.TrimSuffix(c, "+"), "|")...)
			}
		}
		slices.Sort(here)
		for _, c := range slices.Compact(here) {
			played[c]++
		}
	}
	var b strings.Builder
	b.WriteString("\n| cause | scenarios | at the client | in the middle | at the server |\n|---|---|---|---|---|\n")
	for _, c := range audit.Causes() {
		code := string(c.Code)
		if why := unplayed[code]; why != "" {
			fmt.Fprintf(&b, "| `%s` | none: %s | | | |\n", code, why)
			continue
		}
		if played[code] < 2 {
			t.Errorf("%s is played %d times, and each cause is to be played twice", code, played[code])
		}
		fmt.Fprintf(&b, "| `%s` | %d |", code, played[code])
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
