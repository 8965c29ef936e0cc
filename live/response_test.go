package live

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"linger"
)

// A reading is what a run of responses was taken for.
type reading struct {
	status int
	head   int64
	body   string
}

// readAll reads responses to requests of these methods, the last one repeated,
// until an error, which it returns together with the bytes consumed.
func readAll(r io.Reader, size int, methods ...string) (out []reading, consumed int64, over ending) {
	in := newResponses(bufio.NewReaderSize(nil, size), r, func() linger.Instant { return 0 })
	for {
		begin := in.offset()
		if err := in.await(); err != nil {
			return out, in.offset(), in.ending(err, "between")
		}
		h, err := in.readHead(methods[0])
		if err != nil {
			return out, begin, in.ending(err, "in a head")
		}
		body, err := io.ReadAll(in)
		if err != nil {
			return out, begin, in.ending(err, "in a body")
		}
		out = append(out, reading{h.status, in.offset() - begin - int64(len(body)), string(body)})
		if len(methods) > 1 {
			methods = methods[1:]
		}
	}
}

func TestResponses(t *testing.T) {
	for _, test := range []struct {
		name    string
		in      string
		methods []string
		want    []reading
		over    string
	}{
		{"two of a pipeline", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", nil,
			[]reading{{200, 38, "abc"}, {404, 45, ""}}, "server closed between"},
		{"a status without a reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", nil, []reading{{200, 35, ""}}, "server closed between"},
		{"line feeds alone", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", nil, []reading{{200, 35, "x"}}, "server closed between"},
		{"the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", nil, []reading{{200, 57, "x"}}, "server closed between"},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", nil,
			[]reading{{200, 47 + 3 + 2 + 3 + 2 + 5, "abcde"}}, "server closed between"},
		{"chunks win over a length", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", nil,
			[]reading{{200, 77, "a"}}, "server closed between"},
		{"interim responses", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", nil, []reading{{200, 25 + 38, "x"}}, "server closed between"},
		{"HEAD, then GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", []string{"HEAD", "GET"},
			[]reading{{200, 38, ""}, {200, 38, "abc"}}, "server closed between"},
		{"no content, not modified", "HTTP/1.1 204 X\r\n\r\nHTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", nil,
			[]reading{{204, 18, ""}, {304, 37, ""}}, "server closed between"},
		{"until the close", "HTTP/1.0 200 OK\r\n\r\nabc", nil, []reading{{200, 19, "abc"}}, "server closed between"},
		{"HTTP/1.0 with chunks", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", nil, nil, "malformed response: Transfer-Encoding in an HTTP/1.0 response"},
		{"a length cut short", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", nil, nil, "server closed in a body"},
		{"chunks cut short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", nil, nil, "server closed in a body"},
		{"a trailer cut short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n", nil, nil, "server closed in a body"},
		{"two lengths in one", "HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc", nil, nil, `malformed response: Content-Length "3, 4" is not one length`},
		{"a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", nil, nil, `malformed response: Content-Length "+3" is not one length`},
		{"a chunk that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nmore than that", nil, nil, "malformed response: invalid byte in chunk length"},
		{"nothing", "", nil, nil, "server closed between"},
		{"HTTP/0.9", "<html>hello\r\n", nil, nil, `malformed response: "<html>hello" is not a status line`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.methods == nil {
				test.methods = []string{"GET"}
			}
			for name, r := range map[string]io.Reader{"at once": strings.NewReader(test.in), "byte by byte": iotest.OneByteReader(strings.NewReader(test.in))} {
				got, _, over := readAll(r, readSize, test.methods...)
				if fmt.Sprint(got) != fmt.Sprint(test.want) || over.reason != test.over {
					t.Errorf("%s: %v, %s; want %v, %s", name, got, over.reason, test.want, test.over)
				}
			}
		})
	}
}

// FuzzResponses reads arbitrary bytes as responses, in one piece and byte by
// byte: no panic, no endless loop, the same outcome, not a byte over-read or
// counted twice.
func FuzzResponses(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\nHTTP/1.0 200 OK\r\n\r\nabc",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\ngarbage",
		"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
		"HTTP/1.1 200 OK\nA: b\n c\n\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, isHead bool) {
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		whole, n, over := readAll(bytes.NewReader(b), readSize, method)
		pieces, m, _ := readAll(iotest.OneByteReader(bytes.NewReader(b)), readSize, method)
		if fmt.Sprint(whole) != fmt.Sprint(pieces) || n != m {
			t.Fatalf("%d responses in %d bytes at once, %d in %d byte by byte", len(whole), n, len(pieces), m)
		}
		var total int64
		for _, r := range whole {
			if r.status < 200 || r.status > 999 || r.head < int64(len("HTTP/1.1 200\n\n")) {
				t.Fatalf("status %d with a head of %d bytes", r.status, r.head)
			}
			total += r.head + int64(len(r.body))
		}
		if total != n || n > int64(len(b)) {
			t.Fatalf("responses of %d bytes, %d consumed of %d", total, n, len(b))
		}
		if over.reason == "" || strings.ContainsAny(over.reason, "\r\n\x1b") {
			t.Fatalf("reason %q", over.reason)
		}
	})
}
