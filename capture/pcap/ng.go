package pcap

import (
	"encoding/binary"
	"fmt"

	"math/bits"
	"net/netip"
	"strings"

	"linger"
)

// Types of blocks (draft-ietf-opsawg-pcapng, 4 and 11.1) and of options in them.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockOldPacket  = 2
	blockSimple     = 3
	blockNames      = 4
	blockStatistics = 5
	blockPacket     = 6
	blockJournal    = 9
	blockSecrets    = 10
	blockCustom     = 0x00000bad
	blockCustomHere = 0x40000bad // not to be copied

	magicSection = 0x1a2b3c4d
	secretsTLS   = 0x544c534b // "TLSK"

	optName       = 2  // if_name
	optResolution = 9  // if_tsresol
	optFilter     = 11 // if_filter
	optOffset     = 14 // if_tsoffset
	optReceived   = 4  // isb_ifrecv
	optDropped    = 5  // isb_ifdrop
	optOSDropped  = 7  // isb_osdrop
)

// A resolution is what a timestamp counts.
type resolution struct {
	perSecond uint64
	offset    int64 // in seconds, to be added
}

// latest is the last time that a file may name, in seconds since 1970: in the year 2255.
const latest = 9_000_000_000

// nanoseconds returns a timestamp in nanoseconds, from 0 to latest.
func (r resolution) nanoseconds(stamp uint64) int64 {
	high, low := bits.Mul64(stamp%r.perSecond, 1e9)
	fraction, _ := bits.Div64(high, low, r.perSecond) // high is less, for the factor is
	seconds := int64(min(stamp/r.perSecond, latest))
	return min(max(seconds+min(max(r.offset, -latest), latest), 0), latest)*1e9 + int64(fraction)
}

// resolutionOf reads if_tsresol: "If the Most Significant Bit is equal to zero, the
// remaining bits indicate the resolution of the timestamp as a negative power of 10 [...].
// If [it] is equal to one, [...] as negative power of 2" (4.2).
func resolutionOf(b byte) (uint64, error) {
	n := b & 0x7f
	switch {
	case b&0x80 != 0 && n < 64:
		return 1 << n, nil
	case b&0x80 == 0 && n < 20:
		per := uint64(1)
		for range n {
			per *= 10
		}
		return per, nil
	}
	return 0, fmt.Errorf("it has an interface whose clock counts in no unit that there is (if_tsresol %#x); it is damaged", b)
}

// block reads blocks up to the next packet.
func (f *Files) block(one *file) error {
	for {
		head, err := one.in.next(8)
		if err != nil {
			return cut(err)
		}
		if binary.LittleEndian.Uint32(head) == blockSection {
			if err := f.section(one, head); err != nil {
				return err
			}
			continue
		}
		kind, length := one.order.Uint32(head), one.order.Uint32(head[4:])
		if length < 12 || length%4 != 0 {
			return fmt.Errorf("after %d packets, a block says that it has %d bytes; it is damaged from there on", one.Frames, length)
		}
		size := int(length) - 8
		if size > maxRecord {
			if kind == blockPacket || kind == blockSimple || kind == blockOldPacket {
				return fmt.Errorf("packet %d says that it has %d bytes; it is damaged from there on", one.Frames+1, size)
			}
			if err := one.in.skip(size); err != nil {
				return cut(err)
			}
			continue
		}
		body, err := one.in.next(size)
		if err != nil {
			return cut(noEOF(err))
		}
		if again := one.order.Uint32(body[size-4:]); again != length {
			return fmt.Errorf("after %d packets, a block of %d bytes ends as one of %d; it is damaged from there on", one.Frames, length, again)
		}
		found, err := f.content(one, kind, body[:size-4])
		if found || err != nil {
			return err
		}
	}
}

// content reads what is in a block, and reports whether that is a frame.
func (f *Files) content(one *file, kind uint32, b []byte) (found bool, err error) {
	switch kind {
	case blockInterface:
		return false, f.describe(one, b)
	case blockPacket:
		return true, one.enhanced(b, 4)
	case blockOldPacket:
		return true, one.enhanced(b, 2)
	case blockSimple:
		return true, one.simple(b)
	case blockJournal, blockCustom, blockCustomHere:
		one.Frames++ // Wireshark numbers them as frames
	case blockNames:
		f.resolve(one.order, b)
	case blockStatistics:
		one.statistics(b)
	case blockSecrets:
		if len(b) >= 8 && one.order.Uint32(b) == secretsTLS {
			n := min(uint64(one.order.Uint32(b[4:])), uint64(len(b)-8))
			if len(f.Secrets)+int(n) <= maxSecrets {
				f.Secrets = append(f.Secrets, b[8:8+n]...)
			}
		}
	}
	return false, nil
}

// section begins a section, of which head is the type and the length.
func (f *Files) section(one *file, head []byte) error {
	length := [4]byte(head[4:])
	magic, err := one.in.next(4)
	if err != nil {
		return cut(noEOF(err))
	}
	one.order = binary.LittleEndian
	if binary.BigEndian.Uint32(magic) == magicSection {
		one.order = binary.BigEndian
	}
	size := one.order.Uint32(length[:])
	if one.order.Uint32(magic) != magicSection || size < 28 || size%4 != 0 {
		return fmt.Errorf("after %d packets, the head of a section makes no sense; it is damaged from there on", one.Frames)
	}
	one.ifaces = len(one.Interfaces)
	return cut(one.in.skip(int(size) - 12))
}

// describe takes in an interface.
func (f *Files) describe(one *file, b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("after %d packets, the description of an interface is too short; it is damaged", one.Frames)
	}
	i := Interface{
		Link: LinkType(one.order.Uint16(b)), SnapLen: snapLen(one.order.Uint32(b[4:])),
		unit: resolution{perSecond: 1e6}, // "If this option is not present, a resolution of 10^-6 is assumed"
	}
	var err error
	options(one.order, b[8:], func(code uint16, v []byte) {
		switch {
		case code == optName:
			i.Name = strings.ToValidUTF8(string(v), "�")
		case code == optFilter && len(v) > 1 && v[0] == 0:
			i.Filter = strings.ToValidUTF8(string(v[1:]), "�")
		case code == optOffset && len(v) == 8:
			i.unit.offset = int64(one.order.Uint64(v))
		case code == optResolution && len(v) == 1:
			i.unit.perSecond, err = resolutionOf(v[0])
		}
	})
	if err != nil {
		return err
	}
	return f.place(one, i)
}

// options calls each with the options that b is (3.5).
func options(o order, b []byte, each func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := o.Uint16(b), int(o.Uint16(b[2:]))
		if code == 0 || 4+n > len(b) {
			return
		}
		each(code, b[4:4+n])
		b = b[min(4+(n+3)&^3, len(b)):]
	}
}

// enhanced reads an Enhanced Packet Block, or the Packet Block that it replaced; the number
// of the interface takes so many bytes.
func (one *file) enhanced(b []byte, width int) error {
	if len(b) < 20 {
		return one.short()
	}
	var i uint32
	if width == 4 {
		i = one.order.Uint32(b)
	} else {
		i = uint32(one.order.Uint16(b))
	}
	stamp := uint64(one.order.Uint32(b[4:]))<<32 | uint64(one.order.Uint32(b[8:]))
	return one.found(i, stamp, true, one.order.Uint32(b[12:]), one.order.Uint32(b[16:]), b[20:])
}

// simple reads a Simple Packet Block, which has no time: it gets the last one's.
func (one *file) simple(b []byte) error {
	if len(b) < 4 {
		return one.short()
	}
	wire := one.order.Uint32(b)
	size := min(wire, uint32(len(b)-4))
	if one.ifaces < len(one.Interfaces) {
		if snap := one.Interfaces[one.ifaces].SnapLen; snap > 0 {
			size = min(size, uint32(snap))
		}
	}
	return one.found(0, 0, false, size, wire, b[4:])
}

func (one *file) short() error {
	return fmt.Errorf("packet %d is too short to be one; it is damaged from there on", one.Frames+1)
}

// found makes a frame of what a block says.
func (one *file) found(i uint32, stamp uint64, timed bool, size, wire uint32, data []byte) error {
	if uint64(i) >= uint64(len(one.Interfaces)-one.ifaces) {
		return fmt.Errorf("packet %d is of an interface that is not described; it is damaged from there on", one.Frames+1)
	}
	if uint64(size) > uint64(len(data)) || wire > 1<<31-1 {
		return fmt.Errorf("packet %d says that it has %d bytes; it is damaged from there on", one.Frames+1, max(size, wire))
	}
	on := &one.Interfaces[one.ifaces+int(i)]
	one.frame = Frame{File: one.index, Place: on.place, Link: on.Link, Data: data[:size], Wire: int(max(wire, size))}
	if timed {
		one.at = on.unit.nanoseconds(stamp)
	}
	return nil
}

// statistics takes in what an interface says that it counted.
func (one *file) statistics(b []byte) {
	if len(b) < 12 || uint64(one.order.Uint32(b)) >= uint64(len(one.Interfaces)-one.ifaces) {
		return
	}
	on := &one.Interfaces[one.ifaces+int(one.order.Uint32(b))]
	var dropped linger.Opt[int64]
	options(one.order, b[12:], func(code uint16, v []byte) {
		if len(v) != 8 {
			return
		}
		n := int64(min(one.order.Uint64(v), 1<<53))
		switch code {
		case optReceived:
			on.Received = linger.Known(n)
		case optDropped, optOSDropped:
			dropped = linger.Known(dropped.Or(0) + n)
		}
	})
	if !dropped.IsZero() {
		on.Dropped = dropped
	}
}

// resolve takes in a Name Resolution Block.
func (f *Files) resolve(o order, b []byte) {
	for len(b) >= 4 {
		kind, n := o.Uint16(b), int(o.Uint16(b[2:]))
		if kind == 0 || 4+n > len(b) {
			return
		}
		v, size := b[4:4+n], 4
		if kind == 2 {
			size = 16
		}
		if addr, ok := netip.AddrFromSlice(v[:min(size, len(v))]); ok && kind <= 2 {
			name, _, _ := strings.Cut(string(v[size:]), "\x00")
			if len(f.Names) < maxNames && name != "" {
				f.Names[addr] = strings.ToValidUTF8(name, "�")
			}
		}
		b = b[min(4+(n+3)&^3, len(b)):]
	}
}
