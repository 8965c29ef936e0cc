package answer

import "bytes"

// fields are what a head says of its body's end and of the connection.
type fields struct {
	length         int64 // -1 is not said
	coded, chunked bool
	close, keep    bool
}

// read reads one field. Only names of as many letters as those that matter are looked at.
func (f *fields) read(line []byte) error {
	at := bytes.IndexByte(line, ':')
	if at <= 0 {
		return errHead
	}
	switch name := line[:at]; {
	case at == len(contentLength) && is(name, contentLength):
		n, ok := number(bytes.Trim(line[at+1:], " \t"))
		// RFC 9112, 6.3, 5: an invalid or differing Content-Length makes the framing invalid.
		if !ok || f.length >= 0 && f.length != n {
			return errSize
		}
		f.length = n
	case at == len(transferEncoding) && is(name, transferEncoding):
		f.coded = true
		f.chunked = lastIs(line[at+1:], "chunked")
	case at == len(connection) && is(name, connection):
		f.close = f.close || has(line[at+1:], "close")
		f.keep = f.keep || has(line[at+1:], "keep-alive")
	}
	return nil
}

const (
	contentLength    = "content-length"
	transferEncoding = "transfer-encoding"
	connection       = "connection"
)

// number reads digits; a list of the same number, which some proxies make, is that number (RFC
// 9110, 8.6).
func number(b []byte) (int64, bool) {
	first, rest, more := bytes.Cut(b, []byte{','})
	first = bytes.Trim(first, " \t")
	if len(first) == 0 || len(first) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range first {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	if more {
		other, ok := number(bytes.Trim(rest, " \t"))
		return n, ok && other == n
	}
	return n, true
}

// is reports whether b is a word in lower case, whatever the case of b.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// has reports whether a list has a word.
func has(list []byte, word string) bool {
	for len(list) > 0 {
		var one []byte
		one, list, _ = bytes.Cut(list, []byte{','})
		if is(bytes.Trim(one, " \t"), word) {
			return true
		}
	}
	return false
}

// lastIs reports whether the last of a list is a word.
func lastIs(list []byte, word string) bool {
	if at := bytes.LastIndexByte(list, ','); at >= 0 {
		list = list[at+1:]
	}
	return is(bytes.Trim(list, " \t"), word)
}
