package wire

import (
	"encoding/binary"
	"io"
	"strconv"
)

// MessagePrefix is the size of what stands before each message of DNS on a stream, its length
// (RFC 1035, 4.2.2; RFC 9250, 4.2).
const MessagePrefix = 2

// AppendMessage appends a message behind its length. The message may have 65,535 bytes at most.
func AppendMessage(b, message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(message))), message...)
}

// MessageSize is the size of the message behind a prefix, which has MessagePrefix bytes.
func MessageSize(prefix []byte) int { return int(binary.BigEndian.Uint16(prefix)) }

// ReadMessage reads a message, into room where it fits. It returns io.EOF only where the stream
// has ended before it; with io.ErrUnexpectedEOF, message has its size where that is known.
func ReadMessage(r io.Reader, room []byte) (message []byte, err error) {
	var prefix [MessagePrefix]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	n := MessageSize(prefix[:])
	if n > cap(room) {
		room = make([]byte, n)
	}
	_, err = io.ReadFull(r, room[:n])
	return room[:n], unexpected(err)
}

// Error codes of DNS over QUIC (RFC 9250, 4.3).
const (
	DoQNoError       = 0x0
	DoQInternalError = 0x1
	DoQProtocolError = 0x2
	DoQCancelled     = 0x3
	DoQExcessiveLoad = 0x4
	DoQUnspecified   = 0x5
)

// DoQErrorName returns the name of an error code of DNS over QUIC, or its number.
func DoQErrorName(code uint64) string {
	names := [...]string{
		DoQNoError: "DOQ_NO_ERROR", DoQInternalError: "DOQ_INTERNAL_ERROR", DoQProtocolError: "DOQ_PROTOCOL_ERROR",
		DoQCancelled: "DOQ_REQUEST_CANCELLED", DoQExcessiveLoad: "DOQ_EXCESSIVE_LOAD", DoQUnspecified: "DOQ_UNSPECIFIED_ERROR",
	}
	if code < uint64(len(names)) {
		return names[code]
	}
	return "error " + hexadecimal(code)
}

func hexadecimal(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }
