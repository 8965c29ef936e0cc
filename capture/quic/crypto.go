package quic

import (
	"cmp"
	"slices"
	"time"

	"linger"
	"linger/capture/talk"
	"linger/capture/tls"
)

// maxCrypto bounds the bytes of one side at one level that wait for earlier ones: of a hello in
// several packets, or a chain of certificates.
const maxCrypto = 64 << 10

// crypto takes in a CRYPTO frame.
func (c *Conn) crypto(p *content, at int64, data []byte) {
	a := &c.side[p.from].crypto[p.level]
	if a.size > maxCrypto {
		return
	}
	p.carried += len(data)
	now, fresh := a.add(at, data, p.number, p.m)
	p.fresh += fresh
	if p.level == levelInitial && p.from == talk.Client && c.retried && !c.answered {
		p.fresh = max(p.fresh, 1) // again, but not for want of an answer
	}
	c.messages(p, now, p.m)
	for {
		next, ok := a.pop()
		if !ok {
			break
		}
		c.messages(p, next.data, p.m)
	}
}

// messages takes in the next bytes of the handshake.
func (c *Conn) messages(p *content, b []byte, m talk.Mark) {
	if len(b) == 0 {
		return
	}
	s := &c.side[p.from]
	s.message[p.level].Add(b, func(kind byte, body []byte) bool {
		c.message(p, kind, body, m)
		return true
	})
}

// message takes in a message of the handshake, or one after it.
func (c *Conn) message(p *content, kind byte, body []byte, m talk.Mark) {
	if p.level == levelApp && kind != tls.NewSessionTicket {
		return
	}
	c.hand.Message(p.from, kind, body)
	switch {
	case kind == tls.ClientHello && p.from == talk.Client:
		c.asked = 0 // keys may have been looked for before it was whole
		c.parameters(talk.Client)
	case kind == tls.ServerHello && p.from == talk.Server:
		c.suite = suiteOf(c.hand.Suite)
		if c.hand.Suite != 0 && !c.hand.TLS.Resumed || c.hand.TLS.Retried {
			// Without the session there is no key for it (RFC 8446, 4.2.10).
			c.refuse()
		}
	case kind == tls.EncryptedExtensions && p.from == talk.Server:
		c.parameters(talk.Server)
		if took, ok := c.hand.TLS.EarlyData.Get(); ok && took {
			c.verdict = taken
		} else {
			c.refuse()
		}
	case kind == tls.Finished && p.from == talk.Client:
		c.secured(m)
	case kind == tls.Finished:
		c.side[talk.Server].tickets = c.Opens() || c.secretOf(talk.Server, levelApp) != nil
	}
}

// refuse takes in that the server has not taken early data, where there may be some.
func (c *Conn) refuse() {
	if c.fate == undecided {
		c.verdict = refused
	}
}

// Transport parameters (RFC 9000, 18.2).
const (
	paramIdle       = 0x01
	paramToken      = 0x02
	paramStreamsUni = 0x08 // initial_max_streams_bidi
	paramPreferred  = 0x0d
)

// parameters takes in what a side says of the transport.
func (c *Conn) parameters(from talk.Side) {
	r := &reader{b: c.hand.QUIC[from]}
	for len(r.b) > 0 && !r.broken {
		id, value := r.int(), reader{b: r.take(r.int())}
		if r.broken {
			return
		}
		switch id {
		case paramIdle:
			c.idle[from] = time.Duration(min(value.int(), int64(maxIdle/time.Millisecond))) * time.Millisecond
		case paramToken:
			if b := value.take(16); b != nil && from == talk.Server {
				c.token(b)
			}
		case paramStreamsUni:
			if n := value.int(); from == talk.Server && !value.broken {
				c.allow(n)
			}
		case paramPreferred:
			value.take(4 + 2 + 16 + 2) // addresses and ports
			if n := value.take(1); n != nil && from == talk.Server {
				id, token := value.take(int64(n[0])), value.take(16)
				if token != nil && len(id) > 0 && len(id) <= maxID {
					c.chosen(from, id)
					c.token(token)
				}
			}
		}
	}
	client, server := c.idle[talk.Client], c.idle[talk.Server]
	c.facts.Idle, c.facts.ServerIdle = linger.Opt[time.Duration]{}, linger.Opt[time.Duration]{}
	// "Each endpoint advertises a max_idle_timeout, but the effective value at an endpoint is
	// computed as the minimum of the two advertised values (or the sole advertised value, if only
	// one endpoint advertises a non-zero value)" (RFC 9000, 10.1).
	switch {
	case !c.hand.Answered:
		return
	case server > 0 && (client == 0 || server < client):
		c.facts.Idle, c.facts.ServerIdle = linger.Known(server), linger.Known(server)
	case client > 0:
		c.facts.Idle = linger.Known(client)
	}
}

// maxIdle is as long as an idle limit is believed to be.
const maxIdle = 365 * 24 * time.Hour

// alert takes in that the handshake failed by an alert of TLS (RFC 9001, 4.8).
func (c *Conn) alert(how Close) {
	c.hand.TLS.Alert, c.hand.TLS.AlertBy = tls.AlertName(byte(how.Code)), how.By.Peer()
}

func sortStreams(list []*stream) {
	slices.SortFunc(list, func(a, b *stream) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.from, b.from))
	})
}
