package packet

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"

	"linger"
	"linger/capture/talk"
	"linger/dns"
	"linger/flow"
	"linger/trace"
)

const (
	// maxQueries bounds those of one connection that are not answered, and patience how
	// long a query over UDP waits where others follow it on the same socket.
	maxQueries    = 1000
	queryPatience = 30 * time.Second
)

// A dnsApp reads messages of DNS, over TCP, TLS or UDP. The zero value is over TCP.
type dnsApp struct {
	udp   bool
	over  linger.Protocol // empty is TCP, or UDP
	known trace.How       // empty is seen
	buf   [2][]byte       // of messages that have not ended, by flow.End
	began [2]mark
	lost  [2]bool
	asked []asked
	sent  int64
	limit linger.Opt[time.Duration] // for idling, as the server said it last
}

// asked is a query without an answer.
type asked struct {
	id    uint16
	query linger.Query
	trace.Exchange
}

// datagram takes in a datagram of UDP.
func (r *Reader) datagram(c *conn, p *flow.Packet, data []byte, m mark) {
	h := &c.half[p.From]
	if len(data) > 0 {
		if c.firstByte.IsZero() {
			c.firstByte = linger.Known(m.At)
		}
		h.carried, h.last = true, m
	}
	c.app.(*dnsApp).message(r, c, p.From, data, p.Payload, m)
}

// newDNSOverTLS returns what reads DNS inside TLS, decrypted (RFC 7858).
func newDNSOverTLS() *dnsApp { return &dnsApp{over: linger.DNSOverTLS, known: trace.Decrypted} }

func (a *dnsApp) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	if a.lost[e] {
		return talk.Forever
	}
	if len(a.buf[e]) == 0 {
		a.began[e] = m
	}
	a.buf[e] = append(a.buf[e], b...)
	rest := a.buf[e]
	for len(rest) >= 2 && len(rest) >= 2+int(rest[0])<<8+int(rest[1]) {
		n := int(rest[0])<<8 + int(rest[1])
		a.message(r, c, e, rest[2:2+n], n, m)
		rest = rest[2+n:]
		a.began[e] = m
	}
	if len(rest) < len(a.buf[e]) { // else each of many small pieces would move all of it
		a.buf[e] = append(a.buf[e][:0], rest...)
	}
	return 0
}

func (a *dnsApp) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	a.lost[e], a.buf[e] = true, nil // lengths do not tell where the next message begins
	c.half[e].skip = talk.Forever
}

func (a *dnsApp) end(*Reader, *conn, flow.End, string, int64, mark) {}

func (a *dnsApp) close(r *Reader, c *conn, why string) {
	for i := range a.asked {
		a.asked[i].Failed = why
		a.hand(r, &a.asked[i])
	}
	a.asked = nil
}

func (a *dnsApp) tell(t *trace.Connection) {
	t.Protocol, t.Known.Protocol, t.Requests, t.IdleLimit = a.protocol(), trace.Seen, int(a.sent), a.limit
	if a.known != "" {
		t.Known.Protocol = a.known
	}
}

func (a *dnsApp) protocol() linger.Protocol {
	switch {
	case a.over != "":
		return a.over
	case a.udp:
		return linger.DNSOverUDP
	}
	return linger.DNSOverTCP
}

// message takes in a message of size bytes, of which b was captured.
func (a *dnsApp) message(r *Reader, c *conn, e flow.End, b []byte, size int, m mark) {
	msg, err := dns.Read(b)
	if err != nil && msg.Query == (linger.Query{}) {
		return
	}
	began := m
	head := int64(0)
	if !a.udp {
		began, head = a.began[e], 2
	}
	if !msg.Response {
		a.query(r, c, e, &msg, began, m, head, int64(size))
		return
	}
	c.is(e.Other())
	x, ok := a.answered(&msg)
	if !ok {
		x = asked{Exchange: trace.Exchange{ID: r.shared.Next(), Connection: c.id, Attempts: 1, Queued: began.At}}
		x.describe(c, &msg)
	}
	x.Status, x.Rcode, x.Truncated = 0, dns.Rcode(msg.Rcode), msg.Truncated && a.udp
	x.FirstByte, x.Done = linger.Known(began.At), linger.Known(m.At)
	x.ResponseHead, x.ResponseBody = head, int64(size)
	x.AnswerFrames = trace.Frames{First: began.Frame, Last: m.Frame, FirstFile: began.File, LastFile: m.File}
	if !ok {
		x.Frames = x.AnswerFrames
	}
	x.Frames.Last, x.Frames.LastFile = m.Frame, m.File
	if limit, ok := msg.Keepalive.Get(); ok && !a.udp {
		a.limit = linger.Known(limit)
	}
	a.hand(r, &x)
}

// hand hands an exchange on.
func (a *dnsApp) hand(r *Reader, x *asked) {
	x.Known = a.known
	r.exchange(a.protocol(), &x.Exchange)
}

// query takes in a query. Over UDP, one that was asked already is asked again.
func (a *dnsApp) query(r *Reader, c *conn, e flow.End, msg *dns.Message, began, m mark, head, size int64) {
	c.is(e)
	if a.udp {
		for i := range a.asked {
			if x := &a.asked[i]; x.id == msg.ID && x.query == msg.Query {
				x.Attempts++
				return
			}
		}
	}
	for len(a.asked) > 0 && (len(a.asked) >= maxQueries || a.udp && m.At.Sub(a.asked[0].Queued) > queryPatience) {
		a.asked[0].Failed = talk.NoResponse
		a.hand(r, &a.asked[0])
		a.asked = append(a.asked[:0], a.asked[1:]...)
	}
	a.sent++
	x := asked{id: msg.ID, query: msg.Query}
	x.Exchange = trace.Exchange{
		ID: r.shared.Next(), Connection: c.id, Number: int(a.sent), Attempts: 1,
		Queued: began.At, Sent: linger.Known(began.At), RequestHead: head, RequestBody: size,
		Frames: trace.Frames{First: began.Frame, Last: m.Frame, FirstFile: began.File, LastFile: m.File},
	}
	x.describe(c, msg)
	a.asked = append(a.asked, x)
}

// describe names the question.
func (x *asked) describe(c *conn, msg *dns.Message) {
	x.Method = msg.Query.Type
	x.URL = dnsURL(c.serverHost(), msg.Query)
}

// answered takes out the query that a response answers.
func (a *dnsApp) answered(msg *dns.Message) (x asked, ok bool) {
	for i := range a.asked {
		if x := a.asked[i]; x.id == msg.ID && (msg.Query == (linger.Query{}) || msg.Asks(x.query)) {
			a.asked = append(a.asked[:i], a.asked[i+1:]...)
			return x, true
		}
	}
	return asked{}, false
}

// overHTTP puts into a record of HTTP what the messages of DNS say that its exchange carried, and
// returns what it was of (RFC 8484). Where no message can be read it stays what it is, and so
// does one of HTTP/1, which is no protocol of DNS's.
func overHTTP(p linger.Protocol, x *trace.Exchange, asked, answered []byte) linger.Protocol {
	if asked == nil {
		asked = inURL(x.URL)
	}
	query, _ := dns.Read(asked)
	answer, err := dns.Read(answered)
	replies := err == nil && answer.Response
	if query.Response || query.Query == (linger.Query{}) {
		if query = answer; !replies || query.Query == (linger.Query{}) {
			return p
		}
	}
	if replies {
		x.Rcode = dns.Rcode(answer.Rcode)
	}
	over := p
	switch p {
	case linger.H2:
		over = linger.DNSOverHTTPS
	case linger.H3:
		over = linger.DNSOverHTTP3
	default:
		return p
	}
	_, rest, _ := strings.Cut(x.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	x.Method, x.URL = query.Query.Type, dnsURL(host, query.Query)
	return over
}

// inURL is the message in the URL of a GET, base64url without padding (RFC 8484, 4.1); nil is
// none.
func inURL(u string) []byte {
	_, parameters, _ := strings.Cut(u, "?")
	for p := range strings.SplitSeq(parameters, "&") {
		if value, ok := strings.CutPrefix(p, "dns="); ok {
			message, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
			if err == nil {
				return message
			}
		}
	}
	return nil
}

// dnsURL is the URL of a query (RFC 4501).
func dnsURL(host string, q linger.Query) string {
	return fmt.Sprintf("dns://%s/%s?type=%s", host, url.PathEscape(q.Name), q.Type)
}
