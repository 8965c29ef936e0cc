package formats

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger/assert"
	"linger/audit"
	"linger/compare"
	"linger/finding"
	"linger/internal/results"
	"linger/internal/testall"
	"linger/keepalive"
	"linger/profile"
)

// reports are what the formats are held against those who read them with.
func reports(t testing.TB) map[string]Report {
	all := map[string]Report{"servers": Probe(results.Servers(), "test"), "none": Probe(nil, "test")}
	for _, name := range []string{"gallery", "doubtful", "live", "nothing", "secure", "stopped", "lossy", "refused", "dns"} {
		r := Comparison(findings(t, name), "linger compare", "test")
		r.Targets[0].Asserted = []assert.Result{{Text: `best=="h2"`, Truth: assert.Holds}, {Text: `time["h2"]<1s`, Truth: assert.Broken, Why: `time["h2"] is 2 s`}}
		all[name] = r
	}
	r := inspected()
	r.Asserted = []assert.Result{{Text: "reuse>=0.4", Truth: assert.Holds}, {Text: "avoidable==0", Truth: assert.Broken, Why: "avoidable is 4"}}
	all["inspected"] = Audit(r, "test")
	all["inspected, nothing found"] = Audit(&audit.Result{Format: audit.Format, Files: []string{"none.pcap"}}, "test")
	all["crowd"], all["crowd of servers"] = Crowd(results.Crowd(), "linger compare", "test"), Crowd(results.CrowdOfServers(), "linger compare", "test")
	all["chain"] = Chain(chained(), "test")
	return all
}

// chained has a pair of each verdict, a limit of each source, and an assertion that fails.
func chained() keepalive.Chain {
	const s = profile.Duration(time.Second)
	told := func(d profile.Duration) keepalive.Limit {
		return keepalive.Limit{Source: keepalive.FromUser, Value: d}
	}
	c := keepalive.Judge([]keepalive.Hop{
		{Name: "client", Software: "chromium", Opens: keepalive.LimitFrom("chromium", keepalive.Opens)},
		{Name: "lb", URL: "https://lb.example/", Accepts: keepalive.Limit{Source: keepalive.FromProbe, Value: 75 * s, Uncertainty: s / 100}, Opens: told(60 * s), RTT: keepalive.Trip{Value: s / 50}},
		{Name: "mesh", Accepts: told(60*s + s/100), Opens: keepalive.Limit{Source: keepalive.FromUser, Endless: true}, RTT: keepalive.Trip{Value: s / 50, Told: true}},
		{Name: `app "1"`, Accepts: keepalive.Limit{Source: keepalive.FromWait, Value: 75 * s}, Opens: told(30 * s)},
		{Name: "db", Accepts: told(40 * s)},
	})
	c.Asserted = []assert.Result{{Text: "right", Truth: assert.Broken, Why: "not so: the chain is wrong"}}
	c.Caveats = []finding.Caveat{{Code: keepalive.SeenFromHere}}
	return c
}

// A chain fails where a server closes first, passes with a word where the margin is small,
// and is skipped where a limit is not known; what mends it stands beside it.
func TestChainsAreTests(t *testing.T) {
	var b bytes.Buffer
	if err := JUnit(&b, Chain(chained(), "test")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<testsuite name="client &gt; lb &gt; mesh &gt; app &#34;1&#34; &gt; db" tests="5" failures="2" errors="0" skipped="1">`,
		`<failure message="client &gt; lb: wrong: `, "warning: lb &gt; mesh: too close: ", `<skipped message="mesh &gt; app &#34;1&#34;: not known: `,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := OpenMetrics(&b, Chain(chained(), "test")); err != nil {
		t.Fatal(err)
	}
	on := `chain="client > lb > mesh > app \"1\" > db"`
	for _, want := range []string{
		"linger_probe_chain_margin_seconds{" + on + `,opens="client",accepts="lb"} -225`, `hop="mesh",side="opens",source="told"} +Inf`,
		"linger_probe_chain_idle_lower_bound_seconds{" + on + `,hop="app \"1\"",side="accepts",source="measured at least"} 75`,
		`linger_probe_chain_pairs{` + on + `,verdict="too close"} 1`, `opens="app \"1\"",accepts="db"} 1`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
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
	for name, r := range reports(t) {
		var b bytes.Buffer
		if err := SARIF(&b, r); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, one := range r.Targets {
			for _, f := range one.Findings {
				if f.Severity != finding.Pass && f.Severity != finding.Unknown {
					want++
				}
			}
			for _, a := range one.Asserted {
				if a.Truth != assert.Holds {
					want++
				}
			}
		}
		c := exec.Command("node", "-e", program)
		c.Stdin = &b
		if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(want) {
			t.Errorf("%s: not %d results: %v: %s", name, want, err, out)
		}
	}
}

// The reference parser of OpenMetrics reads each sample.
func TestOpenMetricsAreReadByOthers(t *testing.T) {
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
print(n, *sorted({next(s.labels[k] for k in ('target', 'workload', 'recording', 'chain') if k in s.labels) for f in openmetrics(text) for s in f.samples}))
`
	for name, r := range reports(t) {
		readMetrics(t, name, r, script)
	}
}

func readMetrics(t *testing.T, name string, r Report, script string) {
	t.Helper()
	var b bytes.Buffer
	if err := OpenMetrics(&b, r); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("%s ends with %q", name, text[max(0, len(text)-20):])
	}
	c := exec.Command("/usr/bin/python3", "-c", script)
	c.Stdin = strings.NewReader(text)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil && strings.Contains(errs.String(), "No module named") || err != nil && errs.Len() == 0 {
		skip(t, "no parser of OpenMetrics here: apt-get install python3-prometheus-client: %v", err)
	}
	if err != nil {
		t.Fatalf("%s: %v: %s\n%s", name, err, errs.String(), text)
	}
	want := strings.Count(text, "\n") - strings.Count("\n"+text, "\n#")
	if got := string(out); !strings.HasPrefix(got, strconv.Itoa(want)) || len(r.Targets) > 0 && !strings.Contains(got, r.Targets[0].Name) {
		t.Errorf("%s: %d samples were written, and read was %s", name, want, got)
	}
}

// Tests are counted by what came of them, whatever they are of.
func TestJUnitCountsEveryFinding(t *testing.T) {
	for name, r := range reports(t) {
		var b bytes.Buffer
		if err := JUnit(&b, r); err != nil {
			t.Fatal(err)
		}
		var got junitSuites
		if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, b.String())
		}
		tests, failures, skipped := 0, 0, 0
		for _, one := range r.Targets {
			tests += len(one.Findings) + len(one.Asserted)
			if one.Failed != "" {
				tests++
			}
			for _, f := range one.Findings {
				switch f.Severity {
				case finding.Error:
					failures++
				case finding.Unknown:
					skipped++
				}
			}
			for _, a := range one.Asserted {
				if a.Truth != assert.Holds {
					failures++
				}
			}
		}
		if got.Tests != tests || got.Failures != failures || got.Skipped != skipped || len(got.Suites) != len(r.Targets) {
			t.Errorf("%s: %d tests, %d failures, %d skipped, %d suites; want %d, %d, %d, %d", name, got.Tests, got.Failures, got.Skipped, len(got.Suites), tests, failures, skipped, len(r.Targets))
		}
	}
}

// A comparison has its figures as metrics, in base units, and nothing that was not
// measured.
func TestComparisonHasFigures(t *testing.T) {
	var b bytes.Buffer
	if err := OpenMetrics(&b, Comparison(findings(t, "gallery"), "linger compare", "test")); err != nil {
		t.Fatal(err)
	}
	f := findings(t, "gallery")
	at, _ := f.Rows[0].Time.Get()
	for _, want := range []string{
		fmt.Sprintf("\nlinger_compare_time_seconds{workload=\"gallery\",network=\"lte\",provenance=\"measured\",strategy=%q} %v\n", f.Rows[0].Strategy, at.Median/1000),
		"\n# UNIT linger_compare_wire_bytes bytes\n", `direction="up"`, `side="server"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	b.Reset()
	bare := compare.Findings{Rows: []compare.Row{{Strategy: "close"}}}
	if err := OpenMetrics(&b, Comparison(bare, "linger get", "")); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "# TYPE"); n != 2 || !strings.Contains(b.String(), "linger_get_trials{") {
		t.Errorf("%d metrics of a row without figures:\n%s", n, b.String())
	}
}

// What a workload is called, a reader of SARIF takes for where it is.
func TestReferences(t *testing.T) {
	for name, want := range map[string]string{
		"gallery": "gallery", "objects:5x2000": "objects:5x2000", "my page.har": "my%20page.har", "https://a.example/b?c": "https://a.example/b?c", "": "",
	} {
		got := referenceOf(name)
		if got != want {
			t.Errorf("%q is %q; want %q", name, got, want)
		}
		if _, err := url.Parse(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}

// skip skips a test for want of something, or fails it under LINGER_TEST_ALL=1.
var skip = testall.Lacks
