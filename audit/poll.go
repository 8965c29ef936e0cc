package audit

import (
	"cmp"
	"slices"
	"time"
)

// A long poll is a GET that the server answers, in few bytes, when there is something to say
// or when it has waited for long enough, and that the client then repeats at once (RFC 6202,
// 2). Its connection waits as that of a stream does. One slow response is none.
const (
	// pollWaits is from when on a response was waited for. Long polls end after some tens of
	// seconds ("timeout values as high as 120 seconds [...] but 30 seconds is a safer value",
	// RFC 6202, 5.5), and responses that somebody waits for are rarely so slow.
	pollWaits = 10 * time.Second
	// pollsAgain is within what time the client repeats it.
	pollsAgain = time.Second
	// leastPolls is how many there have to be.
	leastPolls = 3
	// smallBody is what a response has at most that says something has happened, in bytes.
	smallBody = 4096
)

// findPolls makes streams of the connections on which clients poll and do nothing else: of one
// client's requests for one path of a server, half waited or more, and nearly all followed
// each other at once, on one connection or on one each.
func findPolls(fresh []*conn) {
	groups := map[checkKey][]*conn{} // of those of which any polled
	for _, polled := range []bool{true, false} {
		for _, c := range fresh {
			if c.class != Requests || c.requests == 0 || c.otherPath || c.concluded || polled != (c.polls > 0) {
				continue
			}
			k := checkKey{c.client, c.server, c.first}
			if g, ok := groups[k]; ok || polled {
				groups[k] = append(g, c)
			}
		}
	}
	for _, g := range groups {
		if polling(g) {
			for _, c := range g {
				c.class = Streaming
			}
		}
	}
}

// polling reports whether connections with requests for one path are those of long polls.
func polling(g []*conn) bool {
	slices.SortFunc(g, func(x, y *conn) int { return cmp.Compare(x.opened, y.opened) })
	requests, polls, chained := 0, 0, 0
	for i, c := range g {
		requests += c.requests
		polls += int(c.polls)
		chained += int(c.chained)
		if i == 0 || len(g[i-1].spans) == 0 {
			continue
		}
		before := g[i-1].spans
		if gap, ok := before[len(before)-1].gap(c.opened); ok && gap <= pollsAgain {
			chained++
		}
	}
	return polls >= leastPolls && 2*polls >= requests && 4*chained >= 3*(requests-1)
}
