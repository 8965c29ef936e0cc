package conformance

import (
	"fmt"
	"net/http"

	"linger"
	"linger/finding"
	"linger/profile"
)

// Surplus is what came behind a response and belongs to no message; nothing, where it was
// listened to and nothing came.
type Surplus struct {
	Method string // of the request
	Status int    // of the response
	Bytes  int
	First  string // of the bytes
	Later  bool   // they came apart from the response
}

// id is the case that is about what may stand behind such a response.
func (s Surplus) id() string {
	switch {
	case s.Method == http.MethodHead:
		return "head-empty"
	case s.Status == http.StatusNoContent:
		return "no-content-empty"
	case s.Status == http.StatusNotModified:
		return "not-modified-empty"
	}
	return "nothing-behind"
}

// about is the response that it came behind.
func (s Surplus) about() string {
	method := s.Method
	if method == "" {
		method = http.MethodGet
	}
	return fmt.Sprintf("%s (%d)", method, s.Status)
}

// A Fault is what is wrong with the head of a response. Its ID is the case that it breaks.
type Fault struct {
	ID, What string
}

// Messages are what was seen of the messages that a server of HTTP/1.1 sent.
type Messages struct {
	Surplus []Surplus
	Faults  []Fault
	// Heads is how many heads of final responses were read, Bare how many heads of 1xx
	// and 204, Interim how many of 1xx.
	Heads, Bare, Interim int
}

// Strayed is the case that bytes break which belong to no message, so that what follows
// them on a connection cannot be told; "" is that there are none.
func (f Messages) Strayed() string {
	for _, s := range f.Surplus {
		if s.Bytes > 0 {
			return s.id()
		}
	}
	return ""
}

// Judge decides the cases of what stands in messages and behind them.
func (f Messages) Judge() []profile.Result {
	var r ruling
	f.surplus(&r)
	f.heads(&r)
	return r.results
}

// surplus are the cases of bytes that belong to no message.
func (f Messages) surplus(r *ruling) {
	// RFC 9112, 6.3: "If the final response to the last request on a connection has been
	// completely received and there remains additional data to read, a user agent MAY
	// discard the remaining data [...]. A client MUST NOT process, cache, or forward such
	// extra data as a separate response". RFC 9110, 9.3.2, 15.3.5 and 15.4.5 say of HEAD,
	// 204 and 304 that there is no content.
	const everywhere = "nothing-behind"
	common := map[string]bool{}
	listened := map[string]int{}
	for _, s := range f.Surplus {
		if s.Bytes > 0 && s.id() == everywhere {
			common[s.First] = true
		}
		if s.Bytes == 0 {
			listened[s.id()]++
		}
	}
	for _, s := range f.Surplus {
		switch id := s.id(); {
		case s.Bytes == 0:
		case id != everywhere && common[s.First]:
			r.unmeasured(id, "what comes behind the response comes behind others, too; see %s", everywhere)
		default:
			what, when := linger.Plural(s.Bytes, "byte")+" that belong to no message", ""
			if s.Bytes == 1 {
				what = "1 byte that belongs to no message"
			}
			if s.Later {
				when = " a little later"
			}
			r.broken(id, "%s followed the response to %s%s: %s", what, s.about(), when, linger.Quoted([]byte(s.First), s.Bytes)).
				by(finding.Number("surplus", float64(s.Bytes), "bytes"), finding.Word("sent", linger.Quoted([]byte(s.First), s.Bytes)))
		}
	}
	for _, one := range []struct{ id, none string }{
		{"head-empty", "no response to HEAD could be heard out"},
		{"no-content-empty", "nothing that was asked is answered 204"},
		{"not-modified-empty", "nothing that was asked is answered 304"},
		{everywhere, "no response could be heard out"},
	} {
		if n := listened[one.id]; n > 0 {
			r.pass(one.id, "nothing came behind %s", linger.Plural(n, "response"))
		} else {
			r.unmeasured(one.id, "%s", one.none)
		}
	}
}

// heads are the cases of what stands in heads.
func (f Messages) heads(r *ruling) {
	for _, fault := range f.Faults {
		r.broken(fault.ID, "%s", fault.What)
	}
	for _, one := range []struct {
		id, none string
		seen     int
	}{
		// RFC 9110, 8.6: "A server MUST NOT send a Content-Length header field in any response
		// with a status code of 1xx (Informational) or 204 (No Content)." RFC 9112, 6.1, says
		// so of Transfer-Encoding.
		{"length-absent", "nothing that was asked is answered 1xx or 204", f.Bare},
		// RFC 9112, 6.2: "A sender MUST NOT send a Content-Length header field in any message
		// that contains a Transfer-Encoding header field."
		{"length-single", "no response was read", f.Heads},
		// RFC 9110, 15.2: "a server MUST NOT send a 1xx response to an HTTP/1.0 client."
		{"interim-whole", "it sends no interim response", f.Interim},
		// RFC 9112, 5.1: "No whitespace is allowed between the field name and colon." And 5.2:
		// "A sender MUST NOT generate a message that includes line folding".
		{"head-grammar", "no response was read", f.Heads},
	} {
		if one.seen > 0 {
			r.pass(one.id, "%s had nothing of the kind", linger.Plural(one.seen, "head"))
		} else {
			r.unmeasured(one.id, "%s", one.none)
		}
	}
}
