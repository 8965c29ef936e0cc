// Package inferred holds tests only: captures of connections of TLS and QUIC of which it is known
// how many requests each carried and when, because whoever asked or served has said so, read
// without keys. How far the inference is off stands in docs/inference.md.
package inferred

import (
	"cmp"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/inference.md anew, and with LINGER_TEST_ALL=1 what they are made of")

const (
	document   = "../../docs/inference.md"
	record     = "testdata/runs.csv"
	tableBegin = "<!-- inferred -->\n"
	tableEnd   = "<!-- end of inferred -->\n"
)

// A run is one capture that was read.
type run struct {
	kind, client, server, over string
	where                      string // the place of capture
	loss                       float64
	connections                int
	exchanges, inferred        int
	exact                      int // connections
	worst                      int // how far a connection is off: positive is too many
	off                        int // sum of how far each is off
	// How far instants are off, in milliseconds, of connections that are exact: the largest
	// of 95 in 100; negative is not known.
	sent, first, done float64
}

var columns = []string{"kind", "client", "server", "over", "where", "loss", "connections", "exchanges", "inferred", "exact", "worst", "off", "sent_ms", "first_ms", "done_ms"}

func (r run) row() []string {
	f := func(v float64) string {
		if v < 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	i := strconv.Itoa
	return []string{r.kind, r.client, r.server, r.over, r.where, f(r.loss), i(r.connections), i(r.exchanges), i(r.inferred), i(r.exact), i(r.worst), i(r.off), f(r.sent), f(r.first), f(r.done)}
}

// readRuns reads what was recorded.
func readRuns(t *testing.T) (runs []run) {
	t.Helper()
	f, err := os.Open(record)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.Comment = '#'
	rows, err := in.ReadAll()
	if err != nil || len(rows) == 0 || !slices.Equal(rows[0], columns) {
		t.Fatalf("%s: %v, and begins with %q", record, err, rows[:min(1, len(rows))])
	}
	for _, row := range rows[1:] {
		i := func(c int) int {
			n, err := strconv.Atoi(row[c])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		f := func(c int) float64 {
			if row[c] == "" {
				return -1
			}
			v, err := strconv.ParseFloat(row[c], 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		runs = append(runs, run{row[0], row[1], row[2], row[3], row[4], max(0, f(5)), i(6), i(7), i(8), i(9), i(10), i(11), f(12), f(13), f(14)})
	}
	return runs
}

func writeRuns(t *testing.T, runs []run) {
	t.Helper()
	slices.SortStableFunc(runs, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.client, b.client), cmp.Compare(a.server, b.server),
			cmp.Compare(a.over, b.over), cmp.Compare(a.loss, b.loss), cmp.Compare(a.where, b.where))
	})
	var b strings.Builder
	b.WriteString("# Written by: LINGER_TEST_ALL=1 go test ./internal/inferred -run TestInference -update. One line a capture.\n")
	out := csv.NewWriter(&b)
	out.Write(columns)
	for _, r := range runs {
		out.Write(r.row())
	}
	out.Flush()
	if err := os.WriteFile(record, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// kinds are the kinds of captures in the order of the table, with what a turn is to them.
var kinds = []struct{ name, title string }{
	{"h1", "HTTP/1.1, one request at a time"},
	{"h1-upload", "HTTP/1.1, uploads"},
	{"h1-early", "HTTP/1.1, resumed"},
	{"h1-pipelined", "HTTP/1.1, pipelined"},
	{"h1-offered", "HTTP/1.1, where HTTP/2 was offered"},
	{"h2", "HTTP/2, one request at a time"},
	{"h2-side", "HTTP/2, requests side by side"},
	{"h2-upload", "HTTP/2, uploads"},
	{"h3", "HTTP/3, one request at a time"},
	{"h3-side", "HTTP/3, requests side by side"},
	{"h3-upload", "HTTP/3, uploads"},
}

// sum puts runs together.
func sum(runs []run) (s run) {
	s.sent, s.first, s.done = -1, -1, -1
	for _, r := range runs {
		s.connections += r.connections
		s.exchanges += r.exchanges
		s.inferred += r.inferred
		s.exact += r.exact
		s.off += r.off
		if abs(r.worst) > abs(s.worst) {
			s.worst = r.worst
		}
		s.sent, s.first, s.done = max(s.sent, r.sent), max(s.first, r.first), max(s.done, r.done)
	}
	return s
}

func abs(n int) int { return max(n, -n) }

// tableOf is what docs/inference.md shows of runs.
func tableOf(runs []run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d captures.\n\n", len(runs))
	b.WriteString("| of | captures | connections | requests | inferred | off by | exact connections | off by, mean of a connection | worst connection | sent ± ms | first byte ± ms | done ± ms |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	ms := func(v float64) string {
		if v < 0 {
			return "–"
		}
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	line := func(title string, of []run) {
		if len(of) == 0 {
			return
		}
		s := sum(of)
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %+.1f %% | %.1f %% | %.2f | %+d | %s | %s | %s |\n", title, len(of), s.connections, s.exchanges, s.inferred,
			100*float64(s.inferred-s.exchanges)/float64(s.exchanges), math.Floor(1000*float64(s.exact)/float64(s.connections))/10, float64(s.off)/float64(s.connections), s.worst, ms(s.sent), ms(s.first), ms(s.done))
	}
	with := func(keep func(run) bool) (out []run) {
		for _, r := range runs {
			if keep(r) {
				out = append(out, r)
			}
		}
		return out
	}
	for _, k := range kinds {
		line(k.title+", no loss", with(func(r run) bool { return r.kind == k.name && r.loss == 0 }))
		line(k.title+", loss", with(func(r run) bool { return r.kind == k.name && r.loss > 0 }))
	}
	b.WriteString("\nThe same by who asked:\n\n| client | of | captures | connections | requests | inferred | exact connections | worst connection |\n|---|---|---|---|---|---|---|---|\n")
	var clients []string
	for _, r := range runs {
		clients = append(clients, r.client)
	}
	slices.Sort(clients)
	for _, c := range slices.Compact(clients) {
		for _, k := range kinds {
			of := with(func(r run) bool { return r.client == c && r.kind == k.name })
			if s := sum(of); len(of) > 0 {
				fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %+d |\n", c, k.title, len(of), s.connections, s.exchanges, s.inferred, s.exact, s.worst)
			}
		}
	}
	b.WriteString("\n")
	return b.String()
}

// The tables of docs/inference.md are of the runs that are recorded.
//
//	go test ./internal/inferred -run TestDocument -update
func TestDocument(t *testing.T) {
	runs := readRuns(t)
	if len(runs) < 60 {
		t.Errorf("%d captures; there are to be 60", len(runs))
	}
	for _, r := range runs {
		if !slices.ContainsFunc(kinds, func(k struct{ name, title string }) bool { return k.name == r.kind }) {
			t.Errorf("no kind %q", r.kind)
		}
	}
	table := tableOf(runs)
	old, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(old), tableBegin)
	was, tail, closed := strings.Cut(rest, tableEnd)
	switch {
	case !ok || !closed:
		t.Fatalf("%s has no %q and %q", document, tableBegin, tableEnd)
	case was == table:
	case *update:
		if err := os.WriteFile(document, []byte(head+tableBegin+table+tableEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the tables of %s are stale; go test ./internal/inferred -run TestDocument -update writes them anew", document)
	}
}
