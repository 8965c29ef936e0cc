package pump

import (
	"net/netip"
	"slices"
	"time"

	"linger"
	"linger/flow"
	"linger/link"
	"linger/stats"
	"linger/trace"
)

// maxFlows bounds the ledger: some 24 MB. A connection beyond it is counted in
// the pipes, and in Overflow, but has no row.
const maxFlows = 1 << 16

// A ledger counts what is handed to the links. It belongs to the pump's thread.
type ledger struct {
	pipesOnly bool
	pipes     [2]trace.Pipe // by the sender's Side
	flows     *flow.Table
	rows      [][]row // what the table does not know of each flow, by its ID
	count     int     // rows
	flights   trace.Flights
	lateness  stats.Histogram // ns after the due time, of each packet
}

// A row is what the link knows of a flow.
type row struct {
	client flow.End
	drops  [2]drops       // by the sender's Side
	stalls [2]stalls      // by the sender's Side
	last   linger.Instant // of the last packet
}

// stalls counts the retransmissions by a timer, and what was waited for it.
type stalls struct {
	count   int64
	silence time.Duration
}

// drops counts the packets that the link did not carry.
type drops struct{ queue, loss int64 }

// rowSlab is how many rows the ledger makes room for at a time.
const rowSlab = 256

func newLedger(limit int) *ledger {
	return &ledger{flows: flow.NewTable(flow.Config{Limit: limit})}
}

// flow returns the connection that p, sent from that side, belongs to, or nil if
// it no longer fits, or none is kept.
func (l *ledger) flow(p *packet, from Side, at linger.Instant) *flow.Flow {
	if l.pipesOnly {
		return nil
	}
	f := l.flows.Find(&p.Packet, at)
	if f == nil || int(f.ID) < l.count {
		return f
	}
	if l.count%rowSlab == 0 {
		l.rows = append(l.rows, make([]row, rowSlab))
	}
	l.count++
	client := p.From
	if from == Server {
		client = client.Other()
	}
	l.row(f.ID).client = client
	return f
}

func (l *ledger) row(id flow.ID) *row { return &l.rows[id/rowSlab][id%rowSlab] }

// A passage is what became of a packet: when it left its host and came to the link, what the
// link made of it, and when it comes to its receiver, where it is carried.
type passage struct {
	left, at, arrives linger.Instant
	outcome           link.Outcome
}

// sent counts segment i of p, sent from that side, and what became of it. f is what flow
// returned.
func (l *ledger) sent(f *flow.Flow, from Side, p *packet, i int, t passage) {
	at, outcome := t.at, t.outcome
	payload := p.payloadOf(i)
	pipe := &l.pipes[from]
	pipe.Packets++
	pipe.Bytes += int64(p.Headers + payload)
	switch outcome {
	case link.Dropped:
		pipe.DroppedQueue++
	case link.Lost:
		pipe.DroppedLoss++
	}
	if f == nil {
		return
	}
	switch outcome {
	case link.Dropped:
		l.row(f.ID).drops[from].queue++
	case link.Lost:
		l.row(f.ID).drops[from].loss++
	}
	r := l.row(f.ID)
	silence := at.Sub(r.last)
	stalled := r.last > 0 && trace.IsStall(silence, f.ACK.Or(0).Sub(f.SYN.Or(0)))
	r.last = at
	before := f.Sent(p.From).Retransmitted
	flags := p.flagsOf(i)
	l.flows.CountSegment(f, &p.Packet, p.Seq+uint32(i*p.segment), flags, payload, at)
	again := f.Sent(p.From).Retransmitted > before
	if stalled && again {
		r.stalls[from].count++
		r.stalls[from].silence += silence
	}
	if !p.isTCP() {
		flags = 0
	}
	l.flights.Add(int(f.ID), peers[from], trace.Piece{
		At: t.left, Arrives: t.arrives, Carried: outcome == link.Carried, Payload: payload,
		SYN: flags&flow.SYN != 0, FIN: flags&flow.FIN != 0, RST: flags&flow.RST != 0, Again: again, Stalled: stalled,
	})
}

// peers are the sides as traces have them.
var peers = [2]trace.Peer{trace.AtClient, trace.AtServer}

// A snapshot is a copy of the ledger for another goroutine to render.
type snapshot struct {
	pipes    [2]trace.Pipe
	flows    []flow.Flow
	rows     [][]row
	flights  []trace.Flight
	unflown  int64
	overflow int
	lateness trace.Lateness
}

func (l *ledger) snapshot() *snapshot {
	s := &snapshot{
		pipes:    l.pipes,
		flows:    l.flows.Copy(),
		rows:     make([][]row, len(l.rows)),
		overflow: int(l.flows.Counts().Overflow),
		lateness: l.summary(),
	}
	for i, r := range l.rows {
		s.rows[i] = slices.Clone(r)
	}
	s.flights, s.unflown = l.flights.List()
	s.flights = slices.Clone(s.flights)
	return s
}

// render returns the ledger as the trace has it; began is the wall clock at Instant 0.
func (s *snapshot) render(began time.Time) trace.Ledger {
	began = began.Round(0) // a wall clock only: it goes into files
	out := trace.Ledger{
		Connections: make([]trace.Flows, 0, len(s.flows)),
		Up:          s.pipes[Client],
		Down:        s.pipes[Server],
		Lateness:    s.lateness,
		Overflow:    s.overflow,
		Flights:     s.flights,
		Unflown:     s.unflown,
	}
	for i := range s.flows {
		f, r := &s.flows[i], &s.rows[i/rowSlab][i%rowSlab]
		server := r.client.Other()
		row := trace.Flows{
			Protocol: linger.Transport(f.Key.Protocol().String()),
			Client:   endpoint(f.Address(r.client)),
			Server:   endpoint(f.Address(server)),
			First:    began.Add(time.Duration(f.First)),
			Last:     began.Add(time.Duration(f.Last)),
			Up:       direction(f.Sent(r.client), r.drops[Client], r.stalls[Client]),
			Down:     direction(f.Sent(server), r.drops[Server], r.stalls[Server]),
		}
		if closing, ok := f.Closing.Get(); ok {
			row.ClosedBy = trace.AtServer
			if closing.By == r.client {
				row.ClosedBy = trace.AtClient
			}
		}
		out.Connections = append(out.Connections, row)
	}
	return out
}

func direction(d flow.Direction, dropped drops, waited stalls) trace.Flow {
	out := trace.Flow{
		Packets: d.Packets, Header: d.Header, Payload: d.Payload,
		SYN: d.SYN, FIN: d.FIN, RST: d.RST, Initial: d.Initial,
		Retransmitted: d.Retransmitted, RetransmittedBytes: d.RetransmittedBytes,
		DroppedQueue: dropped.queue, DroppedLoss: dropped.loss,
		Stalls: waited.count,
	}
	if waited.count > 0 {
		out.Stalled = linger.Known(waited.silence)
	}
	return out
}

// late counts n packets that left d after their due time; before it is 0.
func (l *ledger) late(d time.Duration, n int) { l.lateness.Add(int64(d), n) }

// summary returns the lateness as the trace has it, all 0 if nothing had a due time.
func (l *ledger) summary() trace.Lateness {
	median, _ := l.lateness.Quantile(0.5)
	p99, _ := l.lateness.Quantile(0.99)
	most, _ := l.lateness.Max()
	return trace.Lateness{Packets: l.lateness.N(), Median: time.Duration(median), P99: time.Duration(p99), Max: time.Duration(most)}
}

// endpoint is IP:port, or the IP alone where there is no port.
func endpoint(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}
