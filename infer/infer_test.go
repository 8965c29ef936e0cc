package infer

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/capture"
	"linger/trace"
)

// seen is an exchange that began and ended at some milliseconds.
func seen(url, contentType string, body int64, began, done float64) trace.Exchange {
	return trace.Exchange{
		Method: "GET", URL: url, ContentType: contentType, Status: 200, Attempts: 1, ResponseBody: body,
		Queued: linger.Instant(began * 1e6), Done: linger.Known(linger.Instant(done * 1e6)),
	}
}

func with(x trace.Exchange, change func(*trace.Exchange)) trace.Exchange {
	change(&x)
	return x
}

func TestWhoNamedWhom(t *testing.T) {
	method := func(m string) func(*trace.Exchange) { return func(x *trace.Exchange) { x.Method = m } }
	onPage := func(p string) func(*trace.Exchange) { return func(x *trace.Exchange) { x.Page = p } }
	redirect := func(to string) func(*trace.Exchange) {
		return func(x *trace.Exchange) { x.Status, x.Redirect = 302, to }
	}
	for _, c := range []struct {
		what string
		seen []trace.Exchange
		want string // the list format, a line each
	}{
		{"a document spreads what it names in order of time", []trace.Exchange{
			seen("http://a/", "text/html", 900, 0, 100),
			seen("http://a/3.png", "image/png", 1, 300, 310),
			seen("http://a/1.png", "image/png", 1, 50, 120),
			seen("http://a/2.png", "image/png", 1, 100, 120),
		}, "//a/ 900 - | //a/1.png 1 //a/ at=300 | //a/2.png 1 //a/ at=600 | //a/3.png 1 //a/"},
		{"a style sheet that is done names what follows", []trace.Exchange{
			seen("http://a/", "text/html", 900, 0, 100),
			seen("http://a/a.css", "text/css", 50, 101, 200),
			seen("http://a/a.js", "text/javascript", 60, 101, 300),
			seen("http://a/1.png", "image/png", 1, 199.5, 400), // within the slack
			seen("http://a/2.png", "image/png", 1, 301, 400),
			seen("http://a/3.png", "image/png", 1, 401, 500), // an image names nothing
		}, "//a/ 900 - | //a/a.css 50 //a/ at=450 | //a/a.js 60 //a/ | //a/1.png 1 //a/a.css | //a/2.png 1 //a/a.js | //a/3.png 1 //a/a.js"},
		{"a redirect leads to the document", []trace.Exchange{
			with(seen("http://a/", "", 0, 0, 50), redirect("http://b/#top")),
			seen("http://b/", "text/html", 900, 50, 100),
			seen("http://b/1.png", "image/png", 1, 101, 200),
		}, "//a/ 0 - status=302 type= | //b/ 900 //a/ | //b/1.png 1 //b/"},
		{"a request waits for its preflight", []trace.Exchange{
			seen("http://a/", "text/html", 900, 0, 100),
			with(with(seen("http://b/v1", "", 0, 150, 200), method("OPTIONS")), func(x *trace.Exchange) { x.Status = 204 }),
			with(seen("http://b/v1", "application/json", 5, 201, 210), method("PUT")),
			seen("http://b/v1", "application/json", 5, 220, 230),
		}, "//a/ 900 - | OPTIONS://b/v1 0 //a/ at=450 status=204 type= | PUT://b/v1 5 OPTIONS://b/v1 type=application/json | //b/v1 5 //a/ type=application/json"},
		{"what began before the document hangs on nothing", []trace.Exchange{
			seen("http://ocsp/", "application/ocsp-response", 5, 0, 10),
			seen("http://a/", "text/html", 900, 20, 100),
			seen("http://a/1.png", "image/png", 1, 101, 110),
		}, "//ocsp/ 5 - type=application/ocsp-response | //a/ 900 - | //a/1.png 1 //a/"},
		{"without HTML the first is the document", []trace.Exchange{
			seen("http://a/x", "application/json", 50, 0, 10),
			seen("http://a/y", "application/json", 60, 20, 30),
		}, "//a/x 50 - type=application/json | //a/y 60 //a/x type=application/json"},
		{"a document whose end is unknown names everything", []trace.Exchange{
			with(seen("http://a/", "text/html", 900, 0, 0), func(x *trace.Exchange) { x.Done = linger.Opt[linger.Instant]{} }),
			seen("http://a/1.png", "image/png", 1, 101, 110),
		}, "//a/ 900 - | //a/1.png 1 //a/"},
		{"pages follow each other", []trace.Exchange{
			with(seen("http://a/", "text/html", 900, 0, 100), onPage("1")),
			with(seen("http://a/1.png", "image/png", 7, 110, 300), onPage("1")),
			with(seen("http://a/1.js", "text/javascript", 8, 110, 200), onPage("1")),
			with(seen("http://a/", "text/html", 900, 1000, 1100), onPage("2")),
			with(seen("http://a/1.png", "image/png", 7, 1110, 1200), onPage("2")),
			seen("http://a/beacon", "", 0, 1300, 1400), // of no page: the latest
		}, "//a/ 900 - | //a/1.png 7 //a/ at=450 | //a/1.js 8 //a/ | //a/~2 900 //a/1.png type=text/html | " +
			"//a/1.png~2 7 //a/~2 at=450 type=image/png | //a/beacon 0 //a/~2 type="},
		{"what was not delivered is left out", []trace.Exchange{
			seen("http://a/", "text/html", 900, 0, 100),
			with(seen("http://a/cached", "image/png", 1, 101, 110), func(x *trace.Exchange) { x.Attempts = 0 }),
			with(seen("http://a/failed", "image/png", 1, 101, 110), func(x *trace.Exchange) { x.Failed = "reset" }),
			with(seen("ws://a/socket", "", 0, 101, 110), func(x *trace.Exchange) { x.Status = 101 }),
		}, "//a/ 900 -"},
		{"sizes come along", []trace.Exchange{
			with(seen("http://a/", "text/html", 900, 0, 100), func(x *trace.Exchange) {
				x.Method, x.RequestHead, x.RequestBody, x.ResponseHead = "POST", 400, 70, 1<<40
			}),
			with(seen("http://a/", "text/html", 900, 110, 120), func(x *trace.Exchange) { x.Status = 304 }),
		}, "POST://a/ 900 - body=70 head=262144 request-head=400 | //a/ 0 POST://a/ status=304"},
	} {
		w, _, err := Workload(&trace.Trace{Workload: "t", Engine: "har", Exchanges: c.seen})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if got := list(t, w); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

// list is w in the plain format without its comments, on one line.
func list(t *testing.T, w linger.Workload) string {
	t.Helper()
	var b bytes.Buffer
	if err := w.WriteList(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return l[0] == '#' }), " | ")
}

func TestPathsAreUniqueAndBounded(t *testing.T) {
	long := "http://a/" + strings.Repeat("x", 500)
	var all []trace.Exchange
	for i, url := range []string{
		"http://A", "http://a?b", "http://a/?b", "http://user:word@a/p#fragment", "http://a/a b\u00e4\"", "http://", "http:///p", "nonsense",
		long + "1", long + "2", long + "1", "http://a/~2", "http://a/", "http://a/", "http://a/\r\nX: y", "",
	} {
		all = append(all, seen(url, "", 1, float64(i), float64(i)))
	}
	w, _, err := Workload(&trace.Trace{Workload: "t", Exchanges: all})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range w.Exchanges {
		if len(e.Path) > maxPath+len("~20000") {
			t.Errorf("a path of %d bytes: %s", len(e.Path), e.Path)
		}
		got = append(got, e.Path[:min(len(e.Path), 40)])
	}
	want := []string{
		"/", "/?b", "/?b~2", "/p", "/a%20b%C3%A4%22", "/", "/p", "/",
		"/xxxxx", "/xxxxx", "/xxxxx", "/~2", "/~3", "/~4", "/%0D%0AX:%20y", "/~2",
	}
	for i := range want {
		if got[i] != want[i] && !(want[i] == "/xxxxx" && strings.HasPrefix(got[i], want[i])) {
			t.Errorf("%q becomes %s; want %s", all[i].URL, got[i], want[i])
		}
	}
}

func TestManyExchangesOfOneURL(t *testing.T) {
	all := make([]trace.Exchange, linger.MaxExchanges)
	for i := range all {
		all[i] = seen("http://a/", "text/html", 1, float64(i), float64(i))
	}
	w, _, err := Workload(&trace.Trace{Workload: "t", Exchanges: all})
	if err != nil || w.Exchanges[len(all)-1].Path != fmt.Sprintf("/~%d", len(all)) {
		t.Errorf("%d exchanges, %v", len(w.Exchanges), err)
	}
	_, _, err = Workload(&trace.Trace{Workload: "t", Exchanges: append(all, all[0])})
	if err == nil || !strings.Contains(err.Error(), "at most 20000") {
		t.Errorf("one too many: %v", err)
	}
}

func TestNotes(t *testing.T) {
	_, notes, err := Workload(&trace.Trace{
		Workload: "t", Notes: []string{"before"},
		Exchanges: []trace.Exchange{
			with(seen("https://a/", "text/html", 9, 0, 1), func(x *trace.Exchange) { x.Status, x.Page = 0, "1" }),
			with(seen("http://b/", "text/html", 9, 2, 3), func(x *trace.Exchange) { x.Page = "2" }),
			with(seen("http://b/c", "text/html", 9, 2, 3), func(x *trace.Exchange) { x.Attempts = 0 }),
			with(seen("http://b/f", "text/html", 9, 2, 3), func(x *trace.Exchange) { x.Failed = "reset" }),
			with(seen("http://b/g", "text/html", 9, 2, 3), func(x *trace.Exchange) { x.Failed = "reset" }),
		},
	})
	want := []string{
		"before",
		"left out, since from a cache or never sent: 1 exchange",
		"left out, since failed or without a final status: 2 exchanges",
		"taken for delivered with status 200, since there is content but no status: 1 exchange",
		"fetched without TLS, though it went over https: 1 exchange",
		"fetched one after the other, without a pause: 2 pages",
		"no handshake was timed: all origins taken for equally far, their servers for needing no time",
	}
	if err != nil || !slices.Equal(notes, want) {
		t.Errorf("%v\n%q\nwant\n%q", err, notes, want)
	}
	if _, _, err := Workload(&trace.Trace{}); err == nil || !strings.Contains(err.Error(), "no exchange") {
		t.Errorf("an empty trace: %v", err)
	}
}

// fetchable reads every body of a workload, and its list.
func fetchable(t *testing.T, w linger.Workload) {
	t.Helper()
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	for i, e := range w.Exchanges {
		if n, err := io.Copy(io.Discard, w.Body(i)); err != nil || n != e.ResponseBody {
			t.Errorf("%s: %d bytes, %v; want %d", e.Path, n, err, e.ResponseBody)
		}
	}
	var b bytes.Buffer
	if err := w.WriteList(&b); err != nil {
		t.Fatal(err)
	}
	again, err := linger.ParseList(w.Name, &b)
	if err != nil || !slices.Equal(w.Exchanges, again.Exchanges) || !slices.Equal(w.Origins, again.Origins) {
		t.Errorf("%s does not survive its list: %v", w.Name, err)
	}
}

func TestRecordings(t *testing.T) {
	// Entries that crossed the network, by their own counts: 3 of github.com's 20
	// came from the cache.
	want := map[string]int{
		"browsertime_sitespeed.io.har": 27, "chrome_github.com_home.har": 17, "firefox_www.nghttp2.org.har": 10, "wpt_h2_www.nghttp2.org.har": 20,
	}
	files, err := filepath.Glob("../../shared/data/har/*.har")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no recordings beside the checkout")
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		observed, err := capture.HAR(f)
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w, notes, err := Workload(observed)
		if err != nil || len(notes) == 0 {
			t.Errorf("%s: %v, %q", name, err, notes)
			continue
		}
		fetchable(t, w)
		if n, ok := want[filepath.Base(name)]; ok && len(w.Exchanges) != n {
			t.Errorf("%s: %d exchanges; want %d", name, len(w.Exchanges), n)
		}
	}
}

func FuzzHARWorkload(f *testing.F) {
	for _, name := range []string{"devtools", "quirks"} {
		b, err := os.ReadFile("../capture/testdata/" + name + ".har")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		observed, err := capture.HAR(bytes.NewReader(b))
		if err != nil {
			return
		}
		w, _, err := Workload(observed)
		if err != nil {
			return
		}
		if w.Bytes() < 1<<20 {
			fetchable(t, w)
		}
	})
}
