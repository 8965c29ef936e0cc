package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"linger/internal/testall"
)

// TestTsharkDecrypts holds the requests on each connection of the trace against
// what tshark reads in the capture, with nothing but the capture.
func TestTsharkDecrypts(t *testing.T) {
	needLab(t)
	t.Parallel()
	tshark := program(t, "tshark", "tshark")
	for _, row := range []struct{ strategy, filter, stream string }{
		{"close:6", "http.request", "tcp.stream"},
		{"keep", "http.request", "tcp.stream"},
		{"h2", "http2.headers.method", "tcp.stream"},
	} {
		t.Run(row.strategy, func(t *testing.T) {
			if row.strategy != "h2" {
				testall.Long(t, "tshark as often")
			}
			t.Parallel()
			one, capture := captured(t, row.strategy, "--rtt", "10ms")
			wanted := map[string]int{}
			for _, c := range one.Connections {
				wanted[c.Client[strings.LastIndexByte(c.Client, ':')+1:]] = c.Requests
			}
			// One line a packet, with as many methods as it has requests.
			field := strings.Replace(row.filter, "http.request", "http.request.method", 1)
			out, err := exec.Command(tshark, "-r", capture, "-Y", row.filter, "-T", "fields", "-e", "tcp.srcport", "-e", field).Output()
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]int{}
			for line := range strings.Lines(string(out)) {
				port, methods, _ := strings.Cut(strings.TrimSpace(line), "\t")
				seen[port] += len(strings.Split(methods, ","))
			}
			if fmt.Sprint(seen) != fmt.Sprint(wanted) {
				t.Errorf("tshark reads requests %v by the client's port, the trace %v", seen, wanted)
			}
		})
	}
}

// TestQlog sees that a run over HTTP/3 leaves a qlog for each connection.
func TestQlog(t *testing.T) {
	needLab(t)
	t.Parallel()
	dir := t.TempDir()
	_, errs, status := command(t, "get", "textbook:3", "--scheme", "https", "-s", "h3:2", "--rtt", "5ms", "-o", filepath.Join(dir, "run.qlog"))
	if status != exitDone {
		t.Fatalf("status %d: %s", status, errs)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "run.*.qlog"))
	if len(logs) == 0 || len(logs) > 2 {
		t.Fatalf("%d qlogs: %v", len(logs), logs)
	}
	for _, name := range logs {
		b, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(b), "qlog") {
			t.Errorf("%s: %v, %.60q", name, err, b)
		}
	}
}
