// Package plan says when requests of a load are to be sent, how many, and for how long connections
// live. It is pure: a plan and its seed come to the same instants each time, whoever reads a clock
// beside it.
package plan

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"linger"
	"linger/policy"
)

// A Plan is when requests are sent, and until when.
type Plan struct {
	// Stages are the rates of an open loop, one after the other: requests are sent at their
	// moments, whatever became of those before. Without any, the loop is closed: each user sends
	// a request when the one before it was answered.
	Stages []Stage
	// Poisson has the gaps of an open loop drawn from an exponential distribution: arrivals of
	// users who know nothing of each other. Otherwise they are even.
	Poisson bool
	Seed    uint64
	// Requests bounds how many are counted, Time for how long; 0 is no bound, and one of the two
	// must be there, unless the stages have an end. WarmUp is not counted, and comes before.
	Requests     int64
	Time, WarmUp time.Duration
}

// A Stage is a rate, in requests a second, that grows evenly from From to To. Time 0 is until the
// end of the plan.
type Stage struct {
	From, To float64
	Time     time.Duration
}

// Open reports whether the loop is open.
func (p Plan) Open() bool { return len(p.Stages) > 0 }

// maxRate bounds rates: instants are in nanoseconds.
const maxRate = 1e9

// Check says what is wrong with the plan, if anything is.
func (p Plan) Check() error {
	switch {
	case p.Requests < 0 || p.Time < 0 || p.WarmUp < 0:
		return errors.New("a bound of a load is not below 0")
	case p.Requests == 0 && p.Time == 0 && p.stagesLast() == 0:
		return errors.New("a load has an end: give a number of requests or a time")
	}
	for i, s := range p.Stages {
		switch {
		case !(s.From >= 0 && s.To >= 0 && s.From <= maxRate && s.To <= maxRate):
			return fmt.Errorf("a rate is 0 to %g requests a second", maxRate)
		case s.Time < 0 || s.Time == 0 && i < len(p.Stages)-1:
			return errors.New("a rate that another one follows says for how long: 100/s:10s")
		case s.Time == 0 && s.From != s.To:
			return errors.New("a rate that grows says for how long: 100..500/s:30s")
		}
	}
	if p.Open() && p.most() == 0 {
		return errors.New("a rate of 0 sends nothing; give one above 0")
	}
	return nil
}

// most is the highest rate.
func (p Plan) most() float64 {
	most := 0.0
	for _, s := range p.Stages {
		most = max(most, s.From, s.To)
	}
	return most
}

// stagesLast is how long the stages last; 0 is without an end.
func (p Plan) stagesLast() time.Duration {
	var all time.Duration
	for _, s := range p.Stages {
		if s.Time == 0 {
			return 0
		}
		all += s.Time
	}
	return all
}

// Ends is the instant at which nothing more is sent, counted from when the warm-up began; Never
// where only a number bounds it.
func (p Plan) Ends() linger.Instant {
	end := linger.Never
	if p.Time > 0 {
		end = linger.Instant(p.WarmUp + p.Time)
	}
	if last := p.stagesLast(); last > 0 {
		end = min(end, linger.Instant(p.WarmUp+last))
	}
	return end
}

// Rate is the mean of an open loop's, in requests a second, over the stages that have an end, or of
// the last; 0 of a closed loop.
func (p Plan) Rate() float64 {
	if !p.Open() {
		return 0
	}
	if p.stagesLast() == 0 {
		return p.Stages[len(p.Stages)-1].To
	}
	n, t := 0.0, 0.0
	for _, s := range p.Stages {
		n += (s.From + s.To) / 2 * s.Time.Seconds()
		t += s.Time.Seconds()
	}
	return n / t
}

// Arrivals returns the moments of an open loop. During the warm-up, the first rate holds.
func (p Plan) Arrivals() *Arrivals {
	a := &Arrivals{poisson: p.Poisson, ends: p.Ends()}
	if p.WarmUp > 0 && p.Open() {
		a.stages = append(a.stages, Stage{p.Stages[0].From, p.Stages[0].From, p.WarmUp})
	}
	a.stages = append(a.stages, p.Stages...)
	if p.Poisson {
		a.rng = rand.New(rand.NewPCG(p.Seed, 0x706c616e))
		a.due = a.rng.ExpFloat64()
	}
	return a
}

// Arrivals are the moments of an open loop, one after the other. The nth of them is where the
// rate, summed up over time, comes to n; with Poisson, where it comes to the sum of n draws of an
// exponential distribution of mean 1.
type Arrivals struct {
	stages  []Stage
	poisson bool
	rng     *rand.Rand
	ends    linger.Instant
	begins  linger.Instant // of the first of stages
	before  float64        // how many came before that
	due     float64        // the sum at which the next one is
}

// Next returns the next moment; false where there is none.
func (a *Arrivals) Next() (linger.Instant, bool) {
	for len(a.stages) > 0 {
		s := a.stages[0]
		into, ok := s.reach(a.due - a.before)
		if ok && (s.Time == 0 || into < s.Time) {
			at := a.begins.Add(into)
			if at >= a.ends {
				return linger.Never, false
			}
			if a.poisson {
				a.due += a.rng.ExpFloat64()
			} else {
				a.due++
			}
			return at, true
		}
		if s.Time == 0 {
			break
		}
		a.before += (s.From + s.To) / 2 * s.Time.Seconds()
		a.begins = a.begins.Add(s.Time)
		a.stages = a.stages[1:]
	}
	return linger.Never, false
}

// reach returns after how long the rate, summed up, comes to n; false where it never does.
func (s Stage) reach(n float64) (time.Duration, bool) {
	switch {
	case s.From == 0 && s.To == 0:
		return 0, false
	case n <= 0:
		return 0, true
	}
	seconds := n / s.From
	if s.From != s.To {
		// From t + (To - From) t² / 2 T = n, in the form that does not cancel.
		slope := (s.To - s.From) / s.Time.Seconds()
		root := s.From*s.From + 2*slope*n
		if root < 0 {
			return 0, false
		}
		seconds = 2 * n / (s.From + math.Sqrt(root))
	}
	if !(seconds < float64(math.MaxInt64)/1e9) {
		return 0, false
	}
	return time.Duration(math.Round(seconds * 1e9)), true
}

// A Life is for how long connections are used, and by whom. The zero Life keeps them as the
// strategy does.
type Life struct {
	// Requests is after how many a connection is given up, drawn for each; the zero Range is what
	// the strategy says.
	Requests Range
	// MaxAge gives a connection up at the first answer after it, Idle when it has not been used
	// for as long; 0 is never.
	MaxAge, Idle time.Duration
	// Reconnect is how many connections are given up in a second, of all, the oldest first.
	Reconnect float64
	// Think is how long a user of a closed loop waits from an answer to the next request; with
	// ThinkRandom it is the mean of an exponential distribution.
	Think       time.Duration
	ThinkRandom bool
	// Reuse is which idle connection of an open loop takes a request.
	Reuse policy.Order
}

// A Range is drawn from, its bounds included.
type Range struct{ Least, Most int }

// Draw draws from the range; 0 is that there is no bound.
func (r Range) Draw(rng *rand.Rand) int {
	if r.Most <= r.Least {
		return r.Least
	}
	return r.Least + rng.IntN(r.Most-r.Least+1)
}

// Check says what is wrong with the life of connections, if anything is.
func (l Life) Check() error {
	switch {
	case l.Requests.Least < 0 || l.Requests.Most < l.Requests.Least || l.Requests.Least == 0 && l.Requests.Most > 0:
		return errors.New("requests per connection are N, or MIN:MAX, from 1 on")
	case l.MaxAge < 0 || l.Idle < 0 || l.Think < 0:
		return errors.New("a time of a connection is not below 0")
	case !(l.Reconnect >= 0 && l.Reconnect <= maxRate):
		return fmt.Errorf("a rate of reconnections is 0 to %g a second", maxRate)
	}
	return nil
}

// Pause draws how long a user thinks.
func (l Life) Pause(rng *rand.Rand) time.Duration {
	if !l.ThinkRandom {
		return l.Think
	}
	return time.Duration(rng.ExpFloat64() * float64(l.Think))
}

// Share returns the part of n that falls to part i of parts: as even as it can be, and all parts
// come to n.
func Share(n int64, i, parts int) int64 {
	share := n / int64(parts)
	if int64(i) < n%int64(parts) {
		share++
	}
	return share
}
