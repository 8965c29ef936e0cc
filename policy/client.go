package policy

import (
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
// is retransmitted after 1, 3, 7 and 15 s (RFC 6298, 5.5), so that Connect leaves
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
	Visit    int // on Send and Fail: the number of the page that it is for
	// Last, on Send: no further request follows on this connection, and the
	// request says so (RFC 9112, 9.6).
	Last bool
	// Again, on Send: the same datagram once more, since no answer came in time.
	Again bool
	// Stream, on Dial: over TCP, for answers that do not fit into a datagram.
	Stream bool
	Reason string
}

// Client is the state machine of one client that loads one workload by one strategy, once or
// several times: a Page says what is wanted, a Pool which connection carries it, a
// linger.Member when the next page is wanted. Connections belong to an origin, and the
// strategy's limits hold for each. Between two pages what is idle stays open, as long as the
// server and the strategy let it.
//
// Call HandleStart once, then Poll until it has no more commands, and again
// after every other Handle call; wake it with HandleTimeout at NextTimeout. A
// connection is named by the number in its Dial command. The exchanges are the
// indices of the workload, the same on each visit: what the engine tells of an exchange must
// be of the visit that is under way, as the commands number them. Memory does not grow with visits. Not safe for
// concurrent use.
type Client struct {
	member   linger.Member
	page     *Page
	pool     *Pool
	conns    map[int]Conn // that are not gone, by number
	commands queue[Command]

	visit  VisitEnded     // the page under way, or the last one
	next   linger.Instant // when the next page is wanted; Never while one is under way, and after the last
	over   bool           // no page follows
	spares []spare        // connections that the client opens before it wants that page
	lost   int            // connections that were ended between two pages
	visits queue[VisitEnded]

	received int64 // bytes of bodies, of all pages
}

// A spare is a connection that is to be opened in the place of one that was lost.
type spare struct {
	at  linger.Instant
	key Key
}

// A VisitEnded is what became of one page: each of its exchanges is delivered or has failed.
type VisitEnded struct {
	Number int // from 0
	// Wanted is when the client wanted the page, Done when its last exchange was settled.
	Wanted, Done linger.Instant
	// Requests counts the exchanges that were delivered. Failed counts the others, and Why is the
	// reason of the first. Bytes are those of bodies that came, of all of them.
	Requests, Failed int
	Bytes            int64
	Why              string
	// Dialled is how many connections were opened while it was loaded.
	Dialled int
}

// NewClient returns the machine of a client by itself that loads a valid workload once.
func NewClient(w linger.Workload, s linger.Strategy, l Limits) *Client {
	return NewMember(w, s, l, linger.Alone())
}

// NewMember returns the machine of one client of a crowd, which loads a valid workload as
// often as the member says.
func NewMember(w linger.Workload, s linger.Strategy, l Limits, m linger.Member) *Client {
	c := &Client{member: m, conns: map[int]Conn{}, next: linger.Never, page: NewPage(w, l.Pace),
		pool: NewPool(PoolPolicy{Strategy: s, Limits: l, Remember: true})}
	c.pool.requests = make([]request, 0, len(w.Exchanges))
	return c
}

// HandleStart says that time has begun. The first page is wanted now, or when the member
// arrives, if that is later.
func (c *Client) HandleStart(now linger.Instant) {
	if c.next = max(now, c.member.Arrives); c.next <= now {
		c.begin()
		c.settle(now)
	}
}

// begin makes the exchanges that have no parent known.
func (c *Client) begin() {
	c.visit.Wanted, c.next = c.next, linger.Never
	c.spares = c.spares[:0] // the page opens what it needs
	c.page.HandleStart(c.visit.Wanted)
}

// Add makes an exchange known that the workload did not name, and returns its
// index. A page's objects are added while the page arrives.
func (c *Client) Add(now linger.Instant, e linger.Exchange) int {
	i := c.page.Add(now, e)
	c.settle(now)
	return i
}

// HandleEstablished is as Pool's.
func (c *Client) HandleEstablished(id int) { c.pool.HandleEstablished(c.conn(id)) }

// HandleEarly is as Pool's.
func (c *Client) HandleEarly(now linger.Instant, id int) {
	c.pool.HandleEarly(now, c.conn(id))
	c.settle(now)
}

// HandleConnected is as Pool's.
func (c *Client) HandleConnected(now linger.Instant, id int) {
	c.pool.HandleConnected(now, c.conn(id))
	c.settle(now)
}

// HandleStreams is as Pool's.
func (c *Client) HandleStreams(now linger.Instant, id, n int) {
	c.pool.HandleStreams(now, c.conn(id), n)
	c.settle(now)
}

// HandleGoAway is as Pool's; refused are exchanges.
func (c *Client) HandleGoAway(now linger.Instant, id int, refused []int, reason string) {
	c.pool.HandleGoAway(c.conn(id), refused, reason)
	c.settle(now)
}

// HandleIdleLimit is as Pool's.
func (c *Client) HandleIdleLimit(now linger.Instant, id int, limit time.Duration) {
	k := c.conn(id)
	idle := c.pool.Idle(k)
	c.pool.HandleIdleLimit(now, k, limit)
	if idle { // else the answer that told of it is still to be handled
		c.settle(now)
	}
}

// HandleTruncated is as Pool's.
func (c *Client) HandleTruncated(now linger.Instant, id, e int) {
	c.pool.HandleTruncated(now, c.conn(id), e)
	c.settle(now)
}

// HandleReset is as Pool's.
func (c *Client) HandleReset(now linger.Instant, id, e int, refused bool, reason string) {
	c.pool.HandleReset(now, c.conn(id), e, refused, reason)
	c.settle(now)
}

// HandleDialFailed is as Pool's.
func (c *Client) HandleDialFailed(now linger.Instant, id int, reason string) {
	c.pool.HandleDialFailed(c.conn(id), reason)
	c.settle(now)
	c.forget(id)
}

// HandleSent is as Pool's.
func (c *Client) HandleSent(now linger.Instant, id, e int) { c.pool.HandleSent(now, c.conn(id), e) }

// HandleBody is as Pool's; received counts the body's bytes so far, 0 for the head
// alone.
func (c *Client) HandleBody(now linger.Instant, id, e int, received int64) {
	if c.pool.HandleBody(now, c.conn(id), e) {
		c.receive(e, received)
		c.page.HandleBody(now, e, received)
		c.settle(now)
	}
}

// receive counts what has come of the body of an exchange; one that is asked for again begins anew.
func (c *Client) receive(e int, received int64) {
	x := &c.page.exchanges[e]
	if received < x.received {
		x.received = 0
	}
	c.visit.Bytes += received - x.received
	c.received += received - x.received
	x.received = received
}

// Received returns the bytes of bodies that have come, of all pages.
func (c *Client) Received() int64 { return c.received }

// HandleResponse is as Pool's.
func (c *Client) HandleResponse(now linger.Instant, id, e int, persists bool) {
	if c.pool.HandleResponse(now, c.conn(id), e, persists) {
		c.visit.Requests++
		c.receive(e, c.page.workload.Exchanges[e].ResponseBody)
		c.page.HandleResponse(now, e)
		c.settle(now)
	}
}

// HandleRejected is as Pool's.
func (c *Client) HandleRejected(now linger.Instant, id, e int, persists bool, reason string) {
	c.pool.HandleRejected(now, c.conn(id), e, persists, reason)
	c.settle(now)
}

// HandleRefused is as Pool's.
func (c *Client) HandleRefused(now linger.Instant, id int) {
	c.pool.HandleRefused(c.conn(id))
	c.settle(now)
	c.forget(id)
}

// HandleClosed is as Pool's.
func (c *Client) HandleClosed(now linger.Instant, id int, cause Cause, reason string) {
	if k := c.conn(id); c.next != linger.Never && c.pool.Idle(k) {
		if at, does := c.member.Reconnects(c.lost, now); does {
			c.spares = append(c.spares, spare{at, c.pool.KeyOf(k)})
		}
		c.lost++
	}
	c.pool.HandleClosed(c.conn(id), cause, reason)
	c.settle(now)
	c.forget(id)
}

// HandleTimeout does what is due at now.
func (c *Client) HandleTimeout(now linger.Instant) {
	if c.next <= now {
		c.begin()
	}
	c.reconnect(now)
	c.page.HandleTimeout(now)
	c.follow()
	for {
		c.pool.HandleTimeout(now)
		c.settle(now)
		if c.pool.NextTimeout() > now {
			return
		}
	}
}

// reconnect opens the connections that are to be open by now.
func (c *Client) reconnect(now linger.Instant) {
	kept := c.spares[:0]
	for _, s := range c.spares {
		if s.at <= now {
			c.pool.HandleSpare(now, s.key)
		} else {
			kept = append(kept, s)
		}
	}
	c.spares = kept
}

// NextTimeout returns when HandleTimeout has something to do, or Never.
func (c *Client) NextTimeout() linger.Instant {
	next := min(c.next, c.page.NextTimeout(), c.pool.NextTimeout())
	for _, s := range c.spares {
		next = min(next, s.at)
	}
	return next
}

// Poll returns the next command, and false when there is none for now.
func (c *Client) Poll() (Command, bool) { return c.commands.pop() }

// PollVisit returns what became of the next page that has ended, and false when none has.
func (c *Client) PollVisit() (VisitEnded, bool) { return c.visits.pop() }

// Visit returns what has become so far of the page that is under way, without its Done; false
// between two pages, before the first and after the last.
func (c *Client) Visit() (v VisitEnded, underWay bool) {
	return c.visit, c.next == linger.Never && !c.Loaded()
}

// Loaded reports whether every exchange of the last page is delivered or has failed.
func (c *Client) Loaded() bool { return c.over && c.page.Loaded() }

// Finished reports whether the last page is loaded and every connection closed.
func (c *Client) Finished() bool { return c.Loaded() && c.pool.Open() == 0 }

// Retries returns how many requests were sent, or will be, once more because
// their connection had ended.
func (c *Client) Retries() int { return c.pool.Retries() }

// Wanted returns since when the client has wanted an exchange of the page under way, or of
// the last one, its think time over; unknown where it never did.
func (c *Client) Wanted(e int) linger.Opt[linger.Instant] { return c.page.Wanted(e) }

// settle has each machine learn what follows from the other's news. When all of a page is
// settled the next one begins, if it is wanted at once; after the last, what is still kept is
// closed.
func (c *Client) settle(now linger.Instant) {
	c.follow()
	c.obey(now)
	for c.page.Loaded() && c.next == linger.Never && !c.over {
		c.end(now)
		if c.next <= now {
			c.begin()
			c.follow()
			c.obey(now)
		}
	}
	if c.Loaded() {
		c.pool.CloseIdle("all is fetched")
		c.obey(now)
	}
}

// end closes the books of a page whose last exchange was settled at now.
func (c *Client) end(now linger.Instant) {
	c.visit.Done = now
	c.visits.push(c.visit)
	at, more := c.member.Next(c.visit.Number+1, now)
	if !more {
		c.over = true
		return
	}
	c.next = at
	c.visit = VisitEnded{Number: c.visit.Number + 1}
	c.page.reset()
	c.pool.renew()
}

// follow tells the pool what the page wants.
func (c *Client) follow() {
	for news, ok := c.page.Poll(); ok; news, ok = c.page.Poll() {
		if news.Failed != "" {
			c.fail(news.Failed)
			c.commands.push(Command{Kind: Fail, Exchange: news.Exchange, Visit: c.visit.Number, Reason: news.Failed})
			continue
		}
		e := &c.page.workload.Exchanges[news.Exchange]
		c.pool.HandleRequest(news.Exchange, Request{Key: Key(e.Origin), Safe: e.Safe(), Idempotent: e.Idempotent()})
	}
}

// obey hands the pool's commands on, and tells the page what fails.
func (c *Client) obey(now linger.Instant) {
	for cmd, ok := c.pool.Poll(now); ok; cmd, ok = c.pool.Poll(now) {
		switch cmd.Kind {
		case Dial:
			c.visit.Dialled++
			c.conns[cmd.Conn.Number] = cmd.Conn
		case Close:
			c.forget(cmd.Conn.Number)
		}
		c.commands.push(Command{Kind: cmd.Kind, Conn: cmd.Conn.Number, Origin: int(cmd.Key), Exchange: cmd.Request, Visit: c.visit.Number,
			Last: cmd.Last, Again: cmd.Again, Stream: cmd.Stream, Reason: cmd.Reason})
		if cmd.Kind == Fail {
			c.fail(cmd.Reason)
			c.page.HandleFailed(cmd.Request)
			c.follow()
		}
	}
}

// fail counts an exchange that has failed.
func (c *Client) fail(reason string) {
	if c.visit.Failed++; c.visit.Failed == 1 {
		c.visit.Why = reason
	}
}

// conn returns the handle of the connection of that number; the zero Conn where it is gone.
func (c *Client) conn(id int) Conn { return c.conns[id] }

// forget lets go of the handle of a connection that is gone.
func (c *Client) forget(id int) {
	if c.pool.conn(c.conn(id)) == nil {
		delete(c.conns, id)
	}
}
