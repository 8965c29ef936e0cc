package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"linger"
	"linger/compare"
	"linger/compare/across"
	"linger/compare/crowdsweep"
	"linger/compare/difference"
	"linger/compare/sweep"
	"linger/compare/times"
	"linger/finding"
	"linger/keepalive"
	"linger/profile"
)

type figures = finding.Figures

// of is a figure of somebody; the interval of a time reaches 10 ms to both sides.
func of(whose, name string, v float64) finding.Figure {
	f := finding.Number(name, v, "").Whose(whose)
	if name == "time" {
		f.Interval = linger.Known(finding.Interval{Low: linger.Known(v - 10), High: linger.Known(v + 10)})
	}
	return f
}

// n is a figure of the subject, or of all.
func n(name string, v float64) finding.Figure { return of("", name, v) }

func word(name, text string) finding.Figure { return finding.Word(name, text) }

// onNetwork is a word of a network.
func onNetwork(network, name, text string) finding.Figure { return word(name, text).Whose(network) }

// shareBetween is what keep-alive saves on a network by one pair of strategies.
func shareBetween(network string, v, low, high float64) finding.Figure {
	f := of(network, "least", v)
	f.Interval = linger.Known(finding.Interval{Low: linger.Known(low), High: linger.Known(high), Confidence: linger.Known(0.88)})
	return f
}

// from is a time that is not known, but for what it is at least.
func from(whose string, least float64) finding.Figure {
	return finding.Figure{Name: "time", Of: whose, Interval: linger.Known(finding.Interval{Low: linger.Known(least)})}
}

// counted is a word that was counted.
func counted(name, text string, v float64) finding.Figure {
	f := n(name, v)
	f.Text = text
	return f
}

// pair are the times of two strategies, from 5 trials.
func pair(a string, ms float64, b string, other float64, more ...finding.Figure) figures {
	return append(figures{of(a, "time", ms), of(b, "time", other), n("trials", 5), n("p", 0.0079)}, more...)
}

// saved is what keep-alive does to one pair, or two.
func saved(cause, outcome string, share float64, more ...any) finding.Finding {
	f := finding.Finding{Code: compare.KeepAlive, Cause: cause, Figures: figures{of("keep", outcome, share), word("instead_of", "close").Whose("keep"), of("keep", "parallel", 1)}}
	if len(more) > 0 {
		f.Figures = append(f.Figures, of("keep:6", more[0].(string), more[1].(float64)), word("instead_of", "close:6").Whose("keep:6"), of("keep:6", "parallel", 6))
	}
	f.Figures = append(f.Figures, n("trials", 5))
	return f
}

// thinking is a finding about crowds with one think time, or with any.
func thinking(think, code string, parts ...figures) finding.Finding {
	f := finding.Finding{Code: code, Figures: slices.Concat(parts...)}
	if think != "" {
		f.Subject = finding.Subject{Kind: "think", Name: think}
	}
	return f
}

// part is what serves so many clients best.
func part(number string, from, to float64, serves, keep, closed, timeouts string, least, most float64) figures {
	f := figures{word("serves", serves).Whose(number), of(number, "from", from), of(number, "to", to)}
	for _, x := range [][2]string{{"keep", keep}, {"close", closed}, {"timeouts", timeouts}} {
		if x[1] != "" {
			f = append(f, word(x[0], x[1]).Whose(number))
		}
	}
	if timeouts != "" {
		f = append(f, of(number, "least", least), of(number, "most", most))
	}
	return f
}

// examples are findings with their sentences: one of each code, at least.
var examples = []struct {
	finding.Finding
	says string
}{
	{finding.Finding{Code: compare.NothingDelivered}, "No strategy delivered the workload in most of its trials, so there is nothing to compare."},
	{finding.Finding{Code: compare.NoLoadTime}, "No trial had an answer to every query, so that the load has no time."},
	{finding.Finding{Code: compare.FixedTimes}, "When each query is asked is fixed, so that all of them take as long with any strategy."},
	{about("udp", compare.QueryTimes, of("udp", "query_median", 70), of("udp", "query_p95", 1070), of("tcp", "query_median", 140), of("tcp", "query_p95", 140), of("tcp", "query_p99", 141)),
		"A single query takes 70.0 ms (median; p95 1.07 s) over udp, and 140 ms (median; p99 141 ms) over tcp."},
	{about("udp", compare.QueryTimes, of("udp", "query_median", 70)), "A single query takes 70.0 ms (median) over udp."},
	{about("keep", compare.Unopposed, of("keep", "time", 3440), n("strategies", 1)), "keep takes 3.44 s; no other strategy is there to compare it with."},
	{about("keep", compare.Unopposed, of("keep", "time", 3440), n("strategies", 2)), "keep takes 3.44 s; no other strategy gave a time to compare it with."},
	{about("keep", compare.Unopposed, of("keep", "time", 3440), n("strategies", 2), of("close", "at_least", 6500)), "keep takes 3.44 s; no other strategy gave a time to compare it with: close takes 6.5 s at least."},
	{reasoned(compare.CauseNoneWith, finding.Finding{Code: compare.KeepAlive}), "What keep-alive saves is not known: no strategy with it gave a time."},
	{reasoned(compare.CauseNoneWithout, finding.Finding{Code: compare.KeepAlive}), "What keep-alive saves is not known: no strategy without it gave a time."},
	{reasoned(compare.CauseUntried, finding.Finding{Code: compare.KeepAlive, Figures: figures{word("untried", "keep:6")}}), "What keep-alive alone saves is not known: keep:6 was not tried."},
	{reasoned(compare.CauseUntried, finding.Finding{Code: compare.KeepAlive}), "What keep-alive alone saves is not known: no two strategies differ in nothing else."},
	{saved(times.Saves, times.Saves, 0.66), "Keep-alive saves 66 % of the time (close → keep)."},
	{finding.Finding{Code: compare.KeepAlive, Cause: times.Saves, Figures: figures{of("doh+keep", times.Saves, 0.51), of("doq+keep", times.Saves, 0.37), of("tcp+keep", "times_as_long", 2.6), of("dot+keep", "times_as_long", 1.7)}},
		"Keep-alive saves 37–51 % of the time where queries overlap (doh+keep, doq+keep); one query at a time it takes 1.7–2.6× as long (tcp+keep, dot+keep)."},
	{saved(times.Saves, times.Saves, 0.66, times.Saves, 0.494), "Keep-alive saves 49 % (close:6 → keep:6) to 66 % (close → keep) of the time."},
	{saved(times.Saves, times.Saves, 0.491, times.Saves, 0.494), "Keep-alive saves 49 % of the time (close → keep, close:6 → keep:6)."},
	{saved(times.Costs, times.Costs, -0.4), "Keep-alive costs 40 % more time with one request at a time (close → keep)."},
	{saved(times.Unchanged, times.Unchanged, 0.01, times.Unchanged, 0.02), "Keep-alive makes no difference that 5 trials can show (close → keep, close:6 → keep:6)."},
	{saved(compare.CauseMixed, times.Saves, 0.66, times.Unchanged, 0.02),
		"Keep-alive saves 66 % of the time with one request at a time (close → keep) and makes no measurable difference with 6 at once (close:6 → keep:6)."},
	{saved(compare.CauseMixed, times.Costs, -0.1, times.Costs, -0.2), "Keep-alive costs 10–20 % more time (close → keep, close:6 → keep:6)."},
	{saved(times.Untested, times.Untested, 0.66, times.Untested, -0.2),
		"Keep-alive probably saves about 66 % of the time with one request at a time (close → keep) and probably costs about 20 % more time with 6 at once (close:6 → keep:6)."},
	{saved(times.Untested, times.Untested, 0.66, times.Untested, 0.5), "Keep-alive probably saves 50 % (close:6 → keep:6) to 66 % (close → keep) of the time."},
	{saved(times.Untested, times.Untested, 0.01), "Keep-alive probably makes little difference with one request at a time (close → keep)."},
	{reasoned(compare.CauseWithout, about("h3", compare.Fastest, pair("h3", 649, "close:6", 2080)...)), "Fastest: h3, 650 ms – 3.2× as fast as the best without keep-alive (close:6)."},
	{reasoned(compare.CauseWithout, about("h3", compare.Fastest, pair("h3", 650, "close:6", 2080, word("unit", "s"))...)), "Fastest: h3, 0.65 s – 3.2× as fast as the best without keep-alive (close:6)."},
	{reasoned(compare.CauseWith, about("close:6", compare.Fastest, pair("close:6", 1600, "keep", 3440, word("untried", "keep:6"))...)), "Fastest: close:6, 1.60 s – 2.1× as fast as the best with keep-alive (keep). keep:6 was not tried."},
	{reasoned(compare.CauseSlowest, about("h2", compare.Fastest, pair("h2", 1000, "keep", 4000)...)), "Fastest: h2, 1.00 s – 4.0× as fast as keep."},
	{reasoned(compare.CauseWithout, about("h3", compare.Fastest, pair("h3", 649, "close:6", 2080, of("h2", "tied", 655))...)), "h3 and h2 tie for fastest (650 ms, 655 ms) – 3.2× as fast as the best without keep-alive (close:6)."},
	{reasoned(compare.CauseWithout, about("h3", compare.Fastest, pair("h3", 649, "close:6", 2080, of("h2", "tied", 655), of("keep:6", "tied", 656), of("pipeline", "tied", 656))...)),
		"h3 and 3 others tie for fastest at about 650 ms – 3.2× as fast as the best without keep-alive (close:6)."},
	{reasoned(compare.CauseWithout, about("h3", compare.Fastest, pair("h3", 5400, "close:6", 18_900, of("keep:6", "tied", 9100), of("h2", "tied", 9100))...)),
		"Probably fastest: h3, 5.40 s – 3.5× as fast as the best without keep-alive (close:6); 5 trials cannot tell it from keep:6 (9.10 s) and h2 (9.10 s)."},
	{unsure(reasoned(compare.CauseWithout, about("h3", compare.Fastest, pair("h3", 649, "close:6", 670, n("enough", 6))...))),
		"Probably fastest: h3, 650 ms – 1.03× as fast as the best without keep-alive (close:6); 5 trials each are too few for a test (6 each are enough)."},
	{unsure(reasoned(compare.CauseWithout, about("h3", compare.Fastest, pair("h3", 649, "close:6", 2080)...))),
		"Probably fastest: h3, 650 ms – 3.2× as fast as the best without keep-alive (close:6); others have too few trials for a test."},
	{about("keep", compare.NoDifference, pair("keep", 3440, "close", 3450)...), "keep and close tie for fastest: 3.44 s and 3.45 s (5 trials each, p = 0.0079)."},
	{about("keep", compare.NoDifference, pair("keep", 3440, "close", 3450, of("h2", "tied", 3460), n("strategies", 4))...), "keep, close and h2 tie for fastest at about 3.44 s (5 trials each, p = 0.0079)."},
	{about("keep", compare.NoDifference, pair("keep", 3440, "close", 3450, of("h2", "tied", 3460), of("h3", "tied", 3460), n("strategies", 5))...), "keep, close and 2 others tie for fastest at about 3.44 s (5 trials each, p = 0.0079)."},
	{about("keep", compare.NoDifference, pair("keep", 3440, "close", 3450, of("h2", "tied", 3460), n("strategies", 3))...), "All 3 tie at about 3.44 s (5 trials each, p = 0.0079)."},
	{about("keep", compare.NoDifference, pair("keep", 3440, "close", 3450, n("margin", 0.05))...), "keep and close tie for fastest: 3.44 s and 3.45 s (predictions are off by as much: 5 %)."},
	{about("h3", compare.NoDifference, pair("h3", 650, "close:6", 2400, n("strategies", 7))...), "Which is fastest cannot be told: h3 650 ms, close:6 2.40 s (5 trials each, p = 0.0079)."},
	{unsure(about("keep", compare.NoWinner, pair("keep", 3440, "close", 3450, n("enough", 6))...)), "Which is fastest is open: keep 3.44 s, close 3.45 s; 5 trials each are too few for a test (6 each are enough)."},
	{about("keep", compare.FewestConnections, of("keep", "connections", 1)), "Of those that tie for fastest, keep opens the fewest connections (1)."},
	{about("keep", compare.LostTrials, n("failed", 1), n("trials", 3)), "But 1 of 3 trials of keep failed, which counts as longer than any."},
	{about("keep", compare.Took, finding.Number("time", 685, "ms"), n("exchanges", 41), n("connections", 1)), "keep took 685 ms for 41 exchanges over 1 connection."},

	{about("close", compare.HandshakeTime, of("close", "time", 7340), n("handshakes", 41), n("waited", 2880)), "41 handshakes cost 2.88 s of the 7.34 s that close takes (39 %)."},
	{about("close", compare.HandshakeTime, of("close", "time", 10_300), n("handshakes", 41), n("waited", 5810), n("waited_tls", 2940)),
		"41 handshakes cost 5.81 s of the 10.3 s that close takes (56 %): 2.87 s for TCP's, 2.94 s for TLS's."},
	{about("close:6", compare.HandshakeWait, of("close:6", "time", 1600), n("handshakes", 41), n("waited", 230)), "For 230 ms of its 1.60 s (14 %), close:6 does nothing but wait for some of its 41 handshakes."},
	{about("keep", compare.ConnectionCPU, n("client_cpu", 1.84), n("server_cpu", 3.3)), "Each connection more costs 1.8 ms of CPU at the client and 3.3 ms at the server."},
	{about("keep", compare.KeptSame, pair("keep", 7340, "close", 7350, n("connections_at_once", 1))...), "One kept connection (keep) makes no difference that 5 trials can show (p = 0.0079)."},
	{about("keep:2", compare.KeptCosts, pair("keep:2", 8000, "close:2", 4000, n("connections_at_once", 2))...), "Keeping 2 connections (keep:2) is worse: 4.00 s (100 %) more."},
	{unsure(about("keep", compare.KeptSaves, pair("keep", 3440, "close", 7340, n("connections_at_once", 1))...)), "One kept connection (keep) saves 3.90 s (53 %) (not statistically significant after 5 trials)."},
	{about("keep", compare.KeptSaves, pair("keep", 3440, "close", 7340, n("connections_at_once", 1), n("saved_by_handshakes", 2810), n("saved_by_slow_starts", 690), n("saved_in_hosts", 400))...),
		"One kept connection (keep) saves 3.90 s (53 %): 2.81 s of handshakes, 690 ms of slow starts and 400 ms in the hosts."},
	{about("keep:6", compare.ManySame, pair("keep:6", 1620, "close:6", 1610, n("connections_at_once", 6))...), "With 6 at once, keeping (keep:6) makes no difference to close:6 that 5 trials can show (p = 0.0079)."},
	{about("keep:6", compare.ManyCosts, pair("keep:6", 2000, "close:6", 1600, n("connections_at_once", 6))...), "With 6 at once, keeping is worse: keep:6 takes 400 ms (25 %) more than close:6."},
	{about("keep:6", compare.ManySaves, pair("keep:6", 960, "close:6", 1620, n("connections_at_once", 6))...), "With 6 at once, keeping (keep:6) saves 660 ms (41 %) of close:6's 1.62 s."},
	{about("keep:6", compare.MoreCosts, pair("keep:6", 1620, "keep", 960, n("connections_at_once", 6))...), "6 kept connections (keep:6) take 660 ms (69 %) more than one (keep)."},
	{reasoned(compare.CauseQueue, about("keep", compare.Why, n("stalls", 1), n("stalled", 812), n("dropped", 2), n("queue", 384), n("try_queue", 1000))),
		"Why keep is slower: its bursts overflow the queue before the bottleneck (384 ms): 2 packets are dropped, and its sender waits once for a retransmission timer, 812 ms in all, since no acknowledgement is left to ask for them. --queue 1s shows it with room for them."},
	{reasoned(compare.CauseStalls, about("keep", compare.Why, n("stalls", 2), n("stalled", 1620), n("dropped", 1))),
		"Why keep is slower: 1 packet is lost on the way, and its sender waits 2 times for a retransmission timer, 1.62 s in all, since no acknowledgement is left to ask for them. --loss 0 shows it without."},
	{reasoned(compare.CauseBlocking, about("h2", compare.Why, of("keep:6", "connections", 6), n("loss", .02))),
		"Why h2 is slower: a packet lost holds up all streams of its one connection, and slows all of them; keep:6 has 6 connections, which lose and recover each by itself. --loss 0 shows it without."},
	{reasoned(compare.CauseIdle, about("keep", compare.Why, n("restarts", 3))),
		"Why keep is slower: its connections are idle for longer than a retransmission timeout, 3 times; the window then begins anew (RFC 5681, 4.1). --think 0s shows it without."},
	{reasoned(compare.CauseUnseen, about("keep", compare.Why)), "Why keep is slower does not show in drops, timers or idle times; -o NAME.pcapng of --on lab has its packets."},
	{about("close:6", compare.Serialized, pair("close:6", 1620, "keep", 3440, n("connections_at_once", 6))...), "close:6, with 6 connections at once, takes 1.82 s less than keep, whose requests are serialized."},
	{reasoned(compare.CauseResumption, about("close+resume", compare.OptionSaves, pair("close+resume", 10_200, "close", 10_300, n("saved_cpu", .49), of("close+resume", "setup_round_trips", 2), of("close", "setup_round_trips", 2))...)),
		"Resumption (close+resume) saves 100 ms (1 %) of close's 10.30 s and 49 % of the CPU; setup takes 2.0 RTTs either way."},
	{reasoned(compare.CauseEarlyData, about("h3+0rtt", compare.OptionCosts, pair("h3+0rtt", 800, "h3", 690, of("h3+0rtt", "setup_round_trips", 0), of("h3", "setup_round_trips", 1), n("saved_round_trips", 1))...)),
		"Early data (h3+0rtt) takes 110 ms (16 %) more than h3; setup takes 0.0 RTTs, not 1.0."},
	{reasoned(compare.CauseFastOpen, about("keep+tfo", compare.OptionSame, pair("keep+tfo", 3440, "keep", 3440, n("saved_cpu", .1))...)),
		"TCP Fast Open (keep+tfo) makes no difference to keep's time that 5 trials can show (p = 0.0079), but saves 10 % of the CPU."},
	{reasoned(compare.CauseFastOpen, about("keep+tfo", compare.OptionUndecided, pair("keep+tfo", 3440, "keep", 3450)...)), "TCP Fast Open (keep+tfo) takes 3.44 s, keep 3.45 s; not statistically significant after 5 trials."},
	{about("h2", compare.VersionFaster, pair("h2", 760, "keep:6", 1100)...), "h2 takes 340 ms (31 %) less than keep:6."},
	{about("h2", compare.VersionSlower, pair("h2", 1500, "keep:6", 1000)...), "h2 takes 500 ms (50 %) more than keep:6."},
	{about("h3", compare.VersionSame, pair("h3", 760, "h2", 770)...), "h3 and h2 cannot be told apart (p = 0.0079)."},
	{about("h3", compare.LossFaster, pair("h3", 700, "h2", 900, n("loss", .02), of("h3", "loading_time", 600), of("h2", "loading_time", 800))...),
		"With 2 % lost, h3 takes 200 ms (25 %) less than h2 from the first request on; its cause cannot be told apart here: head-of-line blocking, the stacks' recovery and initial windows."},
	{about("h3", compare.LossSlower, pair("h3", 900, "h2", 700, n("loss", .02), of("h3", "loading_time", 900), of("h2", "loading_time", 600))...),
		"With 2 % lost, h3 takes 300 ms (50 %) more than h2 from the first request on; its cause cannot be told apart here: head-of-line blocking, the stacks' recovery and initial windows."},
	{about("h3", compare.LossSame, pair("h3", 700, "h2", 700, n("loss", .005))...), "With 0.5 % lost, the head-of-line difference between h2 and h3 is not visible in these trials (p = 0.0079)."},
	{about("h3", compare.LossUndecided, pair("h3", 700, "h2", 700, n("loss", .02))...), "With 2 % lost, the head-of-line difference between h2 and h3 cannot be seen in 5 trials."},

	{about("tcp+keep", compare.FurtherQuery, of("tcp+keep", "query_bytes", 230), of("tcp", "query_bytes", 660), of("dot+keep", "query_bytes", 690), of("dot", "query_bytes", 4130)),
		"Keep-alive pays from the second query on: each additional query takes 230 B over tcp+keep instead of 660 B over tcp; 690 B over dot+keep instead of 4.1 kB over dot."},
	{about("dot", compare.Encryption, of("dot", "bytes_per_query", 4130), of("tcp", "bytes_per_query", 660), n("more_round_trips", 1), of("dot+keep", "query_bytes", 690), of("tcp+keep", "query_bytes", 230)),
		"Encryption: dot takes 6.3 times the bytes of tcp and 1.0 RTT more; each additional query over dot+keep takes 3.0 times the bytes of one over tcp+keep."},
	{reasoned(compare.CauseShared, finding.Finding{Code: compare.FewerBytes, Figures: figures{of("tcp+pipeline", "from_queries", 12)}}),
		"On a kept connection tcp+pipeline (from about 12 queries) takes fewer bytes per query than udp: several messages share a packet."},
	{reasoned(compare.CauseTruncated, finding.Finding{Code: compare.FewerBytes, Figures: figures{of("tcp+keep", "from_queries", 1), of("tcp+pipeline", "from_queries", 1)}}),
		"On a kept connection tcp+keep (from about 1 query) and tcp+pipeline (from about 1 query) take fewer bytes per query than udp, whose truncated answers are asked for again."},
	{finding.Finding{Code: compare.NeverFewerBytes, Figures: figures{of("udp", "bytes_per_query", 170), of("tcp+keep", "times_udp", 1.35), of("dot+keep", "times_udp", 4.06)}},
		"tcp+keep and dot+keep never take fewer bytes than udp, however many queries a connection carries: 1.4 to 4.1 times its 170 B per query."},
	{about("udp", compare.AskedAgain, n("retransmitted", 25), of("udp", "query_median", 70), of("udp", "query_p99", 1070), of("tcp", "query_median", 140)),
		"udp retransmitted 25 queries after a second or more: its queries take 70.0 ms (median; p99 1.07 s); those over tcp, which retransmits by itself, 140 ms (median)."},
	{about("udp", compare.Truncated, n("truncated", 3), n("asked", 50)), "udp: 3 of 50 answers were truncated and asked for again over TCP, which takes 3 RTTs in all."},
	{about("tcp+keep", compare.OneAtATime, pair("tcp+keep", 5770, "tcp+pipeline", 770)...), "tcp+keep sends one query at a time, tcp+pipeline all at once, which is 5.00 s (87 %) faster."},
	{finding.Finding{Code: compare.IdleLimit, Figures: figures{n("rtt", 70), of("tcp+keep", "idle_limit", 2000), of("dot+keep", "idle_limit", 2000)}},
		"The server announces an idle timeout of 2.00 s: keep-alive pays for gaps between queries of up to 1.93 s; after a longer one the next query pays the setup again."},
	{finding.Finding{Code: compare.IdleLimit, Figures: figures{of("tcp+keep", "idle_limit", 2000)}},
		"The server announces an idle timeout of 2.00 s: keep-alive pays for gaps between queries of up to that less an RTT; after a longer one the next query pays the setup again."},
	{finding.Finding{Code: compare.IdleLimit, Figures: figures{n("rtt", 70), of("tcp+keep", "idle_limit", 0)}},
		"The server announces that connections may not idle: keep-alive pays only while queries follow one another."},
	{finding.Finding{Code: compare.IdleLimit, Figures: figures{n("rtt", 70), of("tcp+keep", "closed_idle_after", 3000)}},
		"The server announced no idle timeout, and closed connections that had been idle for 3.00 s: keep-alive pays for gaps between queries of up to 2.93 s."},
	{finding.Finding{Code: compare.IdleLimit, Figures: figures{n("rtt", 70), {Name: "idle_limit", Of: "tcp+keep"}}},
		"Up to which gap between queries keep-alive pays is not known: the server announced no idle timeout, and closed no idle connection."},
	{finding.Finding{Code: compare.IdleLimit, Figures: figures{n("rtt", 70), of("a", "idle_limit", 0), of("b", "closed_idle_after", 3000), of("c", "idle_limit", 60_000), {Name: "idle_limit", Of: "d"}, of("e", "idle_limit", 0)}},
		"Keep-alive pays for gaps between queries of up to: a and e none (the server announced 0 ms); b 2.93 s (the server closed after 3.00 s); c 59.9 s (the server announced 60.0 s); d not known."},
	{finding.Finding{Code: compare.IdleLimit, Figures: figures{of("a", "idle_limit", 2000), of("b", "closed_idle_after", 3000)}},
		"Keep-alive pays for gaps between queries of up to: a 2.00 s less an RTT (the server announced it); b 3.00 s less an RTT (the server then closed)."},

	{finding.Finding{Code: sweep.NothingPredicted}, "Nothing was predicted."},
	{finding.Finding{Code: sweep.NoneDelivered, Figures: figures{n("paths", 4)}}, "No strategy delivered everything on any of 4 networks."},
	{finding.Finding{Code: sweep.FastestOn, Figures: figures{of("h2", "fastest_on", 20), of("keep:6", "fastest_on", 10), n("paths", 30)}}, "h2 is fastest on 20 of 30 networks, keep:6 on 10."},
	{finding.Finding{Code: sweep.FastestOn, Figures: figures{of("h2", "fastest_on", 20), of("keep:6", "fastest_on", 10), n("paths", 30), of("h2", "clear_on", 7), n("too_close_on", 23)}}, "h2 is clearly fastest on 7 of 30 networks; 23 are too close to call."},
	{finding.Finding{Code: sweep.FastestOn, Figures: figures{of("h2", "fastest_on", 20), of("keep:6", "fastest_on", 10), n("paths", 30), n("too_close_on", 30)}}, "No strategy is clearly fastest on any network; h2 has the least median on 20 of 30 networks, keep:6 on 10."},
	{finding.Finding{Code: sweep.KeepingUntold}, "What keeping saves is not known: it takes a persistent and a non-persistent strategy on one path."},
	{finding.Finding{Code: sweep.KeepAliveOn, Figures: figures{word("instead_of", "close").Whose("keep"), of("keep", "least", .38), of("keep", "median", .55), of("keep", "most", .66),
		word("instead_of", "close:6").Whose("keep:6"), of("keep:6", "least", -.02), of("keep:6", "median", .4), of("keep:6", "most", .49)}},
		"Keep-alive alone saves 38–66 % (keep), −2 % to 49 % (keep:6)."},
	{finding.Finding{Code: sweep.KeepingSavesOn, Figures: figures{n("saves_on", 16), n("known", 30), n("halves_on", 3), n("median", .41)}}, "The best with keep-alive beats the best without on 16; median saving 41 %."},
	{finding.Finding{Code: sweep.KeepingSavesOn, Figures: figures{n("saves_on", 30), n("known", 30), n("halves_on", 0), n("median", .41)}}, "The best with keep-alive beats the best without on all of them; median saving 41 %."},
	{finding.Finding{Code: sweep.NearFastestOn, Figures: figures{of("h2", "near_on", 20), of("keep:6", "near_on", 12), n("margin", .05)}}, "Within 5 % of the fastest, or the fastest itself: h2 on 20, keep:6 on 12."},
	{finding.Finding{Code: sweep.MostSaved, Figures: figures{word("network", ""), n("rtt", 70), n("down", 12_000), n("loss", .01), n("saves", .997), finding.Number("time", 100, "ms").Whose("h2"), {Name: "time", Of: "close"}}},
		"The largest saving is over 99 % at 70 ms, 12 Mbit/s, 1 % loss: h2 takes 100 ms, close takes an unknown time."},
	{finding.Finding{Code: sweep.MostSaved, Figures: figures{word("network", "lte"), n("saves", .5), finding.Number("time", 100, "ms").Whose("h2"), finding.Number("time", 200, "ms").Whose("close")}},
		"The largest saving is 50 % at lte: h2 takes 100 ms, close takes 200 ms."},
	{finding.Finding{Code: sweep.NoneSame, Figures: figures{n("margin", .05)}}, "On no network are the fastest with and the fastest without keep-alive within 5 % of each other."},
	{finding.Finding{Code: sweep.SameOn, Figures: figures{n("same_on", 14), n("paths", 30), n("margin", .05)}}, "Keep-alive makes no difference (at most 5 % between the fastest with it and the fastest without) on 14 of 30."},
	{finding.Finding{Code: sweep.BorderAt, Figures: figures{n("down", 10_000), n("beyond_rtt", 40), n("down", 100_000), n("beyond_rtt", 90), n("loss", 0)}}, "Without loss it begins to make a difference beyond 40 ms at 10 Mbit/s, beyond 90 ms at 100 Mbit/s."},
	{finding.Finding{Code: sweep.BorderAt, Figures: figures{n("down", 1000), {Name: "beyond_rtt"}, n("down", 10_000), n("beyond_rtt", 40), n("loss", .01)}},
		"At 1 % loss it begins to make a difference beyond 40 ms at 10 Mbit/s; it makes none at any RTT at 1 Mbit/s."},
	{finding.Finding{Code: sweep.KeepingCostsOn, Figures: figures{n("costs_on", 2), n("margin", .05)}}, "On 2 networks keep-alive costs time: the fastest without it beats the fastest with it by more than 5 %."},
	{finding.Finding{Code: sweep.NoiseOn, Figures: figures{n("noise_on", 1), n("trials", 1)}}, "On 1 network 1 trial cannot tell what keep-alive saves or costs from noise."},
	{finding.Finding{Code: sweep.NoiseOn, Figures: figures{n("noise_on", 3), n("trials", 5)}}, "On 3 networks 5 trials cannot tell what keep-alive saves or costs from noise."},
	{about("close:6", sweep.UnknownOn, n("unknown_on", 2), word("cause", "not over after 5 events")), "Not known on 2 networks: close:6: not over after 5 events."},
	{about("close:6", sweep.UnknownOn, n("unknown_on", 1), n("failed", 3), n("trials", 5)), "Not known on 1 network: close:6: 3 of 5 trials did not deliver everything."},
	{finding.Finding{Code: sweep.MoreReasons, Figures: figures{n("more", 4)}}, "4 more reasons stand in the JSON."},
	{finding.Finding{Code: sweep.Uncovered, Figures: figures{n("uncovered", 10), n("paths", 12), n("rtt_from", 5), n("rtt_to", 300), n("rate_from", 1600), n("rate_to", 100_000), n("loss_to", .01)}},
		"10 of 12 networks lie outside the range in which predictions were checked against measurements (RTT 5 to 300 ms, 1600 kbit/s to 100 Mbit/s, up to 1 % loss)."},
	{finding.Finding{Code: sweep.Stopped, Figures: figures{n("paths", 7), n("planned", 12)}}, "Interrupted: only the first 7 of 12 networks are covered."},

	{finding.Finding{Code: crowdsweep.NoCrowd}, "No crowd was predicted."},
	{thinking("5s", crowdsweep.ServesBest, part("1", 10, 20, "keep", "keep:6", "", "any", 1000, 0), part("2", 50, 50, "either", "keep:6", "close:6", "at-most", 1000, 1000), part("3", 200, 400, "close", "", "close:6", "", 0, 0)),
		"Best with 5 s between pages: up to 20 clients keep:6 with any idle timeout; for 50 keep:6 with idle timeout ≤ 1 s, or close:6; from 200 on close:6."},
	{thinking("~5s", crowdsweep.ServesBest, part("1", 10, 20, "keep", "keep", "", "at-least", 15000, 0), part("2", 50, 100, "keep", "keep", "", "between", 1000, 5000), part("3", 200, 400, "none", "", "", "", 0, 0)),
		"Best with 5 s on average between pages: up to 20 clients keep with idle timeout ≥ 15 s or none; from 50 to 100 keep with idle timeout 1 s to 5 s; from 200 on none, since no choice serves every page."},
	{thinking("", crowdsweep.ServesBest, part("1", 10, 200, "keep", "keep", "", "at-least", 0, 0)), "Best with any of the think times: for 10 to 200 clients keep without an idle timeout."},
	{thinking("4s-6s", crowdsweep.ServesBest, part("1", 10, 10, "keep", "keep", "", "between", 5000, 5000)), "Best with 4 s to 6 s between pages: for 10 clients keep with idle timeout 5 s."},
	{thinking("1s", crowdsweep.ServesBest, part("1", 1, 1, "keep", "keep", "", "at-least", 5000, 75000)), "Best with 1 s between pages: for 1 client keep with idle timeout ≥ 5 s."},
	{finding.Finding{Code: crowdsweep.OneTimeout, Figures: figures{n("timeout", 15000), n("kept_on", 8), n("best_on", 5), n("crowds", 9)}},
		"One setting for all: an idle timeout of 15 s is the best, or as good, for kept connections in 8 of 9 crowds; in 5 nothing serves better."},
	{finding.Finding{Code: crowdsweep.OneTimeout, Figures: figures{n("timeout", 0), n("kept_on", 1), n("best_on", 1), n("crowds", 1)}},
		"One setting for all: no idle timeout is the best, or as good, for kept connections in 1 of 1 crowd; in 1 nothing serves better."},
	{finding.Finding{Code: crowdsweep.WorstOf, Figures: figures{n("clients", 50), word("think", "5s"), word("strategy", "keep:6").Whose("worst"), of("worst", "timeout", 0), of("worst", "page_p95", 14000), word("strategy", "close:6").Whose("best"), of("best", "page_p95", 412)}},
		"The choice matters most for 50 clients with 5 s between pages: by p95 of the page time, close:6 takes 412 ms, and keep:6 without an idle timeout takes 14.0 s."},
	{finding.Finding{Code: crowdsweep.WorstOf, Figures: figures{n("clients", 1), word("think", "0s"), word("strategy", "close").Whose("worst"), of("worst", "page_p95", 900), word("strategy", "keep").Whose("best"), of("best", "timeout", 1000), of("best", "page_p95", 300)}},
		"The choice matters most for 1 client with 0 ms between pages: by p95 of the page time, keep with an idle timeout of 1 s takes 300 ms, and close takes 900 ms."},
	{thinking("5s", crowdsweep.HeldBy, figures{word("strategy", "keep"), n("limit", 20), n("page", 300), n("timeout", 1000), n("clients", 81.54), n("timeout", 15000), n("clients", 20), n("timeout", 0), n("clients", 20)}),
		"With 5 s between pages, keep holds all 20 connections by Little's law from 82 clients on with an idle timeout of 1 s, from 20 clients on with an idle timeout of 15 s or longer, or none."},
	{thinking("1s", crowdsweep.HeldBy, figures{word("strategy", "keep"), n("limit", 20), n("page", 300), n("timeout", 1000), n("clients", 20), n("timeout", 15000), n("clients", 20)}),
		"With 1 s between pages, keep holds all 20 connections by Little's law from 20 clients on with an idle timeout of 1 s or longer."},
	{thinking("5s", crowdsweep.Saturated, figures{n("clients", 200), n("page_p95", 10400), n("fewest", 10), n("page_p95_fewest", 400)}),
		"From 200 clients on with 5 s between pages, clients wait whatever is chosen: at best p95 of a page is 10.4 s, with 10 clients 400 ms."},
	{thinking("5s", crowdsweep.Saturated, figures{n("clients", 200), n("page_p95", 10400), n("kept_out", 0.3), n("fewest", 10), n("page_p95_fewest", 400)}),
		"From 200 clients on with 5 s between pages, clients wait whatever is chosen: at best p95 of a page is 10.4 s, with 10 clients 400 ms; 30 % of the clients wait for the server."},
	{finding.Finding{Code: crowdsweep.TuneAgrees, Figures: figures{n("agree_on", 7), n("both_on", 9), n("crowds", 9), n("break_even", 80000)}},
		"The rule of linger tune (to open a connection costs as much as to hold one for 80 s) chooses an idle timeout that serves as well in 7 of 9 crowds; it counts connections, not how long pages take."},
	{finding.Finding{Code: crowdsweep.TuneAgrees, Figures: figures{n("agree_on", 9), n("both_on", 9), n("crowds", 9), n("break_even", 80000)}},
		"The rule of linger tune (to open a connection costs as much as to hold one for 80 s) chooses an idle timeout that serves as well, in each of 9 crowds."},
	{finding.Finding{Code: crowdsweep.NoneServes, Figures: figures{n("none_on", 2), n("crowds", 9)}}, "In 2 of 9 crowds pages fail or do not end, whatever is chosen."},
	{finding.Finding{Code: crowdsweep.BeyondBudget, Figures: figures{n("beyond_on", 2), n("crowds", 9), n("budget", 20)}}, "In 2 of 9 crowds every choice holds more than 20 connections."},
	{finding.Finding{Code: crowdsweep.StoppedAtCrowd, Figures: figures{n("crowds", 7), n("planned", 9)}}, "Interrupted: only the first 7 of 9 crowds are covered."},

	{about("keep", difference.TimeChanged, of(difference.Before, "time", 1000), of(difference.After, "time", 500)), "keep is 500 ms (50 %) faster than before: 500 ms, not 1.00 s."},
	{about("keep", difference.TimeChanged, of(difference.Before, "time", 500), of(difference.After, "time", 1000)), "keep is 500 ms (100 %) slower than before: 1.00 s, not 500 ms."},
	{about("keep", difference.TimeChanged, of(difference.Before, "time", 500), from(difference.After, 3000)), "keep is slower than before: at least 3.0 s, not 500 ms."},
	{about("keep", difference.TimeChanged, from(difference.Before, 3000), of(difference.After, "time", 500)), "keep is faster than before: 500 ms, not at least 3.0 s."},
	{about("keep", difference.FailedChanged, of(difference.Before, "failed", 0), of(difference.After, "failed", 5), n("p", .0079)), "0 trials of keep failed before, and 5 after."},
	{unsure(about("keep", difference.FailedChanged, of(difference.Before, "failed", 1), of(difference.After, "failed", 2), n("p", .5))), "1 trial of keep failed before, and 2 after, which may be noise."},
	{about("keep", difference.TimeLate), "keep has changed by no more than the emulator's delay jitter in one of the two can explain: the machine was busy."},
	{about("keep", difference.TimeSteady), "keep has not changed beyond noise."},
	{about("keep", difference.TimeUntold), "keep has too few trials to tell a change from noise."},
	{about("keep", difference.TimeMissing), "keep has no time in one of the two."},
	{about("keep", difference.RowGone), "keep is no longer there."},
	{about("keep", difference.RowNew), "keep is new."},

	{finding.Finding{Code: "of-tomorrow", Cause: "rain", Subject: finding.Subject{Kind: "connection", Name: "17"}, Figures: figures{finding.Number("gap", 12.5, "ms"), word("client", "curl/8"), {Name: "size", Of: "body"}}},
		"of-tomorrow (rain), connection 17, gap 12.5 ms, client curl/8, size of body not known."},
	// Several networks.
	{finding.Finding{Code: across.KeepAliveAcross, Cause: compare.CauseMixed, Figures: figures{
		onNetwork("3g", "outcome", "saves"), of("3g", "least", 0.31), of("3g", "most", 0.6), of("3g", "not_significant", 0),
		onNetwork("cable", "outcome", "mixed"), of("cable", "least", -0.08), of("cable", "most", 0.59), of("cable", "not_significant", 1),
		onNetwork("lte", "outcome", "saves"), of("lte", "least", 0.494), of("lte", "most", 0.66), of("lte", "not_significant", 0),
		onNetwork("lan", "outcome", "same"), of("lan", "least", 0.01), of("lan", "most", 0.02), of("lan", "not_significant", 2),
		onNetwork("wan", "outcome", "costs"), of("wan", "least", -0.2), of("wan", "most", -0.1), of("wan", "not_significant", 0),
		onNetwork("fios", "outcome", "untested"), of("fios", "least", 0.2), of("fios", "most", 0.3), of("fios", "not_significant", 2),
		onNetwork("dial", "outcome", "untried"),
	}}, "Keep-alive saves 31–60 % of the time on 3g, 49–66 % on lte; costs 10–20 % more time on wan; saves −8 % to 59 % of the time on cable (some of it not significant); probably saves 20–30 % of the time on fios (too few trials for a test); makes no measurable difference on lan; was not tried alone on dial."},
	{finding.Finding{Code: across.KeepAliveAcross, Cause: times.Saves, Figures: figures{
		onNetwork("a", "outcome", "saves"), of("a", "least", 0.31), of("a", "most", 0.6), onNetwork("b", "outcome", "saves"), of("b", "least", 0.2), of("b", "most", 0.5), onNetwork("c", "outcome", "saves"), of("c", "least", 0.31), of("c", "most", 0.6),
		onNetwork("d", "outcome", "saves"), of("d", "least", 0.31), of("d", "most", 0.7), onNetwork("e", "outcome", "saves"), of("e", "least", 0.31), of("e", "most", 0.6),
	}}, "Keep-alive saves 20 % (b) to 70 % (d) of the time on 5 networks."},
	{finding.Finding{Code: across.FastestAcross, Cause: across.CauseOneFastest, Figures: figures{onNetwork("3g", "fastest", "h3"), onNetwork("lte", "fastest", "h3")}}, "Fastest on both networks: h3."},
	{finding.Finding{Code: across.FastestAcross, Cause: across.CauseChanges, Figures: figures{
		onNetwork("3g", "fastest", "h3"), onNetwork("lte", "fastest", "h3"), onNetwork("cable", "fastest", "keep"), onNetwork("cable", "tied", "h2"), onNetwork("lan", "fastest", "h2"), onNetwork("lan", "untested", "h3"),
		onNetwork("dial", "fastest", ""), onNetwork("wan", "fastest", "h2"), onNetwork("wan", "tied", "h3"), onNetwork("wan", "tied", "keep"), onNetwork("wan", "tied", "keep:6"), onNetwork("wan", "tied", "pipeline"),
	}}, "Fastest: h3 on 3g and lte; h2 and keep (a tie) on cable; probably h2 on lan; not known on dial; 4 that tie with h2 on wan."},
	{finding.Finding{Code: across.KeepAliveAcross, Cause: times.Saves, Figures: figures{
		onNetwork("3g", "outcome", "saves"), shareBetween("3g", 0.44, 0.41, 0.49), of("3g", "most", 0.44), onNetwork("lte", "outcome", "saves"), shareBetween("lte", 0.6, 0.6, 0.605), of("lte", "most", 0.6),
	}}, "Keep-alive saves 44 % (88 % CI 41–49 %) of the time on 3g, 60 % on lte."},
	{finding.Finding{Code: across.KeepAliveAcross, Cause: compare.CauseUntried, Figures: figures{onNetwork("3g", "outcome", "untried")}}, "What keep-alive alone saves is not known: no two strategies differ in nothing else."},
	{finding.Finding{Code: across.FastestAcross, Cause: across.CauseAlone, Subject: finding.Subject{Kind: "strategy", Name: "keep"}}, "No strategy is compared with keep."},
	{finding.Finding{Code: across.Compromise, Subject: finding.Subject{Kind: "strategy", Name: "h2"}, Figures: figures{of("lte", "worst_ratio", 1.26)}}, "If it has to be one for all: h2, at most 1.3× as long as the fastest (lte)."},
}

func about(strategy, code string, f ...finding.Figure) finding.Finding {
	return finding.Finding{Code: code, Severity: finding.Note, Subject: finding.Subject{Kind: "strategy", Name: strategy}, Figures: f}
}

func reasoned(cause string, f finding.Finding) finding.Finding {
	f.Cause = cause
	return f
}

func unsure(f finding.Finding) finding.Finding {
	f.Severity = finding.Unknown
	return f
}

// cautioned are caveats with their sentences: one of each code and cause, at least.
var cautioned = []struct {
	finding.Caveat
	says string
}{
	{finding.Caveat{Code: profile.EndedEarly, Figures: figures{finding.Number("after", 100_000, "ms")}}, "the probe was stopped after 1m40s: some figures are missing"},
	{finding.Caveat{Code: profile.RateLimited, Figures: figures{finding.Number("status", 429, "")}}, "the server answered 429: it limits the request rate, and no more was sent to it"},
	{finding.Caveat{Code: profile.RateLimited, Figures: figures{finding.Number("status", 429, ""), finding.Number("refused", 7, ""), finding.Number("asked", 31, "")}}, "the server answered 429 to 7 of 31 ordinary requests: it limits the request rate, and no more was sent to it"},
	{finding.Caveat{Code: profile.RefusedAtTimes, Figures: figures{finding.Number("status", 503, ""), finding.Number("refused", 4, ""), finding.Number("asked", 20, "")}}, "the server answered 503 to 4 of 20 ordinary requests, which were retried after a pause"},
	{finding.Caveat{Code: profile.Busy, Figures: figures{finding.Number("late", 120, "ms")}}, "this machine was busy: timers fired up to 120 ms late, and times may be off by as much"},
	{finding.Caveat{Code: profile.EndedByError, Subject: finding.Subject{Kind: "protocol", Name: "HTTP/2"}, Figures: figures{finding.Number("requests", 3, ""), {Name: "closing", Text: `GOAWAY ENHANCE_YOUR_CALM "too_many_requests"`}}}, `the server ended a connection of HTTP/2 with an error after 3 requests: GOAWAY ENHANCE_YOUR_CALM "too_many_requests"; that is no request limit`},
	{finding.Caveat{Code: keepalive.SeenFromHere}, "RTTs were measured from here, not from the hop before; state others with NAME.rtt=20ms"},
	{against("keep", compare.Bytes, compare.CauseStray, n("exchange", 6), n("trial", 1), n("wrong", 5), n("trials", 5)), "keep: the bytes of 5 of 5 trials do not add up; trial 1 has a request 6 that the workload does not have, or has it twice"},
	{against("keep", compare.Bytes, compare.CauseWrongSize, n("exchange", 7), n("delivered", 99), n("size", 100), n("trial", 2), n("wrong", 1), n("trials", 5)), "keep: the bytes of 1 of 5 trials do not add up; trial 2 delivered 99 bytes of request 7, which has 100"},
	{against("keep", compare.Bytes, compare.CauseMissing, n("missing", 1), n("trial", 1), n("wrong", 1), n("trials", 1)), "keep: the bytes of 1 of 1 trial do not add up; trial 1 says nothing of 1 request"},
	{against("keep", compare.Bytes, compare.CauseCarried, n("http_up", 4920), n("http_down", 597_215), n("link_up", 4920), n("link_down", 597_208), n("trial", 1), n("wrong", 5), n("trials", 5)),
		"keep: the bytes of 5 of 5 trials do not add up; trial 1 had 4920 bytes up and 597215 down at HTTP, but the link carried 4920 and 597208"},
	{against("keep", compare.Changed, "", n("changed", 2), n("objects", 41), n("least", 589_835), n("most", 590_235), n("first_visit", 589_828)),
		"keep: 2 of 41 objects had another size than at the first visit; the loads had 589835 to 590235 bytes, not 589828"},
	{against("keep", compare.Failed, compare.CauseExchanges, counted("reason", "reset", 14), counted("reason", "refused", 5), n("other_reasons", 3), n("failed", 30), n("failed_trials", 5), n("trials", 5), word("scheme", "http")),
		"keep: 30 requests failed in 5 of 5 trials (14× reset, 5× refused, 3 other reasons)"},
	{against("udp", compare.Failed, compare.CauseExchanges, counted("reason", "SERVFAIL", 1), n("failed", 1), n("failed_trials", 1), n("trials", 5), word("scheme", "dns")), "udp: 1 query failed in 1 of 5 trials (1× SERVFAIL)"},
	{against("close", compare.Failed, compare.CauseTrials, counted("reason", "b", 2), counted("reason", "a", 1), n("failed_trials", 3), n("trials", 8)), "close: 3 trials of 8 gave no trace (2× b, 1× a)"},
	{against("close", compare.Failed, compare.CauseAll), "close: no trial delivered the whole workload, so it has no time, and its counts are of what was delivered"},
	{against("keep", compare.Failed, compare.CauseRanked, n("failed_trials", 1), n("trials", 3)), "keep: 1 of 3 trials failed and counts as longer than any that did not, so the interval of its time may be open above; its other figures are of the trials that delivered everything"},
	{against("keep", compare.Failed, compare.CauseRanked, n("failed_trials", 2), n("trials", 3), n("at_least", 3000)), "keep: 2 of 3 trials failed and count as longer than any that did not, so the median of its time is not known, but at least 3.00 s; its other figures are of the trials that delivered everything"},
	{against("keep", compare.Failed, compare.CauseZeroRTT, counted("reason", "killed", 1), n("failed_trials", 1), n("trials", 3)), "keep: 1 of 3 trials without delay failed (1× killed); round trips rest on the others"},
	{all(compare.Trips, compare.CauseRanked, word("strategy", "keep")), "keep: trials failed, so how many more the round trips may be is not known"},
	{all(compare.Trials, difference.CauseFewOfBoth, of(difference.Before, "trials", 3), of(difference.After, "trials", 3), n("enough", 5)), "3 trials before and 3 after can never show a significant change; use --trials 5 or more for both"},
	{all(compare.Interrupted, "", n("ended", 9), n("planned", 10)), "stopped before the end: 9 of 10 planned trials were run, and not all that measure round trips"},
	{against("keep", compare.NotHonoured, compare.CauseClosed, counted("reason", "FIN", 4), counted("reason", compare.NoReason, 1), n("closed", 5)), "keep: the server closed kept connections 5 times before the load had ended (4× FIN, 1× no reason given)"},
	{against("keep", compare.NotHonoured, compare.CauseClosed, counted("reason", "FIN", 1), n("closed", 1)), "keep: the server closed kept connections once before the load had ended (1× FIN)"},
	{against("close", compare.NotHonoured, compare.CauseReused, n("connections", 5)), "close: 5 connections carried more than one request"},
	{against("keep", compare.NotHonoured, compare.CauseSurplus, counted("reason", `"\r\n"`, 3), n("connections", 3)),
		"keep: bytes behind a response that no request had asked for made the client let 3 connections go (3× \"\\r\\n\")"},
	{against("close", compare.NotHonoured, compare.CauseLeftOpen, n("connections", 1)), "close: the server left 1 connection open although asked to close"},
	{against("h2", compare.NotHonoured, compare.CauseOneStream, n("connections", 1)), "h2: the server allows one stream at once (1 connection), so that requests are serialized"},
	{against("h2", compare.NotHonoured, compare.CauseNoStream, n("connections", 2)), "h2: the server allowed no stream for a time (2 connections), and requests had to wait"},
	{against("pipeline", compare.NotHonoured, compare.CauseSerial), "pipeline: requests never overlapped, so this is one request at a time"},
	{against("h2", compare.NotHonoured, compare.CauseProtocol, counted("reason", "http/1.1", 5), word("expected", "HTTP/2")), "h2: HTTP/2 was not spoken on every connection (5× http/1.1)"},
	{against("close+resume", compare.NotHonoured, compare.CauseNotResumed, n("refused", 1), n("connections", 200)), "close+resume: 1 of 200 TLS handshakes that might have been resumed was made in full"},
	{against("h3+0rtt", compare.NotHonoured, compare.CauseEarlyRejected, n("refused", 5), n("connections", 5)), "h3+0rtt: the server rejected the early data of 5 of 5 connections"},
	{against("h3+0rtt", compare.NotHonoured, compare.CauseEarlyUnsent, n("refused", 5), n("connections", 5)), "h3+0rtt: no early data was sent on 5 of 5 connections"},
	{against("keep+tfo", compare.NotHonoured, compare.CauseFastOpenRefused, n("refused", 3), n("connections", 5)), "keep+tfo: TCP fell back to its handshake without data on 3 of 5 connections"},
	{against("keep+tfo", compare.NotHonoured, compare.CauseFastOpenUnknown, n("refused", 3), n("connections", 5)), "keep+tfo: whether data went with the SYN is not known of 3 of 5 connections"},
	{finding.Caveat{Code: compare.Sequential}, "requests follow one another: more connections, pipelining and multiplexing change nothing"},
	{all(compare.Retries, compare.CauseClosed, of("keep", "retries", 5), of("keep:6", "retries", 1), word("scheme", "https")), "requests repeated, as a kept connection had been closed meanwhile (RFC 9112, 9.3.1): keep 5, keep:6 1, in all trials"},
	{all(compare.Retries, compare.CauseClosed, of("tcp+keep", "retries", 2), word("scheme", "dns")), "requests repeated, as a kept connection had been closed meanwhile (RFC 7766, 6.2.4): tcp+keep 2, in all trials"},
	{all(compare.Retries, compare.CauseRefused, of("h3", "retries", 5), word("scheme", "https")), "requests repeated, as the server refused them or was closing the connection (RFC 9113, 6.8; RFC 9114, 5.2): h3 5, in all trials"},
	{all(compare.Retries, compare.CauseRefused, of("doq+keep", "retries", 5), word("scheme", "dns")), "requests repeated, as the server refused them or was closing the connection (RFC 7766, 6.2.4; RFC 9250, 4.3): doq+keep 5, in all trials"},
	{all(compare.Ledger, compare.CauseNobody), "nobody counted packets and bytes on the link; connections and handshakes are the client's"},
	{all(compare.Ledger, compare.CausePart, word("strategy", "keep")), "keep: packets and bytes were not counted in every trial"},
	{all(compare.Ledger, compare.CauseOverflow, word("strategy", "keep"), word("strategy", "h2")), "keep and h2: more connections than the link's ledger holds; packets and bytes are of the trials where all fitted"},
	{all(compare.Late, compare.CauseLate, of("keep", "lateness_p99", 5), n("limit", .05)), "emulator delay jitter (p99) is over 5 % of the round-trip time: keep 5.00 ms"},
	{all(compare.Late, compare.CauseExplains, word("strategy", "close"), word("best", "keep")), "emulator delay jitter could explain all that close took longer than keep"},
	{all(compare.Retransmitted, "", of("keep", "retransmitted", 10)), "more packets were retransmitted than the link dropped: keep 10, over all trials"},
	{all(compare.Trials, compare.CauseFew, word("strategy", "close"), word("strategy", "keep"), n("trials", 3), n("enough", 5)), "close and keep: 3 trials can never show a statistically significant difference; give --trials 5 or more"},
	{all(compare.Trials, compare.CauseFew, word("strategy", "keep"), n("trials", 1)), "keep: 1 trial can never show a statistically significant difference"},
	{all(compare.Confidence, compare.CauseOne, word("strategy", "close")), "close: one trial has no interval; give --trials 6 or more for one of 95 %"},
	{all(compare.Confidence, compare.CauseLow, word("strategy", "close"), n("confidence", .875)), "close: the interval is of 87.5 % confidence; give --trials 6 or more for 95 %"},
	{all(compare.Overlap, compare.CauseTest, word("strategy", "h2"), word("strategy", "h3"), n("p", .69)), "h2 and h3, the two fastest, cannot be told apart (p = 0.69)"},
	{all(compare.Overlap, compare.CauseIntervals, word("strategy", "h2"), word("strategy", "h3"), n("p", .03)), "the intervals of h2 and h3, the two fastest, overlap"},
	{all(compare.Stacks, "", word("stack", "quic-go v0.60")), "QUIC swaps the stack too: it is quic-go v0.60, TCP the kernel's (10 packets)"},
	{all(compare.Clients, "", word("agent", "Chromium 140")), "Chromium 140 parses, decodes and draws what it fetches, and has priorities of its own: between its rows and linger's that is part of the difference"},
	{all(compare.Trips, compare.CauseNoZeroRTT, word("strategy", "keep"), counted("reason", "refused", 2)), "keep: no trial without delay, so the round trips are not known (2× refused)"},
	{all(compare.Trips, compare.CauseLost, finding.Figure{Name: "round_trips_uncertainty", Of: "close"}, of("keep", "round_trips_uncertainty", 63.2)), "the round trips are lost in the noise, and not known: close, keep"},
	{all(compare.Trips, compare.CauseOne, word("strategy", "close"), word("strategy", "keep")), "close and keep: a single trial, so how far off the round trips are is not known"},
	{all(compare.Trips, compare.CauseNoisy, of("keep", "round_trips_uncertainty", 9.81)), "the round trips are within the noise: keep ± 10"},

	{all(difference.OtherEngine, "", word("provenance", "measured").Whose(difference.Before), word("engine", "lab").Whose(difference.Before), word("provenance", "").Whose(difference.After)),
		"the earlier result was measured (engine: lab), the later one nothing: part of the difference comes from that"},
	{all(difference.OtherScenario, difference.CauseWorkload, word("workload", "gallery").Whose(difference.Before), word("workload", "api").Whose(difference.After)), "the workloads differ: gallery before, api after"},
	{all(difference.OtherScenario, difference.CauseContent, word("workload", "page").Whose(difference.Before), of(difference.Before, "exchanges", 1), of(difference.Before, "bytes", 10), word("scheme", "http").Whose(difference.Before),
		word("workload", "page").Whose(difference.After), of(difference.After, "exchanges", 2), of(difference.After, "bytes", 20), word("scheme", "https").Whose(difference.After)),
		"the workloads differ: page had 1 request of 10 bytes by http, and has 2 requests of 20 bytes by https"},
	{all(difference.OtherScenario, difference.CauseNetwork, word("network", "lte").Whose(difference.Before), of(difference.Before, "rtt", 70), of(difference.Before, "down", 12_000), of(difference.Before, "up", 12_000), of(difference.Before, "loss", .01),
		word("network", "host").Whose(difference.After)), "the networks differ: lte (70 ms, 12 Mbit/s down, 12 Mbit/s up, 1 % loss) before, host after"},
	{all(difference.OtherScenario, difference.CauseSeed, word("seed", "1").Whose(difference.Before), word("seed", "18446744073709551615").Whose(difference.After)), "the seeds differ: 1 before, 18446744073709551615 after; sizes and losses may differ, too"},
	{all(difference.OtherTrials, difference.CauseOther, of(difference.Before, "trials", 5), of(difference.After, "trials", 7)), "the trials of each strategy were 5 before and 7 after"},

	{all("of-tomorrow", "", counted("reason", "rain", 2)), "of-tomorrow, reason 2 rain"},
}

func against(strategy, code, cause string, f ...finding.Figure) finding.Caveat {
	return finding.Caveat{Code: code, Cause: cause, Subject: finding.Subject{Kind: "strategy", Name: strategy}, Figures: f}
}

func all(code, cause string, f ...finding.Figure) finding.Caveat {
	return finding.Caveat{Code: code, Cause: cause, Figures: f}
}

func TestEachCodeHasASentence(t *testing.T) {
	told, uncertainties := map[string]bool{}, map[reason]bool{}
	for _, x := range examples {
		told[x.Code] = true
		say := Finding(x.Finding)
		if _, several := steady()[x.Code]; several {
			say = strings.Join(Change(difference.Change{Findings: []finding.Finding{x.Finding}}), "")
		}
		if say != x.says {
			t.Errorf("%s: says\n%s; want\n%s", x.Code, say, x.says)
		}
	}
	for _, x := range cautioned {
		uncertainties[reason{x.Code, x.Cause}] = true
		if say := Caveat(x.Caveat); say != x.says {
			t.Errorf("%s, %s: says\n%s; want\n%s", x.Code, x.Cause, say, x.says)
		}
	}
	for r := range caveats() {
		if !uncertainties[r] {
			t.Errorf("%s, %s: no example", r.code, r.cause)
		}
	}
	// Every code of compare is one of these.
	for name, code := range codesOfCompare(t) {
		has := told[code]
		for r := range uncertainties {
			has = has || r.code == code
		}
		if strings.HasPrefix(name, "Cause") {
			has = slices.ContainsFunc(examples, func(x struct {
				finding.Finding
				says string
			}) bool {
				return x.Cause == code
			})
			for r := range uncertainties {
				has = has || r.cause == code
			}
		}
		if !has {
			t.Errorf("%s, %q, has no example here", name, code)
		}
	}
	t.Logf("%d codes of findings, %d caveats", len(leads())+len(facts())+len(steady()), len(caveats()))
}

// codesOfCompare are the constants of codes.go of compare and its rooms.
func codesOfCompare(t *testing.T) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"codes.go", "difference/codes.go", "across/codes.go", "sweep/codes.go", "crowdsweep/codes.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), "../../compare/"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if v, ok := node.(*ast.ValueSpec); ok {
				text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				if v.Names[0].Name != "NoReason" {
					out[v.Names[0].Name] = text
				}
			}
			return true
		})
	}
	return out
}

// Whatever figures a finding has, it is told; what is missing is not told of.
func TestNoFigureIsNeeded(t *testing.T) {
	for _, table := range []table{leads(), facts()} {
		for code := range table {
			if Finding(finding.Finding{Code: code}) == "" {
				t.Errorf("%s says nothing", code)
			}
		}
	}
	for r := range caveats() {
		if Caveat(finding.Caveat{Code: r.code, Cause: r.cause}) == "" {
			t.Errorf("%s, %s says nothing", r.code, r.cause)
		}
	}
}
