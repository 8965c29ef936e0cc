// Command linger shows what keeping an HTTP connection open is worth, measured
// on real TCP, and finds where real systems throw connections away.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"linger"
	"linger/lab"
	"linger/live"
	"linger/origin"
	"linger/report/table"
)

// version is what --version prints and JSON carries; a release sets it with
// -ldflags "-X main.version=v1.2.3".
var version = "dev"

// Exit statuses, the same for every verb.
const (
	exitDone        = 0
	exitAssertion   = 1 // an assertion does not hold, or nothing could be measured
	exitUsage       = 2
	exitMachine     = 3   // this machine cannot do it
	exitUnreachable = 4   // the target cannot be reached
	exitInterrupted = 130 // with partial results
)

type cli struct {
	Compare compareCmd `cmd:"" help:"One workload, several strategies, one network: what each costs, and which to use."`
	Sweep   sweepCmd   `cmd:"" help:"Predict one workload and several strategies over many networks: which is fastest where."`
	Get     getCmd     `cmd:"" help:"Fetch a page and its objects once, with a waterfall of each connection."`
	Report  reportCmd  `cmd:"" help:"Render a trace file that compare or get wrote, or a HAR: text, HTML, JSON, CSV."`
	Serve   serveCmd   `cmd:"" help:"Run the origin server for any client: any workload, any connection policy."`
	Lab     labCmd     `cmd:"" help:"Run any program on the emulated network; see what it did with its connections."`
	Probe   probeCmd   `cmd:"" help:"Measure a server's connection policy, and where it violates the standards."`
	Inspect inspectCmd `cmd:"" help:"Read a capture: are connections reused, who closes them, why, and what does it cost."`
	Doctor  doctorCmd  `cmd:"" help:"Check what the lab needs of this machine, and how to get it."`

	Completion completionCmd `cmd:"" help:"Print the completion script of a shell."`
	Host       hostCmd       `cmd:"" hidden:"" help:"Be one host of a lab."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// streams are the process's own ends, handed to every verb.
type streams struct {
	in       *os.File
	out, err *os.File
	env      func(string) string
}

// A statusError ends the process with a status of its own. Without an error
// there is nothing left to say.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e statusError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return statusError{exitUsage, fmt.Errorf(format, args...)}
}

func main() {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	os.Exit(Main(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}

// Main runs one command line and returns the exit status.
func Main(args []string, std streams) int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	err := dispatch(ctx, args, std)
	var status statusError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &status):
	case errors.Is(err, lab.ErrUnsupported):
		status.status = exitMachine
	case errors.Is(err, live.ErrUnreachable):
		status.status = exitUnreachable
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EDQUOT):
		status.status = exitMachine
	case ctx.Err() != nil:
		status.status = exitInterrupted
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
	default:
		status.status = exitAssertion
	}
	if message := err.Error(); message != "" {
		fmt.Fprintf(std.err, "linger: %s\n", oneLine(message))
	}
	return status.status
}

// oneLine keeps the promise that an error is one line, and nothing in it moves a cursor.
func oneLine(s string) string {
	return table.Clean(strings.Join(strings.Fields(strings.ReplaceAll(s, "\n", "; ")), " "))
}

// exited carries kong's wish to exit, after --help and --version, out of the parser.
type exited int

func dispatch(ctx context.Context, args []string, std streams) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			if err = nil; r != exitDone {
				err = statusError{status: int(r)}
			}
		default:
			panic(r)
		}
	}()
	var c cli
	parser, err := newParser(&c, std.out, std.err)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if wrong := new(kong.ParseError); err != nil && !errors.As(err, &wrong) {
		return err // of writing the help
	} else if err != nil {
		return usage("%w; linger --help lists what there is", err)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(std, parser)
}

func formNames(forms []linger.Form) string {
	var names []string
	for _, f := range forms {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

func networkNames() string {
	var names []string
	for _, n := range linger.Networks() {
		names = append(names, n.Name)
	}
	return strings.Join(names, ", ")
}

func misbehaviourNames() string {
	var names []string
	for _, m := range origin.Misbehaviours() {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

func newParser(c *cli, out, err io.Writer) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("linger"),
		kong.Description("What keeping an HTTP connection open is worth, measured on real TCP."),
		kong.Vars{
			"version":       "linger " + version,
			"workload":      linger.DefaultWorkload,
			"workloads":     formNames(linger.Workloads()),
			"strategies":    linger.DefaultStrategies("https"),
			"plain":         linger.DefaultStrategies("http"),
			"modifiers":     formNames(linger.Modifiers()),
			"forms":         formNames(linger.Forms()),
			"network":       linger.DefaultNetwork,
			"networks":      networkNames(),
			"misbehaviours": misbehaviourNames(),
			"rtts":          sweepRTTs,
			"downs":         sweepDowns,
			"losses":        sweepLosses,
		},
		kong.Writers(out, err),
		kong.Exit(func(status int) { panic(exited(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80, FlagsLast: true}),
	)
}
