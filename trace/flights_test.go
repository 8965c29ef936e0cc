package trace

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"linger"
)

// On a path of 10 ms each way, packets are written as they were sent: who, at how many ms,
// what. > is the client, < the server; S, F and R are flags, a number is that many bytes, x
// a packet that is lost, ! one behind a silence.
func TestFlights(t *testing.T) {
	for _, test := range []struct{ name, packets, want string }{
		{"a page over a connection of its own",
			">0S <10S >20- >20 100 <30- <30 1400 <31 1400 >40- <50 1400 <51 1400F >70F <80-",
			">S <S >100 <2800 <2800F >F"},
		{"one that waits for the hosts is no new one", ">0 100 >8 100 >9 100", ">300"},
		{"what comes back ends it, an acknowledgement too", ">0 100 <10- >19 100 >20 100", ">200 >100"},
		{"what was sent before it came is no answer", ">0 100 <9 50 >19 100", ">200 <50"},
		{"a SYN that is sent again is a flight of its own", ">0Sx >1000!S <1010S >1020 9", ">Sx >S <S >9"},
		{"where the first packet is lost, the next one asks for an answer", ">0 100x >1 100 <11- >20 100 >21 100", ">300x >100"},
		{"a timer begins another", ">0 100x >300!100", ">100x >100"},
		{"a reset", ">0 100 <10R", ">100 <R"},
	} {
		var f Flights
		for _, p := range fields(test.packets) {
			f.Add(0, p.by, p.Piece)
		}
		list, left := f.List()
		var got []string
		for _, l := range list {
			s := map[Peer]string{AtClient: ">", AtServer: "<"}[l.By] + strings.Repeat("S", int(l.SYN))
			if l.Payload > 0 {
				s += fmt.Sprint(l.Payload)
			}
			got = append(got, s+strings.Repeat("F", int(l.FIN))+strings.Repeat("R", int(l.RST))+strings.Repeat("x", int(l.Lost)))
		}
		if s := strings.Join(got, " "); s != test.want || left != 0 {
			t.Errorf("%s: %s, %d left; want %s", test.name, s, left, test.want)
		}
	}
}

type sentPiece struct {
	by Peer
	Piece
}

// fields reads packets as TestFlights has them.
func fields(text string) (out []sentPiece) {
	for _, s := range strings.Split(strings.NewReplacer(" >", "\n>", " <", "\n<").Replace(text), "\n") {
		p := sentPiece{by: AtClient, Piece: Piece{Carried: !strings.Contains(s, "x"), Stalled: strings.Contains(s, "!"),
			SYN: strings.Contains(s, "S"), FIN: strings.Contains(s, "F"), RST: strings.Contains(s, "R")}}
		if s[0] == '<' {
			p.by = AtServer
		}
		var at int
		fmt.Sscanf(strings.NewReplacer("!", " ", "S", " ", "F", " ").Replace(s[1:]), "%d%d", &at, &p.Payload)
		p.At = linger.Instant(at) * linger.Instant(time.Millisecond)
		p.Arrives = p.At.Add(10 * time.Millisecond)
		out = append(out, p)
	}
	return out
}

func TestFlightsHaveTheTimesOfBothEnds(t *testing.T) {
	var f Flights
	ms := func(n int) linger.Instant { return linger.Instant(n) * linger.Instant(time.Millisecond) }
	f.Add(1, AtClient, Piece{At: ms(5), Arrives: ms(15), Carried: true, SYN: true})
	for i := range 3 {
		f.Add(1, AtServer, Piece{At: ms(20 + i), Arrives: ms(30 + 2*i), Carried: i != 1, Payload: 10, Again: i == 2})
	}
	list, _ := f.List()
	want := Flight{Connection: 1, By: AtServer, Sent: inMicros(15), SentLast: inMicros(17), Arrived: inMicros(25), ArrivedLast: inMicros(29), Packets: 3, Payload: 30, Again: 1, Lost: 1}
	if len(list) != 2 || list[1] != want {
		t.Errorf("%+v\nwant %+v", list, want)
	}
}

func inMicros(ms int) linger.Micros { return linger.Micros(ms) * linger.Micros(time.Millisecond) }

func TestFlightsAreBounded(t *testing.T) {
	var f Flights
	for i := range MostFlights + 100 {
		f.Add(i%7, AtClient, Piece{At: linger.Instant(i), Arrives: linger.Instant(i), Carried: true, SYN: true})
	}
	if list, left := f.List(); len(list) != MostFlights || left != 100 {
		t.Errorf("%d flights, %d packets left", len(list), left)
	}
}

// What an earlier visit sent is in no flight, either.
func TestSinceKeepsTheFlightsOfWhatIsLeft(t *testing.T) {
	began := time.Unix(100, 0)
	l := Ledger{
		Connections: []Flows{{First: began.Add(-time.Second)}, {First: began, Client: "a"}, {First: began.Add(-1)}, {First: began.Add(1), Client: "b"}},
		Flights:     []Flight{{Connection: 0}, {Connection: 3, Packets: 3}, {Connection: 1, Packets: 1}, {Connection: 2}},
	}.Since(began)
	if len(l.Flights) != 2 || l.Flights[0] != (Flight{Connection: 1, Packets: 3}) || l.Flights[1] != (Flight{Connection: 0, Packets: 1}) {
		t.Errorf("%+v", l.Flights)
	}
}
