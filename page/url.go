package page

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"linger"
)

// ParseURL reads the URL of a document that can be fetched.
func ParseURL(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not a URL; write http://host/path or https://host/path", linger.Unreadable(target))
	case u.Scheme != linger.SchemeHTTP && u.Scheme != linger.SchemeHTTPS || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not an http or https URL; write http://host/path or https://host/path", target)
	case u.User != nil:
		return nil, fmt.Errorf("%s: user and password are not sent from a URL; give them by -u", linger.WithoutUser(target))
	}
	u.Fragment, u.RawFragment = "", ""
	return u, CheckAddress(u)
}

// CheckAddress reports a host or a port of a URL that none can be: url.Parse takes any
// digits, and a bracket at the beginning.
func CheckAddress(u *url.URL) error {
	if strings.ContainsAny(u.Hostname(), "[]") {
		return fmt.Errorf("%s: %s is no host; an IPv6 address stands in brackets, as http://[::1]/", u.Redacted(), u.Hostname())
	}
	if n, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%s: %s is no port; give 1 to 65535", u.Redacted(), u.Port())
	}
	return nil
}

// Port is the port of an http or https URL.
func Port(u *url.URL) string {
	return cmp.Or(u.Port(), linger.SchemePort(u.Scheme))
}

// requestTarget is the URL in origin form (RFC 9112, 3.2.1), fit for a request
// line: what a document writes unescaped is escaped.
func requestTarget(u *url.URL) string {
	var b strings.Builder
	for _, c := range []byte(u.RequestURI()) {
		if c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
