package crowd

import (
	"linger"
	"linger/finding"
	"linger/trace"
)

const (
	// lateShare is the part of the round-trip time by which a late path is worth telling.
	lateShare = 0.05
	// censusShare is the part by which the sockets that the kernel counted may differ from those
	// that are recorded, and censusLeast how many at least.
	censusShare, censusLeast = 0.1, 2.0
	// warm is the part of all pages up to which those may be the first of their clients, which
	// have to open connections whatever the strategy.
	warm = 0.25
)

// caveats are the reasons not to believe the figures. near says that what is advised is not far
// better than the other way.
func caveats(e *Experiment, out *Result, near bool) []finding.Caveat {
	var all []finding.Caveat
	add := func(code, cause string, about *Row, decisive bool, figures ...finding.Figure) {
		c := finding.Caveat{Code: code, Cause: cause, Figures: figures, Decisive: decisive}
		if about != nil {
			c.Subject = subject(about)
		}
		all = append(all, c)
	}
	each := func(about func(i int, r *Row)) {
		for i := range out.Rows {
			about(i, &out.Rows[i])
		}
	}
	if interrupted(e) {
		add(CaveatInterrupted, "", nil, true)
	}
	each(func(i int, r *Row) {
		if r.Lost > 0 {
			f := finding.Figures{finding.Counted("lost", r.Lost), finding.Counted("trials", max(r.Trials, e.Trials))}
			if i < len(e.Failed) && len(e.Failed[i]) > 0 {
				f = append(f, finding.Word("reason", e.Failed[i][0]))
			}
			add(CaveatLost, "", r, true, f...)
		}
	})
	each(func(i int, r *Row) {
		if r.Overrun > 0 {
			add(CaveatOverrun, "", r, true, finding.Counted("overrun", r.Overrun), finding.Counted("trials", r.Trials), finding.Counted("unfinished", r.Pages.Unfinished), finding.Counted("pages", r.Pages.Wanted))
		}
	})
	each(func(i int, r *Row) {
		if r.Pages.Unfinished > 0 && r.Overrun == 0 {
			add(CaveatUnfinished, "", r, 20*r.Pages.Unfinished >= r.Pages.Wanted, finding.Counted("unfinished", r.Pages.Unfinished), finding.Counted("pages", r.Pages.Wanted))
		}
		if r.Pages.Failed > 0 {
			f := finding.Figures{finding.Counted("failed", r.Pages.Failed), finding.Counted("pages", r.Pages.Wanted)}
			if why := reason(e.Runs[i]); why != "" {
				f = append(f, finding.Word("reason", why))
			}
			add(CaveatFailed, "", r, 20*r.Pages.Failed >= r.Pages.Wanted, f...)
		}
		if n := r.Pages.Wanted; n > 0 && n < leastPages {
			add(CaveatFew, "", r, true, finding.Counted("pages", n), finding.Counted("needed", leastPages))
		}
	})
	each(func(i int, r *Row) {
		if late, ok := lateness(e.Runs[i]); ok && late > lateShare*float64(e.Network.RTT)/1e6 {
			add(CaveatLate, "", r, late > lateShare*r.Pages.Median.Or(0), finding.Number("lateness_p99", late, "ms"), finding.Number("limit", lateShare, "share"))
		}
		counted, recorded := census(e.Runs[i])
		if c, ok := counted.Get(); ok && max(c, recorded)-min(c, recorded) > max(censusLeast, censusShare*recorded) {
			add(CaveatCensus, "", r, false, finding.Number("counted", c, ""), finding.Number("recorded", recorded, ""))
		}
	})
	each(func(i int, r *Row) {
		if first := firstPages(e.Runs[i]); e.Crowd.Visits != 1 && first > warm && r.Pages.Wanted > 0 {
			add(CaveatWarm, "", r, false, finding.Number("first", first, "share"))
		}
	})
	each(func(i int, r *Row) {
		// A run that ends before has nothing to show of it.
		if at := max(e.Crowd.AddAt, e.Crowd.RestartAt); at > 0 && linger.Instant(at) >= longest(e.Runs[i]) && r.Pages.Wanted > 0 {
			add(CaveatEvent, "", r, false, finding.Number("at", milliseconds(linger.Instant(at)), "ms"), finding.Number("ended", milliseconds(longest(e.Runs[i])), "ms"))
		}
	})
	if e.Trials == 1 {
		add(CaveatTrial, "", nil, e.Provenance == trace.Measured && near)
	}
	switch {
	case e.Unsaid():
		add(CaveatServer, CauseUnsaid, nil, false)
	case e.Own:
		add(CaveatServer, CauseSaid, nil, false)
	}
	switch {
	case e.Provenance == trace.Predicted:
		add(CaveatModel, "", nil, false)
	case len(e.Foreseen) > 0:
		add(CaveatModel, CauseTimed, nil, false)
	}
	return all
}

// interrupted reports whether any run was stopped.
func interrupted(e *Experiment) bool {
	for _, records := range e.Runs {
		for _, c := range records {
			if c != nil && c.Interrupted {
				return true
			}
		}
	}
	return false
}

// longest is when the last of several runs had ended.
func longest(records []*trace.Crowd) (last linger.Instant) {
	for _, c := range records {
		if c != nil {
			last = max(last, c.Ended)
		}
	}
	return last
}

// reason is why the first page failed.
func reason(records []*trace.Crowd) string {
	for _, r := range runsOf(records) {
		for _, v := range r.Visits {
			if v.Failed > 0 && v.Why != "" {
				return v.Why
			}
		}
	}
	return ""
}

// lateness is how late the path was for one packet of a hundred, in ms, the worst of the trials.
func lateness(records []*trace.Crowd) (late float64, ok bool) {
	for _, r := range runsOf(records) {
		if l, known := r.Lateness.Get(); known {
			late, ok = max(late, float64(l.P99)/1e6), true
		}
	}
	return late, ok
}

// census is how many sockets the servers had when they were counted, on average, and how many the
// records have at those instants.
func census(records []*trace.Crowd) (counted linger.Opt[float64], recorded float64) {
	sum, n := 0.0, 0
	for _, r := range runsOf(records) {
		var steps levels
		for i, s := range r.Samples {
			until := r.Ended
			if i+1 < len(r.Samples) {
				until = r.Samples[i+1].At
			}
			if until > s.At {
				steps.add(float64(s.Server.Sockets), until-s.At)
			}
		}
		if steps.whole == 0 {
			continue
		}
		sum += steps.area / float64(steps.whole)
		recorded += mean(r.server, span{r.Samples[0].At, r.Ended})
		n++
	}
	if n == 0 {
		return linger.Opt[float64]{}, 0
	}
	return linger.Known(sum / float64(n)), recorded / float64(n)
}

// firstPages is the part of all pages that are the first of their client.
func firstPages(records []*trace.Crowd) float64 {
	first, all := 0, 0
	for _, r := range runsOf(records) {
		for _, v := range r.Visits {
			if all++; v.Number == 0 {
				first++
			}
		}
	}
	return float64(first) / float64(max(all, 1))
}
