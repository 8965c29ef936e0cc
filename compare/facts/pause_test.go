package facts

import (
	"testing"
	"time"

	"linger"
	"linger/trace"
)

// What was never sent was not lost.
func TestWhatWasNeverSentIsNotLost(t *testing.T) {
	first := trace.Exchange{Connection: 0, Attempts: 1, Done: linger.Known(linger.Instant(1e6))}
	at := func(e trace.Exchange) *trace.Trace {
		return &trace.Trace{Ended: 9e9, Exchanges: []trace.Exchange{first, e}, Connections: []trace.Connection{{ID: 0}, {ID: 1}}}
	}
	for _, test := range []struct {
		name    string
		second  trace.Exchange
		outcome Outcome
		wanted  bool
	}{
		{"answered", trace.Exchange{Connection: 0, Attempts: 1, Queued: 3e9, Done: linger.Known(linger.Instant(4e9))}, Reused, true},
		{"sent and not answered", trace.Exchange{Connection: 0, Attempts: 1, Queued: 3e9, Failed: "no answer"}, Lost, true},
		{"no connection to send it on", trace.Exchange{Connection: -1, Queued: 3e9, Failed: "connection refused"}, Unsent, true},
		{"given up while it waited", trace.Exchange{Connection: -1, Queued: 9e9, Failed: trace.Stopped}, Unasked, false},
	} {
		r, err := ReuseOf(at(test.second), time.Second)
		if err != nil || r.Outcome != test.outcome || r.WantedMS.IsZero() == test.wanted || r.Outcome != Reused && r.Reason == "" {
			t.Errorf("%s: %+v, %v; want %s", test.name, r, err, test.outcome)
		}
	}
}

// A connection that the client let go of, for what followed the response, was not closed
// by the server.
func TestWhatTheClientLetGoWasNotClosed(t *testing.T) {
	done := func(at linger.Instant) linger.Opt[linger.Instant] { return linger.Known(at) }
	tr := &trace.Trace{Ended: 9e9,
		Exchanges: []trace.Exchange{{Connection: 0, Attempts: 1, Done: done(1e6)}, {Connection: 1, Attempts: 1, Queued: 3e9, Done: done(4e9)}},
		Connections: []trace.Connection{
			{ID: 0, Closed: done(2e6), ClosedBy: trace.AtClient, Reason: "sent more", Surplus: linger.Known(trace.Surplus{Bytes: 2, Text: `"\r\n"`})}, {ID: 1}}}
	r, err := ReuseOf(tr, time.Second)
	if err != nil || r.Outcome != LetGo || r.ClosedBy != trace.AtClient || !r.ClosedMS.IsZero() || r.Reason == "" {
		t.Errorf("%+v, %v", r, err)
	}
}
