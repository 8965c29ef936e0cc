package http1

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"linger"
	"linger/conformance"
	"linger/dial"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// ended counts how connections end.
func (p *Server) ended(how profile.Ending, occasion string) {
	p.note(func(f *facts) {
		switch how {
		case profile.RST, profile.CloseNotifyRST:
			f.Resets = append(f.Resets, occasion)
		case "":
		default:
			f.Orderly++
		}
	})
}

// lingering is for how long servers read on after their close, so that no RST destroys
// the response ("in stages", RFC 9112, 9.6): 5 s in nginx, 2 s in Apache.
const lingering = 7 * time.Second

// leave drops a connection that the server has ended. On the first of them it is seen
// before, after some time, whether the server has closed the other direction, too.
func (p *Server) leave(ctx context.Context, c *Conn, occasion string) {
	checked := p.Named // nothing but what was named is of interest
	p.note(func(*facts) {
		if checked = checked || p.checking || !p.Slots.Spare(); !checked {
			p.checking = true
		}
	})
	if checked {
		c.Drop()
		return
	}
	p.behind.Go(func() {
		defer p.Slots.Give(1)
		defer c.Drop()
		if prober.Sleep(ctx, lingering) != nil {
			return
		}
		refused := c.refuses(ctx)
		p.note(func(f *facts) {
			if f.Whole = refused; !refused && ctx.Err() == nil {
				f.Half = occasion
			}
		})
	})
}

// refuses reports whether the other side resets the connection for what is sent.
func (c *Conn) refuses(ctx context.Context) bool {
	for range 3 {
		c.Socket.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := io.WriteString(c.Socket, "GET "); dial.IsReset(err) {
			return true
		}
		if prober.Sleep(ctx, c.Prober.RoundTrip()+100*time.Millisecond) != nil {
			break
		}
	}
	return false
}

// promptly is how soon a server has closed that closes behind a response, besides the
// round trip. What ends later may have ended for being idle.
const promptly = 500 * time.Millisecond

// afterLast sees what becomes of a connection whose last response has come. An end that
// does not come at once is not waited for, because it would come to any idle connection
// some time: another request tells whether this one is still in use.
func (p *Server) afterLast(ctx context.Context, c *Conn, next Request) conformance.Closing {
	e := c.lull(ctx, promptly)
	answered, last := false, c.Last
	if e.How == "" && e.Err == nil && ctx.Err() == nil {
		next.beyond = true
		_, err := p.Exchange(ctx, c, next)
		e.At = time.Now()
		switch {
		case err == nil:
			answered = true
		case dial.IsReset(err):
			e.How = profile.RST
		case prober.Ends(err):
			e.How = profile.FIN
		case !errors.Is(err, os.ErrDeadlineExceeded):
			e.Err = err
		}
	}
	return conformance.Closing{How: e.How, After: e.At.Sub(last), Answered: answered, Lost: e.Err != nil || ctx.Err() != nil}
}

// closes holds a response that said close against what becomes of the connection.
func (p *Server) closes(ctx context.Context, c *Conn, a answer, occasion string) {
	closing := p.afterLast(ctx, c, Request{})
	p.ended(closing.How, occasion)
	p.note(func(f *facts) {
		if closing.How != "" {
			f.Kept++
		}
	})
	if closing.Open() {
		p.lied(a, closing, occasion)
	}
}

// lied notes a response that said close, and whose connection stays open.
func (p *Server) lied(a answer, closing conformance.Closing, occasion string) {
	p.note(func(f *facts) {
		if f.Lie.IsZero() {
			f.Lie = linger.Known(conformance.Lie{Occasion: occasion, Status: a.Status, Closing: closing})
		}
	})
}

// endedUnsaid notes an end of the connection that came behind a response, which had not
// said so.
func (p *Server) endedUnsaid(c *Conn, e limits.End, what string) {
	if e.How != "" && e.Stray == 0 {
		unsaid := conformance.UnsaidEnd{What: what, Status: c.status, After: e.At.Sub(c.Last)}
		p.note(func(f *facts) { f.Ends = append(f.Ends, unsaid) })
	}
}

// next is what became of a request, by the error of its response.
func next(err error) conformance.Next {
	switch {
	case err == nil:
		return conformance.Answered
	case prober.Ends(err):
		return conformance.Ended
	case errors.Is(err, os.ErrDeadlineExceeded):
		return conformance.Silent
	case err == prober.ErrSpent:
		return "" // nothing was sent
	}
	return conformance.Garbled
}
