// Package sim is the engine that predicts: the client's and the server's connection
// policy as live and origin drive them, over modelled TCP and TLS and the link that
// the lab pumps, in virtual time. There is no goroutine, no clock and no luck but the
// link's; the same scenario and seed give the same trace, to the byte.
//
// What is and what is not modelled stands in docs/simulator.md.
package sim

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"linger"
	"linger/link"
	"linger/policy"
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
	if s.Strategy.DNS != "" {
		if err := c.asked(s); err != nil {
			return nil, err
		}
	}
	w := newWorld(s, c)
	defer w.recycle()
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return w.trace, nil
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

// A packet is what a link carries.
type packet struct {
	conn int32
	tcp  tcp.Segment
	quic *quic.Datagram // in place of tcp
	// Where neither is, a datagram of DNS: its size, and what it is about.
	datagram, exchange int32
}

// A world is one run.
type world struct {
	scenario linger.Scenario
	config   Config
	now      linger.Instant
	links    [2]*link.Link[packet]
	conns    []*conn
	alarms   alarms
	mind     *policy.Client
	trace    *trace.Trace
	ledger   trace.Ledger
	stirred  []*conn // with something staged
	places   []place // of the workload's origins
	lines    []line
	pool     quic.Pool
	loaded   bool
	events   int64
	idle     bool // nothing had happened for a while before this event
}

// asleep is after how long a core without work stops its clock tick, and takes
// longest to get up: a tick of HZ 250.
const asleep = 4 * time.Millisecond

func newWorld(s linger.Scenario, c Config) *world {
	if c.Limits == (policy.Limits{Pace: c.Limits.Pace}) {
		pace := c.Limits.Pace
		if c.Limits = policy.DefaultLimits; s.Strategy.DNS != "" {
			c.Limits = policy.DNSLimits
		}
		c.Limits.Pace = pace
	}
	if c.Events == 0 {
		c.Events = MostEvents
	}
	// As the lab has it: trials of one number lose the same packets, whatever the
	// strategy.
	seed := rand.NewPCG(s.Seed, uint64(c.Trial)).Uint64()
	w := &world{
		scenario: s, config: c,
		mind: policy.NewClient(s.Workload, s.Strategy, c.Limits),
		trace: &trace.Trace{
			Provenance: trace.Predicted, Engine: "sim",
			Workload: s.Workload.Name, Strategy: s.Strategy.Name, Network: s.Network,
			Seed: s.Seed, Trial: c.Trial, Connections: []trace.Connection{},
			Exchanges: make([]trace.Exchange, len(s.Workload.Exchanges)),
		},
	}
	up, down := link.Up(s.Network), link.Down(s.Network)
	if c.Textbook != nil {
		up.Queue, down.Queue = math.MaxInt, math.MaxInt
	}
	w.links[client] = link.New[packet](up, rand.NewPCG(seed, client))
	w.links[server] = link.New[packet](down, rand.NewPCG(seed, server))
	w.settle()
	for i, e := range s.Workload.Exchanges {
		x := &w.trace.Exchanges[i]
		*x = trace.Exchange{ID: i, Method: e.Method, URL: s.Workload.Scheme + "://" + w.places[e.Origin].host + e.Path, Connection: -1}
		if e.IsQuery() {
			w.question(x, e.Query)
		}
	}
	if s.Strategy.DNS == linger.OverHTTPS {
		all := slices.Clone(s.Workload.Exchanges)
		for i := range all {
			all[i] = w.overHTTP(i, all[i])
		}
		w.scenario.Workload.Exchanges = all
	}
	return w
}

// secure reports whether the run is over TLS.
func (w *world) secure() bool {
	switch w.scenario.Strategy.DNS {
	case "":
		return w.scenario.Workload.Scheme == "https"
	case linger.OverUDP, linger.OverTCP:
		return false
	}
	return true
}

// patience is how many events pass between two looks at whether to go on.
const patience = 1 << 14

// run has everything happen in its order. Events of one instant come in the order in
// which the lab's pump would see them: arrivals at the origin's end of the link,
// arrivals at the client, then of packets on their own way to or from an origin,
// timers, the client's own.
func (w *world) run(ctx context.Context) error {
	w.idle = true
	w.mind.HandleStart(0)
	w.obey()
	for {
		up, down := w.links[client].Next(), w.links[server].Next()
		alarm, wish := w.alarms.next(), linger.Never
		if !w.mind.Finished() {
			wish = w.mind.NextTimeout()
		}
		along, way := w.nextLine()
		at := min(up, down, along, alarm, wish)
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
		w.idle = at.Sub(w.now) > asleep
		w.now = at
		switch at {
		case up:
			p, _, _ := w.links[client].Receive(at)
			if l := w.places[w.conns[p.conn].origin].line; l >= 0 {
				w.lines[l].in.Send(at, 0, p)
			} else {
				w.arrive(client, &p)
			}
		case down:
			p, _, _ := w.links[server].Receive(at)
			w.arrive(server, &p)
		case along:
			w.travel(way)
		case alarm:
			w.alarms.first().wake.alarm()
		default:
			w.mind.HandleTimeout(at)
			w.obey()
		}
	}
	if !w.mind.Finished() {
		return unfinished{fmt.Sprintf("nothing happens any more after %v", time.Duration(w.now)), ", and the load is not over"}
	}
	w.close()
	return nil
}

// arrive hands a packet to the end that it is for.
func (w *world) arrive(from int, p *packet) {
	switch c := w.conns[p.conn]; {
	case p.quic != nil:
		c.quic[1-from].arrive(p.quic)
	case p.datagram > 0:
		c.socket.ends[1-from].arrive(int(p.exchange))
	default:
		c.ends[1-from].arrive(&p.tcp)
	}
}

// obey does what the client's machine commands.
func (w *world) obey() {
	for cmd, ok := w.mind.Poll(); ok; cmd, ok = w.mind.Poll() {
		switch cmd.Kind {
		case policy.Dial:
			w.dial(cmd.Conn, cmd.Origin, cmd.Stream)
		case policy.Send:
			c := w.conns[cmd.Conn]
			if x := &w.trace.Exchanges[cmd.Exchange]; !cmd.Again {
				*x = trace.Exchange{ID: x.ID, Method: x.Method, URL: x.URL, Connection: int64(c.id), Attempts: x.Attempts, Truncated: x.Truncated}
			}
			if len(c.staged) == 0 {
				w.stirred = append(w.stirred, c)
			}
			c.staged = append(c.staged, staged{cmd.Exchange, cmd.Last, cmd.Again})
		case policy.Close:
			w.hangUp(w.conns[cmd.Conn], cmd.Reason)
		case policy.Fail:
			w.trace.Exchanges[cmd.Exchange].Failed = cmd.Reason
		}
	}
	// What is sent may be answered by further commands.
	for len(w.stirred) > 0 {
		c := w.stirred[0]
		w.stirred = w.stirred[:copy(w.stirred, w.stirred[1:])]
		batch := c.staged
		c.staged = nil
		if !c.gone {
			c.speaker.send(batch)
			if e := c.ends[client]; e != nil {
				e.flush()
			}
		}
	}
	if !w.loaded && w.mind.Loaded() {
		w.loaded = true
		w.trace.Ended = w.now
	}
}

// close completes the trace.
func (w *world) close() {
	w.trace.Retries = w.mind.Retries()
	for i := range w.trace.Exchanges {
		w.trace.Exchanges[i].Queued = w.mind.Wanted(i).Or(w.trace.Ended)
	}
	l := &w.ledger
	l.Connections = make([]trace.Flows, len(w.conns))
	for i, c := range w.conns {
		l.Connections[i] = c.flows
	}
	for side, pipe := range []*trace.Pipe{&l.Up, &l.Down} {
		pipe.QueuePeak = int64(w.links[side].Peak())
	}
	w.trace.Ledger = linger.Known(*l)
}

// carry sends a segment on its way.
func (w *world) carry(c *conn, from int, s *tcp.Segment) {
	at := w.now
	if w.idle {
		at = at.Add(w.config.Machine.Handover)
	}
	w.launch(at, from, packet{conn: int32(c.id), tcp: *s})
}

// launch sends a packet on its way, which for an origin's may begin with one of its own.
func (w *world) launch(at linger.Instant, from int, p packet) {
	if from == server {
		if l := w.places[w.conns[p.conn].origin].line; l >= 0 {
			w.lines[l].out.Send(at, 0, p)
			return
		}
	}
	w.enter(at, from, &p)
}

// enter gives a link a packet, and counts it as the lab's ledger does: as it was sent,
// before the link may have dropped it.
func (w *world) enter(at linger.Instant, from int, p *packet) {
	c := w.conns[p.conn]
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
	flow, pipe := &c.flows.Up, &w.ledger.Up
	if from == server {
		flow, pipe = &c.flows.Down, &w.ledger.Down
	}
	switch {
	case c.flows.Up.Packets == 0:
		c.flows.First = moment(w.now)
	case c.flows.Up.Packets == 1 && from == client:
		c.shook = moment(w.now).Sub(c.flows.First)
	}
	silence := moment(w.now).Sub(c.flows.Last)
	c.flows.Last = moment(w.now)
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
	switch w.links[from].Send(at, size, *p) {
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
		c.flows.ClosedBy = [2]trace.Peer{trace.AtClient, trace.AtServer}[from]
	}
	if s.Again {
		flow.Retransmitted++
		flow.RetransmittedBytes += int64(s.Len)
	}
}

// moment is an instant as the ledger has it; there is no wall clock.
func moment(t linger.Instant) time.Time { return time.Time{}.Add(time.Duration(t)) }
