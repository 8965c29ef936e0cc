package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"linger/internal/testall"
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
		n = 10_000_000
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

// BenchmarkTune reads a log of 300,000 lines, beside wc -l.
func BenchmarkTune(b *testing.B) {
	n := 300_000
	if testing.Short() {
		n = 3_000
	}
	log := madeLog(b, n)
	info, err := os.Stat(log)
	if err != nil {
		b.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	b.Run("tune", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			if err := dispatch(b.Context(), []string{"tune", "--json", log}, streamsOf(nil, null, null, os.Getenv)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	})
	b.Run("wc", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			if err := exec.Command("wc", "-l", log).Run(); err != nil {
				testall.Lacks(b, "wc is not there")
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	})
}
