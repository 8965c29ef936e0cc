package http3

import (
	"bufio"
	"fmt"
	"io"

	"linger/wire"
)

// readFrame reads a frame of HTTP/3 that is no longer than most bytes.
func readFrame(r *bufio.Reader, most uint64) (kind uint64, payload []byte, err error) {
	kind, n, err := wire.ReadFrameHeader(r)
	if err != nil {
		return 0, nil, err
	}
	if n > most {
		return kind, nil, fmt.Errorf("a frame of HTTP/3 has %d bytes", n)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return kind, nil, io.ErrUnexpectedEOF
	}
	return kind, payload, nil
}

// settingsIn reads the pairs of SETTINGS (RFC 9114, 7.2.4) as far as they make sense.
// Those that are reserved to mean nothing (7.2.4.1) are left out.
func settingsIn(payload []byte) map[string]uint64 {
	out := map[string]uint64{}
	for len(payload) > 0 && len(out) < 64 {
		setting, rest, err := wire.ParseSetting(payload)
		if err != nil {
			break
		}
		if payload = rest; !setting.Reserved() {
			out[setting.Name()] = setting.Value
		}
	}
	return out
}
