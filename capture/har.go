package capture

import (
	"bufio"
	"cmp"
	"encoding/json"
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

// maxHAR is how much of a file is read. Responses that were saved with their
// contents are what makes a HAR large; they are not needed.
const maxHAR = 512 << 20

// HAR reads an HTTP Archive (HAR 1.1 or 1.2, as browsers and WebPageTest export
// it; http://www.softwareishard.com/blog/har-12-spec/). Exchanges are in the order
// in which they began. One that came from the browser's cache has no attempts;
// entries that are no HTTP (data:, blob:, WebSocket) are left out.
//
// An error names the entry, counted from 1, what is wrong and what to do.
func HAR(r io.Reader) (*trace.Trace, error) {
	entries, err := readHAR(r, maxHAR)
	if err != nil {
		return nil, err
	}
	h := har{connections: map[string]int{}}
	h.trace = &trace.Trace{Provenance: trace.Observed, Engine: "har", Workload: "har"}
	if err := h.build(entries); err != nil {
		return nil, err
	}
	return h.trace, nil
}

// An entry is what is read of one entry of the log.
type entry struct {
	Page     text    `json:"pageref"`
	Started  text    `json:"startedDateTime"`
	Time     number  `json:"time"`
	Request  message `json:"request"`
	Response message `json:"response"`
	Timings  struct {
		Blocked number `json:"blocked"`
		DNS     number `json:"dns"`
		Connect number `json:"connect"` // TLS included
		Send    number `json:"send"`
		Wait    number `json:"wait"`
		Receive number `json:"receive"`
	} `json:"timings"`
	Server     text `json:"serverIPAddress"`
	Connection text `json:"connection"`
	// What Chrome and WebPageTest add.
	FromCache text   `json:"_fromCache"`
	Socket    text   `json:"_socket"`
	BytesIn   number `json:"_bytesIn"`
	LoadMS    number `json:"_load_ms"`

	number int // in the file, from 1
	start  time.Time
}

// A message is a request or a response.
type message struct {
	Method  text   `json:"method"`
	URL     text   `json:"url"`
	Status  number `json:"status"`
	Headers []struct {
		Name  text `json:"name"`
		Value text `json:"value"`
	} `json:"headers"`
	HeadersSize number `json:"headersSize"`
	BodySize    number `json:"bodySize"`
	Redirect    text   `json:"redirectURL"`
	Content     struct {
		Size        number `json:"size"`
		Compression number `json:"compression"`
		Type        text   `json:"mimeType"`
	} `json:"content"`
	PostData struct {
		Text text `json:"text"`
	} `json:"postData"`
	TransferSize number `json:"_transferSize"`
	Error        text   `json:"_error"`
}

// readHAR reads the entries and nothing else, one at a time, from up to limit bytes.
func readHAR(r io.Reader, limit int64) ([]entry, error) {
	limited := &io.LimitedReader{R: r, N: limit}
	in := bufio.NewReader(limited)
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		_, _ = in.Discard(len(mark)) // it has just been peeked
	}
	dec := json.NewDecoder(in)
	var entries []entry
	found := false
	err := eachMember(dec, func(key string) error {
		if key != "log" {
			return skip(dec)
		}
		return eachMember(dec, func(key string) error {
			if key != "entries" || found {
				return skip(dec)
			}
			found = true
			var err error
			entries, err = readEntries(dec)
			return err
		})
	})
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the HAR is larger than %d MiB; save it without the contents of responses", limit>>20)
	case errors.Is(err, errEntry):
		return nil, err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("the HAR ends before it is complete; save it again")
	case err != nil:
		return nil, fmt.Errorf("this is no HAR: %w; export one from the network panel of a browser", err)
	case len(entries) == 0:
		return nil, errors.New("the HAR has no entries; record a load with the network panel open")
	}
	return entries, nil
}

// errEntry marks an error that names its entry.
var errEntry = errors.New("entry")

func entryError(number int, format string, args ...any) error {
	return fmt.Errorf("%w %d: "+format, append([]any{errEntry, number}, args...)...)
}

func readEntries(dec *json.Decoder) ([]entry, error) {
	if err := expect(dec, '['); err != nil {
		return nil, err
	}
	var entries []entry
	for number := 1; dec.More(); number++ {
		if number > linger.MaxExchanges {
			return nil, entryError(number, "one run holds at most %d; cut the HAR", linger.MaxExchanges)
		}
		e := entry{number: number}
		if err := dec.Decode(&e); errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, entryError(number, "the file ends within it; save it again")
		} else if err != nil {
			return nil, entryError(number, "%w; save the HAR again, or cut the entry out", err)
		}
		if err := e.check(); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, expect(dec, ']')
}

// eachMember calls visit with each key of the object that comes next; visit
// consumes the value.
func eachMember(dec *json.Decoder, visit func(key string) error) error {
	if err := expect(dec, '{'); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if err := visit(key.(string)); err != nil { // a key is a string: the decoder has seen to it
			return err
		}
	}
	return expect(dec, '}')
}

func expect(dec *json.Decoder, want json.Delim) error {
	switch got, err := dec.Token(); {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%v stands where %v should", got, want)
	}
	return nil
}

func skip(dec *json.Decoder) error {
	var value json.RawMessage
	return dec.Decode(&value)
}

// layouts are how recorders write a time: RFC 3339, its zone without the colon,
// and without any zone.
var layouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"}

// check refuses an entry without which the order of the load is not known.
func (e *entry) check() error {
	if e.Request.URL == "" {
		return entryError(e.number, "it has no URL; cut it out")
	}
	if m := string(e.Request.Method); m == "" || len(m) > 32 || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return entryError(e.number, "%.32q is no method; correct it, or cut the entry out", m)
	}
	if s := e.Response.Status.Or(0); s > 0 && (s < 100 || s > 599) {
		return entryError(e.number, "%v is no status; correct it, or cut the entry out", s)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(e.Started)); err == nil {
			e.start = t
			return nil
		}
	}
	return entryError(e.number, "startedDateTime %.40q is no time; correct it, or cut the entry out", e.Started)
}

// isHTTP reports whether the entry's URL is one that goes over HTTP.
func (e *entry) isHTTP() bool {
	scheme, _, _ := strings.Cut(string(e.Request.URL), ":")
	switch strings.ToLower(scheme) {
	case "http", "https":
		return e.Request.Method != "CONNECT"
	}
	return false
}

// har is a trace while it is built, and what is told about it in the end.
type har struct {
	trace       *trace.Trace
	connections map[string]int // a recorder's name for a connection -> ID

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
		Method: string(e.Request.Method), URL: string(e.Request.URL), Page: string(e.Page),
		Status: int(max(0, e.Response.Status.Or(0))), ContentType: e.contentType(), Redirect: e.redirect(),
		Connection: -1, Queued: queued,
	}
	if e.isCached() {
		return x
	}
	x.Attempts = 1
	h.times(e, &x)

	var guessed bool
	x.RequestHead, guessed = headOf(e.Request, requestLine(e))
	length, _ := e.Request.contentLength().Get()
	x.RequestBody = e.Request.BodySize.size(linger.MaxBody).Or(max(length, int64(len(e.Request.PostData.Text))))
	body, undecoded := e.body()
	x.ResponseBody = body
	if x.Status == 0 && body == 0 {
		x.Failed = printable(string(cmp.Or(e.Response.Error, "no response")))
	} else {
		var guess bool
		x.ResponseHead, guess = headOf(e.Response, int64(len("HTTP/1.1 200 OK\r\n")))
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
	if e.FromCache != "" {
		return true
	}
	r := e.Response
	if r.Status.Or(0) != 200 || r.Content.Size.Or(0) <= 0 || e.Request.Method == "HEAD" {
		return false
	}
	if transferred, ok := r.TransferSize.Get(); ok && transferred >= 0 {
		return transferred == 0
	}
	body, ok := r.BodySize.Get()
	return ok && body == 0
}

// times sets the instants that are known. The parts of an exchange follow each
// other: blocked, dns, connect, send, wait, receive; -1 is a part that there was not.
func (h *har) times(e *entry, x *trace.Exchange) {
	t := e.Timings
	at := x.Queued
	// WebPageTest's startedDateTime is when the request was sent, behind the
	// look-up and the handshakes, which "time" and the parts do count.
	total := e.LoadMS.span()
	if total.IsZero() {
		total = e.Time.span()
		for _, part := range []number{t.Blocked, t.DNS, t.Connect} {
			at = at.Add(part.span().Or(0))
		}
	}
	if wait, ok := t.Wait.span().Get(); ok {
		at = at.Add(t.Send.span().Or(0))
		x.Sent = linger.Known(at)
		at = at.Add(wait)
		x.FirstByte = linger.Known(at)
		at = at.Add(t.Receive.span().Or(0))
		x.Done = linger.Known(at)
	}
	if d, ok := total.Get(); ok {
		// Where the parts do not add up, the later end is kept, for nothing may be
		// done before its first byte.
		x.Done = linger.Known(max(x.Queued.Add(d), x.FirstByte.Or(0)))
	}
}

// connect tells which connection x was sent on. HAR: it "can be the client or
// server port number. Note that a port number doesn't have to be unique
// identifier": the server's is none.
func (h *har) connect(e *entry, x *trace.Exchange) {
	name := string(cmp.Or(e.Connection, e.Socket))
	if name == "" || name == "0" || name == "-1" || name == port(x.URL) {
		h.unconnected++
		return
	}
	id, ok := h.connections[name]
	if !ok {
		id = len(h.trace.Connections)
		h.connections[name] = id
		h.trace.Connections = append(h.trace.Connections, trace.Connection{
			ID: id, Remote: printable(string(e.Server)), Dialled: x.Queued,
		})
	}
	c := &h.trace.Connections[id]
	c.Requests++
	x.Connection = id
	t := e.Timings
	if took := t.Connect.span().Or(0); took > 0 && c.Connected.IsZero() && e.LoadMS.span().IsZero() {
		c.Dialled = x.Queued.Add(t.Blocked.span().Or(0)).Add(t.DNS.span().Or(0))
		c.Connected = linger.Known(c.Dialled.Add(took))
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
	r := e.Response
	switch s := r.Status.Or(0); {
	case e.Request.Method == "HEAD", s == 204, s == 304, 0 < s && s < 200:
		return 0, false
	}
	// Content-Length is exact where all was received. Chrome's bodySize, as some
	// tools write it, counts the head too; less than Content-Length is all that came.
	body, known := r.BodySize.size(linger.MaxBody).Get()
	if length, ok := r.contentLength().Get(); ok {
		if known {
			return min(length, body), false
		}
		return length, false
	}
	if known {
		return body, false
	}
	size, sized := r.Content.Size.size(linger.MaxBody).Get()
	if saved, ok := r.Content.Compression.Get(); ok && sized && saved >= 0 && int64(saved) <= size {
		return size - int64(saved), false
	}
	head, _ := headOf(r, 0)
	for _, whole := range []number{r.TransferSize, e.BytesIn} {
		if n, ok := whole.size(linger.MaxBody).Get(); ok && n > head {
			return n - head, false
		}
	}
	return size, size > 0
}

func (e *entry) contentType() string {
	t := string(cmp.Or(e.Response.Content.Type, text(e.Response.header("content-type"))))
	t, _, _ = strings.Cut(t, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if len(t) > 100 || !strings.Contains(t, "/") || t != printable(t) || strings.Contains(t, " ") {
		return "" // "x-unknown" is how Chrome says that there is none
	}
	return t
}

// redirect is the absolute URL that the response points on to.
func (e *entry) redirect() string {
	if s := e.Response.Status.Or(0); s < 300 || s > 399 || s == 304 {
		return ""
	}
	base, err := url.Parse(string(e.Request.URL))
	if err != nil {
		return ""
	}
	to, err := base.Parse(cmp.Or(string(e.Response.Redirect), e.Response.header("location")))
	if err != nil || to.String() == base.String() {
		return ""
	}
	return to.String()
}

func (m message) header(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(string(h.Name), name) {
			return string(h.Value)
		}
	}
	return ""
}

// contentLength is what the header of that name says.
func (m message) contentLength() linger.Opt[int64] {
	n, err := strconv.ParseInt(strings.TrimSpace(m.header("content-length")), 10, 64)
	if err != nil || n < 0 || n > linger.MaxBody {
		return linger.Opt[int64]{}
	}
	return linger.Known(n)
}

// requestLine is the size of the request's first line, in HTTP/1.1.
func requestLine(e *entry) int64 {
	target := string(e.Request.URL)
	if u, err := url.Parse(target); err == nil {
		target = u.RequestURI()
	}
	return int64(len(e.Request.Method) + 1 + len(target) + len(" HTTP/1.1\r\n"))
}

// headOf is the size of a message's head as HTTP/1.1 would write it, and whether
// it had to be estimated from the header list; line is the size of its first line.
// No head has 0 bytes: recorders write that for unknown, as well as -1.
func headOf(m message, line int64) (n int64, guessed bool) {
	if size := m.HeadersSize.size(linger.MaxHead).Or(0); size > 0 {
		return size, false
	}
	n = line + int64(len("\r\n"))
	for _, h := range m.Headers {
		name := string(h.Name)
		switch name {
		case ":authority": // HTTP/2's Host (RFC 9113, 8.3.1)
			name = "host"
		default:
			if strings.HasPrefix(name, ":") { // part of the first line
				continue
			}
		}
		n += int64(len(name) + len(": ") + len(h.Value) + len("\r\n"))
	}
	return min(n, linger.MaxHead), true
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
