package words

import (
	"strings"
	"testing"

	"linger/compare"
	"linger/finding"
	"linger/internal/textbook"
	"linger/trace"
)

// says checks what stands in a text, and what does not.
func says(t *testing.T, name, text string, want, not []string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(text, s) {
			t.Errorf("%s: says\n%s\nwithout %q", name, text, s)
		}
	}
	for _, s := range not {
		if strings.Contains(text, s) {
			t.Errorf("%s: says\n%s\nwith %q", name, text, s)
		}
	}
}

func verdictOf(in trace.Experiment) string { return Verdict(compare.Compare(in).Verdict).String() }

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		name   string // of textbook.Verdicts
		says   []string
		doesnt []string
	}{
		{"kept is better", []string{"Keep-alive saves 53 % of the time (close → keep). Fastest: keep, 3.44 s – 2.1× as fast as the best without keep-alive (close).\n\n- 41 handshakes cost 2.88 s of the 7.34 s that close takes", "\n- One kept connection (keep) saves 3.90 s (53 %)."}, []string{"significant", "tie"}},
		{"no difference", []string{"Keep-alive makes no difference that 5 trials can show (close → keep). close and keep tie for fastest: 7.3 s and 7.4 s (5 trials each, p = ", "Of those that tie for fastest, keep opens the fewest connections (1)."}, []string{"Fastest"}},
		{"kept is worse", []string{"Keep-alive costs 40 % more time with one request at a time (close → keep). Fastest: close, 7.34 s – 1.4× as fast as the best with keep-alive (keep)."}, []string{"saves"}},
		{"too few trials", []string{"Keep-alive probably saves about 53 % of the time with one request at a time", "Probably fastest: keep, ", "; 2 trials each are too few for a test (5 each are enough)."}, []string{"(not"}},
		{"one trial", []string{"Keep-alive probably saves about 53 %", "Probably fastest: keep, 3.4 s – 2.1× as fast as the best without keep-alive (close); one trial each, not tested (5 each are enough).", "cost 2.9 s of the 7.3 s"}, []string{"slow starts"}},
		{"few trials, nothing to be told", []string{"Keep-alive probably makes little difference", "Which is fastest is open: keep 7.29 s, close 7.34 s; 2 trials each are too few for a test (5 each are enough)."}, []string{"Fastest:", "saves"}},
		{"few trials of a pair only", []string{"of close:6's 1.62 s (not statistically significant after 2 trials).", "Probably fastest: pipeline, 0.685 s – 2.4× as fast as the best without keep-alive (close:6); others have too few trials for a test."}, nil},
		{"one trial, the kept one slower", []string{"Keep-alive probably costs about 18 % more time with 6 at once"}, []string{"saves", "worse"}},
		{"three trials, the kept one slower", []string{"Keeping 6 connections (keep:6) is worse: 290 ms (18 %) more."}, []string{"saves -", "(keep:6) saves"}},
		{"three trials, the kept pair slower", []string{"With 6 at once, keeping is worse: keep:6 takes 290 ms (18 %) more than close:6."}, []string{"saves -"}},
		{"another number of connections", []string{"What keep-alive alone saves is not known: keep:6 was not tried. Fastest: close:6, 1.62 s – 2.1× as fast as the best with keep-alive (keep). keep:6 was not tried.", "close:6, with 6 connections at once, takes 1.82 s less than keep"}, nil},
		{"the pair is worse, another is the fastest kept", []string{"Keep-alive costs 136 % more time with 6 at once (close:6 → keep:6). Fastest: close:6, 1.62 s – 2.1× as fast as the best with keep-alive (keep)."}, []string{"not tried"}},
		{"the parts add up", []string{"saves 4.01 s (55 %)."}, nil},
		{"no slow start in a segment", []string{"saves 2.83 s (49 %)."}, []string{"slow start"}},
		{"one strategy", []string{"no other strategy", "41 handshakes cost"}, nil},
		{"one kept strategy", []string{"keep takes 3", "no other strategy is there"}, []string{"handshake"}},
		{"no non-persistent one", []string{"What keep-alive saves is not known: no strategy without it gave a time. Fastest: keep:6, 0.956 s – 3.6× as fast as keep."}, nil},
		{"no persistent one", []string{"no strategy with it gave a time. Fastest: close:6, 1.62 s – 4.5× as fast as close."}, []string{"kept"}},
		{"no persistent one, the baseline best", []string{"no strategy with it gave a time"}, nil},
		{"parallel pairs", []string{"With 6 at once, keeping (keep:6) saves"}, nil},
		{"a pair that is not the best", []string{"One kept connection (keep) saves 3.90 s (53 %)."}, nil},
		{"the finding of 1997", []string{"- close:6, with 6 connections at once, takes", "whose requests are serialized"}, nil},
		{"the best closes", []string{"Fastest: close:6, 1.62 s – 2.1× as fast as the best with keep-alive (keep). keep:6 was not tried."}, nil},
		{"what TLS costs", []string{
			"41 handshakes cost 5.81 s of the 10.3 s that close takes (57 %): 2.87 s for TCP's, 2.94 s for TLS's.",
			"Each connection more costs 1.8 ms of CPU at the client and 3.3 ms at the server."}, []string{"h2", "lost"}},
		{"resumption", []string{"Keep-alive saves 66 % of the time (close → keep, close+resume → keep+resume). keep+resume and keep tie for fastest (3.51 s, 3.51 s) – 2.9× as fast as the best without keep-alive (close+resume).",
			"Resumption (close+resume) saves 30 ms of close's 10.28 s and 49 % of the CPU; setup takes 2.0 RTTs either way."}, []string{"(keep+resume)"}},
		{"resumption, the time alike", []string{
			"Resumption (close+resume) makes no difference to close's time that 5 trials can show (p = ", ", but saves 49 % of the CPU; setup"}, nil},
		{"resumption that costs", []string{"Resumption (close+resume) takes 10.2 s (99 %) more than close"}, nil},
		{"resumption, two trials", []string{"Resumption (close+resume) saves 50 ms (1 %)", "2 trials each are too few"}, []string{"(not"}},
		{"resumption, one trial", []string{"Resumption (close+resume) takes 10 s, close 10 s; not statistically significant after 1 trial."}, nil},
		{"early data", []string{"Early data (h3+0rtt) saves 72 ms (10 %) of h3's 687 ms; setup takes 0.0 RTTs, not 1.0."}, []string{"TLS's"}},
		{"fast open", []string{"TCP Fast Open (keep:6+tfo) saves ", "setup takes 1.0 RTT, not 2.0."}, nil},
		{"what was not given saves nothing", nil, []string{"Resumption", "Early data", "Fast Open", "h2 takes"}},
		{"versions", []string{"h2 takes 340 ms (31 %) less than keep:6.\n- h3 takes 70 ms (9 %) less than h2."}, []string{"head-of-line"}},
		{"h2 is worse", []string{"h2 takes 410 ms (38 %) more than keep:6."}, nil},
		{"head-of-line blocking", []string{"With 2 % lost, h3 takes ", "less than h2 from the first request on; its cause cannot be told apart here"}, []string{"holds up"}},
		{"nothing was lost", []string{"h3 takes "}, []string{"lost", "head-of-line"}},
		{"only one lost packets", nil, []string{"lost", "head-of-line"}},
		{"no head-of-line blocking", []string{"With 0.5 % lost, the head-of-line difference between h2 and h3 is not visible in these trials (p = "}, nil},
		{"blocking, two trials", []string{"the head-of-line difference between h2 and h3 cannot be seen in 2 trials"}, nil},
		{"recovery costs more", []string{"h3 takes ", "more than h2 from the first request on; its cause cannot be told apart here"}, []string{"recovery costs"}},
		{"nothing delivered", []string{"nothing to compare"}, nil},
		{"no strategy at all", []string{"nothing to compare"}, nil},
	} {
		says(t, test.name, verdictOf(textbook.Verdicts[test.name]()), test.says, test.doesnt)
	}
}

func TestVerdictOfLookUps(t *testing.T) {
	for _, test := range []struct {
		name      string // of textbook.Queries
		want, not []string
	}{
		{"nothing announced", []string{"Keep-alive saves ", "Keep-alive pays from the second query on: each additional query takes 230 B over tcp+keep instead of 660 B over tcp",
			"tcp+keep and tcp+pipeline never take fewer bytes than udp", "1.4 times its 170 B", "announced no idle timeout, and closed no"}, []string{"handshakes cost", "wait in line", "queries again"}},
		{"an idle limit", []string{"of 2.00 s: keep-alive pays for gaps between queries of up to 1.93 s"}, []string{"not known"}},
		{"no idle at all", []string{"keep-alive pays only while queries follow one another"}, []string{"up to gaps"}},
		{"limits of two kinds", []string{"of up to: tcp+keep 1.93 s (the server announced 2.00 s); tcp+pipeline 930 ms (the server announced 1.00 s)."}, nil},
		{"a limit of one", []string{"tcp+keep 1.93 s (the server announced 2.00 s); tcp+pipeline not known."}, nil},
		{"an unknown path", []string{"of 2.00 s: keep-alive pays for gaps between queries of up to that less an RTT"}, []string{"1.93 s"}},
		{"cut answers", []string{"On a kept connection tcp+keep (from about 1 query) and tcp+pipeline (from about 1 query) take fewer bytes per query than udp, whose truncated answers"}, []string{"share a packet"}},
		{"a query fails in each trial", []string{"No trial had an answer to every query", "A single query takes"}, []string{"nothing to compare", "No strategy"}},
		{"at a rate", []string{"When each query is asked is fixed", "A single query takes 70.0 ms (median"}, []string{"astest", "no difference"}},
		{"asked again, cut and failed", []string{"udp retransmitted 5 queries", "1 of 50 answers were truncated"}, nil},
		{"encrypted and not", []string{"Encryption: dot takes 6.3 times the bytes of tcp; each additional query over dot+keep takes 3.0 times the bytes of one over tcp+keep."}, nil},
	} {
		says(t, test.name, verdictOf(textbook.Queries[test.name]()), test.want, test.not)
	}
}

func TestPredictedTimesNeedNoTest(t *testing.T) {
	in := textbook.Experiment("close,keep", 1)
	in.Provenance = trace.Predicted
	says(t, "predicted", verdictOf(in), nil, []string{"significant", "too few"})
}

// Caveats are as in textbook.Caveats, by their codes.
func TestCaveats(t *testing.T) {
	for _, test := range []struct {
		name string // of textbook.Caveats
		code string // "" is that nothing says so
		says string
	}{
		{"nothing to doubt", "", ""},
		{"a byte too few", compare.Bytes, "request 7"},
		{"an exchange twice", compare.Bytes, "request 6"},
		{"an exchange missing", compare.Bytes, "nothing of 1 request"},
		{"the link carried less", compare.Bytes, "link carried"},
		{"failed exchanges", compare.Failed, "2 requests failed in 2 of 5 trials (2× reset)"},
		{"failed trials", compare.Failed, "3 trials of 8 gave no trace (2× b, 1× a)"},
		{"interrupted", compare.Interrupted, "9 of 10"},
		{"server closed", compare.NotHonoured, "closed kept connections 5 times"},
		{"reused", compare.NotHonoured, "5 connections carried more than one"},
		{"left open", compare.NotHonoured, "left 5 connections open"},
		{"not pipelined", compare.NotHonoured, "requests never overlapped"},
		{"retries", compare.Retries, "closed meanwhile (RFC 9112, 9.3.1): keep 5, in all"},
		{"retries of streams", compare.Retries, "refused them or was closing the connection (RFC 9113, 6.8; RFC 9114, 5.2): h3 5, in all"},
		{"no idle race of streams", "", "RFC 9112"},
		{"no ledger", compare.Ledger, "nobody counted"},
		{"half a ledger", compare.Ledger, "keep: packets and bytes were not"},
		{"full ledger", compare.Ledger, "more connections than"},
		{"late", compare.Late, "5 % of the round-trip time: keep 5.00 ms"},
		{"late by the difference", compare.Late, "all that close took longer than keep"},
		{"spurious", compare.Retransmitted, "dropped: keep 10, over all"},
		{"three trials", compare.Trials, "close and keep: 3 trials can never"},
		{"one strategy, one trial", compare.Trips, "a single trial"},
		{"one strategy has no interval either", compare.Confidence, "close: one trial has no interval; give --trials 6"},
		{"nothing to compare one strategy with", "", "can never show"},
		{"few trials, by number", compare.Trials, "close and pipeline: 2 trials can never show a statistically significant difference"},
		{"few trials, the next number", compare.Trials, "keep: 1 trial can never"},
		{"requests in vain are pipelined", "", "never had two requests"},
		{"a single trial", compare.Trips, "close and keep: a single trial, so how far off the round trips are is not known"},
		{"fewer trips than none", compare.Trips, "lost in the noise, and not known: keep"},
		{"trips within their doubt", compare.Trips, "lost in the noise, and not known: keep"},
		{"four trials", compare.Confidence, "87.5 %"},
		{"overlap", compare.Overlap, "cannot be told apart"},
		{"no still trials", compare.Trips, "not known"},
		{"another protocol", compare.NotHonoured, "h2: HTTP/2 was not spoken on every connection (5× http/1.1)"},
		{"not resumed", compare.NotHonoured, "close+resume: 200 of 200 TLS handshakes that might have been resumed were made in full"},
		{"not resumed at once", compare.NotHonoured, "keep:6+resume+tfo: 25 of 25 TLS handshakes"},
		{"early data rejected", compare.NotHonoured, "h3+0rtt: the server rejected the early data of 5 of 5 connections"},
		{"no early data", compare.NotHonoured, "h3+0rtt: no early data was sent on 5 of 5 connections"},
		{"fast open fell back", compare.NotHonoured, "TCP fell back to its handshake without data on 30 of 30 connections"},
		{"fast open unknown", compare.NotHonoured, "not known of 5 of 5"},
		{"noisy trips", compare.Trips, "within the noise: keep ±"},
	} {
		found := compare.Compare(textbook.Caveats[test.name]()).Caveats
		said := false
		for _, c := range found {
			said = said || strings.Contains(Caveat(c), test.says) && (test.code == "" || c.Code == test.code)
		}
		if said != (test.code != "") {
			t.Errorf("%s: the caveats are %q; want %q with %q", test.name, Caveats(found), test.code, test.says)
		}
	}
	again := Caveats(compare.Compare(textbook.Queries["sent again"]()).Caveats)
	says(t, "queries sent again", strings.Join(again, "\n"), []string{"RFC 7766, 6.2.4): tcp+keep 2, in all"}, []string{"RFC 9112"})
	together := Caveats(compare.Compare(textbook.Queries["wanted together, asked one by one"]()).Caveats)
	says(t, "wanted together", strings.Join(together, "\n"), []string{"tcp+pipeline: requests never overlapped"}, nil)
}

// Of what noise is not ruled out is said once for as many trials.
func TestNoiseIsSaidOnce(t *testing.T) {
	pair := func(code string, trials float64) finding.Finding {
		return finding.Finding{Code: code, Severity: finding.Unknown, Subject: finding.Subject{Name: "keep"}, Figures: finding.Figures{
			finding.Number("time", 100, "ms").Whose("keep"), finding.Number("time", 300, "ms").Whose("close"), finding.Number("trials", trials, "")}}
	}
	few := pair(compare.Fastest, 3)
	few.Figures = append(few.Figures, finding.Number("enough", 5, ""))
	for _, test := range []struct {
		findings []finding.Finding
		want     int
	}{
		{[]finding.Finding{pair(compare.VersionFaster, 3)}, 1},
		{[]finding.Finding{few, pair(compare.VersionFaster, 3)}, 1},
		{[]finding.Finding{few, pair(compare.VersionFaster, 4)}, 1},
		{[]finding.Finding{few, pair(compare.VersionFaster, 2)}, 2},
	} {
		if text := text(test.findings).String(); strings.Count(text, "significant")+strings.Count(text, "too few") != test.want {
			t.Errorf("said other than %d times:\n%s", test.want, text)
		}
	}
}
