package audit

import (
	"linger"
	"linger/trace"
)

// hops finds servers that are clients themselves, as proxies are: a request for the same
// path that began and ended while another was under way, on a connection that the other's
// server opened.
type hops struct {
	recent map[uint64][]hopSpan
	order  []uint64 // keys of recent, oldest first
	hosts  map[int64]hopEnds
	placed []int64
	wait   []hopPair
	found  map[hopHosts]int
}

type hopSpan struct {
	connection int64
	sent, done linger.Instant
}

type hopPair struct{ down, up int64 }

// hopEnds are a connection's two ends.
type hopEnds struct{ client, server *host }

// hopHosts is what clients ask, and what that one asks.
type hopHosts struct{ proxy, upstream *host }

// Bounds of what is remembered for it.
const (
	hopRecent = 4096
	hopSame   = 8
	hopPlaced = 1 << 16
)

// add takes in an exchange, of which key is the hash of method and path.
func (h *hops) add(e *trace.Exchange, key uint64) {
	sent, ok := e.Sent.Get()
	done, ok2 := e.Done.Get()
	if !ok || !ok2 {
		return
	}
	if h.recent == nil {
		h.recent, h.hosts, h.found = map[uint64][]hopSpan{}, map[int64]hopEnds{}, map[hopHosts]int{}
	}
	same := h.recent[key]
	for i := len(same) - 1; i >= 0; i-- {
		if u := same[i]; u.connection != e.Connection && u.sent >= sent && u.done <= done.Add(reacts) {
			if len(h.wait) < hopPlaced {
				h.wait = append(h.wait, hopPair{e.Connection, u.connection})
			}
			break
		}
	}
	if len(same) == 0 {
		if len(h.order) >= hopRecent {
			delete(h.recent, h.order[0])
			h.order = h.order[1:]
		}
		h.order = append(h.order, key)
	}
	if len(same) >= hopSame {
		same = append(same[:0], same[1:]...)
	}
	h.recent[key] = append(same, hopSpan{e.Connection, sent, done})
}

// place takes in whose connection it is.
func (h *hops) place(c *conn) {
	if h.hosts == nil || c.requests == 0 {
		return
	}
	if len(h.placed) >= hopPlaced {
		h.resolve()
		for _, id := range h.placed[:hopPlaced/2] {
			delete(h.hosts, id)
		}
		h.placed = append(h.placed[:0], h.placed[hopPlaced/2:]...)
	}
	h.hosts[c.id] = hopEnds{c.client, c.server}
	h.placed = append(h.placed, c.id)
	if len(h.wait) >= hopPlaced {
		h.resolve()
		h.wait = h.wait[len(h.wait)/2:]
	}
}

// resolve counts the pairs of which both connections are known.
func (h *hops) resolve() {
	kept := h.wait[:0]
	for _, p := range h.wait {
		down, ok := h.hosts[p.down]
		up, ok2 := h.hosts[p.up]
		if !ok || !ok2 {
			kept = append(kept, p)
			continue
		}
		if down.server != up.server && addressOf(down.server.name) == up.client.name {
			h.found[hopHosts{down.server, up.server}]++
		}
	}
	h.wait = kept
}
