package policy

import (
	"cmp"
	"fmt"
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
	// Repeat is how long the client waits for the answer to a datagram before it
	// sends it again, twice as long each time; Sends is how often it sends it in all.
	Repeat time.Duration
	Sends  int
	// Pace is the least time between two exchanges that the client begins to want, so
	// that no server is asked faster than that; zero is as they come.
	Pace time.Duration
}

// DefaultLimits are what the engines use when nothing else is said. A lost SYN
// is sent again after 1, 3, 7 and 15 s (RFC 6298, 5.5), so that Connect leaves
// room for four losses in a row.
var DefaultLimits = Limits{Connect: 30 * time.Second, Stall: 60 * time.Second, Linger: 2 * time.Second}

// DNSLimits are the same for DNS, where nobody waits so long. A datagram is sent
// again after 1, 3 and 7 s and given up after 15, as a SYN would be (RFC 6298, 2.1;
// RFC 8085, 3.1.1 has the same first time-out and the same doubling), so that what a
// lost packet costs can be compared. Resolvers differ: the libraries of common
// systems wait from 0.4 to 5 s.
var DNSLimits = Limits{Connect: 15 * time.Second, Stall: 15 * time.Second, Linger: 2 * time.Second, Repeat: time.Second, Sends: 4}

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
	Kind CommandKind
	Conn int
	// Origin, on Dial: which of the workload's origins the connection goes to.
	Origin   int
	Exchange int
	// Last, on Send: no further request follows on this connection, and the
	// request says so (RFC 9112, 9.6).
	Last bool
	// Again, on Send: the same datagram once more, since no answer came in time.
	Again bool
	// Stream, on Dial: over TCP, for answers that do not fit into a datagram.
	Stream bool
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
	lane        *lane
	state       connState
	outstanding []int // exchanges sent and not yet answered in full, in order
	sent        int   // requests sent on it
	answered    int   // responses completed on it
	refused     int   // requests that the server did not process, and left it open
	streams     int   // that the server allows at once; Unlimited until it says so
	silent      bool  // the server allows no stream at all
	reached     bool  // the transport is up, further handshakes are not done
	early       bool  // the handshake is not done; safe requests may go before it
	retired     bool  // the server takes no further requests on it
	cautious    bool  // no pipelining before the first response
	used        linger.Instant
	deadline    linger.Instant
	sends       int                       // of the datagram that is outstanding
	limit       linger.Opt[time.Duration] // how long the server said that it may be idle
	trip        time.Duration             // the shortest time that an answer on it took
}

// A lane is a queue and the connections that serve it. There is one for each origin;
// where requests are datagrams there is another, of TCP, for answers that did not fit.
type lane struct {
	origin   int
	stream   bool
	queue    []int // wanted and not on any connection
	inFlight int   // sent and not answered, over all its connections
	allowed  int   // connections that may be open at once
	answers  int   // responses completed, over all its connections
	cautious bool  // its new connections are
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
	lane     *lane
	sent     linger.Instant // the last attempt was put on a connection
	wanted   linger.Opt[linger.Instant]
	left     bool  // the last attempt has been handed to the network
	begun    bool  // the response to the last attempt has begun to arrive
	retried  bool  // has been retried because its connection died under it
	refusals int   // how often in a row it was refused, with no answer meanwhile
	answers  int   // that its lane had had when it was refused last
	children []int // in the order in which the body names them
	named    int   // how many of the children are known
}

// Client is the connection mind of one client that fetches one workload by one
// strategy. Connections belong to an origin, and the strategy's limits hold for each.
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
	think     []wish         // sorted by time
	paced     linger.Instant // before which no further exchange is wanted
	lanes     []lane         // by origin
	streams   lane           // for what does not fit into a datagram
	conns     []*conn
	nextConn  int
	settled   int // delivered or failed
	retries   int
	commands  []Command
}

// A wish is an exchange that will be wanted; granted, it need not mind the pace.
type wish struct {
	at       linger.Instant
	exchange int
	granted  bool
}

// NewClient returns the machine for a valid workload.
func NewClient(w linger.Workload, s linger.Strategy, l Limits) *Client {
	w.Exchanges = slices.Clone(w.Exchanges)
	c := &Client{workload: w, strategy: s, limits: l, exchanges: make([]exchange, len(w.Exchanges)),
		lanes: make([]lane, w.OriginCount()), streams: lane{stream: true, allowed: s.Connections}}
	for i := range c.lanes {
		c.lanes[i] = lane{origin: i, allowed: s.Connections}
	}
	for i, e := range w.Exchanges {
		if e.Parent != linger.NoParent {
			c.exchanges[e.Parent].children = append(c.exchanges[e.Parent].children, i)
		}
	}
	for i := range c.exchanges {
		c.exchanges[i].lane = &c.lanes[w.Exchanges[i].Origin]
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
	c.exchanges = append(c.exchanges, exchange{lane: &c.lanes[e.Origin]})
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
		if k.sent == 0 && len(k.lane.queue) > 0 {
			c.barren(k.lane, reason)
		}
	}
	c.assign(now)
}

// HandleIdleLimit says how long the server lets a connection be without a request, as
// an answer on it told (RFC 7828), or QUIC's parameters (RFC 9000, 10.1). The client lets go of it before that, by as long as
// an answer takes: a query that sets out later would meet a server that has closed.
// Where the limit is nothing, the connection takes no further query.
func (c *Client) HandleIdleLimit(now linger.Instant, id int, limit time.Duration) {
	k := c.conn(id)
	if k == nil || k.state == dialing {
		return
	}
	k.limit = linger.Known(limit)
	k.retired = k.retired || limit == 0
	if k.state == open && len(k.outstanding) == 0 {
		c.carryOn(now, k, goodbyeLimit)
		c.assign(now)
	}
}

// goodbyeLimit is why a connection ends whose server lets it be idle for no time.
const goodbyeLimit = "server allows no idle time"

// HandleTruncated says that the answer to a datagram did not fit into one (TC). What
// there is of it is not used, and the query is asked again over TCP (RFC 2181, 9; RFC
// 7766, 5).
func (c *Client) HandleTruncated(now linger.Instant, id, e int) {
	k := c.conn(id)
	if k == nil || !slices.Contains(k.outstanding, e) {
		return
	}
	c.take(k, e)
	k.answered++
	x := &c.exchanges[e]
	x.state, x.lane = queued, &c.streams
	x.lane.queue = append(x.lane.queue, e)
	c.carryOn(now, k, "the answer did not fit")
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
		k.refused++
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
		if k.lane.answers > x.answers {
			x.refusals = 0
		}
		if x.answers = k.lane.answers; !fruitful {
			x.refusals++
		}
		if x.refusals > k.lane.allowed {
			k.lane.inFlight--
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
	k.lane.inFlight--
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
		c.barren(k.lane, reason)
		c.assign(now)
	}
}

// barren accounts for a connection that has ended without having carried any of
// the requests that wait. Each such end settles one or makes do with fewer
// connections, so that they end.
func (c *Client) barren(l *lane, reason string) {
	usable, coming := c.count(l)
	switch {
	case usable > coming:
		l.allowed = usable
	case len(l.queue) > 0:
		first := l.queue[0]
		l.queue = l.queue[1:]
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
	if c.datagram(k) {
		return // it has had its time limit since it was put on its socket
	}
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
	if !c.workload.Exchanges[e].IsQuery() { // an answer says nothing before it is whole
		c.name(now, e, received)
	}
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
	k.lane.answers++
	k.cautious = false
	if took := now.Sub(c.exchanges[e].sent); k.answered == 1 || took < k.trip {
		k.trip = took
	}
	k.used = now
	if rejected != "" {
		c.fail(e, rejected)
	} else {
		c.exchanges[e].state = delivered
		c.settled++
		c.name(now, e, c.workload.Exchanges[e].ResponseBody)
	}

	switch {
	case c.strategy.Multiplexed || c.strategy.DNS != "":
		// A client of DNS does not say which query is its last, and waits for nobody
		// to close.
		reason := "server had said goodbye, and the last response is there"
		if limit, ok := k.limit.Get(); ok && limit == 0 {
			reason = goodbyeLimit
		}
		c.carryOn(now, k, reason)
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
			k.lane.cautious = true
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
			k.lane.inFlight--
			c.fail(e, reason)
		}
		c.requeue(again)
	}
	if k.sent == 0 && len(k.lane.queue) > 0 {
		c.barren(k.lane, reason)
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
	case c.workload.Exchanges[e].IsQuery():
		// Servers of DNS close as they like, after one answer too, and clients ask
		// again on a new connection (RFC 7766, 6.2.4). Each time at least one answer
		// has come, so that this ends.
		return k.answered > 0 && !c.exchanges[e].begun && cause != Malformed
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
		w := c.think[0]
		c.think = c.think[1:]
		c.want(w)
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
			case c.strategy.QUIC():
				what, reason = "no answer over UDP", "no answer over UDP within "+limit+"; it may be blocked, or the server has no "+c.strategy.Speaks()
			}
			if !k.early {
				c.commands = append(c.commands, Command{Kind: Close, Conn: k.id, Reason: what})
			}
			c.HandleDialFailed(now, k.id, reason)
		case k.state == lingering:
			c.close(k, "server did not close within "+c.limits.Linger.String()+" of the last response")
		case len(k.outstanding) > 0 && c.repeat(now, k):
		case len(k.outstanding) > 0 && c.datagram(k):
			c.HandleClosed(now, k.id, Reset, fmt.Sprintf("no answer to %d datagrams in %v", k.sends, now.Sub(c.exchanges[k.outstanding[0]].sent).Round(time.Millisecond)))
		case len(k.outstanding) > 0:
			// Silence is no proof that the request was not processed; it is not
			// asked again.
			for i, e := range k.outstanding {
				c.exchanges[e].begun = c.exchanges[e].begun || i == 0 || c.strategy.Multiplexed
			}
			c.HandleClosed(now, k.id, Reset, "no byte of the response for "+c.limits.Stall.String())
		case k.silent:
			c.close(k, "server allows no request")
			c.barren(k.lane, "the server allowed no request for "+c.limits.Stall.String())
		case !k.limit.IsZero() && (c.strategy.IdleTimeout == 0 || k.limit.Or(0)-k.trip < c.strategy.IdleTimeout):
			c.close(k, "idle for nearly the "+k.limit.Or(0).String()+" that the server allows")
		default:
			c.close(k, "idle for "+c.strategy.IdleTimeout.String())
		}
	}
	c.assign(now)
}

// datagram reports whether requests on a connection are datagrams: nothing but the
// client sends them again.
func (c *Client) datagram(k *conn) bool { return c.strategy.Datagram && !k.lane.stream }

// repeat sends the datagram of a connection again, unless that was done often enough.
// RFC 8085, 3.1.1, wants the time-out doubled each time.
func (c *Client) repeat(now linger.Instant, k *conn) bool {
	if !c.datagram(k) || k.sends >= c.limits.Sends {
		return false
	}
	k.deadline = after(now, c.limits.Repeat<<k.sends)
	k.sends++
	c.commands = append(c.commands, Command{Kind: Send, Conn: k.id, Exchange: k.outstanding[0], Again: true})
	return true
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
	w := wish{at: now.Add(c.workload.Exchanges[e].Think), exchange: e}
	if w.at > now {
		c.wait(w)
		return
	}
	c.want(w)
}

// wait keeps a wish until its time has come.
func (c *Client) wait(w wish) {
	c.exchanges[w.exchange].state = thinking
	i, _ := slices.BinarySearchFunc(c.think, w, func(a, b wish) int {
		if a.at <= b.at { // behind its equals: first known, first wanted
			return -1
		}
		return 1
	})
	c.think = slices.Insert(c.think, i, w)
}

// want queues an exchange, or has it wait until the pace allows one more.
func (c *Client) want(w wish) {
	if c.limits.Pace > 0 && !w.granted {
		w.granted = true
		at := max(w.at, c.paced)
		c.paced = at.Add(c.limits.Pace)
		if at > w.at {
			w.at = at
			c.wait(w)
			return
		}
	}
	x := &c.exchanges[w.exchange]
	x.state = queued
	x.wanted = linger.Known(w.at)
	x.lane.queue = append(x.lane.queue, w.exchange)
}

// requeue puts requests that were sent in vain before all others, in their order.
func (c *Client) requeue(again []int) {
	if len(again) == 0 {
		return
	}
	for _, e := range again {
		c.exchanges[e].state = queued
	}
	l := c.exchanges[again[0]].lane // all were on one connection
	l.inFlight -= len(again)
	l.queue = append(slices.Clone(again), l.queue...)
}

// fail settles an exchange, and with it those that only it would have named.
func (c *Client) fail(e int, reason string) {
	x := &c.exchanges[e]
	x.state = failed
	c.settled++
	c.commands = append(c.commands, Command{Kind: Fail, Exchange: e, Reason: reason})
	for _, child := range x.children[x.named:] {
		why := "not known: the exchange that names it failed"
		if c.workload.Exchanges[child].IsQuery() {
			why = "not asked: the name that leads to it was not found"
		}
		c.fail(child, why)
	}
	x.named = len(x.children)
}

// assign puts what is wanted on connections that have room, opens those that are
// missing, and when all is settled closes what is still kept.
func (c *Client) assign(now linger.Instant) {
	for i := range c.lanes {
		c.serve(now, &c.lanes[i])
	}
	c.serve(now, &c.streams)
	if c.Loaded() {
		for _, k := range slices.Clone(c.conns) {
			if k.state == open || k.state == dialing {
				c.close(k, "all is fetched")
			}
		}
	}
}

// serve does it for one lane.
func (c *Client) serve(now linger.Instant, l *lane) {
	for len(l.queue) > 0 {
		k := c.roomiest(l.queue[0])
		if k == nil {
			break
		}
		e := l.queue[0]
		l.queue = l.queue[1:]
		c.send(now, k, e)
	}
	if len(l.queue) == 0 {
		return
	}
	usable, coming := c.count(l)
	// A connection for each request that waits, as browsers do, within the bound
	// of the strategy ("a client ought to limit the number of simultaneous open
	// connections", RFC 9112, 9.4). Requests are not bound to the connection that
	// they caused: whichever is ready first takes the next one.
	for usable < l.allowed && coming < len(l.queue) {
		k := &conn{id: c.nextConn, lane: l, cautious: l.cautious, deadline: after(now, c.limits.Connect)}
		c.nextConn++
		c.conns = append(c.conns, k)
		c.commands = append(c.commands, Command{Kind: Dial, Conn: k.id, Origin: l.origin, Stream: l.stream})
		usable++
		coming++
	}
}

// count returns how many connections of a lane can carry requests now or soon, and
// how many of them are not established yet.
func (c *Client) count(l *lane) (usable, coming int) {
	for _, k := range c.conns {
		if k.lane != l {
			continue
		}
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
	l := c.exchanges[e].lane
	waiting := l.inFlight + len(l.queue)
	share := (waiting + l.allowed - 1) / l.allowed
	if c.strategy.InFlight != linger.Unlimited {
		share = min(share, c.strategy.InFlight)
	}
	usable, coming := c.count(l)
	fresh := c.exchanges[e].retried && (coming > 0 || usable < l.allowed)
	var best *conn
	for _, k := range c.conns {
		if k.lane != l || k.state != open || k.retired || len(k.outstanding) >= share || c.isLast(k) {
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

// isLast reports whether no more follows on a connection, as the client has told a
// server of HTTP/1. What the server did not process does not count.
func (c *Client) isLast(k *conn) bool {
	carried := k.sent - k.refused
	return carried > 0 && !c.strategy.Persistent ||
		c.strategy.MaxRequests != linger.Unlimited && carried >= c.strategy.MaxRequests
}

func (c *Client) send(now linger.Instant, k *conn, e int) {
	k.sent++
	c.exchanges[e].state = sent
	c.exchanges[e].left, c.exchanges[e].begun = false, false
	k.outstanding = append(k.outstanding, e)
	k.lane.inFlight++
	k.used = now
	c.exchanges[e].sent = now
	k.sends = 1
	if len(k.outstanding) == 1 {
		c.extend(now, k)
	}
	c.commands = append(c.commands, Command{Kind: Send, Conn: k.id, Exchange: e, Last: c.isLast(k)})
}

// extend gives the response that is due a new time limit. Until the handshake is
// done, its own holds.
func (c *Client) extend(now linger.Instant, k *conn) {
	switch {
	case c.datagram(k):
		k.deadline = after(now, c.limits.Repeat)
	case !k.early:
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
		if limit, ok := k.limit.Get(); ok {
			k.deadline = min(k.deadline, now.Add(max(0, limit-k.trip)))
		}
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
