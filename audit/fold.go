package audit

import (
	"cmp"
	"encoding/binary"
	"linger/audit/limit"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"linger"
)

// A pair is two hosts, whichever of them asks, as a hash: others may have the same.
type pair uint64

func pairOf(a, b netip.Addr) pair {
	if b.Less(a) {
		a, b = b, a
	}
	x, y := a.As16(), b.As16()
	h := uint64(0)
	for _, half := range [][]byte{x[:8], x[8:], y[:8], y[8:]} {
		h = bits.RotateLeft64((h^binary.BigEndian.Uint64(half))*0x9e3779b97f4a7c15, 32)
	}
	return pair(h | 1) // 0 is none
}

// A mark is an instant at which it will be asked what the connections of a pair were doing.
type mark struct {
	pair pair
	at   linger.Instant
}

// Turn says that a connection between two hosts is being opened at an instant, carries its
// first byte, or begins to end. Records come when connections have ended, and only then is
// decided why others were opened while they were there; at each such instant it matters what
// a connection was doing, and at no other. Who calls it for each SYN, FIN and RST, and for
// each first byte, lets exchanges between those instants be summed up without a loss. Where
// Turn is not called, what there is no room for is summed up all the same, and causes which
// that would decide are Undecided.
func (a *Auditor) Turn(connection int64, at linger.Instant, x, y netip.Addr) {
	m := mark{pairOf(x, y), at}
	if _, ok := a.silent[connection]; !ok && a.open[connection] == nil {
		a.silent[connection] = m
	}
	a.marks = append(a.marks, m)
}

// pairOf returns the pair of a connection of which the first record has come.
func (a *Auditor) pairOf(connection int64) pair {
	p := a.silent[connection].pair
	delete(a.silent, connection)
	return p
}

// A folded is what is known of exchanges that are part of others' spans.
type folded struct {
	gaps      limit.Values   // between them, in seconds
	longest   float64        // of those
	kept      linger.Instant // when the latest was sent that did not end the connection
	exchanged time.Duration  // from requests to the ends of their responses, summed
	whole     int            // how many these are
	peak      int            // the most of the pool that were under way at once, as long as they were seen
	loose     bool           // marks were passed over
}

const (
	// recent spans are never folded: how the connection ended depends on them.
	recent = 2
	// mostGaps bounds what is kept of the gaps within one connection.
	mostGaps = 8
)

// fold sums up exchanges of undecided connections: exactly, those between which there is no
// mark, or loosely, all but the last ones.
func (a *Auditor) fold(loosely bool) {
	talks := make([]*talk, 0, len(a.open)+len(a.fresh))
	for _, t := range a.open {
		talks = append(talks, t)
	}
	if !loosely {
		for _, c := range a.fresh {
			talks = append(talks, &c.talk)
		}
	}
	slices.SortFunc(talks, func(x, y *talk) int {
		return cmp.Or(cmp.Compare(x.pair, y.pair), cmp.Compare(x.name, y.name), cmp.Compare(x.id, y.id))
	})
	slices.SortFunc(a.marks, func(x, y mark) int { return cmp.Or(cmp.Compare(x.pair, y.pair), cmp.Compare(x.at, y.at)) })
	// Of each pair, since when exchanges are there, or may be under way.
	since := map[pair]linger.Instant{}
	began := func(p pair, at linger.Instant) {
		if first, ok := since[p]; !ok || at < first {
			since[p] = at
		}
	}
	for _, m := range a.silent {
		began(m.pair, m.at)
	}
	marks := a.marks
	for len(talks) > 0 {
		p, n := talks[0].pair, 1
		for n < len(talks) && talks[n].pair == p {
			n++
		}
		from, _ := slices.BinarySearchFunc(marks, p, func(m mark, p pair) int { return cmp.Compare(m.pair, p) })
		to := from
		for to < len(marks) && marks[to].pair == p {
			to++
		}
		began(p, foldPair(talks[:n], marks[from:to], loosely))
		talks, marks = talks[n:], marks[to:]
	}
	// What was before them is not asked for.
	a.marks = slices.DeleteFunc(a.marks, func(m mark) bool {
		first, ok := since[m.pair]
		return !ok || m.at < first
	})
	a.reweigh()
}

// foldPair folds the spans of the connections of one pair, by name, and returns when the first
// exchange of all began.
func foldPair(talks []*talk, marks []mark, loosely bool) (first linger.Instant) {
	first = linger.Never
	for len(talks) > 0 {
		n := 1
		for n < len(talks) && talks[n].name == talks[0].name {
			n++
		}
		var seen overlap
		for _, t := range talks[:n] {
			seen.add(t.spans)
		}
		peak := seen.most()
		for _, t := range talks[:n] {
			// Without marks nothing is known of what will be asked.
			if t.pair != 0 || loosely {
				t.fold(marks, loosely, peak)
			}
			if len(t.spans) > 0 {
				first = min(first, t.spans[0].begins())
			}
		}
		talks = talks[n:]
	}
	return first
}

// fold folds spans. peak is how many of the pool were under way at once.
func (t *talk) fold(marks []mark, loosely bool, peak int) {
	old := len(t.spans) - recent
	if old < 3 {
		return
	}
	// The first that says that it ends the connection is what ends it.
	said := slices.IndexFunc(t.spans, func(s span) bool { return s.flags&(clientSaid|serverSaid) != 0 && s.flags&stream == 0 })
	// The first stays as it is, since it tells when the connection was needed.
	out := t.spans[:2]
	for i := 2; i < old; i++ {
		s, before := t.spans[i], &out[len(out)-1]
		if i != said && i-1 != said && (loosely || before.joins(s, marks)) {
			t.join(before, s, t.spans[i+1].sent)
			continue
		}
		out = append(out, s)
	}
	if len(out) == old {
		return
	}
	t.folded.loose = t.folded.loose || loosely
	t.folded.peak = max(t.folded.peak, peak)
	t.spans = append(out, t.spans[old:]...)
	if cap(t.spans) > 4*len(t.spans) { // else others are going to come in their place
		t.spans = slices.Clone(t.spans)
	}
}

// joins reports whether nobody will ask what was between the beginning of a span and the end of
// the next one.
func (s span) joins(next span, marks []mark) bool {
	if s.sent == never || s.first == never || s.done == never || next.sent < s.done || next.first == never || next.done == never ||
		(s.flags^next.flags)&unasked != 0 {
		return false
	}
	i, _ := slices.BinarySearchFunc(marks, s.sent, func(m mark, t linger.Instant) int { return cmp.Compare(m.at, t) })
	return i == len(marks) || marks[i].at > next.done
}

// join makes the next span part of the one before it. The one behind that was sent then.
func (t *talk) join(s *span, next span, behind linger.Instant) {
	if t.folded == nil {
		t.folded = &folded{kept: never}
	}
	f := t.folded
	for _, lasted := range []time.Duration{s.lasted(), next.lasted()} {
		if lasted > 0 {
			f.exchanged, f.whole = f.exchanged+lasted, f.whole+1
		}
	}
	if gap, ok := s.gap(next.sent); ok {
		f.gaps.AddWithin(gap.Seconds(), mostGaps)
		f.longest = max(f.longest, gap.Seconds())
		if s.more == 0 {
			f.kept = max(f.kept, s.sent)
		}
	}
	if _, ok := next.gap(behind); ok && next.more == 0 {
		f.kept = max(f.kept, next.sent)
	}
	if s.first == never {
		s.first = next.first
	}
	s.done = max(s.done, next.done)
	t.longest = max(t.longest, s.done.Sub(s.begins()))
	s.more += 1 + next.more
}

// reweigh counts what is kept of undecided connections.
func (a *Auditor) reweigh() {
	a.weight, a.ripe = 0, 0
	for _, t := range a.open {
		a.weight += weightOfTalk + weightOfSpan*len(t.spans)
	}
	for _, c := range a.fresh {
		a.ripe += c.weight()
	}
	a.weight += a.ripe
}

// worthFolding reports whether there are more spans than a weight that may be folded, or more
// marks of which some may be of no use.
func (a *Auditor) worthFolding(weight int) bool {
	n := len(a.marks)/2 - 4*weight
	for _, t := range a.open {
		n += max(0, len(t.spans)-1-recent)
	}
	for _, c := range a.fresh {
		n += max(0, len(c.spans)-1-recent)
	}
	return n > weight
}

// bound keeps the memory of undecided connections within the limit: exchanges that nobody asks
// for are summed up; then the older half of those whose records have come is decided; then
// what is asked for is summed up, too.
func (a *Auditor) bound() {
	limit := a.config.Limit * weightOfConn
	held := func() int { return a.weight + len(a.marks)*weightOfSpan/2 }
	if held() <= max(limit/2, a.patience) {
		return
	}
	if a.worthFolding(limit / 16) {
		a.fold(false) // it loses nothing
	}
	// Where open connections have most of it, little is won by deciding a few others.
	if held() > limit && a.ripe > limit/16 {
		a.shed()
	}
	if held() > limit {
		a.fold(true)
	}
	// Marks that are not there leave unknown what would have been asked, and no more.
	if room := limit / 4 * 2 / weightOfSpan; held() > limit && len(a.marks) > room {
		slices.SortFunc(a.marks, func(x, y mark) int { return cmp.Compare(x.at, y.at) })
		a.marks = slices.Clone(a.marks[len(a.marks)-room:])
	}
	// It is not worth doing again for the next connection.
	a.patience = held() + limit/8
}
