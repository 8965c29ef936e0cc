package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"linger/assert"
	"linger/conformance"
	"linger/live"
	"linger/probe"
	"linger/profile"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
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
	Output       []string      `short:"o" sep:"none" placeholder:"FILE" help:"Write the result too: .json, .txt, .html, .xml (JUnit), .sarif, .prom (OpenMetrics); of a list .csv, not .html; - is standard output, in JSON."`
	JSON         bool          `help:"Print JSON, as -o -."`
	wideFlag
	queriesFlag
	reachFlags
}

// Run probes one server, the servers of a list, or those of a chain.
func (c probeCmd) Run(ctx context.Context, std streams) error {
	config, assertions, err := c.parse()
	if err != nil {
		return err
	}
	endings := append([]string{".json", ".txt", ".html"}, forPrograms...)
	switch {
	case c.List, c.Chain != "":
		endings = []string{".json", ".txt"}
	case c.File != "":
		endings = append([]string{".json", ".txt", ".csv"}, forPrograms...)
	}
	out, err := openOutputs(c.Output, c.JSON, std, endings...)
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	switch {
	case c.List:
		return out.write(func(ending string, w io.Writer) error {
			if ending == ".json" {
				return formats.CasesJSON(w, config.Cases)
			}
			return text.Cases(w, config.Cases, out.layout(w))
		})
	case c.Chain != "":
		return probeChain(ctx, c.Chain, c.Assert, config, out)
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
		return config, nil, usage("what is to be probed is missing; name a URL, or a list of them by -f FILE")
	case given > 1:
		return config, nil, usage("a URL, -f, --chain and --list exclude each other; leave all but one out")
	case c.MaxWait <= 0:
		return config, nil, usage("--max-wait: %v is not a time to wait; write 30s or 10m", c.MaxWait)
	case c.MaxTime != "" && c.Timeout != 0:
		return config, nil, usage("--max-time and --timeout are the same; leave one of them out")
	case c.Timeout < 0:
		return config, nil, usage("--timeout: %v is not a time to wait; write 30s or 10m", c.Timeout)
	case c.AnswerWithin <= 0:
		return config, nil, usage("--answer-within: %v is not a time to wait; write 30s", c.AnswerWithin)
	case c.Connections < 1:
		return config, nil, usage("--connections: %d; give 1 or more", c.Connections)
	case c.Requests < 1:
		return config, nil, usage("--requests: %d; give 1 or more", c.Requests)
	case c.AtOnce < 1:
		return config, nil, usage("--at-once: %d; give 1 or more", c.AtOnce)
	}
	server, err := c.liveConfig()
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
			return config, nil, usage("%w", err)
		}
	}
	if c.Chain != "" {
		return config, nil, nil
	}
	conditions, err := assertions(c.Assert, conformance.Vocabulary())
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
func (c probeCmd) one(ctx context.Context, config probe.Config, assertions []assert.Assertion, out *outputs) error {
	plan, err := probe.Plan(config)
	if err != nil {
		return usage("%w", err)
	}
	fmt.Fprintf(out.std.err, "linger: %s: at most %d connections at a time and %d requests; it takes %v at most%s\n", c.URL, plan.Connections, plan.Requests, c.longest(plan).Round(time.Second), c.sparing(plan))
	line := watch(out, c.URL+": how it treats connections", "experiment", c.longest(plan))
	config.Progress = line.tell
	found := c.probe(ctx, config, assertions)
	line.end()
	switch {
	case found.profile == nil && ctx.Err() != nil:
		return statusError{exitInterrupted, errors.New("interrupted before the server was reached")}
	case errors.Is(found.err, live.ErrUnreachable):
		return statusError{exitUnreachable, found.err}
	case found.err != nil:
		return found.err
	}
	list := []profile.Probed{{Target: config.Target, Profile: found.profile}}
	err = out.write(func(ending string, w io.Writer) error {
		switch ending {
		case ".json":
			return formats.ProfileJSON(w, found.profile)
		case ".txt":
			return text.Probe(w, found.profile, c.Verbose, out.layout(w))
		case ".html":
			return html.Probe(w, found.profile, html.Options{Version: version, Command: c.command(), Queries: c.ShowQueries})
		}
		return programs(ending, w, formats.Probe(list, version))
	})
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return statusError{status: exitInterrupted}
	}
	return verdictOn(list)
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
	words := []string{"linger", "probe", quote(c.URL)}
	for _, a := range c.Assert {
		words = append(words, "--assert", quote(a))
	}
	for _, f := range []struct{ flag, value, standard string }{
		{"--only", strings.Join(c.Only, ","), ""}, {"--skip", strings.Join(c.Skip, ","), ""}, {"--max-wait", c.MaxWait.String(), probe.DefaultWait.String()}, {"--timeout", c.Timeout.String(), "0s"}, {"--answer-within", c.AnswerWithin.String(), probe.DefaultAnswer.String()},
		{"--connections", fmt.Sprint(c.Connections), fmt.Sprint(probe.DefaultConnections)}, {"--requests", fmt.Sprint(c.Requests), fmt.Sprint(probe.DefaultRequests)},
	} {
		if f.value != f.standard {
			words = append(words, f.flag, quote(f.value))
		}
	}
	for _, f := range []struct {
		flag string
		set  bool
	}{{"--strict", c.Strict}, {"--patient", c.Patient}} {
		if f.set {
			words = append(words, f.flag)
		}
	}
	return strings.Join(append(words, c.reachFlags.words()...), " ")
}

// only are the cases that are decided: those of a version of HTTP, if one was named.
func (c probeCmd) only() ([]string, error) {
	version, err := c.version()
	switch {
	case err != nil || version == "":
		return c.Only, err
	case len(c.Only) > 0:
		return nil, usage("--http%s and --only both say which cases are decided; leave one of them out", version)
	}
	return []string{map[string]string{"1.1": "http/1.1", "2": "h2", "3": "h3"}[version]}, nil
}

// A found is what came of a probe.
type found struct {
	profile *profile.Profile
	err     error
}

// probe probes one server, and decides what is asserted.
func (c probeCmd) probe(ctx context.Context, config probe.Config, assertions []assert.Assertion) found {
	within := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	doc, err := probe.Run(within, config)
	if err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			err = statusError{exitUnreachable, fmt.Errorf("%s: not reached after %v; give it longer with --timeout", config.Target, c.Timeout)}
		}
		return found{err: err}
	}
	doc.Linger = version
	doc.Machine = thisMachine()
	if c.Strict {
		doc.Strict()
	}
	doc.Asserted = assert.Decide(assertions, conformance.Figures(doc))
	return found{profile: doc}
}

// verdictOn is the error of servers that break a case or an assertion, or of which
// some were not probed.
func verdictOn(list []profile.Probed) error {
	var words []string
	count := func(n int, one, several string) {
		if n == 1 {
			words = append(words, "1 "+one)
		} else if n > 1 {
			words = append(words, fmt.Sprintf("%d %s", n, several))
		}
	}
	fails, missing := 0, 0
	var asserted []assert.Result
	for _, p := range list {
		if p.Profile == nil {
			missing++
			continue
		}
		fails += p.Profile.Outcomes()[profile.Fail]
		asserted = append(asserted, p.Profile.Asserted...)
	}
	broken := len(slices.DeleteFunc(slices.Clone(asserted), func(r assert.Result) bool { return r.Truth == assert.Holds }))
	if fails == 0 && missing == 0 {
		return brokenOf(asserted)
	}
	count(fails, "case fails", "cases fail")
	count(broken, "assertion does not hold", "assertions do not hold")
	count(missing, "line could not be probed", "lines could not be probed")
	if len(words) == 0 {
		return nil
	}
	return statusError{exitAssertion, errors.New(strings.Join(words, ", "))}
}
