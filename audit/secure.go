package audit

import (
	"cmp"
	"strings"
	"time"

	"linger"
	"linger/audit/handshake"
	"linger/finding"
	"linger/keepalive"
	"linger/trace"
)

// Coalesced counts connections of HTTP/2 and 3 that carried requests for several origins
// (RFC 9113, 9.1.1).
type Coalesced struct {
	Connections int `json:"connections"`
	Origins     int `json:"origins"`  // on them, besides the first of each
	Requests    int `json:"requests"` // for those
}

// A resumption is what is counted of handshakes that could have been resumed, or were asked to be.
type resumption struct {
	amount
	elsewhere int // what the client could ask by was given by another address
	restarted int // the server was restarted since
}

// judge finds what became of resumption in a connection's handshake. Connections come in the order
// in which they were opened.
func (a *Auditor) judge(c *conn) {
	t, ok := c.sealed.tls.Get()
	if !ok || t.Version == "" || c.beganBefore || c.oneWay {
		return
	}
	given := c.secured
	switch {
	case len(c.spans) > 0 && c.spans[0].done != never:
		// Tickets of TLS 1.3 follow upon the client's Finished, with which it may ask already.
		given = max(given, c.spans[0].done)
	case given != never:
		given = given.Add(c.trip() + clientReacts)
	case c.last != never:
		given = c.last
	default:
		return
	}
	where := c.server.name
	if c.secure {
		where = c.name + c.server.name[strings.LastIndexByte(c.server.name, ':')+1:]
	}
	c.sealed.session = a.sessions.Judge(handshake.Handshake{
		Key: handshake.Key{Client: c.client.name, Server: where, QUIC: c.udp}, Address: c.server.name, At: c.opened.Add(-c.distance()), Given: given, TLS: t,
	})
}

// countSecure takes an encrypted connection into the tables.
func (a *Auditor) countSecure(c *conn) {
	if m := c.several; m != nil && len(m.hosts) > 0 && c.multiplexed {
		x := &a.tally.coalesced
		x.Connections, x.Origins, x.Requests = x.Connections+1, x.Origins+len(m.hosts), x.Requests+m.requests
	}
	t, ok := c.sealed.tls.Get()
	if !ok {
		return
	}
	end := handshake.Ending{Whole: c.missing == 0 && !c.oneWay && !c.beganBefore}
	if c.closedWith == trace.FIN {
		end.FIN = c.closedBy
	}
	a.tally.secure.Add(t, c.inferred, end)
	if turns, ok := c.sealed.turns.Get(); ok && t.Keys == trace.AllKeys && c.requests > 0 && end.Whole {
		a.tally.inference.Add(c.multiplexed, c.requests, int(turns))
	}
	if c.beganBefore || t.Version == "" {
		return
	}
	lasted := time.Duration(-1)
	if c.price.tls > 0 {
		lasted = c.price.tls
	}
	g := in(a.tally.origins, a.originOf(c.name, c.server))
	for _, sum := range []*handshake.Sum{&a.tally.secure, &g.handshakes} {
		sum.Took(t, lasted, handshake.Trips(t))
		sum.Judged(c.sealed.session.Outcome)
	}
	if o := c.sealed.session.Outcome; o == handshake.Unused || o == handshake.Refused {
		g.judged(c)
	}
}

// judged counts a handshake that could have been resumed.
func (g *group) judged(c *conn) {
	if g.resumption == nil {
		g.resumption = map[handshake.Outcome]*resumption{}
	}
	v := c.sealed.session
	m := g.resumption[v.Outcome]
	if m == nil {
		m = &resumption{}
		g.resumption[v.Outcome] = m
	}
	m.connections++
	m.agents = saw(m.agents, c.agent)
	if len(m.evidence) < Shown {
		m.evidence = append(m.evidence, evidence{stream: c.stream, udp: c.udp, frames: c.frames})
	}
	switch {
	case v.From == "":
	case v.From != c.server.name:
		m.elsewhere++
	case c.server.restartedBetween(v.Since, c.opened):
		m.restarted++
	}
}

// restartedBetween reports whether the server was restarted between two instants.
func (h *host) restartedBetween(from, to linger.Instant) bool {
	for _, at := range h.restarted {
		if at >= from && at <= to {
			return true
		}
	}
	return false
}

// resumptions are the findings about an origin's handshakes, each with what it costs.
func (a *Auditor) resumptions(k groupKey, g *group) []costly {
	var out []costly
	for _, o := range []handshake.Outcome{handshake.Unused, handshake.Refused} {
		m := g.resumption[o]
		if m == nil {
			continue
		}
		code := ResumptionUnused
		if o == handshake.Refused {
			code = ResumptionRefused
		}
		f := finding.Finding{
			Code: code, Severity: finding.Warning, Subject: finding.Subject{Kind: "origin", Name: cmp.Or(k.name, k.server), Of: k.server},
			Evidence: evidenceOf(&m.amount),
		}
		full, resumed := g.handshakes.Kinds()
		f.Figures = finding.Figures{finding.Number("connections", float64(m.connections), ""), finding.Number("full", float64(full.N), ""), finding.Number("resumed", float64(resumed.N), "")}
		for _, one := range []struct {
			name, unit string
			v          linger.Opt[float64]
		}{
			{"full_ms", "ms", full.Time}, {"resumed_ms", "ms", resumed.Time}, {"full_bytes", "bytes", full.Bytes}, {"resumed_bytes", "bytes", resumed.Bytes},
			{"certificate_bytes", "bytes", full.Certificate},
		} {
			if v, ok := one.v.Get(); ok {
				f.Figures = append(f.Figures, finding.Number(one.name, v, one.unit))
			}
		}
		if o == handshake.Refused {
			f.Figures = append(f.Figures, finding.Number("elsewhere", float64(m.elsewhere), ""), finding.Number("restarted", float64(m.restarted), ""))
		}
		f.Price = resumptionPrice(float64(m.connections), full, resumed)
		n := need{server: cmp.Or(a.config.Software, keepalive.RecogniseServer(g.software))}
		n.client = cmp.Or(a.config.Software, openerOf(a.proxyBefore(k.server), a.hosts[1][k.server], mostly(m.agents), ""))
		f.Remedies = n.resumes(code)
		out = append(out, costly{f, time.Duration(f.Price.Waiting.Or(0) * 1e6), m.connections})
	}
	return out
}

// resumptionPrice is what full handshakes took more than resumed ones on the same pair, as medians.
// Where no resumed one was seen, certificates alone are known to be saved, and with TLS 1.2 a round
// trip.
func resumptionPrice(n float64, full, resumed handshake.Kind) finding.Price {
	p := finding.Price{AtMost: true, Known: string(trace.Observed)}
	less := func(full, resumed linger.Opt[float64]) linger.Opt[float64] {
		f, ok := full.Get()
		r, ok2 := resumed.Get()
		if !ok || !ok2 {
			return linger.Opt[float64]{}
		}
		return linger.Known(n * max(0, f-r))
	}
	p.Waiting = less(full.Time, resumed.Time)
	if p.Bytes = less(full.Bytes, resumed.Bytes); p.Bytes.IsZero() {
		if c, ok := full.Certificate.Get(); ok {
			p.Bytes = linger.Known(n * c)
		}
	}
	if resumed.N == 0 {
		resumed.Trips = linger.Known(1.)
	}
	p.RoundTrips = less(full.Trips, resumed.Trips)
	return p
}
