package tune

import (
	"slices"
	"time"

	"linger"
)

// maxSteps bounds the steps of a timeline. When a log is longer, steps are joined two by two.
const maxSteps = 1 << 16

// timelines count the sockets that would be open, step by step, for each of timeouts. What a
// request adds does not depend on the timeouts: that its connection had become idle in one
// step, that it came in another, and how many timeouts are no longer than the time in
// between, which is its class.
type timelines struct {
	shift   uint  // a step is 2^shift seconds
	from    int64 // the first step, in steps since 1970
	started bool
	lately  linger.Instant // the one that was asked for last, and its step
	place   int
	folded  *folded // when all is in
	scratch [2][]int64
	opened  []int32 // connections that are opened, whatever the timeout
	closed  []int32 // connections that end with their only request
	asked   []int32 // requests that end
	// classes are one more than the timeouts, and classOf is how many of those are no longer
	// than so many whole seconds.
	classes  int
	classOf  [horizon + 1]uint8
	timeouts []time.Duration
	// idled and came have the classes one after the other in each step.
	idled, came []int32
}

func newTimelines(timeouts []time.Duration) *timelines {
	t := &timelines{timeouts: timeouts, classes: len(timeouts) + 1}
	for s := range t.classOf {
		for _, timeout := range timeouts {
			if int64(timeout/time.Second) <= int64(s) {
				t.classOf[s]++
			}
		}
	}
	return t
}

// step returns the step of an instant. What comes before the first one counts in it.
func (t *timelines) step(when linger.Instant) int {
	if when == t.lately && t.started {
		return t.place
	}
	s := int64(when) / int64(time.Second) >> t.shift
	if !t.started {
		t.started, t.from = true, s
	}
	for s-t.from >= maxSteps {
		t.join()
		s = int64(when) / int64(time.Second) >> t.shift
	}
	t.lately, t.place = when, max(0, int(s-t.from))
	return t.place
}

// before returns the step of an instant that is not behind the one that was asked for last.
func (t *timelines) before(when linger.Instant) int {
	return max(0, int(int64(when)/int64(time.Second)>>t.shift-t.from))
}

// fetch reads of the step of an instant, so that it is in the cache.
func (t *timelines) fetch(when linger.Instant) int32 {
	if i := t.before(when)*t.classes + t.classes/2; i < len(t.idled) {
		return t.idled[i]
	}
	return 0
}

// join makes one step of two.
func (t *timelines) join() {
	odd := int(t.from & 1)
	halve := func(list []int32, width int) []int32 {
		rows := (len(list) + width - 1) / width
		out := make([]int32, (rows+odd+1)/2*width, maxSteps*width)
		for i := range rows {
			row := out[(i+odd)/2*width:]
			for j, n := range list[i*width : min((i+1)*width, len(list))] {
				row[j] += n
			}
		}
		return out
	}
	t.opened, t.closed, t.asked = halve(t.opened, 1), halve(t.closed, 1), halve(t.asked, 1)
	t.idled, t.came = halve(t.idled, t.classes), halve(t.came, t.classes)
	t.shift++
	t.from >>= 1
	t.lately = never
}

// count adds n at a place of a list of steps, each so wide. Lists grow by much at once: what is not
// yet used of them takes no memory of the system's.
func count(list *[]int32, width, at int, n int64) {
	if at >= len(*list) {
		if at >= cap(*list) {
			longer := make([]int32, at+1, max(at+1, min(1<<10+4*at, maxSteps*width)))
			copy(longer, *list)
			*list = longer
		}
		*list = (*list)[:at+1]
	}
	(*list)[at] += int32(n)
}

// open counts a connection that is opened, whatever the timeout.
func (t *timelines) open(when linger.Instant, weight int64) {
	i := t.step(when) // first: it may join steps
	count(&t.opened, 1, i, weight)
}

// shut counts one that ends by itself.
func (t *timelines) shut(when linger.Instant, weight int64) {
	i := t.step(when)
	count(&t.closed, 1, i, weight)
}

// gap counts a connection that was idle for so many seconds and used again, or ended and
// replaced, as each timeout has it.
func (t *timelines) gap(idle, start linger.Instant, seconds, weight int64) {
	class := int(t.classOf[seconds])
	begin := t.step(start)
	end := t.before(idle)
	count(&t.idled, t.classes, end*t.classes+class, weight)
	count(&t.came, t.classes, begin*t.classes+class, weight)
}

// A Held is how many sockets are open over time.
type Held struct {
	P99, Peak int64
}

// heldBy returns what the i-th timeout holds until the end of the log.
func (v *view) heldBy(i int, end linger.Instant, weight int64) Held {
	if !v.held.started {
		return Held{}
	}
	f := v.fold(end, weight)
	if f.held[i] == nil {
		f.held[i] = heldOf(v.series(&v.held.scratch[0], i, end, weight, 0))
	}
	return *f.held[i]
}

func heldOf(steps []int64) *Held {
	most := slices.Max(steps)
	if most > 4*maxSteps {
		slices.Sort(steps)
		return &Held{P99: steps[(len(steps)-1)*99/100], Peak: most}
	}
	// By counting, since there are few values.
	counts := make([]int32, most+1)
	for _, n := range steps {
		counts[max(0, n)]++
	}
	rank, p99 := int32((len(steps)-1)*99/100), int64(0)
	for n, c := range counts {
		if rank -= c; rank < 0 {
			p99 = int64(n)
			break
		}
	}
	return &Held{P99: p99, Peak: most}
}

// A folded is what series of all timeouts are made of, step by step.
type folded struct {
	last           int
	opened, closed []int32 // as those of timelines, up to the last step
	// ended and came have for each timeout the connections that became idle in a step and that
	// it ends, whether they are replaced or not used again, and those that it opens anew.
	ended, came [][]int32
	held        []*Held // by timeout, as far as it is known
}

// fold sums up what all series have in common, once the last arrival is there.
func (v *view) fold(end linger.Instant, weight int64) *folded {
	t := v.held
	if t.folded != nil {
		return t.folded
	}
	f := &folded{last: t.step(end), held: make([]*Held, t.classes-1)}
	rows := f.last + 1
	within := func(list []int32) []int32 {
		out := make([]int32, rows)
		for j, n := range list {
			out[min(j, f.last)] += n
		}
		return out
	}
	f.opened, f.closed = within(t.opened), within(t.closed)
	idle := make([]int32, rows) // connections that became idle, and are not used again
	for k := range v.conns {
		for at := range v.conns[k].all() {
			idle[t.step(min(at, end))] += int32(weight)
		}
	}
	over := func(list, more []int32) (sums [][]int32) {
		sums = make([][]int32, t.classes-1)
		for i := range sums {
			sums[i] = make([]int32, rows)
			copy(sums[i], more)
		}
		for j := 0; j*t.classes < len(list); j++ {
			sum := int32(0)
			row := list[j*t.classes : min((j+1)*t.classes, len(list))]
			for class := len(row) - 1; class > 0; class-- {
				sum += row[class]
				sums[class-1][min(j, f.last)] += sum
			}
		}
		return sums
	}
	f.ended, f.came = over(t.idled, idle), over(t.came, nil)
	t.folded = f
	return f
}

// series is what the i-th timeout holds in each step until the end of the log, if a connection
// takes its place for so long after it has been closed: for the time of TIME_WAIT, or not at all.
// It is put where to points to, as far as there is room.
func (v *view) series(to *[]int64, i int, end linger.Instant, weight int64, after time.Duration) []int64 {
	t := v.held
	if !t.started {
		return nil
	}
	f := v.fold(end, weight)
	steps := slices.Grow((*to)[:0], f.last+1)[:f.last+1]
	*to = steps
	// It is open in the step in which it ends.
	late := int(after/time.Second)>>t.shift + 1
	shift := int((t.timeouts[i]+after)/time.Second)>>t.shift + 1
	ended, came := f.ended[i], f.came[i]
	open := int64(0)
	for j := range steps {
		open += int64(f.opened[j]) + int64(came[j])
		if j >= late {
			open -= int64(f.closed[j-late])
		}
		if j >= shift {
			open -= int64(ended[j-shift])
		}
		steps[j] = open
	}
	return steps
}

// ask counts a request that ends, whatever the timeout.
func (t *timelines) ask(end linger.Instant, weight int64) {
	i := t.step(end)
	count(&t.asked, 1, i, weight)
}

// waiting is how many sockets were in TIME_WAIT at most if each request had a connection of its
// own, which the server closes: the requests of the last minute.
func (t *timelines) waiting() (most int64) {
	within := max(1, timeWait>>t.shift)
	sum := int64(0)
	for i, n := range t.asked {
		sum += int64(n)
		if i >= within {
			sum -= int64(t.asked[i-within])
		}
		most = max(most, sum)
	}
	return most
}
