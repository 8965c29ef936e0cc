package formats

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"

	"linger/compare"
	"linger/finding"
	"linger/report"
	"linger/report/words"
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
		Format string `json:"format"`
		Linger string `json:"linger"`
		compare.Sweep
		Accuracy    string         `json:"accuracy"`
		NotModelled []report.Limit `json:"not_modelled"`
	}{compare.SweepFormat, version, s, report.AccuracyDoc, limits}, "")
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
	text, err := json.Marshal(words.OfCell(c))
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
	text, err := encoded(words.OfSurvey(v), "  ")
	if err != nil {
		return err
	}
	j.w.WriteString("\n  ],\n  \"findings\": " + text + "\n}\n")
	return j.w.Flush()
}

// A SweepCSV writes a sweep as CSV, a line for each strategy on each path.
type SweepCSV struct{ lines *Lines }

// NewSweepCSV writes the line of names.
func NewSweepCSV(w io.Writer) *SweepCSV {
	return &SweepCSV{NewLines(w, figuresOfCell(compare.Cell{}, compare.Swept{}))}
}

// Add writes the next cell.
func (s *SweepCSV) Add(c compare.Cell) error {
	for _, r := range c.Rows {
		if err := s.lines.Add(figuresOfCell(c, r)); err != nil {
			return err
		}
	}
	return nil
}

// Close writes what is left.
func (s *SweepCSV) Close() error { return s.lines.Close() }

// figuresOfCell are those of one strategy on one path.
func figuresOfCell(c compare.Cell, r compare.Swept) finding.Figures {
	var out row
	out.word("network", c.Network.Name)
	out.number("rtt_ms", c.Network.RTT, "ms")
	out.number("down_kbps", c.Network.Down, "kbit/s")
	out.number("up_kbps", c.Network.Up, "kbit/s")
	out.number("loss", c.Network.Loss, "share")
	out.word("strategy", r.Strategy)
	out.yes("persistent", r.Persistent)
	out.count("trials", r.Trials)
	out.count("failed", r.Failed)
	out.time(r.Time)
	out.number("connections", r.Connections, "")
	out.number("handshakes", r.Handshakes, "")
	out.number("packets", r.Packets, "")
	out.number("wire_bytes", r.WireBytes, "bytes")
	out.yes("best", c.Best == r.Strategy)
	out.yes("cell.clear", c.Clear)
	out.word("cell.keeping", string(c.Keeping))
	out.number("cell.saves", c.Saves, "share")
	out.yes("cell.within_accuracy", c.Covered)
	out.word("provenance", "predicted")
	out.word("reason", words.Unfit(r))
	return finding.Figures(out)
}
