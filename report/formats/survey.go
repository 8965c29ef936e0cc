package formats

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"linger/assert"
	"linger/profile"
	"linger/report"
)

// surveyColumns are those of a survey's CSV. What was not measured is empty.
var surveyColumns = []struct {
	name  string
	value func(profile.Probed) string
}{
	{"line", func(p profile.Probed) string { return strconv.Itoa(p.Line) }},
	{"target", func(p profile.Probed) string { return p.Target }},
	{"error", func(p profile.Probed) string { return p.Failed }},
	{"address", ofPolicy(func(p *profile.Profile) string { return p.Address })},
	{"software", ofPolicy(func(p *profile.Profile) string { return p.Software })},
	{"status", ofPolicy(func(p *profile.Profile) string { return positive(p.Baseline.Status) })},
	{"rtt_ms", ofPolicy(func(p *profile.Profile) string {
		if p.RTT.N == 0 {
			return ""
		}
		return inMS(p.RTT.Median)
	})},
	{"protocols", ofPolicy(func(p *profile.Profile) string { return report.SpokenBy(p) })},
	{"idle_state", ofMain(func(q *profile.Protocol) string { return string(q.AfterResponse.State) })},
	{"idle_ms", ofMain(func(q *profile.Protocol) string { return median(q.AfterResponse) })},
	{"idle_at_least_ms", ofMain(func(q *profile.Protocol) string { return atLeast(q.AfterResponse) })},
	{"idle_uncertainty_ms", ofMain(func(q *profile.Protocol) string {
		if q.AfterResponse.State != profile.Measured {
			return ""
		}
		return inMS(q.AfterResponse.Uncertainty)
	})},
	{"ending", ofMain(func(q *profile.Protocol) string { return string(q.AfterResponse.Ending) })},
	{"announced_idle_ms", ofMain(func(q *profile.Protocol) string {
		d, ok := q.Announced.Timeout.Get()
		if !ok {
			return ""
		}
		return inMS(d)
	})},
	{"requests_state", ofMain(func(q *profile.Protocol) string { return string(q.Requests.State) })},
	{"requests", ofMain(func(q *profile.Protocol) string { return positive(q.Requests.N) })},
	{"announced_requests", ofMain(func(q *profile.Protocol) string {
		n, ok := q.Announced.Max.Get()
		if !ok {
			return ""
		}
		return strconv.Itoa(n)
	})},
	{"fails", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.Fail]) })},
	{"warnings", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.Warn]) })},
	{"passes", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.Pass]) })},
	{"not_measured", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.NotMeasured]) })},
	{"failed_cases", ofPolicy(func(p *profile.Profile) string { return strings.Join(failed(p), " ") })},
	{"assertions_broken", ofPolicy(func(p *profile.Profile) string {
		if len(p.Asserted) == 0 {
			return ""
		}
		return strconv.Itoa(brokenAssertions(p))
	})},
}

func brokenAssertions(p *profile.Profile) (n int) {
	for _, a := range p.Asserted {
		if a.Truth != assert.Holds {
			n++
		}
	}
	return n
}

func ofPolicy(of func(*profile.Profile) string) func(profile.Probed) string {
	return func(p profile.Probed) string {
		if p.Profile == nil {
			return ""
		}
		return of(p.Profile)
	}
}

// ofMain is of HTTP/1.1, or of the protocol that there is in its place.
func ofMain(of func(*profile.Protocol) string) func(profile.Probed) string {
	return ofPolicy(func(p *profile.Profile) string {
		if q := report.MainProtocol(p); q != nil {
			return of(q)
		}
		return ""
	})
}

func inMS(d profile.Duration) string {
	return strconv.FormatFloat(float64(d)/1e6, 'f', -1, 64)
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func median(t profile.Timeout) string {
	if t.State != profile.Measured {
		return ""
	}
	return inMS(t.Median)
}

func atLeast(t profile.Timeout) string {
	if t.State != profile.AtLeast {
		return ""
	}
	return inMS(t.Low)
}

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

// SurveyCSV writes a row for each line of a list.
func SurveyCSV(w io.Writer, s []profile.Probed) error {
	c := csv.NewWriter(w)
	line := make([]string, len(surveyColumns))
	for i, col := range surveyColumns {
		line[i] = col.name
	}
	c.Write(line)
	for _, p := range s {
		for i, col := range surveyColumns {
			line[i] = col.value(p)
		}
		c.Write(line)
	}
	c.Flush()
	return c.Error()
}
