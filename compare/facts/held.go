package facts

import (
	"cmp"
	"math"
	"slices"

	"linger"
	"linger/stats"
	"linger/trace"
)

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
	for _, k := range Connections(t) {
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

// AtOnce is the most connections that the client had at once, by its own account.
func AtOnce(t *trace.Trace) int {
	_, most := HeldOverTime(t)
	return most
}

// SocketsMissed reports whether the client's sockets were counted too seldom to see as
// many as there were; the server's, which are counted together with them, were then
// SocketsMissed as well.
func SocketsMissed(t *trace.Trace) bool {
	h, ok := t.Client.Get()
	return ok && h.SocketsPeak < AtOnce(t)
}

// Trial is one trial that was run to its end.
type Trial struct {
	Number int     // from 1
	Time   float64 // in ms
	Whole  bool    // it delivered the whole workload, and counts in Row.Time
}

// List lists the trials of each strategy, as trace.Setup.Strategies.
func List(in trace.Experiment) [][]Trial {
	out := make([][]Trial, len(in.Strategies))
	for i := range in.Strategies {
		for _, t := range trace.At(in.Traces, i) {
			if !t.Interrupted {
				out[i] = append(out[i], Trial{t.Trial + 1, stats.Round(t.Ended.Milliseconds(), 1e-3), Delivered(t, in.Workload)})
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
		whole := slices.DeleteFunc(slices.Clone(trace.At(in.Traces, i)), func(t *trace.Trace) bool { return t.Interrupted || !Delivered(t, in.Workload) })
		middle, ok := Sample(whole, Time).Median()
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
