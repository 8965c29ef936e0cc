package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	status         int           // of the last
}

// isRefusal reports whether a status may be about how much is asked (RFC 6585, 4; RFC
// 9110, 15.6.4).
func isRefusal(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// A turnedAway is why an ordinary request got no other answer than 429 or 503.
type turnedAway string

func (e turnedAway) Error() string { return string(e) }

// isOrdinary reports whether q is one that any client might send: what another one is
// answered is what this server says to it, and is no word about how much it is asked.
func (p *prober) isOrdinary(q request) bool {
	return (p.method(q) == p.method(request{}) || q.method == http.MethodGet || q.method == http.MethodHead) &&
		(q.path == "" || q.path == p.target.path) && q.version == "" && q.body == "" && !q.beyond
}

// pause waits until a request may be sent.
func (p *prober) pause(ctx context.Context) error {
	p.mu.Lock()
	r := &p.refusals
	due := later(time.Now(), later(r.until, r.next))
	if r.gap > 0 {
		r.next = due.Add(r.gap)
	}
	p.mu.Unlock()
	if wait := time.Until(due); wait > 0 {
		return sleep(ctx, wait)
	}
	return ctx.Err()
}

// judgeStatus notes how an ordinary request was answered that was sent at an instant. It
// reports whether it is to be asked again, and an error where the server is to be left
// alone.
//
// RFC 9110, 10.2.3: "The Retry-After field value can be either an HTTP-date or a number of
// seconds to delay after receiving the response."
func (p *prober) judgeStatus(sent time.Time, status int, retryAfter string) (again bool, err error) {
	p.mu.Lock()
	r := &p.refusals
	r.asked++
	if !isRefusal(status) {
		r.row = 0
		p.mu.Unlock()
		return false, nil
	}
	r.refused++
	r.status = status
	now := time.Now()
	if sent.Before(r.until) {
		p.mu.Unlock()
		return true, nil // under way when another one was refused
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
	// Half of what is waited for anyhow is taken for pauses at most.
	if r.row < inARow && wait <= longestPause && r.paused+wait <= max(p.config.MaxWait/2, longestPause) {
		r.until, r.paused = now.Add(wait), r.paused+wait
		p.mu.Unlock()
		return true, nil
	}
	if p.refused == "" {
		p.refusal = status
		p.refused = fmt.Sprintf("the server answered %d to ordinary requests, too, and was left alone from then on", status)
	}
	why := p.refused
	p.mu.Unlock()
	return false, turnedAway(why)
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

// turnsAway is the error of a request whose refusal has ended its connection.
func turnsAway(status int) error {
	return turnedAway(fmt.Sprintf("the server answered %d and ended the connection", status))
}

// blames reports whether it is a request itself, sent as it stands, that is answered by a
// status which may be about how much is asked: an ordinary one in between is served, and
// the same one again is not.
func (p *prober) blames(ctx context.Context, sent string, status int) bool {
	c, err := p.open(ctx, nil)
	if err != nil {
		return false
	}
	_, err = p.exchange(ctx, c, request{})
	c.drop()
	if err != nil {
		return false
	}
	if c, err = p.open(ctx, nil); err != nil {
		return false
	}
	defer c.drop()
	if p.spend(1) != nil {
		return false
	}
	c.disturbed = true
	c.socket.SetWriteDeadline(time.Now().Add(p.config.Answer))
	if _, err := io.WriteString(c.Conn, sent); err != nil {
		return false
	}
	a, err := c.receive(ctx, request{method: http.MethodPost})
	return err == nil && a.status == status
}

// caveatRefusals says that ordinary requests were refused; p.mu is held.
func (p *prober) caveatRefusals() {
	r := p.refusals
	if r.refused == 0 {
		return
	}
	code, status := profile.RefusedAtTimes, r.status
	if p.refused != "" {
		code, status = profile.RateLimited, p.refusal
	}
	p.profile.Caveats = append(p.profile.Caveats, finding.Caveat{Code: code, Figures: finding.Figures{
		finding.Number("status", float64(status), ""), finding.Number("refused", float64(r.refused), ""), finding.Number("asked", float64(r.asked), ""),
	}})
}

// isTurnedAway reports whether an error says that the server refuses ordinary requests.
func isTurnedAway(err error) bool {
	_, is := errors.AsType[turnedAway](err)
	return is
}
