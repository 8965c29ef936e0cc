package quic

import (
	"bytes"

	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
)

const (
	// bareShort is how much of a packet of 1-RTT beyond its header and tag an acknowledgement
	// takes, or a close without many words: what is no larger counts as no byte that the
	// connection carries, where it cannot be decrypted.
	bareShort = 28
	// finished is the least that a client's packet takes, from its number on, that has its
	// Finished in it: 36 bytes of the message, 3 of the frame, the number and the tag.
	finished = 36 + 3 + 1 + tagSize
	// tries is how far a number or a key is looked for beyond the next one, and patience how
	// many packets in a row may not open before nothing is looked for any more.
	tries    = 4
	patience = 64
)

// A waiting is a packet that cannot be opened yet.
type waiting struct {
	b    []byte
	kind Kind
	m    talk.Mark
}

// ready makes what the zero value lacks.
func (c *Conn) ready() {
	c.hand.Shared = c.Shared
	c.initial = map[uint32]*[2]*protection{}
	c.streams = map[streamKey]*stream{}
	for s := range c.side {
		c.side[s].largest = [levels]int64{-1, -1, -1}
		c.side[s].probe, c.side[s].elicits, c.side[s].acked = -1, -1, -1
	}
}

// Datagram takes in a payload of UDP that belongs to the connection: b is what was captured of
// its size bytes. It holds one datagram, or where the host that captured it has joined them
// several, of which each has so many bytes and the last may have less. sure is false where it may
// be several and cannot be taken apart: it counts as one then.
func (c *Conn) Datagram(from talk.Side, b []byte, size int, m talk.Mark) (each int, sure bool) {
	if c.initial == nil {
		c.ready()
	}
	if c.facts.FirstByte.IsZero() && size > 0 {
		c.facts.FirstByte = linger.Known(m.At)
	}
	each, sure = c.segment(from, b, size)
	bare := true
	for at := 0; at < size; {
		n := min(each, size-at)
		part := b[min(at, len(b)):min(at+n, len(b))]
		c.each, c.end = 0, 0
		c.datagram(from, part, n, m)
		if c.each > 0 {
			if n = c.end; each == size {
				each = c.each
			}
		}
		bare = bare && c.bare
		at += n
	}
	c.bare = bare
	c.tellClose()
	return each, sure
}

// datagram takes in one datagram. Where it turns out to be several, it takes in those up to c.end.
func (c *Conn) datagram(from talk.Side, b []byte, size int, m talk.Mark) {
	missing := size - len(b)
	all := len(b)
	if c.whole = nil; missing == 0 {
		c.whole = b
	}
	if len(b) == 0 && missing > 0 {
		c.facts.Cut++
		c.side[from].sealed++
		c.To.Packet(from, int64(size), false, m)
	}
	bare := true
	for first := true; len(b) > 0; first = false {
		if !first && b[0]&0xc0 == 0 {
			break // not of a packet: datagrams may be filled up behind them
		}
		h, ok := ParseHeader(b)
		if !ok {
			c.To.Packet(from, int64(len(b)+missing), false, m)
			if missing > 0 {
				c.facts.Cut++
			}
			bare = false
			break
		}
		cut := h.size > len(b) || h.size == len(b) && missing > 0
		wire := int64(h.size)
		if h.size >= len(b) {
			wire = int64(len(b) + missing)
		}
		packet := b[:min(h.size, len(b))]
		if cut {
			c.facts.Cut++
		}
		c.at = all - len(b)
		opened, probes := c.packet(from, &h, packet, cut, wire, m)
		if c.each > 0 {
			wire, b = int64(c.end-c.at), packet
		}
		c.To.Packet(from, wire, opened, m)
		if c.verdict != undecided {
			c.decide(c.verdict)
		}
		bare = bare && probes
		b = b[len(packet):]
	}
	c.bare = bare
}

// packet takes in one packet, and reports whether it was decrypted, and whether nothing was in
// it then but what probes a path.
func (c *Conn) packet(from talk.Side, h *Header, b []byte, cut bool, size int64, m talk.Mark) (opened, probes bool) {
	if h.Kind != Short {
		c.long(from, h)
	}
	switch h.Kind {
	case Negotiation:
		c.negotiated = !c.answered
		return false, false
	case Unknown:
		c.carried(m)
		return false, false
	case Retry:
		if from == talk.Server && !c.answered {
			c.retry(h)
		}
		return false, false
	}
	if cut {
		if h.Kind != Initial {
			c.side[from].sealed++
		}
		c.blind(from, h, size, m)
		return false, false
	}
	if opened, probes = c.open(from, h.Kind, h, b, m); !opened {
		c.blind(from, h, size, m)
	}
	return opened, probes
}

// long takes in the header of a packet that has a long one.
func (c *Conn) long(from talk.Side, h *Header) {
	if h.Kind == Negotiation {
		return
	}
	if from == talk.Client {
		switch {
		case c.origin == nil && (h.Kind == Initial || h.Kind == Unknown) && !c.answered:
			c.origin = bytes.Clone(h.To)
			c.began = true
		case c.negotiated && h.Kind == Initial:
			// "[...] selects a mutually supported version": it begins anew (RFC 8999, 6).
			c.origin, c.negotiated = bytes.Clone(h.To), false
			clear(c.initial)
			c.side[from].crypto[levelInitial], c.side[from].largest[levelInitial] = assembly{}, -1
			c.side[from].message[levelInitial].Reset()
			c.version = 0
		}
		if c.version == 0 {
			c.version = h.Version
		}
	} else if h.Kind != Retry {
		c.version, c.answered = h.Version, true
	}
	if from == talk.Client || h.Kind != Retry {
		c.chosen(from, h.From)
	}
}

// retry takes in that the client is to begin again (RFC 9000, 17.2.5).
func (c *Conn) retry(h *Header) {
	c.retried = true
	c.origin = bytes.Clone(h.From)
	c.chosen(talk.Server, h.From)
	clear(c.initial)
	c.waiting, c.waits = c.waiting[:0], 0 // early data is sent again, too
	c.side[talk.Client].crypto[levelInitial] = assembly{}
	c.side[talk.Client].message[levelInitial].Reset()
}

// blind takes in a packet that cannot be opened by what its size and place tell.
func (c *Conn) blind(from talk.Side, h *Header, size int64, m talk.Mark) {
	switch h.Kind {
	case Initial:
		c.carried(m)
	case ZeroRTT:
		c.carried(m)
		if c.facts.Early.IsZero() {
			c.facts.Early = linger.Known(m.At)
		}
	case Handshake:
		if from == talk.Client && size-int64(h.number) >= finished {
			c.secured(m)
		}
		c.carried(m)
	case Short:
		if from == talk.Client {
			c.secured(m)
		}
		if size > int64(1+c.idSize(from.Other())+tagSize+bareShort) {
			c.carried(m)
		}
	}
}

// idSize is how long the IDs are by which a side is addressed.
func (c *Conn) idSize(of talk.Side) int {
	const usual = 8
	if s := &c.ids[of]; s.some {
		return s.length
	}
	return usual
}

func (c *Conn) carried(m talk.Mark) {
	c.facts.LastByte = linger.Known(max(c.facts.LastByte.Or(m.At), m.At))
}

func (c *Conn) secured(m talk.Mark) {
	if c.facts.Secured.IsZero() && c.began {
		c.facts.Secured = linger.Known(m.At)
	}
}

// open decrypts a packet and takes in what it holds, if that can be done by now.
func (c *Conn) open(from talk.Side, kind Kind, h *Header, b []byte, m talk.Mark) (opened, probes bool) {
	s := &c.side[from]
	switch kind {
	case Initial:
		return c.openInitial(from, h, b, m)
	case ZeroRTT:
		if from != talk.Client || c.fate == refused {
			return false, false
		}
		if c.fate == undecided {
			c.wait(b, kind, m)
			return false, false
		}
		opened, probes = c.openEarly(h, b, m)
	case Handshake:
		opened, probes = c.openLevel(from, levelHandshake, h, b, m)
	case Short:
		if opened, probes = c.openShort(from, b, m); !opened && c.whole != nil {
			if each, end := c.shorter(from, c.whole, c.at); each > 0 {
				c.each, c.end = each, end
				opened, probes = c.openShort(from, b[:end-c.at], m)
			}
		}
	}
	s.sealed++
	if opened {
		s.opened++
		s.failing = 0
		return opened, probes
	}
	if s.failing++; kind == Short {
		c.stateless(from, b, m)
	}
	return false, false
}

// wait keeps a packet until it can be opened.
func (c *Conn) wait(b []byte, kind Kind, m talk.Mark) {
	if len(c.waiting) >= maxWaiting || c.waits+len(b) > maxWaits || c.Keys == nil {
		c.side[talk.Client].sealed++ // and never opened
		return
	}
	c.waiting = append(c.waiting, waiting{bytes.Clone(b), kind, m})
	c.waits += len(b)
}

// decide takes in what became of early data.
func (c *Conn) decide(what fate) {
	if c.fate != undecided {
		return
	}
	c.fate = what
	list := c.waiting
	c.waiting, c.waits = nil, 0
	if what == refused {
		return
	}
	for _, w := range list {
		if h, ok := ParseHeader(w.b); ok {
			c.open(talk.Client, w.kind, &h, w.b, w.m)
		}
	}
}

// openInitial opens a packet whose keys come from the client's first one.
func (c *Conn) openInitial(from talk.Side, h *Header, b []byte, m talk.Mark) (opened, probes bool) {
	if c.origin == nil {
		return false, false
	}
	keys := c.initial[h.Version]
	if keys == nil {
		client, server := initial(h.Version, c.origin)
		if client == nil {
			return false, false
		}
		keys = &[2]*protection{client, server}
		c.initial[h.Version] = keys
	}
	s := &c.side[from]
	if s.failing > patience {
		return false, false
	}
	if opened, probes = c.openWith(keys[from], from, levelInitial, h, b, m); opened {
		return true, probes
	}
	if from == talk.Client && len(h.token) > 0 && !c.answered && !bytes.Equal(h.To, c.origin) {
		// The Retry before it was not captured.
		client, server := initial(h.Version, h.To)
		before := c.retried
		c.retried = true
		if opened, probes = c.openWith(client, from, levelInitial, h, b, m); opened {
			c.origin = bytes.Clone(h.To)
			clear(c.initial)
			c.initial[h.Version] = &[2]*protection{client, server}
			return true, probes
		}
		c.retried = before
	}
	s.failing++
	return false, false
}

// openEarly opens a packet of 0-RTT.
func (c *Conn) openEarly(h *Header, b []byte, m talk.Mark) (opened, probes bool) {
	if c.early != nil {
		return c.openWith(c.early, talk.Client, levelApp, h, b, m)
	}
	secret := c.secret(func(k *secrets.Keys) []byte { return k.ClientEarly })
	for _, s := range suites(secret) {
		p := protect(s, labelsOf[h.Version], secret)
		if opened, probes = c.openWith(p, talk.Client, levelApp, h, b, m); opened {
			c.early = p
			return true, probes
		}
	}
	return false, false
}

// secret is one of the connection's secrets, or nil.
func (c *Conn) secret(of func(*secrets.Keys) []byte) []byte {
	if c.Keys == nil || !c.hand.Begun {
		return nil
	}
	if c.keys != nil {
		if s := of(c.keys); s != nil {
			return s
		}
	}
	if v := c.Keys.Version(); v == c.asked && v > 0 {
		return nil
	}
	c.keys = c.Keys.Find(c.hand.Client)
	c.asked = c.Keys.Version()
	if c.keys == nil {
		return nil
	}
	return of(c.keys)
}

// candidates are the protections that a secret may give.
func (c *Conn) candidates(version uint32, secret []byte) []*protection {
	var out []*protection
	for _, s := range suites(secret) {
		if c.suite == 0 || c.suite == s {
			out = append(out, protect(s, labelsOf[version], secret))
		}
	}
	return out
}

// secretOf is the secret of a side at a level.
func (c *Conn) secretOf(from talk.Side, l level) []byte {
	return c.secret(func(k *secrets.Keys) []byte {
		switch {
		case l == levelHandshake && from == talk.Client:
			return k.ClientHandshake
		case l == levelHandshake:
			return k.ServerHandshake
		case from == talk.Client:
			return k.ClientTraffic
		}
		return k.ServerTraffic
	})
}

// openLevel opens a packet of a level, with the key that it has, or else with one that it may
// have.
func (c *Conn) openLevel(from talk.Side, l level, h *Header, b []byte, m talk.Mark) (opened, probes bool) {
	s := &c.side[from]
	if s.key[l] != nil {
		return c.openWith(s.key[l], from, l, h, b, m)
	}
	if s.failing > patience {
		return false, false
	}
	version := h.Version
	if h.Kind == Short {
		version = c.version
	}
	for _, p := range c.candidates(version, c.secretOf(from, l)) {
		if opened, probes = c.openWith(p, from, l, h, b, m); opened {
			s.key[l] = p
			if c.suite == 0 {
				c.suite = p.suite
			}
			return true, probes
		}
	}
	return false, false
}

// openWith opens a packet with a key, and takes in what it holds.
func (c *Conn) openWith(p *protection, from talk.Side, l level, h *Header, b []byte, m talk.Mark) (opened, probes bool) {
	header, sent, ok := c.Scratch.unmask(p, b, h.number)
	if !ok {
		return false, false
	}
	plain, number, ok := c.decrypt(p, from, l, header, b[len(header):], sent, len(header)-h.number)
	if !ok {
		return false, false
	}
	return true, c.frames(from, l, h.Kind, plain, number, m)
}

// decrypt finds the number of a packet and opens it: where much was not captured, the number may
// be further than its bits tell.
func (c *Conn) decrypt(p *protection, from talk.Side, l level, header, content []byte, sent int64, size int) (plain []byte, number int64, ok bool) {
	s := &c.side[from]
	number = whole(sent, s.largest[l], 8*size)
	if plain, ok = c.Scratch.open(p, header, content, number); ok || s.failing > patience || l != levelApp {
		return plain, number, ok
	}
	for range tries {
		number += 1 << (8 * size)
		if plain, ok = c.Scratch.open(p, header, content, number); ok {
			return plain, number, true
		}
	}
	return nil, 0, false
}

// phaseBit is that of a short header (RFC 9000, 17.3.1).
const phaseBit = 0x04

// openShort opens a packet of 1-RTT, whose keys may have been updated (RFC 9001, 6).
func (c *Conn) openShort(from talk.Side, b []byte, m talk.Mark) (opened, probes bool) {
	s := &c.side[from]
	h := Header{Kind: Short, number: 1 + c.length(from.Other(), b)}
	key := s.key[levelApp]
	if key == nil {
		return c.openLevel(from, levelApp, &h, b, m)
	}
	header, sent, ok := c.Scratch.unmask(key, b, h.number)
	if !ok {
		return false, false
	}
	content, size := b[len(header):], len(header)-h.number
	number := whole(sent, s.largest[levelApp], 8*size)
	if phase := header[0] & phaseBit; phase == s.phase {
		plain, number, ok := c.decrypt(key, from, levelApp, header, content, sent, size)
		if ok {
			return true, c.frames(from, levelApp, Short, plain, number, m)
		}
		// Two updates may have passed that were not captured.
		return c.updated(from, 2, header, content, sent, size, m)
	}
	if s.previous != nil && number < s.first {
		plain, ok := c.Scratch.open(s.previous, header, content, number)
		if !ok {
			return false, false
		}
		return true, c.frames(from, levelApp, Short, plain, number, m)
	}
	return c.updated(from, 1, header, content, sent, size, m)
}

// updated opens a packet with the key after so many updates.
func (c *Conn) updated(from talk.Side, updates int64, header, content []byte, sent int64, size int, m talk.Mark) (opened, probes bool) {
	s := &c.side[from]
	if updates > 1 && s.failing > tries {
		return false, false
	}
	if s.next == nil {
		s.next = s.key[levelApp].next()
	}
	before, key := s.key[levelApp], s.next
	for range updates - 1 {
		before, key = key, key.next()
	}
	plain, number, ok := c.decrypt(key, from, levelApp, header, content, sent, size)
	if !ok {
		return false, false
	}
	s.previous, s.key[levelApp], s.next = before, key, nil
	s.phase, s.first = header[0]&phaseBit, number
	s.updates += updates
	return true, c.frames(from, levelApp, Short, plain, number, m)
}

// length is how long the ID is that a short header begins with.
func (c *Conn) length(of talk.Side, b []byte) int {
	s := &c.ids[of]
	for i := len(s.known) - 1; i >= 0; i-- {
		if bytes.HasPrefix(b[1:], s.known[i]) {
			return len(s.known[i])
		}
	}
	return c.idSize(of)
}

// stateless takes in a packet of 1-RTT that does not open: it may be a stateless reset, which ends
// with a token that the server gave (RFC 9000, 10.3.1).
func (c *Conn) stateless(from talk.Side, b []byte, m talk.Mark) {
	if from != talk.Server || len(b) < 21 || c.closed {
		return
	}
	for _, t := range c.tokens {
		if bytes.Equal(b[len(b)-len(t):], t[:]) {
			c.close(Close{By: from, Reset: true}, m)
			return
		}
	}
}

// token keeps a token of stateless resets.
func (c *Conn) token(b []byte) {
	if len(c.tokens) >= maxIDs {
		c.tokens = append(c.tokens[:0], c.tokens[1:]...)
	}
	c.tokens = append(c.tokens, [16]byte(b))
}

// close takes in how the connection was ended. A code of the application may be sent twice in one
// datagram: "A CONNECTION_CLOSE of type 0x1d MUST be replaced by a CONNECTION_CLOSE of type 0x1c
// when sending the frame in Initial or Handshake packets [...] using the APPLICATION_ERROR code"
// (RFC 9000, 10.2.3).
func (c *Conn) close(how Close, m talk.Mark) {
	if c.closed {
		before := c.facts.Close.Or(Close{})
		if c.told || before.By != how.By || before.Application || before.Code != codeApplication || !how.Application {
			return
		}
	}
	c.closed = true
	c.facts.Close, c.facts.ClosedAt = linger.Known(how), m
}

// tellClose hands on how the connection was ended, once the datagram has been read.
func (c *Conn) tellClose() {
	how, ok := c.facts.Close.Get()
	if !ok || c.told {
		return
	}
	c.told = true
	if !how.Application && how.Code>>8 == 1 && c.hand.TLS.Alert == "" {
		c.alert(how)
	}
	c.To.Closed(how, c.facts.ClosedAt)
}

// suiteOf is the cipher suite that the server's hello chose.
func suiteOf(id uint16) suite {
	if s := suite(id); s.isKnown() {
		return s
	}
	return 0
}

// Opens reports whether a datagram begins with the first packet of a client: its keys come from
// the ID that it is addressed to, as those of no other packet do.
func Opens(b []byte, s *Scratch) bool {
	h, ok := ParseHeader(b)
	if !ok || h.Kind != Initial || h.size > len(b) {
		return false
	}
	client, _ := initial(h.Version, h.To)
	if client == nil {
		return false
	}
	b = b[:h.size]
	header, sent, ok := s.unmask(client, b, h.number)
	if !ok {
		return false
	}
	_, ok = s.open(client, header, b[len(header):], sent)
	return ok
}
