// Command linger shows what keeping an HTTP connection open is worth, measured
// on real TCP, and finds where real systems throw connections away.
package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"linger"
	"linger/build"
	"linger/console"
	"linger/dial"
	"linger/fault"
	"linger/flags"
	"linger/lab"
	"linger/origin/misbehave"
	"linger/rig/crowds"
)

// Exit statuses, the same for every verb.
const (
	exitDone        = 0
	exitAssertion   = 1 // an assertion does not hold, or nothing could be measured
	exitUsage       = 2
	exitMachine     = 3   // this machine cannot do it
	exitUnreachable = 4   // the target cannot be reached
	exitInterrupted = 130 // with partial results; by a signal other than Ctrl-C 128 and its number
)

type cli struct {
	Compare compareCmd `cmd:"" help:"One workload, several strategies, one network or several: what each costs, and which to use."`
	Sweep   sweepCmd   `cmd:"" help:"Predict one workload and several strategies over many networks: which is fastest where."`
	Get     getCmd     `cmd:"" help:"Fetch a page and its objects once, with a waterfall of each connection."`
	Report  reportCmd  `cmd:"" help:"Render a trace file that compare or get wrote, or a HAR: text, HTML, JSON, CSV."`
	Serve   serveCmd   `cmd:"" help:"Run the origin server for any client: any workload, any connection policy."`
	Lab     labCmd     `cmd:"" help:"Run any program on the emulated network; see what it did with its connections."`
	Probe   probeCmd   `cmd:"" help:"Measure a server's connection policy, and where it violates the standards."`
	Inspect inspectCmd `cmd:"" help:"Read a capture: are connections reused, who closes them, why, and what does it cost."`
	Tune    tuneCmd    `cmd:"" help:"Read an access log: which keep-alive settings does this traffic want?"`
	Bench   benchCmd   `cmd:"" help:"Load a server by each strategy in turns: what do connections cost it?"`
	Doctor  doctorCmd  `cmd:"" help:"Check what the lab needs of this machine, and how to get it."`

	Completion completionCmd `cmd:"" help:"Print the completion script of a shell."`
	About      versionCmd    `cmd:"" name:"version" help:"Print the version, the commit it was built from, Go's version and the system."`
	Explain    helpCmd       `cmd:"" name:"help" help:"Explain a verb, as linger VERB --help."`
	Complete   completeCmd   `cmd:"" hidden:"" help:"Say what may stand at the end of a command line."`
	Host       hostCmd       `cmd:"" hidden:"" help:"Be one host of a lab."`

	common
}

// common are the flags of every verb.
type common struct {
	Quiet   bool             `short:"q" help:"No notes and no progress on standard error; errors stay."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

// alone returns the grammar of one verb, with what is common to all, or nil. To put together what
// the flags of all verbs say takes longer than all else before a verb runs.
func alone(verb string) (grammar any, set *common) {
	if verb == "help" || verb == "complete" {
		return nil, nil // they tell of all
	}
	for f := range reflect.TypeFor[cli]().Fields() {
		if !f.Anonymous && cmp.Or(f.Tag.Get("name"), strings.ToLower(f.Name)) == verb {
			all := reflect.StructField{Name: "Common", Type: reflect.TypeFor[common](), Tag: `embed:""`}
			one := reflect.New(reflect.StructOf([]reflect.StructField{f, all}))
			return one.Interface(), one.Elem().Field(1).Addr().Interface().(*common)
		}
	}
	return nil, nil
}

// A statusError ends the process with the status of a program that it has run, or could not.
// Without an error there is nothing left to say.
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

func main() {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	os.Exit(Main(os.Args[1:], streamsOf(os.Stdin, os.Stdout, os.Stderr, os.Getenv)))
}

// Main runs one command line and returns the exit status.
func Main(args []string, std console.Streams) int {
	ctx, stop := console.Heed()
	defer stop()
	status, err := exit(ctx, dispatch(ctx, args, std))
	if err != nil && err.Error() != "" {
		std.Fail(err)
	}
	return status
}

// exit returns the exit status of a command line that has ended with err, and what to say of it.
func exit(ctx context.Context, err error) (int, error) {
	var own statusError
	status, known := statuses[fault.KindOf(err)]
	if !known {
		status = exitAssertion
	}
	switch {
	case err == nil:
		return exitDone, nil
	case errors.Is(err, fault.ErrInterrupted):
		status, err = exitInterrupted, fault.ErrInterrupted
	case errors.As(err, &own):
		status = own.status
	case known:
	case errors.Is(err, lab.ErrUnsupported):
		status = exitMachine
	case errors.Is(err, dial.ErrUnreachable):
		status = exitUnreachable
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EDQUOT):
		status = exitMachine
	case ctx.Err() != nil:
		status = exitInterrupted
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
	}
	if told, ok := context.Cause(ctx).(console.Signalled); ok && status == exitInterrupted {
		status = signalStatus(told.Signal)
	}
	return status, err
}

// statuses are what each kind of error ends with.
var statuses = map[fault.Kind]int{
	fault.NotMet:            exitAssertion,
	fault.WrongUsage:        exitUsage,
	fault.MachineUnable:     exitMachine,
	fault.TargetUnreachable: exitUnreachable,
	fault.StoppedEarly:      exitInterrupted,
}

// signalStatus is what a shell gives for a command that a signal has ended: 130 for Ctrl-C, 143
// for SIGTERM.
func signalStatus(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitInterrupted
}

// streamsOf are streams over files.
func streamsOf(in, out, err *os.File, env func(string) string) console.Streams {
	return console.New(in, out, err, env, version)
}

// exited carries kong's wish to exit, after --help and --version, out of the parser.
type exited int

func dispatch(ctx context.Context, args []string, std console.Streams) (err error) {
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
	args = asHelp(args)
	grammar, set := alone(args[0])
	if grammar == nil {
		grammar, set = every()
	}
	parser, err := newParser(grammar, std.Out, std.Err)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	wrong := new(kong.ParseError)
	if errors.As(err, &wrong) { // what is meant may be another verb
		grammar, set = every()
		if parser, err = newParser(grammar, std.Out, std.Err); err != nil {
			return err
		}
		parsed, err = parser.Parse(args)
	}
	if err != nil && !errors.As(err, &wrong) {
		return err // of writing the help
	} else if err != nil {
		return advise(wrong, args)
	}
	std.Quiet = set.Quiet
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(std, parser)
}

// namesOf lists what some things are called.
func namesOf[T any](all []T, name func(T) string) string {
	var names []string
	for _, one := range all {
		names = append(names, name(one))
	}
	return strings.Join(names, ", ")
}

func nameOf(f linger.Form) string { return f.Name }

// every returns the grammar of all verbs.
func every() (grammar any, set *common) {
	c := &cli{}
	return c, &c.common
}

func newParser(grammar any, out, err io.Writer) (*kong.Kong, error) {
	return kong.New(grammar,
		kong.Name("linger"),
		kong.Description("What keeping an HTTP connection open is worth, measured on real TCP."),
		kong.Vars{
			"version":       build.About(version),
			"workload":      linger.DefaultWorkload,
			"workloads":     namesOf(linger.Workloads(), nameOf),
			"strategies":    linger.DefaultStrategies(linger.SchemeHTTPS),
			"crowded":       crowds.DefaultStrategies(linger.SchemeHTTPS),
			"plain":         linger.DefaultStrategies(linger.SchemeHTTP),
			"modifiers":     namesOf(linger.Modifiers(), nameOf),
			"forms":         namesOf(linger.Forms(), nameOf),
			"network":       linger.DefaultNetwork,
			"networks":      namesOf(linger.Networks(), func(n linger.Network) string { return n.Name }),
			"balances":      namesOf(linger.Balances, func(b linger.Balance) string { return string(b) }),
			"misbehaviours": namesOf(misbehave.Kinds(), func(k misbehave.Kind) string { return k.Name }),
			"rtts":          flags.GridRTTs,
			"downs":         flags.GridDowns,
			"losses":        flags.GridLosses,
			"thinks":        flags.GridThinks,
			"idles":         flags.GridIdles,
		},
		kong.Writers(out, err),
		kong.Exit(func(status int) { panic(exited(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80, FlagsLast: true}),
	)
}
