package conformance

import (
	"fmt"
	"time"

	"linger"
	"linger/finding"
	"linger/profile"
)

// Facts are what was seen of a server by the exchanges that decide some cases.
type Facts interface {
	// Judge decides the cases. A case of which the facts say nothing is not among the
	// results.
	Judge() []profile.Result
}

// A ruling gathers what facts say. Of each case the first word stands.
type ruling struct{ results []profile.Result }

func (r *ruling) say(id string, o profile.Outcome, format string, args ...any) word {
	for i := range r.results {
		if r.results[i].ID == id {
			return word{new(profile.Result)}
		}
	}
	r.results = append(r.results, profile.Result{Case: CaseByID(id), Outcome: o, Text: fmt.Sprintf(format, args...)})
	return word{&r.results[len(r.results)-1]}
}

// A word is what was said of a case.
type word struct{ result *profile.Result }

// by adds the figures that decided it.
func (w word) by(figures ...finding.Figure) { w.result.Figures = figures }

func (r *ruling) pass(id, format string, args ...any) word {
	return r.say(id, profile.Pass, format, args...)
}

// broken says that the server breaks a case, as grave as its level.
func (r *ruling) broken(id, format string, args ...any) word {
	return r.say(id, CaseByID(id).Level.Broken(), format, args...)
}

func (r *ruling) unmeasured(id, format string, args ...any) {
	r.say(id, profile.NotMeasured, format, args...)
}

// one is the ruling of facts that decide one case.
func one(decide func(*ruling)) []profile.Result {
	var r ruling
	decide(&r)
	return r.results
}

// NotMeasured says of cases that nothing is known of them, and why.
func NotMeasured(why string, ids ...string) []profile.Result {
	return one(func(r *ruling) {
		for _, id := range ids {
			r.unmeasured(id, "%s", why)
		}
	})
}

// NotOffered says so of all cases of a protocol, for a reason.
func NotOffered(protocol linger.Protocol, why string) []profile.Result {
	return one(func(r *ruling) {
		for _, c := range Cases() {
			if c.Protocol == protocol {
				r.unmeasured(c.ID, "%s", why)
			}
		}
	})
}

// Undecidable are the results of exchanges that something else may have disturbed, as a
// limit of rates or another defect: whatever they were, they decide nothing.
func Undecidable(results []profile.Result, why string) []profile.Result {
	out := make([]profile.Result, len(results))
	for i, r := range results {
		out[i] = profile.Result{Case: r.Case, Outcome: profile.NotMeasured, Text: why}
	}
	return out
}

// A Closing is what became of a connection whose last response had come.
type Closing struct {
	How   profile.Ending // "" where it was not seen to end
	After time.Duration  // behind the response, where it ended
	// Answered says that another request was answered on it.
	Answered bool
	// Lost says that it could not be seen what became of it.
	Lost bool
}

// Open reports whether the connection was seen to stay open.
func (c Closing) Open() bool { return c.How == "" && !c.Lost }

// more says what a connection does that should have ended.
func more(answered bool) string {
	if answered {
		return "answers another request"
	}
	return "does not answer another request"
}

// A Next is what became of what was sent next; "" is that nothing was.
type Next string

const (
	Answered Next = "answered"
	Ended    Next = "ended"   // the connection ended without a response
	Silent   Next = "silent"  // nothing came in time
	Garbled  Next = "garbled" // what came is no response, or no whole one
)

// milliseconds is a figure of a length of time.
func milliseconds(name string, d time.Duration) finding.Figure {
	return finding.Number(name, float64(d)/1e6, "ms")
}

func counted(name string, n int) finding.Figure { return finding.Number(name, float64(n), "") }

// round shortens a wait for a sentence.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}
