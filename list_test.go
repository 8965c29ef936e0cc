package linger

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseList(t *testing.T) {
	w, err := ParseList("mine", strings.NewReader("\ufeff# a page of our own\r\n"+`
		/log?a=b  0 /style.css   status=204 think=50ms at=10   # before its parent
		/         43008 -
		/style.css 5120 / at=600 head=300 request-head=400

		POST:/log?a=b 17 /log?a=b body=99 delay=1.5s type=text/plain
		/lone.png 5
		/b 1 POST:/log?a=b
	`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Exchange{
		{Method: "GET", Path: "/", Status: 200, ContentType: "text/html", ResponseBody: 43008, Parent: NoParent},
		{Method: "GET", Path: "/style.css", Status: 200, ContentType: "text/css", ResponseBody: 5120, At: 600, ResponseHead: 300, RequestHead: 400},
		{Method: "GET", Path: "/log?a=b", Status: 204, ContentType: "application/octet-stream", Parent: 1, At: 10, Think: 50 * time.Millisecond},
		{Method: "POST", Path: "/log?a=b", Status: 200, ContentType: "text/plain", ResponseBody: 17, RequestBody: 99, Parent: 2, Delay: 1500 * time.Millisecond},
		{Method: "GET", Path: "/lone.png", Status: 200, ContentType: "image/png", ResponseBody: 5, Parent: NoParent},
		{Method: "GET", Path: "/b", Status: 200, ContentType: "application/octet-stream", ResponseBody: 1, Parent: 3, At: 17},
	}
	if !slices.Equal(w.Exchanges, want) {
		t.Errorf("got\n%+v\nwant\n%+v", w.Exchanges, want)
	}
	if w.Name != "mine" || w.Scheme != "http" || w.Validate() != nil {
		t.Errorf("%q, %q, %v", w.Name, w.Scheme, w.Validate())
	}
}

func TestParseListExplains(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "the list is empty",
		"# nothing\n\n":                        "the list is empty",
		"/a":                                   `line 1: "/a" has no size`,
		"\n# x\n/a many":                       `line 3: "many" is not a number of bytes`,
		"/a -1":                                "line 1: a body of -1 bytes; write 0 to 4294967296",
		"/a 4294967297":                        "line 1: a body of",
		"/a 99999999999999999999":              "not a number of bytes",
		"/a 1\n/b 1 /c":                        "line 2: /b depends on /c, which no line has",
		"/a 1\n/b 1 POST:/a":                   "line 2: /b depends on POST:/a, which no line has",
		"/a 1\n/b 1\n/a 2":                     "line 3: GET /a stands on line 1 already",
		"/a 1 /a":                              "line 1: /a depends on itself: /a on /a;",
		"/x 1\n/a 1 /b\n/b 1 /a":               "line 2: /a depends on itself: /a on /b on /a;",
		"/a 1 /b\n/b 1 /c\n/c 1 /b":            "line 2: /b depends on itself: /b on /c on /b;",
		"a 1":                                  "line 1: path \"a\" must begin with /",
		"/a 1 - at=0":                          "line 1: at= says where in its parent",
		"/a 1\n/b 1 /a at=2":                   "line 2: it is named at byte 2 of a parent of 1 bytes",
		"/a 1\n/b 1 /a at=-1":                  "line 2: it is named at byte -1",
		"/a 1 - status=700":                    "line 1: status 700",
		"/a 1 - status=204":                    "line 1: GET with status 204 carries no content",
		"HEAD:/a 1":                            "line 1: HEAD with status 200 carries no content",
		"/a 1 - think=-1s":                     "line 1: a wait of",
		"/a 1 - think=5":                       "line 1: think=5: not a value",
		"/a 1 - body=-5":                       "line 1: a body of -5",
		"/a 1 - head=999999":                   "line 1: heads of",
		"/a 1 - statu=5":                       `line 1: unknown option "statu"; did you mean status?`,
		"/a 1 - - x":                           `line 1: "-" is not an option`,
		"/a 1 - type=\x01":                     "line 1: content type",
		"/" + strings.Repeat("a", maxListLine): "line 1: longer than 16384 bytes",
		strings.Repeat("\n", maxListLines+1):   "a list has at most",
	} {
		_, err := ParseList("mine", strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want it to say %q", in, err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: the error has several lines: %v", in, err)
		}
	}
	if _, err := ParseList("mine", io.MultiReader(strings.NewReader("/a 1\n"), failing{})); err == nil || !strings.Contains(err.Error(), "line 2: no disk") {
		t.Errorf("a reader that fails: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("no disk") }

func TestListsAreBounded(t *testing.T) {
	var list strings.Builder
	for i := range MaxExchanges {
		// The longest chain, from its far end.
		fmt.Fprintf(&list, "/%d 1 /%d\n", i, i+1)
	}
	if _, err := ParseList("", strings.NewReader(list.String()+fmt.Sprintf("/%d 1\n", MaxExchanges))); err == nil || !strings.Contains(err.Error(), "line 20001: one run holds at most") {
		t.Errorf("one exchange too many: %v", err)
	}
	whole := strings.Replace(list.String(), fmt.Sprintf(" /%d\n", MaxExchanges), "\n", 1)
	w, err := ParseList("", strings.NewReader(whole))
	if err != nil || len(w.Exchanges) != MaxExchanges || w.Exchanges[0].Path != fmt.Sprintf("/%d", MaxExchanges-1) {
		t.Errorf("the longest list: %d exchanges, %v", len(w.Exchanges), err)
	}
	ring := strings.Replace(list.String(), fmt.Sprintf(" /%d\n", MaxExchanges), " /0\n", 1)
	if _, err := ParseList("", strings.NewReader(ring)); err == nil || len(err.Error()) > 300 {
		t.Errorf("a ring of %d exchanges: %v", MaxExchanges, err)
	}
}

func TestEveryWorkloadSurvivesItsList(t *testing.T) {
	for _, f := range Workloads() {
		w, err := ParseWorkload(f.Name, 1)
		if err != nil {
			t.Fatal(err)
		}
		if w.Scheme == SchemeDNS {
			continue // whose lists are of names
		}
		survives(t, w.WithThink(30*time.Millisecond))
	}
}

// survives checks that w, written as a list, is read as the same exchanges.
func survives(t *testing.T, w Workload) {
	t.Helper()
	var list bytes.Buffer
	if err := w.WriteList(&list); err != nil {
		t.Fatal(err)
	}
	again, err := ParseList(w.Name, bytes.NewReader(list.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, &list)
	}
	if !slices.Equal(w.Exchanges, again.Exchanges) {
		t.Errorf("%s is read back as another workload:\n%s", w.Name, &list)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("/ 43008 -\n/style.css 5120 / at=600\nPOST:/log 0 /style.css status=204 think=50ms\n")
	f.Add("# comment\n\n/b 1 /a\n/a 2\n")
	f.Add("/a 1 /b\n/b 1 /a\n")
	f.Add("/a 1 - type=text/html body=3 head=4 request-head=5 delay=1h\r\n")
	f.Add("\ufeff/a=b 0 at=\n:/ 0\nGET:/ 0\n")
	f.Fuzz(func(t *testing.T, list string) {
		w, err := ParseList("fuzz", strings.NewReader(list))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") && !strings.HasPrefix(err.Error(), "the list is empty") {
				t.Errorf("the error names no line: %v", err)
			}
			return
		}
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		survives(t, w)
	})
}

func TestListOfOrigins(t *testing.T) {
	const text = `
/                             900
//cdn.example/1.png           100 / rtt=40ms
//CDN.example/2.png           100 //cdn.example/1.png
POST://api.example:8080/log   0   /
//[2001:db8::1]:8080//twice   5   POST://api.example:8080/log
////three                     5   /
//bare.example                5
`
	w, err := ParseList("t", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Origin{{}, {Name: "cdn.example", ExtraRTT: Known(40 * time.Millisecond)}, {Name: "api.example:8080"}, {Name: "[2001:db8::1]:8080"}, {Name: "bare.example"}}
	if !slices.Equal(w.Origins, want) {
		t.Errorf("origins %+v; want %+v", w.Origins, want)
	}
	var got []string
	for i, e := range w.Exchanges {
		got = append(got, fmt.Sprintf("%s %s %s %d", e.Method, w.Authority(i), e.Path, e.Parent))
	}
	if want := []string{"GET  / -1", "GET cdn.example /1.png 0", "GET cdn.example /2.png 1", "POST api.example:8080 /log 0",
		"GET [2001:db8::1]:8080 //twice 3", "GET  //three 0", "GET bare.example / -1"}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	var b bytes.Buffer
	if err := w.WriteList(&b); err != nil {
		t.Fatal(err)
	}
	again, err := ParseList("t", &b)
	if err != nil || !slices.Equal(again.Exchanges, w.Exchanges) || !slices.Equal(again.Origins, w.Origins) {
		t.Errorf("comes back as %+v, %v", again, err)
	}
	merged := w.Merged()
	if err := merged.Validate(); err != nil || merged.Exchanges[3].Path != "/api.example:8080/log" || merged.Exchanges[0].Path != "/" || len(merged.Origins) != 0 {
		t.Errorf("merged: %+v, %v", merged, err)
	}
	for in, want := range map[string]string{
		"/ 1\n//a b.example/ 1":           `line 2: "b.example/" is not a number of bytes`,
		"/ 1\n//a%b/ 1":                   `line 2: "a%b" is no host`,
		"/ 1\n//a/ 1 rtt=5":               "line 2: rtt=5: not a value",
		"//a/ 1 rtt=5ms\n//a/2 1 rtt=6ms": "line 2: rtt=6ms, where another line of that origin says 5ms",
		"//a/ 1 rtt=-5ms":                 `origin 1 of workload "t": a round trip longer by -5ms`,
		"/ 1\n//a/ 1 /x":                  "line 2: / depends on /x",
	} {
		if _, err := ParseList("t", strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want it to say %q", in, err, want)
		}
	}
}
