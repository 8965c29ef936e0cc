package facts

import (
	"testing"
	"time"

	"linger"
	"linger/trace"
)

func TestHandshakeWait(t *testing.T) {
	ms := func(n int) linger.Instant { return linger.Instant(n) * linger.Instant(time.Millisecond) }
	conn := func(from, to int) trace.Connection {
		return trace.Connection{Dialled: ms(from), Connected: linger.Known(ms(to))}
	}
	sent := func(from, to int) trace.Exchange {
		return trace.Exchange{Sent: linger.Known(ms(from)), Done: linger.Known(ms(to))}
	}
	secure := func(from, established, to int) trace.Connection {
		k := conn(from, to)
		k.Established = linger.Known(ms(established))
		return k
	}
	for _, test := range []struct {
		name  string
		conns []trace.Connection
		exs   []trace.Exchange
		want  float64
		tls   float64
	}{
		{"one after the other", []trace.Connection{conn(0, 10), conn(30, 40)}, []trace.Exchange{sent(10, 30), sent(40, 60)}, 20, 0},
		{"two at once count once", []trace.Connection{conn(0, 10), conn(5, 15)}, []trace.Exchange{sent(15, 30)}, 15, 0},
		{"hidden behind a transfer", []trace.Connection{conn(0, 10), conn(12, 22)}, []trace.Exchange{sent(10, 60), sent(22, 60)}, 10, 0},
		{"never connected", []trace.Connection{{Dialled: ms(0)}}, nil, 60, 0},
		{"nothing", nil, nil, 0, 0},
		{"TLS after TCP", []trace.Connection{secure(0, 10, 25)}, []trace.Exchange{sent(25, 60)}, 25, 15},
		{"cleartext", []trace.Connection{secure(0, 10, 10)}, []trace.Exchange{sent(10, 60)}, 10, 0},
		{"one in TLS, one in TCP", []trace.Connection{secure(0, 10, 30), secure(15, 25, 40)}, []trace.Exchange{sent(30, 60)}, 30, 20},
		{"TLS behind a transfer", []trace.Connection{secure(0, 10, 20), secure(20, 30, 45)}, []trace.Exchange{sent(20, 35), sent(45, 60)}, 30, 20},
		{"early data", []trace.Connection{{Dialled: ms(0), Connected: linger.Known(ms(1)), Secured: linger.Known(ms(10))}}, []trace.Exchange{sent(1, 30)}, 1, 0},
		{"data in the SYN", []trace.Connection{{Dialled: ms(0), Connected: linger.Known(ms(0)), Established: linger.Known(ms(10))}}, []trace.Exchange{sent(0, 30)}, 0, 0},
		{"TLS that fails", []trace.Connection{{Dialled: ms(0), Established: linger.Known(ms(10)), Closed: linger.Known(ms(30))}}, nil, 30, 20},
	} {
		if got, tls := HandshakeWait(&trace.Trace{Ended: ms(60), Connections: test.conns, Exchanges: test.exs}); got != test.want || tls != test.tls {
			t.Errorf("%s: %v ms, %v of them TLS's; want %v, %v", test.name, got, tls, test.want, test.tls)
		}
	}
}
