package http1

import (
	"strings"
	"testing"

	"linger/conformance"
)

// FuzzHead reads heads of responses: whatever they are, what is wrong is said in one line,
// and what cannot be framed is not read.
func FuzzHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 100\r\nX : 1\r\n two\r\nno colon\r\n\r\n"), true)
	f.Add([]byte("HTTP/1.0 204 No Content\nContent-Length: 0, 1\n\n"), false)
	f.Fuzz(func(t *testing.T, raw []byte, old bool) {
		h, err := parseHead(raw, old)
		for _, fault := range h.faults {
			if fault.What == "" || strings.ContainsAny(fault.What, "\r\n\x00") || len(fault.What) > 400 {
				t.Errorf("%s: %q", fault.ID, fault.What)
			}
			conformance.CaseByID(fault.ID)
		}
		if err != nil {
			return
		}
		if how, n, err := h.framing("GET"); err == nil && n < 0 || err != nil && how != noContent {
			t.Errorf("%d bytes, framed by %d (%v)", n, how, err)
		}
	})
}
