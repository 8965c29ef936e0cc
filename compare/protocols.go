package compare

import (
	"math"

	"linger"
	"linger/finding"
	"linger/trace"
)

// These are the findings about TLS, HTTP/2 and HTTP/3.

// effort tells what a connection more costs in CPU, from the baseline and the kept
// strategy that differs from it in nothing but keeping.
func (j *judgement) effort(base *tried) {
	kept := j.counterpart(base)
	if kept == nil || base.waitedTLS.IsZero() {
		return
	}
	n := base.row.Connections.Or(0) - kept.row.Connections.Or(0)
	if r, _ := relate(kept.cpu, base.cpu, kept.family); r != less || n <= 0 {
		return
	}
	each := func(a, b linger.Opt[float64]) float64 { return (a.Or(0) - b.Or(0)) / n }
	client, server := each(base.row.CPU.Client, kept.row.CPU.Client), each(base.row.CPU.Server, kept.row.CPU.Server)
	if client <= 0 || server <= 0 {
		return
	}
	j.add(finding.Finding{Code: ConnectionCPU, Subject: kept.subject(), Figures: finding.Figures{
		finding.Number("client_cpu", client, "ms"), finding.Number("server_cpu", server, "ms")}})
}

// eases are the modifiers of a strategy that make set-up cheaper: the strategy
// that has all but it, and how often it was given, or a share of it.
var eases = []struct {
	cause   string
	without func(linger.Strategy) (linger.Strategy, bool)
	given   func(Row) linger.Opt[float64]
}{
	{CauseResumption, func(s linger.Strategy) (linger.Strategy, bool) {
		has := s.Resume && !s.EarlyData
		s.Resume = false
		return s, has
	}, func(r Row) linger.Opt[float64] { return r.Resumed }},
	{CauseEarlyData, func(s linger.Strategy) (linger.Strategy, bool) {
		has := s.EarlyData
		s.Resume, s.EarlyData = false, false
		return s, has
	}, func(r Row) linger.Opt[float64] { return r.EarlyData }},
	{CauseFastOpen, func(s linger.Strategy) (linger.Strategy, bool) {
		has := s.FastOpen
		s.FastOpen = false
		return s, has
	}, func(r Row) linger.Opt[float64] { return r.FastOpen }},
}

// ease tells what those modifiers save where they were given and the same strategy
// stands without them, at most three times.
func (j *judgement) ease() {
	told := 0
	for _, e := range eases {
		for _, c := range j.cases {
			s, has := e.without(c.strategy)
			if !has || !c.timed || told == 3 || e.given(c.row).Or(0) == 0 {
				continue
			}
			if other := first(j.cases, func(k *tried) bool { return equal(k.strategy, s) }); other != nil {
				told++
				j.eased(e.cause, c, other)
			}
		}
	}
}

// equal reports whether two strategies are the same but for their names.
func equal(a, b linger.Strategy) bool {
	a.Name, b.Name = "", ""
	return a == b
}

// sameTrips is by how much set-up may differ, in round trips, and still take as many.
const sameTrips = 0.3

// eased compares a strategy with the same one without what makes set-up cheaper.
func (j *judgement) eased(cause string, c, other *tried) {
	r, p := compared(c, other)
	f := finding.Finding{Severity: sure(p), Cause: cause, Subject: c.subject(), Figures: versus(c, other, p)}
	if r, _ := relate(c.cpu, other.cpu, c.family); r == less {
		a, _ := c.cpu.Median()
		b, _ := other.cpu.Median()
		f.Figures = append(f.Figures, finding.Number("saved_cpu", 1-a/b, "share"))
	}
	a, ok := c.row.SetupRoundTrips.Get()
	b, ok2 := other.row.SetupRoundTrips.Get()
	if ok && ok2 {
		f.Figures = append(f.Figures, finding.Number("setup_round_trips", a, "RTT").Whose(c.row.Strategy),
			finding.Number("setup_round_trips", b, "RTT").Whose(other.row.Strategy))
		if math.Abs(a-b) >= sameTrips {
			f.Figures = append(f.Figures, finding.Number("saved_round_trips", b-a, "RTT"))
		}
	}
	switch r {
	case less:
		f.Code = OptionSaves
	case more:
		f.Code = OptionCosts
	case same:
		f.Code, f.Severity = OptionSame, finding.Note
	default:
		f.Code, f.Severity = OptionUndecided, finding.Unknown
	}
	j.add(f)
	if f.Code == OptionCosts {
		j.why(c, other, p)
	}
}

// versions compares HTTP/2 with HTTP/1.1 on several kept connections, as browsers
// used it, and HTTP/3 with HTTP/2.
func (j *judgement) versions() {
	browser := fastest(filter(j.cases, func(c *tried) bool {
		s := c.strategy
		return s.Version == "1.1" && s.Persistent && s.Connections > 1 && s.InFlight == 1 && plain(s)
	}))
	h2, h3 := j.version("2"), j.version("3")
	j.versus(h2, browser)
	j.versus(h3, h2)
	j.blocking(h2, h3)
}

// plain reports whether a strategy does nothing to make set-up cheaper.
func plain(s linger.Strategy) bool { return !s.Resume && !s.EarlyData && !s.FastOpen }

// version returns the strategy of one connection that asks for that version, or
// nil where it was not that which was spoken.
func (j *judgement) version(v string) *tried {
	return first(j.cases, func(c *tried) bool {
		return c.strategy.Version == v && c.strategy.Connections == 1 && plain(c.strategy) && c.row.Protocol == "h"+v
	})
}

// versus says how a's time relates to b's, unless the ties do.
func (j *judgement) versus(a, b *tried) {
	if a == nil || b == nil {
		return
	}
	r, p := compared(a, b)
	f := finding.Finding{Severity: sure(p), Subject: a.subject(), Figures: versus(a, b, p)}
	switch r {
	case less:
		f.Code = VersionFaster
	case more:
		f.Code = VersionSlower
	case same:
		if a == j.best || b == j.best {
			return
		}
		f.Code, f.Severity = VersionSame, finding.Note
	default:
		return
	}
	j.add(f)
	if f.Code == VersionSlower {
		j.why(a, b, p)
	}
}

// blocking tells how HTTP/2 and HTTP/3 fare with loss, where most trials of both
// lost a packet. One lost stops every stream of HTTP/2, as TCP delivers in order,
// and only its own of HTTP/3 (RFC 9114, 2). Set-up is left out, since QUIC's is
// shorter without any loss; what else differs between the two, above all how fast
// each sends at first and finds out about a loss, cannot be.
func (j *judgement) blocking(h2, h3 *tried) {
	if j.loss == 0 || h2 == nil || h3 == nil || !h2.lost() || !h3.lost() {
		return
	}
	r, p := relate(h3.loading, h2.loading, h3.family)
	f := finding.Finding{Severity: sure(p), Subject: h3.subject(), Figures: append(versus(h3, h2, p), finding.Number("loss", j.loss, "share"))}
	for _, c := range []*tried{h3, h2} {
		loading, _ := c.loading.Median()
		f.Figures = append(f.Figures, finding.Number("loading_time", loading, "ms").Whose(c.row.Strategy))
	}
	switch r {
	case less:
		f.Code = LossFaster
	case more:
		f.Code = LossSlower
	case same:
		f.Code, f.Severity = LossSame, finding.Note
	default:
		f.Code, f.Severity = LossUndecided, finding.Unknown
	}
	j.add(f)
}

// lost reports whether the link dropped a packet at random in most of the trials.
func (c *tried) lost() bool {
	n := 0
	for _, t := range c.whole {
		up, down, _ := sum(t, func(f trace.Flow) int64 { return f.DroppedLoss })
		n += btoi(up+down > 0)
	}
	return 2*n > len(c.whole)
}
