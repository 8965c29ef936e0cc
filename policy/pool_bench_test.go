package policy

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"linger"
)

// A stream is an endless stream of requests and the world that answers them. Gaps and
// service times have heavy tails (Pareto's, of index 1.5), and some clients ask more often
// than others.
type stream struct {
	random  *rand.Rand
	pool    *Pool
	now     linger.Instant
	arrival linger.Instant
	gap     time.Duration // of all clients together, in the mean
	key     func(*rand.Rand) Key

	service    []time.Duration // by request
	free       []int           // numbers of requests
	handshakes queue[due]      // each takes a round trip, so that they end in their order
	responses  []due           // a heap
	peak       int             // connections open at once
}

// A due is something that happens to a connection.
type due struct {
	at      linger.Instant
	conn    Conn
	request int
}

// trip is the round trip of the stream's world.
const trip = 50 * time.Millisecond

// pareto returns a time of that mean.
func pareto(r *rand.Rand, mean time.Duration) time.Duration {
	u := 1 - r.Float64()
	return time.Duration(float64(mean) / 3 * math.Cbrt(1/(u*u)))
}

// serve has n requests arrive, and all happen that is due until the last of them.
func (s *stream) serve(n int) {
	for range n {
		s.arrival = s.arrival.Add(pareto(s.random, s.gap))
		s.advance()
		s.now = s.arrival
		r := len(s.service)
		if n := len(s.free); n > 0 {
			r, s.free = s.free[n-1], s.free[:n-1]
		} else {
			s.service = append(s.service, 0)
		}
		s.service[r] = min(pareto(s.random, 30*time.Millisecond), 30*time.Second)
		s.pool.HandleRequest(r, Request{Key: s.key(s.random), Safe: true, Idempotent: true})
		s.obey()
	}
}

// advance has happen what is due before the next request arrives.
func (s *stream) advance() {
	for {
		connected, answered, wake := linger.Never, linger.Never, s.pool.NextTimeout()
		if q := &s.handshakes; q.head < len(q.all) {
			connected = q.all[q.head].at
		}
		if len(s.responses) > 0 {
			answered = s.responses[0].at
		}
		at := min(connected, answered, wake)
		if at > s.arrival {
			return
		}
		switch s.now = at; at {
		case connected:
			d, _ := s.handshakes.pop()
			s.pool.HandleConnected(at, d.conn)
		case answered:
			d := s.answered()
			s.pool.HandleResponse(at, d.conn, d.request, true)
			s.free = append(s.free, d.request)
		default:
			s.pool.HandleTimeout(at)
		}
		s.obey()
	}
}

func (s *stream) obey() {
	for cmd, ok := s.pool.Poll(s.now); ok; cmd, ok = s.pool.Poll(s.now) {
		switch cmd.Kind {
		case Dial:
			s.peak = max(s.peak, s.pool.Open())
			s.handshakes.push(due{at: s.now.Add(trip), conn: cmd.Conn})
		case Send:
			s.answer(due{s.now.Add(trip + s.service[cmd.Request]), cmd.Conn, cmd.Request})
		case Fail:
			panic(cmd.Reason)
		}
	}
}

// answer has a response arrive later.
func (s *stream) answer(d due) {
	s.responses = append(s.responses, d)
	i := len(s.responses) - 1
	for ; i > 0 && d.at < s.responses[(i-1)/2].at; i = (i - 1) / 2 {
		s.responses[i] = s.responses[(i-1)/2]
	}
	s.responses[i] = d
}

// answered takes the response out that arrives next.
func (s *stream) answered() due {
	top, end := s.responses[0], len(s.responses)-1
	d := s.responses[end]
	s.responses = s.responses[:end]
	i := 0
	for child := 1; child < end; child = 2*i + 1 {
		if child+1 < end && s.responses[child+1].at < s.responses[child].at {
			child++
		}
		if d.at <= s.responses[child].at {
			break
		}
		s.responses[i] = s.responses[child]
		i = child
	}
	if end > 0 {
		s.responses[i] = d
	}
	return top
}

// held returns the bytes that are in use.
func held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// each is how often a client asks, in the mean.
const each = 30 * time.Second

// of returns keys of some clients, who ask three origins.
func of(clients int) func(*rand.Rand) Key {
	return func(r *rand.Rand) Key {
		u := r.Float64()
		return Key(float64(clients)*u*u)<<8 | Key(r.IntN(3))
	}
}

// strangers returns keys none of which comes again.
func strangers() func(*rand.Rand) Key {
	next := Key(0)
	return func(*rand.Rand) Key { next++; return next }
}

func newStream(p PoolPolicy, gap time.Duration, key func(*rand.Rand) Key) *stream {
	return &stream{random: rand.New(rand.NewPCG(1, 2)), pool: NewPool(p), gap: gap, key: key}
}

// BenchmarkPool is the cost of a request, the stream's own included: in time, and in bytes
// for each connection that is open at the peak.
func BenchmarkPool(b *testing.B) {
	for _, x := range []struct {
		name string
		most int // connections of a key
		gap  time.Duration
		key  func(*rand.Rand) Key
		warm int // requests until about as many connections are open as ever
	}{
		{"clients=1000", 6, each / 1000, of(1000), 10_000},
		{"clients=100000", 6, each / 100_000, of(100_000), 400_000},
		{"strangers", 6, each / 100_000, strangers(), 300_000},
		{"one-origin", 100_000, 10 * time.Microsecond, of(1), 50_000},
	} {
		b.Run(x.name, func(b *testing.B) {
			p := PoolPolicy{Strategy: strategy(b, "keep"), Limits: DefaultLimits}
			p.Strategy.Connections, p.Strategy.IdleTimeout = x.most, 75*time.Second
			before := held()
			s := newStream(p, x.gap, x.key)
			s.serve(x.warm)
			b.ReportAllocs()
			b.ResetTimer()
			s.serve(b.N)
			b.StopTimer()
			b.ReportMetric(float64(s.peak), "conns")
			b.ReportMetric(float64(held()-before)/float64(s.peak), "B/conn")
			runtime.KeepAlive(s)
		})
	}
}
