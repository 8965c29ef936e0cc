package turns

import (
	"strings"

	"linger/capture/talk"
	"linger/trace"
)

// Sizes of what is in records of TLS 1.3, encrypted, and of what HTTP says in little.
const (
	// A Finished is a header of 4 bytes and a hash of 32 or 48 (RFC 8446, 4.4.4); encryption
	// adds the type and a tag of 8 or 16 (5.2).
	finishedLeast, finishedMost = 36, 74
	// A ticket that is not alone is told by its twin; one that is, by its size (4.6.1).
	twinLeast, twinMost     = 70, 2000
	ticketLeast, ticketMost = 150, 400
	mostTickets             = 8
	// alert is what close_notify has in it (6).
	alert = 2
	// shortest is the least that a request can be: "GET / HTTP/1.0" and an empty line. An
	// end of early data, a key update or an alert is less.
	shortest = 16
	// interim is "HTTP/1.1 100 Continue" and an empty line.
	interim = 25
	// large is what a request's head hardly reaches, and records of a body do.
	large = 4096

	// Of HTTP/2: a connection begins with 24 bytes and SETTINGS (RFC 9113, 3.4), often with a
	// WINDOW_UPDATE, and may have a request behind them. A server begins with SETTINGS.
	preface, settings = 24 + 9 + 6*8 + 13 + 9 + 64, 9 + 6*8 + 9 + 13

	// Of QUIC, without header and tag: an acknowledgement has 5 bytes and 2 for each gap in
	// what came (RFC 9000, 19.3), and what gives windows or connection IDs is as small. What
	// looks for a larger packet size is at least so large (14.4).
	acknowledges, probes = 32, 1150
)

// control are the sizes of frames of HTTP/2 that are no exchange (RFC 9113, 6): an
// acknowledgement of SETTINGS 9, WINDOW_UPDATE and RST_STREAM 13, PING and GOAWAY 17, and of
// those of the last four that are sent together. A request can be as small, and is then not
// counted. An alert is 2, a key update 5.
var control = map[int64]bool{alert: true, 5: true, 9: true, 13: true, 17: true, 13 + 13: true, 13 + 17: true, 17 + 17: true}

// overhead is what encryption adds to a record, at least.
func overhead(t trace.TLS) int64 {
	tag := int64(16)
	if strings.HasSuffix(t.Cipher, "_CCM_8") {
		tag = 8
	}
	switch {
	case t.Version == "1.3":
		return tag + 1
	case strings.Contains(t.Cipher, "_CHACHA20_"):
		return tag // RFC 7905, 2: the nonce is not sent
	case strings.Contains(t.Cipher, "_CBC_"):
		return 16 + 20 + 1 // an IV, a MAC and padding (RFC 5246, 6.2.3.2)
	}
	return 8 + tag // RFC 5288, 3
}

// handshake takes a record that comes after the hellos of TLS 1.3 and may be of the handshake,
// and reports whether it was. The client's Finished ends it, which is told by its size; what
// comes before it is a certificate, or the end of early data. What the server sends before it
// is its flight, and with early data what follows its Finished.
func (r *Reader) handshake(p Piece) bool {
	isFinished := p.Size >= finishedLeast && p.Size <= finishedMost
	if p.From == talk.Server {
		if r.before.n > 0 {
			r.decide()
			return false
		}
		if !r.early || !r.finished {
			r.finished = r.finished || isFinished
			return true
		}
		return false
	}
	switch {
	case isFinished:
		r.stage, r.before = talking, sums{}
	case p.Size-r.overhead < shortest: // the end of early data, an empty certificate
	case r.early && !r.finished && r.before.n == 0 && p.Size > finishedMost:
		return false // more of it
	default:
		if r.before.n == 0 {
			r.before.first = p.Size
		} else if r.before.n == 1 {
			r.before.began = p.Began
		}
		r.before.n++
		r.before.size += p.Size
	}
	return true
}

// decide gives up waiting for a client's Finished: it was in the first record, with what came
// before it, and the others are a request.
func (r *Reader) decide() {
	b := r.before
	r.before, r.stage = sums{}, talking
	if b.n > 1 {
		r.up(Piece{From: talk.Client, Size: b.size - b.first, Began: b.began, Ended: b.began})
		r.turn.Certain = false
	}
}

// negligible reports whether a piece belongs to no exchange.
func (r *Reader) negligible(p Piece) bool {
	switch {
	case r.packets:
		return p.Size <= acknowledges || p.From == talk.Client && p.Size >= probes && r.phase != asking || r.greets(p)
	case r.single:
		return r.aside(p)
	}
	size := p.Size - r.overhead
	if r.isTicket(p) || control[size] {
		return true
	}
	if first := !r.greeted[p.From&1]; first && r.stage == talking {
		r.greeted[p.From&1] = true
		if most := [2]int64{preface, settings}[p.From&1]; size <= most {
			if p.From == talk.Client {
				r.preface = p
			}
			return true
		}
	}
	return false
}

// greets reports whether a packet of QUIC is the first of a side, in which there are connection
// IDs, tickets and SETTINGS. The client's may have a request besides, which what the server says
// after its first shows.
func (r *Reader) greets(p Piece) bool {
	if p.From == talk.Client && !r.greeted[talk.Client] {
		r.greeted[talk.Client], r.preface = true, p
		return true
	}
	if p.From == talk.Server && !r.greeted[talk.Server] && p.Size <= ticketMost {
		r.greeted[talk.Server] = r.greeted[talk.Client]
		return true
	}
	return false
}

// aside reports whether a record of HTTP/1 belongs to no exchange.
func (r *Reader) aside(p Piece) bool {
	size := p.Size - r.overhead
	ticket := r.isTicket(p)
	if p.From == talk.Client {
		return size < shortest && r.phase != asking
	}
	return ticket || r.hidden && size <= alert
}

// A ticketing is how far the search for session tickets has come. Servers send them as soon as
// the client's Finished has come, before whatever they answer: mostly two of a size, and after a
// resumption one.
type ticketing struct {
	size  int64 // of the first record of the server; 0 is none yet
	taken bool  // it was taken for an answer
	over  bool
	// What was taken for tickets of what came in answer: they may be an answer after all.
	sums
	done talk.Mark
}

// isTicket reports whether a record is a session ticket, as far as that can be told. The first
// one is told by what comes after it, and is taken for an answer until then.
func (r *Reader) isTicket(p Piece) bool {
	t := &r.tickets
	if !r.hidden || t.over || r.stage == unseen {
		return false
	}
	switch {
	case p.From == talk.Client:
		t.over = t.taken // an answer, after all
	case t.size == 0 && p.Size >= twinLeast && p.Size <= twinMost:
		t.size, t.taken = p.Size, r.phase == asking
		return !t.taken // nobody has asked for anything else
	case t.size == p.Size && t.n < mostTickets:
		if r.untake(); r.phase == asking {
			t.withhold(p)
		}
		return true
	default:
		if alone := t.size >= ticketLeast && t.size <= ticketMost; alone && r.resumed {
			r.untake()
		}
		t.over = true
	}
	return false
}

// withhold keeps what was taken for a ticket.
func (t *ticketing) withhold(p Piece) {
	if t.n == 0 {
		t.began = p.Began
	}
	t.n++
	t.sums.size += p.Size
	t.done = p.Ended
}

// takeBack takes what seemed to be tickets for an answer, since no other has come, and reports
// whether there were any.
func (r *Reader) takeBack() bool {
	t := &r.tickets
	if t.n == 0 {
		return false
	}
	r.phase, r.answers = answering, t.n
	r.turn.Answered, r.turn.Certain = true, false
	r.turn.FirstByte, r.turn.Done, r.turn.Down = t.began, t.done, r.turn.Down+t.sums.size
	t.sums, t.over = sums{}, true
	return true
}

// untake takes back that the first record of the server answers something.
func (r *Reader) untake() {
	if t := &r.tickets; t.taken && r.phase == answering && r.answers == 1 {
		r.phase, r.answers, r.greeted[talk.Server] = asking, 0, false
		t.withhold(Piece{Size: t.size, Began: r.turn.FirstByte, Ended: r.turn.Done})
		r.turn.Down -= t.size
		r.turn.Answered, r.turn.FirstByte, r.turn.Done = false, talk.Mark{}, talk.Mark{}
	}
	r.tickets.taken = false
}

// goesOn reports whether what a client says after an answer has begun is more of the same
// request: the answer was only to go on (100 Continue), or a body was under way that goes on in
// records of the same size, or whose client cannot have seen the answer yet. Where requests are
// under way together, whatever is so large is more of a body.
func (r *Reader) goesOn(p Piece) bool {
	if r.single && r.answers == 1 && r.only == interim {
		r.answers = 0
		return true
	}
	if r.lastUp < large || r.packets {
		return false
	}
	return p.Size >= large && (!r.single || r.records > 1 && p.Size == r.lastUp) ||
		r.Near > 0 && p.Began.At < r.turn.FirstByte.At.Add(r.Near)
}
