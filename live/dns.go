package live

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	"linger"
	"linger/dns"
)

// dnsMessage is the media type of a message of DNS (RFC 8484, 6).
const dnsMessage = "application/dns-message"

// defaultPath is where servers of DNS over HTTPS are asked by convention: the path of
// the examples in RFC 8484, 4.1.1.
const defaultPath = "/dns-query"

// A query is a question on its way, as the message that asks it.
type query struct {
	linger.Query
	id      uint16
	message []byte
	strict  bool // the name is known to be there
}

// ask makes the message of an exchange for what carries it. What asks several
// questions on one connection tells the answers apart by their IDs, which are drawn at
// random, since over UDP nobody else shall guess them (RFC 5452, 9.2).
func (r *run) ask(q linger.Query, over string, id uint16) (*query, error) {
	o := dns.OptionsOver(over)
	o.ID = id
	message, err := dns.Ask(q, o)
	return &query{q, id, message, r.config.Verify}, err
}

// anyID is a random ID, from which those of a connection count up: none is in use twice.
func anyID() uint16 { return uint16(rand.Uint32()) }

// A mismatch is a message that is not the answer to the query, whatever it says.
type mismatch struct{ error }

// judge reads the answer to q: its response code, and why it is not one that q can
// be content with.
func (q *query) judge(message []byte) (rcode, reason string) {
	m, err := q.read(message)
	if err != nil {
		return "", err.Error()
	}
	return q.verdict(m)
}

// read reads a message that ought to be the answer to q. The error is a mismatch
// where it answers something else.
func (q *query) read(message []byte) (dns.Message, error) {
	m, err := dns.Read(message)
	if len(message) < dns.HeaderSize {
		return m, mismatch{fmt.Errorf("%d bytes that are no message of DNS", len(message))}
	}
	if err != nil && m.Query == (linger.Query{}) {
		return m, mismatch{errors.New("a message that cannot be read: " + brief(err.Error()))}
	}
	if other := m.Replies(q.Query, q.id); other != nil {
		return m, mismatch{other}
	}
	if err != nil && !m.Truncated {
		return m, errors.New("the answer cannot be read: " + brief(err.Error()))
	}
	return m, nil
}

// verdict is what a complete answer comes to.
func (q *query) verdict(m dns.Message) (rcode, reason string) {
	rcode = dns.Rcode(m.Rcode)
	switch {
	case !dns.Conclusive(m.Rcode):
		reason = "server answered " + rcode
	case m.Truncated:
		reason = "the answer is truncated, over a transport that has room for all of it"
	case q.strict && rcode != "NOERROR":
		reason = "server answered " + rcode + ", and the name is in the workload"
	}
	return rcode, reason
}

// unfit says why a response of HTTP cannot hold an answer.
func unfit(status int, kind string) string {
	switch {
	case status/100 != 2:
		return "HTTP status " + strconv.Itoa(status)
	case kind == "":
		return "content without a type, not " + dnsMessage
	case kind != dnsMessage:
		return fmt.Sprintf("content of the type %s, not %s", kind, dnsMessage)
	}
	return ""
}

// overHTTP returns the exchange of HTTP that carries a query. By GET the message is a
// part of the path, "with the use of base64url" and no padding (RFC 8484, 4.1, 6).
func (q *query) overHTTP(e linger.Exchange, path string, get bool) linger.Exchange {
	e.Status = http.StatusOK
	if get {
		e.Method, e.Path = http.MethodGet, path+"?dns="+base64.RawURLEncoding.EncodeToString(q.message)
		return e
	}
	e.Method, e.Path, e.RequestBody = http.MethodPost, path, int64(len(q.message))
	return e
}

// fields returns the head of the request that carries q. It says no more than that
// (RFC 8484, 8.2: what else is in it can tell a user from others).
func (q *query) fields(r request, scheme, host string) []field {
	out := append(make([]field, 0, 7),
		field{":method", r.Method}, field{":scheme", scheme}, field{":authority", host}, field{":path", r.Path},
		field{"accept", dnsMessage})
	if r.RequestBody > 0 {
		out = append(out, field{"content-type", dnsMessage}, field{"content-length", strconv.FormatInt(r.RequestBody, 10)})
	}
	return out
}
