package packet_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/flow"
	"linger/trace"
)

// A listener is a Sink that hears of connections as they come and go.
type listener struct {
	turns   []string
	known   map[int64]bool
	records map[int64]bool
}

func (l *listener) Turn(connection int64, at linger.Instant, client, server netip.Addr) {
	l.known[connection] = true
	l.turns = append(l.turns, fmt.Sprintf("%d %d %v %v", connection, at/linger.Instant(time.Millisecond), client, server))
}

func (l *listener) WriteConnection(c *trace.Connection) error {
	l.records[c.ID] = true
	return nil
}

func (l *listener) WriteExchange(*trace.Exchange) error { return nil }

// Who listens hears of each SYN, each first byte and each FIN or RST, and of nothing that has no
// record.
func TestWatchersHearOfTurns(t *testing.T) {
	f := newFilm()
	whole := f.talk("192.0.2.7:40000", server).open() // 1 to 3 ms
	whole.say(cli, get).say(srv, ok)                  // 4 to 7 ms
	f.talk("192.0.2.8:40001", server).say(cli, get)   // began before: 8 and 9 ms
	whole.close(srv)                                  // 10 to 12 ms
	f.talk("192.0.2.9:40002", server).send(cli, flow.FIN|flow.ACK, "")
	file := f.pcap(raw, 1<<18)
	files, err := pcap.Open([]pcap.Input{{Name: "film", From: bytes.NewReader(file)}})
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{known: map[int64]bool{}, records: map[int64]bool{}}
	if s, err := packet.Read(files, packet.Options{}, l); err != nil || s.Stray != 1 {
		t.Fatalf("%v, %+v", err, s)
	}
	to := " " + netip.MustParseAddrPort(server).Addr().String()
	// Instants begin with the first frame.
	want := []string{"0 0 192.0.2.7" + to, "0 1 192.0.2.7" + to, "0 3 192.0.2.7" + to, "1 7 192.0.2.8" + to, "0 9 192.0.2.7" + to, "0 10 192.0.2.7" + to}
	if !slices.Equal(l.turns, want) {
		t.Errorf("heard\n%q, want\n%q", l.turns, want)
	}
	for id := range l.known {
		if !l.records[id] {
			t.Errorf("connection %d has no record", id)
		}
	}
}
