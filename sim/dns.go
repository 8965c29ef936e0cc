package sim

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/alarm"
	"linger/wire"
)

// A Message is what a query and its answer come to on the wire. Who has a library of
// DNS says it; here nobody reads one.
type Message struct {
	// Query and Answer are their lengths in bytes.
	Query  int64  `json:"query"`
	Answer int64  `json:"answer"`
	Rcode  string `json:"rcode"`
	// Truncated says that the answer does not fit and is to be asked for over TCP.
	Truncated bool `json:"truncated,omitempty"`
	// Fresh is for how long it may be kept, which HTTP says in its head.
	Fresh time.Duration `json:"fresh_ns,omitempty"`
	// Limit is the idle limit that the answer tells (RFC 7828); nil is none. As Fresh it
	// is in nanoseconds, which an Opt is not.
	Limit *time.Duration `json:"limit_ns,omitempty"`
}

const (
	// leastMessage is a header alone (RFC 1035, 4.1.1).
	leastMessage = 12
	// datagramHeaders are those of IPv4 and UDP.
	datagramHeaders = 20 + 8
	// dnsPath is where DNS over HTTPS is asked, dnsType what a message is (RFC 8484,
	// 4.1 and 6).
	dnsPath = "/dns-query"
	dnsType = "application/dns-message"
	// dnsBuffer is how much the origin reads of a stream at once.
	dnsBuffer = 4 << 10
)

// message is what an exchange comes to over what carries it.
func (w *world) message(exchange int, over string) *Message {
	return &w.config.Messages[over][exchange]
}

// overHTTP returns the exchange of HTTP that carries a query (RFC 8484, 4.1). By GET
// the message is a part of the path.
func (w *world) overHTTP(i int, e linger.Exchange, get bool) linger.Exchange {
	m := w.message(i, linger.OverHTTPS)
	e.Status, e.ContentType, e.ResponseBody = 200, dnsType, m.Answer
	if get {
		e.Method, e.Path = "GET", dnsPath+"?dns="+unread[:base64.RawURLEncoding.EncodedLen(int(m.Query))]
		return e
	}
	e.Method, e.Path, e.RequestBody = "POST", dnsPath, m.Query
	return e
}

// unread stands for a message in a path. Nobody reads it; a coding of Huffman's takes
// as many bits for its letters as for those of base64url on average.
var unread = func() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	out := make([]byte, base64.RawURLEncoding.EncodedLen(linger.MaxMessage))
	for i := range out {
		out[i] = letters[i%len(letters)]
	}
	return string(out)
}()

// names are looked up by DNS.
type names struct{}

func (names) limits() policy.Limits { return policy.DNSLimits }

// prepare puts queries into the trace as such, and into the messages of HTTP that carry them.
func (names) prepare(w *world, m *manner) error {
	if err := w.config.known(m.scenario); err != nil {
		return err
	}
	for i, e := range m.scenario.Workload.Exchanges {
		x := &m.exchanges[i]
		x.Method = e.Query.Type
		x.URL = fmt.Sprintf("dns://%s/%s?type=%s", w.config.Host, url.PathEscape(e.Query.Name), e.Query.Type)
	}
	if m.scenario.Strategy.DNS == linger.OverHTTPS {
		all := slices.Clone(m.scenario.Workload.Exchanges)
		for i := range all {
			all[i] = w.overHTTP(i, all[i], m.scenario.Strategy.Get)
		}
		m.scenario.Workload.Exchanges = all
	}
	return nil
}

// known checks that the size of each message is known, over each of what may carry it.
func (c *Config) known(s linger.Scenario) error {
	all := []string{s.Strategy.DNS}
	if s.Strategy.Datagram {
		all = append(all, linger.OverTCP)
	}
	for _, over := range all {
		if len(c.Messages[over]) != len(s.Workload.Exchanges) {
			return fmt.Errorf("the sizes of %d messages over %s are known, and %d queries are asked; give each", len(c.Messages[over]), over, len(s.Workload.Exchanges))
		}
		for i, m := range c.Messages[over] {
			if min(m.Query, m.Answer) < leastMessage || max(m.Query, m.Answer) > linger.MaxMessage {
				return fmt.Errorf("message %d over %s has %d and %d bytes; a message has %d to %d", i, over, m.Query, m.Answer, leastMessage, linger.MaxMessage)
			}
		}
	}
	return nil
}

// A query says no more than it must (RFC 8484, 8.2).
func (names) agent(*party, *linger.Exchange) (string, bool) { return "", false }

func (names) accepts() string { return dnsType }

func (names) sends() string { return dnsType }

// caching is an answer's age (RFC 8484, 5.1).
func (names) caching(w *party, exchange int) string {
	return fmt.Sprintf("max-age=%d", int64(w.message(exchange, linger.OverHTTPS).Fresh/time.Second))
}

func (names) done(w *party, exchange int) {
	w.exchanges[exchange].Rcode = w.message(exchange, linger.OverHTTPS).Rcode
}

// asks notes a query that is sent without HTTP, of which head bytes are its length.
func (c *conn) asks(q staged, head int64) *Message {
	w := c.party
	m, x := w.message(q.exchange, c.protocol.Carrier()), &w.exchanges[q.exchange]
	x.Attempts++
	if !q.again {
		x.Sent = linger.Known(w.now)
		c.record.Requests++
	}
	x.RequestHead, x.RequestBody = head, m.Query
	return m
}

// answered notes an answer that has been read whole.
func (c *conn) answered(exchange int, head int64) {
	w := c.party
	m, x := w.message(exchange, c.protocol.Carrier()), &w.exchanges[exchange]
	x.FirstByte, x.Done = linger.Known(w.now), linger.Known(w.now)
	x.ResponseHead, x.ResponseBody, x.Rcode = head, m.Answer, m.Rcode
	if m.Limit != nil && !c.protocol.OverQUIC() {
		limit := *m.Limit
		c.record.IdleLimit = linger.Known(limit)
		w.policy.HandleIdleLimit(w.now, c.id, limit)
	}
	c.responded(exchange, true)
}

// dnsStream is a client of DNS over TCP or TLS.
type dnsStream struct {
	streamClient
	queries []int // on their way, for the server
	answers []int // on their way, from it
	due     int
	got     int64
}

// dnsServer is the origin's half: it answers each query when that is due, those
// together that have come together.
type dnsServer struct {
	streamServer
	client  *dnsStream
	arrived int64
	buffer  int64
	ready   []int
	delayed delays[int]
	open    int
}

func newDNSStream(c *conn) {
	h := &dnsStream{streamClient: streamClient{c}}
	c.join(h, h, &dnsServer{streamServer: streamServer{end: c.ends[server]}, client: h})
}

// sizes are those of a message and of its answer, with the length before each.
func (h *dnsStream) sizes(exchange int) (query, answer int64) {
	m := h.conn.party.message(exchange, h.conn.protocol.Carrier())
	return wire.MessagePrefix + m.Query, wire.MessagePrefix + m.Answer
}

// send writes the queries that are ready in one go (RFC 7766, 8).
func (h *dnsStream) send(batch []staged) {
	w := h.conn.party
	n := int64(0)
	for _, q := range batch {
		n += wire.MessagePrefix + h.conn.asks(q, wire.MessagePrefix).Query
		h.queries = append(h.queries, q.exchange)
		h.due++
	}
	h.conn.ends[client].write(n)
	for _, q := range batch {
		w.policy.HandleSent(w.now, h.conn.id, q.exchange)
	}
}

// read takes in answers.
func (h *dnsStream) read(n int64) {
	h.got += n
	for len(h.answers) > 0 && !h.conn.gone {
		exchange := h.answers[0]
		_, size := h.sizes(exchange)
		if h.got < size {
			return
		}
		h.answers = h.answers[:copy(h.answers, h.answers[1:])]
		h.got -= size
		h.due--
		h.conn.answered(exchange, wire.MessagePrefix)
	}
}

// eof says that the server has closed.
func (h *dnsStream) eof() {
	where := "the idle connection"
	switch {
	case h.got > 0:
		where = "in the midst of an answer"
	case h.due == 1:
		where = "with an answer due"
	case h.due > 1:
		where = fmt.Sprintf("with %d answers due", h.due)
	}
	h.conn.closedByServer("server closed " + where)
}

func (s *dnsServer) read(n int64) {
	s.arrived += n
	s.serve()
}

func (s *dnsServer) writable() {
	s.settle()
	s.serve()
}

// serve takes queries, a buffer of them at once, and answers.
func (s *dnsServer) serve() {
	w := s.end.party
	for !s.closed {
		n := min(s.arrived, dnsBuffer-s.buffer)
		s.arrived -= n
		s.buffer += n
		for len(s.client.queries) > 0 && s.open < serverStreams {
			if why, _ := s.policy.Closing(); why != "" {
				break
			}
			exchange := s.client.queries[0]
			size, _ := s.client.sizes(exchange)
			if s.buffer < size {
				if s.buffer > 0 {
					s.policy.HandleRequestStart(w.now)
					s.client.conn.tell(s.policy)
				}
				break
			}
			s.client.queries = s.client.queries[:copy(s.client.queries, s.client.queries[1:])]
			s.buffer -= size
			s.open++
			s.policy.HandleRequest(w.now, s.client.conn.protocol.Carrier(), nil)
			s.client.conn.tell(s.policy)
			if due := s.client.conn.due(exchange); due > w.now {
				s.delayed.add(exchange, due)
			} else {
				s.ready = append(s.ready, exchange)
			}
		}
		s.reply()
		if s.arrived == 0 || s.open >= serverStreams || s.buffer == dnsBuffer {
			return
		}
	}
}

// reply writes what is due, in as few writes as pages hold it.
func (s *dnsServer) reply() {
	w := s.end.party
	s.waited()
	s.ready = append(s.ready, s.delayed.take(w.now)...)
	for len(s.ready) > 0 && !s.end.blocked && !s.end.shut {
		page := int64(0)
		for len(s.ready) > 0 {
			_, n := s.client.sizes(s.ready[0])
			if page > 0 && page+n > pageSize {
				break
			}
			s.client.answers = append(s.client.answers, s.ready[0])
			s.ready = s.ready[:copy(s.ready, s.ready[1:])]
			s.written++
			page += n
		}
		s.end.write(page)
		if !s.end.blocked {
			s.settle()
		}
	}
	s.closeIfDue()
}

// settle notes what the kernel has taken.
func (s *dnsServer) settle() {
	s.open -= s.written
	s.streamServer.settle()
}

func (s *dnsServer) deadline() linger.Instant {
	if s.closed {
		return linger.Never
	}
	return min(s.policy.NextTimeout(), s.delayed.next())
}

func (s *dnsServer) timeout() { s.reply() }

func (s *dnsServer) giveWay() {
	s.dismiss()
	s.reply()
}

func (s *dnsServer) eof() {
	s.ended = true
	s.closeIfDue()
}

// closeIfDue closes where the client has and all is answered, and in the policy's style
// where the policy wants it.
func (s *dnsServer) closeIfDue() {
	switch {
	case s.closed:
	case s.ended && s.open == 0:
		s.closed = true
		s.end.shutdown()
	case !s.end.blocked:
		s.streamServer.closeIfDue()
	}
}

// dnsSocket is a socket of UDP with one query on it, and at the other side whoever
// answers there.
type dnsSocket struct {
	conn *conn
	ends [2]*dnsEnd
}

// A dnsEnd is one side of it. What has come is read, and answered, when it is due.
type dnsEnd struct {
	timer  alarm.Alarm
	socket *dnsSocket
	side   int
	due    delays[int] // exchanges
}

// dialUDP opens a socket, which takes no time.
func (w *party) dialUDP(id, origin int) {
	c := w.newConn(id, origin, linger.DNSOverUDP, linger.TransportUDP)
	k := &c.record
	k.Client, k.Server, k.Connected = c.flows.Client, c.flows.Server, linger.Known(w.now)
	c.socket = &dnsSocket{conn: c}
	for side := range c.socket.ends {
		e := &dnsEnd{socket: c.socket, side: side}
		e.timer = alarm.New(c.number(side), e)
		c.socket.ends[side] = e
	}
	c.speaker = c.socket
	w.policy.HandleConnected(w.now, id)
}

// send sends a query, or sends it again.
func (s *dnsSocket) send(batch []staged) {
	w := s.conn.party
	for _, q := range batch {
		s.put(client, q.exchange, s.conn.asks(q, 0).Query)
		w.policy.HandleSent(w.now, s.conn.id, q.exchange)
	}
}

func (s *dnsSocket) put(from, exchange int, size int64) {
	s.conn.party.carry(from, packet{conn: s.conn, datagram: int32(size), exchange: int32(exchange)})
}

// arrive has what came read once the process is awake.
func (e *dnsEnd) arrive(exchange int) {
	w := e.socket.conn.party
	at := w.now
	if e.side == server {
		at = e.socket.conn.due(exchange)
	}
	e.due.add(exchange, at.Add(w.config.Machine.Wake))
	w.queues[timers].Set(&e.timer, e.due.next())
}

// Wake answers, or takes the answer.
func (e *dnsEnd) Wake() {
	s := e.socket
	w, c := s.conn.party, s.conn
	for _, exchange := range e.due.take(w.now) {
		m := w.message(exchange, linger.OverUDP)
		switch {
		case e.side == server:
			s.put(server, exchange, m.Answer)
		case c.gone:
		case m.Truncated:
			x := &w.exchanges[exchange]
			x.Truncated, x.FirstByte = true, linger.Opt[linger.Instant]{}
			w.policy.HandleTruncated(w.now, c.id, exchange)
		default:
			c.answered(exchange, 0)
		}
	}
	w.queues[timers].Set(&e.timer, e.due.next())
	w.obey()
	w.plan()
	w.end(c)
}
