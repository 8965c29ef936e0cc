package policy_test

import (
	"fmt"
	"time"

	"linger"
	"linger/policy"
)

// A page and its object go over one kept connection. Whoever has the sockets does what the
// machine commands, and tells it what happened.
func ExampleClient() {
	w := linger.Workload{Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/", Status: 200, ResponseBody: 5000, Parent: linger.NoParent},
		{Method: "GET", Path: "/logo.png", Status: 200, ResponseBody: 20_000, Parent: 0},
	}}
	s, err := linger.ParseStrategy("keep")
	if err != nil {
		fmt.Println(err)
		return
	}
	client := policy.NewClient(w, s, policy.DefaultLimits)
	now := linger.Instant(0)
	client.HandleStart(now)
	for cmd, ok := client.Poll(); ok; cmd, ok = client.Poll() {
		now = now.Add(50 * time.Millisecond) // everything takes a round trip here
		switch cmd.Kind {
		case policy.Dial:
			fmt.Println("open connection", cmd.Conn)
			client.HandleConnected(now, cmd.Conn)
		case policy.Send:
			fmt.Println("send", w.Exchanges[cmd.Exchange].Path, "on connection", cmd.Conn)
			client.HandleSent(now, cmd.Conn, cmd.Exchange)
			client.HandleBody(now, cmd.Conn, cmd.Exchange, w.Exchanges[cmd.Exchange].ResponseBody)
			client.HandleResponse(now, cmd.Conn, cmd.Exchange, true)
		case policy.Close:
			fmt.Println("close connection", cmd.Conn)
		}
	}
	// Output:
	// open connection 0
	// send / on connection 0
	// send /logo.png on connection 0
	// close connection 0
}

// A server that closes a connection after three idle seconds, or after its second response.
func ExampleServer() {
	s := policy.NewServer(policy.ServerPolicy{IdleTimeout: 3 * time.Second, MaxRequests: 2}, 0)
	fmt.Println("idle until", time.Duration(s.NextTimeout()))
	now := linger.Instant(time.Second)
	for range 2 {
		s.HandleRequestStart(now)
		fmt.Println("keeps the connection:", s.HandleRequest(now, "1.1", nil))
		s.HandleResponse(now)
	}
	reason, due := s.Closing()
	fmt.Println(due, reason)
	// Output:
	// idle until 3s
	// keeps the connection: true
	// keeps the connection: false
	// true requests per connection used up
}
