package http2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
	"linger/wire"
)

// An answer is a response, as far as it has come.
type answer struct {
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

// stream is the answer on a stream of ours, or one that nobody will look at.
func (c *conn) stream(id uint32) *answer {
	if a := c.streams[id]; a != nil {
		return a
	}
	return new(answer)
}

// field is the value of a field, "" where there is none.
func (a *answer) field(name string) string {
	if i := slices.IndexFunc(a.fields, func(f hpack.HeaderField) bool { return f.Name == name }); i >= 0 {
		return a.fields[i].Value
	}
	return ""
}

// done reports whether nothing more comes.
func (a *answer) done() bool {
	_, reset := a.refused.Get()
	return a.ended || reset || a.beyond != "" || a.length >= prober.MaxBody
}

// isRefused reports whether the server has said that it did not process the request, so
// that it may be retried (RFC 9113, 8.7).
func (a *answer) isRefused() bool {
	code, reset := a.refused.Get()
	return reset && code == http2.ErrCodeRefusedStream && a.status == 0
}

// err says why an answer that is done is none.
func (a *answer) err() error {
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
	return fmt.Errorf("the response is longer than %d MB", prober.MaxBody>>20)
}

// ask begins a request on a new stream; with whole it is complete.
func (c *conn) ask(method string, whole bool) (uint32, error) {
	if err := c.Prober.Spend(1); err != nil {
		return 0, err
	}
	c.block.Reset()
	scheme := linger.SchemeHTTP
	if c.State != nil {
		scheme = linger.SchemeHTTPS
	}
	var q prober.Asking
	if c.small {
		q = c.Prober.Small
		method = cmp.Or(q.Method, method)
	}
	content := c.Prober.Content(method, whole)
	for name, value := range c.Prober.Head(method, scheme, q, len(content) > 0) {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	id := c.next
	c.next += 2
	c.streams[id] = new(answer)
	for kind, block := true, c.block.Bytes(); ; kind = false {
		n := min(len(block), wire.FrameSize)
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
func (c *conn) allowed() (n uint64, said bool) {
	n, said = c.settings[maxStreams]
	return n, said
}

// maxStreams is the setting that limits streams at once.
var maxStreams = "SETTINGS_" + http2.SettingMaxConcurrentStreams.String()

// admitted waits until a stream may be opened, as long as an answer may take.
//
// RFC 9113, 5.1.2: "Endpoints MUST NOT exceed the limit set by their peer." 6.5.2: "A zero
// value does prevent the creation of new streams; [...] Servers SHOULD only set a zero
// value for short durations". 6.8: "Receivers of a GOAWAY frame MUST NOT open additional
// streams on the connection".
func (c *conn) admitted(ctx context.Context) error {
	free := func() bool {
		n, said := c.allowed()
		return !said || n > 0
	}
	err := c.read(ctx, c.Prober.Answer, func() bool { return free() || len(c.goaways) > 0 })
	switch {
	case len(c.goaways) > 0:
		return prober.Barred("the server takes no more requests on the connection (" + c.closing().String() + ")")
	case err == prober.ErrSilent:
		return prober.Barred(fmt.Sprintf("the server allows no stream (%s 0), for %v", maxStreams, c.Prober.Answer))
	}
	return err
}

// get asks for the target, and again after a pause where that is refused for the number of
// requests.
func (c *conn) get(ctx context.Context) (*answer, error) {
	for tries := 1; ; tries++ {
		if err := c.Prober.Pause(ctx); err != nil {
			return new(answer), err
		}
		sent := time.Now()
		a, err := c.getOnce(ctx)
		a.tries = tries
		if err != nil {
			return a, err
		}
		if again, err := c.Prober.JudgeStatus(sent, a.status, a.field("retry-after")); err != nil || !again {
			return a, err
		}
	}
}

// getOnce asks for the target, as soon as the server allows that, and reads the answer to
// its end.
func (c *conn) getOnce(ctx context.Context) (*answer, error) {
	if err := c.admitted(ctx); err != nil {
		return new(answer), err
	}
	id, err := c.ask(c.Prober.Method(""), true)
	if err != nil {
		return new(answer), err
	}
	a := c.streams[id]
	err = c.flush()
	c.Asked = c.sent
	if err != nil {
		// What the server has said before it closed is there to be read.
		if err := c.read(ctx, c.Prober.Answer, a.done); err != nil {
			return a, err
		}
		return a, a.err()
	}
	if err := c.read(ctx, c.Prober.Answer, a.done); err != nil {
		return a, err
	}
	c.Span.First, c.Last = a.first, a.at
	return a, a.err()
}

// ping sends PING; pong reports whether that was answered.
func (c *conn) ping() error {
	c.pinged++
	_ = c.framer.WritePing(false, payload(c.pinged))
	return c.flush()
}

func (c *conn) pong() bool { return c.ponged == c.pinged }

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
func (c *conn) awaitEnd(ctx context.Context) limits.End {
	err := c.read(ctx, limits.Forever, func() bool { return len(c.goaways) > 0 })
	if err == nil {
		// What is told to go may be left to go by itself, or be closed a little later.
		grace, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		_ = c.read(grace, limits.Forever, func() bool { return false })
		e := c.over
		if e.How == "" && e.Err == nil {
			e.How = profile.GOAWAYOpen
		}
		e.At, e.Closing = c.goaways[0].at, c.closing()
		return e
	}
	if c.over.How != "" || c.over.Err != nil {
		return c.over
	}
	return limits.End{At: time.Now()}
}
