package profile

import (
	"strconv"
	"strings"

	"linger"
)

// Said is what a server sent into a connection on which nothing had been asked: bytes
// that belong to no message that a client waits for.
type Said struct {
	Status int    `json:"status,omitempty"` // where it is a response
	Bytes  int    `json:"bytes"`            // 0 is that the words are those of another protocol (TLS)
	Text   string `json:"text"`             // the first of the bytes, as Go quotes them, or the words
}

// SaidOf is what bytes say, of which there were n and these are the first.
func SaidOf(first []byte, n int) *Said {
	return &Said{Status: statusOf(first), Bytes: n, Text: linger.Quoted(first, n)}
}

// statusOf is the status of a response of HTTP/1 that begins so, or 0 (RFC 9112, 4).
func statusOf(first []byte) int {
	const version = "HTTP/1.1 "
	if len(first) < len(version)+3 || !strings.HasPrefix(string(first), "HTTP/1.") || first[len(version)-1] != ' ' {
		return 0
	}
	status, err := strconv.ParseUint(string(first[len(version):len(version)+3]), 10, 16)
	if err != nil || status < 100 {
		return 0
	}
	return int(status)
}

// Brief tells it in a word or two: "408", "12 bytes", or the words themselves.
func (s Said) Brief() string {
	switch {
	case s.Status > 0:
		return strconv.Itoa(s.Status)
	case s.Bytes > 0:
		return linger.Plural(s.Bytes, "byte")
	}
	return s.Text
}

// After is an ending that something was said before: "408, FIN".
func (e Ending) After(s *Said) Ending {
	switch {
	case s == nil:
		return e
	case e == "":
		return Ending(s.Brief())
	}
	return Ending(s.Brief()) + ", " + e
}
