package report

import (
	"testing"

	"linger"
	"linger/tune"
)

// tuned has two timeouts of the first screen, today's, and the advised one.
func tuned() *tune.Result {
	point := func(timeout, reuse float64) tune.Point {
		return tune.Point{Timeout: timeout, Reuse: tune.Bounds{Low: reuse, High: reuse}, Connections: tune.Bounds{Low: 1000 * (1 - reuse), High: 1000*(1-reuse) + 20}, Mean: tune.Bounds{Low: timeout / 4, High: timeout / 4}, P99: int64(timeout), Peak: int64(2 * timeout), TimeWait: 3.25}
	}
	five, ten, sixty, advised := point(5, 0.4), point(10, 0.5), point(60, 0.9), point(75, 0.95)
	advised.Waiting = linger.Known(tune.Bounds{Low: 1.5, High: 2.5})
	return &tune.Result{Points: []tune.Point{five, ten, sixty}, Today: &five, Advised: &advised}
}

// On the first screen are some timeouts, with today's and the advised one; all of them elsewhere.
func TestTuningTimeouts(t *testing.T) {
	same(t, "some", TuningTimeouts(tuned(), false), `
timeout | reuse | conns | sockets | p99 | peak | TIME_WAIT | waited for handshakes |
5 s | 40 % | 600–620 | 1.2 | 5 | 10 | 3.2 | - | today
60 s | 90 % | 100–120 | 15 | 60 | 120 | 3.2 | - |
*75 s | 95 % | 50–70 | 19 | 75 | 150 | 3.2 | 1.50–2.50 s | advised`)
	if all := TuningPoints(tuned(), true); len(all) != 4 || all[1].Timeout != 10 || all[3].Timeout != 75 {
		t.Errorf("%+v", all)
	}
	r := tuned()
	r.Advised = r.Today
	if got := TuningTimeouts(r, false).Rows[0].Cells; got[len(got)-1].Text != "today, advised" {
		t.Errorf("%+v", got)
	}
}

func TestTuningLimits(t *testing.T) {
	r := &tune.Result{Runs: []tune.Run{{Timeout: 75, Reuse: 0.95, Opened: 50, Skew: 1}, {Timeout: 75, Limit: 100, Reuse: 0.94, Opened: 61, Limited: 9, Skew: 1.0625}}}
	same(t, "limits", TuningLimits(r), `
idle timeout | max requests | reuse | conns opened | ended by the limit | largest / mean backend
75 s | none | 95 % | 50 | 0 | 1.00
75 s | 100 | 94 % | 61 | 9 | 1.06`)
}

// Bins are named by whole seconds; the last has no end. Shares add up to all of it.
func TestTuningGaps(t *testing.T) {
	same(t, "gaps", TuningGaps([]tune.Bin{{To: 1, Requests: 60, Within: 60}, {From: 1, To: 2, Requests: 30, Within: 30}, {From: 3600, Requests: 10}}), `
idle for | requests | share | up to here | within the timeout
less than 1 s | 60 | 60 % | 60 % | 60
1–2 s | 30 | 30 % | 90 % | 30
3600 s or more | 10 | 10 % | 100 % | 0`)
	same(t, "none", TuningGaps([]tune.Bin{{To: 1}}), `
idle for | requests | share | up to here | within the timeout
less than 1 s | 0 | - | - | 0`)
}

func TestTuningObserved(t *testing.T) {
	same(t, "nothing observed", TuningObserved(&tune.Result{}), "idle for | used again | requests | on a new one")
	r := &tune.Result{Observed: &tune.Observed{Steps: []tune.Step{{From: 0, To: 1, Reused: 9, New: 1}, {From: 1, To: 2, Reused: 3, New: 1}, {From: 60, To: 120, Reused: 0, New: 5}, {From: 3600, To: 7200, New: 2}}}}
	same(t, "observed", TuningObserved(r), `
idle for | used again | requests | on a new one
0 s | 90 % | 9 | 1
1 s | 75 % | 3 | 1
60–120 s | 0 % | 0 | 5
over 3600 s | 0 % | 0 | 2`)
}
