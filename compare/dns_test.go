package compare

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"linger"
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
	for _, d := range f.Doubts {
		if d.Code == NotHonoured || d.Code == Bytes {
			t.Errorf("a doubt without a reason: %s", d.Text)
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
	if d.Asked != 50 || d.Answered != 49 || d.Failed != 1 || d.SentAgain != linger.Known(5) || d.Truncated != linger.Known(1) {
		t.Errorf("%+v; want 50 asked, 49 answered, 1 failed, 5 sent again, 1 truncated", d)
	}
	if r.Failed != 1 {
		t.Errorf("%d trials failed, want 1", r.Failed)
	}
	s, _ := d.Time.Get()
	if s.N != 49 || s.Median != 70 || s.P95.Or(0) < 1000 || !s.P99.IsZero() {
		t.Errorf("times of queries %+v", s)
	}
	for _, want := range []string{"udp asked 5 queries again", "1 of 50 answers did not fit"} {
		if !strings.Contains(f.Verdict.Text, want) {
			t.Errorf("the verdict does not say %q:\n%s", want, f.Verdict.Text)
		}
	}
}

func TestVerdictOfLookUps(t *testing.T) {
	limit := func(in trace.Experiment, limits ...time.Duration) trace.Experiment {
		for i, d := range limits {
			for _, one := range in.Traces[2+i] {
				one.Connections[0].IdleLimit = linger.Known(d)
			}
		}
		return in
	}
	away := limit(textbook.LookUps(10, 5, 10), 2*time.Second, 2*time.Second)
	away.Network = linger.Network{}
	cut := textbook.LookUps(10, 5, 10)
	for _, one := range cut.Traces[0] { // as if each answer had been asked for again over TCP
		l, _ := one.Ledger.Get()
		for i := range one.Exchanges {
			one.Exchanges[i].Truncated, one.Exchanges[i].Attempts = true, 2
			l.Connections[i].Down.Header += 1000
		}
	}
	failing := textbook.LookUps(10, 5, 10)
	for i := range failing.Traces {
		textbook.Fail(failing.Traces[i], 3, "SERVFAIL")
	}
	never := textbook.LookUps(10, 5, 10)
	scheduled := textbook.LookUps(10, 5, 10)
	for i := range scheduled.Workload.Exchanges {
		e := &scheduled.Workload.Exchanges[i]
		e.Parent, e.Think = linger.NoParent, time.Duration(i)*time.Second
	}
	for _, c := range []struct {
		name      string
		in        trace.Experiment
		want, not []string
	}{
		{"nothing announced", never, []string{"udp takes least", "Keeping pays from the second query on: a further one takes 230 B over tcp+keep, not the 660 B of tcp",
			"tcp+keep and tcp+pipeline never take fewer bytes than udp", "1.4 times its 170 B", "announced no idle limit, and closed no"},
			[]string{"handshakes cost", "wait in line", "queries again"}},
		{"an idle limit", limit(textbook.LookUps(10, 5, 10), 2*time.Second, 2*time.Second), []string{"for 2.00 s, it says: up to gaps of 1.93 s keeping pays"}, []string{"not known"}},
		{"no idle at all", limit(textbook.LookUps(10, 5, 10), 0, 0), []string{"keeping pays only while queries follow one another"}, []string{"up to gaps"}},
		{"limits of two kinds", limit(textbook.LookUps(10, 5, 10), 2*time.Second, time.Second),
			[]string{"keeping pays: tcp+keep 1.93 s (the server announced 2.00 s); tcp+pipeline 930 ms (the server announced 1.00 s)."}, nil},
		{"a limit of one", limit(textbook.LookUps(10, 5, 10), 2*time.Second), []string{"tcp+keep 1.93 s (the server announced 2.00 s); tcp+pipeline not known."}, nil},
		{"an unknown path", away, []string{"for 2.00 s, it says: up to gaps of that less a round trip keeping pays"}, []string{"1.93 s"}},
		{"cut answers", cut, []string{"On a kept connection tcp+keep (from about 1 query) and tcp+pipeline (from about 1 query) take fewer bytes a query than udp, whose answers did not fit"}, []string{"share a packet"}},
		{"a query fails in each trial", failing, []string{"No trial had an answer to every query", "A single one takes"}, []string{"nothing to compare", "No strategy"}},
		{"at a rate", scheduled, []string{"When each query is asked is fixed", "A single one takes 70.0 ms at the median"}, []string{"takes least", "No difference"}},
	} {
		text := Compare(c.in).Verdict.Text
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the verdict does not say %q:\n%s", c.name, want, text)
			}
		}
		for _, not := range c.not {
			if strings.Contains(text, not) {
				t.Errorf("%s: the verdict says %q:\n%s", c.name, not, text)
			}
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
func TestDoubtsOfLookUps(t *testing.T) {
	paced := textbook.LookUps(10, 5, 10)
	for i := range paced.Workload.Exchanges {
		e := &paced.Workload.Exchanges[i]
		e.Parent, e.Think = linger.NoParent, time.Duration(i)*time.Second
	}
	paced.Still = paced.Traces
	f := Compare(paced)
	for _, r := range f.Rows {
		if !r.RoundTrips.IsZero() {
			t.Errorf("%s takes %v round trips, at times of the workload's own", r.Strategy, r.RoundTrips)
		}
	}
	for _, d := range append(f.Doubts, Compare(textbook.LookUps(10, 5, 10)).Doubts...) {
		if d.Code == NotHonoured || d.Code == Overlap && strings.Contains(d.Text, "udp") {
			t.Errorf("a doubt without a reason: %s", d.Text)
		}
	}
	again := textbook.LookUps(10, 5, 10)
	again.Traces[2][0].Retries = 2
	if s := fmt.Sprint(Compare(again).Doubts); !strings.Contains(s, "RFC 7766, 6.2.4): tcp+keep 2, in all") || strings.Contains(s, "RFC 9112") {
		t.Errorf("queries sent again: %s", s)
	}
	together := textbook.LookUps(10, 5, 10)
	for _, one := range together.Traces[3] {
		for i := range one.Exchanges {
			one.Exchanges[i].Queued = 0
		}
	}
	if s := fmt.Sprint(Compare(together).Doubts); !strings.Contains(s, "tcp+pipeline: never had two requests in flight") {
		t.Errorf("wanted together, and asked one by one: %s", s)
	}
}

// What textbook.Datagrams were sent again, nobody knows of TCP; what TCP sent again, nobody of UDP.
func TestWhatWasSentAgainIsKnownToOne(t *testing.T) {
	f := Compare(textbook.LookUps(10, 5, 9))
	udp, d := rowOf(t, f, "udp")
	tcp, e := rowOf(t, f, "tcp")
	if !udp.Retransmitted.IsZero() || d.SentAgain != linger.Known(5) || d.Truncated != linger.Known(0) {
		t.Errorf("udp: %v by TCP, %v textbook.Datagrams, %v cut", udp.Retransmitted, d.SentAgain, d.Truncated)
	}
	if tcp.Retransmitted != linger.Known(0.0) || !e.SentAgain.IsZero() || !e.Truncated.IsZero() {
		t.Errorf("tcp: %v by TCP, %v textbook.Datagrams, %v cut", tcp.Retransmitted, e.SentAgain, e.Truncated)
	}
}

func TestEncryptionInBytes(t *testing.T) {
	in := textbook.LookUps(10, 5, 10)
	in.Strategies = textbook.Strategies("tcp,tcp+keep,dot,dot+keep")
	in.Traces = [][]*trace.Trace{in.Traces[1], in.Traces[2], textbook.LookUps(10, 5, 10).Traces[1], textbook.LookUps(10, 5, 10).Traces[2]}
	for i, list := range in.Traces[2:] {
		for _, one := range list {
			l, _ := one.Ledger.Get()
			for k := range l.Connections {
				n := int64([]int{1, 10}[i])
				l.Connections[k].Down.Header += 7*textbook.TCPSetUp + n*2*textbook.OnStream // 8 times the set-up, 3 times a query
			}
		}
	}
	text := Compare(in).Verdict.Text
	if want := "Encryption: dot takes 6.3 times the bytes of tcp, a further query over dot+keep 3.0 times that of tcp+keep."; !strings.Contains(text, want) {
		t.Errorf("the verdict does not say %q:\n%s", want, text)
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
	for _, d := range f.Doubts {
		if strings.Contains(d.Text, "closed kept connections") {
			t.Error(d.Text)
		}
	}
	if _, d := rowOf(t, f, "tcp+keep"); d.ClosedAfter != linger.Known(1000.0) || d.IdleLimit != linger.Known(1000.0) {
		t.Errorf("closed after %+v, announced %+v; want 1000 ms", d.ClosedAfter, d.IdleLimit)
	}
}
