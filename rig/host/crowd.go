package host

import (
	"context"
	"encoding/json"
	"net/netip"
	"runtime"
	"time"

	"linger"
	"linger/lab"
	"linger/live"
	"linger/policy"
	"linger/trace"
)

// A CrowdOrder is what the host of a lab is told that is all clients of a crowd.
type CrowdOrder struct {
	Scenario linger.Scenario `json:"scenario"`
	Crowd    linger.Crowd    `json:"crowd"`
	Trial    int             `json:"trial"`
	// Servers are where the workload's origins are, by back end, the one that is added last.
	Servers [][]live.Place `json:"servers"`
	// Locals are the addresses of the host that clients have, each in its turn.
	Locals []netip.Addr `json:"locals,omitempty"`
	// Authority are the certificates, in PEM, of who may vouch for the servers.
	Authority []byte `json:"authority"`
	// Agent is the User-Agent of requests.
	Agent string       `json:"agent"`
	Bound linger.Bound `json:"bound,omitzero"`
	// Pace is as in ClientOrder, of each client.
	Pace time.Duration `json:"pace_ns,omitempty"`
	// Own is a server that is not ours, in the place of Servers and Authority.
	Own *OwnOrder `json:"own,omitempty"`
}

// config is how the servers are reached, and what is expected of them.
func (o CrowdOrder) config() (live.CrowdConfig, error) {
	c := live.CrowdConfig{Servers: o.Servers, Locals: o.Locals, Trial: o.Trial, Bound: o.Bound}
	var err error
	if o.Own == nil {
		c.Config, err = towardsOrigins("crowd", o.Authority, o.Agent)
	} else if c.Config, err = o.Own.Config(); err == nil {
		c.Congestion = congestion
		c.Servers = [][]live.Place{{{Address: c.Address, Host: c.Host, ServerName: c.ServerName}}}
	}
	c.Limits = policy.Limits{Pace: o.Pace}
	return c, err
}

// crowdBegan is what such a host says first, before the record: the instants of that are
// counted from then.
type crowdBegan struct {
	Began time.Time `json:"began"`
}

// beCrowd runs all clients of one crowd.
func beCrowd(ctx context.Context, std streams) error {
	var order CrowdOrder
	if err := take("crowd", std.in, &order); err != nil {
		return err
	}
	ctx, stop := std.heeding(ctx)
	defer stop()
	config, err := order.config()
	if err != nil {
		return err
	}
	// The path and the servers want the other half of this machine, and goroutines that wait
	// for packets cost a fifth less where there are not more threads than that to wake.
	runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	out := json.NewEncoder(std.out)
	config.Begun = func(at time.Time) { out.Encode(crowdBegan{at}) }
	record, err := live.RunCrowd(ctx, order.Scenario, order.Crowd, config)
	if err != nil {
		return err
	}
	return out.Encode(record)
}

// A RunningCrowd is the process of a lab that is all clients of a crowd, which waits for its
// order.
type RunningCrowd struct{ *process }

// StartCrowd starts who is all clients, on a host of a lab.
func StartCrowd(l *lab.Lab, name string) (RunningCrowd, error) {
	host, err := start(l, name, "crowd")
	return RunningCrowd{host}, err
}

// Run has all clients of the crowd come, and returns what became of them, with what their
// process has used as the Client. began, unless nil, is called once the first could come. When
// ctx ends the host is told to stop and to say what it has so far.
func (c RunningCrowd) Run(ctx context.Context, order CrowdOrder, began func(time.Time)) (*trace.Crowd, error) {
	var record trace.Crowd
	err := c.converse(ctx, order, func(answers *json.Decoder) error {
		var said crowdBegan
		if err := answers.Decode(&said); err != nil {
			return err
		}
		if began != nil {
			began(said.Began)
		}
		return answers.Decode(&record)
	})
	if err != nil {
		return nil, err
	}
	return &record, nil
}
