package content

import (
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"math/rand/v2"
	"slices"
)

// pngOf returns a valid PNG file of exactly n bytes: a small tile of soft
// colours, then a private chunk that fills up; nil where n is too small.
func pngOf(name string, n int) []byte {
	src := source(name)
	for _, tile := range [...]struct{ wide, high int }{{16, 12}, {1, 1}} {
		b := pngHead(src, tile.wide, tile.high)
		// A chunk takes 12 bytes beside its data; one is the end.
		fill := n - len(b) - 2*12
		if fill < 0 {
			continue
		}
		b = slices.Grow(b, n-len(b))
		// "fiLl" is ancillary, private and safe to copy (PNG, 5.4).
		b = chunk(b, "fiLl", func(b []byte) []byte { return appendNoise(b, src, fill) })
		return chunk(b, "IEND", func(b []byte) []byte { return b })
	}
	return nil
}

// pngHead is a PNG file up to the end of its pixels, which are stored without
// compression, so that its size depends on nothing but the tile's.
func pngHead(src rand.Source, wide, high int) []byte {
	b := chunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, uint32(wide))
		b = binary.BigEndian.AppendUint32(b, uint32(high))
		return append(b, 8, 2, 0, 0, 0) // 8 bits a colour, RGB; not interlaced
	})
	return chunk(b, "IDAT", func(b []byte) []byte {
		size := uint16(high * (1 + 3*wide))
		b = append(b, 0x78, 0x01, 1) // zlib, then one last block that is stored (RFC 1951, 3.2.4)
		b = binary.LittleEndian.AppendUint16(b, size)
		b = binary.LittleEndian.AppendUint16(b, ^size)
		begin := len(b)
		paint := painter(src)
		for y := range high {
			b = append(b, 0) // no filter
			for x := range wide {
				c := paint(255*x/wide, 255*y/high)
				b = append(b, c[:]...)
			}
		}
		return binary.BigEndian.AppendUint32(b, adler32.Checksum(b[begin:]))
	})
}

// chunk appends a PNG chunk: length, type, what data appends, CRC (PNG, 5.3).
func chunk(b []byte, kind string, data func([]byte) []byte) []byte {
	begin := len(b) + 4
	b = append(append(b, 0, 0, 0, 0), kind...)
	b = data(b)
	binary.BigEndian.PutUint32(b[begin-4:], uint32(len(b)-begin-len(kind)))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[begin:]))
}

// appendNoise appends n bytes of src.
func appendNoise(b []byte, src *rand.ChaCha8, n int) []byte {
	b = slices.Grow(b, n)[:len(b)+n]
	_, _ = src.Read(b[len(b)-n:]) // never fails
	return b
}

// painter returns a soft picture: the colour at x and y, each 0 to 255, is a
// mixture of four corners. It computes in integers, which are the same on each machine.
func painter(src rand.Source) func(x, y int) [3]byte {
	rng := rand.New(src)
	var corner [4][3]int
	for i := range corner {
		for j := range corner[i] {
			corner[i][j] = 40 + rng.IntN(200)
		}
	}
	return func(x, y int) (c [3]byte) {
		for j := range c {
			top := corner[0][j]*(255-x) + corner[1][j]*x
			bottom := corner[2][j]*(255-x) + corner[3][j]*x
			c[j] = byte((top*(255-y) + bottom*y) / (255 * 255))
		}
		return c
	}
}

// gifOf returns a valid GIF file of exactly n bytes: a tile of eight colours, or
// a single pixel, and comments that fill up; nil where n is too small.
func gifOf(name string, n int) []byte {
	src := source(name)
	for _, b := range [...][]byte{gifTile(src), gifPixel} {
		fill := n - len(b) - 1 // 1 for the trailer
		// A comment takes 3 bytes, and 2 to 256 for each of its blocks.
		if fill < 0 || fill == 1 || fill == 2 || fill == 4 {
			continue
		}
		return append(comment(b, src, fill), 0x3b)
	}
	return nil
}

// comment appends a comment extension of n bytes in all (GIF89a, 24): 0, 3, or more than 4.
func comment(b []byte, src *rand.ChaCha8, n int) []byte {
	if n == 0 {
		return b
	}
	b = append(slices.Grow(b, n+1), 0x21, 0xfe)
	for left := n - 3; left > 0; {
		size := min(left, 256)
		if left-size == 1 { // one byte alone cannot be a block
			size--
		}
		b = appendNoise(append(b, byte(size-1)), src, size-1)
		left -= size
	}
	return append(b, 0)
}

// gifPixel is one white pixel, up to its trailer: 34 bytes.
var gifPixel = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00" + // screen, two colours
	",\x00\x00\x00\x00\x01\x00\x01\x00\x00" + // the image
	"\x02\x02\x44\x01\x00") // clear, pixel 0, end

// gifTile is a tile of six by four pixels, up to its trailer: 65 bytes.
func gifTile(src rand.Source) []byte {
	const wide, high = 6, 4
	b := append([]byte("GIF89a"), wide, 0, high, 0, 0xa2, 0, 0) // eight colours follow
	paint := painter(src)
	for i := range 8 {
		c := paint(255*i/7, 255*i/7)
		b = append(b, c[:]...)
	}
	b = append(b, ',', 0, 0, 0, 0, wide, 0, high, 0, 0)
	// Codes are four bits wide for as long as the decoder's table has less than
	// six entries of its own; clearing it before each row keeps it so (GIF89a, F).
	const clear, end = 8, 9
	var codes []byte
	for y := range high {
		codes = append(codes, clear)
		for x := range wide {
			codes = append(codes, byte((x+y)*8/(wide+high-1)))
		}
	}
	codes = append(codes, end, 0) // an even number of them
	b = append(b, 3, byte(len(codes)/2))
	for i := 0; i < len(codes); i += 2 {
		b = append(b, codes[i]|codes[i+1]<<4)
	}
	return append(b, 0)
}
