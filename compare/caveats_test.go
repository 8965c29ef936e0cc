package compare

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/times"
	"linger/finding"
	"linger/internal/textbook"
	"linger/stats"
	"linger/trace"
)

// tried is an attempt of a strategy with one trial.
func tried(strategy string, t *trace.Trace) attempt {
	return attempt{
		measured: &measured{Timed: times.TimedOf(textbook.Strategies(strategy)[0], stats.New(100), trace.Measured, 0)},
		trials:   trials{ended: []*trace.Trace{t}, whole: []*trace.Trace{t}},
	}
}

func causesOf(list []finding.Caveat) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Cause)
	}
	return strings.Join(out, " ")
}

// A strategy gets what it stands for, or a caveat says what it got.
func TestNotHonoured(t *testing.T) {
	at := func(ms int) linger.Instant { return linger.Instant(ms) * linger.Instant(time.Millisecond) }
	known := func(ms int) linger.Opt[linger.Instant] { return linger.Known(at(ms)) }
	ex := func(connection int64, sent, done int) trace.Exchange {
		return trace.Exchange{Connection: connection, Queued: at(sent), Sent: known(sent), Done: known(done)}
	}
	one := []trace.Exchange{ex(0, 0, 10), ex(0, 10, 20), ex(0, 20, 30)}
	together := []trace.Exchange{ex(0, 0, 30), ex(0, 10, 40), ex(0, 20, 50)}
	conn := func(change func(*trace.Connection)) []trace.Connection {
		k := trace.Connection{ID: 0, Requests: 1, Closed: known(100), ClosedBy: trace.AtServer}
		change(&k)
		return []trace.Connection{k}
	}
	kept := func(*trace.Connection) {}
	setup := trace.Setup{Network: linger.Network{RTT: 50 * time.Millisecond}, Workload: linger.Workload{Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{
		{Parent: linger.NoParent}, {Parent: 0}, {Parent: 0}}}}
	for _, test := range []struct {
		name, strategy string
		conns          []trace.Connection
		exs            []trace.Exchange
		want           string
	}{
		{"the server closed a kept connection", "keep", conn(kept), one, CauseClosed},
		{"as it had announced", "keep", conn(func(k *trace.Connection) { k.IdleLimit = linger.Known(70 * time.Millisecond) }), one, ""},
		{"the client closed it", "keep", conn(func(k *trace.Connection) { k.ClosedBy = trace.AtClient }), one, ""},
		{"bytes that nobody had asked for", "keep", conn(func(k *trace.Connection) {
			k.ClosedBy, k.Surplus = trace.AtClient, linger.Known(trace.Surplus{Text: "x"})
		}), one, CauseSurplus},
		{"a connection carried two", "close", conn(func(k *trace.Connection) { k.Requests = 2 }), one, CauseReused},
		{"the server left it open", "close", conn(func(k *trace.Connection) { k.ClosedBy = trace.AtClient }), one, CauseLeftOpen},
		{"it closed in time", "close", conn(kept), one, ""},
		{"no stream allowed", "h2", conn(func(k *trace.Connection) { k.ClosedBy, k.Streams = trace.AtClient, linger.Known(int64(0)) }), together, CauseNoStream},
		{"one stream allowed", "h2", conn(func(k *trace.Connection) { k.ClosedBy, k.Streams = trace.AtClient, linger.Known(int64(1)) }), one, CauseOneStream},
		{"one after the other", "h2", conn(func(k *trace.Connection) { k.ClosedBy = trace.AtClient }), one, CauseSerial},
		{"together", "h2", conn(func(k *trace.Connection) { k.ClosedBy = trace.AtClient }), together, ""},
		{"one after the other, as it should be", "keep", conn(func(k *trace.Connection) { k.ClosedBy = trace.AtClient }), one, ""},
	} {
		c := tried(test.strategy, &trace.Trace{Ended: at(1000), Connections: test.conns, Exchanges: test.exs})
		if got := causesOf(notHonoured(setup, false, c)); got != test.want {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
	}
	// Where it is fixed when each request is sent, none need be under way with another.
	c := tried("h2", &trace.Trace{Ended: at(1000), Exchanges: one, Connections: []trace.Connection{{ID: 0}}})
	if got := notHonoured(setup, true, c); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// What a trace cannot have is told, with the first example.
func TestContradictions(t *testing.T) {
	w := linger.Workload{Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{{ResponseBody: 100}, {ResponseBody: 200}}}
	both := func(change func([]trace.Exchange)) []trace.Exchange {
		list := []trace.Exchange{{ID: 0, ResponseBody: 100}, {ID: 1, ResponseBody: 200}}
		change(list)
		return list
	}
	carried := func(down int64) linger.Opt[trace.Ledger] {
		return linger.Known(trace.Ledger{Connections: []trace.Flows{{Protocol: linger.TransportTCP, Down: trace.Flow{Payload: down}}}})
	}
	for _, test := range []struct {
		name   string
		exs    []trace.Exchange
		ledger linger.Opt[trace.Ledger]
		want   string
	}{
		{"all is well", both(func([]trace.Exchange) {}), carried(300), ""},
		{"twice the same", both(func(l []trace.Exchange) { l[1].ID = 0 }), carried(300), CauseStray},
		{"none of the workload's", both(func(l []trace.Exchange) { l[1].ID = 7 }), carried(300), CauseStray},
		{"too short", both(func(l []trace.Exchange) { l[1].ResponseBody = 199 }), carried(300), CauseWrongSize},
		{"too short, since it failed", both(func(l []trace.Exchange) { l[1].ResponseBody, l[1].Failed = 0, "reset" }), carried(300), ""},
		{"one is missing", both(func([]trace.Exchange) {})[:1], carried(300), CauseMissing},
		{"the link carried less", both(func([]trace.Exchange) {}), carried(299), CauseCarried},
		{"nobody counted", both(func([]trace.Exchange) {}), linger.Opt[trace.Ledger]{}, ""},
	} {
		got := contradictions(w, tried("keep", &trace.Trace{Exchanges: test.exs, Ledger: test.ledger}))
		if causesOf(got) != test.want {
			t.Errorf("%s: %+v; want %q", test.name, got, test.want)
		}
	}
}

// Caveats that could change the verdict are marked.
func TestDecisive(t *testing.T) {
	for _, test := range []struct {
		code, cause string
		want        bool
	}{
		{Bytes, CauseStray, true}, {NotHonoured, CauseClosed, true}, {Failed, CauseTrials, true}, {Failed, CauseZeroRTT, false},
		{Late, CauseExplains, true}, {Late, CauseLate, false}, {Trials, CauseFew, false}, {Trips, CauseLost, false},
	} {
		if got := decisive(finding.Caveat{Code: test.code, Cause: test.cause}); got != test.want {
			t.Errorf("%s, %s: %v", test.code, test.cause, got)
		}
	}
}

// The most frequent reasons come first, and how many others there are.
func TestTally(t *testing.T) {
	var got []string
	for _, f := range tally(counted([]string{"b", "a", "b", "d", "c", "e"})) {
		got = append(got, f.Name+" "+f.Text+" "+finding.Exact(f.Value.Or(0)))
	}
	if s := strings.Join(got, ", "); s != "reason b 2, reason a 1, reason c 1, other_reasons  2" {
		t.Error(s)
	}
}
