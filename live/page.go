package live

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"linger"
	"linger/trace"
)

// Bounds of a page.
const (
	maxObjects   = 200     // that are fetched for one page
	maxRedirects = 5       // that are followed
	maxTag       = 4 << 20 // bytes of one tag or text, beyond which a document is searched no further
	maxSeen      = 4096    // references that are told apart
)

// A Page is what a visit to a URL found.
type Page struct {
	Trace *trace.Trace
	// Workload is what was fetched, in the order in which it was found, with the
	// sizes that it turned out to have: it can be fetched again, from anywhere. Of
	// heads that came compressed, by HTTP/2 or HTTP/3, the size is left open.
	Workload linger.Workload
	// Elsewhere counts references to objects of other origins, and Beyond those to
	// objects of this one beyond the first 200. Neither were fetched.
	Elsewhere, Beyond int
	// Unfollowed is where the document redirects to when that is another origin,
	// where it has been already, or one redirect too many; else empty.
	Unfollowed string
}

// Visit fetches the document at an http or https URL and, as its bytes arrive, the images,
// scripts, style sheets and icons of the same origin that it names, by the
// strategy. Redirects within the origin are followed. What scripts and style
// sheets would ask for in their turn is not known to it.
//
// Address and Host of the Config are those of the URL where they are empty; Verify
// is of no use here.
func Visit(ctx context.Context, target string, s linger.Strategy, c Config) (*Page, error) {
	u, err := parseURL(target)
	if err != nil {
		return nil, err
	}
	if c.Address == "" {
		port := u.Port()
		if port == "" {
			port = defaultPort(u.Scheme)
		}
		c.Address = net.JoinHostPort(u.Hostname(), port)
	}
	if c.Host == "" {
		c.Host = u.Host
	}
	c.Verify = false
	first := linger.Exchange{Method: "GET", Path: requestTarget(u), Status: 200, Parent: linger.NoParent}
	w := linger.Workload{Name: target, Scheme: u.Scheme, Exchanges: []linger.Exchange{first}}
	r, err := newRun(ctx, linger.Scenario{Workload: w, Strategy: s}, c)
	if err != nil {
		return nil, err
	}
	r.page = &visit{
		origin:     u,
		workload:   linger.Workload{Name: target, Scheme: u.Scheme, Exchanges: slices.Clone(w.Exchanges)},
		compressed: s.Multiplexed,
		documents:  map[int]bool{0: true},
		seen:       map[string]bool{first.Path: true},
	}
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	return r.page.result(r.trace), nil
}

// parseURL reads the URL of a document that this engine can fetch.
func parseURL(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URL; write http://host/path or https://host/path", target)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not an http or https URL; write http://host/path or https://host/path", target)
	case u.User != nil:
		return nil, fmt.Errorf("%s: user and password are not sent; leave them out", u.Redacted())
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// A visit is what a run knows of the page that it fetches. The goroutine of the
// run owns it; origin alone does not change and is read by others too.
type visit struct {
	origin     *url.URL
	workload   linger.Workload
	documents  map[int]bool    // exchanges whose content is searched
	seen       map[string]bool // references, this origin's as request targets
	compressed bool            // heads are
	redirects  int             // that were followed
	elsewhere  int
	beyond     int
	unfollowed string
}

// add takes up a reference that the document of e.exchange holds.
func (v *visit) add(r *run, e event) {
	u, err := url.Parse(e.url)
	if err != nil {
		return
	}
	same := u.Scheme == v.origin.Scheme && strings.EqualFold(u.Hostname(), v.origin.Hostname()) && portOf(u) == portOf(v.origin)
	key := e.url
	if same {
		key = requestTarget(u)
	}
	switch {
	case e.document && (!same || v.seen[key] || v.redirects == maxRedirects):
		v.unfollowed = e.url
		return
	case v.seen[key] || len(v.seen) == maxSeen:
		return
	}
	v.seen[key] = true
	switch {
	case e.document:
		v.redirects++
	case !same:
		v.elsewhere++
		return
	case len(v.workload.Exchanges)-len(v.documents) == maxObjects:
		v.beyond++
		return
	}
	x := linger.Exchange{Method: "GET", Path: key, Status: 200, Parent: e.exchange, At: e.link.at}
	if e.document {
		v.documents[len(v.workload.Exchanges)] = true
	}
	v.workload.Exchanges = append(v.workload.Exchanges, x)
	r.expect(x)
	r.machine.Add(e.at, x)
}

// learn notes what an exchange turned out to be.
func (v *visit) learn(e event) {
	x := &v.workload.Exchanges[e.exchange]
	x.Status, x.ContentType = e.status, e.content
	x.ResponseBody = e.body
	if !v.compressed {
		x.ResponseHead = int(e.head)
	}
}

// result returns the page, its workload without what was not delivered.
func (v *visit) result(t *trace.Trace) *Page {
	p := &Page{Trace: t, Workload: v.workload, Elsewhere: v.elsewhere, Beyond: v.beyond, Unfollowed: v.unfollowed}
	index := make([]int, len(v.workload.Exchanges))
	p.Workload.Exchanges = nil
	for i, x := range v.workload.Exchanges {
		index[i] = linger.NoParent
		if t.Exchanges[i].Failed != "" {
			continue
		}
		if !v.compressed {
			x.RequestHead = int(t.Exchanges[i].RequestHead)
		}
		if x.Parent != linger.NoParent {
			// A delivered exchange's parent may have failed after it was named.
			if x.Parent = index[x.Parent]; x.Parent == linger.NoParent {
				x.At = 0
			}
		}
		index[i] = len(p.Workload.Exchanges)
		p.Workload.Exchanges = append(p.Workload.Exchanges, x)
	}
	return p
}

// portOf is the port of an http or https URL.
func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return defaultPort(u.Scheme)
}

// requestTarget is the URL in origin form (RFC 9112, 3.2.1), fit for a request
// line: what a document writes unescaped is escaped.
func requestTarget(u *url.URL) string {
	var b strings.Builder
	for _, c := range []byte(u.RequestURI()) {
		if c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// explore reads a document and reports the references in it as they arrive. What
// it leaves unread is not searched. field gives a field of the response's head, when
// the instant of what was read last.
func (c *conn) explore(q request, status int, field func(string) string, in io.Reader, when func() linger.Instant) {
	base := c.run.page.origin.ResolveReference(&url.URL{Path: "/"})
	if u, err := base.Parse(q.Path); err == nil {
		base = u
	}
	tell := func(u *url.URL, document bool, at int64) {
		u.Fragment, u.RawFragment = "", ""
		if u.Scheme != "http" && u.Scheme != "https" {
			return
		}
		c.tell(event{kind: found, exchange: q.index, at: when(),
			link: link{url: u.String(), document: document, at: at}})
	}
	if to := field("Location"); status/100 == 3 && to != "" {
		if u, err := base.Parse(to); err == nil {
			tell(u, true, 0)
		}
		return
	}
	kind := mediaType(field("Content-Type"))
	if status/100 != 2 || kind != "text/html" && kind != "application/xhtml+xml" || field("Content-Encoding") != "" {
		return
	}
	scan(in, base, func(u *url.URL, at int64) { tell(u, false, at) })
}

// scan reads HTML and calls found for each object that a browser would fetch for
// it without asking a script, with how many bytes of the document had to be there.
func scan(r io.Reader, base *url.URL, found func(u *url.URL, at int64)) {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxTag)
	var at int64
	for {
		kind := z.Next()
		at += int64(len(z.Raw()))
		switch kind {
		case html.ErrorToken:
			return
		case html.StartTagToken, html.SelfClosingTagToken:
		default:
			continue
		}
		name, more := z.TagName()
		tag := atom.Lookup(name)
		if !more || tag != atom.Img && tag != atom.Script && tag != atom.Link && tag != atom.Base {
			continue
		}
		var ref, rel string
		for more {
			var key, value []byte
			key, value, more = z.TagAttr()
			switch atom.Lookup(key) {
			case atom.Src:
				if tag == atom.Img || tag == atom.Script {
					ref = string(value)
				}
			case atom.Href:
				if tag == atom.Link || tag == atom.Base {
					ref = string(value)
				}
			case atom.Rel:
				rel = string(value)
			}
		}
		ref = strings.TrimSpace(ref)
		if ref == "" || tag == atom.Link && !isFetched(rel) {
			continue
		}
		u, err := base.Parse(ref)
		switch {
		case err != nil:
		case tag == atom.Base:
			base = u
		default:
			found(u, at)
		}
	}
}

// isFetched reports whether a link of that relation is an object of the page.
func isFetched(rel string) bool {
	return slices.ContainsFunc(strings.Fields(rel), func(word string) bool {
		return strings.EqualFold(word, "stylesheet") || strings.EqualFold(word, "icon")
	})
}
