package pump

import "testing"

func TestBuffersAreApartAndBounded(t *testing.T) {
	b := newBuffers(4 << 20)
	sizes := []int{1, 256, 257, 1510, 2048, 2049, maxPacket}
	held := map[buffer]byte{}
	for n := 0; ; n++ {
		size := sizes[n%len(sizes)]
		h, ok := b.get(size)
		if !ok {
			break
		}
		if _, twice := held[h]; twice {
			t.Fatalf("buffer %d was given out twice", h)
		}
		room := b.at(h)
		if len(room) < size {
			t.Fatalf("asked for %d bytes, got %d", size, len(room))
		}
		held[h] = byte(n)
		for i := range room {
			room[i] = byte(n)
		}
	}
	if b.bytes > b.limit || len(held) < 50 {
		t.Errorf("%d bytes in %d buffers, limit %d", b.bytes, len(held), b.limit)
	}
	for h, v := range held {
		for _, got := range b.at(h) {
			if got != v {
				t.Fatalf("buffer %d holds %d, want %d", h, got, v)
			}
		}
		b.put(h)
	}
	bytes := b.bytes
	for range held {
		if _, ok := b.get(1); !ok {
			break
		}
	}
	for range 10 {
		if h, ok := b.get(maxPacket); ok {
			b.put(h)
		}
	}
	if b.bytes < bytes || b.bytes > b.limit {
		t.Errorf("%d bytes after %d", b.bytes, bytes)
	}
}
