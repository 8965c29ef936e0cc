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
	"time"

	"linger"
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
	{idleAfterResponseName + ", DNS", protocolDNS, []string{"dns-idle-long-enough", "dns-idle-orderly"}, 2, 2, true, dnsIdleAfterAnswer},
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
			MinVersion: tls.VersionTLS12, NextProtos: []string{schemeDoT},
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
		p.target.address = c.RemoteAddr().String()
		trips = append(trips, c.handshake)
		if len(trips) == samples {
			m, size, err := c.lookUp(ctx, p.target.query, dns.Options{})
			if err != nil {
				c.drop()
				return unreachable(fmt.Sprintf("no answer to %s over %s from %s: %s", p.target.query, p.stream(), p.target.address, cause(err)))
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
	const id = "dns-many-queries"
	c, err := p.open(ctx, nil)
	if err != nil {
		p.verdict(id, profile.NotMeasured, "%s", cause(err))
		return
	}
	defer c.drop()
	n := 0
	for ; n < dnsQueries && err == nil; n++ {
		_, _, err = c.lookUp(ctx, p.target.query, dns.Options{})
	}
	ended := errors.Is(err, io.EOF) || isReset(err)
	count := profile.Count{State: profile.AtLeast, N: n}
	switch {
	case err == nil:
		p.verdict(id, profile.Pass, "%d queries, one after the other, were answered on one connection", n)
	case ended && n > 1:
		n--
		count = profile.Count{State: profile.Measured, N: n}
		if n == 1 {
			p.broken(id, "the connection was ended after one query")
		} else {
			p.verdict(id, profile.Pass, "%d queries were answered on one connection, and then it was ended", n)
		}
	default:
		count = profile.Count{State: profile.Unknown, Why: cause(err)}
		p.verdict(id, profile.NotMeasured, "query %d: %s", n, cause(err))
	}
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed(p.stream()).Requests = count })
}

// dnsPipelining sends queries without waiting, in one segment as far as they fit.
func dnsPipelining(ctx context.Context, p *prober) {
	const id = "dns-pipelining"
	unknown := func(why string) {
		p.verdict(id, profile.NotMeasured, "%s", why)
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
	stray := ""
	for len(waiting) > 0 {
		var m dns.Message
		if m, _, err = c.hear(ctx); err != nil {
			break
		}
		if !waiting[m.ID] {
			stray = fmt.Sprintf("; an answer had the ID %d, which no open query has", m.ID)
			break
		}
		delete(waiting, m.ID)
		inOrder = inOrder && m.ID == first+uint16(seen.Answered)
		seen.Answered++
	}
	if seen.Answered > 0 {
		seen.InOrder = linger.Known(inOrder)
	}
	switch {
	case len(waiting) == 0:
		p.verdict(id, profile.Pass, "%d queries, sent in one go, were all answered", dnsQueries)
	case ctx.Err() != nil:
		unknown("the probe was ended")
		return
	default:
		how := "it was silent then"
		if errors.Is(err, io.EOF) || isReset(err) {
			how = "it ended the connection then"
		}
		if stray != "" {
			how = "it was given up then"
		}
		p.broken(id, "of %d queries, sent in one go, %d were answered: %s%s", dnsQueries, seen.Answered, how, stray)
	}
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
		p.verdict(id, profile.NotMeasured, "%s", cause(err))
		return
	}
	const pause = 50 * time.Millisecond
	number := uint16(rand.Uint32())
	b := framed(p.question(number))
	half := len(b) / 2
	for i, piece := range [][]byte{b[:1], b[1:half], b[half:]} {
		if i > 0 && sleep(ctx, pause) != nil {
			p.verdict(id, profile.NotMeasured, "the probe was ended")
			return
		}
		if _, err = c.Write(piece); err != nil {
			break
		}
	}
	m, _, heard := c.hear(ctx)
	switch {
	case heard == nil && m.Replies(p.target.query, number) == nil:
		p.verdict(id, profile.Pass, "a query in three pieces, %v apart, was answered", pause)
	case ctx.Err() != nil:
		p.verdict(id, profile.NotMeasured, "the probe was ended")
	case heard == nil:
		p.broken(id, "a query in three pieces, %v apart, had another answer", pause)
	default:
		p.broken(id, "a query in three pieces, %v apart, was not answered: %s", pause, cause(errors.Join(err, heard)))
	}
}

// dnsReorder asks for a name that nobody has, which a resolver must look for, and
// right behind it for one that it knows.
func dnsReorder(ctx context.Context, p *prober) {
	const id = "dns-reorders"
	c, err := p.open(ctx, nil)
	if err != nil {
		p.verdict(id, profile.NotMeasured, "%s", cause(err))
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
	fast, err := took(p.target.query)
	if err != nil {
		p.verdict(id, profile.NotMeasured, "%s", cause(err))
		return
	}
	slow, err := took(child())
	switch {
	case err != nil:
		p.verdict(id, profile.NotMeasured, "a name that nobody has: %s", cause(err))
		return
	case slow < fast+noticeable:
		p.verdict(id, profile.NotMeasured, "nothing is slow to answer: %s what it knows, %s what nobody has", profile.Duration(fast), profile.Duration(slow))
		return
	}
	var waited time.Duration
	for range tries {
		number := uint16(rand.Uint32())
		began := time.Now()
		err = c.ask(query(child(), dns.Options{ID: number}), p.question(number+1))
		var first dns.Message
		if err == nil {
			first, _, err = c.hear(ctx)
		}
		waited = time.Since(began)
		if err == nil {
			_, _, err = c.hear(ctx)
		}
		switch {
		case err != nil:
			p.verdict(id, profile.NotMeasured, "%s", cause(err))
			return
		case first.ID == number+1:
			p.verdict(id, profile.Pass, "what it knows was answered first, after %s, though asked for behind what nobody has", profile.Duration(waited))
			p.record(func(doc *profile.Profile) { doc.DNS.Reordered = linger.Known(true) })
			return
		case waited < fast+noticeable:
			p.verdict(id, profile.NotMeasured, "what was slow before, %s, was not so again", profile.Duration(slow))
			return
		}
	}
	p.broken(id, "what it knows, and answers in %s, had to wait %s for what nobody has", profile.Duration(fast), profile.Duration(waited))
	p.record(func(doc *profile.Profile) { doc.DNS.Reordered = linger.Known(false) })
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
	switch {
	case err != nil:
		p.verdict("dns-edns-asked", profile.NotMeasured, "a query without EDNS: %s", cause(err))
	case plain.EDNS:
		p.broken("dns-edns-asked", "the answer to a query without an OPT record has one")
	default:
		p.verdict("dns-edns-asked", profile.Pass, "the answer to a query without an OPT record has none either")
	}
	if p.target.tls != nil {
		for _, id := range []string{"dns-keepalive-udp", "dns-truncates"} {
			p.verdict(id, profile.NotMeasured, "it is asked over TLS; probe dns:// for UDP")
		}
		return
	}
	short, cut, overUDP := p.datagram(ctx, dns.Options{Plain: true})
	const most = 512 // bytes (RFC 1035, 4.2.1)
	switch {
	case err != nil:
		p.verdict("dns-truncates", profile.NotMeasured, "a query without EDNS: %s", cause(err))
	case plain.Truncated:
		p.broken("dns-truncates", "an answer of %d bytes over TCP says that it is truncated", size)
	case overUDP != nil:
		p.verdict("dns-truncates", profile.NotMeasured, "no answer over UDP: %s", cause(overUDP))
	case cut > most:
		p.broken("dns-truncates", "a query without EDNS was answered by %d bytes over UDP, %d is the most", cut, most)
	case size > most && !short.Truncated && short.Answers < plain.Answers:
		p.broken("dns-truncates", "%d of %d records came over UDP, and nothing says that some are missing", short.Answers, plain.Answers)
	case size > most && short.Truncated:
		p.verdict("dns-truncates", profile.Pass, "%d bytes over TCP; %d over UDP, truncated and said so", size, cut)
	case size > most:
		p.verdict("dns-truncates", profile.NotMeasured, "all answers fit into %d bytes over UDP, and what was left out is optional", cut)
	default:
		p.verdict("dns-truncates", profile.NotMeasured, "the answer has %d bytes, which fit; ask for a longer one: dns://host/name?type=TXT", size)
	}
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
	_, said := with.Keepalive.Get()
	switch {
	case err1 != nil:
		p.verdict("dns-keepalive-udp", profile.NotMeasured, "no answer over UDP: %s", cause(err1))
	case err2 != nil:
		p.broken("dns-keepalive-udp", "queries with the option were not answered, those without it were")
	case said:
		p.broken("dns-keepalive-udp", "the answer over UDP has the option")
	case with.Rcode != without.Rcode:
		p.broken("dns-keepalive-udp", "a query with the option was answered %s, one without it %s", dns.Rcode(with.Rcode), dns.Rcode(without.Rcode))
	default:
		p.verdict("dns-keepalive-udp", profile.Pass, "a query with the option was answered as one without it")
	}
}

// dnsWatch opens n connections, has each prepared, and waits until the server ends
// them. What counts begins with the last byte of an answer, or of the handshake.
func dnsWatch(ctx context.Context, p *prober, n int, method string, prepare func(c *conn) error) profile.Timeout {
	wait, cancel := p.wait(ctx)
	defer cancel()
	type sighting struct {
		end
		idle time.Duration
	}
	seen := make(chan sighting, n)
	for i := range n {
		go func() {
			var s sighting
			defer func() { seen <- s }()
			if s.err = sleep(ctx, time.Duration(i)*time.Second/time.Duration(2*n)); s.err != nil {
				return
			}
			c, err := p.open(ctx, nil)
			if err != nil {
				s.err = err
				return
			}
			defer c.drop()
			c.last = c.ready
			if s.err = prepare(c); s.err != nil {
				return
			}
			s.end = c.awaitEnd(wait)
			s.idle = s.at.Sub(c.last)
		}()
	}
	limit := profile.Timeout{State: profile.Unknown, Method: method}
	var ended, open []time.Duration
	for range n {
		switch s := <-seen; {
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
	case len(open) > 0:
		limit.State, limit.Why, limit.Ending = profile.AtLeast, "", ""
		limit.Low, limit.N = profile.SpreadOf(open).Low, len(open)
	}
	return limit
}

func dnsIdleAfterAnswer(ctx context.Context, p *prober) {
	limit := dnsWatch(ctx, p, 2, "connections that had one answer, to a query without edns-tcp-keepalive, were left alone until the server ended them", func(c *conn) error {
		_, _, err := c.lookUp(ctx, p.target.query, dns.Options{})
		return err
	})
	if limit.State == profile.Measured {
		p.settled(time.Duration(limit.Median))
	}
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed(p.stream()).AfterResponse = limit })
	const long, orderly = "dns-idle-long-enough", "dns-idle-orderly"
	switch {
	case limit.State == profile.Unknown:
		p.verdict(long, profile.NotMeasured, "%s", limit.Why)
		p.verdict(orderly, profile.NotMeasured, "%s", limit.Why)
	case limit.State == profile.AtLeast:
		if limit.Low >= profile.Duration(time.Second) {
			p.verdict(long, profile.Pass, "kept for %s at least", limit.Low)
		}
		p.verdict(orderly, profile.NotMeasured, "no idle connection was ended within %s", limit.Low)
	default:
		if limit.ShorterThan(profile.Duration(time.Second)) {
			p.broken(long, "ended after %s", limit.Median)
		} else {
			p.verdict(long, profile.Pass, "ended after %s", limit.Median)
		}
		if limit.Ending == profile.RST || limit.Ending == profile.CloseNotifyRST {
			p.broken(orderly, "ended by %s", limit.Ending)
		} else {
			p.verdict(orderly, profile.Pass, "ended by %s", limit.Ending)
		}
	}
}

// dnsKeepalive asks for the idle limit, and holds it against what it sees.
func dnsKeepalive(ctx context.Context, p *prober) {
	const id = "dns-keepalive-true"
	var announced linger.Opt[time.Duration]
	limit := dnsWatch(ctx, p, 1, "a connection that had one answer, to a query with edns-tcp-keepalive, was left alone until the server ended it", func(c *conn) error {
		m, _, err := c.lookUp(ctx, p.target.query, dns.Options{Keepalive: true})
		announced = m.Keepalive
		return err
	})
	said, ok := announced.Get()
	p.record(func(doc *profile.Profile) {
		doc.DNS.AfterKeepalive = limit
		if ok {
			doc.ProtocolNamed(p.stream()).Announced.Timeout = linger.Known(profile.Duration(said))
		}
	})
	// The option counts tenths of a second (RFC 7828, 3.1), and servers' clocks tick.
	const slack = 100 * time.Millisecond
	least := said - max(slack, said/50)
	switch {
	case limit.State == profile.Unknown:
		p.verdict(id, profile.NotMeasured, "%s", limit.Why)
	case !ok:
		p.verdict(id, profile.NotMeasured, "it does not say the option, which it need not")
	case said == 0:
		p.verdict(id, profile.Pass, "it asks to close at once")
	case limit.State == profile.Measured && limit.Median < profile.Duration(least):
		p.broken(id, "it said %s, and ended the connection after %s", profile.Duration(said), limit.Median)
	case limit.State == profile.Measured:
		p.verdict(id, profile.Pass, "it said %s, and ended the connection after %s", profile.Duration(said), limit.Median)
	case limit.Low >= profile.Duration(least):
		p.verdict(id, profile.Pass, "it said %s, and kept the connection for %s at least", profile.Duration(said), limit.Low)
	default:
		p.verdict(id, profile.NotMeasured, "it said %s, and waiting ended after %s; --patient and --max-wait wait for longer", profile.Duration(said), limit.Low)
	}
}

func dnsIdleAfterConnect(ctx context.Context, p *prober) {
	limit := dnsWatch(ctx, p, 1, "a connection on which nothing was said was left alone until the server ended it", func(*conn) error { return nil })
	p.record(func(doc *profile.Profile) {
		if protocol := doc.ProtocolNamed(p.stream()); p.target.tls != nil {
			protocol.AfterTLS = limit
		} else {
			protocol.AfterConnect = limit
		}
	})
}
