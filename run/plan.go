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
	// Enough is how many trials are enough of a strategy that takes long, where they settle its
	// order among all others (see held); 0 has every strategy run Trials times.
	Enough int
	// ZeroRTT is how often each runs with the path's delay taken out besides, so that
	// the round trips in its time can be told; none are run where there is no delay.
	ZeroRTT int
	// Workers is how many trials run side by side; at least 1. Where Most is more, that
	// is to begin with: as many run as the engine carries on time, between Fewest and Most
	// (see crowd).
	Workers      int
	Fewest, Most int
	// Expected is how long a trial of each strategy is expected to take, indexed as
	// Strategies, and of 0 or missing what the textbook says. It only orders and foretells.
	Expected []time.Duration
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
	ZeroRTT  bool
}

// kind is what jobs have in common that should take equally long.
func (j Job) kind() Job { return Job{Strategy: j.Strategy, ZeroRTT: j.ZeroRTT} }

// maxJobs bounds what one experiment holds in memory.
const maxJobs = 100_000

// Validate reports the first part of the plan that cannot be carried out.
func (p Plan) Validate() error {
	switch {
	case len(p.Strategies) == 0:
		return errors.New("there is no strategy to run; name at least one")
	case p.Trials < 1 || p.ZeroRTT < 0 || (p.Trials+p.ZeroRTT)*len(p.Strategies) > maxJobs:
		return fmt.Errorf("%d trials of %d strategies cannot be run; give 1 to %d", p.Trials, len(p.Strategies), maxJobs/len(p.Strategies)-p.ZeroRTT)
	case p.Workers < 1:
		return fmt.Errorf("%d trials side by side; give at least 1", p.Workers)
	}
	if err := p.Workload.Validate(); err != nil {
		return err
	}
	return p.Network.Validate()
}

// Jobs lists the trials in the order in which they start. Those of each strategy are spread over
// the whole run, as evenly as its length allows: the middles of the first and of the last lie as
// far from the middle of the run, and those between in equal steps, each off by up to half a step
// as the seed has it. So whatever drifts while the experiment runs falls on all strategies alike,
// and none always follows the same other one. What may not be needed comes last (see held).
func (p Plan) Jobs() []Job {
	var kinds []Job
	for i := range p.Strategies {
		kinds = append(kinds, Job{Strategy: i})
		if p.ZeroRTT > 0 && p.Network.RTT > 0 {
			kinds = append(kinds, Job{Strategy: i, ZeroRTT: true})
		}
	}
	held := p.held()
	trials := func(kind Job) int {
		if kind.ZeroRTT {
			return p.ZeroRTT
		}
		return p.Trials - held[kind.Strategy]
	}
	var total, longest time.Duration
	for _, kind := range kinds {
		total += p.expected(kind) * time.Duration(trials(kind))
		longest = max(longest, p.expected(kind))
	}
	whole := max(longest, total/time.Duration(max(p.Workers, p.Most)))
	random := rand.New(rand.NewPCG(p.Seed, 0))
	var all []planned
	for _, kind := range kinds {
		d, n := p.expected(kind), trials(kind)
		for trial := range n {
			at := (float64(trial) + random.Float64()) / float64(n)
			if !kind.ZeroRTT && n > 1 {
				// From one end of the run to the other.
				at = float64(trial)
				if 0 < trial && trial < n-1 {
					at += random.Float64() - 0.5
				}
				at /= float64(n - 1)
			}
			all = append(all, planned{Job{kind.Strategy, trial, kind.ZeroRTT}, time.Duration(at * float64(whole-d)), d})
		}
	}
	random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	slices.SortStableFunc(all, func(a, b planned) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.takes, a.takes))
	})
	var jobs []Job
	for _, j := range all {
		jobs = append(jobs, j.Job)
	}
	for i, n := range held {
		for trial := p.Trials - n; trial < p.Trials; trial++ {
			jobs = append(jobs, Job{Strategy: i, Trial: trial})
		}
	}
	return jobs
}

// A planned job is to start at an instant of the run, if a worker is free, and expected to take
// so long.
type planned struct {
	Job
	at, takes time.Duration
}

// Scenario returns what the engine is to run for that job. All trials share the
// plan's seed; an engine tells them apart by their number.
func (p Plan) Scenario(j Job) linger.Scenario {
	s := linger.Scenario{Workload: p.Workload, Strategy: p.Strategies[j.Strategy], Network: p.Network, Seed: p.Seed}
	if j.ZeroRTT {
		s.Network.RTT = 0
	}
	return s
}

// aboutStart is about how long an engine takes to begin and end a trial that waits for the path.
const aboutStart = 300 * time.Millisecond

// expected is how long a trial should take. It only orders and foretells.
func (p Plan) expected(j Job) time.Duration {
	if p.Virtual {
		return 0
	}
	if !j.ZeroRTT && j.Strategy < len(p.Expected) && p.Expected[j.Strategy] > 0 {
		return p.Expected[j.Strategy] + aboutStart
	}
	return p.textbook(j) + aboutStart
}

// textbook is the textbook's time for a trial: the bytes at the path's rate, and
// round trips without any slow start.
func (p Plan) textbook(j Job) time.Duration {
	s := p.Scenario(j)
	var waits time.Duration
	for _, e := range s.Workload.Exchanges {
		waits += e.Think + e.Delay
	}
	n, atOnce := len(s.Workload.Exchanges), max(1, s.Strategy.Connections)
	if s.Strategy.InFlight != linger.Unlimited {
		atOnce *= s.Strategy.InFlight
	} else {
		atOnce = n
	}
	setUp := 1
	if s.Workload.Scheme == linger.SchemeHTTPS && !s.Strategy.QUIC() {
		setUp = 2 // of TCP, and of TLS 1.3
	}
	turns := (n + atOnce - 1) / max(1, atOnce)
	if s.Strategy.Persistent {
		turns += 1 + setUp // and discovery
	} else {
		turns *= 1 + setUp // a handshake and an exchange each
	}
	return time.Duration(turns)*s.Network.RTT + s.Network.Down.Time(int(s.Workload.Bytes())) + waits/time.Duration(max(1, atOnce))
}
