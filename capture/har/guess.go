package har

import (
	"cmp"
	"net/url"
	"strings"

	"linger"
)

// isCached reports whether the response came from the browser's cache: it says so, or
// there is content of which nothing was transferred. HAR on bodySize: "Set to
// zero in case of responses coming from the cache (304)"; the answer 304 itself
// did cross the network.
func (e *entry) isCached() bool {
	if e.fromCache != "" {
		return true
	}
	r := e.response
	if r.status.Or(0) != 200 || r.size.Or(0) <= 0 || e.request.method == "HEAD" {
		return false
	}
	if transferred, ok := r.transferSize.Get(); ok && transferred >= 0 {
		return transferred == 0
	}
	body, ok := r.bodySize.Get()
	return ok && body == 0
}

// body is how many bytes of content the response had on the wire, and whether
// that is a guess from its decoded size.
func (e *entry) body() (n int64, guessed bool) {
	r := e.response
	switch s := r.status.Or(0); {
	case e.request.method == "HEAD", s == 204, s == 304, 0 < s && s < 200:
		return 0, false
	}
	// Content-Length is exact where all was received. Chrome's bodySize, as some
	// tools write it, counts the head too; less than Content-Length is all that came.
	body, known := r.bodySize.size(linger.MaxBody).Get()
	if length, ok := r.length.Get(); ok {
		if known {
			return min(length, body), false
		}
		return length, false
	}
	if known {
		return body, false
	}
	size, sized := r.size.size(linger.MaxBody).Get()
	if saved, ok := r.compression.Get(); ok && sized && saved >= 0 && int64(saved) <= size {
		return size - int64(saved), false
	}
	head, _ := headOf(r, 0)
	for _, whole := range []number{r.transferSize, e.bytesIn} {
		if n, ok := whole.size(linger.MaxBody).Get(); ok && n > head {
			return n - head, false
		}
	}
	return size, size > 0
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
	if scheme, _, ok := strings.Cut(s, "://"); ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) {
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
