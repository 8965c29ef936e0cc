package http1

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// mostCounted is how many requests one connection is asked at most, and countedMore how
// many besides in cleartext, where nothing is asked about TLS and HTTP/3. The first
// mostWhole of them have the ordinary response, however long that is.
const mostCounted, countedMore, mostWhole = 20, 15, 5

// count asks on one connection until the server has enough of it.
func (p *Server) count(ctx context.Context) {
	count := profile.Count{State: profile.Unknown}
	if c, err := p.open(ctx, nil); err != nil {
		count.Why = err.Error()
	} else {
		count = p.countOn(ctx, c)
	}
	p.RecordOf(linger.HTTP11, func(h *profile.Protocol) { h.Requests = count })
}

// countOn asks on a connection, and gives it up.
func (p *Server) countOn(ctx context.Context, c *Conn) (count profile.Count) {
	left := false
	var l limits.Life
	defer func() {
		if !left {
			c.Drop()
		}
		p.note(func(f *facts) { f.Counted, f.counted = count.N, l })
	}()
	count.State = profile.Unknown
	most := mostCounted
	if p.Target.TLS == nil {
		most += countedMore
	}
	var last answer
	var asked time.Time // which last answers
	for i := range most {
		a, err := p.Exchange(ctx, c, p.asking(i))
		c.lives(&l, a, err)
		switch {
		case err == nil:
			last, asked = a, c.Span.Asked
			count.N += a.tries
			count.State = profile.AtLeast
		case count.N > 0 && prober.Ends(err):
			count.State = profile.Measured
			p.note(func(f *facts) {
				f.Requests, f.Claimed, f.slow = linger.Known(count.N), claim(last), time.Since(asked)
			})
			left = true
			p.leave(ctx, c, "a connection that it had ended without a word")
			return count
		case errors.Is(err, io.ErrUnexpectedEOF):
			count.Why = "a response was cut off"
			return count
		case err == errStray:
			return profile.Count{State: profile.Unknown, Why: "bytes that belong to no message came behind response " + strconv.Itoa(count.N)}
		default:
			count.Why = err.Error()
			return count
		}
		if a.close {
			count.State = profile.Measured
			p.note(func(f *facts) { f.Requests, f.Announced = linger.Known(count.N), true })
			p.closes(ctx, c, a, "after the last of "+strconv.Itoa(count.N)+" requests")
			return count
		}
	}
	return count
}

// asking is the request i, from 0, on the connection that is asked most. Apache says what it
// allows to those only who ask for the connection to stay.
func (p *Server) asking(i int) (q Request) {
	if i >= mostWhole {
		q = p.smaller()
	}
	q.Fields = append(slices.Clip(q.Fields), "Connection: keep-alive")
	return q
}

// recount asks on a connection of its own whether a number of requests is a limit, now that
// nothing else is under way: while all that serve connections are busy, some servers end
// those which they would keep otherwise.
func (p *Server) recount(ctx context.Context) {
	var most int
	var limited bool
	p.note(func(f *facts) { most, limited = f.Requests.Get() })
	if !limited || most == 1 {
		return
	}
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.Drop()
	answered := 0
	for answered <= most {
		a, err := p.Exchange(ctx, c, p.smaller())
		if err != nil {
			return
		}
		if answered += a.tries; a.close {
			break
		}
	}
	if answered <= most {
		return
	}
	p.note(func(f *facts) {
		f.Requests, f.Announced, f.Claimed, f.Counted = linger.Opt[int]{}, false, "", answered
	})
	p.RecordOf(linger.HTTP11, func(h *profile.Protocol) {
		h.Requests = profile.Count{State: profile.AtLeast, N: answered, Why: "a connection was ended after " + strconv.Itoa(most) + " while others were under way, and another, alone, was not"}
	})
}

// claim is what a response says of keeping its connection, in its own words.
func claim(a answer) string {
	var parts []string
	if lists(strings.Join(a.header.Values("Connection"), ","), "keep-alive") {
		parts = append(parts, "Connection: keep-alive")
	}
	if k := a.header.Get("Keep-Alive"); k != "" {
		parts = append(parts, "Keep-Alive: "+linger.Brief(k))
	}
	return strings.Join(parts, ", ")
}

// lives notes what came of a request in the life of c, and reports whether the connection goes on.
//
// The server decides between the request and the response: what lets the connection live was
// said at the age of the request at least, what ends it at that of the response at most.
func (c *Conn) lives(l *limits.Life, a answer, err error) bool {
	age := time.Since(c.Established)
	switch {
	case err != nil:
		l.Failed(age, err, prober.Ends(err))
	case a.close:
		l.Told(age)
	default:
		l.Answered(c.Asked.Sub(c.Established))
		return true
	}
	return false
}

// Two connections are kept busy, by numbers of requests that differ.
const agedOften, agedRarely = 8, 5

// age keeps connections busy until waiting ends.
func (p *Server) age(ctx context.Context) {
	wait, cancel := p.Wait(ctx)
	defer cancel()
	lives := make([]limits.Life, p.Few(2))
	requests, pauses := [...]int{agedOften, agedRarely}, [...]time.Duration{250 * time.Millisecond, 600 * time.Millisecond}
	var all sync.WaitGroup
	for i := range lives {
		all.Go(func() { lives[i] = p.live(ctx, wait, requests[i], pauses[i]) })
	}
	all.Wait()
	p.note(func(f *facts) { f.lives = lives })
}

// live keeps one connection busy by requests, with pauses that double from the first
// on, as long as they are well below the idle limit, where that is known.
func (p *Server) live(ctx, wait context.Context, requests int, pause time.Duration) (l limits.Life) {
	c, err := p.open(ctx, nil)
	if err != nil {
		l.Err = err
		return l
	}
	defer c.Drop()
	for last := false; l.Requests < requests; {
		if l.Requests > 0 {
			l.Idle = time.Since(c.Last)
		}
		a, err := p.Exchange(ctx, c, p.smaller())
		if ctx.Err() != nil {
			return l
		}
		if !c.lives(&l, a, err) {
			if l.Said {
				p.closes(ctx, c, a, "after a response to a connection that was kept busy")
			}
			return l
		}
		if last {
			return l
		}
		next := pause
		p.note(func(f *facts) {
			if f.Watched.State == profile.Measured {
				next = min(pause, time.Duration(f.Watched.Low)*6/10)
			}
		})
		pause *= 2
		until, stop := context.WithTimeout(wait, next)
		e := c.AwaitEnd(until)
		stop()
		if e.How != "" {
			l.High, l.Ended, l.Exact, l.How = e.At.Sub(c.Established), true, true, e.How
			l.Idle = e.At.Sub(c.Last)
			return l
		}
		l.Low = time.Since(c.Established)
		if e.Err != nil {
			return l
		}
		// A server may look at the age only when a request comes: one more, then.
		last = wait.Err() != nil
	}
	return l
}
