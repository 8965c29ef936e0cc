package packet

import (
	"encoding/binary"
	"time"

	"linger"
	"linger/capture/http1"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/capture/tls"
	"linger/flow"
	"linger/trace"
)

// A mark is where a packet stands in the capture.
type mark = talk.Mark

const (
	// back is how far a clock may go back before that is no disorder of a few packets, and
	// ahead how far it may go before it has been set. Instants end at longest, before those
	// of a stream do.
	back, ahead = time.Second, 5 * 365 * 24 * time.Hour
	longest     = linger.Instant(90 * 365 * 24 * time.Hour)
	// linger of TCP is that of TIME_WAIT on Linux (TCP_TIMEWAIT_LEN). quiet is longer than
	// the longest wait between two SYNs (RFC 6298, 5.7), 64 s.
	lingers, quiet = time.Minute, 130 * time.Second
	// deepest is how many tunnels may be in each other.
	deepest = 4
)

// A Reader makes records of frames: New, Add for each frame in order of time, Finish. It
// is for one goroutine.
type Reader struct {
	to      Sink
	watcher Watcher // the same, if it is one
	sum     Summary
	err     error // the sink's first

	table      *flow.Table
	conns      []*conn // by flow.ID; nil is a flow that has none
	free       []*conn
	freeHTTP   []*httpApp
	duplicates duplicates
	fragments  fragments
	shared     talk.Shared
	web        http1.Shared // of HTTP/1
	packet     flow.Packet
	frame      *pcap.Frame // the one that is added
	each       func(*pcap.Frame, int64)
	quic       quicConns
	keys       *secrets.Log
	tls        tls.Shared

	shift, now linger.Instant // of the clock, after jumps
	expired    linger.Instant // when the table was last asked for what is over
	nextID     int64          // of a connection
	held       int            // bytes of all connections that wait for earlier ones
	tcp, udp   numbers
	finished   bool // nothing more comes
}

// New returns a Reader that hands its records to a sink.
func New(o Options, to Sink) *Reader {
	if o.MaxTracked <= 0 {
		o.MaxTracked = DefaultTracked
	}
	r := &Reader{
		to:   to,
		each: o.Each,
		sum: Summary{
			UnknownLinks: map[pcap.LinkType]int64{}, Connections: map[linger.Protocol]int64{}, Exchanges: map[linger.Protocol]int64{},
			Keys: map[trace.Keys]int64{},
		},
		duplicates: newDuplicates(),
		keys:       o.Keys,
		now:        -1 << 62,
	}
	r.watcher, _ = to.(Watcher)
	r.table = flow.NewTable(flow.Config{Limit: o.MaxTracked, Ended: r.ended, Linger: lingers, Quiet: quiet, Over: max(1, o.MaxTracked/4)})
	r.quic.limit = o.MaxTracked
	r.shared.Emit, r.shared.Content = r.exchange, overHTTP
	r.web.Shared = &r.shared
	return r
}

// Add takes in a frame. The error is the sink's, and the first one stays.
func (r *Reader) Add(f *pcap.Frame) error {
	r.frame = f
	r.sum.Frames++
	r.sum.Bytes += int64(f.Wire)
	if size := len(f.Data); size < f.Wire {
		if r.sum.Cut++; r.sum.CutAt == 0 || size < r.sum.CutAt {
			r.sum.CutAt = size
		}
	}
	m := mark{At: r.instant(f), Frame: f.Number, File: f.File}
	ip, side, what := unwrap(f.Link, f.Data)
	switch what {
	case foundIP:
		r.ip(ip, f.Wire-(len(f.Data)-len(ip)), uint32(f.Place)<<16^side, m, 0)
	case foundOther:
		r.sum.NotIP++
	case foundShort:
		r.sum.Malformed++
	case foundUnknown:
		r.sum.UnknownLinks[f.Link]++
	}
	if m.At.Sub(r.expired) > time.Second {
		r.expired = m.At
		r.table.Expire(m.At)
		r.expireQUIC(m.At)
	}
	return r.err
}

// instant is when a frame was captured, by a clock that does not jump back.
func (r *Reader) instant(f *pcap.Frame) linger.Instant {
	at := f.At + r.shift
	if r.sum.Frames == 1 {
		r.sum.First, r.now, r.expired = linger.Known(at), at, at
	}
	if r.now.Sub(at) > back || at.Sub(r.now) > ahead || at > longest {
		r.shift += r.now - at
		at = r.now
		if r.sum.Jumps++; r.sum.Jumps == 1 {
			r.sum.FirstJump = trace.Frames{First: f.Number, Last: f.Number, FirstFile: f.File, LastFile: f.File}
		}
	}
	r.now = max(r.now, at)
	return at
}

// ip takes in an IP packet, at the end of so many tunnels.
func (r *Reader) ip(b []byte, wire int, place uint32, m mark, depth int) {
	p := &r.packet
	if err := p.Parse(b, wire); err != nil {
		r.sum.Malformed++
		return
	}
	if p.Fragment {
		r.sum.Fragments++
		whole := r.fragments.add(p, b)
		if whole == nil {
			return // until the others are there
		}
		b, wire = whole, len(whole)
		if err := p.Parse(b, wire); err != nil {
			r.sum.Malformed++
			return
		}
	}
	protocol := p.Key.Protocol()
	data := b[min(p.Headers, len(b)):max(min(p.Headers, len(b)), min(len(b), p.Headers+p.Payload))]
	if protocol != flow.TCP && depth < deepest {
		var ports uint32
		if p.Transport {
			ports = binary.BigEndian.Uint32(b[p.Network:])
		}
		if in, what := inner(uint8(protocol), ports, b[p.Network:], data); what == foundIP {
			r.sum.Tunnelled++
			r.ip(in, wire-(len(b)-len(in)), place, m, depth+1)
			return
		}
	}
	f, fresh := r.known(p, m.At)
	if fresh {
		r.duplicates.remember(p, b, place, m.At)
	} else if r.duplicates.again(p, b, place, m.At) {
		r.sum.Duplicates++
		if p.Flags&(flow.SYN|flow.ACK) == flow.SYN {
			r.sum.Again++
		}
		return
	}
	if f == nil {
		f = r.table.Find(p, m.At)
	}
	if f == nil {
		return // the table counts it
	}
	if int(f.ID) >= len(r.conns) {
		r.conns = append(r.conns, make([]*conn, int(f.ID)+1-len(r.conns))...)
	}
	c := r.conns[f.ID]
	if c == nil {
		c = r.begin(f, p, data, m)
	}
	id := c.id
	var q *quicConn
	if c.kind == kindUDP {
		q = r.quicOf(c, f, p, data, m)
		id = q.id
	}
	if r.each != nil && c.kind != kindNone {
		r.each(r.frame, id)
	}
	r.table.Count(f, p, m.At)
	switch c.kind {
	case kindTCP:
		c.last = m
		r.segment(c, f, p, data, m)
	case kindDNS:
		c.last = m
		r.datagram(c, p, data, m)
	case kindUDP:
		r.quicDatagram(q, c, f, p, data, m)
	}
}

// known returns the flow of a packet that neither opens nor closes a connection, if there is
// one. fresh says that the packet goes on from what was captured of it, so that it is no copy.
func (r *Reader) known(p *flow.Packet, at linger.Instant) (f *flow.Flow, fresh bool) {
	if !p.Transport || p.Key.Protocol() != flow.TCP || p.Flags&(flow.SYN|flow.FIN|flow.RST) != 0 {
		return nil, false
	}
	if f = r.table.Peek(p, at); f == nil {
		return nil, false
	}
	return f, f.Continues(p) || r.conns[f.ID].half[p.From.Other()&1].acknowledged(p)
}

// Finish hands on what is open, and returns what there was.
func (r *Reader) Finish() Summary {
	r.sum.Incomplete += r.fragments.flush()
	r.finished, r.free, r.freeHTTP = true, nil, nil
	r.table.Flush()
	r.flushQUIC()
	if r.sum.Frames > 0 {
		r.sum.Last = linger.Known(r.now)
	}
	return r.sum
}

// exchange hands on an exchange of a protocol.
func (r *Reader) exchange(protocol linger.Protocol, x *trace.Exchange) {
	if x.Known == "" {
		x.Known = trace.Seen
	}
	r.sum.Exchanges[protocol]++
	if r.err == nil {
		r.err = r.to.WriteExchange(x)
	}
}
