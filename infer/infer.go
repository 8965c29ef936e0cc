// Package infer finds what lies behind a trace: the workload that was fetched, so that it can be
// fetched again over other connections, or predicted.
//
// [Workload] is the way in. What a trace does not tell (what led to a request, how long a server
// or a script needed) is guessed by stated rules, and each guess is a note for the user.
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

// maxDelay bounds what is taken for the time that a server needed: a poll that waits
// for news would wait in a replay, too.
const maxDelay = 10 * time.Second

// Workload returns what was fetched in t, and notes: a sentence for each thing
// that was guessed or left out, those of the trace included. A trace that comes with
// the workload that it was made from gives that back, as long as its exchanges are
// those.
//
// Exchanges that failed, came from a cache or have no final status are left out.
// Each scheme, host and port is an origin. Who named whom is guessed where the
// recorder does not say:
//
//   - the document of a page is its first HTML, or else its first exchange;
//   - what a redirect points on to depends on it, and so does a request on its
//     preflight (OPTIONS);
//   - everything else depends on its initiator, or else on the document, style sheet
//     or script that its Referer names, if that had begun to arrive;
//   - or else on the document, style sheet or script of its page that was done last
//     before it began, or on the document while none was;
//   - what a document names stands in it at even distances, in the order in
//     which it began; what others name is known at their end;
//   - all is fetched over the scheme that most of it went over;
//   - a further page begins when the exchange that was done last before it is done.
//
// The round trip to an origin is the shortest TCP or QUIC handshake with it; of TLS
// over TCP that was not told apart, half of both. Of the origins, the nearest is at
// the end of the network, and the others are that much farther. A server needed what
// an exchange waited beyond one round trip, less the time in which other responses
// came in on its connection.
func Workload(t *trace.Trace) (linger.Workload, []string, error) {
	if w, ok := t.Fetched.Get(); ok && fits(w, t) {
		return w, nil, w.Validate() // what the reader guessed is of no account
	}
	b := builder{
		trace: t, taken: map[target]bool{}, copies: map[target]int{}, index: map[string]int{}, pages: map[string]*page{},
		redirects: map[string]int{}, preflights: map[string]int{}, byURL: map[place]int{},
	}
	for _, x := range t.Exchanges {
		b.choose(x)
	}
	if len(b.seen) == 0 {
		return linger.Workload{}, t.Notes, errors.New("no exchange of the trace was delivered over a network; record one that loads")
	}
	b.order()
	b.findPages()
	b.findOrigins()
	for i := range b.seen {
		b.add(i)
	}
	b.spread()
	b.measure()

	w := linger.Workload{Name: t.Workload, Scheme: b.scheme(), Origins: b.origins, Exchanges: b.out}
	if w.Name == "" {
		w.Name = t.Engine
	}
	w.Description = fmt.Sprintf("What a %s shows: %s of %s, %d KB.",
		strings.ToUpper(t.Engine), linger.Plural(len(w.Exchanges), "exchange"), linger.Plural(len(w.Origins), "origin"), (w.Bytes()+512)/1024)
	return w, append(t.Notes[:len(t.Notes):len(t.Notes)], b.notes()...), w.Validate()
}

// fits reports whether the exchanges of a trace are those of a workload, whatever
// became of them.
func fits(w linger.Workload, t *trace.Trace) bool {
	seen := make(map[[3]string]bool, len(t.Exchanges))
	delivered := 0
	for _, x := range t.Exchanges {
		_, authority, path := split(x.URL)
		seen[[3]string{x.Method, authority, path}] = true
		seen[[3]string{x.Method, "", path}] = true
		delivered += min(1, x.Attempts)
		if x.Failed != "" {
			delivered--
		}
	}
	for i, e := range w.Exchanges {
		if !seen[[3]string{e.Method, w.Authority(i), linger.EscapeURL(e.Path)}] {
			return false
		}
	}
	return delivered <= len(w.Exchanges)
}

// scheme is that of most exchanges.
func (b *builder) scheme() string {
	if 2*b.https > len(b.seen) {
		return linger.SchemeHTTPS
	}
	return linger.SchemeHTTP
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
	trace      *trace.Trace
	seen       []trace.Exchange
	out        []linger.Exchange
	origins    []linger.Origin
	index      map[string]int // name of an origin -> its index
	originOf   []int
	folded     map[string]bool // origins that share the last one
	taken      map[target]bool
	copies     map[target]int // the last number that was given to one of these
	pages      map[string]*page
	pageOf     []*page
	redirects  map[string]int // URL that a redirect pointed on to -> its index
	preflights map[string]int // URL -> index of the OPTIONS
	byURL      map[place]int  // the latest of that page

	cached, failed, guessedStatus, https int
	told, referred, guessed              int // who named whom
	rtt                                  rtts
}

// A target is what one request of an origin asks for.
type target struct {
	origin       int
	method, path string
}

// A place is a URL on a page.
type place struct {
	page *page
	url  string
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
		Method: x.Method, Origin: b.originOf[i], Path: b.path(i), Status: x.Status, ContentType: x.ContentType,
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
	} else {
		b.byURL[place{p, withoutFragment(x.URL)}] = i
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
	if i != p.document {
		if from, ok := b.caused(i, x.Initiator); ok {
			b.told++
			return from
		}
		if from, ok := b.caused(i, x.Referer); ok && names(b.seen[from]) {
			b.referred++
			return from
		}
		b.guessed++
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

// caused returns the exchange of that URL, of the same page as i, if it had begun to
// arrive when i began.
func (b *builder) caused(i int, url string) (int, bool) {
	if url == "" {
		return 0, false
	}
	from, ok := b.byURL[place{b.pageOf[i], withoutFragment(url)}]
	if !ok || b.seen[from].FirstByte.Or(b.seen[from].Queued) > b.seen[i].Queued.Add(slack) {
		return 0, false
	}
	return from, true
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
		if e.Parent != linger.NoParent && e.At > 0 && (e.Parent == b.pageOf[i].document || isHTML(b.seen[e.Parent])) {
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
	say(b.cached, "left out, since answered without the network (a cache, a service worker), or never sent: "+linger.Plural(b.cached, "exchange"))
	say(b.failed, "left out, since failed or without a final status: "+linger.Plural(b.failed, "exchange"))
	say(b.guessedStatus, "taken for delivered with status 200, since there is content but no status: "+linger.Plural(b.guessedStatus, "exchange"))
	say(len(b.folded), fmt.Sprintf("more origins than one run holds: %s share one, each under /HOST/", linger.Plural(len(b.folded), "origin")))
	if plain := len(b.seen) - b.https; plain > 0 && b.scheme() == linger.SchemeHTTPS {
		say(plain, "fetched over TLS, though it went over http: "+linger.Plural(plain, "exchange"))
	} else if b.scheme() == linger.SchemeHTTP {
		say(b.https, "fetched without TLS, though it went over https: "+linger.Plural(b.https, "exchange"))
	}
	say(len(b.pages)-1, "fetched one after the other, without a pause: "+linger.Plural(len(b.pages), "page"))
	var who []string
	for _, part := range []struct {
		n   int
		how string
	}{{b.told, "said by the recorder"}, {b.referred, "by Referer"}, {b.guessed, "guessed from types and times"}} {
		if part.n > 0 {
			who = append(who, fmt.Sprintf("%d %s", part.n, part.how))
		}
	}
	say(len(who), "who named whom: "+strings.Join(who, ", "))
	return append(out, b.rtt.notes(b)...)
}

// maxPath bounds a path, so that tables and request lines stay readable. The
// bytes that it cuts off still count: heads are padded to their size.
const maxPath = 160

// path returns the request target of exchange i, unique for its method and origin:
// cut with a checksum where it is long, with a number where it is not the first.
func (b *builder) path(i int) string {
	_, authority, path := split(b.seen[i].URL)
	if b.folded[authority] {
		path = "/" + authority + path
	}
	if len(path) > maxPath {
		h := fnv.New32a()
		_, _ = h.Write([]byte(path)) // never fails
		path = fmt.Sprintf("%s~%08x", path[:maxPath-9], h.Sum32())
	}
	first := target{b.originOf[i], b.seen[i].Method, path}
	key := first
	for b.taken[key] {
		b.copies[first]++
		key.path = fmt.Sprintf("%s~%d", first.path, b.copies[first]+1)
	}
	b.taken[key] = true
	return key.path
}

// withoutFragment is the part of a URL that is sent.
func withoutFragment(url string) string {
	url, _, _ = strings.Cut(url, "#")
	return url
}
