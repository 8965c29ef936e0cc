package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestWhatErrorsOfTheNetworkMean(t *testing.T) {
	socket := func(n syscall.Errno) error {
		return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", n)}
	}
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: internal error")}
	for _, test := range []struct {
		err         error
		cause       string
		reset, late bool
		alert       string
	}{
		{socket(syscall.ECONNRESET), syscall.ECONNRESET.Error(), true, false, ""},
		{socket(syscall.EPIPE), syscall.EPIPE.Error(), true, false, ""},
		{socket(syscall.ECONNREFUSED), syscall.ECONNREFUSED.Error(), false, false, ""},
		{io.EOF, "EOF", false, false, ""},
		{fmt.Errorf("dial: %w", context.DeadlineExceeded), "dial: context deadline exceeded", false, true, ""},
		{os.ErrDeadlineExceeded, os.ErrDeadlineExceeded.Error(), false, true, ""},
		{alert, "remote error: tls: internal error", false, false, "alert internal error"},
	} {
		word, ok := Alert(test.err)
		if Cause(test.err) != test.cause || IsReset(test.err) != test.reset || IsLate(test.err) != test.late || word != test.alert || ok != (word != "") || IsAlert(test.err) != ok {
			t.Errorf("%v: cause %q, reset %v, late %v, alert %q", test.err, Cause(test.err), IsReset(test.err), IsLate(test.err), word)
		}
	}
}

func TestUnreachableServers(t *testing.T) {
	lookup := lookupError{"example.invalid", &net.DNSError{Err: "no such host", Name: "example.invalid"}}
	for _, err := range []error{Unreachable("nobody is there"), lookup, fmt.Errorf("of two: %w", lookup)} {
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("%v is none", err)
		}
	}
	if got := Unreachable("nobody is there").Error(); got != "nobody is there" {
		t.Errorf("said as %q", got)
	}
	if _, err := TCP(t.Context(), "unix", Options{Route: Route{Unix: "/nowhere"}, FastOpen: true}); err == nil || errors.Is(err, ErrUnreachable) {
		t.Errorf("TCP Fast Open on a Unix socket: %v", err)
	}
}
