package pump

// buffers hands out room for packets, virtio-net header included. It grows a
// slab at a time up to a limit and never shrinks: a path that once held that
// much will again.
type buffers struct {
	classes [3]bufferClass
	bytes   int // in all slabs
	limit   int
}

// A bufferClass has buffers of one size.
type bufferClass struct {
	size  int
	slabs [][]byte // of slabBytes, or of one buffer
	each  int      // buffers in a slab
	free  []buffer
}

// A buffer is a handle, which the garbage collector need not follow: the class in
// the lower two bits, above them the number within the class.
type buffer int32

const (
	slabBytes = 1 << 18
	// bufferLimit is that of a pump that names none.
	bufferLimit = 256 << 20
)

// newBuffers makes classes for an acknowledgement, a segment and a super-packet.
func newBuffers(limit int) *buffers {
	b := &buffers{limit: limit}
	for i, size := range []int{256, 2048, 1<<16 + 64} {
		b.classes[i] = bufferClass{size: size, each: max(1, slabBytes/size)}
	}
	return b
}

// get returns a buffer for size bytes, at most maxPacket; not ok if the limit is reached.
func (b *buffers) get(size int) (h buffer, ok bool) {
	i := 0
	for b.classes[i].size < size {
		i++
	}
	c := &b.classes[i]
	if len(c.free) == 0 {
		slab := c.size * c.each
		if b.bytes+slab > b.limit {
			return 0, false
		}
		b.bytes += slab
		c.slabs = append(c.slabs, make([]byte, slab))
		for n := range c.each {
			c.free = append(c.free, buffer(((len(c.slabs)-1)*c.each+n)<<2|i))
		}
	}
	h = c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	return h, true
}

// put gives a buffer back.
func (b *buffers) put(h buffer) {
	c := &b.classes[h&3]
	c.free = append(c.free, h)
}

// at returns the whole room of a buffer.
func (b *buffers) at(h buffer) []byte {
	c := &b.classes[h&3]
	n := int(h >> 2)
	return c.slabs[n/c.each][n%c.each*c.size:][:c.size:c.size]
}
