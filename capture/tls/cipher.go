package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// A kind is how a cipher suite protects records.
type kind uint8

const (
	unknownCipher kind = iota
	gcm                // RFC 5288
	ccm                // RFC 6655
	ccm8               // with a tag of 8 bytes
	chacha             // RFC 7905
	cbc                // RFC 5246, 6.2.3.2
	stream             // RC4
)

// A suite is what of a cipher suite protects records.
type suite struct {
	kind
	key    int              // bytes
	block  int              // of CBC, bytes
	mac    func() hash.Hash // of CBC and RC4
	digest func() hash.Hash // of key derivation; up to TLS 1.1 it is another
}

// suites are the cipher suites that can be opened (IANA, TLS Cipher Suites). How keys are
// exchanged and who signs is of no concern here.
var suites = func() map[uint16]suite {
	all := map[uint16]suite{}
	add := func(s suite, ids ...uint16) {
		for _, id := range ids {
			all[id] = s
		}
	}
	md, sha, sha2, sha3 := md5.New, sha1.New, sha256.New, sha512.New384
	for _, base := range []uint16{0x009c, 0x009e, 0x00a0, 0x00a2, 0x00a4, 0x00a6, 0x00a8, 0x00aa, 0x00ac, 0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001} {
		add(suite{gcm, 16, 0, nil, sha2}, base)
		add(suite{gcm, 32, 0, nil, sha3}, base+1)
	}
	add(suite{gcm, 16, 0, nil, sha2}, 0x1301)
	add(suite{gcm, 32, 0, nil, sha3}, 0x1302)
	add(suite{chacha, 32, 0, nil, sha2}, 0x1303, 0xcca8, 0xcca9, 0xccaa, 0xccab, 0xccac, 0xccad, 0xccae)
	add(suite{ccm, 16, 0, nil, sha2}, 0x1304, 0xc09c, 0xc09e, 0xc0a4, 0xc0a6, 0xc0ac, 0xd005)
	add(suite{ccm, 32, 0, nil, sha2}, 0xc09d, 0xc09f, 0xc0a5, 0xc0a7, 0xc0ad)
	add(suite{ccm8, 16, 0, nil, sha2}, 0x1305, 0xc0a0, 0xc0a2, 0xc0a8, 0xc0aa, 0xc0ae, 0xd003)
	add(suite{ccm8, 32, 0, nil, sha2}, 0xc0a1, 0xc0a3, 0xc0a9, 0xc0ab, 0xc0af)
	add(suite{cbc, 16, 16, sha, sha2}, 0x002f, 0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x008c, 0x0090, 0x0094, 0xc004, 0xc009, 0xc00e, 0xc013, 0xc018, 0xc035)
	add(suite{cbc, 32, 16, sha, sha2}, 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x008d, 0x0091, 0x0095, 0xc005, 0xc00a, 0xc00f, 0xc014, 0xc019, 0xc036)
	add(suite{cbc, 16, 16, sha2, sha2}, 0x003c, 0x003e, 0x003f, 0x0040, 0x0067, 0x006c, 0x00ae, 0x00b2, 0x00b6, 0xc023, 0xc025, 0xc027, 0xc029, 0xc037)
	add(suite{cbc, 32, 16, sha2, sha2}, 0x003d, 0x0068, 0x0069, 0x006a, 0x006b, 0x006d)
	add(suite{cbc, 32, 16, sha3, sha3}, 0x00af, 0x00b3, 0x00b7, 0xc024, 0xc026, 0xc028, 0xc02a, 0xc038)
	add(suite{cbc, 24, 8, sha, sha2}, 0x000a, 0x000d, 0x0010, 0x0013, 0x0016, 0x001b, 0x008b, 0x008f, 0x0093, 0xc003, 0xc008, 0xc00d, 0xc012, 0xc017, 0xc034)
	add(suite{stream, 16, 0, sha, sha2}, 0x0005, 0x008a, 0xc002, 0xc007, 0xc00c, 0xc011, 0xc016)
	add(suite{stream, 16, 0, md, sha2}, 0x0004, 0x0018)
	return all
}()

// A protection opens the records of one direction under one key.
type protection struct {
	suite
	version  uint16
	aead     cipher.AEAD
	iv       [12]byte // of AEAD: all of it, or the implicit part
	explicit int      // bytes of the nonce that each record has
	blocks   chaining // of CBC
	rc4      *rc4.Cipher
	mac      hash.Hash
	thenMAC  bool
	chained  []byte // the last block before, which is the next IV up to TLS 1.0; nil if it is lost

	nonce [12]byte
	aad   [13]byte
	sum   []byte

	digested [sha512.Size]byte // what the MAC is, of the record that is opened
}

// chaining is CBC whose first block may be set, as those of the standard library are: a new one
// for each record would be garbage.
type chaining interface {
	cipher.BlockMode
	SetIV([]byte)
}

// newAEAD returns the cipher of a suite, or nil.
func newAEAD(s suite, key []byte) cipher.AEAD {
	if s.kind == chacha {
		a, err := chacha20poly1305.New(key)
		if err != nil {
			return nil
		}
		return a
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	switch s.kind {
	case gcm:
		a, err := cipher.NewGCM(block)
		if err != nil {
			return nil
		}
		return a
	case ccm:
		return newCCM(block, 16)
	case ccm8:
		return newCCM(block, 8)
	}
	return nil
}

// protection13 is of a traffic secret of TLS 1.3 (RFC 8446, 7.3); nil if the suite is not known.
func protection13(id uint16, secret []byte) *protection {
	s := suites[id]
	if s.kind == unknownCipher || s.kind == cbc || s.kind == stream || len(secret) != s.digest().Size() {
		return nil
	}
	p := &protection{suite: s, version: tls.VersionTLS13}
	if p.aead = newAEAD(s, ExpandLabel(s.digest, secret, "key", s.key)); p.aead == nil {
		return nil
	}
	copy(p.iv[:], ExpandLabel(s.digest, secret, "iv", len(p.iv)))
	return p
}

// protections12 are those of both sides up to TLS 1.2, by talk.Side (RFC 5246, 6.3); nil if the
// suite is not known.
func protections12(h *Handshake, master []byte) [2]*protection {
	s := suites[h.Suite]
	if s.kind == unknownCipher || h.Version < tls.VersionTLS10 {
		return [2]*protection{}
	}
	macSize, ivSize, explicit := 0, 4, 8
	switch s.kind {
	case cbc:
		macSize, ivSize, explicit = s.mac().Size(), 0, s.block
		if h.Version <= tls.VersionTLS10 {
			ivSize, explicit = s.block, 0
		}
	case stream:
		macSize, ivSize, explicit = s.mac().Size(), 0, 0
	case chacha:
		ivSize, explicit = 12, 0
	}
	seed := append(append([]byte("key expansion"), h.Server[:]...), h.Client[:]...)
	size := 2 * (macSize + s.key + ivSize)
	var keys cursor
	if h.Version >= tls.VersionTLS12 {
		keys = prf(s.digest, master, seed, size)
	} else {
		half := (len(master) + 1) / 2 // "S1 and S2 are the two halves of the secret" (RFC 2246, 5)
		keys = prf(md5.New, master[:half], seed, size)
		subtle.XORBytes(keys, keys, prf(sha1.New, master[len(master)-half:], seed, size))
	}
	var out [2]*protection
	macs := [2][]byte{keys.take(macSize), keys.take(macSize)}
	secrets := [2][]byte{keys.take(s.key), keys.take(s.key)}
	for i := range out {
		p := &protection{suite: s, version: h.Version, explicit: explicit, thenMAC: h.thenMAC && s.kind == cbc}
		iv := keys.take(ivSize)
		copy(p.iv[:], iv)
		switch s.kind {
		case cbc:
			var block cipher.Block
			var err error
			if s.block == des.BlockSize {
				block, err = des.NewTripleDESCipher(secrets[i])
			} else {
				block, err = aes.NewCipher(secrets[i])
			}
			if err != nil {
				return [2]*protection{}
			}
			p.blocks, _ = cipher.NewCBCDecrypter(block, make([]byte, s.block)).(chaining)
			if p.blocks == nil {
				return [2]*protection{}
			}
			if explicit == 0 {
				p.chained = append([]byte(nil), iv...)
			}
			p.mac = hmac.New(s.mac, macs[i])
		case stream:
			p.rc4, _ = rc4.NewCipher(secrets[i])
			p.mac = hmac.New(s.mac, macs[i])
		default:
			if p.aead = newAEAD(s, secrets[i]); p.aead == nil {
				return [2]*protection{}
			}
		}
		out[i] = p
	}
	return out
}

// prf is P_hash (RFC 5246, 5).
func prf(digest func() hash.Hash, secret, seed []byte, size int) []byte {
	mac := hmac.New(digest, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	var out []byte
	for a := sum(seed); len(out) < size; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:size]
}

// ExpandLabel is HKDF-Expand-Label with an empty context (RFC 8446, 7.1): size bytes of a
// secret, of at most one digest each turn.
func ExpandLabel(digest func() hash.Hash, secret []byte, label string, size int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(size))
	info = append(append(append(info, byte(len(label))), label...), 0)
	mac := hmac.New(digest, secret)
	var out, last []byte
	for n := byte(1); len(out) < size; n++ {
		mac.Reset()
		mac.Write(last)
		mac.Write(info)
		mac.Write([]byte{n})
		last = mac.Sum(nil)
		out = append(out, last...)
	}
	return out[:size]
}

// updated is the secret after a key update (RFC 8446, 7.2).
func updated(id uint16, secret []byte) []byte {
	digest := suites[id].digest
	return ExpandLabel(digest, secret, "traffic upd", digest().Size())
}

// overhead is by how much the content of a record is longer than what is in it, as far as that
// is the same for all; with CBC it is the least.
func (p *protection) overhead() int {
	switch {
	case p.aead != nil && p.version >= tls.VersionTLS13:
		return p.aead.Overhead() + 1 // with the type
	case p.aead != nil:
		return p.explicit + p.aead.Overhead()
	case p.kind == cbc:
		return p.explicit + p.mac.Size() + 1
	}
	return p.mac.Size()
}

// open decrypts the content of the record with that header and number into dst, which has the room
// and is not content: a try that fails must leave that as it was. It returns false where the key,
// the number or the record is another.
func (p *protection) open(dst []byte, seq uint64, header, content []byte) ([]byte, bool) {
	if p.aead == nil {
		return p.openOld(dst, seq, header, content)
	}
	if len(content) < p.explicit+p.aead.Overhead() {
		return nil, false
	}
	p.nonce = p.iv
	if p.version >= tls.VersionTLS13 || p.explicit == 0 {
		low := binary.BigEndian.Uint64(p.nonce[4:])
		binary.BigEndian.PutUint64(p.nonce[4:], low^seq)
	} else {
		copy(p.nonce[4:], content[:p.explicit]) // RFC 5288, 3
	}
	aad := header
	if p.version < tls.VersionTLS13 {
		aad = p.additional(seq, header, len(content)-p.explicit-p.aead.Overhead())
	}
	content = content[p.explicit:]
	out, err := p.aead.Open(dst[:0], p.nonce[:], content, aad)
	return out, err == nil
}

// additional is what is authenticated beside the content (RFC 5246, 6.2.3.3).
func (p *protection) additional(seq uint64, header []byte, size int) []byte {
	binary.BigEndian.PutUint64(p.aad[:], seq)
	copy(p.aad[8:11], header[:3])
	binary.BigEndian.PutUint16(p.aad[11:], uint16(size))
	return p.aad[:]
}

// openOld decrypts what CBC or RC4 protect (RFC 5246, 6.2.3.1 and 6.2.3.2).
func (p *protection) openOld(dst []byte, seq uint64, header, content []byte) ([]byte, bool) {
	size := p.mac.Size()
	if p.kind == stream {
		if p.rc4 == nil || len(content) < size {
			return nil, false
		}
		// Its state goes on with each byte: a wrong turn cannot be taken back.
		dst = dst[:len(content)]
		p.rc4.XORKeyStream(dst, content)
		end := len(dst) - size
		if !p.authentic(seq, header, dst[:end], dst[end:]) {
			p.rc4 = nil
			return nil, false
		}
		return dst[:end], true
	}
	encrypted := content
	if p.thenMAC {
		if len(content) < size+p.explicit+p.block {
			return nil, false
		}
		encrypted = content[:len(content)-size]
		if !p.authentic(seq, header, encrypted, content[len(encrypted):]) {
			return nil, false
		}
	}
	iv := p.chained
	if p.explicit > 0 {
		if len(encrypted) < p.explicit {
			return nil, false
		}
		iv, encrypted = encrypted[:p.explicit], encrypted[p.explicit:]
	}
	if len(encrypted) == 0 || len(encrypted)%p.block != 0 || len(iv) != p.block {
		p.chain(content)
		return nil, false
	}
	next := append(p.sum[:0], encrypted[len(encrypted)-p.block:]...)
	dst = dst[:len(encrypted)]
	p.blocks.SetIV(iv)
	p.blocks.CryptBlocks(dst, encrypted)
	if p.explicit == 0 {
		p.chained = append(p.chained[:0], next...)
	}
	p.sum = next
	padding := int(dst[len(dst)-1]) + 1
	if padding > len(dst) {
		return nil, false
	}
	for _, b := range dst[len(dst)-padding:] {
		if int(b) != padding-1 {
			return nil, false
		}
	}
	dst = dst[:len(dst)-padding]
	if p.thenMAC {
		return dst, true
	}
	end := len(dst) - size
	if end < 0 || !p.authentic(seq, header, dst[:end], dst[end:]) {
		return nil, false
	}
	return dst[:end], true
}

// chain remembers the last block of a record, of which content is the end, for the next one's IV.
func (p *protection) chain(content []byte) {
	if p.kind == cbc && p.explicit == 0 {
		if p.chained = nil; len(content) >= p.block && !p.thenMAC {
			p.chained = append([]byte(nil), content[len(content)-p.block:]...)
		}
	}
}

// authentic checks a MAC.
func (p *protection) authentic(seq uint64, header, content, mac []byte) bool {
	p.mac.Reset()
	p.mac.Write(p.additional(seq, header, len(content)))
	p.mac.Write(content)
	return hmac.Equal(p.mac.Sum(p.digested[:0]), mac)
}
