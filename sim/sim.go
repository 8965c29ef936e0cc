// Package sim is the engine that predicts: the client's and the server's connection
// policy as live and origin drive them, over modelled TCP and TLS and the link that
// the lab pumps, in virtual time. There is no goroutine, no clock and no randomness but the
// link's; the same scenario and seed give the same trace, to the byte.
//
// What is and what is not modelled stands in docs/simulator.md.
package sim

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"linger"
	"linger/link"
	"linger/policy"
	"linger/sim/alarm"
	"linger/sim/quic"
	"linger/sim/tcp"
	"linger/trace"
)

// Config is what a run needs beside its scenario.
type Config struct {
	Policy policy.ServerPolicy
	// Host is the name of an origin that has none, Agent what the client calls itself,
	// AltSvc what the origin says of HTTP/3 over TLS: they stand in heads.
	Host, Agent, AltSvc string
	// Messages are those of the workload's exchanges, by what carries them
	// (linger.OverUDP and others), where it is of DNS.
	Messages map[string][]Message `json:",omitempty"`
	// Trial tells the losses of one trial from those of another.
	Trial int
	// Limits are the client's; the zero value is policy.DefaultLimits, or DNSLimits.
	Limits policy.Limits
	// Machine is how long the hosts take for what is not the path's.
	Machine Machine
	// Congestion is that of both sides.
	Congestion tcp.Congestion
	// Textbook, where set, is TCP as exercises have it.
	Textbook *Textbook
	// Capacity is what each server has for all of its connections; the zero value has no limit.
	Capacity policy.Capacity
	// Bound is where the run of a crowd is stopped.
	Bound linger.Bound
	// Events bounds how many events a run may have; 0 is MostEvents.
	Events int64
}

// A Machine is how long a host takes. The zero value takes no time.
type Machine struct {
	// Handover is how much later a packet is on the path that is sent on a machine that
	// had nothing to do for a while: the time that a core takes to get up.
	Handover time.Duration
	// Wake is from when a packet has come until the process that waits for it runs.
	Wake time.Duration
	// Begin is how long the process takes from a new connection to its first request,
	// or to reading the first one.
	Begin time.Duration
	// Signature and Verification are what a full handshake of TLS takes at the server
	// and at the client, Resumption what a resumed one takes at either.
	Signature, Verification, Resumption time.Duration
}

// A Textbook is TCP without slow start, headers, acknowledgements that take time, and
// heads of responses, as the exercises of Kurose and Ross have it.
type Textbook struct {
	// Control is the size in bytes of a SYN, of its answer, and of a request.
	Control int
}

// MostEvents is the budget of a run: some seconds of computing.
const MostEvents = 20_000_000

// Run predicts one trial of a scenario.
func Run(ctx context.Context, s linger.Scenario, c Config) (*trace.Trace, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := Modelled(s); err != nil {
		return nil, err
	}
	w := newWorld(s, c)
	defer w.recycle()
	m, err := w.newManner(s)
	if err != nil {
		return nil, err
	}
	w.flights = &trace.Flights{}
	p := w.join(m, linger.Alone(), w.access(0))
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return p.trace(), nil
}

// Modelled says why a scenario is not, where it is not.
func Modelled(s linger.Scenario) error {
	switch {
	case s.Strategy.Client != "":
		return fmt.Errorf("strategy %q: a browser is not predicted; use --on lab", s.Strategy.Name)
	case s.Strategy.FastOpen:
		return fmt.Errorf("strategy %q: TCP Fast Open is not predicted; use --on lab", s.Strategy.Name)
	}
	return nil
}

// An unfinished run is one that has no trace. What follows its cause is of this run
// alone, or advice.
type unfinished struct{ cause, rest string }

func (e unfinished) Error() string { return e.cause + e.rest }

// Cause returns why runs like this one have no trace.
func (e unfinished) Cause() string { return e.cause }

// Sides of the path, as the lab numbers them.
const (
	client = 0
	server = 1
)

// peers are the sides as traces have them.
var peers = [2]trace.Peer{client: trace.AtClient, server: trace.AtServer}

// A packet is what a link carries.
type packet struct {
	conn *conn
	tcp  tcp.Segment
	quic *quic.Datagram // in place of tcp
	// Where neither is, a datagram of DNS: its size, and what it is about.
	datagram, exchange int32
}

// Queues of who is to be woken. Of one instant what is in the first comes first, as the lab's
// pump would see it: arrivals at the origin's end of a link, arrivals at a client, then of
// packets on their own way to or from an origin, timers of hosts, the clients' own.
const (
	_      = iota // ways to a server
	_             // and to a client
	along         // lines
	timers        // ends of connections, and servers
	wishes        // clients
	queues
)

// A world is one run: what all of its clients share.
type world struct {
	config   Config
	network  linger.Network
	seed     uint64 // of the run, from which those of its parts are drawn
	now      linger.Instant
	idle     bool // nothing had happened for a while before this event
	queues   [queues]alarm.Queue
	places   []place // of the workload's origins
	lines    []line
	backends []*backend
	clients  tally
	parties  []*party
	left     int // parties that are not done
	dialled  int // connections
	pool     quic.Pool
	pipes    [2]trace.Pipe  // by who sends
	flights  *trace.Flights // of a client by itself
	crowd    *crowd         // of many, else nil
	events   int64
}

// asleep is after how long a core without work stops its clock tick, and takes
// longest to get up: a tick of HZ 250.
const asleep = 4 * time.Millisecond

func newWorld(s linger.Scenario, c Config) *world {
	if c.Events == 0 {
		c.Events = MostEvents
	}
	// As the lab has it: trials of one number lose the same packets, whatever the
	// strategy.
	w := &world{config: c, network: s.Network, seed: rand.NewPCG(s.Seed, uint64(c.Trial)).Uint64()}
	w.settle(s.Workload.Origins)
	w.addBackend()
	return w
}

// access returns the link of client number i, or the one of all.
func (w *world) access(i int) *[2]*way {
	up, down := link.Up(w.network), link.Down(w.network)
	if w.config.Textbook != nil {
		up.Queue, down.Queue = math.MaxInt, math.MaxInt
	}
	i *= 2
	return &[2]*way{
		client: w.newWay(i, toServer, link.New[packet](up, rand.NewPCG(w.seed, uint64(i+client)))),
		server: w.newWay(i, toClient, link.New[packet](down, rand.NewPCG(w.seed, uint64(i+server)))),
	}
}

// patience is how many events pass between two looks at whether to go on.
const patience = 1 << 14

// run has everything happen in its order.
func (w *world) run(ctx context.Context) error {
	w.idle, w.left = true, len(w.parties)
	for _, p := range w.parties {
		p.start()
	}
	for {
		at, first := linger.Never, 0
		for i := range w.queues {
			if t := w.queues[i].Next(); t < at {
				at, first = t, i
			}
		}
		if at == linger.Never {
			break
		}
		if w.events++; w.events%patience == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if w.events > w.config.Events {
			return unfinished{fmt.Sprintf("not over after %d events", w.config.Events),
				fmt.Sprintf(", %v of virtual time; predict a smaller workload or a path that loses less", time.Duration(w.now).Round(time.Millisecond))}
		}
		if w.crowd != nil {
			if w.crowd.overruns(at) {
				return errOverrun
			}
			w.crowd.sampleUntil(at)
		}
		w.idle = at.Sub(w.now) > asleep
		w.now = at
		w.queues[first].First().Wake()
		if w.crowd != nil {
			w.crowd.bury()
		}
	}
	if w.left > 0 {
		return unfinished{fmt.Sprintf("nothing happens any more after %v", time.Duration(w.now)), ", and the load is not over"}
	}
	for _, p := range w.parties {
		for side, y := range p.ways {
			w.pipes[side].QueuePeak = max(w.pipes[side].QueuePeak, int64(y.Peak()))
		}
	}
	return nil
}

// arrive hands a packet to the end that it is for.
func arrive(from int, p *packet) {
	c := p.conn
	c.flying--
	switch {
	case p.quic != nil:
		c.quic[1-from].arrive(p.quic)
	case p.datagram > 0:
		c.socket.ends[1-from].arrive(int(p.exchange))
	default:
		c.ends[1-from].arrive(&p.tcp)
	}
	c.party.plan()
	c.party.end(c)
}

// carry sends a packet on its way, which for an origin's may begin with one of its own.
func (w *world) carry(from int, p packet) {
	at := w.now
	p.conn.flying++
	if w.idle {
		at = at.Add(w.config.Machine.Handover)
	}
	if from == server {
		if l := w.places[p.conn.origin].line; l >= 0 {
			w.lines[l].out.send(at, 0, &p)
			return
		}
	}
	w.enter(at, from, &p)
}

// enter gives a link a packet, and counts it as the lab's ledger does: as it was sent,
// before the link may have dropped it.
func (w *world) enter(at linger.Instant, from int, p *packet) {
	c := p.conn
	headers, payload := datagramHeaders, int(p.datagram)
	if p.quic != nil {
		payload = int(p.quic.Size)
	} else if payload == 0 {
		headers, payload = p.tcp.Headers(), int(p.tcp.Len)
		if book := w.config.Textbook; book != nil {
			if headers = 0; p.tcp.Flags&tcp.SYN != 0 {
				headers = book.Control
			}
		}
	}
	size := headers + payload
	flow, pipe := &c.flows.Up, &w.pipes[from]
	if from == server {
		flow = &c.flows.Down
	}
	switch {
	case c.flows.Up.Packets == 0:
		c.began = w.now
	case c.flows.Up.Packets == 1 && from == client:
		c.shook = w.now.Sub(c.began)
	}
	silence := w.now.Sub(c.spoken)
	c.spoken = w.now
	pipe.Packets++
	pipe.Bytes += int64(size)
	flow.Packets++
	flow.Header += int64(headers)
	flow.Payload += int64(payload)
	switch {
	case p.quic != nil && p.quic.Initial:
		flow.Initial++
	case p.quic == nil && p.datagram == 0:
		countSegment(c, flow, from, &p.tcp)
		if p.tcp.Again && trace.IsStall(silence, c.shook) {
			flow.Stall(silence)
		}
	}
	outcome := c.party.ways[from].send(at, size, p)
	if w.flights != nil {
		w.fly(at, from, p, trace.Piece{Carried: outcome == link.Carried, Payload: payload, Stalled: trace.IsStall(silence, c.shook)})
	}
	switch outcome {
	case link.Carried:
		return
	case link.Dropped:
		flow.DroppedQueue++
		pipe.DroppedQueue++
	case link.Lost:
		flow.DroppedLoss++
		pipe.DroppedLoss++
	}
	if p.quic != nil {
		w.pool.Drop(p.quic)
	}
	c.flying--
	w.end(c)
}

// fly enters a packet that has just been sent into its flight.
func (w *world) fly(at linger.Instant, from int, p *packet, piece trace.Piece) {
	along := [2]time.Duration{} // the origin's own way, by who sends
	if l := w.places[p.conn.origin].line; l >= 0 {
		along[server] = w.lines[l].in.Delay
	}
	piece.At = at.Add(-along[from])
	if piece.Carried {
		piece.Arrives = p.conn.party.ways[from].Latest().Add(along[1-from])
	}
	if p.quic == nil && p.datagram == 0 {
		flags := p.tcp.Flags
		piece.SYN, piece.FIN, piece.RST, piece.Again = flags&tcp.SYN != 0, flags&tcp.FIN != 0, flags&tcp.RST != 0, p.tcp.Again
	}
	w.flights.Add(p.conn.id, peers[from], piece)
}

// countSegment notes what a segment's flags say.
func countSegment(c *conn, flow *trace.Flow, from int, s *tcp.Segment) {
	if s.Flags&tcp.SYN != 0 {
		flow.SYN++
	}
	if s.Flags&tcp.FIN != 0 {
		flow.FIN++
	}
	if s.Flags&tcp.RST != 0 {
		flow.RST++
	}
	if s.Flags&(tcp.FIN|tcp.RST) != 0 && c.flows.ClosedBy == trace.Nobody {
		c.flows.ClosedBy = peers[from]
	}
	if s.Again {
		flow.Retransmitted++
		flow.RetransmittedBytes += int64(s.Len)
	}
}

// moment is an instant as the ledger has it; there is no wall clock.
func moment(t linger.Instant) time.Time { return time.Time{}.Add(time.Duration(t)) }
