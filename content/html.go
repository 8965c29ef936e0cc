package content

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"

	"linger"
)

// plainHead begins an HTML page that has no room, or no use, for a layout.
const plainHead = "<!doctype html><title>linger</title>\n"

// The frame of an image board. Between two images stand post and figure.
const (
	boardHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>linger</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 76rem; margin: 0 auto; padding: 1rem }
main { columns: 27rem; column-gap: 1rem }
figure { display: flow-root; break-inside: avoid; margin: 0 0 1rem; padding: .8rem; border: 1px solid #8884; border-radius: .5rem }
img { float: left; width: 11rem; aspect-ratio: 4/3; margin: .2rem .9rem .4rem 0; border-radius: .3rem; background: #8883 }
figcaption b { display: block }
</style>
</head>
<body>
`
	boardTail = "</main>\n</body>\n</html>\n"
	figure    = "<figure>"
	endFigure = "</figcaption></figure>\n"
	// minProse is the shortest text of a post.
	minProse = 20
)

// page returns the page that the response to exchange i of w is, in exactly its size, and the
// exchanges that it names. The tag of each child ends at its At; where the offsets leave a tag
// no room, the page does without it. It is nil where there is no room for a page.
func page(w linger.Workload, i int) (b []byte, named []int) {
	size := int(w.Exchanges[i].ResponseBody)
	var tags []tag
	for j, e := range w.Exchanges {
		if e.Parent == i {
			tags = append(tags, tagOf(j, e, nameFor(w, i, j)))
		}
	}
	slices.SortStableFunc(tags, func(a, b tag) int { return cmp.Compare(a.end, b.end) })

	name := w.Exchanges[i].Method + " " + w.Exchanges[i].Path
	if b = board(name, w.Name, size, tags); b == nil {
		tags = fitting(size, tags)
		b = plain(name, size, tags)
	}
	for _, t := range tags {
		if t.fetched {
			named = append(named, t.of)
		}
	}
	return b, named
}

// Named returns the exchanges of w that the HTML of exchange i has a browser fetch, in order:
// of its children those for which there is a tag, and room for it. It is empty where i is no HTML.
func Named(w linger.Workload, i int) []int {
	e := w.Exchanges[i]
	if !e.HasBody() || e.ResponseBody > maxCrafted || MediaType(e.ContentType) != "text/html" {
		return nil
	}
	b, named := page(w, i)
	if b == nil {
		return nil
	}
	return named
}

// nameFor is how page i names exchange j: by its path, and where that is of another
// origin with a name, by the host before it (RFC 3986, 4.2). A path that begins with two slashes
// has a dot segment before them, which goes when it is resolved (5.2.4).
func nameFor(w linger.Workload, i, j int) string {
	path := w.Exchanges[j].Path
	if name := w.Authority(j); name != "" && w.Exchanges[i].Origin != w.Exchanges[j].Origin {
		return "//" + name + path
	}
	if strings.HasPrefix(path, "//") {
		return "/." + path
	}
	return path
}

// A tag names a child of a page.
type tag struct {
	of   int // exchange
	text string
	// fetched says that a browser fetches what it names, and not only where somebody clicks.
	fetched bool
	end     int // offset in the page of the first byte behind it
	// caption describes an image; it is empty where the tag is of no image.
	caption string
}

// IsFont reports whether a media type is a font's.
func IsFont(kind string) bool {
	return strings.HasPrefix(kind, "font/") || strings.HasPrefix(kind, "application/font") || strings.HasPrefix(kind, "application/x-font")
}

// tagOf returns the tag that makes a browser fetch e, exchange j of its
// workload, by a reference to it; without text for what no tag can ask for.
func tagOf(j int, e linger.Exchange, reference string) tag {
	out := tag{of: j, end: int(e.At), fetched: e.Method == "GET"}
	kind, url := MediaType(e.ContentType), html.EscapeString(reference)
	switch {
	case e.Method != "GET":
	case strings.HasPrefix(kind, "image/"):
		out.text = fmt.Sprintf(`<img src="%s" alt="">`, url)
		out.caption = fmt.Sprintf("No. %d, %d bytes", j, e.ResponseBody)
	case kind == "text/css":
		out.text = fmt.Sprintf(`<link rel="stylesheet" href="%s">`, url)
	case strings.HasSuffix(kind, "/javascript"), strings.HasSuffix(kind, "/x-javascript"):
		out.text = fmt.Sprintf(`<script src="%s" defer></script>`, url)
	case kind == "text/html":
		out.text, out.fetched = fmt.Sprintf(`<a href="%s">next</a>`, url), false
	case IsFont(kind):
		out.text = fmt.Sprintf(`<link rel="preload" as="font" crossorigin href="%s">`, url)
	default:
		out.text = fmt.Sprintf(`<link rel="preload" as="fetch" href="%s">`, url)
	}
	return out
}

// board lays a page out as an image board: each child an image with a post
// beside it. It returns nil where a child is no image or the room does not do.
func board(name, title string, size int, tags []tag) []byte {
	if len(tags) == 0 {
		return nil
	}
	src := source(name)
	var b []byte
	// fill appends text between two pieces of markup, so that all ends at end.
	fill := func(before, after string, end int) bool {
		n := end - len(b) - len(before) - len(after)
		if n < minProse {
			return false
		}
		b = append(b, before...)
		b = append(b, prose(src, n)...)
		b = append(b, after...)
		return true
	}
	before, after := boardHead+"<h1>"+html.EscapeString(title)+"</h1>\n<p>", "</p>\n<main>\n"+figure
	for _, t := range tags {
		if t.caption == "" || !fill(before, after, t.end-len(t.text)) {
			return nil
		}
		b = append(b, t.text...)
		before, after = "<figcaption><b>"+t.caption+"</b>", endFigure+figure
	}
	if !fill(before, endFigure+boardTail, size) {
		return nil
	}
	return b
}

// fitting are those of the tags, in order, that have room in a plain page of that size.
func fitting(size int, tags []tag) []tag {
	var out []tag
	used := len(plainHead)
	for _, t := range tags {
		if t.text == "" || t.end-len(t.text) < used || t.end > size {
			continue
		}
		used = t.end
		out = append(out, t)
	}
	return out
}

// plain is a page of text and tags without a layout; nil where there is no room for one.
func plain(name string, size int, tags []tag) []byte {
	if size < len(plainHead) {
		return nil
	}
	src := source(name)
	b := []byte(plainHead)
	for _, t := range append(tags, tag{end: size}) {
		if n := t.end - len(t.text) - len(b); n < minProse {
			b = append(b, strings.Repeat(" ", n)...)
		} else {
			b = append(b, prose(src, n)...)
		}
		b = append(b, t.text...)
	}
	return b
}
