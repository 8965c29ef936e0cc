package facts

import (
	"slices"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

func at(ms int) linger.Instant { return linger.Instant(ms) * linger.Instant(time.Millisecond) }

func known(ms int) linger.Opt[linger.Instant] { return linger.Known(at(ms)) }

// asked is an exchange on a connection, sent and answered in full at some ms.
func asked(connection int64, sent, done int) trace.Exchange {
	return trace.Exchange{Connection: connection, Queued: at(sent), Sent: known(sent), Done: known(done), Attempts: 1}
}

// failed is one that was sent and never answered.
func failed(connection int64, sent int) trace.Exchange {
	return trace.Exchange{Connection: connection, Queued: at(sent), Sent: known(sent), Attempts: 1, Failed: "timeout"}
}

func TestDelivered(t *testing.T) {
	w := linger.Workload{Exchanges: make([]linger.Exchange, 2)}
	for _, test := range []struct {
		name string
		exs  []trace.Exchange
		want bool
	}{
		{"both", []trace.Exchange{asked(0, 0, 10), asked(0, 10, 20)}, true},
		{"one is missing", []trace.Exchange{asked(0, 0, 10)}, false},
		{"one failed", []trace.Exchange{asked(0, 0, 10), failed(0, 10)}, false},
		{"one never ended", []trace.Exchange{asked(0, 0, 10), {Sent: known(10)}}, false},
	} {
		if got := Delivered(&trace.Trace{Exchanges: test.exs}, w); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// What is under way together is seen on a connection, or in which requests were wanted while
// another was not answered.
func TestTogether(t *testing.T) {
	for _, test := range []struct {
		name                 string
		exs                  []trace.Exchange
		requests             int // on connection 0
		overlapped, oneByOne bool
	}{
		{"one after the other", []trace.Exchange{asked(0, 0, 10), asked(0, 10, 20)}, 2, false, true},
		{"two at once on one connection", []trace.Exchange{asked(0, 0, 10), asked(0, 5, 20)}, 2, true, false},
		{"two at once on two", []trace.Exchange{asked(0, 0, 10), asked(1, 5, 20)}, 1, false, false},
		{"in no order", []trace.Exchange{asked(0, 10, 20), asked(0, 0, 10)}, 2, false, true},
		{"two that were never answered", nil, 2, true, true},
		{"one that was never answered holds up until the end", []trace.Exchange{failed(0, 0), asked(0, 5, 10)}, 2, true, false},
	} {
		tr := &trace.Trace{Ended: at(100), Exchanges: test.exs, Connections: []trace.Connection{{ID: 0, Requests: test.requests}, {ID: 1, Requests: 1}}}
		if got := Overlapped(tr); got != test.overlapped {
			t.Errorf("%s: overlapped is %v", test.name, got)
		}
		if got := OneByOne(tr); got != test.oneByOne {
			t.Errorf("%s: one by one is %v", test.name, got)
		}
	}
}

// A close is of idleness if it comes long after the last answer, by the server, with nothing
// outstanding.
func TestIdleEnds(t *testing.T) {
	const rtt = 50 * time.Millisecond // a parting takes 500 ms at most
	closed := func(ms int, by trace.Peer, requests int) trace.Connection {
		return trace.Connection{ID: 0, Closed: known(ms), ClosedBy: by, Requests: requests}
	}
	for _, test := range []struct {
		name string
		conn trace.Connection
		exs  []trace.Exchange
		want []float64
	}{
		{"idle for two seconds", closed(2010, trace.AtServer, 1), []trace.Exchange{asked(0, 0, 10)}, []float64{2000}},
		{"with the answer", closed(20, trace.AtServer, 1), []trace.Exchange{asked(0, 0, 10)}, nil},
		{"as late as a parting", closed(510, trace.AtServer, 1), []trace.Exchange{asked(0, 0, 10)}, nil},
		{"by the client", closed(2010, trace.AtClient, 1), []trace.Exchange{asked(0, 0, 10)}, nil},
		{"with a request outstanding", closed(2010, trace.AtServer, 2), []trace.Exchange{asked(0, 0, 10)}, nil},
		{"never used", closed(2010, trace.AtServer, 0), nil, nil},
		{"at the end of the trial", closed(5000, trace.AtServer, 1), []trace.Exchange{asked(0, 0, 10)}, nil},
	} {
		got := IdleEnds(&trace.Trace{Ended: at(5000), Exchanges: test.exs, Connections: []trace.Connection{test.conn}}, rtt)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// A window may be gone after 200 ms and a round trip without data (RFC 5681, 4.1).
func TestIdleRestarts(t *testing.T) {
	const rtt = 50 * time.Millisecond
	for _, test := range []struct {
		name string
		exs  []trace.Exchange
		want int
	}{
		{"at once", []trace.Exchange{asked(0, 0, 10), asked(0, 10, 20)}, 0},
		{"after a timeout", []trace.Exchange{asked(0, 0, 10), asked(0, 261, 270)}, 1},
		{"within it", []trace.Exchange{asked(0, 0, 10), asked(0, 260, 270)}, 0},
		{"on another connection", []trace.Exchange{asked(0, 0, 10), asked(1, 1000, 1010)}, 0},
		{"twice, in no order", []trace.Exchange{asked(0, 2000, 2010), asked(0, 0, 10), asked(0, 1000, 1010)}, 2},
		{"behind the last of several", []trace.Exchange{asked(0, 0, 900), asked(0, 5, 10), asked(0, 1000, 1010)}, 0},
	} {
		if got := IdleRestarts(&trace.Trace{Exchanges: test.exs}, rtt); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// With a ledger, connections and handshakes are those that crossed the link; without, those that
// the client tells of.
func TestCountHandshakes(t *testing.T) {
	up := known(10)
	tls := linger.Known(trace.TLS{})
	tr := &trace.Trace{Connections: []trace.Connection{
		{ID: 0, Protocol: linger.HTTP11, Established: up, TLS: tls},
		{ID: 1, Protocol: linger.HTTP11, Established: up, TLS: linger.Known(trace.TLS{Resumed: true})},
		{ID: 2, Protocol: linger.HTTP11}, // nobody answered
		{ID: 3, Protocol: linger.H3, Secured: up, TLS: tls},
		{ID: 4, Protocol: linger.DNSOverUDP},
	}}
	if got, want := CountHandshakes(tr), (Handshakes{Opened: 4, TCP: 2, QUIC: 1, Full: 2, Resumed: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	syn, initial := trace.Flow{Packets: 1, SYN: 1}, trace.Flow{Packets: 1, Initial: 1}
	tr.Ledger = linger.Known(trace.Ledger{Connections: []trace.Flows{
		{Protocol: linger.TransportTCP, Up: syn, Down: syn},
		{Protocol: linger.TransportTCP, Up: syn},
		{Protocol: linger.TransportUDP, Up: initial, Down: initial},
		{Protocol: linger.TransportUDP, Up: trace.Flow{Packets: 1}},
		{Protocol: "icmp"},
	}})
	if got, want := CountHandshakes(tr), (Handshakes{Opened: 3, TCP: 1, QUIC: 1, Full: 2, Resumed: 1}); got != want {
		t.Errorf("with a ledger %+v, want %+v", got, want)
	}
	l, _ := tr.Ledger.Get()
	if got := TrafficOf(l); got.Connections != 3 || got.Handshakes != 2 || got.Datagrams != 1 || got.Packets != (Directions{Up: 4, Down: 2}) {
		t.Errorf("%+v", got)
	}
	l.Overflow = 1
	tr.Ledger = linger.Known(l)
	if got := CountHandshakes(tr); got.Opened != 4 {
		t.Errorf("with a ledger that is not whole %+v", got)
	}
}

func TestShares(t *testing.T) {
	tr := &trace.Trace{
		Connections: []trace.Connection{{ID: 0, Requests: 3}, {ID: 1, Requests: 1}, {ID: 2}},
		Exchanges:   []trace.Exchange{asked(0, 0, 10), asked(0, 10, 20), asked(1, 0, 10), failed(0, 20)},
	}
	if got, ok := ReusedShare(tr); !ok || got != 1.0/3 {
		t.Errorf("reused %v, %v", got, ok)
	}
	if _, ok := Overhead(tr); ok {
		t.Error("an overhead, and nobody counted")
	}
	tr.Exchanges[0].ResponseBody = 600
	tr.Ledger = linger.Known(trace.Ledger{Connections: []trace.Flows{{Protocol: linger.TransportTCP, Up: trace.Flow{Header: 100, Payload: 100}, Down: trace.Flow{Header: 100, Payload: 700}}}})
	if got, ok := Overhead(tr); !ok || got < 0.4-1e-9 || got > 0.4+1e-9 {
		t.Errorf("overhead %v, %v", got, ok)
	}
	if got, ok := PerQuery(trace.Flow.Bytes)(tr); !ok || got != 1000.0/3 {
		t.Errorf("bytes a query %v, %v", got, ok)
	}
	if _, ok := ReusedShare(&trace.Trace{}); ok {
		t.Error("a share of nothing")
	}
}

// The datagram over TCP that follows a truncated answer is none that was sent again.
func TestResent(t *testing.T) {
	for _, test := range []struct {
		attempts  int
		truncated bool
		want      int
	}{{0, false, 0}, {1, false, 0}, {3, false, 2}, {2, true, 0}, {3, true, 1}} {
		if got := Resent(trace.Exchange{Attempts: test.attempts, Truncated: test.truncated}); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}
