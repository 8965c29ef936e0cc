package origin

import (
	"bytes"
	"fmt"
	"math"
)

// A request is the head of one request, taken apart in place: its slices lie in
// the connection's buffer and hold until more is read into that.
type request struct {
	key        []byte // "GET /path", as it stands in the request line
	method     []byte
	head       bool     // the method is HEAD
	target     []byte   // in any form of RFC 9112, 3.2
	version    string   // "1.0" or "1.1", what the connection is to be handled as
	connection []string // the values of all Connection fields
	chunked    bool     // the body is in chunks; length says nothing
	length     int64    // of the body, in bytes
	expect     bool     // the client waits for 100 (Continue)

	contentType string
}

// A refusal is a response to what is not a request that this server can take.
// The connection closes after it: where the next request begins is unknown.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// refuse returns a refusal with that status.
func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// headEnd returns the length of the head that buf begins with, up to and
// including its empty line, or -1 where that has not arrived; the first from
// bytes are known to hold no end.
//
// RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator and
// ignore any preceding CR". So does this one: people type requests by hand.
func headEnd(buf []byte, from int) int {
	for i := max(from-2, 0); ; {
		n := bytes.IndexByte(buf[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch {
		case i < len(buf) && buf[i] == '\n':
			return i + 1
		case i+1 < len(buf) && buf[i] == '\r' && buf[i+1] == '\n':
			return i + 2
		}
	}
}

// parse takes a head apart, with its empty line, reusing r's memory. A nil
// refusal means that every rule held by which two readers could otherwise
// disagree about where the request ends.
func (r *request) parse(head []byte, maxTarget int) *refusal {
	*r = request{connection: r.connection[:0]}
	line, rest, no := cutLine(head)
	if no != nil {
		return no
	}
	if no := r.parseLine(line, maxTarget); no != nil {
		return no
	}
	var hosts, lengths, codings int
	for {
		line, rest, no = cutLine(rest)
		if no != nil {
			return no
		}
		if len(line) == 0 {
			break
		}
		colon := bytes.IndexByte(line, ':')
		// RFC 9112, 5.1: "No whitespace is allowed between the field name and
		// colon. [...] A server MUST reject, with a response status code of 400
		// (Bad Request), any received request message that contains whitespace
		// between a header field name and colon". A line that begins with
		// whitespace is a folded one, which 5.2 lets a server reject alike.
		if colon < 0 || !isToken(line[:colon]) {
			return refuse(400, "a field line is not name: value")
		}
		name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
		if !isFieldValue(value) {
			return refuse(400, "a field value has a control character")
		}
		switch {
		case named(name, "host"):
			hosts++
			if !isHost(value) {
				return refuse(400, "Host is not a host")
			}
		case named(name, "connection"):
			r.connection = append(r.connection, connectionValue(value))
		case named(name, "content-length"):
			n, ok := digits(value)
			if !ok || lengths > 0 && n != r.length {
				return refuse(400, "Content-Length is not one number")
			}
			lengths++
			r.length = n
		case named(name, "transfer-encoding"):
			codings++
			if !named(value, "chunked") {
				// RFC 9112, 6.1: "A server that receives a request message with a
				// transfer coding it does not understand SHOULD respond with 501".
				return refuse(501, "this server knows no transfer coding but chunked")
			}
			r.chunked = true
		case named(name, "content-type"):
			r.contentType = string(value)
		case named(name, "expect"):
			if !named(value, "100-continue") {
				return refuse(417, "this server meets no expectation but 100-continue")
			}
			// RFC 9110, 10.1.1: "A server that receives a 100-continue expectation
			// in an HTTP/1.0 request MUST ignore that expectation".
			r.expect = r.version != "1.0"
		}
	}
	switch {
	case hosts > 1 || hosts == 0 && r.version != "1.0":
		// RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status
		// code to any HTTP/1.1 request message that lacks a Host header field and
		// to any request message that contains more than one Host header field
		// line or a Host header field with an invalid field value".
		return refuse(400, "%d Host fields; a request has one", hosts)
	case codings > 1:
		return refuse(400, "the body is in chunks more than once")
	case codings > 0 && (lengths > 0 || r.version == "1.0"):
		// RFC 9112, 6.3: the first "might indicate an attempt to perform request
		// smuggling [...] and ought to be handled as an error"; 6.1: the second is
		// to be treated "as if the framing is faulty".
		return refuse(400, "Transfer-Encoding beside Content-Length or in HTTP/1.0")
	}
	return nil
}

// parseLine takes apart a request line: method SP target SP version.
func (r *request) parseLine(line []byte, maxTarget int) *refusal {
	method := bytes.IndexByte(line, ' ')
	version := bytes.LastIndexByte(line, ' ')
	if method <= 0 || version <= method || !isToken(line[:method]) {
		return refuse(400, "the first line is not METHOD TARGET HTTP/1.1")
	}
	r.key, r.method, r.target = line[:version], line[:method], line[method+1:version]
	r.head = string(r.method) == "HEAD"
	// "HTTP/" DIGIT "." DIGIT (RFC 9112, 2.3).
	v := line[version+1:]
	if len(v) != len("HTTP/1.1") || string(v[:5]) != "HTTP/" || !isDigit(v[5]) || v[6] != '.' || !isDigit(v[7]) {
		return refuse(400, "the first line is not METHOD TARGET HTTP/1.1")
	}
	switch {
	case v[5] != '1':
		return refuse(505, "this server speaks HTTP/1.1 and HTTP/1.0")
	case v[7] == '0':
		r.version = "1.0"
	default:
		r.version = "1.1"
	}
	if len(r.target) > maxTarget {
		return refuse(414, "the target has %d bytes; %d are read", len(r.target), maxTarget)
	}
	if !isTarget(r.target) {
		return refuse(400, "the target has a space or control character, or is none")
	}
	return nil
}

// path returns the target in origin form, without the scheme and authority of
// an absolute one: "a server MUST accept the absolute-form in requests even
// though most HTTP/1.1 clients will only send the absolute-form to a proxy"
// (RFC 9112, 3.2.2). "*" and an authority stay as they are.
func (r *request) path() []byte {
	if r.target[0] == '/' {
		return r.target
	}
	scheme, rest, absolute := bytes.Cut(r.target, []byte("://"))
	if !absolute || !named(scheme, "http") && !named(scheme, "https") {
		return r.target
	}
	if i := bytes.IndexAny(rest, "/?"); i >= 0 && rest[i] == '/' {
		return rest[i:]
	} else if i >= 0 {
		return append([]byte{'/'}, rest[i:]...)
	}
	return []byte("/")
}

// cutLine returns the first line of b without its end, and what follows. A CR
// that ends no line, which some readers take for an end, is refused.
func cutLine(b []byte) (line, rest []byte, no *refusal) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, nil, refuse(400, "a line does not end")
	}
	line, rest = bytes.TrimSuffix(b[:i], []byte{'\r'}), b[i+1:]
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, nil, refuse(400, "a CR stands inside a line")
	}
	return line, rest, nil
}

// connectionValue spares the memory of the two values that matter.
func connectionValue(v []byte) string {
	switch string(v) {
	case "close":
		return "close"
	case "keep-alive":
		return "keep-alive"
	case "Keep-Alive":
		return "Keep-Alive"
	}
	return string(v)
}

// named reports whether b is the lower-case name, in any case.
func named(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// digits reads 1*DIGIT (RFC 9110, 8.6), no sign and no space.
func digits(b []byte) (int64, bool) {
	var n int64
	for _, c := range b {
		if !isDigit(c) || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

// classes says in which of the sets below a byte is.
var classes = func() (t [256]uint8) {
	for c := range t {
		if c > ' ' && c != 0x7f {
			t[c] |= inTarget | inValue
		}
		if c >= 0x80 {
			t[c] &^= inTarget
		}
		if c == ' ' || c == '\t' {
			t[c] |= inValue
		}
	}
	const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for _, c := range []byte(alphanumeric) {
		t[c] |= inToken | inHost
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= inToken
	}
	for _, c := range []byte("!$%&'()*+,-.:;=[]_~") {
		t[c] |= inHost
	}
	return t
}()

const (
	inToken  = 1 << iota // tchar (RFC 9110, 5.6.2)
	inTarget             // a printable ASCII character: more than RFC 3986 allows, as browsers send it
	inValue              // field-vchar, space or tab (RFC 9110, 5.5)
	inHost               // what uri-host and port are made of (RFC 3986, 3.2.2)
)

func all(b []byte, class uint8) bool {
	for _, c := range b {
		if classes[c]&class == 0 {
			return false
		}
	}
	return true
}

func isToken(b []byte) bool      { return len(b) > 0 && all(b, inToken) }
func isTarget(b []byte) bool     { return len(b) > 0 && all(b, inTarget) }
func isFieldValue(b []byte) bool { return all(b, inValue) }
func isHost(b []byte) bool       { return all(b, inHost) }
func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
