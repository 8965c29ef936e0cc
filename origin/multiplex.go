package origin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/origin/head"
	"linger/origin/site"
)

// What HTTP/2 and HTTP/3 share: requests that come as fields, heads of responses that are
// compressed, and what a client may have the server do to no end.

// answerTo returns what is answered to a head: what the site has, or a refusal.
// That one is early: it does not wait for the request's content. What HTTP/1 would
// close the connection for ends the stream alone here. scratch is memory that is
// taken and given back.
func (s *Server) answerTo(h *head.Section, scratch []byte) (a site.Answer, early bool, _ []byte) {
	isHEAD := h.Method == "HEAD"
	if h.Method == "CONNECT" {
		return site.Refused(head.Refuse(501, "this server is no proxy"), site.Answer{Method: h.Method, Target: h.Authority}, false), true, scratch
	}
	if len(h.Path) > s.maxTarget {
		no := head.Refuse(414, "the target has %d bytes; %d are read", len(h.Path), s.maxTarget)
		return site.Refused(no, site.Answer{Method: h.Method}, isHEAD), true, scratch
	}
	r, scratch := h.Request(scratch)
	a = s.site.Find(&r)
	switch {
	case h.Expects != "" && !h.Expect:
		return site.Refused(head.Refuse(417, "this server meets no expectation but 100-continue"), a, isHEAD), true, scratch
	case h.Length > s.contentLimit(&a):
		return site.Refused(tooLong(h.Length, s.contentLimit(&a)), a, isHEAD), true, scratch
	}
	return a, false, scratch
}

// contentLimit is how long the content of a request may be that a is the answer to.
func (s *Server) contentLimit(a *site.Answer) int64 {
	if a.Take != nil {
		return min(s.config.MaxRequestBody, linger.MaxMessage)
	}
	return s.config.MaxRequestBody
}

func tooLong(n, limit int64) *head.Refusal {
	return head.Refuse(413, "the content has %d bytes; %d are read", n, limit)
}

// A head of HTTP/2 or HTTP/3 has no size of its own: HPACK and QPACK send what
// they must. appendFields gives it the fields that appendHead writes, but for those
// of the connection, padded such that it would have a.HeadSize bytes in HTTP/1.1.
//
// The padding stands for what differs from response to response, so it is not to
// be indexed; Huffman's code makes 7 bits of each of its letters.

// headSize returns the size of a head with these fields in HTTP/1.1.
func headSize(status int, fields []site.Field) int {
	n := len("HTTP/1.1 200 ") + len(site.Reason(status)) + len("\r\n\r\n")
	for _, f := range fields {
		n += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	return n
}

// appendFields appends the fields of a's head behind :status to fields; the last
// one is the padding where padded is true.
func (s *Server) appendFields(fields []site.Field, a *site.Answer, altSvc string) (_ []site.Field, padded bool) {
	fields = append(fields, a.Fields...)
	if altSvc != "" {
		fields = append(fields, site.Field{Name: "Alt-Svc", Lower: "alt-svc", Value: altSvc})
	}
	if a.Length >= 0 {
		fields = append(fields, site.Field{Name: "Content-Length", Lower: "content-length", Value: strconv.FormatInt(a.Length, 10)})
	}
	fields = append(fields, site.Field{Name: "Date", Lower: "date", Value: s.dateAt(s.now())})
	if n := a.HeadSize - headSize(a.Status, fields) - len("X-Pad: \r\n"); n > 0 {
		return append(fields, site.Field{Name: "X-Pad", Lower: "x-pad", Value: pad(n)}), true
	}
	return fields, false
}

var letters = strings.Repeat("x", 8<<10)

func pad(n int) string {
	if n <= len(letters) {
		return letters[:n]
	}
	return strings.Repeat("x", n)
}

// What an allowance gives: enough for what clients do in earnest. That of resets is
// nghttp2's, that of frames which carry nothing lets a client ping ten times a second for
// ever.
var (
	resetAllowance = allowance{atOnce: 1000, again: 30 * time.Millisecond}
	idleAllowance  = allowance{atOnce: 10_000, again: 100 * time.Millisecond}
)

var (
	errResets = fmt.Errorf("client has streams reset without end: more than %d at once and one each %v", resetAllowance.atOnce, resetAllowance.again)
	errIdle   = fmt.Errorf("client sends frames that carry nothing without end: more than %d at once and one each %v", idleAllowance.atOnce, idleAllowance.again)
)

// An allowance bounds how often a client may have the server do what brings neither of them
// anything: so many times at once, and once more whenever so much time has passed.
type allowance struct {
	atOnce int
	again  time.Duration
	whole  linger.Instant // when all of it is there again
}

// take takes one.
func (a *allowance) take(now linger.Instant) { a.whole = max(a.whole, now).Add(a.again) }

// left reports whether no more was taken than there was.
func (a *allowance) left(now linger.Instant) bool {
	return a.whole.Sub(now) <= time.Duration(a.atOnce)*a.again
}

// restore gives all of it back.
func (a *allowance) restore() { a.whole = 0 }
