package head

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"

	"linger/policy"
)

func TestEnd(t *testing.T) {
	for head, want := range map[string]int{
		"":                         -1,
		"GET / HTTP/1.0\r\n":       -1,
		"GET / HTTP/1.0\r\n\r":     -1,
		"GET / HTTP/1.0\r\n\r\n":   18,
		"GET / HTTP/1.0\n\n":       16,
		"GET / HTTP/1.0\n\r\n":     17,
		"GET / HTTP/1.0\r\n\nGET":  17,
		"GET / HTTP/1.0\r\r\n\n":   18,
		"GET / HTTP/1.0\r\n\r\r\n": -1,
	} {
		if got := End([]byte(head), 0); got != want {
			t.Errorf("End(%q) = %d, want %d", head, got, want)
		}
		// Found in steps as in one.
		for cut := range head {
			if End([]byte(head[:cut]), 0) < 0 {
				if got := End([]byte(head), cut); got != want {
					t.Errorf("End(%q, %d) = %d, want %d", head, cut, got, want)
				}
			}
		}
	}
}

var heads = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /delay/59s HTTP/1.0\n\n",
	"HEAD /bytes/9 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
	"POST http://a:80/x?y HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
	"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
}

// FuzzParse: what this parser takes, that of net/http takes too, and reads the
// same out of it.
func FuzzParse(f *testing.F) {
	for _, s := range heads {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n := End(in, 0)
		if n < 0 {
			return
		}
		block := in[:n]
		var r Request
		if r.Parse(block, 8192) != nil {
			return
		}
		// Two rules of net/http that are not the standard's: it wants a target that
		// net/url can read, and no "*" or authority where it makes no sense.
		if r.Target[0] != '/' || bytes.ContainsAny(r.Target, "%") {
			return
		}
		h, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(block)))
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", block, err)
		}
		length := r.Length
		if r.Chunked {
			length = -1
		}
		if h.Method != string(r.Method) || h.RequestURI != string(r.Target) || h.ContentLength != length || h.ProtoAtLeast(1, 1) != (r.Version == "1.1") {
			t.Fatalf("%q: net/http reads %s %s %s, %d bytes; we %s %s %s, %d", block, h.Method, h.RequestURI, h.Proto, h.ContentLength, r.Method, r.Target, r.Version, length)
		}
		if closes := !policy.Persists(r.Version, r.Connection); h.Close != closes && !(r.Version == "1.0") {
			t.Fatalf("%q: net/http closes %v, we %v", block, h.Close, closes)
		}
	})
}
