package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"linger"
	"linger/capture/pcap"
	"linger/flow"
	"linger/trace"
)

// heard is a Sink that keeps the exchanges.
type heard struct{ exchanges []trace.Exchange }

func (h *heard) WriteExchange(x *trace.Exchange) error {
	h.exchanges = append(h.exchanges, *x)
	return nil
}
func (*heard) WriteConnection(c *trace.Connection) error { return nil }

// FuzzDNSFraming hands the bytes of DNS over TCP in whole, and in pieces: the messages are the
// same.
func FuzzDNSFraming(f *testing.F) {
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01h\x07example\x00\x00\x01\x00\x01"
	framed := string(binary.BigEndian.AppendUint16(nil, uint16(len(query)))) + query
	f.Add([]byte(framed+framed), uint8(1))
	f.Add([]byte(framed[:20]), uint8(7))
	f.Add([]byte("\x00\x00\x00\x00"+framed), uint8(3))
	f.Add([]byte("\xff\xff"+framed), uint8(200))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		messages := func(size int) []trace.Exchange {
			var got heard
			r := New(Options{}, &got)
			c, a := &conn{key: flow.Key{}}, &dnsApp{}
			for rest := b; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				a.data(r, c, flow.Low, rest[:min(size, len(rest))], mark{})
				if len(a.buf[flow.Low]) > 2+1<<16 {
					t.Fatalf("%d bytes are held", len(a.buf[flow.Low]))
				}
			}
			a.close(r, c, "over")
			return got.exchanges
		}
		whole, pieces := messages(max(len(b), 1)), messages(int(max(size, 1)))
		if len(whole) != len(pieces) {
			t.Fatalf("%d messages in whole, %d in pieces", len(whole), len(pieces))
		}
		for i := range whole {
			if whole[i].URL != pieces[i].URL || whole[i].RequestBody != pieces[i].RequestBody {
				t.Fatalf("%+v, and in pieces %+v", whole[i], pieces[i])
			}
		}
	})
}

// FuzzProxyHead reads heads of the PROXY protocol: they end within the bytes, and name an
// address or none.
func FuzzProxyHead(f *testing.F) {
	f.Add([]byte("PROXY TCP4 198.51.100.9 192.0.2.1 49152 80\r\nGET / HTTP/1.1\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(proxy2 + "\x21\x11\x00\x0c\xc6\x33\x64\x09\xc0\x00\x02\x01\xc0\x00\x00\x50GET"))
	f.Add([]byte(proxy2 + "\x20\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, from, whole := proxyHead(b)
		if n < 0 || n > len(b) || whole && n == 0 || !whole && n != 0 {
			t.Fatalf("%d of %d bytes, whole %v", n, len(b), whole)
		}
		if _, err := netip.ParseAddrPort(from); from != "" && err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzLinks takes link layers and tunnels off: what is in them is a part of the frame.
func FuzzLinks(f *testing.F) {
	ip := append([]byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 59, 0, 0}, make([]byte, 8)...)
	for i := range links {
		f.Add(uint8(i), append(make([]byte, 24), ip...))
	}
	f.Add(uint8(1), append([]byte{12: 0x81, 14: 0, 16: 0x88, 17: 0x47, 20: 1, 21: 0}, ip...))
	f.Fuzz(func(t *testing.T, link uint8, b []byte) {
		in, _, what := unwrap(links[int(link)%len(links)], b)
		if what == foundIP && len(in) > len(b) {
			t.Fatalf("%d bytes in %d", len(in), len(b))
		}
		var p flow.Packet
		if what != foundIP || p.Parse(in, len(in)) != nil || p.Fragment {
			return
		}
		ports := uint32(0)
		if p.Transport {
			ports = binary.BigEndian.Uint32(in[p.Network:])
		}
		if within, what := inner(uint8(p.Key.Protocol()), ports, in[p.Network:], in[min(p.Headers, len(in)):]); what == foundIP && len(within) > len(in) {
			t.Fatalf("%d bytes in %d", len(within), len(in))
		}
		r := New(Options{}, &heard{})
		if err := r.Add(&pcap.Frame{At: linger.Instant(0), Number: 1, Link: links[int(link)%len(links)], Data: b, Wire: len(b)}); err != nil {
			t.Fatal(err)
		}
		r.Finish()
	})
}
