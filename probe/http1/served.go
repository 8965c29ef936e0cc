package http1

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"linger/probe/prober"
	"linger/profile"
)

const (
	// crowdMost is how many connections are open at once at most while it is found out
	// how many are served at once.
	crowdMost = 26
	// crowdUnusedMost is how many of them nothing is sent on at most, where the server
	// keeps others.
	crowdUnusedMost, unusedRounds = 5, 3
	// impatience is how long an answer may take, more than others had taken, until it
	// is held for one that waits: while it is waited for, others wait, too.
	impatience = 300 * time.Millisecond
	// crowdTime is how long finding out may take with a server that is slow by itself.
	crowdTime = 8 * time.Second
)

// A crowd is what came of connections that were open at once.
type crowd struct {
	n    int  // that were served
	full bool // and one more was not
	next profile.Next
}

func (c crowd) count() profile.Count {
	switch {
	case c.full:
		return profile.Count{State: profile.Measured, N: c.n, Next: c.next}
	case c.n > 0:
		return profile.Count{State: profile.AtLeast, N: c.n}
	}
	return profile.Count{State: profile.Unknown}
}

// A queue finds out how many connections a server serves at once, few at a time. Some
// servers have a worker, a process or a thread, for each connection, whether it is used
// or not: where all of them have one, whoever comes next waits. What waits was made to
// by the probe, and is no behaviour of the server's.
type queue struct {
	*Server
	closes bool // it ends each connection behind its response
	most   int

	mu      sync.Mutex
	slowest time.Duration // from opening a connection to the end of its response
	work    time.Duration // what the quickest answer took the server
}

// findServed finds out how many connections are served at once, and has everything that
// follows stay below that.
func (p *Server) findServed(ctx context.Context, a usual) {
	p.Enough = p.wanted()
	q := &queue{Server: p, slowest: a.whole, closes: a.close || a.untilClose, most: min(p.Enough+1, p.Connections, p.Requests/5)}
	q.work = max(a.took-p.ShortestRTT(), time.Millisecond)
	if at := q.step(); at < q.most {
		q.most = min(q.most, max(at*int(crowdTime/max(a.whole, time.Millisecond)), 2))
	}
	p.Most = max(q.most-1, 1)
	if q.most < 2 {
		return
	}
	var kept, unused crowd
	if !q.closes {
		kept = q.surely(ctx, func() crowd { return q.kept(ctx, q.most) }, q.keptAgain)
	}
	least, steps := crowdUnusedMost, q.most
	if q.closes {
		least = q.most
	}
	if kept.full {
		steps = kept.n
	}
	unused = q.surely(ctx, func() crowd { return q.unused(ctx, min(least, steps)) }, q.unusedAgain)
	p.Record(func(doc *profile.Profile) {
		switch {
		case !p.Whole:
		case q.closes:
			doc.Parallel = unused.count()
		default:
			doc.Parallel = kept.count()
		}
		if unused.full && !q.closes && (!kept.full || unused.n < kept.n) {
			doc.Unused = unused.count()
		}
	})
	for _, c := range []crowd{kept, unused} {
		if c.full {
			p.Most = min(p.Most, c.n-1)
		}
	}
	p.Most = max(p.Most, 1)
}

// wanted is how many connections the probe would have at once.
func (p *Server) wanted() int {
	waiting, busy := 0, 0
	for _, e := range p.Chosen {
		switch {
		case e.OverUDP:
		case e.Waits:
			waiting += e.Connections
		default:
			busy++
		}
	}
	return min(waiting+min(busy, 4), crowdMost-1)
}

// step is how many requests may be sent at once: what comes together is worked off one
// after another by some.
func (q *queue) step() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return max(int(impatience/q.work), 1)
}

// took notes how long an answer took.
func (q *queue) took(whole, answer time.Duration) {
	low := q.ShortestRTT()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.slowest, q.work = min(max(q.slowest, whole), 2*q.usual.whole+50*time.Millisecond), max(min(q.work, answer-low), time.Millisecond)
}

const (
	// looks at a server that starts workers as it needs them, and how far apart they are:
	// some look once a second whether they have enough.
	looksMost = 4
	lookApart = 1200 * time.Millisecond
)

// surely has a look, and where one more was not served another one, which shows that it
// is the connections that are in the way: one more is not served again, and is served
// once another has gone. Whatever else holds up answers, as a lost packet, does not do
// that. As long as there are more with each look, there may be more with the next.
func (q *queue) surely(ctx context.Context, look func() crowd, again func(context.Context, int) bool) (c crowd) {
	sure, unsure := false, 0
	for n := range looksMost {
		if n > 0 && prober.Sleep(ctx, lookApart) != nil {
			break
		}
		found := look()
		more := found.n > c.n
		c.n = max(c.n, found.n)
		if !found.full {
			c.full, c.next = false, ""
			break
		}
		if found.next != profile.ClosesAnother && !sure && !again(ctx, found.n) {
			if unsure++; unsure > 1 {
				break
			}
			continue
		}
		if sure = true; found.next != "" {
			c.full, c.next = true, found.next
		}
		if n > 0 && !more {
			break
		}
	}
	return c
}

// patience is for how long an answer is waited for.
func (q *queue) patience() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return min(q.slowest+impatience, q.Answer)
}

// ask opens a connection and asks on it. A response that is not the ordinary one counts
// as none.
func (q *queue) ask(ctx context.Context) (*Conn, error) {
	began := time.Now()
	c, err := q.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	small := q.smaller()
	small.beyond = true
	a, err := q.Exchange(ctx, c, small)
	switch {
	case err != nil:
	case a.Status != q.usual.Status:
		err = fmt.Errorf("it answers %d", a.Status)
	case a.close && !q.closes:
		err = errCloses
	}
	if err != nil {
		c.Drop()
		return nil, err
	}
	q.took(time.Since(began), c.Last.Sub(c.Asked))
	return c, nil
}

// errCloses is of a server that ends a connection which it would have kept otherwise.
var errCloses = errors.New("it closes the connection")

// several asks on n connections at once, and returns those that were answered until
// nothing has come for some time, and why the first of the others was not.
func (q *queue) several(ctx context.Context, n int) (answered []*Conn, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type report struct {
		c   *Conn
		err error
	}
	reports := make(chan report, n)
	for range n {
		go func() {
			c, err := q.ask(ctx)
			reports <- report{c, err}
		}()
	}
	still := time.AfterFunc(q.patience(), cancel)
	defer still.Stop()
	for range n {
		r := <-reports
		switch {
		case r.err == nil:
			answered = append(answered, r.c)
			if ctx.Err() == nil {
				still.Reset(q.patience())
			}
		case ctx.Err() != nil:
			if err == nil {
				err = errWaits
			}
		default:
			err = r.err
		}
	}
	return answered, err
}

var errWaits = errors.New("it waits")

// next is what became of the one that was not served.
func (q *queue) next(err error) profile.Next {
	switch {
	case errors.Is(err, errWaits):
		return profile.Waits
	case errors.Is(err, prober.ErrSpent), errors.Is(err, errCloses):
		return "" // no fault of the crowd
	case errors.Is(err, syscall.ECONNREFUSED), strings.HasPrefix(err.Error(), "cannot connect"), prober.Ends(err):
		return profile.Refused
	case strings.HasPrefix(err.Error(), "it answers"):
		return profile.AnswersOtherwise
	}
	return ""
}

// refusal is what became of one that could not be opened.
func (q *queue) refusal(err error) profile.Next {
	if strings.HasSuffix(err.Error(), prober.Cause(context.DeadlineExceeded)) {
		return profile.Waits // as where the queue of those who were not accepted is full
	}
	return q.next(err)
}

func dropAll(conns []*Conn) {
	for _, c := range conns {
		c.Drop()
	}
}

// kept has more and more connections open that had a response each.
func (q *queue) kept(ctx context.Context, most int) (c crowd) {
	var held []*Conn
	defer func() { dropAll(held) }()
	for step := 1; len(held) < most && ctx.Err() == nil; step = max(len(held), 1) {
		more, err := q.several(ctx, min(step, most-len(held), q.step()))
		held = append(held, more...)
		if err != nil {
			c.n, c.next = len(held), q.next(err)
			c.full = c.n > 0 && c.next != ""
			return c
		}
		if open := q.stillOpen(held); open < len(held) {
			c.n = open
			if c.full = open > 0 && !q.endsAlone(ctx, time.Since(held[0].Last)); c.full {
				c.next = profile.ClosesAnother
			}
			return c
		}
	}
	c.n = len(held)
	return c
}

// stillOpen is how many of the connections have not been ended.
func (q *queue) stillOpen(conns []*Conn) (n int) {
	short, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
	defer cancel()
	ended := make(chan bool, len(conns))
	for _, c := range conns {
		go func() {
			e := c.AwaitEnd(short)
			ended <- e.How != "" || e.Err != nil
		}()
	}
	for range conns {
		if !<-ended {
			n++
		}
	}
	return n
}

// endsAlone reports whether a connection ends within so long that is alone.
func (q *queue) endsAlone(ctx context.Context, within time.Duration) bool {
	c, err := q.ask(ctx)
	if err != nil {
		return true // nobody knows
	}
	defer c.Drop()
	wait, cancel := context.WithTimeout(ctx, within*3/2+50*time.Millisecond)
	defer cancel()
	e := c.AwaitEnd(wait)
	return e.How != "" || e.Err != nil
}

// keptAgain reports whether one more than n connections is not served until one of them
// goes.
func (q *queue) keptAgain(ctx context.Context, n int) bool {
	if prober.Sleep(ctx, impatience/2) != nil { // in which others are served
		return false
	}
	var held []*Conn
	defer func() { dropAll(held) }()
	for len(held) < n {
		more, err := q.several(ctx, min(n-len(held), max(len(held), 1)))
		if held = append(held, more...); err != nil && len(held) == 0 {
			return false
		} else if err != nil {
			break // somebody else is served besides
		}
	}
	return q.freed(ctx, held[0].Drop)
}

// freed reports whether somebody who asks is not served until a connection is given up.
func (q *queue) freed(ctx context.Context, giveUp func()) bool {
	asked := make(chan error, 1)
	patient, cancel := context.WithTimeout(ctx, 2*q.patience())
	defer cancel()
	ask := func() {
		c, err := q.ask(patient)
		if err == nil {
			c.Drop()
		}
		asked <- err
	}
	go ask()
	select {
	case err := <-asked:
		if err == nil || q.next(err) == "" {
			return false
		}
		giveUp()
		go ask() // which was refused before
	case <-time.After(q.patience()):
		giveUp()
	}
	return <-asked == nil
}

// silent opens a connection on which nothing is sent.
func (q *queue) silent(ctx context.Context) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, q.patience())
	defer cancel()
	return q.open(ctx, nil)
}

// unused has more and more connections open on which nothing is sent, and asks on
// another one after each step.
func (q *queue) unused(ctx context.Context, most int) (c crowd) {
	var held []*Conn
	defer func() { dropAll(held) }()
	for step := 1; len(held)+1 < most && ctx.Err() == nil; step = len(held) {
		for range min(step, most-1-len(held)) {
			one, err := q.silent(ctx)
			if err != nil {
				return q.exactly(ctx, c.n)
			}
			held = append(held, one)
		}
		answered, err := q.several(ctx, 1)
		dropAll(answered)
		if err != nil {
			dropAll(held)
			if q.next(err) != profile.Waits {
				return c
			}
			return q.exactly(ctx, c.n)
		}
		c.n = len(held) + 1
	}
	return c
}

// exactly goes on from n that are served, one at a time, until one more is not.
func (q *queue) exactly(ctx context.Context, n int) (c crowd) {
	if prober.Sleep(ctx, impatience/2) != nil {
		return crowd{n: n}
	}
	var held []*Conn
	defer func() { dropAll(held) }()
	for c.n = max(n, 1); c.n < q.most; c.n = len(held) + 1 {
		for len(held) < c.n {
			one, err := q.silent(ctx)
			if err != nil {
				c.full, c.next = true, q.refusal(err)
				return c
			}
			held = append(held, one)
		}
		answered, err := q.several(ctx, 1)
		dropAll(answered)
		if err != nil {
			c.next = q.next(err)
			c.full = c.next != ""
			return c
		}
	}
	return c
}

// unusedAgain is keptAgain for connections on which nothing is sent.
func (q *queue) unusedAgain(ctx context.Context, n int) bool {
	if prober.Sleep(ctx, impatience/2) != nil {
		return false
	}
	var held []*Conn
	defer func() { dropAll(held) }()
	for range n {
		one, err := q.silent(ctx)
		if err != nil {
			return false
		}
		held = append(held, one)
	}
	return q.freed(ctx, held[0].Drop)
}
