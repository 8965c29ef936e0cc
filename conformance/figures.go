package conformance

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/assert"
	"linger/profile"
)

// ofProtocols are the figures of each protocol: the name alone is of HTTP/1.1, or of the
// only protocol that there is; behind a _ stands another.
var ofProtocols = []assert.Figure[*profile.Protocol]{
	assert.On("idle", assert.Time, "idle limit after a response", func(p *profile.Protocol) assert.Value { return limit(p.AfterResponse) }),
	assert.On("idle_connect", assert.Time, "idle limit after connecting, nothing sent", func(p *profile.Protocol) assert.Value { return limit(p.AfterConnect) }),
	assert.On("idle_tls", assert.Time, "idle limit after the handshake of TLS, nothing sent behind it", func(p *profile.Protocol) assert.Value { return limit(p.AfterTLS) }),
	assert.On("age", assert.Time, "for how long a connection lives that is never idle", func(p *profile.Protocol) assert.Value { return limit(p.Age) }),
	assert.On("requests", assert.Number, "requests on one connection", func(p *profile.Protocol) assert.Value { return count(p.Requests) }),
	assert.On("announced", assert.Time, "idle limit that is announced", func(p *profile.Protocol) assert.Value {
		d, ok := p.Announced.Timeout.Get()
		if !ok {
			return assert.Unknown("none is announced")
		}
		return assert.Exactly(seconds(d)).Telling(d.String())
	}),
	assert.On("ending", assert.Text, "how an idle connection ends", func(p *profile.Protocol) assert.Value {
		if p.AfterResponse.State != profile.Measured {
			return assert.Unknown(unseen(p.AfterResponse))
		}
		return assert.Word(string(p.AfterResponse.Ending))
	}),
	assert.On("pipelining", assert.YesNo, "requests sent without waiting are all answered, in order", func(p *profile.Protocol) assert.Value {
		if p.Pipelining == nil || p.Pipelining.State != profile.Measured {
			return assert.Unknown(noFigure)
		}
		ordered, known := p.Pipelining.InOrder.Get()
		if !known && p.Pipelining.Answered == p.Pipelining.Sent {
			return assert.Unknown("all requests are answered alike, so that the order does not show")
		}
		return assert.Is(ordered && p.Pipelining.Answered == p.Pipelining.Sent).Telling(p.Pipelining.String())
	}),
}

// ofServers are the figures that there is one of, whatever is spoken.
var ofServers = []assert.Figure[*profile.Profile]{
	isSpoken(linger.HTTP11),
	isSpoken(linger.H2),
	isSpoken(linger.H3),
	assert.On("rtt", assert.Time, "round-trip time of TCP's handshake", func(p *profile.Profile) assert.Value {
		if p.RTT.N == 0 {
			return assert.Unknown(noFigure)
		}
		return assert.Between(seconds(p.RTT.Low), seconds(p.RTT.High)).Telling(p.RTT.Median.String())
	}),
	assert.On("parallel", assert.Number, "connections that were open at once and answered", func(p *profile.Profile) assert.Value { return count(p.Parallel) }),
	assert.On("status", assert.Number, "status of the ordinary answer", func(p *profile.Profile) assert.Value {
		if p.Baseline.Status == 0 {
			return assert.Unknown("there was no answer of HTTP")
		}
		return assert.Exactly(float64(p.Baseline.Status))
	}),
	assert.On("software", assert.Text, "what the server calls itself", func(p *profile.Profile) assert.Value {
		if p.Software == "" {
			return assert.Unknown("the server does not say")
		}
		return assert.Word(p.Software)
	}),
	assert.On("tls", assert.Number, "highest version of TLS that is accepted", tlsVersion(func(a, b float64) bool { return a > b })),
	assert.On("tls_least", assert.Number, "lowest version of TLS that is accepted", tlsVersion(func(a, b float64) bool { return a < b })),
	assert.On("tickets", assert.Number, "session tickets after one handshake", func(p *profile.Profile) assert.Value {
		if p.TLS == nil {
			return assert.Unknown(noTLS)
		}
		return count(p.TLS.Tickets)
	}),
	assert.On("resumes", assert.YesNo, "a session ticket works", func(p *profile.Profile) assert.Value {
		if p.TLS == nil {
			return assert.Unknown(noTLS)
		}
		return yesIf(p.TLS.Resumes.Get())
	}),
	assert.On("early_data", assert.YesNo, "a session ticket allows early data", func(p *profile.Profile) assert.Value {
		if p.TLS == nil {
			return assert.Unknown(noTLS)
		}
		return yesIf(p.TLS.Early.Get())
	}),
	assert.On("alt_svc", assert.YesNo, "HTTP/3 is where Alt-Svc says", func(p *profile.Profile) assert.Value {
		if p.AltSvc == nil || p.AltSvc.Value == "" {
			return assert.Unknown("there is no Alt-Svc")
		}
		return yesIf(p.AltSvc.Works.Get())
	}),
	assert.On("fails", assert.Number, "cases that fail", outcomes(profile.Fail)),
	assert.On("warnings", assert.Number, "cases with a warning", outcomes(profile.Warn)),
	assert.On("passes", assert.Number, "cases that pass", outcomes(profile.Pass)),
	assert.On("unmeasured", assert.Number, "cases that were not measured", outcomes(profile.NotMeasured)),
}

const (
	noTLS    = "nothing of TLS was measured"
	noFigure = "it was not measured"
)

// figures are all that an assertion about a server can name. Each case is one.
var figures = func() []assert.Figure[*profile.Profile] {
	var out []assert.Figure[*profile.Profile]
	of := func(f assert.Figure[*profile.Protocol], name string, p linger.Protocol, rare bool) {
		g := assert.On(name, f.Kind, f.Help, ofProtocol(f, p))
		g.Rare = rare
		out = append(out, g)
	}
	for _, f := range ofProtocols {
		of(f, f.Name.Name, "", false)
	}
	out = append(out, ofServers...)
	for _, f := range ofProtocols {
		for _, p := range linger.Protocols() {
			of(f, f.Name.Name+"_"+p.Short(), p, p != linger.H2 && p != linger.H3)
		}
	}
	for _, c := range Cases() {
		out = append(out, assert.On(caseName(c.ID), assert.YesNo, c.Title, verdictOn(c.ID)))
	}
	return out
}()

// Vocabulary is what an assertion about a server can name.
func Vocabulary() assert.Vocabulary {
	return assert.Vocabulary{Names: assert.NamesOf(figures), Listed: "docs/assert.md and linger probe --list name what there is"}
}

// Figures are what is known of each name.
func Figures(p *profile.Profile) assert.Figures { return assert.InTable(figures, p) }

// Names are what an assertion can name besides the cases, whose names have _ for -.
func Names() []assert.Name {
	return slices.Concat(assert.NamesOf(ofProtocols), assert.NamesOf(ofServers))
}

// Words are all names that complete an assertion.
func Words() []string {
	var out []string
	for _, f := range figures {
		if !f.Rare {
			out = append(out, f.Name.Name)
		}
	}
	return out
}

func caseName(id string) string { return strings.ReplaceAll(id, "-", "_") }

// ofProtocol looks for the figure in that protocol; "" is HTTP/1.1, or whichever the
// document has first where it has none.
func ofProtocol(f assert.Figure[*profile.Protocol], of linger.Protocol) func(*profile.Profile) assert.Value {
	return func(p *profile.Profile) assert.Value {
		name := cmp.Or(of, linger.HTTP11)
		i := slices.IndexFunc(p.Protocols, func(q *profile.Protocol) bool { return q.Name == name })
		if i < 0 && of == "" && len(p.Protocols) > 0 {
			i = 0
		}
		if i < 0 {
			return assert.Unknown("nothing was measured of " + string(name))
		}
		q := p.Protocols[i]
		if v := f.Of(q); v.Why == "" || q.Offered || q.Why == "" {
			return v
		}
		return assert.Unknown(q.Why)
	}
}

func verdictOn(id string) func(*profile.Profile) assert.Value {
	return func(p *profile.Profile) assert.Value {
		r, ok := p.ResultOf(id)
		switch {
		case !ok:
			return assert.Unknown("it was not among the cases that were asked for")
		case r.Outcome == profile.NotMeasured:
			return assert.Unknown(r.Text)
		case r.Outcome == profile.Pass:
			return assert.Is(true)
		}
		return assert.Is(false).Telling("not so: " + r.Text)
	}
}

func isSpoken(p linger.Protocol) assert.Figure[*profile.Profile] {
	return assert.On(p.Short(), assert.YesNo, p.Title()+" is spoken", offered(p))
}

func offered(protocol linger.Protocol) func(*profile.Profile) assert.Value {
	return func(p *profile.Profile) assert.Value {
		for _, q := range p.Protocols {
			switch offers, known := q.Offers(); {
			case q.Name != protocol:
			case known && offers:
				return assert.Is(true).Telling("spoken")
			case known:
				return assert.Is(false).Telling(q.Why)
			case q.Why != "":
				return assert.Unknown(q.Why)
			}
		}
		return assert.Unknown(noFigure)
	}
}

func tlsVersion(better func(a, b float64) bool) func(*profile.Profile) assert.Value {
	return func(p *profile.Profile) assert.Value {
		if p.TLS == nil {
			return assert.Unknown(noTLS)
		}
		var best float64
		for _, s := range p.TLS.Versions {
			if v, err := strconv.ParseFloat(s, 64); err == nil && (best == 0 || better(v, best)) {
				best = v
			}
		}
		if best == 0 {
			return assert.Unknown(noTLS)
		}
		return assert.Exactly(best)
	}
}

func outcomes(o profile.Outcome) func(*profile.Profile) assert.Value {
	return func(p *profile.Profile) assert.Value { return assert.Exactly(float64(p.Outcomes()[o])) }
}

func yesIf(b, known bool) assert.Value {
	if !known {
		return assert.Unknown(noFigure)
	}
	return assert.Is(b)
}

// limit is an idle limit. What it is known to within decides what is the same as it, as
// far as that is no more than a probe promises.
func limit(t profile.Timeout) assert.Value {
	low, high, ok := t.Interval()
	switch {
	case !ok:
		return assert.Unknown(unseen(t))
	case t.State == profile.AtLeast:
		return assert.From(seconds(low)).Telling(t.String())
	}
	v := assert.Between(seconds(low), seconds(high)).Telling(t.String())
	v.Same = min(seconds(max((high-low)/2+profile.Duration(time.Microsecond), profile.Duration(10*time.Millisecond))), seconds(profile.Slack(t.Median)))
	return v
}

// unseen is why there is no limit.
func unseen(t profile.Timeout) string {
	switch {
	case t.State == profile.AtLeast:
		return "waiting ended before: " + t.String()
	case t.Why != "":
		return t.Why
	}
	return noFigure
}

func count(c profile.Count) assert.Value {
	switch {
	case c.State == profile.Measured:
		return assert.Exactly(float64(c.N))
	case c.State == profile.AtLeast:
		return assert.From(float64(c.N)).Telling(c.String())
	case c.Why != "":
		return assert.Unknown(c.Why)
	}
	return assert.Unknown(noFigure)
}

func seconds(d profile.Duration) float64 { return time.Duration(d).Seconds() }
