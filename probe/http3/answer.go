package http3

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/wire"
)

// An answer is a response, read to its end.
type answer struct {
	status int
	names  []string // of its fields
	length int64
	// retryAfter is that field, and tries how often it was asked for.
	retryAfter string
	tries      int
}

// get asks for the target, and again after a pause where that is refused for the number of
// requests.
func (c *conn) get(ctx context.Context) (a answer, err error) {
	for tries := 1; ; tries++ {
		if err := c.prober.Pause(ctx); err != nil {
			return a, err
		}
		sent := time.Now()
		a, err = c.getOnce(ctx)
		a.tries = tries
		if err != nil {
			return a, err
		}
		if again, err := c.prober.JudgeStatus(sent, a.status, a.retryAfter); err != nil || !again {
			return a, err
		}
	}
}

// getOnce asks for the target, and reads the answer to its end.
func (c *conn) getOnce(ctx context.Context) (a answer, err error) {
	if err := c.prober.Spend(1); err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.prober.Answer)
	defer cancel()
	select {
	case <-c.goaway:
		// RFC 9114, 5.2: "Clients MUST NOT send new requests on the connection after
		// receiving a GOAWAY frame from the server".
		return a, prober.Barred("the server takes no more requests on the connection (GOAWAY)")
	default:
	}
	s, err := c.OpenStreamSync(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return a, prober.Barred(fmt.Sprintf("the server allows no stream (MAX_STREAMS), for %v", c.prober.Answer))
	} else if err != nil {
		return a, err
	}
	stop := context.AfterFunc(ctx, func() { s.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := s.Write(c.request()); err != nil {
		return a, err
	}
	// RFC 9114, 4.1: the server may have answered and stopped our sending since, and "Clients
	// MUST NOT discard complete responses as a result of having their request terminated
	// abruptly". What else is wrong shows when the response is read.
	_ = s.Close()
	defer s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	r := bufio.NewReader(s)
	asked, first := time.Now(), time.Time{}
	for {
		_, err := r.Peek(1)
		if first.IsZero() {
			first = time.Now()
		}
		if err == io.EOF && a.status != 0 {
			c.Span = limits.Span{Asked: asked, First: first, Last: time.Now()}
			return a, nil
		}
		if err := c.part(r, &a); err != nil {
			return a, err
		}
	}
}

// request is the request for the target, as frames.
func (c *conn) request() []byte {
	var q prober.Asking
	if c.small {
		q = c.prober.Small
	}
	method := c.prober.Method(q.Method)
	content := c.prober.Content(method, true)
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	for name, value := range c.prober.Head(method, linger.SchemeHTTPS, q, len(content) > 0) {
		_ = e.WriteField(qpack.HeaderField{Name: name, Value: value})
	}
	frames := append(wire.AppendFrameHeader(nil, wire.FrameHeaders, block.Len()), block.Bytes()...)
	if len(content) > 0 {
		frames = append(wire.AppendFrameHeader(frames, wire.FrameData, len(content)), content...)
	}
	return frames
}

// part reads one frame of a response.
func (c *conn) part(r *bufio.Reader, a *answer) error {
	kind, n, err := wire.ReadFrameHeader(r)
	if err != nil {
		return err
	}
	if kind != wire.FrameHeaders {
		if n > prober.MaxBody || a.length+int64(n) > prober.MaxBody {
			return fmt.Errorf("the response is longer than %d MB", prober.MaxBody>>20)
		}
		if kind == wire.FrameData {
			a.length += int64(n)
		}
		_, err := io.CopyN(io.Discard, r, int64(n))
		return err
	}
	if n > prober.MaxHead {
		return fmt.Errorf("the head of the response is longer than %d kB", prober.MaxHead>>10)
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
