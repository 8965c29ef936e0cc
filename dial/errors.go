package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"linger"
)

// ErrUnreachable is what an error is where the server cannot be reached before anything could
// be asked: nobody knows its name, or an earlier visit that was necessary failed. The error's
// own text says which.
var ErrUnreachable = errors.New("the server cannot be reached")

// Unreachable returns an ErrUnreachable in words of its own.
func Unreachable(why string) error { return unreachable(why) }

type unreachable string

func (e unreachable) Error() string { return string(e) }

func (e unreachable) Is(target error) bool { return target == ErrUnreachable }

// A lookupError is a name that nobody knows, or that cannot be asked for.
type lookupError struct {
	host string
	err  error
}

func (e lookupError) Error() string {
	return fmt.Sprintf("cannot find %s: %s; check the name", e.host, linger.Brief(Cause(e.err)))
}

func (e lookupError) Unwrap() error { return e.err }

func (e lookupError) Is(target error) bool { return target == ErrUnreachable }

// IsLate reports whether a dial has run into its time limit.
func IsLate(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// IsReset reports whether an error of the network says that the other side has given the
// connection up without a word.
func IsReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// Cause is the system's own word for an error of the network, without the
// addresses that Go puts around it.
func Cause(err error) string {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	return err.Error()
}

// IsAlert reports whether an error is an alert of the other side.
func IsAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// Alert is what an alert of TLS said by which the other side ended the connection: "alert
// internal error" (RFC 8446, 6.2). close_notify is none; ok is false where err is of
// something else.
func Alert(err error) (word string, ok bool) {
	if !IsAlert(err) {
		return "", false
	}
	_, word, _ = strings.Cut(err.Error(), "tls: ")
	return "alert " + word, true
}
