package compare

import (
	"math"
	"slices"
	"time"

	"linger"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// whyShare is the share of what a strategy takes longer from which a wait explains it.
const whyShare = 0.25

// why tells what makes a strategy slower than another, where the lesson says the opposite:
// as the traces show it, with what takes it away for a trial.
func (j *judgement) why(slow, fast *tried, p float64) {
	if p >= stats.Alpha {
		return // there may be nothing to explain
	}
	f := finding.Finding{Code: Why, Subject: slow.subject()}
	more := slow.time.Value - fast.time.Value
	stalled, stalls := slow.row.Stalled.Or(0), slow.row.Stalls.Or(0)
	idle := slow.restarts(j.rtt)
	switch {
	case stalls > 0 && stalled-fast.row.Stalled.Or(0) >= whyShare*more:
		f.Cause = CauseStalls
		f.Figures = finding.Figures{finding.Number("stalls", stalls, ""), finding.Number("stalled", stalled, "ms")}
		if dropped := slow.row.DroppedQueue.Or(0); dropped > 0 && dropped >= slow.row.DroppedLoss.Or(0) {
			f.Cause = CauseQueue
			queue := max(j.queue.Down.Or(0), j.queue.Up.Or(0))
			f.Figures = append(f.Figures, finding.Number("dropped", dropped, ""), finding.Number("queue", queue, "ms"),
				finding.Number("try_queue", 1000*math.Ceil(max(1000, 2*queue)/1000), "ms"))
		} else {
			f.Figures = append(f.Figures, finding.Number("dropped", slow.row.DroppedLoss.Or(0), ""))
		}
	case waits(slow) && !j.chain && (fast.strategy.Connections > 1 || fast.strategy.InFlight != 1):
		return // its requests wait in line, which is said
	case slow.strategy.Multiplexed && !slow.strategy.Datagram && slow.strategy.Version == "2" && fast.strategy.Connections > 1 && slow.lost():
		f.Cause = CauseBlocking
		f.Figures = finding.Figures{finding.Number("connections", fast.row.Connections.Or(0), "").Whose(fast.row.Strategy), finding.Number("loss", j.loss, "share")}
	case slow.strategy.Persistent && slow.large && idle > 0:
		f.Cause = CauseIdle
		f.Figures = finding.Figures{count("restarts", idle)}
	case slow.row.Stalls.IsZero():
		return // nobody looked
	default:
		f.Cause, f.Severity = CauseUnseen, finding.Unknown
	}
	if slices.ContainsFunc(j.found, func(g finding.Finding) bool { return g.Code == Why && g.Subject == f.Subject && g.Cause == f.Cause }) {
		return // it has been said
	}
	j.add(f)
}

// restarts counts, in a trial of the middle, after how many of its idle times a connection
// may have begun with its initial window anew: those longer than a retransmission timeout
// (RFC 5681, 4.1), which is 200 ms and the round-trip time at least.
func (c *tried) restarts(rtt time.Duration) int {
	n, ok := median(c.whole, func(t *trace.Trace) (float64, bool) {
		done := map[int64]linger.Instant{}
		restarts := 0
		order := slices.SortedFunc(slices.Values(t.Exchanges), func(a, b trace.Exchange) int { return int(a.Sent.Or(0) - b.Sent.Or(0)) })
		for _, e := range order {
			last, used := done[e.Connection]
			if sent, ok := e.Sent.Get(); ok && used && sent.Sub(last) > rtt+200*time.Millisecond {
				restarts++
			}
			done[e.Connection] = max(last, e.Done.Or(0))
		}
		return float64(restarts), true
	}).Get()
	if !ok {
		return 0
	}
	return int(n)
}

// wider tells where more kept connections lose to one.
func (j *judgement) wider() {
	for _, c := range j.cases {
		if !c.timed || !c.strategy.Persistent || c.strategy.Connections < 2 || c.strategy.InFlight != 1 {
			continue
		}
		s := c.strategy
		s.Connections = 1
		one := first(j.cases, func(k *tried) bool { return equal(k.strategy, s) })
		if one == nil {
			continue
		}
		if r, p := compared(one, c); r == less && p < stats.Alpha {
			j.add(finding.Finding{Code: MoreCosts, Severity: sure(p), Subject: c.subject(), Figures: append(versus(c, one, p), c.abreast())})
			j.why(c, one, p)
			return
		}
	}
}
