// Package turns infers exchanges from what is encrypted: from the sizes, times and directions of
// records and packets alone. A turn is a burst up and the burst down that answers it. What the
// protocols say beside, as tickets, SETTINGS, PING and close_notify, is taken out by size and
// place (rules.go). Where HTTP/1 alone can be spoken a turn is taken for an exchange. Where
// requests may be under way together, there were at least as many as turns. What that is worth
// is in docs/inference.md.
package turns

import (
	"math"
	"slices"
	"time"

	"linger"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// A Piece is a record of TLS, or a packet of QUIC that its handshake is not in, as far as it can
// be seen without keys.
type Piece struct {
	From talk.Side
	Size int64 // of what is in it, encrypted, as its header says; of QUIC without header and tag
	Kind byte  // the record's, as its header says; 0 of QUIC
	// Began and Ended are where its first and its last byte passed.
	Began, Ended talk.Mark
}

// A Turn is one exchange at least.
type Turn struct {
	Number int // from 1
	// Sent is where the burst up began, FirstByte where the one down did, Done where that
	// ended. The last two are not set where nothing came back.
	Sent, FirstByte, Done talk.Mark
	Answered              bool
	Up, Down              int64 // bytes, encrypted
	// Certain says that no rule had to choose: one record went up, and what came down
	// answers it. A second request in the same record would still not be seen.
	Certain bool
}

// A phase is what a connection was doing when the last piece had passed.
type phase uint8

const (
	idle phase = iota
	asking
	answering
)

// A stage is how far the handshake has come.
type stage uint8

const (
	unseen    stage = iota // no hello was seen
	greeting               // the client's hello was
	finishing              // the server's; what follows may hide what it is
	talking
)

// A Reader reads the pieces of one connection in the order in which they passed. The zero value
// is one whose beginning was not seen. It holds nothing of the pieces but sums.
type Reader struct {
	// Each, if not nil, takes each turn when it has ended.
	Each func(Turn)
	// Near is how long it takes at least, where the capture was taken, from what the server
	// says until what the client says to it; 0 is not known.
	Near time.Duration

	// Turns counts those that have begun, as numbers of exchanges.
	Turns int64
	// Active is where the last piece passed that may belong to an exchange.
	Active linger.Opt[talk.Mark]

	stage    stage
	phase    phase
	hidden   bool // records after the hellos do not show what they are (TLS 1.3)
	single   bool // nothing but HTTP/1 can be spoken
	packets  bool // it is QUIC
	resumed  bool
	overhead int64 // what encryption adds to a record at least

	early    bool // the client has sent data with its hello
	finished bool // of early data: the server's handshake has ended
	before   sums // what the client sent and may still be its handshake
	tickets  ticketing
	greeted  [2]bool // of HTTP/2: a side has begun
	preface  Piece   // with what the client did, if that may have a request in it

	turn    Turn
	records int64 // of the turn's burst up
	answers int64 // of its burst down, and what the only one has in it
	only    int64
	lastUp  int64 // the size of the last piece up
}

// sums are what several pieces come to.
type sums struct {
	n, size, first int64
	began          talk.Mark
}

// Hello tells what the hellos say in the clear, before the first piece after the server's:
// version, cipher, whether it resumes, what was offered, and up to TLS 1.2 what was chosen.
func (r *Reader) Hello(t trace.TLS) {
	r.hidden, r.resumed = t.Version == "1.3", t.Resumed
	r.overhead = overhead(t)
	offered := t.Offered
	if !r.hidden && t.ALPN != "" {
		offered = []string{t.ALPN}
	}
	r.single = !slices.ContainsFunc(offered, func(token string) bool { return !linger.ProtocolByALPN(token).IsHTTP1() })
}

// QUIC tells that the pieces are packets of QUIC, whose handshake is not among them.
func (r *Reader) QUIC() { r.packets, r.stage = true, talking }

// Exchanges reports whether turns are taken for exchanges: HTTP/1 alone can be spoken, or what
// is spoken has no name.
func (r *Reader) Exchanges() bool { return r.single && !r.packets && r.stage != unseen }

// Add takes in a piece.
func (r *Reader) Add(p Piece) {
	switch {
	case p.Size <= 0 || p.Size > math.MaxInt32:
		return
	case r.packets:
	case p.Kind != wire.RecordData:
		r.visible(p)
		return
	case r.stage == greeting && p.From == talk.Client:
		r.early = true
	case r.stage == finishing && !r.hidden:
		r.stage = talking
	case r.stage == finishing && r.handshake(p):
		return
	}
	if r.negligible(p) {
		return
	}
	if p.From == talk.Client {
		r.up(p)
	} else {
		r.down(p)
	}
}

// visible takes in a record that shows what it is: of a handshake, or an alert.
func (r *Reader) visible(p Piece) {
	switch {
	case p.Kind != wire.RecordHandshake:
	case p.From == talk.Client && r.stage == unseen:
		r.stage = greeting
	case p.From == talk.Server && r.stage <= greeting:
		r.stage = finishing
	}
}

// up takes in what a client says.
func (r *Reader) up(p Piece) {
	switch r.phase {
	case idle:
		r.begin(p)
	case asking:
		if r.tickets.n > 0 && r.lastUp < large && p.Size < large && r.takeBack() {
			r.end()
			r.begin(p)
		}
	case answering:
		if r.goesOn(p) {
			r.turn.Certain, r.phase = false, asking
			break
		}
		r.end()
		r.begin(p)
	}
	r.records++
	r.turn.Certain = r.turn.Certain && r.records == 1
	r.turn.Up += p.Size
	r.lastUp = p.Size
	r.Active = linger.Known(p.Ended)
}

// begin begins a turn.
func (r *Reader) begin(p Piece) {
	r.Turns++
	r.turn = Turn{Number: int(r.Turns), Sent: p.Began, Certain: r.single && r.stage != unseen}
	r.phase, r.records, r.answers, r.only = asking, 0, 0, 0
	r.tickets.sums = sums{}
}

// down takes in what a server says.
func (r *Reader) down(p Piece) {
	if r.phase == idle && r.preface.Size > 0 && r.Turns == 0 {
		r.begin(r.preface) // which had a request in it, since this answers one
		r.records, r.turn.Up, r.lastUp = 1, r.preface.Size, r.preface.Size
	}
	r.Active = linger.Known(p.Ended)
	switch r.phase {
	case idle:
		return // nobody has asked: a ticket, 408
	case asking:
		r.phase, r.turn.Answered = answering, true
		if r.answers == 0 {
			r.turn.FirstByte = p.Began
		}
	}
	r.answers++
	if r.only = 0; r.answers == 1 {
		r.only = p.Size - r.overhead
	}
	r.turn.Down += p.Size
	r.turn.Done = p.Ended
}

// end hands on the turn under way.
func (r *Reader) end() {
	if r.phase == idle {
		return
	}
	if r.phase == asking && r.tickets.n > 0 && r.answers == 0 {
		r.takeBack()
	}
	r.phase = idle
	if r.Each != nil {
		r.Each(r.turn)
	}
}

// Gap says that pieces of a side are missing: what passed is not known, and so no turn that it
// is in is certain.
func (r *Reader) Gap(from talk.Side) {
	r.turn.Certain, r.tickets.over = false, true
	if r.stage == finishing {
		r.stage = talking
	}
}

// Close says that nothing more comes.
func (r *Reader) Close() {
	if r.before.n > 0 {
		r.decide()
	}
	r.end()
}
