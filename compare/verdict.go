package compare

import (
	"cmp"
	"math"
	"slices"
	"time"

	"linger"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// relation is what two strategies' times allow to say about them.
type relation int

const (
	untold relation = iota // too few trials to say anything
	same                   // no difference that these trials can show
	less                   // the first takes less
	more                   // the first takes more
)

// compared tells how a's time relates to b's, with the test's p, adjusted for the other
// comparisons of the verdict (Bonferroni): it is multiplied by half the number of
// strategies. As many are the pairs that differ in one thing, where each strategy is in
// one; and of k strategies k - 1 could be called faster than the baseline, or the baseline
// faster than the fastest of them, each in one direction, which is half of p. A trial that
// failed took longer than any that did not. Where the trials
// are too few for the test, medians that are further apart than both intervals
// reach still count; p says that luck is not ruled out.
func compared(a, b *tried) (relation, float64) {
	if a.exact && b.exact {
		switch {
		case a.time.Value < b.time.Value:
			return less, 0
		case a.time.Value > b.time.Value:
			return more, 0
		}
		return same, 1
	}
	r, p := relate(a.times, b.times, a.family)
	x, ok := a.doubt().Get()
	y, ok2 := b.doubt().Get()
	if r != untold || !ok || !ok2 {
		return r, p
	}
	switch d := b.time.Value - a.time.Value; {
	case d > x+y:
		return less, p
	case -d > x+y:
		return more, p
	}
	return untold, p
}

// relate does the same for any two samples.
func relate(a, b stats.Sample, family float64) (relation, float64) {
	p := min(1, stats.Compare(a, b).P*family)
	x, y := middleOf(a), middleOf(b)
	switch {
	case p < stats.Alpha && x < y:
		return less, p
	case p < stats.Alpha && x > y:
		return more, p
	}
	if !canDiffer(a.N(), b.N(), family) {
		return untold, p
	}
	return same, p
}

// middleOf is the median, +Inf where trials that failed are the middle.
func middleOf(s stats.Sample) float64 {
	if m, ok := s.Median(); ok {
		return m
	}
	return math.Inf(1)
}

// canDiffer reports whether samples of those sizes can differ at all, where so many tests
// stand together.
func canDiffer(n, m int, family float64) bool { return stats.Least(n, m)*family < stats.Alpha }

// ordered is compared, but that predictions which are closer to each other than they are to
// measurements are the same: their order says nothing.
func ordered(a, b *tried) (relation, float64) {
	r, p := compared(a, b)
	if near(a, b) && r != untold {
		r = same
	}
	return r, p
}

// near reports whether two times are predicted, and closer than predictions are exact.
func near(a, b *tried) bool {
	return a.provenance == trace.Predicted && b.provenance == trace.Predicted && !differ(a.time.Value, b.time.Value)
}

// alike reports whether nothing shows a difference between a and b.
func alike(a, b *tried) bool {
	r, _ := ordered(a, b)
	return r == same
}

// judge finds the fastest strategy, what keep-alive saves, and what else there is to find.
func judge(in trace.Experiment, cases []*tried, best *tried) Verdict {
	base := first(cases, func(c *tried) bool { return !c.strategy.Persistent })
	j := judgement{cases: cases, best: best, base: base, loss: in.Network.Loss, rtt: in.Network.RTT, chain: isChain(in.Workload), queue: path(in.Network).Queue}
	j.with, j.without = families(cases)
	if best == nil && !slices.ContainsFunc(cases, hasAnswers) {
		j.add(finding.Finding{Code: NothingDelivered, Severity: finding.Unknown})
		return Verdict{Findings: j.found}
	}
	var v Verdict
	whole := best != nil && !scheduled(in) // the time of the load tells something
	switch {
	case best == nil:
		j.add(finding.Finding{Code: NoLoadTime, Severity: finding.Unknown})
		j.perQuery()
	case !whole:
		j.add(finding.Finding{Code: FixedTimes})
		j.perQuery()
	default:
		v = j.weigh()
	}
	if in.Workload.Scheme == linger.SchemeDNS {
		j.lookUps(whole)
	} else if base != nil {
		j.handshakes(base)
		j.effort(base)
		j.serial(base)
		j.parallel()
		j.wider()
		j.queueing()
	}
	if whole {
		j.ease()
		j.versions()
		j.fewer()
	}
	v.Findings = j.found
	return v
}

// weigh tells what the times of the cases come to.
func (j *judgement) weigh() Verdict {
	v := Verdict{Fastest: j.best.row.Strategy}
	v.Tied, v.Untested = standing(j.cases, j.best)
	if j.with != nil {
		v.With = j.with.row.Strategy
	}
	if j.without != nil {
		v.Without = j.without.row.Strategy
	}
	if j.with != nil && j.without != nil && j.without.time.Value > 0 {
		v.Apart = linger.Known(savingOf(j.without, j.with))
	}
	v.KeepAlive = keepAlive(j.cases)
	v.OneByOne = oneByOnes(j.cases)
	v.Steps = steps(j.cases, j.best, j.chain)
	j.parted = j.base != nil && slices.ContainsFunc(v.Steps, func(s Step) bool { return s.Cause == StepHandshakes && s.From == j.base.row.Strategy })
	rival, cause := j.rival()
	if rival == nil {
		j.alone()
		return v
	}
	if r, _ := ordered(j.best, rival); r == less {
		v.Best = j.best.row.Strategy
		if j.without != nil && j.best != j.without {
			v.Saves = saved(j.without.row, j.best.row)
		}
	}
	j.keeping(v.KeepAlive, v.OneByOne)
	j.quickest(rival, cause, v.Tied, v.Untested)
	j.lost(j.best, rival)
	return v
}

// alone tells of the one strategy that has a time.
func (j *judgement) alone() {
	f := finding.Finding{Code: Unopposed, Subject: j.best.subject(), Figures: finding.Figures{j.best.took(), count("strategies", len(j.cases))}}
	for _, c := range j.cases {
		if least, ok := c.row.AtLeast.Get(); ok {
			f.Figures = append(f.Figures, finding.Number("at_least", least, "ms").Whose(c.row.Strategy))
		}
	}
	j.add(f)
	j.lost(j.best)
}

// isChain reports whether no two exchanges can be wanted at the same time.
func isChain(w linger.Workload) bool {
	for i, e := range w.Exchanges {
		if e.Parent != i-1 {
			return false
		}
	}
	return true
}

// judgement collects the findings of a verdict: first those of the lead, then one
// for each thing that there is to know besides.
type judgement struct {
	cases []*tried
	best  *tried
	// base is the first non-persistent strategy of the list, of which handshakes are told;
	// with and without are the fastest strategies with keep-alive and without.
	base, with, without *tried
	parted              bool    // the steps part what keeping saves of the base's time
	loss                float64 // share of packets
	rtt                 time.Duration
	queue               Room // in ms
	chain               bool // each exchange follows the one before it: nothing can wait in line
	found               []finding.Finding
}

// add adds a finding, a note unless it says another severity.
func (j *judgement) add(f finding.Finding) {
	f.Severity = cmp.Or(f.Severity, finding.Note)
	j.found = append(j.found, f)
}

// subject is a strategy as findings name it.
func (c *tried) subject() finding.Subject {
	return finding.Subject{Kind: "strategy", Name: c.row.Strategy}
}

// figure is a number of a strategy, if it is known.
func (c *tried) figure(name string, v linger.Opt[float64], unit string) finding.Figure {
	return finding.Figure{Name: name, Of: c.row.Strategy, Value: v, Unit: unit}
}

// took is the time of a strategy. Of a single trial that was not predicted, the
// interval has no bounds.
func (c *tried) took() finding.Figure {
	f := finding.Number("time", c.time.Value, "ms").Whose(c.row.Strategy)
	switch {
	case c.time.Confidence > 0:
		i := finding.Interval{Low: linger.Known(c.time.Low), Confidence: linger.Known(c.time.Confidence), N: c.times.N()}
		if !math.IsInf(c.time.High, 1) {
			i.High = linger.Known(c.time.High)
		}
		f.Interval = linger.Known(i)
	case c.provenance != trace.Predicted:
		f.Interval = linger.Known(finding.Interval{N: c.times.N()})
	}
	return f
}

// versus are the times of two strategies, from how many trials of each, and how
// likely they would be so far apart if nothing differed.
func versus(a, b *tried, p float64) finding.Figures {
	return finding.Figures{a.took(), b.took(), trials(a, b), finding.Number("p", p, "")}
}

// trials is how many trials of each a comparison rests on.
func trials(a, b *tried) finding.Figure {
	return finding.Number("trials", float64(min(a.times.N(), b.times.N())), "")
}

// sure is the severity of a difference: a note, unless luck is not ruled out.
func sure(p float64) finding.Severity {
	if p >= stats.Alpha {
		return finding.Unknown
	}
	return finding.Note
}

// lost tells of trials that failed of the strategies of the lead: nobody is called the
// fastest by those alone that came through.
func (j *judgement) lost(lead ...*tried) {
	for _, c := range lead {
		if c.row.Failed > 0 {
			j.add(finding.Finding{Code: LostTrials, Severity: finding.Warning, Subject: c.subject(), Figures: finding.Figures{
				count("failed", c.row.Failed), count("trials", c.row.Trials)}})
		}
	}
}

// waits reports whether requests wait in line for the one kept connection.
func waits(c *tried) bool {
	return c.strategy.Persistent && c.strategy.Connections == 1 && c.strategy.InFlight == 1
}

// handshakes tells which part of the baseline's time its handshakes are.
func (j *judgement) handshakes(base *tried) {
	n, ok := base.row.Handshakes.Get()
	wait, ok2 := base.waited.Get()
	if !ok || !ok2 || n == 0 || wait <= 0 || wait > base.time.Value {
		return
	}
	f := finding.Finding{Code: HandshakeWait, Subject: base.subject(), Figures: finding.Figures{
		base.took(), finding.Number("handshakes", n, ""), finding.Number("waited", wait, "ms")}}
	if base.strategy.Connections == 1 {
		f.Code = HandshakeTime
		if tls := base.waitedTLS.Or(0); tls > 0 {
			f.Figures = append(f.Figures, finding.Number("waited_tls", tls, "ms"))
		}
	}
	j.add(f)
}

// serial compares the baseline with the kept strategy that differs from it in
// nothing but keeping, and parts what that saves into handshakes and the rest.
func (j *judgement) serial(base *tried) {
	kept := j.counterpart(base)
	if kept == nil {
		return
	}
	r, p := compared(kept, base)
	f := finding.Finding{Severity: sure(p), Subject: kept.subject(), Figures: append(versus(kept, base, p), kept.abreast())}
	switch r {
	case same:
		if kept == j.best || base == j.best {
			return // the lead has said so
		}
		f.Code, f.Severity = KeptSame, finding.Note
	case more:
		f.Code = KeptCosts
	case less:
		f.Code = KeptSaves
		if !j.parted { // else the steps have told of the parts
			f.Figures = append(f.Figures, parts(base, kept)...)
		}
	default:
		return
	}
	j.add(f)
	if f.Code == KeptCosts {
		j.why(kept, base, p)
	}
}

// abreast is how many connections a strategy has at once.
func (c *tried) abreast() finding.Figure {
	return finding.Number("connections_at_once", float64(c.strategy.Connections), "")
}

// initialWindow is what a connection may send before the first acknowledgement:
// ten segments (RFC 6928), here of Ethernet's size with timestamps.
const initialWindow = 10 * 1448

// parts tells what a kept connection saves, and where: in ms, in the steps in which the
// difference of the two times is shown, so that they are a sum.
func parts(base, kept *tried) finding.Figures {
	d, ok := divide(base, kept)
	if !ok {
		return nil
	}
	total, unit := finding.Apart(base.took(), kept.took())
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
func (j *judgement) parallel() {
	told := 0
	for _, c := range j.cases {
		if c == j.base || !c.timed || c.strategy.Persistent || c.strategy.Connections < 2 || told == 2 {
			continue
		}
		kept := j.counterpart(c)
		if kept == nil {
			continue
		}
		told++
		r, p := compared(kept, c)
		f := finding.Finding{Severity: sure(p), Subject: kept.subject(), Figures: append(versus(kept, c, p), c.abreast())}
		switch r {
		case same:
			f.Code, f.Severity = ManySame, finding.Note
		case more:
			f.Code = ManyCosts
		case less:
			f.Code = ManySaves
		default:
			continue
		}
		j.add(f)
		if f.Code == ManyCosts {
			j.why(kept, c, p)
		}
	}
}

// queueing tells where one kept connection loses to several that close, the
// finding of 1997: what is saved in handshakes is lost by waiting in line.
func (j *judgement) queueing() {
	kept := first(j.cases, waits)
	many := fastest(filter(j.cases, func(c *tried) bool { return !c.strategy.Persistent && c.strategy.Connections > 1 }))
	if kept == nil || many == nil {
		return
	}
	if r, p := compared(many, kept); r == less {
		j.add(finding.Finding{Code: Serialized, Severity: sure(p), Subject: many.subject(), Figures: append(versus(many, kept, p), many.abreast())})
	}
}

// fewer names, of the strategies that tie for fastest, the one that opens the fewest
// connections.
func (j *judgement) fewer() {
	fewest := j.best
	for _, c := range j.cases {
		if n, ok := c.row.Connections.Get(); ok && c.timed && c != j.best && alike(c, j.best) && n < fewest.row.Connections.Or(n) {
			fewest = c
		}
	}
	if fewest != j.best {
		j.add(finding.Finding{Code: FewestConnections, Subject: fewest.subject(), Figures: finding.Figures{fewest.figure("connections", fewest.row.Connections, "")}})
	}
}

// counterpart returns the persistent strategy that is otherwise as c.
func (j *judgement) counterpart(c *tried) *tried {
	s := c.strategy
	s.Persistent = true
	return first(j.cases, func(k *tried) bool { return equal(k.strategy, s) })
}

// saved is what the row better costs less than base.
func saved(base, better Row) Savings {
	minus := func(a, b linger.Opt[float64]) (o linger.Opt[float64]) {
		x, ok := a.Get()
		y, ok2 := b.Get()
		if ok && ok2 {
			o = linger.Known(round(x-y, 1e-3))
		}
		return o
	}
	return Savings{
		Time:        minus(middle(base.Time), middle(better.Time)),
		Packets:     minus(both(base.Packets), both(better.Packets)),
		WireBytes:   minus(both(base.WireBytes), both(better.WireBytes)),
		Connections: minus(base.Connections, better.Connections),
	}
}

func middle(t linger.Opt[Time]) (o linger.Opt[float64]) {
	if v, ok := t.Get(); ok {
		o = linger.Known(v.Median)
	}
	return o
}

func both(w linger.Opt[Ways]) (o linger.Opt[float64]) {
	if v, ok := w.Get(); ok {
		o = linger.Known(v.Sum())
	}
	return o
}

// first returns the first case with a time for which it holds, or nil.
func first(cases []*tried, holds func(*tried) bool) *tried {
	for _, c := range cases {
		if c.timed && holds(c) {
			return c
		}
	}
	return nil
}

func filter(cases []*tried, holds func(*tried) bool) []*tried {
	var out []*tried
	for _, c := range cases {
		if holds(c) {
			out = append(out, c)
		}
	}
	return out
}
