package tls

import (
	"testing"

	"linger/wire"
)

// The records of a long write, as captures of the lab show them: one packet, two,
// three, up to 16 KiB; after 128 KiB all of that size.
func TestRecordsGrow(t *testing.T) {
	var c Cutter
	c.Handshaken(4166)
	for i, want := range []int{1186, 2372, 3558, 4744} {
		if got := c.Next(1 << 20); got != want {
			t.Errorf("record %d holds %d bytes, want %d", i, got, want)
		}
	}
	for range 20 {
		c.Next(1 << 20)
	}
	if got := c.Next(1 << 20); got != wire.MaxPlaintext {
		t.Errorf("a late record holds %d bytes", got)
	}
	if got := c.Next(100); got != 100 {
		t.Errorf("a record of what is left holds %d bytes", got)
	}
}

// As captured: hello, answer and Finished of a full and of a resumed handshake.
func TestFlights(t *testing.T) {
	for _, x := range []struct {
		protocol       string
		keeps, resumed bool
		want           Handshake
	}{
		{"http/1.1", false, false, Handshake{1513, 4166, 64, 0}},
		{"h2", false, false, Handshake{1507, 4160, 64, 0}},
		{"http/1.1", true, false, Handshake{1523, 4312, 64, 146}},
		{"http/1.1", true, true, Handshake{1675, 1472, 64, 146}},
	} {
		if got := NewHandshake("origin", x.protocol, 0, x.keeps, x.resumed); got != x.want {
			t.Errorf("%s, keeps %v, resumed %v: %+v, want %+v", x.protocol, x.keeps, x.resumed, got, x.want)
		}
	}
}

// As captured: the messages of QUIC's handshakes, full, with a session to be kept, and
// with early data.
func TestMessages(t *testing.T) {
	for _, x := range []struct {
		keeps, resumed, early bool
		want                  Messages
	}{
		{false, false, false, Messages{1509, 1178, 2957, 36, 181}},
		{true, false, false, Messages{1524, 1178, 2957, 36, 181}},
		{true, true, true, Messages{1719, 1184, 163, 36, 181}},
	} {
		if got := QUIC("origin", "h3", 0, x.keeps, x.resumed, x.early); got != x.want {
			t.Errorf("keeps %v, resumed %v, early %v: %+v, want %+v", x.keeps, x.resumed, x.early, got, x.want)
		}
	}
}
