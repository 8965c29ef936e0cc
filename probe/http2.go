package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/conformance"
	"linger/finding"
	"linger/live"
	"linger/profile"
)

const (
	// What is asked on a connection to see how many requests it carries.
	countedHTTP2 = 16
	// How many streams are opened at once at most to see one refused.
	crowdHTTP2 = 8
	// firstTries is how often the first request is sent where it is refused.
	firstTries = 3
	// behind is how long GOAWAY may come behind the response that it belongs to.
	behind = 20 * time.Millisecond
	// noLast names no stream: "the last stream identifier set to 2^31-1" (RFC 9113, 6.8).
	noLast = 1<<31 - 1
	// Connections that are watched: silent since TLS's handshake, since the prefaces,
	// since a response, and one that sends nothing but PING.
	silentHTTP2, settledHTTP2, answeredHTTP2, pingedHTTP2 = 1, 1, 3, 1
)

var http2Experiments = []experiment{
	{idleHTTP2Name, "h2", []string{"goaway-idle"}, silentHTTP2 + settledHTTP2 + answeredHTTP2 + pingedHTTP2, answeredHTTP2 + pingedHTTP2, true, idleHTTP2},
	{"what HTTP/2 says", "h2", []string{"h2-settings-first", "h2-settings-acknowledged", "h2-ping-answered", "h2-connection-fields", "h2-usable", "h2-parallel"}, 1, firstTries, false,
		func(ctx context.Context, p *prober) { p.speaksHTTP2(ctx) }},
	{"requests on a connection of HTTP/2", "h2", endsHTTP2, 1, countedHTTP2, false, countHTTP2},
	{"streams at once on HTTP/2", "h2", []string{"h2-stream-limit"}, 1, crowdHTTP2, false, crowdHTTP2Streams},
}

// endsHTTP2 are the cases that the end of a used connection decides.
var endsHTTP2 = []string{"goaway-last-stream", "goaway-in-time", "goaway-never-rises", "goaway-last-request"}

// A discovery is whether the server speaks a protocol, which is found out once, by
// whoever asks first.
type discovery struct {
	once    sync.Once
	offered bool
	streams linger.Opt[uint64] // of HTTP/2: SETTINGS_MAX_CONCURRENT_STREAMS
	useless string             // of HTTP/2: why no request can be sent; "" is that it can
	address string             // of HTTP/3: where it was tried
}

// An http2Conn is one connection that speaks HTTP/2. It belongs to one goroutine.
type http2Conn struct {
	*conn
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
	streams      map[uint32]*http2Answer
	goaways      []goaway
	altSvc       string
	sent         time.Time // the last byte of ours
	received     time.Time // the last byte of the server's
	over         end       // how it ended, once it has
	small        bool      // what is asked for is prober.small
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
func (c *http2Conn) closing() *profile.Closing {
	if len(c.goaways) == 0 {
		return nil
	}
	i := max(slices.IndexFunc(c.goaways, func(g goaway) bool { return g.code != http2.ErrCodeNo }), 0)
	return c.goaways[i].closing()
}

// isAbrupt reports whether the connection was closed within a round trip behind a GOAWAY
// that named no stream: who had a request under way cannot know what became of it.
func (c *http2Conn) isAbrupt() bool {
	if len(c.goaways) == 0 || c.over.how == "" {
		return false
	}
	g := c.goaways[len(c.goaways)-1]
	return g.last == noLast && c.over.at.Sub(g.at) < c.prober.roundTrip()+behind
}

// An http2Answer is a response, as far as it has come.
type http2Answer struct {
	status  int
	fields  []hpack.HeaderField
	length  int64
	ended   bool
	refused linger.Opt[http2.ErrCode] // RST_STREAM
	tries   int                       // how often it was asked for
	beyond  string                    // GOAWAY, which names a stream below its own
	first   time.Time                 // its head
	at      time.Time                 // its last byte
}

// errNoHTTP2 is why a server does not count as one of HTTP/2.
type errNoHTTP2 string

func (e errNoHTTP2) Error() string { return string(e) }

// openHTTP2 opens a connection on which HTTP/2 is agreed upon: over TLS by ALPN, in
// cleartext by nothing but knowing it (RFC 9113, 3.3). Nothing has been sent.
func (p *prober) openHTTP2(ctx context.Context) (*http2Conn, error) {
	c, err := p.open(ctx, func(t *tls.Config) { t.NextProtos = []string{"h2"} })
	switch {
	case err != nil && strings.Contains(err.Error(), "no application protocol"):
		return nil, errNoHTTP2("it refused a handshake that offered h2 (ALPN)")
	case choseUnoffered(err):
		return nil, errNoHTTP2("it chose another protocol where h2 was all it was offered (ALPN)")
	case err != nil:
		return nil, err
	case c.state != nil && c.state.NegotiatedProtocol != "h2":
		c.drop()
		return nil, errNoHTTP2("it did not choose h2 where that was all it was offered (ALPN)")
	}
	h := &http2Conn{conn: c, next: 1, settings: map[string]uint64{}, streams: map[uint32]*http2Answer{}, sent: c.ready, received: c.ready}
	h.framer = http2.NewFramer(&h.out, c.in)
	h.framer.SetReuseFrames()
	h.framer.SetMaxReadFrameSize(16 << 10) // SETTINGS_MAX_FRAME_SIZE, where nothing is said
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.framer.MaxHeaderListSize = maxHead
	h.encoder = hpack.NewEncoder(&h.block)
	return h, nil
}

// greet sends the preface, and waits for that of the server. Its windows are wide
// enough that nothing but requests need be sent afterwards: what else is sent may
// count as use of the connection.
func (c *http2Conn) greet(ctx context.Context) error {
	c.out.WriteString(http2.ClientPreface)
	// Writing to memory does not fail.
	_ = c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: maxBody},
	)
	_ = c.framer.WriteWindowUpdate(0, 1<<30)
	c.greeted = true
	if err := c.flush(); err != nil {
		return err
	}
	return c.read(ctx, c.prober.config.Answer, func() bool { return c.settled })
}

// flush writes what there is to be sent.
func (c *http2Conn) flush() error {
	if c.out.Len() == 0 {
		return nil
	}
	c.socket.SetWriteDeadline(time.Now().Add(c.prober.config.Answer))
	_, err := c.Write(c.out.Bytes())
	c.out.Reset()
	c.sent = time.Now()
	return err
}

// errSilent is the error of waiting in vain.
var errSilent = errors.New("no answer in time")

// read reads frames until enough reports true. The error is errSilent where that was
// not so within patience, or what ctx says; otherwise the connection is over.
func (c *http2Conn) read(ctx context.Context, patience time.Duration, enough func() bool) error {
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
func (c *http2Conn) frame(ctx context.Context, until time.Time) error {
	if c.over.how != "" || c.over.err != nil {
		return c.lost()
	}
	c.bounded.N = maxBody
	c.socket.SetReadDeadline(until)
	stop := context.AfterFunc(ctx, func() { c.socket.SetReadDeadline(time.Unix(1, 0)) })
	_, err := c.in.Peek(1)
	stop()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	case err != nil:
		c.ended(err)
		return c.lost()
	}
	// What has begun must come.
	c.socket.SetReadDeadline(time.Now().Add(c.prober.config.Answer))
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
		c.over = end{at: c.received, err: fmt.Errorf("what it sends is no HTTP/2: %s", linger.Brief(err.Error()))}
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
func (c *http2Conn) lost() error {
	if c.over.err != nil {
		return c.over.err
	}
	return fmt.Errorf("the server ended the connection (%s)", c.over.how)
}

// ended notes that the connection has been ended, as reading it said.
func (c *http2Conn) ended(err error) {
	c.over = end{at: time.Now()}
	how, err := c.howEnded(err)
	c.over.how, c.over.err = how, err
	if len(c.goaways) == 0 || how == "" {
		return
	}
	c.over.how = profile.GOAWAY
	if how == profile.RST || how == profile.CloseNotifyRST {
		c.over.how = profile.GOAWAYRST
	}
}

// howEnded names the end that reading a connection met with.
func (c *conn) howEnded(err error) (profile.Ending, error) {
	switch {
	case live.IsReset(err):
		return profile.RST, nil
	case errors.Is(err, io.EOF) && c.state != nil:
		// What came was the alert; what ends TCP comes behind it.
		c.socket.SetReadDeadline(time.Now().Add(c.prober.config.Answer))
		if _, err := io.Copy(io.Discard, io.LimitReader(c.socket, maxBody)); live.IsReset(err) {
			return profile.CloseNotifyRST, nil
		}
		return profile.CloseNotify, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return profile.FIN, nil
	}
	return "", err
}

// maxGOAWAYs bounds how many GOAWAY are remembered.
const maxGOAWAYs = 16

func (c *http2Conn) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			c.acknowledged = true
			return nil
		}
		c.settled = true
		_ = f.ForeachSetting(func(s http2.Setting) error {
			if len(c.settings) < 64 {
				c.settings["SETTINGS_"+s.ID.String()] = uint64(s.Val)
			}
			if s.ID == http2.SettingHeaderTableSize {
				c.encoder.SetMaxDynamicTableSize(min(s.Val, 4096))
			}
			return nil
		})
		// RFC 9113, 6.5.3: "the recipient MUST immediately emit a SETTINGS frame with
		// the ACK flag set".
		if c.greeted {
			_ = c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() && c.greeted {
			_ = c.framer.WritePing(true, f.Data)
		} else if n := number(f.Data); n <= c.pinged {
			c.ponged = max(c.ponged, n)
		}
	case *http2.GoAwayFrame:
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
	case *http2.MetaHeadersFrame:
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
		// RFC 7838, 4: ALTSVC is a frame of type 0xa: the length of an origin, which is
		// empty on a stream, and the value of the field.
		const altSvc = 0xa
		if b := f.Payload(); f.Type == altSvc && len(b) > 2 && len(b) >= 2+int(b[0])<<8+int(b[1]) {
			c.altSvc = string(b[2+int(b[0])<<8+int(b[1]):])
		}
	}
	return nil
}

func (c *http2Conn) finish(a *http2Answer, ended bool) {
	a.at = c.received
	a.ended = a.ended || ended
}

// stream is the answer on a stream of ours, or one that nobody will look at.
func (c *http2Conn) stream(id uint32) *http2Answer {
	if a := c.streams[id]; a != nil {
		return a
	}
	return new(http2Answer)
}

// field is the value of a field, "" where there is none.
func (a *http2Answer) field(name string) string {
	if i := slices.IndexFunc(a.fields, func(f hpack.HeaderField) bool { return f.Name == name }); i >= 0 {
		return a.fields[i].Value
	}
	return ""
}

// done reports whether nothing more comes.
func (a *http2Answer) done() bool {
	_, reset := a.refused.Get()
	return a.ended || reset || a.beyond != "" || a.length >= maxBody
}

// isRefused reports whether the server has said that it did not process the request, so
// that it may be sent again (RFC 9113, 8.7).
func (a *http2Answer) isRefused() bool {
	code, reset := a.refused.Get()
	return reset && code == http2.ErrCodeRefusedStream && a.status == 0
}

// err says why an answer that is done is none.
func (a *http2Answer) err() error {
	code, reset := a.refused.Get()
	switch {
	case a.ended && a.status != 0:
		return nil
	case reset:
		return fmt.Errorf("the request was refused (RST_STREAM, %s)", code)
	case a.beyond != "":
		return fmt.Errorf("the request was not processed (%s)", a.beyond)
	case a.ended:
		return errors.New("the response has no status")
	}
	return fmt.Errorf("the response is longer than %d MB", maxBody>>20)
}

// ask begins a request on a new stream; with whole it is complete.
func (c *http2Conn) ask(method string, whole bool) (uint32, error) {
	if err := c.prober.spend(1); err != nil {
		return 0, err
	}
	c.block.Reset()
	scheme := "http"
	if c.state != nil {
		scheme = "https"
	}
	var q request
	if c.small {
		q = c.prober.small
		method = cmp.Or(q.method, method)
	}
	content := c.prober.content(method, whole)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: scheme},
		{Name: ":authority", Value: c.prober.target.host}, {Name: ":path", Value: c.prober.target.path},
	} {
		_ = c.encoder.WriteField(f)
	}
	for name, value := range c.prober.config.Message.All("", len(content) > 0) {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(name), Value: value})
	}
	for name, value := range q.named() {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	id := c.next
	c.next += 2
	c.streams[id] = new(http2Answer)
	for kind, block := true, c.block.Bytes(); ; kind = false {
		n := min(len(block), 16<<10)
		last := n == len(block)
		if kind {
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:n], EndStream: whole && len(content) == 0, EndHeaders: last})
		} else {
			_ = c.framer.WriteContinuation(id, last, block[:n])
		}
		if block = block[n:]; last {
			break
		}
	}
	if len(content) > 0 {
		_ = c.framer.WriteData(id, true, content)
	}
	return id, nil
}

// allowed is how many streams the server allows at once; said is false where it has not
// said so.
func (c *http2Conn) allowed() (n uint64, said bool) {
	n, said = c.settings[maxStreams]
	return n, said
}

// maxStreams is the setting that limits streams at once.
var maxStreams = "SETTINGS_" + http2.SettingMaxConcurrentStreams.String()

// A barred is why no request may be sent.
type barred string

func (e barred) Error() string { return string(e) }

// admitted waits until a stream may be opened, as long as an answer may take.
//
// RFC 9113, 5.1.2: "Endpoints MUST NOT exceed the limit set by their peer." 6.5.2: "A zero
// value does prevent the creation of new streams; [...] Servers SHOULD only set a zero
// value for short durations". 6.8: "Receivers of a GOAWAY frame MUST NOT open additional
// streams on the connection".
func (c *http2Conn) admitted(ctx context.Context) error {
	free := func() bool {
		n, said := c.allowed()
		return !said || n > 0
	}
	err := c.read(ctx, c.prober.config.Answer, func() bool { return free() || len(c.goaways) > 0 })
	switch {
	case len(c.goaways) > 0:
		return barred("the server takes no more requests on the connection (" + c.closing().String() + ")")
	case err == errSilent:
		return barred(fmt.Sprintf("the server allows no stream (%s 0), for %v", maxStreams, c.prober.config.Answer))
	}
	return err
}

// get asks for the target, and again after a pause where that is refused for the number of
// requests.
func (c *http2Conn) get(ctx context.Context) (*http2Answer, error) {
	for tries := 1; ; tries++ {
		if err := c.prober.pause(ctx); err != nil {
			return new(http2Answer), err
		}
		sent := time.Now()
		a, err := c.getOnce(ctx)
		a.tries = tries
		if err != nil {
			return a, err
		}
		if again, err := c.prober.judgeStatus(sent, a.status, a.field("retry-after")); err != nil || !again {
			return a, err
		}
	}
}

// getOnce asks for the target, as soon as the server allows that, and reads the answer to
// its end.
func (c *http2Conn) getOnce(ctx context.Context) (*http2Answer, error) {
	if err := c.admitted(ctx); err != nil {
		return new(http2Answer), err
	}
	id, err := c.ask(c.prober.method(request{}), true)
	if err != nil {
		return new(http2Answer), err
	}
	a := c.streams[id]
	err = c.flush()
	c.asked = c.sent
	if err != nil {
		// What the server has said before it closed is there to be read.
		if err := c.read(ctx, c.prober.config.Answer, a.done); err != nil {
			return a, err
		}
		return a, a.err()
	}
	if err := c.read(ctx, c.prober.config.Answer, a.done); err != nil {
		return a, err
	}
	c.span.first, c.last = a.first, a.at
	return a, a.err()
}

// ping sends PING; pong reports whether that was answered.
func (c *http2Conn) ping() error {
	c.pinged++
	_ = c.framer.WritePing(false, payload(c.pinged))
	return c.flush()
}

func (c *http2Conn) pong() bool { return c.ponged == c.pinged }

// payload and number are the same number, as PING carries it.
func payload(n uint64) (b [8]byte) {
	copy(b[:], "linger")
	b[6], b[7] = byte(n>>8), byte(n)
	return b
}

func number(b [8]byte) uint64 {
	if string(b[:6]) != "linger" {
		return 0
	}
	return uint64(b[6])<<8 | uint64(b[7])
}

// awaitEnd reads until the server sends GOAWAY or ends the connection, or ctx is
// over. The end is dated to the first sign of it.
func (c *http2Conn) awaitEnd(ctx context.Context) end {
	err := c.read(ctx, forever, func() bool { return len(c.goaways) > 0 })
	if err == nil {
		// What is told to go may be left to go by itself, or be closed a little later.
		grace, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		_ = c.read(grace, forever, func() bool { return false })
		e := c.over
		if e.how == "" && e.err == nil {
			e.how = profile.GOAWAYOpen
		}
		e.at, e.closing = c.goaways[0].at, c.closing()
		return e
	}
	if c.over.how != "" || c.over.err != nil {
		return c.over
	}
	return end{at: time.Now()}
}

// forever is longer than any probe lasts.
const forever = 24 * time.Hour

// speaksHTTP2 reports whether the server speaks HTTP/2. Who asks first finds it out, on
// one connection, and with it what the server says of itself.
func (p *prober) speaksHTTP2(ctx context.Context) bool {
	p.http2.once.Do(func() {
		none := p.greetHTTP2(ctx)
		p.record(func(doc *profile.Profile) {
			h := doc.ProtocolNamed("h2")
			h.Offered, h.Declined, h.Why = p.http2.offered, none.declined, none.why
		})
		if !p.http2.offered {
			p.decide(conformance.NotOffered("h2", none.why))
		}
	})
	return p.http2.offered
}

// An absence is why a protocol is not known to be spoken. Declined, it is known not to
// be.
type absence struct {
	declined bool
	why      string
}

func notOffered(why string) absence { return absence{true, "not offered: " + why} }
func notKnown(why string) absence   { return absence{false, "not known: " + why} }

// greetHTTP2 finds out whether the server speaks HTTP/2, or why it does not.
func (p *prober) greetHTTP2(ctx context.Context) (why absence) {
	c, err := p.openHTTP2(ctx)
	if none, ok := errors.AsType[errNoHTTP2](err); ok {
		return notOffered(none.Error())
	} else if err != nil {
		return notKnown(err.Error())
	}
	defer c.drop()
	err = c.greet(ctx)
	switch {
	case err != nil && c.state == nil && !c.begun:
		return notOffered("the preface of HTTP/2 in cleartext was not answered by its own")
	case err != nil && !c.begun:
		return absence{why: "it chose h2 (ALPN), and then did not speak it: " + err.Error()}
	case err != nil && c.state == nil:
		return notOffered(err.Error())
	}
	p.http2.offered = true
	greeting := conformance.Greeting{First: c.first.String(), Settings: c.first == http2.FrameSettings, Within: p.config.Answer}
	defer func() { p.judge(greeting) }()
	if err != nil {
		return absence{why: "it began by " + c.first.String() + ", and no SETTINGS came: " + err.Error()}
	}
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed("h2").Announced.Settings = c.settings })
	if n, said := c.allowed(); said {
		p.http2.streams = linger.Known(n)
	}
	err = c.read(ctx, p.config.Answer, func() bool { return c.acknowledged })
	if greeting.Acknowledged = nextHTTP2(err); greeting.Acknowledged == conformance.Garbled {
		greeting.Why = err.Error()
		return absence{}
	}
	asked := time.Now()
	if err = c.ping(); err == nil {
		err = c.read(ctx, p.config.Answer, c.pong)
	}
	greeting.Took = time.Since(asked)
	if greeting.Ponged = nextHTTP2(err); greeting.Ponged == conformance.Garbled {
		greeting.Why = err.Error()
		return absence{}
	}
	p.record(func(doc *profile.Profile) {
		doc.ProtocolNamed("h2").Ping = &profile.Ping{Answered: linger.Known(err == nil)}
	})
	use := conformance.Use{Within: p.config.Answer}
	a, err := c.get(ctx)
	for use.Tried = 1; use.Tried < firstTries && a.isRefused(); use.Tried++ {
		a, err = c.get(ctx)
	}
	use.Allowed = linger.Opt[uint64]{}
	if n, said := c.allowed(); said {
		use.Allowed = linger.Known(n) // it may have been changed since
	}
	use.Answered = err == nil
	if err != nil {
		use.Why = err.Error()
		_, bars := errors.AsType[barred](err)
		use.Refused = bars || a.isRefused() || a.beyond != ""
		if use.Refused {
			p.http2.useless = use.Why
		}
	}
	if ctx.Err() == nil && err != errSpent {
		p.judge(use)
	}
	if err != nil {
		p.unmeasured(err.Error(), "h2-connection-fields")
		return absence{}
	}
	names := make([]string, 0, len(a.fields))
	for _, f := range a.fields {
		names = append(names, f.Name)
		if f.Name == "alt-svc" && c.altSvc == "" {
			c.altSvc = f.Value
		}
	}
	p.judge(conformance.Fields{Protocol: "h2", Status: a.status, Names: names})
	p.announcedAltSvc(c.altSvc)
	return absence{}
}

// idleHTTP2 watches connections that are silent, in what state they may be. They begin
// some time apart, as those of HTTP/1 do.
func idleHTTP2(ctx context.Context, p *prober) {
	if !p.speaksHTTP2(ctx) {
		return
	}
	turn := newSlots(p.few(silentHTTP2 + settledHTTP2 + answeredHTTP2 + pingedHTTP2))
	watch := func(n int, prepare func(*http2Conn) error, since func(*http2Conn) span) []sighting {
		seen := make([]sighting, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if seen[i].err = sleep(ctx, begins(i, n)); seen[i].err == nil && turn.take(ctx, 1) {
					defer turn.give(1)
					seen[i] = p.watchHTTP2(ctx, prepare, since)
				}
			})
		}
		all.Wait()
		return seen
	}
	var all sync.WaitGroup
	defer all.Wait()
	set := func(limit profile.Timeout, where func(*profile.Protocol) *profile.Timeout) {
		p.record(func(doc *profile.Profile) { *where(doc.ProtocolNamed("h2")) = limit })
	}
	if p.target.tls != nil {
		all.Go(func() {
			seen := watch(silentHTTP2, func(*http2Conn) error { return nil }, func(c *http2Conn) span { return at(c.ready) })
			// TLS's handshake is over for the server half a round trip, or one, apart from us.
			limit := limitOf(seen, p.pathDoubt()+p.roundTrip(), "a connection on which HTTP/2 was agreed upon, and nothing sent, was left alone until the server ended it")
			set(limit, func(h *profile.Protocol) *profile.Timeout { return &h.AfterTLS })
		})
	}
	all.Go(func() {
		seen := watch(p.few(settledHTTP2),
			func(c *http2Conn) error {
				if err := c.greet(ctx); err != nil {
					return err
				}
				return c.read(ctx, p.config.Answer, func() bool { return c.acknowledged })
			},
			func(c *http2Conn) span { return at(later(c.sent, c.received)) })
		limit := limitOf(seen, p.pathDoubt()+p.roundTrip(), "connections on which SETTINGS were exchanged, and nothing asked, were left alone until the server ended them")
		set(limit, func(h *profile.Protocol) *profile.Timeout { return &h.AfterSettings })
	})
	if p.http2.useless != "" {
		set(profile.Timeout{State: profile.Unknown, Why: p.http2.useless}, func(h *profile.Protocol) *profile.Timeout { return &h.AfterResponse })
		p.unmeasured(p.http2.useless, "goaway-idle")
		return
	}
	known := make(chan profile.Timeout, 1)
	all.Go(func() {
		if p.sparing() {
			return // it would be one more in the way of others
		}
		wait, cancel := p.wait(ctx)
		defer cancel()
		p.pingHTTP2(ctx, wait, known)
	})
	var ordinary atomic.Bool
	seen := watch(p.few(answeredHTTP2),
		func(c *http2Conn) error {
			if err := c.greet(ctx); err != nil {
				return err
			}
			// One of them asks for the ordinary response, and shows whether the limit is the same.
			c.small = !ordinary.CompareAndSwap(false, true)
			_, err := c.get(ctx)
			return err
		},
		func(c *http2Conn) span { return c.span })
	limit := p.limitAfterResponse(seen, limitOf)
	set(limit, func(h *profile.Protocol) *profile.Timeout { return &h.AfterResponse })
	known <- limit
	if limit.State == profile.Measured {
		p.settled(time.Duration(limit.Median))
	}
	idle := conformance.IdleHTTP2{Limit: limit}
	for _, s := range seen {
		switch s.how {
		case profile.FIN, profile.RST, profile.CloseNotify, profile.CloseNotifyRST:
			idle.Without++
		}
		if s.abrupt {
			idle.Abrupt++
		}
	}
	p.judge(idle)
}

// nextHTTP2 is what became of what waited for an answer of HTTP/2.
func nextHTTP2(err error) conformance.Next {
	switch err {
	case nil:
		return conformance.Answered
	case errSilent:
		return conformance.Silent
	}
	return conformance.Garbled
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// watchHTTP2 watches one connection, once it is prepared, from an instant on that since
// returns. What is still open when waiting ends has to answer, or else has fallen silent.
func (p *prober) watchHTTP2(ctx context.Context, prepare func(*http2Conn) error, since func(*http2Conn) span) (s sighting) {
	c, err := p.openHTTP2(ctx)
	if err != nil {
		s.err = err
		return s
	}
	defer c.drop()
	if s.err = prepare(c); s.err != nil {
		return s
	}
	began := since(c)
	wait, cancel := p.wait(ctx)
	defer cancel()
	s.end, s.long = c.awaitEnd(wait), !c.small
	s.abrupt = c.isAbrupt()
	p.reckon(&s, began, tcpAcknowledges)
	if s.how == "" && s.err == nil && ctx.Err() == nil && c.settled {
		err := c.ping()
		if err == nil {
			err = c.read(ctx, p.config.Answer, c.pong)
		}
		if err == errSilent {
			s.how = profile.Silence
		}
	}
	return s
}

// pingHTTP2 finds out whether PING keeps a connection open. The pauses between them
// double, so that at the limit the last one came when half of it was over, or later:
// a connection that lives well past the limit lives for them, and few are enough.
func (p *prober) pingHTTP2(ctx, wait context.Context, known <-chan profile.Timeout) {
	say := func(keeps linger.Opt[bool], why string) {
		p.record(func(doc *profile.Profile) {
			h := doc.ProtocolNamed("h2")
			if h.Ping == nil {
				h.Ping = new(profile.Ping)
			}
			h.Ping.Keeps, h.Ping.Why = keeps, why
		})
	}
	c, err := p.openHTTP2(ctx)
	if err != nil {
		say(linger.Opt[bool]{}, err.Error())
		return
	}
	defer c.drop()
	if err = c.greet(ctx); err == nil {
		_, err = c.get(ctx)
	}
	if err != nil {
		say(linger.Opt[bool]{}, err.Error())
		return
	}
	began := c.last
	var limit profile.Timeout
	margin := func() time.Duration {
		return time.Duration(limit.High)*5/4 + 500*time.Millisecond
	}
	for pause := 600 * time.Millisecond; ; pause = time.Since(began) {
		due := time.Now().Add(pause)
		for time.Now().Before(due) && c.over.how == "" && c.over.err == nil && len(c.goaways) == 0 && wait.Err() == nil {
			select {
			case limit = <-known:
				known = nil
			default:
			}
			if limit.State == profile.Measured && time.Since(began) > margin() {
				say(linger.Known(true), "")
				return
			}
			until, cancel := context.WithTimeout(wait, min(time.Until(due), 250*time.Millisecond))
			_ = c.read(until, forever, func() bool { return len(c.goaways) > 0 })
			cancel()
		}
		if c.over.how != "" || c.over.err != nil || len(c.goaways) > 0 || wait.Err() != nil {
			break
		}
		if err := c.ping(); err != nil {
			c.ended(err)
			break
		}
	}
	lived := time.Since(began)
	if len(c.goaways) > 0 {
		lived = c.goaways[0].at.Sub(began)
	} else if c.over.how != "" {
		lived = c.over.at.Sub(began)
	}
	if known != nil {
		select {
		case limit = <-known:
		case <-ctx.Done():
		}
	}
	switch {
	case limit.State != profile.Measured:
		say(linger.Opt[bool]{}, "no limit was seen that it could put off")
	case lived > margin():
		say(linger.Known(true), "")
	case len(c.goaways) > 0 && c.closing().Error:
		say(linger.Known(false), "the server ended the connection that sent them: "+c.closing().String())
	case c.over.how != "" || len(c.goaways) > 0:
		say(linger.Known(false), "")
	default:
		say(linger.Opt[bool]{}, "waiting ended before it could be told")
	}
}

// countHTTP2 asks on one connection until the server has enough of it. What an error ends
// is no limit of requests.
func countHTTP2(ctx context.Context, p *prober) {
	if !p.speaksHTTP2(ctx) {
		return
	}
	count := profile.Count{State: profile.Unknown, Why: p.http2.useless}
	record := func() {
		p.record(func(doc *profile.Profile) { doc.ProtocolNamed("h2").Requests = count })
	}
	defer record()
	if p.http2.useless != "" {
		p.unmeasured(p.http2.useless, endsHTTP2...)
		return
	}
	c, err := p.openHTTP2(ctx)
	if err != nil {
		count.Why = err.Error()
		return
	}
	defer c.drop()
	if err = c.greet(ctx); err == nil {
		count.N, err = c.askUntilEnd(ctx, countedHTTP2)
	}
	found := conformance.UsedUp{Responses: count.N, Asked: countedHTTP2, Ended: len(c.goaways) > 0 || c.over.how != ""}
	if found.Ended && len(c.goaways) > 0 {
		// A second one may follow, and what is under way must be answered.
		c.awaitEnd(ctx)
	}
	if found.Ended {
		found.How, found.Closing = c.over.how, c.closing()
		if found.How == "" {
			found.How = profile.GOAWAYOpen
		}
		count.Ending, count.Closing = found.How, found.Closing
	}
	switch byError := found.Closing != nil && found.Closing.Error; {
	case count.N == 0 && found.Ended && found.Closing != nil:
		count.Why = "the server ended the connection before it had answered a request: " + found.Closing.String()
	case count.N == 0:
		count.Why = err.Error()
	case found.Ended && !byError:
		count.State = profile.Measured
	default:
		count.State = profile.AtLeast
		if byError {
			count.Why = "the server ended the connection by an error: " + found.Closing.String()
			p.endedByError("HTTP/2", count)
		} else if err != nil {
			count.Why = err.Error()
		}
	}
	if count.N > 0 {
		for _, g := range c.goaways {
			found.GOAWAY = append(found.GOAWAY, g.last)
		}
		found.Abrupt = c.isAbrupt()
		for id, a := range c.streams {
			if a.status != 0 {
				found.Last = max(found.Last, id)
			}
		}
		p.judge(found)
		return
	}
	p.unmeasured(count.Why, endsHTTP2...)
}

// askUntilEnd asks one request after the other, most of them at most, and returns how many
// were answered up to the one with which GOAWAY came. What was refused is asked again.
func (c *http2Conn) askUntilEnd(ctx context.Context, most int) (answered int, err error) {
	for range most {
		a, err := c.get(ctx)
		switch {
		case a.isRefused():
			continue
		case err != nil:
			return answered, err
		}
		answered += a.tries
		// GOAWAY may come right behind the response: then no further stream may be opened.
		err = c.read(ctx, behind, func() bool { return len(c.goaways) > 0 })
		if err != errSilent {
			return answered, err
		}
	}
	return answered, nil
}

// endedByError notes that a connection in use was ended by an error.
func (p *prober) endedByError(protocol string, count profile.Count) {
	p.record(func(doc *profile.Profile) {
		doc.Caveats = append(doc.Caveats, finding.Caveat{Code: profile.EndedByError, Subject: finding.Subject{Kind: "protocol", Name: protocol}, Figures: finding.Figures{
			finding.Number("requests", float64(count.N), ""), {Name: "closing", Text: count.Closing.String()},
		}})
	})
}

// crowdHTTP2Streams opens one stream more than the server allows, where that takes
// few. They are requests whose end is left open, so that a server that waits for it has
// all of them at once; one that does not may be through with each before the next.
func crowdHTTP2Streams(ctx context.Context, p *prober) {
	if !p.speaksHTTP2(ctx) {
		return
	}
	found := conformance.Streams{Allowed: p.http2.streams, Most: crowdHTTP2}
	if p.http2.useless != "" {
		p.unmeasured(p.http2.useless, "h2-stream-limit")
		return
	}
	if !found.Tried() {
		p.judge(found)
		return
	}
	c, err := p.openHTTP2(ctx)
	if err == nil {
		defer c.drop()
		if err = c.greet(ctx); err == nil {
			err = c.read(ctx, p.config.Answer, func() bool { return c.acknowledged })
		}
	}
	for range found.Allowed.Or(0) + 1 {
		if err == nil {
			_, err = c.ask(http.MethodGet, false)
		}
	}
	if err == nil {
		err = c.flush()
	}
	if err != nil {
		p.unmeasured(err.Error(), "h2-stream-limit")
		return
	}
	look := func() {
		found.Done = true
		for _, a := range c.streams {
			if why, reset := a.refused.Get(); reset && a.status == 0 {
				found.Refused, found.Code = true, why.String()
				found.Ours = why == http2.ErrCodeRefusedStream || why == http2.ErrCodeProtocol
			}
			found.Done = found.Done && a.done()
		}
	}
	err = c.read(ctx, p.config.Answer, func() bool { look(); return found.Refused || found.Done })
	if look(); !found.Done || found.Refused {
		if err == nil {
			if err = c.ping(); err == nil {
				err = c.read(ctx, p.config.Answer, c.pong)
			}
		}
		done := found.Done
		look()
		found.Done, found.Lives, found.Over = done, err == nil, c.over.how != ""
	}
	p.judge(found)
}
