package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/conformance"
	"linger/live"
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
	found := conformance.AskedToClose{Closing: p.afterLast(ctx, c, request{}), Repeated: a.close && a.proto == "HTTP/1.1"}
	p.ended(found.How, "a connection whose client had asked for its end")
	p.note(func(f *http1Facts) {
		f.Deaf = found.Open()
		f.Unrepeated = found.How != "" && !found.Repeated
	})
	p.judge(found)
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
	// Whose reset what follows provokes, and may destroy the response: see close-staged.
	last := request{fields: []string{"Connection: close"}, provoked: true}
	behind := request{fields: []string{"Content-Length: " + strconv.Itoa(unread)}, body: strings.Repeat("x", unread)}
	// What cannot be sent any more is none of the probe's.
	if err := c.send(last, behind); err != nil && !live.IsReset(err) {
		return
	}
	_, err = c.receive(ctx, last)
	if live.IsReset(err) {
		p.note(func(f *http1Facts) { f.Staged, f.Destroyed = linger.Known(false), true })
	}
	if err != nil {
		return
	}
	behind.beyond = true
	_, err = c.receive(ctx, behind)
	if ends(err) {
		reset := live.IsReset(err)
		if !reset && sleep(ctx, promptly+p.roundTrip()) == nil {
			// A reset behind the FIN shows to whoever writes only; nothing is written.
			_, err := c.socket.Write(nil)
			reset = live.IsReset(err)
		}
		p.note(func(f *http1Facts) { f.Staged = linger.Known(!reset) })
	}
	if err == nil || ends(err) {
		p.note(func(f *http1Facts) { f.Behind = linger.Known(err == nil) })
	}
}

// oldHTTP speaks HTTP/1.0, without and with keep-alive.
func oldHTTP(ctx context.Context, p *prober) {
	var found conformance.HTTP10
	defer func() { p.judge(found) }()
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	a, err := p.exchange(ctx, c, request{version: "1.0"})
	if err != nil {
		return
	}
	plain := conformance.HTTP10Plain{Chunked: a.chunked, UntilClose: a.untilClose}
	if !plain.UntilClose {
		plain.Closing = p.afterLast(ctx, c, request{version: "1.0"})
		if plain.Closing.Open() {
			p.note(func(f *http1Facts) { f.Old = linger.Known(plain.Closing.Answered) })
		}
	}
	found.Plain = linger.Known(plain)
	c.drop() // a server may have a worker for each connection

	if c, err = p.open(ctx, nil); err != nil {
		return
	}
	defer c.drop()
	a, err = p.exchange(ctx, c, request{version: "1.0", fields: []string{"Connection: keep-alive"}})
	if err != nil {
		return
	}
	kept := conformance.HTTP10Kept{Chunked: a.chunked, UntilClose: a.untilClose, Says: lists(strings.Join(a.header.Values("Connection"), ","), "keep-alive")}
	if !kept.UntilClose {
		_, err = p.exchange(ctx, c, request{version: "1.0"})
		kept.Next = next(err)
		p.note(func(f *http1Facts) { f.OldClosed = kept.Next == conformance.Ended && kept.Says })
	}
	found.Kept = linger.Known(kept)
}

// next is what became of a request, by the error of its response.
func next(err error) conformance.Next {
	switch {
	case err == nil:
		return conformance.Answered
	case ends(err):
		return conformance.Ended
	case errors.Is(err, os.ErrDeadlineExceeded):
		return conformance.Silent
	case err == errSpent:
		return "" // nothing was sent
	}
	return conformance.Garbled
}

// contents sends requests with content: some that looks like another request, some that
// comes slowly, some that waits for leave.
func contents(ctx context.Context, p *prober) {
	unheard := p.hidden(ctx)
	p.slowly(ctx)
	p.expecting(ctx, unheard)
	p.tooLarge(ctx)
}

// hidden sends content that looks like another request, and reports whether nothing came
// to it at all. Whether it was taken for a request is told by the number of responses:
// what comes otherwise decides nothing.
func (p *prober) hidden(ctx context.Context) (unheard bool) {
	hidden := "GET " + nowhere + " HTTP/1.1\r\nHost: " + p.target.host + "\r\n\r\n"
	c, err := p.open(ctx, nil)
	if err != nil {
		return false
	}
	defer c.drop()
	post := request{method: http.MethodPost, fields: []string{"Content-Type: text/plain", "Content-Length: " + strconv.Itoa(len(hidden))}, body: hidden}
	if c.send(post) != nil {
		return false
	}
	a, err := c.receive(ctx, post)
	if err != nil {
		return timedOut(err)
	}
	found := conformance.Content{Status: a.status, Close: a.close}
	if !a.close {
		// Not by exchange: a response too many, that has come already, is what is looked for.
		c.disturbed = true
		e := c.lull(ctx, lulled)
		p.endedUnsaid(c, e, "POST with content")
		found.More = e.answers()
		switch {
		case e.how != "":
			found.Next = conformance.Ended
		case e.stray > 0 || e.err != nil:
			found.Next = conformance.Garbled
		default:
			if err = c.send(request{}); err == nil {
				_, err = c.receive(ctx, request{})
			}
			if found.Next = next(err); err == nil {
				found.More = c.lull(ctx, promptly).answers()
			}
		}
	}
	p.judge(found)
	return false
}

// tooLarge announces more content than servers take, and waits for leave to send it: what
// becomes of the connection whose server refuses?
func (p *prober) tooLarge(ctx context.Context) {
	const what = "POST of 16 MB, announced"
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	q := request{method: http.MethodPost, fields: []string{"Content-Type: text/plain", "Content-Length: " + strconv.Itoa(large), "Expect: 100-continue"}, beyond: true}
	if c.send(q) != nil {
		return
	}
	wait, cancel := context.WithTimeout(ctx, p.config.Answer)
	arrived := c.arrives(wait)
	cancel()
	if began, _ := c.in.Peek(len("HTTP/1.1 1")); !arrived || len(began) > 0 && began[len(began)-1] == '1' {
		return // it takes so much
	}
	a, err := c.receive(ctx, q)
	if err != nil {
		return
	}
	s := profile.Survival{What: what, State: profile.Measured, Status: a.status, Said: linger.Brief(strings.Join(a.header.Values("Connection"), ", "))}
	if !a.close {
		e := c.lull(ctx, lulled)
		if e.how == "" {
			return // it may be waiting for the content
		}
		p.endedUnsaid(c, e, what)
	}
	p.record(func(doc *profile.Profile) { doc.Survives = append(doc.Survives, s) })
}

// large is how much content is announced, in bytes: more than many servers take, and no
// more than a server can bear that makes room for it. Nothing of it is sent.
const large = 16 << 20

// endedUnsaid notes an end of the connection that came behind a response, which had not
// said so.
func (p *prober) endedUnsaid(c *conn, e end, what string) {
	if e.how != "" && e.stray == 0 {
		unsaid := conformance.UnsaidEnd{What: what, Status: c.status, After: e.at.Sub(c.last)}
		p.note(func(f *http1Facts) { f.Ends = append(f.Ends, unsaid) })
	}
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
	if a.close {
		return
	}
	if e := c.lull(ctx, lulled); e.how != "" {
		p.endedUnsaid(c, e, s.What)
		return
	}
	_, err = p.exchange(ctx, c, request{})
	s.Kept = err == nil
}

// expecting asks for leave before it sends content; unheard is that nothing came to a POST
// that did not ask. The content is sent once there is leave, so that what the server says
// on the way is seen whole.
func (p *prober) expecting(ctx context.Context, unheard bool) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	const content = "hello"
	q := request{method: http.MethodPost, fields: []string{"Content-Type: text/plain", "Content-Length: " + strconv.Itoa(len(content)), "Expect: 100-continue"}}
	if c.send(q) != nil {
		return
	}
	wait, cancel := context.WithTimeout(ctx, p.config.Answer)
	defer cancel()
	arrived, heard := c.arrives(wait), false
	silent := wait.Err() != nil
	c.socket.SetWriteDeadline(time.Now().Add(p.config.Answer)) // that of the head is over
	if !arrived && silent && ctx.Err() == nil {
		// Who has read the request answers now; who has not is busy with others.
		if _, err := io.WriteString(c.Conn, content); err == nil {
			_, err = c.receive(ctx, q)
			heard = err == nil
		}
	}
	if arrived || ctx.Err() == nil {
		p.judge(conformance.Expecting{Came: arrived, Within: p.config.Answer, Unheard: unheard, Ended: !arrived && !silent, Heard: heard})
	}
	if !arrived {
		return
	}
	began, err := c.in.Peek(len("HTTP/1.1 1"))
	switch {
	case err != nil:
	case !strings.HasPrefix(string(began), "HTTP/1."):
		line, n := c.buffered(), c.in.Buffered()
		fault := conformance.Fault{ID: "interim-whole", What: "what came while the content was held back is no response: " + linger.Quoted(line, n)}
		p.note(func(f *http1Facts) { f.Faults, f.Interim = append(f.Faults, fault), f.Interim+1 })
	case began[len(began)-1] == '1':
		if _, err := io.WriteString(c.Conn, content); err != nil {
			return
		}
		if _, err := c.receive(ctx, q); err == nil {
			c.lull(ctx, lulled)
		}
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
	ordinary := p.wellFormed(ctx)
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
		status := ordinary
		if strings.HasPrefix(broken.sent, "GET ") {
			status = p.ordinary()
		}
		p.malformed(ctx, broken.id, broken.sent, broken.refused, broken.closes, status)
	}
}

// ordinary is the status that the target is answered with.
func (p *prober) ordinary() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.profile.Baseline.Status
}

// wellFormed is the status of the response to a POST that is as it should be, 0 of none.
func (p *prober) wellFormed(ctx context.Context) int {
	c, err := p.open(ctx, nil)
	if err != nil {
		return 0
	}
	defer c.drop()
	a, err := p.exchange(ctx, c, request{method: http.MethodPost, fields: []string{"Content-Length: 3"}, body: "abc"})
	if err != nil {
		return 0
	}
	return a.status
}

// malformed sends what is no request, and holds what comes back against what has to;
// ordinary is the status of the response to such a request that is well-formed.
func (p *prober) malformed(ctx context.Context, id, sent string, refused, closes bool, ordinary int) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	if p.spend(1) != nil {
		return
	}
	c.disturbed = true
	c.socket.SetWriteDeadline(time.Now().Add(p.config.Answer))
	if _, err := io.WriteString(c.Conn, sent); err != nil {
		return
	}
	a, err := c.receive(ctx, request{method: http.MethodPost})
	if isRefusal(a.status) && !p.blames(ctx, sent, a.status) {
		p.unmeasured(fmt.Sprintf("it was answered %d, which may be about how much is asked", a.status), id)
		return
	}
	found := conformance.Malformed{ID: id, Refuse: refused, Close: closes, Next: next(err), Status: a.status, Within: p.config.Answer}
	found.Ordinary = a.status == ordinary
	if err != nil {
		found.Why = cause(err)
	}
	if found.Next == conformance.Silent && ctx.Err() != nil {
		found.Next = conformance.Garbled // it was not waited for
	}
	if found.Next == conformance.Answered && closes && !found.Accepted() {
		found.Closing = p.afterLast(ctx, c, request{})
		if found.Lied = a.close && found.Closing.Open(); found.Lied {
			p.lied(a, found.Closing, "after a request that cannot be read")
		}
	}
	p.judge(found)
}
