package har

import (
	"cmp"
	"net/url"
	"strings"

	"linger"
)

// isLocal reports whether the response never crossed the network: the recorder says what
// answered instead, a cache, a service worker or a test's own code; or there is content of
// which nothing was transferred. HAR on bodySize: "Set to zero in case of responses coming
// from the cache (304)"; the answer 304 itself did cross the network.
func (r recorder) isLocal(e *entry) bool {
	m, t := e.response, e.timings
	status := m.status.Or(0)
	switch {
	case e.fromCache != "", m.byWorker, e.fulfilled, e.fetchType != "" && e.fetchType != "Network Load":
		return true
	case status < 200:
		return false
	case r.silentCache && e.server == "" && e.connection == "":
		longest := 0.0
		for _, part := range []number{t.blocked, t.dns, t.connect, t.ssl, t.send, t.wait, t.receive} {
			longest = max(longest, part.Or(0))
		}
		return longest == 0
	}
	// Chrome and WebKit count the head too, so that 0 is nothing at all, as of a redirect
	// that the browser makes itself (HSTS).
	if transferred, ok := m.transferSize.Get(); ok && transferred >= 0 {
		return transferred == 0
	}
	body, ok := m.bodySize.Get()
	return ok && body == 0 && status == 200 && m.size.Or(0) > 0 && e.request.method != "HEAD"
}

// How the size of a body is known.
const (
	told    = iota
	decoded // only without its content coding
	unknown
)

// body is how many bytes of content the response had on the wire, and how that is known.
func (e *entry) body() (n int64, how int) {
	r := e.response
	switch s := r.status.Or(0); {
	case e.request.method == "HEAD", s == 204, s == 304, 0 < s && s < 200:
		return 0, told
	}
	// Content-Length is exact where all was received. Chrome's bodySize, as some
	// tools write it, counts the head too; less than Content-Length is all that came.
	body, known := r.bodySize.size(linger.MaxBody).Get()
	if length, ok := r.length.Get(); ok {
		if known {
			return min(length, body), told
		}
		return length, told
	}
	size, sized := r.size.size(linger.MaxBody).Get()
	// Where there is no content coding, Chrome's bodySize, and what is made of it, is the
	// content with its chunks around it (RFC 9112, 7.1): seven bytes or more each, and five.
	if frame := body - size; sized && size > 0 && r.chunked && !r.coded && 0 < frame && frame <= 16+size/64 {
		return size, told
	}
	if known {
		return body, told
	}
	if saved, ok := r.compression.Get(); ok && sized && saved >= 0 && int64(saved) <= size {
		return size - int64(saved), told
	}
	head, _ := headOf(r, 0)
	for _, whole := range []number{r.transferSize, e.bytesIn} {
		if n, ok := whole.size(linger.MaxBody).Get(); ok && n > head {
			return n - head, told
		}
	}
	switch {
	case !sized:
		return 0, unknown
	case size == 0:
		return 0, told
	}
	return size, decoded
}

// isOdd reports whether a size of the entry is written and cannot be one.
func (e *entry) isOdd() bool {
	r := e.response
	for _, n := range []number{e.request.bodySize, r.bodySize, r.size, r.compression, r.transferSize, e.bytesIn} {
		if n.isOdd(linger.MaxBody) {
			return true
		}
	}
	return e.request.oddLength || r.oddLength || e.request.headersSize.isOdd(linger.MaxHead) || r.headersSize.isOdd(linger.MaxHead)
}

func (e *entry) contentType() string {
	t := cmp.Or(e.response.mimeType, e.response.typed)
	t, _, _ = strings.Cut(t, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if len(t) > 100 || !strings.Contains(t, "/") || t != printable(t) || strings.Contains(t, " ") {
		return "" // "x-unknown" is how Chrome says that there is none
	}
	return t
}

// redirect is the absolute URL that the response points on to.
func (e *entry) redirect() string {
	if s := e.response.status.Or(0); s < 300 || s > 399 || s == 304 {
		return ""
	}
	base, err := url.Parse(e.request.url)
	if err != nil {
		return ""
	}
	to, err := base.Parse(cmp.Or(e.response.redirect, e.response.location))
	if err != nil || to.String() == base.String() {
		return ""
	}
	to.User = nil
	return to.String()
}

// requestLine is the size of the request's first line, in HTTP/1.1.
func requestLine(e *entry) int64 {
	target := e.request.url
	if u, err := url.Parse(target); err == nil {
		target = u.RequestURI()
	}
	return int64(len(e.request.method) + 1 + len(target) + len(" HTTP/1.1\r\n"))
}

// headOf is the size of a message's head as HTTP/1.1 would write it, and whether
// it had to be estimated from the header list; line is the size of its first line.
// No head has 0 bytes: recorders write that for unknown, as well as -1.
func headOf(m message, line int64) (n int64, guessed bool) {
	if size := m.headersSize.size(linger.MaxHead).Or(0); size > 0 {
		return size, false
	}
	n = line + m.listed + int64(len("\r\n"))
	return min(n, linger.MaxHead), true
}

// absolute is s if it is an absolute URL of HTTP.
func absolute(s string) string {
	if scheme, _, ok := strings.Cut(s, "://"); ok && (strings.EqualFold(scheme, linger.SchemeHTTP) || strings.EqualFold(scheme, linger.SchemeHTTPS)) {
		return s
	}
	return ""
}

// printable is s without what could spoil a terminal, cut to a line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 120)]
}
