package assertion

import (
	"strings"
	"testing"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/finding"
	"linger/internal/textbook"
	"linger/trace"
)

// What a condition asks for is decided by the figures of a result.
func TestConditions(t *testing.T) {
	in := textbook.Experiment("close,keep", 5)
	f := compare.Compare(in)
	one := compare.Fetch(compare.Fetched(in.Traces[1][0], in.Workload, in.Strategies[1]))
	few := compare.Compare(textbook.Experiment("close,keep", 3))
	dns := compare.Compare(textbook.LookUps(10, 5, 0))
	unknown := "not known"
	for _, test := range []struct {
		name, subject string
		figures       assert.Figures
		want          string // the value, or why it is not known
	}{
		{"connections", "keep", Figures(&f), "1"},
		{"connections", "close", Figures(&f), "41"},
		{"reuse", "keep", Figures(&f), "0.975609756097561"},
		{"reuse", "close", Figures(&f), "0"},
		{"ratio", "keep", Figures(&f), "1"},
		{"best", "", Figures(&f), "keep"},
		{"failed", "keep", Figures(&f), "0"},
		{"time", "h2", Figures(&f), unknown},
		{"tls", "keep", Figures(&f), unknown},
		{"query", "keep", Figures(&f), unknown},
		{"time", "keep", Figures(&few), unknown}, // three trials are too few
		{"time", in.Strategies[1].Name, FetchFigures(&one), "known"},
		{"request", "keep", Figures(&f), "known"},
		{"request_p99", "keep", Figures(&f), "known"},
		{"request_p99", "udp", Figures(&dns), unknown}, // 50 queries are too few
		{"query", "udp", Figures(&dns), "known"},
		{"bytes_per_query", "udp", Figures(&dns), "known"},
	} {
		v := test.figures(test.name, test.subject)
		got := v.Text
		switch {
		case v.Why != "":
			got = unknown
		case test.want == "known" && v.Low > 0:
			got = "known"
		case v.Text == "":
			got = finding.Exact(v.Low)
		}
		if got != test.want {
			t.Errorf("%s[%q] is %q (%+v); want %q", test.name, test.subject, got, v, test.want)
		}
	}
}

// A time of a request is the row's, and of DNS the query's.
func TestRequestIsQuery(t *testing.T) {
	f := compare.Compare(textbook.LookUps(30, 5, 0))
	figures := Figures(&f)
	for _, q := range []string{"", "_p95", "_p99"} {
		a, b := figures("request"+q, "udp"), figures("query"+q, "udp")
		if a.Why != "" || a.Low != b.Low || a.High != b.High {
			t.Errorf("request%s is %+v, query%s %+v", q, a, q, b)
		}
	}
	for i := range f.Rows {
		f.Rows[i].Request = linger.Opt[compare.Spread]{}
	}
	if v := Figures(&f)("request", "udp"); v.Why == "" {
		t.Errorf("%+v of a result that has none", v)
	}
}

// What crossed a link has figures of its own; requests only where somebody read them.
func TestTraffic(t *testing.T) {
	syn := trace.Flow{Packets: 2, SYN: 1, Header: 100}
	l := trace.Ledger{Connections: []trace.Flows{{Protocol: linger.TransportTCP, Up: syn, Down: syn}, {Protocol: linger.TransportTCP, Up: syn}}}
	read := TrafficFigures(l, map[string]int{"10.0.1.1:1": 3, "10.0.1.1:2": 1})
	for name, want := range map[string]float64{"connections": 2, "handshakes": 1, "requests": 4, "requests_per_connection": 2, "reuse": 0.5, "packets": 6, "packets_up": 4, "wire_bytes": 300} {
		if v := read(name, ""); v.Why != "" || v.Low != want {
			t.Errorf("%s is %+v; want %v", name, v, want)
		}
	}
	for why, figures := range map[string]assert.Figures{
		unread: TrafficFigures(l, nil), noRequest: TrafficFigures(l, map[string]int{}),
	} {
		if v := figures("reuse", ""); v.Why != why {
			t.Errorf("%+v; want %q", v, why)
		}
	}
	l.Overflow = 1
	if v := TrafficFigures(l, nil)("packets", ""); v.Why == "" {
		t.Errorf("%+v of a ledger that is not whole", v)
	}
}

// Every name can be asked for, once.
func TestNames(t *testing.T) {
	each, all := Names()
	seen := map[string]bool{}
	for _, n := range append(each, all...) {
		if seen[n.Name] || strings.ToLower(n.Name) != n.Name || n.Help == "" {
			t.Errorf("%+v", n)
		}
		seen[n.Name] = true
	}
	v := Vocabulary(textbook.Strategies("close,keep")...)
	if len(v.Names) != len(each)+len(all) || len(v.Subjects) != 2 || len(FetchVocabulary(textbook.Strategies("keep")[0]).Names) != len(each) {
		t.Errorf("%+v", v)
	}
}
