package formats

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"

	"linger"
	"linger/compare"
	"linger/finding"
)

// dnsColumns are the columns of the CSV that look-ups have beside the others.
var dnsColumns = []csvColumn{
	{"dns.asked", dns(func(d compare.DNS) linger.Opt[float64] { return linger.Known(float64(d.Asked)) })},
	{"dns.answered", dns(func(d compare.DNS) linger.Opt[float64] { return linger.Known(float64(d.Answered)) })},
	{"dns.failed", dns(func(d compare.DNS) linger.Opt[float64] { return linger.Known(float64(d.Failed)) })},
	{"dns.sent_again", dns(func(d compare.DNS) linger.Opt[float64] { return float(d.SentAgain) })},
	{"dns.truncated", dns(func(d compare.DNS) linger.Opt[float64] { return float(d.Truncated) })},
	{"dns.query_ms.median", spread(func(s compare.Spread) linger.Opt[float64] { return linger.Known(s.Median) })},
	{"dns.query_ms.p95", spread(func(s compare.Spread) linger.Opt[float64] { return s.P95 })},
	{"dns.query_ms.p99", spread(func(s compare.Spread) linger.Opt[float64] { return s.P99 })},
	{"dns.bytes_per_query", dns(func(d compare.DNS) linger.Opt[float64] { return d.Bytes })},
	{"dns.packets_per_query", dns(func(d compare.DNS) linger.Opt[float64] { return d.Packets })},
	{"dns.kept.set_up_bytes", kept(func(k compare.Kept) float64 { return k.SetUpBytes })},
	{"dns.kept.set_up_packets", kept(func(k compare.Kept) float64 { return k.SetUpPackets })},
	{"dns.kept.query_bytes", kept(func(k compare.Kept) float64 { return k.QueryBytes })},
	{"dns.kept.query_packets", kept(func(k compare.Kept) float64 { return k.QueryPackets })},
	{"dns.kept.beats_udp_in_bytes", func(r compare.Row) string {
		beats, ok := r.DNS.Or(compare.DNS{}).Kept.Or(compare.Kept{}).BeatsUDP.Get()
		if !ok {
			return ""
		}
		return strconv.FormatBool(beats)
	}},
	{"dns.kept.beats_udp_in_bytes_from", func(r compare.Row) string {
		return part(r.DNS.Or(compare.DNS{}).Kept, func(k compare.Kept) linger.Opt[float64] { return float(k.From) })
	}},
	{"dns.idle_limit_ms", dns(func(d compare.DNS) linger.Opt[float64] { return d.IdleLimit })},
	{"dns.closed_idle_after_ms", dns(func(d compare.DNS) linger.Opt[float64] { return d.ClosedAfter })},
}

// dns writes one figure of look-ups.
func dns(figure func(compare.DNS) linger.Opt[float64]) func(compare.Row) string {
	return func(r compare.Row) string { return part(r.DNS, figure) }
}

func spread(figure func(compare.Spread) linger.Opt[float64]) func(compare.Row) string {
	return func(r compare.Row) string { return part(r.DNS.Or(compare.DNS{}).Time, figure) }
}

func kept(figure func(compare.Kept) float64) func(compare.Row) string {
	return func(r compare.Row) string {
		return part(r.DNS.Or(compare.DNS{}).Kept, func(k compare.Kept) linger.Opt[float64] { return linger.Known(figure(k)) })
	}
}

func float(o linger.Opt[int]) (out linger.Opt[float64]) {
	if n, ok := o.Get(); ok {
		out = linger.Known(float64(n))
	}
	return out
}

// BothJSON is CompareJSON of what was measured, with what was predicted and the gaps.
func BothJSON(w io.Writer, measured, predicted compare.Findings, version string) error {
	return indented(w, struct {
		Linger string `json:"linger"`
		compare.Findings
		Predicted compare.Findings `json:"predicted"`
		Gaps      []compare.Gap    `json:"gaps"`
	}{version, measured, predicted, compare.Gaps(measured, predicted)})
}

// BothCSV is CompareCSV of what was measured, and below it of what was predicted: the first
// column says which.
func BothCSV(w io.Writer, measured, predicted compare.Findings) error {
	c := csv.NewWriter(w)
	columns := csvColumnsOf(measured)
	c.Write(append([]string{"provenance"}, namesOf(columns)...))
	for _, f := range []compare.Findings{measured, predicted} {
		for _, r := range f.Rows {
			c.Write(append([]string{string(f.Provenance)}, lineOf(columns, r)...))
		}
	}
	c.Flush()
	return c.Error()
}

// CompareJSON writes the findings as linger compare --json does, with the version.
func CompareJSON(w io.Writer, f compare.Findings, version string) error {
	return indented(w, struct {
		Linger string `json:"linger"`
		compare.Findings
	}{version, f})
}

// A csvColumn is one column of the CSV: the JSON's names, joined by a dot.
type csvColumn struct {
	name  string
	value func(compare.Row) string
}

// csvColumns are those of every CSV; where names were looked up, there are more.
var csvColumns = []csvColumn{
	{"strategy", func(r compare.Row) string { return r.Strategy }},
	{"persistent", func(r compare.Row) string { return strconv.FormatBool(r.Persistent) }},
	{"trials", func(r compare.Row) string { return strconv.Itoa(r.Trials) }},
	{"failed", func(r compare.Row) string { return strconv.Itoa(r.Failed) }},
	{"time_ms.median", func(r compare.Row) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return linger.Known(t.Median) })
	}},
	{"time_ms.low", func(r compare.Row) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return t.Low })
	}},
	{"time_ms.high", func(r compare.Row) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return t.High })
	}},
	{"time_ms.confidence", func(r compare.Row) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return t.Confidence })
	}},
	{"protocol", func(r compare.Row) string { return r.Protocol }},
	{"tls_version", func(r compare.Row) string { return r.TLSVersion }},
	{"connections", func(r compare.Row) string { return exact(r.Connections) }},
	{"handshakes", func(r compare.Row) string { return exact(r.Handshakes) }},
	{"handshake.tcp", func(r compare.Row) string { return exact(r.Handshake.TCP) }},
	{"handshake.tls_full", func(r compare.Row) string { return exact(r.Handshake.TLSFull) }},
	{"handshake.tls_resumed", func(r compare.Row) string { return exact(r.Handshake.TLSResumed) }},
	{"handshake.quic", func(r compare.Row) string { return exact(r.Handshake.QUIC) }},
	{"resumed", func(r compare.Row) string { return exact(r.Resumed) }},
	{"early_data", func(r compare.Row) string { return exact(r.EarlyData) }},
	{"fast_open", func(r compare.Row) string { return exact(r.FastOpen) }},
	{"setup_round_trips", func(r compare.Row) string { return exact(r.SetupRoundTrips) }},
	{"handshake_bytes.up", func(r compare.Row) string { return part(r.HandshakeBytes, up) }},
	{"handshake_bytes.down", func(r compare.Row) string { return part(r.HandshakeBytes, down) }},
	{"certificate_bytes", func(r compare.Row) string { return exact(r.CertificateBytes) }},
	{"round_trips", func(r compare.Row) string { return exact(r.RoundTrips) }},
	{"requests_per_connection", func(r compare.Row) string { return exact(r.RequestsPerConnection) }},
	{"requests_in_vain", func(r compare.Row) string { return exact(r.RequestsInVain) }},
	{"packets.up", func(r compare.Row) string { return part(r.Packets, up) }},
	{"packets.down", func(r compare.Row) string { return part(r.Packets, down) }},
	{"wire_bytes.up", func(r compare.Row) string { return part(r.WireBytes, up) }},
	{"wire_bytes.down", func(r compare.Row) string { return part(r.WireBytes, down) }},
	{"payload_bytes.up", func(r compare.Row) string { return part(r.PayloadBytes, up) }},
	{"payload_bytes.down", func(r compare.Row) string { return part(r.PayloadBytes, down) }},
	{"overhead", func(r compare.Row) string { return exact(r.Overhead) }},
	{"retransmitted", func(r compare.Row) string { return exact(r.Retransmitted) }},
	{"retries", func(r compare.Row) string { return exact(r.Retries) }},
	{"sockets.client_peak", func(r compare.Row) string { return exact(r.Sockets.ClientPeak) }},
	{"sockets.server_peak", func(r compare.Row) string { return exact(r.Sockets.ServerPeak) }},
	{"sockets.time_wait", func(r compare.Row) string { return exact(r.Sockets.TimeWait) }},
	{"socket_memory_bytes.client_peak", func(r compare.Row) string { return exact(r.SocketMemory.ClientPeak) }},
	{"socket_memory_bytes.server_peak", func(r compare.Row) string { return exact(r.SocketMemory.ServerPeak) }},
	{"cpu_ms.client", func(r compare.Row) string { return exact(r.CPU.Client) }},
	{"cpu_ms.server", func(r compare.Row) string { return exact(r.CPU.Server) }},
	{"ratio_to_best", func(r compare.Row) string { return exact(r.RatioToBest) }},
}

// CompareCSV writes the rows of the findings, a line each below a line of names. What
// was not measured is empty.
func CompareCSV(w io.Writer, f compare.Findings) error {
	c := csv.NewWriter(w)
	columns := csvColumnsOf(f)
	c.Write(namesOf(columns))
	for _, r := range f.Rows {
		c.Write(lineOf(columns, r))
	}
	c.Flush()
	return c.Error()
}

func csvColumnsOf(f compare.Findings) []csvColumn {
	if f.Workload.Scheme == linger.SchemeDNS {
		return slices.Concat(csvColumns, dnsColumns)
	}
	return csvColumns
}

func namesOf(columns []csvColumn) []string {
	line := make([]string, len(columns))
	for i, col := range columns {
		line[i] = col.name
	}
	return line
}

func lineOf(columns []csvColumn, r compare.Row) []string {
	line := make([]string, len(columns))
	for i, col := range columns {
		line[i] = col.value(r)
	}
	return line
}

func up(w compare.Ways) linger.Opt[float64] { return linger.Known(w.Up) }

func down(w compare.Ways) linger.Opt[float64] { return linger.Known(w.Down) }

// part writes one figure of several that are known together.
func part[T any](o linger.Opt[T], figure func(T) linger.Opt[float64]) string {
	v, ok := o.Get()
	if !ok {
		return ""
	}
	return exact(figure(v))
}

// exact writes all digits of a figure, nothing where it is unknown.
func exact(o linger.Opt[float64]) string {
	v, ok := o.Get()
	if !ok {
		return ""
	}
	return finding.Exact(v)
}
