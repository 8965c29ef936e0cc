package packet

import (
	"linger"
	"linger/capture/http2"
	"linger/capture/talk"
	"linger/flow"
	"linger/trace"
)

// http2App is HTTP/2, in the clear or inside TLS.
type http2App struct {
	talk   http2.Conversation
	closed bool
}

// newHTTP2 returns what reads HTTP/2 on a connection, whose exchanges are known in that way:
// trace.Seen in the clear, trace.Decrypted inside TLS. Began says that the connection's first
// byte was captured.
func newHTTP2(r *Reader, c *conn, known trace.How, began bool) *http2App {
	a := &http2App{}
	a.talk.Shared, a.talk.Connection, a.talk.Known = &r.shared, c.id, known
	a.talk.Scheme, a.talk.Began = linger.SchemeHTTP+"://", began
	if known == trace.Decrypted {
		a.talk.Scheme = linger.SchemeHTTPS + "://"
	}
	a.talk.Authority = c.authority()
	a.talk.Far[talk.Client] = c.near
	if client, server := c.half[c.client].syn, c.half[c.client.Other()].syn; client > 0 && server > client {
		a.talk.Far[talk.Server] = server.Sub(client)
	}
	return a
}

// upgrade goes on in HTTP/2, which the exchange asked for that has been begun (RFC 7540, 3.2).
func (a *httpApp) upgrade(r *Reader, c *conn, x *trace.Exchange) app {
	a.close(r, c, talk.NotCaptured)
	to := newHTTP2(r, c, c.readBy(), true)
	to.talk.Adopt(x)
	to.talk.Requests = a.talk.Requests
	to.talk.Host, to.talk.Agent, to.talk.Software = a.talk.Host, a.talk.Agent, a.talk.Software
	c.app = to
	return to
}

func (a *http2App) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	return a.talk.Data(c.side(e), b, m)
}

func (a *http2App) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	a.talk.Gap(c.side(e), n, m)
}

func (a *http2App) end(r *Reader, c *conn, e flow.End, why string, left int64, last mark) {
	a.talk.End(c.side(e), why, left, last)
}

func (a *http2App) close(r *Reader, c *conn, why string) {
	if a.closed {
		return
	}
	a.closed = true
	a.talk.Close(why)
	r.sum.Resynced += a.talk.Resynced
	r.sum.Unread += a.talk.Unread
}

func (a *http2App) tell(t *trace.Connection) {
	said := &a.talk
	t.Protocol, t.Known.Protocol = said.Protocol(), said.Known
	t.Origin, t.Agent, t.Software, t.Requests = said.Host, said.Agent, said.Software, int(said.Requests)
	if said.Resynced > 0 {
		t.Known.Requests = trace.Inferred
	}
	t.GoAway, t.Streams = said.GoAway, said.Streams
	if g, ok := said.GoAway.Get(); ok && t.Announced.IsZero() {
		t.Announced, t.AnnouncedBy, t.AnnouncedWith = linger.Known(g.At), g.By, trace.GOAWAY
	}
	if said.Probes.Sent > 0 {
		p := t.Probes.Or(trace.Probes{})
		p.Sent += said.Probes.Sent
		p.Answered += said.Probes.Answered
		if at, ok := said.Probes.Alive.Get(); ok && at > p.Alive.Or(at-1) {
			p.Alive = said.Probes.Alive
		}
		t.Probes = linger.Known(p)
	}
	if !said.LastByte.IsZero() {
		t.LastByte = said.LastByte
	}
}
