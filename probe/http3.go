package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
	"github.com/quic-go/quic-go/quicvarint"

	"linger"
	"linger/conformance"
	"linger/live"
	"linger/profile"
)

const (
	// What is asked on a connection to see how many requests it carries.
	countedHTTP3 = 8
	// Connections that are watched: silent since the handshake, since a response, and
	// one that is asked again when most of the announced limit is over.
	silentHTTP3, answeredHTTP3, revisitedHTTP3 = 1, 3, 1
	// leastIdle is the shortest max_idle_timeout that the QUIC stack takes for its word
	// (quic-go's MinRemoteIdleTimeout): a shorter one it holds for this.
	leastIdle = 5 * time.Second
)

var http3Experiments = []experiment{
	{idleHTTP3Name, "h3", []string{"h3-goaway-idle", "h3-idle-kept"}, silentHTTP3 + answeredHTTP3 + revisitedHTTP3, answeredHTTP3 + 2*revisitedHTTP3, true, idleHTTP3},
	{"what HTTP/3 says", "h3", []string{"alt-svc-true", "h3-settings-first", "h3-connection-fields"}, 1, 1, false,
		func(ctx context.Context, p *prober) { p.speaksHTTP3(ctx) }},
	{"requests on a connection of HTTP/3", "h3", nil, 1, countedHTTP3, false, countHTTP3},
}

const idleHTTP3Name = "idle on HTTP/3"

// Types of frames (RFC 9114, 7.2), of streams (6.2), and settings (7.2.4.1; RFC 9204, 5).
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameSettings = 0x4
	frameGoAway   = 0x7

	streamControl = 0x0
	// maxControlFrame bounds what a server says on its control stream at once.
	maxControlFrame = 16 << 10
)

var settingNames = map[uint64]string{
	0x1:  "SETTINGS_QPACK_MAX_TABLE_CAPACITY",
	0x6:  "SETTINGS_MAX_FIELD_SECTION_SIZE",
	0x7:  "SETTINGS_QPACK_BLOCKED_STREAMS",
	0x8:  "SETTINGS_ENABLE_CONNECT_PROTOCOL",
	0x33: "SETTINGS_H3_DATAGRAM",
}

// An http3Conn is one connection that speaks HTTP/3, on a socket of its own. A
// goroutine reads the server's control stream.
type http3Conn struct {
	*quic.Conn
	prober    *prober
	transport *quic.Transport
	socket    net.Conn
	seen      *quicSeen
	readers   sync.WaitGroup
	ready     time.Time // the handshake was over
	span                // of the last response
	small     bool      // what is asked for is prober.small

	mu       sync.Mutex
	settings map[string]uint64
	settled  chan struct{} // closed when SETTINGS has come
	first    uint64        // type of the first frame of the control stream
	began    bool          // which has come
	goaway   chan struct{} // closed when GOAWAY has
	gone     time.Time     // when that was
}

// quicSeen is what the events of the QUIC stack say that its interface does not.
type quicSeen struct {
	mu    sync.Mutex
	retry bool
	token bool
	idle  linger.Opt[time.Duration] // max_idle_timeout; zero is none
}

// AddProducer and the rest implement qlogwriter.Trace and Recorder.
func (s *quicSeen) AddProducer() qlogwriter.Recorder { return s }
func (s *quicSeen) SupportsSchemas(string) bool      { return true }
func (s *quicSeen) Close() error                     { return nil }

func (s *quicSeen) RecordEvent(e qlogwriter.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := e.(type) {
	case qlog.ParametersSet:
		if e.Initiator == qlog.InitiatorRemote {
			s.idle = linger.Known(e.MaxIdleTimeout)
		}
	case qlog.PacketReceived:
		s.retry = s.retry || e.Header.PacketType == qlog.PacketTypeRetry
		for _, f := range e.Frames {
			if _, ok := f.Frame.(*qlog.NewTokenFrame); ok {
				s.token = true
			}
		}
	}
}

func (s *quicSeen) limit() linger.Opt[time.Duration] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}

// openHTTP3 opens a connection and says no more on it than it must: SETTINGS. Our side
// announces an idle limit that is longer than any probe, so that the server's rules:
// RFC 9000, 10.1: "the effective value at an endpoint is computed as the minimum of the
// two advertised values".
func (p *prober) openHTTP3(ctx context.Context, store *ticketStore) (*http3Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.Answer)
	defer cancel()
	socket, err := new(net.Dialer).DialContext(ctx, "udp", p.http3.address)
	if err != nil {
		return nil, err
	}
	c := &http3Conn{prober: p, socket: socket, seen: new(quicSeen), settings: map[string]uint64{}, settled: make(chan struct{}), goaway: make(chan struct{})}
	c.transport = &quic.Transport{Conn: live.QUICSocket(socket.(*net.UDPConn))}
	t := p.target.tls.Clone()
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
		HandshakeIdleTimeout: p.config.Answer,
		MaxIdleTimeout:       forever,
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
	p.opened(1)
	if err = c.begin(); err == nil {
		select {
		case <-c.HandshakeComplete():
		case <-ctx.Done():
			err = errSilent
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
func (c *http3Conn) begin() error {
	control, err := c.OpenUniStream()
	if err != nil {
		return err
	}
	settings := quicvarint.Append(quicvarint.Append(quicvarint.Append(nil, streamControl), frameSettings), 0)
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
func (c *http3Conn) drop() {
	_ = c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	_ = c.transport.Close()
	c.socket.Close()
	c.readers.Wait()
	c.prober.opened(-1)
}

// readUni reads a stream of the server's: the control stream to its end, of others as
// much as the window allows, and nothing of it matters: no table is kept.
func (c *http3Conn) readUni(s *quic.ReceiveStream) {
	r := bufio.NewReader(s)
	kind, err := quicvarint.Read(r)
	if err != nil {
		return
	}
	if kind != streamControl {
		_, _ = io.Copy(io.Discard, io.LimitReader(r, maxBody))
		return
	}
	for n := 0; n < 1000; n++ {
		kind, payload, err := readFrame(r, maxControlFrame)
		if err != nil {
			return
		}
		c.control(kind, payload)
	}
}

// control takes a frame of the server's control stream.
func (c *http3Conn) control(kind uint64, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.began {
		c.began, c.first = true, kind
	}
	switch kind {
	case frameSettings:
		select {
		case <-c.settled:
		default:
			c.settings = settingsIn(payload)
			close(c.settled)
		}
	case frameGoAway:
		if c.gone.IsZero() {
			c.gone = time.Now()
			close(c.goaway)
		}
	}
}

// readFrame reads a frame of HTTP/3 that is no longer than most bytes.
func readFrame(r *bufio.Reader, most uint64) (kind uint64, payload []byte, err error) {
	if kind, err = quicvarint.Read(r); err != nil {
		return 0, nil, err
	}
	n, err := quicvarint.Read(r)
	if err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	if n > most {
		return kind, nil, fmt.Errorf("a frame of HTTP/3 has %d bytes", n)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return kind, nil, io.ErrUnexpectedEOF
	}
	return kind, payload, nil
}

// settingsIn reads the pairs of SETTINGS (RFC 9114, 7.2.4) as far as they make sense.
// Those that are reserved to mean nothing (7.2.4.1) are left out.
func settingsIn(payload []byte) map[string]uint64 {
	out := map[string]uint64{}
	for len(payload) > 0 && len(out) < 64 {
		id, n, err := quicvarint.Parse(payload)
		if err != nil {
			break
		}
		value, m, err := quicvarint.Parse(payload[n:])
		if err != nil {
			break
		}
		payload = payload[n+m:]
		name, known := settingNames[id]
		if !known {
			name = fmt.Sprintf("0x%x", id)
		}
		if id < 0x21 || (id-0x21)%0x1f != 0 {
			out[name] = value
		}
	}
	return out
}

// An http3Answer is a response, read to its end.
type http3Answer struct {
	status int
	names  []string // of its fields
	length int64
	// retryAfter is that field, and tries how often it was asked for.
	retryAfter string
	tries      int
}

// get asks for the target, and again after a pause where that is refused for the number of
// requests.
func (c *http3Conn) get(ctx context.Context) (a http3Answer, err error) {
	for tries := 1; ; tries++ {
		if err := c.prober.pause(ctx); err != nil {
			return a, err
		}
		sent := time.Now()
		a, err = c.getOnce(ctx)
		a.tries = tries
		if err != nil {
			return a, err
		}
		if again, err := c.prober.judgeStatus(sent, a.status, a.retryAfter); err != nil || !again {
			return a, err
		}
	}
}

// getOnce asks for the target, and reads the answer to its end.
func (c *http3Conn) getOnce(ctx context.Context) (a http3Answer, err error) {
	if err := c.prober.spend(1); err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.prober.config.Answer)
	defer cancel()
	select {
	case <-c.goaway:
		// RFC 9114, 5.2: "Clients MUST NOT send new requests on the connection after
		// receiving a GOAWAY frame from the server".
		return a, barred("the server takes no more requests on the connection (GOAWAY)")
	default:
	}
	s, err := c.OpenStreamSync(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return a, barred(fmt.Sprintf("the server allows no stream (MAX_STREAMS), for %v", c.prober.config.Answer))
	} else if err != nil {
		return a, err
	}
	stop := context.AfterFunc(ctx, func() { s.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	var q request
	if c.small {
		q = c.prober.small
	}
	method := c.prober.method(q)
	content := c.prober.content(method, true)
	for _, f := range []qpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: c.prober.target.host}, {Name: ":path", Value: c.prober.target.path},
	} {
		_ = e.WriteField(f)
	}
	for name, value := range c.prober.config.Message.All("", len(content) > 0) {
		_ = e.WriteField(qpack.HeaderField{Name: strings.ToLower(name), Value: value})
	}
	for name, value := range q.named() {
		_ = e.WriteField(qpack.HeaderField{Name: name, Value: value})
	}
	head := quicvarint.Append(quicvarint.Append(nil, frameHeaders), uint64(block.Len()))
	head = append(head, block.Bytes()...)
	if len(content) > 0 {
		head = append(quicvarint.Append(quicvarint.Append(head, frameData), uint64(len(content))), content...)
	}
	if _, err := s.Write(head); err != nil {
		return a, err
	}
	if err := s.Close(); err != nil {
		return a, err
	}
	defer s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	r := bufio.NewReader(s)
	asked, first := time.Now(), time.Time{}
	for {
		_, err := r.Peek(1)
		if first.IsZero() {
			first = time.Now()
		}
		if err == io.EOF && a.status != 0 {
			c.span = span{asked, first, time.Now()}
			return a, nil
		}
		if err := c.part(r, &a); err != nil {
			return a, err
		}
	}
}

// part reads one frame of a response.
func (c *http3Conn) part(r *bufio.Reader, a *http3Answer) error {
	kind, err := quicvarint.Read(r)
	if err != nil {
		return err
	}
	n, err := quicvarint.Read(r)
	if err != nil {
		return err
	}
	if kind != frameHeaders {
		if n > maxBody || a.length+int64(n) > maxBody {
			return fmt.Errorf("the response is longer than %d MB", maxBody>>20)
		}
		if kind == frameData {
			a.length += int64(n)
		}
		_, err := io.CopyN(io.Discard, r, int64(n))
		return err
	}
	if n > maxHead {
		return fmt.Errorf("the head of the response is longer than %d kB", maxHead>>10)
	}
	block := make([]byte, n)
	if _, err := io.ReadFull(r, block); err != nil {
		return err
	}
	next := qpack.NewDecoder().Decode(block)
	for range 1000 {
		f, err := next()
		if err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("the head of the response makes no sense: %s", linger.Brief(err.Error()))
		}
		if f.Name == "retry-after" {
			a.retryAfter = f.Value
		}
		if f.Name != ":status" {
			a.names = append(a.names, linger.Brief(f.Name))
		} else if status, err := strconv.Atoi(f.Value); err == nil && status >= 200 {
			a.status = status
		}
	}
	return nil
}

// closingOf is what the server's CONNECTION_CLOSE said of its reason (RFC 9000, 19.19), nil
// where an error is none. Where this side has closed, for what the server had sent, local
// says why.
func closingOf(err error) (closing *profile.Closing, local string) {
	app, byApp := errors.AsType[*quic.ApplicationError](err)
	transport, byTransport := errors.AsType[*quic.TransportError](err)
	remote := true
	switch {
	case byApp:
		code := http3.ErrCode(app.ErrorCode)
		// RFC 9114, 8.1: H3_NO_ERROR is "used when the connection or stream needs to be
		// closed, but there is no error to signal".
		remote, closing = app.Remote, &profile.Closing{Code: code.String(), Error: code != http3.ErrCodeNoError, Text: linger.Brief(app.ErrorMessage)}
	case byTransport:
		remote, closing = transport.Remote, &profile.Closing{Code: transport.ErrorCode.String(), Error: transport.ErrorCode != qerrNoError, Text: linger.Brief(transport.ErrorMessage)}
	default:
		return nil, ""
	}
	closing.Frame = string(profile.QUICClose)
	if !remote {
		return nil, "what it sends is no HTTP/3: " + linger.Brief(strings.TrimSpace(closing.Code+" "+closing.Text))
	}
	return closing, ""
}

// qerrNoError is NO_ERROR of QUIC itself (RFC 9000, 20.1).
const qerrNoError quic.TransportErrorCode = 0

// awaitEnd waits until the server sends GOAWAY or ends the connection, or ctx is over.
func (c *http3Conn) awaitEnd(ctx context.Context) (e end) {
	select {
	case <-c.Context().Done():
		e.at = time.Now()
	case <-ctx.Done():
		return end{at: time.Now()}
	case <-c.goaway:
		c.mu.Lock()
		e.at = c.gone
		c.mu.Unlock()
		grace := time.NewTimer(3 * time.Second)
		defer grace.Stop()
		select {
		case <-c.Context().Done():
		case <-grace.C:
			e.how = profile.GOAWAYOpen
			return e
		case <-ctx.Done():
			e.how = profile.GOAWAYOpen
			return e
		}
	}
	c.mu.Lock()
	said := !c.gone.IsZero()
	c.mu.Unlock()
	err := context.Cause(c.Context())
	closing, local := closingOf(err)
	if local != "" {
		e.err = errors.New(local)
		return e
	}
	_, idle := errors.AsType[*quic.IdleTimeoutError](err)
	_, reset := errors.AsType[*quic.StatelessResetError](err)
	switch {
	case closing != nil && said:
		e.how, e.closing = profile.GOAWAYQUIC, closing
	case closing != nil:
		e.how, e.closing = profile.QUICClose, closing
	case idle:
		e.how = profile.QUICIdle
	case reset:
		e.how = profile.QUICReset
	default:
		e.err = err
	}
	return e
}

// speaksHTTP3 reports whether the server speaks HTTP/3, where Alt-Svc says, or at the
// same port. Who asks first finds it out.
func (p *prober) speaksHTTP3(ctx context.Context) bool {
	p.http3.once.Do(func() {
		none := p.greetHTTP3(ctx)
		p.record(func(doc *profile.Profile) {
			h := doc.ProtocolNamed("h3")
			h.Offered, h.Declined, h.Why = p.http3.offered, none.declined, none.why
			if doc.AltSvc == nil {
				doc.AltSvc = new(profile.AltSvc)
			}
			if p.target.tls != nil {
				doc.AltSvc.Works = linger.Known(p.http3.offered)
			}
			doc.AltSvc.Why = none.why
		})
		if !p.http3.offered {
			p.decide(conformance.NotOffered("h3", none.why))
		}
	})
	return p.http3.offered
}

func (p *prober) greetHTTP3(ctx context.Context) absence {
	if p.target.tls == nil {
		return notOffered("the target is in cleartext")
	}
	if p.route.Unix != "" {
		return notOffered("the target is behind a Unix socket")
	}
	host, port, err := net.SplitHostPort(p.target.address)
	if err != nil {
		return notKnown(err.Error())
	}
	var value string
	p.record(func(doc *profile.Profile) {
		if doc.AltSvc != nil {
			value = doc.AltSvc.Value
		}
	})
	otherHost, otherPort, announced := alternative(value, http3.NextProtoH3)
	if announced {
		port = otherPort
		if otherHost != "" && otherHost != p.target.url.Hostname() {
			host = otherHost
		}
	}
	p.http3.address = net.JoinHostPort(host, port)
	store := new(ticketStore)
	c, err := p.openHTTP3(ctx, store)
	var a http3Answer
	if err == nil {
		defer c.drop()
		a, err = c.get(ctx)
	}
	if c == nil {
		why := "no HTTP/3 at " + p.http3.address + " (UDP): " + quicCause(err)
		if ctx.Err() == nil {
			p.judge(conformance.Announcement{Announced: announced, Why: why})
		}
		if _, wrong := errors.AsType[*tls.CertificateVerificationError](err); wrong {
			return notKnown(quicCause(err))
		}
		return notOffered(why)
	}
	p.http3.offered = true
	alternative := conformance.Announcement{Announced: announced, Offered: true, Status: a.status}
	if err != nil {
		alternative.Why = quicCause(err)
		p.unmeasured(alternative.Why, "h3-connection-fields")
	} else {
		p.judge(conformance.Fields{Protocol: "h3", Status: a.status, Names: a.names})
	}
	if err == nil || !announced || ctx.Err() == nil {
		p.judge(alternative)
	}
	p.hearHTTP3(ctx, c)
	p.earlyHTTP3(ctx, c, store)
	return absence{}
}

// hearHTTP3 notes what the server says of itself.
func (p *prober) hearHTTP3(ctx context.Context, c *http3Conn) {
	patience, cancel := context.WithTimeout(ctx, p.config.Answer)
	defer cancel()
	select {
	case <-c.settled:
	case <-patience.Done():
	case <-c.Context().Done():
	}
	c.mu.Lock()
	began, first, settings := c.began, c.first, c.settings
	c.mu.Unlock()
	if began || c.Context().Err() == nil && ctx.Err() == nil {
		p.judge(conformance.Control{Began: began, Settings: first == frameSettings, First: first, Within: p.config.Answer})
	}
	p.record(func(doc *profile.Profile) {
		h := doc.ProtocolNamed("h3")
		h.Announced.Settings = settings
		if idle, ok := c.seen.limit().Get(); ok && idle != leastIdle {
			h.Announced.Timeout = linger.Known(profile.Duration(idle))
		}
	})
}

// earlyHTTP3 notes what may be sent early the next time, and whether the server takes
// it. Nothing is but SETTINGS.
func (p *prober) earlyHTTP3(ctx context.Context, c *http3Conn, store *ticketStore) {
	early := store.early()
	c.seen.mu.Lock()
	q := &profile.QUIC{Retry: linger.Known(c.seen.retry), Token: linger.Known(c.seen.token)}
	c.seen.mu.Unlock()
	if _, some := store.Get(""); some {
		q.Early = linger.Known(early)
	}
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed("h3").QUIC = q })
	if !early {
		return
	}
	again, err := p.openHTTP3(ctx, store)
	if err != nil {
		return
	}
	defer again.drop()
	p.record(func(*profile.Profile) { q.Taken = linger.Known(again.ConnectionState().Used0RTT) })
}

// quicCause is why there is no connection, in few words.
func quicCause(err error) string {
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate is not valid: " + strings.TrimPrefix(linger.Brief(wrong.Err.Error()), "x509: ")
	}
	_, idle := errors.AsType[*quic.IdleTimeoutError](err)
	_, handshake := errors.AsType[*quic.HandshakeTimeoutError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case idle, handshake, errors.Is(err, context.DeadlineExceeded), err == errSilent:
		return "no answer in time"
	}
	return linger.Brief(cause(err))
}

// idleHTTP3 watches connections that are silent.
func idleHTTP3(ctx context.Context, p *prober) {
	if !p.speaksHTTP3(ctx) {
		return
	}
	wait, cancel := p.wait(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	set := func(limit profile.Timeout, where func(*profile.Protocol) *profile.Timeout) {
		p.record(func(doc *profile.Profile) { *where(doc.ProtocolNamed("h3")) = limit })
	}
	all.Go(func() {
		seen := []sighting{p.watchHTTP3(ctx, wait, 0, false, false)}
		limit := p.limitHTTP3(seen, p.pathDoubt()+p.roundTrip(), "a connection on which nothing was asked since the handshake was left alone until it ended")
		set(limit, func(h *profile.Protocol) *profile.Timeout { return &h.AfterTLS })
	})
	all.Go(func() { p.revisitHTTP3(ctx, wait) })
	seen := make([]sighting, answeredHTTP3)
	var watching sync.WaitGroup
	for i := range seen {
		watching.Go(func() {
			seen[i] = p.watchHTTP3(ctx, wait, time.Duration(i)*time.Second/answeredHTTP3, true, i > 0)
		})
	}
	watching.Wait()
	limit := p.limitAfterResponse(seen, p.limitHTTP3)
	set(limit, func(h *profile.Protocol) *profile.Timeout { return &h.AfterResponse })
	if limit.State == profile.Measured {
		p.settled(time.Duration(limit.Median))
	}
	p.judge(conformance.IdleHTTP3{Limit: limit})
}

// limitHTTP3 is limitOf, for connections that may end by agreement.
func (p *prober) limitHTTP3(seen []sighting, doubt time.Duration, method string) profile.Timeout {
	t := limitOf(seen, doubt, method)
	if t.Ending == profile.QUICIdle {
		// It counts from the last packet, which may be an acknowledgement: those may be
		// late by max_ack_delay, 25 ms unless more is announced (RFC 9000, 18.2).
		t.Uncertainty += profile.Duration(100 * time.Millisecond)
	}
	// What is announced is known where it is more than the least that the QUIC stack takes for
	// its word.
	announced := false
	p.record(func(doc *profile.Profile) { announced = !doc.ProtocolNamed("h3").Announced.Timeout.IsZero() })
	if t.Ending == profile.QUICIdle && !announced && time.Duration(t.Low+t.Uncertainty) < leastIdle+time.Second {
		return profile.Timeout{State: profile.Unknown, Ending: profile.QUICIdle,
			Why: fmt.Sprintf("it announces a max_idle_timeout of %v or less, and lets go in silence; how much less, the QUIC stack of this program does not say", leastIdle)}
	}
	return t
}

// watchHTTP3 watches one connection until it ends, from the handshake on or from a
// response on.
func (p *prober) watchHTTP3(ctx, wait context.Context, delay time.Duration, ask, small bool) (s sighting) {
	if s.err = sleep(wait, delay); s.err != nil {
		return s
	}
	c, err := p.openHTTP3(ctx, nil)
	if err != nil {
		s.err = errors.New(quicCause(err))
		return s
	}
	defer c.drop()
	began := at(c.ready)
	if ask {
		c.small = small
		if _, err := c.get(ctx); err != nil {
			s.err = errors.New(quicCause(err))
			return s
		}
		began = c.span
	}
	s.end, s.long = c.awaitEnd(wait), !small
	p.reckon(&s, began, quicAcknowledges)
	return s
}

// revisitHTTP3 asks again on a connection that was silent for most of what the server
// announced that it would keep it.
func (p *prober) revisitHTTP3(ctx, wait context.Context) {
	c, err := p.openHTTP3(ctx, nil)
	if err == nil {
		defer c.drop()
		_, err = c.get(ctx)
	}
	if err != nil {
		p.unmeasured(quicCause(err), "h3-idle-kept")
		return
	}
	announced, _ := c.seen.limit().Get()
	found := conformance.Revisited{Announced: announced, Least: leastIdle}
	if announced > leastIdle {
		until, cancel := context.WithTimeout(wait, announced*8/10)
		defer cancel()
		e := c.awaitEnd(until)
		found.How, found.Kept, found.Early = e.how, e.at.Sub(c.last), wait.Err() != nil
	}
	if announced > leastIdle && found.How == "" && !found.Early {
		_, err = c.get(ctx)
		if ctx.Err() != nil || err == errSpent {
			return
		}
		if found.Answered = err == nil; err != nil {
			found.Why = quicCause(err)
		}
	}
	p.judge(found)
}

// countHTTP3 asks on one connection until the server has enough of it.
func countHTTP3(ctx context.Context, p *prober) {
	if !p.speaksHTTP3(ctx) {
		return
	}
	count := profile.Count{State: profile.Unknown}
	defer func() {
		p.record(func(doc *profile.Profile) { doc.ProtocolNamed("h3").Requests = count })
	}()
	c, err := p.openHTTP3(ctx, nil)
	if err != nil {
		count.Why = quicCause(err)
		return
	}
	defer c.drop()
	over := func() bool {
		// GOAWAY goes by another stream than the response that it came with.
		short, cancel := context.WithTimeout(ctx, p.roundTrip()+20*time.Millisecond)
		defer cancel()
		select {
		case <-c.goaway:
			return true
		case <-c.Context().Done():
			return true
		case <-short.Done():
			return false
		}
	}
	for range countedHTTP3 {
		var a http3Answer
		if a, err = c.get(ctx); err != nil {
			break
		}
		count.N += a.tries
		if over() {
			break
		}
	}
	// A stream hears of the connection's end before the connection itself is done.
	ended := over()
	if ended {
		e := c.awaitEnd(ctx)
		count.Ending, count.Closing = e.how, e.closing
	}
	switch byError := count.Closing != nil && count.Closing.Error; {
	case count.N == 0 && ended && count.Ending != "":
		count.Why = "the server ended the connection before it had answered a request: " + count.Ending.Told(count.Closing)
	case count.N == 0:
		count.Why = quicCause(err)
	case byError:
		count.State, count.Why = profile.AtLeast, "the server ended the connection by an error: "+count.Closing.String()
		p.endedByError("HTTP/3", count)
	case ended:
		count.State = profile.Measured
	default:
		count.State = profile.AtLeast
		if err != nil {
			count.Why = quicCause(err)
		}
	}
}
