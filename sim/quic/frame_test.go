package quic

import (
	"slices"
	"testing"

	"linger"
)

// Sizes of RFC 9000, 19, with the variable-length integers of its section 16: 1 byte up to 63,
// 2 up to 16,383, 4 up to 1,073,741,823.
func TestSizesOfFrames(t *testing.T) {
	for _, x := range []struct {
		name string
		f    Frame
		want int64
	}{
		{"PING", Frame{kind: ping}, 1},
		{"HANDSHAKE_DONE", Frame{kind: handshakeDone}, 1},
		{"CRYPTO, 100 bytes at 0", Frame{kind: crypto, length: 100}, 1 + 1 + 2 + 100},
		{"CRYPTO, 60 bytes at 20,000", Frame{kind: crypto, offset: 20_000, length: 60}, 1 + 4 + 1 + 60},
		{"STREAM, 50 bytes at 0", Frame{kind: stream, length: 50}, 1 + 1 + 1 + 50},
		{"STREAM, 50 bytes at 64", Frame{kind: stream, stream: 64, offset: 64, length: 50}, 1 + 2 + 2 + 1 + 50},
		{"STREAM to the packet's end", Frame{kind: stream, length: 1000, bare: true}, 1 + 1 + 1000},
		{"MAX_DATA", Frame{kind: maxData, value: 15 << 20}, 1 + 4},
		{"MAX_STREAM_DATA", Frame{kind: maxStreamData, stream: 4, value: 6 << 20}, 1 + 1 + 4},
		{"MAX_STREAMS", Frame{kind: maxStreams, value: 63}, 2},
		{"RESET_STREAM", Frame{kind: resetStream, stream: 4, value: 16_383}, 1 + 1 + 2 + 2},
		{"STOP_SENDING", Frame{kind: stopSending, stream: 4}, 1 + 1 + 2},
		{"NEW_TOKEN", Frame{kind: newToken, length: 105}, 1 + 2 + 105},
		{"NEW_CONNECTION_ID", Frame{kind: newConnectionID}, 1 + 1 + 1 + 1 + 4 + 16},
	} {
		if got := x.f.size(); got != x.want {
			t.Errorf("%s has %d bytes, want %d", x.name, got, x.want)
		}
	}
}

// What fits fits: a frame with as much content as there is room for is no longer than the
// room, and at most two bytes shorter.
func TestRoomInFrames(t *testing.T) {
	for _, f := range []Frame{{kind: stream}, {kind: stream, stream: 400, offset: 100_000}, {kind: crypto}, {kind: crypto, offset: 70}} {
		for n := int64(1); n < 1500; n++ {
			f.length = f.room(n)
			if f.length == 0 {
				continue
			}
			if size := f.size(); size > n || size < n-2 {
				t.Errorf("a frame with %d bytes of content takes %d of %d", f.length, size, n)
			}
		}
	}
}

// RFC 9000, 13.2.1 and 13.2.2: every second packet that asks for it, what arrives out of order
// at once, all else after max_ack_delay.
func TestWhenPacketsAreAcknowledged(t *testing.T) {
	type packet struct {
		number    int64
		eliciting bool
	}
	for _, x := range []struct {
		name    string
		packets []packet
		atOnce  bool
		pending bool
	}{
		{"one", []packet{{0, true}}, false, true},
		{"two", []packet{{0, true}, {1, true}}, true, true},
		{"one that does not ask", []packet{{0, false}}, false, false},
		{"one of two asks", []packet{{0, true}, {1, false}}, false, true},
	} {
		var r receiver
		r.init()
		for _, p := range x.packets {
			r.received(second, p.number, p.eliciting, true)
		}
		if r.queued != x.atOnce || r.pending != x.pending {
			t.Errorf("%s: at once %v, at all %v", x.name, r.queued, r.pending)
		}
		if wait := r.alarm; x.pending && !x.atOnce && wait != second.Add(maxAckDelay) {
			t.Errorf("%s: after %v", x.name, wait.Sub(second))
		}
		if r.has(second, true, true) != x.atOnce || r.has(second.Add(maxAckDelay), true, true) != x.pending {
			t.Errorf("%s: it is not sent by itself then", x.name)
		}
	}
	// Behind an ACK, a gap is told of at once, and so is what fills it.
	var r receiver
	r.init()
	fill := func() { r.fill(second, &Packet{}, true) }
	r.received(second, 0, true, true)
	fill()
	if r.received(second, 2, true, true); !r.queued {
		t.Error("packet 1 is missing, and that is not told at once")
	}
	fill()
	if r.received(second, 1, true, true); !r.queued {
		t.Error("packet 1 has come after all, and that is not told at once")
	}
}

func TestRangesOfAnACK(t *testing.T) {
	for _, x := range []struct {
		numbers []int64
		want    []span // the highest first (RFC 9000, 19.3.1)
	}{
		{[]int64{0, 1, 2}, []span{{0, 2}}},
		{[]int64{0, 2, 5}, []span{{5, 5}, {2, 2}, {0, 0}}},
		{[]int64{0, 2, 1}, []span{{0, 2}}},
		{[]int64{5, 4, 3, 1}, []span{{3, 5}, {1, 1}}},
		{[]int64{3, 3, 3}, []span{{3, 3}}},
	} {
		var r receiver
		r.init()
		for _, n := range x.numbers {
			r.received(0, n, true, true)
		}
		var p Packet
		r.fill(linger.Instant(0), &p, true)
		if !slices.Equal(p.acks, x.want) {
			t.Errorf("%v is told as %v, want %v", x.numbers, p.acks, x.want)
		}
	}
}

// RFC 9000, 4.1 leaves it to the receiver when it gives credit: quic-go once a quarter of it is
// used, and twice as much where it was used within four round trips.
func TestCredits(t *testing.T) {
	c := &Conn{}
	c.srtt = 100 * ms
	f := credit{window: 1000, size: 1000, most: 1500}
	f.read = 249
	if got := f.update(second, c); got != 0 {
		t.Errorf("before a quarter was read the limit is %d", got)
	}
	f.read = 250
	if got := f.update(second, c); got != 1250 || f.size != 1000 {
		t.Errorf("after a quarter the limit is %d of %d, want 1250 of 1000", got, f.size)
	}
	// 650 more of 1000 within 200 ms: four times that share of a round trip were 260 ms.
	f.epoch, f.epochAt, f.read = second, 250, 900
	if got := f.update(second.Add(200*ms), c); got != 2400 || f.size != 1500 {
		t.Errorf("used up fast, the limit is %d of %d, want 2400 of 1500", got, f.size)
	}
	f.read = 1700
	if got := f.update(second.Add(10_000*ms), c); got != 3200 || f.size != 1500 {
		t.Errorf("used up slowly, the limit is %d of %d, want 3200 of 1500", got, f.size)
	}
}
