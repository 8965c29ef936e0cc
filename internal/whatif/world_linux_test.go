package whatif

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"linger"
	"linger/audit"
	"linger/audit/predict"
	"linger/lab"
	"linger/observe"
)

const ms = time.Millisecond

// A world is a client and a server, each with its settings, and what the client wants.
type world struct {
	Client string // goClient or nodeClient
	// Idle, Kept, Most and FIFO are the client's pool: for how long it keeps an idle connection,
	// how many idle ones, how many connections there are at most, and whether the one that has
	// idled for longest is taken first. 0 is no limit.
	Idle       time.Duration
	Kept, Most int
	FIFO       bool
	Close      bool // no connection is kept
	H2, TLS    bool
	Tickets    bool // the client resumes sessions

	Server string // goServer or nginxServer
	// ServerIdle and Requests are the server's limits.
	ServerIdle time.Duration
	Requests   int

	Plan plan
}

// The programs.
const (
	goClient    = "Go"
	nodeClient  = "Node"
	goServer    = "Go"
	nginxServer = "nginx"
)

// A plan is what a client wants: bursts of requests, as pages are, each a pause after the last
// response of the one before. What the pauses are of is far enough from the limits, and from each
// other, that it does not hang on a few ms which connections are open.
type plan struct {
	Seed    uint64
	Bursts  int
	Width   int             // requests of a burst, at most
	Pauses  []time.Duration // as often as they stand here
	Takes   time.Duration   // of the first response to come of a burst at the server
	Between time.Duration   // from each response of a burst to the next
}

// A burst is what is asked for at once, and how long each takes, in ms.
type burst struct {
	Pause int
	Takes []int
}

func (p plan) bursts() (out []burst) {
	rng := rand.New(rand.NewPCG(p.Seed, 1))
	for n := range p.Bursts {
		b := burst{Pause: int(p.Pauses[rng.IntN(len(p.Pauses))] / ms)}
		if n == 0 {
			b.Pause = 100
		}
		for i := range 1 + rng.IntN(p.Width) {
			b.Takes = append(b.Takes, int((p.Takes+time.Duration(i)*p.Between)/ms))
		}
		out = append(out, b)
	}
	return out
}

// roundTrip is that of the path.
const roundTrip = 100 * ms

// patience bounds a run.
const patience = 3 * time.Minute

// errLacks is the error for want of a program.
var errLacks = errors.New("not installed")

// A count is what came of a run: connections that carried requests, and how long requests waited
// for handshakes, in ms.
type count struct {
	requests, connections int
	waiting               float64
	predicted             []predict.Prediction
}

// run plays a world, captures it, and says what inspect makes of it.
func run(ctx context.Context, w world, dir string, settings ...predict.Setting) (count, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return count{}, err
	}
	capture := filepath.Join(dir, "capture.pcapng")
	if err := play(ctx, w, dir, capture); err != nil {
		return count{}, err
	}
	f, err := os.Open(capture)
	if err != nil {
		return count{}, err
	}
	defer f.Close()
	var c count
	r := observe.Reading{Audit: audit.Config{Settings: settings, Each: func(row audit.Row) {
		if row.Requests == 0 || row.BeganBefore {
			return
		}
		c.connections++
		c.requests += row.Requests
		if !row.Hidden {
			c.waiting += float64(row.Waiting.Or(0)) / 1e6
		}
	}}}
	if w.TLS {
		keys, err := os.Open(filepath.Join(dir, "keys"))
		if err != nil {
			return count{}, err
		}
		defer keys.Close()
		r.KeyLogs = []observe.Source{{Name: "keys", From: keys}}
	}
	seen, err := r.Captures(ctx, []observe.Source{{Name: "capture.pcapng", From: f}})
	if err != nil {
		return count{}, err
	}
	c.predicted = seen.WhatIf
	if os.Getenv("LINGER_WHATIF") != "" {
		b, _ := json.MarshalIndent(seen.Result, "", " ")
		os.WriteFile(filepath.Join(dir, "result.json"), b, 0o644)
	}
	return c, nil
}

// play has the server and then the client run in a lab.
func play(ctx context.Context, w world, dir, capture string) error {
	out, err := os.Create(capture)
	if err != nil {
		return err
	}
	defer out.Close()
	l, err := lab.Open(ctx, lab.Config{
		Network: linger.Network{}, Seed: 1, SampleEvery: time.Second, Capture: out,
		Hosts: []lab.HostConfig{{Name: "client", Side: lab.Client, Delay: roundTrip / 4}, {Name: "server", Side: lab.Server, Delay: roundTrip / 4}},
	})
	if err != nil {
		return err
	}
	defer l.Close()
	if err := w.write(dir); err != nil {
		return err
	}
	server, err := w.server(dir)
	if err != nil {
		return err
	}
	if _, err := start(l, server); err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * ms) {
		r, err := l.Report(ctx)
		if err != nil {
			return err
		}
		if r.Hosts["server"].Sockets["LISTEN"] > 0 {
			break
		}
		if time.Now().After(deadline) {
			return errors.New("the server does not listen")
		}
	}
	client, err := w.client(dir)
	if err != nil {
		return err
	}
	ended, err := start(l, client)
	if err != nil {
		return err
	}
	if err := ended(); err != nil {
		return err
	}
	time.Sleep(3 * roundTrip)
	return l.Close()
}

// write writes what programs read: the plan, the key, the certificate.
func (w world) write(dir string) error {
	b, err := json.Marshal(w.Plan.bursts())
	if err != nil {
		return err
	}
	certificate, key := pair()
	return errors.Join(os.WriteFile(filepath.Join(dir, "plan.json"), b, 0o644),
		os.WriteFile(filepath.Join(dir, "cert.pem"), certificate, 0o644), os.WriteFile(filepath.Join(dir, "key.pem"), key, 0o644))
}

// start starts a command; ended waits for its end.
func start(l *lab.Lab, c lab.Command) (ended func() error, err error) {
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	c.Stdout, c.Stderr = w, w
	process, err := l.Start(c)
	if err != nil {
		out.Close()
		return nil, err
	}
	said := make(chan []byte, 1)
	go func() {
		defer out.Close()
		var b bytes.Buffer
		io.CopyN(&b, out, 4<<10)
		io.Copy(io.Discard, out)
		said <- b.Bytes()
	}()
	done := make(chan error, 1)
	go func() {
		exit, err := process.Wait()
		if err == nil && exit.Status() != 0 {
			err = fmt.Errorf("status %d: %s", exit.Status(), bytes.TrimSpace(<-said))
		}
		done <- err
	}()
	return func() error {
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return errors.New("it still runs")
		}
	}, nil
}

// self is this program in another role.
func (w world) self(host, role, dir string) (lab.Command, error) {
	b, err := json.Marshal(w)
	return lab.Command{Host: host, Path: "/proc/self/exe", Dir: dir, Env: append(os.Environ(), roleVar+"="+role, worldVar+"="+string(b), "GOMAXPROCS=2")}, err
}

func program(host, name, dir string, args ...string) (lab.Command, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return lab.Command{}, fmt.Errorf("%s is %w", name, errLacks)
	}
	return lab.Command{Host: host, Path: path, Args: args, Dir: dir, Env: os.Environ()}, nil
}

const (
	roleVar  = "LINGER_TEST_WHATIF_ROLE"
	worldVar = "LINGER_TEST_WHATIF_WORLD"
)

func TestMain(m *testing.M) {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if role := os.Getenv(roleVar); role != "" {
		var w world
		err := json.Unmarshal([]byte(os.Getenv(worldVar)), &w)
		if err == nil {
			err = map[string]func(world) error{"client": askWithGo, "server": serveWithGo}[role](w)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
