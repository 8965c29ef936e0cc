package compare

import (
	"slices"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/stats"
	"linger/trace"
)

// Spread is how a figure of N is distributed. P95 and P99 are values that were seen, the
// least that no more than 5 or 1 of 100 exceed (nearest rank); they are unknown of fewer
// than 20 and 100. Failed of the N have no value and count as more than any: a quantile
// that falls on one of them is unknown too.
type Spread struct {
	N      int                 `json:"n"`
	Failed int                 `json:"failed,omitzero"`
	Median float64             `json:"median"`
	P95    linger.Opt[float64] `json:"p95,omitzero"`
	P99    linger.Opt[float64] `json:"p99,omitzero"`
}

// Quantile is the median of 0.5, P95 of 0.95 and P99 of 0.99, and unknown of any other.
func (s Spread) Quantile(q float64) linger.Opt[float64] {
	switch q {
	case 0.5:
		return linger.Known(s.Median)
	case 0.95:
		return s.P95
	case 0.99:
		return s.P99
	}
	return linger.Opt[float64]{}
}

// Of how many values quantiles are told.
const (
	enoughForP95 = 20
	enoughForP99 = 100
)

// spreadOf returns how values are distributed beside so many that have failed; unknown where the
// median is not known.
func spreadOf(values []float64, failed int) (o linger.Opt[Spread]) {
	sample := stats.Censored(values, make([]float64, failed))
	median, ok := sample.Median()
	if !ok {
		return o
	}
	rank := func(q float64, least int) (o linger.Opt[float64]) {
		if v, ok := sample.NearestRank(q); ok && sample.N() >= least {
			o = linger.Known(stats.Round(v, 1e-3))
		}
		return o
	}
	return linger.Known(Spread{
		N: sample.N(), Failed: failed, Median: stats.Round(median, 1e-3),
		P95: rank(0.95, enoughForP95), P99: rank(0.99, enoughForP99),
	})
}

// requests are those of several trials: how long each that was answered took, in ms, and how
// many others there are.
type requests struct {
	took    []float64
	failed  int
	unasked int // never wanted, since what leads to them had failed
}

// requestsOf gathers the requests of trials that ended, whole or not. One takes from being wanted
// until the last byte of its answer is there.
func requestsOf(ended []*trace.Trace) (r requests) {
	for _, t := range ended {
		for _, e := range t.Exchanges {
			done, ok := e.Done.Get()
			switch {
			case unasked(t, e):
				r.unasked++
			case !ok || e.Failed != "":
				r.failed++
			default:
				r.took = append(r.took, facts.Milliseconds(done.Sub(e.Queued)))
			}
		}
	}
	return r
}

// unasked reports whether a request was never wanted.
func unasked(t *trace.Trace, e trace.Exchange) bool {
	return e.Failed != "" && e.Attempts == 0 && e.Queued >= t.Ended
}

// spread is how their times are distributed.
func (r requests) spread() linger.Opt[Spread] { return spreadOf(r.took, r.failed) }

// scheduled reports whether the workload, or the client's pace, says when each query is
// asked, so that all of them take as long as that, whatever the strategy.
func scheduled(in trace.Experiment) bool {
	if in.Workload.Scheme != linger.SchemeDNS || len(in.Workload.Exchanges) < 2 {
		return false
	}
	rated := !slices.ContainsFunc(in.Workload.Exchanges[1:], func(e linger.Exchange) bool {
		return e.Parent != linger.NoParent || e.Think == 0
	})
	return rated || paced(in)
}

// paced reports whether a client let time pass between queries that it knew of at the
// same instant.
func paced(in trace.Experiment) bool {
	type cause struct {
		parent int
		think  time.Duration
	}
	for _, traces := range in.Traces {
		for _, t := range traces {
			if !facts.Delivered(t, in.Workload) {
				continue
			}
			wanted := map[cause]linger.Instant{}
			for i, e := range in.Workload.Exchanges {
				at := cause{e.Parent, e.Think}
				if first, ok := wanted[at]; ok && t.Exchanges[i].Queued != first {
					return true
				}
				wanted[at] = t.Exchanges[i].Queued
			}
			break
		}
	}
	return false
}
