package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/tune"
)

// gapsBySQL counts, for each client, the whole seconds from one line to the next in order of
// time; an hour and more are one. HTTP/1.0 keeps no connection.
const gapsBySQL = `
const {DuckDBInstance} = require("@duckdb/node-api");
(async () => {
  const c = await (await DuckDBInstance.create(":memory:")).connect();
  await c.run("set threads=1");
  const r = await c.runAndReadAll(` + "`" + `with lines as (
      select regexp_extract(line, '^(\\S+) \\S+ .*?\\[([^\\]]+)\\]', ['client', 'time']) f
      from read_csv('${process.argv[1]}', columns = {'line': 'VARCHAR'}, delim = '\\x01', quote = '', escape = '', header = false, auto_detect = false) where not contains(line, 'HTTP/1.0"')),
    times as (select f.client, epoch(strptime(f.time, '%d/%b/%Y:%H:%M:%S %z'))::BIGINT t from lines),
    gaps as (select t - lag(t) over (partition by client order by t) g from times)
    select least(g, 3600), count(*) from gaps where g is not null group by 1 order by 1` + "`" + `);
  console.log(JSON.stringify(r.getRows().map(x => [Number(x[0]), Number(x[1])])));
})();`

// TestTuneAsDuckDB holds the gaps of a log, value by value, against those of a database.
func TestTuneAsDuckDB(t *testing.T) {
	testall.Long(t, "some seconds of a database")
	node, err := exec.LookPath("node")
	if err != nil {
		skip(t, "node is not installed")
	}
	if out, err := exec.Command(node, "-e", `require("@duckdb/node-api")`).CombinedOutput(); err != nil {
		skip(t, "npm's @duckdb/node-api is not in NODE_PATH: %.200s", out)
	}
	n := 300_000
	if testall.Asked() {
		n = 1_000_000
	}
	if lines := os.Getenv("LINGER_TEST_LINES"); lines != "" { // as 10000000, which takes minutes
		if n, err = strconv.Atoi(lines); err != nil {
			t.Fatal(err)
		}
	}
	logs := map[string]string{"made": madeLog(t, n)}
	if recorded := "../../../shared/data/weblog/combined_2015_10k.log.gz"; exists(recorded) {
		logs["recorded"] = recorded
	}
	for name, log := range logs {
		out, err := exec.Command(node, "-e", gapsBySQL, log).Output()
		if err != nil {
			t.Fatal(err)
		}
		var rows [][2]int64
		if err := json.Unmarshal(out, &rows); err != nil {
			t.Fatal(err)
		}
		want := map[int]int64{}
		for _, r := range rows {
			want[int(r[0])] = r[1]
		}
		for seconds, n := range tuned(t, log).Gaps {
			if n != want[seconds] {
				t.Errorf("%s: %d gaps of %d s, by the database %d", name, n, seconds, want[seconds])
			}
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// madeLog writes a combined log of n lines, up to half a minute out of order.
func madeLog(t testing.TB, n int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "access.log")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	luck := rand.New(rand.NewPCG(9, 9))
	began := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	for i := range n {
		at := began.Add(time.Duration(i)*100*time.Millisecond - time.Duration(luck.IntN(30))*time.Second)
		client := min(luck.IntN(5000), luck.IntN(5000), luck.IntN(5000))
		fmt.Fprintf(w, "10.1.%d.%d - - [%s] \"GET /images/%d.png HTTP/1.1\" 200 %d \"https://example.com/board?page=%d\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\"\n",
			client>>8, client&255, at.Format("02/Jan/2006:15:04:05 -0700"), i%1000, luck.IntN(100_000), i%77)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return name
}

// jsonLog writes the same log as lines of JSON.
func jsonLog(t testing.TB, log string) string {
	t.Helper()
	in, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	name := filepath.Join(t.TempDir(), "access.json")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := bufio.NewWriter(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		line := lines.Text()
		client, rest, _ := strings.Cut(line, " ")
		_, rest, _ = strings.Cut(rest, "[")
		when, rest, _ := strings.Cut(rest, "]")
		_, rest, _ = strings.Cut(rest, "GET ")
		path, _, _ := strings.Cut(rest, " ")
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", when)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "{\"time\":%d.000,\"remote_addr\":%q,\"method\":\"GET\",\"path\":%q,\"status\":200,\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64)\",\"referer\":\"https://example.com/board\"}\n", at.Unix(), client, path)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return name
}

// jsonGapsBySQL is gapsBySQL for lines of JSON.
var jsonGapsBySQL = strings.NewReplacer(
	`select regexp_extract(line, '^(\\S+) \\S+ .*?\\[([^\\]]+)\\]', ['client', 'time']) f`, `select remote_addr client, time::BIGINT t`,
	`from read_csv('${process.argv[1]}', columns = {'line': 'VARCHAR'}, delim = '\\x01', quote = '', escape = '', header = false, auto_detect = false) where not contains(line, 'HTTP/1.0"')),`,
	`from read_json('${process.argv[1]}', format = 'newline_delimited', columns = {'time': 'DOUBLE', 'remote_addr': 'VARCHAR'})),`,
	`times as (select f.client, epoch(strptime(f.time, '%d/%b/%Y:%H:%M:%S %z'))::BIGINT t from lines),`, `times as (select * from lines),`,
).Replace(gapsBySQL)

// BenchmarkTune reads a log of 300,000 lines, as text, as JSON and compressed, beside a database
// that computes the gaps by SQL on one thread, wc -l and gzip -d. With -cpu 1,2 it says what two
// cores give.
func BenchmarkTune(b *testing.B) {
	n := 300_000
	if testing.Short() {
		n = 3_000
	}
	log := madeLog(b, n)
	lines, packed := jsonLog(b, log), log+".gz"
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	bench := func(name, file string, run func(b *testing.B)) {
		info, err := os.Stat(file)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(info.Size())
			for b.Loop() {
				run(b)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
	tuning := func(file string) func(b *testing.B) {
		return func(b *testing.B) {
			if err := dispatch(b.Context(), []string{"tune", "--json", file}, streamsOf(nil, null, null, os.Getenv)); err != nil {
				b.Fatal(err)
			}
		}
	}
	program := func(words ...string) func(b *testing.B) {
		return func(b *testing.B) {
			if err := exec.Command(words[0], words[1:]...).Run(); err != nil {
				testall.Lacks(b, "%s: %v", words[0], err)
			}
		}
	}
	bench("combined/tune", log, tuning(log))
	bench("combined/duckdb", log, program("node", "-e", gapsBySQL, log))
	bench("combined/wc", log, program("wc", "-l", log))
	bench("json/tune", lines, tuning(lines))
	bench("json/duckdb", lines, program("node", "-e", jsonGapsBySQL, lines))
	if err := exec.Command("gzip", "-k1", log).Run(); err != nil {
		return // there is no gzip
	}
	bench("gzip/tune", log, tuning(packed)) // bytes are those of the text
	bench("gzip/gzip", log, program("gzip", "-dc", packed))
}

// tuned runs the verb, and returns what it found.
func tuned(t *testing.T, args ...string) tune.Result {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := dispatch(context.Background(), append([]string{"tune", "--json"}, args...), streamsOf(nil, out, os.Stderr, os.Getenv)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var r tune.Result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return r
}
