package crowd

import (
	"cmp"
	"math"
	"time"

	"linger"
	"linger/finding"
)

const (
	// few is the part of the clients that may wait without a word.
	few = 0.02
	// queuing is from how many connections in the accept queue on average it is said that they wait,
	// where when each was taken is not known.
	queuing = 1
	// unequal is Jain's index below which clients are called unequal, uneven how much more than
	// the mean the server has that has most.
	unequal, uneven = 0.9, 1.2
)

// note returns a finding about a strategy.
func note(code, cause string, about *Row, figures ...finding.Figure) finding.Finding {
	return finding.Finding{Code: code, Cause: cause, Severity: finding.Note, Subject: subject(about), Figures: figures}
}

// known are the figures of those that are known.
func known(figures ...finding.Figure) finding.Figures {
	var out finding.Figures
	for _, f := range figures {
		if !f.Value.IsZero() {
			out = append(out, f)
		}
	}
	return out
}

// maybe is a figure that may not be known.
func maybe(name string, v linger.Opt[float64], unit string) finding.Figure {
	return finding.Figure{Name: name, Value: v, Unit: unit}
}

// rows are those of strategies that have pages.
func (j judge) rows() []*Row {
	var out []*Row
	for i := range j.result.Rows {
		if j.result.Rows[i].Pages.Wanted > 0 {
			out = append(out, &j.result.Rows[i])
		}
	}
	return out
}

// waiting tells of each strategy who is served and who waits.
func (j judge) waiting() (out []finding.Finding) {
	for _, r := range j.rows() {
		came, served := r.Clients.Came.Or(0), r.Clients.Served.Or(0)
		waited, known := r.Clients.Waited.Get()
		clients := finding.Number("clients", came, "")
		switch wait := r.Clients.Wait; {
		case known && waited > few*came && !wait.IsZero():
			cause := CauseWorkers
			if e := j.result.Experiment; e.Capacity.Workers == 0 {
				cause = CauseLimit
			}
			f := note(Waiting, cause, r, clients, finding.Number("waited", waited, ""), maybe("wait", wait, "ms"))
			if j.limit > 0 {
				f.Figures = append(f.Figures, finding.Number("limit", j.limit, ""))
			}
			f.Figures = append(f.Figures, maybe("held", r.Workers.Peak, ""))
			out = append(out, f)
		case known && served == came && j.limit > 0:
			out = append(out, note(AllServed, "", r, clients, finding.Number("waited", waited, ""), finding.Number("limit", j.limit, ""), maybe("held", r.Workers.Peak, "")))
		case !known && !r.Queue.Mean.IsZero():
			code := AllServed
			if r.Queue.Mean.Or(0) >= queuing {
				code = Waiting
			}
			out = append(out, note(code, CauseQueue, r, clients, maybe("mean", r.Queue.Mean, ""), maybe("peak", r.Queue.Peak, "")))
		}
		if served < came-0.5 && !j.stopped { // who was still to be served is no finding
			out = append(out, note(Unserved, "", r, clients, finding.Number("unserved", came-served, "")))
		}
		if r.Refused > 0 {
			out = append(out, note(Turned, "", r, finding.Counted("refused", r.Refused), finding.Counted("opened", r.Opened)))
		}
	}
	return out
}

// breakEven is what Little's law says of an idle timeout.
func (j judge) breakEven() (linger.Opt[time.Duration], []finding.Finding) {
	var none linger.Opt[time.Duration]
	k := j.keep.row
	if k == nil || j.limit == 0 || j.quick == 0 || len(j.crowd.Mix) > 1 {
		return none, nil
	}
	each, ok := k.Each.Get()
	if !ok {
		return none, nil
	}
	l := loadOf(j.crowd, time.Duration(j.quick*1e6), each)
	longest, any, fits := l.Longest(j.limit)
	f := note(BreakEven, CauseLongest, k, finding.Number("limit", j.limit, ""), finding.Number("rate", l.Rate, ""), finding.Number("each", each, ""),
		finding.Number("service", j.quick, "ms"), finding.Number("think", milliseconds(linger.Instant(j.crowd.Think.Mean())), "ms"))
	switch {
	case any:
		f.Cause = CauseAny
		f.Figures = append(f.Figures, finding.Number("held", l.Held(24*time.Hour), ""))
		return none, []finding.Finding{f}
	case !fits:
		f.Cause = CauseNone
		f.Figures = append(f.Figures, finding.Number("held", l.Held(0), ""))
		return none, []finding.Finding{f}
	}
	f.Figures = append(f.Figures, finding.Number("idle_timeout", milliseconds(linger.Instant(longest)), "ms"))
	return linger.Known(longest), []finding.Finding{f}
}

// predictedBest tells which idle timeout does best by prediction, and why it is not the one that
// Little's law has.
func (j judge) predictedBest(v Verdict) []finding.Finding {
	c := j.timed
	if c.row == nil {
		return nil
	}
	f := note(Predicted, CauseLongest, c.row, c.times()...)
	if c.idle == 0 {
		f.Cause = CauseAny
	} else {
		f.Figures = append(f.Figures, finding.Number("idle_timeout", milliseconds(linger.Instant(c.idle)), "ms"))
	}
	out := []finding.Finding{f}
	even, ok := v.BreakEven.Get()
	if !ok || j.between(even) {
		return out
	}
	cause := CauseFlat
	switch longer := c.idle == 0 || c.idle > even; {
	case !longer:
		cause = CauseBursts
	case c.row.Rate.Or(math.Inf(1)) < 0.95*loadOf(j.crowd, time.Duration(j.quick*1e6), 1).Rate:
		cause = CauseSaturate
	}
	d := note(Differ, cause, c.row, finding.Number("law", milliseconds(linger.Instant(even)), "ms"))
	if c.idle > 0 {
		d.Figures = append(d.Figures, finding.Number("foreseen", milliseconds(linger.Instant(c.idle)), "ms"))
	}
	return append(out, d)
}

// between reports whether what was predicted to be best is the longest timeout that was tried and
// that the law allows.
func (j judge) between(even time.Duration) bool {
	var longest time.Duration
	for _, f := range j.result.Foreseen {
		if f.IdleTimeout > 0 && f.IdleTimeout <= even {
			longest = max(longest, f.IdleTimeout)
		}
	}
	return longest > 0 && longest == j.timed.idle
}

// cost tells what keeping holds and what closing opens.
func (j judge) cost() (out []finding.Finding) {
	k, c := j.keep.row, j.close.row
	if k != nil && c != nil {
		figures := func(r *Row) finding.Figures {
			f := finding.Figures{maybe("sockets", r.Server.Sockets.Mean, ""), maybe("peak", r.Server.Sockets.Peak, ""), maybe("memory", r.Server.Memory.Mean, "bytes")}
			for i := range f {
				f[i] = f[i].Whose(r.Strategy)
			}
			return known(f...)
		}
		out = append(out, note(Holds, "", k, append(figures(k), append(finding.Figures{finding.Word("other", c.Strategy)}, figures(c)...)...)...))
		figures = func(r *Row) finding.Figures {
			f := finding.Figures{maybe("per_page", r.PerPage, "")}
			if cpu, ok := r.Server.CPU.Get(); ok && r.Pages.Loaded > 0 {
				f = append(f, finding.Number("cpu", cpu*float64(r.Trials-r.Lost)/float64(r.Pages.Loaded), "ms"))
			}
			for i := range f {
				f[i] = f[i].Whose(r.Strategy)
			}
			return known(f...)
		}
		out = append(out, note(Opens, "", c, append(figures(c), append(finding.Figures{finding.Word("other", k.Strategy)}, figures(k)...)...)...))
	}
	for _, r := range j.rows() {
		client, server := r.Client.TimeWait.Peak, r.Server.TimeWait.Peak
		if client.Or(0) > 0 || server.Or(0) > 0 {
			out = append(out, note(TimeWaits, "", r, maybe("client", client, ""), maybe("server", server, "")))
		}
	}
	return out
}

// unequals tells where clients of one kind, all of them served, get unequal parts.
func (j judge) unequals() (out []finding.Finding) {
	for _, r := range j.rows() {
		index, ok := r.Jain.Get()
		if ok && index < unequal && len(r.Shares) < 2 && r.Pages.Wanted >= leastPages && r.Clients.Served == r.Clients.Came {
			out = append(out, note(Unequal, "", r, finding.Number("jain", index, ""), maybe("clients", r.Clients.Came, "")))
		}
	}
	return out
}

// mixed tells what the parts of a mix got.
func (j judge) mixed() (out []finding.Finding) {
	for _, r := range j.rows() {
		if len(r.Shares) < 2 {
			continue
		}
		least := r.Shares[0]
		for _, p := range r.Shares[1:] {
			if p.Rate.Or(math.Inf(1)) < least.Rate.Or(math.Inf(1)) {
				least = p
			}
		}
		for _, p := range r.Shares {
			rate, ok := p.Rate.Get()
			base, ok2 := least.Rate.Get()
			if p.Strategy == least.Strategy || !ok || !ok2 || base == 0 {
				continue
			}
			out = append(out, note(Parts, "", r, finding.Word("part", p.Strategy), finding.Number("rate", rate, "bytes").Whose(p.Strategy),
				finding.Word("other", least.Strategy), finding.Number("rate", base, "bytes").Whose(least.Strategy), finding.Number("ratio", rate/base, ""),
				maybe("median", p.Pages.Median, "ms").Whose(p.Strategy), maybe("median", least.Pages.Median, "ms").Whose(least.Strategy)))
		}
	}
	return out
}

// servers tells how several servers were used.
func (j judge) servers() (out []finding.Finding) {
	for _, r := range j.rows() {
		b := r.Balance
		if most, ok := b.Uneven.Get(); ok && most > uneven {
			out = append(out, note(Uneven, "", r, finding.Number("uneven", most, ""), finding.Counted("servers", max(1, j.crowd.Backends))))
		}
		if share, ok := b.Added.Get(); ok {
			f := note(Added, CauseNever, r, finding.Number("share", share, "share"), maybe("last", b.Last, "share"))
			if after, ok := b.Even.Get(); ok {
				f.Cause = CauseEven
				f.Figures = append(f.Figures, finding.Number("even", milliseconds(linger.Instant(after)), "ms"))
			}
			out = append(out, f)
		}
		if !b.Restart.Handshakes.IsZero() {
			f := note(Restarted, CauseRestless, r, maybe("handshakes", b.Restart.Handshakes, ""), maybe("before", b.Restart.Before, ""), maybe("queue", b.Restart.Queue, ""))
			if after, ok := b.Restart.Calm.Get(); ok {
				f.Cause = CauseCalm
				f.Figures = append(f.Figures, finding.Number("calm", milliseconds(linger.Instant(after)), "ms"))
			}
			out = append(out, f)
		}
	}
	return out
}

// law tells how what was held lies to Little's law.
func (j judge) law() (out []finding.Finding) {
	for _, r := range j.rows() {
		l := r.Little
		f := note(Law, l.Why, r, known(maybe("rate", l.Rate, ""), maybe("time", l.Time, "ms"), maybe("predicted", l.Predicted, ""), maybe("held", l.Held, ""))...)
		f.Severity = cmp.Or(map[bool]finding.Severity{true: finding.Unknown}[l.Predicted.IsZero()], finding.Note)
		out = append(out, f)
	}
	return out
}
