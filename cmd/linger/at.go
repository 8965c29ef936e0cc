package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/compare"
	"linger/live"
	"linger/policy"
	"linger/report"
	"linger/report/formats"
	"linger/report/text"
)

const (
	// mostPauses bounds how many connections get --at has open at once, and longestPause
	// how long.
	mostPauses   = 40
	longestPause = time.Hour
	// silence is after how long of it a request counts as not answered.
	silence = 10 * time.Second
)

// at asks a URL twice on a connection of its own for each pause, all at once.
func (c getCmd) at(ctx context.Context, std streams) error {
	pauses, err := parsePauses(c.At)
	if err != nil {
		return usage("--at: %w", err)
	}
	strategy, err := linger.ParseStrategy(cmp.Or(c.Strategy, "keep"))
	if err != nil {
		return usage("%w", err)
	}
	switch {
	case !isURL(c.URL):
		return usage("--at asks a URL; serve %s first, in the lab by linger lab --serve, and give its URL", c.URL)
	case !strategy.Persistent || strategy.DNS != "":
		return usage("--at is about a connection that is used again; use -s keep, h2 or h3, not %s", strategy.Name)
	}
	if words := c.labOnly(); len(words) > 0 {
		return usage("%s is of the lab; a URL is fetched over the network that there is: leave it out", words[0])
	}
	if len(c.Assert) > 0 {
		return usage("--assert is about a whole fetch; leave it out, or --at")
	}
	timeout, err := c.within(c.Timeout)
	if err != nil {
		return err
	}
	out, err := openOutputs(c.Output, c.JSON, std, ".json", ".txt")
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	config, err := c.liveConfig()
	if err != nil {
		return err
	}
	if config, err = config.Towards(c.URL); err != nil {
		return usage("%w", err)
	}
	scheme, rest, _ := strings.Cut(c.URL, "://")
	path := "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		path, _, _ = strings.Cut(rest[i:], "#")
		path = "/" + strings.TrimPrefix(path, "/")
	}
	longest := slices.Max(pauses)
	config.Limits = policy.DefaultLimits
	config.Limits.Stall = silence
	fmt.Fprintf(std.err, "linger: one request, then two for each pause; %v, and %v more where one is not answered\n", longest, silence)
	interrupted := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout+longest)
	defer cancel()

	w := linger.Workload{Name: "again", Scheme: strings.ToLower(scheme), Exchanges: []linger.Exchange{
		{Method: "GET", Path: path, Status: 200, Parent: linger.NoParent},
	}}
	// The size says when the first response is over, where the pause begins.
	once, err := live.Run(ctx, linger.Scenario{Workload: w, Strategy: strategy, Seed: 1}, config)
	if err != nil {
		return err
	}
	if failed := once.Exchanges[0].Failed; failed != "" {
		return cmp.Or(interruptedError(interrupted), error(statusError{exitUnreachable, fmt.Errorf("%s: %s", c.URL, failed)}))
	}
	first := w.Exchanges[0]
	first.Status, first.ResponseBody = once.Exchanges[0].Status, once.Exchanges[0].ResponseBody
	again := first
	again.Parent, again.At = 0, first.ResponseBody

	found := report.Reuses{Linger: version, URL: c.URL, Strategy: strategy.Name, Rows: make([]compare.Reuse, len(pauses))}
	var all sync.WaitGroup
	for i, pause := range pauses {
		all.Go(func() {
			w, again := w, again
			again.Think = pause
			w.Exchanges = []linger.Exchange{first, again}
			t, err := live.Run(ctx, linger.Scenario{Workload: w, Strategy: strategy, Seed: 1}, config)
			if err == nil {
				found.Rows[i], err = compare.ReuseOf(t, pause)
			}
			if err != nil {
				found.Rows[i] = compare.Reuse{Wait: pause, WaitMS: float64(pause) / 1e6, Fate: compare.Unasked, Reason: err.Error()}
			}
		})
	}
	all.Wait()
	err = out.write(func(ending string, w io.Writer) error {
		if ending == ".json" {
			return formats.ReuseJSON(w, found)
		}
		return text.Reuse(w, found, out.layout(w))
	})
	lost := slices.ContainsFunc(found.Rows, func(r compare.Reuse) bool {
		return r.Fate == compare.Lost || r.Fate == compare.Unasked || r.Fate == compare.Unsent
	})
	switch {
	case err != nil:
		return err
	case interrupted.Err() != nil:
		return statusError{status: exitInterrupted}
	case lost:
		return statusError{status: exitAssertion}
	}
	return nil
}

// interruptedError is what a verb ends with that was interrupted; nil if it was not.
func interruptedError(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return statusError{exitInterrupted, errors.New("interrupted")}
}

// parsePauses reads the durations of --at.
func parsePauses(list string) ([]time.Duration, error) {
	var pauses []time.Duration
	for part := range strings.SplitSeq(list, ",") {
		d, err := parseDuration(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if d < 0 || d > longestPause {
			return nil, fmt.Errorf("%s is no pause to try; give 0s to %v", part, longestPause)
		}
		pauses = append(pauses, d)
	}
	if len(pauses) > mostPauses {
		return nil, fmt.Errorf("%d pauses; each has a connection open, and %d are tried at once: give fewer", len(pauses), mostPauses)
	}
	return pauses, nil
}
