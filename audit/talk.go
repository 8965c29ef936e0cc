package audit

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// A talk is what the exchanges of a connection tell of it. It is all that is kept of one whose
// own record has not come.
type talk struct {
	id    int64
	pair  pair   // of its two hosts; 0 where it was not said
	name  string // what the client asked for: SNI, else Host
	class Class
	first uint64 // of the first request: method and path
	// firstSize is that of the first response, with its head; 0 is unknown.
	firstSize int64

	spans    []span  // by when they began
	folded   *folded // what is known of those that were folded into others
	requests int     // of all exchanges, also those that are no longer in spans
	polls    int32   // requests as its first that waited as a long poll does
	chained  int32   // requests sent as soon as the response before had come
	maxSaid  int     // how many requests the server announced that it takes; 0 is unknown

	checkLook bool // it looks like a health check's
	small     bool // as its first response is
	otherName bool // it carried requests for several Hosts
	otherPath bool // and for several paths
	inferred  bool // an exchange is known by sizes and times alone

	// longest is how long a span lasts at most, dangling how many have no end: what was under
	// way at an instant is found without a look at all.
	longest  time.Duration
	dangling int32
	// credentials says that a request had some, bare that one had none.
	credentials, bare bool
	asked             string   // the first Host
	https             bool     // the first request says that it is secured
	several           *several // the others, where there are any
}

// several are the Hosts of one connection besides the first.
type several struct {
	hosts       []string
	requests    int      // for them
	misdirected []string // Hosts, also the first, that were answered 421
}

// mostHosts bounds the Hosts that are remembered of one connection.
const mostHosts = 32

// A span is an exchange as far as decisions need it, or several in a row that were folded into
// one, from the first one's beginning to the last one's end.
type span struct {
	sent, first, done linger.Instant
	more              uint32 // how many it stands for beside the first
	flags             flag
}

type flag uint8

const (
	clientSaid flag = 1 << iota // the request does not let the connection persist
	serverSaid                  // the response does not
	stream                      // it took the connection over
	unasked                     // no request was seen
	headless                    // a head was not captured whole: what it says of the connection is not known
	dropped                     // its stream was given up
	somewhen                    // done is by when it had ended at the latest
)

// gap is how long it was from the span's end to the next request, which is later.
func (s span) gap(next linger.Instant) (d time.Duration, ok bool) {
	if s.done == never || next == never || next < s.done || s.flags&somewhen != 0 {
		return 0, false
	}
	return next.Sub(s.done), true
}

// lasted is how long the client waited; nothing of what was folded, which folded has.
func (s span) lasted() time.Duration {
	if s.sent == never || s.done == never || s.more > 0 || s.flags&somewhen != 0 {
		return 0
	}
	return max(0, s.done.Sub(s.sent))
}

// begins is when the exchange took its connection, as far as that was seen.
func (s span) begins() linger.Instant {
	if s.sent != never {
		return s.sent
	}
	return s.first
}

// add takes in one exchange. sum is of its method and path.
func (t *talk) add(e *trace.Exchange, sum uint64) {
	s := span{sent: when(e.Sent), first: when(e.FirstByte), done: when(e.Done)}
	if s.sent == never && e.Method == "" {
		s.flags |= unasked
	}
	if s.sent == never && s.first == never {
		s.sent = e.Queued
	}
	if at, ok := e.Dropped.Get(); ok && s.done == never {
		s.done = at
		s.flags |= dropped
	}
	if by, ok := e.DoneBy.Get(); ok && s.done == never {
		s.done = max(by, s.begins())
		s.flags |= somewhen
	}
	t.inferred = t.inferred || e.Known == trace.Inferred && e.Method == "" && e.Status == 0
	t.credentials, t.bare = t.credentials || e.Credentials, t.bare || !e.Credentials
	said := func(m trace.Said) bool {
		version := m.Version
		if version == "0.9" {
			version = "1.0"
		}
		return version != "" && !policy.Persists(version, []string{m.Connection})
	}
	if said(e.Asked) {
		s.flags |= clientSaid
	}
	if said(e.Answered) {
		s.flags |= serverSaid
	}
	if e.Status == 101 || e.Method == "CONNECT" && e.Status/100 == 2 || e.ContentType == "text/event-stream" {
		s.flags |= stream
		t.class = Streaming
	}
	if e.Known == trace.Announced {
		s.flags |= headless // a log has no fields
		if s.done == never {
			s.flags |= somewhen
		}
	}
	if e.Known == trace.Inferred {
		if e.Method != "" && e.RequestHead == 0 || e.Status != 0 && e.ResponseHead == 0 {
			s.flags |= headless
		}
	}
	if n := mostSaid(e.Answered.KeepAlive); n > 0 && e.Number > 0 {
		t.maxSaid = e.Number + n
	}
	if t.requests == 0 {
		path := pathOf(e.URL)
		t.first = sum
		if e.Failed == "" {
			t.firstSize = e.ResponseHead + e.ResponseBody
		}
		t.small = e.ResponseBody <= smallBody
		t.checkLook = t.small && (e.Method == "OPTIONS" || e.Method == "HEAD" || checksPath(path))
	}
	t.requests++
	if s.done == never {
		t.dangling++
	} else {
		t.longest = max(t.longest, s.done.Sub(s.begins()))
	}
	t.otherPath = t.otherPath || sum != t.first
	if e.Method == "GET" && e.ResponseBody <= smallBody && s.sent != never && s.first.Sub(s.sent) >= pollWaits && s.first != never {
		t.polls++
	}
	if n := len(t.spans); n > 0 {
		if gap, ok := t.spans[n-1].gap(s.sent); ok && gap <= pollsAgain {
			t.chained++
		}
	}
	// Exchanges end in any order where several are under way at once.
	i := len(t.spans)
	for i > 0 && t.spans[i-1].begins() > s.begins() {
		i--
	}
	if n := len(t.spans); n == cap(t.spans) && n > 0 {
		// There are as many of these as connections, so that to double would be dear.
		t.spans = append(make([]span, 0, n+max(2, n/4)), t.spans...)
	}
	t.spans = append(t.spans, span{})
	copy(t.spans[i+1:], t.spans[i:])
	t.spans[i] = s
}

// The weights of what is kept of connections that are not decided, some 32 bytes each, with
// what hangs on it.
const (
	weightOfConn   = 16
	weightOfSealed = 16 // of an encrypted one, besides
	weightOfTalk   = 6  // of one without its own record
	weightOfSpan   = 1
)

// weight is that of a connection that is not decided.
func (c *conn) weight() int {
	n := weightOfConn + weightOfSpan*len(c.spans)
	if c.sealed != unsealed {
		n += weightOfSealed
	}
	return n
}

// sumOf is a hash of a request's method and path.
func sumOf(e *trace.Exchange) uint64 { return hashOf(e.Method, pathOf(e.URL)) }

// pathOf is the path of a URL, without its query.
func pathOf(raw string) string {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		rest = raw
	}
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return ""
	}
	path := rest[i:]
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	return path
}

// asks takes in for whom a request was, and what was answered.
func (t *talk) asks(name string, status int) {
	switch {
	case t.asked == "":
		t.name, t.asked = name, name
	case t.asked != name:
		t.otherName = true
	case status != misdirected:
		return
	}
	if t.asked == name && status != misdirected {
		return
	}
	if t.several == nil {
		t.several = &several{}
	}
	if t.asked != name {
		t.several.requests++
		t.several.hosts = among(t.several.hosts, name)
	}
	if status == misdirected {
		t.several.misdirected = among(t.several.misdirected, name)
	}
}

// misdirected is the status of a server that does not answer for that name here: "the client MAY
// retry the request over a different connection" (RFC 9110, 15.5.20).
const misdirected = 421

// among is a list with a name in it.
func among(list []string, name string) []string {
	if slices.Contains(list, name) || len(list) >= mostHosts {
		return list
	}
	return append(list, name)
}

// refused reports whether the server answered for a name that it does not here, served whether it
// answered for it otherwise.
func (t *talk) refused(name string) bool {
	return t.several != nil && slices.ContainsFunc(t.several.misdirected, func(h string) bool { return withoutPort(h) == name })
}

func (t *talk) served(name string) bool {
	is := func(h string) bool { return withoutPort(h) == name }
	return (is(t.asked) || t.several != nil && slices.ContainsFunc(t.several.hosts, is)) && !t.refused(name)
}

// withoutPort is a Host without its port.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > 0 && strings.Trim(host[i+1:], "0123456789") == "" && !strings.HasSuffix(host[:i], ":") {
		return host[:i]
	}
	return host
}

// hostOf is the Host of a request.
func hostOf(raw string) string {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return strings.ToLower(host)
}

// mostSaid reads how many more requests a field Keep-Alive allows: "timeout=5, max=100". 0 is
// none said.
func mostSaid(field string) (most int) {
	if field == "" {
		return 0 // as nearly always
	}
	for part := range strings.SplitSeq(field, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n >= 0 && n <= 1<<30 && strings.EqualFold(strings.TrimSpace(name), "max") {
			most = n
		}
	}
	return most
}

// checksPath reports whether a path is one that health checks ask for.
func checksPath(path string) bool {
	p := strings.ToLower(strings.Trim(path, "/"))
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		p = p[i+1:]
	}
	switch p {
	case "health", "healthz", "healthcheck", "health-check", "health_check", "livez", "readyz", "ready", "readiness", "live", "liveness", "ping", "heartbeat", "alive", "haproxy-check", "lb-check", "status":
		return true
	}
	return false
}

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
