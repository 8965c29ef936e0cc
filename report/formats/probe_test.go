package formats

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"strconv"
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
	if err := JUnit(&b, results.Servers()); err != nil {
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

// The log is valid by the schema that OASIS has published, as npm's jest-sarif ships it.
func TestSARIFIsValid(t *testing.T) {
	const program = `
const path = require.resolve("@microsoft/jest-sarif/package.json"), Ajv = require("ajv");
const ajv = new Ajv({schemaId: "auto", unknownFormats: "ignore", allErrors: true});
ajv.addMetaSchema(require("ajv/lib/refs/json-schema-draft-04.json"));
const valid = ajv.compile(require(path.replace("package.json", "lib/schemas/sarif-2.1.0-rtm.5.json")));
const log = JSON.parse(require("fs").readFileSync(0));
if (!valid(log)) { console.error(JSON.stringify(valid.errors, null, 1)); process.exit(1); }
console.log(log.runs[0].results.length);`
	if err := exec.Command("node", "-e", `require.resolve("@microsoft/jest-sarif/package.json"); require("ajv")`).Run(); err != nil {
		skip(t, "no schema of SARIF here (npm install @microsoft/jest-sarif har-validator@5, and NODE_PATH): %v", err)
	}
	for results, list := range map[string][]profile.Probed{"3": results.Servers(), "0": nil} {
		var b bytes.Buffer
		if err := SARIF(&b, list, "test"); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("node", "-e", program)
		c.Stdin = &b
		if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != results {
			t.Errorf("%s results: %v: %s", results, err, out)
		}
	}
}

// The reference parser of OpenMetrics reads each sample.
func TestOpenMetricsAreReadByOthers(t *testing.T) {
	var b bytes.Buffer
	if err := OpenMetrics(&b, results.Servers()); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("ends with %q", text[max(0, len(text)-20):])
	}
	const script = `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
text = sys.stdin.read()
n = sum(len(f.samples) for f in openmetrics(text))
assert n == sum(len(f.samples) for f in plain(text))
for f in openmetrics(text):
    for s in f.samples:
        if s.name == 'linger_probe_idle_seconds' and s.labels['protocol'] == 'http/1.1' and s.labels['after'] == 'response' and s.value != 5:
            sys.exit('idle is %r' % s.value)
print(n, *sorted({s.labels['target'] for f in openmetrics(text) for s in f.samples}))
`
	c := exec.Command("/usr/bin/python3", "-c", script)
	c.Stdin = strings.NewReader(text)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil && strings.Contains(errs.String(), "No module named") || err != nil && errs.Len() == 0 {
		skip(t, "no parser of OpenMetrics here: apt-get install python3-prometheus-client: %v", err)
	}
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, errs.String(), text)
	}
	want := strings.Count(text, "\n") - strings.Count("\n"+text, "\n#")
	if got := string(out); !strings.HasPrefix(got, strconv.Itoa(want)+" ") || !strings.Contains(got, results.Server().Target) {
		t.Errorf("%d samples were written, and read was %s", want, got)
	}
}

func TestSurveyCSVHasARowForEachLine(t *testing.T) {
	var b bytes.Buffer
	if err := SurveyCSV(&b, results.Servers()); err != nil {
		t.Fatal(err)
	}
	results.Golden(t, "survey.csv", b.String())
}

// skip skips a test for want of something, or fails it under LINGER_TEST_ALL=1.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("LINGER_TEST_ALL") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
