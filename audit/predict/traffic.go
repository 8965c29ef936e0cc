package predict

import (
	"math"
	"time"

	"linger"
	"linger/policy"
)

// Traffic is what one client asked of one origin, and how its connections were kept, as far as
// that was seen. It is replayed with what of it a setting has otherwise.
type Traffic struct {
	Wants []Want // in order, as InOrder has them
	// Before are the connections that were there when the recording began, by part.
	Before []int

	// Idle is after how long the client closes, ServerIdle the server, Requests after how many
	// the server does, Age how old; where one limit is claimed. 0 is none.
	Idle, ServerIdle, Age time.Duration
	Requests              int
	Order                 policy.Order
	// Bound says that a request for which a connection is opened waits for that one, as of Node
	// and curl, and not for whichever is free first, as of Go and browsers.
	Bound bool
	// Multiplexed says that requests shared connections; Streams is how many at once; 0 is not
	// known.
	Multiplexed bool
	Streams     int

	// Full and Resumed are how long handshakes took, means, of either kind. Without TLS all are
	// Full. Measured says that any was recorded whole, Secure that there is TLS.
	Full, Resumed time.Duration
	Measured      bool
	Secure        bool
	// FirstResumed says that the first TLS handshake was, Share is that of the later ones.
	FirstResumed bool
	Share        float64

	// Observed is what was seen; its Replayed is found here.
	Observed Observed

	first, next []int32
	baseline    *Outcome // the replay that changes nothing
}

// streams is how many requests an HTTP/2 server allows at once, where none was seen that says so:
// "it is recommended that this value be no smaller than 100" (RFC 9113, 6.5.2), and most have it.
const streams = 100

// link makes lists of what each response releases.
func (t *Traffic) link() {
	if t.first != nil {
		return
	}
	t.first, t.next = make([]int32, len(t.Wants)), make([]int32, len(t.Wants))
	for i := len(t.Wants) - 1; i >= 0; i-- { // so that those of a response are in order
		if w := &t.Wants[i]; w.After >= 0 {
			t.next[i], t.first[w.After] = t.first[w.After], int32(i)+1
		}
	}
}

// setup is how long the next connection's handshakes take, after others.
func (t *Traffic) setup(s Setting, n int) (d time.Duration, resumed bool) {
	if !t.Secure {
		return t.Full, false
	}
	switch {
	case n == 0:
		resumed = t.FirstResumed
	case s.Resume:
		resumed = true
	default:
		// So that the share of those after the first is kept from one to the next.
		resumed = math.Floor(t.Share*float64(n)+1e-9) > math.Floor(t.Share*float64(n-1)+1e-9)
	}
	if resumed && t.Resumed > 0 {
		return t.Resumed, true
	}
	return t.Full, resumed
}

// strategy is the client's with a setting, whose limits are whichever side's comes first.
func (t *Traffic) strategy(s Setting) linger.Strategy {
	out := linger.Strategy{Name: "keep", Version: "1.1", Persistent: true, Connections: math.MaxInt32 / 4, InFlight: 1}
	if s.Connections > 0 {
		out.Connections = s.Connections
	}
	if s.H2 || t.Multiplexed {
		out.Connections, out.InFlight, out.Multiplexed = 1, linger.Unlimited, true
		out.Name, out.Version = string(linger.H2), "2"
	}
	idle := t.Idle
	if s.Idle > 0 {
		idle = duration(s.Idle)
	}
	server := t.ServerIdle
	if s.ServerIdle > 0 {
		server = duration(s.ServerIdle)
	}
	if out.IdleTimeout = idle; idle == 0 || server > 0 && server < idle {
		out.IdleTimeout = server
	}
	out.MaxRequests = t.Requests
	if s.MaxRequests > 0 {
		out.MaxRequests = s.MaxRequests
	}
	return out
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// play replays the traffic with a setting.
func (t *Traffic) play(s Setting) *replay {
	t.link()
	strategy := t.strategy(s)
	r := &replay{
		t: t, setting: s, multi: strategy.Multiplexed, age: t.Age, onePool: s.OnePool(), cause: -1,
		asked: make([]linger.Instant, len(t.Wants)), last: make([]bool, len(t.Wants)),
		streams: t.Streams, most: strategy.Connections, idle: map[policy.Key]int{}, open: map[policy.Key]int{},
	}
	if s.H2 && r.streams == 0 {
		r.streams = streams
	}
	order := t.Order
	switch s.Order {
	case MRU:
		order = policy.MostRecent
	case LRU:
		order = policy.LeastRecent
	}
	r.pool = policy.NewPool(policy.PoolPolicy{Strategy: strategy, Order: order})
	r.run()
	return r
}

// With is what the requests would have taken with a setting.
func (t *Traffic) With(s Setting) Outcome {
	if t.baseline == nil {
		as := t.play(Setting{}).outcome()
		t.baseline = &as
	}
	o := *t.baseline
	if !s.IsZero() {
		o = t.play(s).outcome()
	}
	o.Instead = t.Observed
	o.Instead.Replayed = t.baseline.Opened
	off := max(o.Instead.Replayed-o.Instead.Opened, o.Instead.Opened-o.Instead.Replayed)
	o.Low, o.High = max(0, o.Opened-off), o.Opened+off
	if o.Opened > 0 {
		o.Low = max(1, o.Low)
	}
	return o
}

// outcome is what a replay came to.
func (r *replay) outcome() Outcome {
	o := Outcome{Requests: len(r.t.Wants), Known: Known}
	waiting := time.Duration(0)
	for i := range r.conns {
		c := &r.conns[i]
		if c.before || c.used == 0 {
			continue // not opened, or to no purpose, as are those that are left out of what was observed
		}
		o.Opened++
		switch {
		case !r.t.Secure:
		case c.resumed:
			o.Resumed++
		default:
			o.Full++
		}
		if c.waited {
			waiting += c.setup
		}
	}
	if r.t.Measured {
		o.Waiting, o.Queueing = linger.Known(ms(waiting)), linger.Known(ms(r.queued))
	}
	return o
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
