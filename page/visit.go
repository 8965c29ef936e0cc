package page

import (
	"fmt"
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
	maxObjects   = 200     // that are fetched for one page
	maxRedirects = 5       // that are followed, one after the other
	maxTag       = 4 << 20 // bytes of one tag or text, beyond which a document is searched no further
	maxSeen      = 4096    // references that are told apart
)

// MaxRequests is how many requests one visit makes at most.
const MaxRequests = maxObjects + maxRedirects + 1

// MaxBytes is how many bytes of bodies one visit takes at most, to what had been asked for when
// it was reached.
const MaxBytes = 64 << 20

// Found is what a visit to a URL found.
type Found struct {
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
	// Unfollowed is where the document redirects to when that is not followed, and
	// Unfollowing why, as a clause; else both are empty. AtFault says that no client would.
	Unfollowed, Unfollowing string
	AtFault                 bool
	// Document is the index in the trace's exchanges of the document, the last of the
	// redirects that led to it.
	Document int
	// Searched says that the document was HTML that could be read.
	Searched bool
}

// A Visit is what is known of a page while it is fetched. One goroutine owns it; Locate and
// Take may be called from any.
type Visit struct {
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
	because    string // it is not
	fault      bool
	unread     []string     // why contents could not be searched
	left       atomic.Int64 // bytes that the page may still have
}

// An object is what a visit knows of one exchange beside the workload.
type object struct {
	search   Search
	hops     int  // redirects that led to it
	document bool // it is the page's, or leads to it
}

// NewVisit begins a visit to the document at u, by a strategy: asked for by method, with content
// bytes of content.
func NewVisit(name string, u *url.URL, s linger.Strategy, method string, content int) *Visit {
	first := linger.Exchange{Method: method, Path: requestTarget(u), Status: 200, Parent: linger.NoParent, RequestBody: int64(content)}
	v := &Visit{
		origin:     u,
		workload:   linger.Workload{Name: name, Scheme: u.Scheme, Exchanges: []linger.Exchange{first}},
		compressed: s.Multiplexed,
		alone:      s.InFlight == 1,
		objects:    []object{{search: AsDocument, document: true}},
		seen:       map[string]bool{first.Path: true},
	}
	v.left.Store(MaxBytes)
	return v
}

// First is the workload that the visit begins with: the document alone.
func (v *Visit) First() linger.Workload {
	w := v.workload
	w.Exchanges = slices.Clone(w.Exchanges[:1])
	return w
}

// Exchange returns an exchange of the visit, and what its response is to be searched as.
func (v *Visit) Exchange(i int) (linger.Exchange, Search) {
	return v.workload.Exchanges[i], v.objects[i].search
}

// Locate returns the URL of a request target of the page's origin.
func (v *Visit) Locate(target string) *url.URL {
	base := v.origin.ResolveReference(&url.URL{Path: "/"})
	if u, err := base.Parse(target); err == nil {
		return u
	}
	return base
}

// Take takes n bytes of what the page may have. It reports whether there was as much left.
func (v *Visit) Take(n int) bool { return v.left.Add(-int64(n)) >= 0 }

// Add takes up a reference that the response of exchange from holds, or what it redirects to. It
// returns the exchange that is to be asked for next, if there is one.
func (v *Visit) Add(from int, ref Reference) (next linger.Exchange, ok bool) {
	if ref.Unread != "" {
		v.unread = append(v.unread, fmt.Sprintf("the content of %s %s: not all that it names is known", v.workload.Exchanges[from].Path, ref.Unread))
		return next, false
	}
	u, err := url.Parse(ref.URL)
	if err != nil {
		if ref.Redirect && v.objects[from].document {
			v.unfollowed, v.because, v.fault = ref.URL, "that is no URL", true
		}
		return next, false
	}
	same := u.Scheme == v.origin.Scheme && strings.EqualFold(u.Hostname(), v.origin.Hostname()) && Port(u) == Port(v.origin)
	key := ref.URL
	if same {
		key = requestTarget(u)
	}
	o := object{search: ref.Search}
	if ref.Redirect {
		o = v.objects[from]
		o.hops++
	} else if v.objects[from].document {
		v.searched = true
	}
	if o.document {
		if v.because, v.fault = v.refuses(u, same, v.seen[key], o.hops, v.workload.Exchanges[from].Method); v.because != "" {
			v.unfollowed = ref.URL
			return next, false
		}
	}
	if v.seen[key] || len(v.seen) == maxSeen {
		return next, false
	}
	v.seen[key] = true
	switch {
	case o.document:
		v.document = len(v.workload.Exchanges)
	case !same:
		v.elsewhere++
		return next, false
	case len(v.workload.Exchanges) >= MaxRequests-maxRedirects+v.objects[v.document].hops || o.hops > maxRedirects || v.left.Load() <= 0:
		v.beyond++
		return next, false
	}
	next = linger.Exchange{Method: "GET", Path: key, Status: 200, Parent: from, At: ref.At}
	v.objects = append(v.objects, o)
	v.workload.Exchanges = append(v.workload.Exchanges, next)
	return next, true
}

// refuses is why the document's redirect is not followed, nothing if it is; fault says that
// no client would.
func (v *Visit) refuses(u *url.URL, same, been bool, hops int, method string) (because string, fault bool) {
	switch {
	case u.Scheme != linger.SchemeHTTP && u.Scheme != linger.SchemeHTTPS:
		return u.Scheme + ": is not fetched", true
	case v.origin.Scheme == linger.SchemeHTTPS && u.Scheme == linger.SchemeHTTP:
		return "it leads from https to http", false
	case !same:
		return "that is another origin", false
	case been:
		return "it has been there before", true
	case hops > maxRedirects:
		return fmt.Sprintf("it is one redirect more than %d", maxRedirects), true
	case method != "GET":
		// RFC 9110, 15.4: whether what is asked for there is asked by another method depends
		// on the status, and on the client; whoever gave one decides.
		return "what was asked for by " + method + " is not asked for again", false
	}
	return "", false
}

// Learn notes what an exchange turned out to be: status, media type, and bytes.
func (v *Visit) Learn(i, status int, kind string, head, body int64) {
	x := &v.workload.Exchanges[i]
	x.Status, x.ContentType = status, kind
	x.ResponseBody = body
	if !v.compressed {
		x.ResponseHead = int(head)
	}
}

// Result returns what was found, its workload without what was not delivered, and adds to the
// notes of the trace of the visit.
func (v *Visit) Result(t *trace.Trace) Found {
	t.Notes = append(t.Notes, v.unread...)
	if v.unfollowed != "" {
		note := fmt.Sprintf("the redirect to %s was not followed: %s", linger.WithoutUser(v.unfollowed), v.because)
		if !v.fault {
			note += "; give that URL"
		}
		t.Notes = append(t.Notes, note)
	}
	found := Found{Workload: v.workload, Elsewhere: v.elsewhere, Beyond: v.beyond, Unfollowed: v.unfollowed, Unfollowing: v.because, AtFault: v.fault,
		Document: v.document, Searched: v.searched || isHTML(v.workload.Exchanges[v.document].ContentType)}
	found.Workload.Exchanges = v.delivered(t)
	return found
}

// delivered returns the exchanges that did not fail.
func (v *Visit) delivered(t *trace.Trace) (out []linger.Exchange) {
	trip := v.shortestTrip(t)
	index := make([]int, len(v.workload.Exchanges))
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
		index[i] = len(out)
		out = append(out, x)
	}
	return out
}

// leastDelay is how long a server must have taken for it to be told from the
// scatter of the network.
const leastDelay = linger.Instant(time.Millisecond)

// shortestTrip is the shortest round trip, as far as can be seen: linger.Never where it cannot.
func (v *Visit) shortestTrip(t *trace.Trace) linger.Instant {
	trip := linger.Never
	for _, k := range t.Connections {
		if at, ok := k.Established.Get(); ok && v.alone {
			trip = min(trip, at-k.Dialled)
		}
	}
	return trip
}
