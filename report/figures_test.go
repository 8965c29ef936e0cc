package report

import (
	"cmp"
	"strings"
	"testing"

	"linger"
	"linger/compare"
	"linger/compare/across"
	"linger/compare/difference"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/report/table"
	"linger/trace"
)

// shown is a table as a test reads it: the heads, then a line a row. What stands above a head is
// before it, a group before its first row, a star before the best, an exclamation mark behind
// what is flagged.
func shown(t table.Table) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString(strings.TrimRight(strings.Join(cells, " | "), " ") + "\n") }
	var heads []string
	for _, c := range t.Columns {
		if c.Over != "" {
			c.Head = c.Over + ": " + c.Head
		}
		heads = append(heads, c.Head)
	}
	line(heads)
	for _, r := range t.Rows {
		var cells []string
		for _, c := range r.Cells {
			text := c.Text
			if c.Flagged {
				text += " !"
			}
			cells = append(cells, text)
		}
		if r.Best {
			cells[0] = "*" + cells[0]
		}
		if r.Group != "" {
			b.WriteString("(" + r.Group + ")\n")
		}
		line(cells)
	}
	if t.More != "" {
		b.WriteString(t.More + "\n")
	}
	return b.String()
}

// same fails where a table is not what is wanted, both without what is around them.
func same(t *testing.T, what string, got table.Table, want string) {
	t.Helper()
	if got, want := strings.TrimSpace(shown(got)), strings.TrimSpace(want); got != want {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}

var known = linger.Known[float64]

// took is a median in ms with an interval of 94 % around it.
func tookMS(median, low, high float64) linger.Opt[times.Time] {
	return linger.Known(times.Time{Median: median, Low: known(low), High: known(high), Confidence: known(0.9375)})
}

// both are packets or bytes up and down.
func both(up, down float64) linger.Opt[facts.Directions] {
	return linger.Known(facts.Directions{Up: up, Down: down})
}

// compared is a result in which keeping saves half of the time.
func compared() compare.Findings {
	return compare.Findings{
		Provenance: trace.Measured, Engine: "lab", Trials: 5, Seed: 7,
		Workload: compare.Workload{Name: "gallery", Scheme: linger.SchemeHTTP, Exchanges: 41, Bytes: 616_000},
		Network:  compare.Network{Name: "lte", RTT: known(70), Down: known(12_000), Up: known(12_000)},
		Rows: []compare.Row{
			{Strategy: "keep", Persistent: true, Trials: 5, Time: tookMS(3440, 3430, 3450), RatioToBest: known(1), Connections: known(1), Handshakes: known(1), RoundTrips: known(42.2), TripsUncertainty: known(0.2), Packets: both(250, 430), WireBytes: both(18_000, 620_000),
				RequestsPerConnection: known(41), RequestsUnanswered: known(0), Request: linger.Known(compare.Spread{N: 205, Median: 1669.3, P95: known(3115.2), P99: known(3272)})},
			{Strategy: "close", Trials: 5, Time: tookMS(7340, 7330, 7350), RatioToBest: known(2.134), Connections: known(41), Handshakes: known(41), RoundTrips: known(82.6), TripsUncertainty: known(1.4), Packets: both(410, 550), WireBytes: both(26_600, 626_000),
				RequestsPerConnection: known(1), RequestsUnanswered: known(0), Request: linger.Known(compare.Spread{N: 205, Median: 3487.6, P95: known(6790), P99: known(7101)})},
		},
		Verdict: compare.Verdict{Best: "keep", Fastest: "keep"},
	}
}

// The strategies without keep-alive stand first, whatever the order; the fastest is marked; what
// is 0 everywhere or not known has no column.
func TestFiguresOfStrategies(t *testing.T) {
	all := Figures(compared())
	if len(all) != 3 {
		t.Fatalf("%d tables", len(all))
	}
	same(t, "costs", all[0], `
strategy | median, s | 94 % CI, s | vs best | conns | RTTs | RTTs, range | packets | wire kB
(without keep-alive)
close | 7.34 | 7.33–7.35 | 2.1× | 41 | 83 | 81–84 | 960 | 653
(with keep-alive)
*keep | 3.44 | 3.43–3.45 | best | 1 | 42 | - | 680 | 638`)
	same(t, "requests", all[1], `
strategy | request, ms | p95 | p99
(without keep-alive)
close | 3488 | 6790 | 7101
(with keep-alive)
*keep | 1669 | 3115 | 3272`)
	same(t, "what is held", all[2], `
strategy | handshakes | requests per conn
(without keep-alive)
close | 41 | 1
(with keep-alive)
*keep | 1 | 41`)
	if got := Figures(compare.Findings{}); got != nil {
		t.Errorf("of no strategy there are %d tables", len(got))
	}
}

// A time that is not known since trials failed is what it is at least; how many failed then has
// a column. Times of less than a second are in ms.
func TestFiguresOfWhatFailed(t *testing.T) {
	f := compared()
	f.Rows = f.Rows[:1]
	f.Verdict = compare.Verdict{}
	r := &f.Rows[0]
	r.Time, r.AtLeast, r.RatioToBest, r.Failed = linger.Opt[times.Time]{}, known(367.4), linger.Opt[float64]{}, 3
	r.NotHonoured, r.RequestsUnanswered = true, known(2)
	all := Figures(f)
	same(t, "costs", all[0], `
strategy | median, ms | conns | RTTs | packets | wire kB | failed
(with keep-alive)
keep ! | ≥370 | 1 | 42 | 680 | 638 | 3/5`)
	same(t, "what is held", all[2], `
strategy | handshakes | requests per conn | unanswered
(with keep-alive)
keep ! | 1 | 41 | 2`)
}

func TestIntervalsAreWritten(t *testing.T) {
	for want, time := range map[string]times.Time{
		"-":           {Median: 812},
		"≥800":        {Median: 812, Low: known(800), Confidence: known(0.9)},
		"800–820":     {Median: 812, Low: known(800), High: known(820), Confidence: known(0.9)},
		"811.9–812.0": {Median: 812, Low: known(811.9), High: known(812.01), Confidence: known(0.9)}, // the digits that tell them apart
	} {
		f := compare.Findings{Trials: 5, Rows: []compare.Row{{Strategy: "keep", Time: linger.Known(time)}}}
		if got := interval(f, "ms").cell(f.Rows[0]).Text; got != want {
			t.Errorf("%+v is written %q; want %q", time, got, want)
		}
	}
}

// Set-up has a table where there is more than TCP's handshake.
func TestFiguresOfSetup(t *testing.T) {
	f := compared()
	f.Workload.Scheme = linger.SchemeHTTPS
	for i := range f.Rows {
		r := &f.Rows[i]
		r.SetupRoundTrips, r.HandshakeBytes = known(2), both(16_800, 128_000)
		r.Handshake = compare.Handshake{TCP: r.Connections, TLSFull: r.Connections, TLSResumed: known(0), QUIC: known(0)}
	}
	all := Figures(f)
	same(t, "set-up", all[len(all)-1], `
strategy | setup RTTs | TCP | TLS full | TLS kB up/down
(without keep-alive)
close | 2.0 | 41 | 41 | 17/128
(with keep-alive)
*keep | 2.0 | 1 | 1 | 17/128`)
}

// Of names, what a query takes stands in the first table, too.
func TestFiguresOfQueries(t *testing.T) {
	f := compared()
	f.Workload.Scheme = linger.SchemeDNS
	for i, name := range []string{"tcp+keep", "tcp"} {
		f.Rows[i].Strategy = name
		d := compare.DNS{Asked: 100, Answered: 99, Failed: 1 - i, Retransmitted: linger.Known(0), Truncated: linger.Known(3 * i), Bytes: known(252), Packets: known(2.4)}
		if i == 0 {
			d.Kept = linger.Known(compare.Kept{QueryBytes: 230, QueryPackets: 2})
		}
		f.Rows[i].DNS = linger.Known(d)
	}
	all := Figures(f)
	if heads := strings.Split(shown(all[0]), "\n")[0]; !strings.Contains(heads, "query, ms | B/query") {
		t.Errorf("the first table has %s", heads)
	}
	same(t, "queries", all[1], `
strategy | query, ms | p95 | p99 | bytes | packets | additional bytes | packets | failed | truncated
(without keep-alive)
tcp | 3488 | 6790 | 7101 | 252 | 2.4 | - | - | 0 | 3
(with keep-alive)
tcp+keep | 1669 | 3115 | 3272 | 252 | 2.4 | 230 | 2.0 | 1 | 0`)
}

// What has changed has an arrow, what may be noise a tilde, and what is as before no text.
func TestChangesAreShown(t *testing.T) {
	yes, no := linger.Known(true), linger.Known(false)
	figure := func(name string, before, after float64, differs linger.Opt[bool]) difference.FigureChange {
		return difference.FigureChange{Name: name, Before: known(before), After: known(after), Differs: differs}
	}
	d := difference.Change{Provenance: trace.Measured, Rows: []difference.RowChange{
		{Strategy: "close", Before: tookMS(7340, 7330, 7350), After: tookMS(6110, 6100, 6120), Share: known(-0.168), Differs: yes, Figures: []difference.FigureChange{figure("connections", 41, 35, yes), figure("packets", 960, 962, no)}},
		{Strategy: "keep", Persistent: true, Before: tookMS(3440, 3430, 3450), After: tookMS(3450, 3430, 3470), Share: known(0.003), Differs: no, Figures: []difference.FigureChange{figure("connections", 1, 1, no)}},
		{Strategy: "h2", Persistent: true, New: true, After: tookMS(700, 690, 710)},
		{Strategy: "h3", Persistent: true, Gone: true, Before: tookMS(690, 680, 700)},
		{Strategy: "pipeline", Persistent: true, AtLeastBefore: known(1234), After: tookMS(690, 680, 700)},
	}}
	same(t, "the change", Changes(d), `
strategy | time before | time after | change | conns | packets
close | 7.34 s | 6.11 s | −17 % | 41→35 | ~ 960→962
keep | 3.44 s | 3.45 s | ~ under 1 % |  |
h2 | - | 700 ms | new |  |
h3 | 690 ms | - | gone |  |
pipeline | ≥1.2 s | 690 ms | - |  |`)
}

// Several networks stand side by side, with as much of each as is asked for; of many, each has a
// row.
func TestNetworksSideBySide(t *testing.T) {
	slow := compared()
	slow.Network.Name = "3g"
	slow.Rows = slow.Rows[:1]
	slow.Rows[0].Failed = 1
	n := across.Networks{Each: []compare.Findings{compared(), slow}}
	same(t, "all", Networks(n, WithIntervals), `
strategy | lte: median, s | 94 % CI, s | vs best | 3g: median, s | 94 % CI, s | vs best | failed
(without keep-alive)
close | 7.34 | 7.33–7.35 | 2.1× | - | - | - | -
(with keep-alive)
keep | 3.44 | 3.43–3.45 | best | 3.44 | 3.43–3.45 | best | 1/5`)
	same(t, "times", Networks(n, TimesAlone), `
strategy | lte: median, s | 3g: median, s | failed
(without keep-alive)
close | 7.34 | - | -
(with keep-alive)
keep | 3.44 | 3.44 | 1/5`)
	same(t, "by network", ByNetwork(n), `
time, s | fastest | close | keep
lte | keep | 7.34 | 3.44
3g | keep | - | 3.44`)
}

// How far a prediction is off is in per cent of what was measured, with its sign.
func TestGapsAreShown(t *testing.T) {
	predicted := compared()
	predicted.Provenance = trace.Predicted
	for i := range predicted.Rows {
		r := &predicted.Rows[i]
		r.Time = linger.Known(times.Time{Median: []float64{3302.4, 7413.4}[i]})
	}
	same(t, "the gap", Gaps(compared(), predicted), `
strategy | measured, ms | predicted, ms | time | packets | wire bytes | connections | handshakes
keep | 3440 | 3300 | -4.0 % | 0 % | 0 % | 0 % | 0 %
close | 7340 | 7410 | +1.0 % | 0 % | 0 % | 0 % | 0 %`)
	two := func(f compare.Findings, name string) across.Networks {
		other := f
		other.Network.Name = cmp.Or(name, "3g")
		return across.Networks{Each: []compare.Findings{f, other}}
	}
	same(t, "the gap of networks", NetworkGaps(two(compared(), ""), two(predicted, "5g")), `
strategy | lte | 3g
close | +1.0 % | -
keep | -4.0 % | -`)
}

// The legend explains what is in the tables, and nothing else.
func TestLegendSaysWhatIsThere(t *testing.T) {
	f := compared()
	for _, want := range []string{"▸ fastest", "94 % confidence", "a request's time is from wanting it"} {
		if got := Legend(f, "▸"); !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	f.Rows, f.Verdict = f.Rows[:1], compare.Verdict{}
	f.Rows[0].Request, f.Rows[0].Time = linger.Opt[compare.Spread]{}, linger.Opt[times.Time]{}
	if got, want := Legend(f, "▸"), "medians; wire kB is what crossed the link, with all headers."; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

// How the figures came about says who measured, how often, and how wide the intervals are.
func TestOrigins(t *testing.T) {
	predicted := compared()
	predicted.Provenance, predicted.Engine, predicted.Trials = trace.Predicted, "sim", 1
	for i := range predicted.Rows {
		predicted.Rows[i].Trials, predicted.Rows[i].Time = 1, linger.Known(times.Time{Median: 1})
	}
	early := compared()
	early.Rows[1].Trials = 3
	for _, x := range []struct {
		f             compare.Findings
		origin, brief string
	}{
		{compared(), "Measured in the lab: 5 trials each, interleaved, medians; widest 94 % CI ±0.3 % (keep), seed 7, linger v1.", "Lab: 5 interleaved trials; widest 94 % CI ±0.3 % (keep)."},
		{predicted, "Predicted by the simulator, not measured: 1 trial each, seed 7, linger v1.", "Predicted by the simulator, not measured."},
		{early, "Measured in the lab: 5 trials each (close: 3, settled), interleaved, medians; widest 94 % CI ±0.3 % (keep), seed 7, linger v1.", "Lab: 5 interleaved trials (close: 3, settled); widest 94 % CI ±0.3 % (keep)."},
	} {
		if got := Origin(x.f, "v1"); got != x.origin {
			t.Errorf("%q\nwant %q", got, x.origin)
		}
		if got := Brief(x.f); got != x.brief {
			t.Errorf("%q\nwant %q", got, x.brief)
		}
	}
}
