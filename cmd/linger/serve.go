package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"linger/origin"
)

type serveCmd struct {
	Workload string `arg:"" optional:"" default:"${workload}" help:"What to serve, as for compare; default ${workload}. Besides: /bytes/N, /delay/D, /status/N."`

	Listen string `default:"127.0.0.1" placeholder:"ADDRESS" help:"Address to listen on; default 127.0.0.1."`
	Port   int    `short:"p" default:"8080" placeholder:"N" help:"Port; 0 takes a free one; default 8080."`
	serverPolicyFlags
	MaxConnections int    `placeholder:"N" help:"How many connections are open at once; more wait."`
	PortFile       string `placeholder:"FILE" help:"Write the port to FILE once connections are accepted."`
	Log            string `placeholder:"FILE" help:"Access log, a line a request and a connection; - is standard output."`
	Seed           uint64 `default:"1" placeholder:"N" help:"Fixes the workload's sizes; default 1."`
}

// Run serves until it is interrupted, then lets what is under way end.
func (c serveCmd) Run(ctx context.Context, std streams) error {
	p, err := c.serverPolicyFlags.parse()
	if err != nil {
		return err
	}
	if c.Port < 0 || c.Port > 65535 {
		return usage("--port: %d; give 1 to 65535, or 0 for a free one", c.Port)
	}
	if c.MaxConnections < 0 {
		return usage("--max-connections: %d; give 1 or more, or 0 for no limit", c.MaxConnections)
	}
	w, notes, err := loadWorkload(c.Workload, c.Seed)
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	config := origin.Config{Workload: w, Policy: p, MaxConnections: c.MaxConnections}
	if c.Log != "" {
		log := io.Writer(std.out)
		if c.Log != "-" {
			f, err := os.OpenFile(c.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
			if err != nil {
				return statusError{exitMachine, fmt.Errorf("--log: %w; choose a place that can be written", err)}
			}
			defer f.Close()
			log = f
		}
		config.Log = origin.LogTo(log)
	}
	server, err := origin.New(config)
	if err != nil {
		return usage("%w", err)
	}
	address := net.JoinHostPort(c.Listen, strconv.Itoa(c.Port))
	ln, err := origin.Listen(ctx, address, "")
	if err != nil {
		return statusError{exitMachine, err}
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), ln) }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	if c.PortFile != "" {
		if err := writeWhole(c.PortFile, port+"\n"); err != nil {
			ln.Close()
			return statusError{exitMachine, fmt.Errorf("--port-file: %w; choose a place that can be written", err)}
		}
		defer os.Remove(c.PortFile)
	}
	fmt.Fprintf(std.out, "linger: serving %s on http://%s%s\n", w.Name, ln.Addr(), w.Exchanges[0].Path)

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintf(std.err, "linger: going down; requests under way have %v\n", shutdownWithin)
	stop, cancel := context.WithTimeout(context.Background(), shutdownWithin)
	defer cancel()
	err = server.Shutdown(stop)
	seen := server.Counters()
	fmt.Fprintf(std.err, "linger: %d connections carried %d requests\n", seen.Accepted, seen.Requests)
	return errors.Join(err, <-served)
}

// writeWhole writes a file so that a reader finds it whole or not at all.
func writeWhole(name, content string) error {
	if err := os.WriteFile(name+".new", []byte(content), 0o666); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
