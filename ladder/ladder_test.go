package ladder

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

const ms = linger.Instant(time.Millisecond)

// connection is what the client notes of one, over TLS if it is secured.
func connection(id int64, dialled, established, secured linger.Instant) trace.Connection {
	k := trace.Connection{ID: id, Client: fmt.Sprintf("10.0.1.1:%d", 1000+id), Protocol: "http/1.1", Dialled: dialled * ms, Established: linger.Known(established * ms), Connected: linger.Known(max(established, secured) * ms)}
	if secured > 0 {
		k.Secured, k.TLS = linger.Known(secured*ms), linger.Known(trace.TLS{Version: "1.3"})
	}
	return k
}

func exchange(id int, on int64, queued, sent, first, done linger.Instant) trace.Exchange {
	return trace.Exchange{ID: id, Method: "GET", URL: fmt.Sprintf("http://origin/%d", id), Connection: on, Attempts: 1, Status: 200, Queued: queued * ms, Sent: linger.Known(sent * ms), FirstByte: linger.Known(first * ms), Done: linger.Known(done * ms)}
}

// flown is the flights of a connection: at how many ms each left and came, which is 10 later
// unless it is said; > is the client, < the server, S, F and R are flags, a number is bytes.
func flown(t *trace.Trace, client string, flights string) {
	l, _ := t.Ledger.Get()
	f := trace.Flows{Protocol: "tcp", Client: client}
	for i, text := range strings.Fields(flights) {
		var at, until, bytes int64
		by := trace.AtClient
		if text[0] == '<' {
			by = trace.AtServer
		}
		n, _ := fmt.Sscanf(strings.TrimRight(text[1:], "SFRx"), "%d:%d-%d", &at, &bytes, &until)
		if n < 3 {
			until = at
		}
		if i == 0 {
			f.First = t.Began.Add(time.Duration(at) * time.Millisecond)
		}
		since := linger.Micros(t.Began.Add(time.Duration(at) * time.Millisecond).Sub(f.First))
		m := trace.Flight{Connection: len(l.Connections), By: by, Sent: since, SentLast: since + linger.Micros(until-at)*linger.Micros(ms), Packets: 1 + bytes/1001, Payload: bytes,
			SYN: int64(strings.Count(text, "S")), FIN: int64(strings.Count(text, "F")), RST: int64(strings.Count(text, "R"))}
		if m.Lost = int64(strings.Count(text, "x")); m.Lost == 0 {
			m.Arrived, m.ArrivedLast = m.Sent+linger.Micros(10*ms), m.SentLast+linger.Micros(10*ms)
		}
		l.Flights = append(l.Flights, m)
		d := &f.Up
		if by == trace.AtServer {
			d = &f.Down
		}
		d.Packets += m.Packets + 1 // and an acknowledgement
	}
	l.Connections = append(l.Connections, f)
	t.Ledger = linger.Known(l)
}

// told is a ladder in letters: of each message its round trip, its connection and what it is.
func told(l *Ladder) string {
	var b strings.Builder
	for _, m := range l.Messages {
		fmt.Fprintf(&b, "%d#%d%s", m.Trip, l.Connections[m.Connection].Number, map[trace.Peer]string{trace.AtClient: ">", trace.AtServer: "<"}[m.By])
		b.WriteString(strings.Repeat("S", int(m.SYN)) + strings.Repeat("F", int(m.FIN)) + strings.Repeat("R", int(m.RST)))
		for _, p := range m.Parts {
			b.WriteString(string("haHfuqrc"[p.Kind]))
			if p.Kind == Request || p.Kind == Response {
				fmt.Fprint(&b, p.Exchange)
			}
			if p.Begins {
				b.WriteString("(")
			}
			if p.Ends {
				b.WriteString(")")
			}
		}
		b.WriteString(" ")
	}
	return strings.TrimSpace(b.String())
}

// A page over a connection of its own and one more, each closed by the server: TCP, TLS,
// a request and two flights of its response make four round trips, the next three.
func TestEachRoundTripOfTwoConnectionsIsNumbered(t *testing.T) {
	began := time.Unix(1000, 0)
	tr := &trace.Trace{Began: began, Ended: 148 * ms,
		Connections: []trace.Connection{connection(0, 0, 21, 43), connection(1, 84, 105, 127)},
		Exchanges:   []trace.Exchange{exchange(0, 0, 0, 43, 64, 84), exchange(1, 1, 64, 127, 148, 148)}}
	flown(tr, "10.0.1.1:1000", ">1S <11S >21:300 <32:3000 >43:170 <54:14000 <74:2000F >84F")
	flown(tr, "10.0.1.1:1001", ">85S <95S >105:300 <116:3000 >127:170 <138:900F >149F")
	l, ok := Of(tr)
	const want = "1#1>S 1#1<S 2#1>h 2#1<a 3#1>fq0 3#1<r0( 4#1<Fr0) 0#1>F 5#2>S 5#2<S 6#2>h 6#2<a 7#2>fq1 7#2<Fr1() 0#2>F"
	if got := told(l); !ok || got != want || l.Trips != 7 {
		t.Errorf("%d round trips: %s\nwant %s", l.Trips, got, want)
	}
	if want := (Counts{SYN: 4, FIN: 4, Requests: 2, Responses: 2}); l.Sum != want || l.Acks != 15 {
		t.Errorf("%+v and %d packets; want %+v and 15", l.Sum, l.Acks, want)
	}
	for _, c := range l.Connections {
		if c.First != trace.AtServer || c.Both || c.Requests != 1 {
			t.Errorf("#%d: %s sent the first FIN, both %t, %d requests", c.Number, c.First, c.Both, c.Requests)
		}
	}
}

// On a kept connection each request follows the response before it; what another connection
// does meanwhile is beside the chain.
func TestTheChainLeavesOutWhatRunsBesideIt(t *testing.T) {
	tr := &trace.Trace{Began: time.Unix(1000, 0), Ended: 83 * ms,
		Connections: []trace.Connection{connection(0, 0, 20, 0), connection(1, 41, 61, 0)},
		Exchanges:   []trace.Exchange{exchange(0, 0, 0, 20, 41, 41), exchange(1, 0, 41, 41, 62, 62), exchange(2, 0, 41, 62, 83, 83), exchange(3, 1, 41, 61, 82, 82)}}
	flown(tr, "10.0.1.1:1000", ">0S <10S >20:90 <31:900 >41:90 <52:900 >62:90 <73:900 >84F <94F")
	flown(tr, "10.0.1.1:1001", ">41S <51S >61:90 <72:900 >84F <93F")
	l, _ := Of(tr)
	const want = "1#1>S 1#1<S 2#1>q0 2#1<r0() 3#1>q1 0#2>S 0#2<S 0#2>q3 3#1<r1() 4#1>q2 0#2<r3() 4#1<r2() 0#1>F 0#2>F 0#2<F 0#1<F"
	if got := told(l); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if a, b := l.Connections[0], l.Connections[1]; a.First != trace.AtClient || a.Both || b.First != trace.AtClient || !b.Both {
		t.Errorf("first FIN by %s, both %t; by %s, both %t", a.First, a.Both, b.First, b.Both)
	}
}

// A connection that a reset ends leaves nobody in TIME_WAIT; what the client does not know
// of is there all the same, and so is what never came.
func TestOddConnections(t *testing.T) {
	tr := &trace.Trace{Began: time.Unix(1000, 0), Ended: 41 * ms,
		Connections: []trace.Connection{connection(0, 0, 20, 0)}, Exchanges: []trace.Exchange{exchange(0, 0, 0, 20, 41, 41)}}
	flown(tr, "10.0.1.1:1000", ">0S <10S >20:90 <31:900 >45R")
	flown(tr, "10.0.1.1:2000", ">5Sx >6S <16R")
	l, _ := Of(tr)
	if got, want := told(l), "1#1>S 0#2>S 0#2>S 1#1<S 2#1>q0 0#2<R 2#1<r0() 0#1>R"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, c := range l.Connections {
		if c.First != trace.Nobody {
			t.Errorf("#%d: %s is in TIME_WAIT", c.Number, c.First)
		}
	}
	if l.Connections[1].Known.IsZero() == false || l.Messages[1].Arrived.IsZero() == false {
		t.Errorf("%+v", l.Messages[1])
	}
}

// Where a browser's log has no ports, connections are matched by their order, and that is said.
func TestPairs(t *testing.T) {
	tr := &trace.Trace{Began: time.Unix(1000, 0), Ended: 41 * ms,
		Connections: []trace.Connection{connection(7, 0, 20, 0)}, Exchanges: []trace.Exchange{exchange(0, 7, 0, 20, 41, 41)}}
	tr.Connections[0].Client = ""
	flown(tr, "10.0.1.1:1000", ">0S <10S >20:90 <31:900")
	if l, _ := Of(tr); !l.Paired || told(l) != "1#1>S 1#1<S 2#1>q0 2#1<r0()" {
		t.Errorf("paired %t: %s", l.Paired, told(l))
	}
	// A port that comes into use again is that of the next connection with it.
	tr.Connections = []trace.Connection{connection(0, 0, 20, 0), connection(1, 50, 70, 0)}
	tr.Exchanges = []trace.Exchange{exchange(0, 0, 0, 20, 41, 41), exchange(1, 1, 41, 70, 91, 91)}
	tr.Connections[1].Client = tr.Connections[0].Client
	tr.Ended = 91 * ms
	flown(tr, "10.0.1.1:1000", ">50S <60S >70:90 <81:900")
	if l, _ := Of(tr); l.Paired || !strings.HasSuffix(told(l), "2#1>q0 2#1<r0() 3#2>S 3#2<S 4#2>q1 4#2<r1()") {
		t.Errorf("paired %t: %s", l.Paired, told(l))
	}
}

// Without packets there is what the client noted, at least so many round trips.
func TestWhatTheClientNoted(t *testing.T) {
	tr := &trace.Trace{Ended: 130 * ms,
		Connections: []trace.Connection{connection(0, 0, 20, 41), connection(1, 70, 90, 111)},
		Exchanges:   []trace.Exchange{exchange(0, 0, 0, 41, 62, 70), exchange(1, 1, 62, 111, 130, 130)}}
	tr.Connections[0].Closed, tr.Connections[0].ClosedBy = linger.Known(70*ms), trace.AtServer
	l, ok := Of(tr)
	const want = "1#1>S 1#1<S 2#1>h 2#1<a 3#1>q0 3#1<r0() 0#1<c 4#2>S 4#2<S 5#2>h 5#2<a 6#2>q1 6#2<r1()"
	if got := told(l); !ok || got != want || l.Packets || l.Trips != 6 {
		t.Errorf("%d round trips: %s\nwant %s", l.Trips, got, want)
	}
	if _, ok := Of(&trace.Trace{}); ok {
		t.Error("a trial in which nothing was sent has messages")
	}
}

// Datagrams are as many messages as there are packets; what was not asked after another
// makes no round trip more.
func TestDatagrams(t *testing.T) {
	tr := &trace.Trace{Began: time.Unix(1000, 0), Ended: 42 * ms}
	for i, at := range []linger.Instant{0, 0, 21} {
		tr.Connections = append(tr.Connections, trace.Connection{ID: int64(i), Client: fmt.Sprintf("10.0.1.1:%d", 1000+i), Protocol: "udp", Dialled: at * ms, Connected: linger.Known(at * ms)})
		tr.Exchanges = append(tr.Exchanges, exchange(i, int64(i), at, at, at+21, at+21))
		flown(tr, tr.Connections[i].Client, fmt.Sprintf(">%d:40 <%d:80", at, at+11))
	}
	l, _ := Of(tr)
	if got, want := told(l), "0#1>q0 1#2>q1 0#1<r0() 1#2<r1() 2#3>q2 2#3<r2()"; got != want || l.Trips != 2 {
		t.Errorf("%d round trips: %s\nwant %s", l.Trips, got, want)
	}
}

// Every message is of one connection, and in its list.
func TestMessagesOfConnections(t *testing.T) {
	tr := &trace.Trace{Began: time.Unix(1000, 0), Ended: 41 * ms, Connections: []trace.Connection{connection(0, 0, 20, 0)}, Exchanges: []trace.Exchange{exchange(0, 0, 0, 20, 41, 41)}}
	flown(tr, "10.0.1.1:1000", ">0S <10S >20:90 <31:900")
	l, _ := Of(tr)
	if !slices.Equal(l.Connections[0].Messages, []int{0, 1, 2, 3}) {
		t.Errorf("%v", l.Connections[0].Messages)
	}
}
