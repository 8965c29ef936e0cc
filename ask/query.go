package ask

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"linger"
	"linger/dns"
)

// DNSMessage is the media type of a message of DNS (RFC 8484, 6).
const DNSMessage = "application/dns-message"

// DefaultPath is where servers of DNS over HTTPS are asked by convention: the path of
// the examples in RFC 8484, 4.1.1.
const DefaultPath = "/dns-query"

// A Query is a question on its way, as the message that asks it.
type Query struct {
	linger.Query
	ID      uint16
	Message []byte
	Strict  bool // the name is known to be there
}

// NewQuery makes the message that asks q over what carries it ([linger.OverUDP] and its like).
func NewQuery(q linger.Query, over string, id uint16) (*Query, error) {
	o := dns.OptionsOver(over)
	o.ID = id
	message, err := dns.Ask(q, o)
	return &Query{Query: q, ID: id, Message: message}, err
}

// A Mismatch is a message that is not the answer to the query, whatever it says.
type Mismatch struct{ error }

// Judge reads the answer to q: its response code, and why it is not one that q can
// be content with.
func (q *Query) Judge(message []byte) (rcode, reason string) {
	m, err := q.Read(message)
	if err != nil {
		return "", err.Error()
	}
	return q.Verdict(m)
}

// Read reads a message that ought to be the answer to q. The error is a Mismatch
// where it answers something else.
func (q *Query) Read(message []byte) (dns.Message, error) {
	m, err := dns.Read(message)
	if len(message) < dns.HeaderSize {
		return m, Mismatch{fmt.Errorf("%d bytes that are no message of DNS", len(message))}
	}
	if err != nil && m.Query == (linger.Query{}) {
		return m, Mismatch{errors.New("a message that cannot be read: " + linger.Brief(err.Error()))}
	}
	if other := m.Replies(q.Query, q.ID); other != nil {
		return m, Mismatch{other}
	}
	if err != nil && !m.Truncated {
		return m, errors.New("the answer cannot be read: " + linger.Brief(err.Error()))
	}
	return m, nil
}

// Verdict is what a complete answer comes to.
func (q *Query) Verdict(m dns.Message) (rcode, reason string) {
	rcode = dns.Rcode(m.Rcode)
	switch {
	case !dns.Conclusive(m.Rcode):
		reason = "server answered " + rcode
	case m.Truncated:
		reason = "the answer is truncated, over a transport that has room for all of it"
	case q.Strict && rcode != "NOERROR":
		reason = "server answered " + rcode + ", and the name is in the workload"
	}
	return rcode, reason
}

// Unfit says why a response of HTTP cannot hold an answer.
func Unfit(status int, kind string) string {
	switch {
	case status/100 != 2:
		return "HTTP status " + strconv.Itoa(status)
	case kind == "":
		return "content without a type, not " + DNSMessage
	case kind != DNSMessage:
		return fmt.Sprintf("content of the type %s, not %s", kind, DNSMessage)
	}
	return ""
}

// OverHTTP returns the exchange of HTTP that carries a query. By GET the message is a
// part of the path, "with the use of base64url" and no padding (RFC 8484, 4.1, 6).
func (q *Query) OverHTTP(e linger.Exchange, path string, get bool) linger.Exchange {
	e.Status = http.StatusOK
	if get {
		e.Method, e.Path = http.MethodGet, path+"?dns="+base64.RawURLEncoding.EncodeToString(q.Message)
		return e
	}
	e.Method, e.Path, e.RequestBody = http.MethodPost, path, int64(len(q.Message))
	return e
}

// fields returns the head of the request that carries q. It says no more than that
// (RFC 8484, 8.2: what else is in it can tell a user from others).
func (q *Query) fields(r Request, scheme, host string) []NamedValue {
	out := append(make([]NamedValue, 0, 7),
		NamedValue{":method", r.Method}, NamedValue{":scheme", scheme}, NamedValue{":authority", host}, NamedValue{":path", r.Path},
		NamedValue{"accept", DNSMessage})
	if r.RequestBody > 0 {
		out = append(out, NamedValue{"content-type", DNSMessage}, NamedValue{"content-length", strconv.FormatInt(r.RequestBody, 10)})
	}
	return out
}
