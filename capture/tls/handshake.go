package tls

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/trace"
)

// Types of handshake messages (IANA, TLS HandshakeType).
const (
	ClientHello         = 1
	ServerHello         = 2
	NewSessionTicket    = 4
	EndOfEarlyData      = 5
	EncryptedExtensions = 8
	Certificate         = 11
	CertificateRequest  = 13
	Finished            = 20
	KeyUpdate           = 24
	CompressedCert      = 25 // RFC 8879
)

// Extensions (IANA, TLS ExtensionType Values).
const (
	extServerName    = 0
	extALPN          = 16
	extThenMAC       = 22 // encrypt_then_mac (RFC 7366)
	extTicket        = 35 // session_ticket (RFC 5077)
	extPSK           = 41
	extEarlyData     = 42
	extVersions      = 43
	extQUIC          = 57     // quic_transport_parameters (RFC 9001, 8.2)
	extQUICDraft     = 0xffa5 // of drafts
	extECH           = 0xfe0d // encrypted_client_hello
	maxOffered       = 32
	maxQUICParameter = 4 << 10
)

const draft = 0x7f // the upper half of the version of drafts of TLS 1.3

// Shared is what the connections of one reader have in common. It is not safe for concurrent
// use. The zero value is right.
type Shared struct {
	names map[[sha256.Size]byte][]string // of certificates, by their digest
	free  [][]byte                       // buffers of records
	held  int                            // bytes of those that are in use
	plain []byte                         // of the record that is opened

	sessions sessions
}

// A Handshake is what the messages of a handshake tell, whether records or QUIC carry them.
// Hand each in by Message, those of a side in their order.
type Handshake struct {
	Shared *Shared

	// TLS is what is known so far; Begun says that there was a hello.
	TLS   trace.TLS
	Begun bool
	// Client and Server are the randoms of the hellos.
	Client, Server secrets.Random
	// Version and Suite are what the server's hello chose, 0 before.
	Version, Suite uint16
	// Early says that the client's hello offers early data. Answered says that
	// EncryptedExtensions have been read.
	Early, Answered bool
	// QUIC are the transport parameters as the sides sent them, by talk.Side (RFC 9000, 18).
	QUIC [2][]byte

	session, echoed []byte // the IDs of sessions that both hellos have
	ticket          bool   // the client has one, up to TLS 1.2
	thenMAC         bool   // encrypt_then_mac

	asked    [sha256.Size]byte // the digest of the ticket that the client has, up to TLS 1.2
	origin   secrets.Random    // of the client's hello that began the session, up to TLS 1.2
	finished [2]bool
}

// Message takes in a handshake message of a side, its body as it was sent.
func (h *Handshake) Message(from talk.Side, kind byte, body []byte) {
	switch {
	case kind == ClientHello && from == talk.Client:
		h.clientHello(body)
	case kind == ServerHello && from == talk.Server:
		h.serverHello(body)
	case kind == EncryptedExtensions && from == talk.Server:
		h.encryptedExtensions(body)
	case kind == Certificate && from == talk.Server:
		h.certificates(body)
	case kind == NewSessionTicket && from == talk.Server:
		h.TLS.Tickets = linger.Known(h.TLS.Tickets.Or(0) + 1)
		c := cursor(body) // ticket_lifetime comes first, in seconds
		// "A value of zero is reserved to indicate that the lifetime of the ticket is unspecified"
		// (RFC 5077, 3.3), but in TLS 1.3.
		if life := time.Duration(c.number(4)) * time.Second; len(body) >= 4 && (life > 0 || h.Is13()) {
			h.TLS.Lifetime = linger.Known(max(h.TLS.Lifetime.Or(0), life))
		}
		if h.Version != 0 && !h.Is13() {
			h.ticketed(body)
		}
	case kind == Finished:
		h.finish(from)
	}
}

// Is13 reports whether TLS 1.3 was chosen.
func (h *Handshake) Is13() bool { return h.Version >= tls.VersionTLS13 }

// finish takes in that a side has finished its handshake.
func (h *Handshake) finish(from talk.Side) {
	if h.Is13() && !h.finished[from] && from == talk.Server && h.TLS.Tickets.IsZero() {
		h.TLS.Tickets = linger.Known[int64](0)
	}
	if h.Version != 0 && !h.Is13() && !h.finished[talk.Client] && from == talk.Server && h.TLS.Certificates == 0 {
		// "[...] both client and server MUST send ChangeCipherSpec messages and proceed directly
		// to Finished messages" (RFC 5246, 7.3): only then the server says it first.
		h.TLS.Resumed = true
	}
	h.finished[from] = true
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

// clientHello reads what a client offers (RFC 8446, 4.1.2). The second one of a handshake, after
// a HelloRetryRequest, has the same random; any other begins a handshake anew.
func (h *Handshake) clientHello(b []byte) {
	c := cursor(b)
	best := c.number(2)
	random := c.take(32)
	if len(random) < 32 {
		return
	}
	if h.Begun && h.Version != 0 {
		h.again()
	}
	t := &h.TLS
	h.Begun = true
	copy(h.Client[:], random)
	h.session = append([]byte(nil), c.vector(1)...)
	c.vector(2)
	c.vector(1)
	asked := false
	h.Early, h.ticket, h.asked = false, false, [sha256.Size]byte{}
	var offered []string
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
			for names := body.vector(2); len(names) > 0 && len(offered) < maxOffered; {
				offered = append(offered, clean(names.vector(1)))
			}
		case extVersions:
			for list := body.vector(1); len(list) >= 2; {
				if v := list.number(2); v&0x0f0f != 0x0a0a { // GREASE (RFC 8701)
					best = max(best, v)
				}
			}
		case extTicket:
			if h.ticket = len(body) > 0; h.ticket {
				h.asked = digest(byTicket, body)
			}
		case extPSK:
			asked = true
		case extEarlyData:
			h.Early = true
		case extECH:
			t.ECH = len(body) > 0 && body[0] == 0 // outer
		case extQUIC, extQUICDraft:
			h.QUIC[talk.Client] = parameters(body)
		}
	}
	t.Offered = offered
	if t.Version == "" {
		t.Version = versionName(best)
	}
	// An ID of a session may be a request to resume, or be made up: in TLS 1.3 always (RFC 8446,
	// 4.1.2), before it by clients that want to see whether their ticket is taken (RFC 5077, 3.4).
	switch {
	case asked || h.ticket:
		t.Asked = linger.Known(true)
	case len(h.session) == 0 || best >= tls.VersionTLS13:
		t.Asked = linger.Known(false)
	default:
		t.Asked = linger.Opt[bool]{}
	}
	if h.Early {
		t.EarlyData = linger.Known(false) // until the server takes it
	}
}

// again begins another handshake on the same connection (RFC 5246, 7.4.1.1). What the first one
// told of names stays.
func (h *Handshake) again() {
	h.Version, h.Suite, h.Answered, h.thenMAC = 0, 0, false, false
	h.finished = [2]bool{}
}

// retry is the random of a server's hello that is a HelloRetryRequest (RFC 8446, 4.1.3).
var retry = secrets.Random{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

// serverHello reads what a server chose (RFC 8446, 4.1.3).
func (h *Handshake) serverHello(b []byte) {
	c := cursor(b)
	version := c.number(2)
	random := c.take(32)
	if len(random) < 32 {
		return
	}
	t := &h.TLS
	h.Begun = true
	if secrets.Random(random) == retry {
		t.Retried = true
		if h.Early {
			h.Early = false // "[early data] MUST NOT be sent" in the second flight (RFC 8446, 4.2.10)
		}
		return
	}
	copy(h.Server[:], random)
	old := version>>8 == draft && version&0xff < 22 // without session and compression
	if !old {
		h.echoed = append([]byte(nil), c.vector(1)...)
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
		case extThenMAC:
			h.thenMAC = true
		}
	}
	if version>>8 == draft {
		version = tls.VersionTLS13
	}
	h.Version, h.Suite = uint16(version), uint16(suite)
	t.Version, t.Cipher = versionName(version), tls.CipherSuiteName(uint16(suite))
	if !h.Is13() {
		if len(h.session) > 0 && string(h.session) == string(h.echoed) {
			// "this indicates a resumed session" (RFC 5246, 7.4.1.3)
			t.Resumed, t.Asked = true, linger.Known(true)
		}
		t.Session = len(h.echoed) > 0
		t.Tickets = linger.Known[int64](0) // they pass in the clear
		h.resumes()
	}
}

// encryptedExtensions reads what a server of TLS 1.3 says beside (RFC 8446, 4.3.1).
func (h *Handshake) encryptedExtensions(b []byte) {
	c := cursor(b)
	h.Answered = true
	for extensions := c.vector(2); len(extensions) > 0; {
		kind, body := extensions.number(2), extensions.vector(2)
		switch kind {
		case extALPN:
			names := body.vector(2)
			h.TLS.ALPN = clean(names.vector(1))
		case extEarlyData:
			h.TLS.EarlyData = linger.Known(true)
		case extQUIC, extQUICDraft:
			h.QUIC[talk.Server] = parameters(body)
		}
	}
}

func parameters(b []byte) []byte {
	return append([]byte(nil), b[:min(len(b), maxQUICParameter)]...)
}

// mostNames bounds the certificates whose names are remembered: their servers send them
// again with each handshake.
const mostNames = 1024

// certificates reads what the server's certificate is good for, and how large its chain is
// (RFC 5246, 7.4.2; RFC 8446, 4.4.2).
func (h *Handshake) certificates(b []byte) {
	c := cursor(b)
	is13 := h.Is13()
	if is13 {
		c.vector(1) // certificate_request_context
	}
	chain := c.vector(3)
	var leaf cursor
	total := int64(0)
	for len(chain) > 0 {
		one := chain.vector(3)
		if is13 {
			chain.vector(2) // its extensions
		}
		if leaf == nil {
			leaf = one
		}
		total += int64(len(one))
	}
	if h.TLS.Certificates = total; total == 0 || h.Shared == nil {
		return
	}
	key := sha256.Sum256(leaf)
	names, ok := h.Shared.names[key]
	if !ok {
		names = namesOf(leaf)
		if h.Shared.names == nil || len(h.Shared.names) >= mostNames {
			h.Shared.names = map[[sha256.Size]byte][]string{}
		}
		h.Shared.names[key] = names
	}
	h.TLS.Names = names
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
	return strings.ToValidUTF8(string(b), "\uFFFD")
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

// maxMessage bounds a handshake message that is put together; what is longer, as a chain of
// certificates may be, is passed over.
const maxMessage = 64 << 10

// Messages puts the handshake messages of one side together of the pieces that records or
// CRYPTO frames hold.
type Messages struct {
	held []byte
	left int // of a message that is passed over
}

// Add takes in the next piece, and calls each for every message that is whole. Each returns
// whether to go on; what is left of the piece is dropped if not.
func (m *Messages) Add(b []byte, each func(kind byte, body []byte) bool) {
	for {
		if n := min(m.left, len(b)); n > 0 {
			b, m.left = b[n:], m.left-n
		}
		if len(b) == 0 {
			return
		}
		all := b
		if len(m.held) > 0 {
			m.held = append(m.held, b...)
			all = m.held
		}
		if len(all) < 4 {
			if len(m.held) == 0 {
				m.held = append(m.held, b...)
			}
			return
		}
		size := 4 + int(binary.BigEndian.Uint32(all)&0xffffff)
		switch {
		case size > maxMessage:
			m.left = size
			m.held, b = nil, all
		case len(all) < size:
			if len(m.held) == 0 {
				m.held = append(m.held, b...)
			}
			return
		default:
			whole := all[:size]
			m.held, b = nil, all[size:]
			if !each(whole[0], whole[4:]) {
				return
			}
		}
	}
}

// Reset drops what has not ended.
func (m *Messages) Reset() { m.held, m.left = nil, 0 }

// Between reports whether no message is under way.
func (m *Messages) Between() bool { return len(m.held) == 0 && m.left == 0 }
