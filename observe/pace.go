package observe

import (
	"math"
	"runtime/debug"
	"runtime/metrics"

	"linger/capture/packet"
)

// What is held of a capture is the connections that are open, and frames leave little
// garbage. So the heap is small for most captures, and to collect whenever it has grown by a
// part of itself would take most of the time where every packet is a request. A heap of
// spacious bytes may grow as it likes; only beyond is memory dearer than time, and it grows
// by a tenth of what is live.
const (
	smallest = 32 << 20
	spacious = 160 << 20
	tenth    = 10
)

// roomy is what the program asks of the system at most, with the default number of connections
// tracked: from there on it collects sooner, and gives back what it does not use. What is held
// may be more (then it is more, and half the time at most goes into that), and the program
// itself is beside it.
const roomy = 230 << 20

// A Pace sets that of the garbage collector by what is live. Nil leaves it alone.
type Pace struct {
	sample  [1]metrics.Sample
	percent int // as it is now
	before  int // as it was
	limit   int64
}

// NewPace sets the first pace. tracked is how many connections may be open at once; 0 is
// the default.
func NewPace(tracked int) *Pace {
	p := &Pace{}
	p.sample[0].Name = "/gc/heap/live:bytes"
	p.percent = growth(0)
	p.before = debug.SetGCPercent(p.percent)
	p.limit = debug.SetMemoryLimit(max(roomy, roomy/packet.DefaultTracked*int64(tracked)))
	return p
}

// adapt sets the pace by what was live when the heap was last collected.
func (p *Pace) adapt() {
	if p == nil {
		return
	}
	metrics.Read(p.sample[:])
	want := growth(p.sample[0].Value.Uint64())
	if math.Abs(float64(want-p.percent)) > 0.1*float64(p.percent) { // it stops the world
		p.percent = want
		debug.SetGCPercent(want)
	}
}

// Close sets the pace as it was.
func (p *Pace) Close() {
	debug.SetGCPercent(p.before)
	debug.SetMemoryLimit(p.limit)
}

// growth is by how many hundredths of what is live the heap may grow: to four times that and
// smallest, at most to spacious, and by a tenth at least.
func growth(live uint64) int {
	// A heap of any size may have 4 MiB times this (GOGC), so that more would not be less.
	const most = 100 * smallest / (4 << 20)
	room := min(4*live+smallest, spacious)
	if room <= live {
		return tenth
	}
	return int(min(max((room-live)*100/max(live, 1), tenth), most))
}
