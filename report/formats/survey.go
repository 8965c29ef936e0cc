package formats

import (
	"io"
	"strings"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/profile"
	"linger/report"
	"linger/report/words"
)

// SurveyCSV writes a row for each line of a list.
func SurveyCSV(w io.Writer, s []profile.Probed) error {
	var lines []finding.Figures
	for _, one := range s {
		lines = append(lines, figuresOfServer(one))
	}
	return CSV(w, figuresOfServer(profile.Probed{}), lines...)
}

// figuresOfServer are those of one server. The idle limit and the requests are those of
// HTTP/1.1, or of the protocol that there is in its place.
func figuresOfServer(one profile.Probed) finding.Figures {
	p, reached := one.Profile, one.Profile != nil
	if !reached {
		p = &profile.Profile{}
	}
	q := p.Main()
	if q == nil {
		q = &profile.Protocol{}
	}
	var out row
	out.count("line", one.Line)
	out.word("target", one.Target)
	out.word("error", one.Failed)
	out.word("address", p.Address)
	out.word("software", p.Software)
	out.number("status", positive(p.Baseline.Status), "")
	out.ms("rtt_ms", lasting(p.RTT.Median, p.RTT.N > 0))
	out.word("protocols", report.SpokenBy(p))
	idle := q.AfterResponse
	out.word("idle_state", string(idle.State))
	out.ms("idle_ms", lasting(idle.Median, idle.State == profile.Measured))
	out.ms("idle_at_least_ms", lasting(idle.Low, idle.State == profile.AtLeast))
	out.ms("idle_uncertainty_ms", lasting(idle.Uncertainty, idle.State == profile.Measured))
	out.word("ending", string(idle.Ending))
	out.ms("announced_idle_ms", lasting(q.Announced.Timeout.Get()))
	out.word("requests_state", string(q.Requests.State))
	out.number("requests", positive(q.Requests.N), "")
	out.number("announced_requests", float(q.Announced.Max), "")
	n := p.Outcomes()
	out.number("fails", known(n[profile.Fail], reached), "")
	out.number("warnings", known(n[profile.Warn], reached), "")
	out.number("passes", known(n[profile.Pass], reached), "")
	out.number("not_measured", known(n[profile.NotMeasured], reached), "")
	out.word("failed_cases", strings.Join(failed(p), " "))
	out.number("assertions_broken", known(brokenAssertions(p), len(p.Asserted) > 0), "")
	out.word("closing", idle.Closing.String())
	return finding.Figures(out)
}

func brokenAssertions(p *profile.Profile) (n int) {
	for _, a := range p.Asserted {
		if a.Truth != assert.Holds {
			n++
		}
	}
	return n
}

// lasting is a length of time of which it is said whether it is known.
func lasting(d profile.Duration, ok bool) (o linger.Opt[time.Duration]) {
	if ok {
		o = linger.Known(time.Duration(d))
	}
	return o
}

// positive is a count of which 0 says that it is not known.
func positive(n int) linger.Opt[float64] { return known(n, n > 0) }

// failed are the names of the cases that fail.
func failed(p *profile.Profile) []string {
	var names []string
	for _, r := range p.Cases {
		if r.Outcome == profile.Fail {
			names = append(names, r.ID)
		}
	}
	return names
}

// SurveyJSON writes what became of each line of a list, as an array.
func SurveyJSON(w io.Writer, s []profile.Probed) error {
	type one struct {
		Format string `json:"format"`
		words.ToldProbed
	}
	all := make([]one, 0, len(s))
	for _, p := range words.OfProbed(s) {
		all = append(all, one{profile.ProbedFormat, p})
	}
	return indented(w, all)
}
