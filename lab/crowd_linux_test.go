package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/internal/testall"
	"linger/trace"
)

func init() {
	roles["crowd"] = fetchAsMany
	roles["whoami"] = tellAddresses
	roles["ask"] = ask
	roles["askall"] = askAll
	roles["closing"] = closeFirst
	roles["deaf"] = acceptNone
}

// dialFrom connects from an address.
func dialFrom(from, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: netip.MustParseAddr(from).AsSlice()}, Timeout: patience}
	return d.DialContext(context.Background(), "tcp4", to)
}

// fetchAsMany reads, from each ADDRESS*N, N connections to a server to their end, all side by
// side, for a time at most. It prints for each address how many bytes it got, and in which time.
func fetchAsMany(args []string) int {
	to := args[0]
	limit, err := time.ParseDuration(args[1])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	began := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	got, took := map[string]int64{}, map[string]time.Duration{}
	for _, a := range args[2:] {
		from, many, _ := strings.Cut(a, "*")
		n, _ := strconv.Atoi(many)
		for range max(1, n) {
			all.Go(func() {
				c, err := dialFrom(from, to)
				if err != nil {
					fmt.Println(err)
					return
				}
				defer c.Close()
				c.SetDeadline(began.Add(limit))
				size, _ := io.Copy(io.Discard, c)
				mu.Lock()
				defer mu.Unlock()
				got[from] += size
				took[from] = max(took[from], time.Since(began))
			})
		}
	}
	all.Wait()
	for from := range got {
		fmt.Println(from, got[from], took[from].Nanoseconds())
	}
	return 0
}

// A fetched is what one address got.
type fetched struct {
	bytes int64
	took  time.Duration
}

// fetchMany runs fetchAsMany on the client.
func fetchMany(t testing.TB, l *Lab, limit time.Duration, clients ...string) map[string]fetched {
	t.Helper()
	out, e := output(t, l, role("client", "crowd", append([]string{"origin:80", limit.String()}, clients...)...))
	if e.Status() != 0 {
		t.Fatal(out)
	}
	all := map[string]fetched{}
	for line := range strings.Lines(out) {
		var from string
		var bytes, took int64
		if _, err := fmt.Sscan(line, &from, &bytes, &took); err != nil {
			t.Fatal(line)
		}
		all[from] = fetched{bytes, time.Duration(took)}
	}
	return all
}

// tellAddresses tells each connection from which address it comes.
func tellAddresses([]string) int {
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
		fmt.Fprint(c, c.RemoteAddr().(*net.TCPAddr).IP)
		c.Close()
	}
}

// ask prints what a server says to an address.
func ask(args []string) int {
	c, err := dialFrom(args[0], args[1])
	if err != nil {
		fmt.Print(err)
		return 1
	}
	defer c.Close()
	b, _ := io.ReadAll(c)
	fmt.Print(string(b))
	return 0
}

// askAll asks so many servers, from each address, and prints how many of them know it.
func askAll(args []string) int {
	n, _ := strconv.Atoi(args[0])
	servers, clients := args[1:1+n], args[1+n:]
	right := 0
	for _, to := range servers {
		for _, from := range clients {
			c, err := dialFrom(from, to)
			if err != nil {
				fmt.Println(err)
				return 1
			}
			if b, _ := io.ReadAll(c); string(b) == from {
				right++
			}
			c.Close()
		}
	}
	fmt.Print(right)
	return 0
}

// closeFirst opens and closes so many connections to a server from each address, one after the
// other, and this side first. It says "ready" then, and waits to be killed.
func closeFirst(args []string) int {
	n, _ := strconv.Atoi(args[1])
	for _, from := range args[2:] {
		for range n {
			c, err := dialFrom(from, args[0])
			if err != nil {
				fmt.Println(err)
				return 1
			}
			c.Close()
		}
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
	return 0
}

// acceptNone listens on port 80 and takes no connection.
func acceptNone([]string) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: 80})
	}
	if err == nil {
		err = unix.Listen(fd, 100)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
	return 0
}

// texts are addresses as they are written.
func texts(all []netip.Addr) (out []string) {
	for _, a := range all {
		out = append(out, a.String())
	}
	return out
}

// A server sees each client by the address that the client has bound, whichever host it is on;
// both sides may have many. What is nobody's address is refused at once.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	c := two()
	c.Network.RTT = 0
	c.Hosts = append(c.Hosts, HostConfig{Name: "client2", Addresses: 300})
	c.Hosts[0].Addresses, c.Hosts[1].Addresses = 1000, 2
	l := openLab(t, c)
	startReady(t, l, role("origin", "whoami"))
	if n := len(l.Addrs("client")); n != 1000 {
		t.Fatalf("%d addresses", n)
	}
	if more := l.Addrs("nobody"); len(more) > 0 {
		t.Errorf("nobody has %v", more)
	}
	seen := map[netip.Addr]bool{}
	for _, host := range []string{"client", "client2", "origin"} {
		for _, a := range l.Addrs(host) {
			if seen[a] {
				t.Fatalf("%v twice", a)
			}
			seen[a] = true
		}
	}
	for _, from := range []struct {
		host string
		addr netip.Addr
	}{
		{"client", l.Addr("client")}, {"client", l.Addrs("client")[0]}, {"client", l.Addrs("client")[255]},
		{"client", l.Addrs("client")[999]}, {"client2", l.Addrs("client2")[299]},
	} {
		for _, to := range append([]netip.Addr{l.Addr("origin")}, l.Addrs("origin")...) {
			if got, _ := output(t, l, role(from.host, "ask", from.addr.String(), to.String()+":80")); got != from.addr.String() {
				t.Errorf("%v, from %v on %s, sees %q", to, from.addr, from.host, got)
			}
		}
	}
	if got, e := output(t, l, role("client", "ask", l.Addrs("client")[0].String(), "10.99.0.1:80")); e.Status() == 0 || !strings.Contains(got, "unreachable") {
		t.Errorf("what is nobody's address says %q", got)
	}
}

// Two clients that fetch at once have the whole rate each on links of their own, and half of it
// behind one.
func TestOwnLinksHaveTheRateEach(t *testing.T) {
	t.Parallel()
	const size = 250_000 // 0.2 s of the link
	config := func(own bool) Config {
		c := two()
		c.Network = linger.Network{RTT: 10 * time.Millisecond, Down: 10 * linger.Mbps, Up: 10 * linger.Mbps, Queue: 500 * time.Millisecond}
		c.Own, c.PipesOnly = own, true
		c.Hosts[0].Addresses = 2
		return c
	}
	testall.InTime(t, 30*time.Millisecond, func(a *testall.Attempt) {
		var took [2]time.Duration
		for i, own := range []bool{true, false} {
			l := openLab(t, config(own))
			startServer(t, l, "origin", size)
			for from, f := range fetchMany(t, l, patience, texts(l.Addrs("client"))...) {
				if f.bytes != size {
					a.Errorf("%s got %d bytes", from, f.bytes)
				}
				took[i] = max(took[i], f.took)
			}
			if r := report(t, l).Ledger; len(r.Connections) != 0 || r.Down.Bytes < 2*size {
				a.Errorf("own %v: %d connections, %+v", own, len(r.Connections), r.Down)
			}
		}
		if ratio := took[1].Seconds() / took[0].Seconds(); ratio < 1.6 || ratio > 2.3 {
			a.Errorf("own links take %v, one for both %v", took[0], took[1])
		}
	})
}

// What the series has last is what ss sees, on hosts whose sockets have come to rest: connections
// that are open, those in TIME_WAIT, and those that no server has taken.
func TestSeriesAgreesWithSS(t *testing.T) {
	t.Parallel()
	testall.Needs(t, "ss")
	ss, _ := exec.LookPath("ss")
	c := two()
	c.Network.RTT = 0
	c.SampleEvery, c.SeriesEvery = 5*time.Millisecond, 5*time.Millisecond
	c.Hosts[0].Addresses = 3
	l := openLab(t, c)
	startReady(t, l, role("origin", "accept"))
	startReady(t, l, role("origin", "deaf"))
	startReady(t, l, role("client", "hold", "origin", "7"))
	startReady(t, l, role("client", "closing", append([]string{"origin:81", "20"}, texts(l.Addrs("client"))...)...))
	for host, rest := range map[string]trace.Held{
		"client": {TimeWait: 60, Sockets: 7, Waiting: linger.Known(0)},
		"origin": {Sockets: 7, Waiting: linger.Known(7)},
	} {
		var got, want trace.Held
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			text, e := output(t, l, Command{Host: host, Path: ss, Args: []string{"-tanmHO"}})
			if e.Status() != 0 {
				t.Fatalf("ss: %s", text)
			}
			want = heldBySS(t, text)
			rest.Memory = want.Memory
			s, err := l.Series(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Samples) > 0 {
				got = s.Samples[len(s.Samples)-1].Held[slices.Index(s.Hosts, host)]
			}
			if got == want && got == rest {
				break
			}
		}
		if got != want || got != rest {
			t.Errorf("%s: %+v, ss sees %+v, want %+v", host, got, want, rest)
		}
	}
	s, err := l.Series(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(s.Samples); i++ {
		if !s.Samples[i].At.After(s.Samples[i-1].At) {
			t.Errorf("sample %d is at %v, the one before at %v", i, s.Samples[i].At, s.Samples[i-1].At)
		}
	}
	if s.Every != c.SeriesEvery {
		t.Errorf("samples every %v", s.Every)
	}
}

// heldBySS is what ss -tanmHO says.
func heldBySS(t *testing.T, text string) trace.Held {
	t.Helper()
	states, memory := readSS(t, text)
	h, waiting := trace.Held{TimeWait: states["TIME_WAIT"]}, 0
	for line := range strings.Lines(text) {
		switch f := strings.Fields(line); f[0] {
		case "TIME-WAIT":
		case "LISTEN":
			n, _ := strconv.Atoi(f[1])
			waiting += n
		default:
			h.Sockets++
		}
	}
	h.Waiting = linger.Known(waiting)
	h.Memory = linger.Known(memory + int64(h.Sockets)*trace.SocketMemory + int64(h.TimeWait)*trace.TimeWaitMemory)
	return h
}

// Behind one bottleneck a client with six connections has six times what a client with one has:
// CUBIC shares by connections.
func TestSharesAreByConnections(t *testing.T) {
	testall.Long(t, "a transfer of 20 s")
	c := two()
	c.Network = linger.Network{RTT: 20 * time.Millisecond, Down: 20 * linger.Mbps, Up: 20 * linger.Mbps, Queue: 40 * time.Millisecond}
	c.PipesOnly = true
	c.Hosts[0].Addresses = 2
	testall.InTime(t, 30*time.Millisecond, func(a *testall.Attempt) {
		l := openLab(t, c)
		startServer(t, l, "origin", 1<<30)
		one, six := l.Addrs("client")[0].String(), l.Addrs("client")[1].String()
		got := fetchMany(t, l, 20*time.Second, one, six+"*6")
		ratio := float64(got[six].bytes) / float64(got[one].bytes)
		t.Logf("%d bytes by one connection, %d by six: 1 to %.2f", got[one].bytes, got[six].bytes, ratio)
		if ratio < 4 || ratio > 9 {
			a.Errorf("1 to %.2f, want about 1 to 6", ratio)
		}
	})
}

// A crowd's lab is there at once, and reaches every server from every client.
func TestManyHostsWithManyAddresses(t *testing.T) {
	t.Parallel()
	c := Config{Hosts: []HostConfig{{Name: "client", Addresses: 200}}, Own: true, PipesOnly: true}
	for i := range 5 {
		c.Hosts = append(c.Hosts, HostConfig{Name: fmt.Sprintf("origin%d", i+1), Side: Server})
	}
	began := time.Now()
	l := openLab(t, c)
	t.Logf("open after %v", time.Since(began))
	args := []string{"5"}
	for _, h := range c.Hosts[1:] {
		startReady(t, l, role(h.Name, "whoami"))
		args = append(args, h.Name+":80")
	}
	got, e := output(t, l, role("client", "askall", append(args, texts(l.Addrs("client"))...)...))
	if e.Status() != 0 || got != "1000" {
		t.Errorf("%s right answers, want 1000", got)
	}
}

// A path that is laid anew has no connection of any address, and counts from the beginning.
func TestRenewEndsEveryAddress(t *testing.T) {
	t.Parallel()
	c := two()
	c.Own, c.PipesOnly, c.SampleEvery, c.SeriesEvery = true, true, 5*time.Millisecond, 5*time.Millisecond
	c.Network.RTT, c.Hosts[0].Addresses = 0, 2
	l := openLab(t, c)
	startReady(t, l, role("origin", "accept"))
	startReady(t, l, role("client", "closing", append([]string{"origin:81", "10"}, texts(l.Addrs("client"))...)...))
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		h := report(t, l).Hosts["client"]
		if h.TimeWait == 20 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("before: %+v", h)
		}
	}
	if err := l.Renew(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r := report(t, l)
	if h := r.Hosts["client"]; h.TimeWait != 0 || h.SocketsPeak != 0 || r.Ledger.Up.Packets != 0 {
		t.Errorf("afterwards: %+v, %+v", h, r.Ledger.Up)
	}
	if s, err := l.Series(t.Context()); err != nil || len(s.Samples) > 0 && s.Samples[0].Held[0].TimeWait > 0 {
		t.Errorf("afterwards: %+v, %v", s, err)
	}
}
