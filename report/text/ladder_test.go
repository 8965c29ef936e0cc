package text

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/results"
	"linger/report/terminal"
	"linger/report/trial"
	"linger/trace"
)

// watched is a page and an image over two connections that the server closes, with the
// packets: some are lost, and sent again.
func watched() *trace.Trace {
	t := &trace.Trace{Provenance: trace.Measured, Engine: "lab", Workload: "objects:2x20000", Began: time.Unix(1000, 0), Ended: ms(1501), Network: linger.Network{Name: "lte", RTT: 70 * time.Millisecond},
		Connections: []trace.Connection{secure(conn(0, 0, 142, 360, trace.AtServer, 1), "http/1.1", 70, false), secure(conn(1, 361, 1430, 1500, trace.AtClient, 1), "http/1.1", 1358, true)},
		Exchanges:   []trace.Exchange{exch(0, 0, "https://origin/", 0, 142, 213, 360, 20_000), exch(1, 1, "https://origin/a/rather/long/name\x1b[31m.jpg?token=1", 213, 1430, 1501, 1501, 900)}}
	var f trace.Flights
	first := map[int]float64{}
	add := func(c int, by trace.Peer, at float64, packets, payload int, more trace.Piece) {
		if _, ok := first[c]; !ok {
			first[c] = at
		}
		for i := range packets {
			p := more
			p.At = ms(at + float64(i)*0.5)
			p.Arrives, p.Payload = p.At.Add(35*time.Millisecond), payload
			p.FIN, p.Stalled = more.FIN && i == packets-1, more.Stalled && i == 0
			p.Carried = !more.Carried // so that what is not said arrives
			f.Add(c, by, p)
		}
	}
	syn, fin, lost := trace.Piece{SYN: true}, trace.Piece{FIN: true}, trace.Piece{Carried: true}
	add(0, trace.AtClient, 0.2, 1, 0, syn)
	add(0, trace.AtServer, 35.3, 1, 0, syn)
	add(0, trace.AtClient, 70.6, 2, 750, trace.Piece{})
	add(0, trace.AtServer, 107, 3, 1400, trace.Piece{})
	add(0, trace.AtClient, 142.2, 2, 90, trace.Piece{})
	add(0, trace.AtServer, 178, 10, 1448, trace.Piece{})
	add(0, trace.AtServer, 250, 4, 1448, lost)
	add(0, trace.AtServer, 324, 4, 1448, trace.Piece{Stalled: true, Again: true, FIN: true})
	add(0, trace.AtClient, 364, 1, 0, fin)
	add(1, trace.AtClient, 361.2, 1, 0, trace.Piece{SYN: true, Carried: true})
	add(1, trace.AtClient, 1288, 1, 0, trace.Piece{SYN: true, Again: true, Stalled: true})
	add(1, trace.AtServer, 1323, 1, 0, syn)
	add(1, trace.AtClient, 1358.2, 1, 680, trace.Piece{})
	add(1, trace.AtServer, 1394, 1, 260, trace.Piece{})
	add(1, trace.AtClient, 1430.2, 2, 90, trace.Piece{})
	add(1, trace.AtServer, 1466, 1, 1080, trace.Piece{})
	add(1, trace.AtClient, 1501.5, 1, 24, trace.Piece{RST: true})
	l := trace.Ledger{}
	for c := range 2 {
		t.Connections[c].Client = fmt.Sprintf("10.0.1.1:%d", 1000+c)
		l.Connections = append(l.Connections, trace.Flows{Protocol: "tcp", Client: t.Connections[c].Client, First: t.Began.Add(time.Duration(ms(first[c])))})
	}
	for _, p := range []struct {
		c        int
		up, down int64
	}{{0, 12, 22}, {1, 9, 4}} {
		l.Connections[p.c].Up.Packets, l.Connections[p.c].Down.Packets = p.up, p.down
	}
	l.Flights, _ = f.List()
	t.Ledger = linger.Known(l)
	return t
}

func ladders(t testing.TB) map[string]trial.Ladder {
	out := map[string]trial.Ladder{}
	for name, tr := range map[string]*trace.Trace{"watched": watched(), "close": traces["close"], "keep2": traces["keep2"], "h2": traces["h2"], "udp": traces["udp"], "doq": traces["doq"]} {
		l, ok := trial.LadderOf(name, tr, 5, linger.Known(6.5))
		if !ok {
			t.Fatalf("%s: nothing was sent", name)
		}
		out[name] = l
	}
	return out
}

// Each message, each round trip and who closes; no line is wider than there is room, and with
// ASCII alone the lines are the same.
func TestLadder(t *testing.T) {
	for name, l := range ladders(t) {
		var all strings.Builder
		for _, o := range []terminal.Screen{{Width: 40}, {}, {Width: 120}, {ASCII: true}} {
			var b bytes.Buffer
			if err := Ladder(&b, l, Options{Screen: o}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := terminal.Width(strings.TrimSuffix(line, "\n")); n > o.Columns() {
					t.Errorf("%s: %d columns of %d: %s", name, n, o.Columns(), line)
				}
				for _, r := range line {
					if r < ' ' && r != '\n' || o.ASCII && r > '~' {
						t.Errorf("%s: %q in %q", name, r, line)
					}
				}
			}
			if name == "watched" || o.Width == 0 {
				fmt.Fprintf(&all, "== %d columns, ASCII %t\n%s", o.Columns(), o.ASCII, b.String())
			}
		}
		results.Golden(t, "ladder-"+name, all.String())
	}
}

// Of many connections that do the same, one is shown in full, and of each other a line says
// what it carried; --wide has all, and nothing is left out without a word.
func TestLadderLeavesNothingOutSilently(t *testing.T) {
	l := ladders(t)["close"]
	var short, all bytes.Buffer
	if err := Ladder(&short, l, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := Ladder(&all, l, Options{Screen: terminal.Screen{Wide: true}}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(all.String(), "▶│") + strings.Count(all.String(), "│◀"); n != len(l.Messages) {
		t.Errorf("%d of %d messages with --wide", n, len(l.Messages))
	}
	shown, lines := strings.Count(short.String(), "▶│")+strings.Count(short.String(), "│◀"), strings.Count(short.String(), " ┊ ")
	if lines != len(l.Connections)-1 || !strings.Contains(short.String(), fmt.Sprintf("%d of %d messages", len(l.Messages)-shown, len(l.Messages))) {
		t.Errorf("%d messages shown, a line for %d of %d connections:\n%s", shown, lines, len(l.Connections), short.String())
	}
}
