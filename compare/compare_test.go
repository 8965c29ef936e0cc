package compare

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/finding"
	"linger/internal/textbook"
	"linger/stats"
	"linger/trace"
)

// go test ./compare -update rewrites testdata/*.json from what Compare gives now.
// The tests of report read them.
var update = flag.Bool("update", false, "rewrite testdata/*.json")

func TestGolden(t *testing.T) {
	for name, input := range textbook.Examples {
		t.Run(name, func(t *testing.T) {
			f := Compare(input())
			got, err := json.MarshalIndent(f, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from what Compare gives; look at it with go test ./compare -update and git diff", file)
			}
			for i := range f.Rows {
				f.Rows[i].Reuse = linger.Opt[float64]{} // which is for assertions, and not written
			}
			var back Findings
			if err := json.Unmarshal(want, &back); err != nil || !reflect.DeepEqual(back, f) {
				t.Errorf("%s does not read back as what was written: %v", file, err)
			}
			if again := Compare(input()); jsonOf(t, again) != jsonOf(t, f) {
				t.Error("the same input gives other findings")
			}
		})
	}
}

func TestRows(t *testing.T) {
	rows := Compare(textbook.Experiment("close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2", 5)).Rows
	for i, want := range []struct {
		name                         string
		persistent                   bool
		connections, least, requests float64
		trips, within                float64
	}{
		{"close", false, 41, 41, 1, 82, 30}, // large images take more windows than one
		{"close:6", false, 41, 41, 1, 16, 6},
		{"keep", true, 1, 1, 41, 42, 6},
		{"keep:2", true, 2, 2, 20.5, 22, 6},
		{"keep:6", true, 6, 6, 6.83, 9, 4},
		{"pipeline", true, 1, 1, 41, 5, 3},
		{"pipeline:2", true, 2, 2, 20.5, 5, 3},
	} {
		r := rows[i]
		if r.Strategy != want.name || r.Persistent != want.persistent || r.Trials != 5 || r.Failed != 0 {
			t.Errorf("row %d is %+v", i, r)
		}
		if c := r.Connections.Or(-1); c != want.connections || r.Handshakes.Or(-1) != c || r.Sockets.TimeWait.Or(-1) != c {
			t.Errorf("%s: %v connections, %v handshakes, %v TIME_WAIT", want.name, r.Connections, r.Handshakes, r.Sockets.TimeWait)
		}
		if got := r.RequestsPerConnection.Or(-1); got != want.requests {
			t.Errorf("%s: %v requests a connection; want %v", want.name, got, want.requests)
		}
		if got := r.RoundTrips.Or(-1); got < want.trips-want.within || got > want.trips+want.within {
			t.Errorf("%s: %v round trips; want %v within %v", want.name, got, want.trips, want.within)
		}
		wire, load := r.WireBytes.Or(facts.Directions{}), r.PayloadBytes.Or(facts.Directions{})
		content := float64(textbook.Gallery().Bytes())
		if want := stats.Round(1-content/wire.Sum(), 1e-4); r.Overhead.Or(-1) != want || load.Sum() != content+41*300 {
			t.Errorf("%s: overhead %v, payload %v; want %v and %v", r.Strategy, r.Overhead, load, want, content+41*300)
		}
		tm, _ := r.Time.Get()
		if tm.Low.Or(0) > tm.Median || tm.High.Or(0) < tm.Median || tm.Confidence.Or(0) != 0.9375 {
			t.Errorf("%s: %+v", r.Strategy, tm)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		name  string // of textbook.Verdicts
		best  string
		saves bool
		found string // codes with causes
	}{
		{"kept is better", "keep", true, "keep-alive/saves fastest/fastest-without handshake-time keeping-saves"},
		{"no difference", "", false, "keep-alive/same no-difference/fastest-with handshake-time fewest-connections"},
		{"kept is worse", "close", false, "keep-alive/costs fastest/fastest-with handshake-time keeping-costs why/unseen"},
		{"too few trials", "keep", true, "keep-alive/untested fastest/fastest-without handshake-time keeping-saves"},
		{"one trial", "", false, "keep-alive/untested fastest/fastest-without handshake-time"},
		{"few trials, nothing to be told", "", false, "keep-alive/untested no-winner/fastest-without handshake-time"},
		{"few trials of a pair only", "pipeline", true, "keep-alive/untested fastest/fastest-without handshake-time parallel-keeping-saves"},
		{"one trial, the kept one slower", "", false, "keep-alive/untested fastest/fastest-without handshake-wait"},
		{"three trials, the kept one slower", "pipeline", true, "keep-alive/untested fastest/fastest-without handshake-wait keeping-costs"},
		{"three trials, the kept pair slower", "pipeline", true, "keep-alive/untested fastest/fastest-without handshake-time parallel-keeping-costs"},
		{"another number of connections", "close:6", false, "keep-alive/untried fastest/fastest-with handshake-wait serialized"},
		{"the pair is worse, another is the fastest kept", "close:6", false, "keep-alive/costs fastest/fastest-with handshake-wait keeping-costs why/unseen more-connections-cost serialized"},
		{"the parts add up", "pipeline", true, "keep-alive/saves fastest/fastest-without handshake-time keeping-saves"},
		{"no slow start in a segment", "pipeline", true, "keep-alive/saves fastest/fastest-without handshake-time keeping-saves"},
		{"one strategy", "", false, "unopposed handshake-time"},
		{"one kept strategy", "", false, "unopposed"},
		{"no non-persistent one", "keep:6", false, "keep-alive/none-without fastest/slowest"},
		{"no persistent one", "close:6", false, "keep-alive/none-with fastest/slowest handshake-time"},
		{"no persistent one, the baseline best", "close:6", false, "keep-alive/none-with fastest/slowest handshake-wait"},
		{"parallel pairs", "keep:6", true, "keep-alive/saves fastest/fastest-without handshake-time parallel-keeping-saves"},
		{"a pair that is not the best", "pipeline", true, "keep-alive/saves fastest/fastest-without handshake-time keeping-saves"},
		{"the finding of 1997", "pipeline", true, "keep-alive/saves fastest/fastest-without handshake-time keeping-saves serialized"},
		{"the best closes", "close:6", false, "keep-alive/saves fastest/fastest-with handshake-time keeping-saves serialized"},
		{"what TLS costs", "keep", true, "keep-alive/saves fastest/fastest-without handshake-time connection-cpu keeping-saves"},
		{"resumption", "keep+resume", true, "keep-alive/saves fastest/fastest-without handshake-time connection-cpu keeping-saves option-saves/resumption"},
		{"resumption, the time alike", "", false, "keep-alive/none-with no-difference/slowest handshake-time option-same/resumption"},
		{"resumption that costs", "close", false, "keep-alive/none-with fastest/slowest handshake-time option-costs/resumption why/unseen"},
		{"resumption, two trials", "close+resume", false, "keep-alive/none-with fastest/slowest handshake-time option-saves/resumption"},
		{"resumption, one trial", "", false, "keep-alive/none-with no-winner/slowest handshake-time option-undecided/resumption"},
		{"early data", "h3+0rtt", false, "keep-alive/none-without fastest/slowest option-saves/early-data"},
		{"fast open", "keep:6+tfo", false, "keep-alive/none-without fastest/slowest option-saves/fast-open"},
		{"what was not given saves nothing", "h3+0rtt", true, "keep-alive/untried fastest/fastest-without handshake-time"},
		{"versions", "h3", true, "keep-alive/untried fastest/fastest-without handshake-time version-faster version-faster"},
		{"h2 is worse", "h3", false, "keep-alive/none-without fastest/slowest version-slower why/unseen version-faster"},
		{"head-of-line blocking", "h3", false, "keep-alive/none-without fastest/slowest version-faster loss-faster"},
		{"nothing was lost", "h3", false, "keep-alive/none-without fastest/slowest version-faster"},
		{"only one lost packets", "h3", false, "keep-alive/none-without fastest/slowest version-faster"},
		{"no head-of-line blocking", "", false, "keep-alive/none-without no-difference/slowest loss-same"},
		{"blocking, two trials", "h3", false, "keep-alive/none-without fastest/slowest version-faster loss-undecided"},
		{"recovery costs more", "h2", false, "keep-alive/none-without fastest/slowest version-slower loss-slower"},
		{"nothing delivered", "", false, "nothing-delivered"},
		{"no strategy at all", "", false, "nothing-delivered"},
	} {
		v := Compare(textbook.Verdicts[test.name]()).Verdict
		if v.Best != test.best || v.Saves.Time.IsZero() == test.saves {
			t.Errorf("%s: best %q, saves %+v; want %q", test.name, v.Best, v.Saves, test.best)
		}
		if found := codesOf(v); found != test.found {
			t.Errorf("%s: found %s; want %s", test.name, found, test.found)
		}
	}
}

// codesOf lists the codes of what was found, with their causes.
func codesOf(v Verdict) string {
	var out []string
	for _, f := range v.Findings {
		out = append(out, strings.TrimSuffix(f.Code+"/"+f.Cause, "/"))
	}
	return strings.Join(out, " ")
}

func TestPredictedTimesNeedNoTest(t *testing.T) {
	in := textbook.Experiment("close,keep", 1)
	in.Provenance = trace.Predicted
	f := Compare(in)
	for _, one := range f.Verdict.Findings {
		if one.Severity == finding.Unknown {
			t.Errorf("%+v", one)
		}
	}
	if hasCaveat(f, Trials, "") {
		t.Errorf("%v", f.Caveats)
	}
}

func TestCaveats(t *testing.T) {
	for _, test := range []struct {
		name  string // of textbook.Caveats
		found string // codes with causes
	}{
		{"nothing to doubt", ""},
		{"a byte too few", "bytes/wrong-size"},
		{"an exchange twice", "bytes/stray-exchange"},
		{"an exchange missing", "bytes/missing-exchanges failed/all"},
		{"the link carried less", "bytes/carried-less"},
		{"failed exchanges", "failed/exchanges failed/ranked-last overlap/test round-trips/ranked-last"},
		{"failed trials", "failed/trials failed/ranked-last round-trips/ranked-last"},
		{"interrupted", "interrupted confidence/low"},
		{"server closed", "not-honoured/closed"},
		{"reused", "not-honoured/reused"},
		{"left open", "not-honoured/left-open"},
		{"surplus", "not-honoured/surplus"},
		{"not pipelined", "not-honoured/serial"},
		{"retries", "retries/closed"},
		{"retries of streams", "retries/refused"},
		{"no idle race of streams", "retries/refused"},
		{"no ledger", "ledger/nobody"},
		{"half a ledger", "ledger/part"},
		{"full ledger", "ledger/overflow"},
		{"late", "lateness/late"},
		{"late by the difference", "lateness/late lateness/explains"},
		{"spurious", "retransmitted"},
		{"three trials", "trials/few"},
		{"one strategy, one trial", "confidence/one-trial round-trips/one-trial"},
		{"one strategy has no interval either", "confidence/one-trial round-trips/one-trial"},
		{"nothing to compare one strategy with", "confidence/one-trial round-trips/one-trial"},
		{"few trials, by number", "trials/few trials/few trials/few round-trips/one-trial"},
		{"few trials, the next number", "trials/few trials/few round-trips/one-trial"},
		{"requests in vain are pipelined", "not-honoured/closed overlap/test"},
		{"a single trial", "trials/few round-trips/one-trial"},
		{"fewer trips than none", "round-trips/lost"},
		{"trips within their doubt", "overlap/test round-trips/lost"},
		{"four trials", "confidence/low"},
		{"overlap", "lateness/explains overlap/test"},
		{"no still trials", "round-trips/no-zero-rtt-trial"},
		{"another protocol", "not-honoured/not-resumed not-honoured/not-resumed not-honoured/fast-open-refused not-honoured/protocol not-honoured/early-data-rejected"},
		{"not resumed", "not-honoured/not-resumed not-honoured/not-resumed not-honoured/fast-open-refused not-honoured/protocol not-honoured/early-data-rejected"},
		{"not resumed at once", "not-honoured/not-resumed not-honoured/not-resumed not-honoured/fast-open-refused not-honoured/protocol not-honoured/early-data-rejected"},
		{"early data rejected", "not-honoured/not-resumed not-honoured/not-resumed not-honoured/fast-open-refused not-honoured/protocol not-honoured/early-data-rejected"},
		{"no early data", "not-honoured/not-resumed not-honoured/early-data-unsent"},
		{"fast open fell back", "not-honoured/not-resumed not-honoured/not-resumed not-honoured/fast-open-refused not-honoured/protocol not-honoured/early-data-rejected"},
		{"fast open unknown", "not-honoured/fast-open-unknown"},
		{"noisy trips", "round-trips/noisy"},
	} {
		if found := caveatsOf(Compare(textbook.Caveats[test.name]())); found != test.found {
			t.Errorf("%s: found %s; want %s", test.name, found, test.found)
		}
	}
	dropped := textbook.Experiment("close,keep", 5)
	for _, one := range dropped.Traces[1] {
		l, _ := one.Ledger.Get()
		l.Connections[0].Down.Retransmitted, l.Connections[0].Down.DroppedLoss = 2, 2
		one.Ledger = linger.Known(l)
	}
	if got := Compare(dropped).Caveats; len(got) > 0 {
		t.Errorf("packets sent again because they were dropped: %v", got)
	}
}

// TestFewStreams says so where a server lets one request be under way at a time, or none.
func TestFewStreams(t *testing.T) {
	for n, want := range map[int64]string{0: CauseNoStream, 1: CauseOneStream, 100: ""} {
		e := textbook.Over("h2", 3, 0)
		for _, one := range e.Traces[0] {
			for i := range one.Connections {
				one.Connections[i].Streams = linger.Known(n)
			}
		}
		found := Compare(e)
		if want != "" && !hasCaveat(found, NotHonoured, want) || want == "" && (hasCaveat(found, NotHonoured, CauseNoStream) || hasCaveat(found, NotHonoured, CauseOneStream)) {
			t.Errorf("%d streams at once: %s, want %s", n, caveatsOf(found), want)
		}
	}
}

// TestRecordingsKeepToNoStrategy finds no protocol wrong in what a browser recorded.
func TestRecordingsKeepToNoStrategy(t *testing.T) {
	e := textbook.Over("h2", 3, 0)
	e.Strategies[0] = linger.Strategy{Name: "as recorded"}
	e.Traces[0][0].Connections[0].Protocol = linger.HTTP11
	if found := Compare(e); hasCaveat(found, NotHonoured, CauseProtocol) {
		t.Errorf("found %s", caveatsOf(found))
	}
}

// caveatsOf lists the codes of the caveats, with their causes.
func caveatsOf(f Findings) string {
	var out []string
	for _, c := range f.Caveats {
		out = append(out, strings.TrimSuffix(c.Code+"/"+c.Cause, "/"))
	}
	return strings.Join(out, " ")
}

func hasCaveat(f Findings, code, cause string) bool {
	return slices.ContainsFunc(f.Caveats, func(c finding.Caveat) bool { return c.Code == code && c.Cause == cause })
}

func TestSecureRows(t *testing.T) {
	rows := Compare(textbook.Examples["secure"]()).Rows
	for i, want := range []struct {
		name                       string
		tcp, full, resumed, quic   float64
		trips, share, up, down     float64
		protocol                   string
		chain, sockets, sentBefore bool // what is known
	}{
		{"close", 41, 41, 0, 0, 2, 0, 41 * textbook.FullUp, 41 * textbook.FullDown, "http/1.1", true, true, true},
		{"close:6", 41, 41, 0, 0, 2, 0, 41 * textbook.FullUp, 41 * textbook.FullDown, "http/1.1", true, true, true},
		{"keep", 1, 1, 0, 0, 2, 0, textbook.FullUp, textbook.FullDown, "http/1.1", true, true, true},
		{"keep:6", 6, 6, 0, 0, 2, 0, 6 * textbook.FullUp, 6 * textbook.FullDown, "http/1.1", true, true, true},
		{"pipeline", 1, 1, 0, 0, 2, 0, textbook.FullUp, textbook.FullDown, "http/1.1", true, true, true},
		{"h2", 1, 1, 0, 0, 2, 0, textbook.FullUp, textbook.FullDown, "h2", true, true, true},
		{"h3", 0, 1, 0, 1, 1, 0, textbook.FullUp, textbook.FullDown, "h3", true, false, false},
		{"close+resume", 41, 1, 40, 0, 2, 0.9756, textbook.FullUp + 40*textbook.ResumedUp, textbook.FullDown + 40*textbook.ResumedDown, "http/1.1", true, true, true},
		{"h3+0rtt", 0, 0, 1, 1, 0, 1, textbook.ResumedUp, textbook.ResumedDown, "h3", false, false, false},
	} {
		r := rows[i]
		k := linger.Known[float64]
		if h := (Handshake{k(want.tcp), k(want.full), k(want.resumed), k(want.quic)}); r.Strategy != want.name || r.Handshake != h || r.Handshakes != k(want.tcp+want.quic) || r.Connections != r.Handshakes {
			t.Errorf("%s: %+v of %v connections; want %+v", want.name, r.Handshake, r.Connections, h)
		}
		if r.SetupRoundTrips != k(want.trips) || r.Resumed != k(want.share) || r.HandshakeBytes != linger.Known(facts.Directions{Up: want.up, Down: want.down}) {
			t.Errorf("%s: set-up in %v round trips, %v resumed, %v bytes; want %+v", want.name, r.SetupRoundTrips, r.Resumed, r.HandshakeBytes, want)
		}
		if r.Protocol != want.protocol || r.TLSVersion != "1.3" || r.EarlyData.IsZero() != (want.name != "h3+0rtt") || !r.FastOpen.IsZero() {
			t.Errorf("%s: %s over TLS %s, early data %v, fast open %v", want.name, r.Protocol, r.TLSVersion, r.EarlyData, r.FastOpen)
		}
		if r.CertificateBytes.IsZero() == want.chain || r.Sockets.ClientPeak.IsZero() == want.sockets || r.Retransmitted.IsZero() == want.sentBefore || r.Sockets.TimeWait.IsZero() == want.sockets {
			t.Errorf("%s: known are %v, %+v, %v", want.name, r.CertificateBytes, r.Sockets, r.Retransmitted)
		}
	}
}

// One socket can carry several connections of QUIC; what is UDP and not QUIC is
// no connection, and neither is ICMP.
func TestConnectionsOfQUIC(t *testing.T) {
	in := textbook.Over("h3", 1, 0)
	one := in.Traces[0][0]
	other := one.Connections[0]
	other.ID++
	other.Secured = linger.Opt[linger.Instant]{}
	one.Connections = append(one.Connections, other)
	l, _ := one.Ledger.Get()
	l.Connections = append(l.Connections,
		trace.Flows{Protocol: "udp", Up: trace.Flow{Packets: 1, Header: 28, Payload: 40}, Down: trace.Flow{Packets: 1, Header: 28, Payload: 90}},
		trace.Flows{Protocol: "udp", Up: trace.Flow{Packets: 3, Initial: 3, Header: 84, Payload: 3600}},
		trace.Flows{Protocol: "icmp", Up: trace.Flow{Packets: 1, Header: 84}})
	one.Ledger = linger.Known(l)
	r := Compare(in).Rows[0]
	if r.Connections.Or(0) != 2 || r.Handshakes.Or(0) != 1 || r.Handshake.QUIC.Or(0) != 1 || r.Handshake.TCP.Or(-1) != 0 {
		t.Errorf("%v connections, %v handshakes, %+v", r.Connections, r.Handshakes, r.Handshake)
	}
	if got := facts.TrafficOf(l); got.Connections != 2 || got.Handshakes != 1 || got.Datagrams != 1 {
		t.Errorf("%+v", got)
	}
	one.Ledger = linger.Opt[trace.Ledger]{}
	if r := Compare(in).Rows[0]; r.Connections.Or(0) != 2 || r.Handshakes.Or(0) != 1 {
		t.Errorf("without a ledger %v connections, %v handshakes", r.Connections, r.Handshakes)
	}
}

// Round trips that are not known, and what is known of them with a single trial.
func TestRoundTrips(t *testing.T) {
	for _, test := range []struct {
		name    string
		in      trace.Experiment
		unknown bool
	}{
		{"as it should be", textbook.Experiment("close,keep", 5), false},
		{"a single trial", textbook.Experiment("close,keep", 1), false},
		{"less than none", textbook.Slower(textbook.Experiment("close,keep", 5), 1), true},
		{"less than none in a single trial", textbook.Slower(textbook.Experiment("close,keep", 1), 1), true},
		{"the doubt reaches them", textbook.Scaled(textbook.Experiment("close,keep", 5), 1, 1, 9, .6), true},
	} {
		if r := Compare(test.in).Rows[1]; r.RoundTrips.IsZero() != test.unknown {
			t.Errorf("%s: %v", test.name, r.RoundTrips)
		}
	}
	in := textbook.Over("h3+0rtt", 5, 0)
	for _, tr := range in.ZeroRTT[0] {
		k := &tr.Connections[0]
		k.Connected = linger.Known(k.Connected.Or(0).Add(10 * time.Millisecond))
	}
	if r := Compare(in).Rows[0]; !r.SetupRoundTrips.IsZero() {
		t.Errorf("set-up in %v round trips", r.SetupRoundTrips)
	}
	// Hosts that take longer over set-up than a short path does.
	in = textbook.Over("keep,keep+resume", 5, 0)
	for i := range in.ZeroRTT {
		for _, tr := range in.ZeroRTT[i] {
			for j := range tr.Connections {
				k := &tr.Connections[j]
				k.Connected = linger.Known(k.Dialled.Add(in.Network.RTT * 2 / 5))
			}
		}
	}
	f := Compare(in)
	for _, r := range f.Rows {
		if !r.SetupRoundTrips.IsZero() {
			t.Errorf("%s: set-up in %v round trips, where hosts take 0.4", r.Strategy, r.SetupRoundTrips)
		}
	}
	for _, one := range f.Verdict.Findings {
		if _, ok := one.Figures.Get("setup_round_trips"); ok {
			t.Errorf("%+v", one)
		}
	}
}

// A server that closes after each response to a client that pipelines.
func TestRequestsInVain(t *testing.T) {
	in := textbook.Experiment("close,pipeline", 5)
	for i := range in.Traces[1] {
		closing := *in.Traces[0][i]
		closing.Connections = slices.Clone(closing.Connections)
		for k := range closing.Connections {
			closing.Connections[k].Requests = 41 - k
		}
		in.Traces[1][i] = &closing
	}
	for i, want := range []float64{0, 820} {
		if r := Compare(in).Rows[i]; r.RequestsPerConnection.Or(-1) != 1 || r.RequestsUnanswered.Or(-1) != want {
			t.Errorf("%s: %v answered on each connection, %v in vain; want 1 and %v", r.Strategy, r.RequestsPerConnection, r.RequestsUnanswered, want)
		}
	}
}

// A load that is over before sockets were counted often enough.
func TestSocketPeaks(t *testing.T) {
	unknown := linger.Opt[float64]{}
	six := linger.Known(6.0)
	for _, test := range []struct {
		name                            string
		client, server, samples, memory int
		wantClient, wantServer          linger.Opt[float64]
	}{
		{"counted", 6, 6, 40, 1, six, six},
		{"FIN_WAIT and more", 7, 6, 40, 1, linger.Known(7.0), six},
		{"counted too seldom", 1, 1, 2, 1, six, unknown},
		{"never counted while it lasted", 0, 0, 1, 0, six, unknown},
		{"not counted", 0, 0, 0, 0, unknown, unknown},
	} {
		in := textbook.Experiment("keep:6", 5)
		for _, tr := range in.Traces[0] {
			h := trace.Host{SocketsPeak: test.client, Samples: test.samples, SocketMemory: int64(test.memory)}
			tr.Client = linger.Known(h)
			h.SocketsPeak = test.server
			tr.Server = linger.Known(h)
		}
		r := Compare(in).Rows[0]
		if r.Sockets.ClientPeak != test.wantClient || r.Sockets.ServerPeak != test.wantServer || r.SocketMemory.ServerPeak.IsZero() != test.wantServer.IsZero() || r.SocketMemory.ClientPeak.IsZero() != test.wantServer.IsZero() {
			t.Errorf("%s: %+v, %+v", test.name, r.Sockets, r.SocketMemory)
		}
	}
}

// The room before the bottlenecks is what it is, not what was asked for.
func TestQueue(t *testing.T) {
	k := linger.Known[float64]
	for _, test := range []struct {
		network string
		queue   time.Duration
		ms, is  Room
	}{
		{"lte", linger.DefaultQueue, Room{k(100), k(100)}, Room{k(150_000), k(150_000)}},
		{"dial", linger.DefaultQueue, Room{k(12_800), k(7836.735)}, Room{k(48_000), k(48_000)}},
		{"dial", 2 * time.Second, Room{k(2000), k(2000)}, Room{k(7500), k(12_250)}},
	} {
		n := textbook.Network(test.network)
		n.Queue = test.queue
		if got := NetworkOf(n); got.Queue != test.ms || got.QueueBytes != test.is {
			t.Errorf("%s, %v: %+v, %+v", test.network, test.queue, got.Queue, got.QueueBytes)
		}
	}
	n := textbook.Network("lte")
	n.Down = 0
	if got := NetworkOf(n); !got.Queue.Down.IsZero() || !got.QueueBytes.Down.IsZero() || got.Queue.Up.IsZero() {
		t.Errorf("without a limit: %+v, %+v", got.Queue, got.QueueBytes)
	}
}

func TestUnknownIsAbsent(t *testing.T) {
	b, err := json.Marshal(Compare(textbook.Examples["live"]()))
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"round_trips", "packets\"", "wire_bytes", "payload_bytes", "overhead", "retransmitted", "sockets", "socket_memory_bytes", "cpu_ms", "rtt_ms", "setup_round_trips", "\"resumed", "early_data", "fast_open", "handshake_bytes", "certificate_bytes", "tls_version", "null"} {
		if strings.Contains(string(b), absent) {
			t.Errorf("%s was not measured and stands in\n%s", absent, b)
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	in := textbook.Experiment("close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2", 5)
	for b.Loop() {
		Compare(in)
	}
}

func TestTwoMakesOfTransport(t *testing.T) {
	in := textbook.Examples["secure"]()
	for i := range in.Traces {
		for _, one := range in.Traces[i] {
			for j := range one.Connections {
				if q, ok := one.Connections[j].QUIC.Get(); ok {
					q.Stack = "somebody's"
					one.Connections[j].QUIC = linger.Known(q)
				}
			}
		}
	}
	has := func(in trace.Experiment) bool {
		return hasCaveat(Compare(in), Stacks, "")
	}
	if !has(in) {
		t.Error("QUIC beside TCP raises no caveat about their stacks")
	}
	last := len(in.Strategies) - 1
	alone := in
	alone.Strategies, alone.Traces, alone.ZeroRTT = in.Strategies[last:], in.Traces[last:], in.ZeroRTT[last:]
	if has(alone) {
		t.Error("QUIC alone raises a caveat about two stacks")
	}
}
