package compare

import (
	"math"
	"slices"

	"linger"
	"linger/compare/times"
	"linger/finding"
)

// These are the findings about TLS, HTTP/2 and HTTP/3.

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
func (j lineup) ease() (out []finding.Finding) {
	told := 0
	for _, e := range eases {
		for _, c := range j.cases {
			s, has := e.without(c.Strategy)
			if !has || !c.Known || told == 3 || e.given(c.row).Or(0) == 0 {
				continue
			}
			if other := first(j.cases, func(k *measured) bool { return times.Equal(k.Strategy, s) }); other != nil {
				told++
				out = append(out, j.eased(e.cause, c, other)...)
			}
		}
	}
	return out
}

// sameTrips is by how much set-up may differ, in round trips, and still take as many.
const sameTrips = 0.3

// eased compares a strategy with the same one without what makes set-up cheaper.
func (j lineup) eased(cause string, c, other *measured) (out []finding.Finding) {
	r, p := times.Relate(c.Timed, other.Timed)
	f := finding.Finding{Severity: sure(p), Cause: cause, Subject: c.Subject(), Figures: versus(c, other, p)}
	if r, _ := times.RelateSamples(c.inside.cpu, other.inside.cpu, c.Family); r == times.Less {
		a, _ := c.inside.cpu.Median()
		b, _ := other.inside.cpu.Median()
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
	out = outcomes{OptionSaves, OptionCosts, OptionSame, OptionUndecided}.of(f, r)
	if r == times.More {
		out = append(out, j.why(c, other, p)...)
	}
	return out
}

// versions compares HTTP/2 with HTTP/1.1 on several kept connections, as browsers
// used it, and HTTP/3 with HTTP/2.
func (j lineup) versions() []finding.Finding {
	browser := fastest(filter(j.cases, func(c *measured) bool {
		s := c.Strategy
		return s.Version == "1.1" && s.Persistent && s.Connections > 1 && s.InFlight == 1 && plain(s)
	}))
	h2, h3 := j.version("2"), j.version("3")
	return slices.Concat(j.versus(h2, browser), j.versus(h3, h2), j.blocking(h2, h3))
}

// plain reports whether a strategy does nothing to make set-up cheaper.
func plain(s linger.Strategy) bool { return !s.Resume && !s.EarlyData && !s.FastOpen }

// version returns the strategy of one connection that asks for that version, or
// nil where it was not that which was spoken.
func (j lineup) version(v string) *measured {
	return first(j.cases, func(c *measured) bool {
		return c.Strategy.Version == v && c.Strategy.Connections == 1 && plain(c.Strategy) && c.row.Protocol == "h"+v
	})
}

// versus says how a's time relates to b's, unless the ties do.
func (j lineup) versus(a, b *measured) (out []finding.Finding) {
	if a == nil || b == nil {
		return out
	}
	r, p := times.Relate(a.Timed, b.Timed)
	f := finding.Finding{Severity: sure(p), Subject: a.Subject(), Figures: versus(a, b, p)}
	if r == times.Same && (a == j.best || b == j.best) {
		return out
	}
	out = outcomes{VersionFaster, VersionSlower, VersionSame, ""}.of(f, r)
	if r == times.More {
		out = append(out, j.why(a, b, p)...)
	}
	return out
}

// blocking tells how HTTP/2 and HTTP/3 fare with loss, where most trials of both
// lost a packet. One lost stops every stream of HTTP/2, as TCP delivers in order,
// and only its own of HTTP/3 (RFC 9114, 2). Set-up is left out, since QUIC's is
// shorter without any loss; what else differs between the two, above all how fast
// each sends at first and finds out about a loss, cannot be.
func (j lineup) blocking(h2, h3 *measured) (out []finding.Finding) {
	if j.network.Loss == 0 || h2 == nil || h3 == nil || !h2.inside.lossy || !h3.inside.lossy {
		return out
	}
	r, p := times.RelateSamples(h3.inside.loading, h2.inside.loading, h3.Family)
	f := finding.Finding{Severity: sure(p), Subject: h3.Subject(), Figures: append(versus(h3, h2, p), finding.Number("loss", j.network.Loss, "share"))}
	for _, c := range []*measured{h3, h2} {
		loading, _ := c.inside.loading.Median()
		f.Figures = append(f.Figures, finding.Number("loading_time", loading, "ms").Whose(c.row.Strategy))
	}
	return outcomes{LossFaster, LossSlower, LossSame, LossUndecided}.of(f, r)
}
