package sim

import (
	"sync"

	"linger/sim/tcp"
)

// spare are ends of connections of runs that are over: half of what a run takes in
// memory is theirs. Reset makes each as new, so that no run knows of another.
var spare = sync.Pool{New: func() any { return new(tcp.Conn) }}

func newTCP(o tcp.Options) *tcp.Conn {
	c := spare.Get().(*tcp.Conn)
	c.Reset(o)
	return c
}

// recycle gives back what the next run can use.
func (w *world) recycle() {
	for _, c := range w.conns {
		for _, e := range c.ends {
			if e == nil {
				continue // QUIC and datagrams have none
			}
			spare.Put(e.tcp)
			e.tcp = nil
		}
	}
}
