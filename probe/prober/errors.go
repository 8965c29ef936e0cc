package prober

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"

	"linger/dial"
)

// Cause is the innermost reason of an error, in few words.
func Cause(err error) string {
	lookup, nameless := errors.AsType[*net.DNSError](err)
	switch {
	case dial.IsReset(err): // in the system's own word
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case nameless:
		return "nobody knows the name " + lookup.Name
	case Ends(err):
		return "it closed the connection"
	}
	return dial.Cause(err)
}

// Ends reports whether an error says that there was no response at all, as where the
// server had closed.
func Ends(err error) bool {
	return errors.Is(err, io.EOF) || dial.IsReset(err)
}

// TimedOut reports whether err is that nothing came in time.
func TimedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// ErrSilent is the error of an answer that did not come in time.
var ErrSilent = errors.New("no answer in time")

// ChoseUnoffered reports whether a handshake was ended by our side, since the server chose
// a protocol that it had not been offered, as Apache does without mod_http2.
func ChoseUnoffered(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unadvertised ALPN protocol")
}
