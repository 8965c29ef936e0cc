package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/lab/pump"
	"linger/sockdiag"
)

const (
	// insideName is the whole command line of a lab's first process; no shell
	// starts a program under such a name.
	insideName = "linger: the first process of a lab"
	// controlFD is where it finds its end of the control sockets.
	controlFD = 3
)

// Inside is called first by main and TestMain with os.Args. In the first process
// of a lab it is that process, and returns true when the lab has ended, with the
// status to exit with; in any other it returns false at once.
func Inside(args []string) (status int, inside bool) {
	if len(args) != 1 || args[0] != insideName {
		return 0, false
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// serve is the first process of a lab. It ends when the process outside is gone
// or has closed its end, and the kernel then ends every process that it started.
func serve() (err error) {
	// A signal of the terminal is meant for the command in the foreground. Caught
	// and dropped, not ignored: a program inherits what is ignored. What was
	// ignored when this process began stays so, for nohup's sake.
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGTERM, unix.SIGTSTP} {
		if !signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)

	// Commands get their three files and nothing else that came from outside. On a
	// kernel before 5.11 they get what this process was given, as from any shell.
	unix.CloseOnExec(controlFD)
	unix.CloseRange(controlFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	ctl, err := newControl(os.NewFile(controlFD, "control"))
	if err != nil {
		return fmt.Errorf("the lab has no control socket: %w", err)
	}
	in := &inside{control: ctl, running: map[int]*command{}, byID: map[int]*command{}}
	defer func() {
		if stopErr := in.stop(); err == nil {
			err = stopErr
		}
	}()

	requests := make(chan incoming)
	go in.receive(requests)
	for {
		select {
		case r := <-requests:
			if r.err != nil {
				if errors.Is(r.err, io.EOF) {
					return nil
				}
				return r.err
			}
			a := in.handle(r.request, r.files)
			closeAll(r.files)
			a.ID = r.request.ID
			err := ctl.send(a, a.files...)
			closeAll(a.files)
			if err != nil {
				return err
			}
		case <-ended:
			if err := in.reap(); err != nil {
				return err
			}
		case err := <-in.failed:
			return fmt.Errorf("the pump has stopped: %w", err)
		}
	}
}

type incoming struct {
	request request
	files   []*os.File
	err     error
}

// inside is the state of the first process. The goroutine of serve owns it.
type inside struct {
	control  *control
	notes    []string
	hosts    map[string]*netns
	order    []*netns // as they were asked for
	pump     *pump.Pump
	pumped   chan struct{} // closed when run has returned
	failed   chan error    // why it did, if not asked to
	sampler  *sampler
	commands []*command       // in the order of their start
	running  map[int]*command // by process number
	byID     map[int]*command // that run, by what the lab calls them
}

// A command is one program that was started.
type command struct {
	id    int
	pid   int
	usage Usage
}

// receive reads requests until there are no more.
func (in *inside) receive(to chan<- incoming) {
	for {
		var i incoming
		i.files, i.err = in.control.receive(&i.request)
		to <- i
		if i.err != nil {
			return
		}
	}
}

// handle carries one request out. The files are closed afterwards.
func (in *inside) handle(r request, files []*os.File) answer {
	switch {
	case r.Open != nil:
		if err := r.Open.adopt(files); err != nil {
			return refusal(err)
		}
		return refusal(in.open(*r.Open))
	case r.Check != nil:
		return answer{Findings: checkInside()}
	case r.Start != nil:
		return refusal(in.start(*r.Start, files))
	case r.Signal != nil:
		c := in.byID[r.Signal.Process]
		if c == nil {
			return answer{}
		}
		return refusal(os.NewSyscallError("kill", unix.Kill(c.pid, r.Signal.Signal)))
	case r.Report != nil:
		return answer{Report: in.report()}
	case r.Series != nil:
		if in.sampler == nil {
			return answer{Series: &Series{}}
		}
		return answer{Series: in.sampler.lookSeries()}
	case r.Renew != nil:
		if err := r.Renew.adopt(files); err != nil {
			return refusal(err)
		}
		return refusal(in.renew(*r.Renew))
	case r.Listeners != nil:
		return in.listeners(*r.Listeners)
	case r.SignalAll != nil:
		return in.signalAll(*r.SignalAll)
	case r.Listen != nil:
		f, err := in.listen(*r.Listen)
		a := refusal(err)
		if err == nil {
			a.files = []*os.File{f}
		}
		return a
	}
	return refusal(errors.New("the lab does not know this request"))
}

// refused marks an error that this machine is to blame for.
type refused struct{ error }

func (r refused) Unwrap() []error { return []error{r.error, ErrUnsupported} }

// refusal is the answer that says err, or that all is well.
func refusal(err error) answer {
	if err == nil {
		return answer{}
	}
	a := answer{Error: err.Error(), Unsupported: errors.Is(err, ErrUnsupported)}
	var errno unix.Errno
	if errors.As(err, &errno) {
		a.Errno = int(errno)
	}
	return a
}

// adopt gives the captures the files that came along. They are to outlive the request.
func (c *Config) adopt(files []*os.File) error {
	next := func(wanted bool) (*os.File, error) {
		if !wanted || len(files) == 0 {
			return nil, nil
		}
		fd, err := unix.FcntlInt(files[0].Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
		files = files[1:]
		return os.NewFile(uintptr(fd), "capture"), nil
	}
	var err error
	if c.Capture, err = next(c.Captured); err != nil {
		return err
	}
	for i := range c.Hosts {
		if c.Hosts[i].Capture, err = next(c.Hosts[i].Captured); err != nil {
			return err
		}
	}
	return nil
}

// open builds the lab.
func (in *inside) open(c Config) error {
	if in.pump != nil {
		return errors.New("the lab is open already")
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = ""
	}
	if in.notes, err = mountAll(c.hostsFile(machine)); err != nil {
		return refused{err}
	}
	if c.Scratch != "" {
		if err := mountScratch(c.Scratch); err != nil {
			return refused{err}
		}
	}
	// Children of this namespace take their table's size from here.
	if err := setSysctl("ipv4/tcp_child_ehash_entries", childTable); err != nil {
		in.notes = append(in.notes, fmt.Sprintf("hosts share the machine's table of connections, and counting sockets costs more: %v", err))
	}
	addrs, ranges := c.addresses(), c.ranges()
	in.hosts = map[string]*netns{}
	seen := map[string]bool{}
	for _, hc := range c.Hosts {
		h, err := newNetns(hc, addrs[hc.Name], ranges)
		if err != nil {
			return refused{err}
		}
		in.order = append(in.order, h)
		in.hosts[h.name] = h
		for _, n := range h.allNotes() {
			if !seen[n] {
				in.notes, seen[n] = append(in.notes, n), true
			}
		}
	}
	return in.lay(c, newRoll(in.order))
}

// lay makes the path between the hosts, and begins to count what they hold.
func (in *inside) lay(c Config, processes *roll) error {
	var ports []pump.Port
	for i, h := range in.order {
		h.port.Delay, h.port.Capture = c.Hosts[i].Delay, c.Hosts[i].Capture
		ports = append(ports, h.port)
	}
	var err error
	in.pump, err = pump.New(pump.Config{
		Network: c.Network, Seed: c.Seed, Ports: ports,
		Own: c.Own, PipesOnly: c.PipesOnly,
		Capture: c.Capture, CaptureLimit: c.CaptureLimit, Forget: c.ForgetAfter, Refuses: c.Refuses, ResetsBoth: c.ResetsBoth,
	})
	if err != nil {
		return err
	}
	in.pumped, in.failed = make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(in.pumped)
		runtime.LockOSThread()
		if err := in.pump.Run(); err != nil {
			in.failed <- err
		}
	}()
	in.sampler = newSampler(in.order, processes, c.SampleEvery, c.SeriesEvery)
	return nil
}

// renew lays the path anew between the hosts that there are. What the old one has captured is
// complete then, and no connection between two hosts is left, in TIME_WAIT or elsewhere.
func (in *inside) renew(c Config) error {
	if in.pump == nil || len(c.Hosts) != len(in.order) {
		return errors.New("the path of a lab can be laid anew only once it is open, and between the same hosts")
	}
	in.sampler.stop()
	for _, h := range in.order {
		if h.diag == nil {
			return errors.New("connections of a host cannot be ended: socket diagnostics are missing")
		}
		between := func(local, remote netip.AddrPort) bool {
			return h.has(local.Addr()) && !h.has(remote.Addr()) && in.isHost(remote.Addr())
		}
		err := h.diag.Destroy(between)
		if errors.Is(err, unix.EOPNOTSUPP) {
			return refused{errors.New("this kernel ends no connections (CONFIG_INET_DIAG_DESTROY)")}
		}
		if err != nil {
			return fmt.Errorf("cannot end the connections of host %q: %w", h.name, err)
		}
	}
	in.pump.Stop()
	<-in.pumped
	select {
	case err := <-in.failed:
		return err
	default:
	}
	return in.lay(c, in.sampler.processes)
}

func (in *inside) isHost(a netip.Addr) bool {
	return slices.ContainsFunc(in.order, func(h *netns) bool { return h.has(a) })
}

// listeners lists what listens on a host.
func (in *inside) listeners(r hostRequest) answer {
	h := in.hosts[r.Host]
	if h == nil {
		return refusal(fmt.Errorf("there is no host %q in the lab", r.Host))
	}
	if h.diagErr != nil {
		return refusal(h.diagErr)
	}
	// The sampler has the host's own socket of diagnostics.
	var all []sockdiag.Listener
	var err error
	h.do(func() {
		var s *sockdiag.Socket
		if s, err = sockdiag.Open(); err == nil {
			defer s.Close()
			all, err = s.Listeners()
		}
	})
	if err != nil {
		return refusal(err)
	}
	return answer{Listeners: all}
}

// signalAll sends a signal to whatever runs on a host.
func (in *inside) signalAll(r hostRequest) answer {
	h := in.hosts[r.Host]
	if h == nil {
		return refusal(fmt.Errorf("there is no host %q in the lab", r.Host))
	}
	if !ownProc() {
		return refusal(errors.New("the processes of a host are not known: /proc cannot be mounted anew on this machine"))
	}
	n, err := h.signalAll(r.Signal)
	a := refusal(err)
	a.Processes = n
	return a
}

// stop ends what this process runs itself; the capture is complete afterwards,
// or the error says why not. Whoever is outside kills this process if it takes
// too long.
func (in *inside) stop() error {
	in.control.close()
	if in.pump == nil {
		return nil
	}
	in.sampler.stop()
	in.pump.Stop()
	<-in.pumped
	select {
	case err := <-in.failed:
		return err
	default:
		return nil
	}
}

// start starts a program in the host's namespace: the new process is in those of
// the thread that forks it.
func (in *inside) start(r startRequest, files []*os.File) error {
	h := in.hosts[r.Host]
	if h == nil {
		return fmt.Errorf("there is no host %q in the lab", r.Host)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{Dir: r.Dir, Env: r.Env, Files: make([]uintptr, 3), Sys: &syscall.SysProcAttr{Setpgid: !r.Foreground}}
	for i, given := range r.Files {
		f := null
		if given && len(files) > 0 {
			f, files = files[0], files[1:]
		}
		attr.Files[i] = f.Fd()
	}
	if r.Env == nil {
		attr.Env = syscall.Environ()
	}
	if r.NetAdmin {
		attr.Sys.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	var pid int
	h.do(func() { pid, err = syscall.ForkExec(r.Path, append([]string{r.Path}, r.Args...), attr) })
	if err != nil {
		return fmt.Errorf("cannot start %s on host %q: %w", r.Path, r.Host, err)
	}
	c := &command{id: r.Process, pid: pid, usage: Usage{Host: r.Host, Path: r.Path, Running: true}}
	in.commands = append(in.commands, c)
	in.running[pid], in.byID[c.id] = c, c
	return nil
}

// listen opens a socket in the host's namespace, in which it stays whoever holds it.
func (in *inside) listen(r listenRequest) (f *os.File, err error) {
	h := in.hosts[r.Host]
	if h == nil {
		return nil, fmt.Errorf("there is no host %q in the lab", r.Host)
	}
	address := netip.AddrPortFrom(h.addr, uint16(r.Port)).String()
	h.do(func() {
		// Of an address in digits, the socket is made on this very thread.
		var socket interface {
			File() (*os.File, error)
			Close() error
		}
		if r.Packets {
			var pc net.PacketConn
			if pc, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp4", address); err == nil {
				socket = pc.(*net.UDPConn)
			}
		} else {
			lc := net.ListenConfig{}
			lc.SetMultipathTCP(false)
			var ln net.Listener
			if ln, err = lc.Listen(context.Background(), "tcp4", address); err == nil {
				socket = ln.(*net.TCPListener)
			}
		}
		if err != nil {
			return
		}
		f, err = socket.File()
		socket.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on port %d of host %q: %w", r.Port, r.Host, err)
	}
	return f, nil
}

// reap takes note of every process that has ended, orphans of commands included:
// whose parent is gone is a child of this one.
func (in *inside) reap() error {
	for {
		var status unix.WaitStatus
		var used unix.Rusage
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, &used)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case pid <= 0:
			return nil
		}
		if in.sampler != nil {
			in.sampler.reaped(pid, time.Duration(used.Utime.Nano()+used.Stime.Nano()))
		}
		c := in.running[pid]
		if c == nil {
			continue
		}
		e := Exit{
			User:   time.Duration(used.Utime.Nano()),
			System: time.Duration(used.Stime.Nano()),
			MaxRSS: used.Maxrss << 10, // kibibytes (getrusage(2))
		}
		if status.Signaled() {
			e.Signal = syscall.Signal(status.Signal())
		} else {
			e.Code = status.ExitStatus()
		}
		delete(in.running, pid)
		delete(in.byID, c.id)
		c.usage.Running, c.usage.CPU, c.usage.MaxRSS = false, e.User+e.System, linger.Known(e.MaxRSS)
		if err := in.control.send(answer{Exited: &exited{Process: c.id, Exit: e}}); err != nil {
			return err
		}
	}
}

// report says what has been seen so far.
func (in *inside) report() *Report {
	r := &Report{Notes: in.notes}
	if in.pump == nil {
		return r
	}
	r.Hosts = in.sampler.look()
	r.Ledger = in.pump.Ledger()
	for _, c := range in.commands {
		u := c.usage
		if u.Running {
			u.CPU = processCPU(c.pid)
		}
		r.Commands = append(r.Commands, u)
	}
	return r
}

// processCPU returns the CPU time of a process that runs, from its own clock
// (clock_getcpuclockid(3); MAKE_PROCESS_CPUCLOCK and CPUCLOCK_SCHED in
// include/linux/posix-timers_types.h).
func processCPU(pid int) time.Duration {
	const sched = 2
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid)<<3|sched, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
