package pump

import (
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/flow"
)

// crowdPump is a pump between a host of many clients and a server, both of which take everything.
func crowdPump(t testing.TB, c Config) *Pump {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(null.Fd())
	c.Ports = []Port{
		{FD: fd, Addr: netip.MustParseAddr("10.9.0.1"), Range: netip.MustParsePrefix("10.11.0.0/16"), Side: Client},
		{FD: fd, Addr: netip.MustParseAddr("10.9.0.2"), Side: Server},
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(p.wake)
		null.Close()
	})
	return p
}

// between is a packet of 1,500 bytes from one address to another.
func between(from, to [4]byte) []byte {
	b := tcpPacket(1, flow.ACK, 0, 1460, 0)
	copy(b[vnetSize+12:], from[:])
	copy(b[vnetSize+16:], to[:])
	return b
}

// takeIn hands the pump a packet as if that host had sent it.
func (p *Pump) takeIn(host int, at linger.Instant, data []byte) {
	n := copy(p.buffers.at(p.spare), data)
	p.enter(at, parcel{buffer: p.take(n), size: int32(n), from: int32(host)})
}

var (
	clientA = [4]byte{10, 11, 0, 1}
	clientB = [4]byte{10, 11, 1, 2}
	ownAddr = [4]byte{10, 9, 0, 1}
	server  = [4]byte{10, 9, 0, 2}
)

// arrivals returns when each packet comes out that is in the pump.
func (p *Pump) arrivals() (out []linger.Instant) {
	for p.hops.next() != linger.Never {
		c, at, _ := p.hops.receive()
		out = append(out, at)
		p.arrive(at, c)
	}
	return out
}

// At 12 Mbit/s a packet takes 1 ms. Three each of two clients leave side by side on links of
// their own, and one after the other on one for all: in both directions, and each after the
// path's delay.
func TestOwnLinksAreSideBySide(t *testing.T) {
	n := linger.Network{RTT: 20 * time.Millisecond, Up: 12 * linger.Mbps, Down: 12 * linger.Mbps, Queue: time.Second}
	ms := func(all ...int) (out []linger.Instant) {
		for _, n := range all {
			out = append(out, linger.Instant(time.Duration(n)*time.Millisecond))
		}
		return out
	}
	for _, c := range []struct {
		name string
		own  bool
		want []linger.Instant
	}{
		{"own", true, ms(11, 11, 12, 12, 13, 13)},
		{"shared", false, ms(11, 12, 13, 14, 15, 16)},
	} {
		for _, down := range []bool{false, true} {
			p := crowdPump(t, Config{Network: n, Own: c.own})
			for _, client := range [][4]byte{clientA, clientB, clientA, clientB, clientA, clientB} {
				if down {
					p.takeIn(1, 0, between(server, client))
				} else {
					p.takeIn(0, 0, between(client, server))
				}
			}
			if got := p.arrivals(); !slices.Equal(got, c.want) {
				t.Errorf("%s, down %v: packets arrive at %v, want %v", c.name, down, got, c.want)
			}
			l := p.snapshot().render(p.began)
			pipe, peak := l.Up, int64(2*1500)
			if down {
				pipe = l.Down
			}
			if !c.own {
				peak = 5 * 1500
			}
			if pipe.Packets != 6 || pipe.Bytes != 6*1500 || pipe.QueuePeak != peak || l.Lateness.Packets != 6 || len(l.Connections) != 2 {
				t.Errorf("%s, down %v: %+v, late %+v, %d connections; want 6 packets and a queue of %d", c.name, down, pipe, l.Lateness, len(l.Connections), peak)
			}
		}
	}
}

// What a client loses depends on the seed and its address, not on who else sends or when.
func TestOwnLossIsTheClients(t *testing.T) {
	lost := func(seed uint64, client [4]byte, others ...[4]byte) (out []bool) {
		p := crowdPump(t, Config{Network: linger.Network{Loss: 0.3}, Seed: seed, Own: true})
		for range 64 {
			for _, o := range others {
				p.takeIn(0, 0, between(o, server))
			}
			before := p.counts.pipes[Client].DroppedLoss
			p.takeIn(0, 0, between(client, server))
			out = append(out, p.counts.pipes[Client].DroppedLoss > before)
		}
		return out
	}
	alone := lost(1, clientA)
	if !slices.Contains(alone, true) || !slices.Contains(alone, false) {
		t.Fatalf("of 64 packets are lost: %v", alone)
	}
	if got := lost(1, clientA, clientB, ownAddr); !slices.Equal(got, alone) {
		t.Errorf("with others are lost %v, alone %v", got, alone)
	}
	for name, got := range map[string][]bool{"another client": lost(1, clientB), "another seed": lost(2, clientA)} {
		if slices.Equal(got, alone) {
			t.Errorf("%s loses the same", name)
		}
	}
}

// A range is the host's; what is sent in a name that is not goes by the host's own link, and what
// goes to nobody nowhere.
func TestRangesHaveTheirHost(t *testing.T) {
	p := crowdPump(t, Config{Network: linger.Network{RTT: time.Millisecond}, Own: true})
	for _, c := range []struct {
		from     int
		src, dst [4]byte
		up, down int64
		pairs    int
	}{
		{0, clientA, server, 1, 0, 1},
		{1, server, clientA, 1, 1, 1},
		{1, server, clientB, 1, 2, 2},
		{0, ownAddr, server, 2, 2, 3},
		{0, [4]byte{1, 2, 3, 4}, server, 3, 2, 3},
		{0, server, server, 4, 2, 3},
		{1, server, [4]byte{10, 12, 0, 1}, 4, 2, 3},
		{0, clientA, clientB, 4, 2, 3}, // its own
	} {
		p.takeIn(c.from, 0, between(c.src, c.dst))
		pipes := p.counts.pipes
		if pipes[Client].Packets != c.up || pipes[Server].Packets != c.down || len(p.own) != c.pairs {
			t.Errorf("%v to %v: %d up, %d down, %d pairs; want %d, %d, %d",
				c.src, c.dst, pipes[Client].Packets, pipes[Server].Packets, len(p.own), c.up, c.down, c.pairs)
		}
	}
}

func TestPipesOnlyKeepsNoConnections(t *testing.T) {
	p := crowdPump(t, Config{Network: linger.Network{Loss: 0.5}, PipesOnly: true})
	for range 100 {
		p.takeIn(0, 0, between(clientA, server))
		p.takeIn(1, 0, between(server, clientB))
	}
	l := p.snapshot().render(p.began)
	if len(l.Connections) != 0 || l.Overflow != 0 || len(l.Flights) != 0 {
		t.Errorf("%+v", l)
	}
	if l.Up.Packets != 100 || l.Up.Bytes != 150_000 || l.Up.DroppedLoss == 0 || l.Down.Packets != 100 || l.Down.DroppedLoss == 0 {
		t.Errorf("up %+v, down %+v", l.Up, l.Down)
	}
}

// BenchmarkOwn is what a packet costs by how many clients have links of their own.
func BenchmarkOwn(b *testing.B) {
	for _, c := range []struct {
		name    string
		clients int
		own     bool
	}{{"shared", 100, false}, {"1", 1, true}, {"100", 100, true}, {"1000", 1000, true}} {
		b.Run(c.name, func(b *testing.B) {
			p := crowdPump(b, Config{Network: linger.Network{RTT: time.Millisecond, Up: 100 * linger.Gbps}, Own: c.own})
			var all [][]byte
			for i := range c.clients {
				all = append(all, between([4]byte{10, 11, byte(i >> 8), byte(i)}, server))
			}
			var at linger.Instant
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(5 * time.Microsecond)
				p.takeIn(0, at, all[i%len(all)])
				p.advance(at)
				i++
			}
		})
	}
}
