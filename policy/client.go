package policy

import (
	"cmp"
	"slices"
	"time"

	"linger"
)

// Limits bound how long a client waits; zero is for ever.
type Limits struct {
	Connect time.Duration // for a connection to be established
	Stall   time.Duration // for the next byte of a response that is due
	// Linger is how long the client waits for the server's close once a response
	// has announced it, before it closes by itself.
	Linger time.Duration
}

// DefaultLimits are what the engines use when nothing else is said. A lost SYN
// is sent again after 1, 3, 7 and 15 s (RFC 6298, 5.5), so that Connect leaves
// room for four losses in a row.
var DefaultLimits = Limits{Connect: 30 * time.Second, Stall: 60 * time.Second, Linger: 2 * time.Second}

// CommandKind is what a command asks for.
type CommandKind uint8

const (
	Dial  CommandKind = iota // open connection Conn
	Send                     // send Exchange's request on Conn
	Close                    // close Conn, for Reason
	Fail                     // nothing more is done for Exchange, for Reason
)

// A Command is what the engine has to do next.
type Command struct {
	Kind     CommandKind
	Conn     int
	Exchange int
	// Last, on Send: no further request follows on this connection, and the
	// request says so (RFC 9112, 9.6).
	Last   bool
	Reason string
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

type conn struct {
	id          int
	state       connState
	outstanding []int // exchanges sent and not yet answered in full, in order
	sent        int   // requests sent on it
	answered    int   // responses completed on it
	streams     int   // that the server allows at once; Unlimited until it says so
	silent      bool  // the server allows no stream at all
	reached     bool  // the transport is up, further handshakes are not done
	early       bool  // the handshake is not done; safe requests may go before it
	retired     bool  // the server takes no further requests on it
	cautious    bool  // no pipelining before the first response
	used        linger.Instant
	deadline    linger.Instant
}

type exchangeState uint8

const (
	unseen exchangeState = iota
	thinking
	queued
	sent
	delivered
	failed
)

type exchange struct {
	state    exchangeState
	wanted   linger.Opt[linger.Instant]
	left     bool  // the last attempt has been handed to the network
	begun    bool  // the response to the last attempt has begun to arrive
	retried  bool  // has been retried because its connection died under it
	refusals int   // how often in a row it was refused, with no answer meanwhile
	answers  int   // that there had been when it was refused last
	children []int // in the order in which the body names them
	named    int   // how many of the children are known
}

// Client is the connection mind of one client that fetches one workload by one
// strategy from one origin.
//
// Call HandleStart once, then Poll until it has no more commands, and again
// after every other Handle call; wake it with HandleTimeout at NextTimeout. A
// connection is named by the number in its Dial command. The exchanges are the
// indices of the workload. Not safe for concurrent use.
type Client struct {
	workload linger.Workload
	strategy linger.Strategy
	limits   Limits

	exchanges []exchange
	think     []wish // sorted by time
	queue     []int  // wanted and not on any connection
	conns     []*conn
	nextConn  int
	inFlight  int // sent and not answered, over all connections
	settled   int // delivered or failed
	answers   int // responses completed, over all connections
	retries   int
	cautious  bool
	allowed   int // connections that may be open at once
	commands  []Command
}

type wish struct {
	at       linger.Instant
	exchange int
}

// NewClient returns the machine for a valid workload.
func NewClient(w linger.Workload, s linger.Strategy, l Limits) *Client {
	w.Exchanges = slices.Clone(w.Exchanges)
	c := &Client{workload: w, strategy: s, limits: l, exchanges: make([]exchange, len(w.Exchanges)), allowed: s.Connections}
	for i, e := range w.Exchanges {
		if e.Parent != linger.NoParent {
			c.exchanges[e.Parent].children = append(c.exchanges[e.Parent].children, i)
		}
	}
	for i := range c.exchanges {
		slices.SortStableFunc(c.exchanges[i].children, func(a, b int) int {
			return cmp.Compare(w.Exchanges[a].At, w.Exchanges[b].At)
		})
	}
	return c
}

// HandleStart makes the exchanges that have no parent known.
func (c *Client) HandleStart(now linger.Instant) {
	for i, e := range c.workload.Exchanges {
		if e.Parent == linger.NoParent {
			c.discover(now, i)
		}
	}
	c.assign(now)
}

// Add makes an exchange known that the workload did not name, and returns its
// index. A page's objects are added while the page arrives.
func (c *Client) Add(now linger.Instant, e linger.Exchange) int {
	i := len(c.exchanges)
	c.workload.Exchanges = append(c.workload.Exchanges, e)
	c.exchanges = append(c.exchanges, exchange{})
	c.discover(now, i)
	c.assign(now)
	return i
}

// HandleEstablished says that the transport of a dialled connection is up, and that
// another handshake follows on it. It has the rest of the same time.
func (c *Client) HandleEstablished(id int) {
	if k := c.conn(id); k != nil {
		k.reached = true
	}
}

// HandleEarly says that a dialled connection can carry early data. Only safe
// requests are sent before HandleConnected: "Clients MUST NOT use unsafe methods
// (or methods whose safety is not known) in early data" (RFC 8470, 4).
func (c *Client) HandleEarly(now linger.Instant, id int) {
	if k := c.conn(id); k != nil && k.state == dialing {
		k.early = true
		c.opened(now, k)
	}
}

// HandleConnected says that a dialled connection is established, with TLS its
// handshake included.
func (c *Client) HandleConnected(now linger.Instant, id int) {
	k := c.conn(id)
	switch {
	case k == nil:
	case k.state == dialing:
		c.opened(now, k)
	case k.early:
		k.early = false
		if len(k.outstanding) > 0 {
			c.extend(now, k)
		} else {
			c.rest(now, k)
		}
		c.assign(now)
	}
}

func (c *Client) opened(now linger.Instant, k *conn) {
	k.state = open
	k.used = now
	c.rest(now, k)
	c.assign(now)
}

// HandleStreams says how many requests the server lets a multiplexed connection
// have outstanding (RFC 9113, 5.1.2; RFC 9000, 4.6). It may be said before the
// connection is established, and again at any time.
func (c *Client) HandleStreams(now linger.Instant, id, n int) {
	k := c.conn(id)
	if k == nil {
		return
	}
	k.streams, k.silent = n, n == 0
	if k.state != open {
		return
	}
	if len(k.outstanding) == 0 {
		c.rest(now, k)
	}
	c.assign(now)
}

// HandleGoAway says that the server takes no further requests on a multiplexed
// connection, and has not processed and will not process those of refused:
// "Requests sent [...] with a stream identifier higher than the included last
// stream identifier [...] might be retried" (RFC 9113, 6.8; RFC 9114, 5.2). What
// else is outstanding will be answered; then the connection is closed.
func (c *Client) HandleGoAway(now linger.Instant, id int, refused []int, reason string) {
	k := c.conn(id)
	if k == nil || k.state == dialing {
		return
	}
	k.retired = true
	c.refuse(k, refused, reason)
	if len(k.outstanding) == 0 {
		c.close(k, reason)
		if k.sent == 0 && len(c.queue) > 0 {
			c.barren(reason)
		}
	}
	c.assign(now)
}

// HandleReset says that the server has ended one exchange of a multiplexed
// connection and gives no response. Where it says so before any processing
// (REFUSED_STREAM, H3_REQUEST_REJECTED), "the client can retry" (RFC 9113, 8.7).
func (c *Client) HandleReset(now linger.Instant, id, e int, refused bool, reason string) {
	k := c.conn(id)
	if k == nil || !slices.Contains(k.outstanding, e) {
		return
	}
	if refused {
		c.refuse(k, []int{e}, reason)
	} else {
		c.take(k, e)
		c.fail(e, reason)
	}
	c.carryOn(now, k, reason)
	c.assign(now)
}

// refuse puts exchanges that were not processed back into the queue: to ask again
// repeats nothing. One that is refused more often than there may be connections,
// with no answer to anything meanwhile, is given up, and with it a server that
// refuses everything. A goodbye that leaves others to be answered is no such refusal.
func (c *Client) refuse(k *conn, refused []int, reason string) {
	refused = slices.DeleteFunc(slices.Clone(refused), func(e int) bool { return !slices.Contains(k.outstanding, e) })
	k.outstanding = slices.DeleteFunc(k.outstanding, func(e int) bool { return slices.Contains(refused, e) })
	fruitful := k.retired && (k.answered > 0 || len(k.outstanding) > 0)
	var again []int
	for _, e := range refused {
		x := &c.exchanges[e]
		if c.answers > x.answers {
			x.refusals = 0
		}
		if x.answers = c.answers; !fruitful {
			x.refusals++
		}
		if x.refusals > c.allowed {
			c.inFlight--
			c.fail(e, reason)
			continue
		}
		if x.left {
			c.retries++
		}
		again = append(again, e)
	}
	c.requeue(again)
}

// carryOn decides what becomes of a multiplexed connection after one of its
// exchanges has ended.
func (c *Client) carryOn(now linger.Instant, k *conn, reason string) {
	switch {
	case len(k.outstanding) > 0:
		c.extend(now, k)
	case k.retired:
		c.close(k, reason)
	case c.isLast(k):
		c.close(k, "it has carried all the requests that it may")
	default:
		c.rest(now, k)
	}
}

// take removes an exchange from what is outstanding on its connection.
func (c *Client) take(k *conn, e int) {
	k.outstanding = slices.DeleteFunc(k.outstanding, func(other int) bool { return other == e })
	c.inFlight--
}

// HandleDialFailed says that a dialled connection will not be. Where others are
// open, the client makes do with those. Where none is, the exchange that has
// waited longest fails, so that an origin that cannot be reached is given up in
// bounded time.
func (c *Client) HandleDialFailed(now linger.Instant, id int, reason string) {
	k := c.conn(id)
	switch {
	case k == nil:
	case k.early:
		c.HandleClosed(now, id, Reset, reason)
	case k.state == dialing:
		c.drop(k)
		c.barren(reason)
		c.assign(now)
	}
}

// barren accounts for a connection that has ended without having carried any of
// the requests that wait. Each such end settles one or makes do with fewer
// connections, so that they end.
func (c *Client) barren(reason string) {
	usable, coming := c.count()
	switch {
	case usable > coming:
		c.allowed = usable
	case len(c.queue) > 0:
		first := c.queue[0]
		c.queue = c.queue[1:]
		c.fail(first, reason)
	}
}

// HandleSent says that bytes of an exchange's request are handed to the network.
// It may be said again as a long body leaves, which may take longer than the time
// limit of the response that is due after it.
func (c *Client) HandleSent(now linger.Instant, id, e int) {
	k := c.conn(id)
	if k == nil || !slices.Contains(k.outstanding, e) {
		return
	}
	c.exchanges[e].left = true
	if c.strategy.Multiplexed || k.outstanding[0] == e && !c.exchanges[e].begun {
		c.extend(now, k)
	}
}

// HandleBody says that bytes of the response to an outstanding exchange of a
// connection have arrived: received counts its body's bytes so far, 0 for the
// head alone. Unless the strategy is multiplexed the exchange is the first
// outstanding one: responses are sent "in the same order that the requests were
// received" (RFC 9112, 9.3.2).
func (c *Client) HandleBody(now linger.Instant, id, e int, received int64) {
	k := c.conn(id)
	if k == nil || !slices.Contains(k.outstanding, e) {
		return
	}
	c.exchanges[e].begun = true
	c.extend(now, k)
	c.name(now, e, received)
	c.assign(now)
}

// HandleResponse says that the response to an outstanding exchange, in the order
// that HandleBody tells, is complete, and whether the connection persists after
// it, see Persists.
func (c *Client) HandleResponse(now linger.Instant, id, e int, persists bool) {
	c.answer(now, id, e, persists, "")
}

// HandleRejected is HandleResponse for a response that is complete, but not the
// one that was asked for: its exchange fails, its connection is as good as before.
func (c *Client) HandleRejected(now linger.Instant, id, e int, persists bool, reason string) {
	c.answer(now, id, e, persists, reason)
}

func (c *Client) answer(now linger.Instant, id, e int, persists bool, rejected string) {
	k := c.conn(id)
	if k == nil || !slices.Contains(k.outstanding, e) {
		return
	}
	c.take(k, e)
	k.answered++
	c.answers++
	k.cautious = false
	k.used = now
	if rejected != "" {
		c.fail(e, rejected)
	} else {
		c.exchanges[e].state = delivered
		c.settled++
		c.name(now, e, c.workload.Exchanges[e].ResponseBody)
	}

	switch {
	case c.strategy.Multiplexed:
		c.carryOn(now, k, "server had said goodbye, and the last response is there")
	case !persists || c.isLast(k) && len(k.outstanding) == 0:
		// RFC 9112, 9.6: "A client that receives a "close" connection option MUST
		// cease sending requests on that connection [...] if additional pipelined
		// requests had been sent on the connection, the client SHOULD NOT assume
		// that they will be processed by the server." They were not processed, so
		// that sending them again repeats nothing (RFC 9110, 9.2.2).
		c.requeue(k.outstanding)
		k.outstanding = nil
		k.state = lingering
		k.deadline = after(now, c.limits.Linger)
	case len(k.outstanding) > 0:
		c.extend(now, k)
	default:
		c.rest(now, k)
	}
	c.assign(now)
}

// HandleRefused says that the server has answered 408 (Request Timeout) instead
// of the first outstanding exchange: it had given up waiting for a request before
// this one reached it, and closes. "If the client has an outstanding request in
// transit, it MAY repeat that request" (RFC 9110, 15.5.9).
func (c *Client) HandleRefused(now linger.Instant, id int) {
	if k := c.conn(id); k != nil {
		if len(k.outstanding) > 0 {
			c.exchanges[k.outstanding[0]].begun = false
		}
		c.HandleClosed(now, id, ClosedByPeer, "server answered 408: it gave up waiting for a request")
	}
}

// HandleClosed says that a connection has ended without the client having closed
// it. What was outstanding is sent again where the standard allows, and fails
// otherwise.
func (c *Client) HandleClosed(now linger.Instant, id int, cause Cause, reason string) {
	k := c.conn(id)
	if k == nil {
		return
	}
	if k.state == dialing {
		c.HandleDialFailed(now, id, reason)
		return
	}
	lost := k.outstanding
	c.drop(k)
	c.commands = append(c.commands, Command{Kind: Close, Conn: id, Reason: reason})
	if len(lost) > 0 {
		if len(lost) > 1 && !c.strategy.Multiplexed {
			// RFC 9112, 9.3.2: "When retrying pipelined requests after a failed
			// connection [...], a client MUST NOT pipeline immediately after
			// connection establishment, since the first remaining request in the
			// prior pipeline might have caused an error response".
			c.cautious = true
		}
		var again []int
		for i, e := range lost {
			// A server works on all streams of a multiplexed connection at once.
			head := i == 0 || c.strategy.Multiplexed
			if c.mayRetry(k, e, head, cause) {
				x := &c.exchanges[e]
				if x.left {
					x.retried = x.retried || head
					c.retries++
				}
				again = append(again, e)
				continue
			}
			c.inFlight--
			c.fail(e, reason)
		}
		c.requeue(again)
	}
	if k.sent == 0 && len(c.queue) > 0 {
		c.barren(reason)
	}
	c.assign(now)
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
func (c *Client) mayRetry(k *conn, e int, head bool, cause Cause) bool {
	switch {
	case k.answered > 0 && !c.exchanges[e].left:
		return true
	case !c.workload.Exchanges[e].Idempotent():
		return false
	case !head:
		return k.answered > 0 || !c.exchanges[e].retried
	case c.exchanges[e].begun || cause == Malformed:
		return false
	default:
		return k.answered > 0 && !c.exchanges[e].retried
	}
}

// HandleTimeout does what is due at now.
func (c *Client) HandleTimeout(now linger.Instant) {
	for len(c.think) > 0 && c.think[0].at <= now {
		c.want(c.think[0].at, c.think[0].exchange)
		c.think = c.think[1:]
	}
	for _, k := range slices.Clone(c.conns) {
		if k.deadline > now || k.state == gone {
			continue
		}
		switch {
		case k.state == dialing || k.early:
			limit := c.limits.Connect.String()
			what, reason := "no answer to SYN", "connect timed out after "+limit
			switch {
			case k.reached:
				what, reason = "the TLS handshake did not end", "TLS handshake timed out after "+limit
			case c.strategy.Version == "3":
				what, reason = "no answer over UDP", "no answer over UDP within "+limit+"; it may be blocked, or the server has no HTTP/3"
			}
			if !k.early {
				c.commands = append(c.commands, Command{Kind: Close, Conn: k.id, Reason: what})
			}
			c.HandleDialFailed(now, k.id, reason)
		case k.state == lingering:
			c.close(k, "server did not close within "+c.limits.Linger.String()+" of the last response")
		case len(k.outstanding) > 0:
			// Silence is no proof that the request was not processed; it is not
			// asked again.
			for i, e := range k.outstanding {
				c.exchanges[e].begun = c.exchanges[e].begun || i == 0 || c.strategy.Multiplexed
			}
			c.HandleClosed(now, k.id, Reset, "no byte of the response for "+c.limits.Stall.String())
		case k.silent:
			c.close(k, "server allows no request")
			c.barren("the server allowed no request for " + c.limits.Stall.String())
		default:
			c.close(k, "idle for "+c.strategy.IdleTimeout.String())
		}
	}
	c.assign(now)
}

// NextTimeout returns when HandleTimeout has something to do, or Never.
func (c *Client) NextTimeout() linger.Instant {
	next := linger.Never
	if len(c.think) > 0 {
		next = c.think[0].at
	}
	for _, k := range c.conns {
		next = min(next, k.deadline)
	}
	return next
}

// Poll returns the next command, and false when there is none for now.
func (c *Client) Poll() (Command, bool) {
	if len(c.commands) == 0 {
		return Command{}, false
	}
	cmd := c.commands[0]
	c.commands = c.commands[1:]
	return cmd, true
}

// Loaded reports whether every exchange is delivered or has failed.
func (c *Client) Loaded() bool { return c.settled == len(c.exchanges) }

// Finished reports whether the load is over and every connection closed.
func (c *Client) Finished() bool { return c.Loaded() && len(c.conns) == 0 }

// Retries returns how many requests were sent, or will be, once more because
// their connection had ended.
func (c *Client) Retries() int { return c.retries }

// Wanted returns since when the client has wanted an exchange, its think time
// over; unknown where it never did.
func (c *Client) Wanted(e int) linger.Opt[linger.Instant] { return c.exchanges[e].wanted }

// name makes the children known that the first received bytes of e's body name.
func (c *Client) name(now linger.Instant, e int, received int64) {
	x := &c.exchanges[e]
	for x.named < len(x.children) {
		child := x.children[x.named]
		if at := c.workload.Exchanges[child].At; at > received {
			return
		}
		x.named++
		c.discover(now, child)
	}
}

// discover makes one exchange known: it is wanted after its think time.
func (c *Client) discover(now linger.Instant, e int) {
	if d := c.workload.Exchanges[e].Think; d > 0 {
		c.exchanges[e].state = thinking
		w := wish{now.Add(d), e}
		i, _ := slices.BinarySearchFunc(c.think, w, func(a, b wish) int {
			if a.at <= b.at { // behind its equals: first known, first wanted
				return -1
			}
			return 1
		})
		c.think = slices.Insert(c.think, i, w)
		return
	}
	c.want(now, e)
}

func (c *Client) want(now linger.Instant, e int) {
	c.exchanges[e].state = queued
	c.exchanges[e].wanted = linger.Known(now)
	c.queue = append(c.queue, e)
}

// requeue puts requests that were sent in vain before all others, in their order.
func (c *Client) requeue(again []int) {
	for _, e := range again {
		c.exchanges[e].state = queued
	}
	c.inFlight -= len(again)
	c.queue = append(slices.Clone(again), c.queue...)
}

// fail settles an exchange, and with it those that only it would have named.
func (c *Client) fail(e int, reason string) {
	x := &c.exchanges[e]
	x.state = failed
	c.settled++
	c.commands = append(c.commands, Command{Kind: Fail, Exchange: e, Reason: reason})
	for _, child := range x.children[x.named:] {
		c.fail(child, "not known: the exchange that names it failed")
	}
	x.named = len(x.children)
}

// assign puts what is wanted on connections that have room, opens those that are
// missing, and when all is settled closes what is still kept.
func (c *Client) assign(now linger.Instant) {
	for len(c.queue) > 0 {
		k := c.roomiest(c.queue[0])
		if k == nil {
			break
		}
		e := c.queue[0]
		c.queue = c.queue[1:]
		c.send(now, k, e)
	}
	usable, coming := c.count()
	// A connection for each request that waits, as browsers do, within the bound
	// of the strategy ("a client ought to limit the number of simultaneous open
	// connections", RFC 9112, 9.4). Requests are not bound to the connection that
	// they caused: whichever is ready first takes the next one.
	for usable < c.allowed && coming < len(c.queue) {
		k := &conn{id: c.nextConn, cautious: c.cautious, deadline: after(now, c.limits.Connect)}
		c.nextConn++
		c.conns = append(c.conns, k)
		c.commands = append(c.commands, Command{Kind: Dial, Conn: k.id})
		usable++
		coming++
	}
	if c.Loaded() {
		for _, k := range slices.Clone(c.conns) {
			if k.state == open || k.state == dialing {
				c.close(k, "all is fetched")
			}
		}
	}
}

// count returns how many connections can carry requests now or soon, and how many
// of them are not established yet.
func (c *Client) count() (usable, coming int) {
	for _, k := range c.conns {
		switch k.state {
		case open:
			if !k.retired {
				usable++
			}
		case dialing:
			usable++
			coming++
		}
	}
	return usable, coming
}

// roomiest returns the connection that takes exchange e now: the one with the
// fewest outstanding requests, among equals the one used last, which is the
// least likely to have been closed meanwhile; nil where none has room.
//
// A connection takes no more than its share of all that is outstanding or
// waiting, so that where several are allowed the first does not swallow
// everything before the others are established. A request whose kept connection
// was closed under it waits for a new one where one can be had: the next kept
// one may be as dead, and there is no third attempt.
func (c *Client) roomiest(e int) *conn {
	waiting := c.inFlight + len(c.queue)
	share := (waiting + c.allowed - 1) / c.allowed
	if c.strategy.InFlight != linger.Unlimited {
		share = min(share, c.strategy.InFlight)
	}
	usable, coming := c.count()
	fresh := c.exchanges[e].retried && (coming > 0 || usable < c.allowed)
	var best *conn
	for _, k := range c.conns {
		if k.state != open || k.retired || len(k.outstanding) >= share || c.isLast(k) {
			continue
		}
		if k.silent || k.streams != linger.Unlimited && len(k.outstanding) >= k.streams {
			continue
		}
		if k.early && !c.workload.Exchanges[e].Safe() {
			continue
		}
		if fresh && k.sent > 0 {
			continue
		}
		if len(k.outstanding) > 0 && !c.strategy.Multiplexed && (k.cautious || !c.mayPipeline(k, e)) {
			continue
		}
		if best == nil || len(k.outstanding) < len(best.outstanding) ||
			len(k.outstanding) == len(best.outstanding) && k.used > best.used {
			best = k
		}
	}
	return best
}

// mayPipeline reports whether e may be sent behind what is outstanding on k.
// RFC 9112, 9.3.2: "A user agent SHOULD NOT pipeline requests after a
// non-idempotent method, until the final response status code for that method
// has been received". We do not send one behind others either: if the
// connection died, nobody would know whether it had been processed.
func (c *Client) mayPipeline(k *conn, e int) bool {
	last := k.outstanding[len(k.outstanding)-1]
	return c.workload.Exchanges[last].Idempotent() && c.workload.Exchanges[e].Idempotent()
}

// isLast reports whether the client has told the server that no more follows.
func (c *Client) isLast(k *conn) bool {
	return k.sent > 0 && !c.strategy.Persistent ||
		c.strategy.MaxRequests != linger.Unlimited && k.sent >= c.strategy.MaxRequests
}

func (c *Client) send(now linger.Instant, k *conn, e int) {
	k.sent++
	c.exchanges[e].state = sent
	c.exchanges[e].left, c.exchanges[e].begun = false, false
	k.outstanding = append(k.outstanding, e)
	c.inFlight++
	k.used = now
	if len(k.outstanding) == 1 {
		c.extend(now, k)
	}
	c.commands = append(c.commands, Command{Kind: Send, Conn: k.id, Exchange: e, Last: c.isLast(k)})
}

// extend gives the response that is due a new time limit. Until the handshake is
// done, its own holds.
func (c *Client) extend(now linger.Instant, k *conn) {
	if !k.early {
		k.deadline = after(now, c.limits.Stall)
	}
}

// rest starts the idle limit of a connection with nothing outstanding. One that
// the server does not let be used is not waited for any longer than a response.
func (c *Client) rest(now linger.Instant, k *conn) {
	switch {
	case k.early:
	case k.silent:
		k.deadline = after(now, c.limits.Stall)
	default:
		k.deadline = after(now, c.strategy.IdleTimeout)
	}
}

func (c *Client) close(k *conn, reason string) {
	c.drop(k)
	c.commands = append(c.commands, Command{Kind: Close, Conn: k.id, Reason: reason})
}

func (c *Client) drop(k *conn) {
	k.state = gone
	k.outstanding = nil
	c.conns = slices.DeleteFunc(c.conns, func(other *conn) bool { return other == k })
}

// conn returns the connection of that number, or nil when it is no more.
func (c *Client) conn(id int) *conn {
	for _, k := range c.conns {
		if k.id == id {
			return k
		}
	}
	return nil
}

// after returns now + d, or Never where d sets no limit.
func after(now linger.Instant, d time.Duration) linger.Instant {
	if d == 0 {
		return linger.Never
	}
	return now.Add(d)
}
