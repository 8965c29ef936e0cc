package tcp

import (
	"slices"
	"testing"
	"time"

	"linger"
)

// receiving returns an end that has taken in a first segment and acknowledges no longer each
// by itself.
func receiving(pingpong bool) *Conn {
	c := New(Options{})
	c.state, c.una, c.nxt, c.written = Established, 1, 1, 1
	c.openWindow(clientWindow)
	c.next, c.copied, c.wup, c.rcvMSS = 1, 1, 1, MSS
	c.ato, c.quick, c.pingpong = delayedAckMin, 0, pingpong
	c.srtt, c.rto = 100*ms, 300*ms
	return c
}

// arrives hands over a segment, has it read, and returns what was sent for it at once.
func arrives(c *Conn, at linger.Instant, from, n int64, flags uint8) (acks []Segment) {
	c.HandleSegment(at, &Segment{Seq: from, Len: int32(n), Flags: ACK | flags, Ack: 1, Window: 1 << 16, Stamp: at})
	c.Read(at, c.Readable())
	for s, ok := c.Poll(); ok; s, ok = c.Poll() {
		acks = append(acks, s)
	}
	return acks
}

// RFC 9293, 3.8.6.3 and RFC 5681, 4.2: an acknowledgement for every second full segment, and
// within half a second; Linux waits for 40 ms.
func TestDelayedAcknowledgements(t *testing.T) {
	c := receiving(true)
	if acks := arrives(c, second, 1, MSS, 0); len(acks) != 0 {
		t.Fatalf("one segment was acknowledged at once: %v", acks)
	}
	if wait := c.NextTimeout().Sub(second); wait < delayedAckMin || wait > delayedAckMin+tick {
		t.Errorf("it would be acknowledged after %v, want 40 ms and less than a jiffy", wait)
	}
	acks := arrives(c, second.Add(ms), 1+MSS, MSS, 0)
	if len(acks) != 1 || acks[0].Ack != 1+2*MSS {
		t.Errorf("after the second came %v, want one acknowledgement of both", acks)
	}
	if c.NextTimeout() != linger.Never {
		t.Error("a timer is left")
	}
	arrives(c, second.Add(2*ms), 1+2*MSS, MSS, 0)
	c.HandleTimeout(c.NextTimeout())
	if s, ok := c.Poll(); !ok || s.Ack != 1+3*MSS || s.Len != 0 {
		t.Errorf("when the time was over came %v", s)
	}
}

// RFC 5681, 4.2: what is out of order, and what fills a gap, is acknowledged at once.
func TestWhatIsAcknowledgedAtOnce(t *testing.T) {
	c := receiving(true)
	acks := arrives(c, second, 1+MSS, MSS, 0)
	if len(acks) != 1 || acks[0].Ack != 1 || acks[0].NBlocks != 1 || acks[0].Blocks[0] != of(1, 2) {
		t.Fatalf("a segment behind a hole was answered by %v", acks)
	}
	acks = arrives(c, second.Add(ms), 1, MSS, 0)
	if len(acks) != 1 || acks[0].Ack != 1+2*MSS || acks[0].NBlocks != 0 {
		t.Errorf("what filled the hole was answered by %v", acks)
	}
	acks = arrives(c, second.Add(2*ms), 1, MSS, 0)
	if len(acks) != 1 || acks[0].NBlocks != 1 || acks[0].Blocks[0] != of(0, 1) || acks[0].Ack != 1+2*MSS {
		t.Errorf("what came again was answered by %v, want a DSACK of it (RFC 2883, 4)", acks)
	}
}

// RFC 2018, 4: "The first SACK block MUST specify the contiguous block of data containing the
// segment which triggered this ACK", then the most recently reported ones.
func TestTheOrderOfSACKBlocks(t *testing.T) {
	var r receiver
	for _, x := range []struct {
		arrives Block
		want    []Block
	}{
		{of(4, 5), []Block{of(4, 5)}},
		{of(2, 3), []Block{of(2, 3), of(4, 5)}},
		{of(8, 9), []Block{of(8, 9), of(2, 3), of(4, 5)}},
		{of(5, 6), []Block{of(4, 6), of(8, 9), of(2, 3)}},
		{of(3, 4), []Block{of(2, 6), of(8, 9)}},
		{of(11, 12), []Block{of(11, 12), of(2, 6), of(8, 9)}},
		{of(13, 14), []Block{of(13, 14), of(11, 12), of(2, 6)}}, // there is room for three
	} {
		r.beyond(x.arrives.From, x.arrives.To)
		var out [3]Block
		if n := r.blocks(&out); !slices.Equal(out[:n], x.want) {
			t.Errorf("after %v: %v, want %v", x.arrives, out[:n], x.want)
		}
	}
}

// RFC 7323, 4.3: the echo is the stamp of the segment that first was not acknowledged, not of
// the one that causes the acknowledgement.
func TestDelayedAcknowledgementsEchoTheFirstStamp(t *testing.T) {
	c := receiving(true)
	arrives(c, second, 1, MSS, 0)
	acks := arrives(c, second.Add(7*ms), 1+MSS, MSS, 0)
	if len(acks) != 1 || acks[0].Echo != second {
		t.Errorf("echoes %v, want the first segment's stamp", acks)
	}
}

// __tcp_select_window: what is free of the buffer, half of which is payload at first, up to
// what may be advertised; nothing below a segment or a sixteenth.
func TestTheWindowThatIsAdvertised(t *testing.T) {
	for _, x := range []struct {
		name       string
		held, slow int64
		want       int64
	}{
		{"an empty buffer of 131072", 0, 65536, 65536},
		{"what may be advertised", 0, 20_000, 20_096}, // 157 times 128
		{"half is taken", 65536, 65536, 32768},
		{"a sixteenth is left", 131072 - 8192, 65536, 4096},
		{"less is left", 131072 - 8190, 65536, 0},
		{"too much is held", 200_000, 65536, 0},
	} {
		c := receiving(false)
		c.held, c.slowWindow = x.held, x.slow
		if got := c.selectWindow(); got != x.want {
			t.Errorf("%s: %d, want %d", x.name, got, x.want)
		}
	}
	// "A TCP receiver SHOULD NOT shrink the window" (RFC 9293, 3.8.6.2.1).
	c := receiving(false)
	c.rcvWindow, c.held = 10_000, 131072
	if w := c.advertise(); w < 10_000 {
		t.Errorf("a window of 10,000 became one of %d", w)
	}
}

// What a segment takes of the buffer: a slab of a power of two with 436 bytes around the
// data, and 256 of an sk_buff.
func TestTruesize(t *testing.T) {
	for n, want := range map[int64]int64{1: 768, 76: 768, 77: 1280, 588: 1280, 589: 2304, MSS: 2304, 2 * MSS: 4352} {
		if got := truesize(n); got != want {
			t.Errorf("a segment of %d bytes takes %d, want %d", n, got, want)
		}
	}
}

// RFC 9293, 3.10.7.4: a FIN that comes again in TIME-WAIT is acknowledged again.
func TestALateFINIsAcknowledged(t *testing.T) {
	p := newPath(10 * time.Millisecond)
	p.ends[0].Open(0)
	p.run(second)
	p.ends[0].Close(p.now)
	p.run(2 * second)
	p.ends[1].Close(p.now)
	p.run(3 * second)
	if p.ends[0].State() != TimeWait || p.ends[1].State() != Closed {
		t.Fatalf("states %v and %v", p.ends[0].State(), p.ends[1].State())
	}
	p.ends[0].HandleSegment(p.now, &Segment{Seq: p.ends[1].nxt - 1, Flags: FIN | ACK, Ack: p.ends[0].nxt})
	if s, ok := p.ends[0].Poll(); !ok || s.Flags != ACK || s.Ack != p.ends[1].nxt {
		t.Errorf("it was answered by %v", s)
	}
}
