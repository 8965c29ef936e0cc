package linger

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Workload is what is fetched: exchanges, each known to the client only once
// the part of its parent that names it has arrived.
type Workload struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Scheme is "http", cleartext; "https", TLS 1.3; or "dns", whose transport is the
	// strategy's to choose.
	Scheme string `json:"scheme"`
	// Origins are where the exchanges are fetched from; none is one origin without
	// a name. Connections belong to an origin, and so do the limits of their number.
	Origins   []Origin   `json:"origins,omitempty"`
	Exchanges []Exchange `json:"exchanges"`
	// Found says that the sizes are what one visit found at a server of others, which
	// another may find different.
	Found bool `json:"found,omitempty"`
}

// An Origin is one scheme, host and port (RFC 6454, 4), the scheme being the
// workload's.
type Origin struct {
	// Name is the authority as requests bear it: a host, and its port where that is
	// not the scheme's own. One origin may be without a name.
	Name string `json:"name"`
	// ExtraRTT is how much longer a round trip to it takes than the network's;
	// where it is unknown, it is taken to be no longer.
	ExtraRTT Opt[time.Duration] `json:"extra_rtt_us,omitzero"`
}

// Host returns the host of the origin's name, without its port.
func (o Origin) Host() string {
	name := o.Name
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	return strings.Trim(name, "[]")
}

// OriginCount returns how many origins there are, which is never 0.
func (w Workload) OriginCount() int { return max(1, len(w.Origins)) }

// Distances reports whether the origins differ in their round-trip times.
func (w Workload) Distances() bool {
	for _, o := range w.Origins {
		if o.ExtraRTT.Or(0) != w.Origins[0].ExtraRTT.Or(0) {
			return true
		}
	}
	return false
}

// Authority returns the name of exchange i's origin; empty where it has none.
func (w Workload) Authority(i int) string {
	if len(w.Origins) == 0 {
		return ""
	}
	return w.Origins[w.Exchanges[i].Origin].Name
}

// Merged returns w fetched from one origin without a name: what another named
// origin has stands under its name, as "/name/path".
func (w Workload) Merged() Workload {
	if len(w.Origins) == 0 {
		return w
	}
	out := w
	out.Origins, out.Exchanges = nil, slices.Clone(w.Exchanges)
	taken := make(map[string]bool, len(w.Exchanges))
	for i := range out.Exchanges {
		e := &out.Exchanges[i]
		if name := w.Authority(i); name != "" {
			e.Path = "/" + name + e.Path
		}
		for first, n := e.Path, 2; taken[e.Method+" "+e.Path]; n++ {
			e.Path = fmt.Sprintf("%s~%d", first, n)
		}
		taken[e.Method+" "+e.Path] = true
		e.Origin = 0
	}
	return out
}

// WithScheme returns w fetched over scheme, SchemeHTTP or SchemeHTTPS.
func (w Workload) WithScheme(scheme string) (Workload, error) {
	if scheme != SchemeHTTP && scheme != SchemeHTTPS {
		return w, unknown("scheme", scheme, []string{SchemeHTTP, SchemeHTTPS}, "cleartext, or TLS 1.3")
	}
	if w.Scheme == SchemeDNS {
		return w, fmt.Errorf("%s: names are looked up by DNS, and not over %s; choose a strategy instead: dot, doh, doq", w.Name, scheme)
	}
	w.Scheme = scheme
	return w, nil
}

// NoParent as an Exchange's Parent says that it is known from the start.
const NoParent = -1

// An Exchange is one request and its response. Sizes are in bytes; a size of a
// head counts everything from the first letter to the empty line.
type Exchange struct {
	// Query is the question, where the exchange is one of DNS. It then has neither
	// method nor path nor status; its response's body is the answer's message, and 0
	// leaves the size of that to the server.
	Query  Query  `json:"query,omitzero"`
	Method string `json:"method"`
	// Origin is the index of the workload's origin that it is fetched from; 0 where
	// that names none.
	Origin int `json:"origin,omitempty"`
	// Path is the request target in origin form, unique for its method and origin but
	// for what is asked again: an exchange whose parent is the same one.
	Path string `json:"path"`
	// RequestHead is the size that the request's head is padded to; 0, or less
	// than the shortest head that says what must be said, leaves it as it is.
	RequestHead int    `json:"request_head,omitempty"`
	RequestBody int64  `json:"request_body,omitempty"`
	Status      int    `json:"status"`
	ContentType string `json:"content_type,omitempty"`
	// ResponseHead is as RequestHead, for the response.
	ResponseHead int   `json:"response_head,omitempty"`
	ResponseBody int64 `json:"response_body"`
	// Parent is the index of the exchange whose response names this one, or
	// NoParent. It is always less than the exchange's own index.
	Parent int `json:"parent"`
	// At is how many bytes of the parent's body must have arrived before the
	// client knows of this exchange; at most the parent's ResponseBody. At 0 it is
	// known once the response's head has arrived: a redirect, a preflight.
	At int64 `json:"at,omitempty"`
	// Think is how long the client waits between knowing and wanting.
	Think time.Duration `json:"think_us,omitempty"`
	// Delay is how long the origin waits between the request and its response.
	Delay time.Duration `json:"delay_us,omitempty"`
}

// Bounds of a workload. They keep a foreign file from asking for more than one
// run can hold; a page of 2026 has some 70 exchanges and 3 MB.
const (
	MaxExchanges = 20_000
	MaxBody      = 1 << 32
	MaxHead      = 256 << 10
	MaxThink     = time.Hour
	MaxOrigins   = 256
)

// Safe reports whether a request asks for nothing but an answer: GET, HEAD,
// OPTIONS and TRACE (RFC 9110, 9.2.1), and a query of DNS.
func (e Exchange) Safe() bool {
	if e.IsQuery() {
		return true
	}
	switch e.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// Idempotent reports whether a request may be repeated without being asked: "Of
// the request methods defined by this specification, PUT, DELETE, and safe
// request methods are idempotent" (RFC 9110, 9.2.2).
func (e Exchange) Idempotent() bool {
	return e.Safe() || e.Method == "PUT" || e.Method == "DELETE"
}

// HasBody reports whether the response carries content, which those to HEAD and
// those with status 1xx, 204 and 304 do not (RFC 9112, 6.3).
func (e Exchange) HasBody() bool {
	return e.Method != "HEAD" && e.Status >= 200 && e.Status != 204 && e.Status != 304
}

// Bytes returns the sum of all response bodies.
func (w Workload) Bytes() int64 {
	var n int64
	for _, e := range w.Exchanges {
		n += e.ResponseBody
	}
	return n
}

// answersAs reports whether two exchanges have the same response.
func (e Exchange) answersAs(other Exchange) bool {
	return e.Status == other.Status && e.ContentType == other.ContentType && e.Delay == other.Delay &&
		e.ResponseHead == other.ResponseHead && e.ResponseBody == other.ResponseBody
}

// Validate reports the first exchange, counted from 1, that no client could
// fetch. A valid workload has at least one exchange without a parent.
func (w Workload) Validate() error {
	if len(w.Exchanges) == 0 {
		return fmt.Errorf("workload %q fetches nothing; give it at least one exchange", w.Name)
	}
	if len(w.Exchanges) > MaxExchanges {
		return fmt.Errorf("workload %q has %d exchanges; one run holds at most %d", w.Name, len(w.Exchanges), MaxExchanges)
	}
	if err := w.validateOrigins(); err != nil {
		return err
	}
	type key struct {
		origin       int
		method, path string
	}
	paths := make(map[key]int, len(w.Exchanges))
	for i, e := range w.Exchanges {
		if err := e.validate(i, w.Exchanges); err != nil {
			return fmt.Errorf("exchange %d of workload %q: %w", i+1, w.Name, err)
		}
		if e.IsQuery() != (w.Scheme == SchemeDNS) {
			return fmt.Errorf("exchange %d of workload %q: a workload looks names up or fetches objects, not both", i+1, w.Name)
		}
		if e.IsQuery() {
			continue // to ask the same again is a query of its own
		}
		if e.Origin < 0 || e.Origin >= w.OriginCount() {
			return fmt.Errorf("exchange %d of workload %q: it is of origin %d, and there are %d", i+1, w.Name, e.Origin+1, w.OriginCount())
		}
		k := key{e.Origin, e.Method, e.Path}
		// What is asked again once it has come is answered as it was.
		if first, ok := paths[k]; ok && e.Parent == first && w.Exchanges[first].answersAs(e) {
			continue
		} else if ok {
			return fmt.Errorf("exchange %d of workload %q: %s %s is exchange %d already; make the paths differ", i+1, w.Name, e.Method, e.Path, first+1)
		}
		paths[k] = i
	}
	return nil
}

// validateOrigins reports the first origin that cannot be dialled.
func (w Workload) validateOrigins() error {
	switch {
	case len(w.Origins) > MaxOrigins:
		return fmt.Errorf("workload %q has %d origins; one run holds at most %d", w.Name, len(w.Origins), MaxOrigins)
	case len(w.Origins) > 0 && w.Scheme == SchemeDNS:
		return fmt.Errorf("workload %q names origins, but names are looked up and not fetched", w.Name)
	}
	names := make(map[string]bool, len(w.Origins))
	for i, o := range w.Origins {
		switch d := o.ExtraRTT.Or(0); {
		case !isAuthority(o.Name):
			return fmt.Errorf("origin %d of workload %q: %q is no host, and no host:port", i+1, w.Name, o.Name)
		case names[o.Name]:
			return fmt.Errorf("origin %d of workload %q: %q stands twice; name it once", i+1, w.Name, o.Name)
		case d < 0 || d > maxRTT:
			return fmt.Errorf("origin %d of workload %q: a round trip longer by %v; 0 to %v can be emulated", i+1, w.Name, d, maxRTT)
		}
		names[o.Name] = true
	}
	return nil
}

// isAuthority reports whether s can be the Host of a request and stand in a URL as
// it is: host or host:port (RFC 3986, 3.2), or nothing.
func isAuthority(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '.' || c == '-' || c == '_' || c == '~' || c == ':' || c == '[' || c == ']':
		default:
			return false
		}
	}
	return len(s) <= 255+len(":65535")
}

func (e Exchange) validate(i int, all []Exchange) error {
	if e.IsQuery() {
		if err := e.validateQuery(); err != nil {
			return err
		}
		return e.validatePlace(i, all)
	}
	switch {
	case !isToken(e.Method):
		return fmt.Errorf("method %q is not an HTTP token", e.Method)
	case !isTarget(e.Path):
		return fmt.Errorf("path %q must begin with / and have no space or control character", e.Path)
	case e.Status < 200 || e.Status > 599:
		return fmt.Errorf("status %d; a final response has 200 to 599", e.Status)
	case e.ResponseBody < 0 || e.ResponseBody > MaxBody || e.RequestBody < 0 || e.RequestBody > MaxBody:
		return fmt.Errorf("a body of %d and %d bytes; 0 to %d can be sent", e.RequestBody, e.ResponseBody, int64(MaxBody))
	case !isFieldValue(e.ContentType):
		return fmt.Errorf("content type %q has a character that no header may have", e.ContentType)
	case e.ResponseBody > 0 && !e.HasBody():
		return fmt.Errorf("%s with status %d carries no content, yet names %d bytes", e.Method, e.Status, e.ResponseBody)
	case e.RequestHead < 0 || e.RequestHead > MaxHead || e.ResponseHead < 0 || e.ResponseHead > MaxHead:
		return fmt.Errorf("heads of %d and %d bytes; 0 to %d can be sent", e.RequestHead, e.ResponseHead, MaxHead)
	}
	return e.validatePlace(i, all)
}

// validatePlace checks when an exchange is known, wanted and answered.
func (e Exchange) validatePlace(i int, all []Exchange) error {
	switch {
	case e.Think < 0 || e.Think > MaxThink || e.Delay < 0 || e.Delay > MaxThink:
		return fmt.Errorf("a wait of %v and %v; 0 to %v can be waited", e.Think, e.Delay, MaxThink)
	case e.Parent != NoParent && (e.Parent < 0 || e.Parent >= i):
		return fmt.Errorf("its parent must come before it")
	case e.Parent == NoParent && e.At != 0:
		return fmt.Errorf("it is named at byte %d of no parent", e.At)
	case e.Parent != NoParent && (e.At < 0 || e.At > all[e.Parent].ResponseBody):
		return fmt.Errorf("it is named at byte %d of a parent of %d bytes", e.At, all[e.Parent].ResponseBody)
	}
	return nil
}

// isToken reports whether s is a token (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '!' || c == '#' || c == '$' || c == '%' || c == '&' || c == '\'' || c == '*' || c == '+' ||
			c == '-' || c == '.' || c == '^' || c == '_' || c == '`' || c == '|' || c == '~':
		default:
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s is visible ASCII with blanks in between, which
// is what every recipient takes for a field value (RFC 9110, 5.5).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}

// isTarget reports whether s can stand in a request line in origin form
// (RFC 9112, 3.2.1) without being taken apart.
func isTarget(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
