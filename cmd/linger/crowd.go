package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"linger"
	"linger/assert"
	"linger/compare/assertion"
	"linger/compare/crowd"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/report/document"
	"linger/report/underway"
	"linger/rig"
	"linger/rig/crowds"
)

// isCrowd reports whether many clients are meant.
func (c compareCmd) isCrowd() (bool, error) { return c.CrowdFlags.Many(c.CapacityFlags.Words()) }

// crowd compares strategies under many clients.
func (c compareCmd) crowd(ctx context.Context, std console.Streams) error {
	c.Workload = flags.AsURL(c.Workload, std)
	plan, notes, err := c.many(ctx, std)
	defer func() { // also where there is no plan: the server may run by then
		explainOwn(std, plan.Own)
		plan.Own.Close()
	}()
	if err != nil {
		return err
	}
	asserted, err := flags.Assertions(c.Assert, assertion.CrowdVocabulary(plan.Subjects()...))
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, document.CrowdEndings...)
	if err != nil {
		return err
	}
	defer out.Discard()
	for _, note := range append(notes, plan.Forewarn()...) {
		std.Note("%s", note)
	}
	screen := underway.New(out)
	var names []string
	for _, s := range plan.Subjects() {
		names = append(names, s.Name)
	}
	screen.Crowd(document.CrowdTitle(plan.Planned()), names)
	measured, err := plan.Run(ctx, screen)
	if err != nil {
		return err
	}
	result := crowd.Compare(measured)
	result.Asserted = assert.Decide(asserted, assertion.CrowdFigures(result))
	err = writeAs(out, c.command(), c.ShowQueries, func(w io.Writer, ending string, o document.Options) error {
		o.Text.Version = version
		return document.WriteCrowd(w, ending, result, measured.Runs, o)
	})
	if err == nil && ctx.Err() != nil {
		return fault.Silent(fault.StoppedEarly)
	}
	return cmp.Or(err, crowds.Shortfall(measured), flags.Broken(result.Asserted))
}

// many is what the flags say of many clients. The notes say what was taken how, a sentence each.
func (c compareCmd) many(ctx context.Context, std console.Streams) (plan crowds.Comparison, notes []string, err error) {
	if err := c.loners(); err != nil {
		return plan, nil, err
	}
	plan = crowds.Comparison{Version: version, Seed: c.Seed, Named: c.Strategies != ""}
	if plan.On, err = rig.ParseEngines(c.On); err != nil {
		return plan, nil, err
	}
	if plan.On.Live || plan.On.Lab && plan.On.Sim {
		return plan, nil, fault.Usage("--on %s: many clients are in the lab or predicted; write lab or sim", c.On)
	}
	if c.Network == "all" || strings.Contains(c.Network, ",") {
		return plan, nil, fault.Usage("--network %s: many clients are compared on one network; name one", c.Network)
	}
	if plan.Network, err = c.NetworkFlags.Parse(); err != nil {
		return plan, nil, err
	}
	if plan.Policy, err = c.PolicyFlags.Parse(); err != nil {
		return plan, nil, err
	}
	if plan.Capacity, err = c.CapacityFlags.Parse(0); err != nil {
		return plan, nil, err
	}
	if plan.Patience, err = c.Within(cmp.Or(c.Timeout, "2m")); err != nil {
		return plan, nil, err
	}
	if plan.Crowd, err = c.CrowdFlags.Parse(c.Think); err != nil {
		return plan, nil, err
	}
	if flags.IsURL(c.Workload) {
		plan.Workload, notes, err = c.ownPage(ctx, std, &plan)
	} else {
		plan.Workload, notes, err = c.loaded(ctx)
	}
	if err != nil {
		return plan, nil, err
	}
	if len(plan.Crowd.Mix) == 0 {
		list := cmp.Or(c.Strategies, crowds.DefaultStrategies(plan.Workload.Scheme))
		if plan.Strategies, err = rig.Clients(rig.OwnClient, list, plan.Workload); err != nil {
			return plan, nil, err
		}
	}
	if plan.Trials = crowds.StandardTrials; c.Trials != nil {
		plan.Trials = *c.Trials
	}
	return plan, notes, plan.Validate()
}

// ownPage is the page that each client loads from a server of the user's own, which is visited once
// to see what it is made of.
func (c compareCmd) ownPage(ctx context.Context, std console.Streams, plan *crowds.Comparison) (linger.Workload, []string, error) {
	var none linger.Workload
	if c.Scheme != "" {
		return none, nil, fault.Usage("--scheme: the URL says it; leave it out")
	}
	err := c.suits() // before anybody is asked
	if err == nil {
		plan.Own, err = c.Own(c.Workload, c.ReachFlags, rig.Agent(version), nil)
	}
	if err != nil {
		return none, nil, err
	}
	config, err := c.Config(rig.Agent(version))
	if err != nil {
		return none, nil, err
	}
	page, err := rig.Visit(ctx, c.Workload, config, plan.Own, 0, plan.Patience, std.Note)
	if err != nil {
		return none, nil, err
	}
	w, notes := page.Outside()
	return w, notes, nil
}

// loaded is the workload that each client loads, from one origin.
func (c compareCmd) loaded(ctx context.Context) (linger.Workload, []string, error) {
	w, notes, err := flags.Load(ctx, c.Workload, c.Seed)
	if err != nil {
		return w, nil, err
	}
	if w.Scheme == linger.SchemeDNS {
		return w, nil, fault.Usage("%s is looked up by one client, and many clients load pages; name another workload, or leave out --clients", w.Name)
	}
	if n := len(w.Origins); n > 1 {
		notes = append(notes, fmt.Sprintf("its %d origins are taken as one, from which each client loads all", n))
		w = w.Merged()
	}
	w, err = flags.Adjust(w, c.Scheme, "")
	return w, notes, err
}

// loners reports a flag that is about one client.
func (c compareCmd) loners() error {
	words := c.NamesFlags.Words()
	switch own := c.OriginCommand != ""; {
	case flags.IsURL(c.Workload) && !own:
		return fault.Usage("many clients load a page in the lab; say by --origin-command how its server is started, or have it fetched once with linger get -o page.har, and compare that")
	case own && !flags.IsURL(c.Workload):
		_, err := c.Own(c.Workload, c.ReachFlags, "", nil) // which says why not
		return err
	case own && c.On != "" && c.On != "lab":
		return fault.Usage("--on %s: a server of your own is measured in the lab; leave out one of --on and --origin-command", c.On)
	case own && len(c.Server) > 0:
		words = append(words, "--server")
	case !own:
		words = append(words, c.ServerFlags.Words()...)
	}
	words = append(words, flags.Given(
		flags.If("--browser", c.Browser != rig.OwnClient), flags.If("--ladder", c.Ladder != ""), flags.If("--workers", c.Workers != 0))...)
	if len(words) > 0 {
		return fault.Usage("%s is of one client; leave it out, or --clients", words[0])
	}
	if c.Strategies != "" && c.Mix != "" {
		return fault.Usage("--mix names the strategies itself; leave out -s, or --mix")
	}
	return nil
}
