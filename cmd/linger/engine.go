package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// labEngine measures: each trial has a lab of its own, with fresh hosts that
// remember nothing of the trial before.
type labEngine struct {
	policy policy.ServerPolicy
	// keep says what besides its trace is kept of a trial; nil keeps nothing. What
	// could not be kept is told to lost: the trial is good without it.
	keep func(s linger.Scenario, trial int) keepsakes
	lost func(error)
	// pace is the least time between two exchanges that the client begins to want.
	pace time.Duration
	// witness, if any, is told what the origin of each trial has seen.
	witness func(linger.Scenario, *trace.Trace, originSeen)
	// partial has a trial that is interrupted say what it has so far.
	partial bool
}

// Run implements run.Engine.
func (e labEngine) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	t, err := e.run(ctx, s, trial)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err() // whatever else broke, broke of it
	}
	return t, err
}

func (e labEngine) run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	stopped := ctx
	if e.partial {
		ctx = context.WithoutCancel(ctx)
	} else {
		var cancel context.CancelFunc
		ctx, cancel = outliving(ctx, lastWords)
		defer cancel()
	}
	var keep keepsakes
	if e.keep != nil {
		keep = e.keep(s, trial)
	}
	servers, _ := serversOf(s.Workload)
	config := labConfig(s, trial, servers)
	if err := keep.prepare(&config); err != nil {
		return nil, err
	}
	defer keep.discard()
	l, err := lab.Open(ctx, config) // stopped, it ends at once and with it everything
	if err != nil {
		return nil, err
	}
	defer l.Close()

	running, err := startServers(l, servers, s.Workload, imposed(e.policy, s.Strategy))
	if err != nil {
		return nil, err
	}
	defer running.abandon()
	// A program takes as long to start as the servers take to make ready.
	client, err := startClient(l, s.Strategy)
	if err != nil {
		return nil, err
	}
	defer client.abandon()
	if err := running.ready(); err != nil {
		return nil, err
	}
	ready, err := l.Report(ctx)
	if err != nil {
		return nil, err
	}
	port := plainPort
	switch s.Workload.Scheme {
	case "https":
		port = securePort
	case linger.SchemeDNS:
		port = linger.PortOf(s.Strategy.DNS)
	}
	said, err := client.run(stopped, running.pins(), clientOrder{
		Scenario:  s,
		Places:    placesOf(l, s.Workload, servers, port),
		Authority: running.authorities(),
		Pace:      e.pace,
		Secrets:   keep.secrets(),
		Qlog:      keep.qlog != "",
	})
	if err != nil {
		return nil, err
	}
	if said.Trace.Interrupted && !e.partial { // it says what it has until then, and nothing is to be settled
		t := said.Trace
		t.Engine, t.Trial = "lab", trial
		return t, nil
	}
	seen, err := settle(ctx, l, s.Network.RTT+extraTrip(servers))
	if err != nil {
		return nil, err
	}
	answered, err := running.finish()
	if err != nil {
		return nil, err
	}
	t := said.Trace
	t.Engine = "lab"
	t.Trial = trial
	// What an earlier visit fetched, tickets and cookies, is not part of the load.
	t.Ledger = linger.Known(seen.Ledger.Since(t.Began))
	if e.witness != nil {
		e.witness(s, t, answered)
	}
	near, origin := seen.Hosts[clientHost], sideOf(servers, ready, seen)
	near.CPU = t.Client.Or(trace.Host{}).CPU
	if s.Strategy.EarlyData || s.Strategy.FastOpen {
		// The earlier visit is in what the hosts have spent, and cannot be told apart
		// there: it is left out rather than blamed on the load.
		near, origin = trace.Host{CPU: near.CPU}, trace.Host{}
	}
	t.Client = linger.Known(near)
	if origin.CPU > 0 {
		t.Server = linger.Known(origin)
	}
	// The capture is whole once the lab is closed.
	if err := errors.Join(l.Close(), keep.write(said, s.Workload)); err != nil {
		e.lost(err)
	}
	return t, nil
}

// lastWords is how long a client that has run out of time may take to say what it has.
const lastWords = 2 * time.Second

// outliving returns a context that ends so long after ctx has run out of time, and with it
// if it is canceled.
func outliving(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
			return
		}
		select {
		case <-time.After(grace):
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { unwatch(); cancel() }
}

// settle waits until every connection is closed at both ends, so that the last
// FIN and its acknowledgement are in the ledger and TIME_WAIT stands where it was
// left, and returns what the lab has seen by then. A side that does not close is
// not waited for longer than a few round trips and retransmissions.
func settle(ctx context.Context, l *lab.Lab, rtt time.Duration) (lab.Report, error) {
	deadline := time.Now().Add(8*rtt + 3*time.Second)
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
		case <-time.After(min(20*time.Millisecond, rtt/4+time.Millisecond)):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// labConfig is a lab with one client and the servers on the scenario's network: the
// client's access link, which all of them share, each with its own way behind it.
func labConfig(s linger.Scenario, trial int, servers []server) lab.Config {
	c := lab.Config{
		Network: s.Network,
		// Trials of one number lose the same places in the order of packets, whatever
		// the strategy; trials of different numbers do not.
		Seed:    rand.NewPCG(s.Seed, uint64(trial)).Uint64(),
		Scratch: scratchOf(s.Strategy),
		Hosts:   []lab.HostConfig{{Name: clientHost, Side: lab.Client}},
	}
	for _, s := range servers {
		c.Hosts = append(c.Hosts, lab.HostConfig{Name: s.name, Side: lab.Server, Delay: s.delay, Aliases: s.aliases})
	}
	return c
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
	done    bool // it has been waited for
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
		io.CopyN(o.stderr, stderr, 64<<10)
		io.Copy(io.Discard, stderr) // so that nobody waits for us to read
	}()
	o.close = closeAll
	return o, nil
}

// wait ends the conversation; the error says how the host ended if not well.
func (o *ourselves) wait() error {
	o.done = true
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

// abandon ends a host that has not been waited for; the lab's end has killed it
// or will.
func (o *ourselves) abandon() {
	if !o.done {
		o.process.Signal(os.Kill)
		o.in.Close()
		o.wait()
	}
}

// runningOrigin is the origin process of a lab.
type runningOrigin struct {
	*ourselves
	decoder *json.Decoder
	said    originReady
}

func startOrigin(l *lab.Lab, name string) (*runningOrigin, error) {
	host, err := startOurselves(l, name, "origin")
	if err != nil {
		return nil, err
	}
	return &runningOrigin{ourselves: host, decoder: json.NewDecoder(host.out)}, nil
}

// stop asks the origin to end and waits for it.
func (o *runningOrigin) stop() error {
	o.in.Close()
	return o.wait()
}

// finish ends the origin and returns what it has seen.
func (o *runningOrigin) finish() (originSeen, error) {
	o.in.Close()
	var seen originSeen
	err := o.decoder.Decode(&seen)
	return seen, cmp.Or(o.stop(), err)
}

// runningClient is the client process of a lab, which waits for its order.
type runningClient struct{ *ourselves }

func startClient(l *lab.Lab, s linger.Strategy) (runningClient, error) {
	role := "client"
	if s.Client != "" {
		role = "browser"
	}
	host, err := startOurselves(l, clientHost, role)
	return runningClient{host}, err
}

// run has the client run one scenario. When ctx ends the
// client is told to stop and to say what it has so far.
// pins are the servers' keys.
func (c runningClient) run(ctx context.Context, pins []string, order clientOrder) (*clientSeen, error) {
	var words any = order
	if order.Scenario.Strategy.Client != "" {
		browsing, err := order.asBrowser(pins)
		if err != nil {
			return nil, err
		}
		words = browsing
	}
	var seen clientSeen
	err := json.NewEncoder(c.in).Encode(words)
	if err == nil {
		unwatch := context.AfterFunc(ctx, func() { c.in.Close() })
		defer unwatch()
		err = json.NewDecoder(c.out).Decode(&seen)
	}
	if err != nil {
		c.process.Signal(os.Kill)
	}
	if err := cmp.Or(c.wait(), err); err != nil {
		return nil, err
	}
	if seen.Trace == nil {
		return nil, errors.New("a host of the lab gave no trace")
	}
	return &seen, nil
}

// stillTrials is how often a strategy runs with the delay taken out.
const stillTrials = 3
