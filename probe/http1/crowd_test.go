package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"linger/probe/prober"
	"linger/profile"
)

// TestWhatBecomesOfTheOneTooMany names it by the error that it met with.
func TestWhatBecomesOfTheOneTooMany(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err           error
		next, refusal profile.Next
	}{
		{errWaits, profile.Waits, profile.Waits},
		{prober.ErrSpent, "", ""},
		{errCloses, "", ""},
		{fmt.Errorf("asked: %w", syscall.ECONNREFUSED), profile.Refused, profile.Refused},
		{errors.New("cannot connect to 192.0.2.1:80: connection reset by peer"), profile.Refused, profile.Refused},
		{io.EOF, profile.Refused, profile.Refused},
		{errors.New("it answers 503"), profile.AnswersOtherwise, profile.AnswersOtherwise},
		{errors.New("cannot connect to 192.0.2.1:80: " + prober.Cause(context.DeadlineExceeded)), profile.Refused, profile.Waits},
		{errors.New("something else"), "", ""},
	} {
		q := new(queue)
		if next, refusal := q.next(test.err), q.refusal(test.err); next != test.next || refusal != test.refusal {
			t.Errorf("%v: %q, and as a refusal %q; want %q, %q", test.err, next, refusal, test.next, test.refusal)
		}
	}
}

func TestHowManyAreServedAtOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		crowd crowd
		want  profile.Count
	}{
		{"one more waits", crowd{n: 8, full: true, next: profile.Waits}, profile.Count{State: profile.Measured, N: 8, Next: profile.Waits}},
		{"all that were tried", crowd{n: 25}, profile.Count{State: profile.AtLeast, N: 25}},
		{"none", crowd{}, profile.Count{State: profile.Unknown}},
	} {
		if got := test.crowd.count(); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
