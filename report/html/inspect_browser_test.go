package html

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"linger/audit"
	"linger/audit/timeline"
	"linger/internal/results"
	"linger/internal/testall"
)

// inspected is the page of so many connections, made up.
func inspected(t testing.TB, connections int) []byte {
	t.Helper()
	var b bytes.Buffer
	r, drawn := results.Audit(connections)
	if err := Audit(&b, r, drawn, Options{Version: "test", Command: "linger inspect day.pcap -o day.html"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// audits are pages of few connections, of many, and of none.
func audits(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"inspect-few": inspected(t, 3), "inspect": inspected(t, 900), "inspect-long": inspected(t, 40_000)}
	var b bytes.Buffer
	if err := Audit(&b, &audit.Result{Format: audit.Format}, timeline.New().End(0), Options{}); err != nil {
		t.Fatal(err)
	}
	out["inspect-empty"] = b.Bytes()
	return out
}

// drawnLanes waits until the script has drawn.
const drawnLanes = `new Promise(done => { const look = () => document.documentElement.dataset.lanes ? done(+document.documentElement.dataset.lanes) : setTimeout(look, 5); look(); setTimeout(() => done(-1), 10000); })`

// painted is how many different colours a canvas has.
const painted = `(() => { const c = document.getElementById('lanes-canvas'), w = Object.assign(document.createElement('canvas'), {width: c.width, height: c.height}).getContext('2d', {willReadFrequently: true}); w.drawImage(c, 0, 0);
	const d = w.getImageData(0, 0, c.width, c.height).data, s = new Set(); for (let i = 0; i < d.length; i += 4) s.add(d[i] << 16 | d[i+1] << 8 | d[i+2]); return s.size; })()`

// In both colours, at each width, the page asks for nothing, complains of nothing, and nothing
// is wider than the window.
func TestBrowserShowsInspect(t *testing.T) {
	b := newBrowser(t)
	pages := audits(t)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		b.size(t, 1280, 800)
		file := b.open(t, pages[name])
		if name != "inspect-empty" {
			if took := eval[float64](t, b, drawnLanes); took < 0 {
				t.Fatalf("%s: nothing is drawn", name)
			}
		}
		for _, theme := range []string{"light", "dark"} {
			b.prefers(t, theme)
			for _, width := range []int64{1280, 400, 320} {
				b.size(t, width, 800)
				over := eval[int64](t, b, `new Promise(done => setTimeout(() => done(document.documentElement.scrollWidth - innerWidth), 300))`)
				if over > 0 {
					t.Errorf("%s: %d pixels too wide at %d", name, over, width)
				}
				if name != "inspect-empty" {
					if n := eval[int](t, b, painted); n < 5 {
						t.Errorf("%s, %s, %d: the drawing has %d colours", name, theme, width, n)
					}
				}
				b.picture(t, fmt.Sprintf("%s-%d", name, width), theme, "")
			}
		}
		b.quiet(t, name, file)
	}
}

// With keys alone a reader zooms, moves and goes from connection to connection; what is chosen is
// told, is a table, and stands in the address.
func TestBrowserInspectByKeys(t *testing.T) {
	b := newBrowser(t)
	file := b.open(t, inspected(t, 900))
	eval[float64](t, b, drawnLanes)
	window := func() string { return eval[string](t, b, wait+`document.getElementById('lanes-window').textContent)`) }
	const left, right, down, up, escape = "\u0302", "\u0303", "\u0301", "\u0304", "\u001b"
	whole := window()
	b.run(t, chromedp.Focus(chromedp.CSS("#lanes-box")), chromedp.KeyEvent("+"), chromedp.KeyEvent("+"), chromedp.KeyEvent("+"))
	near := window()
	b.run(t, chromedp.KeyEvent(right))
	if later := window(); whole == near || near == later {
		t.Errorf("it shows %q, closer %q, later %q", whole, near, later)
	}
	b.run(t, chromedp.KeyEvent(down), chromedp.KeyEvent(down))
	name := eval[string](t, b, wait+`document.getElementById('lanes-one-name').textContent)`)
	said := eval[string](t, b, `document.getElementById('said').textContent`)
	messages := eval[[]string](t, b, `[...document.querySelectorAll('#lanes-messages tr')].map(r => [...r.cells].map(c => c.textContent).join('|'))`)
	if !strings.HasPrefix(name, "tcp.stream ") || !strings.Contains(said, "Why opened: ") || len(messages) < 6 || messages[0] != "0|client|SYN" || messages[1] != "39 ms|server|SYN-ACK" {
		t.Errorf("%q is told as %q, with %q", name, said, messages)
	}
	if last := messages[len(messages)-1]; !strings.Contains(last, "FIN, frame ") {
		t.Errorf("it ends with %q", last)
	}
	for _, theme := range []string{"light", "dark"} {
		b.prefers(t, theme)
		for _, width := range []int64{1280, 400} {
			b.size(t, width, 800)
			eval[bool](t, b, wait+`true)`)
			b.picture(t, fmt.Sprintf("inspect-ladder-%d", width), theme, "connections")
		}
	}
	hash := eval[string](t, b, wait+`location.hash)`)
	b.run(t, chromedp.Navigate("about:blank"), chromedp.Navigate(file+hash), chromedp.WaitReady(chromedp.CSS("main")))
	eval[float64](t, b, drawnLanes)
	if again := eval[string](t, b, `document.getElementById('lanes-one-name').textContent`); again != name {
		t.Errorf("the address %s gives %q, and gave %q", hash, again, name)
	}
	b.run(t, chromedp.Focus(chromedp.CSS("#lanes-box")), chromedp.KeyEvent(escape), chromedp.KeyEvent("0"))
	if now := window(); now != whole || !eval[bool](t, b, `document.getElementById('lanes-one').hidden`) {
		t.Errorf("after Escape and 0 it shows %q; want %q", now, whole)
	}
	b.run(t, chromedp.KeyEvent(up), chromedp.KeyEvent(left))
	b.quiet(t, "inspect", file)
}

// wait begins a promise that is kept when what was asked for is drawn.
const wait = `new Promise(done => setTimeout(done, 800)).then(() => `

// Filters: a cause by its button, an origin, a text; those of the page's findings lead there.
func TestBrowserInspectFilters(t *testing.T) {
	b := newBrowser(t)
	for name, page := range map[string][]byte{"inspect": inspected(t, 900), "inspect-long": inspected(t, 40_000)} {
		file := b.open(t, page)
		eval[float64](t, b, drawnLanes)
		// What is drawn, when it is another than before, or after ten seconds.
		status := func(script string) string {
			return eval[string](t, b, `(async () => {
				const told = () => document.getElementById('lanes-status').textContent, before = told();
				`+script+`;
				for (let i = 0; i < 100 && told() === before; i++) await new Promise(done => setTimeout(done, 100));
				await new Promise(done => setTimeout(done, 400));
				return told();
			})()`)
		}
		all := eval[string](t, b, wait+`document.getElementById('lanes-status').textContent)`)
		none := status(`document.querySelectorAll('#lanes-legend button').forEach(b => b.click())`)
		if !strings.Contains(none, "In view: 0 connections") || all == none {
			t.Errorf("%s: without any cause: %q", name, none)
		}
		one := status(`document.querySelector('[data-cause=server-idle]').click()`)
		if pressed := eval[int](t, b, `document.querySelectorAll('#lanes-legend [aria-pressed=true]').length`); pressed != 1 || one == none {
			t.Errorf("%s: of a finding: %q, %d causes", name, one, pressed)
		}
		text := status(`(() => {const e = document.getElementById('lanes-text'); e.value = 'object-7 200'; e.dispatchEvent(new Event('input'))})()`)
		if text == one || strings.Contains(text, "In view: 0 ") {
			t.Errorf("%s: of a path: %q", name, text)
		}
		t.Log(all, "|", one, "|", text)
		b.quiet(t, name, file)
	}
}

// A capture of a million connections: the page has less than 2 MB, is drawn within 2 s, and moves
// without a stop.
func TestBrowserInspectAMillion(t *testing.T) {
	testall.Long(t, "a million connections are audited")
	b := newBrowser(t)
	page := inspected(t, 1_000_000)
	if len(page) >= 2_000_000 {
		t.Fatalf("the page has %d bytes", len(page))
	}
	b.size(t, 1280, 800)
	began := time.Now()
	b.open(t, page)
	script := eval[float64](t, b, drawnLanes)
	took := time.Since(began)
	loaded := eval[float64](t, b, `performance.getEntriesByType('navigation')[0].loadEventEnd`)
	frames := eval[[]float64](t, b, `new Promise(done => {
		const box = document.getElementById('lanes-box'), times = [];
		let n = 0, last = performance.now();
		const turn = () => {
			const now = performance.now();
			times.push(now - last);
			last = now;
			if (++n > 90) return done(times.sort((a, b) => a - b));
			box.dispatchEvent(new KeyboardEvent('keydown', {key: n < 10 ? '+' : n % 20 < 10 ? 'ArrowRight' : 'ArrowLeft'}));
			box.scrollTop = n * 3;
			requestAnimationFrame(turn);
		};
		requestAnimationFrame(turn);
	})`)
	t.Logf("%d bytes; load event after %.0f ms, decoded and drawn in %.0f ms, in all %v; frames: median %.1f ms, 95%% %.1f ms, longest %.1f ms",
		len(page), loaded, script, took, frames[len(frames)/2], frames[len(frames)*95/100], frames[len(frames)-1])
	if script < 0 {
		t.Error("nothing is drawn")
	}
	b.picture(t, "inspect-million", "light", "connections")
}

// Without a script the page says everything important, and draws connections over time.
func TestInspectNeedsNoScript(t *testing.T) {
	page := string(inspected(t, 900))
	for _, want := range []string{"the server closed after idling for 5.00 s", "keepalive_timeout", "Wireshark: tcp.stream in {", `id="over-time"`, `id="requests-drawn"`, `id="survival-drawn"`} {
		if !strings.Contains(page, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	for _, never := range []string{"<img", "token=secret", "\x1b"} {
		if strings.Contains(page, never) {
			t.Errorf("it holds %q", never)
		}
	}
}

// axe-core finds nothing that keeps anybody from reading the page, with a connection chosen.
func TestBrowserInspectHasNoBarrier(t *testing.T) {
	axe := axeCore(t)
	b := newBrowser(t)
	b.open(t, inspected(t, 30))
	eval[float64](t, b, drawnLanes)
	b.run(t, chromedp.Focus(chromedp.CSS("#lanes-box")), chromedp.KeyEvent("\u0301"))
	b.barriers(t, "inspect", axe)
}

// What is predicted has a control for each axis of the grid: each leads to the row of its setting.
func TestBrowserInspectWhatIf(t *testing.T) {
	b := newBrowser(t)
	file := b.open(t, inspected(t, 900))
	eval[float64](t, b, drawnLanes)
	set := func(script string) string {
		return eval[string](t, b, `(() => {const set = (id, v) => { const e = document.getElementById('what-if-' + id); typeof v === 'boolean' ? e.checked = v : e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); };`+script+`;
			return document.getElementById('what-if-name').textContent})()`)
	}
	for _, c := range []struct{ script, want string }{
		{`set('h2', false); set('idle', 0); set('connections', 0); set('order', 0)`, "--what-if order=mru"},
		{`set('order', 1)`, "--what-if order=lru"},
		{`set('idle', 4)`, "--what-if idle=60s,order=lru"},
		{`set('connections', 5)`, "--what-if idle=60s,connections=16,order=lru"},
		{`set('h2', true)`, "--what-if idle=60s,h2"},
	} {
		if got := set(c.script); got != c.want {
			t.Errorf("%s is %q; want %q", c.script, got, c.want)
		}
	}
	shown := eval[string](t, b, `document.querySelector('#what-if-figures dd').textContent`)
	if row := eval[string](t, b, `(() => {const r = [...document.querySelectorAll('[id^=what-if-row-]')].find(r => r.cells[0].textContent.trim() === 'idle=60s,h2'); return r.cells[1].textContent.trim() + ' instead of ' + r.cells[2].textContent.trim()})()`); shown != row {
		t.Errorf("it shows %q; its row says %q", shown, row)
	}
	hash := eval[string](t, b, `location.hash`)
	b.run(t, chromedp.Navigate("about:blank"), chromedp.Navigate(file+hash), chromedp.WaitReady(chromedp.CSS("main")))
	if again := eval[string](t, b, `document.getElementById('what-if-name').textContent`); again != "--what-if idle=60s,h2" {
		t.Errorf("the address %s gives %q", hash, again)
	}
	b.quiet(t, "inspect", file)
}
