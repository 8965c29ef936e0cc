package host

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"linger"
	"linger/lab"
)

// A process is this program as a host of a lab, with its standard input to
// write to and its standard output to read from.
type process struct {
	process *lab.Process
	in      *os.File
	out     *bufio.Reader
	close   func()
	stderr  *bytes.Buffer
	drained chan struct{}
	done    bool // it has been waited for
}

// start starts this program on a host, in a role.
func start(l *lab.Lab, host, role string) (*process, error) {
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
	p, err := l.Start(lab.Command{Host: host, Path: path, Args: []string{Verb, role},
		Stdin: theirIn, Stdout: theirOut, Stderr: theirErr, NetAdmin: true})
	theirIn.Close()
	theirOut.Close()
	theirErr.Close()
	if err != nil {
		closeAll()
		return nil, err
	}
	o := &process{process: p, in: in, out: bufio.NewReader(out), stderr: &bytes.Buffer{}, drained: make(chan struct{}), close: closeAll}
	go func() {
		defer close(o.drained)
		io.CopyN(o.stderr, stderr, 64<<10)
		io.Copy(io.Discard, stderr) // so that nobody waits for us to read
	}()
	return o, nil
}

// wait ends the conversation; the error says how the host ended if not well.
func (o *process) wait() error {
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

// converse gives a host its order, has hear read what it answers, and waits for its end. When ctx
// ends the host is told to stop and to say what it has so far.
func (o *process) converse(ctx context.Context, order any, hear func(*json.Decoder) error) error {
	err := json.NewEncoder(o.in).Encode(order)
	if err == nil {
		unwatch := context.AfterFunc(ctx, func() { o.in.Close() })
		defer unwatch()
		err = hear(json.NewDecoder(o.out))
	}
	if err != nil {
		o.process.Signal(os.Kill)
	}
	return cmp.Or(o.wait(), err)
}

// Abandon ends a host that has not been waited for; the lab's end has killed it
// or will.
func (o *process) Abandon() {
	if !o.done {
		o.process.Signal(os.Kill)
		o.in.Close()
		o.wait()
	}
}

// A RunningOrigin is an origin process of a lab.
type RunningOrigin struct {
	*process
	decoder *json.Decoder
}

// StartOrigin starts an origin on a host of a lab; Ready says when it serves.
func StartOrigin(l *lab.Lab, name string, order OriginOrder) (*RunningOrigin, error) {
	host, err := start(l, name, "origin")
	if err != nil {
		return nil, err
	}
	o := &RunningOrigin{process: host, decoder: json.NewDecoder(host.out)}
	if err := json.NewEncoder(o.in).Encode(order); err != nil {
		return nil, cmp.Or(o.stop(), err)
	}
	return o, nil
}

// Ready waits until the origin accepts connections.
func (o *RunningOrigin) Ready() (said OriginReady, err error) {
	if err := o.decoder.Decode(&said); err != nil {
		return said, cmp.Or(o.stop(), err)
	}
	return said, nil
}

// Restart has all connections of the origin end, as if its process were replaced by another; see
// origin.Server.Restart. It may be called beside Finish, and then does nothing.
func (o *RunningOrigin) Restart() error {
	return json.NewEncoder(o.in).Encode(originWord{Restart: true})
}

// stop asks the origin to end and waits for it.
func (o *RunningOrigin) stop() error {
	o.in.Close()
	return o.wait()
}

// Finish ends the origin and returns what it has seen.
func (o *RunningOrigin) Finish() (OriginSeen, error) {
	o.in.Close()
	var seen OriginSeen
	err := o.decoder.Decode(&seen)
	return seen, cmp.Or(o.stop(), err)
}

// A RunningClient is the client process of a lab, which waits for its order.
type RunningClient struct{ *process }

// StartClient starts who fetches by a strategy: this program's own client, or a browser.
func StartClient(l *lab.Lab, s linger.Strategy) (RunningClient, error) {
	role := "client"
	if s.Client != "" {
		role = "browser"
	}
	host, err := start(l, Client, role)
	return RunningClient{host}, err
}

// Run has the client run one scenario. When ctx ends the client is told to stop and to say what
// it has so far. pins are the servers' keys; see OriginReady.
func (c RunningClient) Run(ctx context.Context, pins []string, order ClientOrder) (*ClientSeen, error) {
	var words any = order
	if order.Scenario.Strategy.Client != "" {
		browsing, err := order.asBrowser(pins)
		if err != nil {
			return nil, err
		}
		words = browsing
	}
	var seen ClientSeen
	if err := c.converse(ctx, words, func(answers *json.Decoder) error { return answers.Decode(&seen) }); err != nil {
		return nil, err
	}
	if seen.Trace == nil {
		return nil, errors.New("a host of the lab gave no trace")
	}
	return &seen, nil
}
