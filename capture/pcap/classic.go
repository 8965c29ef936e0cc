package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
)

// order is that of a file's bytes.
type order = binary.ByteOrder

// Magic numbers of pcap. The third has more in the head of each packet: the index of the
// interface, a protocol and the direction (libpcap, sf-pcap.c: KUZNETZOV_TCPDUMP_MAGIC).
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34
)

// headSize is that of a pcap file, and recordSize that of a packet's.
const (
	headSize   = 24
	recordSize = 16
)

// beginPcap reads the head of a pcap file.
func (one *file) beginPcap(f *Files, magic []byte) error {
	one.order = binary.LittleEndian
	switch binary.BigEndian.Uint32(magic) {
	case magicMicro, magicNano, magicModified:
		one.order = binary.BigEndian
	}
	one.unit, one.little = 1e3, one.order == binary.LittleEndian
	switch one.order.Uint32(magic) {
	case magicMicro:
	case magicNano:
		one.unit = 1
	case magicModified:
		one.extra = 8
	default:
		return foreign(magic)
	}
	head, err := one.in.next(headSize)
	if err != nil {
		return fmt.Errorf("it ends within its head, after fewer than %d bytes; capture anew", headSize)
	}
	one.Format, one.read = "pcap", (*Files).packet
	// The upper bits of the link type are the length of the FCS, which the IP packet's own
	// length leaves out.
	link := LinkType(one.order.Uint32(head[20:]))
	one.frame.Place, one.frame.Link, one.frame.File = f.places, link, one.index
	return f.place(one, Interface{Link: link, SnapLen: snapLen(one.order.Uint32(head[16:]))})
}

// snapLen returns 0 for what no packet is longer than, as tcpdump has it.
func snapLen(n uint32) int {
	if n >= 1<<18 {
		return 0
	}
	return int(n)
}

// packet reads the next packet of a pcap file.
func (f *Files) packet(one *file) error {
	head, err := one.in.next(recordSize + one.extra)
	if err != nil {
		return cut(err)
	}
	var seconds, fraction, size, wire uint32
	if one.little {
		seconds, fraction = binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
		size, wire = binary.LittleEndian.Uint32(head[8:]), binary.LittleEndian.Uint32(head[12:])
	} else {
		seconds, fraction = binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
		size, wire = binary.BigEndian.Uint32(head[8:]), binary.BigEndian.Uint32(head[12:])
	}
	if size > maxRecord || wire > 1<<31-1 {
		return fmt.Errorf("packet %d says that it has %d bytes; it is damaged from there on", one.Frames+1, max(size, wire))
	}
	if one.frame.Data, err = one.in.next(int(size)); err != nil {
		return cut(noEOF(err))
	}
	one.frame.Wire = max(int(wire), int(size))
	one.at = int64(seconds)*1e9 + int64(fraction)*one.unit
	return nil
}

// cut says of an end within a packet what it is.
func cut(err error) error {
	if err == io.ErrUnexpectedEOF {
		return ErrCut
	}
	return err
}
