package text

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/sweep"
	"linger/conformance"
	"linger/internal/results"
	"linger/report/terminal"
)

func TestProbeIsLaidOut(t *testing.T) {
	for name, o := range map[string]terminal.Screen{"probe": {}, "probe-60": {Width: 60}, "probe-color": {Color: true}} {
		for _, verbose := range []bool{false, true} {
			var b bytes.Buffer
			if err := Probe(&b, results.Server(), verbose, Options{Screen: o}); err != nil {
				t.Fatal(err)
			}
			if verbose {
				for _, c := range results.Server().Cases {
					if !strings.Contains(b.String(), c.ID) {
						t.Errorf("%s, verbose, leaves out %s", name, c.ID)
					}
				}
				continue
			}
			narrow(t, name, b.String(), o)
			results.Golden(t, name, b.String())
		}
	}
	var b bytes.Buffer
	if err := Survey(&b, results.Servers(), Options{}); err != nil {
		t.Fatal(err)
	}
	narrow(t, "survey", b.String(), terminal.Screen{})
	results.Golden(t, "survey", b.String())
	b.Reset()
	if err := Cases(&b, conformance.Cases(), Options{Screen: terminal.Screen{Width: 60}}); err != nil {
		t.Fatal(err)
	}
	narrow(t, "cases", b.String(), terminal.Screen{Width: 60})
}

// narrow holds text to the width that there is, and to escapes only where wanted.
func narrow(t *testing.T, name, text string, o terminal.Screen) {
	t.Helper()
	bare := text
	for _, st := range []terminal.Style{terminal.Bold, terminal.Faint, terminal.Green, terminal.Red, terminal.Yellow} {
		bare = strings.ReplaceAll(bare, "\x1b["+string(st)+"m", "")
	}
	bare = strings.ReplaceAll(bare, "\x1b[0m", "")
	if strings.Contains(bare, "\x1b") || !o.Color && bare != text {
		t.Errorf("%s has escapes that it should not have", name)
	}
	for line := range strings.SplitSeq(bare, "\n") {
		if terminal.Width(line) > o.Columns() {
			t.Errorf("%s: %d columns of %d: %s", name, terminal.Width(line), o.Columns(), line)
		}
	}
}

// The colours say nothing that the words do not.
func TestProbeNeedsNoColour(t *testing.T) {
	var with, without bytes.Buffer
	Probe(&with, results.Server(), true, Options{Screen: terminal.Screen{Color: true}})
	Probe(&without, results.Server(), true, Options{})
	bare := with.String()
	for _, st := range []terminal.Style{terminal.Bold, terminal.Faint, terminal.Green, terminal.Red, terminal.Yellow} {
		bare = strings.ReplaceAll(bare, "\x1b["+string(st)+"m", "")
	}
	if bare = strings.ReplaceAll(bare, "\x1b[0m", ""); bare != without.String() {
		t.Error("the text differs by more than colour")
	}
}

// What is drawn of a probe, a sweep and of reading fits, and says what is under way.
func TestWhatRunsIsSaid(t *testing.T) {
	network, err := linger.ParseNetwork("lte")
	if err != nil {
		t.Fatal(err)
	}
	network.Loss = 0.01
	drawn := func(o Options, rows int) map[string][]string {
		return map[string][]string{
			"waiting for an answer; 5 connections open, 143 requests sent so far. Not done yet: 9 experiments. It takes 63 s more at most.": Probing{
				Title: "http://example.org/: how it treats connections", Unit: "experiment", Done: 3, Total: 12, Waiting: "waiting for an answer",
				Connections: 5, Requests: 143, Elapsed: 12 * time.Second, AtMost: 63 * time.Second}.Lines(o, rows),
			"Under way: RTT 70 ms, 12 Mbit/s down, 1 % lost. Still to come: 90 networks.": Sweeping(sweep.Sweep{}, network,
				Run{Unit: "network", Done: 10, Total: 100, Elapsed: time.Second, Remaining: 9 * time.Second}, o, rows),
			"Reading: 30.0 MB so far, 1000 frames, 10 MB/s.": Files{Title: "a.pcapng", Taken: 30e6, Size: 60e6, Frames: 1000, Elapsed: 3 * time.Second}.Lines(o, rows),
		}
	}
	for want, lines := range drawn(Options{}, 24) {
		if text := strings.Join(lines, " "); !strings.Contains(text, want) {
			t.Errorf("%q is not said: %q", want, lines)
		}
	}
	for columns := 1; columns < 120; columns++ {
		for want, lines := range drawn(Options{Screen: terminal.Screen{Width: columns}}, 5) {
			if len(lines) > 5 {
				t.Errorf("%d lines of %q", len(lines), want)
			}
			for _, line := range lines {
				if terminal.Width(line) > columns {
					t.Errorf("%d columns of %d: %q", terminal.Width(line), columns, line)
				}
			}
		}
	}
}
