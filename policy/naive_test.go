package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"linger"
)

// A naivePool is a Pool in the obvious way: everything is in slices and maps, and is
// looked for. What it decides is what a Pool must decide.
type naivePool struct {
	policy   PoolPolicy
	pools    []*naiveOrigin
	conns    []*naiveConn // in the order in which they were dialled
	requests map[int]*naiveRequest
	commands []PoolCommand
	dialled  int
	retries  int
}

type naiveOrigin struct {
	key      Key
	stream   bool
	queue    []int
	inFlight int
	allowed  int
	answers  int
	cautious bool
}

type naiveConn struct {
	number                                             int
	pool                                               *naiveOrigin
	state                                              connState
	outstanding                                        []int
	sent, answered, refused, streams, sends            int
	silent, reached, early, retired, cautious, limited bool
	used, deadline                                     linger.Instant
	limit, trip                                        time.Duration
}

type naiveRequest struct {
	Request
	pool                 *naiveOrigin
	sent                 linger.Instant
	left, begun, retried bool
	refusals, answers    int
}

func newNaive(p PoolPolicy) *naivePool {
	return &naivePool{policy: p, requests: map[int]*naiveRequest{}}
}

func (p *naivePool) origin(key Key, stream bool) *naiveOrigin {
	for _, l := range p.pools {
		if l.key == key && l.stream == stream {
			return l
		}
	}
	l := &naiveOrigin{key: key, stream: stream, allowed: p.policy.Strategy.Connections}
	p.pools = append(p.pools, l)
	return l
}

// conn returns the connection of that number; one that is gone where there is none.
func (p *naivePool) conn(number int) *naiveConn {
	for _, k := range p.conns {
		if k.number == number {
			return k
		}
	}
	return &naiveConn{number: number, state: gone}
}

func (p *naivePool) HandleRequest(r int, q Request) {
	l := p.origin(q.Key, false)
	p.requests[r] = &naiveRequest{Request: q, pool: l}
	l.queue = append(l.queue, r)
}

func (p *naivePool) HandleEstablished(id int) { p.conn(id).reached = true }

func (p *naivePool) HandleEarly(now linger.Instant, id int) {
	if k := p.conn(id); k.state == dialing {
		k.state, k.early, k.used = open, true, now
	}
}

func (p *naivePool) HandleConnected(now linger.Instant, id int) {
	switch k := p.conn(id); {
	case k.state == dialing:
		k.state, k.used = open, now
		p.rest(now, k)
	case k.state != gone && k.early:
		k.early = false
		if len(k.outstanding) > 0 {
			p.extend(now, k)
		} else {
			p.rest(now, k)
		}
	}
}

func (p *naivePool) HandleStreams(now linger.Instant, id, n int) {
	k := p.conn(id)
	k.streams, k.silent = n, n == 0
	if k.state == open && len(k.outstanding) == 0 {
		p.rest(now, k)
	}
}

func (p *naivePool) HandleGoAway(id int, refused []int, reason string) {
	k := p.conn(id)
	if k.state == dialing || k.state == gone {
		return
	}
	k.retired = true
	p.refuse(k, refused, reason)
	if len(k.outstanding) == 0 {
		p.close(k, reason)
		if k.sent == 0 && len(k.pool.queue) > 0 {
			p.barren(k.pool, reason)
		}
	}
}

func (p *naivePool) HandleIdleLimit(now linger.Instant, id int, limit time.Duration) {
	k := p.conn(id)
	if k.state == dialing || k.state == gone {
		return
	}
	k.limit, k.limited = limit, true
	k.retired = k.retired || limit == 0
	if k.state == open && len(k.outstanding) == 0 {
		p.carryOn(now, k, noIdleTime)
	}
}

func (p *naivePool) HandleTruncated(now linger.Instant, id, r int) {
	k := p.conn(id)
	if !slices.Contains(k.outstanding, r) {
		return
	}
	p.take(k, r)
	k.answered++
	x := p.requests[r]
	x.pool = p.origin(k.pool.key, true)
	x.pool.queue = append(x.pool.queue, r)
	p.carryOn(now, k, "the answer did not fit")
}

func (p *naivePool) HandleReset(now linger.Instant, id, r int, refused bool, reason string) {
	k := p.conn(id)
	if !slices.Contains(k.outstanding, r) {
		return
	}
	if refused {
		k.refused++
		p.refuse(k, []int{r}, reason)
	} else {
		p.take(k, r)
		p.fail(r, reason)
	}
	p.carryOn(now, k, reason)
}

func (p *naivePool) refuse(k *naiveConn, refused []int, reason string) {
	refused = slices.DeleteFunc(slices.Clone(refused), func(r int) bool { return !slices.Contains(k.outstanding, r) })
	for _, r := range refused {
		p.take(k, r)
	}
	fruitful := k.retired && (k.answered > 0 || len(k.outstanding) > 0)
	var again []int
	for _, r := range refused {
		x := p.requests[r]
		if k.pool.answers > x.answers {
			x.refusals = 0
		}
		if x.answers = k.pool.answers; !fruitful {
			x.refusals++
		}
		if x.refusals > k.pool.allowed {
			p.fail(r, reason)
			continue
		}
		if x.left {
			p.retries++
		}
		again = append(again, r)
	}
	k.pool.queue = append(again, k.pool.queue...)
}

func (p *naivePool) carryOn(now linger.Instant, k *naiveConn, reason string) {
	switch {
	case len(k.outstanding) > 0:
		p.extend(now, k)
	case k.retired:
		p.close(k, reason)
	case p.isLast(k):
		p.close(k, "it has carried all the requests that it may")
	default:
		p.rest(now, k)
	}
}

func (p *naivePool) HandleDialFailed(id int, reason string) {
	switch k := p.conn(id); {
	case k.state == gone:
	case k.early:
		p.HandleClosed(id, Reset, reason)
	case k.state == dialing:
		p.drop(k)
		p.barren(k.pool, reason)
	}
}

func (p *naivePool) barren(l *naiveOrigin, reason string) {
	usable, coming := p.count(l)
	switch {
	case usable > coming:
		l.allowed = usable
	case len(l.queue) > 0:
		first := l.queue[0]
		l.queue = l.queue[1:]
		p.fail(first, reason)
	}
}

func (p *naivePool) HandleSent(now linger.Instant, id, r int) {
	k := p.conn(id)
	if !slices.Contains(k.outstanding, r) {
		return
	}
	p.requests[r].left = true
	if !p.datagram(k) && (p.policy.Strategy.Multiplexed || k.outstanding[0] == r && !p.requests[r].begun) {
		p.extend(now, k)
	}
}

func (p *naivePool) HandleBody(now linger.Instant, id, r int) {
	if k := p.conn(id); slices.Contains(k.outstanding, r) {
		p.requests[r].begun = true
		p.extend(now, k)
	}
}

func (p *naivePool) HandleResponse(now linger.Instant, id, r int, persists bool, rejected string) {
	k := p.conn(id)
	if !slices.Contains(k.outstanding, r) {
		return
	}
	p.take(k, r)
	k.answered++
	k.pool.answers++
	k.cautious = false
	if took := now.Sub(p.requests[r].sent); k.answered == 1 || took < k.trip {
		k.trip = took
	}
	k.used = now
	if rejected != "" {
		p.fail(r, rejected)
	} else {
		delete(p.requests, r)
	}
	switch {
	case p.policy.Strategy.Multiplexed || p.policy.Strategy.DNS != "":
		reason := "server had said goodbye, and the last response is there"
		if k.limited && k.limit == 0 {
			reason = noIdleTime
		}
		p.carryOn(now, k, reason)
	case !persists || p.isLast(k) && len(k.outstanding) == 0:
		k.pool.queue = append(slices.Clone(k.outstanding), k.pool.queue...)
		k.pool.inFlight -= len(k.outstanding)
		k.outstanding = nil
		k.state = lingering
		k.deadline = after(now, p.policy.Limits.Linger)
	case len(k.outstanding) > 0:
		p.extend(now, k)
	default:
		p.rest(now, k)
	}
}

func (p *naivePool) HandleRefused(id int) {
	k := p.conn(id)
	if len(k.outstanding) > 0 {
		p.requests[k.outstanding[0]].begun = false
	}
	p.HandleClosed(id, ClosedByPeer, "server answered 408: it gave up waiting for a request")
}

func (p *naivePool) HandleClosed(id int, cause Cause, reason string) {
	k := p.conn(id)
	switch k.state {
	case gone:
		return
	case dialing:
		p.HandleDialFailed(id, reason)
		return
	}
	p.close(k, reason)
	if len(k.outstanding) > 1 && !p.policy.Strategy.Multiplexed {
		k.pool.cautious = true
	}
	var again []int
	for i, r := range k.outstanding {
		head, x := i == 0 || p.policy.Strategy.Multiplexed, p.requests[r]
		k.pool.inFlight--
		if !p.mayRetry(k, x, head, cause) {
			p.fail(r, reason)
			continue
		}
		if x.left {
			x.retried = x.retried || head
			p.retries++
		}
		again = append(again, r)
	}
	k.outstanding = nil
	k.pool.queue = append(again, k.pool.queue...)
	if k.sent == 0 && len(k.pool.queue) > 0 {
		p.barren(k.pool, reason)
	}
}

func (p *naivePool) mayRetry(k *naiveConn, x *naiveRequest, head bool, cause Cause) bool {
	switch {
	case k.answered > 0 && !x.left:
		return true
	case !x.Idempotent:
		return false
	case p.policy.Strategy.DNS != "":
		return k.answered > 0 && !x.begun && cause != Malformed
	case !head:
		return k.answered > 0 || !x.retried
	case x.begun || cause == Malformed:
		return false
	}
	return k.answered > 0 && !x.retried
}

func (p *naivePool) CloseIdle(reason string) {
	for _, k := range slices.Clone(p.conns) {
		if k.state == open && len(k.outstanding) == 0 || k.state == dialing && len(k.pool.queue) == 0 {
			p.close(k, reason)
		}
	}
}

// next returns the connection whose deadline is next, or nil.
func (p *naivePool) next() *naiveConn {
	var next *naiveConn
	for _, k := range p.conns {
		if k.deadline != linger.Never && (next == nil || k.deadline < next.deadline) {
			next = k
		}
	}
	return next
}

func (p *naivePool) NextTimeout() linger.Instant {
	if k := p.next(); k != nil {
		return k.deadline
	}
	return linger.Never
}

func (p *naivePool) HandleTimeout(now linger.Instant) {
	for {
		if k := p.next(); k == nil || k.deadline > now || p.expire(now, k) {
			return
		}
	}
}

func (p *naivePool) expire(now linger.Instant, k *naiveConn) bool {
	s, l := p.policy.Strategy, p.policy.Limits
	datagram := p.datagram(k)
	switch {
	case k.state == dialing || k.early:
		what, reason := "no answer to SYN", fmt.Sprintf("connect timed out after %v", l.Connect)
		switch {
		case k.reached:
			what, reason = "the TLS handshake did not end", fmt.Sprintf("TLS handshake timed out after %v", l.Connect)
		case s.QUIC():
			what, reason = "no answer over UDP", fmt.Sprintf("no answer over UDP within %v; it may be blocked, or the server has no %s", l.Connect, s.Speaks())
		}
		if !k.early {
			p.commands = append(p.commands, PoolCommand{Kind: Close, Conn: Conn{Number: k.number}, Reason: what})
		}
		p.HandleDialFailed(k.number, reason)
		return true
	case k.state == lingering:
		p.close(k, fmt.Sprintf("server did not close within %v of the last response", l.Linger))
	case len(k.outstanding) > 0 && datagram && k.sends < l.Sends:
		k.deadline = after(now, l.Repeat<<k.sends)
		k.sends++
		p.commands = append(p.commands, PoolCommand{Kind: Send, Conn: Conn{Number: k.number}, Request: k.outstanding[0], Again: true})
	case len(k.outstanding) > 0 && datagram:
		waited := now.Sub(p.requests[k.outstanding[0]].sent).Round(time.Millisecond)
		p.HandleClosed(k.number, Reset, fmt.Sprintf("no answer to %d datagrams in %v", k.sends, waited))
		return true
	case len(k.outstanding) > 0:
		for i, r := range k.outstanding {
			p.requests[r].begun = p.requests[r].begun || i == 0 || s.Multiplexed
		}
		p.HandleClosed(k.number, Reset, fmt.Sprintf("no byte of the response for %v", l.Stall))
		return true
	case k.silent:
		p.close(k, "server allows no request")
		p.barren(k.pool, fmt.Sprintf("the server allowed no request for %v", l.Stall))
	case k.limited && (s.IdleTimeout == 0 || k.limit-k.trip < s.IdleTimeout):
		p.close(k, fmt.Sprintf("idle for nearly the %v that the server allows", k.limit))
	default:
		p.close(k, fmt.Sprintf("idle for %v", s.IdleTimeout))
	}
	return false
}

func (p *naivePool) datagram(k *naiveConn) bool { return p.policy.Strategy.Datagram && !k.pool.stream }

func (p *naivePool) Poll(now linger.Instant) (PoolCommand, bool) {
	if len(p.commands) == 0 {
		p.assign(now)
	}
	if len(p.commands) == 0 {
		return PoolCommand{}, false
	}
	cmd := p.commands[0]
	p.commands = p.commands[1:]
	return cmd, true
}

func (p *naivePool) take(k *naiveConn, r int) {
	k.outstanding = slices.DeleteFunc(k.outstanding, func(other int) bool { return other == r })
	k.pool.inFlight--
}

func (p *naivePool) fail(r int, reason string) {
	delete(p.requests, r)
	p.commands = append(p.commands, PoolCommand{Kind: Fail, Request: r, Reason: reason})
}

// assign serves every origin, and forgets those of which nothing is left.
func (p *naivePool) assign(now linger.Instant) {
	slices.SortFunc(p.pools, func(a, b *naiveOrigin) int {
		if a.stream != b.stream {
			if b.stream {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.key, b.key)
	})
	for _, l := range p.pools {
		p.serve(now, l)
	}
	if p.policy.Remember {
		return
	}
	left := func(key Key) bool {
		return slices.ContainsFunc(p.pools, func(l *naiveOrigin) bool { return l.key == key && l.stream && p.alive(l) })
	}
	p.pools = slices.DeleteFunc(p.pools, func(l *naiveOrigin) bool { return !p.alive(l) && (l.stream || !left(l.key)) })
}

func (p *naivePool) alive(l *naiveOrigin) bool {
	return len(l.queue) > 0 || slices.ContainsFunc(p.conns, func(k *naiveConn) bool { return k.pool == l })
}

func (p *naivePool) serve(now linger.Instant, l *naiveOrigin) {
	for len(l.queue) > 0 {
		k := p.roomiest(l, p.requests[l.queue[0]])
		if k == nil {
			break
		}
		r := l.queue[0]
		l.queue = l.queue[1:]
		p.send(now, k, r)
	}
	usable, coming := p.count(l)
	for usable < l.allowed && coming < len(l.queue) {
		k := &naiveConn{number: p.dialled, pool: l, cautious: l.cautious, deadline: after(now, p.policy.Limits.Connect)}
		p.conns = append(p.conns, k)
		p.commands = append(p.commands, PoolCommand{Kind: Dial, Conn: Conn{Number: k.number}, Key: l.key, Stream: l.stream})
		p.dialled, usable, coming = p.dialled+1, usable+1, coming+1
	}
}

func (p *naivePool) count(l *naiveOrigin) (usable, coming int) {
	for _, k := range p.conns {
		switch {
		case k.pool != l:
		case k.state == open && !k.retired:
			usable++
		case k.state == dialing:
			usable, coming = usable+1, coming+1
		}
	}
	return usable, coming
}

func (p *naivePool) roomiest(l *naiveOrigin, x *naiveRequest) *naiveConn {
	s := p.policy.Strategy
	share := (l.inFlight + len(l.queue) + l.allowed - 1) / l.allowed
	if s.InFlight != linger.Unlimited {
		share = min(share, s.InFlight)
	}
	usable, coming := p.count(l)
	fresh := x.retried && (coming > 0 || usable < l.allowed)
	var best *naiveConn
	for _, k := range p.conns {
		n := len(k.outstanding)
		switch {
		case k.pool != l || k.state != open || k.retired || n >= share || p.isLast(k),
			k.silent || k.streams != linger.Unlimited && n >= k.streams,
			k.early && !x.Safe,
			fresh && k.sent > 0,
			n > 0 && !s.Multiplexed && (k.cautious || !x.Idempotent || !p.requests[k.outstanding[n-1]].Idempotent):
			continue
		}
		older, newer := best != nil && k.used < best.used, best != nil && k.used > best.used
		if best == nil || n < len(best.outstanding) || n == len(best.outstanding) &&
			(p.policy.Order == MostRecent && newer || p.policy.Order == LeastRecent && older) {
			best = k
		}
	}
	return best
}

func (p *naivePool) isLast(k *naiveConn) bool {
	carried, s := k.sent-k.refused, p.policy.Strategy
	return carried > 0 && !s.Persistent || s.MaxRequests != linger.Unlimited && carried >= s.MaxRequests
}

func (p *naivePool) send(now linger.Instant, k *naiveConn, r int) {
	x := p.requests[r]
	x.left, x.begun, x.sent = false, false, now
	k.sent++
	k.outstanding = append(k.outstanding, r)
	k.pool.inFlight++
	k.used, k.sends = now, 1
	if len(k.outstanding) == 1 {
		p.extend(now, k)
	}
	p.commands = append(p.commands, PoolCommand{Kind: Send, Conn: Conn{Number: k.number}, Request: r, Last: p.isLast(k)})
}

func (p *naivePool) extend(now linger.Instant, k *naiveConn) {
	switch {
	case p.datagram(k):
		k.deadline = after(now, p.policy.Limits.Repeat)
	case !k.early:
		k.deadline = after(now, p.policy.Limits.Stall)
	}
}

func (p *naivePool) rest(now linger.Instant, k *naiveConn) {
	switch {
	case k.early:
		return
	case k.silent:
		k.deadline = after(now, p.policy.Limits.Stall)
		return
	}
	k.deadline = after(now, p.policy.Strategy.IdleTimeout)
	if k.limited {
		k.deadline = min(k.deadline, now.Add(max(0, k.limit-k.trip)))
	}
}

func (p *naivePool) close(k *naiveConn, reason string) {
	p.drop(k)
	p.commands = append(p.commands, PoolCommand{Kind: Close, Conn: Conn{Number: k.number}, Reason: reason})
}

func (p *naivePool) drop(k *naiveConn) {
	k.state = gone
	p.conns = slices.DeleteFunc(p.conns, func(other *naiveConn) bool { return other == k })
}
