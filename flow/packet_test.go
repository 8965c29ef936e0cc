package flow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

// datagram returns a UDP datagram from port 1234 to port 443.
func datagram(payload ...byte) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, 1234)
	binary.BigEndian.PutUint16(b[2:], 443)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return append(b, payload...)
}

// extension returns an extension header of IPv6 of so many bytes before b.
func extension(next byte, size int, b []byte) []byte {
	h := make([]byte, size, size+len(b))
	h[0], h[1] = next, byte(size/8-1)
	return append(h, b...)
}

// fragment6 returns a fragment header of IPv6 before b; offset is in bytes.
func fragment6(next byte, offset int, more bool, b []byte) []byte {
	h := make([]byte, 8, 8+len(b))
	h[0] = next
	field := uint16(offset)
	if more {
		field |= 1
	}
	binary.BigEndian.PutUint16(h[2:], field)
	return append(h, b...)
}

// fragment4 makes b a fragment; offset is in bytes.
func fragment4(offset int, more bool, b []byte) []byte {
	field := uint16(offset / 8)
	if more {
		field |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], field)
	return b
}

// set returns b with one byte changed.
func set(b []byte, at int, v byte) []byte {
	b = bytes.Clone(b)
	b[at] = v
	return b
}

func TestParseReadsWhatThereIs(t *testing.T) {
	seg := segment(7, PSH|ACK, 12, 100)
	for _, c := range []struct {
		name string
		data []byte
		wire int
		want Packet // Key and From apart
		from string // and to, with 2 for 1
		port uint16
	}{
		{"TCP", ip4(TCP, seg), 0, Packet{Network: 20, Headers: 52, Payload: 100, Transport: true, Seq: 7, Flags: PSH | ACK}, "10.9.0.1", 1234},
		{"TCP over IPv6", ip6(6, seg), 0, Packet{Network: 40, Headers: 72, Payload: 100, Transport: true, Seq: 7, Flags: PSH | ACK}, "fd09::1", 1234},
		{"UDP", ip4(UDP, datagram(1, 2, 3)), 0, Packet{Network: 20, Headers: 28, Payload: 3, Transport: true}, "10.9.0.1", 1234},
		{"UDP over IPv6", ip6(17, datagram(1, 2, 3)), 0, Packet{Network: 40, Headers: 48, Payload: 3, Transport: true}, "fd09::1", 1234},
		{"ICMP", ip4(ICMP, make([]byte, 64)), 0, Packet{Network: 20, Headers: 28, Payload: 56}, "10.9.0.1", 0},
		{"ICMPv6", ip6(58, make([]byte, 64)), 0, Packet{Network: 40, Headers: 48, Payload: 56}, "fd09::1", 0},
		{"another protocol", ip4(99, seg), 0, Packet{Network: 20, Headers: 20, Payload: 132}, "10.9.0.1", 0},
		{"options of IPv4", func() []byte {
			b := slices.Insert(ip4(TCP, seg), 20, 1, 1, 1, 1)
			b[0], b[3] = 0x46, b[3]+4
			return b
		}(), 0, Packet{Network: 24, Headers: 56, Payload: 100, Transport: true, Seq: 7, Flags: PSH | ACK}, "10.9.0.1", 1234},
		{"padding of the link", append(ip4(TCP, segment(7, ACK, 0, 0)), make([]byte, 6)...), 46, Packet{Network: 20, Headers: 40, Transport: true, Seq: 7, Flags: ACK}, "10.9.0.1", 1234},
		{"padding of the link, IPv6", append(ip6(6, segment(7, ACK, 0, 0)), 0, 0), 62, Packet{Network: 40, Headers: 60, Transport: true, Seq: 7, Flags: ACK}, "fd09::1", 1234},

		// Extension headers of IPv6.
		{"each extension header once", ip6(0, extension(60, 8, extension(43, 24, extension(135, 8, extension(139, 40, extension(140, 8, extension(6, 16, seg))))))), 0,
			Packet{Network: 144, Headers: 176, Payload: 100, Transport: true, Seq: 7, Flags: PSH | ACK}, "fd09::1", 1234},
		{"authentication", ip6(51, append([]byte{6, 4, 23: 0}, seg...)), 0, Packet{Network: 64, Headers: 96, Payload: 100, Transport: true, Seq: 7, Flags: PSH | ACK}, "fd09::1", 1234},
		{"encryption ends them", ip6(0, extension(50, 8, seg)), 0, Packet{Network: 48, Headers: 48, Payload: 132}, "fd09::1", 0},
		{"nothing follows", ip6(60, extension(59, 8, nil)), 100, Packet{Network: 48, Headers: 48}, "fd09::1", 0},

		// Fragments.
		{"the first fragment", fragment4(0, true, ip4(TCP, seg)), 0, Packet{Network: 20, Headers: 52, Payload: 100, Transport: true, Fragment: true, Seq: 7, Flags: PSH | ACK}, "10.9.0.1", 1234},
		{"a fragment within", fragment4(1480, true, ip4(TCP, seg)), 0, Packet{Network: 20, Headers: 20, Payload: 132, Fragment: true}, "10.9.0.1", 0},
		{"the last fragment", fragment4(1480, false, ip4(TCP, seg)), 0, Packet{Network: 20, Headers: 20, Payload: 132, Fragment: true}, "10.9.0.1", 0},
		{"not to be fragmented", set(ip4(TCP, seg), 6, 0x40), 0, Packet{Network: 20, Headers: 52, Payload: 100, Transport: true, Seq: 7, Flags: PSH | ACK}, "10.9.0.1", 1234},
		{"a whole packet with a fragment header", ip6(44, fragment6(6, 0, false, seg)), 0, Packet{Network: 48, Headers: 80, Payload: 100, Transport: true, Seq: 7, Flags: PSH | ACK}, "fd09::1", 1234},
		{"the first fragment of IPv6", ip6(44, fragment6(6, 0, true, seg)), 0, Packet{Network: 48, Headers: 80, Payload: 100, Transport: true, Fragment: true, Seq: 7, Flags: PSH | ACK}, "fd09::1", 1234},
		{"a later fragment of IPv6", ip6(44, fragment6(6, 1448, false, seg)), 0, Packet{Network: 48, Headers: 48, Payload: 132, Fragment: true}, "fd09::1", 0},
		{"a later fragment of what has extension headers", ip6(44, fragment6(60, 1448, true, seg)), 0, Packet{Network: 48, Headers: 48, Payload: 132, Fragment: true}, "fd09::1", 0},

		// Cut short by the capture: sizes are those of the packet.
		{"half of the payload", ip4(TCP, seg)[:100], 152, Packet{Network: 20, Headers: 52, Payload: 100, Missing: 52, Transport: true, Seq: 7, Flags: PSH | ACK}, "10.9.0.1", 1234},
		{"no options of TCP", ip4(TCP, seg)[:40], 152, Packet{Network: 20, Headers: 52, Payload: 100, Missing: 112, Transport: true, Seq: 7, Flags: PSH | ACK}, "10.9.0.1", 1234},
		{"TCP to its flags, as 68 bytes hold of IPv6", ip6(6, seg)[:54], 172, Packet{Network: 40, Headers: 72, Payload: 100, Missing: 118, Transport: true, Seq: 7, Flags: PSH | ACK}, "fd09::1", 1234},
		{"TCP without its flags", ip4(TCP, seg)[:33], 152, Packet{Network: 20, Headers: 20, Payload: 132, Missing: 119}, "10.9.0.1", 0},
		{"half of UDP's header", ip4(UDP, datagram(1, 2, 3))[:26], 31, Packet{Network: 20, Headers: 20, Payload: 11, Missing: 5}, "10.9.0.1", 0},
		{"the IP header alone", ip4(TCP, seg)[:20], 152, Packet{Network: 20, Headers: 20, Payload: 132, Missing: 132}, "10.9.0.1", 0},

		// Transport headers that cannot be.
		{"TCP of 19 bytes", ip4(TCP, make([]byte, 19)), 0, Packet{Network: 20, Headers: 20, Payload: 19}, "10.9.0.1", 0},
		{"TCP with a header of 16 bytes", ip4(TCP, set(seg, 12, 0x40)), 0, Packet{Network: 20, Headers: 20, Payload: 132}, "10.9.0.1", 0},
		{"TCP with a header beyond the packet", ip4(TCP, set(segment(7, 0, 0, 5), 12, 0xf0)), 0, Packet{Network: 20, Headers: 20, Payload: 25}, "10.9.0.1", 0},
		{"UDP of 7 bytes", ip4(UDP, make([]byte, 7)), 0, Packet{Network: 20, Headers: 20, Payload: 7}, "10.9.0.1", 0},

		// Packets that do not know their length.
		{"a super-packet of IPv4", set(set(ip4(TCP, seg), 2, 0), 3, 0)[:60], 70_000, Packet{Network: 20, Headers: 52, Payload: 69_948, Missing: 69_940, Transport: true, Seq: 7, Flags: PSH | ACK}, "10.9.0.1", 1234},
		{"a jumbogram", set(set(ip6(0, extension(6, 8, seg)), 4, 0), 5, 0), 70_000, Packet{Network: 48, Headers: 80, Payload: 69_920, Missing: 69_820, Transport: true, Seq: 7, Flags: PSH | ACK}, "fd09::1", 1234},
	} {
		var p Packet
		if err := p.Parse(c.data, c.wire); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		from, to := p.Key.Address(p.From), p.Key.Address(p.From.Other())
		wantTo := netip.MustParseAddr(c.from).Next()
		if from.Addr().String() != c.from || from.Port() != c.port || to.Addr() != wantTo || (to.Port() != 0) != p.Transport {
			t.Errorf("%s: from %v to %v", c.name, from, to)
		}
		p.Key, p.From = Key{}, 0
		if p != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, p, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	seg := segment(7, ACK, 12, 100)
	for _, c := range []struct {
		name string
		data []byte
		wire int
		want error
	}{
		{"nothing", nil, 0, ErrShort},
		{"no version of IP", set(ip4(TCP, seg), 0, 0x55), 0, ErrVersion},
		{"half a header", ip4(TCP, seg)[:19], 0, ErrShort},
		{"no options", set(ip4(TCP, seg), 0, 0x46)[:22], 0, ErrShort},
		{"a header of 16 bytes", set(ip4(TCP, seg), 0, 0x44), 0, ErrMalformed},
		{"a length below the header's", set(ip4(TCP, nil), 3, 19), 0, ErrMalformed},
		{"no length, and none known", set(ip4(TCP, nil), 3, 0), 0, ErrMalformed},
		{"half a header of IPv6", ip6(6, seg)[:39], 0, ErrShort},
		{"half an extension header", ip6(0, extension(6, 24, seg))[:60], 0, ErrShort},
		{"an extension header without its length", ip6(0, extension(6, 24, seg))[:41], 0, ErrShort},
		{"an extension header beyond the packet", ip6(0, set(extension(6, 8, nil), 1, 9)), 0, ErrMalformed},
		{"an extension header without room", ip6(60, nil), 0, ErrMalformed},
		{"half a fragment header", ip6(44, fragment6(6, 0, false, seg))[:46], 0, ErrShort},
	} {
		var p Packet
		if err := p.Parse(c.data, c.wire); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v; %+v", c.name, err, c.want, p)
		}
	}
}

func TestParseFindsTheBeginningOfQUIC(t *testing.T) {
	for _, c := range []struct {
		name  string
		first []byte
		want  bool
	}{
		{"Initial", []byte{0xc3, 0, 0, 0, 1}, true},
		{"Initial of version 2", []byte{0xd0, 0x6b, 0x33, 0x43, 0xcf}, true},
		{"Initial, the fixed bit greased", []byte{0x81, 0, 0, 0, 1}, true},
		{"0-RTT", []byte{0xd0, 0, 0, 0, 1}, false},
		{"0-RTT of version 2", []byte{0xe0, 0x6b, 0x33, 0x43, 0xcf}, false},
		{"Version Negotiation", []byte{0xc0, 0, 0, 0, 0}, false},
		{"Retry", []byte{0xf0, 0, 0, 0, 1}, false},
		{"a short header", []byte{0x40, 0, 0, 0, 1}, false},
		{"too short", []byte{0xc3, 0, 0, 0}, false},
	} {
		for _, b := range [][]byte{ip4(UDP, datagram(c.first...)), ip6(17, datagram(c.first...))} {
			var p Packet
			if err := p.Parse(b, 0); err != nil || p.Initial != c.want {
				t.Errorf("%s: %v, %v", c.name, p.Initial, err)
			}
		}
	}
	var p Packet
	if b := ip4(UDP, datagram(0xc3, 0, 0, 0, 1)); p.Parse(b[:len(b)-1], 0) != nil || p.Initial {
		t.Error("what was not captured is guessed")
	}
	if p.Parse(fragment4(8, false, ip4(UDP, datagram(0xc3, 0, 0, 0, 1))), 0) != nil || p.Initial {
		t.Error("a later fragment begins a connection")
	}
}

// Both directions have one key; another address, port, protocol or version has another.
func TestKeyIsThatOfBothDirections(t *testing.T) {
	parse := func(b []byte) (p Packet) {
		t.Helper()
		if err := p.Parse(b, 0); err != nil {
			t.Fatal(err)
		}
		return p
	}
	seen := map[Key]string{}
	for name, b := range map[string][]byte{
		"TCP":             tcp4(1, ACK, 0, 0),
		"UDP":             ip4(UDP, datagram()),
		"ICMP":            ip4(ICMP, make([]byte, 8)),
		"TCP over IPv6":   tcp6(1, ACK, 0, 0),
		"another port":    set(tcp4(1, ACK, 0, 0), 21, 0),
		"another address": set(tcp4(1, ACK, 0, 0), 12, 11),
		"mapped into IPv6": func() []byte {
			b := tcp6(1, ACK, 0, 0)
			copy(b[8:], netip.MustParseAddr("::ffff:10.9.0.1").AsSlice())
			copy(b[24:], netip.MustParseAddr("::ffff:10.9.0.2").AsSlice())
			return b
		}(),
	} {
		p, q := parse(b), parse(reverse(b))
		if p.Key != q.Key || p.From == q.From {
			t.Errorf("%s: %v from end %d, and back %v from %d", name, p.Key, p.From, q.Key, q.From)
		}
		if other, ok := seen[p.Key]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[p.Key] = name
	}
}

// reverse returns a packet with its ends exchanged; of IPv6, without extension headers.
func reverse(b []byte) []byte {
	b = bytes.Clone(b)
	at, size, ports := 12, 4, int(b[0]&0xf)*4
	if b[0]>>4 == 6 {
		at, size, ports = 8, 16, 40
	}
	swap := func(at, size int) {
		if at+2*size <= len(b) {
			copy(b[at:], slices.Concat(b[at+size:at+2*size], b[at:at+size]))
		}
	}
	swap(at, size)
	swap(ports, 2)
	return b
}

func TestParseAllocatesNothing(t *testing.T) {
	four, six := tcp4(1, ACK, 12, 100), ip6(0, extension(6, 8, segment(1, ACK, 12, 100)))
	var p Packet
	if n := testing.AllocsPerRun(100, func() {
		p.Parse(four, 0)
		p.Parse(six, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse feeds any bytes to the parser. Nothing may be read out of bounds, and the sizes
// must fit each other and what was captured.
func FuzzParse(f *testing.F) {
	seg := segment(7, PSH|ACK, 12, 10)
	for _, b := range [][]byte{
		ip4(TCP, seg), ip6(6, seg), ip4(UDP, datagram(0xc3, 0, 0, 0, 1)), fragment4(8, true, ip4(TCP, seg)),
		ip6(0, extension(44, 16, fragment6(60, 0, true, extension(6, 8, seg)))), ip6(51, append([]byte{6, 4, 23: 0}, seg...)),
	} {
		f.Add(b, len(b))
		f.Add(b[:len(b)/2], len(b))
	}
	f.Fuzz(func(t *testing.T, b []byte, wire int) {
		wire = min(max(wire, 0), 1<<30)
		var p Packet
		if err := p.Parse(b, wire); err != nil {
			if err != ErrShort && err != ErrVersion && err != ErrMalformed {
				t.Fatal(err)
			}
			return
		}
		size := p.Headers + p.Payload
		if p.Network < 20 || p.Headers < p.Network || p.Payload < 0 || p.Missing < 0 || p.Network+p.Missing > size {
			t.Fatalf("%+v", p)
		}
		if have := size - p.Missing; have > len(b) || p.Missing > 0 && have != len(b) {
			t.Fatalf("%d bytes of %d are there: %+v", len(b), size, p)
		}
		if from := p.Key.Address(p.From); !from.Addr().IsValid() || !p.Transport && (from.Port() != 0 || p.Flags != 0 || p.Initial) {
			t.Fatalf("from %v: %+v", from, p)
		}
		// What is known of a packet that was cut short is true of all of it.
		whole := append(bytes.Clone(b), make([]byte, min(p.Missing, 1<<16))...)
		var q Packet
		if p.Missing > 1<<16 {
			return
		}
		if err := q.Parse(whole, wire); err != nil || q.Headers+q.Payload != size || p.Transport && (q.Key != p.Key || q.From != p.From || q.Seq != p.Seq || q.Flags != p.Flags) {
			t.Fatalf("cut short %+v, whole %+v, %v", p, q, err)
		}
	})
}
