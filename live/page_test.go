package live

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"linger"
)

func TestScan(t *testing.T) {
	const page = `<!DOCTYPE html><html><head>
<link rel="Stylesheet" href="/a.css"><link rel="shortcut icon" href=i.ico><link rel=canonical href=/no>
<link href="b.css?x=1&amp;y=2" rel="stylesheet"><script src="//cdn.example/s.js"></script>
<link rel="alternate stylesheet" href=/no><link rel=stylesheet disabled href=/no><link rel=prefetch href=/no>
<link rel=preload as=style href=p.css><link rel=preload as=video href=/no><link rel=modulepreload href=m.js>
<link rel=preload as=image imagesrcset="q1.png 640w, q2.png 1280w" href=/no><link rel=preload as=font media=print href=/no>
<script>document.write('<img src="/no.png">')</script><style>@import "own.css"; p { background: url(bg.png) }</style>
<script nomodule src=/no></script><script type="application/json" src=/no></script><script type=module src=n.js></script>
<!-- <img src=/no.png> --></head><body style="background: url('body.png')"><img src=" /c.png "><IMG SRC='d.png' alt="<img src=/no>">
<a href=/no>x</a><img alt=none><img src=""><img src="http://[bad"><noscript><img src=/no.png></noscript>
<img srcset="s.png, t.png 2x" src=/no><img srcset=",,, no 0w" src=u.png><template><img src=/no></template>
<picture><source type=image/jxl srcset=/no><source media="(max-width: 9px)" srcset=/no><source type=image/webp srcset="v.webp 2x, w.webp"><img src=/no></picture>
<picture><source type=image/jxl srcset=/no><img src=x.png></picture><video poster=y.jpg src=/no><source src=/no></video><iframe src=/no></iframe>
<input type=image src=z.png><base href="http://other.example/x/"><base href="//no/"><img src=f.png><img src="data:image/png;base64,AA"><img src="blob:http://h/1"><img src=#top><img src=g`
	want := []string{
		"2 http://h/a.css", "0 http://h/dir/i.ico", "2 http://h/dir/b.css?x=1&y=2", "0 http://cdn.example/s.js",
		"2 http://h/dir/p.css", "0 http://h/dir/m.js", "0 http://h/dir/q2.png", "0 http://h/dir/own.css", "0 http://h/dir/bg.png", "0 http://h/dir/n.js",
		"0 http://h/dir/body.png", "0 http://h/c.png", "0 http://h/dir/d.png",
		"0 http://h/dir/s.png", "0 http://h/dir/u.png", "0 http://h/dir/w.webp", "0 http://h/dir/x.png", "0 http://h/dir/y.jpg", "0 http://h/dir/z.png",
		"0 http://other.example/x/f.png", "0 data:image/png;base64,AA", "0 blob:http://h/1",
	}
	base, _ := url.Parse("http://h/dir/page.html")
	var got []string
	scan(iotest.OneByteReader(strings.NewReader(page)), base, func(u *url.URL, as search, at int64) {
		got = append(got, fmt.Sprint(as, " ", u))
		if c := page[at-1]; c != '>' && c != '}' {
			t.Errorf("%s is said to be named by byte %d, within a tag", u, at)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestScanSheet(t *testing.T) {
	for _, test := range []struct {
		name, sheet string
		want        []string
	}{
		{"urls", `a{background:url(a.png)}b{background:URL( "b.png" ) , url('c d.png')}`, []string{"a.png", "b.png", "c d.png"}},
		{"imports", `@charset "utf-8";@import "a.css";@IMPORT url(b.css) screen and (min-width:1px);p{}@import "no.css";`, []string{"a.css", "b.css"}},
		{"no references", `@namespace url(no);@namespace x "no";a[href="no"]{content:"url(no)";mask:url(#no)}/* url(no) */ xurl(no)`, nil},
		{"escapes", `a{b:url(\61\ b.png);c:u\72l(x\)y);d:url("a\
b\"c")}`, []string{"a b.png", "x)y", `ab"c`}},
		{"a url that is bad", `a{b:url(no no);c:url(no"no);d:url(yes)}`, []string{"yes"}},
		{"a string that is broken", "a{b:url(\"no\n);c:url(yes)}", []string{"yes"}},
		{"a font that is read", `@font-face{src:url(no.eot);src:url("no.eot?#iefix")format("embedded-opentype"),url(no.svg#x)format(svg),url(a.woff2)format("woff2"),url(no.woff)format("woff")}
@font-face{font-family:x;src:local("y"),url(b.ttf)}p{background:url(c)}`, []string{"a.woff2", "b.ttf", "c"}},
		{"one of a set", `a{background:image-set("a.png" 1x,url(no.png) 2x,"no.png" 3x),url(b.png)}c{background:-webkit-image-set(url(c.png) type("no"))}`, []string{"a.png", "b.png", "c.png"}},
		{"cut off", `a{b:url(`, nil},
		{"cut off in a comment", `a{b:url(a)}/*`, []string{"a"}},
		{"closed too often", `}}))}a{b:url(a)}`, []string{"a"}},
		{"too long", `a{b:url(data:x,` + strings.Repeat("y", maxReference) + `);c:url(a)}`, []string{"a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			scanSheet(iotest.OneByteReader(strings.NewReader(test.sheet)), func(ref string, _ int64) { got = append(got, ref) })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCandidate(t *testing.T) {
	for _, test := range []struct{ srcset, plain, want string }{
		{"", "a", "a"},
		{"b 2x", "a", "a"},
		{"b 2x, c 3x", "", "b"},
		{"b 0.5x", "", "b"},
		{"b 320w, c 1300w, d 2000w", "a", "c"},
		{"b 320w, c 640w", "a", "c"},
		{"b,c", "a", "b,c"}, // a comma within a URL is a part of it
		{"b, c 2x", "a", "b"},
		{"data:image/png;base64,AA 1x, c", "", "data:image/png;base64,AA"},
		{"b 1q, c -1x, d NaNx, e 1e999x, f w, g 0w, h x", "a", "a"},
		{",,,,", "a", "a"},
		{"b (1,2) 1x, c", "", "c"},
		{"b 1x 300h", "", "b"},
	} {
		if got := candidate(test.srcset, test.plain); got != test.want {
			t.Errorf("%q, %q: %q, want %q", test.srcset, test.plain, got, test.want)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(`<base href="//x"><img src=a.png srcset="b 2x, c 1300w"><script src='b'><style>p{b:url(c)}</style>`))
	base, _ := url.Parse("http://h/dir/page.html")
	f.Fuzz(func(t *testing.T, b []byte) {
		scan(bytes.NewReader(b), base, func(u *url.URL, _ search, at int64) {
			if at <= 0 || at > int64(len(b)) {
				t.Fatalf("%s at byte %d of %d", u, at, len(b))
			}
			for _, c := range []byte(requestTarget(u)) {
				if c <= ' ' || c >= 0x7f {
					t.Fatalf("%q cannot stand in a request line", requestTarget(u))
				}
			}
		})
	})
}

func FuzzScanSheet(f *testing.F) {
	f.Add([]byte(`@import "a";@font-face{src:url(b)format("c")}a{b:image-set("d" 1x);c:url( 'e\66 ' )}/*`))
	f.Fuzz(func(t *testing.T, b []byte) {
		last := int64(0)
		scanSheet(bytes.NewReader(b), func(ref string, at int64) {
			if ref == "" || len(ref) > maxReference || at < last || at > int64(len(b)) {
				t.Fatalf("%q at byte %d of %d, after %d", ref, at, len(b), last)
			}
			last = at
		})
		// What is read piece by piece is the same.
		var whole, pieces []string
		scanSheet(bytes.NewReader(b), func(ref string, at int64) { whole = append(whole, fmt.Sprint(at, ref)) })
		scanSheet(iotest.OneByteReader(bytes.NewReader(b)), func(ref string, at int64) { pieces = append(pieces, fmt.Sprint(at, ref)) })
		if !slices.Equal(whole, pieces) {
			t.Fatalf("%q, in pieces %q", whole, pieces)
		}
	})
}

func FuzzCandidate(f *testing.F) {
	f.Add("a 1x, b 2w, c(,) d", "e")
	f.Fuzz(func(t *testing.T, srcset, plain string) {
		got := candidate(srcset, plain)
		if got != "" && !strings.Contains(srcset, got) && got != strings.TrimSpace(plain) {
			t.Fatalf("%q is in neither %q nor %q", got, srcset, plain)
		}
	})
}

// TestVisitGallery visits a page whose objects are known, and finds each.
func TestVisitGallery(t *testing.T) {
	a := newAuthority(t)
	w := linger.Gallery(1)
	clear, secure := count(t, w, nil), count(t, w, a.config("h2", "http/1.1"))
	for _, test := range []struct{ origin, strategy string }{
		{"http://" + clear.address, "close"},
		{"http://" + clear.address, "close:6"},
		{"http://" + clear.address, "keep"},
		{"http://" + clear.address, "keep:6"},
		{"http://" + clear.address, "pipeline"},
		{"http://" + clear.address, "h2"},
		{"https://" + secure.address, "close:6+resume"},
		{"https://" + secure.address, "keep"},
		{"https://" + secure.address, "h2"},
		{"https://" + secure.address, "h2:2"},
	} {
		s := test.strategy
		p, err := Visit(t.Context(), test.origin+w.Exchanges[0].Path, strategy(t, s), Config{Roots: a.roots()})
		if err != nil {
			t.Fatal(err)
		}
		check(t, p.Trace)
		if f := failures(p.Trace); len(f) > 0 {
			t.Errorf("%s: failed %v", s, f)
		}
		if err := p.Workload.Validate(); err != nil {
			t.Error(err)
		}
		if len(p.Workload.Exchanges) != len(w.Exchanges) || p.Workload.Bytes() != w.Bytes() {
			t.Errorf("%s: found %d exchanges of %d bytes, there are %d of %d", s, len(p.Workload.Exchanges), p.Workload.Bytes(), len(w.Exchanges), w.Bytes())
		}
		for i, x := range p.Workload.Exchanges {
			if want := w.Exchanges[i]; x.Path != want.Path || x.At != want.At || x.ResponseBody != want.ResponseBody {
				t.Errorf("%s: %s of %d bytes at %d, want %s of %d at %d", s, x.Path, x.ResponseBody, x.At, want.Path, want.ResponseBody, want.At)
			}
		}
	}
}

func TestVisit(t *testing.T) {
	mux := http.NewServeMux()
	page := func(path, body string) {
		mux.HandleFunc(path, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(out, body)
		})
	}
	mux.HandleFunc("/", http.NotFound)
	page("/page", `<img src=/a b><img src=a%20b><img src="/a?b c é"><img src=http://elsewhere.example/x><img src=/page#top>`)
	page("/text.txt", "")
	mux.HandleFunc("/plain", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, "just text <img src=/a>") })
	mux.Handle("/moved", http.RedirectHandler("/page?x", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler("https://elsewhere.example/", http.StatusMovedPermanently))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	for i := range 9 {
		mux.Handle(fmt.Sprintf("/far/%d", i), http.RedirectHandler(fmt.Sprintf("/far/%d", i+1), http.StatusTemporaryRedirect))
	}
	many := ""
	for i := range 300 {
		many += fmt.Sprintf("<img src=/many/%d>", i)
	}
	page("/many", many)
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()

	for _, test := range []struct {
		path      string
		fetched   []string
		elsewhere int
		beyond    int
		away      string
	}{
		{"/page", []string{"/page", "/a", "/a%20b", "/a?b%20c%20%C3%A9"}, 1, 0, ""},
		{"/moved", []string{"/moved", "/page?x", "/a", "/a%20b", "/a?b%20c%20%C3%A9", "/page"}, 1, 0, ""},
		{"/plain", []string{"/plain"}, 0, 0, ""},
		{"/none", []string{"/none"}, 0, 0, ""},
		{"/away", []string{"/away"}, 0, 0, "https://elsewhere.example/"},
		{"/loop", []string{"/loop"}, 0, 0, server.URL + "/loop"},
		{"/far/0", []string{"/far/0", "/far/1", "/far/2", "/far/3", "/far/4", "/far/5"}, 0, 0, server.URL + "/far/6"},
		{"/many", nil, 0, 100, ""},
	} {
		for _, s := range []string{"keep", "h2"} {
			p, err := Visit(t.Context(), server.URL+test.path, strategy(t, s), Config{})
			if err != nil {
				t.Fatal(err)
			}
			check(t, p.Trace)
			if f := failures(p.Trace); len(f) > 0 {
				t.Errorf("%s: failed %v", test.path, f)
			}
			if err := p.Workload.Validate(); err != nil {
				t.Errorf("%s: %v", test.path, err)
			}
			var fetched []string
			for _, x := range p.Workload.Exchanges {
				fetched = append(fetched, x.Path)
			}
			if test.fetched == nil && len(fetched) != 201 || test.fetched != nil && !slices.Equal(fetched, test.fetched) {
				t.Errorf("%s: fetched %q\nwant %q", test.path, fetched, test.fetched)
			}
			if p.Elsewhere != test.elsewhere || p.Beyond != test.beyond || p.Unfollowed != test.away {
				t.Errorf("%s: %d elsewhere, %d beyond, redirect to %q", test.path, p.Elsewhere, p.Beyond, p.Unfollowed)
			}
			if len(p.Trace.Connections) != 1 {
				t.Errorf("%s: %d connections", test.path, len(p.Trace.Connections))
			}
		}
	}
}

// TestVisitSheets visits a page whose style sheets name further objects, all of it
// compressed or not, and asks again for what was found.
func TestVisitSheets(t *testing.T) {
	for _, coding := range []string{"", "gzip"} {
		t.Run(coding, func(t *testing.T) {
			mux := http.NewServeMux()
			serve := func(path, kind, body string) {
				mux.HandleFunc(path, func(out http.ResponseWriter, in *http.Request) {
					out.Header().Set("Content-Type", kind)
					if coding == "" || in.Header.Get("Accept-Encoding") != "gzip" {
						io.WriteString(out, body)
						return
					}
					out.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(out)
					io.WriteString(z, body)
					z.Close()
				})
			}
			serve("/page", "text/html", `<link rel=stylesheet href=/css/a.css><img src=/moved.png><link rel=stylesheet href=/plain.css>`+strings.Repeat("word ", 2000))
			serve("/css/a.css", "text/css; charset=utf-8", `@import "b.css"; p { background: url(../c.png) } q { background: url(http://elsewhere.example/x) }`)
			serve("/css/b.css", "text/css", `p { background: url(no.png) }`)
			serve("/plain.css", "text/plain", `p { background: url(no.png) }`)
			serve("/c.png", "image/png", "c")
			serve("/d.png", "image/png", "d")
			mux.Handle("/moved.png", http.RedirectHandler("/d.png", http.StatusFound))
			server := httptest.NewUnstartedServer(mux)
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(true)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Start()
			defer server.Close()
			for _, s := range []string{"keep", "h2"} {
				p, err := Visit(t.Context(), server.URL+"/page", strategy(t, s), Config{})
				if err != nil {
					t.Fatal(err)
				}
				if f := failures(p.Trace); len(f) > 0 {
					t.Errorf("failed %v", f)
				}
				var found []string
				for _, x := range p.Workload.Exchanges {
					found = append(found, x.Path)
				}
				slices.Sort(found)
				if diff := cmp.Diff([]string{"/c.png", "/css/a.css", "/css/b.css", "/d.png", "/moved.png", "/page", "/plain.css"}, found); diff != "" {
					t.Error(diff)
				}
				if page := p.Workload.Exchanges[0].ResponseBody; (page < 1000) != (coding == "gzip") {
					t.Errorf("the page has %d bytes", page)
				}
				if p.Elsewhere != 1 || !p.Searched || p.Document != 0 {
					t.Errorf("%d elsewhere, searched: %v, document %d", p.Elsewhere, p.Searched, p.Document)
				}
				if err := p.Workload.Validate(); err != nil {
					t.Error(err)
				}
				p.Workload.Exchanges[3].Status = 418
				tr, err := Run(t.Context(), linger.Scenario{Workload: p.Workload, Strategy: strategy(t, s)},
					Config{Address: strings.TrimPrefix(server.URL, "http://"), Statuses: true, Encoding: "gzip"})
				if err != nil {
					t.Fatal(err)
				}
				for i, x := range tr.Exchanges {
					if want := p.Workload.Exchanges[i].ResponseBody; x.ResponseBody != want || (x.Failed != "") != (i == 3) {
						t.Errorf("%s of %d bytes, then %d: %s", x.URL, want, x.ResponseBody, x.Failed)
					}
				}
			}
		})
	}
}

// TestVisitIsBounded visits what has no end.
func TestVisitIsBounded(t *testing.T) {
	mux := http.NewServeMux()
	endless := func(kind, text string) http.HandlerFunc {
		return func(out http.ResponseWriter, in *http.Request) {
			out.Header().Set("Content-Type", kind)
			piece := []byte(strings.Repeat(text, 64<<10/len(text)))
			for in.Context().Err() == nil {
				if _, err := out.Write(piece); err != nil {
					return
				}
			}
		}
	}
	mux.Handle("/html", endless("text/html", "<p>text"))
	mux.Handle("/tag", endless("text/html", "<img src=x "))
	mux.Handle("/bytes", endless("application/octet-stream", "x"))
	mux.Handle("/endless.css", endless("text/css", "a{b:url(/c.png)}/* "))
	mux.HandleFunc("/page", func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		fmt.Fprint(out, "<link rel=stylesheet href=/endless.css><img src=/c.png>")
	})
	mux.HandleFunc("/bomb", func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		out.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(out)
		piece := make([]byte, 1<<20)
		for range 200 {
			z.Write(piece)
		}
		z.Close()
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, want := range map[string][]bool{ // whether each exchange fails
		"/html": {true}, "/tag": {true}, "/bytes": {true}, "/bomb": {false}, "/page": {false, true, false},
	} {
		p, err := Visit(t.Context(), server.URL+path, strategy(t, "keep:2"), Config{})
		if err != nil {
			t.Fatal(err)
		}
		var total int64
		var failed []bool
		for _, x := range p.Trace.Exchanges {
			total += x.ResponseBody
			failed = append(failed, x.Failed != "")
			if x.Failed != "" && !strings.Contains(x.Failed, "larger than the 64 MB") {
				t.Errorf("%s: %s", path, x.Failed)
			}
		}
		if !slices.Equal(failed, want) || total > VisitLimit+4*chunkSize {
			t.Errorf("%s: failed %v of %d bytes", path, failed, total)
		}
	}
}

func TestVisitNonsense(t *testing.T) {
	for target, want := range map[string]string{
		"ftp://example.org/":     "not an http or https URL",
		"example.org":            "not an http or https URL",
		"http:///x":              "not an http or https URL",
		"http://a b/":            "not a URL",
		"http://me:pw@host/":     "user and password are not sent",
		"http://x.invalid/":      "check the name",
		"http://127.0.0.1:99999": "the port is a number",
	} {
		_, err := Visit(t.Context(), target, strategy(t, "keep"), Config{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v, want %q", target, err, want)
		}
	}
}

// TestCurlAgrees has curl fetch what we fetch, and compares what both counted.
func TestCurlAgrees(t *testing.T) {
	curl := tool(t, "curl")
	w := plain(t, linger.Gallery(1))
	server := count(t, w, nil)
	for _, s := range []string{"close", "keep"} {
		tr := fetch(t, w, s, Config{Address: server.address, Verify: true})
		for _, i := range []int{0, 1, 40} {
			out, err := exec.Command(curl, "-s", "-o", "/dev/null", "-w", "%{size_header} %{size_download} %{http_code}",
				"-H", "Connection: "+map[string]string{"close": "close", "keep": "keep-alive"}[s], tr.Exchanges[i].URL).Output()
			if err != nil {
				t.Fatal(err)
			}
			x := tr.Exchanges[i]
			if got := fmt.Sprintf("%d %d %d", x.ResponseHead, x.ResponseBody, x.Status); got != string(out) {
				t.Errorf("%s, exchange %d: head, body, status %s; curl says %s", s, i, got, out)
			}
		}
	}
}
