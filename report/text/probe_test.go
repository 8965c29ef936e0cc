package text

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"linger/conformance"
	"linger/internal/results"
)

func TestProbeIsLaidOut(t *testing.T) {
	for name, o := range map[string]Options{"probe": {}, "probe-60": {Width: 60}, "probe-color": {Color: true}} {
		for _, verbose := range []bool{false, true} {
			var b bytes.Buffer
			if err := Probe(&b, results.Server(), verbose, o); err != nil {
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
	narrow(t, "survey", b.String(), Options{})
	results.Golden(t, "survey", b.String())
	b.Reset()
	if err := Cases(&b, conformance.Cases(), Options{Width: 60}); err != nil {
		t.Fatal(err)
	}
	narrow(t, "cases", b.String(), Options{Width: 60})
}

// narrow holds text to the width that there is, and to escapes only where wanted.
func narrow(t *testing.T, name, text string, o Options) {
	t.Helper()
	bare := text
	for _, st := range []style{bold, faint, green, red, yellow} {
		bare = strings.ReplaceAll(bare, "\x1b["+string(st)+"m", "")
	}
	bare = strings.ReplaceAll(bare, "\x1b[0m", "")
	if strings.Contains(bare, "\x1b") || !o.Color && bare != text {
		t.Errorf("%s has escapes that it should not have", name)
	}
	for line := range strings.SplitSeq(bare, "\n") {
		if width(line) > o.width() {
			t.Errorf("%s: %d columns of %d: %s", name, width(line), o.width(), line)
		}
	}
}

// The colours say nothing that the words do not.
func TestProbeNeedsNoColour(t *testing.T) {
	var with, without bytes.Buffer
	Probe(&with, results.Server(), true, Options{Color: true})
	Probe(&without, results.Server(), true, Options{})
	bare := with.String()
	for _, st := range []style{bold, faint, green, red, yellow} {
		bare = strings.ReplaceAll(bare, "\x1b["+string(st)+"m", "")
	}
	if bare = strings.ReplaceAll(bare, "\x1b[0m", ""); bare != without.String() {
		t.Error("the text differs by more than colour")
	}
}

func TestProbeProgressFitsOnALine(t *testing.T) {
	for columns := 1; columns < 120; columns++ {
		line := ProbeProgress(3, 12, "waiting for connections to be ended", 12*time.Second, 63*time.Second, Options{Width: columns})
		if width(line) >= columns {
			t.Errorf("%d columns of %d: %q", width(line), columns, line)
		}
	}
}
