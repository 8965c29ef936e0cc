package har

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/trace"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ms(f float64) linger.Opt[linger.Instant] { return linger.Known(linger.Instant(f * 1e6)) }

func TestHAR(t *testing.T) {
	got, err := Read(bytes.NewReader(read(t, "testdata/devtools.har")))
	if err != nil {
		t.Fatal(err)
	}
	const page = "page_1"
	never := linger.Opt[linger.Instant]{}
	want := []trace.Exchange{
		{ID: 0, Method: "GET", URL: "http://example.com/", Connection: 0, Attempts: 1, Status: 301, Redirect: "http://example.com/home?x=1", Page: page,
			Queued: 0, Sent: ms(30.5), FirstByte: ms(60.5), Done: ms(60.5), RequestHead: 120, ResponseHead: 150},
		// The head is estimated: "GET /home?x=1 HTTP/1.1", "Host: example.com" and the empty line.
		{ID: 1, Method: "GET", URL: "http://example.com/home?x=1#top", Connection: 0, Attempts: 1, Status: 200, ContentType: "text/html", Page: page,
			Queued: 61e6, Sent: ms(62), FirstByte: ms(82), Done: ms(101), RequestHead: 24 + 19 + 2, ResponseHead: 17 + 22 + 25 + 2, ResponseBody: 3000},
		{ID: 2, Method: "GET", URL: "http://example.com/a.css", Connection: 1, Attempts: 1, Status: 200, ContentType: "text/css", Page: page,
			Queued: 90e6, Sent: ms(100), FirstByte: ms(110), Done: ms(120), RequestHead: 130, ResponseHead: 200, ResponseBody: 1000},
		{ID: 3, Method: "GET", URL: "http://example.com/logo.png", Connection: -1, Attempts: 0, Status: 200, ContentType: "image/png", Page: page, Queued: 91e6, Sent: never},
		{ID: 4, Method: "OPTIONS", URL: "http://api.example.com/v1", Connection: 2, Attempts: 1, Status: 204, Page: page,
			Queued: 130e6, Sent: ms(140), FirstByte: ms(155), Done: ms(155), RequestHead: 300, ResponseHead: 210},
		{ID: 5, Method: "POST", URL: "http://api.example.com/v1", Connection: 2, Attempts: 1, Status: 200, ContentType: "application/json", Page: page,
			Queued: 156e6, Sent: ms(156), FirstByte: ms(171), Done: ms(171), RequestHead: 310, RequestBody: 44, ResponseHead: 220, ResponseBody: 17},
		{ID: 6, Method: "GET", URL: "http://example.com/gone.js", Connection: -1, Attempts: 1, Page: page, Failed: "net::ERR_ABORTED",
			Queued: 160e6, Sent: ms(165), FirstByte: ms(165), Done: ms(165), RequestHead: 23 + 2},
		{ID: 7, Method: "GET", URL: "http://example.com/a.css", Connection: 1, Attempts: 1, Status: 304, ContentType: "text/css", Page: page,
			Queued: 170e6, Sent: ms(170), FirstByte: ms(182), Done: ms(182), RequestHead: 130, ResponseHead: 90},
	}
	for i, number := range []int64{1, 2, 3, 4, 6, 7, 8, 9} { // the fifth is no HTTP
		want[i].Frames = trace.Frames{First: number, Last: number}
		if want[i].Status != 0 && want[i].Attempts > 0 {
			want[i].Asked.Version, want[i].Answered.Version = "1.1", "1.1"
		}
	}
	for i := range max(len(want), len(got.Exchanges)) {
		if i >= len(want) || i >= len(got.Exchanges) {
			t.Fatalf("%d exchanges; want %d", len(got.Exchanges), len(want))
		}
		if !reflect.DeepEqual(got.Exchanges[i], want[i]) {
			t.Errorf("exchange %d:\n%+v; want\n%+v", i, got.Exchanges[i], want[i])
		}
	}
	connections := []trace.Connection{
		{ID: 0, Server: "192.0.2.1", Protocol: "http/1.1", Resolving: ms(0.5), Dialled: 10.5e6, Established: ms(30.5), Connected: ms(30.5), Requests: 2, Frames: trace.Frames{First: 1, Last: 2}},
		{ID: 1, Server: "192.0.2.1", Protocol: "http/1.1", Dialled: 90e6, Established: ms(100), Connected: ms(100), Requests: 2, Frames: trace.Frames{First: 3, Last: 9}},
		{ID: 2, Server: "192.0.2.2", Protocol: "http/1.1", Dialled: 130e6, Established: ms(140), Connected: ms(140), Requests: 2, Frames: trace.Frames{First: 6, Last: 7}},
	}
	if !reflect.DeepEqual(got.Connections, connections) {
		t.Errorf("connections:\n%+v; want\n%+v", got.Connections, connections)
	}
	notes := []string{
		"left out, since no HTTP (data:, blob:, WebSocket and the like): 1 of 9 entries",
		"size of a head estimated from the list of headers: 2 of 8 entries",
		"connection unknown: 1 of 8 entries",
	}
	if !slices.Equal(got.Notes, notes) {
		t.Errorf("notes:\n%q; want\n%q", got.Notes, notes)
	}
	if got.Provenance != trace.Observed || got.Engine != "har" || got.Ended != 182e6 ||
		!got.Began.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%s, %s, %v, %v", got.Provenance, got.Engine, got.Ended, got.Began)
	}
}

func TestRecordersDisagree(t *testing.T) {
	got, err := Read(bytes.NewReader(read(t, "testdata/quirks.har")))
	if err != nil {
		t.Fatal(err)
	}
	want := []trace.Exchange{
		{ID: 0, Method: "GET", URL: "https://example.org", Connection: 0, Attempts: 1, Status: 200, ContentType: "text/html",
			Sent: ms(0), FirstByte: ms(80), Done: ms(80), RequestHead: 16 + 19 + 13 + 2, ResponseHead: 17 + 2, ResponseBody: 500},
		{ID: 1, Method: "GET", URL: "https://example.org/photo", Connection: 1, Attempts: 1, Status: 200,
			Queued: 400e6, RequestHead: 21 + 2, ResponseHead: 100, ResponseBody: 4321},
		{ID: 2, Method: "GET", URL: "https://example.org/late.js", Connection: -1, Attempts: 1, Status: 200, ContentType: "application/javascript",
			Queued: 500e6, Done: ms(512.5), RequestHead: 23 + 2, ResponseHead: 400, ResponseBody: 500},
	}
	for i, number := range []int64{2, 3, 1} { // in the file
		want[i].Frames = trace.Frames{First: number, Last: number}
	}
	want[1].RequestHead = int64(len("GET /photo HTTP/1.1\r\n\r\n"))
	want[2].RequestHead = int64(len("GET /late.js HTTP/1.1\r\n\r\n"))
	if !reflect.DeepEqual(got.Exchanges, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got.Exchanges, want)
	}
}

func archive(entries ...string) string {
	return `{"log":{"entries":[` + strings.Join(entries, ",") + `]}}`
}

const good = `{"startedDateTime":"2026-01-02T03:04:05Z","time":1,"request":{"method":"GET","url":"http://a/"},"response":{"status":200}}`

func TestHARExplains(t *testing.T) {
	entry := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for in, want := range map[string]string{
		"":                                    "ends before it is complete",
		"   ":                                 "ends before it is complete",
		"\ufeff":                              "ends before it is complete",
		"<html>":                              "this is no HAR: invalid character '<'",
		"\x1f\x8b":                            "this is no HAR: gzip that cannot be unpacked",
		"\x78\x9c":                            "ends before it is complete",
		"\xff\xfe{\x00":                       "ends before it is complete",
		"[]":                                  "this is no HAR: [ stands where { should",
		"7":                                   "this is no HAR: 7 stands where { should",
		`{}`:                                  "no entries",
		`{"log":[]}`:                          "this is no HAR",
		`{"log":{}}`:                          "no entries",
		`{"log":{"entries":null}}`:            "this is no HAR",
		`{"log":{"entries":{}}}`:              "this is no HAR",
		archive():                             "no entries",
		archive(good)[:len(archive(good))-1]:  "ends before it is complete",
		archive(good)[:60]:                    "entry 1: the file ends within it",
		archive(good, `{]`):                   "entry 2: invalid character ']'",
		archive(`7`, `{}`):                    "no entry of the HAR can be used: all are without a URL (the first is entry 1)",
		archive(entry(`GET`, `G ET`)):         `all are without a method that is one ("G ET", entry 1)`,
		archive(`7`, entry(`200`, `999`)):     "all are without a URL (entry 1), or without a status that is one (999, entry 2)",
		archive(entry(`2026-01-02T`, `soon`)): `all are without a startedDateTime that is a time ("soon03:04:05Z", entry 1)`,
		archive(entry(`http:`, `data:`)):      "no entry of the HAR is HTTP",
		archive(entry(`http:`, `wss:`)):       "no entry of the HAR is HTTP",
		archive(entry(`GET`, `CONNECT`)):      "no entry of the HAR is HTTP",
		`{"a":` + strings.Repeat("[", 1e6):    "exceeded max depth",
		archive(entry(`1,`, `1,"x":`+strings.Repeat(`{"x":`, 1e5))):   "entry 1: values nest too deep",
		archive(strings.Repeat(good+",", linger.MaxExchanges) + good): "entry 20001: one run holds at most 20000",
	} {
		_, err := Read(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v; want it to say %q", in, err, want)
		} else if strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
			t.Errorf("%.80q: the error is no line: %v", in, err)
		}
	}
	disk := errors.New("no disk")
	if _, err := Read(io.MultiReader(strings.NewReader(`{"log":`), broken{disk})); !errors.Is(err, disk) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// endless repeats a piece for ever, behind a beginning.
type endless struct {
	piece string
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.piece[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.piece)
	}
	return n, nil
}

func TestHARIsBounded(t *testing.T) {
	_, err := Read(io.MultiReader(strings.NewReader(`{"log":{"entries":[`+good), &endless{piece: "," + good}))
	if err == nil || !strings.Contains(err.Error(), "entry 20001") {
		t.Errorf("entries without end: %v", err)
	}
	_, err = readHAR(io.MultiReader(strings.NewReader("{"), &endless{piece: `"a":[1,{}],`}), 1<<20)
	if err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("members without end: %v", err)
	}
	_, err = readHAR(io.MultiReader(strings.NewReader(`{"log":{"entries":[{"request":{"url":"`), &endless{piece: "a"}), 1<<20)
	if err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a URL without end: %v", err)
	}
}

// Text is bounded, however much of it each entry has a right to.
func TestTextIsBounded(t *testing.T) {
	long := strings.Replace(good, "http://a/", "http://a/"+strings.Repeat("x", maxURL), 1)
	_, err := Read(io.MultiReader(strings.NewReader(`{"log":{"entries":[`+good), &endless{piece: "," + long}))
	if err == nil || !strings.Contains(err.Error(), "have more than 64 MiB") {
		t.Errorf("URLs without end: %v", err)
	}
}

// sane checks what holds of every trace of a HAR.
func sane(t *testing.T, got *trace.Trace) {
	t.Helper()
	last := linger.Instant(0)
	requests := make([]int, len(got.Connections))
	for i, x := range got.Exchanges {
		sent := x.Sent.Or(x.Queued)
		first := x.FirstByte.Or(sent)
		done := x.Done.Or(first)
		switch {
		case x.ID != i || x.Method == "" || x.URL == "" || x.Connection < -1 || x.Connection >= int64(len(got.Connections)),
			x.Queued < last || sent < x.Queued || first < sent || done < first || done > got.Ended,
			min(x.RequestHead, x.RequestBody, x.ResponseHead, x.ResponseBody) < 0,
			max(x.RequestHead, x.ResponseHead) > linger.MaxHead || max(x.RequestBody, x.ResponseBody) > linger.MaxBody:
			t.Fatalf("exchange %d of %d: %+v", i, len(got.Exchanges), x)
		}
		last = x.Queued
		if x.Connection >= 0 {
			requests[x.Connection]++
		}
	}
	for i, c := range got.Connections {
		if c.ID != int64(i) || c.Requests != requests[i] || c.Requests == 0 {
			t.Fatalf("connection %d with %d requests: %+v", i, requests[i], c)
		}
	}
}

// recordings are HARs that real browsers recorded from real sites. They are no
// part of this repository; tests that want them are skipped without them.
func recordings(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../../shared/data/har/*.har")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no recordings beside the checkout")
	}
	return files
}

func TestRecordings(t *testing.T) {
	for _, name := range recordings(t) {
		got, err := Read(bytes.NewReader(read(t, name)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sane(t, got)
	}
}

func TestMutatedRecordings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	files := recordings(t)
	ok := 0
	for i := range 200 {
		b := testall.MutateJSON(rng, 4, read(t, files[i%len(files)]))
		got, err := Read(bytes.NewReader(b))
		if err != nil {
			continue
		}
		ok++
		sane(t, got)
	}
	if ok == 0 || ok == 200 {
		t.Errorf("%d of 200 mutations were read; that tests one side only", ok)
	}
}

func FuzzHAR(f *testing.F) {
	for _, name := range []string{"testdata/devtools.har", "testdata/quirks.har"} {
		f.Add(read(f, name))
	}
	f.Add([]byte(archive(good)))
	f.Add([]byte(archive(`7`, strings.Replace(good, "GET", "get", 1), strings.Replace(good, "2026", "1970", 1))))
	f.Add([]byte(by("mitmproxy", "", one("http://a/", `"status":200,"bodySize":"6,219"`, `"timings":{"connect":30,"ssl":40,"wait":80}`))))
	f.Add([]byte(by("Firefox", "Firefox", one("https://a/", `"status":200,"_transferSize":0`, `"_connectionId":"7","timings":{"connect":1e300,"ssl":40}`))))
	f.Add(packed(f, gzipped, []byte(archive(good))))
	f.Add(packed(f, zlibbed, []byte(archive(good))))
	f.Add(encoded(archive(good), binary.LittleEndian, 0xfeff))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Read(bytes.NewReader(b))
		if err == nil {
			sane(t, got)
		} else if err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

// large is a HAR of about size bytes as browsers write them, n entries with
// contents, half of them text and half base64, a piece at a time.
func large(n, size int) io.Reader {
	rng := rand.New(rand.NewPCG(3, 4))
	raw := make([]byte, size/n*3/4)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	content := []string{
		`"encoding":"base64","text":"` + base64.StdEncoding.EncodeToString(raw) + `"`,
		`"text":"` + strings.Repeat(`<div class=\"post\">\n\t<a href=\"/thread/1\">caf\u00e9 \u003c\/a\u003e</div>\n`, size/n/80) + `"`,
	}
	fields := strings.Repeat(`{"name":"x-header","value":"some value of forty letters, more or less"},`, 19) + `{"name":"content-length","value":"70000"}`
	parts := []io.Reader{strings.NewReader(`{"log":{"version":"1.2","creator":{"name":"t","version":"1"},"entries":[`)}
	for i := range n {
		comma := ","
		if i == n-1 {
			comma = "]}}"
		}
		parts = append(parts,
			strings.NewReader(fmt.Sprintf(`{"startedDateTime":"2026-01-02T03:04:05.%03dZ","time":90,"request":{"method":"GET","url":"https://host%d.example/path/%d","httpVersion":"h2","headers":[`, i%1000, i%9, i)),
			strings.NewReader(fields),
			strings.NewReader(`],"queryString":[],"cookies":[],"headersSize":-1,"bodySize":0},"response":{"status":200,"statusText":"","httpVersion":"h2","headers":[`),
			strings.NewReader(fields),
			strings.NewReader(`],"cookies":[],"content":{"size":70000,"mimeType":"text/html",`),
			strings.NewReader(content[i%2]),
			strings.NewReader(`},"redirectURL":"","headersSize":-1,"bodySize":-1,"_transferSize":70300},"cache":{},"timings":{"blocked":1,"dns":-1,"connect":-1,"send":0,"wait":80,"receive":9},"connection":"`+strconv.Itoa(i%9)+`"}`+comma))
	}
	return io.MultiReader(parts...)
}

// Contents go by: what is allocated follows the entries, not the bytes.
func TestContentsAreNotHeld(t *testing.T) {
	const size, entries = 64 << 20, 50
	in := large(entries, size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := Read(in)
	runtime.ReadMemStats(&after)
	if err != nil || len(got.Exchanges) != entries {
		t.Fatal(got, err)
	}
	if all := after.TotalAlloc - before.TotalAlloc; all > size/50 {
		t.Errorf("%d bytes allocated for %d entries in %d bytes", all, entries, size)
	}
}

// What BenchmarkHAR and BenchmarkJSON read: 100 MB, most of it contents, as pages have
// them; and entries with hardly any, where all is metadata.
var sizes = []struct {
	name          string
	entries, size int
}{{"contents", 1400, 100 << 20}, {"metadata", 10000, 30 << 20}}

func benchmark(b *testing.B, read func(io.Reader) error) {
	for _, c := range sizes {
		b.Run(c.name, func(b *testing.B) {
			size := c.size
			if c.name == "metadata" {
				size = c.entries * 100
			}
			n, err := io.Copy(io.Discard, large(c.entries, size))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(n)
			b.ReportAllocs()
			most := uint64(0)
			for b.Loop() {
				runtime.GC()
				done := make(chan uint64)
				stop := make(chan struct{})
				go func() { done <- peak(stop) }()
				if err := read(large(c.entries, size)); err != nil {
					b.Fatal(err)
				}
				close(stop)
				most = max(most, <-done)
			}
			b.ReportMetric(float64(most)/1e6, "peak-MB")
		})
	}
}

// peak is the most heap that was in use until stop, sampled.
func peak(stop chan struct{}) (most uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		metrics.Read(sample)
		most = max(most, sample[0].Value.Uint64())
		select {
		case <-tick.C:
		case <-stop:
			return most
		}
	}
}

func BenchmarkHAR(b *testing.B) {
	benchmark(b, func(r io.Reader) error { _, err := Read(r); return err })
}

// BenchmarkJSON is what encoding/json takes to decode the same into the bare types.
func BenchmarkJSON(b *testing.B) {
	type pair struct{ Name, Value string }
	type message struct {
		Method, URL, HTTPVersion, StatusText, RedirectURL string
		Status                                            int
		Headers, Cookies, QueryString                     []pair
		HeadersSize, BodySize                             float64
		Content                                           struct {
			Size                     float64
			MimeType, Encoding, Text string
		}
	}
	type file struct {
		Log struct {
			Version string
			Creator struct{ Name, Version string }
			Entries []struct {
				StartedDateTime   time.Time
				Time              float64
				Request, Response message
				Timings           struct{ Blocked, DNS, Connect, Send, Wait, Receive, SSL float64 }
				Connection        string
			}
		}
	}
	benchmark(b, func(r io.Reader) error { return json.NewDecoder(r).Decode(new(file)) })
}

func ExampleRead() {
	f, err := os.Open("testdata/devtools.har")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(t.Exchanges), "exchanges on", len(t.Connections), "connections, all", t.Provenance)
	// Output: 8 exchanges on 3 connections, all observed
}

// extended is the good entry of that URL and second, with members added.
func extended(url, started, members string) string {
	return strings.NewReplacer("http://a/", url, "05Z", started).Replace(good[:len(good)-1]) + "," + members + "}"
}

func TestHandshakesOfRecorders(t *testing.T) {
	for _, c := range []struct {
		what    string
		entries []string
		want    []trace.Connection
		on      []int // the connection of each exchange
	}{
		{"ssl is a part of connect", []string{
			extended("https://a/", "05Z", `"connection":"7","timings":{"blocked":1,"dns":4,"connect":50,"ssl":30,"send":0,"wait":9,"receive":0},"serverIPAddress":"192.0.2.1"`),
		}, []trace.Connection{{ID: 0, Server: "192.0.2.1", Resolving: ms(1), Dialled: 5e6, Established: ms(25), Connected: ms(55), Secured: ms(55), Requests: 1}}, []int{0}},
		{"TCP's part was not seen", []string{
			extended("https://a/", "05Z", `"connection":"7","timings":{"connect":60.3,"ssl":60.2}`),
		}, []trace.Connection{{ID: 0, Connected: ms(60.3), Secured: ms(60.3), Requests: 1}}, []int{0}},
		{"without ssl nobody knows", []string{
			extended("https://a/", "05Z", `"connection":"7","timings":{"connect":60}`),
		}, []trace.Connection{{ID: 0, Connected: ms(60), Requests: 1}}, []int{0}},
		{"QUIC has no handshake of TCP", []string{
			strings.Replace(extended("https://a/", "05Z", `"connection":"7","timings":{"connect":60,"ssl":40}`), `"status":200`, `"status":200,"httpVersion":"h3-29"`, 1),
		}, []trace.Connection{{ID: 0, Protocol: "h3", Connected: ms(60), Secured: ms(60), Requests: 1}}, []int{0}},
		{"a connection without a name", []string{
			extended("http://a/", "05Z", `"connection":"80","timings":{"dns":0,"connect":20,"wait":5}`),
			extended("http://a/2", "06Z", `"timings":{"dns":0,"connect":0,"wait":5}`),
		}, []trace.Connection{{ID: 0, Established: ms(20), Connected: ms(20), Requests: 1}}, []int{0, -1}},
		{"a name that comes again", []string{
			extended("http://a/", "05Z", `"connection":"7","timings":{"connect":20,"wait":5}`),
			extended("http://a/2", "06Z", `"connection":"7","timings":{"connect":-1,"wait":5}`),
			extended("http://a/3", "07Z", `"connection":"7","timings":{"connect":30,"wait":5}`),
		}, []trace.Connection{{ID: 0, Established: ms(20), Connected: ms(20), Requests: 2},
			{ID: 1, Dialled: 2000e6, Established: ms(2030), Connected: ms(2030), Requests: 1}}, []int{0, 0, 1}},
		{"WebPageTest says when the request was sent", []string{
			extended("https://a/", "05Z", `"_socket":18,"timings":{"connect":450,"ssl":240,"wait":420},"_load_ms":422,"_load_start":484,"_dns_start":0,"_dns_end":30,`+
				`"_connect_start":30,"_connect_end":241,"_ssl_start":241,"_ssl_end":483,"_protocol":"HTTP/2"`),
			extended("https://a/2", "06Z", `"_socket":18,"timings":{"wait":9},"_load_ms":10,"_load_start":1484,"_dns_start":0,"_dns_end":0,"_connect_start":0,"_connect_end":0`),
		}, []trace.Connection{{ID: 0, Protocol: "h2", Resolving: ms(0), Dialled: 30e6, Established: ms(241), Connected: ms(483), Secured: ms(483), Requests: 2}}, []int{0, 0}},
	} {
		got, err := Read(strings.NewReader(archive(c.entries...)))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		for i, id := range c.on {
			if number := int64(i + 1); id >= 0 {
				f := &c.want[id].Frames
				f.First, f.Last = cmp.Or(f.First, number), number
			}
		}
		if !reflect.DeepEqual(got.Connections, c.want) {
			t.Errorf("%s:\n%+v; want\n%+v", c.what, got.Connections, c.want)
		}
		for i, want := range c.on {
			if got.Exchanges[i].Connection != int64(want) {
				t.Errorf("%s: exchange %d is on connection %d; want %d", c.what, i, got.Exchanges[i].Connection, want)
			}
		}
	}
}

func TestInitiatorsOfRecorders(t *testing.T) {
	for member, want := range map[string]string{
		`"_initiator":"https://a/x.css","_initiator_line":7`:                                                                                       "https://a/x.css",
		`"_initiator":{"type":"parser","url":"https://a/","lineNumber":3}`:                                                                         "https://a/",
		`"_initiator":{"type":"script","stack":{"callFrames":[{"url":""},{"url":"https://a/x.js"},{"url":"https://a/y.js"}]}}`:                     "https://a/x.js",
		`"_initiator":{"type":"script","stack":{"callFrames":[],"parent":{"callFrames":[{"url":"https://a/z.js"}]}}}`:                              "https://a/z.js",
		`"_initiator":{"type":"script","stack":{"parent":{"callFrames":[{"url":"https://a/far.js"}]},"callFrames":[{"url":"https://a/near.js"}]}}`: "https://a/near.js",
		`"_initiator":{"type":"other"}`:              "",
		`"_initiator":""`:                            "",
		`"_initiator":[1]`:                           "",
		`"_initiator":"chrome-extension://abc/x.js"`: "",
		`"_initiator":{"stack":` + strings.Repeat(`{"parent":`, 500) + `{}` + strings.Repeat(`}`, 500) + `}`: "",
	} {
		got, err := Read(strings.NewReader(archive(extended("https://a/", "05Z", member))))
		if err != nil || got.Exchanges[0].Initiator != want {
			t.Errorf("%.80s: %v, %q; want %q", member, err, got.Exchanges[0].Initiator, want)
		}
	}
	entry := strings.Replace(good, `"url":`, `"headers":[{"value":"https://a/x.css","name":"REFERER"},{"name":"Referer","value":"https://second/"}],"url":`, 1)
	if got, err := Read(strings.NewReader(archive(entry))); err != nil || got.Exchanges[0].Referer != "https://a/x.css" {
		t.Errorf("%v, %+v", err, got)
	}
}

// What either side says of the connection is kept, but of HTTP/2, which has no such
// fields, whatever the recorder writes.
func TestWhatMessagesSayOfTheirConnection(t *testing.T) {
	entry := func(second, asked, answered, version string) string {
		return `{"startedDateTime":"2026-01-02T03:04:` + second + `Z","connection":"7","request":{"method":"GET","url":"http://a/","httpVersion":"` + version + `","headers":[` + asked +
			`]},"response":{"status":200,"httpVersion":"` + version + `","headers":[` + answered + `]},"timings":{"wait":5}}`
	}
	field := func(name, value string) string { return `{"name":"` + name + `","value":"` + value + `"}` }
	got, err := Read(strings.NewReader(archive(
		entry("05", field("connection", "Keep-Alive")+","+field("User-Agent", "curl/8.9"), field("Keep-Alive", "timeout=5, max=100")+","+field("Server", "nginx"), "HTTP/1.0"),
		entry("06", "", field("Connection", "close\\u001b"), "HTTP/1.1"),
		entry("07", field("Connection", "keep-alive"), field("Connection", "close"), "h2"),
	)))
	if err != nil {
		t.Fatal(err)
	}
	want := []trace.Said{{Version: "1.0", Connection: "Keep-Alive"}, {Version: "1.0", KeepAlive: "timeout=5, max=100"}, {Version: "1.1"}, {Version: "1.1", Connection: "close"}, {}, {}}
	for i, x := range got.Exchanges {
		if x.Asked != want[2*i] || x.Answered != want[2*i+1] {
			t.Errorf("exchange %d: %+v and %+v; want %+v and %+v", i, x.Asked, x.Answered, want[2*i], want[2*i+1])
		}
	}
	if c := got.Connections[0]; c.Agent != "curl/8.9" || c.Software != "nginx" {
		t.Errorf("%+v", c)
	}
}

// A HAR is records, too: what is read of it can be written as a stream, and is read again.
func TestAHARAsAStream(t *testing.T) {
	har, err := Read(bytes.NewReader(read(t, "testdata/devtools.har")))
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w, err := trace.NewStreamWriter(&file, trace.Source{Linger: "test"}, har.Stream())
	if err != nil {
		t.Fatal(err)
	}
	for one := range har.Records() {
		if c := one.Connection; c != nil {
			err = w.WriteConnection(c)
		} else {
			err = w.WriteExchange(one.Exchange)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(trace.StreamEnd{Ended: har.Ended}); err != nil {
		t.Fatal(err)
	}
	f, err := trace.Open(&file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Stream()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for one, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if c := one.Connection; c != nil {
			told = append(told, fmt.Sprintf("%d: %d requests", c.ID, c.Requests))
			continue
		}
		told = append(told, fmt.Sprintf("%d is %d of %d, entry %d", one.Exchange.ID, one.Exchange.Number, one.Exchange.Connection, one.Exchange.Frames.First))
	}
	want := []string{
		"0 is 1 of 0, entry 1", "3 is 0 of -1, entry 4", "1 is 2 of 0, entry 2", "2 is 1 of 1, entry 3", "4 is 1 of 2, entry 6", "6 is 0 of -1, entry 8", "5 is 2 of 2, entry 7", "7 is 2 of 1, entry 9",
		"0: 2 requests", "1: 2 requests", "2: 2 requests",
	}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
	if r.Header.Engine != "har" || r.Header.Provenance != trace.Observed || !r.Header.Began.Equal(har.Began) || r.End.Ended != har.Ended {
		t.Errorf("%+v, %+v", r.Header, r.End)
	}
}
