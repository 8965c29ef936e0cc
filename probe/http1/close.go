package http1

import (
	"context"
	"strconv"
	"strings"

	"linger"
	"linger/conformance"
	"linger/dial"
	"linger/probe/prober"
)

// askedToClose asks for the end of the connection.
func (p *Server) askedToClose(ctx context.Context) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.Drop()
	a, err := p.Exchange(ctx, c, Request{Fields: []string{"Connection: close"}})
	if err != nil {
		return
	}
	found := conformance.AskedToClose{Closing: p.afterLast(ctx, c, Request{}), Repeated: a.close && a.proto == linger.HTTP11.Title()}
	p.ended(found.How, "a connection whose client had asked for its end")
	p.note(func(f *facts) {
		f.Deaf = found.Open()
		f.Unrepeated = found.How != "" && !found.Repeated
	})
	p.Judge(found)
}

// unread is how much content is sent behind the end of a connection: more than what
// servers read in one go, in bytes.
const unread = 64 << 10

// behindClose sends a request behind one that ends the connection, with content that
// the server has no reason to read.
func (p *Server) behindClose(ctx context.Context) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.Drop()
	// Whose reset what follows provokes, and may destroy the response: see close-staged.
	last := Request{Fields: []string{"Connection: close"}, provoked: true}
	behind := Request{Fields: []string{"Content-Length: " + strconv.Itoa(unread)}, body: strings.Repeat("x", unread)}
	// What cannot be sent any more is none of the probe's.
	if err := c.send(last, behind); err != nil && !dial.IsReset(err) {
		return
	}
	_, err = c.receive(ctx, last)
	if dial.IsReset(err) {
		p.note(func(f *facts) { f.Staged, f.Destroyed = linger.Known(false), true })
	}
	if err != nil {
		return
	}
	behind.beyond = true
	_, err = c.receive(ctx, behind)
	if prober.Ends(err) {
		reset := dial.IsReset(err)
		if !reset && prober.Sleep(ctx, promptly+p.RoundTrip()) == nil {
			// A reset behind the FIN shows to whoever writes only; nothing is written.
			_, err := c.Socket.Write(nil)
			reset = dial.IsReset(err)
		}
		p.note(func(f *facts) { f.Staged = linger.Known(!reset) })
	}
	if err == nil || prober.Ends(err) {
		p.note(func(f *facts) { f.Behind = linger.Known(err == nil) })
	}
}

// oldHTTP speaks HTTP/1.0, without and with keep-alive.
func (p *Server) oldHTTP(ctx context.Context) {
	var found conformance.HTTP10
	defer func() { p.Judge(found) }()
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.Drop()
	a, err := p.Exchange(ctx, c, Request{version: "1.0"})
	if err != nil {
		return
	}
	plain := conformance.HTTP10Plain{Chunked: a.chunked, UntilClose: a.untilClose}
	if !plain.UntilClose {
		plain.Closing = p.afterLast(ctx, c, Request{version: "1.0"})
		if plain.Closing.Open() {
			p.note(func(f *facts) { f.Old = linger.Known(plain.Closing.Answered) })
		}
	}
	found.Plain = linger.Known(plain)
	c.Drop() // a server may have a worker for each connection

	if c, err = p.open(ctx, nil); err != nil {
		return
	}
	defer c.Drop()
	a, err = p.Exchange(ctx, c, Request{version: "1.0", Fields: []string{"Connection: keep-alive"}})
	if err != nil {
		return
	}
	kept := conformance.HTTP10Kept{Chunked: a.chunked, UntilClose: a.untilClose, Says: lists(strings.Join(a.header.Values("Connection"), ","), "keep-alive")}
	if !kept.UntilClose {
		_, err = p.Exchange(ctx, c, Request{version: "1.0"})
		kept.Next = next(err)
		p.note(func(f *facts) { f.OldClosed = kept.Next == conformance.Ended && kept.Says })
	}
	found.Kept = linger.Known(kept)
}
