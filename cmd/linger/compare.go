package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/lab"
	"linger/report"
	"linger/run"
)

type compareCmd struct {
	Workload string `arg:"" optional:"" default:"${workload}" help:"${workloads}; or a .har file; or a list of your own (docs/workloads.md). Default ${workload}."`

	Strategies string `short:"s" placeholder:"LIST" help:"What to compare: ${forms}; :N for N connections; behind a + ${modifiers}. Default ${strategies}; in cleartext ${plain}."`
	Scheme     string `placeholder:"http|https" help:"Cleartext, or TLS 1.3; default what the workload has."`
	networkFlags
	Trials int    `default:"5" placeholder:"N" help:"How often each strategy runs; default 5."`
	Seed   uint64 `default:"1" placeholder:"N" help:"Fixes sizes, order of trials and losses; default 1."`
	Think  string `placeholder:"D" help:"Wait of the client between knowing of an object and asking for it."`
	serverPolicyFlags
	Workers int      `placeholder:"N" help:"Trials side by side; default what this machine carries on time."`
	Timeout string   `default:"10m" placeholder:"D" help:"After how long a trial is given up; default 10m."`
	On      string   `enum:"lab" default:"lab" placeholder:"lab" help:"Where it runs: lab, the emulated network."`
	Output  []string `short:"o" sep:"none" placeholder:"FILE" help:"Write the result too: .json, .csv, .txt; or of each strategy's first trial .pcapng, with the secrets that decrypt it, or .qlog; - is standard output, in JSON."`
	JSON    bool     `help:"Print JSON, as -o -."`
}

func (c compareCmd) Run(ctx context.Context, std streams) error {
	network, err := c.networkFlags.parse()
	if err != nil {
		return err
	}
	serverPolicy, err := c.serverPolicyFlags.parse()
	if err != nil {
		return err
	}
	timeout, err := parseDuration(c.Timeout)
	if err != nil || timeout <= 0 {
		return usage("--timeout: %q is not a time to wait; write 30s or 10m", c.Timeout)
	}
	w, notes, err := loadWorkload(c.Workload, c.Seed)
	if err != nil {
		return err
	}
	if w, err = adjust(w, c.Scheme, c.Think); err != nil {
		return err
	}
	list := cmp.Or(c.Strategies, linger.DefaultStrategies(w.Scheme))
	strategies, err := linger.ParseStrategies(list)
	if err != nil {
		return usage("%w", err)
	}
	for _, s := range strategies {
		if err := s.Fits(w.Scheme); err != nil {
			return usage("%w", err)
		}
	}
	workers := c.Workers
	if workers == 0 {
		workers = lab.Capacity(network, runtime.NumCPU())
	}
	plan := run.Plan{
		Workload: w, Strategies: strategies, Network: network, Seed: c.Seed,
		Trials: c.Trials, Still: stillTrials, Workers: workers, Timeout: timeout,
	}
	if err := plan.Validate(); err != nil {
		return usage("%w", err)
	}
	out, err := openOutputs(c.Output, c.JSON, std, ".json", ".csv", ".txt", ".pcapng", ".qlog")
	if err != nil {
		return err
	}
	defer out.discard()
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}

	if out.named(".qlog") != "" && !slices.ContainsFunc(strategies, func(s linger.Strategy) bool { return s.Version == "3" }) {
		return usage("-o %s: a qlog is of QUIC; have h3 among the strategies", out.named(".qlog"))
	}

	bar := newProgress(std, out.layout(std.err))
	var lost losses
	engine := labEngine{policy: serverPolicy, keep: firstTrials(out, network, std.env("SSLKEYLOGFILE")), lost: lost.add}
	experiment, err := run.Run(ctx, engine, plan, bar.tell)
	bar.clear()
	if experiment == nil || len(experiment.Engine) == 0 {
		if ctx.Err() != nil {
			err = statusError{exitInterrupted, errors.New("interrupted before the first trial was over")}
		}
		return err
	}
	if err != nil {
		// What was measured until then is shown all the same.
		fmt.Fprintf(std.err, "linger: %s\n", oneLine(err.Error()))
	}
	findings := compare.Compare(compare.Input(*experiment))
	err = errors.Join(statusOf(err), lost.err(), out.write(func(ending string, w io.Writer) error {
		switch ending {
		case ".json":
			return report.JSON(w, findings, version)
		case ".csv":
			return report.CSV(w, findings)
		default:
			layout := out.layout(w)
			layout.Command = c.command()
			return report.Compare(w, findings, layout)
		}
	}))
	if err == nil && ctx.Err() != nil {
		return statusError{status: exitInterrupted}
	}
	return err
}

// statusOf keeps an error's exit status once its message has been printed.
func statusOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lab.ErrUnsupported):
		return statusError{status: exitMachine}
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
	add("--trials", fmt.Sprint(c.Trials), "5")
	add("--seed", fmt.Sprint(c.Seed), "1")
	add("--think", c.Think, "")
	add("--timeout", c.Timeout, "10m")
	if c.Workers != 0 {
		words = append(words, "--workers", fmt.Sprint(c.Workers))
	}
	words = append(words, c.serverPolicyFlags.words()...)
	return strings.Join(words, " ")
}

// quote makes a word safe for a shell.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]{}~#!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// firstTrials says what is kept of each strategy's first trial on the network
// itself: FILE.pcapng becomes FILE.STRATEGY.pcapng, and so does FILE.qlog.
func firstTrials(out *outputs, network linger.Network, keylog string) func(linger.Scenario, int) keepsakes {
	packets, qlog := out.named(".pcapng"), out.named(".qlog")
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
		return keepsakes{packets: named(packets), keylog: keylog, qlog: named(qlog)}
	}
}
