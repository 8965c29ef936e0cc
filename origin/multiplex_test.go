package origin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger/content"
	"linger/origin/accesslog"
	"linger/origin/head"
	"linger/policy"
	"linger/trace"
	"linger/wire"
)

// An h2client speaks HTTP/2 frame by frame.
type h2client struct {
	t     *testing.T
	c     net.Conn
	fr    *http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func newH2client(t *testing.T, c net.Conn) *h2client {
	h := &h2client{t: t, c: c}
	r := bufio.NewReader(c)
	h.fr = http2.NewFramer(c, r)
	h.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.enc = hpack.NewEncoder(&h.block)
	// A pipe holds nothing: what the server says first has to be read.
	said := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, http2.ClientPreface)
		said <- errors.Join(err, h.fr.WriteSettings())
	}()
	h.want("SETTINGS", "WINDOW_UPDATE", "SETTINGS ack")
	if err := <-said; err != nil {
		t.Fatal(err)
	}
	return h
}

// request sends a head; fields are name and value in turn.
func (h *h2client) request(id uint32, end bool, method, path string, fields ...string) {
	h.block.Reset()
	for f := range slices.Chunk(append([]string{":method", method, ":scheme", "http", ":authority", "a", ":path", path}, fields...), 2) {
		h.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.block.Bytes(), EndHeaders: true, EndStream: end})
}

// next returns the next frame in words.
func (h *h2client) next() string {
	f, err := h.fr.ReadFrame()
	if err != nil {
		return err.Error()
	}
	id := f.Header().StreamID
	end := ""
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "SETTINGS ack"
		}
		return "SETTINGS"
	case *http2.MetaHeadersFrame:
		if f.StreamEnded() {
			end = " end"
		}
		return fmt.Sprintf("%d: %s%s", id, f.PseudoValue("status"), end)
	case *http2.DataFrame:
		if f.StreamEnded() {
			end = " end"
		}
		return fmt.Sprintf("%d: %d bytes%s", id, len(f.Data()), end)
	case *http2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY %d %v", f.LastStreamID, f.ErrCode)
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("%d: RST_STREAM %v", id, f.ErrCode)
	}
	return f.Header().Type.String()
}

func (h *h2client) want(frames ...string) {
	h.t.Helper()
	for _, want := range frames {
		if got := h.next(); got != want {
			h.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// overH2 runs body on a connection of HTTP/2 in memory and in virtual time, and
// returns the log.
func overH2(t *testing.T, config Config, body func(t *testing.T, s *Server, h *h2client)) *recorder {
	var log recorder
	config.Log = log.log
	inMemory(t, config, func(t *testing.T, s *Server, p *pipes) {
		c := p.dial()
		defer c.Close()
		body(t, s, newH2client(t, c))
	})
	return &log
}

func TestH2AnswersEachStreamWhenItIsDue(t *testing.T) {
	overH2(t, Config{}, func(t *testing.T, _ *Server, h *h2client) {
		began := time.Now()
		h.request(1, true, "GET", "/delay/3s")
		h.request(3, true, "GET", "/delay/1s")
		h.request(5, true, "GET", "/bytes/10")
		h.want("5: 200", "5: 10 bytes end", "3: 200", "3: 10 bytes end")
		if d := time.Since(began); d != time.Second {
			t.Errorf("the second answer came after %v", d)
		}
		h.want("1: 200", "1: 10 bytes end")
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("the last answer came after %v", d)
		}
	})
}

func TestH2StreamsTakeTurns(t *testing.T) {
	overH2(t, Config{}, func(t *testing.T, _ *Server, h *h2client) {
		h.request(1, true, "GET", "/delay/1s")
		h.request(3, true, "GET", "/bytes/40000")
		h.want("3: 200", "3: 16384 bytes", "3: 16384 bytes", "3: 7232 bytes end")
		h.want("1: 200", "1: 10 bytes end")
		h.fr.WriteWindowUpdate(0, 1<<20)
		// What is asked for while nothing can be sent is sent in turns.
		h.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		h.want("SETTINGS ack")
		h.request(5, true, "GET", "/bytes/20000")
		h.want("5: 200")
		h.request(7, true, "GET", "/bytes/20000")
		h.want("7: 200")
		h.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 30_000})
		frames := []string{}
		for range 5 {
			frames = append(frames, h.next())
		}
		slices.Sort(frames)
		if got := strings.Join(frames, ", "); got != "5: 16384 bytes, 5: 3616 bytes end, 7: 16384 bytes, 7: 3616 bytes end, SETTINGS ack" {
			t.Error(got)
		}
	})
}

func TestH2LastRequest(t *testing.T) {
	log := overH2(t, Config{Policy: policy.ServerPolicy{MaxRequests: 2}}, func(t *testing.T, _ *Server, h *h2client) {
		h.request(1, true, "GET", "/delay/2s")
		h.request(3, true, "GET", "/bytes/1")
		// GOAWAY comes at once, so that the client asks elsewhere; what it had sent
		// by then behind the last stream is not looked at.
		h.want("GOAWAY 3 NO_ERROR")
		h.request(5, true, "GET", "/bytes/1")
		h.want("3: 200", "3: 1 bytes end", "1: 200", "1: 10 bytes end", "EOF")
	})
	if answered := log.of(accesslog.Answered); len(answered) != 2 || answered[0].Request != 2 || answered[1].Request != 1 || answered[0].Kept {
		t.Errorf("log: %v", answered)
	}
	if end := log.of(accesslog.Closed); end[0].Reason != "requests per connection used up" || end[0].By != trace.AtServer || end[0].Request != 2 {
		t.Errorf("log: %v", end)
	}
}

func TestH2Timeouts(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		// talk is what the client does before it waits; after is when the server
		// ends the connection, frames what it says before.
		talk   func(h *h2client)
		after  time.Duration
		frames []string
		reason string
	}{
		{"idle", Config{Policy: policy.ServerPolicy{IdleTimeout: 5 * time.Second}}, func(h *h2client) {},
			5 * time.Second, []string{"GOAWAY 0 NO_ERROR"}, "idle timeout"},
		{"idle after requests", Config{Policy: policy.ServerPolicy{IdleTimeout: 5 * time.Second}}, func(h *h2client) {
			h.request(1, true, "GET", "/delay/7s")
			h.want("1: 200", "1: 10 bytes end")
		}, 12 * time.Second, []string{"GOAWAY 1 NO_ERROR"}, "idle timeout"},
		{"old", Config{Policy: policy.ServerPolicy{MaxAge: 3 * time.Second}}, func(h *h2client) {},
			3 * time.Second, []string{"GOAWAY 0 NO_ERROR"}, "maximum age reached"},
		{"half a frame", Config{Policy: policy.ServerPolicy{RequestTimeout: 4 * time.Second}}, func(h *h2client) {
			h.c.Write([]byte{0, 0, 9, 1})
		}, 4 * time.Second, []string{"GOAWAY 0 NO_ERROR"}, "request timeout"},
		{"half a head", Config{Policy: policy.ServerPolicy{RequestTimeout: 4 * time.Second}}, func(h *h2client) {
			h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
		}, 4 * time.Second, []string{"GOAWAY 0 NO_ERROR"}, "request timeout"},
		{"content that does not come", Config{Stall: 6 * time.Second}, func(h *h2client) {
			h.request(1, false, "POST", "/bytes/1")
		}, 6 * time.Second, []string{"GOAWAY 1 NO_ERROR"}, "client stalled"},
		{"a window that does not open", Config{Stall: 6 * time.Second}, func(h *h2client) {
			h.request(1, true, "GET", "/bytes/65536")
			h.want("1: 200")
			for left := 65535; left > 0; {
				var id, n int
				must(fmt.Sscanf(h.next(), "%d: %d bytes", &id, &n))
				left -= n
			}
		}, 6 * time.Second, []string{"GOAWAY 1 NO_ERROR"}, "client stalled"},
	} {
		log := overH2(t, test.config, func(t *testing.T, _ *Server, h *h2client) {
			began := time.Now()
			test.talk(h)
			h.want(append(test.frames, "EOF")...)
			if d := time.Since(began); d != test.after {
				t.Errorf("%s: ends after %v, want %v", test.name, d, test.after)
			}
		})
		if end := log.of(accesslog.Closed); end[0].Reason != test.reason || end[0].By != trace.AtServer {
			t.Errorf("%s: log: %v", test.name, end)
		}
	}
}

func TestH2Refusals(t *testing.T) {
	config := Config{MaxRequestBody: 1000, MaxStreams: 2, MaxHeader: 16 << 10}
	overH2(t, config, func(t *testing.T, s *Server, h *h2client) {
		h.request(1, false, "POST", "/bytes/1", "content-length", "1001")
		h.want("1: 413", "1: 42 bytes end", "1: RST_STREAM NO_ERROR")
		h.fr.WriteData(1, false, make([]byte, 100)) // was under way
		h.request(3, false, "POST", "/bytes/1")
		h.fr.WriteData(3, false, make([]byte, 1001))
		h.want("3: 413", "3: 42 bytes end", "3: RST_STREAM NO_ERROR")
		h.request(5, true, "GET", "/bytes/1", "expect", "a miracle")
		h.want("5: 417", "5: 50 bytes end")
		h.request(7, false, "POST", "/bytes/1", "expect", "100-continue")
		h.want("7: 100")
		h.fr.WriteData(7, true, []byte("abc"))
		h.want("7: 200", "7: 1 bytes end")
		h.request(9, true, "GET", "/"+strings.Repeat("a", minTarget))
		h.want("9: 414", "9: 41 bytes end")
		h.request(11, true, "GET", "/", "big", strings.Repeat("a", 15<<10), "bigger", strings.Repeat("b", 900))
		h.want("11: 431", "11: 35 bytes end")
		h.request(13, false, "POST", "/bytes/1")
		h.request(15, false, "POST", "/bytes/1")
		h.request(17, true, "GET", "/bytes/1")
		h.want("17: RST_STREAM REFUSED_STREAM")
		h.request(19, true, "GET", "nowhere")
		h.want("19: RST_STREAM REFUSED_STREAM")
		h.fr.WriteRSTStream(13, http2.ErrCodeCancel)
		h.request(21, true, "GET", "nowhere")
		h.want("21: RST_STREAM PROTOCOL_ERROR")
		h.request(23, true, "GET", "/bytes/1", "connection", "close")
		h.want("23: RST_STREAM PROTOCOL_ERROR")
		h.request(25, true, "GET", "/bytes/1", "host", "b")
		h.want("25: RST_STREAM PROTOCOL_ERROR")
		h.request(27, false, "POST", "/bytes/1", "content-length", "3")
		h.fr.WriteData(27, true, []byte("ab"))
		h.want("27: RST_STREAM PROTOCOL_ERROR")
		h.request(29, true, "HEAD", "/bytes/1")
		h.want("29: 200 end")
		h.request(31, true, "OPTIONS", "*")
		h.want("31: 204 end")
		if n := s.Counters().Requests; n != 11 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestH2Floods has clients send without end what costs, and what is nothing.
func TestH2Floods(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, test := range []struct {
		name   string
		read   bool // the client reads what it is sent
		send   func(h *h2client, i uint32) error
		reason string // of the end, the beginning
	}{
		{"PING, and answers are not read", false, func(h *h2client, _ uint32) error { return h.fr.WritePing(false, [8]byte{}) },
			"ENHANCE_YOUR_CALM: client asks for more than it takes"},
		{"PING", true, func(h *h2client, _ uint32) error { return h.fr.WritePing(false, [8]byte{}) }, "ENHANCE_YOUR_CALM: client "},
		{"SETTINGS", true, func(h *h2client, i uint32) error {
			return h.fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: i})
		}, "ENHANCE_YOUR_CALM: client sends frames that carry nothing"},
		{"frames of unknown type", true, func(h *h2client, _ uint32) error { return h.fr.WriteRawFrame(0x77, 0, 0, []byte("x")) },
			"ENHANCE_YOUR_CALM: client sends frames that carry nothing"},
		{"PRIORITY", true, func(h *h2client, i uint32) error { return h.fr.WritePriority(2*i+1, http2.PriorityParam{Weight: 1}) },
			"ENHANCE_YOUR_CALM: client sends frames that carry nothing"},
		{"WINDOW_UPDATE", true, func(h *h2client, _ uint32) error { return h.fr.WriteWindowUpdate(0, 1) }, "ENHANCE_YOUR_CALM: client sends frames that carry nothing"},
		{"empty DATA", true, func(h *h2client, i uint32) error {
			if i == 0 {
				h.request(1, false, "POST", "/bytes/1")
			}
			return h.fr.WriteData(1, false, nil)
		}, "ENHANCE_YOUR_CALM: client sends frames that carry nothing"},
		{"padding", true, func(h *h2client, i uint32) error {
			if i == 0 {
				h.request(1, false, "POST", "/bytes/1")
			}
			return h.fr.WriteDataPadded(1, false, nil, make([]byte, 9))
		}, "ENHANCE_YOUR_CALM: client sends frames that carry nothing"},
		{"empty CONTINUATION", true, func(h *h2client, i uint32) error {
			if i == 0 {
				return h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
			}
			return h.fr.WriteContinuation(1, false, nil)
		}, "ENHANCE_YOUR_CALM: a head in more than 65536 bytes of frames that has no end"},
		{"a head without end", true, func(h *h2client, i uint32) error {
			h.block.Reset()
			h.enc.WriteField(hpack.HeaderField{Name: "a", Value: long, Sensitive: true})
			if i == 0 {
				return h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.block.Bytes()})
			}
			return h.fr.WriteContinuation(1, false, h.block.Bytes())
		}, "ENHANCE_YOUR_CALM: a head of more than 16384 bytes that has no end"},
		{"requests, each reset (CVE-2023-44487)", true, func(h *h2client, i uint32) error {
			h.request(2*i+1, true, "GET", "/delay/60s")
			return h.fr.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		}, "ENHANCE_YOUR_CALM: client has streams reset without end"},
		{"requests that have themselves reset", true, func(h *h2client, i uint32) error {
			h.request(2*i+1, true, "GET", "/delay/60s")
			return h.fr.WriteRawFrame(http2.FrameWindowUpdate, 0, 2*i+1, make([]byte, 4))
		}, "ENHANCE_YOUR_CALM: client has streams reset without end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := overH2(t, Config{Stall: time.Second, MaxHeader: 16 << 10}, func(t *testing.T, _ *Server, h *h2client) {
				if test.read {
					go io.Copy(io.Discard, h.c)
				}
				for i := range uint32(40_000) {
					if test.send(h, i) != nil {
						return
					}
				}
			})
			if end := log.of(accesslog.Closed); len(end) != 1 || end[0].By != trace.AtServer || !strings.HasPrefix(end[0].Reason, test.reason) {
				t.Errorf("log: %v; want %s", end, test.reason)
			}
		})
	}
}

// TestH2InEarnestIsNoFlood has a client do much of what floods are made of, and be served:
// each second 30 requests that it gives up, 200 others, and 9000 frames that carry nothing.
func TestH2InEarnestIsNoFlood(t *testing.T) {
	const seconds = 60
	overH2(t, Config{MaxStreams: 1000}, func(t *testing.T, _ *Server, h *h2client) {
		go func() {
			id := uint32(1)
			for range seconds {
				for range 30 {
					h.request(id, true, "GET", "/delay/60s")
					h.fr.WriteRSTStream(id, http2.ErrCodeCancel)
					id += 2
				}
				for range 200 {
					for range 45 {
						h.fr.WriteWindowUpdate(0, 1)
					}
					h.request(id, true, "GET", "/bytes/1")
					id += 2
				}
				time.Sleep(time.Second)
			}
		}()
		for answered := 0; answered < seconds*200; {
			switch got := h.next(); {
			case strings.HasSuffix(got, ": 1 bytes end"):
				answered++
			case !strings.HasSuffix(got, ": 200"):
				t.Errorf("%s, after %d responses", got, answered)
				h.c.Close()
				return
			}
		}
	})
}

func TestH2Shutdown(t *testing.T) {
	overH2(t, Config{}, func(t *testing.T, s *Server, h *h2client) {
		h.request(1, true, "GET", "/delay/3s")
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }()
		h.want("GOAWAY 1 NO_ERROR")
		h.request(3, true, "GET", "/bytes/1")
		h.want("1: 200", "1: 10 bytes end", "EOF")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// An h3client speaks HTTP/3 stream by stream.
type h3client struct {
	t       *testing.T
	c       *quic.Conn
	control *bufio.Reader    // the server's
	said    *quic.SendStream // the client's
}

func newH3client(t *testing.T, address string) *h3client {
	config := &tls.Config{RootCAs: certifier().Pool(), NextProtos: []string{http3.NextProtoH3}}
	h := &h3client{t: t, c: must(quic.DialAddr(t.Context(), address, config, nil))}
	t.Cleanup(func() { h.c.CloseWithError(0, "") })
	h.said = h.uni(wire.StreamControl, wire.AppendFrameHeader(nil, wire.FrameSettings, 0)...)
	h.control = bufio.NewReader(must(h.c.AcceptUniStream(t.Context())))
	if kind := must(wire.ReadVarint(h.control)); kind != wire.StreamControl {
		t.Fatalf("the server's first stream is of type %d", kind)
	}
	h.frame(wire.FrameSettings)
	return h
}

// uni opens a unidirectional stream of a type.
func (h *h3client) uni(kind uint64, b ...byte) *quic.SendStream {
	str := must(h.c.OpenUniStream())
	must(str.Write(append(wire.AppendVarint(nil, kind), b...)))
	return str
}

// frame reads the next frame of the server's control stream.
func (h *h3client) frame(want uint64) []byte {
	h.t.Helper()
	kind, n, err := wire.ReadFrameHeader(h.control)
	if err != nil || kind != want {
		h.t.Fatalf("frame of type %d, %v; want %d", kind, err, want)
	}
	b := make([]byte, n)
	must(io.ReadFull(h.control, b))
	return b
}

// pour sends what the server may not want to the end of.
func (h *h3client) pour(b []byte) {
	h.t.Helper()
	str := must(h.c.OpenStreamSync(h.t.Context()))
	str.Write(b) // the connection may be over before all of it has been sent
}

// open opens a stream and writes b to it.
func (h *h3client) open(b []byte) *quic.Stream {
	str := must(h.c.OpenStream())
	must(str.Write(b))
	return str
}

// headFrame is a request's HEADERS frame.
func headFrame(fields ...string) []byte {
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	for f := range slices.Chunk(fields, 2) {
		e.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return append(wire.AppendFrameHeader(nil, wire.FrameHeaders, block.Len()), block.Bytes()...)
}

func get(path string) []byte {
	return headFrame(":method", "GET", ":scheme", "https", ":authority", "a", ":path", path)
}

func TestHandshakesAreBounded(t *testing.T) {
	var h handshakes
	end := make([]context.CancelFunc, 2*maxUnproven)
	for i := range end {
		if got := h.doubt(nil); got != (i >= maxUnproven) {
			t.Fatalf("with %d under way addresses are doubted: %v", i, got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		end[i] = cancel
		if _, err := h.begin(ctx, nil); err != nil {
			t.Fatalf("handshake %d: %v", i, err)
		}
	}
	if _, err := h.begin(t.Context(), nil); err == nil {
		t.Error("there are handshakes without end")
	}
	for _, cancel := range end {
		cancel()
	}
	settleCount(t, func() bool { return h.under.Load() == 0 })
}

func TestH3LastRequest(t *testing.T) {
	var log recorder
	s, address := serveOn(t, Config{Policy: policy.ServerPolicy{MaxRequests: 2}, Log: log.log}, ways[4])
	h := newH3client(t, address)
	// The second and last stream comes first.
	slow := must(h.c.OpenStream())
	fast := must(h.c.OpenStream())
	late := must(h.c.OpenStream())
	must(late.Write(get("/bytes/1")))
	if _, err := io.ReadAll(late); !errors.Is(err, &quic.StreamError{StreamID: 8, ErrorCode: quic.StreamErrorCode(http3.ErrCodeRequestRejected), Remote: true}) {
		t.Errorf("the stream behind the last: %v", err)
	}
	if id := must(wire.ReadVarint(bytes.NewReader(h.frame(wire.FrameGoAway)))); id != 8 {
		t.Errorf("GOAWAY %d, want 8: the first stream that is not answered", id)
	}
	for _, str := range []*quic.Stream{fast, slow} {
		must(str.Write(get("/bytes/70000")))
		str.Close()
		if b := must(io.ReadAll(str)); len(b) < 70000 {
			t.Errorf("stream %d: %d bytes", str.StreamID(), len(b))
		}
	}
	h.c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	settleCount(t, func() bool { return s.Counters().Open == 0 })
	settle(t, s)
	if end := log.of(accesslog.Closed); len(end) != 1 || end[0].Reason != "requests per connection used up" || end[0].By != trace.AtServer || end[0].Request != 2 {
		t.Errorf("log: %v", end)
	}
}

func TestH3Errors(t *testing.T) {
	empty := func(kind byte) []byte { return bytes.Repeat([]byte{kind, 0}, 2*idleAllowance.atOnce) }
	settings := wire.AppendFrameHeader(nil, wire.FrameSettings, 0)
	for _, test := range []struct {
		name   string
		do     func(h *h3client)
		code   http3.ErrCode
		stream bool // the error is the stream's
	}{
		{"DATA first", func(h *h3client) { h.open([]byte{wire.FrameData, 1, 0}) }, http3.ErrCodeFrameUnexpected, false},
		{"SETTINGS in a request", func(h *h3client) { h.open(settings) }, http3.ErrCodeFrameUnexpected, false},
		{"a frame of HTTP/2", func(h *h3client) { h.open([]byte{0x6, 0}) }, http3.ErrCodeFrameUnexpected, false},
		{"a second control stream", func(h *h3client) { h.uni(wire.StreamControl, settings...) }, http3.ErrCodeStreamCreationError, false},
		{"a push stream", func(h *h3client) { h.uni(wire.StreamPush, 0) }, http3.ErrCodeStreamCreationError, false},
		{"an encoder stream that ends", func(h *h3client) { h.uni(wire.StreamEncoder).Close() }, http3.ErrCodeClosedCriticalStream, false},
		{"what QPACK cannot read", func(h *h3client) { h.open(append(wire.AppendFrameHeader(nil, wire.FrameHeaders, 3), 0, 0, 0x80)) }, http3.ErrCodeQPACKDecompressionFailed, false},
		{"no path", func(h *h3client) { h.open(headFrame(":method", "GET", ":scheme", "https", ":authority", "a")) }, http3.ErrCodeMessageError, true},
		{"no authority", func(h *h3client) { h.open(headFrame(":method", "GET", ":scheme", "https", ":path", "/")) }, http3.ErrCodeMessageError, true},
		{"capitals", func(h *h3client) {
			h.open(headFrame(":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/", "Accept", "b"))
		}, http3.ErrCodeMessageError, true},
		{"half a head", func(h *h3client) { h.open([]byte{wire.FrameHeaders, 9, 0}).Close() }, http3.ErrCodeRequestIncomplete, true},
		{"nothing", func(h *h3client) { h.open([]byte{0x21, 0}).Close() }, http3.ErrCodeRequestIncomplete, true},
		{"less content than announced", func(h *h3client) {
			str := h.open(headFrame(":method", "POST", ":scheme", "https", ":authority", "a", ":path", "/", "content-length", "3"))
			str.Write([]byte{wire.FrameData, 2, 'a', 'b'})
			str.Close()
		}, http3.ErrCodeMessageError, true},
		{"unknown frames without end", func(h *h3client) { h.pour(empty(0x21)) }, http3.ErrCodeExcessiveLoad, false},
		{"unknown frames without end behind a head", func(h *h3client) { h.pour(append(get("/bytes/1"), empty(0x21)...)) }, http3.ErrCodeExcessiveLoad, false},
		{"empty DATA without end", func(h *h3client) { h.pour(append(get("/bytes/1"), empty(wire.FrameData)...)) }, http3.ErrCodeExcessiveLoad, false},
		{"unknown frames without end on the control stream", func(h *h3client) { h.said.Write(empty(0x21)) }, http3.ErrCodeExcessiveLoad, false},
		{"requests, each reset", func(h *h3client) {
			for range 2 * resetAllowance.atOnce {
				str, err := h.c.OpenStreamSync(h.t.Context())
				if err != nil {
					return
				}
				str.Write([]byte{wire.FrameHeaders, 9, 0})
				abandon(str, quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
			}
		}, http3.ErrCodeExcessiveLoad, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Log: log.log}, ways[4])
			h := newH3client(t, address)
			if test.stream {
				// What goes wrong on one stream leaves the others alone.
				defer func() {
					str := h.open(get("/bytes/5"))
					str.Close()
					if b, err := io.ReadAll(str); err != nil || !bytes.HasSuffix(b, must(io.ReadAll(content.Filler("/bytes", 5)))) {
						t.Errorf("the next stream: %v", err)
					}
				}()
			}
			test.do(h)
			if !test.stream {
				<-h.c.Context().Done()
				e, ok := errors.AsType[*quic.ApplicationError](context.Cause(h.c.Context()))
				if !ok || http3.ErrCode(e.ErrorCode) != test.code {
					t.Errorf("%v, want %v", e, test.code)
				}
				settle(t, s)
				if end := log.of(accesslog.Closed); len(end) != 1 || end[0].By != trace.AtServer || !strings.HasPrefix(end[0].Reason, test.code.String()+": ") {
					t.Errorf("log: %v", end)
				}
			}
		})
	}
}

// FuzzH2 has a client of HTTP/2 say anything: the server answers in frames, and
// ends.
func FuzzH2(f *testing.F) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	e.WriteField(hpack.HeaderField{Name: ":method", Value: "GET"})
	e.WriteField(hpack.HeaderField{Name: ":scheme", Value: "http"})
	e.WriteField(hpack.HeaderField{Name: ":path", Value: "/bytes/30000"})
	e.WriteField(hpack.HeaderField{Name: ":authority", Value: "a"})
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
	fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	fr.WriteData(1, true, []byte("abc"))
	fr.WriteWindowUpdate(1, 1000)
	fr.WritePing(false, [8]byte{1})
	fr.WriteRSTStream(1, http2.ErrCodeCancel)
	fr.WriteGoAway(0, http2.ErrCodeNo, nil)
	f.Add(b.Bytes(), uint16(20))
	f.Add(b.Bytes()[:40], uint16(0))
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		at := min(int(cut), len(in))
		config := Config{MaxStreams: 3, Stall: 5 * time.Second}
		sendAnything(t, config, [][]byte{preface, in[:at], in[at:]}, func(c net.Conn) {
			fr := http2.NewFramer(nil, c)
			fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			for {
				if _, err := fr.ReadFrame(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%q: %v", in, err)
				}
			}
		})
	})
}

// FuzzH3 has the parsers of HTTP/3 read anything.
func FuzzH3(f *testing.F) {
	f.Add(append(wire.AppendFrameHeader(nil, wire.FrameSettings, 2), 0x6, 0x10))
	f.Add(get("/"))
	f.Add([]byte{0x21, 3, 1, 2, 3, wire.FrameHeaders, 2, 0, 0})
	server := must(New(Config{MaxHeader: 1000}))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := &h3conn{quicConn: &quicConn{session: session{server: server}}}
		if err := c.readControl(bufio.NewReader(bytes.NewReader(in))); err == nil {
			t.Error("a control stream ends well")
		}
		st := &h3stream{conn: c, in: bufio.NewReader(bytes.NewReader(in)), head: head.NewSection()}
		tooLarge, err := st.readHead()
		if err == nil && !tooLarge && st.head.End() != nil {
			t.Errorf("%q: takes a malformed head", in)
		}
		if err == nil && !tooLarge {
			server.answerTo(&st.head, nil)
		}
	})
}
