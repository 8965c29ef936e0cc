package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/link"
)

// A place is where an origin is: a host of its own, behind the link that all share.
type place struct {
	host     string // as requests bear it
	server   string // as TLS asks for it
	address  string
	names    int  // bytes that the names of its certificate take beyond those of the one origin
	line     int  // its own way, -1 is none
	ticketed bool // a session can be resumed
	visited  bool // a ticket for early data was fetched before the load
	tokens   tokens
}

// A line is the way of its own that packets have to and from the origins of one
// distance: a delay.
type line struct {
	in, out *link.Link[packet]
}

// settle puts each origin in its place, named as the lab's hosts are.
func (w *world) settle() {
	origins := w.scenario.Workload.Origins
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
				w.lines = append(w.lines, line{link.New[packet](c, nil), link.New[packet](c, nil)})
			}
		}
		w.places[i] = p
	}
}

// authority is the host of an exchange's request.
func (w *world) authority(e *linger.Exchange) string { return w.places[e.Origin].host }

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

// nextLine returns when a packet next comes to the end of a line, and of which.
func (w *world) nextLine() (at linger.Instant, which *link.Link[packet]) {
	at = linger.Never
	for i := range w.lines {
		for _, l := range []*link.Link[packet]{w.lines[i].out, w.lines[i].in} {
			if t := l.Next(); t < at {
				at, which = t, l
			}
		}
	}
	return at, which
}

// travel takes the next packet of a line on: into the link, or to its host.
func (w *world) travel(l *link.Link[packet]) {
	p, _, _ := l.Receive(w.now)
	for i := range w.lines {
		if w.lines[i].out == l {
			w.enter(w.now, server, &p)
			return
		}
	}
	w.arrive(client, &p)
}
