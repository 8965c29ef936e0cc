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
	"linger/compare/crowd"
	"linger/finding"
)

// pageTimes are the figures of what pages of a strategy take, in ms, and what part of them was loaded;
// a p95 below nothing is not known, but so much at least.
func pageTimes(strategy, suffix string, median, p95, loaded, slow float64) figures {
	last := of(strategy, "p95"+suffix, p95)
	if p95 < 0 {
		last = finding.Figure{Name: "p95" + suffix, Of: strategy, Unit: "ms", Interval: linger.Known(finding.Interval{Low: linger.Known(-p95)})}
	}
	return figures{of(strategy, "median"+suffix, median), last, of(strategy, "loaded", loaded), of(strategy, "slow", slow)}
}

// crowded are findings about crowds, with what is said of them.
var crowded = []struct {
	code, cause, strategy string
	figures               []figures
	says                  string
}{
	{crowd.Keep, crowd.CauseHandshakes, "keep", []figures{pageTimes("keep", "", 100, 120, 1, 105), {word("other", "close")}, pageTimes("close", "", 150, 180, 1, 160)}, "Keep connections: with keep, pages take 100 ms in the median (95 of 100 within 120 ms); with close they take 150 ms in the median (95 of 100 within 180 ms). What is closed has to be opened again, which takes round trips."},
	{crowd.Keep, crowd.CauseTimes, "keep", []figures{pageTimes("keep", "", 100, 120, 1, 105), {word("other", "close")}, pageTimes("close", "", 150, -400, .9, 160)}, "Keep connections: with keep, pages take 100 ms in the median (95 of 100 within 120 ms); with close they take 150 ms in the median (5 of 100 over 400 ms), and only 90 % are loaded."},
	{crowd.Close, crowd.CauseWorkers, "close:6", []figures{pageTimes("close:6", "", 410, 830, 1, 450), {word("other", "keep:6")}, pageTimes("keep:6", "", 300, 310, 1, 5400)}, "Close connections: with close:6, pages take 410 ms in the median (95 of 100 within 830 ms); with keep:6 they take 300 ms in the median (95 of 100 within 310 ms), and one client of 20 waits 5.40 s or more for a page on average. Kept connections take up the server's room while they are idle."},
	{crowd.Close, crowd.CauseServers, "close:6", []figures{pageTimes("close:6", "", 410, 410, 1, 410), {word("other", "keep:6")}, pageTimes("keep:6", "", 300, 9100, 1, 800)}, "Close connections: with close:6, pages take 410 ms in the median (95 of 100 within 410 ms); with keep:6 they take 300 ms in the median (95 of 100 within 9.10 s). Kept connections stay with the servers that they were opened to, so that the load is uneven."},
	{crowd.Close, crowd.CauseShares, "close:6", []figures{pageTimes("close:6", "", 410, 830, 1, 450), {word("other", "keep:6")}, pageTimes("keep:6", "", 300, 9100, 1, 800)}, "Close connections: with close:6, pages take 410 ms in the median (95 of 100 within 830 ms); with keep:6 they take 300 ms in the median (95 of 100 within 9.10 s). Kept connections give some clients more of the link than others."},
	{crowd.KeepFor, crowd.CauseWorkers, "keep:6", []figures{{n("idle_timeout", 1000)}, pageTimes("keep:6", "_foreseen", 350, 480, 1, 400), {word("other", "keep:6")}, pageTimes("keep:6", "", 300, -49_000, .4, 0)[:3], {word("other", "close:6")}, pageTimes("close:6", "", 410, 830, 1, 450)}, "Keep connections, but idle for 1 s at most: with keep:6 and that idle timeout, pages are predicted to take 350 ms in the median (95 of 100 within 480 ms); with keep:6 as it is they take 300 ms in the median (5 of 100 over 49.0 s); with close:6 they take 410 ms in the median (95 of 100 within 830 ms). Kept connections take up the server's room while they are idle."},
	{crowd.Either, "", "keep", []figures{pageTimes("keep", "", 100, 120, 1, 105), {word("other", "close")}, pageTimes("close", "", 101, 121, 1, 105)}, "Pages take the same whether connections are kept or closed: with keep, pages take 100 ms in the median (95 of 100 within 120 ms); with close they take 101 ms in the median (95 of 100 within 121 ms)."},
	{crowd.Either, crowd.CauseMemory, "keep", []figures{pageTimes("keep", "", 100, 120, 1, 105), {word("other", "close")}, pageTimes("close", "", 101, 121, 1, 105)}, "Pages take the same whether connections are kept or closed: with keep, pages take 100 ms in the median (95 of 100 within 120 ms); with close they take 101 ms in the median (95 of 100 within 121 ms). Closed, the server's kernel holds less for them."},
	{crowd.NotKnown, crowd.CauseFew, "keep", nil, "Whether to keep connections is not known: there are too few pages to tell."},
	{crowd.NotKnown, crowd.CauseNothing, "keep", nil, "No strategy loaded a page, so there is nothing to compare."},
	{crowd.NotKnown, crowd.CauseOverrun, "keep", nil, "No strategy loads half of the pages, so that neither keeping nor closing can be advised: the servers have too little room, or too little time."},
	{crowd.NotKnown, crowd.CauseSingle, "keep", []figures{pageTimes("keep", "", 100, 120, 1, 105)}, "Whether to keep connections is not known, as nothing else was tried: with keep, pages take 100 ms in the median (95 of 100 within 120 ms)."},

	{crowd.NotKnown, crowd.CauseParallel, "keep", []figures{pageTimes("keep", "", 270, 310, 1, 290), {word("other", "close:6")}, pageTimes("close:6", "", 189, 189, 1, 189)}, "Whether to keep connections is not known, as no strategy that keeps them has as many requests under way as close:6: with that, pages take 189 ms in the median (95 of 100 within 189 ms); with keep they take 270 ms in the median (95 of 100 within 310 ms)."},
	{crowd.Waiting, crowd.CauseWorkers, "keep:6", []figures{{n("clients", 50), n("waited", 30), n("wait", 14_200), n("limit", 20), n("held", 20)}}, "keep:6: 30 of 50 clients wait in the accept queue, the longest wait of each being 14.2 s in the median; at the peak, 20 of 20 workers are held."},
	{crowd.Waiting, crowd.CauseLimit, "keep:6", []figures{{n("clients", 50), n("waited", 30), n("wait", 14_200), n("limit", 20)}}, "keep:6: 30 of 50 clients wait in the accept queue, the longest wait of each being 14.2 s in the median, for one of the 20 connections that may be open."},
	{crowd.AllServed, "", "close:6", []figures{{n("clients", 50), n("limit", 20), n("held", 9)}}, "close:6: none of 50 clients waits in the accept queue for longer than a page takes; at the peak, 9 of 20 places are held."},
	{crowd.AllServed, "", "close:6", []figures{{n("clients", 50), n("waited", 1), n("limit", 20)}}, "close:6: 1 of 50 clients waits in the accept queue for longer than a page takes."},
	{crowd.Unserved, "", "keep", []figures{{n("clients", 50), n("unserved", 30)}}, "keep: 30 of 50 clients never load a page."},
	{crowd.Turned, "", "close", []figures{{n("opened", 300), n("refused", 12)}}, "close: 12 of 300 connections are refused."},
	{crowd.BreakEven, crowd.CauseLongest, "keep:6", []figures{{n("limit", 20), n("rate", 9.26), n("each", 1), n("service", 400), n("think", 5000), n("idle_timeout", 1759)}}, "By Little's law an idle timeout of 1.76 s is the longest that fits: 9.3 pages a second, each on 1 connection for 400 ms and the timeout, hold the 20 connections that there is room for."},
	{crowd.BreakEven, crowd.CauseAny, "keep:6", []figures{{n("limit", 60), n("rate", 9.26), n("each", 1), n("service", 400), n("think", 5000), n("held", 50)}}, "By Little's law any idle timeout fits: without one, clients hold 50 connections at most, and there is room for 60."},
	{crowd.BreakEven, crowd.CauseNone, "keep:6", []figures{{n("limit", 3), n("rate", 9.26), n("each", 1), n("service", 400), n("think", 5000), n("held", 3.7)}}, "By Little's law not even closing at once fits: 9.3 pages a second, each on 1 connection for 400 ms, hold 3.7 connections, and there is room for 3."},
	{crowd.Predicted, crowd.CauseLongest, "keep:6", []figures{{n("idle_timeout", 1000)}, pageTimes("keep:6", "_foreseen", 350, 480, 1, 400)}, "Predicted for keep:6: of the idle timeouts tried, 1 s is the longest that serves as well as the best; pages take 350 ms in the median (95 of 100 within 480 ms)."},
	{crowd.Predicted, crowd.CauseAny, "keep:6", []figures{pageTimes("keep:6", "", 350, 480, 1, 400)}, "Predicted for keep:6: no idle timeout is needed; pages take 350 ms in the median (95 of 100 within 480 ms)."},
	{crowd.Differ, crowd.CauseBursts, "keep:6", []figures{{n("law", 1759), n("foreseen", 500)}}, "The predicted timeout is shorter than by Little's law (1.76 s), which is of means: what comes by chance is above them half of the time, and waits."},
	{crowd.Differ, crowd.CauseSaturate, "keep:6", []figures{{n("law", 1759), n("foreseen", 5000)}}, "The predicted timeout is longer than by Little's law (1.76 s): clients that wait ask for less, so that less is held than the law expects."},
	{crowd.Differ, crowd.CauseFlat, "keep:6", []figures{{n("law", 1759)}}, "The predicted timeout is longer than by Little's law (1.76 s): more would be held than there is room for, but few pages wait for it."},
	{crowd.Waiting, crowd.CauseQueue, "keep", []figures{{n("clients", 50), n("mean", 31.2), n("peak", 40)}}, "keep: 31 connections on average, and 40 at most, wait in the accept queue for the server to take them."},
	{crowd.AllServed, crowd.CauseQueue, "close", []figures{{n("clients", 50), n("mean", 0), n("peak", 0)}}, "close: no connection was seen in the server's accept queue: it takes each at once."},
	{crowd.AllServed, crowd.CauseQueue, "close", []figures{{n("clients", 50), n("mean", .2), n("peak", 3)}}, "close: few connections wait in the server's accept queue, 3 at most."},
	{crowd.Holds, "", "keep", []figures{{of("keep", "sockets", 48.2), of("keep", "peak", 50), of("keep", "memory", 964_000), word("other", "close"), of("close", "sockets", 5.2)}}, "The server holds 48 connections on average (50 at most, 964 kB in the kernel on average) with keep, and 5.2 connections on average with close."},
	{crowd.Opens, "", "close", []figures{{of("close", "per_page", 41), of("close", "cpu", 3.1), word("other", "keep"), of("keep", "per_page", .12), of("keep", "cpu", 1.2)}}, "Connections opened: 41 a page (3.10 ms of the server's CPU) with close, 0.12 a page (1.20 ms of the server's CPU) with keep."},
	{crowd.TimeWaits, "", "close", []figures{{n("server", 212), n("client", 12)}}, "close: sockets in TIME_WAIT at most: 212 at the server and 12 at the clients."},
	{crowd.Parts, "", "keep:6=1,keep=1", []figures{{word("part", "keep:6"), of("keep:6", "rate", 1e6), word("other", "keep"), of("keep", "rate", 167_000), n("ratio", 5.99), of("keep:6", "median", 100), of("keep", "median", 600)}}, "While it loads, a client with keep:6 gets 6.0 times what one with keep gets: 1.0 MB/s, and 167 kB/s; pages take 100 ms and 600 ms in the median."},
	{crowd.Unequal, "", "keep", []figures{{n("jain", .4), n("clients", 50)}}, "keep: clients get unequal rates while they load: Jain's index is 0.40 (it is 1 if all get the same, and 0.02 if one had all)."},
	{crowd.Uneven, "", "keep", []figures{{n("uneven", 1.52), n("servers", 4)}}, "keep: of the 4 servers, the one with most requests has 1.5 times the mean."},
	{crowd.Added, crowd.CauseEven, "close", []figures{{n("share", .98), n("last", 1.02), n("even", 10_000)}}, "close: the added server has its share within 10 s: 98 % of a fair one since it is there, and 102 % at the end."},
	{crowd.Added, crowd.CauseNever, "keep", []figures{{n("share", .19), n("last", .38)}}, "keep: the added server never gets its share: 19 % of a fair one since it is there, and 38 % at the end."},
	{crowd.Restarted, crowd.CauseCalm, "keep", []figures{{n("handshakes", 212), n("before", 18), n("queue", 88), n("calm", 3412)}}, "keep: after the restart there are up to 212 handshakes a second (18 before) and 88 connections in the accept queue; pages take as long as before after 3.41 s."},
	{crowd.Restarted, crowd.CauseCalm, "close", []figures{{n("handshakes", 53), n("before", 56), n("queue", 0), n("calm", 0)}}, "close: after the restart there are up to 53 handshakes a second (56 before); pages take no longer than before."},
	{crowd.Restarted, crowd.CauseRestless, "keep", []figures{{n("handshakes", 212), n("before", 18)}}, "keep: after the restart there are up to 212 handshakes a second (18 before); whether pages take as long as before again is not known."},
	{crowd.Law, "", "close", []figures{{n("rate", 8.7), n("time", 600), n("predicted", 5.22), n("held", 5.2)}}, "close: by Little's law, 8.7 connections a second, held for 600 ms on average, make 5.2; 5.2 were held."},
	{crowd.Law, crowd.LittleGrowing, "close", []figures{{n("rate", 8.7), n("time", 600), n("predicted", 5.22), n("held", 9.4)}}, "close: Little's law is for what is steady, and more and more are held: 8.7 connections a second, held for 600 ms on average, make 5.2; 9.4 were held."},
	{crowd.Law, crowd.LittleFalling, "close", []figures{{n("rate", 8.7), n("time", 600), n("predicted", 5.22), n("held", 9.4)}}, "close: Little's law is for what is steady, and fewer and fewer are held: 8.7 connections a second, held for 600 ms on average, make 5.2; 9.4 were held."},
	{crowd.Law, crowd.LittleWaves, "close", []figures{{n("rate", 8.7), n("time", 600), n("predicted", 5.22), n("held", 9.4)}}, "close: Little's law is for what is steady, and connections come in waves, too few of them for a rate: 8.7 connections a second, held for 600 ms on average, make 5.2; 9.4 were held."},
	{crowd.Law, crowd.LittleNone, "close", nil, "close: Little's law is not applied, since no connection was opened."},
	{crowd.Law, crowd.LittleShort, "close", nil, "close: Little's law is not applied, since the run has no steady part of 20 connections."},
	{crowd.Law, crowd.LittleKept, "keep", nil, "keep: Little's law is not applied, since connections stay open to the end, and how long they are held is not known."},
}

var cautionsCrowded = []struct {
	finding.Caveat
	says string
}{
	{against("keep", crowd.CaveatLost, "", n("lost", 1), n("trials", 3), word("reason", "no room")), "keep: 1 of 3 trials without a record (no room)"},
	{all(crowd.CaveatInterrupted, ""), "interrupted: the figures are of what was measured until then, and pages that were under way count as not ended"},
	{against("keep", crowd.CaveatOverrun, "", n("overrun", 1), n("trials", 1), n("unfinished", 900), n("pages", 1000)), "keep: the run was stopped at its bound (--timeout): 900 of 1000 pages had not ended, and all times grow with the length of the run"},
	{against("keep", crowd.CaveatUnfinished, "", n("unfinished", 30), n("pages", 230)), "keep: 30 of 230 pages had not ended, and count as longer than any"},
	{against("keep", crowd.CaveatFailed, "", n("failed", 3), n("pages", 230)), "keep: 3 of 230 pages failed in part, and count as longer than any"},
	{against("keep", crowd.CaveatFew, "", n("pages", 6), n("needed", 20)), "keep: 6 pages are too few to tell what 95 of 100 take; it takes 20"},
	{against("keep", crowd.CaveatLate, "", n("lateness_p99", 5.1), n("limit", .05)), "keep: emulator delay jitter (p99) is 5.10 ms, over 5 % of the round-trip time: there may be more clients than this machine carries"},
	{against("keep", crowd.CaveatCensus, "", n("counted", 48.2), n("recorded", 60.1)), "keep: the kernel counted 48 sockets at the server on average, and 60 are recorded"},
	{against("keep", crowd.CaveatWarm, "", n("first", .5)), "keep: 50 % of the pages are the first of their clients, which open connections whatever the strategy; more visits show what keeping does later"},
	{against("keep", crowd.CaveatEvent, "", n("ended", 11_000), n("at", 30_000)), "keep: the run ends after 11 s, before a server is added or restarted (30 s); have it last longer, with -z"},
	{all(crowd.CaveatTrial, ""), "one trial: by how much another would differ is not known"},
	{all(crowd.CaveatModel, ""), "predicted: hosts are modelled, and have no more to do for many connections than for few (docs/simulator.md)"},
	{all(crowd.CaveatServer, crowd.CauseSaid), "the server's limits are what the flags say, and not checked; when it took each connection is not known"},
	{all(crowd.CaveatServer, crowd.CauseUnsaid), "the server's limits are not known, so that other idle timeouts are not predicted; say them as --server-workers, --idle-timeout"},
	{all(crowd.CaveatModel, crowd.CauseTimed), "what idle timeouts do is predicted, not measured (docs/simulator.md)"},
}

func TestEachCodeOfCrowdsHasASentence(t *testing.T) {
	told := map[string]bool{"": true}
	for _, x := range crowded {
		f := finding.Finding{Code: x.code, Cause: x.cause, Subject: finding.Subject{Kind: "strategy", Name: x.strategy}, Figures: slices.Concat(x.figures...)}
		told[x.code], told[x.cause] = true, true
		if say := Finding(f); say != x.says {
			t.Errorf("%s, %s: says\n%s; want\n%s", x.code, x.cause, say, x.says)
		}
	}
	for _, x := range cautionsCrowded {
		told[x.Code], told[x.Cause] = true, true
		if say := Caveat(x.Caveat); say != x.says {
			t.Errorf("%s, %s: says\n%s; want\n%s", x.Code, x.Cause, say, x.says)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../../compare/crowd/codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if v, ok := node.(*ast.ValueSpec); ok {
			if code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value); err != nil || !told[code] {
				t.Errorf("%s, %q, has no example here", v.Names[0].Name, code)
			}
		}
		return true
	})
	for code := range ofCrowds() {
		if leads()[code] != nil || facts()[code] != nil {
			t.Errorf("%s is a code of others, too", code)
		}
		if say := Finding(finding.Finding{Code: code}); say == "" || strings.Contains(say, "%!") {
			t.Errorf("%s without figures: %q", code, say)
		}
	}
	for r, say := range cautionsOfCrowds() {
		if _, also := caveats()[r]; also || say(caveat{finding.Caveat{Code: r.code, Cause: r.cause}}) == "" {
			t.Errorf("%s, %s", r.code, r.cause)
		}
	}
}
