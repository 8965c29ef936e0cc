package http1

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/capture/talk"
	"linger/trace"
)

// A turn is what one side sends, or of which so many bytes are missing.
type turn struct {
	from talk.Side
	data string
	lost bool
}

func up(s string) turn   { return turn{talk.Client, s, false} }
func down(s string) turn { return turn{talk.Server, s, false} }
func miss(t turn) turn   { t.lost = true; return t }

// play hands turns in, in pieces of at most size bytes, skips as it is told, and closes
// both sides.
func play(size int, why string, turns ...turn) (c *Conversation, out []trace.Exchange) {
	s := &Shared{Shared: &talk.Shared{Emit: func(_ linger.Protocol, x *trace.Exchange) { out = append(out, *x) }}}
	c = &Conversation{Shared: s, Authority: "192.0.2.1"}
	var skip [2]int64
	m := talk.Mark{}
	for _, t := range turns {
		for b := []byte(t.data); len(b) > 0; {
			piece := b[:min(size, len(b))]
			b = b[len(piece):]
			m.Frame++
			m.At++
			n := int64(len(piece))
			passed := min(n, skip[t.from])
			skip[t.from] -= passed
			switch {
			case n == passed && skip[t.from] > 0:
			case t.lost:
				if passed > 0 {
					skip[t.from] = c.Data(t.from, nil, m)
				}
				if n > passed {
					c.Gap(t.from, n-passed, m)
				}
			default:
				skip[t.from] = c.Data(t.from, piece[passed:], m)
			}
		}
	}
	for _, side := range []talk.Side{talk.Client, talk.Server} {
		c.End(side, why, skip[side], m)
	}
	if why == talk.Cut {
		why = talk.NoResponse
	}
	c.Close(why)
	return c, out
}

// line is an exchange in short.
func line(x trace.Exchange) string {
	s := fmt.Sprintf("%d %s %s %d %d+%d", x.Number, x.Method, x.URL, x.Status, x.RequestBody, x.ResponseBody)
	if x.Known != "" {
		s += " " + string(x.Known)
	}
	if x.Failed != "" {
		s += ": " + x.Failed
	}
	return s
}

const (
	get  = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	peek = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
	five = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
)

func TestExchanges(t *testing.T) {
	for name, c := range map[string]struct {
		turns []turn
		want  []string
	}{
		"one": {[]turn{up(get), down(five)}, []string{"1 GET http://h/ 200 0+5"}},
		"two": {[]turn{up(get), down(five), up(get), down(five)}, []string{"1 GET http://h/ 200 0+5", "2 GET http://h/ 200 0+5"}},
		"pipelined": {[]turn{up(get + peek + get), down(five + "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + five)},
			[]string{"1 GET http://h/ 200 0+5", "2 HEAD http://h/ 200 0+0", "3 GET http://h/ 200 0+5"}},
		"bodies": {[]turn{up("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"), down(five)}, []string{"1 POST http://h/a 200 3+5"}},
		"100, 103": {[]turn{up("PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"), down("HTTP/1.1 100 Continue\r\n\r\n"), up("abc"),
			down("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + five)}, []string{"1 PUT http://h/a 200 3+5"}},
		"204, 304": {[]turn{up(get + get + get), down("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + five)},
			[]string{"1 GET http://h/ 204 0+0", "2 GET http://h/ 304 0+0", "3 GET http://h/ 200 0+5"}},
		"chunked": {[]turn{up(get + get), down("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;name=value\r\nhello\r\nA \r\n0123456789\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n" + five)},
			[]string{"1 GET http://h/ 200 0+15", "2 GET http://h/ 200 0+5"}},
		"chunked, of a request": {[]turn{up("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get), down(five + five)},
			[]string{"1 POST http://h/ 200 3+5", "2 GET http://h/ 200 0+5"}},
		"both lengths":     {[]turn{up(get), down("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")}, []string{"1 GET http://h/ 200 0+1"}},
		"the same twice":   {[]turn{up(get), down("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na")}, []string{"1 GET http://h/ 200 0+1"}},
		"until the end":    {[]turn{up(get), down("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")}, []string{"1 GET http://h/ 200 0+19"}},
		"HTTP/1.0":         {[]turn{up("GET /x HTTP/1.0\r\n\r\n"), down("HTTP/1.0 200 OK\r\n\r\nhello")}, []string{"1 GET http://192.0.2.1/x 200 0+5"}},
		"HTTP/0.9":         {[]turn{up("GET /x\r\n"), down("<html>hello</html>")}, []string{"1 GET http://192.0.2.1/x 0 0+18"}},
		"LF alone":         {[]turn{up("GET /x HTTP/1.1\nHost: h\n\n"), down("HTTP/1.1 200 OK\nContent-Length: 1\n\na")}, []string{"1 GET http://h/x 200 0+1"}},
		"a line before":    {[]turn{up(get + "\r\n" + get), down(five + five)}, []string{"1 GET http://h/ 200 0+5", "2 GET http://h/ 200 0+5"}},
		"absolute form":    {[]turn{up("GET http://o.example/x HTTP/1.1\r\nHost: h\r\n\r\n"), down(five)}, []string{"1 GET http://o.example/x 200 0+5"}},
		"of the server":    {[]turn{up("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), down(five)}, []string{"1 OPTIONS http://h 200 0+5"}},
		"not answered":     {[]turn{up(get + get), down(five)}, []string{"1 GET http://h/ 200 0+5", "2 GET http://h/ 0 0+0: no response"}},
		"cut":              {[]turn{up(get), down(five[:len(five)-2])}, []string{"1 GET http://h/ 200 0+3: closed within the response"}},
		"cut in a chunk":   {[]turn{up(get), down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n012")}, []string{"1 GET http://h/ 200 0+6: closed within the response"}},
		"request cut":      {[]turn{up("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")}, []string{"1 POST http://h/ 0 3+0: closed within the request"}},
		"answered early":   {[]turn{up("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"), down(five), up("defghi" + get), down(five)}, []string{"1 POST http://h/ 200 9+5", "2 GET http://h/ 200 0+5"}},
		"upgraded":         {[]turn{up("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\n"), down("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), up(get), down(five)}, []string{"1 GET http://h/ 101 0+0"}},
		"refused a tunnel": {[]turn{up("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n" + get), down("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n" + five)}, []string{"1 CONNECT h:1 403 0+0", "2 GET http://h/ 200 0+5"}},
		"a bad length":     {[]turn{up(get), down("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello")}, []string{"1 GET http://h/ 200 0+5 inferred"}},
		"only responses":   {[]turn{down(five + five)}, []string{"0   200 0+5", "0   200 0+5"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 1, 2, 7, 40} {
				_, got := play(size, talk.Cut, c.turns...)
				var lines []string
				for _, x := range got {
					lines = append(lines, line(x))
				}
				if !slices.Equal(lines, c.want) && !(size < 1<<20 && name == "a bad length") {
					t.Fatalf("in pieces of %d:\n%s\nwant\n%s", size, strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
				}
			}
		})
	}
}

// TestLosses plays what is missing, in whole pieces.
func TestLosses(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"
	part := strings.Repeat("x", 3000)
	chunks := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n" + part + "\r\n"
	for name, c := range map[string]struct {
		turns    []turn
		resynced int64
		want     []string
	}{
		"in a body":              {[]turn{up(get), down(long + part), miss(down(part)), down(part), up(get), down(five)}, 0, []string{"1 GET http://h/ 200 0+9000", "2 GET http://h/ 200 0+5"}},
		"a body's end":           {[]turn{up(get), down(long + part + part), miss(down(part)), up(get), down(five)}, 0, []string{"1 GET http://h/ 200 0+9000", "2 GET http://h/ 200 0+5"}},
		"an end and a beginning": {[]turn{up(get), down(long + part + part), miss(down(part + five)), up(get), down(five)}, 1, []string{"1 GET http://h/ 200 0+9000", "2 GET http://h/ 200 0+5"}},
		"a response":             {[]turn{up(get), miss(down(five)), up(get), down(five)}, 1, []string{"1 GET http://h/ 0 0+0: response not captured", "2 GET http://h/ 200 0+5"}},
		"a response, said late":  {[]turn{up(get), up(get), miss(down(five)), down(five)}, 1, []string{"1 GET http://h/ 0 0+0: response not captured", "2 GET http://h/ 200 0+5"}},
		"a request":              {[]turn{miss(up(get)), down(five), up(get), down(five)}, 1, []string{"0   200 0+5", "1 GET http://h/ 200 0+5"}},
		"in a head":              {[]turn{up(get), down("HTTP/1.1 200 OK\r\nServer: s\r\nCont"), miss(down("ent-Length: 5\r\n\r\n")), down("hello"), up(get), down(five)}, 1, []string{"1 GET http://h/ 200 0+22 inferred", "2 GET http://h/ 200 0+5"}},
		"in a first line":        {[]turn{up("GET /long"), miss(up("er HTTP/1.1\r\n\r\n")), down(five), up(get), down(five)}, 1, []string{"1 GET  200 0+5 inferred", "2 GET http://h/ 200 0+5"}},
		"in chunks":              {[]turn{up(get), down(chunks), miss(down("3\r\nabc\r\n")), down("3\r\nabc\r\n0\r\n\r\n"), up(get), down(five)}, 1, []string{"1 GET http://h/ 200 0+3021 inferred", "2 GET http://h/ 200 0+5"}},
		"in a chunk":             {[]turn{up(get), down(chunks[:2000]), miss(down(chunks[2000:3000])), down(chunks[3000:] + "0\r\n\r\n"), up(get), down(five)}, 0, []string{"1 GET http://h/ 200 0+3000", "2 GET http://h/ 200 0+5"}},
		"of who pipelines":       {[]turn{up(get + get), down(five + five), up(get + get), miss(down(five)), down(five)}, 1, []string{"1 GET http://h/ 200 0+5", "2 GET http://h/ 200 0+5", "3 GET http://h/ 200 0+5", "4 GET http://h/ 0 0+0: no response"}},
	} {
		t.Run(name, func(t *testing.T) {
			talk, got := play(1<<20, talk.Cut, c.turns...)
			var lines []string
			for _, x := range got {
				lines = append(lines, line(x))
			}
			if !slices.Equal(lines, c.want) || talk.Resynced != c.resynced {
				t.Errorf("%s\nwant\n%s\nresynced %d", strings.Join(lines, "\n"), strings.Join(c.want, "\n"), talk.Resynced)
			}
		})
	}
}

func TestWhatIsSaid(t *testing.T) {
	said, got := play(1<<20, talk.Cut,
		up("GET /a HTTP/1.1\r\nHOST: h\r\nUser-Agent: agent/1\r\nReferer: http://h/\r\nConnection: keep-alive\r\n\r\n"),
		down("HTTP/1.0 301 Moved\r\nServer: server/2\r\nConnection: Upgrade\r\nconnection:CLOSE\r\nKeep-Alive: timeout=5, max=100\r\nLocation: /b\r\nContent-Type: text/html; charset=x\r\nContent-Length: 0\r\n\r\n"))
	if len(got) != 1 {
		t.Fatal(got)
	}
	x := got[0]
	if x.Asked != (trace.Said{Version: "1.1", Connection: "keep-alive"}) || x.Answered != (trace.Said{Version: "1.0", Connection: "Upgrade, CLOSE", KeepAlive: "timeout=5, max=100"}) {
		t.Errorf("%+v %+v", x.Asked, x.Answered)
	}
	if x.Redirect != "http://h/b" || x.ContentType != "text/html" || x.Referer != "http://h/" {
		t.Errorf("%+v", x)
	}
	if said.Agent != "agent/1" || said.Software != "server/2" || said.Host != "h" || said.Protocol() != "http/1.1" {
		t.Errorf("%+v", said)
	}
	if m, ok := said.Announced.Get(); !ok || said.AnnouncedBy != talk.Server || m.Frame != 2 {
		t.Errorf("%+v by %d", m, said.AnnouncedBy)
	}
}

func TestInstants(t *testing.T) {
	_, got := play(10, talk.Cut, up(get), down(five))
	x := got[0]
	// 27 bytes up in frames 1 to 3; 43 down in 4 to 8.
	if x.Sent != linger.Known(linger.Instant(1)) || x.FirstByte != linger.Known(linger.Instant(4)) || x.Done != linger.Known(linger.Instant(8)) {
		t.Errorf("%+v", x)
	}
	if x.Frames != (trace.Frames{First: 1, Last: 8}) || x.AnswerFrames != (trace.Frames{First: 4, Last: 8}) {
		t.Errorf("%+v %+v", x.Frames, x.AnswerFrames)
	}
}

func TestTunnelHandsOverTheRest(t *testing.T) {
	s := &Shared{Shared: &talk.Shared{Emit: func(linger.Protocol, *trace.Exchange) {}}}
	c := &Conversation{Shared: s}
	c.Data(talk.Client, []byte("CONNECT h:1 HTTP/1.1\r\n\r\n"), talk.Mark{})
	c.Data(talk.Server, []byte("HTTP/1.1 200 OK\r\n\r\nSSH-2.0"), talk.Mark{})
	if c.Tunnel != "h:1" || string(s.Rest) != "SSH-2.0" {
		t.Errorf("%q %q", c.Tunnel, s.Rest)
	}
}

func FuzzConversation(f *testing.F) {
	f.Add([]byte(get+get), []byte(five+five), []byte{3, 200, 9})
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\n"), []byte{1})
	f.Add([]byte("CONNECT h HTTP/1.1\r\n\r\nx"), []byte("HTTP/1.1 200 OK\r\n\r\nx"), []byte{})
	f.Add([]byte("GET /\r\n"), []byte("x"), []byte{130})
	f.Fuzz(func(t *testing.T, a, b, cuts []byte) {
		var turns []turn
		rest := [2]string{string(a), string(b)}
		for i := 0; len(rest[0])+len(rest[1]) > 0; i++ {
			side, size, lost := talk.Side(i&1), 1<<20, false
			if i < len(cuts) {
				size, lost = int(cuts[i]&0x3f)+1, cuts[i] >= 0xf0
			}
			size = min(size, len(rest[side]))
			turns = append(turns, turn{side, rest[side][:size], lost})
			rest[side] = rest[side][size:]
		}
		c, got := play(1<<20, talk.Cut, turns...)
		var asked, answered int64
		for _, x := range got {
			if x.Number > 0 {
				asked++
			}
			if !x.FirstByte.IsZero() {
				answered++
			}
			if x.RequestBody < 0 || x.ResponseBody < 0 || x.ResponseHead < 0 {
				t.Fatalf("%+v", x)
			}
		}
		if asked != c.Requests || answered != c.Responses || c.Waiting() {
			t.Fatalf("%d requests of %d, %d responses of %d", asked, c.Requests, answered, c.Responses)
		}
	})
}

// TestContentOfDNSIsKept has messages of DNS handed on whose lengths are said, in pieces of any
// size, and no others.
func TestContentOfDNSIsKept(t *testing.T) {
	const kind = "Content-Type: application/dns-message\r\n"
	up := "POST /q HTTP/1.1\r\nHost: a\r\n" + kind + "Content-Length: 5\r\n\r\nasked" +
		"POST /q HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain" +
		"POST /q HTTP/1.1\r\nHost: a\r\n" + kind + "Content-Length: 4\r\n\r\nmore"
	down := "HTTP/1.1 200 OK\r\n" + kind + "Content-Length: 8\r\n\r\nanswered" +
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain" +
		"HTTP/1.1 200 OK\r\n" + kind + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	for piece := 1; piece < 60; piece++ {
		var got []string
		shared := Shared{Shared: &talk.Shared{}}
		shared.Shared.Content = func(p linger.Protocol, x *trace.Exchange, asked, answered []byte) linger.Protocol {
			got = append(got, fmt.Sprintf("%d %s %d %s", x.RequestBody, asked, x.ResponseBody, answered))
			return p
		}
		shared.Shared.Emit = func(linger.Protocol, *trace.Exchange) {}
		c := &Conversation{Shared: &shared}
		for from, b := range []string{up, down} {
			skip := int64(0)
			for len(b) > 0 {
				n := min(piece, len(b))
				if int64(n) <= skip {
					skip -= int64(n)
				} else {
					skip = c.Data(talk.Side(from), []byte(b[skip:n]), talk.Mark{})
				}
				b = b[n:]
			}
		}
		c.Close(talk.NoResponse)
		if want := []string{"5 asked 8 answered", "4 more 3 "}; !slices.Equal(got, want) {
			t.Fatalf("pieces of %d: %q", piece, got)
		}
	}
}
