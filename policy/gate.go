package policy

import (
	"time"

	"linger"
)

// A Gate is the way into a server of some Capacity, as a machine without I/O. Connections whose
// handshake is done lie in the accept queue of the kernel; the gate says when the server takes
// the next, what it does with it, and which connection gives way for it.
//
// While one waits in the queue, ask Room. Where there is room, take the first and call
// HandleAccept: if it is refused, close it, and that is all; else call HandleBusy when a request
// begins on it and none was under way, HandleIdle when none is any more, and HandleClosed when
// the server holds its socket no longer. Where there is no room, ask Poll until it says that
// nobody gives way, and close whom it names (Server.HandleDismissal); HandleClosed makes the room. Ask both again after each HandleAccept, HandleIdle and HandleClosed.
//
// A connection that has not carried a request yet does not give way, as in Apache's event: its
// first request is on the way. The idle timeout is for those of which none comes.
type Gate struct {
	capacity Capacity
	conns    map[int64]*gated
	// oldest and newest are the ends of the list of idle connections, by when they became idle.
	oldest, newest  *gated
	leaving, served int
}

// gated is a connection that the server has taken.
type gated struct {
	id         int64
	prev, next *gated // of the idle ones
	idle       bool   // it is in that list
	served     bool   // a request is under way
	leaving    bool   // Poll has named it
}

// NewGate returns the gate of a server that has taken no connection.
func NewGate(c Capacity) *Gate { return &Gate{capacity: c, conns: map[int64]*gated{}} }

// Room reports whether the server takes a connection now, if only to refuse it.
func (g *Gate) Room() bool {
	if g.capacity.Workers > 0 && len(g.conns) >= g.capacity.Workers {
		return false
	}
	return !g.full() || g.capacity.WhenFull == FullRefuse
}

// full says that as many connections are open as may be.
func (g *Gate) full() bool {
	return g.capacity.MaxConnections > 0 && len(g.conns) >= g.capacity.MaxConnections
}

// HandleAccept says that the server has taken a connection out of the accept queue, for which
// there was Room. A refused one is not held, and nothing more is to be said of it.
func (g *Gate) HandleAccept(id int64) (refused bool) {
	if g.full() && g.capacity.WhenFull == FullRefuse {
		return true
	}
	g.conns[id] = &gated{id: id}
	return false
}

// HandleBusy says that a request is under way on a connection.
func (g *Gate) HandleBusy(id int64) {
	c := g.conns[id]
	if c == nil || c.served {
		return
	}
	c.served = true
	g.served++
	g.unlink(c)
}

// HandleIdle says that no request is under way on a connection any more.
func (g *Gate) HandleIdle(id int64) {
	c := g.conns[id]
	if c == nil || !c.served {
		return
	}
	c.served = false
	g.served--
	if c.leaving {
		return
	}
	c.idle, c.prev = true, g.newest
	if g.newest == nil {
		g.oldest = c
	} else {
		g.newest.next = c
	}
	g.newest = c
}

// HandleClosed says that the server holds a connection no longer.
func (g *Gate) HandleClosed(id int64) {
	c := g.conns[id]
	if c == nil {
		return
	}
	g.unlink(c)
	delete(g.conns, id)
	if c.served {
		g.served--
	}
	if c.leaving {
		g.leaving--
	}
}

// Poll returns the connection that gives way, of which the server closes the one that has been
// idle for longest; ok is false where none does. waiting is how many lie in the accept queue:
// not more give way at once.
func (g *Gate) Poll(waiting int) (id int64, ok bool) {
	c := g.oldest
	if g.capacity.WhenFull != FullCloseIdle || !g.full() || c == nil || g.leaving >= waiting {
		return 0, false
	}
	g.unlink(c)
	c.leaving = true
	g.leaving++
	return c.id, true
}

// Taken is how many connections the server holds: the workers that are held, where a connection
// holds one.
func (g *Gate) Taken() int { return len(g.conns) }

// Busy is how many connections have a request under way.
func (g *Gate) Busy() int { return g.served }

// unlink takes a connection out of the list of idle ones, if it is there.
func (g *Gate) unlink(c *gated) {
	if !c.idle {
		return
	}
	if c.prev == nil {
		g.oldest = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		g.newest = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.idle, c.prev, c.next = false, nil, nil
}

// Cores are what serves the requests of a server, first come, first served, as a machine without
// I/O: each request takes the Service time of a Capacity on one of its Cores, of which
// there is one where nothing is said. Instants are given in order of time.
//
// Call Serve when a request is whole. Its response begins at the end that it returns; until
// begin it waits. A request that nobody waits for any more takes its time all the same.
type Cores struct {
	service time.Duration
	free    []linger.Instant // when each core is; next is the one that is so first
	next    int
	queued  queue[linger.Instant] // when those begin that have to wait, in order
}

// NewCores returns cores without work.
func NewCores(c Capacity) *Cores {
	return &Cores{service: c.Service, free: make([]linger.Instant, max(1, c.Cores))}
}

// Serve takes a request that is whole at now, and returns when a core begins it and when the
// core is done. Without a Service time both are now.
func (c *Cores) Serve(now linger.Instant) (begin, end linger.Instant) {
	if c.service == 0 {
		return now, now
	}
	// All requests take the same time, so that cores become free in the order in which they
	// were taken.
	begin = max(now, c.free[c.next])
	end = begin.Add(c.service)
	c.free[c.next] = end
	c.next = (c.next + 1) % len(c.free)
	if c.Queued(now); begin > now {
		c.queued.push(begin)
	}
	return begin, end
}

// Queued returns how many requests wait for a core at now.
func (c *Cores) Queued(now linger.Instant) int {
	q := &c.queued
	for q.head < len(q.all) && q.all[q.head] <= now {
		q.pop()
	}
	return len(q.all) - q.head
}
