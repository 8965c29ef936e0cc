package tune

import (
	"cmp"
	"math"
	"slices"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
)

// Format names the document that a Result is, and the version of its form.
const Format = "linger tuning 1"

// Asked is what the user wants to know, and what is known of the system besides its log.
type Asked struct {
	// Today is the idle timeout that was in force when the log was written, 0 keeps none,
	// and Limit the requests that a connection carried at most; 0 is not known, or none.
	Today linger.Opt[time.Duration]
	Limit int
	// ClientIdle is for how long clients keep a connection by themselves; 0 is not known.
	ClientIdle time.Duration
	// RTT is the round trip to clients; 0 is not known.
	RTT time.Duration
	// Budget is how many sockets may be open; 0 is no bound.
	Budget int64
	// HandshakeCPU is the server's processor time for a connection with its handshakes,
	// ResumedCPU for one whose TLS is resumed, and SocketMemory what holding one takes, in
	// bytes; 0 is what Default… say.
	HandshakeCPU time.Duration
	ResumedCPU   time.Duration
	SocketMemory int64
	// Software is what the lines are for that set a timeout.
	Software string
}

// The prices of a connection, as docs/tune.md has them measured of nginx with TLS.
const (
	DefaultHandshakeCPU = 360 * time.Microsecond
	DefaultResumedCPU   = 240 * time.Microsecond
	DefaultSocketMemory = 18_000
	// MemoryPerCore is how many bytes cost as much as a core: general-purpose machines are
	// sold with 4 GB a core.
	MemoryPerCore = 4e9
)

// BreakEven is for how long holding an idle connection costs as much as to open one: the
// memory of the one against the processor of the other.
//
// resumed is the share of the handshakes of TLS that are resumed.
func (q Asked) BreakEven(resumed float64) time.Duration {
	cpu, memory := q.opening(resumed), cmp.Or(q.SocketMemory, DefaultSocketMemory)
	return time.Duration(min(float64(cpu)*MemoryPerCore/float64(memory), 1e18))
}

// opening is what opening a connection takes of the server's processor on average.
func (q Asked) opening(resumed float64) time.Duration {
	full := cmp.Or(q.HandshakeCPU, DefaultHandshakeCPU)
	again := q.ResumedCPU
	if again == 0 { // as much less as by default
		again = time.Duration(float64(full) * float64(DefaultResumedCPU) / float64(DefaultHandshakeCPU))
	}
	return full - time.Duration(resumed*float64(full-again))
}

// A Result is what was found.
type Result struct {
	Format string `json:"format"`
	Linger string `json:"linger,omitempty"`
	Log    *Log   `json:"log,omitempty"`

	Requests int64  `json:"requests"`
	Clients  int64  `json:"clients"`
	Began    string `json:"began,omitempty"` // RFC 3339
	// Span is from the first request to the last, in seconds.
	Span float64 `json:"span_s"`
	// Exact reports whether the log tells which requests overlapped. Otherwise what depends
	// on that has two values, between which the truth lies.
	Exact bool `json:"exact"`
	// Sampled is the share of the clients that was followed, where not all were.
	Sampled linger.Opt[float64] `json:"sampled,omitzero"`

	Points   []Point   `json:"timeouts"`
	Today    *Point    `json:"today,omitempty"`
	Advised  *Point    `json:"advised,omitempty"`
	Runs     []Run     `json:"max_requests"`
	Observed *Observed `json:"observed,omitempty"`
	// Handshakes are those of TLS, as the log has them.
	Handshakes *Handshakes `json:"tls_handshakes,omitempty"`
	// Measures are the same in the words of 1995.
	Measures *Measures `json:"measures_of_1995,omitempty"`
	// Single is what one connection for each client, multiplexed, would have done at the
	// advised timeout.
	Single *Point `json:"multiplexed,omitempty"`
	// Adaptive is what a timeout of its own for each client would have done.
	Adaptive *Adaptive `json:"adaptive,omitempty"`
	// Gaps has how many requests came so many whole seconds after a connection of their
	// client had become idle: from 0 to an hour, and all that are longer.
	Gaps  []int64 `json:"gaps"`
	Hours []int64 `json:"hours"` // requests by the hour of the day, UTC

	Findings []finding.Finding `json:"findings"`
	Caveats  []finding.Caveat  `json:"caveats,omitempty"`
	Asserted []assert.Result   `json:"assertions,omitempty"`
}

// A Log is what was read.
type Log struct {
	Files  []string `json:"files"`
	Layout string   `json:"layout"`
	// Clock is what the time of a line is the time of.
	Clock      string  `json:"time_of"`
	Resolution float64 `json:"resolution_s"`
	Durations  bool    `json:"durations"`
	// Connections is how the log tells them apart: "number", "port", "request number", or
	// empty.
	Connections string `json:"connections_by,omitempty"`
	Lines       int64  `json:"lines"`
	Bad         int64  `json:"bad_lines,omitempty"`
	Bytes       int64  `json:"bytes"`
	Software    string `json:"software,omitempty"`
}

// Bounds are two values between which the truth lies, the same one where it is known.
type Bounds struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Mid is the middle.
func (b Bounds) Mid() float64 { return (b.Low + b.High) / 2 }

func (b Bounds) scale(by float64) Bounds { return Bounds{b.Low * by, b.High * by} }

// A Point is what one idle timeout comes to.
type Point struct {
	Timeout float64 `json:"idle_timeout_s"`
	// Reuse is the share of requests that find a connection open, Connections how many are
	// opened for the others.
	Reuse       Bounds `json:"reuse"`
	Connections Bounds `json:"connections"`
	// Mean is how many sockets are open on average, P99 and Peak at most, for 99 % of the
	// time and ever; of those two the higher one where the truth lies between.
	Mean Bounds `json:"sockets_mean"`
	P99  int64  `json:"sockets_p99"`
	Peak int64  `json:"sockets_peak"`
	// TimeWait is how many sockets wait out TIME_WAIT on average, on the side that closes
	// first: the server's, where its timeout ends them, for the 60 s of Linux.
	TimeWait float64 `json:"time_wait_mean"`
	// ClosedBy is which side's limit ends most connections.
	ClosedBy string `json:"closed_by"`
	// Full and Resumed are how many of the connections have a full handshake of TLS, and a
	// resumed one, if as large a share of them is resumed as in the log.
	Full    linger.Opt[Bounds] `json:"handshakes_full,omitzero"`
	Resumed linger.Opt[Bounds] `json:"handshakes_resumed,omitzero"`
	// Budget is what is left of it on a server with room for so many connections.
	Budget *Limited `json:"budget,omitempty"`
	// Memory is what P99 sockets take.
	Memory linger.Opt[float64] `json:"memory_bytes_p99,omitzero"`
	// Waiting is what clients wait for handshakes in all, and CPU what those take of the
	// server's processors, in seconds.
	Waiting linger.Opt[Bounds] `json:"handshake_waiting_s,omitzero"`
	CPU     linger.Opt[Bounds] `json:"handshake_cpu_s,omitzero"`
}

// A Bin is how many requests came after gaps of some length, from From whole seconds to less
// than To; the last one has no end, and To is 0. Within counts those whose gap was shorter
// than a timeout.
type Bin struct {
	From, To         int
	Requests, Within int64
}

// Bins sums the gaps up, each as long as all before it together: less than 1 s, 1 s, 2 to 4 s, and
// so on to an hour.
func (r *Result) Bins(timeout float64) (all []Bin) {
	for from := 0; from < len(r.Gaps); {
		to := max(1, 2*from)
		if from == horizon {
			to = from + 1
		}
		if from < horizon {
			to = min(to, horizon)
		}
		b := Bin{From: from, To: to}
		for i := from; i < min(to, len(r.Gaps)); i++ {
			b.Requests += r.Gaps[i]
			if float64(i) < timeout && i < horizon {
				b.Within += r.Gaps[i]
			}
		}
		if from == horizon {
			b.To = 0
		}
		all = append(all, b)
		from = to
	}
	return all
}

// Cut is the timeout by which gaps are told apart: the advised one, else today's, else none.
func (r *Result) Cut() *Point {
	if r.Advised != nil {
		return r.Advised
	}
	return r.Today
}

// timeWait is for how long Linux keeps a socket in TIME_WAIT, in seconds
// (include/net/tcp.h, TCP_TIMEWAIT_LEN).
const timeWait = 60

// End returns the result.
func (a *Analyzer) End(q Asked) *Result {
	a.finish()
	r := &Result{
		Format: Format, Requests: a.requests, Exact: a.least == nil, Hours: a.hours[:],
		Clients: int64(a.clients.n) << a.shift, Span: time.Duration(a.last - a.first).Seconds(),
		Gaps: a.most.counts(), Findings: []finding.Finding{},
	}
	if a.started {
		r.Began = time.Unix(0, int64(a.first)).UTC().Format(time.RFC3339)
	}
	if a.shift > 0 {
		r.Sampled = linger.Known(1 / float64(int64(1)<<a.shift))
	}
	for i, t := range a.timeouts {
		if slices.Contains(Timeouts, t) {
			r.Points = append(r.Points, a.pointAt(i, t, q))
		}
	}
	if share, ok := a.hands.told(); ok {
		r.Handshakes = &Handshakes{Full: a.hands.full, Resumed: a.hands.resumed, Share: share}
	}
	for _, l := range a.replays.all {
		r.Runs = append(r.Runs, l.run(a.replays.requests))
	}
	if a.seen.requests > 0 {
		for _, c := range a.seen.conns {
			a.seen.end(c, 1<<a.shift)
		}
		r.Observed = &Observed{
			Requests: a.seen.requests, Connections: a.seen.opened, Longest: time.Duration(a.seen.longest).Seconds(), Steps: a.seen.steps(),
			Reuse: 1 - float64(a.seen.opened)/float64(a.seen.requests),
		}
		r.Observed.Median, _ = a.seen.carried.Quantile(0.5)
		r.Observed.P90, _ = a.seen.carried.Quantile(0.9)
	}
	a.adaptive(r)
	a.advise(r, q)
	r.Measures = a.measures(r, q)
	return r
}

// at returns the point of any timeout up to an hour. Of one that is not followed, the sockets
// over time are those of the next longer one.
func (a *Analyzer) at(t time.Duration, q Asked) Point { return a.pointAt(a.index(t), t, q) }

// pointAt is the point of a timeout of which sockets are followed as if it were the i-th.
func (a *Analyzer) pointAt(i int, t time.Duration, q Asked) Point {
	weight := int64(1) << a.shift
	kept := t // as long as both sides keep it
	p := Point{Timeout: t.Seconds(), ClosedBy: "server"}
	if q.ClientIdle > 0 && q.ClientIdle < t {
		kept, p.ClosedBy = q.ClientIdle, "client"
	}
	requests := float64(max(1, a.requests))
	least := a.most
	if a.least != nil {
		least = a.least
	}
	reuse := func(v *view) float64 { return float64(v.reused(kept)) / float64(max(1, v.requests)) }
	p.Reuse = ordered(reuse(least), reuse(a.most))
	if a.seen.requests > 0 && q.ClientIdle == 0 {
		p.Reuse = a.observedReuse(kept, q) // nobody says for how long clients keep theirs
	}
	p.Connections = ordered(requests*(1-p.Reuse.High), requests*(1-p.Reuse.Low))
	span := math.Max(1, float64(a.last-a.first))
	mean := func(v *view) float64 { return (float64(v.busySum) + v.idleTime(kept, a.last, weight)) / span }
	p.Mean = ordered(mean(least), mean(a.most))
	j := i
	if kept < t {
		j = a.index(kept)
	}
	h := least.heldBy(j, a.last, weight)
	if a.least != nil {
		other := a.most.heldBy(j, a.last, weight)
		h = Held{P99: max(h.P99, other.P99), Peak: max(h.Peak, other.Peak)}
	}
	p.P99, p.Peak = h.P99, h.Peak
	p.TimeWait = p.Connections.Mid() * timeWait / math.Max(timeWait, span/1e9)
	p.Memory = linger.Known(float64(cmp.Or(q.SocketMemory, DefaultSocketMemory) * p.P99))
	if q.RTT > 0 {
		trips := 1 + a.hands.trips()*float64(a.secure)/requests
		p.Waiting = linger.Known(p.Connections.scale(trips * q.RTT.Seconds()))
	}
	resumed, told := a.hands.told()
	if told {
		secure := p.Connections.scale(float64(a.secure) / requests)
		p.Full, p.Resumed = linger.Known(secure.scale(1-resumed)), linger.Known(secure.scale(resumed))
	}
	p.CPU = linger.Known(p.Connections.scale(q.opening(resumed).Seconds()))
	if a.bounded != nil {
		p.Budget = a.bounded.of(j)
	}
	return p
}

// observedReuse is the reuse where the log tells connections apart: up to the longest gap
// that one survived it is what was seen. Beyond, connections had been closed by then: at
// least no gap more would be survived, at most all.
func (a *Analyzer) observedReuse(t time.Duration, q Asked) Bounds {
	requests := float64(max(1, a.seen.requests))
	known := int64(math.Ceil(time.Duration(a.seen.longest).Seconds()))
	if today, ok := q.Today.Get(); ok {
		known = min(known, int64(today/time.Second))
	}
	whole := min(int64(t/time.Second), horizon)
	sum := int64(0)
	for _, n := range a.seen.reused[:min(whole, known+1)] {
		sum += n
	}
	b := Bounds{float64(sum) / requests, float64(sum) / requests}
	if whole > known {
		more := int64(0)
		for _, n := range a.seen.missed[known:whole] {
			more += n
		}
		b.High = math.Min(1, b.High+float64(more)/requests)
	}
	return b
}

func ordered(a, b float64) Bounds { return Bounds{math.Min(a, b), math.Max(a, b)} }

// An Adaptive is what a timeout of its own for each client would have done: some factor of
// the mean gap of that client, as far as it is known when the connection becomes idle.
type Adaptive struct {
	Factor float64 `json:"factor"`
	Reuse  float64 `json:"reuse"`
	Mean   float64 `json:"sockets_mean"`
	// Fixed is the reuse of the fixed timeout that holds as many sockets.
	Fixed   float64 `json:"reuse_of_fixed"`
	Timeout float64 `json:"fixed_idle_timeout_s"`
}

// adaptive compares.
func (a *Analyzer) adaptive(r *Result) {
	v := a.most
	if v.requests == 0 || a.last <= a.first {
		return
	}
	span := float64(a.last - a.first)
	d := &Adaptive{Factor: adaptiveFactor, Reuse: float64(v.adaptiveReused) / float64(v.requests)}
	idle := v.adaptiveIdle
	for i := range v.conns {
		c := &v.conns[i]
		for at := range c.all() {
			idle += math.Min(float64(a.last-at), float64(c.timeout())) * float64(int64(1)<<a.shift)
		}
	}
	d.Mean = (float64(v.busySum) + idle) / span
	low, high := 1, horizon
	for low < high {
		t := (low + high) / 2
		if (float64(v.busySum)+v.idleTime(time.Duration(t)*time.Second, a.last, int64(1)<<a.shift))/span < d.Mean {
			low = t + 1
		} else {
			high = t
		}
	}
	d.Timeout = float64(low)
	d.Fixed = float64(v.reused(time.Duration(low)*time.Second)) / float64(v.requests)
	r.Adaptive = d
}
