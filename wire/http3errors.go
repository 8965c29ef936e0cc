package wire

// HTTP3ErrorName returns the name of an error code of HTTP/3 or QPACK, or its number (RFC 9114,
// 8.1; RFC 9204, 6; RFC 9297, 5.2).
func HTTP3ErrorName(code uint64) string {
	names := [...]string{
		"H3_NO_ERROR", "H3_GENERAL_PROTOCOL_ERROR", "H3_INTERNAL_ERROR", "H3_STREAM_CREATION_ERROR",
		"H3_CLOSED_CRITICAL_STREAM", "H3_FRAME_UNEXPECTED", "H3_FRAME_ERROR", "H3_EXCESSIVE_LOAD", "H3_ID_ERROR",
		"H3_SETTINGS_ERROR", "H3_MISSING_SETTINGS", "H3_REQUEST_REJECTED", "H3_REQUEST_CANCELLED",
		"H3_REQUEST_INCOMPLETE", "H3_MESSAGE_ERROR", "H3_CONNECT_ERROR", "H3_VERSION_FALLBACK",
	}
	const first = 0x100
	switch {
	case code >= first && code-first < uint64(len(names)):
		return names[code-first]
	case code == 0x200:
		return "QPACK_DECOMPRESSION_FAILED"
	case code == 0x201:
		return "QPACK_ENCODER_STREAM_ERROR"
	case code == 0x202:
		return "QPACK_DECODER_STREAM_ERROR"
	case code == 0x33:
		return "H3_DATAGRAM_ERROR"
	}
	return "error " + hexadecimal(code)
}
