package linger_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"linger"
)

func TestWhenPagesAreDue(t *testing.T) {
	five := linger.Think{Least: 5 * time.Second}
	for _, test := range []struct {
		crowd linger.Crowd
		want  time.Duration
	}{
		{linger.Crowd{Clients: 50, Visits: 1}, 0},
		{linger.Crowd{Clients: 50, Visits: 4, Think: five}, 15 * time.Second},
		{linger.Crowd{Clients: 50, Visits: 4, Think: five, Arrivals: 10}, 20 * time.Second},
		{linger.Crowd{Clients: 50, Visits: 4, Think: five, Arrivals: 10, Duration: 12 * time.Second}, 12 * time.Second},
		{linger.Crowd{Clients: 50, Think: five, Duration: time.Minute}, time.Minute},
	} {
		if got := test.crowd.Due(); got != test.want {
			t.Errorf("%+v: %v, want %v", test.crowd, got, test.want)
		}
	}
}

// What would last for longer than any engine runs, or beyond what an Instant holds, is refused.
func TestCrowdsWithoutAnEnd(t *testing.T) {
	for _, test := range []struct {
		crowd linger.Crowd
		want  string
	}{
		{linger.Crowd{Clients: 5, Visits: 2, Arrivals: 1e-9}, "less than one in 24h"},
		{linger.Crowd{Clients: 5, Visits: 2, Arrivals: math.SmallestNonzeroFloat64, Duration: time.Second}, "less than one in 24h"},
		{linger.Crowd{Clients: 5, Visits: 2, Arrivals: 3e-5}, "last page is wanted after 46h17m47s"},
		{linger.Crowd{Clients: 5, Visits: 100, Think: linger.Think{Least: time.Hour}}, "fewer --visits"},
		{linger.Crowd{Clients: 5, Visits: 100, Think: linger.Think{Least: time.Hour}, Duration: time.Hour}, ""},
	} {
		err := test.crowd.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.crowd, err, test.want)
		}
	}
}
