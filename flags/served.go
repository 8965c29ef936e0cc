package flags

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"linger"
	"linger/fault"
)

// Served says what a server serves, and how it answers; empty is the usual.
type Served struct {
	Workload, Names string
	ByName          bool // it is asked for by what only names are served on
	AnswerSize      int
	Delay           string
	Seed            uint64
}

// Load returns what is served, and what there is to say of it, a sentence each.
func (s Served) Load(ctx context.Context) (w linger.Workload, notes []string, err error) {
	if s.Names != "" && s.Workload != "" && s.Workload != linger.Names().Name {
		return w, nil, fault.Usage("--names serves a list, and %s is another workload; give one of them", s.Workload)
	}
	if s.Names != "" {
		w, err = ReadNames(ctx, s.Names)
	} else {
		usual := linger.DefaultWorkload
		if s.ByName {
			usual = linger.SchemeDNS
		}
		w, notes, err = Load(ctx, cmp.Or(s.Workload, usual), s.Seed)
	}
	if err != nil {
		return w, nil, err
	}
	if n := len(w.Origins); n > 1 {
		notes = append(notes, fmt.Sprintf("served as one origin, what belongs to one of the %d under its name: /NAME/path", n))
		w = w.Merged()
	}
	switch {
	case w.Scheme == linger.SchemeDNS:
		w.Exchanges, err = s.answers(w.Exchanges)
	case s.ByName:
		err = fault.Usage("%s has no names to look up; leave --dns, --dot and --doq out, or serve dns", w.Name)
	case s.AnswerSize != 0 || s.Delay != "":
		err = fault.Usage("--answer-size and --delay are for answers of DNS; serve dns, or write a list (docs/workloads.md)")
	}
	return w, notes, err
}

// answers returns the exchanges with the size and the delay that are asked for.
func (s Served) answers(exchanges []linger.Exchange) ([]linger.Exchange, error) {
	var delay time.Duration
	if s.Delay != "" {
		var err error
		if delay, err = Duration(s.Delay); err != nil || delay < 0 || delay > linger.MaxThink {
			return nil, fault.Usage("--delay: %q is not a time to wait; write 20ms, at most %v", s.Delay, time.Duration(linger.MaxThink))
		}
	}
	out := slices.Clone(exchanges)
	for i := range out {
		if s.Delay != "" {
			out[i].Delay = delay
		}
		if s.AnswerSize != 0 {
			out[i].ResponseBody = int64(s.AnswerSize)
		}
	}
	return out, nil
}
