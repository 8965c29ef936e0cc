// Package compare turns the traces of an experiment into findings: what each strategy costs, which
// to use, what that saves, and what speaks against believing it. It reads traces only and knows no
// engine; the same input gives the same findings, in the same order.
//
// [Compare] is the way in. It goes in steps, each of which hands on values:
//
//   - measure: the trials of one strategy into a [Row] of figures, the times that others are held
//     against (compare/times), and where the time goes. What one trace tells is in compare/facts.
//   - judge: all of these into a [Verdict], with the steps from the slowest strategy to the
//     fastest.
//   - caveats: the same beside the traces into what could change the verdict, or a figure.
//
// Findings and caveats are codes and figures; report/words has the sentences. Their codes are an
// open set. [Read] reads findings back from the JSON of linger compare, of older versions too.
//
// What starts from findings has rooms of its own: compare/difference (what changed between two
// results), compare/across (several networks), compare/assertion (figures by name). A sweep over
// many networks keeps no traces, and is in compare/sweep.
package compare

import (
	"slices"
	"strings"
	"time"

	"linger"
	"linger/assert"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// Format names the document of Findings, NetworksFormat that of several of them, and the version
// of its form. Those of the time before had none, and are of version 1, which called caveats
// doubts, and whose verdict had no savings like for like.
const (
	Format         = "linger comparison 3"
	NetworksFormat = "linger comparisons 2"
)

// Findings is what the traces show: the JSON of linger compare, but for the
// version of linger. A figure that was not measured is unknown, and absent.
type Findings struct {
	Workload   Workload         `json:"workload"`
	Network    Network          `json:"network"`
	Engine     string           `json:"engine"`
	Provenance trace.Provenance `json:"provenance"`
	Seed       uint64           `json:"seed"`
	Trials     int              `json:"trials"` // planned, of each strategy
	// Began is when the first trial began, by the wall clock, and Machine what measured
	// it; each is empty where it is not known, or nothing was measured.
	Began   time.Time     `json:"began,omitzero"`
	Machine trace.Machine `json:"machine,omitzero"`
	Rows    []Row         `json:"rows"` // in the order of trace.Setup.Strategies
	Verdict Verdict       `json:"verdict"`
	// Caveats are the reasons not to believe a figure or the verdict.
	Caveats  []finding.Caveat `json:"caveats"`
	Asserted []assert.Result  `json:"assertions,omitempty"`
}

// Workload is what was fetched.
type Workload struct {
	Name      string `json:"name"`
	Scheme    string `json:"scheme"` // "http", "https" or "dns"
	Exchanges int    `json:"exchanges"`
	Bytes     int64  `json:"bytes"` // of all response bodies
	Origins   int    `json:"origins"`
}

// Network is the path. All but its name is unknown where the path was not ours
// to set, and a rate is unknown where it was unlimited.
type Network struct {
	Name string              `json:"name"`
	RTT  linger.Opt[float64] `json:"rtt_ms,omitzero"`
	Down linger.Opt[float64] `json:"down_kbps,omitzero"`
	Up   linger.Opt[float64] `json:"up_kbps,omitzero"`
	Loss linger.Opt[float64] `json:"loss,omitzero"` // share of packets, each way
	// Queue is the room to wait in before each bottleneck: the time that it takes to
	// empty when it is full, and what it holds. None builds where the rate is unlimited.
	Queue      Room `json:"queue_ms,omitzero"`
	QueueBytes Room `json:"queue_bytes,omitzero"`
}

// Room is a size for each direction, unknown where there is no bottleneck.
type Room struct {
	Up   linger.Opt[float64] `json:"up,omitzero"`
	Down linger.Opt[float64] `json:"down,omitzero"`
}

// Verdict says which strategy is fastest, and what keep-alive saves. Where the time of the
// load tells nothing, as when each query's instant is fixed, all but the findings is empty.
type Verdict struct {
	// Best is the strategy with the least time. It is empty where nothing can be
	// told: fewer than two strategies have a time, or the best one's cannot be told
	// from its rival's.
	Best string `json:"best,omitempty"`
	// Fastest is the strategy with the least median, whether it can be told from others or
	// not. Those of Tied cannot, and of Untested the trials are too few to tell; both in the
	// order of their times.
	Fastest  string   `json:"fastest,omitempty"`
	Tied     []string `json:"tied,omitempty"`
	Untested []string `json:"untested,omitempty"`
	// With and Without are the fastest strategies with and without keep-alive. Without is the
	// baseline: Apart is what With takes less, by keeping and by all else in which they differ.
	With    string                   `json:"fastest_with,omitempty"`
	Without string                   `json:"fastest_without,omitempty"`
	Apart   linger.Opt[times.Saving] `json:"with_against_without,omitzero"`
	// KeepAlive is what keep-alive alone saves: of each pair of strategies that differ in
	// nothing but keeping.
	KeepAlive []times.Saving `json:"keep_alive,omitempty"`
	// OneByOne is what the time is of strategies of DNS that keep a connection and send one
	// query at a time, against those that have all under way, on as many connections: their
	// savings are no like for like.
	OneByOne []times.Saving `json:"one_at_a_time,omitempty"`
	// Steps tell where the time goes: from the slowest strategy to the fastest.
	Steps []Step `json:"steps,omitempty"`
	// Saves is what Best costs less than the baseline; less than nothing is more.
	Saves Savings `json:"saves,omitzero"`
	// Findings are what there is to say of that, the lead first, and then what else
	// there is to know.
	Findings []finding.Finding `json:"findings"`
}

// Savings is the baseline's figures less the best strategy's.
type Savings struct {
	Time        linger.Opt[float64] `json:"time_ms,omitzero"`
	Packets     linger.Opt[float64] `json:"packets,omitzero"`    // both ways
	WireBytes   linger.Opt[float64] `json:"wire_bytes,omitzero"` // both ways
	Connections linger.Opt[float64] `json:"connections,omitzero"`
}

// began is when the first trial began; nothing where none says.
func began(in trace.Experiment) (first time.Time) {
	for _, list := range in.Traces {
		for _, t := range list {
			if !t.Began.IsZero() && (first.IsZero() || t.Began.Before(first)) {
				first = t.Began
			}
		}
	}
	return first
}

// Compare returns what the traces show.
func Compare(in trace.Experiment) Findings {
	f := Findings{
		Workload: WorkloadOf(in.Workload), Network: NetworkOf(in.Network), Engine: in.Engine, Provenance: in.Provenance, Seed: in.Seed, Trials: in.Trials,
		Began: began(in), Machine: in.Machine, Caveats: []finding.Caveat{},
	}
	fixed := scheduled(in)
	all := make([]attempt, len(in.Strategies))
	for i, s := range in.Strategies {
		t := trialsOf(in, i)
		all[i] = attempt{measure(in.Setup, s, t, fixed), t, trace.At(in.Failures, i), trace.At(in.ZeroRTTFailures, i)}
	}
	cases := casesOf(all)
	beside(cases)
	for _, c := range cases {
		f.Rows = append(f.Rows, c.row)
	}
	f.Verdict = judge(in.Setup, cases, fixed)
	f.Caveats = append(f.Caveats, caveats(in.Setup, in.Interrupted, fixed, all)...)
	for i, r := range f.Rows {
		f.Rows[i].NotHonoured = slices.ContainsFunc(f.Caveats, func(c finding.Caveat) bool { return c.Code == NotHonoured && c.Subject.Name == r.Strategy })
	}
	return f
}

// beside fills in what is known of a strategy only beside the others.
func beside(cases []*measured) {
	times.Together(timesOf(cases))
	keepings(cases)
	best := fastest(cases)
	for _, c := range cases {
		if c.Known && best.Median.Value > 0 {
			c.row.RatioToBest = linger.Known(stats.Round(c.Median.Value/best.Median.Value, 1e-3))
		}
	}
}

// WorkloadOf is a workload as results have it.
func WorkloadOf(w linger.Workload) Workload {
	return Workload{Name: w.Name, Scheme: w.Scheme, Exchanges: len(w.Exchanges), Bytes: w.Bytes(), Origins: w.OriginCount()}
}

// NetworkOf is a network as results have it.
func NetworkOf(n linger.Network) Network {
	if n == (linger.Network{Name: n.Name}) {
		return Network{Name: n.Name}
	}
	kbps := func(r linger.Rate) (o linger.Opt[float64]) {
		if r > 0 {
			o = linger.Known(float64(r) / float64(linger.Kbps))
		}
		return o
	}
	out := Network{
		Name: n.Name, RTT: linger.Known(facts.Milliseconds(n.RTT)), Down: kbps(n.Down), Up: kbps(n.Up), Loss: linger.Known(n.Loss),
	}
	out.Queue.Up, out.QueueBytes.Up = room(n, n.Up)
	out.Queue.Down, out.QueueBytes.Down = room(n, n.Down)
	return out
}

// room is what may wait at a rate, in ms and in bytes.
func room(n linger.Network, r linger.Rate) (ms, bytes linger.Opt[float64]) {
	if r == 0 {
		return ms, bytes
	}
	b := n.QueueBytes(r)
	return linger.Known(stats.Round(facts.Milliseconds(r.Time(b)), 1e-3)), linger.Known(float64(b))
}

// Figures are what tells a path from another of the same name.
func (n Network) Figures() finding.Figures {
	out := finding.Figures{finding.Word("network", n.Name)}
	for _, f := range []finding.Figure{
		{Name: "rtt", Value: n.RTT, Unit: "ms"}, {Name: "down", Value: n.Down, Unit: "kbit/s"},
		{Name: "up", Value: n.Up, Unit: "kbit/s"}, {Name: "loss", Value: n.Loss, Unit: "share"},
	} {
		if !f.Value.IsZero() {
			out = append(out, f)
		}
	}
	return out
}

// Named is a network's name, without the mark that its parts were changed.
func (n Network) Named() string { return strings.TrimSuffix(n.Name, "*") }

// Fetched is the experiment that one trace is: one trial of one strategy. Where the
// workload is not known, it is what the trace has of it.
func Fetched(t *trace.Trace, w linger.Workload, s linger.Strategy) trace.Experiment {
	if len(w.Exchanges) == 0 {
		w = linger.Workload{Name: t.Workload, Scheme: w.Scheme, Exchanges: make([]linger.Exchange, len(t.Exchanges))}
		for _, e := range t.Exchanges {
			if e.ID >= 0 && e.ID < len(w.Exchanges) {
				w.Exchanges[e.ID] = linger.Exchange{Method: e.Method, ResponseBody: e.ResponseBody, Parent: linger.NoParent}
			}
		}
	}
	return trace.Experiment{
		Setup: trace.Setup{
			Engine: t.Engine, Provenance: t.Provenance, Workload: w, Strategies: []linger.Strategy{s},
			Network: t.Network, Seed: t.Seed, Trials: 1,
		},
		Traces: [][]*trace.Trace{{t}},
	}
}

// Fetch is what there is to say of a single trial, which nothing is compared with.
func Fetch(in trace.Experiment) Findings {
	f := Compare(in)
	f.Caveats = slices.DeleteFunc(f.Caveats, func(c finding.Caveat) bool { return c.Code == Confidence || c.Code == Trials || c.Code == Trips })
	for _, t := range in.Traces[0] {
		f.Verdict.Findings = []finding.Finding{{Code: Took, Severity: finding.Note, Subject: finding.Subject{Kind: "strategy", Name: in.Strategies[0].Name}, Figures: finding.Figures{
			finding.Number("time", t.Ended.Milliseconds(), "ms"), finding.Counted("exchanges", len(t.Exchanges)), finding.Counted("connections", len(facts.Connections(t)))}}}
	}
	return f
}
