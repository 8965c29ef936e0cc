package rig

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"linger"
	"linger/lab"
	"linger/rig/far"
	"linger/rig/host"
)

// A Command is a program of the user's own on the client's host of a lab.
type Command struct {
	Network linger.Network
	Seed    uint64
	End     far.End
	// Capture is where every packet goes; nil is nowhere.
	Capture *os.File
	// Sysctls are parameters of the network of all hosts that differ from the lab's own.
	Sysctls map[string]string
	// Process is the program, without the host that it runs on.
	Process lab.Command
	// Environ is its environment, where the end adds to it; else it has this process's.
	Environ []string
	// Terminal says that the program hears Ctrl-C by itself.
	Terminal bool
}

// A CommandSeen is what a program did with its connections.
type CommandSeen struct {
	Status int
	Lab    lab.Report
	End    far.Ended
	// Closed is why the capture is not whole; nil is that it is.
	Closed error
}

// NotStarted is the error of a program that could not be started.
type NotStarted struct{ error }

func (e NotStarted) Unwrap() error { return e.error }

// Run runs the program to its end. note is told where the servers are.
func (c Command) Run(ctx context.Context, note func(string, ...any)) (out CommandSeen, err error) {
	config := labConfig(linger.Scenario{Network: c.Network, Seed: c.Seed}, 0, c.End.Servers())
	c.End.Configure(&config)
	for i := range config.Hosts {
		config.Hosts[i].Sysctls = c.Sysctls
	}
	if c.Capture != nil {
		config.Capture, config.CaptureLimit = c.Capture, captureLimit
	}
	// Ctrl-C is for the command; the lab stays until it has ended.
	l, err := lab.Open(context.WithoutCancel(ctx), config)
	if err != nil {
		return out, err
	}
	defer l.Close()
	defer c.End.Abandon()
	said, settings, err := c.End.Start(ctx, l, c.Network)
	if err != nil {
		return out, err
	}
	if said != "" {
		note("%s", said)
	}
	c.Process.Host, c.Process.Foreground = host.Client, true
	if settings != nil {
		c.Process.Env = append(c.Environ, settings...)
	}
	exit, err := c.foreground(l)
	if err != nil {
		return out, err
	}
	out.Status = exit.Status()
	trip := c.Network.RTT + far.ExtraRTT(c.End.Servers())
	if out.Lab, err = Settle(context.WithoutCancel(ctx), l, trip, Settling(trip)); err != nil {
		return out, err
	}
	if out.End, err = c.End.Finish(ctx, out.Lab); err != nil {
		return out, err
	}
	out.Closed = l.Close()
	return out, nil
}

// foreground runs the program, and hands it the signals that are meant for it.
func (c Command) foreground(l *lab.Lab) (lab.Exit, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	p, err := l.Start(c.Process)
	if err != nil {
		return lab.Exit{}, NotStarted{err}
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case s := <-signals:
				// The terminal has given Ctrl-C to the command already.
				if s != os.Interrupt || !c.Terminal {
					p.Signal(s)
				}
			case <-ended:
				return
			}
		}
	}()
	return p.Wait()
}
