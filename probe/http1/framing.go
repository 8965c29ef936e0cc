package http1

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"linger/conformance"
	"linger/probe/prober"
	"linger/profile"
)

// framing sends requests whose end cannot be known, or that are none.
func (p *Server) framing(ctx context.Context) {
	host := "Host: " + p.Target.Host + "\r\n"
	ordinary := p.wellFormed(ctx)
	head := "POST " + p.Target.Path + " HTTP/1.1\r\n" + host
	for _, broken := range []struct {
		id, sent string
		refused  bool // it has to be answered by 400
		closes   bool // and the connection closed
	}{
		// RFC 9112, 6.1: "Regardless, the server MUST close the connection after responding to
		// such a request to avoid the potential attacks."
		{"framing-both", head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, true},
		// RFC 9112, 6.3: "the message framing is invalid and the recipient MUST treat it as an
		// unrecoverable error [...]. If the unrecoverable error is in a request message, the
		// server MUST respond with a 400 (Bad Request) status code and then close the
		// connection."
		{"framing-lengths", head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", true, true},
		{"framing-length", head + "Content-Length: three\r\n\r\nabc", true, true},
		{"framing-chunks", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", false, true},
		// RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any
		// HTTP/1.1 request message that lacks a Host header field".
		{"host-missing", "GET " + p.Target.Path + " HTTP/1.1\r\n\r\n", true, false},
		// RFC 9112, 5.1: "A server MUST reject, with a response status code of 400 (Bad
		// Request), any received request message that contains whitespace between a header
		// field name and colon."
		{"field-space", "GET " + p.Target.Path + " HTTP/1.1\r\n" + host + "X-Linger : 1\r\n\r\n", true, false},
	} {
		if ctx.Err() != nil {
			return
		}
		status := ordinary
		if strings.HasPrefix(broken.sent, "GET ") {
			status = p.ordinary()
		}
		p.malformed(ctx, broken.id, broken.sent, broken.refused, broken.closes, status)
	}
}

// ordinary is the status that the target is answered with.
func (p *Server) ordinary() (status int) {
	p.Record(func(doc *profile.Profile) { status = doc.Baseline.Status })
	return status
}

// wellFormed is the status of the response to a POST that is as it should be, 0 of none.
func (p *Server) wellFormed(ctx context.Context) int {
	c, err := p.open(ctx, nil)
	if err != nil {
		return 0
	}
	defer c.Drop()
	a, err := p.Exchange(ctx, c, Request{method: http.MethodPost, Fields: []string{"Content-Length: 3"}, body: "abc"})
	if err != nil {
		return 0
	}
	return a.Status
}

// malformed sends what is no request, and holds what comes back against what has to;
// ordinary is the status of the response to such a request that is well-formed.
func (p *Server) malformed(ctx context.Context, id, sent string, refused, closes bool, ordinary int) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.Drop()
	if p.Spend(1) != nil {
		return
	}
	c.disturbed = true
	c.Socket.SetWriteDeadline(time.Now().Add(p.Answer))
	if _, err := io.WriteString(c.Conn, sent); err != nil {
		return
	}
	a, err := c.receive(ctx, Request{method: http.MethodPost})
	if prober.IsRefusal(a.Status) && !p.blames(ctx, sent, a.Status) {
		p.Unmeasured(fmt.Sprintf("it was answered %d, which may be about how much is asked", a.Status), id)
		return
	}
	found := conformance.Malformed{ID: id, Refuse: refused, Close: closes, Next: next(err), Status: a.Status, Within: p.Answer}
	found.Ordinary = a.Status == ordinary
	if err != nil {
		found.Why = prober.Cause(err)
	}
	if found.Next == conformance.Silent && ctx.Err() != nil {
		found.Next = conformance.Garbled // it was not waited for
	}
	if found.Next == conformance.Answered && closes && !found.Accepted() {
		found.Closing = p.afterLast(ctx, c, Request{})
		if found.Lied = a.close && found.Closing.Open(); found.Lied {
			p.lied(a, found.Closing, "after a request that cannot be read")
		}
	}
	p.Judge(found)
}

// blames reports whether it is a request itself, sent as it stands, that is answered by a
// status which may be about how much is asked: an ordinary one in between is served, and
// the same one again is not.
func (p *Server) blames(ctx context.Context, sent string, status int) bool {
	c, err := p.open(ctx, nil)
	if err != nil {
		return false
	}
	_, err = p.Exchange(ctx, c, Request{})
	c.Drop()
	if err != nil {
		return false
	}
	if c, err = p.open(ctx, nil); err != nil {
		return false
	}
	defer c.Drop()
	if p.Spend(1) != nil {
		return false
	}
	c.disturbed = true
	c.Socket.SetWriteDeadline(time.Now().Add(p.Answer))
	if _, err := io.WriteString(c.Conn, sent); err != nil {
		return false
	}
	a, err := c.receive(ctx, Request{method: http.MethodPost})
	return err == nil && a.Status == status
}
