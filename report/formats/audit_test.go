package formats

import (
	"bytes"
	"encoding/csv"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/audit"
	"linger/finding"
	"linger/trace"
)

// docs/inspect.md names every field of the JSON, and every column of the TSV.
func TestAuditIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/inspect.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	var look func(typ reflect.Type)
	seen := map[reflect.Type]bool{}
	look = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || !strings.HasSuffix(typ.PkgPath(), "linger/audit") && !strings.HasSuffix(typ.PkgPath(), "audit/handshake") && typ.PkgPath() != "linger" {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("docs/inspect.md does not name `%s` of %s", name, typ)
			}
			look(f.Type)
		}
	}
	look(reflect.TypeFor[audit.Result]())
	for _, c := range connectionFields {
		if !strings.Contains(doc, c) {
			t.Errorf("docs/inspect.md does not name the column %s", c)
		}
	}
	for _, c := range audit.Causes() {
		if !strings.Contains(doc, "| `"+string(c.Code)+"` |") {
			t.Errorf("docs/inspect.md does not name the cause %s", c.Code)
		}
	}
}

// A line has a field for each column, whatever a name holds.
func TestConnectionLines(t *testing.T) {
	var b bytes.Buffer
	l := NewConnectionLines(&b, '\t')
	l.Add(audit.Row{ID: 7, Stream: linger.Known(int64(3)), Client: "192.0.2.7", Server: "192.0.2.1:80", Name: "a\tb\"\x1b", Cause: audit.ServerIdle, Certainty: audit.Certain, Lost: []audit.Cause{audit.MaxAge, audit.Race},
		Before: 5, Gap: linger.Known(5 * time.Second), ClosedBy: trace.AtServer, ClosedWith: trace.FIN, Opened: 1_500_000_000})
	l.Add(audit.Row{Before: -1})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(&b)
	r.Comma = '\t'
	all, err := r.ReadAll()
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	if got := strings.Join(all[1][:12], "|"); got != `7|3|192.0.2.7|192.0.2.1:80|a?b"?|||1.5||0|server-idle|certain` {
		t.Error(got)
	}
	if all[2][13] != "" || all[1][13] != "5" || all[1][12] != "max-age race" {
		t.Errorf("%q", all)
	}
}

// inspected is an audit with a cause that costs.
func inspected() *audit.Result {
	return &audit.Result{
		Format: audit.Format, Files: []string{"a.pcap"}, Connections: 5, Opened: 5, Exchanges: 9, Reuse: linger.Known(.5), Avoidable: 4, AvoidableWaiting: linger.Known(120.),
		Causes:   []audit.CauseRow{{Cause: audit.ServerIdle, Avoidable: true, Connections: 4}},
		Findings: []finding.Finding{{Code: string(audit.ServerIdle), Cause: string(audit.ServerIdle), Severity: finding.Warning, Subject: finding.Subject{Kind: "origin", Name: "shop.example"}, Figures: finding.Figures{finding.Number("connections", 4, "")}}},
	}
}

// What is a finding costs; JUnit and SARIF have it, and OpenMetrics counts it.
func TestAuditForPrograms(t *testing.T) {
	report := Audit(inspected(), "test")
	var junit, sarif, metrics bytes.Buffer
	for _, err := range []error{JUnit(&junit, report), SARIF(&sarif, report), OpenMetrics(&metrics, report)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range []struct{ text, holds string }{
		{junit.String(), "the server closed after idling"}, {sarif.String(), `"ruleId": "server-idle"`}, {metrics.String(), `linger_inspect_avoidable_waiting_seconds{recording="a.pcap"} 0.12`},
		{metrics.String(), `cause="server-idle",avoidable="true"} 4`},
	} {
		if !strings.Contains(one.text, one.holds) {
			t.Errorf("no %s in\n%s", one.holds, one.text)
		}
	}
}
