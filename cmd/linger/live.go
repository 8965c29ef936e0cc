package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/live"
	"linger/trace"
)

// livePace is the least time between two queries to a server that is not ours,
// unless a rate is given: 50 a second.
const livePace = time.Second / 50

// serverFlags name a server of the world outside; the same in every verb.
type serverFlags struct {
	Server []string `sep:"none" placeholder:"ADDRESS" help:"Of dns: ask this resolver over the real network: HOST, HOST:PORT, https://HOST/PATH; or for one strategy, as dot=HOST:PORT. May stand several times."`
	reachFlags
}

// words are the flags that were given.
func (f serverFlags) words() []string {
	var words []string
	for _, s := range f.Server {
		words = append(words, "--server", quote(s))
	}
	return append(words, f.reachFlags.words()...)
}

// A resolver is where one strategy asks.
type resolver struct{ host, port, path string }

// address is what is dialled for a strategy.
func (r resolver) address(s linger.Strategy) string {
	return net.JoinHostPort(r.host, cmp.Or(r.port, strconv.Itoa(linger.PortOf(s.DNS))))
}

// parseResolver reads HOST, HOST:PORT or https://HOST[:PORT]/PATH.
func parseResolver(s string) (r resolver, err error) {
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
			return r, usage("--server: %q is no address of a resolver; write 192.0.2.1, 192.0.2.1:53 or https://dns.example/dns-query", s)
		}
		return resolver{u.Hostname(), u.Port(), u.EscapedPath()}, nil
	}
	r.host = strings.Trim(s, "[]")
	if host, port, err := net.SplitHostPort(s); err == nil {
		r.host, r.port = host, port
	}
	if n, err := strconv.ParseUint(cmp.Or(r.port, "1"), 10, 16); err != nil || n == 0 || r.host == "" || strings.ContainsAny(r.host, " /\\=") {
		return r, usage("--server: %q is no address of a resolver; write 192.0.2.1, 192.0.2.1:53 or https://dns.example/dns-query", s)
	}
	return r, nil
}

// resolvers reads where each strategy asks: its own server, or the one of all.
func (f serverFlags) resolvers(strategies []linger.Strategy) (map[string]resolver, error) {
	own := map[string]resolver{}
	for _, s := range f.Server {
		form, address, ok := strings.Cut(s, "=")
		if !ok || strings.Contains(form, "/") {
			form, address = "", s
		}
		r, err := parseResolver(address)
		if err != nil {
			return nil, err
		}
		if _, twice := own[form]; twice {
			return nil, usage("--server: two for %s; give one", cmp.Or(form, "all strategies"))
		}
		own[form] = r
	}
	used := map[string]bool{"": true}
	out := map[string]resolver{}
	port := "" // on which something is asked that has no server of its own
	for _, s := range strategies {
		form := formOf(s)
		r, ok := own[form]
		used[form] = used[form] || ok
		if !ok {
			if r, ok = own[""]; !ok {
				if len(own) > 0 {
					return nil, usage("--server: none for %s; add --server %s=HOST:PORT, or --server HOST for all", s.Name, form)
				}
				host, err := systemResolver()
				if err != nil {
					return nil, err
				}
				r = resolver{host: host}
				own[""] = r
			}
			standard := strconv.Itoa(linger.PortOf(s.DNS))
			if r.port != "" && port != "" && port != standard {
				return nil, usage("--server: port %s cannot be right for %s as well as for what came before it; give it a server of its own: --server %s=HOST:PORT", r.port, s.Name, form)
			}
			port = standard
		}
		out[s.Name] = r
	}
	for form := range own {
		if !used[form] {
			return nil, usage("--server: %s is not among the strategies; leave it out, or add it to --strategies", form)
		}
	}
	return out, nil
}

// formOf is a strategy's name without its number and modifiers.
func formOf(s linger.Strategy) string {
	form, _, _ := strings.Cut(s.Name, "+")
	form, _, _ = strings.Cut(form, ":")
	return form
}

// systemResolver returns the first name server of resolv.conf.
func systemResolver() (string, error) {
	const file = "/etc/resolv.conf"
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		for scan := bufio.NewScanner(io.LimitReader(f, 1<<20)); scan.Scan(); {
			if words := strings.Fields(scan.Text()); len(words) > 1 && words[0] == "nameserver" {
				return words[1], nil
			}
		}
	}
	return "", usage("%s names no resolver of this machine; give one: --server ADDRESS", file)
}

// liveEngine measures over the network that there is.
type liveEngine struct {
	// config is how a strategy reaches its server.
	config func(linger.Strategy) live.Config
	// pause is how long the server is left alone between two trials.
	pause time.Duration

	mu    *sync.Mutex
	mute  map[string]string // strategies of which a whole trial failed, with the reason
	asked *int64            // requests, those that were sent again with them
	ended *time.Time        // the last trial
}

func newLiveEngine(config func(linger.Strategy) live.Config, pause time.Duration) liveEngine {
	return liveEngine{config, pause, new(sync.Mutex), map[string]string{}, new(int64), new(time.Time)}
}

// Run implements run.Engine. A server that gave nothing at all by a strategy is not
// asked by it again.
func (e liveEngine) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	e.mu.Lock()
	reason, free := e.mute[s.Strategy.Name], e.ended.Add(e.pause)
	e.mu.Unlock()
	if reason != "" {
		return nil, errors.New("not asked again after: " + reason)
	}
	select {
	case <-time.After(time.Until(free)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t, err := live.Run(ctx, s, e.config(s.Strategy))
	e.mu.Lock()
	defer e.mu.Unlock()
	*e.ended = time.Now()
	if err != nil {
		if ctx.Err() == nil {
			e.mute[s.Strategy.Name] = err.Error()
		}
		return nil, err
	}
	t.Trial = trial
	failed, first := 0, ""
	for _, x := range t.Exchanges {
		*e.asked += int64(x.Attempts)
		if x.Failed != "" {
			failed++
			first = cmp.Or(first, x.Failed)
		}
	}
	if failed == len(t.Exchanges) && !t.Interrupted {
		e.mute[s.Strategy.Name] = first
	}
	return t, nil
}

// forewarn says beforehand how much will be asked of whom.
func forewarn(servers map[string]resolver, strategies []linger.Strategy, trials, names int, pace time.Duration) string {
	hosts := map[string]bool{}
	var who []string
	datagrams := false
	for _, s := range strategies {
		if h := servers[s.Name].host; !hosts[h] {
			hosts[h] = true
			who = append(who, h)
		}
		datagrams = datagrams || s.Datagram
	}
	text := fmt.Sprintf("at most %d queries to %s (strategies: %d, trials: %d, names: %d)",
		len(strategies)*trials*names, strings.Join(who, ", "), len(strategies), trials, names)
	if pace > 0 {
		text += fmt.Sprintf(", %.4g a second at most", 1/pace.Seconds())
	}
	if datagrams {
		text += "; over UDP each again where no answer comes, 4 times in all, and over TCP where it does not fit"
	}
	return text
}

// verdict is the error of an experiment in which no strategy got anything.
func (e liveEngine) verdict(x *trace.Experiment) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range x.Strategies {
		if e.mute[s.Name] == "" {
			return nil
		}
	}
	return statusError{exitUnreachable, fmt.Errorf("nothing came from %s by any strategy; see the reasons above", x.Network.Name)}
}
