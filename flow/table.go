package flow

import (
	"hash/maphash"
	"time"

	"linger"
)

// An Outcome is what had become of a flow when its table let go of it.
type Outcome uint8

const (
	Closed    Outcome = iota // both sides had sent FIN, or one RST
	Replaced                 // its addresses and ports came into use by another connection
	Silent                   // nothing had come for Config.Quiet
	Evicted                  // its place was needed
	StillOpen                // so it was at Flush

	outcomes = iota
)

// Config says what a table keeps.
type Config struct {
	// Limit is how many flows the table holds at most; 0 is DefaultLimit. A flow takes
	// 320 bytes, and 16 to 32 in the index.
	Limit int

	// Ended, if not nil, is called with each flow when the table lets go of it, once. The
	// flow is valid until Ended returns; it must not call the table. Without it the table
	// keeps every flow until the end, and none beyond Limit: a flow that finds no room is
	// counted in Overflow.
	//
	// With it a full table makes room. It lets go of the connection that has been over
	// longest; else, of the flows that only one end is known to take part in, as half-open
	// connections, of the one that has been quiet longest, if they are more than an eighth
	// of Limit; else of the one of all that has been quiet longest. Which is longest is
	// known as of when room was last made, and not exact.
	Ended func(*Flow, Outcome)

	// Linger is how long a connection that is over is kept for late packets since its last
	// one, and Quiet how long a flow without packets goes on that has no end of its own:
	// not TCP, or with only one side known to take part. 0 is for ever. A packet that
	// comes later begins another flow. They need Ended.
	Linger, Quiet time.Duration

	// Over is how many connections that are over the table makes room for; beyond, it lets go
	// of the one that has been over longest before it grows. 0 is no bound but Limit.
	Over int
}

// DefaultLimit is that of a table whose Config names none.
const DefaultLimit = 1 << 16

// maxLimit is as far as IDs go.
const maxLimit = 1 << 31

// Counts is what has become of all flows.
type Counts struct {
	Begun    int64
	Outcomes [outcomes]int64 // by Outcome; the sum is Begun less those in the table
	// Overflow counts what found no room: each SYN of TCP, and each packet of a protocol
	// that has none.
	Overflow int64
}

// A Table is the flows of a capture or a link. One goroutine owns it. Finding and counting
// allocate nothing, save that room grows as flows become more.
type Table struct {
	config Config
	seed   seed
	counts Counts
	number [3]uint64 // of the next flow of TCP, of UDP, of the rest

	// index has the flows that packets can still belong to, by open addressing: 32 bits of
	// the key's hash, which name its first place, then ID + 1; 0 is free. At least half of
	// it is.
	index []uint64
	slabs [][]Flow // full but for the last
	made  int      // flows in them
	held  int      // flows in the index
	free  uint32   // a flow that can be had, as ID + 1; the next in its following
	lists [lists]list
	last  *Flow // that was looked up, if it is in the index
}

// slab is how many flows the table makes room for at a time.
const slab = 256

// firstIndex is the size of an index without flows. Sizes are powers of two.
const firstIndex = 1 << 10

// NewTable returns an empty table.
func NewTable(c Config) *Table {
	if c.Limit <= 0 {
		c.Limit = DefaultLimit
	}
	c.Limit = min(c.Limit, maxLimit)
	t := &Table{config: c, index: make([]uint64, firstIndex)}
	secret := maphash.MakeSeed()
	for i := range t.seed {
		t.seed[i] = maphash.Comparable(secret, i)
	}
	return t
}

// Add counts a packet that was seen at that instant, and returns its flow; nil if there is
// no room for it.
func (t *Table) Add(p *Packet, at linger.Instant) *Flow {
	f := t.Find(p, at)
	if f != nil {
		t.Count(f, p, at)
	}
	return f
}

// Find returns the flow of a packet that was seen at that instant. It begins the flow if
// there is none, and returns nil if there is no room.
func (t *Table) Find(p *Packet, at linger.Instant) *Flow {
	f := t.look(p)
	if f != nil {
		wait := t.patience(f)
		switch {
		case p.opens() && f.begins(p):
			t.end(f, Replaced)
		case wait > 0 && at.Sub(f.Last) > wait:
			t.end(f, Silent)
		default:
			return f
		}
	}
	return t.begin(p, at)
}

// Peek returns the flow that Find would return if it need not begin one, else nil. It
// changes nothing.
func (t *Table) Peek(p *Packet, at linger.Instant) *Flow {
	f := t.look(p)
	if f == nil || p.opens() && f.begins(p) {
		return nil
	}
	if wait := t.patience(f); wait > 0 && at.Sub(f.Last) > wait {
		return nil
	}
	return f
}

// look returns the flow with the key of a packet, or nil. Most packets are of the same flow
// as the one before.
func (t *Table) look(p *Packet) *Flow {
	if t.last != nil && t.last.Key.same(&p.Key) {
		return t.last
	}
	hash := uint32(t.seed.hash(&p.Key))
	mask := uint32(len(t.index) - 1)
	for i := hash & mask; t.index[i] != 0; i = (i + 1) & mask {
		if uint32(t.index[i]>>32) != hash {
			continue
		}
		if f := t.at(uint32(t.index[i])); f.Key.same(&p.Key) {
			t.last = f
			return f
		}
	}
	return nil
}

// Count counts a packet in the flow that Find has returned for it. at is when it was seen.
func (t *Table) Count(f *Flow, p *Packet, at linger.Instant) {
	t.CountSegment(f, p, p.Seq, p.Flags, p.Payload, at)
}

// CountSegment counts one segment of a packet that stands for several, as segmentation
// offload has it (TSO): its headers are those of p but for what is said here.
func (t *Table) CountSegment(f *Flow, p *Packet, seq uint32, flags uint8, payload int, at linger.Instant) {
	f.Last = max(f.Last, at)
	s := &f.sent[p.From&1]
	s.packets++
	s.header += int64(p.Headers)
	s.payload += int64(payload)
	if p.Initial {
		f.rare[p.From].initial++
	}
	length := uint32(payload)
	if flags&(SYN|FIN|RST) != 0 {
		length += t.control(f, p, seq, flags, at)
	}
	if f.stage == oneEnd && f.sent[p.From.Other()&1].packets > 0 {
		t.settle(f, p, flags, at)
	}
	if length == 0 || !p.Transport || p.Key.Protocol() != TCP {
		return
	}
	// A segment is a retransmission if it has a sequence number, and all that it has
	// were seen before; octets, SYN and FIN have one (RFC 9293, 3.4).
	// So what repeats nothing but an acknowledgement is none, nor is a keep-alive or
	// zero-window probe as Linux sends it, which is empty and one below SND.NXT
	// (tcp_xmit_probe_skb); a probe that carries the one garbage octet of RFC 9293,
	// 3.8.4 is.
	switch end := seq + length; {
	case f.started>>p.From&1 == 0 || int32(end-s.next) > 0: // modulo 2^32 (RFC 9293, 3.4)
		s.next = end
		f.started |= 1 << p.From
	default:
		r := &f.rare[p.From]
		r.retransmitted++
		r.retransmittedBytes += int64(payload)
	}
}

// control counts a segment that opens or closes a connection, and returns how many sequence
// numbers its SYN and FIN have.
func (t *Table) control(f *Flow, p *Packet, seq uint32, flags uint8, at linger.Instant) (length uint32) {
	r := &f.rare[p.From]
	if flags&SYN != 0 {
		if r.syn == 0 {
			f.sent[p.From].isn = seq
		}
		r.syn++
		length++
		t.opening(f, p, flags, at)
	}
	if flags&FIN != 0 {
		r.fin++
		length++
	}
	if flags&RST != 0 {
		r.rst++
	}
	if flags&(FIN|RST) == 0 || f.stale(p, flags) {
		return length
	}
	if f.Closing.IsZero() {
		f.Closing = linger.Known(Closing{At: at, By: p.From, Reset: flags&RST != 0})
	}
	if f.stage != ended && (flags&RST != 0 || f.rare[Low].fin > 0 && f.rare[High].fin > 0) {
		f.stage = ended
		t.file(f, over, at)
	}
	return length
}

// opening takes in a packet with SYN.
func (t *Table) opening(f *Flow, p *Packet, flags uint8, at linger.Instant) {
	if flags&ACK == 0 {
		if f.Opener.IsZero() {
			f.Opener = linger.Known(p.From)
		}
		if f.SYN.IsZero() {
			f.SYN = linger.Known(at)
		}
		return
	}
	by := p.From.Other()
	if f.Opener.IsZero() {
		f.Opener = linger.Known(by)
	}
	if !f.SYNACK.IsZero() || f.Opener != linger.Known(by) || f.rare[by].syn > 0 && !f.beyondSYN(by, p.Ack) {
		return
	}
	f.SYNACK = linger.Known(at)
	if f.stage == ended {
		// The SYN was refused and retransmitted, as Windows does, and is now accepted.
		f.Closing, f.stage = linger.Opt[Closing]{}, oneEnd
		t.file(f, oneSided, at)
	}
}

// settle takes in that p came when the other end had sent something: both are known to take
// part, but of TCP, if its opening was seen, only when the opener has answered.
func (t *Table) settle(f *Flow, p *Packet, flags uint8, at linger.Instant) {
	if by, ok := f.Opener.Get(); ok {
		if by != p.From || flags&(SYN|RST) != 0 {
			return
		}
		if !f.SYNACK.IsZero() && flags&ACK != 0 && p.Ack == f.sent[p.From.Other()].isn+1 {
			f.ACK = linger.Known(at)
		}
	}
	f.stage = bothEnds
	if p.Transport && p.Key.Protocol() == TCP {
		t.file(f, connected, at)
	} else {
		t.file(f, answered, at)
	}
}

// Flow returns the flow with that ID, which the table holds.
func (t *Table) Flow(id ID) *Flow { return &t.slabs[id/slab][id%slab] }

// at returns the flow with that ID + 1.
func (t *Table) at(n uint32) *Flow { return t.Flow(ID(n - 1)) }

// Len returns how many flows the table holds.
func (t *Table) Len() int {
	if t.config.Ended == nil {
		return t.made
	}
	return t.held
}

// Counts returns what has become of all flows so far.
func (t *Table) Counts() Counts { return t.counts }

// Copy returns copies of the flows of a table that keeps them, in order of their first
// packets, for another goroutine to read.
func (t *Table) Copy() []Flow {
	out := make([]Flow, 0, t.made)
	for _, s := range t.slabs {
		out = append(out, s...)
	}
	return out
}

// begin makes a flow of a packet, in place of the one that its key had.
func (t *Table) begin(p *Packet, at linger.Instant) *Flow {
	f := t.room()
	if f == nil {
		// A SYN is a connection; of what has none, each packet may be one.
		if p.Key.Protocol() != TCP || p.opens() {
			t.counts.Overflow++
		}
		return nil
	}
	id := f.ID
	*f = Flow{Key: p.Key, ID: id, Speaker: p.From, First: at, Last: at}
	n := &t.number[2]
	if p.Transport && p.Key.Protocol() == TCP {
		n = &t.number[0]
	} else if p.Transport {
		n = &t.number[1]
	}
	f.Number = *n
	*n++
	t.counts.Begun++
	t.put(uint32(t.seed.hash(&p.Key)), id)
	t.file(f, oneSided, at)
	return f
}

// room returns a flow that is nobody's, or nil.
func (t *Table) room() *Flow {
	if t.free == 0 && t.config.Over > 0 && t.lists[over].n >= t.config.Over {
		if f := t.quietest(over); f != nil {
			t.end(f, Closed)
		}
	}
	if t.free == 0 && t.made == t.config.Limit && !t.evict() {
		return nil
	}
	if t.free != 0 {
		f := t.at(t.free)
		t.free = f.following
		return f
	}
	if t.made%slab == 0 {
		t.slabs = append(t.slabs, make([]Flow, 0, slab))
	}
	last := &t.slabs[len(t.slabs)-1]
	*last = append(*last, Flow{ID: ID(t.made)})
	t.made++
	return &(*last)[len(*last)-1]
}

// end lets go of a flow: nothing more belongs to it.
func (t *Table) end(f *Flow, o Outcome) {
	t.remove(f)
	if t.config.Ended == nil {
		return
	}
	if f.list == over {
		o = Closed
	}
	t.counts.Outcomes[o]++
	t.unlink(f)
	t.config.Ended(f, o)
	f.following = t.free
	t.free = uint32(f.ID) + 1
}

// put enters a flow into the index.
func (t *Table) put(hash uint32, id ID) {
	if 2*(t.held+1) > len(t.index) {
		t.grow()
	}
	t.held++
	t.place(uint64(hash)<<32 | uint64(id+1))
}

// place puts an entry where it belongs, or in the first free place after that.
func (t *Table) place(entry uint64) {
	mask := uint32(len(t.index) - 1)
	i := uint32(entry>>32) & mask
	for t.index[i] != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = entry
}

// grow doubles the index.
func (t *Table) grow() {
	old := t.index
	t.index = make([]uint64, 2*len(old))
	for _, entry := range old {
		if entry != 0 {
			t.place(entry)
		}
	}
}

// remove takes a flow out of the index, and moves up what would no longer be found.
func (t *Table) remove(f *Flow) {
	if t.last == f {
		t.last = nil
	}
	mask := uint32(len(t.index) - 1)
	i := uint32(t.seed.hash(&f.Key)) & mask
	for uint32(t.index[i]) != uint32(f.ID)+1 {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.index[j] != 0; j = (j + 1) & mask {
		// The entry at j may stand at i unless its own place lies between them.
		if home := uint32(t.index[j]>>32) & mask; (j-home)&mask >= (j-i)&mask {
			t.index[i] = t.index[j]
			i = j
		}
	}
	t.index[i] = 0
	t.held--
}
