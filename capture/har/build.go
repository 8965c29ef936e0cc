package har

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// A builder is a trace while it is built, and what is told about it in the end.
type builder struct {
	trace       *trace.Trace
	recorder    recorder
	left        []leftOut
	connections map[string]int   // a recorder's name for a connection -> ID, of the latest
	until       []linger.Instant // when what went on each connection so far was done
	done        []bool           // whether any of that is known to be

	foreign, heads, bodies, unsized, odd, shared, unconnected int // entries of which a note tells
}

// build makes a trace of those of a file's entries that can be used.
func (h *builder) build(entries []entry, read int) error {
	kept := slices.DeleteFunc(entries, func(e entry) bool { return !e.isHTTP() })
	h.foreign = len(entries) - len(kept)
	if len(kept) == 0 {
		return h.nothing()
	}
	for i := range kept {
		h.recorder.settle(&kept[i])
	}
	slices.SortStableFunc(kept, func(a, b entry) int { return a.start.Compare(b.start) })
	kept, others := together(kept)
	for _, e := range others {
		h.left = leaveOut(h.left, "begun more than a day from the others", apart(e, kept[0]), e.number)
	}
	h.trace.Began = kept[0].start
	for i := range kept {
		e := &kept[i]
		x := h.exchange(e, linger.Instant(e.start.Sub(h.trace.Began)))
		x.ID = i
		h.trace.Exchanges = append(h.trace.Exchanges, x)
		h.trace.Ended = max(h.trace.Ended, x.Queued, x.Done.Or(0))
	}
	all := len(kept)
	h.note(h.foreign, read, "left out, since no HTTP (data:, blob:, WebSocket and the like)")
	for _, l := range h.left {
		h.note(l.n, read, "left out, since "+l.String())
	}
	h.note(h.odd, all, "a size that cannot be one taken for unknown")
	h.note(h.unsized, all, "size of the body unknown, none taken")
	h.note(h.heads, all, "size of a head estimated from the list of headers")
	h.note(h.bodies, all, "size of the body on the wire unknown, that of the decoded content taken")
	h.note(h.shared, all, "connection not named, taken for the one of HTTP/2 or HTTP/3 to its host")
	h.note(h.unconnected, all, "connection unknown")
	return nil
}

// nothing says why no entry can be used.
func (h *builder) nothing() error {
	if len(h.left) == 0 {
		return errors.New("no entry of the HAR is HTTP; record a load with the network panel open")
	}
	var why []string
	for _, l := range h.left {
		why = append(why, l.String())
	}
	return fmt.Errorf("no entry of the HAR can be used: all are %s; export it anew", strings.Join(why, ", or "))
}

// note says that something holds of n entries.
func (h *builder) note(n, of int, what string) {
	if n > 0 {
		h.trace.Notes = append(h.trace.Notes, fmt.Sprintf("%s: %d of %d entries", what, n, of))
	}
}

func (h *builder) exchange(e *entry, queued linger.Instant) trace.Exchange {
	x := trace.Exchange{
		Method: e.request.method, URL: linger.WithoutUser(e.request.url), Page: e.page,
		Status: int(max(0, e.response.status.Or(0))), ContentType: e.contentType(), Redirect: e.redirect(),
		Initiator: linger.WithoutUser(absolute(e.initiator)), Referer: linger.WithoutUser(absolute(e.request.referer)),
		Connection: -1, Queued: queued, Frames: trace.Frames{First: int64(e.number), Last: int64(e.number)},
	}
	if h.recorder.isLocal(e) {
		return x
	}
	x.Attempts = 1
	x.Asked, x.Answered = e.said(e.request), e.said(e.response)
	h.times(e, &x)

	var guessed bool
	x.RequestHead, guessed = headOf(e.request, requestLine(e))
	length, _ := e.request.length.Get()
	x.RequestBody = e.request.bodySize.size(linger.MaxBody).Or(max(length, int64(e.request.posted)))
	body, how := e.body()
	x.ResponseBody = body
	if x.Status == 0 && body == 0 {
		x.Failed = printable(cmp.Or(e.response.err, "no response"))
	} else {
		var guess bool
		x.ResponseHead, guess = headOf(e.response, int64(len("HTTP/1.1 200 OK\r\n")))
		guessed = guessed || guess
	}
	if guessed {
		h.heads++
	}
	switch {
	case how == decoded:
		h.bodies++
	case how == unknown && x.Failed == "":
		h.unsized++
	}
	if e.isOdd() {
		h.odd++
	}
	h.connect(e, &x)
	return x
}

// since is how long before the request was sent an instant of WebPageTest's was,
// where the part whose end it also gives took place.
func (e *entry) since(start, end number) linger.Opt[time.Duration] {
	load, ok := e.loadStart.span().Get()
	from, ok2 := start.span().Get()
	if to, ok3 := end.span().Get(); !ok || !ok2 || !ok3 || to <= 0 || to < from || from > load {
		return linger.Opt[time.Duration]{}
	}
	return linger.Known(load - from)
}

// ahead is how long before its startedDateTime the browser wanted the object: that
// of WebPageTest is when the request was sent, behind the look-up and the handshakes.
func (e *entry) ahead() time.Duration {
	return max(e.since(e.dnsStart, e.dnsEnd).Or(0), e.since(e.connectStart, e.connectEnd).Or(0))
}

// times sets the instants that are known. The parts of an exchange follow each
// other: blocked, dns, connect, send, wait, receive; -1 is a part that there was not.
func (h *builder) times(e *entry, x *trace.Exchange) {
	t := e.timings
	at := x.Queued
	total := e.loadMS.span()
	if total.IsZero() {
		total = e.time.span()
		for _, part := range []number{t.blocked, t.dns, t.connect} {
			at = at.Add(part.span().Or(0))
		}
	} else {
		at = at.Add(e.ahead())
		total = linger.Known(total.Or(0) + e.ahead())
	}
	if wait, ok := t.wait.span().Get(); ok {
		at = at.Add(t.send.span().Or(0))
		x.Sent = linger.Known(at)
		at = at.Add(wait)
		x.FirstByte = linger.Known(at)
		at = at.Add(t.receive.span().Or(0))
		x.Done = linger.Known(at)
	}
	if d, ok := total.Get(); ok {
		// Where the parts do not add up, the later end is kept, for nothing may be
		// done before its first byte.
		x.Done = linger.Known(max(x.Queued.Add(d), x.FirstByte.Or(0)))
	}
}

// A handshake is what an entry says of the connection that was opened for it.
type handshake struct {
	resolving            linger.Opt[linger.Instant]
	dialled, connected   linger.Instant
	established, secured linger.Opt[linger.Instant]
}

// handshake returns when the connection was opened, if it was opened for e. HAR of
// connect: "Time required to create TCP connection"; of ssl: "If this field is
// defined then the time is also included in the connect field".
func (e *entry) handshake(queued linger.Instant) (h handshake, ok bool) {
	t := e.timings
	if !e.loadMS.IsZero() {
		sent := queued.Add(e.ahead())
		at := func(start, end, instant number) linger.Opt[linger.Instant] {
			if _, ok := e.since(start, end).Get(); !ok {
				return linger.Opt[linger.Instant]{}
			}
			return linger.Known(sent.Add(instant.span().Or(0) - e.loadStart.span().Or(0)))
		}
		h.resolving = at(e.dnsStart, e.dnsEnd, e.dnsStart)
		dialled, ok := at(e.connectStart, e.connectEnd, e.connectStart).Get()
		if !ok {
			return h, false
		}
		h.dialled = dialled
		h.established = at(e.connectStart, e.connectEnd, e.connectEnd)
		h.secured = at(e.sslStart, e.sslEnd, e.sslEnd)
		h.connected = max(h.established.Or(0), h.secured.Or(0))
		return h, true
	}
	connect := t.connect.span().Or(0)
	if connect <= 0 {
		return h, false
	}
	begin := queued.Add(t.blocked.span().Or(0))
	if dns := t.dns.span().Or(0); dns > 0 {
		h.resolving = linger.Known(begin)
	}
	h.dialled = begin.Add(t.dns.span().Or(0))
	h.connected = h.dialled.Add(connect)
	switch ssl, ok := t.ssl.span().Get(); {
	case ok && ssl > 0:
		h.secured = linger.Known(h.connected)
		// Where TLS took all of it, TCP's part was not seen (Chrome, of a connection
		// that it had opened in advance); QUIC has none.
		if connect-ssl > ssl/100 && !e.speaks().OverQUIC() {
			h.established = linger.Known(h.connected.Add(-ssl))
		}
	case strings.HasPrefix(strings.ToLower(e.request.url), "http:"):
		h.established = linger.Known(h.connected)
	}
	return h, true
}

// speaks is the protocol of the exchange, as trace.Connection has it; empty where the
// recorder does not say.
func (e *entry) speaks() linger.Protocol {
	for _, said := range []string{e.response.version, e.request.version, e.protocol} {
		v := strings.TrimPrefix(strings.ToLower(said), "http/")
		switch {
		case v == "1.0" || v == "1.1":
			return linger.ProtocolFor("", v)
		case v == "2" || v == "2.0" || v == linger.H2.ALPN():
			return linger.H2
		case v == "3" || v == "3.0" || strings.HasPrefix(v, linger.H3.ALPN()) || strings.Contains(v, string(linger.QUIC)):
			return linger.H3
		}
	}
	return ""
}

// said is what a message says of its connection's future; in HTTP/2 and later none does.
func (e *entry) said(m message) trace.Said {
	if e.speaks().Multiplexed() {
		return trace.Said{}
	}
	said := trace.Said{Connection: printable(m.connection), KeepAlive: printable(m.alive)}
	if v := strings.TrimPrefix(strings.ToLower(m.version), "http/"); v == "1.0" || v == "1.1" {
		said.Version = v
	}
	return said
}

// connect tells which connection x was sent on. Where it has no name, an entry that says how
// long it took to open still had one, which no other entry is known to be on, but over HTTP/2
// and HTTP/3: "Clients SHOULD NOT open more than one HTTP/2 connection to a given host and
// port pair" (RFC 9113, 9.1; RFC 9114, 3.3 of HTTP/3).
func (h *builder) connect(e *entry, x *trace.Exchange) {
	name := e.connectionName()
	shaken, opened := e.handshake(x.Queued)
	if protocol := e.speaks(); name == "" && x.Failed == "" && protocol.Multiplexed() {
		name = string(protocol) + " " + host(x.URL)
		h.shared++
	}
	if name == "" && !opened {
		h.unconnected++
		return
	}
	id, ok := h.connections[name]
	if ok && opened {
		// A name that comes again for a connection that is opened after all that went
		// on the one before was done, is of another one.
		ok = h.trace.Connections[id].Connected.IsZero() && !h.done[id] || shaken.dialled < h.until[id]
	}
	if name == "" || !ok {
		id = len(h.trace.Connections)
		h.connections[name] = id
		h.until = append(h.until, 0)
		h.done = append(h.done, false)
		h.trace.Connections = append(h.trace.Connections, trace.Connection{
			ID: int64(id), Server: printable(e.server), Protocol: e.speaks(), Dialled: x.Queued, Frames: x.Frames,
		})
	}
	c := &h.trace.Connections[id]
	c.Requests++
	c.Frames.First, c.Frames.Last = min(c.Frames.First, x.Frames.First), max(c.Frames.Last, x.Frames.Last)
	c.Agent, c.Software = cmp.Or(c.Agent, printable(e.request.software)), cmp.Or(c.Software, printable(e.response.software))
	x.Connection = int64(id)
	h.until[id] = max(h.until[id], x.Done.Or(x.Queued))
	h.done[id] = h.done[id] || !x.Done.IsZero()
	if c.Protocol == "" {
		c.Protocol = e.speaks()
	}
	if opened && c.Connected.IsZero() {
		c.Resolving, c.Dialled, c.Connected = shaken.resolving, shaken.dialled, linger.Known(shaken.connected)
		c.Established, c.Secured = shaken.established, shaken.secured
	}
}

// connectionName is what the recorder calls the connection, if that tells it from others.
// HAR: it "can be the client or server port number. Note that a port number doesn't have to
// be unique identifier": the server's is none. Chrome's DevTools write it there since 2025,
// and _connectionId beside it.
func (e *entry) connectionName() string {
	name := cmp.Or(e.connectionID, e.connection, e.socket)
	if _, egress, ok := strings.Cut(name, "EgressPort:"); ok { // Fiddler's, towards the server
		name = egress
	}
	if name == "0" || name == "-1" || e.connectionID == "" && name == port(e.request.url) {
		return ""
	}
	return name
}

// host is the host and port of a URL.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname()) + ":" + port(raw)
}

// port is the server's port in a URL, as written or by its scheme.
func port(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == linger.SchemeHTTPS {
		return "443"
	}
	return "80"
}
