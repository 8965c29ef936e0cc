package site

import (
	"fmt"
	"io"
	"net/http"

	"linger"
	"linger/content"
	"linger/dns"
	"linger/origin/head"
)

// A Site says what is answered to a request. It does not change once made.
type Site struct {
	workload linger.Workload
	origin   int               // of the workload
	zone     *dns.Zone         // the workload's names; nil where it has none
	index    map[string]int    // "GET /path" to the exchange
	allowed  map[string]string // path to the methods of its exchanges
	fields   [][]Field         // of the exchanges' heads
	bodies   [][]byte          // of the exchanges; nil is made anew each time
	block    []byte            // the beginning of every /bytes/N
	listing  []byte
	missing  []byte
}

// New makes the bodies of one of the workload's origins that fit into cache bytes
// of memory, in the workload's order.
func New(w linger.Workload, origin int, cache int64) (*Site, error) {
	s := &Site{
		workload: w,
		origin:   origin,
		index:    make(map[string]int, len(w.Exchanges)),
		allowed:  make(map[string]string, len(w.Exchanges)),
		fields:   make([][]Field, len(w.Exchanges)),
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
		if !head.IsFieldValue([]byte(e.ContentType)) {
			return nil, fmt.Errorf("exchange %d of workload %q: content type %q cannot stand in a head", i+1, w.Name, e.ContentType)
		}
		if e.ContentType != "" {
			s.fields[i] = []Field{contentType(e.ContentType)}
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
		if _, err := io.ReadFull(content.Body(w, i), s.bodies[i]); err != nil {
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
func filler(n int64) io.Reader { return content.Filler("/bytes", n) }

// find returns the page or object that answers r, or says that there is none.
func (s *Site) find(r *head.Request) Answer {
	if i, ok := s.index[string(r.Key)]; ok {
		return s.exchange(i)
	}
	method, target := methodName(r.Method), string(r.Path())
	if i, ok := s.index[method+" "+target]; ok {
		return s.exchange(i)
	}
	a := s.other(method, target)
	a.Method, a.Target = method, string(r.Target)
	if method == "HEAD" {
		// RFC 9110, 9.3.2: the same as GET, "except that the server MUST NOT send
		// content in the response".
		a.Body, a.Stream = nil, nil
	}
	return a
}

// exchange is the answer of the workload's exchange i.
func (s *Site) exchange(i int) Answer {
	e := &s.workload.Exchanges[i]
	a := Answer{
		Method: e.Method, Target: e.Path,
		Status:   e.Status,
		Fields:   s.fields[i],
		Length:   e.ResponseBody,
		Body:     s.bodies[i],
		HeadSize: e.ResponseHead,
		Delay:    e.Delay,
	}
	switch {
	case !e.HasBody():
		a.Length = -1
	case a.Body == nil && a.Length > 0:
		a.Stream = content.Body(s.workload, i)
	}
	return a
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
