package facts

import (
	"errors"
	"time"

	"linger"
	"linger/trace"
)

// An Outcome is what became of a request that a client wanted to send on a connection that
// had been idle.
type Outcome string

const (
	// Reused: it was answered on the same connection.
	Reused Outcome = "reused"
	// Noticed: the connection had been closed before, which the client saw; the request
	// went on another one at once.
	Noticed Outcome = "closed before"
	// LetGo: the client could not keep the connection, for what followed the response; the
	// request went on another one at once.
	LetGo Outcome = "client let go"
	// Repeated: it was sent, the connection ended without an answer, and it was sent
	// again on another.
	Repeated Outcome = "lost, retried"
	// Lost: it was not answered at all.
	Lost Outcome = "lost"
	// Unsent: it was wanted and was never sent, as there was no connection to send it on.
	Unsent Outcome = "not sent"
	// Unasked: there was no idle connection to try.
	Unasked Outcome = "not tried"
)

// A Reuse is how a client fared that asked again after a pause, on one connection of
// its own.
type Reuse struct {
	Wait time.Duration `json:"-"`
	// WaitMS is the pause that was asked for, after the last byte of the first response.
	WaitMS  float64 `json:"wait_ms"`
	Outcome Outcome `json:"outcome"`
	// WantedMS is when the client wanted to send, after the last byte; TookMS how long
	// it then took until the last byte of the answer, a new connection included.
	WantedMS linger.Opt[float64] `json:"wanted_ms,omitzero"`
	TookMS   linger.Opt[float64] `json:"took_ms,omitzero"`
	Status   int                 `json:"status,omitempty"`
	Attempts int                 `json:"attempts"` // times that it was sent
	// ClosedMS is when the first connection ended, after the last byte; who ended it
	// first, and why, in the words of the trace.
	ClosedMS linger.Opt[float64] `json:"closed_ms,omitzero"`
	ClosedBy trace.Peer          `json:"closed_by,omitempty"`
	Reason   string              `json:"reason,omitempty"`
}

// ReuseOf reads the trace of two exchanges, of which the second was wanted a pause
// after the first. An error is that the trace is not one of two.
func ReuseOf(t *trace.Trace, wait time.Duration) (Reuse, error) {
	r := Reuse{Wait: wait, WaitMS: float64(wait) / 1e6, Outcome: Unasked}
	if len(t.Exchanges) < 2 {
		return r, errors.New("the trace has no second request")
	}
	first, second := t.Exchanges[0], t.Exchanges[1]
	done, ok := first.Done.Get()
	if !ok || first.Failed != "" {
		r.Reason = first.Failed
		return r, nil
	}
	since := func(at linger.Opt[linger.Instant]) linger.Opt[float64] {
		if at, ok := at.Get(); ok {
			return linger.Known(float64(at.Sub(done)) / 1e6)
		}
		return linger.Opt[float64]{}
	}
	surplus := false
	for _, c := range t.Connections {
		if c.ID != first.Connection {
			continue
		}
		if surplus = !c.Surplus.IsZero(); surplus {
			r.ClosedBy, r.Reason = c.ClosedBy, c.Reason
		}
		if c.ClosedBy == trace.AtServer {
			r.ClosedMS, r.ClosedBy, r.Reason = since(c.Closed), c.ClosedBy, c.Reason
		}
	}
	if second.Failed != "" && second.Attempts == 0 && second.Queued >= t.Ended {
		r.Reason = second.Failed // before the pause was over
		return r, nil
	}
	r.WantedMS, r.Status, r.Attempts = since(linger.Known(second.Queued)), second.Status, second.Attempts
	if at, ok := second.Done.Get(); ok && second.Failed == "" {
		r.TookMS = linger.Known(float64(at.Sub(second.Queued)) / 1e6)
	}
	switch {
	case second.Failed != "" && second.Attempts == 0:
		r.Outcome, r.Reason = Unsent, second.Failed
	case second.Failed != "":
		r.Outcome, r.Reason = Lost, second.Failed
	case second.Attempts > 1:
		r.Outcome = Repeated
	case second.Connection == first.Connection:
		r.Outcome = Reused
	case surplus:
		r.Outcome = LetGo
	default:
		r.Outcome = Noticed
	}
	return r, nil
}
