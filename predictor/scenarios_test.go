package main

import (
	"bytes"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"linger/compare"
	"linger/compare/sweep"
	"linger/internal/testall"
)

// scenarios are twenty: words of a command line, and what else compare needs of them.
var scenarios = []struct{ words, compare string }{
	{"--network lte --loss 0%", ""},
	{"--network cable --loss 0%", ""},
	{"--network satellite --loss 0%", ""},
	{"--network 3g --loss 0%", ""},
	{"--network lan --loss 0%", ""},
	{"--network dsl --loss 1%", ""},
	{"--network lte --loss 2% --trials 7", ""},
	{"--network wan --loss 0.5% --seed 3", ""},
	{"--network lte --loss 1% --trials 1", ""},
	{"--network fios --loss 5% --trials 3", ""},
	{"--rtt 1ms --down 100mbit --loss 0%", "--up 100mbit"},
	{"--rtt 300ms --down 1600kbit --loss 0%", "--up 1600kbit"},
	{"--rtt 70ms --down 12mbit --up 1mbit --loss 0% --queue 20ms", ""},
	{"microscape --network lte --loss 0%", ""},
	{"api --network wan --loss 0%", ""},
	{"textbook --network lte --loss 0% -s close,close:6,keep", ""},
	{"objects:20x30000 --network cable --loss 1% --scheme http", ""},
	{"objects:7x200000 --network dsl --loss 0% --max-requests 3", ""},
	{"gallery --network lte --loss 0% --think 50ms --close", ""},
	{"dns --network lte --loss 2%", ""},
}

// What keep-alive saves is the same number wherever it stands: compare, sweep, a page's
// headline, and the simulator in that page.
func TestTheSameSavingEverywhere(t *testing.T) {
	folder := t.TempDir()
	linger := filepath.Join(folder, "linger")
	if out, err := exec.Command("go", "build", "-o", linger, "../cmd/linger").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, x := range scenarios {
		if i%testall.Of(1, 5) > 0 {
			continue
		}
		t.Run(x.words, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			at := func(name string) string { return filepath.Join(folder, name) }
			run := func(args ...string) {
				if out, err := exec.Command(linger, args...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
			}
			words := strings.Fields(x.words)
			run(append(append([]string{"compare"}, append(words, strings.Fields(x.compare)...)...), "--on", "sim", "-o", at("compare.json"), "-o", at("page.html"))...)
			run(append(append([]string{"sweep"}, words...), "-o", at("sweep.json"))...)
			var compared struct {
				Verdict struct {
					compare.Verdict
					Text string `json:"text"`
				} `json:"verdict"`
			}
			read(t, at("compare.json"), &compared)
			var swept struct {
				Cells []sweep.Cell `json:"cells"`
			}
			read(t, at("sweep.json"), &swept)
			page, err := os.ReadFile(at("page.html"))
			if err != nil {
				t.Fatal(err)
			}
			v := compared.Verdict
			cells := append(swept.Cells, explored(t, page))
			if len(v.KeepAlive) == 0 || len(cells) != 2 {
				t.Fatalf("%d savings, %d cells", len(v.KeepAlive), len(cells))
			}
			for i, c := range cells {
				of := []string{"sweep", "the simulator of the page"}[i]
				if !reflect.DeepEqual(c.KeepAlive, v.KeepAlive) {
					t.Errorf("%s: %+v\ncompare: %+v", of, c.KeepAlive, v.KeepAlive)
				}
				if apart, ok := v.Apart.Get(); !ok || c.Saves.Or(-1) != apart.Share.Value || c.Kept != v.With || c.Closed != v.Without || c.Best != v.Fastest {
					t.Errorf("%s: %v by %s against %s, fastest %s\ncompare: %+v, fastest %s", of, c.Saves, c.Kept, c.Closed, c.Best, v.Apart, v.Fastest)
				}
			}
			headline, _, _ := strings.Cut(v.Text, ". ")
			if !strings.Contains(html.UnescapeString(string(page)), headline) {
				t.Errorf("the page does not say %q", headline)
			}
		})
	}
}

func read(t *testing.T, name string, to any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// explored is what the simulator in a page predicts where no control was moved.
func explored(t *testing.T, page []byte) sweep.Cell {
	t.Helper()
	_, text, ok := bytes.Cut(page, []byte(`id="explore-scenario"`))
	_, text, ok2 := bytes.Cut(text, []byte(">"))
	text, _, ok3 := bytes.Cut(text, []byte("</script>"))
	if !ok || !ok2 || !ok3 {
		t.Fatal("the page has no simulator")
	}
	s, err := begin(text)
	if err != nil {
		t.Fatal(err)
	}
	for s.step() {
	}
	out, err := s.result()
	if err != nil {
		t.Fatal(err)
	}
	var c sweep.Cell
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}
