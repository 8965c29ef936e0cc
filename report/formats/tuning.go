package formats

import (
	"fmt"
	"io"
	"strings"

	"linger"
	"linger/finding"
	"linger/report/words"
	"linger/tune"
)

// TuningJSON writes what a log says of timeouts; docs/tune.md describes it.
func TuningJSON(w io.Writer, r *tune.Result) error { return indented(w, words.OfTuning(r)) }

// TuningCSV writes a line for each timeout.
func TuningCSV(w io.Writer, r *tune.Result) error {
	line := func(p tune.Point) finding.Figures {
		var f row
		exactly := func(name string, v float64, unit string) { f.number(name, linger.Known(v), unit) }
		exactly("idle_timeout_s", p.Timeout, "s")
		exactly("reuse_low", p.Reuse.Low, "share")
		exactly("reuse_high", p.Reuse.High, "share")
		exactly("connections_low", p.Connections.Low, "")
		exactly("connections_high", p.Connections.High, "")
		exactly("sockets_mean_low", p.Mean.Low, "")
		exactly("sockets_mean_high", p.Mean.High, "")
		f.count("sockets_p99", int(p.P99))
		f.count("sockets_peak", int(p.Peak))
		exactly("time_wait_mean", p.TimeWait, "")
		f.word("closed_by", p.ClosedBy)
		b := linger.Opt[float64]{}
		refused, reuse, closed, way := b, b, b, b
		if p.Budget != nil {
			refused, reuse = linger.Known(float64(p.Budget.Refused)), linger.Known(p.Budget.Reuse)
			closed, way = linger.Known(float64(p.Budget.Closed)), linger.Known(p.Budget.WayReuse)
		}
		f.number("budget_refused", refused, "")
		f.number("budget_reuse", reuse, "share")
		f.number("budget_closed_early", closed, "")
		f.number("budget_reuse_closing_early", way, "share")
		return finding.Figures(f)
	}
	var lines []finding.Figures
	for _, p := range r.Points {
		lines = append(lines, line(p))
	}
	return CSV(w, line(tune.Point{}), lines...)
}

// Tuning tells what a log says, for JUnit, SARIF and OpenMetrics.
func Tuning(r *tune.Result, version string) Report {
	name := "log"
	if r.Log != nil && len(r.Log.Files) > 0 {
		name = r.Log.Files[0]
	}
	t := Target{Kind: "log", Name: name, URI: referenceOf(name), Asserted: r.Asserted, Labels: []Label{{"log", name}}}
	rules := map[string]string{
		tune.FoundTimeout: "The idle timeout is worth what it holds", tune.FoundWindow: "The client lets go before the server does",
		tune.FoundLimit: "The limit on requests costs little reuse",
	}
	for _, f := range r.Findings {
		text := words.TuningFinding(f)
		rule := rules[f.Code]
		if rule == "" {
			rule = "What the log tells of connections"
		}
		t.Findings = append(t.Findings, Finding{Finding: f, Text: strings.TrimSuffix(text, "."), Told: text, Rule: Rule{Group: "tune", Short: rule + ".", Full: rule + ": " + f.Code + ".", Level: f.Severity}})
	}
	for _, c := range r.Caveats {
		t.Caveats = append(t.Caveats, words.TuningCaveat(c)+".")
	}
	var m metrics
	m.add("requests", "", "Requests in the log.", float64(r.Requests))
	point := func(of string, p *tune.Point) {
		if p == nil {
			return
		}
		on := Label{"setting", of}
		m.add("idle_timeout_seconds", "seconds", "The idle timeout.", p.Timeout, on)
		m.add("reuse_ratio", "", "Share of the requests that find a connection open, the least it may be.", p.Reuse.Low, on)
		m.add("sockets", "", "Sockets held on average, the most it may be.", p.Mean.High, on)
		m.add("sockets_p99", "", "Sockets held at most for 99 % of the time.", float64(p.P99), on)
	}
	point("today", r.Today)
	point("advised", r.Advised)
	if r.Observed != nil {
		m.add("observed_reuse_ratio", "", "Share of the requests that were not the first on their connection.", r.Observed.Reuse)
	}
	for i := range r.Points {
		p := r.Points[i]
		m.add("timeout_reuse_ratio", "", "The same of some timeouts.", p.Reuse.Low, Label{"idle_timeout", fmt.Sprintf("%gs", p.Timeout)})
	}
	t.Metrics = m
	return Report{Tool: "linger tune", Version: version, Asserted: "the log", Targets: []Target{t}}
}
