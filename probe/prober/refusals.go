package prober

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"linger/finding"
	"linger/profile"
)

const (
	// inARow is how many ordinary requests may be refused one after the other, with a
	// pause behind each, before the server is left alone.
	inARow = 4
	// firstPause is the pause behind a refusal where the server names none; each further
	// one in a row is pauseFactor times as long.
	firstPause, pauseFactor = 100 * time.Millisecond, 4
	// Once some were refused, ordinary requests are sent so far apart: twice as far with each
	// refusal, up to a bound. Whoever counts them lets them come then.
	leastGap, mostGap = 20 * time.Millisecond, 160 * time.Millisecond
	// longestPause bounds what Retry-After may ask for, to be waited for.
	longestPause = 5 * time.Second
)

// refusals are what became of ordinary requests, as far as the server said that it had
// been asked too much: 429, 503. The prober's mu guards them.
type refusals struct {
	asked, refused int
	row            int           // refused in a row, those apart that were under way at once
	until          time.Time     // nothing is asked before
	gap            time.Duration // between two requests
	next           time.Time     // when the next may be sent
	paused         time.Duration // in all
	status         int           // of the last of them
	alone          string        // why no more is asked
	last           int           // the status that said so
}

// IsRefusal reports whether a status may be about how much is asked (RFC 6585, 4; RFC
// 9110, 15.6.4).
func IsRefusal(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// A turnedAway is why an ordinary request got no other answer than 429 or 503.
type turnedAway string

func (e turnedAway) Error() string { return string(e) }

// Pause waits until a request may be sent.
func (p *Prober) Pause(ctx context.Context) error {
	p.mu.Lock()
	due := p.refusals.due(time.Now())
	p.mu.Unlock()
	if wait := time.Until(due); wait > 0 {
		return Sleep(ctx, wait)
	}
	return ctx.Err()
}

// JudgeStatus notes how an ordinary request was answered that was sent at an instant. It
// reports whether it is to be asked again, and an error where the server is to be left
// alone.
func (p *Prober) JudgeStatus(sent time.Time, status int, retryAfter string) (again bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Half of what is waited for anyhow is taken for pauses at most.
	again = p.refusals.answered(sent, time.Now(), status, retryAfter, max(p.MaxWait/2, longestPause))
	if !again && IsRefusal(status) {
		return false, turnedAway(p.refusals.alone)
	}
	return again, nil
}

// due is when the next request may be sent, which is then booked.
func (r *refusals) due(now time.Time) time.Time {
	due := Later(now, Later(r.until, r.next))
	if r.gap > 0 {
		r.next = due.Add(r.gap)
	}
	return due
}

// answered takes the answer, at an instant, to an ordinary request that was sent at another,
// and reports whether that is to be retried, behind a pause; all pauses may take so long
// together. A refusal that is not is the last one: the server is left alone.
//
// RFC 9110, 10.2.3: "The Retry-After field value can be either an HTTP-date or a number of
// seconds to delay after receiving the response."
func (r *refusals) answered(sent, now time.Time, status int, retryAfter string, pauses time.Duration) (again bool) {
	r.asked++
	if !IsRefusal(status) {
		r.row = 0
		return false
	}
	r.refused++
	r.status = status
	if sent.Before(r.until) {
		return true // under way when another one was refused
	}
	r.row++
	r.gap = min(max(2*r.gap, leastGap), mostGap)
	wait := firstPause
	for range r.row - 1 {
		wait *= pauseFactor
	}
	if said, ok := delayOf(retryAfter, now); ok {
		wait = max(said, firstPause)
	}
	if r.row < inARow && wait <= longestPause && r.paused+wait <= pauses {
		r.until, r.paused = now.Add(wait), r.paused+wait
		return true
	}
	if r.alone == "" {
		r.last = status
		r.alone = fmt.Sprintf("the server answered %d to ordinary requests, too, and was left alone from then on", status)
	}
	return false
}

// delayOf reads Retry-After: seconds, or an HTTP-date.
func delayOf(field string, now time.Time) (time.Duration, bool) {
	field = strings.TrimSpace(field)
	if n, err := strconv.ParseUint(field, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(field); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

// TurnsAway is the error of a request whose refusal has ended its connection.
func TurnsAway(status int) error {
	return turnedAway(fmt.Sprintf("the server answered %d and ended the connection", status))
}

// RefusedSoFar is how many ordinary requests were refused.
func (p *Prober) RefusedSoFar() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals.refused
}

// caveatRefusals says that ordinary requests were refused; p.mu is held.
func (p *Prober) caveatRefusals() {
	r := p.refusals
	if r.refused == 0 {
		return
	}
	code, status := profile.RefusedAtTimes, r.status
	if r.alone != "" {
		code, status = profile.RateLimited, r.last
	}
	p.profile.Caveats = append(p.profile.Caveats, finding.Caveat{Code: code, Figures: finding.Figures{
		finding.Number("status", float64(status), ""), finding.Number("refused", float64(r.refused), ""), finding.Number("asked", float64(r.asked), ""),
	}})
}

// IsTurnedAway reports whether an error says that the server refuses ordinary requests.
func IsTurnedAway(err error) bool {
	_, is := errors.AsType[turnedAway](err)
	return is
}
