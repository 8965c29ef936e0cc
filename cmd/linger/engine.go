package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"linger"
	"linger/lab"
	"linger/policy"
	"linger/trace"
)

// Names of the two hosts of a lab, as commands inside resolve them.
const (
	clientHost = "client"
	originHost = "origin"
)

const originPort = 80

// labEngine measures: each trial has a lab of its own, with fresh hosts that
// remember nothing of the trial before.
type labEngine struct {
	policy policy.ServerPolicy
	// capture names the file for the packets of a trial, or says "".
	capture func(s linger.Scenario, trial int) string
}

// Run implements run.Engine.
func (e labEngine) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	config := labConfig(s, trial)
	if e.capture != nil {
		if name := e.capture(s, trial); name != "" {
			f, err := os.Create(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			config.Capture, config.CaptureLimit = f, captureLimit
		}
	}
	l, err := lab.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	defer l.Close()

	server, err := startOrigin(l, originOrder{Workload: s.Workload, Policy: e.policy, Port: originPort})
	if err != nil {
		return nil, err
	}
	defer server.abandon()
	ready, err := l.Report(ctx)
	if err != nil {
		return nil, err
	}
	t, err := runClient(l, clientOrder{
		Scenario: s,
		Address:  fmt.Sprintf("%v:%d", l.Addr(originHost), originPort),
		Host:     originHost,
	})
	if err != nil {
		return nil, err
	}
	seen, err := settle(ctx, l, s.Network)
	if err != nil {
		return nil, err
	}
	if _, err := server.finish(); err != nil {
		return nil, err
	}
	t.Engine = "lab"
	t.Trial = trial
	t.Ledger = linger.Known(seen.Ledger)
	client, origin := seen.Hosts[clientHost], seen.Hosts[originHost]
	client.CPU = t.Client.Or(trace.Host{}).CPU
	origin.CPU = seen.Commands[0].CPU - ready.Commands[0].CPU
	t.Client, t.Server = linger.Known(client), linger.Known(origin)
	return t, nil
}

// settle waits until every connection is closed at both ends, so that the last
// FIN and its acknowledgement are in the ledger and TIME_WAIT stands where it was
// left, and returns what the lab has seen by then. A side that does not close is
// not waited for longer than a few round trips and retransmissions.
func settle(ctx context.Context, l *lab.Lab, n linger.Network) (lab.Report, error) {
	deadline := time.Now().Add(8*n.RTT + 3*time.Second)
	for {
		r, err := l.Report(ctx)
		if err != nil {
			return r, err
		}
		open := 0
		for _, h := range r.Hosts {
			open += h.SocketsLeft
		}
		if open == 0 || time.Now().After(deadline) {
			return r, nil
		}
		select {
		case <-time.After(min(20*time.Millisecond, n.RTT/4+time.Millisecond)):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// labConfig is a lab with one client and one origin on the scenario's network.
func labConfig(s linger.Scenario, trial int) lab.Config {
	return lab.Config{
		Network: s.Network,
		// Trials of one number lose the same places in the order of packets, whatever
		// the strategy; trials of different numbers do not.
		Seed: s.Seed<<16 + uint64(trial),
		Hosts: []lab.HostConfig{
			{Name: clientHost, Side: lab.Client},
			{Name: originHost, Side: lab.Server},
		},
	}
}

// captureLimit bounds one capture; a gallery is 0.7 MB on the wire.
const captureLimit = 1 << 30

// ourselves starts this program as a host of a lab, with its standard input to
// write to and its standard output to read from.
type ourselves struct {
	process *lab.Process
	in      *os.File
	out     *bufio.Reader
	close   func()
	stderr  *bytes.Buffer
	drained chan struct{}
}

func startOurselves(l *lab.Lab, host string, args ...string) (*ourselves, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var files []*os.File
	closeAll := func() {
		for _, f := range files {
			f.Close()
		}
	}
	pipe := func() (r, w *os.File) {
		if err == nil {
			if r, w, err = os.Pipe(); err == nil {
				files = append(files, r, w)
			}
		}
		return r, w
	}
	theirIn, in := pipe()
	out, theirOut := pipe()
	stderr, theirErr := pipe()
	if err != nil {
		closeAll()
		return nil, err
	}
	// CAP_NET_ADMIN is what TCP_CONGESTION wants where the host restricts it.
	p, err := l.Start(lab.Command{Host: host, Path: path, Args: append([]string{"host"}, args...),
		Stdin: theirIn, Stdout: theirOut, Stderr: theirErr, NetAdmin: true})
	theirIn.Close()
	theirOut.Close()
	theirErr.Close()
	if err != nil {
		closeAll()
		return nil, err
	}
	o := &ourselves{process: p, in: in, out: bufio.NewReader(out), stderr: &bytes.Buffer{}, drained: make(chan struct{})}
	go func() {
		defer close(o.drained)
		io.Copy(o.stderr, io.LimitReader(stderr, 64<<10))
	}()
	o.close = closeAll
	return o, nil
}

// wait ends the conversation; the error says how the host ended if not well.
func (o *ourselves) wait() error {
	exit, err := o.process.Wait()
	<-o.drained
	o.close()
	switch {
	case err != nil:
		return err
	case exit.Status() != 0:
		if line := bytes.TrimSpace(o.stderr.Bytes()); len(line) > 0 {
			return fmt.Errorf("a host of the lab failed: %s", bytes.TrimPrefix(line, []byte("linger: ")))
		}
		return fmt.Errorf("a host of the lab ended with status %d", exit.Status())
	}
	return nil
}

// runningOrigin is the origin process of a lab.
type runningOrigin struct {
	*ourselves
	decoder *json.Decoder
	done    bool
}

func startOrigin(l *lab.Lab, order originOrder) (*runningOrigin, error) {
	host, err := startOurselves(l, originHost, "origin")
	if err != nil {
		return nil, err
	}
	o := &runningOrigin{ourselves: host, decoder: json.NewDecoder(host.out)}
	var ready originReady
	if err := errors.Join(json.NewEncoder(o.in).Encode(order), o.decoder.Decode(&ready)); err != nil {
		return nil, errors.Join(o.stop(), err)
	}
	return o, nil
}

// stop asks the origin to end and waits for it.
func (o *runningOrigin) stop() error {
	o.done = true
	o.in.Close()
	return o.wait()
}

// finish ends the origin and returns what it has seen.
func (o *runningOrigin) finish() (originSeen, error) {
	o.in.Close()
	var seen originSeen
	err := o.decoder.Decode(&seen)
	return seen, errors.Join(o.stop(), err)
}

// abandon ends an origin that has not been finished; the lab's end has killed it
// or will.
func (o *runningOrigin) abandon() {
	if !o.done {
		o.process.Signal(os.Kill)
		o.stop()
	}
}

// runClient runs one scenario on the client host of a lab.
func runClient(l *lab.Lab, order clientOrder) (*trace.Trace, error) {
	host, err := startOurselves(l, clientHost, "client")
	if err != nil {
		return nil, err
	}
	var t trace.Trace
	err = errors.Join(json.NewEncoder(host.in).Encode(order), json.NewDecoder(host.out).Decode(&t))
	if err != nil {
		host.process.Signal(os.Kill)
	}
	if err := errors.Join(host.wait(), err); err != nil {
		return nil, err
	}
	return &t, nil
}

// stillTrials is how often a strategy runs with the delay taken out.
const stillTrials = 3
