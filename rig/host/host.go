// Package host is the protocol between a program that measures and the hosts of its lab.
//
// Client and servers of a lab are processes of their own, so that neither shares a scheduler or a
// garbage collector with the other or with what carries their packets. Each is this same program,
// started anew as
//
//	linger host client|crowd|browser|origin
//
// It is told in JSON on its standard input what to do, and answers in JSON on its standard output.
//
// One who measures starts hosts by StartClient, StartCrowd and StartOrigin, hands them a
// ClientOrder, a CrowdOrder or an OriginOrder, and gets a ClientSeen, a trace.Crowd or an
// OriginSeen back. The process that is started calls Run.
package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// Names of the two hosts of a lab, as commands inside resolve them. Further servers are called
// origin2, origin3 and so on.
const (
	Client = "client"
	Origin = "origin"
)

// Verb is the first argument of a program that is to be a host; its role is the second.
const Verb = "host"

// roles are what a host may be.
var roles = map[string]func(context.Context, streams) error{
	"client":  beClient,
	"crowd":   beCrowd,
	"browser": beBrowser,
	"origin":  beOrigin,
}

// streams are what a host converses by, and the environment of what it starts.
type streams struct {
	in  io.Reader
	out io.Writer
	env []string
}

// Run does what a host of that role does, until its standard input ends. env is the environment
// of programs that it starts.
func Run(ctx context.Context, role string, in io.Reader, out io.Writer, env []string) error {
	be, ok := roles[role]
	if !ok {
		return fmt.Errorf("%s: no role of a host; it is client, crowd, browser or origin", role)
	}
	// The terminal's Ctrl-C is for the owner of the lab, who ends us by closing our input.
	signal.Ignore(os.Interrupt)
	return be(ctx, streams{in, out, env})
}

// Inside reports whether a program was started as a host, and if so is that host to its end. It
// is for programs that have no command line besides, as tests; what went wrong is said on stderr.
func Inside(args []string, env []string) (status int, inside bool) {
	if len(args) != 3 || args[1] != Verb {
		return 0, false
	}
	if err := Run(context.Background(), args[2], os.Stdin, os.Stdout, env); err != nil {
		fmt.Fprintf(os.Stderr, "linger: %v\n", err)
		return 1, true
	}
	return 0, true
}

// take reads the order of a host.
func take(role string, in io.Reader, order any) error {
	if err := json.NewDecoder(in).Decode(order); err != nil {
		return noOrder(role, err)
	}
	return nil
}

func noOrder(role string, err error) error {
	return fmt.Errorf("host %s: no order on standard input: %w", role, err)
}

// heeding returns a context that ends when standard input does: that is the word to stop.
func (s streams) heeding(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, s.in)
		stop()
	}()
	return ctx, stop
}
