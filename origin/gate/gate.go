// Package gate lets connections into a server, and requests to its cores: the machines of package
// policy, policy.Gate and policy.Cores, for the goroutines of a server. One Gate is of one server,
// whatever the number of its listeners; time is an argument.
package gate

import (
	"errors"
	"sync"

	"linger"
	"linger/policy"
)

// ErrClosed is the error of Enter once the gate is closed.
var ErrClosed = errors.New("the server takes no more connections")

// A Gate holds what a server has room for, and what of it is taken.
type Gate struct {
	capacity policy.Capacity
	giveWay  func(ticket int64)
	full     func()

	mu      sync.Mutex
	changed sync.Cond // there may be room, or somebody who gives way
	machine *policy.Gate
	cores   *policy.Cores
	tickets int64          // the last one
	former  int64          // the last one before Renew
	waiting int            // calls of Enter that wait for a change
	now     linger.Instant // the latest that was told
	told    bool           // full was called
	closed  bool
}

// New returns the gate of a server. giveWay is called to have a connection closed that gives way
// to another, and is not to wait for that; full, unless nil, the first time that a connection has
// to wait. No lock is held meanwhile.
func New(c policy.Capacity, giveWay func(ticket int64), full func()) *Gate {
	g := &Gate{capacity: c, giveWay: giveWay, full: full, machine: policy.NewGate(c), cores: policy.NewCores(c)}
	g.changed.L = &g.mu
	return g
}

// Limited reports whether a connection may ever have to wait, or be refused.
func (g *Gate) Limited() bool { return g.capacity.Workers > 0 || g.capacity.MaxConnections > 0 }

// Enter waits until one connection more may be taken, and returns its ticket, for which Leave is
// to be called, or that the connection is refused. queue waits until a connection is there to be
// taken, and returns how many are; it is nil where one is. The error is that of queue, or ErrClosed.
func (g *Gate) Enter(queue func() (int, error)) (ticket int64, refused bool, err error) {
	for n := 1; ; {
		if queue != nil {
			if n, err = queue(); err != nil {
				return 0, false, err
			}
		}
		g.mu.Lock()
		if g.closed || g.machine.Room() {
			defer g.mu.Unlock()
			if g.closed {
				return 0, false, ErrClosed
			}
			g.tickets++
			return g.tickets, g.machine.HandleAccept(g.tickets), nil
		}
		var leaving []int64
		for id, ok := g.machine.Poll(n); ok; id, ok = g.machine.Poll(n) {
			leaving = append(leaving, id)
		}
		first := !g.told && len(leaving) == 0
		g.told = g.told || first
		if len(leaving) == 0 && !first {
			g.waiting++
			g.changed.Wait()
			g.waiting--
		}
		g.mu.Unlock()
		if first && g.full != nil {
			g.full()
		}
		for _, id := range leaving {
			g.giveWay(id)
		}
	}
}

// Leave says that the server holds the connection of that ticket no longer.
func (g *Gate) Leave(ticket int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.machine.HandleClosed(ticket)
	g.wake()
}

// SetBusy says that a request is under way on a connection, or that none is any more.
func (g *Gate) SetBusy(ticket int64, busy bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if busy {
		g.machine.HandleBusy(ticket)
		return
	}
	g.machine.HandleIdle(ticket)
	g.wake()
}

// Look has calls of Enter that wait look at the accept queue again, which may have grown.
func (g *Gate) Look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wake()
}

// wake has those look that wait.
func (g *Gate) wake() {
	if g.waiting > 0 {
		g.changed.Broadcast()
	}
}

// Serve takes a request that is whole at now, and returns when a core is done with it.
func (g *Gate) Serve(now linger.Instant) (done linger.Instant) {
	if g.capacity.Service == 0 {
		return now
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = max(g.now, now)
	_, done = g.cores.Serve(g.now)
	return done
}

// Renew has the server begin anew: with no connection taken and no core at work, as a process that
// takes the place of another. What came by tickets before is the other's, and no longer counted.
func (g *Gate) Renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.machine, g.cores = policy.NewGate(g.capacity), policy.NewCores(g.capacity)
	g.former = g.tickets
	g.wake()
}

// Former reports whether a ticket is from before the server began anew.
func (g *Gate) Former(ticket int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return ticket <= g.former
}

// Close lets nobody in any more.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.wake()
}

// A Load is what a server is at.
type Load struct {
	Taken  int `json:"taken"`  // connections that it holds
	Busy   int `json:"busy"`   // of them, those with a request under way
	Queued int `json:"queued"` // requests that wait for a core
}

// Add adds what another server is at.
func (l *Load) Add(other Load) {
	l.Taken += other.Taken
	l.Busy += other.Busy
	l.Queued += other.Queued
}

// Load returns what the server is at at now.
func (g *Gate) Load(now linger.Instant) Load {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = max(g.now, now)
	return Load{g.machine.Taken(), g.machine.Busy(), g.cores.Queued(g.now)}
}
