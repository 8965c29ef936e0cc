// Package turns infers exchanges from what is encrypted: from the sizes, times and directions of
// records and packets alone. A turn is a burst up and the burst down that answers it. What the
// protocols say beside, as tickets, SETTINGS, PING and close_notify, is taken out by size and
// place. Where requests may be under way together, there were at least as many as turns.
package turns

import (
	"linger"
	"linger/capture/talk"
)

// A Piece is a record of TLS, or a packet of QUIC, as far as it can be seen without keys.
type Piece struct {
	From talk.Side
	Size int64 // what is in it, encrypted
	Kind byte  // the record's, as its header says; 0 of QUIC
	Mark talk.Mark
}

// A Turn is one exchange at least.
type Turn struct {
	Sent, FirstByte, Done talk.Mark
	Up, Down              int64 // bytes
	Certain               bool  // nothing but one exchange looks like that
}

// A Reader reads the pieces of one connection in the order in which they passed.
type Reader struct {
	// Protocol is what is spoken, or may be: where it multiplexes, turns are at least.
	Protocol linger.Protocol
	// Each takes each turn when it has ended.
	Each func(Turn)
}

// Add takes in a piece.
func (r *Reader) Add(p Piece) {}

// Close says that nothing more comes.
func (r *Reader) Close() {}
