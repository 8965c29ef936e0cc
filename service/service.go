// Package service is a server of the user's own on a host of a lab: a command that a shell
// starts there. It is found by what it listens on, however it is configured and whether it
// stays in the foreground or becomes a daemon, and ended with everything that it has started.
package service

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"linger/lab"
)

const (
	// listenWithin is how long a service may take until it listens.
	listenWithin = time.Minute
	// otherwise is how long one that listens, but not where it is wanted, may take to do so.
	otherwise = 3 * time.Second
	// unchanged is how long the list of what it listens on must have stayed the same: a
	// server that has several ports opens one after the other.
	unchanged = 100 * time.Millisecond
	// stopWithin is how long it may take to end once it is asked to; then it is killed.
	stopWithin = 3 * time.Second
	// mostOutput is how much of its output is kept, the last of it, in bytes.
	mostOutput = 16 << 10
)

// shell is what starts the command; every Linux has it there (POSIX.1-2024, sh).
const shell = "/bin/sh"

// A Config is a service before it is started.
type Config struct {
	// Command is what the shell is given, as by sh -c.
	Command string
	// Host is the host of the lab that it is on.
	Host string
	// Port is the one of TCP on which it must listen; 0 is any.
	Port uint16
}

// A Service is one that is running on a lab.
type Service struct {
	config  Config
	lab     *lab.Lab
	process *lab.Process
	ended   chan struct{} // closed when the shell has
	exit    lab.Exit      // valid after ended
	output  *tail
	ports   []Port
}

// Failed is the error of a service that could not be used. Output is the last that it wrote.
type Failed struct {
	Reason string
	Output string
}

func (f *Failed) Error() string { return f.Reason }

// Start starts a service and waits until it listens. The host is to have its processes
// counted (lab.HostConfig), or one that becomes a daemon cannot be told from one that ends.
// The error is one line with the way out; it is a [*Failed] where the service is to blame.
func Start(ctx context.Context, l *lab.Lab, c Config) (*Service, error) {
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &Service{config: c, lab: l, ended: make(chan struct{}), output: &tail{}}
	s.process, err = l.Start(lab.Command{Host: c.Host, Path: shell, Args: []string{"-c", c.Command}, Stdout: theirs, Stderr: theirs})
	theirs.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	go func() { // until the last process that could write has ended, with the lab at the latest
		defer out.Close()
		io.Copy(s.output, out)
	}()
	go func() {
		s.exit, _ = s.process.Wait()
		close(s.ended)
	}()
	if err := s.await(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Ports are what it listens on, those of TCP first.
func (s *Service) Ports() []Port { return s.ports }

// await waits until it listens, and for nothing more to come.
func (s *Service) await(ctx context.Context) error {
	began := time.Now()
	since := began // when the list was last seen to change
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		// What has ended had listened for the last time before.
		dead := s.Dead(ctx)
		listeners, err := s.lab.Listeners(ctx, s.config.Host)
		if err != nil {
			return err
		}
		ports := portsOf(listeners)
		if !slices.Equal(ports, s.ports) {
			s.ports, since = ports, time.Now()
		}
		wrong := s.wrong()
		switch same := time.Since(since); {
		case dead != nil:
			return dead
		case wrong == "" && same >= unchanged:
			return nil
		case len(ports) > 0 && wrong != "" && same >= otherwise:
			return s.failed(wrong)
		case time.Since(began) >= listenWithin:
			return s.failed(fmt.Sprintf("the server has not listened on any port of TCP for %v; is it a server, and started by its command here, not in a container or by systemd?", listenWithin))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wrong says why no client could connect, as far as it listens by now; empty if one could.
func (s *Service) wrong() string {
	wanted := func(p Port) bool { return !p.UDP && (s.config.Port == 0 || p.Number == s.config.Port) }
	streams := func(p Port) bool { return !p.UDP }
	switch i := slices.IndexFunc(s.ports, wanted); {
	case slices.ContainsFunc(s.ports, func(p Port) bool { return wanted(p) && p.Local == "" }):
		return ""
	case i >= 0:
		return fmt.Sprintf("the server listens on %s only, and its client is another host of the lab; have it listen on 0.0.0.0:%d", s.ports[i].Local, s.ports[i].Number)
	case slices.ContainsFunc(s.ports, streams):
		return fmt.Sprintf("the server listens on %s, and not on port %d of TCP; name its port in the URL", List(s.ports), s.config.Port)
	}
	return "the server does not listen"
}

// Dead returns why a service is one no more; nil while any process of it runs.
func (s *Service) Dead(ctx context.Context) error {
	select {
	case <-s.ended:
	default:
		return nil
	}
	// Signal 0 is sent to nobody: it counts. Where that cannot be done, a shell that has ended
	// well may have left a daemon behind.
	if n, err := s.lab.SignalAll(ctx, s.config.Host, syscall.Signal(0)); n > 0 || err != nil && s.exit.Status() == 0 {
		return nil
	}
	how := fmt.Sprintf("status %d", s.exit.Code)
	if s.exit.Signal != 0 {
		how = fmt.Sprintf("signal %d (%v)", int(s.exit.Signal), s.exit.Signal)
	}
	if s.output.String() == "" {
		return s.failed(fmt.Sprintf("the server has ended, with %s, and has written nothing", how))
	}
	return s.failed(fmt.Sprintf("the server has ended, with %s; see above what it wrote", how))
}

func (s *Service) failed(reason string) error {
	return &Failed{Reason: reason, Output: s.output.String()}
}

// Stop ends every process of the service's host: it is asked to by SIGTERM, and killed with
// its lab if it does not.
func (s *Service) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	n, err := s.lab.SignalAll(ctx, s.config.Host, syscall.SIGTERM)
	if err != nil { // they are not known, but for one
		s.process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-ctx.Done():
		}
		return
	}
	for n > 0 && err == nil {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return
		}
		n, err = s.lab.SignalAll(ctx, s.config.Host, syscall.Signal(0))
	}
}

// A tail keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p[max(0, len(p)-mostOutput):]...)
	t.b = t.b[max(0, len(t.b)-mostOutput):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
