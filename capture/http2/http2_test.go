package http2_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	h2 "linger/capture/http2"
	"linger/capture/talk"
	"linger/trace"
)

// A piece is what one side says at once.
type piece struct {
	from talk.Side
	b    []byte
	at   linger.Instant
}

// A play is a connection that a test makes up.
type play struct {
	pieces []piece
	now    linger.Instant
	buf    bytes.Buffer
	fr     *http2.Framer
	head   [2]bytes.Buffer
	enc    [2]*hpack.Encoder
}

func newPlay() *play {
	p := &play{}
	p.fr = http2.NewFramer(&p.buf, nil)
	p.fr.AllowIllegalWrites = true
	for i := range p.enc {
		p.enc[i] = hpack.NewEncoder(&p.head[i])
	}
	return p
}

// begin says the prefaces.
func (p *play) begin() *play {
	p.buf.WriteString(http2.ClientPreface)
	p.fr.WriteSettings()
	p.say(talk.Client)
	p.fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100})
	p.fr.WriteSettingsAck()
	p.say(talk.Server)
	p.fr.WriteSettingsAck()
	return p.say(talk.Client)
}

// say ends a piece: what was written is what that side says, a millisecond later.
func (p *play) say(from talk.Side) *play {
	p.now += linger.Instant(time.Millisecond)
	p.pieces = append(p.pieces, piece{from, bytes.Clone(p.buf.Bytes()), p.now})
	p.buf.Reset()
	return p
}

func (p *play) block(from talk.Side, pairs ...string) []byte {
	p.head[from].Reset()
	for i := 0; i < len(pairs); i += 2 {
		p.enc[from].WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(p.head[from].Bytes())
}

func (p *play) ask(id uint32, method, path string, body int, more ...string) *play {
	block := p.block(talk.Client, append([]string{":method", method, ":scheme", "https", ":authority", "h.example", ":path", path, "user-agent", "t/1"}, more...)...)
	p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: body == 0})
	if body > 0 {
		p.fr.WriteData(id, true, bytes.Repeat([]byte{'u'}, body))
	}
	return p.say(talk.Client)
}

func (p *play) answer(id uint32, status string, body int, more ...string) *play {
	block := p.block(talk.Server, append([]string{":status", status, "server", "s/2"}, more...)...)
	p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: body == 0})
	for body > 0 {
		n := min(body, 16000)
		body -= n
		p.fr.WriteData(id, body == 0, bytes.Repeat([]byte{'d'}, n))
	}
	return p.say(talk.Server)
}

// A feeder hands pieces to a conversation as what reads packets does.
type feeder struct {
	c    h2.Conversation
	skip [2]int64
	last [2]talk.Mark
	out  []string
	sum  []trace.Exchange
}

func newFeeder(began bool) *feeder {
	f := &feeder{}
	f.c = h2.Conversation{Shared: &talk.Shared{Emit: func(p linger.Protocol, x *trace.Exchange) {
		f.out = append(f.out, line(x))
		f.sum = append(f.sum, *x)
	}}, Scheme: "https://", Authority: "192.0.2.1", Began: began}
	return f
}

func line(x *trace.Exchange) string {
	s := fmt.Sprintf("%d/%d %s %s %d %d+%d", x.Number, x.Stream.Or(-1), x.Method, x.URL, x.Status, x.RequestBody, x.ResponseBody)
	if x.Known != "" {
		s += " " + string(x.Known)
	}
	if x.Failed != "" {
		s += ": " + x.Failed
	}
	return s
}

func (f *feeder) data(from talk.Side, b []byte, m talk.Mark) {
	f.last[from] = m
	if int64(len(b)) < f.skip[from] {
		f.skip[from] -= int64(len(b))
		return
	}
	passed := f.skip[from]
	f.skip[from] = 0
	if b = b[passed:]; len(b) > 0 || passed > 0 {
		f.skip[from] = f.c.Data(from, b, m)
	}
}

func (f *feeder) gap(from talk.Side, n int64, m talk.Mark) {
	skipped := min(n, f.skip[from])
	f.skip[from] -= skipped
	if skipped > 0 && f.skip[from] == 0 {
		f.skip[from] = f.c.Data(from, nil, m)
	}
	if n -= skipped; n > 0 {
		f.c.Gap(from, n, m)
	}
}

func (f *feeder) end(why string) []string {
	for from := talk.Client; from <= talk.Server; from++ {
		f.c.End(from, why, f.skip[from], f.last[from])
	}
	if why == talk.Cut {
		why = talk.NoResponse
	}
	f.c.Close(why)
	return f.out
}

func (p *play) feed() *feeder {
	f := newFeeder(true)
	for i, s := range p.pieces {
		f.data(s.from, s.b, talk.Mark{At: s.at, Frame: int64(i + 1)})
	}
	return f
}

func is(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestExchanges(t *testing.T) {
	p := newPlay().begin()
	p.ask(1, "GET", "/a", 0).ask(3, "POST", "/b", 70, "content-type", "text/plain")
	p.answer(3, "201", 0, "location", "/c").answer(1, "200", 40000, "content-type", "text/html; charset=utf-8")
	p.ask(5, "HEAD", "/", 0, "cookie", "secret").answer(5, "421", 0, "content-length", "99")
	f := p.feed()
	is(t, f.end(talk.Cut),
		"2/3 POST https://h.example/b 201 70+0",
		"1/1 GET https://h.example/a 200 0+40000",
		"3/5 HEAD https://h.example/ 421 0+0")
	x := f.sum[1]
	if x.ContentType != "text/html" || x.Frames.First != 4 || x.Frames.Last != 7 || x.AnswerFrames.First != 7 || x.Blocked != linger.Known(time.Duration(0)) {
		t.Errorf("got %+v", x)
	}
	if x := f.sum[0]; x.Redirect != "https://h.example/c" || x.Blocked.IsZero() {
		t.Errorf("got %+v", x)
	}
	if !f.sum[2].Credentials || f.sum[0].Credentials {
		t.Error("credentials are not told")
	}
	if f.c.Agent != "t/1" || f.c.Software != "s/2" || f.c.Host != "h.example" || f.c.Streams != linger.Known(int64(100)) || f.c.Requests != 3 {
		t.Errorf("got %+v", f.c)
	}
}

// Each side's heads are all the frames of the stream but the content.
func TestSizes(t *testing.T) {
	p := newPlay().begin()
	p.ask(1, "POST", "/", 70)
	request := len(p.pieces[len(p.pieces)-1].b) - 70
	block := p.block(talk.Server, ":status", "103")
	p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
	block = p.block(talk.Server, ":status", "200", "x-a", strings.Repeat("~", 300))
	p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:7], PadLength: 9, Priority: http2.PriorityParam{Weight: 3}})
	p.fr.WriteContinuation(1, false, block[7:9])
	p.fr.WriteContinuation(1, true, block[9:])
	p.fr.WriteDataPadded(1, false, make([]byte, 1000), make([]byte, 200))
	p.fr.WriteDataPadded(1, false, nil, make([]byte, 10))
	block = p.block(talk.Server, "grpc-status", "0")
	p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, EndStream: true})
	response := p.buf.Len() - 1000
	p.say(talk.Server)
	f := p.feed()
	is(t, f.end(talk.Cut), "1/1 POST https://h.example/ 200 70+1000")
	if x := f.sum[0]; x.RequestHead != int64(request) || x.ResponseHead != int64(response) {
		t.Errorf("heads of %d and %d bytes, want %d and %d", x.RequestHead, x.ResponseHead, request, response)
	}
}

func TestEnds(t *testing.T) {
	ask := func() *play { return newPlay().begin().ask(1, "GET", "/a", 0) }
	for name, c := range map[string]struct {
		play *play
		why  string
		want string
	}{
		"no response":     {ask(), talk.Cut, "1/1 GET https://h.example/a 0 0+0: no response"},
		"still going":     {ask(), talk.StillGoing, "1/1 GET https://h.example/a 0 0+0: the capture ended"},
		"reset by client": {func() *play { p := ask(); p.fr.WriteRSTStream(1, http2.ErrCodeCancel); return p.say(talk.Client) }(), talk.Cut, "1/1 GET https://h.example/a 0 0+0: CANCEL by client"},
		"refused by server": {func() *play {
			p := ask()
			p.fr.WriteRSTStream(1, http2.ErrCodeRefusedStream)
			return p.say(talk.Server)
		}(), talk.Cut, "1/1 GET https://h.example/a 0 0+0: REFUSED_STREAM by server"},
		"not taken": {func() *play {
			p := ask()
			p.fr.WriteGoAway(0, http2.ErrCodeNo, []byte("bye"))
			return p.say(talk.Server)
		}(), talk.Cut, "1/1 GET https://h.example/a 0 0+0: not taken: GOAWAY"},
		"cut": {func() *play {
			p := ask()
			p.answer(1, "200", 900)
			last := &p.pieces[len(p.pieces)-1]
			last.b = last.b[:len(last.b)-400]
			return p
		}(), talk.Cut, "1/1 GET https://h.example/a 200 0+500: closed within the response"},
	} {
		t.Run(name, func(t *testing.T) { is(t, c.play.feed().end(c.why), c.want) })
	}
}

func TestConnection(t *testing.T) {
	p := newPlay().begin().ask(1, "GET", "/", 0).answer(1, "200", 10)
	last := p.now
	p.fr.WritePing(false, [8]byte{1})
	p.say(talk.Client)
	p.fr.WritePing(true, [8]byte{1})
	p.say(talk.Server)
	pong := p.now
	p.fr.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
	p.say(talk.Server)
	away := p.now
	p.fr.WriteGoAway(1, http2.ErrCodeNo, nil)
	p.fr.WriteRawFrame(0xa, 0, 0, []byte("alt"))
	p.say(talk.Server)
	f := p.feed()
	f.end(talk.Cut)
	if f.c.Probes != (trace.Probes{Sent: 1, Answered: 1, Alive: linger.Known(pong)}) {
		t.Errorf("probes are %+v", f.c.Probes)
	}
	if g := f.c.GoAway.Or(trace.GoAway{}); g != (trace.GoAway{By: trace.AtServer, At: away, Code: "NO_ERROR", Last: 1}) {
		t.Errorf("GOAWAY is %+v", g)
	}
	if f.c.LastByte.Or(0) <= last-1 {
		t.Errorf("last byte at %v, want %v or later", f.c.LastByte, last)
	}
}

// A server that has used its window up waits for the client to widen it.
func TestBlocked(t *testing.T) {
	for name, id := range map[string]uint32{"the stream's": 1, "the connection's": 0} {
		p := newPlay().begin().ask(1, "GET", "/", 0)
		if id == 0 {
			p.fr.WriteWindowUpdate(1, 1<<20)
		} else {
			p.fr.WriteWindowUpdate(0, 1<<20)
		}
		p.say(talk.Client)
		block := p.block(talk.Server, ":status", "200")
		p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
		for n := 65535; n > 0; {
			k := min(n, 16384)
			p.fr.WriteData(1, false, make([]byte, k))
			n -= k
		}
		p.say(talk.Server)
		p.now += linger.Instant(40 * time.Millisecond)
		p.fr.WriteWindowUpdate(id, 65535)
		p.say(talk.Client)
		p.now += linger.Instant(9 * time.Millisecond)
		p.fr.WriteData(1, true, make([]byte, 100))
		p.say(talk.Server)
		for far, want := range map[time.Duration]time.Duration{0: 41 * time.Millisecond, 5 * time.Millisecond: 46 * time.Millisecond, time.Second: 51 * time.Millisecond} {
			f := newFeeder(true)
			f.c.Far[talk.Server] = far
			for _, s := range p.pieces {
				f.data(s.from, s.b, talk.Mark{At: s.at})
			}
			f.end(talk.Cut)
			if got := f.sum[0].Blocked; got != linger.Known(want) {
				t.Errorf("%s: blocked for %v, want %v", name, got, want)
			}
		}
	}
}
