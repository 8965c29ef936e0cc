package keepalive

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/finding"
	"linger/profile"
)

// A Link is one hop of a chain as the user gave it.
type Link struct {
	Name, URL          string // the URL is empty where there is none to probe
	accepts, opens     Limit  // of the zero Source where nothing was told
	software, upstream string // told: of the hop; of its pool alone
	rtt                Trip
}

// Scheme is that of a hop which is a URL.
func (l Link) Scheme() string {
	scheme, _, _ := strings.Cut(l.URL, "://")
	return scheme
}

// parts are what can be told of a hop behind its name and a dot.
var parts = []string{"idle", "upstream", "software", "rtt"}

// ParseChain reads NAME=DURATION, NAME=SOFTWARE, URL, NAME=URL and NAME.PART=VALUE,
// the client's hop first.
func ParseChain(text string) ([]Link, error) {
	var links []Link
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		name, value, named := strings.Cut(entry, "=")
		if namesServer(entry) {
			name, value, named = "", entry, false
		}
		switch {
		case entry == "":
			return nil, fmt.Errorf("an entry is empty; write client=90s,https://lb,http://app:8080")
		case !named && value == "":
			return nil, fmt.Errorf("%q is neither a URL nor NAME=VALUE; write client=90s,https://lb,http://app:8080", entry)
		case named && (name == "" || value == ""):
			return nil, fmt.Errorf("%q lacks a name or a value; write client=90s", entry)
		}
		if hop, part, ok := cutPart(name); ok {
			i := slices.IndexFunc(links, func(l Link) bool { return l.Name == hop })
			if i < 0 {
				return nil, fmt.Errorf("%s comes before %s itself, or there is no such hop; put it behind", entry, hop)
			}
			if err := links[i].tell(part, value); err != nil {
				return nil, err
			}
			continue
		}
		l := Link{Name: name}
		if namesServer(value) {
			u, err := url.Parse(value)
			if err != nil || u.Hostname() == "" {
				return nil, fmt.Errorf("%s is not a URL; write https://host/path", linger.Unreadable(value))
			}
			if l.URL = value; name == "" {
				l.Name = u.Hostname()
				if slices.ContainsFunc(links, func(l Link) bool { return l.Name == u.Hostname() }) {
					l.Name = u.Host
				}
			}
		}
		if slices.ContainsFunc(links, func(other Link) bool { return other.Name == l.Name }) {
			return nil, fmt.Errorf("two hops are called %s; name them: lb=%s", l.Name, value)
		}
		links = append(links, l)
		if l.URL == "" {
			if err := links[len(links)-1].tell("", value); err != nil {
				return nil, err
			}
		}
	}
	if len(links) < 2 {
		return nil, fmt.Errorf("%s is one hop; a chain has two or more: client=90s,https://lb,http://app:8080", text)
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
func (l *Link) tell(part, value string) error {
	d, err := time.ParseDuration(value)
	lasts := err == nil && d > 0
	known := Known(value)
	told := Limit{Source: FromUser, Value: profile.Duration(d)}
	switch {
	case part == "software" && known:
		l.software = value
	case part == "software":
		return fmt.Errorf("software %q is not known; known are %s", value, strings.Join(Softwares(), ", "))
	case part == "rtt" && err == nil && d >= 0:
		l.rtt = Trip{Value: profile.Duration(d), Told: true}
	case part == "rtt":
		return fmt.Errorf("%s.rtt: %q is not a time; write 20ms", l.Name, value)
	case part == "upstream" && lasts:
		l.opens = told
	case part == "upstream" && value == "none":
		l.opens = Limit{Source: FromUser, Endless: true}
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
		return fmt.Errorf("%s=%s: the value is neither a time, as 90s, nor a software that is known: %s", strings.TrimSuffix(l.Name+"."+part, "."), value, strings.Join(Softwares(), ", "))
	}
	return nil
}

// Hop is what is known of a link: what was told first, then what doc holds, where
// the hop was probed, then the software's defaults. behind are the Server fields of
// the hops behind it: one that says the same may have passed it on.
func (l Link) Hop(doc *profile.Profile, why string, behind []string) Hop {
	h := Hop{Name: l.Name, URL: l.URL, Software: l.software, Accepts: l.accepts, Opens: l.opens, RTT: l.rtt}
	if doc != nil {
		h.Server = doc.Software
		switch {
		case h.Software != "":
		case slices.Contains(behind, h.Server):
			if h.Server != "" {
				why = "its Server field is that of a hop behind it, that it may have passed on"
			}
		default:
			h.Software = Recognise(h.Server)
		}
		if h.Accepts.Source == "" {
			h.Accepts = LimitOf(doc)
		}
		if h.RTT.Value == 0 && !h.RTT.Told {
			h.RTT = Trip{Value: doc.RTT.Median}
		}
	}
	nowhere := func(side Side, software string) Limit {
		if software == "" {
			return Limit{Source: FromNowhere, Note: why}
		}
		return LimitFrom(software, side)
	}
	if h.Accepts.Source == "" {
		if l.URL != "" {
			h.Accepts = Limit{Source: FromNowhere, Note: why}
		} else {
			h.Accepts = nowhere(Accepts, h.Software)
		}
	}
	if h.Opens.Source == "" {
		software := h.Software
		if l.upstream != "" {
			software = l.upstream
		}
		h.Opens = nowhere(Opens, software)
	}
	return h
}

// JudgeLinks judges the chain of some links. found is what was measured of each, nil where that
// is nothing, and failed why.
func JudgeLinks(links []Link, found []*profile.Profile, failed []error) Chain {
	hops := make([]Hop, len(links))
	var behind []string
	for i, l := range slices.Backward(links) {
		why := ""
		if failed[i] != nil {
			why = failed[i].Error()
		}
		hops[i] = l.Hop(found[i], why, behind)
		behind = append(behind, hops[i].Server)
	}
	chain := Judge(hops)
	for i, h := range hops {
		if i > 0 && h.URL != "" && h.RTT.Value > 0 && !h.RTT.Told {
			chain.Caveats = append(chain.Caveats, finding.Caveat{Code: SeenFromHere})
			break
		}
	}
	return chain
}

// IsKnown reports whether anything is known of a pair.
func (c Chain) IsKnown() bool {
	return slices.ContainsFunc(c.Pairs, func(p Pair) bool { return p.Verdict != Unclear })
}
