package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"linger"
	"linger/compare"
	"linger/live"
	"linger/trace"
)

type getCmd struct {
	URL string `arg:"" help:"An http or https URL, fetched from where it is; or a workload, as for compare, fetched in the lab."`

	Strategy string `short:"s" placeholder:"NAME" help:"How connections are used: ${forms}; :N for N connections; behind a + ${modifiers}. Default keep:6; of dns udp."`
	Scheme   string `placeholder:"http|https" help:"Of a workload: cleartext, or TLS 1.3; default what it has."`
	networkFlags
	namesFlags
	serverPolicyFlags
	Seed    uint64   `default:"1" placeholder:"N" help:"Fixes the workload's sizes and the losses; default 1."`
	At      string   `placeholder:"D,D,…" help:"Of a URL: ask it twice on a connection of its own for each pause D between, and say how the client fared: is the connection still there? Default strategy keep."`
	Think   string   `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it."`
	Timeout string   `default:"1m" placeholder:"D" help:"After how long the fetch is given up; default 1m."`
	Assert  []string `sep:"none" placeholder:"WHAT" help:"A condition, as 'time<=1.2s && connections<=6'; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output  []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the trace too: .json, .txt, .html, .har, .qlog, .xml (JUnit), .sarif, .prom (OpenMetrics); .trace, which linger report reads; or in the lab .pcapng; - is standard output, in JSON."`
	JSON    bool     `help:"Print the trace as JSON, as -o -."`
	wideFlag
	queriesFlag
	reachFlags

	keylog string // where the secrets of TLS and QUIC go
	lost   *losses
}

// Run fetches once and draws what happened on each connection.
func (c getCmd) Run(ctx context.Context, std streams) error {
	if c.At != "" {
		return c.at(ctx, std)
	}
	usual := "keep:6"
	if c.URL == linger.Names().Name {
		usual = "udp"
	}
	name, err := c.narrow(c.Strategy, usual+",h2,h3")
	if err != nil {
		return err
	}
	strategy, err := linger.ParseStrategy(cmp.Or(name, usual))
	if err != nil {
		return usage("%w", err)
	}
	asserted, err := assertions(c.Assert, compare.FetchVocabulary(strategy))
	if err != nil {
		return err
	}
	timeout, err := c.within(c.Timeout)
	if err != nil {
		return err
	}
	interrupted := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	c.keylog, c.lost = std.env("SSLKEYLOGFILE"), &losses{}
	fetch, endings := c.lab, []string{".json", ".txt", ".html", ".trace", ".har", ".pcapng", ".qlog"}
	if isURL(c.URL) {
		if words := c.labOnly(); len(words) > 0 {
			return usage("%s is of the lab; a URL is fetched over the network that there is: leave it out, or name a workload", words[0])
		}
		fetch, endings = c.live, []string{".json", ".txt", ".html", ".trace", ".har", ".qlog"}
	}
	if words := c.reachFlags.words(); len(words) > 0 && !isURL(c.URL) {
		return usage("%s is about a server outside, and %s is fetched in the lab, which has its own; name a URL, or leave it out", words[0], c.URL)
	}
	out, err := openOutputs(c.Output, c.JSON, std, append(endings, forPrograms...)...)
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	if out.named(".qlog") != "" && !strategy.QUIC() {
		return usage("-o %s: a qlog is of QUIC; use it with -s h3, doh3 or doq", out.named(".qlog"))
	}
	t, notes, err := fetch(ctx, strategy, out)
	var late error
	if interrupted.Err() == nil && ctx.Err() != nil {
		late = statusError{exitUnreachable, fmt.Errorf("%s: not done after %v; give it longer with --timeout", c.URL, timeout)}
	}
	if err != nil {
		return cmp.Or(late, err)
	}
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	fetched := c.fetched(t, strategy)
	fetched.asserted = asserted
	err = out.write(fetched.as(out, c.ShowQueries))
	switch err = cmp.Or(err, c.lost.err(), late); {
	case err != nil:
		return err
	case interrupted.Err() != nil:
		return statusError{status: exitInterrupted}
	}
	return cmp.Or(verdictOf(t), brokenOf(fetched.results()))
}

// labOnly lists the flags that say something about the lab.
func (c getCmd) labOnly() []string {
	words := append(append(c.networkFlags.words(), c.serverPolicyFlags.words()...), c.namesFlags.words()...)
	for _, f := range []struct {
		flag string
		set  bool
	}{{"--scheme", c.Scheme != ""}, {"--seed", c.Seed != 1}, {"--think", c.Think != ""}} {
		if f.set {
			words = append(words, f.flag)
		}
	}
	return words
}

// verdictOf is the error of a fetch that delivered nothing at all, or not all.
func verdictOf(t *trace.Trace) error {
	failed, first := 0, ""
	for _, x := range t.Exchanges {
		if x.Failed != "" {
			if failed++; first == "" {
				first = fmt.Sprintf("%s: %s", x.URL, x.Failed)
			}
		}
	}
	switch {
	case failed == 0:
		return nil
	case failed == len(t.Exchanges):
		return statusError{exitUnreachable, errors.New(first)}
	}
	return statusError{exitAssertion, fmt.Errorf("%d of %d exchanges failed; the first: %s", failed, len(t.Exchanges), first)}
}

// live visits the URL over the network that there is.
func (c getCmd) live(ctx context.Context, s linger.Strategy, out *outputs) (*trace.Trace, []string, error) {
	config, err := c.liveConfig()
	if err != nil {
		return nil, nil, err
	}
	var secrets bytes.Buffer
	if c.keylog != "" {
		config.KeyLog = &secrets
	}
	logs := newQlogs()
	if out.named(".qlog") != "" {
		config.Qlog = logs.open
	}
	page, err := live.Visit(ctx, c.URL, s, config)
	if errors.Is(err, live.ErrUnreachable) {
		return nil, nil, statusError{exitUnreachable, err}
	}
	if err != nil {
		return nil, nil, usage("%w", err)
	}
	keep := keepsakes{keylog: c.keylog, har: out.named(".har"), qlog: out.named(".qlog")}
	if err := keep.write(&clientSeen{Trace: page.Trace, Secrets: secrets.Bytes(), Qlog: logs.bytes()}, page.Workload); err != nil {
		c.lost.add(err)
	}
	notes := notesOf(page)
	if page.Unfollowed != "" {
		notes = append(notes, fmt.Sprintf("the redirect to %s was not followed; give that URL", page.Unfollowed))
	}
	return page.Trace, notes, nil
}

// lab fetches a workload on the emulated network.
func (c getCmd) lab(ctx context.Context, s linger.Strategy, out *outputs) (*trace.Trace, []string, error) {
	network, err := c.networkFlags.parse()
	if err != nil {
		return nil, nil, err
	}
	serverPolicy, err := c.serverPolicyFlags.parse()
	if err != nil {
		return nil, nil, err
	}
	w, notes, err := loadWorkload(c.URL, c.Seed)
	if err != nil {
		return nil, nil, err
	}
	if _, note := serversOf(w); note != "" {
		notes = append(notes, note)
	}
	if w, err = adjust(w, c.Scheme, c.Think); err != nil {
		return nil, nil, err
	}
	w, pace, err := c.namesFlags.apply(w, c.Seed)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Fits(w.Scheme); err != nil {
		return nil, nil, usage("%w", err)
	}
	if name := out.named(".har"); name != "" && w.Scheme == linger.SchemeDNS {
		return nil, nil, usage("-o %s: a HAR is of HTTP, and names are looked up; use .json", name)
	}
	engine := labEngine{policy: serverPolicy, partial: true, pace: pace, lost: c.lost.add, keep: func(linger.Scenario, int) keepsakes {
		return keepsakes{packets: out.named(".pcapng"), keylog: c.keylog, har: out.named(".har"), qlog: out.named(".qlog")}
	}}
	t, err := engine.Run(ctx, linger.Scenario{Workload: w, Strategy: s, Network: network, Seed: c.Seed}, 0)
	return t, notes, err
}
