package trace

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"linger"
)

// A Setup is what all trials of an experiment have in common: what was planned,
// and which engine carried it out.
type Setup struct {
	// Engine and Provenance are those of the traces; empty when there are none.
	Engine     string            `json:"engine,omitempty"`
	Provenance Provenance        `json:"provenance,omitempty"`
	Workload   linger.Workload   `json:"workload,omitzero"`
	Strategies []linger.Strategy `json:"strategies"`
	Network    linger.Network    `json:"network"`
	Seed       uint64            `json:"seed"`
	Trials     int               `json:"trials"` // planned, of each strategy
	// Machine is what the trials were measured on; empty where nothing was measured here,
	// or where it is not known.
	Machine Machine `json:"machine,omitzero"`
}

// A Machine is the computer that carried out an experiment. Each part is empty where it is
// not known.
type Machine struct {
	// System is the operating system with its release, "Linux 6.18.5"; CPU is the
	// processor's name, and Cores how many of its logical processors Go uses.
	System string `json:"system,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores,omitempty"`
}

// An Experiment is a setup with what came of it.
type Experiment struct {
	Setup
	// Traces holds the trials of each strategy that gave a trace, in order of
	// their number, indexed as Strategies; ZeroRTT those with the path's delay taken
	// out. A list that is missing is empty.
	Traces, ZeroRTT [][]*Trace
	// Failures holds the reasons of the trials that gave none, as Traces and ZeroRTT.
	Failures, ZeroRTTFailures [][]string
	// GivenUp is after how long each of Failures was given up, indexed as those; 0, or a
	// list that is missing, is not known.
	GivenUp [][]time.Duration
	// Interrupted says that not every planned trial was run.
	Interrupted bool
}

// At returns the i-th list of Traces, ZeroRTT, Failures or ZeroRTTFailures, which is
// empty where it is missing.
func At[T any](lists [][]T, i int) []T {
	if i >= len(lists) {
		return nil
	}
	return lists[i]
}

// A Source is where an experiment comes from, as its file says.
type Source struct {
	Kind string `json:"kind"`
	// Linger is the version of the program that wrote the file, Command the command
	// line that gives the same again, each empty where it is not known.
	Linger  string `json:"linger,omitempty"`
	Command string `json:"command,omitempty"`
	// Model is what predictions were made with, where there are any, as the program
	// that wrote the file has it.
	Model json.RawMessage `json:"model,omitempty"`
}

// WriteExperiment writes the experiment as a trace file, from which ReadExperiment
// reads the same again.
func WriteExperiment(w io.Writer, x Experiment, from Source) error {
	out, err := NewWriter(w, Header{Source: from, Setup: x.Setup})
	if err != nil {
		return err
	}
	for i := range x.Strategies {
		for _, lists := range []struct {
			baseline bool
			traces   [][]*Trace
			failures [][]string
		}{{false, x.Traces, x.Failures}, {true, x.ZeroRTT, x.ZeroRTTFailures}} {
			for _, t := range At(lists.traces, i) {
				if err := out.Write(Entry{Strategy: i, ZeroRTT: lists.baseline, Trace: t}); err != nil {
					return err
				}
			}
			for k, reason := range At(lists.failures, i) {
				if reason == "" {
					reason = "no reason given"
				}
				e := Entry{Strategy: i, ZeroRTT: lists.baseline, Failure: reason}
				if after := At(x.GivenUp, i); !lists.baseline && k < len(after) {
					e.GivenUp = linger.Micros(after[k])
				}
				if err := out.Write(e); err != nil {
					return err
				}
			}
		}
	}
	return out.Close(x.Interrupted)
}

// ReadExperiment reads a trace file of trials whole.
func ReadExperiment(r io.Reader) (Experiment, Source, error) {
	f, err := Open(r)
	if err != nil {
		return Experiment{}, Source{}, err
	}
	x, source, _, err := f.experiment(0)
	return x, source, err
}

// ReadExperiments reads a trace file of trials whole in which several experiments may stand one
// behind the other, as those of several networks do. A reader of one refuses it.
func ReadExperiments(r io.Reader) (all []Experiment, sources []Source, err error) {
	f, err := Open(r)
	if err != nil {
		return nil, nil, err
	}
	held := int64(0)
	for {
		x, source, n, err := f.experiment(held)
		if held = n + int64(len(f.first)); held > maxHeld {
			return nil, nil, errLarge
		}
		if err != nil && !errors.Is(err, errBehind) {
			return nil, nil, err
		}
		all, sources = append(all, x), append(sources, source)
		if err == nil {
			return all, sources, nil
		}
		if err := f.begin(); err != nil {
			return nil, nil, err
		}
	}
}

// experiment reads one experiment of a file whose first line has been read, where traces that
// take so many bytes are held already. What stands behind it is errBehind, and can be read next.
func (f *File) experiment(held int64) (Experiment, Source, int64, error) {
	file, err := f.Trials()
	if err != nil {
		return Experiment{}, Source{}, 0, err
	}
	file.held = held
	h := file.Header
	n := len(h.Strategies)
	x := Experiment{
		Setup:  h.Setup,
		Traces: make([][]*Trace, n), ZeroRTT: make([][]*Trace, n),
		Failures: make([][]string, n), ZeroRTTFailures: make([][]string, n), GivenUp: make([][]time.Duration, n),
	}
	for {
		e, err := file.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, errBehind) {
			x.Interrupted = file.End.Interrupted
			if err == io.EOF {
				err = nil
			}
			return x, h.Source, file.held, err
		}
		if err != nil {
			return Experiment{}, h.Source, 0, err
		}
		traces, failures := x.Traces, x.Failures
		if e.ZeroRTT {
			traces, failures = x.ZeroRTT, x.ZeroRTTFailures
		}
		if e.Trace != nil {
			traces[e.Strategy] = append(traces[e.Strategy], e.Trace)
		} else {
			failures[e.Strategy] = append(failures[e.Strategy], e.Failure)
			if !e.ZeroRTT {
				x.GivenUp[e.Strategy] = append(x.GivenUp[e.Strategy], time.Duration(e.GivenUp))
			}
		}
	}
}
