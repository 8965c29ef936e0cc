package tune

import "runtime"

// A beside takes the arrivals of one view in on another core, in their order: a view knows nothing
// of the others, so that what comes out is the same.
type beside struct {
	view  *view
	alone bool // there is no other core
	batch []placed
	full  chan []placed // to the goroutine, which is there from the first full batch to wait
	spare chan []placed // back from it
	done  chan struct{}
}

// A placed is an arrival of the client at a place, which stands for so many.
type placed struct {
	Arrival
	place  int32
	weight int64
}

const (
	besideBatch = 1 << 8
	besideAhead = 4 // batches that wait at most
)

func newBeside(v *view) beside { return beside{view: v, alone: runtime.GOMAXPROCS(0) == 1} }

// add takes an arrival in, now or later.
func (b *beside) add(place int32, r *Arrival, weight int64) {
	if b.alone {
		b.view.add(place, r, weight)
		return
	}
	if b.batch = append(b.batch, placed{*r, place, weight}); len(b.batch) < besideBatch {
		return
	}
	if b.full == nil {
		b.full, b.done = make(chan []placed, besideAhead), make(chan struct{})
		b.spare = make(chan []placed, besideAhead+2)
		go b.run(b.full, b.spare, b.done)
	}
	b.full <- b.batch
	select {
	case b.batch = <-b.spare:
	default:
		b.batch = make([]placed, 0, besideBatch)
	}
}

func (b *beside) run(full <-chan []placed, spare chan<- []placed, done chan<- struct{}) {
	defer close(done)
	for batch := range full {
		b.take(batch)
		select {
		case spare <- batch[:0]:
		default:
		}
	}
}

func (b *beside) take(batch []placed) {
	for i := range batch {
		p := &batch[i]
		b.view.add(p.place, &p.Arrival, p.weight)
	}
}

// wait ends the goroutine, and returns when all is in. It has to be called before the view is
// looked at.
func (b *beside) wait() {
	if b.full != nil {
		close(b.full)
		<-b.done
		b.full = nil
	}
	b.take(b.batch)
	b.batch = b.batch[:0]
}
