package live

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync/atomic"

	"linger"
)

// chunkSize is how much of a body is read at once.
const chunkSize = 32 << 10

var errTooLong = errors.New("body too long")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A body is the content of one response on its way: counted, summed, reported.
// It is read from where it comes from, or handed what has come (add).
type body struct {
	in       io.Reader             // nil where it is handed what has come
	when     func() linger.Instant // the last byte of it was read
	conn     *conn
	exchange int
	limit    int64
	exact    bool // it ought to be the workload's, whose length is limit
	received int64
	sum      uint32        // of what was received, where exact
	reason   string        // for which it is not the response that was asked for
	long     bool          // more has been read than there may be
	budget   *atomic.Int64 // of the page that it belongs to; nil is without bound
	query    *query        // whose answer it is; nil is no query of DNS
	message  []byte        // what has come of the answer
	rcode    string        // of the answer, once it is complete
}

// newBody returns the body of the response to q with that status and media type.
func newBody(c *conn, q request, status int, kind string, in io.Reader, when func() linger.Instant) body {
	b := body{in: in, when: when, conn: c, exchange: q.index, limit: c.run.config.MaxBody}
	switch {
	case q.query != nil:
		b.query, b.limit, b.reason = q.query, linger.MaxMessage, unfit(status, kind)
	case c.run.config.Verify && status == q.Status:
		b.exact, b.limit = true, q.ResponseBody
	case c.run.config.Verify:
		b.reason = fmt.Sprintf("status %d, not %d", status, q.Status)
	case c.run.config.Statuses && status != q.Status:
		b.reason = fmt.Sprintf("status %d, not %d as when the page was visited first", status, q.Status)
	}
	if c.run.page != nil {
		b.budget = &c.run.page.left
	}
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
	if b.budget != nil && b.budget.Add(-int64(len(p))) < 0 {
		b.reason = fmt.Sprintf("the page is larger than the %d MB that one visit takes", maxPage>>20)
		return errTooLong
	}
	switch {
	case b.exact:
		b.sum = crc32.Update(b.sum, castagnoli, p)
	case b.query != nil && b.reason == "":
		b.message = append(b.message, p...)
	}
	return nil
}

// report tells how much has come.
func (b *body) report() {
	b.conn.tell(event{kind: arrived, exchange: b.exchange, at: b.when(), body: b.received})
}

// rejected says why the complete response is not the one that was asked for.
func (b *body) rejected() string {
	switch {
	case b.query != nil && b.reason == "":
		b.rcode, b.reason = b.query.judge(b.message)
		return b.reason
	case !b.exact:
		return b.reason
	case b.received != b.limit:
		return fmt.Sprintf("body of %d bytes, not %d", b.received, b.limit)
	case b.sum != b.conn.run.sums[b.exchange]:
		return fmt.Sprintf("body of %d bytes is not the workload's", b.received)
	}
	return ""
}

// mediaType is a Content-Type without its parameters, fit to be shown.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return brief(strings.ToLower(strings.TrimSpace(kind)))
}
