package live_test

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"linger"
	"linger/live"
)

// Four objects are fetched over one kept connection, from a server that knows nothing of it.
func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })}
	go server.Serve(listener)
	defer server.Close()

	strategy, err := linger.ParseStrategy("keep")
	if err != nil {
		fmt.Println(err)
		return
	}
	scenario := linger.Scenario{Workload: linger.Objects(100, 3, 100), Strategy: strategy}
	t, err := live.Run(context.Background(), scenario, live.Config{Address: listener.Addr().String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range t.Exchanges {
		fmt.Println(x.Status, "on connection", x.Connection)
	}
	fmt.Println("connections:", len(t.Connections))
	// Output:
	// 200 on connection 0
	// 200 on connection 0
	// 200 on connection 0
	// 200 on connection 0
	// connections: 1
}
