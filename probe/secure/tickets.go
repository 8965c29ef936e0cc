package secure

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"linger/wire"
)

// A ticket is what a NewSessionTicket says of itself (RFC 8446, 4.6.1; RFC 5077, 3.3).
type ticket struct {
	lifetime time.Duration
	early    uint32 // max_early_data_size, in bytes; zero is none
}

// Types of handshake messages (RFC 8446, 4).
const (
	newSessionTicket = 4
	earlyData        = 42 // extension
)

// serverSecret is the secret by which a server encrypts its data first, as it stands in a
// log of keys (SSLKEYLOGFILE); nil where there is none, as with TLS 1.2.
func serverSecret(log []byte) []byte {
	for line := range bytes.Lines(log) {
		f := bytes.Fields(line)
		if len(f) == 3 && string(f[0]) == "SERVER_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(string(f[2]))
			if err != nil {
				return nil
			}
			return secret
		}
	}
	return nil
}

// ticketsOn returns the tickets among the records that a server has sent. ok is false
// where they cannot be read: for want of the secret, or of the cipher. crypto/tls keeps to
// itself what they say.
func ticketsOn(sent []byte, version, suite uint16, secret []byte) (found []ticket, ok bool) {
	var open cipher.AEAD
	var iv []byte
	if version == tls.VersionTLS13 {
		if open, iv = keyOf(suite, secret); open == nil {
			return nil, false
		}
	}
	var messages []byte
	var sequence uint64
	for {
		header, body, rest, err := wire.ParseRecord(sent)
		if err != nil {
			break
		}
		kind := header[0]
		sent = rest
		switch {
		case version != tls.VersionTLS13 && kind == wire.RecordChangeCipher:
			// RFC 5077, 3.3: the ticket comes before ChangeCipherSpec.
			return ticketsIn(messages, version), true
		case version != tls.VersionTLS13 && kind == wire.RecordHandshake:
			messages = append(messages, body...)
		case version == tls.VersionTLS13 && kind == wire.RecordData:
			nonce := bytes.Clone(iv)
			for i := range 8 {
				nonce[len(nonce)-1-i] ^= byte(sequence >> (8 * i))
			}
			plain, err := open.Open(nil, nonce, body, header)
			if err != nil && sequence == 0 {
				continue // of the handshake, which has keys of its own
			} else if err != nil {
				return ticketsIn(messages, version), true // keys have changed
			}
			sequence++
			// RFC 8446, 5.2: the type stands behind the content, and zeros behind that.
			plain = bytes.TrimRight(plain, "\x00")
			if n := len(plain) - 1; n >= 0 && plain[n] == wire.RecordHandshake {
				messages = append(messages, plain[:n]...)
			}
		}
	}
	return ticketsIn(messages, version), true
}

// keyOf derives the key of records from a secret (RFC 8446, 7.3).
func keyOf(suite uint16, secret []byte) (cipher.AEAD, []byte) {
	var h func() hash.Hash
	var size int
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
		h, size = sha256.New, 16
	case tls.TLS_AES_256_GCM_SHA384:
		h, size = sha512.New384, 32
	default:
		return nil, nil // ChaCha20-Poly1305 is not in the standard library
	}
	if len(secret) == 0 {
		return nil, nil
	}
	expand := func(label string, n int) []byte {
		label = "tls13 " + label
		info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
		out, err := hkdf.Expand(h, secret, string(append(info, 0)), n)
		if err != nil {
			return nil
		}
		return out
	}
	block, err := aes.NewCipher(expand("key", size))
	if err != nil {
		return nil, nil
	}
	open, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil
	}
	return open, expand("iv", 12)
}

// ticketsIn returns the tickets among handshake messages. What is cut short, or makes
// no sense, is left out.
func ticketsIn(b []byte, version uint16) (found []ticket) {
	for len(b) >= 4 {
		kind, n := b[0], int(b[1])<<16|int(b[2])<<8|int(b[3])
		if len(b) < 4+n {
			return found
		}
		body := b[4 : 4+n]
		b = b[4+n:]
		if kind != newSessionTicket || len(body) < 4 {
			continue
		}
		t := ticket{lifetime: time.Duration(binary.BigEndian.Uint32(body)) * time.Second}
		if version != tls.VersionTLS13 {
			if len(body) > 6 { // an empty ticket is none (RFC 5077, 3.3)
				found = append(found, t)
			}
			continue
		}
		// ticket_age_add, then ticket_nonce, ticket and extensions behind their lengths.
		rest, ok := body[4:], len(body) >= 8
		if ok {
			rest = rest[4:]
			if _, rest, ok = vector(rest, 1); ok {
				_, rest, ok = vector(rest, 2)
			}
		}
		if !ok {
			continue
		}
		extensions, _, _ := vector(rest, 2)
		for len(extensions) >= 4 {
			id := binary.BigEndian.Uint16(extensions)
			value, more, ok := vector(extensions[2:], 2)
			if !ok {
				break
			}
			if id == earlyData && len(value) == 4 {
				t.early = binary.BigEndian.Uint32(value)
			}
			extensions = more
		}
		found = append(found, t)
	}
	return found
}

// vector takes what stands behind a length of so many bytes off b.
func vector(b []byte, size int) (value, rest []byte, ok bool) {
	if len(b) < size {
		return nil, nil, false
	}
	n := 0
	for _, x := range b[:size] {
		n = n<<8 | int(x)
	}
	if b = b[size:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
