// Package capacity holds loads against each other: what a server does under each strategy, in
// requests a second, latency and processor time, which connections that took, and what it costs to
// keep none. It reads counts ([tally.Run]) and returns codes and figures, no sentences.
//
// Strategies take turns; each turn of each is a Run. Rates and costs have an interval over the
// turns. Latencies and counts are those of all turns of a strategy together.
package capacity

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/tally"
	"linger/trace"
)

// Format names the document, and the version of its form.
const Format = "linger bench 1"

// A Load is what was asked for, and what it came to.
type Load struct {
	Linger string    `json:"linger"`
	URLs   []string  `json:"urls"` // without what may be secret
	Began  time.Time `json:"began"`
	// Machine is what the load came from.
	Machine trace.Machine `json:"machine"`
	// Local says that the server is on the same machine, over loopback.
	Local bool `json:"local"`
	// Server is what of the server's processes was seen; "" is that none was.
	Server   string   `json:"server,omitempty"`
	Settings Settings `json:"settings"`
	// Strategies are compared in their order.
	Strategies []linger.Strategy `json:"strategies"`
	// Turns holds, of each strategy, its runs; all have as many, unless it was interrupted.
	Turns [][]tally.Run `json:"runs"`
}

// Settings are what all turns had in common; what is not set is absent.
type Settings struct {
	Turns  int           `json:"turns"`
	Turn   time.Duration `json:"turn_ns,omitempty"`    // how long each may take
	WarmUp time.Duration `json:"warm_up_ns,omitempty"` // before each, not counted
	Rate   string        `json:"rate,omitempty"`       // as it was written, with its stages
	// Least and Most are after how many requests the client gives a connection up.
	Least     int           `json:"requests_per_connection_least,omitempty"`
	Most      int           `json:"requests_per_connection_most,omitempty"`
	MaxAge    time.Duration `json:"connection_max_age_ns,omitempty"`
	Idle      time.Duration `json:"connection_idle_timeout_ns,omitempty"`
	Reconnect float64       `json:"reconnect_rate,omitempty"`
	Think     time.Duration `json:"think_ns,omitempty"`
}

// keepsAll reports whether nothing but the server ends a connection that is kept.
func (s Settings) keepsAll() bool {
	return s.Most == 0 && s.MaxAge == 0 && s.Idle == 0 && s.Reconnect == 0
}

// A Result is what loads came to.
type Result struct {
	Format string `json:"format"`
	Load
	Rows     []Row             `json:"rows"`
	Ratios   []Ratio           `json:"ratios,omitempty"`
	Findings []finding.Finding `json:"findings"`
	Caveats  []finding.Caveat  `json:"caveats"`
	Asserted []assert.Result   `json:"assertions,omitempty"`
}

// Of finds what a load came to.
func Of(l Load) *Result {
	r := &Result{Format: Format, Load: l}
	for i, s := range l.Strategies {
		r.Rows = append(r.Rows, rowOf(s, l.Settings, l.Turns[i]))
	}
	r.Ratios = r.ratios()
	r.Findings = r.find()
	r.Caveats = r.doubt()
	return r
}

// Stopped reports whether the load was interrupted.
func (r *Result) Stopped() bool {
	for _, runs := range r.Turns {
		if len(runs) < r.Settings.Turns {
			return true
		}
		for _, run := range runs {
			if run.Interrupted {
				return true
			}
		}
	}
	return false
}

// mostRuns bounds what is read of a document.
const mostRuns = 100_000

// Read reads a document that was written by an earlier run, whoever wrote it. Rows and findings are made anew of
// the runs in it.
func Read(b []byte) (*Result, error) {
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, err
	}
	if head.Format != Format {
		return nil, fmt.Errorf("it is of the format %q, not %q", head.Format, Format)
	}
	var l Load
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, err
	}
	n := 0
	for _, runs := range l.Turns {
		n += len(runs)
	}
	switch {
	case len(l.Strategies) == 0 || len(l.Turns) != len(l.Strategies):
		return nil, errors.New("it has no runs of each of its strategies")
	case n > mostRuns:
		return nil, errors.New("it has too many runs")
	}
	for _, runs := range l.Turns {
		for _, run := range runs {
			if run.Ended < run.Began {
				return nil, errors.New("one of its runs ends before it begins")
			}
		}
	}
	return Of(l), nil
}
