package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"linger/assert"
	"linger/finding"
	"linger/keepalive"
	"linger/probe"
	"linger/profile"
	"linger/report/formats"
	"linger/report/text"
)

// A link is one hop as the user gave it.
type link struct {
	name, url          string
	accepts, opens     keepalive.Limit // of the zero Source where nothing was told
	software, upstream string          // told: of the hop; of its pool alone
	rtt                keepalive.Trip
}

// scheme is that of a hop which is a URL.
func (l link) scheme() string {
	scheme, _, _ := strings.Cut(l.url, "://")
	return scheme
}

// parts are what can be told of a hop behind its name and a dot.
var parts = []string{"idle", "upstream", "software", "rtt"}

// parseChain reads NAME=DURATION, NAME=SOFTWARE, URL, NAME=URL and NAME.PART=VALUE,
// the client's hop first.
func parseChain(text string) ([]link, error) {
	var links []link
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		name, value, named := strings.Cut(entry, "=")
		if namesServer(entry) {
			name, value, named = "", entry, false
		}
		switch {
		case entry == "":
			return nil, usage("--chain: an entry is empty; write client=90s,https://lb,http://app:8080")
		case !named && value == "":
			return nil, usage("--chain: %q is neither a URL nor NAME=VALUE; write client=90s,https://lb,http://app:8080", entry)
		case named && (name == "" || value == ""):
			return nil, usage("--chain: %q lacks a name or a value; write client=90s", entry)
		}
		if hop, part, ok := cutPart(name); ok {
			i := slices.IndexFunc(links, func(l link) bool { return l.name == hop })
			if i < 0 {
				return nil, usage("--chain: %s comes before %s itself, or there is no such hop; put it behind", entry, hop)
			}
			if err := links[i].tell(part, value); err != nil {
				return nil, err
			}
			continue
		}
		l := link{name: name}
		if namesServer(value) {
			u, err := url.Parse(value)
			if err != nil || u.Hostname() == "" {
				return nil, usage("--chain: %q is not a URL; write https://host/path", value)
			}
			if l.url = value; name == "" {
				l.name = u.Hostname()
				if slices.ContainsFunc(links, func(l link) bool { return l.name == u.Hostname() }) {
					l.name = u.Host
				}
			}
		}
		if slices.ContainsFunc(links, func(other link) bool { return other.name == l.name }) {
			return nil, usage("--chain: two hops are called %s; name them: lb=%s", l.name, value)
		}
		links = append(links, l)
		if l.url == "" {
			if err := links[len(links)-1].tell("", value); err != nil {
				return nil, err
			}
		}
	}
	if len(links) < 2 {
		return nil, usage("--chain: %s is one hop; a chain has two or more: client=90s,https://lb,http://app:8080", text)
	}
	return links, nil
}

func namesServer(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// cutPart cuts NAME.PART; names have dots of their own.
func cutPart(s string) (name, part string, ok bool) {
	for _, part := range parts {
		if name, ok := strings.CutSuffix(s, "."+part); ok {
			return name, part, true
		}
	}
	return s, "", false
}

// tell takes what the user says of a hop: of one part of it, or, if part is empty, of
// the side that a hop has which is no URL.
func (l *link) tell(part, value string) error {
	d, err := parseDuration(value)
	lasts := err == nil && d > 0
	known := keepalive.Known(value)
	told := keepalive.Limit{Source: keepalive.FromUser, Value: profile.Duration(d)}
	switch {
	case part == "software" && known:
		l.software = value
	case part == "software":
		return usage("--chain: software %q is not known; known are %s", value, strings.Join(keepalive.Softwares(), ", "))
	case part == "rtt" && err == nil && d >= 0:
		l.rtt = keepalive.Trip{Value: profile.Duration(d), Told: true}
	case part == "rtt":
		return usage("--chain: %s.rtt: %q is not a time; write 20ms", l.name, value)
	case part == "upstream" && lasts:
		l.opens = told
	case part == "upstream" && value == "none":
		l.opens = keepalive.Limit{Source: keepalive.FromUser, Endless: true}
	case part == "upstream" && known:
		l.upstream = value
	case part == "idle" && lasts:
		l.accepts = told
	case part == "" && lasts:
		// Of the first hop the pool, of the last what it accepts, of one between both.
		l.accepts, l.opens = told, told
	case part == "" && known:
		l.software = value
	default:
		return usage("--chain: %s=%s: the value is neither a time, as 90s, nor a software that is known: %s", strings.TrimSuffix(l.name+"."+part, "."), value, strings.Join(keepalive.Softwares(), ", "))
	}
	return nil
}

// hop is what is known of a link: what was told first, then what doc holds, where
// the hop was probed, then the software's defaults. behind are the Server fields of
// the hops behind it: one that says the same may have passed it on.
func (l link) hop(doc *profile.Profile, why string, behind []string) keepalive.Hop {
	h := keepalive.Hop{Name: l.name, URL: l.url, Software: l.software, Accepts: l.accepts, Opens: l.opens, RTT: l.rtt}
	if doc != nil {
		h.Server = doc.Software
		switch {
		case h.Software != "":
		case slices.Contains(behind, h.Server):
			if h.Server != "" {
				why = "its Server field is that of a hop behind it, that it may have passed on"
			}
		default:
			h.Software = keepalive.Recognise(h.Server)
		}
		if h.Accepts.Source == "" {
			h.Accepts = keepalive.LimitOf(doc)
		}
		if h.RTT.Value == 0 && !h.RTT.Told {
			h.RTT = keepalive.Trip{Value: doc.RTT.Median}
		}
	}
	nowhere := func(side keepalive.Side, software string) keepalive.Limit {
		if software == "" {
			return keepalive.Limit{Source: keepalive.FromNowhere, Note: why}
		}
		return keepalive.LimitFrom(software, side)
	}
	if h.Accepts.Source == "" {
		if l.url != "" {
			h.Accepts = keepalive.Limit{Source: keepalive.FromNowhere, Note: why}
		} else {
			h.Accepts = nowhere(keepalive.Accepts, h.Software)
		}
	}
	if h.Opens.Source == "" {
		software := h.Software
		if l.upstream != "" {
			software = l.upstream
		}
		h.Opens = nowhere(keepalive.Opens, software)
	}
	return h
}

// probeChain judges a chain: hops that are URLs are probed, all at once.
func probeChain(ctx context.Context, list string, asserted []string, config probe.Config, out *outputs) error {
	links, err := parseChain(list)
	if err != nil {
		return err
	}
	var names []string
	for _, l := range links {
		names = append(names, l.name)
	}
	conditions, err := assertions(asserted, keepalive.Vocabulary(names...))
	if err != nil {
		return err
	}
	asked := 0
	for _, l := range links {
		if l.url != "" {
			asked++
		}
	}
	if asked > 0 {
		fmt.Fprintf(out.std.err, "linger: hops to probe: %d; each is watched until it ends idle connections, %v at most\n", asked, config.Watched())
	}
	policies := make([]*profile.Profile, len(links))
	failures := make([]error, len(links))
	var all sync.WaitGroup
	for i, l := range links {
		if l.url == "" {
			continue
		}
		all.Go(func() {
			one := config
			one.Target = l.url
			one.Experiments = probe.IdleExperiments(l.scheme())
			policies[i], failures[i] = probe.Run(ctx, one)
		})
	}
	all.Wait()
	hops := make([]keepalive.Hop, len(links))
	var servers []string
	for i, l := range slices.Backward(links) {
		why := ""
		if failures[i] != nil {
			why = failures[i].Error()
		}
		hops[i] = l.hop(policies[i], why, servers)
		servers = append(servers, hops[i].Server)
	}
	chain := keepalive.Judge(hops)
	chain.Linger, chain.Asserted = version, assert.Decide(conditions, chain.Figures())
	known := slices.ContainsFunc(chain.Pairs, func(p keepalive.Pair) bool { return p.Verdict != keepalive.Unclear })
	for i, err := range failures {
		switch {
		case err == nil:
		case !known:
			return fmt.Errorf("%s: %w", links[i].name, err)
		default:
			fmt.Fprintf(out.std.err, "linger: %s: %s\n", links[i].name, oneLine(err.Error()))
		}
	}
	for i, h := range hops {
		if i > 0 && h.URL != "" && h.RTT.Value > 0 && !h.RTT.Told {
			chain.Caveats = append(chain.Caveats, finding.Caveat{Code: keepalive.SeenFromHere})
			break
		}
	}
	err = out.write(func(ending string, w io.Writer) error {
		if ending == ".json" {
			return formats.ChainJSON(w, chain)
		}
		return text.Chain(w, chain, out.layout(w))
	})
	if err == nil && ctx.Err() != nil {
		return statusError{exitInterrupted, errors.New("interrupted; what was seen until then stands above")}
	}
	if broken := brokenOf(chain.Asserted); err == nil && broken != nil {
		if len(asserted) == 1 && asserted[0] == keepalive.RightName {
			return statusError{exitAssertion, fmt.Errorf("--assert %s: the chain is %s", keepalive.RightName, chain.Verdict)}
		}
		return broken
	}
	return err
}
