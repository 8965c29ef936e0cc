package probe_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger/internal/testall"
	"linger/probe"
	"linger/profile"
)

// A scripted server speaks HTTP/2 in cleartext, with prior knowledge, and answers each
// request unless its script does something else.
type scripted struct {
	settings []http2.Setting
	// on is told of each complete request of a connection, the first is 1, and reports
	// whether it has dealt with it; greeted is told once SETTINGS is sent.
	on      func(s *spoken, n int, stream uint32) bool
	greeted func(s *spoken)
}

// A spoken connection is the server's side of one.
type spoken struct {
	net.Conn
	out    bytes.Buffer
	framer *http2.Framer
	block  bytes.Buffer
}

// flush sends what was written, in one segment.
func (s *spoken) flush() {
	s.Write(s.out.Bytes())
	s.out.Reset()
}

// answer writes a response.
func (s *spoken) answer(stream uint32) {
	s.block.Reset()
	hpack.NewEncoder(&s.block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.block.Bytes(), EndHeaders: true})
	s.framer.WriteData(stream, true, []byte("hello"))
}

func (script scripted) serve(c net.Conn) {
	in := bufio.NewReader(c)
	if b, err := in.Peek(3); err != nil {
		return
	} else if string(b) != "PRI" {
		if _, err := http.ReadRequest(in); err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
		}
		return
	}
	io.ReadFull(in, make([]byte, len(http2.ClientPreface)))
	s := &spoken{Conn: c}
	s.framer = http2.NewFramer(&s.out, in)
	s.framer.WriteSettings(script.settings...)
	s.flush()
	if script.greeted != nil {
		script.greeted(s)
	}
	for n := 0; ; s.flush() {
		f, err := s.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				s.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				s.framer.WritePing(true, f.Data)
			}
		case *http2.HeadersFrame:
			if !f.StreamEnded() {
				continue
			}
			n++
			if script.on == nil || !script.on(s, n, f.StreamID) {
				s.answer(f.StreamID)
			}
		}
	}
}

// limited is the limit of streams at once.
func limited(n uint32) []http2.Setting {
	return []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: n}}
}

const noStream = 1<<31 - 1

// TestEndsOfHTTP2 shows that what a server says of the end of a connection is kept, that
// an error is no limit of requests, and that no stream is opened that may not be.
func TestEndsOfHTTP2(t *testing.T) {
	t.Parallel()
	at := func(which int, do func(s *spoken, stream uint32)) func(*spoken, int, uint32) bool {
		return func(s *spoken, n int, stream uint32) bool {
			if n == which {
				do(s, stream)
			}
			return n == which
		}
	}
	opened := make(chan uint32, 100) // streams against a limit of none
	for _, test := range []struct {
		name   string
		script scripted
		count  string // requests on a connection
		ending string
		why    string // contained in that of the count
		cases  map[string]profile.Outcome
	}{
		{"an error, and words that try a terminal", scripted{on: at(4, func(s *spoken, stream uint32) {
			s.framer.WriteGoAway(stream, http2.ErrCodeEnhanceYourCalm, []byte("too_many\x1b[31m"+strings.Repeat("x", 1000)))
			s.flush()
			s.Close()
		})}, "at least 3", `GOAWAY ENHANCE_YOUR_CALM "too_many.[31m` + strings.Repeat("x", 80-13) + `...", FIN`, "by an error",
			map[string]profile.Outcome{"goaway-last-request": profile.NotMeasured, "h2-usable": profile.Pass}},
		{"GOAWAY in the segment of the third response, the true one later", scripted{on: at(3, func(s *spoken, stream uint32) {
			s.answer(stream)
			s.framer.WriteGoAway(noStream, http2.ErrCodeNo, nil)
			s.flush()
			time.Sleep(200 * time.Millisecond)
			s.framer.WriteGoAway(stream, http2.ErrCodeNo, nil)
			s.flush()
			s.Close()
		})}, "3", "GOAWAY, FIN", "", map[string]profile.Outcome{"goaway-last-request": profile.Pass, "goaway-last-stream": profile.Pass, "goaway-in-time": profile.Pass, "goaway-never-rises": profile.Pass}},
		{"GOAWAY that names no stream, and a close", scripted{on: at(3, func(s *spoken, stream uint32) {
			s.answer(stream)
			s.framer.WriteGoAway(noStream, http2.ErrCodeNo, nil)
			s.flush()
			s.Close()
		})}, "3", "GOAWAY, FIN", "", map[string]profile.Outcome{"goaway-last-request": profile.Pass, "goaway-last-stream": profile.NotMeasured, "goaway-in-time": profile.Warn}},
		{"the request behind the last is not processed", scripted{on: at(4, func(s *spoken, stream uint32) {
			s.framer.WriteGoAway(stream-2, http2.ErrCodeNo, []byte("bye"))
		})}, "3", `GOAWAY NO_ERROR "bye"`, "", map[string]profile.Outcome{"goaway-last-request": profile.Pass, "goaway-last-stream": profile.Pass}},
		{"no stream, for ever", scripted{settings: limited(0), on: func(_ *spoken, _ int, stream uint32) bool { opened <- stream; return false }},
			"not measured", "", "allows no stream", map[string]profile.Outcome{"h2-usable": profile.Warn, "h2-parallel": profile.NotMeasured, "goaway-last-request": profile.NotMeasured}},
		{"no stream, at first", scripted{settings: limited(0), greeted: func(s *spoken) {
			time.Sleep(100 * time.Millisecond)
			s.framer.WriteSettings(limited(9)...)
			s.flush()
		}}, "at least 16", "", "", map[string]profile.Outcome{"h2-usable": profile.Pass, "h2-parallel": profile.Pass}},
		{"no stream, from the third on", scripted{on: func(s *spoken, n int, stream uint32) bool {
			if n == 2 {
				s.framer.WriteSettings(limited(0)...)
			}
			return false
		}}, "at least 2", "", "allows no stream", map[string]profile.Outcome{"h2-usable": profile.Pass}},
		{"one at once", scripted{settings: limited(1)}, "at least 16", "", "", map[string]profile.Outcome{"h2-usable": profile.Pass, "h2-parallel": profile.Warn}},
		{"each is refused", scripted{on: func(s *spoken, _ int, stream uint32) bool {
			s.framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			return true
		}}, "not measured", "", "REFUSED_STREAM", map[string]profile.Outcome{"h2-usable": profile.Warn}},
		{"one is refused", scripted{on: at(2, func(s *spoken, stream uint32) {
			s.framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		})}, "at least 15", "", "", map[string]profile.Outcome{"h2-usable": profile.Pass}},
		{"GOAWAY at once", scripted{greeted: func(s *spoken) {
			s.framer.WriteGoAway(0, http2.ErrCodeNo, []byte("not now"))
			s.flush()
		}}, "not measured", "", "not now", map[string]profile.Outcome{"h2-usable": profile.Warn}},
		{"PROTOCOL_ERROR for the first", scripted{on: at(1, func(s *spoken, _ uint32) {
			s.framer.WriteGoAway(0, http2.ErrCodeProtocol, nil)
			s.flush()
			s.Close()
		})}, "not measured", "", "PROTOCOL_ERROR", map[string]profile.Outcome{"h2-usable": profile.Warn}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := probe.Run(context.Background(), probe.Config{
				Target: "http://" + testall.Accept(t, test.script.serve) + "/", Answer: time.Second,
				Experiments: []string{"what HTTP/2", "requests on a connection of HTTP/2", "streams at once"},
			})
			if err != nil {
				t.Fatal(err)
			}
			count := p.ProtocolNamed("h2").Requests
			if got := count.String(); got != test.count || !strings.Contains(count.Why, test.why) {
				t.Errorf("requests: %s (%s), want %s (%s)", got, count.Why, test.count, test.why)
			}
			if got := count.Ending.Told(count.Closing); got != test.ending {
				t.Errorf("it ends by %q, want %q", got, test.ending)
			}
			for id, want := range test.cases {
				if r, _ := p.ResultOf(id); r.Outcome != want {
					t.Errorf("%s: %s (%s), want %s", id, r.Outcome, r.Text, want)
				}
			}
			doubted := false
			for _, d := range p.Caveats {
				doubted = doubted || d.Code == profile.EndedByError
			}
			if byError := count.State == profile.AtLeast && count.Closing != nil; doubted != byError {
				t.Errorf("a caveat names an error: %v, want %v", doubted, byError)
			}
		})
	}
	t.Cleanup(func() {
		select {
		case stream := <-opened:
			t.Errorf("stream %d was opened where none may be", stream)
		default:
		}
	})
}

// TestIdleEndThatNamesNoStream shows that a server is warned of that closes idle
// connections behind a GOAWAY in such a way that requests under way are lost.
func TestIdleEndThatNamesNoStream(t *testing.T) {
	t.Parallel()
	script := func(pause time.Duration) scripted {
		return scripted{on: func(s *spoken, _ int, stream uint32) bool {
			s.answer(stream)
			s.flush()
			time.Sleep(300 * time.Millisecond)
			s.framer.WriteGoAway(noStream, http2.ErrCodeNo, nil)
			s.flush()
			time.Sleep(pause)
			s.Close()
			return true
		}}
	}
	for pause, want := range map[time.Duration]profile.Outcome{0: profile.Warn, 300 * time.Millisecond: profile.Pass} {
		p, err := probe.Run(context.Background(), probe.Config{Target: "http://" + testall.Accept(t, script(pause).serve) + "/", MaxWait: 2 * time.Second, Experiments: []string{"idle on HTTP/2"}})
		if err != nil {
			t.Fatal(err)
		}
		if r, _ := p.ResultOf("goaway-idle"); r.Outcome != want {
			t.Errorf("closed after %v: %s (%s), want %s", pause, r.Outcome, r.Text, want)
		}
	}
}

// TestEndsOfHTTP3 shows that the code and the reason of CONNECTION_CLOSE are kept, and
// that an error is no limit of requests.
func TestEndsOfHTTP3(t *testing.T) {
	t.Parallel()
	roots, pemFile := authority(t)
	type connection struct {
		*quic.Conn
		requests atomic.Int32
	}
	type key struct{}
	for code, want := range map[http3.ErrCode]string{http3.ErrCodeExcessiveLoad: "at least 3", http3.ErrCodeNoError: "3"} {
		target, _ := realServer{scheme: "https", serve: func(t *testing.T, at place) {
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c, ok := r.Context().Value(key{}).(*connection); ok && c.requests.Add(1) > 3 {
					c.CloseWithError(quic.ApplicationErrorCode(code), "too\tmany")
				}
				io.WriteString(w, "hello")
			})
			quick := &http3.Server{Handler: handler,
				ConnContext: func(ctx context.Context, c *quic.Conn) context.Context {
					return context.WithValue(ctx, key{}, &connection{Conn: c})
				}}
			serveBoth(t, at, &http.Server{Handler: handler, ErrorLog: quiet()}, quick)
		}}.start(t, pemFile)
		p, err := probe.Run(context.Background(), probe.Config{Target: target, Roots: roots, Experiments: []string{"requests on a connection of HTTP/3"}})
		if err != nil {
			t.Fatal(err)
		}
		count := p.ProtocolNamed("h3").Requests
		ending := `CONNECTION_CLOSE ` + code.String() + ` "too.many"`
		if got := count.Ending.Told(count.Closing); count.String() != want || got != ending {
			t.Errorf("%s: %s, by %q (%s); want %s, by %q", code, count, got, count.Why, want, ending)
		}
	}
}
