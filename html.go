package linger

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
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

// html returns the page that exchange i's response is, in exactly its size. The
// tag of each child ends at its At. Where the offsets leave no room for the tags,
// the page is text without them; nil where not even that fits.
func (w Workload) html(i int) []byte {
	size := int(w.Exchanges[i].ResponseBody)
	var tags []tag
	for j, e := range w.Exchanges {
		if e.Parent == i {
			tags = append(tags, tagOf(j, e, w.reference(i, j)))
		}
	}
	slices.SortStableFunc(tags, func(a, b tag) int { return cmp.Compare(a.end, b.end) })

	name := w.Exchanges[i].Method + " " + w.Exchanges[i].Path
	if b := board(name, w.Name, size, tags); b != nil {
		return b
	}
	if b := plain(name, size, tags); b != nil {
		return b
	}
	return plain(name, size, nil)
}

// reference is how page i names exchange j: by its path, and where that is of another
// origin with a name, by the host before it (RFC 3986, 4.2).
func (w Workload) reference(i, j int) string {
	if name := w.Authority(j); name != "" && w.Exchanges[i].Origin != w.Exchanges[j].Origin {
		return "//" + name + w.Exchanges[j].Path
	}
	return w.Exchanges[j].Path
}

// A tag names a child of a page.
type tag struct {
	text string
	end  int // offset in the page of the first byte behind it
	// caption describes an image; it is empty where the tag is of no image.
	caption string
}

// tagOf returns the tag that makes a browser fetch e, exchange j of its
// workload, by a reference to it; without text for what no tag can ask for.
func tagOf(j int, e Exchange, reference string) tag {
	out := tag{end: int(e.At)}
	kind, url := mediaType(e.ContentType), html.EscapeString(reference)
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
		out.text = fmt.Sprintf(`<a href="%s">next</a>`, url)
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

// plain is a page of text and tags without a layout, nil where a tag does not fit.
func plain(name string, size int, tags []tag) []byte {
	if size < len(plainHead) {
		return nil
	}
	src := source(name)
	b := []byte(plainHead)
	for _, t := range append(tags, tag{end: size}) {
		n := t.end - len(t.text) - len(b)
		switch {
		case n < 0 && t.text == "": // nothing to place
			continue
		case n < 0:
			return nil
		case n < minProse:
			b = append(b, strings.Repeat(" ", n)...)
		default:
			b = append(b, prose(src, n)...)
		}
		b = append(b, t.text...)
	}
	return b
}
