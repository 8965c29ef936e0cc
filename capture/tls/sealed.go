package tls

import (
	"crypto/tls"
	"encoding/binary"

	"linger"
	"linger/capture/talk"
	"linger/wire"
)

const (
	// maxTries bounds the keys and numbers that are tried on one connection where the next one
	// does not open a record, in bytes of these records. triesRecord bounds those on one record.
	maxTries, triesRecord = 32 << 20, 1 << 12
	// patience is how many records of a side may fail in a row, where none are missing, before
	// no more are tried.
	patience = 16
	// tryCost is what a try costs beside its bytes, as so many more.
	tryCost = 64
	// finishedSize is that of the head of a Finished message.
	finishedSize = 4
)

// sealedRecord takes in a record that is encrypted; content is nil where it was not captured
// whole, or not wanted.
func (c *Conn) sealedRecord(from talk.Side, r *Record, content []byte) {
	s := &c.side[from]
	c.sealed++
	s.sealed++
	if content != nil && !s.failed && c.find() {
		if plain, ok := c.open(from, content); ok {
			c.opened++
			s.missed = 0
			c.openedRecord(from, r, plain)
			return
		}
	}
	if s.open != nil {
		s.open.chain(content)
	}
	s.missed++
	s.seq++
	c.byPlace(from, r)
	c.To.Record(*r)
	if c.keys == nil {
		s.before += r.Size
		return
	}
	if s.failed && s.key != earlyEpoch {
		return
	}
	switch {
	case from == talk.Client && c.hand.Early && s.key <= earlyEpoch:
		c.early.lost += r.Size
	case s.finishedBefore():
		c.To.Gap(from, c.within(s, r.Size), r.Ended)
	}
	if c.tries >= maxTries || s.missed >= patience && s.gone == 0 && content != nil && !(from == talk.Client && c.hand.Early) {
		s.failed = true
	}
}

// finishedBefore reports whether what a side says may be application data.
func (s *side) finishedBefore() bool { return !s.finished.IsZero() || s.key == trafficEpoch }

// within is how many bytes there are in a record of that size.
func (c *Conn) within(s *side, size int64) int64 {
	overhead := 0
	if s.open != nil {
		overhead = s.open.overhead()
	}
	return max(size-int64(overhead), 0)
}

// byPlace tells what a record is that could not be opened, by its place.
func (c *Conn) byPlace(from talk.Side, r *Record) {
	s := &c.side[from]
	s.parting = parting{}
	if s.ccs { // the type is in the clear up to TLS 1.2
		switch {
		case r.Kind == wire.RecordHandshake && s.finished.IsZero():
			s.bytes += wire.RecordHeaderSize + r.Size
			s.finished = linger.Known(r.Ended)
			c.hand.finish(from)
			c.finish(from, r.Ended)
		case r.Kind == wire.RecordAlert:
			s.parting = parting{true, r.Ended}
		}
		return
	}
	if !c.hand.Is13() {
		return
	}
	if from == talk.Client && s.sealed == 1 && !c.hand.Early && c.secured.IsZero() {
		// What the client protects first is its certificate or its Finished, in one flight
		// (RFC 8446, 2).
		c.secured = linger.Known(r.Ended.At)
	}
	if k := suites[c.hand.Suite].kind; s.sealed > 1 && (r.Size == 2+1+16 && k != ccm8 || r.Size == 2+1+8 && k == ccm8) {
		s.parting = parting{true, r.Ended}
	}
}

// openedRecord takes in what a record holds.
func (c *Conn) openedRecord(from talk.Side, r *Record, plain []byte) {
	s := &c.side[from]
	s.parting = parting{}
	r.Opened, r.Inner = true, r.Kind
	if !s.ccs {
		// "the receiving implementation scans the field from the end toward the beginning until
		// it finds a non-zero octet" (RFC 8446, 5.4).
		n := len(plain)
		for n > 0 && plain[n-1] == 0 {
			n--
		}
		if r.Inner = 0; n > 0 {
			r.Inner, plain = plain[n-1], plain[:n-1]
		}
	}
	if len(plain) > 0 && r.Inner == wire.RecordHandshake && s.messages.Between() {
		r.Message = plain[0]
	}
	if r.Inner == wire.RecordAlert && len(plain) == 2 {
		r.Message = plain[1]
	}
	c.To.Record(*r)
	switch r.Inner {
	case wire.RecordData:
		if from == talk.Client && s.key == earlyEpoch {
			c.earlyData(plain, r.Ended)
		} else if len(plain) > 0 {
			c.said = true
			if s.before > 0 {
				c.To.Gap(from, s.before, r.Began)
				s.before = 0
			}
			c.To.Plain(from, plain, r.Ended)
		}
	case wire.RecordHandshake:
		if s.finished.IsZero() {
			s.bytes += wire.RecordHeaderSize + r.Size
		}
		c.handshake(from, plain, r.Ended)
	case wire.RecordAlert:
		if len(plain) == 2 {
			c.alerts(from, plain, r.Ended)
		}
	case wire.RecordChangeCipher:
		if s.ccs { // after a handshake anew
			c.changes(from)
		}
	}
}

// protect says that a side protects what follows by the secret of an epoch.
func (c *Conn) protect(from talk.Side, e epoch) {
	s := &c.side[from]
	if e <= s.key {
		return
	}
	s.key, s.open, s.secret, s.seq = e, nil, nil, 0
	c.arm(from)
}

// arm finds what opens a side's records, if it can be known by now.
func (c *Conn) arm(from talk.Side) bool {
	s := &c.side[from]
	if s.open != nil {
		return true
	}
	if !c.find() {
		return false
	}
	if !c.hand.Is13() && s.key != earlyEpoch {
		if c.pending == [2]*protection{} && c.keys.Master != nil && c.hand.Suite != 0 {
			c.pending = protections12(&c.hand, c.keys.Master)
		}
		s.open = c.pending[from]
		return s.open != nil
	}
	suite := c.hand.Suite
	if s.secret == nil {
		if s.secret = c.secretOf(from, s.key); s.secret == nil {
			// A program that is at work writes them one after another.
			c.keys = c.Keys.Renew(c.hand.Client, c.keys)
			s.secret = c.secretOf(from, s.key)
		}
	}
	if s.key == earlyEpoch && suite == 0 {
		return false
	}
	if s.secret != nil {
		s.open = protection13(suite, s.secret)
	}
	return s.open != nil
}

// secretOf is the secret of an epoch, nil if it is not known.
func (c *Conn) secretOf(from talk.Side, e epoch) []byte {
	k := c.keys
	switch {
	case e == earlyEpoch:
		return k.ClientEarly
	case e == handshakeEpoch && from == talk.Client:
		return k.ClientHandshake
	case e == handshakeEpoch:
		return k.ServerHandshake
	case e == trafficEpoch && from == talk.Client:
		return k.ClientTraffic
	case e == trafficEpoch:
		return k.ServerTraffic
	}
	return nil
}

// update takes the next secret of a side (RFC 8446, 7.2).
func (c *Conn) update(from talk.Side) {
	s := &c.side[from]
	if c.arm(from); s.secret == nil {
		return
	}
	s.secret = updated(c.hand.Suite, s.secret)
	s.open, s.seq = protection13(c.hand.Suite, s.secret), 0
}

// open decrypts a record.
func (c *Conn) open(from talk.Side, content []byte) ([]byte, bool) {
	s := &c.side[from]
	if from == talk.Client && s.key == noEpoch && !s.ccs && c.hand.Early {
		s.key = earlyEpoch
	}
	return c.openLost(from, s.head[:], content, s.missed)
}

// try opens a record into the buffer that all share.
func (c *Conn) try(p *protection, seq uint64, head, content []byte) ([]byte, bool) {
	if c.Shared.plain == nil {
		c.Shared.plain = make([]byte, bufferSize)
	}
	return p.open(c.Shared.plain, seq, head, content)
}

// A guess is a key and the numbers that a record may have under it.
type guess struct {
	key      epoch
	secret   []byte
	open     *protection
	from, to uint64
}

// otherwise opens a record by other numbers and keys than what came before makes one expect,
// where lost records or secrets that came late may be the reason: it is at most missed records
// on.
func (c *Conn) otherwise(from talk.Side, head, content []byte, missed int64) ([]byte, bool) {
	s := &c.side[from]
	for _, g := range c.guesses(from, uint64(min(missed, triesRecord))) {
		if g.open == nil {
			if g.secret == nil {
				continue
			}
			if g.open = protection13(c.hand.Suite, g.secret); g.open == nil {
				continue
			}
		}
		for seq := g.from; seq <= g.to; seq++ {
			if c.tries += tryCost + len(content); c.tries > maxTries {
				return nil, false
			}
			plain, ok := c.try(g.open, seq, head, content)
			if !ok {
				if g.open.kind == stream {
					break
				}
				continue
			}
			if g.key == handshakeEpoch && s.key == earlyEpoch && len(c.early.pieces) > 0 {
				// EndOfEarlyData has not been seen, and the server's answer neither.
				c.settleEarly(false, s.last)
			}
			s.key, s.secret, s.open, s.seq = g.key, g.secret, g.open, seq+1
			if g.key != noEpoch && missed > 0 {
				s.tear()
			}
			return plain, true
		}
	}
	return nil, false
}

// guesses are the keys that a record may be under, where so many records before it were not
// opened.
func (c *Conn) guesses(from talk.Side, missed uint64) []guess {
	s := &c.side[from]
	if s.ccs || !c.hand.Is13() && s.key != earlyEpoch {
		if s.open == nil || missed == 0 {
			return nil
		}
		first := s.seq - min(s.seq, missed)
		return []guess{{s.key, nil, s.open, first, s.seq + missed}}
	}
	if !c.hand.Is13() {
		return nil // early data, of which the cipher is not known yet
	}
	var list []guess
	if s.open != nil && missed > 0 {
		first := s.seq - min(s.seq, missed)
		list = append(list, guess{s.key, s.secret, s.open, first, s.seq + missed})
	}
	if s.key < handshakeEpoch {
		list = append(list, guess{handshakeEpoch, c.secretOf(from, handshakeEpoch), nil, 0, missed})
	}
	if s.key < trafficEpoch {
		list = append(list, guess{trafficEpoch, c.secretOf(from, trafficEpoch), nil, 0, missed})
	}
	if s.key == trafficEpoch && s.secret != nil && missed > 0 {
		list = append(list, guess{trafficEpoch, updated(c.hand.Suite, s.secret), nil, 0, missed})
	}
	return list
}

// resync looks for the next record in what follows on missing bytes, and returns what comes behind
// it. With secrets a record must open; without, its header and the next one must be plausible.
func (c *Conn) resync(from talk.Side, b []byte) (rest []byte) {
	s := &c.side[from]
	for len(b) > 0 {
		if s.buf == nil {
			if s.buf = c.take(nil); s.buf == nil {
				s.gone += int64(len(b))
				return nil
			}
		}
		n := min(len(b), cap(s.buf)-len(s.buf))
		s.buf = append(s.buf, b[:n]...)
		if used, ok := c.found(from); ok {
			left := len(s.buf) - used
			if left <= n {
				c.free(s)
				return b[n-left:]
			}
			// A part of what the buffer holds beyond the record came before: that is read again.
			again := append([]byte(nil), s.buf[used:]...)
			c.free(s)
			return append(again, b[n:]...)
		}
		b = b[n:]
	}
	return nil
}

// found looks for a record in the buffer of a side. It drops what cannot be the beginning of one.
func (c *Conn) found(from talk.Side) (used int, ok bool) {
	s := &c.side[from]
	at := 0
	for ; len(s.buf)-at >= len(s.head); at++ {
		head := s.buf[at : at+len(s.head)]
		if !Looks(head) || wire.RecordSize(head) == 0 {
			continue
		}
		end := at + len(head) + wire.RecordSize(head)
		if end > len(s.buf) {
			break // it may be one: wait for its end
		}
		if c.accept(from, at, end) {
			return end, true
		}
	}
	if at > 0 {
		s.gone += int64(at)
		s.buf = append(s.buf[:0], s.buf[at:]...)
	}
	return 0, false
}

// accept takes in what the buffer of a side holds there, if it is a record.
func (c *Conn) accept(from talk.Side, at, end int) bool {
	s := &c.side[from]
	head, content := s.buf[at:at+len(s.head)], s.buf[at+len(s.head):end]
	sealed := s.ccs || head[0] == wire.RecordData
	if !sealed || c.keys == nil || s.failed {
		rest := s.buf[end:]
		if len(rest) >= len(s.head) && !Looks(rest) || len(rest) > 0 && len(rest) < len(s.head) && (rest[0] < wire.RecordChangeCipher || rest[0] > wire.RecordData) {
			return false
		}
		gone := s.gone + int64(at)
		c.foundAgain(s, head)
		if c.keys != nil && gone > 0 {
			c.To.Gap(from, gone, s.last)
		}
		c.end(from, content)
		return true
	}
	if c.tries > maxTries {
		s.failed = true
		return false
	}
	if !c.likely(s, head) {
		return false
	}
	// Up to so many records are missing: each has a header and what encryption adds.
	gone := s.gone + int64(at)
	before, was, epoch := s.seq, s.open, s.key
	missed := min(s.missed+gone/int64(len(s.head)+17)+1, maxTries/4/int64(tryCost+len(content)))
	if !s.ccs && !c.hand.Is13() && !c.arm(from) {
		return false
	}
	plain, ok := c.openLost(from, head, content, missed)
	if !ok {
		return false
	}
	c.foundAgain(s, head)
	skipped := int64(s.seq - 1)
	n := gone
	switch each := int64(len(s.head) + s.open.overhead()); {
	case was == s.open:
		skipped -= int64(before)
		n -= skipped * each
	case epoch < trafficEpoch && s.key == trafficEpoch: // Finished is lost, too
		n -= skipped*each + int64(len(s.head)+finishedSize+suites[c.hand.Suite].digest().Size()+s.open.overhead())
	}
	if s.finishedBefore() && skipped > 0 {
		c.To.Gap(from, max(n, 1), s.last)
	}
	r := Record{From: from, Kind: head[0], Size: int64(len(content)), Began: s.last, Ended: s.last}
	c.sealed += 2 // at least one is missing
	c.opened++
	s.sealed++
	s.missed = 0
	c.openedRecord(from, &r, plain)
	if r.Inner != wire.RecordAlert {
		s.content = r.Ended
	}
	return true
}

// likely reports whether a header is one of the connection's: of the version that was chosen, and
// in TLS 1.3 of the type that all sealed records have.
func (c *Conn) likely(s *side, head []byte) bool {
	version := c.hand.Version
	if c.hand.Is13() {
		version = tls.VersionTLS12 // "MUST be set to 0x0303" (RFC 8446, 5.2)
	}
	return binary.BigEndian.Uint16(head[1:]) == version && (s.ccs || head[0] == wire.RecordData)
}

// openLost opens a record before which up to so many are missing.
func (c *Conn) openLost(from talk.Side, head, content []byte, missed int64) ([]byte, bool) {
	s := &c.side[from]
	if s.lost {
		c.tries += tryCost + len(content)
	}
	if c.arm(from) {
		if plain, ok := c.try(s.open, s.seq, head, content); ok {
			s.seq++
			return plain, true
		}
	} else if s.key == earlyEpoch && s.secret != nil && c.hand.Suite == 0 {
		// The server has not said yet which cipher it is, but the secret's length says which hash.
		for _, id := range []uint16{0x1301, 0x1302, 0x1303, 0x1304, 0x1305} {
			p := protection13(id, s.secret)
			if p == nil {
				continue
			}
			if plain, ok := c.try(p, s.seq, head, content); ok {
				s.open, s.seq = p, s.seq+1
				return plain, true
			}
		}
	}
	return c.otherwise(from, head, content, missed)
}

// foundAgain says that the next record has been found.
func (c *Conn) foundAgain(s *side, head []byte) {
	copy(s.head[:], head)
	s.lost, s.got, s.gone, s.began = false, 0, 0, s.last
}
