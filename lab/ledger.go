package lab

import (
	"net/netip"
	"time"

	"linger"
	"linger/link"
	"linger/stats"
	"linger/trace"
)

// maxFlows bounds the ledger: some 20 MB. A connection beyond it is counted in
// the pipes, and in Overflow, but has no row.
const maxFlows = 1 << 16

// flowSlab is how many flows the ledger makes room for at a time.
const flowSlab = 256

// A ledger counts what is handed to the two links. It belongs to the pump's thread.
type ledger struct {
	pipes    [2]trace.Pipe // by the sender's Side
	index    map[flowKey]*flow
	slabs    [][]flow // in order of first packets; full but for the last
	flows    int
	limit    int
	overflow int
	lateness stats.Histogram // ns after the due time, of each packet
}

// flowKey tells connections apart that exist at the same time. Protocols without
// ports make one flow a pair of hosts.
type flowKey struct {
	client, server         [4]byte
	clientPort, serverPort uint16
	protocol               uint8
}

// A flow is one connection: both directions by the sender's Side.
type flow struct {
	flowKey
	first, last linger.Instant
	ways        [2]way
	closedBy    trace.Peer
}

// A way is one direction of a flow.
type way struct {
	trace.Flow
	// next is the sequence number after the highest that was sent (SND.NXT of
	// RFC 9293, 3.3.1), once one was.
	next    uint32
	isn     uint32 // of the SYN, if there was one
	started bool
}

func newLedger(limit int) *ledger {
	return &ledger{index: make(map[flowKey]*flow), limit: limit}
}

// flow returns the connection that p, sent from that side, belongs to, or nil if
// it no longer fits.
//
// A SYN without ACK whose sequence number is not that of the flow's own SYN
// begins another connection on the same addresses and ports; the same number is
// the same SYN sent again (RFC 9293, 3.4.1).
func (l *ledger) flow(p *packet, from Side, at linger.Instant) *flow {
	k := flowKey{p.src, p.dst, p.srcPort, p.dstPort, p.protocol}
	if from == Server {
		k = flowKey{p.dst, p.src, p.dstPort, p.srcPort, p.protocol}
	}
	f := l.index[k]
	if f != nil && p.opens() && f.ways[from].SYN > 0 && f.ways[from].isn != p.seq {
		f = nil
	}
	if f == nil {
		if f = l.add(); f == nil {
			// A SYN is a connection; of what has none, each packet may be one.
			if p.protocol != protoTCP || p.opens() {
				l.overflow++
			}
			return nil
		}
		f.flowKey, f.first = k, at
		l.index[k] = f
	}
	f.last = at
	return f
}

// opens reports whether p asks for a connection.
func (p *packet) opens() bool {
	return p.protocol == protoTCP && p.flags&(flagSYN|flagACK) == flagSYN
}

// add makes a flow whose place in memory stays.
func (l *ledger) add() *flow {
	if l.flows == l.limit {
		return nil
	}
	if l.flows%flowSlab == 0 {
		l.slabs = append(l.slabs, make([]flow, 0, flowSlab))
	}
	last := &l.slabs[len(l.slabs)-1]
	*last = append(*last, flow{})
	l.flows++
	return &(*last)[len(*last)-1]
}

// sent counts segment i of p, sent from that side, and what the link made of it.
// f is what flow returned.
func (l *ledger) sent(f *flow, from Side, p *packet, i int, fate link.Fate) {
	payload := p.payloadOf(i)
	pipe := &l.pipes[from]
	pipe.Packets++
	pipe.Bytes += int64(p.headers + payload)
	switch fate {
	case link.Dropped:
		pipe.DroppedQueue++
	case link.Lost:
		pipe.DroppedLoss++
	}
	if f == nil {
		return
	}
	w := &f.ways[from]
	w.Packets++
	w.Header += int64(p.headers)
	w.Payload += int64(payload)
	switch fate {
	case link.Dropped:
		w.DroppedQueue++
	case link.Lost:
		w.DroppedLoss++
	}
	if p.initial {
		w.Initial++
	}
	if p.protocol == protoTCP {
		f.tcp(from, p.seq+uint32(i*p.segment), payload, p.flagsOf(i))
	}
}

// tcp counts what the TCP header of one segment says.
//
// A segment is a retransmission if it has a sequence number, and all that it has
// were sent before; octets, SYN and FIN have one (RFC 9293, 3.4).
// So what repeats nothing but an acknowledgement is none, nor is a keep-alive or
// zero-window probe as Linux sends it, which is empty and one below SND.NXT
// (tcp_xmit_probe_skb); a probe that carries the one garbage octet of RFC 9293,
// 3.8.4 is.
func (f *flow) tcp(from Side, seq uint32, payload int, flags uint8) {
	w := &f.ways[from]
	length := uint32(payload)
	if flags&flagSYN != 0 {
		if w.SYN == 0 {
			w.isn = seq
		}
		w.SYN++
		length++
	}
	if flags&flagFIN != 0 {
		w.FIN++
		length++
	}
	if flags&flagRST != 0 {
		w.RST++
	}
	if flags&(flagFIN|flagRST) != 0 && f.closedBy == trace.Nobody {
		f.closedBy = [2]trace.Peer{trace.AtClient, trace.AtServer}[from]
	}
	if length == 0 {
		return
	}
	switch end := seq + length; {
	case !w.started || int32(end-w.next) > 0: // modulo 2^32 (RFC 9293, 3.4)
		w.next, w.started = end, true
	default:
		w.Retransmitted++
		w.RetransmittedBytes += int64(payload)
	}
}

// clone returns a copy for another goroutine to render.
func (l *ledger) clone() *ledger {
	c := *l
	c.index = nil
	c.slabs = make([][]flow, len(l.slabs))
	for i, s := range l.slabs {
		c.slabs[i] = append([]flow(nil), s...)
	}
	return &c
}

// render returns the ledger as the trace has it; began is the wall clock at Instant 0.
func (l *ledger) render(began time.Time) trace.Ledger {
	began = began.Round(0) // a wall clock only: it goes into files
	out := trace.Ledger{
		Connections: make([]trace.Flows, 0, l.flows),
		Up:          l.pipes[Client],
		Down:        l.pipes[Server],
		Lateness:    l.summary(),
		Overflow:    l.overflow,
	}
	for _, s := range l.slabs {
		for i := range s {
			f := &s[i]
			out.Connections = append(out.Connections, trace.Flows{
				Protocol: protocolName(f.protocol),
				Client:   endpoint(f.client, f.clientPort),
				Server:   endpoint(f.server, f.serverPort),
				First:    began.Add(time.Duration(f.first)),
				Last:     began.Add(time.Duration(f.last)),
				Up:       f.ways[Client].Flow,
				Down:     f.ways[Server].Flow,
				ClosedBy: f.closedBy,
			})
		}
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

func protocolName(p uint8) string {
	switch p {
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	case protoICMP:
		return "icmp"
	}
	return "ip"
}

// endpoint is IP:port, or the IP alone where there is no port.
func endpoint(ip [4]byte, port uint16) string {
	addr := netip.AddrFrom4(ip)
	if port == 0 {
		return addr.String()
	}
	return netip.AddrPortFrom(addr, port).String()
}
