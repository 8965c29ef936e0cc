package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/finding"
	"linger/trace"
)

func clientOf(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }

// visit tells of a connection with so many requests, a second apart, that its client closes.
func visit(a *Auditor, id int64, client int, at linger.Instant, requests int) {
	c := trace.Connection{
		ID: id, Client: fmt.Sprintf("10.%d.%d.%d:%d", client>>16, client>>8&0xff, client&0xff, 1024+id%60000), Server: "192.0.2.1:80", Protocol: "http/1.1", Dialled: at,
		SYN: linger.Known(at), SYNACK: linger.Known(at.Add(time.Millisecond)), Established: linger.Known(at.Add(2 * time.Millisecond)), Requests: requests,
	}
	for n := range requests {
		at = at.Add(time.Second)
		a.WriteExchange(&trace.Exchange{
			Connection: id, Number: n + 1, Method: "GET", URL: "http://shop.example/", Status: 200, Sent: linger.Known(at), FirstByte: linger.Known(at), Done: linger.Known(at.Add(time.Millisecond)),
			Asked: trace.Said{Version: "1.1"}, Answered: trace.Said{Version: "1.1"},
		})
	}
	end := at.Add(2 * time.Millisecond)
	c.LastByte, c.Closed, c.ClosedBy, c.ClosedWith = linger.Known(at), linger.Known(end), trace.AtClient, trace.FIN
	a.WriteConnection(&c)
}

// Of many more clients than there is room for, those that came last are known, and of others
// nothing is claimed: not that they are new when they come again.
func TestForgottenClientsAreNotTakenForNew(t *testing.T) {
	const limit, clients = 200, 8_000
	rows := map[int64]Row{}
	a := New(Config{Limit: limit, Each: func(r Row) { rows[r.ID] = r }})
	most := 0
	for i := range clients {
		visit(a, int64(i), i, linger.Instant(i)*linger.Instant(10*time.Second), 1)
		most = max(most, len(a.hosts[0])+len(a.pools))
	}
	visit(a, clients, 0, linger.Instant(clients+1)*linger.Instant(10*time.Second), 1)
	r := a.End(linger.Instant(clients+2) * linger.Instant(10*time.Second))
	if most > 5*limit {
		t.Errorf("%d clients and pools were kept", most)
	}
	first := 0
	for id, row := range rows {
		if id < clients && row.Cause == First {
			first++
		}
	}
	if first < clients-20 || rows[clients].Cause != Undecided {
		t.Errorf("%d of %d are the first; the one that came again is %q", first, clients, rows[clients].Cause)
	}
	if i := slices.IndexFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == CaveatForgotten }); i < 0 || r.Caveats[i].Figures.Value("clients").Or(0) < clients/2 {
		t.Errorf("%v", r.Caveats)
	}
	if r.Opened != clients+1 {
		t.Errorf("%d were opened", r.Opened)
	}
}

// What is kept of open connections is bounded, however many requests they carry.
func TestRequestsOnOpenConnectionsAreBounded(t *testing.T) {
	const limit, open = 300, 200
	for _, test := range []struct {
		name   string
		opened func(a *Auditor, i, n int, at linger.Instant) // i has its n-th request
		loose  bool
	}{
		{"nothing is opened", func(*Auditor, int, int, linger.Instant) {}, false},
		{"others are opened all the time", func(a *Auditor, i, n int, at linger.Instant) {
			a.Turn(int64(1_000_000+n*open+i), at, clientOf(0), clientOf(1))
			a.Ignore(int64(1_000_000 + n*open + i))
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := New(Config{Limit: limit})
			for i := range open {
				a.Turn(int64(i), 0, clientOf(0), clientOf(1))
			}
			most := 0
			for n := range 300 {
				for i := range open {
					at := linger.Instant(n*open+i) * linger.Instant(time.Millisecond)
					test.opened(a, i, n, at)
					a.WriteExchange(&trace.Exchange{
						Connection: int64(i), Method: "GET", URL: "http://shop.example/", Status: 200, Sent: linger.Known(at), FirstByte: linger.Known(at.Add(time.Microsecond)), Done: linger.Known(at.Add(2 * time.Microsecond)),
						Asked: trace.Said{Version: "1.1"}, Answered: trace.Said{Version: "1.1"},
					})
					most = max(most, a.weight+len(a.marks)/2)
				}
			}
			if most > limit*weightOfConn*5/4 {
				t.Errorf("%d is held, of %d", most, limit*weightOfConn)
			}
			at := linger.Instant(300*open) * linger.Instant(time.Millisecond)
			for i := range open {
				a.WriteConnection(&trace.Connection{
					ID: int64(i), Client: fmt.Sprintf("%s:%d", clientOf(0), 1024+i), Server: fmt.Sprintf("%s:80", clientOf(1)), Protocol: "http/1.1", StillOpen: true,
					SYN: linger.Known[linger.Instant](0), SYNACK: linger.Known[linger.Instant](0), Established: linger.Known[linger.Instant](0), Requests: 300,
				})
			}
			r := a.End(at)
			said := slices.ContainsFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == CaveatFolded })
			if r.Exchanges != 300*open || said != test.loose {
				t.Errorf("%d requests; said that some were summed up: %v", r.Exchanges, said)
			}
			if n := r.Origins[0].Needed; n != 1 {
				t.Errorf("%d were under way at once", n)
			}
		})
	}
}
