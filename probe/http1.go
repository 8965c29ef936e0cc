package probe

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/conformance"
	"linger/live"
	"linger/profile"
)

const (
	// idleConnections are how many watch the limit after a response: enough to see
	// whether it spreads, as that of a server that looks once a second does. As many as
	// unusedConnections watch those that were never used.
	idleConnections   = 4
	unusedConnections = 2
	// rungs are how many connections are asked again after waits that grow.
	rungs = 6
	// rounds of narrowing connections each find out where a connection falls silent.
	rounds, narrowing = 2, 3
	// countedHTTP1 is how many requests one connection is asked at most, and countedMore how
	// many besides in cleartext, where nothing is asked about TLS and HTTP/3. The first
	// wholeHTTP1 of them have the ordinary response, however long that is.
	countedHTTP1, countedMore, wholeHTTP1 = 20, 15, 5
	// Two connections are kept busy, by numbers of requests that differ.
	agedHTTP1, agedRarelyHTTP1 = 8, 5
)

// idleAfterResponseName and idleHTTP2Name begin the names of the experiments that
// measure for how long a connection may be idle.
const idleAfterResponseName, idleHTTP2Name = "idle after a response", "idle on HTTP/2"

// IdleExperiments names, for Config.Experiments, what measures the idle limits after a
// response: where it is agreed upon over TLS, of HTTP/2 too.
func IdleExperiments(scheme string) []string {
	if scheme == "https" {
		return []string{idleAfterResponseName, idleHTTP2Name}
	}
	return []string{idleAfterResponseName}
}

var http1Experiments = []experiment{
	{idleAfterResponseName, "http/1.1", []string{"timeout-honoured", "idle-orderly", "idle-long-enough", "idle-wordless"},
		idleConnections, idleConnections, true, idleAfterResponse},
	{"idle, then asked again", "http/1.1", []string{"idle-answered", "idle-no-race"},
		rungs, 2*rungs + 2*rounds*narrowing, true, askedAgain},
	{"idle after connecting", "http/1.1", nil, unusedConnections, 0, true, idleAfterConnect},
	{"idle after TLS", "http/1.1", nil, unusedConnections, 0, true, idleAfterTLS},
	{"age of a busy connection", "http/1.1", nil, 2, agedHTTP1 + agedRarelyHTTP1, true, ageHTTP1},
	{"requests on a connection", "http/1.1", []string{"close-announced", "close-kept", "keep-alive-honoured", "keep-alive-listed", "requests-enough", "message-complete", "idle-closed-whole"},
		1, countedHTTP1 + 1, false, countHTTP1},
	{"Connection: close", "http/1.1", []string{"close-honoured", "close-repeated", "idle-orderly"}, 1, 2, false, askedToClose},
	{"behind Connection: close", "http/1.1", []string{"close-last", "close-staged"}, 1, 2, false, behindClose},
	{"HTTP/1.0", "http/1.1", []string{"http10-closes", "http10-keep-alive", "http10-no-chunks"}, 1, 4, false, oldHTTP},
	{"pipelining", "http/1.1", []string{"pipeline-order"}, 1, 3 + pipelined, false, pipelineHTTP1},
	{"what a connection survives", "http/1.1", []string{"head-empty", "no-content-empty", "not-modified-empty", "nothing-behind", "length-absent", "length-single", "head-grammar", "close-announced", "close-kept"}, 1, 2 * survivals, false, surviveHTTP1},
	{"content of requests", "http/1.1", []string{"body-read", "expect-answered", "interim-whole", "close-announced"}, 1, 7, false, contents},
	{"framing", "http/1.1", []string{"framing-both", "framing-lengths", "framing-length", "framing-chunks", "host-missing", "field-space"}, 1, 13, false, framing},
}

// http1Facts are what the experiments saw that only together decide a case.
type http1Facts struct {
	conformance.HTTP1
	lives   []life // of connections that were kept busy
	counted life   // of the one that was asked most, without a pause
	// slow is how long after the request the end of that one came, which may have been
	// idle for the server since.
	slow time.Duration
}

// note changes what the experiments have seen.
func (p *prober) note(change func(*http1Facts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.facts)
}

// heard notes what a response says of its connection.
func (p *prober) heard(c *conn, a answer) {
	c.heard++
	connection, keepAlive := strings.Join(a.header.Values("Connection"), ", "), a.header.Get("Keep-Alive")
	if connection == "" && keepAlive == "" {
		return
	}
	timeout, most := readKeepAlive(keepAlive)
	p.record(func(doc *profile.Profile) {
		h := doc.ProtocolNamed("http/1.1")
		if said := &h.Announced; !a.close && said.Connection == "" && said.KeepAlive == "" {
			said.Connection, said.KeepAlive = linger.Brief(connection), linger.Brief(keepAlive)
			if d, ok := timeout.Get(); ok {
				said.Timeout = linger.Known(profile.Duration(d))
			}
		}
		if n, ok := most.Get(); ok {
			said := &h.Announced
			if c.heard == 1 && said.Max.IsZero() {
				said.Max = most
			}
			said.MaxFalls = said.MaxFalls || c.heard > 1 && n < c.max.Or(n)
		}
		c.max = most
		f := &p.facts
		f.Said = f.Said || lists(connection, "keep-alive")
		if keepAlive != "" {
			f.KeepAlive, f.Timeout = true, timeout
			if !lists(connection, "keep-alive") && f.Unlisted == "" {
				f.Unlisted = linger.Brief(keepAlive)
			}
		}
	})
}

// readKeepAlive reads the parameters of a Keep-Alive field (RFC 2068, 19.7.1.1), which
// no standard defines any more: "timeout=5, max=100", in seconds and in requests.
func readKeepAlive(s string) (timeout linger.Opt[time.Duration], most linger.Opt[int]) {
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err != nil || n < 0 {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "timeout":
			if n <= int(forever/time.Second) {
				timeout = linger.Known(time.Duration(n) * time.Second)
			}
		case "max":
			most = linger.Known(n)
		}
	}
	return timeout, most
}

// lists reports whether a list field has an element, whatever its case.
func lists(field, element string) bool {
	for part := range strings.SplitSeq(field, ",") {
		if strings.EqualFold(strings.TrimSpace(part), element) {
			return true
		}
	}
	return false
}

// watch watches n connections at once, once prepare has done what comes before the
// silence and returned when that began. They begin a part of a second apart, so that a
// server whose clock ticks shows that it does.
func (p *prober) watch(ctx context.Context, n int, prepare func(i int) (*conn, span, error)) []sighting {
	seen := make([]sighting, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s := &seen[i]
			if s.err = sleep(ctx, begins(i, n)); s.err != nil {
				return
			}
			c, since, err := prepare(i)
			if err != nil {
				s.err = err
				return
			}
			wait, cancel := p.wait(ctx)
			defer cancel()
			s.end, s.long = c.awaitEnd(wait), i == 0
			c.heed(&s.end, since.last)
			p.reckon(s, since, tcpAcknowledges)
			if s.how == "" {
				c.drop()
				return
			}
			p.leave(ctx, c, "an idle connection that it had ended")
		})
	}
	all.Wait()
	return seen
}

// idleAfterResponse watches connections that have had one response.
func idleAfterResponse(ctx context.Context, p *prober) {
	seen := p.watch(ctx, p.few(idleConnections), func(i int) (*conn, span, error) {
		c, err := p.open(ctx, nil)
		if err != nil {
			return nil, span{}, err
		}
		q := p.small
		if i == 0 {
			q = request{}
		}
		a, err := p.exchange(ctx, c, q)
		if err != nil {
			c.drop()
			return nil, span{}, err
		}
		if a.close {
			p.closes(ctx, c, a, "after one response")
			c.drop()
			return nil, span{}, errors.New("it ends each connection after one response")
		}
		return c, c.span, nil
	})
	limit := p.limitAfterResponse(seen, limitOf)
	for _, s := range seen {
		p.ended(s.how, "an idle connection")
	}
	switch {
	case limit.State == profile.Measured:
		p.settled(time.Duration(limit.Median))
	case p.most == 1:
		p.settled(0) // what else would be waited for is in the way of everybody
	}
	p.note(func(f *http1Facts) { f.Watched, f.Words = limit, limit.Said })
	p.record(func(doc *profile.Profile) {
		h := doc.ProtocolNamed("http/1.1")
		h.Offered, h.AfterResponse = true, limit
	})
}

// idleAfterConnect watches connections on which nothing was sent at all.
func idleAfterConnect(ctx context.Context, p *prober) {
	seen := p.watch(ctx, p.few(unusedConnections), func(int) (*conn, span, error) {
		c, err := p.connect(ctx)
		if err != nil {
			return nil, span{}, err
		}
		return c, at(c.established), nil
	})
	// The server counts from when our ACK has reached it, or from when it was accepted.
	limit := limitOf(seen, p.pathDoubt()+p.roundTrip(), "connections on which nothing was sent were left alone until the server ended them")
	p.note(func(f *http1Facts) { f.Unused = cmp.Or(f.Unused, limit.Said) })
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed("http/1.1").AfterConnect = limit })
}

// idleAfterTLS watches connections on which nothing was sent behind TLS's handshake.
func idleAfterTLS(ctx context.Context, p *prober) {
	if p.target.tls == nil {
		return
	}
	seen := p.watch(ctx, p.few(unusedConnections), func(int) (*conn, span, error) {
		c, err := p.open(ctx, nil)
		if err != nil {
			return nil, span{}, err
		}
		return c, at(c.ready), nil
	})
	limit := limitOf(seen, p.pathDoubt()+p.roundTrip(), "connections on which nothing was sent behind TLS's handshake were left alone until the server ended them")
	p.note(func(f *http1Facts) { f.Unused = cmp.Or(f.Unused, limit.Said) })
	p.record(func(doc *profile.Profile) { doc.ProtocolNamed("http/1.1").AfterTLS = limit })
}

// ended counts how connections end.
func (p *prober) ended(how profile.Ending, occasion string) {
	p.note(func(f *http1Facts) {
		switch how {
		case profile.RST, profile.CloseNotifyRST:
			f.Resets = append(f.Resets, occasion)
		case "":
		default:
			f.Orderly++
		}
	})
}

// lingering is for how long servers read on after their close, so that no RST destroys
// the response ("in stages", RFC 9112, 9.6): 5 s in nginx, 2 s in Apache.
const lingering = 7 * time.Second

// leave drops a connection that the server has ended. On the first of them it is seen
// before, after some time, whether the server has closed the other direction, too.
func (p *prober) leave(ctx context.Context, c *conn, occasion string) {
	checked := p.config.Experiments != nil // nothing but what was named is of interest
	p.note(func(*http1Facts) {
		if checked = checked || p.checking || !p.slots.spare(); !checked {
			p.checking = true
		}
	})
	if checked {
		c.drop()
		return
	}
	p.later.Go(func() {
		defer p.slots.give(1)
		defer c.drop()
		if sleep(ctx, lingering) != nil {
			return
		}
		refused := c.refuses(ctx)
		p.note(func(f *http1Facts) {
			if f.Whole = refused; !refused && ctx.Err() == nil {
				f.Half = occasion
			}
		})
	})
}

// refuses reports whether the other side resets the connection for what is sent.
func (c *conn) refuses(ctx context.Context) bool {
	for range 3 {
		c.socket.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := io.WriteString(c.socket, "GET "); live.IsReset(err) {
			return true
		}
		if sleep(ctx, c.prober.roundTrip()+100*time.Millisecond) != nil {
			break
		}
	}
	return false
}

// askedAgain asks connections again after waits that grow, which finds those that look
// open and are not. Where some answer and others do not, the limit lies between: more
// waits there narrow it.
func askedAgain(ctx context.Context, p *prober) {
	const least, factor = 300 * time.Millisecond, 3
	var waits []time.Duration
	for w := float64(least); len(waits) < rungs && w < float64(p.config.MaxWait); w *= factor {
		waits = append(waits, time.Duration(w))
	}
	watched := false
	p.note(func(f *http1Facts) { watched = f.Watched.State == profile.Measured })
	if watched && p.sparing() {
		return // it is known that they do not look open, and those who wait are in the way
	}
	began := time.Now()
	low, high, how := p.askAfter(ctx, waits, p.config.Answer)
	// That it falls silent is known by now, so that less time shows it again.
	again := min(p.config.Answer, time.Second+10*p.roundTrip())
	for range rounds {
		if how == "" || time.Since(began)+high > p.config.MaxWait || high-low < high/50 {
			break
		}
		waits = waits[:0]
		for i := range narrowing {
			waits = append(waits, low+(high-low)*time.Duration(i+1)/(narrowing+1))
		}
		l, h, failed := p.askAfter(ctx, waits, again)
		if low = max(low, l); failed != "" {
			high = min(high, h)
		}
	}
	p.note(func(f *http1Facts) { f.Looked = conformance.AskedAgain{Answered: low, Failed: high, How: how} })
	if how != "" {
		p.settled(high)
	}
}

// askAfter asks connections again, each after a wait of its own, and returns the
// longest wait after which one answered, and the shortest after which one did not
// within so long, though it seemed to be open, and what came instead.
func (p *prober) askAfter(ctx context.Context, waits []time.Duration, within time.Duration) (low, high time.Duration, how profile.Ending) {
	type report struct {
		wait time.Duration
		how  profile.Ending
		ok   bool
	}
	patience, cancel := p.wait(ctx)
	defer cancel()
	shorter, stop := context.WithCancel(patience) // no need to wait longer than what failed
	defer stop()
	reports := make(chan report, len(waits))
	turn := newSlots(p.few(len(waits)))
	for _, w := range waits {
		go func() {
			r := report{wait: w}
			defer func() { reports <- r }()
			if !turn.take(patience, 1) {
				return
			}
			defer turn.give(1)
			c, err := p.open(ctx, nil)
			if err != nil {
				return
			}
			defer c.drop()
			a, err := p.exchange(ctx, c, p.small)
			if err != nil {
				return
			}
			if a.close {
				p.closes(ctx, c, a, "after one response")
				return
			}
			began := c.span
			until, cancel := context.WithDeadline(shorter, c.last.Add(w))
			defer cancel()
			if e := c.awaitEnd(until); e.how != "" || e.err != nil || time.Since(c.last) < w {
				return // ended before, or not waited for
			}
			r.wait = time.Since(c.last)
			again := p.small
			again.within = within
			_, err = p.exchange(ctx, c, again)
			if err != nil {
				r.wait += began.last.Sub(began.first) // for which the server may have counted, too
			}
			switch {
			case err == nil:
				r.ok = true
			case ctx.Err() != nil:
			case errors.Is(err, os.ErrDeadlineExceeded):
				r.how = profile.Silence
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), live.IsReset(err):
				r.how = profile.AtRequest
			}
			if r.how != "" {
				time.AfterFunc(time.Second, stop)
			}
		}()
	}
	for range waits {
		switch r := <-reports; {
		case r.ok:
			low = max(low, r.wait)
		case r.how != "" && (how == "" || r.wait < high):
			high, how = r.wait, r.how
		}
	}
	return low, high, how
}

// countHTTP1 asks on one connection until the server has enough of it.
func countHTTP1(ctx context.Context, p *prober) {
	count := profile.Count{State: profile.Unknown}
	defer func() {
		p.record(func(doc *profile.Profile) { doc.ProtocolNamed("http/1.1").Requests = count })
	}()
	c, err := p.open(ctx, nil)
	if err != nil {
		count.Why = err.Error()
		return
	}
	defer func() {
		if c != nil {
			c.drop()
		}
		p.note(func(f *http1Facts) { f.Counted = count.N })
	}()
	var last answer
	var asked time.Time // which last answers
	var l life
	defer func() { p.note(func(f *http1Facts) { f.counted = l }) }()
	most := countedHTTP1
	if p.target.tls == nil {
		most += countedMore
	}
	for i := range most {
		var asking request
		if i >= wholeHTTP1 {
			asking = p.small
		}
		// Apache says what it allows to those only who ask for the connection to stay.
		asking.fields = append(slices.Clip(asking.fields), "Connection: keep-alive")
		a, err := p.exchange(ctx, c, asking)
		l.heard(c, a, err)
		switch {
		case err == nil:
			last, asked = a, c.span.asked
			count.N += a.tries
			count.State = profile.AtLeast
		case count.N > 0 && ends(err):
			count.State = profile.Measured
			p.note(func(f *http1Facts) {
				f.Requests, f.Claimed, f.slow = linger.Known(count.N), claim(last), time.Since(asked)
			})
			over := c
			c = nil
			p.leave(ctx, over, "a connection that it had ended without a word")
			return
		case errors.Is(err, io.ErrUnexpectedEOF):
			count.Why = "a response was cut off"
			return
		case err == errStray:
			count = profile.Count{State: profile.Unknown, Why: "bytes that belong to no message came behind response " + strconv.Itoa(count.N)}
			return
		default:
			count.Why = err.Error()
			return
		}
		if !a.close {
			continue
		}
		count.State = profile.Measured
		p.note(func(f *http1Facts) { f.Requests, f.Announced = linger.Known(count.N), true })
		p.closes(ctx, c, a, "after the last of "+strconv.Itoa(count.N)+" requests")
		return
	}
}

// recount asks on a connection of its own whether a number of requests is a limit, now that
// nothing else is under way: while all that serve connections are busy, some servers end
// those which they would keep otherwise.
func (p *prober) recount(ctx context.Context) {
	p.mu.Lock()
	most, limited := p.facts.Requests.Get()
	p.mu.Unlock()
	if !limited || most == 1 {
		return
	}
	c, err := p.open(ctx, nil)
	if err != nil {
		return
	}
	defer c.drop()
	answered := 0
	for answered <= most {
		a, err := p.exchange(ctx, c, p.small)
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
	p.note(func(f *http1Facts) {
		f.Requests, f.Announced, f.Claimed, f.Counted = linger.Opt[int]{}, false, "", answered
		count := &p.profile.ProtocolNamed("http/1.1").Requests
		*count = profile.Count{State: profile.AtLeast, N: answered, Why: "a connection was ended after " + strconv.Itoa(most) + " while others were under way, and another, alone, was not"}
	})
}

// ends reports whether an error says that there was no response at all, as where the
// server had closed.
func ends(err error) bool {
	return errors.Is(err, io.EOF) || live.IsReset(err)
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

// promptly is how soon a server has closed that closes behind a response, besides the
// round trip. What ends later may have ended for being idle.
const promptly = 500 * time.Millisecond

// afterLast sees what becomes of a connection whose last response has come. An end that
// does not come at once is not waited for, because it would come to any idle connection
// some time: another request tells whether this one is still in use.
func (p *prober) afterLast(ctx context.Context, c *conn, next request) conformance.Closing {
	e := c.lull(ctx, promptly)
	answered, last := false, c.last
	if e.how == "" && e.err == nil && ctx.Err() == nil {
		next.beyond = true
		_, err := p.exchange(ctx, c, next)
		e.at = time.Now()
		switch {
		case err == nil:
			answered = true
		case live.IsReset(err):
			e.how = profile.RST
		case ends(err):
			e.how = profile.FIN
		case !errors.Is(err, os.ErrDeadlineExceeded):
			e.err = err
		}
	}
	return conformance.Closing{How: e.how, After: e.at.Sub(last), Answered: answered, Lost: e.err != nil || ctx.Err() != nil}
}

// closes holds a response that said close against what becomes of the connection.
func (p *prober) closes(ctx context.Context, c *conn, a answer, occasion string) {
	closing := p.afterLast(ctx, c, request{})
	p.ended(closing.How, occasion)
	p.note(func(f *http1Facts) {
		if closing.How != "" {
			f.Kept++
		}
	})
	if closing.Open() {
		p.lied(a, closing, occasion)
	}
}

// lied notes a response that said close, and whose connection stays open.
func (p *prober) lied(a answer, closing conformance.Closing, occasion string) {
	p.note(func(f *http1Facts) {
		if f.Lie.IsZero() {
			f.Lie = linger.Known(conformance.Lie{Occasion: occasion, Status: a.status, Closing: closing})
		}
	})
}

// sleep waits, or returns why it did not.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	// pipelined requests are sent at once.
	pipelined = 6
	survivals = 7
)

// nowhere is a path that a server is unlikely to have.
const nowhere = "/linger-probe-of-what-is-not-here"

// pipelineHTTP1 sends requests without waiting. Two that are answered differently when
// they are asked alone show in which order the answers come.
func pipelineHTTP1(ctx context.Context, p *prober) {
	found := profile.Pipelining{State: profile.Unknown, Sent: pipelined}
	defer func() {
		p.record(func(doc *profile.Profile) { doc.ProtocolNamed("http/1.1").Pipelining = &found })
	}()
	kinds := []request{{}, {path: nowhere}, {method: http.MethodOptions}}
	alone := make([]answer, len(kinds))
	other := 0 // a request that is answered differently from the ordinary one
	for i, q := range kinds {
		c, err := p.open(ctx, nil)
		if err == nil {
			alone[i], err = p.exchange(ctx, c, q)
			c.drop()
		}
		if err != nil {
			found.Why = err.Error()
			return
		}
		if !alone[i].like(alone[0]) && !isRefusal(alone[i].status) {
			other = i
			break
		}
	}
	turns := [2]int{0, other}
	c, err := p.open(ctx, nil)
	if err != nil {
		found.Why = err.Error()
		return
	}
	defer c.drop()
	var requests []request
	for i := range pipelined {
		requests = append(requests, kinds[turns[i%2]])
	}
	if err := c.send(requests...); err != nil {
		found.Why = err.Error()
		return
	}
	found.State = profile.Measured
	seen := conformance.Pipelined{Sent: pipelined, Alike: other == 0}
	for i, q := range requests {
		a, err := c.receive(ctx, q)
		if err != nil {
			found.Why, seen.Strayed = "the rest was not answered: "+cause(err), err == errStray
			break
		}
		found.Answered++
		want, neighbour := alone[turns[i%2]], alone[turns[(i+1)%2]]
		switch {
		case other == 0 || a.like(want):
		case isRefusal(a.status):
			seen.Alike = true // any of them may be answered so
		case a.like(neighbour):
			if seen.Wrong == 0 {
				seen.Wrong, seen.Status, seen.Want = i+1, a.status, want.status
			}
		default:
			seen.Alike = true // what it is asked is answered otherwise each time
		}
		if a.close {
			break
		}
	}
	seen.Answered = found.Answered
	found.InOrder = seen.InOrder()
	p.judge(seen)
}

// like reports whether two answers cannot be told apart.
func (a answer) like(b answer) bool {
	return a.status == b.status && (a.status/100 != 2 || a.length == b.length)
}

// surviveHTTP1 asks for one thing, and then for the ordinary one on the same connection.
func surviveHTTP1(ctx context.Context, p *prober) {
	var validator []string
	ask := func(what string, q request) {
		s := profile.Survival{What: what, State: profile.Unknown}
		defer func() { p.record(func(doc *profile.Profile) { doc.Survives = append(doc.Survives, s) }) }()
		c, err := p.open(ctx, nil)
		if err != nil {
			s.Why = err.Error()
			return
		}
		defer c.drop()
		a, err := p.exchange(ctx, c, q)
		if err != nil {
			s.Why = "no answer: " + cause(err)
			return
		}
		s.Status, s.Said = a.status, linger.Brief(strings.Join(a.header.Values("Connection"), ", "))
		if q.method == "" && validator == nil {
			if tag := a.header.Get("Etag"); tag != "" {
				validator = []string{"If-None-Match: " + tag}
			} else if at := a.header.Get("Last-Modified"); at != "" {
				validator = []string{"If-Modified-Since: " + at}
			}
		}
		if a.close {
			s.State = profile.Measured
			p.closes(ctx, c, a, "after "+what)
			return
		}
		if e := c.lull(ctx, lulled); e.how != "" {
			s.State = profile.Measured
			p.endedUnsaid(c, e, what)
			return
		}
		_, err = p.exchange(ctx, c, request{})
		switch {
		case err == nil:
			s.State, s.Kept = profile.Measured, true
		case ends(err):
			s.State = profile.Measured
		default:
			s.Why = cause(err)
		}
	}
	ask("GET", request{})
	ask("HEAD", request{method: http.MethodHead})
	ask("OPTIONS", request{method: http.MethodOptions})
	ask("POST, no content", request{method: http.MethodPost, fields: []string{"Content-Length: 0"}})
	ask("GET of what is not there", request{path: nowhere})
	ask("an unknown method", request{method: "LINGER"})
	if validator != nil {
		ask("GET of what is known", request{fields: validator})
	}
}
