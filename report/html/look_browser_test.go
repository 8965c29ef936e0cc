package html

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"linger"
	"linger/assert"
	"linger/compare"
	"linger/compare/across"
	"linger/compare/crowd"
	"linger/compare/difference"
	"linger/internal/results"
	"linger/internal/testall"
	made "linger/internal/textbook"
	"linger/report"
	"linger/trace"
)

// pages are one of each kind, and those of inputs.
func pages(t *testing.T) map[string][]byte {
	t.Helper()
	model := &Model{Config: json.RawMessage(`{}`), Workload: "gallery", Trials: 5}
	o := Options{Version: "test", Command: "linger compare", Model: model, Limits: []report.Limit{{What: "Jitter", Text: "none"}}}
	out := map[string][]byte{}
	all := inputs(t)
	for name, in := range all {
		in.Machine = trace.Machine{System: "Linux 6.18", CPU: "Some CPU", Cores: 2}
		out[name] = render(t, in, o)
	}
	b := &bytes.Buffer{}
	page := func(name string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		out[name], b = b.Bytes(), &bytes.Buffer{}
	}
	server := results.Server()
	server.Asserted = []assert.Result{{Text: "idle>=60s", Truth: assert.Broken, Why: "idle is 5 s"}}
	page("probe", Probe(b, server, o))
	page("sweep", sweepPage(t, b, o, 8))
	page("networks", networksPage(b, o, "close,close:6,keep,h2,h3", "3g", "cable", "lte"))
	page("survey", Survey(b, results.Servers(), o))
	for name, r := range map[string]*crowd.Result{"crowd": results.Crowd(), "crowd-servers": results.CrowdOfServers()} {
		page(name, crowdPage(b, r, o))
	}
	page("tuning", Tuning(b, tuned(true), o))
	before, after := compare.Compare(all["gallery"]), compare.Compare(all["gallery"])
	after.Rows = after.Rows[1:]
	page("difference", Difference(b, difference.Of(before, after), o))
	return out
}

// networksPage is a comparison on several networks.
func networksPage(w io.Writer, o Options, list string, names ...string) error {
	inputs := made.Networks(list, 5, names...)
	var each []compare.Findings
	for _, in := range inputs {
		f := compare.Compare(in)
		f.Asserted = []assert.Result{{Text: `time["h2"]<1s`, Truth: assert.Broken, Why: `time["h2"] is 2 s`}}
		each = append(each, f)
	}
	return Networks(w, across.Of(each), inputs, each, o)
}

// sweepPage writes a map of so many rates and round-trip times, without loss and with it.
func sweepPage(t *testing.T, b *bytes.Buffer, o Options, steps int) error {
	t.Helper()
	strategies, err := linger.ParseStrategies("close,h2")
	if err != nil {
		t.Fatal(err)
	}
	g := results.Grid(t, "5ms..600ms", "1mbit..1gbit", steps, 0, 0.01)
	m, v, _ := results.Swept(t, g, true)
	return Sweep(b, m, v, linger.Gallery(1), strategies, g, o)
}

// The first drawing is on the first screen, and nothing is wider than the window, down to
// 320 pixels.
func TestBrowserShowsTheAnswerFirst(t *testing.T) {
	b := newBrowser(t)
	pages := pages(t)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		b.size(t, 1280, 800)
		b.open(t, pages[name])
		for _, window := range []struct{ width, height, within int64 }{{1280, 800, 400}, {400, 800, 500}, {320, 640, 0}} {
			b.size(t, window.width, window.height)
			if over := eval[int64](t, b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("%s: %d pixels too wide at %d", name, over, window.width)
			}
			first := eval[int64](t, b, `(() => {const s = document.querySelector('figure .plot svg, .joint table'); return s ? Math.round(s.getBoundingClientRect().top + scrollY) : 0})()`)
			if window.within > 0 && first > window.within {
				t.Errorf("%s: the first drawing begins at %d of %d × %d; want %d at most", name, first, window.width, window.height, window.within)
			}
			b.picture(t, fmt.Sprintf("%s-%d", name, window.width), "light", "")
		}
		title := eval[string](t, b, `document.title + ' | ' + document.querySelector('meta[name=description]').content`)
		if strings.HasPrefix(title, " ") || strings.Contains(title, "| |") || !strings.Contains(title, eval[string](t, b, `document.querySelector('h1').textContent.trim()`)) {
			t.Errorf("%s is called %q", name, title)
		}
	}
}

// contrasts gives each mark of the drawings, and each swatch, that stands out from the paper
// by less than 3 : 1 (WCAG 2.2, 1.4.11), and each letter in a cell of a map that does from the
// cell by less than 4.5 : 1. A map's cells are told apart by what is written in them.
const contrasts = `(() => {
	const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
	const light = colour => {
		canvas.fillStyle = '#f0f'; canvas.fillStyle = colour; canvas.clearRect(0, 0, 1, 1); canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
		if (a < 255) return null;
		const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
		return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
	};
	const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	const paper = light(getComputedStyle(document.body).backgroundColor), out = {};
	const look = (name, colours, ground, least) => {
		const best = Math.max(0, ...colours.map(light).filter(l => l !== null).map(l => ratio(l, ground)));
		if (best < least) out[name] = best.toFixed(2);
	};
	for (const m of document.querySelectorAll('svg [data-r]:not(.cell), svg .whisker:not(.halo), svg .median, svg .base')) {
		const s = getComputedStyle(m);
		look(m.tagName + '.' + m.getAttribute('class'), [s.fill, s.stroke].filter(c => c !== 'none'), paper, 3);
	}
	for (const e of document.querySelectorAll('.swatch')) {
		const s = getComputedStyle(e);
		look(e.className, [s.backgroundColor, s.outlineStyle === 'none' ? 'transparent' : s.outlineColor], paper, 3);
	}
	for (const e of document.querySelectorAll('.caveat, .broken')) look(e.className, [getComputedStyle(e).borderLeftColor], paper, 3);
	for (const c of document.querySelectorAll('.field')) {
		const cell = c.querySelector('.cell'), fill = light(getComputedStyle(cell).fill) ?? paper;
		for (const text of c.querySelectorAll('text')) look(cell.getAttribute('class') + ' ' + text.getAttribute('class'), [getComputedStyle(text).fill], fill, 4.5);
	}
	return out;
})()`

func TestBrowserDrawsWithContrast(t *testing.T) {
	testall.Long(t, "seconds of a browser")
	b := newBrowser(t)
	pages := pages(t)
	for _, name := range []string{"gallery", "names", "broken", "probe", "sweep", "difference", "tuning"} {
		b.open(t, pages[name])
		for _, theme := range []string{"light", "dark"} {
			b.prefers(t, theme)
			for mark, ratio := range eval[map[string]string](t, b, contrasts) {
				t.Errorf("%s, %s: %s stands out by %s : 1", name, theme, mark, ratio)
			}
			b.picture(t, name, theme, "")
		}
	}
}

// With keys alone everything is reached, each place is seen to be reached, and a cell of the
// map leads to the simulator, which is set to its network; the address says so to others.
func TestBrowserNeedsNoPointer(t *testing.T) {
	testall.Long(t, "seconds of a browser")
	b := newBrowser(t)
	var page bytes.Buffer
	if err := sweepPage(t, &page, Options{Command: "linger sweep", Model: &Model{Config: json.RawMessage(`{}`), Workload: "gallery", Trials: 5}}, 4); err != nil {
		t.Fatal(err)
	}
	file := b.open(t, page.Bytes())
	const tab, right, enter = "\t", "\u0303", "\r"
	reached := map[string]bool{}
	for range 40 {
		b.run(t, chromedp.KeyEvent(tab))
		at := eval[struct {
			Name string
			Seen bool
		}](t, b, `(() => {const e = document.activeElement, s = getComputedStyle(e), l = e.labels?.[0] && getComputedStyle(e.labels[0]);
			return {Name: e.id || e.getAttribute('href') || e.className || e.tagName, Seen: s.outlineStyle !== 'none' || l?.outlineStyle !== 'none' && !!l}})()`)
		reached[at.Name] = true
		if !at.Seen && at.Name != "BODY" { // behind the last one
			t.Errorf("nothing is seen of the focus on %s", at.Name)
		}
	}
	for _, want := range []string{"#maps", "#explore", "copy", "theme-auto", "third", "plot", "SUMMARY", "explore-rtt", "explore-run"} {
		if !reached[want] {
			t.Errorf("keys do not reach %s, but %v", want, slices.Sorted(maps.Keys(reached)))
		}
	}
	b.run(t, chromedp.Focus(chromedp.CSS("#map-0 .plot")), chromedp.KeyEvent(right), chromedp.KeyEvent(right), chromedp.KeyEvent(enter))
	cell := eval[[]string](t, b, `(() => {const row = document.getElementById(document.querySelectorAll('#map-0 [data-r]')[1].dataset.r); return [...row.cells].map(c => c.textContent)})()`)
	hash := eval[string](t, b, `new Promise(done => setTimeout(() => done(location.hash), 200))`)
	if !strings.HasPrefix(hash, "#explore?") {
		t.Fatalf("Enter on a cell leads to %q", hash)
	}
	const set = `['rtt', 'down', 'loss'].map(id => document.getElementById('explore-' + id + '-name').textContent)`
	now := eval[[]string](t, b, set)
	if now[0] != cell[1]+" ms" || now[1] != cell[0] {
		t.Errorf("the simulator is set to %v; the cell is %v", now, cell)
	}
	b.run(t, chromedp.Navigate("about:blank"), chromedp.Navigate(file+hash), chromedp.WaitReady(chromedp.CSS("main")))
	if again := eval[[]string](t, b, set); !slices.Equal(again, now) {
		t.Errorf("the address %s gives %v, and gave %v", hash, again, now)
	}
	// What is moved is in the address.
	moved := eval[string](t, b, `(() => {const e = document.getElementById('explore-rtt'); e.value = 0; e.dispatchEvent(new Event('input', {bubbles: true})); return location.hash})()`)
	if moved == hash || !strings.Contains(moved, "rtt=0") {
		t.Errorf("the address has %q after the control was moved", moved)
	}
}

// What fails is the headline of a probe.
func TestBrokenAssertionIsTheHeadline(t *testing.T) {
	page := string(pages(t)["probe"])
	if !strings.Contains(page, `>Assertion fails: idle&gt;=60s does not hold: idle is 5 s</h1>`) {
		t.Errorf("%s", page[strings.Index(page, "<h1"):strings.Index(page, "</h1>")])
	}
}

// Kernel, processor and version stand in the page.
func TestPageSaysWhatMeasured(t *testing.T) {
	page := string(pages(t)["gallery"])
	for _, want := range []string{"<dd>Linux 6.18</dd>", "<dd>Some CPU, 2 cores</dd>", "<dt>linger</dt><dd>test</dd>"} {
		if !strings.Contains(page, want) {
			t.Errorf("it lacks %s", want)
		}
	}
}
