package head

import "math"

// Digits reads 1*DIGIT (RFC 9110, 8.6), no sign and no space.
func Digits(b []byte) (int64, bool) {
	var n int64
	for _, c := range b {
		if !isDigit(c) || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

// classes says in which of the sets below a byte is.
var classes = func() (t [256]uint8) {
	for c := range t {
		if c > ' ' && c != 0x7f {
			t[c] |= inTarget | inValue
		}
		if c >= 0x80 {
			t[c] &^= inTarget
		}
		if c == ' ' || c == '\t' {
			t[c] |= inValue
		}
	}
	const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for _, c := range []byte(alphanumeric) {
		t[c] |= inToken | inHost
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= inToken
	}
	for _, c := range []byte("!$%&'()*+,-.:;=[]_~") {
		t[c] |= inHost
	}
	return t
}()

const (
	inToken  = 1 << iota // tchar (RFC 9110, 5.6.2)
	inTarget             // a printable ASCII character: more than RFC 3986 allows, as browsers send it
	inValue              // field-vchar, space or tab (RFC 9110, 5.5)
	inHost               // what uri-host and port are made of (RFC 3986, 3.2.2)
)

func all(b []byte, class uint8) bool {
	for _, c := range b {
		if classes[c]&class == 0 {
			return false
		}
	}
	return true
}

func isToken(b []byte) bool      { return len(b) > 0 && all(b, inToken) }
func isTarget(b []byte) bool     { return len(b) > 0 && all(b, inTarget) }
func IsFieldValue(b []byte) bool { return all(b, inValue) }
func IsHost(b []byte) bool       { return all(b, inHost) }
func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
