package rig

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"linger"
	"linger/fault"
	"linger/trace"
)

// Shortfall is the error of an experiment that was run to its end and has trials that did
// not deliver the whole workload. It says how many of which
// strategy, and why. Of the strategies by which nothing came from a server of
// the user's own, which may not speak them, nothing is lost.
func Shortfall(x *trace.Experiment, silent *Mute) error {
	var lost []string
	count := func(s linger.Strategy, planned int, what string, failures []string, traces []*trace.Trace) {
		for _, t := range traces {
			if why := Failure(t); why != "" && !t.Interrupted {
				failures = append(slices.Clip(failures), why)
			}
		}
		if n := len(failures); n > 0 {
			lost = append(lost, fmt.Sprintf("%s: %d of %s failed (%s)", s.Name, n, linger.Plural(planned, what), failures[0]))
		}
	}
	for i, s := range x.Strategies {
		if silent.Asked(s) != nil {
			continue
		}
		still := trace.At(x.ZeroRTTFailures, i)
		count(s, x.Trials, "trial", trace.At(x.Failures, i), trace.At(x.Traces, i))
		count(s, len(trace.At(x.ZeroRTT, i))+len(still), "zero-RTT trial", still, trace.At(x.ZeroRTT, i))
	}
	if len(lost) > 0 {
		return fault.Unmet("%s", strings.Join(lost, "; "))
	}
	return nil
}

// Shortfalls is the error of networks on which trials did not deliver the whole workload, or
// nothing came by any strategy.
func Shortfalls(all []Measured, silent *Mute) error {
	var errs []error
	for _, m := range all {
		err := cmp.Or(silent.Verdict(m.Experiment), Shortfall(m.Experiment, silent))
		if err != nil && len(all) > 1 {
			err = fmt.Errorf("%s: %w", m.Experiment.Network.Name, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Failure is why a trial did not deliver everything, empty where it did.
func Failure(t *trace.Trace) string {
	for _, e := range t.Exchanges {
		if e.Failed != "" {
			return e.Failed
		}
	}
	return ""
}

// A Mute knows the strategies by which nothing at all came from a server that is not ours, with
// the reason: it may not speak them, and is not asked by them again.
// Nil knows none.
type Mute struct {
	mu      sync.Mutex
	reasons map[string]string
}

// NewMute returns one that knows none.
func NewMute() *Mute { return &Mute{reasons: map[string]string{}} }

// Asked returns an error that says why a strategy is not tried again; nil is that it is.
func (m *Mute) Asked(s linger.Strategy) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if reason := m.reasons[s.Name]; reason != "" {
		return errors.New("not asked again after: " + reason)
	}
	return nil
}

// hear takes in how a trial ended.
func (m *Mute) hear(s linger.Strategy, t *trace.Trace, err error) {
	if m == nil {
		return
	}
	reason := ""
	switch {
	case err != nil:
		reason = err.Error()
	case t.Interrupted:
	default:
		for _, x := range t.Exchanges {
			if x.Failed == "" {
				return
			}
			reason = cmp.Or(reason, x.Failed)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if reason != "" {
		m.reasons[s.Name] = reason
	}
}

// all reports whether nothing came by any of them.
func (m *Mute) all(strategies []linger.Strategy) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range strategies {
		if m.reasons[s.Name] == "" {
			return false
		}
	}
	return true
}

// Verdict is the error of an experiment in which no strategy got anything.
func (m *Mute) Verdict(x *trace.Experiment) error {
	if !m.all(x.Strategies) {
		return nil
	}
	return fault.Unreachable("nothing came from %s by any strategy; see the reasons above", x.Network.Name)
}
