package capture

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// maxHAR is how much of a file is read. The content of responses, which makes most of
// it, is not held.
const maxHAR = 4 << 30

// HAR reads an HTTP Archive (HAR 1.1 or 1.2, as browsers, WebPageTest and proxies
// export it; http://www.softwareishard.com/blog/har-12-spec/). Exchanges are in the
// order in which they began. One that came from the browser's cache has no attempts;
// entries that are no HTTP (data:, blob:, WebSocket) are left out.
//
// It takes memory for what is known of each entry, and none for contents. An error
// names the entry, counted from 1, what is wrong and what to do.
func HAR(r io.Reader) (*trace.Trace, error) {
	log, err := readHAR(r, maxHAR)
	if err != nil {
		return nil, err
	}
	h := har{connections: map[string]int{}}
	h.trace = &trace.Trace{Provenance: trace.Observed, Engine: "har", Workload: "har"}
	if err := h.build(log.entries); err != nil {
		return nil, err
	}
	h.trace.Recipe = log.recipe(h.trace)
	return h.trace, nil
}

// A harLog is what is read of a file.
type harLog struct {
	entries []entry
	// What this program adds: the workload that was fetched, as a list.
	name, scheme, list string
}

// recipe is the workload that the file says it was made from, if it says so and the
// entries bear it out. Otherwise t gets a note.
func (l *harLog) recipe(t *trace.Trace) (out linger.Opt[linger.Workload]) {
	if l.list == "" {
		return out
	}
	w, err := linger.ParseList(l.name, strings.NewReader(l.list))
	if err == nil && l.scheme != "" {
		w, err = w.WithScheme(l.scheme)
	}
	if err != nil {
		t.Notes = append(t.Notes, "the HAR's own list of what was fetched cannot be read: "+printable(err.Error()))
		return out
	}
	return linger.Known(w)
}

// Bounds of the text that is kept of one entry, in bytes. "It is RECOMMENDED that
// all HTTP senders and recipients support, at a minimum, request-line lengths of 8000
// octets" (RFC 9112, 3).
const (
	maxURL  = 8 << 10
	maxName = 200
	maxList = 64 << 20
)

// An entry is what is read of one entry of the log.
type entry struct {
	page     string
	started  string
	time     number
	request  message
	response message
	timings  struct{ blocked, dns, connect, ssl, send, wait, receive number } // ssl is within connect
	server   string
	// connection is what the recorder calls the connection: any word.
	connection, socket string
	initiator          string
	// What Chrome and WebPageTest add.
	fromCache string
	protocol  string
	bytesIn   number
	loadMS    number
	// WebPageTest's instants, in ms since the page began; those of a part that there
	// was not are 0 or -1.
	loadStart, dnsStart, dnsEnd, connectStart, connectEnd, sslStart, sslEnd number

	number int // in the file, from 1
	start  time.Time
}

// A message is a request or a response.
type message struct {
	method, url, version string
	status               number
	listed               int64             // bytes of the listed fields, as HTTP/1.1 writes them
	length               linger.Opt[int64] // as Content-Length says
	typed                string            // as Content-Type says
	location, referer    string
	headersSize          number
	bodySize             number
	redirect             string
	size, compression    number // of the content
	mimeType             string
	posted               int64 // bytes of the posted text
	transferSize         number
	err                  string
}

// readHAR reads what is wanted and nothing else, from up to limit bytes.
func readHAR(r io.Reader, limit int64) (*harLog, error) {
	limited := &io.LimitedReader{R: r, N: limit}
	s := newScanner(limited)
	if mark, _ := s.in.Peek(3); string(mark) == "\ufeff" {
		_, _ = s.in.Discard(len(mark)) // it has just been peeked
	}
	var log harLog
	found := false
	err := s.eachMember(func(key []byte) error {
		if string(key) != "log" {
			return s.skip()
		}
		return s.eachMember(func(key []byte) error {
			switch {
			case string(key) == "_linger":
				return log.readRecipe(s)
			case string(key) != "entries" || found:
				return s.skip()
			}
			found = true
			return log.readEntries(s)
		})
	})
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the HAR is larger than %d MiB; save it without the contents of responses", limit>>20)
	case errors.Is(err, errEntry):
		return nil, err
	case errors.Is(err, io.EOF):
		return nil, errors.New("the HAR ends before it is complete; save it again")
	case err != nil:
		return nil, fmt.Errorf("this is no HAR: %w; export one from the network panel of a browser", err)
	case len(log.entries) == 0:
		return nil, errors.New("the HAR has no entries; record a load with the network panel open")
	}
	return &log, nil
}

// errEntry marks an error that names its entry.
var errEntry = errors.New("entry")

func entryError(number int, format string, args ...any) error {
	return fmt.Errorf("%w %d: "+format, append([]any{errEntry, number}, args...)...)
}

func (l *harLog) readRecipe(s *scanner) error {
	return s.members(func(key []byte) (err error) {
		switch string(key) {
		case "workload":
			l.name, _, err = s.string(maxName)
		case "scheme":
			l.scheme, _, err = s.string(maxName)
		case "list":
			l.list, _, err = s.string(maxList)
		default:
			err = s.skip()
		}
		return err
	})
}

func (l *harLog) readEntries(s *scanner) error {
	return s.eachElement(func() error {
		number := len(l.entries) + 1
		if number > linger.MaxExchanges {
			return entryError(number, "one run holds at most %d; cut the HAR", linger.MaxExchanges)
		}
		e := entry{number: number}
		if err := e.read(s); errors.Is(err, io.EOF) {
			return entryError(number, "the file ends within it; save it again")
		} else if err != nil {
			return entryError(number, "%w; save the HAR again, or cut the entry out", err)
		}
		if err := e.check(); err != nil {
			return err
		}
		l.entries = append(l.entries, e)
		return nil
	})
}

// A field says how the value of a key is read.
type field func(*scanner) error

func words(to *string, limit int) field {
	return func(s *scanner) (err error) {
		*to, _, err = s.string(limit)
		return err
	}
}

func figure(to *number) field {
	return func(s *scanner) (err error) {
		*to, err = s.number()
		return err
	}
}

func (e *entry) read(s *scanner) error {
	return s.eachMember(func(key []byte) error {
		read := field((*scanner).skip)
		switch string(key) {
		case "pageref":
			read = words(&e.page, maxName)
		case "startedDateTime":
			read = words(&e.started, maxName)
		case "time":
			read = figure(&e.time)
		case "request":
			read = e.request.read
		case "response":
			read = e.response.read
		case "timings":
			read = e.readTimings
		case "serverIPAddress", "_ip_addr":
			if e.server == "" {
				read = words(&e.server, maxName)
			}
		case "connection":
			read = words(&e.connection, maxName)
		case "_socket":
			read = words(&e.socket, maxName)
		case "_initiator":
			read = e.readInitiator
		case "_fromCache":
			read = words(&e.fromCache, maxName)
		case "_protocol":
			read = words(&e.protocol, maxName)
		case "_bytesIn":
			read = figure(&e.bytesIn)
		case "_load_ms":
			read = figure(&e.loadMS)
		case "_load_start":
			read = figure(&e.loadStart)
		case "_dns_start":
			read = figure(&e.dnsStart)
		case "_dns_end":
			read = figure(&e.dnsEnd)
		case "_connect_start":
			read = figure(&e.connectStart)
		case "_connect_end":
			read = figure(&e.connectEnd)
		case "_ssl_start":
			read = figure(&e.sslStart)
		case "_ssl_end":
			read = figure(&e.sslEnd)
		}
		return read(s)
	})
}

func (e *entry) readTimings(s *scanner) error {
	t := &e.timings
	return s.members(func(key []byte) error {
		for _, part := range []struct {
			name string
			to   *number
		}{{"blocked", &t.blocked}, {"dns", &t.dns}, {"connect", &t.connect}, {"ssl", &t.ssl}, {"send", &t.send}, {"wait", &t.wait}, {"receive", &t.receive}} {
			if string(key) == part.name {
				return figure(part.to)(s)
			}
		}
		return s.skip()
	})
}

// readInitiator reads what caused the request: the URL, as WebPageTest and
// browsertime write it; or, as Chrome does, an object with it, or with the script's
// stack, in which the innermost script that has a URL is taken.
func (e *entry) readInitiator(s *scanner) error {
	if ok, err := s.is('"'); err != nil || ok {
		return words(&e.initiator, maxURL)(s)
	}
	var url, script string
	err := s.members(func(key []byte) error {
		switch string(key) {
		case "url":
			return words(&url, maxURL)(s)
		case "stack":
			return readStack(s, &script, 0)
		}
		return s.skip()
	})
	e.initiator = cmp.Or(script, url)
	return err
}

// maxStack bounds how many asynchronous parents of a stack are looked at.
const maxStack = 32

// readStack finds the innermost script of a stack: its own frames come before those
// of whoever had scheduled them.
func readStack(s *scanner, script *string, depth int) error {
	var own, further string
	err := s.members(func(key []byte) error {
		switch {
		case string(key) == "callFrames":
			return s.elements(func() error {
				return s.members(func(key []byte) error {
					if string(key) == "url" && own == "" {
						return words(&own, maxURL)(s)
					}
					return s.skip()
				})
			})
		case string(key) == "parent" && depth < maxStack:
			return readStack(s, &further, depth+1)
		}
		return s.skip()
	})
	*script = cmp.Or(own, further)
	return err
}

func (m *message) read(s *scanner) error {
	return s.members(func(key []byte) error {
		read := field((*scanner).skip)
		switch string(key) {
		case "method":
			read = words(&m.method, maxName)
		case "url":
			read = words(&m.url, maxURL)
		case "httpVersion":
			read = words(&m.version, maxName)
		case "status":
			read = figure(&m.status)
		case "headers":
			read = m.readHeaders
		case "headersSize":
			read = figure(&m.headersSize)
		case "bodySize":
			read = figure(&m.bodySize)
		case "redirectURL":
			read = words(&m.redirect, maxURL)
		case "content":
			read = m.readContent
		case "postData":
			read = m.readPosted
		case "_transferSize":
			read = figure(&m.transferSize)
		case "_error":
			read = words(&m.err, maxName)
		}
		return read(s)
	})
}

func (m *message) readContent(s *scanner) error {
	return s.members(func(key []byte) error {
		switch string(key) {
		case "size":
			return figure(&m.size)(s)
		case "compression":
			return figure(&m.compression)(s)
		case "mimeType":
			return words(&m.mimeType, maxName)(s)
		}
		return s.skip()
	})
}

func (m *message) readPosted(s *scanner) error {
	return s.members(func(key []byte) (err error) {
		if string(key) == "text" {
			_, m.posted, err = s.string(0)
			return err
		}
		return s.skip()
	})
}

// isWanted reports whether a field says something that is read.
func isWanted(name string) bool {
	for _, wanted := range []string{"content-length", "content-type", "location", "referer"} {
		if strings.EqualFold(name, wanted) {
			return true
		}
	}
	return false
}

// readHeaders adds up the fields and keeps what is said of the message, the first of
// each name.
func (m *message) readHeaders(s *scanner) error {
	m.listed = 0
	return s.elements(func() error {
		var name, value string
		var size int64
		err := s.members(func(key []byte) (err error) {
			switch string(key) {
			case "name":
				name, _, err = s.string(maxName)
			case "value":
				limit := maxURL
				if name != "" && !isWanted(name) { // it may also stand behind
					limit = 0
				}
				value, size, err = s.string(limit)
			default:
				err = s.skip()
			}
			return err
		})
		if err != nil {
			return err
		}
		switch name = strings.ToLower(name); {
		case name == ":authority": // HTTP/2's Host (RFC 9113, 8.3.1)
			name = "host"
		case strings.HasPrefix(name, ":"): // part of the first line
			return nil
		}
		m.listed += int64(len(name)+len(": ")+len("\r\n")) + size
		switch name {
		case "content-length":
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err == nil && n >= 0 && n <= linger.MaxBody && m.length.IsZero() {
				m.length = linger.Known(n)
			}
		case "content-type":
			m.typed = cmp.Or(m.typed, value)
		case "location":
			m.location = cmp.Or(m.location, value)
		case "referer":
			m.referer = cmp.Or(m.referer, value)
		}
		return nil
	})
}

// layouts are how recorders write a time: RFC 3339, its zone without the colon,
// and without any zone.
var layouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"}

// check refuses an entry without which the order of the load is not known.
func (e *entry) check() error {
	if e.request.url == "" {
		return entryError(e.number, "it has no URL; cut it out")
	}
	if m := e.request.method; m == "" || len(m) > 32 || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return entryError(e.number, "%.32q is no method; correct it, or cut the entry out", m)
	}
	if s := e.response.status.Or(0); s > 0 && (s < 100 || s > 599) {
		return entryError(e.number, "%v is no status; correct it, or cut the entry out", s)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, e.started); err == nil {
			e.start = t.Add(-e.ahead())
			return nil
		}
	}
	return entryError(e.number, "startedDateTime %.40q is no time; correct it, or cut the entry out", e.started)
}

// isHTTP reports whether the entry's URL is one that goes over HTTP.
func (e *entry) isHTTP() bool {
	scheme, _, _ := strings.Cut(e.request.url, ":")
	switch strings.ToLower(scheme) {
	case "http", "https":
		return e.request.method != "CONNECT"
	}
	return false
}

// har is a trace while it is built, and what is told about it in the end.
type har struct {
	trace       *trace.Trace
	connections map[string]int   // a recorder's name for a connection -> ID, of the latest
	until       []linger.Instant // when what went on each connection so far was done
	done        []bool           // whether any of that is known to be

	foreign, heads, bodies, unconnected int // entries of which a note tells
}

func (h *har) build(entries []entry) error {
	kept := slices.DeleteFunc(entries, func(e entry) bool { return !e.isHTTP() })
	h.foreign = len(entries) - len(kept)
	if len(kept) == 0 {
		return errors.New("no entry of the HAR is HTTP; record a load with the network panel open")
	}
	slices.SortStableFunc(kept, func(a, b entry) int { return a.start.Compare(b.start) })
	h.trace.Began = kept[0].start
	for i := range kept {
		e := &kept[i]
		after := e.start.Sub(h.trace.Began)
		if after > maxLoad {
			return entryError(e.number, "it began %v after the first; a HAR of one load lasts less than a day: split it", after.Round(time.Second))
		}
		x := h.exchange(e, linger.Instant(after))
		x.ID = i
		h.trace.Exchanges = append(h.trace.Exchanges, x)
		h.trace.Ended = max(h.trace.Ended, x.Queued, x.Done.Or(0))
	}
	all := len(kept)
	h.note(h.foreign, all+h.foreign, "left out, since no HTTP (data:, blob:, WebSocket and the like)")
	h.note(h.heads, all, "size of a head estimated from the list of headers")
	h.note(h.bodies, all, "size of the body on the wire unknown, that of the decoded content taken")
	h.note(h.unconnected, all, "connection unknown")
	return nil
}

// note says that something holds of n entries.
func (h *har) note(n, of int, what string) {
	if n > 0 {
		h.trace.Notes = append(h.trace.Notes, fmt.Sprintf("%s: %d of %d entries", what, n, of))
	}
}

func (h *har) exchange(e *entry, queued linger.Instant) trace.Exchange {
	x := trace.Exchange{
		Method: e.request.method, URL: e.request.url, Page: e.page,
		Status: int(max(0, e.response.status.Or(0))), ContentType: e.contentType(), Redirect: e.redirect(),
		Initiator: absolute(e.initiator), Referer: absolute(e.request.referer),
		Connection: -1, Queued: queued,
	}
	if e.isCached() {
		return x
	}
	x.Attempts = 1
	h.times(e, &x)

	var guessed bool
	x.RequestHead, guessed = headOf(e.request, requestLine(e))
	length, _ := e.request.length.Get()
	x.RequestBody = e.request.bodySize.size(linger.MaxBody).Or(max(length, int64(e.request.posted)))
	body, undecoded := e.body()
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
	if undecoded {
		h.bodies++
	}
	h.connect(e, &x)
	return x
}

// isCached reports whether the response came from the browser's cache: it says so, or
// there is content of which nothing was transferred. HAR on bodySize: "Set to
// zero in case of responses coming from the cache (304)"; the answer 304 itself
// did cross the network.
func (e *entry) isCached() bool {
	if e.fromCache != "" {
		return true
	}
	r := e.response
	if r.status.Or(0) != 200 || r.size.Or(0) <= 0 || e.request.method == "HEAD" {
		return false
	}
	if transferred, ok := r.transferSize.Get(); ok && transferred >= 0 {
		return transferred == 0
	}
	body, ok := r.bodySize.Get()
	return ok && body == 0
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
func (h *har) times(e *entry, x *trace.Exchange) {
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
		if connect-ssl > ssl/100 && e.speaks() != "h3" {
			h.established = linger.Known(h.connected.Add(-ssl))
		}
	case strings.HasPrefix(strings.ToLower(e.request.url), "http:"):
		h.established = linger.Known(h.connected)
	}
	return h, true
}

// speaks is the protocol of the exchange, as trace.Connection has it; empty where the
// recorder does not say.
func (e *entry) speaks() string {
	for _, said := range []string{e.response.version, e.request.version, e.protocol} {
		v := strings.TrimPrefix(strings.ToLower(said), "http/")
		switch {
		case v == "1.0" || v == "1.1":
			return "http/" + v
		case v == "2" || v == "2.0" || v == "h2":
			return "h2"
		case v == "3" || v == "3.0" || strings.HasPrefix(v, "h3") || strings.Contains(v, "quic"):
			return "h3"
		}
	}
	return ""
}

// connect tells which connection x was sent on. HAR: it "can be the client or
// server port number. Note that a port number doesn't have to be unique
// identifier": the server's is none. Where it has no name, an entry that says how
// long it took to open still had one, which no other entry is known to be on.
func (h *har) connect(e *entry, x *trace.Exchange) {
	name := cmp.Or(e.connection, e.socket)
	if name == "" || name == "0" || name == "-1" || name == port(x.URL) {
		name = ""
	}
	shaken, opened := e.handshake(x.Queued)
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
			ID: id, Remote: printable(e.server), Protocol: e.speaks(), Dialled: x.Queued,
		})
	}
	c := &h.trace.Connections[id]
	c.Requests++
	x.Connection = id
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

// port is the server's port in a URL, as written or by its scheme.
func port(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// body is how many bytes of content the response had on the wire, and whether
// that is a guess from its decoded size.
func (e *entry) body() (n int64, guessed bool) {
	r := e.response
	switch s := r.status.Or(0); {
	case e.request.method == "HEAD", s == 204, s == 304, 0 < s && s < 200:
		return 0, false
	}
	// Content-Length is exact where all was received. Chrome's bodySize, as some
	// tools write it, counts the head too; less than Content-Length is all that came.
	body, known := r.bodySize.size(linger.MaxBody).Get()
	if length, ok := r.length.Get(); ok {
		if known {
			return min(length, body), false
		}
		return length, false
	}
	if known {
		return body, false
	}
	size, sized := r.size.size(linger.MaxBody).Get()
	if saved, ok := r.compression.Get(); ok && sized && saved >= 0 && int64(saved) <= size {
		return size - int64(saved), false
	}
	head, _ := headOf(r, 0)
	for _, whole := range []number{r.transferSize, e.bytesIn} {
		if n, ok := whole.size(linger.MaxBody).Get(); ok && n > head {
			return n - head, false
		}
	}
	return size, size > 0
}

func (e *entry) contentType() string {
	t := cmp.Or(e.response.mimeType, e.response.typed)
	t, _, _ = strings.Cut(t, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if len(t) > 100 || !strings.Contains(t, "/") || t != printable(t) || strings.Contains(t, " ") {
		return "" // "x-unknown" is how Chrome says that there is none
	}
	return t
}

// redirect is the absolute URL that the response points on to.
func (e *entry) redirect() string {
	if s := e.response.status.Or(0); s < 300 || s > 399 || s == 304 {
		return ""
	}
	base, err := url.Parse(e.request.url)
	if err != nil {
		return ""
	}
	to, err := base.Parse(cmp.Or(e.response.redirect, e.response.location))
	if err != nil || to.String() == base.String() {
		return ""
	}
	return to.String()
}

// requestLine is the size of the request's first line, in HTTP/1.1.
func requestLine(e *entry) int64 {
	target := e.request.url
	if u, err := url.Parse(target); err == nil {
		target = u.RequestURI()
	}
	return int64(len(e.request.method) + 1 + len(target) + len(" HTTP/1.1\r\n"))
}

// headOf is the size of a message's head as HTTP/1.1 would write it, and whether
// it had to be estimated from the header list; line is the size of its first line.
// No head has 0 bytes: recorders write that for unknown, as well as -1.
func headOf(m message, line int64) (n int64, guessed bool) {
	if size := m.headersSize.size(linger.MaxHead).Or(0); size > 0 {
		return size, false
	}
	n = line + m.listed + int64(len("\r\n"))
	return min(n, linger.MaxHead), true
}

// absolute is s if it is an absolute URL of HTTP.
func absolute(s string) string {
	if scheme, _, ok := strings.Cut(s, "://"); ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) {
		return s
	}
	return ""
}

// printable is s without what could spoil a terminal, cut to a line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 120)]
}
