package compare

import (
	"cmp"
	"math"
	"slices"

	"linger"
	"linger/finding"
	"linger/trace"
)

// These are the figures behind the drawings of a report: they are of single trials,
// where those of a Row are medians.

// Trial is one trial that was run to its end.
type Trial struct {
	Number int     // from 1
	Time   float64 // in ms
	Whole  bool    // it delivered the whole workload, and counts in Row.Time
}

// TrialsOf lists the trials of each strategy, as trace.Setup.Strategies.
func TrialsOf(in trace.Experiment) [][]Trial {
	out := make([][]Trial, len(in.Strategies))
	for i := range in.Strategies {
		for _, t := range trace.At(in.Traces, i) {
			if !t.Interrupted {
				out[i] = append(out[i], Trial{t.Trial + 1, round(t.Ended.Milliseconds(), 1e-3), delivered(t, in.Workload)})
			}
		}
	}
	return out
}

// Typical returns of each strategy the trial whose time is nearest to the median,
// the first of equals, and nil where there is none. Where no trial delivered the
// whole workload it is the first that was run.
func Typical(in trace.Experiment) []*trace.Trace {
	out := make([]*trace.Trace, len(in.Strategies))
	for i := range in.Strategies {
		whole := slices.DeleteFunc(slices.Clone(trace.At(in.Traces, i)), func(t *trace.Trace) bool { return t.Interrupted || !delivered(t, in.Workload) })
		middle, ok := sample(whole, load).Median()
		if !ok {
			if all := trace.At(in.Traces, i); len(all) > 0 {
				out[i] = all[0]
			}
			continue
		}
		out[i] = slices.MinFunc(whole, func(a, b *trace.Trace) int {
			return cmp.Compare(math.Abs(a.Ended.Milliseconds()-middle), math.Abs(b.Ended.Milliseconds()-middle))
		})
	}
	return out
}

// Held is how many connections there are from an instant on.
type Held struct {
	At   linger.Instant
	Open int
}

// HeldOverTime tells how many connections the client had at once, from its own
// instants: each from being dialled until the client let go of it, or the load's end.
// The greatest is the peak.
func HeldOverTime(t *trace.Trace) (held []Held, peak int) {
	type edge struct {
		at   linger.Instant
		more int
	}
	var edges []edge
	for _, k := range connections(t) {
		if end := min(t.Ended, k.Closed.Or(t.Ended)); end > k.Dialled {
			edges = append(edges, edge{k.Dialled, 1}, edge{end, -1})
		}
	}
	// One that ends where another begins was not there with it.
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.more, b.more)) })
	now := 0
	for _, e := range edges {
		if now += e.more; len(held) > 0 && held[len(held)-1].At == e.at {
			held[len(held)-1].Open = now
		} else {
			held = append(held, Held{e.at, now})
		}
		peak = max(peak, now)
	}
	return held, peak
}

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
			finding.Number("time", t.Ended.Milliseconds(), "ms"), count("exchanges", len(t.Exchanges)), count("connections", len(connections(t)))}}}
	}
	return f
}
