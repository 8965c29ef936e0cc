package compare

import (
	"math"

	"linger"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
)

// serialized reports whether requests are serialized on the one kept connection.
func serialized(c *measured) bool {
	return c.Strategy.Persistent && c.Strategy.Connections == 1 && c.Strategy.InFlight == 1
}

// handshakes tells which part of the baseline's time its handshakes are.
func (j lineup) handshakes(base *measured) (out []finding.Finding) {
	n, ok := base.row.Handshakes.Get()
	wait, ok2 := base.inside.waited.Get()
	if !ok || !ok2 || n == 0 || wait <= 0 || wait > base.Median.Value {
		return out
	}
	f := finding.Finding{Code: HandshakeWait, Subject: base.Subject(), Figures: finding.Figures{
		base.Figure(), finding.Number("handshakes", n, ""), finding.Number("waited", wait, "ms")}}
	if base.Strategy.Connections == 1 {
		f.Code = HandshakeTime
		if tls := base.inside.waitedTLS.Or(0); tls > 0 {
			f.Figures = append(f.Figures, finding.Number("waited_tls", tls, "ms"))
		}
	}
	out = append(out, note(f))
	return out
}

// serial compares the baseline with the kept strategy that differs from it in
// nothing but keeping, and parts what that saves into handshakes and the rest.
func (j lineup) serial(base *measured, parted bool) (out []finding.Finding) {
	kept := j.counterpart(base)
	if kept == nil {
		return out
	}
	r, p := times.Relate(kept.Timed, base.Timed)
	f := finding.Finding{Severity: sure(p), Subject: kept.Subject(), Figures: append(versus(kept, base, p), kept.abreast())}
	if r == times.Same && (kept == j.best || base == j.best) {
		return out // the lead has said so
	}
	if r == times.Less && !parted { // else the steps have told of the parts
		f.Figures = append(f.Figures, parts(base, kept)...)
	}
	out = outcomes{KeptSaves, KeptCosts, KeptSame, ""}.of(f, r)
	if r == times.More {
		out = append(out, j.why(kept, base, p)...)
	}
	return out
}

// abreast is how many connections a strategy has at once.
func (c *measured) abreast() finding.Figure {
	return finding.Number("connections_at_once", float64(c.Strategy.Connections), "")
}

// initialWindow is what a connection may send before the first acknowledgement:
// ten segments (RFC 6928), here of Ethernet's size with timestamps.
const initialWindow = 10 * 1448

// parts tells what a kept connection saves, and where: in ms, in the steps in which the
// difference of the two times is shown, so that they are a sum.
func parts(base, kept *measured) finding.Figures {
	d, ok := divide(base, kept)
	if !ok {
		return nil
	}
	total, unit := finding.Apart(base.Figure(), kept.Figure())
	whole := func(ms float64) float64 { return math.Round(ms/unit) * unit }
	rest := total - whole(d.handshakes)
	out := finding.Figures{finding.Number("saved_by_handshakes", whole(d.handshakes), "ms")}
	elsewhere := "saved_otherwise"
	if d.inHosts {
		out = append(out, finding.Number("saved_by_slow_starts", rest-whole(d.rest), "ms"))
		rest, elsewhere = whole(d.rest), "saved_in_hosts"
	}
	// Half a unit keeps what floating point leaves of nothing out of it.
	if math.Abs(rest) > unit/2 {
		out = append(out, finding.Number(elsewhere, rest, "ms"))
	}
	return out
}

// parallel does the same for each non-persistent strategy with several
// connections at once, at most two of them.
func (j lineup) parallel() (out []finding.Finding) {
	told := 0
	for _, c := range j.cases {
		if c == j.base || !c.Known || c.Strategy.Persistent || c.Strategy.Connections < 2 || told == 2 {
			continue
		}
		kept := j.counterpart(c)
		if kept == nil {
			continue
		}
		told++
		r, p := times.Relate(kept.Timed, c.Timed)
		f := finding.Finding{Severity: sure(p), Subject: kept.Subject(), Figures: append(versus(kept, c, p), c.abreast())}
		out = append(out, outcomes{ManySaves, ManyCosts, ManySame, ""}.of(f, r)...)
		if r == times.More {
			out = append(out, j.why(kept, c, p)...)
		}
	}
	return out
}

// queueing tells where one kept connection loses to several that close, the
// finding of 1997: what is saved in handshakes is lost by waiting in line.
func (j lineup) queueing() (out []finding.Finding) {
	kept := first(j.cases, serialized)
	many := fastest(filter(j.cases, func(c *measured) bool { return !c.Strategy.Persistent && c.Strategy.Connections > 1 }))
	if kept == nil || many == nil {
		return out
	}
	if r, p := times.Relate(many.Timed, kept.Timed); r == times.Less {
		out = append(out, note(finding.Finding{Code: Serialized, Severity: sure(p), Subject: many.Subject(), Figures: append(versus(many, kept, p), many.abreast())}))
	}
	return out
}

// effort tells what a connection more costs in CPU, from the baseline and the kept
// strategy that differs from it in nothing but keeping.
func (j lineup) effort(base *measured) (out []finding.Finding) {
	kept := j.counterpart(base)
	if kept == nil || base.inside.waitedTLS.IsZero() {
		return out
	}
	n := base.row.Connections.Or(0) - kept.row.Connections.Or(0)
	if r, _ := times.RelateSamples(kept.inside.cpu, base.inside.cpu, kept.Family); r != times.Less || n <= 0 {
		return out
	}
	each := func(a, b linger.Opt[float64]) float64 { return (a.Or(0) - b.Or(0)) / n }
	client, server := each(base.row.CPU.Client, kept.row.CPU.Client), each(base.row.CPU.Server, kept.row.CPU.Server)
	if client <= 0 || server <= 0 {
		return out
	}
	out = append(out, note(finding.Finding{Code: ConnectionCPU, Subject: kept.Subject(), Figures: finding.Figures{
		finding.Number("client_cpu", client, "ms"), finding.Number("server_cpu", server, "ms")}}))
	return out
}

// wider tells where more kept connections lose to one.
func (j lineup) wider() (out []finding.Finding) {
	for _, c := range j.cases {
		if !c.Known || !c.Strategy.Persistent || c.Strategy.Connections < 2 || c.Strategy.InFlight != 1 {
			continue
		}
		s := c.Strategy
		s.Connections = 1
		one := first(j.cases, func(k *measured) bool { return times.Equal(k.Strategy, s) })
		if one == nil {
			continue
		}
		if r, p := times.Relate(one.Timed, c.Timed); r == times.Less && p < stats.Alpha {
			out = append(out, note(finding.Finding{Code: MoreCosts, Severity: sure(p), Subject: c.Subject(), Figures: append(versus(c, one, p), c.abreast())}))
			out = append(out, j.why(c, one, p)...)
			return out
		}
	}
	return out
}

// whyShare is the share of what a strategy takes longer from which a wait explains it.
const whyShare = 0.25

// why tells what makes a strategy slower than another, where the lesson says the opposite:
// as the traces show it, with what takes it away for a trial.
func (j lineup) why(slow, fast *measured, p float64) (out []finding.Finding) {
	if p >= stats.Alpha {
		return out // there may be nothing to explain
	}
	f := finding.Finding{Code: Why, Subject: slow.Subject()}
	more := slow.Median.Value - fast.Median.Value
	stalled, stalls := slow.row.Stalled.Or(0), slow.row.Stalls.Or(0)
	idle := slow.inside.restarts
	switch {
	case stalls > 0 && stalled-fast.row.Stalled.Or(0) >= whyShare*more:
		f.Cause = CauseStalls
		f.Figures = finding.Figures{finding.Number("stalls", stalls, ""), finding.Number("stalled", stalled, "ms")}
		if dropped := slow.row.DroppedQueue.Or(0); dropped > 0 && dropped >= slow.row.DroppedLoss.Or(0) {
			f.Cause = CauseQueue
			queues := NetworkOf(j.network).Queue
			queue := max(queues.Down.Or(0), queues.Up.Or(0))
			f.Figures = append(f.Figures, finding.Number("dropped", dropped, ""), finding.Number("queue", queue, "ms"),
				finding.Number("try_queue", 1000*math.Ceil(max(1000, 2*queue)/1000), "ms"))
		} else {
			f.Figures = append(f.Figures, finding.Number("dropped", slow.row.DroppedLoss.Or(0), ""))
		}
	case serialized(slow) && !j.chain && (fast.Strategy.Connections > 1 || fast.Strategy.InFlight != 1):
		return out // its requests are serialized, which is said
	case slow.Strategy.Multiplexed && !slow.Strategy.Datagram && slow.Strategy.Version == "2" && fast.Strategy.Connections > 1 && slow.inside.lossy:
		f.Cause = CauseBlocking
		f.Figures = finding.Figures{finding.Number("connections", fast.row.Connections.Or(0), "").Whose(fast.row.Strategy), finding.Number("loss", j.network.Loss, "share")}
	case slow.Strategy.Persistent && slow.inside.large && idle > 0:
		f.Cause = CauseIdle
		f.Figures = finding.Figures{finding.Counted("restarts", idle)}
	case slow.row.Stalls.IsZero():
		return out // nobody looked
	default:
		f.Cause, f.Severity = CauseUnseen, finding.Unknown
	}
	out = append(out, note(f))
	return out
}
