package http2

import (
	"encoding/binary"

	"linger/capture/talk"
	"linger/wire"
)

// Types of frames (RFC 9113, 6; RFC 7838, 4; RFC 8336, 2; RFC 9218, 7.1).
const (
	frameData           = 0x0
	frameHeaders        = 0x1
	framePriority       = 0x2
	frameReset          = 0x3
	frameSettings       = 0x4
	framePushPromise    = 0x5
	framePing           = 0x6
	frameGoAway         = 0x7
	frameWindowUpdate   = 0x8
	frameContinuation   = 0x9
	frameAltSvc         = 0xa
	frameOrigin         = 0xc
	framePriorityUpdate = 0x10
)

// Flags (RFC 9113, 6).
const (
	flagEnd      = 0x1 // END_STREAM
	flagAck      = 0x1
	flagWhole    = 0x4 // END_HEADERS
	flagPadded   = 0x8
	flagPriority = 0x20
)

// Settings (RFC 9113, 6.5.2).
const (
	settingStreams   = 0x3 // MAX_CONCURRENT_STREAMS
	settingWindow    = 0x4 // INITIAL_WINDOW_SIZE
	settingFrameSize = 0x5 // MAX_FRAME_SIZE
)

// errors are the names of error codes (RFC 9113, 7).
var errors = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// errorName returns the name of an error code, or that no standard has it.
func errorName(code uint32) string {
	if code < uint32(len(errors)) {
		return errors[code]
	}
	return "unknown error"
}

// A frame is the header of one (RFC 9113, 4.1).
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

// readFrame reads a header of wire.FrameHeaderSize bytes.
func readFrame(b []byte) frame {
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), kind: b[3], flags: b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1),
	}
}

// valid reports whether a frame is of a length and a stream that its type may have. One that is
// not is a connection error, or no frame.
func (f frame) valid() bool {
	switch f.kind {
	case frameData, frameHeaders, frameContinuation, framePushPromise:
		return f.stream != 0
	case frameReset:
		return f.stream != 0 && f.length == 4
	case frameSettings:
		return f.stream == 0 && f.length%wire.SettingSize == 0
	case framePing:
		return f.stream == 0 && f.length == 8
	case frameGoAway:
		return f.stream == 0 && f.length >= 8
	case frameWindowUpdate:
		return f.length == 4
	}
	return true
}

// plausible reports whether b begins with a header that is very likely one: of a type that is
// known, with no flag that the type lacks, of a length and a stream that it may have.
func plausible(b []byte, from talk.Side, longest int) (f frame, ok bool) {
	f = readFrame(b)
	if b[5]&0x80 != 0 || f.length > longest {
		return f, false
	}
	own := f.stream == 0 // of the connection
	var flags byte
	switch f.kind {
	case frameData:
		flags, ok = flagEnd|flagPadded, !own && (f.length > 0 || f.flags == flagEnd)
	case frameHeaders:
		flags, ok = flagEnd|flagWhole|flagPadded|flagPriority, f.stream&1 == 1 && f.length > 0
	case frameContinuation:
		flags, ok = flagWhole, f.stream&1 == 1 && f.length > 0
	case framePriority:
		ok = !own && f.length == 5
	case frameReset:
		ok = !own && f.length == 4
	case frameSettings:
		flags, ok = flagAck, own && f.length%wire.SettingSize == 0 && (f.flags == 0 || f.length == 0) && f.length < 256
	case framePushPromise:
		flags, ok = flagWhole|flagPadded, f.stream&1 == 1 && from == talk.Server && f.length > 4
	case framePing:
		flags, ok = flagAck, own && f.length == 8
	case frameGoAway:
		ok = own && f.length >= 8
	case frameWindowUpdate:
		ok = f.length == 4
	case frameAltSvc, frameOrigin:
		ok = from == talk.Server && f.length >= 2
	case framePriorityUpdate:
		ok = from == talk.Client && own && f.length > 4
	}
	return f, ok && f.flags&^flags == 0
}

// An Answer to whether bytes are frames.
type Answer uint8

const (
	No    Answer = iota
	Maybe        // there are too few of them
	Yes
)

// Looks reports whether b begins with frames of a side: two that follow each other, or one that
// ends with b.
func Looks(b []byte, from talk.Side) Answer {
	for n := 0; ; n++ {
		if len(b) < wire.FrameHeaderSize {
			switch {
			case n >= 2 || n == 1 && len(b) == 0:
				return Yes
			case n == 0 && len(b) > 0 && b[0] != 0:
				return No
			}
			return Maybe
		}
		f, ok := plausible(b, from, wire.FrameSize)
		switch {
		case !ok:
			return No
		case n >= 1:
			return Yes
		case f.length > len(b)-wire.FrameHeaderSize:
			return Maybe
		}
		b = b[wire.FrameHeaderSize+f.length:]
	}
}

// Begins reports whether b begins with what a server says first: SETTINGS (RFC 9113, 3.4).
func Begins(b []byte) Answer {
	const prefix = wire.FrameHeaderSize
	if len(b) < prefix {
		zero := "\x00\x00"
		if n := min(len(b), len(zero)); string(b[:n]) != zero[:n] || len(b) > 3 && b[3] != frameSettings {
			return No
		}
		return Maybe
	}
	if f, ok := plausible(b, talk.Server, wire.FrameSize); ok && f.kind == frameSettings && f.flags == 0 {
		return Yes
	}
	return No
}
