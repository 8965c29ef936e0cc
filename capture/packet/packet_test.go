package packet_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/flow"
	"linger/internal/tshark"
	"linger/trace"
)

const (
	get      = "GET /a HTTP/1.1\r\nHost: h.example\r\nUser-Agent: t/1\r\n\r\n"
	ok       = "HTTP/1.1 200 OK\r\nServer: s/2\r\nContent-Length: 5\r\n\r\nhello"
	client   = "192.0.2.7:50000"
	server   = "192.0.2.1:80"
	client6  = "[2001:db8::7]:50000"
	server6  = "[2001:db8::1]:80"
	resolver = "192.0.2.53:53"
)

// summed is what a test of a film looks at, in one line a record.
func summed(r tshark.Records) (out []string) {
	for _, x := range r.Exchanges {
		line := fmt.Sprintf("%d/%d %s %s %d %d+%d", x.Connection, x.Number, x.Method, x.URL, x.Status, x.RequestBody, x.ResponseBody)
		if x.Rcode != "" {
			line = fmt.Sprintf("%d/%d %s %s %s x%d", x.Connection, x.Number, x.Method, x.URL, x.Rcode, x.Attempts)
		}
		if x.Known != trace.Seen {
			line += " " + string(x.Known)
		}
		if x.Failed != "" {
			line += ": " + x.Failed
		}
		out = append(out, line)
	}
	for _, c := range r.Connections {
		line := fmt.Sprintf("%d %s > %s %s %d", c.ID, c.Client, c.Server, c.Protocol, c.Requests)
		if within, ok := c.Within.Get(); ok {
			line += fmt.Sprintf(" within %d", within)
		}
		if c.BeganBefore {
			line += " began before"
		}
		if c.StillOpen {
			line += " still open"
		}
		if c.ClosedBy != "" {
			line += fmt.Sprintf(" closed by %s with %s", c.ClosedBy, c.ClosedWith)
			if !c.Closed.IsZero() && c.Released.IsZero() && c.ClosedWith == trace.FIN {
				line += ", not by the other"
			}
		} else if c.ClosedWith != "" {
			line += " " + string(c.ClosedWith)
		}
		if n := c.Missing.Or(0); n > 0 {
			line += fmt.Sprintf(" missing %d", n)
		}
		out = append(out, line)
	}
	return out
}

func is(t *testing.T, r tshark.Records, want ...string) {
	t.Helper()
	if got := summed(r); !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

const (
	theExchange   = "0/1 GET http://h.example/a 200 0+5"
	theConnection = "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by client with fin"
)

// one is a film of one exchange.
func one() *film {
	f := newFilm()
	f.talk(client, server).open().say(cli, get).say(srv, ok).close(cli)
	return f
}

func TestLinkTypes(t *testing.T) {
	before := func(head ...byte) func([]byte) []byte {
		return func(ip []byte) []byte { return append(slices.Clone(head), ip...) }
	}
	mac := make([]byte, 12)
	ether := func(rest ...byte) func([]byte) []byte { return before(append(slices.Clone(mac), rest...)...) }
	sll := make([]byte, 14)
	for name, c := range map[string]struct {
		link uint32
		wrap func([]byte) []byte
	}{
		"raw":               {101, before()},
		"raw, as OpenBSD's": {12, before()},
		"IPv4":              {228, before()},
		"Ethernet":          {1, ether(8, 0)},
		"Ethernet with FCS": {1, func(ip []byte) []byte { return append(ether(8, 0)(ip), 1, 2, 3, 4) }},
		"VLAN":              {1, ether(0x81, 0, 0, 5, 8, 0)},
		"QinQ":              {1, ether(0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0)},
		"MPLS":              {1, ether(0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64)},
		"PPPoE":             {1, ether(0x88, 0x64, 0x11, 0, 0, 1, 0, 40, 0, 0x21)},
		"cooked":            {113, before(append(slices.Clone(sll), 8, 0)...)},
		"cooked, version 2": {276, before(append([]byte{8, 0}, make([]byte, 18)...)...)},
		"null":              {0, before(2, 0, 0, 0)},
		"null, big-endian":  {0, before(0, 0, 0, 2)},
		"loop":              {108, before(0, 0, 0, 2)},
		"PPP":               {9, before(0xff, 3, 0, 0x21)},
		"PPP, bare":         {9, before(0, 0x21)},
		"PPP in HDLC":       {50, before(0xff, 3, 0, 0x21)},
		"PPPoE alone":       {51, before(0x11, 0, 0, 1, 0, 40, 0, 0x21)},
		"NFLOG":             {239, before(2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 3, 0, 0, 0x10, 9, 0)},
		"NFLOG, big-endian": {239, before(2, 0, 0, 0, 0, 8, 0, 1, 8, 0, 3, 0, 0x10, 0, 0, 9)},
		"IP in IP":          {101, func(ip []byte) []byte { return tunnel(4, ip) }},
		"GRE":               {101, func(ip []byte) []byte { return tunnel(47, append([]byte{0, 0, 8, 0}, ip...)) }},
		"GRE, with a key":   {101, func(ip []byte) []byte { return tunnel(47, append([]byte{0x20, 0, 8, 0, 0, 0, 0, 9}, ip...)) }},
		"GRE, of Ethernet":  {101, func(ip []byte) []byte { return tunnel(47, append([]byte{0, 0, 0x65, 0x58}, ether(8, 0)(ip)...)) }},
		"VXLAN":             {101, func(ip []byte) []byte { return tunnel(17, vxlan(ether(8, 0)(ip))) }},
		"GENEVE":            {101, func(ip []byte) []byte { return tunnel(17, geneve(ip)) }},
		"VXLAN in GRE": {101, func(ip []byte) []byte {
			return tunnel(47, append([]byte{0, 0, 8, 0}, tunnel(17, vxlan(ether(8, 0)(ip)))...))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, s := read(t, one().wrap(c.wrap).pcap(c.link, whole))
			is(t, got, theExchange, theConnection)
			if s.Malformed+s.NotIP+s.Duplicates > 0 || s.Frames != 10 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// tunnel puts a packet into one between two gateways.
func tunnel(protocol byte, b []byte) []byte {
	return ipPacket(netip.MustParseAddrPort("198.51.100.1:0"), netip.MustParseAddrPort("198.51.100.2:0"), protocol, 0, b)
}

func vxlan(frame []byte) []byte {
	return datagram(40000, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00"+string(frame))
}

func geneve(ip []byte) []byte {
	return datagram(40000, 6081, "\x01\x00\x08\x00\x00\x00\x07\x00"+"\x01\x02\x03\x00"+string(ip))
}

func TestUnknownLinkType(t *testing.T) {
	got, s := read(t, one().pcap(105, whole))
	is(t, got)
	if s.UnknownLinks[105] != 10 {
		t.Errorf("%+v", s)
	}
}

func TestFragments(t *testing.T) {
	for name, ends := range map[string][2]string{"IPv4": {client, server}, "IPv6": {client6, server6}} {
		t.Run(name, func(t *testing.T) {
			f := newFilm()
			long := strings.Replace(get, "/a", "/"+strings.Repeat("a", 900), 1)
			f.talk(ends[0], ends[1]).open().say(cli, long).say(srv, ok).close(cli)
			big := slices.IndexFunc(f.frames, func(one frame) bool { return len(one.data) > 600 })
			whole, at := f.frames[big].data, f.frames[big].at
			var parts []frame
			for _, p := range inPieces(whole) {
				parts = append(parts, frame{at: at, data: p})
			}
			parts[0], parts[1] = parts[1], parts[0] // in another order
			f.frames = slices.Concat(f.frames[:big], parts, f.frames[big+1:])
			got, s := read(t, f.pcap(raw, 1<<18))
			is(t, got, "0/1 GET http://h.example/"+strings.Repeat("a", 900)+" 200 0+5",
				fmt.Sprintf("0 %s > %s http/1.1 1 closed by client with fin", ends[0], ends[1]))
			if s.Fragments != int64(len(parts)) || s.Incomplete != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// inPieces cuts an IP packet into fragments of 400 bytes.
func inPieces(ip []byte) (out [][]byte) {
	size := 20
	if ip[0]>>4 == 6 {
		size = 40
	}
	for at := 0; at < len(ip)-size; at += 400 {
		part := ip[size+at : min(size+at+400, len(ip))]
		more := uint16(0)
		if size+at+400 < len(ip) {
			more = 1
		}
		h := slices.Clone(ip[:size])
		if size == 20 {
			binary.BigEndian.PutUint16(h[2:], uint16(20+len(part)))
			binary.BigEndian.PutUint16(h[6:], more<<13|uint16(at/8))
		} else {
			h[6] = 44
			binary.BigEndian.PutUint16(h[4:], uint16(8+len(part)))
			h = append(h, ip[6], 0, byte(at>>8), byte(at)|byte(more), 0, 0, 0, 9)
		}
		out = append(out, append(h, part...))
	}
	return out
}

func TestDuplicates(t *testing.T) {
	f := one()
	var twice []frame
	for _, one := range f.frames {
		again := one
		again.at += 20 * time.Microsecond
		twice = append(twice, one, again)
	}
	n := len(f.frames)
	f.frames = twice
	got, s := read(t, f.pcap(raw, whole))
	is(t, got, theExchange, theConnection)
	if c := got.Connections[0]; s.Duplicates != int64(n) || c.Up.Or(trace.Flow{}).Retransmitted != 0 || c.Up.Or(trace.Flow{}).SYN != 1 {
		t.Errorf("%+v %+v", s, c)
	}
	// Two places, the second 40 ms behind.
	a, b := one(), one()
	for i := range b.frames {
		b.frames[i].at += 40 * time.Millisecond
	}
	got, s = read(t, a.pcap(raw, whole), b.pcap(raw, whole))
	is(t, got, theExchange, theConnection)
	if s.Duplicates != int64(n) {
		t.Errorf("%+v", s)
	}
}

// TestResetsAreNoDuplicates has a client answer each packet of the server by the same RST.
func TestResetsAreNoDuplicates(t *testing.T) {
	f := newFilm()
	c := f.talk(client, server).open().say(cli, get).send(cli, flow.FIN|flow.ACK, "")
	f.step = 5 * time.Microsecond
	for range 3 {
		c.send(srv, flow.ACK, ok)
	}
	for range 3 {
		f.id = 0xffff
		c.again(cli, c.next[cli], flow.RST, "")
	}
	got, s := read(t, f.pcap(raw, whole))
	if up := got.Connections[0].Up.Or(trace.Flow{}); s.Duplicates != 0 || up.RST != 3 {
		t.Errorf("%+v %+v", s, up)
	}
}

func TestRetransmissionsAreNoDuplicates(t *testing.T) {
	f := newFilm()
	c := f.talk(client, server)
	c.send(cli, flow.SYN, "")
	f.wait(time.Second)
	c.again(cli, 1000, flow.SYN, "")
	c.send(srv, flow.SYN|flow.ACK, "").send(cli, flow.ACK, "")
	c.send(cli, flow.ACK, get)
	f.wait(200 * time.Millisecond)
	c.again(cli, 1001, flow.ACK, get)
	c.send(srv, flow.ACK, "").say(srv, ok).close(srv)
	got, s := read(t, f.pcap(raw, whole))
	is(t, got, theExchange, "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by server with fin")
	up := got.Connections[0].Up.Or(trace.Flow{})
	if s.Duplicates != 0 || up.SYN != 2 || up.Retransmitted != 2 {
		t.Errorf("%+v %+v", s, up)
	}
	if at := got.Connections[0].SYN.Or(0); at < linger.Instant(time.Second) {
		t.Errorf("the SYN that was answered came at %v", at)
	}
}

func TestConnections(t *testing.T) {
	for name, c := range map[string]struct {
		play func(f *film)
		want []string
	}{
		"closed by the server": {func(f *film) {
			f.talk(client, server).open().say(cli, get).say(srv, ok).close(srv)
		}, []string{theExchange, "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by server with fin"}},
		"reset within the body": {func(f *film) {
			f.talk(client, server).open().say(cli, get).say(srv, ok[:len(ok)-3]).send(srv, flow.RST|flow.ACK, "")
		}, []string{"0/1 GET http://h.example/a 200 0+2: reset", "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by server with rst"}},
		"half closed": {func(f *film) {
			f.talk(client, server).open().say(cli, get).send(cli, flow.FIN|flow.ACK, "").say(srv, ok)
		}, []string{theExchange, "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 still open closed by client with fin, not by the other"}},
		"still open": {func(f *film) {
			f.talk(client, server).open().say(cli, get).say(srv, ok)
		}, []string{theExchange, "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 still open"}},
		"in the middle of a response": {func(f *film) {
			f.talk(client, server).open().say(cli, get).say(srv, ok[:len(ok)-3])
		}, []string{"0/1 GET http://h.example/a 200 0+2: the capture ended", "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 still open"}},
		"begun before": {func(f *film) {
			f.talk(client, server).say(srv, "the end of a body").say(cli, get).say(srv, ok).close(cli)
		}, []string{theExchange, "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 began before closed by client with fin"}},
		"not answered": {func(f *film) {
			c := f.talk(client, server)
			c.send(cli, flow.SYN, "")
			c.again(cli, 1000, flow.SYN, "")
			f.wait(3 * time.Minute)
			f.talk("192.0.2.8:1", server).open()
		}, []string{"0 192.0.2.7:50000 > 192.0.2.1:80  0 silence", "1 192.0.2.8:1 > 192.0.2.1:80  0 still open"}},
		"refused": {func(f *film) {
			f.talk(client, server).send(cli, flow.SYN, "").send(srv, flow.RST|flow.ACK, "")
		}, []string{"0 192.0.2.7:50000 > 192.0.2.1:80  0 closed by server with rst"}},
		"the same ports again": {func(f *film) {
			f.talk(client, server).open().say(cli, get).say(srv, ok).close(cli)
			c := f.talk(client, server)
			c.next = [2]uint32{777000, 999000}
			c.open().say(cli, get).say(srv, ok).close(cli)
		}, []string{theExchange, "1/1 GET http://h.example/a 200 0+5", theConnection, "1 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by client with fin"}},
		"one direction": {func(f *film) {
			c := f.talk(client, server)
			for range 2 {
				c.mute = false
				c.send(cli, flow.ACK, get)
				c.mute = true
				c.send(srv, flow.ACK, ok)
			}
		}, []string{"0/1 GET http://h.example/a 0 0+0: response not captured", "0/2 GET http://h.example/a 0 0+0: the capture ended",
			"0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 2 began before still open"}},
		"the other direction": {func(f *film) {
			c := f.talk(client, server)
			for range 2 {
				c.mute = true
				c.send(cli, flow.ACK, get)
				c.mute = false
				c.send(srv, flow.ACK, ok)
			}
		}, []string{"0/0   200 0+5", "0/0   200 0+5", "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 0 began before still open"}},
		"neither SYN nor data": {func(f *film) {
			f.talk(client, server).send(srv, flow.FIN|flow.ACK, "").send(cli, flow.RST, "")
		}, nil},
		"something else": {func(f *film) {
			f.talk(client, "192.0.2.1:25").open().say(srv, "220 mail.example ESMTP\r\n").say(cli, "EHLO h.example\r\n").close(cli)
		}, []string{"0 192.0.2.7:50000 > 192.0.2.1:25 other 0 closed by client with fin"}},
		"HTTP/2 in the clear": {func(f *film) {
			f.talk(client, server).open().say(cli, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").close(cli)
		}, []string{"0 192.0.2.7:50000 > 192.0.2.1:80 h2 0 closed by client with fin"}},
		"CONNECT": {func(f *film) {
			f.talk(client, "192.0.2.1:3128").open().say(cli, "CONNECT h.example:80 HTTP/1.1\r\nHost: h.example:80\r\n\r\n").
				say(srv, "HTTP/1.1 200 OK\r\n\r\n").say(cli, get).say(srv, ok).say(cli, get).say(srv, ok).close(cli)
		}, []string{"0/1 CONNECT h.example:80 200 0+0", "1/1 GET http://h.example/a 200 0+5", "1/2 GET http://h.example/a 200 0+5",
			"1 192.0.2.7:50000 > h.example:80 http/1.1 2 within 0 closed by client with fin", "0 192.0.2.7:50000 > 192.0.2.1:3128 http/1.1 1 closed by client with fin"}},
		"PROXY": {func(f *film) {
			f.talk(client, server).open().say(cli, "PROXY TCP4 198.51.100.9 192.0.2.1 4321 80\r\n"+get).say(srv, ok).close(cli)
		}, []string{theExchange, theConnection}},
		"PROXY, in pieces": {func(f *film) {
			f.talk(client, server).open().say(cli, "PROXY TCP4 198.51.").say(cli, "100.9 192.0.2.1 4321 80\r\n"+get[:20]).say(cli, get[20:]).say(srv, ok).close(cli)
		}, []string{theExchange, theConnection}},
		"WebSocket": {func(f *film) {
			f.talk(client, server).open().say(cli, "GET /w HTTP/1.1\r\nHost: h.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").
				say(srv, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").
				say(cli, "GET / HTTP/1.1\r\n\r\n, which is a message here").say(srv, "HTTP/1.1 200 OK\r\n\r\n").close(cli)
		}, []string{"0/1 GET http://h.example/w 101 0+0", theConnection}},
		"lost in the body": {func(f *film) {
			c := f.talk(client, server).open().say(cli, get)
			c.send(srv, flow.ACK, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"+strings.Repeat("x", 1000))
			c.lose(srv, strings.Repeat("x", 1000)).say(srv, strings.Repeat("x", 1000)).say(cli, get).say(srv, ok).close(cli)
		}, []string{"0/1 GET http://h.example/a 200 0+3000", "0/2 GET http://h.example/a 200 0+5", "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 2 closed by client with fin missing 1000"}},
		"lost end of a body": {func(f *film) {
			c := f.talk(client, server).open().say(cli, get)
			c.send(srv, flow.ACK, "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"+strings.Repeat("x", 1000))
			c.lose(srv, strings.Repeat("x", 1000)).close(srv)
		}, []string{"0/1 GET http://h.example/a 200 0+2000", "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by server with fin missing 1000"}},
		"lost end of a body, and the rest not sent": {func(f *film) {
			c := f.talk(client, server).open().say(cli, get)
			c.send(srv, flow.ACK, "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"+strings.Repeat("x", 1000))
			c.lose(srv, strings.Repeat("x", 500)).close(srv)
		}, []string{"0/1 GET http://h.example/a 200 0+1500: closed within the response", "0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by server with fin missing 500"}},
		"lost response": {func(f *film) {
			f.talk(client, server).open().say(cli, get).lose(srv, ok).say(cli, get).say(srv, ok).close(cli)
		}, []string{"0/1 GET http://h.example/a 0 0+0: response not captured", "0/2 GET http://h.example/a 200 0+5",
			fmt.Sprintf("0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 2 closed by client with fin missing %d", len(ok))}},
		"lost request": {func(f *film) {
			f.talk(client, server).open().lose(cli, get).say(srv, ok).say(cli, get).say(srv, ok).close(cli)
		}, []string{"0/0   200 0+5", "0/1 GET http://h.example/a 200 0+5",
			fmt.Sprintf("0 192.0.2.7:50000 > 192.0.2.1:80 http/1.1 1 closed by client with fin missing %d", len(get))}},
		"out of order": {func(f *film) {
			c := f.talk(client, server).open()
			for _, i := range []int{2, 0, 3, 1} {
				at := uint32(i * 10)
				c.again(cli, 1001+at, flow.ACK, get[at:min(int(at)+10, len(get))])
			}
			c.again(cli, 1041, flow.ACK, get[40:])
			c.next[cli] += uint32(len(get))
			c.say(srv, ok).close(cli)
		}, []string{theExchange, theConnection}},
		"a response before its request": {func(f *film) {
			c := f.talk(client, server).open()
			c.next[cli] += uint32(len(get))
			c.send(srv, flow.ACK, ok)
			c.again(cli, 1001, flow.ACK, get)
			c.close(cli)
		}, []string{theExchange, theConnection}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFilm()
			c.play(f)
			got, _ := read(t, f.pcap(raw, whole))
			is(t, got, c.want...)
		})
	}
}

func TestEachFrameHasItsConnection(t *testing.T) {
	f := newFilm()
	a, b := f.talk(client, server).open(), f.talk("192.0.2.8:50000", server).open()
	a.say(cli, get).say(srv, ok).close(cli)
	b.say(cli, get).say(srv, ok).close(cli)
	f.udp("192.0.2.7:9", "192.0.2.1:9", "no connection")
	counts := map[int64]int{}
	var got tshark.Records
	readWith(t, packet.Options{Each: func(_ *pcap.Frame, id int64) { counts[id]++ }}, &got, f.pcap(raw, whole))
	for _, c := range got.Connections {
		if n := c.Up.Or(trace.Flow{}).Packets + c.Down.Or(trace.Flow{}).Packets; int64(counts[c.ID]) != n || n != 10 {
			t.Errorf("%d frames of connection %d, which has %d packets", counts[c.ID], c.ID, n)
		}
	}
	if len(counts) != 2 {
		t.Errorf("%v", counts)
	}
}

func TestPROXYSaysForWhom(t *testing.T) {
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x09\xc0\x00\x02\x01\x10\xe1\x00\x50"
	for _, head := range []string{"PROXY TCP4 198.51.100.9 192.0.2.1 4321 80\r\n", v2} {
		f := newFilm()
		f.talk(client, server).open().say(cli, head+get).say(srv, ok).close(cli)
		got, _ := read(t, f.pcap(raw, whole))
		is(t, got, theExchange, theConnection)
		if who := got.Connections[0].ForwardedFor; who != "198.51.100.9:4321" {
			t.Errorf("for %q", who)
		}
	}
}

func TestFacts(t *testing.T) {
	f := newFilm()
	c := f.talk(client, server).open().say(cli, get).say(srv, ok)
	f.wait(45 * time.Second)
	c.again(cli, c.next[cli]-1, flow.ACK, "").send(srv, flow.ACK, "") // a probe, and its answer
	f.wait(30 * time.Second)
	c.send(cli, flow.ACK, get)
	for range 3 {
		f.wait(time.Second)
		c.again(cli, c.next[cli]-uint32(len(get)), flow.ACK, get)
	}
	got, s := read(t, f.pcap(raw, whole))
	one := got.Connections[0]
	if p := one.Probes.Or(trace.Probes{}); p.Sent != 1 || p.Answered != 1 {
		t.Errorf("%+v", p)
	}
	if u := one.Unanswered.Or(trace.Unanswered{}); u.By != trace.AtClient || u.Sent != 3 || u.Since < linger.Instant(75*time.Second) || u.Since > linger.Instant(76*time.Second) {
		t.Errorf("%+v", u)
	}
	if o, ok := one.Outstanding.Get(); !ok || o.Up != int64(len(get)) || o.Down != 0 {
		t.Errorf("%+v", o)
	}
	if one.Origin != "h.example" || one.Agent != "t/1" || one.Software != "s/2" {
		t.Errorf("%+v", one)
	}
	if one.Frames != (trace.Frames{First: 1, Last: 13}) || one.Stream.Or(-1) != 0 {
		t.Errorf("%+v", one)
	}
	x := got.Exchanges[0]
	if x.Frames != (trace.Frames{First: 4, Last: 6}) || x.AnswerFrames != (trace.Frames{First: 6, Last: 6}) {
		t.Errorf("%+v", x)
	}
	if s.StillOpen != 1 || s.Frames != 13 {
		t.Errorf("%+v", s)
	}
}

func TestFastOpen(t *testing.T) {
	for _, taken := range []bool{true, false} {
		f := newFilm()
		c := f.talk(client, server)
		c.send(cli, flow.SYN, get)
		if !taken {
			c.next[cli] -= uint32(len(get))
		}
		c.send(srv, flow.SYN|flow.ACK, "")
		if !taken {
			c.send(cli, flow.ACK, get)
		}
		c.say(srv, ok).close(cli)
		got, _ := read(t, f.pcap(raw, whole))
		is(t, got, theExchange, theConnection)
		if fast, known := got.Connections[0].FastOpen.Get(); !known || fast != taken {
			t.Errorf("%v %v, want %v", fast, known, taken)
		}
	}
}

// What TLS sends to close is no last byte: connections idle until then.
func TestBytesThatClose(t *testing.T) {
	record := func(kind byte, n int) string {
		return string([]byte{kind, 3, 3, byte(n >> 8), byte(n)}) + strings.Repeat("x", n)
	}
	for _, c := range []struct {
		name   string
		opens  string // what the client begins with
		last   int    // the size of the server's last record
		closes bool
	}{
		{"an alert", record(22, 200), 19, true},
		{"a response", record(22, 200), 400, false},
		{"in the clear", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 19, false},
	} {
		f := newFilm()
		k := f.talk(client, server).open().say(cli, c.opens).say(srv, record(22, 100)).say(cli, record(23, 80)).say(srv, record(23, 900))
		answered := f.now - f.step // the acknowledgement is the last one
		f.wait(2 * time.Second)
		k.send(srv, flow.ACK|flow.PSH, record(23, c.last)).close(srv)
		got, _ := read(t, f.pcap(raw, whole))
		if last := time.Duration(got.Connections[0].LastByte.Or(0)) + f.step; (last == answered) != c.closes {
			t.Errorf("%s: the last byte at %v, and the response at %v", c.name, last, answered)
		}
	}
}

func TestShortPackets(t *testing.T) {
	f := newFilm()
	c := f.talk(client, server).open()
	for range 3 {
		c.say(cli, strings.Replace(get, "t/1", strings.Repeat("t", 200), 1)).say(srv, strings.Replace(ok, "s/2", strings.Repeat("s", 300), 1))
	}
	c.close(cli)
	got, s := read(t, f.pcap(raw, 76)) // 36 bytes of each head
	if len(got.Exchanges) != 3 || got.Connections[0].Requests != 3 || s.CutAt != 76 {
		t.Fatalf("%v %+v", summed(got), s)
	}
	for i, x := range got.Exchanges {
		if x.Status != 200 || x.Method != "GET" || x.Known != trace.Inferred || x.Failed != "" || x.Number != i+1 || x.Done.IsZero() {
			t.Errorf("%+v", x)
		}
	}
}

func TestClockThatJumps(t *testing.T) {
	f := one()
	for i := 5; i < len(f.frames); i++ {
		f.frames[i].at += 100 * time.Second
	}
	for i := 7; i < len(f.frames); i++ {
		f.frames[i].at -= 150 * time.Second
	}
	for i := range f.frames {
		f.frames[i].at += 1000 * time.Second
	}
	got, s := read(t, f.pcap(raw, whole))
	is(t, got, theExchange, theConnection)
	if s.Jumps != 1 || s.FirstJump.First != 8 {
		t.Errorf("%+v", s)
	}
	if c := got.Connections[0]; c.Closed.Or(0) < c.LastByte.Or(1) {
		t.Errorf("%+v", c)
	}
}

// TestLargePackets reads what offloads hand over: more than an MTU, and where that is more
// than 64 kB, with a length of 0.
func TestLargePackets(t *testing.T) {
	for _, size := range []int{30_000, 200_000} {
		for _, ends := range [][2]string{{client, server}, {client6, server6}} {
			f := newFilm()
			body := strings.Repeat("x", size)
			f.talk(ends[0], ends[1]).open().say(cli, get).say(srv, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)+body).say(cli, get).say(srv, ok).close(cli)
			for _, one := range f.frames {
				if len(one.data) > 1<<16 {
					at := 2
					if one.data[0]>>4 == 6 {
						at = 4
					}
					one.data[at], one.data[at+1] = 0, 0
				}
			}
			got, s := read(t, f.pcap(raw, whole))
			is(t, got, fmt.Sprintf("0/1 GET http://h.example/a 200 0+%d", size), "0/2 GET http://h.example/a 200 0+5",
				fmt.Sprintf("0 %s > %s http/1.1 2 closed by client with fin", ends[0], ends[1]))
			if s.Malformed > 0 {
				t.Errorf("%+v", s)
			}
		}
	}
}

func TestDNS(t *testing.T) {
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01h\x07example\x00\x00\x01\x00\x01"
	answer := "\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x01\x01h\x07example\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x09" +
		"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x06\x00\x0b\x00\x02\x00\x64" // 10 s of keep-alive
	prefixed := func(m string) string { return string([]byte{byte(len(m) >> 8), byte(len(m))}) + m }
	f := newFilm()
	f.udp("192.0.2.7:40000", resolver, query)
	f.wait(time.Second)
	f.udp("192.0.2.7:40000", resolver, query)
	f.udp(resolver, "192.0.2.7:40000", answer)
	f.talk("192.0.2.7:40001", resolver).open().say(cli, prefixed(query)+prefixed(query)[:5]).say(cli, prefixed(query)[5:]).say(srv, prefixed(answer)).say(srv, prefixed(answer)).close(srv)
	got, _ := read(t, f.pcap(raw, whole))
	is(t, got,
		"0/1 A dns://192.0.2.53/h.example?type=A NOERROR x2",
		"1/1 A dns://192.0.2.53/h.example?type=A NOERROR x1",
		"1/2 A dns://192.0.2.53/h.example?type=A NOERROR x1",
		"0 192.0.2.7:40000 > 192.0.2.53:53 udp 1",
		"1 192.0.2.7:40001 > 192.0.2.53:53 tcp 2 closed by server with fin")
	if limit := got.Connections[1].IdleLimit.Or(0); limit != 10*time.Second {
		t.Errorf("an idle limit of %v", limit)
	}
}

// TestNumbersOfWireshark has the numbers that tshark gives the same film: connections
// that have left the table go on for it.
func TestNumbersOfWireshark(t *testing.T) {
	f := newFilm()
	f.udp("192.0.2.7:1", "192.0.2.1:443", "x")
	f.udp("192.0.2.7:2", "192.0.2.1:9", "x")
	c := f.talk(client, server).open().say(cli, get).say(srv, ok).close(cli)
	f.wait(3 * time.Minute)
	f.talk("192.0.2.8:1", server).open()
	f.udp("192.0.2.7:2", "192.0.2.1:9", "x")
	f.udp("192.0.2.7:1", "192.0.2.1:443", "x") // the same for Wireshark
	c.say(srv, "late")                         // likewise
	f.talk("192.0.2.9:1", server).open()
	f.udp("192.0.2.7:3", "192.0.2.1:443", "x")
	got, _ := read(t, f.pcap(raw, whole))
	want := map[string]int64{
		"192.0.2.7:1 0": 0, "192.0.2.7:50000 1": 0, "192.0.2.8:1 2": 1, "192.0.2.7:1 3": 0,
		"192.0.2.7:50000 4": 0, "192.0.2.9:1 5": 2, "192.0.2.7:3 6": 2,
	}
	for _, c := range got.Connections {
		if n := c.Stream.Or(-1); n != want[fmt.Sprintf("%s %d", c.Client, c.ID)] {
			t.Errorf("%s %d has the number %d", c.Client, c.ID, n)
		}
	}
	if len(got.Connections) != len(want) {
		t.Error(summed(got))
	}
}

// TestNumbersAreLost where more flows have been let go of than are remembered.
func TestNumbersAreLost(t *testing.T) {
	f := newFilm()
	f.step = time.Microsecond
	late := f.talk(client, server).open().close(cli)
	f.wait(2 * time.Minute)
	for i := range 40_000 {
		f.talk(fmt.Sprintf("192.0.2.9:%d", 1+i), server).send(cli, flow.SYN, "")
	}
	f.wait(3 * time.Minute)
	f.talk("192.0.2.8:1", server).open()
	late.say(srv, "late")
	f.talk("192.0.2.8:2", server).open()
	got, _ := read(t, f.pcap(raw, whole))
	for _, c := range got.Connections {
		if n, known := c.Stream.Get(); known != (c.ID <= 40_001) || known && n != c.ID {
			t.Fatalf("connection %d has the number %d, %v", c.ID, n, known)
		}
	}
}

func TestTableIsBounded(t *testing.T) {
	f := newFilm()
	f.step = time.Microsecond
	for i := range 5000 {
		f.talk(fmt.Sprintf("192.0.2.%d:%d", i%200, 2000+i), server).send(cli, flow.SYN, "")
	}
	f.talk(client, server).open().say(cli, get).say(srv, ok).close(cli)
	var got tshark.Records
	s := readWith(t, packet.Options{MaxTracked: 100}, &got, f.pcap(raw, whole))
	if s.Evicted < 4800 || len(got.Connections) != 5001 || len(got.Exchanges) != 1 {
		t.Errorf("%d connections, %+v", len(got.Connections), s)
	}
}
