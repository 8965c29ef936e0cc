package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linger/audit"
	"linger/internal/testall"
)

// recordings are captures of the lab, each of something else, and those of others where they are.
func recordings(t *testing.T) (names []string) {
	t.Helper()
	dir := t.TempDir()
	for _, c := range testall.Of([][]string{
		{"close", "gallery", "--scheme", "http"}, {"keep:6", "gallery", "--scheme", "http", "--loss", "1%"}, {"close:6", "gallery"}, {"h2", "gallery"}, {"h3", "gallery"},
		{"dot", "dns"}, {"udp", "dns"},
	}, [][]string{{"close", "objects:4x2000", "--scheme", "http"}}) {
		name := filepath.Join(dir, c[0]+".pcapng")
		args := append([]string{"get", c[1], "-s", c[0], "--rtt", "10ms", "-o", name}, c[2:]...)
		if _, said, status := command(t, args...); status != exitDone {
			t.Fatalf("%v: status %d: %s", c, status, said)
		}
		names = append(names, name)
	}
	others, err := filepath.Glob("../../../shared/data/pcap/*.pcap*")
	if err != nil {
		t.Fatal(err)
	}
	hars, err := filepath.Glob("../../../shared/data/har/*.har")
	if err != nil {
		t.Fatal(err)
	}
	return append(names, testall.Of(append(others, hars...), nil)...)
}

// outputs are what inspect writes of a file.
func outputs(t *testing.T, file string, flags ...string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"inspect", "-q", "--wide", file}
	for _, ending := range []string{".json", ".txt", ".csv", ".tsv"} {
		args = append(args, "-o", filepath.Join(dir, "x"+ending))
	}
	if _, said, status := command(t, append(args, flags...)...); status != exitDone {
		t.Fatalf("%s: status %d: %s", file, status, said)
	}
	out := map[string]string{}
	for _, ending := range []string{".json", ".txt", ".csv", ".tsv"} {
		b, err := os.ReadFile(filepath.Join(dir, "x"+ending))
		if err != nil {
			t.Fatal(err)
		}
		if ending == ".tsv" { // its lines come as causes are decided, in no order
			lines := bytes.Split(b, []byte("\n"))
			slices.SortFunc(lines, bytes.Compare)
			b = bytes.Join(lines, []byte("\n"))
		}
		out[ending] = string(b)
	}
	return out
}

// TestRecordsSayTheSame holds what inspect says of records against what it said of what they were
// written from, to the digit: with a filter, too, and with another setting.
func TestRecordsSayTheSame(t *testing.T) {
	needLab(t)
	t.Parallel()
	for _, file := range recordings(t) {
		for i, flags := range testall.Of([][]string{nil, {"--port", "443"}, {"--what-if", "connections=6,idle=60s"}}, [][]string{nil}) {
			records := filepath.Join(t.TempDir(), "x.parquet")
			want := outputs(t, file, append([]string{"-o", records}, flags...)...)
			again := flags
			if i == 1 {
				again = nil // what the filter let through is all that there is
			}
			got := outputs(t, records, again...)
			for ending := range want {
				if got[ending] != want[ending] {
					t.Errorf("%s %v: %s of the records is another: %s", filepath.Base(file), flags, ending, cmp.Diff(want[ending], got[ending]))
				}
			}
		}
	}
}

// sumsBySQL are, of a file of records, the connections and their waiting by cause, the requests and
// bytes, and how many requests were not the first on a connection of which the beginning was seen.
const sumsBySQL = `
const {DuckDBInstance} = require("@duckdb/node-api");
(async () => {
  const c = await (await DuckDBInstance.create(":memory:")).connect();
  const rows = async q => (await c.runAndReadAll(q.replaceAll("RECORDS", "'" + process.argv[1] + "'"))).getRows();
  const causes = {};
  for (const [cause, n, ns, avoidable] of await rows("select cause.cause, count(*), sum(case when cause.setup_hidden then 0 else cause.setup_ns end), bool_or(cause.avoidable) from RECORDS where record = 'cause' and cause.class is null and not cause.began_before group by all"))
    causes[cause] = [Number(n), Number(ns ?? 0), avoidable];
  const [[exchanges, bytes]] = await rows("select count(*), sum(exchange.response_body) from RECORDS where record = 'exchange'");
  const [[opened, requests, first]] = await rows("select count(*), sum(cause.requests), count(*) filter (cause.requests > 0) from RECORDS where record = 'cause' and cause.class is null and not cause.began_before");
  const [[findings]] = await rows("select count(*) from RECORDS where record = 'finding'");
  console.log(JSON.stringify({causes, exchanges: Number(exchanges), bytes: Number(bytes ?? 0), opened: Number(opened), requests: Number(requests ?? 0), first: Number(first), findings: Number(findings)}));
})();`

// TestRecordsAsDuckDB holds sums over records, as another program reads them, against ours.
func TestRecordsAsDuckDB(t *testing.T) {
	testall.Long(t, "a database reads records")
	needLab(t)
	node, err := exec.LookPath("node")
	if err != nil {
		skip(t, "node is not installed")
	}
	if out, err := exec.Command(node, "-e", `require("@duckdb/node-api")`).CombinedOutput(); err != nil {
		skip(t, "npm's @duckdb/node-api is not in NODE_PATH: %.200s", out)
	}
	for _, file := range recordings(t) {
		records := filepath.Join(t.TempDir(), "x.parquet")
		var want audit.Result
		if err := json.Unmarshal([]byte(outputs(t, file, "-o", records)[".json"]), &want); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(node, "-e", sumsBySQL, records).Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", file, err, err.(*exec.ExitError).Stderr)
		}
		var got struct {
			Causes                                              map[audit.Cause][3]any
			Exchanges, Bytes, Opened, Requests, First, Findings int
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		if got.Opened != want.Opened || got.Findings != len(want.Findings) {
			t.Errorf("%s: opened %d and %d findings, by the database %d and %d", name, want.Opened, len(want.Findings), got.Opened, got.Findings)
		}
		if got.Requests != want.Exchanges {
			t.Errorf("%s: %d requests, by the database %d", name, want.Exchanges, got.Requests)
		}
		if reuse, ok := want.Reuse.Get(); ok && float64(got.Requests-got.First)/float64(got.Requests) != reuse {
			t.Errorf("%s: reuse is %v, by the database %d of %d are no first ones", name, reuse, got.Requests-got.First, got.Requests)
		}
		for _, c := range want.Causes {
			row := got.Causes[c.Cause]
			if n, _ := row[0].(float64); int(n) != c.Connections || row[2] != c.Avoidable {
				t.Errorf("%s: %s: %d connections, avoidable %v, by the database %v", name, c.Cause, c.Connections, c.Avoidable, row)
			}
			ns, _ := row[1].(float64)
			if ms, ok := c.Price.Waiting.Get(); ok && (ns/1e6 < ms-1e-6 || ns/1e6 > ms+1e-6) {
				t.Errorf("%s: %s: %v ms of waiting, by the database %v", name, c.Cause, ms, ns/1e6)
			}
		}
	}
}
