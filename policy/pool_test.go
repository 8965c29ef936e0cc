package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"linger"
)

// TestOrder has one request a second, and every ten seconds two at once. Where the
// connection used last takes them all, the other has idled for too long when it is needed
// again; where they take turns, both stay open.
func TestOrder(t *testing.T) {
	for _, test := range []struct {
		order Order
		idle  time.Duration
		want  int
	}{
		{MostRecent, 5 * time.Second, 4},
		{LeastRecent, 5 * time.Second, 2},
		{MostRecent, 15 * time.Second, 2},
		{MostRecent, 500 * time.Millisecond, 33},
	} {
		p := PoolPolicy{Strategy: strategy(t, "keep:2"), Order: test.order}
		p.Strategy.IdleTimeout = test.idle
		pool, dials := NewPool(p), 0
		poll := func(now linger.Instant) (sent []PoolCommand) {
			for cmd, ok := pool.Poll(now); ok; cmd, ok = pool.Poll(now) {
				switch cmd.Kind {
				case Dial:
					dials++
					pool.HandleConnected(now, cmd.Conn)
				case Send:
					sent = append(sent, cmd)
				}
			}
			return sent
		}
		for second := range 30 {
			now := linger.Instant(0).Add(time.Duration(second) * time.Second)
			for at := pool.NextTimeout(); at <= now; at = pool.NextTimeout() {
				pool.HandleTimeout(at)
				poll(at)
			}
			pool.HandleRequest(0, Request{Safe: true})
			if second%10 == 0 {
				pool.HandleRequest(1, Request{Safe: true})
			}
			for _, cmd := range poll(now) {
				pool.HandleResponse(now.Add(rtt), cmd.Conn, cmd.Request, true)
			}
		}
		if dials != test.want {
			t.Errorf("order %d, idle for %v: %d connections, want %d", test.order, test.idle, dials, test.want)
		}
	}
}

// choices are what a random course of events is made of.
type choices func(n int) int // from 0 to n-1

// course lets anything happen to a Pool and to its naive twin, also what cannot, for as
// long as there is more, and has them decide the same. In the end all is closed, and the
// Pool holds nothing.
func course(t *testing.T, more func() bool, choose choices) {
	names := []string{"close", "close:3", "keep", "keep:6", "pipeline", "pipeline:2", "keep:40", "h2", "h2:3", "h3:3+0rtt",
		"udp:3", "tcp:2", "tcp+keep", "tcp+pipeline", "dot:5+pipeline", "doq:2+keep+0rtt"}
	// Few lengths of time, so that much falls due at once.
	lengths := []time.Duration{0, 20, 50, 100}
	length := func() time.Duration { return lengths[choose(len(lengths))] }
	s := strategy(t, names[choose(len(names))])
	s.MaxRequests = max(0, choose(10)-5)
	s.IdleTimeout = length()
	p := PoolPolicy{Strategy: s, Order: Order(choose(2)), Remember: choose(4) == 0,
		Limits: Limits{Connect: length(), Stall: length(), Linger: length(), Repeat: 20, Sends: 3}}
	w := &twins{t: t, choose: choose, strategy: s, pool: NewPool(p), naive: newNaive(p), origins: 1 + choose(8)}
	for more() {
		w.step()
	}
	w.poll()
	for len(w.live) > 0 || len(w.pending) > 0 {
		for _, k := range slices.Clone(w.live) {
			w.happen(closed, k)
		}
		w.poll()
	}
	if n := len(w.pool.keys); !p.Remember && n > 0 {
		t.Errorf("%d keys are held, and nothing is open", n)
	}
	if w.pool.Open() != 0 || w.pool.NextTimeout() != linger.Never || len(w.pool.conns.free) != len(w.pool.conns.all) {
		t.Errorf("%d connections are left; wakes at %d", w.pool.Open(), w.pool.NextTimeout())
	}
	if n := len(w.pool.conns.all); n > w.peak {
		t.Errorf("room for %d connections; never more than %d were open", n, w.peak)
	}
}

// twins are a Pool and a naivePool of one policy, and what the world knows of both.
type twins struct {
	t        *testing.T
	choose   choices
	strategy linger.Strategy
	pool     *Pool
	naive    *naivePool
	now      linger.Instant
	origins  int
	wanted   int
	live     []*twin
	pending  []int // requests that are not settled
	peak     int
}

// A twin is a connection.
type twin struct {
	Conn
	up bool
}

// An event is what can happen to a connection.
type event int

const (
	connected event = iota
	answered
	answeredTo
	answeredAsLast
	rejected
	handed
	begun
	closed
	refused
	dialFailed
	established
	tookEarly
	allowed
	goneAway
	idleLimit
	truncated
	resetStream
	refusedStream
	ofWhich
)

// step has one thing happen.
func (w *twins) step() {
	// The next timeout is met exactly in the most cases, as an engine in virtual time
	// would, and late in others.
	at := w.now.Add(time.Duration(w.choose(3) * w.choose(16)))
	next := w.pool.NextTimeout()
	if w.choose(4) > 0 {
		at = min(at, max(next, w.now))
	}
	if w.now = at; next <= w.now {
		w.pool.HandleTimeout(w.now)
		w.naive.HandleTimeout(w.now)
		w.poll()
		return
	}
	switch n := w.choose(16); {
	case n < 5 || len(w.live) == 0:
		for range 1 + w.choose(3)*w.choose(3) {
			w.want()
		}
	case n == 5:
		w.pool.CloseIdle("it is over")
		w.naive.CloseIdle("it is over")
	default:
		k := w.live[w.choose(len(w.live))]
		what := connected
		if k.up || w.choose(4) == 0 {
			what = event(w.choose(int(ofWhich)))
		}
		if (what == closed || what == goneAway) && w.choose(4) > 0 {
			what = answered
		}
		w.happen(what, k)
	}
	if w.choose(4) > 0 {
		w.poll()
	}
}

func (w *twins) want() {
	key := Key(w.choose(w.origins))
	if w.choose(8) == 0 {
		key = Key(1000 + w.wanted) // which nobody else has
	}
	w.wanted++
	r := 0
	for slices.Contains(w.pending, r) {
		r++
	}
	w.pending = append(w.pending, r)
	q := Request{Key: key, Safe: w.choose(4) > 0}
	q.Idempotent = q.Safe || w.choose(2) == 0
	w.pool.HandleRequest(r, q)
	w.naive.HandleRequest(r, q)
}

func (w *twins) settle(r int) {
	w.pending = slices.DeleteFunc(w.pending, func(other int) bool { return other == r })
}

func (w *twins) happen(what event, k *twin) {
	id, n, r := k.Conn, k.Number, -1
	on := slices.DeleteFunc(slices.Clone(w.pending), func(r int) bool { return w.pool.carrying(id, r) == nil })
	if len(on) > 0 {
		r = on[0]
		if w.strategy.Multiplexed {
			r = on[w.choose(len(on))]
		}
	}
	if w.choose(16) == 0 && len(w.pending) > 0 {
		r = w.pending[w.choose(len(w.pending))] // which may be elsewhere
	}
	switch what {
	case connected:
		k.up = true
		w.pool.HandleConnected(w.now, id)
		w.naive.HandleConnected(w.now, n)
	case answered, answeredTo, answeredAsLast:
		if w.pool.HandleResponse(w.now, id, r, what != answeredAsLast) {
			w.settle(r)
		}
		w.naive.HandleResponse(w.now, n, r, what != answeredAsLast, "")
	case rejected:
		w.pool.HandleRejected(w.now, id, r, true, "wrong")
		w.naive.HandleResponse(w.now, n, r, true, "wrong")
	case handed:
		w.pool.HandleSent(w.now, id, r)
		w.naive.HandleSent(w.now, n, r)
	case begun:
		w.pool.HandleBody(w.now, id, r)
		w.naive.HandleBody(w.now, n, r)
	case closed:
		cause := Cause(w.choose(3))
		w.pool.HandleClosed(id, cause, "closed")
		w.naive.HandleClosed(n, cause, "closed")
		w.gone(n)
	case refused:
		w.pool.HandleRefused(id)
		w.naive.HandleRefused(n)
		w.gone(n)
	case dialFailed:
		w.pool.HandleDialFailed(id, "refused")
		w.naive.HandleDialFailed(n, "refused")
		if !k.up {
			w.gone(n)
		}
	case established:
		w.pool.HandleEstablished(id)
		w.naive.HandleEstablished(n)
	}
	switch {
	case w.strategy.Datagram && what == truncated:
		w.pool.HandleTruncated(w.now, id, r)
		w.naive.HandleTruncated(w.now, n, r)
	case w.strategy.DNS != "" && what == idleLimit:
		limit := time.Duration(w.choose(5) * 10)
		w.pool.HandleIdleLimit(w.now, id, limit)
		w.naive.HandleIdleLimit(w.now, n, limit)
	case !w.strategy.Multiplexed:
	case what == tookEarly:
		k.up = true
		w.pool.HandleEarly(w.now, id)
		w.naive.HandleEarly(w.now, n)
	case what == allowed:
		streams := w.choose(5)
		w.pool.HandleStreams(w.now, id, streams)
		w.naive.HandleStreams(w.now, n, streams)
	case what == goneAway:
		left := on[w.choose(len(on)+1):]
		w.pool.HandleGoAway(id, left, "GOAWAY")
		w.naive.HandleGoAway(n, left, "GOAWAY")
	case what == resetStream || what == refusedStream:
		w.pool.HandleReset(w.now, id, r, what == refusedStream, "reset")
		w.naive.HandleReset(w.now, n, r, what == refusedStream, "reset")
	}
}

// poll has both say what they want done, and does it.
func (w *twins) poll() {
	for {
		got, more := w.pool.Poll(w.now)
		want, more2 := w.naive.Poll(w.now)
		id := got.Conn
		got.Conn.slot = 0
		if got != want || more != more2 {
			w.t.Fatalf("%s at %d:\npool  %+v, %v\nnaive %+v, %v", w.strategy.Name, w.now, got, more, want, more2)
		}
		if !more {
			break
		}
		switch got.Kind {
		case Dial:
			w.live = append(w.live, &twin{Conn: id})
			w.peak = max(w.peak, w.pool.Open())
		case Close:
			w.gone(id.Number)
		case Fail:
			w.settle(got.Request)
		}
	}
	if got, want := w.pool.NextTimeout(), w.naive.NextTimeout(); got != want {
		w.t.Fatalf("wakes at %d, the naive one at %d", got, want)
	}
	if w.pool.Open() != len(w.naive.conns) || w.pool.Retries() != w.naive.retries || len(w.pool.pools.all)-len(w.pool.pools.free) != len(w.naive.pools) {
		w.t.Fatalf("%d open, %d retries, %d pools; the naive one has %d, %d and %d", w.pool.Open(), w.pool.Retries(),
			len(w.pool.pools.all)-len(w.pool.pools.free), len(w.naive.conns), w.naive.retries, len(w.naive.pools))
	}
}

func (w *twins) gone(number int) {
	w.live = slices.DeleteFunc(w.live, func(k *twin) bool { return k.Number == number })
}

// TestPoolDecidesAsTheNaiveOne has both live through the same random courses.
func TestPoolDecidesAsTheNaiveOne(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 0))
		left := 400
		course(t, func() bool { left--; return left >= 0 }, r.IntN)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestPoolHoldsWhatIsOpen has an endless stream of clients who never come again, and one of
// clients who do. What the pool holds is bounded by the most that was open at once.
func TestPoolHoldsWhatIsOpen(t *testing.T) {
	for name, key := range map[string]func(*rand.Rand) Key{"strangers": strangers(), "regulars": of(1000)} {
		p := PoolPolicy{Strategy: strategy(t, "keep:6"), Limits: DefaultLimits}
		p.Strategy.IdleTimeout = 20 * time.Second
		s := newStream(p, each/1000, key)
		s.serve(10_000)
		allocations := testing.AllocsPerRun(3, func() { s.serve(10_000) })
		if allocations > 100 {
			t.Errorf("%s: %.0f allocations for 10000 requests", name, allocations)
		}
		if n := len(s.pool.conns.all); n != s.peak || s.pool.dialled < 10*n {
			t.Errorf("%s: room for %d connections, where %d were open at once, of %d", name, n, s.peak, s.pool.dialled)
		}
		if n := len(s.pool.pools.all); n > s.peak+1 {
			t.Errorf("%s: room for %d pools, where %d connections were open at once", name, n, s.peak)
		}
		if n := len(s.pool.timers.heap); n > 2*s.peak+16 {
			t.Errorf("%s: %d timers, where %d connections were open at once", name, n, s.peak)
		}
		if n := len(s.pool.requests); n != len(s.service) {
			t.Errorf("%s: room for %d requests, where %d were under way at once", name, n, len(s.service))
		}
	}
}

// FuzzPool is the same, led by bytes.
func FuzzPool(f *testing.F) {
	for seed := range uint64(32) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, 100)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		course(t, func() bool { return len(b) > 0 }, func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := b[0]
			b = b[1:]
			return int(v) % n
		})
	})
}

// A request that has waited for a connection of its own goes on that, and not on the one that has
// become free meanwhile.
func TestRequestOn(t *testing.T) {
	p := NewPool(PoolPolicy{Strategy: linger.Strategy{Name: "keep", Version: "1.1", Persistent: true, Connections: 6, InFlight: 1}})
	q := Request{Safe: true, Idempotent: true}
	var dialled, sent []Conn
	poll := func() {
		for c, ok := p.Poll(1); ok; c, ok = p.Poll(1) {
			switch c.Kind {
			case Dial:
				dialled = append(dialled, c.Conn)
			case Send:
				sent = append(sent, c.Conn)
			}
		}
	}
	p.HandleSpare(0, 0)
	p.HandleSpare(0, 0)
	poll()
	p.HandleConnected(1, dialled[0])
	p.HandleConnected(1, dialled[1])
	p.HandleRequestOn(1, 7, q, dialled[1])
	poll()
	p.HandleRequestOn(1, 8, q, dialled[1]) // it is taken
	poll()
	if len(dialled) != 2 || len(sent) != 2 || sent[0] != dialled[1] || sent[1] != dialled[0] {
		t.Errorf("dialled %v, sent on %v", dialled, sent)
	}
}
