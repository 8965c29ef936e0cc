package tune

import (
	"fmt"

	"linger/assert"
)

// Subjects of figures that are of a setting.
const (
	SubjectToday   = "today"
	SubjectAdvised = "advised"
)

// ofPoints are the figures of a setting: of today's and of the advised one, by those names,
// and of any of Timeouts, as "75s".
func ofPoints() []assert.Figure[*Point] {
	between := func(b Bounds) assert.Value { return assert.Between(b.Low, b.High) }
	return []assert.Figure[*Point]{
		assert.On("idle_timeout", assert.Time, "the idle timeout itself", func(p *Point) assert.Value { return assert.Exactly(p.Timeout) }),
		assert.On("reuse", assert.Share, "requests that find a connection open", func(p *Point) assert.Value { return between(p.Reuse) }),
		assert.On("connections", assert.Number, "connections that are opened", func(p *Point) assert.Value { return between(p.Connections) }),
		assert.On("sockets", assert.Number, "sockets that are open, on average", func(p *Point) assert.Value { return between(p.Mean) }),
		assert.On("sockets_p99", assert.Number, "sockets that are open for 99 % of the time at most", func(p *Point) assert.Value { return assert.Exactly(float64(p.P99)) }),
		assert.On("sockets_peak", assert.Number, "sockets that are open at most", func(p *Point) assert.Value { return assert.Exactly(float64(p.Peak)) }),
	}
}

// ofResults are the figures of all.
func ofResults() []assert.Figure[*Result] {
	return []assert.Figure[*Result]{
		assert.On("requests", assert.Number, "requests in the log", func(r *Result) assert.Value { return assert.Exactly(float64(r.Requests)) }),
		assert.On("clients", assert.Number, "clients, as addresses", func(r *Result) assert.Value { return assert.Exactly(float64(r.Clients)) }),
		assert.On("observed_reuse", assert.Share, "requests that were not the first on their connection, as the log says", func(r *Result) assert.Value {
			if r.Observed == nil {
				return assert.Unknown("the log does not tell connections apart")
			}
			return assert.Exactly(r.Observed.Reuse)
		}),
	}
}

// Names are what an assertion can name: of each setting, and of all.
func Names() (each, all []assert.Name) { return assert.EachOf(ofPoints()), assert.NamesOf(ofResults()) }

// Vocabulary is what an assertion can name, and how it is helped where it does not.
func Vocabulary() assert.Vocabulary {
	each, all := Names()
	subjects := []string{SubjectAdvised, SubjectToday}
	for _, t := range Timeouts {
		subjects = append(subjects, fmt.Sprintf("%gs", t.Seconds()))
	}
	return assert.Vocabulary{Names: append(each, all...), Subject: "setting", Subjects: subjects, Listed: "docs/assert.md lists what there is"}
}

// Figures are what is known of each name.
func (r *Result) Figures() assert.Figures {
	return func(name, subject string) assert.Value {
		if v, ok := assert.Lookup(ofResults(), r, name); ok {
			return v
		}
		p := r.of(subject)
		if p == nil {
			if subject == SubjectToday {
				return assert.Unknown("today's timeout was not given: --idle-timeout 75s")
			}
			return assert.Unknown("there is no advice")
		}
		v, _ := assert.Lookup(ofPoints(), p, name)
		return v
	}
}

// of returns the point of a setting; of no name it is the advised one.
func (r *Result) of(subject string) *Point {
	switch subject {
	case SubjectToday:
		return r.Today
	case SubjectAdvised, "":
		return r.Advised
	}
	for i := range r.Points {
		if fmt.Sprintf("%gs", r.Points[i].Timeout) == subject {
			return &r.Points[i]
		}
	}
	return nil
}
