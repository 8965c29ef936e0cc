package tune

import (
	"math"
	"slices"
	"time"

	"linger"
)

// Measures are what J. C. Mogul simulated from the logs of two servers: a name for each of the
// sections 8.1 to 8.8 of "The Case for Persistent-Connection HTTP" (Digital WRL Research Report
// 95/4, May 1995).
type Measures struct {
	// Points are of no connection that is kept (0), and of each timeout.
	Points []Measured `json:"timeouts"`
	// Indexer is the client that asked most (8.3, the effect of a Web indexer), where it is one
	// of those that could be followed.
	Indexer *Indexer `json:"web_indexer,omitempty"`
	// Adaptive are the same timeouts as the result's (8.7, adaptive timeouts).
	Adaptive *Adaptive `json:"adaptive_timeouts,omitempty"`
	// Followed is of how many clients the success rates are.
	Followed int `json:"clients_followed"`
}

// A Measured is one timeout by those measures. What takes a limit on connections is not known
// without one.
type Measured struct {
	Timeout float64 `json:"idle_timeout_s"`
	// RefusalRate is the share of requests that a server with a limit on connections turns
	// away (8.1, connection refusal rates).
	RefusalRate linger.Opt[float64] `json:"connection_refusal_rate,omitzero"`
	// ReuseRate is the share that finds a connection open (8.2, connection re-use rates).
	ReuseRate Bounds `json:"connection_reuse_rate"`
	// WithoutIndexer is the same without the client that asked most (8.3).
	WithoutIndexer linger.Opt[float64] `json:"reuse_rate_without_web_indexer,omitzero"`
	// Success is the share of the requests of one client that find a connection open, as half
	// of the clients have it at most, and nine of ten (8.4, success rates viewed by client);
	// Never is the share of the clients that have none.
	Success      linger.Opt[float64] `json:"client_success_rate_median,omitzero"`
	SuccessP90   linger.Opt[float64] `json:"client_success_rate_p90,omitzero"`
	SuccessNever linger.Opt[float64] `json:"clients_without_success,omitzero"`
	// ForcedCloseRate is the share of the connections that a server with a limit closes for
	// others before their timeout (8.5, frequency of forced closes).
	ForcedCloseRate linger.Opt[float64] `json:"forced_close_rate,omitzero"`
	// PCBTable is the most entries that the server's table of protocol control blocks has: open
	// connections, and those in TIME_WAIT for the 60 s of Linux (8.6, PCB table use).
	PCBTable int64 `json:"pcb_table_peak"`
	TimeWait int64 `json:"time_wait_peak"`
	// Packets are those of a request that carry no data and only open and close connections:
	// three to open one and four to close it (RFC 9293, figures 6 and 12; 8.8, network loading).
	Packets float64 `json:"packets_to_open_and_close_per_request"`
}

// An Indexer is the client that asked most.
type Indexer struct {
	Requests int64   `json:"requests"`
	Share    float64 `json:"share_of_requests"`
}

// perConnection are the packets that open a connection and close it.
const perConnection = 7

// Bounds on the clients of which each has a count for every timeout: those of a sample, and
// those that ask for so large a share of all requests, and often enough, that one could be an
// indexer.
const (
	mostTallies  = 1 << 12
	mostIndexers = 1 << 8
	busyShare    = 64
	busyFrom     = 256
)

// tallies count the requests of some clients by how many timeouts are no longer than the gap
// before them; the last class are those that no timeout helps.
type tallies struct {
	classes  int
	list     []tally
	free     []int32
	sampled  int
	indexers int
	shift    uint // one client of 2^shift is in the sample
	requests int64
}

type tally struct {
	place   int32
	sampled bool
	missing uint32   // requests before it was begun
	count   []uint32 // nil: it is not taken
}

func newTallies(classes int) *tallies { return &tallies{classes: classes} }

// follows notes a request of the client at a place of conns, and reports whether the client has
// a tally.
func (t *tallies) follows(conns []client, at int32, number uint64) bool {
	t.requests++
	c := &conns[at]
	if c.asked < math.MaxUint32 {
		c.asked++
	}
	sampled := c.asked == 1 && t.samples(number)
	if c.tally == 0 && (sampled || c.asked >= busyFrom && t.busy(c) && t.indexers < mostIndexers) {
		t.begin(conns, at, sampled)
	}
	return c.tally != 0
}

// add counts a request of a client that has a tally.
func (t *tallies) add(c *client, class int) { t.list[c.tally-1].count[class]++ }

// begin gives a client a tally; to make room, it may be ended at once.
func (t *tallies) begin(conns []client, at int32, sampled bool) {
	c := &conns[at]
	i := int32(len(t.list))
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.list = append(t.list, tally{})
	}
	t.list[i] = tally{place: at, sampled: sampled, missing: c.asked - 1, count: make([]uint32, t.classes)}
	c.tally = i + 1
	if !sampled {
		t.indexers++
	} else if t.sampled++; t.sampled > mostTallies {
		t.thin(conns)
	}
}

// samples tells by other bits of a client's number than those by which all clients are sampled.
func (t *tallies) samples(number uint64) bool { return number>>20&(1<<t.shift-1) == 0 }

func (t *tallies) busy(c *client) bool { return int64(c.asked)*busyShare > t.requests }

// thin leaves a half of the sample, by place: places are given as clients come, and say nothing
// of what they ask.
func (t *tallies) thin(conns []client) {
	t.shift++
	for i := range t.list {
		if y := &t.list[i]; y.count != nil && y.sampled && y.place&(1<<(t.shift-1)) != 0 {
			t.drop(&conns[y.place])
		}
	}
}

// drop ends the tally of a client.
func (t *tallies) drop(c *client) {
	if c.tally == 0 {
		return
	}
	y := &t.list[c.tally-1]
	if y.sampled {
		t.sampled--
	} else {
		t.indexers--
	}
	t.free = append(t.free, c.tally-1)
	*y, c.tally = tally{}, 0
}

// indexer is the tally that asked most, nil where a client without one asked more.
func (t *tallies) indexer(conns []client) (most *tally) {
	asked := uint32(0)
	for i := range conns {
		if c := &conns[i]; c.asked > asked {
			asked, most = c.asked, nil
			if c.tally != 0 {
				most = &t.list[c.tally-1]
			}
		}
	}
	return most
}

// hits are the requests of a tally that find a connection open that is kept by the i-th timeout.
func (y *tally) hits(i int) (n int64) {
	for _, v := range y.count[:i+1] {
		n += int64(v)
	}
	return n
}

func (y *tally) requests() (n int64) {
	for _, v := range y.count {
		n += int64(v)
	}
	return n
}

// measures says what a result comes to by Mogul's names.
func (a *Analyzer) measures(r *Result, q Asked) *Measures {
	if a.requests == 0 {
		return nil
	}
	v, weight := a.most, int64(1)<<a.shift
	m := &Measures{Adaptive: r.Adaptive}
	top := a.tallies.indexer(v.conns)
	if top != nil {
		asked := (top.requests() + int64(top.missing))
		m.Indexer = &Indexer{Requests: asked, Share: float64(asked) / float64(a.requests)}
	}
	// Where the log tells connections apart, what clients do with them is seen and not computed.
	told := a.seen.requests > 0 && q.ClientIdle == 0
	none := Measured{Packets: perConnection}
	none.TimeWait = v.held.waiting()
	none.PCBTable = none.TimeWait
	m.Points = append(m.Points, none)
	for i, t := range a.timeouts {
		if !slices.Contains(Timeouts, t) && q.Today.Or(0) != t {
			continue
		}
		kept := i
		if q.ClientIdle > 0 && q.ClientIdle < t {
			kept = a.index(q.ClientIdle)
		}
		p := a.pointAt(i, t, q)
		of := Measured{Timeout: t.Seconds(), ReuseRate: p.Reuse, Packets: perConnection * (1 - p.Reuse.Mid())}
		if b := p.Budget; b != nil {
			of.RefusalRate = linger.Known(float64(b.Refused) / float64(max(1, a.requests)))
			if opened := float64(a.requests-b.WayRefused) - b.WayReuse*float64(a.requests); opened > 0 {
				of.ForcedCloseRate = linger.Known(float64(b.Closed) / opened)
			}
		}
		open := v.series(&v.held.scratch[0], kept, a.last, weight, 0)
		for j, n := range v.series(&v.held.scratch[1], kept, a.last, weight, timeWait*time.Second) {
			of.PCBTable, of.TimeWait = max(of.PCBTable, n), max(of.TimeWait, n-open[j])
		}
		if told {
			m.Points = append(m.Points, of)
			continue
		}
		if top != nil && weight == 1 && a.requests > m.Indexer.Requests {
			of.WithoutIndexer = linger.Known(float64(v.reused(a.timeouts[kept])-top.hits(kept)) / float64(a.requests-m.Indexer.Requests))
		}
		m.Followed = a.success(&of, kept)
		m.Points = append(m.Points, of)
	}
	return m
}

// success fills in the success rates viewed by client, and returns of how many clients they are.
func (a *Analyzer) success(of *Measured, kept int) int {
	var rates []float64
	never := 0
	for i := range a.tallies.list {
		y := &a.tallies.list[i]
		if y.count == nil || !y.sampled {
			continue
		}
		hits := y.hits(kept)
		if hits == 0 {
			never++
		}
		rates = append(rates, float64(hits)/float64(y.requests()))
	}
	if len(rates) == 0 {
		return 0
	}
	slices.Sort(rates)
	of.Success = linger.Known(rates[(len(rates)-1)/2])
	of.SuccessP90 = linger.Known(rates[(len(rates)-1)*9/10])
	of.SuccessNever = linger.Known(float64(never) / float64(len(rates)))
	return len(rates)
}

// index returns the place of a timeout among those that are followed, or of the next longer one.
func (a *Analyzer) index(t time.Duration) int {
	i, _ := slices.BinarySearch(a.timeouts, t)
	return min(i, len(a.timeouts)-1)
}

// handshakes are what the log says of those of TLS: of the requests that were the first on their
// connection, where it tells, otherwise of those before which their client had no connection.
type handshakes struct {
	full, resumed int64
	older         int64 // of the full ones, those that take two round trips
	unknown       int64 // of TLS, of which the log does not say
	olderUnknown  int64
}

// add counts the handshake of a request that opens a connection: one with the number 1, or
// without a number one that finds none in any case, or after a minute.
func (h *handshakes) add(r *Arrival, gap linger.Instant, weight int64) {
	if !r.Secure || r.Number > 1 || r.Number == 0 && gap >= 0 && gap < linger.Instant(time.Minute) {
		return
	}
	switch {
	case r.Resumed:
		h.resumed += weight
	case r.Full:
		h.full += weight
		if r.Older {
			h.older += weight
		}
	default:
		h.unknown += weight
		if r.Older {
			h.olderUnknown += weight
		}
	}
}

// A Handshakes is what the log says of handshakes of TLS. Predictions have as large a share of
// them resumed.
type Handshakes struct {
	Full    int64   `json:"full"`
	Resumed int64   `json:"resumed"`
	Share   float64 `json:"resumed_share"`
}

// told returns the share of the handshakes that were resumed, if the log says so.
func (h *handshakes) told() (share float64, ok bool) {
	if h.full+h.resumed == 0 {
		return 0, false
	}
	return float64(h.resumed) / float64(h.full+h.resumed), true
}

// trips are the round trips that TLS takes besides TCP's: one, and one more for a full
// handshake of TLS 1.2 (RFC 5246, 7.3; RFC 8446, section 2).
func (h *handshakes) trips() float64 {
	all := h.full + h.resumed + h.unknown
	if all == 0 {
		return 1
	}
	return 1 + float64(h.older+h.olderUnknown)/float64(all)
}

// samplingError is by how much the reuse of a share of the clients may differ from that of all,
// at 95 %: that of a ratio of two sums over a sample of clusters (Cochran, "Sampling
// Techniques", 6.3), from those clients of which each is followed.
func (a *Analyzer) samplingError(share float64, p *Point) float64 {
	i := len(a.timeouts) - 1
	if p != nil {
		i = a.index(time.Duration(p.Timeout * float64(time.Second)))
	}
	n, requests, hits := 0.0, 0.0, 0.0
	for j := range a.tallies.list {
		if y := &a.tallies.list[j]; y.count != nil && y.sampled {
			n, requests, hits = n+1, requests+float64(y.requests()), hits+float64(y.hits(i))
		}
	}
	if n < 2 || requests == 0 {
		return 1
	}
	sum := 0.0
	for j := range a.tallies.list {
		if y := &a.tallies.list[j]; y.count != nil && y.sampled {
			off := float64(y.hits(i)) - hits/requests*float64(y.requests())
			sum += off * off
		}
	}
	return 1.96 * math.Sqrt((1-share)*sum/(n-1)/float64(a.clients.n)) / (requests / n)
}
