package testall

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// An Attempt keeps what is wrong of it, rather than failing the test.
type Attempt struct {
	testing.TB
	wrong []string
	late  time.Duration
}

// Errorf notes what is wrong.
func (a *Attempt) Errorf(format string, args ...any) {
	a.wrong = append(a.wrong, fmt.Sprintf(format, args...))
}

// Error notes what is wrong.
func (a *Attempt) Error(args ...any) { a.wrong = append(a.wrong, fmt.Sprint(args...)) }

// WasLate notes by how much something else was late that the attempt depends on.
func (a *Attempt) WasLate(by time.Duration) { a.late = max(a.late, by) }

// InTime has something that is timed be as it should, within some attempts. What else the
// machine does spoils it, and is known to by how late it wakes whoever sleeps: later than
// limit, an attempt proves nothing. Three that were in time, and wrong, do.
func InTime(t *testing.T, limit time.Duration, attempt func(*Attempt)) {
	t.Helper()
	const most, enough, within = 8, 3, time.Minute // however long it takes, three
	punctual, tried := 0, 0
	for began := time.Now(); tried < most && (tried < enough || time.Since(began) < within); {
		a := &Attempt{TB: t}
		machine := Watch()
		attempt(a)
		a.WasLate(machine())
		if len(a.wrong) == 0 || t.Failed() {
			return
		}
		tried++
		wrong := strings.Join(a.wrong, "; ")
		t.Logf("attempt %d, %v late: %s", tried, a.late, wrong)
		if a.late > limit {
			continue
		}
		if punctual++; punctual == enough {
			t.Error(wrong)
			return
		}
	}
	Lacks(t, "this machine is too busy to say: it was more than %v late in %d attempts of %d", limit, tried-punctual, tried)
}
