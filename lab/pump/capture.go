package pump

import (
	"fmt"
	"os"
	"time"

	"linger"
	"linger/link"
	"linger/trace"
)

// A capture writes packets to a pcapng file without ever waiting for the disk:
// the pump's thread fills one buffer after the other, a goroutine writes them.
// When no buffer is free, or the file has reached its limit, packets are left
// out, and the statistics at the end of the file say how many.
type capture struct {
	began   time.Time
	limit   int64
	written int64 // handed to the goroutine, or in filling
	filling []byte
	full    chan []byte
	empty   chan []byte
	seen    []uint64 // by interface
	missing []uint64
	done    chan error
}

const (
	captureBuffers = 8
	captureBuffer  = 1 << 20
	// captureLimit is that of a capture that names none.
	captureLimit = 1 << 30
	// captureTail is kept free below the limit for the two blocks at the end.
	captureTail = 128
	// pcapngPacketAt is where the packet stands in an enhanced packet block.
	pcapngPacketAt = 28
)

// outcomes are what a capture says of packets that did not arrive.
var outcomes = [...]string{link.Carried: "", link.Lost: "lost on the link", link.Dropped: "dropped: the queue was full"}

// linkInterfaces are the two of a capture of the links, by the sender's Side.
var linkInterfaces = []trace.PcapngInterface{
	{Name: "up", Description: "towards the server, as sent into the link"},
	{Name: "down", Description: "towards the client, as sent into the link"},
}

// newCapture starts to write to file what some interfaces see; close ends it. began is
// the wall clock at Instant 0.
func newCapture(file *os.File, limit int64, began time.Time, interfaces ...trace.PcapngInterface) *capture {
	if limit <= 0 {
		limit = captureLimit
	}
	c := &capture{
		began: began,
		limit: limit - captureTail,
		full:  make(chan []byte, captureBuffers),
		empty: make(chan []byte, captureBuffers),
		done:  make(chan error, 1),

		seen:    make([]uint64, len(interfaces)),
		missing: make([]uint64, len(interfaces)),
	}
	for range captureBuffers - 1 {
		c.empty <- make([]byte, 0, captureBuffer)
	}
	c.filling = trace.AppendPcapngHeader(make([]byte, 0, captureBuffer), interfaces...)
	c.written = int64(len(c.filling))
	go c.write(file)
	return c
}

// write runs until full is closed. After an error it goes on emptying, so that
// the pump does not see a difference.
func (c *capture) write(file *os.File) {
	var failed error
	for b := range c.full {
		if failed == nil {
			_, failed = file.Write(b)
		}
		c.empty <- b[:0]
	}
	if failed != nil {
		failed = fmt.Errorf("cannot write the capture: %w; the packets after it are missing", failed)
	}
	c.done <- failed
}

// packet records an IP packet behind its virtio-net header, as that interface saw it.
// Checksums that the kernel left to the network card are completed in the file.
func (c *capture) packet(at int, when linger.Instant, data []byte, comment string) {
	c.seen[at]++
	size := trace.PcapngPacketSize(len(data)-vnetSize, comment)
	if c.written+int64(size) > c.limit {
		c.limit = 0 // for good: what follows would seem to follow at once
	}
	if c.limit == 0 || !c.room(size) {
		c.missing[at]++
		return
	}
	c.written += int64(size)
	ip := len(c.filling) + pcapngPacketAt
	c.filling = trace.AppendPcapngPacket(c.filling, at, c.began.Add(time.Duration(when)), data[vnetSize:], comment)
	fillChecksum(data[:vnetSize], c.filling[ip:ip+len(data)-vnetSize])
}

// room makes filling hold size bytes more.
func (c *capture) room(size int) bool {
	if len(c.filling)+size <= captureBuffer {
		return true
	}
	select {
	case next := <-c.empty:
		c.full <- c.filling // has room for every buffer that there is
		c.filling = next
		return true
	default:
		return false
	}
}

// close writes what is left, and waits for it.
func (c *capture) close(at linger.Instant) error {
	for i := range c.seen {
		c.filling = trace.AppendPcapngStatistics(c.filling, i, c.began.Add(time.Duration(at)), c.seen[i], c.missing[i])
	}
	c.full <- c.filling
	close(c.full)
	return <-c.done
}
