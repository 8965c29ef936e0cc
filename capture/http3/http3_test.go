package http3

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/quic-go/qpack"

	"linger"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// A taker collects exchanges.
type taker struct {
	talk.Shared
	got []trace.Exchange
	of  []linger.Protocol
}

func newTaker() *taker {
	k := &taker{}
	k.Emit = func(p linger.Protocol, x *trace.Exchange) { k.got, k.of = append(k.got, *x), append(k.of, p) }
	return k
}

// by returns the exchange of a stream.
func (k *taker) by(t testing.TB, id int64) trace.Exchange {
	t.Helper()
	for _, x := range k.got {
		if x.Stream == linger.Known(id) {
			return x
		}
	}
	t.Fatalf("no exchange of stream %d in %+v", id, k.got)
	return trace.Exchange{}
}

// pack compresses a head, given as names and values, by the static table alone.
func pack(pairs ...string) []byte {
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		e.WriteField(qpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	e.Close()
	return b.Bytes()
}

func frame(kind uint64, payload []byte) []byte {
	return append(wire.AppendFrameHeader(nil, kind, len(payload)), payload...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func at(n int64) talk.Mark { return talk.Mark{At: linger.Instant(n) * 1000, Frame: n} }

var (
	get   = pack(":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/x?y=1", "user-agent", "made 1", "cookie", "k=v")
	post  = pack(":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", "/p", "content-type", "text/plain")
	hint  = pack(":status", "103", "link", "</a>")
	okay  = pack(":status", "200", "server", "served", "content-type", "text/html; charset=utf-8")
	moved = pack(":status", "302", "location", "/there")
	tail  = pack("grpc-status", "0")
)

// feed hands bytes in by pieces of so many.
func feed(c *Conversation, id int64, from talk.Side, b []byte, fin bool, piece int, n *int64) {
	for len(b) > piece {
		*n++
		c.Stream(id, from, b[:piece], false, at(*n))
		b = b[piece:]
	}
	*n++
	c.Stream(id, from, b, fin, at(*n))
}

func TestExchangesInPiecesOfAnySize(t *testing.T) {
	grease := frame(0x21+0x1f*7, []byte("nothing"))
	for piece := range 40 {
		k := newTaker()
		c := &Conversation{Shared: &k.Shared, Connection: 7, Authority: "192.0.2.1"}
		var n int64
		put := func(id int64, from talk.Side, fin bool, b ...[]byte) { feed(c, id, from, join(b...), fin, piece+1, &n) }
		put(2, talk.Client, false, []byte{wire.StreamControl}, frame(wire.FrameSettings, nil), grease, frame(wire.FrameMaxPushID, []byte{8}))
		put(3, talk.Server, false, []byte{wire.StreamControl}, frame(wire.FrameSettings, []byte{0x40, 0x33, 1}))
		put(7, talk.Server, false, []byte{0x40, 0x61}, []byte("a stream of an unknown type"))
		put(0, talk.Client, true, grease, frame(wire.FrameHeaders, get))
		put(4, talk.Client, true, frame(wire.FrameHeaders, post), frame(wire.FrameData, make([]byte, 1000)), frame(wire.FrameData, nil), frame(wire.FrameData, make([]byte, 7)))
		put(4, talk.Server, true, frame(wire.FrameHeaders, hint), frame(wire.FrameHeaders, okay), frame(wire.FrameData, make([]byte, 3000)), frame(wire.FrameHeaders, tail))
		put(0, talk.Server, true, frame(wire.FrameHeaders, moved))
		put(3, talk.Server, false, frame(wire.FrameGoAway, []byte{8}))
		c.Close(talk.NoResponse)
		if len(k.got) != 2 || c.Requests != 2 || c.Host != "a.example" || c.Agent != "made 1" || c.Software != "served" || c.Unread != 0 || len(c.streams) > 0 {
			t.Fatalf("pieces of %d: %d requests, %+v", piece+1, c.Requests, k.got)
		}
		x := k.by(t, 0)
		if x.Method != "GET" || x.URL != "https://a.example/x?y=1" || x.Number != 1 || x.Connection != 7 || x.Status != 302 || x.Failed != "" ||
			x.Redirect != "https://a.example/there" || !x.Credentials || x.RequestHead != int64(len(get)) || x.ResponseHead != int64(len(moved)) || x.Known != trace.Decrypted {
			t.Errorf("pieces of %d: %+v", piece+1, x)
		}
		x = k.by(t, 4)
		if x.Method != "POST" || x.Number != 2 || x.Status != 200 || x.Failed != "" || x.RequestBody != 1007 || x.ResponseBody != 3000 || x.Credentials ||
			x.ContentType != "text/html" || x.ResponseHead != int64(len(hint)+len(okay)+len(tail)) || x.Done.IsZero() || x.FirstByte.Or(0) < x.Sent.Or(0) {
			t.Errorf("pieces of %d: %+v", piece+1, x)
		}
		if g, _ := c.GoAway.Get(); g.By != trace.AtServer || g.Last != 8 {
			t.Errorf("GOAWAY: %+v", g)
		}
	}
}

func TestExchangesThatComeToNoGoodEnd(t *testing.T) {
	asks := func(c *Conversation) { c.Stream(0, talk.Client, frame(wire.FrameHeaders, get), true, at(1)) }
	uploads := func(c *Conversation) {
		c.Stream(0, talk.Client, join(frame(wire.FrameHeaders, post), frame(wire.FrameData, make([]byte, 10))[:7]), false, at(1))
	}
	begins := func(c *Conversation) {
		c.Stream(0, talk.Server, join(frame(wire.FrameHeaders, okay), frame(wire.FrameData, make([]byte, 100))[:50]), false, at(2))
	}
	ends := func(c *Conversation) { c.Stream(0, talk.Server, nil, true, at(3)) }
	answers := func(c *Conversation) { c.Stream(0, talk.Server, frame(wire.FrameHeaders, okay), true, at(2)) }
	reset := func(from talk.Side, stop bool, code uint64) func(*Conversation) {
		return func(c *Conversation) { c.Reset(0, from, stop, code, at(4)) }
	}
	for _, test := range []struct {
		name   string
		events []func(*Conversation)
		failed string
		status int
		body   int64
	}{
		{"no answer", []func(*Conversation){asks}, talk.NoResponse, 0, 0},
		{"cut", []func(*Conversation){asks, begins}, talk.Cut, 200, 47},
		{"ends within a frame", []func(*Conversation){asks, begins, ends}, talk.Cut, 200, 47},
		{"cut in the request", []func(*Conversation){uploads}, talk.CutRequest, 0, 0},
		{"answered early", []func(*Conversation){uploads, answers}, "", 200, 0},
		{"answered early, and no more wanted", []func(*Conversation){uploads, answers, reset(talk.Server, true, 0x100)}, "", 200, 0},
		{"rejected", []func(*Conversation){asks, reset(talk.Server, false, 0x10b)}, "server ended the exchange with H3_REQUEST_REJECTED", 0, 0},
		{"cancelled", []func(*Conversation){asks, begins, reset(talk.Client, true, 0x10c), reset(talk.Server, false, 0x10c)}, "client ended the exchange with H3_REQUEST_CANCELLED", 200, 47},
		{"cancelled too late", []func(*Conversation){uploads, answers, reset(talk.Client, true, 0x10c), reset(talk.Client, false, 0x10c)}, "", 200, 0},
		{"the upload given up", []func(*Conversation){uploads, reset(talk.Client, false, 0x10c), answers}, "", 200, 0},
		{"an unknown code", []func(*Conversation){asks, reset(talk.Server, false, 0x77)}, "server ended the exchange with error 0x77", 0, 0},
	} {
		k := newTaker()
		c := &Conversation{Shared: &k.Shared}
		for _, e := range test.events {
			e(c)
		}
		c.Close(talk.NoResponse)
		if len(k.got) != 1 || k.got[0].Failed != test.failed || k.got[0].Status != test.status || k.got[0].ResponseBody != test.body ||
			k.got[0].Done.IsZero() != (test.failed != "") {
			t.Errorf("%s: %+v", test.name, k.got)
		}
	}
}

// TestEachByteMissing has each byte of a response missing: bytes of a body change nothing, of a
// head take what it says, and of frames make the rest inferred.
func TestEachByteMissing(t *testing.T) {
	response := join(frame(wire.FrameHeaders, okay), frame(wire.FrameData, make([]byte, 100)), frame(wire.FrameData, make([]byte, 30)))
	headed := 2 + len(okay)
	for i := range response {
		k := newTaker()
		c := &Conversation{Shared: &k.Shared}
		c.Stream(0, talk.Client, frame(wire.FrameHeaders, get), true, at(1))
		c.Stream(0, talk.Server, response[:i], false, at(2))
		c.Gap(0, talk.Server, 1, at(3))
		c.Stream(0, talk.Server, response[i+1:], true, at(3))
		c.Close(talk.NoResponse)
		x := k.by(t, 0)
		inHead, inData := i >= 2 && i < headed, i >= headed+3 && i < headed+103 || i >= headed+105
		switch {
		case x.Failed != "" || x.Done.IsZero() || len(k.got) != 1:
			t.Errorf("byte %d: %+v", i, x)
		case inData && (x.ResponseBody != 130 || x.Status != 200 || x.Known != trace.Decrypted):
			t.Errorf("byte %d of a body: %+v", i, x)
		case inHead && (x.ResponseBody != 130 || x.Status != 0 || x.Known != trace.Decrypted || c.Unread != 1):
			t.Errorf("byte %d of a head: %+v", i, x)
		case !inHead && !inData && x.Known != trace.Inferred:
			t.Errorf("byte %d of a frame: %+v", i, x)
		}
	}
}

func TestHeadsThatWait(t *testing.T) {
	// Encoder stream: capacity 220, :path /late; the request refers to it.
	instructions := append([]byte{wire.StreamEncoder, 0x3f, 0xbd, 0x01, 0xc1, 5}, "/late"...)
	waits := join([]byte{2, 0, 0xc0 | 17, 0xc0 | 23, 0x50, 9}, []byte("a.example"), []byte{0x80})
	settings := frame(wire.FrameSettings, []byte{wire.SettingTableCapacity, 0x40, 220})
	for _, test := range []struct {
		name      string
		come, gap bool
		url       string
	}{{"come", true, false, "https://a.example/late"}, {"never come", false, false, ""}, {"are lost", false, true, ""}} {
		k := newTaker()
		c := &Conversation{Shared: &k.Shared}
		c.Stream(3, talk.Server, join([]byte{wire.StreamControl}, settings), false, at(1))
		c.Stream(0, talk.Client, frame(wire.FrameHeaders, waits), true, at(2))
		c.Stream(0, talk.Server, join(frame(wire.FrameHeaders, okay), frame(wire.FrameData, []byte("abc"))), true, at(3))
		if len(k.got) > 0 || c.held != (&section{b: waits}).holds() {
			t.Errorf("%s: handed on before, %d held", test.name, c.held)
		}
		if test.gap {
			c.Gap(6, talk.Client, 10, at(4))
		}
		for i := range instructions {
			if test.come {
				c.Stream(6, talk.Client, instructions[i:i+1], false, at(4))
			}
		}
		if n := len(k.got); n == 0 == (test.come || test.gap) {
			t.Errorf("%s: %d handed on", test.name, n)
		}
		c.Close(talk.NoResponse)
		x := k.by(t, 0)
		if x.URL != test.url || x.Method != "GET" || x.Status != 200 || x.ResponseBody != 3 || x.Failed != "" || x.Done.Or(0) != at(3).At || c.held != 0 ||
			(c.Unread == 1) != (test.url == "") {
			t.Errorf("%s: %+v, %d held, %d unread", test.name, x, c.held, c.Unread)
		}
	}
}

func TestTunnelsAndOtherStreams(t *testing.T) {
	k := newTaker()
	c := &Conversation{Shared: &k.Shared}
	c.Stream(0, talk.Client, frame(wire.FrameHeaders, pack(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a.example", ":path", "/chat")), false, at(1))
	c.Stream(4, talk.Client, frame(wire.FrameHeaders, pack(":method", "CONNECT", ":authority", "b.example:443")), false, at(1))
	c.Stream(8, talk.Client, []byte{0x40, 0x41, 0, 1, 2, 3}, false, at(1)) // WebTransport's
	c.Stream(8, talk.Server, []byte{1, 2, 3}, true, at(1))
	c.Stream(1, talk.Server, []byte{0x40, 0x41, 0, 1, 2, 3}, true, at(1))
	c.Stream(11, talk.Server, join([]byte{wire.StreamPush, 0}, frame(wire.FrameHeaders, okay)), true, at(1))
	c.Stream(0, talk.Server, join(frame(wire.FrameHeaders, okay), frame(wire.FrameData, []byte("hello"))), false, at(2))
	c.Close(talk.StillGoing)
	if len(k.got) != 2 || c.Requests != 2 {
		t.Fatalf("%+v", k.got)
	}
	if x := k.by(t, 0); x.Method != "CONNECT" || x.URL != "https://a.example/chat" || x.Failed != talk.StillGoing || x.ResponseBody != 5 {
		t.Errorf("%+v", x)
	}
	if x := k.by(t, 4); x.URL != "b.example:443" || x.Failed != talk.StillGoing {
		t.Errorf("%+v", x)
	}
}

// TestOnlyTheResponseCaptured is early data without its secret: what was asked cannot be read.
func TestOnlyTheResponseCaptured(t *testing.T) {
	k := newTaker()
	c := &Conversation{Shared: &k.Shared}
	c.Stream(0, talk.Server, join(frame(wire.FrameHeaders, okay), frame(wire.FrameData, []byte("abc"))), true, at(2))
	if x := k.by(t, 0); x.Status != 200 || x.ResponseBody != 3 || x.Number != 1 || !x.Sent.IsZero() || x.Failed != "" || c.Requests != 1 || c.Unread != 1 {
		t.Errorf("%+v, %d requests, %d unread", x, c.Requests, c.Unread)
	}
}

func TestTimeWithoutRoom(t *testing.T) {
	k := newTaker()
	c := &Conversation{Shared: &k.Shared}
	c.Stream(0, talk.Client, frame(wire.FrameHeaders, post), false, at(1))
	c.Window(0, talk.Client, true, at(10))
	c.Window(-1, talk.Client, true, at(12))
	c.Window(0, talk.Client, false, at(14))
	c.Window(-1, talk.Client, false, at(17))
	c.Window(0, talk.Client, false, at(18))
	c.Stream(0, talk.Client, nil, true, at(19))
	c.Stream(0, talk.Server, frame(wire.FrameHeaders, okay), true, at(20))
	if x := k.by(t, 0); x.Blocked.Or(0) != 7000 {
		t.Errorf("blocked for %d", x.Blocked.Or(0))
	}
}

func TestStreamsAreForgotten(t *testing.T) {
	k := newTaker()
	c := &Conversation{Shared: &k.Shared}
	r := rand.New(rand.NewPCG(1, 1))
	order := r.Perm(5000)
	for _, i := range order {
		id := int64(4 * i)
		c.Stream(id, talk.Client, frame(wire.FrameHeaders, get), true, at(1))
		c.Stream(id, talk.Server, frame(wire.FrameHeaders, okay), true, at(2))
		c.Stream(id, talk.Server, []byte("late"), true, at(3))
	}
	if len(k.got) != 5000 || len(c.streams) != 0 || len(c.done.above) != 0 || c.done.below[0] != 20000 {
		t.Errorf("%d exchanges, %d streams, %d above %d", len(k.got), len(c.streams), len(c.done.above), c.done.below[0])
	}
}

func FuzzStreams(f *testing.F) {
	f.Add(join([]byte{0, 40}, frame(wire.FrameHeaders, get), []byte{1, 60}, frame(wire.FrameHeaders, okay), frame(wire.FrameData, []byte("abc"))))
	f.Add(join([]byte{12, 9, wire.StreamControl}, frame(wire.FrameSettings, []byte{1, 0x40, 220})))
	f.Add(append([]byte{8, 11, wire.StreamEncoder, 0x3f, 0xbd, 0x01, 0xc1, 5}, "/late\x00\x09\x01\x07\x02\x00\xd1\xd7\x50\x00\x80"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		k := newTaker()
		k.Content = func(p linger.Protocol, x *trace.Exchange, asked, answered []byte) linger.Protocol { return p }
		c := &Conversation{Shared: &k.Shared}
		var n int64
		for len(b) >= 2 {
			what, size := b[0], int(b[1])
			b = b[2:]
			size = min(size, len(b))
			id, from := int64(what>>2&0xf), talk.Side(what&1)
			n++
			switch {
			case what&0xc0 == 0xc0:
				c.Gap(id, from, int64(size), at(n))
				size = 0
			case what&0xc0 == 0x80:
				c.Reset(id, from, what&2 != 0, uint64(size), at(n))
				size = 0
			default:
				c.Stream(id, from, b[:size], what&2 != 0, at(n))
			}
			b = b[size:]
		}
		if c.held > maxHeld {
			t.Fatalf("%d bytes held", c.held)
		}
		c.Close(talk.NoResponse)
		if c.held != 0 || len(c.streams) > 0 || int64(len(k.got)) < c.Requests {
			t.Fatalf("%d held, %d streams, %d exchanges of %d requests", c.held, len(c.streams), len(k.got), c.Requests)
		}
		for _, x := range k.got {
			if (x.Failed == "") == x.Done.IsZero() {
				t.Fatalf("%+v", x)
			}
		}
	})
}

func BenchmarkRequests(b *testing.B) {
	for _, size := range []int{200, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := &talk.Shared{Emit: func(linger.Protocol, *trace.Exchange) {}}
			c := &Conversation{Shared: s}
			up, down := frame(wire.FrameHeaders, get), join(frame(wire.FrameHeaders, okay), frame(wire.FrameData, make([]byte, size)))
			b.SetBytes(int64(len(up) + len(down)))
			b.ReportAllocs()
			var id int64
			for b.Loop() {
				c.Stream(id, talk.Client, up, true, at(1))
				for rest := down; len(rest) > 0; rest = rest[min(1200, len(rest)):] {
					c.Stream(id, talk.Server, rest[:min(1200, len(rest))], len(rest) <= 1200, at(2))
				}
				id += 4
			}
		})
	}
}
