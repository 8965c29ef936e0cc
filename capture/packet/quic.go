package packet

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"linger"
	"linger/capture/quic"
	"linger/capture/talk"
	"linger/flow"
	"linger/trace"
)

const (
	// maxOnPath bounds the connections of QUIC between one address and port and another that
	// are told apart.
	maxOnPath = 16
	// maxPaths bounds the paths that a connection is remembered to have been on.
	maxPaths = 64
	// leastID is how long an ID must be to find a connection whose packets come from another
	// address than before.
	leastID = 4
	// lateness is for how long packets come from the address that a client has left.
	lateness = time.Second
	// longestIdle is how long a connection is remembered at most that may be idle for long.
	longestIdle = 10 * time.Minute
	// scanned is how often it is looked for connections that are over.
	scanned = 10 * time.Second
)

// quicConns are the connections of QUIC. They are told apart by connection IDs, not by
// addresses and ports: several may be on the same ones, and one may change them (RFC 9000, 9).
type quicConns struct {
	all     []*quicConn          // in the order in which they began, with those that are over
	over    int                  // how many of these are
	byID    map[string]*quicConn // by the IDs that servers chose
	lengths [21]int              // how many of these have so many bytes
	resting map[flow.Key]*quicPath
	scratch quic.Scratch
	scan    linger.Instant
	limit   int
}

// A quicPath is what is known of the datagrams between one address and port and another.
type quicPath struct {
	opaque
	key    flow.Key
	client flow.End
	told   bool
	on     []*quicConn // those that were on it, the last one last
}

// A quicConn is one connection of QUIC.
type quicConn struct {
	*conn
	r        *Reader
	quic     quic.Conn
	streams  overQUIC // nil is none yet
	tried    bool
	paths    []*quicPath
	ids      []string // in quicConns.byID
	at, left netip.AddrPort
	leftAt   linger.Instant
	server   netip.AddrPort
	sent     [2]trace.Flow // by talk.Side
	moved    int64
	inferred inferring
	ended    bool
}

// newPath returns what stands for a flow of QUIC, in place of a conn with a record.
func (r *Reader) newPath(f *flow.Flow, p *flow.Packet, data []byte, m mark) *conn {
	path := r.quic.resting[f.Key]
	delete(r.quic.resting, f.Key)
	if path == nil {
		path = &quicPath{key: f.Key, client: guess(f)}
		if p.Initial && path.client != p.From && quic.Opens(data, &r.quic.scratch) {
			path.client = p.From
		}
	}
	return &conn{kind: kindUDP, app: path, first: m, last: m}
}

func (p *quicPath) side(e flow.End) talk.Side {
	if e == p.client {
		return talk.Client
	}
	return talk.Server
}

// quicOf returns the connection that a datagram belongs to, a new one if there is none.
func (r *Reader) quicOf(c *conn, f *flow.Flow, p *flow.Packet, data []byte, m mark) *quicConn {
	path := c.app.(*quicPath)
	h, ok := quic.ParseHeader(data)
	from := path.side(p.From)
	if ok {
		for i := len(path.on) - 1; i >= 0; i-- {
			if q := path.on[i]; q.quic.Owns(from, &h) {
				return q
			}
		}
		if h.Kind == quic.Initial && from == talk.Client && (len(path.on) == 0 || r.begins(&h, p, data)) {
			path.told = true
			return r.newQUIC(c, path, f, m)
		}
		if q := r.quic.find(&h, f.Address(p.From.Other())); q != nil {
			path.client, path.told = p.From, true
			q.join(path)
			return q
		}
	}
	if n := len(path.on); n > 0 {
		return path.on[n-1]
	}
	return r.newQUIC(c, path, f, m)
}

// begins reports whether an Initial packet of a client begins a connection. It may be of one that
// goes on, under an ID that the server gave in a packet that cannot be read.
func (r *Reader) begins(h *quic.Header, p *flow.Packet, data []byte) bool {
	// "This Destination Connection ID MUST be at least 8 bytes in length" (RFC 9000, 7.2).
	const least = 8
	return len(h.To) >= least && (p.Missing > 0 || quic.Opens(data, &r.quic.scratch))
}

// find returns the connection with a server at that address that a packet is of, by its ID.
func (t *quicConns) find(h *quic.Header, server netip.AddrPort) *quicConn {
	for n := len(t.lengths) - 1; n >= leastID; n-- {
		if t.lengths[n] == 0 || n > len(h.To) || h.Kind != quic.Short && n != len(h.To) {
			continue
		}
		if q := t.byID[string(h.To[:n])]; q != nil && q.server == server {
			return q
		}
	}
	return nil
}

// knows reports whether a datagram on addresses that are new is of a connection that is known.
func (t *quicConns) knows(data []byte, server netip.AddrPort) bool {
	if len(t.byID) == 0 {
		return false
	}
	h, ok := quic.ParseHeader(data)
	return ok && t.find(&h, server) != nil
}

// newQUIC begins a connection.
func (r *Reader) newQUIC(c *conn, path *quicPath, f *flow.Flow, m mark) *quicConn {
	if len(r.quic.all)-r.quic.over >= r.quic.limit {
		r.evictQUIC()
	}
	q := &quicConn{conn: r.take(kindUDP, m), r: r}
	q.key, q.client, q.told, q.guessed, q.known = path.key, path.client, path.told, !path.told, trace.Decrypted
	q.conn.stream, q.numbered = c.stream, c.numbered
	q.at, q.server = f.Address(path.client), f.Address(path.client.Other())
	q.quic = quic.Conn{Keys: r.keys, To: q, Scratch: &r.quic.scratch, Shared: &r.tls, NewID: q.newID}
	q.inferred.begin(r, q.conn)
	q.inferred.readable = q.quic.Opens
	q.join(path)
	r.quic.all = append(r.quic.all, q)
	return q
}

// join puts a connection on a path.
func (q *quicConn) join(path *quicPath) {
	if slices.Contains(path.on, q) {
		return
	}
	if len(path.on) >= maxOnPath {
		path.on = slices.Delete(path.on, 0, 1)
	}
	if len(q.paths) >= maxPaths {
		q.leave(q.paths[0])
		q.paths = slices.Delete(q.paths, 0, 1)
	}
	path.on = append(path.on, q)
	q.paths = append(q.paths, path)
}

// leave takes a connection off a path, and forgets that if it has no packets and no connections any
// more.
func (q *quicConn) leave(path *quicPath) {
	path.on = slices.DeleteFunc(path.on, func(x *quicConn) bool { return x == q })
	if len(path.on) == 0 {
		delete(q.r.quic.resting, path.key)
	}
}

// newID hears of an ID that a side has chosen.
func (q *quicConn) newID(of talk.Side, id []byte) {
	t, n := &q.r.quic, len(id)
	if of != talk.Server || n < leastID || n >= len(t.lengths) || len(q.ids) >= 64 || t.byID[string(id)] != nil {
		return
	}
	if t.byID == nil {
		t.byID = map[string]*quicConn{}
	}
	t.byID[string(id)] = q
	t.lengths[n]++
	q.ids = append(q.ids, string(id))
}

// quicDatagram takes in a datagram of a connection.
func (r *Reader) quicDatagram(q *quicConn, c *conn, f *flow.Flow, p *flow.Packet, data []byte, m mark) {
	path := c.app.(*quicPath)
	side := path.side(p.From)
	q.last = m
	each, sure := q.quic.Datagram(side, data, p.Payload, m)
	if !sure {
		r.sum.Joined++
	}
	// Datagrams that the host has joined are counted as on the way.
	datagrams := int64(1)
	if each > 0 && each < p.Payload {
		datagrams = int64((p.Payload + each - 1) / each)
	}
	n := &q.sent[side]
	n.Packets += datagrams
	n.Header += datagrams * int64(p.Headers)
	n.Payload += int64(p.Payload)
	if p.Initial {
		n.Initial++
	}
	if at := f.Address(p.From); side == talk.Client && at != q.at && !q.quic.Bare() && (at != q.left || m.At.Sub(q.leftAt) > lateness) {
		q.left, q.leftAt, q.at = q.at, m.At, at
		q.moved++
	}
	if t, ok := q.quic.Hello().Get(); ok && side == talk.Server && n.Packets == datagrams {
		q.inferred.hello(t)
	}
	for at := 0; at < p.Payload || at == 0; at += max(each, 1) {
		q.inferred.datagram(side, data[min(at, len(data)):min(at+each, len(data))], min(each, p.Payload-at), m)
	}
}

// Methods of quic.Handler.

func (q *quicConn) Stream(id int64, from talk.Side, b []byte, fin bool, m mark) {
	if q.opens() {
		q.streams.stream(q.r, q.conn, id, from, b, fin, m)
	}
}

func (q *quicConn) Gap(id int64, from talk.Side, n int64, m mark) {
	if q.opens() {
		q.streams.gap(q.r, q.conn, id, from, n, m)
	}
}

func (q *quicConn) Reset(id int64, from talk.Side, stop bool, code uint64, m mark) {
	if q.opens() {
		q.streams.reset(q.r, q.conn, id, from, stop, code, m)
	}
}

func (q *quicConn) Window(id int64, sender talk.Side, blocked bool, m mark) {
	if q.opens() {
		q.streams.window(q.r, q.conn, id, sender, blocked, m)
	}
}

func (q *quicConn) Packet(talk.Side, int64, bool, mark) {}
func (q *quicConn) Closed(quic.Close, mark)             {}

// opens reports whether there is somebody to read the streams.
func (q *quicConn) opens() bool {
	if !q.tried {
		q.tried = true
		offered := q.quic.Hello().Or(trace.TLS{}).Offered
		if chosen := q.quic.ALPN(); chosen != "" {
			offered = []string{chosen}
		}
		for i := 0; i < len(offered) && q.streams == nil; i++ {
			q.streams = newOverQUIC(q.r, q.conn, offered[i])
		}
	}
	return q.streams != nil
}

// leavePath takes leave of a flow of QUIC. Its connections may go on.
func (r *Reader) leavePath(path *quicPath, o flow.Outcome) {
	if o == flow.StillOpen {
		return
	}
	if o == flow.Evicted {
		for _, q := range slices.Clone(path.on) {
			if len(q.paths) == 1 {
				r.endQUIC(q, o)
			}
		}
	}
	if len(path.on) > 0 {
		if r.quic.resting == nil {
			r.quic.resting = map[flow.Key]*quicPath{}
		}
		r.quic.resting[path.key] = path
	}
}

// expireQUIC lets go of the connections that have been quiet for long.
func (r *Reader) expireQUIC(now linger.Instant) {
	if now.Sub(r.quic.scan) < scanned {
		return
	}
	r.quic.scan = now
	for _, q := range slices.Clone(r.quic.all) {
		if q.ended {
			continue
		}
		wait := quiet
		if f := q.quic.Facts(); q.quic.Over() {
			wait = lingers
		} else if idle, ok := f.Idle.Get(); ok {
			wait = max(wait, min(idle, longestIdle)+scanned)
		}
		if now.Sub(q.last.At) > wait {
			r.endQUIC(q, flow.Silent)
		}
	}
}

// evictQUIC makes room: it lets go of the connections that have been quiet longest.
func (r *Reader) evictQUIC() {
	list := slices.DeleteFunc(slices.Clone(r.quic.all), func(q *quicConn) bool { return q.ended })
	slices.SortStableFunc(list, func(a, b *quicConn) int { return cmp.Compare(a.last.At, b.last.At) })
	for _, q := range list[:min(len(list), len(list)/16+1)] {
		r.endQUIC(q, flow.Evicted)
	}
}

// flushQUIC lets go of all connections, as at the end of the input.
func (r *Reader) flushQUIC() {
	for _, q := range slices.Clone(r.quic.all) {
		r.endQUIC(q, flow.StillOpen)
	}
}

// endQUIC takes leave of a connection, and hands on its record.
func (r *Reader) endQUIC(q *quicConn, o flow.Outcome) {
	t := &r.quic
	if q.ended {
		return
	}
	q.ended = true
	if t.over++; t.over > len(t.all)/2 {
		t.all, t.over = slices.DeleteFunc(t.all, func(x *quicConn) bool { return x.ended }), 0
	}
	for _, id := range q.ids {
		delete(t.byID, id)
		t.lengths[len(id)]--
	}
	for _, p := range q.paths {
		q.leave(p)
	}
	q.quic.Close(q.last)
	rec := q.record(o)
	why := talk.NoResponse
	switch how, closed := q.quic.Facts().Close.Get(); {
	case closed && (how.Reset || how.Code != 0 && !(how.Application && how.Code == noErrorH3)):
		why = talk.Reset
	case rec.StillOpen && r.now.Sub(q.last.At) < max(answerPatience, quiet):
		why = talk.StillGoing
	}
	if q.streams != nil {
		q.streams.close(r, q.conn, why)
		rec.Known.Requests = ""
		q.streams.tell(rec)
	}
	q.inferred.close(why)
	q.inferred.tell(rec)
	if rec.Origin != "" {
		rec.Known.Origin = trace.Seen
	}
	r.write(rec)
}

// noErrorH3 is H3_NO_ERROR (RFC 9114, 8.1).
const noErrorH3 = 0x100

// record is what the transport tells of a connection.
func (q *quicConn) record(o flow.Outcome) *trace.Connection {
	f, hello := q.quic.Facts(), q.quic.Hello()
	tls := hello.Or(trace.TLS{})
	up, down := q.sent[talk.Client], q.sent[talk.Server]
	t := &trace.Connection{
		ID: q.id, Client: q.key.Address(q.client).String(), Server: q.server.String(),
		Protocol: linger.QUIC, Known: trace.Basis{Protocol: trace.Inferred, Requests: trace.Inferred},
		Origin: tls.ServerName, BeganBefore: !f.Began, Dialled: q.first.At,
		Secured: f.Secured, Connected: f.Secured, FirstByte: f.FirstByte, LastByte: f.LastByte,
		TLS: hello, IdleLimit: f.ServerIdle, Streams: f.Streams,
		Frames: trace.Frames{First: q.first.Frame, Last: q.last.Frame, FirstFile: q.first.File, LastFile: q.last.File},
	}
	if q.guessed {
		t.Known.Client, t.Known.Server = trace.Inferred, trace.Inferred
	}
	if hello.IsZero() {
		t.TLS = q.r.keyless()
	}
	if q.r.keyed() {
		q.r.sum.CutQUIC += f.Cut
	}
	if q.numbered {
		t.Stream = linger.Known(q.conn.stream)
	}
	if at, ok := f.Early.Get(); ok && tls.EarlyData != linger.Known(false) {
		t.Connected = linger.Known(min(at, f.Secured.Or(at)))
	}
	if v, ok := q.quic.Transport().Get(); ok {
		v.Migrations = q.moved
		t.QUIC, t.Known.Protocol = linger.Known(v), trace.Seen
	}
	if q.quic.Opens() {
		if p := linger.ProtocolByALPN(tls.ALPN); p != "" {
			t.Protocol, t.Known.Protocol, t.Known.Requests = p, trace.Decrypted, ""
		}
		if f.Probes.Sent > 0 {
			t.Probes = linger.Known(f.Probes)
		}
		if tls.Keys == trace.AllKeys {
			up.Retransmitted, up.RetransmittedBytes = f.Resent[talk.Client], f.ResentBytes[talk.Client]
			down.Retransmitted, down.RetransmittedBytes = f.Resent[talk.Server], f.ResentBytes[talk.Server]
		}
		t.Missing = linger.Known(f.Missing)
		q.r.sum.Missing += f.Missing
		q.r.sum.Gaps += f.Gaps
	}
	t.Up, t.Down = linger.Known(up), linger.Known(down)
	q.ending(t, &f, o)
	if t.BeganBefore {
		q.r.sum.BeganBefore++
	}
	return t
}

// ending says how a connection came to its end.
func (q *quicConn) ending(t *trace.Connection, f *quic.Facts, o flow.Outcome) {
	how, closed := f.Close.Get()
	idle, limited := f.Idle.Get()
	switch {
	case closed:
		t.Closed, t.ClosedBy, t.ClosedFrame = linger.Known(f.ClosedAt.At), how.By.Peer(), f.ClosedAt.Frame
		t.ClosedWith, t.Reason = trace.ConnectionClose, q.reason(how)
		if how.Reset {
			t.ClosedWith = trace.RST
		}
	case limited && q.r.now.Sub(q.last.At) > idle:
		t.ClosedWith = trace.IdleTimeout
	case o == flow.StillOpen:
		t.StillOpen = true
	case o == flow.Silent:
		t.ClosedWith = trace.Silence
	}
	if o == flow.Evicted {
		t.Reason = outOfRoom
		q.r.sum.Evicted++
	}
}

// reason puts a close into words.
func (q *quicConn) reason(how quic.Close) string {
	if how.Reset {
		return "stateless reset"
	}
	name := quic.TransportError(how.Code)
	if how.Application {
		name = fmt.Sprintf("0x%x", how.Code)
		if q.opens() {
			name = q.streams.codeName(how.Code)
		}
	}
	if how.Reason != "" {
		name += ": " + how.Reason
	}
	return name
}
