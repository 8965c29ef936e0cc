package audit

import (
	"testing"

	"linger"
	"linger/finding"
	"linger/trace"
)

// What slow start costs is claimed where the window would have been there still, else only as
// what it may be.
func TestPriceOfSlowStart(t *testing.T) {
	for _, test := range []struct {
		name      string
		size      int64
		gap       float64 // until the next connection, s
		low, high float64 // round trips
	}{
		{"fits into the initial window", 10_000, 0.1, 0, 0},
		{"the window is there still", 100_000, 0.1, 1, 2},
		{"it may be gone", 100_000, 5, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{at: "client"}
			size := func(x *trace.Exchange) { x.ResponseHead, x.ResponseBody = 200, test.size-200 }
			for _, at := range []float64{1, 1.03 + test.gap} {
				c := s.open(at).ask(at+.01, .02).asks(size).asked("close").server(at + .04)
				c.r.Down = linger.Known(trace.Flow{Packets: 80, Payload: test.size, SYN: 1})
			}
			r, _ := s.run(t)
			trip := 1000 * s.whole()
			for _, f := range r.Findings {
				figure, ok := f.Figures.Get("slow_start_predicted")
				if i := figure.Interval.Or(finding.Interval{}); ok != (test.high > 0) || i.Low.Or(0) != test.low*trip || i.High.Or(0) != test.high*trip {
					t.Errorf("%v to %v ms, want %v to %v round trips of %v ms", i.Low, i.High, test.low, test.high, trip)
				}
			}
			if len(r.Findings) != 1 {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}
