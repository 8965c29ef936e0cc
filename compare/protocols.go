package compare

import (
	"fmt"
	"math"
	"strconv"

	"linger"
	"linger/finding"
	"linger/trace"
)

// These are the sentences of a verdict about TLS, HTTP/2 and HTTP/3.

// effort tells what a connection more costs in CPU, from the baseline and the kept
// strategy that differs from it in nothing but keeping.
func (j *judgement) effort(base *tried) {
	kept := j.counterpart(base)
	if kept == nil || base.waitedTLS.IsZero() {
		return
	}
	n := base.row.Connections.Or(0) - kept.row.Connections.Or(0)
	if r, _ := relate(kept.cpu, base.cpu); r != less || n <= 0 {
		return
	}
	each := func(a, b linger.Opt[float64]) float64 { return (a.Or(0) - b.Or(0)) / n }
	client, server := each(base.row.CPU.Client, kept.row.CPU.Client), each(base.row.CPU.Server, kept.row.CPU.Server)
	if client <= 0 || server <= 0 {
		return
	}
	j.say("Each connection more costs %s of CPU at the client and %s at the server.", cpuTime(client), cpuTime(server))
}

// cpuTime writes a time of CPU in two digits, as it varies more than the clock.
func cpuTime(ms float64) string { return finding.Duration(ms, ms/10) }

// eases are the modifiers of a strategy that make set-up cheaper: the strategy
// that has all but it, and how often it was given, or a share of it.
var eases = []struct {
	name    string
	without func(linger.Strategy) (linger.Strategy, bool)
	given   func(Row) linger.Opt[float64]
}{
	{"Resumption", func(s linger.Strategy) (linger.Strategy, bool) {
		has := s.Resume && !s.EarlyData
		s.Resume = false
		return s, has
	}, func(r Row) linger.Opt[float64] { return r.Resumed }},
	{"Early data", func(s linger.Strategy) (linger.Strategy, bool) {
		has := s.EarlyData
		s.Resume, s.EarlyData = false, false
		return s, has
	}, func(r Row) linger.Opt[float64] { return r.EarlyData }},
	{"TCP Fast Open", func(s linger.Strategy) (linger.Strategy, bool) {
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
				j.eased(e.name, c, other)
			}
		}
	}
}

// equal reports whether two strategies are the same but for their names.
func equal(a, b linger.Strategy) bool {
	a.Name, b.Name = "", ""
	return a == b
}

func (j *judgement) eased(what string, c, other *tried) {
	head := fmt.Sprintf("%s (%s)", what, c.row.Strategy)
	work := ""
	if r, _ := relate(c.cpu, other.cpu); r == less {
		a, _ := c.cpu.Median()
		b, _ := other.cpu.Median()
		work = finding.Share(1-a/b) + " of the CPU"
	}
	trips := ""
	a, ok := c.row.SetupRoundTrips.Get()
	b, ok2 := other.row.SetupRoundTrips.Get()
	if same := math.Abs(a-b) < 0.3; ok && ok2 && same {
		trips = fmt.Sprintf("; set-up takes %s either way", roundTrips(b))
	} else if ok && ok2 {
		trips = fmt.Sprintf("; set-up takes %s, not %s", roundTrips(a), finding.Fixed(b, 1))
	}
	switch r, p := compared(c, other); r {
	case less:
		if work != "" {
			work = " and " + work
		}
		j.say("%s saves %s%s of %s's %s%s%s%s.", head, apart(other, c), gain(other, c, other), other.row.Strategy, other.took(), work, trips, j.caveat(p, c, other))
	case more:
		j.say("%s takes %s%s more than %s%s%s.", head, apart(c, other), gain(c, other, other), other.row.Strategy, trips, j.caveat(p, c, other))
	case same:
		if work != "" {
			work = ", but saves " + work
		}
		j.say("%s makes no difference to %s's time that %s can show (p = %.2g)%s%s.", head, other.row.Strategy, trials(c, other), p, work, trips)
	default:
		j.say("%s takes %s, %s %s; luck cannot be ruled out after %s.", head, c.took(), other.row.Strategy, other.took(), trials(c, other))
	}
}

func roundTrips(n float64) string {
	if n = round(n, 0.1); n == 1 {
		return "1.0 round trip"
	}
	return finding.Fixed(n, 1) + " round trips"
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
	switch r, p := compared(a, b); r {
	case less:
		j.say("%s takes %s%s less than %s%s.", a.row.Strategy, apart(b, a), gain(b, a, b), b.row.Strategy, j.caveat(p, a, b))
	case more:
		j.say("%s takes %s%s more than %s%s.", a.row.Strategy, apart(a, b), gain(a, b, b), b.row.Strategy, j.caveat(p, a, b))
	case same:
		if a != j.best && b != j.best {
			j.say("%s and %s cannot be told apart (p = %.2g).", a.row.Strategy, b.row.Strategy, p)
		}
	}
}

// causes are what may be behind a difference between HTTP/2 and HTTP/3 under loss.
const causes = "its cause cannot be told apart here: head-of-line blocking, the stacks' recovery and initial windows"

// blocking tells how HTTP/2 and HTTP/3 fare with loss, where most trials of both
// lost a packet. One lost stops every stream of HTTP/2, as TCP delivers in order,
// and only its own of HTTP/3 (RFC 9114, 2). Set-up is left out, since QUIC's is
// shorter without any loss; what else differs between the two, above all how fast
// each sends at first and finds out about a loss, cannot be.
func (j *judgement) blocking(h2, h3 *tried) {
	if j.loss == 0 || h2 == nil || h3 == nil || !h2.lost() || !h3.lost() {
		return
	}
	lost := strconv.FormatFloat(100*j.loss, 'g', 3, 64) + " %"
	a, _ := h3.loading.Median()
	b, _ := h2.loading.Median()
	doubt := h2.blur() + h3.blur()
	ratio, blur := finding.Quotient(a, h3.blur(), b, h2.blur())
	share := finding.InBrackets(math.Abs(1-ratio), blur)
	switch r, p := relate(h3.loading, h2.loading); r {
	case less:
		j.say("With %s lost, h3 takes %s%s less than h2 from the first request on; %s.", lost, finding.Duration(b-a, doubt), share, causes)
	case more:
		j.say("With %s lost, h3 takes %s%s more than h2 from the first request on; %s.", lost, finding.Duration(a-b, doubt), share, causes)
	case same:
		j.say("With %s lost, the head-of-line difference between h2 and h3 is not visible in these trials (p = %.2g).", lost, p)
	default:
		j.say("With %s lost, the head-of-line difference between h2 and h3 cannot be seen in %s.", lost, trials(h2, h3))
	}
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
