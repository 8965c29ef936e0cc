package formats

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"linger"
	"linger/compare"
	"linger/report"
)

// A SweepJSON writes a sweep as one JSON document, cell by cell: it keeps none.
type SweepJSON struct {
	w     *bufio.Writer
	cells int
}

// NewSweepJSON begins the document.
func NewSweepJSON(w io.Writer, s compare.Sweep, version string, limits []report.Limit) (*SweepJSON, error) {
	j := &SweepJSON{w: bufio.NewWriter(w)}
	head, err := encoded(struct {
		Linger string `json:"linger"`
		compare.Sweep
		Accuracy    string         `json:"accuracy"`
		NotModelled []report.Limit `json:"not_modelled"`
	}{version, s, report.AccuracyDoc, limits}, "")
	if err != nil {
		return nil, err
	}
	j.w.WriteString(strings.TrimSuffix(head, "\n}") + ",\n  \"cells\": [")
	return j, nil
}

// encoded is v as JSON, in lines that begin with prefix.
func encoded(v any, prefix string) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// Add writes the next cell.
func (j *SweepJSON) Add(c compare.Cell) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if j.cells++; j.cells > 1 {
		j.w.WriteString(",")
	}
	j.w.WriteString("\n    ")
	_, err = j.w.Write(text)
	return err
}

// Close ends the document with what the cells come to.
func (j *SweepJSON) Close(v compare.Survey) error {
	text, err := encoded(v, "  ")
	if err != nil {
		return err
	}
	j.w.WriteString("\n  ],\n  \"findings\": " + text + "\n}\n")
	return j.w.Flush()
}

// A SweepCSV writes a sweep as CSV, a line for each strategy on each path.
type SweepCSV struct{ w *csv.Writer }

// sweepColumns are those of the CSV; what is not known is empty.
var sweepColumns = []struct {
	name  string
	value func(compare.Cell, compare.Swept) string
}{
	{"network", func(c compare.Cell, _ compare.Swept) string { return c.Network.Name }},
	{"rtt_ms", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.RTT) }},
	{"down_kbps", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.Down) }},
	{"up_kbps", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.Up) }},
	{"loss", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.Loss) }},
	{"strategy", func(_ compare.Cell, r compare.Swept) string { return r.Strategy }},
	{"persistent", func(_ compare.Cell, r compare.Swept) string { return strconv.FormatBool(r.Persistent) }},
	{"trials", func(_ compare.Cell, r compare.Swept) string { return strconv.Itoa(r.Trials) }},
	{"failed", func(_ compare.Cell, r compare.Swept) string { return strconv.Itoa(r.Failed) }},
	{"time_ms.median", func(_ compare.Cell, r compare.Swept) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return linger.Known(t.Median) })
	}},
	{"time_ms.low", func(_ compare.Cell, r compare.Swept) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return t.Low })
	}},
	{"time_ms.high", func(_ compare.Cell, r compare.Swept) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return t.High })
	}},
	{"connections", func(_ compare.Cell, r compare.Swept) string { return exact(r.Connections) }},
	{"handshakes", func(_ compare.Cell, r compare.Swept) string { return exact(r.Handshakes) }},
	{"packets", func(_ compare.Cell, r compare.Swept) string { return exact(r.Packets) }},
	{"wire_bytes", func(_ compare.Cell, r compare.Swept) string { return exact(r.WireBytes) }},
	{"best", func(c compare.Cell, r compare.Swept) string { return strconv.FormatBool(c.Best == r.Strategy) }},
	{"cell.clear", func(c compare.Cell, _ compare.Swept) string { return strconv.FormatBool(c.Clear) }},
	{"cell.keeping", func(c compare.Cell, _ compare.Swept) string { return string(c.Keeping) }},
	{"cell.saves", func(c compare.Cell, _ compare.Swept) string { return exact(c.Saves) }},
	{"cell.within_accuracy", func(c compare.Cell, _ compare.Swept) string { return strconv.FormatBool(c.Covered) }},
	{"provenance", func(compare.Cell, compare.Swept) string { return "predicted" }},
	{"reason", func(_ compare.Cell, r compare.Swept) string { return r.Reason }},
}

// NewSweepCSV writes the line of names.
func NewSweepCSV(w io.Writer) *SweepCSV {
	out := &SweepCSV{csv.NewWriter(w)}
	line := make([]string, len(sweepColumns))
	for i, col := range sweepColumns {
		line[i] = col.name
	}
	out.w.Write(line) // an error stays, and Close returns it
	return out
}

// Add writes the next cell.
func (s *SweepCSV) Add(c compare.Cell) error {
	line := make([]string, len(sweepColumns))
	for _, r := range c.Rows {
		for i, col := range sweepColumns {
			line[i] = col.value(c, r)
		}
		if err := s.w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// Close writes what is left.
func (s *SweepCSV) Close() error {
	s.w.Flush()
	return s.w.Error()
}
