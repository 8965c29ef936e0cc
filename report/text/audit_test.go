package text

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"linger"
	"linger/audit"
	"linger/finding"
	"linger/report/terminal"
)

// crowded is an audit with more to say than a screen holds.
func crowded() *audit.Result {
	r := &audit.Result{
		Format: audit.Format, Files: []string{"a-capture-with-a-rather-long-name-of-a-whole-day.pcapng"}, Recorded: 3.6e6, At: "middle", Connections: 12000, Opened: 11000, BeganBefore: 1000,
		Exchanges: 90000, Reuse: linger.Known(.8765), Avoidable: 9800, Undecided: 200, Waiting: linger.Known(1e6), AvoidableWaiting: linger.Known(9.1e5), HandshakeShare: linger.Known(.31),
		HealthChecks: audit.Aside{Connections: 300, Exchanges: 300}, Streams: audit.Aside{Connections: 12, Exchanges: 12},
	}
	for i, c := range []audit.Cause{audit.ServerIdle, audit.ClientSaysClose, audit.IdleUnused, audit.Race, audit.RequestLimit, audit.Failure} {
		f := finding.Finding{
			Code: string(c), Cause: string(c), Severity: finding.Warning, Subject: finding.Subject{Kind: "origin", Name: fmt.Sprintf("service-%d.internal.example.com", i), Of: "192.0.2.17:8080"},
			Figures: finding.Figures{finding.Number("connections", 1234, ""), finding.Number("certain", 1200, ""), finding.Number("gap_median", 12345, "ms"), finding.Number("request_limit", 100, "")},
			Price:   finding.Price{Waiting: linger.Known(1e5)},
		}
		for range 2 {
			f.Remedies = append(f.Remedies, finding.Remedy{Software: "nginx", Side: "client", Where: "location", Write: "proxy_http_version 1.1; proxy_set_header Connection \"\";"})
		}
		r.Findings = append(r.Findings, f)
		r.Origins = append(r.Origins, audit.GroupRow{
			Name: f.Subject.Name, Address: f.Subject.Of, Connections: 2000, Opened: 1800, Exchanges: 15000, Reuse: linger.Known(.88), Avoidable: 1234, Waiting: linger.Known(1e5), Needed: 17, Main: c,
		})
	}
	for _, c := range []string{audit.CaveatUndecided, audit.CaveatOpaque, audit.CaveatMissing, audit.CaveatBeganBefore, audit.CaveatYoung, audit.CaveatPools} {
		r.Caveats = append(r.Caveats, finding.Caveat{Code: c, Figures: finding.Figures{finding.Number("connections", 1234, ""), finding.Number("bytes", 123456, "bytes")}})
	}
	return r
}

// What is shown without --wide fits on a screen of 80 by 24, the answer first.
func TestAuditFitsOnAScreen(t *testing.T) {
	for name, r := range map[string]*audit.Result{"crowded": crowded(), "empty": {Format: audit.Format}} {
		var b bytes.Buffer
		if err := Audit(&b, r, Options{}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) > terminal.Lines {
			t.Errorf("%s: %d lines:\n%s", name, len(lines), b.String())
		}
		for _, line := range lines {
			if terminal.Width(line) > 80 {
				t.Errorf("%s: %d columns: %s", name, terminal.Width(line), line)
			}
		}
	}
	var b bytes.Buffer
	if err := Audit(&b, crowded(), Options{Screen: terminal.Screen{Width: 120, Wide: true}}); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if !strings.Contains(b.String(), fmt.Sprintf("service-%d", i)) {
			t.Errorf("wide text leaves service-%d out", i)
		}
	}
}

// One caveat is no "them".
func TestOneReasonLeft(t *testing.T) {
	var b bytes.Buffer
	r := &audit.Result{Caveats: []finding.Caveat{{Code: audit.CaveatYoung}}}
	w := bufio.NewWriter(&b)
	Options{}.audit(w, r, room{}, false)
	w.Flush()
	if !strings.Contains(b.String(), "1 caveat not shown; --wide shows it\n") {
		t.Error(b.String())
	}
}

// Evidence that is of some says so; a head stands in one line where one is enough.
func TestEvidenceOfTheFirst(t *testing.T) {
	for n, want := range map[float64]string{8: "   Wireshark: tcp.stream in {1, 2}\n   frames: 3, 4\n", 9: "   Wireshark of the first 8: tcp.stream in {1, 2}\n   frames of the first 8: 3, 4\n"} {
		var b bytes.Buffer
		r := &audit.Result{Findings: []finding.Finding{{
			Code: string(audit.Race), Cause: string(audit.Race), Severity: finding.Warning, Figures: finding.Figures{finding.Number("connections", n, "")},
			Evidence: []finding.Evidence{{Kind: "filter", Text: "tcp.stream in {1, 2}"}, {Kind: "frames", Frames: []int{3, 4}}},
		}}, Hops: []audit.Hop{{Proxy: "192.0.2.1:80", Upstream: "192.0.2.9:80"}}}
		if err := Audit(&b, r, Options{Screen: terminal.Screen{Width: 120, Wide: true}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) || strings.Contains(b.String(), "\n\n\n") {
			t.Errorf("%v connections:\n%s", n, b.String())
		}
	}
}
