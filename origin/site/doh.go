package site

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"linger/origin/head"
)

// Where DNS over HTTPS is asked, and what a message's type is (RFC 8484, 4.1 and 6).
// The place is the one of the example there, which everybody has adopted.
const (
	dohPath = "/dns-query"
	dohType = "application/dns-message"
)

// Find returns what is answered to a request of HTTP: a name, or a page or an object.
// Nothing in it lies in r's memory.
func (s *Site) Find(r *head.Request) Answer {
	if s.zone == nil {
		return s.find(r)
	}
	path, query, _ := strings.Cut(string(r.Path()), "?")
	if path != dohPath {
		return s.find(r)
	}
	a := s.doh(r, methodName(r.Method), query)
	a.Method, a.Target = methodName(r.Method), string(r.Target)
	if r.IsHEAD {
		a.Body = nil
	}
	return a
}

// doh answers a request to dohPath.
func (s *Site) doh(r *head.Request, method, query string) Answer {
	switch method {
	case "GET", "HEAD":
		values, err := url.ParseQuery(query)
		given := values["dns"]
		if err != nil || len(given) != 1 {
			return Text(400, "the target has no query; give one: "+dohPath+"?dns=, and a message in base64url\n")
		}
		// RFC 8484, 6: without padding; some send it all the same.
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(given[0], "="))
		if err != nil {
			return Text(400, "dns= is not base64url\n")
		}
		return s.dohReply(b)
	case "POST":
		if kind, _, _ := strings.Cut(r.ContentType, ";"); !strings.EqualFold(strings.TrimSpace(kind), dohType) {
			return Text(415, "the content is not of the type "+dohType+"\n")
		}
		return Answer{Take: s.dohReply}
	}
	return Text(405, dohPath+" answers to GET and POST\n", Field{"Allow", "allow", "GET, HEAD, POST"})
}

// dohReply answers a message.
//
// RFC 8484, 5.1: "The assigned freshness lifetime of a DoH HTTP response MUST be less
// than or equal to the smallest TTL in the Answer section of the DNS response".
func (s *Site) dohReply(b []byte) Answer {
	q, ok := s.Query(b)
	if !ok {
		return Text(400, "this is no query of DNS\n")
	}
	r := q.reply(Carrier{Encrypted: true})
	fresh := "max-age=" + strconv.FormatInt(int64(r.TTL/time.Second), 10)
	return Answer{
		Status: 200, Length: int64(len(r.Message)), Body: r.Message, Delay: q.Delay,
		Fields: []Field{contentType(dohType), {"Cache-Control", "cache-control", fresh}},
	}
}
