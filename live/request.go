package live

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"

	"linger"
)

// A request is one exchange on its way to one connection.
type request struct {
	linger.Exchange
	index    int
	last     bool // no other request follows on the connection
	visited  bool // the response may name further exchanges
	search   search
	encoding string // that the response may have; empty is none
	head     int    // bytes, once it is written
	query    *query
	again    bool // the same datagram once more
}

// content returns the content of q, RequestBody bytes of it.
func (r *run) content(q request) io.Reader {
	if q.query != nil {
		return bytes.NewReader(q.query.message)
	}
	if own := r.config.Message.Content; q.index == 0 && len(own) > 0 {
		return bytes.NewReader(own)
	}
	return r.scenario.Workload.RequestContent(q.index)
}

// appendRequest appends the head of q. The client keeps to what a browser must
// say; a size beyond that is reached with dots behind the product's name.
func appendRequest(b []byte, q request, s linger.Strategy, host string, m Message) []byte {
	begin, pad := len(b), 0
	b = append(append(append(b, q.Method...), ' '), q.Path...)
	b = append(append(b, " HTTP/"...), s.Version...)
	b = append(append(b, "\r\nHost: "...), host...)
	b = append(b, "\r\n"...)
	for name, value := range m.All(q.encoding, q.isContent(m)) {
		b = append(append(append(b, name...), ": "...), value...)
		if name == userAgent {
			pad = len(b)
		}
		b = append(b, "\r\n"...)
	}
	switch {
	case s.Version == "1.0" && !q.last:
		// HTTP/1.0 keeps what both sides ask to keep (RFC 9112, C.2.2).
		b = append(b, "Connection: keep-alive\r\n"...)
	case s.Version != "1.0" && q.last:
		// RFC 9112, 9.6: "A sender SHOULD send a Connection header field [...]
		// containing the "close" connection option when it intends to close a
		// connection."
		b = append(b, "Connection: close\r\n"...)
	}
	if saysLength(q) {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, q.RequestBody, 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if missing := q.RequestHead - (len(b) - begin); missing > 0 && pad > 0 {
		b = slices.Insert(b, pad, slices.Repeat([]byte{'.'}, missing)...)
	}
	return b
}

// A field is one name with its value, the name in lower case.
type field struct{ name, value string }

// requestFields returns the head of q as HTTP/2 and HTTP/3 send it, pseudo-header
// fields first (RFC 9113, 8.3; RFC 9114, 4.3). It says what the head of HTTP/1.1
// says, padding included; how much of that is left is the compression's affair.
func requestFields(q request, scheme, host string, m Message) []field {
	if q.query != nil {
		return q.query.fields(q, scheme, host)
	}
	const plain = "1.1"
	shortest := len(appendRequest(nil, request{Exchange: linger.Exchange{
		Method: q.Method, Path: q.Path, RequestBody: q.RequestBody}, index: q.index, encoding: q.encoding}, linger.Strategy{Version: plain}, host, m))
	missing := q.RequestHead - shortest
	out := append(make([]field, 0, 8),
		field{":method", q.Method}, field{":scheme", scheme}, field{":authority", host}, field{":path", q.Path})
	for name, value := range m.All(q.encoding, q.isContent(m)) {
		if name == userAgent && missing > 0 {
			value += strings.Repeat(".", missing)
		}
		out = append(out, field{strings.ToLower(name), value})
	}
	if saysLength(q) {
		out = append(out, field{"content-length", strconv.FormatInt(q.RequestBody, 10)})
	}
	return out
}

// isContent reports whether q carries the content of m.
func (q request) isContent(m Message) bool { return q.index == 0 && len(m.Content) > 0 }

// saysLength reports whether the head of q gives the length of its content: also of
// an empty one, where the method gives a meaning to it (RFC 9110, 8.6).
func saysLength(q request) bool {
	return q.RequestBody > 0 || q.Method == "POST" || q.Method == "PUT" || q.Method == "PATCH"
}
