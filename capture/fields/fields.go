// Package fields reads the compressed heads of HTTP/2 (HPACK; RFC 7541) and HTTP/3 (QPACK; RFC
// 9204) as an observer does: the tables may have begun before the capture, or parts of what
// built them may be missing. A field that refers to an entry that was not captured is known to
// be there, and its name or value not. Only fields that records need keep their values.
package fields

// A Name is the name of a field that records need, or what else is known of it.
type Name uint8

const (
	Lost  Name = iota // the name was not captured
	Other             // one that no record needs
	Method
	Scheme
	Authority
	Path
	Status
	Protocol // of extended CONNECT (RFC 8441, 4)
	UserAgent
	Server
	ContentType
	ContentLength
	Location
	Referer
	Host
	Cookie
	Authorization
)

// names are the fields whose names are not their own constants' places.
var names = map[string]Name{
	":method": Method, ":scheme": Scheme, ":authority": Authority, ":path": Path, ":status": Status,
	":protocol": Protocol, "user-agent": UserAgent, "server": Server, "content-type": ContentType,
	"content-length": ContentLength, "location": Location, "referer": Referer, "host": Host,
	"cookie": Cookie, "authorization": Authorization,
}

// NameOf returns which field a name is of, in lower case as HTTP/2 and HTTP/3 have it.
func NameOf(b []byte) Name {
	if n, ok := names[string(b)]; ok {
		return n
	}
	return Other
}

// valued reports whether the value of a field is kept: that of credentials never is.
func (n Name) valued() bool { return n != Lost && n != Other && n != Cookie && n != Authorization }

// A Field is one of a head. Value is valid until the next call, and empty where no record
// needs it.
type Field struct {
	Name  Name
	Value []byte
	// Gone says that the value was not captured.
	Gone bool
}

// StatusCode reads the value of Status, 0 where it is none (RFC 9110, 15).
func StatusCode(b []byte) (code int) {
	if len(b) != 3 {
		return 0
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return 0
		}
		code = 10*code + int(d-'0')
	}
	return code
}
