package prober

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfterIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		field string
		wait  time.Duration
		ok    bool
	}{
		{"3", 3 * time.Second, true},
		{" 0 ", 0, true},
		{now.Add(time.Minute).Format(http.TimeFormat), time.Minute, true},
		{now.Add(-time.Minute).Format(http.TimeFormat), 0, true},
		{"-1", 0, false},
		{"99999999999999999999", 0, false},
		{"soon", 0, false},
		{"", 0, false},
	} {
		if wait, ok := delayOf(test.field, now); wait != test.wait || ok != test.ok {
			t.Errorf("%q: %v, %v; want %v, %v", test.field, wait, ok, test.wait, test.ok)
		}
	}
}

// TestPausesBehindRefusals goes through refusals in virtual time: pauses grow, what was under
// way is none of a row, an answer ends the row, and four in a row end all.
func TestPausesBehindRefusals(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	epoch := time.Unix(1000, 0)
	type step struct {
		sent, at   time.Duration
		status     int
		retryAfter string
		again      bool
		due        time.Duration // of the next request, asked for at once
	}
	for _, test := range []struct {
		name   string
		pauses time.Duration
		steps  []step
		alone  bool
	}{
		{"served", time.Minute, []step{{0, 10 * ms, 200, "", false, 10 * ms}}, false},
		{"pauses grow by four", time.Minute, []step{
			{0, 10 * ms, 429, "", true, 110 * ms},
			{110 * ms, 120 * ms, 429, "", true, 520 * ms},
			{520 * ms, 530 * ms, 429, "", true, 2130 * ms},
			{2130 * ms, 2140 * ms, 429, "", false, 2210 * ms},
		}, true},
		{"two under way count once", time.Minute, []step{
			{0, 10 * ms, 503, "", true, 110 * ms},
			{5 * ms, 15 * ms, 503, "", true, 130 * ms},
			{110 * ms, 120 * ms, 200, "", false, 150 * ms},
			{150 * ms, 160 * ms, 503, "", true, 260 * ms},
		}, false},
		{"the server says for how long", time.Minute, []step{{0, 10 * ms, 429, "2", true, 2010 * ms}}, false},
		{"no shorter than by itself", time.Minute, []step{{0, 10 * ms, 429, "0", true, 110 * ms}}, false},
		{"longer than is waited for", time.Minute, []step{{0, 10 * ms, 429, "60", false, 10 * ms}}, true},
		{"all pauses together", 450 * ms, []step{
			{0, 10 * ms, 429, "", true, 110 * ms},
			{110 * ms, 120 * ms, 429, "", false, 130 * ms},
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r refusals
			for i, s := range test.steps {
				again := r.answered(epoch.Add(s.sent), epoch.Add(s.at), s.status, s.retryAfter, test.pauses)
				due := r.due(epoch.Add(s.at)).Sub(epoch)
				if again != s.again || due != s.due {
					t.Errorf("answer %d (%d): again %v, the next at %v; want %v, %v", i, s.status, again, due, s.again, s.due)
				}
			}
			if (r.alone != "") != test.alone || test.alone && !strings.Contains(r.alone, "429") {
				t.Errorf("it is left alone: %q", r.alone)
			}
		})
	}
}
