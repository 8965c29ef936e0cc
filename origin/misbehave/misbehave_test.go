package misbehave

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var updateDocs = flag.Bool("update", false, "write docs/misbehave.md anew")

func TestMisbehavioursThatAreNone(t *testing.T) {
	for _, s := range []string{"", "x", "race:", "race:0s", "race:-1s", "race:2h", "race:1", "race:1s:", "race:1s:half", "race:1s:rst:", "race:1s:-1s", "race:1s:20ms:fin", "race:1s:2h", "few-requests:0", "few-requests:x", "few-requests:99999999", "reset:1", "cut-after-bytes:-1"} {
		if m, err := Parse(s); err == nil {
			t.Errorf("%q is %v", s, m)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than a line: %v", s, err)
		}
	}
}

// docs/misbehave.md has the table of what there is:
//
//	go test ./origin/misbehave -run TestMisbehaviourDocument -update
func TestMisbehaviourDocument(t *testing.T) {
	const path, begin, end = "../../docs/misbehave.md", "<!-- table -->\n", "<!-- end -->"
	var table bytes.Buffer
	fmt.Fprint(&table, "\n| name | over | the server | a good client |\n|---|---|---|---|\n")
	for _, m := range Kinds() {
		fmt.Fprintf(&table, "| `%s` | HTTP/%s | %s | %s |\n", strings.ReplaceAll(m.Form(), "|", "\\|"), strings.Join(m.Versions, ", "), m.Says(), m.Client)
	}
	table.WriteString("\n")
	doc := string(must(os.ReadFile(path)))
	head, rest, ok := strings.Cut(doc, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	whole := head + begin + table.String() + end + tail
	switch {
	case whole == doc:
	case *updateDocs:
		if err := os.WriteFile(path, []byte(whole), 0o666); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the program does; go test ./origin/misbehave -run TestMisbehaviourDocument -update", path)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
