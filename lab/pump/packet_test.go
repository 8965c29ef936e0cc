package pump

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"linger/flow"
)

// tcpPacket builds what a TUN device hands over: a virtio-net header and a TCP
// segment, or super-packet if gso is not 0, with ip and TCP options of that size.
func tcpPacket(seq uint32, flags uint8, options, payload, gso int) []byte {
	headers := 20 + 20 + options
	b := make([]byte, vnetSize+headers+payload)
	b[0] = vnetNeedsChecksum
	if gso > 0 {
		b[1] = vnetTCP4
	}
	binary.NativeEndian.PutUint16(b[2:], uint16(headers))
	binary.NativeEndian.PutUint16(b[4:], uint16(gso))
	binary.NativeEndian.PutUint16(b[6:], 20)
	binary.NativeEndian.PutUint16(b[8:], 16)
	ip := b[vnetSize:]
	ip[0], ip[8], ip[9] = 0x45, 64, byte(flow.TCP)
	binary.BigEndian.PutUint16(ip[2:], uint16(headers+payload))
	binary.BigEndian.PutUint16(ip[4:], 0xffff) // the identification wraps at the second segment
	copy(ip[12:], []byte{10, 9, 0, 1, 10, 9, 0, 2})
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, 1234)
	binary.BigEndian.PutUint16(tcp[2:], 80)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12] = byte((20 + options) / 4 << 4)
	tcp[13] = flags
	for i := range options {
		tcp[20+i] = 1 // no operation
	}
	pattern(tcp[20+options:], 0)
	return b
}

// pattern is what byte i of a transfer is, so that a wrong or misplaced byte shows.
func pattern(b []byte, at int) {
	for i := range b {
		n := at + i
		b[i] = byte(n ^ n>>8 ^ n>>16)
	}
}

// slowSum is the ones' complement sum as RFC 1071 words it, two bytes at a time.
func slowSum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		if s += w; s > 0xffff {
			s -= 0xffff
		}
	}
	return uint16(s)
}

// checkWhole fails unless an IP packet of TCP has both of its checksums right.
func checkWhole(t *testing.T, ip []byte) {
	t.Helper()
	ihl := int(ip[0]&0xf) * 4
	if s := slowSum(ip[:ihl]); s != 0xffff {
		t.Errorf("header checksum: the sum is %#x", s)
	}
	pseudo := append(bytes.Clone(ip[12:20]), 0, ip[9], byte((len(ip)-ihl)>>8), byte(len(ip)-ihl))
	if s := slowSum(append(pseudo, ip[ihl:]...)); s != 0xffff {
		t.Errorf("TCP checksum: the sum is %#x", s)
	}
}

func TestSuperPacketIsCutAsTheSenderWouldHave(t *testing.T) {
	data := tcpPacket(0xfffffff0, flow.ACK|flow.PSH|flow.FIN|flow.CWR, 12, 3*1448+7, 1448)
	p, ok := parsePacket(data)
	if !ok || p.segments != 4 || p.Headers != 52 || p.Payload != 3*1448+7 {
		t.Fatalf("parsed %+v, %v", p, ok)
	}
	dst := make([]byte, maxPacket)
	var payload []byte
	for i := range p.segments {
		n := p.cut(dst, i)
		checksummed := bytes.Clone(dst[vnetSize:n])
		fillChecksum(dst, checksummed)
		checkWhole(t, checksummed)
		s, ok := parsePacket(dst[:n])
		if !ok || s.segments != 1 || n != vnetSize+s.Headers+s.Payload {
			t.Fatalf("segment %d: %+v, %v, %d bytes", i, s, ok, n)
		}
		if want := 0xfffffff0 + uint32(i)*1448; s.Seq != want {
			t.Errorf("segment %d has number %d, want %d", i, s.Seq, want)
		}
		if id := binary.BigEndian.Uint16(s.data[vnetSize+4:]); id != uint16(0xffff+i) {
			t.Errorf("segment %d has identification %d", i, id)
		}
		want := flow.ACK
		if i == 0 {
			want |= flow.CWR
		}
		if i == 3 {
			want |= flow.PSH | flow.FIN
		}
		if s.Flags != want || p.flagsOf(i) != want {
			t.Errorf("segment %d has flags %#x, want %#x", i, s.Flags, want)
		}
		payload = append(payload, s.data[vnetSize+s.Headers:]...)
	}
	if !bytes.Equal(payload, data[vnetSize+52:]) {
		t.Error("the segments do not make the payload")
	}
}

func TestParsePacketRefuses(t *testing.T) {
	good := tcpPacket(1, flow.ACK, 0, 100, 0)
	change := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[vnetSize+at] = v
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                    {},
		"a virtio-net header alone":  good[:vnetSize],
		"half an IP header":          good[:vnetSize+19],
		"IPv6":                       change(0, 0x65),
		"an IP header of 16 bytes":   change(0, 0x44),
		"a length beyond the buffer": change(2, 1),
		"a length below the header":  change(3, 19)[:vnetSize+19],
	} {
		if p, ok := parsePacket(b); ok {
			t.Errorf("%s: parsed as %+v", name, p)
		}
	}
}

func TestParsePacketReadsWhatItCan(t *testing.T) {
	change := func(b []byte, at int, v byte) []byte {
		b[vnetSize+at] = v
		return b
	}
	for _, c := range []struct {
		name             string
		data             []byte
		headers, payload int
		port             uint16
	}{
		{"TCP", tcpPacket(1, 0, 8, 5, 0), 48, 5, 1234},
		{"bytes behind the packet", append(tcpPacket(1, 0, 0, 5, 0), 1, 2, 3), 40, 5, 1234},
		{"a later fragment", change(tcpPacket(1, 0, 0, 5, 0), 7, 1), 20, 25, 0},
		{"UDP", change(tcpPacket(1, 0, 0, 0, 0), 9, byte(flow.UDP)), 28, 12, 1234},
		{"ICMP", change(tcpPacket(1, 0, 0, 0, 0), 9, byte(flow.ICMP)), 28, 12, 0},
		{"something else", change(tcpPacket(1, 0, 0, 0, 0), 9, 99), 20, 20, 0},
		{"a TCP header said to be 60 bytes", change(tcpPacket(1, 0, 0, 0, 0), 32, 0xf0), 20, 20, 0},
		{"super-packet of less than a segment", tcpPacket(1, 0, 0, 5, 100), 40, 5, 1234},
	} {
		p, ok := parsePacket(c.data)
		if !ok || p.Headers != c.headers || p.Payload != c.payload || p.Key.Address(p.From).Port() != c.port || p.segments != 1 {
			t.Errorf("%s: %+v, %v", c.name, p, ok)
		}
	}
}

func TestSumIsThatOfRFC1071(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32()) | byte(n&1*0xf0) // odd lengths provoke carries
		}
		// Zero has two representations; only all zeros sum to the positive one.
		if got, want := sum(b, 0), slowSum(b); got%0xffff != want%0xffff {
			t.Fatalf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
	if got := sum([]byte{0xff, 0xff, 0xff, 0xff}, 0xffff_ffff_ffff_ffff); got != 0xffff {
		t.Errorf("all ones sum to %#x", got)
	}
}

// FuzzPacket feeds any bytes to the parser and, where they are a super-packet, to
// the knife: nothing may be read or written out of bounds, and the segments must
// be the packet again.
func FuzzPacket(f *testing.F) {
	f.Add(tcpPacket(0, flow.SYN, 20, 0, 0))
	f.Add(tcpPacket(0xffffff00, flow.ACK|flow.FIN, 12, 5000, 1448))
	f.Add(tcpPacket(7, flow.ACK, 40, 100, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxPacket {
			return
		}
		p, ok := parsePacket(data)
		if !ok {
			return
		}
		l := newLedger(10)
		fl := l.flow(&p, Client, 1)
		sum, dst := 0, make([]byte, maxPacket)
		for i := range p.segments {
			l.sent(fl, Client, &p, i, passage{at: 1})
			if p.segments == 1 {
				fillChecksum(p.data[:vnetSize], p.data[vnetSize:])
				sum += p.payloadOf(i)
				continue
			}
			n := p.cut(dst, i)
			s, ok := parsePacket(dst[:n])
			if !ok || s.Headers != p.Headers || s.Payload != p.payloadOf(i) || s.segments != 1 {
				t.Fatalf("segment %d of %+v is %+v", i, p, s)
			}
			if !bytes.Equal(s.data[vnetSize+s.Headers:], p.data[vnetSize+p.Headers+sum:][:s.Payload]) {
				t.Fatalf("segment %d has the wrong payload", i)
			}
			sum += s.Payload
		}
		if sum != p.Payload {
			t.Fatalf("%d bytes of payload in the segments of %d", sum, p.Payload)
		}
		if w := fl.Sent(p.From); int(w.Packets) != p.segments || int(w.Payload) != p.Payload {
			t.Fatalf("counted %+v of %+v", w, p)
		}
	})
}

func BenchmarkCut(b *testing.B) {
	p, _ := parsePacket(tcpPacket(1, flow.ACK, 12, 40*1448, 1448))
	dst := make([]byte, 2048)
	b.SetBytes(1500)
	for b.Loop() {
		p.cut(dst, 7)
	}
}
