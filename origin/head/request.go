// Package head takes the heads of requests apart and holds them against the standard: that of
// HTTP/1 as a Request, from its text, and that of HTTP/2 and HTTP/3 as a Section, field by
// field. Whatever breaks a rule by which two readers could disagree is refused.
package head

import (
	"bytes"
	"fmt"

	"linger"
)

// A Request is the head of one request, taken apart in place: its slices lie in
// the connection's buffer and hold until more is read into that.
type Request struct {
	Key        []byte // "GET /path", as it stands in the request line
	Method     []byte
	IsHEAD     bool     // the method is HEAD
	Target     []byte   // in any form of RFC 9112, 3.2
	Version    string   // "1.0" or "1.1", what the connection is to be handled as
	Connection []string // the values of all Connection fields
	Chunked    bool     // the body is in chunks; Length says nothing
	Length     int64    // of the body, in bytes
	Expect     bool     // the client waits for 100 (Continue)

	ContentType string
}

// A Refusal is a response to what is not a request that this server can take.
// The connection closes after it: where the next request begins is unknown.
type Refusal struct {
	Status int
	Text   string
}

func (r *Refusal) Error() string { return r.Text }

// Refuse returns a refusal with that status.
func Refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{status, fmt.Sprintf(format, args...)}
}

// End returns the length of the head that buf begins with, up to and
// including its empty line, or -1 where that has not arrived; the first from
// bytes are known to hold no end.
//
// RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator and
// ignore any preceding CR". So does this one: people type requests by hand.
func End(buf []byte, from int) int {
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

// Parse takes a head apart, with its empty line, reusing r's memory. A nil
// Refusal means that every rule held by which two readers could otherwise
// disagree about where the request ends.
func (r *Request) Parse(head []byte, maxTarget int) *Refusal {
	*r = Request{Connection: r.Connection[:0]}
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
			return Refuse(400, "a field line is not name: value")
		}
		name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
		if !IsFieldValue(value) {
			return Refuse(400, "a field value has a control character")
		}
		switch {
		case named(name, "host"):
			hosts++
			if !IsHost(value) {
				return Refuse(400, "Host is not a host")
			}
		case named(name, "connection"):
			r.Connection = append(r.Connection, connectionValue(value))
		case named(name, "content-length"):
			n, ok := Digits(value)
			if !ok || lengths > 0 && n != r.Length {
				return Refuse(400, "Content-Length is not one number")
			}
			lengths++
			r.Length = n
		case named(name, "transfer-encoding"):
			codings++
			if !named(value, "chunked") {
				// RFC 9112, 6.1: "A server that receives a request message with a
				// transfer coding it does not understand SHOULD respond with 501".
				return Refuse(501, "this server knows no transfer coding but chunked")
			}
			r.Chunked = true
		case named(name, "content-type"):
			r.ContentType = string(value)
		case named(name, "expect"):
			if !named(value, "100-continue") {
				return Refuse(417, "this server meets no expectation but 100-continue")
			}
			// RFC 9110, 10.1.1: "A server that receives a 100-continue expectation
			// in an HTTP/1.0 request MUST ignore that expectation".
			r.Expect = r.Version != "1.0"
		}
	}
	switch {
	case hosts > 1 || hosts == 0 && r.Version != "1.0":
		// RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status
		// code to any HTTP/1.1 request message that lacks a Host header field and
		// to any request message that contains more than one Host header field
		// line or a Host header field with an invalid field value".
		return Refuse(400, "%d Host fields; a request has one", hosts)
	case codings > 1:
		return Refuse(400, "the body is in chunks more than once")
	case codings > 0 && (lengths > 0 || r.Version == "1.0"):
		// RFC 9112, 6.3: the first "might indicate an attempt to perform request
		// smuggling [...] and ought to be handled as an error"; 6.1: the second is
		// to be treated "as if the framing is faulty".
		return Refuse(400, "Transfer-Encoding beside Content-Length or in HTTP/1.0")
	}
	return nil
}

// parseLine takes apart a request line: method SP target SP version.
func (r *Request) parseLine(line []byte, maxTarget int) *Refusal {
	method := bytes.IndexByte(line, ' ')
	version := bytes.LastIndexByte(line, ' ')
	if method <= 0 || version <= method || !isToken(line[:method]) {
		return Refuse(400, "the first line is not METHOD TARGET HTTP/1.1")
	}
	r.Key, r.Method, r.Target = line[:version], line[:method], line[method+1:version]
	r.IsHEAD = string(r.Method) == "HEAD"
	// "HTTP/" DIGIT "." DIGIT (RFC 9112, 2.3).
	v := line[version+1:]
	if len(v) != len("HTTP/d.d") || string(v[:5]) != "HTTP/" || !isDigit(v[5]) || v[6] != '.' || !isDigit(v[7]) {
		return Refuse(400, "the first line is not METHOD TARGET HTTP/1.1")
	}
	switch {
	case v[5] != '1':
		return Refuse(505, "this server speaks HTTP/1.1 and HTTP/1.0")
	case v[7] == '0':
		r.Version = "1.0"
	default:
		r.Version = "1.1"
	}
	if len(r.Target) > maxTarget {
		return Refuse(414, "the target has %d bytes; %d are read", len(r.Target), maxTarget)
	}
	if !isTarget(r.Target) {
		return Refuse(400, "the target has a space or control character, or is none")
	}
	return nil
}

// Path returns the target in origin form, without the scheme and authority of
// an absolute one: "a server MUST accept the absolute-form in requests even
// though most HTTP/1.1 clients will only send the absolute-form to a proxy"
// (RFC 9112, 3.2.2). "*" and an authority stay as they are.
func (r *Request) Path() []byte {
	if r.Target[0] == '/' {
		return r.Target
	}
	scheme, rest, absolute := bytes.Cut(r.Target, []byte("://"))
	if !absolute || !named(scheme, linger.SchemeHTTP) && !named(scheme, linger.SchemeHTTPS) {
		return r.Target
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
func cutLine(b []byte) (line, rest []byte, no *Refusal) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, nil, Refuse(400, "a line does not end")
	}
	line, rest = bytes.TrimSuffix(b[:i], []byte{'\r'}), b[i+1:]
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, nil, Refuse(400, "a CR stands inside a line")
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
