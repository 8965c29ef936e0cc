package formats

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/results"
	"linger/report/trial"
	"linger/trace"
)

// A diagram has each message once, and foreign text in it is nothing but text: every line is
// one of the few that Mermaid's grammar is used for, with letters that mean nothing in it.
func TestMermaid(t *testing.T) {
	at := func(ms int) linger.Opt[linger.Instant] {
		return linger.Known(linger.Instant(ms) * linger.Instant(time.Millisecond))
	}
	tr := &trace.Trace{Provenance: trace.Measured, Workload: "page", Ended: at(281).Or(0)}
	for i, path := range []string{"/", "/a;b#c\"d'<script>alert(1)</script>%%{init: {}}%%&amp;", "/end\x1b[31m\n    Note over C: forged", "/ünïcode/\u202egnp.exe"} {
		began := i * 70
		tr.Connections = append(tr.Connections, trace.Connection{ID: int64(i), Dialled: at(began).Or(0), Established: at(began + 20), Connected: at(began + 20), Closed: at(began + 60), ClosedBy: trace.AtServer, Requests: 1})
		tr.Exchanges = append(tr.Exchanges, trace.Exchange{ID: i, Method: "GET", URL: "http://origin" + path, Connection: int64(i), Attempts: 1, Status: 200, Queued: at(began).Or(0), Sent: at(began + 20), FirstByte: at(began + 40), Done: at(began + 41), ResponseBody: 900})
	}
	l, ok := trial.LadderOf("close \"evil\"\n---", tr, 1, linger.Opt[float64]{})
	if !ok {
		t.Fatal("nothing was sent")
	}
	var b bytes.Buffer
	if err := Mermaid(&b, l); err != nil {
		t.Fatal(err)
	}
	results.Golden(t, "mermaid", b.String())
	line := regexp.MustCompile(`^    (?:participant [CS] as (?:client|server)|Note over C,S: ([^\n]*)|(?:C->>S|S->>C|C--xS|S--xC): ([^\n]*))$`)
	text := regexp.MustCompile("^(?:[^#;%<>&\"'`\\\\{}\\[\\]()\\x00-\\x1f]|#[0-9]+;)*$")
	messages := 0
	for i, s := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		switch m := line.FindStringSubmatch(s); {
		case i < 4: // the title, and what the diagram is
		case m == nil || !text.MatchString(m[1]+m[2]):
			t.Errorf("line %d: %q", i+1, s)
		case m[2] != "":
			messages++
		}
	}
	if messages != len(l.Messages) {
		t.Errorf("%d messages of %d", messages, len(l.Messages))
	}
}

// Beyond what Mermaid draws by itself the file says so, and is whole.
func TestMermaidOfMany(t *testing.T) {
	tr := &trace.Trace{Ended: linger.Instant(time.Second)}
	tr.Connections = []trace.Connection{{ID: 0, Connected: linger.Known(linger.Instant(0))}}
	for i := range 1500 {
		at := linger.Known(linger.Instant(i))
		tr.Exchanges = append(tr.Exchanges, trace.Exchange{ID: i, Method: "GET", URL: "http://origin/", Sent: at, FirstByte: at, Done: at, Status: 200})
	}
	l, _ := trial.LadderOf("keep", tr, 1, linger.Opt[float64]{})
	var b bytes.Buffer
	if err := Mermaid(&b, l); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Count(s, "->>") != 3000 || !strings.Contains(s, "maxTextSize") {
		t.Errorf("%d messages in %d letters; %s", strings.Count(s, "->>"), len(s), s[len(s)-200:])
	}
}
