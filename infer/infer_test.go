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
	"time"

	"linger"
	"linger/capture/har"
	"linger/content"
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
		"left out, since answered without the network (a cache, a service worker), or never sent: 1 exchange",
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
		if n, err := io.Copy(io.Discard, content.Body(w, i)); err != nil || n != e.ResponseBody {
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
		observed, err := har.Read(f)
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
		b, err := os.ReadFile("../capture/har/testdata/" + name + ".har")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		observed, err := har.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		w, _, err := Workload(observed)
		if err != nil {
			if !strings.Contains(err.Error(), "no exchange of the trace") {
				t.Fatal(err) // whatever was read can be fetched
			}
			return
		}
		if w.Bytes() < 1<<20 {
			fetchable(t, w)
		}
	})
}

// onConnection is an exchange with its instants, in milliseconds, on a connection.
func onConnection(x trace.Exchange, connection int64, sent, first float64) trace.Exchange {
	x.Connection = connection
	x.Sent, x.FirstByte = linger.Known(linger.Instant(sent*1e6)), linger.Known(linger.Instant(first*1e6))
	return x
}

// opened is a connection whose handshakes ended at some milliseconds; 0 is unknown.
func opened(id int, protocol linger.Protocol, dialled, established, connected, secured float64) trace.Connection {
	at := func(ms float64) (o linger.Opt[linger.Instant]) {
		if ms > 0 {
			o = linger.Known(linger.Instant(ms * 1e6))
		}
		return o
	}
	return trace.Connection{ID: int64(id), Protocol: protocol, Dialled: linger.Instant(dialled * 1e6),
		Established: at(established), Connected: at(connected), Secured: at(secured)}
}

func TestDistancesAndDelays(t *testing.T) {
	w, notes, err := Workload(&trace.Trace{
		Workload: "t",
		Connections: []trace.Connection{
			opened(0, "h2", 0, 50, 120, 120),        // 50 ms of TCP
			opened(1, "http/1.1", 130, 0, 270, 0),   // 140 ms of TCP and TLS: no more than 70
			opened(2, "h3", 130, 0, 160, 160),       // 30 ms of QUIC: the nearest
			opened(3, "http/1.1", 130, 190, 260, 0), // again to the first host: 60 ms
			opened(4, "h2", 130, 0, 190, 190),       // TCP's part was not seen
		},
		Exchanges: []trace.Exchange{
			onConnection(seen("https://a/", "text/html", 900, 0, 400), 0, 120, 200),            // 80 less 50
			onConnection(seen("https://b/1.png", "image/png", 1, 125, 350), 1, 270, 330),       // 60: less than half of both
			onConnection(seen("https://c/2.png", "image/png", 1, 126, 250), 2, 160, 235),       // 75 less 30
			onConnection(seen("https://a/3.png", "image/png", 1, 127, 450), 0, 210, 420),       // 210 less 50, less 190 of the page
			onConnection(seen("https://a/4.png", "image/png", 1, 128, 20000), 3, 260, 19000),   // a poll
			onConnection(seen("https://d/5.png", "image/png", 1, 129, 300), 4, 190, 290),       // unknown
			onConnection(seen("http://a/6.png", "image/png", 1, 129.5, 320), -1, 200, 310),     // another origin
			onConnection(seen("https://a:443/7.png", "image/png", 1, 129.7, 620), 0, 500, 540), // 40: less than a round trip
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	extra := func(ms int) linger.Opt[time.Duration] { return linger.Known(time.Duration(ms) * time.Millisecond) }
	want := []linger.Origin{{Name: "a", ExtraRTT: extra(20)}, {Name: "b", ExtraRTT: extra(30)}, {Name: "c", ExtraRTT: extra(0)}, {Name: "d"}, {Name: "a:80"}}
	if !slices.Equal(w.Origins, want) {
		t.Errorf("origins\n%+v; want\n%+v", w.Origins, want)
	}
	var delays []float64
	for _, e := range w.Exchanges {
		delays = append(delays, e.Delay.Seconds()*1e3)
	}
	if want := []float64{30, 0, 45, 0, 10000, 0, 0, 0}; !slices.Equal(delays, want) {
		t.Errorf("delays %v ms; want %v", delays, want)
	}
	for _, want := range []string{
		"no handshake was timed of 2 of 5 origins: taken for the nearest, their servers for needing no time",
		"round trips by the shortest handshake: 30ms to the nearest origin, which is at the end of the network, up to 60ms to others",
		"TCP's and TLS's handshakes not told apart: half of both, or the least wait, taken for a round trip to 1 origin",
		"waits beyond a round trip, and beyond other responses on the connection, taken for the server's: 3 exchanges, up to 10s",
		"servers taken to need no more than 10s: 1 exchange",
		"fetched over TLS, though it went over http: 1 exchange",
	} {
		if !slices.Contains(notes, want) {
			t.Errorf("no note says %q:\n%q", want, notes)
		}
	}
}

func TestInitiatorsAndReferers(t *testing.T) {
	by := func(url string) func(*trace.Exchange) { return func(x *trace.Exchange) { x.Initiator = url } }
	from := func(url string) func(*trace.Exchange) { return func(x *trace.Exchange) { x.Referer = url } }
	w, notes, err := Workload(&trace.Trace{Workload: "t", Engine: "har", Exchanges: []trace.Exchange{
		seen("http://a/", "text/html", 900, 0, 100),
		seen("http://b/a.css", "text/css", 50, 101, 200),
		seen("http://b/a.js", "text/javascript", 60, 101, 300),
		with(seen("http://c/font", "font/woff2", 1, 301, 400), from("http://b/a.css")),
		with(seen("http://c/1.png", "image/png", 1, 302, 400), from("http://a/")),
		with(seen("http://c/2.png", "image/png", 1, 303, 400), by("http://b/a.css#x")),
		with(with(seen("http://c/3.png", "image/png", 1, 304, 400), by("http://nobody/")), from("http://a/")),
		with(seen("http://c/4.png", "image/png", 1, 305, 400), from("http://c/3.png")),   // an image names nothing
		with(seen("http://c/5.json", "application/json", 1, 306, 400), by("http://c/9")), // comes later
		with(seen("http://c/6.json", "application/json", 1, 401, 500), by("http://c/5.json")),
		with(onConnection(seen("http://c/9", "text/javascript", 1, 402, 700), -1, 402, 600), func(*trace.Exchange) {}),
		with(seen("http://c/7.json", "application/json", 1, 500, 650), by("http://c/9")), // which had not begun to arrive
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := "//a/ 900 - | //b/a.css 50 //a/ at=225 | //b/a.js 60 //a/ at=450 | //c/font 1 //b/a.css type=font/woff2 | " +
		"//c/1.png 1 //a/ at=675 | //c/2.png 1 //b/a.css | //c/3.png 1 //a/ | //c/4.png 1 //b/a.js | //c/5.json 1 //b/a.js | " +
		"//c/6.json 1 //c/5.json | //c/9 1 //b/a.js type=text/javascript | //c/7.json 1 //b/a.js"
	if got := list(t, w); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	if want := "who named whom: 2 said by the recorder, 3 by Referer, 6 guessed from types and times"; !slices.Contains(notes, want) {
		t.Errorf("no note says %q:\n%q", want, notes)
	}
}

func TestMoreOriginsThanOneRunHolds(t *testing.T) {
	var all []trace.Exchange
	for i := range linger.MaxOrigins + 10 {
		all = append(all, seen(fmt.Sprintf("http://h%d/", i), "text/html", 1, float64(i), float64(i)))
	}
	w, notes, err := Workload(&trace.Trace{Workload: "t", Exchanges: all})
	if err != nil || len(w.Origins) != linger.MaxOrigins {
		t.Fatal(len(w.Origins), err)
	}
	if got := w.Exchanges[len(all)-1]; got.Path != fmt.Sprintf("/h%d/", len(all)-1) || got.Origin != linger.MaxOrigins-1 {
		t.Errorf("the last is %+v", got)
	}
	if want := "more origins than one run holds: 11 origins share one, each under /HOST/"; !slices.Contains(notes, want) {
		t.Errorf("%q; want %q", notes, want)
	}
}

// TestHARThereAndBack has nothing guessed of a HAR that this program wrote, unless
// its entries are not those that it was written with.
func TestHARThereAndBack(t *testing.T) {
	w := linger.Textbook(3)
	was := &trace.Trace{Provenance: trace.Measured, Engine: "live", Workload: w.Name, Began: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	for i, e := range w.Exchanges {
		x := seen("https://h"+e.Path, e.ContentType, e.ResponseBody, float64(i), float64(i+10))
		x.ID, x.Connection = i, -1
		was.Exchanges = append(was.Exchanges, onConnection(x, -1, float64(i+1), float64(i+5)))
	}
	var b bytes.Buffer
	if err := trace.WriteHAR(&b, was, w, "test"); err != nil {
		t.Fatal(err)
	}
	read := func(s string) (linger.Workload, []string) {
		t.Helper()
		observed, err := har.Read(strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		w, notes, err := Workload(observed)
		if err != nil {
			t.Fatal(err)
		}
		return w, notes
	}
	back, notes := read(b.String())
	if !slices.Equal(back.Exchanges, w.Exchanges) || back.Name != w.Name || back.Scheme != w.Scheme || len(notes) > 0 {
		t.Errorf("comes back as %+v, %q", back, notes)
	}
	if back, notes := read(strings.ReplaceAll(b.String(), "https://h/2", "https://h/other")); len(notes) == 0 || len(back.Exchanges) != len(w.Exchanges) {
		t.Errorf("entries that were changed: %+v, %q", back, notes)
	}
}
