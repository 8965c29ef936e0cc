package played

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"linger/audit"
	"linger/observe"
)

// A jointly counts connections whose cause one end alone does not tell.
type jointly struct {
	lines                  []string
	scenarios, connections int
	// hard are those of which the client's capture alone does not tell the cause, or the server's
	// does not; client and server those of them that it does tell, right those that both tell.
	hard, client, server, right int
	// lost are those that each capture alone tells, and both together do not.
	lost int
}

// judgeJoined joins the captures of client and server, and holds what is then said of each
// connection against the script, and against what one capture alone says.
func (s *take) judgeJoined(t *testing.T, all *jointly) {
	t.Helper()
	near, far := s.captures["client"], s.captures["server"]
	if near == "" || far == "" || len(s.opened) != 1 || len(s.aside) > 0 || s.opened["client>server"] == nil {
		return
	}
	want := s.opened["client>server"]
	if strings.HasSuffix(want[len(want)-1], "+") {
		return // as many as the clock wanted
	}
	alone := map[string][]audit.Row{}
	for _, file := range []string{near, far} {
		rows, _, err := auditOf(file, s.secrets(t), 0)
		if err != nil {
			t.Error(err)
			return
		}
		alone[file] = rows
	}
	both, err := s.join(near, far)
	if err != nil {
		t.Error(err)
		return
	}
	all.scenarios++
	all.connections += len(want)
	hard := 0
	atClient, atServer, joint := s.rightly(alone[near], want), s.rightly(alone[far], want), s.rightly(both, want)
	for i := range want {
		one := !atClient[i] || !atServer[i]
		if one {
			hard++
			all.client += trues(atClient[i : i+1])
			all.server += trues(atServer[i : i+1])
		}
		switch {
		case one && joint[i]:
			all.right++
		case one:
			t.Logf("%s, connection %d: %s, and both ends do not tell either", s.name, i+1, want[i])
		case !joint[i]:
			all.lost++
			t.Errorf("%s, connection %d: %s, as each end alone says, and joined they do not", s.name, i+1, want[i])
		}
	}
	all.hard += hard
	if hard > 0 {
		all.lines = append(all.lines, fmt.Sprintf("| %s | %d | %d | %d | %d |", s.name, len(want), trues(atClient), trues(atServer), trues(joint)))
	}
}

// join audits both captures as one.
func (s *take) join(near, far string) (rows []audit.Row, err error) {
	var files []observe.Source
	logs := []string{}
	if s.keyed {
		logs, _ = filepath.Glob(filepath.Join(s.dir, "*", secretsName))
	}
	for _, name := range append([]string{near, far}, logs...) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files = append(files, observe.Source{Name: name, From: f})
	}
	r := observe.Reading{Join: &files[1], KeyLogs: files[2:], Audit: audit.Config{Each: func(r audit.Row) { rows = append(rows, r) }}}
	_, err = r.Captures(context.Background(), files[:1])
	if err != nil && strings.Contains(err.Error(), "no connection over TCP") {
		rows, _, err = auditOf(near, nil, 0) // of QUIC alone
	}
	return rows, err
}

// rightly says of each connection whether its cause is the script's.
func (s *take) rightly(rows []audit.Row, want []string) []bool {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(x, y audit.Row) int { return cmp.Compare(x.Opened, y.Opened) })
	out := make([]bool, len(want))
	for i := range min(len(rows), len(want)) {
		got := string(rows[i].Cause)
		if rows[i].Class != audit.Requests {
			got = string(rows[i].Class)
		}
		out[i] = slices.Contains(strings.Split(want[i], "|"), got)
	}
	return out
}

func trues(all []bool) (n int) {
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}

// report holds that nine of ten of them are decided.
func (j *jointly) report(t *testing.T) {
	t.Helper()
	t.Logf("joined: of %d connections of %d scenarios, one end alone leaves %d not known or wrong; the client's tells %d of these, the server's %d, both ends %d",
		j.connections, j.scenarios, j.hard, j.client, j.server, j.right)
	if float64(j.right) < 0.9*float64(j.hard) {
		t.Errorf("both ends tell %d of %d, want nine of ten", j.right, j.hard)
	}
	if *update {
		j.write(t)
	}
}

// write writes the table of docs/joined.md.
//
//	LINGER_TEST_ALL=1 go test ./internal/played -run TestPlayed -update
func (j *jointly) write(t *testing.T) {
	t.Helper()
	const document, begin, end = "../../docs/joined.md", "<!-- joined -->\n", "<!-- end of joined -->\n"
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(b), begin)
	_, tail, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no %q and %q", document, begin, end)
	}
	slices.Sort(j.lines)
	table := "\n| scenario | connections | right by the client's alone | by the server's alone | joined |\n|---|---|---|---|---|\n" + strings.Join(j.lines, "\n") +
		fmt.Sprintf("\n\nOf %d connections of %d scenarios, one end alone leaves %d not known, or has a wrong cause. The\nclient's alone tells %d of these, the server's alone %d, both joined %d. Of the others, which each end\ntells alone, both joined have %d wrong.\n\n",
			j.connections, j.scenarios, j.hard, j.client, j.server, j.right, j.lost)
	if err := os.WriteFile(document, []byte(head+begin+table+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
