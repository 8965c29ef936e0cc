package rig

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/fault"
	"linger/live"
	"linger/policy"
	"linger/trace"
)

// silence is after how long of it a request counts as not answered.
const silence = 10 * time.Second

// Again asks a URL twice on a connection of its own for each pause between.
type Again struct {
	URL      string
	Strategy linger.Strategy
	Pauses   []time.Duration
	// Timeout is for each of the requests.
	Timeout time.Duration
}

// Run asks for all pauses at once. What came of each pause is a trace of two exchanges, or an
// error, which it hands to each, from several goroutines. note is told how long it takes.
func (a Again) Run(ctx context.Context, config live.Config, note func(string, ...any), each func(i int, t *trace.Trace, err error)) error {
	config, err := config.Towards(a.URL)
	if err != nil {
		return fault.Usage("%w", err)
	}
	longest := slices.Max(a.Pauses)
	config.Limits = policy.DefaultLimits
	config.Limits.Stall = silence
	note("one request, then two for each pause; %v, and %v more where one is not answered", longest, silence)
	interrupted := ctx
	ctx, cancel := context.WithTimeout(ctx, a.Timeout+longest)
	defer cancel()

	scheme, path := a.parts()
	w := linger.Workload{Name: "again", Scheme: scheme, Exchanges: []linger.Exchange{
		{Method: "GET", Path: path, Status: 200, Parent: linger.NoParent},
	}}
	// The size says when the first response is over, where the pause begins.
	once, err := live.Run(ctx, linger.Scenario{Workload: w, Strategy: a.Strategy, Seed: 1}, config)
	if err != nil {
		return err
	}
	if failed := once.Exchanges[0].Failed; failed != "" {
		return cmp.Or(fault.Stopped(interrupted), fault.Unreachable("%s: %s", a.URL, failed))
	}
	first := w.Exchanges[0]
	first.Status, first.ResponseBody = once.Exchanges[0].Status, once.Exchanges[0].ResponseBody
	var all sync.WaitGroup
	for i, pause := range a.Pauses {
		all.Go(func() {
			w, again := w, first
			again.Parent, again.At, again.Think = 0, first.ResponseBody, pause
			w.Exchanges = []linger.Exchange{first, again}
			t, err := live.Run(ctx, linger.Scenario{Workload: w, Strategy: a.Strategy, Seed: 1}, config)
			each(i, t, err)
		})
	}
	all.Wait()
	return nil
}

// parts are the URL's scheme, and what a request names.
func (a Again) parts() (scheme, path string) {
	scheme, rest, _ := strings.Cut(a.URL, "://")
	path = "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		path, _, _ = strings.Cut(rest[i:], "#")
		path = "/" + strings.TrimPrefix(path, "/")
	}
	return strings.ToLower(scheme), path
}
