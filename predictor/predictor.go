// Command predictor is the simulator as a page has it: built for WebAssembly by go
// generate ./predictor, it stands in HTML reports of predictions. A page asks it by
// the functions of export.go; predictor_test.go tells whether what is committed was
// built from these sources.
package main

//go:generate go test -count=1 -run TestCommittedIsCurrent -update .

import (
	"context"
	"encoding/json"

	"linger"
	"linger/compare/sweep"
	"linger/report/words"
	"linger/sim"
	"linger/trace"
)

func main() {}

// A request is what a page wants predicted: strategies on one path.
type request struct {
	Config sim.Config `json:"config"`
	// Workload is the report's; where Named is given, it is ParseWorkload's of that name.
	Workload   linger.Workload `json:"workload"`
	Named      string          `json:"named"`
	Strategies []string        `json:"strategies"`
	Network    linger.Network  `json:"network"`
	Seed       uint64          `json:"seed"`
	Trials     int             `json:"trials"` // where packets are lost; one elsewhere
}

// A session is a request on its way to being answered, trial by trial, so that the page
// can do something else in between.
type session struct {
	request
	strategies []linger.Strategy
	outcomes   [][]sweep.Outcome
	next       int // strategy
}

// budget bounds the events of a run: a page must not stand still for more than about a
// second.
const budget = 1_000_000

// begin reads a request.
func begin(text []byte) (*session, error) {
	var s session
	if err := json.Unmarshal(text, &s.request); err != nil {
		return nil, err
	}
	if s.Config.Events <= 0 || s.Config.Events > budget {
		s.Config.Events = budget
	}
	if s.Named != "" {
		w, err := linger.ParseWorkload(s.Named, s.Seed)
		if err != nil {
			return nil, err
		}
		if s.Workload, err = w.WithScheme(s.Workload.Scheme); err != nil {
			return nil, err
		}
	}
	if s.Network.Loss == 0 {
		s.Trials = 1
	}
	for _, name := range s.Strategies {
		strategy, err := linger.ParseStrategy(name)
		if err != nil {
			return nil, err
		}
		s.strategies = append(s.strategies, strategy)
	}
	s.outcomes = make([][]sweep.Outcome, len(s.strategies))
	return &s, s.Network.Validate()
}

// step predicts one trial of one strategy, and reports whether there is more to do.
func (s *session) step() bool {
	if s.next == len(s.strategies) {
		return false
	}
	c := s.Config
	c.Trial = len(s.outcomes[s.next])
	var t *trace.Trace
	t, err := sim.Run(context.Background(), linger.Scenario{Workload: s.Workload, Strategy: s.strategies[s.next], Network: s.Network, Seed: s.Seed}, c)
	s.outcomes[s.next] = append(s.outcomes[s.next], sweep.OutcomeOf(t, s.Workload, err))
	if len(s.outcomes[s.next]) == max(1, s.Trials) {
		s.next++
	}
	return s.next < len(s.strategies)
}

// result is what was predicted: a cell of linger sweep, in JSON.
func (s *session) result() ([]byte, error) {
	return json.Marshal(words.OfCell(sweep.CellOf(s.Network, s.strategies, s.outcomes)))
}
