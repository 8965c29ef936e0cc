package packet

import (
	"linger"
	"linger/capture/http3"
	"linger/capture/talk"
	"linger/trace"
)

// An overQUIC reads what the streams of a connection of QUIC carry, decrypted.
type overQUIC interface {
	// stream, gap, reset and window are as in quic.Handler.
	stream(r *Reader, c *conn, id int64, from talk.Side, b []byte, fin bool, m mark)
	gap(r *Reader, c *conn, id int64, from talk.Side, n int64, m mark)
	reset(r *Reader, c *conn, id int64, from talk.Side, stop bool, code uint64, m mark)
	window(r *Reader, c *conn, id int64, sender talk.Side, blocked bool, m mark)
	// close says that the connection has ended, and why. It may be called again.
	close(r *Reader, c *conn, why string)
	// tell puts what was learnt into the record of the connection.
	tell(t *trace.Connection)
	// codeName is the name of a code of the application (CONNECTION_CLOSE; RFC 9000, 19.19).
	codeName(code uint64) string
}

// newOverQUIC returns what reads the streams of a connection that speaks what ALPN chose, or
// nil where that is nothing that is read.
func newOverQUIC(r *Reader, c *conn, alpn string) overQUIC {
	switch linger.ProtocolByALPN(alpn) {
	case linger.H3:
		a := &h3App{}
		a.talk = http3.Conversation{Shared: &r.shared, Connection: c.id, Authority: c.authority()}
		return a
	}
	return nil
}

// h3App is HTTP/3.
type h3App struct{ talk http3.Conversation }

func (a *h3App) stream(_ *Reader, _ *conn, id int64, from talk.Side, b []byte, fin bool, m mark) {
	a.talk.Stream(id, from, b, fin, m)
}

func (a *h3App) gap(_ *Reader, _ *conn, id int64, from talk.Side, n int64, m mark) {
	a.talk.Gap(id, from, n, m)
}

func (a *h3App) reset(_ *Reader, _ *conn, id int64, from talk.Side, _ bool, code uint64, m mark) {
	a.talk.Reset(id, from, code, m)
}

func (a *h3App) window(*Reader, *conn, int64, talk.Side, bool, mark) {}

func (a *h3App) close(_ *Reader, _ *conn, why string) { a.talk.Close(why) }

func (a *h3App) codeName(code uint64) string { return http3.CodeName(code) }

func (a *h3App) tell(t *trace.Connection) {
	said := &a.talk
	t.Protocol, t.Known.Protocol, t.Requests = linger.H3, trace.Decrypted, int(said.Requests)
	if said.Host != "" {
		t.Origin = said.Host
	}
	t.Agent, t.Software, t.GoAway = said.Agent, said.Software, said.GoAway
	if g, ok := said.GoAway.Get(); ok && t.Announced.IsZero() {
		t.Announced, t.AnnouncedBy, t.AnnouncedWith = linger.Known(g.At), g.By, trace.GOAWAY
	}
}
