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
	"linger/internal/textbook"
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
			var back Findings
			if err := json.Unmarshal(want, &back); err != nil || !reflect.DeepEqual(back, f) {
				t.Errorf("%s does not read back as what was written: %v", file, err)
			}
			if again := Compare(input()); !reflect.DeepEqual(again, f) {
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
		wire, load := r.WireBytes.Or(Ways{}), r.PayloadBytes.Or(Ways{})
		content := float64(textbook.Gallery().Bytes())
		if want := round(1-content/wire.Sum(), 1e-4); r.Overhead.Or(-1) != want || load.Sum() != content+41*300 {
			t.Errorf("%s: overhead %v, payload %v; want %v and %v", r.Strategy, r.Overhead, load, want, content+41*300)
		}
		tm, _ := r.Time.Get()
		if tm.Low.Or(0) > tm.Median || tm.High.Or(0) < tm.Median || tm.Confidence.Or(0) != 0.9375 {
			t.Errorf("%s: %+v", r.Strategy, tm)
		}
	}
}

func TestHandshakeWait(t *testing.T) {
	ms := func(n int) linger.Instant { return linger.Instant(n) * linger.Instant(time.Millisecond) }
	conn := func(from, to int) trace.Connection {
		return trace.Connection{Dialled: ms(from), Connected: linger.Known(ms(to))}
	}
	sent := func(from, to int) trace.Exchange {
		return trace.Exchange{Sent: linger.Known(ms(from)), Done: linger.Known(ms(to))}
	}
	secure := func(from, established, to int) trace.Connection {
		k := conn(from, to)
		k.Established = linger.Known(ms(established))
		return k
	}
	for _, test := range []struct {
		name  string
		conns []trace.Connection
		exs   []trace.Exchange
		want  float64
		tls   float64
	}{
		{"one after the other", []trace.Connection{conn(0, 10), conn(30, 40)}, []trace.Exchange{sent(10, 30), sent(40, 60)}, 20, 0},
		{"two at once count once", []trace.Connection{conn(0, 10), conn(5, 15)}, []trace.Exchange{sent(15, 30)}, 15, 0},
		{"hidden behind a transfer", []trace.Connection{conn(0, 10), conn(12, 22)}, []trace.Exchange{sent(10, 60), sent(22, 60)}, 10, 0},
		{"never connected", []trace.Connection{{Dialled: ms(0)}}, nil, 60, 0},
		{"nothing", nil, nil, 0, 0},
		{"TLS after TCP", []trace.Connection{secure(0, 10, 25)}, []trace.Exchange{sent(25, 60)}, 25, 15},
		{"cleartext", []trace.Connection{secure(0, 10, 10)}, []trace.Exchange{sent(10, 60)}, 10, 0},
		{"one in TLS, one in TCP", []trace.Connection{secure(0, 10, 30), secure(15, 25, 40)}, []trace.Exchange{sent(30, 60)}, 30, 20},
		{"TLS behind a transfer", []trace.Connection{secure(0, 10, 20), secure(20, 30, 45)}, []trace.Exchange{sent(20, 35), sent(45, 60)}, 30, 20},
		{"early data", []trace.Connection{{Dialled: ms(0), Connected: linger.Known(ms(1)), Secured: linger.Known(ms(10))}}, []trace.Exchange{sent(1, 30)}, 1, 0},
		{"data in the SYN", []trace.Connection{{Dialled: ms(0), Connected: linger.Known(ms(0)), Established: linger.Known(ms(10))}}, []trace.Exchange{sent(0, 30)}, 0, 0},
		{"TLS that fails", []trace.Connection{{Dialled: ms(0), Established: linger.Known(ms(10)), Closed: linger.Known(ms(30))}}, nil, 30, 20},
	} {
		if got, tls := handshakeWait(&trace.Trace{Ended: ms(60), Connections: test.conns, Exchanges: test.exs}); got != test.want || tls != test.tls {
			t.Errorf("%s: %v ms, %v of them TLS's; want %v, %v", test.name, got, tls, test.want, test.tls)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		name   string
		in     trace.Experiment
		best   string
		saves  bool
		says   []string
		doesnt []string
	}{
		{"kept is better", textbook.Experiment("close,keep", 5), "keep", true,
			[]string{"keep takes least: ", "It saves ", "opens 1 connection, not 41", "fewer packets", "41 handshakes cost 2.88 s of the 7.34 s that close takes", "\n\n- 41 handshakes", "\n- What keep saves is 2.81 s of handshakes and 1.09 s of slow starts."}, []string{"No difference", "luck"}},
		{"no difference", textbook.Scaled(textbook.Scaled(textbook.Experiment("close,keep", 5), 0, 1, 1.01, .99, 1.02, .98), 1, 2.15, 2.2, 2.1, 2.25, 2.05), "", false,
			[]string{"No difference that 5 trials can show: close takes 7.3 s and keep 7.4 s (p = "}, []string{"takes least", "as fast as"}},
		{"kept is worse", textbook.Scaled(textbook.Experiment("close,keep", 5), 1, 3), "close", false,
			[]string{"Persistence is worse here: close takes 7.34 s; keep, which differs in nothing else, 3.0 s (40 %) more."}, []string{"saves"}},
		{"too few trials", textbook.Experiment("close,keep", 2), "keep", true, []string{"After 2 trials luck cannot be ruled out in any of this."}, []string{"(luck"}},
		{"one trial", textbook.Experiment("close,keep", 1), "", false, []string{"No winner after 1 trial: keep takes 3.4 s and close 7.3 s; luck cannot be ruled out.", "cost 2.9 s of the 7.3 s"}, []string{"saves", "slow starts"}},
		{"few trials, nothing to be told", textbook.Scaled(textbook.Scaled(textbook.Experiment("close,keep,keep:6", 2), 1, 2.1, 2.15), 2, 9), "", false,
			[]string{"No winner after 2 trials: keep takes 7.29 s and close 7.34 s; luck cannot be ruled out."}, []string{"takes least", "saves"}},
		{"few trials of a pair only", func() trace.Experiment {
			in := textbook.Experiment("close,close:6,keep:6,pipeline", 5)
			in.Traces[2] = in.Traces[2][:2]
			return in
		}(), "pipeline", true, []string{"of close:6's 1.62 s (luck cannot be ruled out after 2 trials)."}, []string{"in any of this"}},
		{"one trial, the kept one slower", textbook.Scaled(textbook.Experiment("close:6,keep:6,pipeline", 1), 1, 2), "", false, nil, []string{"saves", "worse", "(keep:6)"}},
		{"three trials, the kept one slower", textbook.Scaled(textbook.Experiment("close:6,keep:6,pipeline", 3), 1, 2), "pipeline", true, []string{"Keeping 6 connections (keep:6) is worse: 290 ms (18 %) more."}, []string{"saves -", "(keep:6) saves"}},
		{"three trials, the kept pair slower", textbook.Scaled(textbook.Experiment("close,close:6,keep:6,pipeline", 3), 2, 2), "pipeline", true, []string{"With 6 at once, keeping is worse: keep:6 takes 290 ms (18 %) more than close:6."}, []string{"saves -"}},
		{"another number of connections", textbook.Experiment("close:6,keep", 5), "close:6", false, []string{
			"close:6 takes least of those tried: 1.62 s. The fastest persistent strategy, keep, takes 3.44 s, which is 1.82 s (112 %) more: its requests wait in line. keep:6 was not tried."},
			[]string{"Persistence is worse", "connections at once"}},
		{"the pair is worse, another is the fastest kept", textbook.Scaled(textbook.Scaled(textbook.Experiment("close:6,keep:6,keep", 5), 1, 4), 0, 1), "close:6", false, []string{
			"Persistence is worse here: close:6 takes 1.62 s; keep:6, which differs in nothing else, ", "The fastest persistent strategy, keep, takes 3.44 s."}, []string{"not tried"}},
		{"the parts add up", textbook.Scaled(textbook.Experiment("close,keep,pipeline", 5), 1, .97), "pipeline", true, []string{"saves 4.01 s (55 %): 2.81 s of handshakes and 1.20 s of slow starts."}, nil},
		{"no slow start in a segment", textbook.Small(textbook.Experiment("close,keep,pipeline", 5)), "pipeline", true, []string{"of handshakes and "}, []string{"slow start"}},
		{"one strategy", textbook.Experiment("close", 5), "", false, []string{"no other strategy", "41 handshakes cost"}, nil},
		{"one kept strategy", textbook.Experiment("keep", 5), "", false, []string{"keep takes 3", "no other strategy is there"}, []string{"handshake"}},
		{"no non-persistent one", textbook.Experiment("keep,keep:6", 5), "keep:6", false, []string{"keep:6 takes least", "no non-persistent strategy gave a time"}, nil},
		{"no persistent one", textbook.Experiment("close,close:6", 5), "close:6", true, []string{"close:6 takes least"}, []string{"kept"}},
		{"no persistent one, the baseline best", textbook.Experiment("close:6,close", 5), "close:6", false, []string{"No strategy that was tried keeps a connection"}, nil},
		{"parallel pairs", textbook.Experiment("close,close:6,keep:6", 5), "keep:6", true, []string{"With 6 at once, keeping (keep:6) saves"}, nil},
		{"a pair that is not the best", textbook.Experiment("close,keep,pipeline", 5), "pipeline", true, []string{"One kept connection (keep) saves 3.90 s (53 %): 2.81 s of handshakes and 1.09 s of slow starts."}, nil},
		{"the finding of 1997", textbook.Experiment("close,close:6,keep,pipeline", 5), "pipeline", true, []string{"- close:6, with 6 connections at once, takes", "whose requests wait in line"}, nil},
		{"the best closes", textbook.Scaled(textbook.Experiment("close,close:6,keep", 5), 1, 1), "close:6", true, []string{"No persistent strategy that was tried is faster: the fastest, keep, takes 3.44 s. keep:6 was not tried."}, nil},
		{"what TLS costs", textbook.Over("close,keep", 5, 0), "keep", true, []string{
			"41 handshakes cost 5.81 s of the 10.3 s that close takes (57 %): 2.87 s for TCP's, 2.94 s for TLS's.",
			"Each connection more costs 1.8 ms of CPU at the client and 3.3 ms at the server."}, []string{"h2", "lost"}},
		{"resumption", textbook.Over("close,close+resume,keep,keep+resume", 5, 0), "keep+resume", true, []string{
			"Resumption (close+resume) saves 40 ms of close's 10.3 s and 49 % of the CPU; set-up takes 2.0 round trips either way."},
			[]string{"(keep+resume)"}},
		{"resumption, the time alike", textbook.Scaled(textbook.Over("close,close+resume", 5, 0), 1, 1, 1.01, .99, 1.02, .98), "", false, []string{
			"Resumption (close+resume) makes no difference to close's time that 5 trials can show (p = ", ", but saves 49 % of the CPU; set-up"}, nil},
		{"resumption that costs", textbook.Scaled(textbook.Over("close,close+resume", 5, 0), 1, 2), "close", false, []string{"Resumption (close+resume) takes 10.2 s (99 %) more than close"}, nil},
		{"resumption, two trials", textbook.Over("close,close+resume", 2, 0), "close+resume", true, []string{"Resumption (close+resume) saves 50 ms (1 %)", "in any of this"}, []string{"(luck"}},
		{"resumption, one trial", textbook.Over("close,close+resume", 1, 0), "", false, []string{"Resumption (close+resume) takes 10 s, close 10 s; luck cannot"}, nil},
		{"early data", textbook.Over("h3,h3+0rtt", 5, 0), "h3+0rtt", false, []string{"Early data (h3+0rtt) saves 72 ms (10 %) of h3's 687 ms; set-up takes 0.0 round trips, not 1.0."}, []string{"TLS's"}},
		{"fast open", textbook.Over("keep:6,keep:6+tfo", 5, 0), "keep:6+tfo", false, []string{"TCP Fast Open (keep:6+tfo) saves ", "set-up takes 1.0 round trip, not 2.0."}, nil},
		{"what was not given saves nothing", textbook.Examples["refused"](), "h3+0rtt", true, nil, []string{"Resumption", "Early data", "Fast Open", "h2 takes"}},
		{"versions", textbook.Over("close,keep:6,h2,h3", 5, 0), "h3", true, []string{"h2 takes 340 ms (31 %) less than keep:6.\n- h3 takes 70 ms (9 %) less than h2."}, []string{"head-of-line"}},
		{"h2 is worse", textbook.Scaled(textbook.Over("keep:6,h2,h3", 5, 0), 1, 2), "h3", false, []string{"h2 takes 410 ms (38 %) more than keep:6."}, nil},
		{"head-of-line blocking", textbook.Over("h2,h3", 7, .02), "h3", false, []string{"With 2 % lost, h3 takes ", "less than h2 from the first request on; its cause cannot be told apart here"}, []string{"holds up"}},
		{"nothing was lost", textbook.Unlost(textbook.Over("h2,h3", 7, .02), 0, 1), "h3", false, []string{"h3 takes "}, []string{"lost", "head-of-line"}},
		{"only one lost packets", textbook.Unlost(textbook.Over("h2,h3", 7, .02), 1), "h3", false, nil, []string{"lost", "head-of-line"}},
		{"no head-of-line blocking", textbook.Scaled(textbook.Over("h2,h3", 7, .005), 0, .8, .9, 1, .85, .95, .9, 1), "", false, []string{"With 0.5 % lost, the head-of-line difference between h2 and h3 is not visible in these trials (p = "}, nil},
		{"blocking, two trials", textbook.Over("h2,h3", 2, .02), "h3", false, []string{"the head-of-line difference between h2 and h3 cannot be seen in 2 trials"}, nil},
		{"recovery costs more", textbook.Scaled(textbook.Over("h2,h3", 7, .02), 1, 5), "h2", false, []string{"h3 takes ", "more than h2 from the first request on; its cause cannot be told apart here"}, []string{"recovery costs"}},
		{"nothing delivered", textbook.Examples["nothing"](), "", false, []string{"nothing to compare"}, nil},
		{"no strategy at all", trace.Experiment{Setup: trace.Setup{Workload: textbook.Gallery()}}, "", false, []string{"nothing to compare"}, nil},
	} {
		v := Compare(test.in).Verdict
		if v.Best != test.best || v.Saves.Time.IsZero() == test.saves {
			t.Errorf("%s: best %q, saves %+v; want %q", test.name, v.Best, v.Saves, test.best)
		}
		for _, s := range test.says {
			if !strings.Contains(v.Text, s) {
				t.Errorf("%s: says\n%s\nwithout %q", test.name, v.Text, s)
			}
		}
		for _, s := range test.doesnt {
			if strings.Contains(v.Text, s) {
				t.Errorf("%s: says\n%s\nwith %q", test.name, v.Text, s)
			}
		}
	}
}

func TestPredictedTimesNeedNoTest(t *testing.T) {
	in := textbook.Experiment("close,keep", 1)
	in.Provenance = trace.Predicted
	f := Compare(in)
	if strings.Contains(f.Verdict.Text, "luck") || slices.ContainsFunc(f.Doubts, func(d Doubt) bool { return d.Code == Trials }) {
		t.Errorf("%s\n%v", f.Verdict.Text, f.Doubts)
	}
}

func TestDoubts(t *testing.T) {
	each := func(in trace.Experiment, strategy int, change func(*trace.Trace)) trace.Experiment {
		for _, t := range in.Traces[strategy] {
			change(t)
		}
		return in
	}
	flows := func(change func(*trace.Ledger)) func(*trace.Trace) {
		return func(t *trace.Trace) {
			l, _ := t.Ledger.Get()
			change(&l)
			t.Ledger = linger.Known(l)
		}
	}
	pair := func() trace.Experiment { return textbook.Experiment("close,keep", 5) }
	for _, test := range []struct {
		name string
		in   trace.Experiment
		code string // "" is no doubt at all
		says string
	}{
		{"nothing to doubt", pair(), "", ""},
		{"a byte too few", each(pair(), 1, func(t *trace.Trace) { t.Exchanges[7].ResponseBody-- }), Bytes, "exchange 7"},
		{"an exchange twice", each(pair(), 1, func(t *trace.Trace) { t.Exchanges[7].ID = 6 }), Bytes, "exchange 6"},
		{"an exchange missing", each(pair(), 0, func(t *trace.Trace) { t.Exchanges = t.Exchanges[:40] }), Bytes, "no word of 1 exchanges"},
		{"the link carried less", each(pair(), 1, flows(func(l *trace.Ledger) { l.Connections[0].Down.Payload -= 10_000 })), Bytes, "link carried"},
		{"failed exchanges", func() trace.Experiment { in := pair(); textbook.Fail(in.Traces[1][:2], 3, "reset"); return in }(), Failed, "2 exchanges failed in 2 of 5 trials (2× reset)"},
		{"failed trials", func() trace.Experiment { in := pair(); in.Failures[0] = []string{"a", "b", "b"}; return in }(), Failed, "3 trials of 8 gave no trace (2× b, 1× a)"},
		{"interrupted", func() trace.Experiment {
			in := pair()
			in.Interrupted = true
			in.Traces[1] = in.Traces[1][:4]
			return in
		}(), Interrupted, "9 of 10"},
		{"server closed", each(pair(), 1, func(t *trace.Trace) {
			k := &t.Connections[0]
			k.ClosedBy, k.Closed, k.Reason = trace.AtServer, linger.Known(t.Ended-1), "FIN"
		}), NotHonoured, "closed kept connections 5 times"},
		{"reused", each(pair(), 0, func(t *trace.Trace) { t.Connections[3].Requests = 2 }), NotHonoured, "5 connections carried more than one"},
		{"left open", each(pair(), 0, func(t *trace.Trace) {
			k := &t.Connections[3]
			k.ClosedBy, k.Closed = trace.AtClient, linger.Known(k.Closed.Or(0).Add(t.Network.RTT))
		}), NotHonoured, "left 5 connections open"},
		{"not pipelined", func() trace.Experiment {
			in := pair()
			in.Strategies = textbook.Strategies("close,pipeline")
			return in
		}(), NotHonoured, "never had two requests in flight"},
		{"retries", each(pair(), 1, func(t *trace.Trace) { t.Retries = 1 }), Retries, "closed meanwhile (RFC 9112, 9.3.1): keep 5, in all"},
		{"retries of streams", each(textbook.Over("h2,h3", 5, 0), 1, func(t *trace.Trace) { t.Retries = 1 }), Retries, "refused them or was closing the connection (RFC 9113, 6.8; RFC 9114, 5.2): h3 5, in all"},
		{"no idle race of streams", each(textbook.Over("h2,h3", 5, 0), 1, func(t *trace.Trace) { t.Retries = 1 }), "", "RFC 9112"},
		{"no ledger", each(each(pair(), 1, func(t *trace.Trace) { t.Ledger = linger.Opt[trace.Ledger]{} }), 0, func(t *trace.Trace) { t.Ledger = linger.Opt[trace.Ledger]{} }), Ledger, "nobody counted"},
		{"half a ledger", each(pair(), 1, func(t *trace.Trace) { t.Ledger = linger.Opt[trace.Ledger]{} }), Ledger, "keep: packets and bytes were not"},
		{"full ledger", each(pair(), 1, flows(func(l *trace.Ledger) { l.Overflow = 1 })), Ledger, "more connections than"},
		{"late", each(pair(), 1, flows(func(l *trace.Ledger) { l.Lateness.P99 = 5 * time.Millisecond })), Late, "5 % of the round-trip time: keep 5.00 ms"},
		{"late by the difference", each(pair(), 0, flows(func(l *trace.Ledger) { l.Lateness.P99 = 50 * time.Millisecond })), Late, "all that close took longer than keep"},
		{"spurious", each(pair(), 1, flows(func(l *trace.Ledger) { l.Connections[0].Down.Retransmitted = 2 })), Retransmitted, "dropped: keep 10, in all"},
		{"three trials", textbook.Experiment("close,keep", 3), Trials, "close and keep: 3 trials can never"},
		{"one strategy, one trial", textbook.Experiment("close", 1), Trips, "a single trial"},
		{"one strategy has no interval either", textbook.Experiment("close", 1), Confidence, "close: one trial has no interval; give --trials 6"},
		{"nothing to compare one strategy with", textbook.Experiment("close", 1), "", "can never show"},
		{"few trials, by number", func() trace.Experiment {
			in := textbook.Experiment("close,keep,pipeline,keep:2", 5)
			in.Traces[0], in.Traces[1], in.Traces[2] = in.Traces[0][:2], in.Traces[1][:1], in.Traces[2][:2]
			return in
		}(), Trials, "close and pipeline: 2 trials can never show a difference beyond luck"},
		{"few trials, the next number", func() trace.Experiment {
			in := textbook.Experiment("close,keep,pipeline,keep:2", 5)
			in.Traces[0], in.Traces[1] = in.Traces[0][:2], in.Traces[1][:1]
			return in
		}(), Trials, "keep: 1 trial can never"},
		{"requests in vain are pipelined", func() trace.Experiment {
			in := textbook.Experiment("close,pipeline", 5)
			in.Traces[1] = nil
			for _, t := range in.Traces[0] {
				vain := *t
				vain.Connections = slices.Clone(t.Connections)
				vain.Connections[0].Requests = 41
				in.Traces[1] = append(in.Traces[1], &vain)
			}
			return in
		}(), "", "never had two requests"},
		{"a single trial", textbook.Experiment("close,keep", 1), Trips, "close and keep: a single trial, so how far off the round trips are is not known"},
		{"fewer trips than none", textbook.Slower(pair(), 1), Trips, "lost in the noise, and not known: keep ± "},
		{"trips within their doubt", textbook.Scaled(pair(), 1, 1, 9, .6), Trips, "lost in the noise, and not known: keep ± "},
		{"four trials", textbook.Experiment("close,keep", 4), Confidence, "87.5 %"},
		{"overlap", textbook.Scaled(textbook.Experiment("close,keep", 5), 1, 2.15, 2.2, 2.1, 2.25, 2.05), Overlap, "cannot be told apart"},
		{"no still trials", func() trace.Experiment { in := pair(); in.Still = nil; return in }(), Trips, "not known"},
		{"another protocol", textbook.Examples["refused"](), NotHonoured, "h2: HTTP/2 was not spoken on every connection (5× http/1.1)"},
		{"not resumed", textbook.Examples["refused"](), NotHonoured, "close+resume: 200 of 200 TLS handshakes that might have been resumed were made in full"},
		{"not resumed at once", textbook.Examples["refused"](), NotHonoured, "keep:6+resume+tfo: 25 of 25 TLS handshakes"},
		{"early data rejected", textbook.Examples["refused"](), NotHonoured, "h3+0rtt: the server rejected the early data of 5 of 5 connections"},
		{"no early data", each(textbook.Over("h3+0rtt,h2", 5, 0), 0, func(t *trace.Trace) {
			s, _ := t.Connections[0].TLS.Get()
			s.Resumed, s.EarlyData = false, linger.Opt[bool]{}
			t.Connections[0].TLS = linger.Known(s)
		}), NotHonoured, "h3+0rtt: no early data was sent on 5 of 5 connections"},
		{"fast open fell back", textbook.Examples["refused"](), NotHonoured, "TCP fell back to its handshake without data on 30 of 30 connections"},
		{"fast open unknown", each(textbook.Over("keep+tfo,h2", 5, 0), 0, func(t *trace.Trace) { t.Connections[0].FastOpen = linger.Opt[bool]{} }), NotHonoured, "not known of 5 of 5"},
		{"noisy trips", textbook.Scaled(textbook.Experiment("close,keep", 5), 1, 1, 1.2, .8), Trips, "within the noise: keep ±"},
	} {
		got := Compare(test.in).Doubts
		if test.code == "" {
			if slices.ContainsFunc(got, func(d Doubt) bool { return strings.Contains(d.Text, test.says) }) {
				t.Errorf("%s: %v", test.name, got)
			}
			continue
		}
		if !slices.ContainsFunc(got, func(d Doubt) bool { return d.Code == test.code && strings.Contains(d.Text, test.says) }) {
			t.Errorf("%s: doubts are %v; want %q with %q", test.name, got, test.code, test.says)
		}
	}
	dropped := each(pair(), 1, flows(func(l *trace.Ledger) {
		l.Connections[0].Down.Retransmitted, l.Connections[0].Down.DroppedLoss = 2, 2
	}))
	if got := Compare(dropped).Doubts; len(got) > 0 {
		t.Errorf("packets sent again because they were dropped: %v", got)
	}
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
		if r.SetupRoundTrips != k(want.trips) || r.Resumed != k(want.share) || r.HandshakeBytes != linger.Known(Ways{want.up, want.down}) {
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
	if got := Sum(l); got.Connections != 2 || got.Handshakes != 1 || got.Datagrams != 1 {
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
	for _, tr := range in.Still[0] {
		k := &tr.Connections[0]
		k.Connected = linger.Known(k.Connected.Or(0).Add(10 * time.Millisecond))
	}
	if r := Compare(in).Rows[0]; !r.SetupRoundTrips.IsZero() {
		t.Errorf("set-up in %v round trips", r.SetupRoundTrips)
	}
	// Hosts that take longer over set-up than a short path does.
	in = textbook.Over("keep,keep+resume", 5, 0)
	for i := range in.Still {
		for _, tr := range in.Still[i] {
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
	if strings.Contains(f.Verdict.Text, "set-up takes") {
		t.Error(f.Verdict.Text)
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
		if r := Compare(in).Rows[i]; r.RequestsPerConnection.Or(-1) != 1 || r.RequestsInVain.Or(-1) != want {
			t.Errorf("%s: %v answered on each connection, %v in vain; want 1 and %v", r.Strategy, r.RequestsPerConnection, r.RequestsInVain, want)
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
		if got := path(n); got.Queue != test.ms || got.QueueBytes != test.is {
			t.Errorf("%s, %v: %+v, %+v", test.network, test.queue, got.Queue, got.QueueBytes)
		}
	}
	n := textbook.Network("lte")
	n.Down = 0
	if got := path(n); !got.Queue.Down.IsZero() || !got.QueueBytes.Down.IsZero() || got.Queue.Up.IsZero() {
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
		return slices.ContainsFunc(Compare(in).Doubts, func(d Doubt) bool { return d.Code == Stacks })
	}
	if !has(in) {
		t.Error("QUIC beside TCP raises no doubt about their stacks")
	}
	last := len(in.Strategies) - 1
	alone := in
	alone.Strategies, alone.Traces, alone.Still = in.Strategies[last:], in.Traces[last:], in.Still[last:]
	if has(alone) {
		t.Error("QUIC alone raises a doubt about two stacks")
	}
}
