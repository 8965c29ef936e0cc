package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"linger/audit"
)

// reportOf inspects a file. What it returns is what every source of one traffic has to agree on:
// connections, those that were opened, requests, reuse, and why.
func reportOf(t *testing.T, file string) (string, *audit.Result) {
	t.Helper()
	out, errs, status := command(t, "inspect", file, "--json")
	if status != exitDone {
		t.Fatalf("%s: status %d, %s", file, status, errs)
	}
	var r audit.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%d connections, %d opened, %d requests, reuse %.4f", r.Connections, r.Opened, r.Exchanges, r.Reuse.Or(-1))
	for _, c := range r.Causes {
		text += fmt.Sprintf(", %s %d", c.Cause, c.Connections)
	}
	return text, &r
}

// TestSources holds what a HAR, a qlog and a trace come to against the capture of the same load, by
// our own client and by Chromium.
func TestSources(t *testing.T) {
	needLab(t)
	for _, c := range []struct {
		strategy, scheme string
		sources          map[string]string // endings, and what the report calls them
	}{
		{"h3", "https", map[string]string{".har": "har", ".0.qlog": "qlog", ".trace": "lab"}},
		{"keep:6", "http", map[string]string{".har": "har", ".trace": "lab"}},
	} {
		run := filepath.Join(t.TempDir(), "run")
		args := []string{"get", "gallery", "-s", c.strategy, "--scheme", c.scheme, "--rtt", "20ms", "-o", run + ".pcapng", "-o", run + ".har", "-o", run + ".trace"}
		if c.strategy == "h3" {
			args = append(args, "-o", run+".qlog")
		}
		if _, errs, status := command(t, args...); status != exitDone {
			t.Fatalf("status %d, %s", status, errs)
		}
		want, _ := reportOf(t, run+".pcapng")
		for ending, source := range c.sources {
			if got, r := reportOf(t, run+ending); got != want || r.Source != source {
				t.Errorf("%s %s: %s; of the capture %s; source %s", c.strategy, ending, got, want, r.Source)
			}
		}
	}
}

// TestBrowsersHAR holds Chromium's HAR against the packets. When a response had come, it and the
// packets see at different times, by as much as the machine is late: causes are not compared.
func TestBrowsersHAR(t *testing.T) {
	needBrowser(t)
	for strategy, scheme := range map[string]string{"keep:6": "http", "h2": "https", "h3": "https"} {
		run := filepath.Join(t.TempDir(), "run")
		if _, errs, status := command(t, "get", "gallery", "--client", "chromium", "-s", strategy, "--scheme", scheme, "--rtt", "20ms", "-o", run+".pcapng", "-o", run+".har"); status != exitDone {
			t.Fatalf("%s: status %d, %s", strategy, status, errs)
		}
		want, packets := reportOf(t, run+".pcapng")
		got, r := reportOf(t, run+".har")
		if r.Connections != packets.Connections || r.Opened != packets.Opened || r.Exchanges != packets.Exchanges || r.Reuse != packets.Reuse {
			t.Errorf("%s: %s; of the capture %s", strategy, got, want)
		}
	}
}
