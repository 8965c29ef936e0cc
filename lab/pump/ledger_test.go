package pump

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/flow"
	"linger/link"
	"linger/trace"
)

// book sends packets past a ledger, as a capture would be read.
type book struct {
	*ledger
	at linger.Instant
}

func newBook() *book { return &book{ledger: newLedger(maxFlows)} }

// tcp counts a segment between 10.9.0.1:1234, the client, and 10.9.0.2:80.
func (b *book) tcp(from Side, seq uint32, flags uint8, payload int) {
	b.packet(from, tcpPacket(seq, flags, 0, payload, 0), link.Carried)
}

func (b *book) packet(from Side, data []byte, outcome link.Outcome) {
	b.at += linger.Instant(time.Millisecond)
	if from == Server {
		ip := data[vnetSize:]
		copy(ip[12:20], []byte{10, 9, 0, 2, 10, 9, 0, 1})
		binary.BigEndian.PutUint16(ip[20:], 80)
		binary.BigEndian.PutUint16(ip[22:], 1234)
	}
	p, ok := parsePacket(data)
	if !ok {
		panic("not a packet")
	}
	f := b.flow(&p, from, b.at)
	for i := range p.segments {
		b.sent(f, from, &p, i, passage{b.at, b.at, b.at, outcome})
	}
}

var epoch = time.Unix(1000, 0)

func (b *book) only(t *testing.T) trace.Flows {
	t.Helper()
	l := b.snapshot().render(epoch)
	if len(l.Connections) != 1 {
		t.Fatalf("%d connections: %+v", len(l.Connections), l.Connections)
	}
	return l.Connections[0]
}

func TestLedgerCountsAConnection(t *testing.T) {
	for _, isn := range []uint32{1000, 0xffffff00} { // the second wraps around
		b := newBook()
		b.tcp(Client, isn, flow.SYN, 0)
		b.tcp(Client, isn, flow.SYN, 0) // again
		b.tcp(Server, 5, flow.SYN|flow.ACK, 0)
		b.tcp(Client, isn+1, flow.ACK, 0)
		b.tcp(Client, isn+1, flow.ACK, 500)
		b.tcp(Client, isn+1, flow.ACK, 300)   // sent before
		b.tcp(Client, isn+1, flow.ACK, 600)   // partly new
		b.tcp(Client, isn+501, flow.ACK, 100) // sent before
		b.tcp(Server, 6, flow.ACK|flow.FIN, 10)
		b.tcp(Server, 6, flow.ACK|flow.FIN, 10) // again
		b.tcp(Client, isn+600, flow.ACK, 0)     // a keep-alive probe of Linux
		b.tcp(Client, isn+601, flow.ACK|flow.FIN, 0)
		b.tcp(Server, 17, flow.RST, 0)
		got := b.only(t)
		want := trace.Flows{
			Protocol: "tcp", Client: "10.9.0.1:1234", Server: "10.9.0.2:80", ClosedBy: trace.AtServer,
			First: epoch.Add(time.Millisecond), Last: epoch.Add(13 * time.Millisecond),
			Up:   trace.Flow{Packets: 9, Header: 360, Payload: 1500, SYN: 2, FIN: 1, Retransmitted: 3, RetransmittedBytes: 400},
			Down: trace.Flow{Packets: 4, Header: 160, Payload: 20, SYN: 1, FIN: 2, RST: 1, Retransmitted: 1, RetransmittedBytes: 10},
		}
		if got != want {
			t.Errorf("isn %d:\n got %+v\nwant %+v", isn, got, want)
		}
		if l := b.snapshot().render(epoch); l.Up != (trace.Pipe{Packets: 9, Bytes: 1860}) || l.Down != (trace.Pipe{Packets: 4, Bytes: 180}) {
			t.Errorf("up %+v, down %+v", l.Up, l.Down)
		}
	}
}

func TestLedgerCountsSegmentsOfSuperPackets(t *testing.T) {
	whole, single := newBook(), newBook()
	for range 2 { // the second time, everything is a retransmission
		whole.packet(Server, tcpPacket(100, flow.ACK|flow.FIN, 12, 2*1448+9, 1448), link.Carried)
		for i, n := range []int{1448, 1448, 9} {
			flags := flow.ACK
			if i == 2 {
				flags |= flow.FIN
			}
			single.packet(Server, tcpPacket(100+uint32(i)*1448, flags, 12, n, 0), link.Carried)
		}
	}
	w, s := whole.only(t), single.only(t)
	if w.Down != s.Down || w.Down.Packets != 6 || w.Down.Retransmitted != 3 || w.Down.RetransmittedBytes != 2*1448+9 || w.Down.FIN != 2 {
		t.Errorf("super-packets: %+v\nsegments:      %+v", w.Down, s.Down)
	}
}

func TestLedgerCountsWhatTheLinkDropped(t *testing.T) {
	b := newBook()
	b.packet(Client, tcpPacket(1, flow.SYN, 0, 0, 0), link.Lost)
	b.packet(Client, tcpPacket(1, flow.SYN, 0, 0, 0), link.Dropped)
	b.packet(Client, tcpPacket(1, flow.SYN, 0, 0, 0), link.Carried)
	f := b.only(t)
	if f.Up.Packets != 3 || f.Up.DroppedLoss != 1 || f.Up.DroppedQueue != 1 || f.Up.Retransmitted != 2 {
		t.Errorf("up %+v", f.Up)
	}
	if p := b.snapshot().render(epoch).Up; p.Packets != 3 || p.DroppedLoss != 1 || p.DroppedQueue != 1 {
		t.Errorf("pipe %+v", p)
	}
}

func TestLedgerTellsConnectionsOfOnePortApart(t *testing.T) {
	b := newBook()
	for isn := range uint32(3) {
		b.tcp(Client, 1000*isn, flow.SYN, 0)
		b.tcp(Client, 1000*isn, flow.SYN, 0) // again: the same connection
		b.tcp(Server, 7000*isn, flow.SYN|flow.ACK, 0)
		b.tcp(Client, 1000*isn+1, flow.ACK|flow.RST, 0)
	}
	l := b.snapshot().render(epoch)
	if len(l.Connections) != 3 {
		t.Fatalf("%d connections", len(l.Connections))
	}
	for i, f := range l.Connections {
		if f.Up.Packets != 3 || f.Up.SYN != 2 || f.Up.Retransmitted != 1 || f.Down.Packets != 1 || f.Down.Retransmitted != 0 || f.ClosedBy != trace.AtClient {
			t.Errorf("connection %d: %+v", i, f)
		}
	}
}

func TestLedgerSumsOtherProtocols(t *testing.T) {
	b := newBook()
	other := func(protocol flow.Protocol) []byte {
		d := tcpPacket(0, flow.SYN, 0, 0, 0)
		d[vnetSize+9] = byte(protocol)
		return d
	}
	for _, protocol := range []flow.Protocol{flow.UDP, flow.ICMP, 99} {
		b.packet(Client, other(protocol), link.Carried)
		b.packet(Server, other(protocol), link.Carried)
		b.packet(Client, other(protocol), link.Carried)
	}
	l := b.snapshot().render(epoch)
	if len(l.Connections) != 3 {
		t.Fatalf("%+v", l.Connections)
	}
	for i, want := range []struct {
		protocol linger.Transport
		client   string
	}{{"udp", "10.9.0.1:1234"}, {"icmp", "10.9.0.1"}, {"ip", "10.9.0.1"}} {
		f := l.Connections[i]
		if f.Protocol != want.protocol || f.Client != want.client || f.Up.Packets != 2 || f.Down.Packets != 1 || f.Up.SYN != 0 || f.ClosedBy != "" {
			t.Errorf("%+v, want %+v", f, want)
		}
	}
}

func TestLedgerCountsQUIC(t *testing.T) {
	b := newBook()
	datagram := func(from Side, first ...byte) {
		d := tcpPacket(0, 0, 0, 1200, 0)
		d[vnetSize+9] = byte(flow.UDP)
		copy(d[vnetSize+28:], first)
		b.packet(from, d, link.Carried)
	}
	datagram(Client, 0xc3, 0, 0, 0, 1)             // Initial
	datagram(Client, 0xd0, 0x6b, 0x33, 0x43, 0xcf) // Initial of version 2
	datagram(Client, 0xd0, 0, 0, 0, 1)             // 0-RTT
	datagram(Server, 0xc0, 0, 0, 0, 0)             // Version Negotiation
	datagram(Server, 0xf0, 0, 0, 0, 1)             // Retry
	datagram(Server, 0x81, 0, 0, 0, 1)             // Initial, the fixed bit greased
	datagram(Server, 0x40, 0, 0, 0, 1)             // short header
	f := b.only(t)
	if !f.IsQUIC() || f.Up.Initial != 2 || f.Down.Initial != 1 || f.Up.Packets != 3 || f.Down.Packets != 4 || f.Up.Payload != 3*1212 || f.Up.Header != 3*28 {
		t.Errorf("%+v", f)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	b := &book{ledger: newLedger(2)}
	for port := range byte(5) {
		for _, flags := range []uint8{flow.SYN, flow.ACK} {
			d := tcpPacket(0, flags, 0, 0, 0)
			d[vnetSize+20] = port
			b.packet(Client, d, link.Carried)
		}
	}
	if l := b.snapshot().render(epoch); len(l.Connections) != 2 || l.Overflow != 3 || l.Up.Packets != 10 {
		t.Errorf("%d connections, overflow %d, %d packets; want 2, 3, 10", len(l.Connections), l.Overflow, l.Up.Packets)
	}
}

func TestLatenessQuantiles(t *testing.T) {
	if s := newLedger(1).summary(); s.Packets != 0 || s.Median != 0 || s.Max != 0 {
		t.Errorf("nothing recorded: %+v", s)
	}
	l := newLedger(1)
	var all []time.Duration
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		d := time.Duration(rng.ExpFloat64() * 50_000)
		all = append(all, d, d, d)
		l.late(d, 3)
	}
	l.late(-time.Second, 1) // before its time is in time
	all = append(all, 0)
	slices.Sort(all)
	s := l.summary()
	for _, q := range []struct {
		got  time.Duration
		want time.Duration
	}{{s.Median, all[len(all)/2]}, {s.P99, all[len(all)*99/100]}} {
		if q.got < q.want || q.got > q.want+q.want/32+1 {
			t.Errorf("quantile %v, want %v", q.got, q.want)
		}
	}
	if s.Packets != int64(len(all)) || s.Max != all[len(all)-1] {
		t.Errorf("%+v; want %d packets, at most %v", s, len(all), all[len(all)-1])
	}
}

func TestLedgerSnapshotStaysAsItWas(t *testing.T) {
	b := newBook()
	b.tcp(Client, 1, flow.SYN, 0)
	c := b.snapshot()
	b.tcp(Client, 2, flow.ACK, 10)
	if f := c.render(epoch).Connections[0]; f.Up.Packets != 1 {
		t.Errorf("the copy went on counting: %+v", f.Up)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	l := newLedger(10)
	p, _ := parsePacket(tcpPacket(1, flow.ACK, 12, 100, 0))
	if n := testing.AllocsPerRun(100, func() {
		l.sent(l.flow(&p, Client, 1), Client, &p, 0, passage{1, 1, 1, link.Carried})
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkLedger(b *testing.B) {
	l := newLedger(maxFlows)
	d := tcpPacket(1, flow.ACK, 12, 1448, 0)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		d[vnetSize+21] = byte(n) // 256 connections
		p, _ := parsePacket(d)
		l.sent(l.flow(&p, Client, 1), Client, &p, 0, passage{1, 1, 1, link.Carried})
	}
}
