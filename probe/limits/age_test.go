package limits

import (
	"errors"
	"testing"
	"time"

	"linger"
	"linger/profile"
)

var errOpen = errors.New("it could not be opened")

func TestAgeIsNeitherIdlenessNorANumberOfRequests(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	idle := profile.Timeout{State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{3000 * ms})}
	open := profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(8000 * ms)}}
	for _, test := range []struct {
		name   string
		lives  []Life
		idle   profile.Timeout
		limit  linger.Opt[int]
		state  profile.State
		median time.Duration
		low    time.Duration
	}{
		{"both ended by themselves at one age", []Life{
			{Requests: 6, Low: 3900 * ms, High: 4000 * ms, Ended: true, Exact: true, Idle: 1000 * ms},
			{Requests: 4, Low: 3000 * ms, High: 4001 * ms, Ended: true, Exact: true, Idle: 1800 * ms},
		}, idle, linger.Opt[int]{}, profile.Measured, 4000500 * time.Microsecond, 4000 * ms},
		{"both were ended by a response, in brackets that overlap", []Life{
			{Requests: 6, good: 3500 * ms, Low: 4050 * ms, High: 4100 * ms, Ended: true},
			{Requests: 4, good: 3000 * ms, Low: 4250 * ms, High: 4300 * ms, Ended: true},
		}, idle, linger.Opt[int]{}, profile.Measured, 3800 * ms, 3800 * ms},
		{"after the same number of requests", []Life{
			{Requests: 4, good: 1000 * ms, Low: 1000 * ms, High: 2000 * ms, Ended: true},
			{Requests: 4, good: 1500 * ms, Low: 1500 * ms, High: 2500 * ms, Ended: true},
		}, idle, linger.Opt[int]{}, profile.AtLeast, 0, 1500 * ms},
		{"after as many as are allowed", []Life{
			{Requests: 5, good: 1000 * ms, Low: 1000 * ms, High: 2000 * ms, Ended: true},
			{Requests: 4, good: 1500 * ms, Low: 1500 * ms, High: 2500 * ms, Ended: true},
		}, idle, linger.Known(4), profile.AtLeast, 0, 1500 * ms},
		{"at ages that differ", []Life{
			{Requests: 5, Low: 1000 * ms, High: 2000 * ms, Ended: true, Exact: true, Idle: 100 * ms},
			{Requests: 4, Low: 3000 * ms, High: 3500 * ms, Ended: true, Exact: true, Idle: 100 * ms},
		}, idle, linger.Opt[int]{}, profile.Measured, 2750 * ms, 2000 * ms},
		{"in responses, the later one to a connection that had not been asked for long", []Life{
			{Requests: 7, good: 7750 * ms, Low: 15740 * ms, High: 15750 * ms, Ended: true, Said: true},
			{Requests: 4, good: 4200 * ms, Low: 9000 * ms, High: 9010 * ms, Ended: true, Said: true},
		}, open, linger.Opt[int]{}, profile.Measured, 8380 * ms, 8380 * ms},
		{"in one response, and the other was not asked any more", []Life{
			{Requests: 6, good: 7750 * ms, Low: 12000 * ms},
			{Requests: 4, good: 4200 * ms, Low: 9000 * ms, High: 9010 * ms, Ended: true, Said: true},
		}, open, linger.Opt[int]{}, profile.Measured, 8380 * ms, 8380 * ms},
		{"in one response, and the other was answered later", []Life{
			{Requests: 7, good: 15750 * ms, Low: 16000 * ms},
			{Requests: 4, good: 4200 * ms, Low: 9000 * ms, High: 9010 * ms, Ended: true, Said: true},
		}, open, linger.Opt[int]{}, profile.AtLeast, 0, 4200 * ms},
		{"in responses that no one age explains", []Life{
			{Requests: 7, good: 15750 * ms, Low: 31000 * ms, High: 31010 * ms, Ended: true, Said: true},
			{Requests: 4, good: 4200 * ms, Low: 9000 * ms, High: 9010 * ms, Ended: true, Said: true},
		}, open, linger.Opt[int]{}, profile.Measured, 17605 * ms, 4200 * ms},
		{"one behind more requests than any other had", []Life{
			{Requests: 45, good: 7750 * ms, Low: 8000 * ms, High: 8010 * ms, Ended: true, Said: true},
			{Requests: 4, good: 4200 * ms, Low: 9000 * ms},
		}, open, linger.Opt[int]{}, profile.AtLeast, 0, 7750 * ms},
		{"in a pause as long as the idle limit", []Life{
			{Requests: 4, good: 1000 * ms, Low: 1000 * ms, High: 4000 * ms, Ended: true, Exact: true, Idle: 3100 * ms},
			{Requests: 3, good: 1000 * ms, Low: 1000 * ms, High: 4000 * ms, Ended: true, Exact: true, Idle: 3100 * ms},
		}, idle, linger.Opt[int]{}, profile.AtLeast, 0, 1000 * ms},
		{"in a pause that others have outlived", []Life{
			{Requests: 4, Low: 1000 * ms, High: 4000 * ms, Ended: true, Exact: true, Idle: 3100 * ms},
			{Requests: 3, Low: 1000 * ms, High: 4000 * ms, Ended: true, Exact: true, Idle: 3100 * ms},
		}, open, linger.Opt[int]{}, profile.Measured, 4000 * ms, 4000 * ms},
		{"only one ended", []Life{
			{Requests: 4, Low: 1000 * ms, High: 2000 * ms, Ended: true, Exact: true, Idle: 100 * ms},
			{Requests: 3, Low: 7000 * ms},
		}, idle, linger.Opt[int]{}, profile.AtLeast, 0, 2000 * ms},
		{"open, and not asked any more", []Life{
			{Requests: 4, good: 1800 * ms, Low: 4300 * ms},
			{Requests: 3, good: 1200 * ms, Low: 4000 * ms},
		}, open, linger.Opt[int]{}, profile.AtLeast, 0, 1800 * ms},
		{"none could be opened", []Life{{Err: errOpen}, {Err: errOpen}}, idle, linger.Opt[int]{}, profile.Unknown, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			age := Age(test.lives, test.idle, test.limit, 45, ms)
			if age.State != test.state || time.Duration(age.Median) != test.median || time.Duration(age.Low) != test.low {
				t.Errorf("it is %s: median %v, low %v (%s); want %s: %v, %v", age.State, time.Duration(age.Median), time.Duration(age.Low), age.Why, test.state, test.median, test.low)
			}
		})
	}
}
