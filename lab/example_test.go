package lab_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"linger"
	"linger/lab"
)

// A client fetches from a server that is 40 ms away. The program that does so calls
// [lab.Inside] first of all.
func Example() {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	ctx := context.Background()
	l, err := lab.Open(ctx, lab.Config{
		Network: linger.Network{RTT: 40 * time.Millisecond, Down: 10 * linger.Mbps, Up: 2 * linger.Mbps},
		Hosts:   []lab.HostConfig{{Name: "client"}, {Name: "server", Side: lab.Server}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	server, err := l.Start(lab.Command{Host: "server", Path: "/usr/bin/python3", Args: []string{"-m", "http.server", "80"}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Signal(os.Interrupt)
	client, err := l.Start(lab.Command{
		Host: "client", Path: "/usr/bin/curl", Args: []string{"--retry-connrefused", "--retry", "9", "-s", "http://server/"}, Stdout: os.Stdout,
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Wait(); err != nil {
		log.Fatal(err)
	}
	r, err := l.Report(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Ledger.Up.Packets, "packets up")
}

// A slow network leaves room for many labs side by side, a fast one for few.
func ExampleCapacity() {
	for _, rate := range []linger.Rate{10 * linger.Mbps, 1 * linger.Gbps} {
		surely, most := lab.Capacity(linger.Network{RTT: 40 * time.Millisecond, Down: rate, Up: rate}, 4)
		fmt.Println(surely, most)
	}
	// Output:
	// 8 16
	// 1 1
}
