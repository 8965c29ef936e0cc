package formats

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"linger/compare"
	"linger/internal/results"
	"linger/report"
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
		Cells       []compare.Cell
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
