package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"linger"
	"linger/compare"
	"linger/docs"
	"linger/report"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/run"
	"linger/trace"
)

type sweepCmd struct {
	Workload string `arg:"" optional:"" default:"${workload}" help:"${workloads}; or a .har file; or a list of your own (docs/workloads.md). Default ${workload}."`

	Strategies string `short:"s" placeholder:"LIST" help:"What to compare: ${forms}; :N for N connections; behind a + ${modifiers}. Default ${strategies}; in cleartext ${plain}."`
	Scheme     string `placeholder:"http|https" help:"Cleartext, or TLS 1.3; default what the workload has."`
	Network    string `placeholder:"LIST" help:"Named networks instead of a grid: all, or some of ${networks}."`
	RTT        string `placeholder:"LIST" help:"Round-trip times: a list with commas of values and ranges in equal ratios. Default ${rtts}."`
	Down       string `placeholder:"LIST" help:"Rates towards the client, in the same way. Default ${downs}."`
	Up         string `placeholder:"RATE" help:"Rate towards the origin; default that towards the client."`
	Loss       string `default:"${losses}" placeholder:"LIST" help:"Packets lost each way, in the same way. Default ${losses}."`
	Queue      string `placeholder:"D" help:"Waiting room before each bottleneck, as time at its rate; default 100ms, but at least 32 packets."`
	Steps      int    `default:"12" placeholder:"N" help:"How many values a range has; default 12."`
	Trials     int    `default:"5" placeholder:"N" help:"How often each strategy runs where packets are lost; default 5. Elsewhere once is enough."`
	Seed       uint64 `default:"1" placeholder:"N" help:"Fixes sizes and losses; default 1."`
	Think      string `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it."`
	serverPolicyFlags
	Workers int      `placeholder:"N" help:"Paths under way side by side; default all cores. The result is the same."`
	Output  []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the result too: .csv, a line for each strategy on each network; .json, .txt, .html; - is standard output, in JSON."`
	JSON    bool     `help:"Print JSON, as -o -."`
	wideFlag
	queriesFlag
}

// The grid of a sweep that names none: from a city to a satellite, from a slow mobile
// network to a fast wired one.
const (
	sweepRTTs   = "5ms..600ms"
	sweepDowns  = "1mbit..1gbit"
	sweepLosses = "0%,1%"
)

// sweepEvents is the budget of one run of a sweep: a fraction of a second, and a
// thousand times what a gallery takes.
const sweepEvents = 2_000_000

func (c sweepCmd) Run(ctx context.Context, std streams) error {
	grid, err := c.grid()
	if err != nil {
		return err
	}
	serverPolicy, err := c.serverPolicyFlags.parse()
	if err != nil {
		return err
	}
	if isURL(c.Workload) {
		return usage("%q is a URL; have it fetched once with linger get -o page.har, and sweep that", c.Workload)
	}
	w, notes, err := loadWorkload(c.Workload, c.Seed)
	if err != nil {
		return err
	}
	if w, err = adjust(w, c.Scheme, c.Think); err != nil {
		return err
	}
	strategies, err := clients(ownClient, c.Strategies, w)
	if err != nil {
		return err
	}
	// What cannot be predicted is the same on every network.
	plan := run.Plan{Workload: w, Strategies: strategies, Network: grid.Path(0), Seed: c.Seed, Trials: c.Trials, Workers: cmp.Or(c.Workers, runtime.NumCPU())}
	if err := plan.Validate(); err != nil {
		return usage("%w", err)
	}
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	modelled, err := forecast(plan, c.Strategies != "", std.err)
	if err != nil {
		return err
	}
	sweep := run.Sweep{Workload: w, Strategies: modelled.Strategies, Grid: grid, Seed: c.Seed, Trials: c.Trials, Workers: plan.Workers}
	out, err := openOutputs(c.Output, c.JSON, std, ".csv", ".json", ".txt", ".html")
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	return c.sweep(ctx, sweep, simEngine{policy: serverPolicy, events: sweepEvents}, out, std)
}

// sweep carries it out: cells go to the files of CSV and JSON as they come, and into
// what is drawn; none is kept.
func (c sweepCmd) sweep(ctx context.Context, s run.Sweep, e simEngine, out *outputs, std streams) error {
	about := compare.SweepOf(s.Workload, s.Strategies, s.Grid, s.Seed, s.Trials)
	limits := limits()
	model, err := e.model(s.Workload, s.Strategies, c.Workload, c.fetching(), c.Trials)
	if err != nil {
		return err
	}
	layout := html.Options{Version: version, Command: c.command(), Queries: c.ShowQueries, Model: model, Limits: limits}
	surveyor := compare.NewSurveyor(about, s.Grid.Paths())
	drawn, page := report.NewMap(about, false), report.NewMap(about, true)
	var written *sinks
	each := func(i int, seen [][]compare.Outcome) error {
		cell := compare.CellOf(s.Grid.Path(i), s.Strategies, seen)
		surveyor.Add(cell)
		drawn.Add(i, cell)
		page.Add(i, cell)
		if written == nil {
			// Not before there is something: an older result is worth more than nothing.
			written = openSinks(out, about, limits)
		}
		return written.add(cell)
	}
	if std.env("GOGC") == "" {
		// A run leaves hardly anything behind, so that collecting seldom costs little
		// memory, and often a quarter of the time.
		defer debug.SetGCPercent(debug.SetGCPercent(400))
	}
	bar := newProgress(std, func() text.Options { return out.layout(std.err) })
	bar.unit = "network"
	bar.lines = func(r run.Progress, o text.Options, rows int) []string {
		next := s.Grid.Path(min(r.Done, r.Total-1))
		return text.Sweeping(about, next, bar.run(r), o, rows)
	}
	done, err := run.Over(ctx, e, s, outcome(s.Workload), each, bar.tell)
	bar.clear()
	survey := surveyor.Survey()
	if written != nil {
		err = errors.Join(err, written.close(survey))
	}
	if done == 0 {
		if err == nil && ctx.Err() != nil {
			err = statusError{exitInterrupted, errors.New("interrupted before the first network was predicted")}
		}
		return err
	}
	err = errors.Join(err, out.write(func(ending string, w io.Writer) error {
		if ending == ".html" {
			return html.Sweep(w, page, survey, s.Workload, s.Strategies, s.Grid, layout)
		}
		o := out.layout(w)
		o.Command, o.Limits = layout.Command, limits
		return text.Sweep(w, drawn, survey, o)
	}))
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return statusError{status: exitInterrupted}
	case survey.Unknown == done && survey.Known() == 0:
		return statusError{exitAssertion, errors.New("nothing is known of any network; the reasons stand above")}
	}
	return nil
}

// outcome keeps of a trial what a sweep needs.
func outcome(w linger.Workload) func(*trace.Trace, error) compare.Outcome {
	return func(t *trace.Trace, err error) compare.Outcome { return compare.OutcomeOf(t, w, err) }
}

// grid reads the flags of the networks.
func (c sweepCmd) grid() (linger.Grid, error) {
	g := linger.Grid{Queue: linger.DefaultQueue}
	var err error
	for _, part := range []struct {
		flag, value string
		set         func(string) error
	}{
		{"--network", c.Network, func(s string) error { g.Named, err = namedPaths(s); return err }},
		{"--rtt", cmp.Or(c.RTT, sweepRTTs), func(s string) error { g.RTT, err = linger.ParseRTTs(s, c.Steps); return err }},
		{"--down", cmp.Or(c.Down, sweepDowns), func(s string) error { g.Down, err = linger.ParseRates(s, c.Steps); return err }},
		{"--loss", c.Loss, func(s string) error { g.Loss, err = linger.ParseLosses(s, c.Steps); return err }},
		{"--queue", c.Queue, func(s string) error { g.Queue, err = parseDuration(s); return err }},
		{"--up", c.Up, func(s string) error {
			up, err := linger.ParseRate(s)
			g.Up = linger.Known(up)
			return err
		}},
	} {
		if part.value == "" {
			continue
		}
		if err := part.set(part.value); err != nil {
			return g, usage("%s: %w", part.flag, err)
		}
	}
	for _, flag := range []struct{ name, value string }{{"--rtt", c.RTT}, {"--down", c.Down}, {"--up", c.Up}} {
		if c.Network != "" && flag.value != "" {
			return g, usage("%s: the named networks have theirs; leave it out, or --network", flag.name)
		}
	}
	if err := g.Validate(); err != nil {
		return g, usage("%w", err)
	}
	return g, nil
}

// namedPaths reads a list of names; all is every one.
func namedPaths(list string) ([]linger.Network, error) {
	if list == "all" {
		return linger.Networks(), nil
	}
	var out []linger.Network
	seen := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		n, err := linger.ParseNetwork(strings.TrimSpace(name))
		switch {
		case err != nil:
			return nil, err
		case seen[n.Name]:
			return nil, fmt.Errorf("%s stands twice; name it once", n.Name)
		}
		seen[n.Name] = true
		out = append(out, n)
	}
	return out, nil
}

// command is how to run the same again.
func (c sweepCmd) command() string {
	words := []string{"linger", "sweep"}
	if c.Workload != linger.DefaultWorkload {
		words = append(words, quote(c.Workload))
	}
	for _, f := range []struct{ flag, value, standard string }{
		{"--strategies", c.Strategies, ""}, {"--scheme", c.Scheme, ""}, {"--network", c.Network, ""}, {"--rtt", c.RTT, ""}, {"--down", c.Down, ""},
		{"--up", c.Up, ""}, {"--loss", c.Loss, sweepLosses}, {"--queue", c.Queue, ""}, {"--steps", fmt.Sprint(c.Steps), "12"},
		{"--trials", fmt.Sprint(c.Trials), "5"}, {"--seed", fmt.Sprint(c.Seed), "1"}, {"--think", c.Think, ""},
	} {
		if f.value != f.standard {
			words = append(words, f.flag, quote(f.value))
		}
	}
	return strings.Join(append(words, c.serverPolicyFlags.words()...), " ")
}

// fetching are the flags that say how and from what kind of server is fetched.
func (c sweepCmd) fetching() []string {
	var words []string
	if c.Think != "" {
		words = append(words, "--think", quote(c.Think))
	}
	return append(words, c.serverPolicyFlags.words()...)
}

// limits are what predictions leave out, as docs/simulator.md has it.
func limits() []report.Limit {
	var out []report.Limit
	for _, l := range docs.NotModelled() {
		out = append(out, report.Limit(l))
	}
	return out
}

// sinks are the files that cells are written to as they come.
type sinks struct {
	csv   []*formats.SweepCSV
	json  []*formats.SweepJSON
	files []*os.File
	names []string
	err   error // of opening them
}

// openSinks takes over the files of CSV and JSON.
func openSinks(out *outputs, s compare.Sweep, limits []report.Limit) *sinks {
	k := &sinks{}
	for _, f := range out.take(".csv", ".json") {
		k.files, k.names = append(k.files, f.file), append(k.names, f.name)
		if f.ending == ".csv" {
			k.csv = append(k.csv, formats.NewSweepCSV(f.file))
			continue
		}
		j, err := formats.NewSweepJSON(f.file, s, version, limits)
		if err != nil {
			k.err = err
			continue
		}
		k.json = append(k.json, j)
	}
	return k
}

func (k *sinks) add(c compare.Cell) error {
	err := k.err
	for _, s := range k.csv {
		err = errors.Join(err, s.Add(c))
	}
	for _, s := range k.json {
		err = errors.Join(err, s.Add(c))
	}
	return k.wrapped(err)
}

func (k *sinks) close(v compare.Survey) error {
	var err error
	for _, s := range k.csv {
		err = errors.Join(err, s.Close())
	}
	for _, s := range k.json {
		err = errors.Join(err, s.Close(v))
	}
	for i, f := range k.files {
		if k.names[i] != "-" {
			err = errors.Join(err, f.Close())
		}
	}
	return k.wrapped(err)
}

// wrapped says which files it was about.
func (k *sinks) wrapped(err error) error {
	if err == nil {
		return nil
	}
	return statusError{exitMachine, fmt.Errorf("-o %s: %w; the result is not whole there", strings.Join(k.names, ", "), err)}
}
