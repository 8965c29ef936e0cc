package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"linger/sockdiag"
)

const (
	// answerWithin bounds every request to the inside; making the namespaces of a
	// large lab on a busy machine is the longest.
	answerWithin = 20 * time.Second
	// endWithin is how long the inside may take to write the capture out once it
	// has been told to end; then it is killed.
	endWithin = 5 * time.Second
)

// A Lab is a running path with its hosts. Its methods may be called from any
// goroutine.
type Lab struct {
	control *control
	addrs   map[string]netip.Addr
	further map[string][]netip.Addr
	unwatch func() bool // ends the wait for the context

	ended  chan struct{} // closed when the first process has been reaped, and all others with it
	failed error         // what it said at its end; valid after ended
	read   chan struct{} // closed when nothing more will be received

	mu        sync.Mutex
	closing   bool
	lastID    int
	pending   map[int]chan answer // by request
	processes map[int]*Process    // that have not ended, by what the lab calls them
	kill      func()
}

// Open makes the hosts and the path. The lab lives until Close is called or ctx
// is done. The error is one line with the way out; it wraps [ErrUnsupported]
// when this machine cannot hold a lab.
func Open(ctx context.Context, c Config) (*Lab, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c.SampleEvery = c.sampleEvery()
	if tun := findTUN(); !tun.OK {
		return nil, unsupported(errors.New(tun.Found), tun.Fix)
	}
	l, err := launch(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, unsupported(err, namespaceWays(err)[0].Do)
	}
	l.addrs, l.further = c.addresses(), c.further()
	files := c.declare()
	if _, err := l.ask(ctx, request{Open: &c}, files...); err != nil {
		l.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return l, nil
}

// declare returns the files that go along with the Config, which then says so.
func (c *Config) declare() (files []*os.File) {
	if c.Captured = c.Capture != nil; c.Captured {
		files = append(files, c.Capture)
	}
	c.Hosts = slices.Clone(c.Hosts)
	for i := range c.Hosts {
		h := &c.Hosts[i]
		if h.Captured = h.Capture != nil; h.Captured {
			files = append(files, h.Capture)
		}
	}
	return files
}

// Renew lays the path anew: with the network, the seed, the delays and the captures of c, empty,
// and with everything at zero that a [Report] counts but CPU time. The hosts, which must be
// those that the lab was opened with, stay as they are with whatever runs on them; but every
// connection between two of them is ended, whatever its state. What the old path has captured is
// complete when Renew returns. After an error the lab is of no use but to be closed; one that
// wraps [ErrUnsupported] says that this kernel cannot end connections.
func (l *Lab) Renew(ctx context.Context, c Config) error {
	if err := c.validate(); err != nil {
		return err
	}
	if !maps.EqualFunc(c.further(), l.further, slices.Equal) {
		return errors.New("the hosts of a lab keep the addresses that they were opened with")
	}
	c.SampleEvery = c.sampleEvery()
	files := c.declare()
	_, err := l.ask(ctx, request{Renew: &c}, files...)
	return err
}

// Listeners lists what listens on a host, whoever does.
func (l *Lab) Listeners(ctx context.Context, host string) ([]sockdiag.Listener, error) {
	a, err := l.ask(ctx, request{Listeners: &hostRequest{Host: host}})
	return a.Listeners, err
}

// SignalAll sends a signal, a [syscall.Signal], to every process on a host, whoever has started
// it; 0 to none. It returns how many there are.
func (l *Lab) SignalAll(ctx context.Context, host string, s os.Signal) (int, error) {
	number, ok := s.(syscall.Signal)
	if !ok {
		return 0, fmt.Errorf("%v is not a signal of this system", s)
	}
	a, err := l.ask(ctx, request{SignalAll: &hostRequest{Host: host, Signal: number}})
	return a.Processes, err
}

// launch starts the first process inside, which waits for its request.
func launch(ctx context.Context) (*Lab, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	near, far, err := controlPair()
	if err != nil {
		return nil, fmt.Errorf("cannot talk to a lab: %w", err)
	}
	defer far.Close()
	l := &Lab{
		control:   near,
		ended:     make(chan struct{}),
		read:      make(chan struct{}),
		pending:   map[int]chan answer{},
		processes: map[int]*Process{},
	}
	started := make(chan error)
	go l.supervise(far, started)
	if err := <-started; err != nil {
		near.close()
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			err = errno // without what os/exec did meanwhile
		}
		if err == unix.ENOSPC { // what clone(2) says of a limit in /proc/sys/user
			return nil, fmt.Errorf("cannot make namespaces, their limit is reached: %w", err)
		}
		return nil, fmt.Errorf("cannot make namespaces: %w", err)
	}
	go l.receive()
	l.unwatch = context.AfterFunc(ctx, func() { l.end() })
	return l, nil
}

// supervise starts the first process of the lab and waits for it. It has a thread
// to itself until then: that process is killed when its parent dies, and the
// parent is the thread that made it (PR_SET_PDEATHSIG(2const)).
func (l *Lab) supervise(far *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stderr := &head{limit: 4 << 10}
	cmd := &exec.Cmd{
		// The running program itself, even if its file has been replaced.
		Path:        "/proc/self/exe",
		Args:        []string{insideName},
		Stderr:      stderr,
		ExtraFiles:  []*os.File{far},
		SysProcAttr: namespaces(),
	}
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	l.kill = func() { cmd.Process.Kill() }
	started <- nil
	err := cmd.Wait()
	if line := stderr.String(); line != "" {
		l.failed = errors.New(line)
	} else if err != nil {
		l.failed = fmt.Errorf("the lab's first process: %w", err)
	}
	close(l.ended)
}

// receive hands on what the inside says, until it says nothing more.
func (l *Lab) receive() {
	for {
		var a answer
		files, err := l.control.receive(&a)
		if err != nil {
			break
		}
		l.mu.Lock()
		if a.Exited != nil {
			if p := l.processes[a.Exited.Process]; p != nil {
				delete(l.processes, a.Exited.Process)
				p.end(a.Exited.Exit, nil)
			}
		} else if c := l.pending[a.ID]; c != nil {
			delete(l.pending, a.ID)
			a.files, files = files, nil
			c <- a
		}
		l.mu.Unlock()
		closeAll(files) // that nobody waits for any more
	}
	// Without its control socket the lab ends itself; make sure of it.
	l.control.close()
	l.await()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.processes {
		p.end(Exit{}, l.why())
	}
	clear(l.processes)
	for _, c := range l.pending {
		close(c)
	}
	clear(l.pending)
	close(l.read)
}

// await returns when the first process has been reaped; it is killed if it
// takes too long.
func (l *Lab) await() {
	select {
	case <-l.ended:
	case <-time.After(endWithin):
		l.kill()
		<-l.ended
	}
}

// why says why the lab is gone; only once ended is closed, and under mu.
func (l *Lab) why() error {
	switch {
	case l.closing:
		return errClosed
	case l.failed != nil:
		return fmt.Errorf("the lab has ended by itself: %w; open it again", l.failed)
	}
	return errors.New("the lab has ended by itself; open it again")
}

var errClosed = errors.New("the lab is closed")

// ask sends a request and waits for its answer.
func (l *Lab) ask(ctx context.Context, r request, files ...*os.File) (answer, error) {
	c := make(chan answer, 1)
	l.mu.Lock()
	select {
	case <-l.read:
		defer l.mu.Unlock()
		return answer{}, l.why()
	default:
	}
	l.lastID++
	r.ID = l.lastID
	l.pending[r.ID] = c
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pending, r.ID)
		l.mu.Unlock()
	}()
	if err := l.control.send(r, files...); err != nil && !errors.Is(err, errGone) {
		return answer{}, fmt.Errorf("cannot talk to the lab: %w", err)
	}
	late := time.NewTimer(answerWithin)
	defer late.Stop()
	select {
	case a, ok := <-c:
		switch {
		case !ok:
			l.mu.Lock()
			defer l.mu.Unlock()
			return answer{}, l.why()
		case a.Error != "":
			return a, remoteError(a)
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-late.C:
		return answer{}, fmt.Errorf("the lab has not answered for %v; the machine may be overloaded, open fewer labs at once", answerWithin)
	}
}

// Addr returns the address of the host of that name; it is not valid if there is
// no such host.
func (l *Lab) Addr(host string) netip.Addr { return l.addrs[host] }

// Addrs returns the further addresses of the host of that name, as many as its Addresses say.
// Any program on the host may bind a socket to one.
func (l *Lab) Addrs(host string) []netip.Addr { return l.further[host] }

// Series returns what each host has held over time so far.
func (l *Lab) Series(ctx context.Context) (Series, error) {
	a, err := l.ask(ctx, request{Series: &struct{}{}})
	if err != nil {
		return Series{}, err
	}
	return *a.Series, nil
}

// Report returns what the lab has seen so far. A connection that is closing may
// still have packets under way: let a round trip pass first.
func (l *Lab) Report(ctx context.Context) (Report, error) {
	a, err := l.ask(ctx, request{Report: &struct{}{}})
	if err != nil {
		return Report{}, err
	}
	return *a.Report, nil
}

// Listen opens a listening TCP socket on a host. Its connections cross the path, and are
// accepted by this process, outside: what it does with them is its own business.
func (l *Lab) Listen(host string, port int) (net.Listener, error) {
	f, err := l.socket(listenRequest{Host: host, Port: port})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

// ListenPacket opens a UDP socket on a host, for this process, outside.
func (l *Lab) ListenPacket(host string, port int) (net.PacketConn, error) {
	f, err := l.socket(listenRequest{Host: host, Port: port, Packets: true})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FilePacketConn(f)
}

func (l *Lab) socket(r listenRequest) (*os.File, error) {
	a, err := l.ask(context.Background(), request{Listen: &r})
	if err != nil {
		return nil, err
	}
	if len(a.files) != 1 {
		closeAll(a.files)
		return nil, errors.New("the lab gave no socket; raise the limit of open files (ulimit -n)")
	}
	return a.files[0], nil
}

// Close ends every process of the lab and returns when all have been reaped and
// the capture is complete. It may be called several times. The error says that
// the capture is not complete, or that the lab had ended by itself before.
func (l *Lab) Close() error {
	l.unwatch()
	return l.end()
}

func (l *Lab) end() error {
	l.mu.Lock()
	select {
	case <-l.read:
	default:
		l.closing = true
	}
	l.mu.Unlock()
	// The inside ends when it can read no more, and takes all others with it.
	l.control.conn.CloseWrite()
	l.await()
	<-l.read
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return l.failed
	}
	return l.why()
}

// A Process is a program that was started on a host.
type Process struct {
	lab  *Lab
	id   int
	tty  *os.File // whose foreground it may take, a duplicate of ours; or nil
	done chan struct{}
	exit Exit
	err  error
}

// Start starts a program. The error says why it could not be executed.
func (l *Lab) Start(c Command) (*Process, error) {
	if _, ok := l.addrs[c.Host]; !ok {
		return nil, fmt.Errorf("there is no host %q in the lab; the hosts are %v", c.Host, slices.Sorted(maps.Keys(l.addrs)))
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", c.Path, err)
	}
	if c.Dir == "" {
		// A directory that has been removed has no name, and the lab is in it already.
		c.Dir, _ = os.Getwd()
	}
	r := startRequest{Host: c.Host, Path: path, Args: c.Args, Env: lastOfEach(c.Env), Dir: c.Dir, Foreground: c.Foreground, NetAdmin: c.NetAdmin}
	var files []*os.File
	for i, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if f != nil {
			r.Files[i] = true
			files = append(files, f)
		}
	}
	p := &Process{lab: l, done: make(chan struct{})}
	if c.Foreground {
		p.tty = ownTerminal(c.Stdin)
	}
	l.mu.Lock()
	l.lastID++
	p.id = l.lastID
	l.processes[p.id] = p
	l.mu.Unlock()
	r.Process = p.id
	if _, err := l.ask(context.Background(), request{Start: &r}, files...); err != nil {
		l.mu.Lock()
		delete(l.processes, p.id)
		l.mu.Unlock()
		if p.tty != nil {
			p.tty.Close()
		}
		return nil, err
	}
	return p, nil
}

// lastOfEach keeps the last setting of each variable: programs differ in which of
// two they believe.
func lastOfEach(env []string) []string {
	if env == nil {
		return nil
	}
	seen := map[string]bool{}
	out := []string{}
	for _, setting := range slices.Backward(env) {
		name, _, _ := strings.Cut(setting, "=")
		if !seen[name] {
			seen[name] = true
			out = append(out, setting)
		}
	}
	slices.Reverse(out)
	return out
}

// end is called once, by the goroutine that receives.
func (p *Process) end(e Exit, err error) {
	if p.tty != nil {
		takeTerminal(p.tty)
		p.tty.Close()
	}
	p.exit, p.err = e, err
	close(p.done)
}

// Signal sends a signal, a [syscall.Signal], to the program; to one that has
// ended, nothing.
func (p *Process) Signal(s os.Signal) error {
	number, ok := s.(syscall.Signal)
	if !ok {
		return fmt.Errorf("%v is not a signal of this system", s)
	}
	select {
	case <-p.done:
		return nil
	default:
	}
	_, err := p.lab.ask(context.Background(), request{Signal: &signalRequest{Process: p.id, Signal: number}})
	return err
}

// Wait waits until the program has ended. The error is not about the program,
// but says that the lab ended first.
func (p *Process) Wait() (Exit, error) {
	<-p.done
	return p.exit, p.err
}

// ownTerminal returns a duplicate of f if it is a terminal whose foreground is
// this process's group, or nil.
func ownTerminal(f *os.File) *os.File {
	if f == nil {
		return nil
	}
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return nil
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), f.Name())
}

// takeTerminal makes this process's group the foreground of the terminal again if
// that is nobody's: a shell in the lab takes it for its jobs, and cannot give it
// back to a group that has no number in its namespace. SIGTTOU is blocked
// meanwhile, as it would stop a process that does so from the background
// (tcsetpgrp(3)).
func takeTerminal(tty *os.File) {
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	if err != nil || unix.Kill(-group, 0) != unix.ESRCH {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block, old unix.Sigset_t
	block.Val[0] = 1 << (unix.SIGTTOU - 1)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &block, &old) != nil {
		return
	}
	unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, unix.Getpgrp())
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
}

// A head keeps the first bytes written to it, where a panic says what it is.
type head struct {
	limit int
	b     []byte
}

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), h.limit-len(h.b))]...)
	return len(p), nil
}

// String returns the first line.
func (h *head) String() string {
	line, _, _ := strings.Cut(string(h.b), "\n")
	return line
}
