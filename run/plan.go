package run

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"linger"
)

// A Plan is an experiment before it has begun: one workload, several strategies,
// one path, each strategy tried several times.
type Plan struct {
	Workload   linger.Workload
	Strategies []linger.Strategy
	Network    linger.Network
	Seed       uint64
	// Trials is how often each strategy runs; at least 1.
	Trials int
	// Still is how often each runs with the path's delay taken out besides, so that
	// the round trips in its time can be told; none are run where there is no delay.
	Still int
	// Workers is how many trials run side by side; at least 1.
	Workers int
	// Timeout is after how long a trial is given up, of virtual time where the engine's is
	// that; 0 is never. A trial that is given up has failed, whatever the engine.
	Timeout time.Duration
	// Virtual says that the path's time is not waited for, so that it tells nothing of how
	// long trials take.
	Virtual bool
}

// A Job is one trial of a plan.
type Job struct {
	Strategy int // index in Plan.Strategies
	Trial    int // 0, 1, ... for each strategy
	Still    bool
}

// kind is what jobs have in common that should take equally long.
func (j Job) kind() Job { return Job{Strategy: j.Strategy, Still: j.Still} }

// maxJobs bounds what one experiment holds in memory.
const maxJobs = 100_000

// Validate reports the first part of the plan that cannot be carried out.
func (p Plan) Validate() error {
	switch {
	case len(p.Strategies) == 0:
		return errors.New("there is no strategy to run; name at least one")
	case p.Trials < 1 || p.Still < 0 || (p.Trials+p.Still)*len(p.Strategies) > maxJobs:
		return fmt.Errorf("%d trials of %d strategies cannot be run; give 1 to %d", p.Trials, len(p.Strategies), maxJobs/len(p.Strategies)-p.Still)
	case p.Workers < 1:
		return fmt.Errorf("%d trials side by side; give at least 1", p.Workers)
	}
	if err := p.Workload.Validate(); err != nil {
		return err
	}
	return p.Network.Validate()
}

// Jobs lists the trials in the order in which they start. They come in blocks of
// one trial of every strategy, each block shuffled by the seed, so that whatever
// drifts while the experiment runs falls on all strategies alike. Two liberties
// keep the workers busy to the end, where a long trial would run on alone: the
// last block begins with its longest, and the short trials without delay, whose
// median only serves as a floor, fill up behind it.
func (p Plan) Jobs() []Job {
	var jobs []Job
	for trial := range p.Trials {
		block := p.block(trial, false)
		if trial == p.Trials-1 {
			slices.SortStableFunc(block, func(a, b Job) int { return cmp.Compare(p.expected(b), p.expected(a)) })
		}
		jobs = append(jobs, block...)
	}
	if p.Network.RTT > 0 {
		for trial := range p.Still {
			jobs = append(jobs, p.block(trial, true)...)
		}
	}
	return jobs
}

// block is one trial of every strategy, in an order that the seed and the trial fix.
func (p Plan) block(trial int, still bool) []Job {
	stream := uint64(trial) << 1
	if still {
		stream |= 1
	}
	block := make([]Job, 0, len(p.Strategies))
	for _, i := range rand.New(rand.NewPCG(p.Seed, stream)).Perm(len(p.Strategies)) {
		block = append(block, Job{i, trial, still})
	}
	return block
}

// Scenario returns what the engine is to run for that job. All trials share the
// plan's seed; an engine tells them apart by their number.
func (p Plan) Scenario(j Job) linger.Scenario {
	s := linger.Scenario{Workload: p.Workload, Strategy: p.Strategies[j.Strategy], Network: p.Network, Seed: p.Seed}
	if j.Still {
		s.Network.RTT = 0
	}
	return s
}

// expected is the textbook's time for a trial: the bytes at the path's rate, and
// round trips without any slow start. It only orders and foretells.
func (p Plan) expected(j Job) time.Duration {
	s := p.Scenario(j)
	var waits time.Duration
	for _, e := range s.Workload.Exchanges {
		waits += e.Think + e.Delay
	}
	n, lanes := len(s.Workload.Exchanges), max(1, s.Strategy.Connections)
	if s.Strategy.InFlight != linger.Unlimited {
		lanes *= s.Strategy.InFlight
	} else {
		lanes = n
	}
	turns := (n + lanes - 1) / max(1, lanes)
	if s.Strategy.Persistent {
		turns += 2 // the handshake, and discovery
	} else {
		turns *= 2 // a handshake and an exchange each
	}
	return time.Duration(turns)*s.Network.RTT + s.Network.Down.Time(int(s.Workload.Bytes())) + waits/time.Duration(max(1, lanes))
}
