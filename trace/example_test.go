package trace_test

import (
	"bytes"
	"fmt"
	"time"

	"linger"
	"linger/trace"
)

// A recorder writes connections and exchanges as they end, and whoever looks reads them one by
// one: neither holds them all.
func ExampleStreamWriter() {
	var file bytes.Buffer
	w, err := trace.NewStreamWriter(&file, trace.Source{}, trace.Stream{Engine: "packet", Provenance: trace.Observed})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := func(ms int) linger.Instant { return linger.Instant(0).Add(time.Duration(ms) * time.Millisecond) }
	exchange := trace.Exchange{ID: 0, Method: "GET", URL: "http://shop.example/", Connection: 7, Number: 1, Status: 200, Attempts: 1,
		Queued: at(0), Sent: linger.Known(at(21)), Done: linger.Known(at(80))}
	connection := trace.Connection{ID: 7, Protocol: linger.HTTP11, Dialled: at(0), Established: linger.Known(at(20)), Requests: 1,
		Closed: linger.Known(at(5080)), ClosedBy: trace.AtServer, ClosedWith: trace.FIN}
	fmt.Println(w.WriteExchange(&exchange), w.WriteConnection(&connection), w.Close(trace.StreamEnd{Ended: at(6000)}))

	f, err := trace.Open(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	stream, err := f.Stream()
	if err != nil {
		fmt.Println(err)
		return
	}
	for record, err := range stream.Records() {
		switch {
		case err != nil:
			fmt.Println(err)
		case record.Exchange != nil:
			fmt.Println(record.Exchange.Method, record.Exchange.URL, "on connection", record.Exchange.Connection)
		default:
			k := record.Connection
			fmt.Println("connection", k.ID, "of", k.Protocol.Title(), "closed by the", k.ClosedBy, "with", k.ClosedWith)
		}
	}
	fmt.Println(stream.End.Connections, "connection,", stream.End.Exchanges, "exchange")
	// Output:
	// <nil> <nil> <nil>
	// GET http://shop.example/ on connection 7
	// connection 7 of HTTP/1.1 closed by the server with fin
	// 1 connection, 1 exchange
}
