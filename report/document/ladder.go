package document

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/fault"
	"linger/report/formats"
	"linger/report/text"
	"linger/report/trial"
	"linger/trace"
)

// Ladders are the strategies of a list that are to be drawn message by message, of those that there
// are, each by its index; all is all of them.
func Ladders(list string, strategies []linger.Strategy) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var all, out []int
	var names []string
	for i, s := range strategies {
		all, names = append(all, i), append(names, s.Name)
	}
	if list == "all" {
		return all, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, fault.Usage("--ladder: %q is not among the strategies; name some of %s, or all", name, strings.Join(names, ","))
		}
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out, nil
}

// Drawable reports what a Mermaid file would be of, where that is not one strategy on one
// network. An empty name is no file.
func Drawable(name string, ladders []int, strategies []linger.Strategy, networks int) error {
	switch {
	case name == "":
		return nil
	case networks > 1:
		return fault.Usage("-o %s: a file of Mermaid is one diagram, and there are %d networks; give --network one", name, networks)
	case len(ladders) == 1 || len(strategies) == 1:
		return nil
	}
	return fault.Usage("-o %s: a file of Mermaid is one diagram; name one strategy by --ladder, as --ladder %s", name, strategies[0].Name)
}

// ladder returns the messages of a strategy, by its index.
func (p Part) ladder(i int, findings compare.Findings) (trial.Ladder, error) {
	name := p.Experiment.Strategies[i].Name
	t := facts.Typical(p.Experiment)[i]
	if t == nil {
		return trial.Ladder{}, fmt.Errorf("no trial of %s has ended; there is nothing to draw", name)
	}
	trials, figure := len(trace.At(p.Experiment.Traces, i)), linger.Opt[float64]{}
	for _, row := range findings.Rows {
		if row.Strategy == name {
			figure = row.RoundTrips
		}
	}
	l, ok := trial.LadderOf(name, t, trials, figure)
	if !ok {
		return l, fmt.Errorf("nothing was sent in the trial of %s; there is nothing to draw", name)
	}
	return l, nil
}

// drawLadders writes the strategies that are to be drawn, one below the other.
func (p Part) drawLadders(w io.Writer, findings compare.Findings, o text.Options) error {
	for _, i := range p.Ladders {
		l, err := p.ladder(i, findings)
		if err == nil {
			if _, err = io.WriteString(w, "\n"); err == nil {
				err = text.Ladder(w, l, o)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mermaid writes one strategy as a sequence diagram.
func (p Part) mermaid(w io.Writer, findings compare.Findings) error {
	i := 0
	if len(p.Ladders) == 1 {
		i = p.Ladders[0]
	}
	l, err := p.ladder(i, findings)
	if err != nil {
		return err
	}
	return formats.Mermaid(w, l)
}
