package formats

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"linger/internal/results"
	"linger/profile"
)

// The document comes back as it was written.
func TestProfileJSONIsReadAgain(t *testing.T) {
	var b bytes.Buffer
	if err := ProfileJSON(&b, results.Server()); err != nil {
		t.Fatal(err)
	}
	var again profile.Profile
	if err := json.Unmarshal(b.Bytes(), &again); err != nil {
		t.Fatal(err)
	}
	var second bytes.Buffer
	ProfileJSON(&second, &again)
	if b.String() != second.String() {
		t.Errorf("was\n%s\nis\n%s", b.String(), second.String())
	}
}

func TestJUnitCountsWhatItHolds(t *testing.T) {
	var b bytes.Buffer
	if err := JUnit(&b, Probe(results.Servers(), "test")); err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if got.Tests != 10 || got.Failures != 2 || got.Errors != 2 || got.Skipped != 1 || len(got.Suites) != 4 {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped, %d suites", got.Tests, got.Failures, got.Errors, got.Skipped, len(got.Suites))
	}
	if c := got.Suites[0].Cases[1]; c.Name != "pipeline-order" || c.Failure == nil || strings.ContainsAny(c.Failure.Message, "\x1b\uffff") {
		t.Errorf("%+v", c)
	}
}

func TestSurveyCSVHasARowForEachLine(t *testing.T) {
	var b bytes.Buffer
	if err := SurveyCSV(&b, results.Servers()); err != nil {
		t.Fatal(err)
	}
	results.Golden(t, "survey.csv", b.String())
}
