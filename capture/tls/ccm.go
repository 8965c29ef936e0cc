package tls

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// A ccmMode is AES-CCM as TLS has it: a nonce of 12 bytes, so that three are left for the length
// (RFC 3610; RFC 6655, 3). It opens only: nobody here seals.
type ccmMode struct {
	block cipher.Block
	tag   int
}

func newCCM(b cipher.Block, tag int) cipher.AEAD { return &ccmMode{b, tag} }

var errNotAuthentic = errors.New("it is not authentic")

func (*ccmMode) NonceSize() int                     { return 12 }
func (c *ccmMode) Overhead() int                    { return c.tag }
func (*ccmMode) Seal(_, _, _, _ []byte) (no []byte) { panic("it only opens") }

// Open decrypts and checks. It leaves what it wrote to dst where that fails, as none of its
// callers reads it then.
func (c *ccmMode) Open(dst, nonce, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < c.tag || len(aad) >= 0xff00 {
		return nil, errNotAuthentic
	}
	n := len(sealed) - c.tag
	var counter, mask, mac [16]byte
	counter[0] = 2 // L - 1
	copy(counter[1:], nonce)
	c.block.Encrypt(mask[:], counter[:])
	tag := [16]byte{}
	copy(tag[:], sealed[n:])
	counter[15] = 1
	start := len(dst)
	if cap(dst) < start+n {
		dst = append(make([]byte, 0, start+n), dst...)
	}
	dst = dst[:start+n]
	out := dst[start:]
	cipher.NewCTR(c.block, counter[:]).XORKeyStream(out, sealed[:n])

	// "The first block B_0 is formatted as follows, where l(m) is encoded in
	// most-significant-byte first order" (RFC 3610, 2.2).
	mac[0] = byte((c.tag-2)/2<<3 | 2)
	if len(aad) > 0 {
		mac[0] |= 1 << 6
	}
	copy(mac[1:], nonce)
	mac[13], mac[14], mac[15] = byte(n>>16), byte(n>>8), byte(n)
	c.block.Encrypt(mac[:], mac[:])
	add := func(b []byte) {
		for len(b) > 0 {
			k := subtle.XORBytes(mac[:], mac[:], b[:min(16, len(b))])
			c.block.Encrypt(mac[:], mac[:])
			b = b[k:]
		}
	}
	if len(aad) > 0 {
		add(append(binary.BigEndian.AppendUint16(nil, uint16(len(aad))), aad...))
	}
	add(out)
	subtle.XORBytes(mac[:], mac[:], mask[:])
	if subtle.ConstantTimeCompare(mac[:c.tag], tag[:c.tag]) != 1 {
		return nil, errNotAuthentic
	}
	return dst, nil
}
