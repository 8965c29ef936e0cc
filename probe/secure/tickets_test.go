package secure

import (
	"bytes"
	"crypto/tls"
	"testing"
	"time"
)

// TestTicketsAsTheyCome reads what Go's own server sends, and a message with early data
// that is written by hand.
func TestTicketsAsTheyCome(t *testing.T) {
	t.Parallel()
	message := []byte{newSessionTicket, 0, 0, 26, 0, 0, 0x1c, 0x20, 1, 2, 3, 4, 1, 9, 0, 4, 5, 6, 7, 8, 0, 8, 0, earlyData, 0, 4, 0, 0, 0x40, 0}
	got := ticketsIn(append(message, message...), tls.VersionTLS13)
	if len(got) != 2 || got[1].lifetime != 2*time.Hour || got[1].early != 16<<10 {
		t.Errorf("it reads %+v", got)
	}
	if got := ticketsIn(message[:len(message)-1], tls.VersionTLS13); len(got) != 0 {
		t.Errorf("of a message cut short it reads %+v", got)
	}
	old := []byte{newSessionTicket, 0, 0, 8, 0, 0, 1, 0x2c, 0, 2, 1, 2}
	if got := ticketsIn(old, tls.VersionTLS12); len(got) != 1 || got[0].lifetime != 5*time.Minute {
		t.Errorf("of TLS 1.2 it reads %+v", got)
	}
}

func FuzzTickets(f *testing.F) {
	f.Add([]byte{22, 3, 3, 0, 12, newSessionTicket, 0, 0, 8, 0, 0, 1, 0x2c, 0, 2, 1, 2, 20, 3, 3, 0, 1, 1}, true)
	f.Add([]byte{23, 3, 3, 0, 1, 0}, false)
	f.Fuzz(func(t *testing.T, wire []byte, old bool) {
		version := uint16(tls.VersionTLS13)
		if old {
			version = tls.VersionTLS12
		}
		ticketsOn(wire, version, tls.TLS_AES_128_GCM_SHA256, bytes.Repeat([]byte{1}, 32))
		ticketsIn(wire, version)
		serverSecret(wire)
	})
}
