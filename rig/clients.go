package rig

import (
	"slices"
	"strings"

	"linger"
	"linger/browser"
	"linger/fault"
	"linger/policy"
)

// OwnClient is what --browser calls linger itself.
const OwnClient = "linger"

// browserCores is how many cores one browser with its many processes keeps busy while
// it loads a page.
const browserCores = 4

// browserStrategies are what a browser does by itself, over a scheme.
func browserStrategies(scheme string) string {
	if scheme == linger.SchemeHTTPS {
		return "close:6,keep:6,h2,h3"
	}
	return "close:6,keep:6"
}

// Clients returns the strategies as each of the clients runs them.
func Clients(list, strategies string, w linger.Workload) ([]linger.Strategy, error) {
	var out []linger.Strategy
	seen := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		usual := linger.DefaultStrategies(w.Scheme)
		switch {
		case seen[name]:
			return nil, fault.Usage("--browser: %s stands twice; name it once", name)
		case name == browser.Chromium:
			usual = browserStrategies(w.Scheme)
		case name != OwnClient:
			return nil, fault.Usage("--browser: %q is no client that is known here; use %s or %s, or both", name, OwnClient, browser.Chromium)
		}
		seen[name] = true
		if strategies != "" {
			usual = strategies
		}
		parsed, err := linger.ParseStrategies(usual)
		if err != nil {
			return nil, fault.Usage("%w", err)
		}
		for _, s := range parsed {
			if err := s.Fits(w.Scheme); err != nil {
				return nil, fault.Usage("%w", err)
			}
			if name == browser.Chromium {
				if err := browser.Fits(linger.Scenario{Workload: w, Strategy: s}); err != nil {
					return nil, fault.Usage("--browser %s: %w", name, err)
				}
			}
			out = append(out, RunBy(name, s))
		}
	}
	if seen[browser.Chromium] {
		if _, err := browser.Find(); err != nil {
			return nil, fault.Machine("--browser %s: %w", browser.Chromium, err)
		}
	}
	return out, nil
}

// RunBy is a strategy as a client runs it.
func RunBy(client string, s linger.Strategy) linger.Strategy {
	if client != OwnClient {
		s.Name, s.Client = client+"-"+s.Name, client
	}
	return s
}

// imposed is the server's policy under which a client with a policy of its own does what a
// strategy stands for.
func imposed(p policy.ServerPolicy, s linger.Strategy) policy.ServerPolicy {
	if s.Client != "" && !s.Persistent {
		p.MaxRequests = 1
	}
	return p
}

// IsBrowsed reports whether a browser runs any of the strategies.
func IsBrowsed(strategies []linger.Strategy) bool {
	return slices.ContainsFunc(strategies, func(s linger.Strategy) bool { return s.Client != "" })
}
