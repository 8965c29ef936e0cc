package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
)

// queries is n queries that are all known from the start.
func queries(n int) linger.Workload {
	w := linger.Workload{Name: "queries", Scheme: linger.SchemeDNS}
	for i := range n {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Query: linger.Query{Name: fmt.Sprintf("host%d.example", i), Type: "A"}, Parent: linger.NoParent})
	}
	return w
}

// TestDNS holds what the client does about queries against transcripts: each command
// with the millisecond in which it comes. A datagram's socket is there at once.
func TestDNS(t *testing.T) {
	chain := func(w linger.Workload, think time.Duration) linger.Workload {
		for i := range w.Exchanges {
			w.Exchanges[i].Parent, w.Exchanges[i].Think = i-1, think
			if i == 0 {
				w.Exchanges[i].Think = 0
			}
		}
		return w
	}
	for _, test := range []struct {
		name     string
		workload linger.Workload
		strategy string
		limits   Limits // DNSLimits where zero
		// answer says what becomes of the n-th request, from 1, on connection id.
		answer func(w *world, id, n, e int) reply
		want   string
	}{
		{
			name: "a datagram is sent at 0, 1, 3 and 7 s and given up at 15", workload: queries(1), strategy: "udp",
			answer: func(*world, int, int, int) reply { return reply{silent: true} },
			want: `0 dial 0
0 send 0 on 0, last
1000 send 0 on 0 again
3000 send 0 on 0 again
7000 send 0 on 0 again
15000 close 0: no answer to 4 datagrams in 15s
15000 fail 0: no answer to 4 datagrams in 15s`,
		},
		{
			name: "an answer that is late, after a datagram sent again", workload: queries(1), strategy: "udp",
			answer: func(_ *world, _, n, _ int) reply {
				if n == 1 {
					return reply{delay: time.Second}
				}
				return reply{silent: true}
			},
			want: `0 dial 0
0 send 0 on 0, last
1000 send 0 on 0 again
1100 close 0: it has carried all the requests that it may`,
		},
		{
			name: "what is truncated goes to TCP and holds up nobody", workload: queries(3), strategy: "udp:2",
			answer: func(w *world, id, _, e int) reply {
				if e == 0 && !w.conns[id].stream {
					return reply{truncated: true}
				}
				return reply{}
			},
			want: `0 dial 0
0 dial 1
0 send 0 on 0, last
0 send 1 on 1, last
100 close 0: it has carried all the requests that it may
100 dial 2
100 dial 3 over TCP
100 close 1: it has carried all the requests that it may
100 send 2 on 2, last
200 send 0 on 3, last
200 close 2: it has carried all the requests that it may
300 close 3: it has carried all the requests that it may`,
		},
		{
			name: "an announced idle limit, less a trip", workload: chain(queries(2), 2*time.Second), strategy: "tcp+keep",
			answer: func(w *world, id, _, _ int) reply {
				w.on(id, rtt, func() { w.client.HandleIdleLimit(w.now, id, time.Second) })
				return reply{}
			},
			want: `0 dial 0
100 send 0 on 0
1100 close 0: idle for nearly the 1s that the server allows
2200 dial 1
2300 send 1 on 1
2400 close 1: all is fetched`,
		},
		{
			name: "an idle limit of nothing", workload: queries(2), strategy: "tcp+keep",
			answer: func(w *world, id, _, _ int) reply {
				w.on(id, rtt-1, func() { w.client.HandleIdleLimit(w.now, id, 0) })
				return reply{}
			},
			want: `0 dial 0
100 send 0 on 0
200 close 0: server allows no idle time
200 dial 1
300 send 1 on 1
400 close 1: server allows no idle time`,
		},
		{
			name: "a server that closes after each answer", workload: queries(3), strategy: "tcp+pipeline",
			answer: func(_ *world, _, n, _ int) reply {
				if n == 1 {
					return reply{then: true}
				}
				return reply{silent: true}
			},
			want: `0 dial 0
100 send 0 on 0
100 send 1 on 0
100 send 2 on 0
200 close 0: server closed
200 dial 1
300 send 1 on 1
300 send 2 on 1
400 close 1: server closed
400 dial 2
500 send 2 on 2
600 close 2: all is fetched`,
		},
		{
			name: "a server that closes in place of each answer", workload: queries(2), strategy: "tcp+keep",
			answer: func(*world, int, int, int) reply { return reply{closes: true} },
			want: `0 dial 0
100 send 0 on 0
200 close 0: server closed
200 fail 0: server closed
200 dial 1
300 send 1 on 1
400 close 1: server closed
400 fail 1: server closed`,
		},
		{
			name: "a pace", workload: queries(3), strategy: "udp", limits: Limits{Repeat: time.Second, Sends: 1, Pace: 300 * time.Millisecond},
			answer: func(*world, int, int, int) reply { return reply{} },
			want: `0 dial 0
0 send 0 on 0, last
100 close 0: it has carried all the requests that it may
300 dial 1
300 send 1 on 1, last
400 close 1: it has carried all the requests that it may
600 dial 2
600 send 2 on 2, last
700 close 2: it has carried all the requests that it may`,
		},
		{
			name: "a query of early data that the server did not take", workload: queries(1), strategy: "doq+0rtt",
			answer: func(_ *world, _, n, _ int) reply { return reply{unopened: n == 1} },
			want: `0 dial 0
100 send 0 on 0, last
200 send 0 on 0, last
300 close 0: it has carried all the requests that it may`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.limits == (Limits{}) {
				test.limits = DNSLimits
			}
			w := newWorld(t, test.workload, strategy(t, test.strategy), test.limits)
			w.datagrams = strings.HasPrefix(test.strategy, "udp")
			w.respond = func(id, n, e int) reply { return test.answer(w, id, n, e) }
			got := w.run()
			if got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestPace says that a query is wanted when the pace lets it go, and not before.
func TestPace(t *testing.T) {
	const pace = 20 * time.Millisecond
	w := newWorld(t, queries(50), strategy(t, "tcp+pipeline"), Limits{Pace: pace})
	w.run()
	var wanted []time.Duration
	for e := range 50 {
		at, ok := w.client.Wanted(e).Get()
		if !ok {
			t.Fatalf("query %d was never wanted", e)
		}
		wanted = append(wanted, time.Duration(at))
	}
	slices.Sort(wanted)
	for i, at := range wanted {
		if at != time.Duration(i)*pace {
			t.Fatalf("query %d is wanted at %v, want %v", i, at, time.Duration(i)*pace)
		}
	}
}
