// Package tls reads the two streams of records of a TLS connection as they passed (RFC 8446,
// RFC 5246): what the handshake tells, and with the connection's secrets what is in the records.
// It is a machine without I/O: who has the bytes in order hands them in.
//
// Without secrets contents are passed over by their length, and no byte of them is read. With
// them each record is decrypted and authenticated before anything of it is handed on. Where bytes
// are missing, records are found again by their headers and, with secrets, by trying numbers and
// keys, in a bounded number.
package tls

import (
	"cmp"
	"math"

	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// A Record is one record as it passed.
type Record struct {
	From talk.Side
	Kind byte  // as its header says: what TLS 1.3 protects looks like wire.RecordData
	Size int64 // of its content, as its header says
	// Opened says that it could be decrypted, or was in the clear; Inner is then what it
	// really is, and Message the type of the handshake message or alert that it begins with.
	Opened  bool
	Inner   byte
	Message byte
	// Began and Ended are where its first and its last byte passed.
	Began, Ended talk.Mark
}

// A Handler takes what a connection carries.
type Handler interface {
	// Record takes each record, whether it could be opened or not, before its content.
	Record(Record)
	// Plain takes the next bytes of what a side said, decrypted, valid until it returns. They
	// are where their record ended: before that nobody could read them.
	Plain(from talk.Side, b []byte, m talk.Mark)
	// Gap says that n bytes of what a side said are missing, or cannot be decrypted; how many
	// is exact but for padding.
	Gap(from talk.Side, n int64, m talk.Mark)
	// Closed says that a side has said close_notify.
	Closed(from talk.Side, m talk.Mark)
}

// A Conn is one connection. Set Shared, Keys and To before the first bytes.
type Conn struct {
	Shared *Shared
	Keys   *secrets.Log // nil is none
	To     Handler

	hand    Handshake
	side    [2]side
	keys    *secrets.Keys  // of this connection, once they are found
	asked   int            // version of the log when it had none
	of      secrets.Random // whose they are
	pending [2]*protection // up to TLS 1.2, from the next ChangeCipherSpec on
	tries   int            // of keys and numbers
	opened  int64          // sealed records that could be opened
	sealed  int64          // and those that there were
	said    bool           // application data could be opened
	secured linger.Opt[linger.Instant]
	alert   struct {
		name string
		by   talk.Side
	}
	notified []parted
	early    early
}

// A side is what one end of a connection sends.
type side struct {
	head [wire.RecordHeaderSize]byte
	got  int    // bytes of head
	buf  []byte // of the content, or where lost, of what may be a record
	pass int64  // bytes of the content that are still to pass unread

	skipping bool // the caller has been told to skip pass
	broken   bool // not all of the content was captured
	lost     bool // where the next record begins is not known
	began    talk.Mark
	last     talk.Mark // of what was handed in last
	gone     int64     // bytes that are missing before what is looked at while it is lost

	messages Messages
	torn     bool // where its next message begins is not known
	hello    bool // its first message was a hello
	ccs      bool // up to TLS 1.2: it has changed ciphers
	key      epoch
	secret   []byte // of TLS 1.3, that key is of
	open     *protection
	seq      uint64
	missed   int64 // sealed records that were not opened since one was
	before   int64 // bytes of those before there were keys
	failed   bool  // nothing can be opened any more
	sealed   int64 // records
	bytes    int64 // of the handshake, headers of records too
	finished linger.Opt[talk.Mark]
	content  talk.Mark // where the last record ended that is no alert
	parting  parting   // the last record, if it looks like an alert that could not be opened
}

// An epoch is which secret of TLS 1.3 protects a side's records.
type epoch uint8

const (
	noEpoch epoch = iota
	earlyEpoch
	handshakeEpoch
	trafficEpoch
)

// A parting is a record that may be an alert.
type parting struct {
	is bool
	m  talk.Mark
}

const (
	// MaxContent is the most that one record holds, with what encryption adds (RFC 5246, 6.2.3).
	MaxContent = wire.MaxPlaintext + 2048
	// maxHeld bounds the bytes of all connections' records that wait for their end.
	maxHeld = 256 << 20
)

// Looks reports whether b, of a header's size at least, can be the header of a record.
func Looks(b []byte) bool {
	return b[0] >= wire.RecordChangeCipher && b[0] <= wire.RecordData && b[1] == 3 && b[2] <= 4 && wire.RecordSize(b) <= MaxContent
}

// Data takes the next bytes of a side, and returns how many of those that follow are of no use.
// What it had no use for before counts as passed; m is where the bytes were, or if there are
// none, where the last one was that was skipped.
func (c *Conn) Data(from talk.Side, b []byte, m talk.Mark) (skip int64) {
	s := &c.side[from]
	s.last = m
	if s.skipping {
		s.skipping, s.pass = false, 0
		c.end(from, nil)
	}
	if n := min(s.pass, int64(len(b))); n > 0 {
		b, s.pass = b[n:], s.pass-n
		if s.pass > 0 {
			s.skipping = true
			return s.pass
		}
		c.end(from, nil)
	}
	for {
		if s.lost {
			if b = c.resync(from, b); s.lost {
				return 0
			}
		}
		if s.got < len(s.head) {
			if len(b) == 0 {
				return 0
			}
			if s.got == 0 {
				s.began = m
			}
			n := copy(s.head[s.got:], b)
			s.got, b = s.got+n, b[n:]
			if s.got < len(s.head) {
				return 0
			}
			if !Looks(s.head[:]) {
				c.astray(s)
				continue
			}
		}
		size := wire.RecordSize(s.head[:])
		switch {
		case len(s.buf) == 0 && !c.wants(from):
			if len(b) < size {
				s.pass, s.skipping = int64(size-len(b)), true
				return s.pass
			}
			c.end(from, nil)
			b = b[size:]
		case len(s.buf) == 0 && len(b) >= size:
			c.end(from, b[:size:size])
			b = b[size:]
		default:
			if len(b) == 0 {
				return 0
			}
			if s.buf == nil {
				if s.buf = c.take(nil); s.buf == nil { // no room
					s.broken, s.pass = true, int64(size)
					return c.Data(from, b, m)
				}
			}
			n := min(size-len(s.buf), len(b))
			s.buf = append(s.buf, b[:n]...)
			b = b[n:]
			if len(s.buf) < size {
				return 0
			}
			c.end(from, s.buf)
			c.free(s)
		}
	}
}

// take returns a buffer for a record, or the one that there is; nil if too many are in use.
func (c *Conn) take(b []byte) []byte {
	if b != nil {
		return b
	}
	sh := c.Shared
	if sh.held+bufferSize > maxHeld {
		return nil
	}
	sh.held += bufferSize
	if n := len(sh.free); n > 0 {
		b, sh.free = sh.free[n-1], sh.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, bufferSize)
}

const bufferSize = MaxContent + 1024

// free gives the buffer of a side back.
func (c *Conn) free(s *side) {
	if s.buf == nil {
		return
	}
	c.Shared.held -= bufferSize
	if cap(s.buf) == bufferSize && len(c.Shared.free) < 64 {
		c.Shared.free = append(c.Shared.free, s.buf)
	}
	s.buf = nil
}

// Done gives back what a connection holds, when nothing more of it comes.
func (c *Conn) Done() {
	for i := range c.side {
		c.free(&c.side[i])
	}
	c.dropEarly()
}

// wants reports whether the content of the record whose header has come is to be read.
func (c *Conn) wants(from talk.Side) bool {
	s := &c.side[from]
	if s.broken {
		return false
	}
	if !c.isSealed(from) {
		return s.head[0] != wire.RecordData
	}
	return !s.failed && c.find()
}

// isSealed reports whether the record whose header has come is encrypted. In TLS 1.3 all that are
// look like application data, and what is in the clear does not (RFC 8446, 5.1 and 5.2).
func (c *Conn) isSealed(from talk.Side) bool {
	s := &c.side[from]
	return s.ccs || s.head[0] == wire.RecordData
}

// find reports whether there are secrets of the connection.
func (c *Conn) find() bool {
	switch {
	case c.keys != nil:
		return true
	case c.Keys == nil || c.hand.Client == (secrets.Random{}):
		return false
	}
	v := c.Keys.Version() + 1
	if v == c.asked {
		return false
	}
	c.keys, c.of = c.Keys.Find(c.hand.Client), c.hand.Client
	if h := &c.hand; c.keys == nil && h.TLS.Resumed && !h.Is13() && h.origin != (secrets.Random{}) {
		c.keys = c.Keys.Find(h.origin)
	}
	c.asked = c.Keys.Version() + 1
	return c.keys != nil
}

// Gap says that the next n bytes of a side were not captured.
func (c *Conn) Gap(from talk.Side, n int64, m talk.Mark) {
	s := &c.side[from]
	s.last = m
	switch {
	case s.skipping: // all that was skipped has passed
		s.skipping, s.pass = false, 0
		c.end(from, nil)
	case s.lost:
		c.lose(from, n)
		return
	}
	if s.got == len(s.head) {
		rest := s.pass
		if rest == 0 {
			rest = int64(wire.RecordSize(s.head[:]) - len(s.buf))
		}
		c.free(s)
		s.broken = true
		if n < rest {
			s.pass = rest - n
			return
		}
		s.pass, n = 0, n-rest
		c.end(from, nil)
	}
	if n > 0 {
		c.lose(from, n)
	}
}

// lose says that n bytes are missing, and where the next record begins is not known.
func (c *Conn) lose(from talk.Side, n int64) {
	s := &c.side[from]
	s.gone += n + int64(len(s.buf)+s.got)
	c.free(s)
	s.got, s.pass, s.lost = 0, 0, true
	s.tear()
}

// astray says that what has come is no header.
func (c *Conn) astray(s *side) {
	s.lost, s.got = true, 0
	s.tear()
	if s.buf = c.take(nil); s.buf != nil {
		s.buf = append(s.buf, s.head[:]...)
	} else {
		s.gone += int64(len(s.head))
	}
}

// end takes in a record that has passed, of which content is what it holds, nil where that was not
// wanted or not all captured.
func (c *Conn) end(from talk.Side, content []byte) {
	s := &c.side[from]
	r := Record{From: from, Kind: s.head[0], Size: int64(wire.RecordSize(s.head[:])), Began: s.began, Ended: s.last}
	s.got = 0
	broken := s.broken
	s.broken = false
	if c.isSealed(from) {
		c.sealedRecord(from, &r, content)
	} else {
		c.clearRecord(from, &r, content, broken)
	}
	if !r.Opened || r.Inner != wire.RecordAlert {
		s.content = r.Ended
	}
}

// clearRecord takes in a record that is not encrypted.
func (c *Conn) clearRecord(from talk.Side, r *Record, content []byte, broken bool) {
	s := &c.side[from]
	r.Opened, r.Inner = !broken, r.Kind
	if len(content) > 0 && r.Kind != wire.RecordHandshake || len(content) > 0 && s.messages.Between() {
		r.Message = content[0]
	}
	if r.Kind == wire.RecordAlert && len(content) == 2 {
		r.Message = content[1]
	}
	s.parting = parting{}
	c.To.Record(*r)
	switch {
	case r.Kind == wire.RecordChangeCipher:
		// After a HelloRetryRequest or before early data it comes before anything is chosen, and
		// in TLS 1.3 it says nothing (RFC 8446, D.4).
		s.bytes += wire.RecordHeaderSize + r.Size
		if c.hand.Version != 0 && !c.hand.Is13() {
			c.changes(from)
		}
	case r.Kind == wire.RecordAlert && len(content) == 2:
		c.alerts(from, content, r.Ended)
	case r.Kind == wire.RecordHandshake && broken:
		s.tear()
	case r.Kind == wire.RecordHandshake:
		s.bytes += wire.RecordHeaderSize + r.Size
		c.handshake(from, content, r.Ended)
	}
}

// changes takes in that a side protects what follows by the new cipher, up to TLS 1.2.
func (c *Conn) changes(from talk.Side) {
	s := &c.side[from]
	s.ccs, s.open, s.seq, s.finished = true, nil, 0, linger.Opt[talk.Mark]{}
	if c.pending == [2]*protection{} && c.find() && c.keys.Master != nil {
		c.pending = protections12(&c.hand, c.keys.Master)
	}
	s.open = c.pending[from]
}

// handshake takes in what a record says of the handshake.
func (c *Conn) handshake(from talk.Side, content []byte, m talk.Mark) {
	s := &c.side[from]
	if s.torn {
		if !wholeMessages(content) {
			return
		}
		s.torn = false
	}
	s.messages.Add(content, func(kind byte, body []byte) bool {
		if !s.hello {
			if kind != ClientHello && kind != ServerHello {
				return false // it began before
			}
			s.hello = true
		}
		c.message(from, kind, body, m)
		return true
	})
}

// tear says that something of the handshake's messages is missing.
func (s *side) tear() {
	s.messages.Reset()
	s.torn = true
}

// wholeMessages reports whether b looks like handshake messages from the first byte to the last.
func wholeMessages(b []byte) bool {
	for len(b) >= 4 {
		size := 4 + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
		if b[0] == 0 || b[0] > CompressedCert || size > len(b) {
			return false
		}
		b = b[size:]
	}
	return len(b) == 0
}

// message takes in one message.
func (c *Conn) message(from talk.Side, kind byte, body []byte, m talk.Mark) {
	s, h := &c.side[from], &c.hand
	h.Shared = c.Shared
	again := kind == ClientHello && h.Version != 0
	h.Message(from, kind, body)
	switch {
	case again:
		// Its secrets are others, of another random.
		c.keys, c.asked, c.pending = nil, 0, [2]*protection{}
		c.side[0].finished, c.side[1].finished = linger.Opt[talk.Mark]{}, linger.Opt[talk.Mark]{}
	case kind == ServerHello && from == talk.Server:
		c.answered()
	case kind == EncryptedExtensions && from == talk.Server:
		c.settleEarly(h.TLS.EarlyData.Or(false), m)
	case kind == EndOfEarlyData && from == talk.Client:
		c.settleEarly(true, m)
		c.protect(from, handshakeEpoch)
	case kind == Finished:
		s.finished = linger.Known(m)
		c.finish(from, m)
	case kind == KeyUpdate && s.key == trafficEpoch:
		c.update(from)
	}
}

// answered takes in the server's hello.
func (c *Conn) answered() {
	h := &c.hand
	c.side[talk.Client].hello = c.side[talk.Client].hello || h.Client != (secrets.Random{})
	switch {
	case h.Version == 0:
		c.settleEarly(false, c.side[talk.Server].last) // it wants another hello
	case h.Is13():
		if h.Early && !h.TLS.Resumed {
			c.settleEarly(false, c.side[talk.Server].last)
		}
		c.protect(talk.Server, handshakeEpoch)
		if !h.Early {
			c.protect(talk.Client, handshakeEpoch)
		}
	}
}

// finish takes in that a side has finished.
func (c *Conn) finish(from talk.Side, m talk.Mark) {
	s := &c.side[from]
	if c.hand.Is13() {
		c.protect(from, trafficEpoch)
		if from == talk.Client {
			c.secured = linger.Known(cmp.Or(c.secured.Or(0), m.At))
		}
		return
	}
	if other, ok := c.side[from.Other()].finished.Get(); ok && !s.finished.IsZero() && c.secured.IsZero() {
		c.secured = linger.Known(max(m.At, other.At))
	}
}

// alerts takes in an alert (RFC 8446, 6).
func (c *Conn) alerts(from talk.Side, b []byte, m talk.Mark) {
	if b[1] == 0 {
		if len(c.notified) < 2 && (len(c.notified) == 0 || c.notified[0].by != from) {
			c.notified = append(c.notified, parted{from, m.At})
		}
		c.To.Closed(from, m)
		return
	}
	if c.alert.name == "" {
		c.alert.name, c.alert.by = AlertName(b[1]), from
	}
}

// Hello is what the handshake has told so far; unknown before a hello.
func (c *Conn) Hello() linger.Opt[trace.TLS] {
	if !c.hand.Begun {
		return linger.Opt[trace.TLS]{}
	}
	t := c.hand.TLS
	t.Keys = c.Extent()
	for i := range c.side {
		if s := &c.side[i]; !s.finished.IsZero() {
			if talk.Side(i) == talk.Client {
				t.Up = s.bytes
			} else {
				t.Down = s.bytes
			}
		}
	}
	if c.hand.Is13() && !c.hand.Answered {
		t.EarlyData = unlessRejected(t.EarlyData, &c.hand)
	}
	if c.side[talk.Server].torn || c.hand.Is13() && t.Keys != trace.AllKeys && t.Tickets.Or(0) == 0 {
		t.Tickets = linger.Opt[int64]{} // some may have been missed
	}
	t.Notified = c.NotifiedBy(math.MaxInt64)
	if t.Alert = c.alert.name; t.Alert != "" {
		t.AlertBy = c.alert.by.Peer()
	}
	return linger.Known(t)
}

// unlessRejected is whether early data was taken where the server's answer could not be read: it
// was not if the server did not resume, or wanted another hello.
func unlessRejected(o linger.Opt[bool], h *Handshake) linger.Opt[bool] {
	if o.IsZero() || o.Or(false) || !h.TLS.Resumed || h.TLS.Retried {
		return o
	}
	return linger.Opt[bool]{}
}

// NotifiedBy are those who said close_notify until then, in their order. One that follows upon the
// other side's FIN answers it, and ends nothing.
func (c *Conn) NotifiedBy(then linger.Instant) (list []trace.Peer) {
	for _, p := range c.partings() {
		if p.at <= then {
			list = append(list, p.by.Peer())
		}
	}
	return list
}

// A parted is who said close_notify, and when.
type parted struct {
	by talk.Side
	at linger.Instant
}

// partings are those who said close_notify, in their order. Where it could not be read, a record
// tells it that is an alert by its type or, in TLS 1.3, by its size, and the last of its side:
// what else ends a connection that works are alerts of other kinds, which are rare.
func (c *Conn) partings() []parted {
	list := append([]parted(nil), c.notified...)
	first := talk.Client
	if a, b := c.side[0].parting, c.side[1].parting; b.is && (!a.is || b.m.At < a.m.At) {
		first = talk.Server
	}
	for _, by := range []talk.Side{first, first.Other()} {
		if c.side[by].parting.is {
			list = append(list, parted{by, c.side[by].parting.m.At})
		}
	}
	return list
}

// Handshake is what has been read of the handshake.
func (c *Conn) Handshake() *Handshake { return &c.hand }

// Secured is when the handshake was done at the client, where that can be told: in TLS 1.3 when
// the client's Finished passed, up to 1.2 when the second Finished did.
func (c *Conn) Secured() linger.Opt[linger.Instant] { return c.secured }

// Opens reports whether what the sides say can be decrypted, as far as is known by now.
func (c *Conn) Opens() bool {
	if c.opened == 0 || c.side[0].failed || c.side[1].failed {
		return false
	}
	return c.said || c.complete()
}

// LastByte is when the last record ended that is no alert, where all of them could be read.
func (c *Conn) LastByte() linger.Opt[linger.Instant] {
	if c.Extent() != trace.AllKeys || c.sealed == 0 {
		return linger.Opt[linger.Instant]{}
	}
	return linger.Known(max(c.side[0].content.At, c.side[1].content.At))
}

// Extent is how much of what was encrypted could be decrypted.
func (c *Conn) Extent() trace.Keys {
	switch {
	case c.Keys == nil || c.Keys.Version() == 0:
		return ""
	case c.keys == nil && c.opened == 0:
		return trace.NoKeys
	case c.opened == c.sealed && !c.side[0].lost && !c.side[1].lost:
		return trace.AllKeys
	case c.opened == 0 && c.complete():
		return trace.WrongKeys
	}
	return trace.SomeKeys
}

// complete reports whether there are all secrets that the connection needs, and a cipher.
func (c *Conn) complete() bool {
	if suites[c.hand.Suite].kind == unknownCipher || c.side[0].lost || c.side[1].lost {
		return false
	}
	k := c.keys
	if c.hand.Is13() {
		return k.ClientHandshake != nil && k.ServerHandshake != nil && k.ClientTraffic != nil && k.ServerTraffic != nil
	}
	return k.Master != nil
}
