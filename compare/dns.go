package compare

import (
	"cmp"
	"math"
	"slices"
	"time"

	"linger"
	"linger/finding"
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
	// SentAgain counts the datagrams that the client sent once more since no answer had
	// come in time; Truncated the answers that did not fit into one, so that the query
	// was asked again over TCP. Of all trials too; unknown but over UDP.
	SentAgain linger.Opt[int] `json:"sent_again,omitzero"`
	Truncated linger.Opt[int] `json:"truncated,omitzero"`
	// Time is from wanting an answer to having it, connecting and waiting in line
	// included, over the queries of all trials. One that failed took longer than any that
	// was answered.
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

// Spread is how a figure of N is distributed. P95 and P99 are values that were seen, the
// least that no more than 5 or 1 of 100 exceed (nearest rank); they are unknown of fewer
// than 20 and 100. Failed of the N have no value and count as more than any: a quantile
// that falls on one of them is unknown too.
type Spread struct {
	N      int                 `json:"n"`
	Failed int                 `json:"failed,omitzero"`
	Median float64             `json:"median"`
	P95    linger.Opt[float64] `json:"p95,omitzero"`
	P99    linger.Opt[float64] `json:"p99,omitzero"`
}

// Of how many values quantiles are told.
const (
	enoughForP95 = 20
	enoughForP99 = 100
)

// spreadOf returns how values are distributed beside so many that have failed, and false
// where the median is not known.
func spreadOf(values []float64, failed int) (s Spread, ok bool) {
	sample := stats.Censored(values, make([]float64, failed))
	middle, ok := sample.Median()
	if !ok {
		return s, false
	}
	s = Spread{N: sample.N(), Failed: failed, Median: round(middle, 1e-3)}
	rank := func(q float64, least int) (o linger.Opt[float64]) {
		if v, ok := sample.NearestRank(q); ok && sample.N() >= least {
			o = linger.Known(round(v, 1e-3))
		}
		return o
	}
	s.P95, s.P99 = rank(0.95, enoughForP95), rank(0.99, enoughForP99)
	return s, true
}

// figures are the median, and the quantiles that are known.
func (s Spread) figures(of string) finding.Figures {
	out := finding.Figures{finding.Number("query_median", s.Median, "ms").Whose(of)}
	for _, q := range []struct {
		name  string
		value linger.Opt[float64]
	}{{"query_p95", s.P95}, {"query_p99", s.P99}} {
		if v, ok := q.value.Get(); ok {
			out = append(out, finding.Number(q.name, v, "ms").Whose(of))
		}
	}
	return out
}

// top is the highest quantile that so many values tell, +Inf where it has failed.
func (s Spread) top() float64 {
	switch {
	case s.N >= enoughForP99:
		return s.P99.Or(math.Inf(1))
	case s.N >= enoughForP95:
		return s.P95.Or(math.Inf(1))
	}
	return s.Median
}

// Kept parts what a kept connection takes into what it takes once and what each query
// takes, bytes and packets of the link both ways. A connection for one query takes
// SetUp and Query together, one that carries n queries SetUp and n times Query: two
// equations with two unknowns, which say nothing where n is less than 2.
type Kept struct {
	SetUpBytes   float64 `json:"set_up_bytes"`
	SetUpPackets float64 `json:"set_up_packets"`
	QueryBytes   float64 `json:"query_bytes"`
	QueryPackets float64 `json:"query_packets"`
	// BeatsUDP is whether it can take fewer bytes than as many queries over UDP, where
	// udp was tried, and From from how many queries on a connection it does. It never
	// does where each query takes at least as much as a datagram each way.
	BeatsUDP linger.Opt[bool] `json:"beats_udp_in_bytes,omitzero"`
	From     linger.Opt[int]  `json:"beats_udp_in_bytes_from,omitzero"`
}

// connections lists the connections of a trial: what is in its trace but for the sockets
// of UDP, which connect nothing.
func connections(t *trace.Trace) []trace.Connection {
	if !slices.ContainsFunc(t.Connections, connectionless) {
		return t.Connections
	}
	return slices.DeleteFunc(slices.Clone(t.Connections), connectionless)
}

// connectionless reports whether a connection of a trace is but a socket of UDP.
func connectionless(k trace.Connection) bool { return k.Protocol == "udp" }

// lookUp fills in what look-ups come to.
func (c *tried) lookUp() {
	if c.strategy.DNS == "" || len(c.ended) == 0 {
		return
	}
	var d DNS
	var took []float64
	closed := math.Inf(1)
	resent, cut := 0, 0
	for _, t := range c.ended {
		for _, e := range t.Exchanges {
			if e.Failed != "" && e.Attempts == 0 && e.Queued >= t.Ended {
				d.NotAsked++
				continue
			}
			d.Asked++
			cut += btoi(e.Truncated)
			resent += again(e)
			if e.Failed != "" || e.Done.IsZero() {
				d.Failed++
				continue
			}
			d.Answered++
			took = append(took, milliseconds(e.Done.Or(0).Sub(e.Queued)))
		}
		for _, gap := range idleEnds(t, c.rtt) {
			closed = min(closed, gap)
		}
	}
	if c.strategy.Datagram {
		d.SentAgain, d.Truncated = linger.Known(resent), linger.Known(cut)
	}
	if s, ok := spreadOf(took, d.Failed); ok {
		d.Time = linger.Known(s)
	}
	if !math.IsInf(closed, 1) {
		d.ClosedAfter = linger.Known(round(closed, 1e-3))
	}
	d.IdleLimit = median(c.ended, announced)
	d.Bytes = rounded(median(c.ended, perQuery(trace.Flow.Bytes)), 1e-2)
	d.Packets = rounded(median(c.ended, perQuery(packets)), 1e-3)
	c.row.DNS = linger.Known(d)
}

func packets(f trace.Flow) int64 { return f.Packets }

// again counts the datagrams of a query that were sent once more. The one over TCP
// that follows a truncated answer is none.
func again(e trace.Exchange) int { return max(0, e.Attempts-1-btoi(e.Truncated)) }

// perQuery is a figure of the link, both ways, for each query that was answered.
func perQuery(figure func(trace.Flow) int64) func(*trace.Trace) (float64, bool) {
	return func(t *trace.Trace) (float64, bool) {
		n := 0
		for _, e := range t.Exchanges {
			n += btoi(e.Failed == "" && !e.Done.IsZero())
		}
		up, down, ok := sum(t, figure)
		return (up + down) / float64(n), ok && n > 0
	}
}

// announced is the longest idle limit, in ms, that the server announced.
func announced(t *trace.Trace) (float64, bool) {
	limit, known := time.Duration(0), false
	for _, k := range t.Connections {
		if d, ok := k.IdleLimit.Get(); ok {
			limit, known = max(limit, d), true
		}
	}
	return milliseconds(limit), known
}

// parting is how long after the last answer a server may close for another reason than
// idleness: a farewell of several round trips, in which late packets can still come.
func parting(rtt time.Duration) time.Duration { return 8*rtt + 100*time.Millisecond }

// idleEnds lists how long, in ms, connections had been without a query when the server
// closed them, as far as that can have been the reason.
func idleEnds(t *trace.Trace, rtt time.Duration) []float64 {
	var gaps []float64
	last, on := lastDone(t), answers(t)
	for _, k := range connections(t) {
		end, ok := k.Closed.Get()
		since, ok2 := last[k.ID].Get()
		if ok && ok2 && k.ClosedBy == trace.AtServer && end < t.Ended && k.Requests == on[k.ID] && end.Sub(since) > parting(rtt) {
			gaps = append(gaps, milliseconds(end.Sub(since)))
		}
	}
	return gaps
}

// carriesEnough is how many queries a connection must carry for what each takes to be
// told from what a connection takes: of fewer, luck in either is multiplied by n / (n - 1).
const carriesEnough = 2

// keepings parts what each kept strategy takes, by the one that differs from it in
// nothing but keeping.
func keepings(cases []*tried) {
	for _, c := range cases {
		d, ok := c.row.DNS.Get()
		single := unkept(cases, c)
		if !ok || single == nil {
			continue
		}
		part := func(figure func(trace.Flow) int64) (setUp, query float64, ok bool) {
			one, ok := median(single.whole, perQuery(figure)).Get()
			n, ok2 := c.row.RequestsPerConnection.Get()
			each, ok3 := median(c.whole, perQuery(figure)).Get()
			if !ok || !ok2 || !ok3 || n < carriesEnough {
				return 0, 0, false
			}
			query = (n*each - one) / (n - 1)
			return one - query, query, query > 0
		}
		var k Kept
		var ok2 bool
		k.SetUpBytes, k.QueryBytes, ok = part(trace.Flow.Bytes)
		k.SetUpPackets, k.QueryPackets, ok2 = part(packets)
		if !ok || !ok2 {
			continue
		}
		for _, f := range []*float64{&k.SetUpBytes, &k.QueryBytes, &k.SetUpPackets, &k.QueryPackets} {
			*f = round(*f, 1e-2)
		}
		if udp := plainUDP(cases); udp != nil {
			if u, ok := udp.row.DNS.Or(DNS{}).Bytes.Get(); ok {
				n, ok := breakEven(k.SetUpBytes, k.QueryBytes, u)
				if k.BeatsUDP = linger.Known(ok); ok {
					k.From = linger.Known(n)
				}
			}
		}
		d.Kept = linger.Known(k)
		c.row.DNS = linger.Known(d)
	}
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
func unkept(cases []*tried, c *tried) *tried {
	if !c.strategy.Persistent || c.strategy.Resume && !c.strategy.EarlyData {
		return nil // whose first connection is not as the others
	}
	i := slices.IndexFunc(cases, func(o *tried) bool {
		a, b := o.strategy, c.strategy
		return !a.Persistent && !a.Datagram && a.DNS == b.DNS && a.Version == b.Version && a.Get == b.Get &&
			a.Resume == b.Resume && a.EarlyData == b.EarlyData && a.FastOpen == b.FastOpen
	})
	if i < 0 {
		return nil
	}
	return cases[i]
}

// plainUDP is the first case over UDP, or nil.
func plainUDP(cases []*tried) *tried {
	if i := slices.IndexFunc(cases, func(c *tried) bool { return c.strategy.Datagram }); i >= 0 {
		return cases[i]
	}
	return nil
}

// scheduled reports whether the workload, or the client's pace, says when each query is
// asked, so that all of them take as long as that, whatever the strategy.
func scheduled(in trace.Experiment) bool {
	if in.Workload.Scheme != linger.SchemeDNS || len(in.Workload.Exchanges) < 2 {
		return false
	}
	rated := !slices.ContainsFunc(in.Workload.Exchanges[1:], func(e linger.Exchange) bool {
		return e.Parent != linger.NoParent || e.Think == 0
	})
	return rated || paced(in)
}

// paced reports whether a client let time pass between queries that it knew of at the
// same instant.
func paced(in trace.Experiment) bool {
	type cause struct {
		parent int
		think  time.Duration
	}
	for _, traces := range in.Traces {
		for _, t := range traces {
			if !delivered(t, in.Workload) {
				continue
			}
			wanted := map[cause]linger.Instant{}
			for i, e := range in.Workload.Exchanges {
				at := cause{e.Parent, e.Think}
				if first, ok := wanted[at]; ok && t.Exchanges[i].Queued != first {
					return true
				}
				wanted[at] = t.Exchanges[i].Queued
			}
			break
		}
	}
	return false
}

// hasAnswers reports whether any query of a strategy was answered.
func hasAnswers(c *tried) bool { return c.row.DNS.Or(DNS{}).Answered > 0 }

// spread reports how the times of a strategy's queries are distributed, if their median
// is known.
func (c *tried) spread() (Spread, bool) { return c.row.DNS.Or(DNS{}).Time.Get() }

// perQuery compares the times of single queries, where that of all says nothing.
func (j *judgement) perQuery() {
	timed := filter(j.cases, func(c *tried) bool { _, ok := c.spread(); return ok })
	if len(timed) == 0 {
		return
	}
	spread := func(c *tried) Spread {
		s, _ := c.spread()
		return s
	}
	least := slices.MinFunc(timed, func(a, b *tried) int { return cmp.Compare(spread(a).top(), spread(b).top()) })
	most := slices.MaxFunc(timed, func(a, b *tried) int { return cmp.Compare(spread(a).top(), spread(b).top()) })
	f := finding.Finding{Code: QueryTimes, Subject: least.subject(), Figures: spread(least).figures(least.row.Strategy)}
	if most != least {
		f.Figures = append(f.Figures, spread(most).figures(most.row.Strategy)...)
	}
	j.add(f)
}

// lookUps tells what keeping comes to where names are looked up; whole says that the
// time of the load tells something.
func (j *judgement) lookUps(whole bool) {
	j.further()
	j.encrypted()
	j.bytesOverUDP()
	j.resent()
	j.truncated()
	if whole {
		j.inLine()
	}
	j.idle()
}

// further compares a query on a kept connection with one that has its own.
func (j *judgement) further() {
	var least, most *tried // by the share of the bytes that keeping saves
	share := func(c *tried) float64 {
		k := c.row.DNS.Or(DNS{}).Kept.Or(Kept{})
		return k.SetUpBytes / (k.SetUpBytes + k.QueryBytes)
	}
	for _, c := range j.cases {
		if k, ok := c.row.DNS.Or(DNS{}).Kept.Get(); !ok || k.SetUpBytes <= 0 {
			continue
		}
		if least == nil || share(c) < share(least) {
			least = c
		}
		if most == nil || share(c) > share(most) {
			most = c
		}
	}
	if least == nil {
		return
	}
	f := finding.Finding{Code: FurtherQuery, Subject: least.subject()}
	tell := func(c *tried) {
		k, _ := c.row.DNS.Or(DNS{}).Kept.Get()
		f.Figures = append(f.Figures, finding.Number("query_bytes", k.QueryBytes, "bytes").Whose(c.row.Strategy),
			finding.Number("query_bytes", k.QueryBytes+k.SetUpBytes, "bytes").Whose(unkept(j.cases, c).row.Strategy))
	}
	tell(least)
	if most != least {
		tell(most)
	}
	j.add(f)
}

// encrypted tells how many times the bytes encryption takes over the same kind of
// transport, on a connection of its own and on one that is kept.
func (j *judgement) encrypted() {
	find := func(carrier string, kept bool) *tried {
		i := slices.IndexFunc(j.cases, func(c *tried) bool {
			s := c.strategy
			return s.DNS == carrier && s.Persistent == kept && (!kept || s.InFlight == 1) && plain(s)
		})
		if i < 0 {
			return nil
		}
		return j.cases[i]
	}
	tcp, tls := find(linger.OverTCP, false), find(linger.OverTLS, false)
	if tcp == nil || tls == nil {
		return
	}
	a, ok := tls.row.DNS.Or(DNS{}).Bytes.Get()
	b, ok2 := tcp.row.DNS.Or(DNS{}).Bytes.Get()
	if !ok || !ok2 || b == 0 {
		return
	}
	f := finding.Finding{Code: Encryption, Subject: tls.subject(), Figures: finding.Figures{
		finding.Number("bytes_per_query", a, "bytes").Whose(tls.row.Strategy), finding.Number("bytes_per_query", b, "bytes").Whose(tcp.row.Strategy)}}
	x, ok := tls.row.SetupRoundTrips.Get()
	y, ok2 := tcp.row.SetupRoundTrips.Get()
	if ok && ok2 && x-y >= sameTrips {
		f.Figures = append(f.Figures, finding.Number("more_round_trips", x-y, "RTT"))
	}
	if tcp, tls = find(linger.OverTCP, true), find(linger.OverTLS, true); tcp != nil && tls != nil {
		a, ok := tls.row.DNS.Or(DNS{}).Kept.Get()
		b, ok2 := tcp.row.DNS.Or(DNS{}).Kept.Get()
		if ok && ok2 {
			f.Figures = append(f.Figures, finding.Number("query_bytes", a.QueryBytes, "bytes").Whose(tls.row.Strategy),
				finding.Number("query_bytes", b.QueryBytes, "bytes").Whose(tcp.row.Strategy))
		}
	}
	j.add(f)
}

// lonePackets is what a query takes at least whose messages share no packet with others:
// one each way, but for what is lost in rounding.
const lonePackets = 1.9

// bytesOverUDP tells whether a kept connection can take fewer bytes than datagrams.
func (j *judgement) bytesOverUDP() {
	udp := plainUDP(j.cases)
	if udp == nil {
		return
	}
	u, ok := udp.row.DNS.Or(DNS{}).Bytes.Get()
	if !ok {
		return
	}
	least := finding.Number("bytes_per_query", u, "bytes").Whose(udp.row.Strategy)
	never, cheaper := finding.Figures{least}, finding.Figures{least}
	shared := true
	for _, c := range j.cases {
		k, ok := c.row.DNS.Or(DNS{}).Kept.Get()
		if !ok {
			continue
		}
		switch n, from := k.From.Get(); {
		case k.BeatsUDP.IsZero():
		case from:
			cheaper = append(cheaper, finding.Number("from_queries", float64(n), "").Whose(c.row.Strategy))
			shared = shared && k.QueryPackets < lonePackets
		default:
			never = append(never, finding.Number("times_udp", k.QueryBytes/u, "").Whose(c.row.Strategy))
		}
	}
	if len(cheaper) > 1 {
		f := finding.Finding{Code: FewerBytes, Figures: cheaper}
		switch d := udp.row.DNS.Or(DNS{}); {
		case d.Truncated.Or(0) > 0:
			f.Cause = CauseTruncated
		case shared:
			f.Cause = CauseShared
		}
		j.add(f)
	}
	if len(never) > 1 {
		j.add(finding.Finding{Code: NeverFewerBytes, Figures: never})
	}
}

// resent tells what lost datagrams cost, beside what the others did about losses.
func (j *judgement) resent() {
	udp := plainUDP(j.cases)
	if udp == nil {
		return
	}
	d := udp.row.DNS.Or(DNS{})
	if d.SentAgain.Or(0) == 0 {
		return
	}
	t, ok := d.Time.Get()
	if !ok {
		return
	}
	f := finding.Finding{Code: AskedAgain, Subject: udp.subject(),
		Figures: append(finding.Figures{finding.Number("sent_again", float64(d.SentAgain.Or(0)), "")}, t.figures(udp.row.Strategy)...)}
	if tcp := first(j.cases, func(c *tried) bool { return c.strategy.DNS == linger.OverTCP && !c.strategy.Persistent }); tcp != nil {
		if t, ok := tcp.row.DNS.Or(DNS{}).Time.Get(); ok {
			f.Figures = append(f.Figures, t.figures(tcp.row.Strategy)...)
		}
	}
	j.add(f)
}

// truncated tells of answers that did not fit.
func (j *judgement) truncated() {
	for _, c := range j.cases {
		d := c.row.DNS.Or(DNS{})
		if cut := d.Truncated.Or(0); cut > 0 {
			j.add(finding.Finding{Code: Truncated, Subject: c.subject(), Figures: finding.Figures{
				finding.Number("truncated", float64(cut), ""), finding.Number("asked", float64(d.Asked), "")}})
		}
	}
}

// inLine tells what it costs to ask one query at a time.
func (j *judgement) inLine() {
	for _, c := range j.cases {
		if !c.timed || !waits(c) {
			continue
		}
		free := first(j.cases, func(o *tried) bool {
			return o.strategy.Persistent && o.strategy.DNS == c.strategy.DNS && o.strategy.Version == c.strategy.Version && o.strategy.InFlight != 1
		})
		if free == nil {
			continue
		}
		if r, p := compared(free, c); r == less {
			j.add(finding.Finding{Code: OneAtATime, Severity: sure(p), Subject: c.subject(), Figures: versus(c, free, p)})
		}
	}
}

// idle tells up to which gap between two queries a connection is there to be kept,
// which each transport has its own limit for: what the server announced, or after what
// time it was seen to close; neither is not known. A query and its answer take a round
// trip of that.
func (j *judgement) idle() {
	f := finding.Finding{Code: IdleLimit}
	if j.rtt > 0 {
		f.Figures = finding.Figures{finding.Number("rtt", milliseconds(j.rtt), "ms")}
	}
	kept, known := 0, 0
	for _, c := range j.cases {
		d, ok := c.row.DNS.Get()
		if !ok || !c.strategy.Persistent {
			continue
		}
		limit := c.figure("idle_limit", d.IdleLimit, "ms")
		if limit.Value.IsZero() && !d.ClosedAfter.IsZero() { // else what was announced says it
			limit = c.figure("closed_idle_after", d.ClosedAfter, "ms")
		}
		f.Figures = append(f.Figures, limit)
		kept++
		known += btoi(!limit.Value.IsZero())
	}
	if known == 0 {
		f.Severity = finding.Unknown
	}
	if kept > 0 {
		j.add(f)
	}
}
