package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/link"
	"linger/sim/alarm"
)

// A place is where an origin is: a host of its own, behind the link that all share.
type place struct {
	host    string // as requests bear it
	server  string // as TLS asks for it
	address string
	names   int // bytes that the names of its certificate take beyond those of the one origin
	line    int // its own way, -1 is none
}

// An acquaintance is what a client keeps of an origin. It is of the server that it met there
// last: none takes another's.
type acquaintance struct {
	backend  int
	ticketed bool // a session can be resumed
	visited  bool // a ticket for early data was fetched before the load
	tokens   tokens
}

// meet returns what a client knows of a server that it connects to.
func (w *party) meet(c *conn) *acquaintance {
	k := &w.known[c.origin]
	if k.backend != c.backend.number {
		*k = acquaintance{backend: c.backend.number, visited: k.visited}
	}
	return k
}

// A way is a link and what it leads to.
type way struct {
	*link.Link[packet]
	world *world
	timer alarm.Alarm
	to    where
}

// where a way leads, and in which order packets arrive that do so at one instant: as the
// lab's pump sees them.
type where uint8

const (
	toServer where = iota
	toClient
	toLink // along a line, from an origin
	toHost // and to one
)

// queue is where ways wait that lead there.
func (t where) queue() int { return min(int(t), along) }

func (w *world) newWay(number int, to where, l *link.Link[packet]) *way {
	y := &way{Link: l, world: w, to: to}
	y.timer = alarm.New(number, y)
	return y
}

// send puts a packet on the way.
func (y *way) send(at linger.Instant, size int, p *packet) link.Outcome {
	outcome := y.Send(at, size, *p)
	y.world.queues[y.to.queue()].Set(&y.timer, y.Next())
	return outcome
}

// Wake hands on the packet that arrives.
func (y *way) Wake() {
	w := y.world
	p, _, _ := y.Receive(w.now)
	w.queues[y.to.queue()].Set(&y.timer, y.Next())
	switch y.to {
	case toServer:
		if l := w.places[p.conn.origin].line; l >= 0 {
			w.lines[l].in.send(w.now, 0, &p)
		} else {
			arrive(client, &p)
		}
	case toClient:
		arrive(server, &p)
	case toLink:
		w.enter(w.now, server, &p)
	case toHost:
		arrive(client, &p)
	}
}

// A line is the way of its own that packets have to and from the origins of one
// distance: a delay.
type line struct {
	in, out *way
}

// settle puts each origin in its place, named as the lab's hosts are.
func (w *world) settle(origins []linger.Origin) {
	if len(origins) == 0 {
		w.places = []place{{host: w.config.Host, server: w.config.Host, address: originAddress, line: -1}}
		return
	}
	w.places = make([]place, len(origins))
	var delays []time.Duration
	taken := map[string]bool{}
	for i, o := range origins {
		p := place{host: w.config.Host, server: w.config.Host, address: originAddress, line: -1}
		own := w.config.Host
		if i > 0 {
			own = fmt.Sprintf("%s%d", w.config.Host, i+1)
			p.address = fmt.Sprintf("10.0.%d.%d", (i+2)>>8, (i+2)&0xff)
			p.names = 2 * (len(own) - len(w.config.Host)) // in the subject and beside it
		}
		if o.Name != "" {
			p.host, p.server = o.Name, own
			// An address stands in no certificate as a name.
			if name := o.Host(); !taken[name] && strings.Trim(name, "0123456789.:[]") != "" {
				taken[name] = true
				p.server = name
				p.names += 2 + len(name) // tag and length
			}
		}
		if delay := o.ExtraRTT.Or(0) / 2; delay > 0 {
			if p.line = slices.Index(delays, delay); p.line < 0 {
				p.line = len(delays)
				delays = append(delays, delay)
				c := link.Config{Delay: delay}
				n := 2 * len(w.lines)
				w.lines = append(w.lines, line{out: w.newWay(n, toLink, link.New[packet](c, nil)), in: w.newWay(n+1, toHost, link.New[packet](c, nil))})
			}
		}
		w.places[i] = p
	}
}

// authority is the host of an exchange's request.
func (w *party) authority(e *linger.Exchange) string { return w.places[e.Origin].host }

// originOf is how an origin stands in the trace, where there are several.
func (w *world) originOf(i int) string {
	if len(w.places) == 1 {
		return ""
	}
	return w.places[i].host
}

// detour is how much longer a round trip to p takes than the network's.
func (w *world) detour(p *place) time.Duration {
	if p.line < 0 {
		return 0
	}
	return 2 * w.lines[p.line].in.Delay
}
