package formats

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"linger/compare/crowdsweep"
	"linger/compare/sweep"
	"linger/internal/results"
	"linger/report"
	"linger/report/crowdmap"
	"linger/report/words"
)

// JSON and CSV hold every cell, and what is not known is not there.
func TestSweepFiles(t *testing.T) {
	g := results.Grid(t, "5ms,13ms,70ms", "1mbit,10mbit", 2, 0, 0.01)
	m, v, cells := results.Swept(t, g, false)
	var j, c bytes.Buffer
	out, err := NewSweepJSON(&j, m.Sweep, "v1", []report.Limit{{What: "DNS", Text: "none"}})
	if err != nil {
		t.Fatal(err)
	}
	lines := NewSweepCSV(&c)
	for _, cell := range cells {
		if err := out.Add(cell); err != nil {
			t.Fatal(err)
		}
		if err := lines.Add(cell); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(v); err != nil {
		t.Fatal(err)
	}
	if err := lines.Close(); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Linger      string
		Provenance  string
		Accuracy    string
		NotModelled []report.Limit `json:"not_modelled"`
		Cells       []sweep.Cell
		Findings    words.ToldSurvey
	}
	if err := json.Unmarshal(j.Bytes(), &read); err != nil {
		t.Fatalf("%v\n%s", err, j.String())
	}
	if read.Linger != "v1" || read.Provenance != "predicted" || read.Accuracy == "" || len(read.NotModelled) != 1 || fmt.Sprint(read.Cells) != fmt.Sprint(cells) ||
		read.Findings.Text != words.Survey(v).String() || !reflect.DeepEqual(read.Findings.Findings, v.Findings) {
		t.Errorf("%+v", read)
	}
	rows, err := csv.NewReader(&c).ReadAll()
	if err != nil || len(rows) != 1+12*5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		failed := row[1] == "13"
		if (row[9] == "") != failed || (row[22] != "") != failed || row[21] != "predicted" {
			t.Errorf("%q", row)
		}
	}
	var empty bytes.Buffer
	if out, err = NewSweepJSON(&empty, m.Sweep, "", nil); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(v); err != nil || !json.Valid(empty.Bytes()) {
		t.Errorf("%v\n%s", err, empty.String())
	}
}

// JSON and CSV of a sweep of crowds hold every choice of every cell.
func TestCrowdMapFiles(t *testing.T) {
	p := results.CrowdPlan(t, "10,50", "1s,5s", "1s,0", 20)
	m := crowdmap.New(p, results.CrowdCells(p, 3))
	var j, c bytes.Buffer
	if err := CrowdMapJSON(&j, m, "v1", []report.Limit{{What: "DNS", Text: "none"}}); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Format, Linger, Provenance, Accuracy string
		Axes                                 crowdsweep.Axes
		Cells                                []crowdsweep.Cell
		Findings                             words.ToldCrowdSurvey
	}
	if err := json.Unmarshal(j.Bytes(), &read); err != nil {
		t.Fatalf("%v\n%s", err, j.String())
	}
	if read.Format != crowdsweep.Format || read.Linger != "v1" || read.Provenance != "predicted" || read.Accuracy == "" || !reflect.DeepEqual(read.Cells, m.Cells) ||
		!reflect.DeepEqual(read.Axes.Idle, []float64{1000, 0}) || !read.Findings.Interrupted || read.Findings.Text == "" || !reflect.DeepEqual(read.Findings.Findings, m.Survey.Findings) {
		t.Errorf("%+v", read)
	}
	if err := CrowdMapCSV(&c, m); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&c).ReadAll()
	if err != nil || len(rows) != 1+3*len(p.Choices()) || len(rows[1]) != len(rows[0]) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
