package packet

import (
	"linger"
	"linger/capture/quic"
	"linger/capture/talk"
	"linger/flow"
	"linger/trace"
)

// An overQUIC reads the streams of a connection of QUIC, which quic.Handler documents.
type overQUIC interface {
	Stream(id int64, from talk.Side, b []byte, fin bool, m mark)
	Gap(id int64, from talk.Side, n int64, m mark)
	Reset(id int64, from talk.Side, stop bool, code uint64, m mark)
	Window(id int64, sender talk.Side, blocked bool, m mark)
	// Closed names the code of an application where it is known, else it returns "".
	Closed(c quic.Close, m mark) (code string)
	// close says that the connection has ended. It comes once.
	close(why string)
	// tell puts what was learnt into the record of the connection, which has been closed.
	tell(t *trace.Connection)
}

// newOverQUIC returns what reads the streams of a connection on which alpn is spoken; nil if
// nothing does.
func newOverQUIC(r *Reader, c *conn, alpn string) overQUIC { return nil }

// A quicApp is what the first packets of QUIC tell without keys.
type quicApp struct {
	opaque
	version string // of an Initial packet; empty is none
}

func (a *quicApp) tell(t *trace.Connection) {
	t.Protocol, t.Known.Protocol, t.Known.Requests = linger.QUIC, trace.Inferred, trace.Inferred
	if a.version != "" {
		t.Known.Protocol, t.QUIC = trace.Seen, linger.Known(trace.QUIC{Version: a.version})
	}
}

// quicDatagram takes in a datagram of QUIC.
func (r *Reader) quicDatagram(c *conn, f *flow.Flow, p *flow.Packet, data []byte) {
	if a := c.app.(*quicApp); p.Initial && a.version == "" {
		a.version = "1"
		if data[1] != 0 {
			a.version = "2"
		}
		if !c.told && f.Sent(p.From.Other()).Packets == 0 {
			c.is(p.From)
		}
	}
}
