package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"linger"
	"linger/assert"
	"linger/compare/assertion"
	"linger/console"
	"linger/fault"
	"linger/finding"
	"linger/flags"
	"linger/lab"
	"linger/report/document"
	"linger/report/text"
	"linger/report/trial"
	"linger/rig"
	"linger/rig/far"
	"linger/rig/host"
	"linger/service"
	"linger/whole"
)

type labCmd struct {
	Command []string `arg:"" passthrough:"" help:"The program and its arguments, behind --. It finds the origin at http://origin/ and https://origin/, what --connect names, or the server of --origin-command at http://origin:PORT/."`

	flags.NetworkFlags
	Serve string `default:"${workload}" placeholder:"WORKLOAD" help:"What the origin serves, as for compare; default ${workload}."`
	flags.PolicyFlags
	flags.CapacityFlags
	Seed      uint64   `default:"1" placeholder:"N" help:"Fixes the workload's sizes and the losses; default 1."`
	Authority string   `placeholder:"FILE" help:"Write the certificate, in PEM, of the authority that vouches for https://origin/, and keep it. The command finds it by SSL_CERT_FILE, CURL_CA_BUNDLE and the like in any case (docs/lab.md)."`
	Connect   []string `sep:"none" placeholder:"[NAME=]HOST:PORT" help:"Instead of the origin, have the command reach this one server outside, through a relay at the path's far end, and nothing else: at HOST:PORT, of an address at origin:PORT, with NAME at NAME:PORT. May stand several times."`
	flags.OriginCommandFlag
	Sysctl []string `sep:"none" placeholder:"NAME=VALUE" help:"A parameter of the network of all hosts of the lab, as of docker run: 'net.ipv4.ip_local_port_range=40000 40099'. May stand several times."`
	Assert []string `sep:"none" placeholder:"WHAT" help:"A condition, as 'reuse>=0.9 && connections<=6'; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write what was seen: .json, or .pcapng with every packet."`
	flags.WideFlag
}

// Run starts the command on the client's host of a lab, with this process's own
// standard streams, and ends with its status. What it did with its connections
// is told on standard error: standard output is the command's.
func (c labCmd) Run(ctx context.Context, std console.Streams) error {
	network, err := c.NetworkFlags.Parse()
	if err != nil {
		return err
	}
	end, notes, err := c.end(ctx, std)
	if err != nil {
		return err
	}
	command, path, err := c.program()
	if err != nil {
		return err
	}
	asserted, err := flags.Assertions(c.Assert, assertion.TrafficVocabulary())
	if err != nil {
		return err
	}
	sysctls, err := c.sysctls()
	if err != nil {
		return err
	}
	// Standard output is the command's.
	out, err := console.Open(std, console.Wanted{Files: c.Output, Wide: c.Wide, NoText: true}, ".json", ".pcapng")
	if err != nil {
		return err
	}
	defer out.Discard()
	for _, note := range notes {
		std.Note("%s", note)
	}
	run := rig.Command{
		Network: network, Seed: c.Seed, End: end, Sysctls: sysctls, Environ: os.Environ(), Terminal: console.IsTerminal(std.In),
		Process: lab.Command{Path: path, Args: command[1:], Stdin: std.In, Stdout: std.Out.File, Stderr: std.Err.File},
	}
	packets, err := c.capture(out, &run)
	if err != nil {
		return err
	}
	if packets != nil {
		defer packets.Discard()
	}
	seen, err := run.Run(ctx, std.Note)
	if err != nil {
		return c.failed(std, err)
	}
	result := document.Command{
		Linger: version, Command: command, Status: seen.Status, Network: network, Ledger: seen.Lab.Ledger, Requests: seen.End.Requests,
		Client: seen.Lab.Hosts[host.Client], Origin: seen.End.Host, Relays: relayedBy(seen.End.Relays),
		Asserted: assert.Decide(asserted, assertion.TrafficFigures(seen.Lab.Ledger, seen.End.Requests)),
	}
	c.tell(std, seen)
	err = errors.Join(c.write(std, out, result), c.keep(out, packets, seen.Closed), out.Write(func(_ string, w io.Writer) error { return result.Write(w) }))
	if err == nil && seen.Status != 0 {
		err = statusError{status: seen.Status}
	}
	return cmp.Or(err, flags.Broken(result.Asserted))
}

// write shows what the command did, on standard error.
func (c labCmd) write(std console.Streams, out *console.Outputs, r document.Command) error {
	layout := out.Layout(std.Err)
	return errors.Join(text.Ledger(std.Err, r.Ledger, r.Requests, r.Relays, layout), text.Asserted(std.Err, r.Asserted, layout))
}

// sysctls are the parameters of hosts that were asked for, by name.
func (c labCmd) sysctls() (map[string]string, error) {
	out := map[string]string{}
	for _, one := range c.Sysctl {
		name, value, ok := strings.Cut(one, "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || !strings.HasPrefix(name, "net.") || value == "" {
			return nil, fault.Usage("--sysctl %s: write a parameter of the network and its value, as net.ipv4.tcp_tw_reuse=1", one)
		}
		out[name] = value
	}
	return out, nil
}

// capture begins the file of packets; nil is that none is wanted.
func (c labCmd) capture(out *console.Outputs, run *rig.Command) (*whole.File, error) {
	name := out.Named(".pcapng")
	if name == "" {
		return nil, nil
	}
	packets, err := whole.Create(name)
	if err != nil {
		return nil, fault.Machine("-o: %w; choose a place that can be written", err)
	}
	run.Capture = packets.OS()
	return packets, nil
}

// keep puts the file of packets where it belongs, if they are whole.
func (c labCmd) keep(out *console.Outputs, packets *whole.File, broken error) error {
	if packets == nil {
		return nil
	}
	if broken == nil {
		broken = packets.Commit()
	}
	return console.Unwritten(out.Named(".pcapng"), packets, broken)
}

// failed is the error of a run of which there is nothing to show.
func (c labCmd) failed(std console.Streams, err error) error {
	if f, ok := errors.AsType[*service.Failed](err); ok {
		explain(std, f)
	}
	if none, ok := errors.AsType[rig.NotStarted](err); ok {
		return statusError{126, none.Unwrap()}
	}
	return err
}

// tell says what of the run is not in its figures.
func (c labCmd) tell(std console.Streams, seen rig.CommandSeen) {
	if f := seen.End.Failed; f != nil {
		explain(std, f)
		std.Note("%s", f)
	}
	if h, ok := seen.End.Host.Get(); ok && c.OriginCommand != "" {
		std.Note("the server used %s ms of CPU, at most %s MB of memory (RSS), and at most %s", finding.Fixed(float64(h.CPU)/1e6, 1),
			finding.Fixed(float64(h.ResidentPeak)/1e6, 1), linger.Plural(h.SocketsPeak, "socket"))
	}
	for _, note := range seen.Lab.Notes {
		std.Note("%s", note)
	}
	fmt.Fprintln(std.Err)
}

// program returns the command with its arguments, and the path to it.
func (c labCmd) program() (command []string, path string, err error) {
	command = c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return nil, "", fault.Usage("no command; write linger lab -- curl -s http://origin/")
	}
	path, err = exec.LookPath(command[0])
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, "", statusError{126, fmt.Errorf("%s cannot be executed: permission denied", command[0])}
	case err != nil:
		return nil, "", statusError{127, fmt.Errorf("%s: no such command; name a program on the PATH or a path to one", command[0])}
	}
	return command, path, nil
}

// end returns what the flags put at the far end of the path, and what there is to say of it.
func (c labCmd) end(ctx context.Context, std console.Streams) (end far.End, notes []string, err error) {
	serverPolicy, err := c.PolicyFlags.Parse()
	if err != nil {
		return nil, nil, err
	}
	capacity, err := c.CapacityFlags.Parse(0)
	if err != nil {
		return nil, nil, err
	}
	if len(c.Connect) == 0 && c.OriginCommand == "" {
		w, notes, err := flags.Load(ctx, c.Serve, c.Seed)
		if err != nil {
			return nil, nil, err
		}
		if _, note := far.Place(w); note != "" {
			notes = append(notes, note)
		}
		return &far.Serving{Workload: w, Policy: serverPolicy, Capacity: capacity, Authority: c.Authority, Env: std.Env}, notes, nil
	}
	instead := "--connect"
	if c.OriginCommand != "" {
		instead = "--origin-command"
	}
	if c.OriginCommand != "" && len(c.Connect) > 0 {
		return nil, nil, fault.Usage("--connect and --origin-command each name the server; leave one of them out")
	}
	words := slices.Concat(c.PolicyFlags.Words(), c.CapacityFlags.Words(), flags.Given(flags.If("--serve", c.Serve != linger.DefaultWorkload), flags.If("--authority", c.Authority != "")))
	if len(words) > 0 {
		return nil, nil, fault.Usage("%s is of linger's own origin, which is not there with %s; leave one of them out", words[0], instead)
	}
	if c.OriginCommand != "" {
		return &far.Starting{Command: c.OriginCommand}, nil, nil
	}
	targets, err := far.ParseTargets(ctx, c.Connect)
	return &far.Reaching{Targets: targets}, []string{far.Announcement(targets)}, err
}

// relayedBy is what relays have done, each for its target, as reports have it.
func relayedBy(all []far.Carried) []trial.Relayed {
	var out []trial.Relayed
	for _, one := range all {
		s := one.Seen
		out = append(out, trial.Relayed{At: one.Target.At(), Server: one.Target.Real, Address: s.Server, Connections: s.Connections,
			Failed: s.Failed, Reason: s.Reason, Datagrams: s.Datagrams, ConnectMS: trial.SpreadOf(s.Connect)})
	}
	return out
}

// hostCmd is what this program does as a host of a lab.
type hostCmd struct {
	Role string `arg:"" enum:"origin,client,crowd,browser" help:"What to be: origin, client, crowd or browser."`
}

// Run is that host until standard input ends.
func (c hostCmd) Run(ctx context.Context, std console.Streams) error {
	return host.Run(ctx, c.Role, std.In, std.Out.File, os.Environ())
}
