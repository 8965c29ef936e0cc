package timeline

import (
	"cmp"
	"slices"
	"time"

	"linger"
)

const (
	// mostBins is how many bins there are; when there would be more, each two become one.
	mostBins = 1024
	// leastWidth is how long a bin is at first.
	leastWidth = time.Millisecond
	// mostLanes is how many lanes are counted apart, those that come first; MostLanes how many
	// of them, the largest, remain.
	mostLanes = 256
	MostLanes = 40
)

// A Lane is the connections of an origin or of a client.
type Lane struct {
	// Name is how clients name an origin; Address is the server's or the client's. Of is how many
	// origins or clients are in it together that have no lane of their own; 0 where it has.
	Name, Address string
	Of            int
	Connections   int
	Avoidable     int
	// Opened are how many connections of each kind were opened in each bin, Closed how many ended;
	// those that began before are opened in the first one. Both have no more bins than they need.
	Opened map[Kind][]int
	Closed []int
}

type laneKey struct{ name, address string }

// lanes are those of one kind while they are counted. The last one is of all others.
type lanes struct {
	at     map[laneKey]int
	list   []*Lane
	others map[laneKey]struct{}
	width  time.Duration
	last   linger.Instant
}

func newLanes() lanes {
	return lanes{at: map[laneKey]int{}, others: map[laneKey]struct{}{}, width: leastWidth, list: []*Lane{{Opened: map[Kind][]int{}}}}
}

// mostOthers bounds how many others are told apart, to count them.
const mostOthers = 1 << 16

// add counts a connection, and returns its lane, 0 being that of all others.
func (l *lanes) add(name, address string, kind Kind, opened, ended linger.Instant, avoidable bool) int {
	key := laneKey{name, address}
	i, ok := l.at[key]
	switch {
	case ok:
	case len(l.list) <= mostLanes:
		i = len(l.list)
		l.at[key] = i
		l.list = append(l.list, &Lane{Name: name, Address: address, Opened: map[Kind][]int{}})
	case len(l.others) < mostOthers:
		l.others[key] = struct{}{}
	}
	lane := l.list[i]
	lane.Connections++
	if avoidable {
		lane.Avoidable++
	}
	at := l.bin(opened)
	if ended != never {
		l.bin(ended)
		at = l.bin(opened) // bins may have become wider
	}
	lane.Opened[kind] = counted(lane.Opened[kind], at)
	if ended != never {
		lane.Closed = counted(lane.Closed, l.bin(max(ended, opened)))
	}
	return i
}

// bin is the number of an instant's bin; bins become wider until it has one.
func (l *lanes) bin(t linger.Instant) int {
	t = max(0, t)
	l.last = max(l.last, t)
	for t/linger.Instant(l.width) >= mostBins {
		l.width *= 2
		for _, lane := range l.list {
			for kind := range lane.Opened {
				lane.Opened[kind] = halved(lane.Opened[kind])
			}
			lane.Closed = halved(lane.Closed)
		}
	}
	return int(t / linger.Instant(l.width))
}

// counted counts one in a bin.
func counted(bins []int, at int) []int {
	if at >= len(bins) {
		bins = append(bins, make([]int, at+1-len(bins))...)
	}
	bins[at]++
	return bins
}

// halved joins each two bins.
func halved(bins []int) []int {
	out := bins[:(len(bins)+1)/2]
	for i := range out {
		n := bins[2*i]
		if 2*i+1 < len(bins) {
			n += bins[2*i+1]
		}
		out[i] = n
	}
	return out
}

// end returns the largest lanes, and behind them all others together, and where each went.
func (l *lanes) end() (out []Lane, places []int) {
	order := make([]int, 0, len(l.list))
	for i := 1; i < len(l.list); i++ {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := l.list[a], l.list[b]
		return cmp.Or(cmp.Compare(y.Connections, x.Connections), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Address, y.Address))
	})
	places = make([]int, len(l.list))
	others := l.list[0]
	others.Of = len(l.others)
	for rank, i := range order {
		lane := l.list[i]
		if rank < MostLanes {
			places[i] = rank
			out = append(out, *lane)
			continue
		}
		places[i] = MostLanes
		others.Of++
		others.join(lane)
	}
	places[0] = len(out)
	if others.Connections > 0 {
		out = append(out, *others)
	}
	return out, places
}

// join adds what is of another lane.
func (l *Lane) join(other *Lane) {
	l.Connections += other.Connections
	l.Avoidable += other.Avoidable
	for kind, bins := range other.Opened {
		l.Opened[kind] = sum(l.Opened[kind], bins)
	}
	l.Closed = sum(l.Closed, other.Closed)
}

func sum(a, b []int) []int {
	if len(b) > len(a) {
		a = append(a, make([]int, len(b)-len(a))...)
	}
	for i, n := range b {
		a[i] += n
	}
	return a
}
