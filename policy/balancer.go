package policy

import (
	"math/rand/v2"

	"linger"
)

// A Balancer says which of several servers a new connection goes to. Servers and clients are
// numbered from 0. Not safe for concurrent use.
type Balancer struct {
	balance linger.Balance
	open    []int // connections of each server
	turn    int   // of the servers, where it is looked for first
	random  *rand.Rand
}

// NewBalancer returns the balancer of so many servers, at least one.
func NewBalancer(b linger.Balance, servers int, seed uint64) *Balancer {
	return &Balancer{balance: b, open: make([]int, max(1, servers)), random: rand.New(rand.NewPCG(seed, 0))}
}

// HandleOpen says that a client opens a connection, and returns the server that it goes to.
func (b *Balancer) HandleOpen(client int) (server int) {
	switch b.balance {
	case linger.LeastConnections:
		// Among equals each in its turn, as HAProxy's leastconn and nginx's least_conn do:
		// else the first would have all of what is closed at once.
		server = b.turn
		for i := range b.open {
			if s := (b.turn + i) % len(b.open); b.open[s] < b.open[server] {
				server = s
			}
		}
		b.turn = (server + 1) % len(b.open)
	case linger.RandomBalance:
		server = b.random.IntN(len(b.open))
	case linger.HashBalance:
		server = rendezvous(client, len(b.open))
	default:
		server = b.turn
		b.turn = (server + 1) % len(b.open)
	}
	b.open[server]++
	return server
}

// HandleClosed says that a connection to a server has ended.
func (b *Balancer) HandleClosed(server int) { b.open[server]-- }

// HandleAdded says that there is one more server from now on, the next by number.
func (b *Balancer) HandleAdded() { b.open = append(b.open, 0) }

// Servers is how many there are.
func (b *Balancer) Servers() int { return len(b.open) }

// rendezvous returns the server that weighs most for a client (Thaler and Ravishankar 1998): one
// that is added takes its share of each other's clients, and moves no others.
func rendezvous(client, servers int) (server int) {
	most := uint64(0)
	for s := range servers {
		if weight := mix(mix(uint64(client)+1) ^ uint64(s)); s == 0 || weight > most {
			server, most = s, weight
		}
	}
	return server
}

// mix is one step of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
