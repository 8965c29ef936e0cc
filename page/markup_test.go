package page

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
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
	scan(iotest.OneByteReader(strings.NewReader(page)), base, func(u *url.URL, as Search, at int64) {
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
		scan(bytes.NewReader(b), base, func(u *url.URL, _ Search, at int64) {
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
