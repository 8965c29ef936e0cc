package packet

import (
	"strconv"
	"time"

	"linger"
	"linger/capture/talk"
	"linger/flow"
	"linger/trace"
)

// protocolOther is what is spoken on a connection where it is none of the nouns' protocols.
// A connection without any carried nothing, or began before and was not told.
const protocolOther linger.Protocol = "other"

// answerPatience is how long before the end of the capture a query over UDP was sent whose
// answer may not have come yet.
const answerPatience = 5 * time.Second

// Reason of a record that ends early.
const outOfRoom = "let go of for want of room"

// A kind says how the packets of a flow are read.
type kind uint8

const (
	kindNone kind = iota // they are counted by the table alone
	kindTCP
	kindDNS // over UDP
	kindUDP // QUIC, or what else is on its port: the connections are quicConns'
)

// Ports that say what is spoken, where nothing else does.
const portDNS, portQUIC = 53, 443

// nobody stands for the flows that have no record. It is never changed.
var nobody = &conn{}

// A conn is what is known of a flow beside its counts.
type conn struct {
	half [2]half // by flow.End
	app  app

	key      flow.Key
	kind     kind
	dns      bool // it is on DNS's port
	depth    int8 // of tunnels
	client   flow.End
	told     bool // the client is known, by a SYN or by what was said
	guessed  bool // the client was concluded from ports alone
	over     bool // both sides have ended, and the app knows
	reset    bool
	started  bool  // before it was the packet's turn: there was a SYN
	numbered bool  // stream is known
	stream   int64 // Wireshark's number

	first, last, closing mark
	id                   int64
	within               linger.Opt[int64]
	outstanding          linger.Opt[trace.Outstanding]
	fastOpen             linger.Opt[bool]
	firstByte            linger.Opt[linger.Instant]
	near                 time.Duration // as nearly has it
	known                trace.How     // how what is said on it is: empty is seen
	missing, gaps        int64
	probes               trace.Probes
	probing              flow.End // who sent the last probe that is not answered
	waiting              bool     // it is not answered yet

	target    string // of a tunnel, in place of the server's address
	forwarded string // for whom the client acts
}

// begin makes a conn of a flow's first packet.
func (r *Reader) begin(f *flow.Flow, p *flow.Packet, data []byte, m mark) *conn {
	c := nobody
	switch protocol := p.Key.Protocol(); {
	case p.Transport && protocol == flow.TCP:
		c = r.take(kindTCP, m)
		c.stream, c.numbered = r.tcp.begin(f.Key, int64(f.Number), p.Flags&(flow.SYN|flow.ACK) == flow.SYN)
		c.dns = f.Address(flow.Low).Port() == portDNS || f.Address(flow.High).Port() == portDNS
		c.app = untold{}
	case p.Transport && protocol == flow.UDP:
		low, high := f.Address(flow.Low).Port(), f.Address(flow.High).Port()
		switch {
		case low == portDNS || high == portDNS:
			c = r.take(kindDNS, m)
			c.app = &dnsApp{udp: true}
		case low == portQUIC || high == portQUIC || p.Initial || r.quic.knows(data, f.Address(p.From.Other())):
			c = r.newPath(f, p, data, m)
		default:
			r.sum.OtherUDP++
		}
		if stream, known := r.udp.begin(f.Key, int64(f.Number), false); c.kind != kindNone {
			c.stream, c.numbered = stream, known
		}
	default:
		r.sum.OtherIP++
	}
	if c.kind != kindNone {
		c.key, c.client, c.guessed = f.Key, guess(f), true
	}
	r.conns[f.ID] = c
	return c
}

// take returns a new conn.
func (r *Reader) take(k kind, m mark) *conn {
	var c *conn
	if n := len(r.free); n > 0 {
		c, r.free = r.free[n-1], r.free[:n-1]
		*c = conn{}
	} else {
		c = &conn{}
	}
	c.kind, c.first, c.last, c.id = k, m, m, r.nextID
	r.nextID++
	return c
}

// guess tells the client by ports: the server's is one that servers have. If both are, or
// none, it is the end that spoke first.
func guess(f *flow.Flow) (client flow.End) {
	low, high := serves(f.Address(flow.Low).Port()), serves(f.Address(flow.High).Port())
	switch {
	case low && !high:
		return flow.High
	case high && !low:
		return flow.Low
	}
	return f.Speaker
}

// serverHost is the address of the server as URLs have it, without a port.
func (c *conn) serverHost() string {
	if c.target != "" {
		return c.target
	}
	a := c.key.Address(c.client.Other()).Addr()
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// authority is the same with the port, if that is not the scheme's.
func (c *conn) authority() string {
	usual := uint16(80)
	if c.known == trace.Decrypted {
		usual = 443
	}
	if port := c.key.Address(c.client.Other()).Port(); port != usual && c.target == "" {
		return c.serverHost() + ":" + strconv.Itoa(int(port))
	}
	return c.serverHost()
}

func serves(port uint16) bool {
	return port < 1024 || port == 8080 || port == 8443 || port == 3128 || port == 8000
}

// is tells who is the client, once that is known.
func (c *conn) is(client flow.End) {
	if !c.told {
		c.client, c.told, c.guessed = client, true, false
	}
}

// side returns which side an end is.
func (c *conn) side(e flow.End) talk.Side {
	if e == c.client {
		return talk.Client
	}
	return talk.Server
}

// readBy is how what is said on a connection is known.
func (c *conn) readBy() trace.How {
	if c.known != "" {
		return c.known
	}
	return trace.Seen
}

func (c *conn) peer(e flow.End) trace.Peer {
	if e == c.client {
		return trace.AtClient
	}
	return trace.AtServer
}

// ended takes leave of a flow: it is the last that is heard of it.
func (r *Reader) ended(f *flow.Flow, o flow.Outcome) {
	if int(f.ID) >= len(r.conns) || r.conns[f.ID] == nil {
		return // of no packet, which is not so
	}
	c := r.conns[f.ID]
	r.conns[f.ID] = nil
	if o != flow.Replaced && o != flow.StillOpen {
		r.remember(c, f)
	}
	if c.kind == kindNone {
		return
	}
	if path, ok := c.app.(*quicPath); ok {
		r.leavePath(path, o)
		return
	}
	if c.kind == kindTCP && !c.started && f.Opener.IsZero() && f.Sent(flow.Low).Payload+f.Sent(flow.High).Payload == 0 {
		// Neither SYN nor data: what is left of a connection from before, or none.
		r.sum.Stray++
		r.recycle(c)
		return
	}
	why := talk.NoResponse
	switch {
	case c.reset:
		why = talk.Reset
	case o == flow.StillOpen && !f.Over() && (c.kind == kindTCP || r.now.Sub(c.last.At) < answerPatience):
		why = talk.StillGoing
	}
	r.finish(c, why)
	c.app.close(r, c, why)
	r.connection(c, f, o)
	r.recycle(c)
}

// remember keeps the number of a flow that may go on.
func (r *Reader) remember(c *conn, f *flow.Flow) {
	stream := int64(-1)
	if c.numbered {
		stream = c.stream
	}
	switch f.Key.Protocol() {
	case flow.TCP:
		r.tcp.end(f.Key, stream)
	case flow.UDP:
		r.udp.end(f.Key, stream)
	}
}

func (r *Reader) recycle(c *conn) {
	if r.finished {
		return // its memory is for whoever takes the records
	}
	carried := c.app
	if a, ok := carried.(*tlsApp); ok && a.inside != nil {
		carried = a.inside.app
	}
	if a, ok := carried.(*httpApp); ok {
		r.freeHTTP = append(r.freeHTTP, a)
	}
	r.free = append(r.free, c)
}

// What TLS sends to close is an alert (RFC 8446, 6.1), of 23 to 31 bytes with AEAD and 85 at
// most, and HTTP/2 a GOAWAY before it, of 46. It is encrypted; its size and place tell.
const (
	closingBytes = 90
	closingTime  = 10 * time.Millisecond
)

// onlyCloses reports whether the last bytes of a side look like nothing but that, where the
// connection was closed at an instant.
func (h *half) onlyCloses(closed linger.Instant) bool {
	return h.before > 0 && h.next-h.burst <= closingBytes && h.since >= closed.Add(-closingTime)
}

// connection hands on the record of a connection.
func (r *Reader) connection(c *conn, f *flow.Flow, o flow.Outcome) {
	client, server := c.client, c.client.Other()
	t := trace.Connection{
		ID:     c.id,
		Client: f.Address(client).String(), Server: f.Address(server).String(),
		Dialled:   f.First,
		FirstByte: c.firstByte,
		FastOpen:  c.fastOpen,
		Up:        linger.Known(counts(f.Sent(client))), Down: linger.Known(counts(f.Sent(server))),
		Frames: trace.Frames{First: c.first.Frame, Last: c.last.Frame, FirstFile: c.first.File, LastFile: c.last.File},
	}
	if c.guessed {
		t.Known.Client, t.Known.Server = trace.Inferred, trace.Inferred
	}
	if c.numbered {
		t.Stream = linger.Known(c.stream)
	}
	_, secure := c.app.(*tlsApp)
	for e := flow.Low; e <= flow.High; e++ {
		h := &c.half[e]
		if !h.carried {
			continue
		}
		last := h.last.At
		if end, ok := f.Closing.Get(); ok && secure && h.onlyCloses(end.At) {
			last = h.before
		}
		t.LastByte = linger.Known(max(t.LastByte.Or(last), last))
	}
	if c.kind == kindTCP {
		r.transport(c, f, o, &t)
	}
	if o == flow.Evicted {
		t.Reason = outOfRoom
		r.sum.Evicted++
	}
	c.tell(&t)
	if in := c.tunnelled(); in != nil {
		r.inside(in, t)
	}
	r.write(&t)
}

// tunnelled is what is in the tunnel that a connection has become, or nil.
func (c *conn) tunnelled() *conn {
	switch a := c.app.(type) {
	case *httpApp:
		return a.inside
	case *tlsApp:
		if a.inside != nil {
			return a.inside.tunnelled()
		}
	}
	return nil
}

// inside hands on the record of what was in a tunnel, whose own record is t.
func (r *Reader) inside(c *conn, t trace.Connection) {
	in := trace.Connection{
		ID: c.id, Within: linger.Known(t.ID), Client: t.Client, Known: t.Known, Stream: t.Stream,
		StillOpen: t.StillOpen, Dialled: c.first.At, Established: linger.Known(c.first.At), Connected: linger.Known(c.first.At),
		FirstByte: c.firstByte, Closed: t.Closed, ClosedBy: t.ClosedBy, ClosedWith: t.ClosedWith, Reason: t.Reason, Released: t.Released,
		Frames:      trace.Frames{First: c.first.Frame, Last: t.Frames.Last, FirstFile: c.first.File, LastFile: t.Frames.LastFile},
		ClosedFrame: t.ClosedFrame,
	}
	if !c.firstByte.IsZero() {
		in.LastByte = t.LastByte
	}
	in.Server = c.target
	c.tell(&in)
	if further := c.tunnelled(); further != nil {
		r.inside(further, in)
	}
	r.write(&in)
}

// tell puts what the application has learnt into a record.
func (c *conn) tell(t *trace.Connection) {
	c.app.tell(t)
	t.ForwardedFor = c.forwarded
	if t.Origin != "" {
		t.Known.Origin = trace.Seen
	}
	if a, ok := c.app.(*tlsApp); ok {
		t.Connected = a.connected(t)
	}
}

// transport fills in what is TCP's.
func (r *Reader) transport(c *conn, f *flow.Flow, o flow.Outcome, t *trace.Connection) {
	client, server := c.client, c.client.Other()
	t.SYNACK, t.Established = f.SYNACK, f.ACK
	if !f.SYN.IsZero() {
		t.Dialled = f.SYN.Or(0)
		t.SYN = linger.Known(c.half[client].syn)
	} else if at, ok := f.SYNACK.Get(); ok {
		t.Dialled = at
	}
	if t.SYNACK.IsZero() {
		t.SYN = linger.Opt[linger.Instant]{} // none was answered
	}
	t.SequenceUp, t.SequenceDown = c.half[client].initial(), c.half[server].initial()
	t.Connected = t.Established
	t.BeganBefore = f.Opener.IsZero()
	t.StillOpen = o == flow.StillOpen && !f.Over()
	if end, ok := f.Closing.Get(); ok {
		t.Closed, t.ClosedBy, t.ClosedWith = linger.Known(end.At), c.peer(end.By), trace.FIN
		if end.Reset {
			t.ClosedWith = trace.RST
		}
		t.ClosedFrame = c.closing.Frame
		if other := &c.half[end.By.Other()]; !end.Reset && !other.finished.IsZero() {
			t.Released = other.finished
		}
	} else if o == flow.Silent {
		t.ClosedWith = trace.Silence
	}
	if t.BeganBefore {
		r.sum.BeganBefore++
	}
	up, down := f.Sent(client), f.Sent(server)
	if up.Packets == 0 || down.Packets == 0 {
		if up.SYN > 0 && up.Payload == 0 && up.FIN == 0 {
			r.sum.Unanswered++
		} else {
			r.sum.OneDirection++
		}
	}
	t.Missing = linger.Known(c.missing)
	r.sum.Missing += c.missing
	r.sum.Gaps += c.gaps + int64(len(c.half[0].holes)+len(c.half[1].holes))
	if c.probes.Sent > 0 {
		t.Probes = linger.Known(c.probes)
	}
	if c.outstanding.IsZero() {
		c.outstanding = c.unacknowledged()
	}
	t.Outstanding = c.outstanding
	for e := flow.Low; e <= flow.High; e++ {
		if h := &c.half[e]; h.repeats > 0 {
			t.Unanswered = linger.Known(trace.Unanswered{By: c.peer(e), Sent: h.repeats, Since: h.since})
		}
	}
}

// write hands a record on.
func (r *Reader) write(t *trace.Connection) {
	name := t.Protocol
	if name == "" {
		name = "unknown"
	}
	r.sum.Connections[name]++
	if keys := t.TLS.Or(trace.TLS{}).Keys; keys != "" {
		r.sum.Keys[keys]++
	}
	if t.StillOpen {
		r.sum.StillOpen++
	}
	if r.err == nil {
		r.err = r.to.WriteConnection(t)
	}
}

// counts are what one end sent, as a record has them.
func counts(d flow.Direction) trace.Flow {
	return trace.Flow{
		Packets: d.Packets, Header: d.Header, Payload: d.Payload, SYN: d.SYN, FIN: d.FIN, RST: d.RST,
		Initial: d.Initial, Retransmitted: d.Retransmitted, RetransmittedBytes: d.RetransmittedBytes,
	}
}
