// Package audit says of observed connections why each was opened, what that took, and
// whose setting ends it. It has no sockets and no clock: records of trace come in, in any
// order, and a [Result] comes out.
//
// An [Auditor] is the way in: [New], then [Auditor.WriteExchange] and [Auditor.WriteConnection] for
// each record, then [Auditor.End]. Its memory is bounded ([Config.Limit]), however much there is.
// A Result has causes with their prices, the limits that were seen, and findings: codes and
// figures, of which report/words makes sentences. audit/limit estimates limits, audit/predict what
// other connections would have done, and audit/change holds two results against each other.
//
// A cause is decided at a connection's SYN, as the client saw it: an idle, usable
// connection of its pool was open (IdleUnused); else it takes the place of the youngest
// connection of the pool that has ended and whose place nobody has taken, and has that one's
// reason; else all that were kept were busy (Concurrency); else it is the First.
package audit

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit/handshake"
	"linger/audit/limit"
	"linger/audit/predict"
	"linger/trace"
)

// A Config says what is looked at.
type Config struct {
	// At is where packets were recorded, if that is known.
	At trace.Peer
	// Began is when the recording did.
	Began linger.Instant
	// Limit bounds what is kept, in connections; an exchange counts as a sixteenth of one.
	// 0 is DefaultLimit. Where it does not suffice, causes of the older half are decided with
	// what is known then.
	Limit int
	// Each, if not nil, is called with each connection whose cause is decided, in no
	// particular order.
	Each func(Row)
	// WhatIf has the requests of each origin replayed, which takes as long as a quarter of
	// all else, for the pool that GroupRow.WithPool is about. PoolSize and PoolIdle are the pool that it is about: connections of each client to
	// an origin, and for how long they are kept. 0 is what remedies advise.
	WhatIf   bool
	PoolSize int
	PoolIdle time.Duration
	// Settings are asked for: Result.WhatIf has what each would have come to. Grid asks for
	// those of predict.Grid, of which Result.Grid has the outcomes.
	Settings []predict.Setting
	Grid     bool
	// Software is what servers and clients are, where they do not say so.
	Software string
}

// DefaultLimit is some 100 MB of connections; each client and server that is heard of takes
// half a kB beside.
const DefaultLimit = 120_000

// An Auditor takes in records: WriteConnection and WriteExchange for each, in any order
// in which an exchange comes no later than some records after its connection, then End. It
// is for one goroutine. It is a sink of what reads captures.
type Auditor struct {
	config Config
	began  linger.Instant
	latest linger.Instant

	open     map[int64]*talk // exchanges have come, the connection has not
	fresh    []*conn         // recorded, and not decided
	weight   int             // of those
	ripe     int             // the part of it that fresh has
	patience int             // the weight from which on bound does something again
	marks    []mark          // of the undecided
	silent   map[int64]mark  // the first Turn of connections of which no record has come
	hosts    [2]map[string]*host
	texts    map[string]string
	lists    map[string][]string

	pools    map[poolKey]*pool
	byClient map[*host][]*pool
	sole     map[*host]string // of servers with one name, of those that are being decided
	hops     hops
	tally    tally
	sessions handshake.Sessions
	// forgotten are pools and clients of which there is nothing any more.
	forgotten hashes
}

// New returns an Auditor.
func New(c Config) *Auditor {
	if c.Limit <= 0 {
		c.Limit = DefaultLimit
	}
	a := &Auditor{
		config: c, began: c.Began, latest: c.Began,
		open: map[int64]*talk{}, silent: map[int64]mark{}, texts: map[string]string{}, lists: map[string][]string{},
		hosts: [2]map[string]*host{{}, {}}, pools: map[poolKey]*pool{}, byClient: map[*host][]*pool{},
	}
	a.tally.init()
	return a
}

// text returns the one copy of a text.
func (a *Auditor) text(s string) string {
	if t, ok := a.texts[s]; ok {
		return t
	}
	if len(a.texts) > 1<<16 {
		return strings.Clone(s)
	}
	t := strings.Clone(s)
	a.texts[t] = t
	return t
}

// list returns the one copy of a list of names, as certificates have them.
func (a *Auditor) list(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	key := strings.Join(names, " ")
	l, ok := a.lists[key]
	if !ok {
		l = slices.Clone(names)
		if len(a.lists) < mostLists {
			a.lists[key] = l
		}
	}
	return l
}

// mostLists bounds the lists that are kept once.
const mostLists = 1 << 12

func (a *Auditor) host(side int, name string) *host {
	h := a.hosts[side][name]
	if h == nil {
		h = &host{name: strings.Clone(name), last: never}
		if side == 1 {
			h.counts = &limit.Counts{}
		}
		a.hosts[side][h.name] = h
	}
	return h
}

// WriteExchange takes in an exchange. It keeps nothing of it but numbers.
func (a *Auditor) WriteExchange(e *trace.Exchange) error {
	if e.Connection < 0 {
		a.tally.unplaced++
		return nil
	}
	t := a.open[e.Connection]
	if t == nil {
		t = &talk{id: e.Connection, pair: a.pairOf(e.Connection)}
		a.open[e.Connection] = t
		a.weight += weightOfTalk
	}
	a.weight += weightOfSpan
	sum := sumOf(e)
	t.add(e, sum)
	if name := hostOf(e.URL); name != "" {
		t.https = t.https || t.asked == "" && strings.HasPrefix(e.URL, linger.SchemeHTTPS+":")
		t.asks(a.text(name), e.Status)
	}
	a.hops.add(e, sum)
	if d, ok := e.Done.Get(); ok {
		a.latest = max(a.latest, d)
	}
	a.bound()
	return nil
}

// WriteConnection takes in a connection.
func (a *Auditor) WriteConnection(r *trace.Connection) error {
	c := &conn{detail: &detail{}}
	if t := a.open[r.ID]; t != nil {
		c.talk = *t
		delete(a.open, r.ID)
		a.weight -= weightOfTalk + weightOfSpan*len(t.spans)
	} else {
		c.talk = talk{id: r.ID, pair: a.pairOf(r.ID)}
	}
	seen := max(r.Dialled, when(r.LastByte), when(r.Closed))
	a.latest = max(a.latest, seen)
	name := c.name
	c.take(r)
	if name != "" && !c.secure {
		c.name = name
	}
	c.name, c.protocol, c.agent, c.software = a.text(c.name), linger.Protocol(a.text(string(c.protocol))), a.text(c.agent), a.text(c.software)
	c.client, c.server = a.host(0, addressOf(r.Client)), a.host(1, r.Server)
	c.client.last, c.server.last = max(c.client.last, seen), max(c.server.last, seen)
	if c.otherName {
		c.client.mixes = true
	}
	if near, ok := c.near.Get(); ok {
		if least, known := c.client.near.Get(); !known || near < least {
			c.client.near = linger.Known(near)
		}
	}
	if far, ok := c.far.Get(); ok {
		if least, known := c.server.far.Get(); !known || far < least {
			c.server.far = linger.Known(far)
		}
	}
	c.server.software = cmp.Or(c.server.software, c.software)
	c.client.agent = cmp.Or(c.client.agent, c.agent)
	c.names = a.list(c.names)
	if t, ok := c.sealed.tls.Get(); ok {
		t.Version, t.ALPN, t.Alert = a.text(t.Version), a.text(t.ALPN), a.text(t.Alert)
		c.sealed.tls = linger.Known(t)
	}
	if len(c.names) > 0 && c.multiplexed {
		c.server.certify(c.name, c.names)
	}
	a.hops.place(c)
	at := c.recordedAt()
	a.tally.places[at]++
	c.client.here = c.client.here || at == atClient
	c.server.here = c.server.here || at == atServer
	c.client.used, c.server.used = c.client.used || c.carried(), c.server.used || c.carried()
	a.fresh = append(a.fresh, c)
	weight := c.weight()
	a.weight += weight
	a.ripe += weight
	a.bound()
	return nil
}

// Ignore says that a connection is not looked at.
func (a *Auditor) Ignore(id int64) error {
	if t := a.open[id]; t != nil {
		a.weight -= weightOfTalk + weightOfSpan*len(t.spans)
		delete(a.open, id)
	}
	delete(a.silent, id)
	a.tally.filtered++
	return nil
}

// shed decides the older half of what is kept, so that it can be let go of.
func (a *Auditor) shed() {
	if len(a.fresh) < 2 {
		return
	}
	opened := make([]linger.Instant, len(a.fresh))
	for i, c := range a.fresh {
		opened[i] = c.opened
	}
	slices.Sort(opened)
	a.tally.settled += int64(len(a.fresh) / 2)
	a.settle(opened[len(opened)/2], false)
	a.prune()
	if limit := a.config.Limit * weightOfConn; a.past() > limit {
		a.forget(limit / 2)
	}
}

// settle decides the connections that were opened by an instant.
func (a *Auditor) settle(until linger.Instant, last bool) {
	findPolls(a.fresh)
	for _, c := range a.fresh {
		if !c.concluded {
			c.finish()
			c.conclude()
			c.concluded = true
			if e := &c.end; e.at != never && (e.reason == ServerIdle || e.reason == ServerSaysClose || e.reason == ServerClosesAtOnce) {
				c.server.closings = append(c.server.closings, closing{e.at, c})
			}
		}
	}
	for _, h := range a.hosts[1] {
		h.restarts()
	}
	for _, c := range a.fresh {
		if !c.counted {
			c.learn(a.latest)
			c.counted = true
		}
	}
	for _, c := range a.fresh {
		c.explain()
	}
	slices.SortStableFunc(a.fresh, func(x, y *conn) int { return cmp.Compare(x.opened, y.opened) })
	n := len(a.fresh)
	if !last {
		n, _ = slices.BinarySearchFunc(a.fresh, until+1, func(c *conn, t linger.Instant) int { return cmp.Compare(c.opened, t) })
	}
	now := a.fresh[:n]
	a.nameThem(now)
	a.sole = soleNames(now)
	a.findChecks(now)
	for _, c := range now {
		if c.class == Check || c.class == Datagrams {
			continue
		}
		a.judge(c)
		c.pool = a.poolOf(c)
		a.decide(c)
	}
	for _, p := range a.pools {
		p.advance(until)
		p.resolveFull()
		p.atOnce = nil
	}
	for _, c := range now {
		a.count(c)
	}
	byPool := inPools(now)
	a.peaks(byPool)
	if last {
		a.whatIf(byPool)
	}
	for _, c := range now {
		c.forget(until)
	}
	for _, h := range a.hosts[1] {
		h.closings = slices.DeleteFunc(h.closings, func(c closing) bool { return c.at <= until.Add(-togetherness) })
	}
	a.fresh = slices.Clone(a.fresh[n:])
	a.marks = slices.DeleteFunc(a.marks, func(m mark) bool { return m.at <= until })
	a.reweigh()
}

// poolOf returns the connection's pool: client, destination and SNI; in the clear, Host
// belongs to it only where the client never sent two Hosts on one connection.
func (a *Auditor) poolOf(c *conn) *pool {
	k := poolKey{client: c.client, server: c.server, name: c.name, udp: c.udp, bare: c.withoutCredentials()}
	if !c.secure && c.client.mixes {
		k.name = ""
	}
	p := a.pools[k]
	if p == nil {
		p = &pool{key: k, label: c.name, began: a.forgotten.has(k.hash()), next: linger.Never}
		a.pools[k] = p
		a.byClient[c.client] = append(a.byClient[c.client], p)
	}
	return p
}

// nameThem gives connections whose requests were not recorded the name that all others of
// their client and server have.
func (a *Auditor) nameThem(now []*conn) {
	names := map[checkKey]string{}
	for _, c := range now {
		if c.name == "" || c.secure {
			continue
		}
		pair := checkKey{c.client, c.server, 0}
		if name, ok := names[pair]; ok && name != c.name {
			names[pair] = "" // there are several
			continue
		}
		names[pair] = c.name
	}
	for _, c := range now {
		if c.name == "" && !c.secure && !c.opaque {
			c.name = names[checkKey{c.client, c.server, 0}]
		}
	}
}

// soleNames are the names of servers that have one: a row has it of a connection, too, on
// which no request could be read.
func soleNames(now []*conn) map[*host]string {
	out := map[*host]string{}
	for _, c := range now {
		if c.name == "" {
			continue
		}
		if name, ok := out[c.server]; ok && name != c.name {
			out[c.server] = ""
			continue
		}
		out[c.server] = c.name
	}
	return out
}

// originOf is whose row has a connection to a server.
func (a *Auditor) originOf(name string, server *host) groupKey {
	return groupKey{cmp.Or(name, a.sole[server]), server.name}
}

// findChecks marks what is a health check: a connection that is kept for checks alone, or
// connections of one client and server with one small request each, all the same, at even
// distances. One of these has to be of a kind that checks
// ask for, or to stand beside other traffic of the client with the server, which never asks
// for that.
func (a *Auditor) findChecks(now []*conn) {
	groups, others := map[checkKey][]*conn{}, map[checkKey]map[uint64]bool{}
	for _, c := range now {
		if c.class != Requests || c.requests == 0 {
			continue
		}
		if keptCheck(c) {
			c.class = Check
			continue
		}
		if c.requests == 1 && !c.beganBefore && c.small {
			k := checkKey{c.client, c.server, c.first}
			groups[k] = append(groups[k], c)
		} else {
			pair := checkKey{c.client, c.server, 0}
			if others[pair] == nil {
				others[pair] = map[uint64]bool{}
			}
			others[pair][c.first] = true
		}
	}
	for k, g := range groups {
		beside := others[checkKey{k.client, k.server, 0}]
		looks := g[0].checkLook
		if known := a.tally.checks[k]; !known && !(looks && len(g) >= leastChecks || len(beside) > 0 && !beside[k.first] && len(g) >= 8) || !known && !even(g, looks) {
			continue
		}
		a.tally.checks[k] = true
		for _, c := range g {
			c.class = Check
		}
	}
}

type checkKey struct {
	client, server *host
	first          uint64
}

// leastChecks is how many there are at least where they look like checks.
const leastChecks = 4

// keptCheck reports whether a connection is kept for health checks alone, as Envoy does: they
// look like checks, are all for one thing, and come at even distances.
func keptCheck(c *conn) bool {
	if c.requests < leastChecks || len(c.spans) != c.requests || c.otherPath || !c.small || !c.checkLook {
		return false
	}
	sent := make([]linger.Instant, len(c.spans))
	for i, s := range c.spans {
		if sent[i] = s.begins(); sent[i] == never {
			return false
		}
	}
	return evenly(sent, true)
}

// even reports whether connections were opened at even distances.
func even(g []*conn, looks bool) bool {
	opened := make([]linger.Instant, len(g))
	for i, c := range g {
		opened[i] = c.opened
	}
	return evenly(opened, looks)
}

// evenly reports whether instants are at even distances of half a second or more, within a
// twentieth, or of what looks like checks within a fifth.
func evenly(at []linger.Instant, looks bool) bool {
	var gaps []time.Duration
	for i := 1; i < len(at); i++ {
		gaps = append(gaps, at[i].Sub(at[i-1]))
	}
	slices.Sort(gaps)
	middle, n := gaps[len(gaps)/2], 0
	off := middle / 20
	if looks {
		off = middle / 5
	}
	for _, d := range gaps {
		if d >= middle-off && d <= middle+off {
			n++
		}
	}
	return middle >= limit.Idles && 5*n >= 4*len(gaps)
}

// End says when the recording ended, and returns what was found.
func (a *Auditor) End(ended linger.Instant) *Result {
	a.latest = max(a.latest, ended)
	// Exchanges whose connection never came.
	for id, t := range a.open {
		a.tally.unplaced += int64(t.requests)
		delete(a.open, id)
	}
	a.open, a.silent, a.marks = nil, nil, nil
	a.settle(linger.Instant(math.MaxInt64-int64(time.Hour)), true)
	return a.result()
}
