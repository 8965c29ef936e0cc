package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"linger"
	"linger/compare"
	"linger/policy"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/run"
	"linger/sim"
	"linger/trace"
)

// simEngine predicts what labEngine measures: the same scenario, the same policies.
type simEngine struct {
	policy policy.ServerPolicy
	pace   time.Duration
	events int64 // the budget of a run; 0 is the simulator's own
}

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
func (e simEngine) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	c, err := e.config(s.Workload, s.Strategy)
	if err != nil {
		return nil, err
	}
	c.Trial = trial
	return sim.Run(ctx, s, c)
}

// config is what runs of strategies need beside their scenario.
func (e simEngine) config(w linger.Workload, strategies ...linger.Strategy) (sim.Config, error) {
	c := sim.Config{
		Policy: e.policy, Host: originHost, Agent: agent(), AltSvc: fmt.Sprintf("h3=\":%d\"", securePort),
		Limits: policy.Limits{Pace: e.pace}, Machine: labMachine, Events: e.events,
	}
	var err error
	if w.Scheme == linger.SchemeDNS {
		c.Messages, err = messagesOf(w, e.policy, carriersOf(strategies...)...)
	}
	return c, err
}

// model is what a page needs to predict as e does the strategies on a workload that
// the command line names by argument, with further flags.
func (e simEngine) model(w linger.Workload, strategies []linger.Strategy, argument string, words []string, trials int) (*html.Model, error) {
	c, err := e.config(w, strategies...)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	m := &html.Model{Config: config, Workload: quote(argument), Words: words, Trials: trials}
	for _, s := range strategies {
		m.Strategies = append(m.Strategies, s.Name)
	}
	return m, nil
}

// modelOf reads what a trace file holds of a model, nil where that is nothing that is
// known here.
func modelOf(written json.RawMessage) *html.Model {
	var m html.Model
	if len(written) == 0 || json.Unmarshal(written, &m) != nil || len(m.Config) == 0 {
		return nil
	}
	return &m
}

// forecast is a plan for the simulator, for what of it is modelled. What is not is left
// out with a note, or refused where it was named. Without loss each trial is like the
// other, and one is enough.
func forecast(p run.Plan, named bool, note io.Writer) (run.Plan, error) {
	var kept []linger.Strategy
	said := ""
	for i := range p.Strategies {
		err := sim.Modelled(p.Scenario(run.Job{Strategy: i}))
		switch {
		case err == nil:
			kept = append(kept, p.Strategies[i])
		case named:
			return p, usage("%w", err)
		case err.Error() != said: // what is wrong with the workload is the same for all
			said = err.Error()
			fmt.Fprintf(note, "linger: left out: %v\n", err)
		}
	}
	if len(kept) == 0 {
		return p, usage("none of the strategies is predicted yet; use --on lab")
	}
	p.Strategies, p.Still, p.Enough, p.Workers, p.Most, p.Virtual = kept, 1, 0, runtime.NumCPU(), 0, true
	if p.Network.Loss == 0 {
		p.Trials = 1
	}
	return p, nil
}

// modelled are the strategies of a plan that can be predicted.
func modelled(p run.Plan) []linger.Strategy {
	p, err := forecast(p, false, io.Discard)
	if err != nil {
		return nil
	}
	return p.Strategies
}

// engines reads --on: where it runs, or nothing said.
func engines(on string) (lab, live, predict bool, err error) {
	if on == "" {
		return false, false, false, nil
	}
	for word := range strings.SplitSeq(on, ",") {
		switch word {
		case "lab":
			lab = true
		case "live":
			live = true
		case "sim":
			predict = true
		default:
			return lab, live, predict, usage("--on %q: write lab, live, sim, or lab,sim", on)
		}
	}
	if live && (lab || predict) {
		return lab, live, predict, usage("--on %s: what is not the lab's network cannot be predicted; write live alone", on)
	}
	return lab, live, predict, nil
}

// beside predicts what was measured, and returns what writes both. A trace file, and
// what is of packets, has what was measured.
func beside(ctx context.Context, e run.Engine, plan run.Plan, measured result, out *outputs, queries bool, plain func(string, io.Writer) error, note io.Writer) (func(string, io.Writer) error, error) {
	plan, err := forecast(plan, false, note)
	if err != nil {
		return plain, err
	}
	x, err := run.Run(ctx, e, plan, nil)
	if err != nil {
		return plain, err
	}
	real, model := compare.Compare(measured.input), compare.Compare(*x)
	real.Asserted = measured.results()
	return func(ending string, w io.Writer) error {
		switch ending {
		case ".json":
			return formats.BothJSON(w, real, model, version)
		case ".csv":
			return formats.BothCSV(w, real, model)
		case ".html":
			page := measured.page(queries)
			page.Predicted = &model
			return html.Compare(w, real, measured.input, page)
		case ".txt":
			layout := measured.layout(out, w)
			if err := text.Compare(w, real, layout); err != nil {
				return err
			}
			fmt.Fprintln(w)
			if err := text.Compare(w, model, layout); err != nil {
				return err
			}
			fmt.Fprintln(w)
			return text.Gaps(w, real, model, layout)
		}
		return plain(ending, w)
	}, nil
}

// wantsPackets reports whether something was asked for that only packets give.
func (o *outputs) wantsPackets() bool {
	return o.named(".pcapng") != "" || o.named(".qlog") != "" || o.named(".har") != ""
}
