package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// salts are those of the secrets of Initial packets, which anybody knows (RFC 9001, 5.2; RFC
// 9369, 3.3.1).
var salts = map[uint32][]byte{
	version1: {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
	version2: {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
}

// labels are what keys are derived under (RFC 9001, 5.1; RFC 9369, 3.3.2).
type labels struct{ key, iv, mask, update string }

var labelsOf = map[uint32]labels{
	version1: {"quic key", "quic iv", "quic hp", "quic ku"},
	version2: {"quicv2 key", "quicv2 iv", "quicv2 hp", "quicv2 ku"},
}

// A suite is a cipher suite of TLS 1.3, 0 where it is not known.
type suite uint16

func (s suite) hash() func() hash.Hash {
	if uint16(s) == tls.TLS_AES_256_GCM_SHA384 {
		return sha512.New384
	}
	return sha256.New
}

func (s suite) keySize() int {
	if uint16(s) == tls.TLS_AES_128_GCM_SHA256 {
		return 16
	}
	return 32
}

// suites are those that a secret of a size may be of.
func suites(secret []byte) []suite {
	switch len(secret) {
	case sha256.Size:
		return []suite{suite(tls.TLS_AES_128_GCM_SHA256), suite(tls.TLS_CHACHA20_POLY1305_SHA256)}
	case sha512.Size384:
		return []suite{suite(tls.TLS_AES_256_GCM_SHA384)}
	}
	return nil
}

// isKnown reports whether packets of the suite can be decrypted.
func (s suite) isKnown() bool {
	return uint16(s) == tls.TLS_AES_128_GCM_SHA256 || uint16(s) == tls.TLS_AES_256_GCM_SHA384 || uint16(s) == tls.TLS_CHACHA20_POLY1305_SHA256
}

// expand is HKDF-Expand-Label without a context (RFC 8446, 7.1).
func expand(h func() hash.Hash, secret []byte, label string, size int) []byte {
	info := make([]byte, 0, 4+6+len(label))
	info = append(info, byte(size>>8), byte(size), byte(6+len(label)))
	info = append(info, "tls13 "...)
	info = append(info, label...)
	info = append(info, 0)
	out, err := hkdf.Expand(h, secret, string(info), size)
	if err != nil {
		return make([]byte, size) // of a size that no hash can give; no key is so long
	}
	return out
}

// A protection is that of one direction at one level (RFC 9001, 5).
type protection struct {
	suite  suite
	labels labels
	secret []byte
	aead   cipher.AEAD
	iv     [12]byte
	block  cipher.Block // of the header's mask, with AES
	chacha []byte       // its key, with ChaCha20
}

// protect derives the keys of a secret.
func protect(s suite, l labels, secret []byte) *protection {
	p := &protection{suite: s, labels: l, secret: secret}
	p.cipher()
	mask := expand(s.hash(), secret, l.mask, s.keySize())
	if uint16(s) == tls.TLS_CHACHA20_POLY1305_SHA256 {
		p.chacha = mask
	} else {
		p.block, _ = aes.NewCipher(mask) // of a size that fits
	}
	return p
}

// cipher derives what protects the payload.
func (p *protection) cipher() {
	key := expand(p.suite.hash(), p.secret, p.labels.key, p.suite.keySize())
	copy(p.iv[:], expand(p.suite.hash(), p.secret, p.labels.iv, len(p.iv)))
	if uint16(p.suite) == tls.TLS_CHACHA20_POLY1305_SHA256 {
		p.aead, _ = chacha20poly1305.New(key) // of a size that fits, as those below
		return
	}
	block, _ := aes.NewCipher(key)
	p.aead, _ = cipher.NewGCM(block)
}

// next is the protection after a key update, which leaves the header's as it is (RFC 9001, 6.1).
func (p *protection) next() *protection {
	h := p.suite.hash()
	n := *p
	n.secret = expand(h, p.secret, p.labels.update, h().Size())
	n.cipher()
	return &n
}

// initial derives the protection of Initial packets, by the client and by the server.
func initial(version uint32, id []byte) (client, server *protection) {
	l := labelsOf[version]
	secret, err := hkdf.Extract(sha256.New, id, salts[version])
	if err != nil {
		return nil, nil
	}
	const s = suite(tls.TLS_AES_128_GCM_SHA256)
	return protect(s, l, expand(sha256.New, secret, "client in", sha256.Size)), protect(s, l, expand(sha256.New, secret, "server in", sha256.Size))
}

// A Scratch is the memory in which packets are decrypted.
type Scratch struct {
	header, plain []byte
	mask          [16]byte
	nonce         [12]byte
	// held counts the bytes of all connections that wait for earlier ones.
	held int
}

const (
	tagSize    = 16 // of all suites
	sampleSize = 16
)

// unmask takes the protection off the header of packet b, whose number begins at that place, and
// returns it, with the number as it was sent. It returns false of a packet that is too short
// (RFC 9001, 5.4).
func (s *Scratch) unmask(p *protection, b []byte, at int) (header []byte, number int64, ok bool) {
	if len(b) < at+4+sampleSize {
		return nil, 0, false
	}
	sample := b[at+4 : at+4+sampleSize]
	if p.block != nil {
		p.block.Encrypt(s.mask[:], sample)
	} else {
		c, err := chacha20.NewUnauthenticatedCipher(p.chacha, sample[4:])
		if err != nil {
			return nil, 0, false
		}
		c.SetCounter(binary.LittleEndian.Uint32(sample))
		clear(s.mask[:5])
		c.XORKeyStream(s.mask[:5], s.mask[:5])
	}
	first := b[0]
	if first&0x80 != 0 {
		first ^= s.mask[0] & 0x0f
	} else {
		first ^= s.mask[0] & 0x1f
	}
	size := int(first&3) + 1
	s.header = append(s.header[:0], b[:at+size]...)
	s.header[0] = first
	for i := range size {
		s.header[at+i] ^= s.mask[1+i]
		number = number<<8 | int64(s.header[at+i])
	}
	return s.header, number, true
}

// open decrypts what follows a header, by the whole number of the packet. What it returns is
// valid until the next call.
func (s *Scratch) open(p *protection, header, content []byte, number int64) (plain []byte, ok bool) {
	s.nonce = p.iv
	for i := range 8 {
		s.nonce[11-i] ^= byte(number >> (8 * i))
	}
	if cap(s.plain) < len(content) {
		s.plain = make([]byte, 0, max(len(content), 2048))
	}
	plain, err := p.aead.Open(s.plain[:0], s.nonce[:], content, header)
	return plain, err == nil
}

// whole is the number of a packet of which so many low bits were sent, after the largest one
// that has come (RFC 9000, A.3).
func whole(sent, largest int64, bits int) int64 {
	expected := largest + 1
	window := int64(1) << bits
	half := window / 2
	n := expected&^(window-1) | sent
	switch {
	case n <= expected-half && n < 1<<62-window:
		return n + window
	case n > expected+half && n >= window:
		return n - window
	}
	return n
}
