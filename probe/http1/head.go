package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"linger"
	"linger/conformance"
)

// A head is that of a response, as it was read.
type head struct {
	status int
	minor  byte // of the version: '1' of HTTP/1.1
	header http.Header
	faults []conformance.Fault
}

// A delimiter is how the end of content is known (RFC 9112, 6.3).
type delimiter int

const (
	noContent delimiter = iota
	counted
	chunked
	untilClose
)

// mostFaults is how many faults are told of one head, and noted in all.
const mostFaults = 16

// errFraming is of a response whose length nobody can know.
var errFraming = errors.New("the response has no one length")

// parseHead reads a head, whose lines end with LF and of which the last is empty, of the
// response to a request of HTTP/1.0, if old, or of a later version. What breaks the
// grammar and can be read all the same is among the faults.
func parseHead(raw []byte, old bool) (head, error) {
	first, rest, _ := bytes.Cut(raw, []byte("\n"))
	line := strings.TrimSuffix(string(first), "\r")
	h, ok := parseStatusLine(line)
	if !ok {
		return h, fmt.Errorf("malformed HTTP response %q", linger.Brief(line))
	}
	h.grammar(first, rest, old)
	fields, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(rest))).ReadMIMEHeader()
	if err != nil {
		return h, fmt.Errorf("malformed HTTP response: %w", err)
	}
	h.header = http.Header(fields)
	h.lengths()
	return h, nil
}

// fault notes what is wrong with the head.
func (h *head) fault(id, format string, args ...any) {
	if len(h.faults) < mostFaults {
		h.faults = append(h.faults, conformance.Fault{ID: id, What: fmt.Sprintf(format, args...)})
	}
}

// grammar notes what breaks the grammar in the status line and in the fields behind it, of
// the response to a request of HTTP/1.0, if old.
func (h *head) grammar(first, rest []byte, old bool) {
	grammar := "head-grammar"
	if h.interim() {
		grammar = "interim-whole"
	}
	// RFC 9112, 4: "A server MUST send the space that separates the status-code from the
	// reason-phrase even when the reason-phrase is absent (i.e., the status-line would end
	// with the space)."
	if len(bytes.TrimSuffix(first, []byte("\r"))) == len("HTTP/1.1 200") {
		h.fault(grammar, "the status line %s has no space behind the status", linger.Quoted(first, len(first)))
	}
	if h.interim() && old {
		h.fault("interim-whole", "an interim response (%d) came to HTTP/1.0", h.status)
	}
	for field := range bytes.Lines(rest) {
		text := bytes.TrimRight(field, "\r\n")
		name, _, colon := bytes.Cut(text, []byte(":"))
		switch {
		case len(text) == 0:
		case text[0] == ' ' || text[0] == '\t':
			h.fault(grammar, "the head of a response (%d) has a folded line: %s", h.status, linger.Quoted(text, len(text)))
		case bytes.HasPrefix(text, []byte("HTTP/1.")):
			h.fault(grammar, "no empty line ends the head of a response (%d): it goes on with %s", h.status, linger.Quoted(text, len(text)))
		case !colon:
			h.fault(grammar, "a line in the head of a response (%d) has no colon: %s", h.status, linger.Quoted(text, len(text)))
		case !isToken(name):
			h.fault(grammar, "the name of a field of a response (%d) is no token: %s", h.status, linger.Quoted(text, len(text)))
		case bytes.ContainsAny(text, "\x00\r"):
			h.fault(grammar, "the value of a field of a response (%d) has CR or NUL: %s", h.status, linger.Quoted(text, len(text)))
		}
	}
}

// lengths notes what is wrong with what the head says of the length of the content.
func (h *head) lengths() {
	lengths, codings := h.header["Content-Length"], h.header["Transfer-Encoding"]
	if h.interim() || h.status == http.StatusNoContent {
		for _, n := range lengths {
			h.fault("length-absent", "a response (%d) has Content-Length: %s", h.status, linger.Brief(n))
		}
		for _, c := range codings {
			h.fault("length-absent", "a response (%d) has Transfer-Encoding: %s", h.status, linger.Brief(c))
		}
		return
	}
	switch {
	case len(lengths) > 0 && len(codings) > 0:
		h.fault("length-single", "a response (%d) has both Content-Length: %s and Transfer-Encoding: %s", h.status, linger.Brief(lengths[0]), linger.Brief(codings[0]))
	case len(lengths) > 1:
		h.fault("length-single", "a response (%d) has Content-Length more than once: %s", h.status, linger.Brief(strings.Join(lengths, " and ")))
	case len(lengths) == 1:
		if _, err := strconv.ParseUint(lengths[0], 10, 63); err != nil {
			h.fault("length-single", "a response (%d) has a Content-Length that is none: %s", h.status, linger.Quoted([]byte(lengths[0]), len(lengths[0])))
		}
	case strings.Count(strings.ToLower(strings.Join(codings, ",")), "chunked") > 1:
		h.fault("length-single", "a response (%d) is chunked more than once: %s", h.status, linger.Brief(strings.Join(codings, ", ")))
	}
}

// parseStatusLine reads a status line without its end (RFC 9112, 4).
func parseStatusLine(line string) (h head, ok bool) {
	const version = "HTTP/1."
	if len(line) < len("HTTP/1.1 200") || line[:len(version)] != version || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return h, false
	}
	status, err := strconv.ParseUint(line[9:12], 10, 16)
	if h.minor = line[7]; err != nil || status < 100 || h.minor < '0' || h.minor > '9' {
		return h, false
	}
	h.status = int(status)
	return h, true
}

// isToken reports whether a name is one that a field can have (RFC 9110, 5.6.2).
func isToken(name []byte) bool {
	for _, c := range name {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(name) > 0
}

// interim reports whether another head follows. A switch of protocols ends HTTP.
func (h head) interim() bool { return h.status < 200 && h.status != http.StatusSwitchingProtocols }

// closes reports whether the head says that the connection ends (RFC 9112, 9.3).
func (h head) closes() bool {
	said := strings.Join(h.header.Values("Connection"), ",")
	return lists(said, "close") || h.minor == '0' && !lists(said, "keep-alive")
}

// framing is how the content of the response to method ends, and its length where it is
// counted (RFC 9112, 6.3).
func (h head) framing(method string) (delimiter, int64, error) {
	lengths, codings := h.header["Content-Length"], h.header["Transfer-Encoding"]
	switch {
	case method == http.MethodHead, h.status < 200, h.status == http.StatusNoContent, h.status == http.StatusNotModified:
		return noContent, 0, nil
	case len(codings) > 0:
		all := strings.Split(strings.Join(codings, ","), ",")
		if strings.EqualFold(strings.TrimSpace(all[len(all)-1]), "chunked") {
			return chunked, 0, nil
		}
		return untilClose, 0, nil
	case len(lengths) == 0:
		return untilClose, 0, nil
	}
	// A list whose values are all the same counts as that value.
	values := strings.Split(strings.Join(lengths, ","), ",")
	n, err := strconv.ParseUint(strings.TrimSpace(values[0]), 10, 63)
	for _, other := range values[1:] {
		if strings.TrimSpace(other) != strings.TrimSpace(values[0]) {
			err = errFraming
		}
	}
	if err != nil {
		return noContent, 0, errFraming
	}
	return counted, int64(n), nil
}
