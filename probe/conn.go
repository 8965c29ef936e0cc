package probe

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"linger"
	"linger/live"
	"linger/profile"
)

const (
	// maxHead bounds the head of a response, and maxBody its content, in bytes.
	maxHead = 256 << 10
	maxBody = 4 << 20
)

// A conn is one connection of HTTP/1 to the target, over TLS or not.
type conn struct {
	net.Conn // what HTTP is spoken over
	prober   *prober
	socket   net.Conn             // of TCP, or a Unix socket
	state    *tls.ConnectionState // nil in cleartext
	bounded  *io.LimitedReader
	in       *bufio.Reader

	handshake   time.Duration   // TCP's, as the caller sees it
	established time.Time       // TCP's handshake was over
	ready       time.Time       // HTTP may be spoken
	heard       int             // how many responses have come
	max         linger.Opt[int] // that the last one announced; see profile.Announced
	span                        // of the last response
	dropped     bool
	source
}

// open opens a connection of HTTP/1. alter, unless it is nil, changes the
// configuration of TLS before it is used.
func (p *prober) open(ctx context.Context, alter func(*tls.Config)) (*conn, error) {
	c, err := p.connect(ctx)
	if err != nil || p.target.tls == nil {
		return c, err
	}
	if err := c.secure(ctx, alter); err != nil {
		c.drop()
		return nil, err
	}
	return c, nil
}

// spacing is how far apart connections are opened, at least: servers have a queue, which may
// be as short as five, for those that they have not accepted yet.
const spacing = 3 * time.Millisecond

// turn waits until it is time to open another connection.
func (p *prober) turn(ctx context.Context) error {
	p.mu.Lock()
	due := later(p.opens, time.Now())
	p.opens = due.Add(spacing)
	p.mu.Unlock()
	return sleep(ctx, time.Until(due))
}

// connect opens a connection of TCP and says nothing on it.
func (p *prober) connect(ctx context.Context) (*conn, error) {
	if err := p.turn(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Answer)
	defer cancel()
	began := time.Now()
	socket, err := p.route.Dial(ctx, new(net.Dialer), p.target.address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %s", p.target.address, cause(err))
	}
	now := time.Now()
	p.opened(1)
	p.tripped(now.Sub(began))
	c := &conn{Conn: socket, prober: p, socket: socket, handshake: now.Sub(began), established: now, ready: now}
	c.listen()
	return c, nil
}

// secure does TLS's handshake on a connection that has said nothing yet.
func (c *conn) secure(ctx context.Context, alter func(*tls.Config)) error {
	return c.secureOver(ctx, c.socket, alter)
}

// secureOver is secure, by way of what stands for the socket.
func (c *conn) secureOver(ctx context.Context, wire net.Conn, alter func(*tls.Config)) error {
	ctx, cancel := context.WithTimeout(ctx, c.prober.config.Answer)
	defer cancel()
	config := c.prober.target.tls.Clone()
	if alter != nil {
		alter(config)
	}
	secured := tls.Client(wire, config)
	err := secured.HandshakeContext(ctx)
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		text := strings.TrimPrefix(linger.Brief(wrong.Err.Error()), "x509: ")
		return fmt.Errorf("the certificate of %s is not valid: %s; -k goes on all the same", c.prober.target.address, text)
	}
	if err != nil {
		return fmt.Errorf("TLS with %s: %s", c.prober.target.address, cause(err))
	}
	state := secured.ConnectionState()
	c.Conn, c.state, c.ready = secured, &state, time.Now()
	c.listen()
	return nil
}

func (c *conn) listen() {
	c.bounded = &io.LimitedReader{R: c.Conn}
	c.in = bufio.NewReader(c.bounded)
}

// drop ends the connection, and may be called twice.
func (c *conn) drop() {
	if !c.dropped {
		c.dropped = true
		c.prober.opened(-1)
		c.socket.SetDeadline(time.Now().Add(100 * time.Millisecond)) // for TLS's close_notify
		c.Conn.Close()
	}
}

// opened counts connections.
func (p *prober) opened(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connected += n
	if n > 0 {
		p.profile.Spent.Connections += n
		p.profile.Spent.Peak = max(p.profile.Spent.Peak, p.connected)
	}
}

// A request is one of HTTP/1. The zero request is GET of the target's path, by
// HTTP/1.1, that asks for the connection to stay.
type request struct {
	method, path string   // GET and the target's path, where empty
	version      string   // 1.1, where empty
	fields       []string // "Name: value", besides Host and User-Agent
	body         string   // sent as it is, behind the head
	// within is how long the answer may take, where not Config.Answer.
	within time.Duration
	// beyond says that nobody should answer, so that what the answer says of the
	// server's load is not taken for that.
	beyond bool
	// provoked says that what is sent behind it may have the server reset the connection,
	// so that a response which is cut says nothing of others.
	provoked bool
}

// named are the fields as HTTP/2 and HTTP/3 have them, names in lower case.
func (q request) named() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, f := range q.fields {
			name, value, _ := strings.Cut(f, ": ")
			if !yield(strings.ToLower(name), value) {
				return
			}
		}
	}
}

// text is the request as it is sent.
func (p *prober) text(q request) string {
	content := q.method == "" && len(p.config.Message.Content) > 0
	q.method = p.method(q)
	if q.path == "" {
		q.path = p.target.path
	}
	if q.version == "" {
		q.version = "1.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\nHost: %s\r\n", q.method, q.path, q.version, p.target.host)
	for name, value := range p.config.Message.All("", content) {
		b.WriteString(name + ": " + value + "\r\n")
	}
	if content {
		q.body = string(p.config.Message.Content)
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(q.body))
	}
	for _, f := range q.fields {
		b.WriteString(f + "\r\n")
	}
	return b.String() + "\r\n" + q.body
}

// content is that of an ordinary request on HTTP/2 and HTTP/3, if the method is its own.
func (p *prober) content(method string, whole bool) []byte {
	if m := p.config.Message; whole && method == m.FirstMethod() {
		return m.Content
	}
	return nil
}

// method is that of a request: its own, or that of the ordinary one.
func (p *prober) method(q request) string {
	return cmp.Or(q.method, p.config.Message.FirstMethod())
}

// An answer is a final response, read to its end.
type answer struct {
	status int
	header http.Header
	proto  string // HTTP/1.1
	// close is whether the response ends the connection, by what it says and by the
	// version of HTTP (RFC 9112, 9.3).
	close  bool
	length int64 // of the content, in bytes
	// untilClose says that the end of the connection was the end of the content.
	untilClose bool
	chunked    bool
	first      time.Duration // from asking to the head
	// tries is how many requests the connection carried for it: those that were refused
	// were asked again.
	tries int
}

// exchange sends a request and reads its response. An ordinary one that is refused for
// the number of requests is sent again after a pause, on the same connection; of one whose
// connection that has ended the error is a turnedAway. What has to be answered within a
// time of its own is sent at once, and once.
func (p *prober) exchange(ctx context.Context, c *conn, q request) (answer, error) {
	for tries := 1; ; tries++ {
		if q.within == 0 {
			if err := p.pause(ctx); err != nil {
				return answer{}, err
			}
		}
		sent := time.Now()
		a, err := p.exchangeOnce(ctx, c, q)
		a.tries = tries
		if err != nil || !p.isOrdinary(q) {
			return a, err
		}
		again, err := p.judgeStatus(sent, a.status, a.header.Get("Retry-After"))
		switch {
		case err != nil || !again || q.within > 0:
			return a, err
		case a.close:
			return a, turnsAway(a.status)
		}
	}
}

// exchangeOnce sends a request and reads its response.
func (p *prober) exchangeOnce(ctx context.Context, c *conn, q request) (answer, error) {
	if c.strayed() {
		return answer{}, errStray
	}
	kept := c.status != 0
	if err := c.send(q); err != nil {
		return answer{}, err
	}
	a, err := c.receive(ctx, q)
	if kept && a.status == http.StatusRequestTimeout {
		// RFC 9110, 15.5.9: it "did not receive a complete request message within the time
		// that it was prepared to wait", so that this was said before the request came.
		return a, io.EOF
	}
	return a, err
}

// send sends requests in one go.
func (c *conn) send(requests ...request) error {
	if err := c.prober.spend(len(requests)); err != nil {
		return err
	}
	c.disturbed = c.disturbed || len(requests) > 1
	var b strings.Builder
	for _, q := range requests {
		b.WriteString(c.prober.text(q))
	}
	c.asked = time.Now()
	c.socket.SetWriteDeadline(c.asked.Add(c.prober.config.Answer))
	_, err := io.WriteString(c.Conn, b.String())
	return err
}

// receive reads the final response to q, its content to the end. Of a response that
// ends too early the error is io.ErrUnexpectedEOF; where there is none at all, io.EOF
// or what the socket said.
func (c *conn) receive(ctx context.Context, q request) (answer, error) {
	asked, within := time.Now(), cmp.Or(q.within, c.prober.config.Answer)
	c.socket.SetReadDeadline(asked.Add(within))
	stop := context.AfterFunc(ctx, func() { c.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	method := c.prober.method(q)
	for {
		c.bounded.N = maxHead
		if _, err := c.in.Peek(1); err != nil {
			return answer{}, err
		}
		c.first = time.Now()
		h, err := c.readHead(q.version == "1.0")
		if err != nil {
			if time.Since(asked) >= within {
				return answer{}, os.ErrDeadlineExceeded // of which may be left but a broken line
			}
			if c.bounded.N <= 0 {
				return answer{}, fmt.Errorf("the head of the response is longer than %d kB", maxHead>>10)
			}
			return answer{}, err
		}
		if h.interim() {
			continue
		}
		a := answer{status: h.status, header: h.header, proto: "HTTP/1." + string(h.minor), close: h.closes(), first: time.Since(asked)}
		c.bounded.N = maxBody
		var f delimiter
		a.length, f, err = c.content(h, method)
		a.untilClose, a.chunked = f == untilClose, f == chunked
		a.close = a.close || a.untilClose
		c.method, c.status = method, a.status
		c.last = time.Now()
		if (errors.Is(err, io.ErrUnexpectedEOF) || live.IsReset(err)) && !q.provoked {
			text := fmt.Sprintf("a response (%d) ended after %d bytes of its content", a.status, a.length)
			c.prober.note(func(f *http1Facts) { f.Cut = text })
		}
		if c.bounded.N <= 0 {
			return a, fmt.Errorf("the response is longer than %d MB; name a URL with a shorter one", maxBody>>20)
		}
		c.prober.heard(c, a)
		return a, err
	}
}

// An end is how and when the server ended a connection.
type end struct {
	how profile.Ending // "" is not at all, until waiting ended
	at  time.Time
	// stray is how many bytes came before it that nobody had asked for, sent the first of
	// them, and firstStray when the first came.
	stray      int
	sent       []byte
	firstStray time.Time
	said       *profile.Said // what they say, where the server ended the connection so
	// closing is what GOAWAY or CONNECTION_CLOSE said of the reason.
	closing *profile.Closing
	err     error
}

// awaitEnd waits until the server ends the connection, or ctx is over.
func (c *conn) awaitEnd(ctx context.Context) end {
	c.socket.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { c.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var e end
	for {
		c.bounded.N = maxBody
		b, err := c.in.ReadByte()
		e.at = time.Now()
		if err == nil {
			if e.stray == 0 {
				e.firstStray = e.at
			}
			if len(e.sent) < sampled {
				e.sent = append(e.sent, b)
			}
			if e.stray++; e.stray > maxBody {
				e.err = fmt.Errorf("it sends without end")
				return e
			}
			continue
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		default:
			if word, ok := live.Alert(err); ok {
				e.said = &profile.Said{Text: word}
				err = c.rest()
			}
			if e.how, e.err = c.howEnded(err); e.said != nil && timedOut(e.err) {
				e.err = nil // TLS is over, and TCP left to the client
			}
		}
		return e
	}
}

// rest reads what is left of the socket behind an alert that ended TLS, and returns how it
// ends; io.ErrUnexpectedEOF is FIN.
func (c *conn) rest() error {
	c.socket.SetReadDeadline(time.Now().Add(c.prober.config.Answer))
	if _, err := io.Copy(io.Discard, io.LimitReader(c.socket, maxBody)); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// cause is the innermost reason of an error, in few words.
func cause(err error) string {
	lookup, nameless := errors.AsType[*net.DNSError](err)
	switch {
	case live.IsReset(err): // in the system's own word
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case nameless:
		return "nobody knows the name " + lookup.Name
	case ends(err):
		return "it closed the connection"
	}
	return live.Cause(err)
}
