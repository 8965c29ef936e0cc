package har_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"linger/browser"
	"linger/capture/har"
	"linger/internal/testall"
	"linger/trace"
)

// A recordedPage is a page on this machine's loopback, whose server counts what it serves.
type recordedPage struct {
	*httptest.Server
	mu    sync.Mutex
	names []string // of what was asked for
	bytes int64    // of bodies
	conns map[string]bool
}

// objects are those of the page, with their sizes; the script is asked for again each time.
var recordedObjects = map[string]int{"/s.css": 5000, "/1.gif": 9000, "/2.gif": 18000, "/3.gif": 27000, "/4.gif": 36000, "/a.js": 7000}

func newRecordedPage(t *testing.T) *recordedPage {
	t.Helper()
	c := &recordedPage{conns: map[string]bool{}}
	page := `<!doctype html><link rel=icon href="data:,"><link rel=stylesheet href=/s.css><img src=/1.gif><img src=/2.gif><img src=/3.gif><img src=/4.gif>` +
		`<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><script src=/a.js></script>`
	worker := `onfetch=e=>{if(e.request.url.endsWith("/1.gif"))e.respondWith(new Response("of the worker"))};oninstall=()=>skipWaiting();onactivate=e=>e.waitUntil(clients.claim())`
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		body := strings.Repeat(" ", recordedObjects[q.URL.Path])
		h.Set("Cache-Control", "max-age=3600")
		switch path := q.URL.Path; {
		case path == "/":
			h.Set("Cache-Control", "no-store")
			h.Set("Content-Type", "text/html")
			body = page
		case path == "/worker.js":
			h.Set("Content-Type", "text/javascript")
			body = worker
		case body == "": // what the DevTools ask for themselves
			http.NotFound(w, q)
			return
		case path == "/a.js":
			h.Set("Cache-Control", "no-cache")
			h.Set("Content-Type", "text/javascript")
			h.Set("ETag", `"1"`)
			if q.Header.Get("If-None-Match") != "" {
				body = ""
				w.WriteHeader(http.StatusNotModified)
			}
		case path == "/s.css":
			h.Set("Content-Type", "text/css")
		default:
			h.Set("Content-Type", "image/gif")
			body = "GIF89a" + body[6:]
		}
		n, _ := w.Write([]byte(body))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.names = append(c.names, q.URL.Path)
		c.bytes += int64(n)
		c.conns[q.RemoteAddr] = true
	}))
	t.Cleanup(c.Close)
	return c
}

// since returns what was served since the last call.
func (c *recordedPage) since() (requests, conns int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	requests, conns, bytes = len(c.names), len(c.conns), c.bytes
	c.names, c.conns, c.bytes = nil, map[string]bool{}, 0
	return requests, conns, bytes
}

// exported has the DevTools of a page export what they have recorded of its latest load, as
// "Export HAR" does, once that is n requests at least, all of them done.
const exported = `(async n => {
  const {NetworkLog} = await import("devtools://devtools/bundled/models/logs/logs.js");
  const HAR = await import("devtools://devtools/bundled/models/har/har.js");
  const requests = () => NetworkLog.NetworkLog.instance().requests();
  for (let i = 0; i < 200 && !(requests().length >= n && requests().every(r => r.finished)); i++)
    await new Promise(done => setTimeout(done, 50));
  return JSON.stringify({log: await HAR.Log.Log.build(requests(), {sanitize: true})});
})(%d)`

// attached waits until the DevTools listen to the page's network.
const attached = `(async () => {
  const SDK = await import("devtools://devtools/bundled/core/sdk/sdk.js");
  for (let i = 0; i < 200; i++) {
    if (SDK.TargetManager.TargetManager.instance().primaryPageTarget()?.model(SDK.NetworkManager.NetworkManager)) return true;
    await new Promise(done => setTimeout(done, 50));
  }
  return false;
})()`

// TestChromesOwnHAR has Chromium's DevTools export a page with its caches cold and warm, and
// with a service worker: what is read of that is what the server has counted.
func TestChromesOwnHAR(t *testing.T) {
	testall.Long(t, "a browser with its DevTools")
	path, err := browser.Find()
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	t.Parallel()
	server := newRecordedPage(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.Flag("auto-open-devtools-for-tabs", true))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses root with it
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	page, tools := pageAndTools(t, ctx)
	if ok, err := chromedp.Run(tools, chromedp.Evaluate[bool](attached, chromedp.EvalAwaitPromise)); err != nil || !ok {
		t.Fatalf("the DevTools do not listen: %v", err)
	}
	load := func() {
		t.Helper()
		if err := chromedp.Do(page, chromedp.Navigate(server.URL+"/")); err != nil {
			t.Fatal(err)
		}
	}
	export := func(n int) *trace.Trace {
		t.Helper()
		text, err := chromedp.Run(tools, chromedp.Evaluate[string](fmt.Sprintf(exported, n), chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		got, err := har.Read(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatalf("%v: %.2000s", err, text)
		}
		return got
	}
	const all = 7 // requests of a load, in whatever way they are answered
	for _, step := range []struct {
		what     string
		requests int
		then     string // in the page, after the load
	}{
		{"cold", 7, "0"},
		{"warm", 2, `navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready).then(() => 0)`},
		{"with a service worker", 2, "0"},
	} {
		server.since() // the worker's own script, too
		load()
		got := export(all)
		requests, conns, size := server.since()
		sent, used, body := 0, map[int64]bool{}, int64(0)
		for _, x := range got.Exchanges {
			if x.Attempts > 0 {
				sent++
				used[x.Connection] = true
				body += x.ResponseBody
			}
		}
		if requests != step.requests || sent != requests || body != size || len(used) != conns {
			t.Errorf("%s: read %d requests on %d connections with %d bytes; the server counted %d on %d with %d, and should %d: %+v",
				step.what, sent, len(used), body, requests, conns, size, step.requests, got.Exchanges)
		}
		if len(got.Exchanges) < all {
			t.Errorf("%s: %d exchanges of %d", step.what, len(got.Exchanges), all)
		}
		if _, err := chromedp.Run(page, chromedp.Evaluate[any](step.then, chromedp.EvalAwaitPromise)); err != nil {
			t.Fatal(err)
		}
	}
}

// playwright records two loads of a page, caches cold and then warm, as tests of web pages do.
const playwright = `
const [browser, url, to, root] = process.argv.slice(1);
(async () => {
  const b = await require("playwright-core").chromium.launch({executablePath: browser, args: root ? ["--no-sandbox"] : []});
  const c = await b.newContext({recordHar: {path: to, content: "omit"}});
  const page = await c.newPage();
  for (const _ of [1, 2]) await page.goto(url, {waitUntil: "networkidle"});
  await c.close();
  await b.close();
})();`

// TestPlaywrightsHAR has Playwright record a page twice: what is read of that is what the
// server has counted. Which connection an exchange was on, Playwright does not say.
func TestPlaywrightsHAR(t *testing.T) {
	testall.Long(t, "a browser and Playwright")
	path, err := browser.Find()
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	if err := exec.Command("node", "-e", `require("playwright-core")`).Run(); err != nil {
		testall.Lacks(t, "no Playwright here (npm install playwright-core@1, and NODE_PATH): %v", err)
	}
	t.Parallel()
	server := newRecordedPage(t)
	name := filepath.Join(t.TempDir(), "page.har")
	args := []string{"-e", playwright, "--", path, server.URL + "/", name}
	if os.Getuid() == 0 {
		args = append(args, "root") // it refuses root with its sandbox
	}
	if out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := har.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	requests, _, size := server.since()
	sent, local, body := 0, 0, int64(0)
	for _, x := range got.Exchanges {
		sent += x.Attempts
		local += 1 - x.Attempts
		body += x.ResponseBody
	}
	if requests != 9 || sent != requests || body != size || local != 5 {
		t.Errorf("read %d requests with %d bytes, and %d of caches; the server counted %d with %d, and should 9: %+v", sent, body, local, requests, size, got.Exchanges)
	}
}

// pageAndTools waits for the page that the browser begins with, and for its DevTools.
func pageAndTools(t *testing.T, ctx context.Context) (page, tools context.Context) {
	t.Helper()
	for ctx.Err() == nil {
		targets, err := chromedp.Targets(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range targets {
			of := &page
			switch {
			case one.Type != "page":
				continue
			case strings.HasPrefix(one.URL, "devtools://"):
				of = &tools
			}
			if *of == nil {
				attached, cancel := chromedp.NewContext(ctx, chromedp.WithTargetID(one.TargetID))
				t.Cleanup(cancel)
				*of = attached
			}
		}
		if page != nil && tools != nil {
			return page, tools
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no page, or no DevTools, have come up")
	return nil, nil
}
