package probe

import (
	"cmp"
	"time"
)

// An Outlay is what a probe takes of a server at most. It is known beforehand, from the
// bounds and from what the experiments state.
type Outlay struct {
	Connections int // at a time
	Requests    int
	// Longest is after how long the probe ends, whatever the server does; Sparing is that
	// for a server which serves so few connections at once that not everything can be
	// asked at a time.
	Longest, Sparing time.Duration
}

const (
	// begun is how long the waits take to begin: connections are opened over a second,
	// so that clocks that tick are seen to. A limit of MaxWait itself is to be seen, and
	// some more, where the server looks for idle connections only now and then.
	begun = 3 * time.Second
	// besides is what a probe lasts at most besides its longest wait: until the server
	// is reached, and for what comes behind the waits.
	besides = 25 * time.Second
)

// Watched is for how long a connection is watched at most.
func (c Config) Watched() time.Duration { return cmp.Or(c.MaxWait, DefaultWait) + begun }

// Plan says beforehand what a probe would take.
func Plan(config Config) (Outlay, error) {
	p, err := newProber(config)
	if err != nil {
		return Outlay{}, err
	}
	defer p.impatient()
	return p.plan(), nil
}

func (p *prober) plan() Outlay {
	// Reaching the server takes one request, and some more where that has a long response.
	longest := p.config.MaxWait + besides + 4*max(p.config.Answer-DefaultAnswer, 0)
	plan := Outlay{Requests: 1 + smallRequests, Longest: longest, Sparing: 3 * longest}
	plan.Connections = 1 // on which it is seen whether connections are closed whole
	if !isDNS(p.target.url.Scheme) {
		plan.Requests += crowdMost - 1 + unusedRounds
	} else {
		plan.Requests = 1
	}
	for _, e := range p.chosen() {
		plan.Requests += e.requests
		plan.Connections += e.connections
	}
	plan.Connections = min(plan.Connections, p.config.Connections)
	plan.Requests = min(plan.Requests, p.config.Requests)
	return plan
}
