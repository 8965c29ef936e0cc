package infer

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// split takes a URL apart: its scheme, its authority in lower case, with the port
// only where that is not the scheme's own, and its request target. What may not
// stand in an authority becomes a hyphen.
func split(url string) (scheme, authority, path string) {
	scheme, rest, ok := strings.Cut(withoutFragment(url), "://")
	if !ok {
		scheme, rest = linger.SchemeHTTP, scheme
	}
	scheme = strings.ToLower(scheme)
	authority, path = rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if path[0] == '?' {
		path = "/" + path
	}
	authority = strings.ToLower(authority[strings.LastIndexByte(authority, '@')+1:])
	authority = strings.TrimSuffix(authority, ":")
	authority = strings.TrimSuffix(authority, ":"+linger.SchemePort(scheme))
	const longest = 255
	return scheme, strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', strings.ContainsRune(".-_~:[]", r):
			return r
		}
		return '-'
	}, authority[:min(len(authority), longest)]), linger.EscapeURL(path)
}

// findOrigins gives each exchange its origin: one for each scheme, host and port. As
// all is fetched over one scheme, an origin of the other has its port in its name.
func (b *builder) findOrigins() {
	b.folded = map[string]bool{}
	names := make([]string, len(b.seen))
	all := map[string]bool{}
	for i, x := range b.seen {
		scheme, name, _ := split(x.URL)
		if scheme != b.scheme() && linger.SchemePort(scheme) != "" && !hasPort(name) {
			name += ":" + linger.SchemePort(scheme)
		}
		names[i] = name
		all[name] = true
	}
	const others = "other-origins"
	for _, name := range names {
		at, ok := b.index[name]
		if !ok && len(all) > linger.MaxOrigins && len(b.index) >= linger.MaxOrigins-1 {
			b.folded[name] = true
			name = others
			at, ok = b.index[name]
		}
		if !ok {
			at = len(b.origins)
			b.index[name] = at
			b.origins = append(b.origins, linger.Origin{Name: name})
		}
		b.originOf = append(b.originOf, at)
	}
}

// hasPort reports whether an authority names a port.
func hasPort(authority string) bool {
	return strings.LastIndexByte(authority, ':') > strings.LastIndexByte(authority, ']')
}

// rtts is what was found of the round trips to the origins.
type rtts struct {
	nearest, farthest time.Duration
	halved            int // origins whose handshake was halved
	unknown           int // origins
	delayed           int // exchanges
	longest           time.Duration
	cut               int // exchanges whose delay was
}

// measure finds the round trips to the origins, and from them what the servers
// needed.
func (b *builder) measure() {
	trips := make([]linger.Opt[time.Duration], len(b.origins))
	rough := make([]linger.Opt[time.Duration], len(b.origins)) // not less than a round trip
	least := func(of *linger.Opt[time.Duration], d time.Duration) {
		if was, ok := of.Get(); d > 0 && (!ok || d < was) {
			*of = linger.Known(d)
		}
	}
	connections := make(map[int64]trace.Connection, len(b.trace.Connections))
	for _, c := range b.trace.Connections {
		connections[c.ID] = c
	}
	for i, x := range b.seen {
		c, ok := connections[x.Connection]
		if !ok {
			continue
		}
		delete(connections, x.Connection) // it belongs to its first exchange's origin
		at := b.originOf[i]
		established, ok := c.Established.Get()
		connected, ok2 := c.Connected.Get()
		switch {
		case ok:
			least(&trips[at], established.Sub(c.Dialled))
		case ok2 && c.Protocol.OverQUIC():
			least(&trips[at], connected.Sub(c.Dialled))
		case ok2 && c.Secured.IsZero():
			// TCP's handshake and TLS's take two round trips at the least (RFC 8446, 2).
			least(&rough[at], connected.Sub(c.Dialled)/2)
		}
	}
	for i, x := range b.seen {
		if wait, ok := waited(x); ok && !rough[b.originOf[i]].IsZero() {
			least(&rough[b.originOf[i]], wait)
		}
	}
	for i := range trips {
		if trips[i].IsZero() && !rough[i].IsZero() {
			trips[i] = rough[i]
			b.rtt.halved++
		}
		trip, ok := trips[i].Get()
		if !ok {
			b.rtt.unknown++
			continue
		}
		if b.rtt.nearest == 0 || trip < b.rtt.nearest {
			b.rtt.nearest = trip
		}
		b.rtt.farthest = max(b.rtt.farthest, trip)
	}
	for i, trip := range trips {
		if d, ok := trip.Get(); ok {
			b.origins[i].ExtraRTT = linger.Known(min(d-b.rtt.nearest, maxExtra).Round(precision))
		}
	}
	responses := busyTimes(b.seen)
	for i, x := range b.seen {
		if trip, ok := trips[b.originOf[i]].Get(); ok {
			b.delay(i, trip, responses[x.Connection])
		}
	}
}

const (
	// maxExtra bounds how much farther an origin is taken to be; what seems to be
	// beyond it is a SYN that was lost.
	maxExtra = 3 * time.Second
	// precision is as exact as a recorder's times are, and more.
	precision = 100 * time.Microsecond
)

// waited is how long the first byte of a response took.
func waited(x trace.Exchange) (time.Duration, bool) {
	sent, ok := x.Sent.Get()
	first, ok2 := x.FirstByte.Get()
	return first.Sub(sent), ok && ok2 && first > sent
}

// delay is what exchange i waited for the server, which is one round trip away, and
// not for other responses on its connection.
func (b *builder) delay(i int, trip time.Duration, responses busy) {
	x := b.seen[i]
	wait, ok := waited(x)
	if !ok {
		return
	}
	d := (wait - trip - responses.within(x.Sent.Or(0), x.FirstByte.Or(0))).Round(precision)
	if d <= 0 {
		return
	}
	if d > maxDelay {
		d = maxDelay
		b.rtt.cut++
	}
	b.rtt.delayed++
	b.rtt.longest = max(b.rtt.longest, d)
	b.out[i].Delay = d
}

// busy is when responses came in on a connection: spans apart from each other, in
// order, with how much there was of them before each.
type busy []struct {
	from, to linger.Instant
	before   time.Duration
}

// add takes up a span that begins no earlier than those before it.
func (s busy) add(from, to linger.Instant) busy {
	if n := len(s); n > 0 && from <= s[n-1].to {
		s[n-1].to = max(s[n-1].to, to)
		return s
	}
	before := time.Duration(0)
	if n := len(s); n > 0 {
		before = s[n-1].before + s[n-1].to.Sub(s[n-1].from)
	}
	return append(s, busy{{from, to, before}}...)
}

// until is how much of it there was before an instant.
func (s busy) until(t linger.Instant) time.Duration {
	n := sort.Search(len(s), func(i int) bool { return s[i].from >= t })
	if n == 0 {
		return 0
	}
	return s[n-1].before + min(t, s[n-1].to).Sub(s[n-1].from)
}

func (s busy) within(from, to linger.Instant) time.Duration { return s.until(to) - s.until(from) }

// busyTimes are those of each connection.
func busyTimes(seen []trace.Exchange) map[int64]busy {
	out := map[int64]busy{}
	order := slices.Clone(seen)
	slices.SortStableFunc(order, func(x, y trace.Exchange) int { return cmp.Compare(x.FirstByte.Or(0), y.FirstByte.Or(0)) })
	for _, x := range order {
		from, ok := x.FirstByte.Get()
		to, ok2 := x.Done.Get()
		if ok && ok2 && from < to && x.Connection >= 0 {
			out[x.Connection] = out[x.Connection].add(from, to)
		}
	}
	return out
}

// notes say what was found and guessed.
func (r rtts) notes(b *builder) (out []string) {
	all := len(b.origins)
	milli := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	if r.unknown == all {
		return []string{"no handshake was timed: all origins taken for equally far, their servers for needing no time"}
	}
	if r.unknown > 0 {
		out = append(out, fmt.Sprintf("no handshake was timed of %d of %d origins: taken for the nearest, their servers for needing no time", r.unknown, all))
	}
	if all > 1 {
		out = append(out, fmt.Sprintf("round trips by the shortest handshake: %v to the nearest origin, which is at the end of the network, up to %v to others", milli(r.nearest), milli(r.farthest)))
	}
	if r.halved > 0 {
		out = append(out, fmt.Sprintf("TCP's and TLS's handshakes not told apart: half of both, or the least wait, taken for a round trip to %s", linger.Plural(r.halved, "origin")))
	}
	if r.delayed > 0 {
		out = append(out, fmt.Sprintf("waits beyond a round trip, and beyond other responses on the connection, taken for the server's: %s, up to %v", linger.Plural(r.delayed, "exchange"), milli(r.longest)))
	}
	if r.cut > 0 {
		out = append(out, fmt.Sprintf("servers taken to need no more than %v: %s", maxDelay, linger.Plural(r.cut, "exchange")))
	}
	return out
}
