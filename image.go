package linger

import (
	"encoding/binary"
	"hash/adler32"
	"math/rand/v2"
)

// pngOf returns a valid PNG file of exactly n bytes: a small tile of soft
// colours, then a private chunk that fills up; nil where n is too small.
func pngOf(name string, n int) []byte {
	src := source(name)
	for _, tile := range [...]struct{ wide, high int }{{16, 12}, {1, 1}} {
		b := pngHead(src, tile.wide, tile.high)
		// A chunk takes 12 bytes beside its data; one is the end.
		if fill := n - len(b) - 2*12; fill >= 0 {
			data := make([]byte, fill)
			_, _ = src.Read(data) // never fails
			// "fiLl" is ancillary, private and safe to copy (PNG, 5.4).
			return chunk(chunk(b, "fiLl", data), "IEND", nil)
		}
	}
	return nil
}

// pngHead is a PNG file up to the end of its pixels, which are stored without
// compression, so that its size depends on nothing but the tile's.
func pngHead(src rand.Source, wide, high int) []byte {
	header := binary.BigEndian.AppendUint32(nil, uint32(wide))
	header = binary.BigEndian.AppendUint32(header, uint32(high))
	header = append(header, 8, 2, 0, 0, 0) // 8 bits a colour, RGB; not interlaced

	var pixels []byte
	paint := painter(src)
	for y := range high {
		pixels = append(pixels, 0) // no filter
		for x := range wide {
			c := paint(float64(x)/float64(wide), float64(y)/float64(high))
			pixels = append(pixels, c[:]...)
		}
	}
	data := []byte{0x78, 0x01, 1} // zlib, then one last block that is stored (RFC 1951, 3.2.4)
	data = binary.LittleEndian.AppendUint16(data, uint16(len(pixels)))
	data = binary.LittleEndian.AppendUint16(data, ^uint16(len(pixels)))
	data = append(data, pixels...)
	data = binary.BigEndian.AppendUint32(data, adler32.Checksum(pixels))

	return chunk(chunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", header), "IDAT", data)
}

// painter returns a soft picture: the colour at x and y, each 0 to 1, is a
// mixture of four corners.
func painter(src rand.Source) func(x, y float64) [3]byte {
	rng := rand.New(src)
	var corner [4][3]float64
	for i := range corner {
		for j := range corner[i] {
			corner[i][j] = 40 + 200*rng.Float64()
		}
	}
	return func(x, y float64) (c [3]byte) {
		for j := range c {
			top := corner[0][j]*(1-x) + corner[1][j]*x
			bottom := corner[2][j]*(1-x) + corner[3][j]*x
			c[j] = byte(top*(1-y) + bottom*y)
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
	b = append(b, 0x21, 0xfe)
	for left := n - 3; left > 0; {
		size := min(left, 256)
		if left-size == 1 { // one byte alone cannot be a block
			size--
		}
		begin := len(b) + 1
		b = append(b, make([]byte, size)...)
		b[begin-1] = byte(size - 1)
		_, _ = src.Read(b[begin:]) // never fails
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
		c := paint(float64(i)/7, float64(i)/7)
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
