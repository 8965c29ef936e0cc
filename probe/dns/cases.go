package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"linger"
	"linger/conformance"
	"linger/dns"
	"linger/probe/prober"
	"linger/profile"
	"linger/wire"
)

// oneByOne asks one query after the other on one connection.
func (p *Server) oneByOne(ctx context.Context) {
	c, err := p.open(ctx)
	if err != nil {
		p.Unmeasured(prober.Cause(err), "dns-many-queries")
		return
	}
	defer c.Drop()
	var seen conformance.Queries
	for seen.Answered < asked {
		if _, _, err = c.lookUp(ctx, p.query, dns.Options{}); err != nil {
			break
		}
		seen.Answered++
	}
	count := profile.Count{State: profile.AtLeast, N: seen.Answered}
	if err != nil {
		seen.Ended, seen.Why = prober.Ends(err), prober.Cause(err)
		count = profile.Count{State: profile.Unknown, Why: seen.Why}
	}
	if seen.Ended && seen.Answered > 0 {
		count = profile.Count{State: profile.Measured, N: seen.Answered}
	}
	p.Judge(seen)
	p.RecordOf(p.stream(), func(h *profile.Protocol) { h.Requests = count })
}

// pipelining sends queries without waiting, in one segment as far as they fit.
func (p *Server) pipelining(ctx context.Context) {
	unknown := func(why string) {
		p.Unmeasured(why, "dns-pipelining")
		p.RecordOf(p.stream(), func(h *profile.Protocol) {
			h.Pipelining = &profile.Pipelining{State: profile.Unknown, Why: why}
		})
	}
	c, err := p.open(ctx)
	if err != nil {
		unknown(prober.Cause(err))
		return
	}
	defer c.Drop()
	var queries [][]byte
	waiting := map[uint16]bool{}
	first := uint16(rand.Uint32())
	for i := range uint16(asked) {
		queries = append(queries, p.question(first+i))
		waiting[first+i] = true
	}
	if err := c.ask(queries...); err != nil {
		unknown(prober.Cause(err))
		return
	}
	seen := &profile.Pipelining{State: profile.Measured, Sent: asked}
	inOrder := true
	burst := conformance.Burst{Sent: asked}
	for len(waiting) > 0 {
		var m dns.Message
		if m, _, err = c.hear(ctx); err != nil {
			break
		}
		if !waiting[m.ID] {
			burst.Stray = linger.Known(m.ID)
			break
		}
		delete(waiting, m.ID)
		inOrder = inOrder && m.ID == first+uint16(seen.Answered)
		seen.Answered++
	}
	if seen.Answered > 0 {
		seen.InOrder = linger.Known(inOrder)
	}
	if len(waiting) > 0 && ctx.Err() != nil {
		unknown("the probe was ended")
		return
	}
	burst.Answered, burst.Ended = seen.Answered, prober.Ends(err)
	p.Judge(burst)
	p.RecordOf(p.stream(), func(h *profile.Protocol) { h.Pipelining = seen })
}

// split sends a query in pieces, each in a segment of its own: half of its length,
// the rest of it with half of the message, the rest.
func (p *Server) split(ctx context.Context) {
	const id = "dns-split"
	c, err := p.open(ctx)
	if err == nil {
		defer c.Drop()
		err = p.Spend(1)
	}
	if err != nil {
		p.Unmeasured(prober.Cause(err), id)
		return
	}
	const pause = 50 * time.Millisecond
	number := uint16(rand.Uint32())
	b := wire.AppendMessage(nil, p.question(number))
	half := len(b) / 2
	for i, piece := range [][]byte{b[:1], b[1:half], b[half:]} {
		if i > 0 && prober.Sleep(ctx, pause) != nil {
			p.Unmeasured("the probe was ended", id)
			return
		}
		if _, err = c.Write(piece); err != nil {
			break
		}
	}
	m, _, heard := c.hear(ctx)
	pieces := conformance.Pieces{Apart: pause, Heard: heard == nil, Right: heard == nil && m.Replies(p.query, number) == nil}
	switch {
	case !pieces.Right && ctx.Err() != nil:
		p.Unmeasured("the probe was ended", id)
		return
	case !pieces.Heard:
		pieces.Why = prober.Cause(errors.Join(err, heard))
	}
	p.Judge(pieces)
}

// reorder asks for a name that nobody has, which a resolver must look for, and
// right behind it for one that it knows.
func (p *Server) reorder(ctx context.Context) {
	const id = "dns-reorders"
	c, err := p.open(ctx)
	if err != nil {
		p.Unmeasured(prober.Cause(err), id)
		return
	}
	defer c.Drop()
	child := func() linger.Query {
		name := fmt.Sprintf("linger-%08x", rand.Uint32())
		if p.query.Name != "." {
			name += "." + p.query.Name
		}
		return linger.Query{Name: name, Type: "A"}
	}
	took := func(q linger.Query) (time.Duration, error) {
		began := time.Now()
		_, _, err := c.lookUp(ctx, q, dns.Options{})
		return time.Since(began), err
	}
	seen := conformance.Reordered{Noticeable: noticeable}
	if seen.Fast, err = took(p.query); err != nil {
		p.Unmeasured(prober.Cause(err), id)
		return
	}
	if seen.Slow, err = took(child()); err != nil {
		p.Unmeasured("a name that nobody has: "+prober.Cause(err), id)
		return
	}
	for i := 0; i < tries && seen.Undecided(); i++ {
		number := uint16(rand.Uint32())
		began := time.Now()
		err = c.ask(query(child(), dns.Options{ID: number}), p.question(number+1))
		var first dns.Message
		if err == nil {
			first, _, err = c.hear(ctx)
		}
		seen.Waited = time.Since(began)
		if err == nil {
			_, _, err = c.hear(ctx)
		}
		if err != nil {
			p.Unmeasured(prober.Cause(err), id)
			return
		}
		seen.Tried, seen.First = true, first.ID == number+1
	}
	p.Judge(seen)
	if seen.First || seen.Undecided() {
		p.Record(func(doc *profile.Profile) { doc.DNS.Reordered = linger.Known(seen.First) })
	}
}

// halfClose asks, and closes its side at once.
func (p *Server) halfClose(ctx context.Context) {
	c, err := p.open(ctx)
	if err != nil {
		return
	}
	defer c.Drop()
	number := uint16(rand.Uint32())
	if c.ask(p.question(number)) != nil {
		return
	}
	if s, ok := c.Conn.(interface{ CloseWrite() error }); !ok || s.CloseWrite() != nil {
		return
	}
	m, _, err := c.hear(ctx)
	if ctx.Err() == nil {
		p.Record(func(doc *profile.Profile) {
			doc.DNS.HalfClosed = linger.Known(err == nil && m.Replies(p.query, number) == nil)
		})
	}
}

// datagram asks one query over UDP, thrice if need be.
func (p *Server) datagram(ctx context.Context, o dns.Options) (m dns.Message, size int, err error) {
	o.ID = uint16(rand.Uint32())
	b := query(p.query, o)
	s, err := new(net.Dialer).DialContext(ctx, "udp", p.Target.Address)
	if err != nil {
		return m, 0, err
	}
	defer s.Close()
	in := make([]byte, linger.MaxMessage)
	for range datagramsSent {
		if err = p.Spend(1); err != nil {
			return m, 0, err
		}
		if _, err = s.Write(b); err != nil {
			return m, 0, err
		}
		s.SetReadDeadline(time.Now().Add(p.Answer / datagramsSent))
		for {
			var n int
			if n, err = s.Read(in); err != nil {
				break
			}
			if m, err = dns.Read(in[:n]); m.ID == o.ID && m.Response {
				return m, n, err
			}
		}
	}
	return m, 0, err
}

// datagrams holds what is said over UDP against what is said over TCP.
func (p *Server) datagrams(ctx context.Context) {
	c, err := p.open(ctx)
	if err != nil {
		return
	}
	defer c.Drop()
	plain, size, err := c.lookUp(ctx, p.query, dns.Options{Plain: true})
	sizes := conformance.Sizes{NoTCP: reason(err), TCP: conformance.Answer{Bytes: size, Truncated: plain.Truncated, Records: plain.Answers}}
	p.Judge(conformance.Plain{EDNS: plain.EDNS, Why: sizes.NoTCP})
	if p.Target.TLS != nil {
		p.Unmeasured("it is asked over TLS; probe dns:// for UDP", "dns-keepalive-udp", "dns-truncates")
		return
	}
	short, cut, err := p.datagram(ctx, dns.Options{Plain: true})
	sizes.NoUDP, sizes.UDP = reason(err), conformance.Answer{Bytes: cut, Truncated: short.Truncated, Records: short.Answers}
	p.Judge(sizes)
	// Asked for twice, since servers that limit rates drop some.
	var without, with dns.Message
	var err1, err2 error
	for range 2 {
		if without, _, err1 = p.datagram(ctx, dns.Options{}); err1 != nil {
			break
		}
		if with, _, err2 = p.datagram(ctx, dns.Options{Keepalive: true}); err2 == nil {
			break
		}
	}
	p.Judge(conformance.Datagrams{
		Without: dns.Rcode(without.Rcode), With: dns.Rcode(with.Rcode), Has: with.HasKeepalive, NoWithout: reason(err1), NoWith: err2 != nil,
	})
}

// reason is the cause of an error, or nothing where there is none.
func reason(err error) string {
	if err == nil {
		return ""
	}
	return prober.Cause(err)
}
