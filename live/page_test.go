package live

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"linger"
)

func TestScan(t *testing.T) {
	const page = `<!DOCTYPE html><html><head>
<link rel="Stylesheet" href="/a.css"><link rel="shortcut icon" href=i.ico><link rel=canonical href=/no>
<link href="b.css?x=1&amp;y=2" rel="stylesheet"><script src="//cdn.example/s.js"></script>
<script>document.write('<img src="/no.png">')</script><style>@import "/no.css"</style>
<!-- <img src=/no.png> --></head><body><img src=" /c.png "><IMG SRC='d.png' alt="<img src=/no>">
<a href=/no>x</a><img alt=none><img src=""><img src="http://[bad"><noscript><img src=/no.png></noscript>
<base href="http://other.example/x/"><img src=f.png><img src="data:image/png;base64,AA"><img src=g`
	want := []string{
		"http://h/a.css", "http://h/dir/i.ico", "http://h/dir/b.css?x=1&y=2", "http://cdn.example/s.js", "http://h/c.png",
		"http://h/dir/d.png", "http://other.example/x/f.png", "data:image/png;base64,AA",
	}
	base, _ := url.Parse("http://h/dir/page.html")
	var got []string
	scan(iotest.OneByteReader(strings.NewReader(page)), base, func(u *url.URL, at int64) {
		got = append(got, u.String())
		if page[at-1] != '>' {
			t.Errorf("%s is said to be named by byte %d, within a tag", u, at)
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("found %q\nwant  %q", got, want)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(`<base href="//x"><img src=a.png><script src='b'>`))
	base, _ := url.Parse("http://h/dir/page.html")
	f.Fuzz(func(t *testing.T, b []byte) {
		scan(strings.NewReader(string(b)), base, func(u *url.URL, at int64) {
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
