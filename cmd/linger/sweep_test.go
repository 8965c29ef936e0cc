package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/crowdsweep"
	"linger/compare/sweep"
)

// runMain runs a command line in this process, and returns the file that it writes.
func runMain(t *testing.T, ending string, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "out"+ending)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if status := Main(append(args, "-o", name), streamsOf(null, null, null, func(string) string { return "" })); status != exitDone {
		t.Fatalf("%s: exit status %d", strings.Join(args, " "), status)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A field of a sweep is what compare predicts for that path, to the digit.
func TestSweepHasTheFiguresOfCompare(t *testing.T) {
	type cells struct {
		Cells []sweep.Cell `json:"cells"`
	}
	for _, x := range []struct{ sweep, compare []string }{
		{[]string{"--rtt", "70ms", "--down", "12mbit", "--loss", "0%"}, []string{"--network", "lte"}},
		{[]string{"--network", "satellite", "--loss", "2%", "--trials", "4", "--seed", "7"}, []string{"--network", "satellite", "--loss", "2%", "--trials", "4", "--seed", "7"}},
		{[]string{"microscape", "--rtt", "5ms", "--down", "1mbit", "--up", "300kbit", "--loss", "0%", "--queue", "20ms", "--max-requests", "9", "--think", "30ms"},
			[]string{"microscape", "--rtt", "5ms", "--down", "1mbit", "--up", "300kbit", "--queue", "20ms", "--max-requests", "9", "--think", "30ms"}},
		{[]string{"objects:7x30000", "--scheme", "https", "-s", "close:2,keep+resume,h2", "--rtt", "300ms", "--down", "1gbit", "--loss", "5%", "--trials", "3"},
			[]string{"objects:7x30000", "--scheme", "https", "-s", "close:2,keep+resume,h2", "--rtt", "300ms", "--down", "1gbit", "--up", "1gbit", "--loss", "5%", "--trials", "3"}},
	} {
		var got cells
		var want compare.Findings
		if err := json.Unmarshal(runMain(t, ".json", append([]string{"sweep"}, x.sweep...)...), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(runMain(t, ".json", append([]string{"compare", "--on", "sim"}, x.compare...)...), &want); err != nil {
			t.Fatal(err)
		}
		if len(got.Cells) != 1 || len(got.Cells[0].Rows) != len(want.Rows) || len(want.Rows) < 3 {
			t.Fatalf("%q: %d cells, %d rows", x.sweep, len(got.Cells), len(want.Rows))
		}
		for i, w := range want.Rows {
			r := got.Cells[0].Rows[i]
			packets, _ := w.Packets.Get()
			bytes, _ := w.WireBytes.Get()
			if r.Strategy != w.Strategy || r.Time != w.Time || r.Connections != w.Connections || r.Handshakes != w.Handshakes || r.Failed != w.Failed {
				t.Errorf("%q: %+v, and compare has %+v", x.sweep, r, w)
			}
			// Medians of sums are not sums of medians where there are trials.
			if r.Trials == 1 && (r.Packets.Or(0) != packets.Sum() || r.WireBytes.Or(0) != bytes.Sum()) {
				t.Errorf("%q: %s: %v packets, %v bytes, and compare has %v, %v", x.sweep, r.Strategy, r.Packets, r.WireBytes, packets, bytes)
			}
		}
	}
}

// A cell of a sweep of crowds is what compare predicts for that crowd, to the digit.
func TestCrowdSweepHasTheFiguresOfCompare(t *testing.T) {
	common := []string{"objects:3x20000", "-s", "close:2,keep:2,h2", "--server-workers", "30", "--visits", "3", "--seed", "7", "--max-requests", "5", "--service", "2ms"}
	var got struct{ Cells []crowdsweep.Cell }
	if err := json.Unmarshal(runMain(t, ".json", append([]string{"sweep", "--clients", "4,14", "--think", "1s,~2s", "--idle-timeout", "500ms,0"}, common...)...), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Cells) != 4 || len(got.Cells[3].Rows) != 5 {
		t.Fatalf("%d cells", len(got.Cells))
	}
	for _, idle := range []string{"500ms", "0s"} {
		var want struct {
			Rows []struct {
				Strategy string
				Pages    struct{ Wanted, Failed int }
				Time     struct{ Median, P95 linger.Opt[float64] } `json:"page_ms"`
				Workers  struct{ Mean linger.Opt[float64] }
				Opened   linger.Opt[float64] `json:"connections_per_page"`
			}
		}
		args := append([]string{"compare", "--on", "sim", "--trials", "1", "--clients", "14", "--think", "~2s", "--idle-timeout", idle}, common...)
		if err := json.Unmarshal(runMain(t, ".json", args...), &want); err != nil {
			t.Fatal(err)
		}
		limit, _ := time.ParseDuration(idle)
		for _, w := range want.Rows {
			at := slices.IndexFunc(got.Cells[3].Rows, func(r crowdsweep.Row) bool {
				return r.Strategy == w.Strategy && (!r.Persistent || r.Idle == float64(limit/time.Millisecond))
			})
			r := got.Cells[3].Rows[at]
			if w.Pages.Wanted != 42 || r.Pages != w.Pages.Wanted || r.Failed != w.Pages.Failed || r.Median != w.Time.Median || r.P95 != w.Time.P95 || r.Held != w.Workers.Mean || r.Opened != w.Opened {
				t.Errorf("idle timeout %s: %+v, and compare has %+v", idle, r, w)
			}
		}
	}
}

// Interrupted, a sweep of crowds keeps what is done, and says so.
func TestInterruptedCrowdSweepKeepsWhatIsDone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals to send there")
	}
	name := filepath.Join(t.TempDir(), "x.json")
	cmd := exec.Command("linger", "sweep", "--clients", "1,2,5000", "--think", "1s", "--idle-timeout", "0", "--visits", "200", "-s", "close:6", "-o", name)
	var out bytes.Buffer
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	// It says how long it takes; the small crowds are done soon after.
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "3 crowds with 1 choice each: some ") {
		t.Errorf("%q, %v", line, err)
	}
	time.Sleep(2 * time.Second)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("%v", err)
	}
	var read struct {
		Cells    []crowdsweep.Cell
		Findings crowdsweep.Survey
	}
	b, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &read)
	}
	if err != nil || len(read.Cells) != 2 || !read.Findings.Interrupted || !strings.Contains(out.String(), "Interrupted: only the first 2 of 3 crowds are covered.") {
		t.Errorf("%v: %d cells\n%s", err, len(read.Cells), out.String())
	}
}

// Interrupted, it keeps what is done: whole lines, valid JSON, a map, and says so.
func TestInterruptedSweepKeepsWhatIsDone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals to send there")
	}
	folder := t.TempDir()
	lines, whole := filepath.Join(folder, "x.csv"), filepath.Join(folder, "x.json")
	cmd := exec.Command("linger", "sweep", "--steps", "500", "-o", lines, "-o", whole)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	for range 3000 {
		if info, err := os.Stat(lines); err == nil && info.Size() > 50_000 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("%v\n%s", err, said.String())
	}
	f, err := os.Open(lines)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Cells    []sweep.Cell `json:"cells"`
		Findings sweep.Survey `json:"findings"`
	}
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	n := len(read.Cells)
	if n == 0 || len(rows) != 1+n*len(read.Cells[0].Rows) || read.Findings.Done != n || !read.Findings.Interrupted || read.Findings.Paths != 500*500*2 {
		t.Errorf("%d cells, %d lines, %+v", n, len(rows), read.Findings)
	}
	if !strings.Contains(out.String(), "Interrupted: only the first ") {
		t.Errorf("%s", out.String())
	}
}
