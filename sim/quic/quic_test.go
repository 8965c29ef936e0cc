package quic

import (
	"testing"
	"time"

	"linger"
)

var sizes = Sizes{Hello: 1509, ServerHello: 1178, Flight: 2957, Finished: 36, Ticket: 181, Token: 105}

// A path carries datagrams between two ends, each way in its order, a delay later.
type path struct {
	ends   [2]*Conn
	pool   Pool
	delay  time.Duration
	now    linger.Instant
	flight [2][]timed
	lose   func(from, n int, d *Datagram) bool
	seen   func(from int, d *Datagram)
	count  [2]int
	read   [2]map[int64]int64
	over   [2]map[int64]bool
	events [2][]EventKind
}

type timed struct {
	at linger.Instant
	d  *Datagram
}

func newPath(delay time.Duration, change func(*Options)) *path {
	p := &path{delay: delay}
	for side := range p.ends {
		o := Options{Client: side == 0, Sizes: sizes, StreamWindow: 6 << 20, MaxStreamWindow: 6 << 20, ConnWindow: 15 << 20, MaxConnWindow: 15 << 20,
			PeerStreamWindow: 6 << 20, PeerConnWindow: 15 << 20, Streams: 100, Idle: 30 * time.Second}
		if change != nil {
			change(&o)
		}
		p.ends[side] = New(o, &p.pool)
		p.read[side], p.over[side] = map[int64]int64{}, map[int64]bool{}
	}
	p.ends[0].Open(0)
	return p
}

func (p *path) collect() {
	for side, c := range p.ends {
		c.Send(p.now)
		for e, ok := c.NextEvent(); ok; e, ok = c.NextEvent() {
			p.events[side] = append(p.events[side], e.Kind)
			switch e.Kind {
			case Read:
				p.read[side][e.Stream] += e.N
				c.Consumed(e.Stream, e.N, false)
			case End:
				p.over[side][e.Stream] = true
				c.Consumed(e.Stream, 0, true)
			case Writable:
				if c.Resume(e.Stream) {
					c.Finish(e.Stream)
				}
			}
			c.Send(p.now)
		}
		for d, ok := c.Poll(); ok; d, ok = c.Poll() {
			if p.seen != nil {
				p.seen(side, d)
			}
			if p.count[side]++; p.lose != nil && p.lose(side, p.count[side], d) {
				p.pool.Drop(d)
				continue
			}
			p.flight[side] = append(p.flight[side], timed{p.now.Add(p.delay), d})
		}
	}
}

// run goes on until nothing happens any more, or until a time.
func (p *path) run(until linger.Instant) {
	for p.collect(); ; p.collect() {
		next, from, timer := linger.Never, -1, -1
		for side := range p.flight {
			if len(p.flight[side]) > 0 && p.flight[side][0].at < next {
				next, from = p.flight[side][0].at, side
			}
		}
		for side, c := range p.ends {
			if t := c.NextTimeout(); t < next {
				next, from, timer = t, -1, side
			}
		}
		if next == linger.Never || next > until {
			p.now = max(p.now, until)
			return
		}
		p.now = max(p.now, next)
		if timer >= 0 {
			p.ends[timer].HandleTimeout(p.now)
			continue
		}
		d := p.flight[from][0].d
		p.flight[from] = p.flight[from][1:]
		c := p.ends[1-from]
		c.HandleDatagram(p.now, d)
		if c.Work() != NoWork {
			c.Worked(p.now)
		}
	}
}

// write has an end send n bytes and no more on a stream.
func (p *path) write(side int, id, n int64) {
	if p.ends[side].Write(id, n) {
		p.ends[side].Finish(id)
	}
}

const second = linger.Instant(time.Second)

func TestTheHandshakeIsOneRoundTrip(t *testing.T) {
	p := newPath(50*time.Millisecond, nil)
	p.run(linger.Instant(99 * time.Millisecond))
	if p.ends[0].complete || p.ends[1].complete {
		t.Fatal("complete before a round trip")
	}
	p.run(linger.Instant(100 * time.Millisecond))
	if !p.ends[0].complete {
		t.Fatal("not complete at the client after a round trip")
	}
	p.run(linger.Instant(200 * time.Millisecond))
	if !p.ends[1].confirm || !p.ends[0].confirm {
		t.Fatal("not confirmed after two")
	}
}

// The first flights as captures of the lab have them, in bytes of UDP.
func TestFlightsAreAsCaptured(t *testing.T) {
	p := newPath(10*time.Millisecond, nil)
	var got [2][]int32
	p.seen = func(from int, d *Datagram) { got[from] = append(got[from], d.Size) }
	p.run(linger.Instant(39 * time.Millisecond))
	want := [2][]int32{{1280, 1280, 1280, 40, 40, 181}, {41, 1280, 1280, 1280, 611, 324}}
	for side := range want {
		if len(got[side]) < len(want[side]) {
			t.Fatalf("side %d sends %v, want %v", side, got[side], want[side])
		}
		for i, n := range want[side] {
			// The delay of an ACK and what is acknowledged with it vary by a few bytes.
			if off := got[side][i] - n; off < -3 || off > 3 {
				t.Errorf("side %d sends %v, want %v", side, got[side], want[side])
				break
			}
		}
	}
}

// RFC 9000, 8.1: "an endpoint MUST limit the amount of data it sends to the
// unvalidated address to three times the amount of data received from that address".
func TestAServerSendsNoMoreThanThreeTimesWhatItHasReceived(t *testing.T) {
	for _, lost := range []int{1, 2} {
		p := newPath(50*time.Millisecond, nil)
		up, down := int64(0), int64(0)
		p.lose = func(from, n int, d *Datagram) bool {
			if from == 0 && n == lost {
				return true
			}
			if from == 0 {
				up += int64(d.Size)
			} else if down += int64(d.Size); !p.ends[1].validated && down > 3*up+largestSize {
				t.Errorf("%d bytes sent, %d received", down, up)
			}
			return false
		}
		p.run(5 * second)
		if !p.ends[0].confirm || !p.ends[1].confirm {
			t.Errorf("without packet %d of the client there is no connection", lost)
		}
	}
}

// Whatever is lost, all arrives.
func TestEverythingArrives(t *testing.T) {
	for _, x := range []struct {
		name string
		lose func(from, n int, d *Datagram) bool
	}{
		{"nothing is lost", nil},
		{"every tenth", func(_, n int, _ *Datagram) bool { return n%10 == 9 }},
		{"every third of the server", func(from, n int, _ *Datagram) bool { return from == 1 && n%3 == 2 }},
		{"every second of the client", func(from, n int, _ *Datagram) bool { return from == 0 && n%2 == 0 }},
		{"the first of either", func(_, n int, _ *Datagram) bool { return n == 1 }},
		{"a long time", func(_, n int, _ *Datagram) bool { return n > 20 && n < 60 }},
		{"what is small", func(from, n int, d *Datagram) bool { return from == 1 && d.Size < 100 && n%2 == 0 }},
	} {
		for _, early := range []bool{false, true} {
			p := newPath(20*time.Millisecond, func(o *Options) { o.Early = early })
			p.lose = x.lose
			p.run(30 * second)
			for id := int64(0); id < 40; id += 4 {
				p.write(0, id, 100)
				p.write(1, id, 30_000+id)
				p.write(1, id, 0)
			}
			p.run(100 * second)
			for id := int64(0); id < 40; id += 4 {
				if got, end := p.read[0][id], p.over[0][id]; got != 30_000+id || !end {
					t.Errorf("%s, early %v: stream %d has %d bytes, ended %v", x.name, early, id, got, end)
				}
				if got, end := p.read[1][id], p.over[1][id]; got != 100 || !end {
					t.Errorf("%s, early %v: request %d has %d bytes, ended %v", x.name, early, id, got, end)
				}
			}
			if x.lose == nil && p.ends[1].lostPackets+p.ends[0].lostPackets > 0 {
				t.Errorf("%s: %d and %d packets declared lost", x.name, p.ends[0].lostPackets, p.ends[1].lostPackets)
			}
		}
	}
}

// The window begins with 32 packets and doubles each round trip.
func TestSlowStart(t *testing.T) {
	p := newPath(100*time.Millisecond, nil)
	p.run(second)
	p.write(1, 0, 4<<20)
	c := p.ends[1]
	before := c.window
	if before < 32*initialSize || before > 34*initialSize {
		t.Fatalf("the window begins with %d bytes", before)
	}
	p.run(p.now + linger.Instant(390*time.Millisecond))
	if c.window < 2*before-4*initialSize || c.window > 2*before+4*largestSize {
		t.Errorf("after a round trip the window is %d, not twice %d", c.window, before)
	}
}

func TestPathMTUIsFound(t *testing.T) {
	for _, x := range []struct {
		carries   int32
		low, high int64
	}{{1472, largestSize - mtuEnough, largestSize}, {1300, 1280, 1300}, {1400, 1400 - 2*mtuEnough, 1400}} {
		p := newPath(10*time.Millisecond, nil)
		p.lose = func(_, _ int, d *Datagram) bool { return d.Size > x.carries }
		for i := range int64(200) {
			p.run(p.now + linger.Instant(50*time.Millisecond))
			p.write(0, 4*i, 100)
			p.write(1, 4*i, 5000)
		}
		if got := p.ends[1].mtu.min; got < x.low || got > x.high {
			t.Errorf("on a path of %d bytes the server sends %d", x.carries, got)
		}
	}
}

// RFC 9000, 14.4: the loss of a probe is "not a reliable indication of congestion".
func TestAMTUProbeThatIsLostIsNoCongestion(t *testing.T) {
	p := newPath(10*time.Millisecond, nil)
	p.lose = func(_, _ int, d *Datagram) bool { return d.Size > 1280 }
	p.run(second)
	for i := range int64(50) {
		p.run(p.now + linger.Instant(50*time.Millisecond))
		p.write(1, 4*i, 3000)
	}
	if c := p.ends[1]; c.window < initialWindow*initialSize || c.lostPackets > 0 {
		t.Errorf("the window is %d, %d packets lost", c.window, c.lostPackets)
	}
}

// An end that has closed answers the 1st, 2nd, 4th and 8th of what still comes.
func TestWhatComesAfterTheEndIsAnsweredNowAndThen(t *testing.T) {
	p := newPath(50*time.Millisecond, nil)
	p.run(second)
	p.write(1, 0, 9000)
	p.run(second + linger.Instant(10*time.Millisecond))
	sent := p.count[0]
	p.ends[0].Close(0)
	p.run(3 * second)
	if got := p.count[0] - sent; got != 5 { // the close itself, and for 8 datagrams 4
		t.Errorf("%d datagrams after the end", got)
	}
	if !p.ends[1].closed {
		t.Error("the server does not know of it")
	}
}

// FuzzLosses: whatever is lost of the first datagrams, the rest arrives.
func FuzzLosses(f *testing.F) {
	f.Add([]byte{0, 0}, []byte{0xff})
	f.Add([]byte{0x55, 0x55}, []byte{0xaa, 0xaa, 1})
	f.Fuzz(func(t *testing.T, up, down []byte) {
		p := newPath(5*time.Millisecond, nil)
		lost := [2][]byte{up, down}
		p.lose = func(from, n int, _ *Datagram) bool {
			b := lost[from]
			return n/8 < min(len(b), 16) && b[n/8]>>(n%8)&1 == 1
		}
		p.run(20 * second)
		if !p.ends[0].confirm {
			return
		}
		p.write(1, 0, 100_000)
		p.run(400 * second)
		if p.read[0][0] != 100_000 && !p.ends[0].closed && !p.ends[1].closed {
			t.Errorf("%d bytes arrived", p.read[0][0])
		}
	})
}
