package live

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/content"
	"linger/trace"
	"linger/wire"
)

// A framed is the server's side of a connection in HTTP/2, frame by frame.
type framed struct {
	*http2.Framer
	net.Conn
	n     int // number of the connection
	w     linger.Workload
	block bytes.Buffer
	table *hpack.Encoder
}

// A deed answers request i on a stream in its own way. It reports whether the
// connection is as good as before; false closes it.
type deed func(p *framed, stream uint32, i int) bool

// serveFrames answers what stands in w as it ought to be, but for what odd has a
// word on. The settings are the server's.
func serveFrames(w linger.Workload, odd map[int]deed, settings ...http2.Setting) func(int, net.Conn) {
	return func(n int, c net.Conn) {
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(c, preface); err != nil || string(preface) != http2.ClientPreface {
			return
		}
		p := &framed{Framer: http2.NewFramer(c, c), Conn: c, n: n, w: w}
		p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		p.table = hpack.NewEncoder(&p.block)
		p.WriteSettings(settings...)
		for {
			frame, err := p.ReadFrame()
			if err != nil {
				return
			}
			switch f := frame.(type) {
			case *http2.SettingsFrame:
				if !f.IsAck() {
					p.WriteSettingsAck()
				}
			case *http2.MetaHeadersFrame:
				i := slices.IndexFunc(w.Exchanges, func(e linger.Exchange) bool { return e.Path == f.PseudoValue("path") })
				act := p.answer
				if do := odd[i]; do != nil {
					act = func(stream uint32, i int) bool { return do(p, stream, i) }
				}
				if !act(f.StreamID, i) {
					return
				}
			}
		}
	}
}

// head sends a response's head; pairs are names and values.
func (p *framed) head(stream uint32, end bool, pairs ...string) bool {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		p.table.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes(), EndHeaders: true, EndStream: end}) == nil
}

// answer is the response that a good server sends.
func (p *framed) answer(stream uint32, i int) bool {
	return p.head(stream, false, ":status", fmt.Sprint(p.w.Exchanges[i].Status), "content-length", fmt.Sprint(p.w.Exchanges[i].ResponseBody)) &&
		p.WriteData(stream, true, []byte(bodyOf(p.w, i))) == nil
}

// whole answers with this head and this content.
func whole(body string, pairs ...string) deed {
	return func(p *framed, stream uint32, _ int) bool {
		return p.head(stream, false, pairs...) && p.WriteData(stream, true, []byte(body)) == nil
	}
}

// TestOddFrames has exchange 3 of six answered in every wrong way of HTTP/2 that we
// could think of. What is wrong with a stream stays with it.
func TestOddFrames(t *testing.T) {
	w := linger.Objects(2000, 5, 100)
	const odd = 3
	body := bodyOf(w, odd)
	raw := func(kind http2.FrameType, flags http2.Flags, stream int, payload string) deed {
		return func(p *framed, own uint32, _ int) bool {
			id := own
			if stream >= 0 {
				id = uint32(stream)
			}
			return p.WriteRawFrame(kind, flags, id, []byte(payload)) == nil
		}
	}
	for _, test := range []struct {
		name        string
		act         deed
		reason      string // of its failure, the beginning; empty where it is delivered
		connections int
		retries     int
		alone       bool   // no other exchange may fail
		closed      string // reason of connection 0, part of
		by          trace.Peer
	}{
		{name: "resets the stream", act: func(p *framed, stream uint32, _ int) bool {
			return p.WriteRSTStream(stream, http2.ErrCodeInternal) == nil
		}, reason: "server reset the stream: INTERNAL_ERROR", connections: 1, alone: true},
		{name: "resets the stream in the midst", act: func(p *framed, stream uint32, _ int) bool {
			p.head(stream, false, ":status", "200")
			p.WriteData(stream, false, []byte(body[:40]))
			return p.WriteRSTStream(stream, http2.ErrCodeCancel) == nil
		}, reason: "server reset the stream: CANCEL", connections: 1, alone: true},
		{name: "refuses the stream once", act: func() deed {
			var once atomic.Bool
			return func(p *framed, stream uint32, i int) bool {
				if once.Swap(true) {
					return p.answer(stream, i)
				}
				return p.WriteRSTStream(stream, http2.ErrCodeRefusedStream) == nil
			}
		}(), connections: 1, retries: 1, alone: true},
		{name: "refuses the stream always", act: func(p *framed, stream uint32, _ int) bool {
			return p.WriteRSTStream(stream, http2.ErrCodeRefusedStream) == nil
		}, reason: "server reset the stream: REFUSED_STREAM", connections: 1, retries: 1, alone: true},
		{name: "resets the stream after its answer", act: func(p *framed, stream uint32, i int) bool {
			p.answer(stream, i)
			return p.WriteRSTStream(stream, http2.ErrCodeNo) == nil
		}, connections: 1, alone: true},
		{name: "announces one byte too few", act: whole(body, ":status", "200", "content-length", "99"),
			reason: "malformed response: body of 100 bytes, its Content-Length is 99", connections: 1, alone: true},
		{name: "announces nonsense", act: whole(body, ":status", "200", "content-length", "-1"),
			reason: `malformed response: Content-Length "-1" is not one length`, connections: 1, alone: true},
		{name: "is one byte short", act: whole(body[:99], ":status", "200"), reason: "body of 99 bytes, not 100", connections: 1, alone: true},
		{name: "is one byte long", act: whole(body+"x", ":status", "200"), reason: "body is longer than 100 bytes", connections: 1, alone: true},
		{name: "changes a byte", act: whole(body[:70]+"\x00"+body[71:], ":status", "200"),
			reason: "body of 100 bytes is not the workload's", connections: 1, alone: true},
		{name: "has another status", act: whole("gone", ":status", "404"), reason: "status 404, not 200", connections: 1, alone: true},
		{name: "has no status", act: whole(body, "a", "b"), reason: `malformed response: "" is not a status`, connections: 1, alone: true},
		{name: "has a status that is none", act: whole(body, ":status", "0200"), reason: "", connections: 1, alone: true},
		{name: "has a status beyond all", act: whole(body, ":status", "20000"), reason: `malformed response: "20000" is not a status`, connections: 1, alone: true},
		{name: "switches protocols", act: whole(body, ":status", "101"), reason: "malformed response: status 101", connections: 1, alone: true},
		{name: "ends with an interim response", act: func(p *framed, stream uint32, _ int) bool { return p.head(stream, true, ":status", "103") },
			reason: "malformed response: status 103 and nothing after it", connections: 1, alone: true},
		{name: "has a field in capitals", act: whole(body, ":status", "200", "Content-Type", "x"), reason: "malformed response: ", connections: 1, alone: true},
		{name: "sends content before the head", act: func(p *framed, stream uint32, _ int) bool { return p.WriteData(stream, true, []byte(body)) == nil },
			reason: "malformed response: content before its head", connections: 1, alone: true},
		{name: "sends a second head", act: func(p *framed, stream uint32, _ int) bool {
			p.head(stream, false, ":status", "200")
			return p.head(stream, false, ":status", "200")
		}, reason: "malformed response: a second head", connections: 1, alone: true},
		{name: "has a head without end", act: func(p *framed, stream uint32, _ int) bool {
			p.block.Reset()
			p.table.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes()})
			for {
				p.block.Reset()
				p.table.WriteField(hpack.HeaderField{Name: "a", Value: strings.Repeat("b", 8000), Sensitive: true})
				if p.WriteContinuation(stream, false, p.block.Bytes()) != nil {
					return false
				}
			}
		}, reason: "head of the response is longer than 262144 bytes", connections: 2, by: trace.AtClient},
		{name: "has a head that is too long", act: func(p *framed, stream uint32, _ int) bool {
			p.block.Reset()
			p.table.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes()})
			for i := range 40 {
				p.block.Reset()
				p.table.WriteField(hpack.HeaderField{Name: "a", Value: strings.Repeat("b", 8000), Sensitive: true})
				p.WriteContinuation(stream, i == 39, p.block.Bytes())
			}
			return true
		}, reason: "head of the response is longer than 262144 bytes", connections: 2},
		{name: "unpacks to far more than it sends", act: func(p *framed, stream uint32, _ int) bool {
			pairs := []string{":status", "200"}
			for range 5000 {
				pairs = append(pairs, "a", strings.Repeat("b", 3000))
			}
			return p.head(stream, false, pairs...)
		}, reason: "head of the response is longer than 262144 bytes", connections: 1, alone: true},
		{name: "says 103 for ever", act: func(p *framed, stream uint32, _ int) bool {
			for p.head(stream, false, ":status", "103", "link", "</1>") {
			}
			return false
		}, reason: "head of the response is longer than 262144 bytes", connections: 2},
		{name: "sends interim responses first", act: func(p *framed, stream uint32, i int) bool {
			return p.head(stream, false, ":status", "100") && p.head(stream, false, ":status", "103", "link", "</1>") && p.answer(stream, i)
		}, connections: 1, alone: true},
		{name: "pads, and ends with a trailer", act: func(p *framed, stream uint32, _ int) bool {
			p.head(stream, false, ":status", "200")
			p.WriteDataPadded(stream, false, []byte(body[:3]), make([]byte, 200))
			p.WriteData(stream, false, nil)
			p.WriteData(stream, false, []byte(body[3:]))
			return p.head(stream, true, "a", "b")
		}, connections: 1, alone: true},
		{name: "sends byte by byte", act: func(p *framed, stream uint32, _ int) bool {
			p.head(stream, false, ":status", "200")
			for i := range len(body) {
				p.WriteData(stream, i == len(body)-1, []byte{body[i]})
			}
			return true
		}, connections: 1, alone: true},
		{name: "asks and says what does not matter", act: func(p *framed, stream uint32, i int) bool {
			p.WritePing(false, [8]byte{1})
			p.WritePing(true, [8]byte{1})
			p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
			p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 30})
			p.WriteSettings(http2.Setting{ID: 0x99, Val: 1})
			p.WriteRawFrame(0x99, 0xff, stream, []byte("what is this?"))
			p.WritePriority(stream, http2.PriorityParam{Weight: 3})
			p.WriteWindowUpdate(stream, 1)
			p.WriteWindowUpdate(1, 1)
			return p.answer(stream, i)
		}, connections: 1, alone: true},
		{name: "pushes", act: func(p *framed, stream uint32, _ int) bool {
			p.block.Reset()
			p.table.WriteField(hpack.HeaderField{Name: ":method", Value: "GET"})
			return p.WritePushPromise(http2.PushPromiseParam{StreamID: stream, PromiseID: 2, BlockFragment: p.block.Bytes(), EndHeaders: true}) == nil
		}, reason: "server pushed what it was told not to", connections: 2, by: trace.AtClient},
		{name: "speaks on a stream of its own", act: func(p *framed, _ uint32, _ int) bool { return p.head(2, true, ":status", "200") },
			reason: "server speaks on stream 2, which nobody has opened", connections: 2, by: trace.AtClient},
		{name: "speaks on a stream of the future", act: func(p *framed, _ uint32, _ int) bool { return p.head(999, true, ":status", "200") },
			reason: "server speaks on stream 999, which nobody has opened", connections: 2, by: trace.AtClient},
		{name: "sends content on no stream", act: raw(http2.FrameData, 0, 0, "x"), reason: "malformed frame: ", connections: 2, by: trace.AtClient},
		{name: "sends a frame that is too long", act: raw(http2.FrameData, 0, -1, strings.Repeat("x", wire.FrameSize+1)),
			reason: "malformed frame: a frame of more than 16384 bytes", connections: 2, by: trace.AtClient},
		{name: "compresses nonsense", act: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, -1, "\xff\xff\xff\xff\xff\xff"),
			reason: "malformed frame: ", connections: 2, by: trace.AtClient},
		{name: "interrupts a head", act: func(p *framed, stream uint32, _ int) bool {
			p.WriteRawFrame(http2.FrameHeaders, 0, stream, nil)
			return p.WritePing(false, [8]byte{}) == nil
		}, reason: "malformed frame: ", connections: 2, by: trace.AtClient},
		{name: "widens the window beyond all", act: func(p *framed, _ uint32, _ int) bool { return p.WriteWindowUpdate(0, math.MaxInt32) == nil },
			reason: "server widens a window beyond 2^31-1", connections: 2, by: trace.AtClient},
		{name: "widens a stream by nothing", act: raw(http2.FrameWindowUpdate, 0, -1, "\x00\x00\x00\x00"),
			reason: "malformed response: ", connections: 1, alone: true},
		{name: "has settings out of range", act: raw(http2.FrameSettings, 0, 0, "\x00\x05\x00\x00\x00\x01"),
			reason: "malformed frame: [MAX_FRAME_SIZE = 1]", connections: 2, by: trace.AtClient},
		{name: "has a head of empty frames without end", act: func(p *framed, stream uint32, _ int) bool {
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream})
			for p.WriteContinuation(stream, false, nil) == nil {
			}
			return false
		}, reason: "head of the response takes more than 524288 bytes of frames and has no end", connections: 2},
		{name: "has a malformed field in a head without end", act: func(p *framed, stream uint32, _ int) bool {
			p.block.Reset()
			p.table.WriteField(hpack.HeaderField{Name: "A", Value: "b"})
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes()})
			for p.WriteContinuation(stream, false, nil) == nil {
			}
			return false
		}, reason: "malformed frame: ", connections: 2},
		{name: "says goodbye for ever", act: func(p *framed, _ uint32, _ int) bool {
			for p.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, make([]byte, 1000)) == nil {
			}
			return false
		}, reason: "server sent 10000 frames that carry no response", connections: 2},
		{name: "sends frames of unknown type for ever", act: func(p *framed, stream uint32, _ int) bool {
			for p.WriteRawFrame(0x77, 0, stream, []byte("x")) == nil {
			}
			return false
		}, reason: "server sent 10000 frames that carry no response", connections: 2},
		{name: "pings for ever", act: func(p *framed, _ uint32, _ int) bool {
			go io.Copy(io.Discard, p.Conn)
			for p.WritePing(false, [8]byte{}) == nil {
			}
			return false
		}, reason: "server ", connections: 2},
		{name: "changes its settings for ever", act: func(p *framed, _ uint32, _ int) bool {
			go io.Copy(io.Discard, p.Conn)
			for p.WriteSettings() == nil {
			}
			return false
		}, reason: "server ", connections: 2},
		{name: "sends empty content for ever", act: func(p *framed, stream uint32, _ int) bool {
			p.head(stream, false, ":status", "200")
			for p.WriteData(stream, false, nil) == nil {
			}
			return false
		}, reason: "server sent 10000 frames that carry no response", connections: 2},
		{name: "never ends its body", act: func(p *framed, stream uint32, _ int) bool {
			p.head(stream, false, ":status", "200")
			for p.WriteData(stream, false, []byte("0123456789")) == nil {
			}
			return false
		}, reason: "body is longer than 100 bytes", connections: 2},
		{name: "closes in mid-response", act: func(p *framed, stream uint32, _ int) bool {
			p.head(stream, false, ":status", "200")
			p.WriteData(stream, false, []byte(body[:40]))
			return false
		}, reason: "server ", connections: 2, alone: true, by: trace.AtServer},
		{name: "closes once before it answers", act: func(p *framed, stream uint32, i int) bool {
			return p.n > 0 && p.answer(stream, i)
		}, connections: 2, retries: 3, alone: true, by: trace.AtServer, closed: "with 3 responses due"},
		{name: "says goodbye once", act: func(p *framed, stream uint32, i int) bool {
			if p.n > 0 {
				return p.answer(stream, i)
			}
			return p.WriteGoAway(stream-2, http2.ErrCodeNo, []byte("enough")) == nil
		}, connections: 2, retries: 3, alone: true, by: trace.AtServer, closed: "server said goodbye: GOAWAY NO_ERROR, enough"},
		{name: "says goodbye, and answers what it has", act: func(p *framed, stream uint32, i int) bool {
			p.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, nil)
			return p.answer(stream, i)
		}, connections: 1, alone: true},
		{name: "says goodbye in anger", act: func(p *framed, stream uint32, i int) bool {
			if p.n > 0 {
				return p.answer(stream, i)
			}
			p.WriteGoAway(stream-2, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings"))
			return false
		}, reason: "server ended the connection by an error: GOAWAY ENHANCE_YOUR_CALM, too_many_pings", connections: 2, by: trace.AtServer, closed: "GOAWAY ENHANCE_YOUR_CALM, too_many_pings"},
		{name: "says nothing", act: func(p *framed, _ uint32, _ int) bool {
			io.Copy(io.Discard, p.Conn)
			return false
		}, reason: "no byte of the response for 1s", connections: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := listen(t, serveFrames(w, map[int]deed{odd: test.act}))
			limits := patient
			if strings.HasPrefix(test.reason, "no byte") {
				limits = impatient
			}
			tr := fetch(t, w, "h2", Config{Address: address, Verify: true, Limits: limits})
			for i, reason := range failures(tr) {
				if i != odd && (test.alone || i < odd) {
					t.Errorf("exchange %d failed with it: %s", i, reason)
				}
			}
			if got := tr.Exchanges[odd].Failed; !strings.HasPrefix(got, test.reason) || (got == "") != (test.reason == "") {
				t.Errorf("failed with %q, want %q", got, test.reason)
			}
			if c := tr.Connections[0]; test.by != trace.Nobody && c.ClosedBy != test.by || !strings.Contains(c.Reason, test.closed) {
				t.Errorf("connection 0 was closed by %q: %q; want %q, %q", c.ClosedBy, c.Reason, test.by, test.closed)
			}
			if n := len(tr.Connections); n > test.connections {
				t.Errorf("%d connections, want %d at most", n, test.connections)
			}
			if tr.Retries != test.retries && test.reason == "" {
				t.Errorf("%d retries, want %d", tr.Retries, test.retries)
			}
		})
	}
}

// TestNotHTTP2 has servers that speak something else where HTTP/2 is expected.
func TestNotHTTP2(t *testing.T) {
	w := linger.Textbook(1)
	for name, test := range map[string]struct {
		serve  func(int, net.Conn)
		reason string
	}{
		"HTTP/1": {func(_ int, c net.Conn) {
			c.Read(make([]byte, 10))
			send(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
			io.Copy(io.Discard, c)
		}, `server does not speak HTTP/2: its answer begins with "HTTP/1.1 400 Bad Request"`},
		"SSH": {func(_ int, c net.Conn) {
			send(c, "SSH-2.0-OpenSSH_9.9\r\n")
			io.Copy(io.Discard, c)
		}, "malformed frame: "},
		"no settings": {func(_ int, c net.Conn) {
			http2.NewFramer(c, c).WritePing(false, [8]byte{})
			io.Copy(io.Discard, c)
		}, "server does not speak HTTP/2: its first frame is PING, not SETTINGS"},
		"nothing": {func(_ int, c net.Conn) {}, "server "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := fetch(t, w, "h2", Config{Address: listen(t, test.serve), Limits: patient})
			if got := tr.Exchanges[0].Failed; !strings.HasPrefix(got, test.reason) {
				t.Errorf("failed with %q, want %q", got, test.reason)
			}
		})
	}
}

// TestStreamLimits has servers that allow few requests at once.
func TestStreamLimits(t *testing.T) {
	w := linger.Objects(2000, 40, 100)
	for _, limit := range []uint32{1, 2, 7, 100, 1000} {
		var most, open atomic.Int64
		slow := func(p *framed, stream uint32, i int) bool {
			most.Store(max(most.Load(), open.Add(1)))
			go func() {
				time.Sleep(time.Millisecond)
				open.Add(-1)
			}()
			return p.answer(stream, i)
		}
		odd := map[int]deed{}
		for i := range w.Exchanges {
			odd[i] = slow
		}
		address := listen(t, serveFrames(w, odd, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: limit}))
		tr := fetch(t, w, "h2", Config{Address: address, Verify: true, Limits: patient})
		if f := failures(tr); len(f) > 0 || len(tr.Connections) != 1 || tr.Connections[0].Requests != 41 || tr.Retries != 0 {
			t.Errorf("limit of %d: failed %v, %+v", limit, f, tr.Connections)
		}
		// What the trace says was under way at once.
		for _, x := range tr.Exchanges {
			n := uint32(0)
			for _, other := range tr.Exchanges {
				if other.Sent.Or(0) <= x.Sent.Or(0) && other.Done.Or(0) > x.Sent.Or(0) {
					n++
				}
			}
			if n > limit {
				t.Errorf("limit of %d: %d requests under way at %d", limit, n, x.Sent.Or(0))
			}
		}
	}
	address := listen(t, serveFrames(w, map[int]deed{0: func(p *framed, stream uint32, i int) bool {
		return p.WriteRSTStream(stream, http2.ErrCodeRefusedStream) == nil
	}}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0}))
	tr := fetch(t, w, "h2", Config{Address: address, Limits: impatient})
	if got := tr.Exchanges[0].Failed; got != "the server allowed no request for 1s" {
		t.Errorf("limit of 0: failed with %q", got)
	}
}

// apart is a workload of so many requests, none of which waits for another.
func apart(method string, requests int) linger.Workload {
	w := linger.Workload{Name: "apart"}
	for i := range requests {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: method, Path: fmt.Sprintf("/%d", i), Status: 200, ResponseBody: 1, Parent: linger.NoParent})
	}
	return w
}

// TestNoStreamLimit has a server that sets no limit, and answers nothing before it
// has been asked everything.
func TestNoStreamLimit(t *testing.T) {
	w, odd := apart("GET", 250), map[int]deed{}
	asked := map[uint32]int{}
	for i := range w.Exchanges {
		odd[i] = func(p *framed, stream uint32, i int) bool {
			if asked[stream] = i; len(asked) == 250 {
				for stream, i := range asked {
					p.answer(stream, i)
				}
			}
			return true
		}
	}
	tr := fetch(t, w, "h2", Config{Address: listen(t, serveFrames(w, odd)), Verify: true, Limits: patient})
	if f := failures(tr); len(f) > 0 || len(tr.Connections) != 1 {
		t.Errorf("failed %v, %+v", f, tr.Connections)
	}
}

// TestLimitComesLate has a server that allows ten requests at once and says so when
// forty are under way: it refuses thirty, which are asked again within the limit.
func TestLimitComesLate(t *testing.T) {
	w, odd := apart("POST", 40), map[int]deed{}
	refused := map[int]bool{}
	for i := range w.Exchanges {
		odd[i] = func(p *framed, stream uint32, i int) bool {
			if i >= 10 && !refused[i] {
				refused[i] = true
				return p.WriteRSTStream(stream, http2.ErrCodeRefusedStream) == nil
			}
			return p.answer(stream, i)
		}
	}
	address := listen(t, serveFrames(w, odd, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 10}))
	tr := fetch(t, w, "h2", Config{Address: address, Verify: true, Limits: patient})
	if f := failures(tr); len(f) > 0 || len(tr.Connections) != 1 || tr.Retries != len(refused) || tr.Connections[0].Requests != 40+len(refused) {
		t.Errorf("failed %v, %d refused, %d retries, %+v", f, len(refused), tr.Retries, tr.Connections)
	}
}

// TestGoodbyes has servers whose every connection ends with GOAWAY: at once, after a
// few requests, and with each stream reset.
func TestGoodbyes(t *testing.T) {
	w := linger.Objects(2000, 40, 100)
	all := func(d deed) map[int]deed {
		odd := map[int]deed{}
		for i := range w.Exchanges {
			odd[i] = d
		}
		return odd
	}
	tr := fetch(t, w, "h2", Config{Limits: patient, Address: listen(t, serveFrames(w, all(func(p *framed, _ uint32, _ int) bool {
		p.WriteGoAway(0, http2.ErrCodeNo, nil)
		io.Copy(io.Discard, p.Conn)
		return false
	})))})
	if got := tr.Exchanges[0].Failed; got != "server said goodbye: GOAWAY NO_ERROR" || len(tr.Connections) != 2 || tr.Retries != 1 {
		t.Errorf("GOAWAY at once: %q, %d connections, %d retries", got, len(tr.Connections), tr.Retries)
	}

	tr = fetch(t, w, "h2", Config{Verify: true, Limits: patient, Address: listen(t, serveFrames(w, all(func(p *framed, stream uint32, i int) bool {
		switch {
		case stream < 9:
		case stream == 9:
			p.WriteGoAway(9, http2.ErrCodeNo, nil)
		default:
			return true // as announced
		}
		return p.answer(stream, i)
	})))})
	// Five a connection: 41 need nine.
	if f := failures(tr); len(f) > 0 || len(tr.Connections) != 9 {
		t.Errorf("GOAWAY after five: failed %v, %d connections", f, len(tr.Connections))
	}
	for _, c := range tr.Connections[:8] {
		if !strings.HasPrefix(c.Reason, "server had said goodbye") {
			t.Errorf("GOAWAY after five: %+v", c)
		}
	}

	tr = fetch(t, w, "h2", Config{Limits: patient, Address: listen(t, serveFrames(w, all(func(p *framed, stream uint32, i int) bool {
		if i == 0 {
			return p.answer(stream, i)
		}
		return p.WriteRSTStream(stream, http2.ErrCodeInternal) == nil
	})))})
	if f := failures(tr); len(f) != 40 || f[40] != "server reset the stream: INTERNAL_ERROR" || len(tr.Connections) != 1 {
		t.Errorf("each stream reset: failed %v, %d connections", f, len(tr.Connections))
	}
}

// TestAnswersUnread has a server that asks on and does not read the answers.
func TestAnswersUnread(t *testing.T) {
	tr := fetch(t, linger.Textbook(1), "h2", Config{Limits: patient, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe() // no byte fits in between
		go func() {
			defer server.Close()
			server.Read(make([]byte, 1))
			f := http2.NewFramer(server, nil)
			f.WriteSettings()
			for f.WritePing(false, [8]byte{}) == nil {
			}
		}()
		return client, nil
	}})
	if got := tr.Exchanges[0].Failed; got != "server asks for answers that it does not read" {
		t.Errorf("failed with %q", got)
	}
}

// TestUploads sends content to a server that lets little of it come at a time, and
// to one that answers before it has read it.
func TestUploads(t *testing.T) {
	w := linger.Workload{Name: "upload"}
	for i := range 3 {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "PUT", Path: fmt.Sprintf("/%d", i), Status: 200,
			RequestBody: 300_000, ResponseBody: 10, Parent: linger.NoParent})
	}
	var sums [3]content.Sum
	var resets atomic.Int64
	serve := func(p *framed) {
		paths := map[uint32]int{}
		heard := false // the client has read our SETTINGS
		for {
			frame, err := p.ReadFrame()
			if err != nil {
				return
			}
			switch f := frame.(type) {
			case *http2.MetaHeadersFrame:
				i := int(f.PseudoValue("path")[1] - '0')
				paths[f.StreamID] = i
				if i == 2 { // it does not want to know
					p.answer(f.StreamID, i)
				}
				if f.RegularFields()[2].Value != "300000" {
					t.Errorf("content-length %v", f.RegularFields())
				}
			case *http2.SettingsFrame:
				heard = heard || f.IsAck()
			case *http2.RSTStreamFrame:
				if paths[f.StreamID] != 2 || f.ErrCode != http2.ErrCodeCancel {
					t.Errorf("stream %d is reset: %v", f.StreamID, f.ErrCode)
				}
				resets.Add(1)
			case *http2.DataFrame:
				i := paths[f.StreamID]
				if heard && len(f.Data()) > 1000 {
					t.Errorf("%d bytes where 1000 are allowed", len(f.Data()))
				}
				sums[i].Write(f.Data())
				if f.StreamEnded() {
					p.answer(f.StreamID, i)
				}
				p.WriteWindowUpdate(0, f.Length)
				if i != 2 && !f.StreamEnded() {
					p.WriteWindowUpdate(f.StreamID, f.Length)
				}
			}
		}
	}
	address := listen(t, func(_ int, c net.Conn) {
		io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
		p := &framed{Framer: http2.NewFramer(c, c), Conn: c, w: w}
		p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		p.table = hpack.NewEncoder(&p.block)
		p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
		p.ReadFrame() // the client's SETTINGS, so that ours are first there
		serve(p)
	})
	tr := fetch(t, w, "h2", Config{Address: address, Verify: true, Limits: patient})
	if f := failures(tr); len(f) > 0 || len(tr.Connections) != 1 {
		t.Errorf("failed %v, %+v", f, tr.Connections)
	}
	for i, x := range tr.Exchanges[:2] {
		var want content.Sum
		io.Copy(&want, content.Request(w, i))
		if x.RequestBody != 300_000 || sums[i] != want {
			t.Errorf("upload %d: %d bytes have left, or they are not those", i, x.RequestBody)
		}
	}
	if x := tr.Exchanges[2]; x.RequestBody >= 300_000 || resets.Load() != 1 {
		t.Errorf("%d bytes went to who did not want them, %d resets", x.RequestBody, resets.Load())
	}
}

// A script is a connection on which the server says what stands there once it has
// been asked something, whatever that was, and then closes.
type script struct {
	net.Conn // of nobody: what is not here is not called
	text     *bytes.Reader
	asked    chan struct{}
	once     *sync.Once
}

func (s script) Read(b []byte) (int, error) {
	<-s.asked
	return s.text.Read(b)
}

func (s script) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.asked) })
	return len(b), nil
}

func (s script) Close() error {
	s.once.Do(func() { close(s.asked) })
	return nil
}

func (s script) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (s script) RemoteAddr() net.Addr        { return &net.TCPAddr{} }
func (s script) SetDeadline(time.Time) error { return s.Close() }

// FuzzFrames lets a server say anything. Whatever it is, the run ends, each exchange
// is delivered or failed, and what is counted is not more than was said.
func FuzzFrames(f *testing.F) {
	w := linger.Workload{Name: "fuzz", Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/0", Status: 200, ResponseBody: 3, Parent: linger.NoParent},
		{Method: "POST", Path: "/1", Status: 200, RequestBody: 100_000, ResponseBody: 3, Parent: linger.NoParent},
		{Method: "HEAD", Path: "/2", Status: 200, Parent: linger.NoParent},
	}}
	say := func(what ...func(p *framed)) {
		var b bytes.Buffer
		p := &framed{Framer: http2.NewFramer(&b, nil)}
		p.table = hpack.NewEncoder(&p.block)
		p.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
		for _, do := range what {
			do(p)
		}
		f.Add(b.Bytes())
	}
	full := func(stream uint32) func(p *framed) {
		return func(p *framed) {
			p.head(stream, false, ":status", "200", "content-type", "text/html", "content-length", "3")
			p.WriteData(stream, true, []byte("abc"))
		}
	}
	say()
	say(full(1), full(3), full(5))
	say(full(3), func(p *framed) { p.WriteGoAway(3, http2.ErrCodeNo, []byte("x")) }, full(1))
	say(func(p *framed) { p.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, func(p *framed) { p.WritePing(false, [8]byte{}) })
	say(func(p *framed) { p.WriteWindowUpdate(0, 100) }, func(p *framed) { p.WriteWindowUpdate(3, 1<<30) })
	say(func(p *framed) { p.head(1, false, ":status", "103") }, full(1))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		tr := fetch(t, w, "h2", Config{Verify: true, Limits: patient, Dial: func(context.Context, string, string) (net.Conn, error) {
			return script{text: bytes.NewReader(text), asked: make(chan struct{}), once: new(sync.Once)}, nil
		}})
		var said int64
		for _, x := range tr.Exchanges {
			said += x.ResponseHead + x.ResponseBody
		}
		if most := int64(len(text) * len(tr.Connections)); said > most {
			t.Errorf("%d bytes counted, %d said", said, most)
		}
	})
}

func BenchmarkHTTP2(b *testing.B) {
	w := linger.Objects(1200, 1000, 1000)
	a := newAuthority(b)
	config := a.config("h2", "http/1.1")
	frames, lines := fastFrames(w), fast(w)
	for _, test := range []struct {
		name, strategy, scheme string
		serve                  func(int, net.Conn)
	}{
		{"h2", "h2", "http", frames},
		{"h2 over TLS", "h2", "https", func(n int, c net.Conn) { frames(n, tls.Server(c, config)) }},
		{"keep over TLS", "keep", "https", func(n int, c net.Conn) { lines(n, tls.Server(c, config)) }},
		{"close over TLS", "close:6", "https", func(n int, c net.Conn) {
			s := tls.Server(c, config)
			lines(n, s)
			s.Close()
		}},
		{"close over TLS, resumed", "close:6+resume", "https", func(n int, c net.Conn) {
			s := tls.Server(c, config)
			lines(n, s)
			s.Close()
		}},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			w := over(b, w, test.scheme)
			s := strategy(b, test.strategy)
			address := listen(b, test.serve)
			for b.Loop() {
				tr, err := Run(b.Context(), linger.Scenario{Workload: w, Strategy: s}, Config{Address: address, Roots: a.roots()})
				if err != nil || len(failures(tr)) > 0 {
					b.Fatal(err, failures(tr))
				}
			}
			b.ReportMetric(float64(len(w.Exchanges)*b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// fastFrames answers requests by HTTP/2 with as little work as a server can have.
func fastFrames(w linger.Workload) func(int, net.Conn) {
	page, object := []byte(bodyOf(w, 0)), []byte(bodyOf(w, 1))
	head := []byte{0x88} // :status 200, of the static table
	return func(_ int, c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		in := bufio.NewReaderSize(c, 64<<10)
		out := bufio.NewWriterSize(c, 64<<10)
		f := http2.NewFramer(out, in)
		f.SetReuseFrames()
		f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 250})
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if _, ok := frame.(*http2.HeadersFrame); ok {
				body := object
				id := frame.Header().StreamID
				if id == 1 {
					body = page
				}
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head, EndHeaders: true})
				f.WriteData(id, true, body)
			}
			if in.Buffered() == 0 {
				out.Flush()
			}
		}
	}
}

// TestLimitOfStreamsChanges has a server that allows one request at once, then for a
// time none: nothing is asked meanwhile, and the least that was allowed is noted.
func TestLimitOfStreamsChanges(t *testing.T) {
	t.Parallel()
	w := linger.Objects(100, 4, 100)
	limit := func(n uint32) http2.Setting {
		return http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: n}
	}
	var barred, broken atomic.Bool
	odd := map[int]deed{}
	for i := range w.Exchanges {
		odd[i] = func(p *framed, stream uint32, i int) bool {
			if barred.Load() {
				broken.Store(true)
			}
			if i != 2 {
				return p.answer(stream, i)
			}
			p.WriteSettings(limit(0))
			ok := p.answer(stream, i)
			barred.Store(true)
			time.AfterFunc(200*time.Millisecond, func() {
				barred.Store(false)
				http2.NewFramer(p.Conn, nil).WriteSettings(limit(1)) // p's is another goroutine's
			})
			return ok
		}
	}
	tr := fetch(t, w, "h2", Config{Verify: true, Limits: patient, Address: listen(t, serveFrames(w, odd, limit(1)))})
	if f := failures(tr); len(f) > 0 || len(tr.Connections) != 1 || broken.Load() {
		t.Errorf("failed %v, %d connections; a stream against a limit of none: %v", f, len(tr.Connections), broken.Load())
	}
	if n, said := tr.Connections[0].Streams.Get(); !said || n != 0 {
		t.Errorf("the least that was allowed is %d (%v), want 0", n, said)
	}
}
