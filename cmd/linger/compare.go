package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/assert"
	"linger/browser"
	"linger/compare"
	"linger/compare/assertion"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/report/document"
	"linger/report/formats"
	"linger/report/underway"
	"linger/rig"
	"linger/rig/far"
	"linger/trace"
)

type compareCmd struct {
	Workload string `arg:"" optional:"" default:"${workload}" help:"${workloads}; or a .har file; or a list of your own (docs/workloads.md); or the http or https URL of a page. Default ${workload}."`
	Against  string `arg:"" optional:"" placeholder:"AFTER.json" help:"Two results, BEFORE.json AFTER.json, as -o wrote them: what has changed."`

	Strategies string `short:"s" placeholder:"LIST" help:"What to compare: ${forms}; :N for N connections; behind a + ${modifiers}. Default ${strategies}; in cleartext ${plain}; with --clients ${crowded}."`
	Scheme     string `placeholder:"http|https" help:"Cleartext, or TLS 1.3; default what the workload has."`
	flags.NetworkFlags
	Trials *int   `placeholder:"N" help:"How often each strategy runs. Default 5; 4 of one that takes long, where they settle its order and nothing but the screen is asked for. With --clients 1."`
	Seed   uint64 `default:"1" placeholder:"N" help:"Fixes sizes, order of trials and losses; default 1."`
	Think  string `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it. With --clients, between two pages of a client: 5s, 4s-6s for any between the two, or ~5s for exponential ones with that mean; default 5s."`
	flags.NamesFlags
	flags.PolicyFlags
	flags.CrowdFlags    `embed:"" group:"Many clients:"`
	flags.CapacityFlags `embed:"" group:"Many clients:"`
	flags.OriginCommandFlag
	flags.ServerFlags
	Browser string   `default:"linger" aliases:"client" placeholder:"LIST" help:"Who fetches: linger; or chromium, a real browser in the lab, for close:6, keep:6, h2 and h3; or both, linger,chromium. Default linger. Also --client."`
	Workers int      `placeholder:"N" help:"Trials side by side; default what this machine carries on time."`
	Timeout string   `placeholder:"D" help:"After how long a trial is given up; default 10m. With --clients, how long after the last page is due; default 2m."`
	On      string   `default:"" placeholder:"lab|live|sim" help:"Where it runs: lab, the emulated network; live, the network that there is, for dns and URLs; sim, nowhere: predicted. lab,sim does both and tells how far off. Default lab, where a URL is fetched once and then served from here, and sim where there can be no lab; live with --server."`
	Assert  []string `sep:"none" placeholder:"WHAT" help:"A condition, as 'time[\"h2\"]<=1.2s && failed[\"h2\"]==0'; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	flags.LadderFlag
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the result too: .json, .csv, .txt, .html, .xml (JUnit), .sarif, .prom (OpenMetrics); .mmd (Mermaid), the messages of one strategy; .trace, which linger report reads; or of each strategy's first trial .pcapng, with the secrets that decrypt it, .qlog or .har; - is standard output, in JSON."`
	JSON   bool     `help:"Print JSON, as -o -."`
	flags.WideFlag
	flags.QueriesFlag
}

// A comparing is what the flags of compare come to.
type comparing struct {
	rig.Comparison
	networks []linger.Network
	page     rig.Page  // of a URL
	own      *far.Own  // that is asked for it in the lab, if it is the user's own
	silent   *rig.Mute // of a server that is not ours
	asserted []assert.Assertion
	ladders  []int
	lost     rig.Losses
	// What is said before anything is measured: notes, and how much will be asked of whom.
	notes   []string
	warning string
}

// close lets go of the user's own server, and says how it failed.
func (p *comparing) close(std console.Streams) {
	explainOwn(std, p.own)
	p.own.Close()
}

// Run measures or predicts strategies side by side, and writes what came of them.
func (c compareCmd) Run(ctx context.Context, std console.Streams) error {
	if c.Against != "" || strings.EqualFold(filepath.Ext(c.Workload), ".json") && !flags.IsURL(c.Workload) {
		return c.difference(ctx, std)
	}
	if many, err := c.isCrowd(); err != nil {
		return err
	} else if many {
		return c.crowd(ctx, std)
	}
	c.Workload = flags.AsURL(c.Workload, std)
	var p comparing
	err := c.parse(&p)
	if err == nil {
		err = c.load(ctx, std, &p)
	}
	defer p.close(std)
	if err == nil {
		err = c.plan(&p)
	}
	if err != nil {
		return err
	}
	out, err := c.open(std, &p)
	if err != nil {
		return err
	}
	defer out.Discard()
	measured, err := p.Over(ctx, p.networks, func(i int) rig.Screen {
		bar := underway.New(out)
		if len(p.networks) > 1 {
			bar.Name = fmt.Sprintf("%s (%d of %d networks)", p.networks[i].Name, i+1, len(p.networks))
		}
		return bar
	})
	if len(measured) == 0 {
		return err
	}
	result := c.document(std, &p, measured)
	err = errors.Join(statusOf(err), p.lost.Err(), writeDocument(out, result, c.ShowQueries))
	if err == nil && ctx.Err() != nil {
		return fault.Silent(fault.StoppedEarly)
	}
	if err == nil {
		err = rig.Shortfalls(measured, p.silent)
	}
	return cmp.Or(err, flags.Broken(result.Results()))
}

// parse reads what the flags say before the workload is known.
func (c compareCmd) parse(p *comparing) (err error) {
	if p.On, err = rig.ParseEngines(c.On); err != nil {
		return err
	}
	if p.networks, err = c.NetworkFlags.Several(); err != nil {
		return err
	}
	if p.Lab.Policy, err = c.PolicyFlags.Parse(); err != nil {
		return err
	}
	if p.Plan.Timeout, err = c.Within(cmp.Or(c.Timeout, "10m")); err != nil {
		return err
	}
	// The strategies are known once the workload is; what else may be wrong is said before.
	_, err = flags.Assertions(c.Assert, assertion.Vocabulary())
	return err
}

// isLive reports whether the network is the one that there is.
func (c compareCmd) isLive() bool { return c.On == "live" || c.On == "" && len(c.Server) > 0 }

// load reads the workload, or visits the page that it is, with what the flags say about it.
func (c compareCmd) load(ctx context.Context, std console.Streams, p *comparing) (err error) {
	w := &p.Plan.Workload
	switch {
	case flags.IsURL(c.Workload):
		return c.visit(ctx, std, p)
	case c.OriginCommand != "":
		_, err := c.own() // which says why not
		return err
	}
	if *w, p.notes, err = flags.Load(ctx, c.Workload, c.Seed); err != nil {
		return err
	}
	if *w, err = flags.Adjust(*w, c.Scheme, c.Think); err != nil {
		return err
	}
	*w, p.Lab.Pace, err = c.NamesFlags.Apply(ctx, *w, c.Seed)
	return err
}

// visit finds out what the page of the URL is made of.
func (c compareCmd) visit(ctx context.Context, std console.Streams, p *comparing) (err error) {
	if (c.isLive() || c.OriginCommand != "") && c.Scheme != "" {
		return fault.Usage("--scheme: the URL says it; leave it out, or use --on lab")
	}
	pace, names := time.Duration(0), c.NamesFlags
	if c.Rate != "" {
		rate, err := flags.Pace(c.Rate)
		if err != nil {
			return err
		}
		pace, names.Rate = time.Duration(float64(time.Second)/rate), ""
	}
	if words := names.Words(); len(words) > 0 {
		return fault.Usage("%s is for names; use it with the workload dns", words[0])
	}
	if err := c.suits(); err != nil { // before anybody is asked
		return err
	}
	if p.own, err = c.own(); err != nil {
		return err
	}
	if len(c.Server) > 0 {
		return fault.Usage("--server is for names; a URL names its server itself: leave it out")
	}
	config, err := c.Config(rig.Agent(version))
	if err != nil {
		return err
	}
	if p.page, err = rig.Visit(ctx, c.Workload, config, p.own, pace, p.Plan.Timeout, std.Note); err != nil {
		return err
	}
	if c.isLive() || p.own != nil {
		p.Plan.Workload, p.notes = p.page.Outside()
		p.Lab.Pace = pace
	} else { // the pace was for the server outside
		p.Plan.Workload, p.notes = p.page.InLab()
	}
	p.Plan.Workload, err = flags.Adjust(p.Plan.Workload, c.Scheme, c.Think)
	return err
}

// plan says who does what on which engine.
func (c *compareCmd) plan(p *comparing) (err error) {
	w := p.Plan.Workload
	if _, note := far.Place(w); note != "" && !c.isLive() {
		p.notes = append(p.notes, note)
	}
	if c.Strategies, err = c.Narrow(c.Strategies, linger.DefaultStrategies(w.Scheme)); err != nil {
		return err
	}
	if c.Strategies == "" {
		var note string
		if c.Strategies, note = p.own.Usual(w.Scheme); note != "" {
			p.notes = append(p.notes, note)
		}
	}
	strategies, err := rig.Clients(c.Browser, c.Strategies, w)
	if err != nil {
		return err
	}
	if p.asserted, err = flags.Assertions(c.Assert, assertion.Vocabulary(strategies...)); err != nil {
		return err
	}
	if p.ladders, err = document.Ladders(c.Ladder, strategies); err != nil {
		return err
	}
	p.Plan.Strategies, p.Plan.Network, p.Plan.Seed = strategies, p.networks[0], c.Seed
	p.Plan.Trials, p.Plan.ZeroRTT, p.Plan.Workers = c.trials(), rig.ZeroRTTTrials, cmp.Or(c.Workers, 1)
	if c.isLive() {
		if err := c.outside(p); err != nil {
			return err
		}
	} else if words := c.ServerFlags.Words(); len(words) > 0 && !flags.IsURL(c.Workload) {
		return fault.Usage("%s is about a server outside; the lab has its own: use it with --on live", words[0])
	}
	if err := p.Plan.Validate(); err != nil {
		return fault.Usage("%w", err)
	}
	p.Lab.Version, p.Lab.Own, p.Lab.Lost = version, p.own, p.lost.Add
	if p.own != nil {
		p.silent = rig.NewMute()
		p.Lab.Mute = p.silent
	}
	p.Sim = rig.Sim{Version: version, Policy: p.Lab.Policy, Pace: p.Lab.Pace}
	p.Named, p.Workers = c.Strategies != "", c.Workers
	return nil
}

// outside says what measures over the network that there is, what that network is called, and
// how much will be asked of whom. Where nothing was said of a pace, queries have one.
func (c compareCmd) outside(p *comparing) error {
	strategies := p.Plan.Strategies
	if rig.IsBrowsed(strategies) {
		return fault.Usage("--browser %s: a browser is measured in the lab; leave out --on live", c.Browser)
	}
	if p.Plan.Workload.Scheme != linger.SchemeDNS && !flags.IsURL(c.Workload) {
		return fault.Usage("--on live is for names and pages: use it with the workload dns, or a URL")
	}
	words := append(c.NetworkFlags.Words(), c.PolicyFlags.Words()...)
	words = append(words, flags.Given(flags.If("--answer-size", c.AnswerSize != 0), flags.If("--delay", c.Delay != ""), flags.If("--workers", c.Workers > 1))...)
	if len(words) > 0 {
		return fault.Usage("%s is of the lab; leave it out, or --server and --on live", words[0])
	}
	if flags.IsURL(c.Workload) {
		p.warning = p.OnPage(p.page)
	} else {
		servers, err := rig.Resolvers(c.Server, strategies)
		if err != nil {
			return err
		}
		config, err := c.Config(rig.Agent(version))
		if err != nil {
			return err
		}
		p.warning = p.OnResolvers(servers, config, c.Rate != "")
	}
	p.silent, p.networks = p.Live.Mute, []linger.Network{p.Plan.Network}
	return nil
}

// open finds out where the result may go, and says what is to be said beforehand.
func (c compareCmd) open(std console.Streams, p *comparing) (*console.Outputs, error) {
	endings := []string{".json", ".csv", ".txt", ".html", ".trace", document.Mermaid}
	if !c.isLive() && (p.On.Lab || !p.On.Sim) { // packets are seen in the lab only
		endings = append(endings, ".pcapng", ".qlog")
		if p.Plan.Workload.Scheme != linger.SchemeDNS {
			endings = append(endings, ".har") // which is of HTTP
		}
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, append(endings, formats.Endings...)...)
	if err != nil {
		return nil, err
	}
	if err := document.Drawable(out.Named(document.Mermaid), p.ladders, p.Plan.Strategies, len(p.networks)); err != nil {
		return nil, err
	}
	for _, note := range p.notes {
		std.Note("%s", note)
	}
	if name := out.Named(".qlog"); name != "" && !slices.ContainsFunc(p.Plan.Strategies, func(s linger.Strategy) bool { return s.QUIC() && s.Client == "" }) {
		return nil, fault.Usage("-o %s: a qlog is of linger's own QUIC; have h3, doq or doh3 among the strategies", name)
	}
	if c.isLive() {
		std.Note("%s", p.warning)
	}
	p.Keep.Artifacts = rig.Artifacts{Packets: out.Named(".pcapng"), Keylog: std.Env("SSLKEYLOGFILE"), HAR: out.Named(".har"), Qlog: out.Named(".qlog")}
	// What is kept is held against other results later, which takes all trials.
	p.Sparing = c.Trials == nil && len(p.asserted) == 0 && !out.Any()
	return out, nil
}

// document is what is written of what was measured.
func (c compareCmd) document(std console.Streams, p *comparing, measured []rig.Measured) document.Document {
	var all document.Document
	for _, m := range measured {
		if m.On.Sim && c.On == "" {
			c.On = "sim" // as there can be no lab
		}
		part := document.Part{
			Experiment: *m.Experiment, Asserted: p.asserted, Ladders: p.ladders,
			Source: trace.Source{Kind: trace.KindExperiment, Linger: version, Command: c.command()},
		}
		if kept := rig.Modelled(m.Plan); len(kept) > 0 && !c.isLive() && p.own == nil { // pages have what predicts the same
			model, err := modelFor(p.Sim, m.Plan.Workload, kept, c.Workload, c.fetching(), c.trials())
			if err == nil {
				part.Source.Model, err = json.Marshal(model)
			}
			if err != nil {
				std.Fail(err)
			}
		}
		if m.Beside != nil {
			predicted := compare.Compare(*m.Beside)
			part.Predicted = &predicted
		}
		all = append(all, part)
	}
	return all
}

// own returns the server of the user's own in the lab; nil is none.
func (c compareCmd) own() (*far.Own, error) {
	if c.OriginCommand == "" {
		return nil, nil
	}
	others := c.PolicyFlags.Words()
	if len(c.Server) > 0 {
		others = append(others, "--server")
	}
	switch {
	case c.On != "" && c.On != "lab":
		return nil, fault.Usage("--on %s: a server of your own is measured in the lab; leave out one of --on and --origin-command", c.On)
	case strings.Contains(c.Browser, browser.Chromium):
		return nil, fault.Usage("--browser %s: a browser is measured with linger's own server; leave out one of --browser and --origin-command", c.Browser)
	}
	return c.Own(c.Workload, c.ReachFlags, rig.Agent(version), others)
}

// trials is how often each strategy is to run.
func (c compareCmd) trials() int {
	if c.Trials != nil {
		return *c.Trials
	}
	return rig.StandardTrials
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
		return fault.Usage("%w", err)
	}
	if c.isLive() && strings.Contains(c.Browser, browser.Chromium) {
		return fault.Usage("--browser %s: a browser is measured in the lab; leave out --on live", c.Browser)
	}
	return nil
}

// command is the command line that gives the same again, without the defaults.
func (c compareCmd) command() string {
	words := []string{"linger", "compare"}
	if c.Workload != linger.DefaultWorkload {
		words = append(words, flags.Quote(c.Workload))
	}
	trials, workers, on := "", "", c.On
	if c.Trials != nil {
		trials = fmt.Sprint(*c.Trials)
	}
	if c.Workers != 0 {
		workers = fmt.Sprint(c.Workers)
	}
	if len(c.Server) > 0 {
		on = ""
	}
	for _, part := range [][]string{
		flags.Settings([][3]string{{"--strategies", c.Strategies, ""}, {"--scheme", c.Scheme, ""}}),
		c.NetworkFlags.Words(),
		flags.Settings([][3]string{{"--trials", trials, ""}, {"--seed", fmt.Sprint(c.Seed), "1"}, {"--think", c.Think, ""},
			{"--timeout", c.Timeout, ""}, {"--browser", c.Browser, rig.OwnClient}, {"--workers", workers, ""}}),
		c.NamesFlags.Words(), c.PolicyFlags.Words(), c.CrowdFlags.Words(), c.CapacityFlags.Words(), c.OriginCommandFlag.Words(), c.ServerFlags.Words(),
		flags.AssertWords(c.Assert), flags.Settings([][3]string{{"--on", on, "lab"}}),
	} {
		words = append(words, part...)
	}
	return strings.Join(words, " ")
}

// fetching are the flags that say how and from what kind of server is fetched, whatever
// the path and the strategies.
func (c compareCmd) fetching() []string {
	var words []string
	if c.Think != "" {
		words = append(words, "--think", flags.Quote(c.Think))
	}
	return append(append(words, c.NamesFlags.Words()...), c.PolicyFlags.Words()...)
}

// difference compares two saved results.
func (c compareCmd) difference(ctx context.Context, std console.Streams) error {
	if c.Against == "" {
		return fault.Usage("%s is one saved result; name two, BEFORE.json AFTER.json, or a workload", filepath.Base(c.Workload))
	}
	if words := c.measuring(); len(words) > 0 {
		return fault.Usage("%s is about measuring; two saved results have been measured: leave it out, or name one workload", words[0])
	}
	var saved [2]document.Saved
	for i, name := range []string{c.Workload, c.Against} {
		file, err := console.OpenInput(ctx, name, nil)
		if err != nil {
			return fault.Usage("cannot read the saved result: %w", err)
		}
		defer file.Close()
		if saved[i], err = document.ReadSaved(name, file); err != nil {
			return err
		}
	}
	change, err := saved[0].Compare(saved[1])
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, change.Endings...)
	if err != nil {
		return err
	}
	defer out.Discard()
	return writeAs(out, "linger compare "+flags.Quote(c.Workload)+" "+flags.Quote(c.Against), c.ShowQueries, change.Write)
}

// measuring lists what was said about how to measure.
func (c compareCmd) measuring() []string {
	words := append(c.NetworkFlags.Words(), c.NamesFlags.Words()...)
	words = append(append(words, c.PolicyFlags.Words()...), c.ServerFlags.Words()...)
	words = append(append(words, c.CrowdFlags.Words()...), c.CapacityFlags.Words()...)
	return append(words, flags.Given(
		flags.If("--strategies", c.Strategies != ""), flags.If("--scheme", c.Scheme != ""), flags.If("--trials", c.Trials != nil),
		flags.If("--seed", c.Seed != 1), flags.If("--think", c.Think != ""), flags.If("--workers", c.Workers != 0),
		flags.If("--timeout", c.Timeout != ""), flags.If("--on", c.On != ""), flags.If("--assert", len(c.Assert) > 0),
	)...)
}
