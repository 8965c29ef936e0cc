package compare

import (
	"math"
	"slices"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/stats"
	"linger/trace"
)

// DNS is what one strategy's look-ups come to.
type DNS struct {
	// Asked counts the queries of all trials that ended, whole or not; each was
	// Answered or has Failed for a reason, which the caveats tell. To be told that there
	// is no such name is an answer. NotAsked counts those that were never wanted, since
	// what leads to them had failed.
	Asked    int `json:"asked"`
	Answered int `json:"answered"`
	Failed   int `json:"failed"`
	NotAsked int `json:"not_asked,omitzero"`
	// Retransmitted counts the datagrams that the client retransmitted since no answer had
	// come in time; Truncated the answers that did not fit into one, so that the query
	// was asked again over TCP. Of all trials too; unknown but over UDP.
	Retransmitted linger.Opt[int] `json:"retransmitted,omitzero"`
	Truncated     linger.Opt[int] `json:"truncated,omitzero"`
	// Time is Row.Request, by the name that it had when only queries had one.
	Time linger.Opt[Spread] `json:"query_ms,omitzero"`
	// Bytes and Packets are those of the link, both ways, divided by the queries that
	// were answered: handshakes, acknowledgements and closing included.
	Bytes   linger.Opt[float64] `json:"bytes_per_query,omitzero"`
	Packets linger.Opt[float64] `json:"packets_per_query,omitzero"`
	// Kept is what a kept connection comes to, known where the strategy that differs
	// in nothing but keeping was tried beside it.
	Kept linger.Opt[Kept] `json:"kept,omitzero"`
	// IdleLimit is how long the server said that a connection may be without a query
	// (RFC 7828; RFC 9000, 10.1), in ms, and ClosedAfter how long one had been without
	// a query, at least, that the server closed while nothing was outstanding on it. A
	// close that may have followed the last answer is none of idleness.
	IdleLimit   linger.Opt[float64] `json:"idle_limit_ms,omitzero"`
	ClosedAfter linger.Opt[float64] `json:"closed_idle_after_ms,omitzero"`
}

// Kept parts what a kept connection takes into what it takes once and what each query
// takes, bytes and packets of the link both ways. A connection for one query takes
// SetUp and Query together, one that carries n queries SetUp and n times Query: two
// equations with two unknowns, which say nothing where n is less than 2.
type Kept struct {
	SetUpBytes   float64 `json:"setup_bytes"`
	SetUpPackets float64 `json:"setup_packets"`
	QueryBytes   float64 `json:"query_bytes"`
	QueryPackets float64 `json:"query_packets"`
	// BeatsUDP is whether it can take fewer bytes than as many queries over UDP, where
	// udp was tried, and From from how many queries on a connection it does. It never
	// does where each query takes at least as much as a datagram in each direction.
	BeatsUDP linger.Opt[bool] `json:"beats_udp_in_bytes,omitzero"`
	From     linger.Opt[int]  `json:"beats_udp_in_bytes_from,omitzero"`
}

// dnsOf is what the look-ups of all trials that ended come to.
func dnsOf(s linger.Strategy, ended []*trace.Trace, rtt time.Duration) (o linger.Opt[DNS]) {
	if s.DNS == "" || len(ended) == 0 {
		return o
	}
	r := requestsOf(ended)
	d := DNS{Asked: len(r.took) + r.failed, Answered: len(r.took), Failed: r.failed, NotAsked: r.unasked, Time: r.spread()}
	closed := math.Inf(1)
	resent, cut := 0, 0
	for _, t := range ended {
		for _, e := range t.Exchanges {
			if unasked(t, e) {
				continue
			}
			cut += btoi(e.Truncated)
			resent += facts.Resent(e)
		}
		for _, gap := range facts.IdleEnds(t, rtt) {
			closed = min(closed, gap)
		}
	}
	if s.Datagram {
		d.Retransmitted, d.Truncated = linger.Known(resent), linger.Known(cut)
	}
	if !math.IsInf(closed, 1) {
		d.ClosedAfter = linger.Known(stats.Round(closed, 1e-3))
	}
	d.IdleLimit = facts.Median(ended, facts.AnnouncedIdleLimit)
	d.Bytes = rounded(facts.Median(ended, facts.PerQuery(trace.Flow.Bytes)), 1e-2)
	d.Packets = rounded(facts.Median(ended, facts.PerQuery(facts.Packets)), 1e-3)
	return linger.Known(d)
}

// carriesEnough is how many queries a connection must carry for what each takes to be
// told from what a connection takes: of fewer, noise in either is multiplied by n / (n - 1).
const carriesEnough = 2

// keepings parts what each kept strategy takes, by the one that differs from it in
// nothing but keeping.
func keepings(cases []*measured) {
	var udp linger.Opt[float64] // bytes for a query
	if c := plainUDP(cases); c != nil {
		udp = c.row.DNS.Or(DNS{}).Bytes
	}
	for _, c := range cases {
		d, ok := c.row.DNS.Get()
		if single := unkept(cases, c); ok && single != nil {
			d.Kept = keptOf(single.inside, c.inside, c.row.RequestsPerConnection.Or(0), udp)
			c.row.DNS = linger.Known(d)
		}
	}
}

// keptOf parts what queries take on connections that carry n of them, by what they take on one
// each, and holds that against so many bytes over UDP.
func keptOf(single, kept inside, n float64, udp linger.Opt[float64]) (o linger.Opt[Kept]) {
	setUpBytes, queryBytes, ok := parted(single.queryBytes, kept.queryBytes, n)
	setUpPackets, queryPackets, ok2 := parted(single.queryPackets, kept.queryPackets, n)
	if !ok || !ok2 {
		return o
	}
	k := Kept{
		SetUpBytes: stats.Round(setUpBytes, 1e-2), QueryBytes: stats.Round(queryBytes, 1e-2),
		SetUpPackets: stats.Round(setUpPackets, 1e-2), QueryPackets: stats.Round(queryPackets, 1e-2),
	}
	if u, ok := udp.Get(); ok {
		from, beats := breakEven(k.SetUpBytes, k.QueryBytes, u)
		if k.BeatsUDP = linger.Known(beats); beats {
			k.From = linger.Known(from)
		}
	}
	return linger.Known(k)
}

// parted solves what a connection takes to be set up and what each query takes, from a query on
// a connection of its own and on one that carries n.
func parted(single, kept linger.Opt[float64], n float64) (setUp, query float64, ok bool) {
	one, ok := single.Get()
	each, ok2 := kept.Get()
	if !ok || !ok2 || n < carriesEnough {
		return 0, 0, false
	}
	query = (n*each - one) / (n - 1)
	return one - query, query, query > 0
}

// breakEven is the least n for which setUp + n query < n other, and false where there
// is none.
func breakEven(setUp, query, other float64) (n int, ok bool) {
	if query >= other {
		return 0, false
	}
	return max(1, int(math.Floor(setUp/(other-query)))+1), true
}

// unkept is the strategy that differs from a kept one of DNS in keeping, and in how
// many are then at once.
func unkept(cases []*measured, c *measured) *measured {
	if !c.Strategy.Persistent || c.Strategy.Resume && !c.Strategy.EarlyData {
		return nil // whose first connection is not as the others
	}
	i := slices.IndexFunc(cases, func(o *measured) bool {
		a, b := o.Strategy, c.Strategy
		return !a.Persistent && !a.Datagram && a.DNS == b.DNS && a.Version == b.Version && a.Get == b.Get &&
			a.Resume == b.Resume && a.EarlyData == b.EarlyData && a.FastOpen == b.FastOpen
	})
	if i < 0 {
		return nil
	}
	return cases[i]
}

// plainUDP is the first case over UDP, or nil.
func plainUDP(cases []*measured) *measured {
	if i := slices.IndexFunc(cases, func(c *measured) bool { return c.Strategy.Datagram }); i >= 0 {
		return cases[i]
	}
	return nil
}
