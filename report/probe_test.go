package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/assert"
	"linger/conformance"
	"linger/profile"
)

const second = profile.Duration(time.Second)

func limit(d, doubt profile.Duration, e profile.Ending) profile.Timeout {
	return profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: d, Low: d, High: d, N: 3}, Uncertainty: doubt, Ending: e}
}

// probed is a server of which there is something to say of each kind.
func probed() *profile.Profile {
	h1 := &profile.Protocol{
		Name: "http/1.1", Offered: true, AfterResponse: limit(5*second, second/500, profile.CloseNotify), AfterConnect: limit(60*second, second/50, profile.FIN),
		AfterTLS: profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: 75 * second}}, Age: profile.Timeout{State: profile.Unknown, Why: "the bound of requests was reached; --requests raises it"},
		Requests:   profile.Count{State: profile.AtLeast, N: 80},
		Pipelining: &profile.Pipelining{State: profile.Measured, Sent: 8, Answered: 8, InOrder: linger.Known(true)},
	}
	h1.Announced = profile.Announced{Connection: "keep-alive", KeepAlive: "timeout=65, max=100", Timeout: linger.Known(65 * second), Max: linger.Known(100)}
	h2 := &profile.Protocol{
		Name: "h2", Offered: true, AfterResponse: profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: 7 * second, Low: 5 * second, High: 10 * second, N: 4}, Uncertainty: second / 200, Ending: profile.GOAWAY},
		Requests: profile.Count{State: profile.Measured, N: 1000},
	}
	h2.Announced.Settings = map[string]uint64{"SETTINGS_MAX_CONCURRENT_STREAMS": 128}
	h3 := &profile.Protocol{Name: "h3", Why: "not offered: nothing listens there"}
	result := func(id string, o profile.Outcome, text string) profile.Result {
		return profile.Result{Case: conformance.CaseByID(id), Outcome: o, Text: text}
	}
	return &profile.Profile{
		Format: profile.Format, Linger: "test", Provenance: "measured", Target: `https://example.org/a?b=<"c">&d\`, Address: "192.0.2.1:443", Software: "nginx/1.22.1",
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 15*second + 3*second/10, RTT: profile.Spread{Median: second / 50, Low: second / 52, High: second / 48, N: 3},
		Spent: profile.Spent{Connections: 57, Peak: 28, Requests: 132}, Bounds: profile.Bounds{Connections: 40, Requests: 200, Wait: 75 * second},
		Baseline: profile.Baseline{Status: 200, Bytes: 612}, Protocols: []*profile.Protocol{h1, h2, h3}, Parallel: profile.Count{State: profile.AtLeast, N: 20},
		TLS:    &profile.TLS{Versions: []string{"1.3", "1.2"}, ALPN: []string{"h2", "http/1.1"}, Tickets: profile.Count{State: profile.Measured, N: 2}, Lifetime: linger.Known(7200 * second), Resumes: linger.Known(true), Early: linger.Known(false)},
		AltSvc: &profile.AltSvc{Value: `h3=":443"`, Works: linger.Known(false), Why: "no answer"},
		Survives: []profile.Survival{
			{What: "GET 200", State: profile.Measured, Kept: true}, {What: "POST 405", State: profile.Measured, Said: "close"}, {What: "slow body", State: profile.Unknown, Why: "no answer"},
		},
		Cases: []profile.Result{
			result("close-honoured", profile.Pass, "closed after 0.2 ms"), result("pipeline-order", profile.Fail, "of 8 requests \x1b[31mthe third was answered first\uffff"),
			result("timeout-honoured", profile.Warn, "65 s were announced, and 5.000 ± 0.002 s observed"), result("idle-answered", profile.NotMeasured, "the server gave no occasion"),
		},
		Asserted: []assert.Result{{Text: "idle>=5s", Truth: assert.Holds}, {Text: `idle_tls>=90s && software=="x"`, Truth: assert.NotKnown, Why: "idle_tls is at least 75 s"}},
		Caveats:   []profile.Caveat{{Code: "late", Text: "the probe was ended after 100 s"}},
	}
}

// listed is a list with one that fails, one that cannot be reached, and a bad line.
func listed() []profile.Probed {
	good := probed()
	good.Target, good.Cases, good.Asserted = "http://good.example/", good.Cases[:1], good.Asserted[:1]
	return []profile.Probed{
		{Line: 1, Target: probed().Target, Profile: probed()}, {Line: 2, Target: good.Target, Profile: good},
		{Line: 4, Target: "http://127.0.0.1:1/", Failed: "cannot connect to 127.0.0.1:1: connection refused"}, {Line: 5, Target: "nonsense", Failed: "\"nonsense\" is not what can be probed"},
	}
}

func TestProbeIsLaidOut(t *testing.T) {
	for name, o := range map[string]Options{"probe": {}, "probe-60": {Width: 60}, "probe-color": {Color: true}} {
		for _, verbose := range []bool{false, true} {
			var b bytes.Buffer
			if err := Probe(&b, probed(), verbose, o); err != nil {
				t.Fatal(err)
			}
			if verbose {
				for _, c := range probed().Cases {
					if !strings.Contains(b.String(), c.ID) {
						t.Errorf("%s, verbose, leaves out %s", name, c.ID)
					}
				}
				continue
			}
			narrow(t, name, b.String(), o)
			againstGolden(t, name, b.String())
		}
	}
	var b bytes.Buffer
	if err := Survey(&b, listed(), Options{}); err != nil {
		t.Fatal(err)
	}
	narrow(t, "survey", b.String(), Options{})
	againstGolden(t, "survey", b.String())
	b.Reset()
	if err := Cases(&b, conformance.Cases(), Options{Width: 60}); err != nil {
		t.Fatal(err)
	}
	narrow(t, "cases", b.String(), Options{Width: 60})
}

// narrow holds text to the width that there is, and to escapes only where wanted.
func narrow(t *testing.T, name, text string, o Options) {
	t.Helper()
	bare := text
	for _, st := range []style{bold, faint, green, red, yellow} {
		bare = strings.ReplaceAll(bare, "\x1b["+string(st)+"m", "")
	}
	bare = strings.ReplaceAll(bare, "\x1b[0m", "")
	if strings.Contains(bare, "\x1b") || !o.Color && bare != text {
		t.Errorf("%s has escapes that it should not have", name)
	}
	for line := range strings.SplitSeq(bare, "\n") {
		if width(line) > o.width() {
			t.Errorf("%s: %d columns of %d: %s", name, width(line), o.width(), line)
		}
	}
}

// The colours say nothing that the words do not.
func TestProbeNeedsNoColour(t *testing.T) {
	var with, without bytes.Buffer
	Probe(&with, probed(), true, Options{Color: true})
	Probe(&without, probed(), true, Options{})
	bare := with.String()
	for _, st := range []style{bold, faint, green, red, yellow} {
		bare = strings.ReplaceAll(bare, "\x1b["+string(st)+"m", "")
	}
	if bare = strings.ReplaceAll(bare, "\x1b[0m", ""); bare != without.String() {
		t.Error("the text differs by more than colour")
	}
}

func TestProbeProgressFitsOnALine(t *testing.T) {
	for columns := 1; columns < 120; columns++ {
		line := ProbeProgress(3, 12, "waiting for connections to be ended", 12*time.Second, 63*time.Second, Options{Width: columns})
		if width(line) >= columns {
			t.Errorf("%d columns of %d: %q", width(line), columns, line)
		}
	}
}

// The document comes back as it was written.
func TestProfileJSONIsReadAgain(t *testing.T) {
	var b bytes.Buffer
	if err := ProfileJSON(&b, probed()); err != nil {
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
	if err := JUnit(&b, listed()); err != nil {
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
	for results, list := range map[string][]profile.Probed{"3": listed(), "0": nil} {
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
	if err := OpenMetrics(&b, listed()); err != nil {
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
	if got := string(out); !strings.HasPrefix(got, strconv.Itoa(want)+" ") || !strings.Contains(got, probed().Target) {
		t.Errorf("%d samples were written, and read was %s", want, got)
	}
}

func TestSurveyCSVHasARowForEachLine(t *testing.T) {
	var b bytes.Buffer
	if err := SurveyCSV(&b, listed()); err != nil {
		t.Fatal(err)
	}
	againstGolden(t, "survey.csv", b.String())
}

// againstGolden holds text against the file of that name.
func againstGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; go test ./report -update writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nand was\n%s", file, got, want)
	}
}
