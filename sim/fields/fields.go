// Package fields says how many bytes the fields of a head take, as HTTP/2 and HTTP/3 write
// them.
package fields

import (
	"bytes"

	"golang.org/x/net/http2/hpack"
)

// A Block takes the field lines of a head, one after the other.
type Block interface{ Add(name, value string) }

// An HPACK is a header block as HPACK writes it (RFC 7541), with the dynamic table of its
// connection. Call Begin once, then for each head Reset and Add.
type HPACK struct {
	encoder *hpack.Encoder
	block   bytes.Buffer
	never   string
}

// Begin takes the name of the field that is not indexed: no other message has its value.
func (b *HPACK) Begin(never string) {
	b.never = never
	b.encoder = hpack.NewEncoder(&b.block)
}

// Reset begins another head.
func (b *HPACK) Reset() { b.block.Reset() }

// Add encodes a field.
func (b *HPACK) Add(name, value string) {
	_ = b.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: name == b.never}) // into memory
}

// Size is how many bytes the head takes.
func (b *HPACK) Size() int { return b.block.Len() }
