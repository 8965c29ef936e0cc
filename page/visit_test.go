package page

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

func visitTo(t *testing.T, target, method string) *Visit {
	t.Helper()
	u, err := ParseURL(target)
	if err != nil {
		t.Fatal(err)
	}
	return NewVisit(target, u, linger.Strategy{InFlight: 1}, method, 0)
}

// all takes up references of the document, and returns what is to be asked for.
func all(v *Visit, from int, urls ...string) (next []string) {
	for _, u := range urls {
		if x, ok := v.Add(from, Reference{URL: u}); ok {
			next = append(next, x.Path)
		}
	}
	return next
}

func TestAnObjectIsAskedForOnceAndOfItsOrigin(t *testing.T) {
	v := visitTo(t, "http://Example.org/index", "GET")
	got := all(v, 0, "http://example.org/a", "http://EXAMPLE.org:80/a", "http://example.org/a?x", "https://example.org/a",
		"http://example.org:8080/a", "http://other.example/a", "http://other.example/a", "http://example.org/index", "http://[bad", "http://example.org/ü b")
	if want := "[/a /a?x /%C3%BC%20b]"; fmt.Sprint(got) != want {
		t.Errorf("asks for %v, want %s", got, want)
	}
	found := v.Result(&trace.Trace{Exchanges: make([]trace.Exchange, 4)})
	if found.Elsewhere != 3 || found.Beyond != 0 || !found.Searched || found.Document != 0 {
		t.Errorf("%+v", found)
	}
}

func TestAPageHasBounds(t *testing.T) {
	v := visitTo(t, "http://h/", "GET")
	n := 0
	for i := range maxObjects + 7 {
		n += len(all(v, 0, fmt.Sprintf("http://h/%d", i)))
	}
	if found := v.Result(&trace.Trace{Exchanges: make([]trace.Exchange, n+1)}); n != maxObjects || found.Beyond != 7 {
		t.Errorf("%d objects, %d beyond", n, found.Beyond)
	}

	// Once the bytes are used up, nothing more is asked for.
	v = visitTo(t, "http://h/", "GET")
	if !v.Take(MaxBytes) || v.Take(1) {
		t.Error("a page has not the bytes that it may have")
	}
	if got := all(v, 0, "http://h/a"); got != nil {
		t.Errorf("asks for %v", got)
	}
}

func TestRedirectsOfTheDocument(t *testing.T) {
	for _, test := range []struct {
		name, from, to, method string
		followed               bool
		because                string
		fault                  bool
	}{
		{"within the origin", "http://h/", "http://h/b", "GET", true, "", false},
		{"to itself", "http://h/", "http://h/", "GET", false, "it has been there before", true},
		{"to another origin", "http://h/", "http://www.h/", "GET", false, "that is another origin", false},
		{"to https", "http://h/", "https://h/", "GET", false, "that is another origin", false},
		{"from https", "https://h/", "http://h/", "GET", false, "it leads from https to http", false},
		{"to a scheme that is not fetched", "http://h/", "ftp://h/", "GET", false, "ftp: is not fetched", true},
		{"to no URL", "http://h/", "http://[bad", "GET", false, "that is no URL", true},
		{"of a POST", "http://h/", "http://h/b", "POST", false, "what was asked for by POST is not asked for again", false},
	} {
		v := visitTo(t, test.from, test.method)
		x, ok := v.Add(0, Reference{URL: test.to, Redirect: true})
		if ok != test.followed || ok && x.Method != "GET" {
			t.Errorf("%s: followed is %v", test.name, ok)
		}
		tr := &trace.Trace{Exchanges: make([]trace.Exchange, 2)}
		found := v.Result(tr)
		if found.Unfollowing != test.because || found.AtFault != test.fault || (found.Unfollowed == "") != ok {
			t.Errorf("%s: %q is not followed, since %q (%v)", test.name, found.Unfollowed, found.Unfollowing, found.AtFault)
		}
		if advice := strings.Contains(strings.Join(tr.Notes, ""), "give that URL"); advice == (ok || test.fault) {
			t.Errorf("%s: notes %q", test.name, tr.Notes)
		}
	}
}

func TestRedirectsEnd(t *testing.T) {
	v := visitTo(t, "http://h/0", "GET")
	for i := range maxRedirects {
		if _, ok := v.Add(i, Reference{URL: fmt.Sprintf("http://h/%d", i+1), Redirect: true}); !ok {
			t.Fatalf("redirect %d is not followed", i+1)
		}
	}
	if _, ok := v.Add(maxRedirects, Reference{URL: "http://h/end", Redirect: true}); ok {
		t.Error("one more is followed")
	}
	found := v.Result(&trace.Trace{Exchanges: make([]trace.Exchange, maxRedirects+1)})
	if found.Document != maxRedirects || found.Unfollowing != "it is one redirect more than 5" {
		t.Errorf("document %d, %q", found.Document, found.Unfollowing)
	}
}

func TestWhatFailedIsNotPartOfThePage(t *testing.T) {
	v := visitTo(t, "http://h/", "GET")
	v.Add(0, Reference{URL: "http://h/a.css", Search: AsSheet, At: 10})
	v.Add(1, Reference{URL: "http://h/b.png", At: 20})
	v.Add(0, Reference{URL: "http://h/c.png", At: 30})
	for i := range 4 {
		v.Learn(i, 200, "image/png", 100, int64(1000*i))
	}
	at := func(ms int64) linger.Opt[linger.Instant] { return linger.Known(linger.Instant(ms * 1e6)) }
	tr := &trace.Trace{
		Connections: []trace.Connection{{Dialled: 0, Established: at(20)}},
		Exchanges: []trace.Exchange{
			{Sent: at(20), FirstByte: at(47), RequestHead: 60}, // 7 ms longer than a round trip
			{Failed: "reset"},
			{Sent: at(80), FirstByte: at(100), RequestHead: 61},
			{Sent: at(80), FirstByte: at(100), RequestHead: 62},
		},
	}
	got := v.Result(tr).Workload.Exchanges
	if len(got) != 3 || got[0].Delay != 7*time.Millisecond || got[0].RequestHead != 60 || got[0].ResponseHead != 100 {
		t.Fatalf("%+v", got)
	}
	// What named b.png has failed, so that it is wanted from the beginning.
	if b := got[1]; b.Path != "/b.png" || b.Parent != linger.NoParent || b.At != 0 || b.ResponseBody != 2000 || b.Delay != 0 {
		t.Errorf("%+v", b)
	}
	if c := got[2]; c.Path != "/c.png" || c.Parent != 0 || c.At != 30 {
		t.Errorf("%+v", c)
	}
}

func TestWhatAResponseIsSearchedFor(t *testing.T) {
	u, _ := url.Parse("http://h/dir/page")
	for _, test := range []struct {
		name   string
		status int
		search Search
		fields map[string]string
		body   string
		want   string
	}{
		{"a document", 200, AsDocument, map[string]string{"Content-Type": "text/html; charset=utf-8"}, "<img src=a.png#x>", "http://h/dir/a.png"},
		{"a document of another type", 200, AsDocument, map[string]string{"Content-Type": "text/plain"}, "<img src=a.png>", ""},
		{"an error", 404, AsDocument, map[string]string{"Content-Type": "text/html"}, "<img src=a.png>", ""},
		{"a sheet", 200, AsSheet, map[string]string{"Content-Type": "Text/CSS"}, "p{background:url(a.png)}", "http://h/dir/a.png"},
		{"an image", 200, NotSearched, map[string]string{"Content-Type": "text/html"}, "<img src=a.png>", ""},
		{"a redirect", 302, NotSearched, map[string]string{"Location": "/b#top"}, "", "http://h/b"},
		{"a redirect to no URL", 302, AsDocument, map[string]string{"Location": "http://[bad"}, "", "http://[bad"},
		{"a coding that is not known", 200, AsDocument, map[string]string{"Content-Type": "text/html", "Content-Encoding": "br"}, "x", "is coded as br, which was not asked for"},
	} {
		var got []string
		r := Response{URL: u, Status: test.status, Field: func(name string) string { return test.fields[name] }, Content: strings.NewReader(test.body), Search: test.search}
		r.References(func(ref Reference) { got = append(got, ref.URL+ref.Unread) })
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
