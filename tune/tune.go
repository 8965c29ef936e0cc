// Package tune says what other keep-alive settings would have done with the requests that a
// server has had: how many would have found a connection open, how many sockets would have
// been held for that, and which idle timeout is worth it.
//
//	a := tune.New(tune.Config{...})
//	for each line of a log: a.Add(tune.Arrival{...})
//	r := a.End()
//
// A client takes the connection that it used last, of those that are open and idle, and opens
// one where there is none: policy.Pool with MostRecent, without limits. Of such a pool one
// pass gives the reuse for every timeout at once: a connection at the same place of the
// stack is open after a gap g if and only if the timeout is longer than g, whatever the
// timeout is otherwise (TestAsThePool holds it against policy.Pool).
//
// All of it is predicted from the arrivals as they were: clients that find a connection open
// might ask sooner. What the log does not tell (whether requests overlapped, what is finer
// than its clock) gives two views, the least reuse and the most; the truth lies between
// them.
package tune

import (
	"slices"
	"time"

	"linger"
)

// An Arrival is one request.
type Arrival struct {
	// Client is equal for requests that may share a connection.
	Client uint64
	// Start and End are since 1970 in UTC; equal where the log has no duration.
	Start, End linger.Instant
	// Connection is equal for requests of a client on one connection, 0 if the log does not
	// say; Number is that of the request on it, from 1, or 0.
	Connection uint64
	Number     int64
	// Multiplexed requests (HTTP/2, HTTP/3) share a connection while they overlap.
	Multiplexed bool
	Secure      bool
	// Resumed and Full are what the log says of the TLS handshake of the connection; neither
	// where it does not.
	Resumed, Full bool
	// Older is TLS 1.2 or older, of which a full handshake takes two round trips (RFC 5246,
	// 7.3), and a resumed one one.
	Older bool
	// Once is a request whose connection ends with it: HTTP/1.0 keeps none unless it asks
	// for it (RFC 9112, 9.3), which logs do not show.
	Once bool
}

// A Config says what is known of the arrivals beforehand, and what is asked.
type Config struct {
	// Resolution is how fine their times are.
	Resolution time.Duration
	// Durations reports whether they have an End.
	Durations bool
	// Timeout and Limit, where they are known, are settings of which there is a Run besides
	// the usual ones.
	Timeout time.Duration
	Limit   int
	// ClientIdle is for how long clients keep a connection by themselves; 0 is not known.
	ClientIdle time.Duration
	// Budget is how many connections the server has room for; 0 is no bound. What it would
	// refuse takes a run of each timeout.
	Budget int64
	// Parallel is how many connections a client is taken to open at once where the log
	// does not say which requests overlapped; 0 is 6, as browsers do over HTTP/1.1.
	Parallel int
	// Backends is to how many servers behind it a balancer hands connections in turn.
	Backends int
	// MaxClients bounds how many clients are followed; 0 is a million. Beyond it, a half of
	// all clients stands for all, then a quarter, and so on.
	MaxClients int
}

// Timeouts are the idle timeouts of which sockets are followed over time.
var Timeouts = []time.Duration{
	1 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second, 10 * time.Second,
	15 * time.Second, 20 * time.Second, 30 * time.Second, 45 * time.Second, 60 * time.Second, 75 * time.Second,
	90 * time.Second, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute, 350 * time.Second,
	400 * time.Second, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour,
}

// horizon is the longest timeout that is looked at, in seconds.
const horizon = 3600

// exact is the resolution from which on times are taken as they are.
const exact = 10 * time.Millisecond

// An Analyzer takes arrivals in.
type Analyzer struct {
	config Config
	// timeouts are Timeouts, with those of Config that are not among them.
	timeouts []time.Duration
	clients  clients
	least    *view // nil where most is exact
	most     *view
	beside   beside // of least
	one      *view  // as if all requests of a client shared one connection; nil if they do
	seen     *observed
	replays  *replays
	bounded  *budgeted // nil without a budget
	tallies  *tallies
	hands    handshakes
	order    order
	on       func(*Arrival) // add
	now      Arrival
	shared   Arrival // as one has it
	batch    []Arrival
	places   [atOnce]int32
	fetched  linger.Instant // what fetch has read, so that it is read
	inOrder  int            // arrivals since the last one that was before the one that came before it
	latest   linger.Instant

	last     linger.Instant
	started  bool
	first    linger.Instant
	secure   int64
	requests int64
	hours    [24]int64

	shift uint // one of 2^shift clients stands for all
}

// New returns an analyzer.
func New(c Config) *Analyzer {
	if c.Parallel == 0 {
		c.Parallel = 6
	}
	if c.MaxClients == 0 {
		c.MaxClients = 1 << 20
	}
	if c.Backends == 0 {
		c.Backends = 4
	}
	a := &Analyzer{config: c, seen: newObserved(), timeouts: followed(c)}
	a.bounded, a.tallies = newBudgeted(c.Budget, a.timeouts), newTallies(len(a.timeouts)+1)
	if c.Durations && c.Resolution <= exact {
		a.most = a.newView(0, 0, 0)
		a.one = a.newView(0, 0, 0)
	} else {
		// Requests may have begun and ended anywhere within the clock's step. Where their
		// ends are not known, either none overlapped, or all of one step did.
		step := c.Resolution.Nanoseconds()
		a.most = a.newView(0, -step, 0)
		a.least = a.newView(step, 2*step, c.Parallel)
		a.beside = newBeside(a.least)
	}
	a.replays = newReplays(c)
	a.on, a.batch = a.add, make([]Arrival, 0, atOnce)
	return a
}

// followed are Timeouts, with those of a Config that are not among them.
func followed(c Config) []time.Duration {
	list := slices.Clone(Timeouts)
	for _, t := range []time.Duration{c.Timeout, c.ClientIdle} {
		if t > 0 && t <= horizon*time.Second && !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	slices.Sort(list)
	return list
}

// class is how many of the timeouts are no longer than a gap, so that they end the connection;
// all are no longer than never.
func (a *Analyzer) class(gap linger.Instant) int {
	if gap < 0 || gap > horizon*linger.Instant(time.Second) {
		return len(a.timeouts)
	}
	if len(a.most.fine) == 0 {
		return int(a.most.held.classOf[gap/linger.Instant(time.Second)])
	}
	n, found := slices.BinarySearch(a.timeouts, time.Duration(gap))
	if found {
		n++
	}
	return n
}

// Add takes an arrival in.
func (a *Analyzer) Add(r Arrival) {
	// Logs that are written when requests end are out of order all along, others never.
	if a.inOrder++; r.Start < a.latest {
		a.inOrder = 0
	}
	a.latest = r.Start
	a.now = r // which stays where it is: nothing is allocated for an arrival
	switch {
	case a.inOrder < calm:
		a.order.push(&a.now, a.on)
	case a.inOrder == calm:
		a.order.push(&a.now, a.on)
		a.order.rest(a.on)
	default:
		a.add(&a.now)
	}
}

// calm is how many arrivals in order make the next ones be taken as they come.
const calm = 1 << 16

// add takes arrivals in that are in order: a batch at once, since to find what is known of a client
// takes longer than all else, and of many clients hardly longer than of one.
func (a *Analyzer) add(r *Arrival) {
	if a.batch = append(a.batch, *r); len(a.batch) == cap(a.batch) {
		a.take()
	}
}

// atOnce is how many arrivals are a batch.
const atOnce = 64

// take takes the batch in.
func (a *Analyzer) take() {
	for batch := a.batch; len(batch) > 0; {
		n := 0
		for full := false; n < len(batch) && !full; n++ {
			a.places[n] = nowhere
			if client := batch[n].Client; client>>(64-a.shift) == 0 {
				a.places[n], _ = a.clients.place(client)
				full = a.clients.n > a.config.MaxClients
			}
		}
		a.fetch(a.places[:n])
		for i := range n {
			a.arrive(&batch[i], a.places[i])
		}
		batch = batch[n:]
		if a.clients.n > a.config.MaxClients {
			a.halve()
		}
	}
	a.batch = a.batch[:0]
}

// finish takes in what still waits.
func (a *Analyzer) finish() {
	a.order.rest(a.add)
	a.take()
	a.beside.wait()
}

// nowhere is the place of a client that is not followed.
const nowhere = -1

// fetch reads what is known of clients, so that it is in the cache when it is needed: none of these
// reads waits for another.
func (a *Analyzer) fetch(places []int32) {
	sum := a.most.fetch(places)
	for _, at := range places {
		if at >= 0 && int(at) < len(a.most.conns) {
			if i := a.most.conns[at].tally; i > 0 {
				count := a.tallies.list[i-1].count
				sum += linger.Instant(count[0] + count[len(count)/2])
			}
		}
	}
	if a.least != nil && a.beside.alone {
		sum += a.least.fetch(places)
	}
	a.fetched = sum
}

// arrive takes an arrival in, of the client at a place.
func (a *Analyzer) arrive(r *Arrival, place int32) {
	if !a.started {
		a.started, a.first = true, r.Start
	}
	a.first = min(a.first, r.Start)
	a.last = max(a.last, r.End)
	a.requests++
	a.hours[r.Start/linger.Instant(time.Hour)%24]++
	if r.Secure {
		a.secure++
	}
	if place == nowhere {
		return
	}
	w := int64(1) << a.shift
	gap := a.most.add(place, r, w)
	if a.least != nil {
		a.beside.add(place, r, w)
	}
	if a.one != nil {
		a.shared = *r
		a.shared.Multiplexed = true
		a.one.add(place, &a.shared, w)
	}
	a.replays.add(r, w)
	if a.bounded != nil {
		a.bounded.add(r, w, a.class)
	}
	if a.tallies.follows(a.most.conns, place, r.Client) {
		a.tallies.add(&a.most.conns[place], a.class(gap))
	}
	if r.Secure {
		a.hands.add(r, gap, w)
	}
	a.most.held.ask(r.End, w)
	if r.Connection != 0 || r.Number != 0 {
		a.seen.add(r, gap, w)
	}
}

// halve lets one half of the clients stand for all from now on.
func (a *Analyzer) halve() {
	a.beside.wait()
	a.shift++
	gone := func(client uint64) bool { return client>>(64-a.shift) != 0 }
	a.clients.forget(gone, func(place int32) {
		for _, v := range []*view{a.most, a.least, a.one} {
			if v != nil && int(place) < len(v.conns) {
				a.tallies.drop(&v.conns[place])
				v.conns[place] = client{}
			}
		}
	})
	a.replays.forget(gone)
	if a.bounded != nil {
		a.bounded.forget(gone)
	}
	a.seen.forget(gone)
}
