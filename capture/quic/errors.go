package quic

import (
	"fmt"

	"linger/capture/tls"
)

// codeApplication stands for a code of the application before the handshake is done.
const codeApplication = 0x0c

// transportErrors are the names in the registry (RFC 9000, 20.1; RFC 9368, 7).
var transportErrors = map[uint64]string{
	0x00: "NO_ERROR",
	0x01: "INTERNAL_ERROR",
	0x02: "CONNECTION_REFUSED",
	0x03: "FLOW_CONTROL_ERROR",
	0x04: "STREAM_LIMIT_ERROR",
	0x05: "STREAM_STATE_ERROR",
	0x06: "FINAL_SIZE_ERROR",
	0x07: "FRAME_ENCODING_ERROR",
	0x08: "TRANSPORT_PARAMETER_ERROR",
	0x09: "CONNECTION_ID_LIMIT_ERROR",
	0x0a: "PROTOCOL_VIOLATION",
	0x0b: "INVALID_TOKEN",
	0x0c: "APPLICATION_ERROR",
	0x0d: "CRYPTO_BUFFER_EXCEEDED",
	0x0e: "KEY_UPDATE_ERROR",
	0x0f: "AEAD_LIMIT_REACHED",
	0x10: "NO_VIABLE_PATH",
	0x11: "VERSION_NEGOTIATION_ERROR",
}

// TransportError is the name of an error code of the transport, "CRYPTO_ERROR (ALERT)" of one of
// TLS (RFC 9000, 20.1), and the number of one that is not known.
func TransportError(code uint64) string {
	switch name, ok := transportErrors[code]; {
	case ok:
		return name
	case code>>8 == 1:
		return "CRYPTO_ERROR (" + tls.AlertName(byte(code)) + ")"
	}
	return fmt.Sprintf("0x%x", code)
}
