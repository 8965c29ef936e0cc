package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"linger"
)

// A Key is what connections are shared by: an origin, or a client and an origin. It is
// the caller's to choose. Requests of different keys never share a connection.
type Key uint64

// A Conn is the handle of one of a Pool's connections. The zero Conn is none.
type Conn struct {
	// Number counts all connections of the Pool from 0, in the order in which they were
	// dialled.
	Number int
	slot   int32 // its index and one more
}

// Order is which of several idle connections takes a request.
type Order uint8

const (
	// MostRecent is the one used last, which is the least likely to have been closed
	// meanwhile. The others become idle for long enough to be closed.
	MostRecent Order = iota
	// LeastRecent is the one that has been idle for longest. None stays idle for long.
	LeastRecent
)

// PoolPolicy is what a Pool goes by.
type PoolPolicy struct {
	// Strategy says how connections are used; its limits hold for each key.
	Strategy linger.Strategy
	// Limits bound each wait; the pace is not the pool's.
	Limits Limits
	Order  Order
	// Remember keeps what was learnt of an origin while nothing is open there and nothing
	// waits: that it takes fewer connections than allowed, that pipelining failed. It is
	// for a number of origins that is bounded.
	Remember bool
}

// A Request is what a Pool must know of one.
type Request struct {
	Key Key
	// Safe and Idempotent are those of its method (RFC 9110, 9.2.1 and 9.2.2).
	Safe, Idempotent bool
}

// PoolCommand is what the owner of a Pool has to do next.
type PoolCommand struct {
	Kind    CommandKind
	Conn    Conn
	Key     Key // on Dial
	Request int // on Send and Fail
	// Last, Again, Stream and Reason are as in Command.
	Last, Again, Stream bool
	Reason              string
}

// A Cause is how a connection came to its end.
type Cause uint8

const (
	ClosedByPeer Cause = iota // end of stream
	Reset                     // RST, or an error of the network
	Malformed                 // the peer broke the protocol; what follows cannot be read
)

type connState uint8

const (
	dialing connState = iota
	open
	lingering // a close has been announced; waiting for it
	gone
)

// A conn fills two lines of a cache. With many open, fetching them is most of what a
// request costs.
type conn struct {
	number      int
	deadline    linger.Instant
	armed       linger.Instant // when its timer goes off; Never where it has none
	index       int32
	pool        int32 // that it belongs to
	used        linger.Instant
	outstanding list // requests sent and not yet answered in full, in order
	state       connState
	silent      bool // the server allows no stream at all
	retired     bool // the server takes no further requests on it
	cautious    bool // no pipelining before the first response
	sent        int  // requests sent on it
	answered    int  // responses completed on it
	refused     int  // requests that the server did not process, and left it open
	heapLinks
	streams int32                     // that the server allows at once; Unlimited until it says so
	sends   uint16                    // of the datagram that is outstanding
	reached bool                      // the transport is up, further handshakes are not done
	early   bool                      // the handshake is not done; safe requests may go before it
	limit   linger.Opt[time.Duration] // how long the server said that it may be idle
	trip    time.Duration             // the shortest time that an answer on it took
}

// An originPool is the queue of a key and the connections that serve it. Where requests
// are datagrams it has another beside it, of TCP, for answers that did not fit.
type originPool struct {
	key      Key
	index    int32
	beside   int32          // the one of TCP, or that of datagrams; none
	queue    list           // wanted and not on any connection
	ready    [classes]int32 // connections that could take a request, by class
	conns    int32          // not gone
	usable   int32          // connections that can carry requests now or soon
	coming   int32          // those of them that are not established yet
	allowed  int32          // connections that may be usable at once
	inFlight int32          // requests sent and not answered, over all its connections
	stream   bool           // it is the one of TCP
	changed  bool           // it is among the pool's changed
	cautious bool           // its new connections are
	answers  int            // responses completed, over all its connections
}

type requestState uint8

const (
	settled requestState = iota
	waiting              // for a connection
	sent                 // and not answered
)

type request struct {
	state      requestState
	safe       bool
	idempotent bool
	left       bool  // the last attempt has been handed to the network
	begun      bool  // the response to the last attempt has begun to arrive
	retried    bool  // has been retried because its connection died under it
	pool       int32 // whose queue it is in or was in last
	conn       int32 // that it is on
	prev, next int32 // in the list that it is in
	refusals   int32 // how often in a row it was refused, with no answer meanwhile
	answers    int   // that its pool had had when it was refused last
	sent       linger.Instant
}

// A Pool is the state machine of a client's connections, for an endless stream of
// requests over many origins, or of many clients: which connection a request goes on,
// when one is opened, kept and closed, and what is retried.
//
// Call HandleRequest for what is wanted, and the other Handle methods as things happen
// to the connections; after those of one instant call Poll until it has no more
// commands. While NextTimeout is not later than now, call HandleTimeout, and Poll again.
// Instants never go back.
//
// A request is named by a small number of the caller's, an index of what the caller
// knows about it. The number is free again once the request is settled: with
// HandleResponse or HandleRejected, or with a Fail command. What happens to a request
// that is not outstanding on the connection named, or to a connection that is no more,
// is ignored.
//
// Everything is found by handle. A request costs a time that grows with the logarithm
// of what is open, and nothing is allocated for it once the pool has grown to what is
// open at once: its memory is bounded by the most connections, keys and numbers of
// requests that were in use at one time. Not safe for concurrent use.
type Pool struct {
	policy   PoolPolicy
	keys     map[Key]int32
	pools    slots[originPool]
	conns    slots[conn]
	requests []request
	timers   timers
	changed  []int32 // pools that may have to be served
	refused  []int32 // scratch
	commands queue[PoolCommand]
	dialled  int
	open     int
	retries  int
	idle     string // why a connection is closed that was idle for too long
}

// NewPool returns a pool without connections.
func NewPool(policy PoolPolicy) *Pool {
	return &Pool{policy: policy, keys: map[Key]int32{}, idle: "idle for " + policy.Strategy.IdleTimeout.String()}
}

// HandleRequest says that request r is wanted. The next Poll puts it on a connection,
// or dials one. It panics where r names a request that is not settled.
func (p *Pool) HandleRequest(r int, q Request) {
	if extra := r + 1 - len(p.requests); extra > 0 {
		p.requests = append(p.requests, make([]request, extra)...)
	}
	if p.requests[r].state != settled {
		panic(fmt.Sprintf("policy: request %d is wanted again before it is settled", r))
	}
	i, known := p.keys[q.Key]
	if !known {
		i = p.add(q.Key, false)
		p.keys[q.Key] = i
	}
	p.requests[r] = request{state: waiting, pool: i, safe: q.Safe, idempotent: q.Idempotent}
	l := &p.pools.all[i]
	l.queue.push(p.requests, int32(r))
	p.touch(l)
}

// HandleRequestOn is HandleRequest for a request that has waited for a connection of its own,
// which it is put on, unless that takes none.
func (p *Pool) HandleRequestOn(now linger.Instant, r int, q Request, id Conn) {
	p.HandleRequest(r, q)
	if k := p.conn(id); k != nil && p.takes(k) && p.poolOf(k).index == p.requests[r].pool {
		p.poolOf(k).queue.remove(p.requests, int32(r))
		p.send(now, k.index, int32(r))
	}
}

// HandleSpare says that a connection is wanted before any request is, where the strategy has
// room for one.
func (p *Pool) HandleSpare(now linger.Instant, key Key) {
	i, known := p.keys[key]
	if !known {
		i = p.add(key, false)
		p.keys[key] = i
	}
	if l := &p.pools.all[i]; l.usable < l.allowed {
		p.dial(now, i)
	}
}

// KeyOf returns whose a connection is; 0 of one that is no more.
func (p *Pool) KeyOf(id Conn) Key {
	if k := p.conn(id); k != nil {
		return p.poolOf(k).key
	}
	return 0
}

// add makes an originPool and returns its index.
func (p *Pool) add(key Key, stream bool) int32 {
	i := p.pools.take()
	p.pools.all[i] = originPool{key: key, index: i, stream: stream, beside: none, queue: empty,
		ready: [classes]int32{none, none, none, none}, allowed: p.allowed()}
	return i
}

// allowed is how many connections of one key may be usable at once.
func (p *Pool) allowed() int32 { return int32(min(p.policy.Strategy.Connections, math.MaxInt32/2)) }

// renew has the pool try again to open as many connections as the strategy allows, where an
// origin did not take that many.
func (p *Pool) renew() {
	for i := range p.pools.all {
		p.pools.all[i].allowed = p.allowed()
	}
}

// HandleEstablished says that the transport of a dialled connection is up, and that
// another handshake follows on it. It has the rest of the same time.
func (p *Pool) HandleEstablished(id Conn) {
	if k := p.conn(id); k != nil {
		k.reached = true
	}
}

// HandleEarly says that a dialled connection can carry early data. Only safe
// requests are sent before HandleConnected: "Clients MUST NOT use unsafe methods
// (or methods whose safety is not known) in early data" (RFC 8470, 4).
func (p *Pool) HandleEarly(now linger.Instant, id Conn) {
	if k := p.conn(id); k != nil && k.state == dialing {
		k.early = true
		p.opened(now, k)
	}
}

// HandleConnected says that a dialled connection is established, with TLS its
// handshake included.
func (p *Pool) HandleConnected(now linger.Instant, id Conn) {
	k := p.conn(id)
	switch {
	case k == nil:
	case k.state == dialing:
		p.opened(now, k)
	case k.early:
		k.early = false
		if k.outstanding.n > 0 {
			p.extend(now, k)
		} else {
			p.rest(now, k)
		}
		p.update(k)
	}
}

func (p *Pool) opened(now linger.Instant, k *conn) {
	p.become(k, open)
	k.used = now
	p.rest(now, k)
	p.update(k)
}

// HandleStreams says how many requests the server lets a multiplexed connection
// have outstanding (RFC 9113, 5.1.2; RFC 9000, 4.6). It may be said before the
// connection is established, and again at any time.
func (p *Pool) HandleStreams(now linger.Instant, id Conn, n int) {
	k := p.conn(id)
	if k == nil {
		return
	}
	k.streams, k.silent = int32(min(n, math.MaxInt32)), n == 0
	if k.state != open {
		return
	}
	if k.outstanding.n == 0 {
		p.rest(now, k)
	}
	p.update(k)
}

// HandleGoAway says that the server takes no further requests on a multiplexed
// connection, and has not processed and will not process those of refused:
// "Requests sent [...] with a stream identifier higher than the included last
// stream identifier [...] might be retried" (RFC 9113, 6.8; RFC 9114, 5.2). What
// else is outstanding will be answered; then the connection is closed.
func (p *Pool) HandleGoAway(id Conn, refused []int, reason string) {
	k := p.conn(id)
	if k == nil || k.state == dialing {
		return
	}
	p.retire(k)
	p.refuse(k, refused, reason)
	if k.outstanding.n > 0 {
		p.update(k)
		return
	}
	l, unused := p.poolOf(k), k.sent == 0
	p.close(k, reason)
	if unused && l.queue.n > 0 {
		p.barren(l, reason)
	}
}

// HandleIdleLimit says how long the server lets a connection be without a request, as
// an answer on it told (RFC 7828), or QUIC's parameters (RFC 9000, 10.1). The client
// lets go of it before that, by as long as an answer takes: a query that sets out later
// would meet a server that has closed. Where the limit is nothing, the connection takes
// no further query.
func (p *Pool) HandleIdleLimit(now linger.Instant, id Conn, limit time.Duration) {
	k := p.conn(id)
	if k == nil || k.state == dialing {
		return
	}
	k.limit = linger.Known(limit)
	if limit == 0 {
		p.retire(k)
	}
	if k.state == open && k.outstanding.n == 0 {
		p.carryOn(now, k, noIdleTime)
	} else {
		p.update(k)
	}
}

// noIdleTime is why a connection ends whose server lets it be idle for no time.
const noIdleTime = "server allows no idle time"

// HandleTruncated says that the answer to a datagram did not fit into one (TC). What
// there is of it is not used, and the query is asked again over TCP (RFC 2181, 9; RFC
// 7766, 5).
func (p *Pool) HandleTruncated(now linger.Instant, id Conn, r int) {
	k := p.carrying(id, r)
	if k == nil {
		return
	}
	p.take(k, int32(r))
	k.answered++
	to := k.pool
	if l := p.poolOf(k); !l.stream {
		if l.beside == none {
			i := p.add(l.key, true)
			p.pools.all[i].beside, p.pools.all[to].beside = to, i
		}
		to = p.pools.all[to].beside
	}
	x := &p.requests[r]
	x.state, x.pool = waiting, to
	l := &p.pools.all[to]
	l.queue.push(p.requests, int32(r))
	p.touch(l)
	p.carryOn(now, k, "the answer did not fit")
}

// HandleReset says that the server has ended one exchange of a multiplexed
// connection and gives no response. Where it says so before any processing
// (REFUSED_STREAM, H3_REQUEST_REJECTED), "the client can retry" (RFC 9113, 8.7).
func (p *Pool) HandleReset(now linger.Instant, id Conn, r int, refused bool, reason string) {
	k := p.carrying(id, r)
	if k == nil {
		return
	}
	if refused {
		k.refused++
		p.refuse(k, []int{r}, reason)
	} else {
		p.take(k, int32(r))
		p.fail(int32(r), reason)
	}
	p.carryOn(now, k, reason)
}

// refuse puts requests that were not processed back into the queue: to ask again
// repeats nothing. One that is refused more often than there may be connections,
// with no answer to anything meanwhile, is given up, and with it a server that
// refuses everything. A GOAWAY that leaves others to be answered is no such refusal.
func (p *Pool) refuse(k *conn, refused []int, reason string) {
	l := p.poolOf(k)
	taken := p.refused[:0]
	for _, r := range refused {
		if p.on(k, r) {
			p.take(k, int32(r))
			taken = append(taken, int32(r))
		}
	}
	p.refused = taken
	fruitful := k.retired && (k.answered > 0 || k.outstanding.n > 0)
	again := empty
	for _, r := range taken {
		x := &p.requests[r]
		if l.answers > x.answers {
			x.refusals = 0
		}
		if x.answers = l.answers; !fruitful {
			x.refusals++
		}
		if x.refusals > l.allowed {
			p.fail(r, reason)
			continue
		}
		if x.left {
			p.retries++
		}
		again.push(p.requests, r)
	}
	p.requeue(l, again)
}

// carryOn decides what becomes of a multiplexed connection after one of its
// exchanges has ended.
func (p *Pool) carryOn(now linger.Instant, k *conn, reason string) {
	switch {
	case k.outstanding.n > 0:
		p.extend(now, k)
	case k.retired:
		p.close(k, reason)
		return
	case p.isLast(k):
		p.close(k, "it has carried all the requests that it may")
		return
	default:
		p.rest(now, k)
	}
	p.update(k)
}

// HandleDialFailed says that a dialled connection will not be. Where others are
// open, the client makes do with those. Where none is, the request that has
// waited longest fails, so that an origin that cannot be reached is given up in
// bounded time.
func (p *Pool) HandleDialFailed(id Conn, reason string) {
	k := p.conn(id)
	switch {
	case k == nil:
	case k.early:
		p.HandleClosed(id, Reset, reason)
	case k.state == dialing:
		l := p.poolOf(k)
		p.drop(k)
		p.barren(l, reason)
	}
}

// barren accounts for a connection that has ended without having carried any of
// the requests that wait. Each such end settles one or makes do with fewer
// connections, so that they end.
func (p *Pool) barren(l *originPool, reason string) {
	switch {
	case l.usable > l.coming:
		l.allowed = l.usable
	case l.queue.n > 0:
		first := l.queue.first
		l.queue.remove(p.requests, first)
		p.fail(first, reason)
	}
}

// HandleSent says that bytes of a request are handed to the network.
// It may be said again as a long body leaves, which may take longer than the time
// limit of the response that is due after it.
func (p *Pool) HandleSent(now linger.Instant, id Conn, r int) {
	k := p.carrying(id, r)
	if k == nil {
		return
	}
	x := &p.requests[r]
	x.left = true
	if p.datagram(k) {
		return // it has had its time limit since it was put on its socket
	}
	if p.policy.Strategy.Multiplexed || k.outstanding.first == int32(r) && !x.begun {
		p.extend(now, k)
	}
}

// HandleBody says that bytes of the response to an outstanding request of a
// connection have arrived, be it of its head alone. Unless the strategy is multiplexed
// the request is the first outstanding one: responses are sent "in the same order that
// the requests were received" (RFC 9112, 9.3.2). It reports whether the request was
// outstanding on the connection.
func (p *Pool) HandleBody(now linger.Instant, id Conn, r int) bool {
	k := p.carrying(id, r)
	if k == nil {
		return false
	}
	p.requests[r].begun = true
	p.extend(now, k)
	return true
}

// HandleResponse says that the response to an outstanding request, in the order
// that HandleBody tells, is complete, and whether the connection persists after
// it, see Persists. It reports whether the request was outstanding on the connection;
// it is settled then.
func (p *Pool) HandleResponse(now linger.Instant, id Conn, r int, persists bool) bool {
	k := p.carrying(id, r)
	if k == nil {
		return false
	}
	p.answer(now, k, int32(r), persists)
	return true
}

// HandleRejected is HandleResponse for a response that is complete, but not the
// one that was asked for: its request fails, its connection is as good as before.
func (p *Pool) HandleRejected(now linger.Instant, id Conn, r int, persists bool, reason string) {
	if k := p.carrying(id, r); k != nil {
		p.fail(int32(r), reason)
		p.answer(now, k, int32(r), persists)
	}
}

func (p *Pool) answer(now linger.Instant, k *conn, r int32, persists bool) {
	x, l := &p.requests[r], p.poolOf(k)
	p.take(k, r)
	x.state = settled
	k.answered++
	l.answers++
	k.cautious = false
	if took := now.Sub(x.sent); k.answered == 1 || took < k.trip {
		k.trip = took
	}
	k.used = now

	switch {
	case p.policy.Strategy.Multiplexed || p.policy.Strategy.DNS != "":
		// A client of DNS does not say which query is its last, and waits for nobody
		// to close.
		reason := "server had said goodbye, and the last response is there"
		if limit, ok := k.limit.Get(); ok && limit == 0 {
			reason = noIdleTime
		}
		p.carryOn(now, k, reason)
		return
	case !persists || p.isLast(k) && k.outstanding.n == 0:
		// RFC 9112, 9.6: "A client that receives a "close" connection option MUST
		// cease sending requests on that connection [...] if additional pipelined
		// requests had been sent on the connection, the client SHOULD NOT assume
		// that they will be processed by the server." They were not processed, so
		// that sending them again repeats nothing (RFC 9110, 9.2.2).
		again := empty
		for k.outstanding.n > 0 {
			other := k.outstanding.first
			p.take(k, other)
			again.push(p.requests, other)
		}
		p.requeue(l, again)
		p.become(k, lingering)
		p.wake(k, after(now, p.policy.Limits.Linger))
	case k.outstanding.n > 0:
		p.extend(now, k)
	default:
		p.rest(now, k)
	}
	p.update(k)
}

// HandleRefused says that the server has answered 408 (Request Timeout) instead
// of the first outstanding request: it had given up waiting for a request before
// this one reached it, and closes. "If the client has an outstanding request in
// transit, it MAY repeat that request" (RFC 9110, 15.5.9).
func (p *Pool) HandleRefused(id Conn) {
	if k := p.conn(id); k != nil {
		if k.outstanding.n > 0 {
			p.requests[k.outstanding.first].begun = false
		}
		p.HandleClosed(id, ClosedByPeer, "server answered 408: it gave up waiting for a request")
	}
}

// HandleClosed says that a connection has ended without the client having closed
// it. What was outstanding is retried where the standard allows, and fails
// otherwise.
func (p *Pool) HandleClosed(id Conn, cause Cause, reason string) {
	k := p.conn(id)
	switch {
	case k == nil:
		return
	case k.state == dialing:
		p.HandleDialFailed(id, reason)
		return
	}
	l := p.poolOf(k)
	multiplexed := p.policy.Strategy.Multiplexed
	if k.outstanding.n > 1 && !multiplexed {
		// RFC 9112, 9.3.2: "When retrying pipelined requests after a failed
		// connection [...], a client MUST NOT pipeline immediately after
		// connection establishment, since the first remaining request in the
		// prior pipeline might have caused an error response".
		l.cautious = true
	}
	p.commands.push(PoolCommand{Kind: Close, Conn: id, Reason: reason})
	again := empty
	// A server works on all streams of a multiplexed connection at once.
	for head := true; k.outstanding.n > 0; head = multiplexed {
		r := k.outstanding.first
		p.take(k, r)
		if !p.mayRetry(k, &p.requests[r], head, cause) {
			p.fail(r, reason)
			continue
		}
		if x := &p.requests[r]; x.left {
			x.retried = x.retried || head
			p.retries++
		}
		again.push(p.requests, r)
	}
	p.requeue(l, again)
	unused := k.sent == 0
	p.drop(k)
	if unused && l.queue.n > 0 {
		p.barren(l, reason)
	}
}

// mayRetry decides about one request whose connection has died. head says that
// it is the one whose response was due next.
//
// RFC 9110, 9.2.2: idempotent requests "can be repeated automatically if a
// communication failure occurs before the client is able to read the server's
// response", and "A client SHOULD NOT automatically retry a failed automatic
// retry." A connection that has never answered gives no reason to believe that
// the next one would: only one that has worked before is taken for a kept
// connection that its server had closed. Requests behind the head of a pipeline
// were never looked at; they do not use up their one retry. Nor does a request
// that had not left when the end of its connection was noticed: to send it now
// repeats nothing, whatever its method.
func (p *Pool) mayRetry(k *conn, x *request, head bool, cause Cause) bool {
	switch {
	case k.answered > 0 && !x.left:
		return true
	case !x.idempotent:
		return false
	case p.policy.Strategy.DNS != "":
		// Servers of DNS close as they like, after one answer too, and clients ask
		// again on a new connection (RFC 7766, 6.2.4). Each time at least one answer
		// has come, so that this ends.
		return k.answered > 0 && !x.begun && cause != Malformed
	case !head:
		return k.answered > 0 || !x.retried
	case x.begun || cause == Malformed:
		return false
	default:
		return k.answered > 0 && !x.retried
	}
}

// CloseIdle closes each connection that no request is on or waits for, in the order in
// which they were dialled.
func (p *Pool) CloseIdle(reason string) {
	var idle []Conn
	for i := range p.conns.all {
		k := &p.conns.all[i]
		if k.state == open && k.outstanding.n == 0 || k.state == dialing && p.poolOf(k).queue.n == 0 {
			idle = append(idle, p.handle(k))
		}
	}
	slices.SortFunc(idle, func(a, b Conn) int { return cmp.Compare(a.Number, b.Number) })
	for _, id := range idle {
		p.close(p.conn(id), reason)
	}
}

// HandleTimeout does what is due at now, the earliest first, up to a connection whose
// end may leave its requests to others: call Poll, and then again while NextTimeout is
// not later than now.
func (p *Pool) HandleTimeout(now linger.Instant) {
	for {
		k := p.timers.first(p.conns.all)
		if k == nil || k.deadline > now || p.expire(now, k) {
			return
		}
	}
}

// expire does what is due on one connection. It reports whether the connection has ended
// as if the server had ended it.
func (p *Pool) expire(now linger.Instant, k *conn) bool {
	limits, id := p.policy.Limits, p.handle(k)
	switch {
	case k.state == dialing || k.early:
		limit := limits.Connect.String()
		what, reason := "no answer to SYN", "connect timed out after "+limit
		switch {
		case k.reached:
			what, reason = "the TLS handshake did not end", "TLS handshake timed out after "+limit
		case p.policy.Strategy.QUIC():
			what, reason = "no answer over UDP", "no answer over UDP within "+limit+"; it may be blocked, or the server has no "+p.policy.Strategy.Speaks()
		}
		if !k.early {
			p.commands.push(PoolCommand{Kind: Close, Conn: id, Reason: what})
		}
		p.HandleDialFailed(id, reason)
		return true
	case k.state == lingering:
		p.close(k, "server did not close within "+limits.Linger.String()+" of the last response")
	case k.outstanding.n > 0 && p.repeat(now, k):
	case k.outstanding.n > 0 && p.datagram(k):
		waited := now.Sub(p.requests[k.outstanding.first].sent).Round(time.Millisecond)
		p.HandleClosed(id, Reset, fmt.Sprintf("no answer to %d datagrams in %v", k.sends, waited))
		return true
	case k.outstanding.n > 0:
		// Silence is no proof that the request was not processed; it is not
		// asked again.
		for r := k.outstanding.first; r != none; r = p.requests[r].next {
			p.requests[r].begun = true
			if !p.policy.Strategy.Multiplexed {
				break
			}
		}
		p.HandleClosed(id, Reset, "no byte of the response for "+limits.Stall.String())
		return true
	case k.silent:
		l := p.poolOf(k)
		p.close(k, "server allows no request")
		p.barren(l, "the server allowed no request for "+limits.Stall.String())
	case !k.limit.IsZero() && (p.policy.Strategy.IdleTimeout == 0 || k.limit.Or(0)-k.trip < p.policy.Strategy.IdleTimeout):
		p.close(k, "idle for nearly the "+k.limit.Or(0).String()+" that the server allows")
	default:
		p.close(k, p.idle)
	}
	return false
}

// datagram reports whether requests on a connection are datagrams: nothing but the
// client sends them again.
func (p *Pool) datagram(k *conn) bool { return p.policy.Strategy.Datagram && !p.poolOf(k).stream }

// repeat sends the datagram of a connection again, unless that was done often enough.
// RFC 8085, 3.1.1, wants the time-out doubled each time.
func (p *Pool) repeat(now linger.Instant, k *conn) bool {
	if !p.datagram(k) || int(k.sends) >= p.policy.Limits.Sends {
		return false
	}
	p.wake(k, after(now, p.policy.Limits.Repeat<<k.sends))
	k.sends++
	p.commands.push(PoolCommand{Kind: Send, Conn: p.handle(k), Request: int(k.outstanding.first), Again: true})
	return true
}

// NextTimeout returns when HandleTimeout has something to do, or Never.
func (p *Pool) NextTimeout() linger.Instant {
	if k := p.timers.first(p.conns.all); k != nil {
		return k.deadline
	}
	return linger.Never
}

// Poll returns the next command, and false when there is none for now. Once those that
// follow from what has happened are done, requests that wait are put on connections.
func (p *Pool) Poll(now linger.Instant) (PoolCommand, bool) {
	cmd, ok := p.commands.pop()
	if !ok && len(p.changed) > 0 {
		p.assign(now)
		cmd, ok = p.commands.pop()
	}
	return cmd, ok
}

// Open returns how many connections are dialled and not gone.
func (p *Pool) Open() int { return p.open }

// Retries returns how many requests were sent, or will be, once more because
// their connection had ended.
func (p *Pool) Retries() int { return p.retries }

// Idle reports whether a connection is established and no request is on it.
func (p *Pool) Idle(id Conn) bool {
	k := p.conn(id)
	return k != nil && k.state == open && k.outstanding.n == 0
}

// carrying returns the connection of that handle where request r is outstanding on it,
// or else nil.
func (p *Pool) carrying(id Conn, r int) *conn {
	if k := p.conn(id); k != nil && p.on(k, r) {
		return k
	}
	return nil
}

// on reports whether request r is outstanding on a connection.
func (p *Pool) on(k *conn, r int) bool {
	return r >= 0 && r < len(p.requests) && p.requests[r].state == sent && p.requests[r].conn == k.index
}

// take removes a request from what is outstanding on its connection.
func (p *Pool) take(k *conn, r int32) {
	k.outstanding.remove(p.requests, r)
	p.poolOf(k).inFlight--
	p.requests[r].state = waiting
}

// requeue puts requests that were sent and not answered before all others, in their
// order.
func (p *Pool) requeue(l *originPool, again list) {
	l.queue.join(p.requests, again)
	p.touch(l)
}

// fail settles a request.
func (p *Pool) fail(r int32, reason string) {
	p.requests[r].state = settled
	p.commands.push(PoolCommand{Kind: Fail, Request: int(r), Reason: reason})
}

// assign puts what is wanted on connections that have room and opens those that are
// missing, wherever something has changed. What nothing is open for and nothing waits
// for is forgotten.
func (p *Pool) assign(now linger.Instant) {
	if len(p.changed) > 1 {
		slices.SortFunc(p.changed, func(a, b int32) int {
			x, y := &p.pools.all[a], &p.pools.all[b]
			switch {
			case x.stream != y.stream && x.stream:
				return 1
			case x.stream != y.stream:
				return -1
			}
			return cmp.Compare(x.key, y.key)
		})
	}
	for _, i := range p.changed {
		p.serve(now, i)
		p.forget(i)
	}
	p.changed = p.changed[:0]
}

// serve does it for one pool.
func (p *Pool) serve(now linger.Instant, i int32) {
	l := &p.pools.all[i]
	l.changed = false
	for l.queue.n > 0 {
		r := l.queue.first
		c := p.roomiest(l, &p.requests[r])
		if c == none {
			break
		}
		l.queue.remove(p.requests, r)
		p.send(now, c, r)
	}
	// A connection for each request that waits, as browsers do, within the bound
	// of the strategy ("a client ought to limit the number of simultaneous open
	// connections", RFC 9112, 9.4). Requests are not bound to the connection that
	// they caused: whichever is ready first takes the next one.
	for l.usable < l.allowed && l.coming < l.queue.n {
		p.dial(now, i)
	}
}

// dial opens a connection for the pool at index i.
func (p *Pool) dial(now linger.Instant, i int32) {
	l, c := &p.pools.all[i], p.conns.take()
	k := &p.conns.all[c]
	*k = conn{number: p.dialled, index: c, pool: i, outstanding: empty, cautious: l.cautious, armed: linger.Never}
	k.class = noClass
	p.wake(k, after(now, p.policy.Limits.Connect))
	p.dialled++
	p.open++
	l.conns++
	l.usable++
	l.coming++
	p.commands.push(PoolCommand{Kind: Dial, Conn: p.handle(k), Key: l.key, Stream: l.stream})
}

// forget gives up what nothing is open for and nothing waits for.
func (p *Pool) forget(i int32) {
	l := &p.pools.all[i]
	if l.conns > 0 || l.queue.n > 0 || p.policy.Remember {
		return
	}
	switch {
	case l.stream:
		p.pools.all[l.beside].beside = none
		p.pools.give(i)
		p.forget(l.beside)
	case l.beside == none:
		delete(p.keys, l.key)
		p.pools.give(i)
	}
}

// roomiest returns the index of the connection that takes request x of pool l now: the
// one with the fewest outstanding requests, among equals the one that the pool's order
// says; none where none has room.
//
// A connection takes no more than its share of all that is outstanding or
// waiting, so that where several are allowed the first does not swallow
// everything before the others are established. A request whose kept connection
// was closed under it waits for a new one where one can be had: the next kept
// one may be as dead, and there is no third attempt.
func (p *Pool) roomiest(l *originPool, x *request) int32 {
	share := (l.inFlight + l.queue.n + l.allowed - 1) / l.allowed
	fresh := x.retried && (l.coming > 0 || l.usable < l.allowed)
	best := none
	for in, c := range l.ready {
		if c == none || class(in)&classEarly != 0 && !x.safe || fresh && class(in)&classUnused == 0 {
			continue
		}
		// RFC 9112, 9.3.2: "A user agent SHOULD NOT pipeline requests after a
		// non-idempotent method, until the final response status code for that method
		// has been received", see takes. We do not send one behind others either: if
		// the connection died, nobody would know whether it had been processed.
		k := &p.conns.all[c]
		if k.outstanding.n > 0 && !p.policy.Strategy.Multiplexed && !x.idempotent {
			continue
		}
		if k.outstanding.n < share && (best == none || p.first(k, &p.conns.all[best])) {
			best = c
		}
	}
	return best
}

// takes reports whether a connection could take a request now.
func (p *Pool) takes(k *conn) bool {
	n, s := k.outstanding.n, &p.policy.Strategy
	switch {
	case k.state != open || k.retired || k.silent || p.isLast(k):
		return false
	case k.streams != linger.Unlimited && n >= k.streams || s.InFlight != linger.Unlimited && int(n) >= s.InFlight:
		return false
	}
	return n == 0 || s.Multiplexed || !k.cautious && p.requests[k.outstanding.last].idempotent
}

// isLast reports whether no more follows on a connection, as the client has told a
// server of HTTP/1. What the server did not process does not count.
func (p *Pool) isLast(k *conn) bool {
	carried, s := k.sent-k.refused, &p.policy.Strategy
	return carried > 0 && !s.Persistent || s.MaxRequests != linger.Unlimited && carried >= s.MaxRequests
}

// send puts request r on the connection at index c.
func (p *Pool) send(now linger.Instant, c, r int32) {
	k, x := &p.conns.all[c], &p.requests[r]
	l := p.poolOf(k)
	p.leave(l, c)
	k.sent++
	x.state, x.conn = sent, c
	x.left, x.begun = false, false
	k.outstanding.push(p.requests, r)
	l.inFlight++
	k.used = now
	x.sent = now
	k.sends = 1
	if k.outstanding.n == 1 {
		p.extend(now, k)
	}
	p.place(l, k)
	p.commands.push(PoolCommand{Kind: Send, Conn: p.handle(k), Request: int(r), Last: p.isLast(k)})
}

// extend gives the response that is due a new time limit. Until the handshake is
// done, its own holds.
func (p *Pool) extend(now linger.Instant, k *conn) {
	switch {
	case p.datagram(k):
		p.wake(k, after(now, p.policy.Limits.Repeat))
	case !k.early:
		p.wake(k, after(now, p.policy.Limits.Stall))
	}
}

// rest starts the idle limit of a connection with nothing outstanding. One that
// the server does not let be used is not waited for any longer than a response.
func (p *Pool) rest(now linger.Instant, k *conn) {
	switch {
	case k.early:
	case k.silent:
		p.wake(k, after(now, p.policy.Limits.Stall))
	default:
		at := after(now, p.policy.Strategy.IdleTimeout)
		if limit, ok := k.limit.Get(); ok {
			at = min(at, now.Add(max(0, limit-k.trip)))
		}
		p.wake(k, at)
	}
}

// wake sets a connection's deadline.
func (p *Pool) wake(k *conn, at linger.Instant) {
	k.deadline = at
	p.timers.arm(k, p.conns.all)
}

func (p *Pool) close(k *conn, reason string) {
	p.commands.push(PoolCommand{Kind: Close, Conn: p.handle(k), Reason: reason})
	p.drop(k)
}

// drop forgets a connection on which nothing is outstanding.
func (p *Pool) drop(k *conn) {
	l := p.poolOf(k)
	p.become(k, gone)
	p.leave(l, k.index)
	k.armed = linger.Never
	p.conns.give(k.index)
	p.open--
	l.conns--
	p.touch(l)
}

// become gives a connection another state.
func (p *Pool) become(k *conn, state connState) {
	p.tally(k, -1)
	k.state = state
	p.tally(k, 1)
}

// retire has a connection carry no further requests.
func (p *Pool) retire(k *conn) {
	p.tally(k, -1)
	k.retired = true
	p.tally(k, 1)
}

// tally counts a connection among those of its pool, or takes it out of the count.
func (p *Pool) tally(k *conn, by int32) {
	l := p.poolOf(k)
	switch {
	case k.state == dialing:
		l.usable += by
		l.coming += by
	case k.state == open && !k.retired:
		l.usable += by
	}
}

// update accounts for what has become of a connection.
func (p *Pool) update(k *conn) {
	l := p.poolOf(k)
	p.leave(l, k.index)
	p.place(l, k)
	p.touch(l)
}

// place puts a connection among those that could take a request, if it could.
func (p *Pool) place(l *originPool, k *conn) {
	if !p.takes(k) {
		return
	}
	in := class(0)
	if k.sent == 0 {
		in |= classUnused
	}
	if k.early {
		in |= classEarly
	}
	p.enter(l, k.index, in)
}

// touch has a pool served by the next assign.
func (p *Pool) touch(l *originPool) {
	if !l.changed {
		l.changed = true
		p.changed = append(p.changed, l.index)
	}
}

// conn returns the connection of that handle, or nil when it is no more.
func (p *Pool) conn(id Conn) *conn {
	if i := int(id.slot) - 1; i >= 0 && i < len(p.conns.all) {
		if k := &p.conns.all[i]; k.state != gone && k.number == id.Number {
			return k
		}
	}
	return nil
}

func (p *Pool) handle(k *conn) Conn { return Conn{k.number, k.index + 1} }

func (p *Pool) poolOf(k *conn) *originPool { return &p.pools.all[k.pool] }

// after returns now + d, or Never where d sets no limit.
func after(now linger.Instant, d time.Duration) linger.Instant {
	if d == 0 {
		return linger.Never
	}
	return now.Add(d)
}
