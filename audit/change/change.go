// Package change holds two audits against each other: of the same system before and after a
// setting was changed, or of two systems.
package change

import (
	"linger"
	"linger/audit"
	"linger/audit/handshake"
)

// Format names the document that a Change is, and the version of its form.
const Format = "linger audit-change 1"

// A Change is what differs between two audits: of the same system before and after a
// setting was changed, or of two systems.
type Change struct {
	Format string `json:"format"`
	Before string `json:"before"` // files
	After  string `json:"after"`
	Rows   []Row  `json:"figures"`
	Causes []Row  `json:"causes"`
}

// A Row is a figure before and after.
type Row struct {
	Name   string              `json:"name"`
	Unit   string              `json:"unit,omitempty"` // "share", "ms", or nothing of a count
	Before linger.Opt[float64] `json:"before,omitzero"`
	After  linger.Opt[float64] `json:"after,omitzero"`
}

// Of holds two results against each other. Recordings differ in length and in
// traffic: what can be compared are shares and figures of a request, not sums.
func Of(before, after *audit.Result) Change {
	d := Change{Format: Format, Before: nameOf(before), After: nameOf(after)}
	row := func(name, unit string, of func(*audit.Result) linger.Opt[float64]) {
		d.Rows = append(d.Rows, Row{name, unit, of(before), of(after)})
	}
	count := func(of func(*audit.Result) int) func(*audit.Result) linger.Opt[float64] {
		return func(r *audit.Result) linger.Opt[float64] { return linger.Known(float64(of(r))) }
	}
	row("requests", "", count(func(r *audit.Result) int { return r.Exchanges }))
	row("connections", "", count(func(r *audit.Result) int { return r.Opened }))
	row("reuse", "share", func(r *audit.Result) linger.Opt[float64] { return r.Reuse })
	row("avoidable", "", count(func(r *audit.Result) int { return r.Avoidable }))
	row("avoidable_share", "share", func(r *audit.Result) linger.Opt[float64] { return portion(float64(r.Avoidable), r.Opened) })
	row("requests_per_connection", "", func(r *audit.Result) linger.Opt[float64] {
		if r.RequestsPerConnection.N == 0 {
			return linger.Opt[float64]{}
		}
		return linger.Known(r.RequestsPerConnection.Mean)
	})
	row("handshake_share", "share", func(r *audit.Result) linger.Opt[float64] { return r.HandshakeShare })
	row("waiting_per_request", "ms", func(r *audit.Result) linger.Opt[float64] {
		if r.Waiting.IsZero() {
			return linger.Opt[float64]{}
		}
		return portion(r.Waiting.Or(0), r.Exchanges)
	})
	secure := func(r *audit.Result) handshake.Section { return r.TLS.Or(handshake.Section{}) }
	for _, one := range []struct {
		name string
		of   func(*audit.Result) linger.Opt[float64]
	}{
		{"tls_resumed", func(r *audit.Result) linger.Opt[float64] { return secure(r).ResumedShare() }},
		{"decrypted", func(r *audit.Result) linger.Opt[float64] { return secure(r).DecryptedShare() }},
	} {
		if !one.of(before).IsZero() || !one.of(after).IsZero() {
			row(one.name, "share", one.of)
		}
	}
	for _, c := range audit.Causes() {
		of := func(r *audit.Result) linger.Opt[float64] {
			for _, row := range r.Causes {
				if row.Cause == c.Code {
					return portion(float64(row.Connections), r.Opened)
				}
			}
			return portion(0, r.Opened)
		}
		if b, a := of(before), of(after); b.Or(0) > 0 || a.Or(0) > 0 {
			d.Causes = append(d.Causes, Row{string(c.Code), "share", b, a})
		}
	}
	return d
}

// portion is unknown of nothing.
func portion(v float64, of int) linger.Opt[float64] {
	if of == 0 {
		return linger.Opt[float64]{}
	}
	return linger.Known(v / float64(of))
}

func nameOf(r *audit.Result) string {
	if len(r.Files) == 0 {
		return ""
	}
	return r.Files[0]
}
