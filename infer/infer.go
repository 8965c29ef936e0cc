// Package infer finds what lies behind a trace: the workload that was fetched.
// What a trace does not tell is guessed by stated rules, and said.
package infer

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// slack is how much later than a response's end the next request may seem to
// begin before it, since recorders round to the millisecond.
const slack = time.Millisecond

// Workload returns what was fetched in t, and notes: a sentence for each thing
// that was guessed or left out, those of the trace included.
//
// Exchanges that failed, came from a cache or have no final status are left out.
// All hosts become one origin, with the host as the first part of the path. Who
// named whom is guessed:
//
//   - the document of a page is its first HTML, or else its first exchange;
//   - what a redirect points on to depends on it, and so does a request on its
//     preflight (OPTIONS);
//   - everything else depends on the document, style sheet or script of its page that
//     was done last before it began, or on the document while none was;
//   - what the document names stands in it at even distances, in the order in
//     which it began; what others name is known at their end;
//   - all is fetched over the scheme that most of it went over;
//   - a further page begins when the exchange that was done last before it is done.
func Workload(t *trace.Trace) (linger.Workload, []string, error) {
	b := builder{
		taken: map[string]bool{}, copies: map[string]int{}, hosts: map[string]bool{}, pages: map[string]*page{},
		redirects: map[string]int{}, preflights: map[string]int{},
	}
	for _, x := range t.Exchanges {
		b.choose(x)
	}
	if len(b.seen) == 0 {
		return linger.Workload{}, t.Notes, errors.New("no exchange of the trace was delivered over a network; record one that loads")
	}
	b.order()
	b.findPages()
	for i := range b.seen {
		b.add(i)
	}
	b.spread()

	w := linger.Workload{Name: t.Workload, Scheme: b.scheme(), Exchanges: b.out}
	if w.Name == "" {
		w.Name = t.Engine
	}
	w.Description = fmt.Sprintf("What a %s shows: %s with %s, %d KB, fetched from one origin.",
		strings.ToUpper(t.Engine), count(len(w.Exchanges), "exchange"), count(len(b.hosts), "host"), (w.Bytes()+512)/1024)
	return w, append(t.Notes[:len(t.Notes):len(t.Notes)], b.notes()...), w.Validate()
}

// scheme is that of most exchanges.
func (b *builder) scheme() string {
	if 2*b.https > len(b.seen) {
		return "https"
	}
	return "http"
}

// A page is one page load of the trace.
type page struct {
	document int   // index of its document; -1 until one is found
	first    int   // index of its first exchange
	namers   []int // indices of what has named others so far, or may have
}

// builder turns exchanges that were seen into those of a workload; both have the
// same index.
type builder struct {
	seen       []trace.Exchange
	out        []linger.Exchange
	taken      map[string]bool // method and path
	copies     map[string]int  // the last number that was given to one of these
	hosts      map[string]bool
	pages      map[string]*page
	pageOf     []*page
	redirects  map[string]int // URL that a redirect pointed on to -> its index
	preflights map[string]int // URL -> index of the OPTIONS

	cached, failed, guessedStatus, https int
}

// choose keeps what was fetched, and counts what was not.
func (b *builder) choose(x trace.Exchange) {
	switch {
	case x.Attempts == 0:
		b.cached++
	case x.Failed != "", x.Status != 0 && (x.Status < 200 || x.Status > 599):
		b.failed++
	default:
		if x.Status == 0 {
			x.Status = 200
			b.guessedStatus++
		}
		if strings.HasPrefix(strings.ToLower(x.URL), "https:") {
			b.https++
		}
		b.seen = append(b.seen, x)
	}
}

// order sorts by the time at which the exchanges began.
func (b *builder) order() {
	slices.SortStableFunc(b.seen, func(x, y trace.Exchange) int { return cmp.Compare(x.Queued, y.Queued) })
}

// findPages assigns each exchange to its page, and finds the pages' documents. An
// exchange of no page belongs to the latest one.
func (b *builder) findPages() {
	var latest *page
	for i, x := range b.seen {
		p := b.pages[x.Page]
		switch {
		case p == nil && (x.Page != "" || latest == nil):
			p = &page{document: -1, first: i}
			b.pages[x.Page] = p
			latest = p
		case p == nil:
			p = latest
		}
		b.pageOf = append(b.pageOf, p)
		if p.document < 0 && isHTML(x) && x.Status < 300 {
			p.document = i
		}
	}
	for _, p := range b.pages {
		if p.document < 0 {
			p.document = p.first
		}
	}
}

func isHTML(x trace.Exchange) bool {
	return x.ContentType == "text/html" || x.ContentType == "application/xhtml+xml"
}

// names reports whether a response may name others.
func names(x trace.Exchange) bool {
	return isHTML(x) || x.ContentType == "text/css" || strings.Contains(x.ContentType, "javascript")
}

// add appends exchange i to the workload.
func (b *builder) add(i int) {
	x := b.seen[i]
	e := linger.Exchange{
		Method: x.Method, Path: b.path(x), Status: x.Status, ContentType: x.ContentType,
		RequestHead:  int(min(x.RequestHead, linger.MaxHead)),
		RequestBody:  x.RequestBody,
		ResponseHead: int(min(x.ResponseHead, linger.MaxHead)),
		ResponseBody: x.ResponseBody,
		Parent:       b.parent(i),
	}
	if !e.HasBody() {
		e.ResponseBody = 0
	}
	if e.Parent != linger.NoParent {
		e.At = b.out[e.Parent].ResponseBody
	}
	b.out = append(b.out, e)

	p := b.pageOf[i]
	if i == p.document || i > p.document && names(x) {
		p.namers = append(p.namers, i)
	}
	if x.Redirect != "" {
		b.redirects[withoutFragment(x.Redirect)] = i
	}
	if x.Method == "OPTIONS" {
		b.preflights[withoutFragment(x.URL)] = i
	}
}

// parent returns the index of what exchange i depends on.
func (b *builder) parent(i int) int {
	x, p := b.seen[i], b.pageOf[i]
	target := withoutFragment(x.URL)
	if from, ok := b.redirects[target]; ok {
		delete(b.redirects, target) // it answers once
		return from
	}
	if x.Method != "OPTIONS" {
		if from, ok := b.preflights[target]; ok {
			delete(b.preflights, target)
			return from
		}
	}
	if i <= p.document {
		if p == b.pageOf[0] {
			return linger.NoParent
		}
		return b.latest(i, func(yield func(int) bool) {
			for j := range p.first {
				if !yield(j) {
					return
				}
			}
		}, linger.NoParent)
	}
	return b.latest(i, slices.Values(p.namers), p.document)
}

// latest returns which of some exchanges was done last before i began, or
// otherwise where none was.
func (b *builder) latest(i int, some iter.Seq[int], otherwise int) int {
	best := otherwise
	var bestDone linger.Instant
	for j := range some {
		done, ok := b.seen[j].Done.Get()
		if ok && done <= b.seen[i].Queued.Add(slack) && (best == otherwise || done >= bestDone) {
			best, bestDone = j, done
		}
	}
	return best
}

// spread places what documents name at even distances in them.
func (b *builder) spread() {
	children := map[int][]int{}
	for i, e := range b.out {
		if e.Parent != linger.NoParent && e.Parent == b.pageOf[i].document {
			children[e.Parent] = append(children[e.Parent], i)
		}
	}
	for document, all := range children {
		size := b.out[document].ResponseBody
		for k, i := range all {
			b.out[i].At = size * int64(k+1) / int64(len(all))
		}
	}
}

// notes say what was guessed and left out.
func (b *builder) notes() []string {
	var out []string
	say := func(n int, what string) {
		if n > 0 {
			out = append(out, what)
		}
	}
	say(b.cached, "left out, since from a cache or never sent: "+count(b.cached, "exchange"))
	say(b.failed, "left out, since failed or without a final status: "+count(b.failed, "exchange"))
	say(b.guessedStatus, "taken for delivered with status 200, since there is content but no status: "+count(b.guessedStatus, "exchange"))
	say(len(b.hosts)-1, "fetched as one origin, each under /HOST/: "+count(len(b.hosts), "host"))
	if plain := len(b.seen) - b.https; plain > 0 && b.scheme() == "https" {
		say(plain, "fetched over TLS, though it went over http: "+count(plain, "exchange"))
	} else if b.scheme() == "http" {
		say(b.https, "fetched without TLS, though it went over https: "+count(b.https, "exchange"))
	}
	say(len(b.pages)-1, "fetched one after the other, without a pause: "+count(len(b.pages), "page"))
	say(len(b.out)-1, "guessed from types and times: who named whom")
	return out
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// maxPath bounds a path, so that tables and request lines stay readable. The
// bytes that it cuts off still count: heads are padded to their size.
const maxPath = 160

// path returns the request target for x on the one origin: /host/path?query, cut
// with a checksum where it is long, with a number where it is not the first.
func (b *builder) path(x trace.Exchange) string {
	_, rest, ok := strings.Cut(x.URL, "://")
	if !ok {
		rest = x.URL
	}
	rest = withoutFragment(rest)
	host, target := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, target = rest[:i], rest[i:]
	}
	if target[0] == '?' {
		target = "/" + target
	}
	host = strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
	b.hosts[host] = true
	if host == "" {
		host = "-" // two slashes would begin an authority (RFC 3986, 3.3)
	}

	p := escape("/" + host + target)
	if len(p) > maxPath {
		h := fnv.New32a()
		_, _ = h.Write([]byte(p)) // never fails
		p = fmt.Sprintf("%s~%08x", p[:maxPath-9], h.Sum32())
	}
	first := x.Method + " " + p
	key := first
	for b.taken[key] {
		b.copies[first]++
		key = fmt.Sprintf("%s~%d", first, b.copies[first]+1)
	}
	b.taken[key] = true
	return key[len(x.Method)+1:]
}

// withoutFragment is the part of a URL that is sent.
func withoutFragment(url string) string {
	url, _, _ = strings.Cut(url, "#")
	return url
}

// escape writes what may not stand in a request target as %XX.
func escape(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}
