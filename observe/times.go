package observe

import (
	"fmt"
	"linger"
	"time"
)

// A Moment is a time of the wall clock, a time of the day, or so long after the beginning. The
// zero Moment is none.
type Moment struct {
	kind  momentKind
	after time.Duration
	wall  time.Time
}

type momentKind int

const (
	noMoment momentKind = iota
	afterBeginning
	ofWallClock
	ofDay // of the wall clock only the time of the day counts
)

// ParseMoment reads 15:04:05, 2006-01-02T15:04:05Z or 90s; an empty text is the zero Moment.
func ParseMoment(text string) (Moment, error) {
	if text == "" {
		return Moment{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return Moment{kind: afterBeginning, after: d}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return Moment{kind: ofWallClock, wall: t}, nil
	}
	t, err := time.Parse("15:04:05.999999999", text)
	if err != nil {
		return Moment{}, fmt.Errorf("%q is no time; write 15:04:05, 2006-01-02T15:04:05Z, or 90s after the beginning", text)
	}
	return Moment{kind: ofDay, wall: t}, nil
}

// Before reports whether m is certain to be earlier than other: both after the beginning, or both
// of the wall clock. Of times of the day the later may be of the day before.
func (m Moment) Before(other Moment) bool {
	switch {
	case m.kind != other.kind:
		return false
	case m.kind == afterBeginning:
		return m.after < other.after
	}
	return m.kind == ofWallClock && m.wall.Before(other.wall)
}

// since returns the moment in a recording that began then.
func (m Moment) since(began time.Time) linger.Instant {
	if m.kind == afterBeginning {
		return linger.Instant(m.after)
	}
	t := m.wall
	if m.kind == ofDay {
		day := began.UTC().Truncate(24 * time.Hour)
		t = day.Add(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
		if t.Before(began.Truncate(time.Second)) {
			t = t.Add(24 * time.Hour) // past midnight
		}
	}
	return linger.Instant(t.Sub(began))
}
