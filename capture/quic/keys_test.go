package quic

import (
	"crypto/tls"
	"encoding/hex"
	"testing"

	"linger/capture/talk"
	ctls "linger/capture/tls"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// TestChaCha20 opens the short header packets of the standards: a PING, in packet 654360564 (RFC
// 9001, A.5; RFC 9369, A.5).
func TestChaCha20(t *testing.T) {
	secret := unhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b")
	for version, packet := range map[uint32]string{
		version1: "4cfe4189655e5cd55c41f69080575d7999c25a5bfb",
		version2: "5558b1c60ae7b6b932bc27d786f4bc2bb20f2162ba",
	} {
		p := protect(suite(tls.TLS_CHACHA20_POLY1305_SHA256), labelsOf[version], secret)
		var s Scratch
		header, sent, ok := s.unmask(p, unhex(packet), 1)
		if !ok || hex.EncodeToString(header) != "4200bff4" {
			t.Fatalf("version %x: header %x", version, header)
		}
		number := whole(sent, 654360563, 24)
		plain, ok := s.open(p, header, unhex(packet)[len(header):], number)
		if !ok || len(plain) != 1 || plain[0] != framePing || number != 654360564 {
			t.Errorf("version %x: number %d, %x, %v", version, number, plain, ok)
		}
	}
}

// TestNumbersOfPackets has the example of the standard (RFC 9000, A.3), and the ends of the range.
func TestNumbersOfPackets(t *testing.T) {
	for _, c := range []struct {
		sent, largest int64
		bits          int
		want          int64
	}{
		{0x9b32, 0xa82f30ea, 16, 0xa82f9b32},
		{0, -1, 8, 0},
		{5, -1, 8, 5},
		{0, 255, 8, 256},
		{255, 256, 8, 255},
	} {
		if got := whole(c.sent, c.largest, c.bits); got != c.want {
			t.Errorf("%x after %x: %x, want %x", c.sent, c.largest, got, c.want)
		}
	}
}

// TestSetOfNumbers holds sets against lists of what was put into them.
func TestSetOfNumbers(t *testing.T) {
	var s numbers
	in := map[int64]bool{}
	for i := range int64(200) {
		n := i * 37 % 101
		if fresh := s.add(n); fresh == in[n] {
			t.Fatalf("%d: new is %v", n, fresh)
		}
		in[n] = true
		for k := range int64(103) {
			if s.has(k) != in[k] {
				t.Fatalf("%d is in: %v, want %v; %v", k, s.has(k), in[k], s)
			}
		}
		var lacks int64
		s.gaps(3, 90, func(low, high int64) { lacks += high - low + 1 })
		want := int64(0)
		for k := int64(3); k <= 90; k++ {
			if !in[k] {
				want++
			}
		}
		if lacks != want {
			t.Fatalf("%d numbers lack, want %d; %v", lacks, want, s)
		}
	}
	if len(s) != 1 || !s.meets(-1, 1) || s.meets(100, 105) || s.meets(4, 5) || !s.meets(4, 6) {
		t.Errorf("%v", s)
	}
}

// TestAssembly puts pieces into order, with what comes twice counted once.
func TestAssembly(t *testing.T) {
	var a assembly
	text := "0123456789abcdefghij"
	got, fresh := "", 0
	for _, piece := range [][2]int64{{4, 6}, {8, 12}, {5, 9}, {2, 20}, {0, 1}, {0, 3}, {0, 20}} {
		now, n := a.add(piece[0], []byte(text[piece[0]:piece[1]]), 0, talk.Mark{})
		got += string(now)
		fresh += n
		for {
			c, ok := a.pop()
			if !ok {
				break
			}
			got += string(c.data)
		}
	}
	if got != text || fresh != len(text) || a.size != 0 || len(a.held) != 0 {
		t.Errorf("%q, %d new bytes, %d held", got, fresh, a.size)
	}
}

// FuzzFrames takes in packets that were decrypted.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{frameAck, 9, 0, 2, 1, 0, 1, 1, 0}, uint8(2))
	f.Add([]byte{frameStream | 7, 0, 4, 2, 'a', 'b', frameStream | 6, 0, 0, 1, 'c'}, uint8(2))
	f.Add([]byte{frameCrypto, 0, 4, 1, 0, 0, 0, frameClose, 1, 0, 2, 'n', 'o'}, uint8(0))
	f.Add([]byte{frameNewID, 1, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, frameReset, 0, 1, 2, frameStop, 4, 1}, uint8(2))
	f.Add([]byte{frameMaxStreamsBidi, 9, frameStreamBlocked, 0, 9, frameMaxStreamData, 0, 9, framePing, frameDatagram, 1}, uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, at uint8) {
		c := &Conn{To: deaf{}, Scratch: &Scratch{}, Shared: &ctls.Shared{}}
		c.ready()
		l := level(at % uint8(levels))
		for n := range int64(3) {
			c.frames(talk.Client, l, Short, b, 2*n, talk.Mark{})
			c.frames(talk.Server, l, Short, b, 3*n, talk.Mark{})
		}
		held := 0
		for _, s := range c.streams {
			held += s.size
		}
		if held != c.heldBytes || held != c.Scratch.held {
			t.Fatalf("%d bytes are held, %d and %d counted", held, c.heldBytes, c.Scratch.held)
		}
		c.Close(talk.Mark{})
		if c.heldBytes != 0 || len(c.streams) != 0 {
			t.Fatalf("%d bytes and %d streams are held at the end", c.heldBytes, len(c.streams))
		}
	})
}

type deaf struct{}

func (deaf) Stream(int64, talk.Side, []byte, bool, talk.Mark) {}
func (deaf) Gap(int64, talk.Side, int64, talk.Mark)           {}
func (deaf) Reset(int64, talk.Side, bool, uint64, talk.Mark)  {}
func (deaf) Window(int64, talk.Side, bool, talk.Mark)         {}
func (deaf) Packet(talk.Side, int64, bool, talk.Mark)         {}
func (deaf) Closed(Close, talk.Mark)                          {}
