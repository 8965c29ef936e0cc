package origin

import (
	"cmp"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"linger"
	"linger/origin/accesslog"
	"linger/origin/site"
	"linger/policy"
	"linger/trace"
)

// A session is what a connection of every protocol has.
type session struct {
	server  *Server
	id      int64
	ticket  int64 // of the server's gate
	busy    bool  // as the gate was told
	remote  string
	began   linger.Instant
	asked   *atomic.Pointer[string] // why it is to end, where the server has a reason of its own
	machine *policy.Server
	policy  policy.ServerPolicy // that machine goes by
	altSvc  string              // the Alt-Svc field of its responses, or none

	by     trace.Peer // who ended it first, and why
	reason string
}

// newSession is of a connection of that major version of HTTP; "" is of another protocol.
func (s *Server) newSession(ticket int64, remote net.Addr, version string) session {
	now, p := s.now(), s.policyOf(version)
	return session{
		server: s, id: s.accepted.Add(1), ticket: ticket, remote: remote.String(), began: now,
		asked: &atomic.Pointer[string]{}, policy: p, machine: policy.NewServer(p, now),
	}
}

// tell has the gate know whether a request is under way.
func (c *session) tell() {
	if busy := c.machine.Busy(); busy != c.busy {
		c.busy = busy
		c.server.gate.SetBusy(c.ticket, busy)
	}
}

// due returns when the response to a request that is whole at now may begin: a core is done with
// it, and what it has to wait besides has passed.
func (s *Server) due(now linger.Instant, delay time.Duration) linger.Instant {
	return s.gate.Serve(now).Add(delay)
}

// policyOf is the policy of the connections of that version.
func (s *Server) policyOf(version string) policy.ServerPolicy {
	if m := s.config.Misbehave; m != nil && m.IsOf(version) {
		return m.Policy(s.config.Policy)
	}
	return s.config.Policy
}

// adopt has the connection go by another policy from now on.
func (c *session) adopt(p policy.ServerPolicy) {
	c.policy = p
	c.machine.Adopt(p)
}

// cutOff is why a connection ended that the server did not wait for any more.
const cutOff = "server cut off"

// end notes who ended the connection; only the first time counts.
func (c *session) end(by trace.Peer, reason string) {
	if c.by == trace.Nobody {
		c.by, c.reason = by, reason
	}
}

// entry is the log's entry for the answer to the request of that number, but for
// its times.
func (c *session) entry(a *site.Answer, version string, request int) accesslog.Entry {
	return accesslog.Entry{
		Event: accesslog.Answered, Conn: c.id, Remote: c.remote, Request: request,
		Method: a.Method, Target: a.Target, Version: cmp.Or(version, "-"), Status: a.Status, Body: a.Bytes(),
	}
}

// log completes an entry and logs it.
func (c *session) log(e accesslog.Entry, started, now linger.Instant, failed string) {
	e.Time, e.Duration, e.Failed = c.server.at(now), now.Sub(started), failed
	if failed != "" {
		e.Kept = false
	}
	c.server.config.Log(e)
}

// logClosed logs the end of the connection.
func (c *session) logClosed(late int64) {
	if c.server.config.Log == nil {
		return
	}
	now := c.server.now()
	c.server.config.Log(accesslog.Entry{
		Event: accesslog.Closed, Time: c.server.at(now), Conn: c.id, Remote: c.remote,
		Request: c.machine.Requests(), Duration: now.Sub(c.began),
		By: c.by, Reason: c.reason, LateBytes: late,
	})
}

// misbehave has the connection, which is of that version of HTTP, do what the path of a
// asks for, and changes a where it cannot.
func (c *session) misbehave(a *site.Answer, version string) {
	m := a.Misbehaviour
	switch {
	case m == nil:
	case m.IsOf(version):
		c.adopt(m.Policy(c.server.config.Policy))
	default:
		*a = a.Instead(site.Text(501, m.Name+" is of HTTP/"+strings.Join(m.Versions, " and HTTP/")+" only; ask over that\n"))
	}
}

// blame notes who is behind an error of the network; midway says that a request
// had begun to arrive.
func (c *session) blame(err error, midway bool) {
	switch {
	case c.server.isStopped():
		c.end(trace.AtServer, cutOff)
	case c.asked.Load() != nil && (errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)):
		c.end(trace.AtServer, *c.asked.Load())
	case errors.Is(err, errStalled):
		c.end(trace.AtServer, err.Error())
	case errors.Is(err, io.EOF) && !midway:
		c.end(trace.AtClient, "client closed")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		c.end(trace.AtClient, "client closed in mid-request")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		c.end(trace.AtClient, "client reset")
	case errors.Is(err, errShort), errors.Is(err, errCut):
		c.end(trace.AtServer, err.Error())
	default:
		c.end(trace.AtClient, err.Error())
	}
}
