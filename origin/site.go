package origin

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/dns"
)

const (
	maxDelay = time.Minute // of /delay/D
	// blockSize is how much of the content of /bytes/N is kept in memory.
	blockSize = 64 << 10
	// maxListing bounds the list of what is served.
	maxListing = 64 << 10
)

// An answer is what is sent for one request, but for what depends on the
// connection.
type answer struct {
	method, target string // for the log
	status         int
	// fields are those that depend on what is answered alone.
	fields []field
	// length is that of the content, as Content-Length says it; -1 says nothing.
	length int64
	// content is sent after the head: body where that is at hand, else stream;
	// neither, and only the head is sent.
	body   []byte
	stream io.Reader
	// head is the size that the head is padded to.
	head  int
	delay time.Duration
	// take, where set, makes the answer of the request's content, which is read for it.
	take func(content []byte) answer
	// misbehaviour is what the path asks of the connection; nil is nothing.
	misbehaviour *Misbehaviour
}

// A field is one field of a head: its name as HTTP/1 heads have it, in lower case
// as HTTP/2 and HTTP/3 must have it (RFC 9113, 8.2.1), and its value.
type field struct{ name, lower, value string }

func contentType(value string) field { return field{"Content-Type", "content-type", value} }

// A site says what is answered to a request. It does not change once made.
type site struct {
	workload linger.Workload
	origin   int               // of the workload
	zone     *dns.Zone         // the workload's names; nil where it has none
	index    map[string]int    // "GET /path" to the exchange
	allowed  map[string]string // path to the methods of its exchanges
	fields   [][]field         // of the exchanges' heads
	bodies   [][]byte          // of the exchanges; nil is made anew each time
	block    []byte            // the beginning of every /bytes/N
	listing  []byte
	missing  []byte
}

// newSite makes the bodies of one of the workload's origins that fit into cache bytes
// of memory, in the workload's order.
func newSite(w linger.Workload, origin int, cache int64) (*site, error) {
	s := &site{
		workload: w,
		origin:   origin,
		index:    make(map[string]int, len(w.Exchanges)),
		allowed:  make(map[string]string, len(w.Exchanges)),
		fields:   make([][]field, len(w.Exchanges)),
		bodies:   make([][]byte, len(w.Exchanges)),
		block:    make([]byte, blockSize),
	}
	if len(w.Exchanges) > 0 {
		if err := w.Validate(); err != nil {
			return nil, err
		}
	}
	if w.Scheme == linger.SchemeDNS {
		zone, err := dns.NewZone(w)
		if err != nil {
			return nil, fmt.Errorf("workload %q: %w", w.Name, err)
		}
		s.zone = zone
	}
	for i, e := range w.Exchanges {
		if e.IsQuery() || e.Origin != origin {
			continue
		}
		if !isFieldValue([]byte(e.ContentType)) {
			return nil, fmt.Errorf("exchange %d of workload %q: content type %q cannot stand in a head", i+1, w.Name, e.ContentType)
		}
		if e.ContentType != "" {
			s.fields[i] = []field{contentType(e.ContentType)}
		}
		s.index[e.Method+" "+e.Path] = i
		methods := e.Method
		if methods == "GET" {
			methods = "GET, HEAD" // as find answers it
		}
		if others, ok := s.allowed[e.Path]; ok {
			methods = others + ", " + methods
		}
		s.allowed[e.Path] = methods
		if e.ResponseBody == 0 || e.ResponseBody > cache {
			continue
		}
		cache -= e.ResponseBody
		s.bodies[i] = make([]byte, e.ResponseBody)
		if _, err := io.ReadFull(w.Body(i), s.bodies[i]); err != nil {
			return nil, fmt.Errorf("exchange %d of workload %q: its body ends early: %w", i+1, w.Name, err)
		}
	}
	if _, err := io.ReadFull(filler(blockSize), s.block); err != nil {
		return nil, err
	}
	s.listing = s.list()
	s.missing = append([]byte("nothing is served here; what is:\n\n"), s.listing...)
	return s, nil
}

// filler is the content of /bytes/N: the first N bytes of one endless text.
func filler(n int64) io.Reader { return linger.Filler("/bytes", n) }

// find returns the answer to r. Nothing in it lies in r's memory.
func (s *site) find(r *request) answer {
	if i, ok := s.index[string(r.key)]; ok {
		return s.exchange(i)
	}
	method, target := methodName(r.method), string(r.path())
	if i, ok := s.index[method+" "+target]; ok {
		return s.exchange(i)
	}
	a := s.other(method, target)
	a.method, a.target = method, string(r.target)
	if method == "HEAD" {
		// RFC 9110, 9.3.2: the same as GET, "except that the server MUST NOT send
		// content in the response".
		a.body, a.stream = nil, nil
	}
	return a
}

// other answers what is no exchange of the workload by its method and path.
func (s *site) other(method, target string) answer {
	if i, ok := s.index["GET "+target]; ok && method == "HEAD" {
		return s.exchange(i)
	}
	if methods, ok := s.allowed[target]; ok {
		return text(405, "this path answers to "+methods+"\n", field{"Allow", "allow", methods})
	}
	if target == "*" && method == "OPTIONS" {
		return answer{status: 204, length: -1}
	}
	path, _, _ := strings.Cut(target, "?")
	if path == "/" {
		return words(200, s.listing)
	}
	name, argument, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch name {
	case "misbehave":
		// With its query, which is one of what stands behind the name.
		return s.misbehaving(method, strings.TrimPrefix(strings.TrimPrefix(target, "/misbehave"), "/"))
	case "bytes":
		if n, ok := digits([]byte(argument)); ok && n <= linger.MaxBody {
			a := answer{status: 200, fields: []field{contentType("application/octet-stream")}, length: n}
			if n <= blockSize {
				a.body = s.block[:n]
			} else {
				a.stream = filler(n)
			}
			return a
		}
	case "delay":
		if d, err := time.ParseDuration(argument); err == nil && d >= 0 && d <= maxDelay {
			a := text(200, "waited "+d.String()+"\n")
			a.delay = d
			return a
		}
	case "status":
		if n, err := strconv.Atoi(argument); err == nil && len(argument) == 3 && n >= 200 && n <= 599 {
			return statusOnly(n)
		}
	}
	return words(404, s.missing)
}

// statusOnly is the answer of /status/N.
func statusOnly(status int) answer {
	switch status {
	case 204, 304:
		return answer{status: status, length: -1}
	case 205:
		// RFC 9110, 15.3.6: "a server MUST NOT generate content in a 205 response".
		return answer{status: status}
	case 301, 302, 303, 307, 308:
		return text(status, "see /\n", field{"Location", "location", "/"})
	}
	return text(status, strconv.Itoa(status)+" "+reason(status)+"\n")
}

// exchange is the answer of the workload's exchange i.
func (s *site) exchange(i int) answer {
	e := &s.workload.Exchanges[i]
	a := answer{
		method: e.Method, target: e.Path,
		status: e.Status,
		fields: s.fields[i],
		length: e.ResponseBody,
		body:   s.bodies[i],
		head:   e.ResponseHead,
		delay:  e.Delay,
	}
	switch {
	case !e.HasBody():
		a.length = -1
	case a.body == nil && a.length > 0:
		a.stream = s.workload.Body(i)
	}
	return a
}

// text is an answer in words.
func text(status int, body string, fields ...field) answer {
	return words(status, []byte(body), fields...)
}

func words(status int, body []byte, fields ...field) answer {
	fields = append([]field{contentType("text/plain; charset=utf-8")}, fields...)
	return answer{status: status, fields: fields, length: int64(len(body)), body: body}
}

// list says what is served, one line each.
func (s *site) list() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "/           this list\n/bytes/N    N bytes, 0 to %d\n", int64(linger.MaxBody))
	fmt.Fprintf(&b, "/delay/D    an answer after D, as 250ms or 2s, up to %v\n", maxDelay)
	fmt.Fprint(&b, "/status/N   an answer with status N, 200 to 599\n")
	fmt.Fprint(&b, "/misbehave/ what a server should not do, by name\n")
	if s.zone != nil {
		fmt.Fprintf(&b, "%s  names by DNS: GET ?dns=, POST\n", dohPath)
	}
	if n := len(s.workload.Exchanges); n > 0 {
		fmt.Fprintf(&b, "\nworkload %s: %d exchanges, %d bytes\n\n", cmp.Or(s.workload.Name, "without a name"), n, s.workload.Bytes())
	}
	for i, e := range s.workload.Exchanges {
		if e.Origin != s.origin {
			continue
		}
		line := fmt.Sprintf("%s %s %d\n", e.Method, e.Path, e.ResponseBody)
		if e.IsQuery() {
			line = e.Query.String() + "\n"
		}
		if b.Len()+len(line) > maxListing {
			fmt.Fprintf(&b, "and %d more\n", len(s.workload.Exchanges)-i)
			break
		}
		b.WriteString(line)
	}
	return b.Bytes()
}

// methodName spares the memory of the common names.
func methodName(b []byte) string {
	switch string(b) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPost:
		return http.MethodPost
	}
	return string(b)
}

// reason is the phrase that belongs to a status.
func reason(status int) string { return cmp.Or(http.StatusText(status), "Status") }
