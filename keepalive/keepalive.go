// Package keepalive holds the idle limits of a chain of programs against each other:
// each pool has to give up before the server behind it does. It knows what programs do by
// default, and which line of their configuration changes that. It opens no socket.
package keepalive

import (
	"math"
	"slices"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/profile"
)

// ChainFormat names the document of a chain and the version of its form.
const ChainFormat = "linger chain 2"

// A Hop is one program of a chain. What it accepts has one limit, and what it opens
// towards the hop behind it another.
type Hop struct {
	Name     string `json:"name"`
	URL      string `json:"url,omitempty"`
	Server   string `json:"server,omitempty"`   // the field, as it calls itself
	Software string `json:"software,omitempty"` // of Softwares
	Accepts  Limit  `json:"accepts,omitzero"`   // towards who is before it
	Opens    Limit  `json:"opens,omitzero"`     // its pool, towards who is behind it
	// RTT is the round-trip time to it, as far as it could be seen or was told.
	RTT Trip `json:"rtt,omitzero"`
}

// A Trip is a round-trip time between two hops.
type Trip struct {
	Value profile.Duration `json:"ms"`
	// Told by the user; else seen from here, which may be elsewhere than the hop before.
	Told bool `json:"told,omitempty"`
}

// A Judgement is what is to be said of two limits that follow each other.
type Judgement string

const (
	Right    Judgement = "right"
	TooClose Judgement = "too close"
	Wrong    Judgement = "wrong"
	Unclear  Judgement = "not known"
)

// Causes of the verdict on a pair, besides that it is right.
const (
	PoolUnknown   = "pool-unknown"   // for how long the pool keeps connections
	ServerUnknown = "server-unknown" // after how long the server ends them
	NeverSeen     = "never-seen"     // the pool has no limit, and the server's is longer than was waited
	WaitTooShort  = "wait-too-short" // the server's limit may be shorter or longer than the pool's
	NoPoolLimit   = "no-pool-limit"  // the pool has none, and the server does
	ServerFirst   = "server-first"   // the server closes first
	NoMargin      = "no-margin"      // it closes later by less than what is needed
)

// Codes of what is to be known of a pair.
const (
	SoftPool    = "soft-pool"   // the software promises no limit: it is what was seen, once a load had ended
	SoftServer  = "soft-server" // the same of what it accepts
	ByDefault   = "by-default"  // what is to be known of a default
	RaisedToo   = "raised-too"  // the opener's pool is raised with what it accepts
	WouldSpoil  = "would-spoil" // which would spoil this pair
	LoweredToo  = "lowered-too" // what the opener accepts would be lowered with its pool
	CannotBeSet = "cannot-be-set"
)

// A Pair is a hop that opens connections and the one that accepts them.
//
// A pool's clock starts when the last byte of a response has come in, half a round
// trip after the server's; what the pool then sends takes another half. So the server
// sees a request that was sent after the time P no sooner than P plus a round trip
// after its own clock started, and has not given up by then if its limit S is longer:
// the margin S - P must be more than a round trip, and more than the uncertainty of both.
type Pair struct {
	Opener   string    `json:"opens"`
	Accepter string    `json:"accepts"`
	Pool     Limit     `json:"pool"`
	Server   Limit     `json:"server"`
	RTT      Trip      `json:"rtt,omitzero"`
	Verdict  Judgement `json:"verdict"`
	// Margin is the server's limit less the pool's, of a lower bound at least so much;
	// Trips is the same in round trips. Need is what it must be more than.
	Margin linger.Opt[profile.Duration] `json:"margin_ms,omitzero"`
	Trips  linger.Opt[float64]          `json:"margin_round_trips,omitzero"`
	Need   profile.Duration             `json:"need_ms"`
	Cause  string                       `json:"cause,omitempty"` // of a verdict that is not Right
	// Tell is how the user tells a pool's limit that is not known.
	Tell string `json:"tell,omitempty"`
	// Changes mend the pair, each by itself.
	Changes []Change `json:"changes,omitempty"`
	// Notes are what is to be known of it, by the codes above.
	Notes []finding.Finding `json:"notes,omitempty"`
}

// A Change is one setting of one hop.
type Change struct {
	Hop      string           `json:"hop"`
	Side     Side             `json:"side"`
	Software string           `json:"software,omitempty"`
	Limit    profile.Duration `json:"limit_ms"` // that it sets
	// Past is the limit of the other side, that it has to be longer than, or of a pool
	// shorter.
	Past  profile.Duration `json:"past_ms,omitempty"`
	Where string           `json:"where,omitempty"`
	Write string           `json:"write,omitempty"` // what to write there; empty of unknown software
}

// SeenFromHere is the code of a caveat: a round-trip time to a hop was seen by who
// probed it, and not by the hop before.
const SeenFromHere = "path"

// A Chain is the hops from the client to the application, and what follows.
type Chain struct {
	Format   string           `json:"format"`
	Linger   string           `json:"linger,omitempty"` // version of the program
	Hops     []Hop            `json:"hops"`
	Pairs    []Pair           `json:"pairs"`
	Verdict  Judgement        `json:"verdict"` // the worst of the pairs
	Asserted []assert.Result  `json:"assertions,omitempty"`
	Caveats  []finding.Caveat `json:"caveats,omitempty"`
}

// Judge holds the hops of a chain against each other, the client's first.
func Judge(hops []Hop) Chain {
	hops = slices.Clone(hops)
	if len(hops) > 0 {
		// Nobody is before the first, nor behind the last.
		hops[0].Accepts, hops[len(hops)-1].Opens = Limit{}, Limit{}
	}
	c := Chain{Format: ChainFormat, Hops: hops, Verdict: Right}
	worst := map[Judgement]int{Right: 0, Unclear: 1, TooClose: 2, Wrong: 3}
	raised := profile.Duration(0) // what the last hop's pool becomes, where one setting is both sides'
	for i := 1; i < len(hops); i++ {
		pair := judge(hops[i-1], hops[i])
		raised = advise(&pair, hops[i-1], hops[i], raised)
		if worst[pair.Verdict] > worst[c.Verdict] {
			c.Verdict = pair.Verdict
		}
		c.Pairs = append(c.Pairs, pair)
	}
	return c
}

func judge(opener, accepter Hop) Pair {
	p := Pair{Opener: opener.Name, Accepter: accepter.Name, Pool: opener.Opens, Server: accepter.Accepts, RTT: accepter.RTT}
	p.Need = p.RTT.Value + p.Pool.Uncertainty + p.Server.Uncertainty
	margin := p.Server.Value - p.Pool.Value
	is := func(v Judgement, cause string) Pair {
		p.Verdict, p.Cause = v, cause
		return p
	}
	switch {
	case !p.Pool.Known():
		p.Tell = opener.tell()
		return is(Unclear, PoolUnknown)
	case !p.Server.Known():
		return is(Unclear, ServerUnknown)
	case p.Server.Endless:
		return is(Right, "")
	case p.Pool.Endless && p.Server.Source == FromWait:
		return is(Unclear, NeverSeen)
	case p.Pool.Endless:
		return is(Wrong, NoPoolLimit)
	}
	p.Margin = linger.Known(margin)
	if p.RTT.Value > 0 {
		p.Trips = linger.Known(math.Round(float64(margin)/float64(p.RTT.Value)*100) / 100)
	}
	switch {
	case margin > p.Need:
		return is(Right, "")
	case p.Server.Source == FromWait:
		return is(Unclear, WaitTooShort)
	case margin <= 0 && -margin >= p.Pool.Uncertainty+p.Server.Uncertainty:
		return is(Wrong, ServerFirst)
	}
	return is(TooClose, NoMargin)
}

// tell is how the user tells the limit of the hop's pool.
func (h Hop) tell() string {
	if h.Accepts.Source != "" || h.URL != "" {
		return h.Name + ".upstream=60s"
	}
	return h.Name + "=60s"
}

// severities are those of the verdicts.
var severities = map[Judgement]finding.Severity{Right: finding.Pass, TooClose: finding.Warning, Wrong: finding.Error, Unclear: finding.Unknown}

// Order is the code of what is found of a pair.
const Order = "keep-alive-order"

// Findings are the pairs as findings, what mends one being its remedies.
func (c Chain) Findings() []finding.Finding {
	var out []finding.Finding
	for _, p := range c.Pairs {
		f := finding.Finding{
			Code: Order, Severity: severities[p.Verdict], Cause: p.Cause,
			Subject: finding.Subject{Kind: "hop", Name: p.Opener, Of: p.Accepter},
			Figures: finding.Figures{p.Pool.figure("pool").Whose(p.Opener), p.Server.figure("server").Whose(p.Accepter)},
		}
		if m, ok := p.Margin.Get(); ok {
			f.Figures = append(f.Figures, finding.Number("margin", float64(m)/1e6, "ms"), finding.Number("need", float64(p.Need)/1e6, "ms"))
		}
		if n, ok := p.Trips.Get(); ok {
			f.Figures = append(f.Figures, finding.Number("margin", n, "RTT"))
		}
		for _, change := range p.Changes {
			f.Remedies = append(f.Remedies, change.remedy())
		}
		out = append(out, f)
	}
	return out
}

// remedy is the change as findings have it.
func (c Change) remedy() finding.Remedy {
	r := finding.Remedy{Software: c.Software, Side: "server", Where: c.Where, Write: c.Write}
	if c.Side == Opens {
		r.Side = "client"
	}
	if d, ok := DefaultOf(c.Software, c.Side); ok {
		r.Source = d.Source
	}
	return r
}
