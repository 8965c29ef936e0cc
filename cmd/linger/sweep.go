package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"linger"
	"linger/compare/crowdsweep"
	"linger/compare/sweep"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/report/document"
	"linger/report/html"
	"linger/report/text"
	"linger/report/underway"
	"linger/rig"
	"linger/rig/sweeps"
	"linger/run"
	"linger/trace"
	"linger/tune"
)

type sweepCmd struct {
	Workload string `arg:"" optional:"" default:"${workload}" help:"${workloads}; or a .har file; or a list of your own (docs/workloads.md). Default ${workload}."`

	Strategies string `short:"s" placeholder:"LIST" help:"What to compare: ${forms}; :N for N connections; behind a + ${modifiers}. Default ${strategies}; in cleartext ${plain}."`
	Scheme     string `placeholder:"http|https" help:"Cleartext, or TLS 1.3; default what the workload has."`
	flags.GridFlags
	Trials *int   `placeholder:"N" help:"How often each strategy runs where packets are lost; default 5. Elsewhere once is enough. Of crowds, how often each of them comes; default 1."`
	Seed   uint64 `default:"1" placeholder:"N" help:"Fixes sizes and losses; default 1."`
	Think  string `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it. With --clients, the times between two pages: a list of 5s, 4s-6s for any between the two, ~5s for exponential ones with that mean."`
	flags.PolicyFlags
	flags.CrowdGridFlags
	Workers int      `placeholder:"N" help:"Paths under way side by side; default all cores. The result is the same."`
	Output  []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the result too: .csv, a line for each strategy on each network; .json, .txt, .html; - is standard output, in JSON."`
	JSON    bool     `help:"Print JSON, as -o -."`
	flags.WideFlag
	flags.QueriesFlag
}

// Run predicts strategies on each network of a grid. Cells go to the files of CSV and JSON as they
// come, and into what is drawn; none is kept.
func (c sweepCmd) Run(ctx context.Context, std console.Streams) error {
	if many, err := c.Many(); many || err != nil {
		return cmp.Or(err, c.crowds(ctx, std))
	}
	s, e, err := c.plan(ctx, std)
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, ".csv", ".json", ".txt", ".html")
	if err != nil {
		return err
	}
	defer out.Discard()
	about := sweep.Of(s.Workload, s.Strategies, s.Grid, s.Seed, s.Trials)
	result, err := c.document(s, e, about, out)
	if err != nil {
		return err
	}
	defer seldomCollecting(std)()
	bar := underway.New(out)
	bar.Unit = "network"
	bar.Lines = func(r run.Progress, o text.Options, rows int) []string {
		return text.Sweeping(about, s.Grid.Path(min(r.Done, r.Total-1)), bar.Run(r), o, rows)
	}
	outcome := func(t *trace.Trace, err error) sweep.Outcome { return sweep.OutcomeOf(t, s.Workload, err) }
	done, err := run.Over(ctx, e, s, outcome, result.Add, bar.Tell)
	bar.Clear()
	if done == 0 {
		if err == nil && ctx.Err() != nil {
			err = fault.Interrupted("interrupted before the first network was predicted")
		}
		return err
	}
	err = errors.Join(err, result.End(), out.Write(func(ending string, w io.Writer) error {
		return result.Write(w, ending, out.Layout(w))
	}))
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	case result.Survey.Unknown == done && result.Survey.Known() == 0:
		return fault.Unmet("nothing is known of any network; the reasons stand above")
	}
	return nil
}

// seldomCollecting has memory collected seldom until what it returns is called, unless the user says
// how often: a run leaves hardly anything behind, so that it costs little memory, and often a
// quarter of the time.
func seldomCollecting(std console.Streams) func() {
	if std.Env("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(400)
	return func() { debug.SetGCPercent(before) }
}

// crowds predicts what serves crowds best. The cells are few, and written when all are done.
func (c sweepCmd) crowds(ctx context.Context, std console.Streams) error {
	p, err := c.crowdPlan(ctx, std)
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, ".csv", ".json", ".txt", ".html")
	if err != nil {
		return err
	}
	defer out.Discard()
	defer seldomCollecting(std)()
	bar := underway.New(out)
	bar.Unit = "crowd"
	var cells []crowdsweep.Cell
	done, err := run.Cells(ctx, p.Grid.Cells(), cmp.Or(c.Workers, runtime.NumCPU()),
		func(ctx context.Context, cell int) []crowdsweep.Cell { return sweeps.Cell(ctx, version, p, cell) },
		func(_ int, seen []crowdsweep.Cell) error { cells = append(cells, seen...); return nil }, bar.Tell)
	bar.Clear()
	if done == 0 {
		return cmp.Or(err, fault.Interrupted("interrupted before the first crowd was predicted"))
	}
	err = cmp.Or(err, out.Write(func(ending string, w io.Writer) error {
		return document.CrowdMap(w, p, cells, ending, out.Layout(w), html.Options{Version: version, Command: c.command(), Queries: c.ShowQueries})
	}))
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	case p.SurveyOf(cells).None == done:
		return fault.Unmet("no choice serves every page of any crowd; --wide says how many failed or did not end")
	}
	return nil
}

// crowdPlan reads what is to be predicted of crowds.
func (c sweepCmd) crowdPlan(ctx context.Context, std console.Streams) (p crowdsweep.Plan, err error) {
	p = crowdsweep.Plan{Seed: c.Seed, Trials: c.trials(1), BreakEven: tune.Asked{}.BreakEven(0), Budget: int(c.ConnectionsBudget)}
	if p.Grid, p.Crowd, p.Capacity, err = c.CrowdGridFlags.Parse(c.Think, c.IdleTimeout, c.Steps); err != nil {
		return p, err
	}
	if p.Network, err = c.One(); err != nil {
		return p, err
	}
	server := c.PolicyFlags
	server.IdleTimeout = "" // the grid's
	if p.Server, err = server.Parse(); err != nil {
		return p, err
	}
	if flags.IsURL(c.Workload) {
		return p, fault.Usage("%q is a URL; have it fetched once with linger get -o page.har, and sweep that", c.Workload)
	}
	w, notes, err := flags.Load(ctx, c.Workload, c.Seed)
	if err != nil {
		return p, err
	}
	if n := len(w.Origins); n > 1 {
		notes = append(notes, fmt.Sprintf("its %d origins are taken as one, from which each client loads all", n))
		w = w.Merged()
	}
	if p.Workload, err = flags.Adjust(w, c.Scheme, ""); err != nil {
		return p, err
	}
	if p.Workload.Scheme == linger.SchemeDNS {
		return p, fault.Usage("%s is looked up by one client; many clients load pages: name another workload, or leave out --clients", p.Workload.Name)
	}
	if p.Strategies, err = rig.Clients(rig.OwnClient, cmp.Or(c.Strategies, sweeps.DefaultStrategies(p.Workload.Scheme)), p.Workload); err != nil {
		return p, err
	}
	if err := sweeps.Validate(p); err != nil {
		return p, err
	}
	for _, note := range append(notes, sweeps.Notes(p, cmp.Or(c.Workers, runtime.NumCPU()))...) {
		std.Note("%s", note)
	}
	return p, nil
}

// plan reads what is to be predicted, and by what.
func (c sweepCmd) plan(ctx context.Context, std console.Streams) (s run.Sweep, e rig.Sim, err error) {
	grid, err := c.GridFlags.Parse()
	if err != nil {
		return s, e, err
	}
	e = rig.Sim{Version: version, Events: rig.SweepEvents}
	if e.Policy, err = c.PolicyFlags.Parse(); err != nil {
		return s, e, err
	}
	if flags.IsURL(c.Workload) {
		return s, e, fault.Usage("%q is a URL; have it fetched once with linger get -o page.har, and sweep that", c.Workload)
	}
	w, notes, err := flags.Load(ctx, c.Workload, c.Seed)
	if err != nil {
		return s, e, err
	}
	if w, err = flags.Adjust(w, c.Scheme, c.Think); err != nil {
		return s, e, err
	}
	strategies, err := rig.Clients(rig.OwnClient, c.Strategies, w)
	if err != nil {
		return s, e, err
	}
	// What cannot be predicted is the same on every network.
	plan := run.Plan{Workload: w, Strategies: strategies, Network: grid.Path(0), Seed: c.Seed, Trials: c.trials(sweepTrials), Workers: cmp.Or(c.Workers, runtime.NumCPU())}
	if err := plan.Validate(); err != nil {
		return s, e, fault.Usage("%w", err)
	}
	for _, note := range notes {
		std.Note("%s", note)
	}
	modelled, err := rig.Forecast(plan, c.Strategies != "", std.Note)
	return run.Sweep{Workload: w, Strategies: modelled.Strategies, Grid: grid, Seed: c.Seed, Trials: c.trials(sweepTrials), Workers: plan.Workers}, e, err
}

// document begins what is written.
func (c sweepCmd) document(s run.Sweep, e rig.Sim, about sweep.Sweep, out *console.Outputs) (*document.Sweep, error) {
	model, err := modelFor(e, s.Workload, s.Strategies, c.Workload, c.fetching(), c.trials(sweepTrials))
	if err != nil {
		return nil, err
	}
	d := document.NewSweep(about, s.Workload, s.Strategies, s.Grid, html.Options{Version: version, Command: c.command(), Queries: c.ShowQueries, Model: model})
	files, err := out.Take(".csv", ".json")
	for i := 0; err == nil && i < len(files); i++ {
		err = d.Stream(files[i].Ending, files[i])
	}
	return d, err
}

// sweepTrials is how often a strategy runs on a network that loses packets, where nothing is said.
const sweepTrials = 5

// trials is how often each runs; standard is where nothing is said.
func (c sweepCmd) trials(standard int) int {
	if c.Trials == nil {
		return standard
	}
	return *c.Trials
}

// givenTrials are those of the command line, where they are not as many as anyway.
func (c sweepCmd) givenTrials() string {
	standard := sweepTrials
	if c.Clients != "" {
		standard = 1
	}
	if n := c.trials(standard); n != standard {
		return fmt.Sprint(n)
	}
	return ""
}

// command is how to run the same again.
func (c sweepCmd) command() string {
	words := []string{"linger", "sweep"}
	if c.Workload != linger.DefaultWorkload {
		words = append(words, flags.Quote(c.Workload))
	}
	for _, part := range [][]string{
		flags.Settings([][3]string{{"--strategies", c.Strategies, ""}, {"--scheme", c.Scheme, ""}}),
		c.GridFlags.Words(),
		flags.Settings([][3]string{{"--trials", c.givenTrials(), ""}, {"--seed", fmt.Sprint(c.Seed), "1"}, {"--think", c.Think, ""}}),
		c.PolicyFlags.Words(),
		c.CrowdGridFlags.Words(),
	} {
		words = append(words, part...)
	}
	return strings.Join(words, " ")
}

// fetching are the flags that say how and from what kind of server is fetched.
func (c sweepCmd) fetching() []string {
	var words []string
	if c.Think != "" {
		words = append(words, "--think", flags.Quote(c.Think))
	}
	return append(words, c.PolicyFlags.Words()...)
}
