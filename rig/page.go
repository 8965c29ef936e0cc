package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"linger"
	"linger/dial"
	"linger/fault"
	"linger/live"
	"linger/page"
	"linger/rig/far"
	"linger/trace"
)

// BetweenLoads is how long the server of a URL is left alone after each load.
const BetweenLoads = time.Second

// A Page is a workload that was found where it is.
type Page struct {
	Config live.Config // reaches it again

	workload linger.Workload
	notes    []string
}

// Visit fetches a page once, by six kept connections, to see what it is made of. config is how it
// is reached. own, if any, is who is asked for it, in the lab. note is told what is done.
func Visit(ctx context.Context, target string, config live.Config, own *far.Own, pace, timeout time.Duration, note func(string, ...any)) (v Page, err error) {
	strategy, err := linger.ParseStrategy("keep:6")
	if err != nil {
		return v, err
	}
	v.Config = config
	v.Config.Limits.Pace = pace
	v.Config.Encoding, v.Config.Statuses = "gzip", true
	if v.Config, err = v.Config.Towards(target); err != nil {
		return v, fault.Usage("%w", err)
	}
	note("%s is visited once to see what it names: at most %d requests and %d MB", target, page.MaxRequests, page.MaxBytes>>20)
	interrupted := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var page *live.Page
	if own != nil {
		page, err = VisitOwn(ctx, own, strategy, pace)
		announce(own, note)
	} else {
		page, err = live.Visit(ctx, target, strategy, v.Config)
	}
	switch {
	case interrupted.Err() != nil:
		return v, fault.Interrupted("interrupted before the page was there")
	case ctx.Err() != nil && (err != nil || page.Trace.Interrupted):
		return v, fault.Unreachable("%s: not done after %v; give it longer with --timeout", target, timeout)
	case errors.Is(err, dial.ErrUnreachable):
		return v, fault.Unreachable("%w", err)
	case err != nil && own != nil:
		return v, far.Status(err)
	case err != nil:
		return v, fault.Usage("%w", err)
	}
	if err := unfit(target, page); err != nil {
		return v, fault.Unreachable("%w", err)
	}
	v.workload, v.notes = page.Workload, notesOf(page)
	if n := len(page.Trace.Exchanges) - len(page.Workload.Exchanges); n > 0 {
		i := slices.IndexFunc(page.Trace.Exchanges, func(x trace.Exchange) bool { return x.Failed != "" })
		x := page.Trace.Exchanges[i]
		v.notes = append(v.notes, fmt.Sprintf("left out, as they could not be fetched: %d; the first is %s: %s", n, x.URL, x.Failed))
	}
	return v, nil
}

// unfit is why a page that came cannot be compared; nil is that it can.
func unfit(target string, page *live.Page) error {
	document := page.Trace.Exchanges[page.Document]
	switch status := document.Status; {
	case document.Failed != "":
		return fmt.Errorf("%s: %s", document.URL, document.Failed)
	case page.Unfollowed != "":
		return fmt.Errorf("%s redirects to %s, and %s; give %s", target, page.Unfollowed, page.Unfollowing, instead(page))
	case status == 401 || status == 403 || status == 407:
		return fmt.Errorf("%s is not for everybody (status %d); send a login by -u or -H, or give a page that is", document.URL, status)
	case status/100 != 2:
		return fmt.Errorf("%s answers with status %d; give a page that is there", document.URL, status)
	}
	return nil
}

// instead is what to give in place of a URL whose redirect was not followed.
func instead(page *live.Page) string {
	if page.AtFault {
		return "a page that is there"
	}
	return "that URL"
}

// notesOf says what of a page was not fetched.
func notesOf(page *live.Page) []string {
	notes := slices.Clone(page.Trace.Notes)
	count := func(n int, one, several string) {
		if n == 1 {
			notes = append(notes, "1 "+one)
		} else if n > 1 {
			notes = append(notes, fmt.Sprintf("%d %s", n, several))
		}
	}
	if document := page.Trace.Exchanges[page.Document]; document.Status/100 == 2 && document.Failed == "" && !page.Searched {
		kind := document.ContentType
		if kind == "" {
			kind = "of no type"
		}
		notes = append(notes, fmt.Sprintf("the document is no HTML that can be read (%s), so that nothing else is named", kind))
	}
	count(page.Elsewhere, "object of another origin is named and was not fetched", "objects of other origins are named and were not fetched")
	count(page.Beyond, "more object is named than one visit fetches", "more objects are named than one visit fetches")
	return notes
}

// InLab returns the page as the lab's origin serves it.
func (v Page) InLab() (linger.Workload, []string) {
	notes, slow := v.notes, 0
	for _, x := range v.workload.Exchanges {
		if x.Delay > 0 {
			slow++
		}
	}
	if slow > 0 {
		notes = append(notes, fmt.Sprintf("the server's own time is guessed of %d of %d objects, from the wait for the first byte less a round trip", slow, len(v.workload.Exchanges)))
	}
	return v.workload, notes
}

// Outside returns the page as its own server serves it.
func (v Page) Outside() (linger.Workload, []string) { return Found(v.workload), v.notes }

// Found is a page's workload as its own server serves it, whose time is its own.
func Found(w linger.Workload) linger.Workload {
	exchanges := w.Exchanges
	w.Found, w.Exchanges = true, nil
	for _, x := range exchanges {
		x.Delay = 0
		w.Exchanges = append(w.Exchanges, x)
	}
	return w
}

// forewarnLoads says beforehand how much will be asked of a page's server.
func forewarnLoads(v Page, strategies, trials int, pace time.Duration) string {
	n := len(v.workload.Exchanges)
	text := fmt.Sprintf("at most %d requests to %s (strategies: %d, trials: %d, objects: %d), each once more where its connection is closed under it; %v between loads",
		strategies*trials*n, v.Config.Host, strategies, trials, n, BetweenLoads)
	if pace > 0 {
		text += fmt.Sprintf("; %.4g a second at most, so that no load can take less than %v", 1/pace.Seconds(), (time.Duration(n-1) * pace).Round(time.Millisecond))
	}
	return text
}

// VisitOwn has the page of a user's own server fetched once by a strategy, over a path without
// delay: it also warms the server up.
func VisitOwn(ctx context.Context, o *far.Own, s linger.Strategy, pace time.Duration) (*live.Page, error) {
	var page *live.Page
	engine := Lab{Own: o, Partial: true, Pace: pace, Visited: func(p *live.Page) { page = p }}
	t, err := engine.Run(ctx, o.Alone(s, linger.Network{Name: "bare"}, 1), 0)
	if err != nil {
		return nil, err
	}
	page.Trace = t
	return page, nil
}

// announce says where the server was found, once it was.
func announce(o *far.Own, note func(string, ...any)) {
	if ports := o.Ports(); len(ports) > 0 {
		note("%s", far.Listening(ports))
	}
}
