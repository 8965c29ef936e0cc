package har

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"linger"
)

// Bounds of the text that is kept, in bytes: of one value of an entry, of a list, and of all
// entries. "It is RECOMMENDED that
// all HTTP senders and recipients support, at a minimum, request-line lengths of 8000
// octets" (RFC 9112, 3).
const (
	maxURL  = 8 << 10
	maxName = 200
	maxList = 64 << 20
	maxText = 64 << 20
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
	// connection is what the recorder calls the connection: any word. Chrome's DevTools of
	// 2025 and later write the server's port there, and the connection into connectionID.
	connection, connectionID, socket string

	initiator string
	// What Chrome, WebKit, Playwright and WebPageTest add.
	fromCache string
	fetchType string // WebKit's: "Network Load", or what answered instead
	fulfilled bool   // by a test's own code (Playwright)
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
	connection, alive    string // the fields Connection and Keep-Alive
	software             string // User-Agent of a request, Server of a response
	headersSize          number
	bodySize             number
	redirect             string
	size, compression    number // of the content
	mimeType             string
	posted               int64 // bytes of the posted text
	transferSize         number
	byWorker             bool // a service worker answered
	err                  string
	oddLength            bool // Content-Length is no number of bytes
	coded, chunked       bool // there is a content coding; chunks
}

// text is how many bytes of text are held of an entry.
func (e *entry) text() int {
	n := len(e.page) + len(e.started) + len(e.server) + len(e.connection) + len(e.connectionID) + len(e.socket) + len(e.initiator) + len(e.fromCache) + len(e.fetchType) + len(e.protocol)
	for _, m := range []message{e.request, e.response} {
		n += len(m.method) + len(m.url) + len(m.version) + len(m.typed) + len(m.location) + len(m.referer) + len(m.connection) + len(m.alive) + len(m.software) + len(m.redirect) + len(m.mimeType) + len(m.err)
	}
	return n
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

func truth(to *bool) field {
	return func(s *scanner) error {
		text, _, err := s.string(len("true"))
		*to = text == "true"
		return err
	}
}

func (e *entry) read(s *scanner) error {
	return s.members(func(key []byte) error {
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
		case "_connectionId":
			read = words(&e.connectionID, maxName)
		case "_socket":
			read = words(&e.socket, maxName)
		case "_initiator":
			read = e.readInitiator
		case "_fromCache":
			read = words(&e.fromCache, maxName)
		case "_fetchType":
			read = words(&e.fetchType, maxName)
		case "_wasFulfilled":
			read = truth(&e.fulfilled)
		case "_protocol":
			read = words(&e.protocol, maxName)
		default:
			return readPart(s, key, part{"_bytesIn", &e.bytesIn}, part{"_load_ms", &e.loadMS}, part{"_load_start", &e.loadStart},
				part{"_dns_start", &e.dnsStart}, part{"_dns_end", &e.dnsEnd}, part{"_connect_start", &e.connectStart},
				part{"_connect_end", &e.connectEnd}, part{"_ssl_start", &e.sslStart}, part{"_ssl_end", &e.sslEnd})
		}
		return read(s)
	})
}

// A part is where the number behind a key is kept.
type part struct {
	key string
	to  *number
}

// readPart reads the number behind a key into its place, and skips what has none.
func readPart(s *scanner, key []byte, parts ...part) (err error) {
	for _, p := range parts {
		if string(key) == p.key {
			*p.to, err = s.number()
			return err
		}
	}
	return s.skip()
}

func (e *entry) readTimings(s *scanner) error {
	t := &e.timings
	return s.members(func(key []byte) error {
		return readPart(s, key, part{"blocked", &t.blocked}, part{"dns", &t.dns}, part{"connect", &t.connect}, part{"ssl", &t.ssl},
			part{"send", &t.send}, part{"wait", &t.wait}, part{"receive", &t.receive})
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
		case "headers":
			read = m.readHeaders
		case "redirectURL":
			read = words(&m.redirect, maxURL)
		case "content":
			read = m.readContent
		case "postData":
			read = m.readPosted
		case "_fetchedViaServiceWorker", "fromServiceWorker": // Chrome; chrome-har
			read = truth(&m.byWorker)
		case "_error", "_failureText": // Chrome, WebKit; Playwright
			if m.err == "" {
				read = words(&m.err, maxName)
			}
		default:
			return readPart(s, key, part{"status", &m.status}, part{"headersSize", &m.headersSize}, part{"bodySize", &m.bodySize},
				part{"_transferSize", &m.transferSize})
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
	for _, wanted := range []string{"content-length", "content-encoding", "transfer-encoding", "content-type", "location", "referer", "connection", "keep-alive", "user-agent", "server"} {
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
			switch {
			case err != nil || n < 0 || n > linger.MaxBody:
				m.oddLength = true
			case m.length.IsZero():
				m.length = linger.Known(n)
			}
		case "content-encoding":
			m.coded = m.coded || value != "" && !strings.EqualFold(value, "identity")
		case "transfer-encoding":
			m.chunked = m.chunked || strings.EqualFold(value, "chunked")
		case "content-type":
			m.typed = cmp.Or(m.typed, value)
		case "location":
			m.location = cmp.Or(m.location, value)
		case "referer":
			m.referer = cmp.Or(m.referer, value)
		case "connection":
			m.connection = cmp.Or(m.connection, value)
		case "keep-alive":
			m.alive = cmp.Or(m.alive, value)
		case "user-agent", "server":
			m.software = cmp.Or(m.software, value)
		}
		return nil
	})
}

// layouts are how recorders write a time: RFC 3339, its zone without the colon,
// and without any zone.
var layouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"}

// check returns why an entry cannot be used, and what of it shows that; nothing if it can.
// Of what is no HTTP it asks nothing.
func (e *entry) check() (why, example string) {
	if e.request.url == "" {
		return "without a URL", ""
	}
	if !e.isHTTP() {
		return "", ""
	}
	if _, rest, _ := strings.Cut(e.request.url, "//"); strings.Trim(rest[:strings.IndexAny(rest+"/", "/?#")], ":@") == "" {
		return "without a host in the URL", quoted(e.request.url)
	}
	e.request.method = normalized(e.request.method)
	if m := e.request.method; m == "" || len(m) > 32 || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return "without a method that is one", quoted(m)
	}
	if s := e.response.status.Or(0); s > 0 && (s < 100 || s > 599 || s != math.Trunc(s)) {
		return "without a status that is one", strconv.FormatFloat(s, 'g', -1, 64)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, e.started); err == nil {
			e.start = t
			return "", ""
		}
	}
	return "without a startedDateTime that is a time", quoted(e.started)
}

// quoted is what is shown of an entry's text.
func quoted(s string) string { return strconv.Quote(printable(s[:min(len(s), 40)])) }

// normalized is a method as it goes out: the Fetch standard (4.3, "To normalize a method")
// has browsers send these six in capitals, however a page writes them.
func normalized(method string) string {
	switch m := strings.ToUpper(method); m {
	case "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT":
		return m
	}
	return method
}

// isHTTP reports whether the entry's URL is one that goes over HTTP.
func (e *entry) isHTTP() bool {
	scheme, _, _ := strings.Cut(e.request.url, ":")
	switch strings.ToLower(scheme) {
	case linger.SchemeHTTP, linger.SchemeHTTPS:
		return e.request.method != "CONNECT"
	}
	return false
}
