package compare

import (
	"fmt"
	"strings"

	"linger"
	"linger/stats"
)

// relation is what two strategies' times allow to say about them.
type relation int

const (
	untold relation = iota // too few trials to say anything
	same                   // no difference that these trials can show
	less                   // the first takes less
	more                   // the first takes more
)

// compared tells how a's time relates to b's, with the test's p.
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
	return relate(a.times, b.times)
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
	for _, w := range test.Warnings {
		if w.Code == "test" {
			return untold, test.P
		}
	}
	return same, test.P
}

// alike reports whether the trials show no difference between a and b.
func alike(a, b *tried) bool {
	r, _ := compared(a, b)
	return r == same
}

// judge finds the best strategy, what it saves, and the words for it.
func judge(in Input, cases []*tried, best *tried) Verdict {
	if best == nil {
		return Verdict{Text: "No strategy delivered the workload, so there is nothing to compare."}
	}
	base := first(cases, func(c *tried) bool { return !c.strategy.Persistent })
	j := judgement{cases: cases, best: best, base: base, loss: in.Network.Loss}
	var v Verdict
	switch {
	case timed(cases) == 1:
		v.Best = best.row.Strategy
		j.say("%s takes %s; no other strategy is there to compare it with.", best.row.Strategy, best.took())
	case base == nil:
		v.Best = best.row.Strategy
		j.leadAmongKept()
	default:
		if rival := j.rival(); rival == nil || !alike(best, rival) {
			v.Best = best.row.Strategy
		}
		if best != base && v.Best != "" {
			v.Saves = saved(base.row, best.row)
		}
		j.lead()
	}
	if base != nil {
		j.handshakes(base)
		j.effort(base)
		j.serial(base)
		j.parallel()
		j.queueing()
	}
	j.ease()
	j.versions()
	j.ties()
	v.Text = strings.Join(j.sentences, " ")
	return v
}

// judgement collects the sentences of a verdict.
type judgement struct {
	cases      []*tried
	best, base *tried
	loss       float64 // share of packets
	sentences  []string
}

func (j *judgement) say(format string, args ...any) {
	j.sentences = append(j.sentences, fmt.Sprintf(format, args...))
}

// rival is what the best strategy must differ from to be called best: the
// baseline, or the fastest persistent strategy where the baseline itself is best.
func (j *judgement) rival() *tried {
	if j.best != j.base {
		return j.base
	}
	return j.kept()
}

// kept is the fastest persistent strategy, or nil.
func (j *judgement) kept() *tried {
	return fastest(filter(j.cases, func(c *tried) bool { return c.strategy.Persistent }))
}

// lead compares the best strategy with the baseline.
func (j *judgement) lead() {
	best, base := j.best, j.base
	if best == base {
		rival := j.rival()
		if rival == nil {
			j.say("%s takes least: %s. No strategy that was tried keeps a connection.", best.row.Strategy, best.took())
			return
		}
		switch r, p := compared(best, rival); r {
		case same:
			j.say("No difference: %s takes %s, and the fastest persistent strategy, %s, %s; %s cannot tell them apart (p = %.2g).",
				best.row.Strategy, best.took(), rival.row.Strategy, rival.took(), trials(best, rival), p)
		default:
			j.say("Persistence is worse here: %s takes %s, the fastest persistent strategy, %s, %s, which is %s (%s) more.",
				best.row.Strategy, best.took(), rival.row.Strategy, rival.took(), apart(rival, best), gain(rival, best, best))
			j.luck(r, best, rival)
		}
		return
	}
	switch r, p := compared(best, base); r {
	case same:
		j.say("No difference: %s takes %s and %s %s; %s cannot tell them apart (p = %.2g).",
			best.row.Strategy, best.took(), base.row.Strategy, base.took(), trials(best, base), p)
	default:
		j.say("%s takes least: %s against %s of %s.", best.row.Strategy, best.took(), base.took(), base.row.Strategy)
		j.say("It saves %s (%s)%s.", apart(base, best), gain(base, best, base), fewer(base.row, best.row))
		j.luck(r, best, base)
		if kept := j.kept(); !best.strategy.Persistent && kept != nil {
			if r, _ := compared(best, kept); r == less {
				j.say("No persistent strategy is faster: the fastest, %s, takes %s.", kept.row.Strategy, kept.took())
			}
		}
	}
}

// leadAmongKept compares the best strategy with the slowest, as there is no baseline.
func (j *judgement) leadAmongKept() {
	best, worst := j.best, j.best
	for _, c := range j.cases {
		if c.timed && c.time.Value > worst.time.Value {
			worst = c
		}
	}
	switch r, p := compared(best, worst); {
	case best == worst || r == same:
		j.say("No difference: all take about %s; %s cannot tell them apart (p = %.2g).", best.took(), trials(best, worst), p)
	default:
		j.say("%s takes least: %s against %s of %s, the slowest; %s (%s) less.", best.row.Strategy, best.took(), worst.took(), worst.row.Strategy,
			apart(worst, best), gain(worst, best, worst))
		j.luck(r, best, worst)
	}
	j.say("What persistence saves is not known: no non-persistent strategy gave a time.")
}

// handshakes tells which part of the baseline's time its handshakes are.
func (j *judgement) handshakes(base *tried) {
	n, ok := base.row.Handshakes.Get()
	wait, ok2 := base.waited.Get()
	if !ok || !ok2 || n == 0 || wait <= 0 || wait > base.time.Value {
		return
	}
	cost := Duration(wait, base.doubt())
	if base.strategy.Connections == 1 {
		parts := ""
		if tls := base.waitedTLS.Or(0); tls > 0 {
			parts = fmt.Sprintf(": %s for TCP's, %s for TLS's", Duration(wait-tls, base.doubt()), Duration(tls, base.doubt()))
		}
		j.say("%s cost %s of the %s that %s takes (%s)%s.", plural(n, "handshake"), cost, base.took(), base.row.Strategy, Share(wait/base.time.Value), parts)
		return
	}
	j.say("For %s of its %s (%s), %s does nothing but wait for some of its %s.", cost, base.took(), Share(wait/base.time.Value),
		base.row.Strategy, plural(n, "handshake"))
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
			j.say("%s (%s) is worse: %s (%s) more.", keptWords(kept), kept.row.Strategy, apart(kept, base), gain(kept, base, base))
		}
	default:
		switch parts := parts(base, kept); {
		case kept != j.best && parts == "":
			j.say("%s (%s) saves %s (%s).", keptWords(kept), kept.row.Strategy, apart(base, kept), gain(base, kept, base))
		case kept != j.best:
			j.say("%s (%s) saves %s (%s): %s.", keptWords(kept), kept.row.Strategy, apart(base, kept), gain(base, kept, base), parts)
		case parts != "":
			j.say("Of what %s saves, it saves %s.", kept.row.Strategy, parts)
		}
	}
}

// parts tells what a kept connection saves by handshakes, and what by slow
// starts: the rest that goes with the delay, and so is round trips too. Only where
// one thing happens after the other are the parts a sum, and only where the time
// without delay is known can what the hosts spend be told from the path.
func parts(base, kept *tried) string {
	a, ok := base.waited.Get()
	b, ok2 := kept.waited.Get()
	saves, doubt := base.time.Value-kept.time.Value, base.doubt()+kept.doubt()
	shakes := a - b
	if !ok || !ok2 || base.strategy.Connections > 1 || shakes <= doubt || shakes >= saves+doubt {
		return ""
	}
	out := fmt.Sprintf("%s by handshakes that are not made", Duration(shakes, doubt))
	floor, ok := base.still.Median()
	floorKept, ok2 := kept.still.Median()
	if rest := saves - shakes - (floor - floorKept); ok && ok2 && rest > doubt {
		out += fmt.Sprintf(" and %s by slow starts that are not gone through again", Duration(rest, doubt))
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
		switch r, p := compared(kept, c); r {
		case same:
			j.say("With %d at once, keeping (%s) makes no difference to %s that %s can show (p = %.2g).",
				c.strategy.Connections, kept.row.Strategy, c.row.Strategy, trials(kept, c), p)
		case more:
			j.say("With %d at once, keeping is worse: %s takes %s (%s) more than %s.", c.strategy.Connections,
				kept.row.Strategy, apart(kept, c), gain(kept, c, c), c.row.Strategy)
		default:
			j.say("With %d at once, keeping (%s) saves %s (%s) of %s's %s.", c.strategy.Connections, kept.row.Strategy,
				apart(c, kept), gain(c, kept, c), c.row.Strategy, c.took())
		}
	}
}

// queueing tells where one kept connection loses to several that close, the
// finding of 1997: what is saved in handshakes is lost by waiting in line.
func (j *judgement) queueing() {
	kept := first(j.cases, func(c *tried) bool {
		return c.strategy.Persistent && c.strategy.Connections == 1 && c.strategy.InFlight == 1
	})
	many := fastest(filter(j.cases, func(c *tried) bool { return !c.strategy.Persistent && c.strategy.Connections > 1 }))
	if kept == nil || many == nil {
		return
	}
	if r, _ := compared(many, kept); r == less {
		j.say("Yet %s, with %d connections at once, takes %s less than %s, whose requests wait in line.",
			many.row.Strategy, many.strategy.Connections, apart(kept, many), kept.row.Strategy)
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
		hint = fmt.Sprintf("; of these, %s opens the fewest connections (%s)", fewest.row.Strategy, Count(fewest.row.Connections.Or(0)))
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
		parts = append(parts, fmt.Sprintf("opens %s, not %s", plural(b, "connection"), Count(a)))
	}
	p, ok := both(base.Packets).Get()
	q, ok2 := both(better.Packets).Get()
	if ok && ok2 && p > 0 && p != q {
		word, d := "fewer", p-q
		if d < 0 {
			word, d = "more", -d
		}
		parts = append(parts, fmt.Sprintf("sends %s %s packets", Share(d/p), word))
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
func (c *tried) took() string { return Duration(c.time.Value, c.doubt()) }

// doubt is how far the interval of the time reaches, in ms; 0 is not known.
func (c *tried) doubt() float64 {
	t, _ := c.row.Time.Get()
	return t.Doubt().Or(0)
}

// apart is how much longer the slow one takes, with both doubts.
func apart(slow, fast *tried) string {
	return Duration(slow.time.Value-fast.time.Value, slow.doubt()+fast.doubt())
}

// gain is the same as a share of the time of whole.
func gain(slow, fast, whole *tried) string {
	return Share((slow.time.Value - fast.time.Value) / whole.time.Value)
}

// luck says so when too few trials are behind a sentence.
func (j *judgement) luck(r relation, a, b *tried) {
	if r == untold {
		j.say("Luck cannot be ruled out after %s.", trials(a, b))
	}
}

// trials says how many trials of each a comparison rests on.
func trials(a, b *tried) string {
	n := min(a.times.N(), b.times.N())
	return plural(float64(n), "trial")
}

func keptWords(c *tried) string {
	if c.strategy.Connections == 1 {
		return "One kept connection"
	}
	return fmt.Sprintf("Keeping %d connections", c.strategy.Connections)
}

func plural(n float64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return Count(n) + " " + word + "s"
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

func timed(cases []*tried) int {
	return len(filter(cases, func(c *tried) bool { return c.timed }))
}
