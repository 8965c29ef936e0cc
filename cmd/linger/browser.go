package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"linger"
	"linger/browser"
	"linger/policy"
)

// ownClient is what --client calls linger itself.
const ownClient = "linger"

// scratch is what a browser's lab has in memory: where every Linux has such a folder,
// which the browser uses in any case.
const scratch = "/dev/shm"

// browserCores is how many cores one browser with its many processes keeps busy while
// it loads a page.
const browserCores = 4

// scratchOf is what a strategy's client needs in memory.
func scratchOf(s linger.Strategy) string {
	if s.Client == "" {
		return ""
	}
	return scratch
}

// browserStrategies are what a browser does by itself, over a scheme.
func browserStrategies(scheme string) string {
	if scheme == "https" {
		return "close:6,keep:6,h2,h3"
	}
	return "close:6,keep:6"
}

// clients returns the strategies as each of the clients runs them.
func clients(list, strategies string, w linger.Workload) ([]linger.Strategy, error) {
	var out []linger.Strategy
	seen := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		usual := linger.DefaultStrategies(w.Scheme)
		switch {
		case seen[name]:
			return nil, usage("--client: %s stands twice; name it once", name)
		case name == browser.Chromium:
			usual = browserStrategies(w.Scheme)
		case name != ownClient:
			return nil, usage("--client: %q is no client that is known here; use %s or %s, or both", name, ownClient, browser.Chromium)
		}
		seen[name] = true
		if strategies != "" {
			usual = strategies
		}
		parsed, err := linger.ParseStrategies(usual)
		if err != nil {
			return nil, usage("%w", err)
		}
		for _, s := range parsed {
			if err := s.Fits(w.Scheme); err != nil {
				return nil, usage("%w", err)
			}
			if name == browser.Chromium {
				if err := browser.Fits(linger.Scenario{Workload: w, Strategy: s}); err != nil {
					return nil, usage("--client %s: %w", name, err)
				}
				s.Name, s.Client = name+"-"+s.Name, name
			}
			out = append(out, s)
		}
	}
	if seen[browser.Chromium] {
		if _, err := browser.Find(); err != nil {
			return nil, statusError{exitMachine, fmt.Errorf("--client %s: %w", browser.Chromium, err)}
		}
	}
	return out, nil
}

// imposed is the server's policy under which a client that has its own mind does what a
// strategy stands for.
func imposed(p policy.ServerPolicy, s linger.Strategy) policy.ServerPolicy {
	if s.Client != "" && !s.Persistent {
		p.MaxRequests = 1
	}
	return p
}

// browserOrder is what the client of a lab is told that is a browser.
type browserOrder struct {
	Scenario linger.Scenario `json:"scenario"`
	Config   browser.Config  `json:"config"`
	Secrets  bool            `json:"secrets"`
}

// asBrowser turns the order for our own client into one for a browser that trusts the
// one key.
func (o clientOrder) asBrowser(pins []string) (browserOrder, error) {
	path, err := browser.Find()
	return browserOrder{Scenario: o.Scenario, Secrets: o.Secrets, Config: browser.Config{
		Path: path, Host: o.Places[0].Host, Address: o.Places[0].Address, Dir: scratch, Pins: pins,
	}}, err
}

type hostBrowserCmd struct{}

func (hostBrowserCmd) Run(ctx context.Context, std streams) error {
	signal.Ignore(os.Interrupt)
	var order browserOrder
	if err := json.NewDecoder(std.in).Decode(&order); err != nil {
		return fmt.Errorf("host browser: no order on standard input: %w", err)
	}
	// The end of standard input is the word to stop.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		io.Copy(io.Discard, std.in)
		stop()
	}()
	if order.Secrets {
		order.Config.KeyLog = filepath.Join(order.Config.Dir, "secrets")
	}
	order.Config.Env = os.Environ()
	t, err := browser.Run(ctx, order.Scenario, order.Config)
	if err != nil {
		return err
	}
	seen := clientSeen{Trace: t}
	if order.Secrets {
		if seen.Secrets, err = os.ReadFile(order.Config.KeyLog); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return json.NewEncoder(std.out).Encode(seen)
}

// isBrowsed reports whether a browser runs any of the strategies.
func isBrowsed(strategies []linger.Strategy) bool {
	return slices.ContainsFunc(strategies, func(s linger.Strategy) bool { return s.Client != "" })
}
