package html

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"linger/conformance"
	"linger/internal/results"
	"linger/internal/testall"
	"linger/profile"
)

func probePage(t *testing.T, p *profile.Profile, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Probe(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Queries and users are no part of the page, unless they are wanted.
func TestProbePageHidesQueries(t *testing.T) {
	p := results.Server()
	p.Target = "https://me:word@example.org/a?key=secret"
	p.Cases[1].Text = "GET https://example.org/a?key=secret was answered twice"
	o := Options{Command: "linger probe https://example.org/a?key=secret"}
	if page := string(probePage(t, p, o)); strings.Contains(page, "secret") || strings.Contains(page, "word@") {
		t.Error("the page has the query or the user")
	}
	o.Queries = true
	if page := string(probePage(t, p, o)); !strings.Contains(page, "secret") {
		t.Error("the query is wanted and not there")
	}
}

// The page asks for nothing, complains of nothing, is light or dark as wanted, has no
// barrier that axe-core knows, and every mark a row of data.
func TestBrowserShowsTheProbe(t *testing.T) {
	b := newBrowser(t)
	nothing := &profile.Profile{Target: "http://127.0.0.1/", Protocols: []*profile.Protocol{{Name: "h2", Declined: true, Why: "not offered"}}, Cases: []profile.Result{{Case: conformance.CaseByID("close-honoured"), Outcome: profile.NotMeasured, Text: "no occasion"}}}
	source := ""
	if axe := os.Getenv("LINGER_AXE"); axe != "" {
		text, err := os.ReadFile(axe)
		if err != nil {
			t.Fatal(err)
		}
		source = string(text)
	} else if testall.Asked() {
		t.Error("no axe-core: npm install axe-core, and name axe.min.js in LINGER_AXE")
	}
	for name, p := range map[string]*profile.Profile{"probe": results.Server(), "probe-nothing": nothing} {
		file := b.open(t, probePage(t, p, Options{Version: "test", Command: "linger probe '<script>alert(1)</script>'"}))
		for _, theme := range []string{"light", "dark"} {
			b.prefers(t, theme)
			paper, ink := eval[string](t, b, `getComputedStyle(document.body).backgroundColor`), eval[string](t, b, `getComputedStyle(document.body).color`)
			if light := brightness(paper) > brightness(ink); light != (theme == "light") {
				t.Errorf("%s, %s: ink %s on paper %s", name, theme, ink, paper)
			}
			b.picture(t, name, theme, "")
		}
		b.barriers(t, name, source)
		if n := eval[int](t, b, `[...document.querySelectorAll('svg [data-r]')].filter(m => !document.getElementById(m.dataset.r)).length`); n > 0 {
			t.Errorf("%s: %d marks have no row of data", name, n)
		}
		b.quiet(t, name, file)
	}
}
