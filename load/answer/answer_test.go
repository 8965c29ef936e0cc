package answer

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		head   bool
		in     string
		status int
		close  bool
		rest   string // behind the answer
		ends   bool   // only with the connection
		err    error
	}{
		"length":                    {in: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP", status: 200, rest: "HTTP"},
		"no content":                {in: "HTTP/1.1 204 No Content\r\n\r\nx", status: 204, rest: "x"},
		"not modified has a length": {in: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", status: 304},
		"HEAD":                      {head: true, in: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", status: 200, rest: "x"},
		"empty":                     {in: "HTTP/1.1 404 Not Found\r\ncontent-LENGTH:0\r\n\r\n", status: 404},
		"interim":                   {in: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", status: 200},
		"close":                     {in: "HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n", status: 200, close: true},
		"1.0":                       {in: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, close: true},
		"1.0 keep-alive":            {in: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", status: 200},
		"until the end":             {in: "HTTP/1.1 200 OK\r\n\r\nabc", status: 200, close: true, ends: true},
		"chunks":                    {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nrest", status: 200, rest: "rest"},
		"chunks go before a length": {in: "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 200},
		"coded, not in chunks":      {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", status: 200, close: true, ends: true},
		"line feeds alone":          {in: "HTTP/1.1 200 OK\nContent-Length: 2\n\nab", status: 200},
		"no reason":                 {in: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200},
		"the same length twice":     {in: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab", status: 200},
		"two lengths":               {in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab", err: errSize},
		"a negative length":         {in: "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nab", err: errSize},
		"another protocol":          {in: "SSH-2.0-OpenSSH_9\r\n", err: errHead},
		"HTTP/2":                    {in: "HTTP/2 200\r\n\r\n", err: errHead},
		"a chunk of no size":        {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", err: errChunk},
		"a chunk too long":          {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", err: errChunk},
		"101":                       {in: "HTTP/1.1 101 Switching Protocols\r\n\r\n", err: errHead},
		"cut":                       {in: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", err: ErrShort},
		"nothing":                   {in: "", err: ErrShort},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 1 << 16} {
				var m Machine
				m.Begin(test.head)
				rest, done, err := feed(&m, []byte(test.in), size)
				if !done && err == nil {
					if err = m.End(); err == nil && !test.ends {
						t.Fatalf("pieces of %d: it lasts until the end", size)
					}
				}
				if err != test.err {
					t.Fatalf("pieces of %d: %v; want %v", size, err, test.err)
				}
				if err == nil && (m.Status != test.status || m.Close != test.close || string(rest) != test.rest) {
					t.Errorf("pieces of %d: status %d, close %v, %q behind; want %d, %v, %q", size, m.Status, m.Close, rest, test.status, test.close, test.rest)
				}
			}
		})
	}
}

// feed feeds what came in pieces of a size, and returns what it leaves.
func feed(m *Machine, b []byte, size int) (rest []byte, done bool, err error) {
	for len(b) > 0 {
		piece := b[:min(size, len(b))]
		n, done, err := m.Feed(piece)
		if done || err != nil {
			return b[n:], done, err
		}
		b = b[len(piece):]
	}
	return nil, false, nil
}

func TestNothingIsAllocatedForAnAnswer(t *testing.T) {
	in := []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc")
	var m Machine
	if n := testing.AllocsPerRun(100, func() {
		m.Begin(false)
		if _, done, err := m.Feed(in); !done || err != nil {
			t.Fatal(done, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzAnswer holds the machine against itself in other pieces, and against net/http where that
// takes the response.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), uint8(3), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP"), uint8(1), false)
	f.Add([]byte("HTTP/1.0 304 x\nConnection: keep-alive\n\n"), uint8(2), true)
	f.Fuzz(func(t *testing.T, in []byte, size uint8, head bool) {
		var whole, parts Machine
		whole.Begin(head)
		parts.Begin(head)
		rest, done, err := feed(&whole, in, max(len(in), 1))
		rest2, done2, err2 := feed(&parts, in, int(size)+1)
		if done != done2 || (err == nil) != (err2 == nil) && !(err == nil && !done) && !(err2 == nil && !done2) || done && err == nil && (!bytes.Equal(rest, rest2) || whole.Status != parts.Status || whole.Close != parts.Close) {
			t.Fatalf("whole: %v %v %d, in pieces: %v %v %d", done, err, len(rest), done2, err2, len(rest2))
		}
		if !done || err != nil || whole.Status < 200 {
			return
		}
		request := &http.Request{Method: "GET"}
		if head {
			request.Method = "HEAD"
		}
		from := bufio.NewReader(bytes.NewReader(in))
		r, err := http.ReadResponse(from, request)
		for err == nil && r.StatusCode < 200 {
			r, err = http.ReadResponse(from, request)
		}
		if err != nil || strings.Contains(string(in), "\r\r") {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err == nil && r.StatusCode != whole.Status {
			t.Fatalf("status %d; net/http says %d", whole.Status, r.StatusCode)
		}
	})
}
