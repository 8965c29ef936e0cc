package fields

import (
	"golang.org/x/net/http2/hpack"

	"linger"
)

// A QPACK is the size of a field section as QPACK writes it without a dynamic
// table (RFC 9204, 4.5): indexed where the static table has name and value, a literal
// with the name's index where it has the name, else both literally; literals by
// Huffman's code.
type QPACK struct{ Size int64 }

// Reset begins one anew: the prefix is of two bytes (RFC 9204, 4.5.1).
func (b *QPACK) Reset() { b.Size = 2 }

// staticFields are the entries of RFC 9204, appendix A, that client and origin have a
// use for: the first index of a name, and those of its values.
var staticFields = map[string]struct {
	index  int64
	values map[string]int64
}{
	":authority":     {0, nil},
	":path":          {1, map[string]int64{"/": 1}},
	"content-length": {4, map[string]int64{"0": 4}},
	"date":           {6, nil},
	":method":        {15, map[string]int64{"CONNECT": 15, "DELETE": 16, "GET": 17, "HEAD": 18, "OPTIONS": 19, "POST": 20, "PUT": 21}},
	":scheme":        {22, map[string]int64{linger.SchemeHTTP: 22, linger.SchemeHTTPS: 23}},
	":status": {24, map[string]int64{"103": 24, "200": 25, "304": 26, "404": 27, "503": 28,
		"100": 63, "204": 64, "206": 65, "302": 66, "400": 67, "403": 68, "421": 69, "425": 70, "500": 71}},
	"accept": {29, map[string]int64{"*/*": 29, "application/dns-message": 30}},
	"content-type": {44, map[string]int64{"application/dns-message": 44, "application/javascript": 45, "application/json": 46,
		"application/x-www-form-urlencoded": 47, "image/gif": 48, "image/jpeg": 49, "image/png": 50, "text/css": 51,
		"text/html; charset=utf-8": 52, "text/plain": 53, "text/plain;charset=utf-8": 54}},
	"cache-control": {36, map[string]int64{"max-age=0": 36, "max-age=2592000": 37, "max-age=604800": 38, "no-cache": 39, "no-store": 40,
		"public, max-age=31536000": 41}},
	"user-agent": {95, nil},
}

// prefixed is the size of an integer with a prefix of so many bits (RFC 7541, 5.1).
func prefixed(n int64, bits int) int64 {
	most := int64(1)<<bits - 1
	if n < most {
		return 1
	}
	size := int64(2)
	for n -= most; n >= 128; n >>= 7 {
		size++
	}
	return size
}

// Add encodes a field.
func (b *QPACK) Add(name, value string) {
	literal := int64(hpack.HuffmanEncodeLength(value))
	literal += prefixed(literal, 7)
	known, ok := staticFields[name]
	if !ok {
		n := int64(hpack.HuffmanEncodeLength(name))
		b.Size += prefixed(n, 3) + n + literal
		return
	}
	if known.values == nil && value == "" {
		b.Size += prefixed(known.index, 6)
		return
	}
	if index, ok := known.values[value]; ok {
		b.Size += prefixed(index, 6)
		return
	}
	b.Size += prefixed(known.index, 4) + literal
}
