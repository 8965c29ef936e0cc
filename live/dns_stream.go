package live

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"linger"
	"linger/dns"
	"linger/policy"
	"linger/trace"
)

// lengthPrefix is the size of what stands before each message on a stream: its length
// (RFC 1035, 4.2.2).
const lengthPrefix = 2

// newDNSStream is DNS over TCP (RFC 7766), or over TLS (RFC 7858).
func newDNSStream(ctx context.Context, r *run, to Config) (protocol, error) {
	dial, err := to.dialer(ctx, r.scenario.Strategy.FastOpen)
	if err != nil {
		return nil, err
	}
	p := &tcp{run: r, address: to.Address, dial: dial, talk: speakDNS}
	if r.secure() {
		p.tls, p.polite = to.clientTLS(r.scenario.Strategy, "dot"), true
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
			out = binary.BigEndian.AppendUint16(out, uint16(len(q.query.message)))
			out = append(out, q.query.message...)
			d.due[q.query.id] = q
		}
		d.mu.Unlock()
		at := d.run.now()
		for _, q := range batch {
			d.tell(event{kind: sent, exchange: q.index, at: at, head: lengthPrefix})
			d.tell(event{kind: uploaded, exchange: q.index, at: at, body: int64(len(q.query.message))})
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
		var prefix [lengthPrefix]byte
		if _, err := io.ReadFull(in, prefix[:]); err != nil {
			return err
		}
		message := room[:binary.BigEndian.Uint16(prefix[:])]
		if _, err := io.ReadFull(in, message); err != nil {
			return unexpected(err)
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
		m, err := q.query.read(message)
		e := event{kind: done, exchange: q.index, at: src.at, head: lengthPrefix, body: int64(len(message)), persists: true}
		if err != nil {
			e.reason = err.Error()
		} else {
			e.rcode, e.reason = q.query.verdict(m)
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
