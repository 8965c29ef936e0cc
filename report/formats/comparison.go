package formats

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/words"
)

// Comparison tells what was found of an experiment, or of a fetch: whether each strategy
// delivered, what it comes to, and what there is to doubt. The tool is the verb that
// looked at it: "linger compare".
func Comparison(f compare.Findings, tool, version string) Report {
	t := Target{
		Kind: "workload", Name: f.Workload.Name, URI: referenceOf(f.Workload.Name), Asserted: f.Asserted,
		Labels:  []Label{{"workload", f.Workload.Name}, {"network", f.Network.Name}, {"provenance", string(f.Provenance)}},
		Partial: slices.ContainsFunc(f.Caveats, func(c finding.Caveat) bool { return c.Code == compare.Interrupted }),
	}
	for _, r := range f.Rows {
		t.Findings = append(t.Findings, deliveryOf(r, f, t.Partial))
		t.Metrics = append(t.Metrics, metricsOfRow(r)...)
	}
	add := func(one finding.Finding, group, rule, text, told string) {
		one.Severity = cmp.Or(one.Severity, finding.Note)
		t.Findings = append(t.Findings, Finding{
			Finding: one, Text: text, Told: told,
			Rule: Rule{Group: group, Short: rule + ".", Full: rule + ": " + one.Code + ".", Level: finding.Note},
		})
	}
	for _, one := range f.Verdict.Findings {
		text := words.Finding(one)
		add(one, "verdict", "What the figures come to", text, text)
	}
	for i, text := range words.Caveats(f.Caveats) {
		c := f.Caveats[i]
		add(finding.Finding{Code: c.Code, Subject: c.Subject, Cause: c.Cause, Figures: c.Figures}, "caveat", "There is a reason to doubt a figure", text, text+".")
	}
	return Report{Tool: tool, Version: version, Asserted: "the figures", Targets: []Target{t}}
}

// referenceOf makes a reference (RFC 3986, 4.1) of the name of a workload, which may be
// a URL, a file or a word.
func referenceOf(name string) string {
	if u, err := url.Parse(name); err == nil && u.Scheme != "" && u.Host != "" {
		return u.String()
	}
	return url.PathEscape(name)
}

// deliveryOf says whether a strategy delivered the workload. One that the other side
// does not speak has lost nothing, as long as another delivered.
func deliveryOf(r compare.Row, f compare.Findings, interrupted bool) Finding {
	out := Finding{
		Finding: finding.Finding{
			Code: "delivered", Severity: finding.Pass, Subject: finding.Subject{Kind: "strategy", Name: r.Strategy},
			Figures: finding.Figures{finding.Number("trials", float64(r.Trials), ""), finding.Number("failed", float64(r.Failed), "")},
		},
		Rule: Rule{Group: "strategy", Short: "A strategy delivers the whole workload.", Full: "Every trial of a strategy delivers the whole workload.", Level: finding.Error},
	}
	trials := linger.Plural(r.Trials, "trial")
	delivered := func(r compare.Row) bool { return r.Trials > r.Failed }
	switch lost := f.Trials - r.Trials; {
	case lost > 0 && !interrupted:
		out.Severity, out.Text = finding.Error, fmt.Sprintf("%d of %s were lost", lost, linger.Plural(f.Trials, "trial"))
	case r.Trials == 0:
		out.Severity, out.Text = finding.Unknown, "no trial was run to its end"
	case delivered(r) && r.Failed == 0:
		out.Text = trials + " delivered everything"
	case delivered(r):
		out.Severity, out.Text = finding.Error, fmt.Sprintf("%d of %s did not deliver everything", r.Failed, trials)
	case slices.ContainsFunc(f.Rows, delivered):
		out.Severity, out.Text = finding.Unknown, "none of "+trials+" delivered everything"
	default:
		out.Severity, out.Text = finding.Error, "none of "+trials+" delivered everything"
	}
	out.Told = r.Strategy + ": " + out.Text + "."
	return out
}

// metricsOfRow are the figures of a strategy, medians over its trials. What was not
// measured is not there.
func metricsOfRow(r compare.Row) []Metric {
	var m metrics
	on := Label{"strategy", r.Strategy}
	number := func(name, unit, help string, v linger.Opt[float64], labels ...Label) {
		if v, ok := v.Get(); ok {
			m.add(name, unit, help, v, append([]Label{on}, labels...)...)
		}
	}
	ms := func(name, help string, v linger.Opt[float64], labels ...Label) {
		number(name+"_seconds", "seconds", help, known(math.Round(v.Or(0)*1e6)/1e9, !v.IsZero()), labels...) // to the ns
	}
	ways := func(name, unit, help string, o linger.Opt[compare.Ways]) {
		w, ok := o.Get()
		number(name, unit, help, known(w.Up, ok), Label{"direction", "up"})
		number(name, unit, help, known(w.Down, ok), Label{"direction", "down"})
	}
	number("trials", "", "Trials that were run to their end.", known(r.Trials, true))
	number("trials_failed", "", "Trials of these that did not deliver everything.", known(r.Failed, true))
	t, ok := r.Time.Get()
	ms("time", "From wanting the first object to the end of the last, median.", known(t.Median, ok))
	ms("time_low", "Lower end of the interval that holds the true median of the time.", t.Low)
	ms("time_at_least", "What the median of the time is at least, where failed trials leave it unknown.", r.AtLeast)
	ms("time_high", "Upper end of the interval that holds the true median of the time.", t.High)
	number("time_ratio", "", "The time divided by that of the fastest strategy.", r.RatioToBest)
	number("connections", "", "Connections that the client opened.", r.Connections)
	number("handshakes", "", "Handshakes of TCP and QUIC.", r.Handshakes)
	number("resumed_ratio", "", "Share of the TLS handshakes that continued an earlier session.", r.Resumed)
	number("setup_round_trips", "", "Round trips until the first request may be sent on a new connection.", r.SetupRoundTrips)
	number("round_trips", "", "Round trips in the time.", r.RoundTrips)
	number("round_trips_doubt", "", "How far off the round trips may be.", r.TripsDoubt)
	number("requests_per_connection", "", "Requests that were answered on a connection.", r.RequestsPerConnection)
	number("requests_unanswered", "", "Requests that a connection took and did not answer.", r.RequestsInVain)
	ways("packets", "", "IP packets.", r.Packets)
	ways("wire_bytes", "bytes", "Bytes of IP packets with their headers.", r.WireBytes)
	ways("payload_bytes", "bytes", "Bytes that TCP or UDP carried.", r.PayloadBytes)
	number("overhead_ratio", "", "Share of the bytes on the wire that is no content.", r.Overhead)
	number("packets_retransmitted", "", "Packets that were retransmitted, both ways.", r.Retransmitted)
	number("requests_retried", "", "Requests retried since a connection had been closed.", r.Retries)
	number("sockets_peak", "", "The most TCP sockets at once.", r.Sockets.ClientPeak, Label{"side", "client"})
	number("sockets_peak", "", "The most TCP sockets at once.", r.Sockets.ServerPeak, Label{"side", "server"})
	number("time_wait_sockets", "", "Sockets left in TIME_WAIT, of both sides.", r.Sockets.TimeWait)
	number("socket_memory_peak_bytes", "bytes", "The most kernel memory that sockets held.", r.SocketMemory.ClientPeak, Label{"side", "client"})
	number("socket_memory_peak_bytes", "bytes", "The most kernel memory that sockets held.", r.SocketMemory.ServerPeak, Label{"side", "server"})
	ms("cpu", "CPU time, user and system.", r.CPU.Client, Label{"side", "client"})
	ms("cpu", "CPU time, user and system.", r.CPU.Server, Label{"side", "server"})
	if d, ok := r.DNS.Get(); ok {
		number("queries_failed", "", "Queries that were not answered, over all trials.", known(d.Failed, true))
		s, answered := d.Time.Get()
		quantile := func(q string) Label { return Label{"quantile", q} }
		ms("query", "From wanting a name to having the answer.", known(s.Median, answered), quantile("0.5"))
		ms("query", "From wanting a name to having the answer.", s.P95, quantile("0.95"))
		ms("query", "From wanting a name to having the answer.", s.P99, quantile("0.99"))
		number("query_bytes", "bytes", "Bytes on the wire for a query.", d.Bytes)
	}
	return m
}
