package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"testing"

	"linger/wire"
)

// sealCBC protects a record as TLS 1.2 has it (RFC 5246, 6.2.3.2), under the keys that
// protections12 derives.
func sealCBC(h *Handshake, master []byte, seq uint64, plain []byte) (header, content []byte) {
	s := suites[h.Suite]
	seed := append(append([]byte("key expansion"), h.Server[:]...), h.Client[:]...)
	size := s.mac().Size()
	keys := prf(s.digest, master, seed, 2*(size+s.key))
	mac := hmac.New(s.mac, keys[:size])
	header = []byte{wire.RecordData, 3, 3, 0, 0}
	pseudo := append(binary.BigEndian.AppendUint64(nil, seq), header[:3]...)
	mac.Write(append(binary.BigEndian.AppendUint16(pseudo, uint16(len(plain))), plain...))
	padded := mac.Sum(append([]byte(nil), plain...))
	n := s.block - len(padded)%s.block
	for range n {
		padded = append(padded, byte(n-1))
	}
	var block cipher.Block
	if key := keys[2*size : 2*size+s.key]; s.block == des.BlockSize {
		block, _ = des.NewTripleDESCipher(key)
	} else {
		block, _ = aes.NewCipher(key)
	}
	content = make([]byte, s.block+len(padded))
	rand.Read(content[:s.block])
	cipher.NewCBCEncrypter(block, content[:s.block]).CryptBlocks(content[s.block:], padded)
	binary.BigEndian.PutUint16(header[3:], uint16(len(content)))
	return header, content
}

// TestCBCLeavesNoGarbage opens records that CBC protects.
func TestCBCLeavesNoGarbage(t *testing.T) {
	for name, suite := range map[string]uint16{
		"3DES, SHA-1": 0x000a, "AES-128, SHA-1": 0x002f, "AES-128, SHA-256": 0x003c, "AES-256, SHA-384": 0xc024,
	} {
		h, master, plain := &Handshake{Version: tls.VersionTLS12, Suite: suite}, make([]byte, 48), make([]byte, 1000)
		header, content := sealCBC(h, master, 7, plain)
		p := protections12(h, master)[0]
		if p == nil {
			t.Errorf("%s: it is not known", name)
			continue
		}
		dst := make([]byte, len(content))
		if got, ok := p.open(dst, 7, header, content); !ok || string(got) != string(plain) {
			t.Errorf("%s: %d bytes, %v", name, len(got), ok)
		}
		if n := testing.AllocsPerRun(20, func() { p.open(dst, 7, header, content) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if _, ok := p.open(dst, 8, header, content); ok {
			t.Errorf("%s: another number opens it", name)
		}
	}
}
