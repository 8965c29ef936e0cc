package formats

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"linger"
	"linger/compare/crowd"
	"linger/internal/results"
)

// paths are the names of all that a document holds, joined by dots, with what stands there.
func paths(v any, at string, out map[string]any) {
	object, ok := v.(map[string]any)
	if !ok {
		out[at] = v
		return
	}
	for name, v := range object {
		paths(v, strings.TrimPrefix(at+"."+name, "."), out)
	}
}

// The CSV has the figures of the JSON under the same names; what is not known is empty there, and
// absent here.
func TestCrowdCSVIsOfTheJSON(t *testing.T) {
	filled := map[string]bool{}
	own := results.CrowdOfServers()
	own.Rows[0].Server.Resident = linger.Known(52e6) // of a server of the user's own
	for _, r := range []*crowd.Result{results.Crowd(), own} {
		var c, j bytes.Buffer
		if err := CrowdCSV(&c, r); err != nil {
			t.Fatal(err)
		}
		if err := CrowdJSON(&j, r, "test"); err != nil {
			t.Fatal(err)
		}
		var document struct {
			Format   string
			Rows     []any
			Foreseen []struct{ Row any }
		}
		if err := json.Unmarshal(j.Bytes(), &document); err != nil || document.Format != crowd.Format {
			t.Fatal(document.Format, err)
		}
		all := document.Rows
		for _, f := range document.Foreseen {
			all = append(all, f.Row)
		}
		lines, err := csv.NewReader(&c).ReadAll()
		if err != nil || len(lines) != 1+len(all) {
			t.Fatal(len(lines), err)
		}
		for i, line := range lines[1:] {
			in := map[string]any{}
			paths(all[i], "", in)
			for k, cell := range line {
				name := lines[0][k]
				filled[name] = filled[name] || cell != ""
				if name == "provenance" || name == "idle_timeout_ms" {
					continue
				}
				v, there := in[name]
				if there != (cell != "") || there && fmt.Sprint(v) != cell && fmt.Sprintf("%.0f", v) != cell {
					t.Errorf("%s: %q in the CSV, %v in the JSON", name, cell, v)
				}
			}
		}
	}
	for name, is := range filled {
		if !is && !strings.Contains(name, "at_least_ms") {
			t.Errorf("%s is always empty", name)
		}
	}
}

// What was held over time has a place for each instant, null where nobody saw it.
func TestCrowdSamples(t *testing.T) {
	r := results.Crowd()
	series := r.Rows[0].Series
	series[1].Server.Taken = linger.Opt[int]{}
	var b bytes.Buffer
	if err := CrowdJSON(&b, r, "test"); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Rows []struct{ Samples map[string][]*float64 }
	}
	if err := json.Unmarshal(b.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	samples := document.Rows[0].Samples
	for name, list := range samples {
		if len(list) != len(series) || (list[1] == nil) != (name == "server_taken" || name == "server_busy" || name == "requests_queued") {
			t.Errorf("%s: %d places of %d", name, len(list), len(series))
		}
	}
	if len(samples) != 11 {
		t.Errorf("%d lists", len(samples))
	}
}

// A strategy that does not load all pages fails its test.
func TestCrowdsAreTests(t *testing.T) {
	var b bytes.Buffer
	if err := JUnit(&b, Crowd(results.CrowdOfServers(), "linger compare", "test")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`failures="1"`, `<failure message="95 of 100 pages were loaded"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}
