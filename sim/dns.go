package sim

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
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
	// lengthPrefix is the size of what stands before each message on a stream (RFC
	// 1035, 4.2.2).
	lengthPrefix = 2
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

// asked checks that each query of the workload is known, by each of what may carry it.
func (c *Config) asked(s linger.Scenario) error {
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

// overHTTP returns the exchange of HTTP that carries a query (RFC 8484, 4.1). By GET
// the message is a part of the path.
func (w *world) overHTTP(i int, e linger.Exchange) linger.Exchange {
	m := w.message(i, linger.OverHTTPS)
	e.Status, e.ContentType, e.ResponseBody = 200, dnsType, m.Answer
	if w.scenario.Strategy.Get {
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

// question is how a query stands in the trace.
func (w *world) question(x *trace.Exchange, q linger.Query) {
	x.Method = q.Type
	x.URL = fmt.Sprintf("dns://%s/%s?type=%s", w.config.Host, url.PathEscape(q.Name), q.Type)
}

// fresh is what HTTP says of an answer's age (RFC 8484, 5.1).
func (m *Message) fresh() string { return fmt.Sprintf("max-age=%d", int64(m.Fresh/time.Second)) }

// answered notes an answer that has been read whole.
func (w *world) answered(c *conn, exchange int, over string, head int64) {
	m, x := w.message(exchange, over), &w.trace.Exchanges[exchange]
	x.FirstByte, x.Done = linger.Known(w.now), linger.Known(w.now)
	x.ResponseHead, x.ResponseBody, x.Rcode = head, m.Answer, m.Rcode
	if m.Limit != nil && over != linger.OverQUIC {
		limit := *m.Limit
		w.trace.Connections[c.id].IdleLimit = linger.Known(limit)
		w.mind.HandleIdleLimit(w.now, c.id, limit)
	}
	w.mind.HandleResponse(w.now, c.id, exchange, true)
}

// dnsStream is a client of DNS over TCP or TLS.
type dnsStream struct {
	conn    *conn
	over    string
	queries []int // on their way, for the server
	answers []int // on their way, from it
	due     int
	got     int64
}

// dnsServer is the origin's half: it answers each query when that is due, those
// together that have come together.
type dnsServer struct {
	client  *dnsStream
	end     *end
	mind    *policy.Server
	arrived int64
	buffer  int64
	ready   []int
	delayed []waiting
	open    int
	written int // answers in what the kernel has not taken
	closed  bool
	ended   bool
}

// waiting is an answer that is not due yet.
type waiting struct {
	exchange int
	due      linger.Instant
}

func newDNSStream(c *conn, over string) (*dnsStream, *dnsServer) {
	h := &dnsStream{conn: c, over: over}
	return h, &dnsServer{client: h, end: c.ends[server]}
}

func (h *dnsStream) begin() { h.conn.world.mind.HandleConnected(h.conn.world.now, h.conn.id) }

func (h *dnsStream) writable()                {}
func (h *dnsStream) timeout()                 {}
func (h *dnsStream) deadline() linger.Instant { return linger.Never }
func (h *dnsStream) farewell()                {}

// send writes the queries that are ready in one go (RFC 7766, 8).
func (h *dnsStream) send(batch []staged) {
	w := h.conn.world
	n := int64(0)
	for _, q := range batch {
		m, x := w.message(q.exchange, h.over), &w.trace.Exchanges[q.exchange]
		x.Attempts++
		x.Sent, x.RequestHead, x.RequestBody = linger.Known(w.now), lengthPrefix, m.Query
		w.trace.Connections[h.conn.id].Requests++
		h.queries = append(h.queries, q.exchange)
		h.due++
		n += lengthPrefix + m.Query
	}
	h.conn.ends[client].write(n)
	for _, q := range batch {
		w.mind.HandleSent(w.now, h.conn.id, q.exchange)
	}
}

// read takes in answers.
func (h *dnsStream) read(n int64) {
	w := h.conn.world
	h.got += n
	for len(h.answers) > 0 && !h.conn.gone {
		size := lengthPrefix + w.message(h.answers[0], h.over).Answer
		if h.got < size {
			return
		}
		exchange := h.answers[0]
		h.answers = h.answers[:copy(h.answers, h.answers[1:])]
		h.got -= size
		h.due--
		w.answered(h.conn, exchange, h.over, lengthPrefix)
	}
}

// eof says that the server has closed.
func (h *dnsStream) eof() {
	w, c := h.conn.world, h.conn
	c.over = true
	if c.gone {
		return
	}
	where := "the idle connection"
	switch {
	case h.got > 0:
		where = "in the midst of an answer"
	case h.due == 1:
		where = "with an answer due"
	case h.due > 1:
		where = fmt.Sprintf("with %d answers due", h.due)
	}
	w.trace.Connections[c.id].ClosedBy = trace.AtServer
	w.mind.HandleClosed(w.now, c.id, policy.ClosedByPeer, "server closed "+where)
}

func (s *dnsServer) begin() { s.mind = policy.NewServer(s.end.world.config.Policy, s.end.world.now) }

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
	w := s.end.world
	for !s.closed {
		n := min(s.arrived, dnsBuffer-s.buffer)
		s.arrived -= n
		s.buffer += n
		for len(s.client.queries) > 0 && s.open < serverStreams {
			if why, _ := s.mind.Closing(); why != "" {
				break
			}
			exchange := s.client.queries[0]
			size := lengthPrefix + w.message(exchange, s.client.over).Query
			if s.buffer < size {
				if s.buffer > 0 {
					s.mind.HandleRequestStart(w.now)
				}
				break
			}
			s.client.queries = s.client.queries[:copy(s.client.queries, s.client.queries[1:])]
			s.buffer -= size
			s.open++
			s.mind.HandleRequest(w.now, s.client.over, nil)
			if d := w.scenario.Workload.Exchanges[exchange].Delay; d > 0 {
				s.delayed = append(s.delayed, waiting{exchange, w.now.Add(d)})
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
	w := s.end.world
	s.mind.HandleTimeout(w.now)
	kept := s.delayed[:0]
	for _, x := range s.delayed {
		if x.due <= w.now {
			s.ready = append(s.ready, x.exchange)
		} else {
			kept = append(kept, x)
		}
	}
	s.delayed = kept
	for len(s.ready) > 0 && !s.end.blocked && !s.end.shut {
		page := int64(0)
		for len(s.ready) > 0 {
			n := lengthPrefix + w.message(s.ready[0], s.client.over).Answer
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
	for range s.written {
		s.open--
		s.mind.HandleResponse(s.end.world.now)
	}
	s.written = 0
}

func (s *dnsServer) deadline() linger.Instant {
	if s.closed {
		return linger.Never
	}
	t := s.mind.NextTimeout()
	for _, x := range s.delayed {
		t = min(t, x.due)
	}
	return t
}

func (s *dnsServer) timeout() { s.reply() }

func (s *dnsServer) eof() {
	s.ended = true
	s.closeIfDue()
}

// closeIfDue closes where the client has and all is answered, and in the policy's style
// where the policy wants it.
func (s *dnsServer) closeIfDue() {
	if s.closed {
		return
	}
	if s.ended && s.open == 0 {
		s.closed = true
		s.end.shutdown()
		return
	}
	if _, due := s.mind.Closing(); !due || s.end.blocked {
		return
	}
	s.closed = true
	if s.end.world.config.Policy.Style == policy.CloseRST {
		s.end.tcp.Abort(s.end.world.now)
		s.end.shut = true
		return
	}
	s.end.shutdown()
}

// dnsSocket is a socket of UDP with one query on it, and at the other side whoever
// answers there.
type dnsSocket struct {
	conn *conn
	ends [2]*dnsEnd
}

// A dnsEnd is one side of it. What has come is read, and answered, when it is due.
type dnsEnd struct {
	sleeper
	socket *dnsSocket
	side   int
	due    []waiting
}

// dialUDP opens a socket, which takes no time.
func (w *world) dialUDP(id, origin int) {
	c := &conn{id: id, origin: origin, world: w}
	c.socket = &dnsSocket{conn: c}
	for side := range c.socket.ends {
		e := &dnsEnd{socket: c.socket, side: side}
		e.sleeper = sleeper{wakeAt: linger.Never, number: 2*id + side, place: -1, wake: e}
		c.socket.ends[side] = e
	}
	c.speaker = c.socket
	w.conns = append(w.conns, c)
	c.flows = trace.Flows{Protocol: "udp", Client: fmt.Sprintf("%s:%d", clientAddress, firstPort+id%28232), Server: fmt.Sprintf("%s:%d", w.places[origin].address, linger.PortOf(linger.OverUDP))}
	w.trace.Connections = append(w.trace.Connections, trace.Connection{ID: int64(id), Protocol: "udp", Origin: w.originOf(origin), Dialled: w.now,
		Client: c.flows.Client, Server: c.flows.Server, Connected: linger.Known(w.now)})
	w.mind.HandleConnected(w.now, id)
}

func (s *dnsSocket) begin()                   {}
func (s *dnsSocket) read(int64)               {}
func (s *dnsSocket) eof()                     {}
func (s *dnsSocket) writable()                {}
func (s *dnsSocket) timeout()                 {}
func (s *dnsSocket) deadline() linger.Instant { return linger.Never }
func (s *dnsSocket) farewell()                {}

// send sends a query, or sends it again.
func (s *dnsSocket) send(batch []staged) {
	w := s.conn.world
	for _, q := range batch {
		m, x := w.message(q.exchange, linger.OverUDP), &w.trace.Exchanges[q.exchange]
		x.Attempts++
		if !q.again {
			w.trace.Connections[s.conn.id].Requests++
			x.Sent = linger.Known(w.now)
		}
		x.RequestBody = m.Query
		s.put(client, q.exchange, m.Query)
		w.mind.HandleSent(w.now, s.conn.id, q.exchange)
	}
}

func (s *dnsSocket) put(from, exchange int, size int64) {
	w := s.conn.world
	at := w.now
	if w.idle {
		at = at.Add(w.config.Machine.Handover)
	}
	w.launch(at, from, packet{conn: int32(s.conn.id), datagram: int32(size), exchange: int32(exchange)})
}

// arrive has what came read once the process is awake.
func (e *dnsEnd) arrive(exchange int) {
	w := e.socket.conn.world
	at := w.now.Add(w.config.Machine.Wake)
	if e.side == server {
		at = at.Add(w.scenario.Workload.Exchanges[exchange].Delay)
	}
	e.due = append(e.due, waiting{exchange, at})
	w.alarms.set(&e.sleeper, e.due[0].due)
}

// alarm answers, or takes the answer.
func (e *dnsEnd) alarm() {
	s := e.socket
	w, c := s.conn.world, s.conn
	for len(e.due) > 0 && e.due[0].due <= w.now {
		exchange := e.due[0].exchange
		e.due = e.due[:copy(e.due, e.due[1:])]
		m := w.message(exchange, linger.OverUDP)
		switch {
		case e.side == server:
			s.put(server, exchange, m.Answer)
		case c.gone:
		case m.Truncated:
			x := &w.trace.Exchanges[exchange]
			x.Truncated, x.FirstByte = true, linger.Opt[linger.Instant]{}
			w.mind.HandleTruncated(w.now, c.id, exchange)
		default:
			w.answered(c, exchange, linger.OverUDP, 0)
		}
	}
	next := linger.Never
	if len(e.due) > 0 {
		next = e.due[0].due
	}
	w.alarms.set(&e.sleeper, next)
	w.obey()
}
