package formats

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger/assert"
	"linger/profile"
	"linger/report"
)

// A family is a metric of OpenMetrics 1.0 with its samples.
type family struct {
	name, unit, help string
	samples          []string
}

// OpenMetrics writes the figures as gauges, in base units. A lower bound is a metric of
// its own, so that nobody takes it for the limit; what was not measured is not there.
func OpenMetrics(w io.Writer, s []profile.Probed) error {
	const prefix = "linger_probe_"
	var order []*family
	known := map[string]*family{}
	add := func(name, unit, help string, value float64, labels ...string) {
		f := known[name]
		if f == nil {
			f = &family{name: prefix + name, unit: unit, help: help}
			known[name], order = f, append(order, f)
		}
		var pairs []string
		for i := 0; i+1 < len(labels); i += 2 {
			pairs = append(pairs, labels[i]+`="`+labelEscapes.Replace(legible(labels[i+1]))+`"`)
		}
		f.samples = append(f.samples, fmt.Sprintf("%s{%s} %s", f.name, strings.Join(pairs, ","), strconv.FormatFloat(value, 'f', -1, 64)))
	}
	sec := func(d profile.Duration) float64 { return time.Duration(d).Seconds() }
	bit := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	seen := map[string]bool{}
	for _, one := range s {
		if seen[one.Target] {
			continue // the same labels twice are not allowed
		}
		seen[one.Target] = true
		target := []string{"target", one.Target}
		with := func(labels ...string) []string { return append(slices.Clone(target), labels...) }
		add("success", "", "Whether the server could be probed.", bit(one.Profile != nil), target...)
		p := one.Profile
		if p == nil {
			continue
		}
		if !p.Started.IsZero() {
			add("started_timestamp_seconds", "seconds", "When the probe began.", float64(p.Started.UnixMilli())/1000, target...)
		}
		add("duration_seconds", "seconds", "How long the probe took.", sec(p.Took), target...)
		add("connections_opened", "", "Connections that the probe opened.", float64(p.Spent.Connections), target...)
		add("requests_sent", "", "Requests that the probe sent.", float64(p.Spent.Requests), target...)
		if p.RTT.N > 0 {
			add("round_trip_seconds", "seconds", "Median round-trip time of the handshake of TCP.", sec(p.RTT.Median), target...)
		}
		for _, q := range p.Protocols {
			labels := with("protocol", q.Name)
			if offers, known := q.Offers(); known {
				add("protocol_offered", "", "Whether the protocol is spoken.", bit(offers), labels...)
			}
			for _, r := range report.LimitRows(q) {
				if r.ID == "requests_per_connection" || r.ID == "pipelining" {
					continue
				}
				figure, on := "idle", labels
				if after, ok := strings.CutPrefix(r.ID, "idle_after_"); ok {
					on = append(slices.Clone(labels), "after", after)
				} else {
					figure = "max_age"
				}
				switch r.Limit.State {
				case profile.Measured:
					add(figure+"_seconds", "seconds", "After how long the server ends a connection, median.", sec(r.Limit.Median), on...)
					add(figure+"_uncertainty_seconds", "seconds", "How far the median may be from the limit.", sec(r.Limit.Uncertainty), on...)
				case profile.AtLeast:
					add(figure+"_lower_bound_seconds", "seconds", "For how long a connection was open without being ended; the limit is longer.", sec(r.Limit.Low), on...)
				}
			}
			if d, ok := q.Announced.Timeout.Get(); ok {
				add("announced_idle_seconds", "seconds", "The idle limit that the server announces.", sec(d), labels...)
			}
			if n, ok := q.Announced.Max.Get(); ok {
				add("announced_requests", "", "The requests on a connection that the server announces.", float64(n), labels...)
			}
			counted(add, "requests_per_connection", "Requests that one connection may carry", q.Requests, labels)
		}
		counted(add, "parallel_connections", "Connections that were open at once and answered", p.Parallel, target)
		if t := p.TLS; t != nil {
			counted(add, "session_tickets", "Session tickets after one handshake", t.Tickets, target)
			if b, ok := t.Resumes.Get(); ok {
				add("session_resumes", "", "Whether a session ticket works.", bit(b), target...)
			}
		}
		for _, r := range p.Cases {
			if r.Outcome != profile.NotMeasured {
				add("case_passed", "", "Whether the server passes a case; warnings are 0 too.", bit(r.Outcome == profile.Pass), with("case", r.ID, "level", string(r.Level))...)
			}
		}
		n := p.Outcomes()
		for _, o := range []profile.Outcome{profile.Pass, profile.Fail, profile.Warn, profile.NotMeasured} {
			add("cases", "", "Cases by outcome.", float64(n[o]), with("outcome", string(o))...)
		}
		asserted := map[string]bool{}
		for _, a := range p.Asserted {
			if !asserted[a.Text] {
				asserted[a.Text] = true
				add("assertion_holds", "", "Whether an assertion holds; what is not known is 0 too.", bit(a.Truth == assert.Holds), with("assertion", a.Text)...)
			}
		}
	}
	b := bufio.NewWriter(w)
	for _, f := range order {
		fmt.Fprintf(b, "# TYPE %s gauge\n", f.name)
		if f.unit != "" {
			fmt.Fprintf(b, "# UNIT %s %s\n", f.name, f.unit)
		}
		fmt.Fprintf(b, "# HELP %s %s\n", f.name, f.help)
		for _, line := range f.samples {
			b.WriteString(line + "\n")
		}
	}
	b.WriteString("# EOF\n")
	return b.Flush()
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// counted adds a count, or its lower bound under another name.
func counted(add func(name, unit, help string, value float64, labels ...string), name, help string, c profile.Count, labels []string) {
	switch c.State {
	case profile.Measured:
		add(name, "", help+".", float64(c.N), labels...)
	case profile.AtLeast:
		add(name+"_lower_bound", "", help+", at least.", float64(c.N), labels...)
	}
}
