package audit

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"linger/audit/limit"
	"linger/finding"
	"linger/keepalive"
)

// A need is what has to change for a cause to end.
type need struct {
	cause          Cause
	server, client string        // software
	gap            time.Duration // for how long connections have to be kept
	limit          time.Duration // after how long the server ends them
	peak           int
	requests       int
}

// learnt takes in what is known of the server's limits.
func (n *need) learnt(h *host) {
	if l, ok := idleLimit(h.idle); ok {
		n.limit = limit.Seconds(l.Low.Or(0))
	}
	if most, _, ok := h.counts.Requests(); ok {
		n.requests = most
	}
}

// up rounds a time up to one that people would write.
func up(d time.Duration) time.Duration {
	for _, s := range []int{5, 10, 15, 30, 60, 75, 120, 300, 600, 1200, 3600} {
		if d <= time.Duration(s)*time.Second {
			return time.Duration(s) * time.Second
		}
	}
	return d.Round(time.Hour) + time.Hour
}

// keptFor is how many connections a pool should keep that has had so many busy at once.
func keptFor(peak int) int { return max(8, 2*peak) }

// withMargin is for how long connections should be kept to outlast a gap. A tenth, and a
// second, make that clocks and round trips do not matter.
func withMargin(gap time.Duration) time.Duration { return up(gap + gap/10 + time.Second) }

// remedies are lines of the configuration of the software that was seen.
func (n need) remedies() []finding.Remedy {
	kept := keptFor(n.peak)
	server := func(limit time.Duration, number int) []finding.Remedy {
		return keepalive.Remedies(string(n.cause), n.server, keepalive.Accepts, number, limit)
	}
	client := func(limit time.Duration) []finding.Remedy {
		return keepalive.Remedies(string(n.cause), n.client, keepalive.Opens, kept, limit)
	}
	longer := withMargin(n.gap)
	switch n.cause {
	case ServerIdle:
		return server(longer, 0)
	case RequestLimit:
		return server(0, max(10_000, 100*n.requests))
	case ServerSaysClose, ServerClosesAtOnce, MaxAge:
		return server(0, 10_000)
	case ClientIdle:
		return client(longer)
	case Race, StaleReuse:
		shorter := n.limit - max(time.Second, n.limit/10)
		if n.limit == 0 || shorter <= 0 {
			shorter = n.limit / 2
		}
		return append(client(shorter), server(up(n.gap+n.limit), 0)...)
	case SilentDrop, EndedBetween:
		return append(client(0), server(0, 0)...)
	}
	if n.cause.Of().Whose == Clients {
		return client(0)
	}
	return nil
}

// resumes are lines that let handshakes be resumed.
func (n need) resumes(code string) []finding.Remedy {
	if code == ResumptionRefused {
		return keepalive.Remedies(code, n.server, keepalive.Accepts, 0, 0)
	}
	return keepalive.Remedies(code, n.client, keepalive.Opens, 0, 0)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// sortedList sorts numbers that stand behind commas, each once.
func sortedList(list string) string {
	var all []int64
	for s := range strings.SplitSeq(strings.TrimPrefix(list, ","), ",") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	var out []string
	for _, n := range slices.Compact(all) {
		out = append(out, number(n))
	}
	return strings.Join(out, ", ")
}
