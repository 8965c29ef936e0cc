package tune

import (
	"math"
	"time"

	"linger"
	"linger/stats"
)

// observed is what the log itself tells of connections: which requests were on one.
type observed struct {
	conns map[connKey]connection
	opens map[uint64]int32 // connections of each client so far

	requests, opened int64
	// reused counts, by whole seconds, the gaps after which a request came on a connection
	// that was there; missed those after which it came on a new one, though the client's
	// last one had been idle for no longer than that.
	reused, missed [horizon + 1]int64
	longest        linger.Instant  // gap that a connection survived
	carried        stats.Histogram // requests of connections that have ended
	after          int64           // arrivals until those that are long gone are swept
}

type connKey struct{ client, connection uint64 }

type connection struct {
	idle    linger.Instant
	carried int64
	opens   int32 // how many connections its client had opened when it was last used
}

// portReused is after how many further connections of its client a port is taken to be that of a new one,
// where nothing but the port tells connections apart: of the 28,232 that Linux has for
// clients (net.ipv4.ip_local_port_range), one of which so many are chosen since is another
// connection's in 3.5 % of all cases.
const portReused = 1000

func newObserved() *observed {
	return &observed{conns: map[connKey]connection{}, opens: map[uint64]int32{}, after: sweep}
}

// sweep is after how many arrivals connections are looked through for those that are gone,
// and gone after what time without a request they are: a port is used again later.
const (
	sweep = 1 << 20
	gone  = linger.Instant(2 * time.Hour)
)

// add takes an arrival in; gap is for how long the connection had been idle that its client
// could have used, if every one had been kept.
func (o *observed) add(r *Arrival, gap linger.Instant, weight int64) {
	o.requests += weight
	k := connKey{r.Client, r.Connection}
	c, known := o.conns[k]
	first := r.Number == 1 || r.Number == 0 && (!known || r.Start-c.idle > gone || o.opens[r.Client]-c.opens > portReused)
	if r.Connection == 0 {
		// There is nothing but the number of the request.
		if first {
			o.opened += weight
		}
		return
	}
	if first {
		if known {
			o.end(c, weight)
		}
		o.opened += weight
		o.opens[r.Client]++
		c = connection{}
		if gap >= 0 {
			o.missed[min(int64(gap)/int64(time.Second), horizon)] += weight
		}
	} else if known {
		between := max(0, r.Start-c.idle)
		o.longest = max(o.longest, between)
		o.reused[min(int64(between)/int64(time.Second), horizon)] += weight
	}
	c.idle = max(c.idle, r.End)
	c.carried++
	c.opens = o.opens[r.Client]
	o.conns[k] = c
	if o.after--; o.after == 0 {
		o.after = sweep
		for k, c := range o.conns {
			if r.Start-c.idle > gone {
				o.end(c, weight)
				delete(o.conns, k)
			}
		}
	}
}

// end counts what a connection carried.
func (o *observed) end(c connection, weight int64) { o.carried.Add(c.carried, int(weight)) }

func (o *observed) forget(gone func(uint64) bool) {
	for client := range o.opens {
		if gone(client) {
			delete(o.opens, client)
		}
	}
	for k := range o.conns {
		if gone(k.client) {
			delete(o.conns, k)
		}
	}
}

// An Observed is how connections were used, as the log says.
type Observed struct {
	Requests    int64   `json:"requests"`
	Connections int64   `json:"connections"`
	Reuse       float64 `json:"reuse"`
	// Median and P90 are of how many requests a connection carried, where the log tells
	// connections apart by more than the number of a request.
	Median int64 `json:"requests_per_connection_median,omitempty"`
	P90    int64 `json:"requests_per_connection_p90,omitempty"`
	// Longest is the longest gap between two requests of one connection, in seconds.
	Longest float64 `json:"longest_gap_s"`
	// Steps are how often a connection was used again after gaps of some length, where the
	// client had one that had been idle for so long.
	Steps []Step `json:"reused_after"`
}

// A Step is gaps of From up to To seconds: how many came on the old connection, and how many
// on a new one.
type Step struct {
	From   int   `json:"from_s"`
	To     int   `json:"to_s"`
	Reused int64 `json:"reused"`
	New    int64 `json:"new"`
}

// Share is the share of those that came on the old connection.
func (s Step) Share() float64 { return float64(s.Reused) / float64(max(1, s.Reused+s.New)) }

// steps sums up the gaps, ten steps to each factor of ten.
func (o *observed) steps() []Step {
	var all []Step
	for from := 0; from <= horizon; {
		to := max(from+1, int(math.Round(float64(from)*1.2589)))
		to = min(to, horizon+1)
		s := Step{From: from, To: to}
		for i := from; i < to; i++ {
			s.Reused += o.reused[i]
			s.New += o.missed[i]
		}
		if s.Reused+s.New > 0 {
			all = append(all, s)
		}
		from = to
	}
	return all
}
