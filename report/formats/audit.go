package formats

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/audit"
	"linger/audit/change"
	"linger/finding"
	"linger/legible"
	"linger/report/words"
)

// AuditJSON writes what an audit found; docs/inspect.md describes it.
func AuditJSON(w io.Writer, r *audit.Result) error { return indented(w, words.OfAudit(r)) }

// AuditChangeJSON writes what differs between two audits.
func AuditChangeJSON(w io.Writer, d change.Change) error {
	return indented(w, struct {
		change.Change
		Text string `json:"text"`
	}{d, strings.Join(words.AuditChange(d), "\n")})
}

// AuditCSV writes a line for each origin.
func AuditCSV(w io.Writer, r *audit.Result) error {
	line := func(g audit.GroupRow) finding.Figures {
		var f row
		f.word("origin", legible.Text(g.Name))
		f.word("address", legible.Text(g.Address))
		f.word("software", legible.Text(g.Software))
		f.count("connections", g.Connections)
		f.count("opened", g.Opened)
		f.count("requests", g.Exchanges)
		f.number("reuse", g.Reuse, "share")
		f.count("avoidable", g.Avoidable)
		f.number("avoidable_waiting_ms", g.Waiting, "ms")
		f.number("handshake_share", g.Share, "share")
		f.count("concurrency", g.Needed)
		f.word("main_cause", string(g.Main))
		for _, c := range audit.Causes() {
			f.count("cause_"+strings.ReplaceAll(string(c.Code), "-", "_"), g.Causes[c.Code])
		}
		f.number("tls_resumed", g.Resumed, "share")
		return finding.Figures(f)
	}
	var lines []finding.Figures
	for _, g := range r.Origins {
		lines = append(lines, line(g))
	}
	return CSV(w, line(audit.GroupRow{}), lines...)
}

// connectionFields are the columns of ConnectionLines.
var connectionFields = []string{
	"connection", "stream", "client", "server", "name", "protocol", "class", "opened_s", "lasted_s", "requests", "cause", "certainty", "others_that_fit", "before", "before_stream", "gap_s",
	"ended_by", "ended_with", "end_cause", "setup_ms", "setup_hidden", "first_frame", "last_frame", "closing_frame", "began_before", "still_open",
	"alpn", "tls_version", "resumed", "keys", "turns",
}

// ConnectionLines writes a line for each connection, with tabs in between, below a line of
// names. What is not known is empty.
type ConnectionLines struct {
	w    *csv.Writer
	line []string
}

// NewConnectionLines writes the line of names. The delimiter is a tab, or a comma as in CSV.
func NewConnectionLines(w io.Writer, delimiter rune) *ConnectionLines {
	l := &ConnectionLines{w: csv.NewWriter(w)}
	l.w.Comma = delimiter
	l.w.Write(connectionFields) // an error stays, and Close returns it
	return l
}

// Add writes the next line.
func (l *ConnectionLines) Add(r audit.Row) error {
	optional := func(n linger.Opt[int64]) string {
		if v, ok := n.Get(); ok {
			return strconv.FormatInt(v, 10)
		}
		return ""
	}
	span := func(d linger.Opt[time.Duration], unit time.Duration) string {
		if v, ok := d.Get(); ok {
			return finding.Trimmed(float64(v)/float64(unit), 6)
		}
		return ""
	}
	frame := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	before := ""
	if r.Before >= 0 {
		before = strconv.FormatInt(r.Before, 10)
	}
	resumed := ""
	if v, ok := r.Resumed.Get(); ok {
		resumed = strconv.FormatBool(v)
	}
	var lost []string
	for _, c := range r.Lost {
		lost = append(lost, string(c))
	}
	l.line = append(l.line[:0],
		strconv.FormatInt(r.ID, 10), optional(r.Stream), legible.Cell(r.Client), legible.Cell(r.Server), legible.Cell(r.Name), legible.Cell(string(r.Protocol)), string(r.Class), finding.Trimmed(float64(r.Opened)/1e9, 6), span(r.Lasted, time.Second),
		strconv.Itoa(r.Requests), string(r.Cause), string(r.Certainty), strings.Join(lost, " "), before, optional(r.BeforeStream), span(r.Gap, time.Second),
		string(r.ClosedBy), string(r.ClosedWith), string(r.End), span(r.Waiting, time.Millisecond), strconv.FormatBool(r.Hidden), frame(r.Frames.First), frame(r.Frames.Last), frame(r.ClosedFrame),
		strconv.FormatBool(r.BeganBefore), strconv.FormatBool(r.StillOpen), legible.Cell(r.ALPN), legible.Cell(r.TLS), resumed, string(r.Keys), optional(r.Turns))
	return l.w.Write(l.line)
}

// Close writes what is left.
func (l *ConnectionLines) Close() error {
	l.w.Flush()
	return l.w.Error()
}

// Audit tells what was found of a recording, for JUnit, SARIF and OpenMetrics.
func Audit(r *audit.Result, version string) Report {
	name := "recording"
	if len(r.Files) > 0 {
		name = r.Files[0]
	}
	t := Target{Kind: "recording", Name: name, URI: referenceOf(name), Asserted: r.Asserted, Labels: []Label{{"recording", name}}}
	for _, f := range r.Findings {
		text := words.AuditFinding(f)
		rule := "A connection need not have been opened"
		switch f.Code {
		case audit.HopReuse:
			rule = "A proxy reuses the connections that it opens"
		case audit.ResumptionUnused, audit.ResumptionRefused:
			rule = "A TLS handshake was full, and could have been resumed"
		}
		if f.Cause != "" && !audit.Cause(f.Code).Of().Avoidable {
			rule = "A connection broke, or was ended with others"
		}
		t.Findings = append(t.Findings, Finding{Finding: f, Text: strings.TrimSuffix(text, "."), Told: text, Rule: Rule{Group: "audit", Short: rule + ".", Full: rule + ": " + f.Code + ".", Level: f.Severity}})
	}
	for _, c := range r.Caveats {
		t.Caveats = append(t.Caveats, words.AuditCaveat(c)+".")
	}
	var m metrics
	number := func(name, unit, help string, v linger.Opt[float64], labels ...Label) {
		if v, ok := v.Get(); ok {
			m.add(name, unit, help, v, labels...)
		}
	}
	count := func(name, help string, n int, labels ...Label) { m.add(name, "", help, float64(n), labels...) }
	inSeconds := func(ms linger.Opt[float64]) linger.Opt[float64] { return known(ms.Or(0)/1000, !ms.IsZero()) }
	count("connections_opened", "Connections whose beginning was recorded.", r.Opened)
	count("requests", "Requests on connections whose beginning was recorded.", r.Exchanges)
	number("reuse_ratio", "", "Share of the requests that were not the first on their connection.", r.Reuse)
	count("connections_avoidable", "Connections that need not have been opened, at most.", r.Avoidable)
	number("waiting_seconds", "seconds", "What requests waited for handshakes, summed.", inSeconds(r.Waiting))
	number("avoidable_waiting_seconds", "seconds", "What requests waited for handshakes of avoidable connections, summed.", inSeconds(r.AvoidableWaiting))
	number("handshake_ratio", "", "Share of the time that clients waited which was handshakes.", r.HandshakeShare)
	if x, ok := r.TLS.Get(); ok {
		count("connections_encrypted", "Encrypted connections.", x.Connections)
		number("decrypted_ratio", "", "Share of the encrypted connections that keys decrypt all of.", x.DecryptedShare())
		number("tls_resumed_ratio", "", "Share of the TLS handshakes that were resumed.", x.ResumedShare())
		if n, ok := x.Unused.Get(); ok {
			count("resumption_unused", "Full TLS handshakes of clients that could have asked to resume.", n)
		}
		count("resumption_refused", "TLS handshakes that clients asked to resume and servers did not.", x.Refused)
	}
	for _, c := range r.Causes {
		count("connections", "Connections by why they were opened.", c.Connections, Label{"cause", string(c.Cause)}, Label{"avoidable", strconv.FormatBool(c.Avoidable)})
	}
	for _, g := range r.Origins {
		on := []Label{{"origin", g.Name}, {"address", g.Address}}
		number("origin_reuse_ratio", "", "The same of one origin.", g.Reuse, on...)
		count("origin_connections_avoidable", "The same of one origin.", g.Avoidable, on...)
	}
	t.Metrics = m
	return Report{Tool: "linger inspect", Version: version, Asserted: "the recording", Targets: []Target{t}}
}
