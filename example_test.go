package linger_test

import (
	"fmt"

	"linger"
)

// A scenario is a workload, a strategy, a network and a seed. Each has a spelling that people
// write, and all of it is a value: engines are handed it, and change none of it.
func Example() {
	w, err := linger.ParseWorkload("gallery", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err = w.WithScheme(linger.SchemeHTTPS)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := linger.ParseStrategy("keep:6+resume")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := linger.ParseNetwork("lte")
	if err != nil {
		fmt.Println(err)
		return
	}
	scenario := linger.Scenario{Workload: w, Strategy: s, Network: n, Seed: 1}
	fmt.Println(scenario.Validate())
	fmt.Println(len(w.Exchanges), "exchanges by", s.Speaks(), "to port", s.Port(w.Scheme))
	fmt.Println(s.Connections, "connections, kept:", s.Persistent)
	// Output:
	// <nil>
	// 41 exchanges by HTTP/1.1 to port 443
	// 6 connections, kept: true
}

// An error says what to write instead.
func ExampleParseStrategy() {
	_, err := linger.ParseStrategy("h2+tfo+1.0")
	fmt.Println(err)
	// Output:
	// strategy "h2+tfo+1.0": HTTP/2 is another protocol than HTTP/1.0; use keep+1.0
}

// Whoever would branch on the name of a protocol asks the protocol.
func ExampleProtocol() {
	for _, p := range []linger.Protocol{linger.HTTP11, linger.H2, linger.H3, linger.DNSOverTLS, "imap"} {
		fmt.Printf("%s: %s, by %q, streams %v, encrypted always %v\n", p, p.Title(), p.Transport(), p.Multiplexed(), p.Secure())
	}
	// Output:
	// http/1.1: HTTP/1.1, by "tcp", streams false, encrypted always false
	// h2: HTTP/2, by "tcp", streams true, encrypted always false
	// h3: HTTP/3, by "quic", streams true, encrypted always true
	// dot: DNS over TLS, by "tcp", streams false, encrypted always true
	// imap: imap, by "", streams false, encrypted always false
}
