package keepalive

import (
	"math"
	"time"

	"linger/assert"
	"linger/profile"
)

// RightName is the name of what is asserted of a whole chain.
const RightName = "right"

// ofHops are the figures of each hop that an assertion can name.
func ofHops() []assert.Figure[hopIn] {
	return []assert.Figure[hopIn]{
		assert.On("margin", assert.Time, "by how much its limit is longer than that of the pool before it", func(h hopIn) assert.Value { return h.margin() }),
		assert.On("idle", assert.Time, "after how long it ends what it accepts", func(h hopIn) assert.Value { return h.hop.Accepts.value() }),
		assert.On("pool", assert.Time, "for how long it keeps what it opens", func(h hopIn) assert.Value { return h.hop.Opens.value() }),
	}
}

// ofChains are the figures that there is one of.
func ofChains() []assert.Figure[Chain] {
	return []assert.Figure[Chain]{
		assert.On(RightName, assert.YesNo, "each pool gives up before the server behind it does", func(c Chain) assert.Value {
			if c.Verdict == Unclear {
				return assert.Unknown("a limit is missing, or waiting was too short")
			}
			return assert.Is(c.Verdict == Right).Telling("not so: the chain is " + string(c.Verdict))
		}),
	}
}

// Names are what an assertion can name: the figures of each hop, then those that there is
// one of.
func Names() (each, all []assert.Name) { return assert.EachOf(ofHops()), assert.NamesOf(ofChains()) }

// Vocabulary is what an assertion about those hops can name.
func Vocabulary(hops ...string) assert.Vocabulary {
	each, all := Names()
	return assert.Vocabulary{
		Names: append(all, each...), Subject: "hop", Subjects: hops, Example: "app",
		Listed: "of a chain it is --assert right, and what else docs/assert.md lists",
	}
}

// A hopIn is a hop with its place in a chain.
type hopIn struct {
	chain Chain
	index int
	hop   Hop
}

// Figures are what is known of each name.
func (c Chain) Figures() assert.Figures {
	return func(name, subject string) assert.Value {
		if subject == "" {
			return assert.InTable(ofChains(), c)(name, subject)
		}
		for i, h := range c.Hops {
			if h.Name == subject {
				return assert.InTable(ofHops(), hopIn{c, i, h})(name, subject)
			}
		}
		return assert.Unknown("there is no such hop")
	}
}

func (h hopIn) margin() assert.Value {
	if h.index == 0 {
		return assert.Unknown("nobody is before it")
	}
	p := h.chain.Pairs[h.index-1]
	margin, ok := p.Margin.Get()
	switch {
	case !ok && p.Server.Endless && p.Pool.Known() && !p.Pool.Endless:
		return assert.From(forever).Telling("without end")
	case !ok && p.Server.Known() && p.Pool.Known():
		return assert.Unknown("the pool has no limit")
	case !ok:
		return assert.Unknown("a limit is missing")
	case p.Server.Source == FromWait:
		return assert.From(seconds(margin))
	}
	uncertainty := p.Pool.Uncertainty + p.Server.Uncertainty
	return assert.Between(seconds(margin-uncertainty), seconds(margin+uncertainty))
}

// value is the limit as an assertion sees it.
func (l Limit) value() assert.Value {
	switch {
	case l.Source == "":
		return assert.Unknown("it has none on that side")
	case !l.Known():
		return assert.Unknown(l.Note)
	case l.Endless:
		return assert.From(forever).Telling("without end")
	case l.Source == FromWait:
		return assert.From(seconds(l.Value))
	}
	return assert.Between(seconds(l.Value-l.Uncertainty), seconds(l.Value+l.Uncertainty))
}

// forever is longer than any limit, in seconds.
const forever = math.MaxFloat64

func seconds(d profile.Duration) float64 { return time.Duration(d).Seconds() }
