package crowdsweep

import (
	"math"
	"slices"
	"strconv"
	"time"

	"linger/finding"
)

// A Survey is what the cells of a sweep come to.
type Survey struct {
	Crowds      int  `json:"crowds"` // of the grid
	Done        int  `json:"done"`   // that were predicted, the first ones of the grid
	Interrupted bool `json:"interrupted"`
	// Keep, Close and Either count the crowds by what serves best there: only what keeps
	// connections, only what closes them, or both alike; None those that no choice serves.
	Keep     int               `json:"keep"`
	Close    int               `json:"close"`
	Either   int               `json:"either"`
	None     int               `json:"none"`
	Findings []finding.Finding `json:"findings"`
}

// What serves best in a crowd.
const (
	OnlyKeep  = "keep"
	OnlyClose = "close"
	Either    = "either"
	Nothing   = "none"
)

// A Serving is what serves best in a cell, in the terms that a reader acts on.
type Serving struct {
	What string // OnlyKeep, OnlyClose, Either or Nothing
	// Keep and Close are the strategies, the best of each kind where there are several.
	Keep, Close string
	// Timeouts says with which of the sweep's idle timeouts: TimeoutAny, TimeoutAtMost Most,
	// TimeoutAtLeast Least or TimeoutBetween the two. Times are in ms, 0 is no limit.
	Timeouts    string
	Least, Most float64
}

// With which idle timeouts of the server a strategy serves best.
const (
	TimeoutAny     = "any"
	TimeoutAtMost  = "at-most"
	TimeoutAtLeast = "at-least"
	TimeoutBetween = "between"
)

// Serving says what serves best in a cell.
func (c Cell) Serving() Serving {
	var v Serving
	if c.Best < 0 {
		v.What = Nothing
		return v
	}
	kept := c.Kept >= 0 && c.Rows[c.Kept].Serves
	if closed := c.choose(func(r Row) bool { return !r.Persistent && r.Serves }); closed >= 0 {
		v.Close = c.Rows[closed].Strategy
	}
	switch {
	case kept && v.Close != "":
		v.What = Either
	case kept:
		v.What = OnlyKeep
	default:
		v.What = OnlyClose
		return v
	}
	v.Keep = c.Rows[c.Kept].Strategy
	// The rows of a strategy stand in the order of its timeouts: those around the best one that
	// serve as well.
	from, to := c.Kept, c.Kept
	fits := func(k int) bool {
		return k >= 0 && k < len(c.Rows) && c.Rows[k].Strategy == v.Keep && c.Rows[k].Serves
	}
	for fits(from - 1) {
		from--
	}
	for fits(to + 1) {
		to++
	}
	v.Least, v.Most = c.Rows[from].Idle, c.Rows[to].Idle
	first := from == 0 || c.Rows[from-1].Strategy != v.Keep
	last := to == len(c.Rows)-1 || c.Rows[to+1].Strategy != v.Keep
	switch {
	case first && last && from < to:
		v.Timeouts = TimeoutAny
	case first && !last:
		v.Timeouts = TimeoutAtMost
	case last && !first:
		v.Timeouts = TimeoutAtLeast
	default:
		v.Timeouts = TimeoutBetween
	}
	return v
}

// SurveyOf says what the first cells of a plan's grid come to.
func (p Plan) SurveyOf(cells []Cell) Survey {
	v := Survey{Crowds: p.Grid.Cells(), Done: len(cells), Interrupted: len(cells) < p.Grid.Cells()}
	for _, c := range cells {
		switch c.Serving().What {
		case OnlyKeep:
			v.Keep++
		case OnlyClose:
			v.Close++
		case Either:
			v.Either++
		default:
			v.None++
		}
	}
	add := func(code string, s finding.Severity, on finding.Subject, figures ...finding.Figure) {
		v.Findings = append(v.Findings, finding.Finding{Code: code, Severity: s, Subject: on, Figures: figures})
	}
	if len(cells) == 0 {
		add(NoCrowd, finding.Unknown, finding.Subject{})
		return v
	}
	p.serving(cells, add)
	p.oneTimeout(cells, add)
	worst(cells, add)
	p.saturated(cells, add)
	p.little(cells, add)
	p.tuneAgrees(cells, add)
	p.limits(cells, add)
	if v.Interrupted {
		add(StoppedAtCrowd, finding.Unknown, finding.Subject{}, finding.Counted("crowds", v.Done), finding.Counted("planned", v.Crowds))
	}
	return v
}

// adder takes a finding in.
type adder func(code string, s finding.Severity, on finding.Subject, figures ...finding.Figure)

// serving says for each think time up to how many clients what serves best; once for all where it
// is the same for all.
func (p Plan) serving(cells []Cell, add adder) {
	var all [][]finding.Figure
	for t := range p.Grid.Think {
		var figures finding.Figures
		var last Serving
		part := 0
		for i := t; i < len(cells); i += len(p.Grid.Think) {
			now := cells[i].Serving()
			if part == 0 || now != last {
				part++
				of := strconv.Itoa(part)
				figures = append(figures, finding.Word("serves", now.What).Whose(of), finding.Counted("from", cells[i].Clients).Whose(of))
				for _, x := range [][2]string{{"keep", now.Keep}, {"close", now.Close}, {"timeouts", now.Timeouts}} {
					if x[1] != "" {
						figures = append(figures, finding.Word(x[0], x[1]).Whose(of))
					}
				}
				if now.Timeouts != "" {
					figures = append(figures, finding.Number("least", now.Least, "ms").Whose(of), finding.Number("most", now.Most, "ms").Whose(of))
				}
				figures = append(figures, finding.Figure{})
				last = now
			}
			figures[len(figures)-1] = finding.Counted("to", cells[i].Clients).Whose(strconv.Itoa(part))
		}
		if part > 0 {
			all = append(all, figures)
		}
	}
	alike := len(all) == len(p.Grid.Think) && !slices.ContainsFunc(all, func(f []finding.Figure) bool { return !slices.Equal(f, all[0]) })
	for t, figures := range all {
		on := subject(p.Grid.Think[t].String())
		if alike && len(all) > 1 {
			on = finding.Subject{}
		}
		if t == 0 || !alike {
			add(ServesBest, finding.Note, on, figures...)
		}
	}
}

// oneTimeout is the idle timeout with which a server does best that has one for all crowds: the one
// that serves in the most of them as well as the best that keep connections, the shortest of those.
func (p Plan) oneTimeout(cells []Cell, add adder) {
	if len(p.Grid.Idle) < 2 {
		return
	}
	type count struct{ kept, best int }
	on := map[float64]*count{}
	for _, c := range cells {
		seen := map[float64]bool{}
		for _, k := range c.near(func(r Row) bool { return r.Persistent }) {
			r := c.Rows[k]
			if on[r.Idle] == nil {
				on[r.Idle] = &count{}
			}
			if !seen[r.Idle] {
				on[r.Idle].kept++
				if r.Serves {
					on[r.Idle].best++
				}
				seen[r.Idle] = true
			}
		}
	}
	var best finding.Figures
	most := 0
	for _, idle := range p.Grid.Idle {
		if n := on[ms(idle)]; n != nil && n.kept > most {
			most = n.kept
			best = finding.Figures{finding.Number("timeout", ms(idle), "ms"), finding.Counted("kept_on", n.kept), finding.Counted("best_on", n.best), finding.Counted("crowds", len(cells))}
		}
	}
	if most > 0 {
		add(OneTimeout, finding.Note, finding.Subject{}, best...)
	}
}

// worst is where the least fit choice costs most, by the 95th percentile of the page time.
func worst(cells []Cell, add adder) {
	ratio, figures := 2.0, finding.Figures(nil)
	for _, c := range cells {
		if c.Best < 0 {
			continue
		}
		best := c.Rows[c.Best]
		for _, r := range c.Rows {
			p95, ok := r.P95.Get()
			if least := best.P95.Or(0); ok && least > 0 && p95/least > ratio {
				ratio = p95 / least
				figures = append(finding.Figures{finding.Counted("clients", c.Clients), finding.Word("think", c.Think)}, append(choice(r, "worst"), choice(best, "best")...)...)
			}
		}
	}
	if figures != nil {
		add(WorstOf, finding.Note, finding.Subject{}, figures...)
	}
}

// choice is a row as findings have it.
func choice(r Row, of string) finding.Figures {
	f := finding.Figures{finding.Word("strategy", r.Strategy).Whose(of)}
	if r.Persistent {
		f = append(f, finding.Number("timeout", r.Idle, "ms").Whose(of))
	}
	return append(f, finding.Number("page_p95", r.P95.Or(0), "ms").Whose(of))
}

// tooLong is how many times as long as with the fewest clients pages take where there are too many.
const tooLong = 2

// Slow reports whether clients wait in cell i whatever is chosen: more of them than may for the
// server, or by p95 over twice as long for a page as with the fewest clients of that think time.
func (p Plan) Slow(cells []Cell, i int) bool {
	of := func(c Cell) float64 {
		if c.Best < 0 {
			return math.Inf(1)
		}
		return c.Rows[c.Best].P95.Or(0)
	}
	return cells[i].Best >= 0 && cells[i].Rows[cells[i].Best].keepsOut() || of(cells[i]) > tooLong*of(cells[i%len(p.Grid.Think)])
}

// saturated says from how many clients on pages take long whatever is chosen.
func (p Plan) saturated(cells []Cell, add adder) {
	step := len(p.Grid.Think)
	for t, think := range p.Grid.Think {
		from := -1
		for i := t; i < len(cells); i += step {
			switch {
			case cells[i].Best < 0 || !p.Slow(cells, i):
				from = -1
			case from < 0:
				from = i
			}
		}
		if from >= 0 && cells[t].Best >= 0 {
			c, few := cells[from], cells[t]
			add(Saturated, finding.Warning, subject(think.String()), finding.Counted("clients", c.Clients), finding.Number("page_p95", c.Rows[c.Best].P95.Or(0), "ms"),
				finding.Number("kept_out", c.Rows[c.Best].KeptOut.Or(0), "share"), finding.Counted("fewest", few.Clients), finding.Number("page_p95_fewest", few.Rows[few.Best].P95.Or(0), "ms"))
		}
	}
}

// little says from how many clients on all connections that there may be would be held, with each
// idle timeout: by Little's law, with the page time of the fewest clients, who had not to wait.
func (p Plan) little(cells []Cell, add adder) {
	limit := Of(p).Limit()
	if limit == 0 {
		return
	}
	for t, think := range p.Grid.Think {
		if t >= len(cells) {
			return
		}
		c := cells[t]
		if c.Kept < 0 || c.Rows[c.Kept].keepsOut() {
			continue
		}
		r := c.Rows[c.Kept]
		page := time.Duration(r.Median.Or(0) * float64(time.Millisecond))
		f := finding.Figures{finding.Word("strategy", r.Strategy), finding.Counted("limit", limit), finding.Number("page", r.Median.Or(0), "ms")}
		for _, idle := range p.Grid.Idle {
			f = append(f, finding.Number("timeout", ms(idle), "ms"), finding.Number("clients", float64(limit)/Held(1, r.Each.Or(1), page, idle, think), ""))
		}
		add(HeldBy, finding.Note, subject(think.String()), f...)
	}
}

// tuneAgrees says in how many crowds the timeout that the rule of tune chooses serves as well as the
// best of those that keep connections.
func (p Plan) tuneAgrees(cells []Cell, add adder) {
	both, agree := 0, 0
	for _, c := range cells {
		if c.Tuned < 0 || c.Kept < 0 {
			continue
		}
		both++
		if slices.Contains(c.near(func(r Row) bool { return r.Persistent }), c.Tuned) {
			agree++
		}
	}
	if both > 0 && len(p.Grid.Idle) > 1 {
		add(TuneAgrees, finding.Note, finding.Subject{}, finding.Counted("agree_on", agree), finding.Counted("both_on", both), finding.Counted("crowds", len(cells)), finding.Number("break_even", ms(p.BreakEven), "ms"))
	}
}

// limits says where nothing serves, and why.
func (p Plan) limits(cells []Cell, add adder) {
	none, beyond := 0, 0
	for _, c := range cells {
		switch {
		case c.Best >= 0:
		case slices.ContainsFunc(c.Rows, Row.whole):
			beyond++
		default:
			none++
		}
	}
	if none > 0 {
		add(NoneServes, finding.Warning, finding.Subject{}, finding.Counted("none_on", none), finding.Counted("crowds", len(cells)))
	}
	if beyond > 0 {
		add(BeyondBudget, finding.Warning, finding.Subject{}, finding.Counted("beyond_on", beyond), finding.Counted("crowds", len(cells)), finding.Counted("budget", p.Budget))
	}
}
