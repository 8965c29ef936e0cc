package live

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"

	"linger"
	"linger/dial"
	"linger/policy"
	"linger/trace"
)

const (
	// maxHead bounds a response's head in bytes, the interim responses before it
	// and the trailer behind it included.
	maxHead = linger.MaxHead
	// readSize is how much is asked of the kernel at once while a head is read.
	readSize = 16 << 10
)

var errHeadTooLong = fmt.Errorf("head of the response is longer than %d bytes", maxHead)

// A source is the receiving side of a connection. It knows how much was read,
// and when the last read returned.
type source struct {
	r     io.Reader
	now   func() linger.Instant
	at    linger.Instant
	read  int64
	limit int64 // beyond which a head may not make it read
	over  bool  // a head has tried
	err   error // that ended the stream
}

func (s *source) Read(p []byte) (int, error) {
	if s.read >= s.limit {
		s.over = true
		return 0, errHeadTooLong
	}
	n, err := s.r.Read(p)
	s.at = s.now()
	s.read += int64(n)
	if err != nil {
		s.err = err
	}
	return n, err
}

// when is when the last byte was read.
func (s *source) when() linger.Instant { return s.at }

// responses reads the responses of one connection, one after the other: await,
// head, content until io.EOF, and again. It consumes no byte beyond a response.
type responses struct {
	src     source
	buf     *bufio.Reader
	text    textproto.Reader
	framing framing
	left    int64     // of a body with a known length
	chunks  io.Reader // of a chunked body
}

// A framing is how the end of a response is known (RFC 9112, 6.3).
type framing uint8

const (
	noContent framing = iota
	counted
	chunked
	untilClose
)

// head is what a response says before its content.
type head struct {
	version string // "1.0" or "1.1"
	status  int
	fields  textproto.MIMEHeader
}

func newResponses(buf *bufio.Reader, r io.Reader, now func() linger.Instant) *responses {
	s := &responses{src: source{r: r, now: now}, buf: buf}
	buf.Reset(&s.src)
	s.text.R = buf
	return s
}

// offset is how many bytes of the connection have been consumed.
func (r *responses) offset() int64 { return r.src.read - int64(r.buf.Buffered()) }

// await returns when the first byte of a response is there; it was read at src.at.
func (r *responses) await() error {
	r.src.limit = r.offset() + maxHead
	_, err := r.buf.Peek(1)
	return err
}

// beginsHead reports whether what has come begins as a response does, as far as it has.
func (r *responses) beginsHead() bool {
	const version = "HTTP/1."
	began, _ := r.buf.Peek(min(r.buf.Buffered(), len(version)))
	return strings.HasPrefix(version, string(began))
}

// readHead reads the head of the response to a request with that method.
func (r *responses) readHead(method string) (head, error) {
	for {
		h, err := r.readOneHead()
		if err != nil {
			return head{}, err
		}
		// RFC 9110, 15.2: "A client MUST be able to parse one or more 1xx responses
		// received prior to a final response, even if the client does not expect
		// one". 101 ends HTTP on the connection, and was not asked for.
		if h.status == 101 {
			return head{}, errors.New("status 101: a switch of protocols that nobody asked for")
		}
		if h.status >= 200 {
			err := r.frame(method, h)
			r.src.limit = 1<<63 - 1
			return h, err
		}
	}
}

func (r *responses) readOneHead() (head, error) {
	line, err := r.text.ReadLine()
	if err != nil {
		return head{}, err
	}
	// RFC 9112, 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]
	proto, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.ParseUint(code, 10, 16)
	if len(code) != 3 || err != nil || status < 100 {
		return head{}, fmt.Errorf("%q is not a status line", brief(line))
	}
	version := "1.1"
	switch {
	case proto == "HTTP/1.0":
		version = "1.0"
	case len(proto) != len("HTTP/1.1") || proto[:7] != "HTTP/1." || proto[7] < '0' || proto[7] > '9':
		return head{}, fmt.Errorf("%q is not a status line of HTTP/1", brief(line))
	}
	fields, err := r.text.ReadMIMEHeader()
	if err != nil {
		return head{}, err
	}
	return head{version, int(status), fields}, nil
}

// frame finds out where the content ends: RFC 9112, 6.3, in the standard's order.
func (r *responses) frame(method string, h head) error {
	lengths, codings := h.fields["Content-Length"], h.fields["Transfer-Encoding"]
	switch {
	case method == "HEAD" || h.status == 204 || h.status == 304:
		r.framing = noContent
	case len(codings) > 0 && h.version == "1.0":
		// RFC 9112, 6.1: such a message is to be treated "as if the framing is
		// faulty, even if a Content-Length is present".
		return errors.New("Transfer-Encoding in an HTTP/1.0 response")
	case len(codings) > 0:
		if len(codings) != 1 || !strings.EqualFold(strings.TrimSpace(codings[0]), "chunked") {
			return fmt.Errorf("transfer coding %q; chunked alone is understood", brief(strings.Join(codings, ", ")))
		}
		r.framing, r.chunks = chunked, httputil.NewChunkedReader(r.buf)
	case len(lengths) > 0:
		// A list whose values are all the same counts as that value (RFC 9112, 6.3).
		values := strings.Split(strings.Join(lengths, ","), ",")
		n, err := strconv.ParseUint(strings.TrimSpace(values[0]), 10, 63)
		for _, other := range values[1:] {
			if strings.TrimSpace(other) != strings.TrimSpace(values[0]) {
				err = strconv.ErrSyntax
			}
		}
		if err != nil {
			return fmt.Errorf("Content-Length %q is not one length", brief(strings.Join(lengths, ", ")))
		}
		r.framing, r.left = counted, int64(n)
	default:
		r.framing = untilClose
	}
	return nil
}

// Read reads content: the body without its framing. It returns io.EOF once the
// response has been consumed in full, io.ErrUnexpectedEOF where it was cut short.
func (r *responses) Read(p []byte) (n int, err error) {
	switch r.framing {
	case counted:
		if r.left > 0 {
			n, err = r.buf.Read(p[:min(int64(len(p)), r.left)])
			r.left -= int64(n)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
		}
		if r.left == 0 && err == nil {
			err = io.EOF
		}
		return n, err
	case chunked:
		n, err = r.chunks.Read(p)
		if err == io.EOF {
			r.framing = noContent
			r.src.limit = r.offset() + maxHead
			if _, err := r.text.ReadMIMEHeader(); err != nil {
				return n, unexpected(err)
			}
			r.src.limit = 1<<63 - 1
		}
		return n, err
	case untilClose:
		return r.buf.Read(p)
	default:
		return 0, io.EOF
	}
}

// discard reads what comes until the stream ends, so that a close of ours meets
// no unread data, which would make it an RST and destroy what is under way.
func (r *responses) discard() error {
	r.src.limit = 1<<63 - 1
	_, err := r.buf.WriteTo(io.Discard)
	if err == nil {
		err = io.EOF
	}
	return err
}

// ending puts an error of the reader into words; where says what was being read.
func (r *responses) ending(err error, where string) ending {
	switch {
	case r.src.over: // err may be about the line that was cut off there
		return ending{policy.Malformed, trace.AtClient, errHeadTooLong.Error()}
	case r.src.err == nil || r.buf.Buffered() > 0:
		return ending{policy.Malformed, trace.AtClient, "malformed response: " + brief(err.Error())}
	default:
		return r.src.ending(where)
	}
}

// ending puts the end of the stream into words.
func (s *source) ending(where string) ending {
	switch {
	case s.err == io.EOF:
		return ending{policy.ClosedByPeer, trace.AtServer, "server closed " + where}
	case dial.IsReset(s.err):
		return ending{policy.Reset, trace.AtServer, "server reset the connection " + where}
	case dial.IsAlert(s.err):
		return ending{policy.Reset, trace.AtServer, brief(dial.Cause(s.err)) + " " + where}
	default:
		return ending{policy.Reset, trace.Nobody, brief(dial.Cause(s.err)) + " " + where}
	}
}

// unexpected turns the end of the stream into a premature one.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// brief makes foreign bytes fit to be shown in a line: printable and short.
func brief(s string) string { return linger.Brief(s) }
