// Package load drives a server: closed and open loops of requests over connections of any strategy
// and lifetime, and counts to the unit what became of each ([tally.Run]). It is an engine, as live
// and sim are; what it counts is for others to judge.
//
// HTTP/1 in the clear goes by an event loop over epoll for each core, where there is one (Linux):
// nothing is allocated for a request, and no other goroutine is needed for it. TLS, HTTP/2, HTTP/3
// and other systems go by goroutines. Both have the same plan and the same counts.
package load

import (
	"crypto/tls"
	"net/netip"
	"time"

	"linger"
	"linger/ask"
	"linger/dial"
	"linger/load/plan"
	"linger/tally"
)

// A Config is a load. It stays on the addresses that its targets' names have when it begins: each
// is looked up once.
type Config struct {
	// Targets are what is asked for; at least one. Their weights say how often. Connections are
	// divided among the origins of several, at least one for each.
	Targets  []Target
	Strategy linger.Strategy
	// Connections is how many are held at once, or, of strategies that keep none, opened at
	// once; at least 1. It takes the place of the strategy's own. InFlight is how many requests
	// may be under way on each, where the strategy allows more than one; 0 is its own number, or 16
	// where that is unlimited.
	Connections, InFlight int
	Plan                  plan.Plan
	Life                  plan.Life
	Closing               tally.Closing // "" is tally.CloseFIN
	// Locals are the addresses of this machine that connections come from, in turn; none leaves
	// that to the system.
	Locals []netip.Addr
	Route  dial.Route
	// TLS is cloned for connections of https. Its NextProtos and ServerName, if empty, are set here.
	// Sessions are resumed where the strategy says so.
	TLS *tls.Config
	// Connect bounds how long a handshake takes, TLS included, Answer how long after a request was
	// sent the last byte of its answer comes, or how long one waits for a connection; 0 is 10 s
	// and 30 s.
	Connect, Answer time.Duration
	// Workers is how many event loops there are; 0 is one for each core.
	Workers int
	// Portable takes goroutines also where there is an event loop.
	Portable bool
	// Every is how often is told what a load has come to so far; 0 is 500 ms.
	Every time.Duration
}

// A Target is what is asked for.
type Target struct {
	Scheme  string // linger.SchemeHTTP or linger.SchemeHTTPS
	Address string // host:port that is connected to, by Config.Route
	Host    string // as the URL has it, with a port that is not the scheme's own
	Path    string // with its query; begins with "/"
	Message ask.Message
	Weight  int // 0 is 1
	// Encoding is the coding of contents that is accepted; empty is none.
	Encoding string
	// Expect is the status that answers are to have; 0 is any from 200 to 399.
	Expect int
}
