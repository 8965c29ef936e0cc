package wire

// What a connection of HTTP/2 begins with, until SETTINGS say otherwise (RFC 9113, 6.5.2 and
// 6.9.2).
const (
	// FirstWindow is how many bytes of content may be sent on a stream, and on the connection.
	FirstWindow = 65_535
	// MaxWindow is the widest that a window may become (6.9.1).
	MaxWindow = 1<<31 - 1
	// FrameSize is the longest payload of a frame: the least SETTINGS_MAX_FRAME_SIZE, which
	// every peer takes.
	FrameSize = 16_384
	// TableSize is the size of the dynamic table that compresses heads, in bytes:
	// SETTINGS_HEADER_TABLE_SIZE (RFC 7541, 4.2).
	TableSize = 4096
	// AssumedStreams is how many requests a client may have outstanding: "It is recommended
	// that this value be no smaller than 100" (of SETTINGS_MAX_CONCURRENT_STREAMS).
	AssumedStreams = 100
)

// Sizes in bytes.
const (
	PrefaceSize      = 24                  // of the client's connection preface (RFC 9113, 3.4)
	FrameHeaderSize  = 9                   // of what precedes each frame (4.1)
	SettingSize      = 6                   // of one of SETTINGS (6.5.1)
	WindowUpdateSize = FrameHeaderSize + 4 // (6.9)
	GoAwaySize       = FrameHeaderSize + 8 // without debug data (6.8)
)
