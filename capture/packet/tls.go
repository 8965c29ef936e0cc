package packet

import (
	"crypto/sha256"
	ciphers "crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"strings"

	"linger"
	"linger/capture/talk"
	"linger/capture/tls"
	"linger/flow"
	"linger/trace"
	"linger/wire"
)

const (
	draft = 0x7f // the upper half of the version of drafts of TLS 1.3

	// Types of handshake messages (RFC 8446, 4).
	helloClient = 1
	helloServer = 2
	certificate = 11

	// maxHello bounds what is put together of records and messages.
	maxHello = 64 << 10
	// maxPlain is the most that one record holds, with what encryption adds (RFC 5246, 6.2.3).
	maxPlain = wire.MaxPlaintext + 2048
)

// looksTLS tells whether b begins with a record of TLS.
func looksTLS(b []byte) verdict {
	switch {
	case len(b) == 0 || b[0] < wire.RecordChangeCipher || b[0] > wire.RecordData:
		return anything
	case len(b) >= 2 && b[1] != 3:
		return anything
	case len(b) >= 3 && b[2] > 4:
		return anything
	case len(b) < 6:
		return tooFew
	case wire.RecordSize(b) > maxPlain:
		return anything
	}
	return isTLS
}

// A tlsApp reads the hellos of TLS and, where it is in the clear, as up to TLS 1.2, the
// server's certificate. What comes after is encrypted, or says nothing that is of use
// without keys.
type tlsApp struct {
	records  [2][]byte // what has come of the record under way, by flow.End
	messages [2][]byte // and of the handshake message
	done     [2]bool
	hello    linger.Opt[trace.TLS]
	walk     [2]walker
	inferred inferring
}

func (a *tlsApp) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	a.inferred.begin(r, c)
	skip := a.hellos(r, e, b)
	return min(skip, a.walk[e].data(b, m, func(kind byte, size int64, began, ended mark) {
		a.inferred.record(tls.Record{From: c.side(e), Kind: kind, Size: size, Began: began, Ended: ended})
	}))
}

func (a *tlsApp) hellos(r *Reader, e flow.End, b []byte) int64 {
	if a.done[e] {
		return talk.Forever
	}
	a.records[e] = append(a.records[e], b...)
	if a.read(r, e) && len(a.records[e])+len(a.messages[e]) <= maxHello {
		return 0
	}
	a.leave(e)
	return talk.Forever
}

// leave stops to read one side.
func (a *tlsApp) leave(e flow.End) { a.done[e], a.records[e], a.messages[e] = true, nil, nil }

// read takes what is whole off the records and messages of one side, and reports whether
// another message is wanted.
func (a *tlsApp) read(r *Reader, e flow.End) bool {
	for {
		b := a.records[e]
		if len(b) >= wire.RecordHeaderSize && b[0] != wire.RecordHandshake {
			return false
		}
		_, content, rest, err := wire.ParseRecord(b)
		if err != nil {
			return true
		}
		a.messages[e], a.records[e] = append(a.messages[e], content...), rest
		for len(a.messages[e]) >= 4 {
			m := a.messages[e]
			size := 4 + int(binary.BigEndian.Uint32(m)&0xffffff)
			if len(m) < size {
				break // it goes on in the next record
			}
			if a.messages[e] = m[size:]; !a.message(r, m[0], m[4:size]) {
				return false
			}
		}
	}
}

// message takes in a handshake message, and reports whether the next one of that side is
// wanted.
func (a *tlsApp) message(r *Reader, kind byte, body []byte) bool {
	t := a.hello.Or(trace.TLS{})
	switch kind {
	case helloClient:
		readClientHello(body, &t)
	case helloServer:
		readServerHello(body, &t)
	case certificate:
		r.readCertificates(body, &t)
	default:
		return false
	}
	a.hello = linger.Known(t)
	if kind == helloServer {
		a.inferred.hello(t)
	}
	return kind == helloServer && t.Version != "1.3" // whose certificate is encrypted
}

func (a *tlsApp) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	a.leave(e)
	a.walk[e].lost = true
	a.inferred.turns.Gap(c.side(e))
	c.half[e].skip = talk.Forever
}

func (a *tlsApp) end(*Reader, *conn, flow.End, string, int64, mark) {}
func (a *tlsApp) close(_ *Reader, _ *conn, why string)              { a.inferred.close(why) }

func (a *tlsApp) tell(t *trace.Connection) {
	hello := a.hello.Or(trace.TLS{})
	t.TLS, t.Origin = a.hello, hello.ServerName
	t.Protocol, t.Known.Protocol, t.Known.Requests = linger.TLS, trace.Seen, trace.Inferred
	a.inferred.tell(t)
	if p := linger.ProtocolByALPN(hello.ALPN); p.IsHTTP() && p.Transport() == linger.TransportTCP {
		t.Protocol = p
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
	t.Version, t.Cipher = versionName(version), ciphers.CipherSuiteName(uint16(suite))
}

// mostNames bounds the certificates whose names are remembered: their servers send them
// again with each handshake.
const mostNames = 1024

// readCertificates reads what the server's certificate is good for, and how large its chain
// is (RFC 5246, 7.4.2).
func (r *Reader) readCertificates(b []byte, t *trace.TLS) {
	c := cursor(b)
	chain := c.vector(3)
	leaf := chain.vector(3)
	t.Certificates = int64(len(leaf))
	for len(chain) > 0 {
		t.Certificates += int64(len(chain.vector(3)))
	}
	key := sha256.Sum256(leaf)
	names, ok := r.names[key]
	if !ok {
		names = namesOf(leaf)
		if len(r.names) >= mostNames {
			clear(r.names)
		}
		r.names[key] = names
	}
	t.Names = names
}

// namesOf are the names and addresses of a certificate's subjectAltName.
func namesOf(der []byte) []string {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, clean([]byte(n)))
	}
	for _, a := range c.IPAddresses {
		names = append(names, a.String())
	}
	return names
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
