package probe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/profile"
)

// askedToClose asks for the end of the connection.
func askedToClose(ctx context.Context, p *prober) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	a, err := p.exchange(ctx, c, request{fields: []string{"Connection: close"}})
	if err != nil {
		return
	}
	e, answered := p.afterLast(ctx, c, request{})
	p.ended(e.how, "a connection whose client had asked for its end")
	// RFC 9112, 9.6: "A server that receives a "close" connection option MUST initiate
	// closure of the connection (see below) after it sends the final response to the
	// request that contained the "close" connection option."
	switch {
	case e.how != "":
		p.verdict("close-honoured", profile.Pass, "it closed (%s) %s after the response", e.how, e.at.Sub(c.last).Round(time.Millisecond))
	case e.err == nil && ctx.Err() == nil:
		p.note(func(f *http1Facts) { f.deaf = "it does not close when it is asked to" })
		p.broken("close-honoured", "the connection stays open after the response, and %s", more(answered))
	}
	// RFC 9112, 9.6: "The server SHOULD send a "close" connection option in its final
	// response on that connection."
	switch {
	case a.close && a.proto == "HTTP/1.1":
		p.verdict("close-repeated", profile.Pass, "the response says so, too")
	case e.how != "":
		p.note(func(f *http1Facts) { f.unrepeated = true })
	}
}

// unread is how much content is sent behind the end of a connection: more than what
// servers read in one go, in bytes.
const unread = 64 << 10

// behindClose sends a request behind one that ends the connection, with content that
// the server has no reason to read.
func behindClose(ctx context.Context, p *prober) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	last := request{fields: []string{"Connection: close"}}
	behind := request{fields: []string{"Content-Length: " + strconv.Itoa(unread)}, body: strings.Repeat("x", unread)}
	// What cannot be sent any more is none of the probe's.
	if err := c.send(last, behind); err != nil && !isReset(err) {
		return
	}
	_, err = c.receive(ctx, last)
	// RFC 9112, 9.6: "If a server performs an immediate close of a TCP connection, there is
	// a significant risk that the client will not be able to read the last HTTP response.
	// [...] To avoid the TCP reset problem, servers typically close a connection in
	// stages."
	if isReset(err) {
		p.note(func(f *http1Facts) { f.staged, f.destroyed = linger.Known(false), true })
	}
	if err != nil {
		return
	}
	behind.beyond = true
	_, err = c.receive(ctx, behind)
	if ends(err) {
		reset := isReset(err)
		if !reset && sleep(ctx, promptly+p.roundTrip()) == nil {
			// A reset behind the FIN shows to whoever writes only; nothing is written.
			_, err := c.socket.Write(nil)
			reset = isReset(err)
		}
		p.note(func(f *http1Facts) { f.staged = linger.Known(!reset) })
	}
	// RFC 9112, 9.6: "The server MUST NOT process any further requests received on that
	// connection."
	switch {
	case err == nil:
		p.note(func(f *http1Facts) { f.last = "the request behind it was answered" })
	case ends(err):
		p.note(func(f *http1Facts) { f.lastPass = true })
	}
}

// oldHTTP speaks HTTP/1.0, without and with keep-alive.
func oldHTTP(ctx context.Context, p *prober) {
	for _, keep := range []bool{false, true} {
		c, err := p.open(ctx, nil)
		if err != nil {
			return
		}
		defer c.drop()
		q := request{version: "1.0"}
		if keep {
			q.fields = []string{"Connection: keep-alive"}
		}
		a, err := p.exchange(ctx, c, q)
		if err != nil {
			return
		}
		// RFC 9112, 6.1: "A server MUST NOT send a response containing Transfer-Encoding
		// unless the corresponding request indicates HTTP/1.1 (or later minor revisions)."
		if a.chunked {
			p.broken("http10-no-chunks", "a response to HTTP/1.0 came in chunks")
		} else if keep {
			p.verdict("http10-no-chunks", profile.Pass, "responses to HTTP/1.0 came without")
		}
		says := lists(strings.Join(a.header.Values("Connection"), ","), "keep-alive")
		if !keep {
			// RFC 9112, 9.3: "If the received protocol is HTTP/1.0, the "keep-alive" connection
			// option is present, [...] the connection will persist after the current response;
			// otherwise, the connection will close".
			if a.untilClose {
				p.verdict("http10-closes", profile.Pass, "the end of the connection was that of the content")
				continue
			}
			e, answered := p.afterLast(ctx, c, request{version: "1.0"})
			switch {
			case e.how != "":
				p.verdict("http10-closes", profile.Pass, "it closed (%s)", e.how)
			case e.err == nil && ctx.Err() == nil:
				p.note(func(f *http1Facts) { f.old = "the connection stays open, and " + more(answered) })
			}
			continue
		}
		if a.untilClose {
			p.verdict("http10-keep-alive", profile.NotMeasured, "it does not keep connections of HTTP/1.0")
			continue
		}
		_, err = p.exchange(ctx, c, request{version: "1.0"})
		// RFC 2068, 19.7.1: a server that keeps the connection says so by the same option,
		// since "the client MUST NOT assume" it otherwise.
		switch {
		case err == nil && says:
			p.verdict("http10-keep-alive", profile.Pass, "the response says keep-alive, and another request was answered")
		case err == nil:
			p.broken("http10-keep-alive", "the connection is kept and the response does not say keep-alive: the client has to take it for closed")
		case ends(err) && says:
			p.note(func(f *http1Facts) { f.oldLie = "the response says keep-alive, and the connection was closed" })
		case ends(err):
			p.verdict("http10-keep-alive", profile.NotMeasured, "it does not keep connections of HTTP/1.0")
		}
	}
}

// contents sends requests with content: some that looks like another request, some that
// comes slowly, some that waits for leave.
func contents(ctx context.Context, p *prober) {
	hidden := "GET " + nowhere + " HTTP/1.1\r\nHost: " + p.target.host + "\r\n\r\n"
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	post := request{method: http.MethodPost, fields: []string{"Content-Type: text/plain", "Content-Length: " + strconv.Itoa(len(hidden))}, body: hidden}
	if c.send(post) == nil {
		a, err := c.receive(ctx, post)
		// RFC 9112, 9.3: "A server MUST read the entire request message body or close the
		// connection after sending its response; otherwise, the remaining data on a persistent
		// connection would be misinterpreted as the next request."
		switch {
		case err != nil:
		case a.close:
			p.verdict("body-read", profile.Pass, "it closes after its response (%d)", a.status)
		default:
			next, err := p.exchange(ctx, c, request{method: http.MethodHead})
			var again error
			if err == nil {
				wait, cancel := context.WithTimeout(ctx, 500*time.Millisecond+p.roundTrip())
				e := c.awaitEnd(wait)
				cancel()
				if e.stray > 0 {
					again = errors.New("more")
				}
			}
			switch {
			case ends(err):
				p.verdict("body-read", profile.Pass, "it closes after its response (%d)", a.status)
			case again != nil:
				p.broken("body-read", "the content of a POST (%d), which looks like a request, was answered as one", a.status)
			case err == nil && next.status != 0:
				p.verdict("body-read", profile.Pass, "the content of a POST (%d) was read, and the next request answered", a.status)
			}
		}
	}
	p.slowly(ctx)
	p.expecting(ctx)
}

// slowly sends content in two parts.
func (p *prober) slowly(ctx context.Context) {
	s := profile.Survival{What: "POST, slowly", State: profile.Unknown}
	defer func() { p.record(func(doc *profile.Profile) { doc.Survives = append(doc.Survives, s) }) }()
	c, err := p.open(ctx, nil)
	if err != nil {
		s.Why = err.Error()
		return
	}
	defer c.drop()
	q := request{method: http.MethodPost, fields: []string{"Content-Type: text/plain", "Content-Length: 20"}, body: "0123456789"}
	if err := c.send(q); err != nil {
		s.Why = err.Error()
		return
	}
	wait, cancel := context.WithTimeout(ctx, time.Second)
	early := c.arrives(wait)
	cancel()
	if _, err = io.WriteString(c.Conn, "0123456789"); err != nil {
		s.Why = "the second half of the content could not be sent: " + cause(err)
		return
	}
	a, err := c.receive(ctx, q)
	if err != nil {
		s.Why = "no answer: " + cause(err)
		return
	}
	s.State, s.Status, s.Said = profile.Measured, a.status, a.header.Get("Connection")
	if early {
		s.Why = "answered before the content was there"
	}
	if !a.close {
		_, err = p.exchange(ctx, c, request{})
		s.Kept = err == nil
	}
}

// expecting asks for leave before it sends content.
func (p *prober) expecting(ctx context.Context) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	q := request{method: http.MethodPost, fields: []string{"Content-Type: text/plain", "Content-Length: 5", "Expect: 100-continue"}}
	if c.send(q) != nil {
		return
	}
	wait, cancel := context.WithTimeout(ctx, p.config.Answer)
	defer cancel()
	// RFC 9110, 10.1.1: "Upon receiving an HTTP/1.1 (or later) request that has a method,
	// target URI, and complete header section that contains a 100-continue expectation and
	// indicates that request content will follow, an origin server MUST send either: an
	// immediate response with a final status code, [...] or an immediate 100 (Continue)
	// response".
	switch arrived := c.arrives(wait); {
	case arrived:
		p.verdict("expect-answered", profile.Pass, "it answered before the content was sent")
	case ctx.Err() == nil:
		p.broken("expect-answered", "nothing came in %s, while the content was held back", p.config.Answer)
	}
}

// arrives reports whether something comes before ctx is over; it is not taken.
func (c *conn) arrives(ctx context.Context) bool {
	c.socket.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { c.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	c.bounded.N = maxBody
	_, err := c.in.Peek(1)
	return err == nil
}

// framing sends requests whose end cannot be known, or that are none.
func framing(ctx context.Context, p *prober) {
	host := "Host: " + p.target.host + "\r\n"
	head := "POST " + p.target.path + " HTTP/1.1\r\n" + host
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
		{"host-missing", "GET " + p.target.path + " HTTP/1.1\r\n\r\n", true, false},
		// RFC 9112, 5.1: "A server MUST reject, with a response status code of 400 (Bad
		// Request), any received request message that contains whitespace between a header
		// field name and colon."
		{"field-space", "GET " + p.target.path + " HTTP/1.1\r\n" + host + "X-Linger : 1\r\n\r\n", true, false},
	} {
		if ctx.Err() != nil {
			return
		}
		p.malformed(ctx, broken.id, broken.sent, broken.refused, broken.closes)
	}
}

// ordinary is the status that the target is answered with.
func (p *prober) ordinary() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.profile.Baseline.Status
}

// malformed sends what is no request, and holds what comes back against what has to.
func (p *prober) malformed(ctx context.Context, id, sent string, refused, closes bool) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	if p.spend(1) != nil {
		return
	}
	c.socket.SetWriteDeadline(time.Now().Add(p.config.Answer))
	if _, err := io.WriteString(c.Conn, sent); err != nil {
		return
	}
	a, err := c.receive(ctx, request{method: http.MethodPost})
	switch {
	case ends(err):
		p.verdict(id, profile.Pass, "it closed without an answer")
		return
	case errors.Is(err, os.ErrDeadlineExceeded) && id == "framing-chunks" && ctx.Err() == nil:
		p.broken(id, "nothing came in %s, and the connection is open", p.config.Answer)
		return
	case err != nil:
		p.verdict(id, profile.NotMeasured, "%s", cause(err))
		return
	case refused && a.status/100 != 4 && a.status/100 != 5:
		p.broken(id, "it was answered %d", a.status)
		return
	case refused && strings.HasPrefix(sent, "GET ") && a.status != http.StatusBadRequest && a.status == p.ordinary():
		p.verdict(id, profile.NotMeasured, "it was answered %d, as what is well-formed", a.status)
		return
	}
	ended := ""
	if closes {
		e, answered := p.afterLast(ctx, c, request{})
		if e.how == "" {
			if ctx.Err() == nil && e.err == nil {
				p.broken(id, "it was answered %d; the connection stays open, and %s", a.status, more(answered))
			}
			return
		}
		ended = ", and closed"
	}
	p.verdict(id, profile.Pass, "it was answered %d%s", a.status, ended)
}
