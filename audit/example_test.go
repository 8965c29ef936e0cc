package audit_test

import (
	"fmt"
	"time"

	"linger"
	"linger/audit"
	"linger/trace"
)

// A client asks twice, a second apart, and closes its connection at once after each answer: the
// second connection need not have been opened.
func Example() {
	at := func(ms int) linger.Instant { return linger.Instant(time.Duration(ms) * time.Millisecond) }
	known := func(ms int) linger.Opt[linger.Instant] { return linger.Known(at(ms)) }
	a := audit.New(audit.Config{
		At:   trace.AtClient,
		Each: func(r audit.Row) { fmt.Println("connection", r.ID, "was opened for", r.Cause) },
	})
	for i, ms := range []int{0, 1000} {
		_ = a.WriteExchange(&trace.Exchange{
			Connection: int64(i), Number: 1, Method: "GET", URL: "http://shop.example/", Status: 200,
			Queued: at(ms + 10), Sent: known(ms + 10), FirstByte: known(ms + 30), Done: known(ms + 30),
			Asked: trace.Said{Version: "1.1"}, Answered: trace.Said{Version: "1.1"},
		})
		_ = a.WriteConnection(&trace.Connection{
			ID: int64(i), Client: fmt.Sprint("192.0.2.7:", 40000+i), Server: "192.0.2.1:80", Origin: "shop.example", Protocol: linger.HTTP11,
			Dialled: at(ms), SYN: known(ms), SYNACK: known(ms + 10), Established: known(ms + 10),
			Closed: known(ms + 31), ClosedBy: trace.AtClient, ClosedWith: trace.FIN,
			Up: linger.Known(trace.Flow{Packets: 4, Header: 160, SYN: 1}), Down: linger.Known(trace.Flow{Packets: 3, Header: 120, SYN: 1}),
		})
	}
	r := a.End(at(2000))
	fmt.Printf("%d of %d connections need not have been opened\n", r.Avoidable, r.Opened)
	for _, f := range r.Findings {
		fmt.Printf("%s: %s\n", f.Subject.Name, f.Cause)
	}
	// Output:
	// connection 0 was opened for first
	// connection 1 was opened for client-closes-at-once
	// 1 of 2 connections need not have been opened
	// shop.example: client-closes-at-once
}
