// Package sweep makes sense of predictions on many networks. Nothing holds all of them: of each
// trial an [Outcome] is kept, the outcomes on one network make a [Cell], and a [Surveyor] takes in
// cell after cell and says at the end what they come to.
package sweep

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/trace"
)

// Format names the document of a Sweep with its cells and its Survey, and the version of its form.
const Format = "linger sweep 2"

// A Sweep is what there is to say of all networks of a grid: the JSON of linger sweep, but
// for the cells and the version of linger.
type Sweep struct {
	Workload   compare.Workload `json:"workload"`
	Strategies []string         `json:"strategies"`
	Axes       Axes             `json:"axes"`
	Engine     string           `json:"engine"`
	Provenance trace.Provenance `json:"provenance"`
	Seed       uint64           `json:"seed"`
	Trials     int              `json:"trials"` // on each network that loses packets; one on the others
	Margin     float64          `json:"margin"` // what counts as a difference: a share of the longer time
}

// Axes are what the grid goes along.
type Axes struct {
	Loss  []float64 `json:"loss"` // share of packets, each way
	Down  []float64 `json:"down_kbps,omitempty"`
	RTT   []float64 `json:"rtt_ms,omitempty"`
	Named []string  `json:"networks,omitempty"`
}

// Survey is what the cells of a sweep come to.
type Survey struct {
	Paths       int  `json:"paths"` // of the grid
	Done        int  `json:"done"`  // that were predicted, the first ones of the grid
	Interrupted bool `json:"interrupted"`
	// Wins says of each strategy on how many networks it is fastest, and on how many of
	// them clearly.
	Wins []Win `json:"wins"`
	// Saves, Costs, Same, Noise and Unknown count the networks by what keeping does there.
	Saves   int `json:"saves"`
	Costs   int `json:"costs"`
	Same    int `json:"no_difference"`
	Noise   int `json:"noise"`
	Unknown int `json:"not_known"`
	// Beyond counts the networks on which no prediction was held against a measurement:
	// they lie outside of what docs/accuracy.md covers.
	Beyond int `json:"beyond_accuracy"`
	// Least, Median and Most are what keeping saves over the networks on which that is
	// known; the median to a hundredth.
	Least  linger.Opt[float64] `json:"saves_least,omitzero"`
	Median linger.Opt[float64] `json:"saves_median,omitzero"`
	Most   linger.Opt[float64] `json:"saves_most,omitzero"`
	// KeepAlive is what keep-alive alone saves, of each pair of strategies that differ in
	// nothing else.
	KeepAlive []Range `json:"keep_alive,omitempty"`
	// Borders tell where it begins to make a difference whether connections are kept.
	Borders []Border `json:"borders,omitempty"`
	// Reasons are why something is not known, on how many networks each, the most
	// frequent first.
	Reasons  []Reason          `json:"reasons,omitempty"`
	Findings []finding.Finding `json:"findings"`
}

// A Range is what With saves of the time of Without over so many networks, as shares of it; the
// median to a hundredth.
type Range struct {
	Without string  `json:"without"`
	With    string  `json:"with"`
	Paths   int     `json:"paths"`
	Least   float64 `json:"least"`
	Median  float64 `json:"median"`
	Most    float64 `json:"most"`
}

// What docs/accuracy.md covers: networks on which predictions were held against
// measurements.
const (
	coveredRTT, coveredRTTs   = 5, 300        // ms
	coveredRate, coveredRates = 1600, 100_000 // kbit/s
	coveredLoss               = 0.01
)

// covered reports whether a network lies within that.
func covered(n compare.Network) bool {
	within := func(v linger.Opt[float64], least, most float64) bool { return v.Or(-1) >= least && v.Or(-1) <= most }
	return within(n.RTT, coveredRTT, coveredRTTs) && within(n.Down, coveredRate, coveredRates) && within(n.Up, coveredRate, coveredRates) && n.Loss.Or(1) <= coveredLoss
}

// Known returns on how many networks some strategy is fastest.
func (v Survey) Known() (n int) {
	for _, w := range v.Wins {
		n += w.Paths
	}
	return n
}

// Win counts the networks on which a strategy is fastest: in all, clearly, and those on
// which it takes at most Margin more than the fastest.
type Win struct {
	Strategy string `json:"strategy"`
	Paths    int    `json:"paths"`
	Clear    int    `json:"clear"`
	Near     int    `json:"near"`
}

// A Border is where on a line of equal loss and rate keeping begins to make a
// difference: it makes none from the shortest round-trip time up to this one. Unknown
// is that it makes one at the shortest.
type Border struct {
	Loss float64             `json:"loss"`
	Down float64             `json:"down_kbps"`
	Same linger.Opt[float64] `json:"no_difference_until_rtt_ms,omitzero"`
	// All says that it makes none at any of the round-trip times.
	All bool `json:"all"`
}

// A Reason is why something is not known: the cause of a trial that has no trace, or
// that so many of the trials did not deliver everything.
type Reason struct {
	Strategy string `json:"strategy"`
	Cause    string `json:"cause,omitempty"`
	Failed   int    `json:"failed,omitempty"`
	Trials   int    `json:"trials,omitempty"`
	Paths    int    `json:"paths"`
}

// before sorts the reasons by their networks, the most frequent first.
func (r Reason) before(s Reason) int {
	return cmp.Or(cmp.Compare(s.Paths, r.Paths), cmp.Compare(r.Strategy+":", s.Strategy+":"), cmp.Compare(r.Cause, s.Cause),
		cmp.Compare(strconv.Itoa(r.Failed), strconv.Itoa(s.Failed)), cmp.Compare(strconv.Itoa(r.Trials), strconv.Itoa(s.Trials)))
}

// Of describes a sweep before it has begun.
func Of(w linger.Workload, strategies []linger.Strategy, g linger.Grid, seed uint64, trials int) Sweep {
	s := Sweep{
		Workload: compare.WorkloadOf(w),
		Engine:   "sim", Provenance: trace.Predicted, Seed: seed, Trials: trials, Margin: times.Margin,
	}
	for _, x := range strategies {
		s.Strategies = append(s.Strategies, x.Name)
	}
	s.Axes.Loss = g.Loss
	for _, n := range g.Named {
		s.Axes.Named = append(s.Axes.Named, n.Name)
	}
	if len(g.Named) > 0 {
		return s
	}
	for _, d := range g.Down {
		s.Axes.Down = append(s.Axes.Down, float64(d)/float64(linger.Kbps))
	}
	for _, d := range g.RTT {
		s.Axes.RTT = append(s.Axes.RTT, facts.Milliseconds(d))
	}
	return s
}

// Bounds of the histogram of what keeping saves, in hundredths: what costs more than
// twice as much again is counted with what costs twice as much.
const leastShare, shares = -200, 301

// hundredths are shares, counted by the hundredth.
type hundredths struct {
	counts      [shares]int
	n           int
	least, most float64
}

func (h *hundredths) add(share float64) {
	if h.n == 0 {
		h.least, h.most = share, share
	}
	h.n++
	h.least, h.most = min(h.least, share), max(h.most, share)
	h.counts[int(min(max(math.Round(100*share), leastShare), leastShare+shares-1))-leastShare]++
}

// median is that of the shares, of which there is one at least.
func (h *hundredths) median() float64 {
	half := (h.n + 1) / 2
	for i, k := range h.counts {
		if half -= k; half <= 0 {
			return float64(i+leastShare) / 100
		}
	}
	return h.most
}

// mostReasons bounds how many different reasons are kept, mostTold how many are told of.
const (
	mostReasons = 20
	mostTold    = 3
)

// A Surveyor takes in the cells of a sweep, one after the other, and keeps none.
type Surveyor struct {
	sweep   Sweep
	survey  Survey
	saved   hundredths            // by the fastest with keep-alive
	alone   map[Range]*hundredths // by keep-alive alone, by pair
	pairs   []Range               // in the order of the first cell that has them
	halves  int                   // networks on which keeping saves half of the time or more
	columns int
	border  Border
	running bool           // no cell of this line that is known has made a difference yet
	most    Cell           // where keeping saves most
	reasons map[Reason]int // without their networks
}

// NewSurveyor returns one for a sweep of so many networks.
func NewSurveyor(s Sweep, paths int) *Surveyor {
	y := &Surveyor{sweep: s, columns: max(1, len(s.Axes.RTT)), reasons: map[Reason]int{}, alone: map[Range]*hundredths{}}
	y.survey.Paths = paths
	for _, name := range s.Strategies {
		y.survey.Wins = append(y.survey.Wins, Win{Strategy: name})
	}
	return y
}

// Add takes in the next cell of the grid.
func (y *Surveyor) Add(c Cell) {
	v := &y.survey
	at := v.Done % y.columns
	v.Done++
	for i := range v.Wins {
		win := &v.Wins[i]
		if win.Strategy == c.Best {
			win.Paths++
			if c.Clear {
				win.Clear++
			}
		}
		if c.near(i) {
			win.Near++
		}
	}
	if !c.Covered {
		v.Beyond++
	}
	for _, r := range c.Rows {
		reason, ok := r.reason()
		if !ok {
			continue
		}
		if _, known := y.reasons[reason]; known || len(y.reasons) < mostReasons {
			y.reasons[reason]++
		}
	}
	switch c.Keeping {
	case KeepingSaves:
		v.Saves++
		if c.Saves.Or(0) >= 0.5 {
			y.halves++
		}
	case KeepingCosts:
		v.Costs++
	case KeepingSame:
		v.Same++
	case KeepingNoise:
		v.Noise++
	default:
		v.Unknown++
	}
	if share, ok := c.Saves.Get(); ok {
		if y.saved.add(share); y.saved.most == share && v.Most != linger.Known(share) {
			y.most = c
		}
		v.Least, v.Most = linger.Known(y.saved.least), linger.Known(y.saved.most)
	}
	for _, s := range c.KeepAlive {
		pair := Range{Without: s.Without, With: s.With}
		if y.alone[pair] == nil {
			y.alone[pair] = &hundredths{}
			y.pairs = append(y.pairs, pair)
		}
		y.alone[pair].add(s.Share.Value)
	}
	if len(y.sweep.Axes.RTT) == 0 {
		return
	}
	if at == 0 {
		y.border, y.running = Border{Loss: c.Network.Loss.Or(0), Down: c.Network.Down.Or(0)}, true
	}
	switch c.Keeping {
	case KeepingUnknown, KeepingNoise: // the border may lie beyond
	case KeepingSame:
		if y.running {
			y.border.Same = c.Network.RTT
		}
	default:
		y.running = false
	}
	if at == y.columns-1 {
		y.border.All = y.running && !y.border.Same.IsZero()
		v.Borders = append(v.Borders, y.border)
	}
}

// Survey returns what the cells came to.
func (y *Surveyor) Survey() Survey {
	v := y.survey
	v.Wins = slices.Clone(v.Wins)
	v.Interrupted = v.Done < v.Paths
	if y.saved.n > 0 {
		v.Median = linger.Known(y.saved.median())
	}
	for _, pair := range y.pairs {
		h := y.alone[pair]
		pair.Paths, pair.Least, pair.Median, pair.Most = h.n, h.least, h.median(), h.most
		v.KeepAlive = append(v.KeepAlive, pair)
	}
	for r, k := range y.reasons {
		r.Paths = k
		v.Reasons = append(v.Reasons, r)
	}
	slices.SortFunc(v.Reasons, Reason.before)
	v.Findings = y.find(v)
	return v
}

// find tells what the cells came to: what is fastest and what keeping saves first, and
// then what else there is to know.
func (y *Surveyor) find(v Survey) []finding.Finding {
	var out []finding.Finding
	add := func(code string, severity finding.Severity, figures ...finding.Figure) {
		out = append(out, finding.Finding{Code: code, Severity: severity, Figures: figures})
	}
	if v.Done == 0 {
		add(NothingPredicted, finding.Unknown)
		return out
	}
	done, margin := finding.Counted("paths", v.Done), finding.Number("margin", times.Margin, "share")
	wins := slices.DeleteFunc(slices.Clone(v.Wins), func(w Win) bool { return w.Paths == 0 })
	slices.SortStableFunc(wins, func(a, b Win) int { return cmp.Compare(b.Paths, a.Paths) })
	if len(wins) == 0 {
		add(NoneDelivered, finding.Unknown, done)
	} else {
		clear := slices.DeleteFunc(slices.Clone(wins), func(w Win) bool { return w.Clear == 0 })
		figures := append(perStrategy("fastest_on", wins, func(w Win) int { return w.Paths }), done)
		figures = append(figures, perStrategy("clear_on", clear, func(w Win) int { return w.Clear })...)
		close := 0
		for _, w := range wins {
			close += w.Paths - w.Clear
		}
		add(FastestOn, finding.Note, append(figures, finding.Counted("too_close_on", close))...)
	}
	if len(v.KeepAlive) > 0 {
		var figures finding.Figures
		for _, r := range v.KeepAlive {
			figures = append(figures, finding.Word("instead_of", r.Without).Whose(r.With), finding.Number("least", r.Least, "share").Whose(r.With),
				finding.Number("median", r.Median, "share").Whose(r.With), finding.Number("most", r.Most, "share").Whose(r.With))
		}
		add(KeepAliveOn, finding.Note, figures...)
	}
	known := v.Saves + v.Costs + v.Same + v.Noise
	switch {
	case known == 0 && len(wins) > 0:
		add(KeepingUntold, finding.Unknown)
	case known > 0:
		figures := finding.Figures{finding.Counted("saves_on", v.Saves), finding.Counted("known", known)}
		if median, ok := v.Median.Get(); ok && v.Saves > 0 {
			figures = append(figures, finding.Counted("halves_on", y.halves), finding.Number("median", median, "share"))
		}
		add(KeepingSavesOn, finding.Note, figures...)
	}
	if near := slices.DeleteFunc(slices.Clone(v.Wins), func(w Win) bool { return w.Near == 0 }); len(near) > 0 && len(v.Wins) > 1 {
		add(NearFastestOn, finding.Note, append(perStrategy("near_on", near, func(w Win) int { return w.Near }), margin)...)
	}
	if most, ok := v.Most.Get(); ok && most > times.Margin {
		figures := append(y.most.Network.Figures(), finding.Number("saves", most, "share"))
		add(MostSaved, finding.Note, append(figures, y.most.took(y.most.Kept), y.most.took(y.most.Closed))...)
	}
	if known > 0 {
		y.borders(v, margin, add)
	}
	if v.Costs > 0 {
		add(KeepingCostsOn, finding.Note, finding.Counted("costs_on", v.Costs), margin)
	}
	if v.Noise > 0 {
		add(NoiseOn, finding.Unknown, finding.Counted("noise_on", v.Noise), finding.Counted("trials", y.sweep.Trials))
	}
	for i, r := range v.Reasons {
		if i == mostTold {
			add(MoreReasons, finding.Unknown, finding.Counted("more", len(v.Reasons)-i))
			break
		}
		f := finding.Finding{Code: UnknownOn, Severity: finding.Unknown, Subject: finding.Subject{Kind: "strategy", Name: r.Strategy}, Figures: finding.Figures{finding.Counted("unknown_on", r.Paths)}}
		if r.Cause != "" {
			f.Figures = append(f.Figures, finding.Word("cause", r.Cause))
		} else {
			f.Figures = append(f.Figures, finding.Counted("failed", r.Failed), finding.Counted("trials", r.Trials))
		}
		out = append(out, f)
	}
	if v.Beyond > 0 {
		add(Uncovered, finding.Unknown, finding.Counted("uncovered", v.Beyond), done,
			finding.Number("rtt_from", coveredRTT, "ms"), finding.Number("rtt_to", coveredRTTs, "ms"),
			finding.Number("rate_from", coveredRate, "kbit/s"), finding.Number("rate_to", coveredRates, "kbit/s"), finding.Number("loss_to", coveredLoss, "share"))
	}
	if v.Interrupted {
		add(Stopped, finding.Unknown, done, finding.Counted("planned", v.Paths))
	}
	return out
}

// perStrategy is a count of each strategy.
func perStrategy(name string, wins []Win, of func(Win) int) finding.Figures {
	var out finding.Figures
	for _, w := range wins {
		out = append(out, finding.Counted(name, of(w)).Whose(w.Strategy))
	}
	return out
}

// took is the time of a strategy in a cell, without a value where it is not known.
func (c Cell) took(strategy string) finding.Figure {
	for _, r := range c.Rows {
		if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
			return t.Figure(trace.Predicted).Whose(strategy)
		}
	}
	return finding.Figure{Name: "time", Of: strategy, Unit: "ms"}
}

// mostLines is of how many lines of equal rate a border tells.
const mostLines = 4

// borders tells where keeping begins to make a difference: of each loss, beyond which
// round-trip time at a rate. A figure that has no value there says that keeping makes
// none at any round-trip time of the grid.
func (y *Surveyor) borders(v Survey, margin finding.Figure, add func(string, finding.Severity, ...finding.Figure)) {
	if v.Same == 0 {
		add(NoneSame, finding.Note, margin)
		return
	}
	add(SameOn, finding.Note, finding.Counted("same_on", v.Same), finding.Counted("paths", v.Done), margin)
	for from := 0; from < len(v.Borders); {
		to := from
		for to < len(v.Borders) && v.Borders[to].Loss == v.Borders[from].Loss {
			to++
		}
		lines := slices.DeleteFunc(slices.Clone(v.Borders[from:to]), func(b Border) bool { return b.Same.IsZero() })
		// Spread over the rates.
		var figures finding.Figures
		for i := range min(mostLines, len(lines)) {
			b := lines[i]
			if len(lines) > mostLines {
				b = lines[i*(len(lines)-1)/(mostLines-1)]
			}
			figures = append(figures, finding.Number("down", b.Down, "kbit/s"))
			beyond := finding.Figure{Name: "beyond_rtt", Unit: "ms"}
			if !b.All {
				beyond.Value = b.Same
			}
			figures = append(figures, beyond)
		}
		if len(figures) > 0 {
			add(BorderAt, finding.Note, append(figures, finding.Number("loss", v.Borders[from].Loss, "share"))...)
		}
		from = to
	}
}
