package pump

import (
	"encoding/binary"
	"testing"
	"time"

	"linger"
	"linger/flow"
)

// fromPort is a packet between two hosts, of that port of the client's.
func fromPort(t *testing.T, port uint16, flags uint8) packet {
	t.Helper()
	b := tcpPacket(1, flags, 0, 10, 0)
	binary.BigEndian.PutUint16(b[vnetSize+20:], port)
	p, ok := parsePacket(b)
	if !ok {
		t.Fatal("no packet")
	}
	return p
}

func TestBoxForgetsWhatIsIdle(t *testing.T) {
	b := newBox(time.Second)
	syn, other := fromPort(t, 1, flow.SYN), fromPort(t, 2, flow.SYN)
	data := fromPort(t, 1, flow.ACK)
	for i, step := range []struct {
		at     time.Duration
		packet packet
		want   bool
	}{
		{0, data, false}, // never opened
		{0, syn, true},
		{900 * time.Millisecond, data, true},
		{1800 * time.Millisecond, data, true}, // a packet, and so another second
		{2800 * time.Millisecond, data, false},
		{2801 * time.Millisecond, data, false}, // and for good
		{2900 * time.Millisecond, other, true},
		{3 * time.Second, syn, true}, // the same ports once more
		{3100 * time.Millisecond, data, true},
	} {
		if got := b.pass(linger.Instant(step.at), &step.packet); got != step.want {
			t.Errorf("step %d, at %v: it passes: %v, want %v", i, step.at, got, step.want)
		}
	}
}

func TestBoxThatIsFull(t *testing.T) {
	b := newBox(time.Second)
	for port := range maxFlows {
		pk := fromPort(t, uint16(port), flow.SYN)
		b.pass(0, &pk)
	}
	another := tcpPacket(1, flow.SYN, 0, 0, 0)
	another[vnetSize+12]++ // another client
	pk, _ := parsePacket(another)
	if len(b.passed) != maxFlows || b.pass(1, &pk) {
		t.Errorf("%d connections, and one more gets through", len(b.passed))
	}
	if !b.pass(linger.Instant(2*time.Second), &pk) || len(b.passed) != 1 {
		t.Errorf("%d connections after all have been forgotten", len(b.passed))
	}
}
