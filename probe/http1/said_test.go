package http1

import (
	"net/url"
	"testing"
	"time"

	"linger"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

func TestKeepAliveIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		field   string
		timeout linger.Opt[time.Duration]
		most    linger.Opt[int]
	}{
		{"timeout=5, max=100", linger.Known(5 * time.Second), linger.Known(100)},
		{"timeout=5", linger.Known(5 * time.Second), linger.Opt[int]{}},
		{"MAX=7,Timeout = \"60\"", linger.Known(60 * time.Second), linger.Known(7)},
		{"", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
		{"timeout", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
		{"timeout=-1, max=x", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
		{"timeout=99999999999999999999", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
	} {
		timeout, most := readKeepAlive(test.field)
		if timeout != test.timeout || most != test.most {
			t.Errorf("%q: timeout %v, max %v; want %v, %v", test.field, timeout, most, test.timeout, test.most)
		}
	}
}

func FuzzKeepAlive(f *testing.F) {
	for _, s := range []string{"timeout=5, max=100", "timeout=\"5\"", ",,=,", "timeout=9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		timeout, most := readKeepAlive(s)
		if d, ok := timeout.Get(); ok && (d < 0 || d > limits.Forever) {
			t.Errorf("%q: timeout %v", s, d)
		}
		if n, ok := most.Get(); ok && n < 0 {
			t.Errorf("%q: max %d", s, n)
		}
	})
}

// TestSlowResponseIsNoLimitOfRequests: a server that was through with a response long
// before it was here may have ended the connection for being idle.
func TestSlowResponseIsNoLimitOfRequests(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, test := range []struct {
		name string
		slow time.Duration
		want profile.State
	}{
		{"at once", 10 * ms, profile.Measured},
		{"behind a response that took a part of the limit", 2000 * ms, profile.Measured},
		{"behind one that took as long as the limit", 4100 * ms, profile.AtLeast},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := New(prober.New(prober.Terms{URL: new(url.URL)}))
			defer p.NoMore()
			p.RecordOf(linger.HTTP11, func(h *profile.Protocol) {
				h.Requests = profile.Count{State: profile.Measured, N: 1}
			})
			p.facts.Watched = profile.Timeout{State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{4000 * ms, 4010 * ms})}
			p.facts.Requests, p.facts.slow = linger.Known(1), test.slow
			p.JudgeTogether()
			doc := p.Conclude(nil)
			if got := doc.ProtocolNamed(linger.HTTP11).Requests.State; got != test.want {
				t.Errorf("requests on a connection are %s, want %s", got, test.want)
			}
			if broken := p.ResultOf("close-announced").Outcome == profile.Fail; broken != (test.want == profile.Measured) {
				t.Errorf("close-announced is broken: %v", broken)
			}
		})
	}
}
