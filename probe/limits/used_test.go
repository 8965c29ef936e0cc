package limits

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/profile"
)

var (
	calm  = &profile.Closing{Frame: "GOAWAY", Code: "ENHANCE_YOUR_CALM", Error: true}
	no    = &profile.Closing{Frame: "GOAWAY", Code: "NO_ERROR"}
	three = profile.Timeout{State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{3 * time.Second})}
)

func TestRequestsThatAConnectionCarries(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		used  Used
		state profile.State
		why   string
	}{
		{"none was answered", Used{Why: "no answer in time"}, profile.Unknown, "nothing came"},
		{"it was ended in order", Used{Answered: 10, Ended: true, Ending: profile.GOAWAY, Closing: no}, profile.Measured, ""},
		{"it was ended without a word", Used{Answered: 10, Ended: true, Ending: profile.FIN}, profile.Measured, ""},
		{"an error ended it", Used{Answered: 3, Ended: true, Ending: profile.GOAWAY, Closing: calm}, profile.AtLeast, "by an error: GOAWAY ENHANCE_YOUR_CALM"},
		{"it is open", Used{Answered: 16}, profile.AtLeast, ""},
		{"no more could be asked", Used{Answered: 16, Why: "the bound was reached"}, profile.AtLeast, "the bound was reached"},
	} {
		count := test.used.Count("nothing came")
		if count.State != test.state || !strings.Contains(count.Why, test.why) || (test.why == "") != (count.Why == "") {
			t.Errorf("%s: it is %s (%q), want %s (%q)", test.name, count.State, count.Why, test.state, test.why)
		}
		if count.N != test.used.Answered || count.Ending != test.used.Ending || count.Closing != test.used.Closing {
			t.Errorf("%s: %+v is not what was seen: %+v", test.name, count, test.used)
		}
	}
}

func TestPINGThatKeepsAConnection(t *testing.T) {
	t.Parallel()
	unknown := linger.Opt[bool]{}
	for _, test := range []struct {
		name   string
		pinged Pinged
		keeps  linger.Opt[bool]
		why    string
	}{
		{"no limit is known", Pinged{Lived: time.Minute}, unknown, "no limit was seen"},
		{"it lives well past the limit", Pinged{Limit: three, Lived: 5 * time.Second}, linger.Known(true), ""},
		{"it ended well past the limit", Pinged{Limit: three, Lived: 6 * time.Second, Ended: true}, linger.Known(true), ""},
		{"it ended at the limit", Pinged{Limit: three, Lived: 3 * time.Second, Ended: true}, linger.Known(false), ""},
		{"a little past it may be chance", Pinged{Limit: three, Lived: 4 * time.Second, Ended: true, Closing: no}, linger.Known(false), ""},
		{"PING itself was too much", Pinged{Limit: three, Lived: time.Second, Ended: true, Closing: calm}, linger.Known(false), "ENHANCE_YOUR_CALM"},
		{"waiting ended first", Pinged{Limit: three, Lived: time.Second}, unknown, "before it could be told"},
	} {
		if keeps, why := test.pinged.Keeps(); keeps != test.keeps || !strings.Contains(why, test.why) || (test.why == "") != (why == "") {
			t.Errorf("%s: %v (%q), want %v (%q)", test.name, keeps, why, test.keeps, test.why)
		}
	}
}
