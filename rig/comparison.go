package rig

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"

	"linger"
	"linger/fault"
	"linger/lab"
	"linger/live"
	"linger/run"
	"linger/trace"
)

// Engines are where something runs.
type Engines struct {
	Lab  bool // on the emulated network
	Live bool // on the network that there is
	Sim  bool // nowhere: it is predicted
}

// ParseEngines reads a list of them; an empty one says nothing.
func ParseEngines(list string) (e Engines, err error) {
	if list == "" {
		return e, nil
	}
	for word := range strings.SplitSeq(list, ",") {
		switch word {
		case "lab":
			e.Lab = true
		case "live":
			e.Live = true
		case "sim":
			e.Sim = true
		default:
			return e, fault.Usage("--on %q: write lab, live, sim, or lab,sim", list)
		}
	}
	if e.Live && (e.Lab || e.Sim) {
		return e, fault.Usage("--on %s: what is not the lab's network cannot be predicted; write live alone", list)
	}
	return e, nil
}

// A Comparison is a plan, and what may carry it out.
type Comparison struct {
	Plan run.Plan
	// On is where it runs. Nothing is in the lab, and where there can be none it is predicted,
	// unless packets or a server of the user's own are asked for.
	On   Engines
	Lab  Lab
	Live *Live
	Sim  Sim
	// Keep is what is kept of trials in the lab.
	Keep FirstTrials
	// Named says that the user has named the strategies: what cannot be predicted is then an error,
	// and else left out.
	Named bool
	// Workers is how many trials run side by side in the lab; 0 is as many as are on time.
	Workers int
	// Sparing ends trials of a strategy that takes long when they settle its order.
	Sparing bool
}

// OnPage has the comparison run over the network that there is, on a page that has been visited.
// It returns what there is to say beforehand: how much will be asked of whom.
func (c *Comparison) OnPage(p Page) (warning string) {
	host, _, _ := net.SplitHostPort(p.Config.Address)
	c.outside(livePage(p), host)
	return forewarnLoads(p, len(c.Plan.Strategies), c.Plan.Trials, c.Lab.Pace)
}

// OnResolvers is the same for names, each strategy asking its server; config is how servers are
// reached. Without a pace, queries have one.
func (c *Comparison) OnResolvers(servers map[string]Resolver, config live.Config, paced bool) (warning string) {
	if !paced {
		c.Lab.Pace = ResolverPace
	}
	config.Limits.Pace = c.Lab.Pace
	c.outside(liveNames(servers, config), servers[c.Plan.Strategies[0].Name].Host)
	return forewarnQueries(servers, c.Plan.Strategies, c.Plan.Trials, len(c.Plan.Workload.Exchanges), c.Lab.Pace)
}

func (c *Comparison) outside(e *Live, name string) {
	c.Live, c.Plan.ZeroRTT, c.Plan.Network = e, 0, linger.Network{Name: name}
}

// A Measured is what came of a comparison on one network.
type Measured struct {
	Plan       run.Plan
	On         Engines // where it ran in the end
	Experiment *trace.Experiment
	// Beside is what the same plan is predicted to come to, where that is wanted.
	Beside *trace.Experiment
}

// A Screen shows how far a comparison is on one network.
type Screen interface {
	// Measuring has figures stand there, first those that are foreseen, if any.
	Measuring(foreseen *trace.Experiment)
	// Predicting has no figures stand there.
	Predicting()
	Tell(run.Progress)
	// Clear takes away what stands there.
	Clear()
	// Note and Fail say something that stays.
	Note(format string, args ...any)
	Fail(error)
}

// Over carries the comparison out on each network, one after the other: each is an experiment of
// its own, whose strategies are interleaved. It returns what came of those of which there is
// anything. Where there is nothing of the first, or of what was interrupted, it ends. screen is
// asked for one for each network.
func (c Comparison) Over(ctx context.Context, networks []linger.Network, screen func(int) Screen) (all []Measured, err error) {
	c.Keep.several = len(networks) > 1
	var errs []error
	note := screen(0).Note
	for i, n := range networks {
		s := screen(i)
		say := note
		if i > 0 {
			say = unsaid // it has been said
		}
		c.Plan.Network = n
		one, err := c.on(ctx, s, say)
		switch {
		case one != nil:
			all, errs = append(all, *one), append(errs, err)
		case len(all) == 0:
			return nil, err
		case ctx.Err() == nil:
			note("%s: %v", n.Name, err)
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(all) < len(networks) {
		note("shown are %d of %d networks", len(all), len(networks))
	}
	return all, errors.Join(errs...)
}

// on carries the comparison out on the network of its plan. Nil is that nothing came of it, and the
// error says why; else it has been said. note says what is not predicted.
func (c *Comparison) on(ctx context.Context, s Screen, note func(string, ...any)) (*Measured, error) {
	engine, plan, err := c.prepare(ctx, s, note)
	if err != nil {
		return nil, err
	}
	x, err := run.Run(ctx, engine, plan, s.Tell)
	s.Clear()
	if errors.Is(err, lab.ErrUnsupported) && c.On == (Engines{}) && !c.Keep.packets() && c.Lab.Own == nil {
		// It would be refused for the same reason as when predicted, then in its words.
		if instead, none := Forecast(plan, false, note); none == nil {
			s.Note("%s; predicting instead, as with --on sim", err)
			s.Predicting()
			c.On.Sim = true // on further networks from the start
			x, err = run.Run(ctx, c.Sim, instead, s.Tell)
			s.Clear()
		}
	}
	if x == nil || x.Engine == "" {
		if ctx.Err() != nil {
			err = fault.Interrupted("interrupted before the first trial was over")
		}
		return nil, err
	}
	if err != nil {
		// What was measured until then is shown all the same.
		s.Fail(err)
	}
	out := &Measured{Plan: plan, On: c.On, Experiment: x}
	if x.Provenance == trace.Measured {
		x.Machine = ThisMachine()
	}
	if c.On.Lab && c.On.Sim {
		predicted, err := Beside(ctx, c.Sim, plan, note)
		if err != nil {
			s.Fail(err)
		}
		out.Beside = predicted
	}
	return out, err
}

// prepare returns the engine that carries the plan out, and the plan as it suits that.
func (c Comparison) prepare(ctx context.Context, s Screen, note func(string, ...any)) (run.Engine, run.Plan, error) {
	plan := c.Plan
	switch {
	case c.Live != nil:
		s.Measuring(nil)
		return c.Live, plan, nil
	case c.On.Sim && !c.On.Lab:
		plan, err := Forecast(plan, c.Named, note)
		return c.Sim, plan, err
	}
	sideBySide(&plan, c.Workers, c.Lab.Own != nil)
	c.Lab.Keep = c.Keep.of(plan.Network)
	foreseen := foresee(ctx, c.Sim, plan)
	plan.Expected = Expected(plan, foreseen)
	s.Measuring(foreseen)
	if c.Sparing {
		plan.Enough = EnoughTrials
	}
	return c.Lab, plan, nil
}

// FirstTrials are what is kept of each strategy's first trial on the network itself: FILE.pcapng
// becomes FILE.STRATEGY.pcapng, and so do FILE.qlog and FILE.har. Of several networks each has
// files of its own, FILE.NETWORK.STRATEGY.pcapng. Empty names are nothing.
type FirstTrials struct {
	Artifacts
	several bool
}

// packets reports whether something was asked for that only packets give.
func (f FirstTrials) packets() bool { return f.Packets != "" || f.Qlog != "" || f.HAR != "" }

// of is what is kept on one network.
func (f FirstTrials) of(network linger.Network) func(linger.Scenario, int) Artifacts {
	return func(s linger.Scenario, trial int) Artifacts {
		if trial != 0 || s.Network != network {
			return Artifacts{}
		}
		named := func(file string) string {
			if file == "" {
				return ""
			}
			ending := filepath.Ext(file)
			if f.several {
				file = strings.TrimSuffix(file, ending) + "." + strings.TrimSuffix(network.Name, "*") + ending
			}
			return strings.TrimSuffix(file, ending) + "." + strings.ReplaceAll(s.Strategy.Name, ":", "-") + ending
		}
		return Artifacts{Packets: named(f.Packets), Keylog: f.Keylog, HAR: named(f.HAR), Qlog: named(f.Qlog)}
	}
}
