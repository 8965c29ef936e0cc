package probe

import (
	"cmp"
	"time"

	"linger/probe/dns"
	"linger/probe/http1"
	"linger/probe/prober"
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

// besides is what a probe lasts at most besides its longest wait: until the server is
// reached, and for what comes behind the waits.
const besides = 25 * time.Second

// Watched is for how long a connection is watched at most.
func (c Config) Watched() time.Duration { return prober.Watched(cmp.Or(c.MaxWait, DefaultWait)) }

// Plan says beforehand what a probe would take.
func Plan(config Config) (Outlay, error) {
	p, err := newProbe(config)
	if err != nil {
		return Outlay{}, err
	}
	defer p.NoMore()
	return p.plan(), nil
}

func (p *probe) plan() Outlay {
	longest := p.MaxWait + besides + 4*max(p.Answer-DefaultAnswer, 0)
	plan := Outlay{Requests: http1.ReachRequests, Longest: longest, Sparing: 3 * longest}
	if dns.Speaks(p.URL.Scheme) {
		plan.Requests = dns.ReachRequests
	}
	plan.Connections = 1 // on which it is seen whether connections are closed whole
	for _, e := range p.Chosen {
		plan.Requests += e.Requests
		plan.Connections += e.Connections
	}
	plan.Connections = min(plan.Connections, p.Connections)
	plan.Requests = min(plan.Requests, p.Requests)
	return plan
}
