package http1

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"linger"
	"linger/dial"
	"linger/probe/prober"
)

// An Conn is a connection of HTTP/1.
type Conn struct {
	*prober.Connection
	server *Server
	heard  int             // how many responses have come
	max    linger.Opt[int] // that the last one announced; see profile.Announced
	source
}

// open opens a connection on which HTTP/1 may be spoken. alter, unless it is nil, changes
// the configuration of TLS before it is used.
func (p *Server) open(ctx context.Context, alter func(*tls.Config)) (*Conn, error) {
	c, err := p.Prober.Open(ctx, alter)
	if err != nil {
		return nil, err
	}
	return p.On(c), nil
}

// On is a connection as one of HTTP/1.
func (p *Server) On(c *prober.Connection) *Conn { return &Conn{Connection: c, server: p} }

// A Request is one of HTTP/1. The zero request is GET of the target's path, by
// HTTP/1.1, that asks for the connection to stay.
type Request struct {
	method, path string   // GET and the target's path, where empty
	version      string   // 1.1, where empty
	Fields       []string // "Name: value", besides Host and User-Agent
	body         string   // sent as it is, behind the head
	// within is how long the answer may take, where not Terms.Answer.
	within time.Duration
	// beyond says that nobody should answer, so that what the answer says of the
	// server's load is not taken for that.
	beyond bool
	// provoked says that what is sent behind it may have the server reset the connection,
	// so that a response which is cut says nothing of others.
	provoked bool
}

// text is the request as it is sent.
func (p *Server) text(q Request) string {
	content := q.method == "" && len(p.Message.Content) > 0
	q.method = p.Method(q.method)
	if q.path == "" {
		q.path = p.Target.Path
	}
	if q.version == "" {
		q.version = "1.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\nHost: %s\r\n", q.method, q.path, q.version, p.Target.Host)
	for name, value := range p.Message.All("", content) {
		b.WriteString(name + ": " + value + "\r\n")
	}
	if content {
		q.body = string(p.Message.Content)
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(q.body))
	}
	for _, f := range q.Fields {
		b.WriteString(f + "\r\n")
	}
	return b.String() + "\r\n" + q.body
}

// An answer is a final response, read to its end.
type answer struct {
	Status int
	header http.Header
	proto  string // HTTP/1.1
	// close is whether the response ends the connection, by what it says and by the
	// version of HTTP (RFC 9112, 9.3).
	close  bool
	length int64 // of the content, in bytes
	// untilClose says that the end of the connection was the end of the content.
	untilClose bool
	chunked    bool
	first      time.Duration // from asking to the head
	// tries is how many requests the connection carried for it: those that were refused
	// were asked again.
	tries int
}

// validator is the field of a request by a client that knows the answer already (RFC 9110,
// 13.1); "" where the answer has nothing to know it by.
func (a answer) validator() string {
	if tag := a.header.Get("Etag"); tag != "" {
		return "If-None-Match: " + tag
	}
	if at := a.header.Get("Last-Modified"); at != "" {
		return "If-Modified-Since: " + at
	}
	return ""
}

// Exchange sends a request and reads its response. An ordinary one that is refused for
// the number of requests is retried after a pause, on the same connection; of one whose
// connection that has ended the error is a turnedAway. What has to be answered within a
// time of its own is sent at once, and once.
func (p *Server) Exchange(ctx context.Context, c *Conn, q Request) (answer, error) {
	for tries := 1; ; tries++ {
		if q.within == 0 {
			if err := p.Pause(ctx); err != nil {
				return answer{}, err
			}
		}
		sent := time.Now()
		a, err := p.exchangeOnce(ctx, c, q)
		a.tries = tries
		if err != nil || !p.isOrdinary(q) {
			return a, err
		}
		again, err := p.JudgeStatus(sent, a.Status, a.header.Get("Retry-After"))
		switch {
		case err != nil || !again || q.within > 0:
			return a, err
		case a.close:
			return a, prober.TurnsAway(a.Status)
		}
	}
}

// exchangeOnce sends a request and reads its response.
func (p *Server) exchangeOnce(ctx context.Context, c *Conn, q Request) (answer, error) {
	if c.strayed() {
		return answer{}, errStray
	}
	kept := c.status != 0
	if err := c.send(q); err != nil {
		return answer{}, err
	}
	a, err := c.receive(ctx, q)
	if kept && a.Status == http.StatusRequestTimeout {
		// RFC 9110, 15.5.9: it "did not receive a complete request message within the time
		// that it was prepared to wait", so that this was said before the request came.
		return a, io.EOF
	}
	return a, err
}

// send sends requests in one go.
func (c *Conn) send(requests ...Request) error {
	if err := c.Prober.Spend(len(requests)); err != nil {
		return err
	}
	c.disturbed = c.disturbed || len(requests) > 1
	var b strings.Builder
	for _, q := range requests {
		b.WriteString(c.server.text(q))
	}
	c.Asked = time.Now()
	c.Socket.SetWriteDeadline(c.Asked.Add(c.Prober.Answer))
	_, err := io.WriteString(c.Conn, b.String())
	return err
}

// receive reads the final response to q, its content to the end. Of a response that
// ends too early the error is io.ErrUnexpectedEOF; where there is none at all, io.EOF
// or what the socket said.
func (c *Conn) receive(ctx context.Context, q Request) (answer, error) {
	asked, within := time.Now(), cmp.Or(q.within, c.Prober.Answer)
	stop := c.Until(ctx, asked.Add(within))
	defer stop()
	method := c.Prober.Method(q.method)
	for {
		c.Bounded.N = prober.MaxHead
		if _, err := c.In.Peek(1); err != nil {
			return answer{}, err
		}
		c.First = time.Now()
		h, err := c.readHead(q.version == "1.0")
		if err != nil {
			if time.Since(asked) >= within {
				return answer{}, os.ErrDeadlineExceeded // of which may be left but a broken line
			}
			if c.Bounded.N <= 0 {
				return answer{}, fmt.Errorf("the head of the response is longer than %d kB", prober.MaxHead>>10)
			}
			return answer{}, err
		}
		if h.interim() {
			continue
		}
		a := answer{Status: h.status, header: h.header, proto: "HTTP/1." + string(h.minor), close: h.closes(), first: time.Since(asked)}
		c.Bounded.N = prober.MaxBody
		var f delimiter
		a.length, f, err = c.content(h, method)
		a.untilClose, a.chunked = f == untilClose, f == chunked
		a.close = a.close || a.untilClose
		c.method, c.status = method, a.Status
		c.Last = time.Now()
		if (errors.Is(err, io.ErrUnexpectedEOF) || dial.IsReset(err)) && !q.provoked {
			text := fmt.Sprintf("a response (%d) ended after %d bytes of its content", a.Status, a.length)
			c.server.note(func(f *facts) { f.Cut = text })
		}
		if c.Bounded.N <= 0 {
			return a, fmt.Errorf("the response is longer than %d MB; name a URL with a shorter one", prober.MaxBody>>20)
		}
		c.server.heard(c, a)
		return a, err
	}
}

// isOrdinary reports whether q is one that any client might send: what another one is
// answered is what this server says to it, and is no word about how much it is asked.
func (p *Server) isOrdinary(q Request) bool {
	return (p.Method(q.method) == p.Method("") || q.method == http.MethodGet || q.method == http.MethodHead) &&
		(q.path == "" || q.path == p.Target.Path) && q.version == "" && q.body == "" && !q.beyond
}
