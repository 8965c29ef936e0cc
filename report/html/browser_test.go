package html

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"linger/compare"
	"linger/compare/facts"
	"linger/internal/results"
	"linger/internal/testall"
	"linger/report"
	"linger/report/formats"
	"linger/report/html/draw"
	"linger/trace"
)

// go test ./report/html -run Browser -shots DIR saves a picture of each part, in both
// colours, for who wants to look at them.
var shots = flag.String("shots", "", "save pictures of the HTML report in this folder")

// skip skips a test for want of something, or fails it under LINGER_TEST_ALL=1.
var skip = testall.Lacks

// browser starts Chromium, and keeps what the page complains of and asks for.
type browser struct {
	ctx     context.Context
	end     func()
	started bool
	mu      sync.Mutex
	// complaints are messages of the console and of the browser about the page,
	// requests all URLs that were asked for.
	complaints, requests []string
}

// shared is the one browser of all tests: to start one takes longer than most of them.
var shared *browser

func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if shared != nil {
		shared.end()
	}
	if built != "" {
		os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(status)
}

// newBrowser returns the browser as if it had just been started.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	if shared == nil {
		shared = startBrowser(t)
	}
	b := shared
	b.mu.Lock()
	b.complaints, b.requests = nil, nil
	b.mu.Unlock()
	b.size(t, 1100, 900)
	do(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	return b
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		skip(t, "no Chromium here: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1100, 900))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses root with it
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	b := &browser{}
	ctx, closed := chromedp.NewContext(ctx, chromedp.WithListener(b.heard))
	b.end = func() { closed(); stop() }
	b.ctx = ctx
	do(t, b, log.Enable, cdp.Empty{})
	do(t, b, network.Enable, network.EnableParams{})
	return b
}

// size makes the window so many pixels wide and high.
func (b *browser) size(t *testing.T, width, height int64) {
	t.Helper()
	do(t, b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// quiet reports what the page complained of, and what it asked for but itself.
func (b *browser) quiet(t *testing.T, name, file string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		t.Errorf("%s: %s", name, c)
	}
	for _, r := range b.requests {
		if r, _, _ = strings.Cut(r, "#"); r != file {
			t.Errorf("%s asks for %s", name, r)
		}
	}
	b.complaints, b.requests = nil, nil
}

// heard takes in what the browser tells of the page.
func (b *browser) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		for _, a := range e.Args {
			b.complaints = append(b.complaints, "console: "+string(a.Value))
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// open shows a page from a file.
func (b *browser) open(t *testing.T, html []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(name, html, 0o600); err != nil {
		t.Fatal(err)
	}
	b.run(t, chromedp.Navigate("file://"+name), chromedp.WaitReady(chromedp.CSS("main")))
	return "file://" + name
}

func (b *browser) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	b.within(t, func(ctx context.Context) error { return chromedp.Do(ctx, actions...) })
}

// within bounds what the browser is waited for.
func (b *browser) within(t *testing.T, do func(context.Context) error) {
	t.Helper()
	// The first of all actions starts the browser, which ends with its context.
	if b.started {
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		if err := do(ctx); err != nil {
			t.Fatal(err)
		}
		return
	}
	b.started = true
	if err := do(b.ctx); err != nil {
		t.Fatal(err)
	}
}

// do sends a command of the protocol.
func do[P, R any](t *testing.T, b *browser, c cdp.Command[P, R], params P) {
	t.Helper()
	b.within(t, func(ctx context.Context) error { _, err := chromedp.Call(ctx, c, params); return err })
}

// give runs an action that has a result.
func give[T any](t *testing.T, b *browser, a chromedp.Action[T]) (out T) {
	t.Helper()
	b.within(t, func(ctx context.Context) (err error) { out, err = chromedp.Run(ctx, a); return err })
	return out
}

// eval returns what a line of script gives in the page.
func eval[T any](t *testing.T, b *browser, script string) T {
	t.Helper()
	return give(t, b, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// prefers makes the system want a colour.
func (b *browser) prefers(t *testing.T, theme string) {
	t.Helper()
	do(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
}

func render(t testing.TB, in trace.Experiment, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Compare(&b, compare.Compare(in), in, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The page asks for nothing, complains of nothing, and looks as it should in both
// colours.
func TestBrowserShowsTheReport(t *testing.T) {
	b := newBrowser(t)
	for name, in := range inputs(t) {
		file := b.open(t, render(t, in, Options{Version: "test", Command: "linger compare '<script>alert(1)</script>'"}))
		parts := eval[[]string](t, b, `[...document.querySelectorAll('section[id], figure')].map(e => e.id).filter(id => id && document.getElementById(id).offsetParent)`)
		for _, theme := range []string{"light", "dark"} {
			var paper, ink string
			b.prefers(t, theme)
			paper = eval[string](t, b, `getComputedStyle(document.body).backgroundColor`)
			ink = eval[string](t, b, `getComputedStyle(document.body).color`)
			if light := brightness(paper) > brightness(ink); light != (theme == "light") {
				t.Errorf("%s, %s: ink %s on paper %s", name, theme, ink, paper)
			}
			for _, part := range append(parts, "") {
				b.picture(t, name, theme, part)
			}
		}
		// The switch overrules what the system wants.
		b.run(t, chromedp.Click(chromedp.CSS(`label[for=theme-light]`)))
		paper := eval[string](t, b, `getComputedStyle(document.body).backgroundColor`)
		if brightness(paper) < 200 {
			t.Errorf("%s: light was chosen, and the paper is %s", name, paper)
		}
		b.quiet(t, name, file)
	}
}

// picture saves a part of the page where pictures are wanted.
func (b *browser) picture(t *testing.T, name, theme, part string) {
	t.Helper()
	if *shots == "" {
		return
	}
	picture := chromedp.FullScreenshot(100)
	if part != "" {
		picture = chromedp.Screenshot(chromedp.CSS("#" + part))
	}
	png := give(t, b, picture)
	if err := os.WriteFile(filepath.Join(*shots, strings.Join([]string{name, theme, part + ".png"}, "-")), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

var numbers = regexp.MustCompile(`\d+`)

// brightness is the mean of the colours of "rgb(R, G, B)".
func brightness(rgb string) (mean int) {
	var r, g, b int
	fmt.Sscan(strings.Join(numbers.FindAllString(rgb, 3), " "), &r, &g, &b)
	return (r + g + b) / 3
}

// What a pointer or a key finds in a chart is what its table says.
func TestBrowserReadsMarksByPointerAndKey(t *testing.T) {
	b := newBrowser(t)
	b.open(t, render(t, inputs(t)["gallery"], Options{}))
	marks := eval[int](t, b, `document.querySelectorAll('svg [data-r]').length`)
	missing := eval[int](t, b, `[...document.querySelectorAll('svg [data-r]')].filter(m => !document.getElementById(m.dataset.r)).length`)
	if marks < 500 || missing > 0 {
		t.Errorf("%d of %d marks have no row of data", missing, marks)
	}
	tip := func() string {
		return eval[string](t, b, `document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent`)
	}
	const right, down, escape = "\u0303", "\u0301", "\u001b"
	b.run(t, chromedp.Focus(chromedp.CSS("#time .plot")), chromedp.KeyEvent(right), chromedp.KeyEvent(right))
	row := eval[string](t, b, `[...document.querySelectorAll('#time tbody tr')][1].cells[2].textContent`)
	if got := tip(); row == "" || !strings.Contains(got, row) {
		t.Errorf("the second mark reads %q; its row has %q", got, row)
	}
	if said := eval[string](t, b, `document.getElementById('said').textContent`); !strings.Contains(said, row) {
		t.Errorf("who listens is told %q; the row has %q", said, row)
	}
	b.run(t, chromedp.KeyEvent(down))
	row = eval[string](t, b, `[...document.querySelectorAll('#time tbody tr')][5].cells[2].textContent`)
	if got := tip(); !strings.Contains(got, row) || !strings.Contains(got, "close:6") {
		t.Errorf("below is %q; the second strategy's first trial has %q", got, row)
	}
	b.run(t, chromedp.KeyEvent(escape))
	if got := tip(); got != "" {
		t.Errorf("after Escape it still reads %q", got)
	}
	at := eval[struct{ X, Y float64 }](t, b, `(async () => {const m = document.querySelector('figure[id^=lanes] rect.wait'); m.scrollIntoView({block: 'center', behavior: 'instant'}); await new Promise(done => setTimeout(done, 200)); const r = m.getBoundingClientRect(); return {X: r.x + r.width/2, Y: r.y + r.height/2}})()`)
	b.run(t, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at.X, at.Y))
	if got := tip(); !strings.Contains(got, "wait") {
		t.Errorf("the pointer on waiting reads %q", got)
	}
	near := eval[float64](t, b, fmt.Sprintf(`(() => {const r = document.getElementById('tip').getBoundingClientRect(); return Math.hypot(Math.max(r.left - %v, 0, %v - r.right), Math.max(r.top - %v, 0, %v - r.bottom))})()`, at.X, at.X, at.Y, at.Y))
	if near > 40 {
		t.Errorf("it stands %v px from the pointer", near)
	}
}

// Objects are named on their bars, and no name lies on another bar or name.
func TestBrowserNamesObjectsOnTheirBars(t *testing.T) {
	b := newBrowser(t)
	b.open(t, render(t, inputs(t)["gallery"], Options{}))
	eval[bool](t, b, `document.getElementById('waterfalls').scrollIntoView(); new Promise(done => setTimeout(() => done(true), 300))`)
	names := eval[[]string](t, b, `[...document.querySelectorAll('#lanes-0 .object')].map(e => e.textContent)`)
	if len(names) < 30 || !strings.HasSuffix(names[0], ".jpg") {
		t.Errorf("names are %v", names)
	}
	covered := eval[[]string](t, b, `[...document.querySelectorAll('.lanes .object:not(.within)')].filter(e => {
		const r = e.getBoundingClientRect();
		return [...e.closest('.strip').querySelectorAll('rect[data-r]:not(.idle)')].some(m => {const b = m.getBoundingClientRect(); return b.left < r.right - 2 && b.right > r.left + 1 && b.top < r.bottom - 4 && b.bottom > r.top + 4});
	}).map(e => e.textContent)`)
	if len(covered) > 0 {
		t.Errorf("on bars of others: %v", covered)
	}
}

// One scale for all at first: what is drawn is as wide as its share of the longest time. A
// switch gives each its own, and the address keeps that.
func TestBrowserDrawsWaterfallsOnOneScale(t *testing.T) {
	b := newBrowser(t)
	b.open(t, render(t, inputs(t)["gallery"], Options{}))
	const widths = `[...document.querySelectorAll('.scaled')].map(g => g.viewportElement.getBoundingClientRect().width && g.width.baseVal.value / g.viewportElement.getBoundingClientRect().width)`
	in := inputs(t)["gallery"]
	var want []float64
	longest := 0.0
	for _, i := range report.Order(compare.Compare(in).Rows) {
		want = append(want, facts.Typical(in)[i].Ended.Milliseconds())
		longest = max(longest, want[len(want)-1])
	}
	common := eval[[]float64](t, b, widths)
	if len(common) != len(want) {
		t.Fatalf("%d drawings of %d strategies", len(common), len(want))
	}
	for i := range want {
		if got := common[i]; math.Abs(got-want[i]/longest) > 0.002 {
			t.Errorf("drawing %d takes %v of the width; its time is %v of the longest", i, got, want[i]/longest)
		}
	}
	eval[bool](t, b, `document.getElementById('own').click(); true`)
	for i, got := range eval[[]float64](t, b, widths) {
		if math.Abs(got-1) > 0.002 {
			t.Errorf("on a scale of its own drawing %d takes %v of the width", i, got)
		}
	}
	if hash := eval[string](t, b, `location.hash`); hash != "#waterfalls?scale=own" {
		t.Errorf("the address has %q", hash)
	}
}

// A barrier is what axe-core calls a violation.
type barrier struct {
	ID, Help string
	Nodes    []string
}

// axeCore is the source of axe-core.
func axeCore(t *testing.T) string {
	t.Helper()
	axe := os.Getenv("LINGER_AXE")
	if axe == "" {
		skip(t, "no axe-core: npm install axe-core, and name axe.min.js in LINGER_AXE")
	}
	source, err := os.ReadFile(axe)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// axe-core finds nothing that keeps anybody from reading the page.
func TestBrowserFindsNoBarrier(t *testing.T) {
	axe := axeCore(t)
	b := newBrowser(t)
	all := inputs(t)
	// A few objects have each thing that many have: axe-core takes its time for every cell.
	all["gallery"], all["names"] = experiment(t, "close,close:6,keep,h3", 6, images), experiment(t, "udp,dot,dot+keep", 6, images)
	delete(all, "single")
	for name, in := range all {
		b.open(t, render(t, in, Options{Version: "test", Command: "linger compare", Model: &Model{Config: json.RawMessage(`{}`), Workload: "gallery", Trials: 5}}))
		b.barriers(t, name, axe)
	}
	o := Options{Version: "test", Command: "linger"}
	for name, write := range map[string]func(io.Writer) error{
		"networks": func(w io.Writer) error { return networksPage(w, o, "keep,h3", "3g", "lte") },
		"tuning":   func(w io.Writer) error { return Tuning(w, tuned(true), o) },
		"survey":   func(w io.Writer) error { return Survey(w, results.Servers(), o) },
		"crowd":    func(w io.Writer) error { return crowdPage(w, results.CrowdOfServers(), o) },
	} {
		var page bytes.Buffer
		if err := write(&page); err != nil {
			t.Fatal(err)
		}
		b.open(t, page.Bytes())
		b.barriers(t, name, axe)
	}
}

// barriers has axe-core look at the page: wide and light with all opened, then narrow and
// dark as it is at first.
func (b *browser) barriers(t *testing.T, name, axe string) {
	t.Helper()
	if axe == "" {
		return
	}
	eval[bool](t, b, axe+"; true")
	for _, look := range []struct {
		theme  string
		width  int64
		opened bool
	}{{"light", 1100, true}, {"dark", 360, false}} {
		b.prefers(t, look.theme)
		b.size(t, look.width, 900)
		eval[bool](t, b, fmt.Sprintf(`document.querySelectorAll('details').forEach(d => d.open = %v); true`, look.opened))
		for _, v := range eval[[]barrier](t, b, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary)})))`) {
			t.Errorf("%s, %+v: %s: %s: %+v", name, look, v.ID, v.Help, v.Nodes)
		}
	}
}

// Every figure of the page's table is one of the JSON.
func TestBrowserFiguresAreThoseOfTheJSON(t *testing.T) {
	b := newBrowser(t)
	for name, in := range inputs(t) {
		b.open(t, render(t, in, Options{}))
		var j bytes.Buffer
		if err := formats.CompareJSON(&j, compare.Compare(in), nil, "test"); err != nil {
			t.Fatal(err)
		}
		var f compare.Findings
		if err := json.Unmarshal(j.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		shown := eval[[][]string](t, b, `[...document.querySelectorAll('#figures tbody tr:not(.group)')].map(r => [...r.cells].map(c => c.textContent))`)
		want := draw.TableOf(joined(report.Figures(f))).Rows
		if len(shown) != len(want) || len(want) != len(f.Rows) {
			t.Errorf("%s: %d rows, not %d, of %d strategies", name, len(shown), len(want), len(f.Rows))
			continue
		}
		for i, row := range want {
			for k, cell := range row.Cells {
				text := cell.Text
				if cell.Uncertainty != "" {
					text += " ± " + cell.Uncertainty
				}
				if shown[i][k] != text {
					t.Errorf("%s, row %d, column %d: the page says %q, the JSON %q", name, i, k, shown[i][k], text)
				}
			}
		}
	}
}

var pageOfPDF = regexp.MustCompile(`/Type\s*/Page\b`)

// Printed, it is light, and nothing is cut off.
func TestBrowserPrintsTheReport(t *testing.T) {
	testall.Long(t, "seconds of a browser")
	b := newBrowser(t)
	b.open(t, render(t, inputs(t)["gallery"], Options{}))
	b.prefers(t, "dark")
	pdf := give(t, b, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
	if pages := len(pageOfPDF.FindAll(pdf, -1)); pages < 2 || pages > 30 {
		t.Errorf("%d pages", pages)
	}
	if *shots != "" {
		if err := os.WriteFile(filepath.Join(*shots, "print.pdf"), pdf, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	do(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	b.size(t, 718, 1000) // A4 at 96 dpi, less Chromium's margins of 1 cm
	if paper := eval[string](t, b, `getComputedStyle(document.body).backgroundColor`); brightness(paper) < 200 {
		t.Errorf("the paper is %s", paper)
	}
	if over := eval[int](t, b, `Math.round(Math.max(...[...document.querySelectorAll('main *')].filter(e => e.getClientRects().length && !e.closest('.unseen, caption, svg')).map(e => e.getBoundingClientRect().right)) - innerWidth)`); over > 1 {
		t.Errorf("%d pixels are cut off", over)
	}
	b.picture(t, "print", "paper", "")
}
