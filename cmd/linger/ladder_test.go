package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"linger/internal/testall"
	"linger/ladder"
	"linger/trace"
)

// Where nothing overlaps, round trips counted one by one along the messages are those that
// come out of the times with and without delay: two figures that have nothing in common.
func TestLadderCountsTheRoundTripsOfTheTable(t *testing.T) {
	for _, test := range []struct {
		scheme, strategy string
		trips            int
	}{
		{"http", "close", 22}, {"http", "keep", 12}, {"https", "close", 33}, {"https", "close+resume", 33}, {"https", "keep", 13}, {"https", "h2", 4}, {"https", "h3", 3},
	} {
		out, errs, status := command(t, "compare", "objects:10x1000", "--scheme", test.scheme, "--on", "sim", "-s", test.strategy, "--ladder", "all")
		said := strings.Join(strings.Fields(out), " ")
		for _, want := range []string{fmt.Sprintf("%d round trips follow one from another", test.trips), fmt.Sprintf("table’s figure, %d, is", test.trips)} {
			if !strings.Contains(said, want) {
				t.Errorf("%s over %s: no %q, status %d, %s:\n%s", test.strategy, test.scheme, want, status, errs, out)
			}
		}
	}
}

// TestLadderIsWhatTsharkSees holds the messages of a fetch against the packets of the same
// one, as tshark counts them: flags, requests, packets with and without content.
func TestLadderIsWhatTsharkSees(t *testing.T) {
	needLab(t)
	tshark := program(t, "tshark", "tshark")
	fetches := [][]string{{"-s", "close:6", "--rtt", "20ms", "--loss", "1%"}, {"-s", "keep", "--rtt", "20ms"}, {"-s", "close", "--scheme", "https", "--rtt", "5ms"}}
	for _, args := range testall.Of(fetches, fetches[:1]) {
		dir := t.TempDir()
		capture, file := filepath.Join(dir, "run.pcapng"), filepath.Join(dir, "run.trace")
		if _, errs, status := command(t, append([]string{"get", "gallery", "--scheme", "http", "-o", capture, "-o", file}, args...)...); status != exitDone {
			t.Fatalf("%v: status %d: %s", args, status, errs)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		x, _, err := trace.ReadExperiment(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		l, ok := ladder.Of(x.Traces[0][0])
		if !ok || !l.Packets {
			t.Fatalf("%v: no messages of packets", args)
		}
		out, err := exec.Command(tshark, "-r", capture, "-T", "fields", "-e", "tcp.len", "-e", "tcp.flags.syn", "-e", "tcp.flags.fin", "-e", "tcp.flags.reset", "-e", "http.request.method", "-e", "frame.comment").Output()
		if err != nil {
			t.Fatal(err)
		}
		type sum struct{ syn, fin, rst, content, without, lost int64 }
		var seen sum
		requests := int64(0)
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			is := func(s string) int64 {
				if s == "1" || s == "True" {
					return 1
				}
				return 0
			}
			syn, fin, rst := is(f[1]), is(f[2]), is(f[3])
			seen.syn, seen.fin, seen.rst = seen.syn+syn, seen.fin+fin, seen.rst+rst
			if f[4] != "" {
				requests++
			}
			if f[0] == "0" && syn+fin+rst == 0 {
				seen.without++
				continue
			}
			seen.content++
			if f[5] != "" {
				seen.lost++
			}
		}
		got := sum{syn: l.Sum.SYN, fin: l.Sum.FIN, rst: l.Sum.RST, without: l.Acks}
		for _, m := range l.Messages {
			got.content, got.lost = got.content+m.Packets, got.lost+m.Lost
		}
		if got != seen {
			t.Errorf("%v: %+v, tshark sees %+v", args, got, seen)
		}
		if l.Sum.Requests != 41 || l.Sum.Responses != 41 || len(l.Connections) != len(x.Traces[0][0].Connections) || requests > 0 && requests < 41 {
			t.Errorf("%v: %d requests, %d responses over %d connections; tshark sees %d requests", args, l.Sum.Requests, l.Sum.Responses, len(l.Connections), requests)
		}
		t.Logf("%v: %d requests in %d messages: %+v", args, l.Sum.Requests, len(l.Messages), got)
	}
}

// A diagram has each message of the text.
func TestMermaidHasEachMessage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.mmd")
	out, errs, status := command(t, "compare", "textbook:3", "--on", "sim", "-s", "close,keep", "--ladder", "close", "--wide", "-o", file)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	drawn := len(regexp.MustCompile(`(?m)^    [CS]--?[>x]>?[CS]: `).FindAll(b, -1))
	if lines := strings.Count(out, "▶│") + strings.Count(out, "│◀"); drawn != lines || drawn == 0 {
		t.Errorf("%d messages in the diagram, %d in the text", drawn, lines)
	}
}
