package http1

import (
	"bytes"
	"cmp"
	"strings"

	"linger"
	"linger/capture/talk"
	"linger/trace"
)

// An answer to whether bytes begin a message.
type Answer uint8

const (
	No    Answer = iota
	Maybe        // there are too few of them
	Yes
)

// LooksRequest reports whether b begins with a request line: a method, a target and a
// version, or of HTTP/0.9 GET and a target alone.
func LooksRequest(b []byte) Answer {
	const longest = 24 // "UPDATEREDIRECTREF" is the longest method in use
	n := 0
	for n < len(b) && n < longest && (b[n] >= 'A' && b[n] <= 'Z' || b[n] == '-' || b[n] == '_') {
		n++
	}
	switch {
	case n == len(b):
		return Maybe
	case n < 3 || b[n] != ' ':
		return No
	}
	rest := b[n+1:]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		if len(rest) > 0 && rest[0] <= ' ' || len(rest) > talk.MaxURL {
			return No
		}
		return Maybe
	}
	target, version := cutLast(trimCR(rest[:end]))
	if isVersion(version) && len(target) > 0 {
		return Yes
	}
	if string(b[:n]) == "GET" && len(target) == 0 && len(version) > 0 && version[0] == '/' {
		return Yes // "Simple-Request = "GET" SP Request-URI CRLF" (RFC 1945, 4.1)
	}
	return No
}

// LooksResponse reports whether b begins with a status line.
func LooksResponse(b []byte) Answer {
	const least = "HTTP/1.1 200"
	if len(b) < len(least) {
		if strings.HasPrefix("HTTP/1.", string(b[:min(len(b), 7)])) {
			return Maybe
		}
		return No
	}
	if isVersion(b[:8]) && b[8] == ' ' && isDigits(b[9:12]) {
		return Yes
	}
	return No
}

func isVersion(b []byte) bool {
	return len(b) == 8 && string(b[:7]) == "HTTP/1." && b[7] >= '0' && b[7] <= '9'
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// cutLast cuts a line at its last blank; without one all of it comes after.
func cutLast(b []byte) (before, after []byte) {
	if i := bytes.LastIndexByte(b, ' '); i >= 0 {
		return b[:i], b[i+1:]
	}
	return nil, b
}

// trim takes blanks and tabs off both ends (OWS; RFC 9110, 5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}

// Versions as they stand in a first line.
type version uint8

const (
	versionNone version = iota // HTTP/0.9
	version10
	version11
)

func (v version) String() string { return [...]string{"0.9", "1.0", "1.1"}[v] }

// A head is what is kept of a message's. Its slices are of the bytes that it was read from.
type head struct {
	size    int64
	version version

	method, target []byte
	status         int

	host, agent, server, contentType, location, referer, upgrade []byte

	connection, proxyConnection, keepAlive string // joined where they recur

	close, chunked, otherCoding, badLength bool
	length                                 int64 // -1 is none
}

// Lengths of bodies that are none.
const (
	lengthChunked = -1 - iota
	lengthToEnd
	lengthWrong
)

// requestBody returns the length of a request's body (RFC 9112, 6.3).
func (h *head) requestBody() int64 {
	switch {
	case h.version == versionNone:
		return 0
	case h.chunked:
		return lengthChunked
	case h.otherCoding || h.badLength:
		return lengthWrong // "the server MUST respond with [...] 400 [...] and then close"
	}
	return max(h.length, 0)
}

// responseBody returns the length of a response's body (RFC 9112, 6.3).
func (h *head) responseBody(toHead bool) int64 {
	switch {
	case toHead || h.status/100 == 1 || h.status == 204 || h.status == 304:
		return 0
	case h.chunked:
		return lengthChunked
	case h.otherCoding || h.length < 0 && !h.badLength:
		return lengthToEnd
	case h.badLength:
		return lengthWrong
	}
	return h.length
}

// said is what the message says of the connection.
func (h *head) said(s *Shared) trace.Said {
	connection := h.connection
	if connection == "" {
		connection = h.proxyConnection
	}
	return trace.Said{Version: h.version.String(), Connection: connection, KeepAlive: h.keepAlive}
}

// start reads the head of a message, and returns how many bytes that took and how many of
// the body follow.
func (c *Conversation) start(from talk.Side, b []byte, m talk.Mark) (n int, skip int64) {
	r := &c.side[from]
	if len(r.buf) == 0 {
		// "a server [...] SHOULD ignore at least one empty line (CRLF) received prior to
		// the request-line" (RFC 9112, 2.2).
		for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
			n++
		}
		if n == len(b) {
			return n, 0
		}
		r.began = m
		if from == talk.Server && c.current == nil && len(c.queue) > 0 && c.queue[0].old && LooksResponse(b[n:]) == No {
			return n, c.simple(m)
		}
		c.Shared.head = head{length: -1}
		size, ok := c.Shared.head.read(c.Shared, from, b[n:])
		switch {
		case !ok:
			return len(b), c.malformed(from, int64(len(b)-n))
		case size > 0:
			return n + size, c.message(from, m)
		}
		r.buf, r.scanned = append(r.buf, b[n:]...), 0
		return len(b), 0
	}
	before := len(r.buf)
	r.buf = append(r.buf, b...)
	size := endOfHead(r.buf, max(r.scanned-3, 0))
	if from == talk.Client && size == 0 && bytes.IndexByte(b, '\n') >= 0 && bytes.IndexByte(r.buf, '\n') >= before && LooksRequest(r.buf) == Yes {
		size = len(r.buf) // the first line has come to its end, perhaps one of HTTP/0.9: read tells
	}
	if size > 0 {
		c.Shared.head = head{length: -1}
		got, ok := c.Shared.head.read(c.Shared, from, r.buf)
		if !ok {
			size := int64(len(r.buf))
			r.buf = nil
			return len(b), c.malformed(from, size)
		}
		if got > before {
			skip = c.message(from, m)
			r.buf, r.scanned = nil, 0
			return got - before, skip
		}
	}
	if r.scanned = len(r.buf); r.scanned > maxHead {
		c.salvage(from, m)
		r.buf, r.scanned, r.state = nil, 0, lost
	}
	return len(b), 0
}

// simple begins a response of HTTP/0.9, which has no head and lasts until the end
// (RFC 1945, 4.1).
func (c *Conversation) simple(m talk.Mark) (skip int64) {
	r := &c.side[talk.Server]
	c.Responses++
	c.current = c.queue[0]
	c.current.FirstByte = linger.Known(m.At)
	c.current.AnswerFrames = trace.Frames{First: m.Frame, Last: m.Frame, FirstFile: m.File, LastFile: m.File}
	r.state = toEnd
	return talk.Forever
}

// message takes in the head that was read.
func (c *Conversation) message(from talk.Side, m talk.Mark) (skip int64) {
	if from == talk.Client {
		return c.request(&c.Shared.head, m, false)
	}
	return c.response(&c.Shared.head, m, false)
}

// malformed gives up a message that is none.
func (c *Conversation) malformed(from talk.Side, n int64) int64 {
	r := &c.side[from]
	r.state, r.size = lost, r.size+n
	return 0
}

// salvage takes what there is of a head whose rest is missing.
func (c *Conversation) salvage(from talk.Side, m talk.Mark) {
	r := &c.side[from]
	h := head{length: -1}
	if from == talk.Client && bytes.IndexByte(r.buf, '\n') < 0 {
		h.method, _, _ = bytes.Cut(r.buf, []byte{' '})
		if len(h.method) == len(r.buf) || LooksRequest(r.buf) == No {
			return
		}
		c.request(&h, m, true)
		return
	}
	if from == talk.Server && len(r.buf) >= 12 && bytes.IndexByte(r.buf, '\n') < 0 {
		if h.firstLine(from, r.buf) {
			c.response(&h, m, true)
		}
		return
	}
	if _, ok := h.read(c.Shared, from, r.buf); !ok {
		return
	}
	h.size = int64(len(r.buf))
	if from == talk.Client {
		c.request(&h, m, true)
	} else {
		c.response(&h, m, true)
	}
}

// endOfHead returns how long the head is that b begins with, of which the end is not
// before from; 0 if it does not end.
func endOfHead(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0
		}
		from += i + 1
		if from < len(b) && b[from] == '\n' {
			return from + 1
		}
		if from+1 < len(b) && b[from] == '\r' && b[from+1] == '\n' {
			return from + 2
		}
	}
}

// read reads a head, and returns its size: 0 if it does not end in b. ok is false if it
// cannot be one.
func (h *head) read(s *Shared, from talk.Side, b []byte) (size int, ok bool) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if from == talk.Client {
			return 0, LooksRequest(b) != No
		}
		return 0, LooksResponse(b) != No
	}
	if !h.firstLine(from, trimCR(b[:end])) {
		return 0, false
	}
	at := end + 1
	if h.version == versionNone {
		h.size = int64(at)
		return at, true
	}
	for {
		end := bytes.IndexByte(b[at:], '\n')
		if end < 0 {
			return 0, true
		}
		line := b[at : at+end]
		at += end + 1
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			h.size = int64(at)
			return at, true
		}
		h.field(s, trimCR(line))
	}
}

// firstLine reads a request line or a status line.
func (h *head) firstLine(from talk.Side, line []byte) bool {
	if from == talk.Server {
		if LooksResponse(line) != Yes {
			return false
		}
		h.version = versionOf(line[7])
		h.status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
		return true
	}
	var rest []byte
	h.method, rest, _ = bytes.Cut(line, []byte{' '})
	if len(h.method) == 0 || len(h.method) > 32 || !isToken(h.method) {
		return false
	}
	target, v := cutLast(rest)
	switch {
	case isVersion(v) && len(target) > 0:
		h.target, h.version = target, versionOf(v[7])
	case string(h.method) == "GET" && len(rest) > 0 && rest[0] > ' ' && len(target) == 0:
		h.target = rest
	default:
		return false
	}
	return true
}

func versionOf(minor byte) version {
	if minor == '0' {
		return version10
	}
	return version11
}

// isToken reports whether b is one (RFC 9110, 5.6.2), by its letters, digits and marks.
func isToken(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), c) >= 0 {
			return false
		}
	}
	return true
}

// field takes in one line of a head, if it is of use. A line that continues the one before
// has no name, and is not.
func (h *head) field(s *Shared, line []byte) {
	if len(line) == 0 {
		return
	}
	switch line[0] | 0x20 {
	case 'h':
		if v, ok := named(line, "host"); ok {
			h.host = v
		}
	case 's':
		if v, ok := named(line, "server"); ok {
			h.server = v
		}
	case 'u':
		if v, ok := named(line, "user-agent"); ok {
			h.agent = v
		} else if v, ok := named(line, "upgrade"); ok {
			h.upgrade = v
		}
	case 'r':
		if v, ok := named(line, "referer"); ok {
			h.referer = v
		}
	case 'l':
		if v, ok := named(line, "location"); ok {
			h.location = v
		}
	case 'k':
		if v, ok := named(line, "keep-alive"); ok {
			h.keepAlive = join(s, h.keepAlive, v)
		}
	case 'p':
		if v, ok := named(line, "proxy-connection"); ok {
			h.proxyConnection = join(s, h.proxyConnection, v)
			h.close = h.close || hasToken(v, "close")
		}
	case 'c':
		if v, ok := named(line, "connection"); ok {
			h.connection = join(s, h.connection, v)
			h.close = h.close || hasToken(v, "close")
		} else if v, ok := named(line, "content-length"); ok {
			h.contentLength(v)
		} else if v, ok := named(line, "content-type"); ok {
			h.contentType = v
		}
	case 't':
		if v, ok := named(line, "transfer-encoding"); ok {
			h.transferEncoding(v)
		}
	}
}

// named returns the value of a line with that name, which is in lower case.
func named(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !is(line[:len(name)], name) {
		return nil, false
	}
	return trim(line[len(name)+1:]), true
}

// transferEncoding reads the codings of a body, of which the last one decides: "If a message
// is received with both [...], the Transfer-Encoding overrides" (RFC 9112, 6.3).
func (h *head) transferEncoding(codings []byte) {
	if i := bytes.LastIndexByte(codings, ','); i >= 0 {
		codings = trim(codings[i+1:])
	}
	h.chunked = is(codings, "chunked")
	h.otherCoding = !h.chunked
}

// contentLength reads one or, if they are the same, several lengths.
func (h *head) contentLength(b []byte) {
	for part := range bytes.SplitSeq(b, []byte{','}) {
		part = trim(part)
		if len(part) == 0 || len(part) > 18 || !isDigits(part) {
			h.badLength = true
			return
		}
		var n int64
		for _, d := range part {
			n = n*10 + int64(d-'0')
		}
		if h.length >= 0 && h.length != n {
			h.badLength = true
		}
		h.length = n
	}
}

// is reports whether b is a name that is written in lower case, in any case.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(lower) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// hasToken reports whether a list has a token, in any case.
func hasToken(list []byte, token string) bool {
	for part := range bytes.SplitSeq(list, []byte{','}) {
		if is(trim(part), token) {
			return true
		}
	}
	return false
}

// join adds a value to those that a field had before.
func join(s *Shared, before string, value []byte) string {
	if before == "" {
		return s.Text(value)
	}
	return talk.Clip([]byte(before + ", " + string(value)))
}

// mediaType cuts the parameters off.
func mediaType(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte{';'})
	return trim(b)
}

// url returns the absolute URL of a request (RFC 9112, 3.3).
func (c *Conversation) url(h *head) string {
	target := h.target
	if len(target) > talk.MaxURL {
		target = target[:talk.MaxURL]
	}
	b := c.Shared.line[:0]
	switch {
	case len(h.method) == len("CONNECT") && string(h.method) == "CONNECT" || target[0] != '/' && bytes.Contains(target, []byte("://")):
		b = append(b, target...)
	default:
		if len(target) == 1 && target[0] == '*' {
			target = nil // "OPTIONS *" is of the server
		}
		b = append(append(b, cmp.Or(c.Scheme, linger.SchemeHTTP)...), "://"...)
		if len(h.host) > 0 {
			b = append(b, h.host...)
		} else {
			b = append(b, c.Authority...)
		}
		b = append(b, target...)
	}
	c.Shared.line = b
	if bytes.IndexByte(b, '@') >= 0 {
		return linger.WithoutUser(talk.Valid(b))
	}
	return talk.Valid(b)
}

// absolute returns where a Location points to, seen from a URL.
func absolute(from, to string) string {
	to = linger.WithoutUser(to)
	switch {
	case strings.Contains(to, "://"):
		return to
	case strings.HasPrefix(to, "/"):
		scheme, rest, ok := strings.Cut(from, "://")
		switch {
		case strings.HasPrefix(to, "//"):
			if !ok {
				scheme = linger.SchemeHTTP
			}
			return scheme + ":" + to
		case ok:
			host, _, _ := strings.Cut(rest, "/")
			return scheme + "://" + host + to
		}
	}
	return ""
}
