package sim

import (
	"strings"

	"linger"
	"linger/policy"
	"linger/trace"
)

// An application is what the exchanges of a workload are of: objects, or names of DNS.
// Connections ask it what it adds to a message, and know no more of it.
type application interface {
	// limits are what a client bears that is told nothing else.
	limits() policy.Limits
	// prepare completes the trace and the workload before the run. It says what of the
	// configuration is missing.
	prepare(w *world, m *manner) error
	// agent is what a request by HTTP/2 or HTTP/3 calls its client; ok is false where the
	// application says nothing of it.
	agent(w *party, x *linger.Exchange) (name string, ok bool)
	// accepts and sends are the types of content that such a request asks for and has; ""
	// is not said.
	accepts() string
	sends() string
	// caching is what a response to it says of its age; "" is nothing.
	caching(w *party, exchange int) string
	// done notes what a response has told that came by HTTP/2 or HTTP/3.
	done(w *party, exchange int)
}

// applicationOf returns the application of a strategy.
func applicationOf(s linger.Strategy) application {
	if s.DNS != "" {
		return names{}
	}
	return objects{}
}

// objects are fetched by HTTP.
type objects struct{}

func (objects) limits() policy.Limits { return policy.DefaultLimits }

func (objects) prepare(*world, *manner) error { return nil }

// agent is as long as it must be for a head of HTTP/1 to have the size that is asked for.
func (objects) agent(w *party, x *linger.Exchange) (string, bool) {
	plain := *x
	plain.RequestHead = 0
	missing := x.RequestHead - w.requestHead(&plain, linger.HTTP11.Version(), false)
	return w.config.Agent + strings.Repeat(".", max(0, missing)), true
}

func (objects) accepts() string { return "*/*" }

func (objects) sends() string { return "" }

func (objects) caching(*party, int) string { return "" }

func (objects) done(*party, int) {}

// speak begins what speaks the connection's protocol, at both of its ends.
func (c *conn) speak() {
	switch c.protocol {
	case linger.HTTP10, linger.HTTP11:
		newHTTP1(c)
	case linger.H2, linger.DNSOverHTTPS:
		newHTTP2(c)
	case linger.H3, linger.DNSOverHTTP3:
		newHTTP3(c)
	case linger.DNSOverTCP, linger.DNSOverTLS:
		newDNSStream(c)
	case linger.DNSOverQUIC:
		newDoQ(c)
	}
}

// A speaker sends a client's requests.
type speaker interface{ send(batch []staged) }

// newConn begins connection number id of a client in the records: its flows over a transport,
// and what the trace has of it.
func (w *party) newConn(id, origin int, p linger.Protocol, transport linger.Transport) *conn {
	c := &conn{id: id, serial: w.dialled, origin: origin, party: w, protocol: p}
	c.record = trace.Connection{ID: int64(id), Origin: w.originOf(origin), Protocol: p, Dialled: w.now}
	c.flows.Protocol = transport
	w.dialled++
	w.conns = append(w.conns, c)
	w.assign(c)
	if w.crowd == nil {
		c.flows.Client, c.flows.Server = w.endpoints(c, p)
	}
	return c
}

// responded tells the client's machine of an answer that is whole.
func (c *conn) responded(exchange int, persists bool) {
	w := c.party
	c.answers++
	c.content += w.workload.Exchanges[exchange].ResponseBody
	if w.crowd != nil {
		w.crowd.record.Serve(c.backend.number, w.now)
	}
	w.policy.HandleResponse(w.now, c.id, exchange, persists)
}

// unreached notes that a connection has ended before a request could be sent on it.
func (c *conn) unreached(reason string) {
	w := c.party
	c.letGo()
	c.record.Closed, c.record.Reason = linger.Known(w.now), reason
	w.policy.HandleDialFailed(w.now, c.id, reason)
}

// closedByServer notes that the server has closed a connection.
func (c *conn) closedByServer(reason string) {
	c.over = true
	if c.gone {
		return
	}
	w := c.party
	c.record.ClosedBy = trace.AtServer
	if c.record.Connected.IsZero() {
		c.unreached(reason)
		return
	}
	w.policy.HandleClosed(w.now, c.id, policy.ClosedByPeer, reason)
}
