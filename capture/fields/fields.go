// Package fields reads the compressed heads of HTTP/2 (HPACK; RFC 7541) and HTTP/3 (QPACK; RFC
// 9204) as an observer does: the tables may have begun before the capture, or parts of what
// built them may be missing. A field that refers to an entry that was not captured is known to
// be there, and its name or value not.
package fields

// A Field is one of a head. Name and Value are valid until the next call.
type Field struct {
	Name, Value []byte
	// Lost says that the value, and where Name is empty the name too, was not captured.
	Lost bool
}
