package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"linger"
	"linger/live"
	"linger/report"
	"linger/trace"
)

type getCmd struct {
	URL string `arg:"" help:"An http URL, fetched from where it is; or a workload, as for compare, fetched in the lab."`

	Strategy string `short:"s" default:"keep:6" placeholder:"NAME" help:"How connections are used: ${forms}; :N for N connections; behind a + ${modifiers}. Default keep:6."`
	Scheme   string `placeholder:"http|https" help:"Of a workload: cleartext, or TLS 1.3; default what it has."`
	networkFlags
	serverPolicyFlags
	Seed    uint64   `default:"1" placeholder:"N" help:"Fixes the workload's sizes and the losses; default 1."`
	Think   string   `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it."`
	Timeout string   `default:"1m" placeholder:"D" help:"After how long the fetch is given up; default 1m."`
	Output  []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the trace too: .json, .txt, or in the lab .pcapng; - is standard output, in JSON."`
	JSON    bool     `help:"Print the trace as JSON, as -o -."`
}

// Run fetches once and draws what happened on each connection.
func (c getCmd) Run(ctx context.Context, std streams) error {
	strategy, err := linger.ParseStrategy(c.Strategy)
	if err != nil {
		return usage("%w", err)
	}
	timeout, err := parseDuration(c.Timeout)
	if err != nil || timeout <= 0 {
		return usage("--timeout: %q is not a time to wait; write 30s or 10m", c.Timeout)
	}
	interrupted := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	fetch, endings := c.lab, []string{".json", ".txt", ".pcapng"}
	if strings.Contains(c.URL, "://") {
		fetch, endings = c.live, []string{".json", ".txt"}
	}
	out, err := openOutputs(c.Output, c.JSON, std, endings...)
	if err != nil {
		return err
	}
	defer out.discard()
	t, notes, err := fetch(ctx, strategy, out)
	if err != nil {
		if interrupted.Err() == nil && ctx.Err() != nil {
			err = statusError{exitUnreachable, fmt.Errorf("%s: not done after %v; give it longer with --timeout", c.URL, timeout)}
		}
		return err
	}
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	err = out.write(func(ending string, w io.Writer) error {
		if ending == ".json" {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(t)
		}
		return report.Waterfall(w, t, report.Options{Color: out.color(w), Version: version})
	})
	switch {
	case err != nil:
		return err
	case interrupted.Err() != nil:
		return statusError{status: exitInterrupted}
	}
	return verdictOf(t)
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
func (c getCmd) live(ctx context.Context, s linger.Strategy, _ *outputs) (*trace.Trace, []string, error) {
	page, err := live.Visit(ctx, c.URL, s, live.Config{Agent: agent()})
	if err != nil {
		return nil, nil, usage("%w", err)
	}
	var notes []string
	if page.Elsewhere > 0 {
		notes = append(notes, fmt.Sprintf("%d objects of other origins are named and were not fetched", page.Elsewhere))
	}
	if page.Beyond > 0 {
		notes = append(notes, fmt.Sprintf("%d more objects are named than one visit fetches", page.Beyond))
	}
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
	if w, err = adjust(w, c.Scheme, c.Think); err != nil {
		return nil, nil, err
	}
	if err := s.Fits(w.Scheme); err != nil {
		return nil, nil, usage("%w", err)
	}
	engine := labEngine{policy: serverPolicy, capture: func(linger.Scenario, int) string { return out.named(".pcapng") }}
	t, err := engine.Run(ctx, linger.Scenario{Workload: w, Strategy: s, Network: network, Seed: c.Seed}, 0)
	return t, notes, err
}
