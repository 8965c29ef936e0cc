package service

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/lab"
)

func init() { roles["burn"] = burn }

// config is a lab for a service on the host "origin".
func config() lab.Config {
	return lab.Config{Hosts: []lab.HostConfig{{Name: "client"}, {Name: "origin", Side: lab.Server, Processes: true}}}
}

// openLab opens a lab, or skips the test where there can be none.
func openLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Open(t.Context(), config())
	skip(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// skip ends the test where this machine cannot do what it needs, and fails it where it must.
func skip(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, lab.ErrUnsupported) {
		testall.Lacks(t, "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// ourselves is a command that has the test's own program listen.
func ourselves(t *testing.T, arguments string) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("'%s' listen %s", path, arguments)
}

func TestStart(t *testing.T) {
	for _, tt := range []struct {
		name    string
		command string
		port    uint16
		ports   string // that it is found on
		reason  string // why it cannot be used
		output  string
	}{
		{name: "in the foreground", command: ourselves(t, ":80"), ports: "TCP port 80"},
		{name: "as a daemon", command: ourselves(t, ":80") + " &", port: 80, ports: "TCP port 80"},
		{name: "behind a shell that stays", command: "cd / && " + ourselves(t, ":8080 :8443") + "; true", ports: "TCP port 8080, TCP port 8443"},
		{name: "which ends", command: "echo cannot read a.conf; exit 3", reason: "ended, with status 3; see above", output: "cannot read a.conf"},
		{name: "which ends in silence", command: "true", reason: "ended, with status 0, and has written nothing"},
		{name: "which a signal ends", command: "kill -SEGV $$", reason: "ended, with signal 11"},
		{name: "which there is not", command: "no-such-server-here", reason: "ended, with status 127", output: "not found"},
		{name: "on loopback", command: ourselves(t, "127.0.0.1:3000"), reason: "listens on 127.0.0.1:3000 only"},
		{name: "on another port", command: ourselves(t, ":3000"), port: 80, reason: "listens on TCP port 3000, and not on port 80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := openLab(t)
			s, err := Start(t.Context(), l, Config{Command: tt.command, Host: "origin", Port: tt.port})
			if tt.reason != "" {
				var f *Failed
				if !errors.As(err, &f) || !strings.Contains(f.Reason, tt.reason) || !strings.Contains(f.Output, tt.output) {
					t.Fatalf("%v (%+v); want %q after %q", err, f, tt.reason, tt.output)
				}
			} else if err != nil {
				t.Fatal(err)
			} else {
				if got := List(s.Ports()); got != tt.ports {
					t.Errorf("it is found on %s; want %s", got, tt.ports)
				}
				if err := s.Dead(t.Context()); err != nil {
					t.Error(err)
				}
				s.Stop()
			}
			if n, err := l.SignalAll(t.Context(), "origin", syscall.Signal(0)); n != 0 || err != nil {
				t.Errorf("%d processes are left on its host (%v)", n, err)
			}
		})
	}
}

// A stand is the same service on a path laid anew: what the trial before has left of
// connections is gone, what the service has spent is not.
func TestAStandIsUsedAgain(t *testing.T) {
	p := NewPool(Config{Command: "exec " + ourselves(t, ":80"), Host: "origin", Port: 80})
	defer p.Close()
	warmed := 0
	take := func() *Stand {
		s, err := p.Take(t.Context(), config(), func(_ context.Context, s *Stand) error { warmed++; return ask(s.Lab) })
		skip(t, err)
		return s
	}
	s := take()
	first := s.Lab
	for range 3 {
		if err := ask(s.Lab); err != nil {
			t.Fatal(err)
		}
	}
	report := func(s *Stand) lab.Report {
		r, err := s.Lab.Report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := report(s)
	for range 200 { // the last FIN may be under way
		if before.Hosts["origin"].TimeWait == 3 {
			break
		}
		time.Sleep(10 * time.Millisecond)
		before = report(s)
	}
	h := before.Hosts["origin"]
	if n := len(before.Ledger.Connections); n != 3 {
		t.Errorf("%d connections are in the ledger; want 3, without what warmed it up", n)
	}
	if h.TimeWait != 3 || h.CPU <= 0 || h.ResidentPeak < 1<<20 || h.ResidentLeft > h.ResidentPeak || h.ResidentLeft == 0 {
		t.Errorf("its host: %+v; want three in TIME_WAIT, CPU time and memory", h)
	}
	s.Give()
	s = take()
	after := report(s)
	if s.Lab != first || warmed != 1 {
		t.Errorf("the second trial has another lab: %v; warmed up %d times", s.Lab != first, warmed)
	}
	if n := after.Hosts["origin"]; n.TimeWait != 0 || n.SocketsPeak != 0 || n.CPU < h.CPU || len(after.Ledger.Connections) != 0 {
		t.Errorf("on the path anew: %+v with %d connections in the ledger; before %+v", n, len(after.Ledger.Connections), h)
	}
	// One that has died is not used again.
	if _, err := s.Lab.SignalAll(t.Context(), "origin", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Service.Dead(t.Context()) == nil; {
		if time.Now().After(deadline) {
			t.Fatal("a service that was killed is not known to be dead")
		}
		time.Sleep(time.Millisecond)
	}
	s.Give()
	if s = take(); s.Lab == first {
		t.Error("the lab of a dead service is used again")
	}
	s.Drop()
}

// Where a path cannot be laid anew, each trial has a lab and a service of its own.
func TestAStandIsUsedOnceWhereConnectionsCannotBeEnded(t *testing.T) {
	t.Parallel()
	p := NewPool(Config{Command: "exec " + ourselves(t, ":80"), Host: "origin", Port: 80})
	defer p.Close()
	p.renew = func(*lab.Lab, context.Context, lab.Config) error {
		return fmt.Errorf("as on WSL: %w", lab.ErrUnsupported)
	}
	var labs []*lab.Lab
	for range 2 {
		s, err := p.Take(t.Context(), config(), func(_ context.Context, s *Stand) error { return ask(s.Lab) })
		skip(t, err)
		if err := ask(s.Lab); err != nil {
			t.Fatal(err)
		}
		r, err := s.Lab.Report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := len(r.Ledger.Connections); n != 1 || r.Hosts["origin"].TimeWait != 1 || !p.Cold() {
			t.Errorf("%d connections, %+v, cold: %v; want one, and that what warmed up is not in it", n, r.Hosts["origin"], p.Cold())
		}
		labs = append(labs, s.Lab)
		if err := s.Finish(t.Context(), config()); err != nil {
			t.Error(err)
		}
	}
	if labs[0] == labs[1] {
		t.Error("the second trial has the lab of the first")
	}
}

// ask connects once from the client's host and reads to the end.
func ask(l *lab.Lab) error {
	exit, err := connect(l, netip.AddrPortFrom(l.Addr("origin"), 80))
	if err == nil && exit != 0 {
		err = fmt.Errorf("the client ended with status %d", exit)
	}
	return err
}

func connect(l *lab.Lab, to netip.AddrPort) (int, error) {
	path, err := os.Executable()
	if err != nil {
		return 0, err
	}
	p, err := l.Start(lab.Command{Host: "client", Path: path, Args: []string{"ask", to.String()}})
	if err != nil {
		return 0, err
	}
	exit, err := p.Wait()
	return exit.Status(), err
}

// Who does not end when asked to does so with the lab.
func TestStopIsBounded(t *testing.T) {
	t.Parallel() // it only waits
	l := openLab(t)
	s, err := Start(t.Context(), l, Config{Command: "exec " + ourselves(t, "stubborn :80"), Host: "origin"})
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.process.Wait(); err == nil {
		t.Error("it has ended by itself, and was to be ended with its lab")
	}
}

// burnt is how much CPU time burn uses.
const burnt = 100 * time.Millisecond

// burn keeps a core busy until this process has used so much.
func burn() int {
	var used syscall.Rusage
	for time.Duration(used.Utime.Nano()+used.Stime.Nano()) < burnt {
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return 1
		}
	}
	return 0
}

// CPU time is that of all processes of the host: a child that was waited for, one that was not
// waited for by anybody of the host, and one that runs.
func TestCPUIsOfEveryProcess(t *testing.T) {
	t.Parallel()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := openLab(t)
	s, err := Start(t.Context(), l, Config{Host: "origin", Command: fmt.Sprintf("('%[1]s' burn &); '%[1]s' burn; '%[1]s' burn & exec '%[1]s' listen :80", path)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	// What was waited for is told in hundredths of a second, of user and system time each.
	const want = 3*burnt - 20*time.Millisecond
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := l.Report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch cpu := r.Hosts["origin"].CPU; {
		case cpu > 3*burnt+time.Second:
			t.Fatalf("%v of CPU; want a little more than %v", cpu, want)
		case cpu >= want:
			return
		case time.Now().After(deadline):
			t.Fatalf("%v of CPU; want %v at least", cpu, want)
		}
	}
}
