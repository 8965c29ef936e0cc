package audit

import (
	"strings"

	"linger"
	"linger/assert"
	"linger/audit/handshake"
)

// figures are what assertions can name.
func figures() []assert.Figure[*Result] {
	type result = *Result
	count := func(name, help string, of func(result) int) assert.Figure[result] {
		return assert.On(name, assert.Number, help, func(r result) assert.Value { return assert.Exactly(float64(of(r))) })
	}
	share := func(name, help, why string, of func(result) linger.Opt[float64]) assert.Figure[result] {
		return assert.On(name, assert.Share, help, func(r result) assert.Value {
			v, ok := of(r).Get()
			if !ok {
				return assert.Unknown(why)
			}
			return assert.Exactly(v)
		})
	}
	none := "no exchange was seen on a connection whose beginning was"
	table := []assert.Figure[result]{
		share("reuse", "requests that were not the first on their connection", none, func(r result) linger.Opt[float64] { return r.Reuse }),
		assert.On("avoidable", assert.Number, "connections that need not have been opened, at most", func(r result) assert.Value {
			if r.Undecided > 0 {
				return assert.Between(float64(r.Avoidable), float64(r.Avoidable+r.Undecided))
			}
			return assert.Exactly(float64(r.Avoidable))
		}),
		count("connections", "connections that were opened", func(r result) int { return r.Opened }),
		count("requests", "requests on them", func(r result) int { return r.Exchanges }),
		assert.On("requests_per_connection", assert.Number, "requests on a connection that carried any", func(r result) assert.Value {
			if r.RequestsPerConnection.N == 0 {
				return assert.Unknown(none)
			}
			return assert.Exactly(r.RequestsPerConnection.Mean)
		}),
		assert.On("waiting", assert.Time, "handshakes that requests waited for, summed", func(r result) assert.Value { return inSeconds(r.Waiting) }),
		assert.On("avoidable_waiting", assert.Time, "the same of avoidable connections", func(r result) assert.Value { return inSeconds(r.AvoidableWaiting) }),
		share("handshake_share", "the share of waiting that was handshakes", none, func(r result) linger.Opt[float64] { return r.HandshakeShare }),
	}
	secure := func(r result) handshake.Section { return r.TLS.Or(handshake.Section{}) }
	table = append(table,
		share("tls_resumed", "TLS handshakes that were resumed", "no TLS handshake was seen to begin", func(r result) linger.Opt[float64] { return secure(r).ResumedShare() }),
		share("decrypted", "encrypted connections that keys decrypt all of", "there is no encrypted connection, or there are no keys", func(r result) linger.Opt[float64] { return secure(r).DecryptedShare() }),
		assert.On("resumption_unused", assert.Number, "full TLS handshakes of clients that could have asked to resume", func(r result) assert.Value {
			n, ok := secure(r).Unused.Get()
			if !ok && secure(r).Connections > 0 {
				return assert.Unknown("what servers gave clients to resume by is encrypted")
			}
			return assert.Exactly(float64(n))
		}),
		count("resumption_refused", "TLS handshakes that the client asked to resume, and the server did not", func(r result) int { return secure(r).Refused }),
	)
	table = append(table,
		assert.On("what_if_connections", assert.Number, "connections that there would have been with the first `--what-if`, predicted", func(r result) assert.Value {
			if len(r.WhatIf) == 0 {
				return assert.Unknown(noWhatIf)
			}
			return assert.Between(float64(r.WhatIf[0].All.Low), float64(r.WhatIf[0].All.High))
		}),
		assert.On("what_if_waiting", assert.Time, "how long requests would have waited for them, predicted", func(r result) assert.Value {
			if len(r.WhatIf) == 0 {
				return assert.Unknown(noWhatIf)
			}
			o := r.WhatIf[0].All
			if v, ok := o.Waiting.Get(); ok {
				return inSeconds(linger.Known(v + o.Queueing.Or(0)))
			}
			return inSeconds(o.Waiting)
		}),
	)
	for _, c := range Causes() {
		name := "cause_" + strings.ReplaceAll(string(c.Code), "-", "_")
		table = append(table, assert.On(name, assert.Number, "connections with the cause `"+string(c.Code)+"`", func(r result) assert.Value { return r.countOf(c.Code) }))
	}
	return table
}

// noWhatIf is why nothing is predicted.
const noWhatIf = "nothing was asked by --what-if"

// countOf is how many connections have a cause; those without one may have it.
func (r *Result) countOf(cause Cause) assert.Value {
	n := 0
	for _, row := range r.Causes {
		if row.Cause == cause {
			n = row.Connections
		}
	}
	if r.Undecided > 0 && cause != Undecided {
		return assert.Between(float64(n), float64(n+r.Undecided))
	}
	return assert.Exactly(float64(n))
}

func inSeconds(o linger.Opt[float64]) assert.Value {
	v, ok := o.Get()
	if !ok {
		return assert.Unknown("no handshake was recorded whole")
	}
	return assert.Exactly(v / 1000)
}

// Names are what an assertion can name.
func Names() []assert.Name { return assert.NamesOf(figures()) }

// Vocabulary is what an assertion can name, and how it is helped where it does not.
func Vocabulary() assert.Vocabulary {
	return assert.Vocabulary{Names: Names(), Listed: "docs/assert.md lists what there is"}
}

// Figures are what is known of each name.
func (r *Result) Figures() assert.Figures { return assert.InTable(figures(), r) }
