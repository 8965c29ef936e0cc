package formats

import (
	"io"
	"math"
	"strings"
	"time"

	"linger/finding"
	"linger/keepalive"
	"linger/report/words"
)

// Chain tells what was found of a chain: of each pair of hops whether the first closes its
// idle connections before the second does, and what mends it where not.
func Chain(c keepalive.Chain, version string) Report {
	var hops []string
	for _, h := range c.Hops {
		hops = append(hops, h.Name)
	}
	name := strings.Join(hops, " > ")
	t := Target{Kind: "chain", Name: name, URI: referenceOf(name), Labels: []Label{{"chain", name}}, Asserted: c.Asserted}
	for i, f := range c.Findings() {
		text := pairText(c.Pairs[i])
		// The name of a test is the same whatever came of it.
		f.Subject.Name, f.Cause = f.Subject.Name+" > "+f.Subject.Of, ""
		t.Findings = append(t.Findings, Finding{
			Finding: f, Text: text, Told: text,
			Rule: Rule{
				Group: "chain", Level: finding.Error, Source: "https://www.rfc-editor.org/rfc/rfc9112#section-9.5",
				Short: "A pool closes idle connections before the server behind it does.",
				Full:  "RFC 9112, 9.5: a request may be lost that is sent while the server closes; so a pool closes idle connections first, by more than an RTT and the uncertainty of both timeouts.",
			},
		})
	}
	for _, caveat := range c.Caveats {
		t.Caveats = append(t.Caveats, words.Caveat(caveat))
	}
	t.Metrics = metricsOfChain(c)
	return Report{Tool: "linger probe", Version: version, Asserted: "the chain", Targets: []Target{t}}
}

// pairText is what was found of a pair, with each change that mends it.
func pairText(p keepalive.Pair) string {
	text := p.Opener + " > " + p.Accepter + ": " + string(p.Verdict) + ": " + words.ChainPair(p)
	join := "; to mend it, "
	if p.Verdict == keepalive.Right {
		join = "; once the pair before is mended, " // which would spoil this one
	}
	for _, change := range p.Changes {
		text, join = text+join+words.ChainChange(change), "; or "
	}
	return text
}

// metricsOfChain are the limits of each hop and the margin of each pair. A lower bound has a
// name of its own; what is not known is not there.
func metricsOfChain(c keepalive.Chain) []Metric {
	var m metrics
	for _, h := range c.Hops {
		m.limit(h.Accepts, Label{"hop", h.Name}, Label{"side", string(keepalive.Accepts)})
		m.limit(h.Opens, Label{"hop", h.Name}, Label{"side", string(keepalive.Opens)})
	}
	count := map[keepalive.Judgement]int{}
	for _, p := range c.Pairs {
		count[p.Verdict]++
		on := []Label{{"opens", p.Opener}, {"accepts", p.Accepter}}
		if p.RTT.Value > 0 {
			m.seconds("chain_round_trip", "Round-trip time between the two hops.", p.RTT.Value, on...)
		}
		const help = "The server's idle limit less that of the pool before it"
		if d, ok := p.Margin.Get(); ok && p.Server.Source == keepalive.FromWait {
			m.seconds("chain_margin_lower_bound", help+", at least.", d, on...)
		} else if ok {
			m.seconds("chain_margin", help+".", d, on...)
		}
		if p.Pool.Known() && p.Server.Known() {
			m.seconds("chain_margin_needed", "What the margin has to be more than: an RTT and the uncertainty of both limits.", p.Need, on...)
		}
		if p.Verdict != keepalive.Unclear {
			m.add("chain_right", "", "Whether the pool closes before the server does, by the margin that is needed.", bit(p.Verdict == keepalive.Right), on...)
		}
	}
	for _, v := range []keepalive.Judgement{keepalive.Right, keepalive.TooClose, keepalive.Wrong, keepalive.Unclear} {
		m.add("chain_pairs", "", "Pairs of hops by verdict.", float64(count[v]), Label{"verdict", string(v)})
	}
	return m
}

// limit adds for how long one side of a hop lets a connection be idle.
func (m *metrics) limit(l keepalive.Limit, labels ...Label) {
	const help = "For how long a hop keeps idle connections on one side"
	labels = append(labels, Label{"source", string(l.Source)})
	value := time.Duration(l.Value).Seconds()
	switch {
	case !l.Known():
	case l.Source == keepalive.FromWait:
		m.add("chain_idle_lower_bound_seconds", "seconds", help+", at least.", value, labels...)
	default:
		if l.Endless {
			value = math.Inf(1)
		}
		m.add("chain_idle_seconds", "seconds", help+"; +Inf is without a limit.", value, labels...)
		if l.Uncertainty > 0 {
			m.seconds("chain_idle_uncertainty", "How far the limit may be off, either way.", l.Uncertainty, labels...)
		}
	}
}

// ChainJSON writes what was found of a chain.
func ChainJSON(w io.Writer, c keepalive.Chain) error {
	return indented(w, words.OfChain(c))
}
