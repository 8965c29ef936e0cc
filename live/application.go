package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"

	"linger"
	"linger/ask"
	"linger/content"
	"linger/dns"
	"linger/page"
	"linger/policy"
)

// An application is what a run asks for: objects, by HTTP, or the records of names, by DNS. The
// driver of the policy's machine and what speaks HTTP know no more of it than this.
type application interface {
	// limits bound each wait where nobody says otherwise.
	limits() policy.Limits
	// check says why an exchange cannot be asked for.
	check(linger.Exchange) error
	// describe names an exchange in the trace; host is that of its origin.
	describe(e linger.Exchange, host string) (method, url string)
	// prepare returns a request that is about to go in full, over a stream of TCP in place of a
	// datagram where stream is true.
	prepare(q request, stream bool) request
	// content returns the content of a request, RequestBody bytes of it.
	content(request) io.Reader
	// expect says what of the response to a request with that status and media type is kept for
	// judge. No more than limit bytes of it are read; a reason says why it is not what was asked
	// for, whatever its content.
	expect(q request, status int, kind string) (keep keeping, limit int64, reason string)
	// judge says what a complete response comes to of which something was kept: the response
	// code of an answer of DNS, and why it is not the one that was asked for.
	judge(exchange int, query *ask.Query, got kept) (rcode, reason string)
}

// keeping is what is kept of the content of a response as it comes.
type keeping uint8

const (
	keepNothing keeping = iota
	keepSum
	keepBytes
)

// kept is that, once the content has come.
type kept struct {
	length int64
	sum    content.Sum
	bytes  []byte
}

// newApplication returns what a scenario asks for.
func newApplication(s linger.Scenario, c Config) application {
	if s.Strategy.Protocol().IsDNS() {
		return &dnsApplication{strategy: s.Strategy, host: c.Host, path: c.Path, strict: c.Verify, id: anyID()}
	}
	o := &httpApplication{workload: s.Workload, own: c.Message.Content, verify: c.Verify, statuses: c.Statuses, most: c.MaxBody}
	if c.Verify {
		for i := range s.Workload.Exchanges {
			o.sums = append(o.sums, content.SumOf(s.Workload, i))
		}
	}
	return o
}

// An httpApplication asks for objects, by HTTP.
type httpApplication struct {
	workload linger.Workload
	own      []byte // content of the first request, as the user gives it; nil is the workload's
	verify   bool
	statuses bool
	most     int64         // bytes of a body whose length nobody knows
	sums     []content.Sum // of the workload's bodies; nil where none are verified
}

func (o *httpApplication) limits() policy.Limits { return policy.DefaultLimits }

func (o *httpApplication) check(linger.Exchange) error { return nil }

func (o *httpApplication) describe(e linger.Exchange, host string) (method, url string) {
	return e.Method, o.workload.Scheme + "://" + host + e.Path
}

func (o *httpApplication) prepare(q request, _ bool) request { return q }

func (o *httpApplication) content(q request) io.Reader {
	if q.Index == 0 && len(o.own) > 0 {
		return bytes.NewReader(o.own)
	}
	return content.Request(o.workload, q.Index)
}

func (o *httpApplication) expect(q request, status int, _ string) (keep keeping, limit int64, reason string) {
	switch {
	case o.verify && status == q.Status:
		return keepSum, q.ResponseBody, ""
	case o.verify:
		reason = fmt.Sprintf("status %d, not %d", status, q.Status)
	case o.statuses && status != q.Status:
		reason = fmt.Sprintf("status %d, not %d as when the page was visited first", status, q.Status)
	}
	return keepNothing, o.most, reason
}

func (o *httpApplication) judge(exchange int, _ *ask.Query, got kept) (rcode, reason string) {
	if want := o.workload.Exchanges[exchange].ResponseBody; got.length != want {
		reason = fmt.Sprintf("body of %d bytes, not %d", got.length, want)
	} else if got.sum != o.sums[exchange] {
		reason = fmt.Sprintf("body of %d bytes is not the workload's", got.length)
	}
	return "", reason
}

// A dnsApplication asks for the records of names, by DNS.
type dnsApplication struct {
	strategy linger.Strategy
	host     string
	path     string // of DNS over HTTPS
	strict   bool   // the names are known to be there
	id       uint16 // of the next query that wants one
}

// anyID is a random ID. What asks several questions on one connection tells the answers apart
// by their IDs, which count up from one that nobody else shall guess (RFC 5452, 9.2).
func anyID() uint16 { return uint16(rand.Uint32()) }

func (n *dnsApplication) limits() policy.Limits { return policy.DNSLimits }

func (n *dnsApplication) check(e linger.Exchange) error {
	_, err := dns.Ask(e.Query, dns.Options{})
	return err
}

func (n *dnsApplication) describe(e linger.Exchange, _ string) (method, u string) {
	return e.Query.Type, fmt.Sprintf("dns://%s/%s?type=%s", n.host, url.PathEscape(e.Query.Name), e.Query.Type)
}

func (n *dnsApplication) prepare(q request, stream bool) request {
	if q.again {
		return q // the socket has it still
	}
	over, id := n.strategy.DNS, uint16(0)
	if stream {
		over = linger.OverTCP
	}
	switch over {
	case linger.OverHTTPS, linger.OverQUIC: // RFC 8484, 4.1; RFC 9250, 4.2.1: an ID of 0
	case linger.OverUDP:
		id = anyID()
	default:
		id = n.id
		n.id++
	}
	// That it can be asked was seen before the run began.
	q.Query, _ = ask.NewQuery(q.Exchange.Query, over, id)
	q.Query.Strict = n.strict
	if over == linger.OverHTTPS {
		q.Exchange = q.Query.OverHTTP(q.Exchange, n.path, n.strategy.Get)
	}
	return q
}

func (n *dnsApplication) content(q request) io.Reader { return bytes.NewReader(q.Query.Message) }

func (n *dnsApplication) expect(_ request, status int, kind string) (keep keeping, limit int64, reason string) {
	return keepBytes, linger.MaxMessage, ask.Unfit(status, kind)
}

func (n *dnsApplication) judge(_ int, query *ask.Query, got kept) (rcode, reason string) {
	return query.Judge(got.bytes)
}

// A request is one exchange on its way to one connection.
type request struct {
	ask.Request
	visited bool // the response may name further exchanges
	search  page.Search
	head    int  // bytes, once it is written
	again   bool // the same datagram once more
}

// chunkSize is how much of a body is read at once.
const chunkSize = 32 << 10

var errTooLong = errors.New("body too long")

// A body is the content of one response on its way: counted, kept as far as the
// application wants it, reported. It is read from where it comes from, or handed what has come (add).
type body struct {
	in       io.Reader             // nil where it is handed what has come
	when     func() linger.Instant // the last byte of it was read
	conn     *conn
	exchange int
	query    *ask.Query // whose answer it is; nil is no query of DNS
	limit    int64
	keep     keeping
	received int64
	sum      content.Sum // of what was received, where it is kept
	bytes    []byte      // that were received, where they are
	reason   string      // for which it is not the response that was asked for
	long     bool        // more has been read than there may be
	page     *page.Visit // that it belongs to; nil is without bound
	rcode    string      // of an answer of DNS, once it is complete
}

// newBody returns the body of the response to q with that status and media type.
func newBody(c *conn, q request, status int, kind string, in io.Reader, when func() linger.Instant) body {
	b := body{in: in, when: when, conn: c, exchange: q.Index, query: q.Query, page: c.run.page}
	b.keep, b.limit, b.reason = c.run.application.expect(q, status, kind)
	return b
}

// Read reads content, counts and reports it. It returns errTooLong, and has a
// reason, where there is more than there may be.
func (b *body) Read(p []byte) (int, error) {
	if b.long {
		return 0, errTooLong
	}
	n, err := b.in.Read(p[:min(len(p), chunkSize)])
	if long := b.add(p[:n]); long != nil {
		b.long = true
		return n, long
	}
	// What completes the response is not reported: the end of it follows at once.
	if n > 0 && err == nil {
		b.report()
	}
	return n, err
}

// add counts what has come.
func (b *body) add(p []byte) error {
	b.received += int64(len(p))
	if b.received > b.limit {
		if b.reason == "" {
			b.reason = fmt.Sprintf("body is longer than %d bytes", b.limit)
		}
		return errTooLong
	}
	if b.page != nil && !b.page.Take(len(p)) {
		b.reason = fmt.Sprintf("the page is larger than the %d MB that one visit takes", page.MaxBytes>>20)
		return errTooLong
	}
	switch {
	case b.reason != "":
	case b.keep == keepSum:
		b.sum = b.sum.Add(p)
	case b.keep == keepBytes:
		b.bytes = append(b.bytes, p...)
	}
	return nil
}

// report tells how much has come.
func (b *body) report() {
	b.conn.tell(event{kind: arrived, exchange: b.exchange, at: b.when(), body: b.received})
}

// rejected says why the complete response is not the one that was asked for.
func (b *body) rejected() string {
	if b.keep != keepNothing && b.reason == "" {
		b.rcode, b.reason = b.conn.run.application.judge(b.exchange, b.query, kept{b.received, b.sum, b.bytes})
	}
	return b.reason
}
