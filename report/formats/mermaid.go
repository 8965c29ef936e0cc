package formats

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"linger/finding"
	"linger/legible"
	"linger/report/trial"
	"linger/trace"
)

// mermaidTakes is how long a text Mermaid draws unless its maxTextSize says otherwise.
const mermaidTakes = 50_000

// Mermaid writes the messages of a trial as a sequence diagram of Mermaid, all of them, in
// the order of the client's side. Each connection has a number; the round trips that follow
// one from another are parted by notes.
func Mermaid(w io.Writer, l trial.Ladder) error {
	var b strings.Builder
	fmt.Fprintf(&b, "---\ntitle: \"%s\"\n---\nsequenceDiagram\n    participant C as client\n    participant S as server\n", quoted(l.Title()))
	trip := 0
	for i := range l.Messages {
		m := &l.Messages[i]
		if m.Trip > 0 && m.Trip != trip {
			trip = m.Trip
			fmt.Fprintf(&b, "    Note over C,S: round trip %d\n", trip)
		}
		from, to := "C", "S"
		if m.By == trace.AtServer {
			from, to = to, from
		}
		arrow := "->>"
		if m.Packets > 0 && m.Lost == m.Packets {
			arrow = "--x" // it never came
		}
		at := finding.Tenth(m.At().Milliseconds()) + " ms"
		if len(l.Connections) > 1 {
			at += fmt.Sprintf(" #35;%d", l.Connections[m.Connection].Number)
		}
		fmt.Fprintf(&b, "    %s%s%s: %s: %s\n", from, arrow, to, at, legend(l.Text(m)))
	}
	for _, note := range l.Notes() {
		fmt.Fprintf(&b, "    Note over C,S: %s\n", legend(note))
	}
	if n := utf8.RuneCountInString(b.String()); n > mermaidTakes {
		fmt.Fprintf(&b, "    %%%% %d letters: Mermaid draws %d unless its maxTextSize is raised\n", n, mermaidTakes)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// legend makes a text of a diagram one that Mermaid takes for nothing else. "#" and ";" begin
// and end its entity codes, and ";" ends a statement; "%%" begins a comment, and its labels may
// hold HTML.
func legend(s string) string {
	var b strings.Builder
	for _, r := range legible.Text(s) {
		if strings.ContainsRune("#;%<>&\"'`\\{}[]()", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// quoted makes a text one that stands between double quotes in YAML.
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(legible.Text(s))
}
