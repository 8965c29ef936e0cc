package live

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"linger"
	"linger/dns"
	"linger/policy"
	"linger/trace"
)

// dnsUDP is DNS over UDP: a socket of its own for each query, so that its port is
// part of what a forger would have to guess (RFC 5452, 9.2). What does not fit is
// asked for over TCP.
type dnsUDP struct {
	run     *run
	address string
	hosts   []netip.AddrPort
	stream  protocol
}

func newDNSUDP(ctx context.Context, r *run, to Config) (protocol, error) {
	hosts, err := to.Route.Addresses(ctx, to.Address)
	if err != nil {
		return nil, err
	}
	stream, err := newDNSStream(ctx, r, to)
	return &dnsUDP{run: r, address: to.Address, hosts: hosts, stream: stream}, err
}

func (p *dnsUDP) visit(context.Context) error { return nil }

func (p *dnsUDP) release() {}

func (p *dnsUDP) speak(c *conn) {
	if c.stream {
		p.stream.speak(c)
		return
	}
	// A connected socket takes no datagram of anybody else, and the kernel tells it of
	// ICMP. Where a name has several addresses, the first is asked.
	var d net.Dialer
	socket, err := d.DialContext(c.ctx, "udp", p.hosts[0].String())
	at := p.run.now()
	if err != nil {
		c.fail(at, trace.AtClient, "cannot send to "+p.address+": "+brief(Cause(err)))
		return
	}
	defer socket.Close()
	if !c.attach(func() { socket.Close() }) {
		return
	}
	local, remote := socket.LocalAddr().String(), socket.RemoteAddr().String()
	c.tell(event{kind: connected, at: at, about: func(k *trace.Connection) { k.Client, k.Server = local, remote }})

	u := &dnsSocket{conn: c, socket: socket}
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(u.read)
	u.write()
}

// A dnsSocket is a UDP socket with one query on it. One goroutine writes, the other
// reads.
type dnsSocket struct {
	*conn
	socket net.Conn
	asked  atomic.Pointer[request]
}

// write sends what there is to be sent, until the socket is closed.
func (u *dnsSocket) write() {
	var batch []request
	for {
		select {
		case <-u.wake:
		case <-u.ctx.Done():
			return
		}
		batch = u.take(batch)
		for _, q := range batch {
			u.asked.Store(&q)
			u.tell(event{kind: sent, exchange: q.index, at: u.run.now(), again: q.again})
			u.tell(event{kind: uploaded, exchange: q.index, at: u.run.now(), body: int64(len(q.query.message))})
			// An error may be what ICMP said of an earlier datagram. The kernel tells it
			// once, to the writer or to the reader.
			if _, err := u.socket.Write(q.query.message); err != nil {
				u.tell(event{kind: closed, exchange: -1, at: u.run.now(), ending: socketEnding(err)})
				return
			}
		}
	}
}

// read takes datagrams until one is the answer.
func (u *dnsSocket) read() {
	room := messages.Get().(*[linger.MaxMessage]byte)
	defer messages.Put(room)
	buf := room[:]
	for {
		n, err := u.socket.Read(buf)
		at := u.run.now()
		q := u.asked.Load()
		switch {
		case err != nil:
			u.tell(event{kind: closed, exchange: -1, at: at, ending: socketEnding(err)})
			return
		case q == nil:
			continue // it came before anything was asked
		}
		m, err := q.query.read(buf[:n])
		e := event{kind: done, exchange: q.index, at: at, body: int64(n), persists: true}
		if _, other := errors.AsType[mismatch](err); other {
			// RFC 5452, 9.1: what does not match the query is not its answer, which may
			// still come.
			u.tell(event{kind: ignored, exchange: q.index, at: at, ending: ending{reason: err.Error()}})
			continue
		}
		switch {
		case err != nil:
			e.reason = err.Error()
		case m.Truncated && dns.Conclusive(m.Rcode):
			e.kind, e.rcode = truncated, dns.Rcode(m.Rcode)
		default:
			e.rcode, e.reason = q.query.verdict(m)
		}
		u.tell(e)
	}
}

// socketEnding puts an error of a UDP socket into words.
func socketEnding(err error) ending {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return ending{policy.Reset, trace.AtServer, "nothing listens on that UDP port (ICMP port unreachable)"}
	}
	return ending{policy.Reset, trace.Nobody, brief(Cause(err))}
}

// messages are what one message of DNS is read into.
var messages = sync.Pool{New: func() any { return new([linger.MaxMessage]byte) }}
