package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"linger"
	"linger/ask"
	"linger/load/plan"
	"linger/tally"
)

// A setup is a load that can be begun: what all workers of it share.
type setup struct {
	Config
	targets []target
	origins []origin
	// inFlight is how many requests may be under way on a connection.
	inFlight int
	workers  int
	begins   linger.Instant // what is sent from here on is counted
	ends     linger.Instant // nothing is sent from here on
	start    time.Time
	// left is how many requests may still be begun, where bounded.
	bounded bool
	left    atomic.Int64
	stop    atomic.Bool // nothing more is waited for
	// keeps says that connections carry more than one request; limit how many, 0 is no bound.
	keeps bool
}

// A target is a Target ready to be sent.
type target struct {
	Target
	method     string
	origin     int
	idempotent bool          // RFC 9110, 9.2.2
	wire, last []byte        // in HTTP/1; last asks for the connection to be closed
	streamed   *http.Request // in HTTP/2 and HTTP/3
}

// An origin is where connections go. Targets that differ in nothing but what is asked for have the
// same.
type origin struct {
	scheme, address, host string
	addresses             []netip.AddrPort
	local                 bool // all within this machine
	connections           int
	targets               []int // of setup.targets
	weights               []int
	tls                   *tls.Config // nil in the clear
}

func (s *setup) now() linger.Instant { return linger.Instant(time.Since(s.start)) }

// take reports whether one more request may be begun, and counts it.
func (s *setup) take(now linger.Instant) bool {
	if now >= s.ends {
		return false
	}
	if !s.bounded || now < s.begins {
		return true
	}
	return s.left.Add(-1) >= 0
}

// Defaults of a Config.
const (
	defaultConnect  = 10 * time.Second
	defaultAnswer   = 30 * time.Second
	defaultInFlight = 16
	// drain bounds how long answers are waited for after the end.
	drain = time.Second
)

// prepare checks a configuration, looks its names up and puts its requests together.
func prepare(ctx context.Context, c Config) (*setup, error) {
	s := &setup{Config: c, begins: linger.Instant(c.Plan.WarmUp), ends: c.Plan.Ends(), bounded: c.Plan.Requests > 0, keeps: c.Strategy.Persistent}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.left.Store(c.Plan.Requests)
	if s.Connect == 0 {
		s.Connect = defaultConnect
	}
	if s.Answer == 0 {
		s.Answer = defaultAnswer
	}
	if s.Closing == "" {
		s.Closing = tally.CloseFIN
	}
	s.inFlight = 1
	if c.Strategy.InFlight != 1 && s.keeps {
		s.inFlight = c.InFlight
		if s.inFlight == 0 {
			s.inFlight = c.Strategy.InFlight
		}
		if s.inFlight == linger.Unlimited {
			s.inFlight = defaultInFlight
		}
	}
	for i := range c.Targets {
		if err := s.add(ctx, c.Targets[i]); err != nil {
			return nil, err
		}
	}
	s.divide()
	return s, nil
}

func (s *setup) check() error {
	switch {
	case len(s.Targets) == 0:
		return errors.New("a load has a target: give a URL")
	case s.Strategy.DNS != "" || s.Strategy.Client != "":
		return fmt.Errorf("strategy %q is none that loads a server of HTTP; use close, keep, pipeline, h2 or h3", s.Strategy.Name)
	case s.Connections < 1 || s.Connections > maxConnections:
		return fmt.Errorf("a load holds 1 to %d connections", maxConnections)
	case s.InFlight < 0 || s.InFlight > maxInFlight:
		return fmt.Errorf("a connection has 1 to %d requests under way", maxInFlight)
	}
	if err := s.Plan.Check(); err != nil {
		return err
	}
	return s.Life.Check()
}

const (
	maxConnections = 1 << 20
	maxInFlight    = 1 << 12
)

// add puts a target to its origin.
func (s *setup) add(ctx context.Context, t Target) error {
	if err := s.Strategy.Fits(t.Scheme); err != nil {
		return err
	}
	if t.Weight < 0 {
		return errors.New("a weight is 1 or more")
	}
	t.Weight = max(t.Weight, 1)
	if host := t.Message.Host(); host != "" {
		t.Host = host
	}
	at := slices.IndexFunc(s.origins, func(o origin) bool {
		return o.scheme == t.Scheme && o.address == t.Address && (o.host == t.Host || s.secureName(t) == o.host)
	})
	if at < 0 {
		o := origin{scheme: t.Scheme, address: t.Address, host: s.secureName(t)}
		if s.Route.Unix == "" {
			var err error
			if o.addresses, err = s.Route.Addresses(ctx, t.Address); err != nil {
				return err
			}
			o.local = !slices.ContainsFunc(o.addresses, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() })
		}
		if t.Scheme == linger.SchemeHTTPS {
			o.tls = s.secure(t)
		}
		s.origins = append(s.origins, o)
		at = len(s.origins) - 1
	}
	x := target{Target: t, origin: at, method: t.Message.FirstMethod()}
	x.idempotent = slices.Contains([]string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}, x.method)
	for _, last := range []bool{false, true} {
		b := ask.AppendHTTP1(nil, x.request(last), s.Strategy, t.Host, t.Message)
		b = append(b, t.Message.Content...)
		if last {
			x.last = b
		} else {
			x.wire = b
		}
	}
	x.streamed = s.streamed(&x)
	s.targets = append(s.targets, x)
	o := &s.origins[at]
	o.targets = append(o.targets, len(s.targets)-1)
	o.weights = append(o.weights, t.Weight)
	return nil
}

// secureName is what connections of TLS are kept apart by; in the clear, hosts share them.
func (s *setup) secureName(t Target) string {
	if t.Scheme == linger.SchemeHTTPS {
		return t.Host
	}
	return ""
}

// request is the target's as ask has it.
func (t *target) request(last bool) ask.Request {
	return ask.Request{Exchange: linger.Exchange{Method: t.method, Path: t.Path, RequestBody: int64(len(t.Message.Content))}, Last: last, Encoding: t.Encoding}
}

// right reports whether a status is what was expected.
func (t *target) right(status int) bool {
	if t.Expect != 0 {
		return status == t.Expect
	}
	return status >= 200 && status < 400
}

// secure returns the configuration of handshakes with a target's origin.
func (s *setup) secure(t Target) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		c = s.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = t.Host
		if host, _, err := net.SplitHostPort(t.Host); err == nil {
			c.ServerName = host
		}
		c.ServerName = strings.Trim(c.ServerName, "[]")
	}
	alpn := linger.HTTP11
	if p := s.Strategy.Protocol(); p.Multiplexed() {
		alpn = p
	}
	c.NextProtos = []string{alpn.ALPN()}
	if s.Strategy.Resume {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	} else {
		c.ClientSessionCache = nil
	}
	return c
}

// divide gives each origin its connections, by the weights of its targets, and says how many
// workers there can be, so that each has a connection to every origin.
func (s *setup) divide() {
	all := 0
	for _, t := range s.targets {
		all += t.Weight
	}
	s.Connections = max(s.Connections, len(s.origins))
	rest := s.Connections - len(s.origins)
	given, sum := 0, 0
	for i := range s.origins {
		for _, w := range s.origins[i].weights {
			sum += w
		}
		upTo := rest * sum / all
		s.origins[i].connections = 1 + upTo - given
		given = upTo
	}
	s.workers = s.Workers
	for _, o := range s.origins {
		s.workers = min(s.workers, o.connections)
	}
}

// orLong is d, or, of one that never comes, a long time.
func orLong(d time.Duration) time.Duration {
	if d == 0 {
		return time.Hour
	}
	return d
}

// A turns says which of several is next, so that each comes as often as its weight says and as evenly
// as can be.
type turns struct {
	weights, credit []int
	all             int
}

func newTurns(weights []int) *turns {
	t := &turns{weights: weights, credit: make([]int, len(weights))}
	for _, w := range weights {
		t.all += w
	}
	return t
}

func (t *turns) next() int {
	if len(t.weights) == 1 {
		return 0
	}
	best := 0
	for i, w := range t.weights {
		if t.credit[i] += w; t.credit[i] > t.credit[best] {
			best = i
		}
	}
	t.credit[best] -= t.all
	return best
}

// arrivals are those of an open loop that fall to one worker: where all, the instants and targets of
// the whole plan are gone through.
type arrivals struct {
	from           *plan.Arrivals
	turns          *turns
	begins         linger.Instant
	bound, counted int64 // 0 is no bound
	index          int
	worker, of     int
}

func (s *setup) arrivals(worker int) *arrivals {
	var weights []int
	for _, t := range s.targets {
		weights = append(weights, t.Weight)
	}
	return &arrivals{from: s.Plan.Arrivals(), turns: newTurns(weights), begins: s.begins, bound: s.Plan.Requests, worker: worker, of: s.workers}
}

// next returns the next instant of the worker's and its target; false where there is none.
func (a *arrivals) next() (linger.Instant, int, bool) {
	for {
		at, ok := a.from.Next()
		if !ok {
			return linger.Never, 0, false
		}
		if at >= a.begins && a.bound > 0 {
			if a.counted++; a.counted > a.bound {
				return linger.Never, 0, false
			}
		}
		target, mine := a.turns.next(), a.index%a.of == a.worker
		a.index++
		if mine {
			return at, target, true
		}
	}
}

// limit draws how many requests a connection carries; 0 is no bound.
func (s *setup) limit(rng *rand.Rand) int {
	switch {
	case !s.keeps:
		return 1
	case s.Life.Requests.Most > 0 || s.Life.Requests.Least > 0:
		return s.Life.Requests.Draw(rng)
	}
	return s.Strategy.MaxRequests
}
