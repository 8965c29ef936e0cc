package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/live"
	"linger/trace"
)

// betweenLoads is how long the server of a URL is left alone after each load.
const betweenLoads = time.Second

// isURL reports whether a workload is named by where it is.
func isURL(workload string) bool { return strings.Contains(workload, "://") }

// A visited page is a workload that was found where it is.
type visited struct {
	workload linger.Workload
	notes    []string
	config   live.Config // reaches it again
}

// visit fetches a page once, by six kept connections, to see what it is made of.
func visit(ctx context.Context, std streams, target string, server serverFlags, pace, timeout time.Duration) (v visited, err error) {
	if len(server.Server) > 0 {
		return v, usage("--server is for names; a URL names its server itself: leave it out")
	}
	strategy, err := linger.ParseStrategy("keep:6")
	if err != nil {
		return v, err
	}
	if v.config, err = server.liveConfig(); err != nil {
		return v, err
	}
	v.config.Limits.Pace = pace
	v.config.Encoding, v.config.Statuses = "gzip", true
	if v.config, err = v.config.Towards(target); err != nil {
		return v, usage("%w", err)
	}
	fmt.Fprintf(std.err, "linger: %s is visited once to see what it names: at most %d requests and %d MB\n", target, live.MaxVisit, live.VisitLimit>>20)
	interrupted := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	page, err := live.Visit(ctx, target, strategy, v.config)
	switch {
	case interrupted.Err() != nil:
		return v, statusError{exitInterrupted, errors.New("interrupted before the page was there")}
	case ctx.Err() != nil:
		return v, statusError{exitUnreachable, fmt.Errorf("%s: not done after %v; give it longer with --timeout", target, timeout)}
	case errors.Is(err, live.ErrUnreachable):
		return v, statusError{exitUnreachable, err}
	case err != nil:
		return v, usage("%w", err)
	}
	if err := unfit(target, page); err != nil {
		return v, statusError{exitUnreachable, err}
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
		return fmt.Errorf("%s redirects to %s, which is another origin, was there before, or is one redirect too many; give that URL", target, page.Unfollowed)
	case status == 401 || status == 403 || status == 407:
		return fmt.Errorf("%s is not for everybody (status %d); send a login by -u or -H, or give a page that is", document.URL, status)
	case status/100 != 2:
		return fmt.Errorf("%s answers with status %d; give a page that is there", document.URL, status)
	}
	return nil
}

// notesOf says what of a page was not fetched.
func notesOf(page *live.Page) []string {
	var notes []string
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

// inLab returns the page as the lab's origin serves it.
func (v visited) inLab() (linger.Workload, []string) {
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

// outside returns the page as its own server serves it, whose time is its own.
func (v visited) outside() (linger.Workload, []string) {
	w := v.workload
	w.Found = true
	w.Exchanges = nil
	for _, x := range v.workload.Exchanges {
		x.Delay = 0
		w.Exchanges = append(w.Exchanges, x)
	}
	return w, v.notes
}

// forewarnLoads says beforehand how much will be asked of a page's server.
func forewarnLoads(v visited, strategies, trials int, pace time.Duration) string {
	n := len(v.workload.Exchanges)
	text := fmt.Sprintf("at most %d requests to %s (strategies: %d, trials: %d, objects: %d), each once more where its connection is closed under it; %v between loads",
		strategies*trials*n, v.config.Host, strategies, trials, n, betweenLoads)
	if pace > 0 {
		text += fmt.Sprintf("; %.4g a second at most, so that no load can take less than %v", 1/pace.Seconds(), (time.Duration(n-1) * pace).Round(time.Millisecond))
	}
	return text
}
