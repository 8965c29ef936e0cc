package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"linger"
	"linger/finding"
	"linger/trace"
)

// A Sweep is what there is to say of all paths of a grid: the JSON of linger sweep, but
// for the cells and the version of linger.
type Sweep struct {
	Workload   Workload         `json:"workload"`
	Strategies []string         `json:"strategies"`
	Axes       Axes             `json:"axes"`
	Engine     string           `json:"engine"`
	Provenance trace.Provenance `json:"provenance"`
	Seed       uint64           `json:"seed"`
	Trials     int              `json:"trials"` // on each path that loses packets; one on the others
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
	// Wins says of each strategy on how many paths it takes least, and on how many of
	// them clearly.
	Wins []Win `json:"wins"`
	// Saves, Costs, Same, Luck and Unknown count the paths by what keeping does there.
	Saves   int `json:"saves"`
	Costs   int `json:"costs"`
	Same    int `json:"no_difference"`
	Luck    int `json:"luck"`
	Unknown int `json:"not_known"`
	// Beyond counts the paths on which no prediction was held against a measurement:
	// they lie outside of what docs/accuracy.md covers.
	Beyond int `json:"beyond_accuracy"`
	// Least, Median and Most are what keeping saves over the paths on which that is
	// known; the median to a hundredth.
	Least  linger.Opt[float64] `json:"saves_least,omitzero"`
	Median linger.Opt[float64] `json:"saves_median,omitzero"`
	Most   linger.Opt[float64] `json:"saves_most,omitzero"`
	// Borders tell where it begins to make a difference whether connections are kept.
	Borders []Border `json:"borders,omitempty"`
	// Reasons are why something is not known, on how many paths each, the most
	// frequent first.
	Reasons []Reason `json:"reasons,omitempty"`
	Text    string   `json:"text"`
}

// What docs/accuracy.md covers: paths on which predictions were held against
// measurements.
const (
	coveredRTT, coveredRTTs   = 5, 300        // ms
	coveredRate, coveredRates = 1600, 100_000 // kbit/s
	coveredLoss               = 0.01
)

// covered reports whether a path lies within that.
func covered(n Network) bool {
	within := func(v linger.Opt[float64], least, most float64) bool { return v.Or(-1) >= least && v.Or(-1) <= most }
	return within(n.RTT, coveredRTT, coveredRTTs) && within(n.Down, coveredRate, coveredRates) && within(n.Up, coveredRate, coveredRates) && n.Loss.Or(1) <= coveredLoss
}

// Known returns on how many paths something takes least.
func (v Survey) Known() (n int) {
	for _, w := range v.Wins {
		n += w.Paths
	}
	return n
}

// Win counts the paths on which a strategy takes least: in all, clearly, and those on
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

// A Reason is why something is not known.
type Reason struct {
	Text  string `json:"text"`
	Paths int    `json:"paths"`
}

// SweepOf describes a sweep before it has begun.
func SweepOf(w linger.Workload, strategies []linger.Strategy, g linger.Grid, seed uint64, trials int) Sweep {
	s := Sweep{
		Workload: Workload{Name: w.Name, Scheme: w.Scheme, Exchanges: len(w.Exchanges), Bytes: w.Bytes(), Origins: w.OriginCount()},
		Engine:   "sim", Provenance: trace.Predicted, Seed: seed, Trials: trials, Margin: Margin,
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
		s.Axes.RTT = append(s.Axes.RTT, milliseconds(d))
	}
	return s
}

// Bounds of the histogram of what keeping saves, in hundredths: what costs more than
// twice as much again is counted with what costs twice as much.
const leastShare, shares = -200, 301

// mostReasons bounds how many different reasons are kept.
const mostReasons = 20

// A Surveyor takes in the cells of a sweep, one after the other, and keeps none.
type Surveyor struct {
	sweep   Sweep
	survey  Survey
	shares  [shares]int
	halves  int // paths on which keeping saves half of the time or more
	columns int
	border  Border
	running bool // no cell of this line that is known has made a difference yet
	most    Cell // where keeping saves most
	reasons map[string]int
}

// NewSurveyor returns one for a sweep of so many paths.
func NewSurveyor(s Sweep, paths int) *Surveyor {
	y := &Surveyor{sweep: s, columns: max(1, len(s.Axes.RTT)), reasons: map[string]int{}}
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
		if v.Wins[i].Strategy == c.Best {
			v.Wins[i].Paths++
			v.Wins[i].Clear += btoi(c.Clear)
		}
		v.Wins[i].Near += btoi(c.near(i))
	}
	v.Beyond += btoi(!c.Covered)
	seen := map[string]bool{}
	for _, r := range c.Rows {
		// Behind a comma stand figures of this path alone.
		why, _, _ := strings.Cut(r.Reason, ",")
		if text := r.Strategy + ": " + why; why != "" && !seen[text] {
			seen[text] = true
			if _, known := y.reasons[text]; known || len(y.reasons) < mostReasons {
				y.reasons[text]++
			}
		}
	}
	switch c.Keeping {
	case KeepingSaves:
		v.Saves++
		y.halves += btoi(c.Saves.Or(0) >= 0.5)
	case KeepingCosts:
		v.Costs++
	case KeepingSame:
		v.Same++
	case KeepingLuck:
		v.Luck++
	default:
		v.Unknown++
	}
	if share, ok := c.Saves.Get(); ok {
		y.shares[int(min(max(math.Round(100*share), leastShare), leastShare+shares-1))-leastShare]++
		if most, ok := v.Most.Get(); !ok || share > most {
			v.Most, y.most = linger.Known(share), c
		}
		v.Least = linger.Known(min(share, v.Least.Or(share)))
	}
	if len(y.sweep.Axes.RTT) == 0 {
		return
	}
	if at == 0 {
		y.border, y.running = Border{Loss: c.Network.Loss.Or(0), Down: c.Network.Down.Or(0)}, true
	}
	switch c.Keeping {
	case KeepingUnknown, KeepingLuck: // the border may lie beyond
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
	n := 0
	for _, k := range y.shares {
		n += k
	}
	half := (n + 1) / 2
	for i, k := range y.shares {
		if half -= k; n > 0 && half <= 0 {
			v.Median = linger.Known(float64(i+leastShare) / 100)
			break
		}
	}
	for text, k := range y.reasons {
		v.Reasons = append(v.Reasons, Reason{text, k})
	}
	slices.SortFunc(v.Reasons, func(a, b Reason) int { return cmp.Or(cmp.Compare(b.Paths, a.Paths), cmp.Compare(a.Text, b.Text)) })
	v.Text = y.text(v)
	return v
}

// text says it in sentences: a paragraph, and below an empty line the facts.
func (y *Surveyor) text(v Survey) string {
	if v.Done == 0 {
		return "Nothing was predicted."
	}
	share := finding.Share(Margin)
	wins := slices.DeleteFunc(slices.Clone(v.Wins), func(w Win) bool { return w.Paths == 0 })
	slices.SortStableFunc(wins, func(a, b Win) int { return cmp.Compare(b.Paths, a.Paths) })
	var parts []string
	for i, w := range wins {
		if i == 0 {
			parts = append(parts, fmt.Sprintf("%s takes least on %d of %s", w.Strategy, w.Paths, finding.Plural(float64(v.Done), "path")))
		} else {
			parts = append(parts, fmt.Sprintf("%s on %d", w.Strategy, w.Paths))
		}
	}
	lead := strings.Join(parts, ", ") + "."
	if len(wins) == 0 {
		lead = fmt.Sprintf("On none of %s a strategy delivered everything.", finding.Plural(float64(v.Done), "path"))
	}
	known := v.Saves + v.Costs + v.Same + v.Luck
	switch {
	case known == 0 && len(wins) > 0:
		lead += " What keeping saves is not known: it takes a persistent and a non-persistent strategy on one path."
	case known > 0:
		if v.Saves == known {
			lead += " Keeping connections saves time on all of them"
		} else {
			lead += fmt.Sprintf(" Keeping connections saves time on %d", v.Saves)
		}
		if median, ok := v.Median.Get(); ok && v.Saves > 0 {
			if y.halves > 0 {
				lead += fmt.Sprintf(", half of it or more on %d", y.halves)
			}
			lead += fmt.Sprintf("; the median is %s", finding.Share(median))
		}
		lead += "."
	}
	var facts []string
	say := func(format string, args ...any) { facts = append(facts, fmt.Sprintf(format, args...)) }
	parts = nil
	for _, w := range slices.DeleteFunc(slices.Clone(v.Wins), func(w Win) bool { return w.Near == 0 }) {
		parts = append(parts, fmt.Sprintf("%s on %d", w.Strategy, w.Near))
	}
	if len(parts) > 0 && len(v.Wins) > 1 {
		say("At most %s more than the fastest, which itself counts, take %s.", share, strings.Join(parts, ", "))
	}
	if most, ok := v.Most.Get(); ok && most > Margin {
		say("It saves most, %s, at %s: %s of %s against %s of %s.", almost(most), Where(y.most.Network), took(y.most, y.most.Kept), y.most.Kept, took(y.most, y.most.Closed), y.most.Closed)
	}
	if known > 0 {
		y.borders(v, share, say)
	}
	if v.Costs > 0 {
		say("On %s keeping costs time: the fastest non-persistent strategy takes less than the fastest persistent one, by more than %s.", finding.Plural(float64(v.Costs), "path"), share)
	}
	if v.Luck > 0 {
		verb := "do"
		if y.sweep.Trials == 1 {
			verb = "does"
		}
		say("On %s %s %s not rule out that what keeping saves or costs is luck.", finding.Plural(float64(v.Luck), "path"), finding.Plural(float64(y.sweep.Trials), "trial"), verb)
	}
	for i, r := range v.Reasons {
		if i == 3 {
			say("%d more reasons stand in the JSON.", len(v.Reasons)-i)
			break
		}
		say("Not known on %s: %s.", finding.Plural(float64(r.Paths), "path"), r.Text)
	}
	if v.Beyond > 0 {
		say("%d of %s lie outside of what predictions were held against measurements on (%d to %d ms, %s to %s each way, up to %s lost): nobody knows how far off they are there.",
			v.Beyond, finding.Plural(float64(v.Done), "path"), coveredRTT, coveredRTTs, rateOf(coveredRate), rateOf(coveredRates), finding.Share(coveredLoss))
	}
	if v.Interrupted {
		say("It was interrupted: the first %d of %d paths are there.", v.Done, v.Paths)
	}
	if len(facts) == 0 {
		return lead
	}
	return lead + "\n\n- " + strings.Join(facts, "\n- ")
}

// borders says where keeping begins to make a difference.
func (y *Surveyor) borders(v Survey, share string, say func(string, ...any)) {
	if v.Same == 0 {
		say("There is no path on which it makes no difference (at most %s between the fastest persistent and the fastest non-persistent strategy).", share)
		return
	}
	say("It makes no difference (at most %s between the fastest persistent and the fastest non-persistent strategy) on %d of %d.", share, v.Same, v.Done)
	const most = 4 // lines of equal rate that are told of
	for from := 0; from < len(v.Borders); {
		to := from
		for to < len(v.Borders) && v.Borders[to].Loss == v.Borders[from].Loss {
			to++
		}
		lines := slices.DeleteFunc(slices.Clone(v.Borders[from:to]), func(b Border) bool { return b.Same.IsZero() })
		// Spread over the rates.
		var beyond, never []string
		for i := range min(most, len(lines)) {
			b := lines[i]
			if len(lines) > most {
				b = lines[i*(len(lines)-1)/(most-1)]
			}
			if b.All {
				never = append(never, rateOf(b.Down))
			} else {
				beyond = append(beyond, fmt.Sprintf("beyond %s ms at %s", finding.Setting(b.Same.Or(0)), rateOf(b.Down)))
			}
		}
		var parts []string
		if len(beyond) > 0 {
			parts = append(parts, "it begins to make one "+strings.Join(beyond, ", "))
		}
		if len(never) > 0 {
			parts = append(parts, "it makes none at any of the round-trip times at "+strings.Join(never, ", "))
		}
		if len(parts) > 0 {
			say("%s %s.", lossOf(v.Borders[from].Loss), strings.Join(parts, "; "))
		}
		from = to
	}
}

// almost writes a share in whole per cent; what is not all is not written as 100 %.
func almost(v float64) string {
	if v < 1 && v >= 0.995 {
		return "over 99 %"
	}
	return finding.Share(v)
}

// took writes the time of a strategy in a cell.
func took(c Cell, strategy string) string {
	for _, r := range c.Rows {
		if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
			return finding.Duration(t.Median, t.Doubt().Or(0))
		}
	}
	return "an unknown time"
}

// Where names a path by what it is: "70 ms, 12 Mbit/s, 1 % loss".
func Where(n Network) string {
	s := finding.Setting(n.RTT.Or(0)) + " ms, " + rateOf(n.Down.Or(0))
	if n.Name != "" {
		s = n.Name
	}
	if loss := n.Loss.Or(0); loss > 0 {
		s += ", " + finding.Setting(100*loss) + " % loss"
	}
	return s
}

func lossOf(loss float64) string {
	if loss == 0 {
		return "Without loss"
	}
	return "At " + finding.Setting(100*loss) + " % loss"
}

func rateOf(kbps float64) string {
	return linger.Rate(math.Round(kbps * float64(linger.Kbps))).String()
}
