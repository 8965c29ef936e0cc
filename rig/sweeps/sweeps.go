// Package sweeps predicts crowds over a grid of clients, think times and idle timeouts: each choice in
// each cell as a comparison of that crowd by itself predicts it.
package sweeps

import (
	"context"
	"fmt"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/compare/crowdsweep"
	"linger/fault"
	"linger/rig"
	"linger/rig/crowds"
)

// mostSwept bounds the requests of a sweep, over all of its runs: half an hour of computing on two
// cores.
const mostSwept = 400_000_000

// Validate reports what of a sweep cannot be predicted.
func Validate(p crowdsweep.Plan) error {
	for i := range p.Grid.Cells() {
		if err := p.CrowdOf(i).Validate(); err != nil {
			return fault.Usage("%w", err)
		}
	}
	if err := comparison(p, "", 0, 0, p.Strategies...).Validate(); err != nil {
		return err
	}
	if n := p.Pages() * float64(len(p.Workload.Exchanges)); n > mostSwept {
		return fault.Usage("%s with %s each are %.3g requests, more than the %.3g that a sweep may have; give fewer clients, idle timeouts or --visits",
			linger.Plural(p.Grid.Cells(), "crowd"), linger.Plural(len(p.Choices()), "choice"), n, float64(mostSwept))
	}
	return nil
}

// DefaultStrategies are what a sweep of crowds compares where none is named: one of each kind, since
// each that keeps connections runs with every idle timeout.
func DefaultStrategies(scheme string) string {
	if scheme == linger.SchemeHTTPS {
		return "close:6,keep:6,h2"
	}
	return "close:6,keep:6"
}

// sweptPerSecond is how many requests are predicted in a second, about, on one core.
const sweptPerSecond = 75_000

// Notes says how long a sweep takes, where that is long.
func Notes(p crowdsweep.Plan, workers int) []string {
	requests := p.Pages() * float64(len(p.Workload.Exchanges))
	takes := time.Duration(requests / sweptPerSecond / float64(workers) * float64(time.Second))
	if takes < 10*time.Second {
		return nil
	}
	return []string{fmt.Sprintf("%s with %s each: some %v; what is done is kept if it is interrupted", linger.Plural(p.Grid.Cells(), "crowd"), linger.Plural(len(p.Choices()), "choice"), takes.Round(10*time.Second))}
}

// patience is how long after its last page is due a run is stopped, as compare does it.
const patience = 2 * time.Minute

// comparison is that of cell i with the strategies of the plan and an idle timeout.
func comparison(p crowdsweep.Plan, version string, i int, idle time.Duration, strategies ...linger.Strategy) crowds.Comparison {
	c := crowds.Comparison{
		Version: version, Workload: p.Workload, Network: p.Network, Crowd: p.CrowdOf(i), Strategies: strategies, Policy: p.Server, Capacity: p.Capacity,
		Seed: p.Seed, Trials: p.Trials, Patience: patience, Named: true, On: rig.Engines{Sim: true},
	}
	c.Policy.IdleTimeout = idle
	return c
}

// Cell predicts cell i of a sweep: each choice as the comparison of that crowd by itself. It returns
// nothing where ctx ended first.
func Cell(ctx context.Context, version string, p crowdsweep.Plan, i int) []crowdsweep.Cell {
	var rows []crowd.Row
	var reasons []string
	for _, choice := range p.Choices() {
		x := comparison(p, version, i, choice.Idle, p.Strategies[choice.Strategy]).Predicted(ctx)
		if x == nil {
			return nil
		}
		reason := ""
		if failed := x.Failed[0]; len(failed) > 0 {
			reason = failed[0]
		}
		rows, reasons = append(rows, crowd.Compare(x).Rows[0]), append(reasons, reason)
	}
	return []crowdsweep.Cell{p.CellOf(i, rows, reasons)}
}
