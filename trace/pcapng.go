package trace

import (
	"encoding/binary"
	"time"
)

// Packets are written as pcapng (draft-ietf-opsawg-pcapng), little-endian, one
// section, times in nanoseconds. Each function appends whole blocks to a byte
// slice, so that the caller decides on buffers, files and threads:
// AppendPcapngHeader once, AppendPcapngPacket for each packet, and
// AppendPcapngStatistics for each interface at the end.

// A PcapngInterface is one place that packets were seen at: a direction of the link.
type PcapngInterface struct {
	Name        string
	Description string
}

// Types of blocks (4.1 to 4.6) and of options in them.
const (
	blockSection    = 0x0A0D0D0A
	blockInterface  = 1
	blockStatistics = 5
	blockPacket     = 6

	optComment         = 1
	optApplication     = 4 // shb_userappl
	optName            = 2 // if_name
	optDescription     = 3 // if_description
	optTimeResolution  = 9 // if_tsresol
	optReceived        = 4 // isb_ifrecv
	optDroppedInFilter = 5 // isb_ifdrop

	linkTypeRaw = 101 // "the packet begins with an IPv4 or IPv6 header"
)

// AppendPcapngHeader appends the section header and the descriptions of the
// interfaces, which are numbered from 0 in this order.
func AppendPcapngHeader(b []byte, interfaces ...PcapngInterface) []byte {
	b, start := openBlock(b, blockSection)
	b = binary.LittleEndian.AppendUint32(b, byteOrderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, noLength)
	b = appendOption(b, optApplication, "linger")
	b = closeBlock(closeOptions(b), start)
	for _, i := range interfaces {
		b, start = openBlock(b, blockInterface)
		b = binary.LittleEndian.AppendUint16(b, linkTypeRaw)
		b = binary.LittleEndian.AppendUint16(b, 0)
		b = binary.LittleEndian.AppendUint32(b, 0) // packets are whole
		b = appendOption(b, optName, i.Name)
		if i.Description != "" {
			b = appendOption(b, optDescription, i.Description)
		}
		b = appendOption(b, optTimeResolution, "\x09") // 10^-9 s
		b = closeBlock(closeOptions(b), start)
	}
	return b
}

// AppendPcapngPacket appends one IP packet that the interface of that number saw
// at that time. An empty comment is left out.
func AppendPcapngPacket(b []byte, iface int, at time.Time, packet []byte, comment string) []byte {
	b, start := openBlock(b, blockPacket)
	b = appendTime(binary.LittleEndian.AppendUint32(b, uint32(iface)), at)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
	b = pad(append(b, packet...), len(packet))
	if comment != "" {
		b = closeOptions(appendOption(b, optComment, comment))
	}
	return closeBlock(b, start)
}

// PcapngPacketSize returns how many bytes AppendPcapngPacket appends for a packet
// of size bytes.
func PcapngPacketSize(size int, comment string) int {
	n := 32 + (size+3)&^3
	if comment != "" {
		n += 4 + (len(comment)+3)&^3 + 4
	}
	return n
}

// AppendPcapngStatistics appends what the interface of that number had seen by
// then: packets in all, and how many of them are not in the file.
func AppendPcapngStatistics(b []byte, iface int, at time.Time, received, missing uint64) []byte {
	b, start := openBlock(b, blockStatistics)
	b = appendTime(binary.LittleEndian.AppendUint32(b, uint32(iface)), at)
	b = appendOption(b, optReceived, string(binary.LittleEndian.AppendUint64(nil, received)))
	b = appendOption(b, optDroppedInFilter, string(binary.LittleEndian.AppendUint64(nil, missing)))
	return closeBlock(closeOptions(b), start)
}

// openBlock appends the beginning of a block, and returns where it begins.
func openBlock(b []byte, kind uint32) ([]byte, int) {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	return binary.LittleEndian.AppendUint32(b, 0), start
}

// closeBlock sets the length of the block that begins at start, which stands at
// both of its ends.
func closeBlock(b []byte, start int) []byte {
	length := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], length)
	return binary.LittleEndian.AppendUint32(b, length)
}

// appendTime appends a time in nanoseconds since 1970, the upper half first.
func appendTime(b []byte, at time.Time) []byte {
	ns := uint64(at.UnixNano())
	b = binary.LittleEndian.AppendUint32(b, uint32(ns>>32))
	return binary.LittleEndian.AppendUint32(b, uint32(ns))
}

func appendOption(b []byte, code uint16, value string) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...), len(value))
}

// closeOptions appends opt_endofopt.
func closeOptions(b []byte) []byte { return append(b, 0, 0, 0, 0) }

// pad appends zeros until n is a multiple of four.
func pad(b []byte, n int) []byte { return append(b, make([]byte, -n&3)...) }
