package policy

import (
	"time"

	"linger"
)

// A CloseStyle is how a server ends a connection.
type CloseStyle string

const (
	// CloseFIN closes its sending side and reads on until the client has closed
	// too, so that no RST destroys what is still under way (RFC 9112, 9.6:
	// "servers typically close a connection in stages").
	CloseFIN CloseStyle = "fin"
	// CloseRST aborts: what the client has not read yet may be lost.
	CloseRST CloseStyle = "rst"
	// CloseHalf closes the sending side and reads on, for as long as the client
	// likes; CloseSilent does not even that: neither FIN nor RST says that nobody
	// answers any more. No server should.
	CloseHalf   CloseStyle = "half"
	CloseSilent CloseStyle = "silent"
)

// ServerPolicy is how long and for what a server keeps connections; a zero limit
// is none.
type ServerPolicy struct {
	// IdleTimeout is after how long without a request a kept connection is
	// closed, counted from the end of the last response or from the accept.
	IdleTimeout time.Duration `json:"idle_timeout_ns,omitempty"`
	// RequestTimeout is how long a request may take from its first byte to the
	// end of its head.
	RequestTimeout time.Duration `json:"request_timeout_ns,omitempty"`
	// MaxRequests is how many requests a connection may carry; 1 never keeps one.
	MaxRequests int `json:"max_requests,omitempty"`
	// MaxAge is how old a connection may grow; the first response after that
	// announces the close, and an idle one is closed at once.
	MaxAge time.Duration `json:"max_age_ns,omitempty"`
	Style  CloseStyle    `json:"close_style,omitempty"`
	// Announce sends Keep-Alive: timeout=S, max=N with responses that keep the
	// connection (RFC 2068, 19.7.1.1; kept alive by practice alone).
	Announce bool `json:"announce,omitempty"`

	Breach Breach `json:"breach,omitzero"`
}

// A Breach is where a server breaks its promises, on purpose, so that clients can be
// tried against one that does. The zero Breach keeps them all.
type Breach struct {
	// Silent says nothing of a close that it has decided on: the response looks like
	// one of a connection that persists.
	Silent bool `json:"silent,omitempty"`
	// Deaf keeps a connection that the client has asked to close.
	Deaf bool `json:"deaf,omitempty"`
	// AtRequest closes an idle connection not when its limit is over, but when the
	// first request after that begins.
	AtRequest bool `json:"at_request,omitempty"`
	// Ambush is for how long that request is waited for before the connection closes
	// without it; 0 is for ever.
	Ambush time.Duration `json:"ambush_ns,omitempty"`
	// IdleStyle is how a connection closes that was idle for too long; empty is the
	// policy's Style.
	IdleStyle CloseStyle `json:"idle_style,omitempty"`
	// Claim stands in the Keep-Alive field of each response that does not announce the
	// close, whatever the limits are.
	Claim string `json:"claim,omitempty"`
	// CutAfter ends a connection within the message that would make its content more
	// than so many bytes; 0 does not.
	CutAfter int64 `json:"cut_after,omitempty"`
	// Swap answers the second of two requests that are here at once first.
	Swap bool `json:"swap,omitempty"`
	// Behind is sent behind each response, or behind those to HEAD alone, though it belongs
	// to no message; LastWords before the end of a connection that was idle for too long.
	Behind     string `json:"behind,omitempty"`
	BehindHEAD bool   `json:"behind_head,omitempty"`
	LastWords  string `json:"last_words,omitempty"`
	// Disown names in GOAWAY a stream before the last that is answered.
	Disown bool `json:"disown,omitempty"`
}

type serverState uint8

const (
	idle serverState = iota
	reading
	responding
	closing
)

// Server is the state machine of one connection at a server.
//
// Call HandleRequestStart at the first byte of a request, HandleRequest at the
// end of its head, HandleResponse when its response is written; wake it with
// HandleTimeout at NextTimeout. Once Closing reports true, what remains is to
// write what is due and to close in the policy's style.
//
// On a multiplexed connection several requests are between HandleRequest and
// HandleResponse at once, and HandleRequestStart may be left out. The first
// request for which HandleRequest returns false is the last that the connection
// carries: GOAWAY names it (RFC 9113, 6.8; RFC 9114, 5.2), and those behind it are
// left to be sent elsewhere, without a call.
type Server struct {
	policy   ServerPolicy
	state    serverState
	began    linger.Instant
	deadline linger.Instant
	rested   linger.Instant // when it last became idle
	requests int
	open     int // requests whose responses are not written
	reason   string
	expired  bool
}

// NewServer returns the machine of a connection accepted at now.
func NewServer(p ServerPolicy, now linger.Instant) *Server {
	s := &Server{policy: p, began: now}
	s.rest(now)
	return s
}

// Adopt has the connection go by another policy from its next decision on.
func (s *Server) Adopt(p ServerPolicy) { s.policy = p }

// HandleRequestStart says that the first byte of a request has arrived.
func (s *Server) HandleRequestStart(now linger.Instant) {
	if s.policy.Breach.AtRequest && s.state == idle && now >= after(s.rested, s.policy.IdleTimeout) {
		s.state, s.deadline, s.reason = closing, linger.Never, "idle timeout, at the next request"
		s.expired = true
	}
	if s.state == idle {
		s.state = reading
		s.deadline = after(now, s.policy.RequestTimeout)
	}
}

// HandleRequest says that a request's head is complete, with its HTTP version
// and Connection fields. It returns whether the connection persists after the
// response, which the response then says.
func (s *Server) HandleRequest(now linger.Instant, version string, connection []string) (persists bool) {
	s.requests++
	s.open++
	s.state = responding
	s.deadline = linger.Never
	if s.policy.Breach.Deaf && hasOption(connection, "close") {
		connection = nil
	}
	switch {
	case s.reason != "":
	case !Persists(version, connection):
		s.reason = "client asked to close"
		if version == "1.0" {
			s.reason = "client did not ask to keep it (HTTP/1.0)"
		}
	case s.policy.MaxRequests != linger.Unlimited && s.requests >= s.policy.MaxRequests:
		s.reason = "requests per connection used up"
	case s.policy.MaxAge != 0 && now >= s.began.Add(s.policy.MaxAge):
		s.reason = "maximum age reached"
	}
	return s.reason == ""
}

// HandleMalformed says that what has arrived on a connection of HTTP/1, or has not
// arrived in time, is no request that the server can take, and why. It is answered as a request all the
// same, and the connection closes: nobody can tell where the next one begins.
func (s *Server) HandleMalformed(why string) {
	if s.state != responding {
		s.requests++
		s.open++
	}
	s.state = responding
	s.deadline = linger.Never
	if s.reason == "" {
		s.reason = why
	}
}

// HandleResponse says that a response is written in full, or that nobody waits for
// it any more.
func (s *Server) HandleResponse(now linger.Instant) {
	if s.open = max(s.open-1, 0); s.open > 0 {
		return
	}
	if s.reason != "" {
		s.state = closing
		s.deadline = linger.Never
		return
	}
	s.rest(now)
}

// Reasons for which a server ends a connection that keeps to its policy.
const (
	ReasonShutdown = "server shuts down"
	ReasonRestart  = "server restarts"
	ReasonGaveWay  = "gave way to another connection"
	ReasonRefused  = "refused: as many connections are open as may be"
)

// HandleShutdown says that the server is going down: what is idle closes now,
// what is under way is answered and announces the close.
func (s *Server) HandleShutdown() { s.HandleDismissal(ReasonShutdown) }

// HandleDismissal says that the connection ends for a reason of the whole server's, in the same
// way as when it goes down.
func (s *Server) HandleDismissal(reason string) {
	if s.reason == "" {
		s.reason = reason
	}
	if s.state == idle {
		s.state = closing
		s.deadline = linger.Never
	}
}

// HandleTimeout does what is due at now.
func (s *Server) HandleTimeout(now linger.Instant) {
	if now < s.deadline {
		return
	}
	switch s.state {
	case idle:
		s.reason, s.expired = "idle timeout", true
		if s.policy.MaxAge != 0 && now >= s.began.Add(s.policy.MaxAge) {
			s.reason = "maximum age reached"
		}
	case reading:
		s.reason = "request timeout"
	default:
		return
	}
	s.state = closing
	s.deadline = linger.Never
}

// NextTimeout returns when HandleTimeout has something to do, or Never.
func (s *Server) NextTimeout() linger.Instant { return s.deadline }

// Closing reports why the connection does not persist, empty where it does, and
// whether its close is due: a response under way announces it first.
func (s *Server) Closing() (reason string, due bool) {
	return s.reason, s.state == closing
}

// Style is how the connection is to be closed.
func (s *Server) Style() CloseStyle {
	if s.expired && s.policy.Breach.IdleStyle != "" {
		return s.policy.Breach.IdleStyle
	}
	return s.policy.Style
}

// LastWords are what is sent before the connection closes, empty of most.
func (s *Server) LastWords() string {
	if !s.expired {
		return ""
	}
	return s.policy.Breach.LastWords
}

// Busy reports whether a request is under way, or the end of the connection is.
func (s *Server) Busy() bool { return s.state != idle }

// Requests returns how many requests the connection has carried.
func (s *Server) Requests() int { return s.requests }

// Remaining returns how many more requests the connection may carry, and false
// where there is no limit.
func (s *Server) Remaining() (int, bool) {
	return s.policy.MaxRequests - s.requests, s.policy.MaxRequests != linger.Unlimited
}

func (s *Server) rest(now linger.Instant) {
	s.state, s.rested = idle, now
	s.deadline = after(now, s.policy.IdleTimeout)
	if s.policy.Breach.AtRequest && s.requests > 0 {
		s.deadline = linger.Never
		if s.policy.Breach.Ambush > 0 {
			s.deadline = after(now, s.policy.IdleTimeout+s.policy.Breach.Ambush)
		}
	}
	if s.policy.MaxAge != 0 {
		s.deadline = min(s.deadline, s.began.Add(s.policy.MaxAge))
	}
}
