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

// Client is the state machine of one client that fetches one workload by one strategy:
// a Page says what is wanted, a Pool which connection carries it. Connections belong to
// an origin, and the strategy's limits hold for each.
//
// Call HandleStart once, then Poll until it has no more commands, and again
// after every other Handle call; wake it with HandleTimeout at NextTimeout. A
// connection is named by the number in its Dial command. The exchanges are the
// indices of the workload. Not safe for concurrent use.
type Client struct {
	page     *Page
	pool     *Pool
	conns    []Conn // by number
	commands queue[Command]
}

// NewClient returns the machine for a valid workload.
func NewClient(w linger.Workload, s linger.Strategy, l Limits) *Client {
	c := &Client{page: NewPage(w, l.Pace), pool: NewPool(PoolPolicy{Strategy: s, Limits: l, Remember: true})}
	c.pool.requests = make([]request, 0, len(w.Exchanges))
	return c
}

// HandleStart makes the exchanges that have no parent known.
func (c *Client) HandleStart(now linger.Instant) {
	c.page.HandleStart(now)
	c.settle(now)
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
}

// HandleSent is as Pool's.
func (c *Client) HandleSent(now linger.Instant, id, e int) { c.pool.HandleSent(now, c.conn(id), e) }

// HandleBody is as Pool's; received counts the body's bytes so far, 0 for the head
// alone.
func (c *Client) HandleBody(now linger.Instant, id, e int, received int64) {
	if c.pool.HandleBody(now, c.conn(id), e) {
		c.page.HandleBody(now, e, received)
		c.settle(now)
	}
}

// HandleResponse is as Pool's.
func (c *Client) HandleResponse(now linger.Instant, id, e int, persists bool) {
	if c.pool.HandleResponse(now, c.conn(id), e, persists) {
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
}

// HandleClosed is as Pool's.
func (c *Client) HandleClosed(now linger.Instant, id int, cause Cause, reason string) {
	c.pool.HandleClosed(c.conn(id), cause, reason)
	c.settle(now)
}

// HandleTimeout does what is due at now.
func (c *Client) HandleTimeout(now linger.Instant) {
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

// NextTimeout returns when HandleTimeout has something to do, or Never.
func (c *Client) NextTimeout() linger.Instant {
	return min(c.page.NextTimeout(), c.pool.NextTimeout())
}

// Poll returns the next command, and false when there is none for now.
func (c *Client) Poll() (Command, bool) { return c.commands.pop() }

// Loaded reports whether every exchange is delivered or has failed.
func (c *Client) Loaded() bool { return c.page.Loaded() }

// Finished reports whether the load is over and every connection closed.
func (c *Client) Finished() bool { return c.page.Loaded() && c.pool.Open() == 0 }

// Retries returns how many requests were sent, or will be, once more because
// their connection had ended.
func (c *Client) Retries() int { return c.pool.Retries() }

// Wanted returns since when the client has wanted an exchange, its think time
// over; unknown where it never did.
func (c *Client) Wanted(e int) linger.Opt[linger.Instant] { return c.page.Wanted(e) }

// settle has each machine learn what follows from the other's news, and when all is
// settled closes what is still kept.
func (c *Client) settle(now linger.Instant) {
	c.follow()
	c.obey(now)
	if c.page.Loaded() {
		c.pool.CloseIdle("all is fetched")
		c.obey(now)
	}
}

// follow tells the pool what the page wants.
func (c *Client) follow() {
	for news, ok := c.page.Poll(); ok; news, ok = c.page.Poll() {
		if news.Failed != "" {
			c.commands.push(Command{Kind: Fail, Exchange: news.Exchange, Reason: news.Failed})
			continue
		}
		e := &c.page.workload.Exchanges[news.Exchange]
		c.pool.HandleRequest(news.Exchange, Request{Key: Key(e.Origin), Safe: e.Safe(), Idempotent: e.Idempotent()})
	}
}

// obey hands the pool's commands on, and tells the page what fails.
func (c *Client) obey(now linger.Instant) {
	for cmd, ok := c.pool.Poll(now); ok; cmd, ok = c.pool.Poll(now) {
		if cmd.Kind == Dial {
			c.conns = append(c.conns, cmd.Conn)
		}
		c.commands.push(Command{Kind: cmd.Kind, Conn: cmd.Conn.Number, Origin: int(cmd.Key), Exchange: cmd.Request,
			Last: cmd.Last, Again: cmd.Again, Stream: cmd.Stream, Reason: cmd.Reason})
		if cmd.Kind == Fail {
			c.page.HandleFailed(cmd.Request)
			c.follow()
		}
	}
}

// conn returns the handle of the connection of that number.
func (c *Client) conn(id int) Conn {
	if id < 0 || id >= len(c.conns) {
		return Conn{}
	}
	return c.conns[id]
}
