package packet

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"strings"

	"linger"
	"linger/capture/http1"
	"linger/flow"
	"linger/trace"
)

// Types of TLS records and handshake messages (RFC 8446, 5.1 and 4).
const (
	recordChange    = 20
	recordHandshake = 22
	recordData      = 23

	draft = 0x7f // the upper half of the version of drafts of TLS 1.3

	helloClient = 1
	helloServer = 2

	// maxHello bounds a hello that is put together from records.
	maxHello = 64 << 10
	// maxPlain is the most that one record holds, with what encryption adds (RFC 5246, 6.2.3).
	maxPlain = 1<<14 + 2048
)

// looksTLS tells whether b begins with a record of TLS.
func looksTLS(b []byte) verdict {
	switch {
	case len(b) == 0 || b[0] < recordChange || b[0] > recordData:
		return anything
	case len(b) >= 2 && b[1] != 3:
		return anything
	case len(b) >= 3 && b[2] > 4:
		return anything
	case len(b) < 6:
		return tooFew
	case int(binary.BigEndian.Uint16(b[3:])) > maxPlain:
		return anything
	}
	return isTLS
}

// A tlsApp reads the hellos of TLS. What comes after is encrypted, or says nothing that is
// of use without keys.
type tlsApp struct {
	buf   [2][]byte // records as far as they came, by flow.End
	done  [2]bool
	hello linger.Opt[trace.TLS]
}

func (a *tlsApp) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	if a.done[e] {
		return http1.Forever
	}
	a.buf[e] = append(a.buf[e], b...)
	message, more := handshake(a.buf[e])
	if more && len(a.buf[e]) <= maxHello {
		return 0
	}
	if message != nil {
		t := a.hello.Or(trace.TLS{})
		switch message[0] {
		case helloClient:
			readClientHello(message[4:], &t)
		case helloServer:
			readServerHello(message[4:], &t)
		}
		a.hello = linger.Known(t)
	}
	a.done[e], a.buf[e] = true, nil
	return http1.Forever
}

func (a *tlsApp) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	a.done[e], a.buf[e] = true, nil
	c.half[e].skip = http1.Forever
}

func (a *tlsApp) end(*Reader, *conn, flow.End, string, int64, mark) {}
func (a *tlsApp) close(*Reader, *conn, string)                      {}

func (a *tlsApp) tell(t *trace.Connection) {
	hello := a.hello.Or(trace.TLS{})
	t.TLS, t.Origin = a.hello, hello.ServerName
	t.Protocol, t.Known.Protocol, t.Known.Requests = protocolTLS, trace.Seen, trace.Inferred
	if p := hello.ALPN; p == "h2" || p == "http/1.1" || p == "http/1.0" {
		t.Protocol = p
	}
}

// handshake returns the first handshake message that the records in b hold, with its head.
// more is true if it has not ended.
func handshake(b []byte) (message []byte, more bool) {
	var joined []byte
	for {
		switch {
		case len(b) < 5:
			return nil, true
		case b[0] != recordHandshake:
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if len(b) < 5+n {
			return nil, true
		}
		part := b[5 : 5+n]
		if joined != nil {
			part = append(joined, part...)
		}
		if len(part) >= 4 {
			if part[0] != helloClient && part[0] != helloServer {
				return nil, false
			}
			if size := 4 + int(part[1])<<16 + int(binary.BigEndian.Uint16(part[2:])); len(part) >= size {
				return part[:size], false
			}
		}
		joined, b = append([]byte(nil), part...), b[5+n:]
	}
}

// A cursor takes fields off a message. Once one is not there, it is empty.
type cursor []byte

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(*c) {
		*c = nil
		return nil
	}
	b := (*c)[:n]
	*c = (*c)[n:]
	return b
}

func (c *cursor) number(size int) (n int) {
	for _, b := range c.take(size) {
		n = n<<8 | int(b)
	}
	return n
}

// vector takes what a length of so many bytes stands before.
func (c *cursor) vector(size int) cursor { return cursor(c.take(c.number(size))) }

// Extensions of TLS (IANA, TLS ExtensionType Values).
const (
	extServerName = 0
	extALPN       = 16
	extPSK        = 41
	extVersions   = 43
)

// readClientHello reads what a client offers (RFC 8446, 4.1.2).
func readClientHello(b []byte, t *trace.TLS) {
	c := cursor(b)
	best := c.number(2)
	c.take(32)
	c.vector(1)
	c.vector(2)
	c.vector(1)
	for extensions := c.vector(2); len(extensions) > 0; {
		kind, body := extensions.number(2), extensions.vector(2)
		switch kind {
		case extServerName:
			for names := body.vector(2); len(names) > 0; {
				if kind, name := names.number(1), names.vector(2); kind == 0 && t.ServerName == "" {
					t.ServerName = clean(name)
				}
			}
		case extALPN:
			for names := body.vector(2); len(names) > 0 && len(t.Offered) < 32; {
				t.Offered = append(t.Offered, clean(names.vector(1)))
			}
		case extVersions:
			for list := body.vector(1); len(list) >= 2; {
				if v := list.number(2); v&0x0f0f != 0x0a0a { // GREASE (RFC 8701)
					best = max(best, v)
				}
			}
		}
	}
	if t.Version == "" {
		t.Version = versionName(best)
	}
}

// readServerHello reads what a server chose (RFC 8446, 4.1.3).
func readServerHello(b []byte, t *trace.TLS) {
	c := cursor(b)
	version := c.number(2)
	c.take(32)
	old := version>>8 == draft && version&0xff < 22 // without session and compression
	if !old {
		c.vector(1)
	}
	suite := c.number(2)
	if !old {
		c.take(1)
	}
	for extensions := c.vector(2); len(extensions) > 0; {
		kind, body := extensions.number(2), extensions.vector(2)
		switch kind {
		case extVersions:
			version = body.number(2)
		case extPSK:
			t.Resumed = true
		case extALPN:
			names := body.vector(2)
			t.ALPN = clean(names.vector(1))
		}
	}
	t.Version, t.Cipher = versionName(version), tls.CipherSuiteName(uint16(suite))
}

func clean(b []byte) string {
	if len(b) > 255 {
		b = b[:255]
	}
	return strings.ToValidUTF8(string(b), "�")
}

func versionName(v int) string {
	switch {
	case v == 0x0300:
		return "SSL 3.0"
	case v > 0x0300 && v <= 0x0304:
		return fmt.Sprintf("1.%d", v-0x0301)
	case v>>8 == draft:
		return "1.3"
	}
	return ""
}
