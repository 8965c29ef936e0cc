package rig

import (
	"context"
	"runtime"
	"time"

	"linger/lab"
	"linger/run"
	"linger/trace"
)

const (
	StandardTrials = 5 // of each strategy, where the user gives no number
	EnoughTrials   = 4 // of one that takes long, where they settle its order
	ZeroRTTTrials  = 3 // of each strategy, with the delay taken out
)

// sideBySide says how many trials of a plan run side by side in the lab: as many as the user says;
// of a browser as many as there are cores for; of a server of the user's own one, since several
// would share its files: logs, caches, the file with its process's number; else as many as are on
// time.
func sideBySide(p *run.Plan, asked int, own bool) {
	cores := runtime.NumCPU()
	switch {
	case asked != 0:
		p.Workers = asked
	case own:
		p.Workers = 1
	case IsBrowsed(p.Strategies):
		p.Workers = max(1, cores/browserCores)
	default:
		p.Fewest, p.Most = lab.Capacity(p.Network, cores)
		p.Workers = (p.Fewest + p.Most) / 2
	}
}

// foreseeWithin is how long a measurement waits for its prediction.
const foreseeWithin = 500 * time.Millisecond

// foresee predicts one trial of each strategy of a plan that is going to be measured: in
// which order trials start hangs on it, and it stands on the screen until they have ended. What
// is not modelled, or not predicted in time, is left out; nil is that nothing is known.
func foresee(ctx context.Context, e Sim, p run.Plan) *trace.Experiment {
	p, err := Forecast(p, false, unsaid)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, foreseeWithin)
	defer cancel()
	p.Trials = 1
	x, err := run.Run(ctx, e, p, nil)
	if err != nil {
		return nil
	}
	return x
}

// Expected is how long a trial of each strategy of a plan takes by that prediction, 0 where
// it has none.
func Expected(p run.Plan, foreseen *trace.Experiment) []time.Duration {
	out := make([]time.Duration, len(p.Strategies))
	if foreseen == nil {
		return out
	}
	for i, s := range p.Strategies {
		for k, same := range foreseen.Strategies {
			if traces := trace.At(foreseen.Traces, k); same.Name == s.Name && len(traces) > 0 {
				out[i] = traces[0].Ended.Sub(0)
			}
		}
	}
	return out
}
