package document

import (
	"errors"
	"io"

	"linger"
	"linger/compare/crowdsweep"
	"linger/compare/sweep"
	"linger/report/crowdmap"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/sweepmap"
	"linger/report/text"
)

// A Sweep is a document that is made while its cells come: lines of CSV and JSON go to files at
// once, and what is drawn keeps no more than it draws. Add takes the cells in the grid's order; End
// ends the files; then Write has the rest written.
type Sweep struct {
	// Survey is what all cells come to, once the sweep has ended.
	Survey sweep.Survey

	about       sweep.Sweep
	grid        linger.Grid
	workload    linger.Workload
	strategies  []linger.Strategy
	surveyor    *sweep.Surveyor
	drawn, page *sweepmap.Map
	streams     []stream
	options     html.Options
}

// A Stream is a file that a result is written to as it comes.
type Stream interface {
	io.Writer
	// End puts the file where it belongs, or takes it away where there was an error, which it
	// returns as of this file.
	End(error) error
	// Ended reports whether the file has been ended.
	Ended() bool
}

type stream struct {
	Stream
	add   func(sweep.Cell) error
	close func(sweep.Survey) error
}

// NewSweep begins a document of a workload and strategies on a grid of networks. o says what pages
// have besides; what predictions leave out is added.
func NewSweep(about sweep.Sweep, w linger.Workload, strategies []linger.Strategy, g linger.Grid, o html.Options) *Sweep {
	o.Limits = Limits()
	return &Sweep{
		about: about, workload: w, strategies: strategies, grid: g, options: o, surveyor: sweep.NewSurveyor(about, g.Paths()),
		drawn: sweepmap.New(about, false), page: sweepmap.New(about, true),
	}
}

// Stream has cells written to a file of an ending.
func (s *Sweep) Stream(ending string, to Stream) error {
	if ending == ".csv" {
		lines := formats.NewSweepCSV(to)
		s.streams = append(s.streams, stream{to, lines.Add, func(sweep.Survey) error { return lines.Close() }})
		return nil
	}
	document, err := formats.NewSweepJSON(to, s.about, s.options.Version, s.options.Limits)
	if err != nil {
		return to.End(err)
	}
	s.streams = append(s.streams, stream{to, document.Add, document.Close})
	return nil
}

// Add takes what came of one network, by its index in the grid.
func (s *Sweep) Add(i int, seen [][]sweep.Outcome) error {
	cell := sweep.CellOf(s.grid.Path(i), s.strategies, seen)
	s.surveyor.Add(cell)
	s.drawn.Add(i, cell)
	s.page.Add(i, cell)
	for _, to := range s.streams {
		if err := to.add(cell); err != nil {
			return to.End(err)
		}
	}
	return nil
}

// End makes the survey, and ends the files that have not failed.
func (s *Sweep) End() error {
	s.Survey = s.surveyor.Survey()
	var errs []error
	for _, to := range s.streams {
		if !to.Ended() {
			errs = append(errs, to.End(to.close(s.Survey)))
		}
	}
	return errors.Join(errs...)
}

// Write writes the sweep as a page, or as text.
func (s *Sweep) Write(w io.Writer, ending string, o text.Options) error {
	if ending == ".html" {
		return html.Sweep(w, s.page, s.Survey, s.workload, s.strategies, s.grid, s.options)
	}
	o.Command, o.Limits = s.options.Command, s.options.Limits
	return text.Sweep(w, s.drawn, s.Survey, o)
}

// CrowdMap writes what was predicted of the first crowds of a plan in the format of an ending.
func CrowdMap(w io.Writer, p crowdsweep.Plan, cells []crowdsweep.Cell, ending string, o text.Options, page html.Options) error {
	m := crowdmap.New(p, cells)
	page.Limits, o.Limits, o.Command = Limits(), Limits(), page.Command
	switch ending {
	case ".html":
		return html.CrowdMap(w, m, page)
	case ".csv":
		return formats.CrowdMapCSV(w, m)
	case ".json":
		return formats.CrowdMapJSON(w, m, page.Version, page.Limits)
	}
	return text.CrowdMap(w, m, o)
}
