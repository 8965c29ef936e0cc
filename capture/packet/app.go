package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"linger"
	"linger/capture/http1"
	"linger/capture/http2"
	"linger/capture/talk"
	"linger/capture/tls"
	"linger/flow"
	"linger/trace"
	"linger/wire"
)

// An app reads what a connection carries. Bytes of each end come in order.
type app interface {
	// data takes the next bytes of an end, and returns how many of those that follow are
	// of no use; what it said before has passed.
	data(r *Reader, c *conn, e flow.End, b []byte, m mark) (skip int64)
	// gap says that n bytes are missing, beyond those of no use.
	gap(r *Reader, c *conn, e flow.End, n int64, m mark)
	// end says that nothing more comes from an end, and why: talk.Cut, Reset or
	// StillGoing. Of those of no use left bytes did not come.
	end(r *Reader, c *conn, e flow.End, why string, left int64, last mark)
	// close says that both ends have come to theirs. It may be called again.
	close(r *Reader, c *conn, why string)
	// tell puts what was learnt into the record of the connection, which has been closed.
	tell(t *trace.Connection)
}

// An opaque app is of what is not read.
type opaque struct {
	protocol linger.Protocol
	known    trace.How
}

func (opaque) data(*Reader, *conn, flow.End, []byte, mark) int64 { return talk.Forever }
func (opaque) gap(*Reader, *conn, flow.End, int64, mark)         {}
func (opaque) end(*Reader, *conn, flow.End, string, int64, mark) {}
func (o opaque) tell(t *trace.Connection) {
	t.Protocol, t.Known.Protocol, t.Known.Requests = o.protocol, o.known, trace.Inferred
}
func (opaque) close(*Reader, *conn, string) {}

// maxSniffed is how many bytes of one end are held until it is clear what they are.
const maxSniffed = 16 << 10

// Untold is what has carried nothing yet, as half-open connections.
type untold struct{}

func (untold) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	c.app = &sniffer{}
	return c.app.data(r, c, e, b, m)
}

func (untold) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	c.app = &sniffer{}
	c.app.gap(r, c, e, n, m)
}

func (untold) end(*Reader, *conn, flow.End, string, int64, mark) {}
func (untold) close(*Reader, *conn, string)                      {}
func (untold) tell(*trace.Connection)                            {}

// A sniffer finds out what a connection carries by the first bytes of either end. If these
// were not captured, it looks at the beginning of each packet until one tells.
type sniffer struct {
	buf   [2][]byte // by flow.End
	began [2]mark
	blind bool // the beginning was not captured
	few   bool // there were too few to be anything that is known
}

// A verdict is what bytes are.
type verdict uint8

const (
	tooFew verdict = iota
	anything
	isRequest
	isResponse
	isTLS
	isH2
	isFrames // of HTTP/2, without the client's preface
	isDNS
	isProxy
)

func (s *sniffer) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	if len(b) == 0 {
		return 0
	}
	if !c.started {
		s.blind = true
	}
	if len(s.buf[e]) == 0 {
		s.began[e] = m
	}
	all := b
	if len(s.buf[e]) > 0 {
		all = append(s.buf[e], b...)
	}
	v := r.sniff(c, e, all)
	if v == anything {
		v = s.frames(c, e, all)
	}
	if v == isProxy {
		n, from, whole := proxyHead(all)
		if whole {
			c.is(e)
			c.forwarded = from
			s.buf[e] = nil
			return s.data(r, c, e, bytes.Clone(all[n:]), m)
		}
		v = tooFew
	}
	switch {
	case s.blind && (v == anything || v == tooFew):
		s.buf[e] = nil
		return 0
	case v == tooFew && len(all) <= maxSniffed:
		s.buf[e] = append(s.buf[e], b...)
		return 0
	}
	return s.decide(r, c, e, v, all, b, m)
}

// frames tells whether the bytes of an end are frames of HTTP/2: a server's first, or where the
// beginning was not captured, any.
func (s *sniffer) frames(c *conn, e flow.End, b []byte) verdict {
	looks := http2.No
	switch {
	case s.blind:
		looks = http2.Looks(b, c.side(e))
	case !c.told || c.client != e:
		looks = http2.Begins(b)
	}
	return [...]verdict{anything, tooFew, isFrames}[looks]
}

// decide hands over to what reads it, and replays what either end has said: all, of which
// b is the last piece.
func (s *sniffer) decide(r *Reader, c *conn, e flow.End, v verdict, all, b []byte, m mark) int64 {
	client := e
	if v == isResponse {
		client = e.Other()
	}
	if v == isFrames && !s.blind {
		c.is(e.Other()) // the server's SETTINGS, before the client's preface
	}
	switch v {
	case isRequest, isResponse:
		c.is(client)
		c.app = newHTTP(r, c)
	case isTLS:
		if all[0] == wire.RecordHandshake {
			if all[5] == tls.ServerHello {
				client = e.Other()
			}
			c.is(client)
		}
		c.app = newTLS(r, c)
	case isH2:
		c.is(client)
		c.app = newHTTP2(r, c, c.readBy(), !s.blind)
	case isFrames:
		c.app = newHTTP2(r, c, c.readBy(), !s.blind)
	case isDNS:
		c.app = &dnsApp{}
	default:
		c.app = opaque{protocolOther, trace.Inferred}
	}
	if o := e.Other(); len(s.buf[o]) > 0 {
		c.half[o].skip = c.app.data(r, c, o, s.buf[o], s.began[o])
	}
	if len(s.buf[e]) > 0 {
		switch skip := c.app.data(r, c, e, s.buf[e], s.began[e]); {
		case skip > int64(len(b)):
			return skip - int64(len(b))
		default:
			b = b[skip:]
		}
	}
	return c.app.data(r, c, e, b, m)
}

// sniff tells what the bytes of one end are that begin with b.
func (r *Reader) sniff(c *conn, e flow.End, b []byte) verdict {
	asks := !c.told || c.client == e
	answers := !c.told || c.client != e
	if answers {
		switch http1.LooksResponse(b) {
		case http1.Yes:
			return isResponse
		case http1.Maybe:
			return tooFew
		}
	}
	if v := looksTLS(b); v != anything {
		return v
	}
	if asks {
		for _, known := range []struct {
			prefix string
			verdict
		}{{"PRI * HTTP/2.0\r\n", isH2}, {"PROXY ", isProxy}, {proxy2, isProxy}} {
			switch n := min(len(b), len(known.prefix)); {
			case string(b[:n]) != known.prefix[:n]:
			case n == len(known.prefix):
				return known.verdict
			default:
				return tooFew
			}
		}
		switch http1.LooksRequest(b) {
		case http1.Yes:
			return isRequest
		case http1.Maybe:
			return tooFew
		}
	}
	if c.dns {
		return isDNS
	}
	return anything
}

func (s *sniffer) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	b := s.buf[e]
	s.buf[e], s.blind = nil, true
	if len(b) > 0 && http1.LooksRequest(b) == http1.Maybe && bytes.IndexByte(b, ' ') > 0 && (!c.told || c.client == e) {
		// A request whose first line was cut.
		c.is(e)
		a := newHTTP(r, c)
		c.app = a
		a.data(r, c, e, b, s.began[e])
		a.gap(r, c, e, n, m)
	}
}

func (s *sniffer) end(r *Reader, c *conn, e flow.End, why string, left int64, last mark) {
	s.few = s.few || len(s.buf[e]) > 0 && !s.blind
	s.buf[e] = nil
}

func (s *sniffer) tell(t *trace.Connection) {
	if s.few {
		t.Protocol, t.Known.Protocol, t.Known.Requests = protocolOther, trace.Inferred, trace.Inferred
	}
}

func (s *sniffer) close(*Reader, *conn, string) {}

// httpApp is HTTP/1, until the connection becomes something else.
type httpApp struct {
	talk   http1.Conversation
	inside *conn // what is in a tunnel; it has no halves of its own
	closed bool
}

func newHTTP(r *Reader, c *conn) *httpApp {
	var a *httpApp
	if n := len(r.freeHTTP); n > 0 {
		a, r.freeHTTP = r.freeHTTP[n-1], r.freeHTTP[:n-1]
		*a = httpApp{}
	} else {
		a = &httpApp{}
	}
	a.talk.Shared, a.talk.Connection = &r.web, c.id
	a.talk.Authority, a.talk.Known = c.authority(), c.known
	if c.known == trace.Decrypted {
		a.talk.Scheme = linger.SchemeHTTPS
	}
	return a
}

func (a *httpApp) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	if a.inside != nil {
		return a.inner(r, e, b, m)
	}
	side := c.side(e)
	if side == talk.Client {
		a.talk.Deaf = !c.half[e.Other()].started
	}
	skip := a.talk.Data(side, b, m)
	if a.talk.Tunnel != "" {
		a.open(r, c, m)
		if rest := r.web.Rest; len(rest) > 0 {
			return a.inner(r, e, rest, m)
		}
		return 0
	}
	if asked := a.talk.Handed; asked != nil {
		return a.upgrade(r, c, asked).data(r, c, e, r.web.Rest, m)
	}
	return skip
}

// inner hands on what is in the tunnel.
func (a *httpApp) inner(r *Reader, e flow.End, b []byte, m mark) int64 {
	if a.inside.firstByte.IsZero() {
		a.inside.firstByte = linger.Known(m.At)
	}
	return a.inside.app.data(r, a.inside, e, b, m)
}

// open begins what is in a tunnel, as a connection of its own.
func (a *httpApp) open(r *Reader, c *conn, m mark) {
	in := r.take(kindTCP, m)
	in.client, in.told, in.started = c.client, true, true
	in.within = linger.Known(c.id)
	in.app = &sniffer{}
	if in.depth = c.depth + 1; in.depth > deepest {
		in.app = opaque{protocolOther, trace.Inferred}
	}
	in.target = a.talk.Tunnel
	in.half[0].started, in.half[1].started = true, true
	in.key = c.key
	r.turn(in, m)
	a.inside = in
	for e := range c.half {
		c.half[e].skip = 0
	}
}

func (a *httpApp) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	if a.inside != nil {
		a.inside.app.gap(r, a.inside, e, n, m)
		return
	}
	a.talk.Gap(c.side(e), n, m)
}

func (a *httpApp) end(r *Reader, c *conn, e flow.End, why string, left int64, last mark) {
	if a.inside != nil {
		a.inside.last = last
		a.inside.app.end(r, a.inside, e, why, left, last)
		return
	}
	a.talk.End(c.side(e), why, left, last)
}

func (a *httpApp) close(r *Reader, c *conn, why string) {
	if a.closed {
		return
	}
	a.closed = true
	a.talk.Close(why)
	r.sum.Resynced += a.talk.Resynced
	if a.inside != nil {
		a.inside.app.close(r, a.inside, why)
	}
}

func (a *httpApp) tell(t *trace.Connection) {
	said := &a.talk
	if said.Version != "" {
		t.Protocol, t.Known.Protocol = said.Protocol(), trace.Seen
		if said.Known != "" {
			t.Known.Protocol = said.Known
		}
	}
	t.Origin, t.Agent, t.Software, t.Requests = said.Host, said.Agent, said.Software, int(said.Requests)
	if said.Resynced > 0 {
		t.Known.Requests = trace.Inferred
	}
	if m, ok := said.Announced.Get(); ok {
		t.Announced, t.AnnouncedBy, t.AnnouncedWith = linger.Known(m.At), trace.AtClient, trace.CloseOption
		if said.AnnouncedBy == talk.Server {
			t.AnnouncedBy = trace.AtServer
		}
	}
}

// proxy2 begins the binary form of the PROXY protocol (HAProxy, proxy-protocol.txt, 2.2).
const proxy2 = "\r\n\r\n\x00\r\nQUIT\n"

// proxyHead reads the head of the PROXY protocol, and returns its size and the address and
// port of whom the connection is for, empty if it names none. whole is false if it does
// not end in b.
func proxyHead(b []byte) (n int, from string, whole bool) {
	if len(b) > 0 && b[0] == 'P' {
		const longest = 107 // "the worst case"
		i := bytes.IndexByte(b[:min(len(b), longest)], '\n')
		if i < 0 {
			return 0, "", false
		}
		fields := bytes.Fields(b[:i])
		if len(fields) == 6 {
			addr, err := netip.ParseAddr(string(fields[2]))
			port, err2 := strconv.ParseUint(string(fields[4]), 10, 16)
			if err == nil && err2 == nil {
				from = netip.AddrPortFrom(addr, uint16(port)).String()
			}
		}
		return i + 1, from, true
	}
	if len(b) < 16 {
		return 0, "", false
	}
	n = 16 + int(binary.BigEndian.Uint16(b[14:]))
	if len(b) < n {
		return 0, "", false
	}
	v := b[16:n]
	switch {
	case b[12]&0xf == 0: // LOCAL: a check of the proxy's own
	case b[13]>>4 == 1 && len(v) >= 12:
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(v)), binary.BigEndian.Uint16(v[8:])).String()
	case b[13]>>4 == 2 && len(v) >= 36:
		from = netip.AddrPortFrom(netip.AddrFrom16([16]byte(v)), binary.BigEndian.Uint16(v[32:])).String()
	}
	return n, from, true
}
