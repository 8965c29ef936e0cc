package played

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/lab"
)

// A scenario is what some hosts play, and what there is to be known of it beforehand.
type scenario struct {
	name string
	// rtt is the round trip between the two sides; 0 is 40 ms.
	rtt time.Duration
	// loss is the share of packets that the path loses, forget after how long a box on it
	// forgets a connection.
	loss   float64
	forget time.Duration
	// refuses and resetsBoth have that box answer by RSTs; joined are scenarios that one capture
	// alone cannot tell.
	refuses, resetsBoth, joined bool
	// keyed has all programs write the secrets of their connections, with which the captures are
	// read.
	keyed bool
	// parts begin in their order: a server's is waited for until it listens, a client's
	// until it ends.
	parts []part
	truth
}

// A part is one program on one host.
type part struct {
	on string
	// play is Go, in a process of its own; run is a program instead, with DIR for a folder
	// of its own that holds files.
	play  func(*player)
	run   []string
	files map[string]string
	// needs is a program besides run's first.
	needs string
	// listens makes it a server, of so many sockets.
	listens int
	// at has it run beside the client's part that follows, and begin so much later.
	at time.Duration
}

// hop is one client with one server: "client>server".
type hop = string

// truth is what the scripts know of their connections.
type truth struct {
	// opened has the cause of each connection of a hop in the order of their SYNs. "a|b"
	// is either, as both are the same fact; a last one with a '+' stands for one or more.
	opened map[hop][]string
	// idle, requests and age are the limits that a server was given, idleClient that of a
	// client's pool; 0 is none, or one that no estimate could find.
	idle, idleOr, age, idleClient time.Duration
	requests                      int
	// exchanges is how many requests were sent on each hop, lost how many of them never
	// came to the server.
	exchanges map[hop]int
	lost      int
	// aside has the hops whose connections are outside of the count, with their class.
	aside map[hop]string
	// unused and refused are the TLS handshakes that could have been resumed.
	unused, refused int
}

// sides are the hosts that there may be. Proxies are on the other side from both of their
// neighbours, so that the middle sees both hops.
var sides = map[string]lab.Side{
	"client": lab.Client, "client2": lab.Client, "behind": lab.Client, "behind2": lab.Client,
	"server": lab.Server, "server2": lab.Server, "server3": lab.Server, "proxy": lab.Server,
}

const (
	// middle is the point between the two sides.
	middle = "middle"
	// keylog names the file of secrets to programs, secretsName is that file.
	keylog, secretsName = "SSLKEYLOGFILE", "secrets"
	// inner is what a tunnel leads to: the proxy knows where that is.
	inner = "inner"
)

// roleVar has this program play a part: "SCENARIO/PART".
const roleVar = "LINGER_TEST_PART"

func TestMain(m *testing.M) {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if role := os.Getenv(roleVar); role != "" {
		name, number := role[:strings.LastIndexByte(role, '/')], role[strings.LastIndexByte(role, '/')+1:]
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		n, err := strconv.Atoi(number)
		if i < 0 || err != nil {
			fmt.Fprintf(os.Stderr, "no part %q\n", role)
			os.Exit(2)
		}
		os.Exit(play(scenarios[i].parts[n].play))
	}
	os.Exit(m.Run())
}

// program is the one that a part runs; empty is this one.
func program(p part) string {
	if len(p.run) == 0 {
		return ""
	}
	return p.run[0]
}

// errLacks is the error of a scenario for want of a program.
var errLacks = errors.New("not installed")

// perform plays a scenario once, and returns the captures that were taken of it, by host
// and in the middle.
func perform(ctx context.Context, s *scenario, dir string) (captures map[string]string, err error) {
	rtt := s.rtt
	if rtt == 0 {
		rtt = 40 * time.Millisecond
	}
	captures = map[string]string{}
	create := func(point string) *os.File {
		captures[point] = filepath.Join(dir, point+".pcapng")
		f, openErr := os.Create(captures[point])
		err = errors.Join(err, openErr)
		return f
	}
	config := lab.Config{
		// Half of each way is before the middle, and half behind it.
		Network: linger.Network{Loss: s.loss},
		Seed:    1, SampleEvery: time.Second, ForgetAfter: s.forget, Refuses: s.refuses, ResetsBoth: s.resetsBoth, Capture: create(middle),
	}
	defer config.Capture.Close()
	for _, p := range s.parts {
		for _, name := range []string{program(p), p.needs} {
			if _, lookErr := exec.LookPath(name); name != "" && lookErr != nil {
				return nil, fmt.Errorf("%s is %w", name, errLacks)
			}
		}
		if slices.ContainsFunc(config.Hosts, func(h lab.HostConfig) bool { return h.Name == p.on }) {
			continue
		}
		h := lab.HostConfig{Name: p.on, Side: sides[p.on], Delay: rtt / 4, Capture: create(p.on)}
		defer h.Capture.Close()
		config.Hosts = append(config.Hosts, h)
	}
	if err != nil {
		return nil, err
	}
	l, err := lab.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	defer l.Close()

	listening := map[string]int{}
	var beside sync.WaitGroup
	besides := make([]error, len(s.parts))
	for i, p := range s.parts {
		run, startErr := start(l, s, i, dir)
		switch {
		case startErr != nil:
			return nil, startErr
		case p.at > 0:
			beside.Go(func() {
				time.Sleep(p.at)
				ended, err := run()
				if err == nil {
					err = ended(patience)
				}
				besides[i] = err
			})
			continue
		}
		ended, startErr := run()
		if startErr != nil {
			return nil, startErr
		}
		if p.listens == 0 {
			if err := ended(patience); err != nil {
				return nil, fmt.Errorf("part %d on %s: %w", i, p.on, err)
			}
			continue
		}
		listening[p.on] += p.listens
		if err := listens(ctx, l, p.on, listening[p.on], ended); err != nil {
			return nil, fmt.Errorf("part %d on %s: %w", i, p.on, err)
		}
	}
	beside.Wait()
	if err := errors.Join(besides...); err != nil {
		return nil, err
	}
	time.Sleep(3*rtt + 50*time.Millisecond) // the last FIN, and what answers it
	return captures, l.Close()
}

// start returns what starts a part and, once started, waits for its end.
func start(l *lab.Lab, s *scenario, i int, dir string) (run func() (ended func(time.Duration) error, err error), err error) {
	p := s.parts[i]
	own := filepath.Join(dir, strconv.Itoa(i))
	if err := os.Mkdir(own, 0o755); err != nil {
		return nil, err
	}
	place := func(text string) string { return strings.ReplaceAll(text, "DIR", own) }
	for name, text := range p.files {
		if err := os.WriteFile(filepath.Join(own, name), []byte(place(text)), 0o644); err != nil {
			return nil, err
		}
	}
	// NetAdmin is what TCP_REPAIR wants.
	c := lab.Command{Host: p.on, Path: "/proc/self/exe", Dir: own, NetAdmin: true,
		Env: append(os.Environ(), fmt.Sprintf("%s=%s/%d", roleVar, s.name, i), "GOMAXPROCS=2")}
	if s.keyed {
		c.Env = append(c.Env, keylog+"="+filepath.Join(own, secretsName))
	}
	if len(p.run) > 0 {
		if c.Path, err = exec.LookPath(p.run[0]); err != nil {
			return nil, err
		}
		c.NetAdmin = false
		for _, a := range p.run[1:] {
			c.Args = append(c.Args, place(a))
		}
	}
	return func() (func(time.Duration) error, error) {
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
			said <- b.Bytes()
			io.Copy(io.Discard, out)
		}()
		done := make(chan struct{})
		var failed error
		go func() {
			defer close(done)
			exit, err := process.Wait()
			if failed = err; err == nil && exit.Status() != 0 {
				failed = fmt.Errorf("it ended with status %d: %s", exit.Status(), bytes.TrimSpace(<-said))
			}
		}()
		return func(within time.Duration) error {
			select {
			case <-done:
				return failed
			case <-time.After(within):
				return errRuns
			}
		}, nil
	}, nil
}

var errRuns = errors.New("it still runs")

// listens waits until a host has so many sockets that listen.
func listens(ctx context.Context, l *lab.Lab, host string, n int, ended func(time.Duration) error) error {
	for deadline := time.Now().Add(patience); ; {
		r, err := l.Report(ctx)
		if err != nil {
			return err
		}
		if r.Hosts[host].Sockets["LISTEN"] >= n {
			return nil
		}
		if err := ended(10 * time.Millisecond); err != errRuns {
			return fmt.Errorf("it does not listen: %w", err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d sockets listen on %s, want %d", r.Hosts[host].Sockets["LISTEN"], host, n)
		}
	}
}
