package formats

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/compare/across"
	"linger/compare/difference"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/report/trial"
	"linger/report/words"
)

// A comparison is the document of one network.
type comparison struct {
	Format string `json:"format"`
	Linger string `json:"linger"`
	words.ToldFindings
	// Of what was predicted beside what was measured.
	Predicted *words.ToldFindings `json:"predicted,omitempty"`
	Gaps      []difference.Gap    `json:"gaps,omitempty"`
}

// comparisonOf is the document of what was measured or predicted; predicted is what was
// predicted beside, or nil.
func comparisonOf(f compare.Findings, predicted *compare.Findings, version string) comparison {
	c := comparison{Format: compare.Format, Linger: version, ToldFindings: words.OfFindings(f)}
	if predicted != nil {
		told := words.OfFindings(*predicted)
		c.Predicted, c.Gaps = &told, difference.Gaps(f, *predicted)
	}
	return c
}

// CompareJSON writes the findings as linger compare --json does, with the version, and with what
// was predicted beside them, if anything.
func CompareJSON(w io.Writer, f compare.Findings, predicted *compare.Findings, version string) error {
	return indented(w, comparisonOf(f, predicted, version))
}

// NetworksJSON writes comparisons on several networks, each as CompareJSON does. predicted are
// those that were predicted beside, indexed as n.Each, or nothing.
func NetworksJSON(w io.Writer, n across.Networks, predicted []compare.Findings, version string) error {
	type verdict struct {
		Text     string            `json:"text"`
		Findings []finding.Finding `json:"findings"`
	}
	out := struct {
		Format      string          `json:"format"`
		Linger      string          `json:"linger"`
		Verdict     verdict         `json:"verdict"`
		Asserted    []assert.Result `json:"assertions,omitempty"`
		Comparisons []comparison    `json:"comparisons"`
	}{Format: compare.NetworksFormat, Linger: version, Verdict: verdict{words.Networks(n).String(), n.Findings}, Asserted: n.Asserted}
	for i, f := range n.Each {
		out.Comparisons = append(out.Comparisons, comparisonOf(f, beside(predicted, i), version))
	}
	return indented(w, out)
}

// beside is what was predicted beside the i-th of several results, nil where nothing was.
func beside(predicted []compare.Findings, i int) *compare.Findings {
	if i >= len(predicted) {
		return nil
	}
	return &predicted[i]
}

// DifferenceJSON writes what has changed from one result to another.
func DifferenceJSON(w io.Writer, d difference.Change) error {
	return indented(w, struct {
		Format string `json:"format"`
		words.ToldChange
	}{difference.Format, words.OfChange(d)})
}

// CompareCSV writes the rows of the findings, a line each, and below them those of what was
// predicted beside, if anything: then the first column says which.
func CompareCSV(w io.Writer, f compare.Findings, predicted *compare.Findings) error {
	return csvOf(w, false, []compare.Findings{f}, predicted)
}

// NetworksCSV is CompareCSV of several networks: the first column has their names.
func NetworksCSV(w io.Writer, n across.Networks, predicted []compare.Findings) error {
	var all []*compare.Findings
	for i := range n.Each {
		all = append(all, beside(predicted, i))
	}
	return csvOf(w, true, n.Each, all...)
}

// csvOf writes a line for each row of some findings, each followed by what was predicted beside.
func csvOf(w io.Writer, networks bool, each []compare.Findings, predicted ...*compare.Findings) error {
	both := slices.ContainsFunc(predicted, func(p *compare.Findings) bool { return p != nil })
	scheme := each[0].Workload.Scheme
	line := func(f compare.Findings, r compare.Row) (out finding.Figures) {
		if networks {
			out = append(out, finding.Word("network", f.Network.Named()))
		}
		if both {
			out = append(out, finding.Word("provenance", string(f.Provenance)))
		}
		return append(out, figuresOf(r, scheme)...)
	}
	var lines []finding.Figures
	for i, f := range each {
		for _, one := range []*compare.Findings{&f, predicted[i]} {
			if one == nil {
				continue
			}
			for _, r := range one.Rows {
				lines = append(lines, line(*one, r))
			}
		}
	}
	return CSV(w, line(compare.Findings{}, compare.Row{}), lines...)
}

// figuresOf are those of a row; of look-ups there are more.
func figuresOf(r compare.Row, scheme string) finding.Figures {
	var out row
	out.word("strategy", r.Strategy)
	out.yes("persistent", r.Persistent)
	out.count("trials", r.Trials)
	out.count("failed", r.Failed)
	out.time(r.Time)
	out.number("time_ms.confidence", r.Time.Or(times.Time{}).Confidence, "share")
	out.number("time_at_least_ms", r.AtLeast, "ms")
	out.spread("request_ms", r.Request)
	out.word("protocol", r.Protocol)
	out.word("tls_version", r.TLSVersion)
	out.number("connections", r.Connections, "")
	out.number("handshakes", r.Handshakes, "")
	out.number("handshake.tcp", r.Handshake.TCP, "")
	out.number("handshake.tls_full", r.Handshake.TLSFull, "")
	out.number("handshake.tls_resumed", r.Handshake.TLSResumed, "")
	out.number("handshake.quic", r.Handshake.QUIC, "")
	out.number("resumed", r.Resumed, "share")
	out.number("early_data", r.EarlyData, "")
	out.number("fast_open", r.FastOpen, "")
	out.number("setup_round_trips", r.SetupRoundTrips, "RTT")
	out.ways("handshake_bytes", r.HandshakeBytes, "bytes")
	out.number("certificate_bytes", r.CertificateBytes, "bytes")
	out.number("round_trips", r.RoundTrips, "RTT")
	out.number("round_trips_uncertainty", r.TripsUncertainty, "RTT")
	out.number("requests_per_connection", r.RequestsPerConnection, "")
	out.number("requests_unanswered", r.RequestsUnanswered, "")
	out.ways("packets", r.Packets, "")
	out.ways("wire_bytes", r.WireBytes, "bytes")
	out.ways("payload_bytes", r.PayloadBytes, "bytes")
	out.number("overhead", r.Overhead, "share")
	out.number("retransmitted", r.Retransmitted, "")
	out.number("retries", r.Retries, "")
	out.number("sockets.client_peak", r.Sockets.ClientPeak, "")
	out.number("sockets.server_peak", r.Sockets.ServerPeak, "")
	out.number("sockets.time_wait", r.Sockets.TimeWait, "")
	out.number("socket_memory_bytes.client_peak", r.SocketMemory.ClientPeak, "bytes")
	out.number("socket_memory_bytes.server_peak", r.SocketMemory.ServerPeak, "bytes")
	out.number("resident_memory_bytes.server_peak", r.Resident.ServerPeak, "bytes")
	out.number("resident_memory_bytes.server_left", r.Resident.ServerLeft, "bytes")
	out.number("cpu_ms.client", r.CPU.Client, "ms")
	out.number("cpu_ms.server", r.CPU.Server, "ms")
	out.number("ratio_to_best", r.RatioToBest, "")
	if scheme == linger.SchemeDNS {
		out.dns(r.DNS)
	}
	return finding.Figures(out)
}

// time adds a median with its interval.
func (r *row) time(o linger.Opt[times.Time]) {
	t, ok := o.Get()
	r.number("time_ms.median", known(t.Median, ok), "ms")
	r.number("time_ms.low", t.Low, "ms")
	r.number("time_ms.high", t.High, "ms")
}

// spread adds how a time is distributed.
func (r *row) spread(name string, o linger.Opt[compare.Spread]) {
	s, ok := o.Get()
	r.number(name+".median", known(s.Median, ok), "ms")
	r.number(name+".p95", s.P95, "ms")
	r.number(name+".p99", s.P99, "ms")
}

// ways adds a figure for each direction.
func (r *row) ways(name string, o linger.Opt[facts.Directions], unit string) {
	w, ok := o.Get()
	r.number(name+".up", known(w.Up, ok), unit)
	r.number(name+".down", known(w.Down, ok), unit)
}

// dns adds what look-ups come to.
func (r *row) dns(o linger.Opt[compare.DNS]) {
	d, ok := o.Get()
	r.number("dns.asked", known(d.Asked, ok), "")
	r.number("dns.answered", known(d.Answered, ok), "")
	r.number("dns.failed", known(d.Failed, ok), "")
	r.number("dns.retransmitted", float(d.Retransmitted), "")
	r.number("dns.truncated", float(d.Truncated), "")
	r.spread("dns.query_ms", d.Time)
	r.number("dns.bytes_per_query", d.Bytes, "bytes")
	r.number("dns.packets_per_query", d.Packets, "")
	k, ok := d.Kept.Get()
	r.number("dns.kept.setup_bytes", known(k.SetUpBytes, ok), "bytes")
	r.number("dns.kept.setup_packets", known(k.SetUpPackets, ok), "")
	r.number("dns.kept.query_bytes", known(k.QueryBytes, ok), "bytes")
	r.number("dns.kept.query_packets", known(k.QueryPackets, ok), "")
	beats := ""
	if b, ok := k.BeatsUDP.Get(); ok {
		beats = strconv.FormatBool(b)
	}
	r.word("dns.kept.beats_udp_in_bytes", beats)
	r.number("dns.kept.beats_udp_in_bytes_from", float(k.From), "")
	r.number("dns.idle_limit_ms", d.IdleLimit, "ms")
	r.number("dns.closed_idle_after_ms", d.ClosedAfter, "ms")
}

// known is a number of which it is said whether it is known.
func known[N int | float64](v N, ok bool) (o linger.Opt[float64]) {
	if ok {
		o = linger.Known(float64(v))
	}
	return o
}

func float(o linger.Opt[int]) linger.Opt[float64] {
	return known(o.Get())
}

// Comparison tells what was found of an experiment, or of a fetch: whether each strategy
// delivered, what it comes to, and its caveats. The tool is the verb that
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
	t.say(f.Verdict.Findings, f.Caveats)
	return Report{Tool: tool, Version: version, Asserted: "the figures", Targets: []Target{t}}
}

// say adds what a verdict consists of, and what limits it.
func (t *Target) say(verdict []finding.Finding, caveats []finding.Caveat) {
	add := func(one finding.Finding, group, rule, text, told string) {
		one.Severity = cmp.Or(one.Severity, finding.Note)
		t.Findings = append(t.Findings, Finding{
			Finding: one, Text: text, Told: told,
			Rule: Rule{Group: group, Short: rule + ".", Full: rule + ": " + one.Code + ".", Level: finding.Note},
		})
	}
	for _, one := range verdict {
		text := words.Finding(one)
		add(one, "verdict", "What the figures come to", text, text)
	}
	for i, text := range words.Caveats(caveats) {
		c := caveats[i]
		add(finding.Finding{Code: c.Code, Subject: c.Subject, Cause: c.Cause, Figures: c.Figures}, "caveat", "A caveat limits what a figure shows", text, text+".")
	}
}

// Networks tells what was found on several networks: each is a target of its own.
func Networks(n across.Networks, tool, version string) Report {
	var out Report
	for i, f := range n.Each {
		r := Comparison(f, tool, version)
		r.Targets[0].Name += " on " + f.Network.Named()
		if i == 0 {
			out = r
			continue
		}
		out.Targets = append(out.Targets, r.Targets...)
	}
	return out
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
	ways := func(name, unit, help string, o linger.Opt[facts.Directions]) {
		w, ok := o.Get()
		number(name, unit, help, known(w.Up, ok), Label{"direction", "up"})
		number(name, unit, help, known(w.Down, ok), Label{"direction", "down"})
	}
	spread := func(name, help string, o linger.Opt[compare.Spread]) {
		s, ok := o.Get()
		ms(name, help, known(s.Median, ok), Label{"quantile", "0.5"})
		ms(name, help, s.P95, Label{"quantile", "0.95"})
		ms(name, help, s.P99, Label{"quantile", "0.99"})
	}
	number("trials", "", "Trials that were run to their end.", known(r.Trials, true))
	number("trials_failed", "", "Trials of these that did not deliver everything.", known(r.Failed, true))
	t, ok := r.Time.Get()
	ms("time", "From wanting the first object to the end of the last, median.", known(t.Median, ok))
	ms("time_low", "Lower end of the interval that holds the true median of the time.", t.Low)
	ms("time_at_least", "What the median of the time is at least, where failed trials leave it unknown.", r.AtLeast)
	ms("time_high", "Upper end of the interval that holds the true median of the time.", t.High)
	spread("request", "From wanting a request to the last byte of its answer.", r.Request)
	number("time_ratio", "", "The time divided by that of the fastest strategy.", r.RatioToBest)
	number("connections", "", "Connections that the client opened.", r.Connections)
	number("handshakes", "", "Handshakes of TCP and QUIC.", r.Handshakes)
	number("resumed_ratio", "", "Share of the TLS handshakes that continued an earlier session.", r.Resumed)
	number("setup_round_trips", "", "Round trips until the first request may be sent on a new connection.", r.SetupRoundTrips)
	number("round_trips", "", "Round trips in the time.", r.RoundTrips)
	number("round_trips_uncertainty", "", "How far off the round trips may be.", r.TripsUncertainty)
	number("requests_per_connection", "", "Requests that were answered on a connection.", r.RequestsPerConnection)
	number("requests_unanswered", "", "Requests that a connection took and did not answer.", r.RequestsUnanswered)
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
	number("resident_memory_peak_bytes", "bytes", "The most memory that all processes of the server had in RAM.", r.Resident.ServerPeak, Label{"side", "server"})
	ms("cpu", "CPU time, user and system.", r.CPU.Client, Label{"side", "client"})
	ms("cpu", "CPU time, user and system.", r.CPU.Server, Label{"side", "server"})
	if d, ok := r.DNS.Get(); ok {
		number("queries_failed", "", "Queries that were not answered, over all trials.", known(d.Failed, true))
		spread("query", "From wanting a name to having the answer.", d.Time)
		number("query_bytes", "bytes", "Bytes on the wire for a query.", d.Bytes)
	}
	return m
}

// ReuseFormat names the document that ReuseJSON writes, and the version of its form.
const ReuseFormat = "linger reuse 2"

// ReuseJSON writes what get --at found.
func ReuseJSON(w io.Writer, f trial.Reuses) error {
	return indented(w, struct {
		Format string `json:"format"`
		trial.Reuses
	}{ReuseFormat, f})
}
