package observe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"linger"
	"linger/trace"
)

// A Redaction replaces addresses and names by others: the same for the same, and by another key
// others. An empty one replaces nothing.
type Redaction []byte

// connection returns a connection without what names anybody.
func (r Redaction) connection(c trace.Connection) trace.Connection {
	c.Client, c.Server, c.Origin, c.ForwardedFor = r.address(c.Client), r.address(c.Server), r.name(c.Origin), ""
	if tls, ok := c.TLS.Get(); ok {
		tls.ServerName, tls.Names = r.name(tls.ServerName), nil
		c.TLS = linger.Known(tls)
	}
	return c
}

// exchange returns an exchange without what names anybody.
func (r Redaction) exchange(e trace.Exchange) trace.Exchange {
	e.URL, e.Client = r.url(e.URL), ""
	return e
}

// address is an address and port with another address.
func (r Redaction) address(s string) string {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return r.name(s)
	}
	return fmt.Sprintf("host-%s:%d", r.keyed(a.Addr().Unmap().String()), a.Port())
}

func (r Redaction) name(s string) string {
	if s == "" {
		return ""
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return r.address(s)
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return "host-" + r.keyed(a.Unmap().String())
	}
	host, port, ok := strings.Cut(strings.ToLower(s), ":")
	if ok {
		port = ":" + port
	}
	return "name-" + r.keyed(host) + port
}

// found returns an exchange that was looked for without what names anybody, or what was asked.
func (r Redaction) found(e trace.Exchange) trace.Exchange {
	e = r.exchange(e)
	if scheme, rest, ok := strings.Cut(e.URL, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		e.URL = scheme + "://" + host + "/…"
	} else {
		e.URL = "…"
	}
	return e
}

// url has another host; the path is compared, and never written.
func (r Redaction) url(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok {
		return u
	}
	host, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + r.name(host) + "/" + path
}

func (r Redaction) keyed(s string) string {
	h := hmac.New(sha256.New, r)
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))[:8]
}
