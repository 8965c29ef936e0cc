package live

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linger"
	"linger/page"
)

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
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	mux.Handle("/user", http.RedirectHandler("http://me:hush@elsewhere.example/", http.StatusFound))
	mux.HandleFunc("/no-url", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://[::1")
		w.WriteHeader(http.StatusFound)
	})
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
		{"/file", []string{"/file"}, 0, 0, "file:///etc/passwd"},
		{"/user", []string{"/user"}, 0, 0, "http://elsewhere.example/"},
		{"/no-url", []string{"/no-url"}, 0, 0, "http://[::1"},
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
			if fault := slices.Contains([]string{"/file", "/no-url", "/loop", "/far/0"}, test.path); p.AtFault != fault || (p.Unfollowing != "") != (test.away != "") {
				t.Errorf("%s: at fault %v, as %q", test.path, p.AtFault, p.Unfollowing)
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
		if !slices.Equal(failed, want) || total > page.MaxBytes+4*chunkSize {
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
		"http://127.0.0.1:99999": "99999 is no port",
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

// TestUnreadContent shows that what could not be unpacked is said, and is not a page without
// objects.
func TestUnreadContent(t *testing.T) {
	var whole bytes.Buffer
	z := gzip.NewWriter(&whole)
	fmt.Fprintf(z, "<img src=/a>%s<img src=/b>", strings.Repeat("<!-- "+strings.Repeat("x", 1000)+" -->", 100))
	z.Close()
	broken := append(bytes.Clone(whole.Bytes()[:10]), bytes.Repeat([]byte{0x07}, 100)...) // a type of block that there is not
	for name, test := range map[string]struct {
		coding  string
		content []byte
		note    string
	}{
		"whole":         {"gzip", whole.Bytes(), ""},
		"no gzip":       {"gzip", []byte("<img src=/a>"), "the content of / is gzip that cannot be unpacked: not all that it names is known"},
		"broken":        {"gzip", broken, "the content of / is gzip that cannot be unpacked: not all that it names is known"},
		"cut":           {"gzip", whole.Bytes()[:whole.Len()/2], "the content of / is gzip that ends early: not all that it names is known"},
		"empty":         {"gzip", nil, ""},
		"not asked for": {"br", []byte("something"), "the content of / is coded as br, which was not asked for: not all that it names is known"},
		"twice":         {"gzip, gzip", whole.Bytes(), "the content of / is coded as gzip, gzip, which was not asked for: not all that it names is known"},
	} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Content-Encoding", test.coding)
				w.Write(test.content)
			}
		}))
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		for _, s := range []string{"keep", "h2"} {
			p, err := Visit(t.Context(), server.URL, strategy(t, s), Config{})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.Trace.Notes, "; "); got != test.note {
				t.Errorf("%s, %s: %q, want %q", name, s, got, test.note)
			}
			if f := failures(p.Trace); len(f) > 0 {
				t.Errorf("%s, %s: failed %v", name, s, f)
			}
		}
		server.Close()
	}
}
