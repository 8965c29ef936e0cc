package browser

import (
	"strings"
	"testing"

	"linger"
)

// TestAsSent holds paths against what the URL standard has browsers send.
func TestAsSent(t *testing.T) {
	for path, want := range map[string]string{
		"/":                       "/",
		"/a.png?v=2&x=%20y":       "/a.png?v=2&x=%20y",
		"//a//b/":                 "//a//b/",
		"/a/../b":                 "/b",
		"/../../b":                "/b",
		"/a/.":                    "/a/",
		"/a/..":                   "/",
		"/a/%2E%2e/b":             "/b",
		"/a/.../b":                "/a/.../b",
		"/.hidden":                "/.hidden",
		"/a#b?c":                  "/a",
		`/a\b`:                    "/a/b",
		`/a"<b>`:                  "/a%22%3Cb%3E",
		"/it's?it's":              "/it's?it%27s",
		"/q?a/../b":               "/q?a/../b",
		"/a;b=c,d:e@f!$&()*+[]~-": "/a;b=c,d:e@f!$&()*+[]~-",
	} {
		if got := asSent(path); got != want {
			t.Errorf("%s is sent as %s, want %s", path, got, want)
		}
	}
}

func page(t *testing.T, list string) linger.Workload {
	t.Helper()
	w, err := linger.ParseList("page", strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestPlaces(t *testing.T) {
	for _, test := range []struct{ scheme, host, base, port string }{
		{"http", "a.example", "http://a.example", "a.example:80"},
		{"https", "a.example", "https://a.example", "a.example:443"},
		{"https", "a.example:443", "https://a.example", "a.example:443"},
		{"https", "a.example:80", "https://a.example:80", "a.example:80"},
		{"http", "[::1]", "http://[::1]", "[::1]:80"},
		{"http", "[::1]:8080", "http://[::1]:8080", "[::1]:8080"},
	} {
		p := Place{Host: test.host}
		if p.base(test.scheme) != test.base || p.hostPort(test.scheme) != test.port {
			t.Errorf("%s of %s: %s, %s", test.host, test.scheme, p.base(test.scheme), p.hostPort(test.scheme))
		}
	}
	w := page(t, "//a/ 900 - type=text/html\n//a:80/x 10 //a/\n")
	if err := check(w, []Place{{"a", ""}, {"a:80", ""}}); err == nil || !strings.Contains(err.Error(), "name it once") {
		t.Error(err)
	}
	if err := check(w, []Place{{"a", ""}}); err == nil {
		t.Error("an origin without a place")
	}
}

// TestScript has what HTML names left to the browser, and everything else to the script.
func TestScript(t *testing.T) {
	w := page(t, `
/old  0 - status=301 type=
/  9000 /old type=text/html
/a.css  10 / at=900
/b.woff2  20 /a.css
POST:/c  0 / at=2000 status=204 body=7
/frame  30 / at=3000 type=text/html
`)
	text, err := script(w, []Place{{Host: "origin"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"url":"http://origin/old","method":"GET","how":"fetch","parent":-1,"at":0,"next":1}`,
		`{"url":"http://origin/","method":"GET","how":"fetch","parent":0,"at":0,"named":true}`,
		`{"url":"http://origin/a.css","method":"GET","how":"style","parent":1,"at":900,"named":true}`,
		`{"url":"http://origin/b.woff2","method":"GET","how":"font","parent":2,"at":10}`,
		`{"url":"http://origin/c","method":"POST","how":"fetch","body":7,"parent":1,"at":2000}`,
		`{"url":"http://origin/frame","method":"GET","how":"fetch","parent":1,"at":3000}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	for list, want := range map[string]string{
		"/x 0 - status=301 type=\n":                  "redirects to nothing",
		"/x 0 - status=404 type=text/html\n":         "with status 404 and text/html",
		"POST:/x 9000 - type=text/html\n":            "begins with a page",
		"/ 900 - type=text/html\n/b 1 -\n":           "depends on nothing",
		"/ 900 - type=text/html\n/b 1 / body=3\n":    "sends no content with GET",
		"/ 900 - type=text/html\n/b 1 / think=1s\n":  "waits as it likes",
		"/ 900 - type=text/html\nCONNECT:/b 0 / \n":  "send CONNECT",
		"/ 900 - type=text/html\n/./b 1 / at=300 \n": "asks for /./b as /b",
	} {
		if err := fits(page(t, list)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", list, err)
		}
	}
}
