package http2

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// a script writes what a server sends.
type script struct {
	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

// head is the head of a response, or its trailer.
func (s *script) head(stream uint32, ends bool, fields ...string) {
	s.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		s.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	s.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.block.Bytes(), EndHeaders: true, EndStream: ends})
}

// taken is a connection with requests under way on streams 1, 3, 5 and so on, once it has
// taken what the script writes; err is what the last frame came to.
func taken(t *testing.T, requests int, write func(*script)) (c *conn, err error) {
	t.Helper()
	var wire bytes.Buffer
	s := &script{Framer: http2.NewFramer(&wire, nil)}
	s.encoder = hpack.NewEncoder(&s.block)
	write(s)
	p := prober.New(prober.Terms{URL: new(url.URL)})
	t.Cleanup(p.NoMore)
	p.Reached([]time.Duration{40 * time.Millisecond})
	c = on(&prober.Connection{Prober: p})
	c.greeted, c.received = true, time.Unix(1000, 0)
	for i := range requests {
		c.streams[uint32(2*i+1)] = new(answer)
	}
	in := http2.NewFramer(nil, &wire)
	in.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for wire.Len() > 0 && err == nil {
		f, wrong := in.ReadFrame()
		if wrong != nil {
			t.Fatal(wrong)
		}
		err = c.handle(f)
	}
	return c, err
}

func TestAnswersOnStreams(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		write func(*script)
		done  bool
		again bool   // it may be sent again
		wrong string // why it is no answer
	}{
		{"whole", func(s *script) { s.head(1, false, ":status", "200"); s.WriteData(1, true, []byte("hello")) }, true, false, ""},
		{"an interim response first", func(s *script) { s.head(1, false, ":status", "103"); s.head(1, true, ":status", "204") }, true, false, ""},
		{"under way", func(s *script) { s.head(1, false, ":status", "200") }, false, false, ""},
		{"without a status", func(s *script) { s.head(1, true, ":status", "x") }, true, false, "no status"},
		{"refused", func(s *script) { s.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, true, true, "REFUSED_STREAM"},
		{"reset behind its head", func(s *script) {
			s.head(1, false, ":status", "200")
			s.WriteRSTStream(1, http2.ErrCodeRefusedStream)
		}, true, false, "REFUSED_STREAM"},
		{"reset by another code", func(s *script) { s.WriteRSTStream(1, http2.ErrCodeInternal) }, true, false, "INTERNAL_ERROR"},
		{"reset behind its end", func(s *script) {
			s.head(1, true, ":status", "200")
			s.WriteRSTStream(1, http2.ErrCodeNo)
		}, true, false, ""},
		{"beyond the last stream", func(s *script) { s.WriteGoAway(0, http2.ErrCodeNo, []byte("bye")) }, true, false, "last stream 0"},
		{"up to the last stream", func(s *script) { s.WriteGoAway(1, http2.ErrCodeNo, nil) }, false, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := taken(t, 1, test.write)
			if err != nil {
				t.Fatal(err)
			}
			a := c.streams[1]
			if a.done() != test.done || a.isRefused() != test.again {
				t.Errorf("done %v, to be sent again %v; want %v, %v", a.done(), a.isRefused(), test.done, test.again)
			}
			if !test.done {
				return
			}
			if err := a.err(); (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("it is no answer: %v; want %q", err, test.wrong)
			}
		})
	}
}

func TestFramesThatEndAll(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*script){
		"a response to nothing":       func(s *script) { s.head(7, true, ":status", "200") },
		"more GOAWAY than are wanted": func(s *script) { manyGOAWAYs(s, maxGOAWAYs+1) },
	} {
		if _, err := taken(t, 1, write); !isFramed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, err := taken(t, 1, func(s *script) { manyGOAWAYs(s, maxGOAWAYs) }); err != nil || len(c.goaways) != maxGOAWAYs {
		t.Errorf("%d GOAWAY are kept: %v", len(c.goaways), err)
	}
}

func manyGOAWAYs(s *script, n int) {
	for range n {
		s.WriteGoAway(noLast, http2.ErrCodeNo, nil)
	}
}

func TestSettingsAndPINGAreAnswered(t *testing.T) {
	t.Parallel()
	c, err := taken(t, 0, func(s *script) {
		s.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		s.WriteSettingsAck()
		s.WritePing(false, [8]byte{1})
		s.WriteRawFrame(0xa, 0, 0, []byte("\x00\x05abcdeh3=\":443\""))
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, said := c.allowed(); n != 100 || !said || !c.settled || !c.acknowledged {
		t.Errorf("%d streams are allowed (%v), settled %v, acknowledged %v", n, said, c.settled, c.acknowledged)
	}
	if c.altSvc != `h3=":443"` {
		t.Errorf("ALTSVC says %q", c.altSvc)
	}
	var kinds []string
	for out := http2.NewFramer(nil, &c.out); ; {
		f, err := out.ReadFrame()
		if err != nil {
			break
		}
		kinds = append(kinds, f.Header().Type.String())
	}
	if strings.Join(kinds, " ") != "SETTINGS PING" {
		t.Errorf("what is sent back is %v", kinds)
	}
}

func TestPongIsTheLastPING(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		sent []uint64
		pong bool
	}{
		{"none", nil, false},
		{"an older one", []uint64{1}, false},
		{"the last", []uint64{2}, true},
		{"one that was never sent", []uint64{7}, false},
	} {
		c, err := taken(t, 0, func(*script) {})
		if err != nil {
			t.Fatal(err)
		}
		c.pinged = 2
		var wire bytes.Buffer
		framer := http2.NewFramer(&wire, &wire)
		for _, n := range test.sent {
			framer.WritePing(true, payload(n))
			f, err := framer.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			c.handle(f)
		}
		if c.pong() != test.pong {
			t.Errorf("%s: answered is %v", test.name, c.pong())
		}
	}
	if number([8]byte{1, 2, 3}) != 0 {
		t.Error("bytes of others are a number of ours")
	}
}

func TestWhatGOAWAYSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		write   func(*script)
		over    profile.Ending
		after   time.Duration // from GOAWAY to the end
		closing string
		abrupt  bool
		named   []uint32
	}{
		{"nothing", func(*script) {}, profile.FIN, 0, "", false, nil},
		{"no stream, and a close at once", func(s *script) { s.WriteGoAway(noLast, http2.ErrCodeNo, nil) }, profile.GOAWAY, 30 * time.Millisecond, "GOAWAY NO_ERROR", true, []uint32{noLast}},
		{"no stream, and a close later", func(s *script) { s.WriteGoAway(noLast, http2.ErrCodeNo, nil) }, profile.GOAWAY, time.Second, "GOAWAY NO_ERROR", false, []uint32{noLast}},
		{"a stream, and a close at once", func(s *script) { s.WriteGoAway(3, http2.ErrCodeNo, nil) }, profile.GOAWAY, 0, "GOAWAY NO_ERROR", false, []uint32{3}},
		{"two, the second an error", func(s *script) {
			s.WriteGoAway(noLast, http2.ErrCodeNo, nil)
			s.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte("too much"))
		}, profile.GOAWAY, 0, `GOAWAY ENHANCE_YOUR_CALM "too much"`, false, []uint32{noLast, 1}},
		{"it is left open", func(s *script) { s.WriteGoAway(1, http2.ErrCodeNo, nil) }, "", 0, "GOAWAY NO_ERROR", false, []uint32{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := taken(t, 2, test.write)
			if err != nil {
				t.Fatal(err)
			}
			c.streams[1].status, c.streams[3].status = 200, 200
			c.over = limits.End{How: test.over, At: c.received.Add(test.after)}
			found := c.usedUp(2)
			if how := found.How; test.over == "" && how != profile.GOAWAYOpen || test.over != "" && how != test.over {
				t.Errorf("it ended by %q, want %q", how, test.over)
			}
			if found.Closing == nil && test.closing != "" || found.Closing != nil && found.Closing.String() != test.closing {
				t.Errorf("it says %v, want %q", found.Closing, test.closing)
			}
			if found.Abrupt != test.abrupt || found.Last != 3 || len(found.GOAWAY) != len(test.named) {
				t.Errorf("abrupt %v, last %d, GOAWAY %v; want %v, 3, %v", found.Abrupt, found.Last, found.GOAWAY, test.abrupt, test.named)
			}
		})
	}
}

func TestFieldsOfAnswers(t *testing.T) {
	t.Parallel()
	c, err := taken(t, 1, func(s *script) {
		s.head(1, false, ":status", "429", "retry-after", "3", "retry-after", "4")
		s.head(1, true, "x-trailer", "yes")
	})
	if err != nil {
		t.Fatal(err)
	}
	a := c.streams[1]
	if a.status != 429 || a.field("retry-after") != "3" || a.field("x-trailer") != "yes" || a.field("etag") != "" {
		t.Errorf("it is %d with %v", a.status, a.fields)
	}
	if !prober.IsRefusal(a.status) || a.refused != (linger.Opt[http2.ErrCode]{}) {
		t.Error("a status that refuses is no reset of the stream")
	}
}
