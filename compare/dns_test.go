package compare

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/finding"
	"linger/internal/textbook"
	"linger/trace"
)

func rowOf(t *testing.T, f Findings, strategy string) (Row, DNS) {
	t.Helper()
	for _, r := range f.Rows {
		if r.Strategy == strategy {
			d, ok := r.DNS.Get()
			if !ok {
				t.Fatalf("%s has no figures of DNS", strategy)
			}
			return r, d
		}
	}
	t.Fatalf("no row of %s", strategy)
	return Row{}, DNS{}
}

func TestUDPHasNoConnections(t *testing.T) {
	f := Compare(textbook.LookUps(10, 5, 10))
	udp, _ := rowOf(t, f, "udp")
	tcp, _ := rowOf(t, f, "tcp")
	for _, c := range []struct {
		what      string
		got, want linger.Opt[float64]
	}{
		{"connections of udp", udp.Connections, linger.Known(0.0)},
		{"handshakes of udp", udp.Handshakes, linger.Known(0.0)},
		{"queries a connection of udp", udp.RequestsPerConnection, linger.Opt[float64]{}},
		{"connections of tcp", tcp.Connections, linger.Known(10.0)},
		{"queries a connection of tcp", tcp.RequestsPerConnection, linger.Known(1.0)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, c.got, c.want)
		}
	}
	for _, d := range f.Caveats {
		if d.Code == NotHonoured || d.Code == Bytes {
			t.Errorf("a caveat without a reason: %+v", d)
		}
	}
}

// A connection for one query takes 660 bytes, one for ten 430 + 10 * 230: what is
// parted again must be what it was made of.
func TestKeptConnectionsAreTakenApart(t *testing.T) {
	f := Compare(textbook.LookUps(10, 5, 10))
	_, udp := rowOf(t, f, "udp")
	if got := udp.Bytes.Or(0); got != textbook.Datagrams {
		t.Errorf("udp takes %v bytes a query, want %d", got, textbook.Datagrams)
	}
	if got := udp.Packets.Or(0); got != textbook.PerDatagrams {
		t.Errorf("udp takes %v packets a query, want %d", got, textbook.PerDatagrams)
	}
	if udp.Kept != (linger.Opt[Kept]{}) {
		t.Errorf("udp keeps %+v", udp.Kept)
	}
	_, keep := rowOf(t, f, "tcp+keep")
	want := Kept{SetUpBytes: textbook.TCPSetUp, SetUpPackets: textbook.TCPSetUpPieces, QueryBytes: textbook.OnStream, QueryPackets: textbook.PerStream, BeatsUDP: linger.Known(false)}
	if got, _ := keep.Kept.Get(); got != want {
		t.Errorf("tcp+keep is taken apart into %+v, want %+v", got, want)
	}
}

func TestBreakEven(t *testing.T) {
	for _, c := range []struct {
		setUp, query, other float64
		n                   int
		ok                  bool
	}{
		{430, 230, 170, 0, false},
		{430, 170, 170, 0, false},
		{430, 127, 170, 11, true}, // at 10 both take 1700
		{431, 127, 170, 11, true},
		{429, 127, 170, 10, true},
		{-5, 100, 170, 1, true},
	} {
		n, ok := breakEven(c.setUp, c.query, c.other)
		if n != c.n || ok != c.ok {
			t.Errorf("%v once and %v each, against %v each: %d, %v; want %d, %v", c.setUp, c.query, c.other, n, ok, c.n, c.ok)
		}
		if ok && (c.setUp+float64(n)*c.query >= float64(n)*c.other || n > 1 && c.setUp+float64(n-1)*c.query < float64(n-1)*c.other) {
			t.Errorf("%d is not the least", n)
		}
	}
}

func TestQueriesAreAccountedFor(t *testing.T) {
	in := textbook.LookUps(10, 5, 9) // of ten, the last is lost once
	x := &in.Traces[0][0].Exchanges[4]
	x.Failed, x.Done = "server answered SERVFAIL", linger.Opt[linger.Instant]{}
	cut := &in.Traces[0][1].Exchanges[5]
	cut.Truncated, cut.Attempts = true, 2
	f := Compare(in)
	r, d := rowOf(t, f, "udp")
	if d.Asked != 50 || d.Answered != 49 || d.Failed != 1 || d.Retransmitted != linger.Known(5) || d.Truncated != linger.Known(1) {
		t.Errorf("%+v; want 50 asked, 49 answered, 1 failed, 5 sent again, 1 truncated", d)
	}
	if r.Failed != 1 {
		t.Errorf("%d trials failed, want 1", r.Failed)
	}
	s, _ := d.Time.Get()
	if s.N != 50 || s.Failed != 1 || s.Median != 70 || s.P95.Or(0) < 1000 || !s.P99.IsZero() {
		t.Errorf("times of queries %+v", s)
	}
	for code, want := range map[string]finding.Figures{
		AskedAgain: {finding.Counted("retransmitted", 5)}, Truncated: {finding.Counted("truncated", 1), finding.Counted("asked", 50)},
	} {
		i := slices.IndexFunc(f.Verdict.Findings, func(one finding.Finding) bool { return one.Code == code })
		if i < 0 || !reflect.DeepEqual(f.Verdict.Findings[i].Figures[:len(want)], want) {
			t.Errorf("%s is not found with %+v: %+v", code, want, f.Verdict.Findings)
		}
	}
}

func TestVerdictOfLookUps(t *testing.T) {
	for _, test := range []struct {
		name  string // of textbook.Queries
		found string // codes with causes
	}{
		{"nothing announced", "keep-alive/saves fastest/fastest-with further-query never-fewer-bytes-than-udp idle-limit"},
		{"an idle limit", "keep-alive/saves fastest/fastest-with further-query never-fewer-bytes-than-udp idle-limit"},
		{"no idle at all", "keep-alive/saves fastest/fastest-with further-query never-fewer-bytes-than-udp idle-limit"},
		{"limits of two kinds", "keep-alive/saves fastest/fastest-with further-query never-fewer-bytes-than-udp idle-limit"},
		{"a limit of one", "keep-alive/saves fastest/fastest-with further-query never-fewer-bytes-than-udp idle-limit"},
		{"an unknown path", "keep-alive/saves fastest/fastest-with further-query never-fewer-bytes-than-udp idle-limit"},
		{"cut answers", "keep-alive/saves fastest/fastest-with further-query fewer-bytes-than-udp/truncated truncated idle-limit"},
		{"a query fails in each trial", "no-load-time query-times idle-limit"},
		{"at a rate", "fixed-times query-times further-query never-fewer-bytes-than-udp idle-limit"},
		{"encrypted and not", "keep-alive/untried fastest/fastest-without further-query encryption idle-limit"},
	} {
		if found := codesOf(Compare(textbook.Queries[test.name]()).Verdict); found != test.found {
			t.Errorf("%s: found %s; want %s", test.name, found, test.found)
		}
	}
}

// What is no count of anything says nothing: hardly any query more than connections.
func TestConnectionsForHardlyMoreThanOneQuery(t *testing.T) {
	in := textbook.LookUps(10, 5, 10)
	for _, one := range in.Traces[2] {
		for i := range one.Exchanges {
			one.Exchanges[i].Connection = int64(i / 2 * 2 % 6) // of 10 queries, 6 connections
		}
		for i := 1; i < 6; i++ {
			k := one.Connections[0]
			k.ID = int64(i)
			one.Connections = append(one.Connections, k)
		}
	}
	if r, d := rowOf(t, Compare(in), "tcp+keep"); !d.Kept.IsZero() {
		t.Errorf("%v queries a connection, and %+v", r.RequestsPerConnection, d.Kept)
	}
}

// Queries that come at times of their own cannot be told apart by when the last was
// answered, and names asked for one after the other are never in flight together.
func TestCaveatsOfLookUps(t *testing.T) {
	paced := textbook.LookUps(10, 5, 10)
	for i := range paced.Workload.Exchanges {
		e := &paced.Workload.Exchanges[i]
		e.Parent, e.Think = linger.NoParent, time.Duration(i)*time.Second
	}
	paced.ZeroRTT = paced.Traces
	f := Compare(paced)
	for _, r := range f.Rows {
		if !r.RoundTrips.IsZero() {
			t.Errorf("%s takes %v round trips, at times of the workload's own", r.Strategy, r.RoundTrips)
		}
	}
	for _, d := range append(f.Caveats, Compare(textbook.LookUps(10, 5, 10)).Caveats...) {
		if d.Code == NotHonoured || d.Code == Overlap && slices.ContainsFunc(d.Figures, func(f finding.Figure) bool { return f.Text == "udp" }) {
			t.Errorf("a caveat without a reason: %+v", d)
		}
	}
	if again := Compare(textbook.Queries["sent again"]()); !hasCaveat(again, Retries, CauseClosed) {
		t.Errorf("queries sent again: %s", caveatsOf(again))
	}
	if together := Compare(textbook.Queries["wanted together, asked one by one"]()); !hasCaveat(together, NotHonoured, CauseSerial) {
		t.Errorf("wanted together, and asked one by one: %s", caveatsOf(together))
	}
}

// What datagrams were sent again, nobody knows of TCP; what TCP sent again, nobody of UDP.
func TestWhatWasSentAgainIsKnownToOne(t *testing.T) {
	f := Compare(textbook.LookUps(10, 5, 9))
	udp, d := rowOf(t, f, "udp")
	tcp, e := rowOf(t, f, "tcp")
	if !udp.Retransmitted.IsZero() || d.Retransmitted != linger.Known(5) || d.Truncated != linger.Known(0) {
		t.Errorf("udp: %v by TCP, %v datagrams, %v cut", udp.Retransmitted, d.Retransmitted, d.Truncated)
	}
	if tcp.Retransmitted != linger.Known(0.0) || !e.Retransmitted.IsZero() || !e.Truncated.IsZero() {
		t.Errorf("tcp: %v by TCP, %v datagrams, %v cut", tcp.Retransmitted, e.Retransmitted, e.Truncated)
	}
}

// What a server closes after as long as it had announced is no breach of anything.
func TestAnnouncedIdleLimitIsHonoured(t *testing.T) {
	in := textbook.LookUps(10, 5, 10)
	for _, one := range in.Traces[2] {
		k := &one.Connections[0]
		k.IdleLimit = linger.Known(time.Second)
		for i := 5; i < len(one.Exchanges); i++ { // a pause of 1.5 s, and a second connection
			e := &one.Exchanges[i]
			e.Queued, e.Connection = e.Queued.Add(1500*time.Millisecond), 99
			for _, at := range []*linger.Opt[linger.Instant]{&e.Sent, &e.FirstByte, &e.Done} {
				*at = linger.Known(at.Or(0).Add(1500 * time.Millisecond))
			}
		}
		one.Ended = one.Ended.Add(1500 * time.Millisecond)
		second := *k
		second.ID = 99
		k.Requests = 5
		k.Closed, k.ClosedBy = linger.Known(one.Exchanges[4].Done.Or(0).Add(time.Second)), trace.AtServer
		one.Connections = append(one.Connections, second)
	}
	f := Compare(in)
	if hasCaveat(f, NotHonoured, CauseClosed) {
		t.Errorf("%v", f.Caveats)
	}
	if _, d := rowOf(t, f, "tcp+keep"); d.ClosedAfter != linger.Known(1000.0) || d.IdleLimit != linger.Known(1000.0) {
		t.Errorf("closed after %+v, announced %+v; want 1000 ms", d.ClosedAfter, d.IdleLimit)
	}
}
