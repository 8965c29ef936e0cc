package live

import (
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"linger"
	"linger/trace"
)

// Bounds of a page.
const (
	maxObjects   = 200      // that are fetched for one page
	maxRedirects = 5        // that are followed, one after the other
	maxPage      = 64 << 20 // bytes of all bodies
	maxTag       = 4 << 20  // bytes of one tag or text, beyond which a document is searched no further
	maxSeen      = 4096     // references that are told apart
)

// MaxVisit is how many requests one visit makes at most.
const MaxVisit = maxObjects + maxRedirects + 1

// VisitLimit is how many bytes of bodies one visit takes at most, to what had been
// asked for when it was reached.
const VisitLimit = maxPage

// A Page is what a visit to a URL found.
type Page struct {
	Trace *trace.Trace
	// Workload is what was fetched, in the order in which it was found, with the
	// sizes that it turned out to have: it can be fetched again, from anywhere. Of
	// heads that came compressed, by HTTP/2 or HTTP/3, the size is left open. Where
	// each request had its connection for itself, Delay is the wait for the first byte
	// less the shortest time in which a connection was established, a guess of what the
	// server itself took.
	Workload linger.Workload
	// Elsewhere counts references to objects of other origins, and Beyond those to
	// objects of this one beyond the bounds of a page. Neither were fetched.
	Elsewhere, Beyond int
	// Unfollowed is where the document redirects to when that is another origin,
	// where it has been already, or one redirect too many; else empty.
	Unfollowed string
	// Document is the index in the trace's exchanges of the document, the last of the
	// redirects that led to it.
	Document int
	// Searched says that the document was HTML that could be read.
	Searched bool
}

// Visit fetches the document at an http or https URL and, as its bytes arrive, the images,
// scripts, style sheets and icons of the same origin that it names, by the
// strategy, and what those style sheets name in their turn. Redirects within the
// origin are followed. What scripts would ask for is not known to it.
//
// Address and Host of the Config are those of the URL where they are empty; Verify
// and Statuses are of no use here. Contents are asked for compressed by gzip, as a
// browser would ask for them.
func Visit(ctx context.Context, target string, s linger.Strategy, c Config) (*Page, error) {
	u, err := parseURL(target)
	if err != nil {
		return nil, err
	}
	c = c.towards(u)
	c.Verify, c.Statuses, c.Encoding = false, false, "gzip"
	first := linger.Exchange{Method: c.Message.FirstMethod(), Path: requestTarget(u), Status: 200, Parent: linger.NoParent, RequestBody: int64(len(c.Message.Content))}
	w := linger.Workload{Name: target, Scheme: u.Scheme, Exchanges: []linger.Exchange{first}}
	r, err := newRun(ctx, linger.Scenario{Workload: w, Strategy: s}, c)
	if err != nil {
		return nil, err
	}
	r.page = &visit{
		origin:     u,
		workload:   linger.Workload{Name: target, Scheme: u.Scheme, Exchanges: slices.Clone(w.Exchanges)},
		compressed: s.Multiplexed,
		alone:      s.InFlight == 1,
		objects:    []object{{search: asDocument, document: true}},
		seen:       map[string]bool{first.Path: true},
	}
	r.page.left.Store(maxPage)
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	return r.page.result(r.trace), nil
}

// Towards returns the Config with the server of a URL: what is dialled, the Host that it or
// the Message names, and the name of its certificate.
func (c Config) Towards(target string) (Config, error) {
	u, err := parseURL(target)
	if err != nil {
		return c, err
	}
	return c.towards(u), nil
}

func (c Config) towards(u *url.URL) Config {
	c.Address = cmp.Or(c.Address, net.JoinHostPort(u.Hostname(), portOf(u)))
	c.ServerName = cmp.Or(c.ServerName, u.Hostname())
	c.Host = cmp.Or(c.Host, c.Message.Host(), u.Host)
	return c
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
		return nil, fmt.Errorf("%s: user and password are not sent from a URL; give them by -u", u.Redacted())
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// An object is what a visit knows of one exchange beside the workload.
type object struct {
	search   search
	hops     int  // redirects that led to it
	document bool // it is the page's, or leads to it
}

// A visit is what a run knows of the page that it fetches. The goroutine of the
// run owns it; origin alone does not change and is read by others too, as left is.
type visit struct {
	origin     *url.URL
	workload   linger.Workload
	objects    []object        // by exchange
	seen       map[string]bool // references, this origin's as request targets
	compressed bool            // heads are
	alone      bool            // a request on a connection is
	document   int             // exchange of the document, as far as is known
	searched   bool            // it was HTML
	elsewhere  int
	beyond     int
	unfollowed string
	left       atomic.Int64 // bytes that the page may still have
}

// add takes up a reference that the content of e.exchange holds, or what it
// redirects to.
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
	next := object{search: e.search}
	if e.redirect {
		next = v.objects[e.exchange]
		next.hops++
	} else if v.objects[e.exchange].document {
		v.searched = true
	}
	switch leads := next.document; {
	case leads && (!same || v.seen[key] || next.hops > maxRedirects || v.workload.Exchanges[e.exchange].Method != "GET"):
		// RFC 9110, 15.4: whether what is asked for there is asked by another method depends
		// on the status, and on the client; whoever gave one decides.
		v.unfollowed = e.url
		return
	case v.seen[key] || len(v.seen) == maxSeen:
		return
	}
	v.seen[key] = true
	switch {
	case next.document:
		v.document = len(v.workload.Exchanges)
	case !same:
		v.elsewhere++
		return
	case len(v.workload.Exchanges) >= MaxVisit-maxRedirects+v.objects[v.document].hops || next.hops > maxRedirects || v.left.Load() <= 0:
		v.beyond++
		return
	}
	x := linger.Exchange{Method: "GET", Path: key, Status: 200, Parent: e.exchange, At: e.link.at}
	v.objects = append(v.objects, next)
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
	p := &Page{Trace: t, Workload: v.workload, Elsewhere: v.elsewhere, Beyond: v.beyond, Unfollowed: v.unfollowed,
		Document: v.document, Searched: v.searched || isHTML(v.workload.Exchanges[v.document].ContentType)}
	trip := linger.Never // the shortest round trip, as far as can be seen
	for _, k := range t.Connections {
		if at, ok := k.Established.Get(); ok && v.alone {
			trip = min(trip, at-k.Dialled)
		}
	}
	index := make([]int, len(v.workload.Exchanges))
	p.Workload.Exchanges = nil
	for i, x := range v.workload.Exchanges {
		index[i] = linger.NoParent
		seen := t.Exchanges[i]
		if seen.Failed != "" {
			continue
		}
		if !v.compressed {
			x.RequestHead = int(seen.RequestHead)
		}
		if wait := seen.FirstByte.Or(0) - seen.Sent.Or(0); trip < linger.Never && wait-trip >= leastDelay {
			x.Delay = wait.Sub(trip).Round(time.Duration(leastDelay) / 10)
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

// leastDelay is how long a server must have taken for it to be told from the
// scatter of the network.
const leastDelay = linger.Instant(time.Millisecond)

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

// explore reads the content of a response and reports the references in it as they
// arrive, or where it redirects to. What it leaves unread is not searched. field gives
// a field of the response's head, when the instant of what was read last.
func (c *conn) explore(q request, status int, field func(string) string, in io.Reader, when func() linger.Instant) {
	base := c.run.page.origin.ResolveReference(&url.URL{Path: "/"})
	if u, err := base.Parse(q.Path); err == nil {
		base = u
	}
	tell := func(u *url.URL, l link) {
		u.Fragment, u.RawFragment = "", ""
		if u.Scheme != "http" && u.Scheme != "https" {
			return
		}
		l.url = u.String()
		c.tell(event{kind: found, exchange: q.index, at: when(), link: l})
	}
	if to := field("Location"); status/100 == 3 && to != "" {
		if u, err := base.Parse(to); err == nil {
			tell(u, link{redirect: true})
		}
		return
	}
	kind := mediaType(field("Content-Type"))
	if status/100 != 2 || q.search == notSearched || q.search == asDocument && !isHTML(kind) || q.search == asSheet && kind != "text/css" {
		return
	}
	text, where := decoded(in, field("Content-Encoding"))
	if q.search == asSheet {
		scanSheet(text, func(ref string, at int64) {
			if u, err := base.Parse(strings.TrimSpace(ref)); err == nil {
				tell(u, link{at: where(at)})
			}
		})
		return
	}
	scan(text, base, func(u *url.URL, as search, at int64) { tell(u, link{search: as, at: where(at)}) })
}

func isHTML(kind string) bool { return kind == "text/html" || kind == "application/xhtml+xml" }

// decoded returns the text of content, nothing where its coding is not known, and
// where in the content a place in the text is. Of what is compressed that is as far as
// has come when the text is there.
func decoded(in io.Reader, coding string) (text io.Reader, where func(int64) int64) {
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "", "identity":
		return in, func(at int64) int64 { return at }
	case "gzip", "x-gzip":
		c := &countedReader{in: in}
		// RFC 1952; of a bomb no more is unpacked than a page may have.
		return io.LimitReader(&gunzip{in: c}, maxPage), func(int64) int64 { return c.n }
	}
	return strings.NewReader(""), func(int64) int64 { return 0 }
}

// A countedReader counts what is read.
type countedReader struct {
	in io.Reader
	n  int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

// A gunzip unpacks from the first read on.
type gunzip struct {
	in io.Reader
	z  *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		if g.z, err = gzip.NewReader(g.in); err != nil {
			return 0, err
		}
	}
	return g.z.Read(p)
}
