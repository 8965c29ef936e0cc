// Package joined joins the records of two captures of one traffic, taken at both ends of a path:
// the client's and the server's. What came to one end, and the other never sent, was made in
// between; what one end sent, and never came, was lost there. It is a machine without I/O.
//
// Order of calls: New; Far for each connection of the server's capture, and FarEnds; Near for each
// of the client's, and NearEnds; Sum. Records of the client's go on with what both ends tell.
package joined

import (
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// DefaultHeld is how many connections of the server's capture are held at once. One takes some
// 200 bytes.
const DefaultHeld = 1 << 20

// A far is what is held of a connection at the server.
type far struct {
	client, server string
	up, down       int64 // initial sequence numbers; -1 is unknown
	first, last    time.Time
	closed         time.Time // the zero time if not
	pair           pair
	flowUp         trace.Flow
	flowDown       trace.Flow
	closedBy       trace.Peer
	whole          bool
	taken          bool
}

// A pair is when SYN and SYN-ACK passed a place.
type pair struct {
	syn, ack time.Time
	ok       bool
}

type (
	numbers   struct{ up, down int64 }
	addresses struct{ client, server string }
)

// A Joiner joins.
type Joiner struct {
	limit     int
	held      []*far
	numbered  map[numbers]*far
	addressed map[addresses][]*far
	// begin and end of both captures, each by its own clock.
	farBegan, farEnded   time.Time
	nearBegan, nearEnded time.Time
	alone                []span // of the client's alone
	clock                fit
	sum                  trace.Joined
}

// A span is when a connection was there.
type span struct{ from, to time.Time }

// New returns a Joiner that holds so many connections; 0 is the default.
func New(limit int) *Joiner {
	if limit <= 0 {
		limit = DefaultHeld
	}
	return &Joiner{limit: limit, numbered: map[numbers]*far{}, addressed: map[addresses][]*far{}}
}

// overTCP reports whether a record is of a connection over TCP of its own.
func overTCP(c *trace.Connection) bool {
	return c.QUIC.IsZero() && !c.Protocol.OverQUIC() && !c.Protocol.Datagram() && c.Within.IsZero()
}

// pairOf is when the handshake passed, where the capture began at that time.
func pairOf(c *trace.Connection, began time.Time) (p pair) {
	syn, ok := c.SYN.Get()
	ack, ok2 := c.SYNACK.Get()
	if ok && ok2 && ack >= syn {
		p = pair{began.Add(time.Duration(syn)), began.Add(time.Duration(ack)), true}
	}
	return p
}

// lasts is from when to when a connection was seen.
func lasts(c *trace.Connection) (from, to linger.Instant) {
	return c.Dialled, max(c.Dialled, c.LastByte.Or(c.Dialled), c.Closed.Or(c.Dialled), c.Released.Or(c.Dialled), c.Established.Or(c.Dialled))
}

// Far takes in a connection of the server's capture, which began then.
func (j *Joiner) Far(c *trace.Connection, began time.Time) {
	if !overTCP(c) {
		return
	}
	if len(j.held) >= j.limit {
		j.sum.Unheld++
		return
	}
	from, to := lasts(c)
	f := &far{
		client: c.Client, server: c.Server, up: c.SequenceUp.Or(-1), down: c.SequenceDown.Or(-1),
		first: began.Add(time.Duration(from)), last: began.Add(time.Duration(to)), pair: pairOf(c, began),
		flowUp: c.Up.Or(trace.Flow{}), flowDown: c.Down.Or(trace.Flow{}), closedBy: c.ClosedBy,
		whole: isWhole(c),
	}
	if at, ok := c.Closed.Get(); ok {
		f.closed = began.Add(time.Duration(at))
	}
	j.held = append(j.held, f)
	if f.up >= 0 && f.down >= 0 {
		if k := (numbers{f.up, f.down}); j.numbered[k] == nil {
			j.numbered[k] = f
		}
	}
	k := addresses{f.client, f.server}
	j.addressed[k] = append(j.addressed[k], f)
}

// isWhole reports whether all packets of a connection were captured, as far as its record tells.
func isWhole(c *trace.Connection) bool {
	return !c.BeganBefore && c.Missing.Or(0) == 0 && !c.Up.IsZero() && !c.Down.IsZero()
}

// FarEnds says when the server's capture began and ended, by its own clock.
func (j *Joiner) FarEnds(began, ended time.Time) { j.farBegan, j.farEnded = began, ended }

// Near takes in a connection of the client's capture, which began then, and adds what both ends
// tell to its record.
func (j *Joiner) Near(c *trace.Connection, began time.Time) {
	if !overTCP(c) {
		return
	}
	from, to := lasts(c)
	f, sure := j.find(c, began)
	if f == nil {
		one := span{began.Add(time.Duration(from)), began.Add(time.Duration(to))}
		if len(j.alone) < j.limit {
			j.alone = append(j.alone, one) // until the clocks are known
		} else {
			j.single(&j.sum, one)
		}
		return
	}
	f.taken = true
	j.sum.Matched++
	if sure {
		j.sum.Sure++
	}
	if f.client != c.Client || f.server != c.Server {
		j.sum.Translated++
	}
	near := pairOf(c, began)
	if sure && near.ok && f.pair.ok {
		j.clock.add(near, f.pair)
	}
	up, down := c.Up.Or(trace.Flow{}), c.Down.Or(trace.Flow{})
	if !c.BeganBefore && up.SYN > f.flowUp.SYN {
		j.sum.SYNs++
	}
	if isWhole(c) && f.whole && up.Packets >= f.flowUp.Packets && f.flowDown.Packets >= down.Packets && payload(up) == payload(f.flowUp) {
		j.sum.Up.Sent += up.Packets
		j.sum.Up.Lost += up.Packets - f.flowUp.Packets
		j.sum.Down.Sent += f.flowDown.Packets
		j.sum.Down.Lost += f.flowDown.Packets - down.Packets
	}
	j.between(c, f, began, near)
}

// find finds what the server's capture holds of a connection. sure says that both initial sequence
// numbers are the same.
func (j *Joiner) find(c *trace.Connection, began time.Time) (f *far, sure bool) {
	up, down := c.SequenceUp.Or(-1), c.SequenceDown.Or(-1)
	if up >= 0 && down >= 0 {
		if f := j.numbered[numbers{up, down}]; f != nil && !f.taken {
			return f, true
		}
	}
	// Either handshake was not captured whole, or a device numbers anew: addresses and ports, and
	// the time as far as clocks are known.
	same := j.addressed[addresses{c.Client, c.Server}]
	if len(same) == 0 {
		return nil, false
	}
	from, to := lasts(c)
	first, last := j.clock.far(began.Add(time.Duration(from))), j.clock.far(began.Add(time.Duration(to)))
	const apart = 5 * time.Second
	for _, f := range same {
		if f.taken || up >= 0 && f.up >= 0 && up != f.up && down >= 0 && f.down >= 0 && down != f.down && !f.near(first, apart) {
			continue
		}
		if f.first.Before(last.Add(apart)) && first.Before(f.last.Add(apart)) || j.clock.n == 0 && up >= 0 && up == f.up {
			return f, false
		}
	}
	return nil, false
}

// near reports whether a connection was first seen about then.
func (f *far) near(at time.Time, apart time.Duration) bool {
	d := f.first.Sub(at)
	return d < apart && d > -apart
}

// payload is how many bytes were sent, each once.
func payload(f trace.Flow) int64 { return f.Payload - f.RetransmittedBytes }

// between finds what was done to a connection on its way, and adds it to the record.
func (j *Joiner) between(c *trace.Connection, f *far, began time.Time, near pair) {
	up, down := c.Up.Or(trace.Flow{}), c.Down.Or(trace.Flow{})
	ended := began.Add(time.Duration(c.Closed.Or(c.Unanswered.Or(trace.Unanswered{}).Since)))
	if at := j.clock.farOf(ended, near, f.pair); at.After(j.farEnded) || at.Before(j.farBegan) {
		return // what the server did then is not known
	}
	lost := payload(up) > payload(f.flowUp) && f.whole
	toClient, toServer := down.RST > 0 && f.flowDown.RST == 0, f.flowUp.RST > 0 && up.RST == 0
	// Of both ends, when the connection came to an end at the client, by its clock.
	closed := c.Closed.Or(linger.Never)
	if !f.closed.IsZero() && toServer && !toClient {
		at := linger.Instant(j.clock.nearOf(f.closed, near, f.pair).Sub(began))
		closed = min(closed, max(c.Dialled, at))
	}
	var b trace.Between
	switch {
	case c.ClosedWith == trace.FIN && c.ClosedBy == trace.AtServer && down.FIN > 0 && f.flowDown.FIN == 0 && !toServer && f.flowDown.RST == 0:
		b = trace.Between{Act: trace.ActClosed, At: closed, To: trace.AtClient}
		j.sum.Closed++
	case toClient && c.ClosedBy == trace.AtServer && c.ClosedWith == trace.RST && lost && !toServer:
		b = trace.Between{Act: trace.ActForgot, At: sentLast(c), To: trace.AtClient}
		j.sum.Forgot++
	case toClient && toServer && c.ClosedWith == trace.RST:
		b = trace.Between{Act: trace.ActReset, At: closed}
		j.sum.Reset++
	case toClient && c.ClosedBy == trace.AtServer && c.ClosedWith == trace.RST:
		b = trace.Between{Act: trace.ActReset, At: closed, To: trace.AtClient}
		j.sum.Reset++
	case toServer && f.closedBy == trace.AtClient:
		b = trace.Between{Act: trace.ActReset, At: closed, To: trace.AtServer}
		j.sum.Reset++
	case lost && c.Unanswered.Or(trace.Unanswered{}).By == trace.AtClient && c.Unanswered.Or(trace.Unanswered{}).Sent > 0 &&
		(f.closed.IsZero() || f.closed.After(j.clock.farOf(began.Add(time.Duration(c.Unanswered.Or(trace.Unanswered{}).Since)), near, f.pair))):
		b = trace.Between{Act: trace.ActForgot, At: c.Unanswered.Or(trace.Unanswered{}).Since}
		j.sum.Forgot++
	default:
		return
	}
	if b.At == linger.Never {
		return
	}
	c.Between = linger.Known(b)
}

// sentLast is when what was not answered was sent first, as far as the record tells.
func sentLast(c *trace.Connection) linger.Instant {
	at := c.Closed.Or(c.Dialled)
	if u, ok := c.Unanswered.Get(); ok && u.Since > 0 {
		at = min(at, u.Since)
	} else if last, ok := c.LastByte.Get(); ok {
		at = min(at, last)
	}
	return at
}

// NearEnds says when the client's capture began and ended, by its own clock.
func (j *Joiner) NearEnds(began, ended time.Time) { j.nearBegan, j.nearEnded = began, ended }

// single counts a connection of the client's capture alone.
func (j *Joiner) single(to *trace.Joined, one span) {
	if j.clock.far(one.to).Before(j.farBegan) || j.clock.far(one.from).After(j.farEnded) || j.farEnded.IsZero() {
		to.Outside++
	} else {
		to.OnlyClient++
	}
}

// Sum is what came of it.
func (j *Joiner) Sum() trace.Joined {
	s := j.sum
	for _, one := range j.alone {
		j.single(&s, one)
	}
	for _, f := range j.held {
		switch {
		case f.taken:
		case j.clock.near(f.last).Before(j.nearBegan) || j.clock.near(f.first).After(j.nearEnded):
			s.Outside++
		default:
			s.OnlyServer++
		}
	}
	s.Clock, s.RTT = j.clock.result()
	return s
}

// Reversed reports whether the handshakes tell that what was taken for the client's capture is the
// server's, and the other way round: a SYN is answered sooner where it is answered.
func (j *Joiner) Reversed() bool { return j.clock.reversed > j.clock.n }

// Same reports whether both captures have every handshake at the very same times, as one capture
// and a copy of it do: there is nothing between one place and itself.
func (j *Joiner) Same() bool { return j.clock.n > 0 && j.clock.same == j.clock.n }

// median is the one in the middle.
func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
