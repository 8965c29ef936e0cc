package http3

import (
	"net"
	"strconv"
	"strings"
)

// alternative finds where Alt-Svc says that a protocol is spoken (RFC 7838, 3): a host,
// empty where it is the same, and a port. Of several the first one counts, which the
// server prefers.
func alternative(value, protocol string) (host, port string, ok bool) {
	for value != "" {
		var name, authority string
		name, value, _ = strings.Cut(value, "=")
		name = strings.Trim(name, " \t,;")
		authority, value = quoted(value)
		// What stands between is parameters, up to the next comma outside of quotes.
		value = behindComma(value)
		if !strings.EqualFold(name, protocol) {
			continue
		}
		h, p, err := net.SplitHostPort(authority)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(p, 10, 16); err == nil && n > 0 {
			return h, p, true
		}
	}
	return "", "", false
}

// quoted takes a quoted string, or a token, off s (RFC 9110, 5.6.4).
func quoted(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, ",;")
		if i < 0 {
			return s, ""
		}
		return s[:i], s[i:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// behindComma is what comes behind the next comma outside of quotes.
func behindComma(s string) string {
	within := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			within = !within
		case s[i] == '\\' && within:
			i++
		case s[i] == ',' && !within:
			return s[i+1:]
		}
	}
	return ""
}
