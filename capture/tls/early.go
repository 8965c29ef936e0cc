package tls

import "linger/capture/talk"

// maxEarly bounds the early data of one connection that waits for the server to take it.
const maxEarly = 64 << 10

// early is the early data of a client until it is known whether the server takes it: what it does
// not take the client sends again (RFC 8446, 4.2.10).
type early struct {
	settled, taken bool
	pieces         []earlyPiece
	held           int
	lost           int64 // bytes that could not be decrypted, or had no room
}

type earlyPiece struct {
	b []byte
	m talk.Mark
}

// earlyData takes in what an early record holds.
func (c *Conn) earlyData(b []byte, m talk.Mark) {
	e := &c.early
	switch {
	case e.taken:
		c.said = true
		c.To.Plain(talk.Client, b, m)
	case e.settled || len(b) == 0:
	case e.lost > 0 || e.held+len(b) > maxEarly || c.Shared.held+len(b) > maxHeld:
		e.lost += int64(len(b))
	default:
		e.pieces = append(e.pieces, earlyPiece{append([]byte(nil), b...), m})
		e.held += len(b)
		c.Shared.held += len(b)
	}
}

// settleEarly says whether the server takes early data.
func (c *Conn) settleEarly(taken bool, m talk.Mark) {
	e := &c.early
	if e.settled || !c.hand.Early && !c.hand.TLS.Retried {
		return
	}
	e.settled, e.taken = true, taken
	pieces, lost := e.pieces, e.lost
	c.dropEarly()
	if !taken {
		return
	}
	for _, p := range pieces {
		c.said = true
		c.To.Plain(talk.Client, p.b, p.m)
	}
	if lost > 0 {
		c.To.Gap(talk.Client, lost, m)
	}
}

// dropEarly lets go of what waits.
func (c *Conn) dropEarly() {
	c.Shared.held -= c.early.held
	c.early.pieces, c.early.held, c.early.lost = nil, 0, 0
}
