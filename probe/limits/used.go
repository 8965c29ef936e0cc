package limits

import (
	"time"

	"linger"
	"linger/profile"
)

// Used is what came of a connection on which one request was sent after the other.
type Used struct {
	Answered int
	Ended    bool // by the server
	Ending   profile.Ending
	Closing  *profile.Closing
	// Why is why no more was asked, where it did not end.
	Why string
}

// ByError reports whether the server ended the connection by an error.
func (u Used) ByError() bool { return u.Closing != nil && u.Closing.Error }

// Count is the limit of requests that the connection shows. What an error ends is none. Where
// no request was answered, unanswered says why.
func (u Used) Count(unanswered string) profile.Count {
	count := profile.Count{State: profile.AtLeast, N: u.Answered, Ending: u.Ending, Closing: u.Closing}
	switch {
	case u.Answered == 0:
		count.State, count.Why = profile.Unknown, unanswered
	case u.ByError():
		count.Why = "the server ended the connection by an error: " + u.Closing.String()
	case u.Ended:
		count.State = profile.Measured
	default:
		count.Why = u.Why
	}
	return count
}

// Pinged is what came of a connection that was idle but for PING.
type Pinged struct {
	// Limit is that of connections on which nothing was sent.
	Limit   profile.Timeout
	Lived   time.Duration
	Ended   bool // by the server
	Closing *profile.Closing
}

// Outlives reports whether the connection has lived past the limit, by more than what one
// connection may differ from others.
func (p Pinged) Outlives() bool {
	return p.Lived > time.Duration(p.Limit.High)*5/4+500*time.Millisecond
}

// Keeps is whether PING keeps a connection open, or why that is not known; where it does
// not, why may say how the server ended it.
func (p Pinged) Keeps() (keeps linger.Opt[bool], why string) {
	switch {
	case p.Limit.State != profile.Measured:
		return keeps, "no limit was seen that it could put off"
	case p.Outlives():
		return linger.Known(true), ""
	case p.Closing != nil && p.Closing.Error:
		return linger.Known(false), "the server ended the connection that sent them: " + p.Closing.String()
	case p.Ended:
		return linger.Known(false), ""
	}
	return keeps, "waiting ended before it could be told"
}
