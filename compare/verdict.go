package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
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

// compared tells how a's time relates to b's, with the test's p. Where the trials
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
	r, p := relate(a.times, b.times)
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
func relate(a, b stats.Sample) (relation, float64) {
	test := stats.Compare(a, b)
	x, _ := a.Median()
	y, _ := b.Median()
	switch {
	case test.Differs() && x < y:
		return less, test.P
	case test.Differs() && x > y:
		return more, test.P
	}
	if !canDiffer(a.N(), b.N()) {
		return untold, test.P
	}
	return same, test.P
}

// canDiffer reports whether samples of those sizes can differ at all: the furthest
// apart that they can be is 2 of all the orders in which their values can come.
func canDiffer(n, m int) bool {
	orders := 1.0
	for i := range min(n, m) {
		orders *= float64(n+m-i) / float64(i+1)
	}
	return 2/orders < stats.Alpha
}

// alike reports whether the trials show no difference between a and b.
func alike(a, b *tried) bool {
	r, _ := compared(a, b)
	return r == same
}

// judge finds the best strategy, what it saves, and the words for it.
func judge(in trace.Experiment, cases []*tried, best *tried) Verdict {
	if best == nil && !slices.ContainsFunc(cases, hasAnswers) {
		return Verdict{Text: "No strategy delivered the workload, so there is nothing to compare."}
	}
	base := first(cases, func(c *tried) bool { return !c.strategy.Persistent })
	j := judgement{cases: cases, best: best, base: base, loss: in.Network.Loss, rtt: in.Network.RTT, chain: isChain(in.Workload)}
	var v Verdict
	whole := best != nil && !scheduled(in) // the time of the load tells something
	if best == nil {
		j.say("No trial had an answer to every query, so that the load has no time.")
		j.perQuery()
	} else if !whole {
		j.say("When each query is asked is fixed, so that all of them take as long with any strategy.")
		j.perQuery()
	} else if rival := j.rival(); rival == nil {
		j.say("%s takes %s; no other strategy %s to compare it with.", best.row.Strategy, best.took(), gave(len(cases)))
	} else {
		r, p := compared(best, rival)
		if r == less {
			v.Best = best.row.Strategy
			if base != nil && best != base {
				v.Saves = saved(base.row, best.row)
			}
		}
		j.lead(rival, r, p)
	}
	lead := strings.Join(j.sentences, " ")
	j.sentences = nil
	if in.Workload.Scheme == linger.SchemeDNS {
		j.lookUps(whole)
	} else if base != nil {
		j.handshakes(base)
		j.effort(base)
		j.serial(base)
		j.parallel()
		j.queueing()
	}
	if whole {
		j.ease()
		j.versions()
		j.ties()
	}
	v.Text = strings.Join(append([]string{lead}, j.sentences...), "\n- ")
	v.Text = strings.Replace(v.Text, "\n", "\n\n", 1)
	return v
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

// gave tells why there is no other strategy with a time.
func gave(tried int) string {
	if tried > 1 {
		return "gave a time"
	}
	return "is there"
}

// judgement collects the sentences of a verdict: first those of the lead, then one
// for each thing that there is to know besides.
type judgement struct {
	cases      []*tried
	best, base *tried
	loss       float64 // share of packets
	rtt        time.Duration
	chain      bool // each exchange follows the one before it: nothing can wait in line
	sentences  []string
	// cautioned is the number of trials after which, as the lead says already, luck
	// cannot be ruled out; 0 where it does not.
	cautioned int
}

func (j *judgement) say(format string, args ...any) {
	j.sentences = append(j.sentences, fmt.Sprintf(format, args...))
}

// rival is what the best strategy must differ from to be called best: the
// baseline; where the baseline itself is best, the fastest persistent strategy, or
// else the next; where there is no baseline, the slowest. It is nil where no other
// strategy has a time.
func (j *judgement) rival() *tried {
	others := filter(j.cases, func(c *tried) bool { return c.timed && c != j.best })
	switch {
	case len(others) == 0:
		return nil
	case j.base == nil:
		return slices.MaxFunc(others, func(a, b *tried) int { return cmp.Compare(a.time.Value, b.time.Value) })
	case j.best != j.base:
		return j.base
	}
	if kept := j.kept(); kept != nil {
		return kept
	}
	return fastest(others)
}

// kept is the fastest persistent strategy, or nil.
func (j *judgement) kept() *tried {
	return fastest(filter(j.cases, func(c *tried) bool { return c.strategy.Persistent }))
}

// lead compares the best strategy with its rival.
func (j *judgement) lead(rival *tried, r relation, p float64) {
	best, base := j.best, j.base
	switch {
	case r != less && r != same:
		j.say("No winner after %s: %s takes %s and %s %s; luck cannot be ruled out.",
			trials(best, rival), best.row.Strategy, best.took(), rival.row.Strategy, rival.took())
	case r == same && base == nil:
		j.say("No difference that %s can show: all take about %s (p = %.2g).", trials(best, rival), best.took(), p)
	case r == same:
		j.say("No difference that %s can show: %s takes %s and %s %s (p = %.2g).",
			trials(best, rival), best.row.Strategy, best.took(), rival.row.Strategy, rival.took(), p)
	case base == nil:
		j.say("%s takes least: %s against %s of %s, the slowest; %s%s less.", best.row.Strategy, best.took(), rival.took(), rival.row.Strategy,
			apart(rival, best), gain(rival, best, rival))
	case best == base:
		j.closing(rival)
	default:
		j.say("%s takes least: %s against %s of %s.", best.row.Strategy, best.took(), base.took(), base.row.Strategy)
		j.say("It saves %s%s%s.", apart(base, best), gain(base, best, base), fewer(base.row, best.row))
		if kept := j.kept(); !best.strategy.Persistent && kept != nil {
			if r, _ := compared(best, kept); r == less {
				j.say("No persistent strategy that was tried is faster: the fastest, %s, takes %s.%s", kept.row.Strategy, kept.took(), j.untried())
			}
		}
	}
	if r == less && p >= stats.Alpha {
		j.cautioned = min(best.times.N(), rival.times.N())
		j.say("After %s luck cannot be ruled out in any of this.", trials(best, rival))
	}
	if base == nil {
		j.say("What persistence saves is not known: no non-persistent strategy gave a time.")
	}
}

// closing is the lead where the baseline takes least. That persistence is to blame
// can be said only where nothing else differs.
func (j *judgement) closing(rival *tried) {
	best := j.best
	if kept := j.counterpart(best); kept != nil {
		if r, _ := compared(best, kept); r == less {
			j.say("Persistence is worse here: %s takes %s; %s, which differs in nothing else, %s%s more.", best.row.Strategy, best.took(),
				kept.row.Strategy, apart(kept, best), gain(kept, best, best))
			if kept != rival {
				j.say("The fastest persistent strategy, %s, takes %s.", rival.row.Strategy, rival.took())
			}
			return
		}
	}
	if !rival.strategy.Persistent {
		j.say("%s takes least: %s against %s of %s. No strategy that was tried keeps a connection.", best.row.Strategy, best.took(), rival.took(), rival.row.Strategy)
		return
	}
	why := ""
	if waits(rival) && best.strategy.Connections > 1 && !j.chain {
		why = ": its requests wait in line"
	}
	j.say("%s takes least of those tried: %s. The fastest persistent strategy, %s, takes %s, which is %s%s more%s.%s", best.row.Strategy, best.took(),
		rival.row.Strategy, rival.took(), apart(rival, best), gain(rival, best, best), why, j.untried())
}

// waits reports whether requests wait in line for the one kept connection.
func waits(c *tried) bool {
	return c.strategy.Persistent && c.strategy.Connections == 1 && c.strategy.InFlight == 1
}

// untried names the strategy that keeps connections and is otherwise as the best
// one, where nobody tried it.
func (j *judgement) untried() string {
	s := j.best.strategy
	s.Persistent = true
	rest, ok := strings.CutPrefix(j.best.row.Strategy, "close")
	if !ok || slices.ContainsFunc(j.cases, func(c *tried) bool { return equal(c.strategy, s) }) {
		return ""
	}
	return " keep" + rest + " was not tried."
}

// handshakes tells which part of the baseline's time its handshakes are.
func (j *judgement) handshakes(base *tried) {
	n, ok := base.row.Handshakes.Get()
	wait, ok2 := base.waited.Get()
	if !ok || !ok2 || n == 0 || wait <= 0 || wait > base.time.Value {
		return
	}
	cost, unit := finding.Duration(wait, base.blur()), finding.Step(wait, base.blur())
	share := finding.InBrackets(finding.Quotient(wait, base.blur(), base.time.Value, base.blur()))
	if base.strategy.Connections == 1 {
		parts := ""
		if tls := math.Round(base.waitedTLS.Or(0)/unit) * unit; tls > 0 {
			parts = fmt.Sprintf(": %s for TCP's, %s for TLS's", finding.InSteps(finding.Shown(wait, base.blur())-tls, unit), finding.InSteps(tls, unit))
		}
		j.say("%s cost %s of the %s that %s takes%s%s.", finding.Plural(n, "handshake"), cost, base.took(), base.row.Strategy, share, parts)
		return
	}
	j.say("For %s of its %s%s, %s does nothing but wait for some of its %s.", cost, base.took(), share, base.row.Strategy, finding.Plural(n, "handshake"))
}

// serial compares the baseline with the kept strategy that differs from it in
// nothing but keeping, and parts what that saves into handshakes and the rest.
func (j *judgement) serial(base *tried) {
	kept := j.counterpart(base)
	if kept == nil {
		return
	}
	switch r, p := compared(kept, base); r {
	case same:
		if kept == j.best || base == j.best {
			return // the lead has said so
		}
		j.say("%s (%s) makes no difference that %s can show (p = %.2g).", keptWords(kept), kept.row.Strategy, trials(kept, base), p)
	case more:
		if base != j.best {
			j.say("%s (%s) is worse: %s%s more%s.", keptWords(kept), kept.row.Strategy, apart(kept, base), gain(kept, base, base), j.caveat(p, kept, base))
		}
	case less:
		switch parts := parts(base, kept); {
		case kept != j.best && parts == "":
			j.say("%s (%s) saves %s%s%s.", keptWords(kept), kept.row.Strategy, apart(base, kept), gain(base, kept, base), j.caveat(p, kept, base))
		case kept != j.best:
			j.say("%s (%s) saves %s%s%s: %s.", keptWords(kept), kept.row.Strategy, apart(base, kept), gain(base, kept, base), j.caveat(p, kept, base), parts)
		case parts != "":
			j.say("What %s saves is %s.", kept.row.Strategy, parts)
		}
	}
}

// initialWindow is what a connection may send before the first acknowledgement:
// ten segments (RFC 6928), here of Ethernet's size with timestamps.
const initialWindow = 10 * 1448

// parts tells what a kept connection saves by handshakes, by slow starts, and in
// the hosts, as a sum. Slow starts are the rest that goes with the delay, and so is
// round trips too, where there is a response that takes more than one window. Only
// where one thing happens after the other are the parts a sum, and only where the
// time without delay is known can what the hosts spend be told from the path.
func parts(base, kept *tried) string {
	a, ok := base.waited.Get()
	b, ok2 := kept.waited.Get()
	x, ok3 := base.doubt().Get()
	y, ok4 := kept.doubt().Get()
	saves, doubt, shakes := base.time.Value-kept.time.Value, x+y, a-b
	if !ok || !ok2 || !ok3 || !ok4 || base.strategy.Connections > 1 || shakes <= doubt || shakes >= saves+doubt {
		return ""
	}
	total, unit := difference(base, kept)
	whole := func(ms float64) float64 { return math.Round(ms/unit) * unit }
	rest := total - whole(shakes)
	out := []string{finding.InSteps(whole(shakes), unit) + " of handshakes"}
	floor, ok := base.still.Median()
	floorKept, ok2 := kept.still.Median()
	// What the hosts spend on handshakes is a part of those.
	hosts := floor - floorKept - (base.waitedStill.Or(0) - kept.waitedStill.Or(0))
	elsewhere := "otherwise"
	if slow := rest - whole(hosts); ok && ok2 && base.large && slow > doubt {
		out = append(out, finding.InSteps(slow, unit)+" of slow starts")
		rest, elsewhere = whole(hosts), "in the hosts"
	}
	// Half a unit keeps what floating point leaves of nothing out of it.
	switch {
	case rest > unit/2:
		out = append(out, finding.InSteps(rest, unit)+" "+elsewhere)
	case rest < -unit/2:
		return list(out) + ", less " + finding.InSteps(-rest, unit) + " that is lost " + elsewhere
	}
	return list(out)
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
		switch r, p := compared(kept, c); r {
		case same:
			j.say("With %d at once, keeping (%s) makes no difference to %s that %s can show (p = %.2g).",
				c.strategy.Connections, kept.row.Strategy, c.row.Strategy, trials(kept, c), p)
		case more:
			j.say("With %d at once, keeping is worse: %s takes %s%s more than %s%s.", c.strategy.Connections,
				kept.row.Strategy, apart(kept, c), gain(kept, c, c), c.row.Strategy, j.caveat(p, kept, c))
		case less:
			j.say("With %d at once, keeping (%s) saves %s%s of %s's %s%s.", c.strategy.Connections, kept.row.Strategy,
				apart(c, kept), gain(c, kept, c), c.row.Strategy, c.took(), j.caveat(p, kept, c))
		}
	}
}

// queueing tells where one kept connection loses to several that close, the
// finding of 1997: what is saved in handshakes is lost by waiting in line.
func (j *judgement) queueing() {
	kept := first(j.cases, waits)
	many := fastest(filter(j.cases, func(c *tried) bool { return !c.strategy.Persistent && c.strategy.Connections > 1 }))
	if kept == nil || many == nil || many == j.base && many == j.best && kept == j.kept() {
		return // nothing to say, or the lead has said so
	}
	if r, p := compared(many, kept); r == less {
		j.say("%s, with %d connections at once, takes %s less than %s, whose requests wait in line%s.",
			many.row.Strategy, many.strategy.Connections, apart(kept, many), kept.row.Strategy, j.caveat(p, many, kept))
	}
}

// ties names the strategies that the trials cannot tell from the best one.
func (j *judgement) ties() {
	var names []string
	fewest := j.best
	for _, c := range j.cases {
		if c == j.best || c == j.base || !c.timed {
			continue
		}
		if !alike(c, j.best) {
			continue
		}
		names = append(names, c.row.Strategy)
		if n, ok := c.row.Connections.Get(); ok && n < fewest.row.Connections.Or(n) {
			fewest = c
		}
	}
	if len(names) == 0 {
		return
	}
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	hint := ""
	if fewest != j.best {
		hint = fmt.Sprintf("; of these, %s opens the fewest connections (%s)", fewest.row.Strategy, finding.Count(fewest.row.Connections.Or(0)))
	}
	if rival := j.rival(); len(names) == 1 && rival != j.base && alike(rival, j.best) {
		return // the lead has said so
	}
	j.say("%s %s as fast as %s, as far as %s can show%s.", list(names), verb, j.best.row.Strategy, trials(j.best, j.best), hint)
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

// fewer tells what the better row needs less, or more, in connections and packets.
func fewer(base, better Row) string {
	var parts []string
	a, ok := base.Connections.Get()
	b, ok2 := better.Connections.Get()
	if ok && ok2 && a != b {
		parts = append(parts, fmt.Sprintf("opens %s, not %s", finding.Plural(b, "connection"), finding.Count(a)))
	}
	p, ok := both(base.Packets).Get()
	q, ok2 := both(better.Packets).Get()
	if ok && ok2 && p > 0 && p != q {
		word, d := "fewer", p-q
		if d < 0 {
			word, d = "more", -d
		}
		parts = append(parts, fmt.Sprintf("sends %s %s packets", finding.Share(d/p), word))
	}
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return " and " + parts[0]
	}
	return ", " + parts[0] + ", and " + parts[1]
}

// took is the time of a strategy in words.
func (c *tried) took() string { return finding.Duration(c.time.Value, c.blur()) }

// apart is how much longer the slow one takes.
func apart(slow, fast *tried) string { return finding.InSteps(difference(slow, fast)) }

// fine is how many steps of what is shown of two times are enough to take their
// difference from.
const fine = 20

// difference is how much longer the slow one takes, in ms, and the step to show it
// in: that of the two times as they are shown, or, where these are too coarse for
// it, of the two as they were measured.
func difference(slow, fast *tried) (ms, unit float64) {
	unit = max(finding.Step(slow.time.Value, slow.blur()), finding.Step(fast.time.Value, fast.blur()))
	if ms = slow.shown() - fast.shown(); ms >= fine*unit {
		return math.Round(ms/unit) * unit, unit
	}
	ms, doubt := slow.time.Value-fast.time.Value, slow.blur()+fast.blur()
	return finding.Shown(ms, doubt), finding.Step(ms, doubt)
}

// shown is the time of a strategy, in ms, as it is written.
func (c *tried) shown() float64 { return finding.Shown(c.time.Value, c.blur()) }

// gain is the same as a share of the time of whole, which is one of the two.
func gain(slow, fast, whole *tried) string {
	other := slow
	if whole == slow {
		other = fast
	}
	ratio, doubt := finding.Quotient(other.time.Value, other.blur(), whole.time.Value, whole.blur())
	return finding.InBrackets(math.Abs(1-ratio), doubt)
}

// caveat says so where too few trials are behind a sentence, unless the lead has.
func (j *judgement) caveat(p float64, a, b *tried) string {
	if p < stats.Alpha || j.cautioned > 0 && j.cautioned <= min(a.times.N(), b.times.N()) {
		return ""
	}
	return " (luck cannot be ruled out after " + trials(a, b) + ")"
}

// trials says how many trials of each a comparison rests on.
func trials(a, b *tried) string {
	n := min(a.times.N(), b.times.N())
	return finding.Plural(float64(n), "trial")
}

func keptWords(c *tried) string {
	if c.strategy.Connections == 1 {
		return "One kept connection"
	}
	return fmt.Sprintf("Keeping %d connections", c.strategy.Connections)
}

// list joins names: "a", "a and b", "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
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
