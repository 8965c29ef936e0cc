package text

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/compare/across"
	"linger/compare/facts"
	"linger/finding"
	"linger/internal/results"
	"linger/internal/textbook"
	"linger/keepalive"
	"linger/profile"
	"linger/report"
	"linger/report/terminal"
	"linger/report/trial"
)

// verbs are what each verb prints.
func verbs(t testing.TB) map[string]func(io.Writer, Options) error {
	const second = profile.Duration(time.Second)
	told := func(d profile.Duration) keepalive.Limit { return keepalive.Limit{Source: keepalive.FromUser, Value: d} }
	chain := keepalive.Judge([]keepalive.Hop{
		{Name: "client", Opens: told(90 * second)},
		{Name: "lb", Software: "nginx", URL: "https://lb.example/", Server: "nginx/1.22.1", Accepts: keepalive.LimitFrom("nginx", keepalive.Accepts), Opens: keepalive.LimitFrom("nginx", keepalive.Opens)},
		{Name: "app", Software: "gunicorn", Accepts: keepalive.LimitFrom("gunicorn", keepalive.Accepts)},
	})
	chain.Caveats = []finding.Caveat{{Code: keepalive.SeenFromHere}}
	reuses := trial.Reuses{URL: "https://example.org/", Strategy: "keep", Rows: []facts.Reuse{
		{Wait: time.Second, Outcome: facts.Reused, TookMS: linger.Known(21.3), Attempts: 1, WantedMS: linger.Known(1000.2)},
		{Wait: 5 * time.Second, Outcome: facts.Repeated, TookMS: linger.Known(65.0), Attempts: 2, WantedMS: linger.Known(5000.1), ClosedMS: linger.Known(5000.4)},
		{Wait: time.Minute, Outcome: facts.Noticed, TookMS: linger.Known(64.1), Attempts: 1, WantedMS: linger.Known(60_000.2), ClosedMS: linger.Known(5001.0)},
	}}
	sweep := func(g linger.Grid) func(io.Writer, Options) error {
		m, v, _ := results.Swept(t, g, false)
		return func(w io.Writer, o Options) error {
			o.Limits = []report.Limit{{What: "Small queues.", Text: "of it"}, {What: "DNS"}}
			return Sweep(w, m, v, o)
		}
	}
	compared := func(name string) func(io.Writer, Options) error {
		f := findings(t, name)
		return func(w io.Writer, o Options) error { return Compare(w, f, o) }
	}
	fetched := func(name string) func(io.Writer, Options) error {
		return func(w io.Writer, o Options) error { return Waterfall(w, traces[name], o) }
	}
	machine := []Check{
		{Name: "/dev/net/tun", Needed: true, Found: "cannot open /dev/net/tun: permission denied", Gives: "the links of the lab",
			Ways: []Way{{"sudo setfacl -m u:7:rw /dev/net/tun", "you alone, until the machine restarts"}, {"sudo chmod 666 /dev/net/tun", "every program and user, until the machine restarts"}}},
		{Name: "namespaces", OK: true, Needed: true, Found: "user, mount, process and network namespaces without root"},
		{Name: "open files", Found: "a process may open 1024", Gives: "strategies of many connections", Ways: []Way{{"sudo prlimit --pid $$ --nofile=20000", "what this shell starts"}}},
	}
	return map[string]func(io.Writer, Options) error{
		"doctor":      func(w io.Writer, o Options) error { return Doctor(w, machine, o) },
		"compare":     compared("secure"),
		"compare-dns": compared("dns"),
		"networks": func(w io.Writer, o Options) error {
			return Networks(w, networks("3g", "cable", "lte"), o)
		},
		"networks-many": func(w io.Writer, o Options) error {
			return Networks(w, networks("edge", "3gslow", "3g", "4g", "lte", "dsl", "fios", "wan", "satellite"), o)
		},
		"sweep":       sweep(results.Grid(t, "1ms..13ms,90ms..600ms", "100kbit..1gbit", 8, 0, 0.01)),
		"sweep-named": sweep(linger.Grid{Loss: []float64{0, 0.01}, Named: linger.Networks(), Queue: linger.DefaultQueue}),
		"get":         fetched("keep2"),
		"get-h2":      fetched("h2"),
		"get-at":      func(w io.Writer, o Options) error { return Reuse(w, reuses, o) },
		"lab": func(w io.Writer, o Options) error {
			return Ledger(w, ledger(), map[string]int{"10.0.0.1:40000": 3}, nil, o)
		},
		"difference":  func(w io.Writer, o Options) error { return Difference(w, changedFindings(t), o) },
		"probe":       func(w io.Writer, o Options) error { return Probe(w, results.Server(), false, o) },
		"probe-list":  func(w io.Writer, o Options) error { return Survey(w, results.Servers(), o) },
		"probe-chain": func(w io.Writer, o Options) error { return Chain(w, chain, o) },
		"inspect":     func(w io.Writer, o Options) error { return Audit(w, crowded(), o) },
	}
}

// networks is a comparison on several networks, on the first of which an assertion fails and a
// trial is lost.
func networks(names ...string) across.Networks {
	var each []compare.Findings
	for i, in := range textbook.Networks("close,close:6,keep,keep:6,pipeline,h2,h3", 5, names...) {
		holds := assert.Result{Text: `time["h2"]<9s`, Truth: assert.Holds}
		if i == 0 {
			in.Traces[0], in.Failures[0] = in.Traces[0][1:], []string{"not done after 10m0s"}
			holds.Truth, holds.Why = assert.Broken, `time["h2"] is 12 s`
		}
		f := compare.Compare(in)
		f.Asserted = []assert.Result{holds}
		each = append(each, f)
	}
	return across.Of(each)
}

// Each verb's text is what the golden file shows at each width, and no line is wider. At
// the usual width it fits on a screen.
func TestVerbsFitEachWidth(t *testing.T) {
	for name, write := range verbs(t) {
		var all strings.Builder
		for _, columns := range []int{40, 80, 120, 160} {
			var b bytes.Buffer
			if err := write(&b, Options{Screen: terminal.Screen{Width: columns}, Version: "0.1.0", Command: "linger " + name}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				// What is to be copied is in one piece.
				if n := terminal.Width(strings.TrimSuffix(line, "\n")); n > columns && !strings.HasPrefix(line, "      ") {
					t.Errorf("%s: %d columns of %d: %s", name, n, columns, line)
				}
			}
			if n := strings.Count(b.String(), "\n"); columns == 80 && n > terminal.Lines {
				t.Errorf("%s: %d lines of %d", name, n, terminal.Lines)
			}
			fmt.Fprintf(&all, "== %d columns\n%s", columns, b.String())
		}
		results.Golden(t, "widths-"+name, all.String())
	}
}

// ASCII has the lines and the columns of what it stands for, but for signs of two letters.
func TestASCII(t *testing.T) {
	for name, write := range verbs(t) {
		var b, bare bytes.Buffer
		if err := write(&b, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := write(&bare, Options{Screen: terminal.Screen{ASCII: true}}); err != nil {
			t.Fatal(err)
		}
		drawn, lines := strings.Split(b.String(), "\n"), strings.Split(bare.String(), "\n")
		if len(drawn) != len(lines) {
			t.Errorf("%s: %d lines, %d in ASCII", name, len(drawn), len(lines))
			continue
		}
		for i, line := range lines {
			for _, r := range line {
				if r < ' ' || r > '~' {
					t.Errorf("%s: %q in %q", name, r, line)
				}
			}
			if strings.ContainsRune(line, '?') && !strings.ContainsRune(drawn[i], '?') && !strings.ContainsRune(drawn[i], '\uffff') {
				t.Errorf("%s: nothing stands for a letter of %q: %q", name, drawn[i], line)
			}
			if !strings.ContainsAny(drawn[i], "±≥≤") && !strings.Contains(drawn[i], "… and") && len(line) != terminal.Width(drawn[i]) {
				t.Errorf("%s: %q is %q", name, drawn[i], line)
			}
		}
	}
}
