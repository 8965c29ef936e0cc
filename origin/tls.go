package origin

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"linger"
	"linger/trace"
)

// tlsConfig is that of one listener. It issues session tickets, one a handshake:
// crypto/tls has no way to send more.
func tlsConfig(certificates []tls.Certificate, protocols ...string) *tls.Config {
	return &tls.Config{
		Certificates: certificates,
		NextProtos:   protocols,
		MinVersion:   tls.VersionTLS12,
	}
}

var errNoCertificate = errors.New("the server has no certificate; give it one, as Authority.Certificate makes them")

// A secured is a TLS connection that ends as one of TCP does.
type secured struct{ *tls.Conn }

// Read takes TCP's end for the end even where TLS has not announced it: HTTP knows
// by itself whether a message is complete.
func (c secured) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// CloseWrite closes the sending side, of TLS and then of TCP.
func (c secured) CloseWrite() error {
	if err := c.Conn.CloseWrite(); err != nil {
		return err
	}
	if half, ok := c.NetConn().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// bare returns the connection below TLS.
func bare(nc net.Conn) net.Conn {
	if s, ok := nc.(secured); ok {
		return s.NetConn()
	}
	return nc
}

// handshake performs TLS's, where there is TLS, and returns the protocol that was
// agreed upon, which may be none. Where it fails, the connection has ended.
func (c *conn) handshake() (protocol linger.Protocol, ok bool) {
	s, secure := c.nc.(secured)
	if !secure {
		return "", true
	}
	deadline := c.server.now().Add(c.server.config.Stall)
	c.nc.SetDeadline(c.server.at(deadline))
	// What was asked before is seen here, what is asked later ends the read.
	err := net.ErrClosed
	if c.asked.Load() == nil {
		err = s.Handshake()
	}
	if err != nil {
		c.refuseHandshake(err)
		return "", false
	}
	c.nc.SetDeadline(time.Time{})
	return linger.ProtocolByALPN(s.ConnectionState().NegotiatedProtocol), true
}

// refuseHandshake ends a connection whose handshake has failed.
func (c *conn) refuseHandshake(err error) {
	late := int64(0)
	foreign, cleartext := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case c.asked.Load() != nil:
		c.end(trace.AtServer, *c.asked.Load())
	case errors.Is(err, io.EOF):
		c.end(trace.AtClient, "client closed in the TLS handshake")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.end(trace.AtServer, "client stalled in the TLS handshake")
	case cleartext:
		c.end(trace.AtServer, "client does not speak TLS")
		if foreign.Conn != nil && isHTTP(foreign.RecordHeader) {
			late = c.answerCleartext(foreign.Conn)
		}
	case isRemoteAlert(err):
		c.end(trace.AtClient, "TLS handshake: "+err.Error())
	default:
		c.end(trace.AtServer, "TLS handshake: "+err.Error())
	}
	// The alert that says why is sent already.
	bare(c.nc).Close()
	c.logClosed(late)
}

// isHTTP reports whether what came for the header of a record begins a request.
func isHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH":
		return true
	}
	return false
}

// answerCleartext tells a client of HTTP what this port speaks, on the connection
// below TLS, and ends it in stages, as linger does. It returns how many bytes came
// after the answer.
func (c *conn) answerCleartext(nc net.Conn) (late int64) {
	const answer = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
		"this port speaks TLS; use https\n"
	if _, err := io.WriteString(nc, answer); err != nil {
		return 0
	}
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return 0
	}
	nc.SetReadDeadline(c.server.at(c.server.now().Add(c.server.config.Linger)))
	late, _ = io.Copy(io.Discard, nc)
	return late
}

// isRemoteAlert reports whether the peer has ended the handshake by an alert.
func isRemoteAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}
