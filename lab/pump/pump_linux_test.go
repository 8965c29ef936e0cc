package pump

import (
	"encoding/binary"
	"errors"
	"fmt"
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
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/flow"
	"linger/internal/testall"
	"linger/internal/tshark"
	"linger/trace"
)

// A bed is a pump between hosts, each a thread of this process in a network
// namespace of its own: the data plane without the control plane.
type bed struct {
	*Pump
	hosts []*bedHost
}

type bedHost struct {
	Port
	jobs chan func()
}

// hostSpec is one host of a bed.
type hostSpec struct {
	addr  string
	side  Side
	delay time.Duration
}

var oneEach = []hostSpec{{"10.9.0.1", Client, 0}, {"10.9.0.2", Server, 0}}

// newBed makes hosts and starts a pump between them, all gone when the test ends.
func newBed(t testing.TB, c Config, specs ...hostSpec) *bed {
	t.Helper()
	b := &bed{}
	for _, s := range specs {
		h, err := newBedHost(s)
		if err != nil {
			t.Fatal(err)
		}
		b.hosts = append(b.hosts, h)
		c.Ports = append(c.Ports, h.Port)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Pump = p
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		p.Stop()
		running.Wait()
		for _, h := range b.hosts {
			close(h.jobs)
			unix.Close(h.FD)
		}
	})
	return b
}

// newBedHost starts a thread in a namespace that ends with it.
func newBedHost(s hostSpec) (*bedHost, error) {
	h := &bedHost{Port{Addr: netip.MustParseAddr(s.addr), Side: s.side, Delay: s.delay}, make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		ready <- h.setUp()
		for f := range h.jobs {
			f()
		}
	}()
	return h, <-ready
}

func (h *bedHost) setUp() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	var err error
	if h.FD, err = OpenTUN("eth0"); err != nil {
		return err
	}
	for _, args := range []string{
		"link set lo up", fmt.Sprintf("link set eth0 up txqueuelen %d", TUNQueue), fmt.Sprintf("addr add %v/32 dev eth0", h.Addr), "route add default dev eth0",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return nil
}

// do runs f in the host's namespace and waits for it.
func (h *bedHost) do(f func()) {
	done := make(chan struct{})
	h.jobs <- func() {
		defer close(done)
		f()
	}
	<-done
}

// start starts a command in the host's namespace.
func (h *bedHost) start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var err error
	h.do(func() { err = cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
}

// output runs a command in the host's namespace.
func (h *bedHost) output(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	h.start(t, cmd)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out.String())
	}
	return []byte(out.String())
}

// inNamespaces reports whether the caller may make namespaces. An unprivileged
// user may do so in a user namespace of his own, so then the test runs once more
// as a child in one, and the caller returns.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	testall.Needs(t, "ip")
	if os.Geteuid() == 0 {
		f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
		if err != nil {
			testall.Lacks(t, "%v", err)
		}
		f.Close()
		return true
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Fatalf("in a user namespace: %s", out)
	case err != nil:
		testall.Lacks(t, "%v", err)
	}
	return false
}

// listen returns a listening TCP socket in h, cubic.
func (h *bedHost) listen(t testing.TB, port int) (fd int) {
	t.Helper()
	h.do(func() {
		fd = h.socket(t)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
			t.Error(err)
		}
		if err := unix.Listen(fd, 128); err != nil {
			t.Error(err)
		}
	})
	return fd
}

func (h *bedHost) socket(t testing.TB) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
	}
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic"); err != nil {
		t.Error(err)
	}
	return fd
}

// dial connects from h.
func (h *bedHost) dial(t testing.TB, addr netip.Addr, port int) (fd int) {
	t.Helper()
	h.do(func() {
		fd = h.socket(t)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: addr.As4(), Port: port}); err != nil {
			t.Error(err)
		}
	})
	return fd
}

// transfer sends size bytes from a new connection's server to its client, over
// which the client then closes, and checks every one.
func transfer(t testing.TB, client, server *bedHost, port, size int) {
	t.Helper()
	l := server.listen(t, port)
	defer unix.Close(l)
	var serving sync.WaitGroup
	serving.Go(func() {
		c, _, err := unix.Accept(l)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(c)
		b := make([]byte, 1<<16)
		for at := 0; at < size; {
			n := min(len(b), size-at)
			pattern(b[:n], at)
			n, err := unix.Write(c, b[:n])
			if err != nil {
				t.Error(err)
				return
			}
			at += n
		}
		unix.Shutdown(c, unix.SHUT_WR)
		unix.Read(c, b) // until the client has closed
	})
	fd := client.dial(t, server.Addr, port)
	b, want, at := make([]byte, 1<<16), make([]byte, 1<<16), 0
	for {
		n, err := unix.Read(fd, b)
		if err != nil {
			t.Error(err)
		}
		if n <= 0 {
			break
		}
		pattern(want[:n], at)
		if !slices.Equal(b[:n], want[:n]) {
			t.Fatalf("wrong bytes after %d", at)
		}
		at += n
	}
	unix.Close(fd)
	serving.Wait()
	if at != size {
		t.Errorf("%d bytes of %d arrived", at, size)
	}
}

func TestTransferIsWholeAndCounted(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	t.Parallel()
	const much = 3_000_000
	for _, c := range []struct {
		name    string
		network linger.Network
		size    int
	}{
		{"unlimited", linger.Network{RTT: 2 * time.Millisecond}, much},
		{"no delay at all", linger.Network{}, much},
		{"shaped", linger.Network{RTT: 10 * time.Millisecond, Down: 100 * linger.Mbps, Up: 100 * linger.Mbps, Queue: linger.DefaultQueue}, much},
		// Mostly time-outs: 50 s for all of it.
		{"shallow", linger.Network{RTT: 10 * time.Millisecond, Down: 50 * linger.Mbps, Up: 50 * linger.Mbps}, testall.Of(much, 200_000)},
		{"lossy", linger.Network{RTT: 4 * time.Millisecond, Loss: 0.02}, much},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, Config{Network: c.network, Seed: 1}, oneEach...)
			size := int64(c.size)
			transfer(t, b.hosts[0], b.hosts[1], 80, c.size)
			l := b.Ledger()
			if len(l.Connections) != 1 {
				t.Fatalf("%d connections: %+v", len(l.Connections), l.Connections)
			}
			f := l.Connections[0]
			if f.Protocol != "tcp" || f.Server != "10.9.0.2:80" {
				t.Errorf("connection %+v", f)
			}
			if got := f.Down.Payload - f.Down.RetransmittedBytes; got != size {
				t.Errorf("the server sent %d bytes for the first time, want %d", got, size)
			}
			if f.Up.SYN < 1 || f.Up.FIN < 1 || f.Down.FIN < 1 || f.ClosedBy != "server" {
				t.Errorf("up %+v, down %+v, closed by %q", f.Up, f.Down, f.ClosedBy)
			}
			if c.network.Loss == 0 && (l.Down.DroppedLoss != 0 || l.Up.DroppedLoss != 0) {
				t.Errorf("lost %d and %d without loss", l.Down.DroppedLoss, l.Up.DroppedLoss)
			}
			if dropped := f.Down.DroppedLoss + f.Down.DroppedQueue; f.Down.Retransmitted < dropped {
				t.Errorf("%d retransmissions for %d packets dropped", f.Down.Retransmitted, dropped)
			}
			if c.name == "shallow" && f.Down.DroppedQueue == 0 {
				t.Error("a queue of 48 kB dropped nothing")
			}
			if l.Lateness.Packets == 0 || l.Lateness.Median > l.Lateness.P99 || l.Lateness.P99 > l.Lateness.Max {
				t.Errorf("lateness %+v", l.Lateness)
			}
			t.Logf("%+v", l)
		})
	}
}

// echo returns UDP datagrams to their senders, until the client side is done
// with count of them.
func (h *bedHost) echo(t testing.TB, port, count int) (wait func()) {
	t.Helper()
	var fd int
	h.do(func() {
		var err error
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Error(err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
			t.Error(err)
		}
	})
	var serving sync.WaitGroup
	serving.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer unix.Close(fd)
		b := make([]byte, 2048)
		for range count {
			n, from, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				t.Error(err)
				return
			}
			if err := unix.Sendto(fd, b[:n], 0, from); err != nil {
				t.Error(err)
			}
		}
	})
	return serving.Wait
}

// pings returns how long each of count round trips took, one after the other.
func pings(t testing.TB, from, to *bedHost, port, count int) []time.Duration {
	t.Helper()
	wait := to.echo(t, port, count)
	out := make([]time.Duration, 0, count)
	from.do(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr.As4(), Port: port}); err != nil {
			t.Error(err)
		}
		b := make([]byte, 64)
		for range count {
			began := time.Now()
			if _, err := unix.Write(fd, b); err != nil {
				t.Error(err)
			}
			if _, err := unix.Read(fd, b); err != nil {
				t.Error(err)
			}
			out = append(out, time.Since(began))
		}
	})
	wait()
	return out
}

// dryPump is a pump whose hosts take everything and send nothing.
func dryPump(t testing.TB, n linger.Network) *Pump {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(null.Fd())
	p, err := New(Config{Network: n, Ports: []Port{
		{FD: fd, Addr: netip.MustParseAddr("10.9.0.1"), Side: Client},
		{FD: fd, Addr: netip.MustParseAddr("10.9.0.2"), Side: Server},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(p.wake)
		null.Close()
	})
	return p
}

// carry takes data through the pump as if the first host had sent it.
func (p *Pump) carry(at linger.Instant, data []byte) {
	n := copy(p.buffers.at(p.spare), data)
	p.enter(at, parcel{buffer: p.take(n), size: int32(n)})
	p.advance(at)
}

func TestCarryingAllocatesNothing(t *testing.T) {
	for _, n := range []linger.Network{{}, {Up: linger.Gbps, RTT: time.Millisecond, Loss: 0.1}} {
		p := dryPump(t, n)
		super := tcpPacket(1, flow.ACK, 12, 40*1448, 1448)
		var at linger.Instant
		burst := func() {
			at = at.Add(time.Millisecond)
			p.carry(at, super)
		}
		for range 100 {
			burst()
		}
		if n := testing.AllocsPerRun(100, burst); n != 0 {
			t.Errorf("%v allocations in 40 packets", n)
		}
	}
}

// BenchmarkPump is what a packet costs without the kernel's part of it.
func BenchmarkPump(b *testing.B) {
	for _, c := range []struct {
		name    string
		network linger.Network
		gso     int
	}{
		{"segments", linger.Network{}, 0},
		{"superpackets", linger.Network{}, 1448},
		{"cut", linger.Network{Up: 100 * linger.Gbps}, 1448},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := dryPump(b, c.network)
			data, segments := tcpPacket(1, flow.ACK, 12, 1448, 0), 1
			if c.gso > 0 {
				data, segments = tcpPacket(1, flow.ACK, 12, 40*1448, c.gso), 40
			}
			var at linger.Instant
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(5 * time.Microsecond)
				p.carry(at, data)
			}
			b.ReportMetric(float64(b.N*segments)/b.Elapsed().Seconds(), "pkts/s")
		})
	}
}

// The capture of a bad path, read by tshark, has what the ledger counted.
func TestTsharkCountsWhatTheLedgerCounts(t *testing.T) {
	testall.Needs(t, "tshark")
	if !inNamespaces(t) {
		return
	}
	t.Parallel()
	for _, c := range []struct {
		name    string
		network linger.Network
		size    int
	}{
		// Mostly time-outs: a quarter of a minute for all of it.
		{"lossy", linger.Network{RTT: 20 * time.Millisecond, Down: 20 * linger.Mbps, Up: 20 * linger.Mbps, Loss: 0.03}, testall.Of(300_000, 100_000)},
		{"shallow", linger.Network{RTT: 40 * time.Millisecond, Down: 50 * linger.Mbps, Up: 2 * linger.Mbps}, testall.Of(300_000, 50_000)},
		{"unlimited", linger.Network{RTT: 5 * time.Millisecond}, 2_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file, err := os.Create(filepath.Join(t.TempDir(), "c.pcapng"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			var l trace.Ledger
			t.Run("transfer", func(t *testing.T) {
				b := newBed(t, Config{Network: c.network, Seed: 7, Capture: file}, oneEach...)
				var transfers sync.WaitGroup
				for i := range 4 {
					transfers.Go(func() { transfer(t, b.hosts[0], b.hosts[1], 80+i, c.size) })
				}
				transfers.Wait()
				b.Stop()
				<-b.done
				l = b.Ledger()
			})
			var want tsharkCounts
			for _, f := range l.Connections {
				want.connections++
				for _, w := range []trace.Flow{f.Up, f.Down} {
					want.packets += w.Packets
					want.payload += w.Payload
					want.syn += w.SYN
					want.fin += w.FIN
					want.rst += w.RST
					want.retransmitted += w.Retransmitted
					want.lost += w.DroppedLoss
					want.dropped += w.DroppedQueue
				}
			}
			got := tsharkRead(t, file.Name())
			t.Logf("tshark %+v", got)
			if got != want {
				t.Errorf("tshark counts\n%+v, the ledger\n%+v", got, want)
			}
		})
	}
}

type tsharkCounts struct {
	connections, packets, payload, syn, fin, rst, retransmitted, lost, dropped, badChecksums int64
}

// tsharkRead counts a capture with tshark. Seen where it is sent, a segment that
// tshark takes for out of order is a retransmission as well: nothing reorders on
// the way from the sender's TCP to the link.
func tsharkRead(t *testing.T, file string) (c tsharkCounts) {
	t.Helper()
	rows, err := tshark.Read(t.Context(), file,
		[]string{"-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", "tcp"},
		"tcp.stream", "tcp.len", "tcp.flags.syn", "tcp.flags.fin", "tcp.flags.reset", "tcp.analysis.retransmission",
		"tcp.analysis.out_of_order", "frame.comment", "tcp.checksum.status", "ip.checksum.status")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		c.connections = max(c.connections, row.Number("tcp.stream")+1)
		c.packets++
		c.payload += row.Number("tcp.len")
		c.syn += row.Is("tcp.flags.syn")
		c.fin += row.Is("tcp.flags.fin")
		c.rst += row.Is("tcp.flags.reset")
		if row["tcp.analysis.retransmission"]+row["tcp.analysis.out_of_order"] != "" {
			c.retransmitted++
		}
		switch comment := row["frame.comment"]; {
		case strings.HasPrefix(comment, "lost"):
			c.lost++
		case strings.HasPrefix(comment, "dropped"):
			c.dropped++
		}
		if row["tcp.checksum.status"] != "1" || row["ip.checksum.status"] != "1" {
			c.badChecksums++
		}
	}
	return c
}

// Two clients and two servers share the links; a round trip has the network's
// delay, if it crosses, and the delays of both its ends, twice. No packet may be
// early; late it may be on a busy machine.
func TestHostsShareTheLinks(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	const near, far, rtt = 3 * time.Millisecond, 10 * time.Millisecond, 8 * time.Millisecond
	b := newBed(t, Config{Network: linger.Network{RTT: rtt}},
		hostSpec{"10.9.0.1", Client, 0}, hostSpec{"10.9.0.2", Client, near},
		hostSpec{"10.9.1.1", Server, 0}, hostSpec{"10.9.1.2", Server, far})
	const count = 5
	for i, c := range []struct {
		from, to int
		want     time.Duration
	}{
		{0, 2, rtt}, {0, 3, rtt + 2*far}, {1, 2, rtt + 2*near}, {1, 3, rtt + 2*near + 2*far},
		{3, 1, rtt + 2*near + 2*far}, {0, 1, 2 * near}, {2, 3, 2 * far},
	} {
		took := pings(t, b.hosts[c.from], b.hosts[c.to], 1000+i, count)
		if shortest := slices.Min(took); shortest < c.want {
			t.Errorf("from host %d to %d and back takes %v, less than %v", c.from, c.to, shortest, c.want)
		}
	}
	l := b.Ledger()
	if len(l.Connections) != 5 || l.Up.Packets != 5*count || l.Down.Packets != 5*count {
		t.Errorf("%d connections, %d packets up, %d down; want 5 that cross, with %d each way", len(l.Connections), l.Up.Packets, l.Down.Packets, 5*count)
	}
	for _, f := range l.Connections {
		if f.Protocol != "udp" || f.Up.Packets != count || f.Down.Packets != count || f.Up.Payload != 64*count || f.Up.Header != 28*count || f.ClosedBy != "" {
			t.Errorf("%+v", f)
		}
	}
	if c := l.Connections[4]; c.Client != "10.9.0.2:1004" { // the server asked it
		t.Errorf("the client of the last one is %s", c.Client)
	}
}

// What is addressed to nobody, to oneself or is not IPv4 is dropped and not counted.
func TestStrayPacketsGoNowhere(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	b := newBed(t, Config{}, oneEach...)
	h := b.hosts[0]
	h.do(func() {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_IP)))
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		dev, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Error(err)
			return
		}
		for _, change := range []func(ip []byte) []byte{
			func(ip []byte) []byte { ip[16] = 99; return ip },
			func(ip []byte) []byte { copy(ip[16:20], ip[12:16]); return ip },
			func(ip []byte) []byte { ip[0] = 0x60; return ip },
			func(ip []byte) []byte { return ip[:7] },
		} {
			ip := change(tcpPacket(1, flow.SYN, 0, 0, 0)[vnetSize:])
			if err := unix.Sendto(fd, ip, 0, &unix.SockaddrLinklayer{Ifindex: dev.Index, Protocol: htons(unix.ETH_P_IP)}); err != nil {
				t.Error(err)
			}
		}
	})
	pings(t, b.hosts[0], b.hosts[1], 7, 1) // comes after them
	if l := b.Ledger(); len(l.Connections) != 1 || l.Up.Packets != 1 || l.Down.Packets != 1 {
		t.Errorf("counted %+v", l)
	}
}

func htons(v uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, v))
}

// A host whose namespace has gone does not stop the others.
func TestPumpOutlivesAHost(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	b := newBed(t, Config{}, append(oneEach, hostSpec{"10.9.0.3", Client, 0})...)
	gone := b.hosts[2]
	gone.output(t, "ip", "link", "del", "eth0")
	pings(t, b.hosts[0], b.hosts[1], 7, 3)
	if l := b.Ledger(); l.Up.Packets != 3 {
		t.Errorf("%d packets up, want 3", l.Up.Packets)
	}
}

// Packets beyond the bound of the buffers are dropped and counted as such.
func TestPumpBoundsWhatItHolds(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	b := newBed(t, Config{Network: linger.Network{RTT: time.Minute}, Held: 1 << 20}, oneEach...)
	const count = 6000
	b.hosts[0].do(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
		}
		defer unix.Close(fd)
		for range count {
			if err := unix.Sendto(fd, make([]byte, 300), 0, &unix.SockaddrInet4{Port: 9, Addr: b.hosts[1].Addr.As4()}); err != nil {
				t.Error(err)
			}
		}
	})
	// The pump may take some rounds to read what waits in the device.
	for range 100 {
		if b.Ledger().Up.Packets == count {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	up := b.Ledger().Up
	if up.Packets != count || up.DroppedQueue == 0 || up.DroppedQueue == count || b.Ledger().Connections[0].Up.DroppedQueue != up.DroppedQueue {
		t.Errorf("of %d packets %d were counted, %d dropped", count, up.Packets, up.DroppedQueue)
	}
}

func TestPumpRefuses(t *testing.T) {
	a, b := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")
	for name, c := range map[string]Config{
		"a network that cannot be": {Network: linger.Network{Loss: 2}},
		"IPv6":                     {Ports: []Port{{Addr: netip.MustParseAddr("::1")}}},
		"no address":               {Ports: []Port{{}}},
		"an address twice":         {Ports: []Port{{Addr: a}, {Addr: b}, {Addr: a}}},
		"a negative delay":         {Ports: []Port{{Addr: a, Delay: -1}}},
		"too many hosts":           {Ports: make([]Port, maxHosts+1)},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Stop and Ledger may be called at any time, from anywhere.
func TestPumpStopsWhenever(t *testing.T) {
	for range 50 {
		p, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() { p.Ledger() })
		all.Go(p.Stop)
		all.Go(func() { p.Ledger() })
		all.Go(func() {
			if err := p.Run(); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		p.Stop()
		if l := p.Ledger(); l.Up.Packets != 0 {
			t.Error("packets out of nothing")
		}
	}
}
