package packet

import (
	"linger"
	"linger/capture/talk"
	"linger/capture/tls"
	"linger/flow"
	"linger/trace"
	"linger/wire"
)

const portDNSOverTLS = 853

// looksTLS tells whether b begins with a record of TLS.
func looksTLS(b []byte) verdict {
	switch {
	case len(b) == 0 || b[0] < wire.RecordChangeCipher || b[0] > wire.RecordData:
		return anything
	case len(b) >= 2 && b[1] != 3:
		return anything
	case len(b) >= 3 && b[2] > 4:
		return anything
	case len(b) < 6:
		return tooFew
	case !tls.Looks(b):
		return anything
	}
	return isTLS
}

// A tlsApp reads TLS: its hellos, its records by their headers, and with the keys what they hold.
// That goes to an app of its own.
type tlsApp struct {
	tls      tls.Conn
	r        *Reader
	c        *conn
	inside   *conn   // what was decrypted; it has no packets of its own
	missed   [2]bool // by talk.Side: something is missing before what was decrypted first
	told     bool    // the server's hello
	inferred inferring
}

func newTLS(r *Reader, c *conn) *tlsApp {
	a := &tlsApp{r: r, c: c}
	a.tls = tls.Conn{Shared: &r.tls, Keys: r.keys, To: a}
	a.inferred.begin(r, c)
	a.inferred.readable = a.tls.Opens
	return a
}

func (a *tlsApp) data(r *Reader, c *conn, e flow.End, b []byte, m mark) int64 {
	return a.tls.Data(c.side(e), b, m)
}

func (a *tlsApp) gap(r *Reader, c *conn, e flow.End, n int64, m mark) {
	side := c.side(e)
	a.inferred.turns.Gap(side)
	a.tls.Gap(side, n, m)
}

// Record takes in a record, whether it could be opened or not.
func (a *tlsApp) Record(rec tls.Record) {
	if !a.told && a.tls.Handshake().Version != 0 {
		a.told = true
		a.inferred.hello(a.tls.Hello().Or(trace.TLS{}))
	}
	a.inferred.record(rec)
}

// end returns which end of the connection a side is.
func (a *tlsApp) endOf(from talk.Side) flow.End {
	if from == talk.Client {
		return a.c.client
	}
	return a.c.client.Other()
}

// Plain hands on what was decrypted.
func (a *tlsApp) Plain(from talk.Side, b []byte, m mark) {
	if a.inside == nil {
		a.open(m)
	}
	e := a.endOf(from)
	in := a.inside
	h := &in.half[e]
	if h.ended {
		return
	}
	if int64(len(b)) < h.skip {
		h.skip -= int64(len(b))
		return
	}
	b, h.skip = b[h.skip:], 0
	h.skip = in.app.data(a.r, in, e, b, m)
}

// Gap says that something of what was said is missing, or could not be decrypted.
func (a *tlsApp) Gap(from talk.Side, n int64, m mark) {
	in := a.inside
	if in == nil {
		a.missed[from] = true
		return
	}
	e := a.endOf(from)
	h := &in.half[e]
	if h.ended {
		return
	}
	skipped := min(n, h.skip)
	if h.skip -= skipped; skipped > 0 && h.skip == 0 {
		h.skip = in.app.data(a.r, in, e, nil, m)
	}
	if n -= skipped; n > 0 {
		in.app.gap(a.r, in, e, n, m)
	}
}

// Closed says that a side says nothing more (RFC 8446, 6.1).
func (a *tlsApp) Closed(from talk.Side, m mark) {
	if a.inside != nil {
		a.finish(a.endOf(from), talk.Cut, m)
	}
}

// finish ends one side of what was decrypted.
func (a *tlsApp) finish(e flow.End, why string, last mark) {
	in := a.inside
	h := &in.half[e]
	if h.ended {
		return
	}
	h.ended = true
	in.last = last
	in.app.end(a.r, in, e, why, h.skip, last)
}

// open begins what was decrypted. It is the same connection: it has its number.
func (a *tlsApp) open(m mark) {
	c := a.c
	in := &conn{
		key: c.key, kind: c.kind, client: c.client, told: true, id: c.id, within: c.within, target: c.target, depth: c.depth,
		first: c.first, last: m, near: c.near, known: trace.Decrypted,
		started: !a.missed[talk.Client] && !a.missed[talk.Server],
	}
	for e := range in.half {
		in.half[e].started, in.half[e].syn = true, c.half[e].syn
	}
	a.inside = in
	h := a.tls.Handshake()
	port := c.key.Address(c.client.Other()).Port()
	switch p := linger.ProtocolByALPN(h.TLS.ALPN); {
	case p == linger.DNSOverTLS || h.TLS.ALPN == "" && port == portDNSOverTLS && c.target == "":
		in.app = newDNSOverTLS()
	case p == linger.H2:
		in.app = newHTTP2(a.r, in, trace.Decrypted, in.started)
	default:
		in.app = &sniffer{}
	}
	if in.depth >= deepest {
		in.app = opaque{protocolOther, trace.Decrypted}
	}
}

func (a *tlsApp) end(r *Reader, c *conn, e flow.End, why string, left int64, last mark) {
	if a.inside != nil {
		a.finish(e, why, last)
	}
}

func (a *tlsApp) close(r *Reader, c *conn, why string) {
	a.inferred.close(why)
	a.tls.Done()
	if a.inside != nil {
		a.inside.app.close(r, a.inside, why)
	}
}

func (a *tlsApp) tell(t *trace.Connection) {
	hello := a.tls.Hello()
	if at, ok := t.Closed.Get(); ok && t.ClosedWith == trace.FIN && !hello.IsZero() {
		said := hello.Or(trace.TLS{})
		said.Notified = a.tls.NotifiedBy(at)
		hello = linger.Known(said)
	}
	name := hello.Or(trace.TLS{}).ServerName
	t.TLS, t.Origin, t.Secured = hello, name, a.tls.Secured()
	if hello.IsZero() {
		t.TLS = a.r.keyless()
	}
	t.Protocol, t.Known.Protocol, t.Known.Requests = linger.TLS, trace.Seen, trace.Inferred
	if p := linger.ProtocolByALPN(hello.Or(trace.TLS{}).ALPN); p.IsHTTP() && p.Transport() == linger.TransportTCP {
		t.Protocol = p
	}
	if last, ok := a.tls.LastByte().Get(); ok {
		t.LastByte = linger.Known(last)
	}
	if in := a.inside; in != nil {
		t.Known.Requests = ""
		in.app.tell(t)
		if t.Known.Protocol == trace.Seen && t.Protocol != linger.TLS {
			t.Known.Protocol = trace.Decrypted
		}
		if hello.Or(trace.TLS{}).Keys != trace.AllKeys {
			t.Known.Requests = trace.Inferred
		}
		if name != "" {
			t.Origin = name
		}
	}
	a.inferred.tell(t)
}

// keyed reports whether there are keys, of whatever connection.
func (r *Reader) keyed() bool { return r.keys != nil && r.keys.Version() > 0 }

// keyless is what there is to say of TLS where no hello was captured: keys are found by it.
func (r *Reader) keyless() (o linger.Opt[trace.TLS]) {
	if r.keyed() {
		o = linger.Known(trace.TLS{Keys: trace.NoKeys})
	}
	return o
}

// connected is when the first request might be sent: after the handshake, and with early data that
// the server took before it.
func (a *tlsApp) connected(t *trace.Connection) linger.Opt[linger.Instant] {
	if t.BeganBefore {
		return linger.Opt[linger.Instant]{}
	}
	if t.TLS.Or(trace.TLS{}).EarlyData.Or(false) {
		return t.Established
	}
	return t.Secured
}
