// Package page says what a page is made of: which objects the content of a response names, as a
// browser would fetch them without running a script, and what one visit takes of those. It
// reads content as it comes, and fetches nothing.
//
// A [Visit] is what is known of one page. Whoever fetches it asks the first exchange, has each
// [Response] looked through by [Response.References], and hands what that finds to [Visit.Add],
// which says what is to be asked for next; what an exchange turned out to be is told by
// [Visit.Learn]. [Visit.Result] is the page as a workload.
package page

import (
	"io"
	"net/url"
	"strings"

	"linger"
)

// A Search is what the content of a response is looked through for.
type Search uint8

const (
	NotSearched Search = iota
	AsDocument
	AsSheet
)

// A Response is what came for one exchange of a page. Field gives a field of its head.
type Response struct {
	URL     *url.URL // that was asked for
	Status  int
	Field   func(name string) string
	Content io.Reader
	Search  Search
}

// A Reference is an object that a response names.
type Reference struct {
	URL      string // absolute
	Redirect bool   // it takes the place of what redirects to it
	Search   Search // what it is to be searched as
	At       int64  // bytes of the content up to its end
	Unread   string // instead: why the content was not searched to its end
}

// References reads the content and calls found for each object that it names as that arrives,
// or for the one that the response redirects to. What it leaves unread is not searched.
func (r Response) References(found func(Reference)) {
	tell := func(u *url.URL, ref Reference) {
		u.Fragment, u.RawFragment, u.User = "", "", nil
		if u.Scheme != linger.SchemeHTTP && u.Scheme != linger.SchemeHTTPS && !ref.Redirect {
			return
		}
		ref.URL = u.String()
		found(ref)
	}
	if to := r.Field("Location"); r.Status/100 == 3 && to != "" {
		u, err := r.URL.Parse(to)
		if err != nil {
			found(Reference{Redirect: true, URL: to})
			return
		}
		tell(u, Reference{Redirect: true})
		return
	}
	kind := MediaType(r.Field("Content-Type"))
	if r.Status/100 != 2 || r.Search == NotSearched || r.Search == AsDocument && !isHTML(kind) || r.Search == AsSheet && kind != "text/css" {
		return
	}
	text, where, broken := decoded(r.Content, r.Field("Content-Encoding"))
	defer func() {
		if why := broken(); why != "" {
			found(Reference{Unread: why})
		}
	}()
	if r.Search == AsSheet {
		scanSheet(text, func(ref string, at int64) {
			if u, err := r.URL.Parse(strings.TrimSpace(ref)); err == nil {
				tell(u, Reference{At: where(at)})
			}
		})
		return
	}
	scan(text, r.URL, func(u *url.URL, as Search, at int64) { tell(u, Reference{Search: as, At: where(at)}) })
}

func isHTML(kind string) bool { return kind == "text/html" || kind == "application/xhtml+xml" }

// MediaType is a Content-Type without its parameters, fit to be shown.
func MediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return linger.Brief(strings.ToLower(strings.TrimSpace(kind)))
}
