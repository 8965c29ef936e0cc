package packet

import (
	"linger"
	"linger/flow"
	"linger/trace"
)

// A quicApp is what the first packets of QUIC tell without keys.
type quicApp struct {
	opaque
	version  string // of an Initial packet; empty is none
	inferred inferring
}

func (a *quicApp) tell(t *trace.Connection) {
	t.Protocol, t.Known.Protocol, t.Known.Requests = linger.QUIC, trace.Inferred, trace.Inferred
	if a.version != "" {
		t.Known.Protocol, t.QUIC = trace.Seen, linger.Known(trace.QUIC{Version: a.version})
	}
	a.inferred.tell(t)
}

// quicDatagram takes in a datagram of QUIC.
func (r *Reader) quicDatagram(c *conn, f *flow.Flow, p *flow.Packet, data []byte, m mark) {
	a := c.app.(*quicApp)
	if p.Initial && a.version == "" {
		a.version = "1"
		if data[1] != 0 {
			a.version = "2"
		}
		if !c.told && f.Sent(p.From.Other()).Packets == 0 {
			c.is(p.From)
		}
	}
	a.inferred.begin(r, c)
	a.inferred.datagram(c.side(p.From), data, p.Payload, m)
}
