package probe

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/conformance"
	"linger/dns"
	"linger/profile"
)

const (
	protocolDNS = "dns" // of profile.Case
	schemeDNS   = "dns"
	schemeDoT   = "dot" // and the name of the protocol
	// dnsConnections are how many are open at once to a server of DNS. Some shorten
	// their limits to a hundredth once half of their connections are taken, and have
	// ten of them unless they are told otherwise (unbound: tcp-idle-timeout,
	// incoming-num-tcp): to see the limit itself, the probe has to stay below that.
	dnsConnections = 4
	// dnsAgain is how long a limit is at most for which connections are watched again.
	dnsAgain = 10 * time.Second
	// dnsQueries are how many are sent on one connection, one after the other and all
	// at once.
	dnsQueries = 10
	// sends are how often a datagram is sent at most.
	sends = 3
	// noticeable is by how much an answer must be slower than another to tell whether
	// that one has waited for it; tries are how often it has to, since a machine may
	// be late for once.
	noticeable, tries = 20 * time.Millisecond, 2
)

// dnsExperiments have those that wait last, unlike all others: connections are few,
// and what does not wait is over at once.
var dnsExperiments = []experiment{
	{"queries on a connection", protocolDNS, []string{"dns-many-queries"}, 1, dnsQueries, false, dnsOneByOne},
	{"pipelining", protocolDNS, []string{"dns-pipelining"}, 1, dnsQueries, false, dnsPipelining},
	{"a query in pieces", protocolDNS, []string{"dns-split"}, 1, 1, false, dnsSplit},
	{"a slow answer before a fast one", protocolDNS, []string{"dns-reorders"}, 1, 2 + 2*tries, false, dnsReorder},
	{"a client that sends no more", protocolDNS, nil, 1, 1, false, dnsHalfClose},
	{"EDNS and truncation", protocolDNS, []string{"dns-edns-asked", "dns-keepalive-udp", "dns-truncates"}, 1, 1 + 5*sends, false, dnsDatagrams},
	{idleAfterResponseName + ", DNS", protocolDNS, []string{"dns-idle-long-enough", "dns-idle-orderly"}, 2, 4, true, dnsIdleAfterAnswer},
	{"idle after an answer, with edns-tcp-keepalive", protocolDNS, []string{"dns-keepalive-true"}, 1, 1, true, dnsKeepalive},
	{"idle after connect, DNS", protocolDNS, nil, 1, 0, true, dnsIdleAfterConnect},
}

// isDNS reports whether a scheme is of a server of DNS.
func isDNS(scheme string) bool { return scheme == schemeDNS || scheme == schemeDoT }

// dnsTarget reads dns://HOST[:PORT][/NAME][?type=TYPE] (RFC 4501, 3), and the same with
// dot: for TLS. Without a name the servers of the root are asked for, which every
// resolver knows and no server of names need look for.
func dnsTarget(u *url.URL, config Config) (target, error) {
	t := target{url: u, host: u.Host, query: linger.Query{Name: ".", Type: "NS"}}
	if name := strings.Trim(u.Path, "/"); name != "" {
		t.query = linger.Query{Name: strings.TrimSuffix(name, "."), Type: "A"}
	}
	for part := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == ';' || r == '&' }) {
		kind, ok := strings.CutPrefix(strings.ToLower(part), "type=")
		if !ok {
			return t, fmt.Errorf("%q is not what can be asked; write dns://host/name?type=AAAA", part)
		}
		t.query.Type = strings.ToUpper(kind)
	}
	if _, err := dns.Ask(t.query, dns.Options{}); err != nil {
		return t, err
	}
	if u.Scheme == schemeDoT {
		t.tls = &tls.Config{
			ServerName: u.Hostname(), RootCAs: config.Roots, InsecureSkipVerify: config.Insecure,
			MinVersion: tls.VersionTLS12, NextProtos: []string{schemeDoT}, Certificates: config.Certificates,
		}
	}
	return t, nil
}

// stream names the protocol whose profile is written.
func (p *prober) stream() string {
	if p.target.tls != nil {
		return schemeDoT
	}
	return linger.OverTCP
}

// reachDNS finds the address that answers, the round-trip time to it, and what its
// ordinary answer is.
func (p *prober) reachDNS(ctx context.Context) error {
	port := p.target.url.Port()
	if port == "" {
		port = map[string]string{schemeDNS: "53", schemeDoT: "853"}[p.target.url.Scheme]
	}
	p.target.address = net.JoinHostPort(p.target.url.Hostname(), port)
	const samples = 3
	var trips []time.Duration
	for range samples {
		c, err := p.open(ctx, nil)
		if err != nil {
			return unreachable(err.Error())
		}
		p.settle(c)
		trips = append(trips, c.handshake)
		if len(trips) == samples {
			m, size, err := c.lookUp(ctx, p.target.query, dns.Options{})
			if err != nil {
				c.drop()
				return unreachable(fmt.Sprintf("no answer to %s over %s from %s: %s", p.target.query, p.stream(), p.target.address, p.tooLate(err)))
			}
			p.profile.Baseline = profile.Baseline{Rcode: dns.Rcode(m.Rcode), Bytes: int64(size)}
		}
		c.drop()
	}
	p.profile.Address = p.target.address
	p.profile.RTT = profile.SpreadOf(trips)
	p.profile.DNS = &profile.DNS{}
	p.profile.ProtocolNamed(p.stream()).Offered = true
	return nil
}

// framed is a message behind its length (RFC 1035, 4.2.2).
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

// ask sends queries in one go.
func (c *conn) ask(queries ...[]byte) error {
	if err := c.prober.spend(len(queries)); err != nil {
		return err
	}
	var b []byte
	for _, q := range queries {
		b = append(b, framed(q)...)
	}
	c.socket.SetWriteDeadline(time.Now().Add(c.prober.config.Answer))
	_, err := c.Write(b)
	return err
}

// hear reads one message, and returns its size in bytes.
func (c *conn) hear(ctx context.Context) (m dns.Message, size int, err error) {
	c.socket.SetReadDeadline(time.Now().Add(c.prober.config.Answer))
	stop := context.AfterFunc(ctx, func() { c.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	c.bounded.N = maxBody
	var length [2]byte
	if _, err := io.ReadFull(c.in, length[:]); err != nil {
		return m, 0, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c.in, b); err != nil {
		return m, 0, err
	}
	c.last = time.Now()
	m, err = dns.Read(b)
	return m, len(b), err
}

// lookUp asks one query and waits for its answer.
func (c *conn) lookUp(ctx context.Context, q linger.Query, o dns.Options) (m dns.Message, size int, err error) {
	o.ID = uint16(rand.Uint32())
	b, err := dns.Ask(q, o)
	if err != nil {
		return m, 0, err
	}
	if err := c.ask(b); err != nil {
		return m, 0, err
	}
	if m, size, err = c.hear(ctx); err == nil {
		err = m.Replies(q, o.ID)
	}
	return m, size, err
}

// question is the target's, with an ID, and without any wish about the connection.
func (p *prober) question(id uint16) []byte { return query(p.target.query, dns.Options{ID: id}) }

// query is the message of a question that can be asked.
func query(q linger.Query, o dns.Options) []byte {
	b, err := dns.Ask(q, o)
	if err != nil {
		panic("probe: " + err.Error()) // dnsTarget has tried
	}
	return b
}

// dnsOneByOne asks one query after the other on one connection.
func dnsOneByOne(ctx context.Context, p *prober) {
	c, err := p.open(ctx, nil)
	if err != nil {
		p.unmeasured(cause(err), "dns-many-queries")
		return
	}
	defer c.drop()
	var seen conformance.Queries
	for seen.Answered < dnsQueries {
		if _, _, err = c.lookUp(ctx, p.target.query, dns.Options{}); err != nil {
			break
		}
		seen.Answered++
	}
	count := profile.Count{State: profile.AtLeast, N: seen.Answered}
	if err != nil {
		seen.Ended, seen.Why = ends(err), cause(err)
		count = profile.Count{State: profile.Unknown, Why: seen.Why}
	}
	if seen.Ended && seen.Answered > 0 {
		count = profile.Count{State: profile.Measured, N: seen.Answered}
	}
	p.judge(seen)
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed(p.stream()).Requests = count })
}

// dnsPipelining sends queries without waiting, in one segment as far as they fit.
func dnsPipelining(ctx context.Context, p *prober) {
	unknown := func(why string) {
		p.unmeasured(why, "dns-pipelining")
		p.record(func(doc *profile.Profile) {
			doc.ProtocolNamed(p.stream()).Pipelining = &profile.Pipelining{State: profile.Unknown, Why: why}
		})
	}
	c, err := p.open(ctx, nil)
	if err != nil {
		unknown(cause(err))
		return
	}
	defer c.drop()
	var queries [][]byte
	waiting := map[uint16]bool{}
	first := uint16(rand.Uint32())
	for i := range uint16(dnsQueries) {
		queries = append(queries, p.question(first+i))
		waiting[first+i] = true
	}
	if err := c.ask(queries...); err != nil {
		unknown(cause(err))
		return
	}
	seen := &profile.Pipelining{State: profile.Measured, Sent: dnsQueries}
	inOrder := true
	burst := conformance.Burst{Sent: dnsQueries}
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
	burst.Answered, burst.Ended = seen.Answered, ends(err)
	p.judge(burst)
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed(p.stream()).Pipelining = seen })
}

// dnsSplit sends a query in pieces, each in a segment of its own: half of its length,
// the rest of it with half of the message, the rest.
func dnsSplit(ctx context.Context, p *prober) {
	const id = "dns-split"
	c, err := p.open(ctx, nil)
	if err == nil {
		defer c.drop()
		err = p.spend(1)
	}
	if err != nil {
		p.unmeasured(cause(err), id)
		return
	}
	const pause = 50 * time.Millisecond
	number := uint16(rand.Uint32())
	b := framed(p.question(number))
	half := len(b) / 2
	for i, piece := range [][]byte{b[:1], b[1:half], b[half:]} {
		if i > 0 && sleep(ctx, pause) != nil {
			p.unmeasured("the probe was ended", id)
			return
		}
		if _, err = c.Write(piece); err != nil {
			break
		}
	}
	m, _, heard := c.hear(ctx)
	pieces := conformance.Pieces{Apart: pause, Heard: heard == nil, Right: heard == nil && m.Replies(p.target.query, number) == nil}
	switch {
	case !pieces.Right && ctx.Err() != nil:
		p.unmeasured("the probe was ended", id)
		return
	case !pieces.Heard:
		pieces.Why = cause(errors.Join(err, heard))
	}
	p.judge(pieces)
}

// dnsReorder asks for a name that nobody has, which a resolver must look for, and
// right behind it for one that it knows.
func dnsReorder(ctx context.Context, p *prober) {
	const id = "dns-reorders"
	c, err := p.open(ctx, nil)
	if err != nil {
		p.unmeasured(cause(err), id)
		return
	}
	defer c.drop()
	child := func() linger.Query {
		name := fmt.Sprintf("linger-%08x", rand.Uint32())
		if p.target.query.Name != "." {
			name += "." + p.target.query.Name
		}
		return linger.Query{Name: name, Type: "A"}
	}
	took := func(q linger.Query) (time.Duration, error) {
		began := time.Now()
		_, _, err := c.lookUp(ctx, q, dns.Options{})
		return time.Since(began), err
	}
	seen := conformance.Reordered{Noticeable: noticeable}
	if seen.Fast, err = took(p.target.query); err != nil {
		p.unmeasured(cause(err), id)
		return
	}
	if seen.Slow, err = took(child()); err != nil {
		p.unmeasured("a name that nobody has: "+cause(err), id)
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
			p.unmeasured(cause(err), id)
			return
		}
		seen.Tried, seen.First = true, first.ID == number+1
	}
	p.judge(seen)
	if seen.First || seen.Undecided() {
		p.record(func(doc *profile.Profile) { doc.DNS.Reordered = linger.Known(seen.First) })
	}
}

// dnsHalfClose asks, and closes its side at once.
func dnsHalfClose(ctx context.Context, p *prober) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	number := uint16(rand.Uint32())
	if c.ask(p.question(number)) != nil {
		return
	}
	if s, ok := c.Conn.(interface{ CloseWrite() error }); !ok || s.CloseWrite() != nil {
		return
	}
	m, _, err := c.hear(ctx)
	if ctx.Err() == nil {
		p.record(func(doc *profile.Profile) {
			doc.DNS.HalfClosed = linger.Known(err == nil && m.Replies(p.target.query, number) == nil)
		})
	}
}

// datagram asks one query over UDP, thrice if need be.
func (p *prober) datagram(ctx context.Context, o dns.Options) (m dns.Message, size int, err error) {
	o.ID = uint16(rand.Uint32())
	b := query(p.target.query, o)
	s, err := new(net.Dialer).DialContext(ctx, "udp", p.target.address)
	if err != nil {
		return m, 0, err
	}
	defer s.Close()
	in := make([]byte, linger.MaxMessage)
	for range sends {
		if err = p.spend(1); err != nil {
			return m, 0, err
		}
		if _, err = s.Write(b); err != nil {
			return m, 0, err
		}
		s.SetReadDeadline(time.Now().Add(p.config.Answer / sends))
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

// dnsDatagrams holds what is said over UDP against what is said over TCP.
func dnsDatagrams(ctx context.Context, p *prober) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	plain, size, err := c.lookUp(ctx, p.target.query, dns.Options{Plain: true})
	sizes := conformance.Sizes{NoTCP: reason(err), TCP: conformance.Answer{Bytes: size, Truncated: plain.Truncated, Records: plain.Answers}}
	p.judge(conformance.Plain{EDNS: plain.EDNS, Why: sizes.NoTCP})
	if p.target.tls != nil {
		p.unmeasured("it is asked over TLS; probe dns:// for UDP", "dns-keepalive-udp", "dns-truncates")
		return
	}
	short, cut, err := p.datagram(ctx, dns.Options{Plain: true})
	sizes.NoUDP, sizes.UDP = reason(err), conformance.Answer{Bytes: cut, Truncated: short.Truncated, Records: short.Answers}
	p.judge(sizes)
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
	p.judge(conformance.Datagrams{
		Without: dns.Rcode(without.Rcode), With: dns.Rcode(with.Rcode), Has: with.HasKeepalive, NoWithout: reason(err1), NoWith: err2 != nil,
	})
}

// reason is the cause of an error, or nothing where there is none.
func reason(err error) string {
	if err == nil {
		return ""
	}
	return cause(err)
}

// dnsWatch opens n connections, has each prepared, and waits until the server ends
// them, the first after a while, so that all that are watched begin apart. Several have a
// second turn where connections were seen to differ, since few are open at once. What
// counts begins with the last byte of an answer, or of the handshake.
func dnsWatch(ctx context.Context, p *prober, after time.Duration, n int, method string, prepare func(c *conn) error) profile.Timeout {
	wait, cancel := p.wait(ctx)
	defer cancel()
	watch := func(after time.Duration) (s sighting) {
		if s.err = sleep(ctx, after); s.err != nil {
			return s
		}
		c, err := p.open(ctx, nil)
		if err != nil {
			s.err = err
			return s
		}
		defer c.drop()
		c.last = c.ready
		if s.err = prepare(c); s.err != nil {
			return s
		}
		s.end = c.awaitEnd(wait)
		s.idle = s.at.Sub(c.last)
		return s
	}
	var seen []sighting // all that p.watched has of these, too
	round := func(delay func(i int) time.Duration) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				s := watch(delay(i))
				p.mu.Lock()
				defer p.mu.Unlock()
				seen, p.watched = append(seen, s), append(p.watched, s)
			})
		}
		all.Wait()
	}
	round(func(i int) time.Duration { return after + begins(i, n) })
	if n > 1 && p.differ(ctx) {
		round(func(i int) time.Duration { return begins(2*i+1, 2*n) })
	}
	limit := profile.Timeout{State: profile.Unknown, Method: method}
	var ended, open []time.Duration
	for _, s := range seen {
		switch {
		case s.err != nil:
			limit.Why = cause(s.err)
		case s.how != "":
			ended = append(ended, s.idle)
			limit.Ending = s.how
		default:
			open = append(open, s.idle)
		}
	}
	switch {
	case len(ended) > 0:
		limit.State, limit.Why, limit.Spread = profile.Measured, "", profile.SpreadOf(ended)
		// How long a packet takes varies by as much as it was seen to, and clocks tick.
		limit.Uncertainty = max(p.profile.RTT.High-p.profile.RTT.Low, profile.Duration(time.Millisecond))
		if longest := profile.SpreadOf(open).High; longest > limit.High+limit.Uncertainty+profile.Slack(limit.High) {
			limit = profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: limit.Low - limit.Uncertainty, N: n}, Method: method,
				Why: someEnded(len(ended), len(ended)+len(open), time.Duration(limit.Low), time.Duration(longest))}
		}
	case len(open) > 0:
		limit.State, limit.Why, limit.Ending = profile.AtLeast, "", ""
		limit.Low, limit.N = profile.SpreadOf(open).Low, len(open)
	}
	p.sweeps(sweepOf(seen, time.Duration(limit.Uncertainty), true))
	p.record(func(*profile.Profile) {
		p.sweep = max(p.sweep, sweepOf(p.watched, time.Duration(limit.Uncertainty), false))
	})
	return limit
}

// differ reports whether connections that were watched, of whatever kind, were kept for
// different times, none of which is long. It gives those that began later some time to end.
func (p *prober) differ(ctx context.Context) bool {
	for range 20 {
		p.mu.Lock()
		n, kept := len(p.watched), spread{}
		for _, s := range p.watched {
			if s.how != "" {
				kept.add(s.idle)
			}
		}
		p.mu.Unlock()
		if kept.high > dnsAgain {
			return false
		}
		if kept.width() > 5*together {
			return true
		}
		if n >= dnsConnections || sleep(ctx, over/10) != nil {
			return false
		}
	}
	return false
}

func dnsIdleAfterAnswer(ctx context.Context, p *prober) {
	limit := dnsWatch(ctx, p, 0, 2, "connections that had one answer, to a query without edns-tcp-keepalive, were left alone until the server ended them", func(c *conn) error {
		_, _, err := c.lookUp(ctx, p.target.query, dns.Options{})
		return err
	})
	if limit.State == profile.Measured {
		p.settled(time.Duration(limit.Median))
	}
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed(p.stream()).AfterResponse = limit })
	p.judge(conformance.IdleDNS{Limit: limit})
}

// dnsKeepalive asks for the idle limit, and holds it against what it sees.
func dnsKeepalive(ctx context.Context, p *prober) {
	var announced linger.Opt[time.Duration]
	empty := false
	limit := dnsWatch(ctx, p, over/3, 1, "a connection that had one answer, to a query with edns-tcp-keepalive, was left alone until the server ended it", func(c *conn) error {
		m, _, err := c.lookUp(ctx, p.target.query, dns.Options{Keepalive: true})
		announced, empty = m.Keepalive, m.HasKeepalive && m.Keepalive.IsZero()
		return err
	})
	said, ok := announced.Get()
	p.record(func(doc *profile.Profile) {
		doc.DNS.AfterKeepalive = limit
		if ok {
			doc.ProtocolNamed(p.stream()).Announced.Timeout = linger.Known(profile.Duration(said))
		}
	})
	p.judge(conformance.KeepaliveDNS{Announced: announced, Empty: empty, Limit: limit})
}

func dnsIdleAfterConnect(ctx context.Context, p *prober) {
	limit := dnsWatch(ctx, p, over, 1, "a connection on which nothing was said was left alone until the server ended it", func(*conn) error { return nil })
	p.record(func(doc *profile.Profile) {
		if protocol := doc.ProtocolNamed(p.stream()); p.target.tls != nil {
			protocol.AfterTLS = limit
		} else {
			protocol.AfterConnect = limit
		}
	})
}
