package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"linger"
	"linger/assert"
	"linger/compare/assertion"
	"linger/compare/facts"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/report/document"
	"linger/report/formats"
	"linger/report/text"
	"linger/report/trial"
	"linger/rig"
	"linger/rig/far"
	"linger/run"
	"linger/trace"
)

type getCmd struct {
	URL string `arg:"" help:"An http or https URL, fetched from where it is; or a workload, as for compare, fetched in the lab."`

	Strategy string `short:"s" placeholder:"NAME" help:"How connections are used: ${forms}; :N for N connections; behind a + ${modifiers}. Default keep:6; of dns udp."`
	Scheme   string `placeholder:"http|https" help:"Of a workload: cleartext, or TLS 1.3; default what it has."`
	flags.NetworkFlags
	flags.NamesFlags
	flags.PolicyFlags
	Seed    uint64   `default:"1" placeholder:"N" help:"Fixes the workload's sizes and the losses; default 1."`
	Browser string   `default:"linger" aliases:"client" placeholder:"linger|chromium" help:"Who fetches a workload: linger; or chromium, a real browser in the lab, by close:6, keep:6, h2 or h3. Default linger. Also --client."`
	At      string   `placeholder:"D,D,…" help:"Of a URL: ask it twice on a connection of its own for each pause D between, and say how the client fared: is the connection still there? Default strategy keep."`
	Think   string   `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it."`
	Timeout string   `default:"1m" placeholder:"D" help:"After how long the fetch is given up; default 1m."`
	Assert  []string `sep:"none" placeholder:"WHAT" help:"A condition, as 'time<=1.2s && connections<=6'; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Ladder  bool     `help:"Draw it message by message, too: each SYN, request, response and FIN. With --wide every message of every connection."`
	Output  []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the trace too: .json, .txt, .html, .har, .qlog, .xml (JUnit), .sarif, .prom (OpenMetrics), .mmd (Mermaid); .trace, which linger report reads; or in the lab .pcapng; - is standard output, in JSON."`
	JSON    bool     `help:"Print the trace as JSON, as -o -."`
	flags.WideFlag
	flags.QueriesFlag
	flags.OriginCommandFlag
	flags.ReachFlags
}

// Run fetches once and draws what happened on each connection.
func (c getCmd) Run(ctx context.Context, std console.Streams) error {
	c.URL = flags.AsURL(c.URL, std)
	if c.Browser != rig.OwnClient && flags.IsURL(c.URL) {
		return fault.Usage("--browser %s: a browser is measured in the lab; name a workload, or have linger compare serve the page from there", c.Browser)
	}
	if c.At != "" {
		return c.at(ctx, std)
	}
	strategy, err := c.strategy()
	if err != nil {
		return err
	}
	asserted, err := flags.Assertions(c.Assert, assertion.FetchVocabulary(strategy))
	if err != nil {
		return err
	}
	timeout, err := c.Within(c.Timeout)
	if err != nil {
		return err
	}
	interrupted := ctx
	ctx, cancel := run.Within(ctx, timeout)
	defer cancel()
	out, err := c.open(std, strategy)
	if err != nil {
		return err
	}
	defer out.Discard()
	var lost rig.Losses
	fetched, err := c.fetch(ctx, std, rig.Fetch{
		Version: version, Strategy: strategy, Seed: c.Seed, Lost: lost.Add,
		Keep: rig.Artifacts{Packets: out.Named(".pcapng"), Keylog: std.Env("SSLKEYLOGFILE"), HAR: out.Named(".har"), Qlog: out.Named(".qlog")},
	})
	var late error
	if interrupted.Err() == nil && run.IsLate(ctx) && (err != nil || fetched.Trace.Interrupted) {
		late = fault.Unreachable("%s: not done after %v; give it longer with --timeout", c.URL, timeout)
	}
	if err != nil {
		return cmp.Or(late, err)
	}
	for _, note := range fetched.Notes {
		std.Note("%s", note)
	}
	result := c.document(fetched.Trace, rig.RunBy(c.Browser, strategy), asserted)
	err = writeDocument(out, result, c.ShowQueries)
	switch err = cmp.Or(err, lost.Err(), late); {
	case err != nil:
		return err
	case interrupted.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	}
	err = cmp.Or(fetched.Shortfall(), flags.Broken(result.Results()))
	if err == nil && fetched.AtFault {
		err = fault.Silent(fault.NotMet) // why stands in a note
	}
	return err
}

// strategy reads by which the fetch is done.
func (c getCmd) strategy() (linger.Strategy, error) {
	usual := "keep:6"
	if c.URL == linger.Names().Name {
		usual = string(linger.DNSOverUDP)
	}
	name, err := c.Narrow(c.Strategy, usual+",h2,h3")
	if err != nil {
		return linger.Strategy{}, err
	}
	s, err := linger.ParseStrategy(cmp.Or(name, usual))
	if err != nil {
		return s, fault.Usage("%w", err)
	}
	return s, nil
}

// open finds out where the result may go, and refuses flags that do not go with where the fetch is
// done.
func (c getCmd) open(std console.Streams, s linger.Strategy) (*console.Outputs, error) {
	endings := []string{".json", ".txt", ".html", ".trace", ".har", ".qlog", document.Mermaid}
	if outside := c.OriginCommand == "" && flags.IsURL(c.URL); !outside {
		endings = slices.Insert(endings, 5, ".pcapng")
	} else if words := c.labOnly(); len(words) > 0 {
		return nil, fault.Usage("%s is of the lab; a URL is fetched over the network that there is: leave it out, or name a workload", words[0])
	}
	if words := c.ReachFlags.Words(); len(words) > 0 && !flags.IsURL(c.URL) {
		return nil, fault.Usage("%s is about a server outside, and %s is fetched in the lab, which has its own; name a URL, or leave it out", words[0], c.URL)
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, append(endings, formats.Endings...)...)
	if err == nil && out.Named(".qlog") != "" && (!s.QUIC() || c.Browser != rig.OwnClient) {
		err = fault.Usage("-o %s: a qlog is of linger's own QUIC; use it with -s h3, doh3 or doq", out.Named(".qlog"))
	}
	return out, err
}

// fetch does it where the flags say.
func (c getCmd) fetch(ctx context.Context, std console.Streams, f rig.Fetch) (rig.Fetched, error) {
	switch {
	case c.OriginCommand != "":
		return c.own(ctx, std, f)
	case !flags.IsURL(c.URL):
		return c.lab(ctx, f)
	}
	config, err := c.Config(rig.Agent(version))
	if err != nil {
		return rig.Fetched{}, err
	}
	return f.Outside(ctx, c.URL, config)
}

// own visits the URL on a server of the user's own, over the emulated network.
func (c getCmd) own(ctx context.Context, std console.Streams, f rig.Fetch) (fetched rig.Fetched, err error) {
	if f.Network, err = c.NetworkFlags.Parse(); err != nil {
		return fetched, err
	}
	others := append(c.PolicyFlags.Words(), c.NamesFlags.Words()...)
	server, err := c.Own(c.URL, c.ReachFlags, rig.Agent(version), append(others, flags.Given(flags.If("--scheme", c.Scheme != ""), flags.If("--think", c.Think != ""))...))
	if err != nil {
		return fetched, err
	}
	defer server.Close()
	if fetched, err = f.Own(ctx, server, std.Note); err != nil {
		explainOwn(std, server)
	}
	return fetched, err
}

// lab fetches a workload on the emulated network.
func (c getCmd) lab(ctx context.Context, f rig.Fetch) (fetched rig.Fetched, err error) {
	if f.Network, err = c.NetworkFlags.Parse(); err != nil {
		return fetched, err
	}
	serverPolicy, err := c.PolicyFlags.Parse()
	if err != nil {
		return fetched, err
	}
	w, notes, err := flags.Load(ctx, c.URL, c.Seed)
	if err != nil {
		return fetched, err
	}
	if _, note := far.Place(w); note != "" {
		notes = append(notes, note)
	}
	if w, err = flags.Adjust(w, c.Scheme, c.Think); err != nil {
		return fetched, err
	}
	w, pace, err := c.NamesFlags.Apply(ctx, w, c.Seed)
	if err != nil {
		return fetched, err
	}
	by, err := rig.Clients(c.Browser, f.Strategy.Name, w)
	if err != nil {
		return fetched, err
	}
	if len(by) != 1 {
		return fetched, fault.Usage("--browser: %s; one fetch has one client, linger or chromium", c.Browser)
	}
	f.Strategy = by[0]
	if f.Keep.HAR != "" && w.Scheme == linger.SchemeDNS {
		return fetched, fault.Usage("-o %s: a HAR is of HTTP, and names are looked up; use .json", f.Keep.HAR)
	}
	fetched, err = f.Lab(ctx, w, serverPolicy, pace)
	fetched.Notes = notes
	return fetched, err
}

// document is what is written of the fetch.
func (c getCmd) document(t *trace.Trace, s linger.Strategy, asserted []assert.Assertion) document.Document {
	part := document.Fetch(t, s, rig.ThisMachine(), trace.Source{Linger: version, Command: c.command(s)})
	part.Asserted = asserted
	if c.Ladder {
		part.Ladders = []int{0}
	}
	return document.Document{part}
}

// labOnly lists the flags that say something about the lab.
func (c getCmd) labOnly() []string {
	words := append(append(c.NetworkFlags.Words(), c.PolicyFlags.Words()...), c.NamesFlags.Words()...)
	return append(words, flags.Given(flags.If("--scheme", c.Scheme != ""), flags.If("--seed", c.Seed != 1), flags.If("--think", c.Think != ""))...)
}

// command is the command line that fetches the same again, without the defaults.
func (c getCmd) command(s linger.Strategy) string {
	words := []string{"linger", "get", flags.Quote(c.URL), "-s", flags.Quote(s.Name)}
	for _, part := range [][]string{
		flags.Settings([][3]string{{"--scheme", c.Scheme, ""}, {"--seed", fmt.Sprint(c.Seed), "1"},
			{"--think", c.Think, ""}, {"--timeout", c.Timeout, "1m"}}),
		c.OriginCommandFlag.Words(), c.ReachFlags.Words(), flags.AssertWords(c.Assert), c.NetworkFlags.Words(), c.NamesFlags.Words(), c.PolicyFlags.Words(),
	} {
		words = append(words, part...)
	}
	return strings.Join(words, " ")
}

// at asks a URL twice on a connection of its own for each pause, all at once.
func (c getCmd) at(ctx context.Context, std console.Streams) error {
	again, err := c.again()
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, ".json", ".txt")
	if err != nil {
		return err
	}
	defer out.Discard()
	config, err := c.Config(rig.Agent(version))
	if err != nil {
		return err
	}
	found := trial.Reuses{Linger: version, URL: c.URL, Strategy: again.Strategy.Name, Rows: make([]facts.Reuse, len(again.Pauses))}
	err = again.Run(ctx, config, std.Note, func(i int, t *trace.Trace, err error) { found.Set(i, again.Pauses[i], t, err) })
	if err != nil {
		return err
	}
	err = out.Write(func(ending string, w io.Writer) error {
		if ending == ".json" {
			return formats.ReuseJSON(w, found)
		}
		return text.Reuse(w, found, out.Layout(w))
	})
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	case found.Short():
		return fault.Silent(fault.NotMet)
	}
	return nil
}

// again reads what is to be asked, and of what.
func (c getCmd) again() (a rig.Again, err error) {
	a.URL = c.URL
	if a.Pauses, err = flags.Pauses(c.At); err != nil {
		return a, fault.Usage("--at: %w", err)
	}
	if a.Strategy, err = linger.ParseStrategy(cmp.Or(c.Strategy, "keep")); err != nil {
		return a, fault.Usage("%w", err)
	}
	switch {
	case !flags.IsURL(c.URL):
		return a, fault.Usage("--at asks a URL; serve %s first, in the lab by linger lab --serve, and give its URL", c.URL)
	case !a.Strategy.Persistent || a.Strategy.DNS != "":
		return a, fault.Usage("--at is about a connection that is used again; use -s keep, h2 or h3, not %s", a.Strategy.Name)
	}
	if words := c.labOnly(); len(words) > 0 {
		return a, fault.Usage("%s is of the lab; a URL is fetched over the network that there is: leave it out", words[0])
	}
	if len(c.Assert) > 0 {
		return a, fault.Usage("--assert is about a whole fetch; leave it out, or --at")
	}
	a.Timeout, err = c.Within(c.Timeout)
	return a, err
}
