// Package timeline keeps of audited connections what a drawing over time needs, in bounded memory:
// how many were opened in each bin of time and why, by origin and by client ([Lane]), and some of
// them singly, with their requests ([Single]).
//
// A [Collector] is the way in: [Collector.Exchange] and [Collector.Connection] for each record,
// [Collector.Row] for each connection whose cause is decided, then [Collector.End]. What it keeps
// singly depends on the input alone: the connections that findings name as evidence, those before
// them whose place they took, and of all others one in n, by a hash of their order, n as small as fits. It has
// no words, no clock and no luck.
package timeline

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit"
	"linger/trace"
)

// Bounds of what is kept, whatever there is.
const (
	// MostSingles is how many connections are kept singly; a tenth of it is for evidence, beside.
	MostSingles = 16_384
	// MostRequests is how many requests of a connection are kept, MostExchanges of all.
	MostRequests  = 200
	MostExchanges = 65_536
	// mostPending bounds the requests, and the connections, whose row has not come.
	mostPending = 1 << 18
	// mostRecent is how many connections that were let go of are remembered, for those whose
	// place they are found to have had.
	mostRecent = 4096
	// mostTexts bounds the texts that are kept once.
	mostTexts = 1 << 16
	// mostLetters bounds what is kept of a path.
	mostLetters = 100
)

// never is an instant that is not known.
const never = linger.Instant(-1 << 63)

// Kinds of connections that have no cause.
const (
	BeganBefore = "began-before"
	check       = string(audit.Check)
)

// A Kind is a cause's code, or of a connection without one its class, or BeganBefore.
type Kind string

// KindOf is the kind of a connection.
func KindOf(r audit.Row) Kind {
	switch {
	case r.Class != audit.Requests:
		return Kind(r.Class)
	case r.BeganBefore:
		return BeganBefore
	}
	return Kind(r.Cause)
}

// Kinds are all that there are, causes first.
func Kinds() []Kind {
	var out []Kind
	for _, c := range audit.Causes() {
		out = append(out, Kind(c.Code))
	}
	return append(out, BeganBefore, Kind(check), Kind(audit.Streaming), Kind(audit.Datagrams))
}

// An Exchange is a request of a single connection.
type Exchange struct {
	// Sent, First and Done are when the request was sent, and when the first and the last byte
	// of its response passed, as they were seen.
	Sent, First, Done linger.Opt[linger.Instant]
	// Text is the method and, unless names are redacted, the path without its query; empty is
	// not known.
	Text   string
	Status int
	Bytes  int64 // of the response, with its head
	// Inferred says that it is concluded from sizes and times.
	Inferred bool
}

// A Single is a connection that is kept singly.
type Single struct {
	audit.Row
	// SYNACK, Established, Secured and Announced are as in the connection's record.
	SYNACK, Established, Secured, Announced linger.Opt[linger.Instant]
	AnnouncedBy                             trace.Peer
	// Closed is when it ended, or was last seen; unknown where it was open at the end.
	Closed linger.Opt[linger.Instant]
	// OriginLane and ClientLane are its lanes.
	OriginLane, ClientLane int
	Evidence               bool // a finding names it
	// Exchanges are the first ones, Left how many of its requests are not among them.
	Exchanges []Exchange
	Left      int
}

// A Timeline is what is to be drawn.
type Timeline struct {
	Ended linger.Instant
	// Width is how long a bin is; there are so many Bins from the beginning on.
	Width time.Duration
	Bins  int
	// Connections is how many there were, of every kind.
	Connections int
	// Each says that one connection in so many is kept singly, but for evidence; 1 is that all are.
	Each    int
	Singles []Single // in the order in which they were opened
	// Origins and Clients are those with the most connections, and last the others together, if
	// there are any.
	Origins, Clients []Lane
	// Requests are how many connections carried so many requests, of those that were seen to
	// begin and carried any: from Requests[i].From to its To.
	Requests []Bucket
}

// A Bucket counts connections by how many requests they carried.
type Bucket struct{ From, To, Connections int }

// Whole reports whether every connection is kept singly.
func (t *Timeline) Whole() bool { return t.Each == 1 && len(t.Singles) == t.Connections }

// A pending is a connection whose row has not come.
type pending struct {
	number    int // in which order they came
	record    bool
	one       Single
	requests  int
	exchanges []Exchange
	shed      bool // its requests were let go of
}

// A Collector takes in what was seen. It is for one goroutine. A nil one takes in nothing.
type Collector struct {
	// Paths says that what was asked for may be shown.
	Paths bool

	pending  map[int64]*pending
	held     int // exchanges of those
	came     int
	each     int
	total    int
	texts    map[string]string
	evidence map[evidenceKey]int
	singles  []numbered
	proofs   []numbered
	recent   []numbered
	next     int // the place of recent that is overwritten next
	of       [2]lanes
	buckets  []int
	sum      int // of exchanges that are kept singly
}

// A numbered is a connection with the order in which it came.
type numbered struct {
	number int
	*Single
}

type evidenceKey struct {
	lane int
	kind Kind
}

// New returns a Collector.
func New() *Collector {
	return &Collector{
		Paths: true, pending: map[int64]*pending{}, each: 1, texts: map[string]string{}, evidence: map[evidenceKey]int{},
		of: [2]lanes{newLanes(), newLanes()},
	}
}

func (c *Collector) at(id int64) *pending {
	p := c.pending[id]
	if p == nil {
		p = &pending{number: c.came}
		c.came++
		c.pending[id] = p
		c.shed()
	}
	return p
}

// Exchange takes in an exchange.
func (c *Collector) Exchange(e *trace.Exchange) {
	if c == nil || e.Connection < 0 {
		return
	}
	p := c.at(e.Connection)
	p.requests++
	if p.shed || len(p.exchanges) >= MostRequests {
		return
	}
	x := Exchange{Sent: e.Sent, First: e.FirstByte, Done: e.Done, Status: e.Status, Bytes: e.ResponseHead + e.ResponseBody, Text: c.text(e), Inferred: e.Known == trace.Inferred}
	p.exchanges = append(p.exchanges, x)
	c.held++
	c.shed()
}

// text is what an exchange asked for.
func (c *Collector) text(e *trace.Exchange) string {
	s := e.Method
	if c.Paths && e.URL != "" {
		s += " " + pathOf(e.URL)
	}
	if t, ok := c.texts[s]; ok {
		return t
	}
	if len(c.texts) >= mostTexts {
		clear(c.texts)
	}
	s = strings.Clone(s)
	c.texts[s] = s
	return s
}

// pathOf is the path of a URL without query and fragment, cut where it is long.
func pathOf(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			url = rest[i:]
		} else {
			url = "/"
		}
	}
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	if len(url) > mostLetters {
		url = strings.ToValidUTF8(url[:mostLetters], "") + "…"
	}
	return url
}

// Connection takes in a connection's own record.
func (c *Collector) Connection(r *trace.Connection) {
	if c == nil {
		return
	}
	p := c.at(r.ID)
	p.record = true
	p.one.SYNACK, p.one.Established, p.one.Secured = r.SYNACK, r.Established, r.Secured
	p.one.Announced, p.one.AnnouncedBy, p.one.Closed = r.Announced, r.AnnouncedBy, r.Closed
	if r.Closed.IsZero() && !r.StillOpen {
		p.one.Closed = linger.Known(max(r.Dialled, r.LastByte.Or(never)))
	}
}

// Ignore says that a connection is not looked at.
func (c *Collector) Ignore(id int64) {
	if c == nil {
		return
	}
	if p := c.pending[id]; p != nil {
		c.held -= len(p.exchanges)
		delete(c.pending, id)
	}
}

// shed lets go of requests that are hardly kept in the end: those of connections that are not one
// of each n, and in need of all.
func (c *Collector) shed() {
	if c.held <= mostPending && len(c.pending) <= mostPending {
		return
	}
	for each := max(2, c.each); c.held > mostPending/2 || len(c.pending) > mostPending/2; each *= 2 {
		for id, p := range c.pending {
			if among(p.number, each) && each < mostPending {
				continue
			}
			c.held -= len(p.exchanges)
			p.exchanges, p.shed = nil, true
			if len(c.pending) > mostPending/2 {
				delete(c.pending, id)
			}
		}
	}
}

// Row takes in a connection whose cause is decided.
func (c *Collector) Row(r audit.Row) {
	if c == nil {
		return
	}
	p := c.pending[r.ID]
	if p == nil {
		p = &pending{number: c.came, shed: true}
		c.came++
	} else {
		c.held -= len(p.exchanges)
		delete(c.pending, r.ID)
	}
	one := p.one
	one.Row, one.Exchanges = r, p.exchanges
	one.Left = max(0, r.Requests-len(p.exchanges))
	if d, ok := r.Lasted.Get(); ok && one.Closed.IsZero() {
		one.Closed = linger.Known(r.Opened.Add(d))
	}
	c.total++
	kind := KindOf(r)
	ended := one.Closed.Or(never)
	if r.StillOpen {
		ended = never
	}
	one.OriginLane = c.of[0].add(r.Name, r.Server, kind, r.Opened, ended, r.Cause.Of().Avoidable)
	one.ClientLane = c.of[1].add("", hostOf(r.Client), kind, r.Opened, ended, r.Cause.Of().Avoidable)
	if r.Class == audit.Requests && !r.BeganBefore && r.Requests > 0 {
		c.count(r.Requests)
	}
	c.choose(numbered{p.number, &one}, kind)
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i > 0 && !strings.HasSuffix(address, "]") && (strings.Count(address, ":") == 1 || address[0] == '[') {
		return address[:i]
	}
	return address
}

// count counts the requests of a connection, in buckets that double.
func (c *Collector) count(requests int) {
	i := 0
	for ; requests > 1<<i; i++ {
	}
	for len(c.buckets) <= i {
		c.buckets = append(c.buckets, 0)
	}
	c.buckets[i]++
}

// choose keeps a connection singly, or lets it go.
func (c *Collector) choose(n numbered, kind Kind) {
	key := evidenceKey{n.OriginLane, kind}
	if named(n.Cause) && c.evidence[key] < audit.Shown && len(c.proofs) < MostSingles/10 {
		c.evidence[key]++
		n.Evidence = true
		c.keepProof(n)
		for _, r := range c.recent {
			if r.Single != nil && r.ID == n.Before && n.Before >= 0 && !among(r.number, c.each) {
				c.keepProof(r)
			}
		}
		return
	}
	if among(n.number, c.each) {
		c.singles = append(c.singles, n)
		c.sum += len(n.Exchanges)
		c.thin()
		return
	}
	if len(c.recent) < mostRecent {
		c.recent = append(c.recent, n)
		return
	}
	c.recent[c.next] = n
	c.next = (c.next + 1) % mostRecent
}

// among reports whether a connection is one of those that are kept of so many, a power of two.
// Those of twice as many are some of them. It goes by a hash, as what comes may have a period.
func among(number, each int) bool {
	h := uint64(number) * 0x9e3779b97f4a7c15 // 2^64 over the golden ratio (Knuth, 6.4)
	return h>>32&uint64(each-1) == 0
}

// named reports whether findings name connections of a cause.
func named(cause audit.Cause) bool {
	return cause.Of().Avoidable || cause == audit.Failure || cause == audit.Restart
}

func (c *Collector) keepProof(n numbered) {
	if !slices.ContainsFunc(c.proofs, func(p numbered) bool { return p.ID == n.ID }) {
		c.proofs = append(c.proofs, n)
		c.sum += len(n.Exchanges)
	}
}

// thin keeps fewer singly, if they are too many.
func (c *Collector) thin() {
	for len(c.singles) > MostSingles || c.sum > MostExchanges && len(c.singles) > 1 {
		before := len(c.singles)
		c.each *= 2
		c.singles = slices.DeleteFunc(c.singles, func(n numbered) bool {
			gone := !among(n.number, c.each)
			if gone {
				c.sum -= len(n.Exchanges)
			}
			return gone
		})
		if len(c.singles) == before && c.each > c.came {
			return
		}
	}
}

// End returns what is to be drawn of a recording that ended then.
func (c *Collector) End(ended linger.Instant) *Timeline {
	if c == nil {
		return nil
	}
	t := &Timeline{Ended: ended, Connections: c.total, Each: c.each}
	var places [2][]int
	t.Origins, places[0] = c.of[0].end()
	t.Clients, places[1] = c.of[1].end()
	width, bins := c.of[0].width, 0
	if len(t.Origins) > 0 {
		bins = int(max(ended, c.of[0].last)/linger.Instant(width)) + 1
	}
	t.Width, t.Bins = width, bins
	for _, n := range append(c.proofs, c.singles...) {
		n.OriginLane, n.ClientLane = places[0][n.OriginLane], places[1][n.ClientLane]
		t.Singles = append(t.Singles, *n.Single)
	}
	slices.SortStableFunc(t.Singles, func(a, b Single) int { return cmp.Or(cmp.Compare(a.Opened, b.Opened), cmp.Compare(a.ID, b.ID)) })
	for i, n := range c.buckets {
		from := 1
		if i > 0 {
			from = 1<<(i-1) + 1
		}
		t.Requests = append(t.Requests, Bucket{from, 1 << i, n})
	}
	return t
}

// Thinner returns the same with at most half of those connections singly that are no evidence.
func (t *Timeline) Thinner() *Timeline {
	out := *t
	out.Each, out.Singles = 2*t.Each, nil
	n := 0
	for _, s := range t.Singles {
		if !s.Evidence {
			if n++; n%2 == 0 {
				continue
			}
		}
		out.Singles = append(out.Singles, s)
	}
	return &out
}
