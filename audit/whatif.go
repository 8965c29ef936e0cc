package audit

import (
	"cmp"
	"linger/audit/limit"
	"linger/audit/predict"
	"slices"
	"time"

	"linger"
)

// A WhatIf is what a pool for each client would have done with the requests of an origin, as
// policy.Pool decides: at most so many connections open at once, each kept for so long. It is
// predicted. A request that was sent after a response comes as long after it as it did,
// whenever that is there now; others come when they came. All take as long as they took.
type WhatIf struct {
	Connections int     `json:"connections"` // of the pool, at most
	Idle        float64 `json:"idle_s"`      // for how long they are kept
	Requests    int     `json:"requests"`
	// Opened is how many connections there would have been, Instead how many carried those
	// requests.
	Opened  int    `json:"opened"`
	Instead int    `json:"instead_of"`
	Known   string `json:"known"` // "predicted"
}

// Reuse is the share of requests that would not have been the first on their connection.
func (w WhatIf) Reuse() float64 { return 1 - float64(w.Opened)/float64(max(1, w.Requests)) }

// wantsOf returns the requests of a client's pool by when they were wanted. The first one of a
// connection was wanted when that was opened, unless it had been opened ahead. Requests that
// were not answered in full are left out. ok is false where those are more than a tenth, or
// where requests have been summed up.
func wantsOf(conns []*conn) (wants []predict.Want, ok bool) {
	lacking := 0
	for _, c := range conns {
		if c.folded != nil || c.opaque || c.multiplexed {
			return nil, false
		}
		for i, s := range c.spans {
			if s.sent == never || s.done == never || s.done < s.sent {
				lacking++
				continue
			}
			w := predict.Want{At: s.sent, Done: s.done, Takes: s.done.Sub(s.sent), After: -1}
			if i == 0 && !c.beganBefore && !c.price.hidden {
				w.At = min(w.At, c.opened)
			}
			wants = append(wants, w)
		}
	}
	if lacking > len(wants)/10 {
		return nil, false
	}
	return predict.InOrder(wants), true
}

// whatIf replays the requests of each origin to which connections were avoidable, where all
// requests are known.
func (a *Auditor) whatIf(byPool map[*pool][]*conn) {
	if a.tally.settled > 0 {
		return // those of others are gone
	}
	unknown := map[groupKey]bool{}
	for p, conns := range byPool {
		k := a.originOf(p.label, p.key.server)
		g := in(a.tally.origins, k)
		if g.avoidable() == 0 {
			continue
		}
		wants, ok := wantsOf(conns)
		if !ok || unknown[k] {
			unknown[k], g.whatIf = true, WhatIf{}
			continue
		}
		w := &g.whatIf
		w.Connections, w.Idle = a.advised(g)
		opened := predict.Opened(wants, a.poolFor(p.key.server, *w), setupOf(conns))
		w.Known = "predicted"
		w.Requests += len(wants)
		w.Opened += opened
		for _, c := range conns {
			if c.requests > 0 {
				w.Instead++
			}
		}
	}
}

// advised is the pool that remedies for an origin set up, unless the user named another.
func (a *Auditor) advised(g *group) (connections int, idle float64) {
	if a.config.PoolSize > 0 || a.config.PoolIdle > 0 {
		return cmp.Or(a.config.PoolSize, keptFor(g.peak)), cmp.Or(a.config.PoolIdle, keptLong).Seconds()
	}
	longest := time.Duration(0)
	for cause, m := range g.causes {
		if gap, ok := m.usualGap(); ok && cause.Of().Avoidable {
			longest = max(longest, gap)
		}
	}
	if longest == 0 {
		return keptFor(g.peak), keptLong.Seconds()
	}
	return keptFor(g.peak), withMargin(longest).Seconds()
}

// keptLong is for how long a pool keeps connections of which no gap is known.
const keptLong = 60 * time.Second

// poolFor is such a pool as policy has it, which knows of limits of the server that are claimed.
func (a *Auditor) poolFor(server *host, w WhatIf) linger.Strategy {
	s := linger.Strategy{Name: "keep", Version: "1.1", Persistent: true, Connections: w.Connections, InFlight: 1, IdleTimeout: limit.Seconds(w.Idle)}
	if ends, ok := server.idle.Single(); ok {
		s.IdleTimeout = min(s.IdleTimeout, limit.Seconds(ends))
	}
	if most, _, ok := server.counts.SoleRequests(); ok {
		s.MaxRequests = most
	}
	return s
}

// setupOf is how long connections of a pool took to be set up, the median; 0 where that was not
// seen.
func setupOf(conns []*conn) time.Duration {
	var all []time.Duration
	for _, c := range conns {
		if c.price.measured {
			all = append(all, c.price.waiting)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
