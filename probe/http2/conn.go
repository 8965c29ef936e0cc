package http2

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
	"linger/wire"
)

// A conn is one connection that speaks HTTP/2. It belongs to one goroutine.
type conn struct {
	*prober.Connection
	framer  *http2.Framer
	out     bytes.Buffer
	block   bytes.Buffer
	encoder *hpack.Encoder

	next         uint32 // stream
	greeted      bool   // the preface is sent: before it, nothing may be
	first        http2.FrameType
	begun        bool // a frame has come
	settings     map[string]uint64
	settled      bool // SETTINGS has come
	acknowledged bool // ours is
	pinged       uint64
	ponged       uint64
	streams      map[uint32]*answer
	goaways      []goaway
	altSvc       string
	sent         time.Time  // the last byte of ours
	received     time.Time  // the last byte of the server's
	over         limits.End // how it ended, once it has
	small        bool       // what is asked for is prober.small
}

// A goaway is one GOAWAY.
type goaway struct {
	last  uint32
	code  http2.ErrCode
	debug string
	at    time.Time
}

// closing is what it says of its reason.
func (g goaway) closing() *profile.Closing {
	return &profile.Closing{Frame: "GOAWAY", Code: g.code.String(), Error: g.code != http2.ErrCodeNo, Text: g.debug}
}

// closing is what the GOAWAY says that matters most: the first that names an error, or
// else the first.
func (c *conn) closing() *profile.Closing {
	if len(c.goaways) == 0 {
		return nil
	}
	i := max(slices.IndexFunc(c.goaways, func(g goaway) bool { return g.code != http2.ErrCodeNo }), 0)
	return c.goaways[i].closing()
}

// isAbrupt reports whether the connection was closed within a round trip behind a GOAWAY
// that named no stream: who had a request under way cannot know what became of it.
func (c *conn) isAbrupt() bool {
	if len(c.goaways) == 0 || c.over.How == "" {
		return false
	}
	g := c.goaways[len(c.goaways)-1]
	return g.last == noLast && c.over.At.Sub(g.at) < c.Prober.RoundTrip()+behind
}

// absent is why a server does not count as one of HTTP/2.
type absent string

func (e absent) Error() string { return string(e) }

// open opens a connection on which HTTP/2 is agreed upon: over TLS by ALPN, in
// cleartext by nothing but knowing it (RFC 9113, 3.3). Nothing has been sent.
func (p *Server) open(ctx context.Context) (*conn, error) {
	c, err := p.Open(ctx, func(t *tls.Config) { t.NextProtos = []string{linger.H2.ALPN()} })
	switch {
	case err != nil && strings.Contains(err.Error(), "no application protocol"):
		return nil, absent("it refused a handshake that offered h2 (ALPN)")
	case prober.ChoseUnoffered(err):
		return nil, absent("it chose another protocol where h2 was all it was offered (ALPN)")
	case err != nil:
		return nil, err
	case c.State != nil && c.State.NegotiatedProtocol != linger.H2.ALPN():
		c.Drop()
		return nil, absent("it did not choose h2 where that was all it was offered (ALPN)")
	}
	return on(c), nil
}

// on has HTTP/2 spoken on a connection that has said nothing yet.
func on(c *prober.Connection) *conn {
	h := &conn{Connection: c, next: 1, settings: map[string]uint64{}, streams: map[uint32]*answer{}, sent: c.Ready, received: c.Ready}
	h.framer = http2.NewFramer(&h.out, c.In)
	h.framer.SetReuseFrames()
	h.framer.SetMaxReadFrameSize(wire.FrameSize)
	h.framer.ReadMetaHeaders = hpack.NewDecoder(wire.TableSize, nil)
	h.framer.MaxHeaderListSize = prober.MaxHead
	h.encoder = hpack.NewEncoder(&h.block)
	return h
}

// greet sends the preface, and waits for that of the server. Its windows are wide
// enough that nothing but requests need be sent afterwards: what else is sent may
// count as use of the connection.
func (c *conn) greet(ctx context.Context) error {
	c.out.WriteString(http2.ClientPreface)
	// Writing to memory does not fail.
	_ = c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: prober.MaxBody},
	)
	_ = c.framer.WriteWindowUpdate(0, 1<<30)
	c.greeted = true
	if err := c.flush(); err != nil {
		return err
	}
	return c.read(ctx, c.Prober.Answer, func() bool { return c.settled })
}

// flush writes what there is to be sent.
func (c *conn) flush() error {
	if c.out.Len() == 0 {
		return nil
	}
	c.Socket.SetWriteDeadline(time.Now().Add(c.Prober.Answer))
	_, err := c.Write(c.out.Bytes())
	c.out.Reset()
	c.sent = time.Now()
	return err
}

// read reads frames until enough reports true. The error is ErrSilent where that was
// not so within patience, or what ctx says; otherwise the connection is over.
func (c *conn) read(ctx context.Context, patience time.Duration, enough func() bool) error {
	until := time.Now().Add(patience)
	// What has been reached by what had come already is not to wait for more.
	for !enough() {
		if err := c.frame(ctx, until); err != nil {
			return err
		}
	}
	return nil
}

// frame waits for a frame and does what it asks for.
func (c *conn) frame(ctx context.Context, until time.Time) error {
	if c.over.How != "" || c.over.Err != nil {
		return c.lost()
	}
	c.Bounded.N = prober.MaxBody
	stop := c.Until(ctx, until)
	_, err := c.In.Peek(1)
	stop()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return prober.ErrSilent
	case err != nil:
		c.ended(err)
		return c.lost()
	}
	// What has begun must come.
	c.Socket.SetReadDeadline(time.Now().Add(c.Prober.Answer))
	f, err := c.framer.ReadFrame()
	c.received = time.Now()
	if err == nil && !c.begun {
		c.begun, c.first = true, f.Header().Type
	}
	if err == nil {
		err = c.handle(f)
	}
	stream, ok := errors.AsType[http2.StreamError](err)
	switch {
	case ok:
		// Of a response that makes no sense the rest of the connection may be sound.
		a := c.stream(stream.StreamID)
		a.refused, a.at = linger.Known(stream.Code), c.received
	case isFramed(err):
		c.over = limits.End{At: c.received, Err: fmt.Errorf("what it sends is no HTTP/2: %s", linger.Brief(err.Error()))}
		return c.lost()
	case err != nil:
		c.ended(err)
		return c.lost()
	}
	return c.flush()
}

// isFramed reports whether an error is about a frame, and not about the connection
// below.
func isFramed(err error) bool {
	_, connection := errors.AsType[http2.ConnectionError](err)
	return connection || errors.Is(err, http2.ErrFrameTooLarge)
}

// lost is the error of a connection that is over.
func (c *conn) lost() error {
	if c.over.Err != nil {
		return c.over.Err
	}
	return fmt.Errorf("the server ended the connection (%s)", c.over.How)
}

// ended notes that the connection has been ended, as reading it said.
func (c *conn) ended(err error) {
	c.over = limits.End{At: time.Now()}
	how, err := c.HowEnded(err)
	c.over.How, c.over.Err = how, err
	if len(c.goaways) == 0 || how == "" {
		return
	}
	c.over.How = profile.GOAWAY
	if how == profile.RST || how == profile.CloseNotifyRST {
		c.over.How = profile.GOAWAYRST
	}
}

// maxGOAWAYs bounds how many GOAWAY are remembered.
const maxGOAWAYs = 16

// handle takes a frame.
func (c *conn) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		c.setting(f)
	case *http2.PingFrame:
		if !f.IsAck() && c.greeted {
			_ = c.framer.WritePing(true, f.Data)
		} else if n := number(f.Data); n <= c.pinged {
			c.ponged = max(c.ponged, n)
		}
	case *http2.GoAwayFrame:
		return c.goAway(f)
	case *http2.MetaHeadersFrame:
		return c.head(f)
	case *http2.DataFrame:
		if a := c.streams[f.StreamID]; a != nil {
			a.length += int64(f.Length)
			c.finish(a, f.StreamEnded())
		}
	case *http2.RSTStreamFrame:
		if a := c.streams[f.StreamID]; a != nil && !a.ended {
			a.refused, a.at = linger.Known(f.ErrCode), c.received
		}
	case *http2.UnknownFrame:
		if value, ok := altSvcIn(f); ok {
			c.altSvc = value
		}
	}
	return nil
}

// setting takes SETTINGS, or the acknowledgement of ours.
func (c *conn) setting(f *http2.SettingsFrame) {
	if f.IsAck() {
		c.acknowledged = true
		return
	}
	c.settled = true
	_ = f.ForeachSetting(func(s http2.Setting) error {
		if len(c.settings) < 64 {
			c.settings["SETTINGS_"+s.ID.String()] = uint64(s.Val)
		}
		if s.ID == http2.SettingHeaderTableSize {
			c.encoder.SetMaxDynamicTableSize(min(s.Val, wire.TableSize))
		}
		return nil
	})
	// RFC 9113, 6.5.3: "the recipient MUST immediately emit a SETTINGS frame with
	// the ACK flag set".
	if c.greeted {
		_ = c.framer.WriteSettingsAck()
	}
}

// goAway notes a GOAWAY, and that the requests beyond the stream that it names are not
// processed.
func (c *conn) goAway(f *http2.GoAwayFrame) error {
	if len(c.goaways) == maxGOAWAYs {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	g := goaway{f.LastStreamID, f.ErrCode, linger.Brief(string(f.DebugData())), c.received}
	c.goaways = append(c.goaways, g)
	for id, a := range c.streams {
		if id > g.last && !a.done() {
			a.beyond, a.at = fmt.Sprintf("%s, last stream %d", g.closing(), g.last), c.received
		}
	}
	return nil
}

// head takes the head of a response, or its trailer.
func (c *conn) head(f *http2.MetaHeadersFrame) error {
	a := c.streams[f.StreamID]
	if a == nil {
		return http2.ConnectionError(http2.ErrCodeProtocol) // a response to nothing
	}
	if status, err := strconv.Atoi(f.PseudoValue("status")); err == nil && status >= 200 {
		a.status = status
	}
	if a.first.IsZero() {
		a.first = c.received
	}
	if len(a.fields) < 1000 {
		a.fields = append(a.fields, slices.Clone(f.RegularFields())...)
	}
	c.finish(a, f.StreamEnded())
	return nil
}

// altSvcIn is the value of the field that a frame of ALTSVC carries. RFC 7838, 4: it is of
// type 0xa, and has the length of an origin, which is empty on a stream, and the value.
func altSvcIn(f *http2.UnknownFrame) (value string, ok bool) {
	const altSvc = 0xa
	b := f.Payload()
	if f.Type != altSvc || len(b) <= 2 || len(b) < 2+int(b[0])<<8+int(b[1]) {
		return "", false
	}
	return string(b[2+int(b[0])<<8+int(b[1]):]), true
}

func (c *conn) finish(a *answer, ended bool) {
	a.at = c.received
	a.ended = a.ended || ended
}
