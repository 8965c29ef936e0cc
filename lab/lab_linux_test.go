package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/internal/testall"
	"linger/trace"
)

// self is this program on any host of a lab: each process finds its own there.
const self = "/proc/self/exe"

// patience bounds what a test waits for; nothing is measured against it.
const patience = 30 * time.Second

func init() {
	roles["serve"] = serveBytes
	roles["fetch"] = fetchBytes
}

// two is a client and an origin on a path of 2 ms.
func two() Config {
	return Config{
		Network: linger.Network{RTT: 2 * time.Millisecond, Queue: linger.DefaultQueue},
		Hosts:   []HostConfig{{Name: "client"}, {Name: "origin", Side: Server, Aliases: []string{"www.example.com"}}},
	}
}

func openLab(t testing.TB, c Config) *Lab {
	t.Helper()
	l, err := Open(t.Context(), c)
	if errors.Is(err, ErrUnsupported) {
		testall.Lacks(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// output runs a command to its end and returns what it wrote.
func output(t testing.TB, l *Lab, c Command) (string, Exit) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout, c.Stderr = w, w
	p, err := l.Start(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return string(b), e
}

// shell is a command line on a host.
func shell(host, line string, args ...string) Command {
	return Command{Host: host, Path: "/bin/sh", Args: append([]string{"-c", line, "sh"}, args...)}
}

// role is this program in one of its parts.
func role(host, name string, args ...string) Command {
	return Command{Host: host, Path: self, Args: args, Env: append(os.Environ(), roleVar+"="+name)}
}

// serveBytes listens on port 80 and sends each connection so many bytes; it says
// "ready" once it listens.
func serveBytes(args []string) int {
	n, _ := strconv.Atoi(args[0])
	l, err := net.Listen("tcp4", ":80")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return 1
		}
		go func() {
			defer c.Close()
			c.Write(make([]byte, n))
		}()
	}
}

// fetchBytes reads one connection to each address to its end and prints how much
// there was in all.
func fetchBytes(args []string) int {
	total := int64(0)
	for _, host := range args {
		c, err := net.DialTimeout("tcp4", host+":80", patience)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		n, err := io.Copy(io.Discard, c)
		c.Close()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		total += n
	}
	fmt.Print(total)
	return 0
}

// startServer starts a server and returns when it listens.
func startServer(t testing.TB, l *Lab, host string, bytes int) *Process {
	t.Helper()
	return startReady(t, l, role(host, "serve", strconv.Itoa(bytes)))
}

// startReady starts one of this program's parts and returns when that says "ready".
func startReady(t testing.TB, l *Lab, c Command) *Process {
	t.Helper()
	p, line := startSaying(t, l, c)
	if line != "ready\n" {
		t.Fatalf("%s on %s says %q", c.Args, c.Host, line)
	}
	return p
}

// startSaying starts a program and returns what it writes first.
func startSaying(t testing.TB, l *Lab, c Command) (p *Process, first string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout = w
	p, err = l.Start(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	n, err := r.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return p, string(b[:n])
}

func TestExitIsPassedThrough(t *testing.T) {
	l := openLab(t, two())
	for _, tt := range []struct {
		line string
		want int
	}{
		{"exit 0", 0}, {"exit 7", 7}, {"exit 255", 255}, {"kill -9 $$", 137}, {"kill -15 $$", 143},
	} {
		if _, e := output(t, l, shell("client", tt.line)); e.Status() != tt.want {
			t.Errorf("%s: got %d (%+v), want %d", tt.line, e.Status(), e, tt.want)
		}
	}
	_, e := output(t, l, shell("client", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
	if e.User <= 0 || e.MaxRSS < 100<<10 {
		t.Errorf("a busy shell used %+v", e)
	}
}

func TestStartSaysWhy(t *testing.T) {
	l := openLab(t, two())
	for _, tt := range []struct {
		command Command
		want    string
	}{
		{Command{Host: "nobody", Path: "/bin/true"}, "there is no host \"nobody\" in the lab; the hosts are [client origin]"},
		{Command{Host: "client", Path: "/no/such/program"}, "cannot start /no/such/program on host \"client\": no such file or directory"},
		{Command{Host: "client", Path: "/etc/hosts"}, "permission denied"},
		{Command{Host: "client", Path: "/bin/true", Dir: "/no/such/directory"}, "no such file or directory"},
		{Command{Host: "client", Path: "/bin/true", Args: []string{"a\x00b"}}, "invalid argument"},
	} {
		if _, err := l.Start(tt.command); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: got %v, want %q", tt.command, err, tt.want)
		}
	}
}

func TestEnvironmentAndDirectory(t *testing.T) {
	t.Setenv("LINGER_TEST_MARK", "inherited")
	l := openLab(t, two())
	dir := t.TempDir()
	c := shell("origin", `echo "$LINGER_TEST_MARK|$A|$1|$(pwd)"`, "two words")
	if got, _ := output(t, l, c); !strings.HasPrefix(got, "inherited||two words|/") {
		t.Errorf("with nothing said: %q", got)
	}
	c.Env, c.Dir = []string{"A=a", "A=b"}, dir
	if got, _ := output(t, l, c); got != "|b|two words|"+dir+"\n" {
		t.Errorf("with a given environment and directory: %q", got)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := output(t, l, shell("client", "pwd")); got != here+"\n" {
		t.Errorf("directory %q, want %q", got, here)
	}
	if got, _ := output(t, l, shell("client", "id -u; id -g")); got != fmt.Sprintf("%d\n%d\n", os.Getuid(), os.Getgid()) {
		t.Errorf("the user is %q", got)
	}
}

func TestCapabilities(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root has them all; TestUnprivileged runs this test as another user")
	}
	l := openLab(t, two())
	line := "grep CapEff /proc/self/status"
	if got, _ := output(t, l, shell("client", line)); !strings.HasSuffix(got, "0000000000000000\n") {
		t.Errorf("a command has capabilities: %s", got)
	}
	c := shell("client", line)
	c.NetAdmin = true
	if got, _ := output(t, l, c); !strings.HasSuffix(got, fmt.Sprintf("%016x\n", 1<<unix.CAP_NET_ADMIN)) {
		t.Errorf("with NetAdmin: %s", got)
	}
}

func TestStandardFiles(t *testing.T) {
	l := openLab(t, two())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const size = 50 << 20
	go func() {
		defer w.Close()
		buf := make([]byte, 1<<20)
		for range size / len(buf) {
			if _, err := w.Write(buf); err != nil {
				return
			}
		}
	}()
	c := shell("client", "cat")
	c.Stdin = r
	got, e := output(t, l, c)
	if len(got) != size || e.Status() != 0 {
		t.Errorf("%d bytes through cat, want %d; %+v", len(got), size, e)
	}
	if got, _ := output(t, l, shell("client", "cat; ls /proc/self/fd | wc -l")); got != "4\n" {
		t.Errorf("with no standard input, and with three files and the directory: %q", got)
	}
}

func TestNames(t *testing.T) {
	getent, err := exec.LookPath("getent")
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	l := openLab(t, two())
	for _, tt := range []struct{ name, addr string }{
		{"client", "10.0.1.1"}, {"origin", "10.0.2.1"}, {"www.example.com", "10.0.2.1"},
	} {
		for _, host := range []string{"client", "origin"} {
			got, e := output(t, l, Command{Host: host, Path: getent, Args: []string{"ahostsv4", tt.name}})
			if e.Status() != 0 || !strings.HasPrefix(got, tt.addr+" ") {
				t.Errorf("%s on %s is %q", tt.name, host, got)
			}
		}
	}
	if got, e := output(t, l, Command{Host: "client", Path: getent, Args: []string{"ahostsv4", "elsewhere.example"}}); e.Status() == 0 {
		t.Errorf("a name that is not in the lab is %q", got)
	}
	if l.Addr("origin").String() != "10.0.2.1" || l.Addr("nobody").IsValid() {
		t.Errorf("Addr: %v, %v", l.Addr("origin"), l.Addr("nobody"))
	}
}

func TestManyHostsShareTheLink(t *testing.T) {
	c := two()
	c.Hosts = []HostConfig{{Name: "c1"}, {Name: "c2"}, {Name: "c3"}, {Name: "s1", Side: Server}, {Name: "s2", Side: Server}}
	l := openLab(t, c)
	startServer(t, l, "s1", 1000)
	startServer(t, l, "s2", 200_000)
	var wg sync.WaitGroup
	for _, host := range []string{"c1", "c2", "c3"} {
		wg.Go(func() {
			got, e := output(t, l, role(host, "fetch", "s1", "s2", "s1"))
			if got != "202000" || e.Status() != 0 {
				t.Errorf("%s got %q, %+v", host, got, e)
			}
		})
	}
	wg.Wait()
	time.Sleep(20 * time.Millisecond) // the last FIN and its ACK
	r, err := l.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Ledger.Connections) != 9 {
		t.Errorf("%d connections in the ledger, want 9", len(r.Ledger.Connections))
	}
	for _, f := range r.Ledger.Connections {
		if f.Up.SYN != 1 || f.Down.SYN != 1 || f.Down.FIN == 0 {
			t.Errorf("%s to %s: SYN %d and %d, FIN %d", f.Client, f.Server, f.Up.SYN, f.Down.SYN, f.Down.FIN)
		}
	}
	for _, host := range []string{"s1", "s2"} {
		h := r.Hosts[host]
		if want := map[string]int{"s1": 6, "s2": 3}[host]; h.TimeWait != want {
			t.Errorf("%s closes first and is left with %d TIME_WAIT, want %d", host, h.TimeWait, want)
		}
		if h.Sockets["LISTEN"] != 1 || h.Samples == 0 {
			t.Errorf("%s: %+v", host, h)
		}
	}
	if len(r.Commands) != 5 || !r.Commands[0].Running || r.Commands[0].CPU <= 0 || r.Commands[4].Running {
		t.Errorf("commands: %+v", r.Commands)
	}
}

func TestLabsSideBySide(t *testing.T) {
	openLab(t, two()) // skips where there can be none
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			l, err := Open(t.Context(), two())
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			startServer(t, l, "origin", 1000+i)
			if got, _ := output(t, l, role("client", "fetch", "origin")); got != strconv.Itoa(1000+i) {
				t.Errorf("lab %d got %s", i, got)
			}
		})
	}
	wg.Wait()
}

func TestContextEndsTheLab(t *testing.T) {
	openLab(t, two())
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Open(ctx, two())
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Start(shell("client", "sleep 1000"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := p.Wait(); !errors.Is(err, errClosed) {
		t.Errorf("Wait says %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close says %v", err)
	}
	if _, err := Open(ctx, two()); !errors.Is(err, context.Canceled) {
		t.Errorf("Open says %v", err)
	}
}

func TestCloseIsFinal(t *testing.T) {
	l := openLab(t, two())
	p, err := l.Start(shell("client", "trap '' TERM HUP INT; (sleep 1000 &) ; sleep 1000"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := p.Wait(); !errors.Is(err, errClosed) {
		t.Errorf("Wait says %v", err)
	}
	if _, err := l.Start(shell("client", "true")); !errors.Is(err, errClosed) {
		t.Errorf("Start says %v", err)
	}
	if _, err := l.Report(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("Report says %v", err)
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Errorf("Signal says %v", err)
	}
}

func TestCaptureThatCannotBeWritten(t *testing.T) {
	openLab(t, two())
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	defer full.Close()
	c := two()
	c.Capture = full
	l, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	startServer(t, l, "origin", 1000)
	if got, _ := output(t, l, role("client", "fetch", "origin")); got != "1000" {
		t.Errorf("the client got %s bytes", got)
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "no space left on device") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Close says %v", err)
	}
}

func TestLabThatIsKilled(t *testing.T) {
	openLab(t, two())
	l, err := Open(t.Context(), two())
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Start(shell("client", "sleep 1000"))
	if err != nil {
		t.Fatal(err)
	}
	l.kill()
	const want = "the lab has ended by itself: the lab's first process: signal: killed; open it again"
	if _, err := p.Wait(); err == nil || err.Error() != want {
		t.Errorf("Wait says %v", err)
	}
	if _, err := l.Start(shell("client", "true")); err == nil || err.Error() != want {
		t.Errorf("Start says %v", err)
	}
	if err := l.Close(); err == nil || err.Error() != want {
		t.Errorf("Close says %v", err)
	}
}

func TestSignal(t *testing.T) {
	l := openLab(t, two())
	p, err := l.Start(shell("client", "exec sleep 1000"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if e, err := p.Wait(); err != nil || e.Signal != unix.SIGTERM {
		t.Errorf("%+v, %v", e, err)
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Errorf("to a process that has ended: %v", err)
	}
}

func TestOpenAndCloseLeakNothing(t *testing.T) {
	openLab(t, two()).Close()
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	goroutines, open := runtime.NumGoroutine(), files()
	for range 50 {
		l, err := Open(t.Context(), two())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Start(shell("client", "sleep 1000")); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A goroutine that has been waited for may still be on its way out.
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if n := files(); n > open {
		t.Errorf("%d open files, %d before", n, open)
	}
}

func TestCheck(t *testing.T) {
	openLab(t, two())
	for _, f := range Check() {
		t.Logf("%+v", f)
		if f.Name == "" || f.Found == "" || f.OK != (f.Fix == "") || f.OK != (len(f.Ways) == 0) || f.Gives == "" || strings.Contains(f.Found+f.Fix, "\n") {
			t.Errorf("%+v is not a finding", f)
		}
		if f.Needed && !f.OK {
			t.Errorf("%s is needed and not permitted, yet there are labs", f.Name)
		}
	}
}

// TestRefusals puts this program where it may not make a lab.
func TestRefusals(t *testing.T) {
	openLab(t, two())
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	for _, tt := range []struct {
		name, prepare, want string
	}{
		{"no user namespaces", "echo 0 > /proc/sys/user/max_user_namespaces", "sudo sysctl user.max_user_namespaces=15000"},
		{"no network namespaces", "echo 0 > /proc/sys/user/max_net_namespaces", "sudo sysctl user.max_net_namespaces=15000"},
		{"no TUN device", "mount -t tmpfs none /dev/net", "sudo modprobe tun"},
		{"not a TUN device", "mount --bind /dev/null /dev/net/tun", "TUNSETIFF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, status := prepared(t, unshare, tt.prepare)
			if status != 3 || !strings.Contains(got, tt.want) || strings.Contains(got, "\n") || !strings.HasPrefix(got, ErrUnsupported.Error()+": ") {
				t.Errorf("status %d and %q, want 3 and %q in one line", status, got, tt.want)
			}
		})
	}
}

// TestContainer has parts of /proc hidden, as containers have: the lab goes on,
// and says what it has to do without.
func TestContainer(t *testing.T) {
	openLab(t, two())
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	got, status := prepared(t, unshare, "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
	if status != 0 {
		t.Fatalf("status %d: %s", status, got)
	}
	for _, want := range []string{"/proc cannot be mounted anew", "sysctls of a host cannot be set", "hosts share the machine's table"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the notes:\n%s", want, got)
		}
	}
}

// prepared runs the role "open" in a user and a mount namespace of its own, in
// which a command line has been run before.
func prepared(t *testing.T, unshare, line string) (output string, status int) {
	t.Helper()
	// It is opened before, as its directory may not be readable in there.
	f, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(unshare, "--user", "--map-root-user", "--mount", "/bin/sh", "-c", line+" && exec /proc/self/fd/3")
	cmd.Env = append(os.Environ(), roleVar+"=open")
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	output = strings.TrimSuffix(string(out), "\n")
	t.Log(output)
	return output, cmd.ProcessState.ExitCode()
}

func init() {
	roles["open"] = func([]string) int {
		l, err := Open(context.Background(), two())
		if err == nil {
			defer l.Close()
			r, err := l.Report(context.Background())
			if err != nil {
				fmt.Println(err)
				return 1
			}
			fmt.Println(strings.Join(r.Notes, "\n"))
			return 0
		}
		fmt.Println(err)
		if errors.Is(err, ErrUnsupported) {
			return 3
		}
		return 1
	}
}

// TestUnprivileged runs every other test of this package that makes a lab as a
// user without any rights.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the tests run without rights already")
	}
	if info, err := os.Stat("/dev/net/tun"); err != nil || info.Mode().Perm()&0o006 != 0o006 {
		testall.Lacks(t, "/dev/net/tun is not for everybody; sudo chmod 666 /dev/net/tun")
	}
	const nobody = 65534
	tmp := filepath.Join(os.TempDir(), fmt.Sprintf("linger-nobody-%d", os.Getpid()))
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chown(tmp, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.short", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "HOME="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	passed := strings.Count(string(out), "\n--- PASS")
	if err != nil || passed == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%d tests passed as user %d, %d were skipped", passed, nobody, strings.Count(string(out), "\n--- SKIP"))
}

// BenchmarkSideBySide moves data through full links, so many labs at once, and
// prints how late their packets leave: what Capacity rests on.
func BenchmarkSideBySide(b *testing.B) {
	for _, network := range []string{"lte", "wan"} {
		for _, labs := range []int{1, 2, 4, 8} {
			b.Run(fmt.Sprintf("%s/%d", network, labs), func(b *testing.B) {
				c := two()
				var err error
				if c.Network, err = linger.ParseNetwork(network); err != nil {
					b.Fatal(err)
				}
				openLab(b, c).Close()
				bytes := int(c.Network.Down / 8) // a second of the link
				for b.Loop() {
					late := make(chan trace.Lateness, labs)
					var wg sync.WaitGroup
					for range labs {
						wg.Go(func() {
							l := openLab(b, c)
							defer l.Close()
							startServer(b, l, "origin", bytes)
							if got, _ := output(b, l, role("client", "fetch", "origin")); got != strconv.Itoa(bytes) {
								b.Errorf("fetched %s bytes", got)
							}
							r, err := l.Report(b.Context())
							if err != nil {
								b.Error(err)
							}
							late <- r.Ledger.Lateness
						})
					}
					wg.Wait()
					close(late)
					var worst trace.Lateness
					for l := range late {
						worst.Median, worst.P99 = max(worst.Median, l.Median), max(worst.P99, l.P99)
					}
					b.ReportMetric(float64(worst.Median)/1e3, "µs-late-median")
					b.ReportMetric(float64(worst.P99)/1e3, "µs-late-p99")
				}
			})
		}
	}
}

func BenchmarkOpenClose(b *testing.B) {
	openLab(b, two())
	for b.Loop() {
		l, err := Open(b.Context(), two())
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

// TestListen accepts outside what a program dials inside, and only at the host that was asked.
func TestListen(t *testing.T) {
	l := openLab(t, two())
	ln, err := l.Listen("origin", 80)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Write(make([]byte, 1000))
			c.Close()
		}
	}()
	if got := ln.Addr().String(); got != l.Addr("origin").String()+":80" {
		t.Errorf("it listens on %s", got)
	}
	out, exit := output(t, l, role("client", "fetch", "www.example.com"))
	if strings.TrimSpace(out) != "1000" || exit.Status() != 0 {
		t.Errorf("%q, status %d", out, exit.Status())
	}
	if _, err := l.Listen("nowhere", 80); err == nil {
		t.Error("a host that is not there listens")
	}
	if _, err := l.Listen("origin", 80); err == nil {
		t.Error("a port is listened on twice")
	}
	pc, err := l.ListenPacket("origin", 80)
	if err != nil {
		t.Fatal(err)
	}
	pc.Close()
}
