package origin

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A section is the head of one request of HTTP/2 or HTTP/3, taken in field by
// field. Both versions have the same rules (RFC 9113, 8; RFC 9114, 4), and what
// breaks them makes a request malformed: its stream is reset, the connection
// goes on.
type section struct {
	method, scheme, authority, path string
	host, contentType               string
	length                          int64 // of the content as Content-Length says it, -1 where it does not
	expects                         string
	expect                          bool // the client waits for 100 (Continue)

	seen    uint8 // pseudo-header fields, as bits
	regular bool  // a field that is none has been seen
	hosts   int
	err     error // the first rule that was broken
}

const (
	sawMethod = 1 << iota
	sawScheme
	sawAuthority
	sawPath
)

// add takes the next field in.
func (s *section) add(name, value string) {
	if s.err == nil {
		s.err = s.take(name, value)
	}
}

func (s *section) take(name, value string) error {
	if !isTrimmed(value) {
		return fmt.Errorf("the value of %q cannot stand in a field", name)
	}
	if strings.HasPrefix(name, ":") {
		return s.pseudo(name, value)
	}
	s.regular = true
	// RFC 9113, 8.2.1: "A field name MUST NOT contain characters in the ranges
	// 0x00-0x20, 0x41-0x5a, or 0x7f-0xff (all ranges inclusive)".
	if !isLowerToken(name) {
		return fmt.Errorf("%q is no field name", name)
	}
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		// RFC 9113, 8.2.2: "Any message containing connection-specific header fields
		// MUST be treated as malformed".
		return fmt.Errorf("%q belongs to connections of HTTP/1", name)
	case "te":
		if value != "trailers" {
			return errors.New(`"te" is not "trailers"`)
		}
	case "host":
		s.hosts++
		s.host = value
	case "content-length":
		n, ok := digits([]byte(value))
		if !ok || s.length >= 0 && n != s.length {
			return errors.New("content-length is not one number")
		}
		s.length = n
	case "content-type":
		s.contentType = value
	case "expect":
		s.expects = value
		s.expect = strings.EqualFold(value, "100-continue")
	}
	return nil
}

func (s *section) pseudo(name, value string) error {
	var bit uint8
	switch name {
	case ":method":
		bit, s.method = sawMethod, value
	case ":scheme":
		bit, s.scheme = sawScheme, value
	case ":authority":
		bit, s.authority = sawAuthority, value
	case ":path":
		bit, s.path = sawPath, value
	default:
		return fmt.Errorf("%q is no pseudo-header field of a request", name)
	}
	switch {
	case s.regular:
		return fmt.Errorf("%q comes behind other fields", name)
	case s.seen&bit != 0:
		return fmt.Errorf("%q comes twice", name)
	}
	s.seen |= bit
	return nil
}

// end says what is wrong with the head as a whole.
func (s *section) end() error {
	if s.err != nil {
		return s.err
	}
	if !isToken([]byte(s.method)) {
		return errors.New("there is no :method")
	}
	if s.hosts > 1 || !isHost([]byte(s.host)) || !isHost([]byte(s.authority)) {
		return errors.New("host or :authority is not one host")
	}
	if s.method == "CONNECT" {
		// RFC 9113, 8.5: "The ":scheme" and ":path" pseudo-header fields MUST be
		// omitted".
		if s.seen != sawMethod|sawAuthority {
			return errors.New("CONNECT takes :authority and nothing else")
		}
		return nil
	}
	switch {
	case s.scheme == "":
		return errors.New("there is no :scheme")
	case !isTarget([]byte(s.path)) || s.path[0] != '/' && (s.path != "*" || s.method != "OPTIONS"):
		return errors.New(":path is not an absolute path")
	case s.authority == "" && s.host == "":
		return errors.New("there is neither :authority nor host")
	case s.authority != "" && s.host != "" && !strings.EqualFold(s.authority, s.host):
		return errors.New("host and :authority differ")
	}
	return nil
}

// answerTo returns what is answered to a head: what the site has, or a refusal.
// That one is early: it does not wait for the request's content. What HTTP/1 would
// close the connection for ends the stream alone here. scratch is memory that is
// taken and given back.
func (s *Server) answerTo(h *section, scratch []byte) (a answer, early bool, _ []byte) {
	head := h.method == "HEAD"
	if h.method == "CONNECT" {
		return refused(refuse(501, "this server is no proxy"), answer{method: h.method, target: h.authority}, false), true, scratch
	}
	if len(h.path) > s.maxTarget {
		no := refuse(414, "the target has %d bytes; %d are read", len(h.path), s.maxTarget)
		return refused(no, answer{method: h.method}, head), true, scratch
	}
	scratch = append(append(append(scratch[:0], h.method...), ' '), h.path...)
	r := request{key: scratch, method: scratch[:len(h.method)], target: scratch[len(h.method)+1:], head: head, contentType: h.contentType}
	a = s.find(&r)
	switch {
	case h.expects != "" && !h.expect:
		return refused(refuse(417, "this server meets no expectation but 100-continue"), a, head), true, scratch
	case h.length > s.contentLimit(&a):
		return refused(tooLong(h.length, s.contentLimit(&a)), a, head), true, scratch
	}
	return a, false, scratch
}

func tooLong(n, limit int64) *refusal {
	return refuse(413, "the content has %d bytes; %d are read", n, limit)
}

// A head of HTTP/2 or HTTP/3 has no size of its own: HPACK and QPACK send what
// they must. appendFields gives it the fields that appendHead writes, but for those
// of the connection, padded such that it would have a.head bytes in HTTP/1.1.
//
// The padding stands for what differs from response to response, so it is not to
// be indexed; Huffman's code makes 7 bits of each of its letters.

// headSize returns the size of a head with these fields in HTTP/1.1.
func headSize(status int, fields []field) int {
	n := len("HTTP/1.1 200 ") + len(reason(status)) + len("\r\n\r\n")
	for _, f := range fields {
		n += len(f.name) + len(f.value) + len(": \r\n")
	}
	return n
}

// appendFields appends the fields of a's head behind :status to fields; the last
// one is the padding where padded is true.
func (s *Server) appendFields(fields []field, a *answer, altSvc string) (_ []field, padded bool) {
	fields = append(fields, a.fields...)
	if altSvc != "" {
		fields = append(fields, field{"Alt-Svc", "alt-svc", altSvc})
	}
	if a.length >= 0 {
		fields = append(fields, field{"Content-Length", "content-length", strconv.FormatInt(a.length, 10)})
	}
	fields = append(fields, field{"Date", "date", s.dateAt(s.now())})
	if n := a.head - headSize(a.status, fields) - len("X-Pad: \r\n"); n > 0 {
		return append(fields, field{"X-Pad", "x-pad", pad(n)}), true
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

// isTrimmed reports whether v may be the value of a field: "A field value MUST NOT
// start or end with an ASCII whitespace character" (RFC 9113, 8.2.1).
func isTrimmed(v string) bool {
	b := []byte(v)
	return isFieldValue(b) && len(bytes.Trim(b, " \t")) == len(b)
}

func isLowerToken(name string) bool {
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			return false
		}
	}
	return isToken([]byte(name))
}
