package http3

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/qlogwriter"

	"linger/dial"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/wire"
)

// A conn is one connection that speaks HTTP/3, on a socket of its own. A
// goroutine reads the server's control stream.
type conn struct {
	*quic.Conn
	prober      *prober.Prober
	transport   *quic.Transport
	socket      net.Conn
	seen        *quicSeen
	readers     sync.WaitGroup
	ready       time.Time // the handshake was over
	limits.Span           // of the last response
	small       bool      // what is asked for is prober.small

	mu       sync.Mutex
	settings map[string]uint64
	settled  chan struct{} // closed when SETTINGS has come
	first    uint64        // type of the first frame of the control stream
	began    bool          // which has come
	goaway   chan struct{} // closed when GOAWAY has
	gone     time.Time     // when that was
}

// open opens a connection and says no more on it than it must: SETTINGS. Our side
// announces an idle limit that is longer than any probe, so that the server's rules:
// RFC 9000, 10.1: "the effective value at an endpoint is computed as the minimum of the
// two advertised values".
func (p *Server) open(ctx context.Context, store *prober.TicketStore) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Answer)
	defer cancel()
	socket, err := new(net.Dialer).DialContext(ctx, "udp", p.address)
	if err != nil {
		return nil, err
	}
	c := &conn{prober: p.Prober, socket: socket, seen: new(quicSeen), settings: map[string]uint64{}, settled: make(chan struct{}), goaway: make(chan struct{})}
	c.transport = &quic.Transport{Conn: dial.QUICSocket(socket.(*net.UDPConn))}
	t := p.Target.TLS.Clone()
	t.MinVersion, t.NextProtos = tls.VersionTLS13, []string{http3.NextProtoH3}
	if store != nil {
		t.ClientSessionCache = store
	}
	dial := c.transport.Dial
	if store != nil {
		dial = c.transport.DialEarly
	}
	c.Conn, err = dial(ctx, socket.RemoteAddr(), t, &quic.Config{
		Versions:             []quic.Version{quic.Version1},
		HandshakeIdleTimeout: p.Answer,
		MaxIdleTimeout:       limits.Forever,
		// What discovers the path's MTU would count as use of the connection.
		DisablePathMTUDiscovery: true,
		MaxIncomingStreams:      -1,
		Tracer:                  func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace { return c.seen },
	})
	if err != nil {
		_ = c.transport.Close()
		socket.Close()
		return nil, err
	}
	p.Opened(1)
	if err = c.begin(); err == nil {
		select {
		case <-c.HandshakeComplete():
		case <-ctx.Done():
			err = prober.ErrSilent
		case <-c.Context().Done():
			err = context.Cause(c.Context())
		}
	}
	if err != nil {
		c.drop()
		return nil, err
	}
	c.ready = time.Now()
	return c, nil
}

// begin opens our control stream, and has the server's read.
func (c *conn) begin() error {
	control, err := c.OpenUniStream()
	if err != nil {
		return err
	}
	settings := wire.AppendFrameHeader(wire.AppendVarint(nil, wire.StreamControl), wire.FrameSettings, 0)
	if _, err := control.Write(settings); err != nil {
		return err
	}
	c.readers.Go(func() {
		for {
			s, err := c.AcceptUniStream(context.Background())
			if err != nil {
				return
			}
			c.readers.Go(func() { c.readUni(s) })
		}
	})
	return nil
}

// drop ends the connection.
func (c *conn) drop() {
	_ = c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	_ = c.transport.Close()
	c.socket.Close()
	c.readers.Wait()
	c.prober.Opened(-1)
}

// readUni reads a stream of the server's: the control stream to its end, of others as
// much as the window allows, and nothing of it matters: no table is kept.
func (c *conn) readUni(s *quic.ReceiveStream) {
	r := bufio.NewReader(s)
	kind, err := wire.ReadVarint(r)
	if err != nil {
		return
	}
	if kind != wire.StreamControl {
		_, _ = io.Copy(io.Discard, io.LimitReader(r, prober.MaxBody))
		return
	}
	for n := 0; n < 1000; n++ {
		kind, payload, err := readFrame(r, wire.MaxControlFrame)
		if err != nil {
			return
		}
		c.control(kind, payload)
	}
}

// control takes a frame of the server's control stream.
func (c *conn) control(kind uint64, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.began {
		c.began, c.first = true, kind
	}
	switch kind {
	case wire.FrameSettings:
		select {
		case <-c.settled:
		default:
			c.settings = settingsIn(payload)
			close(c.settled)
		}
	case wire.FrameGoAway:
		if c.gone.IsZero() {
			c.gone = time.Now()
			close(c.goaway)
		}
	}
}
