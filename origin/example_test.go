package origin_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"

	"linger"
	"linger/origin"
	"linger/origin/listen"
	"linger/policy"
)

// A server that takes two requests a connection is asked for three objects, one after the
// other.
func Example() {
	ctx := context.Background()
	server, err := origin.New(origin.Config{
		Workload: linger.Textbook(2),
		Policy:   policy.ServerPolicy{MaxRequests: 2},
	})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := listen.TCP(ctx, "127.0.0.1:0", listen.Options{})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- server.Serve(ctx, ln) }()

	client := &http.Client{Transport: &http.Transport{}}
	for _, path := range []string{"/", "/1", "/2"} {
		resp, err := client.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			log.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		fmt.Printf("%s %d bytes, closes after it: %v\n", path, n, resp.Close)
	}
	client.CloseIdleConnections()
	if err := server.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-served, server.Counters().Accepted, "connections")
	// Output:
	// / 1200 bytes, closes after it: false
	// /1 1000 bytes, closes after it: true
	// /2 1000 bytes, closes after it: false
	// <nil> 2 connections
}
