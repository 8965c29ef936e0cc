package formats

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"

	"linger"
	"linger/compare/crowdsweep"
	"linger/compare/sweep"
	"linger/finding"
	"linger/report"
	"linger/report/crowdmap"
	"linger/report/sweepmap"
	"linger/report/words"
)

// A SweepJSON writes a sweep as one JSON document, cell by cell: it keeps none.
type SweepJSON struct {
	w     *bufio.Writer
	cells int
}

// NewSweepJSON begins the document.
func NewSweepJSON(w io.Writer, s sweep.Sweep, version string, limits []report.Limit) (*SweepJSON, error) {
	j := &SweepJSON{w: bufio.NewWriter(w)}
	head, err := encoded(struct {
		Format string `json:"format"`
		Linger string `json:"linger"`
		sweep.Sweep
		Accuracy    string         `json:"accuracy"`
		NotModelled []report.Limit `json:"not_modelled"`
	}{sweep.Format, version, s, sweepmap.AccuracyDoc, limits}, "")
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
func (j *SweepJSON) Add(c sweep.Cell) error {
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
func (j *SweepJSON) Close(v sweep.Survey) error {
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
	return &SweepCSV{NewLines(w, figuresOfCell(sweep.Cell{}, sweep.Row{}))}
}

// Add writes the next cell.
func (s *SweepCSV) Add(c sweep.Cell) error {
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
func figuresOfCell(c sweep.Cell, r sweep.Row) finding.Figures {
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

// CrowdMapJSON writes a sweep of crowds as one JSON document.
func CrowdMapJSON(w io.Writer, m *crowdmap.Map, version string, limits []report.Limit) error {
	text, err := encoded(struct {
		Format string `json:"format"`
		Linger string `json:"linger"`
		crowdsweep.Sweep
		Accuracy    string                `json:"accuracy"`
		NotModelled []report.Limit        `json:"not_modelled"`
		Cells       []crowdsweep.Cell     `json:"cells"`
		Findings    words.ToldCrowdSurvey `json:"findings"`
	}{crowdsweep.Format, version, m.Sweep, sweepmap.AccuracyDoc, limits, m.Cells, words.OfCrowdSurvey(m.Survey)}, "")
	if err == nil {
		_, err = io.WriteString(w, text+"\n")
	}
	return err
}

// CrowdMapCSV writes a sweep of crowds as CSV, a line for each choice in each crowd.
func CrowdMapCSV(w io.Writer, m *crowdmap.Map) error {
	lines := NewLines(w, figuresOfChoice(crowdsweep.Cell{}, crowdsweep.Row{}, 0))
	for _, c := range m.Cells {
		for k, r := range c.Rows {
			if err := lines.Add(figuresOfChoice(c, r, k)); err != nil {
				return err
			}
		}
	}
	return lines.Close()
}

// figuresOfChoice are those of one choice in one crowd.
func figuresOfChoice(c crowdsweep.Cell, r crowdsweep.Row, k int) finding.Figures {
	var out row
	out.count("clients", c.Clients)
	out.word("think", c.Think)
	out.word("strategy", r.Strategy)
	out.yes("persistent", r.Persistent)
	idle := linger.Known(r.Idle)
	if !r.Persistent {
		idle = linger.Opt[float64]{} // it meets no limit
	}
	out.number("idle_timeout_ms", idle, "ms")
	out.count("trials", r.Trials)
	out.count("pages", r.Pages)
	out.count("failed", r.Failed)
	out.count("unfinished", r.Unfinished)
	out.number("page_ms", r.Median, "ms")
	out.number("page_p95_ms", r.P95, "ms")
	out.number("page_worst_ms", r.Worst, "ms")
	out.number("pages_per_s", r.Rate, "1/s")
	out.number("clients_kept_out", r.KeptOut, "share")
	out.number("waited_p95_ms", r.Waited, "ms")
	out.count("refused", r.Refused)
	out.number("held_mean", r.Held, "")
	out.number("held_p99", r.HeldP99, "")
	out.number("held_peak", r.HeldPeak, "")
	out.number("sockets_p99", r.Sockets, "")
	out.number("connections_per_page", r.Opened, "")
	out.number("cost_s", r.Cost, "s")
	out.yes("serves_best", r.Serves)
	out.yes("within_budget", r.Within)
	out.yes("best", k == c.Best)
	out.yes("best_kept", k == c.Kept)
	out.yes("best_by_tune", k == c.Tuned)
	out.word("provenance", "predicted")
	out.word("reason", r.Reason)
	return finding.Figures(out)
}
