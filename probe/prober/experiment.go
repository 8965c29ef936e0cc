package prober

import (
	"context"
	"slices"
)

// An Experiment is one question to the server.
type Experiment struct {
	Name  string
	Cases []string // that it decides
	// Figures of assertions that it takes part in measuring; those of HTTP/2 and HTTP/3
	// alone end in _h2 and _h3.
	Figures []string
	// Connections are how many it has open at once, Requests how many it sends, both
	// at most.
	Connections, Requests int
	Waits                 bool // for up to MaxWait
	// Leads says that what it finds tells others how long they have to wait.
	Leads bool
	// OverUDP says that its connections are none of TCP, for which a server may have a
	// worker each.
	OverUDP bool
	// Run asks, and writes what it found with Record and Judge.
	Run func(ctx context.Context)
}

// OnTCP is how many of n connections of an experiment the server may have a worker for.
func (e Experiment) OnTCP(n int) int {
	if e.OverUDP {
		return 0
	}
	return n
}

// InTurn are the experiments in the order for a server that serves few at once. Where
// that leaves one connection to the probe, those that wait come last.
func (p *Prober) InTurn(chosen []Experiment) []Experiment {
	if !p.Sparing() {
		return chosen
	}
	rank := func(e Experiment) int {
		switch {
		case e.Leads && p.Most > 1:
			return 0
		case !e.Waits:
			return 1
		case e.Leads:
			return 2
		}
		return 3
	}
	out := slices.Clone(chosen)
	slices.SortStableFunc(out, func(a, b Experiment) int { return rank(a) - rank(b) })
	return out
}

// A Share is what the server leaves to the probe of the connections of TCP that it serves
// at once.
type Share struct {
	// Most is how many may be open at once for the sake of others, and enough how many
	// it would be otherwise.
	Most, Enough int
}

// ShareOf is how many connections an experiment gets.
func (p *Prober) ShareOf(e Experiment) int {
	switch {
	case !p.Sparing() || e.OverUDP:
		return min(e.Connections, p.Connections)
	case e.Waits:
		return p.Few(e.Connections)
	}
	return 1
}

// Few is how many of n connections an experiment may have that waits: a third of what
// the server leaves to the probe, where that is little.
func (p *Prober) Few(n int) int {
	if !p.Sparing() {
		return n
	}
	return max(min(n, p.Most/3), 1)
}

// Sparing reports whether the probe has to be content with less than it would have at once.
func (p *Prober) Sparing() bool { return p.Most < p.Enough }
