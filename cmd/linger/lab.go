package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/lab"
	"linger/report/text"
	"linger/trace"
)

type labCmd struct {
	Command []string `arg:"" passthrough:"" help:"The program and its arguments, behind --. It finds the origin at http://origin/ and https://origin/."`

	networkFlags
	Serve string `default:"${workload}" placeholder:"WORKLOAD" help:"What the origin serves, as for compare; default ${workload}."`
	serverPolicyFlags
	Seed      uint64   `default:"1" placeholder:"N" help:"Fixes the workload's sizes and the losses; default 1."`
	Authority string   `placeholder:"FILE" help:"Write the certificate, in PEM, of the authority that vouches for https://origin/."`
	Assert    []string `sep:"none" placeholder:"WHAT" help:"A condition, as 'reuse>=0.9 && connections<=6'; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output    []string `short:"o" sep:"none" placeholder:"FILE" help:"Write what was seen: .json, or .pcapng with every packet."`
	wideFlag
}

// Run starts the command on the client's host of a lab, with this process's own
// standard streams, and ends with its status. What it did with its connections
// is told on standard error: standard output is the command's.
func (c labCmd) Run(ctx context.Context, std streams) error {
	network, err := c.networkFlags.parse()
	if err != nil {
		return err
	}
	serverPolicy, err := c.serverPolicyFlags.parse()
	if err != nil {
		return err
	}
	w, notes, err := loadWorkload(c.Serve, c.Seed)
	if err != nil {
		return err
	}
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return usage("no command; write linger lab -- curl -s http://origin/")
	}
	path, err := exec.LookPath(command[0])
	switch {
	case errors.Is(err, fs.ErrPermission):
		return statusError{126, fmt.Errorf("%s cannot be executed: permission denied", command[0])}
	case err != nil:
		return statusError{127, fmt.Errorf("%s: no such command; name a program on the PATH or a path to one", command[0])}
	}
	asserted, err := assertions(c.Assert, compare.TrafficVocabulary())
	if err != nil {
		return err
	}
	out, err := openOutputs(c.Output, false, std, ".json", ".pcapng")
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	servers, note := serversOf(w)
	if note != "" {
		notes = append(notes, note)
	}
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}

	config := labConfig(linger.Scenario{Network: network, Seed: c.Seed}, 0, servers)
	if name := out.named(".pcapng"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			return statusError{exitMachine, fmt.Errorf("-o: %w; choose a place that can be written", err)}
		}
		defer f.Close()
		config.Capture, config.CaptureLimit = f, captureLimit
	}
	// Ctrl-C is for the command; the lab stays until it has ended.
	l, err := lab.Open(context.WithoutCancel(ctx), config)
	if err != nil {
		return err
	}
	defer l.Close()
	running, err := startServers(l, servers, w, serverPolicy)
	if err != nil {
		return err
	}
	defer running.abandon()
	if err := running.ready(); err != nil {
		return err
	}

	if c.Authority != "" {
		if err := os.WriteFile(c.Authority, running.authorities(), 0o666); err != nil {
			return statusError{exitMachine, fmt.Errorf("--authority: %w; choose a place that can be written", err)}
		}
	}

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	p, err := l.Start(lab.Command{Host: clientHost, Path: path, Args: command[1:],
		Stdin: std.in, Stdout: std.out, Stderr: std.err, Foreground: true})
	if err != nil {
		return statusError{126, err}
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				// The terminal has given Ctrl-C to the command already.
				if s != os.Interrupt || !term.IsTerminal(int(std.in.Fd())) {
					p.Signal(s)
				}
			case <-ended:
				return
			}
		}
	}()
	exit, err := p.Wait()
	close(ended)
	if err != nil {
		return err
	}
	seen, err := settle(context.WithoutCancel(ctx), l, network.RTT+extraTrip(servers))
	if err != nil {
		return err
	}
	said, err := running.finish()
	if err != nil {
		return err
	}
	for _, note := range seen.Notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	fmt.Fprintln(std.err)
	results := assert.Decide(asserted, compare.TrafficFigures(seen.Ledger, said.Carried))
	err = errors.Join(text.Ledger(std.err, seen.Ledger, said.Carried, out.layout(std.err)), text.Asserted(std.err, results, out.layout(std.err)))
	if broken := l.Close(); broken != nil && out.named(".pcapng") != "" {
		err = errors.Join(err, statusError{exitMachine, fmt.Errorf("-o %s: %w", out.named(".pcapng"), broken)})
	}
	out.table = false // standard output is the command's
	err = errors.Join(err, out.write(func(_ string, to io.Writer) error {
		e := json.NewEncoder(to)
		e.SetIndent("", "  ")
		return e.Encode(labSeen{
			Format: labFormat, Linger: version, Command: command, Status: exit.Status(), Network: network,
			Ledger: seen.Ledger, Requests: said.Carried, Client: seen.Hosts[clientHost], Origin: sideOf(servers, seen, seen), Asserted: results,
		})
	}))
	if err == nil && exit.Status() != 0 {
		err = statusError{status: exit.Status()}
	}
	return cmp.Or(err, brokenOf(results))
}

// labFormat names the JSON of what a command did on the emulated network, and the
// version of its form. The first had no name, and times in nanoseconds.
const labFormat = "linger lab 2"

// labSeen is the document of that name.
type labSeen struct {
	Format   string         `json:"format"`
	Linger   string         `json:"linger"`
	Command  []string       `json:"command"`
	Status   int            `json:"status"`
	Network  linger.Network `json:"network"`
	Ledger   trace.Ledger   `json:"ledger"`
	Requests map[string]int `json:"requests"` // on each connection, by the client's IP:port
	Client   trace.Host     `json:"client"`
	Origin   trace.Host     `json:"origin"`

	Asserted []assert.Result `json:"assertions,omitempty"`
}
