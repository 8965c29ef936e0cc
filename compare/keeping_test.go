package compare

import (
	"slices"
	"testing"
	"time"

	"linger"
	"linger/finding"
	"linger/internal/textbook"
	"linger/trace"
)

// Where a kept connection is slower than one for each request, the verdict says why.
func TestWhy(t *testing.T) {
	const wait = 6 * time.Second // which makes keep slower than close
	stalled := func(f *trace.Flow) { f.Retransmitted = 2; f.Stall(wait) }
	for _, test := range []struct {
		name  string
		list  string
		later time.Duration
		down  func(*trace.Flow)
		cause string
	}{
		{"a full queue", "close,keep", wait, func(f *trace.Flow) { stalled(f); f.DroppedQueue = 2 }, CauseQueue},
		{"losses", "close,keep", wait, func(f *trace.Flow) { stalled(f); f.DroppedLoss = 2 }, CauseStalls},
		{"nothing that shows", "close,keep", wait, func(f *trace.Flow) { f.DroppedQueue = 2 }, CauseUnseen},
		{"requests in line", "close:6,keep", 0, func(*trace.Flow) {}, ""}, // which the lead says
		{"faster", "close,keep", 0, stalled, ""},
	} {
		in := textbook.Experiment(test.list, 5)
		for _, one := range in.Traces[1] {
			one.Ended += linger.Instant(test.later)
			l, _ := one.Ledger.Get()
			test.down(&l.Connections[0].Down)
			one.Ledger = linger.Known(l)
		}
		f := Compare(in)
		i := slices.IndexFunc(f.Verdict.Findings, func(f finding.Finding) bool { return f.Code == Why })
		cause := ""
		if i >= 0 {
			cause = f.Verdict.Findings[i].Cause
		}
		if cause != test.cause {
			t.Errorf("%s: %q, want %q; %s", test.name, cause, test.cause, codesOf(f.Verdict))
		}
		if test.cause == CauseQueue && (f.Rows[1].Stalls != linger.Known(1.0) || f.Rows[1].Stalled != linger.Known(6000.0) || f.Rows[1].DroppedQueue != linger.Known(2.0)) {
			t.Errorf("%s: %+v", test.name, f.Rows[1])
		}
	}
}
