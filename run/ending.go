package run

import (
	"cmp"
	"slices"
	"time"

	"linger/stats"
	"linger/trace"
)

// worth is the share of a run that a trial must take for it to be worth ending early.
const worth = 0.05

// held returns for each strategy how many of its trials, the last ones, wait until it is
// known whether they are needed: none but of the strategies that take longest, and of those
// of as many as the rule of [stats.MayStop] allows.
func (p Plan) held() []int {
	held := make([]int, len(p.Strategies))
	if p.Enough < 1 || p.Enough >= p.Trials || len(held) < 2 {
		return held
	}
	var total time.Duration
	order := make([]int, len(held))
	for i := range order {
		order[i] = i
		total += p.expected(Job{Strategy: i}) * time.Duration(p.Trials)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(p.expected(Job{Strategy: b}), p.expected(Job{Strategy: a}))
	})
	family := stats.Family(len(held))
	for k, i := range order {
		others := p.Trials
		if k > 0 {
			others = p.Enough // as the one before it, which may have ended early too
		}
		if float64(p.expected(Job{Strategy: i})) < worth*float64(total) || !stats.MayStop(p.Enough, others, p.Trials, family) {
			break
		}
		held[i] = p.Trials - p.Enough
	}
	return held
}

// An order is what is known of a strategy's place among the others.
type order int

const (
	open    order = iota // trials are missing that tell
	settled              // it is apart from every other strategy: what waits is not needed
	unclear              // it is not: what waits is needed
)

// orderOf tells whether the times of strategy i settle its order. of holds the times so far of
// each strategy, in any unit, ended how many of its trials have ended, and due how many are to
// have before anything is settled. Samples that are not apart never will be: more values only lie
// closer. A strategy of which a trial failed is never settled, nor is any by it.
func orderOf(i int, of []stats.Sample, ended, due []int) order {
	place := settled
	for k := range of {
		switch {
		case of[k].N() < ended[k], k != i && ended[i] > 0 && ended[k] > 0 && !stats.Apart(of[i], of[k]):
			return unclear
		case ended[k] < due[k]:
			place = open
		}
	}
	return place
}

// samples are the times of the trials so far, of each strategy.
func samples(traces [][]*trace.Trace) []stats.Sample {
	out := make([]stats.Sample, len(traces))
	for i, all := range traces {
		var times []float64
		for _, t := range all {
			if t != nil && whole(t) {
				times = append(times, t.Ended.Milliseconds())
			}
		}
		out[i] = stats.New(times...)
	}
	return out
}

// whole reports whether nothing failed in a trial.
func whole(t *trace.Trace) bool {
	return !t.Interrupted && !slices.ContainsFunc(t.Exchanges, func(e trace.Exchange) bool { return e.Failed != "" })
}
