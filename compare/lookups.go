package compare

import (
	"cmp"
	"math"
	"slices"

	"linger"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
)

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

// spread reports how the times of a strategy's queries are distributed, if their median
// is known.
func (c *measured) spread() (Spread, bool) { return c.row.DNS.Or(DNS{}).Time.Get() }

// hasAnswers reports whether any query of a strategy was answered.
func hasAnswers(c *measured) bool { return c.row.DNS.Or(DNS{}).Answered > 0 }

// perQuery compares the times of single queries, where that of all says nothing.
func (j lineup) perQuery() (out []finding.Finding) {
	timed := filter(j.cases, func(c *measured) bool { _, ok := c.spread(); return ok })
	if len(timed) == 0 {
		return out
	}
	spread := func(c *measured) Spread {
		s, _ := c.spread()
		return s
	}
	least := slices.MinFunc(timed, func(a, b *measured) int { return cmp.Compare(spread(a).top(), spread(b).top()) })
	most := slices.MaxFunc(timed, func(a, b *measured) int { return cmp.Compare(spread(a).top(), spread(b).top()) })
	f := finding.Finding{Code: QueryTimes, Subject: least.Subject(), Figures: spread(least).figures(least.row.Strategy)}
	if most != least {
		f.Figures = append(f.Figures, spread(most).figures(most.row.Strategy)...)
	}
	out = append(out, note(f))
	return out
}

// lookUps tells what keeping comes to where names are looked up; whole says that the
// time of the load tells something.
func (j lineup) lookUps(whole bool) []finding.Finding {
	out := slices.Concat(j.further(), j.encrypted(), j.bytesOverUDP(), j.resent(), j.truncated())
	if whole {
		out = append(out, j.inLine()...)
	}
	return append(out, j.idle()...)
}

// further compares a query on a kept connection with one that has its own.
func (j lineup) further() (out []finding.Finding) {
	var least, most *measured // by the share of the bytes that keeping saves
	share := func(c *measured) float64 {
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
		return out
	}
	f := finding.Finding{Code: FurtherQuery, Subject: least.Subject()}
	tell := func(c *measured) {
		k, _ := c.row.DNS.Or(DNS{}).Kept.Get()
		f.Figures = append(f.Figures, finding.Number("query_bytes", k.QueryBytes, "bytes").Whose(c.row.Strategy),
			finding.Number("query_bytes", k.QueryBytes+k.SetUpBytes, "bytes").Whose(unkept(j.cases, c).row.Strategy))
	}
	tell(least)
	if most != least {
		tell(most)
	}
	out = append(out, note(f))
	return out
}

// encrypted tells how many times the bytes encryption takes over the same kind of
// transport, on a connection of its own and on one that is kept.
func (j lineup) encrypted() (out []finding.Finding) {
	find := func(carrier string, kept bool) *measured {
		i := slices.IndexFunc(j.cases, func(c *measured) bool {
			s := c.Strategy
			return s.DNS == carrier && s.Persistent == kept && (!kept || s.InFlight == 1) && plain(s)
		})
		if i < 0 {
			return nil
		}
		return j.cases[i]
	}
	tcp, tls := find(linger.OverTCP, false), find(linger.OverTLS, false)
	if tcp == nil || tls == nil {
		return out
	}
	a, ok := tls.row.DNS.Or(DNS{}).Bytes.Get()
	b, ok2 := tcp.row.DNS.Or(DNS{}).Bytes.Get()
	if !ok || !ok2 || b == 0 {
		return out
	}
	f := finding.Finding{Code: Encryption, Subject: tls.Subject(), Figures: finding.Figures{
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
	out = append(out, note(f))
	return out
}

// lonePackets is what a query takes at least whose messages share no packet with others:
// one in each direction, but for what is lost in rounding.
const lonePackets = 1.9

// bytesOverUDP tells whether a kept connection can take fewer bytes than datagrams.
func (j lineup) bytesOverUDP() (out []finding.Finding) {
	udp := plainUDP(j.cases)
	if udp == nil {
		return out
	}
	u, ok := udp.row.DNS.Or(DNS{}).Bytes.Get()
	if !ok {
		return out
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
		out = append(out, note(f))
	}
	if len(never) > 1 {
		out = append(out, note(finding.Finding{Code: NeverFewerBytes, Figures: never}))
	}
	return out
}

// resent tells what lost datagrams cost, beside what the others did about losses.
func (j lineup) resent() (out []finding.Finding) {
	udp := plainUDP(j.cases)
	if udp == nil {
		return out
	}
	d := udp.row.DNS.Or(DNS{})
	if d.Retransmitted.Or(0) == 0 {
		return out
	}
	t, ok := d.Time.Get()
	if !ok {
		return out
	}
	f := finding.Finding{Code: AskedAgain, Subject: udp.Subject(),
		Figures: append(finding.Figures{finding.Number("retransmitted", float64(d.Retransmitted.Or(0)), "")}, t.figures(udp.row.Strategy)...)}
	if tcp := first(j.cases, func(c *measured) bool { return c.Strategy.DNS == linger.OverTCP && !c.Strategy.Persistent }); tcp != nil {
		if t, ok := tcp.row.DNS.Or(DNS{}).Time.Get(); ok {
			f.Figures = append(f.Figures, t.figures(tcp.row.Strategy)...)
		}
	}
	out = append(out, note(f))
	return out
}

// truncated tells of answers that did not fit.
func (j lineup) truncated() (out []finding.Finding) {
	for _, c := range j.cases {
		d := c.row.DNS.Or(DNS{})
		if cut := d.Truncated.Or(0); cut > 0 {
			out = append(out, note(finding.Finding{Code: Truncated, Subject: c.Subject(), Figures: finding.Figures{
				finding.Number("truncated", float64(cut), ""), finding.Number("asked", float64(d.Asked), "")}}))
		}
	}
	return out
}

// inLine tells what it costs to ask one query at a time.
func (j lineup) inLine() (out []finding.Finding) {
	for _, c := range j.cases {
		if !c.Known || !serialized(c) {
			continue
		}
		free := first(j.cases, func(o *measured) bool {
			return o.Strategy.Persistent && o.Strategy.DNS == c.Strategy.DNS && o.Strategy.Version == c.Strategy.Version && o.Strategy.InFlight != 1
		})
		if free == nil {
			continue
		}
		if r, p := times.Relate(free.Timed, c.Timed); r == times.Less {
			out = append(out, note(finding.Finding{Code: OneAtATime, Severity: sure(p), Subject: c.Subject(), Figures: versus(c, free, p)}))
		}
	}
	return out
}

// idle tells up to which gap between two queries a connection is there to be kept,
// which each transport has its own limit for: what the server announced, or after what
// time it was seen to close; neither is not known. A query and its answer take a round
// trip of that.
func (j lineup) idle() (out []finding.Finding) {
	f := finding.Finding{Code: IdleLimit}
	if j.network.RTT > 0 {
		f.Figures = finding.Figures{finding.Number("rtt", facts.Milliseconds(j.network.RTT), "ms")}
	}
	kept, known := 0, 0
	for _, c := range j.cases {
		d, ok := c.row.DNS.Get()
		if !ok || !c.Strategy.Persistent {
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
		out = append(out, note(f))
	}
	return out
}
