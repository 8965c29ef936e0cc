package audit

import (
	"hash/fnv"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// never is an instant that is not known.
const never = linger.Instant(math.MinInt64)

func when(o linger.Opt[linger.Instant]) linger.Instant { return o.Or(never) }

// A span is an exchange as far as decisions need it.
type span struct {
	sent, first, done linger.Instant
	flags             flag
}

type flag uint8

const (
	clientSaid flag = 1 << iota // the request does not let the connection persist
	serverSaid                  // the response does not
	stream                      // it took the connection over
	unasked                     // no request was seen
	headless                    // a head was not captured whole: what it says of the connection is not known
)

// begins is when the exchange took its connection, as far as that was seen.
func (s span) begins() linger.Instant {
	if s.sent != never {
		return s.sent
	}
	return s.first
}

// A conn is a connection as far as decisions need it.
type conn struct {
	id             int64
	client, server *host
	name           string // what the client asked for: SNI, else Host
	protocol       string
	class          Class

	secure      bool // the name is an SNI
	multiplexed bool
	udp         bool
	beganBefore bool
	stillOpen   bool
	recorded    bool // its own record has come
	opaque      bool // its exchanges are not known
	inferred    bool // they are, from sizes and times
	inner       bool // it was in a tunnel
	oneWay      bool
	checkLook   bool // it looks like a health check's
	small       bool // as its first response is
	otherName   bool // it carried requests for several Hosts
	concluded   bool
	counted     bool

	opened, accepted, established, ready, secured linger.Instant // accepted: the SYN-ACK
	last, closed, released, announced             linger.Instant
	alive                                         linger.Instant // the last answered probe
	closedBy, announcedBy                         trace.Peer
	closedWith                                    trace.Signal
	outUp                                         int64
	unansweredBy                                  trace.Peer
	unansweredSince                               linger.Instant
	near, far                                     linger.Opt[time.Duration] // round trips from the place of capture to client and server

	spans    []span
	requests int // of all exchanges, also those that are no longer in spans
	learnt   int // spans whose gaps have been counted
	maxSaid  int // how many requests the server announced that it takes; 0 is unknown
	idleSaid time.Duration
	payload  int64  // bytes of both directions
	first    uint64 // of the first request: method and path
	names    []string
	agent    string
	software string

	frames      trace.Frames
	closedFrame int64
	stream      linger.Opt[int64]
	missing     int64

	price price
	end   end

	pool     *pool
	decision decision
}

// A price is what opening a connection took.
type price struct {
	waiting, tls time.Duration // until the first request might be sent; TLS's part
	measured     bool
	hidden       bool // no request waited for it
	trips        float64
	packets      int64
	bytes        int64
	timeWait     trace.Peer
}

// A decision is why a connection was opened.
type decision struct {
	cause     Cause
	certainty Certainty
	before    *conn // whose place it takes, or which was idle
	lost      []Cause
	between   bool // something lay within the client's round trip
	gap       time.Duration
}

// bytesOf is what a conn and a span take, roughly, with what they hang on.
const (
	weightOfConn = 16
	weightOfSpan = 1
)

// add takes in one exchange.
func (c *conn) add(e *trace.Exchange) {
	s := span{sent: when(e.Sent), first: when(e.FirstByte), done: when(e.Done)}
	if s.sent == never && e.Method == "" {
		s.flags |= unasked
	}
	if s.sent == never && s.first == never {
		s.sent = e.Queued
	}
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
		c.class = Streaming
	}
	if e.Known == trace.Inferred {
		c.inferred = true
		if e.Method != "" && e.RequestHead == 0 || e.Status != 0 && e.ResponseHead == 0 {
			s.flags |= headless
		}
	}
	if n, limit := keepAlive(e.Answered.KeepAlive); n > 0 || limit > 0 {
		if n > 0 && e.Number > 0 {
			c.maxSaid = e.Number + n
		}
		c.idleSaid = limit
	}
	if c.requests == 0 {
		h := fnv.New64a()
		h.Write([]byte(e.Method))
		path := pathOf(e.URL)
		h.Write([]byte(path))
		c.first = h.Sum64()
		c.small = e.ResponseBody <= 4096
		c.checkLook = c.small && (e.Method == "OPTIONS" || e.Method == "HEAD" || checksPath(path))
	}
	c.requests++
	// Exchanges end in any order where several are under way at once.
	i := len(c.spans)
	for i > c.learnt && c.spans[i-1].begins() > s.begins() {
		i--
	}
	c.spans = append(c.spans, span{})
	copy(c.spans[i+1:], c.spans[i:])
	c.spans[i] = s
}

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

// hostOf is the Host of a request.
func hostOf(raw string) string {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return strings.ToLower(host)
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

// checkers are the beginnings of what health checks call themselves.
var checkers = []string{"kube-probe/", "elb-healthchecker/", "googlehc/", "haproxy", "consul health", "blackbox exporter", "uptime-kuma", "amazon-route53-health", "envoy/hc", "traefik/healthcheck", "nagios", "check_http/"}

// checks reports whether an agent is one of health checks.
func checks(agent string) bool {
	agent = strings.ToLower(agent)
	for _, c := range checkers {
		if strings.HasPrefix(agent, c) {
			return true
		}
	}
	return false
}

// keepAlive reads a field Keep-Alive: "timeout=5, max=100".
func keepAlive(field string) (max int, idle time.Duration) {
	for part := range strings.SplitSeq(field, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 0 || n > 1<<30 {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "max":
			max = n
		case "timeout":
			idle = time.Duration(n) * time.Second
		}
	}
	return max, idle
}

// take takes in the connection's own record.
func (c *conn) take(r *trace.Connection) {
	tls, secure := r.TLS.Get()
	c.recorded = true
	c.protocol = r.Protocol
	c.multiplexed = r.Protocol == "h2" || r.Protocol == "h3" || r.Protocol == "doh" || r.Protocol == "doh3" || r.Protocol == "doq"
	if c.udp = OverUDP(r); r.Protocol == "udp" {
		c.class = Datagrams
	}
	c.beganBefore, c.stillOpen = r.BeganBefore, r.StillOpen
	if c.secure = secure && tls.ServerName != ""; c.secure {
		c.name = strings.ToLower(tls.ServerName)
	} else if r.Origin != "" {
		c.name = strings.ToLower(r.Origin)
	}
	c.names = tls.Names
	c.opened, c.established, c.secured = r.Dialled, when(r.Established), when(r.Secured)
	c.accepted = when(r.SYNACK)
	c.ready = c.established
	if secure || c.multiplexed {
		c.ready = when(r.Secured)
	}
	if connected, ok := r.Connected.Get(); ok {
		c.ready = connected
	}
	c.last, c.closed, c.released = when(r.LastByte), when(r.Closed), when(r.Released)
	c.announced, c.announcedBy = when(r.Announced), r.AnnouncedBy
	c.closedBy, c.closedWith = r.ClosedBy, r.ClosedWith
	out := r.Outstanding.Or(trace.Outstanding{})
	c.outUp = out.Up
	if u, ok := r.Unanswered.Get(); ok && u.Sent > 0 {
		c.unansweredBy, c.unansweredSince = u.By, u.Since
	} else {
		c.unansweredSince = never
	}
	if p, ok := r.Probes.Get(); ok {
		c.alive = when(p.Alive)
	} else {
		c.alive = never
	}
	up, counted := r.Up.Get()
	down, counted2 := r.Down.Get()
	c.payload = up.Payload + down.Payload
	c.oneWay = counted && counted2 && (up.Packets == 0) != (down.Packets == 0) && up.Packets+down.Packets > 3
	c.missing = r.Missing.Or(0)
	if !c.beganBefore && !c.oneWay && c.missing == 0 && counted {
		c.dropUnasked()
	}
	c.near, c.far = trips(r, up, down)
	c.agent, c.software = r.Agent, r.Software
	c.frames, c.closedFrame, c.stream = r.Frames, r.ClosedFrame, r.Stream
	used := c.payload > tls.Up+tls.Down
	if c.inner = !r.Within.IsZero(); c.inner {
		used = !r.FirstByte.IsZero() // what passes in a tunnel is counted with the tunnel
	}
	c.opaque = c.requests == 0 && (secure || c.udp || !legible(r.Protocol)) && used
	if c.opaque && c.ready == never {
		c.ready = c.established // when TLS's handshake was done is not known
	}
	c.checkLook = c.checkLook || checks(r.Agent)
	c.weigh(r, up, down, tls, secure)
}

// OverUDP reports whether a connection runs over UDP.
func OverUDP(r *trace.Connection) bool {
	switch r.Protocol {
	case "h3", "udp", "quic", "doq", "doh3":
		return true
	}
	return !r.QUIC.IsZero()
}

// dropUnasked leaves out the responses that nobody asked for, where all that the client sent
// was seen: a server that has waited for too long may send 408 before it closes (RFC 9110,
// 15.5.9).
func (c *conn) dropUnasked() {
	kept := slices.DeleteFunc(c.spans, func(s span) bool { return s.flags&unasked != 0 })
	c.requests -= len(c.spans) - len(kept)
	c.spans = kept
}

// legible reports whether the exchanges of a protocol are read from the packets.
func legible(protocol string) bool {
	switch protocol {
	case "http/0.9", "http/1.0", "http/1.1", "tcp", "udp":
		return true
	}
	return false
}

// trips are the round trips between the place of capture and either side, by the
// handshake; unknown where one of its packets was sent twice (RFC 6298, 3).
func trips(r *trace.Connection, up, down trace.Flow) (near, far linger.Opt[time.Duration]) {
	syn, ok := r.SYN.Get()
	answer, ok2 := r.SYNACK.Get()
	done, ok3 := r.Established.Get()
	if ok && ok2 && answer >= syn && up.SYN <= 1 {
		far = linger.Known(answer.Sub(syn))
	}
	if ok2 && ok3 && done >= answer && down.SYN <= 1 && up.SYN <= 1 {
		near = linger.Known(done.Sub(answer))
	}
	return near, far
}

// weigh finds what opening the connection took.
func (c *conn) weigh(r *trace.Connection, up, down trace.Flow, tls trace.TLS, secure bool) {
	p := &c.price
	if c.inner {
		return // the tunnel's is the price
	}
	// Without its SYN a handshake has no beginning, and TLS's has no end that is known
	// without keys.
	whole := (!r.SYN.IsZero() || r.SYNACK.IsZero()) && (!secure || c.secured != never)
	if whole && c.established != never && c.established >= c.opened {
		p.waiting, p.measured = c.established.Sub(c.opened), true
		p.trips = 1
	}
	if secure && c.secured != never {
		from := c.established
		if from == never {
			from = c.opened
		}
		p.tls = max(0, c.secured.Sub(from))
		p.waiting, p.measured = p.waiting+p.tls, true
		switch {
		case c.udp:
			p.trips = 1
		case tls.Version == "1.3" || tls.Resumed:
			p.trips++
		default:
			p.trips += 2
		}
	}
	setup := up.SYN + up.FIN + up.RST + down.SYN + down.FIN + down.RST
	if c.established != never {
		setup++ // the handshake's last ACK
	}
	p.packets = setup
	if n := up.Packets + down.Packets; n > 0 {
		p.bytes = setup*(up.Header+down.Header)/n + tls.Up + tls.Down
	}
	if r.ClosedWith == trace.FIN && up.RST+down.RST == 0 && up.FIN > 0 && down.FIN > 0 {
		p.timeWait = r.ClosedBy
	}
}

// finish takes in that all exchanges are known.
func (c *conn) finish() {
	if c.price.measured && len(c.spans) > 0 && c.learnt == 0 && c.ready != never {
		if first := c.spans[0].sent; first != never {
			wait := first.Sub(c.ready)
			c.price.hidden = wait > max(10*time.Millisecond, c.price.waiting)
		}
	}
}

// forget lets go of what later decisions do not need of a connection that is counted.
func (c *conn) forget(until linger.Instant) {
	c.decision.before, c.decision.lost = nil, nil
	if n := len(c.spans); n > 1 && c.end.at != never && c.end.at <= until {
		c.spans = []span{c.spans[n-1]}
		c.learnt = 0
	}
}

// carried reports whether the connection was used for anything.
func (c *conn) carried() bool { return c.requests > 0 || c.opaque }

// idleSince is when the connection's last exchange before an instant had ended, or it
// became ready.
func (c *conn) idleSince(t linger.Instant) linger.Instant {
	since := c.ready
	if since == never {
		since = c.opened
	}
	for i := len(c.spans) - 1; i >= 0; i-- {
		if s := c.spans[i]; s.begins() < t && s.done != never {
			since = max(since, s.done)
			break
		}
	}
	if c.opaque && c.last != never && c.last <= t {
		since = max(since, c.last)
	}
	return since
}

// ageAt is how old the connection is, at most, when something passes that the server
// sends: it had not accepted it when it sent its SYN-ACK.
func (c *conn) ageAt(t linger.Instant) time.Duration {
	if c.accepted != never {
		return t.Sub(c.accepted)
	}
	return t.Sub(c.opened)
}

// keptAt is how old the connection was, at least, when it was sent a request that did not
// end it: it had been accepted when the ACK had come that ends the handshake. Unknown
// where that was not seen.
func (c *conn) keptAt(s span) time.Duration {
	if c.established == never || s.sent == never {
		return 0
	}
	return s.sent.Sub(c.established)
}

// A host is an address: a client's, without its port, or a server's.
type host struct {
	name string
	// mixes says that it was seen to send several Hosts on one connection.
	mixes    bool
	software string
	agent    string
	here     bool // packets were recorded at it
	used     bool // a connection of it carried something

	idle     limits                    // after which this side closes
	near     linger.Opt[time.Duration] // the shortest seen, of a client
	far      linger.Opt[time.Duration] // of a server
	closings []closing                 // by this server, for restarts
	counts   counts
}

// addressOf is an address without its port.
func addressOf(s string) string {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().String()
	}
	if host, port, ok := strings.Cut(s, ":"); ok && port != "" && strings.Trim(port, "0123456789") == "" {
		return host
	}
	return s
}
