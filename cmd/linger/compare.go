package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/browser"
	"linger/compare"
	"linger/lab"
	"linger/live"
	"linger/report/text"
	"linger/run"
	"linger/trace"
)

type compareCmd struct {
	Workload string `arg:"" optional:"" default:"${workload}" help:"${workloads}; or a .har file; or a list of your own (docs/workloads.md); or the http or https URL of a page. Default ${workload}."`
	Against  string `arg:"" optional:"" placeholder:"AFTER.json" help:"Two results, BEFORE.json AFTER.json, as -o wrote them: what has changed."`

	Strategies string `short:"s" placeholder:"LIST" help:"What to compare: ${forms}; :N for N connections; behind a + ${modifiers}. Default ${strategies}; in cleartext ${plain}."`
	Scheme     string `placeholder:"http|https" help:"Cleartext, or TLS 1.3; default what the workload has."`
	networkFlags
	Trials *int   `placeholder:"N" help:"How often each strategy runs. Default 5; 4 of one that takes long, where they settle its order and nothing but the screen is asked for."`
	Seed   uint64 `default:"1" placeholder:"N" help:"Fixes sizes, order of trials and losses; default 1."`
	Think  string `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it."`
	namesFlags
	serverPolicyFlags
	serverFlags
	Client  string   `default:"linger" placeholder:"LIST" help:"Who fetches: linger; or chromium, a real browser in the lab, for close:6, keep:6, h2 and h3; or both, linger,chromium. Default linger."`
	Workers int      `placeholder:"N" help:"Trials side by side; default what this machine carries on time."`
	Timeout string   `default:"10m" placeholder:"D" help:"After how long a trial is given up; default 10m."`
	On      string   `default:"" placeholder:"lab|live|sim" help:"Where it runs: lab, the emulated network; live, the network that there is, for dns and URLs; sim, nowhere: predicted. lab,sim does both and tells how far off. Default lab, where a URL is fetched once and then served from here, and sim where there can be no lab; live with --server."`
	Assert  []string `sep:"none" placeholder:"WHAT" help:"A condition, as 'time[\"h2\"]<=1.2s && failed[\"h2\"]==0'; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output  []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the result too: .json, .csv, .txt, .html, .xml (JUnit), .sarif, .prom (OpenMetrics); .trace, which linger report reads; or of each strategy's first trial .pcapng, with the secrets that decrypt it, .qlog or .har; - is standard output, in JSON."`
	JSON    bool     `help:"Print JSON, as -o -."`
	wideFlag
	queriesFlag
}

func (c compareCmd) Run(ctx context.Context, std streams) error {
	if c.Against != "" || strings.EqualFold(filepath.Ext(c.Workload), ".json") && !isURL(c.Workload) {
		return c.difference(std)
	}
	inLab, _, inSim, err := engines(c.On)
	if err != nil {
		return err
	}
	network, err := c.networkFlags.parse()
	if err != nil {
		return err
	}
	serverPolicy, err := c.serverPolicyFlags.parse()
	if err != nil {
		return err
	}
	timeout, err := c.within(c.Timeout)
	if err != nil {
		return err
	}
	// The strategies are known once the workload is; what else may be wrong is said before.
	if _, err := assertions(c.Assert, compare.Vocabulary()); err != nil {
		return err
	}
	w, notes, page, pace, err := c.load(ctx, std, timeout)
	if err != nil {
		return err
	}
	if _, note := serversOf(w); note != "" && !c.isLive() {
		notes = append(notes, note)
	}
	if c.Strategies, err = c.narrow(c.Strategies, linger.DefaultStrategies(w.Scheme)); err != nil {
		return err
	}
	strategies, err := clients(c.Client, c.Strategies, w)
	if err != nil {
		return err
	}
	asserted, err := assertions(c.Assert, compare.Vocabulary(strategies...))
	if err != nil {
		return err
	}
	if c.isLive() && isBrowsed(strategies) {
		return usage("--client %s: a browser is measured in the lab; leave out --on live", c.Client)
	}
	var outside liveEngine
	var warning string
	plan := run.Plan{
		Workload: w, Strategies: strategies, Network: network, Seed: c.Seed,
		Trials: c.trials(), Still: stillTrials, Workers: 1, Timeout: timeout,
	}
	if c.isLive() {
		if outside, plan.Network, warning, err = c.live(w, page, strategies, &pace); err != nil {
			return err
		}
		plan.Still = 0
	} else if words := c.serverFlags.words(); len(words) > 0 && !isURL(c.Workload) {
		return usage("%s is about a server outside; the lab has its own: use it with --on live", words[0])
	} else {
		c.sideBySide(&plan)
	}
	if err := plan.Validate(); err != nil {
		return usage("%w", err)
	}
	endings := []string{".json", ".csv", ".txt", ".html", ".trace"}
	if !c.isLive() && (inLab || !inSim) { // packets are seen in the lab only
		endings = append(endings, ".pcapng", ".qlog")
		if w.Scheme != linger.SchemeDNS {
			endings = append(endings, ".har") // which is of HTTP
		}
	}
	out, err := openOutputs(c.Output, c.JSON, std, append(endings, forPrograms...)...)
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}

	if out.named(".qlog") != "" && !slices.ContainsFunc(strategies, func(s linger.Strategy) bool { return s.QUIC() && s.Client == "" }) {
		return usage("-o %s: a qlog is of linger's own QUIC; have h3, doq or doh3 among the strategies", out.named(".qlog"))
	}

	bar := newProgress(std, func() text.Options { return out.layout(std.err) })
	var lost losses
	var engine run.Engine = labEngine{policy: serverPolicy, keep: firstTrials(out, plan.Network, std.env("SSLKEYLOGFILE")), lost: lost.add, pace: pace}
	model := simEngine{policy: serverPolicy, pace: pace}
	switch {
	case c.isLive():
		fmt.Fprintln(std.err, "linger: "+warning)
		engine = outside
		bar.measuring(nil)
	case inSim && !inLab:
		engine = model
		if plan, err = forecast(plan, c.Strategies != "", std.err); err != nil {
			return err
		}
	default:
		foreseen := foresee(ctx, model, plan)
		plan.Expected = expected(plan, foreseen)
		bar.measuring(foreseen)
		if c.Trials == nil && len(asserted) == 0 && len(out.files) == 0 {
			// What is kept is held against other results later, which takes all trials.
			plan.Enough = enoughTrials
		}
	}
	experiment, err := run.Run(ctx, engine, plan, bar.tell)
	bar.clear()
	if errors.Is(err, lab.ErrUnsupported) && c.On == "" && !out.wantsPackets() {
		// It would be refused for the same reason as with --on sim, then in its words.
		if instead, none := forecast(plan, false, std.err); none == nil {
			fmt.Fprintf(std.err, "linger: %s; predicting instead, as with --on sim\n", oneLine(err.Error()))
			c.On, bar.lines = "sim", nil
			experiment, err = run.Run(ctx, model, instead, bar.tell)
			bar.clear()
		}
	}
	if experiment == nil || experiment.Engine == "" {
		if ctx.Err() != nil {
			err = statusError{exitInterrupted, errors.New("interrupted before the first trial was over")}
		}
		return err
	}
	if err != nil {
		// What was measured until then is shown all the same.
		fmt.Fprintf(std.err, "linger: %s\n", oneLine(err.Error()))
	}
	if experiment.Provenance == trace.Measured {
		experiment.Machine = thisMachine()
	}
	measured := result{
		input:    *experiment,
		source:   trace.Source{Kind: trace.KindExperiment, Linger: version, Command: c.command()},
		asserted: asserted,
	}
	if kept := modelled(plan); len(kept) > 0 && !c.isLive() { // pages have what predicts the same
		m, err := model.model(w, kept, c.Workload, c.fetching(), c.trials())
		if err != nil {
			return err
		}
		if measured.source.Model, err = json.Marshal(m); err != nil {
			return err
		}
	}
	write := measured.as(out, c.ShowQueries)
	if inSim && inLab {
		var failed error
		if write, failed = beside(ctx, model, plan, measured, out, c.ShowQueries, write, std.err); failed != nil {
			fmt.Fprintf(std.err, "linger: %s\n", oneLine(failed.Error()))
		}
	}
	err = errors.Join(statusOf(err), lost.err(), out.write(write))
	if err == nil && ctx.Err() != nil {
		return statusError{status: exitInterrupted}
	}
	if err == nil && c.isLive() {
		err = outside.verdict(experiment)
	}
	if err == nil {
		err = shortfall(experiment, outside.mute)
	}
	return cmp.Or(err, brokenOf(measured.results()))
}

// shortfall is the error of an experiment that was run to its end and has trials that did
// not deliver the whole workload. It says how many of which
// strategy, and why. Mute are the strategies by which nothing came from a server of
// the user's own, which may not speak them: nothing is lost there.
func shortfall(x *trace.Experiment, mute map[string]string) error {
	var lost []string
	count := func(s linger.Strategy, planned int, what string, failures []string, traces []*trace.Trace) {
		for _, t := range traces {
			if why := failure(t); why != "" && !t.Interrupted {
				failures = append(slices.Clip(failures), why)
			}
		}
		if n := len(failures); n > 0 {
			lost = append(lost, fmt.Sprintf("%s: %d of %s failed (%s)", s.Name, n, linger.Plural(planned, what), failures[0]))
		}
	}
	for i, s := range x.Strategies {
		if mute[s.Name] != "" {
			continue
		}
		still := trace.At(x.StillFailures, i)
		count(s, x.Trials, "trial", trace.At(x.Failures, i), trace.At(x.Traces, i))
		count(s, len(trace.At(x.Still, i))+len(still), "zero-RTT trial", still, trace.At(x.Still, i))
	}
	if len(lost) > 0 {
		return statusError{exitAssertion, errors.New(strings.Join(lost, "; "))}
	}
	return nil
}

// failure is why a trial did not deliver everything, empty where it did.
func failure(t *trace.Trace) string {
	for _, e := range t.Exchanges {
		if e.Failed != "" {
			return e.Failed
		}
	}
	return ""
}

// isLive reports whether the network is the one that there is.
func (c compareCmd) isLive() bool { return c.On == "live" || c.On == "" && len(c.Server) > 0 }

// load returns the workload with what the flags say about it, what there is to say of
// it, the page that it is where it is a URL, and the least time between two requests.
func (c compareCmd) load(ctx context.Context, std streams, timeout time.Duration) (w linger.Workload, notes []string, page visited, pace time.Duration, err error) {
	names := c.namesFlags
	if isURL(c.Workload) {
		if c.isLive() && c.Scheme != "" {
			return w, nil, page, 0, usage("--scheme: the URL says it; leave it out, or use --on lab")
		}
		if c.Rate != "" {
			rate, err := parsePace(c.Rate)
			if err != nil {
				return w, nil, page, 0, err
			}
			pace, names.Rate = time.Duration(float64(time.Second)/rate), ""
		}
		if words := names.words(); len(words) > 0 {
			return w, nil, page, 0, usage("%s is for names; use it with the workload dns", words[0])
		}
		if err := c.suits(); err != nil { // before anybody is asked
			return w, nil, page, 0, err
		}
		if page, err = visit(ctx, std, c.Workload, c.serverFlags, pace, timeout); err != nil {
			return w, nil, page, 0, err
		}
		if w, notes = page.inLab(); c.isLive() {
			w, notes = page.outside()
		}
		w, err = adjust(w, c.Scheme, c.Think)
		if !c.isLive() {
			pace = 0 // it was for the server outside
		}
		return w, notes, page, pace, err
	}
	if w, notes, err = loadWorkload(c.Workload, c.Seed); err != nil {
		return w, nil, page, 0, err
	}
	if w, err = adjust(w, c.Scheme, c.Think); err != nil {
		return w, nil, page, 0, err
	}
	w, pace, err = names.apply(w, c.Seed)
	return w, notes, page, pace, err
}

// suits reports a strategy that cannot fetch from the URL.
func (c compareCmd) suits() error {
	scheme := c.Scheme
	if scheme == "" {
		scheme, _, _ = strings.Cut(strings.ToLower(c.Workload), "://")
	}
	strategies, err := linger.ParseStrategies(cmp.Or(c.Strategies, "close"))
	for i := 0; err == nil && i < len(strategies); i++ {
		err = strategies[i].Fits(scheme)
	}
	if err != nil {
		return usage("%w", err)
	}
	if c.isLive() && strings.Contains(c.Client, browser.Chromium) {
		return usage("--client %s: a browser is measured in the lab; leave out --on live", c.Client)
	}
	return nil
}

// live returns what measures over the network that there is, what that network is
// called, and how much will be asked of whom. Where nothing was said of a pace, queries
// have one.
func (c compareCmd) live(w linger.Workload, page visited, strategies []linger.Strategy, pace *time.Duration) (e liveEngine, n linger.Network, warning string, err error) {
	if w.Scheme != linger.SchemeDNS && !isURL(c.Workload) {
		return e, n, "", usage("--on live is for names and pages: use it with the workload dns, or a URL")
	}
	words := append(c.networkFlags.words(), c.serverPolicyFlags.words()...)
	if c.AnswerSize != 0 {
		words = append(words, "--answer-size")
	}
	if c.Delay != "" {
		words = append(words, "--delay")
	}
	if c.Workers > 1 {
		words = append(words, "--workers")
	}
	if len(words) > 0 {
		return e, n, "", usage("%s is of the lab; leave it out, or --server and --on live", words[0])
	}
	if isURL(c.Workload) {
		host, _, _ := net.SplitHostPort(page.config.Address)
		return newLiveEngine(func(linger.Strategy) live.Config { return page.config }, betweenLoads),
			linger.Network{Name: host}, forewarnLoads(page, len(strategies), c.trials(), *pace), nil
	}
	servers, err := c.resolvers(strategies)
	if err != nil {
		return e, n, "", err
	}
	config, err := c.liveConfig()
	if err != nil {
		return e, n, "", err
	}
	if c.Rate == "" {
		*pace = livePace
	}
	config.Limits.Pace = *pace
	reach := func(s linger.Strategy) live.Config {
		server, config := servers[s.Name], config
		config.Address, config.Path = server.address(s), server.path
		config.ServerName = server.host
		return config
	}
	return newLiveEngine(reach, 0), linger.Network{Name: servers[strategies[0].Name].host},
		forewarn(servers, strategies, c.trials(), len(w.Exchanges), *pace), nil
}

// statusOf keeps an error's exit status once its message has been printed.
func statusOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lab.ErrUnsupported):
		return statusError{status: exitMachine}
	case errors.Is(err, live.ErrUnreachable):
		return statusError{status: exitUnreachable}
	}
	return statusError{status: exitAssertion}
}

// command is the command line that gives the same again, without the defaults.
func (c compareCmd) command() string {
	words := []string{"linger", "compare"}
	add := func(flag, value, standard string) {
		if value != standard && value != "" {
			words = append(words, flag, quote(value))
		}
	}
	if c.Workload != linger.DefaultWorkload {
		words = append(words, quote(c.Workload))
	}
	add("--strategies", c.Strategies, "")
	add("--scheme", c.Scheme, "")
	words = append(words, c.networkFlags.words()...)
	if c.Trials != nil {
		add("--trials", fmt.Sprint(*c.Trials), "")
	}
	add("--seed", fmt.Sprint(c.Seed), "1")
	add("--think", c.Think, "")
	add("--timeout", c.Timeout, "10m")
	add("--client", c.Client, ownClient)
	if c.Workers != 0 {
		words = append(words, "--workers", fmt.Sprint(c.Workers))
	}
	words = append(words, c.namesFlags.words()...)
	words = append(words, c.serverPolicyFlags.words()...)
	words = append(words, c.serverFlags.words()...)
	for _, a := range c.Assert {
		words = append(words, "--assert", quote(a))
	}
	if c.On != "" && c.On != "lab" && len(c.Server) == 0 {
		words = append(words, "--on", c.On)
	}
	return strings.Join(words, " ")
}

// fetching are the flags that say how and from what kind of server is fetched, whatever
// the path and the strategies.
func (c compareCmd) fetching() []string {
	var words []string
	if c.Think != "" {
		words = append(words, "--think", quote(c.Think))
	}
	return append(append(words, c.namesFlags.words()...), c.serverPolicyFlags.words()...)
}

// quote makes a word safe for a shell.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]{}~#!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// firstTrials says what is kept of each strategy's first trial on the network
// itself: FILE.pcapng becomes FILE.STRATEGY.pcapng, and so do FILE.qlog and FILE.har.
func firstTrials(out *outputs, network linger.Network, keylog string) func(linger.Scenario, int) keepsakes {
	packets, qlog, har := out.named(".pcapng"), out.named(".qlog"), out.named(".har")
	return func(s linger.Scenario, trial int) keepsakes {
		if trial != 0 || s.Network != network {
			return keepsakes{}
		}
		named := func(file string) string {
			if file == "" {
				return ""
			}
			ending := filepath.Ext(file)
			return strings.TrimSuffix(file, ending) + "." + strings.ReplaceAll(s.Strategy.Name, ":", "-") + ending
		}
		return keepsakes{packets: named(packets), keylog: keylog, har: named(har), qlog: named(qlog)}
	}
}
