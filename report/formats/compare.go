package formats

import (
	"io"
	"strconv"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/words"
)

// CompareJSON writes the findings as linger compare --json does, with the version.
func CompareJSON(w io.Writer, f compare.Findings, version string) error {
	return indented(w, struct {
		Format string `json:"format"`
		Linger string `json:"linger"`
		words.ToldFindings
	}{compare.Format, version, words.OfFindings(f)})
}

// DifferenceJSON writes what has changed from one result to another.
func DifferenceJSON(w io.Writer, d compare.Change) error {
	return indented(w, struct {
		Format string `json:"format"`
		words.ToldChange
	}{compare.DifferenceFormat, words.OfChange(d)})
}

// BothJSON is CompareJSON of what was measured, with what was predicted and the gaps.
func BothJSON(w io.Writer, measured, predicted compare.Findings, version string) error {
	return indented(w, struct {
		Format string `json:"format"`
		Linger string `json:"linger"`
		words.ToldFindings
		Predicted words.ToldFindings `json:"predicted"`
		Gaps      []compare.Gap      `json:"gaps"`
	}{compare.Format, version, words.OfFindings(measured), words.OfFindings(predicted), compare.Gaps(measured, predicted)})
}

// CompareCSV writes the rows of the findings, a line each.
func CompareCSV(w io.Writer, f compare.Findings) error {
	var lines []finding.Figures
	for _, r := range f.Rows {
		lines = append(lines, figuresOf(r, f.Workload.Scheme))
	}
	return CSV(w, figuresOf(compare.Row{}, f.Workload.Scheme), lines...)
}

// BothCSV is CompareCSV of what was measured, and below it of what was predicted: the
// first column says which.
func BothCSV(w io.Writer, measured, predicted compare.Findings) error {
	line := func(f compare.Findings, r compare.Row) finding.Figures {
		return append(finding.Figures{finding.Word("provenance", string(f.Provenance))}, figuresOf(r, measured.Workload.Scheme)...)
	}
	var lines []finding.Figures
	for _, f := range []compare.Findings{measured, predicted} {
		for _, r := range f.Rows {
			lines = append(lines, line(f, r))
		}
	}
	return CSV(w, line(measured, compare.Row{}), lines...)
}

// figuresOf are those of a row; of look-ups there are more.
func figuresOf(r compare.Row, scheme string) finding.Figures {
	var out row
	out.word("strategy", r.Strategy)
	out.yes("persistent", r.Persistent)
	out.count("trials", r.Trials)
	out.count("failed", r.Failed)
	out.time(r.Time)
	out.number("time_ms.confidence", r.Time.Or(compare.Time{}).Confidence, "share")
	out.number("time_at_least_ms", r.AtLeast, "ms")
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
	out.number("round_trips_doubt", r.TripsDoubt, "RTT")
	out.number("requests_per_connection", r.RequestsPerConnection, "")
	out.number("requests_in_vain", r.RequestsInVain, "")
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
	out.number("cpu_ms.client", r.CPU.Client, "ms")
	out.number("cpu_ms.server", r.CPU.Server, "ms")
	out.number("ratio_to_best", r.RatioToBest, "")
	if scheme == linger.SchemeDNS {
		out.dns(r.DNS)
	}
	return finding.Figures(out)
}

// time adds a median with its interval.
func (r *row) time(o linger.Opt[compare.Time]) {
	t, ok := o.Get()
	r.number("time_ms.median", known(t.Median, ok), "ms")
	r.number("time_ms.low", t.Low, "ms")
	r.number("time_ms.high", t.High, "ms")
}

// ways adds a figure for each direction.
func (r *row) ways(name string, o linger.Opt[compare.Ways], unit string) {
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
	r.number("dns.sent_again", float(d.SentAgain), "")
	r.number("dns.truncated", float(d.Truncated), "")
	s, ok := d.Time.Get()
	r.number("dns.query_ms.median", known(s.Median, ok), "ms")
	r.number("dns.query_ms.p95", s.P95, "ms")
	r.number("dns.query_ms.p99", s.P99, "ms")
	r.number("dns.bytes_per_query", d.Bytes, "bytes")
	r.number("dns.packets_per_query", d.Packets, "")
	k, ok := d.Kept.Get()
	r.number("dns.kept.set_up_bytes", known(k.SetUpBytes, ok), "bytes")
	r.number("dns.kept.set_up_packets", known(k.SetUpPackets, ok), "")
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
