// Package wire holds what HTTP/2, HTTP/3, QUIC, TLS and DNS over streams say in bytes, as far as
// more than one room of this program writes, reads, counts or models it: sizes, limits,
// identifiers, and the small codecs around them. It knows neither sockets nor who speaks.
//
//   - http2.go: what a connection of HTTP/2 begins with, and the sizes of its frames
//   - varint.go: the integers of QUIC
//   - http3.go: frames, streams and settings of HTTP/3
//   - http3errors.go: names of the error codes of HTTP/3
//   - tls.go: records of TLS
//   - dns.go: messages of DNS on a stream, and the error codes of DNS over QUIC
//   - credit.go: how far this program's clients let a server send ahead
//
// The frames of HTTP/2 themselves and its error codes are those of
// golang.org/x/net/http2, where they are spoken.
package wire
