package flow_test

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/flow"
	"linger/internal/testall"
	"linger/internal/tshark"
)

// A stream is one connection by number and protocol, as tshark's tcp.stream and udp.stream
// name them.
type stream struct {
	protocol flow.Protocol
	number   uint64
}

// counts is what both can say of a stream, both directions together.
type counts struct {
	packets, payload, syn, fin, rst, retransmitted int64
	opener, closer                                 string // addresses; none if not known
}

// byFlow counts a capture file with the table under test.
func byFlow(t testing.TB, file string) map[stream]counts {
	t.Helper()
	out := map[stream]counts{}
	table := flow.NewTable(flow.Config{Ended: func(f *flow.Flow, _ flow.Outcome) {
		protocol := f.Key.Protocol()
		if protocol != flow.TCP && protocol != flow.UDP || f.Address(flow.Low).Port() == 0 && f.Address(flow.High).Port() == 0 {
			return // tshark does not number them
		}
		var c counts
		for e := flow.Low; e <= flow.High; e++ {
			d := f.Sent(e)
			c.packets += d.Packets
			c.payload += d.Payload
			c.syn += d.SYN
			c.fin += d.FIN
			c.rst += d.RST
			c.retransmitted += d.Retransmitted
		}
		if by, ok := f.Opener.Get(); ok {
			c.opener = f.Address(by).String()
		}
		if by, ok := f.Closing.Get(); ok {
			c.closer = f.Address(by.By).String()
		}
		out[stream{protocol, f.Number}] = c
	}})
	var p flow.Packet
	err := readCapture(file, func(at linger.Instant, ip []byte, wire int) {
		if err := p.Parse(ip, wire); err != nil {
			return
		}
		f, payload := table.Find(&p, at), p.Payload
		if p.Transport && p.Fragment && p.Key.Protocol() == flow.TCP {
			payload = 0 // tshark says nothing of what a fragment carries
		}
		table.CountSegment(f, &p, p.Seq, p.Flags, payload, at)
	})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	table.Flush()
	return out
}

// byTshark counts a capture file with tshark. As keep-alive probes with an octet it has
// what the table calls retransmissions, since it cannot know what the octet is; what it
// calls out of order is a retransmission to the table, which has seen later ones before.
func byTshark(t testing.TB, file string) map[stream]counts {
	t.Helper()
	rows, err := tshark.Read(t.Context(), file,
		[]string{"-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-Y", "(tcp or udp) and not icmp and not icmpv6"},
		"tcp.stream", "udp.stream", "tcp.len", "udp.length", "tcp.flags.syn", "tcp.flags.ack", "tcp.flags.fin", "tcp.flags.reset",
		"tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.keep_alive",
		"ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport")
	if err != nil {
		t.Fatal(err)
	}
	out, answered := map[stream]counts{}, map[stream]bool{}
	for _, row := range rows {
		s := stream{flow.TCP, uint64(row.Number("tcp.stream"))}
		if row["tcp.stream"] == "" {
			s = stream{flow.UDP, uint64(row.Number("udp.stream"))}
		}
		c := out[s]
		c.packets++
		if s.protocol == flow.UDP {
			c.payload += row.Number("udp.length") - 8
			out[s] = c
			continue
		}
		c.payload += row.Number("tcp.len")
		c.syn += row.Is("tcp.flags.syn")
		c.fin += row.Is("tcp.flags.fin")
		c.rst += row.Is("tcp.flags.reset")
		if row["tcp.analysis.retransmission"] != "" || row["tcp.analysis.out_of_order"] != "" || row["tcp.analysis.keep_alive"] != "" && row.Number("tcp.len") > 0 {
			c.retransmitted++
		}
		end := func(way string) string {
			addr := cmp.Or(row["ip."+way], row["ipv6."+way])
			if strings.Contains(addr, ":") {
				addr = "[" + addr + "]"
			}
			return addr + ":" + row["tcp."+way+"port"]
		}
		if row.Is("tcp.flags.syn") == 1 && c.opener == "" {
			c.opener = end("src")
			if row.Is("tcp.flags.ack") == 1 {
				c.opener = end("dst")
			}
		}
		// A reset before the SYN-ACK closes nothing unless it acknowledges something.
		answered[s] = answered[s] || row.Is("tcp.flags.syn")+row.Is("tcp.flags.ack") == 2
		early := c.opener != "" && !answered[s] && row.Is("tcp.flags.ack") == 0
		if row.Is("tcp.flags.fin")+row.Is("tcp.flags.reset") > 0 && c.closer == "" && !early {
			c.closer = end("src")
		}
		out[s] = c
	}
	return out
}

// agree fails unless both count the same of every stream, but for so many retransmissions
// that tshark alone sees.
func agree(t *testing.T, file string, alone map[stream]int64) map[stream]counts {
	t.Helper()
	got, want := byFlow(t, file), byTshark(t, file)
	for s, n := range alone {
		c := want[s]
		c.retransmitted -= n
		want[s] = c
	}
	if len(got) != len(want) {
		t.Errorf("%d connections, tshark counts %d", len(got), len(want))
	}
	streams := slices.SortedFunc(maps.Keys(want), func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.number, b.number))
	})
	for _, s := range streams {
		if got[s] != want[s] {
			t.Errorf("%v.stream %d:\n   flow %+v\n tshark %+v", s.protocol, s.number, got[s], want[s])
		}
	}
	return got
}

// alone names the packets that tshark takes for retransmissions and the table does not: what
// they carry had not been seen before.
var alone = map[string]map[stream]int64{
	// Frame 8 was captured after its own acknowledgement, frame 6.
	"zeek_ipv6-http-atomic-frag.pcap": {{flow.TCP, 0}: 1},
	// Frame 19, a FIN, was captured after frame 18, an empty segment that was sent after it.
	"zeek_tls_tls13_psk_succesfull.pcap": {{flow.TCP, 0}: 1},
}

// TestTsharkCountsTheSame reads captures of others, where they are.
func TestTsharkCountsTheSame(t *testing.T) {
	// Beside the checkout, or beside the folder of several.
	var files []string
	for _, up := range []string{"../..", "../../.."} {
		more, err := filepath.Glob(up + "/shared/data/pcap/*")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		t.Skip("no captures in ../../shared/data/pcap")
	}
	testall.Needs(t, "tshark")
	for i, file := range files {
		if i%testall.Of(1, 8) > 0 {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) { agree(t, file, alone[filepath.Base(file)]) })
	}
}

// TestTsharkCountsTheSameOfWhatIsMadeUp lets both read connections over IPv4 and IPv6, whole and
// cut short, in fragments and behind extension headers, with packets missing and repeated,
// many on the same ports.
func TestTsharkCountsTheSameOfWhatIsMadeUp(t *testing.T) {
	testall.Needs(t, "tshark")
	for seed := range uint64(testall.Of(4, 2)) {
		rng := rand.New(rand.NewPCG(seed, 1))
		snap := []int{65535, 96}[seed%2]
		le := binary.LittleEndian
		file := le.AppendUint32(nil, 0xa1b2c3d4)
		file = le.AppendUint32(file, 4<<16|2)
		file = append(file, make([]byte, 8)...)
		file = le.AppendUint32(file, uint32(snap))
		file = le.AppendUint32(file, 101)
		packets := 0
		write := func(ip []byte) {
			packets++
			file = le.AppendUint32(file, uint32(packets/100))
			file = le.AppendUint32(file, uint32(packets%100*10_000))
			file = le.AppendUint32(file, uint32(min(len(ip), snap)))
			file = le.AppendUint32(file, uint32(len(ip)))
			file = append(file, ip[:min(len(ip), snap)]...)
		}
		for range 150 {
			c := conversation{rng: rng, six: rng.IntN(2) == 0, port: uint16(2000 + rng.IntN(20)), next: [2]uint32{rng.Uint32(), rng.Uint32()}}
			for _, ip := range c.packets() {
				if rng.IntN(30) > 0 {
					write(ip)
				}
			}
		}
		name := filepath.Join(t.TempDir(), "made-up.pcap")
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		got := agree(t, name, nil)
		var sum counts
		for _, c := range got {
			sum.retransmitted += c.retransmitted
			sum.rst += c.rst
			sum.fin += c.fin
		}
		t.Logf("%d packets, %d connections, %+v", packets, len(got), sum)
	}
}

// A conversation makes the packets of one connection of TCP between two hosts.
type conversation struct {
	rng  *rand.Rand
	six  bool
	port uint16
	next [2]uint32 // sequence numbers, of client and server
}

func (c *conversation) packets() (out [][]byte) {
	add := func(from int, flags uint8, payload int) {
		p := c.packet(from, flags, payload)
		out = append(out, p...)
		if c.rng.IntN(10) == 0 && flags != flow.ACK|flow.RST {
			out = append(out, p...) // and again
		}
		c.next[from] += uint32(payload)
		if flags&(flow.SYN|flow.FIN) != 0 {
			c.next[from]++
		}
	}
	add(0, flow.SYN, 0)
	add(1, flow.SYN|flow.ACK, 0)
	add(0, flow.ACK, 0)
	for range c.rng.IntN(12) {
		from := c.rng.IntN(2)
		add(from, flow.ACK|flow.PSH, 1+c.rng.IntN(1400))
		add(1-from, flow.ACK, 0)
	}
	last := c.rng.IntN(2)
	if c.rng.IntN(3) == 0 {
		add(last, flow.ACK|flow.RST, 0)
		return out
	}
	add(last, flow.ACK|flow.FIN, 0)
	add(1-last, flow.ACK|flow.FIN, 0)
	add(last, flow.ACK, 0)
	return out
}

// packet returns one segment as it crosses the network, in two fragments at times.
func (c *conversation) packet(from int, flags uint8, payload int) [][]byte {
	tcp := make([]byte, 32+payload)
	ports := [2]uint16{c.port, 80}
	binary.BigEndian.PutUint16(tcp, ports[from])
	binary.BigEndian.PutUint16(tcp[2:], ports[1-from])
	binary.BigEndian.PutUint32(tcp[4:], c.next[from])
	if flags&flow.ACK != 0 {
		binary.BigEndian.PutUint32(tcp[8:], c.next[1-from])
	}
	tcp[12], tcp[13], tcp[14] = 8<<4, flags, 0xff
	copy(tcp[20:], bytes.Repeat([]byte{1}, 12)) // no operations
	parts, at := [][]byte{tcp}, []int{0}
	if payload > 100 && c.rng.IntN(10) == 0 {
		parts, at = [][]byte{tcp[:96], tcp[96:]}, []int{0, 96}
	}
	var out [][]byte
	for i, part := range parts {
		more := uint16(0)
		if i < len(parts)-1 {
			more = 1
		}
		if !c.six {
			ip := make([]byte, 20, 20+len(part))
			ip[0], ip[8], ip[9] = 0x45, 64, 6
			binary.BigEndian.PutUint16(ip[2:], uint16(20+len(part)))
			binary.BigEndian.PutUint16(ip[4:], uint16(c.next[from]))
			binary.BigEndian.PutUint16(ip[6:], more<<13|uint16(at[i]/8))
			copy(ip[12:], []byte{10, 9, 0, byte(1 + from), 10, 9, 0, byte(2 - from)})
			out = append(out, append(ip, part...))
			continue
		}
		next := byte(6)
		if len(parts) > 1 {
			head := []byte{next, 0, byte(at[i] >> 8), byte(at[i]) | byte(more), 0, 0, byte(c.next[from] >> 8), byte(c.next[from])}
			part, next = append(head, part...), 44
		}
		if c.rng.IntN(5) == 0 {
			part, next = append([]byte{next, 1, 1, 12, 15: 0}, part...), 60
		}
		ip := make([]byte, 40, 40+len(part))
		ip[0], ip[6], ip[7] = 0x60, next, 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(part)))
		ip[8], ip[23], ip[24], ip[39] = 0xfd, byte(1+from), 0xfd, byte(2-from)
		out = append(out, append(ip, part...))
	}
	return out
}

// readCapture hands on the IP packets of a capture file, pcap or pcapng, also compressed,
// with the instant and the length of each on the link. It reads what the tests have.
func readCapture(file string, each func(at linger.Instant, ip []byte, wire int)) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return err
		}
		if b, err = io.ReadAll(z); err != nil {
			return err
		}
	}
	errShort := errors.New("the file ends within a packet")
	le := binary.LittleEndian
	switch {
	case len(b) >= 24 && le.Uint32(b) == 0xa1b2c3d4:
		link := le.Uint32(b[20:])
		for b = b[24:]; len(b) >= 16; {
			at := linger.Instant(le.Uint32(b))*1e9 + linger.Instant(le.Uint32(b[4:]))*1e3
			size, wire := int(le.Uint32(b[8:])), int(le.Uint32(b[12:]))
			if b = b[16:]; size > len(b) {
				return errShort
			}
			if err := unwrap(link, b[:size], wire, at, each); err != nil {
				return err
			}
			b = b[size:]
		}
		return nil
	case len(b) >= 28 && le.Uint32(b) == 0x0a0d0d0a && le.Uint32(b[8:]) == 0x1a2b3c4d:
		var links []uint32
		for len(b) >= 12 {
			kind, size := le.Uint32(b), int(le.Uint32(b[4:]))
			if size < 12 || size > len(b) {
				return errShort
			}
			body := b[8 : size-4]
			switch kind {
			case 1: // interface description
				links = append(links, uint32(le.Uint16(body)))
			case 6: // enhanced packet, stamped in nanoseconds as the lab does
				at := linger.Instant(uint64(le.Uint32(body[4:]))<<32 | uint64(le.Uint32(body[8:])))
				have, wire := int(le.Uint32(body[12:])), int(le.Uint32(body[16:]))
				if err := unwrap(links[le.Uint32(body)], body[20:][:have], wire, at, each); err != nil {
					return err
				}
			}
			b = b[size:]
		}
		return nil
	}
	return fmt.Errorf("neither pcap nor pcapng of this byte order")
}

// unwrap takes the header of the link layer off.
func unwrap(link uint32, b []byte, wire int, at linger.Instant, each func(linger.Instant, []byte, int)) error {
	size, ip := 0, true
	switch link {
	case 0: // BSD loopback
		size = 4
	case 1: // Ethernet, with tags of VLANs
		kind := uint16(0)
		for size = 14; size <= len(b); size += 4 {
			if kind = binary.BigEndian.Uint16(b[size-2:]); kind != 0x8100 && kind != 0x88a8 && kind != 0x9100 {
				break
			}
		}
		ip = kind == 0x0800 || kind == 0x86dd
	case 9: // PPP, here its protocol alone
		size = 2
	case 101, 12, 14: // raw IP
	case 239: // NFLOG: attributes, one of which is the packet
		for size = 4; size+4 <= len(b); {
			n := int(binary.LittleEndian.Uint16(b[size:]))
			if binary.LittleEndian.Uint16(b[size+2:]) == 9 {
				size += 4
				break
			}
			size += (n + 3) &^ 3
		}
	default:
		return fmt.Errorf("link type %d", link)
	}
	if ip && size <= len(b) {
		each(at, b[size:], wire-size)
	}
	return nil
}
