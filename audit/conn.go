package audit

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit/handshake"
	"linger/audit/limit"
	"linger/trace"
)

// never is an instant that is not known.
const never = linger.Instant(math.MinInt64)

func when(o linger.Opt[linger.Instant]) linger.Instant { return o.Or(never) }

// A conn is a connection as far as decisions need it.
type conn struct {
	talk
	*detail
	client, server *host

	secure      bool // the name is an SNI
	multiplexed bool
	mayShare    bool // it is, or may be for all that is known
	udp         bool
	beganBefore bool
	stillOpen   bool
	endless     bool // whether and when it ended is not known
	endsBy      bool // it had been closed by closed at the latest
	opaque      bool // its exchanges are not known
	inner       bool // it was in a tunnel
	oneWay      bool
	concluded   bool
	counted     bool

	opened, ready, last     linger.Instant
	closed, released, alive linger.Instant // alive: the last answered probe
	streams                 int            // how many requests at once the server allows; 0 is not known
	unansweredSince         linger.Instant
	closedBy                trace.Peer
	closedWith              trace.Signal
	near, far               linger.Opt[time.Duration] // round trips from the place of capture to client and server

	names       []string
	closedFrame int64
	stream      linger.Opt[int64]
	missing     int64
	carriedDown int64 // bytes that the server sent, as TCP's payload
	end         end
}

// A detail is what is not needed of a connection that is decided and counted.
type detail struct {
	protocol                                  linger.Protocol
	agent, software                           string
	accepted, established, secured, announced linger.Instant // accepted: the SYN-ACK
	announcedBy                               trace.Peer
	outUp                                     int64
	payload                                   int64 // bytes of both directions
	frames                                    trace.Frames
	price                                     price
	pool                                      *pool
	decision                                  decision
	sealed                                    *sealed
}

// A sealed is what is not needed either of one that is decided, and is there of encrypted ones and
// of those that said how they end.
type sealed struct {
	tls       linger.Opt[trace.TLS] // without its lists
	goAway    linger.Opt[trace.GoAway]
	idleLimit linger.Opt[time.Duration]
	reason    string
	turns     linger.Opt[int64]
	between   linger.Opt[trace.Between]
	session   handshake.Verdict
}

// unsealed is that of all that have none. It is never changed.
var unsealed = &sealed{}

// seal takes in what of a record is rarely there.
func (c *conn) seal(r *trace.Connection) {
	c.sealed = unsealed
	t, secure := r.TLS.Get()
	if reason := codeOf(r.Reason); secure || !r.GoAway.IsZero() || !r.IdleLimit.IsZero() || !r.Between.IsZero() || reason != "" {
		c.sealed = &sealed{goAway: r.GoAway, idleLimit: r.IdleLimit, reason: reason, turns: r.Turns, between: r.Between}
		if secure {
			t.ServerName, t.Offered, t.Names, t.Cipher = "", nil, nil, ""
			c.sealed.tls = linger.Known(t)
		}
	}
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
	shared    bool // the one before had requests under way, and room for more
	gap       time.Duration
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

// take takes in the connection's own record.
func (c *conn) take(r *trace.Connection) {
	tls, secure := r.TLS.Get()
	c.protocol = r.Protocol
	c.multiplexed = r.Protocol.Multiplexed()
	if c.udp = OverUDP(r); r.Protocol.Datagram() {
		c.class = Datagrams
	}
	c.beganBefore, c.stillOpen = r.BeganBefore, r.StillOpen
	if c.secure = secure && tls.ServerName != ""; c.secure {
		c.name = strings.ToLower(tls.ServerName) // whatever was asked on it
	} else if r.Origin != "" {
		c.name = strings.ToLower(r.Origin)
	}
	if !secure && c.https && c.name != "" {
		c.secure, c.name = true, withoutPort(c.name) // whoever recorded it knows no more of TLS
	}
	c.names = tls.Names
	c.seal(r)
	c.streams = int(min(r.Streams.Or(0), math.MaxInt32))
	c.inferred = c.inferred && secure
	c.mayShare = c.multiplexed || tls.Version == "1.3" && tls.ALPN == "" && tls.Keys != trace.AllKeys && slices.ContainsFunc(tls.Offered, func(token string) bool {
		return linger.ProtocolByALPN(token).Multiplexed()
	})
	c.opened, c.established, c.secured = r.Dialled, when(r.Established), when(r.Secured)
	c.accepted = when(r.SYNACK)
	c.ready = c.established
	if secure || c.multiplexed {
		c.ready = when(r.Secured)
	}
	if connected, ok := r.Connected.Get(); ok {
		c.ready = connected
	}
	if c.ready == never && !r.BeganBefore && r.SYN.IsZero() && r.SYNACK.IsZero() {
		// Whoever recorded it does not say when it was set up: by its first request.
		if c.ready = c.opened; len(c.spans) > 0 {
			c.ready = max(c.opened, c.spans[0].begins())
		}
	}
	c.last, c.closed, c.released = when(r.LastByte), when(r.Closed), when(r.Released)
	c.announced, c.announcedBy = when(r.Announced), r.AnnouncedBy
	c.closedBy, c.closedWith = r.ClosedBy, r.ClosedWith
	c.endsBy = r.Known.Closed == trace.Inferred
	c.endless = !r.StillOpen && r.Closed.IsZero() && r.ClosedWith == "" && r.GoAway.IsZero() && r.Announced.IsZero() && r.Unanswered.IsZero()
	if len(tls.Notified) > 0 && c.closedWith == trace.FIN {
		c.closedBy = tls.Notified[0] // who sends the first FIN after it is a race
	}
	out := r.Outstanding.Or(trace.Outstanding{})
	c.outUp = out.Up
	if u, ok := r.Unanswered.Get(); ok && u.Sent > 0 {
		c.unansweredSince = u.Since
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
	c.payload, c.carriedDown = up.Payload+down.Payload, down.Payload
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
	c.weigh(r, up, down, tls, secure || !r.Secured.IsZero())
}

// OverUDP reports whether a connection runs over UDP.
func OverUDP(r *trace.Connection) bool {
	return r.Protocol.OverQUIC() || r.Protocol.Datagram() || !r.QUIC.IsZero()
}

// dropUnasked leaves out the responses that nobody asked for, where all that the client sent
// was seen: a server that has waited for too long may send 408 before it closes (RFC 9110,
// 15.5.9).
func (c *conn) dropUnasked() {
	kept := slices.DeleteFunc(c.spans, func(s span) bool { return s.flags&unasked != 0 })
	c.requests -= len(c.spans) - len(kept)
	c.spans = kept
}

// legible reports whether the exchanges of a protocol are read from the packets: those of
// protocols in the clear that have no streams.
func legible(p linger.Protocol) bool {
	return p.Transport() != "" && !p.Secure() && !p.Multiplexed()
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
		from, until := c.established, c.secured
		if from == never {
			from = c.opened
		}
		p.tls = max(0, until.Sub(from))
		if early := tls.EarlyData.Or(false); early && c.ready != never {
			until = min(until, c.ready) // the first request did not wait for the rest
		}
		p.waiting, p.measured = p.waiting+max(0, until.Sub(from)), true
		p.trips += float64(handshake.Trips(tls))
		if c.udp && r.QUIC.Or(trace.QUIC{}).Retry {
			p.trips++
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
	if c.price.measured && len(c.spans) > 0 && c.ready != never {
		if first := c.spans[0].sent; first != never {
			wait := first.Sub(c.ready)
			c.price.hidden = wait > max(10*time.Millisecond, c.price.waiting)
		}
	}
}

// forget lets go of what later decisions do not need of a connection that is counted.
func (c *conn) forget(until linger.Instant) {
	c.detail, c.folded = nil, nil
	if n := len(c.spans); n > 1 && c.end.at != never && c.end.at <= until {
		c.spans = []span{c.spans[n-1]}
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
		s := c.spans[i]
		if s.begins() >= t || s.done == never {
			continue
		}
		if !c.multiplexed {
			since = max(since, s.done)
			break
		}
		if s.begins().Add(c.longest) <= since {
			break // none before it ended later
		}
		since = max(since, s.done)
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

	last      linger.Instant            // when a connection of it was last seen to be there
	idle      *limit.Idle               // after which this side closes; nil where nothing was learnt
	near      linger.Opt[time.Duration] // the shortest seen, of a client
	far       linger.Opt[time.Duration] // of a server
	closings  []closing                 // by this server, for restarts
	counts    *limit.Counts             // of a server
	restarted []linger.Instant          // when it was
	// certificates are the names that its certificate is good for, by the name that was asked
	// for: a session that is resumed shows none.
	certificates map[string][]string
}

// mostCertificates bounds the names of one server of which the certificate is remembered.
const mostCertificates = 256

// certify takes in a certificate.
func (h *host) certify(name string, names []string) {
	if h.certificates == nil {
		h.certificates = map[string][]string{}
	}
	if _, ok := h.certificates[name]; ok || len(h.certificates) < mostCertificates {
		h.certificates[name] = names
	}
}

// goodFor are the names that a connection's certificate is good for; none are not known.
func (c *conn) goodFor() []string {
	if len(c.names) > 0 {
		return c.names
	}
	return c.server.certificates[c.name]
}

// withoutCredentials reports whether the connection is one of a browser's for requests without
// credentials, which never share one with those that have some: "a connection pool [...] obtain a
// connection, given [...] credentials" (Fetch, 2.5).
func (c *conn) withoutCredentials() bool {
	return strings.HasPrefix(c.agent, "Mozilla/") && c.requests > 0 && !c.inferred && !c.credentials
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

// limits returns what is learnt of a host's idle limit.
func (h *host) limits() *limit.Idle {
	if h.idle == nil {
		h.idle = &limit.Idle{}
	}
	return h.idle
}

// usedAfter is the longest gap after which a connection of the host was used again, in seconds.
func (h *host) usedAfter() float64 {
	if h.idle == nil {
		return 0
	}
	return h.idle.Used
}
