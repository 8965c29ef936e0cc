package head

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// A Section is the head of one request of HTTP/2 or HTTP/3, taken in field by
// field. Both versions have the same rules (RFC 9113, 8; RFC 9114, 4), and what
// breaks them makes a request malformed: its stream is reset, the connection
// goes on.
type Section struct {
	Method, Authority, Path string
	ContentType             string
	Length                  int64  // of the content as Content-Length says it, -1 where it does not
	Expects                 string // all that the client expects
	Expect                  bool   // the client waits for 100 (Continue)

	scheme, host string

	seen    uint8 // pseudo-header fields, as bits
	regular bool  // a field that is none has been seen
	hosts   int
	err     error // the first rule that was broken
}

const (
	sawMethod = 1 << iota
	sawScheme
	sawAuthority
	sawPath
)

// NewSection returns the section of a head of which no field has come.
func NewSection() Section { return Section{Length: -1} }

// Add takes the next field in.
func (s *Section) Add(name, value string) {
	if s.err == nil {
		s.err = s.take(name, value)
	}
}

func (s *Section) take(name, value string) error {
	if !isTrimmed(value) {
		return fmt.Errorf("the value of %q cannot stand in a field", name)
	}
	if strings.HasPrefix(name, ":") {
		return s.pseudo(name, value)
	}
	s.regular = true
	// RFC 9113, 8.2.1: "A field name MUST NOT contain characters in the ranges
	// 0x00-0x20, 0x41-0x5a, or 0x7f-0xff (all ranges inclusive)".
	if !isLowerToken(name) {
		return fmt.Errorf("%q is no field name", name)
	}
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		// RFC 9113, 8.2.2: "Any message containing connection-specific header fields
		// MUST be treated as malformed".
		return fmt.Errorf("%q belongs to connections of HTTP/1", name)
	case "te":
		if value != "trailers" {
			return errors.New(`"te" is not "trailers"`)
		}
	case "host":
		s.hosts++
		s.host = value
	case "content-length":
		n, ok := Digits([]byte(value))
		if !ok || s.Length >= 0 && n != s.Length {
			return errors.New("content-length is not one number")
		}
		s.Length = n
	case "content-type":
		s.ContentType = value
	case "expect":
		s.Expects = value
		s.Expect = strings.EqualFold(value, "100-continue")
	}
	return nil
}

func (s *Section) pseudo(name, value string) error {
	var bit uint8
	switch name {
	case ":method":
		bit, s.Method = sawMethod, value
	case ":scheme":
		bit, s.scheme = sawScheme, value
	case ":authority":
		bit, s.Authority = sawAuthority, value
	case ":path":
		bit, s.Path = sawPath, value
	default:
		return fmt.Errorf("%q is no pseudo-header field of a request", name)
	}
	switch {
	case s.regular:
		return fmt.Errorf("%q comes behind other fields", name)
	case s.seen&bit != 0:
		return fmt.Errorf("%q comes twice", name)
	}
	s.seen |= bit
	return nil
}

// End says what is wrong with the head as a whole.
func (s *Section) End() error {
	if s.err != nil {
		return s.err
	}
	if !isToken([]byte(s.Method)) {
		return errors.New("there is no :method")
	}
	if s.hosts > 1 || !IsHost([]byte(s.host)) || !IsHost([]byte(s.Authority)) {
		return errors.New("host or :authority is not one host")
	}
	if s.Method == "CONNECT" {
		// RFC 9113, 8.5: "The ":scheme" and ":path" pseudo-header fields MUST be
		// omitted".
		if s.seen != sawMethod|sawAuthority {
			return errors.New("CONNECT takes :authority and nothing else")
		}
		return nil
	}
	switch {
	case s.scheme == "":
		return errors.New("there is no :scheme")
	case !isTarget([]byte(s.Path)) || s.Path[0] != '/' && (s.Path != "*" || s.Method != "OPTIONS"):
		return errors.New(":path is not an absolute path")
	case s.Authority == "" && s.host == "":
		return errors.New("there is neither :authority nor host")
	case s.Authority != "" && s.host != "" && !strings.EqualFold(s.Authority, s.host):
		return errors.New("host and :authority differ")
	}
	return nil
}

// Request returns the request that the head describes, with the memory of scratch, which
// may be used again once the request is answered.
func (s *Section) Request(scratch []byte) (Request, []byte) {
	scratch = append(append(append(scratch[:0], s.Method...), ' '), s.Path...)
	return Request{
		Key: scratch, Method: scratch[:len(s.Method)], Target: scratch[len(s.Method)+1:],
		IsHEAD: s.Method == "HEAD", ContentType: s.ContentType,
	}, scratch
}

// isTrimmed reports whether v may be the value of a field: "A field value MUST NOT
// start or end with an ASCII whitespace character" (RFC 9113, 8.2.1).
func isTrimmed(v string) bool {
	b := []byte(v)
	return IsFieldValue(b) && len(bytes.Trim(b, " \t")) == len(b)
}

func isLowerToken(name string) bool {
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			return false
		}
	}
	return isToken([]byte(name))
}
