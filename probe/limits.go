package probe

import (
	"context"
	"net/http"
	"slices"
	"time"

	"linger/profile"
)

// A span is when a request was sent, and when its response began and ended to come.
type span struct{ asked, first, last time.Time }

// at is the span of what takes no time.
func at(t time.Time) span { return span{t, t, t} }

// A sighting is one connection that was watched until it ended, or until waiting did.
type sighting struct {
	end
	// idle is from the last byte of a response to the end, as both were seen here. The
	// server's own clock may show up to less less than that, or up to more more.
	idle, less, more time.Duration
	// long says that the response was the ordinary one where others had a small one.
	long   bool
	abrupt bool // see isAbrupt
}

// What of a server's clock may be started by acknowledgements: of TCP, none but those
// of a response that takes more than one flight; of QUIC, which is part of the server,
// any, and they may be late by max_ack_delay (RFC 9000, 18.2: 25 ms by default).
const (
	tcpAcknowledges  time.Duration = -1
	quicAcknowledges               = 25 * time.Millisecond
)

// reckon says how long a connection was idle behind a response, and how much of that is
// not sure.
//
// The server's clock starts at the earliest when the first byte has left, and at the
// latest when the last acknowledgement has come. Where the response fits into one
// flight all of that is one instant. Where it does not, the rest waits in the sender's
// buffer for acknowledgements (RFC 5681, 3.1), some round trips after a program has
// written all of it. What the first byte came later than a round trip after the request
// may be a queue on the path that was gone when the end came.
func (p *prober) reckon(s *sighting, of span, acknowledges time.Duration) {
	low, trip := p.shortestTrip(), p.roundTrip()
	s.idle = s.at.Sub(of.last)
	s.more = of.last.Sub(of.first)
	flights := s.more > max(trip/2, 2*time.Millisecond)
	queued := max(of.first.Sub(of.asked)-low, 0)
	if flights {
		s.more += queued
	} else {
		s.more += min(queued, max(10*time.Millisecond+trip/10, p.apart(0.9, 0)))
	}
	switch {
	case of.asked.Equal(of.last): // nothing was asked
	case acknowledges >= 0:
		s.less = trip + acknowledges
	case flights:
		s.less = trip
	}
}

// limitOf is the limit that connections show which were watched at once, up to doubt
// for what the method cannot tell apart. Where some were ended and others were open for
// longer, there is no one limit, and what is known is that none was ended sooner.
func limitOf(seen []sighting, doubt time.Duration, method string) profile.Timeout {
	t := profile.Timeout{State: profile.Unknown, Why: "no connection could be watched"}
	var ended, open []time.Duration
	var unsure time.Duration
	silent := 0
	first := forever
	for _, s := range seen {
		switch {
		case s.err != nil:
			t.Why = s.err.Error()
		case s.how == profile.Silence:
			silent++
		case s.how != "" || s.said != nil:
			ended = append(ended, s.idle+(s.more-s.less)/2)
			unsure = max(unsure, (s.more+s.less)/2)
			if s.idle < first {
				first, t.Ending, t.Said, t.Closing = s.idle, s.how.After(s.said), s.said, s.closing
			}
		default:
			open = append(open, s.idle-s.less)
		}
	}
	switch {
	case len(ended) > 0:
		t.State, t.Spread, t.Uncertainty = profile.Measured, profile.SpreadOf(ended), profile.Duration(doubt+unsure)
		if longest := profile.SpreadOf(open).High; longest > t.High+t.Uncertainty+profile.Slack(t.High) {
			return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: t.Low - t.Uncertainty, N: len(ended) + len(open)}, Method: method,
				Why: someEnded(len(ended), len(ended)+len(open), time.Duration(t.Low), time.Duration(longest))}
		}
	case len(open) > 0:
		t.State, t.Ending, t.Said, t.Closing = profile.AtLeast, "", nil, nil
		t.Low, t.N = profile.SpreadOf(open).Low, len(open)
	case silent > 0:
		t.Ending = profile.Silence
		t.Why = "it fell silent at some time: no end came, and what was sent at last was neither answered nor refused"
	}
	if t.State != profile.Unknown {
		t.Why, t.Method = "", method
	}
	return t
}

// limitAfterResponse is the limit of connections some of which had a small response and
// others the ordinary one. Where both are of one mind, the small ones count, which tell
// it better.
func (p *prober) limitAfterResponse(seen []sighting, limitOf func([]sighting, time.Duration, string) profile.Timeout) profile.Timeout {
	const method = "connections that had one response were left alone until the server ended them"
	doubt := p.pathDoubt()
	if !p.asksSmall() {
		p.sweeps(sweepOf(seen, doubt, true))
		return limitOf(seen, doubt, method)
	}
	short := slices.DeleteFunc(slices.Clone(seen), func(s sighting) bool { return s.long })
	p.sweeps(sweepOf(short, doubt, true))
	small := limitOf(short, doubt, method+"; the response was a small one, since the ordinary one takes more than one flight")
	long := limitOf(slices.DeleteFunc(slices.Clone(seen), func(s sighting) bool { return !s.long }), doubt, method)
	if small.State == profile.Unknown {
		return limitOf(seen, doubt, method)
	}
	if low, high, ok := long.Interval(); ok {
		l, h, _ := small.Interval()
		if near := profile.Slack(l); l > high+near || low > h+near {
			return limitOf(seen, doubt, method)
		}
	}
	return small
}

// tripped notes how long a handshake took, as one more sample of the path.
func (p *prober) tripped(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.trips) < 1000 {
		p.trips = append(p.trips, d)
	}
}

// pathDoubt is how far a limit may be off because the path was not the same all the time,
// and for the clocks of two hosts: by as much as the handshakes at the beginning differed,
// or the middle half of all. What is in the way of a response besides shows in how long
// it took (see reckon), and of an end in how the watched connections differ.
func (p *prober) pathDoubt() time.Duration {
	doubt := p.apart(0.75, 0.25)
	p.mu.Lock()
	defer p.mu.Unlock()
	doubt = max(doubt, time.Duration(p.profile.RTT.High-p.profile.RTT.Low)) + time.Millisecond
	if p.late > tardy {
		doubt += p.late
	}
	return doubt
}

// apart is how far two quantiles of the handshakes' times are from each other.
func (p *prober) apart(high, low float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.trips)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(p.trips))
	at := func(q float64) time.Duration { return sorted[int(q*float64(n-1))] }
	return at(high) - at(low)
}

func (p *prober) roundTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.profile.RTT.Median)
}

func (p *prober) shortestTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.profile.RTT.Low)
}

const (
	// smallContent is what fits into the first flight of any server, in bytes: four
	// segments (RFC 3390).
	smallContent = 4 << 10
	// smallRequests are sent at most to find a request with a small response.
	smallRequests = 6
)

// asksSmall reports whether there is a request whose response is smaller than the
// ordinary one, which is long.
func (p *prober) asksSmall() bool { return p.small.method != "" || p.small.fields != nil }

// A usual response is that to a request which nothing is the matter with.
type usual struct {
	answer
	took  time.Duration // from the request to its end
	whole time.Duration // from opening the connection
}

// findSmall looks for a request with a response of one flight, where the ordinary one
// takes more: one that the client is said to know already, its head alone, or its
// first byte. It has to leave the connection as the ordinary one does.
func (p *prober) findSmall(ctx context.Context) {
	a := p.usual
	if a.length <= smallContent || a.close {
		return
	}
	try := func(q request, fits func(answer) bool) bool {
		c, err := p.open(ctx, nil)
		if err != nil {
			return false
		}
		defer c.drop()
		var got answer
		for range 2 { // what is left behind the first would be found in front of the second
			if got, err = p.exchange(ctx, c, q); err != nil || got.close || got.length > smallContent || !fits(got) || got.header.Get("Connection") != a.header.Get("Connection") {
				return false
			}
		}
		p.small, p.usual.status, p.usual.took = q, got.status, c.last.Sub(c.asked)
		return true
	}
	status := func(want int) func(answer) bool { return func(a answer) bool { return a.status == want } }
	known := ""
	if tag := a.header.Get("Etag"); tag != "" {
		known = "If-None-Match: " + tag
	} else if at := a.header.Get("Last-Modified"); at != "" {
		known = "If-Modified-Since: " + at
	}
	switch {
	case a.status == http.StatusOK && known != "" && try(request{fields: []string{known}}, status(http.StatusNotModified)):
	case try(request{method: http.MethodHead}, status(a.status)):
	case a.status == http.StatusOK && a.header.Get("Accept-Ranges") == "bytes":
		try(request{fields: []string{"Range: bytes=0-0"}}, status(http.StatusPartialContent))
	}
}
