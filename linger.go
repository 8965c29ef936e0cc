// Package linger holds the nouns, which every other room imports:
//
//	Workload  what is fetched, or which names are looked up: exchanges, each known once
//	          the response to its parent has come
//	Strategy  how a client uses connections: values for one machine, no code
//	Protocol  what is spoken on a connection, and what is known of it
//	Network   the path: round-trip time, rates, loss, queue
//	Scenario  the first, second and fourth with a seed
//
// ParseWorkload, ParseStrategy and ParseNetwork read the spellings of the command line, and
// their errors name the nearest known one. Validate says what no engine could run. Nothing
// happens here: no file is read and no clock. Units are Instant, Rate and Micros; a figure
// that a source may be unable to know is an Opt, since unknown is not zero.
package linger

import (
	"encoding/json"
	"math"
	"time"
)

// A Scenario is everything that an engine needs in order to produce a trace.
// Two runs of the same scenario differ only by what the engine cannot hold
// still: the kernel's scheduler when it measures, nothing when it predicts.
type Scenario struct {
	Workload Workload `json:"workload"`
	Strategy Strategy `json:"strategy"`
	Network  Network  `json:"network"`
	Seed     uint64   `json:"seed"`
}

// Validate reports the first part that no engine can run, or that does not go
// with another.
func (s Scenario) Validate() error {
	if err := s.Workload.Validate(); err != nil {
		return err
	}
	if err := s.Network.Validate(); err != nil {
		return err
	}
	return s.Strategy.Fits(s.Workload.Scheme)
}

// An Instant is a point in time as nanoseconds since the run began. Engines read
// the clock; everything else is handed an Instant.
type Instant int64

// Never is the Instant after every other: "wake me only on input".
const Never Instant = math.MaxInt64

// Add returns the instant d after t; what is added to Never stays Never.
func (t Instant) Add(d time.Duration) Instant {
	if t == Never {
		return Never
	}
	return t + Instant(d)
}

// Sub returns the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// Milliseconds returns t in milliseconds since the run began.
func (t Instant) Milliseconds() float64 { return float64(t) / 1e6 }

// Opt is a figure that a source may be unable to know. The zero value is
// unknown, which is not zero; with `json:",omitzero"` it is left out. In JSON a
// time.Duration is a number of microseconds, as Micros.
type Opt[T any] struct {
	value T
	known bool
}

// Known returns the Opt that holds v.
func Known[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Get returns the value and whether it is known.
func (o Opt[T]) Get() (T, bool) { return o.value, o.known }

// Or returns the value, or other where it is unknown.
func (o Opt[T]) Or(other T) T {
	if o.known {
		return o.value
	}
	return other
}

// Reflect returns a pointer to the value, and whether it is known, for who goes through the fields
// of records whatever they are; set makes it known.
func (o *Opt[T]) Reflect(set bool) (pointer any, known bool) {
	o.known = o.known || set
	return &o.value, o.known
}

// IsZero reports whether the value is unknown, for `json:",omitzero"`.
func (o Opt[T]) IsZero() bool { return !o.known }

// MarshalJSON writes the value, or null where it is unknown.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.known {
		return []byte("null"), nil
	}
	switch v := any(o.value).(type) {
	case Instant:
		return v.MarshalJSON()
	case time.Duration:
		return Micros(v).MarshalJSON()
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON reads a value; null is unknown.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Opt[T]{}
		return nil
	}
	o.known = true
	switch v := any(&o.value).(type) {
	case *Instant:
		return v.UnmarshalJSON(b)
	case *time.Duration:
		return (*Micros)(v).UnmarshalJSON(b)
	}
	return json.Unmarshal(b, &o.value)
}
