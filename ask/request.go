package ask

import (
	"slices"
	"strconv"
	"strings"

	"linger"
)

// A Request is one exchange on its way to one connection.
type Request struct {
	linger.Exchange
	Index    int    // of the exchange in its workload
	Last     bool   // no other request follows on the connection
	Encoding string // that the response may have; empty is none
	Query    *Query // of DNS; nil is a request for an object
}

// AppendHTTP1 appends the head of q. The client keeps to what a browser must
// say; a size beyond that is reached with dots behind the product's name.
func AppendHTTP1(b []byte, q Request, s linger.Strategy, host string, m Message) []byte {
	begin, pad := len(b), 0
	b = append(append(append(b, q.Method...), ' '), q.Path...)
	b = append(append(b, " HTTP/"...), s.Version...)
	b = append(append(b, "\r\nHost: "...), host...)
	b = append(b, "\r\n"...)
	for name, value := range m.All(q.Encoding, q.isContent(m)) {
		b = append(append(append(b, name...), ": "...), value...)
		if name == userAgent {
			pad = len(b)
		}
		b = append(b, "\r\n"...)
	}
	switch {
	case s.Version == "1.0" && !q.Last:
		// HTTP/1.0 keeps what both sides ask to keep (RFC 9112, C.2.2).
		b = append(b, "Connection: keep-alive\r\n"...)
	case s.Version != "1.0" && q.Last:
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

// A NamedValue is one field, its name in lower case.
type NamedValue struct{ Name, Value string }

// Fields returns the head of q as HTTP/2 and HTTP/3 send it, pseudo-header
// fields first (RFC 9113, 8.3; RFC 9114, 4.3). It says what the head of HTTP/1.1
// says, padding included; how much of that is left is the compression's affair.
func Fields(q Request, scheme, host string, m Message) []NamedValue {
	if q.Query != nil {
		return q.Query.fields(q, scheme, host)
	}
	const plain = "1.1"
	shortest := len(AppendHTTP1(nil, Request{Exchange: linger.Exchange{
		Method: q.Method, Path: q.Path, RequestBody: q.RequestBody}, Index: q.Index, Encoding: q.Encoding}, linger.Strategy{Version: plain}, host, m))
	missing := q.RequestHead - shortest
	out := append(make([]NamedValue, 0, 8),
		NamedValue{":method", q.Method}, NamedValue{":scheme", scheme}, NamedValue{":authority", host}, NamedValue{":path", q.Path})
	for name, value := range m.All(q.Encoding, q.isContent(m)) {
		if name == userAgent && missing > 0 {
			value += strings.Repeat(".", missing)
		}
		out = append(out, NamedValue{strings.ToLower(name), value})
	}
	if saysLength(q) {
		out = append(out, NamedValue{"content-length", strconv.FormatInt(q.RequestBody, 10)})
	}
	return out
}

// isContent reports whether q carries the content of m.
func (q Request) isContent(m Message) bool { return q.Index == 0 && len(m.Content) > 0 }

// saysLength reports whether the head of q gives the length of its content: also of
// an empty one, where the method gives a meaning to it (RFC 9110, 8.6).
func saysLength(q Request) bool {
	return q.RequestBody > 0 || q.Method == "POST" || q.Method == "PUT" || q.Method == "PATCH"
}
