package capacity

import (
	"slices"

	"linger/finding"
	"linger/tally"
)

// fullTurns is how many turns an interval of 95 % takes.
const fullTurns = 6

// doubt lists the caveats.
func (r *Result) doubt() []finding.Caveat {
	var out []finding.Caveat
	add := func(c finding.Caveat) { out = append(out, c) }
	if r.Stopped() {
		add(finding.Caveat{Code: CaveatStopped})
	}
	for _, row := range r.Rows {
		out = append(out, r.doubtOf(row)...)
	}
	if !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Requests.Answered > 0 }) {
		return out
	}
	if turns := r.Rows[0].Turns; len(r.Rows) > 1 && turns < fullTurns-1 {
		add(finding.Caveat{Code: CaveatFew, Decisive: true, Figures: finding.Figures{finding.Counted("turns", turns), finding.Counted("needed", fullTurns)}})
	}
	if r.Local {
		c := finding.Caveat{Code: CaveatLoopback, Decisive: len(r.Rows) > 1}
		for _, row := range r.Rows {
			if v, ok := row.Connecting.P50.Get(); ok && !row.Persistent {
				c.Figures = finding.Figures{finding.Number("connecting", v, "ms")}
			}
		}
		add(c)
		add(finding.Caveat{Code: CaveatShared, Figures: finding.Figures{finding.Counted("cores", r.Machine.Cores)}})
	}
	if i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Engine != r.Rows[0].Engine }); i > 0 {
		c := finding.Caveat{Code: CaveatPortable}
		for _, row := range r.Rows {
			if row.Engine == tally.Portable {
				c.Figures = append(c.Figures, finding.Word("strategy", row.Strategy))
			}
		}
		add(c)
	}
	if underWay := func(row Row) int { return row.Asked * max(1, row.InFlight) }; slices.ContainsFunc(r.Rows, func(row Row) bool { return underWay(row) != underWay(r.Rows[0]) }) {
		c := finding.Caveat{Code: CaveatParallel, Decisive: true}
		for _, row := range r.Rows {
			c.Figures = append(c.Figures, finding.Counted("n", underWay(row)).Whose(row.Strategy))
		}
		add(c)
	}
	return out
}

// doubtOf lists the caveats of a strategy.
func (r *Result) doubtOf(row Row) (out []finding.Caveat) {
	if row.Limited != tally.NoLimit {
		out = append(out, finding.Caveat{Code: CaveatGenerator, Subject: ofStrategy(row), Cause: string(row.Limited), Decisive: true})
	}
	if silent := silent(row.Rates); silent > 0 && silent < len(row.Rates) {
		out = append(out, finding.Caveat{
			Code: CaveatSilent, Subject: ofStrategy(row), Decisive: true, Figures: finding.Figures{finding.Counted("silent", silent), finding.Counted("turns", len(row.Rates))},
		})
	}
	n := row.Requests.Intended
	share := func(of int64) finding.Figure { return finding.Number("share", float64(of)/float64(max(1, n)), "share") }
	if failed := row.Failed(); failed > 0 {
		kind, _ := mostOf(added(added(nil, row.Requests.Failed), row.Requests.Unsent))
		out = append(out, finding.Caveat{
			Code: CaveatFailed, Subject: ofStrategy(row), Cause: string(kind), Decisive: failed*100 > n,
			Figures: finding.Figures{share(failed), finding.Number("n", float64(failed), "")},
		})
	}
	if wrong := row.Requests.Wrong; wrong > 0 {
		status, _ := mostOf(row.Requests.Statuses)
		if 200 <= status && status < 400 {
			others := added(nil, row.Requests.Statuses)
			for s := range others {
				if 200 <= s && s < 400 {
					delete(others, s)
				}
			}
			status, _ = mostOf(others)
		}
		out = append(out, finding.Caveat{
			Code: CaveatWrong, Subject: ofStrategy(row), Decisive: wrong*100 > n,
			Figures: finding.Figures{share(wrong), finding.Number("n", float64(wrong), ""), finding.Counted("status", status)},
		})
	}
	if r.Settings.Rate != "" && row.Requests.Waiting*100 > n {
		out = append(out, finding.Caveat{Code: CaveatBehind, Subject: ofStrategy(row), Decisive: true, Figures: finding.Figures{share(row.Requests.Waiting)}})
	}
	return out
}

// silent counts the turns in which nothing was answered.
func silent(rates []float64) (n int) {
	for _, rate := range rates {
		if rate == 0 {
			n++
		}
	}
	return n
}
