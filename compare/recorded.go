package compare

import (
	"errors"
	"io"

	"linger/trace"
)

// Record writes the experiment as a trace file, from which Recorded reads the same
// again. Of the header only what the experiment does not know is taken: Kind,
// Linger and Command.
func Record(w io.Writer, in Input, h trace.Header) error {
	h.Engine, h.Provenance, h.Workload, h.Strategies = in.Engine, in.Provenance, in.Workload, in.Strategies
	h.Network, h.Seed, h.Trials = in.Network, in.Seed, in.Trials
	out, err := trace.NewWriter(w, h)
	if err != nil {
		return err
	}
	for i := range in.Strategies {
		for _, lists := range []struct {
			still    bool
			traces   [][]*trace.Trace
			failures [][]string
		}{{false, in.Traces, in.Failures}, {true, in.Still, in.StillFailures}} {
			for _, t := range nth(lists.traces, i) {
				if err := out.Write(trace.Entry{Strategy: i, Still: lists.still, Trace: t}); err != nil {
					return err
				}
			}
			for _, reason := range nth(lists.failures, i) {
				if reason == "" {
					reason = "no reason given"
				}
				if err := out.Write(trace.Entry{Strategy: i, Still: lists.still, Failure: reason}); err != nil {
					return err
				}
			}
		}
	}
	return out.Close(in.Interrupted)
}

// Recorded reads a trace file. Compare finds in it what it found when it was written.
func Recorded(r io.Reader) (Input, trace.Header, error) {
	file, err := trace.NewReader(r)
	if err != nil {
		return Input{}, trace.Header{}, err
	}
	h := file.Header
	n := len(h.Strategies)
	in := Input{
		Workload: h.Workload, Strategies: h.Strategies, Network: h.Network, Seed: h.Seed, Trials: h.Trials,
		Engine: h.Engine, Provenance: h.Provenance,
		Traces: make([][]*trace.Trace, n), Still: make([][]*trace.Trace, n),
		Failures: make([][]string, n), StillFailures: make([][]string, n),
	}
	for {
		e, err := file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Input{}, h, err
		}
		traces, failures := in.Traces, in.Failures
		if e.Still {
			traces, failures = in.Still, in.StillFailures
		}
		if e.Trace != nil {
			traces[e.Strategy] = append(traces[e.Strategy], e.Trace)
		} else {
			failures[e.Strategy] = append(failures[e.Strategy], e.Failure)
		}
	}
	in.Interrupted = file.End.Interrupted
	return in, h, nil
}
