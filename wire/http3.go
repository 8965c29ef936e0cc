package wire

import (
	"bufio"
	"io"
)

// Types of frames of HTTP/3 (RFC 9114, 7.2).
const (
	FrameData        = 0x0
	FrameHeaders     = 0x1
	FrameCancelPush  = 0x3
	FrameSettings    = 0x4
	FramePushPromise = 0x5
	FrameGoAway      = 0x7
	FrameMaxPushID   = 0xd
)

// Types of unidirectional streams (RFC 9114, 6.2; RFC 9204, 4.2).
const (
	StreamControl = 0x0
	StreamPush    = 0x1
	StreamEncoder = 0x2
	StreamDecoder = 0x3
)

// Identifiers of settings (RFC 9114, 7.2.4.1; RFC 9204, 5; RFC 9220, 5; RFC 9297, 5.1).
const (
	SettingTableCapacity   = 0x1
	SettingMaxFieldSection = 0x6
	SettingBlockedStreams  = 0x7
	SettingConnectProtocol = 0x8
	SettingDatagram        = 0x33
)

var settingNames = map[uint64]string{
	SettingTableCapacity:   "SETTINGS_QPACK_MAX_TABLE_CAPACITY",
	SettingMaxFieldSection: "SETTINGS_MAX_FIELD_SECTION_SIZE",
	SettingBlockedStreams:  "SETTINGS_QPACK_BLOCKED_STREAMS",
	SettingConnectProtocol: "SETTINGS_ENABLE_CONNECT_PROTOCOL",
	SettingDatagram:        "SETTINGS_H3_DATAGRAM",
}

// MaxControlFrame bounds what one side takes at once on the other's control stream, in bytes.
const MaxControlFrame = 16 << 10

// A Setting is a pair of SETTINGS (RFC 9114, 7.2.4).
type Setting struct{ ID, Value uint64 }

// Name returns the name in the registry, or the identifier in hexadecimal.
func (s Setting) Name() string {
	if name, ok := settingNames[s.ID]; ok {
		return name
	}
	return hexadecimal(s.ID)
}

// Forbidden reports whether the setting is one of HTTP/2 that HTTP/3 has not: those "MUST NOT
// be sent, and their receipt MUST be treated as a connection error" (RFC 9114, 7.2.4.1).
func (s Setting) Forbidden() bool { return 0x2 <= s.ID && s.ID <= 0x5 }

// Reserved reports whether the setting means nothing, and was sent to exercise that: those of
// "the format 0x1f * N + 0x21 for non-negative integer values of N" (RFC 9114, 7.2.4.1).
func (s Setting) Reserved() bool { return s.ID >= 0x21 && (s.ID-0x21)%0x1f == 0 }

// AppendSetting appends a pair.
func AppendSetting(b []byte, s Setting) []byte {
	return AppendVarint(AppendVarint(b, s.ID), s.Value)
}

// ParseSetting returns the pair that a payload of SETTINGS begins with, and what follows it.
// It returns ErrShort where the payload ends within the pair.
func ParseSetting(payload []byte) (s Setting, rest []byte, err error) {
	id, n, err := ParseVarint(payload)
	if err != nil {
		return s, payload, err
	}
	value, m, err := ParseVarint(payload[n:])
	if err != nil {
		return s, payload, err
	}
	return Setting{id, value}, payload[n+m:], nil
}

// AppendFrameHeader appends a frame's type and the length of its payload (RFC 9114, 7.1).
func AppendFrameHeader(b []byte, kind uint64, length int) []byte {
	return AppendVarint(AppendVarint(b, kind), uint64(length))
}

// ReadFrameHeader reads a frame's type and the length of its payload. It returns io.EOF only
// where the stream has ended before it.
func ReadFrameHeader(r io.ByteReader) (kind, length uint64, err error) {
	if kind, err = ReadVarint(r); err != nil {
		return 0, 0, err
	}
	length, err = ReadVarint(r)
	return kind, length, unexpected(err)
}

// FrameBytes is the size of a frame of HTTP/3 with a payload of n bytes, and a type of one.
func FrameBytes(n int64) int64 { return 1 + VarintSize(n) + n }

// IsHTTP2Frame reports whether a frame's type is reserved because it is one of HTTP/2: "These
// frame types MUST NOT be sent, and their receipt MUST be treated as a connection error of
// type H3_FRAME_UNEXPECTED" (RFC 9114, 7.2.8).
func IsHTTP2Frame(kind uint64) bool {
	return kind == 0x2 || kind == 0x6 || kind == 0x8 || kind == 0x9
}

// Skip reads n bytes and forgets them. It returns io.ErrUnexpectedEOF where there are fewer.
func Skip(r *bufio.Reader, n uint64) error {
	for n > 0 {
		k, err := r.Discard(int(min(n, 1<<20)))
		n -= uint64(k)
		if err != nil {
			return unexpected(err)
		}
	}
	return nil
}
