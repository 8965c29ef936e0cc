package origin

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"linger"
)

// Where DNS over HTTPS is asked, and what a message's type is (RFC 8484, 4.1 and 6).
// The place is the one of the example there, which everybody has adopted.
const (
	dohPath = "/dns-query"
	dohType = "application/dns-message"
)

// find returns what is answered to a request: of DNS, or of the site. Nothing in it
// lies in r's memory.
func (s *Server) find(r *request) answer {
	if s.site.zone == nil {
		return s.site.find(r)
	}
	path, query, _ := strings.Cut(string(r.path()), "?")
	if path != dohPath {
		return s.site.find(r)
	}
	a := s.doh(r, methodName(r.method), query)
	a.method, a.target = methodName(r.method), string(r.target)
	if r.head {
		a.body = nil
	}
	return a
}

// doh answers a request to dohPath.
func (s *Server) doh(r *request, method, query string) answer {
	switch method {
	case "GET", "HEAD":
		values, err := url.ParseQuery(query)
		given := values["dns"]
		if err != nil || len(given) != 1 {
			return text(400, "the target has no query; give one: "+dohPath+"?dns=, and a message in base64url\n")
		}
		// RFC 8484, 6: without padding; some send it all the same.
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(given[0], "="))
		if err != nil {
			return text(400, "dns= is not base64url\n")
		}
		return s.dohReply(b)
	case "POST":
		if kind, _, _ := strings.Cut(r.contentType, ";"); !strings.EqualFold(strings.TrimSpace(kind), dohType) {
			return text(415, "the content is not of the type "+dohType+"\n")
		}
		return answer{take: s.dohReply}
	}
	return text(405, dohPath+" answers to GET and POST\n", field{"Allow", "allow", "GET, HEAD, POST"})
}

// dohReply answers a message.
//
// RFC 8484, 5.1: "The assigned freshness lifetime of a DoH HTTP response MUST be less
// than or equal to the smallest TTL in the Answer section of the DNS response".
func (s *Server) dohReply(b []byte) answer {
	l, ok := s.lookUp(b)
	if !ok {
		return text(400, "this is no query of DNS\n")
	}
	l.answer.Pad = true
	r := l.message.Reply(l.answer)
	fresh := "max-age=" + strconv.FormatInt(int64(r.TTL/time.Second), 10)
	return answer{
		status: 200, length: int64(len(r.Message)), body: r.Message, delay: l.delay,
		fields: []field{contentType(dohType), {"Cache-Control", "cache-control", fresh}},
	}
}

// contentLimit is how long the content of a request may be that a is the answer to.
func (s *Server) contentLimit(a *answer) int64 {
	if a.take != nil {
		return min(s.config.MaxRequestBody, linger.MaxMessage)
	}
	return s.config.MaxRequestBody
}

// complete returns the answer to a request whose content has arrived.
func (a answer) complete(content []byte) answer {
	if a.take == nil {
		return a
	}
	done := a.take(content)
	done.method, done.target = a.method, a.target
	return done
}
