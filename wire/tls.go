package wire

import "encoding/binary"

// Types of TLS records (RFC 8446, 5.1).
const (
	RecordChangeCipher = 20
	RecordAlert        = 21
	RecordHandshake    = 22
	RecordData         = 23
)

const (
	// RecordHeaderSize is the size of what precedes each record: type, version, length.
	RecordHeaderSize = 5
	// MaxPlaintext is the most that one record holds before it is protected.
	MaxPlaintext = 1 << 14
)

// RecordSize is the size of a record's content, from its header, which has RecordHeaderSize
// bytes.
func RecordSize(header []byte) int { return int(binary.BigEndian.Uint16(header[3:])) }

// ParseRecord returns the record that b begins with, its header and its content apart, and what
// follows it. It returns ErrShort where b ends within the record.
func ParseRecord(b []byte) (header, content, rest []byte, err error) {
	if len(b) < RecordHeaderSize || len(b)-RecordHeaderSize < RecordSize(b) {
		return nil, nil, b, ErrShort
	}
	end := RecordHeaderSize + RecordSize(b)
	return b[:RecordHeaderSize], b[RecordHeaderSize:end], b[end:], nil
}
