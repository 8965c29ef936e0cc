package live

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"linger"
	"linger/ask"
	"linger/dial"
	"linger/dns"
	"linger/policy"
	"linger/trace"
	"linger/wire"
)

// newDNSStream is DNS over TCP (RFC 7766), or over TLS (RFC 7858).
func newDNSStream(ctx context.Context, r *run, to Config) (protocol, error) {
	open, err := to.dialer(ctx, r.scenario.Strategy.FastOpen)
	if err != nil {
		return nil, err
	}
	p := &tcp{run: r, address: to.Address, dial: open, talk: speakDNS}
	if r.secure() {
		p.tls, p.polite = to.clientTLS(r.scenario.Strategy, r.speaks.ALPN()), true
	}
	return p, nil
}

// dnsStream is DNS on one connection. One goroutine writes, the other reads.
type dnsStream struct {
	*conn
	socket net.Conn

	mu  sync.Mutex
	due map[uint16]request // written and not answered yet, by ID
}

// speakDNS writes queries and reads answers until the connection is closed.
func speakDNS(c *conn, socket net.Conn) {
	d := &dnsStream{conn: c, socket: socket, due: make(map[uint16]request)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		d.read()
	}()
	defer func() { <-read }()
	var batch []request
	var out []byte
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			select {
			case <-read: // RFC 8446, 6.1, has nothing more to say to a server that has closed
			default:
				leave(socket)
			}
			return
		}
		batch, out = c.take(batch), out[:0]
		d.mu.Lock()
		for _, q := range batch {
			// RFC 7766, 8: the length and the message behind it in one write.
			out = wire.AppendMessage(out, q.Query.Message)
			d.due[q.Query.ID] = q
		}
		d.mu.Unlock()
		at := d.run.now()
		for _, q := range batch {
			d.tell(event{kind: sent, exchange: q.Index, at: at, head: wire.MessagePrefix})
			d.tell(event{kind: uploaded, exchange: q.Index, at: at, body: int64(len(q.Query.Message))})
		}
		if _, err := socket.Write(out); err != nil {
			// The reader meets the same end, after what the server has said before it.
			<-c.ctx.Done()
			return
		}
	}
}

// read reads answers until the connection ends, in whatever way.
func (d *dnsStream) read() {
	src := &source{r: d.socket, now: d.run.now, limit: 1<<63 - 1}
	in := bufio.NewReaderSize(src, readSize)
	err := d.receive(in, src)
	if bad, ok := errors.AsType[broken](err); ok {
		d.tell(event{kind: closed, exchange: -1, at: src.at, ending: ending{policy.Malformed, trace.AtClient, bad.Error()}})
		// A close of ours must not meet what was not read, which would make it an RST.
		_, _ = io.Copy(io.Discard, in)
		return
	}
	where := "the idle connection"
	switch n := d.waiting(); {
	case err == io.ErrUnexpectedEOF:
		where = "in the midst of an answer"
	case n > 0:
		where = "with an answer due"
		if n > 1 {
			where = fmt.Sprintf("with %d answers due", n)
		}
	}
	d.tell(event{kind: closed, exchange: -1, at: src.at, ending: src.ending(where)})
}

// A broken is what the server has done to the whole connection.
type broken struct{ error }

func (d *dnsStream) receive(in *bufio.Reader, src *source) error {
	room := messages.Get().(*[linger.MaxMessage]byte)
	defer messages.Put(room)
	for {
		message, err := wire.ReadMessage(in, room[:])
		if err != nil {
			return err
		}
		if len(message) < dns.HeaderSize {
			// Where the length is wrong, nobody knows where the next message begins.
			return broken{fmt.Errorf("server sent a message of %d bytes, which is none of DNS", len(message))}
		}
		id := binary.BigEndian.Uint16(message)
		d.mu.Lock()
		q, ok := d.due[id]
		delete(d.due, id)
		d.mu.Unlock()
		if !ok {
			return broken{fmt.Errorf("server sent an answer with the ID %d, which no query has", id)}
		}
		// RFC 7766, 7: answers come in any order, and are told apart by ID and question.
		m, err := q.Query.Read(message)
		e := event{kind: done, exchange: q.Index, at: src.at, head: wire.MessagePrefix, body: int64(len(message)), persists: true}
		if err != nil {
			e.reason = err.Error()
		} else {
			e.rcode, e.reason = q.Query.Verdict(m)
			if limit, ok := m.Keepalive.Get(); ok {
				d.tell(event{kind: limited, exchange: -1, at: src.at, limit: limit,
					about: func(k *trace.Connection) { k.IdleLimit = linger.Known(limit) }})
			}
		}
		d.tell(e)
	}
}

func (d *dnsStream) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.due)
}

// dnsUDP is DNS over UDP: a socket of its own for each query, so that its port is
// part of what a forger would have to guess (RFC 5452, 9.2). What does not fit is
// asked for over TCP.
type dnsUDP struct {
	run     *run
	address string
	local   netip.Addr
	hosts   []netip.AddrPort
	stream  protocol
}

func newDNSUDP(ctx context.Context, r *run, to Config) (protocol, error) {
	hosts, err := to.Route.Addresses(ctx, to.Address)
	if err != nil {
		return nil, err
	}
	stream, err := newDNSStream(ctx, r, to)
	return &dnsUDP{run: r, address: to.Address, local: to.Local, hosts: hosts, stream: stream}, err
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
	d := dial.UDP(p.local)
	socket, err := d.DialContext(c.ctx, "udp", p.hosts[0].String())
	at := p.run.now()
	if err != nil {
		c.fail(at, trace.AtClient, "cannot send to "+p.address+": "+brief(dial.Cause(err)))
		return
	}
	defer socket.Close()
	if !c.attach(func(time.Duration) { socket.Close() }) {
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
		var ok bool
		if batch, ok = u.await(batch); !ok {
			return
		}
		for _, q := range batch {
			if q.again {
				q.Query = u.asked.Load().Query
			}
			u.asked.Store(&q)
			u.tell(event{kind: sent, exchange: q.Index, at: u.run.now(), again: q.again})
			u.tell(event{kind: uploaded, exchange: q.Index, at: u.run.now(), body: int64(len(q.Query.Message))})
			// An error may be what ICMP said of an earlier datagram. The kernel tells it
			// once, to the writer or to the reader.
			if _, err := u.socket.Write(q.Query.Message); err != nil {
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
		m, err := q.Query.Read(buf[:n])
		e := event{kind: done, exchange: q.Index, at: at, body: int64(n), persists: true}
		if _, other := errors.AsType[ask.Mismatch](err); other {
			// RFC 5452, 9.1: what does not match the query is not its answer, which may
			// still come.
			u.tell(event{kind: ignored, exchange: q.Index, at: at, ending: ending{reason: err.Error()}})
			continue
		}
		switch {
		case err != nil:
			e.reason = err.Error()
		case m.Truncated && dns.Conclusive(m.Rcode):
			e.kind, e.rcode = truncated, dns.Rcode(m.Rcode)
		default:
			e.rcode, e.reason = q.Query.Verdict(m)
		}
		u.tell(e)
	}
}

// socketEnding puts an error of a UDP socket into words.
func socketEnding(err error) ending {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return ending{policy.Reset, trace.AtServer, "nothing listens on that UDP port (ICMP port unreachable)"}
	}
	return ending{policy.Reset, trace.Nobody, brief(dial.Cause(err))}
}

// messages are what one message of DNS is read into.
var messages = sync.Pool{New: func() any { return new([linger.MaxMessage]byte) }}

// doq is DNS over QUIC (RFC 9250).
type doq struct{ *overQUIC }

func newDoQ(ctx context.Context, r *run, to Config) (protocol, error) {
	base, err := newOverQUIC(ctx, r, to)
	return doq{base}, err
}

func (p doq) speak(c *conn) {
	s := &doqSession{quicSession: newQUICSession(c)}
	p.carry(&s.quicSession, s)
}

// A doqSession is DNS over QUIC on one connection, each query on a stream of its own
// (RFC 9250, 4.2).
type doqSession struct{ quicSession }

func (s *doqSession) renew() {}

// send opens a stream and writes the query on it, the length in front. The end of the
// stream says that no further data will be sent (RFC 9250, 4.2).
func (s *doqSession) send(q request) {
	stream, err := s.quic.OpenStreamSync(s.quic.Context())
	if errors.Is(err, quic.Err0RTTRejected) && s.isReady() {
		stream, err = s.quic.OpenStreamSync(s.quic.Context())
	}
	if err != nil {
		return // the connection has ended, and says so
	}
	message := q.Query.Message
	out := wire.AppendMessage(make([]byte, 0, wire.MessagePrefix+len(message)), message)
	at := s.run.now()
	s.tell(event{kind: sent, exchange: q.Index, at: at, head: wire.MessagePrefix})
	s.tell(event{kind: uploaded, exchange: q.Index, at: at, body: int64(len(message))})
	_, err = stream.Write(out)
	_ = stream.Close()
	s.exchanges.Go(func() { s.receive(stream, q, err) })
}

// isReady waits until it is known whether the server took the early data. It returns
// false where the connection has ended before.
func (s *doqSession) isReady() bool {
	select {
	case <-s.settled:
		return true
	case <-s.quic.Context().Done():
		return false
	}
}

// receive reads the answer to a query that was written with that error.
func (s *doqSession) receive(stream *quic.Stream, q request, err error) {
	room := messages.Get().(*[linger.MaxMessage]byte)
	defer messages.Put(room)
	in := &stamped{Reader: stream, now: s.run.now}
	var message []byte
	if err == nil {
		message, err = wire.ReadMessage(in, room[:])
	}
	if errors.Is(err, quic.Err0RTTRejected) {
		// It was not processed (RFC 9001, 4.6.2), and is no longer the connection's.
		if s.isReady() {
			s.tell(event{kind: rejected, exchange: q.Index, at: s.run.now(), ending: ending{reason: "server did not take early data"}})
		}
		return
	}
	defer func() {
		s.mu.Lock()
		s.finished++
		s.mu.Unlock()
	}()
	e := event{kind: done, exchange: q.Index, at: in.at, head: wire.MessagePrefix, body: int64(len(message)), persists: true}
	if err != nil {
		s.failed(e, err)
		return
	}
	// An answer may overtake the end of the handshake, without which the connection
	// would stand in the trace as none.
	s.isReady()
	m, err := q.Query.Read(message)
	switch {
	case len(message) >= dns.HeaderSize && m.ID != 0:
		s.broken(fmt.Sprintf("an answer with the ID %d, not 0", m.ID))
		return
	case m.HasKeepalive:
		s.broken("an answer with edns-tcp-keepalive")
		return
	case err != nil:
		e.reason = err.Error()
	default:
		e.rcode, e.reason = q.Query.Verdict(m)
	}
	s.tell(e)
	// The stream is over, and forgotten, once its end has been read.
	if n, _ := io.Copy(io.Discard, stream); n > 0 {
		s.broken("more than one answer to a query")
	}
}

// failed tells that a query had no answer.
func (s *doqSession) failed(e event, err error) {
	failure, ok := errors.AsType[*quic.StreamError](err)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		s.broken("a stream that ended before its answer")
		return
	case !ok: // the connection's end, which is told once for all that are on it
		<-s.quic.Context().Done()
		return
	}
	e.reason = "server ended the stream with " + wire.DoQErrorName(uint64(failure.ErrorCode))
	e.kind, e.body, e.at = reset, 0, s.run.now()
	s.tell(e)
}

// broken gives the connection up for what the server did. RFC 9250, 4.3.3, counts an
// ID other than 0, a stream that ends too early, another number of answers than
// expected and edns-tcp-keepalive among the errors that are fatal to all of it.
func (s *doqSession) broken(what string) {
	_ = s.quic.CloseWithError(wire.DoQProtocolError, what)
}

// ending puts the end of the connection into words.
func (s *doqSession) ending(err error) ending {
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return closedWith(e, wire.DoQNoError, wire.DoQErrorName(uint64(e.ErrorCode)), linger.DNSOverQUIC)
	}
	return quicEnding(err, linger.DNSOverQUIC)
}
