package html

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
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
	"linger/report/formats"
	"linger/report/text"
	"linger/report/words"
	"linger/trace"
)

// go test ./report/html -run Browser -shots DIR saves a picture of each part, in both
// colours, for who wants to look at them.
var shots = flag.String("shots", "", "save pictures of the HTML report in this folder")

// skip skips a test for want of something, or fails it under LINGER_TEST_ALL=1.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("LINGER_TEST_ALL") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// browser starts Chromium, and keeps what the page complains of and asks for.
type browser struct {
	ctx     context.Context
	started bool
	mu      sync.Mutex
	// complaints are messages of the console and of the browser about the page,
	// requests all URLs that were asked for.
	complaints, requests []string
}

func newBrowser(t *testing.T) *browser {
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
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b := &browser{}
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.heard))
	t.Cleanup(cancel)
	b.ctx = ctx
	do(t, b, log.Enable, cdp.Empty{})
	do(t, b, network.Enable, network.EnableParams{})
	return b
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
		b.mu.Lock()
		for _, c := range b.complaints {
			t.Errorf("%s: %s", name, c)
		}
		for _, r := range b.requests {
			if r != file {
				t.Errorf("%s asks for %s", name, r)
			}
		}
		b.complaints, b.requests = nil, nil
		b.mu.Unlock()
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
	var marks, missing int
	marks = eval[int](t, b, `document.querySelectorAll('svg [data-r]').length`)
	missing = eval[int](t, b, `[...document.querySelectorAll('svg [data-r]')].filter(m => !document.getElementById(m.dataset.r)).length`)
	if marks < 500 || missing > 0 {
		t.Errorf("%d of %d marks have no row of data", missing, marks)
	}
	var readout, row string
	b.run(t, chromedp.Focus(chromedp.CSS("#time .scroll")), chromedp.KeyEvent("\u0303"), chromedp.KeyEvent("\u0303")) // arrow right, twice
	readout = eval[string](t, b, `document.querySelector('#time .readout').textContent`)
	row = eval[string](t, b, `[...document.querySelectorAll('#time tbody tr')][1].cells[2].textContent`)
	if row == "" || !strings.Contains(readout, row) {
		t.Errorf("the second mark reads %q; its row has %q", readout, row)
	}
	b.run(t, chromedp.KeyEvent("\u001b"))
	readout = eval[string](t, b, `document.querySelector('#time .readout').textContent`)
	if strings.TrimSpace(readout) != "" {
		t.Errorf("after Escape it still reads %q", readout)
	}
	at := eval[struct{ X, Y float64 }](t, b, `(() => {const m = document.querySelector('figure[id^=lanes] rect.wait'); m.scrollIntoView({block: 'center', behavior: 'instant'}); const r = m.getBoundingClientRect(); return {X: r.x + r.width/2, Y: r.y + r.height/2}})()`)
	b.run(t, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at.X, at.Y))
	readout = eval[string](t, b, `document.querySelector('figure[id^=lanes] .readout').textContent`)
	if !strings.Contains(readout, "waiting, ms") && !strings.Contains(readout, "waiting ms") {
		t.Errorf("the pointer on waiting reads %q", readout)
	}
	// One scale for all: what is drawn shrinks by as much as its time is less.
	const widths = `[...document.querySelectorAll('.scaled')].map(g => g.getBoundingClientRect().width)`
	before := eval[[]float64](t, b, widths)
	scales := eval[[]float64](t, b, `[...document.querySelectorAll('.scaled')].map(g => +g.dataset.scale)`)
	eval[bool](t, b, `document.getElementById('common').click(); document.documentElement.classList.contains('same')`)
	after := eval[[]float64](t, b, widths)
	for i := range before {
		if got := after[i] / before[i]; math.Abs(got-scales[i]) > 0.005 || scales[i] <= 0 || scales[i] > 1 {
			t.Errorf("drawing %d shrinks to %v of what it was; its time is %v of the longest", i, got, scales[i])
		}
	}
}

// A barrier is what axe-core calls a violation.
type barrier struct {
	ID, Help string
	Nodes    []string
}

// axe-core finds nothing that keeps anybody from reading the page: neither at first,
// nor with everything opened, in both colours.
func TestBrowserFindsNoBarrier(t *testing.T) {
	axe := os.Getenv("LINGER_AXE")
	if axe == "" {
		skip(t, "no axe-core: npm install axe-core, and name axe.min.js in LINGER_AXE")
	}
	source, err := os.ReadFile(axe)
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	for name, in := range inputs(t) {
		b.open(t, render(t, in, Options{Version: "test", Command: "linger compare"}))
		eval[bool](t, b, string(source)+"; true")
		for _, theme := range []string{"light", "dark"} {
			for _, opened := range []bool{false, true} {
				b.prefers(t, theme)
				eval[bool](t, b, fmt.Sprintf(`document.querySelectorAll('details').forEach(d => d.open = %v); true`, opened))
				found := eval[[]barrier](t, b, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary)})))`)
				for _, v := range found {
					t.Errorf("%s, %s, opened %v: %s: %s: %+v", name, theme, opened, v.ID, v.Help, v.Nodes)
				}
			}
		}
	}
}

// Every figure of the page's tables is one of the text's, which is made of the
// JSON alone.
func TestBrowserFiguresAreThoseOfTheJSON(t *testing.T) {
	b := newBrowser(t)
	for name, in := range inputs(t) {
		b.open(t, render(t, in, Options{}))
		var j bytes.Buffer
		if err := formats.CompareJSON(&j, compare.Compare(in), "test"); err != nil {
			t.Fatal(err)
		}
		var f compare.Findings
		if err := json.Unmarshal(j.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		var printed bytes.Buffer
		if err := text.Compare(&printed, f, text.Options{Width: 400}); err != nil {
			t.Fatal(err)
		}
		said := strings.Fields(printed.String())
		rows := eval[[][]string](t, b, `[...document.querySelectorAll('main > section > .wide tbody tr:not(.group)')].map(r => [...r.cells].map(c => c.innerText.trim()))`)
		if len(rows) < len(f.Rows) {
			t.Errorf("%s: %d rows of %d strategies", name, len(rows), len(f.Rows))
		}
		for _, row := range rows {
			want := strings.Join(strings.Fields(strings.Join(row, " ")), " ")
			found := false
			for i := range said {
				line := strings.Join(said[i:min(len(said), i+40)], " ")
				if strings.HasPrefix(withoutBars(line), want+" ") {
					found = true
					break
				}
			}
			if !found {
				t.Errorf("%s: the page says %q, and the text nowhere", name, want)
			}
		}
		lead := eval[string](t, b, `document.querySelector('.lead').textContent`)
		if first := words.Verdict(f.Verdict).Lead; lead != first {
			t.Errorf("%s: the page begins with %q, the verdict with %q", name, lead, first)
		}
	}
}

var barOf = regexp.MustCompile(` [▏▎▍▌▋▊▉█]+`)

func withoutBars(s string) string { return barOf.ReplaceAllString(s, "") }

var pageOfPDF = regexp.MustCompile(`/Type\s*/Page\b`)

// Printed, it is light, and nothing is cut off.
func TestBrowserPrintsTheReport(t *testing.T) {
	b := newBrowser(t)
	b.open(t, render(t, inputs(t)["gallery"], Options{}))
	b.prefers(t, "dark")
	pdf := give(t, b, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
	if pages := len(pageOfPDF.FindAll(pdf, -1)); pages < 2 || pages > 20 {
		t.Errorf("%d pages", pages)
	}
	if *shots != "" {
		if err := os.WriteFile(filepath.Join(*shots, "print.pdf"), pdf, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	do(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	paper := eval[string](t, b, `getComputedStyle(document.body).backgroundColor`)
	if brightness(paper) < 200 {
		t.Errorf("the paper is %s", paper)
	}
}
