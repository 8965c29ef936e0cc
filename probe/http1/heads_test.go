package http1

import (
	"strings"
	"testing"

	"linger/conformance"
)

// TestHeadsAreReadAndFaulted holds what is wrong with heads by the sentences of RFC 9110 and
// 9112 that they break.
func TestHeadsAreReadAndFaulted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, raw string
		old       bool
		faults    []string // cases
		wrong     string   // why it cannot be read
	}{
		{"as it should be", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, nil, ""},
		{"lines that end with LF alone", "HTTP/1.1 200 OK\nContent-Length: 5\n\n", false, nil, ""},
		{"an empty reason", "HTTP/1.1 200 \r\n\r\n", false, nil, ""},
		{"no space behind the status", "HTTP/1.1 200\r\n\r\n", false, []string{"head-grammar"}, ""},
		{"a folded line", "HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\n\r\n", false, []string{"head-grammar"}, ""},
		{"a space before the colon", "HTTP/1.1 200 OK\r\nX-Name : a\r\n\r\n", false, []string{"head-grammar"}, ""},
		{"a line without a colon", "HTTP/1.1 200 OK\r\nX-Name\r\n\r\n", false, []string{"head-grammar"}, "malformed"},
		{"NUL in a value", "HTTP/1.1 200 OK\r\nX-Name: a\x00b\r\n\r\n", false, []string{"head-grammar"}, "malformed"},
		{"two heads without a line between them", "HTTP/1.1 200 OK\r\nHTTP/1.1 204 No Content\r\n\r\n", false, []string{"head-grammar"}, "malformed"},
		{"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false, []string{"length-single"}, ""},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", false, []string{"length-single"}, ""},
		{"a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", false, []string{"length-single"}, ""},
		{"chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", false, []string{"length-single"}, ""},
		{"a length with 204", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, []string{"length-absent"}, ""},
		{"a coding with 1xx", "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n", false, []string{"length-absent"}, ""},
		{"a length with 304 is that of another response", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, nil, ""},
		{"1xx to HTTP/1.0", "HTTP/1.1 100 Continue\r\n\r\n", true, []string{"interim-whole"}, ""},
		{"a fault within 1xx", "HTTP/1.1 100\r\n\r\n", false, []string{"interim-whole"}, ""},
		{"no HTTP", "SSH-2.0-OpenSSH_9.9\r\n", false, nil, "malformed"},
		{"another version", "HTTP/2.0 200 OK\r\n\r\n", false, nil, "malformed"},
		{"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", false, nil, "malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := parseHead([]byte(test.raw), test.old)
			if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("it cannot be read: %v; want %q", err, test.wrong)
			}
			if len(h.faults) != len(test.faults) {
				t.Fatalf("the faults are %+v, want %q", h.faults, test.faults)
			}
			for i, f := range h.faults {
				if f.ID != test.faults[i] {
					t.Errorf("fault %d is of %s (%s), want %s", i, f.ID, f.What, test.faults[i])
				}
			}
		})
	}
}

// TestHowContentEnds follows RFC 9112, 6.3, in its order, and 9.3 for the connection.
func TestHowContentEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, raw string
		how               delimiter
		length            int64
		wrong, closes     bool
	}{
		{"counted", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", counted, 5, false, false},
		{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", chunked, 0, false, false},
		{"chunked counts before a length", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", chunked, 0, false, false},
		{"another coding at the end", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", untilClose, 0, false, false},
		{"neither", "GET", "HTTP/1.1 200 OK\r\nConnection: Close, x\r\n\r\n", untilClose, 0, false, true},
		{"to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", noContent, 0, false, false},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", noContent, 0, false, false},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", noContent, 0, false, false},
		{"a list of one value", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", counted, 5, false, false},
		{"a list of two", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", noContent, 0, true, false},
		{"no number", "GET", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n", noContent, 0, true, false},
		{"HTTP/1.0 closes", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", counted, 5, false, true},
		{"HTTP/1.0 with keep-alive", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n", counted, 5, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := parseHead([]byte(test.raw), false)
			if err != nil {
				t.Fatal(err)
			}
			how, length, err := h.framing(test.method)
			if how != test.how || length != test.length || (err != nil) != test.wrong {
				t.Errorf("it ends by %d, %d bytes (%v); want %d, %d", how, length, err, test.how, test.length)
			}
			if h.closes() != test.closes {
				t.Errorf("the connection ends is %v", h.closes())
			}
		})
	}
}

// TestTurnsShowTheOrder: two requests, answered 200 and 404 alone, are sent in turn.
func TestTurnsShowTheOrder(t *testing.T) {
	t.Parallel()
	page, missing := answer{Status: 200, length: 5}, answer{Status: 404, length: 9}
	for _, test := range []struct {
		name    string
		differ  bool
		answers []answer
		want    conformance.Pipelined
	}{
		{"in order", true, []answer{page, missing, page, missing}, conformance.Pipelined{Answered: 4}},
		{"the second pair swapped", true, []answer{page, missing, missing, page}, conformance.Pipelined{Answered: 4, Wrong: 3, Status: 404, Want: 200}},
		{"alike alone", false, []answer{page, missing}, conformance.Pipelined{Answered: 2}},
		{"one is refused for the rate", true, []answer{page, {Status: 429}}, conformance.Pipelined{Answered: 2, Alike: true}},
		{"one is answered as neither", true, []answer{page, {Status: 500}}, conformance.Pipelined{Answered: 2, Alike: true}},
		{"a page of another length", true, []answer{{Status: 200, length: 7}}, conformance.Pipelined{Answered: 1, Alike: true}},
		{"an error of another length", true, []answer{page, {Status: 404, length: 1}}, conformance.Pipelined{Answered: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			turns, seen := turns{alone: [2]answer{page, missing}, differ: test.differ}, conformance.Pipelined{}
			for i, a := range test.answers {
				turns.take(&seen, i, a)
			}
			if seen != test.want {
				t.Errorf("it is %+v, want %+v", seen, test.want)
			}
		})
	}
}

func TestWhatAnAnswerIsKnownBy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, raw, validator, claim string }{
		{"a tag before a date", "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nLast-Modified: now\r\n\r\n", `If-None-Match: "a"`, ""},
		{"a date", "HTTP/1.1 200 OK\r\nLast-Modified: now\r\n\r\n", "If-Modified-Since: now", ""},
		{"neither", "HTTP/1.1 200 OK\r\n\r\n", "", ""},
		{"what it says of keeping", "HTTP/1.1 200 OK\r\nConnection: x, Keep-Alive\r\nKeep-Alive: timeout=5\r\n\r\n", "", "Connection: keep-alive, Keep-Alive: timeout=5"},
	} {
		h, err := parseHead([]byte(test.raw), false)
		if err != nil {
			t.Fatal(err)
		}
		a := answer{header: h.header}
		if a.validator() != test.validator || claim(a) != test.claim {
			t.Errorf("%s: %q, %q; want %q, %q", test.name, a.validator(), claim(a), test.validator, test.claim)
		}
	}
}
