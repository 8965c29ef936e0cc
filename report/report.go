// Package report writes findings and traces for people and programs: tables for
// the terminal, JSON and CSV. It computes nothing but the layout.
//
// Tables are plain text in UTF-8 with no escape codes unless colour is asked
// for, and colour never says what the text does not.
package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"

	"linger"
	"linger/compare"
)

// Options says how text is laid out.
type Options struct {
	// Width is how many columns there are; 0 is 80, and less than 60 is taken for 60.
	Width int
	// Color puts in escape codes.
	Color bool
	// Rows bounds each list of connections or exchanges; 0 is 24. What is left out
	// is summed up in a line.
	Rows int
	// Version is that of linger, Command how to run the same again; either may be empty.
	Version string
	Command string
	// Queries shows the query strings of URLs in HTML, where they are left out otherwise.
	Queries bool
	// Model is what predictions were made with, so that a page can make further ones;
	// nil where nothing was predicted. Limits are what they leave out.
	Model  *Model
	Limits []Limit
	// Predicted is what was predicted beside what was measured, for HTML; nil is nothing.
	Predicted *compare.Findings
}

func (o Options) width() int {
	if o.Width == 0 {
		return 80
	}
	return max(60, o.Width)
}

func (o Options) rows() int {
	if o.Rows <= 0 {
		return 24
	}
	return o.Rows
}

// JSON writes the findings as linger compare --json does, with the version.
func JSON(w io.Writer, f compare.Findings, version string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
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

// CSV writes the rows of the findings, a line each below a line of names. What
// was not measured is empty.
func CSV(w io.Writer, f compare.Findings) error {
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
	if isDNS(f) {
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

func up(w compare.Ways) linger.Opt[float64]   { return linger.Known(w.Up) }
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
	return digits(v)
}

// digits writes all digits of a number.
func digits(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// buffered calls write with a buffer before w, and returns the first error.
func buffered(w io.Writer, write func(*bufio.Writer)) error {
	b := bufio.NewWriter(w)
	write(b)
	return b.Flush()
}
