package page

import (
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// window is how wide the browser is taken to be that picks among images, in pixels
// of a screen that has one for each of CSS.
const window = 1280

// scan reads HTML and calls found for each object that a browser would fetch for
// it without running a script, with how many bytes of the document had to be there,
// and what the object is to be searched as.
//
// Where there are several images to choose from, it takes the one for a window of
// 1280 pixels; the attribute sizes, and a source with a condition, are not evaluated.
func scan(r io.Reader, base *url.URL, found func(u *url.URL, as Search, at int64)) {
	p := &document{z: html.NewTokenizer(r), base: base, found: found, attrs: map[string]string{}}
	p.z.SetMaxBuf(maxTag)
	for p.token() {
	}
}

// A document is where in one the reading is.
type document struct {
	z     *html.Tokenizer
	base  *url.URL
	found func(u *url.URL, as Search, at int64)

	at      int64 // bytes that have been read
	style   bool  // the text that follows is a style sheet
	inert   int   // templates that are open
	picture bool
	chosen  string // by a source of the picture
	attrs   map[string]string
	rebased bool
}

// attributes are those that are looked at; a tag may have any number of others.
var attributes = map[string]bool{
	"as": true, "disabled": true, "href": true, "imagesrcset": true, "media": true, "nomodule": true,
	"poster": true, "rel": true, "src": true, "srcset": true, "style": true, "type": true,
}

// token reads one token and does what it asks for. It returns false at the end.
func (p *document) token() bool {
	kind := p.z.Next()
	p.at += int64(len(p.z.Raw()))
	switch kind {
	case html.ErrorToken:
		return false
	case html.TextToken:
		if p.style {
			scanSheet(strings.NewReader(string(p.z.Raw())), func(ref string, _ int64) { p.name(ref, NotSearched) })
		}
		p.style = false
		return true
	case html.StartTagToken, html.SelfClosingTagToken:
	case html.EndTagToken:
		name, _ := p.z.TagName()
		switch atom.Lookup(name) {
		case atom.Template:
			p.inert = max(0, p.inert-1)
		case atom.Picture:
			p.picture, p.chosen = false, ""
		}
		return true
	default:
		return true
	}
	name, more := p.z.TagName()
	tag := atom.Lookup(name)
	clear(p.attrs)
	for more {
		var key, value []byte
		key, value, more = p.z.TagAttr()
		if _, twice := p.attrs[string(key)]; !twice && attributes[string(key)] { // the first one counts
			p.attrs[string(key)] = string(value)
		}
	}
	if tag == atom.Template {
		p.inert++
	}
	if p.inert == 0 {
		p.element(tag)
	}
	return true
}

// element takes a tag with its attributes.
func (p *document) element(tag atom.Atom) {
	p.style = false
	if text := p.attrs["style"]; strings.Contains(text, "(") {
		scanSheet(strings.NewReader(text), func(ref string, _ int64) { p.name(ref, NotSearched) })
	}
	switch tag {
	case atom.Base:
		u, err := p.base.Parse(strings.TrimSpace(p.attrs["href"]))
		if _, has := p.attrs["href"]; has && !p.rebased && err == nil && u.Host != "" {
			p.base, p.rebased = u, true
		}
	case atom.Style:
		p.style = MediaType(p.attrs["type"]) == "" || MediaType(p.attrs["type"]) == "text/css"
	case atom.Picture:
		p.picture, p.chosen = true, ""
	case atom.Source:
		if p.picture && p.chosen == "" && isUnconditional(p.attrs["media"]) && isImage(p.attrs["type"]) {
			p.chosen = candidate(p.attrs["srcset"], "")
		}
	case atom.Img:
		ref := p.chosen
		if ref == "" {
			ref = candidate(p.attrs["srcset"], p.attrs["src"])
		}
		p.name(ref, NotSearched)
	case atom.Input:
		if strings.EqualFold(p.attrs["type"], "image") {
			p.name(p.attrs["src"], NotSearched)
		}
	case atom.Video:
		p.name(p.attrs["poster"], NotSearched)
	case atom.Script:
		if _, old := p.attrs["nomodule"]; !old && isScript(p.attrs["type"]) {
			p.name(p.attrs["src"], NotSearched)
		}
	case atom.Link:
		p.link()
	}
}

// link takes a link element, whose relation says whether it is fetched.
func (p *document) link() {
	words := strings.Fields(strings.ToLower(p.attrs["rel"]))
	is := func(word string) bool { return slices.Contains(words, word) }
	_, disabled := p.attrs["disabled"]
	switch ref := p.attrs["href"]; {
	case is("stylesheet"):
		if !disabled && !is("alternate") && (p.attrs["type"] == "" || MediaType(p.attrs["type"]) == "text/css") {
			p.name(ref, AsSheet)
		}
	case is("icon"), is("modulepreload"):
		p.name(ref, NotSearched)
	case is("preload") && isUnconditional(p.attrs["media"]):
		switch as := strings.ToLower(p.attrs["as"]); as {
		case "style":
			p.name(ref, AsSheet)
		case "image":
			if isImage(p.attrs["type"]) {
				p.name(candidate(p.attrs["imagesrcset"], ref), NotSearched)
			}
		case "script", "font", "fetch":
			p.name(ref, NotSearched)
		}
	}
}

// name takes a reference.
func (p *document) name(ref string, as Search) {
	ref = strings.TrimSpace(ref)
	if ref == "" || ref[0] == '#' || len(ref) > maxReference {
		return
	}
	if u, err := p.base.Parse(ref); err == nil {
		p.found(u, as, p.at)
	}
}

// isUnconditional reports whether a media query is met by every screen. No other
// is evaluated.
func isUnconditional(media string) bool {
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "", "all", "screen":
		return true
	}
	return false
}

// isImage reports whether a type that stands beside an image, if any, is one that
// browsers of today show.
func isImage(kind string) bool {
	switch MediaType(kind) {
	case "", "image/avif", "image/webp", "image/png", "image/apng", "image/jpeg", "image/jpg", "image/gif", "image/svg+xml",
		"image/bmp", "image/x-icon", "image/vnd.microsoft.icon":
		return true
	}
	return false
}

// isScript reports whether a browser would run a script of that type.
func isScript(kind string) bool {
	switch kind = MediaType(kind); kind {
	case "", "module", "text/javascript", "application/javascript", "text/ecmascript", "application/ecmascript",
		"application/x-javascript", "text/x-javascript", "text/jscript":
		return true
	}
	return false
}

// candidate returns which image of a srcset (HTML, 4.8.4.2) is for the window, plain
// being the one that stands in src: the one that has the fewest pixels of those that
// have enough, or else the most. Garbage in the set counts for nothing.
func candidate(srcset, plain string) string {
	best, density := "", 0.0
	enough := func(d float64) bool { return d >= 1 }
	offer := func(ref string, d float64) {
		switch {
		case best == "", !enough(density) && d > density, enough(d) && enough(density) && d < density:
			best, density = ref, d
		}
	}
	byWidth := false
	for rest := srcset; ; {
		rest = strings.TrimLeft(rest, " \t\n\f\r,")
		end := strings.IndexAny(rest, " \t\n\f\r")
		if end < 0 {
			end = len(rest)
		}
		ref := rest[:end]
		if ref == "" {
			break
		}
		rest = rest[end:]
		var descriptors []string
		if trimmed := strings.TrimRight(ref, ","); trimmed != ref {
			ref = trimmed
		} else {
			descriptors, rest = cutDescriptors(rest)
		}
		d, wide, ok := densityOf(descriptors)
		if ok && ref != "" {
			byWidth = byWidth || wide
			offer(ref, d)
		}
	}
	if plain = strings.TrimSpace(plain); plain != "" && !byWidth {
		offer(plain, 1)
	}
	return best
}

// cutDescriptors returns the words up to the next comma outside of parentheses, and
// what follows it.
func cutDescriptors(s string) (words []string, rest string) {
	depth := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ',' && depth == 0:
			return strings.Fields(s[:i]), s[i+1:]
		}
	}
	return strings.Fields(s), ""
}

// densityOf returns how many pixels of an image there are for one of the window's;
// wide says that its width was given. Without a descriptor it is one.
func densityOf(descriptors []string) (density float64, wide, ok bool) {
	density = 1
	for _, word := range descriptors {
		n, err := strconv.ParseFloat(word[:len(word)-1], 64)
		if err != nil || math.IsNaN(n) || n < 0 || math.IsInf(n, 0) {
			return 0, false, false
		}
		switch word[len(word)-1] {
		case 'x':
			density = n
		case 'w':
			if n == 0 {
				return 0, false, false
			}
			density, wide = n/window, true
		case 'h':
		default:
			return 0, false, false
		}
	}
	return density, wide, true
}
