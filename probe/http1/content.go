package http1

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/conformance"
	"linger/probe/prober"
	"linger/profile"
)

// contents sends requests with content: some that looks like another request, some that
// comes slowly, some that waits for leave.
func (p *Server) contents(ctx context.Context) {
	unheard := p.hidden(ctx)
	p.slowly(ctx)
	p.expecting(ctx, unheard)
	p.tooLarge(ctx)
}

// hidden sends content that looks like another request, and reports whether nothing came
// to it at all. Whether it was taken for a request is told by the number of responses:
// what comes otherwise decides nothing.
func (p *Server) hidden(ctx context.Context) (unheard bool) {
	hidden := "GET " + nowhere + " HTTP/1.1\r\nHost: " + p.Target.Host + "\r\n\r\n"
	c, err := p.open(ctx, nil)
	if err != nil {
		return false
	}
	defer c.Drop()
	post := Request{method: http.MethodPost, Fields: []string{"Content-Type: text/plain", "Content-Length: " + strconv.Itoa(len(hidden))}, body: hidden}
	if c.send(post) != nil {
		return false
	}
	a, err := c.receive(ctx, post)
	if err != nil {
		return prober.TimedOut(err)
	}
	found := conformance.Content{Status: a.Status, Close: a.close}
	if !a.close {
		// Not by exchange: a response too many, that has come already, is what is looked for.
		c.disturbed = true
		e := c.lull(ctx, lulled)
		p.endedUnsaid(c, e, "POST with content")
		found.More = e.Answers()
		switch {
		case e.How != "":
			found.Next = conformance.Ended
		case e.Stray > 0 || e.Err != nil:
			found.Next = conformance.Garbled
		default:
			if err = c.send(Request{}); err == nil {
				_, err = c.receive(ctx, Request{})
			}
			if found.Next = next(err); err == nil {
				found.More = c.lull(ctx, promptly).Answers()
			}
		}
	}
	p.Judge(found)
	return false
}

// tooLarge announces more content than servers take, and waits for leave to send it: what
// becomes of the connection whose server refuses?
func (p *Server) tooLarge(ctx context.Context) {
	const what = "POST of 16 MB, announced"
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.Drop()
	q := Request{method: http.MethodPost, Fields: []string{"Content-Type: text/plain", "Content-Length: " + strconv.Itoa(large), "Expect: 100-continue"}, beyond: true}
	if c.send(q) != nil {
		return
	}
	wait, cancel := context.WithTimeout(ctx, p.Answer)
	arrived := c.arrives(wait)
	cancel()
	if began, _ := c.In.Peek(len("HTTP/1.1 1")); !arrived || len(began) > 0 && began[len(began)-1] == '1' {
		return // it takes so much
	}
	a, err := c.receive(ctx, q)
	if err != nil {
		return
	}
	s := profile.Survival{What: what, State: profile.Measured, Status: a.Status, Said: linger.Brief(strings.Join(a.header.Values("Connection"), ", "))}
	if !a.close {
		e := c.lull(ctx, lulled)
		if e.How == "" {
			return // it may be waiting for the content
		}
		p.endedUnsaid(c, e, what)
	}
	p.Record(func(doc *profile.Profile) { doc.Survives = append(doc.Survives, s) })
}

// large is how much content is announced, in bytes: more than many servers take, and no
// more than a server can bear that makes room for it. Nothing of it is sent.
const large = 16 << 20

// slowly sends content in two parts.
func (p *Server) slowly(ctx context.Context) {
	s := profile.Survival{What: "POST, slowly", State: profile.Unknown}
	defer func() { p.Record(func(doc *profile.Profile) { doc.Survives = append(doc.Survives, s) }) }()
	c, err := p.open(ctx, nil)
	if err != nil {
		s.Why = err.Error()
		return
	}
	defer c.Drop()
	q := Request{method: http.MethodPost, Fields: []string{"Content-Type: text/plain", "Content-Length: 20"}, body: "0123456789"}
	if err := c.send(q); err != nil {
		s.Why = err.Error()
		return
	}
	wait, cancel := context.WithTimeout(ctx, time.Second)
	early := c.arrives(wait)
	cancel()
	if _, err = io.WriteString(c.Conn, "0123456789"); err != nil {
		s.Why = "the second half of the content could not be sent: " + prober.Cause(err)
		return
	}
	a, err := c.receive(ctx, q)
	if err != nil {
		s.Why = "no answer: " + prober.Cause(err)
		return
	}
	s.State, s.Status, s.Said = profile.Measured, a.Status, a.header.Get("Connection")
	if early {
		s.Why = "answered before the content was there"
	}
	if a.close {
		return
	}
	if e := c.lull(ctx, lulled); e.How != "" {
		p.endedUnsaid(c, e, s.What)
		return
	}
	_, err = p.Exchange(ctx, c, Request{})
	s.Kept = err == nil
}

// expecting asks for leave before it sends content; unheard is that nothing came to a POST
// that did not ask. The content is sent once there is leave, so that what the server says
// on the way is seen whole.
func (p *Server) expecting(ctx context.Context, unheard bool) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.Drop()
	const content = "hello"
	q := Request{method: http.MethodPost, Fields: []string{"Content-Type: text/plain", "Content-Length: " + strconv.Itoa(len(content)), "Expect: 100-continue"}}
	if c.send(q) != nil {
		return
	}
	wait, cancel := context.WithTimeout(ctx, p.Answer)
	defer cancel()
	arrived, heard := c.arrives(wait), false
	silent := wait.Err() != nil
	c.Socket.SetWriteDeadline(time.Now().Add(p.Answer)) // that of the head is over
	if !arrived && silent && ctx.Err() == nil {
		// Who has read the request answers now; who has not is busy with others.
		if _, err := io.WriteString(c.Conn, content); err == nil {
			_, err = c.receive(ctx, q)
			heard = err == nil
		}
	}
	if arrived || ctx.Err() == nil {
		p.Judge(conformance.Expecting{Came: arrived, Within: p.Answer, Unheard: unheard, Ended: !arrived && !silent, Heard: heard})
	}
	if !arrived {
		return
	}
	began, err := c.In.Peek(len("HTTP/1.1 1"))
	switch {
	case err != nil:
	case !strings.HasPrefix(string(began), "HTTP/1."):
		line, n := c.buffered(), c.In.Buffered()
		fault := conformance.Fault{ID: "interim-whole", What: "what came while the content was held back is no response: " + linger.Quoted(line, n)}
		p.note(func(f *facts) { f.Faults, f.Interim = append(f.Faults, fault), f.Interim+1 })
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
func (c *Conn) arrives(ctx context.Context) bool {
	stop := c.Until(ctx, time.Time{})
	defer stop()
	c.Bounded.N = prober.MaxBody
	_, err := c.In.Peek(1)
	return err == nil
}
