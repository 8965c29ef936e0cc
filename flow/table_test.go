package flow

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"linger"
)

// A book hands packets to a table, a millisecond apart. The client is 10.9.0.1:1234, which
// is the lower end, the server 10.9.0.2:80.
type book struct {
	*Table
	at    linger.Instant
	ended []string // number and outcome of what the table let go
}

const client, server = Low, High

func newBook(c Config) *book {
	b := &book{}
	if c.Limit < 0 { // a table that keeps
		c.Limit = -c.Limit
	} else {
		c.Ended = func(f *Flow, o Outcome) {
			b.ended = append(b.ended, fmt.Sprintf("%d %s", f.Number, [...]string{"closed", "replaced", "silent", "evicted", "open"}[o]))
		}
	}
	b.Table = NewTable(c)
	return b
}

// keeping is a table that lets go of nothing.
var keeping = Config{Limit: -DefaultLimit}

func (b *book) packet(data []byte) *Flow {
	b.at += linger.Instant(time.Millisecond)
	var p Packet
	if err := p.Parse(data, 0); err != nil {
		panic(err)
	}
	return b.Add(&p, b.at)
}

// tcp hands in a segment; ack is 0 but where it matters.
func (b *book) tcp(from End, seq, ack uint32, flags uint8, payload int) *Flow {
	return b.packet(onPort(1234, from, seq, ack, flags, payload))
}

// onPort returns a segment between that port of the client and the server.
func onPort(port int, from End, seq, ack uint32, flags uint8, payload int) []byte {
	data := tcp4(seq, flags, 0, payload)
	data[20], data[21] = byte(port>>8), byte(port)
	data[28], data[29], data[30], data[31] = byte(ack>>24), byte(ack>>16), byte(ack>>8), byte(ack)
	if from == server {
		data = reverse(data)
	}
	return data
}

// udp hands in a datagram between that port of the client and port 443 of the server.
func (b *book) udp(port int, from End) *Flow {
	data := ip4(UDP, datagram(1, 2, 3))
	data[20], data[21] = byte(port>>8), byte(port)
	if from == server {
		data = reverse(data)
	}
	return b.packet(data)
}

// open hands in a handshake from that port.
func (b *book) open(port int, isn uint32) *Flow {
	b.packet(onPort(port, client, isn, 0, SYN, 0))
	b.packet(onPort(port, server, isn+5000, isn+1, SYN|ACK, 0))
	return b.packet(onPort(port, client, isn+1, isn+5001, ACK, 0))
}

// close hands in both FINs of what open has opened.
func (b *book) close(port int, isn uint32) *Flow {
	b.packet(onPort(port, client, isn+1, isn+5001, FIN|ACK, 0))
	b.packet(onPort(port, server, isn+5001, isn+2, FIN|ACK, 0))
	return b.packet(onPort(port, client, isn+2, isn+5002, ACK, 0))
}

func (b *book) expect(t *testing.T, ended ...string) {
	t.Helper()
	if !slices.Equal(b.ended, ended) {
		t.Errorf("let go %q, want %q", b.ended, ended)
	}
	b.ended = nil
	b.check(t)
}

// check fails unless index, lists and counts agree with each other.
func (t *Table) check(tb testing.TB) {
	tb.Helper()
	indexed := 0
	for i, entry := range t.index {
		if entry == 0 {
			continue
		}
		indexed++
		f := t.at(uint32(entry))
		hash := uint32(t.seed.hash(&f.Key))
		if hash != uint32(entry>>32) {
			tb.Fatalf("entry %d has the hash of another flow", i)
		}
		mask := len(t.index) - 1
		for j := int(hash) & mask; j != i; j = (j + 1) & mask {
			if t.index[j] == 0 {
				tb.Fatalf("entry %d cannot be found from its place %d", i, int(hash)&mask)
			}
		}
	}
	if indexed != t.held || 2*t.held > len(t.index) || t.made > t.config.Limit {
		tb.Fatalf("%d entries, %d held, in %d places, %d made of %d", indexed, t.held, len(t.index), t.made, t.config.Limit)
	}
	if t.config.Ended == nil {
		return
	}
	listed := 0
	for l := range t.lists {
		n, previous := 0, uint32(0)
		for at := t.lists[l].head; at != 0; at = t.at(at).following {
			f := t.at(at)
			if int(f.list) != l || f.previous != previous || (f.stage == ended) != (f.list == over) || (f.stage == oneEnd) != (f.list == oneSided) {
				tb.Fatalf("list %d has %+v", l, f)
			}
			previous = at
			n++
		}
		if n != t.lists[l].n || previous != t.lists[l].tail {
			tb.Fatalf("list %d of %d has %d, and ends with %d instead of %d", l, t.lists[l].n, n, previous, t.lists[l].tail)
		}
		listed += n
	}
	sum := int64(t.Len())
	for _, n := range t.counts.Outcomes {
		sum += n
	}
	if listed != t.held || sum != t.counts.Begun {
		tb.Fatalf("%d in lists, %d held; %d begun, %d ended or there", listed, t.held, t.counts.Begun, sum)
	}
}

func TestTableCountsAConnection(t *testing.T) {
	for _, isn := range []uint32{1000, 0xffffff00} { // the second wraps around
		b := newBook(keeping)
		b.tcp(client, isn, 0, SYN, 0)
		b.tcp(client, isn, 0, SYN, 0) // again
		b.tcp(server, 5, isn+1, SYN|ACK, 0)
		b.tcp(client, isn+1, 6, ACK, 0)
		b.tcp(client, isn+1, 6, ACK, 500)
		b.tcp(client, isn+1, 6, ACK, 300)   // sent before
		b.tcp(client, isn+1, 6, ACK, 600)   // partly new
		b.tcp(client, isn+501, 6, ACK, 100) // sent before
		b.tcp(server, 6, 0, ACK|FIN, 10)
		b.tcp(server, 6, 0, ACK|FIN, 10)  // again
		b.tcp(client, isn+600, 0, ACK, 0) // a keep-alive probe of Linux
		b.tcp(client, isn+601, 0, ACK|FIN, 0)
		f := b.tcp(server, 17, 0, RST, 0)
		up := Direction{Packets: 9, Header: 360, Payload: 1500, SYN: 2, FIN: 1, Retransmitted: 3, RetransmittedBytes: 400}
		down := Direction{Packets: 4, Header: 160, Payload: 20, SYN: 1, FIN: 2, RST: 1, Retransmitted: 1, RetransmittedBytes: 10}
		if f.Sent(client) != up || f.Sent(server) != down {
			t.Errorf("isn %d:\n up %+v\ndown %+v", isn, f.Sent(client), f.Sent(server))
		}
		ms := linger.Instant(time.Millisecond)
		if f.First != ms || f.Last != 13*ms || f.Closing != linger.Known(Closing{9 * ms, server, false}) || !f.Over() || f.Opener != linger.Known(client) {
			t.Errorf("%+v", f)
		}
		if f.Address(client).String() != "10.9.0.1:1234" || f.Address(server).String() != "10.9.0.2:80" {
			t.Errorf("between %v and %v", f.Address(client), f.Address(server))
		}
	}
}

// What is known of a handshake, by what was captured of it.
func TestTableTimesTheHandshake(t *testing.T) {
	const unseen = "-"
	// Packets are letters, each at its own millisecond; a dot is one without a packet.
	packets := map[byte]func(b *book) *Flow{
		's': func(b *book) *Flow { return b.tcp(client, 100, 0, SYN, 0) },
		'r': func(b *book) *Flow { return b.tcp(server, 500, 101, SYN|ACK, 0) },
		'a': func(b *book) *Flow { return b.tcp(client, 101, 501, ACK, 0) },
		'q': func(b *book) *Flow { return b.tcp(client, 101, 501, ACK|PSH, 50) },
		'd': func(b *book) *Flow { return b.tcp(server, 501, 151, ACK, 700) },
		'l': func(b *book) *Flow { return b.tcp(client, 151, 1201, ACK, 0) },
		'x': func(b *book) *Flow { return b.tcp(server, 0, 101, RST|ACK, 0) },
		'e': func(b *book) *Flow { return b.tcp(server, 77, 55, ACK, 0) },
		'E': func(b *book) *Flow { return b.tcp(client, 55, 0, RST, 0) },
		'A': func(b *book) *Flow { return b.tcp(client, 101, 0, RST|ACK, 0) },
		'F': func(b *book) *Flow { return b.tcp(server, 501, 101, FIN|ACK, 0) },
		'R': func(b *book) *Flow { return b.tcp(server, 77, 0, RST, 0) },
		'S': func(b *book) *Flow { return b.tcp(server, 500, 0, SYN, 0) },
		'.': func(b *book) *Flow { b.at += linger.Instant(time.Millisecond); return nil },
	}
	for _, c := range []struct {
		name, seen     string
		opener         linger.Opt[End]
		asked, opening string // round-trip times
		stage          stage
	}{
		{"whole", "s..r.aqdl", linger.Known(client), "3ms", "2ms", bothEnds},
		{"with the request instead of the ACK", "s.r.qd", linger.Known(client), "2ms", "2ms", bothEnds},
		{"SYN twice", "s.s.r.a", linger.Known(client), unseen, "2ms", bothEnds},
		{"SYN-ACK twice", "s.r.r.a", linger.Known(client), unseen, unseen, bothEnds},
		{"without the SYN", "r.a.q", linger.Known(client), unseen, "2ms", bothEnds},
		{"without the SYN-ACK", "s.a.d.l", linger.Known(client), unseen, unseen, bothEnds},
		{"without the ACK", "s.r.l", linger.Known(client), "2ms", unseen, bothEnds},
		{"the SYN-ACK before the SYN", "rsa", linger.Known(client), unseen, "2ms", bothEnds},
		{"one direction alone", "s..aql", linger.Known(client), unseen, unseen, oneEnd},
		{"the other direction alone", "r.d", linger.Known(client), unseen, unseen, oneEnd},
		{"begun before the capture", "q.d.l", linger.Opt[End]{}, unseen, unseen, bothEnds},
		{"begun before the capture, one direction", "q.q", linger.Opt[End]{}, unseen, unseen, oneEnd},
		{"half open", "s.r", linger.Known(client), "2ms", unseen, oneEnd},
		{"refused", "s.x", linger.Known(client), unseen, unseen, ended},
		{"refused, then accepted", "s.x.s.r.a", linger.Known(client), unseen, "2ms", bothEnds},
		{"after resets of an earlier connection", "s.RRr.a", linger.Known(client), "4ms", "2ms", bothEnds},
		{"after an answer of an earlier connection", "s.eE.s.r.a", linger.Known(client), unseen, "2ms", bothEnds},
		{"given up", "s.A", linger.Known(client), unseen, unseen, ended},
		{"closed, without the SYN-ACK", "s.a.F", linger.Known(client), unseen, unseen, oneEnd},
		{"opened by both at once", "sSrr", linger.Known(client), unseen, unseen, oneEnd},
	} {
		b := newBook(Config{})
		var f *Flow
		for i := range len(c.seen) {
			if g := packets[c.seen[i]](b); g != nil {
				f = g
			}
		}
		asked, opening := f.RTT()
		said := func(o linger.Opt[time.Duration]) string {
			if d, ok := o.Get(); ok {
				return d.String()
			}
			return unseen
		}
		if b.Len() != 1 || f.Opener != c.opener || said(asked) != c.asked || said(opening) != c.opening || f.stage != c.stage {
			t.Errorf("%s: %d flows, opened by %v, RTT %s and %s, stage %d; want %v, %s, %s, %d",
				c.name, b.Len(), f.Opener, said(asked), said(opening), f.stage, c.opener, c.asked, c.opening, c.stage)
		}
		if closing, ok := f.Closing.Get(); ok != strings.ContainsAny(c.seen[max(0, len(c.seen)-1):], "xAF") || ok && closing.Reset != f.Over() {
			t.Errorf("%s: closing %+v, %v", c.name, closing, ok)
		}
		b.check(t)
	}
}

func TestTableTellsConnectionsOfOnePortApart(t *testing.T) {
	for _, c := range []Config{keeping, {}} {
		b := newBook(c)
		for isn := range uint32(3) {
			b.tcp(client, 1000*isn, 0, SYN, 0)
			b.tcp(client, 1000*isn, 0, SYN, 0) // again: the same connection
			b.tcp(server, 7000*isn, 0, SYN|ACK, 0)
			f := b.tcp(client, 1000*isn+1, 0, ACK|RST, 0)
			up, down := f.Sent(client), f.Sent(server)
			if f.Number != uint64(isn) || up.Packets != 3 || up.SYN != 2 || up.Retransmitted != 1 || down.Packets != 1 || down.Retransmitted != 0 ||
				f.Closing.Or(Closing{}).By != client || !f.Closing.Or(Closing{}).Reset {
				t.Errorf("connection %d: %+v", isn, f)
			}
		}
		if c.Limit < 0 {
			flows := b.Copy()
			for i := range flows {
				if f := &flows[i]; f.Number != uint64(i) || f.ID != ID(i) || *f != *b.Flow(f.ID) {
					t.Errorf("flow %d is %+v", i, f)
				}
			}
			if len(flows) != 3 || b.Len() != 3 {
				t.Errorf("%d flows kept, %d by length", len(flows), b.Len())
			}
			continue
		}
		b.expect(t, "0 closed", "1 closed")
	}
}

// A SYN begins another connection unless it belongs to what was captured before it.
func TestTableKnowsWhoseSYNItIs(t *testing.T) {
	for _, c := range []struct {
		name  string
		seen  func(b *book)
		flows int64
	}{
		{"after data of a connection begun before the capture", func(b *book) {
			b.tcp(client, 7000, 1, ACK, 100)
			b.tcp(server, 1, 7100, ACK, 100)
			b.tcp(client, 90, 0, SYN, 0)
		}, 2},
		{"after the server's data alone", func(b *book) {
			b.tcp(server, 1, 7100, ACK, 100)
			b.tcp(client, 90, 0, SYN, 0)
		}, 2},
		{"after an acknowledgement alone", func(b *book) {
			b.tcp(client, 7000, 1, ACK, 0)
			b.tcp(client, 90, 0, SYN, 0)
		}, 2},
		{"after its own data", func(b *book) {
			b.tcp(client, 91, 1, ACK, 100)
			b.tcp(client, 90, 0, SYN, 0)
		}, 1},
		{"the other way round, when the first is over", func(b *book) {
			b.tcp(client, 90, 0, SYN, 0)
			b.tcp(server, 0, 91, RST|ACK, 0)
			b.tcp(server, 300, 0, SYN, 0)
		}, 2},
		{"after a FIN each", func(b *book) {
			b.open(1234, 90)
			b.close(1234, 90)
			b.tcp(client, 900, 0, SYN, 0)
		}, 2},
		{"in the middle of a connection", func(b *book) {
			b.open(1234, 90)
			b.tcp(client, 900, 0, SYN, 0)
		}, 2},
	} {
		b := newBook(Config{})
		c.seen(b)
		if n := b.Counts().Begun; n != c.flows {
			t.Errorf("a SYN %s: %d connections, want %d", c.name, n, c.flows)
		}
		b.check(t)
	}
}

func TestTableSumsOtherProtocols(t *testing.T) {
	b := newBook(keeping)
	for _, protocol := range []Protocol{UDP, ICMP, 99} {
		data := set(tcp4(0, SYN, 0, 0), 9, byte(protocol))
		for _, d := range [][]byte{data, reverse(data), data} {
			b.packet(d)
		}
		f := b.Flow(ID(b.Len() - 1))
		if protocol != UDP && f.Address(client).Port() != 0 || f.Sent(client).Packets != 2 || f.Sent(server).Packets != 1 || f.Sent(client).SYN != 0 || f.Over() || !f.Opener.IsZero() {
			t.Errorf("%v: %+v", protocol, f)
		}
	}
	if b.Len() != 3 || b.Flow(0).Number != 0 || b.Flow(1).Number != 0 || b.Flow(2).Number != 1 {
		t.Errorf("%d flows", b.Len())
	}
	if f := b.packet(ip4(UDP, datagram(0xc3, 0, 0, 0, 1))); !f.IsQUIC() || f.Sent(client).Initial != 1 || b.Flow(0).IsQUIC() {
		t.Errorf("QUIC: %+v", f)
	}
}

// A fragment after the first is of no connection, and none of TCP's numbers are in it.
func TestTableGuessesNothingOfFragments(t *testing.T) {
	b := newBook(Config{})
	for range 2 {
		f := b.packet(fragment4(1480, false, tcp4(1, SYN|FIN|RST, 0, 100)))
		if d := f.Sent(client); d.SYN|d.FIN|d.RST|d.Retransmitted != 0 || f.Over() {
			t.Errorf("%+v", d)
		}
	}
	b.tcp(client, 1, 0, SYN, 0)
	if b.Len() != 2 || b.Flow(1).Number != 0 {
		t.Errorf("%d flows; the connection has number %d", b.Len(), b.Flow(1).Number)
	}
	b.Expire(b.at)
	b.Flush()
	b.expect(t, "0 open", "0 open")
}

func TestTableThatKeepsIsBounded(t *testing.T) {
	b := newBook(Config{Limit: -2})
	for port := range 5 {
		for _, flags := range []uint8{SYN, ACK} {
			if f := b.packet(onPort(port+1, client, 0, 0, flags, 0)); (f != nil) != (port < 2) {
				t.Errorf("port %d: %+v", port, f)
			}
		}
	}
	for port := range 5 {
		b.udp(port+1, client)
	}
	if c := b.Counts(); b.Len() != 2 || c.Begun != 2 || c.Overflow != 3+5 {
		t.Errorf("%d flows, %+v; want 2, and 3 SYNs and 5 datagrams beyond", b.Len(), c)
	}
	b.check(t)
}

// A full table lets go of what is lost least.
func TestTableMakesRoom(t *testing.T) {
	syn := func(b *book, port int) { b.packet(onPort(port, client, 9, 0, SYN, 0)) }
	for _, c := range []struct {
		name string
		seen func(b *book)
		want string // number and outcome of the first to go
	}{
		{"what is over", func(b *book) {
			for port := range 16 {
				b.open(port, 90)
			}
			b.close(7, 90)
			b.close(3, 90)
		}, "7 closed"},
		{"what is half open, if it is much", func(b *book) {
			for port := range 13 {
				b.open(port, 90)
			}
			for port := range 3 {
				syn(b, 100+port)
			}
		}, "13 evicted"},
		{"what is answered and still half open", func(b *book) {
			for port := range 13 {
				b.open(port, 90)
			}
			for port := range 3 {
				syn(b, 100+port)
				b.packet(onPort(100+port, server, 300, 10, SYN|ACK, 0))
			}
		}, "13 evicted"},
		{"what is quiet, where little is half open", func(b *book) {
			for port := range 14 {
				b.open(port, 90)
			}
			syn(b, 100)
			syn(b, 101)
			for port := range 14 {
				if port != 5 {
					b.packet(onPort(port, client, 91, 0, ACK, 1))
				}
			}
		}, "5 evicted"},
		{"what is half open and quiet for longer than all", func(b *book) {
			syn(b, 100)
			for port := range 15 {
				b.open(port, 90)
			}
		}, "0 evicted"},
		{"datagrams that are quiet", func(b *book) {
			b.udp(1, client)
			b.udp(1, server)
			for port := range 15 {
				b.open(port, 90)
			}
		}, "0 evicted"},
	} {
		b := newBook(Config{Limit: 16})
		c.seen(b)
		if b.Len() != 16 || len(b.ended) > 0 {
			t.Fatalf("%s: %d flows, let go %q", c.name, b.Len(), b.ended)
		}
		syn(b, 999)
		if len(b.ended) != 1 || b.ended[0] != c.want {
			t.Errorf("%s: let go %q, want %q", c.name, b.ended, c.want)
		}
		b.check(t)
	}
}

// What is over is let go of before the table grows for it, and not what is open.
func TestTableKeepsFewThatAreOver(t *testing.T) {
	b := newBook(Config{Limit: 16, Over: 2})
	for port := range 3 {
		b.open(100+port, 90)
	}
	for port := range 4 {
		b.open(port, 90)
		b.close(port, 90)
	}
	b.expect(t, "3 closed", "4 closed")
	b.open(200, 90)
	b.open(201, 90)
	b.expect(t, "5 closed")
	if b.Len() != 3+1+2 || b.made != 3+2+1 {
		t.Errorf("%d flows, in room for %d", b.Len(), b.made)
	}
}

// A million half-open connections neither grow the table nor push out what is open.
func TestTableSurvivesAFlood(t *testing.T) {
	const limit, open, flood = 10_000, 5_000, 1_000_000
	outcomes := map[Outcome]int{}
	table := NewTable(Config{Limit: limit, Linger: time.Second, Ended: func(f *Flow, o Outcome) {
		outcomes[o]++
		if f.stage != oneEnd {
			t.Fatalf("let go of %+v", f)
		}
	}})
	b := &book{Table: table}
	for port := range open {
		b.open(1+port, 90)
	}
	data := tcp4(1, SYN, 0, 0)
	var p Packet
	add := func(n uint32) {
		readdress(data, n, false)
		if err := p.Parse(data, 0); err != nil {
			t.Fatal(err)
		}
		b.at += 1000
		table.Add(&p, b.at)
	}
	for n := range uint32(limit) {
		add(n)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := range uint32(flood) {
		add(limit + n)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 1<<16 {
		t.Errorf("%d bytes allocated in the flood", grown)
	}
	if outcomes[Evicted] != limit+flood-(limit-open) || table.Len() != limit {
		t.Errorf("%v, %d in the table", outcomes, table.Len())
	}
	for port := range open {
		if f := b.packet(onPort(1+port, server, 9, 0, ACK, 1)); f.SYN.IsZero() {
			t.Fatalf("the connection of port %d is lost", 1+port)
		}
	}
	table.check(t)
}

// What has been quiet for too long is another flow when it comes again, whether or not
// somebody looked in between.
func TestTableLetsGoOfWhatIsQuiet(t *testing.T) {
	for _, looks := range []bool{false, true} {
		b := newBook(Config{Linger: time.Minute, Quiet: 5 * time.Minute})
		pass := func(d time.Duration) {
			for end := b.at.Add(d); b.at < end; {
				b.at = min(b.at.Add(10*time.Second), end)
				if looks {
					b.Expire(b.at)
				}
			}
		}
		b.open(1, 90)
		b.open(2, 90) // stays open for hours
		b.close(1, 90)
		b.udp(1, client)
		b.udp(1, server)
		b.packet(onPort(3, client, 90, 0, SYN, 0)) // is never answered
		pass(50 * time.Second)
		b.packet(onPort(1, server, 5091, 0, FIN|ACK, 0)) // again, late
		pass(59 * time.Second)
		b.expect(t)
		b.udp(1, client)
		pass(4 * time.Minute)
		b.udp(1, client)
		if looks {
			b.expect(t, "0 closed", "2 silent")
		}
		pass(4 * time.Minute)
		b.udp(1, client)
		b.packet(onPort(1, server, 5091, 0, FIN|ACK, 0)) // of a connection long over
		pass(3 * time.Hour)
		b.udp(1, client)
		b.packet(onPort(2, client, 91, 0, ACK, 100))
		b.packet(onPort(3, client, 90, 0, SYN, 0))
		if looks {
			slices.Sort(b.ended)
			b.expect(t, "0 silent", "3 silent")
		} else {
			b.expect(t, "0 closed", "0 silent", "2 silent")
		}
		b.Flush()
		slices.Sort(b.ended)
		want := []string{"1 open", "1 open", "4 open"}
		if !looks {
			want = []string{"1 open", "1 open", "3 open", "4 open"}
		}
		b.expect(t, want...)
		if b.Len() != 0 {
			t.Errorf("%d are left", b.Len())
		}
	}
}

func TestEndedIsToldOnce(t *testing.T) {
	var told []string
	table := NewTable(Config{Limit: 4, Ended: func(f *Flow, o Outcome) {
		told = append(told, fmt.Sprintf("%v %d+%d %d", f.Address(client), f.Sent(client).Packets, f.Sent(server).Packets, o))
	}})
	b := &book{Table: table}
	b.open(1, 90)
	b.close(1, 90)
	b.open(1, 900)
	b.Flush()
	b.Flush()
	if want := "10.9.0.1:1 4+2 0; 10.9.0.1:1 2+1 4"; strings.Join(told, "; ") != want {
		t.Errorf("told %q, want %q", told, want)
	}
	if f := b.open(2, 90); f == nil || f.Number != 2 {
		t.Errorf("after all that: %+v", f)
	}
}

// A super-packet is found once and counted in its segments.
func TestSegmentsAreCountedOneByOne(t *testing.T) {
	whole, parts := newBook(keeping), newBook(keeping)
	var p Packet
	if err := p.Parse(tcp4(100, ACK|FIN, 12, 2*1448+9), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time, everything is a retransmission
		whole.Add(&p, 1)
		f := parts.Find(&p, 1)
		for at := 0; at < p.Payload; at += 1448 {
			flags := p.Flags
			if at+1448 < p.Payload {
				flags &^= FIN
			}
			parts.CountSegment(f, &p, p.Seq+uint32(at), flags, min(1448, p.Payload-at), 1)
		}
	}
	w, s := whole.Flow(0).Sent(client), parts.Flow(0).Sent(client)
	if s != (Direction{Packets: 6, Header: 6 * 52, Payload: 2 * 2905, FIN: 2, Retransmitted: 3, RetransmittedBytes: 2905}) || w.Payload != s.Payload || w.FIN != 2 || w.Retransmitted != 1 {
		t.Errorf("whole %+v, in segments %+v", w, s)
	}
}

func TestFlowTakesWholeLines(t *testing.T) {
	var f Flow
	if size := unsafe.Sizeof(f); size != 320 {
		t.Errorf("a flow takes %d bytes; say so in Config", size)
	}
	if hot := unsafe.Offsetof(f.First); hot != 128 {
		t.Errorf("what every packet touches takes %d bytes", hot)
	}
}

func TestTableAllocatesNothing(t *testing.T) {
	for _, c := range []Config{keeping, {Linger: time.Second, Quiet: time.Second}} {
		b := newBook(c)
		b.config.Ended = func(*Flow, Outcome) {}
		if c.Limit < 0 {
			b.config.Ended = nil
		}
		packets := make([]Packet, 7)
		for i, data := range [][]byte{
			onPort(1, client, 90, 0, SYN, 0), onPort(1, server, 300, 91, SYN|ACK, 0), onPort(1, client, 91, 301, ACK, 700),
			onPort(1, server, 301, 791, ACK, 1448), onPort(1, server, 1749, 791, FIN|ACK, 0), onPort(1, client, 791, 1750, FIN|ACK, 0), ip4(UDP, datagram(1)),
		} {
			if err := packets[i].Parse(data, 0); err != nil {
				t.Fatal(err)
			}
		}
		round := func() {
			for i := range packets {
				b.at += linger.Instant(time.Second)
				b.Add(&packets[i], b.at)
			}
			b.Expire(b.at)
		}
		round()
		if n := testing.AllocsPerRun(100, round); n != 0 {
			t.Errorf("%v allocations in %d packets", n, len(packets))
		}
	}
}

// TestTableAgreesWithAMap runs the same packets through a table and through a map, where
// nothing is evicted and no time passes.
func TestTableAgreesWithAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		packets := map[Key][2]int64{}
		table := NewTable(Config{Ended: func(f *Flow, o Outcome) {
			k := packets[f.Key]
			for e := range k {
				k[e] -= f.Sent(End(e)).Packets
			}
			packets[f.Key] = k
		}})
		var p Packet
		for i := range 20_000 {
			var data []byte
			if rng.IntN(2) == 0 {
				data = tcp4(rng.Uint32N(3), uint8(rng.IntN(32)), 0, rng.IntN(2))
			} else {
				data = tcp6(rng.Uint32N(3), uint8(rng.IntN(32)), 0, rng.IntN(2))
			}
			readdress(data, rng.Uint32N(3_000), rng.IntN(2) == 0)
			if err := p.Parse(data, 0); err != nil {
				t.Fatal(err)
			}
			k := packets[p.Key]
			k[p.From]++
			packets[p.Key] = k
			table.Add(&p, linger.Instant(i))
		}
		table.check(t)
		table.Flush()
		table.check(t)
		for k, n := range packets {
			if n != [2]int64{} {
				t.Fatalf("%v: %v packets are missing", k, n)
			}
		}
	}
}

// FuzzTable hands in packets as the bytes say, to a small table of either kind. Nothing may
// panic, bounds hold, and every packet is counted once or had no room.
func FuzzTable(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, true)
	f.Add([]byte("\x00\x02\x00\x00\x00\x12\x80\x00\x00\x10\x00\x00\x00\x04\x00\x01"), true)
	f.Add([]byte("\x00\x02\x00\x00\x01\x02\x00\x00\x02\x02\x00\x00\x03\x02\x00\x00"), false)
	f.Fuzz(func(t *testing.T, b []byte, keeps bool) {
		var ended [2]int64 // packets and payload
		sum := func(f *Flow) {
			for e := Low; e <= High; e++ {
				d := f.Sent(e)
				ended[0] += d.Packets
				ended[1] += d.Payload
				if d.Retransmitted > d.Packets || d.RetransmittedBytes > d.Payload || d.SYN > d.Packets || d.FIN > d.Packets || d.RST > d.Packets {
					t.Fatalf("%+v", d)
				}
			}
			if f.Last < f.First {
				t.Fatalf("from %d to %d", f.First, f.Last)
			}
			f.RTT()
		}
		c := Config{Limit: 9, Linger: 300, Quiet: 1000}
		if !keeps {
			c.Ended = func(f *Flow, _ Outcome) { sum(f) }
		}
		table := NewTable(c)
		var want [2]int64
		var at linger.Instant
		var p Packet
		// Four bytes a packet: port, flags, sequence number and direction, size and time.
		for ; len(b) >= 4; b = b[4:] {
			data := onPort(int(b[0]%32), End(b[2]&1), uint32(b[2]>>1), uint32(b[2]), b[1], int(b[3]&3))
			if b[0]&0x40 != 0 {
				data = set(data, 9, byte(UDP))
			}
			if b[0]&0x80 != 0 {
				data = fragment4(8, true, data)
			}
			if err := p.Parse(data, 0); err != nil {
				t.Fatal(err)
			}
			at += linger.Instant(b[3]>>2) * linger.Instant(b[3]>>2)
			if b[1]&0xc0 == 0xc0 {
				at -= 50 // captures do not always have packets in order
				table.Expire(at)
			}
			if table.Add(&p, at) != nil {
				want[0]++
				want[1] += int64(p.Payload)
			}
			if table.Len() > 9 {
				t.Fatalf("%d flows", table.Len())
			}
			table.check(t)
		}
		if keeps {
			flows := table.Copy()
			for i := range flows {
				sum(&flows[i])
			}
		}
		table.Flush()
		table.check(t)
		if ended != want {
			t.Fatalf("%d packets with %d bytes in the flows, want %d with %d", ended[0], ended[1], want[0], want[1])
		}
	})
}
