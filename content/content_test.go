package content

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"image/gif"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"linger"
)

func body(t *testing.T, w linger.Workload, i int) []byte {
	t.Helper()
	b, err := io.ReadAll(Body(w, i))
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != w.Exchanges[i].ResponseBody {
		t.Errorf("%s: body %s has %d bytes; want %d", w.Name, w.Exchanges[i].Path, len(b), w.Exchanges[i].ResponseBody)
	}
	return b
}

// A reference is a tag that makes a browser fetch something, and where it ends.
type reference struct {
	path string
	end  int64
}

// references finds them as a browser would.
func references(t *testing.T, page []byte) []reference {
	t.Helper()
	var out []reference
	z := html.NewTokenizer(bytes.NewReader(page))
	end := int64(0)
	for {
		kind := z.Next()
		end += int64(len(z.Raw()))
		if kind == html.ErrorToken {
			if z.Err() != io.EOF || end != int64(len(page)) {
				t.Errorf("the page is not read to its end: %v at %d of %d", z.Err(), end, len(page))
			}
			return out
		}
		if kind != html.StartTagToken {
			continue
		}
		token := z.Token()
		for _, a := range token.Attr {
			if a.Key == "src" || a.Key == "href" {
				at := end
				if token.Data == "script" || token.Data == "a" { // the tag ends with its end tag
					closing := "</" + token.Data + ">"
					at += int64(bytes.Index(page[end:], []byte(closing)) + len(closing))
				}
				out = append(out, reference{a.Val, at})
			}
		}
	}
}

func TestPagesNameTheirChildrenWhereTheWorkloadSays(t *testing.T) {
	mixed := linger.Workload{Name: "mixed", Scheme: "http", Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/", Status: 200, ContentType: "text/html; charset=utf-8", ResponseBody: 2000, Parent: linger.NoParent},
		{Method: "GET", Path: "/late.png?a=1&b=2", Status: 200, ContentType: "image/png", ResponseBody: 9, At: 1999},
		{Method: "GET", Path: "/a.css", Status: 200, ContentType: "text/css", ResponseBody: 9, At: 500},
		{Method: "GET", Path: "/a.js", Status: 200, ContentType: "text/javascript", ResponseBody: 9, At: 600},
		{Method: "GET", Path: "/next", Status: 200, ContentType: "text/html", ResponseBody: 9, At: 1900},
		{Method: "POST", Path: "/log", Status: 204, At: 2000},
		{Method: "GET", Path: "/font'\"<", Status: 200, ContentType: "font/woff2", ResponseBody: 9, At: 300},
	}}
	workloads := []linger.Workload{linger.Microscape(), linger.Textbook(1), linger.Textbook(10), linger.Textbook(40), linger.Objects(12500, 10, 12500), linger.Objects(100_000, 20, 1), mixed}
	for seed := range uint64(50) {
		workloads = append(workloads, linger.Gallery(seed))
	}
	for _, w := range workloads {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
		var want []reference
		for _, e := range w.Exchanges[1:] {
			if e.Method == "GET" {
				want = append(want, reference{e.Path, e.At})
			}
		}
		slices.SortStableFunc(want, func(a, b reference) int { return int(a.end - b.end) })
		if got := references(t, body(t, w, 0)); !slices.Equal(got, want) {
			t.Errorf("%s: the page names\n%v\nwant\n%v", w.Name, got, want)
		}
	}
}

func TestPagesAreWellFormed(t *testing.T) {
	for _, w := range []linger.Workload{linger.Gallery(1), linger.Microscape()} {
		open := []string{}
		z := html.NewTokenizer(bytes.NewReader(body(t, w, 0)))
		for z.Next() != html.ErrorToken {
			token := z.Token()
			switch token.Type {
			case html.StartTagToken:
				if token.Data != "img" && token.Data != "meta" {
					open = append(open, token.Data)
				}
			case html.EndTagToken:
				if len(open) == 0 || open[len(open)-1] != token.Data {
					t.Fatalf("%s: </%s> closes %v", w.Name, token.Data, open)
				}
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("%s: never closed: %v", w.Name, open)
		}
	}
}

func TestPagesWithoutRoomForTheirTagsAreStillExact(t *testing.T) {
	for size := range 300 {
		for _, at := range []int{0, size / 2, size} {
			w := linger.Workload{Scheme: "http", Exchanges: []linger.Exchange{
				{Method: "GET", Path: "/", Status: 200, ContentType: "text/html", ResponseBody: int64(size), Parent: linger.NoParent},
				{Method: "GET", Path: "/a.png", Status: 200, ContentType: "image/png", At: int64(at)},
				{Method: "GET", Path: "/b.png", Status: 200, ContentType: "image/png", At: int64(at)},
				{Method: "POST", Path: "/c", Status: 200, At: int64(at)},
			}}
			body(t, w, 0)
		}
	}
}

func TestImagesDecode(t *testing.T) {
	for n := range 3000 {
		b := pngOf("tile", n)
		if least := 84; (b != nil) != (n >= least) {
			t.Fatalf("a PNG of %d bytes: %v; it is possible from %d on", n, b != nil, least)
		}
		if b != nil {
			if _, err := png.Decode(bytes.NewReader(b)); err != nil || len(b) != n {
				t.Fatalf("a PNG of %d bytes has %d: %v", n, len(b), err)
			}
		}
		b = gifOf("tile", n)
		if b == nil && n >= 40 {
			t.Fatalf("no GIF of %d bytes", n)
		}
		if b != nil {
			if _, err := gif.DecodeAll(bytes.NewReader(b)); err != nil || len(b) != n {
				t.Fatalf("a GIF of %d bytes has %d: %v", n, len(b), err)
			}
		}
	}
	for _, w := range []linger.Workload{linger.Gallery(1), linger.Microscape(), linger.Textbook(3)} {
		for i, e := range w.Exchanges[1:] {
			decode := png.Decode
			if e.ContentType == "image/gif" {
				decode = gif.Decode
			}
			if _, err := decode(bytes.NewReader(body(t, w, i+1))); err != nil {
				t.Errorf("%s %s: %v", w.Name, e.Path, err)
			}
		}
	}
}

func TestJSONDecodes(t *testing.T) {
	for n := 1; n < 2000; n++ {
		b := jsonOf("/api/1", n)
		if !json.Valid(b) || len(b) != n {
			t.Fatalf("JSON of %d bytes: %s", n, b)
		}
	}
	w := linger.API(10)
	seen := map[string]bool{}
	for i := range w.Exchanges {
		b := body(t, w, i)
		if !json.Valid(b) || seen[string(b)] {
			t.Errorf("answer %d: %s", i, b)
		}
		seen[string(b)] = true
	}
}

func TestProseHasTheLengthAndNoMarkup(t *testing.T) {
	for n := range 500 {
		p := prose(source("prose"), n)
		if len(p) != n || strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .") != "" {
			t.Fatalf("%d bytes of prose: %q", n, p)
		}
		if n > 2 && (strings.Contains(p, " .") || strings.Contains(p, "..") || strings.Contains(p, "  ")) {
			t.Errorf("%d bytes of prose: %q", n, p)
		}
	}
}

func TestBodiesAreTheSameAtEveryCall(t *testing.T) {
	w := linger.Gallery(1)
	w.Exchanges = append(w.Exchanges,
		linger.Exchange{Method: "GET", Path: "/f.bin", Status: 200, ResponseBody: 100_000, Parent: linger.NoParent},
		linger.Exchange{Method: "POST", Path: "/f.bin", Status: 200, RequestBody: 5000, ResponseBody: 100_000, Parent: linger.NoParent},
		linger.Exchange{Method: "HEAD", Path: "/f.bin", Status: 200, Parent: linger.NoParent},
	)
	sums := map[Sum]int{}
	for i := range w.Exchanges {
		if !bytes.Equal(body(t, w, i), body(t, w, i)) {
			t.Errorf("body %d differs from itself", i)
		}
		sum := SumOf(w, i)
		if first, ok := sums[sum]; ok {
			t.Errorf("bodies %d and %d have the same sum", first, i)
		}
		sums[sum] = i
	}
	content, err := io.ReadAll(Request(w, 42))
	if err != nil || len(content) != 5000 {
		t.Errorf("request content of %d bytes, %v; want 5000", len(content), err)
	}
}

func TestNoBodyWhereTheResponseCarriesNone(t *testing.T) {
	for _, e := range []linger.Exchange{
		{Method: "HEAD", Status: 200, ResponseBody: 5}, {Method: "GET", Status: 204, ResponseBody: 5}, {Method: "GET", Status: 304, ResponseBody: 5},
	} {
		b, err := io.ReadAll(Body(linger.Workload{Exchanges: []linger.Exchange{e}}, 0))
		if err != nil || len(b) != 0 {
			t.Errorf("%s with status %d: %d bytes, %v", e.Method, e.Status, len(b), err)
		}
	}
}

func TestFillerIsIncompressibleAndStreams(t *testing.T) {
	var packed bytes.Buffer
	z, _ := flate.NewWriter(&packed, flate.BestSpeed)
	const n = 1 << 20
	if copied, err := io.Copy(z, Filler("/a", n)); err != nil || copied != n {
		t.Fatalf("%d bytes, %v; want %d", copied, err, n)
	}
	z.Close()
	if packed.Len() < n {
		t.Errorf("%d bytes were packed into %d", n, packed.Len())
	}

	// However the receiver reads, the bytes are the same.
	whole, _ := io.ReadAll(Filler("/a", 1000))
	pieces, _ := io.ReadAll(io.MultiReader(iotest{Filler("/a", 1000)}))
	if !bytes.Equal(whole, pieces) {
		t.Error("bytes depend on how they are read")
	}

	// A body of 4 GB costs what a small one costs.
	w := linger.Workload{Exchanges: []linger.Exchange{{Method: "GET", Path: "/a.png", Status: 200, ContentType: "image/png", ResponseBody: linger.MaxBody}}}
	if allocated := testing.AllocsPerRun(10, func() { io.CopyN(io.Discard, Body(w, 0), 64<<10) }); allocated > 10 {
		t.Errorf("a streamed body takes %v allocations", allocated)
	}
}

// iotest reads seven bytes at a time.
type iotest struct{ io.Reader }

func (r iotest) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(7, len(p))]) }

func BenchmarkFiller(b *testing.B) {
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	r := Filler("/a", 1<<62)
	for b.Loop() {
		if _, err := io.ReadFull(r, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	for _, w := range []linger.Workload{linger.Gallery(1), linger.API(1)} {
		b.Run(w.Name, func(b *testing.B) {
			b.SetBytes(w.Bytes())
			for b.Loop() {
				for i := range w.Exchanges {
					SumOf(w, i)
				}
			}
		})
	}
}

// A receiver sums a body up as it comes, and keeps none of it.
func ExampleSum() {
	w := linger.Textbook(1)
	var whole, cut Sum
	_, _ = io.Copy(&whole, Body(w, 1))
	_, _ = io.CopyN(&cut, Body(w, 1), 999)
	fmt.Println(whole == SumOf(w, 1), cut == SumOf(w, 1))
	// Output: true false
}

func ExampleBody() {
	w := linger.Textbook(2)
	for i, e := range w.Exchanges {
		n, _ := io.Copy(io.Discard, Body(w, i))
		fmt.Println(e.Path, n)
	}
	// Output:
	// / 1200
	// /1 1000
	// /2 1000
}

// TestNamed has a browser told what there is a tag and room for, and nothing else.
func TestNamed(t *testing.T) {
	w, err := linger.ParseList("page", strings.NewReader(`
/            2000 - type=text/html
/a.png        100 / at=200
/b.png        100 / at=210
//far//c.png  100 / at=600
//d.png/      100 / at=700 type=text/html
/e.woff2      100 / at=900
POST:/f       100 / at=1000
/g.png        100 /e.woff2
`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range Named(w, 0) {
		names = append(names, w.Exchanges[i].Path)
	}
	// b.png has 10 bytes to be named in.
	if got := strings.Join(names, " "); got != "/a.png //c.png /e.woff2" {
		t.Errorf("named are %s", got)
	}
	b, err := io.ReadAll(Body(w, 0))
	if err != nil || len(b) != 2000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for _, want := range []string{`src="/a.png"`, `src="//far//c.png"`, `as="font" crossorigin href="/e.woff2"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in the page", want)
		}
	}
	if len(Named(w, 1)) > 0 {
		t.Error("an image names something")
	}
	w.Exchanges[1].Path = "//a.png"
	if ref := nameFor(w, 0, 1); ref != "/.//a.png" {
		t.Errorf("a path that looks like a host is named as %s", ref)
	}
}

// A page names what another origin has with the host before the path.
func TestPageNamesOtherOrigins(t *testing.T) {
	w, err := linger.ParseList("t", strings.NewReader("//a.example/ 2000\n//b.example/1.png 500 //a.example/ at=1000\n//a.example/2.png 500 //a.example/ at=1500"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(Body(w, 0))
	if err != nil || !strings.Contains(string(page[:1000]), `src="//b.example/1.png"`) || !strings.Contains(string(page[1000:1500]), `src="/2.png"`) {
		t.Errorf("%s, %v", page, err)
	}
}
