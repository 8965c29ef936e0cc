package html

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/compare/times"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/trace"
)

// A frame is what is around the content of every page.
type frame struct {
	Style  template.CSS
	Script template.JS
	Policy string
	// Title and Description name the content, for tabs, bookmarks and searches.
	Title, Description string
	Nav                []place
	// Command gives the same again; empty is not known.
	Command string
}

// A place is a part of the page that its navigation leads to.
type place struct{ ID, Name string }

// to adds a part to the navigation, if it is there.
func (f *frame) to(there bool, id, name string) {
	if there {
		f.Nav = append(f.Nav, place{id, name})
	}
}

// newFrame is the frame of a page about something.
func newFrame(title, about, command string) frame {
	return frame{Style: template.CSS(pageStyle), Script: template.JS(pageScript), Title: table.Clean(title), Description: table.Clean(about), Command: table.Clean(command)}
}

// A first is what the reader sees first: the answer, and what could change it.
type first struct {
	// Lead is the headline, Sub what was done to find out. Sentences are those of the headline,
	// each of which begins a line where it does not fit behind the one before.
	Lead, Sub string
	Sentences []string
	// Also is what else there is to say at once; empty is nothing.
	Also string
	// Broken are the assertions that do not hold or are not known, as a person would say it.
	Broken []string
	Tiles  []tile
	// Caveat is the one that matters most, of all that stand in Caveats.
	Caveat  string
	Caveats []string
}

// A tile is a figure that the reader takes along, and what it is.
type tile struct{ Figure, Text string }

// Long says that the headline needs smaller letters.
func (f first) Long() bool { return utf8.RuneCountInString(f.Lead) > 100 }

// More is how many caveats stand further down.
func (f first) More() int { return max(0, len(f.Caveats)-1) }

// unmet are the assertions that do not hold.
func unmet(results []assert.Result, hide func(string) string) (out []string) {
	for _, r := range results {
		if why := report.BrokenBy(r); why != "" {
			out = append(out, r.Text+" "+hide(why))
		}
	}
	return out
}

// about says what was fetched over what, how it was found out and when.
func about(f compare.Findings) string {
	parts := []string{report.Title(f)}
	if how := string(f.Provenance); how != "" {
		parts = append(parts, how+", "+tried(f))
	}
	if !f.Began.IsZero() {
		parts = append(parts, f.Began.UTC().Format("2 Jan 2006"))
	}
	return table.Clean(strings.Join(parts, " · "))
}

// tried is how often each strategy ran: "5 trials each", "3 to 5 trials each".
func tried(f compare.Findings) string {
	if len(f.Rows) == 0 {
		return "no trial"
	}
	fewest := slices.MinFunc(f.Rows, func(a, b compare.Row) int { return cmp.Compare(a.Trials, b.Trials) }).Trials
	most := slices.MaxFunc(f.Rows, func(a, b compare.Row) int { return cmp.Compare(a.Trials, b.Trials) }).Trials
	text := linger.Plural(most, "trial")
	if fewest < most {
		text = fmt.Sprintf("%d to %s", fewest, text)
	}
	if len(f.Rows) > 1 {
		text += " each"
	}
	return text
}

// rowOf is the row of a strategy, false where it has none.
func rowOf(f compare.Findings, name string) (compare.Row, bool) {
	i := slices.IndexFunc(f.Rows, func(r compare.Row) bool { return r.Strategy == name })
	if name == "" || i < 0 {
		return compare.Row{}, false
	}
	return f.Rows[i], true
}

// mostTiles is how many figures stand below the headline.
const mostTiles = 4

// tilesOf are the figures of a comparison: how the fastest strategies with and without
// keep-alive stand to each other, and where the slowest has its time. Of a single strategy they
// are its own.
func tilesOf(f compare.Findings) (out []tile) {
	add := func(figure, text string) {
		if len(out) < mostTiles {
			out = append(out, tile{figure, text})
		}
	}
	with, ok := rowOf(f, f.Verdict.With)
	without, ok2 := rowOf(f, f.Verdict.Without)
	if !ok || !ok2 {
		if len(f.Rows) == 1 {
			ownTiles(f.Rows[0], add)
		}
		return out
	}
	apart, _ := f.Verdict.Apart.Get()
	a, b := without.Time.Or(times.Time{}).Median, with.Time.Or(times.Time{}).Median
	sure := ""
	switch {
	case apart.Untested:
		sure = "; too few trials to be sure"
	case !apart.Significant:
		sure = "; not statistically significant"
	}
	if a > 0 && b > 0 {
		pair := fmt.Sprintf("%s, the fastest with keep-alive, than %s, the fastest without", with.Strategy, without.Strategy)
		if b <= a {
			add(finding.Times(a/b)+"×", "faster: "+pair+sure)
		} else {
			add(finding.Times(b/a)+"×", "slower: "+pair+sure)
		}
	}
	versus := fmt.Sprintf("%s → %s", without.Strategy, with.Strategy)
	if x, ok := without.Connections.Get(); ok && !with.Connections.IsZero() {
		add(finding.Count(x)+" → "+finding.Count(with.Connections.Or(0)), "connections opened, "+versus)
	}
	if s, ok := handshakeStep(f); ok {
		if slowest, ok := rowOf(f, s.From); ok {
			if t := slowest.Time.Or(times.Time{}).Median; t > 0 {
				add(finding.Share(-s.Change/t), fmt.Sprintf("of %s is handshakes that keep-alive saves: %s of %s", s.From, strings.TrimPrefix(s.Shown, "−"), clockOf(f, slowest)))
			}
		}
	}
	if x, ok := without.Packets.Get(); ok {
		if y, ok := with.Packets.Get(); ok && x.Sum() > 0 {
			add(signedShare(y.Sum()/x.Sum()-1), "packets, "+versus)
		}
	}
	if x, ok := without.WireBytes.Get(); ok {
		if y, ok := with.WireBytes.Get(); ok && x.Sum() > 0 {
			add(signedShare(y.Sum()/x.Sum()-1), "bytes on the wire, "+versus)
		}
	}
	return out
}

// ownTiles are the figures of a strategy that nothing is compared with.
func ownTiles(r compare.Row, add func(figure, text string)) {
	if v, ok := r.Connections.Get(); ok {
		add(finding.Count(v), "connections opened")
	}
	if v, ok := r.RequestsPerConnection.Get(); ok {
		add(finding.Count(v), "requests per connection")
	}
	if v, ok := r.Handshakes.Get(); ok {
		add(finding.Count(v), "handshakes")
	}
	if v, ok := r.Packets.Get(); ok {
		add(finding.Count(v.Sum()), "packets")
	}
	if v, ok := r.WireBytes.Get(); ok {
		add(finding.Bytes(v.Sum()), "on the wire")
	}
}

// handshakeStep is the step of the way from the slowest strategy to the fastest that is about
// handshakes.
func handshakeStep(f compare.Findings) (report.Step, bool) {
	steps := report.Steps(f)
	i := slices.IndexFunc(steps, func(s report.Step) bool { return s.Cause == compare.StepHandshakes && s.Change < 0 })
	return nth(steps, i), i >= 0
}

// clockOf is the time of a row as the tables have it.
func clockOf(f compare.Findings, r compare.Row) string {
	of, unit := report.Times(f)
	return of(r).Text + " " + unit
}

// signedShare is a change: "−43 %", "+2 %".
func signedShare(v float64) string {
	switch {
	case math.Abs(v) < 0.005:
		return "±0 %"
	case v < 0:
		return "−" + finding.Share(-v)
	}
	return "+" + finding.Share(v)
}

// machineOf are the facets that say what measured: system, processor, version.
func machineOf(m trace.Machine, version string) (out [][2]string) {
	if m.System != "" {
		out = append(out, [2]string{"System", table.Clean(m.System)})
	}
	if m.CPU != "" {
		cpu := table.Clean(m.CPU)
		if m.Cores > 0 {
			cpu += ", " + linger.Plural(m.Cores, "core")
		}
		out = append(out, [2]string{"CPU", cpu})
	}
	if version != "" {
		out = append(out, [2]string{"linger", table.Clean(version)})
	}
	return out
}
