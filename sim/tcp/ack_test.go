package tcp

import (
	"testing"
	"time"
)

// sending returns an end with segments of MSS bytes out, sent a millisecond apart over a round
// trip of 100 ms, all within the window. The first begins with sequence number 1.
func sending(t *testing.T, segments int) *Conn {
	t.Helper()
	c := New(Options{})
	c.state, c.una, c.nxt, c.written = Established, 1, 1, 1+int64(segments)*MSS
	c.window, c.maxWindow, c.cwnd, c.next = 1<<20, 1<<20, 100, 1
	c.sampleRTT(100 * time.Millisecond)
	for i := range segments {
		seq := 1 + int64(i)*MSS
		c.sent.push(sentSegment{seq: seq, end: seq + MSS, at: second.Add(time.Duration(i) * time.Millisecond), first: true, flags: ACK})
		c.buffer.sent++
	}
	c.nxt = c.written
	return c
}

// of is the range of some segments, the first being number 0.
func of(from, to int) Block { return Block{1 + int64(from)*MSS, 1 + int64(to)*MSS} }

// told hands an acknowledgement up to a segment over, with SACK blocks.
func told(c *Conn, after time.Duration, upTo int, blocks ...Block) {
	s := Segment{Flags: ACK, Seq: 1, Ack: of(0, upTo).To, Window: 1 << 20, NBlocks: uint8(len(blocks))}
	copy(s.Blocks[:], blocks)
	c.acknowledged(second.Add(after), &s)
}

// The scoreboard of RFC 6675, 3: what is known to have arrived, what is taken for lost, and
// what is thus in flight.
func TestSACKScoreboard(t *testing.T) {
	const after = 100 * time.Millisecond
	for _, x := range []struct {
		name       string
		act        func(c *Conn)
		sacked     int
		lost       int
		out        int // not acknowledged
		delivered  int64
		reordering bool
	}{
		{"nothing new", func(c *Conn) { told(c, after, 0) }, 0, 0, 10, 0, false},
		{"three in order", func(c *Conn) { told(c, after, 3) }, 0, 0, 7, 3, false},
		{"two behind a hole", func(c *Conn) { told(c, after, 0, of(1, 3)) }, 2, 0, 10, 2, false},
		{"the same block again", func(c *Conn) { told(c, after, 0, of(1, 3)); told(c, after, 0, of(1, 3)) }, 2, 0, 10, 2, false},
		{"a block that grows", func(c *Conn) { told(c, after, 0, of(1, 2)); told(c, after, 0, of(1, 3)) }, 2, 0, 10, 2, false},
		{"two blocks", func(c *Conn) { told(c, after, 0, of(6, 7), of(2, 3)) }, 2, 0, 10, 2, false},
		{"a part of a segment is none", func(c *Conn) { told(c, after, 0, Block{1 + MSS, 1 + 2*MSS - 1}) }, 0, 0, 10, 0, false},
		{"what is not sent is none", func(c *Conn) { told(c, after, 0, of(10, 12)) }, 0, 0, 10, 0, false},
		// Three behind it: the first is lost at once (RFC 6675, 4; RACK's window is then 0).
		{"three behind a hole", func(c *Conn) { told(c, after, 0, of(1, 4)) }, 3, 1, 10, 3, false},
		{"the hole is filled", func(c *Conn) { told(c, after, 0, of(1, 3)); told(c, after, 3) }, 0, 0, 7, 3, true},
		{"the hole is filled by SACK", func(c *Conn) { told(c, after, 0, of(2, 3)); told(c, after, 0, of(1, 3)) }, 2, 0, 10, 2, true},
		{"an acknowledgement of what was not sent", func(c *Conn) { told(c, after, 11) }, 0, 0, 10, 0, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := sending(t, 10)
			x.act(c)
			lost := 0
			for i := range c.sent.n {
				if c.sent.at(i).lost {
					lost++
				}
			}
			if c.sackedOut != x.sacked || lost != c.lostOut || (c.lostOut > 0) != (x.lost > 0) || c.sent.n != x.out || c.delivered != x.delivered || c.reordering != x.reordering {
				t.Errorf("%d SACKed, %d lost, %d out, %d delivered, reordering %v; want %d, %d, %d, %d, %v",
					c.sackedOut, c.lostOut, c.sent.n, c.delivered, c.reordering, x.sacked, x.lost, x.out, x.delivered, x.reordering)
			}
		})
	}
}

// RFC 2883, 4: the first block is a DSACK where it lies below the acknowledgement, or within
// the second.
func TestDuplicatesAreToldOf(t *testing.T) {
	for _, x := range []struct {
		name   string
		upTo   int
		blocks []Block
		index  int
		want   bool
	}{
		{"below the acknowledgement", 3, []Block{of(1, 2)}, 0, true},
		{"up to it", 3, []Block{of(2, 3)}, 0, true},
		{"beyond it", 3, []Block{of(4, 5)}, 0, false},
		{"within the second", 0, []Block{of(4, 5), of(3, 6)}, 0, true},
		{"as the second", 0, []Block{of(3, 6), of(3, 6)}, 0, true},
		{"around the second", 0, []Block{of(3, 6), of(4, 5)}, 0, false},
		{"the second itself", 0, []Block{of(4, 5), of(3, 6)}, 1, false},
	} {
		s := Segment{Ack: of(0, x.upTo).To, NBlocks: uint8(len(x.blocks))}
		copy(s.Blocks[:], x.blocks)
		if a := (ack{Segment: &s}); a.repeats(x.index) != x.want {
			t.Errorf("%s: %v", x.name, !x.want)
		}
	}
}

// The round-trip time is that of the oldest segment that was sent once (RFC 6298, 3: "RTT
// samples MUST NOT be made using segments that were retransmitted"), unless a timestamp tells
// (RFC 7323, 4.2).
func TestWhichSegmentIsTimed(t *testing.T) {
	for _, x := range []struct {
		name string
		act  func(c *Conn)
		want time.Duration // of the sample; SRTT moves an eighth towards it
	}{
		{"the first of those acknowledged", func(c *Conn) { told(c, 180*time.Millisecond, 3) }, 180 * time.Millisecond},
		{"the first that SACK tells of", func(c *Conn) { told(c, 181*time.Millisecond, 0, of(1, 3)) }, 180 * time.Millisecond},
		{"none of what was sent again", func(c *Conn) { c.sent.at(0).ever = true; told(c, 180*time.Millisecond, 1) }, 100 * time.Millisecond},
		{"but by its timestamp", func(c *Conn) {
			c.sent.at(0).ever = true
			c.acknowledged(second.Add(500*time.Millisecond), &Segment{Flags: ACK, Seq: 1, Ack: of(0, 1).To, Window: 1 << 20, Echo: second.Add(320 * time.Millisecond)})
		}, 180 * time.Millisecond},
	} {
		c := sending(t, 4)
		x.act(c)
		if want := 100*time.Millisecond + (x.want-100*time.Millisecond)/8; c.srtt != want {
			t.Errorf("%s: SRTT %v, want %v", x.name, c.srtt, want)
		}
	}
}

// RFC 9293, 3.10.7.4: a window is taken from a segment that is newer than the one that told
// the last, SND.WL1 < SEG.SEQ, or of the same number that opens it.
func TestWhichSegmentsOpenTheWindow(t *testing.T) {
	for _, x := range []struct {
		name string
		s    Segment
		want int64
	}{
		{"newer", Segment{Flags: ACK, Seq: 6, Ack: 1, Window: 2000}, 2001},
		{"of the same number, further", Segment{Flags: ACK, Seq: 5, Ack: 1, Window: 9000}, 9001},
		{"older, further", Segment{Flags: ACK, Seq: 4, Ack: 1, Window: 9000}, 9001},
		{"older, nearer", Segment{Flags: ACK, Seq: 4, Ack: 1, Window: 2000}, 5001},
	} {
		c := New(Options{})
		c.una, c.nxt, c.window, c.windowSeq = 1, 10, 5001, 5
		if c.updateWindow(&x.s); c.window != x.want {
			t.Errorf("%s: up to %d, want %d", x.name, c.window, x.want)
		}
	}
}
