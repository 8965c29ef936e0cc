package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"linger"
	"linger/assert"
	"linger/conformance"
	"linger/console"
	"linger/dial"
	"linger/fault"
	"linger/flags"
	"linger/keepalive"
	"linger/legible"
	"linger/probe"
	"linger/profile"
	"linger/report/document"
	"linger/report/formats"
	"linger/report/text"
	"linger/rig"
)

// probeCmd measures what a server does with connections.
type probeCmd struct {
	URL          string        `arg:"" optional:"" help:"http, https, dns or dot URL."`
	File         string        `short:"f" placeholder:"FILE" help:"Instead of a URL, a list of them, one a line, # begins a comment; - is standard input."`
	AtOnce       int           `default:"2" placeholder:"N" help:"Of a list, probe N servers at once; default 2."`
	Chain        string        `sep:"none" placeholder:"HOPS" help:"Instead of a URL, the hops from client to application, as client=90s,https://lb,http://app:8080: is each one's idle limit shorter than that of the next? See docs/keepalive.md."`
	Assert       []string      `sep:"none" placeholder:"WHAT" help:"A condition, as 'idle>=60s && close_honoured'; exit status 1 if it does not hold, or is not known. May stand several times. Of a chain: right. See docs/assert.md."`
	List         bool          `help:"List the cases that a server is held against, and probe nothing."`
	Only         []string      `placeholder:"CASE,…" help:"Decide these cases only; a protocol stands for all of its cases."`
	Skip         []string      `placeholder:"CASE,…" help:"Leave these out."`
	Strict       bool          `help:"Count what a standard says a server SHOULD do as a failure, too."`
	Verbose      bool          `short:"v" help:"List the cases that pass, and those that were not measured."`
	MaxWait      time.Duration `default:"75s" placeholder:"D" help:"Wait that long at most for the server to end a connection; default 75s."`
	Patient      bool          `help:"Wait that long for each limit, not only until the one after a response is known."`
	AnswerWithin time.Duration `default:"5s" placeholder:"D" help:"Wait that long for each answer, and for each handshake; default 5s."`
	Timeout      time.Duration `placeholder:"D" help:"After how long the probe of a server is ended, with what was found until then."`
	Connections  int           `default:"40" placeholder:"N" help:"Open N connections to a server at once, at most; default 40."`
	Requests     int           `default:"200" placeholder:"N" help:"Send N requests to a server, at most; default 200."`
	Output       []string      `short:"o" sep:"none" placeholder:"FILE" help:"Write the result too: .json, .txt, .html, .xml (JUnit), .sarif, .prom (OpenMetrics); of a list .csv, too; of a chain no .html; - is standard output, in JSON."`
	JSON         bool          `help:"Print JSON, as -o -."`
	flags.WideFlag
	flags.QueriesFlag
	flags.ReachFlags
}

// Run probes one server, the servers of a list, or those of a chain.
func (c probeCmd) Run(ctx context.Context, std console.Streams) error {
	if _, err := os.Stat(c.URL); err == nil && c.File == "" {
		return fault.Usage("%s is a file; for the list of servers in it write linger probe -f %s", c.URL, flags.Quote(c.URL))
	}
	c.URL = flags.AsURL(c.URL, std)
	if c.MaxTime != "" && c.Timeout == 0 {
		var err error
		if c.Timeout, err = c.Within(""); err != nil {
			return err
		}
		c.MaxTime = ""
	}
	config, assertions, err := c.parse()
	if err != nil {
		return err
	}
	endings := append([]string{".json", ".txt", ".html"}, formats.Endings...)
	switch {
	case c.List:
		endings = []string{".json", ".txt"}
	case c.Chain != "":
		endings = append([]string{".json", ".txt"}, formats.Endings...)
	case c.File != "":
		endings = append(endings, ".csv")
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, endings...)
	if err != nil {
		return err
	}
	defer out.Discard()
	switch {
	case c.List:
		return out.Write(func(ending string, w io.Writer) error {
			if ending == ".json" {
				return formats.CasesJSON(w, config.Cases)
			}
			return text.Cases(w, config.Cases, out.Layout(w))
		})
	case c.Chain != "":
		return c.chain(ctx, config, out)
	case c.File != "":
		return c.survey(ctx, config, assertions, out)
	}
	return c.one(ctx, config, assertions, out)
}

// parse reads the flags, before anything is asked of a server.
func (c probeCmd) parse() (probe.Config, []assert.Assertion, error) {
	config := probe.Config{
		Target: c.URL, MaxWait: c.MaxWait, Patient: c.Patient, Insecure: c.Insecure,
		Connections: c.Connections, Requests: c.Requests, Answer: c.AnswerWithin,
	}
	given := 0
	for _, one := range []bool{c.URL != "", c.File != "", c.Chain != "", c.List} {
		if one {
			given++
		}
	}
	switch {
	case given == 0:
		return config, nil, fault.Usage("what is to be probed is missing; name a URL, or a list of them by -f FILE")
	case given > 1:
		return config, nil, fault.Usage("a URL, -f, --chain and --list exclude each other; leave all but one out")
	case c.MaxWait <= 0:
		return config, nil, fault.Usage("--max-wait: %v is not a time to wait; write 30s or 10m", c.MaxWait)
	case c.MaxTime != "" && c.Timeout != 0:
		return config, nil, fault.Usage("--max-time and --timeout are the same; leave one of them out")
	case c.Timeout < 0:
		return config, nil, fault.Usage("--timeout: %v is not a time to wait; write 30s or 10m", c.Timeout)
	case c.AnswerWithin <= 0:
		return config, nil, fault.Usage("--answer-within: %v is not a time to wait; write 30s", c.AnswerWithin)
	case c.Connections < 1:
		return config, nil, fault.Usage("--connections: %d; give 1 or more", c.Connections)
	case c.Requests < 1:
		return config, nil, fault.Usage("--requests: %d; give 1 or more", c.Requests)
	case c.AtOnce < 1:
		return config, nil, fault.Usage("--at-once: %d; give 1 or more", c.AtOnce)
	}
	server, err := c.Config(rig.Agent(version))
	if err != nil {
		return config, nil, err
	}
	config.Roots, config.Certificates, config.Route, config.Message = server.Roots, server.Certificates, server.Route, server.Message
	only, err := c.only()
	if err != nil {
		return config, nil, err
	}
	if len(only)+len(c.Skip) > 0 || c.List {
		if config.Cases, err = conformance.Select(only, c.Skip); err != nil {
			return config, nil, fault.Usage("%w", err)
		}
	}
	if c.Chain != "" {
		return config, nil, nil
	}
	conditions, err := flags.Assertions(c.Assert, conformance.Vocabulary())
	if err != nil {
		return config, nil, err
	}
	// What is asserted has to be measured, whatever --only leaves.
	for _, a := range conditions {
		config.Figures = append(config.Figures, a.Names()...)
	}
	if config.Cases != nil {
		config.Cases = conformance.With(config.Cases, config.Figures, c.Skip)
	}
	return config, conditions, nil
}

// one probes one server.
func (c probeCmd) one(ctx context.Context, config probe.Config, assertions []assert.Assertion, out *console.Outputs) error {
	plan, err := probe.Plan(config)
	if err != nil {
		return fault.Usage("%w", err)
	}
	out.Std.Note("%s: at most %d connections at a time and %d requests; it takes %v at most%s", c.URL, plan.Connections, plan.Requests, c.longest(plan).Round(time.Second), c.sparing(plan))
	line := watch(out, c.URL+": how it treats connections", "experiment", c.longest(plan))
	config.Progress = line.Tell
	found, err := c.probe(ctx, config, assertions)
	line.End()
	switch {
	case found == nil && ctx.Err() != nil:
		return fault.Interrupted("interrupted before the server was reached")
	case errors.Is(err, dial.ErrUnreachable):
		return fault.Unreachable("%w", err)
	case err != nil:
		return err
	}
	one := profile.Probed{Target: config.Target, Profile: found}
	err = writeAs(out, c.command(), c.ShowQueries, func(w io.Writer, ending string, o document.Options) error {
		return document.WriteProbe(w, ending, one, c.Verbose, o)
	})
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	}
	return verdictOn([]profile.Probed{one})
}

// longest is after how long the probe ends, whatever the server does.
func (c probeCmd) longest(plan probe.Outlay) time.Duration {
	if c.Timeout > 0 {
		return min(c.Timeout, plan.Longest)
	}
	return plan.Longest
}

// sparing says how long it takes where the server serves few connections at once, or
// nothing where that is no longer.
func (c probeCmd) sparing(plan probe.Outlay) string {
	longest := c.longest(probe.Outlay{Longest: plan.Sparing})
	if longest <= c.longest(plan) {
		return ""
	}
	return fmt.Sprintf(", or %v where few connections are served at once", longest.Round(time.Second))
}

// command is the command line that measures the same again, without the defaults.
func (c probeCmd) command() string {
	words := []string{"linger", "probe"}
	if c.File == "" {
		words = append(words, flags.Quote(c.URL))
	} else {
		words = append(words, "-f", flags.Quote(c.File))
		if c.AtOnce != 2 {
			words = append(words, "--at-once", fmt.Sprint(c.AtOnce))
		}
	}
	words = append(words, flags.AssertWords(c.Assert)...)
	words = append(words, flags.Settings([][3]string{
		{"--only", strings.Join(c.Only, ","), ""}, {"--skip", strings.Join(c.Skip, ","), ""}, {"--max-wait", c.MaxWait.String(), probe.DefaultWait.String()}, {"--timeout", c.Timeout.String(), "0s"}, {"--answer-within", c.AnswerWithin.String(), probe.DefaultAnswer.String()},
		{"--connections", fmt.Sprint(c.Connections), fmt.Sprint(probe.DefaultConnections)}, {"--requests", fmt.Sprint(c.Requests), fmt.Sprint(probe.DefaultRequests)},
	})...)
	words = append(words, flags.Given(flags.If("--strict", c.Strict), flags.If("--patient", c.Patient))...)
	return strings.Join(append(words, c.ReachFlags.Words()...), " ")
}

// only are the cases that are decided: those of a version of HTTP, if one was named.
func (c probeCmd) only() ([]string, error) {
	version, err := c.Version()
	switch {
	case err != nil || version == "":
		return c.Only, err
	case len(c.Only) > 0:
		return nil, fault.Usage("--http%s and --only both say which cases are decided; leave one of them out", version)
	}
	return []string{string(linger.ProtocolFor("", version))}, nil
}

// probe probes one server, and decides what is asserted.
func (c probeCmd) probe(ctx context.Context, config probe.Config, assertions []assert.Assertion) (*profile.Profile, error) {
	within := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	doc, err := probe.Run(within, config)
	if err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			err = fault.Unreachable("%s: not reached after %v; give it longer with --timeout", config.Target, c.Timeout)
		}
		return nil, err
	}
	doc.Linger = version
	doc.Machine = rig.ThisMachine()
	if c.Strict {
		doc.Strict()
	}
	doc.Asserted = assert.Decide(assertions, conformance.Figures(doc))
	return doc, nil
}

// verdictOn is the error of servers that break a case or an assertion, or of which
// some were not probed.
func verdictOn(list []profile.Probed) error {
	short := profile.ShortfallOf(list)
	if short.Fails == 0 && short.Missing == 0 {
		return flags.Broken(short.Asserted)
	}
	return fault.Unmet("%s", short)
}

// watch shows how far a probe is that takes so long at most, counting units.
func watch(out *console.Outputs, title, unit string, longest time.Duration) *console.Pulse[probe.Progress] {
	return console.Watch(out, func(now probe.Progress, elapsed time.Duration, o text.Options, rows int) []string {
		return text.Probing{
			Title: title, Unit: unit, Done: now.Done, Total: now.Total, Waiting: now.Waiting,
			Connections: now.Connections, Requests: now.Requests, Elapsed: elapsed, AtMost: longest - elapsed,
		}.Lines(o, rows)
	})
}

// chain judges a chain: hops that are URLs are probed, all at once.
func (c probeCmd) chain(ctx context.Context, config probe.Config, out *console.Outputs) error {
	links, err := keepalive.ParseChain(c.Chain)
	if err != nil {
		return fault.Usage("--chain: %w", err)
	}
	var names []string
	for _, l := range links {
		names = append(names, l.Name)
	}
	conditions, err := flags.Assertions(c.Assert, keepalive.Vocabulary(names...))
	if err != nil {
		return err
	}
	found, failed := c.probeLinks(ctx, links, config, out.Std.Note)
	chain := keepalive.JudgeLinks(links, found, failed)
	chain.Linger, chain.Asserted = version, assert.Decide(conditions, chain.Figures())
	for i, err := range failed {
		switch {
		case err == nil:
		case !chain.IsKnown():
			return fmt.Errorf("%s: %w", links[i].Name, err)
		default:
			out.Std.Fail(fmt.Errorf("%s: %w", links[i].Name, err))
		}
	}
	err = writeAs(out, "", false, func(w io.Writer, ending string, o document.Options) error {
		return document.WriteChain(w, ending, chain, o)
	})
	if err == nil && ctx.Err() != nil {
		return fault.Interrupted("interrupted; what was seen until then stands above")
	}
	if broken := flags.Broken(chain.Asserted); err == nil && broken != nil {
		if len(c.Assert) == 1 && c.Assert[0] == keepalive.RightName {
			return fault.Unmet("--assert %s: the chain is %s", keepalive.RightName, chain.Verdict)
		}
		return broken
	}
	return err
}

// probeLinks probes the links that are URLs, all at once, and returns what was found of each, or
// why nothing was.
func (c probeCmd) probeLinks(ctx context.Context, links []keepalive.Link, config probe.Config, note func(string, ...any)) ([]*profile.Profile, []error) {
	found, failed := make([]*profile.Profile, len(links)), make([]error, len(links))
	var servers []probe.Config
	var of []int // the links that are those
	for i, l := range links {
		if l.URL != "" {
			one := config
			one.Target, one.Experiments = l.URL, probe.IdleExperiments(l.Scheme())
			servers, of = append(servers, one), append(of, i)
		}
	}
	if len(servers) > 0 {
		note("hops to probe: %d; each is watched until it ends idle connections, %v at most", len(servers), config.Watched())
		probe.Together(ctx, servers, len(servers), probe.Run, func(i int, p *profile.Profile, err error) { found[of[i]], failed[of[i]] = p, err })
	}
	return found, failed
}

// survey probes the servers of a list, some at once.
func (c probeCmd) survey(ctx context.Context, config probe.Config, assertions []assert.Assertion, out *console.Outputs) error {
	from, err := console.OpenInput(ctx, c.File, out.Std.In)
	if err != nil {
		return fault.Usage("cannot read the list: %w", err)
	}
	defer from.Close()
	list, err := probe.ReadList(from, config)
	if err != nil {
		return fault.Usage("%s: %w", c.File, err)
	}
	servers, of := c.listed(list, config, out.Std)
	good := len(servers)
	if good == 0 {
		return fault.Usage("%s: no line of it can be probed; write a URL a line, as https://example.org/", c.File)
	}
	most, rounds := probe.Most(servers), (good+c.AtOnce-1)/c.AtOnce
	longest := time.Duration(rounds) * c.longest(most)
	out.Std.Note("servers to probe: %d, %d at once, each with at most %d connections at a time and %d requests; it takes %v at most",
		good, min(good, c.AtOnce), most.Connections, most.Requests, longest.Round(time.Second))

	line := watch(out, c.File+": how its servers treat connections", "server", longest)
	done := 0
	one := func(ctx context.Context, server probe.Config) (*profile.Profile, error) {
		return c.probe(ctx, server, assertions)
	}
	probe.Together(ctx, servers, c.AtOnce, one, func(i int, p *profile.Profile, err error) {
		at := &list[of[i]]
		switch at.Profile = p; {
		case errors.Is(err, probe.ErrNotBegun):
			at.Failed = err.Error()
			return
		case err != nil && ctx.Err() != nil:
			at.Failed = "interrupted before it was reached"
		case err != nil:
			at.Failed = legible.Note(err.Error())
		}
		done++
		line.Tell(probe.Progress{Done: done, Total: good})
	})
	line.End()
	err = writeAs(out, c.command(), c.ShowQueries, func(w io.Writer, ending string, o document.Options) error {
		return document.WriteSurvey(w, ending, list, o)
	})
	reached := 0
	for _, one := range list {
		if one.Profile != nil {
			reached++
		}
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	case reached == 0:
		return fault.Unreachable("none of the servers can be reached")
	}
	return verdictOn(list)
}

// listed are the servers of a list that can be probed, and which lines these are. Of the others it
// says why not.
func (c probeCmd) listed(list []profile.Probed, config probe.Config, std console.Streams) (servers []probe.Config, of []int) {
	for i, one := range list {
		if one.Failed != "" {
			std.Fail(fmt.Errorf("%s: line %d: %s", c.File, one.Line, one.Failed))
			continue
		}
		config.Target = one.Target
		servers, of = append(servers, config), append(of, i)
	}
	return servers, of
}
