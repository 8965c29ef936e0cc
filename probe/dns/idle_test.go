package dns

import (
	"errors"
	"strings"
	"testing"
	"time"

	"linger/probe/limits"
	"linger/profile"
)

func TestLimitOfConnectionsOfDNS(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	ended := func(d time.Duration) limits.Sighting {
		return limits.Sighting{End: limits.End{How: profile.FIN}, Idle: d}
	}
	open := func(d time.Duration) limits.Sighting { return limits.Sighting{Idle: d} }
	lost := limits.Sighting{End: limits.End{Err: errors.New("it could not be opened")}}
	for _, test := range []struct {
		name      string
		seen      []limits.Sighting
		jitter    profile.Duration
		state     profile.State
		low, high time.Duration
		why       string
	}{
		{"none could be opened", []limits.Sighting{lost}, 0, profile.Unknown, 0, 0, "could not be opened"},
		{"both ended", []limits.Sighting{ended(2000 * ms), ended(2010 * ms)}, 0, profile.Measured, 1999 * ms, 2011 * ms, ""},
		{"packets vary", []limits.Sighting{ended(2000 * ms)}, profile.Duration(30 * ms), profile.Measured, 1970 * ms, 2030 * ms, ""},
		{"one ended, one was lost", []limits.Sighting{ended(2000 * ms), lost}, 0, profile.Measured, 1999 * ms, 2001 * ms, ""},
		{"both are open", []limits.Sighting{open(9000 * ms), open(8000 * ms)}, 0, profile.AtLeast, 8000 * ms, 0, ""},
		{"one is open for much longer", []limits.Sighting{ended(2000 * ms), open(9000 * ms)}, 0, profile.AtLeast, 1999 * ms, 0, "of 2 connections 1 ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := limitOf(test.seen, test.jitter, 2, "so")
			low, high, _ := got.Interval()
			if got.State != test.state || time.Duration(low) != test.low || test.high != 0 && time.Duration(high) != test.high {
				t.Errorf("it is %s, %v to %v; want %s, %v to %v", got.State, time.Duration(low), time.Duration(high), test.state, test.low, test.high)
			}
			if !strings.Contains(got.Why, test.why) || (test.why == "") != (got.Why == "") {
				t.Errorf("why: %q, want %q", got.Why, test.why)
			}
		})
	}
}
