package rig

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"linger"
	"linger/dns"
	"linger/fault"
	"linger/policy"
	"linger/rig/host"
	"linger/run"
	"linger/sim"
	"linger/trace"
)

// A Sim is the engine that predicts what a Lab measures: the same scenario, the same policies.
type Sim struct {
	Version string // this program's, which requests name
	Policy  policy.ServerPolicy
	Pace    time.Duration // see Lab
	Events  int64         // the budget of a run; 0 is the simulator's own
}

// SweepEvents is the budget of one run of a sweep: a fraction of a second, and a
// thousand times what a gallery takes.
const SweepEvents = 2_000_000

// labMachine is how long the lab's hosts take on the machine of docs/fidelity.md, so
// that predictions can be held against measurements; see docs/simulator.md.
var labMachine = sim.Machine{
	Handover:     90 * time.Microsecond,
	Wake:         80 * time.Microsecond,
	Begin:        200 * time.Microsecond,
	Signature:    400 * time.Microsecond,
	Verification: 500 * time.Microsecond,
	Resumption:   250 * time.Microsecond,
}

// Run implements run.Engine.
func (e Sim) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	c, err := e.Config(s.Workload, s.Strategy)
	if err != nil {
		return nil, err
	}
	c.Trial = trial
	run.Begin(ctx)
	return sim.Run(ctx, s, c)
}

// Config is what runs of strategies need beside their scenario.
func (e Sim) Config(w linger.Workload, strategies ...linger.Strategy) (sim.Config, error) {
	c := sim.Config{
		Policy: e.Policy, Host: host.Origin, Agent: Agent(e.Version), AltSvc: fmt.Sprintf("h3=\":%d\"", host.SecurePort),
		Limits: policy.Limits{Pace: e.Pace}, Machine: labMachine, Events: e.Events,
	}
	var err error
	if w.Scheme == linger.SchemeDNS {
		c.Messages, err = messagesOf(w, e.Policy, carriersOf(strategies...)...)
	}
	return c, err
}

// Forecast is a plan for the simulator, for what of it is modelled. What is not is left
// out with a note, or refused where it was named. Without loss each trial is like the
// other, and one is enough.
func Forecast(p run.Plan, named bool, note func(string, ...any)) (run.Plan, error) {
	var kept []linger.Strategy
	said := ""
	for i := range p.Strategies {
		err := sim.Modelled(p.Scenario(run.Job{Strategy: i}))
		switch {
		case err == nil:
			kept = append(kept, p.Strategies[i])
		case named:
			return p, fault.Usage("%w", err)
		case err.Error() != said: // what is wrong with the workload is the same for all
			said = err.Error()
			note("left out: %v", err)
		}
	}
	if len(kept) == 0 {
		return p, fault.Usage("none of the strategies is predicted yet; use --on lab")
	}
	p.Strategies, p.ZeroRTT, p.Enough, p.Workers, p.Most, p.Virtual = kept, 1, 0, runtime.NumCPU(), 0, true
	if p.Network.Loss == 0 {
		p.Trials = 1
	}
	return p, nil
}

// unsaid is a note that nobody hears.
func unsaid(string, ...any) {}

// Modelled are the strategies of a plan that can be predicted.
func Modelled(p run.Plan) []linger.Strategy {
	p, err := Forecast(p, false, unsaid)
	if err != nil {
		return nil
	}
	return p.Strategies
}

// Beside predicts what was measured by a plan.
func Beside(ctx context.Context, e run.Engine, plan run.Plan, note func(string, ...any)) (*trace.Experiment, error) {
	plan, err := Forecast(plan, false, note)
	if err != nil {
		return nil, err
	}
	return run.Run(ctx, e, plan, nil)
}

// messagesOf says what the queries of a workload and their answers come to, by each of
// what carries them, with a server of that policy. Names that nobody can ask for are
// refused.
func messagesOf(w linger.Workload, p policy.ServerPolicy, carriers ...string) (map[string][]sim.Message, error) {
	zone, err := dns.NewZone(w)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]sim.Message, len(carriers))
	for _, over := range carriers {
		all := make([]sim.Message, len(w.Exchanges))
		for i, e := range w.Exchanges {
			if all[i], err = messageOf(zone, w, e.Query, p, over); err != nil {
				return nil, err
			}
		}
		out[over] = all
	}
	return out, nil
}

func messageOf(zone *dns.Zone, w linger.Workload, q linger.Query, p policy.ServerPolicy, over string) (sim.Message, error) {
	ask := dns.OptionsOver(over)
	query, err := dns.Ask(q, ask)
	if err != nil {
		return sim.Message{}, err
	}
	m, err := dns.Read(query)
	i, a := zone.Find(m, err)
	if i >= 0 {
		a.Size = int(w.Exchanges[i].ResponseBody)
	}
	a.Pad = over != linger.OverUDP && over != linger.OverTCP
	if over == linger.OverUDP {
		a.Datagram, a.Limit = true, dns.UDPSize
	}
	out := sim.Message{Query: int64(len(query))}
	if ask.Keepalive && p.Announce && p.IdleTimeout > 0 {
		a.Keepalive = linger.Known(p.IdleTimeout)
		limit := min(p.IdleTimeout, dns.MaxKeepalive).Truncate(100 * time.Millisecond)
		out.Limit = &limit
	}
	r := m.Reply(a)
	out.Answer, out.Rcode, out.Truncated, out.Fresh = int64(len(r.Message)), dns.Rcode(r.Rcode), r.Truncated, r.TTL
	return out, nil
}

// carriersOf are what may carry the messages of strategies.
func carriersOf(strategies ...linger.Strategy) (out []string) {
	for _, s := range strategies {
		if s.DNS != "" {
			out = append(out, s.DNS)
		}
		if s.Datagram {
			out = append(out, linger.OverTCP) // for what does not fit
		}
	}
	return out
}
