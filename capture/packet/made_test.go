package packet_test

import (
	"encoding/binary"
	"net/netip"
	"time"

	"linger/flow"
)

// A film is a capture that a test makes up.
type film struct {
	now    time.Duration
	step   time.Duration // between two packets
	frames []frame
	id     uint16
}

type frame struct {
	at   time.Duration
	data []byte // an IP packet, until wrapped
	wire int    // 0 is as long as data
}

// A talk is one connection of TCP in a film.
type talk struct {
	film *film
	ends [2]netip.AddrPort // client, server
	next [2]uint32
	mute bool // count packets, and do not film them
}

const (
	cli = 0
	srv = 1
)

func newFilm() *film { return &film{step: time.Millisecond} }

func (f *film) talk(client, server string) *talk {
	return &talk{film: f, ends: [2]netip.AddrPort{netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)}, next: [2]uint32{1000, 5000}}
}

// wait lets time pass.
func (f *film) wait(d time.Duration) { f.now += d }

func (f *film) add(ip []byte) {
	f.now += f.step
	f.frames = append(f.frames, frame{at: f.now, data: ip})
}

// open does the handshake.
func (t *talk) open() *talk {
	t.send(cli, flow.SYN, "")
	t.send(srv, flow.SYN|flow.ACK, "")
	t.send(cli, flow.ACK, "")
	return t
}

// send films a segment, and counts its sequence numbers.
func (t *talk) send(from int, flags uint8, data string) *talk {
	t.again(from, t.next[from], flags, data)
	t.next[from] += uint32(len(data))
	if flags&(flow.SYN|flow.FIN) != 0 {
		t.next[from]++
	}
	return t
}

// say sends data, which the other side acknowledges.
func (t *talk) say(from int, data string) *talk {
	t.send(from, flow.ACK|flow.PSH, data)
	return t.send(1-from, flow.ACK, "")
}

// lose counts data that is not captured.
func (t *talk) lose(from int, data string) *talk {
	t.next[from] += uint32(len(data))
	return t
}

// again films a segment with that sequence number.
func (t *talk) again(from int, seq uint32, flags uint8, data string) *talk {
	if !t.mute {
		t.film.id++
		t.film.add(ipPacket(t.ends[from], t.ends[1-from], 6, t.film.id, segment(t.ends[from].Port(), t.ends[1-from].Port(), seq, t.next[1-from], flags, data)))
	}
	return t
}

// close ends the connection by FINs, the first by one end.
func (t *talk) close(by int) *talk {
	t.send(by, flow.FIN|flow.ACK, "")
	t.send(1-by, flow.FIN|flow.ACK, "")
	return t.send(by, flow.ACK, "")
}

func segment(from, to uint16, seq, ack uint32, flags uint8, data string) []byte {
	b := make([]byte, 20, 20+len(data))
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint32(b[4:], seq)
	if flags&flow.ACK != 0 {
		binary.BigEndian.PutUint32(b[8:], ack)
	}
	b[12], b[13], b[14] = 5<<4, flags, 0xff
	return append(b, data...)
}

func datagram(from, to uint16, data string) []byte {
	b := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(data)))
	return append(b, data...)
}

func ipPacket(from, to netip.AddrPort, protocol byte, id uint16, b []byte) []byte {
	if from.Addr().Is4() {
		h := make([]byte, 20, 20+len(b))
		h[0], h[8], h[9] = 0x45, 64, protocol
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(b)))
		binary.BigEndian.PutUint16(h[4:], id)
		copy(h[12:], from.Addr().AsSlice())
		copy(h[16:], to.Addr().AsSlice())
		return append(h, b...)
	}
	h := make([]byte, 40, 40+len(b))
	h[0], h[6], h[7] = 0x60, protocol, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(b)))
	copy(h[8:], from.Addr().AsSlice())
	copy(h[24:], to.Addr().AsSlice())
	return append(h, b...)
}

// udp films a datagram.
func (f *film) udp(from, to string, data string) {
	a, b := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	f.id++
	f.add(ipPacket(a, b, 17, f.id, datagram(a.Port(), b.Port(), data)))
}

// wrap puts something before each packet, as links and tunnels do.
func (f *film) wrap(how func(ip []byte) []byte) *film {
	for i := range f.frames {
		f.frames[i].data = how(f.frames[i].data)
	}
	return f
}

// pcap is the film as a file, of which frames have at most snap bytes.
func (f *film) pcap(link uint32, snap int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = le.AppendUint32(b, 4<<16|2)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, uint32(snap))
	b = le.AppendUint32(b, link)
	for _, one := range f.frames {
		size := min(len(one.data), snap)
		b = le.AppendUint32(b, uint32(1_700_000_000+one.at/time.Second))
		b = le.AppendUint32(b, uint32(one.at%time.Second))
		b = le.AppendUint32(b, uint32(size))
		b = le.AppendUint32(b, uint32(max(one.wire, len(one.data))))
		b = append(b, one.data[:size]...)
	}
	return b
}

const raw, whole = 101, 1 << 18
