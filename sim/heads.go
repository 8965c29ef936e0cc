package sim

import (
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/fields"
)

// Heads have the sizes that live and origin give them, field by field.

// dateFormat is that of HTTP's dates, which are in GMT (RFC 9110, 5.6.7); dateBytes is
// the length of each.
const (
	dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"
	dateBytes  = len(dateFormat)
)

// saysLength reports whether a request gives the length of its content (RFC 9110, 8.6).
func saysLength(e *linger.Exchange) bool {
	return e.RequestBody > 0 || e.Method == "POST" || e.Method == "PUT" || e.Method == "PATCH"
}

// requestHead is the size of a request's head in HTTP/1.
func (w *party) requestHead(e *linger.Exchange, version string, last bool) int {
	if book := w.config.Textbook; book != nil {
		return book.Control
	}
	n := len(e.Method) + 1 + len(e.Path) + len(" HTTP/1.1\r\n") +
		len("Host: \r\n") + len(w.authority(e)) + len("User-Agent: \r\n") + len(w.config.Agent) + len("Accept: */*\r\n") + len("\r\n")
	switch {
	case version == "1.0" && !last:
		n += len("Connection: keep-alive\r\n")
	case version != "1.0" && last:
		n += len("Connection: close\r\n")
	}
	if saysLength(e) {
		n += len("Content-Length: \r\n") + digits(e.RequestBody)
	}
	return max(n, e.RequestHead)
}

// responseHead is the size of a response's head in HTTP/1.
func (w *party) responseHead(e *linger.Exchange, version string, persists bool, state *policy.Server) int {
	if w.config.Textbook != nil {
		return 0
	}
	n := len("HTTP/1.1 200 \r\n") + len(reason(e.Status)) + len("Date: \r\n") + dateBytes
	if e.ContentType != "" {
		n += len("Content-Type: \r\n") + len(e.ContentType)
	}
	if w.altSvc() != "" {
		n += len("Alt-Svc: \r\n") + len(w.altSvc())
	}
	if e.HasBody() {
		n += len("Content-Length: \r\n") + digits(e.ResponseBody)
	}
	announce := persists && w.config.Policy.Announce
	switch {
	case !persists:
		n += len("Connection: close\r\n")
	case version == "1.0" || announce:
		n += len("Connection: keep-alive\r\n")
	}
	left, limited := state.Remaining()
	if timeout := w.config.Policy.IdleTimeout; announce && (timeout > 0 || limited) {
		n += len("Keep-Alive: \r\n")
		if timeout > 0 {
			n += len("timeout=") + digits(int64(timeout/time.Second))
		}
		if timeout > 0 && limited {
			n += len(", ")
		}
		if limited {
			n += len("max=") + digits(int64(left))
		}
	}
	return max(n+len("\r\n"), e.ResponseHead)
}

// requestFields are those of a request behind the pseudo-header fields. stack is what the
// client is called where the application says nothing; "" is nothing.
func (w *party) requestFields(x *linger.Exchange, stack string, to fields.Block) {
	agent, ok := w.app.agent(w, x)
	if !ok {
		agent = stack
	}
	if ok || stack != "" {
		to.Add("user-agent", agent)
	}
	to.Add("accept", w.app.accepts())
	if kind := w.app.sends(); kind != "" && x.RequestBody > 0 {
		to.Add("content-type", kind)
	}
	if saysLength(x) {
		to.Add("content-length", strconv.FormatInt(x.RequestBody, 10))
	}
}

// padding is the field that makes a response's head as long as it is to be.
const padding = "x-pad"

// responseFields are all fields of a response. The head is padded as if it were one of
// HTTP/1 that says the same.
func (w *party) responseFields(exchange int, altSvc string, to fields.Block) {
	e := &w.scenario.Workload.Exchanges[exchange]
	to.Add(":status", strconv.Itoa(e.Status))
	size := len("HTTP/1.1 200 ") + len(reason(e.Status)) + len("\r\n\r\n")
	add := func(name, value string) {
		if value != "" {
			size += len(name) + len(value) + len(": \r\n")
			to.Add(name, value)
		}
	}
	add("content-type", e.ContentType)
	add("cache-control", w.app.caching(w, exchange))
	add("alt-svc", altSvc)
	if e.HasBody() {
		add("content-length", strconv.FormatInt(e.ResponseBody, 10))
	}
	add("date", time.Unix(0, int64(w.now)).UTC().Format(dateFormat))
	if n := e.ResponseHead - size - len("X-Pad: \r\n"); n > 0 {
		to.Add(padding, strings.Repeat("x", n))
	}
}

// altSvc is what responses say of HTTP/3: nothing in cleartext.
func (w *party) altSvc() string {
	if w.secure {
		return w.config.AltSvc
	}
	return ""
}

func reason(status int) string {
	if text := linger.Reason(status); text != "" {
		return text
	}
	return "Status"
}

func digits(n int64) int { return len(strconv.FormatInt(n, 10)) }
